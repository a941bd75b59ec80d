"""
Which shard keys a statement binds, read from its SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from functools import cache

from sqlglot import exp, parse_one

from optly.protocols import RowKind
from optly.storage._distribution import SHARD_KEYS

# The statements that run on every shard, because they do not bind the shard key.
SCATTERED = {
    # what is due or has served its time, some at a time
    *("due", "overdue", "messages", "ended_messages", "expired_codes", "expired_counters", "unsealed"),
    # lists of everything, page by page
    *("subjects", *(f"all_{kind}" for kind in RowKind)),
    # counts
    *("backlog", "contacts", "events_of_all", "personal_of_all", "ended_since"),
    *("suppressions", "codes", "wordings_kept"),
    # what is erased or revoked by contact in tables that are sharded by something else
    *("forget_identifiers", "forget_references", "codes_of", "forget_codes"),
}
KEYS: Mapping[str, str] = {table.name: column.name for table, column in SHARD_KEYS.items()}


@cache
def scattered(sql: str, dialect: str) -> frozenset[str]:
    """
    Return the tables, of those that are distributed, whose shard key a statement does not bind: by equality with a
    value, by IN with values, or by equality with a shard key that is bound.
    """
    statement = parse_one(sql, dialect=dialect)
    if isinstance(statement, exp.Insert):
        columns = {column.name for column in statement.this.expressions}
        return frozenset(name for name in _sharded([statement.this.this]) if KEYS[name] not in columns)
    return frozenset(_unbound(statement, {}))


def _sharded(tables: Collection[exp.Expr]) -> Iterator[str]:
    yield from (table.name for table in tables if isinstance(table, exp.Table) and table.name in KEYS)


def _unbound(statement: exp.Expr, outside: Mapping[str, str]) -> Iterator[str]:
    """
    Args:
        outside: Tables of the statements around this one whose shard key is bound, with it.
    """
    if isinstance(statement, exp.SetOperation):
        for part in (statement.this, statement.expression):
            yield from _unbound(part, outside)
        return
    if isinstance(statement, exp.Select):
        joins = statement.args.get("joins") or []
        tables = [statement.args["from_"].this, *(join.this for join in joins)]
    else:
        tables = [statement.this]
    where = statement.args.get("where")
    bound = {
        name: KEYS[name]
        for name in _sharded(tables)
        if where is not None and _binds(where.this, name, KEYS[name], outside, alone=len(tables) == 1)
    }
    yield from (name for name in _sharded(tables) if name not in bound)
    for inner in statement.find_all(exp.Select):
        if inner is not statement and inner.find_ancestor(exp.Select, exp.Update, exp.Delete) is statement:
            yield from _unbound(inner, {**outside, **bound})


def _binds(condition: exp.Expr, table: str, key: str, outside: Mapping[str, str], *, alone: bool) -> bool:
    def binds(part: exp.Expr) -> bool:
        return _binds(part, table, key, outside, alone=alone)

    def is_key(part: exp.Expr) -> bool:
        return isinstance(part, exp.Column) and part.name == key and (part.table == table or (alone and not part.table))

    def is_given(part: exp.Expr) -> bool:
        if isinstance(part, exp.Column):
            return outside.get(part.table) == part.name
        return not list(part.find_all(exp.Column, exp.Select))

    match condition:
        case exp.Paren():
            return binds(condition.this)
        case exp.And():
            return binds(condition.this) or binds(condition.expression)
        case exp.Or():
            return binds(condition.this) and binds(condition.expression)
        case exp.EQ():
            return is_key(condition.this) and is_given(condition.expression)
        case exp.In():
            values = condition.expressions
            return is_key(condition.this) and bool(values) and all(map(is_given, values))
        case _:
            return False
