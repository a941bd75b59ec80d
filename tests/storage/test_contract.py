"""
The contract, over every store that is shipped.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from services import fresh_database, fresh_schema_on_citus
from sharding import SCATTERED, scattered
from stores import ON_DISK, opened

from optly.protocols import Storage
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.storage._database import Session
from optly.storage._statements import Compiled, Statements
from optly.testing.storage import DurableStorageContract, Opener, StorageContract


class TestMemoryStorage(StorageContract):
    @pytest.fixture
    def storage(self) -> Storage:
        return MemoryStorage()


class TestFileStorage(DurableStorageContract):
    shared = False

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(FileStorage, tmp_path / "optly.jsonl")


class TestSQLite(DurableStorageContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(SQLStorage, f"sqlite:///{tmp_path}/optly.db")


@pytest.mark.slow
class TestSQLiteApart(DurableStorageContract):
    """
    As it runs where the tables are distributed over servers. Whatever it runs binds the shard keys, or is on the list.
    """

    @pytest.fixture
    def opener(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Opener]:
        ran: set[tuple[str, str]] = set()
        get, look_up, run = Statements.__getitem__, Statements.lookup, Session.run

        def recorded_get(statements: Statements, name: str) -> Compiled:
            compiled = get(statements, name)
            ran.add((name, compiled.sql))
            return compiled

        def recorded_lookup(statements: Statements, name: str, lists: Sequence[Sequence[Any]]) -> tuple[str, Any]:
            sql, values = look_up(statements, name, lists)
            ran.add((name, sql))
            return sql, values

        def recorded_run(session: Session, sql: str) -> None:
            ran.add(("run", sql))
            run(session, sql)

        monkeypatch.setattr(Statements, "__getitem__", recorded_get)
        monkeypatch.setattr(Statements, "lookup", recorded_lookup)
        monkeypatch.setattr(Session, "run", recorded_run)
        yield partial(SQLStorage, f"sqlite:///{tmp_path}/optly.db", distributed=True)
        assert {name for name, sql in ran if "optly_" in sql and scattered(sql, "sqlite")} <= SCATTERED


class OnServer(DurableStorageContract):
    """
    The contract over one database on a server, made once for all of the tests.
    """

    kind: str

    @pytest.fixture(scope="class")
    @classmethod
    def url(cls) -> Iterator[str]:
        with fresh_database(cls.kind) as url:
            yield url

    @pytest.fixture
    def opener(self, url: str) -> Opener:
        return partial(SQLStorage, url)


@pytest.mark.server
class TestPostgreSQL(OnServer):
    kind = "postgresql"


@pytest.mark.server
class TestMariaDB(OnServer):
    kind = "mysql"


if "OPTLY_TEST_CITUS" in os.environ:

    @pytest.mark.server
    class TestCitus(OnServer):
        @pytest.fixture(scope="class")
        @classmethod
        def url(cls) -> Iterator[str]:
            with fresh_schema_on_citus() as url:
                storage = SQLStorage(url, distributed=True)
                assert storage.distribute() == SQLStorage.distribution()
                storage.close()
                yield url

        @pytest.fixture
        def opener(self, url: str) -> Opener:
            return partial(SQLStorage, url, distributed=True)

else:

    @pytest.mark.skip(reason="Citus is not to be had; name a database with the extension in OPTLY_TEST_CITUS")
    def test_the_contract_on_citus() -> None:
        """
        Not required like the other servers: no system that the tests run on packages it.
        """


@pytest.mark.parametrize("kind", ON_DISK)
def test_a_store_that_was_not_there_is_reported(kind: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """
    Once. Where a record is expected, an empty store is one without its stops, such as that of a wrong directory.
    """
    for reports in (1, 1):
        storage = opened(kind, tmp_path)
        assert [] == list(storage.subjects("acme"))
        storage.close()
        assert reports == [record.levelname for record in caplog.records].count("WARNING")
        assert str(tmp_path) not in caplog.text
