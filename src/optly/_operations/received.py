"""
What delivery events and inbound messages share: each is applied once, to the line of an address.

What an event leads to is committed under an idempotency key made from the event, so that one received again, or twice
at once, has no further effect.
"""

from __future__ import annotations

from collections.abc import Sequence

from optly import typed
from optly._operations.application import Application
from optly._operations.blind_index import EVERYTHING
from optly._operations.contacts import HeldLine, add_address, lines_held
from optly._operations.repository import Planner, Record
from optly.contacts import Address, Contact
from optly.keys import sha256
from optly.messages import DeliveryEvent, InboundMessage
from optly.record.commands import Command
from optly.record.events import Actor
from optly.results import Effect, Received


def idempotency_key(event: DeliveryEvent | InboundMessage, part: str = "") -> bytes:
    return sha256(f"received\0{event.backend}\0{event.channel}\0{event.id}{part}")[:16]


async def apply_once(
    app: Application,
    event: DeliveryEvent | InboundMessage,
    contact: Contact,
    plan: Planner | Command,
    effect: Effect,
    *,
    part: str = "",
    read: Record | None = None,
) -> Received:
    """
    Apply what an event leads to, unless it was applied before.

    Args:
        read: The contact, if it was just read.
        part: Which part of that it is, where a contact has several.
    """
    applied = await app.repository.apply(contact, plan, read=read, idem=idempotency_key(event, part))
    return Received(effect=effect if applied.events else Effect.REPEATED, event=event, contacts=(contact,))


def together(done: Sequence[Received]) -> Received:
    """
    Return one result for what was applied to several contacts, at least one.
    """
    if len(done) == 1:
        return done[0]
    first = next((each for each in done if each.effect is not Effect.REPEATED), done[0])
    return typed.evolve(first, contacts=tuple(contact for each in done for contact in each.contacts))


async def line_of(app: Application, contact: Contact, address: Address) -> int | None:
    """
    Return the number of the contact's line that an address is; None if it is not one of theirs.
    """
    return (await _lines(app, address)).get(contact)


async def having(app: Application, address: Address, *, add: bool) -> dict[Contact, HeldLine]:
    """
    Return the contacts who have an address now, each with that line.

    Args:
        add: Whether to add a contact for an address that nobody has. One that was erased is not put back on record:
            the erasure has stopped everything.
    """
    present = await lines_held(app, address)
    if present or not add or await is_erased(app, address):
        return present
    contact = await add_address(app, address, Actor.SYSTEM, needed=True)
    return {contact: HeldLine((await _lines(app, address))[contact], None)}


async def is_erased(app: Application, address: Address) -> bool:
    """
    Whether an address was erased: everything to it is stopped, no matter who has it.
    """
    found = await app.storage.find(app.index.idkeys(address))
    return any(suppression.scope == EVERYTHING for suppression in found.suppressions)


async def _lines(app: Application, address: Address) -> dict[Contact, int]:
    found = await app.storage.find(app.index.idkeys(address))
    return {Contact(row.subject.hex()): row.line for rows in found.holders.values() for row in rows}
