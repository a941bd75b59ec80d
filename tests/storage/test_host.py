"""
Promise 15: what is recorded within a transaction of the host's stands or falls with the host's own rows.
"""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import psycopg
import pytest
from services import MYSQL, POSTGRESQL, REACHED, database
from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncSession, create_async_engine
from sqlalchemy.orm import Session, scoped_session, sessionmaker
from sqlalchemy.pool import NullPool
from world import ACME, EMAIL, KEYS, PURPOSES, world

from optly import AsyncConsentManager, Channel, ConsentManager, Contact, Subscriber
from optly.backends import MemoryBackend
from optly.errors import StorageUnavailableError, UsageError
from optly.storage import MemoryStorage, SQLStorage

NUMBERS = itertools.count()


@attrs.define
class Host:
    """
    An application with a table of its own in the database that the record is in.
    """

    url: str
    engine: Engine
    manager: ConsentManager
    heard: list[str] = attrs.field(factory=list)

    def rows(self) -> int:
        with self.engine.connect() as connection:
            return int(connection.scalar(text("SELECT count(*) FROM shop")) or 0)


@pytest.fixture(scope="module", params=["sqlite", POSTGRESQL, MYSQL])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with database(request.param, tmp_path_factory.mktemp("host")) as url:
        engine = create_engine(url, poolclass=NullPool)
        with engine.begin() as connection:
            connection.execute(text("CREATE TABLE shop (name VARCHAR(40))"))
        yield url
    REACHED.clear()  # by dropping the database, maybe before a test on SQLite


@pytest.fixture
def host(url: str) -> Iterator[Host]:
    """
    Each test has an organisation of its own in the same database.
    """
    engine = create_engine(url, poolclass=NullPool)
    made = Host(url, engine, manager(SQLStorage(url, wait=timedelta(seconds=2))))
    yield made
    made.manager.close()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM shop"))


def manager(storage: SQLStorage, **settings: Any) -> ConsentManager:
    own = attrs.evolve(ACME, key=f"acme-{next(NUMBERS)}")
    return world(storage, organisation=own, **settings).manager


def sign_up(optly: ConsentManager, email: str = EMAIL) -> Contact:
    """
    Put someone on record, and their consent.
    """
    contact = optly.add_contact(email=email, subscriber=Subscriber.INDIVIDUAL)
    optly.record_objection(contact, channels=["email"], purposes=["news"])
    return contact


@contextmanager
def in_a_connection(host: Host) -> Iterator[tuple[Any, Callable[[str], object]]]:
    with host.engine.connect() as connection:
        yield connection, lambda sql: connection.execute(text(sql))


@contextmanager
def in_a_session(host: Host) -> Iterator[tuple[Any, Callable[[str], object]]]:
    with Session(host.engine) as session:
        yield session, lambda sql: session.execute(text(sql))


@contextmanager
def in_a_scoped_session(host: Host) -> Iterator[tuple[Any, Callable[[str], object]]]:
    session = scoped_session(sessionmaker(host.engine))
    yield session, lambda sql: session.execute(text(sql))
    session.remove()


@contextmanager
def in_psycopg(host: Host) -> Iterator[tuple[Any, Callable[[str], object]]]:
    if not host.url.startswith("postgresql"):
        pytest.skip("psycopg is for PostgreSQL")
    with psycopg.connect(host.url.replace("+psycopg", ""), row_factory=psycopg.rows.dict_row) as connection:
        yield connection, connection.execute


KINDS = pytest.mark.parametrize("opened", [in_a_connection, in_a_session, in_a_scoped_session, in_psycopg])


@KINDS
@pytest.mark.parametrize("hosts_first", [True, False])
def test_what_is_recorded_is_committed_with_the_hosts_rows(host: Host, opened: Any, hosts_first: bool) -> None:
    with opened(host) as (connection, execute):
        if hosts_first:
            execute("INSERT INTO shop VALUES ('ada')")
        contact = sign_up(host.manager.within(connection))
        if not hosts_first:
            execute("INSERT INTO shop VALUES ('ada')")
        assert host.manager.within(connection).find(EMAIL) == contact
        connection.commit()
    assert host.rows() == 1
    assert host.manager.find(EMAIL) == contact
    assert host.manager.verify()


