"""
Real bounces are read as those who collected them read them.
"""

from __future__ import annotations

import pytest
from backends.bounces import BOUNCES, Bounce, bounces

pytestmark = pytest.mark.skipif(not BOUNCES.exists(), reason="../shared/data/bounces is not there")


def of_kind(kind: str) -> list[Bounce]:
    return [bounce for bounce in bounces() if bounce.kind == kind]


def found(dead: Bounce) -> bool:
    return dead.verdict() in ("bounced", "failed for good")


def test_nearly_every_dead_address_is_found() -> None:
    """
    At once, or when it goes on for two weeks.
    """
    dead = of_kind("dead")
    assert sum(map(found, dead)) >= 0.95 * len(dead) > 0
    assert sum(bounce.verdict() == "bounced" for bounce in dead) >= len(dead) / 2


def test_hardly_any_other_address_is_taken_for_dead() -> None:
    """
    Temporary trouble is the harmful mistake: somebody who wants the mail gets no more of it.
    """
    alive = of_kind("not dead")
    wrong = [bounce.name for bounce in alive if "bounced" in bounce.verdict()]
    assert len(wrong) <= 0.01 * len(alive)


def test_no_complaint_and_no_opt_out_is_lost() -> None:
    """
    In whatever form it came.
    """
    assert {"complained", "stop"} >= {bounce.verdict() for bounce in of_kind("complaint or opt-out")}


def test_more_is_read_rightly_than_by_a_library_of_bounces() -> None:
    """
    Of the dead addresses, of those that are not, and of the complaints, of which it knows none.
    """
    dead, alive = of_kind("dead"), of_kind("not dead")
    assert sum(found(bounce) for bounce in dead) > sum(bounce.by_library() == "permanent" for bounce in dead)
    assert sum("bounced" in bounce.verdict() for bounce in alive) < sum(
        bounce.by_library() == "permanent" for bounce in alive
    )
    assert {"nothing"} == {bounce.by_library() for bounce in of_kind("complaint or opt-out")}
