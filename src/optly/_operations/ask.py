"""
Asking for consent, and sending what the gate lets out: events and message committed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Unpack

import attrs

from optly._operations.application import Application
from optly._operations.gate import assess, screened
from optly._operations.lines import require_line
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan, Planner
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact, Organisation
from optly.contacts.purposes import Purpose, Wording
from optly.errors import (
    NoBackendError,
    NotPermittedError,
    UnsoundWordingError,
    UsageError,
)
from optly.messages import Content
from optly.record.commands import AskForConsent, QueueMessage, RecordCommunication
from optly.record.consent import Question, Standing
from optly.record.events import Checked, Choice
from optly.rules import Decision, Facts, MessageKind, Reason, Solicited

if TYPE_CHECKING:
    from optly.rules.lint import WordingFinding


def _require_backend(app: Application, channel: Channel) -> None:
    if channel not in app.backends:
        raise NoBackendError(f"no message backend was given for {channel}: pass one to the manager")


def _require(decision: Decision) -> Decision:
    if not decision:
        raise NotPermittedError(f"not permitted: {decision.explanation}", decision=decision)
    return decision


@lru_cache(maxsize=1024)
def _invalidating(wording: Wording, organisation: Organisation, channel: Channel) -> tuple[WordingFinding, ...]:
    from optly.rules.lint import Severity, lint

    findings = lint(wording, organisation=organisation, channels=[channel])
    return tuple(finding for finding in findings if finding.severity is Severity.INVALIDATING)


def _require_sound(app: Application, purpose: Purpose, channel: Channel, language: str) -> Wording:
    """
    Return the words in which to ask.

    Raises:
        UnsoundWordingError: A consent asked for in them would not count.
    """
    wording = purpose.wording(app.settings.organisation, channel, language, more=app.settings.catalogues)
    if findings := _invalidating(wording, app.settings.organisation, channel):
        raise UnsoundWordingError(
            f"the wording of {purpose.key} for {channel} would make no consent: {findings[0].explanation}",
            findings=findings,
        )
    return wording


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
    Put a request for consent to the rulebook, once for each purpose it asks about, and return the first refusal.

    Args:
        question: Name of the question, so that it is known how often the person's own request was answered before it.
        reminder: Whether it is put a second time.
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
            purpose,
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


@attrs.frozen(kw_only=True)
class Asking:
    """
    What is asked, of whomever.

    Attributes:
        via: The channel the question goes out on.
        basis: How a person came to ask for the question, where that is what allows it.
        language: In which language, or None for each contact's own.
        remind_after: After how long whoever has not answered is reminded, once; None for not at all.
    """

    via: Channel
    channels: Sequence[Channel]
    purposes: Sequence[Purpose]
    basis: Solicited | None
    language: str | None
    expires_within: timedelta
    remind_after: timedelta | None


def asking(
    app: Application,
    *,
    via: Channel,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    basis: Solicited | None,
    language: str | None,
    expires_within: timedelta,
    remind_after: timedelta | None,
) -> Asking:
    """
    Check what is to be asked, as far as that does not depend on whom.
    """
    _require_backend(app, via)
    if not channels or not purposes:
        raise UsageError("a question needs at least one channel and one purpose")
    if remind_after is not None and not timedelta(0) < remind_after < expires_within:
        raise UsageError("a reminder comes after the question, and before the question expires")
    return Asking(
        via=via,
        channels=tuple(dict.fromkeys(channels)),
        purposes=tuple(app.settings.purpose(key) for key in dict.fromkeys(purposes)),
        basis=basis,
        language=language,
        expires_within=expires_within,
        remind_after=remind_after,
    )


def _within_budget(app: Application, standing: Standing, decision: Decision, now: datetime) -> Decision:
    """
    Turn a permission round where the person was asked as often as is enough. What they wished for themselves is
    counted, and answered all the same.
    """
    if not decision or decision.reason is Reason.SOLICITED or app.settings.budget is None:
        return decision
    if not app.settings.budget.spent((question.asked_at for question in standing.questions), now):
        return decision
    evidence = tuple(question.seq for question in standing.questions)
    return attrs.evolve(decision, allowed=False, reason=Reason.ASKED_ENOUGH, evidence=evidence, duties=())


def planned_request(
    app: Application, contact: Contact, wanted: Asking, question: str, messages: tuple[bytes, bytes]
) -> Planner:
    """
    Return what plans one question: gated, its words pinned, and queued, with its reminder.

    Args:
        question: Its name. One that was asked already is not asked again.
        messages: The names of the message and of the reminder.
    """

    def plan(standing: Standing, now: datetime) -> Plan | None:
        if standing.question(question) is not None:
            return None
        line = require_line(standing, wanted.via)
        speak = wanted.language or standing.language
        wordings = {
            (channel, purpose.key): _require_sound(app, purpose, channel, speak)
            for purpose in wanted.purposes
            for channel in wanted.channels
        }
        choices = tuple(
            Choice(
                channel=channel,
                purpose=purpose.key,
                line=require_line(standing, channel),
                wording=wordings[channel, purpose.key].digest,
                expires_at=None if purpose.validity is None else now + purpose.validity,
            )
            for purpose in wanted.purposes
            for channel in wanted.channels
        )
        basis = wanted.basis
        gated = (app, standing, contact, wanted.via, line, choices, basis)
        decision = _require(_within_budget(app, standing, gate_request(*gated, now, question), now))
        remind_at = None if wanted.remind_after is None else now + wanted.remind_after
        if remind_at is not None and not gate_request(*gated, remind_at, question, reminder=True):
            remind_at = None
        command = AskForConsent(
            question=question,
            via=wanted.via,
            line=line,
            choices=choices,
            language=speak,
            expires_at=now + wanted.expires_within,
            regulation=decision.regulation,
            reason=decision.reason,
            edition=decision.edition,
            solicited_at=None if basis is None else basis.at,
            remind_at=remind_at,
            how="" if basis is None else basis.how,
        )
        payload = Payload(
            kind=PayloadKind.REQUEST,
            channel=wanted.via,
            line=line,
            language=speak,
            question=question,
            until=command.expires_at,
        )
        queue = [encode(payload, contact.subject, messages[0], now)]
        if remind_at is not None:
            reminder = attrs.evolve(payload, kind=PayloadKind.REMINDER)
            queue.append(encode(reminder, contact.subject, messages[1], remind_at))
        return Plan(command=command, queue=tuple(queue), wordings=tuple(wordings.values()))

    return plan


async def request_consent(app: Application, contact: Contact, wanted: Asking) -> Question:
    """
    Ask one contact.
    """
    record = await app.repository.require(contact)
    question = app.settings.random(16).hex()
    plan = planned_request(app, contact, wanted, question, (app.settings.random(16), app.settings.random(16)))
    asked = (await app.repository.apply(contact, plan, suppressions=True, read=record)).standing.question(question)
    assert asked is not None
    return asked


async def send(app: Application, contact: Contact, channel: Channel, purpose: str, content: Content) -> str:
    """
    Gate a marketing message and queue it. Return its name, 32 hexadecimal digits.
    """
    _require_backend(app, channel)
    app.settings.purpose(purpose)
    record = await app.repository.require(contact)
    message = app.settings.random(16)

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel)
        decision = _require(
            assess(
                app,
                standing,
                channel,
                purpose,
                kind=MessageKind.MARKETING,
                contact=contact.id,
                line=line,
                at=now,
            )
        )
        command = QueueMessage(
            message=message.hex(),
            channel=channel,
            purpose=purpose,
            line=line,
            regulation=decision.regulation,
            reason=decision.reason,
            edition=decision.edition,
        )
        payload = Payload(
            kind=PayloadKind.MARKETING,
            channel=channel,
            line=line,
            language=standing.language,
            purpose=purpose,
            content=content,
        )
        return Plan(command=command, queue=(encode(payload, contact.subject, message, now),))

    await app.repository.apply(contact, plan, suppressions=True, read=record)
    return message.hex()


# Of what the host makes by its own means nothing is known but what it says.
_UNKNOWN: Final[Facts] = {
    "promotional": None,
    "shows_identity": None,
    "gives_stop_address": None,
    "offers_refusal": None,
    "refusal_cost": None,
}


async def record_communication(
    app: Application,
    contact: Contact,
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind,
    line: int | None,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Gate a call or a message that the host makes by its own means, and record that it does.
    """
    app.settings.purpose(purpose)
    record = await app.repository.require(contact)
    standing, values = await app.repository.with_suppressions(record)
    number = require_line(standing, channel, line)
    address = values.get(number)
    facts = await screened(app, channel, address, app.settings.clock(), {**_UNKNOWN, **facts})
    decided: list[Decision] = []
    name = app.settings.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel, number)
        decision = _require(
            assess(app, standing, channel, purpose, kind=kind, contact=contact.id, line=line, at=now, **facts)
        )
        decided.append(decision)
        return Plan(
            command=RecordCommunication(
                communication=name,
                channel=channel,
                purpose=purpose,
                line=line,
                regulation=decision.regulation,
                reason=decision.reason,
                edition=decision.edition,
                checks=tuple(
                    Checked(
                        register=str(listing.register),
                        listed_on=listing.listed_on,
                        as_of=listing.as_of,
                        version=listing.version,
                        checked_at=listing.checked_at,
                    )
                    for listing in decision.listings
                ),
            )
        )

    await app.repository.apply(contact, plan, suppressions=True, read=record)
    return decided[-1]
