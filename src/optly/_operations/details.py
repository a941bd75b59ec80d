"""
Seeing and correcting one's own details. A new address counts once a code that was sent there comes back.
"""

from __future__ import annotations

from datetime import datetime

import attrs
import msgspec

from optly._operations import throttle
from optly._operations.access import Entry, enter, lines_of
from optly._operations.contacts import change
from optly._operations.desk import Desk, Plan, line_values
from optly._operations.payload import Parcel, ParcelKind, pack
from optly._operations.sessions import ahead, have_sent, renew, take_digits
from optly._operations.stops import WRITTEN_TO_BY, writes_to
from optly.contacts.addresses import Address, AddressKind, Channel, parse_address
from optly.errors import (
    AddressTakenError,
    AnswerError,
    LineTakenError,
    MissingLineError,
    NoBackendError,
    WrongDigitsError,
)
from optly.links import SESSION_LIFE, UNDO_LIFE, Undo, challenge, proposal_key
from optly.protocols import OutboxMessage, StoredCode
from optly.record.commands import NewLine, ProveLine
from optly.record.consent import Standing
from optly.record.events import Actor, Service
from optly.record.views import Details, History


@attrs.frozen(kw_only=True)
class _Proposal:
    """
    A new address that waits for its code.

    Attributes:
        challenge: Name of what that code shows.
    """

    kind: AddressKind
    value: str = attrs.field(repr=False)
    challenge: str

    @property
    def address(self) -> Address:
        return parse_address(self.value, self.kind)


async def _raised(desk: Desk, code: str) -> Entry:
    entry = await enter(desk, code)
    entry.require_raised()
    entry.require_line()
    return entry


def _provable(desk: Desk) -> frozenset[AddressKind]:
    return frozenset(kind for kind in WRITTEN_TO_BY if writes_to(desk, kind) is not None)


async def details(desk: Desk, code: str) -> Details:
    """
    Return what is held, unmasked.
    """
    entry = await _raised(desk, code)
    standing = entry.record.standing
    openings = await desk.openings(entry.record.subject)
    values = line_values(standing, openings)
    name = None if standing.name is None else openings.get(standing.name)
    return Details(
        name="" if name is None else name.value,
        language=standing.language,
        lines=tuple(values[number] for number in standing.present() if number in values),
        provable=_provable(desk),
    )


async def change_own(desk: Desk, code: str, *, name: str | None, language: str | None, address: Address | None) -> str:
    """
    Change what needs no code to prove, and return the code of the session, which may be a new one.
    """
    entry = await _raised(desk, code)
    if address is not None and address.kind in WRITTEN_TO_BY:
        raise AnswerError("an email address or a telephone number counts only once a code was sent there")
    standing = await change(
        desk,
        entry.contact,
        name=name,
        subscriber=None,
        language=language,
        addresses=[] if address is None else [address],
        held_by={},
        actor=Actor.PERSON,
    )
    return code if lines_of(standing) == entry.require_session().lines else await renew(desk, entry, standing)


async def propose(desk: Desk, code: str, address: Address) -> None:
    """
    Have a one-time code sent to a new address.
    """
    entry = await _raised(desk, code)
    channel = writes_to(desk, address.kind)
    if channel is None:
        raise NoBackendError("no message backend can send a code to an address of this kind")
    values = line_values(entry.record.standing, await desk.openings(entry.record.subject))
    if address in [values[number] for number in entry.record.standing.present() if number in values]:
        raise AnswerError("this address is on record already")
    await throttle.count(desk, "proposal", entry.contact.id, throttle.PROPOSALS)
    key, name = proposal_key(entry.key, address.kind), challenge(entry.key, address.value)
    stored = StoredCode(
        key=key,
        subject=entry.contact.subject,
        value=msgspec.json.encode(_Proposal(kind=address.kind, value=address.value, challenge=name)),
        expires_at=desk.clock() + SESSION_LIFE,
    )
    await desk.storage.put_codes([stored])
    parcel = Parcel(
        kind=ParcelKind.CODE,
        channel=channel,
        line=0,
        language=entry.record.standing.language,
        challenge=name,
        proposal=key.hex(),
    )
    await have_sent(desk, entry, Service.CODE, parcel, ahead(desk.clock()))


