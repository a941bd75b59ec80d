"""
What the SQL store does besides the contract: routing, erasing from files, lost connections, forks and set-up.
"""

from __future__ import annotations

import os
import pickle
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from services import MYSQL, POSTGRESQL, database, fresh_database
from sqlalchemy import URL, create_engine, event, text
from sqlalchemy.dialects import sqlite
from sqlalchemy.pool import NullPool

from optly.errors import ConfigurationError, DamagedError, StorageUnavailableError
from optly.storage import SQLStorage, _schema, _statements
from optly.storage._database import Database, OwnSession, Session
from optly.storage._schema import heads
from optly.testing.storage import (
    NOW,
    Contact,
    at_once,
    claim_of,
    code,
    is_written,
    key,
    problems,
    settlement,
    values_of,
)

STATEMENTS = {
    "claimed": _statements.LOOKUPS["claimed"](4),
    "committed": _statements.STATEMENTS["committed"],
    "personal_in": _statements.LOOKUPS["personal_in"](2, 3),
    "sealed": _statements.LOOKUPS["sealed"](2, 1),
}


@pytest.mark.parametrize(
    ("name", "keys"),
    [
        ("personal_in", "subject_id=? AND slot=?"),
        ("claimed", "subject_id=? AND message_id=?"),
        ("sealed", "organisation=? AND subject_id=?"),
    ],
)
def test_the_rows_of_a_contact_are_looked_up_by_their_whole_key(path: Path, name: str, keys: str) -> None:
    """
    However many others the contact has: a message that is sent leaves a row in each of these tables.
    """
    statement: Any = STATEMENTS[name].compile(dialect=sqlite.dialect())
    values = [b""] * len(statement.positiontup)
    assert keys in " ".join(plan(path, str(statement), values))


def test_what_was_committed_is_looked_up_by_its_name(path: Path) -> None:
    """
    However many events the contact has.
    """
    statement = STATEMENTS["committed"].compile(dialect=sqlite.dialect())
    assert "subject_id=? AND idem=?" in " ".join(plan(path, str(statement), [b"", b""]))


def plan(path: Path, statement: str, values: Sequence[object]) -> list[str]:
    """
    Return how SQLite would answer a statement.
    """
    store = SQLStorage(f"sqlite:///{path}")
    store.load([])
    store.close()
    with closing(sqlite3.connect(path)) as other:
        return [step[3] for step in other.execute(f"EXPLAIN QUERY PLAN {statement}", values)]


# ---- SQLite


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optly.db"


@pytest.fixture
def storage(path: Path) -> Iterator[SQLStorage]:
    storage = SQLStorage(f"sqlite:///{path}")
    yield storage
    storage.close()


def on_disk(path: Path) -> bytes:
    """
    Return all that lies in the files of a store.
    """
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.name.startswith(path.name))


def test_what_is_erased_leaves_the_disk(storage: SQLStorage, path: Path) -> None:
    """
    Values, messages, codes and keyed names of one contact among many are in no byte of the files, while the store is
    open, with a second one reading; those of the others still are.
    """
    reader = SQLStorage(f"sqlite:///{path}")
    contacts = [Contact("acme") for _ in range(60)]
    idkeys = [key() for _ in contacts]
    for contact, idkey in zip(contacts, idkeys, strict=True):
        message = contact.message(body=b"body " + contact.subject.hex().encode() * 100)
        storage.append([contact.commit(events=5, identifiers=[contact.identifier(idkey)], queue=[message])])
        storage.put_codes([code(contact.subject, value=b"code " + contact.subject.hex().encode())])
        storage.claim([claim_of(message)], NOW, NOW)
    ada, eve = contacts[20], contacts[30]
    salts = {opening.salt for opening in values_of(storage, ada.subject).values()}
    gone = [*salts, b"body " + ada.subject.hex().encode(), b"code " + ada.subject.hex().encode(), idkeys[20]]
    kept = [*(opening.salt for opening in values_of(storage, eve.subject).values()), idkeys[30]]
    assert all(needle in on_disk(path) for needle in (*gone, *kept))

    assert len(reader.entries(eve.subject)) == 5
    storage.append([ada.commit(forget=True)])
    there = on_disk(path)
    assert [] == [needle for needle in gone if needle in there]
    assert all(needle in there for needle in kept)
    assert problems(reader, "acme", ada.subject) == ()
    reader.close()


