# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_worker``
"""

from __future__ import annotations

import argparse
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from types import FrameType
from typing import Any, Final

import attrs
from django.db import close_old_connections

from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand
from optly.results import Deliveries
from optly.worker import work

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_EVERY: Final = timedelta(seconds=10)


def _seconds(text: str) -> timedelta:
    try:
        span = timedelta(seconds=float(text))
    except (ValueError, OverflowError):
        span = timedelta(0)
    if not timedelta(0) < span <= timedelta(days=1):
        raise argparse.ArgumentTypeError("write a number of seconds above 0 and up to 86400")
    return span


class Command(OptlyCommand):
    help = (
        "Hand over what is due, until it is told to stop. SIGTERM or Ctrl-C lets it finish the batch it holds; a "
        "second one ends it at once. Any number of workers may run."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--idle",
            type=_seconds,
            default=timedelta(seconds=1),
            metavar="SECONDS",
            help="how long to wait when nothing is due, by default 1",
        )

    def handle(self, *_: Any, idle: timedelta, **__: Any) -> None:
        stop = Event()
        self._done, self._told_at = Deliveries(), time.monotonic()
        with _stopped_by_signals(stop):
            self.tell("worker ready")
            work(get_manager(), stop=stop, idle=idle, report=self._report)
        self.tell(f"worker stopped; {_counted(self._done)}")

    def _report(self, batch: Deliveries) -> None:
        # What receivers of the signals opened of Django's own, which a request would have closed.
        close_old_connections()
        self._done += batch
        now = time.monotonic()
        if batch.total and now - self._told_at >= _EVERY.total_seconds():
            self._told_at = now
            self.tell(_counted(self._done))


@contextmanager
def _stopped_by_signals(stop: Event) -> Iterator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _counted(done: Deliveries) -> str:
    counted = [f"{number:,} {name.replace('_', ' ')}" for name, number in attrs.asdict(done).items() if number]
    return ", ".join(counted) or "nothing was due"
