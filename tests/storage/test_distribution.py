"""
How the tables are distributed over several servers, and on how many of them a statement runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from services import fresh_database
from sharding import SCATTERED, scattered
from sqlalchemy import Dialect, PrimaryKeyConstraint, Table, UniqueConstraint, create_engine, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.pool import NullPool

from optly.errors import ConfigurationError, StorageUnavailableError
from optly.storage import SQLStorage, _statements
from optly.storage._distribution import COPIED, SHARD_KEYS
from optly.storage._schema import metadata
from optly.testing.storage import Contact

# By what each table is sharded, and with which it has to be on the same server.
WANTED = {
    "heads": ("subject_id", "none"),
    "events": ("subject_id", "optly_heads"),
    "personal": ("subject_id", "optly_heads"),
    "outbox": ("subject_id", "optly_heads"),
    "identifiers": ("idkey", "none"),
    "references": ("idkey", "optly_identifiers"),
    "suppressions": ("idkey", "optly_identifiers"),
    "codes": ("code_key", "none"),
    "counters": ("code_key", "optly_codes"),
    "wordings": ("digest", "none"),
    "logs": ("organisation", "none"),
    "leaves": ("organisation", "optly_logs"),
    "tiles": ("organisation", "optly_logs"),
    "complaints": ("organisation", "optly_logs"),
}
COPIED_TO_ALL = {"key_versions", "schema_version"}
DIALECTS: dict[str, Dialect] = {"sqlite": sqlite.dialect(), "postgres": postgresql.dialect()}  # type: ignore[no-untyped-call]


# ---- tables


def test_every_table_has_its_place() -> None:
    """
    Also one that is new: whoever adds it says by what it is sharded, or that it is copied to all servers.
    """
    assert WANTED.keys() | COPIED_TO_ALL == {name.removeprefix("optly_") for name in metadata.tables}
    assert {f"optly_{name}": key for name, (key, _) in WANTED.items()} == {
        table.name: column.name for table, column in SHARD_KEYS.items()
    }
    assert {f"optly_{name}" for name in COPIED_TO_ALL} == {table.name for table in COPIED}


@pytest.mark.parametrize("table", SHARD_KEYS, ids=str)
def test_every_unique_key_contains_the_shard_key(table: Table) -> None:
    """
    A server cannot see whether another has the same value. No table refers to another.
    """
    constraints = [key for key in table.constraints if isinstance(key, PrimaryKeyConstraint | UniqueConstraint)]
    unique = [*constraints, *(index for index in table.indexes if index.unique)]
    assert unique
    assert all(SHARD_KEYS[table].name in key.columns for key in unique)
    assert not table.foreign_keys


def test_the_statements_for_citus() -> None:
    """
    One for each table, and the table that others are placed with comes before them.
    """
    assert SQLStorage.distribution() == [
        *(
            f"SELECT create_distributed_table('optly_{name}', '{key}', colocate_with => '{beside}')"
            for name, (key, beside) in WANTED.items()
        ),
        *(f"SELECT create_reference_table('optly_{name}')" for name in sorted(COPIED_TO_ALL)),
    ]


# ---- statements


def statements(dialect: str) -> Iterator[tuple[str, str]]:
    """
    Yield every statement of a distributed store by its name, compiled, with few keys and with many.
    """
    fixed: dict[str, Any] = {**_statements.STATEMENTS, **_statements.ROWS}
    fixed.update({name: _statements.upsert(DIALECTS[dialect], name) for name in _statements.UPSERTS})
    built = list(fixed.items())
    for name, build in _statements.LOOKUPS.items():
        if name != "found":
            lists = build.__code__.co_argcount
            built += [(name, build(*counts)) for counts in ([2] * lists, [32] * lists)]
    for name, statement in built:
        yield name, str(statement.compile(dialect=DIALECTS[dialect]))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_statement_runs_where_its_keys_are(dialect: str) -> None:
    """
    It binds the shard key of each table it names. Those that run on every shard are listed, and no more than those.
    """
    assert {name for name, sql in statements(dialect) if scattered(sql, dialect)} == SCATTERED


def test_addresses_and_contacts_are_joined_only_where_they_are_together() -> None:
    """
    A store on one server has a statement for it, and a distributed store another.
    """
    joined = str(_statements.LOOKUPS["found"](1, 3))
    assert scattered(joined, "postgres") == {"optly_heads", "optly_events"}
    assert not [name for name, sql in statements("postgres") if " JOIN " in sql]


@pytest.mark.parametrize(
    ("sql", "tables"),
    [
        ("SELECT 1 FROM optly_heads WHERE subject_id = ?", set()),
        ("SELECT 1 FROM optly_heads WHERE subject_id IN (?, ?) AND version > 1", set()),
        ("SELECT 1 FROM optly_heads", {"optly_heads"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id > ?", {"optly_heads"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id <> ?", {"optly_heads"}),
        ("SELECT 1 FROM optly_heads WHERE NOT subject_id = ?", {"optly_heads"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id = ? OR version = ?", {"optly_heads"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id = hash", {"optly_heads"}),
        ("SELECT 1 FROM optly_leaves WHERE subject_id = ?", {"optly_leaves"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id IN (SELECT subject_id FROM optly_leaves)",
         {"optly_heads", "optly_leaves"}),
        ("SELECT 1 FROM optly_heads, optly_events WHERE optly_heads.subject_id = ?", {"optly_events"}),
        ("SELECT (SELECT max(seq) FROM optly_events WHERE optly_events.subject_id = optly_heads.subject_id) "
         "FROM optly_heads WHERE optly_heads.subject_id = ?", set()),
        ("SELECT (SELECT max(seq) FROM optly_events WHERE optly_events.subject_id = optly_heads.hash) "
         "FROM optly_heads WHERE optly_heads.subject_id = ?", {"optly_events"}),
        ("SELECT 1 FROM optly_heads WHERE subject_id = ? UNION ALL SELECT 1 FROM optly_codes", {"optly_codes"}),
        ("UPDATE optly_heads SET version = 1 WHERE hash = ?", {"optly_heads"}),
        ("DELETE FROM optly_codes WHERE subject_id = ?", {"optly_codes"}),
        ("INSERT INTO optly_heads (version) VALUES (?)", {"optly_heads"}),
        ("INSERT INTO optly_heads (subject_id, version) VALUES (?, ?)", set()),
        ("SELECT 1 FROM optly_key_versions", set()),
    ],
)  # fmt: skip
def test_what_is_not_bound_is_seen(sql: str, tables: set[str]) -> None:
    """
    In each place where a table can be named.
    """
    assert scattered(sql, "sqlite") == tables


# ---- on a server

# Stands in for the functions of Citus that are called: refuses what Citus refuses, and moves nothing.
STAND_IN = """
CREATE TABLE pg_dist_partition (logicalrelid regclass PRIMARY KEY);
CREATE FUNCTION create_distributed_table(
    table_name regclass, distribution_column text, distribution_type text DEFAULT 'hash',
    colocate_with text DEFAULT 'default', shard_count int DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE shard_key int2 = (
    SELECT attnum FROM pg_attribute WHERE attrelid = table_name AND attname = distribution_column
);
BEGIN
    IF EXISTS (SELECT FROM pg_index WHERE indrelid = table_name AND indisunique AND NOT shard_key = ANY (indkey)) THEN
        RAISE EXCEPTION 'cannot create constraint on "%"', table_name USING ERRCODE = 'feature_not_supported';
    END IF;
    IF colocate_with NOT IN ('default', 'none')
        AND NOT EXISTS (SELECT FROM pg_dist_partition WHERE logicalrelid = colocate_with::regclass) THEN
        RAISE EXCEPTION 'relation "%" is not distributed', colocate_with;
    END IF;
    INSERT INTO pg_dist_partition VALUES (table_name);
END $$;
CREATE FUNCTION create_reference_table(table_name regclass) RETURNS void LANGUAGE sql AS $$
    INSERT INTO pg_dist_partition VALUES (table_name)
$$;
"""


@pytest.mark.server
def test_tables_are_distributed_once() -> None:
    """
    Those that are distributed already are left as they are, so the call is repeated after an error or an upgrade.
    """
    with fresh_database("postgresql") as url:
        storage = SQLStorage(url, distributed=True)
        with pytest.raises(ConfigurationError, match="EXTENSION"):
            storage.distribute()
        engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        with engine.connect() as connection:
            connection.connection.cursor().execute(STAND_IN)
            connection.execute(text("ALTER TABLE optly_codes ADD CONSTRAINT other UNIQUE (subject_id)"))
            with pytest.raises(StorageUnavailableError, match="FeatureNotSupported"):
                storage.distribute()
            connection.execute(text("ALTER TABLE optly_codes DROP CONSTRAINT other"))
            every = SQLStorage.distribution()
            assert storage.distribute() == every[7:]
            assert storage.distribute() == []
            connection.execute(text("DELETE FROM pg_dist_partition WHERE logicalrelid = 'optly_tiles'::regclass"))
            assert storage.distribute() == [statement for statement in every if "optly_tiles" in statement]
        storage.append([Contact("acme").commit()])
        storage.close()


def test_only_a_store_for_distributed_tables_distributes_them(tmp_path: Path) -> None:
    """
    Another would join what is on different servers; and SQLite has one only.
    """
    for distributed, what in ((False, "distributed=True"), (True, "Citus")):
        storage = SQLStorage(f"sqlite:///{tmp_path}/optly.db", distributed=distributed)
        with pytest.raises(ConfigurationError, match=what):
            storage.distribute()
        storage.close()
