"""
One rule for every time that another clock gave: up to five minutes ahead it is now, and beyond that it is a mistake.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import pytest
from world import EMAIL, World, world

from optly import Act, Channel, Contact, MessageKind, Solicited, Wording
from optly.errors import UsageError
from optly.instants import CLOCK_SKEW

US: Final = timedelta(microseconds=1)
WORDING: Final = Wording(text="May Acme Ltd email you offers and discounts?", language="en")

Tells: TypeAlias = Callable[[World, Contact, datetime], object]
TOLD: Final[dict[str, Tells]] = {
    "a wish": lambda w, ada, at: w.ask(ada, basis=Solicited(how="newsletter form", at=at)),
    "a consent": lambda w, ada, at: w.manager.record_consent(
        ada, channels=["email"], purposes=["offers"], wording=WORDING, act=Act.TICKED_BOX, how="form", at=at
    ),
    "an objection": lambda w, ada, at: w.manager.record_objection(ada, at=at),
    "a withdrawal": lambda w, ada, at: w.manager.withdraw(ada, channels=["email"], at=at),
    "a complaint": lambda w, ada, at: w.manager.record_complaint(ada, text="Too many.", how="letter", at=at),
}


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
@pytest.mark.parametrize("ahead", [timedelta(0), timedelta(seconds=1), CLOCK_SKEW])
def test_a_clock_that_is_ahead_is_believed(told: Tells, ahead: timedelta) -> None:
    """
    Whatever was told with it, up to the limit.
    """
    w = world()
    ada = w.add()
    before = len(w.manager.history(ada))
    told(w, ada, w.clock() + ahead)
    assert len(w.manager.history(ada)) > before


@pytest.mark.parametrize("told", TOLD.values(), ids=TOLD)
def test_a_time_beyond_that_is_a_mistake(told: Tells) -> None:
    """
    A microsecond beyond the limit, and nothing is recorded.
    """
    w = world()
    ada = w.add()
    before = w.manager.history(ada)
    with pytest.raises(UsageError, match="in the future"):
        told(w, ada, w.clock() + CLOCK_SKEW + US)
    assert before == w.manager.history(ada)


def solicited(w: World, at: datetime) -> bool:
    asked = Solicited(how="asked for a price list", at=at)
    return w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SOLICITED, solicited=asked).allowed


def test_the_gate_knows_the_same_rule() -> None:
    """
    What the person asked for is sent to them, if they can have asked for it.
    """
    w = world()
    w.add()
    assert solicited(w, w.clock())
    assert solicited(w, w.clock() + US)
    assert solicited(w, w.clock() + CLOCK_SKEW)
    assert not solicited(w, w.clock() + CLOCK_SKEW + US)


@pytest.mark.parametrize("ahead", [timedelta(0), US, timedelta(seconds=1), CLOCK_SKEW])
def test_a_wish_whose_clock_is_ahead_comes_after_no_stop_of_now(ahead: timedelta) -> None:
    """
    At the same instant the stop wins, and nobody can claim a wish for the minutes to come.
    """
    w = world()
    w.manager.record_objection(w.add())
    assert not solicited(w, w.clock() + ahead)
    w.later(CLOCK_SKEW)
    assert solicited(w, w.clock())
