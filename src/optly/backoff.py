"""
How long to wait before the next attempt. Pure.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

_MOST_DOUBLINGS: Final = 16  # enough to reach any limit; without it a long outage would overflow a timedelta


def backoff(attempt: int, *, first: timedelta, longest: timedelta, share: float) -> timedelta:
    """
    Return *share* of a time that doubles with each attempt, up to *longest*.

    Args:
        attempt: 0 for the attempt whose time is *first*.
        share: From 0 to 1. Drawn at random by the caller, so that not all try again together.
    """
    return min(first * (1 << min(attempt, _MOST_DOUBLINGS)), longest) * share
