"""
The two ways of running a flow: blocking, without an event loop, and awaited, with blocking ports in threads.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


def run_to_completion(flow: Coroutine[Any, Any, T]) -> T:
    """
    Run *flow* to its end in the calling thread, without an event loop.

    Works because blocking ports never suspend. If something does suspend, it is a bug in Optly and fails loudly at
    once instead of hanging.
    """
    try:
        flow.send(None)
    except StopIteration as stop:
        value: T = stop.value
        return value
    finally:
        flow.close()
    raise RuntimeError("flow suspended outside an event loop")


class Port:
    """
    Gives the methods of a port the shape of coroutines. Wraps each method once, when it is first asked for.
    """

    def __init__(self, port: Any) -> None:
        self._port = port

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._port, name)
        if callable(value):
            value = self._wrap(value)
            self.__dict__[name] = value
        return value

    def _wrap(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        raise NotImplementedError


class Blocking(Port):
    """
    A port whose methods run in the calling thread and never suspend.
    """

    def _wrap(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            return method(*args, **kwargs)

        return call


class Threaded(Port):
    """
    A port whose blocking methods run in a thread of the loop's pool; methods that are coroutines are left as they are.
    """

    def _wrap(self, method: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
        if inspect.iscoroutinefunction(method):
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            import asyncio

            return await asyncio.to_thread(method, *args, **kwargs)

        return call
