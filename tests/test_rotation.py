"""
Rotating keys in two steps while old and new processes run side by side, and what a process does that was left behind.
"""

from __future__ import annotations

import itertools
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import attrs
import pytest
from portal.sessions import digits_in, link_of
from portal.visitor import FORM, Visitor
from world import ACME, EMAIL, KEYS, PHONE, World, world

from optly import Channel, Contact, Keys
from optly.backends.verp import ReturnPath
from optly.errors import ConfigurationError, KeyMissingError, LinkInvalidError, WrongDigitsError
from optly.protocols import MessageState, Storage
from optly.rules import Reason
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in, stop_token_in

OLD, NEW = KEYS.current, "the key that comes after it"
BEFORE = Keys(current=OLD)
KNOWN = Keys(current=OLD, previous=[NEW])  # the first step: every process knows the new key
USED = Keys(current=NEW, previous=[OLD])  # the second step: every process uses it
# The pairs of processes that run side by side while the two steps are rolled out, in both directions.
PAIRS = [*itertools.permutations([BEFORE, KNOWN]), *itertools.permutations([KNOWN, USED])]


@attrs.frozen
class Shop:
    """
    Opens the store of a shop once more, as each of its processes does.
    """

    open: Callable[[], Storage]
    clock: FrozenClock = attrs.field(factory=FrozenClock)

    def process(self, keys: Keys) -> World:
        return world(self.open(), keys=keys, clock=self.clock)


