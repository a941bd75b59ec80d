"""
Delivery: messages of the outbox are claimed, gated a second time, sent once, and their outcomes recorded.

Messages of one channel go in batches, so that the store commits once for many of them and the backend can reuse its
connections. A batch has one message for each contact.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from optly._operations import rates
from optly._operations.application import Application
from optly._operations.leases import BATCH, claim, doubt_overdue, due
from optly._operations.outcomes import FIRST_DELAY, Outcomes
from optly._operations.prepare import prepare
from optly._operations.running import surely
from optly._operations.sealing import seal
from optly._operations.sending import Sending
from optly.contacts import Channel
from optly.errors import LedgerError, StorageFullError
from optly.results import Deliveries

_log = logging.getLogger("optly")

_TIDIED_EVERY: Final = timedelta(minutes=1)
# So few that nobody who waits for the store notices, and so many that sending goes on during a long import.
_REMOVED_AT_ONCE: Final = 500
_SEALED_AT_ONCE: Final = 10_000


async def deliver(app: Application, limit: int | None) -> Deliveries:
    """
    Send everything that is due, longest ago first, then seal the log and delete what has served its time.
    """
    await _end_unfinished(app)
    deliveries = await doubt_overdue(app)
    attempted = 0
    for channel in app.backends:
        unfinished = True
        while unfinished and (limit is None or attempted < limit):
            size = BATCH if limit is None else min(BATCH, limit - attempted)
            batch, unfinished = await _deliver_batch(app, channel, size)
            attempted += batch.total
            deliveries += batch
    await _tidy(app, deliveries, whole=True)
    return deliveries


async def deliver_batches(app: Application) -> Deliveries:
    await _end_unfinished(app)
    deliveries = await doubt_overdue(app)
    for channel in app.backends:
        deliveries += (await _deliver_batch(app, channel, BATCH))[0]
    await _tidy(app, deliveries, whole=False)
    return deliveries


async def _end_unfinished(app: Application) -> None:
    """
    End the batches that could not be ended when they were cut off.
    """
    while app.unfinished:
        end = app.unfinished.popleft()
        try:
            await surely(end)
        except BaseException:
            app.unfinished.append(end)
            raise


async def _tidy(app: Application, deliveries: Deliveries, *, whole: bool) -> None:
    """
    Seal what was sent, and delete expired codes and messages that ended long enough ago.

    Args:
        whole: Whether to delete them all, and not only until a message is due.
    """
    now = app.settings.clock()
    # Also when there is nothing to send: people are added, and those who try links or have new ones sent add to it.
    if deliveries.total or app.tidied.at is None or not app.tidied.at <= now < app.tidied.at + _TIDIED_EVERY:
        try:
            await seal(app, _SEALED_AT_ONCE)
        except LedgerError as error:
            # What was sent is sent. Whoever seals or verifies is told what is wrong.
            _log.error("log cannot be sealed", extra={"error": type(error).__name__})
        app.tidied.at = None
        for remove in _removals(app, now):
            while await remove(_REMOVED_AT_ONCE) >= _REMOVED_AT_ONCE:
                if not whole and await _is_due(app):
                    return
        app.tidied.at = now


def _removals(app: Application, now: datetime) -> Iterator[Callable[[int], Awaitable[int]]]:
    """
    Yield what removes up to a number of rows that have served their time, and returns how many.
    """
    yield partial(app.storage.expire, now)
    if app.settings.keep_settled is not None:
        yield partial(app.storage.remove_ended, app.settings.organisation.key, now - app.settings.keep_settled)


async def _is_due(app: Application) -> bool:
    """
    Whether a message waits to be sent.
    """
    now = app.settings.clock()
    for channel in app.backends:
        if await app.storage.due(app.settings.organisation.key, channel, now, 1):
            return True
    return False


async def _deliver_batch(app: Application, channel: Channel, size: int) -> tuple[Deliveries, bool]:
    """
    Send one batch of what is due on *channel*, and return whether to go on with the next.
    """
    now, backend = app.settings.clock(), app.backends[channel]
    rows = await due(app, channel, now, size)
    room = await rates.reserve(app, channel, len(rows), now)
    outcomes, sending = Outcomes(app.settings), None
    try:
        try:
            messages = await claim(app, rows[:room], now, outcomes)
        except StorageFullError:
            await _tidy(app, Deliveries(), whole=True)  # what has served its time makes room for the next attempt
            raise
        if room and not messages:
            # Another worker claimed all of them first.
            rows = await due(app, channel, now, size, contended=True)
            messages = await claim(app, rows[:room], now, outcomes)
        if messages:
            sending = Sending(app, backend, await prepare(app, messages, now, outcomes), now)
            await sending.run(outcomes)
            sending.conclude(outcomes, cut_off=False)
        await outcomes.write(app)
    except BaseException as error:
        end = partial(_give_back, app, outcomes, sending, error)
        try:
            await surely(end)
        except Exception as second:
            # Most likely the store is away for a while. What is known is not forgotten before it is back.
            app.unfinished.append(end)
            _log.error("a batch stays claimed for now", extra={"error": type(second).__name__})
        raise
    if sending is None:
        return outcomes.deliveries, bool(rows) and room > 0
    return outcomes.deliveries, not sending.broken and room == len(rows)


async def _give_back(app: Application, outcomes: Outcomes, sending: Sending | None, error: BaseException) -> None:
    """
    End a batch that failed or was interrupted: record what was sent, and put back what was not begun. Only what was
    under way stays claimed, and will be in doubt.
    """
    if sending is not None:
        sending.conclude(outcomes, cut_off=True)
    under_way = () if sending is None else sending.under_way
    outcomes.give_back(under_way, app.settings.clock() + FIRST_DELAY if isinstance(error, Exception) else None)
    await outcomes.write(app)
