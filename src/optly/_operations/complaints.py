"""
Complaints: taken down, acknowledged, and brought before the organisation again before its time is over.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Final

from optly._operations import throttle
from optly._operations.access import enter
from optly._operations.desk import Desk, Plan
from optly._operations.payload import Parcel, ParcelKind, pack
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.errors import AnswerError
from optly.instants import london
from optly.protocols import OutboxMessage
from optly.record.commands import AnswerComplaint, Complain
from optly.record.consent import Complaint, Standing
from optly.rules.editions import uk_date

# The day on which it comes is the first of them. DPA 2018 s. 164A(3).
ACKNOWLEDGED_WITHIN: Final = timedelta(days=30)

# How long before the end of that time the organisation is told again.
_REMINDED_BEFORE: Final = timedelta(days=7)

LONGEST: Final = 5000  # characters


def acknowledge_by(at: datetime) -> datetime:
    """
    Return the last instant at which the receipt of a complaint can be acknowledged: the end of the thirtieth day in the
    United Kingdom, counted from the day on which it came.
    """
    midnight = datetime.combine(uk_date(at) + ACKNOWLEDGED_WITHIN, time.min, london())
    return midnight.astimezone(UTC) - timedelta(microseconds=1)


async def complain(desk: Desk, code: str, text: str) -> Complaint:
    """
    Take down a complaint, acknowledge it by a message, and tell the organisation.
    """
    entry = await enter(desk, code)
    entry.require_line()
    if len(text) > LONGEST:
        raise AnswerError(f"the complaint is longer than {LONGEST} characters")
    if not text.strip():
        raise AnswerError("the complaint is empty: say what is wrong")
    await throttle.count(desk, "complaint", entry.contact.id, throttle.COMPLAINTS)
    name = desk.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        by = acknowledge_by(now)
        command = Complain(complaint=name, acknowledge_by=by, text=text, link=entry.target.kind, code=entry.mark)
        parcels = [
            (
                Parcel(
                    kind=ParcelKind.COMPLAINT,
                    channel=entry.target.channel,
                    line=entry.target.line,
                    language=standing.language,
                    at=now,
                    until=by,
                    complaint=name,
                ),
                now,
            )
        ]
        for due_at, reminder in ((now, False), (by - _REMINDED_BEFORE, True)):
            alert = Parcel(
                kind=ParcelKind.ALERT,
                channel=Channel.EMAIL,
                line=0,
                language="en",
                until=by,
                complaint=name,
                reminder=reminder,
            )
            parcels.append((alert, due_at))
        return Plan(command=command, queue=_sendable(desk, entry.contact, parcels))

    applied = await desk.apply(entry.contact, plan, read=entry.record)
    complaint = applied.standing.complaint(name)
    assert complaint is not None
    return complaint


def _sendable(desk: Desk, contact: Contact, parcels: list[tuple[Parcel, datetime]]) -> tuple[OutboxMessage, ...]:
    return tuple(
        pack(parcel, contact.subject, desk.random(16), due_at)
        for parcel, due_at in parcels
        if parcel.channel in desk.outlets and (parcel.line or desk.organisation.email)
    )


async def answer_complaint(desk: Desk, contact: Contact, complaint: str, how: str, *, resolved: bool) -> Standing:
    """
    Record that the person was told that their complaint was received, or what came of it.
    """
    command = AnswerComplaint(complaint=complaint, how=how, resolved=resolved)
    return (await desk.apply(contact, lambda _standing, _now: Plan(command=command))).standing
