"""
Receiving: the delivery events of providers, and what people write: a stop, the answer to a question, a call for help,
or anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import lru_cache
from types import MappingProxyType
from typing import Final

from optly import typed
from optly._operations.application import Application
from optly._operations.contacts import HeldLine
from optly._operations.delivery_events import receive_delivery_event
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.received import apply_once, having, idempotency_key, together
from optly._operations.repository import Plan, Planner
from optly._operations.sent import Sent, find_sent, named, recipient, stops_kept, stops_of_ours
from optly.contacts import Channel, Contact, reaching, recognise_address, stopped_with
from optly.errors import AddressError, LinkError
from optly.keys import sha256
from optly.messages import DeliveryEvent, InboundMessage, Keyword
from optly.messages.quoting import Ours, speaks_of_stopping
from optly.messages.replies import (
    Asks,
    Other,
    Picks,
    Reply,
    Says,
    Starts,
    Stops,
    has_a_phrase_to_stop,
    is_nothing_but_a_stop,
    names_more,
    read_reply,
    stops_at_all,
    without_linked,
)
from optly.record.commands import AnswerQuestion, RecordMessage, Stop
from optly.record.events import Choice, Meaning, Through
from optly.record.standing import Question, QuestionState, Standing
from optly.results import Effect, Received

_log = logging.getLogger("optly")

# What is sent to many is longer than a person's own stop that went through a list.
_LONGEST_PERSONAL: Final = 500

# The replies that may answer a question.
_ANSWERS: Final = (Says, Picks)

# How often HELP is answered: a machine at the other end would ask for ever.
_HELP_EVERY: Final = timedelta(hours=1)


async def receive(app: Application, event: DeliveryEvent | InboundMessage) -> Received:
    if isinstance(event, InboundMessage):
        return await _receive_message(app, event)
    return await receive_delivery_event(app, event)


async def _receive_message(app: Application, event: InboundMessage) -> Received:
    reply = read_reply(event.text)
    stop = await _stop_in(app, event, reply)
    if stop is None and event.automatic:
        return Received(effect=Effect.NOTED, event=event)
    held = await _lines_of_sender(app, event, add=stop is not None)
    if stop is not None:
        return await _stop_lines(app, event, stop, held)
    if held:
        done = await _answer_question(app, event, held, reply)
        if done is not None:
            return done
        # Whoever of them wrote: it is kept with the holder whose message it answers, or else with each of them.
        answering = await _line_answered(app, event) if len(held) > 1 else {}
        holders = {contact: line for contact, line in held.items() if answering.get(contact) == line.number}
        return await _record_messages(app, event, holders or held, reply, shared=len(held) > 1)
    if answering := await _line_answered(app, event):
        lines = {contact: HeldLine(number, None) for contact, number in answering.items()}
        return await _record_messages(app, event, lines, Other())
    return _unknown(event)


def _unknown(event: InboundMessage) -> Received:
    _log.info("a message from an address that is not on record was not kept", extra={"backend": event.backend})
    return Received(effect=Effect.UNKNOWN, event=event)


async def _stop_in(app: Application, event: InboundMessage, reply: Reply) -> str | None:
    """
    Return the words of a message that ask for a stop; None if none do.

    It is read before anything else is asked of the message, and in all that its writer may have written. What we sent
    is taken away, if that is known. If not, paragraphs that link to our own pages are taken for ours, and so is what is
    marked as a quote.

    Args:
        reply: What its text means.
    """
    known: list[Ours] = []  # looked up once, and only if there may be a stop

    async def ours() -> Ours:
        if not known:
            known.append(await _ours(app, event))
        return known[0]

    async def left(text: str, *, first: bool, linked: bool) -> str | None:
        """
        Return what is left of a text in which there is a stop; None if that is none.
        """
        if found := await ours():
            return found.taken_from(text, first=first)
        kept = without_linked(text, app.settings.pages.base_url) if linked else text
        return kept if kept == text or (isinstance(read_reply(kept), Stops) if first else stops_at_all(kept)) else None

    text, rest = event.text, event.rest
    if event.bulk:
        text, rest = without_linked(text), ""
        reply = read_reply(text) if len(text) < _LONGEST_PERSONAL else Other()
    if isinstance(reply, Stops) and (theirs := await left(text, first=True, linked=event.automatic)):
        return theirs
    if event.keyword is Keyword.STOP:
        return event.text
    if event.subject and _is_stop(event.subject) and _stops_in_subject(event, await ours()):
        return f"{event.subject}\n\n{text}"
    if rest and stops_at_all(rest) and (theirs := await left(rest, first=False, linked=True)):
        return theirs
    if not event.message or event.automatic or event.bulk or not speaks_of_stopping(event.quoted):
        return None
    # A quote counts if it is one of what we sent: others may have written what stands in another.
    theirs = (await ours()).taken_from(event.quoted, kept=True)
    return None if theirs == event.quoted else theirs


@lru_cache(maxsize=256)
def _is_stop(subject: str) -> bool:
    """
    Whether a subject asks for a stop. It is mostly that of one of our messages, which many people answer.
    """
    return isinstance(read_reply(subject), Stops)


async def _ours(app: Application, event: InboundMessage) -> Ours:
    """
    Return where the message that an email answers speaks of stopping; empty if that is not known.
    """
    if not event.message:
        return Ours()
    if found := await stops_kept(app, event.message):
        return found
    answered = await _message_answered(app, event)
    return Ours() if answered is None else await stops_of_ours(app, *answered)


def _stops_in_subject(event: InboundMessage, ours: Ours) -> bool:
    left = ours.taken_from_subject(event.subject)
    subject = event.subject if left is None else left
    personal = not event.automatic and not event.bulk
    if personal and (left or not event.is_reply):
        return isinstance(read_reply(subject), Stops)
    # Probably ours, unless we know that it is not, or nobody would write it.
    return is_nothing_but_a_stop(subject) or (personal and bool(ours) and has_a_phrase_to_stop(subject))


async def _lines_of_sender(app: Application, event: InboundMessage, *, add: bool) -> dict[Contact, HeldLine]:
    """
    Return the contacts who have the address that a message came from, each with that line.

    Args:
        add: Whether to add a contact for an address that nobody has, unless it was no person's own message.
    """
    addresses = []
    for sender in (event.sender, *event.also_from):
        with suppress(AddressError):  # a short code, or a name to which nobody can reply
            addresses.append(recognise_address(sender, event.channel.kind))
    for address in addresses:
        if lines := await having(app, address, add=False):
            return lines
    if not add or not addresses or event.bulk or event.automatic:
        return {}
    return await having(app, addresses[0], add=True)


async def _message_answered(app: Application, event: InboundMessage) -> tuple[Contact, Sent] | None:
    """
    Return the message which this one answers, and whom it was sent to. Whoever has the id of that was sent it.
    """
    if not event.message:
        return None
    contact = await recipient(app, event.contact, event.message)
    sent = None if contact is None else await find_sent(app, contact, event.channel, event.message)
    return None if contact is None or sent is None or not sent.line else (contact, sent)


async def _line_answered(
    app: Application, event: InboundMessage, lines: Mapping[Contact, HeldLine] = MappingProxyType({})
) -> Mapping[Contact, int]:
    """
    Return the contact whose message this one answers, with the number of the line that message went to; empty if it
    answers none.

    Args:
        lines: Those it came from. One that is the only line of its kind its holder ever had is not looked for.
    """
    contact = await named(app, event.contact, event.message) if lines and event.message else None
    if contact is not None and (line := lines.get(contact)) is not None and line.is_only:
        return {contact: line.number}
    answered = await _message_answered(app, event)
    return {} if answered is None else {answered[0]: answered[1].line}


async def _stop_lines(
    app: Application,
    event: InboundMessage,
    stop: str,
    lines: Mapping[Contact, HeldLine],
) -> Received:
    # Whoever of them wrote: it stops the line for all of them, and each record shows it.
    done = []
    for contact, line in lines.items():
        planner = _stop(event, stop, line.number, shared=len(lines) > 1)
        done.append(await apply_once(app, event, contact, planner, Effect.STOPPED, read=line.record))
    for contact, number in (await _line_answered(app, event, lines)).items():
        if contact not in lines or lines[contact].number != number:
            planner = _stop(event, stop, number)
            done.insert(0, await apply_once(app, event, contact, planner, Effect.STOPPED, part="answered"))
    if not done:
        return _unknown(event)
    return together(done)


def _stop(event: InboundMessage, stop: str, line: int, *, shared: bool = False) -> Planner:
    # STOP covers every kind of message to that line; words that name calls, or everything, cover whatever reaches it.
    channels = reaching(event.channel.kind) if names_more(stop) else stopped_with(event.channel)

    def plan(_standing: Standing, now: datetime) -> Plan:
        return Plan(
            command=Stop(
                objection=True,
                channels=channels,
                line=line,
                at=min(event.at, now),
                through=Through.REPLY,
                shared=shared,
                how=event.text if stop == event.text else _all_of_it(event),
            )
        )

    return plan


def _all_of_it(event: InboundMessage) -> str:
    return "\n\n".join(filter(None, (event.subject, event.whole or event.text)))


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


def _agreed(question: Question, reply: Reply) -> frozenset[Choice]:
    """
    Return what a reply that is no refusal agrees to, if this is the question it answers.
    """
    match reply:
        case Says(yes=True):
            agreed = question.choices
        case Picks() if all(number <= len(question.choices) for number in reply.numbers):
            agreed = tuple(question.choices[number - 1] for number in reply.numbers)
        case _:
            agreed = ()
    return frozenset(typed.evolve(choice, expires_at=None) for choice in agreed)


def _answered(questions: Sequence[Question], reply: Reply) -> list[Question]:
    """
    Return which of the open questions a reply answers.

    It does not say which one it means. So a no refuses what all of them ask, and a yes counts for the latest that asks
    nothing but what each of them asks in the same words. Questions that forms caused are among them, and no stranger
    can have one of those taken for another.
    """
    answerable = [question for question in questions if _answers(question, reply)]
    if reply == Says(yes=False) or len(questions) == 1:
        return answerable
    readings = [agreed for question in questions if (agreed := _agreed(question, reply))]
    sure = frozenset[Choice]().union(*readings[:1]).intersection(*readings)
    return [question for question in answerable if _agreed(question, reply) <= sure][-1:]


async def _answer_question(
    app: Application, event: InboundMessage, lines: Mapping[Contact, HeldLine], reply: Reply
) -> Received | None:
    """
    Record a text message as the answer to the question that is open for its number. None if it answers nothing.

    An email answers nothing, because anyone can write one in another person's name. Where several holders of the number
    were asked, nobody knows who of them answers, and it answers nothing either.
    """
    if event.channel is not Channel.SMS or not isinstance(reply, _ANSWERS):
        return None
    asked, now, key = [], app.settings.clock(), idempotency_key(event)
    before = tuple(
        [contact for contact in lines if len(lines) > 1 and await app.storage.committed(contact.subject, key)]
    )
    if before:
        # What was kept with several is kept with them again, which changes nothing.
        return Received(effect=Effect.REPEATED, event=event, contacts=before) if len(before) == 1 else None
    for contact, line in lines.items():
        record = line.record or await app.repository.load(contact)
        if _still_open(record.standing, event.channel, line.number, now):
            asked.append((contact, line, record))
    if len(asked) != 1:
        return None
    [(contact, held, record)] = asked

    def plan(standing: Standing, now: datetime) -> Plan | None:
        answered = _answered(_still_open(standing, event.channel, held.number, now), reply)
        if not answered:
            return None
        *others, question = answered
        command = AnswerQuestion(
            question=question.id,
            also=tuple(other.id for other in others),
            answers=_answers(question, reply),
            line=held.number,
            reply=event.text,
        )
        return Plan(command=command, receipt_to=(event.channel, held.number))

    try:
        applied = await app.repository.apply(
            contact, plan, read=record, looked_up=held.looked_up, suppressions=reply != Says(yes=False), idem=key
        )
    except LinkError:  # the question can no longer be answered
        return None
    return Received(effect=Effect.ANSWERED, event=event, contacts=(contact,)) if applied.events else None


async def _record_messages(
    app: Application, event: InboundMessage, lines: Mapping[Contact, HeldLine], reply: Reply, *, shared: bool = False
) -> Received:
    """
    Keep a message with those who may have written it.

    Args:
        shared: Whether several people have the line it came from.
    """
    helps = isinstance(reply, Asks) or event.keyword is Keyword.HELP
    starts = isinstance(reply, Starts) or event.keyword is Keyword.START
    meaning = Meaning.HELP if helps else Meaning.START if starts else Meaning.OTHER
    # One answer goes to the line, in the outbox of the first of them.
    helped = next(iter(lines))
    answer = helps and event.channel in app.backends and await _may_help(app, event, helped)
    done = []
    for contact, line in lines.items():
        answered = app.settings.random(16) if answer and contact == helped else None
        plan = _message(event, contact, line.number, meaning, answered, shared=shared)
        effect = Effect.HELPED if answer else Effect.KEPT
        done.append(await apply_once(app, event, contact, plan, effect, read=line.record))
    return together(done)


def _message(
    event: InboundMessage, contact: Contact, line: int, meaning: Meaning, answer: bytes | None, *, shared: bool
) -> Planner:
    """
    Return a planner that records a message.

    Args:
        answer: The id of the answer to it; None for no answer.
    """

    def plan(standing: Standing, now: datetime) -> Plan:
        payload = Payload(
            kind=PayloadKind.HELP, channel=event.channel, line=line, language=standing.language, shared=shared
        )
        return Plan(
            command=RecordMessage(
                channel=event.channel,
                line=line,
                meaning=meaning,
                backend=event.backend,
                at=event.at,
                text=_all_of_it(event),
                shared=shared,
            ),
            queue=() if answer is None else (encode(payload, contact.subject, answer, now),),
        )

    return plan


async def _may_help(app: Application, event: InboundMessage, contact: Contact) -> bool:
    if await app.storage.committed(contact.subject, idempotency_key(event)):
        return False
    now = app.settings.clock()
    asked = await app.storage.count(sha256(f"help\0{event.channel}\0{contact.id}"), now, now + _HELP_EVERY)
    return asked == 1
