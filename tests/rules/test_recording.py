"""
Recording the facts that the rules rest on, and reading what was recorded before there were such facts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from optly.canonical import canonical, parse
from optly.contacts.addresses import AddressKind, Channel
from optly.errors import ConfigurationError, MissingLineError, SerializationError, UsageError
from optly.record.commands import (
    AddContact,
    AskForConsent,
    Command,
    NewLine,
    RecordCharitySoftOptIn,
    RecordConsent,
    RecordSoftOptIn,
    Stop,
    Unsound,
)
from optly.record.consent import QuestionState, Standing, decide, fold
from optly.record.events import (
    Act,
    Actor,
    CharitySoftOptInRecorded,
    Choice,
    ConsentGiven,
    Defect,
    Engagement,
    Event,
    Evidence,
    Grade,
    Manner,
    SoftOptInRecorded,
)
from optly.record.serialization import from_record, to_record

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
TICK = timedelta(microseconds=1)
OFFERS = Choice(channel=Channel.EMAIL, purpose="offers", line=1, wording="0" * 64)


def on_record(*commands: Command) -> Standing:
    standing = fold(
        decide(AddContact(lines=(NewLine(kind=AddressKind.EMAIL, value="ada@example.com"),)), Standing(), now=NOW)
    )
    for command in commands:
        standing = fold(decide(command, standing, now=NOW), standing)
    return standing


def given(**changes: Any) -> RecordConsent:
    facts: dict[str, Any] = {"choices": (OFFERS,), "act": Act.TICKED_BOX, "how": "paper form", "at": NOW}
    return RecordConsent(**{**facts, **changes})


def sold(**changes: Any) -> RecordSoftOptIn:
    facts: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "line": 1,
        "obtained_by": "acme",
        "in_sale": True,
        "goods": "books",
        "similar_purposes": ("offers",),
        "refusal_offered": True,
        "at": NOW,
    }
    return RecordSoftOptIn(**{**facts, **changes})


def supported(**changes: Any) -> RecordCharitySoftOptIn:
    facts: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "line": 1,
        "obtained_by": "acme",
        "engagement": Engagement.SUPPORT,
        "purpose_held": True,
        "refusal_offered": True,
        "refused": False,
        "at": NOW,
    }
    return RecordCharitySoftOptIn(**{**facts, **changes})


def asked() -> AskForConsent:
    return AskForConsent(
        question="a" * 32,
        via=Channel.EMAIL,
        line=1,
        choices=(OFFERS,),
        language="en",
        expires_at=NOW + timedelta(days=1),
        regulation="22(1); 23",
        reason="solicited",
        edition="",
    )


DEFECTS = [
    (Defect.NOT_AFFIRMATIVE, {"act": Act.PRE_TICKED}),
    (Defect.CONDITIONAL, {"manner": Manner(conditional=True)}),
    (Defect.CONDITIONAL, {"manner": Manner(conditional=None)}),
    (Defect.BUNDLED, {"manner": Manner(bundled=True)}),
    (Defect.CHANNEL_NOT_NAMED, {"manner": Manner(channel_named=False)}),
    (Defect.SENDER_NOT_NAMED, {"manner": Manner(sender_named=None)}),
    (Defect.NO_CHOICE_OF_SENDER, {"manner": Manner(chosen_singly=False)}),
    (Defect.NOT_THE_HOLDER, {"manner": Manner(by_holder=False)}),
    (Defect.CHILD, {"manner": Manner(of_age=False)}),
    (Defect.UNPROVEN, {"manner": Manner(unproven=(Evidence.WORDING,))}),
]


@pytest.mark.parametrize(("defect", "changes"), DEFECTS)
def test_what_is_no_consent_is_refused_or_kept_as_what_it_is(defect: Defect, changes: dict[str, Any]) -> None:
    """
    Kept, it is on record with what is wrong with it, and the standing holds no consent.
    """
    with pytest.raises(UsageError, match="not consent"):
        decide(given(**changes), on_record(), now=NOW)
    (event,) = decide(given(**changes, unsound=Unsound.KEEP), on_record(), now=NOW)
    assert isinstance(event, ConsentGiven)
    assert (event.defects, event.grade) == ((defect,), Grade.E)
    standing = fold([event], on_record())
    assert standing.consents == ()
    assert [consent.defects for consent in standing.unsound] == [(defect,)]
    assert standing.consent(Channel.EMAIL, "offers", 1, NOW) is None


def test_what_is_no_consent_answers_no_question() -> None:
    """
    Nor does it take the place of one that waits for an answer.
    """
    standing = on_record(asked(), given(act=Act.SILENCE, actor=Actor.PERSON, unsound=Unsound.KEEP))
    assert standing.questions[0].state is QuestionState.OPEN


def test_a_sound_consent_is_recorded_alike_either_way() -> None:
    """
    Evidence is asked for. What was stopped is kept as evidence, and lifting it is left to the person.
    """
    for unsound in Unsound:
        with pytest.raises(UsageError, match="how"):
            decide(given(how=" ", unsound=unsound), on_record(), now=NOW)
        with pytest.raises(UsageError, match="at least one"):
            decide(given(choices=(), unsound=unsound), on_record(), now=NOW)
        stopped = on_record(Stop(objection=True, at=NOW))
        (kept,) = decide(given(unsound=unsound), stopped, now=NOW)
        assert isinstance(kept, ConsentGiven)
        assert kept.defects == (Defect.STOPPED_BEFORE,)
        (event,) = decide(given(unsound=unsound, manner=Manner()), on_record(), now=NOW)
        assert event.grade is Grade.D


def test_the_class_of_goods_is_a_name_and_no_free_text() -> None:
    """
    What is similar has to be told by a class, which a text would always be.
    """
    with pytest.raises(ConfigurationError, match=r"RecordSoftOptIn\.goods"):
        sold(goods="All our great things")


@pytest.mark.parametrize("command", [sold(line=2), supported(line=2)])
def test_details_are_collected_for_a_line_of_the_contact(command: Command) -> None:
    """
    Any other does not exist.
    """
    with pytest.raises(MissingLineError):
        decide(command, on_record(), now=NOW)


@pytest.mark.parametrize("record", [sold, supported])
def test_a_refusal_when_the_details_were_collected_is_a_stop(record: Any) -> None:
    """
    Of the channel on that line, for whatever purpose; and it closes what was asked about it.
    """
    standing = on_record(asked(), record(refused=True))
    assert standing.stop(Channel.EMAIL, "offers", 1, NOW) is not None
    assert standing.stop(Channel.EMAIL, "news", 1, NOW) is not None
    assert standing.stop(Channel.EMAIL, "offers", 2, NOW) is None
    assert standing.stop(Channel.SMS, "offers", 1, NOW) is None
    assert standing.questions[0].state is QuestionState.SUPERSEDED
    for refused in (False, None):
        assert on_record(record(refused=refused)).stops == ()


@pytest.mark.parametrize("record", [sold, supported])
def test_that_nobody_knows_when_details_were_collected_is_on_record(record: Any) -> None:
    """
    The event is then dated by when it was recorded.
    """
    for at, dated, occurred_at in ((None, False, NOW), (NOW - TICK, True, NOW - TICK)):
        (event,) = decide(record(at=at), on_record(), now=NOW)
        assert isinstance(event, SoftOptInRecorded | CharitySoftOptInRecorded)
        assert (event.dated, event.occurred_at) == (dated, occurred_at)


def test_consents_that_run_out_can_be_found_in_time() -> None:
    """
    Those that count now and will not at the given instant.
    """
    end = NOW + timedelta(days=30)
    ending = Choice(channel=Channel.EMAIL, purpose="offers", line=1, wording="0" * 64, expires_at=end)
    standing = on_record(given(choices=(ending,)), given(choices=(Choice(Channel.EMAIL, "news", 1, "0" * 64),)))
    assert [consent.purpose for consent in standing.ending(NOW, end + TICK)] == ["offers"]
    assert standing.ending(NOW, end) == ()
    assert standing.ending(end + TICK, end + timedelta(days=9)) == ()
    assert standing.ending(NOW - TICK, end + TICK) == ()
    stopped = fold(decide(Stop(objection=True, at=NOW), standing, now=NOW), standing)
    assert stopped.ending(NOW, end + TICK) == ()


def stored(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = parse(canonical(to_record(event, 1, {})))
    return record


@pytest.mark.parametrize(
    "command",
    [
        given(),
        given(manner=Manner(organisations=("acme", "beta"), chosen_singly=True, collected_by="partner")),
        given(manner=Manner(conditional=None, of_age=False, unproven=tuple(Evidence)), unsound=Unsound.KEEP),
        sold(refused=None, at=None),
        supported(refused=None, purpose_held=None, engagement=Engagement.OTHER),
    ],
)
def test_what_is_recorded_reads_back_as_it_was(command: Command) -> None:
    """
    Through the canonical bytes and back.
    """
    (event,) = decide(command, on_record(), now=NOW)
    assert from_record(stored(event), event.personal) == event


def test_records_from_before_these_facts_still_read() -> None:
    """
    A consent then had no defect, and whoever was recorded as a customer had not refused.
    """
    common = {
        "occurred_at": "2026-11-24T12:00:00.000000Z",
        "recorded_at": "2026-11-24T12:00:00.000000Z",
        "actor": "staff",
        "grade": "D",
    }
    consent = from_record(
        {
            **common,
            "type": "consent-given/1",
            "data": {
                "act": "ticked_box",
                "choices": [
                    {"channel": "email", "expires_at": None, "line": 1, "purpose": "offers", "wording": "0" * 64}
                ],
                "code": "",
                "link": None,
                "question": None,
            },
        },
        {},
    )
    assert isinstance(consent, ConsentGiven)
    assert (consent.manner, consent.defects) == (None, ())
    sale = from_record(
        {
            **common,
            "type": "soft-opt-in-recorded/1",
            "data": {
                "channel": "email",
                "goods": "Any text",
                "in_sale": True,
                "line": 1,
                "obtained_by": "acme",
                "refusal_offered": True,
                "similar_purposes": ["offers"],
            },
        },
        {},
    )
    assert isinstance(sale, SoftOptInRecorded)
    assert (sale.refused, sale.dated) == (False, True)


def test_a_charity_says_everything() -> None:
    """
    There is no record of one from before, so that nothing is filled in for it.
    """
    (event,) = decide(supported(), on_record(), now=NOW)
    assert isinstance(event, CharitySoftOptInRecorded)
    record = stored(event)
    for name in ("engagement", "purpose_held", "refusal_offered", "refused", "dated"):
        with pytest.raises(SerializationError):
            from_record({**record, "data": {key: record["data"][key] for key in record["data"] if key != name}}, {})
