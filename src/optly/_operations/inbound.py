"""
Receiving: the delivery events of providers, and what people write: a stop, the answer to a question, a call for help,
or anything else.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from optly._operations.application import Application
from optly._operations.delivery_events import receive_delivery_event
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.received import apply_once, holder, idempotency_key
from optly._operations.repository import Plan, Planner
from optly.contacts import Channel, Contact, parse_address, reaching, stopped_with
from optly.errors import AddressError, LinkError
from optly.keys import sha256
from optly.messages import DeliveryEvent, InboundMessage, Keyword
from optly.messages.replies import Asks, Picks, Reply, Says, Starts, Stops, names_more, read_reply
from optly.record.commands import AnswerQuestion, RecordMessage, Stop
from optly.record.events import Meaning, Through
from optly.record.standing import Question, QuestionState, Standing
from optly.results import Effect, Received

# How often HELP is answered: a machine at the other end would ask for ever.
_HELP_EVERY: Final = timedelta(hours=1)


async def receive(app: Application, event: DeliveryEvent | InboundMessage) -> Received:
    if isinstance(event, InboundMessage):
        return await _message(app, event)
    return await receive_delivery_event(app, event)


async def _message(app: Application, event: InboundMessage) -> Received:
    if event.automatic:
        return Received(effect=Effect.NOTED, event=event)
    try:
        address = parse_address(event.sender, event.channel.kind)
    except AddressError:  # a short code, or a name to which nobody can reply
        return Received(effect=Effect.UNKNOWN, event=event)
    reply = read_reply(event.text)
    stops = isinstance(reply, Stops) or event.keyword is Keyword.STOP
    match = await holder(app, address, add=stops)
    if match is None:
        return Received(effect=Effect.UNKNOWN, event=event)
    contact, line = match
    if stops:
        return await apply_once(app, event, contact, _stop(event, line), Effect.STOPPED)
    answered = await _answer_question(app, event, contact, line, reply)
    if answered is not None:
        return answered
    return await _record_message(app, event, contact, line, reply)


def _stop(event: InboundMessage, line: int) -> Planner:
    # STOP covers every kind of message to that line; words that name calls, or everything, cover whatever reaches it.
    channels = reaching(event.channel.kind) if names_more(event.text) else stopped_with(event.channel)

    def plan(_standing: Standing, now: datetime) -> Plan:
        return Plan(
            command=Stop(
                objection=True,
                channels=channels,
                line=line,
                at=min(event.at, now),
                through=Through.REPLY,
                how=event.text,
            )
        )

    return plan


def _open_question(standing: Standing, channel: Channel, line: int, now: datetime) -> Question | None:
    """
    Return the question that a reply from this line answers: the only one asked there that is still open.
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


def _answers(question: Question, reply: Reply) -> dict[tuple[Channel, str], bool]:
    """
    Return the answers in a reply. A yes answers a question with one choice; of several, the numbers say which.
    """
    keys = [(choice.channel, choice.purpose) for choice in question.choices]
    match reply:
        case Says(yes=False):
            return dict.fromkeys(keys, False)
        case Says(yes=True) if len(keys) == 1:
            return {keys[0]: True}
        case Picks() if all(number <= len(keys) for number in reply.numbers):
            return {keys[number - 1]: True for number in reply.numbers}
        case _:
            return {}


async def _answer_question(
    app: Application, event: InboundMessage, contact: Contact, line: int, reply: Reply
) -> Received | None:
    """
    Record a text message as the answer to the question that is open for its number. None if it answers nothing.

    An email answers nothing, because anyone can write one in another person's name.
    """
    if event.channel is not Channel.SMS or not isinstance(reply, Says | Picks):
        return None

    def plan(standing: Standing, now: datetime) -> Plan | None:
        question = _open_question(standing, event.channel, line, now)
        answers = {} if question is None else _answers(question, reply)
        if question is None or not answers:
            return None
        command = AnswerQuestion(question=question.id, answers=answers, line=line, reply=event.text)
        return Plan(command=command, receipt_to=(event.channel, line))

    if await app.storage.committed(contact.subject, idempotency_key(event)):
        return Received(effect=Effect.REPEATED, event=event, contact=contact)
    try:
        applied = await app.repository.apply(contact, plan, idem=idempotency_key(event))
    except LinkError:  # the question can no longer be answered
        return None
    return Received(effect=Effect.ANSWERED, event=event, contact=contact) if applied.events else None


async def _record_message(
    app: Application, event: InboundMessage, contact: Contact, line: int, reply: Reply
) -> Received:
    helps = isinstance(reply, Asks) or event.keyword is Keyword.HELP
    starts = isinstance(reply, Starts) or event.keyword is Keyword.START
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

    return await apply_once(app, event, contact, plan, Effect.HELPED if answer else Effect.KEPT)


async def _may_help(app: Application, event: InboundMessage, contact: Contact) -> bool:
    if await app.storage.committed(contact.subject, idempotency_key(event)):
        return False
    now = app.settings.clock()
    asked = await app.storage.count(sha256(f"help\0{event.channel}\0{contact.id}"), now, now + _HELP_EVERY)
    return asked == 1