@pytest.fixture(params=["memory", "sqlite"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Shop]:
    opened: list[Storage] = []
    memory = MemoryStorage()

    def opens() -> Storage:
        opened.append(memory if request.param == "memory" else SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}"))
        return opened[-1]

    yield Shop(opens)
    for storage in opened:
        storage.close()


@pytest.fixture(params=PAIRS, ids=["before-known", "known-before", "known-used", "used-known"])
def pair(request: pytest.FixtureRequest, shop: Shop) -> tuple[World, World]:
    """
    Two processes that run side by side: the first does something, and the second has to know of it.
    """
    one, other = (shop.process(keys) for keys in request.param)
    return one, other


def test_what_one_process_adds_the_other_finds(pair: tuple[World, World]) -> None:
    """
    By address and by the host's own reference, and adds nobody twice.
    """
    one, other = pair
    ada = one.add(reference="customer 1")
    assert [ada] * 3 == [other.manager.find(EMAIL), other.manager.find_reference("customer 1"), other.add()]
    bob = one.manager.add_contact(email="bob@example.com")
    assert bob == other.manager.add_contact(email="bob@example.com")


def test_what_one_process_stops_the_other_does_not_send(pair: tuple[World, World]) -> None:
    """
    An address that was erased, and a domain whose owner objected for everyone there.
    """
    one, other = pair
    ada = one.add()
    one.manager.erase(ada)
    other.add()
    assert Reason.SUPPRESSED is other.manager.check(EMAIL, Channel.EMAIL, "offers").reason
    assert Reason.SUPPRESSED is other.manager.check(PHONE, Channel.LIVE_CALL, "offers").reason
    one.manager.record_domain_objection("acme.example", purposes=["offers"], how="letter")
    assert Reason.SUPPRESSED is other.manager.check("bob@mail.acme.example", Channel.EMAIL, "offers").reason


def test_links_and_one_time_codes_of_one_process_work_at_the_other(pair: tuple[World, World]) -> None:
    """
    A worker sends them, and the pages of another process read them.
    """
    one, other = pair
    ada = one.add()
    other.agreed(ada)
    one.manager.send(ada, "email", "offers", "Everything must go.")
    one.manager.deliver()
    session = other.manager.self_service.request_code(link_of(other, ada))
    one.manager.deliver()
    assert other.manager.self_service.step_up(session, digits_in(one.emails.outbox)[-1])
    message = next(message for message in one.emails.outbox if "Everything must go" in message.text)
    other.later()
    assert other.manager.self_service.open_stop(stop_token_in(message)).contact == ada.id
    other.manager.self_service.stop_by_token(stop_token_in(message))
    assert not one.allowed()


def test_either_process_seals_and_verifies_what_the_other_sealed(pair: tuple[World, World]) -> None:
    """
    The log goes on under either key, and so does the evidence.
    """
    one, other = pair
    one.agreed(one.add())
    kept = one.manager.seal()
    ada = other.add()
    other.manager.withdraw(ada)
    other.manager.seal()
    one.later()
    one.manager.withdraw(ada)
    one.manager.seal()
    assert kept is not None
    for process in pair:
        assert process.manager.verify(checkpoint=kept.note)
        assert process.manager.evidence(ada, since=kept.note).verify(public_keys=one.manager.public_keys)


def test_a_bounce_is_known_by_either_key() -> None:
    """
    A return path that one process made is read by another.
    """
    for one, other in PAIRS[2:]:
        path = ReturnPath("bounces@acme.example.com", one).address_for("0" * 31 + "1", "0" * 31 + "2")
        assert ReturnPath("bounces@acme.example.com", other).read(path) == ("0" * 31 + "1", "0" * 16)


# ---- a process that was left behind


@pytest.fixture
def behind(shop: Shop) -> tuple[World, World]:
    """
    A process that knows only the old key, with Ada on record; and one that came up since and uses the new one.
    """
    stale = shop.process(BEFORE)
    stale.agreed(stale.add(reference="customer 1"))
    return stale, shop.process(USED)


def found(w: World) -> Contact:
    """
    Return the contact that both processes know.
    """
    ada = w.manager.find_reference("customer 1")
    assert ada is not None
    return ada


LOOKUPS: dict[str, Callable[[World], object]] = {
    "check": lambda w: w.manager.check("bob@example.com", "email", "offers"),
    "a call": lambda w: w.manager.check("+441134960000", "live_call", "offers"),
    "verdicts": lambda w: list(w.manager.verdicts(["bob@example.com"], "email", "offers")),
    "screen": lambda w: list(w.manager.screen(["bob@example.com"], "email", "offers")),
    "find": lambda w: w.manager.find("bob@example.com"),
    "holders": lambda w: w.manager.holders("bob@example.com"),
    "find_reference": lambda w: w.manager.find_reference("customer 2"),
    "add_contact": lambda w: w.manager.add_contact(email="bob@example.com"),
    "add_contact by reference": lambda w: w.manager.add_contact(reference="customer 2", email="bob@example.com"),
    "import_objections": lambda w: w.manager.import_objections(["bob@example.com"], "email", how="a list"),
    "send": lambda w: w.manager.send(found(w), "email", "offers", "Hello."),
}


@pytest.mark.parametrize("lookup", LOOKUPS.values(), ids=LOOKUPS.keys())
def test_a_process_left_behind_looks_nothing_up(behind: tuple[World, World], lookup: Callable[[World], object]) -> None:
    """
    It could not see what the other one wrote, so it says so instead of missing a stop; it recovers when it is
    restarted, and the record is as it was.
    """
    stale, fresh = behind
    fresh.manager.erase(fresh.manager.add_contact(email="bob@example.com", reference="customer 2"))
    before = len(list(fresh.storage.subjects("acme")))
    with pytest.raises(KeyMissingError, match="restart"):
        lookup(stale)
    assert before == len(list(fresh.storage.subjects("acme")))
    assert Reason.SUPPRESSED is fresh.manager.check("bob@example.com", "email", "offers").reason


def test_a_process_left_behind_records_what_needs_no_look_up(behind: tuple[World, World]) -> None:
    """
    No stop waits for its restart if it names the contact or comes through a link that it can read, unless the contact
    was changed with the new key: nobody can tell there whether what it would add to is as it was written. What the page
    shows afterwards may need a look-up.
    """
    stale, fresh = behind
    ada = found(fresh)
    stale.later()
    stale.manager.withdraw(ada)
    assert not fresh.allowed()
    for stop in (
        lambda: stale.manager.record_objection(ada),
        lambda: stale.manager.stop_by_token(
            stop_token_in(next(m for m in stale.emails.outbox if "List-Unsubscribe" in m.headers))
        ),
        lambda: stale.manager.stop(code_in(stale.emails.outbox[0])),
    ):
        version = fresh.manager.standing(ada).version
        fresh.later()
        with suppress(KeyMissingError):
            stop()
        assert fresh.manager.standing(ada).version > version
    fresh.manager.change_details(ada, name="Ada Byron")
    with pytest.raises(KeyMissingError):
        stale.manager.record_objection(ada)
    fresh.manager.record_objection(ada)


def test_a_process_left_behind_does_not_call_a_link_of_ours_none(behind: tuple[World, World]) -> None:
    """
    The link was made with the new key. One that nobody made is none once it has been restarted.
    """
    stale, fresh = behind
    ada = found(fresh)
    token = fresh.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    for read in (stale.manager.open_stop, stale.manager.stop_by_token):
        with pytest.raises(KeyMissingError):
            read(token)
    with pytest.raises(LinkInvalidError):
        fresh.manager.open_stop(f"{token}x")
    session = stale.manager.self_service.request_code(link_of(stale, ada))
    fresh.manager.deliver()
    with pytest.raises(KeyMissingError):
        stale.manager.self_service.step_up(session, digits_in(fresh.emails.outbox)[-1])
    with pytest.raises(WrongDigitsError):
        fresh.manager.self_service.step_up(session, "000000")
    assert fresh.manager.self_service.step_up(session, digits_in(fresh.emails.outbox)[-1])


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_pages_of_a_process_left_behind_ask_to_come_back(behind: tuple[World, World], method: str) -> None:
    """
    They are busy, which is what mail programs and people try again after, and not "no such link".
    """
    stale, fresh = behind
    ada = found(fresh)
    path = "/u/" + fresh.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    body = b"List-Unsubscribe=One-Click" if method == "POST" else b""
    seen = Visitor(stale.manager.portal()).ask(method, path, FORM, body=body)
    assert 503 == seen.status
    assert 200 == Visitor(fresh.manager.portal()).ask(method, path, FORM, body=body).status


def test_a_worker_left_behind_sends_nothing_and_buries_nothing(behind: tuple[World, World]) -> None:
    """
    What was due stays queued, with nothing in doubt, and goes out by another process.
    """
    stale, fresh = behind
    ada = found(fresh)
    fresh.manager.deliver()
    fresh.manager.send(ada, "email", "offers", "Everything must go.")
    sent = len(stale.emails.outbox)
    with pytest.raises(KeyMissingError):
        stale.manager.deliver()
    assert sent == len(stale.emails.outbox)
    assert fresh.storage.backlog("acme").get(MessageState.QUEUED) == 1
    assert MessageState.SENDING not in fresh.storage.backlog("acme")
    fresh.later()
    assert fresh.manager.deliver().accepted == 1


def test_a_process_is_left_behind_by_every_key_it_lacks(shop: Shop) -> None:
    """
    Also by the one after the next, and by one that came into use beside an older key only.
    """
    stale = shop.process(BEFORE)
    known = shop.process(KNOWN)
    shop.process(USED)
    assert known.manager.find(EMAIL) is None
    newest = Keys(current="the key after the next one", previous=[OLD, NEW])
    shop.process(newest)
    for process in (stale, known):
        with pytest.raises(KeyMissingError):
            process.manager.find(EMAIL)
    assert shop.process(newest).manager.find(EMAIL) is None


def test_marks_are_no_stops(shop: Shop) -> None:
    """
    What tells of keys suppresses nobody, is not found under another organisation, and is there again after a restart.
    """
    shop.process(BEFORE)
    used = shop.process(USED)
    ada = used.add()
    assert used.manager.standing(ada).stops == ()
    assert Reason.NO_CONSENT is used.manager.check(EMAIL, Channel.EMAIL, "offers").reason
    beta = world(used.storage, keys=BEFORE, organisation=attrs.evolve(ACME, key="beta", name="Beta Ltd"))
    assert beta.manager.find(EMAIL) is None


def test_a_file_keeps_the_marks(tmp_path: Path) -> None:
    """
    They are replayed with everything else.
    """
    for keys in (BEFORE, USED, USED):
        storage = FileStorage(tmp_path / "optly.jsonl")
        process = world(storage, keys=keys)
        assert process.manager.find(EMAIL) is None
        marks = storage.find(BEFORE.marks("acme")).suppressions
        storage.close()
    assert [USED.all[0].version] == [mark.key_version for mark in marks]


def test_a_process_without_a_key_of_the_record_does_not_start(shop: Shop) -> None:
    """
    Whichever it lacks.
    """
    shop.process(BEFORE)
    shop.process(USED)
    for keys in (BEFORE, Keys(current=NEW), Keys(current="another key altogether")):
        with pytest.raises(ConfigurationError, match="missing"):
            shop.process(keys)


def test_a_key_that_is_only_known_is_not_yet_used(shop: Shop) -> None:
    """
    So the first step leaves no process behind, and may be taken back.
    """
    before = shop.process(BEFORE)
    known = shop.process(KNOWN)
    known.agreed(known.add())
    assert before.allowed()
    assert shop.process(BEFORE).allowed()


def test_each_key_says_how_far_it_has_come(shop: Shop) -> None:
    """
    By its version and its public key, without its secret.
    """

    def told(process: World) -> list[tuple[bool, bool]]:
        keys = process.manager.known_keys()
        assert [key.public_key for key in keys] == list(process.manager.public_keys)
        assert OLD not in repr(keys)
        return [(key.current, key.used) for key in keys]

    assert [(True, True)] == told(shop.process(BEFORE))
    known = shop.process(KNOWN)
    assert [(True, True), (False, False)] == told(known)
    assert [(True, True), (False, True)] == told(shop.process(USED))
    assert [(True, True), (False, True)] == told(known)


PROCESS = """
import sys
sys.path.insert(0, sys.argv[3])
from world import EMAIL, world
from optly import Keys
from optly.errors import KeyMissingError
from optly.storage import SQLStorage

w = world(SQLStorage(sys.argv[1]), keys=Keys(current=sys.argv[2]))
for line in sys.stdin:
    try:
        print(w.manager.check(EMAIL, "email", "offers").reason, flush=True)
    except KeyMissingError:
        print("restart me", flush=True)
"""


def test_a_running_process_notices_at_once(tmp_path: Path) -> None:
    """
    It has looked up the address before; from the moment a new key is used, it says that it must be restarted.
    """
    url = f"sqlite:///{tmp_path / 'optly.db'}"
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS, url, OLD, str(Path(__file__).parent)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def asked() -> str:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        return process.stdout.readline().strip()

    with process:
        assert "not_on_record" == asked()
        known = world(SQLStorage(url), keys=KNOWN)
        assert "not_on_record" == asked()
        used = world(SQLStorage(url), keys=USED)
        assert "restart me" == asked()
        assert known.manager.check(EMAIL, "email", "offers").reason == "not_on_record"
        process.communicate()
    for running in (known, used):
        running.storage.close()