def test_a_released_address_leaves_the_disk(storage: SQLStorage, path: Path) -> None:
    """
    Its blind index alone; the contact's values stay.
    """
    ada, idkey = Contact("acme"), key()
    first = ada.commit(events=2, identifiers=[ada.identifier(idkey)])
    storage.append([first])
    storage.append([ada.commit(release=[idkey])])
    there = on_disk(path)
    assert idkey not in there
    assert all(opening.salt in there for opening in first.openings.values())


def test_what_a_reader_held_back_leaves_the_disk_later(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    Somebody has a transaction open on the old state. The erasure says so, and the next write makes good for it.
    """
    storage = SQLStorage(f"sqlite:///{path}", wait=timedelta(milliseconds=10))
    ada, eve = Contact("acme"), Contact("acme")
    first = ada.commit()
    storage.append([first])
    caplog.clear()
    reader = sqlite3.connect(path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM optly_events").fetchall()
    storage.append([ada.commit(forget=True)])
    assert [record.name for record in caplog.records] == ["optly"]
    assert first.openings["line_1"].salt in on_disk(path)
    reader.execute("COMMIT")
    reader.close()
    storage.append([eve.commit()])
    assert first.openings["line_1"].salt not in on_disk(path)
    storage.close()


def test_a_log_left_by_a_process_that_died_is_emptied(path: Path) -> None:
    """
    It died after the erasure was committed, before the log was emptied.
    """
    ada = Contact("acme")
    dead = SQLStorage(f"sqlite:///{path}")
    first = ada.commit()
    dead.append([first])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(OwnSession, "empty_log", lambda session, patient: True)
        dead.append([ada.commit(forget=True)])
    assert first.openings["line_1"].salt in on_disk(path)
    storage = SQLStorage(f"sqlite:///{path}")
    storage.append([ada.commit()])
    assert first.openings["line_1"].salt not in on_disk(path)
    storage.close()
    dead.close()


def test_sqlite_syncs_every_commit(synced: None, storage: SQLStorage, path: Path) -> None:
    """
    In the mode that a power cut takes nothing from.
    """
    storage.append([Contact("acme").commit()])
    with storage._database._acquire().connection as connection:
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "secure_delete")
        }
    assert {"journal_mode": "wal", "synchronous": 2, "secure_delete": 1} == found


def test_tables_are_created_together_or_not_at_all(
    storage: SQLStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A start that is cut off leaves an empty database, and the disk is waited for once and not for each table.
    """
    monkeypatch.setattr(_schema, "VERSION", object())
    with pytest.raises(ConfigurationError):
        storage.append([Contact("acme").commit()])
    with closing(sqlite3.connect(path)) as other:
        assert [] == other.execute("SELECT name FROM sqlite_master").fetchall()


def test_a_writer_waits_for_another_process(storage: SQLStorage, path: Path) -> None:
    """
    The other holds the file for a moment; nobody is told that it is locked.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    timer = threading.Timer(0.2, other.execute, ["COMMIT"])
    timer.start()
    storage.append([ada.commit()])
    timer.join()
    other.close()
    assert len(storage.entries(ada.subject)) == 2


def test_a_writer_that_waits_too_long_gives_up(path: Path, storage: SQLStorage) -> None:
    """
    With an error that says that the call may be made again.
    """
    storage.append([Contact("acme").commit()])
    impatient = SQLStorage(f"sqlite:///{path}", wait=timedelta(milliseconds=50))
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StorageUnavailableError, match=r"longer than 0\.05 s \(.*SQLITE_BUSY"):
        impatient.append([Contact("acme").commit()])
    other.close()
    impatient.append([Contact("acme").commit()])
    impatient.close()


def test_a_writer_waits_for_a_thread_no_longer_than_for_a_process(path: Path) -> None:
    """
    The other thread is in the middle of its transaction; those behind it do not wait one after another.
    """
    storage = SQLStorage(f"sqlite:///{path}", wait=timedelta(milliseconds=50))
    storage.append([Contact("acme").commit()])
    begun, done = threading.Event(), threading.Event()

    def work(_session: Session) -> None:
        begun.set()
        done.wait()

    thread = threading.Thread(target=storage._database.write, args=[work])
    thread.start()
    begun.wait()
    try:
        with pytest.raises(StorageUnavailableError, match="other writers"):
            storage.append([Contact("acme").commit()])
    finally:
        done.set()
        thread.join()
    storage.append([Contact("acme").commit()])
    storage.close()


def test_a_file_that_is_no_database_is_damaged(path: Path) -> None:
    """
    It is not taken for a passing trouble.
    """
    path.write_bytes(b"not a database at all" * 1000)
    storage = SQLStorage(f"sqlite:///{path}")
    with pytest.raises(DamagedError):
        storage.load([key()])
    storage.close()


def test_an_event_that_is_not_bytes_is_damaged(storage: SQLStorage, path: Path) -> None:
    """
    SQLite takes anything in any column.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE optly_events SET payload = 'text'")
    other.close()
    with pytest.raises(DamagedError, match=ada.subject.hex()):
        storage.entries(ada.subject)


@pytest.mark.parametrize("value", ["'ada@example.com'", "x'616461ff'"])
def test_a_personal_value_that_cannot_be_read_is_damaged(storage: SQLStorage, path: Path, value: str) -> None:
    """
    The error names the contact and repeats nothing of the value.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    with sqlite3.connect(path) as other:
        other.execute(f"UPDATE optly_personal SET value = {value}")
    other.close()
    with pytest.raises(DamagedError, match=ada.subject.hex()) as caught:
        storage.openings([ada.subject])
    assert "ada" not in str(caught.value).replace(ada.subject.hex(), "")
    assert caught.value.__context__ is None


def test_a_text_that_is_not_utf8_is_damaged(storage: SQLStorage, path: Path) -> None:
    """
    It would not be readable the next time either, and the driver's error would quote it.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE optly_personal SET slot = CAST(x'616461ff' AS TEXT)")
    other.close()
    with pytest.raises(DamagedError) as caught:
        storage.openings([ada.subject])
    assert "ada" not in str(caught.value).replace(ada.subject.hex(), "")


def test_a_head_behind_its_events_is_shown_as_such(storage: SQLStorage, path: Path) -> None:
    """
    Somebody put back an older read model; the version is still that of the last event.
    """
    ada = Contact("acme")
    storage.append([ada.commit(events=2)])
    with sqlite3.connect(path) as other:
        other.execute("UPDATE optly_heads SET version = 1")
    other.close()
    head = storage.load([ada.subject])[ada.subject]
    assert (2, 1) == (head.version, head.snapshot_version)


def test_newer_tables_are_refused(storage: SQLStorage, path: Path) -> None:
    """
    An older Optly does not write into tables it does not know.
    """
    storage.add_key_version("acme", "k1")
    storage.close()
    with sqlite3.connect(path) as other:
        other.execute("UPDATE optly_schema_version SET version = version + 1")
    other.close()
    with pytest.raises(ConfigurationError, match="upgrade"):
        SQLStorage(f"sqlite:///{path}").key_versions("acme")


def test_processes_that_start_at_once_make_the_tables_once(path: Path) -> None:
    """
    None of them trips over another.
    """

    def start(_: int) -> None:
        storage = SQLStorage(f"sqlite:///{path}")
        storage.append([Contact("acme").commit()])
        storage.close()

    at_once(6, start)
    storage = SQLStorage(f"sqlite:///{path}")
    assert len(list(storage.subjects("acme"))) == 6
    storage.close()


def test_an_engine_of_the_host_is_left_as_it_was(path: Path) -> None:
    """
    The store works on the host's pool, and the host's own transactions are still transactions.
    """
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0)
    storage = SQLStorage(engine)
    ada = Contact("acme")
    storage.append([ada.commit()])
    with engine.connect() as connection:
        connection.execute(text("DELETE FROM optly_events"))
        connection.rollback()
    assert problems(storage, "acme", ada.subject) == ()
    storage.close()
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT count(*) FROM optly_events")) == 1
    engine.dispose()


