"""
Verifying the whole record, beside bare SHA-256 over the same payloads: ``python benchmarks/verify.py``.

Each contact has 12 events: added, and consents, withdrawals and objections in turn. They are recorded in memory and
copied into SQLite and PostgreSQL, where everything is sealed. The floor hashes each payload, already in memory, with the
hash before it. Memory is the peak that Python allocates while it verifies, for a quarter of the contacts and for all:
what matters is that it does not grow with them. ``--processes`` sets how many processes check, two unless it is given.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from measure import options

from optly import Act, Channel, ConsentManager, Keys, Organisation, Purpose, Subscriber, Wording
from optly.protocols import Commit, Storage
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.clock import FrozenClock

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from services import fresh_database

KEYS = Keys(current="a key that only measures")
EVENTS = 12
BATCH = 500
WORDS = Wording(text="May we email you offers?", yes="Yes, email me offers", no="No")


class Copied(MemoryStorage):
    """
    A store that keeps what was committed to it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Commit] = []

    def append(self, commits: Sequence[Commit]) -> None:
        super().append(commits)
        self.commits += commits


def manager_of(storage: Storage, clock: FrozenClock | None = None) -> ConsentManager:
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="Leeds", email="a@example.com"),
        purposes=[Purpose(key="offers", title="Offers")],
        storage=storage,
        keys=KEYS,
        base_url="https://acme.example.com/my",
        **({} if clock is None else {"clock": clock}),
    )


def recorded(count: int) -> list[list[Commit]]:
    """
    Return the commits of *count* contacts, by contact.
    """
    storage, clock = Copied(), FrozenClock()
    manager = manager_of(storage, clock)
    contacts = []
    for number in range(count):
        begun = len(storage.commits)
        contact = manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.INDIVIDUAL)
        for turn in itertools.cycle(range(3)):
            if sum(len(commit.entries) for commit in storage.commits[begun:]) >= EVENTS:
                break
            clock.advance(timedelta(minutes=1))
            if turn == 0:
                manager.record_consent(
                    contact,
                    channels=[Channel.EMAIL],
                    purposes=["offers"],
                    wording=WORDS,
                    act=Act.TICKED_BOX,
                    how="on the form of the shop",
                    at=clock(),
                )
            elif turn == 1:
                manager.withdraw(contact, channels=[Channel.EMAIL], purposes=["offers"])
            else:
                manager.record_objection(contact, channels=[Channel.EMAIL], purposes=["offers"])
        contacts.append(storage.commits[begun:])
    return contacts


def copy(contacts: Sequence[Sequence[Commit]], storage: Storage) -> None:
    for start in range(0, len(contacts), BATCH):
        for commits in itertools.zip_longest(*contacts[start : start + BATCH]):
            storage.append([commit for commit in commits if commit is not None])


def bare(payloads: Sequence[bytes]) -> float:
    """
    Return how many payloads a second can be hashed.
    """
    start, last = time.perf_counter(), bytes(32)
    for payload in payloads:
        last = hashlib.sha256(b"optly/e1\0" + last + payload).digest()
    return len(payloads) / (time.perf_counter() - start)


def rate(manager: ConsentManager, processes: int) -> float:
    start = time.perf_counter()
    found = manager.verify(processes=processes)
    assert found, found.problems[:3]
    return found.events / (time.perf_counter() - start)


def peak(manager: ConsentManager) -> float:
    """
    Return the peak of the memory allocated by a verification, in megabytes.
    """
    tracemalloc.start()
    assert manager.verify()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most / 1e6


def stores() -> Iterator[tuple[str, Storage]]:
    with tempfile.TemporaryDirectory() as directory:
        yield "SQLite", SQLStorage(f"sqlite:///{directory}/optly.db")
    with suppress(pytest.skip.Exception), fresh_database("postgresql") as url:
        yield "PostgreSQL", SQLStorage(url)


def main() -> None:
    read = options(
        __doc__ or "",
        processes=("N", "how many processes check the chains"),
        profile="show where the time goes in one process",
    )
    contacts = recorded(20 if read.small else 4000)
    processes, rounds = int(read.processes or 2), 1 if read.small else 5
    payloads = [entry.payload for commits in contacts for commit in commits for entry in commit.entries]
    print(f"{len(payloads):,} events, {sum(map(len, payloads)) / len(payloads):.0f} bytes each")
    print("| store | events a second, 1 process | … 2 processes | bare SHA-256 | MB, a quarter | MB, all |")
    print("|---|---:|---:|---:|---:|---:|".replace("2 processes", f"{processes} processes"))
    for name, storage in stores():
        manager = manager_of(storage)
        quarter = len(contacts) // 4
        copy(contacts[:quarter], storage)
        manager.seal()
        small = peak(manager)
        copy(contacts[quarter:], storage)
        manager.seal()
        if read.profile:
            import cProfile

            cProfile.runctx("manager.verify()", {}, {"manager": manager}, sort="tottime")
        found = [(rate(manager, 1), rate(manager, processes), bare(payloads)) for _ in range(rounds)]
        one, many, floor = (sorted(each)[rounds // 2] for each in zip(*found, strict=True))
        print(f"| {name} | {one:,.0f} | {many:,.0f} | {floor:,.0f} | {small:.1f} | {peak(manager):.1f} |")
        manager.close()


if __name__ == "__main__":
    main()
