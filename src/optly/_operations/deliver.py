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
from optly._operations.application import Application
from optly._operations.backends import Backend
from optly._operations.compose import Particulars, gate_again, is_too_late, make, still_to_say
from optly._operations.details import proposal
from optly._operations.links import new_code
from optly._operations.payload import Payload, PayloadKind, decode
from optly._operations.proof import evidence, seal
from optly._operations.repository import Plan, Record
from optly._operations.sessions import grant_link
from optly.backoff import backoff
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
from optly.timeline.for_evidence import part, plain

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
    share = int.from_bytes(random) / (1 << 8 * len(random))
    return max(_SHORTEST_WAIT, backoff(attempts - 1, first=_FIRST_WAIT, longest=_LONGEST_WAIT, share=share))


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
    payload: Payload
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
        return self.payload.line != 0

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


async def deliver(app: Application, limit: int | None) -> Deliveries:
    """
    Hand over what is due, the longest waiting first, seal the log and drop the codes that ran out.
    """
    done = await give_up_overdue(app)
    handed = 0
    for channel in app.backends:
        more = True
        while more and (limit is None or handed < limit):
            batch, more = await hand_over(app, channel, BATCH if limit is None else min(BATCH, limit - handed))
            handed += batch.total
            done += batch
    await clear_up(app, done)
    return done


async def work(app: Application) -> Deliveries:
    """
    Hand over one batch on each channel. A worker does this again and again, and can be stopped in between.
    """
    done = await give_up_overdue(app)
    for channel in app.backends:
        done += (await hand_over(app, channel, BATCH))[0]
    await clear_up(app, done)
    return done


async def clear_up(app: Application, done: Deliveries) -> None:
    """
    Seal the log and drop what ran out, if anything was done.
    """
    if done.total:
        await seal(app)
        await app.storage.expire(app.settings.clock())


async def give_up_overdue(app: Application) -> Deliveries:
    """
    Put down as in doubt what was claimed by workers that died.
    """
    done = Deliveries()
    while overdue := await app.storage.overdue(app.settings.organisation.key, app.settings.clock(), BATCH):
        for waiting in overdue:
            item = _readable(app, waiting)
            if item is None:
                await _bury(app, waiting)
                continue
            settled = item.settled(MessageState.IN_DOUBT)
            if item.recorded:
                await settle(app, item.contact, _outcome(item, Receipt(outcome=Outcome.IN_DOUBT), "", ""), settled)
            else:
                await app.storage.settle([settled])
        done += Deliveries(in_doubt=len(overdue))
    return done


async def hand_over(app: Application, channel: Channel, most: int) -> tuple[Deliveries, bool]:
    """
    Hand over one batch of what is due on *channel*, and tell whether to go on with the next one.
    """
    backend = app.backends[channel]
    now = app.settings.clock()
    waiting = await _choose(app, channel, now, most)
    room = await rates.room(app, channel, len(waiting), now)
    items = await _claim(app, waiting[:room], now)
    if room and not items:
        # Another worker was faster with all of them.
        waiting = await _choose(app, channel, now, most, crowded=True)
        items = await _claim(app, waiting[:room], now)
    if not items:
        return Deliveries(), bool(waiting) and room > 0
    ledger = _Ledger()
    try:
        records, items = await _load(app, items, now, ledger)
        ready = await _make(app, items, records, now, ledger)
    except BaseException:
        # Nothing was handed over. Without this, the whole batch would be in doubt.
        back = [item.settled(MessageState.QUEUED, now + _FIRST_WAIT) for item in items]
        await app.storage.settle([*back, *ledger.settlements])
        raise
    receipts = await _send(app, backend, [item.message for item in ready if item.message is not None], now)
    for item, got in zip(ready, receipts, strict=True):
        _take(app, backend, item, records[item.waiting.subject], got, ledger)
    await _write(app, ledger)
    broken = any(got.fault is Fault.BACKEND for got in receipts)
    return Deliveries(**ledger.counts), not broken and room == len(waiting)


