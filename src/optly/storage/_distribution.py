"""
How the tables are distributed over several servers.

A table of a group is sharded by the group's column, and rows of one group that have the same key are on the same
server: a contact with its events, values and messages; an address with its holders and stops. Every unique key has to
contain the column. What is small and belongs to no key is copied to each server.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from sqlalchemy import Column, Table

from optly.storage import _schema as t

# The tables that shard by each column, the first of which the others are placed with.
GROUPS: Final[Sequence[tuple[str, Sequence[Table]]]] = (
    ("subject_id", (t.heads, t.events, t.personal, t.outbox)),
    ("idkey", (t.identifiers, t.references, t.suppressions)),
    ("code_key", (t.codes, t.counters)),
    ("digest", (t.wordings,)),
    ("organisation", (t.logs, t.leaves, t.tiles, t.complaints)),
)
COPIED: Final[Sequence[Table]] = (t.key_versions, t.schema_version)

SHARD_KEYS: Final[Mapping[Table, Column[object]]] = {table: table.c[key] for key, tables in GROUPS for table in tables}


def for_citus() -> Iterator[tuple[Table, str]]:
    """
    Yield each table with the statement that distributes it in Citus, in the order to run them in.

    Source: https://docs.citusdata.com/en/stable/develop/api_udf.html (read 2026-11-29).
    """
    for key, (first, *others) in GROUPS:
        yield first, f"SELECT create_distributed_table('{first.name}', '{key}', colocate_with => 'none')"
        for table in others:
            yield table, f"SELECT create_distributed_table('{table.name}', '{key}', colocate_with => '{first.name}')"
    for table in COPIED:
        yield table, f"SELECT create_reference_table('{table.name}')"
