"""
The repository: reads a contact, decides, and commits events, messages and read model together.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Collection, Container, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import lru_cache, partial
from typing import Final, TypeAlias

import attrs
import msgspec

from optly import errors, typed
from optly._operations.blind_index import (
    UNCHANGED,
    BlindIndex,
    IndexChanges,
    LookedUp,
    changes_index,
    line_slots,
    line_values,
    look_up,
    moves_lines,
    stops_from,
    suppresses,
)
from optly._operations.owned import named_after
from optly._operations.payload import encode, receipt
from optly._operations.row_macs import HeadValues, RowMacs, of_head, spoilt
from optly._operations.running import surely
from optly._operations.settings import Settings
from optly.canonical import canonical, parse
from optly.contacts import Address, Channel, Contact, Wording
from optly.protocols import (
    AsyncStorage,
    Commit,
    Found,
    Head,
    Identifier,
    OutboxMessage,
    Reference,
    Settlement,
    StoredComplaint,
    Suppression,
)
from optly.record.commands import Command
from optly.record.complaint_references import reference_key
from optly.record.consent import decide, fold, replay
from optly.record.events import NEVER_REFUSED, ComplaintReceived, ComplaintResolved, Event
from optly.record.glance import Glance
from optly.record.ledger import GENESIS, SALT, Opening, extend, verify_chain
from optly.record.standing import CoHolder, Standing, StandingStop, shared

_log = logging.getLogger("optly")

# A lost race is decided again at once, since the store has already waited. More attempts mean that something is stuck.
_ATTEMPTS: Final = 100

# How many wordings are cached.
_WORDINGS: Final = 1000


# What stands for the event that cannot be read where it is the head that was altered.
_ALTERED: Final = 0

# The prefix of every snapshot. Raise it when `evolve` changes what it makes of an event: older snapshots are rebuilt.
_SNAPSHOT_VERSION: Final = b"5"

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Standing).decode
_glance = msgspec.json.Decoder(Glance).decode


def dump_standing(standing: Standing) -> bytes:
    return _SNAPSHOT_VERSION + _encode(standing)


def load_standing(snapshot: bytes) -> Standing | None:
    """
    Decode a snapshot. None if it is damaged, from another version, or of events that could not all be read then; the
    caller then replays the events.
    """
    if not snapshot.startswith(_SNAPSHOT_VERSION):
        return None
    try:
        standing = _decode(snapshot[len(_SNAPSHOT_VERSION) :])
    except msgspec.DecodeError:
        return None
    return standing if standing.unreadable is None else None


def is_read_model(head: Head, version: int, standing: Standing) -> bool:
    """
    Whether the read model stored with a head, if this version can read it, is *standing*, that of so many events.
    """
    if head.snapshot_version != version:
        return False
    # Most are byte for byte what would be written now, which is found out sooner than by reading them.
    return head.snapshot == dump_standing(standing) or load_standing(head.snapshot) in (None, standing)


@attrs.frozen(kw_only=True)
class Record:
    """
    A contact as stored at one version.

    Attributes:
        version: Number of the last event; 0 for a contact that is not on record.
        head: Hash of the last event.
        named: What else in the store is theirs, as stored.
        spoilt: What every later head carries instead of a MAC, if this one is not as we wrote it; None if it is.
        openings: The addresses and the name at this version by slot; None if they were not read.
    """

    subject: bytes
    version: int
    head: bytes = attrs.field(repr=False)
    standing: Standing
    named: bytes = attrs.field(default=b"", repr=False)
    spoilt: bytes | None = attrs.field(default=None, repr=False)
    openings: Mapping[str, Opening] | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Plan:
    """
    A change to one contact, planned on one standing.

    Attributes:
        queue: Messages to send.
        settle: New states of messages in the outbox.
        wordings: Wordings that the events name.
        receipt_to: The channel and line for a receipt if the person agrees to something; None for no receipt.
        references: What a host names the contact by.
        reply: Where to reply to the complaint that the command makes, as it is stored.
        needed: Whether it adds a contact only to record on them what is needed: see `Commit.needed`.
    """

    command: Command
    queue: Sequence[OutboxMessage] = ()
    settle: Sequence[Settlement] = ()
    wordings: Sequence[Wording] = ()
    receipt_to: tuple[Channel, int] | None = None
    references: Sequence[Reference] = ()
    reply: bytes = attrs.field(default=b"", repr=False)
    needed: bool = False


# Called with a contact and the events just recorded.
Listener: TypeAlias = Callable[[Contact, tuple[Event, ...]], object]

# The events just recorded, by contact, of which no listener has heard yet.
Unheard: TypeAlias = dict[bytes, tuple[Event, ...]]


def notifier(listener: Listener) -> Callable[[Unheard], None]:
    """
    Return what calls a listener with the recorded events, without their personal values, and crosses off what it was
    called with, so that it can be called again after an interruption. Errors of the listener are logged.
    """

    def notify(unheard: Unheard) -> None:
        while unheard:
            subject, events = next(iter(unheard.items()))
            contact = Contact(subject.hex())
            try:
                listener(contact, tuple(typed.evolve(event, personal={}) for event in events))
            except Exception:
                _log.exception("event listener failed", extra={"contact": contact.id})
            del unheard[subject]

    return notify


# Plans a change from a standing and the time of the contact. None if there is nothing to do.
Planner: TypeAlias = Callable[[Standing, datetime], Plan | None]


# A contact, one of their lines, and somebody else who has it.
_Sharing: TypeAlias = tuple[bytes, int, Identifier]


def _compared(records: Sequence[Record], looked_up: LookedUp) -> tuple[list[Record], list[_Sharing]]:
    """
    Return the contacts who are not on record with all of their lines, and who else is on record with one of them.
    """
    doubtful, sharing = [], []
    for record in records:
        present = record.standing.present()
        missing = set(present)
        for idkey, line in looked_up.lines[record.subject]:
            for holder in looked_up.found.holders.get(idkey, ()):
                if holder.subject == record.subject:
                    missing.discard(line)
                elif line in present:
                    sharing.append((record.subject, line, holder))
        # Of who cannot be read in full, a line may be missing, and nothing is allowed anyway.
        if missing and record.standing.unreadable is None:
            doubtful.append(record)
    return doubtful, sharing


def _suppressed(looked_up: LookedUp) -> dict[bytes, list[StandingStop]]:
    if not looked_up.found.suppressions:
        return {}
    rows: dict[bytes, list[Suppression]] = {}
    for row in looked_up.found.suppressions:
        rows.setdefault(row.idkey, []).append(row)
    stops = {
        subject: [stop for idkey, line in pairs if idkey in rows for stop in stops_from(rows[idkey], {idkey: line})]
        for subject, pairs in looked_up.lines.items()
    }
    return {subject: known for subject, known in stops.items() if known}


def _worded(digest: str, text: bytes) -> Wording | None:
    """
    Return the wording of a text from the register; None, and logged, if it is not the one that has this digest.
    """
    try:
        wording = Wording(**parse(text))
    except (errors.SerializationError, errors.UsageError, TypeError, ValueError):
        wording = None
    if wording is not None and wording.digest == digest:
        return wording
    _log.error("a wording is not as it was written, and is not shown", extra={"wording": digest})
    return None


@attrs.frozen(kw_only=True)
class Applied:
    """
    The contact after a plan, and the recorded events: none if there was nothing to change.
    """

    record: Record
    events: tuple[Event, ...]

    @property
    def standing(self) -> Standing:
        return self.record.standing


def require_read(record: Record) -> None:
    """
    Raises:
        SerializationError: An event of the contact cannot be read, so nobody can say what may follow from it.
    """
    if (seq := record.standing.unreadable) is not None:
        contact = f"contact {record.subject.hex()}"
        what = f"event {seq} of {contact} cannot be read by this version" if seq else f"{contact} was altered"
        raise errors.SerializationError(f"{what}: the contact can be stopped and erased, and nothing else")


def _planner(plan: Planner | Plan | Command) -> Planner:
    if callable(plan):
        return plan
    always = plan if isinstance(plan, Plan) else Plan(command=plan)
    return lambda _standing, _now: always


@attrs.frozen(kw_only=True)
class Repository:
    """
    Contacts in a store.

    Attributes:
        served: The channels on which messages can be sent.
        listener: Awaited with what was recorded (`notifier`); None if not set.
        later: Called in its place where what was recorded is not committed yet (`notify_if_committed`).
        known_wordings: A cache of wordings, which never change.
        macs: What the heads of contacts are signed and judged with.
    """

    settings: Settings
    index: BlindIndex
    storage: AsyncStorage
    served: Container[Channel]
    listener: Callable[[Unheard], Awaitable[object]] | None = None
    later: Callable[[Sequence[Commit], Unheard], object] | None = None
    known_wordings: dict[str, Wording] = attrs.field(factory=dict, repr=False)
    macs: RowMacs
    _read_model: Callable[[bytes, Head], Standing | None] = attrs.field(init=False, repr=False, eq=False)

    @_read_model.default
    def _judged(self) -> Callable[[bytes, Head], Standing | None]:
        """
        Return what reads the model of a contact from their head, and None from one that is not as we wrote it.

        A verdict is kept for the head as a whole and for the contact, so that neither the model of another contact nor
        an earlier one is taken for theirs.
        """

        # By its values, because a head takes longer to hash and compare than they do.
        @lru_cache(maxsize=4096)
        def judged(subject: bytes, version: int, mac: bytes, values: HeadValues) -> Standing | None:
            _, snapshot_version, _, snapshot, _ = values
            genuine = snapshot_version == version and self.macs.fits_head(mac, subject, values)
            return load_standing(snapshot) if genuine else None

        return lambda subject, head: judged(subject, head.version, head.mac, of_head(head))

    def is_genuine(self, subject: bytes, head: Head) -> bool:
        """
        Whether the head of a contact is as we wrote it, and where the events end.
        """
        return head.snapshot_version == head.version and self.macs.fits_head(head.mac, subject, of_head(head))

    # ---- reading

    async def load(self, contact: Contact) -> Record:
        """
        Read a contact. One that is not on record has version 0, and one that cannot be read in full is marked.
        """
        return (await self.load_all([contact.subject]))[contact.subject]

    async def load_all(self, subjects: Sequence[bytes]) -> dict[bytes, Record]:
        heads = await self.storage.load(subjects)
        return {subject: await self.record(subject, heads.get(subject)) for subject in subjects}

    async def require(self, contact: Contact, *, partial: bool = False) -> Record:
        """
        Read a contact that must be on record, though it may have been erased.

        Args:
            partial: Whether one of which only a part can be read will do.

        Raises:
            UnknownContactError: It is not on record.
            SerializationError: It cannot be read in full.
        """
        record = await self.load(contact)
        if not record.version:
            raise errors.UnknownContactError("there is no such contact")
        if not partial:
            require_read(record)
        return record

    async def is_known(self, contact: Contact) -> bool:
        """
        Return whether a contact is on record with this organisation, though it may have been erased.
        """
        return bool((await self.load(contact)).version)

    async def record(self, subject: bytes, head: Head | None) -> Record:
        """
        Build a record from its stored head. A read model that is behind the events is rebuilt, never trusted.

        Another organisation's contact is not on record here, whatever the two share.

        Raises:
            DamagedError: Events are missing. What they stopped is not known.
        """
        if head is None or head.organisation != self.settings.organisation.key:
            return Record(subject=subject, version=0, head=GENESIS, standing=Standing())
        if (standing := self._read_model(subject, head)) is not None:
            return Record(subject=subject, version=head.version, head=head.hash, standing=standing, named=head.named)
        entries = await self.storage.entries(subject)
        most = max(head.version, head.snapshot_version)
        if not most or [entry.seq for entry in entries[:most]] != [*range(1, most + 1)]:
            raise errors.DamagedError(f"events of contact {subject.hex()} are missing: verify the record")
        standing = replay(entries)
        if standing.unreadable is None:
            # The events are believed as far as they are chained, through where the read model ended.
            chained = (head.snapshot_version, head.hash)
            problems = verify_chain(head.organisation, subject.hex(), entries, openings={}, head=chained)
            standing = typed.evolve(standing, unreadable=next((problem.seq for problem in problems), None))
        genuine = self.is_genuine(subject, head)
        if not genuine:
            _log.error("the head of a contact is not as it was written", extra={"contact": subject.hex()})
            standing = typed.evolve(standing, unreadable=standing.unreadable or _ALTERED)
        return Record(
            subject=subject,
            version=head.version,
            # The hash that we vouched for: an altered event does not become part of the chain by what is added to it.
            head=head.hash if genuine else entries[-1].hash,
            standing=standing,
            named=head.named,
            spoilt=None if genuine else spoilt(head.mac),
        )

    def stored(self, subject: bytes, head: Head | None) -> Standing | None:
        """
        Return the read model that is stored with a head of this organisation, or None if more has to be read.
        """
        if head is None or head.organisation != self.settings.organisation.key:
            return None
        return self._read_model(subject, head)

    def glance(self, subject: bytes, head: Head | None) -> Glance | None:
        """
        Return what the gate reads of the model that is stored with a head of this organisation, or None if more has to
        be read. For one of many contacts: nothing of it is kept.
        """
        if head is None or head.organisation != self.settings.organisation.key or not self.is_genuine(subject, head):
            return None
        if not head.snapshot.startswith(_SNAPSHOT_VERSION):
            return None
        try:
            return _glance(head.snapshot[len(_SNAPSHOT_VERSION) :])
        except msgspec.DecodeError:
            return None

    async def holder(self, subject: bytes, found: Found) -> Record:
        """
        Build the record of a holder of an address.

        Raises:
            DamagedError: It is gone, or cannot be read. What they objected to on the line is not known.
        """
        record = await self.record(subject, found.heads.get(subject))
        if not record.version:
            raise errors.DamagedError("the record of a holder of an address is gone")
        return record

    async def all_openings(self, subject: bytes) -> Mapping[str, Opening]:
        """
        Return every personal value of a contact. It takes the longer the more was sent to them, so it is for what shows
        or verifies them all.
        """
        return await self.openings(subject, None)

    async def openings(self, subject: bytes, slots: Collection[str] | None) -> Mapping[str, Opening]:
        """
        Return the personal values of a contact in some slots; None as for `openings_in`.
        """
        return (await self.openings_in({subject: slots})).get(subject, {})

    async def openings_in(self, wanted: Mapping[bytes, Collection[str] | None]) -> dict[bytes, Mapping[str, Opening]]:
        """
        Return the personal values of several contacts, each in the slots that are wanted of it, and maybe in those that
        are wanted of another. None for every slot, because part of the contact's record cannot be read.
        """
        slots = {slot for some in wanted.values() for slot in some or ()}
        found: dict[bytes, Mapping[str, Opening]] = {}
        if slots:
            subjects = [subject for subject, some in wanted.items() if some]
            found |= await self.storage.openings(subjects, sorted(slots))
        if whole := [subject for subject, some in wanted.items() if some is None]:
            found |= await self.storage.openings(whole)
        return found

    async def openings_of(self, record: Record) -> Mapping[str, Opening]:
        """
        Return the addresses and the name at the version of a record, reading them only if it has none.
        """
        if record.openings is not None:
            return record.openings
        slots, name = line_slots(record.standing), record.standing.name
        return await self.openings(record.subject, slots if slots is None or name is None else [*slots, name])

    async def with_suppressions(self, record: Record) -> tuple[Standing, dict[int, Address]]:
        """
        Return the standing, including what is suppressed by address alone and what other holders of its lines objected
        to, and the addresses by line.
        """
        return (await self.all_with_suppressions([record]))[record.subject]

    async def all_with_suppressions(
        self, records: Sequence[Record]
    ) -> dict[bytes, tuple[Standing, dict[int, Address]]]:
        """
        Return for each contact what `with_suppressions` returns.
        """
        openings = {record.subject: record.openings for record in records if record.openings is not None}
        openings |= await self.openings_in(
            {record.subject: line_slots(record.standing) for record in records if record.openings is None}
        )
        values = {record.subject: line_values(record.standing, openings.get(record.subject, {})) for record in records}
        standings = await self._with_stops(records, await self._look_up(values))
        return {subject: (standings[subject], addresses) for subject, addresses in values.items()}

    async def _with_stops(self, records: Sequence[Record], looked_up: LookedUp) -> dict[bytes, Standing]:
        """
        Return for each contact the standing that `with_suppressions` returns.
        """
        lines, found = looked_up.lines, looked_up.found
        doubtful, sharing = _compared(records, looked_up)
        if doubtful:
            await self._require_changed(doubtful)
        others = await self._others(sharing, found) if sharing else {}
        stops = _suppressed(looked_up)
        standings = {
            record.subject: shared(
                record.standing.with_stops(stops.get(record.subject, ())), others.get(record.subject, ())
            )
            for record in records
        }
        for record in records if found.forged else ():
            present = record.standing.present()
            if any(idkey in found.forged and line in present for idkey, line in lines[record.subject]):
                unread = typed.evolve(standings[record.subject], unreadable=_ALTERED)
                standings[record.subject] = unread
        return standings

    async def _require_changed(self, doubtful: Sequence[Record]) -> None:
        """
        Refuse contacts of whom a line has no address, or one that they are not on record with: somebody without the
        keys put it there. One that has changed since it was read is judged where it is read again.

        Raises:
            DamagedError: One has not changed.
        """
        heads = await self.storage.load([record.subject for record in doubtful])
        for record in doubtful:
            if record.subject in heads and heads[record.subject].version == record.version:
                raise errors.DamagedError("an address of a contact is missing, or is not the one that was recorded")

    async def moved(
        self, records: Sequence[Record], contexts: Mapping[bytes, tuple[Standing, dict[int, Address]]]
    ) -> set[bytes]:
        """
        Return the contacts of whom anything was recorded since they were read, or of those who share lines with them,
        or of whom an address was suppressed.

        Args:
            contexts: What `all_with_suppressions` returned for them.
        """
        heads = await self.storage.load([record.subject for record in records])
        values = {record.subject: contexts[record.subject][1] for record in records}
        standings = await self._with_stops(records, await self._look_up(values))
        return {
            record.subject
            for record in records
            if (0 if (head := heads.get(record.subject)) is None else head.version) != record.version
            or standings[record.subject] != contexts[record.subject][0]
        }

    async def stops_elsewhere(self, record: Record, values: Mapping[int, Address]) -> list[StandingStop]:
        """
        Return what other records stop and a yes of the contact lifts for themselves: what is suppressed by address
        alone, and what a holder stopped of whom only the address is known. One who cannot be read is passed over.

        Args:
            values: The addresses of the contact by line.
        """
        looked_up = await self._look_up({record.subject: values})
        standing = Standing().with_stops(_suppressed(looked_up).get(record.subject, ()))
        with suppress(errors.DamagedError):
            others = await self._others(_compared([record], looked_up)[1], looked_up.found)
            standing = shared(standing, others.get(record.subject, ()))
        return list(standing.stops)

    async def _look_up(self, contacts: Mapping[bytes, Mapping[int, Address]]) -> LookedUp:
        """
        Look up the lines of contacts.
        """
        every = [(subject, *item) for subject, values in contacts.items() for item in values.items()]
        lines: dict[bytes, list[tuple[bytes, int]]] = {subject: [] for subject in contacts}
        if not every:
            return LookedUp(lines, Found({}, (), {}))
        keys, found = await look_up(self.storage, self.index, [address for _, _, address in every])
        for (subject, line, _), (own, domains) in zip(every, keys, strict=True):
            lines[subject] += [(idkey, line) for idkey in own + domains]
        return LookedUp(lines, found)

    async def _others(self, sharing: Sequence[_Sharing], found: Found) -> dict[bytes, list[CoHolder]]:
        """
        Return the other holders of the lines that contacts have now, by contact. One who shares nothing is left out.
        """
        loaded = {
            subject: await self.holder(subject, found) for subject in {holder.subject for _, _, holder in sharing}
        }
        others: dict[bytes, list[CoHolder]] = {}
        for subject, line, holder in sharing:
            others.setdefault(subject, []).append(
                CoHolder(
                    contact=holder.subject.hex(),
                    line=line,
                    number=holder.line,
                    standing=loaded[holder.subject].standing,
                )
            )
        return others

    async def wordings(self, digests: Iterable[str], *, fresh: bool = False) -> dict[str, Wording]:
        """
        Return wordings by their digests. Unknown digests are left out, and so is a text with other words.

        Args:
            fresh: Whether to look them all up, instead of those alone that were not looked up before.
        """
        wanted = sorted(set(digests))
        if missing := [digest for digest in wanted if fresh or digest not in self.known_wordings]:
            if len(self.known_wordings) > _WORDINGS:
                self.known_wordings.clear()
            texts = await self.storage.wordings(missing)
            known = {digest: wording for digest, text in texts.items() if (wording := _worded(digest, text))}
            self.known_wordings.update(known)
            if fresh:
                return known
        return {digest: self.known_wordings[digest] for digest in wanted if digest in self.known_wordings}

    # ---- writing

    async def apply(
        self,
        contact: Contact,
        plan: Planner | Plan | Command,
        *,
        suppressions: bool = False,
        read: Record | None = None,
        looked_up: LookedUp | None = None,
        suppressed: Sequence[StandingStop] | None = None,
        idem: bytes | None = None,
    ) -> Applied:
        """
        Decide and commit, and decide again on the new standing whenever another writer has committed first.

        Args:
            plan: A command, a plan, or a function that makes a plan from a standing and the time. May refuse.
            suppressions: Whether the standing to plan on includes what is suppressed by address alone.
            read: The contact, if it was just read.
            looked_up: All lines of the contact, if they were looked up with it.
            suppressed: What `stops_elsewhere` returned, if it was just read.
            idem: An idempotency key of 16 bytes. If a change with that key was committed, nothing happens.
        """
        planner = _planner(plan)
        for _ in range(_ATTEMPTS):
            record, read = read or await self.load(contact), None
            # Looked up after the contact was read: a change committed in between is a conflict further down.
            if idem is not None and record.version and await self.storage.committed(record.subject, idem):
                return Applied(record=record, events=())
            standing = record.standing
            if suppressed is not None:
                standing, suppressed = standing.with_stops(suppressed), None
            elif suppressions and looked_up is not None:
                standing, looked_up = (await self._with_stops([record], looked_up))[record.subject], None
            elif suppressions:
                standing, _ = await self.with_suppressions(record)
            commit, applied = await self._prepare(record, standing, planner, idem)
            if commit is None:
                return applied
            try:
                await self._append([commit], {record.subject: applied})
            except (errors.ReferenceTakenError, errors.ClaimLostError):
                raise
            except errors.ConflictError:
                continue
            return applied
        raise errors.ConflictError("other writers kept changing this contact: try again later")

    async def apply_all(self, changes: Sequence[tuple[Record, Planner | Plan]]) -> dict[bytes, Applied]:
        """
        Decide and commit changes to different contacts, each on the record as it was read, in one transaction.

        Returns:
            What was committed, by contact. A contact with nothing to commit is missing, and if another writer changed
            one of them first, all are: use `apply` for those.
        """
        commits, committed = [], {}
        for record, plan in changes:
            commit, applied = await self._prepare(record, record.standing, _planner(plan), None)
            if commit is not None:
                commits.append(commit)
                committed[record.subject] = applied
        try:
            await self._append(commits, committed)
        except errors.ConflictError:
            return {}
        return committed

    async def _append(self, commits: Sequence[Commit], committed: Mapping[bytes, Applied]) -> None:
        """
        Commit, and call the listener with what was recorded, also if interrupted at any point.

        Raises:
            ConflictError: Another writer came first.
            StorageUnavailableError: The store cannot be reached. Nothing was committed.
        """
        if not commits:
            return
        unheard = {subject: applied.events for subject, applied in committed.items()}
        try:
            try:
                await self.storage.append(commits)
            except errors.StorageUnavailableError:
                # The connection broke, maybe after the commit, which contains all of them or none.
                if not await self._has(commits):
                    raise
            if self.later is not None:
                self.later(commits, unheard)
            else:
                await self._notify(unheard)
        except errors.OptlyError:
            raise
        except BaseException:
            # Interrupted, maybe after the commit.
            try:
                if self.later is None:
                    await surely(partial(self.notify_if_committed, commits, unheard))
            except Exception as error:
                _log.error("the event listener may not have heard of events", extra={"error": type(error).__name__})
            raise

    async def _has(self, commits: Sequence[Commit]) -> bool:
        return commits[0].entries[0] in await self.storage.entries(commits[0].subject)

    async def notify_if_committed(self, commits: Sequence[Commit], unheard: Unheard) -> None:
        """
        Call the listener with what was recorded, unless that was undone.
        """
        if unheard and await self._has(commits):
            await self._notify(unheard)

    async def _notify(self, unheard: Unheard) -> None:
        if self.listener is not None:
            await self.listener(unheard)

    async def _prepare(
        self, record: Record, standing: Standing, planner: Planner, idem: bytes | None
    ) -> tuple[Commit | None, Applied]:
        clock = self.settings.clock()
        now = standing.latest(clock)
        plan = planner(standing, now)
        events = () if plan is None else decide(plan.command, standing, now=clock)
        if plan is None or not events:
            return None, Applied(record=record, events=())
        if record.standing.unreadable is not None and not all(isinstance(event, NEVER_REFUSED) for event in events):
            require_read(record)
        commit, after = await self._commit(record, plan, events, idem, now)
        if clock < now:
            # What is sent now is due by the clock, which is behind the record.
            queue = [typed.evolve(row, due_at=clock) if row.due_at == now else row for row in commit.queue]
            commit = typed.evolve(commit, queue=queue)
        return commit, Applied(record=after, events=events)

    async def _commit(
        self, record: Record, plan: Plan, events: tuple[Event, ...], idem: bytes | None, now: datetime
    ) -> tuple[Commit, Record]:
        settings, sign = self.settings, self.macs.sign
        entries, openings = extend(
            organisation=settings.organisation.key,
            subject=record.subject,
            version=record.version,
            head=record.head,
            events=events,
            salts=iter(lambda: settings.random(SALT), None),
        )
        standing = fold(events, record.standing)
        index = await self._index_changes(record, events, standing)
        erases = standing.erased_at is not None and record.standing.erased_at is None
        kept = {} if erases else record.openings
        after = Record(
            subject=record.subject,
            version=record.version + len(entries),
            head=entries[-1].hash,
            standing=standing,
            named=named_after(record.named, plan.references, index.suppressions, erased=erases),
            spoilt=record.spoilt,
            openings=None if kept is None else {**kept, **openings},
        )
        snapshot = dump_standing(standing)
        values = (settings.organisation.key, after.version, after.head, snapshot, after.named)
        commit = Commit(
            organisation=settings.organisation.key,
            subject=record.subject,
            expected=record.version,
            head=after.head,
            entries=entries,
            snapshot=snapshot,
            named=after.named,
            # What follows an altered head is not vouched for either.
            mac=self.macs.sign_head(record.subject, values) if record.spoilt is None else record.spoilt,
            openings=openings,
            forget=erases,
            release=index.release,
            identifiers=[*map(sign, index.identifiers)],
            references=[*map(sign, plan.references)],
            suppressions=[*map(sign, index.suppressions)],
            wordings={wording.digest: canonical(wording.fields()) for wording in plan.wordings},
            queue=[*map(sign, (*plan.queue, *self._receipts(record.subject, plan, events, standing, now)))],
            settle=plan.settle,
            complaints=[
                sign(
                    StoredComplaint(
                        reference=reference_key(event.complaint),
                        complaint=bytes.fromhex(event.complaint),
                        subject=record.subject,
                        due_at=event.acknowledge_by,
                        reply=plan.reply,
                    )
                )
                for event in events
                if isinstance(event, ComplaintReceived)
            ],
            closed=[
                sign(
                    StoredComplaint(
                        reference=reference_key(complaint.id),
                        complaint=bytes.fromhex(complaint.id),
                        subject=record.subject,
                        due_at=complaint.acknowledge_by,
                        open=False,
                    )
                )
                for event in events
                if isinstance(event, ComplaintResolved)
                and (complaint := standing.complaint(event.complaint)) is not None
            ],
            needed=plan.needed or any(isinstance(event, (*NEVER_REFUSED, ComplaintReceived)) for event in events),
            idem=idem,
        )
        return commit, after

    async def _index_changes(self, record: Record, events: tuple[Event, ...], after: Standing) -> IndexChanges:
        if not changes_index(events):
            return UNCHANGED
        values: Mapping[int, Address] = {}
        if record.version and moves_lines(events):
            values = line_values(after, await self.openings_of(record))
        left = {line.number for line in record.standing.lines if line.left}
        mark = self.settings.random(8) if suppresses(events) else b""
        return self.index.changes(record.subject, events, values, left, mark=mark)

    def _receipts(
        self, subject: bytes, plan: Plan, events: tuple[Event, ...], after: Standing, now: datetime
    ) -> tuple[OutboxMessage, ...]:
        if plan.receipt_to is None or not self.settings.receipts or plan.receipt_to[0] not in self.served:
            return ()
        payload = receipt(plan.receipt_to, events, after)
        return () if payload is None else (encode(payload, subject, self.settings.random(16), now),)
