"""
The host's own transaction: the statements of the SQL store on a connection that the host opened, and will commit.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, Final, TypeVar

import attrs
from sqlalchemy import Connection, Dialect, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from optly.errors import UsageError
from optly.storage._database import Database, Session

T = TypeVar("T")

# The drivers whose cursors take the store's statements and return its rows, as tests show.
_DRIVERS: Final = frozenset({"pysqlite", "aiosqlite", "psycopg", "pymysql"})
_IDLE: Final = 0  # of psycopg and libpq: outside a transaction
_MYSQL_IN_TRANSACTION: Final = 1  # a flag of the server's status


@attrs.frozen
class _Opened:
    """
    A connection of the host, as it is now.

    Attributes:
        driver: The driver's own connection.
        cursor: Returns a cursor of it, whose rows are tuples.
    """

    driver: Any
    cursor: Callable[[], Any]
    dialect: Dialect

    @property
    def in_transaction(self) -> bool:
        match self.dialect.name:
            case "sqlite":
                return bool(self.driver.in_transaction)
            case "postgresql":
                return bool(self.driver.info.transaction_status != _IDLE)
        return bool(self.driver.server_status & _MYSQL_IN_TRANSACTION)

    @property
    def commits_itself(self) -> bool:
        """
        Whether each statement is committed unless a transaction was begun.
        """
        match self.dialect.name:
            case "sqlite":
                return self.driver.isolation_level is None
            case "postgresql":
                return bool(self.driver.autocommit)
        return bool(self.driver.get_autocommit())


class HostDatabase:
    """
    Runs work on the host's connection, which the host commits or rolls back. Each write has a savepoint, so that one
    that came second leaves nothing behind and is repeated.

    Args:
        own: The database as the store uses it by itself.

    Raises:
        UsageError: The connection is not one to such a database.
    """

    def __init__(self, own: Database, connection: object) -> None:
        self._own = own
        dialect, self._open = _opener(connection, own.dialect)
        if _kind(dialect) != _kind(own.dialect):
            raise UsageError(f"the connection is to {dialect.name}, and the store is in {own.dialect.name}")
        if dialect.driver not in _DRIVERS:
            raise UsageError(f"{dialect.driver} is not supported: use psycopg, PyMySQL, sqlite3 or aiosqlite")

    def close(self) -> None:
        """
        Do nothing: the connection is the host's.
        """

    def read(self, work: Callable[[Session], T]) -> T:
        """
        Return the result of *work*, which sees what the host's transaction has changed.

        Raises:
            StorageUnavailableError: The database cannot be reached, or the host's transaction has failed.
        """
        return self._run(work, writes=False)

    def write(self, work: Callable[[Session], T], *, erase: bool = False) -> T:
        """
        Do *work* or nothing of it, to be committed with the host's transaction.

        Raises:
            ConflictError: *work* raised it.
            StorageUnavailableError: As for `read`, or another writer was in the way.
        """

        def attempt(session: Session) -> T:
            session.run("SAVEPOINT optly")
            try:
                result = work(session)
            except BaseException:
                with suppress(Exception):  # the connection, or the whole transaction, may be gone
                    session.run("ROLLBACK TO SAVEPOINT optly")
                    session.run("RELEASE SAVEPOINT optly")
                raise
            session.run("RELEASE SAVEPOINT optly")
            return result

        if erase:
            self._own.leave_residue()
        return self._run(attempt, writes=True)

    def write_for_good(self, work: Callable[[Session], T]) -> T:
        """
        Do *work* on a connection of the store's own, where the host cannot undo it. SQLite has one writer at a time:
        while the host may be that, it is done in the host's transaction.
        """
        if self._own.dialect.name == "sqlite" and self._open().in_transaction:
            return self.write(work)
        return self._own.write_for_good(work)

    def _run(self, work: Callable[[Session], T], *, writes: bool) -> T:
        opened = self._open()
        errors = opened.dialect.loaded_dbapi
        try:
            with closing(opened.cursor()) as cursor:
                if not opened.in_transaction:
                    _begin(opened, cursor, writes=writes)
                return work(Session(cursor, self._own.statements(opened.dialect), errors.IntegrityError))
        except errors.Error as error:
            raise self._own.translated(error) from None
        except DBAPIError as error:
            raise self._own.translated(error.orig) from None


def _begin(opened: _Opened, cursor: Any, *, writes: bool) -> None:
    """
    Begin a transaction where the driver would not, so that a savepoint is not one by itself, which commits.

    Raises:
        UsageError: The connection is in none, and commits each statement.
    """
    if opened.commits_itself:
        raise UsageError("the connection commits every statement by itself: begin a transaction first")
    if writes and opened.dialect.name == "sqlite":
        cursor.execute("BEGIN IMMEDIATE")


def _kind(dialect: Dialect) -> str:
    return "mysql" if dialect.name == "mariadb" else dialect.name


def _opener(given: object, own: Dialect) -> tuple[Dialect, Callable[[], _Opened]]:
    """
    Return the dialect of a connection, and what looks at it as it is when it is used: a session may change it at each
    commit.

    Raises:
        UsageError: It is no connection.
    """
    orm, psycopg = sys.modules.get("sqlalchemy.orm"), sys.modules.get("psycopg")
    if isinstance(given, Connection):
        return given.dialect, lambda: _of_sqlalchemy(lambda: given)
    if orm is not None and isinstance(given, orm.Session | orm.scoped_session):
        return _bound(given).dialect, lambda: _of_sqlalchemy(given.connection)
    if psycopg is not None and isinstance(given, psycopg.Connection):
        return own, lambda: _Opened(given, lambda: given.cursor(row_factory=psycopg.rows.tuple_row), own)
    raise UsageError(
        f"{type(given).__name__} is not a connection that this takes: pass a Connection or a Session of SQLAlchemy, or "
        "a connection of psycopg; an asynchronous one goes to AsyncConsentManager"
    )


def _bound(session: Any) -> Any:
    """
    Raises:
        UsageError: A session is to no database, or to a different one for each table.
    """
    try:
        return session.get_bind()
    except SQLAlchemyError:
        raise UsageError("the session has no database of its own: pass the Connection that it uses") from None


def _of_sqlalchemy(connect: Callable[[], Connection]) -> _Opened:
    """
    Raises:
        UsageError: It was closed, or its transaction has failed.
    """
    try:
        connection = connect()
        if not connection.in_transaction():
            connection.begin()  # as its own statements would, so that its commit() commits
        fairy = connection.connection
        return _Opened(fairy.driver_connection, fairy.cursor, connection.dialect)
    except DBAPIError:
        raise
    except SQLAlchemyError as error:
        raise UsageError(f"the connection cannot be used ({type(error).__name__})") from None


def commit_hook(connection: object) -> Callable[[Callable[[], object]], object] | None:
    """
    Return what has a function called once after the outermost commit of a session; None for anything else.
    """
    orm = sys.modules.get("sqlalchemy.orm")
    if orm is None or not isinstance(connection, orm.Session | orm.scoped_session):
        return None
    session = connection() if isinstance(connection, orm.scoped_session) else connection

    waiting: list[Callable[[], object]] | None = session.info.get("optly")
    if waiting is None:
        waiting = session.info["optly"] = []
        event.listen(session, "after_commit", _committed)
        event.listen(session, "after_soft_rollback", _rolled_back)
    return waiting.append


def _committed(session: Any) -> None:
    waiting = session.info["optly"]
    while waiting and not session.in_nested_transaction():
        waiting.pop(0)()


def _rolled_back(session: Any, _transaction: Any) -> None:
    if not session.in_transaction():
        session.info["optly"].clear()
