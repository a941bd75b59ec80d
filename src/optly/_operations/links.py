"""
Links: making and revoking them.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from optly._operations.application import Application
from optly._operations.contacts import numbers_of
from optly._operations.gate import assess
from optly._operations.keyed import require_keys
from optly._operations.lines import Named, require_line
from optly._operations.repository import Record
from optly.contacts import Channel, Contact
from optly.errors import LinkInvalidError, UnknownContactError, UsageError
from optly.links import MARK, LinkTarget, SignedLink, SignedLinks, StopReach, StopScope, code_bytes, code_key, make_code
from optly.protocols import StoredCode
from optly.record.commands import RevokeLinks
from optly.record.events import LinkKind
from optly.rendering import unsubscribe_headers
from optly.rules import MessageKind, Reason

# How long the code of a question is kept after it expires, so that anyone who opens it late sees why it is closed.
_GRACE = timedelta(days=365)


def new_code(app: Application, target: LinkTarget, until: datetime | None = None) -> tuple[str, StoredCode]:
    """
    Return a new code that opens *target*, and what to store for it. A question's is stored well beyond *until*.
    """
    code = make_code(app.settings.random(code_bytes(target.channel)))
    grace = _GRACE if target.kind is LinkKind.QUESTION else timedelta(0)
    return code, StoredCode(
        key=code_key(code),
        subject=bytes.fromhex(target.contact),
        value=target.dump(),
        expires_at=None if until is None else until + grace,
    )


async def signer(app: Application, *, fresh: bool = False) -> SignedLinks | None:
    """
    Return what signs links; None before the log has begun.

    Args:
        fresh: Whether to read the secret of the log although it is known.
    """
    if fresh or app.signing.links is None:
        head = await app.storage.log_head(app.settings.organisation.key)
        if head is not None:
            app.signing.links = SignedLinks.of(app.settings.keys, head.secret)
    return app.signing.links


def signed_link(
    app: Application, links: SignedLinks, record: Record, line: int, *, handed_over: bool, mark: str
) -> str:
    """
    Return the code of a new MyOptly link for an email.
    """
    link = SignedLink(
        contact=record.subject.hex(),
        line=line,
        version=record.version,
        made_at=app.settings.clock(),
        handed_over=handed_over,
        mark=mark,
    )
    return links.sign(link)


async def read_signed(app: Application, code: str) -> SignedLink:
    """
    Return what the code of a signed link says.

    Raises:
        LinkInvalidError: It was altered or is not one of ours.
        KeyMissingError: It may be one of ours, signed by a process with a key that this one lacks.
    """
    for fresh in (False, True):
        links = await signer(app, fresh=fresh)
        if links is not None:
            with suppress(LinkInvalidError):
                return links.read(code)
    await require_keys(app.storage)
    raise LinkInvalidError("this is not one of our links, or part of it is missing")


async def link(app: Application, contact: Contact, channel: Channel, named: Named) -> str:
    record = await app.repository.require(contact)
    if record.standing.erased_at is not None:
        raise UnknownContactError("the contact was erased")
    line = require_line(record.standing, channel, await numbers_of(app, record, named))
    if channel is Channel.EMAIL and (links := await signer(app)) is not None:
        mark = app.settings.random(MARK // 2).hex()
        return app.settings.pages.link(signed_link(app, links, record, line, handed_over=False, mark=mark))
    target = LinkTarget(
        kind=LinkKind.MANAGE,
        contact=contact.id,
        line=line,
        channel=channel,
        handed_over=False,
        made_at=app.settings.clock(),
    )
    code, stored = new_code(app, target)
    await app.storage.put_codes([stored])
    return app.settings.pages.link(code)


async def revoke(app: Application, contact: Contact) -> None:
    await app.repository.require(contact)
    await app.repository.apply(contact, RevokeLinks())
    await app.storage.revoke_codes(contact.subject)


def heeded(wish: StopReach, reason: Reason) -> StopReach:
    """
    Return what the stop link of a message that is sent for *reason* may stop, where the host wishes for *wish*.

    It may stop one purpose alone only where each purpose has a consent of its own, which is withdrawn by itself. A soft
    opt-in is refused as a whole (regs 22(3)(c) and 22(3A)(c)), and without consent any stop is an objection, which is
    to direct marketing as such (UK GDPR Art 21(2) and (3)).

    Source: PECR reg 22, https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23); the ICO,
    https://ico.org.uk/for-organisations/direct-marketing-and-privacy-and-electronic-communications/
    direct-marketing-guidance/respect-peoples-preferences/ (as reported 2026-11-23).
    """
    return wish if reason is Reason.CONSENTED else StopReach.MESSAGES


async def stop_headers(
    app: Application, contact: Contact, channel: Channel, purpose: str | None, named: Named, stops: StopReach
) -> Mapping[str, str]:
    record = await app.repository.require(contact)
    if purpose is not None:
        app.settings.purpose(purpose)
    elif stops is StopReach.PURPOSE:
        raise UsageError("name the purpose that the link is to stop")
    number = require_line(record.standing, channel, await numbers_of(app, record, named))
    if purpose is not None and stops is StopReach.PURPOSE:
        standing, _ = await app.repository.with_suppressions(record)
        now, kind = app.settings.clock(), MessageKind.MARKETING
        decision = assess(app, standing, channel, (purpose,), kind=kind, contact=contact.id, line=number, at=now)
        stops = heeded(stops, decision.reason)
    scope = StopScope(
        contact=contact.id, line=number, channel=channel, purpose=purpose if stops is StopReach.PURPOSE else None
    )
    return unsubscribe_headers(app.settings.pages.stop(app.settings.stop_links.sign(scope)))
