"""
What happens when somebody opens a link, and when they choose on the page behind it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

import attrs

from optly._operations.access import Circumstances, Entry, enter, enter_as
from optly._operations.desk import Desk, Plan, line_values, require_line
from optly._operations.stops import undone_stop
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.errors import AnswerError, LinkInvalidError, SessionError, UnknownContactError
from optly.links import LinkTarget, StopScope, code_bytes, code_key, make_code
from optly.protocols import StoredCode
from optly.record.commands import AnswerQuestion, ChangeChoices, ConfirmAnswer
from optly.record.consent import Question, QuestionState, Standing, check_open
from optly.record.events import LinkKind
from optly.record.views import Item, Opened, UndoneChange, choice_items, pinned_items, question_items
from optly.rendering import unsubscribe_headers

# How long the code of a question is kept after its last day, so that whoever comes late is told what happened.
_LATE = timedelta(days=365)


def new_code(desk: Desk, target: LinkTarget, until: datetime | None = None) -> tuple[str, StoredCode]:
    """
    Make a code that opens *target*, and what is to be kept of it; for a question, until well after its last instant.
    """
    code = make_code(desk.random(code_bytes(target.channel)))
    late = _LATE if target.kind is LinkKind.QUESTION else timedelta(0)
    return code, StoredCode(
        key=code_key(code),
        subject=bytes.fromhex(target.contact),
        value=target.dump(),
        expires_at=None if until is None else until + late,
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
        made_at=desk.clock(),
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


def _question(entry: Entry) -> Question:
    name = entry.target.question
    question = None if name is None else entry.record.standing.question(name)
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


def _items(desk: Desk, standing: Standing, language: str, at: datetime) -> tuple[Item, ...]:
    return choice_items(
        standing,
        desk.organisation,
        desk.purposes.values(),
        _channels(desk, standing),
        language=language,
        at=at,
        more=desk.catalogues,
    )


async def _held(desk: Desk, entry: Entry, now: datetime) -> tuple[Item, ...]:
    """
    Return what waits to be confirmed through this link.
    """
    waiting = [held.choice for held in entry.record.standing.held if held.code == entry.mark and now <= held.until]
    wordings = await desk.wordings(choice.wording for choice in waiting)
    return pinned_items(waiting, desk.purposes, wordings)


async def open_link(desk: Desk, code: str, language: str) -> Opened:
    """
    Return what is behind a link. Changes nothing.
    """
    entry = await enter(desk, code)
    target, now = entry.target, desk.clock()
    if target.kind is LinkKind.UNDO:
        return await _open_undo(desk, entry, language)
    standing, values = await desk.whole(entry.record)
    entry.require_line()
    held = await _held(desk, entry, now)
    opened = Opened(
        kind=target.kind,
        masked=values[target.line].masked,
        language=language or standing.language,
        items=(),
        held=held,
        channel=target.channel,
        verifiable=target.channel in desk.outlets,
        copyable=Channel.EMAIL in desk.outlets and standing.line_for(Channel.EMAIL) is not None,
    )
    if target.kind is LinkKind.QUESTION:
        question = _question(entry)
        # What was held closed its question, and is shown in its place.
        if held and question.state is QuestionState.ANSWERED:
            return attrs.evolve(opened, language=question.language)
        check_open(question, now)
        wordings = await desk.wordings(choice.wording for choice in question.choices)
        return attrs.evolve(
            opened,
            language=question.language,
            items=question_items(question, desk.purposes, wordings),
            expires_at=question.expires_at,
        )
    return attrs.evolve(
        opened,
        items=_items(desk, standing, language or standing.language, now) if entry.manages else (),
        raised=target.session is not None and target.session.raised,
        ends_at=None if target.session is None else target.session.ends_at,
    )


async def _open_undo(desk: Desk, entry: Entry, language: str) -> Opened:
    undo, standing = entry.undo, entry.record.standing
    values = line_values(standing, await desk.openings(entry.record.subject))
    masked = {number: address.masked for number, address in values.items()}
    opened = Opened(
        kind=LinkKind.UNDO,
        masked=masked.get(entry.target.line, ""),
        language=language or standing.language,
        items=(),
        held=await _held(desk, entry, desk.clock()),
    )
    if undo.stop is not None:
        return attrs.evolve(opened, undo=await undone_stop(desk, entry.record, undo.stop, undo.at))
    kind = next(line.kind for line in standing.lines if line.number == undo.added)
    old = undo.removed[0] if undo.removed else 0
    return attrs.evolve(
        opened,
        undo=UndoneChange(kind=kind, new=masked.get(undo.added or 0, ""), old=masked.get(old, ""), at=undo.at),
    )


async def answer(desk: Desk, code: str, answers: Mapping[tuple[Channel, str], bool], how: Circumstances) -> Standing:
    """
    Answer the question behind a link.
    """
    entry = await enter(desk, code)
    if entry.target.kind is not LinkKind.QUESTION:
        raise LinkInvalidError("this link opens a MyOptly page and answers no question")
    entry.require_line()
    command = AnswerQuestion(
        question=_question(entry).id,
        answers=dict(answers),
        line=entry.target.line,
        code=entry.mark,
        language=how.language,
        hold=entry.holds(how, desk.clock()),
        context=how.context,
    )
    applied = await desk.apply(
        entry.contact,
        lambda _standing, _now: Plan(command=command, receipt_to=(entry.target.channel, entry.target.line)),
        read=entry.record,
    )
    return applied.standing


async def choose(desk: Desk, code: str, answers: Mapping[tuple[Channel, str], bool], how: Circumstances) -> Standing:
    """
    Change choices through a MyOptly link, or in a session.
    """
    entry = await enter_as(desk, code, LinkKind.MANAGE, LinkKind.SESSION)
    if not entry.manages:
        raise SessionError("the session began at a question and is not raised: type in the one-time code")
    if not answers:
        raise AnswerError("no choice was made: say yes or no to something")

    def plan(standing: Standing, now: datetime) -> Plan:
        items = {item.key: item for item in _items(desk, standing, how.language or standing.language, now)}
        if not answers.keys() <= items.keys():
            raise AnswerError("a choice names a channel or a purpose that is not offered")
        command = ChangeChoices(
            yes=tuple(items[key].choice for key, yes in answers.items() if yes is True),
            no=tuple(items[key].choice for key, yes in answers.items() if yes is False),
            line=entry.line,
            link=entry.target.kind,
            code=entry.mark,
            language=how.language,
            hold=entry.holds(how, now),
            context=how.context,
        )
        return Plan(
            command=command,
            wordings=tuple(items[key].wording for key in answers),
            receipt_to=(entry.target.channel, entry.target.line),
        )

    if not all(isinstance(yes, bool) for yes in answers.values()):
        raise AnswerError("a choice is True or False")
    return (await desk.apply(entry.contact, plan, read=entry.record)).standing


async def confirm(desk: Desk, code: str, how: Circumstances) -> Standing:
    """
    Confirm what was held, through the link it came through. Nothing happens if nothing is.
    """
    entry = await enter(desk, code)
    entry.require_line()
    command = ConfirmAnswer(code=entry.mark, line=entry.line, language=how.language, context=how.context)
    plan = Plan(command=command, receipt_to=(entry.target.channel, entry.target.line))
    return (await desk.apply(entry.contact, lambda _standing, _now: plan, read=entry.record)).standing
