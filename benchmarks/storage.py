"""
The stores beside their floors: ``python benchmarks/storage.py``.

An append writes one answer: two events, two personal values, the read model and one message. Its floor is the bare
statements for the same rows through the bare driver, in one transaction of the same durability. A look-up finds one
keyed name and loads its contact; its floor is the three queries for the same rows. The floor of the file store is a
write and a sync of the same line. Servers that are not there are left out.
"""

from __future__ import annotations

import itertools
import os
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from measure import Measured, Work, measure, options, table
from sqlalchemy import create_engine

from optly.contacts.addresses import Channel
from optly.protocols import Commit, OutboxMessage, Storage
from optly.storage import FileStorage, SQLStorage
from optly.testing.storage import NOW, Contact, stop

sys.path.append(str(Path(__file__).parents[1] / "tests"))

from services import fresh_database

CONTACTS, ROUNDS = 2000, 9
BODY = os.urandom(900)

APPEND = (
    "UPDATE optly_heads SET version = ?, hash = ?, snapshot = ?, named = ?, mac = ?, dirty = 1 "
    "WHERE subject_id = ? AND version = ?",
    "INSERT INTO optly_events (subject_id, seq, hash, idem, payload) VALUES (?, ?, ?, ?, ?)",
    "INSERT INTO optly_personal (subject_id, slot, salt, value) VALUES (?, ?, ?, ?)",
    "INSERT INTO optly_outbox (subject_id, message_id, organisation, channel, state, due_at, lease_until, attempts, "
    "tries, token, body, mac) VALUES (?, ?, 'acme', 'email', 0, ?, NULL, 0, 0, ?, ?, ?)",
)
LOOK_UP = (
    "SELECT idkey, subject_id, line, key_version, mac FROM optly_identifiers WHERE idkey = ?",
    "SELECT idkey, scope, at, key_version, mark, mac FROM optly_suppressions WHERE idkey = ?",
    "SELECT subject_id, version, hash, snapshot, named, mac FROM optly_heads WHERE subject_id = ?",
)


def fill(storage: Storage) -> list[tuple[bytes, Contact]]:
    """
    Put contacts on record, each with an address, a few of which are stopped.
    """
    rows = [(os.urandom(16), Contact("acme")) for _ in range(CONTACTS)]
    storage.append(
        [
            contact.commit(identifiers=[contact.identifier(idkey)], suppressions=[stop(idkey)] if idkey[0] < 32 else ())
            for idkey, contact in rows
        ]
    )
    return rows


def each(items: Sequence[Any], do: Callable[[Any], object]) -> Work:
    """
    Return work that does something to one item after the other, going on where it left off.
    """
    turn = itertools.cycle(items)

    def work(count: int) -> None:
        for item in itertools.islice(turn, count):
            do(item)

    return work


def answers(contacts: Sequence[Contact], repeat: int) -> list[Commit]:
    """
    Make as many commits as a measurement takes, so that making them is not measured.
    """
    commits = []
    for contact in itertools.islice(itertools.cycle(contacts), repeat * ROUNDS + max(1, repeat // 10)):
        message = OutboxMessage(
            subject=contact.subject, message=os.urandom(16), channel=Channel.EMAIL, due_at=NOW, body=BODY
        )
        commits.append(contact.commit(events=2, queue=[message]))
    return commits


def database(
    name: str, url: str, execute: Callable[..., Any], begin: str, *, repeat: int, aims: tuple[str, str]
) -> list[Measured]:
    """
    Measure the store at *url* beside bare statements that *execute* runs.
    """
    storage = SQLStorage(url)
    rows = fill(storage)

    def bare_append(commit: Commit) -> None:
        execute(begin)
        head = (commit.head, commit.snapshot, commit.named, commit.mac)
        execute(APPEND[0], (commit.expected + 2, *head, commit.subject, commit.expected))
        for entry in commit.entries:
            execute(APPEND[1], (commit.subject, entry.seq, entry.hash, commit.idem, entry.payload))
        for slot, opening in commit.openings.items():
            execute(APPEND[2], (commit.subject, slot, opening.salt, opening.value.encode()))
        for message in commit.queue:
            execute(APPEND[3], (commit.subject, message.message, 0, message.token, message.body, message.mac))
        execute("COMMIT")

    def bare_look_up(row: tuple[bytes, Contact]) -> None:
        idkey, contact = row
        for sql, key in zip(LOOK_UP, (idkey, idkey, contact.subject), strict=True):
            execute(sql, (key,)).fetchall()

    def look_up(row: tuple[bytes, Contact]) -> None:
        storage.find([row[0]])  # which brings the heads, as a check reads them

    half = CONTACTS // 2
    floor = answers([contact for _, contact in rows[:half]], repeat)
    path = answers([contact for _, contact in rows[half:]], repeat)
    measured = [
        measure(
            f"{name}: append",
            each(floor, bare_append),
            each(path, lambda commit: storage.append([commit])),
            repeat=repeat,
            rounds=ROUNDS,
            aim=aims[0],
        ),
        measure(
            f"{name}: find, with heads",
            each(rows, bare_look_up),
            each(rows, look_up),
            repeat=repeat * 5,
            rounds=ROUNDS,
            aim=aims[1],
        ),
    ]
    storage.close()
    return measured


def sqlite(directory: str, repeat: int) -> list[Measured]:
    url = f"sqlite:///{directory}/optly.db"
    SQLStorage(url).key_versions("acme")  # makes the tables
    connection = sqlite3.connect(f"{directory}/optly.db", isolation_level=None)
    for setting in ("synchronous = FULL", "secure_delete = ON"):
        connection.execute(f"PRAGMA {setting}")
    measured = database("SQLite", url, connection.execute, "BEGIN IMMEDIATE", repeat=repeat, aims=("≤ 1.6", "≤ 2"))
    connection.close()
    return measured


def server(name: str, kind: str, repeat: int) -> Iterator[Measured]:
    with fresh_database(kind) as url:
        engine = create_engine(url, isolation_level="AUTOCOMMIT")
        cursor: Any = engine.raw_connection().cursor()

        def execute(sql: str, values: Sequence[Any] = ()) -> Any:
            cursor.execute(sql.replace("?", "%s"), values)
            return cursor

        yield from database(name, url, execute, "BEGIN", repeat=repeat, aims=("", ""))
        engine.dispose()


def file(directory: str, repeat: int) -> Measured:
    storage = FileStorage(f"{directory}/optly.jsonl")
    commits = answers([contact for _, contact in fill(storage)], repeat + 1)
    before = os.stat(f"{directory}/optly.jsonl").st_size
    storage.append([commits.pop(0)])
    line = os.urandom(os.stat(f"{directory}/optly.jsonl").st_size - before)
    fd = os.open(f"{directory}/bare.jsonl", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def bare(line: bytes) -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    measured = measure(
        "File: append",
        each([line], bare),
        each(commits, lambda commit: storage.append([commit])),
        repeat=repeat,
        rounds=ROUNDS,
    )
    os.close(fd)
    storage.close()
    return measured


def main() -> None:
    repeat = 2 if options(__doc__ or "").small else 300
    with tempfile.TemporaryDirectory() as directory:
        rows = [*sqlite(directory, repeat), file(directory, repeat)]
    for name, kind in (("PostgreSQL", "postgresql"), ("MariaDB", "mysql")):
        try:
            rows += server(name, kind, min(repeat, 100))
        except pytest.skip.Exception as missing:
            print(missing)
    print(table(rows))


if __name__ == "__main__":
    main()
