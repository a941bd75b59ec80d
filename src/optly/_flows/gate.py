"""
The gate: address → standing → rulebook → decision. The only way to it, whoever asks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

import attrs

from optly._flows.contacts import recorded_until
from optly._flows.desk import Desk, suppressed
from optly.addresses import Address, Channel, parse_address
from optly.consent import Standing, fold
from optly.errors import AddressError
from optly.parties import Contact
from optly.protocols import Found, Head
from optly.rules import Communication, Decision, MessageKind, Reason, Solicited


def assess(
    desk: Desk,
    standing: Standing,
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind,
    contact: str,
    line: int | None,
    at: datetime,
    asks: tuple[tuple[Channel, int], ...] = (),
    solicited: Solicited | None = None,
) -> Decision:
    """
    Put one message to the rulebook.
    """
    return desk.rulebook.assess(
        Communication(
            channel=channel,
            kind=kind,
            sender=desk.organisation.key,
            purpose=purpose,
            contact=contact,
            line=line,
            at=at,
            asks=asks,
            solicited=solicited,
        ),
        standing,
    )


async def check_contact(desk: Desk, contact: Contact, channel: Channel, purpose: str, at: datetime | None) -> Decision:
    """
    Decide a marketing message to a contact.
    """
    record = await desk.known(contact)
    standing, _ = await desk.whole(record)
    now = desk.clock() if at is None else at
    if at is not None:
        standing = _as_of(fold(await recorded_until(desk, record.subject, at)), standing, at)
    line = standing.line_for(channel)
    return assess(
        desk,
        standing,
        channel,
        purpose,
        kind=MessageKind.MARKETING,
        contact=contact.id,
        line=None if line is None else line.number,
        at=now,
    )


def _as_of(then: Standing, now: Standing, at: datetime) -> Standing:
    return then.with_stops(stop for stop in now.stops if stop.seq is None and stop.at <= at)


async def check_addresses(
    desk: Desk, addresses: Sequence[Address], channel: Channel, purpose: str, at: datetime | None = None
) -> list[Decision]:
    """
    Decide a marketing message to each of these addresses, in order.
    """
    idkeys = [desk.idkeys(address) for address in addresses]
    found: Found = await desk.storage.find([idkey for names in idkeys for idkey in names])
    subjects = {identifier.subject for identifier in found.identifiers.values()}
    heads: Mapping[bytes, Head] = await desk.storage.load(list(subjects)) if subjects else {}
    by_idkey: dict[bytes, list[int]] = {}
    for index, row in enumerate(found.suppressions):
        by_idkey.setdefault(row.idkey, []).append(index)
    now = desk.clock() if at is None else at
    decisions = []
    for names in idkeys:
        identifier = next((found.identifiers[name] for name in names if name in found.identifiers), None)
        standing, contact, line = Standing(), "", None
        if identifier is not None and (head := heads.get(identifier.subject)) is not None:
            record = await desk.record(identifier.subject, head)
            contact, line = identifier.subject.hex(), identifier.line
            standing = record.standing if at is None else fold(await recorded_until(desk, identifier.subject, at))
        if by_idkey:
            rows = [found.suppressions[index] for name in names for index in by_idkey.get(name, ())]
            if rows:
                stops = suppressed(rows, dict.fromkeys(names, line))
                standing = standing.with_stops(stop for stop in stops if at is None or stop.at <= at)
        decisions.append(
            assess(desk, standing, channel, purpose, kind=MessageKind.MARKETING, contact=contact, line=line, at=now)
        )
    return decisions


async def screen(desk: Desk, addresses: Sequence[str | Address], channel: Channel, purpose: str) -> list[Decision]:
    """
    Decide as `check_addresses` does; what is no address at all is refused.
    """
    read: list[Address | None] = []
    for address in addresses:
        try:
            read.append(parse_address(address, channel.kind))
        except AddressError:
            read.append(None)
    known = [address for address in read if address is not None]
    decisions = iter(await check_addresses(desk, known, channel, purpose))
    refusal = assess(
        desk, Standing(), channel, purpose, kind=MessageKind.MARKETING, contact="", line=None, at=desk.clock()
    )
    malformed = attrs.evolve(refusal, allowed=False, reason=Reason.NOT_AN_ADDRESS, duties=())
    return [malformed if address is None else next(decisions) for address in read]
