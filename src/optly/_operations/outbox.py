"""
Looking into the outbox.
"""

from __future__ import annotations

from collections.abc import Mapping

from optly._operations.desk import Desk
from optly.contacts.parties import Contact
from optly.protocols import MessageState, OutboxMessage
from optly.record.events import MessageEvent, MessageWithheld
from optly.results import Letter


async def backlog(desk: Desk) -> Mapping[MessageState, int]:
    """
    Count the messages in each state.
    """
    counted: Mapping[MessageState, int] = await desk.storage.backlog(desk.organisation.key)
    return counted


async def letters(desk: Desk, state: MessageState, limit: int) -> list[Letter]:
    """
    Return messages that stand in *state*, those due longest ago first, each with why.
    """
    found: list[OutboxMessage] = await desk.storage.messages(desk.organisation.key, state, limit)
    return [
        Letter(
            message=waiting.message.hex(),
            contact=Contact(waiting.subject.hex()),
            channel=waiting.channel.value,
            state=state,
            due_at=waiting.due_at,
            attempts=waiting.attempts,
            why="" if state is MessageState.QUEUED else await _why(desk, waiting),
        )
        for waiting in found
    ]


async def _why(desk: Desk, waiting: OutboxMessage) -> str:
    openings = await desk.openings(waiting.subject)
    for entry in reversed(await desk.storage.entries(waiting.subject)):
        event = entry.event(openings)
        if isinstance(event, MessageEvent) and event.message == waiting.message.hex():
            if isinstance(event, MessageWithheld):
                return f"{event.reason} {event.regulation}".strip()
            return next(iter(event.personal.values()), event.status)
    return ""
