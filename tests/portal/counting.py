"""
Limiters, and what asks them, in this process or in another.
"""

from __future__ import annotations

from collections.abc import Callable

from optly.portal import Limits
from optly.portal.limits import Limiter
from optly.protocols import Storage
from optly.storage import MemoryStorage
from optly.testing.clock import FrozenClock
from optly.testing.storage import Opener

SECRET = b"a secret that is only used in tests"
HERE, THERE = "192.0.2.1", "198.51.100.1"


def limiter(limits: Limits, storage: Storage | None = None, *, clock: FrozenClock | None = None) -> Limiter:
    return Limiter.of(
        limits,
        organisation="acme",
        storage=storage or MemoryStorage(),
        clock=clock or FrozenClock(),
        secret=SECRET,
    )


def allowed(question: Callable[[], bool], times: int) -> int:
    """
    Ask so many times and return how often the answer was yes.
    """
    return [question() for _ in range(times)].count(True)


def ask_often(opener: Opener, limits: Limits, times: int, client: str = HERE) -> int:
    """
    Try so many codes, with a store of one's own, and return how often that was allowed.
    """
    storage = opener()
    try:
        it = limiter(limits, storage)
        return allowed(lambda: it.may_try_digits(client), times)
    finally:
        storage.close()
