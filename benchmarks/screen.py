"""
Screening a list, beside the plain join: ``python benchmarks/screen.py``.

Of the contacts, seven in ten agreed, one withdrew, one objected, and one did neither. The list has as many addresses
again that nobody has. The floor makes the keyed hash of each address and gets the read model of its contact in the
fastest join that the bare driver has, and looks at nothing. Floor, `verdicts` and `screen` take turns; `check` is asked
about a part of the list. Counted is the time of this process alone, because the machine may be busy, and beside it the
time on the clock. Memory is the peak that Python allocates, for a quarter of the list and for all of it.
``--contacts`` sets how many contacts there are, and ``--profile`` shows where the time goes.
"""

from __future__ import annotations

import cProfile
import hmac
import random
import sqlite3
import statistics
import tempfile
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import pytest
from measure import options
from verify import BATCH, KEYS, Copied, copy, manager_of

from optly import Act, Channel, ConsentManager, Subscriber, Wording
from optly.protocols import Commit
from optly.storage import SQLStorage
from optly.testing.clock import FrozenClock

from services import fresh_database  # isort: skip  # found by verify

WORDS: Final = Wording(text="May Acme Ltd email you about offers and discounts?", yes="Yes, email me about offers")
OFFERS: Final = (Channel.EMAIL, "offers")
DOMAINS: Final = 500
JOIN: Final = (
    "SELECT i.idkey, h.snapshot FROM optly_identifiers i JOIN optly_heads h ON h.subject_id = i.subject_id "
    "WHERE i.idkey "
)


def recorded(count: int) -> tuple[list[list[Commit]], FrozenClock]:
    """
    Record contacts in memory, and return the commits of each.
    """
    storage, clock = Copied(), FrozenClock()
    manager = manager_of(storage, clock)
    for number in range(count):
        clock.advance(timedelta(seconds=1, microseconds=number))
        contact = manager.add_contact(email=address("p", number), subscriber=Subscriber.INDIVIDUAL)
        if number % 10 < 8:
            manager.record_consent(
                contact,
                channels=[OFFERS[0]],
                purposes=[OFFERS[1]],
                wording=WORDS,
                act=Act.TICKED_BOX,
                how="on the form of the shop",
                at=clock(),
            )
        if number % 10 == 7:
            manager.withdraw(contact, channels=[OFFERS[0]], purposes=[OFFERS[1]])
        if number % 10 == 8:
            manager.record_objection(contact)
    contacts: dict[bytes, list[Commit]] = {}
    for commit in storage.commits:
        contacts.setdefault(commit.subject, []).append(commit)
    return [*contacts.values()], clock


def address(name: str, number: int) -> str:
    return f"{name}{number}@d{number % DOMAINS}.example.com"


def idkeys(addresses: Sequence[str]) -> Iterator[list[bytes]]:
    """
    Yield the keyed hashes of addresses that are in their normal form already.
    """
    pepper = KEYS.all[0].derive("pepper/1")
    for start in range(0, len(addresses), BATCH):
        yield [
            hmac.digest(pepper, b"acme\0email\0" + each.encode(), "sha256")[:16]
            for each in addresses[start : start + BATCH]
        ]


def sqlite_floor(path: str) -> Callable[[Sequence[str]], object]:
    connection = sqlite3.connect(path)

    def join(addresses: Sequence[str]) -> None:
        for keys in idkeys(addresses):
            connection.execute(f"{JOIN} IN ({','.join('?' * len(keys))})", keys).fetchall()

    return join


def postgres_floor(url: str) -> Callable[[Sequence[str]], object]:
    import psycopg

    connection = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
    cursor = connection.cursor(binary=True)

    def join(addresses: Sequence[str]) -> None:
        for keys in idkeys(addresses):
            cursor.execute(f"{JOIN} = ANY(%s)", [keys]).fetchall()

    return join


def stores() -> Iterator[tuple[str, SQLStorage, Callable[[], Callable[[Sequence[str]], object]]]]:
    with tempfile.TemporaryDirectory() as directory:
        path = f"{directory}/optly.db"
        yield "SQLite", SQLStorage(f"sqlite:///{path}"), lambda: sqlite_floor(path)
    with suppress(pytest.skip.Exception), fresh_database("postgresql") as url:
        yield "PostgreSQL", SQLStorage(url), lambda: postgres_floor(url)


def peak(manager: ConsentManager, addresses: Sequence[str]) -> float:
    """
    Return the peak of the memory allocated by screening a list, in megabytes.
    """
    tracemalloc.start()
    for _ in manager.screen(addresses, *OFFERS):
        pass
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def rates(works: dict[str, Callable[[Sequence[str]], object]], addresses: Sequence[str], rounds: int) -> dict[str, Any]:
    """
    Return for each work the medians of how many addresses a second it takes, by its own time and by the clock.
    """
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for _ in range(rounds):
        for name, work in works.items():
            some = addresses[: len(addresses) // 20] if name == "check" else addresses
            own, clock = time.process_time(), time.perf_counter()
            work(some)
            taken[name].append((len(some) / (time.process_time() - own), len(some) / (time.perf_counter() - clock)))
    return {name: tuple(map(statistics.median, zip(*each, strict=True))) for name, each in taken.items()}


def main() -> None:
    read = options(
        __doc__ or "",
        contacts=("N", "how many contacts there are"),
        profile="show where the time goes",
    )
    count, rounds = int(read.contacts or (100 if read.small else 20_000)), 1 if read.small else 7
    held, clock = recorded(count)
    known = [address("p", number) for number in range(count)]
    half = known[: count // 2] + [address("q", number) for number in range(count // 2)]
    random.Random(1).shuffle(known)
    random.Random(1).shuffle(half)
    print(f"{count:,} contacts; addresses a second, by the time of this process (by the clock)")
    print("| store, list | plain join | verdicts | its ratio | screen | its ratio | check | MB, a quarter | MB, all |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|---:|")
    for store, storage, floor_of in stores():
        manager = manager_of(storage, clock)
        copy(held, storage)
        works: dict[str, Callable[[Sequence[str]], object]] = {
            "join": floor_of(),
            "verdicts": lambda some, m=manager: sum(m.verdicts(some, *OFFERS)),  # type: ignore[misc]
            "screen": lambda some, m=manager: sum(map(bool, m.screen(some, *OFFERS))),  # type: ignore[misc]
            "check": lambda some, m=manager: [m.check(each, *OFFERS) for each in some],  # type: ignore[misc]
        }
        if read.profile:
            cProfile.runctx("screen(known)", {}, {"screen": works["screen"], "known": known}, sort="tottime")
        for name, addresses in (("half known", half), ("all known", known)):
            found = rates(works, addresses, rounds)
            join = found["join"][0]
            cells = [f"{own:,.0f} ({clocked:,.0f})" for own, clocked in found.values()]
            for place, each in ((2, "verdicts"), (4, "screen")):
                cells.insert(place, f"{join / found[each][0]:.1f}")
            quarter = peak(manager, addresses[: len(addresses) // 4])
            print(f"| {store}, {name} | {' | '.join(cells)} | {quarter:.1f} | {peak(manager, addresses):.1f} |")
        manager.close()


if __name__ == "__main__":
    main()
