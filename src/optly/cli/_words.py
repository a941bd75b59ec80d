"""
Dates and numbers as people write them.
"""

from __future__ import annotations

from datetime import UTC, date, datetime


def day(value: date) -> str:
    """
    Return a date as in ``5 February 2026``.
    """
    return f"{value.day} {value:%B %Y}"


def instant(value: datetime) -> str:
    """
    Return an aware datetime as in ``5 February 2026, 09:30 UTC``.
    """
    value = value.astimezone(UTC)
    return f"{day(value)}, {value:%H:%M} UTC"


def count(number: int, what: str) -> str:
    """
    Return a number of things, as in ``1 number`` and ``2,000 numbers``.
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"