async def _choose(
    app: Application, channel: Channel, now: datetime, most: int, *, crowded: bool = False
) -> list[OutboxMessage]:
    """
    Return what to try for, of each contact one message: what is due longest, or, where workers are in each other's way,
    what comes some way after it.
    """
    spread = _CROWD if crowded else 1
    due = await app.storage.due(app.settings.organisation.key, channel, now, spread * most)
    if len(due) > most:
        start = int.from_bytes(app.settings.random(4)) % (len(due) - most + 1)
        due = due[start:]
    first: dict[bytes, OutboxMessage] = {}
    for waiting in due:
        first.setdefault(waiting.subject, waiting)
    return list(first.values())[:most]


def _item(app: Application, waiting: OutboxMessage) -> _Item:
    payload, contact = decode(waiting), Contact(waiting.subject.hex())
    code, stored = _code(app, waiting, payload, contact)
    return _Item(waiting=waiting, contact=contact, payload=payload, code=code, stored=stored)


def _code(
    app: Application, waiting: OutboxMessage, payload: Payload, contact: Contact
) -> tuple[str, StoredCode | None]:
    """
    Make what a message carries that opens something, and what is to be kept of it.
    """
    now = app.settings.clock()
    if payload.kind is PayloadKind.CODE:
        digits = make_step_up(app.settings.random(8))
        key = step_up_key(app.settings.keys, payload.challenge, digits)
        return digits, StoredCode(key=key, subject=waiting.subject, value=b"", expires_at=now + STEP_UP_LIFE)
    if not payload.line:
        return "", None
    kind = LinkKind.MANAGE if payload.question is None else LinkKind.QUESTION
    target = LinkTarget(
        kind=kind if payload.undo is None else LinkKind.UNDO,
        contact=contact.id,
        line=payload.line,
        channel=payload.channel,
        handed_over=True,
        question=payload.question,
        message=waiting.message.hex(),
        made_at=now,
        undo=payload.undo,
    )
    return new_code(app, target, None if target.kind is LinkKind.MANAGE else payload.until)


async def _claim(app: Application, waiting: Sequence[OutboxMessage], now: datetime) -> list[_Item]:
    items = {each.message: item for each in waiting if (item := _readable(app, each)) is not None}
    claims = [
        Claim(subject=each.subject, message=each.message, codes=_kept(items.get(each.message))) for each in waiting
    ]
    got = await app.storage.claim(claims, now, now + LEASE) if claims else ()
    claimed = []
    for each in got:
        item = items.get(each.message)
        if item is None:
            await _bury(app, each)
        else:
            item.waiting = each
            claimed.append(item)
    return claimed


def _kept(item: _Item | None) -> Sequence[StoredCode]:
    return () if item is None or item.stored is None else (item.stored,)


def _readable(app: Application, waiting: OutboxMessage) -> _Item | None:
    try:
        return _item(app, waiting)
    except DamagedError as error:
        facts = {"message_id": waiting.message.hex(), "contact_id": waiting.subject.hex(), "error": str(error)}
        _log.error("a message cannot be read, and is not sent", extra=facts)
        return None


async def _bury(app: Application, waiting: OutboxMessage) -> None:
    """
    Take a message that cannot be read out of everybody's way.
    """
    settled = Settlement(
        subject=waiting.subject,
        message=waiting.message,
        attempts=waiting.attempts,
        state=MessageState.REFUSED,
    )
    await app.storage.settle([settled])


async def _load(
    app: Application, items: Sequence[_Item], now: datetime, ledger: _Ledger
) -> tuple[dict[bytes, Record], list[_Item]]:
    """
    Read the contacts, and put off what is for one whose record cannot be read.
    """
    try:
        return await app.repository.load_all([item.waiting.subject for item in items]), list(items)
    except LedgerError:
        records: dict[bytes, Record] = {}
        readable = []
        for item in items:
            try:
                records |= await app.repository.load_all([item.waiting.subject])
            except LedgerError as error:
                facts = {"contact_id": item.contact.id, "error": str(error)}
                _log.error("the record of a contact cannot be read, so nothing is sent there", extra=facts)
                ledger.put_off(item, now + _LONGEST_WAIT)
            else:
                readable.append(item)
        return records, readable


# ---- making