def test_a_pool_of_the_host_that_is_used_up_is_unavailable(path: Path) -> None:
    """
    The error is one of ours, like those of the store's own connections.
    """
    engine = create_engine(f"sqlite:///{path}", pool_size=1, max_overflow=0, pool_timeout=0.05)
    storage = SQLStorage(engine)
    storage.append([Contact("acme").commit()])
    with engine.connect(), pytest.raises(StorageUnavailableError, match="no connection to the database became free"):
        storage.load([key()])
    assert {} == storage.load([key()])
    storage.close()
    engine.dispose()


@pytest.mark.parametrize(
    "settings",
    [{"connections": 0}, {"wait": timedelta(0)}, {"wait": timedelta(days=1, microseconds=1)}],
)
def test_a_store_that_could_never_work_is_a_configuration_error(path: Path, settings: dict[str, Any]) -> None:
    """
    It has no connection, or waits for nothing or for ever.
    """
    with pytest.raises(ConfigurationError):
        SQLStorage(f"sqlite:///{path}", **settings)


@pytest.mark.parametrize(
    "url",
    ["sqlite://", "sqlite:///:memory:", "nonsense", "oracle+nothing://scott:tiger@host/db", "sqlite+nothing:///x"],
)
def test_a_database_that_cannot_be_used_is_a_configuration_error(url: str) -> None:
    """
    It is said at once, and the address is not repeated, because there may be a password in it.
    """
    with pytest.raises(ConfigurationError) as caught:
        SQLStorage(url)
    assert "tiger" not in str(caught.value)


