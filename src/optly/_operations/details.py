"""
Details: a person views and corrects their own. A new address is added once they enter a code that was sent there.
"""

from __future__ import annotations

from datetime import datetime

import attrs
import msgspec

from optly import typed
from optly._operations import contacts, lines, sessions, throttle
from optly._operations.access import Access
from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Address, AddressKind, Channel, recorded_address
from optly.errors import AnswerError, MissingLineError, NoBackendError, WrongDigitsError
from optly.instants import end_of_day
from optly.links import SESSION_LIFE, UNDO_LIFE, Undo, challenge, proposal_key
from optly.protocols import OutboxMessage, StoredCode
from optly.record.commands import NewLine, ProveLine
from optly.record.events import Actor, Service
from optly.record.standing import Standing
from optly.record.views import Details, History, without_values


@attrs.frozen(kw_only=True)
class _Proposal:
    """
    A new address, not yet proved.

    Attributes:
        challenge: Name of the challenge that its one-time code answers.
    """

    kind: AddressKind
    value: str = attrs.field(repr=False)
    challenge: str

    @property
    def address(self) -> Address:
        return recorded_address(self.value, self.kind)


async def details(access: Access) -> Details:
    access.require_raised()
    standing, openings, values = access.record.standing, await access.openings(), await access.addresses()
    name = None if standing.name is None else openings.get(standing.name)
    reached = access.reached
    return Details(
        name="" if name is None else name.value,
        language=standing.language,
        lines=tuple(values[number] for number in standing.present() if number in values and number in reached),
        masked=tuple(
            (values[number].kind, values[number].masked)
            for number in standing.present()
            if number in values and number not in reached
        ),
        provable=frozenset(
            kind for kind in lines.WRITTEN_TO_BY if lines.writes_to(kind, access.app.backends) is not None
        ),
    )


async def change_own(access: Access, *, name: str | None, language: str | None, address: Address | None) -> str:
    access.require_raised()
    if address is not None and address.kind in lines.WRITTEN_TO_BY:
        raise AnswerError("an email address or a telephone number has to be proved with a code that is sent there")
    before = access.require_raised().lines
    addresses = [] if address is None else [address]
    meant = access.record.standing.meant(AddressKind.POST, access.target.line)
    planner = contacts.plan_change(
        await access.openings(),
        addresses,
        replaces=() if meant is None else (meant,),
        name=name,
        language=language,
        through=access.target.line,
        actor=Actor.PERSON,
    )
    after = (await access.apply(planner)).standing
    return access.code if lines.lines_of(after) == before else await sessions.renew(access)


async def propose(access: Access, address: Address) -> None:
    access.require_raised()
    app = access.app
    channel = lines.writes_to(address.kind, app.backends)
    if channel is None:
        raise NoBackendError("no message backend can send a code to an address of this kind")
    values = await access.addresses()
    if address in [values[number] for number in access.record.standing.present() if number in access.reached]:
        raise AnswerError("this address is already on record")
    await throttle.count(app, "proposal", access.contact.id, throttle.PROPOSALS)
    key, name = proposal_key(access.key, address.kind), challenge(access.key, address.value)
    stored = StoredCode(
        key=key,
        subject=access.contact.subject,
        value=msgspec.json.encode(_Proposal(kind=address.kind, value=address.value, challenge=name)),
        expires_at=app.settings.clock() + SESSION_LIFE,
    )
    await app.storage.put_codes([stored])
    payload = Payload(
        kind=PayloadKind.CODE,
        channel=channel,
        line=0,
        language=access.record.standing.language,
        challenge=name,
        proposal=key.hex(),
    )
    await sessions.queue_service(access, Service.CODE, payload, sessions.urgent_due_at(app.settings.clock()))


async def proposal(app: Application, payload: Payload) -> Address | None:
    """
    Return the new address that a one-time code is sent to; None if another has been proposed since.
    """
    stored = await _proposal(app, bytes.fromhex(payload.proposal))
    return stored.address if stored is not None and stored.challenge == payload.challenge else None


async def _proposal(app: Application, key: bytes) -> _Proposal | None:
    stored = await app.storage.code(key, app.settings.clock())
    return None if stored is None else msgspec.json.decode(stored.value, type=_Proposal)


async def proposed(access: Access, kind: AddressKind) -> str:
    access.require_raised()
    stored = await _proposal(access.app, proposal_key(access.key, kind))
    return "" if stored is None else stored.address.masked


async def prove(access: Access, kind: AddressKind, digits: str) -> str:
    access.require_raised()
    app, key = access.app, proposal_key(access.key, kind)
    stored = await _proposal(app, key)
    if stored is None:
        raise WrongDigitsError("no new address is waiting for a code: enter it again")
    await sessions.take_digits(app, stored.challenge, digits)
    openings = await access.openings()

    def plan(standing: Standing, now: datetime) -> Plan:
        through, new = access.target.line, NewLine(kind=kind, value=stored.value)
        values = line_values(standing, openings)
        for number in standing.present():
            if values.get(number) == stored.address:
                return Plan(command=ProveLine(line=new, through=through, proves=number))
        meant = standing.meant(kind, through)
        replaces = () if meant is None else (meant,)
        command = ProveLine(line=new, replaces=replaces, through=through)
        undo = Undo(added=len(standing.lines) + 1, removed=replaces, at=now)
        notified = replaces[0] if replaces else access.target.line
        return Plan(command=command, queue=_notice(access, standing, notified, undo, now))

    applied = await access.apply(plan)
    await app.storage.take_code(key, app.settings.clock())
    added = applied.standing.lines[-1].number
    if access.target.line not in applied.standing.present():
        access.target = typed.evolve(access.target, line=added)
    return await sessions.renew(access)


def _notice(access: Access, standing: Standing, number: int, undo: Undo, now: datetime) -> tuple[OutboxMessage, ...]:
    kind = next(line.kind for line in standing.lines if line.number == number)
    channel = lines.writes_to(kind, access.app.backends)
    if channel is None:
        return ()
    payload = Payload(
        kind=PayloadKind.CHANGED,
        channel=channel,
        line=number,
        language=standing.language,
        at=now,
        until=end_of_day(now + UNDO_LIFE),
        undo=undo,
    )
    return (encode(payload, access.contact.subject, access.app.settings.random(16), now),)


async def history(access: Access) -> History:
    access.require_raised()
    openings = await access.app.repository.all_openings(access.record.subject)
    entries = await access.app.storage.entries(access.record.subject)
    events = without_values((entry.event(openings) for entry in entries), access.hidden)
    digests = {choice.wording for event in events for choice in getattr(event, "choices", ())}
    return History(
        events=events,
        wordings=await access.app.repository.wordings(digests),
        lines={number: address.masked for number, address in (await access.addresses()).items()},
    )


async def send_copy(access: Access) -> str:
    access.require_raised()
    app, standing, values = access.app, access.record.standing, await access.addresses()
    line = standing.meant(AddressKind.EMAIL, access.target.line)
    if line is None or line not in values:
        raise MissingLineError("there is no email address to send a copy to, or nobody knows which of several")
    if Channel.EMAIL not in app.backends:
        raise NoBackendError("no message backend serves email, so no copy can be sent")
    await throttle.count(app, "copy", access.contact.id, throttle.COPIES)
    payload = Payload(kind=PayloadKind.COPY, channel=Channel.EMAIL, line=line, language=standing.language)
    await sessions.queue_service(access, Service.COPY, payload, app.settings.clock())
    return values[line].masked
