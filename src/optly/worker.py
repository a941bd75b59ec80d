"""
A worker: delivers what is due, again and again, until it is stopped.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Final

from optly.backoff import backoff
from optly.errors import RetryableError
from optly.manager import ConsentManager
from optly.results import Deliveries

_log = logging.getLogger("optly")

_LONGEST_PAUSE: Final = timedelta(minutes=1)


def work(
    manager: ConsentManager,
    *,
    stop: Event,
    idle: timedelta = timedelta(seconds=1),
    report: Callable[[Deliveries], object] | None = None,
) -> Deliveries:
    """
    Deliver what is due until *stop* is set, and return the outcomes in total.

    A batch in progress is finished first. Any number of workers may run at once, in threads, processes and on machines
    that share the store. If the store is unavailable, the worker tries again, with waits that grow to a minute.

    Args:
        stop: Set it from a signal handler or another thread.
        idle: How long to wait when nothing is due.
        report: Called after each batch, even an empty one.

    Raises:
        OptlyError: An error that does not go away by itself, such as a damaged store.
    """
    deliveries, failures = Deliveries(), 0
    while not stop.is_set():
        try:
            batch = manager.deliver_batch()
        except RetryableError as error:
            failures += 1
            if failures == 1:
                _log.warning("worker paused; it will try again", extra={"error": str(error)})
            share = random.uniform(0.5, 1)  # noqa: S311
            stop.wait(backoff(failures, first=idle, longest=_LONGEST_PAUSE, share=share).total_seconds())
            continue
        if failures:
            _log.warning("worker resumed", extra={"failures": failures})
            failures = 0
        deliveries += batch
        if report is not None:
            report(batch)
        if not batch.finished:
            stop.wait(idle.total_seconds())
    return deliveries
