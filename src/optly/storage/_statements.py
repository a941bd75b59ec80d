"""
Every statement of the SQL store, built once at import and compiled once for each database.

Each binds the shard key of its table, by equality or by IN: the `subject_id` of a contact, the `idkey` of an address,
the `code_key` of a code, the `digest` of a wording, or the organisation. So a distributed database runs it on the
shards that hold those keys. The tests name the few that run on all shards.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any, Final

import attrs
from sqlalchemy import (
    Dialect,
    Integer,
    LargeBinary,
    Subquery,
    Table,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.expression import ClauseElement

from optly.protocols import MessageState, RowKind
from optly.storage import _schema as t

MOST_KEYS: Final = 512
_FEW: Final = 8


def _is(column: ColumnElement[Any], name: str) -> ColumnElement[bool]:
    return column == bindparam(name)


def _state(state: MessageState) -> ColumnElement[int]:
    return literal_column(str(state.value))


_of_message = (
    _is(t.outbox.c.subject_id, "contact"),
    _is(t.outbox.c.message_id, "message"),
)
_waits = t.outbox.c.state.in_([_state(state) for state in MessageState if state.waits])
# Whatever else a row says: a message that waits is never one that ended.
_ended = (
    t.outbox.c.ended_at < bindparam("before"),
    t.outbox.c.state.in_([_state(state) for state in MessageState if not state.waits]),
)
_claimed = (
    *_of_message,
    t.outbox.c.state.in_([_state(MessageState.SENDING), _state(MessageState.IN_DOUBT)]),
    _is(t.outbox.c.token, "token_"),
)
_counted: Mapping[str, ColumnElement[Any]] = {
    "lease_until": literal_column("NULL"),
    "attempts": bindparam("attempts_"),
    "tries": bindparam("tries_"),
}
_message = (
    t.outbox.c.subject_id,
    t.outbox.c.message_id,
    t.outbox.c.channel,
    t.outbox.c.due_at,
    t.outbox.c.attempts,
    t.outbox.c.tries,
    t.outbox.c.token,
    t.outbox.c.body,
    t.outbox.c.mac,
)
_code = (t.codes.c.subject_id, t.codes.c.expires_at, t.codes.c.value, t.codes.c.mac)
_live = or_(t.codes.c.expires_at.is_(None), t.codes.c.expires_at >= bindparam("now"))
_complaint = (
    t.complaints.c.reference,
    t.complaints.c.complaint_id,
    t.complaints.c.subject_id,
    t.complaints.c.due_at,
    t.complaints.c.is_open,
    t.complaints.c.reply,
    t.complaints.c.mac,
)
_next_complaints = (
    select(*_complaint)
    .where(
        _is(t.complaints.c.organisation, "of"),
        or_(
            t.complaints.c.due_at > bindparam("due"),
            and_(_is(t.complaints.c.due_at, "due"), t.complaints.c.reference > bindparam("after")),
        ),
    )
    .order_by(t.complaints.c.due_at, t.complaints.c.reference)
    .limit(bindparam("most"))
)
_last_event = select(func.max(t.events.c.seq)).where(t.events.c.subject_id == t.heads.c.subject_id).scalar_subquery()


def _count_of_all(table: Table) -> ClauseElement:
    """
    Count the rows of all contacts of an organisation.
    """
    contacts = select(t.heads.c.subject_id).where(_is(t.heads.c.organisation, "of"))
    return select(func.count()).select_from(table).where(table.c.subject_id.in_(contacts))


def _since(column: ColumnElement[int]) -> Sequence[ColumnElement[int]]:
    """
    Count the rows since each of two instants.
    """
    return [func.count(case((column >= bindparam(name), 1))) for name in ("first", "second")]


# How many bytes all tables take, by dialect. A server may estimate.
SIZES: Final[Mapping[str, str]] = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": (
        "SELECT sum(pg_total_relation_size(c.oid)) FROM pg_class c "
        "WHERE c.relkind IN ('r', 'p') AND pg_table_is_visible(c.oid) AND left(c.relname, 6) = 'optly_'"
    ),
    "mysql": (
        "SELECT sum(data_length + index_length) FROM information_schema.tables "
        "WHERE table_schema = database() AND left(table_name, 6) = 'optly_'"
    ),
}
STATEMENTS: Final[Mapping[str, ClauseElement]] = {
    # ---- one contact
    "put_head": insert(t.heads),
    "move_head": update(t.heads)
    .where(
        _is(t.heads.c.subject_id, "contact"),
        _is(t.heads.c.organisation, "of"),
        _is(t.heads.c.version, "expected"),
    )
    .values(
        version=bindparam("version_"),
        hash=bindparam("hash_"),
        snapshot=bindparam("snapshot_"),
        named=bindparam("named_"),
        mac=bindparam("mac_"),
        dirty=literal_column("1"),
    ),
    "clean_head": update(t.heads)
    .where(_is(t.heads.c.subject_id, "contact"), _is(t.heads.c.version, "sealed"))
    .values(dirty=literal_column("0")),
    "committed": select(t.events.c.seq).where(_is(t.events.c.subject_id, "contact"), _is(t.events.c.idem, "name")),
    "put_event": insert(t.events),
    "put_personal": insert(t.personal),
    "forget_personal": delete(t.personal).where(_is(t.personal.c.subject_id, "contact")),
    "forget_identifiers": delete(t.identifiers).where(_is(t.identifiers.c.subject_id, "contact")),
    "forget_references": delete(t.references).where(_is(t.references.c.subject_id, "contact")),
    "forget_codes": delete(t.codes).where(_is(t.codes.c.subject_id, "contact")),
    "forget_outbox": delete(t.outbox).where(_is(t.outbox.c.subject_id, "contact")),
    # ---- idkeys
    "move_identifier": update(t.identifiers)
    .where(_is(t.identifiers.c.idkey, "name"), _is(t.identifiers.c.subject_id, "contact"))
    .values(line=bindparam("line_"), key_version=bindparam("key_version_"), mac=bindparam("mac_")),
    "put_identifier": insert(t.identifiers),
    "own_reference": select(t.references.c.idkey).where(
        _is(t.references.c.idkey, "name"), _is(t.references.c.subject_id, "contact")
    ),
    "put_reference": insert(t.references),
    "release": delete(t.identifiers).where(
        _is(t.identifiers.c.idkey, "name"), _is(t.identifiers.c.subject_id, "contact")
    ),
    # ---- the outbox
    "put_message": insert(t.outbox),
    "claim": update(t.outbox)
    .where(*_of_message, t.outbox.c.state == _state(MessageState.QUEUED), t.outbox.c.due_at <= bindparam("now"))
    .values(
        state=_state(MessageState.SENDING),
        token=bindparam("token_"),
        lease_until=bindparam("until"),
    ),
    "finish": update(t.outbox)
    .where(*_claimed)
    .values(state=bindparam("state_"), body=bindparam("empty"), ended_at=bindparam("ended_at_"), **_counted),
    "forget_message": delete(t.outbox).where(*_claimed),
    "doubt": update(t.outbox).where(*_claimed).values(state=_state(MessageState.IN_DOUBT), **_counted),
    "requeue": update(t.outbox)
    .where(*_claimed)
    .values(
        state=_state(MessageState.QUEUED),
        **_counted,
        due_at=func.coalesce(bindparam("again_at", type_=t.outbox.c.due_at.type), t.outbox.c.due_at),
    ),
    "due": select(*_message)
    .where(
        _is(t.outbox.c.organisation, "of"),
        t.outbox.c.state == _state(MessageState.QUEUED),
        _is(t.outbox.c.channel, "by"),
        t.outbox.c.due_at <= bindparam("now"),
    )
    .order_by(t.outbox.c.due_at)
    .limit(bindparam("most")),
    "messages": select(*_message)
    .where(_is(t.outbox.c.organisation, "of"), _is(t.outbox.c.state, "at"))
    .order_by(t.outbox.c.due_at)
    .limit(bindparam("most")),
    "waiting": select(*_message).where(_is(t.outbox.c.subject_id, "contact"), _waits),
    "overdue": select(*_message)
    .where(
        _is(t.outbox.c.organisation, "of"),
        t.outbox.c.state == _state(MessageState.SENDING),
        t.outbox.c.lease_until < bindparam("now"),
    )
    .order_by(t.outbox.c.lease_until)
    .limit(bindparam("most")),
    "backlog": select(t.outbox.c.state, func.count())
    .where(_is(t.outbox.c.organisation, "of"))
    .group_by(t.outbox.c.state),
    "ended_messages": select(t.outbox.c.subject_id, t.outbox.c.message_id)
    .where(_is(t.outbox.c.organisation, "of"), *_ended)
    .order_by(t.outbox.c.ended_at)
    .limit(bindparam("most")),
    # ---- how much there is
    "contacts": select(func.count()).select_from(t.heads).where(_is(t.heads.c.organisation, "of")),
    "events_of_all": _count_of_all(t.events),
    "personal_of_all": _count_of_all(t.personal),
    "ended_since": select(*_since(t.outbox.c.ended_at)).where(
        _is(t.outbox.c.organisation, "of"), t.outbox.c.ended_at >= bindparam("second")
    ),
    "suppressions": select(func.count(), *_since(t.suppressions.c.at)),
    "codes": select(func.count()).select_from(t.codes),
    "wordings_kept": select(func.count()).select_from(t.wordings),
    "remove_ended": delete(t.outbox).where(*_of_message, *_ended),
    # ---- codes and counters
    "code": select(*_code).where(_is(t.codes.c.code_key, "key"), _live),
    "codes_of": select(t.codes.c.code_key, *_code).where(_is(t.codes.c.subject_id, "contact")),
    "lock_code": select(*_code).where(_is(t.codes.c.code_key, "key"), _live).with_for_update(),
    "drop_code": delete(t.codes).where(_is(t.codes.c.code_key, "key")),
    "counter": select(t.counters.c.number).where(_is(t.counters.c.code_key, "key")),
    "live_counter": select(t.counters.c.number).where(
        _is(t.counters.c.code_key, "key"), t.counters.c.until >= bindparam("now")
    ),
    "expired_codes": select(t.codes.c.code_key)
    .where(t.codes.c.expires_at < bindparam("now"))
    .order_by(t.codes.c.expires_at)
    .limit(bindparam("most")),
    "expired_counters": select(t.counters.c.code_key)
    .where(t.counters.c.until < bindparam("now"))
    .order_by(t.counters.c.until)
    .limit(bindparam("most")),
    # One that was renewed since it was found stays.
    "expire_code": delete(t.codes).where(_is(t.codes.c.code_key, "key"), t.codes.c.expires_at < bindparam("now")),
    "expire_counter": delete(t.counters).where(
        _is(t.counters.c.code_key, "key"), t.counters.c.until < bindparam("now")
    ),
    # ---- an organisation's own
    "subjects": select(t.heads.c.subject_id)
    .where(_is(t.heads.c.organisation, "of"), t.heads.c.subject_id > bindparam("after"))
    .order_by(t.heads.c.subject_id)
    .limit(bindparam("most")),
    "unsealed": select(t.heads.c.subject_id, t.heads.c.version, t.heads.c.hash)
    .where(_is(t.heads.c.organisation, "of"), t.heads.c.dirty == literal_column("1"))
    .limit(bindparam("most")),
    "key_versions": select(t.key_versions.c.version).where(_is(t.key_versions.c.organisation, "of")),
    "log_head": select(t.logs.c.origin, t.logs.c.size, t.logs.c.root, t.logs.c.note, t.logs.c.secret).where(
        _is(t.logs.c.organisation, "of")
    ),
    "start_log": insert(t.logs),
    "grow_log": update(t.logs)
    .where(_is(t.logs.c.organisation, "of"), _is(t.logs.c.size, "previous"))
    .values(**{name: bindparam(f"{name}_") for name in ("size", "root", "note")}),
    "put_leaf": insert(t.leaves),
    "put_complaint": insert(t.complaints),
    "close_complaint": update(t.complaints)
    .where(_is(t.complaints.c.organisation, "of"), _is(t.complaints.c.reference, "name"))
    .values(is_open=literal_column("0"), reply=bindparam("empty"), mac=bindparam("mac_")),
    "complaint": select(*_complaint).where(
        _is(t.complaints.c.organisation, "of"), _is(t.complaints.c.reference, "name")
    ),
    "complaints": _next_complaints.where(_is(t.complaints.c.is_open, "open")),
    "all_complaints": _next_complaints,
    "log_leaves": select(t.leaves.c.place, t.leaves.c.subject_id, t.leaves.c.version, t.leaves.c.head)
    .where(_is(t.leaves.c.organisation, "of"), t.leaves.c.place >= bindparam("start"))
    .order_by(t.leaves.c.place)
    .limit(bindparam("most")),
    "tile": select(t.tiles.c.level, t.tiles.c.number, t.tiles.c.data).where(
        _is(t.tiles.c.organisation, "of"), _is(t.tiles.c.level, "at"), _is(t.tiles.c.number, "name")
    ),
}


def _any_of(column: ColumnElement[Any], count: int, of: int = 0) -> ColumnElement[bool]:
    """
    Args:
        of: The number of the list that the values come from.
    """
    return column.in_([bindparam(f"key_{of}_{n}") for n in range(count)])


_identifier = (
    t.identifiers.c.idkey,
    t.identifiers.c.key_version,
    t.identifiers.c.mac,
    t.identifiers.c.subject_id,
    t.identifiers.c.line,
)
_reference = (t.references.c.idkey, t.references.c.subject_id, t.references.c.key_version, t.references.c.mac)
_suppression = (
    t.suppressions.c.idkey,
    t.suppressions.c.key_version,
    t.suppressions.c.mac,
    t.suppressions.c.scope,
    t.suppressions.c.at,
    t.suppressions.c.mark,
)
_value = (t.personal.c.subject_id, t.personal.c.slot, t.personal.c.salt, t.personal.c.value)
_head = (
    t.heads.c.organisation,
    _last_event,
    t.heads.c.hash,
    t.heads.c.snapshot,
    t.heads.c.version,
    t.heads.c.dirty,
    t.heads.c.named,
    t.heads.c.mac,
)


def _found(held: int, suppressed: int, *, joined: bool) -> ClauseElement:
    """
    Return one statement for all there is about idkeys: a row for each holder, with the head, and for each suppression.

    Args:
        held, suppressed: How many idkeys holders are looked up by, and how many suppressions.
        joined: Whether holders come with their heads. A database that is spread over servers cannot join the two.
    """
    of_holder, none = (_head if joined else ()), null()
    holders = select(*_identifier, none, none, none, *of_holder)
    if joined:
        holders = holders.outerjoin_from(t.identifiers, t.heads, t.heads.c.subject_id == t.identifiers.c.subject_id)
    idkey, key_version, mac, *of_suppression = _suppression
    suppressions = select(idkey, key_version, mac, none, none, *of_suppression, *[none for _ in of_holder])
    # For a list, SQLite builds a table first, which takes longer than to look up each of a few.
    conditions = (
        [_any_of(t.suppressions.c.idkey, suppressed, 1)]
        if suppressed > _FEW
        else [_is(t.suppressions.c.idkey, f"key_1_{n}") for n in range(suppressed)]
    )
    return union_all(
        *([holders.where(_any_of(t.identifiers.c.idkey, held))] if held else []),
        *[suppressions.where(condition) for condition in conditions],
    )


def _found_among_packed() -> ClauseElement:
    """
    Return the statement for all there is about any number of idkeys, which come as one value, end to end: PostgreSQL
    takes many values for a statement, and its driver a long time to send them.
    """

    def unpacked(name: str) -> Subquery:
        packed = bindparam(name, type_=LargeBinary)
        one, length = literal_column("1", Integer), literal_column("16", Integer)
        start = func.generate_series(one, func.length(packed), length).column_valued(f"start_of_{name}")
        return select(func.substr(packed, start, length).label("idkey")).subquery()

    held, suppressed, none = unpacked("held"), unpacked("suppressed"), null()
    idkey, key_version, mac, *of_suppression = _suppression
    return union_all(
        select(*_identifier, none, none, none, *_head)
        .join_from(held, t.identifiers, t.identifiers.c.idkey == held.c.idkey)
        .outerjoin(t.heads, t.heads.c.subject_id == t.identifiers.c.subject_id),
        select(idkey, key_version, mac, none, none, *of_suppression, *[none for _ in _head]).join_from(
            suppressed, t.suppressions, t.suppressions.c.idkey == suppressed.c.idkey
        ),
    )


_LISTED: Final[Mapping[RowKind, tuple[Table, Sequence[ColumnElement[Any]]]]] = {
    RowKind.IDENTIFIERS: (t.identifiers, _identifier),
    RowKind.REFERENCES: (t.references, _reference),
    RowKind.SUPPRESSIONS: (t.suppressions, _suppression),
    RowKind.CODES: (t.codes, (t.codes.c.code_key, *_code)),
    RowKind.MESSAGES: (t.outbox, _message),
}


def _past(columns: Sequence[ColumnElement[Any]], nth: int = 0) -> ColumnElement[bool]:
    """
    Return the condition that a row comes after the one with the key `after_0`, `after_1` and so on.
    """
    first, *rest = columns
    later: ColumnElement[bool] = first > bindparam(f"after_{nth}")
    return or_(later, and_(_is(first, f"after_{nth}"), _past(rest, nth + 1))) if rest else later


def _all(table: Table, columns: Sequence[ColumnElement[Any]]) -> ClauseElement:
    key = list(table.primary_key.columns)
    page = select(*columns).where(_past(key)).order_by(*key).limit(bindparam("most"))
    return page.where(_waits) if table is t.outbox else page


def _renew(table: Table) -> ClauseElement:
    key = [_is(column, f"key_{n}") for n, column in enumerate(table.primary_key.columns)]
    return update(table).where(*key, _is(table.c.mac, "old")).values(mac=bindparam("mac_"))


RENEWED: Final[Mapping[str, Table]] = {
    "heads": t.heads,
    "complaints": t.complaints,
    **{kind.value: table for kind, (table, _) in _LISTED.items()},
}
ROWS: Final[Mapping[str, ClauseElement]] = {
    **{f"all_{kind}": _all(table, columns) for kind, (table, columns) in _LISTED.items()},
    **{f"renew_{name}": _renew(table) for name, table in RENEWED.items()},
}


def _claimed_among(count: int) -> ClauseElement:
    """
    Return the statement that reads those messages that are claimed.

    Args:
        count: Of keys, a contact and a message in turns. Each is looked up by both, for a contact may have thousands.
    """
    pairs = [
        and_(_is(t.outbox.c.subject_id, f"key_0_{n}"), _is(t.outbox.c.message_id, f"key_0_{n + 1}"))
        for n in range(0, count, 2)
    ]
    return select(*_message).where(or_(*pairs), t.outbox.c.state == _state(MessageState.SENDING))


LOOKUPS: Final[Mapping[str, Callable[..., ClauseElement]]] = {
    "heads": lambda count: select(t.heads.c.subject_id, *_head).where(_any_of(t.heads.c.subject_id, count)),
    "claimed": _claimed_among,
    "events": lambda count: (
        select(t.events.c.subject_id, t.events.c.seq, t.events.c.payload, t.events.c.hash)
        .where(_any_of(t.events.c.subject_id, count))
        .order_by(t.events.c.subject_id, t.events.c.seq)
    ),
    "sealed": lambda count, of: (
        select(t.leaves.c.place, t.leaves.c.subject_id, t.leaves.c.version, t.leaves.c.head)
        .where(_any_of(t.leaves.c.subject_id, count), _any_of(t.leaves.c.organisation, of, 1))
        .order_by(t.leaves.c.subject_id, t.leaves.c.place)
    ),
    "personal": lambda count: select(*_value).where(_any_of(t.personal.c.subject_id, count)),
    "personal_in": lambda count, slots: select(*_value).where(
        _any_of(t.personal.c.subject_id, count), _any_of(t.personal.c.slot, slots, 1)
    ),
    "found": lambda held, suppressed: _found(held, suppressed, joined=True),
    "found_apart": lambda held, suppressed: _found(held, suppressed, joined=False),
    "references": lambda count: select(*_reference).where(_any_of(t.references.c.idkey, count)),
    "wordings": lambda count: select(t.wordings.c.digest, t.wordings.c.content).where(
        _any_of(t.wordings.c.digest, count)
    ),
}


def _if_later(new: Any, name: str) -> ColumnElement[Any]:
    return case((new.at > t.suppressions.c.at, new[name]), else_=t.suppressions.c[name])


def _unless_over(old: ColumnElement[int], new: ColumnElement[int]) -> ColumnElement[int]:
    return case((t.counters.c.until < bindparam("now"), new), else_=old)


# How a row that exists already is updated, column by column; not at all if there is none. MySQL assigns in this order
# and uses the new values.
UPSERTS: Final[Mapping[str, tuple[Table, Callable[[Any], Sequence[tuple[str, ColumnElement[Any]]]]]]] = {
    "put_suppression": (
        t.suppressions,
        lambda new: [(name, _if_later(new, name)) for name in ("mac", "key_version", "at")],
    ),
    "put_code": (t.codes, lambda new: [(name, new[name]) for name in ("subject_id", "expires_at", "value", "mac")]),
    "count": (
        t.counters,
        lambda new: [
            ("number", _unless_over(t.counters.c.number + new.number, new.number)),
            ("until", _unless_over(t.counters.c.until, new.until)),
        ],
    ),
    "put_tile": (t.tiles, lambda new: [("data", new.data)]),
    "put_wording": (t.wordings, lambda _new: []),
    "put_key_version": (t.key_versions, lambda _new: []),
}


def upsert(dialect: Dialect, name: str) -> ClauseElement:
    """
    Build an upsert in the syntax of *dialect*.
    """
    table, changes = UPSERTS[name]
    if dialect.name in ("postgresql", "sqlite"):
        put: Any = (postgresql if dialect.name == "postgresql" else sqlite).insert(table)
        changed = dict(changes(put.excluded))
        found: ClauseElement = (
            put.on_conflict_do_update(index_elements=table.primary_key, set_=changed)
            if changed
            else put.on_conflict_do_nothing(index_elements=table.primary_key)
        )
        return found
    my, first = mysql.insert(table), next(iter(table.columns))
    return my.on_duplicate_key_update(list(changes(my.inserted)) or [(first.name, first)])


@attrs.frozen
class Compiled:
    """
    A compiled statement.

    Attributes:
        order: The names of its values by position; None if the driver takes them by name.
        constants: Values that are the same each time.
    """

    sql: str
    order: tuple[str, ...] | None
    constants: Mapping[str, Any]

    def bind(self, values: Mapping[str, Any]) -> Any:
        """
        Return *values* in the form the driver expects.
        """
        if self.constants:
            values = {**self.constants, **values}
        return values if self.order is None else [values[name] for name in self.order]


def _power_of_two(number: int) -> int:
    return 1 << (number - 1).bit_length()


class Statements:
    """
    The statements in the syntax of one dialect. Each is compiled when it is first used: most processes need a few.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._fixed: dict[str, Compiled] = {}
        self._lookups: dict[tuple[str, tuple[int, ...]], Compiled] = {}

    def _compile(self, statement: ClauseElement) -> Compiled:
        compiled: Any = statement.compile(dialect=self._dialect)
        order = tuple(compiled.positiontup) if compiled.positional else None
        return Compiled(str(compiled), order, {k: value for k, value in compiled.params.items() if value is not None})

    def _statement(self, name: str) -> ClauseElement:
        if name == "size":
            return text(SIZES["mysql" if self._dialect.name == "mariadb" else self._dialect.name])
        if name == "found_among":
            return _found_among_packed()
        if name in UPSERTS:
            return upsert(self._dialect, name)
        return STATEMENTS[name] if name in STATEMENTS else ROWS[name]

    def __getitem__(self, name: str) -> Compiled:
        try:
            return self._fixed[name]
        except KeyError:
            compiled = self._fixed[name] = self._compile(self._statement(name))
            return compiled

    def found_among(self, held: Sequence[bytes], suppressed: Sequence[bytes]) -> tuple[str, Any] | None:
        """
        Return the statement for all there is about many idkeys, and its values; None if they are not so many, or if
        the database has no such statement.
        """
        if self._dialect.name != "postgresql" or len(suppressed) <= MOST_KEYS:
            return None
        statement = self["found_among"]
        return statement.sql, statement.bind({"held": b"".join(held), "suppressed": b"".join(suppressed)})

    def lookup(self, name: str, lists: Sequence[Sequence[Any]]) -> tuple[str, Any]:
        """
        Return the statement that looks up the keys of some lists, each of at most `MOST_KEYS`, and its values.

        The number of many keys is rounded up to a power of two, so that there are few statements to compile and, on the
        server, to plan; the last key is repeated to fill the gap.
        """
        counts = tuple(map(len, lists))
        if max(counts) > _FEW:
            lists = [[*keys, *[keys[-1]] * (_power_of_two(len(keys)) - len(keys))] if keys else keys for keys in lists]
            counts = tuple(map(len, lists))
        compiled = self._lookups.get((name, counts))
        if compiled is None:
            compiled = self._lookups[name, counts] = self._compile(LOOKUPS[name](*counts))
        if compiled.order is None:
            return compiled.sql, {f"key_{of}_{n}": key for of, keys in enumerate(lists) for n, key in enumerate(keys)}
        return compiled.sql, [*chain.from_iterable(lists)]
