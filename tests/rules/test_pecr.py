"""
The rulebook of the United Kingdom: what its answers say, the law by date, and the counting of days.
"""

from __future__ import annotations

import inspect
import re
from datetime import UTC, date, datetime, time, timedelta
from typing import get_type_hints

import attrs
import pytest
from rules.direct import AT, DATES, FAIR, MONTHS, QUESTIONS, communication, consent, gift, sale, stop

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.record.consent import Line, Standing, fold
from optly.record.events import Defect
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
from optly.rules.decision import _EXPLANATIONS, _REMEDIES, _WITHOUT, PARTS
from optly.rules.editions import months_later, uk_date


def test_a_decision_says_what_it_rests_on(subtests: pytest.Subtests) -> None:
    """
    Reason, provisions, evidence, what failed, edition, fines and duties.
    """
    for question in QUESTIONS:
        with subtests.test(question.name):
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


def test_every_part_that_fails_has_its_sentence() -> None:
    """
    Of every defect, and of every fact that a refusal names whose own sentence is about parts.
    """
    assert set(Defect) <= PARTS.keys()
    # These have a sentence in the reason itself.
    whole = {"consent", "expires_at", "line", "at", "call.authorised", "shows_identity", "call.shows_number"}
    whole |= {"call.gives_name", "call.gives_contact", "call.contact_is_free"}
    decided = [UKPECR(**question.settings).assess(question.communication, question.standing) for question in QUESTIONS]
    assert {code for decision in decided for code in decision.failed} - whole <= PARTS.keys()


