"""
Contacts: adding, finding, changing and erasing them, and reading their records.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.lines import require_line
from optly._operations.repository import Plan, Planner
from optly.contacts import Address, AddressKind, Channel, Contact, Subscriber
from optly.errors import AddressTakenError, ConflictError, LineTakenError
from optly.record.commands import AddContact, ChangeDetails, EraseContact, NewLine, RestoreLine
from optly.record.consent import fold
from optly.record.events import Actor, Event
from optly.record.ledger import Opening
from optly.record.standing import Standing

_ATTEMPTS = 10


async def find(app: Application, address: Address) -> Contact | None:
    matches = await app.storage.find(app.index.idkeys(address))
    for identifier in matches.identifiers.values():
        return Contact(identifier.subject.hex())
    return None


def _line(address: Address, held_by: Mapping[AddressKind, Subscriber]) -> NewLine:
    return NewLine(kind=address.kind, value=address.value, subscriber=held_by.get(address.kind))


async def add(
    app: Application,
    addresses: Sequence[Address],
    *,
    name: str,
    subscriber: Subscriber,
    language: str,
    held_by: Mapping[AddressKind, Subscriber],
    actor: Actor,
) -> Contact:
    """
    Add a contact, or return the one already on record under one of the addresses, with the other addresses added.

    Nothing else about an existing contact changes, so an import can neither widen nor undo what they chose.
    """
    for _ in range(_ATTEMPTS):
        holders = {address: await find(app, address) for address in addresses}
        contacts = {contact for contact in holders.values() if contact is not None}
        if len(contacts) > 1:
            raise LineTakenError("the addresses belong to different contacts: nothing was changed")
        new = [_line(address, held_by) for address, holder in holders.items() if holder is None]
        command: AddContact | ChangeDetails
        if contacts:
            contact = contacts.pop()
            if not new:
                return contact
            command = ChangeDetails(add=tuple(new), actor=actor)
        else:
            contact = Contact(app.settings.random(16).hex())
            command = AddContact(name=name, subscriber=subscriber, language=language, lines=tuple(new), actor=actor)
        try:
            await app.repository.apply(contact, command)
        except AddressTakenError:
            continue  # another writer added them in the meantime: look them up again
        return contact
    raise ConflictError("other writers kept changing the owners of these addresses: try again later")


async def add_address(app: Application, address: Address, actor: Actor) -> Contact:
    """
    Return the contact whose line an address is, adding one with that address alone if there is none.
    """
    return await add(app, [address], name="", subscriber=Subscriber.UNKNOWN, language="en", held_by={}, actor=actor)


@contextmanager
def address_taken() -> Iterator[None]:
    """
    Raise in terms of lines that an address belongs to another contact.

    Raises:
        LineTakenError: The address belongs to another contact.
    """
    try:
        yield
    except AddressTakenError:
        raise LineTakenError("the address belongs to another contact: nothing was changed") from None


def plan_change(
    openings: Mapping[str, Opening],
    addresses: Sequence[Address],
    *,
    actor: Actor,
    name: str | None = None,
    subscriber: Subscriber | None = None,
    language: str | None = None,
    held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
    how: str = "",
) -> Planner:
    """
    Return a planner that changes details. A new address replaces the one of its kind, and no consent moves to it.

    Args:
        openings: The stored personal values of the contact.
    """

    def plan(standing: Standing, _now: datetime) -> Plan:
        add: list[NewLine] = []
        remove: list[int] = []
        values = line_values(standing, openings)
        for address in addresses:
            present = [line.number for line in standing.lines if line.kind is address.kind and not line.removed]
            if not values.keys() >= set(present):
                raise ConflictError("another address was added in the meantime: try again")
            if address in [values[number] for number in present]:
                continue
            add.append(_line(address, held_by))
            remove.extend(present)
        return Plan(
            command=ChangeDetails(
                name=name,
                subscriber=subscriber,
                language=language,
                add=tuple(add),
                remove=tuple(remove),
                actor=actor,
                how=how,
            )
        )

    return plan


async def change(app: Application, contact: Contact, addresses: Sequence[Address], **details: Any) -> Standing:
    record = await app.repository.require(contact)
    planner = plan_change(await app.repository.openings(record.subject), addresses, **details)
    with address_taken():
        return (await app.repository.apply(contact, planner, read=record)).standing


async def restore_line(app: Application, contact: Contact, channel: Channel, how: str) -> Standing:
    record = await app.repository.require(contact)

    def plan(standing: Standing, _now: datetime) -> Plan:
        return Plan(command=RestoreLine(channel=channel, line=require_line(standing, channel), how=how))

    return (await app.repository.apply(contact, plan, read=record)).standing


async def erase(app: Application, contact: Contact) -> None:
    record = await app.repository.require(contact)
    await app.repository.apply(contact, EraseContact(), read=record)


async def standing(app: Application, contact: Contact, at: datetime | None) -> Standing:
    record = await app.repository.require(contact)
    return record.standing if at is None else fold(await recorded_until(app, record.subject, at))


async def recorded_until(app: Application, subject: bytes, at: datetime) -> list[Event]:
    """
    Return the events that had been recorded at an instant, without personal values.
    """
    events = [entry.event() for entry in await app.storage.entries(subject)]
    return [event for event in events if event.recorded_at <= at]


async def history(app: Application, contact: Contact) -> tuple[Event, ...]:
    subject = (await app.repository.require(contact)).subject
    openings = await app.repository.openings(subject)
    return tuple(entry.event(openings) for entry in await app.storage.entries(subject))