def test_an_address_may_be_given_in_parts(tmp_path: Path) -> None:
    """
    As a URL of SQLAlchemy's, which takes a path that could not be written as a text.
    """
    path = tmp_path / "a?b=c#d%20.db"
    storage = SQLStorage(URL.create("sqlite", database=str(path)))
    ada = Contact("acme")
    storage.append([ada.commit()])
    storage.close()
    with sqlite3.connect(path) as other:
        assert [(1,)] == other.execute("SELECT seq FROM optly_events").fetchall()
    other.close()


def test_a_missing_driver_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With what to install.
    """
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(ConfigurationError, match=r"optly\[postgres\]"):
        SQLStorage("postgresql://127.0.0.1/test")


def test_a_server_that_cannot_be_reached_is_unavailable() -> None:
    """
    The error tells neither address nor password, and survives a task queue.
    """
    storage = SQLStorage("postgresql://scott:tiger@127.0.0.1:1/test")
    with pytest.raises(StorageUnavailableError) as caught:
        storage.load([key()])
    assert caught.value.__cause__ is None
    assert "tiger" not in str(pickle.loads(pickle.dumps(caught.value)))
    assert "127" not in str(caught.value)


# ---- servers and processes


@pytest.fixture(params=["sqlite", POSTGRESQL, MYSQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as url:
        yield url


@pytest.fixture(params=[POSTGRESQL, MYSQL])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    with fresh_database(request.param) as url:
        yield url


def test_a_burst_of_threads_shares_a_bounded_number_of_connections(url: str) -> None:
    """
    Each thread gets its turn, and no more are opened than allowed.
    """
    storage = SQLStorage(url, connections=3)
    storage.append([Contact("burst").commit()])
    opened: list[object] = []
    event.listen(storage._database._engine, "connect", lambda connection, _record: opened.append(connection))

    def work(_: int) -> None:
        for _again in range(5):
            storage.append([Contact("burst").commit()])

    at_once(24, work)
    assert len(list(storage.subjects("burst"))) == 1 + 24 * 5
    assert len(opened) <= 2  # the first was open already
    storage.close()


def test_a_call_waits_for_a_connection_no_longer_than_it_is_told(url: str) -> None:
    """
    All of them are in use; the error is one of ours, and once one is free the call works.
    """
    storage = SQLStorage(url, connections=2, wait=timedelta(milliseconds=50))
    assert {} == storage.load([key()])
    busy, done = threading.Barrier(3), threading.Event()

    def work(_session: Session) -> None:
        busy.wait()
        done.wait()

    threads = [threading.Thread(target=storage._database.read, args=[work]) for _ in range(2)]
    for thread in threads:
        thread.start()
    busy.wait()
    try:
        with pytest.raises(StorageUnavailableError, match=r"2 are allowed, for 0\.05 s"):
            storage.load([key()])
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert {} == storage.load([key()])
    storage.close()


def test_connections_that_cannot_be_opened_use_up_nothing(path: Path) -> None:
    """
    The server was away for longer than there are connections; when it is back, the store works.
    """
    storage = SQLStorage(f"sqlite:///{path / 'missing' / 'optly.db'}", connections=2)
    for _ in range(5):
        with pytest.raises(StorageUnavailableError, match="OperationalError"):
            storage.load([key()])
    (path / "missing").mkdir(parents=True)
    assert {} == storage.load([key()])
    storage.close()


@pytest.mark.parametrize("table", ["row", "table"])
def test_a_lock_of_somebody_else_is_waited_for_only_so_long(server: str, table: str) -> None:
    """
    They hold the row of a contact, or the whole table as a migration does, and go away for lunch. Nothing is written,
    and afterwards the same call works.
    """
    storage = SQLStorage(server, wait=timedelta(milliseconds=200))
    ada = Contact("acme")
    storage.append([ada.commit()])
    engine = create_engine(server, poolclass=NullPool)
    with engine.connect() as other:
        if table == "row":
            other.execute(heads.update().values(version=heads.c.version))
        elif engine.dialect.name == "postgresql":
            other.execute(text("LOCK TABLE optly_heads IN ACCESS EXCLUSIVE MODE"))
        else:
            other.execute(text("LOCK TABLES optly_heads WRITE"))
        held = ada.commit()
        with pytest.raises(StorageUnavailableError, match="other writers"):
            storage.append([held])
        if table == "table":
            with pytest.raises(StorageUnavailableError, match="other writers"):
                storage.load([ada.subject])
            newcomer = SQLStorage(server, wait=timedelta(milliseconds=200))
            with pytest.raises(StorageUnavailableError, match="other writers"):
                newcomer.load([ada.subject])
            newcomer.close()
    storage.append([held])
    assert problems(storage, "acme", ada.subject) == ()
    storage.close()


FORK = """
import os, sys
from optly.storage import SQLStorage
from optly.testing.storage import append_again, problems

