"""
How values of options are parsed: by functions, because click changed the interface of its types between versions.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

import click

_FIRST_YEAR: Final = 1900


def one_of(members: Iterable[StrEnum]) -> click.Choice[str]:
    """
    Return the type of an option whose value is that of one of *members*.
    """
    return click.Choice([member.value for member in members])


def _as_instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    if value is None:
        return None
    try:
        found = datetime.fromisoformat(value)
        # A year before those of this record is a slip, and so close to the first that no time zone can be applied.
        if found.utcoffset() is not None and found.year >= _FIRST_YEAR:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise click.BadParameter("enter date, time and offset from UTC, such as 2026-11-24T12:00:00+00:00")


def _as_day(_ctx: click.Context, _param: click.Parameter, value: str | None) -> date | None:
    try:
        return None if value is None else date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter("enter year, month and day, such as 2026-11-24") from None


# The type of an option that takes the most that a command is to handle.
LIMIT: Final = click.IntRange(1, 1_000_000)

# Settings of an option that takes an instant with its offset from UTC, or a date, in ISO 8601.
INSTANT: Final[dict[str, Any]] = {"metavar": "INSTANT", "callback": _as_instant}
DAY: Final[dict[str, Any]] = {"metavar": "DATE", "callback": _as_day}


def _span(unit: timedelta, name: str, most: int) -> dict[str, Any]:
    def as_span(_ctx: click.Context, _param: click.Parameter, value: str | None) -> timedelta | None:
        if value is None:
            return None
        try:
            span = unit * float(value)
        except (ValueError, OverflowError):
            span = timedelta(0)
        if not timedelta(0) < span <= unit * most:
            raise click.BadParameter(f"enter a number of {name.lower()} above 0 and up to {most:,}")
        return span

    return {"metavar": name, "callback": as_span}


# Settings of an option that takes a length of time.
SECONDS: Final[dict[str, Any]] = _span(timedelta(seconds=1), "SECONDS", 86_400)
DAYS: Final[dict[str, Any]] = _span(timedelta(days=1), "DAYS", 3_650)
