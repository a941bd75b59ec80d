"""
What the outbox holds.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping

from optly._operations import complaints
from optly._operations.application import Application
from optly._operations.outcomes import SHARED
from optly.contacts import Contact
from optly.protocols import MessageState, OutboxMessage
from optly.record.events import MessageEvent, MessageWithheld
from optly.results import OutboxEntry

_log = logging.getLogger("optly")


async def backlog(app: Application) -> Mapping[MessageState, int]:
    return await app.storage.backlog(app.settings.organisation.key)


async def messages(app: Application, state: MessageState, limit: int) -> list[OutboxEntry]:
    rows = await app.storage.messages(app.settings.organisation.key, state, limit)
    return [
        OutboxEntry(
            message=row.message.hex(),
            contact=(contact := await _holder(app, row)),
            channel=row.channel.value,
            state=state,
            due_at=row.due_at,
            attempts=row.attempts,
            why="" if state is MessageState.QUEUED else await _why(app, row, contact.subject),
        )
        for row in rows
    ]


async def _holder(app: Application, row: OutboxMessage) -> Contact:
    """
    Return the contact whose record a message concerns, also if it is queued under the id of a complaint.
    """
    contact = Contact(row.subject.hex())
    if not await app.storage.load([row.subject]) and (complaint := await complaints.stored(app, contact.id)):
        return Contact(complaint.subject.hex())
    return contact


async def _why(app: Application, row: OutboxMessage, subject: bytes) -> str:
    """
    Return the recorded reason for the state of a message; empty if there is none, or the record cannot be read.
    """
    try:
        return await _recorded_reason(app, row, subject)
    except SHARED:
        raise
    except Exception as error:
        _log.error("a contact cannot be read", extra={"contact": subject.hex(), "error": type(error).__name__})
        return ""


async def _recorded_reason(app: Application, row: OutboxMessage, subject: bytes) -> str:
    for entry in reversed(await app.storage.entries(subject)):
        event = entry.event()
        if isinstance(event, MessageEvent) and event.message == row.message.hex():
            if isinstance(event, MessageWithheld):
                return f"{event.reason} {event.regulation}".strip()
            replies = await app.repository.openings(subject, entry.slots())
            return next((opening.value for opening in replies.values()), event.status)
    return ""
