"""
A clock that stands still until it is told to go on.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from optly.errors import NaiveDatetimeError


class FrozenClock:
    """
    Tells the same time until it is moved. Pass it to a manager as its clock.

    Args:
        now: Where it starts. Aware; by default noon of 24 November 2026, UTC.
    """

    def __init__(self, now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)) -> None:
        if now.utcoffset() is None:
            raise NaiveDatetimeError("the clock needs a time with a time zone")
        self.now: datetime = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, by: timedelta) -> datetime:
        """
        Move the clock on and return the new time.
        """
        self.now += by
        return self.now
