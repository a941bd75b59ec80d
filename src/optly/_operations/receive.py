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

from optly._operations.application import Application
from optly._operations.contacts import add, find
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan, Planner
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


async def receive(app: Application, event: DeliveryEvent | InboundMessage) -> Received:
    """
    Take what a provider says or a person writes, once.
    """
    match event:
        case DeliveryEvent():
            return await _delivery(app, event)
        case InboundMessage():
            return await _inbound(app, event)
        case _:
            assert_never(event)


def _name(event: DeliveryEvent | InboundMessage) -> bytes:
    return sha256(f"received\0{event.backend}\0{event.channel}\0{event.id}")[:16]


async def _apply(
    app: Application, event: DeliveryEvent | InboundMessage, contact: Contact, plan: Planner | Command, effect: Effect
) -> Received:
    applied = await app.repository.apply(contact, plan, idem=_name(event))
    return Received(effect=effect if applied.events else Effect.REPEATED, event=event, contact=contact)


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


async def _delivery(app: Application, event: DeliveryEvent) -> Received:
    if event.status in (DeliveryStatus.SENT, DeliveryStatus.DELAYED):
        return Received(effect=Effect.NOTED, event=event)
    if event.message:
        return await _of_message(app, event)
    if event.to and event.status in (DeliveryStatus.BOUNCED, DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT):
        return await _of_address(app, event)
    return Received(effect=Effect.UNKNOWN, event=event)


async def _of_message(app: Application, event: DeliveryEvent) -> Received:
    contact = await _whose(app, event)
    if contact is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    events = [entry.event() for entry in await app.storage.entries(contact.subject)]
    sent = _find(events, event) or await _unrecorded(app, event, contact)
    if sent is None:
        # A forgery, or from before a restore.
        _log.warning("a provider told of a message that is not on record", extra={"contact_id": contact.id})
        return Received(effect=Effect.UNKNOWN, event=event, contact=contact)
    if sent.delivered and event.status is DeliveryStatus.DELIVERED:
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    if (sent.delivered or sent.undelivered) and event.status is DeliveryStatus.FAILED:
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    command = _record(event, sent.line, sent.message, sent.question)
    return await _apply(app, event, contact, command, _effect(event))


async def _whose(app: Application, event: DeliveryEvent) -> Contact | None:
    if event.contact:
        contact = Contact(event.contact)
        return contact if (await app.repository.load(contact)).version else None
    try:
        return await find(app, parse_address(event.to, event.channel.kind))
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


async def _unrecorded(app: Application, event: DeliveryEvent, contact: Contact) -> _Sent | None:
    """
    Make do with what a provider repeats of a message whose worker died before it could record that it was sent.

    Only if the provider repeats both whom we meant and where it went: what it signed is no forgery.
    """
    if not event.contact or not event.to:
        return None
    try:
        line = await _line_of(app, contact, parse_address(event.to, event.channel.kind))
    except AddressError:
        return None
    if line is None:
        return None
    message = event.message if len(event.message) == _WHOLE_NAME else ""
    return _Sent(message=message, line=line, question=None, delivered=False, undelivered=False)


async def _of_address(app: Application, event: DeliveryEvent) -> Received:
    """
    Take what a provider says of an address. A stop is kept even for one that nobody has, so that it is there first.
    """
    try:
        address = parse_address(event.to, event.channel.kind)
    except AddressError:
        return Received(effect=Effect.UNKNOWN, event=event)
    contact = await find(app, address)
    if contact is None and event.status is not DeliveryStatus.BOUNCED:
        contact = await _put_on_record(app, address)
    line = None if contact is None else await _line_of(app, contact, address)
    if contact is None or line is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    return await _apply(app, event, contact, _record(event, line, "", None), _effect(event))


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


async def _inbound(app: Application, event: InboundMessage) -> Received:
    if event.automatic:
        return Received(effect=Effect.NOTED, event=event)
    try:
        address = parse_address(event.sender, event.channel.kind)
    except AddressError:  # a short code, or a name that cannot be answered
        return Received(effect=Effect.UNKNOWN, event=event)
    said = read_reply(event.text)
    contact = await find(app, address)
    stops = isinstance(said, Stops) or event.keyword is Keyword.STOP
    if contact is None and stops:
        contact = await _put_on_record(app, address)
    line = None if contact is None else await _line_of(app, contact, address)
    if contact is None or line is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    if stops:
        return await _apply(app, event, contact, _stop(event, line), Effect.STOPPED)
    answered = await _answer(app, event, contact, line, said)
    if answered is not None:
        return answered
    return await _keep(app, event, contact, line, said)


async def _put_on_record(app: Application, address: Address) -> Contact:
    return await add(
        app,
        [address],
        name="",
        subscriber=Subscriber.UNKNOWN,
        language="en",
        held_by={},
        actor=Actor.SYSTEM,
    )


async def _line_of(app: Application, contact: Contact, address: Address) -> int | None:
    found = await app.storage.find(app.index.idkeys(address))
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


async def _answer(app: Application, event: InboundMessage, contact: Contact, line: int, said: Reply) -> Received | None:
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

    if await app.storage.committed(contact.subject, _name(event)):
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    try:
        applied = await app.repository.apply(contact, plan, idem=_name(event))
    except LinkError:  # what it would answer can no longer be answered
        return None
    return Received(effect=Effect.ANSWERED, event=event, contact=contact) if applied.events else None


async def _keep(app: Application, event: InboundMessage, contact: Contact, line: int, said: Reply) -> Received:
    helps = isinstance(said, Asks) or event.keyword is Keyword.HELP
    starts = isinstance(said, Starts) or event.keyword is Keyword.START
    meaning = Meaning.HELP if helps else Meaning.START if starts else Meaning.OTHER
    answer = helps and event.channel in app.backends and await _may_help(app, event, contact)
    message = app.settings.random(16)

    def plan(standing: Standing, now: datetime) -> Plan:
        payload = Payload(kind=PayloadKind.HELP, channel=event.channel, line=line, language=standing.language)
        return Plan(
            command=RecordMessage(
                channel=event.channel,
                line=line,
                meaning=meaning,
                backend=event.backend,
                at=event.at,
                text=event.text,
            ),
            queue=(encode(payload, contact.subject, message, now),) if answer else (),
        )

    return await _apply(app, event, contact, plan, Effect.HELPED if answer else Effect.KEPT)


async def _may_help(app: Application, event: InboundMessage, contact: Contact) -> bool:
    if await app.storage.committed(contact.subject, _name(event)):
        return False
    now = app.settings.clock()
    asked = await app.storage.count(sha256(f"help\0{event.channel}\0{contact.id}"), now, now + _HELP_EVERY)
    return asked == 1
