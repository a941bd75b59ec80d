"""
Asking for consent: the request is gated, its wording pinned, and the question and its message committed together.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs

from optly import typed
from optly._operations.application import Application
from optly._operations.contacts import numbers_of
from optly._operations.gate import assess, refuse_unreadable, require_permission
from optly._operations.lines import Named, require_lines
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan, Planner
from optly.contacts import Channel, Contact, Purpose, Wording
from optly.errors import UnsoundWordingError, UsageError
from optly.instants import end_of_day, has_happened
from optly.locale.i18n import read_tag_or_none
from optly.record.commands import AskForConsent
from optly.record.events import Choice
from optly.record.standing import Question, QuestionState, Standing
from optly.rules import Decision, MessageKind, Reason, Solicited

if TYPE_CHECKING:
    from optly.rules.lint import WordingFinding


def _require_sound(
    app: Application, purpose: Purpose, channel: Channel, language: str, trading_as: str | None
) -> tuple[Wording, tuple[WordingFinding, ...]]:
    """
    Return the wording of a question, and what was found in it.

    Raises:
        UnsoundWordingError: A consent to it would not be valid, and the host does not say why it would.
    """
    from optly._operations.reading import of_question

    organisation = app.settings.organisation.trading_as(trading_as)
    wording = purpose.wording(organisation, channel, language, more=app.settings.catalogues)
    found = of_question(app, wording, organisation, channel)
    flaws = tuple(finding for finding in found if finding.defect is not None)
    if flaws and purpose.accept is None:
        raise UnsoundWordingError(
            f"the wording of {purpose.key} for {channel} would not produce a valid consent: {flaws[0].explanation}",
            findings=flaws,
        )
    return wording, found


def _why_accepted(asked: Iterable[tuple[Purpose, Sequence[WordingFinding]]]) -> str:
    """
    Return why the host accepts what was found in the words of a question, for each purpose of which it was.
    """
    reasons = [purpose.accept or "" for purpose, found in asked if any(finding.defect is not None for finding in found)]
    return " ".join(dict.fromkeys(reasons))


def gate_request(
    app: Application,
    standing: Standing,
    contact: Contact,
    via: Channel,
    line: int,
    choices: Sequence[Choice],
    solicited: Solicited | None,
    at: datetime,
    question: str,
    *,
    reminder: bool = False,
) -> Decision:
    """
    Gate a request for consent once for each purpose it asks about, and return the first refusal, or a permission.

    Args:
        question: Id of the question. Earlier questions that answered the same request of the person are counted.
        reminder: Whether it is a reminder.
    """
    attempt = 2 if reminder else 1
    for earlier in standing.questions:
        if earlier.id == question:
            break
        attempt += solicited is not None and earlier.solicited_at == solicited.at
    decisions = [
        assess(
            app,
            standing,
            via,
            (purpose,),
            kind=MessageKind.CONSENT_REQUEST,
            contact=contact.id,
            line=line,
            at=at,
            asks=tuple((choice.channel, choice.line) for choice in choices if choice.purpose == purpose),
            solicited=solicited,
            attempt=attempt,
        )
        for purpose in dict.fromkeys(choice.purpose for choice in choices)
    ]
    return next((decision for decision in decisions if not decision), decisions[0])


def _each_once(items: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(dict.fromkeys(items))


@attrs.frozen(kw_only=True)
class ConsentRequest:
    """
    A request for consent, as far as it does not depend on the contact.

    Attributes:
        via: The channel the question is sent on.
        purposes: Their keys.
        only: The channels and purposes that are asked about, if not each channel for each purpose.
        basis: How the person came to ask for the question, if that is what allows it.
        language: The language of the question; None for each contact's own.
        expires_within: How long it can be answered, and then to the end of that day in the United Kingdom.
        remind_after: How long after the question to send a reminder; None for no reminder.
        trading_as: The trading name to ask in; None for the name of the organisation.
        unproved: Whether somebody typed the address into a form, who may be anyone.
    """

    via: Channel
    channels: Sequence[Channel] = attrs.field(converter=_each_once)
    purposes: Sequence[str] = attrs.field(converter=_each_once)
    only: Container[tuple[Channel, str]] | None = None
    basis: Solicited | None
    language: str | None = attrs.field(converter=read_tag_or_none)
    expires_within: timedelta
    remind_after: timedelta | None
    trading_as: str | None = None
    unproved: bool = False

    def check(self, app: Application) -> None:
        """
        Refuse what can be asked of nobody.

        Raises:
            UsageError: It asks about nothing, expires before it is sent, or its reminder would not fall between the
                question and its expiry.
        """
        app.require_backend(self.via)
        app.settings.organisation.trading_as(self.trading_as)
        if not self.channels or not self.purposes:
            raise UsageError("a question needs at least one channel and one purpose")
        if self.expires_within <= timedelta(0):
            raise UsageError("the question would expire before it is sent")
        if self.remind_after is not None and not timedelta(0) < self.remind_after < self.expires_within:
            raise UsageError("a reminder must come after the question and before the question expires")
        for key in self.purposes:
            app.settings.purpose(key)


def _apply_budget(app: Application, standing: Standing, decision: Decision, now: datetime) -> Decision:
    """
    Refuse a permitted request if the person has been asked as often as the budget allows. A question that the person
    asked for counts towards the budget but is never refused. One that a form caused counts once it is answered: until
    then, anyone may have typed the address.
    """
    if not decision or decision.reason is Reason.SOLICITED or app.settings.budget is None:
        return decision
    counted = [one for one in standing.questions if not one.unproved or one.state is QuestionState.ANSWERED]
    if not app.settings.budget.spent((question.asked_at for question in counted), now):
        return decision
    evidence = tuple(question.seq for question in counted)
    return decision.overruled(Reason.ASKED_ENOUGH, evidence)


def plan_request(
    app: Application,
    contact: Contact,
    request: ConsentRequest,
    question: str,
    messages: tuple[bytes, bytes],
    numbers: Sequence[int] = (),
) -> Planner:
    """
    Return a planner that gates one question, pins its wording and queues it with its reminder.

    Args:
        question: Its id. A question that was already asked is not asked again.
        messages: The ids of the message and of the reminder.
        numbers: The lines it is sent to and asks about, where the contact has several of a kind.
    """

    def plan(standing: Standing, now: datetime) -> Plan | None:
        if standing.question(question) is not None:
            return None
        refuse_unreadable(app, contact, standing, request.via, request.purposes)
        lines = require_lines(standing, (request.via, *request.channels), numbers)
        line = lines[request.via]
        language = request.language or standing.language
        asked = [
            (app.settings.purpose(key), channel)
            for key in request.purposes
            for channel in request.channels
            if request.only is None or (channel, key) in request.only
        ]
        read = [_require_sound(app, purpose, channel, language, request.trading_as) for purpose, channel in asked]
        wordings = [wording for wording, _ in read]
        choices = tuple(
            Choice(
                channel=channel,
                purpose=purpose.key,
                line=lines[channel],
                wording=wording.digest,
                expires_at=None if purpose.validity is None else now + purpose.validity,
            )
            for (purpose, channel), wording in zip(asked, wordings, strict=True)
        )
        basis = request.basis
        if basis is not None and not has_happened(basis.at, now):
            raise UsageError("the time at which the person asked is in the future: ask them once they have")
        gate_args = (app, standing, contact, request.via, line, choices, basis)
        decision = require_permission(_apply_budget(app, standing, gate_request(*gate_args, now, question), now))
        remind_at = None if request.remind_after is None else now + request.remind_after
        if remind_at is not None and not gate_request(*gate_args, remind_at, question, reminder=True):
            remind_at = None
        command = AskForConsent(
            question=question,
            via=request.via,
            line=line,
            choices=choices,
            language=language,
            expires_at=end_of_day(now + request.expires_within),
            regulation=decision.regulation,
            reason=decision.reason,
            edition=decision.edition,
            solicited_at=None if basis is None else basis.at,
            remind_at=remind_at,
            how="" if basis is None else basis.how,
            found=tuple(dict.fromkeys(finding.code.value for _, found in read for finding in found)),
            accept=_why_accepted((purpose, found) for (purpose, _), (_, found) in zip(asked, read, strict=True)),
            unproved=request.unproved,
        )
        payload = Payload(
            kind=PayloadKind.REQUEST,
            channel=request.via,
            line=line,
            language=language,
            question=question,
            until=command.expires_at,
            trading_as=request.trading_as or "",
        )
        queue = [encode(payload, contact.subject, messages[0], now)]
        if remind_at is not None:
            reminder = typed.evolve(payload, kind=PayloadKind.REMINDER)
            queue.append(encode(reminder, contact.subject, messages[1], remind_at))
        return Plan(command=command, queue=tuple(queue), wordings=wordings)

    return plan


async def request_consent(app: Application, contact: Contact, request: ConsentRequest, named: Named) -> Question:
    request.check(app)
    record = await app.repository.require(contact, partial=True)
    question = app.settings.random(16).hex()
    messages = (app.settings.random(16), app.settings.random(16))
    plan = plan_request(app, contact, request, question, messages, await numbers_of(app, record, named))
    asked = (await app.repository.apply(contact, plan, suppressions=True, read=record)).standing.question(question)
    assert asked is not None
    return asked