async def _make(
    app: Application, items: Sequence[_Item], records: Mapping[bytes, Record], now: datetime, ledger: _Ledger
) -> list[_Item]:
    """
    Return what may go out now, made. What may not is put down in *ledger*.
    """
    whole = await app.repository.all_with_suppressions(list(records.values()))
    allowed: list[tuple[_Item, Sequence[Choice], Reason, Address]] = []
    for item in items:
        payload = item.payload
        standing, values = whole[item.waiting.subject]
        until = rates.quiet_until(app, payload, now)
        if until is not None:
            ledger.put_off(item, until)
            continue
        if not item.recorded:
            address = await _elsewhere(app, payload, standing)
            if address is None:
                ledger.settlements.append(item.settled(MessageState.WITHHELD))
            else:
                allowed.append((item, (), Reason.SERVICE, address))
            continue
        choices = still_to_say(payload, standing, now)
        decision = gate_again(app, item.contact, payload, choices, standing, now)
        address = values.get(payload.line) if _reaches(payload, standing) else None
        if decision and address is not None:
            allowed.append((item, choices, decision.reason, address))
        elif decision is None and payload.kind is PayloadKind.REMINDER:
            ledger.settlements.append(item.settled(MessageState.WITHHELD))  # they answered, as they were to
            ledger.count("withheld")
        else:
            command = _withholding(app, item, decision)
            ledger.record(records[item.waiting.subject], command, item.settled(MessageState.WITHHELD))
            ledger.count("withheld")
    late = await rates.beyond_domain_rates(app, [address for *_, address in allowed], now)
    wordings = await app.repository.wordings(choice.wording for _, choices, _, _ in allowed for choice in choices)
    ready = []
    for place, (item, asked, reason, address) in enumerate(allowed):
        if place in late:
            ledger.put_off(item, late[place])
            continue
        item.message = make(
            app,
            item.id,
            item.contact,
            item.payload,
            [wordings[choice.wording] for choice in asked],
            address=address,
            particulars=await _particulars(app, item, reason, *whole[item.waiting.subject]),
        )
        ready.append(item)
    return ready


def _reaches(payload: Payload, standing: Standing) -> bool:
    # Whoever reads at an address that was replaced is told of just that.
    return payload.kind is PayloadKind.CHANGED or standing.line_for(payload.channel, payload.line) is not None


async def _elsewhere(app: Application, payload: Payload, standing: Standing) -> Address | None:
    """
    Return where a message goes that goes to nobody's line; None if nowhere, or if it came too late.
    """
    match payload.kind:
        case PayloadKind.LINK_WANTED:
            await grant_link(app, payload)
            return None
        case PayloadKind.ALERT:
            late = is_too_late(payload, (), standing)
            return None if late else parse_address(app.settings.organisation.email, AddressKind.EMAIL)
        case _:
            return await proposal(app, payload)


async def _particulars(
    app: Application, item: _Item, reason: Reason, standing: Standing, values: Mapping[int, Address]
) -> Particulars:
    particulars = Particulars(code=item.code, reason=reason)
    match item.payload.kind:
        case PayloadKind.CHANGED:
            assert item.payload.undo is not None
            added = values[item.payload.undo.added or 0]
            return attrs.evolve(particulars, kind=added.kind, masked=added.masked)
        case PayloadKind.COPY:
            told = (await evidence(app, item.contact, None)).told()
            return attrs.evolve(particulars, page=part(told), plain=plain(told))
        case _:
            return particulars


# ---- sending


_NOT_BEGUN: Final = Receipt(outcome=Outcome.RETRY_LATER, reply="not sent: the backend has trouble", fault=Fault.BACKEND)


