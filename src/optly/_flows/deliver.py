"""
Handing over what waits in the outbox: claimed, gated a second time, sent once, and what became of it recorded.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, TypedDict, assert_never

import attrs

from optly._flows.ask import gate_request
from optly._flows.desk import Desk, Plan
from optly._flows.gate import assess
from optly._flows.links import new_code
from optly._flows.parcels import Parcel, ParcelKind, unpack
from optly._flows.prove import seal
from optly.addresses import Address, Channel, EmailAddress
from optly.commands import RecordOutcome, WithholdMessage
from optly.consent import QuestionState, Standing
from optly.errors import ClaimLostError, UsageError
from optly.events import Choice, LinkKind
from optly.links import LinkTarget, StopScope, mark
from optly.messages import Content, Message, Outcome, Receipt
from optly.parties import Contact
from optly.protocols import Claim, MessageState, OutboxMessage, Settlement, StoredCode
from optly.rendering import marketing, receipt, request, unsubscribe_headers
from optly.rules import Decision, MessageKind, Reason, Solicited

_log = logging.getLogger("optly")

# Longer than any provider takes to answer. What is still claimed after it belongs to a worker that died.
LEASE: Final = timedelta(minutes=15)
# With the waits below, about two days: long enough for a server that is down or a mailbox that is full.
MAX_ATTEMPTS: Final = 100
_FIRST_WAIT, _LONGEST_WAIT = timedelta(minutes=1), timedelta(hours=1)
_BATCH: Final = 100

_STATES: Final = {
    Outcome.ACCEPTED: MessageState.ACCEPTED,
    Outcome.REFUSED: MessageState.REFUSED,
    Outcome.IN_DOUBT: MessageState.IN_DOUBT,
}


@attrs.frozen(kw_only=True)
class Deliveries:
    """
    What became of the messages that were due, counted.

    Attributes:
        accepted: The provider took them.
        refused: The provider refused them for good, or every attempt was used up.
        retried: They go out again later.
        in_doubt: Nobody knows, so they are not sent again.
        withheld: The gate, asked a second time, refused them.
    """

    accepted: int = 0
    refused: int = 0
    retried: int = 0
    in_doubt: int = 0
    withheld: int = 0

    @property
    def total(self) -> int:
        return self.accepted + self.refused + self.retried + self.in_doubt + self.withheld


def wait(attempts: int, random: bytes) -> timedelta:
    """
    Return how long to wait after that many attempts: a random part of a time that doubles, up to an hour.
    """
    longest = min(_FIRST_WAIT * (1 << min(attempts - 1, 16)), _LONGEST_WAIT)
    return longest * (int.from_bytes(random) / (1 << 8 * len(random)))


class _Links(TypedDict):
    link: str
    stop: str
    language: str


async def deliver(desk: Desk, limit: int | None) -> Deliveries:
    """
    Hand over what is due, the longest waiting first, seal the log and drop the codes that ran out.
    """
    counts: dict[str, int] = {}

    def count(name: str) -> None:
        counts[name] = counts.get(name, 0) + 1

    while overdue := await desk.storage.overdue(desk.organisation.key, desk.clock(), _BATCH):
        for message in overdue:
            await _settle(desk, message, unpack(message), Receipt(outcome=Outcome.IN_DOUBT), "", "")
            count("in_doubt")
    seen: set[bytes] = set()
    while limit is None or len(seen) < limit:
        now = desk.clock()
        due = await desk.storage.due(desk.organisation.key, now, _BATCH)
        fresh = [message for message in due if message.message not in seen]
        if not fresh:
            break
        for message in fresh[: None if limit is None else limit - len(seen)]:
            seen.add(message.message)
            name = await _hand_over(desk, message)
            if name is not None:
                count(name)
    deliveries = Deliveries(**counts)
    if deliveries.total:
        await seal(desk)
        await desk.storage.expire(desk.clock())
    return deliveries


async def _hand_over(desk: Desk, waiting: OutboxMessage) -> str | None:
    """
    Hand one message over and return the name of what became of it, or None if another worker has it.
    """
    parcel = unpack(waiting)
    contact = Contact(waiting.subject.hex())
    code, stored = _code(desk, contact, parcel)
    now = desk.clock()
    claimed = await desk.storage.claim(
        [Claim(subject=waiting.subject, message=waiting.message, codes=[stored])], now, now + LEASE
    )
    if not claimed:
        return None
    (message,) = claimed
    standing, values = await desk.whole(await desk.load(contact))
    choices = _still_to_say(parcel, standing, now)
    decision = _gate_again(desk, contact, parcel, choices, standing, now)
    address = None if standing.line_for(parcel.channel, parcel.line) is None else values.get(parcel.line)
    if not decision or address is None:
        await _withhold(desk, message, parcel, decision)
        return "withheld"
    backend = desk.backends.get(parcel.channel)
    if backend is None:
        await desk.storage.settle([_back(message, now + _LONGEST_WAIT)])
        return "retried"
    content, headers = await _render(desk, contact, parcel, choices, decision.reason, code)
    try:
        got: Receipt = await backend.send(
            Message(
                id=message.message.hex(),
                channel=parcel.channel,
                to=_destination(address),
                subject=content.subject,
                text=content.text,
                html=content.html,
                headers=headers,
                language=parcel.language,
            )
        )
    except UsageError as error:
        got = Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}")
    except Exception as error:
        # A backend of somebody else's that breaks its promise: nobody knows what it did before it failed.
        # Its text and its traceback may hold an address, so only its kind is told.
        facts = {"message_id": message.message.hex(), "backend": backend.name, "error": type(error).__name__}
        _log.error("a message backend raised", extra=facts)
        got = Receipt(outcome=Outcome.IN_DOUBT)
    if got.outcome is Outcome.RETRY_LATER:
        if message.attempts < MAX_ATTEMPTS:
            later = desk.clock() + wait(message.attempts, desk.random(4))
            await desk.storage.settle([_back(message, later)])
            return "retried"
        got = attrs.evolve(got, outcome=Outcome.REFUSED)
    await _settle(desk, message, parcel, got, backend.name, mark(code))
    return got.outcome.value


def _destination(address: Address) -> str:
    if isinstance(address, EmailAddress):
        return address.ascii_value or address.value
    return address.value


def _code(desk: Desk, contact: Contact, parcel: Parcel) -> tuple[str, StoredCode]:
    target = LinkTarget(
        kind=LinkKind.MANAGE if parcel.question is None else LinkKind.QUESTION,
        contact=contact.id,
        line=parcel.line,
        channel=parcel.channel,
        handed_over=True,
        question=parcel.question,
    )
    return new_code(desk, target, parcel.until)


def _still_to_say(parcel: Parcel, standing: Standing, now: datetime) -> tuple[Choice, ...]:
    """
    Return the choices that a request still asks about or that a receipt still confirms. Empty if it came too late.
    """
    if parcel.kind is ParcelKind.RECEIPT:
        return tuple(c for c in parcel.choices if standing.consent(c.channel, c.purpose, c.line, now) is not None)
    question = standing.question(parcel.question or "")
    if question is None or question.state is not QuestionState.OPEN or now > question.expires_at:
        return ()
    return question.choices


def _gate_again(
    desk: Desk, contact: Contact, parcel: Parcel, choices: Sequence[Choice], standing: Standing, now: datetime
) -> Decision | None:
    """
    Ask the gate as it was asked when the message was queued. None for what came too late.
    """
    if parcel.kind is not ParcelKind.MARKETING and not choices:
        return None
    if parcel.question is not None:
        question = standing.question(parcel.question)
        assert question is not None
        solicited = None if question.solicited_at is None else Solicited(how="", at=question.solicited_at)
        return gate_request(desk, standing, contact, parcel.channel, parcel.line, choices, solicited, now, question.id)
    return assess(
        desk,
        standing,
        parcel.channel,
        parcel.purpose,
        kind=MessageKind.SERVICE if parcel.kind is ParcelKind.RECEIPT else MessageKind.MARKETING,
        contact=contact.id,
        line=parcel.line,
        at=now,
    )


async def _render(
    desk: Desk, contact: Contact, parcel: Parcel, choices: Sequence[Choice], reason: Reason, code: str
) -> tuple[Content, Mapping[str, str]]:
    """
    Return what the message says, and the headers of an email.
    """
    # A marketing message stops what it is about; what asks or confirms stops everything.
    scope = StopScope(
        contact=contact.id,
        line=parcel.line,
        channel=parcel.channel if parcel.kind is ParcelKind.MARKETING else None,
        purpose=parcel.purpose or None,
    )
    links: _Links = {
        "link": desk.pages.link(code),
        "stop": desk.pages.stop(desk.stop_links.sign(scope)),
        "language": parcel.language,
    }
    register = await desk.wordings(choice.wording for choice in choices)
    wordings = [register[choice.wording] for choice in choices]
    match parcel.kind:
        case ParcelKind.REQUEST:
            assert parcel.until is not None
            content = request(desk.organisation, parcel.channel, wordings, until=parcel.until, **links)
        case ParcelKind.RECEIPT:
            assert parcel.at is not None
            content = receipt(desk.organisation, parcel.channel, wordings, on=parcel.at, **links)
        case ParcelKind.MARKETING:
            assert parcel.content is not None
            content = marketing(desk.organisation, parcel.channel, parcel.content, reason=reason, **links)
        case _:
            assert_never(parcel.kind)
    return content, unsubscribe_headers(links["stop"]) if parcel.channel is Channel.EMAIL else {}


def _back(message: OutboxMessage, due_at: datetime) -> Settlement:
    return Settlement(
        subject=message.subject,
        message=message.message,
        attempts=message.attempts,
        state=MessageState.QUEUED,
        due_at=due_at,
    )


async def _settle(desk: Desk, message: OutboxMessage, parcel: Parcel, got: Receipt, backend: str, code: str) -> None:
    command = RecordOutcome(
        message=message.message.hex(),
        channel=parcel.channel,
        line=parcel.line,
        outcome=got.outcome,
        question=parcel.question,
        backend=backend,
        status=got.status,
        code=code,
        reply=got.reply,
    )
    settled = Settlement(
        subject=message.subject,
        message=message.message,
        attempts=message.attempts,
        state=_STATES[got.outcome],
    )
    contact = Contact(message.subject.hex())
    try:
        await desk.apply(contact, lambda _standing, _now: Plan(command=command, settle=(settled,)))
    except ClaimLostError:
        # The lease ran out and the message was put down as in doubt. What is known now is evidence all the same.
        await desk.apply(contact, lambda _standing, _now: Plan(command=command))


async def _withhold(desk: Desk, message: OutboxMessage, parcel: Parcel, decision: Decision | None) -> None:
    settled = Settlement(
        subject=message.subject,
        message=message.message,
        attempts=message.attempts,
        state=MessageState.WITHHELD,
    )
    reason = "too_late" if decision is None else "line_gone" if decision else decision.reason
    command = WithholdMessage(
        message=message.message.hex(),
        channel=parcel.channel,
        line=parcel.line,
        question=parcel.question,
        regulation=decision.regulation if decision is not None and not decision else "",
        reason=reason,
        edition=desk.rulebook.edition,
    )
    applied = await desk.apply(
        Contact(message.subject.hex()), lambda _standing, _now: Plan(command=command, settle=(settled,))
    )
    if not applied.events:  # erased in the meantime: there is nobody to record it for
        await desk.storage.settle([settled])
