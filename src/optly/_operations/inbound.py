"""
Receiving: the delivery events of providers, and what people write: a stop, the answer to a question, a call for help,
or anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from optly._operations.application import Application
from optly._operations.delivery_events import receive_delivery_event
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.received import apply_once, having, idempotency_key
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
    lines = await having(app, address, add=stops)
    if not lines:
        return Received(effect=Effect.UNKNOWN, event=event)
    if stops:
        # Whoever of them wrote: it stops the line for all of them, and each record shows it.
        done = [
            await apply_once(app, event, contact, _stop(event, line), Effect.STOPPED) for contact, line in lines.items()
        ]
        return next((each for each in done if each.effect is Effect.STOPPED), done[0])
    answered = await _answer_question(app, event, lines, reply)
    if answered is not None:
        return answered
    contact, line = next(iter(lines.items()))
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


def _still_open(standing: Standing, channel: Channel, line: int, now: datetime) -> list[Question]:
    """
    Return the questions that a reply from this line may answer: those asked there that are still open.
    """
    return [
        question
        for question in standing.questions
        if question.state is QuestionState.OPEN
        and question.via is channel
        and question.line == line
        and now <= question.expires_at
    ]


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
    app: Application, event: InboundMessage, lines: Mapping[Contact, int], reply: Reply
) -> Received | None:
    """
    Record a text message as the answer to the question that is open for its number. None if it answers nothing.

    An email answers nothing, because anyone can write one in another person's name. Where several holders of the number
    were asked, nobody knows who of them answers, and it answers nothing either.
    """
    if event.channel is not Channel.SMS or not isinstance(reply, Says | Picks):
        return None
    asked, now = [], app.settings.clock()
    for contact, line in lines.items():
        if await app.storage.committed(contact.subject, idempotency_key(event)):
            return Received(effect=Effect.REPEATED, event=event, contact=contact)
        standing = (await app.repository.load(contact)).standing
        if _still_open(standing, event.channel, line, now):
            asked.append((contact, line))
    if len(asked) != 1:
        return None
    [(contact, line)] = asked

    def plan(standing: Standing, now: datetime) -> Plan | None:
        still_open = _still_open(standing, event.channel, line, now)
        answers = _answers(still_open[0], reply) if len(still_open) == 1 else {}
        if not answers:
            return None
        command = AnswerQuestion(question=still_open[0].id, answers=answers, line=line, reply=event.text)
        return Plan(command=command, receipt_to=(event.channel, line))

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
