"""
How many examples of a property are tried.
"""

from __future__ import annotations

from hypothesis import settings

USUAL = 100


def examples(count: int) -> int:
    """
    Return how many to try where the full run tries *count*. The profile of the quick tests tries a part of them.
    """
    return max(1, count * settings().max_examples // USUAL)
