"""
Contacts: adding, finding, changing and erasing them, and reading their records.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from types import MappingProxyType
from typing import Any

import attrs

from optly._operations.application import Application
from optly._operations.arguments import each_address
from optly._operations.blind_index import LookedUp, line_values, look_up
from optly._operations.lines import Named, require_line
from optly._operations.repository import Plan, Planner, Record
from optly.contacts import Address, AddressKind, Channel, Contact, Subscriber, parse_address, recognise_address
from optly.contacts.parties import stricter
from optly.errors import (
    AddressError,
    AmbiguousContactError,
    AmbiguousLineError,
    ConflictError,
    MissingLineError,
    ReferenceTakenError,
    UsageError,
)
from optly.locale.i18n import read_tag, read_tag_or_none
from optly.record.commands import AddContact, ChangeDetails, EraseContact, LeaveLine, NewLine, RestoreLine
from optly.record.consent import replay
from optly.record.events import Actor, Event
from optly.record.ledger import Opening
from optly.record.standing import Standing

_ATTEMPTS = 10


async def known_address(app: Application, text: str | Address, kind: AddressKind) -> Address:
    """
    Read an address that the host names. One that a library does not accept is one all the same if anything is on
    record under it.

    Raises:
        AddressError: It is malformed.
    """
    try:
        return parse_address(text, kind)
    except AddressError as error:
        with suppress(AddressError):
            if found := await on_record(app, [recognise_address(text, kind)]):
                return found.pop()
        raise error from None


async def on_record(app: Application, addresses: Collection[Address]) -> set[Address]:
    """
    Return those of the addresses under which anything is on record: a contact, or a suppression.
    """
    keys, found = await look_up(app.storage, app.index, addresses)
    taken = found.holders.keys() | {row.idkey for row in found.suppressions} | found.forged
    return {
        address for address, (own, domains) in zip(addresses, keys, strict=True) if not taken.isdisjoint(own + domains)
    }


async def known_addresses(app: Application, *given: Any) -> list[Address]:
    """
    Read the addresses that the host gives of a contact, as `each_address` takes them.

    Raises:
        AddressError: One is malformed.
    """
    return [await known_address(app, text, kind) for text, kind in each_address(*given)]


async def holders(app: Application, address: Address) -> tuple[Contact, ...]:
    """
    Return the contacts who have an address now, in the order of their ids.
    """
    return tuple(await lines_held(app, address))


@attrs.frozen
class HeldLine:
    """
    A line of a contact.

    Attributes:
        record: The contact, as it was read with the line; None if it was added since.
        looked_up: All lines of the contact, if they were looked up with it.
    """

    number: int
    record: Record | None
    looked_up: LookedUp | None = None

    @property
    def is_only(self) -> bool:
        """
        Whether it is known that the contact never had another line of its kind.
        """
        return self.record is not None and self.record.standing.is_only_line(self.number)


async def lines_held(app: Application, address: Address) -> dict[Contact, HeldLine]:
    """
    Return the contacts who have an address now, in the order of their ids, each with that line.
    """
    idkeys = app.index.idkeys(address)
    found = await app.storage.find(idkeys)
    lines = {row.subject: row.line for rows in found.holders.values() for row in rows}
    held = {}
    for subject, line in sorted(lines.items()):
        record = await app.repository.record(subject, found.heads.get(subject))
        if record.standing.has(line):
            every = record.standing.is_all(line) and not app.index.domain_idkeys(address)
            looked_up = LookedUp({subject: [(idkey, line) for idkey in idkeys]}, found) if every else None
            held[Contact(subject.hex())] = HeldLine(line, record, looked_up)
    return held


async def find(app: Application, address: Address) -> Contact | None:
    """
    Return the contact who has an address, or None.

    Raises:
        AmbiguousContactError: Several contacts have it.
    """
    found = await holders(app, address)
    if len(found) > 1:
        raise AmbiguousContactError("several contacts have this address: look at manager.holders")
    return found[0] if found else None


async def referred(app: Application, reference: str) -> Contact | None:
    """
    Return the contact that the host names by a reference, or None.
    """
    rows = (await app.storage.referred(app.index.reference_idkeys(reference))).values()
    records = await app.repository.load_all([row.subject for row in rows]) if rows else {}
    return next((Contact(subject.hex()) for subject, record in records.items() if record.version), None)


def _line(address: Address, held_by: Mapping[AddressKind, Subscriber]) -> NewLine:
    return NewLine(kind=address.kind, value=address.value, subscriber=held_by.get(address.kind))


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())


def _implied_reference(addresses: Sequence[Address], name: str) -> str:
    """
    Return the reference that a contact without one is added under, so that the same call made twice at once adds one.
    """
    return "\0".join(["", _plain(name), *sorted(f"{address.kind}\0{address.normal}" for address in addresses)])


async def _same(app: Application, addresses: Sequence[Address], name: str) -> Contact | None:
    """
    Return the contact that a call without a reference adds again: the one whom the same call added before or, without
    one, the only one who has every address given, under the same name.

    A contact of whom nothing is known but what is given stands for anyone who has that: they are the first who gives a
    name, and a further holder where several have it and no name is given.

    Raises:
        AmbiguousContactError: Several contacts have the name and every address.
    """
    having: set[Contact] | None = None
    for address in addresses:
        found = set(await holders(app, address))
        having = found if having is None else having & found
    if not having:
        return None
    records = await app.repository.load_all(sorted(contact.subject for contact in having))
    names = await _names(app, records)
    alike = [contact for contact, known in names.items() if not name or known == _plain(name)]
    if name and (before := await referred(app, _implied_reference(addresses, name))) in alike:
        return before
    if len(alike) == 1:
        return alike[0]
    if name and alike:
        raise AmbiguousContactError(
            "several contacts have this name and every address given: say which one is meant, with reference="
        )
    nameless = await referred(app, _implied_reference(addresses, ""))
    standing_for_any = (
        contact
        for contact, known in names.items()
        if not known and (contact == nameless or records[contact.subject].standing.anonymous)
    )
    return next(standing_for_any, None)


async def _names(app: Application, records: Mapping[bytes, Record]) -> dict[Contact, str]:
    """
    Return the name of each contact as names are compared; empty for one without a name.
    """
    openings = await app.repository.openings_in(
        {subject: [name] if (name := record.standing.name) else () for subject, record in records.items()}
    )
    names = {}
    for subject, record in records.items():
        known = openings.get(subject, {}).get(record.standing.name or "")
        names[Contact(subject.hex())] = "" if known is None else _plain(known.value)
    return names


async def add(
    app: Application,
    addresses: Sequence[Address],
    *,
    reference: str = "",
    name: str,
    subscriber: Subscriber,
    language: str,
    held_by: Mapping[AddressKind, Subscriber],
    actor: Actor,
    needed: bool = False,
) -> Contact:
    """
    Add a contact, or return the one already on record under the same reference or, without one, with the same details.

    A person is not inferred from a matching address: a contact who has only some of the addresses, or has another name,
    is another one, and the address has one holder more. Of an existing contact only what is missing changes, and the
    subscriber if the new fact is stricter, so that an import can neither widen nor undo what they chose.
    """
    language = read_tag(language)
    for _ in range(_ATTEMPTS):
        known = await referred(app, reference) if reference else await _same(app, addresses, name)
        if known is not None:
            await _complete(app, known, addresses, name=name, subscriber=subscriber, held_by=held_by, actor=actor)
            return known
        contact = Contact(app.settings.random(16).hex())
        lines = tuple(_line(address, held_by) for address in addresses)
        command = AddContact(
            name=name,
            subscriber=subscriber,
            language=language,
            lines=lines,
            anonymous=not name and not reference and len(lines) == 1,
            actor=actor,
        )
        named = reference or _implied_reference(addresses, name)
        # Under an implied reference there may be someone whose details have changed since.
        free = bool(reference) or (bool(addresses) and await referred(app, named) is None)
        if not free and addresses and await _same(app, addresses, name) is not None:
            continue  # another writer added them between the two look-ups
        references = (app.index.reference(contact.subject, named),) if free else ()
        try:
            await app.repository.apply(contact, Plan(command=command, references=references, needed=needed))
        except ReferenceTakenError:
            continue  # another writer added them in the meantime: look them up again
        return contact
    raise ConflictError("other writers kept adding the same contact: try again later")


async def _complete(
    app: Application,
    contact: Contact,
    addresses: Sequence[Address],
    *,
    name: str,
    subscriber: Subscriber,
    held_by: Mapping[AddressKind, Subscriber],
    actor: Actor,
) -> Standing:
    record = await app.repository.require(contact, partial=True)
    openings = await app.repository.openings_of(record)

    def plan(standing: Standing, _now: datetime) -> Plan | None:
        values, present = line_values(standing, openings), standing.present()
        if not values.keys() >= set(present):
            raise ConflictError("another address was added in the meantime: try again")
        kept = [values[number] for number in present]
        missing = tuple(_line(address, held_by) for address in addresses if address not in kept)
        strict = stricter(standing.subscriber, subscriber)
        unnamed = bool(name) and standing.name is not None and standing.name not in openings
        if not missing and strict is standing.subscriber and not unnamed:
            return None
        return Plan(
            command=ChangeDetails(
                name=name if unnamed else None,
                subscriber=None if strict is standing.subscriber else strict,
                add=missing,
                actor=actor,
            )
        )

    return (await app.repository.apply(contact, plan, read=record)).standing


async def add_address(app: Application, address: Address, actor: Actor, *, needed: bool = False) -> Contact:
    """
    Return the contact who has an address, adding one with that address alone if nobody or more than one has it.
    """
    return await add(
        app,
        [address],
        name="",
        subscriber=Subscriber.UNKNOWN,
        language="en",
        held_by={},
        actor=actor,
        needed=needed,
    )


def plan_change(
    openings: Mapping[str, Opening],
    addresses: Sequence[Address],
    *,
    actor: Actor,
    replaces: Container[int] | None = None,
    name: str | None = None,
    subscriber: Subscriber | None = None,
    language: str | None = None,
    held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
    through: int | None = None,
    how: str = "",
) -> Planner:
    """
    Return a planner that changes details. A new address replaces the one of its kind, and no consent moves to it.

    Args:
        openings: The stored addresses of the contact, by slot.
        replaces: The lines that the new addresses may replace; None for the only one of its kind.
        through: The line the person came through, if it is they who change them.
    """
    language = read_tag_or_none(language)

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
            if replaces is None and len(present) > 1:
                raise AmbiguousLineError("the contact has several addresses of this kind: say which one is replaced")
            add.append(_line(address, held_by))
            remove.extend(number for number in present if replaces is None or number in replaces)
        return Plan(
            command=ChangeDetails(
                name=name,
                subscriber=subscriber,
                language=language,
                add=tuple(add),
                remove=tuple(remove),
                through=through,
                actor=actor,
                how=how,
            )
        )

    return plan


async def change(
    app: Application, contact: Contact, addresses: Sequence[Address], *, replaces: int | None, **details: Any
) -> Standing:
    """
    Change a contact's details, as planned by `plan_change`.
    """
    record = await app.repository.require(contact)
    if replaces is not None:
        if replaces not in record.standing.present():
            raise MissingLineError(f"the contact has no line {replaces}")
        if record.standing.lines[replaces - 1].kind not in {address.kind for address in addresses}:
            raise MissingLineError(f"line {replaces} is of another kind than the address that is to replace it")
    named = None if replaces is None else (replaces,)
    planner = plan_change(await app.repository.openings_of(record), addresses, replaces=named, **details)
    return (await app.repository.apply(contact, planner, read=record)).standing


async def add_lines(
    app: Application,
    contact: Contact,
    addresses: Sequence[Address],
    *,
    held_by: Mapping[AddressKind, Subscriber],
    actor: Actor,
) -> Standing:
    """
    Add the addresses that a contact does not have yet.
    """
    return await _complete(
        app, contact, addresses, name="", subscriber=Subscriber.UNKNOWN, held_by=held_by, actor=actor
    )


async def leave_line(
    app: Application, contact: Contact, named: Named, *, how: str, at: datetime | None, actor: Actor
) -> Standing:
    """
    Record that a contact no longer has a line, nor any earlier one with the same address.
    """
    record = await app.repository.require(contact)
    numbers = await numbers_of(app, record, named, removed=True)
    if len(numbers) != 1:
        raise UsageError("name the one address or number that the contact no longer has")
    [number] = numbers
    values = line_values(record.standing, await app.repository.openings_of(record))

    def plan(standing: Standing, now: datetime) -> Plan:
        alike = [other for other, address in values.items() if other != number and address == values.get(number)]
        also = tuple(other for other in alike if not standing.has(other))
        return Plan(command=LeaveLine(line=number, also=also, how=how, at=now if at is None else at, actor=actor))

    return (await app.repository.apply(contact, plan, read=record)).standing


async def numbers_of(app: Application, record: Record, named: Named, *, removed: bool = False) -> tuple[int, ...]:
    """
    Return the numbers of the lines of a contact that a call names.

    Args:
        removed: Whether lines that are no longer on record count as well.

    Raises:
        MissingLineError: An address is not one of the contact's.
    """
    if not named.addresses:
        return named.numbers
    values, present = line_values(record.standing, await app.repository.openings_of(record)), record.standing.present()
    return named.numbered(values, (*present, *reversed(values)) if removed else present)


async def restore_line(app: Application, contact: Contact, channel: Channel, named: Named, how: str) -> Standing:
    """
    Put a line back into use after its messages had failed.
    """
    record = await app.repository.require(contact)
    numbers = await numbers_of(app, record, named)

    def plan(standing: Standing, _now: datetime) -> Plan:
        return Plan(command=RestoreLine(channel=channel, line=require_line(standing, channel, numbers), how=how))

    return (await app.repository.apply(contact, plan, read=record)).standing


async def erase(app: Application, contact: Contact) -> None:
    """
    Erase all personal data. The chain stays, and so do the suppressions under the blind index of the addresses.
    """
    record = await app.repository.require(contact, partial=True)
    await app.repository.apply(contact, EraseContact(), read=record)


async def standing(app: Application, contact: Contact, at: datetime | None) -> Standing:
    """
    Return the standing now, or as it was recorded at an instant.
    """
    record = await app.repository.require(contact)
    return record.standing if at is None else await standing_until(app, record.subject, at)


async def standing_until(app: Application, subject: bytes, at: datetime) -> Standing:
    """
    Return the standing that follows from what had been recorded at an instant, and from what cannot be read.
    """
    return replay(await app.storage.entries(subject), at)


async def history(app: Application, contact: Contact) -> tuple[Event, ...]:
    """
    Return every event in order, with the personal values that are not erased.
    """
    subject = (await app.repository.require(contact)).subject
    openings = await app.repository.all_openings(subject)
    return tuple(entry.event(openings) for entry in await app.storage.entries(subject))
