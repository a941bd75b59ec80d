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
from optly.cli._host import AFTER_BATCH
from optly.cli._options import SECONDS
from optly.cli._words import count, outcomes
from optly.errors import RetryableError
from optly.manager import ConsentManager
from optly.protocols import MessageState
from optly.results import Deliveries
from optly.worker import work

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
_KILLED: Final = 128  # and the number of the signal: the exit code as a shell gives it
_REFRESH: Final = timedelta(seconds=0.5)  # on a terminal


@click.command("worker")
@click.option("--idle", default="1", show_default=True, help="How long to wait when nothing is due.", **SECONDS)
@click.option(
    "--every",
    default="10",
    show_default=True,
    help="How often to print rate and backlog when not on a terminal.",
    **SECONDS,
)
@click.option("--once", is_flag=True, help="Send what is due, then exit.")
@click.option("--quiet", is_flag=True, help="Print errors only.")
@with_manager
def command(manager: ConsentManager, *, idle: timedelta, every: timedelta, once: bool, quiet: bool) -> None:
    """
    Send messages as they become due, until stopped.

    On SIGTERM or Ctrl-C it finishes the current batch and exits with code 0. A second signal ends the batch: what was
    sent is recorded, what was not begun is left to the next worker, and what was under way is in doubt. Any number of
    workers may run at the same time.

    \b
    Examples:
      optly worker --app acme.consent:manager
      optly worker --app acme.consent:manager --once    from a timer
    """
    stop = Event()
    after_batch = click.get_current_context().meta.get(AFTER_BATCH)
    with _stopped_by_signals(stop), _Progress(manager, every=every, quiet=quiet) as progress:

        def report(batch: Deliveries) -> None:
            if after_batch is not None:
                after_batch()
            progress.add(batch)

        if once:
            while not stop.is_set():
                batch = manager.deliver_batch()
                report(batch)
                if not batch.finished:
                    break
        else:
            work(manager, stop=stop, idle=idle, report=report)


@contextmanager
def _stopped_by_signals(stop: Event) -> Iterator[None]:
    def handle(number: int, _frame: FrameType | None) -> None:
        if stop.is_set():
            signal.signal(number, signal.SIG_DFL)  # a third one ends the process as it is
            raise SystemExit(_KILLED + number)
        stop.set()

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@attrs.define
class _Progress:
    """
    Prints what was done: on a terminal in one line that changes, elsewhere in a line at intervals, and at the end.
    """

    _manager: ConsentManager
    _every: timedelta = attrs.field(kw_only=True)
    _quiet: bool = attrs.field(kw_only=True)
    _done: Deliveries = attrs.field(factory=Deliveries, init=False)
    _printed_at: float = attrs.field(factory=time.monotonic, init=False)
    _printed: int = attrs.field(default=0, init=False)
    _status: Status | None = attrs.field(default=None, init=False)

    def __enter__(self) -> _Progress:
        console = Console(stderr=True)
        if console.is_terminal and not self._quiet:
            self._status = console.status("waiting for messages")
            self._status.start()
        elif not self._quiet:
            click.echo(f"worker ready; {self._backlog()}")
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()
        if not self._quiet:
            click.echo(f"worker stopped; {outcomes(self._done)}")

    def add(self, batch: Deliveries) -> None:
        """
        Count a batch, and print a line if it is time for one.
        """
        self._done += batch
        now = time.monotonic()
        elapsed, fresh = now - self._printed_at, self._done.total - self._printed
        if not self._quiet and elapsed >= (self._every if self._status is None else _REFRESH).total_seconds():
            self._printed_at, self._printed = now, self._done.total
            if self._status is not None:
                self._status.update(self._line(fresh / elapsed))
            elif fresh:
                click.echo(self._line(fresh / elapsed))

    def _line(self, rate: float) -> str:
        return f"{rate:,.0f} a second; {self._backlog()}; {outcomes(self._done)}"

    def _backlog(self) -> str:
        try:
            return f"{count(self._manager.backlog().get(MessageState.QUEUED, 0), 'message')} waiting"
        except RetryableError:
            return "the backlog cannot be read"
