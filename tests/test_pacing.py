"""
Rates have the same windows everywhere, quiet hours follow the clocks on the wall, and budgets are exact.
"""

from __future__ import annotations

import pickle
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError, NaiveDatetimeError, UnknownChannelError
from optly.messages.pacing import Budget, QuietHours, Rate

MICROSECOND = timedelta(microseconds=1)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAIVE = datetime(2026, 11, 23, 12)  # noqa: DTZ001

moments = st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
spans = st.timedeltas(MICROSECOND, timedelta(days=366))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


# ---- rates


def test_a_window_holds_its_start_and_not_its_end() -> None:
    """
    At the end the next window begins, to the microsecond.
    """
    rate = Rate(5, timedelta(minutes=1), channel=Channel.SMS)
    start, end = rate.window(utc(2026, 11, 23, 12, 0, 30))
    assert (utc(2026, 11, 23, 12, 0), utc(2026, 11, 23, 12, 1)) == (start, end)
    assert (start, end) == rate.window(start)
    assert (start, end) == rate.window(end - MICROSECOND)
    assert (end, end + rate.per) == rate.window(end)


def test_windows_are_counted_from_the_epoch() -> None:
    """
    Of seven days the first window began on a Thursday, and a second is a second of the clock.
    """
    assert (utc(2026, 11, 19), utc(2026, 11, 26)) == Rate(1, timedelta(days=7), channel=Channel.SMS).window(NOON)
    assert (NOON, NOON + timedelta(seconds=1)) == Rate(1, channel=Channel.SMS).window(NOON + timedelta(seconds=0.5))


def test_a_window_is_the_same_in_every_time_zone() -> None:
    """
    Processes that tell the time in different zones count in the same window, and its ends are in UTC.
    """
    rate = Rate(1, timedelta(hours=1), channel=Channel.SMS)
    elsewhere = NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert rate.window(NOON) == rate.window(elsewhere)
    assert [UTC, UTC] == [edge.tzinfo for edge in rate.window(elsewhere)]


@given(moments, spans)
def test_windows_follow_each_other_without_a_gap(now: datetime, per: timedelta) -> None:
    """
    Every instant lies in exactly one window, which is as long as the rate says.
    """
    rate = Rate(1, per, channel=Channel.EMAIL)
    start, end = rate.window(now)
    assert start <= now < end
    assert per == end - start
    assert (end, end + per) == rate.window(end)
    assert start == rate.window(start - MICROSECOND)[1]


@pytest.mark.parametrize(
    ("given_domain", "domain"),
    [
        ("example.com", "example.com"),
        ("Example.COM", "example.com"),
        ("bücher.example.com", "xn--bcher-kva.example.com"),
        ("BÜCHER.example.com", "xn--bcher-kva.example.com"),
        ("xn--bcher-kva.example.com", "xn--bcher-kva.example.com"),
    ],
)
def test_a_domain_is_compared_in_one_form(given_domain: str, domain: str) -> None:
    """
    In lower case and in its IDNA form, and what goes to a domain is email.
    """
    rate = Rate(10, domain=given_domain)
    assert domain == rate.domain
    assert Channel.EMAIL is rate.channel
    assert rate == Rate(10, domain=given_domain, channel=Channel.EMAIL)


def test_a_channel_may_be_named() -> None:
    """
    By its value as well as by itself.
    """
    assert Rate(10, channel=Channel.SMS) == Rate(10, timedelta(seconds=1), channel="sms")
    assert Rate(10, channel=Channel.SMS).domain is None
    with pytest.raises(UnknownChannelError):
        Rate(10, channel="pigeon")


@pytest.mark.parametrize("limit", [0, -1])
def test_a_rate_lets_something_out(limit: int) -> None:
    """
    One is the least.
    """
    assert 1 == Rate(1, channel=Channel.SMS).limit
    with pytest.raises(ConfigurationError, match=r"Rate\.limit"):
        Rate(limit, channel=Channel.SMS)


