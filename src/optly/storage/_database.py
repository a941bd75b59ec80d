"""
Connections to the SQL store's database, transactions on them, and which errors are retried.
"""

from __future__ import annotations

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from datetime import timedelta
from math import ceil
from queue import Empty, SimpleQueue
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, Dialect, Engine, Table, create_engine, insert, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import NullPool

from optly.backoff import backoff
from optly.errors import ConfigurationError, ConflictError, DamagedError, OptlyError, StorageUnavailableError
from optly.storage import _schema
from optly.storage._statements import MOST_KEYS, Statements

T = TypeVar("T")

# Another writer was in the way and this transaction was rolled back, or never began: repeating all of it is safe and
# sufficient.
RETRIED: Final = frozenset(
    {
        *("40001", "40P01"),  # SQLSTATE: serialization failure, deadlock; CockroachDB reports them at COMMIT too
        *(1213, 1205, 1020),  # MySQL: deadlock, lock wait timeout, record changed since it was read
        *("SQLITE_BUSY", "SQLITE_BUSY_RECOVERY", "SQLITE_BUSY_SNAPSHOT", "SQLITE_BUSY_TIMEOUT"),
        *("SQLITE_LOCKED", "SQLITE_LOCKED_SHAREDCACHE"),
    }
)
_TIMED_OUT: Final = frozenset({"55P03", 1205})  # waited for a lock in vain
_DAMAGED: Final = frozenset({"SQLITE_CORRUPT", "SQLITE_CORRUPT_INDEX", "SQLITE_CORRUPT_VTAB", "SQLITE_NOTADB"})
_LONGEST_WAIT: Final = timedelta(days=1)
_FIRST_PAUSE: Final = timedelta(milliseconds=5)
_LONGEST_PAUSE: Final = timedelta(milliseconds=250)
_ATTEMPTS: Final = 8

_DRIVERS: Final = {
    "postgres": "postgresql+psycopg",
    "postgresql": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
}
_EXTRAS: Final = {"postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
_BEGIN: Final = {
    "sqlite": "BEGIN IMMEDIATE",  # a deferred transaction cannot wait for its turn once it has read
    "postgresql": "BEGIN",
    "mysql": "START TRANSACTION",
    "mariadb": "START TRANSACTION",
}
# How long a statement waits for a lock, in milliseconds or in whole seconds.
_MYSQL_LOCK_TIMEOUT: Final = "SET SESSION innodb_lock_wait_timeout = {seconds}, SESSION lock_wait_timeout = {seconds}"
_LOCK_TIMEOUT: Final = {
    "sqlite": "PRAGMA busy_timeout = {milliseconds}",
    "postgresql": "SET lock_timeout = {milliseconds}",
    "mysql": _MYSQL_LOCK_TIMEOUT,
    "mariadb": _MYSQL_LOCK_TIMEOUT,
}
_MYSQL_SETTINGS: Final = (
    "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",  # takes no gap locks, so fewer deadlocks
)
_SETTINGS: Final[Mapping[str, Sequence[str]]] = {
    "sqlite": (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA fullfsync = ON",  # on macOS fsync alone does not reach the disk
        "PRAGMA secure_delete = ON",
    ),
    "postgresql": (),
    "mysql": _MYSQL_SETTINGS,
    "mariadb": _MYSQL_SETTINGS,
}

# Whether the tables of Citus are there, and which tables it has distributed.
_CITUS: Final = text("SELECT to_regclass('pg_dist_partition') IS NOT NULL")
_DISTRIBUTED: Final = text(
    "SELECT c.relname FROM pg_dist_partition p JOIN pg_class c ON c.oid = p.logicalrelid "
    "WHERE pg_table_is_visible(c.oid)"
)

_log = logging.getLogger("optly")


def code_of(error: object) -> str | int | None:
    """
    Return the database's own code for *error*: an SQLSTATE, a MySQL number or an SQLite name.
    """
    match error:
        case Exception(args=(int(number), *_)):
            return number  # MySQL's own, because one SQLSTATE stands for many of them
    return getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None)


