"""
Raising a session: a one-time code to the line of the link shows that whoever came by it reads what is sent there.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import attrs

from optly._operations import throttle
from optly._operations.access import Entry, enter, enter_as, lines_of
from optly._operations.desk import Desk, Plan
from optly._operations.payload import Parcel, ParcelKind, pack
from optly._operations.stops import WRITTEN_TO_BY, writes_to
from optly.contacts.addresses import Address, AddressKind, parse_address
from optly.contacts.parties import Contact
from optly.errors import NoBackendError, SessionError, WrongDigitsError
from optly.links import (
    LONGEST_SESSION,
    SESSION_BITS,
    SESSION_LIFE,
    LinkTarget,
    Session,
    challenge,
    code_key,
    make_code,
    read_code,
    step_up_key,
)
from optly.protocols import StoredCode
from optly.record.commands import RequestService
from optly.record.consent import Standing
from optly.record.events import LinkKind, Service

# Somebody waits for it: it goes out before everything that is due already.
_AHEAD: Final = timedelta(days=365)


async def open_session(desk: Desk, target: LinkTarget, session: Session) -> str:
    """
    Keep a session and return its code, which nobody else has.
    """
    code = make_code(desk.random(SESSION_BITS // 8))
    stored = StoredCode(
        key=code_key(code),
        subject=bytes.fromhex(target.contact),
        value=attrs.evolve(target, kind=LinkKind.SESSION, session=session).dump(),
        expires_at=session.ends_at,
    )
    await desk.storage.put_codes([stored])
    return code


async def renew(desk: Desk, entry: Entry, standing: Standing, *, raised: bool = True) -> str:
    """
    Put a new session in the place of the one of *entry*, for another half hour, and return its code.

    Raises:
        SessionError: It ended in the meantime, or another took its place.
    """
    session = entry.require_session()
    if await desk.storage.take_code(entry.key, desk.clock()) is None:
        raise SessionError("the session is over")
    fresh = attrs.evolve(
        session,
        raised=raised,
        lines=lines_of(standing),
        ends_at=min(desk.clock() + SESSION_LIFE, session.until),
    )
    # Digits that came through the line show who holds it, whoever was given the link.
    return await open_session(desk, attrs.evolve(entry.target, handed_over=entry.target.handed_over or raised), fresh)


async def request_code(desk: Desk, code: str) -> str:
    """
    Have a one-time code sent to the line a link was sent to, and return the code of the session it will raise.

    Asked for again in that session, another code is sent, and either raises it.
    """
    entry = await enter_as(desk, code, LinkKind.QUESTION, LinkKind.MANAGE, LinkKind.SESSION)
    target, now = entry.target, desk.clock()
    if target.channel not in desk.outlets:
        raise NoBackendError(f"no message backend serves {target.channel}, so no code can be sent")
    await throttle.count(desk, "code", f"{target.contact}/{target.line}", throttle.CODES)
    if target.session is None:
        session = Session(
            raised=False,
            lines=lines_of(entry.record.standing),
            link=entry.mark,
            ends_at=now + SESSION_LIFE,
            until=now + LONGEST_SESSION,
        )
        code = await open_session(desk, target, session)
    parcel = Parcel(
        kind=ParcelKind.CODE,
        channel=target.channel,
        line=target.line,
        language=entry.record.standing.language,
        challenge=challenge(code_key(read_code(code))),
    )
    await have_sent(desk, entry, Service.CODE, parcel, ahead(now))
    return code


async def have_sent(desk: Desk, entry: Entry, service: Service, parcel: Parcel, due_at: datetime) -> None:
    """
    Record that something was asked for, and queue it.
    """
    command = RequestService(
        service=service, channel=parcel.channel, line=parcel.line, link=entry.target.kind, code=entry.mark
    )
    plan = Plan(command=command, queue=(pack(parcel, entry.contact.subject, desk.random(16), due_at),))
    await desk.apply(entry.contact, lambda _standing, _now: plan, read=entry.record)


def ahead(now: datetime) -> datetime:
    """
    Return when something is due for which somebody waits.
    """
    return now - _AHEAD


async def take_digits(desk: Desk, name: str, digits: str) -> None:
    """
    Take the one-time code for the challenge of that name. Of several who try the right one, one succeeds.

    Raises:
        TooManyTriesError: Five were tried already.
        WrongDigitsError: They are not right.
    """
    await throttle.count(desk, "digits", name, throttle.TRIES)
    typed = "".join(digits.split())
    if await desk.storage.take_code(step_up_key(desk.keys, name, typed), desk.clock()) is None:
        raise WrongDigitsError("this is not the code, or its ten minutes are over")


async def _in_session(desk: Desk, code: str) -> Entry:
    entry = await enter(desk, code)
    entry.require_session()
    entry.require_line()
    return entry


async def step_up(desk: Desk, code: str, digits: str) -> str:
    """
    Raise a session by the digits that were sent, and return its new code.
    """
    entry = await _in_session(desk, code)
    await take_digits(desk, challenge(entry.key), digits)
    return await renew(desk, entry, entry.record.standing)


async def stay(desk: Desk, code: str) -> str:
    """
    Prolong a session and return its new code.
    """
    entry = await _in_session(desk, code)
    return await renew(desk, entry, entry.record.standing, raised=entry.require_session().raised)


async def finish(desk: Desk, code: str) -> None:
    """
    End a session. Harmless when it is over already, and for a code that is none's.
    """
    key, now = code_key(read_code(code)), desk.clock()
    value = await desk.storage.code(key, now)
    if value is not None and LinkTarget.load(value).session is not None:
        await desk.storage.take_code(key, now)


# ---- a new link


def read_line(text: str) -> Address:
    """
    Read an email address or a telephone number that somebody typed in.

    Raises:
        AddressError: It is neither.
    """
    return parse_address(text.strip(), AddressKind.EMAIL if "@" in text else AddressKind.PHONE)


async def request_link(desk: Desk, text: str, language: str) -> None:
    """
    Have a new MyOptly link sent to an address, if it is on record. The same happens here whether it is or not.
    """
    address = read_line(text)
    channel = writes_to(desk, address.kind)
    if channel is None:
        raise NoBackendError(f"no message backend serves {WRITTEN_TO_BY[address.kind]}, so no link can be sent")
    await throttle.count(desk, "link", desk.idkeys(address)[0].hex(), throttle.LINKS)
    parcel = Parcel(kind=ParcelKind.LINK_WANTED, channel=channel, line=0, language=language, address=address.value)
    wanted = pack(parcel, desk.random(16), desk.random(16), ahead(desk.clock()))
    await desk.storage.enqueue(desk.organisation.key, [wanted])


async def grant_link(desk: Desk, parcel: Parcel) -> None:
    """
    Queue a MyOptly link for whoever has the address that was typed in, if somebody does.
    """
    address = parse_address(parcel.address, parcel.channel.kind)
    found = await desk.storage.find(desk.idkeys(address))
    for identifier in found.identifiers.values():
        line = identifier.line

        def plan(
            standing: Standing, now: datetime, line: int = line, subject: bytes = identifier.subject
        ) -> Plan | None:
            if line not in standing.present():
                return None
            link = Parcel(kind=ParcelKind.LINK, channel=parcel.channel, line=line, language=standing.language)
            return Plan(
                command=RequestService(service=Service.LINK, channel=parcel.channel, line=line),
                queue=(pack(link, subject, desk.random(16), ahead(now)),),
            )

        await desk.apply(Contact(identifier.subject.hex()), plan)