@KINDS
@pytest.mark.parametrize("hosts_first", [True, False])
def test_what_is_recorded_is_undone_with_the_hosts_rows(host: Host, opened: Any, hosts_first: bool) -> None:
    with opened(host) as (connection, execute):
        if hosts_first:
            execute("INSERT INTO shop VALUES ('ada')")
        sign_up(host.manager.within(connection))
        if not hosts_first:
            execute("INSERT INTO shop VALUES ('ada')")
        connection.rollback()
        assert host.manager.within(connection).find(EMAIL) is None
    assert host.rows() == 0
    assert host.manager.find(EMAIL) is None
    assert host.manager.stats().contacts == 0
    assert host.manager.verify()


@KINDS
def test_the_same_session_goes_on_after_a_commit(host: Host, opened: Any) -> None:
    with opened(host) as (connection, execute):
        optly = host.manager.within(connection)
        contact = sign_up(optly)
        connection.commit()
        execute("INSERT INTO shop VALUES ('ada')")
        optly.erase(contact)
        connection.rollback()
        assert not optly.standing(contact).lines[0].removed
        optly.erase(contact)
        connection.commit()
    assert host.manager.standing(contact).lines[0].removed
    assert host.rows() == 0


@KINDS
def test_a_refusal_leaves_the_hosts_transaction_as_it_was(host: Host, opened: Any) -> None:
    """
    What raised has written nothing, and what the host did before and does after it is committed.
    """
    with opened(host) as (connection, execute):
        execute("INSERT INTO shop VALUES ('ada')")
        optly = host.manager.within(connection)
        contact = sign_up(optly)
        with pytest.raises(UsageError):
            optly.add_contact(reference="", email="eve@example.com", language="no language at all")
        optly.add_contact(reference="eve", email="eve@example.com")
        execute("INSERT INTO shop VALUES ('eve')")
        connection.commit()
    assert host.rows() == 2
    assert host.manager.find_reference("eve") is not None
    assert not host.manager.standing(contact).lines[0].removed
    assert host.manager.verify()


def test_another_writer_in_between_is_decided_upon_again(host: Host) -> None:
    """
    On a server. SQLite has one writer at a time, and makes the other wait.
    """
    if host.engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    contact = sign_up(host.manager)
    with host.engine.connect().execution_options(isolation_level="READ COMMITTED") as connection:
        optly = host.manager.within(connection)
        version = len(optly.history(contact))
        host.manager.add_line(contact, phone="+447911123456")
        optly.record_objection(contact, channels=["email"], purposes=["offers"])
        assert len(optly.history(contact)) > version + 1
        connection.commit()
    assert host.manager.verify()


def test_a_message_is_handed_over_after_the_commit(host: Host) -> None:
    (backend,) = (each for each in host.manager.backends if isinstance(each, MemoryBackend) and each.channel == "email")
    with Session(host.engine) as session, session.begin():
        optly = host.manager.within(session)
        contact = optly.add_contact(email="sales@acme.example.com", subscriber=Subscriber.COMPANY)
        optly.send(contact, "email", "offers", "Hello")
        with pytest.raises(UsageError, match="after the commit"):
            optly.deliver()
        if host.engine.dialect.name != "sqlite":
            assert not host.manager.deliver().accepted
    assert not backend.outbox
    assert host.manager.deliver().accepted == 1
    assert len(backend.outbox) == 1


def test_what_leaves_the_database_waits_for_the_commit(host: Host) -> None:
    with Session(host.engine) as session, session.begin():
        optly = host.manager.within(session)
        contact = sign_up(optly)
        for call in (optly.deliver, optly.seal, lambda: optly.evidence(contact)):
            with pytest.raises(UsageError, match="after the commit"):
                call()
        optly.close()  # nothing of it is its own
    assert host.manager.evidence(contact).verify()
    assert host.manager.deliver() is not None


