"""
What is asked of the pages is counted, exactly and by everybody together; a client is who a trusted proxy says it is.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from functools import partial
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from limits.errors import ConfigurationError as LimitsConfigurationError
from limits.storage import MemoryStorage as Counters
from limits.storage import storage_from_string
from portal.counting import HERE, SECRET, THERE, allowed, ask_often, limiter
from services import MYSQL, POSTGRESQL, database, missing, reached
from world import world

from optly.errors import ConfigurationError, StorageUnavailableError
from optly.portal.limits import Limiter, Limits, client_address
from optly.protocols.http import Request
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.testing.clock import FrozenClock
from optly.testing.storage import TICK, Opener, at_once

BY_CLIENT = ("new_links_by_client", "digits_by_client", "misses_by_client")
NONE = Limits(**{field.name: None for field in attrs.fields(Limits)})


# ---- what is limited


@pytest.mark.parametrize(
    ("asked", "most"),
    [
        (lambda it, n: it.may_send_link(HERE), 20),
        (lambda it, n: it.may_send_link(f"192.0.{n // 99}.{n % 99}"), 1000),
        (lambda it, n: it.may_try_digits(HERE), 30),
        (lambda it, n: it.may_miss(HERE), 60),
        (lambda it, n: it.may_miss(f"192.0.{n // 99}.{n % 99}"), 1100),
    ],
    ids=["client", "all", "digits", "misses", "misses of all"],
)
def test_so_much_may_be_asked_at_once(asked: Callable[[Limiter, int], bool], most: int) -> None:
    """
    The limits that are set unless others are, of everything that is limited.
    """
    it = limiter(Limits())
    assert [asked(it, n) for n in range(most)] == [True] * most
    if most < 1100:
        assert not asked(it, most)


def test_nothing_is_limited_that_has_no_limit() -> None:
    """
    Each can be switched off.
    """
    storage = MemoryStorage()
    it = limiter(NONE, storage)
    assert allowed(lambda: it.may_send_link(HERE) and it.may_try_digits(HERE) and it.may_miss(HERE), 99) == 99
    assert storage._state.counters == {}


def test_a_window_ends_when_its_time_is_over() -> None:
    """
    At its last instant it still counts, and the longer one goes on over the shorter.
    """
    clock = FrozenClock()
    it = limiter(Limits(new_links_by_client="3/15 minutes; 10/day"), clock=clock)
    got: list[int] = []
    for by in (timedelta(0), timedelta(minutes=15), TICK, *[timedelta(minutes=16)] * 3):
        clock.advance(by)
        got.append(allowed(lambda: it.may_send_link(HERE), 5))
    assert got == [3, 0, 3, 3, 1, 0]
    clock.advance(timedelta(days=1))
    assert it.may_send_link(HERE)


def test_what_is_refused_does_not_count_elsewhere() -> None:
    """
    Neither towards a longer window nor towards the limit of all, or one person could use them up for everybody.
    """
    clock = FrozenClock()
    it = limiter(Limits(new_links_by_client="3/hour", new_links="5/hour"), clock=clock)
    assert allowed(lambda: it.may_send_link(HERE), 50) == 3
    assert allowed(lambda: it.may_send_link(THERE), 50) == 2
    clock.advance(timedelta(hours=1, microseconds=1))
    assert allowed(lambda: it.may_send_link(HERE), 50) == 3


def test_each_is_counted_by_itself() -> None:
    """
    Clients, what is asked, and organisations.
    """
    storage, limits = MemoryStorage(), Limits(**dict.fromkeys(BY_CLIENT, "3/hour"))
    it = limiter(limits, storage)
    other = Limiter.of(limits, organisation="other", storage=storage, clock=FrozenClock(), secret=SECRET)
    for each in (it, other):
        for client in (HERE, THERE):
            assert allowed(partial(each.may_try_digits, client), 9) == 3
            assert allowed(partial(each.may_miss, client), 9) == 3
            assert allowed(partial(each.may_send_link, client), 9) == 3


def test_clients_without_an_address_are_not_counted_as_one() -> None:
    """
    Behind a socket that has none, the first few would lock out everybody.
    """
    it = limiter(Limits(new_links="3/hour"))
    assert allowed(lambda: it.may_try_digits("") and it.may_miss(""), 99) == 99
    assert allowed(lambda: it.may_send_link(""), 9) == 3


def test_the_counters_name_nobody() -> None:
    """
    Nor does the same person have the same name under another key.
    """
    storage, again = MemoryStorage(), MemoryStorage()
    for store, secret in ((storage, SECRET), (again, b"another")):
        Limiter.of(Limits(), organisation="acme", storage=store, clock=FrozenClock(), secret=secret).may_send_link(HERE)
    assert [2, 2] == [len(store._state.counters) for store in (storage, again)]
    assert not storage._state.counters.keys() & again._state.counters.keys()
    assert all(len(name) == 32 for name in storage._state.counters)
    assert HERE not in repr(storage._state)


def test_many_misses_are_told_once_in_a_window(caplog: pytest.LogCaptureFixture) -> None:
    """
    A warning and no more: whoever misses for the first time is still told so in peace.
    """
    clock = FrozenClock()
    it = limiter(Limits(misses="3/hour; 5/day"), clock=clock)
    told = []
    for n in range(9):
        assert it.may_miss(f"192.0.2.{n}")
        told.append([record.__dict__["limit"] for record in caplog.records])
        caplog.clear()
    assert told == [[], [], [], ["3 per 1 hour"], [], ["5 per 1 day"], [], [], []]
    clock.advance(timedelta(hours=1, microseconds=1))
    assert allowed(lambda: it.may_miss(HERE), 9) == 9
    assert [record.levelname for record in caplog.records] == ["WARNING"]


@pytest.mark.parametrize("places", [1, 100])
def test_nothing_is_written_beyond_the_limits(tmp_path: Path, places: int) -> None:
    """
    Of links that open nothing, of new links for strangers, and of their messages: the store grows no further, however
    often anybody tries, from one place or from many.
    """
    path = tmp_path / "optly.jsonl"
    clock = FrozenClock()
    manager = world(FileStorage(path), clock=clock).manager
    limits = Limits(misses="20/hour", misses_by_client="10/hour", new_links="10/hour", new_links_by_client="5/hour")
    portal = manager.portal(limits=limits)
    form = (("content-type", "application/x-www-form-urlencoded"),)

    def grown() -> int:
        before = path.stat().st_size
        for number in range(100):
            place = f"192.0.{number % places}.1"
            portal.handle(Request(method="GET", path=f"/l/{number:026x}", remote_addr=place))
            typed = f"address=p{number}@example.com".encode()
            portal.handle(Request(method="POST", path="/new-link", headers=form, body=typed, remote_addr=place))
        return path.stat().st_size - before

    assert grown() > 0
    manager.deliver()
    assert {} == manager.backlog()
    assert 0 == grown()
    manager.close()


@pytest.mark.parametrize(
    "wrong",
    ["", "3", "3/", "many/day", "3/fortnight", "-3/day", "3/day; ", "0/day", "3/367 days", f"3/{'9' * 30} days", 3],
)
@pytest.mark.parametrize("name", [field.name for field in attrs.fields(Limits) if field.name != "store"])
def test_a_limit_that_cannot_be_read_is_refused(name: str, wrong: Any) -> None:
    """
    When it is set, and by its name.
    """
    with pytest.raises(ConfigurationError, match=rf"Limits\.{name} must be such as"):
        Limits(**{name: wrong})


@given(amount=st.integers(1, 99), hours=st.integers(1, 99), tried=st.integers(0, 120))
def test_no_more_is_allowed_than_the_limit_says(amount: int, hours: int, tried: int) -> None:
    """
    Whatever it says, in each of two windows.
    """
    clock = FrozenClock()
    it = limiter(Limits(digits_by_client=f"{amount}/{hours} hours"), clock=clock)
    for _ in range(2):
        assert allowed(lambda: it.may_try_digits(HERE), tried) == min(amount, tried)
        clock.advance(timedelta(hours=hours) + TICK)


# ---- where it is counted


@pytest.fixture(params=["memory", "file", "sqlite", POSTGRESQL, MYSQL])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """
    Every store that is shipped.
    """
    with ExitStack() as stack:
        match request.param:
            case "memory":
                yield MemoryStorage
            case "file":
                yield partial(FileStorage, tmp_path / "optly.jsonl")
            case kind:
                yield partial(SQLStorage, stack.enter_context(database(kind, tmp_path)))


def test_threads_count_together(opener: Opener) -> None:
    """
    Of many that ask at once, exactly as many as the limit says are allowed.
    """
    storage = opener()
    try:
        it = limiter(Limits(digits_by_client="25/hour"), storage)
        assert sum(at_once(8, lambda _: allowed(lambda: it.may_try_digits(HERE), 10))) == 25
    finally:
        storage.close()


@pytest.mark.slow
@pytest.mark.parametrize("opener", ["sqlite", POSTGRESQL, MYSQL], indirect=True)
def test_processes_count_together(opener: Opener) -> None:
    """
    All that are allowed make up the limit, in both of its windows.
    """
    opener().close()
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        work = [pool.submit(ask_often, opener, Limits(digits_by_client="50/minute; 40/hour"), 40) for _ in range(3)]
        assert sum(done.result() for done in work) == 40


@pytest.fixture
def redis(needs_server: None) -> str:
    """
    The address of a Redis. What is counted there expires by itself.
    """
    url = "redis://127.0.0.1:6379"
    reached(url)
    try:
        there = storage_from_string(url).check()
    except LimitsConfigurationError:
        missing("the client of Redis", "pip install redis")
    if not there:
        missing("Redis", "start one on 127.0.0.1:6379")
    return url


@pytest.mark.slow
def test_redis_counts_for_all_processes(redis: str) -> None:
    """
    Through the library's own storage, and not in the manager's store.
    """
    limits, client = Limits(digits_by_client="40/hour", store=redis), os.urandom(8).hex()
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        work = [pool.submit(ask_often, MemoryStorage, limits, 30, client) for _ in range(3)]
        assert sum(done.result() for done in work) == 40
    storage = MemoryStorage()
    assert not limiter(limits, storage).may_try_digits(client)
    assert storage._state.counters == {}


@pytest.mark.parametrize("store", [Counters(), "memory://"], ids=["made", "named"])
def test_a_storage_of_the_host_counts(store: Any) -> None:
    """
    One it made itself, or that the library makes of an address.
    """
    it = limiter(Limits(new_links_by_client="3/hour", store=store))
    assert allowed(lambda: it.may_send_link(HERE), 9) == 3


@pytest.mark.parametrize(
    "store", ["nowhere://secret", "redis://:secret@127.0.0.1:port", "async+memory://secret", "secret", object(), 3]
)
def test_a_store_that_there_is_not_is_refused(store: Any) -> None:
    """
    When the pages are made; its address, which may hold a password, is not repeated.
    """
    limits = Limits(store=store)
    assert "secret" not in repr(limits)
    with pytest.raises(ConfigurationError, match=r"Limits\.store must be") as caught:
        limiter(limits)
    assert "secret" not in str(caught.value)


class Failing(MemoryStorage):
    def count(self, *_: object, **__: object) -> int:
        raise StorageUnavailableError("the database cannot be used")


@pytest.mark.server
def test_without_its_counters_no_link_is_sent_and_all_else_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """
    In the manager's store as in another; what failed is told in the log, and whom it was about is not.
    """
    away = "redis://127.0.0.1:1?socket_connect_timeout=1"
    for it in (limiter(Limits(), Failing()), limiter(Limits(store=away))):
        assert not it.may_send_link(HERE)
        assert it.may_try_digits(HERE)
        assert it.may_miss(HERE)
    assert {"StorageUnavailableError", "ConnectionError"} == {record.__dict__["error"] for record in caplog.records}
    assert not any(HERE in repr(record.__dict__) for record in caplog.records)


def test_the_library_is_loaded_when_it_is_needed() -> None:
    """
    And not with the pages.
    """
    script = "import sys, optly.portal, optly.portal.limits; print('limits' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


# ---- whose request it is


def came_through(*claimed: str, remote: str = HERE) -> Request:
    headers = tuple(("x-forwarded-for", value) for value in claimed)
    return Request(method="GET", path="/", headers=headers, remote_addr=remote)


addresses = st.ip_addresses(v=4).map(str)
nonsense = st.text(st.characters(exclude_characters=",", max_codepoint=255), max_size=20).filter(
    lambda text: text.count(".") != 3 and ":" not in text
)


@given(claimed=st.lists(addresses | nonsense), remote=addresses)
def test_a_header_is_not_believed_without_a_proxy(claimed: list[str], remote: str) -> None:
    """
    It is the other end of the connection, whatever anybody writes.
    """
    assert client_address(came_through(*claimed, remote=remote), 0) == remote


@given(
    forged=st.lists(addresses | nonsense),
    real=addresses,
    later=st.lists(addresses | nonsense, max_size=4),
    data=st.data(),
)
def test_what_stands_to_the_left_is_not_looked_at(
    forged: list[str], real: str, later: list[str], data: st.DataObject
) -> None:
    """
    The proxies that are trusted add what stands to the right, in one header or in several.
    """
    whole = [*forged, real, *later]
    cut = data.draw(st.integers(0, len(whole)))
    headers = [separator.join(part) for separator, part in ((", ", whole[:cut]), (",", whole[cut:])) if part]
    assert client_address(came_through(*headers), len(later) + 1) == real


@given(claimed=st.lists(addresses, max_size=3), more=st.integers(1, 3))
def test_a_header_that_is_too_short_is_not_believed(claimed: list[str], more: int) -> None:
    """
    Then the request did not come through all of the proxies.
    """
    assert client_address(came_through(*claimed), len(claimed) + more) == HERE


@given(claimed=nonsense)
def test_a_header_that_names_no_address_is_not_believed(claimed: str) -> None:
    """
    It is then the proxy that is counted.
    """
    assert client_address(came_through(claimed), 1) == HERE


@given(network=st.integers(0, 2**64 - 1), one=st.integers(0, 2**64 - 1), other=st.integers(0, 2**64 - 1))
def test_whoever_has_a_network_is_one_client(network: int, one: int, other: int) -> None:
    """
    Every address of the first 64 bits is counted as one, and no other.
    """
    first, second, third = (
        client_address(came_through(remote=str(IPv6Address(number))), 0)
        for number in ((network << 64) + one, (network << 64) + other, ((network ^ 1) << 64) + one)
    )
    if IPv6Address((network << 64) + one).ipv4_mapped or IPv6Address((network << 64) + other).ipv4_mapped:
        return
    assert first == second != third
    assert IPv6Network(first).prefixlen == 64


@given(address=st.ip_addresses(v=4))
def test_an_address_has_one_name_however_it_is_written(address: IPv4Address) -> None:
    """
    With a port, or as one of IPv6 that stands for it.
    """
    for written in (f"{address}", f"{address}:443", f"::ffff:{address}", f"[::ffff:{address}]:443", f" {address} "):
        assert client_address(came_through(written), 1) == str(address)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("2001:db8::1", "2001:db8::/64"),
        ("[2001:db8::1]", "2001:db8::/64"),
        ("[2001:DB8::1]:443", "2001:db8::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("unknown", HERE),
        ("_hidden", HERE),
        ("[2001:db8::1", HERE),
        ("192.0.2.300", HERE),
        ("", HERE),
    ],
)
def test_a_claim_is_read_as_proxies_write_it(written: str, name: str) -> None:
    """
    Of what is no address, nothing is believed.
    """
    assert client_address(came_through(written), 1) == name


def test_another_kind_of_connection_keeps_its_name() -> None:
    """
    Such as a socket of the same machine, or none at all.
    """
    assert client_address(came_through(remote="unix"), 1) == "unix"
    assert client_address(came_through(remote=""), 0) == ""
