"""
What a page keeps, whatever a host's templates do: the stop form, the sender, and the secret in each form.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from html import escape
from html.parser import HTMLParser
from http import HTTPStatus
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portal.gallery import ACME, MOUNT
from portal.visitor import Acme
from world import world

import optly.portal
from optly.errors import ConfigurationError
from optly.portal import Portal, Request
from optly.portal.guard import FRAME, PARTS
from optly.portal.look import Look
from optly.testing.pages import Sample, samples
from optly.testing.templates import check_templates, judge

OURS = Path(optly.portal.__file__).parent / "templates"
PLAIN = Look(organisation=ACME, mount=MOUNT)
STOP = re.compile(r'<section class="stop".*?</section>', re.DOTALL)
ADDRESS = re.compile(r"<address>.*?</address>", re.DOTALL)
SAMPLES = {f"{sample.template} {sample.state}".strip(): sample for sample in samples(ACME, MOUNT)}

every_sample = pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())


def look_with(directory: Path, **templates: str) -> Look:
    """
    Return the look of a host with these templates.
    """
    for name, text in templates.items():
        (directory / f"{name}.html.j2").write_text(text, encoding="utf-8")
    return Look(organisation=ACME, mount=MOUNT, templates=[directory])


def portal_of(look: Look) -> Portal:
    """
    Return pages of which only the look is asked.
    """
    site = Acme.open().manager.portal()._site
    return Portal(attrs.evolve(site, look=look))


def body(look: Look, sample: Sample, **facts: Any) -> str:
    """
    Return a page as it is sent.
    """
    return look.page(HTTPStatus.OK, sample.template, **{**sample.facts, **facts}).body.decode()


# ---- kept by the frame, whatever a template does

TRICKS = [
    "",
    "<h1>Our page</h1>",
    "{% set stop, home, csrf, organisation, parts = none, none, none, none, none %}",
    "{% macro stop() %}{% endmacro %}{% macro parts() %}{% endmacro %}{% macro organisation() %}{% endmacro %}",
    "{% import 'optly/parts.html.j2' as parts %}{% import 'optly/parts.html.j2' as stop %}",
    "{% block stop_everything %}{% endblock %}{% block footer %}{% endblock %}{% block main %}{% endblock %}",
    "{% with stop = none, parts = none, csrf = none %}<p>x</p>{% endwith %}",
    "{% for stop in [none] %}{% for parts in [none] %}<p>x</p>{% endfor %}{% endfor %}",
    "{{ groups.clear() if groups }}<p>x</p>",
    "{% include 'parts.html.j2' %}{% include 'page.html.j2' ignore missing %}",
    "<p>{{ '<!--' }}{{ '</main>' ~ '<div hidden>' }}</p>",
]


@pytest.mark.parametrize("place", ["choices", "details", "head", "footer"])
@pytest.mark.parametrize("trick", TRICKS)
def test_no_template_reaches_what_the_frame_holds(tmp_path: Path, place: str, trick: str) -> None:
    """
    Neither by a name, nor by a block, nor by an import. Whether the template is used or not, the page has our stop form
    and our sender, and every form of a session holds its secret.
    """
    look = look_with(tmp_path, **{place: trick})
    for name in ("choices", "details"):
        page, ours = body(look, SAMPLES[name]), body(PLAIN, SAMPLES[name])
        assert STOP.findall(ours) == STOP.findall(page) != []
        assert ADDRESS.findall(ours) == ADDRESS.findall(page) != []
        assert re.findall("<title>.*", ours) == re.findall("<title>.*", page)
        assert '<html lang="en"' in page
        if name == "details":
            assert page.count("<form") == page.count('<input type="hidden" name="csrf" value="sample-secret">') == 3


@pytest.mark.parametrize("name", [FRAME, PARTS])
@pytest.mark.parametrize("place", ["", "optly"])
def test_the_frame_and_the_parts_cannot_be_replaced(tmp_path: Path, name: str, place: str) -> None:
    """
    Neither by their name nor by the prefix under which ours are extended.
    """
    (tmp_path / place).mkdir(exist_ok=True)
    (tmp_path / place / name).write_text("<p>Mine</p>")
    look = look_with(tmp_path)
    assert body(PLAIN, SAMPLES["choices"]) == body(look, SAMPLES["choices"])
    if not place:
        assert [(name, "it cannot be replaced, so it is not used")] == [(f.template, f.message) for f in look.check()]


@every_sample
def test_an_empty_template_leaves_a_page_that_can_be_used(tmp_path: Path, sample: Sample) -> None:
    """
    With the stop form, where ours has one, and the sender.
    """
    look = look_with(tmp_path, **{sample.template: "", "head": "", "header": "", "footer": ""})
    facts = look.facts(sample.template, **sample.facts)
    assert [] == [*judge(look.render(facts), {**facts, "groups": {}})]


# ---- found when a template is loaded


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        # what is left open, or closes what is not its own
        ("<!-- ", "a comment is written"),
        ("<!-- x -->", "a comment is written"),
        ("<?x", "a comment is written"),
        ("<div hidden>", "opened and closed in the same"),
        ("<p><span hidden=''></span>", "opened and closed in the same"),
        ("<details><summary>More</summary>", "opened and closed in the same"),
        ("<fieldset disabled>", "opened and closed in the same"),
        ("<textarea>", "opened and closed in the same"),
        ("<select>", "opened and closed in the same"),
        ("<svg><g/>", "opened and closed in the same"),
        ("<div/>", "opened and closed in the same"),
        ("<path hidden/>", "opened and closed in the same"),
        ("<svg><div hidden/></svg>", "does not close the element that was opened last"),
        ("<ul><li hidden>One</ul>", "does not close the element that was opened last"),
        ("</div>", "does not close the element that was opened last"),
        ("</div><div hidden>", "does not close the element that was opened last"),
        ("</section></main></body></html>", "does not close the element that was opened last"),
        ("</form>", "does not close the element that was opened last"),
        ("<p class='x", "a tag is not finished"),
        ("<p>Over</p><", "a tag is not finished"),
        # in whatever way it comes to be there
        ("{% raw %}<div hidden>{% endraw %}", "opened and closed in the same"),
        ("{% set x %}<div hidden>{% endset %}{{ x }}", "opened and closed in the same"),
        ("{% macro x() %}<div hidden>{% endmacro %}{{ x() }}", "opened and closed in the same"),
        ("{% macro x() %}<div hidden>{% endmacro %}{{ x() }}</div>", "opened and closed in the same"),
        ("<div hidden>{% if not title %}</div>{% endif %}", "opened and closed in the same"),
        ("{% for one in languages %}<div hidden>{% endfor %}", "opened and closed in the same"),
        ("{% block elsewhere %}<div hidden>{% endblock %}</div>", "opened and closed in the same"),
        ("{% trans %}Our <div hidden>{% endtrans %}", "opened and closed in the same"),
        ("{{ _('Our <div hidden>') }}", "opened and closed in the same"),
        ("{% filter upper %}<div hidden>{% endfilter %}", "opened and closed in the same"),
        ("{{ '<div hidden>' | safe }}", "escaping must stay on"),
        ("{{ ('<' ~ 'div hidden>') | safe }}", "escaping must stay on"),
        ("{{ title | safe }}", "escaping must stay on"),
        ("{% autoescape false %}{{ title }}{% endautoescape %}", "escaping must stay on"),
        # forms and answers by hand
        ("<form method='post' action='/my/l/abc/stop'><button>Stop</button></form>", "use {% call parts.form"),
        ("{% call parts.form(home) %}<form></form>{% endcall %}", "use {% call parts.form"),
        ("<FORM></FORM>", "use {% call parts.form"),
        ("{% call parts.form(home) %}<input type='radio' name='a' value='yes'>{% endcall %}", "none is ticked"),
        ("{% call parts.form(home) %}<input type='Checkbox' name='a'>{% endcall %}", "none is ticked"),
        ("<input name='a' checked>", "none is ticked"),
        # what has no place in a part of a page
        ("<main></main>", "<main> is not part of"),
        ("<html><body></body></html>", "<html> is not part of"),
        ("<title>Mine</title>", "<title> is not part of"),
        ("<base href='/'>", "<base> is not part of"),
        ("<script>alert(1)</script>", "<script> is not part of"),
        ("<style>.stop { display: none }</style>", "<style> is not part of"),
        ("<template></template>", "<template> is not part of"),
        ("<noscript></noscript>", "<noscript> is not part of"),
        ("<iframe src='/my/help'></iframe>", "<iframe> is not part of"),
        ("<plaintext>", "<plaintext> is not part of"),
        # what Jinja2 itself cannot load or show
        ("{% if %}", "Expected an expression"),
        ("{{ title | no_such_filter }}", "No filter named"),
        ("{% extends 'optly/layout.html.j2' %}", "there is no template optly/layout.html.j2"),
        ("{% include 'nothing.html.j2' %}", "there is no template nothing.html.j2"),
    ],
)
def test_a_template_that_could_break_a_page_is_not_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, template: str, fault: str
) -> None:
    """
    The whole page is made of ours, the log says why without a word of what was on it, and so does the check.
    """
    look = look_with(tmp_path, choices=template)
    with caplog.at_level(logging.ERROR, logger="optly"):
        assert body(PLAIN, SAMPLES["choices"]) == body(look, SAMPLES["choices"])
    [record] = caplog.records
    assert "a page was made without the host's templates" == record.message
    assert fault in cast(str, record.finding)  # type: ignore[attr-defined]
    assert "example.com" not in str(vars(record))
    [found] = look.check()
    assert "choices.html.j2" == found.template
    assert fault in found.message
    assert (found,) == check_templates(portal_of(look))


@pytest.mark.parametrize(
    ("name", "template", "fault"),
    [
        ("help", "<h1>Help</h1>\n{% if title %}", "help.html.j2, line 2: "),
        ("help", "<h1>Help</h1>\n\n{{ nothing | no_such_filter }}", "help.html.j2, line 3: No filter named"),
        ("help", "<p>\n{% include 'of_no_one.html.j2' %}</p>", "help.html.j2: there is no template of_no_one.html.j2"),
        ("choices", "{% extends 'optly/choices.html.j2' %}\n{% block nowhere %}{% endblock %}",
         "choices.html.j2, line 2: optly/choices.html.j2 has no block nowhere"),
        ("help", "<h1>Help</h1>\n<div hidden>\n<p>One</p>\n", "help.html.j2, line 2: an element is not opened"),
        ("page", "<p>No button here</p>", "page.html.j2: it cannot be replaced"),
        ("parts", "{% macro form(action) %}{% endmacro %}", "parts.html.j2: it cannot be replaced"),
    ],
)  # fmt: skip
def test_the_pages_are_not_made_with_a_fault_in_a_template(
    tmp_path: Path, name: str, template: str, fault: str
) -> None:
    """
    Whoever starts the application is told which template and which line, before anyone sees a page without it.
    """
    (tmp_path / f"{name}.html.j2").write_text(template)
    (tmp_path / "front.html.j2").write_text("{% extends 'optly/front.html.j2' %}")
    manager = Acme.open().manager
    with pytest.raises(ConfigurationError, match=re.escape(fault)):
        manager.portal(templates=[tmp_path])
    (tmp_path / f"{name}.html.j2").unlink()
    manager.portal(templates=[tmp_path])


@pytest.mark.parametrize("template", ["{{ nothing_of_that_name }}", "{{ 1 / 0 }}", "{% include template %}"])
def test_a_template_that_fails_is_not_used(tmp_path: Path, caplog: pytest.LogCaptureFixture, template: str) -> None:
    """
    What only shows when the page is made is found by the judge.
    """
    look = look_with(tmp_path, choices=template)
    with caplog.at_level(logging.ERROR, logger="optly"):
        assert body(PLAIN, SAMPLES["choices"]) == body(look, SAMPLES["choices"])
    assert "choices.html.j2" == caplog.records[0].template  # type: ignore[attr-defined]
    assert () == look.check()
    [found] = check_templates(portal_of(look))
    assert ("choices.html.j2", True) == (found.template, found.message.startswith("it cannot be shown: "))


def test_a_finding_names_the_line(tmp_path: Path) -> None:
    """
    Of the template, and not of the page.
    """
    look = look_with(
        tmp_path, help="<h1>Help</h1>\n{% if title %}\n<p>One</p>\n<p>Two\n<script></script></p>{% endif %}\n"
    )
    assert [("help.html.j2", 5)] == [(found.template, found.line) for found in look.check()]


@pytest.mark.parametrize(
    "template",
    [
        "<p class='{{ language }}'{% if title %} id='x'{% endif %}>One</p>",
        "<a href='https://shop.example.com/'>Back to the shop</a>",
        "<img src='/assets/logo.png' alt='Acme'><br><br/>",
        "<svg viewBox='0 0 9 9'><path d='M0 0h9'/></svg>",
        "<p>{{ _('Five < six & seven > two') }}</p>",
        "<details><summary>More</summary><p>And more</p></details>",
        "{% call parts.form(home ~ '/complaint') %}<textarea name='text'></textarea><button>Send</button>{% endcall %}",
        "{# <div hidden> #}<p>One</p>",
    ],
)
def test_what_a_host_may_well_add_is_used(tmp_path: Path, template: str) -> None:
    """
    Links to its own pages, pictures, drawings, and forms that are drawn with ours.
    """
    look = look_with(tmp_path, complaint=template)
    assert () == check_templates(portal_of(look))
    assert body(look, SAMPLES["complaint"]) != body(PLAIN, SAMPLES["complaint"])


def test_each_of_our_own_templates_may_be_copied(tmp_path: Path) -> None:
    """
    And then be changed. They are held to the rules as well.
    """
    for file in OURS.iterdir():
        if file.name not in (FRAME, PARTS):
            (tmp_path / file.name).write_text(file.read_text(encoding="utf-8"), encoding="utf-8")
    look = look_with(tmp_path)
    assert () == check_templates(portal_of(look))
    assert body(PLAIN, SAMPLES["choices"]) == body(look, SAMPLES["choices"])


def test_nothing_is_read_when_a_page_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Once the templates are loaded.
    """
    look = look_with(tmp_path, help="<h1>Ask us</h1>")
    assert "Ask us" in body(look, SAMPLES["help"])
    monkeypatch.delattr(HTMLParser, "feed")
    assert "Ask us" in body(look, SAMPLES["help"])


