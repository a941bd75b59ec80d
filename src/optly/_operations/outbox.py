"""
Looking into the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping

from optly._operations.application import Application
from optly.contacts.parties import Contact
from optly.protocols import MessageState, OutboxMessage
from optly.record.events import MessageEvent, MessageWithheld
from optly.results import OutboxEntry


async def backlog(app: Application) -> Mapping[MessageState, int]:
    """
    Count the messages in each state.
    """
    return await app.storage.backlog(app.settings.organisation.key)


async def messages(app: Application, state: MessageState, limit: int) -> list[OutboxEntry]:
    """
    Return messages that stand in *state*, those due longest ago first, each with why.
    """
    found = await app.storage.messages(app.settings.organisation.key, state, limit)
    return [
        OutboxEntry(
            message=waiting.message.hex(),
            contact=Contact(waiting.subject.hex()),
            channel=waiting.channel.value,
            state=state,
            due_at=waiting.due_at,
            attempts=waiting.attempts,
            why="" if state is MessageState.QUEUED else await _why(app, waiting),
        )
        for waiting in found
    ]


async def _why(app: Application, waiting: OutboxMessage) -> str:
    openings = await app.repository.openings(waiting.subject)
    for entry in reversed(await app.storage.entries(waiting.subject)):
        event = entry.event(openings)
        if isinstance(event, MessageEvent) and event.message == waiting.message.hex():
            if isinstance(event, MessageWithheld):
                return f"{event.reason} {event.regulation}".strip()
            return next(iter(event.personal.values()), event.status)
    return ""
