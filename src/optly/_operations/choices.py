"""
Choices: what a person sees behind a link, and what they answer or change there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from optly import typed
from optly._operations.access import Access, Circumstances
from optly._operations.application import Application
from optly._operations.repository import Plan
from optly._operations.sign_up import take_name
from optly._operations.stops import everything_stopped, restored, undone_stop
from optly.contacts import AddressKind, Channel
from optly.errors import AnswerError, LinkInvalidError, SessionError
from optly.record.commands import AnswerQuestion, ChangeChoices, ConfirmAnswer
from optly.record.consent import check_open
from optly.record.events import LinkKind
from optly.record.standing import Question, QuestionState, Standing
from optly.record.views import Item, Opened, UndoneChange, choice_items, pinned_items
from optly.record.views import answer as answer_to


def _question(access: Access) -> Question:
    name = access.target.question
    question = None if name is None else access.record.standing.question(name)
    if question is None:
        raise LinkInvalidError("this link does not belong to a question")
    return question


def _channels(app: Application, standing: Standing) -> list[Channel]:
    """
    Return the channels to show: those that messages can be sent on, and those that were ever asked about.
    """
    seen = {consent.channel for consent in standing.consents}
    seen.update(choice.channel for question in standing.questions for choice in question.choices)
    seen.update(stop.channel for stop in standing.stops if stop.channel is not None)
    seen.update(app.backends)
    return [channel for channel in Channel if channel in seen]


def _items(access: Access, standing: Standing, language: str, at: datetime) -> tuple[Item, ...]:
    app = access.app
    return choice_items(
        standing,
        access.target.line,
        app.settings.organisation,
        app.settings.purposes.values(),
        _channels(app, standing),
        language=language,
        at=at,
        more=app.settings.catalogues,
    )


async def _held(access: Access, now: datetime) -> tuple[Item, ...]:
    """
    Return the answers waiting to be confirmed through this link.
    """
    choices = [held.choice for held in access.record.standing.held if held.code == access.mark and now <= held.until]
    wordings = await access.app.repository.wordings(choice.wording for choice in choices)
    return pinned_items(choices, access.app.settings.purposes, wordings)


async def open_link(access: Access, language: str) -> Opened:
    app, target, now = access.app, access.target, access.app.settings.clock()
    if target.kind is LinkKind.UNDO:
        return await _open_undo(access, language)
    addresses = await access.addresses()
    access.require_line()
    held = await _held(access, now)
    standing = access.record.standing
    opened = Opened(
        kind=target.kind,
        masked=addresses[target.line].masked,
        language=language or standing.language,
        items=(),
        held=held,
        channel=target.channel,
        verifiable=target.channel in app.backends,
        copyable=Channel.EMAIL in app.backends and standing.meant(AddressKind.EMAIL, target.line) is not None,
    )
    if target.kind is LinkKind.QUESTION:
        question = _question(access)
        # A held answer has closed its question, and is shown in its place.
        if held and question.state is QuestionState.ANSWERED:
            return typed.evolve(opened, language=question.language, beside=_noes(await _answered(access, question)))
        check_open(question, now)
        wordings = await app.repository.wordings(choice.wording for choice in question.choices)
        return typed.evolve(
            opened,
            language=question.language,
            items=pinned_items(question.choices, app.settings.purposes, wordings),
            expires_at=question.expires_at,
        )
    items: tuple[Item, ...] = ()
    stopped = None
    if access.manages:
        items = _items(access, await access.standing(), language or standing.language, now)
        stopped = await everything_stopped(access, items)
    return typed.evolve(
        opened,
        items=items,
        stopped=stopped,
        raised=target.session is not None and target.session.raised,
        ends_at=None if target.session is None else target.session.ends_at,
    )


async def _answered(access: Access, question: Question) -> tuple[Item, ...]:
    """
    Return what a question asked, with the answers that are on record by now.
    """
    standing, now = await access.standing(), access.app.settings.clock()
    wordings = await access.app.repository.wordings(choice.wording for choice in question.choices)
    items = pinned_items(question.choices, access.app.settings.purposes, wordings)
    return tuple(typed.evolve(item, answer=answer_to(standing, item.choice, now)) for item in items)


def _noes(items: Sequence[Item]) -> tuple[Item, ...]:
    return tuple(item for item in items if item.answer is False)


async def recorded(access: Access, language: str) -> Opened:
    if access.target.kind is LinkKind.UNDO:
        opened, undo = await _open_undo(access, language), access.undo
        return opened if undo.stop is None else typed.evolve(opened, items=await restored(access, undo.stop))
    if access.target.kind is not LinkKind.QUESTION:
        return await open_link(access, language)
    question = _question(access)
    if question.state is QuestionState.OPEN:
        raise AnswerError("the question is not answered yet")
    addresses = await access.addresses()
    access.require_line()
    if question.state is not QuestionState.ANSWERED:
        check_open(question, access.app.settings.clock())
    items = await _answered(access, question)
    return Opened(
        kind=LinkKind.QUESTION,
        masked=addresses[access.target.line].masked,
        language=question.language,
        items=items,
        held=await _held(access, access.app.settings.clock()),
        beside=_noes(items),
        channel=access.target.channel,
    )


async def _open_undo(access: Access, language: str) -> Opened:
    undo, standing = access.undo, access.record.standing
    masked = {number: address.masked for number, address in (await access.addresses()).items()}
    opened = Opened(
        kind=LinkKind.UNDO,
        masked=masked.get(access.target.line, ""),
        language=language or standing.language,
        items=(),
        held=await _held(access, access.app.settings.clock()),
    )
    if undo.stop is not None:
        return typed.evolve(opened, undo=await undone_stop(access, undo.stop))
    kind = next(line.kind for line in standing.lines if line.number == undo.added)
    old = undo.removed[0] if undo.removed else 0
    return typed.evolve(
        opened,
        undo=UndoneChange(kind=kind, new=masked.get(undo.added or 0, ""), old=masked.get(old, ""), at=undo.at),
    )


async def answer(access: Access, answers: Mapping[tuple[Channel, str], bool], how: Circumstances) -> Standing:
    if access.target.kind is not LinkKind.QUESTION:
        raise LinkInvalidError("this link opens a MyOptly page and does not answer a question")
    access.require_line()
    command = AnswerQuestion(
        question=_question(access).id,
        answers=dict(answers),
        line=access.target.line,
        code=access.mark,
        language=how.language,
        hold=access.holds(how, access.app.settings.clock()),
        context=how.context,
    )
    plan = Plan(command=command, receipt_to=(access.target.channel, access.target.line))
    # A no needs nothing of other records, and what is damaged there prevents none.
    standing = (await access.apply(plan, suppressions=any(answers.values()))).standing
    return standing if command.hold else await take_name(access, command.question, standing)


async def choose(access: Access, answers: Mapping[tuple[Channel, str], bool], how: Circumstances) -> Standing:
    access.require_kind(LinkKind.MANAGE, LinkKind.SESSION)
    if not access.manages:
        raise SessionError("the session began with a question and is not raised: enter the one-time code first")
    if not answers:
        raise AnswerError("no choice was made: answer yes or no to at least one")
    if not all(isinstance(yes, bool) for yes in answers.values()):
        raise AnswerError("each choice must be True or False")

    def plan(standing: Standing, now: datetime) -> Plan:
        items = {item.key: item for item in _items(access, standing, how.language or standing.language, now)}
        if not answers.keys() <= items.keys():
            raise AnswerError("a choice names a channel or a purpose that is not offered")
        command = ChangeChoices(
            yes=tuple(items[key].choice for key, yes in answers.items() if yes),
            no=tuple(items[key].choice for key, yes in answers.items() if not yes),
            line=access.target.line,
            handed_over=access.target.handed_over,
            link=access.target.kind,
            code=access.mark,
            language=how.language,
            hold=access.holds(how, now),
            context=how.context,
        )
        return Plan(
            command=command,
            wordings=tuple(items[key].wording for key in answers),
            receipt_to=(access.target.channel, access.target.line),
        )

    # What an erasure left at the address stops what was agreed before, and a yes that is repeated lifts it.
    return (await access.apply(plan, suppressions=True)).standing


async def confirm(access: Access, how: Circumstances) -> Standing:
    access.require_line()
    asked = {held.question for held in access.record.standing.held if held.code == access.mark}
    command = ConfirmAnswer(
        code=access.mark,
        line=access.target.line,
        handed_over=access.target.handed_over,
        language=how.language,
        context=how.context,
    )
    plan = Plan(command=command, receipt_to=(access.target.channel, access.target.line))
    standing = (await access.apply(plan, suppressions=True)).standing
    for question in asked - {None}:
        standing = await take_name(access, question or "", standing)
    return standing
