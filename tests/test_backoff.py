"""
Waits between attempts.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from optly.backoff import backoff

SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("attempt", "seconds"), [(0, 1), (1, 2), (5, 32), (6, 60), (10**9, 60)])
def test_the_wait_doubles_up_to_the_longest(attempt: int, seconds: int) -> None:
    """
    From the first on, and however many attempts there were.
    """
    wait = backoff(attempt, first=SECOND, longest=60 * SECOND, share=1)
    assert seconds * SECOND == wait


def test_the_share_is_the_callers() -> None:
    """
    From nothing to all of it.
    """
    waits = [backoff(2, first=SECOND, longest=60 * SECOND, share=share) for share in (0, 0.5, 1)]
    assert [0 * SECOND, 2 * SECOND, 4 * SECOND] == waits