def test_an_attempt_stays_counted(host: Host) -> None:
    """
    Where the host rolls back, as a framework does after an error. SQLite has room for one writer only.
    """
    storage = host.manager.storage
    assert isinstance(storage, SQLStorage)
    now, until = host.manager.clock(), host.manager.clock() + timedelta(hours=1)
    for writes in (False, True):
        with host.engine.connect() as connection:
            if writes:
                connection.execute(text("INSERT INTO shop VALUES ('ada')"))
            storage.within(connection).count(b"a key of sixteen", now, until)
            connection.rollback()
    kept = storage.count(b"a key of sixteen", now, until) - 1
    assert kept == (1 if host.engine.dialect.name == "sqlite" else 2)


def test_the_listener_hears_of_what_was_committed_and_of_nothing_else(host: Host) -> None:
    storage, heard = host.manager.storage, host.heard
    assert isinstance(storage, SQLStorage)
    optly = manager(storage, on_events=lambda contact, events: heard.append(contact.id))
    with Session(host.engine) as session:
        sign_up(optly.within(session))
        session.rollback()
        kept = sign_up(optly.within(session))
        with session.begin_nested():
            ada = sign_up(optly.within(session), "ada.l@example.com")
        with session.begin_nested() as savepoint:
            lost = sign_up(optly.within(session), "eve@example.com")
            savepoint.rollback()
        assert heard == []
        session.commit()
        assert set(heard) == {kept.id, ada.id}
        assert lost.id not in heard
        heard.clear()
        session.execute(text("INSERT INTO shop VALUES ('ada')"))
        session.commit()
        assert heard == []


def test_a_listener_needs_to_know_of_the_commit(host: Host) -> None:
    storage, heard = host.manager.storage, host.heard
    assert isinstance(storage, SQLStorage)
    optly = manager(storage, on_events=lambda contact, events: heard.append(contact.id))
    waiting: list[Callable[[], object]] = []
    with host.engine.connect() as connection:
        with pytest.raises(UsageError, match="on_commit"):
            optly.within(connection)
        contact = sign_up(optly.within(connection, on_commit=waiting.append))
        connection.commit()
    assert heard == []
    for function in waiting:
        function()
    assert set(heard) == {contact.id}


@pytest.fixture
def optly(tmp_path: Path) -> Iterator[ConsentManager]:
    with manager(SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}")) as made:
        yield made


@pytest.mark.parametrize("given", [None, "sqlite://", object(), 1])
def test_what_is_no_connection_is_refused_at_once(optly: ConsentManager, given: object) -> None:
    with pytest.raises(UsageError, match="is not a connection"):
        optly.within(given)


def test_a_connection_of_the_wrong_kind_is_refused_at_once(optly: ConsentManager) -> None:
    with closing(sqlite3.connect(":memory:")) as bare, pytest.raises(UsageError, match="is not a connection"):
        optly.within(bare)
    engine = create_async_engine("sqlite+aiosqlite://")
    with pytest.raises(UsageError, match="AsyncConsentManager"):
        optly.within(AsyncConnection(engine))
    with pytest.raises(UsageError, match="AsyncConsentManager"):
        optly.within(AsyncSession(engine))
    with pytest.raises(UsageError, match="use SQLStorage"):
        world(MemoryStorage()).manager.within(object())


def test_a_transaction_within_another_is_refused(host: Host) -> None:
    with host.engine.connect() as connection, pytest.raises(UsageError, match="already"):
        host.manager.within(connection).within(connection)


@pytest.mark.server
def test_a_connection_to_another_database_is_refused(optly: ConsentManager, tmp_path: Path) -> None:
    with (
        database("postgresql", tmp_path) as url,
        create_engine(url, poolclass=NullPool).connect() as connection,
        pytest.raises(UsageError, match="the connection is to postgresql, and the store is in sqlite"),
    ):
        optly.within(connection)


def test_a_connection_that_commits_each_statement_is_refused(host: Host) -> None:
    autocommit = host.engine.execution_options(isolation_level="AUTOCOMMIT")
    with autocommit.connect() as connection, pytest.raises(UsageError, match="begin a transaction"):
        sign_up(host.manager.within(connection))
    assert host.manager.find(EMAIL) is None


