"""
Instants: aware datetimes, kept in UTC; and the time zone of the United Kingdom.
"""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from functools import cache
from typing import Annotated, Final, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

import attrs
import msgspec

from optly.errors import NaiveDatetimeError

# How far the clock that timed something may be ahead of ours, inclusive: servers, tills and providers have their own.
CLOCK_SKEW: Final = timedelta(minutes=5)

# One in a value that is stored: naive ones are not read, and given ones are kept in UTC.
Instant: TypeAlias = Annotated[datetime, msgspec.Meta(tz=True)]

_Time = TypeVar("_Time", bound=datetime | None)


def is_aware(_instance: object, attribute: attrs.Attribute[_Time], value: _Time) -> None:
    """
    Validate that a datetime, if there is one, names an instant.
    """
    if value is not None and value.tzinfo is not UTC and value.utcoffset() is None:
        raise NaiveDatetimeError(f"{attribute.name} has no time zone: use datetime.now(timezone.utc) or the like")


def to_utc(value: datetime) -> datetime:
    """
    Convert an aware datetime to UTC. A naive one passes through, for `is_aware` to refuse.
    """
    if value.tzinfo is UTC or value.utcoffset() is None:
        return value
    return value.astimezone(UTC)


def to_utc_or_none(value: datetime | None) -> datetime | None:
    """
    Convert an aware datetime to UTC, as `to_utc`; None stays None.
    """
    return None if value is None else to_utc(value)


def has_happened(at: datetime, now: datetime) -> bool:
    """
    Whether what is timed *at* has happened: up to `CLOCK_SKEW` ahead of *now*, its clock is ahead; beyond that, the
    time is a mistake.
    """
    return at <= now + CLOCK_SKEW


@cache
def london() -> ZoneInfo:
    """
    Return the time zone of the United Kingdom. Loaded when it is first needed.
    """
    return ZoneInfo("Europe/London")


def end_of_day(at: datetime, *, later: int = 0) -> datetime:
    """
    Return the last microsecond, in UTC, of the day in the United Kingdom on which *at* lies, or of the day so many days
    *later*. What people are told to be possible until a day is possible until then.
    """
    next_day = at.astimezone(london()).date() + timedelta(days=later + 1)
    return datetime.combine(next_day, time.min, london()).astimezone(UTC) - timedelta(microseconds=1)
