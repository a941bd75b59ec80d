"""
What comes back: what a provider says of a message, and what a person writes.

Each event has a name, and what it leads to is written under that name, so that one that comes again, or twice at once,
leads to nothing more.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, assert_never

import attrs

from optly._operations.contacts import add, find
from optly._operations.desk import Desk, Plan, Planner
from optly._operations.payload import Parcel, ParcelKind, pack
from optly.contacts.addresses import Address, Channel, parse_address
from optly.contacts.parties import Contact, Subscriber
from optly.errors import AddressError, LinkError
from optly.keys import sha256
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Keyword
from optly.messages.replies import Asks, Picks, Reply, Says, Starts, Stops, read_reply
from optly.record.commands import AnswerQuestion, Command, RecordDelivery, RecordMessage, Stop
from optly.record.consent import Question, QuestionState, Standing
from optly.record.events import (
    Actor,
    Event,
    Meaning,
    MessageDelivered,
    MessageEvent,
    MessageQueued,
    MessageUndelivered,
    Through,
)
from optly.results import Effect, Received

_log = logging.getLogger("optly")

# How often somebody who asks for help is answered: a machine at the other end would ask for ever.
_HELP_EVERY: Final = timedelta(hours=1)

# As much of a message's name as a return path has room for.
_SHORTEST_NAME: Final = 16
_WHOLE_NAME: Final = 32


async def receive(desk: Desk, event: DeliveryEvent | InboundMessage) -> Received:
    """
    Take what a provider says or a person writes, once.
    """
    match event:
        case DeliveryEvent():
            return await _delivery(desk, event)
        case InboundMessage():
            return await _inbound(desk, event)
        case _:
            assert_never(event)


def _name(event: DeliveryEvent | InboundMessage) -> bytes:
    return sha256(f"received\0{event.backend}\0{event.channel}\0{event.id}")[:16]


async def _apply(
    desk: Desk, event: DeliveryEvent | InboundMessage, contact: Contact, plan: Planner, effect: Effect
) -> Received:
    applied = await desk.apply(contact, plan, idem=_name(event))
    return Received(effect=effect if applied.events else Effect.REPEATED, event=event, contact=contact)


def _always(command: Command) -> Planner:
    return lambda _standing, _now: Plan(command=command)


# ---- what a provider says


@attrs.frozen(kw_only=True)
class _Sent:
    """
    A message that is on record.
    """

    message: str
    line: int
    question: str | None
    delivered: bool
    undelivered: bool


async def _delivery(desk: Desk, event: DeliveryEvent) -> Received:
    if event.status in (DeliveryStatus.SENT, DeliveryStatus.DELAYED):
        return Received(effect=Effect.NOTED, event=event)
    if event.message:
        return await _of_message(desk, event)
    if event.to and event.status in (DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT):
        return await _of_address(desk, event)
    return Received(effect=Effect.UNKNOWN, event=event)


async def _of_message(desk: Desk, event: DeliveryEvent) -> Received:
    contact = await _whose(desk, event)
    if contact is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    events = [entry.event() for entry in await desk.storage.entries(contact.subject)]
    sent = _find(events, event) or await _unrecorded(desk, event, contact)
    if sent is None:
        # A forgery, or from before a restore.
        _log.warning("a provider told of a message that is not on record", extra={"contact_id": contact.id})
        return Received(effect=Effect.UNKNOWN, event=event, contact=contact)
    if sent.delivered and event.status is DeliveryStatus.DELIVERED:
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    if (sent.delivered or sent.undelivered) and event.status is DeliveryStatus.FAILED:
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    command = _record(event, sent.line, sent.message, sent.question)
    return await _apply(desk, event, contact, _always(command), _effect(event))


async def _whose(desk: Desk, event: DeliveryEvent) -> Contact | None:
    if event.contact:
        contact = Contact(event.contact)
        return contact if (await desk.load(contact)).version else None
    try:
        return await find(desk, parse_address(event.to, event.channel.kind))
    except AddressError:
        return None


def _find(events: Sequence[Event], event: DeliveryEvent) -> _Sent | None:
    """
    Find the message that a provider means, by its name or the beginning of it.
    """
    if len(event.message) < _SHORTEST_NAME:
        return None
    about = [
        known
        for known in events
        if isinstance(known, MessageEvent | MessageQueued)
        and known.channel is event.channel
        and known.message.startswith(event.message)
    ]
    if not about:
        return None
    return _Sent(
        message=about[0].message,
        line=about[0].line,
        question=next((known.question for known in about if isinstance(known, MessageEvent)), None),
        delivered=any(isinstance(known, MessageDelivered) for known in about),
        undelivered=any(isinstance(known, MessageUndelivered) for known in about),
    )


async def _unrecorded(desk: Desk, event: DeliveryEvent, contact: Contact) -> _Sent | None:
    """
    Make do with what a provider repeats of a message whose worker died before it could record that it was sent.

    Only if the provider repeats both whom we meant and where it went: what it signed is no forgery.
    """
    if not event.contact or not event.to:
        return None
    try:
        line = await _line_of(desk, contact, parse_address(event.to, event.channel.kind))
    except AddressError:
        return None
    if line is None:
        return None
    message = event.message if len(event.message) == _WHOLE_NAME else ""
    return _Sent(message=message, line=line, question=None, delivered=False, undelivered=False)


async def _of_address(desk: Desk, event: DeliveryEvent) -> Received:
    """
    Take what a provider says of an address. A stop is kept even for one that nobody has, so that it is there first.
    """
    try:
        address = parse_address(event.to, event.channel.kind)
    except AddressError:
        return Received(effect=Effect.UNKNOWN, event=event)
    contact = await find(desk, address)
    if contact is None and event.status is not DeliveryStatus.BOUNCED:
        contact = await _put_on_record(desk, address)
    line = None if contact is None else await _line_of(desk, contact, address)
    if contact is None or line is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    return await _apply(desk, event, contact, _always(_record(event, line, "", None)), _effect(event))


def _record(event: DeliveryEvent, line: int, message: str, question: str | None) -> RecordDelivery:
    return RecordDelivery(
        status=event.status,
        channel=event.channel,
        line=line,
        message=message,
        question=question,
        backend=event.backend,
        status_code=event.status_code,
        provider_code=event.code,
        at=event.at,
        detail=event.detail,
    )


def _effect(event: DeliveryEvent) -> Effect:
    stops = event.status in (DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT)
    return Effect.STOPPED if stops else Effect.RECORDED


# ---- what a person writes


async def _inbound(desk: Desk, event: InboundMessage) -> Received:
    if event.automatic:
        return Received(effect=Effect.NOTED, event=event)
    try:
        address = parse_address(event.sender, event.channel.kind)
    except AddressError:  # a short code, or a name that cannot be answered
        return Received(effect=Effect.UNKNOWN, event=event)
    said = read_reply(event.text)
    contact = await find(desk, address)
    stops = isinstance(said, Stops) or event.keyword is Keyword.STOP
    if contact is None and stops:
        contact = await _put_on_record(desk, address)
    line = None if contact is None else await _line_of(desk, contact, address)
    if contact is None or line is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    if stops:
        return await _apply(desk, event, contact, _stop(event, line), Effect.STOPPED)
    answered = await _answer(desk, event, contact, line, said)
    if answered is not None:
        return answered
    return await _keep(desk, event, contact, line, said)


async def _put_on_record(desk: Desk, address: Address) -> Contact:
    return await add(
        desk,
        [address],
        name="",
        subscriber=Subscriber.UNKNOWN,
        language="en",
        held_by={},
        actor=Actor.SYSTEM,
    )


async def _line_of(desk: Desk, contact: Contact, address: Address) -> int | None:
    found = await desk.storage.find(desk.idkeys(address))
    lines = [known.line for known in found.identifiers.values() if known.subject == contact.subject]
    return lines[0] if lines else None


def _stop(event: InboundMessage, line: int) -> Planner:
    def plan(_standing: Standing, now: datetime) -> Plan:
        return Plan(
            command=Stop(
                objection=True,
                channels=(event.channel,),
                line=line,
                at=min(event.at, now),
                through=Through.REPLY,
                how=event.text,
            )
        )

    return plan


def _open_question(standing: Standing, channel: Channel, line: int, now: datetime) -> Question | None:
    """
    Return the question that a reply from this line answers: the only one that was put there and is still open.
    """
    still_open = [
        question
        for question in standing.questions
        if question.state is QuestionState.OPEN
        and question.via is channel
        and question.line == line
        and now <= question.expires_at
    ]
    return still_open[0] if len(still_open) == 1 else None


def _answers(question: Question, said: Reply) -> dict[tuple[Channel, str], bool]:
    """
    Return what a reply answers. A yes answers the one thing that was asked; of several, the numbers tell which.
    """
    keys = [(choice.channel, choice.purpose) for choice in question.choices]
    match said:
        case Says(yes=False):
            return dict.fromkeys(keys, False)
        case Says(yes=True) if len(keys) == 1:
            return {keys[0]: True}
        case Picks() if all(number <= len(keys) for number in said.numbers):
            return {keys[number - 1]: True for number in said.numbers}
        case _:
            return {}


async def _answer(desk: Desk, event: InboundMessage, contact: Contact, line: int, said: Reply) -> Received | None:
    """
    Let a text answer the question that is open for its number. None if it answers nothing.

    An email answers nothing: anybody can write one in somebody's name.
    """
    if event.channel is not Channel.SMS or not isinstance(said, Says | Picks):
        return None

    def plan(standing: Standing, now: datetime) -> Plan | None:
        question = _open_question(standing, event.channel, line, now)
        answers = {} if question is None else _answers(question, said)
        if question is None or not answers:
            return None
        command = AnswerQuestion(question=question.id, answers=answers, line=line, reply=event.text)
        return Plan(command=command, receipt_to=(event.channel, line))

    if await desk.storage.committed(contact.subject, _name(event)):
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    try:
        applied = await desk.apply(contact, plan, idem=_name(event))
    except LinkError:  # what it would answer can no longer be answered
        return None
    return Received(effect=Effect.ANSWERED, event=event, contact=contact) if applied.events else None


async def _keep(desk: Desk, event: InboundMessage, contact: Contact, line: int, said: Reply) -> Received:
    helps = isinstance(said, Asks) or event.keyword is Keyword.HELP
    starts = isinstance(said, Starts) or event.keyword is Keyword.START
    meaning = Meaning.HELP if helps else Meaning.START if starts else Meaning.OTHER
    answer = helps and event.channel in desk.outlets and await _may_help(desk, event, contact)
    message = desk.random(16)

    def plan(standing: Standing, now: datetime) -> Plan:
        parcel = Parcel(kind=ParcelKind.HELP, channel=event.channel, line=line, language=standing.language)
        return Plan(
            command=RecordMessage(
                channel=event.channel,
                line=line,
                meaning=meaning,
                backend=event.backend,
                at=event.at,
                text=event.text,
            ),
            queue=(pack(parcel, contact.subject, message, now),) if answer else (),
        )

    return await _apply(desk, event, contact, plan, Effect.HELPED if answer else Effect.KEPT)


async def _may_help(desk: Desk, event: InboundMessage, contact: Contact) -> bool:
    if await desk.storage.committed(contact.subject, _name(event)):
        return False
    now = desk.clock()
    asked: int = await desk.storage.count(sha256(f"help\0{event.channel}\0{contact.id}"), now, now + _HELP_EVERY)
    return asked == 1
