"""
Links: making and revoking them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from optly._operations.application import Application
from optly._operations.lines import require_line
from optly.contacts import Channel, Contact
from optly.errors import UnknownContactError
from optly.links import LinkTarget, StopScope, code_bytes, code_key, make_code
from optly.protocols import StoredCode
from optly.record.events import LinkKind
from optly.rendering import unsubscribe_headers

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


async def link(app: Application, contact: Contact, channel: Channel, line: int | None) -> str:
    record = await app.repository.require(contact)
    if record.standing.erased_at is not None:
        raise UnknownContactError("the contact was erased")
    target = LinkTarget(
        kind=LinkKind.MANAGE,
        contact=contact.id,
        line=require_line(record.standing, channel, line),
        channel=channel,
        handed_over=False,
        made_at=app.settings.clock(),
    )
    code, stored = new_code(app, target)
    await app.storage.put_codes([stored])
    return app.settings.pages.link(code)


async def revoke(app: Application, contact: Contact) -> int:
    await app.repository.require(contact)
    return await app.storage.revoke_codes(contact.subject)


async def stop_headers(
    app: Application, contact: Contact, channel: Channel, purpose: str | None, line: int | None
) -> Mapping[str, str]:
    record = await app.repository.require(contact)
    if purpose is not None:
        app.settings.purpose(purpose)
    number = require_line(record.standing, channel, line)
    scope = StopScope(contact=contact.id, line=number, channel=channel, purpose=purpose)
    return unsubscribe_headers(app.settings.pages.stop(app.settings.stop_links.sign(scope)))
