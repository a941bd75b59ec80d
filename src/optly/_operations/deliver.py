"""
Delivery: messages of the outbox are claimed, gated a second time, sent once, and their outcomes recorded.

Messages of one channel go in batches, so that the store commits once for many of them and the backend can reuse its
connections. A batch has one message for each contact.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from optly._operations import rates
from optly._operations.application import FEW, Application, Backend
from optly._operations.leases import BATCH, LEASE, claim, doubt_overdue, due
from optly._operations.outcomes import FIRST_DELAY, Outcomes, add_receipt
from optly._operations.prepare import Batch, prepare
from optly._operations.proof import seal
from optly._operations.queued import QueuedMessage, settlement
from optly.contacts import Channel
from optly.errors import LedgerError, UsageError
from optly.messages import Fault, Message, Outcome, Receipt
from optly.messages.foundering import Foundering
from optly.protocols import MessageState
from optly.results import Deliveries

_log = logging.getLogger("optly")

_NOT_STARTED: Final = Receipt(
    outcome=Outcome.RETRY_LATER, reply="not sent: the backend has trouble", fault=Fault.BACKEND, begun=False
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
        try:
            await seal(app)
        except LedgerError as error:
            # What was sent is sent. Whoever seals or verifies is told what is wrong.
            _log.error("log cannot be sealed", extra={"error": type(error).__name__})
        await app.storage.expire(app.settings.clock())


async def _deliver_batch(app: Application, channel: Channel, size: int) -> tuple[Deliveries, bool]:
    """
    Send one batch of what is due on *channel*, and return whether to go on with the next.
    """
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
        batch = await prepare(app, messages, now, outcomes)
    except BaseException:
        # Nothing was sent. Without this, the whole batch would be in doubt.
        queued = [settlement(message.row, MessageState.QUEUED, now + FIRST_DELAY) for message in messages]
        await app.storage.settle([*queued, *outcomes.settlements])
        raise
    receipts: list[tuple[QueuedMessage, Receipt]] = []
    try:
        await _send(app, app.backends[channel], batch, now, outcomes, receipts)
    finally:
        # Also if a worker is stopped in the middle: only what was under way stays claimed, and will be in doubt.
        for message, receipt in receipts:
            record = batch.records[message.contact.subject]
            add_receipt(app, outcomes, message, record, receipt, app.backends[channel].name)
        await outcomes.write(app)
    broken = any(receipt.fault is Fault.BACKEND for _, receipt in receipts)
    return outcomes.deliveries, not broken and room == len(rows)


async def _send(
    app: Application,
    backend: Backend,
    batch: Batch,
    claimed_at: datetime,
    outcomes: Outcomes,
    receipts: list[tuple[QueuedMessage, Receipt]],
) -> None:
    """
    Send each message of a batch once, and add it with its receipt to *receipts*, also if interrupted.

    A message whose contact has moved since it was gated goes back into the queue, where it is gated anew: a stop may
    have come. That is asked before each message, or before each part of the batch if the backend takes several at once.
    Nothing more is begun once the backend has trouble, or half the lease has passed.
    """
    waiting, course = deque(batch.ready), Foundering()
    try:
        await _send_parts(app, backend, batch, claimed_at, outcomes, receipts, waiting, course)
    finally:
        receipts[:] = [(message, course.reconsidered(receipt)) for message, receipt in receipts]
        receipts += [(message, _NOT_STARTED) for message in waiting]


async def _send_parts(
    app: Application,
    backend: Backend,
    batch: Batch,
    claimed_at: datetime,
    outcomes: Outcomes,
    receipts: list[tuple[QueuedMessage, Receipt]],
    waiting: deque[QueuedMessage],
    course: Foundering,
) -> None:
    broken, gated_now = False, True
    while waiting and not broken and app.settings.clock() <= claimed_at + LEASE / 2:
        part = [waiting.popleft() for _ in range(min(len(waiting), 1 if backend.batch is None else backend.pace.size))]
        if not gated_now:
            try:
                part = await _unmoved(app, batch, part, outcomes)
            except BaseException as error:
                waiting.extendleft(reversed(part))
                if not isinstance(error, Exception):
                    raise
                # Without it nothing more is begun, and what was sent is still recorded.
                _log.error("contacts cannot be read again", extra={"error": type(error).__name__})
                break
        began, gated_now = app.settings.clock(), False
        answered = await _send_part(backend, part) if part else []
        late = [message for message, receipt in answered if not receipt.begun and receipt.fault is None]
        if len(late) < len(part):
            answered = [
                (message, receipt) for message, receipt in answered if receipt.begun or receipt.fault is not None
            ]
            waiting.extendleft(reversed(late))
        backend.pace.adapt(len(answered), app.settings.clock() - began)
        for _, receipt in answered:
            course.add(receipt)
        receipts += answered
        broken = bool(course) or any(receipt.fault is Fault.BACKEND for _, receipt in answered)
    if broken:
        backend.pace.size = FEW
    if course:
        _log.error("a backend refuses one message like the other: the rest waits", extra={"backend": backend.name})


async def _unmoved(
    app: Application, batch: Batch, messages: Sequence[QueuedMessage], outcomes: Outcomes
) -> list[QueuedMessage]:
    """
    Return the messages whose contacts are as they were when they were gated. The others go back into the queue.
    """
    records = [batch.records[message.contact.subject] for message in messages]
    moved = await app.repository.moved(records, batch.contexts)
    for message in messages:
        if message.contact.subject in moved:
            outcomes.defer(message, app.settings.clock())
    return [message for message in messages if message.contact.subject not in moved]


async def _send_part(backend: Backend, part: Sequence[QueuedMessage]) -> list[tuple[QueuedMessage, Receipt]]:
    messages = [message.message for message in part if message.message is not None]
    try:
        if backend.batch is None:
            receipts: Sequence[Receipt] = [await backend.one.send(message) for message in messages]
        else:
            receipts = await backend.batch.send_all(messages)
        if len(receipts) != len(messages) or not all(isinstance(receipt, Receipt) for receipt in receipts):
            raise TypeError("a receipt is missing")
    except Exception as error:
        if backend.batch is None and isinstance(error, UsageError):
            return [(part[0], Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}", fault=Fault.MESSAGE))]
        receipts = [_failure(backend, message, error) for message in messages]
    return list(zip(part, receipts, strict=True))


def _failure(backend: Backend, message: Message, error: Exception) -> Receipt:
    """
    Return the receipt for a message whose backend raised: it may have been sent before the failure.

    The text and traceback of the error may hold an address, so only its class is logged.
    """
    facts = {"message_id": message.id, "backend": backend.name, "error": type(error).__name__}
    _log.error("message backend raised an exception", extra=facts)
    return Receipt(outcome=Outcome.IN_DOUBT)