def test_a_connection_that_was_closed_is_told(host: Host) -> None:
    with host.engine.connect() as connection:
        optly = host.manager.within(connection)
    with pytest.raises(UsageError, match="cannot be used"):
        optly.find(EMAIL)


@pytest.mark.server
def test_a_transaction_that_failed_is_told(tmp_path: Path) -> None:
    with database("postgresql", tmp_path) as url:
        engine = create_engine(url, poolclass=NullPool)
        with manager(SQLStorage(url)) as optly, engine.connect() as connection:
            with pytest.raises(Exception, match="does not exist"):
                connection.exec_driver_sql("SELECT * FROM nowhere")
            with pytest.raises(StorageUnavailableError, match="25P02"):
                sign_up(optly.within(connection))
            connection.rollback()
            contact = sign_up(optly.within(connection))
            connection.commit()
            assert optly.find(EMAIL) == contact


def test_hosts_that_begin_transactions_themselves_in_sqlite(optly: ConsentManager, tmp_path: Path) -> None:
    """
    As SQLAlchemy advises where savepoints are used: the driver begins nothing, and the host does.
    """
    engine = create_engine(f"sqlite:///{tmp_path / 'optly.db'}", poolclass=NullPool)
    event.listen(engine, "connect", lambda driver, _: setattr(driver, "isolation_level", None))
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    with engine.connect() as connection:
        sign_up(optly.within(connection))
        connection.rollback()
        assert optly.within(connection).find(EMAIL) is None
        contact = sign_up(optly.within(connection))
        connection.commit()
    assert optly.find(EMAIL) == contact


# ---- awaited


@asynccontextmanager
async def awaited(tmp_path: Path, kind: str, **settings: Any) -> AsyncIterator[tuple[AsyncConsentManager, Any]]:
    with database(kind, tmp_path) as url:
        optly = AsyncConsentManager(
            organisation=ACME,
            purposes=PURPOSES,
            keys=KEYS,
            base_url="https://acme.example.com/my",
            storage=SQLStorage(url),
            backends=[MemoryBackend(channel=Channel.EMAIL)],
            **settings,
        )
        engine = create_async_engine(url.replace("sqlite:", "sqlite+aiosqlite:"), poolclass=NullPool)
        yield optly, engine
        await engine.dispose()
        await optly.close()


@pytest.mark.parametrize("kind", ["sqlite", POSTGRESQL])
@pytest.mark.parametrize("form", [AsyncConnection, AsyncSession])
def test_the_awaited_form_takes_part_in_awaited_transactions(tmp_path: Path, kind: str, form: Any) -> None:
    async def run() -> None:
        async with awaited(tmp_path, kind) as (optly, engine):
            for ends in ("rollback", "commit"):
                async with form(engine) as connection:
                    within = optly.within(connection)
                    contact = await within.add_contact(email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
                    await within.record_objection(contact, channels=["email"], purposes=["news"])
                    assert await within.find(EMAIL) == contact
                    await getattr(connection, ends)()
                assert await optly.find(EMAIL) == (contact if ends == "commit" else None)
            assert await optly.verify()

    asyncio.run(run())


def test_the_awaited_form_tells_its_listener_after_the_commit(tmp_path: Path) -> None:
    heard: list[str] = []

    async def run() -> None:
        listening = awaited(tmp_path, "sqlite", on_events=lambda contact, events: heard.append(contact.id))
        async with listening as (optly, engine), AsyncSession(engine) as session:
            await optly.within(session).add_contact(email="eve@example.com")
            await session.rollback()
            contact = await optly.within(session).add_contact(email=EMAIL)
            assert heard == []
            await session.commit()
            assert set(heard) == {contact.id}

    asyncio.run(run())


def test_the_awaited_form_refuses_a_blocking_connection(tmp_path: Path) -> None:
    async def run() -> None:
        async with awaited(tmp_path, "sqlite") as (optly, _):
            engine = create_engine("sqlite://")
            for given in (Session(engine), object()):
                with pytest.raises(UsageError, match="AsyncConnection or an AsyncSession"):
                    optly.within(given)

    asyncio.run(run())