PIECES = [
    "<div>", "<div hidden>", "</div>", "<p", ">", "<p>", "</p>", '"', " class='", "<!--", "-->", "<form>", "</form>",
    "<textarea>", "</textarea>", "<select>", "</select>", "<svg>", "<g/>", "</svg>", "<br>", "</main>", "<ul>",
    "<li hidden>", "</ul>", "{% if title %}", "{% if not title %}", "{% else %}", "{% endif %}", "{% raw %}",
    "{% endraw %}", "{% set stop = none %}", "{{ title }}", "{{ '<div hidden>' }}", "{% block elsewhere %}",
    "{% endblock %}", "{% call parts.form(home) %}", "{% endcall %}", "<button>", "</button>", "{{ _('<b>') }}", "text",
]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=8), st.sampled_from(["choices", "footer", "header"]))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_template_hides_the_stop_form(tmp_path: Path, pieces: list[str], place: str) -> None:
    """
    Whatever it is made of: it is not used, or a browser shows the stop form and the sender all the same.
    """
    look = look_with(tmp_path, **{place: "".join(pieces)})
    facts = look.facts("choices", **SAMPLES["choices"].facts)
    page = look._text(facts)
    (tmp_path / f"{place}.html.j2").unlink()
    assert [] == [fault for fault in judge(page, {**facts, "groups": {}}) if "inside another" not in fault]


