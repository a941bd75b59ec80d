"""
What is recorded is read: a consent counts for what its words cover, and for no more.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any, Final

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import missing
from world import ACME, EMAIL, EMAIL_OFFERS, PHONE, PURPOSES, World, awaited, world

from optly import Act, Attachment, Channel, Contact, Organisation, Purpose, Solicited, Wording
from optly.backends import MemoryBackend
from optly.canonical import canonical, parse
from optly.errors import ConfigurationError, UnsoundWordingError, UsageError
from optly.record.commands import Unsound
from optly.record.events import (
    NOT_JUDGED,
    Actor,
    ConsentGiven,
    ConsentRequested,
    Defect,
    Evidence,
    Grade,
    Manner,
    Reading,
)
from optly.record.serialization import from_record, to_data, to_record
from optly.rules import Reason
from optly.rules.lint import Severity, WordingFinding, WordingFlaw, lint, says_nothing

BY_EMAIL: Final = "I would like Acme Ltd to send me offers and discounts by email."
WHY: Final = "The heading of the form says it."
SCAN: Final = Attachment(name="form.pdf", media_type="application/pdf", content=b"%PDF")
SMS, MMS = Channel.SMS, Channel.MMS


@pytest.fixture
def w(on_each_store: World) -> World:
    return on_each_store


def record(w: World, contact: Contact, text: str = BY_EMAIL, language: str = "en", **changes: Any) -> None:
    facts = {
        "channels": [Channel.EMAIL],
        "purposes": ["offers"],
        "act": Act.TICKED_BOX,
        "how": "paper form, Leeds branch",
        "at": w.clock(),
        **changes,
    }
    w.manager.record_consent(contact, wording=Wording(text=text, language=language), **facts)


def given_to(w: World, contact: Contact) -> list[ConsentGiven]:
    return [event for event in w.manager.history(contact) if isinstance(event, ConsentGiven)]


# ---- what the words cover


def test_words_that_name_email_are_no_consent_to_texts(w: World) -> None:
    """
    HelloFresh. Each choice counts or does not by itself: on record, at the gate, in the evidence and in what is sent.
    """
    ada = w.add()
    record(w, ada, channels=[Channel.EMAIL, SMS], attachments=[SCAN])
    assert w.allowed()
    refused = w.manager.check(PHONE, SMS, "offers")
    assert (refused.reason, refused.failed) == (Reason.CONSENT_UNSOUND, (Defect.CHANNEL_NOT_NAMED,))
    assert "UK GDPR 4(11)" in refused.also
    assert "do not name this channel" in refused.explanation

    standing = w.manager.standing(ada)
    assert [(consent.channel, consent.defects) for consent in standing.consents] == [(Channel.EMAIL, ())]
    assert [(consent.channel, consent.defects) for consent in standing.unsound] == [(SMS, (Defect.CHANNEL_NOT_NAMED,))]
    sound, unsound = given_to(w, ada)
    assert (sound.grade, unsound.grade) == (Grade.C, Grade.E)
    scans = [any(slot.startswith("attachment") for slot in event.personal) for event in (sound, unsound)]
    assert scans == [True, False]
    assert all("paper form, Leeds branch" in event.personal.values() for event in (sound, unsound))
    page = w.manager.evidence(ada).to_html()
    assert "Recorded as a yes that is not valid consent" in page
    assert "channel_not_named" in page
    assert "no_channel" in page
    assert w.manager.evidence(ada).verify()


UNSOUND: Final = {
    "I agree with marketing activity": {Defect.SENDER_NOT_NAMED, Defect.CHANNEL_NOT_NAMED},
    "May Acme Ltd and its selected partners email you offers?": {Defect.OTHERS_NOT_NAMED},
    "I accept the terms and want offers from Acme Ltd by email.": {Defect.BUNDLED},
    "To see your quote, agree that Acme Ltd may email you offers.": {Defect.CONDITIONAL},
    "By signing up you agree to receive offers by email from Acme Ltd.": {Defect.NOT_AFFIRMATIVE},
    "Untick this box if you do not want offers from Acme Ltd by email.": {Defect.NOT_AFFIRMATIVE},
    "Pre-selected for you: emails with offers from Acme Ltd.": {Defect.NOT_AFFIRMATIVE},
    "May Acme Ltd email you news about what we do?": {Defect.PURPOSE_NOT_NAMED},
}


@pytest.mark.parametrize("text", UNSOUND)
@pytest.mark.parametrize("unsound", Unsound)
def test_what_makes_words_invalid_is_kept_and_allows_nothing(text: str, unsound: Unsound) -> None:
    """
    Never an error, and nothing that was told is thrown away.
    """
    w = world()
    ada = w.add()
    record(w, ada, text, unsound=unsound, actor=Actor.PERSON)
    (event,) = given_to(w, ada)
    assert set(event.defects) == UNSOUND[text]
    assert event.grade is Grade.E
    assert not w.allowed()
    assert w.manager.standing(ada).consents == ()
    assert text in {wording.text for wording in w.manager.evidence(ada).wordings.values()}
    assert w.manager.deliver().total == 0


@pytest.mark.parametrize("text", UNSOUND)
def test_the_caller_may_sign_for_the_words(text: str) -> None:
    """
    In words that go into the evidence, beside what was found.
    """
    w = world()
    ada = w.add()
    record(w, ada, text, accept=WHY)
    assert w.allowed()
    (event,) = given_to(w, ada)
    assert event.defects == ()
    assert event.reading is not None
    assert event.reading.accepted
    assert set(event.reading.defects) == UNSOUND[text]
    assert event.grade is Grade.D
    page = w.manager.evidence(ada).to_html()
    assert WHY in page
    assert all(code in page for code in event.reading.found)
    assert WHY not in str(to_data(event))


def test_a_signature_is_said_in_words_and_harmless_where_nothing_was_found() -> None:
    """
    An empty one is a mistake.
    """
    w = world()
    ada = w.add()
    for empty in ("", " \n"):
        with pytest.raises(UsageError, match="why"):
            record(w, ada, accept=empty)
    record(w, ada, accept=WHY)
    (event,) = given_to(w, ada)
    assert (event.defects, WHY in event.personal.values()) == ((), True)


def test_a_signature_excuses_no_act_and_no_manner_and_no_missing_evidence() -> None:
    """
    It is about the words alone.
    """
    w = world()
    ada = w.add()
    for told in ({"act": Act.PRE_TICKED}, {"manner": Manner(bundled=True)}):
        with pytest.raises(UsageError):
            record(w, ada, accept=WHY, **told)
        record(w, ada, accept=WHY, unsound=Unsound.KEEP, **told)
    record(w, ada, "unknown", accept=WHY)
    assert not w.allowed()
    assert all(event.defects for event in given_to(w, ada))


def test_unsound_words_lift_no_stop_and_stop_nothing_else() -> None:
    """
    "Keep me posted!" of the person's own does not undo what they objected to, and keeps no sound one from counting.
    """
    w = world()
    ada = w.add()
    w.manager.record_objection(ada)
    w.later()
    record(w, ada, "Keep me posted!", actor=Actor.PERSON)
    assert not w.allowed()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.OBJECTED
    record(w, ada)
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.OBJECTED
    record(w, ada, actor=Actor.PERSON)
    assert w.allowed()
    w.later()
    record(w, ada, "Keep me posted!", actor=Actor.PERSON)
    assert w.allowed()


# ---- whom they name


def test_any_name_of_the_organisation_will_do() -> None:
    """
    Its trading names too.
    """
    trading = attrs.evolve(ACME, also_known_as=("Look After My Bills",))
    for text, allowed in (("May Look After My Bills email you offers?", True), ("May Bills email you offers?", False)):
        w = world(organisation=trading)
        ada = w.add()
        record(w, ada, text)
        assert w.allowed() is allowed


def test_a_consent_that_names_others_only_need_not_name_us() -> None:
    """
    But one that is said to name us as well has to.
    """
    w = world()
    ada = w.add()
    text = "I would like offers from Insurer plc by email."
    record(w, ada, text, manner=Manner(organisations=("insurer",)))
    assert given_to(w, ada)[-1].defects == ()
    assert not w.allowed()
    record(w, ada, text, manner=Manner(organisations=("acme", "insurer"), chosen_singly=True))
    assert given_to(w, ada)[-1].defects == (Defect.SENDER_NOT_NAMED,)


def test_partners_that_the_form_lists_are_named() -> None:
    """
    Which ones has to be told.
    """
    text = "May Acme Ltd and the partners listed below email you offers?"
    for manner, defects in (
        (None, (Defect.OTHERS_NOT_NAMED,)),
        (Manner(organisations=("acme", "insurer"), chosen_singly=True), ()),
    ):
        w = world()
        ada = w.add()
        record(w, ada, text, manner=manner)
        assert given_to(w, ada)[0].defects == defects


def test_whether_each_of_several_organisations_could_be_chosen_has_to_be_told() -> None:
    """
    No default says so, and the error names the fact. For one alone there is nothing to choose.
    """
    w = world()
    ada = w.add()
    several = Manner(organisations=("acme", "insurer"))
    assert (several.chosen_singly, several.defects) == (None, (Defect.NO_CHOICE_OF_SENDER,))
    with pytest.raises(UsageError, match="chosen_singly"):
        record(w, ada, manner=several)
    with pytest.raises(UsageError, match="authorised"):
        record(w, ada, manner=Manner(by_holder=False))
    record(w, ada, manner=several, unsound=Unsound.KEEP)
    assert not w.allowed()
    assert Manner(organisations=("insurer",)).defects == ()
    assert Manner().chosen_singly is True
    assert Manner(chosen_singly=None).defects == (Defect.NO_CHOICE_OF_SENDER,)


# ---- what they are about


def test_the_question_of_a_purpose_is_always_about_it() -> None:
    """
    Whatever its title shares with that of another.
    """
    offers = Purpose(key="offers", title="What is on")
    events = Purpose(
        key="events",
        title="Events",
        wordings={(Channel.EMAIL, "en"): Wording(text="May Acme Ltd email you about what is on?")},
    )
    news = Purpose(key="news", title="News of events")
    for purpose in (offers, events, news):
        w = world(purposes=[offers, events, news])
        ada = w.add()
        wording = purpose.wording(ACME, Channel.EMAIL)
        record(w, ada, wording.text, purposes=[purpose.key])
        assert w.allowed(purpose=purpose.key)


@pytest.mark.parametrize(
    ("text", "about_another"),
    [
        ("May Acme Ltd email me news about what it does?", True),
        ("May Acme Ltd email me its newsletter?", False),
        ("May Acme Ltd email me about its deals?", False),
        ("May Acme Ltd email me news of its bargains?", False),
        ("May Acme Ltd email me about bicycles?", False),
        ("May Acme Ltd email me marketing news?", False),
        ("May Acme Ltd email me news and one offer a week?", False),
        ("May Acme Ltd email me its stories?", False),
        ("May Acme Ltd email me about bicycles? You can unsubscribe in each piece of news.", False),
        ("May Acme Ltd email me its discounted products and news?", False),
    ],
)
def test_words_are_about_another_purpose_only_where_that_is_sure(text: str, *, about_another: bool) -> None:
    """
    They share a word with its title and none with the right one; not even one for the same thing.
    """
    offers, news = PURPOSES
    found = lint(Wording(text=text), organisation=ACME, channels=[Channel.EMAIL], purpose=offers, others=[news])
    assert (WordingFlaw.NO_PURPOSE in {finding.code for finding in found}) is about_another
    assert not [one for one in lint(Wording(text=text), organisation=ACME, channels=[]) if one.defect is not None]


def test_one_form_for_two_purposes_counts_for_the_one_it_is_about(w: World) -> None:
    """
    The other is kept beside it.
    """
    ada = w.add()
    record(w, ada, purposes=["news", "offers"])
    assert w.allowed()
    assert w.manager.check(EMAIL, Channel.EMAIL, "news").failed == (Defect.PURPOSE_NOT_NAMED,)


# ---- what is no evidence


NOTHING: Final = [
    *["unknown", "Unknown.", "not known", "n/a", "N.A.", "none", "nil", "?", "???", "-", "tbc", "TBC", "x", "X."],
    *["see CRM", "legacy", "Imported", "  u n k n o w n  ", "…"],
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_unknown_is_no_evidence(nothing: str) -> None:
    """
    As the words, as how they were given, or as both.
    """
    for told, unproven in (
        ({"text": nothing}, (Evidence.WORDING,)),
        ({"how": nothing}, (Evidence.HOW,)),
        ({"text": nothing, "how": nothing}, (Evidence.HOW, Evidence.WORDING)),
        ({"manner": Manner(collected_by=nothing.strip())}, (Evidence.HOW,)),
    ):
        w = world()
        ada = w.add()
        record(w, ada, **told)
        (event,) = given_to(w, ada)
        assert event.reading is not None
        assert (event.reading.unproven, event.defects) == (unproven, (Defect.UNPROVEN,))
        decision = w.manager.check(EMAIL, Channel.EMAIL, "offers")
        assert (decision.reason, decision.regulation) == (Reason.CONSENT_UNPROVEN, "22(2); UK GDPR 7(1)")
        assert ", ".join(unproven) in w.manager.evidence(ada).to_html()


@pytest.mark.parametrize(
    "told", ["web form", "telephone", "form X", "crm 4711, form of May 2024", "a legacy form, scan 12"]
)
def test_what_says_something_is_evidence(told: str) -> None:
    """
    However short.
    """
    assert not says_nothing(told)


def test_an_empty_how_is_a_mistake_as_before() -> None:
    """
    Nobody meant to say that.
    """
    w = world()
    with pytest.raises(UsageError, match="how"):
        record(w, w.add(), how=" ")


def test_a_stop_needs_no_words() -> None:
    """
    Whatever is told of it.
    """
    w = world()
    ada = w.add()
    record(w, ada)
    w.later()
    w.manager.withdraw(ada, how="unknown")
    assert not w.allowed()
    w.manager.record_soft_opt_in(
        ada,
        channels=[SMS],
        similar_purposes=["offers"],
        goods="books",
        at=None,
        refusal_offered=False,
        refused=True,
        how="n/a",
    )
    assert not w.allowed(SMS)


# ---- other languages


GERMAN: Final = "Ich möchte, dass Acme Ltd mir Angebote per E-Mail schickt."


def test_words_in_another_language_are_neither_sound_nor_unsound() -> None:
    """
    They count as they are recorded, and the record says that they were not judged. The sender has to be named.
    """
    w = world()
    ada = w.add()
    record(w, ada, GERMAN, language="de")
    (event,) = given_to(w, ada)
    assert event.reading == Reading(found=(NOT_JUDGED,))
    assert w.allowed()
    assert "not judged" in w.manager.evidence(ada).to_html()
    record(w, ada, GERMAN.replace("Acme Ltd", "man"), language="de")
    assert given_to(w, ada)[-1].defects == (Defect.SENDER_NOT_NAMED,)


@pytest.mark.parametrize("language", ["de", "cy", "fr-FR"])
@pytest.mark.parametrize(
    "text", [*UNSOUND, "Keep me posted about your offers!", "Sign me up for Acme Ltd emails", "Acme Ltd emails: opt in"]
)
def test_english_does_not_hide_behind_a_tag(text: str, language: str) -> None:
    """
    What is plainly English is read.
    """
    wording = Wording(text=text, language=language)
    found = {finding.code for finding in lint(wording, organisation=ACME, channels=[Channel.EMAIL])}
    assert WordingFlaw.NOT_JUDGED not in found


@pytest.mark.parametrize(
    "text",
    [
        GERMAN,
        "Oui, je souhaite recevoir les offres de Acme Ltd par e-mail. Vous pouvez changer d'avis à tout moment.",
        "Mag Acme Ltd u aanbiedingen sturen per e-mail of sms? U kunt zich op elk moment afmelden.",
        "A gaiff Acme Ltd anfon cynigion atoch drwy e-bost? Gallwch newid eich meddwl unrhyw bryd.",
        "Må Acme Ltd sende dig tilbud via e-mail? Du kan altid for fremtiden ombestemme dig.",
        "¿Puede Acme Ltd enviarte ofertas por correo electrónico?",
    ],
)
def test_other_languages_are_not_taken_for_english(text: str) -> None:
    """
    Whatever words they share with it, and whatever they are said to be: English is only the default.
    """
    for language in ("xx", "en"):
        found = lint(Wording(text=text, language=language), organisation=ACME, channels=[SMS])
        assert [finding.code for finding in found] == [WordingFlaw.NOT_JUDGED]


@pytest.mark.parametrize("channel", [Channel.EMAIL, SMS])
def test_our_own_words_are_known_in_welsh_too(channel: Channel) -> None:
    """
    As they are. With a word changed, they are somebody else's.
    """
    offers = Purpose(key="offers", title="Offers", titles={"cy": "Cynigion"})
    w = world(purposes=[offers])
    ada = w.add()
    own = offers.wording(ACME, channel, "cy")
    assert own.language == "cy"
    for wording, found in ((own, ()), (attrs.evolve(own, text=f"{own.text} Diolch."), (NOT_JUDGED,))):
        w.manager.record_consent(
            ada,
            channels=[channel],
            purposes=["offers"],
            wording=wording,
            act=Act.CHOSE_YES,
            how="form",
            at=w.clock(),
        )
        assert given_to(w, ada)[-1].reading == Reading(found=found)


def test_our_own_words_in_welsh_cover_what_they_ask_about_alone() -> None:
    """
    No other channel and no other purpose, as in English.
    """
    offers = Purpose(key="offers", title="Offers", titles={"cy": "Cynigion"})
    news = Purpose(key="news", title="News", titles={"cy": "Newyddion"})
    w = world(purposes=[offers, news])
    ada = w.add()
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL, SMS],
        purposes=["offers", "news"],
        wording=offers.wording(ACME, Channel.EMAIL, "cy"),
        act=Act.CHOSE_YES,
        how="form",
        at=w.clock(),
    )
    defects = {
        (choice.channel, choice.purpose): set(event.defects) for event in given_to(w, ada) for choice in event.choices
    }
    assert defects == {
        EMAIL_OFFERS: set(),
        (SMS, "offers"): {Defect.CHANNEL_NOT_NAMED},
        (Channel.EMAIL, "news"): {Defect.PURPOSE_NOT_NAMED},
        (SMS, "news"): {Defect.CHANNEL_NOT_NAMED, Defect.PURPOSE_NOT_NAMED},
    }


# ---- asking


def _asks(w: World, contact: Contact) -> ConsentRequested:
    w.ask(contact, channels=[Channel.EMAIL])
    return next(event for event in w.manager.history(contact) if isinstance(event, ConsentRequested))


def test_the_host_may_sign_for_its_questions() -> None:
    """
    The purpose says why, for each way of asking; the evidence of the question has it, and what was found.
    """
    words = Wording(text="May we email you offers?", hint="You can stop at any time.")
    poor = Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "en"): words})
    w = world(purposes=[poor])
    with pytest.raises(UnsoundWordingError):
        w.ask(w.add(), channels=[Channel.EMAIL])
    w = world(purposes=[attrs.evolve(poor, accept=WHY)])
    ada = w.add()
    asked = _asks(w, ada)
    assert (asked.found, WHY in asked.personal.values()) == (("no_organisation",), True)
    page = w.manager.evidence(ada).to_html()
    assert "no_organisation" in page
    assert WHY in page

    w = world(purposes=[attrs.evolve(poor, accept=WHY)])
    w.manager.sign_up(ticked=[EMAIL_OFFERS], email="bob@example.com", how="form")
    w.manager.deliver()
    assert len(w.emails.outbox) == 1
    with pytest.raises(ConfigurationError, match="why"):
        attrs.evolve(poor, accept=" ")


def test_a_sound_question_needs_no_reason_and_keeps_none() -> None:
    """
    Nothing was found that it would be the reason for.
    """
    w = world(purposes=[Purpose(key="offers", title="Offers", accept=WHY)])
    asked = _asks(w, w.add())
    assert asked.found == ()
    assert WHY not in asked.personal.values()


# ---- both faces, and the record


def test_the_awaited_face_reads_too() -> None:
    """
    With the same answers.
    """

    async def job() -> None:
        async with awaited(MemoryBackend(channel=Channel.EMAIL)) as manager:
            ada = await manager.add_contact(email=EMAIL, phone=PHONE)
            for accept, allowed in ((None, False), (WHY, True)):
                await manager.record_consent(
                    ada,
                    channels=["email", "sms"],
                    purposes=["offers"],
                    wording=Wording(text=BY_EMAIL),
                    act=Act.TICKED_BOX,
                    how="form",
                    at=manager._app.settings.clock(),
                    accept=accept,
                )
                assert await manager.check(EMAIL, Channel.EMAIL, "offers")
                assert (await manager.check(PHONE, SMS, "offers")).allowed is allowed

    asyncio.run(job())


def _stored(event: ConsentGiven) -> dict[str, Any]:
    record: dict[str, Any] = parse(canonical(to_record(event, 1, {})))
    return record


@pytest.mark.parametrize("text", [BY_EMAIL, "unknown", "I agree with marketing activity", GERMAN])
def test_a_reading_comes_back_as_it_was_and_an_older_record_has_none(text: str) -> None:
    """
    Through the canonical bytes and back.
    """
    w = world()
    ada = w.add()
    record(w, ada, text, language="de" if text is GERMAN else "en")
    (event,) = given_to(w, ada)
    stored = _stored(event)
    assert from_record(stored, event.personal) == event
    older = {**stored, "data": {name: value for name, value in stored["data"].items() if name != "reading"}}
    before = from_record(older, event.personal)
    assert isinstance(before, ConsentGiven)
    assert (before.reading, before.defects) == (None, ())


def test_the_codes_mean_the_same_on_both_sides() -> None:
    """
    What makes a wording invalid is a defect of the consent, and nothing else is.
    """
    assert WordingFlaw.NOT_JUDGED.value == NOT_JUDGED
    for flaw in WordingFlaw:
        finding = WordingFinding(code=flaw)
        assert (finding.defect is not None) == (finding.severity is Severity.INVALIDATING)


SCRAPS: Final = [
    "Acme Ltd",
    "may",
    "email",
    "text me",
    "offers",
    "news",
    "and partners",
    "I agree",
    "?",
    ".",
    "by post",
]
written = st.characters(exclude_characters="\0", exclude_categories=["Cs"])
wordings = st.text(written, min_size=1, max_size=80).filter(str.strip) | st.lists(
    st.sampled_from(SCRAPS), min_size=1
).map(" ".join)


@given(wordings, st.sets(st.sampled_from([Channel.EMAIL, SMS, MMS]), min_size=1), st.sampled_from(["en", "de"]))
def test_recording_never_widens_beyond_what_the_words_name(text: str, channels: set[Channel], language: str) -> None:
    """
    And never raises for the words.
    """
    w = world()
    ada = w.add()
    record(w, ada, text, language, channels=sorted(channels))
    wording = Wording(text=text, language=language)
    for channel in (Channel.EMAIL, SMS, MMS):
        if w.allowed(channel):
            assert channel in channels
            found = lint(wording, organisation=ACME, channels=[channel])
            assert not [finding for finding in found if finding.severity is Severity.INVALIDATING]
    told = {(choice.channel, choice.purpose) for event in given_to(w, ada) for choice in event.choices}
    assert told == {(channel, "offers") for channel in channels}


# ---- wordings that others collected


COLLECTED: Final = Path(__file__).parents[2] / "shared" / "pecr" / "wordings" / "wordings.json"


def _collected() -> dict[str, dict[str, Any]]:
    """
    Return the shared wordings by their ids; none where they are not to be had.
    """
    if not COLLECTED.is_file():
        return {}
    return {case["id"]: case for case in json.loads(COLLECTED.read_text(encoding="utf-8"))}


CASES: Final = _collected()


def test_the_collected_wordings_are_there() -> None:
    """
    All of them.
    """
    if not CASES:
        missing("the wordings", f"put them into {COLLECTED.parent}")
    assert len(CASES) == 51


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_collected_wording_is_judged_right(case: dict[str, Any]) -> None:
    """
    Exactly what makes it invalid, and what makes it weak beside the withdrawal that it may not mention.
    """
    found = lint(
        Wording(text=case["text"], hint=case["hint"], yes=case["yes"], no=case["no"]),
        organisation=Organisation(key="o", name=case["org"], address="1 High Street, Leeds LS1 1AA"),
        channels=[Channel(channel) for channel in case["channels"]],
    )
    invalid = {finding.code.value for finding in found if finding.severity is Severity.INVALIDATING}
    weak = {finding.code.value for finding in found if finding.severity is Severity.WEAK}
    assert invalid == set(case["expected"])
    assert weak | {"no_withdrawal"} == {*case["weak"], "no_withdrawal"}


def test_a_question_that_was_asked_for_is_read_like_any_other() -> None:
    """
    A wish to be asked does not mend the words.
    """
    words = Wording(text="May we email you offers?")
    w = world(purposes=[Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "en"): words})])
    with pytest.raises(UnsoundWordingError):
        w.manager.request_consent(
            w.add(),
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=Solicited(how="form", at=w.clock()),
        )