async def proposal(desk: Desk, parcel: Parcel) -> Address | None:
    """
    Return the new address a one-time code goes to; None if another took its place in the meantime.
    """
    found = await _proposal(desk, bytes.fromhex(parcel.proposal))
    return found.address if found is not None and found.challenge == parcel.challenge else None


async def _proposal(desk: Desk, key: bytes) -> _Proposal | None:
    value = await desk.storage.code(key, desk.clock())
    return None if value is None else msgspec.json.decode(value, type=_Proposal)


async def proposed(desk: Desk, code: str, kind: AddressKind) -> str:
    """
    Return the new address that waits for its code, masked; empty for none.
    """
    entry = await _raised(desk, code)
    waiting = await _proposal(desk, proposal_key(entry.key, kind))
    return "" if waiting is None else waiting.address.masked


async def prove(desk: Desk, code: str, kind: AddressKind, digits: str) -> str:
    """
    Put the new address on record by the digits that were sent there, tell whoever reads at the old one, and return the
    new code of the session.
    """
    entry = await _raised(desk, code)
    key = proposal_key(entry.key, kind)
    waiting = await _proposal(desk, key)
    if waiting is None:
        raise WrongDigitsError("no new address waits for a code: type it in again")
    await take_digits(desk, waiting.challenge, digits)

    def plan(standing: Standing, now: datetime) -> Plan:
        replaces = tuple(line.number for line in standing.lines if line.kind is kind and not line.removed)
        command = ProveLine(line=NewLine(kind=kind, value=waiting.value), replaces=replaces)
        undo = Undo(added=len(standing.lines) + 1, removed=replaces, at=now)
        told = replaces[0] if replaces else entry.target.line
        return Plan(command=command, queue=_notice(desk, entry, standing, told, undo, now))

    try:
        applied = await desk.apply(entry.contact, plan, read=entry.record)
    except AddressTakenError:
        raise LineTakenError("the address belongs to another contact: nothing was changed") from None
    await desk.storage.take_code(key, desk.clock())
    added = applied.standing.lines[-1].number
    if entry.target.line not in applied.standing.present():
        entry = attrs.evolve(entry, target=attrs.evolve(entry.target, line=added))
    return await renew(desk, entry, applied.standing)


def _notice(
    desk: Desk, entry: Entry, standing: Standing, number: int, undo: Undo, now: datetime
) -> tuple[OutboxMessage, ...]:
    kind = next(line.kind for line in standing.lines if line.number == number)
    channel = writes_to(desk, kind)
    if channel is None:
        return ()
    parcel = Parcel(
        kind=ParcelKind.CHANGED,
        channel=channel,
        line=number,
        language=standing.language,
        at=now,
        until=now + UNDO_LIFE,
        undo=undo,
    )
    return (pack(parcel, entry.contact.subject, desk.random(16), now),)


async def history(desk: Desk, code: str) -> History:
    """
    Return everything that happened, with the words that were shown.
    """
    entry = await _raised(desk, code)
    openings = await desk.openings(entry.record.subject)
    events = tuple(one.event(openings) for one in await desk.storage.entries(entry.record.subject))
    values = line_values(entry.record.standing, openings)
    digests = {choice.wording for event in events for choice in getattr(event, "choices", ())}
    return History(
        events=events,
        wordings=await desk.wordings(digests),
        lines={number: address.masked for number, address in values.items()},
    )


async def send_copy(desk: Desk, code: str) -> str:
    """
    Have a copy of everything that is held sent to the contact's own email address, and return that, masked.
    """
    entry = await _raised(desk, code)
    standing = entry.record.standing
    values = line_values(standing, await desk.openings(entry.record.subject))
    chosen = entry.target.line if entry.target.channel is Channel.EMAIL else None
    line = standing.line_for(Channel.EMAIL, chosen)
    if line is None or line.number not in values:
        raise MissingLineError("there is no email address on record to send a copy to")
    if Channel.EMAIL not in desk.outlets:
        raise NoBackendError("no message backend serves email, so no copy can be sent")
    await throttle.count(desk, "copy", entry.contact.id, throttle.COPIES)
    parcel = Parcel(kind=ParcelKind.COPY, channel=Channel.EMAIL, line=line.number, language=standing.language)
    await have_sent(desk, entry, Service.COPY, parcel, desk.clock())
    return values[line.number].masked
