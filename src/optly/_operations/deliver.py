"""
Delivery: messages of the outbox are claimed, gated a second time, sent once, and their outcomes recorded.

Messages of one channel go in batches, so that the store commits once for many of them and the backend can reuse its
connections. A batch has one message for each contact.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from optly._operations import rates
from optly._operations.application import Application, Backend
from optly._operations.leases import BATCH, LEASE, claim, doubt_overdue, due
from optly._operations.outcomes import FIRST_DELAY, Outcomes, add_receipt
from optly._operations.prepare import load, prepare
from optly._operations.proof import seal
from optly._operations.queued import settlement
from optly.contacts import Channel
from optly.errors import UsageError
from optly.messages import Fault, Message, Outcome, Receipt
from optly.protocols import MessageState
from optly.results import Deliveries

_log = logging.getLogger("optly")

_NOT_STARTED: Final = Receipt(
    outcome=Outcome.RETRY_LATER, reply="not sent: the backend has trouble", fault=Fault.BACKEND
)


async def deliver(app: Application, limit: int | None) -> Deliveries:
    """
    Send everything that is due, longest ago first, then seal the log and delete expired codes.
    """
    deliveries = await doubt_overdue(app)
    attempted = 0
    for channel in app.backends:
        unfinished = True
        while unfinished and (limit is None or attempted < limit):
            size = BATCH if limit is None else min(BATCH, limit - attempted)
            batch, unfinished = await _deliver_batch(app, channel, size)
            attempted += batch.total
            deliveries += batch
    await _tidy(app, deliveries)
    return deliveries


async def deliver_batches(app: Application) -> Deliveries:
    deliveries = await doubt_overdue(app)
    for channel in app.backends:
        deliveries += (await _deliver_batch(app, channel, BATCH))[0]
    await _tidy(app, deliveries)
    return deliveries


async def _tidy(app: Application, deliveries: Deliveries) -> None:
    if deliveries.total:
        await seal(app)
        await app.storage.expire(app.settings.clock())


async def _deliver_batch(app: Application, channel: Channel, size: int) -> tuple[Deliveries, bool]:
    """
    Send one batch of what is due on *channel*, and return whether to go on with the next.
    """
    backend = app.backends[channel]
    now = app.settings.clock()
    rows = await due(app, channel, now, size)
    room = await rates.reserve(app, channel, len(rows), now)
    messages = await claim(app, rows[:room], now)
    if room and not messages:
        # Another worker claimed all of them first.
        rows = await due(app, channel, now, size, contended=True)
        messages = await claim(app, rows[:room], now)
    if not messages:
        return Deliveries(), bool(rows) and room > 0
    outcomes = Outcomes()
    try:
        records, messages = await load(app, messages, now, outcomes)
        ready = await prepare(app, messages, records, now, outcomes)
    except BaseException:
        # Nothing was sent. Without this, the whole batch would be in doubt.
        queued = [settlement(message.row, MessageState.QUEUED, now + FIRST_DELAY) for message in messages]
        await app.storage.settle([*queued, *outcomes.settlements])
        raise
    receipts = await _send(app, backend, [message.message for message in ready if message.message is not None], now)
    for message, receipt in zip(ready, receipts, strict=True):
        add_receipt(app, outcomes, message, records[message.contact.subject], receipt, backend.name)
    await outcomes.write(app)
    broken = any(receipt.fault is Fault.BACKEND for receipt in receipts)
    return outcomes.deliveries, not broken and room == len(rows)


async def _send(
    app: Application, backend: Backend, messages: Sequence[Message], claimed_at: datetime
) -> Sequence[Receipt]:
    """
    Send each message once, and return the receipt for each.

    A backend that sends one at a time starts no further message once it has trouble or half the lease has passed.
    """
    if not messages:
        return ()
    if backend.batch is not None:
        try:
            receipts = await backend.batch.send_all(messages)
            if len(receipts) != len(messages):
                raise ValueError("a receipt is missing")
        except Exception as error:
            return [_failure(backend, message, error) for message in messages]
        return receipts
    receipts = []
    for message in messages:
        if any(receipt.fault is Fault.BACKEND for receipt in receipts) or app.settings.clock() > claimed_at + LEASE / 2:
            receipts.append(_NOT_STARTED)
            continue
        try:
            receipts.append(await backend.one.send(message))
        except UsageError as error:
            receipts.append(Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}", fault=Fault.MESSAGE))
        except Exception as error:
            receipts.append(_failure(backend, message, error))
    return receipts


def _failure(backend: Backend, message: Message, error: Exception) -> Receipt:
    """
    Return the receipt for a message whose backend raised: it may have been sent before the failure.

    The text and traceback of the error may hold an address, so only its class is logged.
    """
    facts = {"message_id": message.id, "backend": backend.name, "error": type(error).__name__}
    _log.error("message backend raised an exception", extra=facts)
    return Receipt(outcome=Outcome.IN_DOUBT)
