"""
The tables of the SQL store.

Keys are 16 random or keyed bytes and come first in every primary key, so the tables shard by them: contacts by
`subject_id`, addresses by `idkey`, the blind index they are looked up by. No foreign key joins the two groups, and
`_distribution` says which table shards by what. Times are whole microseconds since 1970 in UTC, and everything that is
hashed is kept as bytes, because a JSON type would rewrite it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, SmallInteger, String, Table, text
from sqlalchemy.dialects import mysql
from sqlalchemy.types import TypeEngine

VERSION = 3

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def to_micros(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def from_micros(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _binary(length: int) -> TypeEngine[bytes]:
    return LargeBinary(length).with_variant(mysql.VARBINARY(length), "mysql", "mariadb")


def _code(length: int) -> TypeEngine[str]:
    # MySQL's default collations treat "a" and "A" as equal and ignore trailing spaces.
    exact = mysql.VARCHAR(length, charset="ascii", collation="ascii_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


def _blob() -> TypeEngine[bytes]:
    return LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mysql", "mariadb")


def _mac() -> TypeEngine[bytes]:
    return _binary(20)


metadata = MetaData()


def _table(name: str, *items: Any, **options: Any) -> Table:
    return Table(f"optly_{name}", metadata, *items, mysql_engine="InnoDB", mysql_charset="utf8mb4", **options)


# On SQLite, small rows that are found by their key are kept with it: one search instead of two, and less room.
_SMALL: Final[dict[str, Any]] = {"sqlite_with_rowid": False}


# ---- by contact

heads = _table(
    "heads",
    Column("subject_id", _binary(16), primary_key=True),
    Column("organisation", _code(48), nullable=False),
    Column("version", Integer, nullable=False),
    Column("hash", _binary(32), nullable=False),
    Column("dirty", SmallInteger, nullable=False),
    Column("snapshot", _blob(), nullable=False),
    Column("named", _blob(), nullable=False),
    Column("mac", _mac(), nullable=False),
)
Index(
    "optly_heads_dirty",
    heads.c.organisation,
    heads.c.dirty,
    sqlite_where=text("dirty = 1"),
    postgresql_where=text("dirty = 1"),
)

events = _table(
    "events",
    Column("subject_id", _binary(16), primary_key=True),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("hash", _binary(32), nullable=False),
    Column("idem", _binary(16)),
    Column("payload", _blob(), nullable=False),
)
# Of most commits nobody asks, and these have none.
Index(
    "optly_events_idem",
    events.c.subject_id,
    events.c.idem,
    sqlite_where=text("idem IS NOT NULL"),
    postgresql_where=text("idem IS NOT NULL"),
)

personal = _table(
    "personal",
    Column("subject_id", _binary(16), primary_key=True),
    Column("slot", _code(64), primary_key=True),
    Column("salt", _binary(32), nullable=False),
    Column("value", _blob(), nullable=False),
    sqlite_with_rowid=False,
)

outbox = _table(
    "outbox",
    Column("subject_id", _binary(16), primary_key=True),
    Column("message_id", _binary(16), primary_key=True),
    Column("organisation", _code(48), nullable=False),
    Column("channel", _code(16), nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("lease_until", BigInteger),
    Column("ended_at", BigInteger),
    Column("attempts", Integer, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("token", _binary(16), nullable=False),
    Column("body", _blob(), nullable=False),
    Column("mac", _mac(), nullable=False),
)
Index("optly_outbox_due", outbox.c.organisation, outbox.c.state, outbox.c.channel, outbox.c.due_at)
Index(
    "optly_outbox_ended",
    outbox.c.organisation,
    outbox.c.ended_at,
    sqlite_where=text("ended_at IS NOT NULL"),
    postgresql_where=text("ended_at IS NOT NULL"),
)

# ---- by idkey

identifiers = _table(
    "identifiers",
    Column("idkey", _binary(16), primary_key=True),
    Column("subject_id", _binary(16), primary_key=True),
    Column("line", Integer, nullable=False),
    Column("key_version", _code(16), nullable=False),
    Column("mac", _mac(), nullable=False),
    **_SMALL,
)
Index("optly_identifiers_subject", identifiers.c.subject_id)

references = _table(
    "references",
    Column("idkey", _binary(16), primary_key=True),
    Column("subject_id", _binary(16), nullable=False),
    Column("key_version", _code(16), nullable=False),
    Column("mac", _mac(), nullable=False),
)
Index("optly_references_subject", references.c.subject_id)

suppressions = _table(
    "suppressions",
    Column("idkey", _binary(16), primary_key=True),
    Column("scope", _code(96), primary_key=True),
    Column("at", BigInteger, nullable=False),
    Column("key_version", _code(16), nullable=False),
    Column("mark", _binary(8), primary_key=True),
    Column("mac", _mac(), nullable=False),
    **_SMALL,
)

# ---- by code

codes = _table(
    "codes",
    Column("code_key", _binary(32), primary_key=True),
    Column("subject_id", _binary(16), nullable=False),
    Column("expires_at", BigInteger),
    Column("value", _blob(), nullable=False),
    Column("mac", _mac(), nullable=False),
)
Index("optly_codes_subject", codes.c.subject_id)
Index("optly_codes_expiry", codes.c.expires_at)

counters = _table(
    "counters",
    Column("code_key", _binary(64), primary_key=True),
    Column("number", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)
Index("optly_counters_expiry", counters.c.until)

# ---- by organisation: small, or written only when sealing

wordings = _table(
    "wordings",
    Column("digest", _code(64), primary_key=True),
    Column("content", _blob(), nullable=False),
)

key_versions = _table(
    "key_versions",
    Column("organisation", _code(48), primary_key=True),
    Column("version", _code(16), primary_key=True),
)

logs = _table(
    "logs",
    Column("organisation", _code(48), primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("origin", _code(255), nullable=False),
    Column("secret", _binary(32), nullable=False),
    Column("root", _binary(32), nullable=False),
    Column("note", _blob(), nullable=False),
)

tiles = _table(
    "tiles",
    Column("organisation", _code(48), primary_key=True),
    Column("level", SmallInteger, primary_key=True, autoincrement=False),
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("data", _blob(), nullable=False),
)

leaves = _table(
    "leaves",
    Column("organisation", _code(48), primary_key=True),
    Column("place", BigInteger, primary_key=True, autoincrement=False),
    Column("subject_id", _binary(16), nullable=False),
    Column("version", Integer, nullable=False),
    Column("head", _binary(32), nullable=False),
    sqlite_with_rowid=False,
)
Index("optly_leaves_subject", leaves.c.organisation, leaves.c.subject_id, leaves.c.place)

complaints = _table(
    "complaints",
    Column("organisation", _code(48), primary_key=True),
    Column("reference", _code(16), primary_key=True),
    Column("complaint_id", _binary(16), nullable=False),
    Column("subject_id", _binary(16), nullable=False),
    Column("due_at", BigInteger, nullable=False),
    Column("is_open", SmallInteger, nullable=False),
    Column("reply", _blob(), nullable=False),
    Column("mac", _mac(), nullable=False),
)
Index("optly_complaints_due", complaints.c.organisation, complaints.c.is_open, complaints.c.due_at)

schema_version = _table("schema_version", Column("version", Integer, primary_key=True, autoincrement=False))