def pause(attempt: int) -> None:
    """
    Sleep for a random time, whose limit doubles with each attempt.
    """
    wait = backoff(attempt, first=_FIRST_PAUSE, longest=_LONGEST_PAUSE, share=random.random())  # noqa: S311
    time.sleep(wait.total_seconds())


class Session:
    """
    Runs the prepared statements on a cursor.

    Args:
        taken: What the driver raises where there is a row with the same key.
    """

    def __init__(self, cursor: Any, statements: Statements, taken: type[Exception]) -> None:
        self._cursor = cursor
        self._statements = statements
        self._taken = taken

    def run(self, sql: str) -> None:
        """
        Run a statement without values, such as one that begins or ends a transaction.
        """
        self._cursor.execute(sql)

    def rows(self, name: str, /, **values: Any) -> Sequence[tuple[Any, ...]]:
        statement = self._statements[name]
        self._cursor.execute(statement.sql, statement.bind(values))
        rows: Sequence[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def lookup(self, name: str, *lists: Sequence[Any]) -> Iterator[tuple[Any, ...]]:
        """
        Yield the rows for any of the keys in each list, however many keys there are.
        """
        parts: Iterable[Sequence[Sequence[Any]]] = [lists]
        if (longest := max(map(len, lists))) > MOST_KEYS:
            once = [list(dict.fromkeys(keys)) for keys in lists]  # a key in two statements would be found twice
            parts = [[keys[start : start + MOST_KEYS] for keys in once] for start in range(0, longest, MOST_KEYS)]
        for part in parts:
            if any(part):
                self._cursor.execute(*self._statements.lookup(name, part))
                yield from self._cursor.fetchall()

    def found(self, held: Sequence[bytes], suppressed: Sequence[bytes]) -> Iterable[tuple[Any, ...]]:
        """
        Return the rows for any of the idkeys: a row for each holder, with the head, and for each suppression.
        """
        packed = self._statements.found_among(held, suppressed)
        if packed is None:
            return self.lookup("found", held, suppressed)
        self._cursor.execute(*packed)
        rows: Sequence[tuple[Any, ...]] = self._cursor.fetchall()
        return rows

    def change(self, name: str, /, **values: Any) -> int:
        """
        Run a statement and return how many rows it matched.
        """
        statement = self._statements[name]
        self._cursor.execute(statement.sql, statement.bind(values))
        matched: int = self._cursor.rowcount
        return matched

    def change_each(self, name: str, rows: Sequence[Mapping[str, Any]], *, taken: ConflictError | None = None) -> int:
        """
        Run a statement once for each of *rows*, and return how many rows an update or a deletion matched in all.

        Raises:
            ConflictError: *taken*, if there is already a row with the same key.
        """
        if not rows:
            return 0
        statement = self._statements[name]
        try:
            self._cursor.executemany(statement.sql, [statement.bind(row) for row in rows])
        except self._taken:
            if taken is None:
                raise
            raise taken from None
        matched: int = self._cursor.rowcount
        return matched


class OwnSession(Session):
    """
    A connection of the store's own. Commits each statement by itself unless a transaction was begun.

    Attributes:
        broken: Whether it must not be used again.
    """

    def __init__(self, connection: Connection, statements: Statements, lock_timeout: str) -> None:
        # PostgreSQL writes bytes as text otherwise, which takes both ends longer.
        options = {"binary": True} if connection.dialect.name == "postgresql" else {}
        cursor = connection.connection.cursor(**options)
        super().__init__(cursor, statements, connection.dialect.loaded_dbapi.IntegrityError)
        self.connection = connection
        self.broken = False
        self._lock_timeout = lock_timeout

    def empty_log(self, *, patient: bool) -> bool:
        """
        Move everything from SQLite's log into the file and empty the log. False if another connection prevented it.
        """
        if not patient:
            self.run("PRAGMA busy_timeout = 0")
        try:
            self._cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            busy: int = self._cursor.fetchone()[0]
        finally:
            self.run(self._lock_timeout)
        return not busy


class Database:
    """
    Runs work on a database. Safe to share between threads, and usable in a child process after a fork.

    Args:
        connections: How many connections are open at once, at most.
        wait: How long to wait for a free connection, and for other writers.
    """

    def __init__(self, url_or_engine: str | URL | Engine, *, connections: int, wait: timedelta) -> None:
        if connections < 1:
            raise ConfigurationError("a store needs at least one connection")
        if not timedelta(0) < wait <= _LONGEST_WAIT:
            raise ConfigurationError("the time to wait must be more than nothing and at most a day")
        self._most, self._wait = connections, wait.total_seconds()
        self._own = not isinstance(url_or_engine, Engine)
        self._engine = url_or_engine if isinstance(url_or_engine, Engine) else _engine(url_or_engine)
        dialect = self._engine.dialect
        if dialect.name not in _BEGIN:
            raise ConfigurationError(f"{dialect.name} is not supported: use SQLite, PostgreSQL, MariaDB or MySQL")
        self._sqlite = dialect.name == "sqlite"
        if self._sqlite and self._engine.url.database in (None, "", ":memory:"):
            raise ConfigurationError("an SQLite store needs a file; to keep nothing, use MemoryStorage()")
        self._begin = _BEGIN[dialect.name]
        self._lock_timeout = _LOCK_TIMEOUT[dialect.name].format(
            milliseconds=ceil(self._wait * 1000), seconds=ceil(self._wait)
        )
        ours = self._own or self._sqlite
        self._settings = (self._lock_timeout, *_SETTINGS[dialect.name]) if ours else ()
        self.dialect = dialect
        self._statements = Statements(dialect)
        self._of_drivers = {dialect.driver: self._statements}
        self._dbapi_error: type[Exception] = dialect.loaded_dbapi.Error
        self._abandoned: list[list[OwnSession]] = []
        self._start()

    def _start(self) -> None:
        self._process = os.getpid()
        self._idle: list[OwnSession] = []
        # One permit for each connection that may be open. A queue, because a semaphore costs more than a short read.
        self._permits: SimpleQueue[None] = SimpleQueue()
        for _ in range(self._most):
            self._permits.put(None)
        self._prepared = False
        self._preparing = threading.Lock()
        self._writing = threading.Lock()
        # Whether SQLite's log may hold erased values: a process may have died before it could empty it.
        self._residue = True

    def close(self) -> None:
        """
        Close every connection that is not in use.
        """
        self._check_fork()
        while self._idle:
            self._idle.pop().connection.close()
        if self._own:
            self._engine.dispose()

    def read(self, work: Callable[[Session], T]) -> T:
        """
        Return the result of *work*. Each statement sees what was committed when it began.

        Raises:
            StorageUnavailableError: The database cannot be reached, its connections keep breaking, or no connection
                became free in time.
        """
        self._check_fork()
        return self._repeat(work)

    def write_for_good(self, work: Callable[[Session], T]) -> T:
        """
        Do *work* as `write` does. Nothing undoes it, also where this store takes part in a transaction of the host's.
        """
        return self.write(work)

    def write(self, work: Callable[[Session], T], *, erase: bool = False) -> T:
        """
        Do *work* in one transaction, durable on return. Repeated from the start if another writer was in the way.

        Args:
            erase: Leave no copy of what was deleted in SQLite's files.

        Raises:
            ConflictError: *work* raised it. On databases other than SQLite it is raised after a short random time.
            StorageUnavailableError: The database cannot be reached, no connection became free or other writers were in
                the way for too long, or the connection broke. If it broke during the commit, it is unknown whether
                anything was written.
        """
        self._check_fork()
        # SQLite allows one writer at a time and makes the others sleep and retry. Threads wait here instead.
        with self._alone(self._writing) if self._sqlite else nullcontext():
            try:
                result = self._repeat(lambda session: self._transact(session, work))
            except ConflictError:
                if not self._sqlite:
                    pause(1)
                raise
            if self._sqlite and (erase or self._residue):
                self._residue = not self._repeat(lambda session: session.empty_log(patient=erase))
                if self._residue:
                    _log.warning("erased values remain in the log of the SQLite file until no reader is active")
        return result

    @contextmanager
    def _alone(self, lock: threading.Lock) -> Iterator[None]:
        """
        Hold *lock*, unless another thread keeps it for too long.
        """
        if not lock.acquire(timeout=self._wait):
            raise self._in_the_way("in this process")
        try:
            yield
        finally:
            lock.release()

    # ---- attempts

    def _check_fork(self) -> None:
        if os.getpid() != self._process:
            # Closing the parent's sessions would end the parent's connections, so they are kept and never used.
            self._abandoned.append(self._idle)
            self._engine.dispose(close=False)
            self._start()

    def _repeat(self, work: Callable[[OwnSession], T]) -> T:
        deadline = time.monotonic() + self._wait
        attempt = 0
        while True:
            session = None
            try:
                session = self._acquire()
                return work(session)
            except (self._dbapi_error, DBAPIError) as error:
                failure = error.orig if isinstance(error, DBAPIError) else error
                lost = session is not None and self._is_lost(failure, session)
                if not (lost or code_of(failure) in RETRIED) or time.monotonic() > deadline:
                    raise self.translated(failure) from None
            except PoolTimeoutError:
                raise self._all_in_use() from None
            except OptlyError:
                raise
            except BaseException:
                if session is not None:
                    session.broken = True  # an interrupt may have left part of a reply unread
                raise
            finally:
                if session is not None:
                    self._release(session)
            pause(attempt)
            attempt += 1

    def _transact(self, session: OwnSession, work: Callable[[Session], T]) -> T:
        session.run(self._begin)
        try:
            result = work(session)
        except BaseException:
            self._roll_back(session)
            raise
        try:
            session.run("COMMIT")
        except self._dbapi_error as error:
            if self._is_lost(error, session):
                raise StorageUnavailableError("the connection broke during a commit") from None
            self._roll_back(session)
            raise
        return result

    def _roll_back(self, session: OwnSession) -> None:
        try:
            session.run("ROLLBACK")
        except self._dbapi_error:
            session.broken = True

    def _is_lost(self, error: Any, session: OwnSession) -> bool:
        lost = self._engine.dialect.is_disconnect(error, session.connection.connection.dbapi_connection, None)
        if lost:
            session.broken = True
            # The others were most likely lost with it.
            while self._idle:
                self._discard(self._idle.pop())
        return lost

    # ---- sessions

    def _acquire(self) -> OwnSession:
        if not self._prepared:
            self._prepare()
        try:
            self._permits.get(timeout=self._wait)
        except Empty:
            raise self._all_in_use() from None
        try:
            return self._idle.pop()
        except IndexError:
            pass
        try:
            return self._open()
        except BaseException:
            self._permits.put(None)
            raise

    def _open(self) -> OwnSession:
        connection = self._engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        session = OwnSession(connection, self._statements, self._lock_timeout)
        if not connection.info.get("optly"):
            for setting in self._settings:
                session.run(setting)
            connection.info["optly"] = True
        return session

    def _release(self, session: OwnSession) -> None:
        try:
            if session.broken:
                self._discard(session)
            elif self._own:
                self._idle.append(session)
            else:
                session.connection.close()
        finally:
            self._permits.put(None)

    def _discard(self, session: OwnSession) -> None:
        with suppress(Exception):
            session.connection.invalidate()
        with suppress(Exception):
            session.connection.close()

    def _prepare(self) -> None:
        """
        Create or check the tables, once in each process. To create them is logged: where there should be a record, an
        empty database has no stops in it.
        """
        with self._alone(self._preparing):
            if self._prepared:
                return
            created = False
            with self._engine.connect() as connection:
                for attempt in range(_ATTEMPTS):
                    try:
                        with connection.begin():
                            if self._own:
                                connection.exec_driver_sql(self._lock_timeout)
                            created = _create_missing(connection, begin=self._own and self._sqlite)
                        break
                    except DBAPIError as error:
                        # Most likely another process is creating the same tables now.
                        hopeless = connection.invalidated or code_of(error.orig) in _DAMAGED | _TIMED_OUT
                        if hopeless or attempt == _ATTEMPTS - 1:
                            raise
                        pause(attempt)
            if created:
                _log.warning("a new, empty database was set up")
            self._prepared = True

    def distribute(self, statements: Iterable[tuple[Table, str]]) -> Sequence[str]:
        """
        Run those statements whose table is not distributed by Citus yet, each by itself, and return them.
        """
        self._check_fork()
        if not self._prepared:
            self._prepare()
        try:
            with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                if self._engine.dialect.name != "postgresql" or not connection.scalar(_CITUS):
                    raise ConfigurationError("the database is not one of Citus: CREATE EXTENSION citus on each server")
                if self._own:
                    connection.exec_driver_sql(self._lock_timeout)
                done = set(connection.scalars(_DISTRIBUTED))
                missing = [statement for table, statement in statements if table.name not in done]
                for statement in missing:
                    connection.exec_driver_sql(statement)
                return missing
        except DBAPIError as error:
            raise self.translated(error.orig) from None

    def statements(self, dialect: Dialect) -> Statements:
        """
        Return the statements for a connection of the host's.
        """
        if dialect.driver not in self._of_drivers:
            self._of_drivers[dialect.driver] = Statements(dialect)
        return self._of_drivers[dialect.driver]

    def leave_residue(self) -> None:
        """
        Empty SQLite's log with the next change, because it may hold erased values.
        """
        self._residue = True

    def translated(self, error: Any) -> OptlyError:
        """
        Return what is raised in the place of a driver's error.
        """
        # The driver's message may quote values, so only the error's name and code are passed on.
        what = f"{type(error).__name__} {code_of(error) or ''}".strip()
        dbapi = self._engine.dialect.loaded_dbapi
        # An error without SQLite's own code is from Python's driver: text that is not UTF-8.
        unreadable = self._sqlite and isinstance(error, dbapi.OperationalError) and code_of(error) is None
        if code_of(error) in RETRIED | _TIMED_OUT:
            return self._in_the_way(what)
        if unreadable or code_of(error) in _DAMAGED:
            return DamagedError(f"the SQLite file cannot be read ({what})")
        if isinstance(error, dbapi.ProgrammingError):
            return ConfigurationError(f"the database refused a statement: check the user's rights ({what})")
        return StorageUnavailableError(f"the database cannot be used ({what})")

    def _in_the_way(self, what: str) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"other writers were in the way for longer than {self._wait:g} s ({what}): try again, and see who holds a "
            "lock on Optly's tables"
        )

    def _all_in_use(self) -> StorageUnavailableError:
        return StorageUnavailableError(
            f"no connection to the database became free in time ({self._most} are allowed, for {self._wait:g} s): try "
            "again, or allow more"
        )


