"""
What delivery events and inbound messages share: each is applied once, to the line of an address.

What an event leads to is committed under an idempotency key made from the event, so that one received again, or twice
at once, has no further effect.
"""

from __future__ import annotations

from optly._operations.application import Application
from optly._operations.contacts import add_address
from optly._operations.repository import Planner
from optly.contacts import Address, Contact
from optly.keys import sha256
from optly.messages import DeliveryEvent, InboundMessage
from optly.record.commands import Command
from optly.record.events import Actor
from optly.results import Effect, Received


def idempotency_key(event: DeliveryEvent | InboundMessage) -> bytes:
    return sha256(f"received\0{event.backend}\0{event.channel}\0{event.id}")[:16]


async def apply_once(
    app: Application, event: DeliveryEvent | InboundMessage, contact: Contact, plan: Planner | Command, effect: Effect
) -> Received:
    """
    Apply what an event leads to, unless it was applied before.
    """
    applied = await app.repository.apply(contact, plan, idem=idempotency_key(event))
    return Received(effect=effect if applied.events else Effect.REPEATED, event=event, contact=contact)


async def line_of(app: Application, contact: Contact, address: Address) -> int | None:
    """
    Return the number of the contact's line that an address is; None if it is not one of theirs.
    """
    matches = await app.storage.find(app.index.idkeys(address))
    lines = (match.line for match in matches.identifiers.values() if match.subject == contact.subject)
    return next(lines, None)


async def holder(app: Application, address: Address, *, add: bool) -> tuple[Contact, int] | None:
    """
    Return the contact whose line an address is, and its number.

    Args:
        add: Whether to add a contact for an unknown address.
    """
    matches = await app.storage.find(app.index.idkeys(address))
    for match in matches.identifiers.values():
        return Contact(match.subject.hex()), match.line
    if not add:
        return None
    contact = await add_address(app, address, Actor.SYSTEM)
    line = await line_of(app, contact, address)
    return None if line is None else (contact, line)
