"""
A store in an SQL database: SQLite, PostgreSQL, MariaDB or MySQL.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from itertools import product
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from sqlalchemy import String

from optly import protocols
from optly.contacts import Channel
from optly.errors import (
    ClaimLostError,
    ConfigurationError,
    ConflictError,
    DamagedError,
    ReferenceTakenError,
    UsageError,
)
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Entry, Leaf, Opening
from optly.record.merkle import Place, Tile
from optly.storage._database import Database, Session
from optly.storage._distribution import for_citus
from optly.storage._host import HostDatabase, commit_hook
from optly.storage._schema import from_micros, to_micros
from optly.storage._statements import MOST_KEYS, RENEWED

if TYPE_CHECKING:
    from sqlalchemy import URL, Engine

_PAGE: Final = 1000
_BEFORE_ALL: Final = -(2**63)  # microseconds: before every time that a column holds

_log = logging.getLogger("optly")
_CHANNELS: Final = frozenset(Channel)

_subject: Final = attrgetter("subject")
_key: Final = attrgetter("subject", "message")


class SQLStorage:
    """
    Keeps the record in a database. Threads may share a store. Processes may share the database, each with a store that
    was made in it or before the fork.

    Missing tables are created, with a warning in the log. SQLite is set to WAL with a sync at each commit, and erased
    values leave its file and its log at once; on a server, copies stay in its logs and backups until those expire.

    Args:
        url_or_engine: A SQLAlchemy URL, as a string such as ``sqlite:///optly.db`` or as a `URL`, which allows any
            path, even one with a ``?`` in it; or the host's own engine, whose pool is then used.
        connections: How many connections this store has open at once, at most. Other calls wait for one.
        wait: How long a call waits for a free connection, and how long for a lock or another writer, before it raises
            `StorageUnavailableError`. On a server, the lock timeout of the host's own engine is left as it is.
        distributed: That the tables are distributed over several servers, as by Citus, which joins those of contacts
            and those of addresses in no statement. An address is then looked up in two statements rather than one, and
            how many bytes the tables take is not known.

    Raises:
        ConfigurationError: The database is not supported, its driver is missing, or a number makes no sense.
    """

    def __init__(
        self,
        url_or_engine: str | URL | Engine,
        *,
        connections: int = 15,
        wait: timedelta = timedelta(seconds=10),
        distributed: bool = False,
    ) -> None:
        self._database = Database(url_or_engine, connections=connections, wait=wait)
        self._hosted = False
        self._distributed = distributed

    def within(self, connection: object) -> SQLStorage:
        """
        Return this store as part of the host's own transaction: what it writes is committed with it, or undone.

        Counters are not: an attempt that is undone would be one more that is allowed. In SQLite they are, while the
        host has the file's only transaction.

        Args:
            connection: A `Connection`, `Session` or `scoped_session` of SQLAlchemy, or a connection of psycopg, to the
                database of this store. To be used by one thread at a time, as it is itself.

        Raises:
            UsageError: It is something else, or to a database of another kind.
        """
        if self._hosted:
            raise UsageError("it is part of a transaction already: call within() of the one that was made first")
        hosted = copy(self)
        hosted._hosted = True
        # It runs the same work in the same two ways, and has none of the connections.
        hosted._database = cast("Database", HostDatabase(self._database, connection))
        return hosted

    def commit_hook(self, connection: object) -> protocols.OnCommit | None:
        """
        Return what has a function called after a session of SQLAlchemy was committed; None for any other connection.
        """
        return commit_hook(connection)

    def close(self) -> None:
        self._database.close()

    @staticmethod
    def distribution() -> Sequence[str]:
        """
        Return the statements that `distribute` runs where no table is distributed yet.
        """
        return [statement for _, statement in for_citus()]

    def distribute(self) -> Sequence[str]:
        """
        Distribute the tables over the servers of a Citus cluster, and return the statements that were run: none if they
        all are distributed. Rows that are there already are moved, and meanwhile nothing can be written: stop the
        application first. Each table is distributed by itself, so after an error the call may be repeated.

        Raises:
            ConfigurationError: The store was not made for distributed tables, or the database is not one of Citus.
            StorageUnavailableError: The database cannot be used, or refused a statement.
        """
        if self._hosted:
            raise UsageError("distribute the tables outside the host's transaction")
        if not self._distributed:
            raise ConfigurationError("make the store with SQLStorage(…, distributed=True), in every process")
        return self._database.distribute(for_citus())

    # ---- contacts

    def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> protocols.Found:
        # In their order, so that what lies together is read together.
        idkeys, every = sorted(set(idkeys)), sorted({*idkeys, *stops})

        def work(session: Session) -> protocols.Found:
            holders: dict[bytes, list[protocols.Identifier]] = {}
            suppressions: list[protocols.Suppression] = []
            heads: dict[bytes, protocols.Head] = {}
            apart = self._distributed
            rows = session.lookup("found_apart", idkeys, every) if apart else session.found(idkeys, every)
            for idkey, key, mac, subject, line, scope, at, mark, *head in rows:
                if subject is None:
                    suppressions.append(_suppression(idkey, key, mac, scope, at, mark))
                    continue
                identifier = _identifier(idkey, key, mac, subject, line)
                if (others := holders.get(idkey)) is None:
                    holders[idkey] = [identifier]
                else:
                    others.append(identifier)
                    others.sort(key=_subject)
                if head and head[0] is not None:
                    heads[subject] = _head(*head)
            if self._distributed:
                heads = _heads(session, [holder.subject for several in holders.values() for holder in several])
            return protocols.Found(holders, suppressions, heads)

        return self._database.read(work)

    def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, protocols.Reference]:
        rows = self._database.read(lambda session: list(session.lookup("references", idkeys)))
        return {row[0]: _reference(*row) for row in rows}

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, protocols.Head]:
        return self._database.read(lambda session: _heads(session, subjects))

    def entries(self, subject: bytes) -> Sequence[Entry]:
        return self.chains([subject]).get(subject, ())

    def chains(self, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[Entry]]:
        found: dict[bytes, list[Entry]] = {}
        rows = self._database.read(lambda session: list(session.lookup("events", subjects)))
        for subject, seq, payload, hash_ in rows:
            if not (isinstance(payload, bytes) and isinstance(hash_, bytes)):
                raise DamagedError(f"an event of contact {subject.hex()} is not stored as bytes")
            found.setdefault(subject, []).append(Entry(seq=seq, payload=payload, hash=hash_))
        return found

    def openings(
        self, subjects: Sequence[bytes], slots: Sequence[str] | None = None
    ) -> Mapping[bytes, Mapping[str, Opening]]:
        def work(session: Session) -> list[tuple[Any, ...]]:
            if slots is None:
                return list(session.lookup("personal", subjects))
            return [row for part in _each_with_each(subjects, slots) for row in session.lookup("personal_in", *part)]

        found: dict[bytes, dict[str, Opening]] = {}
        for subject, slot, salt, value in self._database.read(work):
            text = _text(value)
            if text is None:
                raise DamagedError(f"a personal value of contact {subject.hex()} is not stored as text in UTF-8")
            found.setdefault(subject, {})[slot] = Opening(salt, text)
        return found

    def append(self, commits: Sequence[protocols.Commit]) -> None:
        if commits:
            erase = any(commit.forget or commit.release or commit.closed for commit in commits)
            self._database.write(lambda session: _append(session, commits), erase=erase)

    def committed(self, subject: bytes, idem: bytes) -> bool:
        return bool(self._database.read(lambda session: session.rows("committed", contact=subject, name=idem)))

    def wordings(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        return self._database.read(lambda session: dict(session.lookup("wordings", digests)))

    def subjects(self, organisation: str) -> Iterator[bytes]:
        page = self._page(organisation, b"")
        while page:
            yield from page
            page = self._page(organisation, page[-1])

    def _page(self, organisation: str, after: bytes) -> Sequence[bytes]:
        rows = self._database.read(lambda session: session.rows("subjects", of=organisation, after=after, most=_PAGE))
        return [subject for (subject,) in rows]

    # ---- the outbox

    def enqueue(self, organisation: str, messages: Sequence[protocols.OutboxMessage]) -> None:
        if messages:
            rows = [_message_row(organisation, message) for message in sorted(messages, key=_key)]
            self._database.write(lambda session: _enqueue(session, rows))

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[protocols.OutboxMessage]:
        return self._messages("due", of=organisation, by=channel.value, now=to_micros(now), most=limit)

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[protocols.OutboxMessage]:
        return self._messages("overdue", of=organisation, now=to_micros(now), most=limit)

    def messages(
        self, organisation: str, state: protocols.MessageState, limit: int
    ) -> Sequence[protocols.OutboxMessage]:
        return self._messages("messages", of=organisation, at=state.value, most=limit)

    def waiting(self, subject: bytes) -> Sequence[protocols.OutboxMessage]:
        return self._messages("waiting", contact=subject)

    def _messages(self, which: str, **values: Any) -> Sequence[protocols.OutboxMessage]:
        messages = []
        for row in self._database.read(lambda session: session.rows(which, **values)):
            try:
                messages.append(_message(*row))
            except DamagedError as error:
                _log.error(str(error))
        return messages

    def claim(
        self, claims: Sequence[protocols.Claim], now: datetime, until: datetime
    ) -> Sequence[protocols.OutboxMessage]:
        wanted = sorted(claims, key=_key)
        lease = {"now": to_micros(now), "until": to_micros(until)}

        def work(session: Session) -> Sequence[protocols.OutboxMessage]:
            claimed = [claim for claim in wanted if session.change("claim", **_binds(claim), **lease)]
            codes = [code for claim in claimed for code in claim.codes]
            # In one order, because several claims may replace the same code.
            session.change_each("put_code", [_code_row(code) for code in sorted(codes, key=attrgetter("key"))])
            # Each part by itself: in a longer list, a key is looked up but once.
            parts = [claimed[start : start + MOST_KEYS // 2] for start in range(0, len(claimed), MOST_KEYS // 2)]
            names = [[key for claim in part for key in _key(claim)] for part in parts]
            return [_message(*row) for part in names for row in session.lookup("claimed", part)]

        return self._database.write(work) if claims else ()

    def settle(self, settlements: Sequence[protocols.Settlement]) -> None:
        if settlements:
            self._database.write(lambda session: _settle(session, settlements))

    def backlog(self, organisation: str) -> Mapping[protocols.MessageState, int]:
        rows = self._database.read(lambda session: session.rows("backlog", of=organisation))
        return {protocols.MessageState(state): count for state, count in rows}

    def remove_ended(self, organisation: str, before: datetime, limit: int) -> int:
        at = to_micros(before)

        def work(session: Session) -> int:
            names = sorted(session.rows("ended_messages", of=organisation, before=at, most=limit))
            return session.change_each(
                "remove_ended", [{"contact": subject, "message": name, "before": at} for subject, name in names]
            )

        return self._database.write(work)

    def measure(self, organisation: str, since: tuple[datetime, datetime]) -> protocols.StoreSize:
        of = {"of": organisation}
        first, second = (to_micros(at) for at in since)

        def work(session: Session) -> protocols.StoreSize:
            suppressions, *suppressed = session.rows("suppressions", first=first, second=second)[0]
            ended = session.rows("ended_since", **of, first=first, second=second)[0]
            size = None if self._distributed else _first(session.rows("size"))  # which sees one server only
            return protocols.StoreSize(
                contacts=_first(session.rows("contacts", **of)),
                events=_first(session.rows("events_of_all", **of)),
                personal=_first(session.rows("personal_of_all", **of)),
                ended=(ended[0], ended[1]),
                codes=_first(session.rows("codes")),
                suppressions=suppressions,
                suppressed=(suppressed[0], suppressed[1]),
                wordings=_first(session.rows("wordings_kept")),
                size=None if size is None else int(size),
            )

        return self._database.read(work)

    # ---- complaints

    def complaint(self, organisation: str, reference: str) -> protocols.StoredComplaint | None:
        rows = self._database.read(lambda session: session.rows("complaint", of=organisation, name=reference))
        return _stored_complaint(*rows[0]) if rows else None

    def complaints(
        self, organisation: str, open: bool | None, after: protocols.StoredComplaint | None, limit: int
    ) -> Sequence[protocols.StoredComplaint]:
        values: dict[str, Any] = {
            "of": organisation,
            "due": _BEFORE_ALL if after is None else to_micros(after.due_at),
            "after": "" if after is None else after.reference,
            "most": limit,
        }
        name = "all_complaints"
        if open is not None:
            name, values["open"] = "complaints", int(open)
        rows = self._database.read(lambda session: session.rows(name, **values))
        return [_stored_complaint(*row) for row in rows]

    # ---- codes and counters

    def put_codes(self, codes: Sequence[protocols.StoredCode]) -> None:
        rows = [_code_row(code) for code in sorted(codes, key=lambda code: code.key)]
        if rows:
            self._database.write(lambda session: session.change_each("put_code", rows))

    def code(self, key: bytes, now: datetime) -> protocols.StoredCode | None:
        rows = self._database.read(lambda session: session.rows("code", key=key, now=to_micros(now)))
        return _stored_code(key, *rows[0]) if rows else None

    def take_code(self, key: bytes, now: datetime) -> protocols.StoredCode | None:
        def work(session: Session) -> protocols.StoredCode | None:
            rows = session.rows("lock_code", key=key, now=to_micros(now))
            return _stored_code(key, *rows[0]) if rows and session.change("drop_code", key=key) else None

        return self._database.write(work)

    def revoke_codes(self, subject: bytes) -> Sequence[protocols.StoredCode]:
        def work(session: Session) -> Sequence[protocols.StoredCode]:
            revoked = [_stored_code(*row) for row in session.rows("codes_of", contact=subject)]
            return revoked if revoked and session.change("forget_codes", contact=subject) else ()

        return self._database.write(work)

    def count(self, key: bytes, now: datetime, until: datetime, by: int = 1, *, most: int | None = None) -> int:
        if most is not None:
            # What is refused, which may be most of it, writes and locks nothing.
            counted = self._database.read(lambda session: session.rows("live_counter", key=key, now=to_micros(now)))
            if (known := _first(counted) or 0) >= most:
                return int(known) + by

        def work(session: Session) -> int:
            times = {"until": to_micros(until), "now": to_micros(now)}
            if most is not None:
                # Locks the row, so that nobody else counts between the look and the change.
                session.change("count", code_key=key, number=0, **times)
                if (known := int(_first(session.rows("counter", key=key)))) >= most:
                    return known + by
            session.change("count", code_key=key, number=by, **times)
            number: int = _first(session.rows("counter", key=key))
            return number

        return self._database.write_for_good(work)

    def expire(self, now: datetime, limit: int) -> int:
        at = to_micros(now)

        def work(session: Session) -> int:
            removed = 0
            for found, removal in (("expired_codes", "expire_code"), ("expired_counters", "expire_counter")):
                keys = sorted(key for (key,) in session.rows(found, now=at, most=limit))
                removed += session.change_each(removal, [{"key": key, "now": at} for key in keys])
            return removed

        return self._database.write(work)

    # ---- keys

    def key_versions(self, organisation: str) -> frozenset[str]:
        rows = self._database.read(lambda session: session.rows("key_versions", of=organisation))
        return frozenset(version for (version,) in rows)

    def add_key_version(self, organisation: str, version: str, marks: Sequence[protocols.Suppression] = ()) -> None:
        def work(session: Session) -> None:
            session.change("put_key_version", organisation=organisation, version=version)
            _put_suppressions(session, marks)

        self._database.write(work)

    def rows(self, kind: protocols.RowKind) -> Iterator[protocols.Row]:
        read, key = _ROWS[kind]
        after: Sequence[Any] = _BEFORE_ALL_KEYS[kind]
        while True:
            page = self._page_of(kind, after)
            rows = [read(*row) for row in page]
            yield from rows
            if len(rows) < _PAGE:
                return
            after = key(rows[-1])

    def _page_of(self, kind: protocols.RowKind, after: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        values = {f"after_{n}": part for n, part in enumerate(after)}
        return self._database.read(lambda session: session.rows(f"all_{kind}", **values, most=_PAGE))

    def renew(self, renewals: Sequence[protocols.Renewal]) -> int:
        def work(session: Session) -> int:
            return sum(
                session.change(f"renew_{row.table}", **_key_of(row), old=row.old, mac_=row.new)
                for row in sorted(renewals, key=lambda row: (row.table, row.key))
            )

        return self._database.write(work) if renewals else 0

    # ---- the log

    def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        rows = self._database.read(lambda session: session.rows("unsealed", of=organisation, most=limit))
        return [Leaf(subject=subject, version=version, head=hash_) for subject, version, hash_ in rows]

    def seal(
        self,
        organisation: str,
        head: protocols.LogHead,
        leaves: Sequence[Leaf],
        tiles: Sequence[Tile],
        previous_size: int,
    ) -> None:
        checkpoint = head.checkpoint
        end = {"size": checkpoint.size, "root": checkpoint.root, "note": checkpoint.note.encode()}
        born = {"organisation": organisation, "origin": checkpoint.origin, "secret": head.secret, **end}
        rows = [
            {
                "organisation": organisation,
                "place": place,
                "subject_id": leaf.subject,
                "version": leaf.version,
                "head": leaf.head,
            }
            for place, leaf in enumerate(leaves, previous_size)
        ]
        grown = [{"organisation": organisation, **attrs.asdict(tile)} for tile in tiles]
        sealed = [{"contact": leaf.subject, "sealed": leaf.version} for leaf in sorted(leaves, key=_subject)]
        conflict = ConflictError("the log has grown since the leaves were chosen")

        def work(session: Session) -> None:
            moved = {f"{name}_": value for name, value in end.items()}
            if not session.change("grow_log", of=organisation, previous=previous_size, **moved):
                if previous_size:
                    raise conflict
                session.change_each("start_log", [born], taken=conflict)
            session.change_each("put_leaf", rows, taken=conflict)
            session.change_each("put_tile", grown)
            session.change_each("clean_head", sealed)

        self._database.write(work)

    def log_head(self, organisation: str) -> protocols.LogHead | None:
        rows = self._database.read(lambda session: session.rows("log_head", of=organisation))
        if not rows:
            return None
        origin, size, root, note, secret = rows[0]
        checkpoint = Checkpoint(origin=origin, size=size, root=root, note=_bytes(note).decode("utf-8", "replace"))
        return protocols.LogHead(checkpoint=checkpoint, secret=_bytes(secret))

    def tiles(self, organisation: str, places: Sequence[Place]) -> Sequence[Tile]:
        def work(session: Session) -> Sequence[Tile]:
            found = [session.rows("tile", of=organisation, at=level, name=number) for level, number in places]
            return [Tile(level, number, _bytes(data)) for rows in found for level, number, data in rows]

        return self._database.read(work)

    def log_leaves(self, organisation: str, start: int, limit: int) -> Sequence[protocols.SealedLeaf]:
        rows = self._database.read(lambda session: session.rows("log_leaves", of=organisation, start=start, most=limit))
        return [_sealed_leaf(*row) for row in rows]

    def sealed(self, organisation: str, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[protocols.SealedLeaf]]:
        def work(session: Session) -> list[tuple[Any, ...]]:
            parts = _each_with_each(subjects, [organisation])
            return [row for part in parts for row in session.lookup("sealed", *part)]

        found: dict[bytes, list[protocols.SealedLeaf]] = {}
        for leaf in (_sealed_leaf(*row) for row in self._database.read(work)):
            found.setdefault(leaf.leaf.subject, []).append(leaf)
        return found


# ---- rows


def _each_with_each(*lists: Sequence[Any]) -> Iterator[Sequence[Sequence[Any]]]:
    """
    Yield parts of the lists that one statement has room for, each part of one with each of the other.
    """
    parts = [[keys[start : start + MOST_KEYS] for start in range(0, len(keys), MOST_KEYS)] for keys in lists]
    return product(*parts)


def _first(rows: Sequence[tuple[Any, ...]]) -> Any:
    return rows[0][0] if rows else None


def _text(value: object) -> str | None:
    try:
        return value.decode() if isinstance(value, bytes) else None
    except UnicodeDecodeError:
        return None


def _bytes(value: object) -> bytes:
    """
    Return what SQLite returns for bytes, or nothing if something else was put there.
    """
    return value if isinstance(value, bytes) else b""


def _sealed_leaf(place: int, subject: bytes, version: int, head: bytes) -> protocols.SealedLeaf:
    return protocols.SealedLeaf(index=place, leaf=Leaf(subject=subject, version=version, head=_bytes(head)))


def _message(
    subject: bytes,
    message: bytes,
    channel: str,
    due_at: int,
    attempts: int,
    tries: int,
    token: bytes,
    body: bytes,
    mac: bytes,
) -> protocols.OutboxMessage:
    if channel not in _CHANNELS:
        raise DamagedError(f"message {message.hex()} in the outbox names no channel")
    return protocols.OutboxMessage(
        subject=subject,
        message=message,
        channel=Channel(channel),
        due_at=from_micros(due_at),
        attempts=attempts,
        tries=tries,
        token=token,
        body=body,
        mac=mac,
    )


def _stored_complaint(
    reference: str, complaint: bytes, subject: bytes, due_at: int, is_open: int, reply: bytes, mac: bytes
) -> protocols.StoredComplaint:
    return protocols.StoredComplaint(
        reference=reference,
        complaint=complaint,
        subject=subject,
        due_at=from_micros(due_at),
        open=bool(is_open),
        reply=reply,
        mac=mac,
    )


def _complaint_row(organisation: str, complaint: protocols.StoredComplaint) -> dict[str, Any]:
    return {
        "organisation": organisation,
        "reference": complaint.reference,
        "complaint_id": complaint.complaint,
        "subject_id": complaint.subject,
        "due_at": to_micros(complaint.due_at),
        "is_open": int(complaint.open),
        "reply": complaint.reply,
        "mac": complaint.mac,
    }


def _code_row(code: protocols.StoredCode) -> dict[str, Any]:
    return {
        "code_key": code.key,
        "subject_id": code.subject,
        "expires_at": None if code.expires_at is None else to_micros(code.expires_at),
        "value": code.value,
        "mac": code.mac,
    }


def _stored_code(key: bytes, subject: bytes, expires_at: int | None, value: bytes, mac: bytes) -> protocols.StoredCode:
    until = None if expires_at is None else from_micros(expires_at)
    return protocols.StoredCode(key=key, subject=subject, value=value, expires_at=until, mac=mac)


def _message_row(organisation: str, message: protocols.OutboxMessage) -> dict[str, Any]:
    return {
        "subject_id": message.subject,
        "message_id": message.message,
        "organisation": organisation,
        "channel": message.channel.value,
        "state": protocols.MessageState.QUEUED.value,
        "due_at": to_micros(message.due_at),
        "lease_until": None,
        "ended_at": None,
        "attempts": message.attempts,
        "tries": message.tries,
        "token": message.token,
        "body": message.body,
        "mac": message.mac,
    }


def _binds(item: protocols.Claim | protocols.Settlement) -> dict[str, Any]:
    return {"contact": item.subject, "message": item.message, "token_": item.token}


def _enqueue(session: Session, rows: Sequence[Mapping[str, Any]]) -> None:
    session.change_each("put_message", rows, taken=ConflictError("the outbox already has a message with this id"))


def _settle(session: Session, settlements: Sequence[protocols.Settlement]) -> int:
    """
    Record the outcome of messages, and return how many of them were still claimed.
    """
    requeue, doubt, finish, forget = [], [], [], []
    unused = sorted(key for settlement in settlements for key in settlement.unused)
    for settlement in sorted(settlements, key=_key):
        claim = {**_binds(settlement), "attempts_": settlement.attempts, "tries_": settlement.tries}
        match settlement.state:
            case protocols.MessageState.QUEUED:
                again_at = None if settlement.due_at is None else to_micros(settlement.due_at)
                requeue.append({**claim, "again_at": again_at})
            case protocols.MessageState.IN_DOUBT:
                doubt.append(claim)
            case _ if settlement.forget:
                forget.append(claim)
            case _:
                ended_at = None if settlement.ended_at is None else to_micros(settlement.ended_at)
                finish.append({**claim, "state_": settlement.state.value, "empty": b"", "ended_at_": ended_at})
    rows = {"requeue": requeue, "doubt": doubt, "finish": finish, "forget_message": forget}
    changed = sum(session.change_each(name, each) for name, each in rows.items())
    session.change_each("drop_code", [{"key": key} for key in unused])
    return changed


def _key_of(renewal: protocols.Renewal) -> dict[str, Any]:
    columns = RENEWED[renewal.table].primary_key.columns
    return {
        f"key_{n}": part.decode() if isinstance(column.type, String) else part
        for n, (column, part) in enumerate(zip(columns, renewal.key, strict=True))
    }


def _identifier(idkey: bytes, key: str, mac: bytes, subject: bytes, line: int) -> protocols.Identifier:
    return protocols.Identifier(idkey=idkey, subject=subject, line=line, key_version=key, mac=mac)


def _suppression(idkey: bytes, key: str, mac: bytes, scope: str, at: int, mark: bytes) -> protocols.Suppression:
    return protocols.Suppression(idkey=idkey, scope=scope, at=from_micros(at), key_version=key, mark=mark, mac=mac)


def _reference(idkey: bytes, subject: bytes, key: str, mac: bytes) -> protocols.Reference:
    return protocols.Reference(idkey=idkey, subject=subject, key_version=key, mac=mac)


# How a row of each kind is made, and the parts of its primary key.
_ROWS: Final[Mapping[protocols.RowKind, tuple[Callable[..., protocols.Row], Callable[[Any], Sequence[Any]]]]] = {
    protocols.RowKind.IDENTIFIERS: (_identifier, attrgetter("idkey", "subject")),
    protocols.RowKind.REFERENCES: (_reference, lambda row: (row.idkey,)),
    protocols.RowKind.SUPPRESSIONS: (_suppression, attrgetter("idkey", "scope", "mark")),
    protocols.RowKind.CODES: (_stored_code, lambda row: (row.key,)),
    protocols.RowKind.MESSAGES: (_message, attrgetter("subject", "message")),
}
_BEFORE_ALL_KEYS: Final[Mapping[protocols.RowKind, Sequence[Any]]] = {
    kind: (b"", "", b"") if kind is protocols.RowKind.SUPPRESSIONS else (b"", b"") for kind in protocols.RowKind
}


# ---- heads


def _head(
    organisation: str,
    last: int | None,
    hash_: bytes,
    snapshot: bytes,
    version: int,
    dirty: int,
    named: bytes,
    mac: bytes,
) -> protocols.Head:
    return protocols.Head(
        organisation=organisation,
        version=last or 0,
        hash=hash_,
        snapshot=snapshot,
        snapshot_version=version,
        grown=bool(dirty),
        named=named,
        mac=mac,
    )


def _heads(session: Session, subjects: Sequence[bytes]) -> dict[bytes, protocols.Head]:
    return {subject: _head(*head) for subject, *head in session.lookup("heads", subjects)}


# ---- the one writing operation


def _append(session: Session, commits: Sequence[protocols.Commit]) -> None:
    # Always in the same order, so that two writers wait for each other and do not deadlock.
    commits = sorted(commits, key=_subject)
    _move_heads(session, commits)
    for commit in commits:
        _drop(session, commit)

    moved = ConflictError("another change to the contact came first")
    session.change_each(
        "put_event",
        [
            {"subject_id": commit.subject, "idem": None if nth else commit.idem, **attrs.asdict(entry)}
            for commit in commits
            for nth, entry in enumerate(commit.entries)
        ],
        taken=moved,
    )
    session.change_each(
        "put_personal",
        [
            {"subject_id": commit.subject, "slot": slot, "salt": opening.salt, "value": opening.value.encode()}
            for commit in commits
            for slot, opening in commit.openings.items()
        ],
        taken=ConflictError("a slot already holds a personal value"),
    )
    identifiers = [identifier for commit in commits for identifier in commit.identifiers]
    _put_identifiers(session, sorted(identifiers, key=lambda identifier: (identifier.idkey, identifier.subject)))
    references = [reference for commit in commits for reference in commit.references]
    _put_references(session, sorted(references, key=lambda reference: reference.idkey))
    _put_suppressions(session, [stop for commit in commits for stop in commit.suppressions])
    wordings = {digest: text for commit in commits for digest, text in commit.wordings.items()}
    session.change_each("put_wording", [{"digest": digest, "content": wordings[digest]} for digest in sorted(wordings)])
    _enqueue(session, [_message_row(commit.organisation, message) for commit in commits for message in commit.queue])
    settled = [settlement for commit in commits for settlement in commit.settle]
    if _settle(session, settled) < len(settled):
        raise ClaimLostError("the claim on a message was lost before its outcome was recorded")
    _list_complaints(session, commits)


def _list_complaints(session: Session, commits: Sequence[protocols.Commit]) -> None:
    session.change_each(
        "put_complaint",
        [_complaint_row(commit.organisation, complaint) for commit in commits for complaint in commit.complaints],
        taken=ConflictError("another complaint has this reference"),
    )
    session.change_each(
        "close_complaint",
        [
            {"of": commit.organisation, "name": complaint.reference, "empty": b"", "mac_": complaint.mac}
            for commit in commits
            for complaint in commit.closed
        ],
    )


def _move_heads(session: Session, commits: Sequence[protocols.Commit]) -> None:
    moved = ConflictError("another change to the contact came first")
    new = [
        {
            "subject_id": commit.subject,
            "organisation": commit.organisation,
            "version": commit.entries[-1].seq,
            "hash": commit.head,
            "dirty": 1,
            "snapshot": commit.snapshot,
            "named": commit.named,
            "mac": commit.mac,
        }
        for commit in commits
        if commit.expected == 0
    ]
    known = [
        {
            "contact": commit.subject,
            "of": commit.organisation,
            "expected": commit.expected,
            "version_": commit.entries[-1].seq,
            "hash_": commit.head,
            "snapshot_": commit.snapshot,
            "named_": commit.named,
            "mac_": commit.mac,
        }
        for commit in commits
        if commit.expected
    ]
    session.change_each("put_head", new, taken=moved)
    if session.change_each("move_head", known) < len(known):
        raise moved


def _drop(session: Session, commit: protocols.Commit) -> None:
    if commit.forget:
        for name in ("forget_personal", "forget_identifiers", "forget_references", "forget_codes", "forget_outbox"):
            session.change(name, contact=commit.subject)
    session.change_each("release", [{"contact": commit.subject, "name": idkey} for idkey in commit.release])


def _put_identifiers(session: Session, identifiers: Sequence[protocols.Identifier]) -> None:
    new = []
    for identifier in identifiers:
        if not session.change(
            "move_identifier",
            name=identifier.idkey,
            contact=identifier.subject,
            line_=identifier.line,
            key_version_=identifier.key_version,
            mac_=identifier.mac,
        ):
            new.append(
                {
                    "idkey": identifier.idkey,
                    "subject_id": identifier.subject,
                    "line": identifier.line,
                    "key_version": identifier.key_version,
                    "mac": identifier.mac,
                }
            )
    session.change_each("put_identifier", new)


def _put_suppressions(session: Session, suppressions: Sequence[protocols.Suppression]) -> None:
    session.change_each(
        "put_suppression",
        [
            {
                "idkey": stop.idkey,
                "scope": stop.scope,
                "at": to_micros(stop.at),
                "key_version": stop.key_version,
                "mark": stop.mark,
                "mac": stop.mac,
            }
            for stop in sorted(suppressions, key=lambda stop: (stop.idkey, stop.scope))
        ],
    )


def _put_references(session: Session, references: Sequence[protocols.Reference]) -> None:
    new = [
        {
            "idkey": reference.idkey,
            "subject_id": reference.subject,
            "key_version": reference.key_version,
            "mac": reference.mac,
        }
        for reference in references
        if not session.rows("own_reference", name=reference.idkey, contact=reference.subject)
    ]
    # The primary key is the real guard: two contacts may be added under one reference at the same time.
    session.change_each("put_reference", new, taken=ReferenceTakenError("another contact has this reference"))
