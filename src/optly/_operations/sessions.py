"""
Sessions: a one-time code sent to the line of a link proves that its user reads messages there, and raises the session.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from optly import links, typed
from optly._operations import throttle
from optly._operations.access import Access, resolve
from optly._operations.application import Application
from optly._operations.keyed import require_keys
from optly._operations.lines import WRITTEN_TO_BY, lines_of, writes_to
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Address, AddressKind, Contact, is_email, recognise_address, recorded_address
from optly.errors import LinkError, NoBackendError, SessionError, WrongDigitsError
from optly.keys import sha256
from optly.locale.i18n import read_tag
from optly.protocols import StoredCode
from optly.record.commands import RequestService
from optly.record.events import LinkKind, Service
from optly.record.standing import Standing

# The person is waiting for it, so it is sent before everything that is already due.
_HEAD_START: Final = timedelta(days=365)


async def open_session(app: Application, target: links.LinkTarget, session: links.Session, *, earlier: str = "") -> str:
    """
    Begin a session, and return its code.

    Args:
        earlier: The code that this one takes the place of, if there is one.
    """
    begins = links.lasting(earlier) or links.make_code(app.settings.random(links.LASTING_BITS // 8))
    code = begins + links.make_code(app.settings.random(links.SESSION_BITS // 8))
    stored = StoredCode(
        key=links.code_key(code),
        subject=bytes.fromhex(target.contact),
        value=typed.evolve(target, kind=LinkKind.SESSION, session=session).dump(),
        expires_at=session.ends_at,
    )
    await app.storage.put_codes([stored])
    return code


async def renew(access: Access, *, raised: bool = True) -> str:
    """
    Replace the session with a new one that lasts another half hour, and return its code.

    Raises:
        SessionError: It has ended, or was replaced, in the meantime.
    """
    app, session = access.app, access.require_session()
    if await app.storage.take_code(access.key, app.settings.clock()) is None:
        raise SessionError("the session has ended")
    fresh = typed.evolve(
        session,
        raised=raised,
        lines=lines_of(access.record.standing),
        ends_at=min(app.settings.clock() + links.SESSION_LIFE, session.until),
    )
    # Digits sent to the line prove who reads there, no matter who was given the link.
    target = typed.evolve(access.target, handed_over=access.target.handed_over or raised)
    return await open_session(app, target, fresh, earlier=access.code)


async def _begun_here(access: Access, session: str) -> Access:
    """
    Return the access of a session if it began at the link of *access* and has not ended, else *access* itself.
    """
    try:
        begun = await resolve(access.app, session)
    except LinkError:
        return access
    return begun if begun.target.session is not None and begun.mark == access.mark else access


async def request_code(access: Access, session: str = "") -> str:
    access.require_kind(LinkKind.QUESTION, LinkKind.MANAGE, LinkKind.SESSION)
    access = await _begun_here(access, session) if session and access.target.session is None else access
    if access.target.session is not None and access.target.session.raised:
        return access.code
    app, target, now, code = access.app, access.target, access.app.settings.clock(), access.code
    if target.channel not in app.backends:
        raise NoBackendError(f"no message backend serves {target.channel}, so no code can be sent")
    await throttle.count(app, "code", f"{target.contact}/{target.line}", throttle.CODES)
    if target.session is None:
        begun = links.Session(
            raised=False,
            lines=lines_of(access.record.standing),
            link=access.mark,
            ends_at=now + links.SESSION_LIFE,
            until=now + links.LONGEST_SESSION,
        )
        code = await open_session(app, target, begun)
    payload = Payload(
        kind=PayloadKind.CODE,
        channel=target.channel,
        line=target.line,
        language=access.record.standing.language,
        challenge=links.challenge(links.code_key(code)),
    )
    await queue_service(access, Service.CODE, payload, urgent_due_at(now))
    return code


async def queue_service(access: Access, service: Service, payload: Payload, due_at: datetime) -> None:
    """
    Record that the person asked for a service message, and queue it.
    """
    command = RequestService(
        service=service, channel=payload.channel, line=payload.line, link=access.target.kind, code=access.mark
    )
    message = encode(payload, access.contact.subject, access.app.settings.random(16), due_at)
    await access.apply(Plan(command=command, queue=(message,)))


def urgent_due_at(now: datetime) -> datetime:
    """
    Return the due time of a message that the person is waiting for.
    """
    return now - _HEAD_START


async def take_digits(app: Application, name: str, digits: str) -> None:
    """
    Use up the one-time code that answers a challenge. If it is entered several times at once, one attempt succeeds.
    What cannot be a code is no attempt.

    Args:
        name: Name of the challenge.

    Raises:
        TooManyTriesError: Five attempts were made already.
        WrongDigitsError: The digits are wrong, or have expired.
        KeyMissingError: They may have been sent by a process with a key that this one lacks.
    """
    read = links.read_step_up(digits)
    if read is None or len(read) != links.STEP_UP_DIGITS:
        raise WrongDigitsError("a code has six digits")
    await throttle.count(app, "digits", name, throttle.TRIES)
    for key in links.step_up_keys(app.settings.keys, name, read):
        if await app.storage.take_code(key, app.settings.clock()) is not None:
            return
    await require_keys(app.storage)
    raise WrongDigitsError("the code is wrong, or older than ten minutes")


async def step_up(access: Access, digits: str) -> str:
    access.require_session()
    access.require_line()
    await take_digits(access.app, links.challenge(access.key), digits)
    return await renew(access)


async def stay(access: Access) -> str:
    session = access.require_session()
    access.require_line()
    return await renew(access, raised=session.raised)


async def finish(app: Application, code: str) -> None:
    key, now = links.code_key(links.read_code(code)), app.settings.clock()
    stored = await app.storage.code(key, now)
    target = None if stored is None else links.LinkTarget.load(stored.value)
    if target is not None and target.session is not None and await app.repository.is_known(Contact(target.contact)):
        await app.storage.take_code(key, now)


# ---- a new link


def read_line(text: str) -> Address:
    """
    Read an email address or a telephone number that someone entered.

    Raises:
        AddressError: It is neither of them.
    """
    return recognise_address(text, AddressKind.EMAIL if is_email(text) else AddressKind.PHONE)


async def request_link(app: Application, text: str, language: str) -> None:
    address = read_line(text)
    channel = writes_to(address.kind, app.backends)
    if channel is None:
        raise NoBackendError(f"no message backend serves {WRITTEN_TO_BY[address.kind]}, so no link can be sent")
    payload = Payload(
        kind=PayloadKind.LINK_WANTED, channel=channel, line=0, language=read_tag(language), address=address.value
    )
    await throttle.count(app, "link", app.index.idkeys(address)[0].hex(), throttle.LINKS)
    row = encode(payload, app.settings.random(16), app.settings.random(16), urgent_due_at(app.settings.clock()))
    await app.storage.enqueue(app.settings.organisation.key, [row])


async def send_requested_link(app: Application, payload: Payload, wanted: str) -> None:
    """
    Queue a MyOptly link to the address that was entered, if it is on record. Harmless when repeated.

    Args:
        wanted: Id of the message that asked for it.
    """
    idem = sha256(f"link\0{wanted}")[:16]
    address = recorded_address(payload.address, payload.channel.kind)
    matches = await app.storage.find(app.index.idkeys(address))
    for identifier in (row for rows in matches.holders.values() for row in rows):
        line = identifier.line

        def plan(
            standing: Standing, now: datetime, line: int = line, subject: bytes = identifier.subject
        ) -> Plan | None:
            if line not in standing.present():
                return None
            link = Payload(kind=PayloadKind.LINK, channel=payload.channel, line=line, language=standing.language)
            return Plan(
                command=RequestService(service=Service.LINK, channel=payload.channel, line=line),
                queue=(encode(link, subject, app.settings.random(16), urgent_due_at(now)),),
            )

        await app.repository.apply(Contact(identifier.subject.hex()), plan, idem=idem)
