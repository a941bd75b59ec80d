"""
``optly worker``
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event
from types import FrameType
from typing import Final

import attrs
import click
from rich.console import Console
from rich.status import Status

from optly.cli._app import with_manager
from optly.cli._options import SECONDS
from optly.cli._words import count
from optly.errors import RetryableError
from optly.manager import ConsentManager
from optly.protocols import MessageState
from optly.results import Deliveries
from optly.worker import work

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_REFRESH: Final = timedelta(seconds=0.5)  # on a terminal
_OUTCOMES: Final = ("accepted", "refused", "retried", "in_doubt", "withheld", "deferred")


@click.command("worker")
@click.option("--idle", default="1", show_default=True, help="How long to wait when nothing is due.", **SECONDS)
@click.option(
    "--every", default="10", show_default=True, help="How often to tell rate and backlog, off a terminal.", **SECONDS
)
@click.option("--once", is_flag=True, help="Hand over what is due, and end.")
@click.option("--quiet", is_flag=True, help="Tell nothing but what went wrong.")
@with_manager
def command(manager: ConsentManager, *, idle: timedelta, every: timedelta, once: bool, quiet: bool) -> None:
    """
    Hand over what is due, until it is told to stop.

    SIGTERM or Ctrl-C lets it finish the batch it holds and end with exit code 0; a second one ends it at once, and what
    it held is then in doubt. Any number of workers may run at once.

    \b
    Examples:
      optly worker --app acme.consent:manager
      optly worker --app acme.consent:manager --once    from a timer
    """
    stop = Event()
    with _stopped_by_signals(stop), _Telling(manager, every=every, quiet=quiet) as telling:
        if once:
            while not stop.is_set() and telling.told(manager.deliver_batch()):
                pass
        else:
            work(manager, stop=stop, idle=idle, report=telling.told)


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


@attrs.define
class _Telling:
    """
    Tells what was done: on a terminal in one line that changes, elsewhere in a line now and then, and at the end.
    """

    _manager: ConsentManager
    _every: timedelta = attrs.field(kw_only=True)
    _quiet: bool = attrs.field(kw_only=True)
    _done: Deliveries = attrs.field(factory=Deliveries, init=False)
    _told_at: float = attrs.field(factory=time.monotonic, init=False)
    _told: int = attrs.field(default=0, init=False)
    _status: Status | None = attrs.field(default=None, init=False)

    def __enter__(self) -> _Telling:
        console = Console(stderr=True)
        if console.is_terminal and not self._quiet:
            self._status = console.status("waiting for what is due")
            self._status.start()
        elif not self._quiet:
            click.echo(f"worker ready; {self._backlog()}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
        if not self._quiet:
            click.echo(f"worker stopped; {self._counted()}")

    def told(self, batch: Deliveries) -> bool:
        """
        Take note of a batch, and return whether there is more to come at once.
        """
        self._done += batch
        now = time.monotonic()
        elapsed, fresh = now - self._told_at, self._done.total - self._told
        if not self._quiet and elapsed >= (self._every if self._status is None else _REFRESH).total_seconds():
            self._told_at, self._told = now, self._done.total
            if self._status is not None:
                self._status.update(self._line(fresh / elapsed))
            elif fresh:
                click.echo(self._line(fresh / elapsed))
        return batch.finished > 0

    def _line(self, rate: float) -> str:
        return f"{rate:,.0f} a second; {self._backlog()}; {self._counted()}"

    def _backlog(self) -> str:
        try:
            return f"{count(self._manager.backlog().get(MessageState.QUEUED, 0), 'message')} waiting"
        except RetryableError:
            return "the store cannot be asked what is waiting"

    def _counted(self) -> str:
        counted = [
            f"{number:,} {name.replace('_', ' ')}" for name in _OUTCOMES if (number := getattr(self._done, name))
        ]
        return ", ".join(counted) or "nothing was due"