@pytest.mark.parametrize("per", [timedelta(0), -MICROSECOND, timedelta(days=366) + MICROSECOND])
def test_a_window_has_a_length(per: timedelta) -> None:
    """
    From a microsecond to 366 days.
    """
    for good in (MICROSECOND, timedelta(days=366)):
        assert good == Rate(1, good, channel=Channel.SMS).per
    with pytest.raises(ConfigurationError, match=r"Rate\.per"):
        Rate(1, per, channel=Channel.SMS)


def test_a_rate_is_for_a_channel_or_a_domain() -> None:
    """
    For nothing, or for texts to a domain, there is none.
    """
    with pytest.raises(ConfigurationError, match="channel or for a domain"):
        Rate(1)
    with pytest.raises(ConfigurationError, match="only email"):
        Rate(1, channel=Channel.SMS, domain="example.com")


@pytest.mark.parametrize(
    "domain", ["", "example", "x@example.com", "*.example.com", "exa mple.com", "-x.com", "a\nb.com"]
)
def test_what_is_no_domain_is_refused(domain: str) -> None:
    """
    When the rate is made, and not when the first message is counted.
    """
    with pytest.raises(ConfigurationError, match=r"Rate\.domain"):
        Rate(1, domain=domain)


# ---- quiet hours

NIGHT = QuietHours(time(21), time(8))


@pytest.mark.parametrize(
    ("at", "allowed"),
    [
        (utc(2026, 11, 23, 20, 59, 59, 999999), None),
        (utc(2026, 11, 23, 21), utc(2026, 11, 24, 8)),
        (utc(2026, 11, 23, 23, 59, 59, 999999), utc(2026, 11, 24, 8)),
        (utc(2026, 11, 24), utc(2026, 11, 24, 8)),
        (utc(2026, 11, 24, 7, 59, 59, 999999), utc(2026, 11, 24, 8)),
        (utc(2026, 11, 24, 8), None),
        (utc(2026, 7, 1, 19, 59, 59, 999999), None),
        (utc(2026, 7, 1, 20), utc(2026, 7, 2, 7)),
        (utc(2026, 7, 2, 6, 59, 59, 999999), utc(2026, 7, 2, 7)),
        (utc(2026, 7, 2, 7), None),
    ],
)
def test_a_night_is_quiet_from_its_start_to_its_end(at: datetime, allowed: datetime | None) -> None:
    """
    The start is quiet and the end is not, to the microsecond, in winter and in summer.
    """
    assert (allowed or at) == NIGHT.next_allowed(at)


def test_hours_of_one_day_do_not_reach_into_the_next() -> None:
    """
    A quiet lunch begins and ends on the same day.
    """
    lunch = QuietHours(time(12), time(13, 30))
    assert utc(2026, 11, 23, 13, 30) == lunch.next_allowed(NOON)
    for at in (NOON - MICROSECOND, utc(2026, 11, 23, 13, 30), utc(2026, 11, 24)):
        assert at == lunch.next_allowed(at)


def test_what_is_allowed_now_is_returned_as_it_came() -> None:
    """
    In the time zone it was given in; what is later comes in UTC.
    """
    zone = timezone(timedelta(hours=-5))
    allowed = utc(2026, 11, 23, 9).astimezone(zone)
    quiet = utc(2026, 11, 23, 22).astimezone(zone)
    assert (allowed, zone) == (NIGHT.next_allowed(allowed), NIGHT.next_allowed(allowed).tzinfo)
    assert (utc(2026, 11, 24, 8), UTC) == (NIGHT.next_allowed(quiet), NIGHT.next_allowed(quiet).tzinfo)


