"""
Complaints: recorded, acknowledged, and reported to the organisation, with a reminder before the deadline.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

import attrs

from optly._operations import throttle
from optly._operations.access import Access
from optly._operations.application import Application
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Channel, Contact
from optly.errors import AnswerError
from optly.instants import london
from optly.protocols import OutboxMessage
from optly.record.commands import AnswerComplaint, Complain
from optly.record.standing import Complaint, Standing
from optly.rules.editions import uk_date

# The day on which it is received is the first. DPA 2018 s. 164A(3).
ACKNOWLEDGED_WITHIN: Final = timedelta(days=30)

# How long before the deadline the organisation is reminded.
_REMINDED_BEFORE: Final = timedelta(days=7)

LONGEST: Final = 5000  # characters


def acknowledge_by(at: datetime) -> datetime:
    """
    Return the last instant at which the receipt of a complaint can be acknowledged: the end of the thirtieth day in the
    United Kingdom, counted from the day on which it was received.
    """
    midnight = datetime.combine(uk_date(at) + ACKNOWLEDGED_WITHIN, time.min, london())
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


async def complain(access: Access, text: str) -> Complaint:
    app = access.app
    access.require_line()
    if len(text) > LONGEST:
        raise AnswerError(f"the complaint is longer than {LONGEST} characters")
    if not text.strip():
        raise AnswerError("the complaint is empty: say what is wrong")
    await throttle.count(app, "complaint", access.contact.id, throttle.COMPLAINTS)
    complaint = app.settings.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        deadline = acknowledge_by(now)
        command = Complain(
            complaint=complaint, acknowledge_by=deadline, text=text, link=access.target.kind, code=access.mark
        )
        acknowledgement = Payload(
            kind=PayloadKind.COMPLAINT,
            channel=access.target.channel,
            line=access.target.line,
            language=standing.language,
            at=now,
            until=deadline,
            complaint=complaint,
        )
        alert = Payload(
            kind=PayloadKind.ALERT, channel=Channel.EMAIL, line=0, language="en", until=deadline, complaint=complaint
        )
        reminder = attrs.evolve(alert, reminder=True)
        payloads = [(acknowledgement, now), (alert, now), (reminder, deadline - _REMINDED_BEFORE)]
        return Plan(command=command, queue=_sendable(app, access.contact, payloads))

    applied = await access.apply(plan)
    recorded = applied.standing.complaint(complaint)
    assert recorded is not None
    return recorded


def _sendable(
    app: Application, contact: Contact, payloads: list[tuple[Payload, datetime]]
) -> tuple[OutboxMessage, ...]:
    return tuple(
        encode(payload, contact.subject, app.settings.random(16), due_at)
        for payload, due_at in payloads
        if payload.channel in app.backends and (payload.line or app.settings.organisation.email)
    )


async def answer_complaint(app: Application, contact: Contact, complaint: str, how: str, *, resolved: bool) -> Standing:
    command = AnswerComplaint(complaint=complaint, how=how, resolved=resolved)
    return (await app.repository.apply(contact, command)).standing
