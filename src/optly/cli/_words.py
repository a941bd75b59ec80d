"""
Dates, numbers and results as people write them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Final

import attrs

from optly.protocols import MessageState
from optly.results import Deliveries

STATES: Final = {state.name.lower().replace("_", "-"): state for state in MessageState}


def day(value: date) -> str:
    """
    Return a date, such as ``5 February 2026``.
    """
    return f"{value.day} {value:%B %Y}"


def instant(value: datetime) -> str:
    """
    Return an aware datetime, such as ``5 February 2026, 09:30 UTC``.
    """
    value = value.astimezone(UTC)
    return f"{day(value)}, {value:%H:%M} UTC"


def count(number: int, what: str, several: str = "") -> str:
    """
    Return a number of things, such as ``1 number`` or ``2,000 numbers``.

    Args:
        several: The plural, if it is not made with an s.
    """
    return f"{number:,} {what}" if number == 1 else f"{number:,} {several or f'{what}s'}"


def outcomes(deliveries: Deliveries) -> str:
    """
    Return what happened to a number of messages, such as ``20 accepted, 1 in doubt``.
    """
    counts = attrs.asdict(deliveries)
    words = [f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number]
    return ", ".join(words) or "nothing was due"


def numbered_lines(numbers: Sequence[int], *, most: int = 20) -> str:
    """
    Return the numbers of some lines, such as ``lines 3, 5``. If there are more than *most*, the rest are not listed.
    """
    shown = ", ".join(map(str, numbers[:most]))
    return f"{'line' if len(numbers) == 1 else 'lines'} {shown}{' and more' if len(numbers) > most else ''}"
