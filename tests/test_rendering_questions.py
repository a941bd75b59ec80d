"""
The questions that are built from the title of a purpose, in each language.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly import Channel, Organisation, Purpose, Wording
from optly.errors import ConfigurationError
from optly.messages.replies import Says, read_reply
from optly.messages.texts import Encoding, segments
from optly.rules.lint import Severity, WordingFlaw, lint

ACME = Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds LS1 1AA")
OFFERS = Purpose(key="offers", title="Offers on our products", titles={"cy": "Cynigion ar ein cynnyrch"})
POLISH = (
    'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'
    'msgid "May %(organisation)s send you %(title)s by email?"\n'
    'msgstr "Czy %(organisation)s może wysyłać Państwu e-mailem: %(title)s?"\n\n'
    'msgctxt "an answer to May …?"\nmsgid "Yes"\nmsgstr "Tak"\n\n'
    'msgctxt "an answer to May …?"\nmsgid "No"\nmsgstr "Nie"\n\n'
)
POLISH_HINT = (
    'msgid "You can change your mind at any time, on your MyOptly page or with the stop link in each message."\n'
    'msgstr "Zgodę można wycofać w każdej chwili."\n'
)

every_channel = pytest.mark.parametrize("channel", list(Channel))


@pytest.mark.parametrize(
    ("expected", "title"),
    [
        ("e1de945c232adf1e522ed61b9567256d727c1d3d8d6eafff18cf97c9564a61f9", "Offers and discounts on our products"),
        ("7939b1e04040c5c112bd08d6cd915de0df0f15174bfafcf23573991fab82c031", "BBC news"),
    ],
)
def test_the_english_questions_are_what_they_were(expected: str, title: str) -> None:
    """
    To the byte, in all channels that there were then: records of consent name them by their digests.
    """
    purpose = Purpose(key="o", title=title, titles={"cy": "Newyddion"})
    since = (Channel.WHATSAPP, Channel.RCS)
    digests = "".join(purpose.wording(ACME, channel).digest for channel in Channel if channel not in since)
    assert expected == hashlib.sha256(digests.encode()).hexdigest()


@every_channel
def test_a_purpose_with_a_welsh_title_is_asked_about_in_welsh(channel: Channel) -> None:
    """
    Question, hint and answers: the answers repeat the verb of the question, as Welsh does.
    """
    wording = OFFERS.wording(ACME, channel, "cy-GB")
    assert wording.text.startswith("A gaiff Acme Ltd ")
    assert wording.text.endswith(": Cynigion ar ein cynnyrch?")
    assert ("Caiff", "Na chaiff", "cy") == (wording.yes, wording.no, wording.language)
    assert wording.hint.startswith("Gallwch newid eich meddwl unrhyw bryd")
    assert [Says(yes=True), Says(yes=False)] == [read_reply(wording.yes), read_reply(wording.no)]


def test_each_channel_is_asked_about_in_words_of_its_own() -> None:
    """
    A yes to one is none to another.
    """
    assert len(Channel) == len({OFFERS.wording(ACME, channel, "cy").text for channel in Channel})


@every_channel
def test_a_welsh_question_fits_the_cheap_alphabet_of_texts(channel: Channel) -> None:
    """
    As far as it is ours; the words of the host are sent as they are spelt.
    """
    assert Encoding.GSM is segments(OFFERS.wording(ACME, channel, "cy").text.replace("’", "'")).encoding


@given(title=st.text(min_size=1).filter(str.isprintable).filter(str.strip), channel=st.sampled_from(Channel))
def test_any_title_stands_as_the_host_spelt_it(title: str, channel: Channel) -> None:
    """
    The question is put so that the title need not change its first letter after the word before it.
    """
    purpose = Purpose(key="o", title="Offers", titles={"cy": title})
    assert purpose.wording(ACME, channel, "cy").text.endswith(f": {title}?")
    assert title == purpose.title_in("cy-GB")
    assert "Offers" == purpose.title_in("pl")


@every_channel
def test_the_lint_does_not_pass_welsh_silently_nor_refuse_ours(channel: Channel) -> None:
    """
    It says that it did not read the words, and finds nothing that makes them invalid.
    """
    findings = lint(OFFERS.wording(ACME, channel, "cy"), organisation=ACME, channels=[channel])
    assert [WordingFlaw.NOT_JUDGED] == [finding.code for finding in findings]
    assert Severity.INVALIDATING not in {finding.severity for finding in findings}


def test_a_welsh_question_that_names_nobody_is_found() -> None:
    """
    That much is checked in any language.
    """
    found = lint(Wording(text="A gawn ni ysgrifennu atoch?", language="cy"), organisation=ACME, channels=[])
    assert WordingFlaw.NO_ORGANISATION in {finding.code for finding in found}


# ---- which words are taken


def test_words_of_the_hosts_own_come_first() -> None:
    """
    In each language, the nearer one first, and before the built-in question.
    """
    own = Wording(text="A gaf i, Acme, anfon cynigion atoch?", yes="Cei", no="Na chei", language="cy")
    purpose = Purpose(key="o", title="Offers", titles={"cy": "Cynigion"}, wordings={(Channel.EMAIL, "cy"): own})
    assert own == purpose.wording(ACME, Channel.EMAIL, "cy-GB")
    assert "cy" == purpose.wording(ACME, Channel.SMS, "cy-GB").language
    assert "A gaiff" == purpose.wording(ACME, Channel.SMS, "cy-GB").text[:7]


@pytest.mark.parametrize("language", ["pl", "pl-PL", "cy-GB", "x-none"])
def test_without_a_title_the_question_is_in_english(language: str) -> None:
    """
    An English title in the middle of a question in another language is no question in either.
    """
    wording = Purpose(key="o", title="Offers").wording(ACME, Channel.EMAIL, language)
    assert ("en", "May Acme Ltd send you offers by email?", "Yes") == (wording.language, wording.text, wording.yes)


def test_a_host_adds_a_language_with_a_title_and_a_catalogue(tmp_path: Path) -> None:
    """
    Both are needed, and the whole of the question: what is not all there is asked in English.
    """
    purpose = Purpose(key="o", title="Offers", titles={"pl": "Oferty"})
    assert "en" == purpose.wording(ACME, Channel.EMAIL, "pl").language
    whole, part = tmp_path / "whole", tmp_path / "part"
    for directory, content in ((whole, POLISH + POLISH_HINT), (part, POLISH)):
        directory.mkdir()
        (directory / "pl.po").write_text(content, encoding="utf-8")
    asked = purpose.wording(ACME, Channel.EMAIL, "pl-PL", (whole,))
    assert (
        Wording(
            text="Czy Acme Ltd może wysyłać Państwu e-mailem: Oferty?",
            hint="Zgodę można wycofać w każdej chwili.",
            yes="Tak",
            no="Nie",
            language="pl",
        )
        == asked
    )
    assert "en" == purpose.wording(ACME, Channel.SMS, "pl-PL", (whole,)).language
    assert "en" == purpose.wording(ACME, Channel.EMAIL, "pl-PL", (part,)).language


def test_no_catalogue_rewords_an_english_question(tmp_path: Path) -> None:
    """
    Whoever changes sentences of a page does not change by accident what consents are given to.
    """
    (tmp_path / "en.po").write_text(POLISH + POLISH_HINT, encoding="utf-8")
    purpose = Purpose(key="o", title="Offers")
    assert purpose.wording(ACME, Channel.EMAIL) == purpose.wording(ACME, Channel.EMAIL, "en", (tmp_path,))


def test_a_hint_of_the_hosts_own_is_said_in_the_same_language() -> None:
    """
    The question and what is said beside it are read together.
    """
    purpose = Purpose(
        key="o", title="Offers", hint="Once a month.", titles={"cy": "Cynigion"}, hints={"cy": "Unwaith y mis."}
    )
    assert "Unwaith y mis." == purpose.wording(ACME, Channel.EMAIL, "cy").hint
    assert "Once a month." == purpose.wording(ACME, Channel.EMAIL).hint


@pytest.mark.parametrize(
    ("said", "given"),
    [
        ("same languages", {"hint": "Once a month.", "titles": {"cy": "Cynigion"}}),
        ("same languages", {"hints": {"cy": "Unwaith y mis."}}),
        ("other than English", {"titles": {"en-GB": "Offers"}}),
        ("other than English", {"titles": {"Welsh!": "Cynigion"}}),
        ("one line", {"titles": {"cy": "Cynigion\nBcc: x"}}),
        ("one line", {"titles": {"cy": " "}}),
    ],
)
def test_titles_and_hints_that_do_not_go_together_are_refused(said: str, given: dict[str, Any]) -> None:
    """
    When the purpose is made, and not when somebody is to be asked.
    """
    with pytest.raises(ConfigurationError, match=said):
        Purpose(key="o", title="Offers", **given)
