"""
The main paths beside their floors: ``python benchmarks/foundation.py``.

An answer is measured against the bare inserts of the same rows through ``sqlite3`` with the same durability; `check`
against the bare queries of the same keys; a stop link against bare HMAC; ``import optly`` against a bare interpreter.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import Measured, measure, options, table

from optly import Channel, ConsentManager, Keys, Organisation, Purpose, Solicited
from optly._operations.setup import system_clock
from optly.backends import MemoryBackend
from optly.links import StopLinks, StopScope
from optly.protocols import Commit, Storage
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.messages import code_in

KEYS = Keys(current="a key that only measures")
ANSWERS = {(Channel.EMAIL, "offers"): True, (Channel.SMS, "offers"): False}


def manager(storage: Storage, backend: MemoryBackend) -> ConsentManager:
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds", email="a@example.com"),
        purposes=[Purpose(key="offers", title="Offers")],
        storage=storage,
        backends=[backend],
        keys=KEYS,
        base_url="https://acme.example.com/my",
    )


def asked(made: ConsentManager, backend: MemoryBackend, count: int) -> list[str]:
    """
    Put *count* contacts on record, ask each, and return the codes.
    """
    for number in range(count):
        contact = made.add_contact(email=f"p{number}@example.com", phone=f"+4479{number:08}"[:13])
        made.request_consent(
            contact,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL, Channel.SMS],
            purposes=["offers"],
            basis=Solicited(how="form", at=system_clock()),
        )
    made.deliver()
    return [code_in(message) for message in backend.outbox]


SCHEMA = """
CREATE TABLE subjects (subject_id BLOB PRIMARY KEY, version INT, head BLOB, snapshot BLOB) WITHOUT ROWID;
CREATE TABLE events (subject_id BLOB, seq INT, payload BLOB, hash BLOB, PRIMARY KEY (subject_id, seq));
CREATE TABLE personal (subject_id BLOB, slot TEXT, salt BLOB, value BLOB, PRIMARY KEY (subject_id, slot));
CREATE TABLE suppressions (idkey BLOB, scope TEXT, at INT, key_version TEXT, PRIMARY KEY (idkey, scope));
CREATE TABLE outbox (subject_id BLOB, message_id BLOB, due_at INT, body BLOB, PRIMARY KEY (subject_id, message_id));
"""


def connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


class Recording(MemoryStorage):
    """
    Keeps the commits, so that the floor writes the very same rows.
    """

    def __init__(self) -> None:
        super().__init__()
        self.commits: list[Commit] = []

    def append(self, commits: Any) -> None:
        self.commits.extend(commits)
        super().append(commits)


def bare_inserts(directory: Path, count: int) -> Any:
    """
    Return what inserts the rows of one answer after the other with bare sqlite3.
    """
    recording, backend = Recording(), MemoryBackend()
    made = manager(recording, backend)
    codes = asked(made, backend, count)
    recording.commits.clear()
    for code in codes:
        made.answer(code, ANSWERS)
    connection = connect(directory / "floor.db")
    connection.executescript(SCHEMA)
    for commit in recording.commits:
        connection.execute("INSERT INTO subjects VALUES (?, ?, ?, ?)", (commit.subject, commit.expected, b"", b""))
    commits = iter(recording.commits)

    def insert(repeat: int) -> None:
        for commit in itertools.islice(commits, repeat):
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(
                "UPDATE subjects SET version = ?, head = ?, snapshot = ? WHERE subject_id = ? AND version = ?",
                (commit.entries[-1].seq, commit.head, commit.snapshot, commit.subject, commit.expected),
            )
            connection.executemany(
                "INSERT INTO events VALUES (?, ?, ?, ?)",
                [(commit.subject, entry.seq, entry.payload, entry.hash) for entry in commit.entries],
            )
            connection.executemany(
                "INSERT INTO personal VALUES (?, ?, ?, ?)",
                [(commit.subject, slot, o.salt, o.value.encode()) for slot, o in commit.openings.items()],
            )
            connection.executemany(
                "INSERT INTO suppressions VALUES (?, ?, ?, ?)",
                [(row.idkey, row.scope, 0, row.key_version) for row in commit.suppressions],
            )
            connection.executemany(
                "INSERT INTO outbox VALUES (?, ?, ?, ?)",
                [(message.subject, message.message, 0, message.body) for message in commit.queue],
            )
            connection.execute("COMMIT")

    return insert


def answer_on_sqlite(directory: Path, repeat: int, rounds: int) -> Measured:
    count = repeat * rounds + repeat
    floor = bare_inserts(directory, count)
    backend = MemoryBackend()
    made = manager(SQLStorage(f"sqlite:///{directory / 'path.db'}"), backend)
    codes = iter(asked(made, backend, count))

    def answer(repeat: int) -> None:
        for code in itertools.islice(codes, repeat):
            made.answer(code, ANSWERS)

    row = measure("one answer, SQLite", floor, answer, repeat=repeat, rounds=rounds, aim="at most 2")
    made.close()
    return row


def check_on_sqlite(directory: Path, repeat: int) -> Measured:
    """
    The floor looks up the address, its suppressions and the standing, with the keyed name made and the row read.
    """
    backend = MemoryBackend()
    path = directory / "check.db"
    made = manager(SQLStorage(f"sqlite:///{path}"), backend)
    for code in asked(made, backend, 1000):
        made.answer(code, ANSWERS)
    addresses = [f"p{number}@example.com" for number in range(1000)]
    floor = connect(path)
    pepper = KEYS.all[0].derive("pepper/1")
    names = [row[1] for row in floor.execute("PRAGMA table_info(optly_heads)")]
    assert {"subject_id", "snapshot"} <= set(names), names

    def bare(repeat: int) -> None:
        for number in range(repeat):
            message = f"acme\0email\0{addresses[number % 1000]}".encode()
            idkey = hmac.digest(pepper, message, "sha256")[:16]
            (subject,) = floor.execute("SELECT subject_id FROM optly_identifiers WHERE idkey = ?", (idkey,)).fetchone()
            floor.execute("SELECT scope, at FROM optly_suppressions WHERE idkey = ?", (idkey,)).fetchall()
            floor.execute("SELECT snapshot FROM optly_heads WHERE subject_id = ?", (subject,)).fetchone()

    def check(repeat: int) -> None:
        for number in range(repeat):
            assert made.check(addresses[number % 1000], Channel.EMAIL, "offers")

    row = measure("check(), SQLite", bare, check, repeat=repeat, aim="at most 3")
    made.close()
    return row


def check_in_memory(repeat: int) -> Measured:
    backend = MemoryBackend()
    made = manager(MemoryStorage(), backend)
    for code in asked(made, backend, 1000):
        made.answer(code, ANSWERS)
    addresses = [f"p{number}@example.com" for number in range(1000)]
    known = dict.fromkeys(addresses, True)

    def bare(repeat: int) -> None:
        for number in range(repeat):
            assert known[addresses[number % 1000]]

    def check(repeat: int) -> None:
        for number in range(repeat):
            assert made.check(addresses[number % 1000], Channel.EMAIL, "offers")

    return measure("check(), memory (floor: a dict)", bare, check, repeat=repeat, aim="at most 25 µs")


def stop_link(repeat: int) -> Measured:
    links = StopLinks.of(KEYS)
    scope = StopScope(contact="0" * 32, line=1, channel=Channel.EMAIL, purpose="offers")
    key = KEYS.all[0].derive("stop/1")

    def bare(repeat: int) -> None:
        for _ in range(repeat):
            signature = hmac.new(key, b"0" * 60, hashlib.sha256).digest()
            assert hmac.compare_digest(signature, hmac.new(key, b"0" * 60, hashlib.sha256).digest())

    def sign(repeat: int) -> None:
        for _ in range(repeat):
            links.read(links.sign(scope))

    return measure("sign and verify a stop link", bare, sign, repeat=repeat)


def importing(rounds: int) -> Measured:
    # As an installed package is imported: from bytecode, which the first run writes.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

    def python(code: str) -> Any:
        def run(repeat: int) -> None:
            for _ in range(repeat):
                subprocess.run([sys.executable, "-c", code], check=True, env=environment)

        return run

    row = measure("import optly", python("pass"), python("import optly"), repeat=1, rounds=rounds)
    extra = (row.path - row.floor) * 1000
    return Measured(name=row.name, floor=row.floor, path=row.path, aim=f"under 150 ms more; {extra:.0f} ms")


def main() -> None:
    rounds, repeat = (1, 2) if options(__doc__ or "").small else (9, 5000)
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        rows = [
            answer_on_sqlite(directory, repeat=min(repeat, 100), rounds=rounds),
            check_on_sqlite(directory, repeat=min(repeat, 2000)),
            check_in_memory(repeat),
            stop_link(repeat),
            importing(rounds),
        ]
    print(table(rows))


if __name__ == "__main__":
    main()