@pytest.mark.parametrize("change", [utc(2026, 3, 29, 1), utc(2027, 3, 28, 1)])
def test_where_the_clocks_go_forward(change: datetime) -> None:
    """
    The hour from one to two does not come: what ends in it is over, and what starts in it starts, as the clocks change.

    Source: https://www.gov.uk/when-do-the-clocks-change (read 2026-11-23).
    """
    evening = change - timedelta(hours=3)
    assert change + timedelta(hours=6) == NIGHT.next_allowed(evening)  # eight in the morning by the new time
    assert change == QuietHours(time(22), time(1, 30)).next_allowed(evening)
    assert change == QuietHours(time(22), time(1)).next_allowed(evening)
    assert change == QuietHours(time(22), time(2)).next_allowed(evening)
    for start in (time(1), time(1, 30), time(1, 59, 59, 999999), time(2)):
        early = QuietHours(start, time(6))
        assert change - MICROSECOND == early.next_allowed(change - MICROSECOND)
        assert change + timedelta(hours=4) == early.next_allowed(change)
    skipped = QuietHours(time(1, 15), time(1, 45))
    assert [change - MICROSECOND, change] == [skipped.next_allowed(at) for at in (change - MICROSECOND, change)]


@pytest.mark.parametrize("change", [utc(2026, 10, 25, 1), utc(2027, 10, 31, 1)])
def test_where_the_clocks_go_back(change: datetime) -> None:
    """
    The hour from one to two comes twice: quiet starts when the clocks first show it, and ends when they last do.
    """
    evening = change - timedelta(hours=3)
    assert change + timedelta(hours=7) == NIGHT.next_allowed(evening)  # eight in the morning by the new time
    late = QuietHours(time(22), time(1, 30))
    over = change + timedelta(minutes=30)
    for at in (evening, change - timedelta(minutes=15), change, over - MICROSECOND):
        assert over == late.next_allowed(at)
    assert over == late.next_allowed(over)
    early = QuietHours(time(1, 30), time(6))
    first = change - timedelta(minutes=30)
    assert first - MICROSECOND == early.next_allowed(first - MICROSECOND)
    for at in (first, change, change + timedelta(minutes=15)):
        assert change + timedelta(hours=5) == early.next_allowed(at)


def test_an_end_that_the_clocks_go_back_to_is_its_first_showing() -> None:
    """
    At one o'clock it is over, though an hour later the clocks show one again.
    """
    night = QuietHours(time(22), time(1))
    over = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    assert over == night.next_allowed(over - MICROSECOND)
    for at in (over, over + timedelta(minutes=59), over + timedelta(hours=1)):
        assert at == night.next_allowed(at)


# Noon before changes of either kind. Lord Howe Island changes by half an hour.
CHANGES = [
    ("Europe/London", date(2026, 3, 28)),
    ("Europe/London", date(2026, 10, 24)),
    ("Europe/London", date(2027, 3, 27)),
    ("Europe/London", date(2027, 10, 30)),
    ("Europe/London", date(2026, 11, 23)),
    ("America/New_York", date(2026, 3, 7)),
    ("Australia/Lord_Howe", date(2026, 4, 4)),
    ("Australia/Lord_Howe", date(2026, 10, 3)),
]
SCAN = 7 * 24 * 60


