"""
What Optly says is there in every language it offers, and a host can add to it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import catalogues
import pytest
from babel.messages.catalog import Catalog
from hypothesis import given
from hypothesis import strategies as st
from jinja2 import DictLoader, Environment
from world import ACME, EMAIL, PHONE, world

from optly import Channel, Purpose, Solicited, Wording
from optly.errors import ConfigurationError, NaiveDatetimeError, UsageError
from optly.locale.i18n import (
    LANGUAGES,
    SOURCE,
    alone,
    catalogue,
    clock_time,
    direction,
    install,
    language_name,
    languages,
    long_date,
    long_datetime,
    nearest,
    negotiate,
    parse_accept,
    problems,
    read_tag,
    spelt,
)

SHIPPED = [tag for tag in LANGUAGES if tag != SOURCE]
SENTENCE = "Your choices are saved"
QUESTIONS = (
    "%(organisation)s has one question for you. Answer or stop: %(link)s",
    "%(organisation)s has %(num)d questions for you. Answer or stop: %(link)s",
)
HEAD = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n'

every_language = pytest.mark.parametrize("tag", SHIPPED)


def shipped(tag: str) -> Catalog:
    return catalogues.read(catalogues.HERE / f"{tag}.po")


def said(found: Catalog) -> set[tuple[str | None, object]]:
    """
    Return the sentences that a catalogue is about.
    """
    return {(message.context, message.id) for message in found if message.id}


def forms(text: object) -> list[str]:
    return [text] if isinstance(text, str) else list(text)  # type: ignore[call-overload]


def write(directory: Path, tag: str, *entries: tuple[str, str]) -> tuple[Path, ...]:
    """
    Write a catalogue as a host does, and return what is passed along for it.
    """
    text = HEAD + "\n".join(f'msgid "{message}"\nmsgstr "{translation}"\n' for message, translation in entries)
    directory.mkdir(exist_ok=True)
    (directory / f"{tag}.po").write_text(text, encoding="utf-8")
    return (directory,)


# ---- what is shipped


def test_the_template_holds_every_sentence() -> None:
    """
    Someone who translates from it misses nothing: ``tools/catalogues.py`` was run after the last change.
    """
    assert said(catalogues.extract()) == said(catalogues.read(catalogues.HERE / "optly.pot"))


@every_language
def test_a_catalogue_is_complete(tag: str) -> None:
    """
    Every sentence is translated, in every form, and nothing is left over or to be looked at.
    """
    found = shipped(tag)
    assert said(catalogues.extract()) == said(found)
    assert [] == [message.id for message in found if message.id and not all(forms(message.string))]
    assert [] == [message.id for message in found if message.id and message.fuzzy]
    assert not found.obsolete
    assert not found.fuzzy


@every_language
def test_a_translation_keeps_placeholders_and_markup(tag: str) -> None:
    """
    No name, no link and no element gets lost, and none is added.
    """
    found = shipped(tag)
    assert [] == list(problems(found))
    for message in found:
        expected = Counter(re.findall(r"<(\w+)", forms(message.id)[-1]))
        assert [] == [
            text for text in forms(message.string) if message.id and Counter(re.findall(r"<(\w+)", text)) != expected
        ]


def test_the_command_adds_what_is_new_and_drops_what_is_not_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """
    A new sentence stands empty and is named; one that is said no more goes; what is translated stays.
    """
    shutil.copy(catalogues.HERE / "cy.po", tmp_path)
    path = tmp_path / "cy.po"
    path.write_text(path.read_text().replace(f'msgid "{SENTENCE}"', 'msgid "Said no more"'))
    monkeypatch.setattr(catalogues, "HERE", tmp_path)
    assert 1 == catalogues.main()
    assert f"cy.po: {SENTENCE}\n" in capsys.readouterr().out
    left = catalogues.read(path)
    assert said(shipped("cy")) == said(left)
    assert not left.get(SENTENCE).string  # type: ignore[union-attr]
    assert "Eich dewisiadau" == left.get("Your choices").string  # type: ignore[union-attr]


def test_nothing_is_loaded_before_it_is_needed() -> None:
    """
    Neither Babel nor a catalogue for who speaks English and is told no date.
    """
    script = (
        "import sys; from optly.locale.i18n import alone, catalogue;"
        "catalogue('en').gettext('x'); alone('en').gettext('x');"
        "print('babel' in sys.modules, 'jinja2' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "False False" == done.stdout.strip()


# ---- which language


@pytest.mark.parametrize(
    ("expected", "language"),
    [
        ("Mae eich dewisiadau wedi’u cadw", "cy"),
        ("Mae eich dewisiadau wedi’u cadw", "cy-GB"),
        ("Mae eich dewisiadau wedi’u cadw", "CY"),
        (SENTENCE, "en"),
        (SENTENCE, "en-GB"),
        ("Mae eich dewisiadau wedi’u cadw", "cym"),
        ("Mae eich dewisiadau wedi’u cadw", "cy_GB"),
        (SENTENCE, "cyw"),
        (SENTENCE, "x"),
        (SENTENCE, ""),
    ],
)
def test_a_language_falls_back_to_the_one_it_is_a_kind_of_and_then_to_english(expected: str, language: str) -> None:
    """
    Whatever a contact's language is, there is something to say.
    """
    assert expected == catalogue(language).gettext(SENTENCE)


def test_a_catalogue_alone_does_not_fall_back_to_english() -> None:
    """
    What is to be in one language from beginning to end is not mixed.
    """
    assert "Mae eich dewisiadau wedi’u cadw" == alone("cy-GB").gettext(SENTENCE)
    assert "" == alone("cy").gettext("never said")
    assert "" == alone("cy").pgettext("never", "said")
    assert "" == alone("cy").ngettext("never", "said", 2)
    assert "" == alone("cy").npgettext("at", "all", "said", 1)
    assert "" == alone("pl").gettext(SENTENCE)
    assert SENTENCE == alone("en").gettext(SENTENCE)


@pytest.mark.parametrize(
    ("number", "questions"),
    [
        (1, "un cwestiwn"),
        (2, "2 gwestiwn"),
        (3, "3 chwestiwn"),
        (4, "4 cwestiwn"),
        (6, "6 chwestiwn"),
        (7, "7 cwestiwn"),
    ],
)
def test_numbers_change_what_they_count_in_welsh(number: int, questions: str) -> None:
    """
    The noun after a number takes the form that the number asks for.
    """
    text = catalogue("cy").ngettext(*QUESTIONS, number) % {"organisation": "Acme", "num": number, "link": "L"}
    assert f"Mae gan Acme {questions} i chi. Ateb neu stopio: L" == text


@pytest.mark.parametrize(
    ("expected", "wanted", "offered"),
    [
        ("cy", ["cy"], ["en", "cy"]),
        ("cy", ["cy-GB", "en"], ["en", "cy"]),
        ("en", ["en-GB", "cy"], ["en", "cy"]),
        ("cy", ["pl", "cy"], ["en", "cy"]),
        ("zh-Hant", ["zh-hant-tw"], ["en", "zh", "zh-Hant"]),
        ("zh", ["zh-Hans-CN"], ["zh-Hant", "zh"]),
        ("en", ["pl"], ["en", "cy"]),
        ("en", [], ["cy"]),
    ],
)
def test_the_best_understood_of_what_is_offered_is_chosen(expected: str, wanted: list[str], offered: list[str]) -> None:
    """
    The first wish that can be met, by a language or by the one it is a kind of, spelt as it is offered.
    """
    assert expected == negotiate(wanted, offered)


@pytest.mark.parametrize(
    ("expected", "header"),
    [
        (("cy",), "cy"),
        (("cy-GB", "cy", "en"), "cy-GB, cy;q=0.9, en;q=0.8"),
        (("en", "cy"), "cy;q=0.3,en;q=0.7"),
        (("cy", "en"), "cy , en"),
        (("en",), "cy;q=0, en ; q=0.5"),
        (("cy",), "*, cy;q=0.1, en;q=2, ;;, fr;level=1"),
        ((), ""),
    ],
)
def test_a_header_is_read_by_its_weights(expected: tuple[str, ...], header: str) -> None:
    """
    The heaviest first, in the order they were written where they weigh the same; what is malformed is passed over.
    """
    assert expected == parse_accept(header)


@given(st.text(alphabet="cyenGB-;=q0.19,* \t\u0130", max_size=60) | st.text())
def test_any_header_leads_to_a_language_that_is_there(header: str) -> None:
    """
    What a browser sends may be anything.
    """
    assert negotiate(parse_accept(header), LANGUAGES) in LANGUAGES
    assert nearest(header) in LANGUAGES


@pytest.mark.parametrize(
    ("tag", "name", "reads"),
    [("en", "English", "ltr"), ("cy", "Cymraeg", "ltr"), ("fr", "Français", "ltr"), ("ar", "العربية", "rtl"),
     ("ur", "اردو", "rtl"), ("qqq", "qqq", "ltr"), ("", "", "ltr")],
)  # fmt: skip
def test_a_language_is_called_what_it_calls_itself(tag: str, name: str, reads: str) -> None:
    """
    Who looks for their language finds it by its own name, read in its own direction.
    """
    assert (name, reads) == (language_name(tag), direction(tag))


# ---- one spelling


@pytest.mark.parametrize(
    ("tag", "typed"),
    [
        ("cy", "cy CY cym CYM cy.UTF-8"),
        ("cy-GB", "cy-GB cy_GB CY_gb cy-gb cym_GB cy_GB.UTF-8 cy_GB.utf8"),
        ("en-GB", "en-GB en_GB EN-gb eng_GB"),
        ("zh-Hant-TW", "zh-Hant-TW zh_hant_tw ZH-HANT-TW zho-Hant-TW"),
        ("es-419", "es-419 es_419"),
        ("en-GB-u-ca-gregory", "en-GB-u-ca-gregory EN_gb_U_CA_gregory"),
        ("sl-rozaj-1994", "sl-rozaj-1994 sl_ROZAJ_1994"),
        ("gsw", "gsw GSW"),
        ("x-none", "x-none X_NONE"),
    ],
)
def test_a_language_has_one_spelling(tag: str, typed: str) -> None:
    """
    However Babel, Flask-Babel, a browser or the C library write it.
    """
    assert {tag} == {spelt(each) for each in typed.split()}
    assert tag == read_tag(f" {typed.split()[-1]}\n")


@pytest.mark.parametrize("typed", ["", " ", "c", "x", "Welsh", "english", "cy-", "cy--GB", "cŷ", "cy GB", "a" * 36])
def test_what_is_no_tag_is_refused_when_it_is_given(typed: str) -> None:
    """
    Wherever a host names a language. Nobody is written to in English because of a slip of the pen.
    """
    assert spelt(typed) is None
    made = world()
    manager, ada = made.manager, made.add()
    basis = Solicited(how="form", at=made.clock())
    for call in (
        lambda: manager.add_contact(email="gwen@example.com", language=typed),
        lambda: manager.add_contact(name="Ada Lovelace", email=EMAIL, phone=PHONE, language=typed),
        lambda: manager.change_details(ada, language=typed),
        lambda: manager.request_consent(
            ada, via="email", channels=["email"], purposes=["offers"], basis=basis, language=typed
        ),
        lambda: manager.record_complaint(text="Too many", how="telephone", reply_to=EMAIL, language=typed),
        lambda: manager.self_service.request_link(EMAIL, language=typed),
    ):
        with pytest.raises(UsageError, match="BCP 47"):
            call()
    assert 1 + len(manager.standing(ada).lines) == manager.standing(ada).version


def test_a_contact_is_written_to_in_the_language_however_it_is_spelt() -> None:
    """
    The tag is recorded in its one spelling.
    """
    made = world(purposes=[Purpose(key="offers", title="Offers", titles={"cy_GB": "Cynigion", "cym": "Cynigion"})])
    gwen = made.add(language="cy_GB")
    assert ("cy", "cy-GB") == (made.ask(gwen).language, made.manager.standing(gwen).language)
    made.manager.change_details(gwen, language="EN_gb")
    assert ("en", "en-GB") == (made.ask(gwen).language, made.manager.standing(gwen).language)
    assert "cy" == made.ask(gwen, language="CYM").language


def test_a_wording_is_in_the_language_however_it_is_spelt() -> None:
    """
    But the case of its tag is kept, because its digest is over that.
    """
    asked = {("cy_GB", "cy-GB"), ("cy-gb", "cy-gb"), ("cym_GB", "cy-GB")}
    for written, kept in asked:
        wording = Wording(text="A gawn ni?", yes="Cewch", no="Na chewch", language=written)
        assert kept == wording.language
        purpose = Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, written): wording})
        assert wording == purpose.wording(ACME, Channel.EMAIL, "CY_gb")


# ---- catalogues of the host


def test_a_host_rewords_a_sentence_in_any_language(tmp_path: Path) -> None:
    """
    What its catalogues say comes before ours, the first of them first; what they do not say is as it was.
    """
    first = write(tmp_path / "first", "en", (SENTENCE, "Saved"))
    second = write(tmp_path / "second", "en", (SENTENCE, "Kept"), ("Your choices", "Your wishes"))
    write(tmp_path / "second", "cy", (SENTENCE, "Wedi’u cadw"))
    more = first + second
    assert ("Saved", "Your wishes", "Help") == tuple(
        map(catalogue("en", more).gettext, (SENTENCE, "Your choices", "Help"))
    )
    assert ("Wedi’u cadw", "Eich dewisiadau") == tuple(map(catalogue("cy", more).gettext, (SENTENCE, "Your choices")))
    assert SENTENCE == catalogue("en").gettext(SENTENCE)


def test_a_host_adds_a_language(tmp_path: Path) -> None:
    """
    A file is enough. What it leaves out is said in English, reworded if the host reworded it.
    """
    more = write(tmp_path, "pl", (SENTENCE, "Zapisano"))
    write(tmp_path, "en", ("Your choices", "Your wishes"))
    assert (*LANGUAGES, "pl") == languages(more)
    assert ("Zapisano", "Your wishes") == tuple(map(catalogue("pl-PL", more).gettext, (SENTENCE, "Your choices")))
    assert "pl" == nearest("pl-PL", more)
    assert "en" == nearest("pl-PL")


def test_a_language_has_its_own_kinds(tmp_path: Path) -> None:
    """
    What a kind of a language does not say is said in the language.
    """
    more = write(tmp_path, "cy-GB", (SENTENCE, "Cadwyd"))
    assert ("Cadwyd", "Eich dewisiadau") == tuple(map(catalogue("cy-GB", more).gettext, (SENTENCE, "Your choices")))
    assert "Mae eich dewisiadau wedi’u cadw" == catalogue("cy", more).gettext(SENTENCE)


def test_a_catalogue_may_be_named_as_gettext_does(tmp_path: Path) -> None:
    """
    With an underscore. Two of one language in one directory are refused, for nobody could say which counts.
    """
    more = write(tmp_path, "cy_GB", (SENTENCE, "Cadwyd"))
    assert "Cadwyd" == catalogue("cy-GB", more).gettext(SENTENCE)
    write(tmp_path / "two", "cy_GB", (SENTENCE, "Cadwyd"))
    with pytest.raises(ConfigurationError, match="same language"):
        languages(write(tmp_path / "two", "cy-GB", (SENTENCE, "Cadwyd")))


def test_what_is_marked_as_fuzzy_is_not_said(tmp_path: Path) -> None:
    """
    A guess of a tool is nothing to tell people.
    """
    entry = f'#, fuzzy\nmsgid "{SENTENCE}"\nmsgstr "Guessed"\n'
    (tmp_path / "pl.po").write_text(HEAD + entry)
    assert SENTENCE == catalogue("pl", (tmp_path,)).gettext(SENTENCE)


PLURAL = 'msgid "%(num)d thing"\nmsgid_plural "%(num)d things"\n'


@pytest.mark.parametrize(
    ("said", "name", "content"),
    [
        ("malformed", "pl.po", b'msgid "a\n'),
        ("cannot be read", "pl.po", HEAD.encode() + b'msgid "a"\nmsgstr "\xff"\n'),
        ("same placeholders", "pl.po", HEAD.encode() + b'msgid "Stop %(link)s"\nmsgstr "Stop"\n'),
        ("unknown named placeholder", "pl.po", HEAD.encode() + b'msgid "Stop %(link)s"\nmsgstr "%(link)s %(name)s"\n'),
        ("without a placeholder", "pl.po", HEAD.encode() + b'msgid "%(num)d things"\nmsgstr "%(num)Z"\n'),
        ("without a placeholder", "pl.po", HEAD.encode() + b'msgid "All of it"\nmsgstr "100%"\n'),
        ("malformed", "pl.po", HEAD.encode().replace(b"8\\n", b'8\\n"\n"Plural-Forms: nplurals=2; plural=n n;\\n')),
        ("malformed", "pl.po", HEAD.encode() + PLURAL.encode() + b'msgstr[0] "a"\nmsgstr[1] "b"\nmsgstr[7] "c"\n'),
        ("BCP 47", "Welsh.po", b""),
    ],
)  # fmt: skip
def test_a_catalogue_that_would_fail_later_is_refused_at_once(
    tmp_path: Path, said: str, name: str, content: bytes
) -> None:
    """
    Before a message goes out without its link, and not while it is made.
    """
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigurationError, match=said):
        catalogue("pl", (tmp_path,))


def test_a_directory_has_to_be_there(tmp_path: Path) -> None:
    """
    A slip of the pen in a path does not leave people without their language.
    """
    with pytest.raises(ConfigurationError, match="no directory"):
        languages((tmp_path / "missing",))


def test_the_number_may_be_left_out_where_the_form_says_it(tmp_path: Path) -> None:
    """
    "One question" names no number, and nothing else may be missing.
    """
    (tmp_path / "pl.po").write_text(HEAD + PLURAL + 'msgstr[0] "one"\nmsgstr[1] "%(num)d"\nmsgstr[2] "%(num)d"\n')
    assert "one" == catalogue("pl", (tmp_path,)).ngettext("%(num)d thing", "%(num)d things", 1)


# ---- dates

EVENING = datetime(2026, 7, 1, 23, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("expected", "at", "language"),
    [
        ("24 November 2026", datetime(2026, 11, 24, 12, tzinfo=UTC), "en"),
        ("24 Tachwedd 2026", datetime(2026, 11, 24, 12, tzinfo=UTC), "cy"),
        ("24 November 2026", datetime(2026, 11, 24, 12, tzinfo=UTC), "zz"),
        ("1 July 2026", EVENING - MICROSECOND, "en"),
        ("2 July 2026", EVENING, "en"),
        ("2 Gorffennaf 2026", EVENING.astimezone(timezone(timedelta(hours=-7))), "cy-GB"),
        ("31 December 2026", datetime(2027, 1, 1, tzinfo=UTC) - MICROSECOND, "en"),
    ],
)
def test_a_date_is_the_one_in_the_united_kingdom(expected: str, at: datetime, language: str) -> None:
    """
    Whatever the zone of the server and of the value, and by summer time when it applies.
    """
    assert expected == long_date(at, language)


def test_times_are_those_of_clocks_in_the_united_kingdom() -> None:
    """
    By day and minute, as they are written in each language.
    """
    assert ("00:00", "00:00") == (clock_time(EVENING), clock_time(EVENING, "cy"))
    assert "2 July 2026, 00:00" == long_datetime(EVENING)
    assert "2 Gorffennaf 2026, 00:00" == long_datetime(EVENING, "cy")


@pytest.mark.parametrize("write_it", [long_date, long_datetime, clock_time])
def test_a_time_without_a_zone_is_refused(write_it: object) -> None:
    """
    It might be anywhere.
    """
    with pytest.raises(NaiveDatetimeError):
        write_it(datetime(2026, 7, 1))  # type: ignore[operator]  # noqa: DTZ001


# ---- templates


def test_templates_speak_from_the_catalogue_they_are_given() -> None:
    """
    One compiled template serves every language, in what it extends and includes too, and values are escaped.
    """
    templates = {
        "page.html": "{% extends 'base.html' %}{% from 'parts.html' import part with context %}"
        "{% block main %}{{ _('Your choices') }}|{% include 'part.html' %}|{{ part() }}{% endblock %}",
        "base.html": "<main>{% block main %}{% endblock %}</main>",
        "part.html": "{% trans organisation=name %}Stop all marketing\n  from {{ organisation }}{% endtrans %}",
        "parts.html": "{% macro part() %}{% trans num=1 %}We have one question for you:{% pluralize %}We have "
        "these questions for you:{% endtrans %}{{ pgettext('an answer to May …?', 'Yes') }}{% endmacro %}",
    }
    environment = Environment(loader=DictLoader(templates), autoescape=True)
    install(environment)
    page = environment.get_template("page.html")
    assert (
        "<main>Eich dewisiadau|Stopio’r holl farchnata gan A &amp; B|Mae gennym un cwestiwn i chi:Caiff</main>"
        == page.render(name="A & B", translations=catalogue("cy"))
    )
    assert (
        "<main>Your choices|Stop all marketing from A &amp; B|We have one question for you:Yes</main>"
        == page.render(name="A & B", translations=catalogue("en"))
    )
