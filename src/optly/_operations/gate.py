"""
The gate: address → standing → rulebook → decision. Every check goes through it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias, Unpack

import attrs

from optly import typed
from optly._operations.application import Application
from optly._operations.blind_index import look_up, stops_from
from optly._operations.contacts import known_address, standing_until
from optly._operations.lines import Named, require_line
from optly.contacts import Address, Channel, Contact, PhoneNumber, Subscriber
from optly.errors import NotPermittedError, RegisterError
from optly.protocols import Found, RegisterName, Suppression
from optly.record.standing import CoHolder, SharedStanding, Standing, StandingStop, shared
from optly.rules import Communication, Decision, Facts, MessageKind, Reason

_log = logging.getLogger("optly")
# A contact, the number of a line in their record, and their standing.
_Held: TypeAlias = tuple[str, "int | None", Standing]

_UNKNOWN: Final = Standing()
_ORDER: Final = {reason: number for number, reason in enumerate(Reason)}

# Which registers must be checked before a number is called or faxed. PECR regs 20(1)(c) and 21(1)(b).
_REGISTERS: Final = {
    Channel.LIVE_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),
    Channel.AUTOMATED_CALL: frozenset({RegisterName.TPS, RegisterName.CTPS}),  # it may turn out to be live
    Channel.FAX: frozenset({RegisterName.FPS}),
}


def _assess_one(
    app: Application,
    standing: Standing,
    channel: Channel,
    purpose: str,
    kind: MessageKind,
    contact: str,
    line: int | None,
    at: datetime,
    facts: Facts,
) -> Decision:
    """
    Decide one message for one purpose by the rulebook.

    A message the law allows is still refused if messages to the line are known to fail, or if part of the record cannot
    be read: a stop may be in it.
    """
    decision = app.settings.rulebook.assess(
        Communication(
            channel=channel,
            kind=kind,
            sender=app.settings.organisation.key,
            public_authority=app.settings.organisation.public_authority,
            purpose=purpose,
            title=app.settings.title(purpose),
            contact=contact,
            line=line,
            at=at,
            **facts,
        ),
        standing,
    )
    if (unread := standing.unread(line)) is not None:
        return decision.overruled(Reason.UNREADABLE, (unread,) if unread else ())
    failure = standing.failure(channel, line) if standing.failures and decision else None
    if failure is None:
        return decision
    return decision.overruled(Reason.UNDELIVERABLE, (failure.seq,))


def assess(
    app: Application,
    standing: Standing,
    channel: Channel,
    purposes: Sequence[str],
    *,
    kind: MessageKind,
    contact: str,
    line: int | None,
    at: datetime,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Decide one message by the rulebook: all of its purposes have to be allowed.
    """
    at = standing.latest(at)
    if len(purposes) == 1:
        return _assess_one(app, standing, channel, purposes[0], kind, contact, line, at, facts)
    decisions = [_assess_one(app, standing, channel, key, kind, contact, line, at, facts) for key in purposes]
    decision = next((decision for decision in decisions if not decision), decisions[0])
    others = tuple(one.purpose for one in decisions if one is not decision)
    if not decision:
        return typed.evolve(decision, also_for=others)
    # The duties of every purpose are due, and what expires first is the limit of all.
    ends = [one.valid_until for one in decisions if one.valid_until is not None]
    return typed.evolve(
        decision,
        also_for=others,
        evidence=tuple(dict.fromkeys(seq for one in decisions for seq in one.evidence)),
        duties=tuple(dict.fromkeys(duty for one in decisions for duty in one.duties)),
        valid_until=min(ends, default=None),
    )


def require_permission(decision: Decision) -> Decision:
    """
    Return a decision that allows.

    Raises:
        NotPermittedError: It refuses.
    """
    if not decision:
        raise NotPermittedError(f"not permitted: {decision.explanation}", decision=decision)
    return decision