def _create_missing(connection: Connection, *, begin: bool) -> bool:
    """
    Create the tables if there are none, and return whether they were created.

    Args:
        begin: Whether the driver has begun no transaction and would commit, and sync, each table by itself.

    Raises:
        ConfigurationError: They are of another version.
    """
    known = _schema.schema_version
    found = connection.scalar(select(known.c.version)) if inspect(connection).has_table(known.name) else None
    if found is None:
        if begin:
            connection.exec_driver_sql(_BEGIN["sqlite"])
        _schema.metadata.create_all(connection)
        connection.execute(insert(known).values(version=_schema.VERSION))
    elif found < _schema.VERSION:
        raise ConfigurationError(f"the database has schema {found}, from before 0.1: create a new one")
    elif found > _schema.VERSION:
        raise ConfigurationError(
            f"the database has schema {found}, this Optly supports {_schema.VERSION}: upgrade Optly"
        )
    return found is None


def _engine(url: str | URL) -> Engine:
    try:
        parsed = make_url(url)
        parsed = parsed.set(drivername=_DRIVERS.get(parsed.drivername, parsed.drivername))
        kind = parsed.get_backend_name()
        options = {"connect_args": {"check_same_thread": False}} if kind == "sqlite" else {}
        return create_engine(parsed, poolclass=NullPool, **options)
    except ArgumentError:  # including NoSuchModuleError; its message repeats the URL with the password
        raise ConfigurationError("this is not a database URL, such as sqlite:///optly.db") from None
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get(kind, "sql")
        raise ConfigurationError(f"{error.name} is missing: pip install 'optly[{extra}]'") from None
