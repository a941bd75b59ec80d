"""
The contract, over every store that is shipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from services import fresh_database
from stores import ON_DISK, opened

from optly.protocols import Storage
from optly.storage import FileStorage, MemoryStorage, SQLStorage
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
    As it runs where the tables are spread over servers.
    """

    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(SQLStorage, f"sqlite:///{tmp_path}/optly.db", distributed=True)


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
