"""
The gate: address → standing → rulebook → decision. Every check goes through it.
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
from optly.contacts import Address, Channel, Contact, PhoneNumber, parse_address
from optly.errors import AddressError, NotPermittedError, RegisterError
from optly.protocols import Head, RegisterName, Suppression
from optly.record.consent import fold
from optly.record.standing import Standing
from optly.rules import Communication, Decision, Facts, MessageKind, Reason

_log = logging.getLogger("optly")
_UNKNOWN: Final = Standing()

# Which registers must be checked before a number is called or faxed. PECR regs 20(1)(c) and 21(1)(b).
_REGISTERS: Final = {
    Channel.LIVE_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),
    Channel.AUTOMATED_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),  # it may turn out to be live
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
    Decide one message by the rulebook. If the host does not state whether it is the first contact, the record does.

    A message the law allows is still refused if messages to the line are known to fail.
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


def require_permission(decision: Decision) -> Decision:
    """
    Return a decision that allows.

    Raises:
        NotPermittedError: It refuses.
    """
    if not decision:
        raise NotPermittedError(f"not permitted: {decision.explanation}", decision=decision)
    return decision


async def with_listings(
    app: Application, channel: Channel, address: Address | None, at: datetime, facts: Facts
) -> Facts:
    """
    Return *facts* with the listings of the number in the registers, unless the host states them.

    A register that cannot be checked is left out, and the rulebook then refuses because the listing is missing.
    """
    names = _REGISTERS.get(channel)
    if names is None or not isinstance(address, PhoneNumber) or "listings" in facts:
        return facts
    listings = []
    for register in app.registers:
        if register.name in names:
            try:
                listings.append(await register.listed_on(address, at))
            except RegisterError as error:
                _log.warning("register cannot be checked", extra={"register": register.name, "error": str(error)})
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
    record = await app.repository.require(contact)
    standing, addresses = await app.repository.with_suppressions(record)
    now = app.settings.clock() if at is None else at
    if at is not None:
        suppressed = [stop for stop in standing.stops if stop.seq is None and stop.at <= at]
        standing = fold(await recorded_until(app, record.subject, at)).with_stops(suppressed)
    line = standing.line_for(channel)
    number = None if line is None else line.number
    facts = await with_listings(app, channel, None if number is None else addresses.get(number), now, facts)
    return assess(app, standing, channel, purpose, kind=kind, contact=contact.id, line=number, at=now, **facts)


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
    idkeys_by_address = [app.index.idkeys(address) for address in addresses]
    domains_by_address = [app.index.domain_idkeys(address) for address in addresses]
    every = dict.fromkeys(idkey for idkeys in (*idkeys_by_address, *domains_by_address) for idkey in idkeys)
    matches = await app.storage.find(list(every))
    subjects = {identifier.subject for identifier in matches.identifiers.values()}
    heads: Mapping[bytes, Head] = await app.storage.load(list(subjects)) if subjects else {}
    suppressions: dict[bytes, list[Suppression]] = {}
    for row in matches.suppressions:
        suppressions.setdefault(row.idkey, []).append(row)
    now = app.settings.clock() if at is None else at
    decisions = []
    for address, idkeys, domains in zip(addresses, idkeys_by_address, domains_by_address, strict=True):
        standing, contact, line = _UNKNOWN, "", None
        for idkey in idkeys:
            identifier = matches.identifiers.get(idkey)
            if identifier is not None and (head := heads.get(identifier.subject)) is not None:
                contact, line = identifier.subject.hex(), identifier.line
                standing = (await app.repository.record(identifier.subject, head)).standing
                if at is not None:
                    standing = fold(await recorded_until(app, identifier.subject, at))
                break
        if suppressions and (rows := [row for idkey in (*idkeys, *domains) for row in suppressions.get(idkey, ())]):
            stops = stops_from(rows, dict.fromkeys((*idkeys, *domains), line))
            standing = standing.with_stops(stop for stop in stops if at is None or stop.at <= at)
        known = await with_listings(app, channel, address, now, facts) if channel in _REGISTERS else facts
        decisions.append(
            assess(app, standing, channel, purpose, kind=kind, contact=contact, line=line, at=now, **known)
        )
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
    Decide as `check_addresses` does, and refuse malformed addresses.
    """
    parsed: list[Address | None] = []
    for address in addresses:
        try:
            parsed.append(parse_address(address, channel.kind))
        except AddressError:
            parsed.append(None)
    wellformed = [address for address in parsed if address is not None]
    decisions = iter(await check_addresses(app, wellformed, channel, purpose, kind=kind, **facts))
    if len(wellformed) == len(parsed):
        return list(decisions)
    refusal = assess(
        app, Standing(), channel, purpose, kind=kind, contact="", line=None, at=app.settings.clock(), **facts
    )
    malformed = attrs.evolve(refusal, allowed=False, reason=Reason.NOT_AN_ADDRESS, duties=())
    return [malformed if address is None else next(decisions) for address in parsed]