async def _send(
    app: Application, backend: Backend, messages: Sequence[Message], claimed_at: datetime
) -> Sequence[Receipt]:
    """
    Hand each message over, once, and return what the backend said of each.

    What a backend that takes one at a time has not begun when it has trouble, or when half the lease is over, is not
    begun at all.
    """
    if not messages:
        return ()
    if backend.batch is not None:
        try:
            receipts = await backend.batch.send_all(messages)
            if len(receipts) != len(messages):
                raise ValueError("a receipt is missing")
        except Exception as error:
            return [_broken(backend, message, error) for message in messages]
        return receipts
    receipts = []
    for message in messages:
        if any(got.fault is Fault.BACKEND for got in receipts) or app.settings.clock() > claimed_at + LEASE / 2:
            receipts.append(_NOT_BEGUN)
            continue
        try:
            receipts.append(await backend.one.send(message))
        except UsageError as error:
            receipts.append(Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}", fault=Fault.MESSAGE))
        except Exception as error:
            receipts.append(_broken(backend, message, error))
    return receipts


def _broken(backend: Backend, message: Message, error: Exception) -> Receipt:
    """
    Tell of a backend of somebody else's that breaks its promise. Nobody knows what it did before it failed.

    Its text and its traceback may hold an address, so only its kind is told.
    """
    facts = {"message_id": message.id, "backend": backend.name, "error": type(error).__name__}
    _log.error("a message backend raised", extra=facts)
    return Receipt(outcome=Outcome.IN_DOUBT)


def _take(app: Application, backend: Backend, item: _Item, record: Record, got: Receipt, ledger: _Ledger) -> None:
    """
    Put down what became of one message.
    """
    if got.outcome is Outcome.RETRY_LATER:
        if item.waiting.attempts < MAX_ATTEMPTS:
            later = app.settings.clock() + max(
                wait(item.waiting.attempts, app.settings.random(4)), got.retry_after or timedelta(0)
            )
            ledger.settlements.append(item.settled(MessageState.QUEUED, later))
            ledger.count("retried")
            return
        given_up = f"given up after {item.waiting.attempts} attempts, the last answered with: {got.reply}"
        got = attrs.evolve(got, outcome=Outcome.REFUSED, reply=given_up)
    settled = item.settled(_STATES[got.outcome])
    if item.recorded:
        carried = "" if item.payload.kind is PayloadKind.CODE else mark(item.code)
        ledger.record(record, _outcome(item, got, backend.name, carried), settled)
    else:
        ledger.settlements.append(settled)
    ledger.count(got.outcome.value)


def _outcome(item: _Item, got: Receipt, backend: str, code: str) -> RecordOutcome:
    return RecordOutcome(
        message=item.id,
        channel=item.payload.channel,
        line=item.payload.line,
        outcome=got.outcome,
        fault=got.fault,
        question=item.payload.question,
        complaint=item.payload.complaint,
        backend=backend,
        status=got.status,
        code=code,
        provider_id=got.provider_id,
        provider_code="" if got.code is None else str(got.code),
        reply=got.reply,
    )


def _withholding(app: Application, item: _Item, decision: Decision | None) -> WithholdMessage:
    refused = decision is not None and not decision
    return WithholdMessage(
        message=item.id,
        channel=item.payload.channel,
        line=item.payload.line,
        question=item.payload.question,
        regulation=decision.regulation if decision is not None and refused else "",
        reason="too_late" if decision is None else decision.reason if refused else "line_gone",
        edition=app.settings.rulebook.edition,
    )


async def _write(app: Application, ledger: _Ledger) -> None:
    try:
        written = await app.repository.apply_all(
            [(record, _settling(command, settled)) for record, command, settled in ledger.changes]
        )
        for record, command, settled in ledger.changes:
            if record.subject not in written:
                await settle(app, Contact(record.subject.hex()), command, settled)
    finally:
        # What was not taken is known to be unsent, whatever keeps the rest from being recorded.
        await app.storage.settle(ledger.settlements)


def _settling(command: Command, settled: Settlement) -> Plan:
    return Plan(command=command, settle=(settled,))


async def settle(app: Application, contact: Contact, command: Command, settled: Settlement) -> None:
    """
    Record what became of one message together with where it stands now.
    """
    try:
        applied = await app.repository.apply(contact, _settling(command, settled))
    except ClaimLostError:
        # It was put back in the meantime, or is gone. What is known now is evidence all the same.
        applied = await app.repository.apply(contact, command)
    if not applied.events:  # erased in the meantime: there is nobody to record it for
        await app.storage.settle([settled])