def refuse_unreadable(
    app: Application, contact: Contact, standing: Standing, channel: Channel, purposes: Sequence[str]
) -> None:
    """
    Refuse a message to a contact of whom a part cannot be read, before anything else is asked: a line may be in it.

    Raises:
        NotPermittedError: A part cannot be read.
    """
    if standing.unreadable is not None:
        kind, now = MessageKind.MARKETING, app.settings.clock()
        require_permission(assess(app, standing, channel, purposes, kind=kind, contact=contact.id, line=None, at=now))


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
    purposes: Sequence[str],
    *,
    named: Named,
    kind: MessageKind = MessageKind.MARKETING,
    at: datetime | None = None,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Decide for one contact, by their own permissions alone.
    """
    record = await app.repository.require(contact, partial=True)
    standing, addresses = await app.repository.with_suppressions(record)
    now = app.settings.clock() if at is None else at
    if at is not None:
        standing = await _as_of(app, record.subject, standing, at)
    present = standing.present()
    numbers = named.numbered(addresses, present)
    reached = [line for line in standing.lines if line.number in present and line.kind is channel.kind]
    number = require_line(standing, channel, numbers) if reached or numbers else None
    facts = await with_listings(app, channel, None if number is None else addresses.get(number), now, facts)
    return assess(app, standing, channel, purposes, kind=kind, contact=contact.id, line=number, at=now, **facts)


async def _as_of(app: Application, subject: bytes, standing: Standing, at: datetime) -> Standing:
    """
    Return what had been recorded by an instant of a contact, and of those who share lines with them.
    """
    suppressed = [stop for stop in standing.stops if stop.seq is None and stop.at <= at]
    others = standing.others if isinstance(standing, SharedStanding) else ()
    return shared(
        (await standing_until(app, subject, at)).with_stops(suppressed),
        [typed.evolve(other, standing=await standing_until(app, bytes.fromhex(other.contact), at)) for other in others],
    )


async def check_address(
    app: Application,
    address: str | Address,
    channel: Channel,
    purposes: Sequence[str],
    *,
    kind: MessageKind = MessageKind.MARKETING,
    at: datetime | None = None,
    **facts: Unpack[Facts],
) -> Decision:
    """
    Decide for the line of one address, which the host names.

    Raises:
        AddressError: It is malformed.
    """
    known = await known_address(app, address, channel.kind)
    [decision] = await check_addresses(app, [known], channel, purposes, kind=kind, at=at, **facts)
    return decision


async def check_addresses(
    app: Application,
    addresses: Sequence[Address],
    channel: Channel,
    purposes: Sequence[str],
    *,
    kind: MessageKind = MessageKind.MARKETING,
    at: datetime | None = None,
    **facts: Unpack[Facts],
) -> list[Decision]:
    """
    Decide for the line of each address: it is allowed where one of its holders allows it, for every purpose, and none
    has objected there.
    """
    keys_by_address, found = await look_up(app.storage, app.index, addresses)
    lines = Lines.found(app, found, channel, purposes, kind, at, facts)
    return [
        await lines.decide(own, domains, address)
        for address, (own, domains) in zip(addresses, keys_by_address, strict=True)
    ]


@attrs.frozen(kw_only=True)
class Lines:
    """
    The lines of some addresses as they were found, and the message that may be sent to each.

    Attributes:
        suppressions: Those that count at the instant of the message, by idkey.
        at: Decide as of this instant. None to decide for `now` on all there is.
    """

    app: Application
    record: Found
    suppressions: Mapping[bytes, Sequence[Suppression]]
    channel: Channel
    purposes: Sequence[str]
    kind: MessageKind
    at: datetime | None
    now: datetime
    facts: Facts

    @classmethod
    def found(
        cls,
        app: Application,
        record: Found,
        channel: Channel,
        purposes: Sequence[str],
        kind: MessageKind,
        at: datetime | None,
        facts: Facts,
    ) -> Lines:
        suppressions: dict[bytes, list[Suppression]] = {}
        for row in record.suppressions:
            if at is None or row.at <= at:
                suppressions.setdefault(row.idkey, []).append(row)
        return cls(
            app=app,
            record=record,
            suppressions=suppressions,
            channel=channel,
            purposes=purposes,
            kind=kind,
            at=at,
            now=app.settings.clock() if at is None else at,
            facts=facts,
        )

    @property
    def listed(self) -> bool:
        """
        Whether a register is asked about each address.
        """
        return self.channel in _REGISTERS

    def assess(self, standing: Standing, contact: str, line: int | None, facts: Facts) -> Decision:
        return assess(
            self.app,
            standing,
            self.channel,
            self.purposes,
            kind=self.kind,
            contact=contact,
            line=line,
            at=self.now,
            **facts,
        )

    async def decide(self, own: tuple[bytes, ...], domains: tuple[bytes, ...], address: Address | None) -> Decision:
        """
        Decide for one line.

        Args:
            own, domains: The idkeys of the address and of its domains.
            address: Needed only where a register is asked about it.

        Raises:
            LedgerError: The record of a holder is gone, or cannot be read.
        """
        app, found = self.app, self.record
        holders: list[tuple[str, int, Standing]] = []
        for idkey in own:
            for holder in found.holders.get(idkey, ()):
                standing = app.repository.stored(holder.subject, found.heads.get(holder.subject))
                if standing is None:
                    standing = (await app.repository.holder(holder.subject, found)).standing
                if self.at is not None:
                    standing = await standing_until(app, holder.subject, self.at)
                holders.append((holder.subject.hex(), holder.line, standing))
        suppressions = self.suppressions
        rows = [row for idkey in own + domains for row in suppressions.get(idkey, ())] if suppressions else []
        held: Sequence[_Held] = holders
        if len(holders) != 1 or rows or not holders[0][2].has(holders[0][1]):
            held = list(_as_held(holders, stops_from(rows, dict.fromkeys(own + domains))))
        known = await with_listings(app, self.channel, address, self.now, self.facts) if self.listed else self.facts
        refusals = []
        for contact, line, standing in held:
            verdict = self.assess(standing, contact, line, known)
            if verdict.allowed:
                break
            refusals.append(verdict)
        else:
            verdict = min(refusals, key=_tells)
        unheld = verdict or verdict.reason is Reason.NOT_ON_RECORD
        if found.forged and unheld and not found.forged.isdisjoint(own + domains):
            return verdict.overruled(Reason.UNREADABLE)  # nobody knows what the row said that was there
        return verdict


def _tells(refusal: Decision) -> tuple[bool, int, int]:
    """
    Return what orders the refusals of a line by how much each explains: an objection, then what rests on most evidence.
    """
    objected = refusal.reason in (Reason.OBJECTED, Reason.OBJECTED_BY_HOLDER)
    return not objected, -len(refusal.evidence), _ORDER[refusal.reason]


def _as_held(holders: Sequence[tuple[str, int, Standing]], stops: Sequence[StandingStop]) -> Iterator[_Held]:
    """
    Yield each contact who has an address now, with the standing to judge by: what the others objected to on the line
    stands against it as well. For an address that nobody has now, yield one that knows only what was objected to there.

    Args:
        stops: What is suppressed by address alone.
    """
    having = [holder for holder in holders if holder[2].has(holder[1])]
    if not having:
        others = [CoHolder(contact, 0, number, standing) for contact, number, standing in holders]
        yield "", None, shared(_UNKNOWN.with_stops(stops), others)
    telling: dict[int, list[CoHolder]] = {}
    for contact, line, standing in having:
        if line not in telling:
            telling[line] = [CoHolder(other[0], line, other[1], other[2]) for other in _telling(holders)]
        others = [other for other in telling[line] if other.contact != contact]
        yield contact, line, shared(standing.with_stops(typed.evolve(stop, line=line) for stop in stops), others)


def _telling(holders: Sequence[tuple[str, int, Standing]]) -> list[tuple[str, int, Standing]]:
    """
    Return the holders of an address who count for the others: those who objected to anything, and one of each kind of
    subscriber. So many who share one address are not weighed against each other.
    """
    kinds: dict[Subscriber, tuple[str, int, Standing]] = {}
    for holder in holders:
        if holder[2].has(holder[1]):
            kinds.setdefault(holder[2].subscriber_of(holder[1]), holder)
    return [
        holder
        for holder in holders
        if any(stop.for_all for stop in holder[2].stops) or any(one is holder for one in kinds.values())
    ]
