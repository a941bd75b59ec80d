"""
Real bounces are read as those who collected them read them.
"""

from __future__ import annotations

import pytest
from backends.bounces import BOUNCES, Bounce, bounces

pytestmark = pytest.mark.skipif(not BOUNCES.exists(), reason="../shared/data/bounces is not there")


def of_kind(kind: str) -> list[Bounce]:
    return [bounce for bounce in bounces() if bounce.kind == kind]


def test_nearly_every_dead_address_is_found() -> None:
    """
    At once, or when it goes on for two weeks.
    """
    dead = of_kind("dead")
    found = [bounce for bounce in dead if bounce.verdict() in ("bounced", "failed for good")]
    assert len(found) >= 0.95 * len(dead) > 0
    assert sum(bounce.verdict() == "bounced" for bounce in found) >= len(dead) / 2


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
