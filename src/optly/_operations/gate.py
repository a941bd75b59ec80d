"""
The gate: address → standing → rulebook → decision. The only way to it, whoever asks.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, Unpack

import attrs

from optly._operations.application import Application
from optly._operations.blind_index import stops_from
from optly._operations.contacts import recorded_until
from optly.contacts.addresses import Address, Channel, PhoneNumber, parse_address
from optly.contacts.parties import Contact
from optly.errors import AddressError, RegisterError
from optly.protocols import Head, RegisterName, Suppression
from optly.record.consent import Standing, fold
from optly.rules import Communication, Decision, Facts, MessageKind, Reason

_log = logging.getLogger("optly")
_NOBODY: Final = Standing()

# Which registers the law has asked before a number is used. PECR regs 20(1)(c) and 21(1)(b).
_TO_ASK: Final = {
    Channel.LIVE_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),
    Channel.AUTOMATED_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),  # in case it turns out to be live
    Channel.FAX: frozenset({RegisterName.FPS}),
}


def assess(
    app: Application,
    standing: Standing,
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind,
    contact: str,
    line: int | None,
    at: datetime,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Put one message to the rulebook. Whether it is the first contact is taken from the record, if the host does not say.

    What the law allows is still refused where the line is known to take no messages.
    """
    if standing.contacted:
        facts.setdefault("first_contact", False)
    decision = app.settings.rulebook.assess(
        Communication(
            channel=channel,
            kind=kind,
            sender=app.settings.organisation.key,
            purpose=purpose,
            contact=contact,
            line=line,
            at=at,
            **facts,
        ),
        standing,
    )
    failure = standing.failure(channel, line) if standing.failures and decision else None
    if failure is None:
        return decision
    return attrs.evolve(decision, allowed=False, reason=Reason.UNDELIVERABLE, evidence=(failure.seq,), duties=())


async def screened(app: Application, channel: Channel, address: Address | None, at: datetime, facts: Facts) -> Facts:
    """
    Return *facts* with what the registers say about the number, unless the host says it.

    A register that cannot be asked is left out, and the rulebook then refuses for want of it.
    """
    names = _TO_ASK.get(channel)
    if names is None or not isinstance(address, PhoneNumber) or "listings" in facts:
        return facts
    listings = []
    for register in app.registers:
        if register.name in names:
            try:
                listings.append(await register.listed_on(address, at))
            except RegisterError as error:
                _log.warning("a register cannot be asked", extra={"register": register.name, "error": str(error)})
    return {**facts, "listings": tuple(listings)}


async def check_contact(
    app: Application,
    contact: Contact,
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind = MessageKind.MARKETING,
    at: datetime | None = None,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Decide a message or a call to a contact.
    """
    record = await app.repository.require(contact)
    standing, values = await app.repository.with_suppressions(record)
    now = app.settings.clock() if at is None else at
    if at is not None:
        standing = _as_of(fold(await recorded_until(app, record.subject, at)), standing, at)
    line = standing.line_for(channel)
    number = None if line is None else line.number
    facts = await screened(app, channel, None if number is None else values.get(number), now, facts)
    return assess(app, standing, channel, purpose, kind=kind, contact=contact.id, line=number, at=now, **facts)


def _as_of(then: Standing, now: Standing, at: datetime) -> Standing:
    return then.with_stops(stop for stop in now.stops if stop.seq is None and stop.at <= at)


async def check_addresses(
    app: Application,
    addresses: Sequence[Address],
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind = MessageKind.MARKETING,
    at: datetime | None = None,
    **facts: Unpack[Facts],
) -> list[Decision]:
    """
    Decide a message or a call to each of these addresses, in order.
    """
    idkeys = [app.index.idkeys(address) for address in addresses]
    found = await app.storage.find([idkey for names in idkeys for idkey in names])
    subjects = {identifier.subject for identifier in found.identifiers.values()}
    heads: Mapping[bytes, Head] = await app.storage.load(list(subjects)) if subjects else {}
    suppressions: dict[bytes, list[Suppression]] = {}
    for row in found.suppressions:
        suppressions.setdefault(row.idkey, []).append(row)
    now = app.settings.clock() if at is None else at
    decisions = []
    for address, names in zip(addresses, idkeys, strict=True):
        standing, contact, line = _NOBODY, "", None
        for name in names:
            identifier = found.identifiers.get(name)
            if identifier is not None and (head := heads.get(identifier.subject)) is not None:
                contact, line = identifier.subject.hex(), identifier.line
                standing = (await app.repository.record(identifier.subject, head)).standing
                if at is not None:
                    standing = fold(await recorded_until(app, identifier.subject, at))
                break
        if suppressions and (rows := [row for name in names for row in suppressions.get(name, ())]):
            stops = stops_from(rows, dict.fromkeys(names, line))
            standing = standing.with_stops(stop for stop in stops if at is None or stop.at <= at)
        here = await screened(app, channel, address, now, facts) if channel in _TO_ASK else facts
        decisions.append(assess(app, standing, channel, purpose, kind=kind, contact=contact, line=line, at=now, **here))
    return decisions


async def screen(
    app: Application,
    addresses: Sequence[str | Address],
    channel: Channel,
    purpose: str,
    *,
    kind: MessageKind = MessageKind.MARKETING,
    **facts: Unpack[Facts],
) -> list[Decision]:
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
    decisions = iter(await check_addresses(app, known, channel, purpose, kind=kind, **facts))
    if len(known) == len(read):
        return list(decisions)
    refusal = assess(
        app, Standing(), channel, purpose, kind=kind, contact="", line=None, at=app.settings.clock(), **facts
    )
    malformed = attrs.evolve(refusal, allowed=False, reason=Reason.NOT_AN_ADDRESS, duties=())
    return [malformed if address is None else next(decisions) for address in read]
