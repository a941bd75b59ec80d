"""
Putting contacts on record, changing and erasing them, and recording what they said elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from types import MappingProxyType
from typing import Any

from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.lines import require_line
from optly._operations.repository import Plan, Planner
from optly.contacts.addresses import Address, AddressKind, Channel, parse_address
from optly.contacts.parties import Contact, Subscriber
from optly.contacts.purposes import Wording
from optly.errors import AddressError, AddressTakenError, ConflictError, LineTakenError, UsageError
from optly.record.commands import (
    AddContact,
    ChangeDetails,
    EraseContact,
    NewLine,
    RecordCharitySoftOptIn,
    RecordConsent,
    RecordSoftOptIn,
    RestoreLine,
    Stop,
)
from optly.record.consent import Standing, fold
from optly.record.events import Actor, Choice, Event
from optly.record.ledger import Opening
from optly.results import Imported

_TRIES = 10


async def find(app: Application, address: Address) -> Contact | None:
    """
    Return whose line *address* is, or None.
    """
    found = await app.storage.find(app.index.idkeys(address))
    for identifier in found.identifiers.values():
        return Contact(identifier.subject.hex())
    return None


async def _holders(app: Application, addresses: Sequence[Address]) -> dict[Address, Contact | None]:
    return {address: await find(app, address) for address in addresses}


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
    Put somebody on record, or return who is there already under one of the addresses, with the further ones added.

    Nothing else about somebody who is there already changes, so an import can neither widen nor undo what they chose.
    """
    for _ in range(_TRIES):
        holders = await _holders(app, addresses)
        contacts = {contact for contact in holders.values() if contact is not None}
        if len(contacts) > 1:
            raise LineTakenError("these addresses belong to different contacts: nothing was changed")
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
            continue  # somebody else added them in the meantime: look again
        return contact
    raise ConflictError("other writers kept changing whom these addresses belong to: try again later")


@contextmanager
def address_taken() -> Iterator[None]:
    """
    Say in the words of a host that an address belongs to another contact.

    Raises:
        LineTakenError: It does.
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
) -> Planner:
    """
    Return a planner that changes details. A new address takes the place of the one of its kind, and no consent moves
    with it.

    Args:
        openings: The personal values of the contact that are stored.
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
                name=name, subscriber=subscriber, language=language, add=tuple(add), remove=tuple(remove), actor=actor
            )
        )

    return plan


async def change(app: Application, contact: Contact, addresses: Sequence[Address], **details: Any) -> Standing:
    """
    Change a contact's details, as `plan_change` plans it.
    """
    record = await app.repository.require(contact)
    planner = plan_change(await app.repository.openings(record.subject), addresses, **details)
    with address_taken():
        return (await app.repository.apply(contact, planner, read=record)).standing


async def record_consent(
    app: Application,
    contact: Contact,
    *,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    wording: Wording,
    at: datetime,
    **facts: Any,
) -> Standing:
    """
    Record a consent that was given elsewhere, if it may stand.
    """
    validities = {key: app.settings.purpose(key).validity for key in purposes}

    def plan(standing: Standing, _now: datetime) -> Plan:
        choices = tuple(
            Choice(
                channel=channel,
                purpose=key,
                line=require_line(standing, channel),
                wording=wording.digest,
                expires_at=None if validity is None else at + validity,
            )
            for channel in channels
            for key, validity in validities.items()
        )
        return Plan(command=RecordConsent(choices=choices, at=at, **facts), wordings=(wording,))

    return (await app.repository.apply(contact, plan, suppressions=True)).standing


async def record_soft_opt_in(
    app: Application,
    contact: Contact,
    kind: type[RecordSoftOptIn] | type[RecordCharitySoftOptIn],
    *,
    channels: Sequence[Channel],
    **facts: Any,
) -> Standing:
    """
    Record details collected in a sale, or by a charity, for each channel by itself.
    """
    for key in facts.get("similar_purposes", ()):
        app.settings.purpose(key)
    if not channels:
        raise UsageError("a soft opt-in needs at least one channel")
    standing = Standing()
    for channel in channels:

        def plan(standing: Standing, _now: datetime, channel: Channel = channel) -> Plan:
            # The lines of all channels are looked up before the first is written, so that nothing is half recorded.
            lines = {each: require_line(standing, each) for each in channels}
            return Plan(command=kind(channel=channel, line=lines[channel], **facts))

        standing = (await app.repository.apply(contact, plan)).standing
    return standing


async def stop(
    app: Application,
    contact: Contact,
    *,
    objection: bool,
    channels: Sequence[Channel],
    purposes: Sequence[str],
    at: datetime | None,
    actor: Actor,
    how: str,
) -> Standing:
    """
    Record a withdrawal or an objection.
    """
    for key in purposes:
        app.settings.purpose(key)

    def plan(_standing: Standing, now: datetime) -> Plan:
        return Plan(
            command=Stop(
                objection=objection,
                channels=tuple(channels),
                purposes=tuple(purposes),
                at=now if at is None else at,
                actor=actor,
                how=how,
            )
        )

    return (await app.repository.apply(contact, plan)).standing


async def import_objections(
    app: Application,
    addresses: Iterable[str | Address],
    channel: Channel,
    *,
    at: datetime | None,
    actor: Actor,
    how: str,
) -> Imported:
    """
    Record an objection to all marketing for the holder of each address, who is put on record if they are not.
    """
    recorded, malformed = 0, []
    for place, text in enumerate(addresses, 1):
        try:
            address = parse_address(text, channel.kind)
        except AddressError:
            malformed.append(place)
            continue
        contact = await add(
            app, [address], name="", subscriber=Subscriber.UNKNOWN, language="en", held_by={}, actor=actor
        )
        await stop(app, contact, objection=True, channels=(), purposes=(), at=at, actor=actor, how=how)
        recorded += 1
    return Imported(recorded=recorded, malformed=tuple(malformed))


async def restore_line(app: Application, contact: Contact, channel: Channel, how: str) -> Standing:
    """
    Put a line back into use.
    """
    record = await app.repository.require(contact)

    def plan(standing: Standing, _now: datetime) -> Plan:
        return Plan(command=RestoreLine(channel=channel, line=require_line(standing, channel), how=how))

    return (await app.repository.apply(contact, plan, read=record)).standing


async def erase(app: Application, contact: Contact) -> None:
    """
    Erase everything personal. What stays: the chain, and the stop under the keyed names of the addresses.
    """
    record = await app.repository.require(contact)
    await app.repository.apply(contact, EraseContact(), read=record)


async def standing(app: Application, contact: Contact, at: datetime | None) -> Standing:
    """
    Return the standing now, or as it was on record at an instant.
    """
    record = await app.repository.require(contact)
    return record.standing if at is None else fold(await recorded_until(app, record.subject, at))


async def recorded_until(app: Application, subject: bytes, at: datetime) -> list[Event]:
    """
    Return the events that had been recorded at an instant, without personal values.
    """
    events = [entry.event() for entry in await app.storage.entries(subject)]
    return [event for event in events if event.recorded_at <= at]


async def history(app: Application, contact: Contact) -> tuple[Event, ...]:
    """
    Return every event in order, with the personal values that are not erased.
    """
    subject = (await app.repository.require(contact)).subject
    openings = await app.repository.openings(subject)
    return tuple(entry.event(openings) for entry in await app.storage.entries(subject))
