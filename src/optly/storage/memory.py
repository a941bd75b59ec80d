"""
A store in memory: for tests, and as the state behind the file store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from functools import partial
from heapq import nsmallest
from itertools import islice
from operator import attrgetter
from threading import Lock
from typing import Any, assert_never

import attrs

from optly import protocols, typed
from optly.contacts import Channel
from optly.errors import ClaimLostError, ConflictError, ReferenceTakenError
from optly.record.ledger import Entry, Leaf, Opening
from optly.record.merkle import Place, Tile


@attrs.define
class Contact:
    """
    A stored contact.

    Attributes:
        idems: The idem of each of its commits that has one.
        grown: Whether the chain has grown since it was last sealed.
        sealed: The positions of its leaves in the log.
    """

    organisation: str
    hash: bytes
    snapshot: bytes
    named: bytes = b""
    mac: bytes = b""
    entries: list[Entry] = attrs.field(factory=list)
    openings: dict[str, Opening] = attrs.field(factory=dict)
    idems: set[bytes] = attrs.field(factory=set)
    grown: bool = True
    sealed: list[int] = attrs.field(factory=list)

    @property
    def version(self) -> int:
        return self.entries[-1].seq if self.entries else 0

    def values(self, slots: Sequence[str] | None) -> dict[str, Opening]:
        """
        Return the personal values in some slots, or in all.
        """
        if slots is None:
            return dict(self.openings)
        return {slot: self.openings[slot] for slot in slots if slot in self.openings}

    def head(self) -> protocols.Head:
        version = self.version
        return protocols.Head(
            organisation=self.organisation,
            version=version,
            hash=self.hash,
            snapshot=self.snapshot,
            snapshot_version=version,
            grown=self.grown,
            named=self.named,
            mac=self.mac,
        )


@attrs.frozen
class Queued:
    """
    A message in the outbox and its state.

    Attributes:
        until: The end of its lease, while it is claimed.
        ended_at: When it ended, once it has, if it is to be removed some time after.
    """

    organisation: str
    message: protocols.OutboxMessage
    state: protocols.MessageState = protocols.MessageState.QUEUED
    until: datetime | None = None
    ended_at: datetime | None = None


@attrs.define
class State:
    """
    Everything, table by table. A message moves from `outbox` to `settled` once its outcome is final.
    """

    contacts: dict[bytes, Contact] = attrs.field(factory=dict)
    holders: dict[bytes, dict[bytes, protocols.Identifier]] = attrs.field(factory=dict)
    references: dict[bytes, protocols.Reference] = attrs.field(factory=dict)
    suppressions: dict[bytes, dict[str, protocols.Suppression]] = attrs.field(factory=dict)
    wordings: dict[str, bytes] = attrs.field(factory=dict)
    outbox: dict[tuple[bytes, bytes], Queued] = attrs.field(factory=dict)
    settled: dict[tuple[bytes, bytes], Queued] = attrs.field(factory=dict)
    codes: dict[bytes, protocols.StoredCode] = attrs.field(factory=dict)
    counters: dict[bytes, tuple[int, datetime]] = attrs.field(factory=dict)
    key_versions: dict[str, set[str]] = attrs.field(factory=dict)
    logs: dict[str, protocols.LogHead] = attrs.field(factory=dict)
    leaves: dict[tuple[str, int], Leaf] = attrs.field(factory=dict)
    tiles: dict[tuple[str, int, int], bytes] = attrs.field(factory=dict)
    complaints: dict[tuple[str, str], protocols.StoredComplaint] = attrs.field(factory=dict)


def is_in_place(table: str, key: Any, row: Any) -> bool:
    """
    Whether a row of a table of the state is under its own key, where a key is part of the row.
    """
    match table:
        case "holders":
            return all((row.idkey, row.subject) == (key, subject) for subject, row in row.items())
        case "suppressions":
            return all((row.idkey, _suppression_name(row.scope, row.mark)) == (key, name) for name, row in row.items())
        case "references":
            return bool(row.idkey == key)
        case "codes":
            return bool(row.key == key)
        case "outbox" | "settled":
            return bool((row.message.subject, row.message.message) == key)
        case "complaints":
            return bool(row.reference == key[1])
        case _:
            return True


def _live(code: protocols.StoredCode | None, now: datetime) -> protocols.StoredCode | None:
    return code if code is not None and (code.expires_at is None or code.expires_at >= now) else None


def _since(times: Sequence[datetime], since: tuple[datetime, datetime]) -> tuple[int, int]:
    first, second = since
    return sum(at >= first for at in times), sum(at >= second for at in times)


class MemoryStorage:
    """
    Keeps everything in memory until the process ends. Safe to share between threads, but not between processes.
    """

    def __init__(self) -> None:
        self._state = State()
        # Locks the state for one operation. A store that does more than that around each replaces it.
        self._reading: AbstractContextManager[object] = Lock()
        self._changing: AbstractContextManager[object] = self._reading

    def _adding(self, operation: str, *args: Any) -> None:
        """
        Called, while the state is locked, before an operation adds to it. May raise to refuse it.
        """

    def _changed(self, operation: str, *args: Any) -> None:
        """
        Called, while the state is locked, after each operation that changed it, unless it changed counters alone. The
        same operation on the same state gives the same result.
        """

    # ---- contacts

    def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> protocols.Found:
        holders: dict[bytes, Sequence[protocols.Identifier]] = {}
        suppressions: list[protocols.Suppression] = []
        heads: dict[bytes, protocols.Head] = {}
        with self._reading:
            for idkey in idkeys:
                if found := self._state.holders.get(idkey):
                    rows = [*found.values()]
                    holders[idkey] = rows if len(rows) == 1 else sorted(rows, key=attrgetter("subject"))
                    for row in rows:
                        if contact := self._state.contacts.get(row.subject):
                            heads[row.subject] = contact.head()
            for idkey in dict.fromkeys([*idkeys, *stops]) if self._state.suppressions else ():
                if rows_of := self._state.suppressions.get(idkey):
                    suppressions += rows_of.values()
        return protocols.Found(holders, suppressions, heads)

    def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, protocols.Reference]:
        with self._reading:
            return {
                idkey: reference for idkey in idkeys if (reference := self._state.references.get(idkey)) is not None
            }

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, protocols.Head]:
        with self._reading:
            return {subject: contact.head() for subject in subjects if (contact := self._state.contacts.get(subject))}

    def entries(self, subject: bytes) -> Sequence[Entry]:
        return self.chains([subject]).get(subject, ())

    def chains(self, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[Entry]]:
        with self._reading:
            return {
                subject: tuple(contact.entries)
                for subject in subjects
                if (contact := self._state.contacts.get(subject)) and contact.entries
            }

    def openings(
        self, subjects: Sequence[bytes], slots: Sequence[str] | None = None
    ) -> Mapping[bytes, Mapping[str, Opening]]:
        with self._reading:
            return {
                subject: found
                for subject in subjects
                if (contact := self._state.contacts.get(subject)) and (found := contact.values(slots))
            }

    def append(self, commits: Sequence[protocols.Commit]) -> None:
        with self._changing:
            _check(self._state, commits)
            self._adding("append", commits)
            for commit in commits:
                _drop(self._state, commit)
            for commit in commits:
                _write(self._state, commit)
            self._changed("append", commits)

    def committed(self, subject: bytes, idem: bytes) -> bool:
        with self._reading:
            contact = self._state.contacts.get(subject)
            return contact is not None and idem in contact.idems

    def wordings(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        with self._reading:
            return {digest: self._state.wordings[digest] for digest in digests if digest in self._state.wordings}

    def subjects(self, organisation: str) -> Iterator[bytes]:
        with self._reading:
            found = [
                subject for subject, contact in self._state.contacts.items() if contact.organisation == organisation
            ]
        yield from found

    def close(self) -> None:
        pass

    # ---- the outbox

    def enqueue(self, organisation: str, messages: Sequence[protocols.OutboxMessage]) -> None:
        with self._changing:
            _check_ids(self._state, messages)
            if messages:
                self._adding("enqueue", organisation, messages)
                _enqueue(self._state, organisation, messages)
                self._changed("enqueue", organisation, messages)

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[protocols.OutboxMessage]:
        with self._reading:
            found = (
                queued.message
                for queued in self._state.outbox.values()
                if queued.organisation == organisation
                and queued.state is protocols.MessageState.QUEUED
                and queued.message.channel is channel
                and queued.message.due_at <= now
            )
            return nsmallest(limit, found, key=attrgetter("due_at"))

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[protocols.OutboxMessage]:
        with self._reading:
            found = (
                queued
                for queued in self._state.outbox.values()
                if queued.organisation == organisation and queued.until is not None and queued.until < now
            )
            return [queued.message for queued in nsmallest(limit, found, key=attrgetter("until"))]

    def messages(
        self, organisation: str, state: protocols.MessageState, limit: int
    ) -> Sequence[protocols.OutboxMessage]:
        with self._reading:
            found = (
                queued.message
                for messages in (self._state.outbox, self._state.settled)
                for queued in messages.values()
                if queued.organisation == organisation and queued.state is state
            )
            return nsmallest(limit, found, key=attrgetter("due_at"))

    def waiting(self, subject: bytes) -> Sequence[protocols.OutboxMessage]:
        with self._reading:
            return [queued.message for name, queued in self._state.outbox.items() if name[0] == subject]

    def claim(
        self, claims: Sequence[protocols.Claim], now: datetime, until: datetime
    ) -> Sequence[protocols.OutboxMessage]:
        with self._changing:
            self._adding("claim", claims, now, until)
            claimed: list[protocols.OutboxMessage] = []
            for claim in claims:
                name = (claim.subject, claim.message)
                queued = self._state.outbox.get(name)
                if queued is None or queued.state is not protocols.MessageState.QUEUED or queued.message.due_at > now:
                    continue
                message = typed.evolve(queued.message, token=claim.token)
                self._state.outbox[name] = Queued(queued.organisation, message, protocols.MessageState.SENDING, until)
                self._state.codes.update((code.key, code) for code in claim.codes)
                claimed.append(message)
            if claimed:
                self._changed("claim", claims, now, until)
            return claimed

    def settle(self, settlements: Sequence[protocols.Settlement]) -> None:
        with self._changing:
            settled = []
            for settlement in settlements:
                claimed, removed = _is_claimed(self._state, settlement), _remove_unused(self._state, settlement)
                if claimed:
                    _settle(self._state, settlement)
                if claimed or removed:
                    settled.append(settlement)
            if settled:
                self._changed("settle", settled)

    def backlog(self, organisation: str) -> Mapping[protocols.MessageState, int]:
        with self._reading:
            return Counter(
                queued.state
                for messages in (self._state.outbox, self._state.settled)
                for queued in messages.values()
                if queued.organisation == organisation
            )

    def remove_ended(self, organisation: str, before: datetime, limit: int) -> int:
        with self._changing:
            ended = (
                (queued.ended_at, name)
                for name, queued in self._state.settled.items()
                if queued.organisation == organisation and queued.ended_at is not None and queued.ended_at < before
            )
            names = [name for _, name in nsmallest(limit, ended)]
            for name in names:
                del self._state.settled[name]
            if names:
                self._changed("remove_ended", organisation, before, limit)
            return len(names)

    def measure(self, organisation: str, since: tuple[datetime, datetime]) -> protocols.StoreSize:
        with self._reading:
            state = self._state
            contacts = [contact for contact in state.contacts.values() if contact.organisation == organisation]
            ended = [queued.ended_at for queued in state.settled.values() if queued.organisation == organisation]
            stops = [stop.at for rows in state.suppressions.values() for stop in rows.values()]
            return protocols.StoreSize(
                contacts=len(contacts),
                events=sum(len(contact.entries) for contact in contacts),
                personal=sum(len(contact.openings) for contact in contacts),
                ended=_since([at for at in ended if at is not None], since),
                codes=len(state.codes),
                suppressions=len(stops),
                suppressed=_since(stops, since),
                wordings=len(state.wordings),
            )

    # ---- complaints

    def complaint(self, organisation: str, reference: str) -> protocols.StoredComplaint | None:
        with self._reading:
            return self._state.complaints.get((organisation, reference))

    def complaints(
        self, organisation: str, open: bool | None, after: protocols.StoredComplaint | None, limit: int
    ) -> Sequence[protocols.StoredComplaint]:
        with self._reading:
            found = (
                complaint
                for (owner, _), complaint in self._state.complaints.items()
                if owner == organisation
                and open in (None, complaint.open)
                and (after is None or _when_due(complaint) > _when_due(after))
            )
            return nsmallest(limit, found, key=_when_due)

    # ---- codes and counters

    def put_codes(self, codes: Sequence[protocols.StoredCode]) -> None:
        with self._changing:
            self._adding("put_codes", codes)
            self._state.codes.update((code.key, code) for code in codes)
            self._changed("put_codes", codes)

    def code(self, key: bytes, now: datetime) -> protocols.StoredCode | None:
        with self._reading:
            return _live(self._state.codes.get(key), now)

    def take_code(self, key: bytes, now: datetime) -> protocols.StoredCode | None:
        with self._changing:
            code = _live(self._state.codes.get(key), now)
            if code is None:
                return None
            del self._state.codes[key]
            self._changed("take_code", key, now)
            return code

    def revoke_codes(self, subject: bytes) -> Sequence[protocols.StoredCode]:
        with self._changing:
            revoked = _revoke(self._state, subject)
            if revoked:
                self._changed("revoke_codes", subject)
            return revoked

    def count(self, key: bytes, now: datetime, until: datetime, by: int = 1, *, most: int | None = None) -> int:
        with self._changing:
            number, ends = self._state.counters.get(key, (0, until))
            if ends < now:
                number, ends = 0, until
            number += by
            if most is not None and number - by >= most:
                return number
            self._state.counters[key] = (number, ends)
            return number

    def expire(self, now: datetime, limit: int) -> int:
        with self._changing:
            codes = [*islice((key for key, code in self._state.codes.items() if _live(code, now) is None), limit)]
            counters = [*islice((key for key, (_, ends) in self._state.counters.items() if ends < now), limit)]
            for key in codes:
                del self._state.codes[key]
            for key in counters:
                del self._state.counters[key]
            if codes:
                self._changed("expire", now, limit)
            return len(codes) + len(counters)

    # ---- keys

    def key_versions(self, organisation: str) -> frozenset[str]:
        with self._reading:
            return frozenset(self._state.key_versions.get(organisation, ()))

    def add_key_version(self, organisation: str, version: str, marks: Sequence[protocols.Suppression] = ()) -> None:
        with self._changing:
            versions = self._state.key_versions.setdefault(organisation, set())
            if version not in versions or marks:
                versions.add(version)
                _suppress(self._state, marks)
                self._changed("add_key_version", organisation, version, list(marks))

    def rows(self, kind: protocols.RowKind) -> Iterator[protocols.Row]:
        with self._reading:
            found = [*_rows_of(self._state, kind)]
        yield from found

    def renew(self, renewals: Sequence[protocols.Renewal]) -> int:
        with self._changing:
            renewed = sum(_renew(self._state, renewal) for renewal in renewals)
            if renewed:
                self._changed("renew", renewals)
            return renewed

    # ---- the log

    def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        with self._reading:
            grown = (
                Leaf(subject=subject, version=contact.version, head=contact.hash)
                for subject, contact in self._state.contacts.items()
                if contact.grown and contact.organisation == organisation
            )
            return [leaf for leaf, _ in zip(grown, range(limit), strict=False)]

    def seal(
        self,
        organisation: str,
        head: protocols.LogHead,
        leaves: Sequence[Leaf],
        tiles: Sequence[Tile],
        previous_size: int,
    ) -> None:
        with self._changing:
            before = self._state.logs.get(organisation)
            if (before.checkpoint.size if before else 0) != previous_size:
                raise ConflictError("the log has grown since the leaves were chosen")
            for index, leaf in enumerate(leaves, previous_size):
                self._state.leaves[organisation, index] = leaf
                contact = self._state.contacts[leaf.subject]
                contact.sealed.append(index)
                contact.grown = contact.grown and contact.version != leaf.version
            for tile in tiles:
                self._state.tiles[organisation, tile.level, tile.number] = tile.data
            self._state.logs[organisation] = head
            self._changed("seal", organisation, head, leaves, tiles, previous_size)

    def log_head(self, organisation: str) -> protocols.LogHead | None:
        with self._reading:
            return self._state.logs.get(organisation)

    def tiles(self, organisation: str, places: Sequence[Place]) -> Sequence[Tile]:
        with self._reading:
            return [
                Tile(level, number, data)
                for level, number in places
                if (data := self._state.tiles.get((organisation, level, number))) is not None
            ]

    def log_leaves(self, organisation: str, start: int, limit: int) -> Sequence[protocols.SealedLeaf]:
        with self._reading:
            head = self._state.logs.get(organisation)
            end = min(start + limit, head.checkpoint.size if head else 0)
            return [
                protocols.SealedLeaf(index=index, leaf=leaf)
                for index in range(start, end)
                if (leaf := self._state.leaves.get((organisation, index))) is not None
            ]

    def sealed(self, organisation: str, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[protocols.SealedLeaf]]:
        with self._reading:
            return {
                subject: [
                    protocols.SealedLeaf(index=index, leaf=self._state.leaves[organisation, index])
                    for index in contact.sealed
                ]
                for subject in subjects
                if (contact := self._state.contacts.get(subject))
                and contact.organisation == organisation
                and contact.sealed
            }


# ---- what one commit does to the state


def _is_claimed(state: State, settlement: protocols.Settlement) -> bool:
    queued = state.outbox.get((settlement.subject, settlement.message))
    return (
        queued is not None
        and queued.state in (protocols.MessageState.SENDING, protocols.MessageState.IN_DOUBT)
        and queued.message.token == settlement.token
    )


def _check(state: State, commits: Sequence[protocols.Commit]) -> None:
    """
    Raise if any of *commits* cannot be written, before anything is changed.
    """
    for commit in commits:
        contact = state.contacts.get(commit.subject)
        version, organisation = (contact.version, contact.organisation) if contact else (0, commit.organisation)
        if (commit.expected, commit.organisation) != (version, organisation):
            raise ConflictError("another change to the contact came first")
    for commit in commits:
        contact = state.contacts.get(commit.subject)
        if contact and not commit.forget and contact.openings.keys() & commit.openings.keys():
            raise ConflictError("a slot already holds a personal value")
    _check_references(state, commits)
    references = [(commit.organisation, complaint.reference) for commit in commits for complaint in commit.complaints]
    if len(set(references)) < len(references) or any(reference in state.complaints for reference in references):
        raise ConflictError("another complaint has this reference")
    for commit in commits:
        _check_ids(state, commit.queue, forgotten=commit.forget)
    for commit in commits:
        names = [(settlement.subject, settlement.message) for settlement in commit.settle]
        claimed = not commit.forget and all(_is_claimed(state, settlement) for settlement in commit.settle)
        if names and not (claimed and len(set(names)) == len(names)):
            raise ClaimLostError("the claim on a message was lost before its outcome was recorded")


def _check_ids(state: State, messages: Sequence[protocols.OutboxMessage], *, forgotten: bool = False) -> None:
    names = [(message.subject, message.message) for message in messages]
    taken = not forgotten and any(name in state.outbox or name in state.settled for name in names)
    if taken or len(set(names)) < len(names):
        raise ConflictError("the outbox already has a message with this id")


def _check_references(state: State, commits: Sequence[protocols.Commit]) -> None:
    forgotten = {commit.subject for commit in commits if commit.forget}
    owners: dict[bytes, bytes] = {}
    for commit in commits:
        for reference in commit.references:
            known = state.references.get(reference.idkey)
            if known is not None and known.subject not in forgotten:
                owners.setdefault(reference.idkey, known.subject)
            if owners.setdefault(reference.idkey, reference.subject) != reference.subject:
                raise ReferenceTakenError("another contact has this reference")


def _when_due(complaint: protocols.StoredComplaint) -> tuple[datetime, str]:
    return complaint.due_at, complaint.reference


def _revoke(state: State, subject: bytes) -> Sequence[protocols.StoredCode]:
    revoked = [code for code in state.codes.values() if code.subject == subject]
    for code in revoked:
        del state.codes[code.key]
    return revoked


def _drop(state: State, commit: protocols.Commit) -> None:
    if commit.forget:
        if contact := state.contacts.get(commit.subject):
            contact.openings.clear()
        _revoke(state, commit.subject)
        for idkey in [key for key, found in state.holders.items() if commit.subject in found]:
            _release(state, idkey, commit.subject)
        for idkey in [key for key, row in state.references.items() if row.subject == commit.subject]:
            del state.references[idkey]
        for messages in (state.outbox, state.settled):
            for name in [name for name in messages if name[0] == commit.subject]:
                del messages[name]
    for idkey in commit.release:
        _release(state, idkey, commit.subject)


def _release(state: State, idkey: bytes, subject: bytes) -> None:
    found = state.holders.get(idkey, {})
    found.pop(subject, None)
    if not found:
        state.holders.pop(idkey, None)


def _write(state: State, commit: protocols.Commit) -> None:
    contact = state.contacts.setdefault(commit.subject, Contact(commit.organisation, commit.head, commit.snapshot))
    contact.hash, contact.snapshot, contact.named, contact.mac = commit.head, commit.snapshot, commit.named, commit.mac
    contact.grown = True
    contact.entries.extend(commit.entries)
    contact.openings.update(commit.openings)
    if commit.idem is not None:
        contact.idems.add(commit.idem)
    for identifier in commit.identifiers:
        state.holders.setdefault(identifier.idkey, {})[identifier.subject] = identifier
    state.references.update((reference.idkey, reference) for reference in commit.references)
    _suppress(state, commit.suppressions)
    for digest, text in commit.wordings.items():
        state.wordings.setdefault(digest, text)
    _enqueue(state, commit.organisation, commit.queue)
    for settlement in commit.settle:
        _remove_unused(state, settlement)
        _settle(state, settlement)
    for complaint in commit.complaints:
        state.complaints[commit.organisation, complaint.reference] = complaint
    for closed in commit.closed:
        name = (commit.organisation, closed.reference)
        if known := state.complaints.get(name):
            state.complaints[name] = typed.evolve(known, open=False, reply=b"", mac=closed.mac)


def _suppression_name(scope: str, mark: bytes) -> str:
    return f"{scope} {mark.hex()}"


def _suppress(state: State, suppressions: Sequence[protocols.Suppression]) -> None:
    for stop in suppressions:
        scopes = state.suppressions.setdefault(stop.idkey, {})
        name = _suppression_name(stop.scope, stop.mark)
        if name not in scopes or scopes[name].at < stop.at:
            scopes[name] = stop


def _rows_of(state: State, kind: protocols.RowKind) -> Iterator[protocols.Row]:
    """
    Yield every row of a kind.
    """
    match kind:
        case protocols.RowKind.IDENTIFIERS:
            yield from (row for rows in state.holders.values() for row in rows.values())
        case protocols.RowKind.REFERENCES:
            yield from state.references.values()
        case protocols.RowKind.SUPPRESSIONS:
            yield from (row for rows in state.suppressions.values() for row in rows.values())
        case protocols.RowKind.CODES:
            yield from state.codes.values()
        case protocols.RowKind.MESSAGES:
            yield from (queued.message for queued in state.outbox.values())
        case _:
            assert_never(kind)


def _renew(state: State, renewal: protocols.Renewal) -> bool:
    """
    Exchange the MAC of one row, and return whether it still had the one given.
    """
    first, *second = renewal.key
    table: Any
    place: Any
    match renewal.table:
        case "heads":
            contact = state.contacts.get(first)
            if contact is not None and contact.mac == renewal.old:
                contact.mac = renewal.new
                return True
            return False
        case "outbox":
            name = (first, second[0])
            queued = state.outbox.get(name)
            if queued is not None and queued.message.mac == renewal.old:
                state.outbox[name] = typed.evolve(queued, message=typed.evolve(queued.message, mac=renewal.new))
                return True
            return False
        case "identifiers":
            table, place = state.holders.get(first, {}), second[0]
        case "suppressions":
            table, place = state.suppressions.get(first, {}), _suppression_name(second[0].decode(), second[1])
        case "references":
            table, place = state.references, first
        case "codes":
            table, place = state.codes, first
        case _:
            table, place = state.complaints, (first.decode(), second[0].decode())
    row = table.get(place)
    if row is None or row.mac != renewal.old:
        return False
    table[place] = protocols.with_mac(row, renewal.new)
    return True


def _enqueue(state: State, organisation: str, messages: Sequence[protocols.OutboxMessage]) -> None:
    for message in messages:
        state.outbox[message.subject, message.message] = Queued(organisation, message)


def _remove_unused(state: State, settlement: protocols.Settlement) -> bool:
    removed = [key for key in settlement.unused if state.codes.pop(key, None) is not None]
    return bool(removed)


def _settle(state: State, settlement: protocols.Settlement) -> None:
    name = (settlement.subject, settlement.message)
    queued = state.outbox.pop(name)
    settled = partial(attrs.evolve, queued.message, attempts=settlement.attempts, tries=settlement.tries)
    if settlement.state is protocols.MessageState.QUEUED:
        state.outbox[name] = Queued(queued.organisation, settled(due_at=settlement.due_at or queued.message.due_at))
    elif settlement.state is protocols.MessageState.IN_DOUBT:
        state.outbox[name] = Queued(queued.organisation, settled(), protocols.MessageState.IN_DOUBT)
    elif not settlement.forget:
        message = settled(body=b"")
        state.settled[name] = Queued(queued.organisation, message, settlement.state, ended_at=settlement.ended_at)