# ---- found by the judge

HELD = {"title": "Title", "csrf": "s3cret", "groups": {}, "organisation": ACME}
LINK: Mapping[str, Any] = {**HELD, "stop": "/my/l/abc/stop"}
FORM = '<form method="post" action="/my/l/abc/stop"><button>Stop</button></form>'
NO_STOP = "no button that can be seen and pressed stops everything"


def judged(inside: str, facts: Mapping[str, Any] = LINK) -> list[str]:
    """
    Return what the judge says of a page that is well but for what is inside.
    """
    page = f"<html><body>{inside}<footer><address><strong>{ACME.name}</strong></address></footer></body></html>"
    return [*judge(page, facts)]


@pytest.mark.parametrize(
    "inside",
    [
        "",
        f"<!-- {FORM} -->",
        f"<template>{FORM}</template>",
        f"<noscript>{FORM}</noscript>",
        f"<textarea>{FORM}</textarea>",
        f"<select>{FORM}</select>",
        f"<div hidden>{FORM}</div>",
        f"<div><p><span hidden=''>{FORM}</span></p></div>",
        f"<div inert>{FORM}</div>",
        f"<div aria-hidden='true'>{FORM}</div>",
        f"<div class='card unseen'>{FORM}</div>",
        f"<details><summary>More</summary>{FORM}</details>",
        f"<dialog>{FORM}</dialog>",
        f"<fieldset disabled>{FORM}</fieldset>",
        FORM.replace("/abc/stop", "/abd/stop"),
        FORM.replace("<button>", "<button disabled>"),
        FORM.replace("<button>", "<button hidden>"),
        FORM.replace("<button>Stop", "<button> "),
        FORM.replace("<button>", "<button class='unseen'>"),
        FORM.replace("<button>", "<fieldset disabled><button>"),
        FORM.replace("<button>Stop</button>", ""),
    ],
)
def test_a_page_without_the_stop_button_is_found(inside: str) -> None:
    """
    One that is not there, cannot be seen or pressed, or does something else: by a translation, say.
    """
    assert [NO_STOP] == judged(inside)
    assert [] == judged(inside, {**LINK, "stop": None})


