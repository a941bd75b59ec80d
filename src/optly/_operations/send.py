"""
Marketing: gated, then queued to be sent, or recorded as made by the host itself.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Unpack

from optly._operations.application import Application
from optly._operations.gate import assess, require_permission, with_listings
from optly._operations.lines import require_line
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Channel, Contact
from optly.links import StopReach
from optly.messages import Content
from optly.record.commands import QueueMessage, RecordCommunication
from optly.record.events import Checked
from optly.record.standing import Standing
from optly.rules import Decision, Facts, MessageKind


async def send(
    app: Application, contact: Contact, channel: Channel, purpose: str, content: Content, stops: StopReach
) -> str:
    app.require_backend(channel)
    app.settings.purpose(purpose)
    record = await app.repository.require(contact)
    message, kind = app.settings.random(16), MessageKind.MARKETING

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel)
        decision = require_permission(
            assess(app, standing, channel, purpose, kind=kind, contact=contact.id, line=line, at=now)
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
            stops=stops,
        )
        return Plan(command=command, queue=(encode(payload, contact.subject, message, now),))

    await app.repository.apply(contact, plan, suppressions=True, read=record)
    return message.hex()


# For communications the host makes itself, only what it states is known.
_UNSTATED: Final[Facts] = {
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
    app.settings.purpose(purpose)
    record = await app.repository.require(contact)
    standing, addresses = await app.repository.with_suppressions(record)
    number = require_line(standing, channel, line)
    address = addresses.get(number)
    facts = await with_listings(app, channel, address, app.settings.clock(), {**_UNSTATED, **facts})
    decisions: list[Decision] = []
    communication = app.settings.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel, number)
        decision = require_permission(
            assess(app, standing, channel, purpose, kind=kind, contact=contact.id, line=line, at=now, **facts)
        )
        decisions.append(decision)
        return Plan(
            command=RecordCommunication(
                communication=communication,
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
    return decisions[-1]
