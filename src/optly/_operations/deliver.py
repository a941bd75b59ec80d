"""
Handing over what waits in the outbox: claimed, gated a second time, sent once, and what became of it recorded.

Messages of one channel go in batches, so that a store commits once for many of them and a backend can use its
connections well. Within a batch every contact is met once.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from optly._operations import rates
from optly._operations.compose import Particulars, gate_again, is_too_late, make, still_to_say
from optly._operations.desk import Desk, Outlet, Plan, Planner, Record
from optly._operations.details import proposal
from optly._operations.links import new_code
from optly._operations.payload import Parcel, ParcelKind, unpack
from optly._operations.proof import evidence, seal
from optly._operations.sessions import grant_link
from optly.contacts.addresses import Address, AddressKind, Channel, parse_address
from optly.contacts.parties import Contact
from optly.errors import ClaimLostError, DamagedError, LedgerError, UsageError
from optly.links import STEP_UP_LIFE, LinkTarget, make_step_up, mark, step_up_key
from optly.messages import Fault, Message, Outcome, Receipt
from optly.protocols import Claim, MessageState, OutboxMessage, Settlement, StoredCode
from optly.record.commands import Command, RecordOutcome, WithholdMessage
from optly.record.consent import Standing
from optly.record.events import Choice, LinkKind
from optly.results import Deliveries
from optly.rules import Decision, Reason
from optly.timeline.for_evidence import as_fragment, as_text

_log = logging.getLogger("optly")

# Longer than any provider takes to answer. What is still claimed after it belongs to a worker that died.
LEASE: Final = timedelta(minutes=15)
# With the waits below, about two days: long enough for a server that is down or a mailbox that is full.
MAX_ATTEMPTS: Final = 100
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
_SHORTEST_WAIT: Final = timedelta(seconds=1)

# How many messages a worker that is killed leaves in doubt at most. More would make a commit no cheaper for each.
BATCH: Final = 100

# Among how many batches a worker chooses its own, once another was faster with the first.
_CROWD: Final = 8

_STATES: Final = {
    Outcome.ACCEPTED: MessageState.ACCEPTED,
    Outcome.REFUSED: MessageState.REFUSED,
    Outcome.IN_DOUBT: MessageState.IN_DOUBT,
}


def wait(attempts: int, random: bytes) -> timedelta:
    """
    Return how long to wait after that many attempts: a random part of a time that doubles, up to an hour.
    """
    longest = min(_FIRST_WAIT * (1 << min(attempts - 1, 16)), _LONGEST_WAIT)
    return max(_SHORTEST_WAIT, longest * (int.from_bytes(random) / (1 << 8 * len(random))))


@attrs.define(kw_only=True)
class _Item:
    """
    One message on its way.

    Attributes:
        waiting: The row, with the count of this claim once it is claimed.
        contact: Whom it is for.
        code: The code of the link it carries, or the digits of a one-time code; empty for neither.
        stored: What is kept of it.
        message: What goes out, once it is made.
    """

    waiting: OutboxMessage
    contact: Contact
    parcel: Parcel
    code: str = attrs.field(repr=False)
    stored: StoredCode | None = attrs.field(repr=False)
    message: Message | None = None

    @property
    def id(self) -> str:
        return self.waiting.message.hex()

    @property
    def recorded(self) -> bool:
        """
        Whether what becomes of it goes into the contact's record: not if it goes to no line of theirs.
        """
        return self.parcel.line != 0

    def settled(self, state: MessageState, due_at: datetime | None = None) -> Settlement:
        return Settlement(
            subject=self.waiting.subject,
            message=self.waiting.message,
            attempts=self.waiting.attempts,
            state=state,
            due_at=due_at,
        )


@attrs.define
class _Ledger:
    """
    What a batch comes to, to be written at its end.
    """

    changes: list[tuple[Record, RecordOutcome | WithholdMessage, Settlement]] = attrs.field(factory=list)
    settlements: list[Settlement] = attrs.field(factory=list)
    counts: dict[str, int] = attrs.field(factory=dict)

    def count(self, name: str) -> None:
        self.counts[name] = self.counts.get(name, 0) + 1

    def record(self, record: Record, command: RecordOutcome | WithholdMessage, settled: Settlement) -> None:
        self.changes.append((record, command, settled))

    def put_off(self, item: _Item, until: datetime) -> None:
        self.settlements.append(item.settled(MessageState.QUEUED, until))
        self.count("deferred")


async def deliver(desk: Desk, limit: int | None) -> Deliveries:
    """
    Hand over what is due, the longest waiting first, seal the log and drop the codes that ran out.
    """
    done = await give_up_overdue(desk)
    handed = 0
    for channel in desk.outlets:
        more = True
        while more and (limit is None or handed < limit):
            batch, more = await hand_over(desk, channel, BATCH if limit is None else min(BATCH, limit - handed))
            handed += batch.total
            done += batch
    await clear_up(desk, done)
    return done


async def work(desk: Desk) -> Deliveries:
    """
    Hand over one batch on each channel. A worker does this again and again, and can be stopped in between.
    """
    done = await give_up_overdue(desk)
    for channel in desk.outlets:
        done += (await hand_over(desk, channel, BATCH))[0]
    await clear_up(desk, done)
    return done


async def clear_up(desk: Desk, done: Deliveries) -> None:
    """
    Seal the log and drop what ran out, if anything was done.
    """
    if done.total:
        await seal(desk)
        await desk.storage.expire(desk.clock())


async def give_up_overdue(desk: Desk) -> Deliveries:
    """
    Put down as in doubt what was claimed by workers that died.
    """
    done = Deliveries()
    while overdue := await desk.storage.overdue(desk.organisation.key, desk.clock(), BATCH):
        for waiting in overdue:
            item = _readable(desk, waiting)
            if item is None:
                await _bury(desk, waiting)
                continue
            settled = item.settled(MessageState.IN_DOUBT)
            if item.recorded:
                await settle(desk, item.contact, _outcome(item, Receipt(outcome=Outcome.IN_DOUBT), "", ""), settled)
            else:
                await desk.storage.settle([settled])
        done += Deliveries(in_doubt=len(overdue))
    return done


async def hand_over(desk: Desk, channel: Channel, most: int) -> tuple[Deliveries, bool]:
    """
    Hand over one batch of what is due on *channel*, and tell whether to go on with the next one.
    """
    outlet = desk.outlets[channel]
    now = desk.clock()
    waiting = await _choose(desk, channel, now, most)
    room = await rates.room(desk, channel, len(waiting), now)
    items = await _claim(desk, waiting[:room], now)
    if room and not items:
        # Another worker was faster with all of them.
        waiting = await _choose(desk, channel, now, most, crowded=True)
        items = await _claim(desk, waiting[:room], now)
    if not items:
        return Deliveries(), bool(waiting) and room > 0
    ledger = _Ledger()
    try:
        records, items = await _load(desk, items, now, ledger)
        ready = await _make(desk, items, records, now, ledger)
    except BaseException:
        # Nothing was handed over. Without this, the whole batch would be in doubt.
        back = [item.settled(MessageState.QUEUED, now + _FIRST_WAIT) for item in items]
        await desk.storage.settle([*back, *ledger.settlements])
        raise
    receipts = await _send(desk, outlet, [item.message for item in ready if item.message is not None], now)
    for item, got in zip(ready, receipts, strict=True):
        _take(desk, outlet, item, records[item.waiting.subject], got, ledger)
    await _write(desk, ledger)
    broken = any(got.fault is Fault.BACKEND for got in receipts)
    return Deliveries(**ledger.counts), not broken and room == len(waiting)


async def _choose(
    desk: Desk, channel: Channel, now: datetime, most: int, *, crowded: bool = False
) -> list[OutboxMessage]:
    """
    Return what to try for, of each contact one message: what is due longest, or, where workers are in each other's way,
    what comes some way after it.
    """
    spread = _CROWD if crowded else 1
    due: Sequence[OutboxMessage] = await desk.storage.due(desk.organisation.key, channel, now, spread * most)
    if len(due) > most:
        start = int.from_bytes(desk.random(4)) % (len(due) - most + 1)
        due = due[start:]
    first: dict[bytes, OutboxMessage] = {}
    for waiting in due:
        first.setdefault(waiting.subject, waiting)
    return list(first.values())[:most]


def _item(desk: Desk, waiting: OutboxMessage) -> _Item:
    parcel, contact = unpack(waiting), Contact(waiting.subject.hex())
    code, stored = _code(desk, waiting, parcel, contact)
    return _Item(waiting=waiting, contact=contact, parcel=parcel, code=code, stored=stored)


def _code(desk: Desk, waiting: OutboxMessage, parcel: Parcel, contact: Contact) -> tuple[str, StoredCode | None]:
    """
    Make what a message carries that opens something, and what is to be kept of it.
    """
    now = desk.clock()
    if parcel.kind is ParcelKind.CODE:
        digits = make_step_up(desk.random(8))
        key = step_up_key(desk.keys, parcel.challenge, digits)
        return digits, StoredCode(key=key, subject=waiting.subject, value=b"", expires_at=now + STEP_UP_LIFE)
    if not parcel.line:
        return "", None
    kind = LinkKind.MANAGE if parcel.question is None else LinkKind.QUESTION
    target = LinkTarget(
        kind=kind if parcel.undo is None else LinkKind.UNDO,
        contact=contact.id,
        line=parcel.line,
        channel=parcel.channel,
        handed_over=True,
        question=parcel.question,
        message=waiting.message.hex(),
        made_at=now,
        undo=parcel.undo,
    )
    return new_code(desk, target, None if target.kind is LinkKind.MANAGE else parcel.until)


async def _claim(desk: Desk, waiting: Sequence[OutboxMessage], now: datetime) -> list[_Item]:
    items = {each.message: item for each in waiting if (item := _readable(desk, each)) is not None}
    claims = [
        Claim(subject=each.subject, message=each.message, codes=_kept(items.get(each.message))) for each in waiting
    ]
    got: Sequence[OutboxMessage] = await desk.storage.claim(claims, now, now + LEASE) if claims else ()
    claimed = []
    for each in got:
        item = items.get(each.message)
        if item is None:
            await _bury(desk, each)
        else:
            item.waiting = each
            claimed.append(item)
    return claimed


def _kept(item: _Item | None) -> Sequence[StoredCode]:
    return () if item is None or item.stored is None else (item.stored,)


def _readable(desk: Desk, waiting: OutboxMessage) -> _Item | None:
    try:
        return _item(desk, waiting)
    except DamagedError as error:
        facts = {"message_id": waiting.message.hex(), "contact_id": waiting.subject.hex(), "error": str(error)}
        _log.error("a message cannot be read, and is not sent", extra=facts)
        return None


async def _bury(desk: Desk, waiting: OutboxMessage) -> None:
    """
    Take a message that cannot be read out of everybody's way.
    """
    settled = Settlement(
        subject=waiting.subject,
        message=waiting.message,
        attempts=waiting.attempts,
        state=MessageState.REFUSED,
    )
    await desk.storage.settle([settled])


async def _load(
    desk: Desk, items: Sequence[_Item], now: datetime, ledger: _Ledger
) -> tuple[dict[bytes, Record], list[_Item]]:
    """
    Read the contacts, and put off what is for one whose record cannot be read.
    """
    try:
        return await desk.load_all([item.waiting.subject for item in items]), list(items)
    except LedgerError:
        records: dict[bytes, Record] = {}
        readable = []
        for item in items:
            try:
                records |= await desk.load_all([item.waiting.subject])
            except LedgerError as error:
                facts = {"contact_id": item.contact.id, "error": str(error)}
                _log.error("the record of a contact cannot be read, so nothing is sent there", extra=facts)
                ledger.put_off(item, now + _LONGEST_WAIT)
            else:
                readable.append(item)
        return records, readable


# ---- making


async def _make(
    desk: Desk, items: Sequence[_Item], records: Mapping[bytes, Record], now: datetime, ledger: _Ledger
) -> list[_Item]:
    """
    Return what may go out now, made. What may not is put down in *ledger*.
    """
    whole = await desk.whole_all(list(records.values()))
    allowed: list[tuple[_Item, Sequence[Choice], Reason, Address]] = []
    for item in items:
        parcel = item.parcel
        standing, values = whole[item.waiting.subject]
        until = rates.quiet_until(desk, parcel, now)
        if until is not None:
            ledger.put_off(item, until)
            continue
        if not item.recorded:
            address = await _elsewhere(desk, parcel, standing)
            if address is None:
                ledger.settlements.append(item.settled(MessageState.WITHHELD))
            else:
                allowed.append((item, (), Reason.SERVICE, address))
            continue
        choices = still_to_say(parcel, standing, now)
        decision = gate_again(desk, item.contact, parcel, choices, standing, now)
        address = values.get(parcel.line) if _reaches(parcel, standing) else None
        if decision and address is not None:
            allowed.append((item, choices, decision.reason, address))
        elif decision is None and parcel.kind is ParcelKind.REMINDER:
            ledger.settlements.append(item.settled(MessageState.WITHHELD))  # they answered, as they were to
            ledger.count("withheld")
        else:
            command = _withholding(desk, item, decision)
            ledger.record(records[item.waiting.subject], command, item.settled(MessageState.WITHHELD))
            ledger.count("withheld")
    late = await rates.beyond_domain_rates(desk, [address for *_, address in allowed], now)
    wordings = await desk.wordings(choice.wording for _, choices, _, _ in allowed for choice in choices)
    ready = []
    for place, (item, asked, reason, address) in enumerate(allowed):
        if place in late:
            ledger.put_off(item, late[place])
            continue
        item.message = make(
            desk,
            item.id,
            item.contact,
            item.parcel,
            [wordings[choice.wording] for choice in asked],
            address=address,
            particulars=await _particulars(desk, item, reason, *whole[item.waiting.subject]),
        )
        ready.append(item)
    return ready


def _reaches(parcel: Parcel, standing: Standing) -> bool:
    # Whoever reads at an address that was replaced is told of just that.
    return parcel.kind is ParcelKind.CHANGED or standing.line_for(parcel.channel, parcel.line) is not None


async def _elsewhere(desk: Desk, parcel: Parcel, standing: Standing) -> Address | None:
    """
    Return where a message goes that goes to nobody's line; None if nowhere, or if it came too late.
    """
    match parcel.kind:
        case ParcelKind.LINK_WANTED:
            await grant_link(desk, parcel)
            return None
        case ParcelKind.ALERT:
            late = is_too_late(parcel, (), standing)
            return None if late else parse_address(desk.organisation.email, AddressKind.EMAIL)
        case _:
            return await proposal(desk, parcel)


async def _particulars(
    desk: Desk, item: _Item, reason: Reason, standing: Standing, values: Mapping[int, Address]
) -> Particulars:
    particulars = Particulars(code=item.code, reason=reason)
    match item.parcel.kind:
        case ParcelKind.CHANGED:
            assert item.parcel.undo is not None
            added = values[item.parcel.undo.added or 0]
            return attrs.evolve(particulars, kind=added.kind, masked=added.masked)
        case ParcelKind.COPY:
            happenings = (await evidence(desk, item.contact, None)).timeline()
            return attrs.evolve(particulars, page=as_fragment(happenings), plain=as_text(happenings))
        case _:
            return particulars


# ---- sending


_NOT_BEGUN: Final = Receipt(outcome=Outcome.RETRY_LATER, reply="not sent: the backend has trouble", fault=Fault.BACKEND)


async def _send(desk: Desk, outlet: Outlet, messages: Sequence[Message], claimed_at: datetime) -> Sequence[Receipt]:
    """
    Hand each message over, once, and return what the backend said of each.

    What a backend that takes one at a time has not begun when it has trouble, or when half the lease is over, is not
    begun at all.
    """
    if not messages:
        return ()
    if outlet.batches:
        try:
            receipts: Sequence[Receipt] = await outlet.port.send_all(messages)
            if len(receipts) != len(messages):
                raise ValueError("a receipt is missing")
        except Exception as error:
            return [_broken(outlet, message, error) for message in messages]
        return receipts
    receipts = []
    for message in messages:
        if any(got.fault is Fault.BACKEND for got in receipts) or desk.clock() > claimed_at + LEASE / 2:
            receipts.append(_NOT_BEGUN)
            continue
        try:
            receipts.append(await outlet.port.send(message))
        except UsageError as error:
            receipts.append(Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}", fault=Fault.MESSAGE))
        except Exception as error:
            receipts.append(_broken(outlet, message, error))
    return receipts


def _broken(outlet: Outlet, message: Message, error: Exception) -> Receipt:
    """
    Tell of a backend of somebody else's that breaks its promise. Nobody knows what it did before it failed.

    Its text and its traceback may hold an address, so only its kind is told.
    """
    facts = {"message_id": message.id, "backend": outlet.name, "error": type(error).__name__}
    _log.error("a message backend raised", extra=facts)
    return Receipt(outcome=Outcome.IN_DOUBT)


def _take(desk: Desk, outlet: Outlet, item: _Item, record: Record, got: Receipt, ledger: _Ledger) -> None:
    """
    Put down what became of one message.
    """
    if got.outcome is Outcome.RETRY_LATER:
        if item.waiting.attempts < MAX_ATTEMPTS:
            later = desk.clock() + max(wait(item.waiting.attempts, desk.random(4)), got.retry_after or timedelta(0))
            ledger.settlements.append(item.settled(MessageState.QUEUED, later))
            ledger.count("retried")
            return
        given_up = f"given up after {item.waiting.attempts} attempts, the last answered with: {got.reply}"
        got = attrs.evolve(got, outcome=Outcome.REFUSED, reply=given_up)
    settled = item.settled(_STATES[got.outcome])
    if item.recorded:
        carried = "" if item.parcel.kind is ParcelKind.CODE else mark(item.code)
        ledger.record(record, _outcome(item, got, outlet.name, carried), settled)
    else:
        ledger.settlements.append(settled)
    ledger.count(got.outcome.value)


def _outcome(item: _Item, got: Receipt, backend: str, code: str) -> RecordOutcome:
    return RecordOutcome(
        message=item.id,
        channel=item.parcel.channel,
        line=item.parcel.line,
        outcome=got.outcome,
        fault=got.fault,
        question=item.parcel.question,
        complaint=item.parcel.complaint,
        backend=backend,
        status=got.status,
        code=code,
        provider_id=got.provider_id,
        provider_code="" if got.code is None else str(got.code),
        reply=got.reply,
    )


def _withholding(desk: Desk, item: _Item, decision: Decision | None) -> WithholdMessage:
    refused = decision is not None and not decision
    return WithholdMessage(
        message=item.id,
        channel=item.parcel.channel,
        line=item.parcel.line,
        question=item.parcel.question,
        regulation=decision.regulation if decision is not None and refused else "",
        reason="too_late" if decision is None else decision.reason if refused else "line_gone",
        edition=desk.rulebook.edition,
    )


async def _write(desk: Desk, ledger: _Ledger) -> None:
    try:
        written = await desk.apply_all(
            [(record, _settling(command, settled)) for record, command, settled in ledger.changes]
        )
        for record, command, settled in ledger.changes:
            if record.subject not in written:
                await settle(desk, Contact(record.subject.hex()), command, settled)
    finally:
        # What was not taken is known to be unsent, whatever keeps the rest from being recorded.
        await desk.storage.settle(ledger.settlements)


def _settling(command: Command, settled: Settlement) -> Planner:
    plan = Plan(command=command, settle=(settled,))
    return lambda _standing, _now: plan


async def settle(desk: Desk, contact: Contact, command: Command, settled: Settlement) -> None:
    """
    Record what became of one message together with where it stands now.
    """
    try:
        applied = await desk.apply(contact, _settling(command, settled))
    except ClaimLostError:
        # It was put back in the meantime, or is gone. What is known now is evidence all the same.
        applied = await desk.apply(contact, lambda _standing, _now: Plan(command=command))
    if not applied.events:  # erased in the meantime: there is nobody to record it for
        await desk.storage.settle([settled])