OFFERS = "Offers and discounts on our products"
COMPANY = Standing(subscriber=Subscriber.COMPANY)
EMPLOYEE = Standing(
    subscriber=Subscriber.INDIVIDUAL,
    lines=(Line(number=1, kind=AddressKind.EMAIL, subscriber=Subscriber.COMPANY),),
)
WORDS: list[tuple[Communication, Standing, str, str]] = [
    (
        communication(Channel.EMAIL, title=OFFERS),
        Standing(),
        "Nobody has recorded a yes from this person to emails about offers and discounts on our products.",
        "A yes from this person to emails about offers and discounts on our products, given to you on this line "
        "beforehand.",
    ),
    (
        communication(Channel.AUTOMATED_CALL, title="BBC news"),
        COMPANY,
        "Nobody has recorded a yes from this company or body to automated calls about BBC news.",
        "A yes from this company or body to automated calls about BBC news, given to you on this line beforehand.",
    ),
    (
        communication(Channel.WHATSAPP),
        Standing(consents=(consent(Channel.WHATSAPP, organisations=("other",)),)),
        "Nobody has recorded a yes from this person to WhatsApp messages about “offers”. The yes on record does not "
        "name the organisation that this is for.",
        "A yes from this person to WhatsApp messages about “offers” that names the organisation this is for, given on "
        "this line beforehand.",
    ),
    (
        communication(Channel.EMAIL, title=OFFERS),
        Standing(unsound=(consent(Channel.EMAIL, defects=(Defect.BUNDLED, Defect.CHANNEL_NOT_NAMED)),)),
        "A yes to emails about offers and discounts on our products is on record, but it is not a valid consent. The "
        "same act agreed, or may have agreed, to something else as well. The words do not name this channel.",
        "A yes from this person without what is wrong with this one.",
    ),
    (
        communication(Channel.SMS, title=OFFERS, purpose="news"),
        Standing(soft_opt_ins=(sale(Channel.SMS, obtained_by="group"),)),
        "A soft opt-in is on record, but part of what it needs is missing. The organisation that this is for did "
        "not collect the details itself. The message is not about products or services similar to those of that sale.",
        "What is missing, if it is true, or a yes from this person to text messages about offers and discounts on our "
        "products.",
    ),
    # To a community interest company it does not matter what else the message would need.
    *(
        (
            communication(Channel.EMAIL, title=OFFERS, charitable_only=charitable_only),
            fold([gift(AT)]),
            "A soft opt-in is on record, but part of what it needs is missing. The sender is not, or is not known to "
            "be, a charity that may rely on this.",
            "Saying that the sender is a charity that may rely on this, if that is true. Otherwise a yes from this "
            "person to emails about offers and discounts on our products, given to you on this line beforehand.",
        )
        for charitable_only in (None, False, True)
    ),
    (
        communication(Channel.EMAIL, title=OFFERS, purpose="news"),
        attrs.evolve(fold([gift(AT)]), soft_opt_ins=(sale(Channel.EMAIL, obtained_by="group"),)),
        "A soft opt-in is on record, but part of what it needs is missing. The organisation that this is for did "
        "not collect the details itself. The message is not about products or services similar to those of that sale.",
        "What is missing, if it is true, or a yes from this person to emails about offers and discounts on our "
        "products.",
    ),
    (
        communication(Channel.EMAIL, title=OFFERS),
        Standing(stops=(stop(),)),
        "The person objected to marketing, and nothing they did since allows emails about offers and discounts on our "
        "products.",
        "Only the person can lift it, by choosing yes on their MyOptly page.",
    ),
    *(
        (
            communication(channel, title=OFFERS, contact=contact),
            attrs.evolve(standing, stops=(stop(objection=False),)),
            f"The {party} refused or withdrew consent, and nothing they did since allows {sent} about offers and "
            "discounts on our products.",
            f"Only the {party} can lift it, by a later yes of their own to {sent} about offers and discounts on our "
            "products.",
        )
        for channel, contact, standing, party, sent in (
            (Channel.FAX, "0" * 32, Standing(), "person", "faxes"),
            (Channel.POST, "0" * 32, Standing(), "person", "letters"),
            (Channel.LIVE_CALL, "0" * 32, Standing(), "person", "telephone calls"),
            (Channel.VOICEMAIL, "0" * 32, Standing(), "person", "voicemail messages"),
            (Channel.IN_APP, "0" * 32, Standing(), "person", "messages in the app"),
            (Channel.EMAIL, "0" * 32, COMPANY, "company or body", "emails"),
            (Channel.EMAIL, "", Standing(), "person", "emails"),
        )
    ),
    # Whoever has only a landline has no page to open, whatever is asked about.
    *(
        (
            communication(channel, title=OFFERS),
            Standing(stops=(stop(channel=channel),)),
            f"The person objected to marketing, and nothing they did since allows {sent} about offers and discounts on "
            "our products.",
            f"Only the person can lift it, by a later yes of their own to {sent} about offers and discounts on our "
            "products, such as on their MyOptly page if the number takes texts.",
        )
        for channel, sent in ((Channel.SMS, "text messages"), (Channel.WHATSAPP, "WhatsApp messages"))
    ),
    (
        communication(Channel.EMAIL, title=OFFERS, line=None),
        Standing(stops=(stop(line=None),)),
        "The person objected to marketing, and nothing they did since allows emails about offers and discounts on our "
        "products.",
        "Only the person can lift it, by a later yes of their own to emails about offers and discounts on our "
        "products.",
    ),
    # Someone who works at a company is a person, although the line is the company's.
    (
        communication(Channel.EMAIL, title=OFFERS),
        attrs.evolve(EMPLOYEE, stops=(stop(),)),
        "The person objected to marketing, and nothing they did since allows emails about offers and discounts on our "
        "products.",
        "Only the person can lift it, by choosing yes on their MyOptly page.",
    ),
    (
        communication(Channel.EMAIL, title=OFFERS, instigator="insurer"),
        Standing(stops=(stop(organisation="insurer"),)),
        "The person objected to marketing, and nothing they did since allows emails about offers and discounts on our "
        "products. They said so to one of the organisations that the message is from.",
        "Only the person can lift it, by a later yes of their own to emails about offers and discounts on our products "
        "that names the organisation they said no to.",
    ),
    (
        communication(Channel.EMAIL, title=OFFERS, kind=MessageKind.SERVICE),
        Standing(),
        "Nobody has recorded a yes from this person to emails about offers and discounts on our products. It promotes "
        "something, or nobody said that it does not, so it is marketing.",
        "Leaving out whatever it promotes, and saying so. Otherwise a yes from this person to emails about offers and "
        "discounts on our products, given to you on this line beforehand.",
    ),
    # What a machine says in a live call needs a yes to automated calls.
    (
        communication(Channel.LIVE_CALL, title=OFFERS, call=attrs.evolve(FAIR, recorded=True)),
        Standing(consents=(consent(Channel.LIVE_CALL),)),
        "Nobody has recorded a yes from this person to automated calls about offers and discounts on our products.",
        "A yes from this person to automated calls about offers and discounts on our products, given to you on this "
        "line beforehand.",
    ),
    (
        communication(Channel.LIVE_CALL, title=OFFERS, call=attrs.evolve(FAIR, claims_management=None)),
        Standing(),
        "Nobody has recorded a yes from this person to telephone calls about offers and discounts on our products. It "
        "is not known whether the call is about claims management, which needs a yes.",
        "Saying that the call is not about claims management, if that is true. Otherwise a yes from this person to "
        "telephone calls about offers and discounts on our products, given to you on this line beforehand.",
    ),
    (
        communication(Channel.LIVE_CALL, title=OFFERS, call=attrs.evolve(FAIR, pensions=None)),
        Standing(),
        "Only an authorised firm or a scheme’s trustee or manager may call about pensions. It is not known whether the "
        "call is about pensions.",
        "Saying that the call is not about pensions, if that is true. Otherwise authorisation, and consent. Consent "
        "alone does not help.",
    ),
    (
        communication(
            Channel.LIVE_CALL,
            title=OFFERS,
            instigator="scheme",
            call=attrs.evolve(FAIR, pensions=True, authorised=True),
        ),
        Standing(consents=(consent(Channel.LIVE_CALL, organisations=("scheme",), own=False),)),
        "Nobody has recorded a yes from this person to telephone calls about offers and discounts on our products. The "
        "yes on record does not name the organisation that makes the call.",
        "A yes from this person to telephone calls about offers and discounts on our products that names the "
        "organisation that calls, given on this line beforehand.",
    ),
]


@pytest.mark.parametrize(("message", "standing", "explanation", "remedy"), WORDS)
def test_a_refusal_says_what_is_missing_in_the_words_of_the_case(
    message: Communication, standing: Standing, explanation: str, remedy: str
) -> None:
    """
    The channel and the purpose, each part that is missing, and a way out that there is.
    """
    decision = UKPECR().assess(message, standing)
    assert (explanation, remedy) == (decision.explanation, decision.would_change_it)


def test_no_decision_says_what_an_english_engineer_would_not() -> None:
    """
    No sentence of any decision does.
    """
    everything = " ".join([*_EXPLANATIONS.values(), *_REMEDIES.values(), *_WITHOUT.values(), *PARTS.values()])
    assert re.findall(r"(?i)\b(somebody|anybody|whoever|put on record|of theirs)\b", everything) == []


def test_a_title_is_shown_as_it_is() -> None:
    """
    Whatever signs are in it.
    """
    decision = UKPECR().assess(communication(Channel.EMAIL, title="{who} 50 % {0}"), Standing())
    assert "emails about {who} 50 % {0}." in decision.explanation


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
