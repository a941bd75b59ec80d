"""
Marketing: gated, then queued to be sent, or recorded as made by the host itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Unpack

from optly._operations.application import Application
from optly._operations.gate import assess, refuse_unreadable, require_permission, with_listings
from optly._operations.lines import Named, require_line
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Channel, Contact
from optly.links import StopReach
from optly.messages import Content
from optly.record.commands import RecordCommunication
from optly.record.events import Checked
from optly.record.standing import Standing
from optly.rules import Call, Decision, Facts, MessageKind, Reason


async def send(
    app: Application,
    contact: Contact,
    channel: Channel,
    purposes: Sequence[str],
    content: Content,
    named: Named,
    stops: StopReach,
    *,
    trading_as: str | None = None,
) -> str:
    app.require_backend(channel)
    app.settings.organisation.trading_as(trading_as)  # one of its names, or refused
    record = await app.repository.require(contact, partial=True)
    refuse_unreadable(app, contact, record.standing, channel, purposes)
    standing, addresses = await app.repository.with_suppressions(record)
    line = require_line(standing, channel, named.numbered(addresses, standing.present()))
    message, now = app.settings.random(16), app.settings.clock()
    at, kind = standing.latest(now), MessageKind.MARKETING
    decision = require_permission(
        assess(app, standing, channel, purposes, kind=kind, contact=contact.id, line=line, at=at)
    )
    payload = Payload(
        kind=PayloadKind.MARKETING,
        channel=channel,
        line=line,
        language=standing.language,
        purpose=purposes[0],
        also_for=tuple(purposes[1:]),
        regulation=decision.regulation,
        reason=decision.reason,
        edition=decision.edition,
        trading_as=trading_as or "",
        content=content,
        stops=stops,
    )
    # A stop or an erasure may come in between: the gate is asked again when the message is sent.
    await app.storage.enqueue(app.settings.organisation.key, [encode(payload, contact.subject, message, now)])
    return message.hex()


# For communications the host makes itself, only what it states is known.
_UNSTATED: Final[Facts] = {
    "promotional": None,
    "shows_identity": None,
    "gives_stop_address": None,
    "offers_refusal": None,
    "refusal_cost": None,
}


def _granted(decision: Decision, facts: Facts) -> datetime | None:
    """
    Return when the person asked for what they now get; None if they did not, or if nothing reached them.
    """
    asked = facts.get("solicited")
    in_vain = facts.get("delivered") is False or facts.get("call", Call()).connected is False
    return asked.at if asked is not None and decision.reason is Reason.SOLICITED and not in_vain else None


async def record_communication(
    app: Application,
    contact: Contact,
    channel: Channel,
    purposes: Sequence[str],
    *,
    kind: MessageKind,
    named: Named,
    **facts: Unpack[Facts],
) -> Decision:
    record = await app.repository.require(contact, partial=True)
    refuse_unreadable(app, contact, record.standing, channel, purposes)
    standing, addresses = await app.repository.with_suppressions(record)
    number = require_line(standing, channel, named.numbered(addresses, standing.present()))
    address = addresses.get(number)
    facts = await with_listings(app, channel, address, app.settings.clock(), {**_UNSTATED, **facts})
    decisions: list[Decision] = []
    communication = app.settings.random(16).hex()

    def plan(standing: Standing, now: datetime) -> Plan:
        line = require_line(standing, channel, (number,))
        decision = require_permission(
            assess(app, standing, channel, purposes, kind=kind, contact=contact.id, line=line, at=now, **facts)
        )
        decisions.append(decision)
        return Plan(
            command=RecordCommunication(
                communication=communication,
                channel=channel,
                purpose=purposes[0],
                also_for=tuple(purposes[1:]),
                line=line,
                regulation=decision.regulation,
                reason=decision.reason,
                edition=decision.edition,
                solicited_at=_granted(decision, facts),
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