storage = SQLStorage(sys.argv[1])
subject = os.urandom(16)
append_again(storage, "acme", subject)
children = []
while len(children) < 2 and (child := os.fork()):
    children.append(child)
for _ in range(5):
    append_again(storage, "acme", subject)
if child == 0:
    storage.close()
    os._exit(0)
for child in children:
    assert os.waitpid(child, 0)[1] == 0
append_again(storage, "acme", subject)
print(len(storage.entries(subject)), problems(storage, "acme", subject))
"""


def test_a_forked_process_opens_connections_of_its_own(url: str) -> None:
    """
    Parent and children go on with one store, whose connections were open at the fork; nothing is lost or mixed up.
    """
    done = subprocess.run([sys.executable, "-c", FORK, url], capture_output=True, text=True, check=True, timeout=60)
    assert "17 ()" == done.stdout.strip()


def kill_connections(url: str) -> None:
    """
    Have the server close every other connection to this database.
    """
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        else:
            mine = connection.scalar(text("SELECT connection_id()"))
            for (process,) in connection.execute(
                text("SELECT id FROM information_schema.processlist WHERE db = database()")
            ).all():
                if process != mine:
                    connection.execute(text(f"KILL {process}"))
    engine.dispose()


def test_a_lost_connection_is_made_again(server: str) -> None:
    """
    The server was restarted between two calls; neither a read nor a write notices.
    """
    storage = SQLStorage(server)
    ada = Contact("acme")
    storage.append([ada.commit()])
    kill_connections(server)
    assert len(storage.entries(ada.subject)) == 1
    kill_connections(server)
    storage.append([ada.commit()])
    assert problems(storage, "acme", ada.subject) == ()
    storage.close()


def test_a_connection_lost_during_a_commit_is_in_doubt(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The transaction is not repeated by the store, and its author can ask what became of it.
    """
    storage = SQLStorage(server)
    ada = Contact("acme")
    storage.append([ada.commit()])
    run = Session.run

    def break_commit(session: Session, sql: str) -> None:
        if sql == "COMMIT":
            kill_connections(server)
        run(session, sql)

    lost = ada.commit()
    with monkeypatch.context() as patch:
        patch.setattr(Session, "run", break_commit)
        with pytest.raises(StorageUnavailableError, match="commit"):
            storage.append([lost])
    assert not is_written(storage, lost)
    storage.append([lost])
    assert is_written(storage, lost)
    assert problems(storage, "acme", ada.subject) == ()
    storage.close()


