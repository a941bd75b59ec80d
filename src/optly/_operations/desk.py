"""
What every flow works with: the settings, the ports, and the one way in which a contact is read and changed.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from optly._operations.payload import Parcel, ParcelKind, pack
from optly.canonical import canonical, parse
from optly.contacts.addresses import Address, AddressKind, Channel, parse_address
from optly.contacts.parties import Contact, Organisation
from optly.contacts.purposes import Purpose, Wording
from optly.errors import (
    AddressTakenError,
    ClaimLostError,
    ConflictError,
    MissingLineError,
    StorageUnavailableError,
    UnknownContactError,
    UnknownPurposeError,
)
from optly.keys import Keys
from optly.links import Pages, StopLinks
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import (
    Clock,
    Commit,
    Head,
    Identifier,
    OutboxMessage,
    Settlement,
    Suppression,
)
from optly.record.commands import Command
from optly.record.consent import Standing, StandingStop, decide, fold, stops_of
from optly.record.events import ConsentGiven, ContactErased, Event, LineAdded, LineReinstated, LineRemoved
from optly.record.ledger import GENESIS, Opening, extend
from optly.rules import Rulebook

_log = logging.getLogger("optly")

# A lost race is decided again at once: the store has waited already. More than this means that something is stuck.
_ATTEMPTS: Final = 100

# Written before each snapshot. Raise it when what `evolve` makes of an event changes: older ones are then made again.
_SNAPSHOT: Final = b"4"

# How many texts are kept at hand.
_WORDINGS: Final = 1000

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Standing).decode


def dump_standing(standing: Standing) -> bytes:
    """
    Return the read model as a store keeps it.
    """
    return _SNAPSHOT + _encode(standing)


@lru_cache(maxsize=4096)
def load_standing(snapshot: bytes) -> Standing | None:
    """
    Read it back. None if it was written by another version or is damaged; the events then tell.
    """
    if not snapshot.startswith(_SNAPSHOT):
        return None
    try:
        return _decode(snapshot[len(_SNAPSHOT) :])
    except msgspec.DecodeError:
        return None


def line_values(standing: Standing, openings: Mapping[str, Opening]) -> dict[int, Address]:
    """
    Return the addresses of a contact's lines by number, the removed ones included, as far as they are not erased.
    """
    return {
        line.number: parse_address(openings[slot].value, line.kind)
        for line in standing.lines
        if (slot := f"line_{line.number}") in openings
    }


def suppressed(rows: Iterable[Suppression], lines: Mapping[bytes, int | None]) -> list[StandingStop]:
    """
    Return what is stopped by address alone, for the lines that the keyed names in *lines* stand for.
    """
    stops = []
    for row in rows:
        channel, _, purpose = row.scope.partition("/")
        stops.append(
            StandingStop(
                channel=None if channel == "*" else Channel(channel),
                purpose=None if purpose == "*" else purpose,
                line=lines[row.idkey],
                at=row.at,
                objection=True,
                seq=None,
            )
        )
    return stops


@attrs.frozen(kw_only=True)
class Record:
    """
    A contact as it is on record at one moment.

    Attributes:
        head: Hash of the last event.
    """

    subject: bytes
    version: int
    head: bytes = attrs.field(repr=False)
    standing: Standing


@attrs.frozen(kw_only=True)
class Plan:
    """
    A change that a flow wants, decided on one standing.

    Attributes:
        queue: Messages to hand over.
        wordings: Texts the events name.
        receipt_to: The channel and line on which the person is told what they said yes to; None for not at all.
    """

    command: Command
    queue: Sequence[OutboxMessage] = ()
    settle: Sequence[Settlement] = ()
    wordings: Sequence[Wording] = ()
    receipt_to: tuple[Channel, int] | None = None


# Told what was recorded of a contact.
Listener: TypeAlias = Callable[[Contact, tuple[Event, ...]], object]

# Makes a plan from a standing and the time. None for nothing to do.
Planner: TypeAlias = Callable[[Standing, datetime], Plan | None]


@attrs.frozen(kw_only=True)
class Applied:
    """
    What came of a plan: the standing afterwards and the events that were recorded, none if nothing had to change.
    """

    standing: Standing
    events: tuple[Event, ...]


@attrs.frozen(kw_only=True)
class Outlet:
    """
    A message backend as the flows see it.

    Attributes:
        port: In the shape of coroutines.
        batches: Whether it takes many messages at once.
        takes_replies: Whether whoever gets a message can answer it.
        traces: Whether it can look up what its provider has.
    """

    port: Any
    name: str
    batches: bool
    takes_replies: bool
    traces: bool


@attrs.frozen(kw_only=True)
class Desk:
    """
    The settings and the ports of one manager.

    Attributes:
        storage, registers: In the shape of coroutines (see :mod:`optly._operations.run`).
        random: Returns that many random bytes.
        receipts: Whether people are told what they said yes to.
        rates, quiet_hours, budget: How fast, when, and how often.
        ear: Its ``hear`` is told what was recorded, in the shape of a coroutine. None if nobody listens.
        catalogues: Directories with catalogues of the host's, whose sentences come before ours.
        known_wordings: Texts that were read before. They never change.
    """

    organisation: Organisation
    purposes: Mapping[str, Purpose]
    storage: Any
    outlets: Mapping[Channel, Outlet]
    registers: Sequence[Any]
    keys: Keys
    pages: Pages
    stop_links: StopLinks
    rulebook: Rulebook
    clock: Clock
    random: Callable[[int], bytes]
    receipts: bool
    rates: Sequence[Rate] = ()
    quiet_hours: QuietHours | None = None
    budget: Budget | None = None
    ear: Any = None
    catalogues: tuple[Path, ...] = ()
    known_wordings: dict[str, Wording] = attrs.field(factory=dict, repr=False)

    def purpose(self, key: str) -> Purpose:
        """
        Return the purpose of that key.

        Raises:
            UnknownPurposeError: There is none.
        """
        try:
            return self.purposes[key]
        except KeyError:
            raise UnknownPurposeError(f"no such purpose; the purposes are {', '.join(self.purposes)}") from None

    async def load(self, contact: Contact) -> Record:
        """
        Read a contact. One that is not on record has version 0.
        """
        return (await self.load_all([contact.subject]))[contact.subject]

    async def load_all(self, subjects: Sequence[bytes]) -> dict[bytes, Record]:
        """
        Read contacts, each as `load` does.
        """
        heads: Mapping[bytes, Head] = await self.storage.load(subjects)
        return {subject: await self.record(subject, heads.get(subject)) for subject in subjects}

    async def known(self, contact: Contact) -> Record:
        """
        Read a contact that has to be on record; it may have been erased.

        Raises:
            UnknownContactError: It is not.
        """
        record = await self.load(contact)
        if not record.version:
            raise UnknownContactError("there is no such contact")
        return record

    async def record(self, subject: bytes, head: Head | None) -> Record:
        """
        Make a record of what the store holds. A read model that is behind the events is not trusted but made again.
        """
        if head is None:
            return Record(subject=subject, version=0, head=GENESIS, standing=Standing())
        if head.snapshot_version == head.version and (standing := load_standing(head.snapshot)) is not None:
            return Record(subject=subject, version=head.version, head=head.hash, standing=standing)
        entries = await self.storage.entries(subject)
        return Record(
            subject=subject,
            version=head.version,
            head=entries[-1].hash,
            standing=fold(entry.event() for entry in entries),
        )

    def idkeys(self, address: Address) -> tuple[bytes, ...]:
        """
        Return the keyed names under which *address* may be known, that of the current key first.
        """
        return self.keys.idkeys(self.organisation.key, address)

    async def openings(self, subject: bytes) -> Mapping[str, Opening]:
        """
        Return every personal value of a contact that is still there, by slot.
        """
        found: Mapping[bytes, Mapping[str, Opening]] = await self.storage.openings([subject])
        return found.get(subject, {})

    async def whole(self, record: Record) -> tuple[Standing, dict[int, Address]]:
        """
        Return the standing together with what is stopped by address alone, and the addresses by line.
        """
        return (await self.whole_all([record]))[record.subject]

    async def whole_all(self, records: Sequence[Record]) -> dict[bytes, tuple[Standing, dict[int, Address]]]:
        """
        Return for each contact what `whole` does.
        """
        openings = await self.storage.openings([record.subject for record in records])
        values = {record.subject: line_values(record.standing, openings.get(record.subject, {})) for record in records}
        lines: dict[bytes, dict[bytes, int | None]] = {
            subject: {idkey: number for number, address in numbered.items() for idkey in self.idkeys(address)}
            for subject, numbered in values.items()
        }
        names = [idkey for known in lines.values() for idkey in known]
        rows: dict[bytes, list[Suppression]] = {}
        for row in (await self.storage.find(names)).suppressions if names else ():
            rows.setdefault(row.idkey, []).append(row)
        whole = {}
        for record in records:
            known = lines[record.subject]
            stops = suppressed([row for idkey in known for row in rows.get(idkey, ())], known) if rows else ()
            standing = record.standing.with_stops(stops) if stops else record.standing
            whole[record.subject] = (standing, values[record.subject])
        return whole

    async def apply(
        self,
        contact: Contact,
        plan: Planner,
        *,
        whole: bool = False,
        read: Record | None = None,
        idem: bytes | None = None,
    ) -> Applied:
        """
        Decide and write, and decide again on the new standing whenever another writer was faster.

        Args:
            plan: Makes the plan from a standing and the time. May refuse.
            whole: Whether to decide with regard to what is stopped by address alone.
            read: The contact, if it was read just now.
            idem: 16 bytes that name the change. If one of that name was written, nothing happens and nothing is told.
        """
        name = idem or self.random(16)
        for _ in range(_ATTEMPTS):
            record, read = read or await self.load(contact), None
            # Asked after the contact was read: whatever is written in between is a conflict further down.
            if idem is not None and record.version and await self.storage.committed(record.subject, idem):
                return Applied(standing=record.standing, events=())
            standing = (await self.whole(record))[0] if whole else record.standing
            commit, applied = await self._prepare(record, standing, plan, name)
            if commit is None:
                return applied
            try:
                await self.storage.append([commit])
            except (AddressTakenError, ClaimLostError):
                raise
            except ConflictError:
                continue
            except StorageUnavailableError:
                # The connection broke, maybe after the commit: then the call has done what it was to do.
                if not await self.storage.committed(record.subject, name):
                    raise
            await self._tell(record.subject, applied.events)
            return applied
        raise ConflictError("other writers kept changing this contact: try again later")

    async def apply_all(self, changes: Sequence[tuple[Record, Planner]]) -> dict[bytes, Applied]:
        """
        Decide and write changes to different contacts, each as it was read, in one transaction.

        Returns:
            What was written, by contact. A contact is missing where there was nothing to write, and all of them are
            where somebody else was faster with one: those are for `apply`.
        """
        commits, written = [], {}
        for record, plan in changes:
            commit, applied = await self._prepare(record, record.standing, plan, self.random(16))
            if commit is not None:
                commits.append(commit)
                written[record.subject] = applied
        try:
            await self.storage.append(commits)
        except ConflictError:
            return {}
        except StorageUnavailableError:
            # The connection broke, maybe after the commit, which has all of them or none.
            if not commits or not await self.storage.committed(commits[0].subject, commits[0].idem):
                raise
        for subject, applied in written.items():
            await self._tell(subject, applied.events)
        return written

    async def _tell(self, subject: bytes, events: tuple[Event, ...]) -> None:
        """
        Tell whoever listens what is on record now, without its personal values. What they make of it changes nothing.
        """
        if self.ear is None:
            return
        contact = Contact(subject.hex())
        try:
            await self.ear.hear(contact, tuple(attrs.evolve(event, personal={}) for event in events))
        except Exception:
            _log.exception("whoever listens to events failed", extra={"contact": contact.id})

    async def _prepare(
        self, record: Record, standing: Standing, plan: Planner, name: bytes
    ) -> tuple[Commit | None, Applied]:
        now = self.clock()
        planned = plan(standing, now)
        events = () if planned is None else decide(planned.command, standing, now=now)
        if planned is None or not events:
            return None, Applied(standing=record.standing, events=())
        after = fold(events, record.standing)
        return await self._commit(record, planned, events, after, name, now), Applied(standing=after, events=events)

    async def _commit(
        self, record: Record, plan: Plan, events: tuple[Event, ...], after: Standing, idem: bytes, now: datetime
    ) -> Commit:
        entries, openings = extend(
            organisation=self.organisation.key,
            subject=record.subject,
            version=record.version,
            head=record.head,
            events=events,
            salts=iter(lambda: self.random(32), None),
        )
        identifiers, release, suppressions = await self._names(record, events, after)
        return Commit(
            organisation=self.organisation.key,
            subject=record.subject,
            expected=record.version,
            head=entries[-1].hash,
            entries=entries,
            snapshot=dump_standing(after),
            openings=openings,
            forget=any(isinstance(event, ContactErased) for event in events),
            release=release,
            identifiers=identifiers,
            suppressions=suppressions,
            wordings={wording.digest: canonical(wording.fields()) for wording in plan.wordings},
            queue=(*plan.queue, *self._receipt(record.subject, plan, events, after, now)),
            settle=plan.settle,
            idem=idem,
        )

    async def _names(
        self, record: Record, events: tuple[Event, ...], after: Standing
    ) -> tuple[list[Identifier], list[bytes], list[Suppression]]:
        """
        Return the keyed names that *events* add, release and suppress.
        """
        stops = [stop for seq, event in enumerate(events, record.version + 1) for stop in stops_of(event, seq)]
        gone = {event.line for event in events if isinstance(event, LineRemoved)}
        back = {event.line for event in events if isinstance(event, LineReinstated)}
        values: dict[int, Address] = {}
        if (stops or gone or back) and record.version:
            values = line_values(after, await self.openings(record.subject))
        version = self.keys.all[0].version
        identifiers = []
        for event in events:
            if isinstance(event, LineAdded | LineReinstated):
                if isinstance(event, LineAdded):
                    values[event.line] = parse_address(event.personal[f"line_{event.line}"], event.kind)
                address = values[event.line]
                identifiers.append(
                    Identifier(
                        idkey=self.idkeys(address)[0], subject=record.subject, line=event.line, key_version=version
                    )
                )
        release = [idkey for number in gone if number in values for idkey in self.idkeys(values[number])]
        suppressions = [
            Suppression(
                idkey=self.idkeys(address)[0],
                scope=f"{stop.channel or '*'}/{stop.purpose or '*'}",
                at=stop.at,
                key_version=version,
            )
            for stop in stops
            for number, address in values.items()
            if stop.line in (None, number) and (stop.channel is None or stop.channel.kind is address.kind)
        ]
        return identifiers, release, suppressions

    def _receipt(
        self, subject: bytes, plan: Plan, events: tuple[Event, ...], after: Standing, now: datetime
    ) -> tuple[OutboxMessage, ...]:
        given = [event for event in events if isinstance(event, ConsentGiven) and not event.defects]
        if not given or plan.receipt_to is None or not self.receipts:
            return ()
        channel, line = plan.receipt_to
        if channel not in self.outlets:
            return ()
        parcel = Parcel(
            kind=ParcelKind.RECEIPT,
            channel=channel,
            line=line,
            language=after.language,
            choices=tuple(choice for event in given for choice in event.choices),
            at=now,
        )
        return (pack(parcel, subject, self.random(16), now),)

    async def wordings(self, digests: Iterable[str]) -> dict[str, Wording]:
        """
        Return texts from the register.
        """
        wanted = sorted(set(digests))
        if missing := [digest for digest in wanted if digest not in self.known_wordings]:
            if len(self.known_wordings) > _WORDINGS:
                self.known_wordings.clear()
            found = await self.storage.wordings(missing)
            self.known_wordings.update((digest, Wording(**parse(text))) for digest, text in found.items())
        return {digest: self.known_wordings[digest] for digest in wanted if digest in self.known_wordings}


def require_line(standing: Standing, channel: Channel, number: int | None = None) -> int:
    """
    Return the number of the line that *channel* reaches: the one of that *number*, or the first.

    Raises:
        MissingLineError: There is none.
    """
    line = standing.line_for(channel, number)
    if line is None:
        needed = {AddressKind.EMAIL: "email address", AddressKind.PHONE: "telephone number"}
        raise MissingLineError(f"the contact has no {needed.get(channel.kind, 'address')} for {channel}")
    return line.number
