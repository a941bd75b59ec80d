"""
Leases: a worker claims messages before it sends them, and holds them until the lease ends.

The claim is committed before the provider is called, so a message still claimed when its lease ends may have been sent:
its outcome is in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from optly._operations.application import Application
from optly._operations.links import signer
from optly._operations.outcomes import Outcomes, outcome_command, settle
from optly._operations.queued import QueuedMessage, read, settlement
from optly._operations.sent import remembered
from optly.contacts import Channel
from optly.messages import Outcome, Receipt
from optly.protocols import Claim, MessageState, OutboxMessage, StoredCode
from optly.results import Deliveries

# Longer than any provider takes to answer: a message still claimed after it belongs to a worker that died.
LEASE: Final = timedelta(minutes=15)

# The most messages that a killed worker leaves in doubt. A larger batch would not make a commit cheaper per message.
BATCH: Final = 100

# How many batches a worker chooses among once another worker has claimed the first.
_SPREAD: Final = 8


async def due(
    app: Application, channel: Channel, now: datetime, limit: int, *, contended: bool = False
) -> list[OutboxMessage]:
    """
    Return up to *limit* messages to claim, one for each contact, those due longest ago first.

    Args:
        contended: Whether other workers are claiming the first of them. The list then starts at a random place.
    """
    rows = await app.storage.due(app.settings.organisation.key, channel, now, limit * (_SPREAD if contended else 1))
    if len(rows) > limit:
        start = int.from_bytes(app.settings.random(4)) % (len(rows) - limit + 1)
        rows = rows[start:]
    first: dict[bytes, OutboxMessage] = {}
    for row in rows:
        first.setdefault(row.subject, row)
    return list(first.values())[:limit]


async def claim(
    app: Application, rows: Sequence[OutboxMessage], now: datetime, outcomes: Outcomes
) -> list[QueuedMessage]:
    """
    Claim messages until the lease ends, and return those that no other worker had claimed. One that cannot be read is
    added to *outcomes*, so that it does not hold up the rest.
    """
    app.require_commits("handing over messages")
    outcomes.wanted += rows
    await signer(app)
    readable = {row.message: message for row in rows if (message := read(app, row)) is not None}
    claims = [
        Claim(
            subject=row.subject,
            message=row.message,
            token=outcomes.token,
            codes=_codes(app, readable.get(row.message), now),
        )
        for row in rows
    ]
    claimed = []
    for row in await app.storage.claim(claims, now, now + LEASE) if claims else ():
        message = readable.get(row.message)
        if message is None:
            outcomes.discard(row)
        else:
            message.row = row
            claimed.append(message)
    return claimed


def _codes(app: Application, message: QueuedMessage | None, now: datetime) -> Sequence[StoredCode]:
    if message is None:
        return ()
    return [code for code in (message.stored, remembered(app, message, now)) if code is not None]


async def doubt_overdue(app: Application) -> Deliveries:
    """
    Mark messages claimed by dead workers as in doubt.
    """
    deliveries = Deliveries()
    while overdue := await app.storage.overdue(app.settings.organisation.key, app.settings.clock(), BATCH):
        for row in overdue:
            message = read(app, row)
            if message is None:
                await app.storage.settle([settlement(row, MessageState.REFUSED)])
            elif message.recorded:
                command = outcome_command(message, Receipt(outcome=Outcome.IN_DOUBT))
                await settle(app, message.contact, command, settlement(row, MessageState.IN_DOUBT))
            else:
                await app.storage.settle([settlement(row, MessageState.IN_DOUBT)])
        deliveries += Deliveries(in_doubt=len(overdue))
    return deliveries