@given(st.text(max_size=60), st.text(max_size=60))
def test_text_on_the_page_changes_nothing(before: str, after: str) -> None:
    """
    What people are called is not markup.
    """
    assert [] == judged(f"<p title='{escape(before)}'>{escape(before)}</p>{FORM}<p>{escape(after)}</p>")


def test_a_form_inside_another_and_a_hidden_sender_are_found() -> None:
    """
    Browsers leave the inner form out, and its button does what the outer one does.
    """
    assert ["a form is inside another, where browsers leave it out"] == judged(f"<form>{FORM}</form>{FORM}")
    assert ["the sender cannot be seen"] == [*judge(f"<address hidden>{ACME.name}</address>{FORM}", LINK)]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('value="no"', 'value="maybe"'),
        ('id="email-offers-no"', 'id="email-offers-no" hidden'),
        ('id="email-offers-no"', 'id="email-offers-no" disabled'),
        ('type="radio" name="email-offers"', 'type="hidden" name="email-offers"'),
        ("</fieldset>", '<input type="hidden" name="email-offers" value="yes"></fieldset>'),
        ("</fieldset>", '<button name="email-offers" value="yes">Yes</button></fieldset>'),
        ('name="email-offers"', 'name="other"'),
    ],
)
def test_a_question_without_its_two_answers_is_found(old: str, new: str) -> None:
    """
    And one with more of them.
    """
    facts = PLAIN.facts("choices", **SAMPLES["choices question"].facts)
    page = PLAIN.render(facts)
    assert [] == [*judge(page, facts)]
    assert old in page
    assert [*judge(page.replace(old, new, 1), facts)]


