"""
The two ways of running an operation: blocking, without an event loop, and awaited, with blocking ports in threads.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


def run_to_completion(operation: Coroutine[Any, Any, T]) -> T:
    """
    Run *operation* to completion in the calling thread, without an event loop.

    Works because blocking ports never suspend. If something does suspend, it is a bug in Optly and fails loudly at
    once instead of hanging.
    """
    try:
        operation.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        operation.close()
    raise RuntimeError("operation suspended outside an event loop")


class Wrap(Protocol):
    """
    Turns a blocking function into an awaitable one.
    """

    def __call__(self, function: Callable[..., T], /) -> Callable[..., Awaitable[T]]: ...


def directly(function: Callable[..., T], /) -> Callable[..., Awaitable[T]]:
    """
    Run *function* in the calling thread. Awaiting it never suspends.
    """

    async def call(*args: Any, **kwargs: Any) -> T:
        return function(*args, **kwargs)

    return call


def in_threads(function: Callable[..., T], /) -> Callable[..., Awaitable[T]]:
    """
    Run *function* in a thread of the event loop's pool. A coroutine function is awaited as it is.
    """
    if inspect.iscoroutinefunction(function):
        return function

    async def call(*args: Any, **kwargs: Any) -> T:
        import asyncio

        return await asyncio.to_thread(function, *args, **kwargs)

    return call


class Awaited:
    """
    A port whose methods are awaited. Each method is wrapped when it is first used.

    It satisfies the awaited protocol of the port, because both protocols are made from one source.
    """

    def __init__(self, port: object, wrap: Wrap) -> None:
        self._port, self._wrap = port, wrap

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if callable(value):
            value = self._wrap(value)
            self.__dict__[name] = value
        return value
