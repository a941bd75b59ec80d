"""
Wordings that cost money are found out, and fair ones are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from time import process_time

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose, Wording
from optly.rules.lint import Form, Partner, Severity, WordingFinding, WordingFlaw, lint

ACME = Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds LS1 1AA")
MIND = " You can change your mind at any time."
EMAIL, SMS = Channel.EMAIL, Channel.SMS


def of(name: str) -> Organisation:
    return Organisation(key="o", name=name, address="1 High Street, Leeds LS1 1AA")


def codes(
    text: str,
    *,
    organisation: Organisation = ACME,
    channels: Sequence[Channel] = (EMAIL,),
    form: Form | None = None,
    **parts: str,
) -> set[WordingFlaw]:
    found = lint(Wording(text=text, **parts), organisation=organisation, channels=channels, form=form)
    return {finding.code for finding in found}


# ---- wordings that were penalised


def test_hellofresh() -> None:
    """
    The very words: no sender, no text messages, an age confirmed with the same tick, gifts, and no way back told.

    Source: https://www.gordonsllp.com/privacy-data-in-marketing-ico-fine-for-invalid-consent-highlights-the-importance-
    of-lawful-consent-mechanisms/ (read 2026-11-24).
    """
    found = lint(
        Wording(
            text="Yes, I’d like to receive sample gifts (including alcohol) and other offers, competitions and news "
            "via email. By ticking this box I can confirm I am over 18 years old."
        ),
        organisation=of("HelloFresh"),
        channels=[EMAIL, SMS],
    )
    expected = {
        (WordingFlaw.NO_ORGANISATION, None),
        (WordingFlaw.NO_CHANNEL, SMS),
        (WordingFlaw.BUNDLED, None),
        (WordingFlaw.INCENTIVE, None),
        (WordingFlaw.NO_WITHDRAWAL, None),
    }
    assert expected == {(finding.code, finding.channel) for finding in found}


def test_join_the_triboo() -> None:
    """
    The very words: nobody and no channel named, and a purpose too vague to be one.

    Source: https://caselaw.nationalarchives.gov.uk/ukftt/grc/2024/362 (read 2026-11-24).
    """
    expected = {
        WordingFlaw.NO_ORGANISATION,
        WordingFlaw.NO_CHANNEL,
        WordingFlaw.VAGUE,
        WordingFlaw.NO_WITHDRAWAL,
    }
    assert expected == codes("I agree with Marketing Activity", organisation=of("Join the Triboo Limited"))
    assert WordingFlaw.UNNAMED_THIRD_PARTIES in codes("I agree with 3rd parties policy")


def test_digitonomy() -> None:
    """
    The very words: partners without a name.

    Source: https://www.darwingray.com/news-stories/2017/4/5/
    company-fined-12000-for-breaching-data-protection-rules-on-marketing-consent (read 2026-11-24).
    """
    text = (
        "you consent to us and our trusted partners contacting you by SMS, mail, email, telephone and automated message"
    )
    channels = [SMS, Channel.POST, EMAIL, Channel.LIVE_CALL, Channel.AUTOMATED_CALL]
    expected = {WordingFlaw.NO_ORGANISATION, WordingFlaw.UNNAMED_THIRD_PARTIES, WordingFlaw.NO_WITHDRAWAL}
    assert expected == codes(text, organisation=of("Digitonomy Ltd"), channels=channels)


def test_the_money_hive() -> None:
    """
    Boxes that had to be ticked to get a quote, for "third party partners".
    """
    found = codes(
        "You must agree to be contacted by The Money Hive and third party partners by text message." + MIND,
        organisation=of("The Money Hive Limited"),
        channels=[SMS],
        form=Form(condition=True),
    )
    assert {WordingFlaw.CONDITION, WordingFlaw.UNNAMED_THIRD_PARTIES} == found


def test_zmluk() -> None:
    """
    One tick for 361 partners, each with its name and none of them to be chosen.
    """
    partners = tuple(Partner(name=f"Company {number} Ltd", choosable=False) for number in range(361))
    text = "May ZMLUK and the partners listed below send you offers by email?" + MIND
    zmluk = of("ZMLUK Limited")

    assert {WordingFlaw.PARTNERS_WITHOUT_CHOICE} == codes(text, organisation=zmluk, form=Form(partners=partners))
    assert {WordingFlaw.UNNAMED_THIRD_PARTIES} == codes(text.replace(" listed below", ""), organisation=zmluk)
    chosen = Form(partners=(Partner(name="Beta Ltd", choosable=True), Partner(name="Gamma Ltd", choosable=True)))
    assert set() == codes(text, organisation=zmluk, form=chosen)
    unnamed = text.replace("the partners listed below", "our partners")
    assert codes(unnamed, organisation=zmluk, form=chosen) == {WordingFlaw.UNNAMED_THIRD_PARTIES}


def test_digivo() -> None:
    """
    A tick without which the form could not be sent, not specific to texts.
    """
    text = "By submitting this form you agree to receive offers from Digivo Media." + MIND
    found = codes(text, organisation=of("Digivo Media Limited"), channels=[SMS], form=Form(condition=True))
    assert {WordingFlaw.SILENCE, WordingFlaw.CONDITION, WordingFlaw.NO_CHANNEL} == found


def test_allay_claims() -> None:
    """
    Marketing called updates on a claim, with a box that was ticked beforehand.
    """
    text = "Allay Claims will text you updates on your claim." + MIND
    found = codes(text, organisation=of("Allay Claims Ltd"), channels=[SMS], form=Form(pre_ticked=True))
    assert {WordingFlaw.PRE_TICKED, WordingFlaw.DISGUISED, WordingFlaw.SILENCE} == found


def test_tempcover() -> None:
    """
    Agreement in the terms, on which a quote depends, and no choice of channel.
    """
    text = "I accept the terms and conditions, under which Tempcover may email and text me offers." + MIND
    found = codes(
        text,
        organisation=of("Tempcover Ltd"),
        channels=[EMAIL, SMS],
        form=Form(bundled=True, condition=True, separate=False),
    )
    assert {WordingFlaw.BUNDLED, WordingFlaw.CONDITION, WordingFlaw.ALL_OR_NOTHING} == found


# ---- each flaw


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (WordingFlaw.NO_ORGANISATION, "May we send you offers by email?"),
        (WordingFlaw.NO_ORGANISATION, "May Acmeville send you offers by email?"),
        (WordingFlaw.NO_CHANNEL, "May Acme send you direct marketing?"),
        (WordingFlaw.NO_CHANNEL, "May Acme text you offers?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme and carefully selected third parties email you?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme and similar organisations email you offers?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme and selected partners email you offers?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme and its sponsors email you offers?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme and other companies in our group email you offers?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme email you and pass your details to other lenders?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme email you? We do not sell data, but our partners may use it."),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme email you? We will not share it except with trusted companies."),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme email you offers from a range of companies?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme email you, and companies we have carefully selected?"),
        (WordingFlaw.UNNAMED_THIRD_PARTIES, "May Acme, its subsidiaries and affiliates email you?"),
        (WordingFlaw.BUNDLED, "I have read the privacy policy and Acme may email me offers."),
        (WordingFlaw.BUNDLED, "I agree to the T&Cs and to emails from Acme."),
        (WordingFlaw.BUNDLED, "Acme may email me, and I confirm that I am at least 18."),
        (WordingFlaw.CONDITION, "You have to opt in to emails from Acme before you pay."),
        (WordingFlaw.CONDITION, "You can only enter the competition if you let Acme email you."),
        (WordingFlaw.CONDITION, "We cannot provide a quote unless Acme may email you."),
        (WordingFlaw.CONDITION, "Emails from Acme are a condition of the offer."),
        (WordingFlaw.CONDITION, "Your consent is required. May Acme email you?"),
        (WordingFlaw.CONDITION, "Acme's offers are only available to those who agree to its emails."),
        (WordingFlaw.CONDITION, "Agree to emails from Acme to continue."),
        (WordingFlaw.SILENCE, "If you do not reply, we will assume that Acme may email you."),
        (WordingFlaw.SILENCE, "If we don’t hear from you we’ll take it that Acme may email you."),
        (WordingFlaw.SILENCE, "If you do not tick the box, we will email you offers from Acme."),
        (WordingFlaw.SILENCE, "If you don't tell us otherwise we will keep sending Acme emails."),
        (WordingFlaw.SILENCE, "Acme will email you offers unless you tell us."),
        (WordingFlaw.SILENCE, "Welcome. Unless you object, Acme will email you offers."),
        (WordingFlaw.SILENCE, "By registering you agree that Acme may email you."),
        (WordingFlaw.SILENCE, "By continuing to use this site, you consent to emails from Acme."),
        (WordingFlaw.SILENCE, "You consent to emails from Acme by placing an order."),
        (WordingFlaw.SILENCE, "By clicking “Continue” you agree to emails from Acme."),
        (WordingFlaw.SILENCE, "We assume you are happy to get emails from Acme."),
        (WordingFlaw.SILENCE, "No reply means that Acme may email you."),
        (WordingFlaw.SILENCE, "You are deemed to have agreed to emails from Acme."),
        (WordingFlaw.SILENCE, "By providing your email address you are agreeing to emails from Acme."),
        (WordingFlaw.SILENCE, "Your continued use of this site means you accept emails from Acme."),
        (WordingFlaw.SILENCE, "You will automatically be subscribed to emails from Acme."),
        (WordingFlaw.OPT_OUT, "Acme will email you. If you'd rather not hear from us, let us know."),
        (WordingFlaw.OPT_OUT, "Acme will email you. Please tell us if you do not want this."),
        (WordingFlaw.OPT_OUT, "Tick if you do not want emails from Acme."),
        (WordingFlaw.OPT_OUT, "Please tick this box if you would prefer not to get emails from Acme."),
        (WordingFlaw.OPT_OUT, "Untick the box if you want no emails from Acme."),
        (WordingFlaw.OPT_OUT, "If you don't want emails from Acme, please click here."),
        (WordingFlaw.OPT_OUT, "Check the box to opt out of emails from Acme."),
        (WordingFlaw.OPT_OUT, "I do not wish to receive emails from Acme."),
        (WordingFlaw.OPT_OUT, "Leave unticked if you'd like emails from Acme."),
        (WordingFlaw.OPT_OUT, "Leave this box ticked for emails from Acme."),
        (WordingFlaw.DOUBLE_NEGATIVE, "Would you prefer not to not get emails from Acme? Do not tick if not."),
        (WordingFlaw.DOUBLE_NEGATIVE, "I don't want to opt out of emails from Acme."),
        (WordingFlaw.DOUBLE_NEGATIVE, "I do not object to emails from Acme."),
        (WordingFlaw.VAGUE, "May Acme email you for marketing purposes?"),
        (WordingFlaw.VAGUE, "May Acme email you about products that may be of interest?"),
        (WordingFlaw.DISGUISED, "May Acme email you service messages?"),
        (WordingFlaw.DISGUISED, "May Acme email you important updates?"),
        (WordingFlaw.INCENTIVE, "Say yes to emails from Acme and get 10% off."),
        (WordingFlaw.INCENTIVE, "Sign up for emails from Acme and you are in the prize draw."),
        (WordingFlaw.INCENTIVE, "Agree to emails from Acme for a chance to win a car."),
        (WordingFlaw.INCENTIVE, "Enter your email to get 20% off and the newsletter of Acme."),
        (WordingFlaw.NO_WITHDRAWAL, "May Acme email you offers?"),
    ],
)  # fmt: skip
def test_a_flaw_is_found(expected: WordingFlaw, text: str) -> None:
    """
    Whatever else is wrong with the wording.
    """
    assert expected in codes(text if expected is WordingFlaw.NO_WITHDRAWAL else text + MIND)


@pytest.mark.parametrize(
    "no",
    [
        "No thanks, I'd rather pay full price",
        "No, I hate saving money",
        "No, I don’t care about children",
        "I'll miss out",
        "No thanks, I don't like discounts",
    ],
)
def test_a_no_that_shames_is_found(no: str) -> None:
    """
    As the regulators call it, confirmshaming.
    """
    assert {WordingFlaw.SHAMING} == codes("May Acme email you offers?" + MIND, no=no)


@pytest.mark.parametrize(
    ("expected", "form"),
    [
        (WordingFlaw.PRE_TICKED, Form(pre_ticked=True)),
        (WordingFlaw.BUNDLED, Form(bundled=True)),
        (WordingFlaw.CONDITION, Form(condition=True)),
        (WordingFlaw.NO_REFUSAL, Form(refusable=False)),
        (WordingFlaw.ALL_OR_NOTHING, Form(separate=False)),
        (
            WordingFlaw.PARTNERS_WITHOUT_CHOICE,
            Form(partners=(Partner(name="Beta", choosable=True), Partner(name="Gamma", choosable=False))),
        ),
    ],
)
def test_a_form_spoils_a_fair_wording(expected: WordingFlaw, form: Form) -> None:
    """
    In any language, and only the form that has the flaw.
    """
    text = "May Acme email you offers?" + MIND
    assert set() == codes(text)
    assert set() == codes(text, form=Form())
    assert {expected} == codes(text, form=form)
    welsh = codes("A gaiff Acme anfon e-bost atoch?", language="cy", form=form)
    assert {expected, WordingFlaw.NOT_JUDGED} == welsh


# ---- wordings that are fair


@pytest.mark.parametrize("channel", Channel)
@pytest.mark.parametrize("title", ["Offers and discounts on our products", "BBC news", "News of our shops"])
def test_the_built_in_wording_is_fair(channel: Channel, title: str) -> None:
    """
    For every channel.
    """
    wording = Purpose(key="offers", title=title).wording(ACME, channel)
    assert lint(wording, organisation=ACME, channels=[channel], form=Form()) == ()


@pytest.mark.parametrize("channel", Channel)
def test_the_built_in_wording_names_its_own_channel_only(channel: Channel) -> None:
    """
    Relied on for anything else, it falls short. WhatsApp carries direct messages, and its name says so.
    """
    wording = Purpose(key="offers", title="Offers").wording(ACME, channel)
    named = {channel, Channel.SOCIAL_DM} if channel is Channel.WHATSAPP else {channel}
    for other in named:
        assert lint(wording, organisation=ACME, channels=[other]) == ()
    for other in set(Channel) - named:
        assert [WordingFinding(code=WordingFlaw.NO_CHANNEL, channel=other)] == list(
            lint(wording, organisation=ACME, channels=[other])
        )


@pytest.mark.parametrize(
    "text",
    [
        "May Acme email you offers? If you do not answer, we will not send you anything. You can withdraw at any time.",
        "May Acme email you offers? We will not email you unless you say yes. Unsubscribe whenever you like.",
        "Unless you say yes, we will not write to you. May Acme email you offers? You can change this later.",
        "May Acme email you? We will only email you if you agree. To stop, click the link in any email.",
        "May Acme email you? If you do not want our emails any more, click the stop link in one of them.",
        "May Acme email you? You do not have to agree to anything to shop with us. Opt out at any time.",
        "May Acme email you? Saying yes is not a condition of buying from us, and you can change your mind.",
        "May Acme email you? We never share your details with third parties. You can unsubscribe at any time.",
        "May Acme email you? We won't sell your address to other companies. You can change your answer at any time.",
        "May Acme email you about offers on selected brands? You can stop at any time.",
        "May Acme email you now and then about new books? Read our privacy policy. You can stop this at any time.",
        "I would like emails from Acme about its sales. I can withdraw my consent at any time.",
        "By clicking “Yes” you agree to receive Acme’s offers by email. You can unsubscribe in every email.",
        "By signing up to our newsletter you agree to get it from Acme by email. Unsubscribe at any time.",
        "Acme would like to email you offers and prizes. Tick the box if you want this. You can untick it at any time.",
        "Can Acme email you about competitions? Choose yes or no; we do not assume anything. You can change it later.",
        "Acme would love to keep in touch by email. You can change how we contact you at any time.",
        "May Acme email you offers? We never sell details to other companies for marketing purposes. You can opt out.",
        "May Acme email you? We don't assume you want this. If you do not want it any more, let us know and we stop.",
        "Acme emails you only if you tick the box. If you do not want us to, leave it empty. You can withdraw later.",
        "May Acme email you? Whatever you say, you can register and apply for jobs. You can change your mind.",
        "Tick the box to get emails from Acme. If you don't tick it, we won't send you any. You can change your mind.",
        "May Acme email you? We ask again after two years, unless you have withdrawn your consent before then.",
        "Leave the box unticked if you do not want emails from Acme. Unsubscribe in every email.",
        "By joining our mailing list you agree to get it from Acme by email. Unsubscribe at any time.",
        "ACME LTD may email me news. I can opt out whenever I want.",
    ],
)
def test_a_fair_wording_is_left_alone(text: str) -> None:
    """
    Words that flaws are made of are no flaw where they say the opposite.
    """
    assert (
        lint(Wording(text=text, no="No, I do not want emails"), organisation=ACME, channels=[EMAIL], form=Form()) == ()
    )


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Acme Ltd", "May ACME send you emails?"),
        ("Acme Limited", "May Acme Limited send you emails?"),
        ("Trusted Partners plc", "May Trusted Partners send you emails?"),
        ("O’Neill & Sons, LLP", "May O'Neill & Sons send you emails?"),
        ("Ärzte_Hilfe (UK)", "May ÄRZTE_HILFE (UK) send you emails?"),
    ],
)
def test_an_organisation_is_known_by_its_name(name: str, text: str) -> None:
    """
    Without its legal form, in any case, whatever signs are in it, and though it be made of suspicious words.
    """
    assert set() == codes(text + MIND, organisation=of(name))
    assert WordingFlaw.NO_ORGANISATION in codes(text + MIND, organisation=of("Somebody Else Ltd"))


@pytest.mark.parametrize("language", ["cy", "pl", "de-AT"])
def test_another_language_is_said_not_to_be_read(language: str) -> None:
    """
    Only whether the organisation is named can be told.
    """
    text = "Zaznacz, jeśli nie chcesz otrzymywać"
    found = lint(Wording(text=text, language=language), organisation=ACME, channels=[EMAIL])
    assert [finding.code for finding in found] == [WordingFlaw.NO_ORGANISATION, WordingFlaw.NOT_JUDGED]


# ---- wordings of every kind

KINDS = json.loads(Path(__file__).with_name("wordings.json").read_text())


def test_a_wording_is_judged_by_its_kind(subtests: pytest.Subtests) -> None:
    """
    Exactly what makes it invalid is found, and what makes it weak, where that is known.
    """
    for case in KINDS:
        with subtests.test(case["text"]):
            found = lint(
                Wording(text=case["text"], hint=case["hint"], yes=case.get("yes", "Yes"), no=case.get("no", "No")),
                organisation=of(case["org"]),
                channels=[Channel(channel) for channel in case["channels"]],
            )
            invalid = {finding.code.value for finding in found if finding.severity is Severity.INVALIDATING}
            assert set(case["expected"]) == invalid
            assert set(case.get("weak", [])) <= {finding.code.value for finding in found}


def test_an_organisation_is_known_by_every_name_it_trades_under() -> None:
    """
    As long as they are its own.
    """

    @attrs.frozen(kw_only=True)
    class Trading(Organisation):
        names: tuple[str, ...] = ("This Is The Big Deal Ltd", "Look After My Bills")

    organisation = Trading(key="big", name="This Is The Big Deal Ltd", address="1 High Street, Leeds LS1 1AA")
    assert set() == codes("May Look After My Bills email you about energy?" + MIND, organisation=organisation)
    assert {WordingFlaw.NO_ORGANISATION} == codes(
        "May we look after my bills and email you?" + MIND, organisation=organisation
    )


@pytest.mark.parametrize("channel", ["email", "post"])
def test_what_is_missing_is_told_from_what_is_said(channel: str) -> None:
    """
    A finding says whether it is about words that are not there.
    """
    found = lint(Wording(text="Opt me out of emails."), organisation=ACME, channels=[Channel(channel)])
    missing = {finding.code for finding in found if finding.missing}
    assert missing == {WordingFlaw.NO_ORGANISATION} | ({WordingFlaw.NO_CHANNEL} if channel == "post" else set())


# ---- findings


def test_the_gravest_comes_first_with_its_words() -> None:
    """
    As they stand in the wording.
    """
    found = lint(
        Wording(text="Untick Acme Ltd’s\n box if you do NOT want emails for marketing purposes."),
        organisation=ACME,
        channels=[EMAIL],
    )
    assert [
        WordingFinding(code=WordingFlaw.OPT_OUT, excerpt="Untick Acme Ltd's box if"),
        WordingFinding(code=WordingFlaw.NO_WITHDRAWAL),
        WordingFinding(code=WordingFlaw.VAGUE, excerpt="marketing purpose"),
    ] == list(found)
    assert [finding.severity for finding in found] == [
        Severity.INVALIDATING,
        Severity.WEAK,
        Severity.WEAK,
    ]


@pytest.mark.parametrize("flaw", WordingFlaw)
def test_every_flaw_is_explained_and_sourced(flaw: WordingFlaw) -> None:
    """
    With a sentence, and an address to read on at.
    """
    finding = WordingFinding(code=flaw)
    assert finding.explanation.endswith(".")
    assert flaw is WordingFlaw.NOT_JUDGED or "https://" in finding.source
    assert finding.explanation in str(finding)


SCRAPS = st.sampled_from(
    [
        *["tick", "untick", "if you", "do not want", "don't", "agree", "by registering", "third parties", "unless"],
        *["Acme", "email", "we", "will", "our", "partners", ",", ".", "?", "selected", "never", "share", "terms"],
        *["over 18", "get 10%", "no reply means", "_", "’", "İ", "ß"],
    ]
)
texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=300)
texts |= st.lists(SCRAPS, min_size=1, max_size=400).map(" ".join)


@given(texts, texts, texts, st.sampled_from(["en", "en-GB", "cy"]), st.sets(st.sampled_from(Channel)))
def test_any_wording_can_be_read(text: str, hint: str, no: str, language: str, channels: set[Channel]) -> None:
    """
    Whatever it says, findings come without a repeat, in order of gravity, and with words that are there.
    """
    wording = Wording(text=f"x{text}", hint=hint, no=f"x{no}", language=language)
    found = lint(wording, organisation=ACME, channels=list(channels), form=Form())

    assert len(found) == len(set(found))
    gravity = [list(WordingFlaw).index(finding.code) for finding in found]
    assert sorted(gravity) == gravity
    invalid = [finding.severity for finding in found]
    assert sorted(invalid) == invalid  # "invalidating" comes before "weak"


@pytest.mark.parametrize(
    "scraps",
    ["if you do not let us know ", "unless you by registering our other ", "we never share or not be ", "tick leave "],
)
def test_a_long_hint_takes_no_long_time(scraps: str) -> None:
    """
    The work grows with the length: forty times the text takes nowhere near forty times forty the time.
    """

    def took(times: int) -> float:
        wording = Wording(text="May Acme email you?", hint=scraps * times)
        start = process_time()
        lint(wording, organisation=ACME, channels=[EMAIL])
        return process_time() - start

    took(10)
    assert took(2000) < 200 * max(took(50), 0.001)