def test_a_form_nested_by_a_template_is_found(tmp_path: Path) -> None:
    """
    The stop form stands even so.
    """
    nested = "{% call parts.form(home) %}{% include 'optly/complaint.html.j2' %}{% endcall %}"
    look = look_with(tmp_path, complaint=nested)
    assert ["a form is inside another, where browsers leave it out"] == [
        found.message for found in check_templates(portal_of(look))
    ]


def write_words(directory: Path, sentence: str, said: str) -> None:
    """
    Write a catalogue that says one sentence in other words.
    """
    catalogue = Catalog(locale="en")
    catalogue.add(sentence, said)
    with (directory / "en.po").open("wb") as file:
        write_po(file, catalogue)


INSTEAD = 'Don’t want to hear from us? <a href="#stop">Stop everything</a> instead.'
HIDING = [
    ("Stop everything", " "),
    ("Stop everything", "\u200b&nbsp;\u00ad"),
    ("Stop everything", "&#8203;"),
    ("Stop everything", "</button></form><form><button>"),
    ("Don’t want to hear from us?", "<!--"),
    ("Don’t want to hear from us?", "No? <template>"),
    ("Don’t want to hear from us?", "No? <plaintext"),
    ("Your choices", "<script>alert(1)</script>"),
    ("Help", '<meta http-equiv="refresh" content="0">'),
    ("There is a problem", '<form action="https://evil.example"><button>Go</button></form>'),
    (INSTEAD, "Later."),
    (INSTEAD, '<a href="/">Stop</a>'),
    (INSTEAD, '</a>Stop<a href="#stop">'),
    ('<bdi dir="ltr">%(number)s</bdi> (free to call)', "%(number)s"),
]