def test_a_deadlock_is_done_again(server: str) -> None:
    """
    Two transactions take the same rows in opposite orders; both succeed in the end.
    """
    database = Database(server, connections=2, wait=timedelta(seconds=10))
    names = [key() * 2, key() * 2]
    storage = SQLStorage(server)
    for name in names:
        storage.count(name, NOW, NOW)
    barrier = threading.Barrier(2)
    attempts = [0, 0]

    def work(number: int) -> None:
        def count_both(session: Session) -> None:
            attempts[number] += 1
            first, second = names[:: 1 if number else -1]
            session.change("count", code_key=first, number=1, until=0, now=0)
            if attempts[number] == 1:
                barrier.wait(5)
            session.change("count", code_key=second, number=1, until=0, now=0)

        database.write(count_both)

    at_once(2, work)
    assert sum(attempts) == 3
    assert [4, 4] == [storage.count(name, NOW, NOW) for name in names]
    database.close()
    storage.close()


@pytest.mark.server
def test_strict_isolation_changes_nothing_but_the_pace() -> None:
    """
    Where every transaction is serializable some fail, at the commit too, and are done again.
    """
    with fresh_database("postgresql") as url:
        storage = SQLStorage(f"{url}?options=-c default_transaction_isolation=serializable")
        name, ada = key(), Contact("acme")
        numbers = at_once(4, lambda _: [storage.count(name, NOW, NOW) for _ in range(5)])
        assert list(range(1, 21)) == sorted(number for part in numbers for number in part)
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (got,) = [m for part in at_once(4, lambda _: storage.claim([claim_of(message)], NOW, NOW)) for m in part]
        storage.append([ada.commit(settle=[settlement(got)])])
        assert problems(storage, "acme", ada.subject) == ()
        storage.close()


def test_many_threads_share_a_store(url: str) -> None:
    """
    More of them than a pool has connections by default.
    """
    storage = SQLStorage(url)
    organisation = f"test-{os.urandom(8).hex()}"
    contacts = [Contact(organisation) for _ in range(24)]
    at_once(24, lambda number: storage.append([contacts[number].commit()]))
    found: Iterable[int] = at_once(24, lambda number: len(storage.entries(contacts[number].subject)))
    assert [1] * 24 == list(found)
    storage.close()