@cache
def clocks(zone: str, day: date) -> list[tuple[datetime, datetime]]:
    """
    Return every minute of a week around *day*, and what the clocks show then.
    """
    begin = datetime.combine(day, time(), UTC) - timedelta(days=2)
    minutes = [begin + timedelta(minutes=number) for number in range(SCAN)]
    return [(minute, minute.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for minute in minutes]


minutes_of_a_day = st.builds(time, st.integers(0, 23), st.integers(0, 59))
night_hours = st.builds(time, st.integers(0, 3), st.sampled_from([0, 1, 15, 29, 30, 31, 45, 59]))


@given(
    st.sampled_from(CHANGES),
    st.one_of(minutes_of_a_day, night_hours),
    st.one_of(minutes_of_a_day, night_hours),
    st.integers(0, 36 * 60),
)
def test_quiet_hours_agree_with_a_look_at_the_clock_every_minute(
    change: tuple[str, date], start: time, end: time, later: int
) -> None:
    """
    Quiet is from the first minute at which the clocks show the start or later to the last at which they show less than
    the end, for every night around a change.
    """
    zone, day = change
    if start == end:
        return
    at = datetime.combine(day, time(12), UTC) + timedelta(minutes=later)
    expected = at
    for evening in (day + timedelta(days=number) for number in range(-1, 3)):
        last = evening + timedelta(days=end < start)
        starts = min(minute for minute, shown in clocks(zone, day) if shown >= datetime.combine(evening, start))
        ends = max(minute for minute, shown in clocks(zone, day) if shown < datetime.combine(last, end))
        if starts <= expected <= ends:
            expected = ends + timedelta(minutes=1)
    assert expected == QuietHours(start, end, zone).next_allowed(at)


@given(moments, st.times(), st.times(), st.sets(st.integers(0, 6), min_size=1))
def test_what_is_allowed_stays_allowed(at: datetime, start: time, end: time, days: set[int]) -> None:
    """
    The answer is never earlier than asked, never more than a week away, and its own answer.
    """
    if start == end and len(days) == 7:
        return
    hours = QuietHours(start, end, days=days)
    allowed = hours.next_allowed(at)
    assert at <= allowed <= at + timedelta(days=7, hours=2)
    assert allowed == hours.next_allowed(allowed)


def test_a_night_belongs_to_the_day_it_starts_on() -> None:
    """
    Saturday's night runs into Sunday. Sunday's own does not come.
    """
    saturdays = QuietHours(time(21), time(8), days=[5])
    assert utc(2026, 11, 29, 8) == saturdays.next_allowed(utc(2026, 11, 28, 21))
    assert utc(2026, 11, 29, 8) == saturdays.next_allowed(utc(2026, 11, 29, 7, 59))
    for at in (utc(2026, 11, 27, 23), utc(2026, 11, 28, 7), utc(2026, 11, 29, 22), utc(2026, 11, 30, 7)):
        assert at == saturdays.next_allowed(at)


def test_the_same_start_and_end_are_a_whole_day() -> None:
    """
    A quiet Saturday and a quiet Sunday are one quiet weekend, also where one of them has 25 hours.
    """
    weekend = QuietHours(time(0), time(0), days=[5, 6])
    assert utc(2026, 11, 30) == weekend.next_allowed(utc(2026, 11, 28))
    assert utc(2026, 11, 30) == weekend.next_allowed(utc(2026, 11, 29, 12))
    assert utc(2026, 10, 26) == weekend.next_allowed(utc(2026, 10, 23, 23))
    for at in (utc(2026, 11, 27, 23, 59, 59, 999999), utc(2026, 11, 30)):
        assert at == weekend.next_allowed(at)


def test_texts_keep_quiet_unless_told_otherwise() -> None:
    """
    By the clocks of London, on every day.
    """
    assert ((Channel.SMS,), "Europe/London", frozenset(range(7))) == (NIGHT.channels, NIGHT.zone, NIGHT.days)
    named = QuietHours(time(21), time(8), channels=["sms", Channel.EMAIL])
    assert (Channel.SMS, Channel.EMAIL) == named.channels


@pytest.mark.parametrize(
    "zone",
    [
        "",
        "Nowhere",
        "Europe/Atlantis",
        "Europe",
        "../etc/passwd",
        "/etc/passwd",
        "Europe/London\0",
        "ü",
        "BST",
        "x" * 300,
    ],
)
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    """
    When the quiet hours are made, with a word about systems that come without the database.
    """
    with pytest.raises(ConfigurationError, match="tzdata"):
        QuietHours(time(21), time(8), zone)


def test_quiet_hours_that_cannot_be_meant_are_refused() -> None:
    """
    Without a channel or a day, on an eighth day, with a second zone, or for ever.
    """
    settings: list[dict[str, Any]] = [{"channels": []}, {"days": []}, {"days": [7]}, {"days": [-1]}]
    for wrong in settings:
        with pytest.raises(ConfigurationError):
            QuietHours(time(21), time(8), **wrong)
    for start, end in ((time(21, tzinfo=UTC), time(8)), (time(21), time(8, tzinfo=UTC))):
        with pytest.raises(ConfigurationError, match="zone"):
            QuietHours(start, end)
    with pytest.raises(ConfigurationError, match="never end"):
        QuietHours(time(8), time(8))


# ---- the budget


def test_a_budget_is_spent_by_as_many_questions_as_it_has() -> None:
    """
    One question fewer leaves room for one.
    """
    budget = Budget(2, timedelta(days=30))
    assert not budget.spent([], NOON)
    assert not budget.spent([NOON], NOON)
    assert budget.spent([NOON, NOON], NOON)
    assert budget.spent([NOON, NOON, NOON], NOON)


def test_a_question_counts_until_exactly_so_long_after_it() -> None:
    """
    To the microsecond.
    """
    budget = Budget(1, timedelta(days=30))
    over = NOON + timedelta(days=30)
    assert budget.spent([NOON], over - MICROSECOND)
    assert not budget.spent([NOON], over)
    assert over == budget.again_at([NOON], over - MICROSECOND)
    assert budget.again_at([NOON], over) is None


def test_again_is_when_enough_questions_are_old_enough() -> None:
    """
    Of four questions the second latest has to be old enough for a third.
    """
    budget = Budget(2, timedelta(days=30))
    asked_at = [NOON - timedelta(days=days) for days in (3, 20, 1, 40)]
    assert NOON + timedelta(days=27) == budget.again_at(asked_at, NOON)
    assert NOON + timedelta(days=10) == budget.again_at(asked_at[:2], NOON)
    assert budget.again_at(asked_at[1:2], NOON) is None


def test_a_question_from_a_clock_that_is_ahead_counts() -> None:
    """
    What was asked later than now was asked.
    """
    assert Budget(1, timedelta(days=1)).spent([NOON + timedelta(hours=1)], NOON)


@given(st.integers(1, 5), spans, st.lists(moments, max_size=12), moments)
def test_again_is_the_first_instant_with_room(
    questions: int, within: timedelta, asked_at: list[datetime], now: datetime
) -> None:
    """
    A microsecond earlier it is one question too many, and at it and later, asked no more, it is not.
    """
    budget = Budget(questions, within)
    again = budget.again_at(asked_at, now)
    assert (again is not None) == budget.spent(asked_at, now)
    assert budget.spent(asked_at, now) == (sum(at + within > now for at in asked_at) >= questions)
    if again is not None:
        assert again > now
        assert budget.spent(asked_at, again - MICROSECOND)
        assert not budget.spent(asked_at, again)


@pytest.mark.parametrize(("questions", "within"), [(0, timedelta(days=1)), (1, timedelta(0)), (1, -MICROSECOND)])
def test_a_budget_has_room_and_a_length(questions: int, within: timedelta) -> None:
    """
    Whoever wants no questions asked asks none.
    """
    with pytest.raises(ConfigurationError, match="Budget"):
        Budget(questions, within)


# ---- all of them


def test_a_time_without_a_zone_is_refused() -> None:
    """
    It names no instant.
    """
    for call in (
        Rate(1, channel=Channel.SMS).window,
        NIGHT.next_allowed,
        lambda now: Budget(1, timedelta(1)).spent([], now),
    ):
        with pytest.raises(NaiveDatetimeError):
            call(NAIVE)


def test_they_are_values() -> None:
    """
    Equal if their parts are, usable as keys, and the same after a trip to another process.
    """
    for value in (Rate(1, domain="example.com"), NIGHT, Budget(1, timedelta(days=1))):
        assert value == pickle.loads(pickle.dumps(value))
        assert 1 == len({value, pickle.loads(pickle.dumps(value))})
