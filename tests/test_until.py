"""
What people are told they can do until a day, they can do until that day is over in the United Kingdom.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal.visitor import Acme, Visitor
from world import EMAIL, EMAIL_OFFERS, world

from optly.instants import end_of_day, london
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in

MOMENT = timedelta(microseconds=1)
NAMED = re.compile(r"until (\d+ \w+ \d{4})")
# Thirty days later it is winter, winter again, the day on which summer time begins, summer, and the day it ends.
BEGUN = [
    datetime(2026, 11, 1, 9, tzinfo=UTC),
    datetime(2026, 11, 1, 23, 30, tzinfo=UTC),
    datetime(2027, 2, 26, 0, 30, tzinfo=UTC),
    datetime(2026, 6, 1, 23, 30, tzinfo=UTC),
    datetime(2026, 9, 25, 12, tzinfo=UTC),
]


@given(age=st.timedeltas(timedelta(0), timedelta(days=36500)), later=st.integers(0, 60))
def test_the_last_microsecond_of_a_day_in_the_united_kingdom(age: timedelta, later: int) -> None:
    """
    It lies on that day, and the next one does not, however long the day is.
    """
    begun = datetime(2000, 1, 1, tzinfo=UTC) + age
    last = end_of_day(begun, later=later)
    day = begun.astimezone(london()).date() + timedelta(days=later)
    assert [day, day + timedelta(days=1)] == [each.astimezone(london()).date() for each in (last, last + MOMENT)]


@pytest.mark.parametrize(
    ("at", "last"),
    [
        (datetime(2027, 3, 28, 0, 30, tzinfo=UTC), datetime(2027, 3, 28, 23, tzinfo=UTC)),  # of 23 hours
        (datetime(2026, 10, 24, 23, tzinfo=UTC), datetime(2026, 10, 26, tzinfo=UTC)),  # of 25 hours
        (datetime(2026, 6, 30, 23, tzinfo=UTC), datetime(2026, 7, 1, 23, tzinfo=UTC)),
        (datetime(2026, 12, 1, 23, 59, 59, 999999, tzinfo=UTC), datetime(2026, 12, 2, tzinfo=UTC)),
    ],
)
def test_the_days_on_which_the_clocks_change(at: datetime, last: datetime) -> None:
    """
    They end at midnight by the clock on the wall.
    """
    assert last - MOMENT == end_of_day(at)


@pytest.mark.parametrize("begun", BEGUN)
def test_a_question_can_be_answered_all_of_the_day_it_names(begun: datetime) -> None:
    """
    The message and the page name the same day. The page that comes too late names it as well, and it is over.
    """
    made = world(clock=FrozenClock(begun))
    ada = made.add()
    visitor = Visitor(made.manager.portal(hold_yes_within=None))
    message = made.ask(ada)
    code = code_in(message)
    shown = visitor.get(f"/l/{code}")
    (day,) = {*days_in(message.text), *days_in(shown.text)}
    made.later(over(day) - made.clock() - MOMENT)
    assert 200 == visitor.get(f"/l/{code}").status
    made.later(MOMENT)
    late = visitor.get(f"/l/{code}")
    assert (410, [day]) == (late.status, days_in(late.text))


@pytest.mark.parametrize("begun", BEGUN)
def test_a_stop_can_be_undone_all_of_the_day_its_notice_names(begun: datetime) -> None:
    """
    A change of address likewise, which has the same limit.
    """
    made = world(clock=FrozenClock(begun))
    acme = Acme(made, made.add())
    made.agreed(acme.ada)
    visitor = Visitor(acme.manager.portal(hold_yes_within=None))
    visitor.post(f"/l/{acme.myoptly()}/stop")
    acme.manager.deliver()
    notice = next(message for message in reversed(made.emails.outbox) if days_in(message.text))
    assert EMAIL == notice.to
    (day,) = days_in(notice.text)
    code = code_in(notice)
    made.later(over(day) - made.clock() - MOMENT)
    page = visitor.get(f"/l/{code}")
    assert 200 == visitor.press(page, f"/l/{code}/undo").status
    assert acme.manager.check(acme.ada, *EMAIL_OFFERS)
    made.later(MOMENT)
    assert 404 == visitor.get(f"/l/{code}").status


def days_in(text: str) -> list[str]:
    """
    Return the days that a text names as the last.
    """
    return NAMED.findall(" ".join(text.split()))


def over(day: str) -> datetime:
    """
    Return when a day that is named to people is over.
    """
    return datetime.strptime(day, "%d %B %Y").replace(tzinfo=london()) + timedelta(days=1)
