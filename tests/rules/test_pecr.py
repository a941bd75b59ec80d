"""
The rulebook of the United Kingdom: what its answers say, the law by date, and the counting of days.
"""

from __future__ import annotations

import inspect
from datetime import UTC, date, datetime, time, timedelta
from typing import get_type_hints

import attrs
import pytest
from rules.direct import AT, DATES, MONTHS, QUESTIONS, Question, communication, consent

from optly.contacts.addresses import Channel
from optly.record.consent import Standing
from optly.rules import (
    UKPECR,
    Communication,
    Facts,
    MessageKind,
    Reason,
    Rulebook,
    Solicited,
    pecr,
)
from optly.rules.decision import _EXPLANATIONS, _REMEDIES
from optly.rules.editions import months_later, uk_date


@pytest.mark.parametrize("question", QUESTIONS, ids=[question.name for question in QUESTIONS])
def test_a_decision_says_what_it_rests_on(question: Question) -> None:
    """
    Reason, provisions, evidence, what failed, edition, fines and duties.
    """
    decision = UKPECR(**question.settings).assess(question.communication, question.standing)
    assert question.expected == question.answered(decision)


def test_a_decision_explains_itself() -> None:
    """
    Each reason has a sentence, and each refusal tells what would change it.
    """
    assert set(_EXPLANATIONS) == set(Reason)
    refused = {question.expected.get("reason") for question in QUESTIONS if question.expected.get("allowed") is False}
    assert refused - {None} <= set(_REMEDIES)
    decision = UKPECR().assess(communication(Channel.EMAIL), Standing())
    assert "22(2)" in str(decision)


def test_a_decision_does_not_tell_how_the_person_asked() -> None:
    """
    That is free text, and may be about them.
    """
    asked = communication(
        Channel.EMAIL, kind=MessageKind.SOLICITED, solicited=Solicited(how="telephoned from Leeds", at=AT)
    )
    decision = UKPECR().assess(asked, Standing())
    assert decision.reason is Reason.SOLICITED
    assert "Leeds" not in f"{decision!r} {decision} {asked!r}"


@pytest.mark.parametrize(
    "regulation",
    [
        pecr.automated_calls,
        pecr.fax,
        pecr.live_calls,
        pecr.claims_calls,
        pecr.pension_calls,
        pecr.caller_identity,
        pecr.information,
        pecr.electronic_mail,
        pecr.soft_opt_in,
        pecr.charity_soft_opt_in,
        pecr.identity_and_stop_address,
        pecr.post,
        pecr.right_to_object,
    ],
)
def test_a_regulation_cites_its_source_and_what_it_leaves_out(regulation: object) -> None:
    """
    With the address and the date it was read.
    """
    text = inspect.getdoc(regulation) or ""
    assert "Not covered: " in text
    assert "Source: " in text
    assert "https://" in text.partition("Source: ")[2]
    assert "2026-11-23)" in text.partition("Source: ")[2]


def test_how_long_the_consent_of_a_third_party_counts_is_a_setting() -> None:
    """
    In calendar months, to the microsecond.
    """
    given = Standing(consents=(consent(Channel.EMAIL, collected_by="partner", own=False, at=AT),))
    for months, end in ((1, datetime(2026, 12, 23, 10, tzinfo=UTC)), (6, datetime(2027, 5, 23, 10, tzinfo=UTC))):
        rules = UKPECR(first_contact_months=months)
        assert rules.assess(communication(Channel.EMAIL, at=end), given)
        late = communication(Channel.EMAIL, at=end + timedelta(microseconds=1))
        assert rules.assess(late, given).reason is Reason.CONSENT_TOO_OLD


def test_an_application_may_tell_every_fact_that_is_optional() -> None:
    """
    By the names and types of the message's own. Only what the manager knows is not among them.
    """
    optional = {field.name: field.type for field in attrs.fields(Communication) if field.default is not attrs.NOTHING}
    for known in ("title", "public_authority"):
        del optional[known]
    assert dict(Facts.__annotations__).keys() == optional.keys()
    assert get_type_hints(Facts) == {name: get_type_hints(Communication)[name] for name in optional}


def test_it_is_a_rulebook() -> None:
    """
    Its edition is that of the newest law it knows.
    """
    rules: Rulebook = UKPECR()
    assert rules.edition == rules.assess(communication(Channel.POST), Standing()).edition


def _clocks_change(year: int, month: int) -> datetime:
    last = date(year, month, 31)
    return datetime.combine(last - timedelta(days=last.isoweekday() % 7), time(1), UTC)


@pytest.mark.parametrize("year", range(1996, 2038))
def test_the_date_in_the_united_kingdom_is_that_of_the_summer_time_order(year: int) -> None:
    """
    At every half hour: summer time lasts from the last Sunday of March to that of October, at 1 a.m. GMT.
    """
    begins, ends = _clocks_change(year, 3), _clocks_change(year, 10)
    at = datetime(year, 1, 1, tzinfo=UTC)
    while at.year == year:
        assert uk_date(at) == (at + timedelta(hours=begins <= at < ends)).date()
        at += timedelta(minutes=30)


@pytest.mark.parametrize(("at", "expected"), DATES)
def test_the_day_of_a_call_begins_at_midnight_in_the_united_kingdom(at: datetime, expected: date) -> None:
    """
    In summer that is an hour earlier.
    """
    assert expected == uk_date(at)


@pytest.mark.parametrize(("start", "months", "expected"), MONTHS)
def test_months_are_counted_by_the_calendar(start: date, months: int, expected: date) -> None:
    """
    Where the month is too short, its last day.
    """
    assert expected == months_later(datetime.combine(start, AT.timetz()), months).date()
