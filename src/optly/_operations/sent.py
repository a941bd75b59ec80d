"""
Messages that were sent, and are found again by what comes back: by the contact and the id, or by the id alone.

Mail programs and mailbox providers repeat the id of an email and little else, so the contact of each is kept under its
id for a year, and beside it where the message speaks of stopping.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from optly._operations.application import Application
from optly._operations.ours import in_marketing, in_question
from optly._operations.payload import PayloadKind, decode
from optly._operations.queued import QueuedMessage
from optly.contacts import Channel, Contact
from optly.keys import sha256
from optly.messages.quoting import Ours
from optly.protocols import StoredCode
from optly.record.consent import readable
from optly.record.events import Event, MessageDelivered, MessageEvent, MessageUndelivered

# Length of a message's id in hexadecimal digits: as much as a return path has room for, and in full.
_SHORTEST_ID: Final = 16
FULL_ID: Final = 32
_KEPT: Final = timedelta(days=366)
_SUBJECT: Final = 16  # bytes


@attrs.frozen(kw_only=True)
class Sent:
    """
    A message that was sent, as recorded.

    Attributes:
        message: Its id; empty if not known.
    """

    message: str
    line: int
    question: str | None = None
    delivered: bool = False
    undelivered: bool = False


def remembered(app: Application, message: QueuedMessage, now: datetime) -> StoredCode | None:
    """
    Return what is stored so that an email is found again by its id; None for anything else.
    """
    if message.payload.channel is not Channel.EMAIL or not message.payload.line:
        return None
    value = message.contact.subject
    if message.payload.kind is PayloadKind.MARKETING:
        value += bytes(in_marketing(app, message.payload))
    # Not under the contact, so that it stays when their links are revoked. It holds nothing personal.
    return StoredCode(key=_key(app, message.id), subject=message.row.message, value=value, expires_at=now + _KEPT)


def _key(app: Application, message: str) -> bytes:
    return sha256(f"sent\0{app.settings.organisation.key}\0{message}")


async def named(app: Application, contact: str, message: str) -> Contact | None:
    """
    Return the contact whom a message was sent to, on record or not; None if that is not known.

    Args:
        contact: Id of the contact; anything else if only the message is known.
        message: Id of the message; in full if the contact is not known.
    """
    subject = Contact.of(contact).subject if Contact.is_id(contact) else await _subject(app, message)
    return None if subject is None else Contact(subject.hex())


async def recipient(app: Application, contact: str, message: str) -> Contact | None:
    """
    Return the contact whom a message was sent to, as `named`; None if they are not on record.
    """
    found = await named(app, contact, message)
    return found if found is not None and (await app.repository.load(found)).version else None


async def _subject(app: Application, message: str) -> bytes | None:
    if len(message) != FULL_ID:
        return None
    value = await _kept(app, message)
    return None if value is None else value[:_SUBJECT]


async def _kept(app: Application, message: str) -> bytes | None:
    stored = await app.storage.code(_key(app, message), app.settings.clock())
    return None if stored is None else stored.value


async def stops_kept(app: Application, message: str) -> Ours:
    """
    Return what was kept of where a message speaks of stopping. Empty if nothing was, or the id is not given in full.
    """
    value = await _kept(app, message) if len(message) == FULL_ID else None
    return Ours.from_bytes((value or b"")[_SUBJECT:])


async def stops_of_ours(app: Application, contact: Contact, sent: Sent) -> Ours:
    """
    Return where a message that was sent speaks of stopping; empty if that is not known.
    """
    if sent.question is not None:
        return await in_question(app, contact, sent.question)
    return await stops_kept(app, sent.message)


async def find_sent(app: Application, contact: Contact, channel: Channel, message: str) -> Sent | None:
    """
    Return the message with an id, or the beginning of one, among those sent to a contact, or being sent.
    """
    if len(message) < _SHORTEST_ID:
        return None
    written = message.encode()
    # Few of the events name the message, and only those need be read.
    naming = [entry for entry in await app.storage.entries(contact.subject) if written in entry.payload]
    return _find(list(readable(naming)), channel, message) or await _find_claimed(app, contact, channel, message)


async def _find_claimed(app: Application, contact: Contact, channel: Channel, message: str) -> Sent | None:
    """
    Return the message among those of a contact that a worker has claimed, so that a provider may have it already.
    """
    for row in await app.storage.waiting(contact.subject):
        named = row.channel is channel and row.message.hex().startswith(message)
        if named and row.token and app.repository.macs.fits(row):
            payload = decode(row)
            return Sent(message=row.message.hex(), line=payload.line, question=payload.question)
    return None


def _find(events: Sequence[Event], channel: Channel, message: str) -> Sent | None:
    recorded = [
        earlier
        for earlier in events
        if isinstance(earlier, MessageEvent) and earlier.channel is channel and earlier.message.startswith(message)
    ]
    if not recorded:
        return None
    return Sent(
        message=recorded[0].message,
        line=recorded[0].line,
        question=recorded[0].question,
        delivered=any(isinstance(earlier, MessageDelivered) for earlier in recorded),
        undelivered=any(isinstance(earlier, MessageUndelivered) for earlier in recorded),
    )
