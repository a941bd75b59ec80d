"""
Sending messages from Celery.

A task carries only numbers. What to send, to whom, and which worker has claimed it is in the database, so a task that
runs twice, late or never does no harm.
"""

from __future__ import annotations

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Lock, current_thread, main_thread
from time import monotonic, sleep
from types import FrameType
from typing import Any, Final

import attrs

from optly.errors import ConfigurationError, RetryableError
from optly.manager import ConsentManager
from optly.results import Deliveries

try:
    from celery import Celery  # type: ignore[import-untyped]
except ModuleNotFoundError as missing:
    raise ConfigurationError(f"{missing.name} is missing: pip install 'optly[celery]'") from None

_OPTIONS: Final = {
    # The lease in the database decides who sends a message, not the broker, so a task may run twice. The messages of a
    # worker that died are not claimed again, and the rest are sent without waiting for the next beat.
    "acks_late": True,
    "reject_on_worker_lost": True,
    "autoretry_for": (RetryableError,),
    "max_retries": 10,
    "retry_backoff": 1,
    "retry_backoff_max": 60,
    "retry_jitter": True,
}

# The signal of Celery's soft time limit; None on Windows, which has none.
_SOFT_LIMIT: Final = getattr(signal, "SIGUSR1", None)

# Most rates are per second, so there is room again after one.
_PAUSE: Final = timedelta(seconds=1)


@attrs.frozen(kw_only=True)
class Tasks:
    """
    The tasks that were added to an application.

    Attributes:
        deliver: ``deliver.delay(seconds=20)`` sends what is due until nothing is or the time is over, and returns the
            counts of `Deliveries`.
        reconcile: ``reconcile.delay(resend=False, limit=1000)`` looks into messages in doubt, and returns the number of
            each finding and how many were queued again.
    """

    deliver: Any
    reconcile: Any

    def schedule(
        self, *, every: timedelta = timedelta(seconds=10), reconcile_every: timedelta = timedelta(minutes=15)
    ) -> dict[str, dict[str, Any]]:
        """
        Return entries for ``beat_schedule``, with which Celery's beat sends both tasks.

        A task expires when the next one is sent, so that none pile up while no worker runs.
        """
        return {
            task.name: {"task": task.name, "schedule": span, "options": {"expires": span.total_seconds()}}
            for task, span in [(self.deliver, every), (self.reconcile, reconcile_every)]
        }


def install(app: Celery, manager: Callable[[], ConsentManager], *, name_prefix: str = "optly.") -> Tasks:
    """
    Add the tasks ``optly.deliver`` and ``optly.reconcile`` to a Celery application.

    Both may be sent at any time, any number of times, and run in parallel. If the database cannot be reached, a task is
    retried up to ten times, after random waits that grow to a minute.

    Args:
        manager: Makes the manager. Called once in each process, when it runs its first task, so that no connection is
            shared with the parent process.
        name_prefix: The beginning of the tasks' names.
    """
    managers = _OnePerProcess(manager)

    def deliver(seconds: float = 20) -> dict[str, int]:
        with _heeding_time_limits():
            return attrs.asdict(_deliver(managers.get(), timedelta(seconds=seconds)))

    def reconcile(resend: bool = False, limit: int = 1000) -> dict[str, int]:
        with _heeding_time_limits():
            doubts = managers.get().reconcile(resend=resend, limit=limit)
        found = Counter(doubt.finding.value for doubt in doubts)
        return {**found, "resent": sum(doubt.resent for doubt in doubts)}

    return Tasks(
        deliver=app.task(deliver, name=f"{name_prefix}deliver", **_OPTIONS),
        reconcile=app.task(reconcile, name=f"{name_prefix}reconcile", **_OPTIONS),
    )


class _OnePerProcess:
    def __init__(self, make: Callable[[], ConsentManager]) -> None:
        self._make = make
        self._lock = Lock()
        self._made: tuple[int, ConsentManager] | None = None

    def get(self) -> ConsentManager:
        with self._lock:
            if self._made is None or self._made[0] != os.getpid():
                self._made = os.getpid(), self._make()
            return self._made[1]


class _TimeLimit(BaseException):
    """
    A time limit, as an interruption.

    Attributes:
        error: What Celery raises for it.
    """

    def __init__(self, error: Exception) -> None:
        super().__init__("a time limit was reached")
        self.error = error


@contextmanager
def _heeding_time_limits() -> Iterator[None]:
    """
    Have Celery's soft time limit interrupt whatever is running.

    Celery raises an ordinary exception from a signal handler, anywhere. Inside the call of a message backend it would
    be taken for a failure of that backend, and the batch would go on until the hard limit kills the process.
    """
    signals = None if _SOFT_LIMIT is None or current_thread() is not main_thread() else _SOFT_LIMIT
    before = None if signals is None else signal.getsignal(signals)
    if signals is None or not callable(before):
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        try:
            before(number, frame)
        except Exception as error:
            raise _TimeLimit(error) from None

    signal.signal(signals, interrupt)
    try:
        yield
    except _TimeLimit as limit:
        raise limit.error from None
    finally:
        signal.signal(signals, before)


def _deliver(manager: ConsentManager, budget: timedelta) -> Deliveries:
    """
    Send batches until nothing is due. A batch that has begun when the time is over is finished.
    """
    end = monotonic() + budget.total_seconds()
    done, idle = Deliveries(), 0
    while True:
        batch = manager.deliver_batch()
        done += batch
        idle = 0 if batch.finished else idle + 1
        if not done.total or idle == 2 or monotonic() >= end:
            return done
        if idle:
            sleep(_PAUSE.total_seconds())
