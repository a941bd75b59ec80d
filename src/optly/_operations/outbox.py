"""
What the outbox holds.
"""

from __future__ import annotations

from collections.abc import Mapping

from optly._operations.application import Application
from optly.contacts import Contact
from optly.protocols import MessageState, OutboxMessage
from optly.record.events import MessageEvent, MessageWithheld
from optly.results import OutboxEntry


async def backlog(app: Application) -> Mapping[MessageState, int]:
    return await app.storage.backlog(app.settings.organisation.key)


async def messages(app: Application, state: MessageState, limit: int) -> list[OutboxEntry]:
    rows = await app.storage.messages(app.settings.organisation.key, state, limit)
    return [
        OutboxEntry(
            message=row.message.hex(),
            contact=Contact(row.subject.hex()),
            channel=row.channel.value,
            state=state,
            due_at=row.due_at,
            attempts=row.attempts,
            why="" if state is MessageState.QUEUED else await _why(app, row),
        )
        for row in rows
    ]


async def _why(app: Application, row: OutboxMessage) -> str:
    openings = await app.repository.openings(row.subject)
    for entry in reversed(await app.storage.entries(row.subject)):
        event = entry.event(openings)
        if isinstance(event, MessageEvent) and event.message == row.message.hex():
            if isinstance(event, MessageWithheld):
                return f"{event.reason} {event.regulation}".strip()
            return next(iter(event.personal.values()), event.status)
    return ""
