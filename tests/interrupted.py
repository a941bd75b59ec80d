"""
Stores and backends that are interrupted at the n-th call: before it, or after it did its work.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import attrs

from optly import protocols
from optly.backends import MemoryBackend
from optly.messages import Message, Receipt
from optly.storage import MemoryStorage, SQLStorage

T = TypeVar("T")


class StopError(BaseException):
    """
    What Ctrl-C, a time limit or a signal handler raises, wherever it meets the program.
    """


@attrs.define
class Steps:
    """
    Counts calls, and interrupts at some of them once it is armed.

    Attributes:
        at: The numbers of those calls, the first being 1.
        after: Whether they do their work first.
        strike: Interrupts. By default it raises.
    """

    at: frozenset[int] = frozenset()
    after: bool = False
    taken: int = 0
    armed: bool = False
    struck: int = 0
    strike: Callable[[], None] | None = None

    def arm(self, *at: int, after: bool = False) -> None:
        self.at, self.after, self.taken, self.armed, self.struck = frozenset(at), after, 0, True, 0

    def disarm(self) -> None:
        self.armed = False

    def take(self, call: Callable[[], T]) -> T:
        if not self.armed:
            return call()
        self.taken += 1
        strikes = self.taken in self.at
        if strikes and not self.after:
            self._interrupt()
        result = call()
        if strikes and self.after:
            self._interrupt()
        return result

    def _interrupt(self) -> None:
        self.struck += 1
        if self.strike is None:
            raise StopError
        self.strike()


def _counted(kind: type[Any], port: type[Any], steps_of: Callable[[Any], Steps]) -> type[Any]:
    """
    Return a subclass whose methods of *port* are counted.
    """

    def counted(method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            return steps_of(self).take(lambda: method(self, *args, **kwargs))

        return call

    names = [name for name in vars(port) if not name.startswith("_") and callable(getattr(kind, name, None))]
    return type(f"Counted{kind.__name__}", (kind,), {name: counted(getattr(kind, name)) for name in names})


def _own(port: Any) -> Steps:
    steps: Steps = port.steps
    return steps


CountedMemory = _counted(MemoryStorage, protocols.Storage, _own)
CountedSQL = _counted(SQLStorage, protocols.Storage, _own)


class Provider(MemoryBackend):
    """
    Keeps what it was given, and counts its calls. What it was given it may have sent.
    """

    steps: Steps

    def __init__(self, **more: Any) -> None:
        super().__init__(**more)
        self.begun: list[str] = []

    def send(self, message: Message) -> Receipt:
        self.begun.append(message.id)
        return self.steps.take(lambda: super(Provider, self).send(message))


class BatchProvider(Provider):
    """
    Is given several at once.
    """

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.begun += [message.id for message in messages]
        return self.steps.take(lambda: [MemoryBackend.send(self, message) for message in messages])


class Canceller:
    """
    Cancels a task from a thread in which one of its calls runs, and returns once the loop has seen to that.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any]) -> None:
        self._loop, self._task = loop, task

    def __call__(self) -> None:
        seen = threading.Event()

        def cancel() -> None:
            self._task.cancel()
            # Two turns of the loop: one to tell the task, and one in which it does what it does then.
            self._loop.call_soon(self._loop.call_soon, self._loop.call_soon, seen.set)

        self._loop.call_soon_threadsafe(cancel)
        assert seen.wait(5)


@contextmanager
def interrupted_at_line(n: int, directory: Path) -> Iterator[Callable[[], int]]:
    """
    Interrupt before the n-th line that runs in a directory, as a signal may. Yields what counts those lines.
    """
    lines = 0

    def of_frame(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        if event == "line":
            lines += 1
            if lines == n:
                sys.settrace(None)
                raise StopError
        return of_frame

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        return of_frame if frame.f_code.co_filename.startswith(str(directory)) else None

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        yield lambda: lines
    finally:
        sys.settrace(before)