@pytest.mark.parametrize(("sentence", "said"), HIDING)
def test_a_translation_that_could_hide_the_stop_button_or_the_sender_is_refused(
    tmp_path: Path, sentence: str, said: str
) -> None:
    """
    When the manager is made, and in words: a catalogue is the host's, and its sentences stand on the pages as they are.
    """
    write_words(tmp_path, sentence, said)
    with pytest.raises(ConfigurationError, match=r"en\.po cannot be used: .*(tags|says nothing)"):
        world(catalogues=[tmp_path])
    with pytest.raises(ConfigurationError):
        attrs.evolve(PLAIN, catalogues=[tmp_path])


def test_a_translation_cannot_leave_the_attribute_it_stands_in(tmp_path: Path) -> None:
    """
    Its quotation marks are text there too.
    """
    write_words(tmp_path, "Your pages", 'Yours" hidden title="x')
    assert () == check_templates(portal_of(attrs.evolve(PLAIN, catalogues=[tmp_path])))
    made = world(catalogues=[tmp_path])
    page = Request(method="GET", path=f"/l/{made.manager.link(made.add()).rpartition('/')[2]}")
    assert 'aria-label="Yours&#34; hidden title=&#34;x"' in made.manager.portal().handle(page).body.decode()


# ---- the made-up facts


@every_sample
def test_our_own_pages_keep_the_rules(sample: Sample) -> None:
    """
    All of them, in any state; and a page would be found without what it has to keep.
    """
    facts = PLAIN.facts(sample.template, **sample.facts)
    page = PLAIN.render(facts)
    assert [] == [*judge(page, facts)]
    assert ["the sender cannot be seen"] == [*judge(page.replace("<address>", "<div>"), facts)]
    if facts["stop"] is not None:
        assert [NO_STOP] == [*judge(page.replace(facts["stop"], f"{MOUNT}/help"), facts)]


@every_sample
def test_the_made_up_pages_lead_to_pages_that_there_are(acme: Acme, sample: Sample) -> None:
    """
    A path that the pages do not have would be answered as not found before its method is looked at.
    """
    portal = acme.manager.portal()
    page = PLAIN.render(PLAIN.facts(sample.template, **sample.facts))
    paths = {path.partition("?")[0] for path in re.findall(rf'(?:href|action)="{MOUNT}(/[^"#]*)', page)}
    found = {path: portal.handle(Request(method="PUT", path=path)).status for path in paths}
    assert {} == {path: status for path, status in found.items() if status is not HTTPStatus.METHOD_NOT_ALLOWED}
