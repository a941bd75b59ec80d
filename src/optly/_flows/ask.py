"""
Asking for consent, and sending what the gate lets out: events and message committed together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Unpack

from optly._flows.desk import Desk, Plan, require_line
from optly._flows.gate import assess, screened
from optly._flows.parcels import Parcel, ParcelKind, pack
from optly.addresses import Channel
from optly.commands import AskForConsent, QueueMessage, RecordCommunication
from optly.consent import Question, Standing
from optly.errors import NoBackendError, NotPermittedError, UnsoundWordingError, UsageError
from optly.events import Checked, Choice
from optly.messages import Content
from optly.parties import Contact, Organisation
from optly.purposes import Purpose, Wording
from optly.rules import Decision, Facts, MessageKind, Solicited

if TYPE_CHECKING:
    from optly.rules.lint import WordingFinding


def _require_backend(desk: Desk, channel: Channel) -> None:
    if channel not in desk.backends:
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


def _require_sound(desk: Desk, purpose: Purpose, channel: Channel, language: str) -> Wording:
    """
    Return the words in which to ask.

    Raises:
        UnsoundWordingError: A consent asked for in them would not count.
    """
    wording = purpose.wording(desk.organisation, channel, language)
    if findings := _invalidating(wording, desk.organisation, channel):
        raise UnsoundWordingError(
            f"the wording of {purpose.key} for {channel} would make no consent: {findings[0].explanation}",
            findings=findings,
        )
    return wording


def gate_request(
    desk: Desk,
    standing: Standing,
    contact: Contact,
    via: Channel,
    line: int,
    choices: Sequence[Choice],
    solicited: Solicited | None,
    at: datetime,
    question: str,
) -> Decision:
    """
    Put a request for consent to the rulebook, once for each purpose it asks about, and return the first refusal.

    Args:
        question: Name of the question, so that it is known how often the person's own request was answered before it.
    """
    attempt = 1
    for earlier in standing.questions:
        if earlier.id == question:
            break
        attempt += solicited is not None and earlier.solicited_at == solicited.at
    decisions = [
        assess(
            desk,
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


async def request_consent(
    desk: Desk,
    contact: Contact,
    *,
    via: Channel,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    basis: Solicited | None,
    language: str | None,
    expires_within: timedelta,
) -> Question:
    """
    Gate a question, pin its words and queue it.
    """
    _require_backend(desk, via)
    asked = [desk.purpose(key) for key in dict.fromkeys(purposes)]
    channels = list(dict.fromkeys(channels))
    if not asked or not channels:
        raise UsageError("a question needs at least one channel and one purpose")
    await desk.known(contact)
    message, question = desk.random(16), desk.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, via)
        speak = language or standing.language
        wordings = {
            (channel, purpose.key): _require_sound(desk, purpose, channel, speak)
            for purpose in asked
            for channel in channels
        }
        choices = tuple(
            Choice(
                channel=channel,
                purpose=purpose.key,
                line=require_line(standing, channel),
                wording=wordings[channel, purpose.key].digest,
                expires_at=None if purpose.validity is None else now + purpose.validity,
            )
            for purpose in asked
            for channel in channels
        )
        decision = _require(gate_request(desk, standing, contact, via, line, choices, basis, now, question))
        command = AskForConsent(
            question=question,
            via=via,
            line=line,
            choices=choices,
            language=speak,
            expires_at=now + expires_within,
            regulation=decision.regulation,
            reason=decision.reason,
            edition=decision.edition,
            solicited_at=None if basis is None else basis.at,
            how="" if basis is None else basis.how,
        )
        parcel = Parcel(
            kind=ParcelKind.REQUEST,
            channel=via,
            line=line,
            language=speak,
            question=question,
            until=command.expires_at,
        )
        return Plan(
            command=command,
            queue=(pack(parcel, contact.subject, message, now),),
            wordings=tuple(wordings.values()),
        )

    standing = (await desk.apply(contact, plan, whole=True)).standing
    asked_question = standing.question(question)
    assert asked_question is not None
    return asked_question


async def send(desk: Desk, contact: Contact, channel: Channel, purpose: str, content: Content) -> str:
    """
    Gate a marketing message and queue it. Return its name, 32 hexadecimal digits.
    """
    _require_backend(desk, channel)
    desk.purpose(purpose)
    await desk.known(contact)
    message = desk.random(16)

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel)
        decision = _require(
            assess(
                desk,
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
        parcel = Parcel(
            kind=ParcelKind.MARKETING,
            channel=channel,
            line=line,
            language=standing.language,
            purpose=purpose,
            content=content,
        )
        return Plan(command=command, queue=(pack(parcel, contact.subject, message, now),))

    await desk.apply(contact, plan, whole=True)
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
    desk: Desk, contact: Contact, channel: Channel, purpose: str, *, kind: MessageKind, **facts: Unpack[Facts]
) -> Decision:
    """
    Gate a call or a message that the host makes by its own means, and record that it does.
    """
    desk.purpose(purpose)
    record = await desk.known(contact)
    standing, values = await desk.whole(record)
    address = values.get(require_line(standing, channel))
    facts = await screened(desk, channel, address, desk.clock(), {**_UNKNOWN, **facts})
    decided: list[Decision] = []
    name = desk.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel)
        decision = _require(
            assess(desk, standing, channel, purpose, kind=kind, contact=contact.id, line=line, at=now, **facts)
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

    await desk.apply(contact, plan, whole=True)
    return decided[-1]
