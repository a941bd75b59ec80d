"""
The two ways of running an operation: blocking, without an event loop, and awaited, with blocking ports in threads.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Any, Final, Protocol, TypeVar

T = TypeVar("T")

# Whoever interrupts more often than that means it.
_PATIENCE: Final = 3


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

    A thread cannot be stopped. So a cancellation waits until it has finished: whatever is done then is not overtaken.
    """
    if inspect.iscoroutinefunction(function):
        return function

    async def call(*args: Any, **kwargs: Any) -> T:
        import asyncio

        context, ready = copy_context(), partial(_without_stop_iteration, function, *args, **kwargs)
        work = asyncio.get_running_loop().run_in_executor(None, context.run, ready)
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            while not work.done():
                with suppress(asyncio.CancelledError):
                    await asyncio.wait([work])
            if not work.cancelled():
                work.exception()  # otherwise the loop logs that nobody asked for it
            raise

    return call


def _without_stop_iteration(function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
    try:
        return function(*args, **kwargs)
    except StopIteration as error:
        # A future cannot carry one: whoever awaits it would wait for ever.
        raise RuntimeError("a function raised StopIteration") from error


async def surely(step: Callable[[], Awaitable[T]]) -> T:
    """
    Take a step that an interruption must not keep from being taken: if it is interrupted, it is taken again.

    Args:
        step: Harmless when repeated.

    Raises:
        BaseException: It was interrupted, and was taken all the same; or it was interrupted again and again.
    """
    interruption: BaseException | None = None
    for _ in range(_PATIENCE):
        try:
            result = await step()
        except Exception:
            raise
        except BaseException as error:
            interruption = interruption or error
        else:
            if interruption is None:
                return result
            break
    assert interruption is not None
    raise interruption


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
