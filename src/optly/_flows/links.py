"""
What happens when somebody opens a link, and when they press a button on the page behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from optly._flows.desk import Desk, Plan, Record, require_line
from optly.addresses import Channel
from optly.commands import AnswerQuestion, ChangeChoices, Context, Stop
from optly.consent import Question, Standing, check_open
from optly.errors import AnswerError, LinkInvalidError, LinkRevokedError, UnknownContactError
from optly.events import LinkKind
from optly.links import LinkTarget, StopScope, code_bytes, code_key, make_code, mark, read_code
from optly.parties import Contact
from optly.protocols import StoredCode
from optly.rendering import unsubscribe_headers
from optly.views import Item, Opened, choice_items, question_items

# How long the code of a question is kept after its last day, so that whoever comes late is told what happened.
_LATE = timedelta(days=365)


def new_code(desk: Desk, target: LinkTarget, until: datetime | None = None) -> tuple[str, StoredCode]:
    """
    Make a code that opens *target*, and what is to be kept of it; for a question, until well after its last instant.
    """
    code = make_code(desk.random(code_bytes(target.channel)))
    return code, StoredCode(
        key=code_key(code),
        subject=bytes.fromhex(target.contact),
        value=target.dump(),
        expires_at=None if until is None else until + _LATE,
    )


async def link(desk: Desk, contact: Contact, channel: Channel, line: int | None) -> str:
    """
    Make a MyOptly link for a message on *channel* and return its address.
    """
    record = await desk.known(contact)
    if record.standing.erased_at is not None:
        raise UnknownContactError("the contact was erased")
    target = LinkTarget(
        kind=LinkKind.MANAGE,
        contact=contact.id,
        line=require_line(record.standing, channel, line),
        channel=channel,
        handed_over=False,
    )
    code, stored = new_code(desk, target)
    await desk.storage.put_codes([stored])
    return desk.pages.link(code)


async def revoke(desk: Desk, contact: Contact) -> int:
    """
    Make every code of a contact open nothing.
    """
    await desk.known(contact)
    revoked: int = await desk.storage.revoke_codes(contact.subject)
    return revoked


async def stop_headers(
    desk: Desk, contact: Contact, channel: Channel, purpose: str | None, line: int | None
) -> Mapping[str, str]:
    """
    Return the headers by which a mail program stops what *purpose* names, or every purpose.
    """
    record = await desk.known(contact)
    if purpose is not None:
        desk.purpose(purpose)
    number = require_line(record.standing, channel, line)
    scope = StopScope(contact=contact.id, line=number, channel=channel, purpose=purpose)
    return unsubscribe_headers(desk.pages.stop(desk.stop_links.sign(scope)))


async def _target(desk: Desk, code: str) -> tuple[LinkTarget, Record]:
    value = await desk.storage.code(code_key(read_code(code)), desk.clock())
    if value is None:
        raise LinkInvalidError("this is not a link of ours, or it was revoked")
    target = LinkTarget.load(value)
    record = await desk.load(Contact(target.contact))
    if not record.version or record.standing.erased_at is not None:
        raise LinkRevokedError("what this link opened was erased")
    return target, record


def _question(target: LinkTarget, standing: Standing) -> Question:
    question = None if target.question is None else standing.question(target.question)
    if question is None:
        raise LinkInvalidError("the link belongs to no question")
    return question


def _channels(desk: Desk, standing: Standing) -> list[Channel]:
    """
    Return the channels worth showing: those that messages can go out on, and those that were ever asked about.
    """
    seen = {consent.channel for consent in standing.consents}
    seen.update(choice.channel for question in standing.questions for choice in question.choices)
    seen.update(stop.channel for stop in standing.stops if stop.channel is not None)
    seen.update(desk.outlets)
    return [channel for channel in Channel if channel in seen]


def _items(desk: Desk, standing: Standing, at: datetime) -> tuple[Item, ...]:
    return choice_items(
        standing,
        desk.organisation,
        desk.purposes.values(),
        _channels(desk, standing),
        language=standing.language,
        at=at,
    )


async def open_link(desk: Desk, code: str) -> Opened:
    """
    Return what is behind a link. Changes nothing.
    """
    target, record = await _target(desk, code)
    now = desk.clock()
    standing, values = await desk.whole(record)
    if target.line not in values:
        raise LinkRevokedError("the address the link was sent to is no longer on record")
    masked = values[target.line].masked
    if target.kind is LinkKind.MANAGE:
        return Opened(kind=target.kind, masked=masked, language=standing.language, items=_items(desk, standing, now))
    question = _question(target, standing)
    check_open(question, now)
    wordings = await desk.wordings(choice.wording for choice in question.choices)
    return Opened(
        kind=target.kind,
        masked=masked,
        language=question.language,
        items=question_items(question, desk.purposes, wordings),
        expires_at=question.expires_at,
    )


async def answer(
    desk: Desk, code: str, answers: Mapping[tuple[Channel, str], bool], context: Context | None
) -> Standing:
    """
    Answer the question behind a link.
    """
    target, record = await _target(desk, code)
    if target.kind is not LinkKind.QUESTION:
        raise LinkInvalidError("this link opens a MyOptly page and answers no question")
    question = _question(target, record.standing)
    command = AnswerQuestion(
        question=question.id,
        answers=dict(answers),
        line=target.line,
        code=mark(read_code(code)),
        context=context or Context(),
    )
    applied = await desk.apply(
        Contact(target.contact),
        lambda _standing, _now: Plan(command=command, receipt_to=(target.channel, target.line)),
        read=record,
    )
    return applied.standing


async def choose(
    desk: Desk, code: str, answers: Mapping[tuple[Channel, str], bool], context: Context | None
) -> Standing:
    """
    Change choices through a MyOptly link.
    """
    target, record = await _target(desk, code)
    if target.kind is not LinkKind.MANAGE:
        raise LinkInvalidError("this link answers one question and changes no other choices")
    if not answers:
        raise AnswerError("no choice was made: say yes or no to something")

    def plan(standing: Standing, now: datetime) -> Plan:
        items = {item.key: item for item in _items(desk, standing, now)}
        if not answers.keys() <= items.keys():
            raise AnswerError("a choice names a channel or a purpose that is not offered")
        command = ChangeChoices(
            yes=tuple(items[key].choice for key, yes in answers.items() if yes is True),
            no=tuple(items[key].choice for key, yes in answers.items() if yes is False),
            line=target.line if target.handed_over else None,
            code=mark(read_code(code)),
            context=context or Context(),
        )
        return Plan(
            command=command,
            wordings=tuple(items[key].wording for key in answers),
            receipt_to=(target.channel, target.line),
        )

    if not all(isinstance(yes, bool) for yes in answers.values()):
        raise AnswerError("a choice is True or False")
    return (await desk.apply(Contact(target.contact), plan, read=record)).standing


async def stop(desk: Desk, code: str, context: Context | None) -> None:
    """
    Stop everything through a question link or a MyOptly link, even one that can no longer answer.
    """
    target, _ = await _target(desk, code)
    await _stop(desk, Contact(target.contact), (), (), None, target.kind, mark(read_code(code)), context)


async def stop_by_token(desk: Desk, token: str, context: Context | None) -> None:
    """
    Stop what a stop link names. Harmless when repeated, and for a contact that is gone.
    """
    scope = desk.stop_links.read(token)
    contact = Contact(scope.contact)
    if not (await desk.load(contact)).version:
        return
    await _stop(
        desk,
        contact,
        () if scope.channel is None else (scope.channel,),
        () if scope.purpose is None else (scope.purpose,),
        None if scope.channel is None else scope.line,
        LinkKind.STOP,
        "",
        context,
    )


async def _stop(
    desk: Desk,
    contact: Contact,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    line: int | None,
    kind: LinkKind,
    code: str,
    context: Context | None,
) -> None:
    def plan(_standing: Standing, now: datetime) -> Plan:
        return Plan(
            command=Stop(
                objection=True,
                channels=tuple(channels),
                purposes=tuple(purposes),
                line=line,
                at=now,
                link=kind,
                code=code,
                context=context or Context(),
            )
        )

    await desk.apply(contact, plan)
