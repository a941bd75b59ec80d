"""
What a page must keep, whoever wrote its template.
"""

from __future__ import annotations

from html import escape

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from portal.gallery import ACME, MOUNT

from optly.portal.guard import Finding, Rules, findings
from optly.portal.look import Look
from optly.portal.samples import samples

SECRET = "s3cret"
HELD = f'<input type="hidden" name="csrf" value="{SECRET}">'
STOP = '<form method="post" action="/my/l/abc/stop"><button>Stop</button></form>'

OPEN = Rules(mount="/my")
LINK = Rules(mount="/my", stop="/my/l/abc/stop")
SESSION = Rules(mount="/my", csrf=SECRET)


@attrs.frozen
class Question:
    """
    A question with its two buttons.
    """

    name: str = "email-offers"
    yes: str = "yes-1"
    no: str = "no"
    pressed: bool | None = None


def page(inside: str) -> str:
    """
    Return a page that is well but for what is inside.
    """
    return f'<!DOCTYPE html><html lang="en"><head><title>Title</title></head><body>{inside}</body></html>'


def told(rules: Rules, inside: str) -> list[str]:
    """
    Return what is said of a page.
    """
    return [finding.message for finding in findings("choices", page(inside), rules)]


# ---- the way out


def test_a_page_with_the_button_may_be_shown() -> None:
    """
    Whatever else is on it.
    """
    assert [] == told(LINK, f"<h1>Choices</h1><div class='grand'>{STOP}</div>")


@pytest.mark.parametrize(
    "inside",
    [
        "",
        f"<!-- {STOP} -->",
        f"<template>{STOP}</template>",
        f"<noscript>{STOP}</noscript>",
        f"<textarea>{STOP}",
        f"<select>{STOP}</select>",
        f"<div hidden>{STOP}</div>",
        f"<div><p><span hidden=''>{STOP}</span></p></div>",
        f"<div inert>{STOP}</div>",
        f"<div aria-hidden='true'>{STOP}</div>",
        f"<div class='card unseen'>{STOP}</div>",
        f"<details><summary>More</summary>{STOP}</details>",
        f"<dialog>{STOP}</dialog>",
        f"<fieldset disabled>{STOP}</fieldset>",
        STOP.replace("/abc/stop", "/abd/stop"),
        STOP.replace("<button>", "<button disabled>"),
        STOP.replace("<button>", "<button hidden>"),
        STOP.replace("<button>", "<button type='button'>"),
        STOP.replace("<button>", "<button type='reset'>"),
        STOP.replace("<button>Stop", "<button> "),
        STOP.replace("<button>", "<button class='unseen'>"),
        STOP.replace("<button>", "<fieldset disabled><button>"),
        STOP.replace("<button>", "<button formaction='/my/l/abc'>"),
        STOP.replace("<button>", "<label>Why? <input name='why'></label><button>"),
        STOP.replace("<button>", "<textarea name='why'></textarea><button>"),
        STOP.replace("<button>", "<label><input type='checkbox' name='sure'>Sure?</label><button>"),
        STOP.replace("<button>Stop</button>", ""),
    ],
)
def test_a_page_without_the_button_is_not_shown(inside: str) -> None:
    """
    One that is not there, cannot be seen, cannot be pressed, does something else, or wants something first.
    """
    assert "there is no button, to be seen and pressed without anything to fill in, that stops everything" in told(
        LINK, inside
    )


@pytest.mark.parametrize(
    "inside",
    [
        STOP.replace("<button>", "<button type='submit'>"),
        STOP.replace("<button>Stop</button>", "<input type='submit' value='Stop'>"),
        STOP.replace("<button>", "<input type='hidden' name='a' value='b'><button>"),
        STOP.replace("post", "POST"),
        f"<details open><summary>More</summary>{STOP}</details>",
        f"<p>An unclosed paragraph{STOP}",
        f"<br><img src='/my/static/a.png' alt=''>{STOP}",
        f"<svg><path d='M0 0'/></svg>{STOP}",
    ],
)
def test_the_button_may_look_as_the_host_likes(inside: str) -> None:
    """
    As long as it is one.
    """
    assert [] == told(LINK, inside)


# ---- forms


@pytest.mark.parametrize(
    "form",
    [
        "<form method='post' action='/my/me/stay'><button>Stay</button></form>",
        f"<form method='post' action='/my/me/stay'>{HELD}{HELD}<button>Stay</button></form>",
        f"<form method='post' action='/my/me/stay'>{HELD.replace(SECRET, 'other')}<button>Stay</button></form>",
        f"<form method='post' action='/my/me/stay'>{HELD.replace('hidden', 'text')}<button>Stay</button></form>",
        f"<form method='post' action='/my/me/stay'>{HELD.replace('name', 'disabled name')}<button>Stay</button></form>",
        f"{HELD}<form method='post' action='/my/me/stay'><button>Stay</button></form>",
    ],
)
def test_each_form_of_a_session_holds_its_secret(form: str) -> None:
    """
    Once, hidden, and the right one.
    """
    assert ["a form does not hold the secret of the session, once and hidden: csrf"] == told(SESSION, form)
    assert [] == told(OPEN, form)


def test_a_form_that_holds_the_secret_is_fine() -> None:
    """
    Anywhere in it.
    """
    assert [] == told(SESSION, f"<form method='post' action='/my/me/stay'><button>Stay</button><p>{HELD}</p></form>")


@pytest.mark.parametrize(
    "action",
    [
        "",
        "/",
        "/my",
        "/mystery/x",
        "/other",
        "https://elsewhere.example.com/my/x",
        "//elsewhere.example.com/my/x",
        "\\\\elsewhere.example.com/my/x",
        "/\\elsewhere.example.com/my/x",
        "/my/../x",
        "/my/..\\x",
        "javascript:alert(1)",
        "x",
        "http://[",
    ],
)
def test_a_form_is_sent_to_these_pages_alone(action: str) -> None:
    """
    Neither by itself nor by one of its buttons.
    """
    wrong = "a form is sent to somewhere else than these pages"
    assert [wrong] == told(OPEN, f"<form method='post' action='{action}'><button>Go</button></form>")
    assert [wrong] == told(OPEN, f"<form method='post' action='/my/x'><button formaction='{action}'>Go</button></form>")


@pytest.mark.parametrize(
    ("form", "wrong"),
    [
        ("<form action='/my/x'></form>", "not sent by POST"),
        ("<form method='get' action='/my/x'></form>", "not sent by POST"),
        ("<form method='dialog' action='/my/x'></form>", "not sent by POST"),
        ("<form method='post' action='/my/x' enctype='multipart/form-data'></form>", "do not read it"),
        ("<form method='post' action='/my/x'><button formmethod='get'>x</button></form>", "another way"),
        ("<form method='post' action='/my/x'><form method='post' action='/my/y'></form></form>", "inside another"),
        ("<form method='post' action='/my/x' id='f'></form><input form='f' name='a'>", "instead of lying in it"),
        ("<form method='post' action='/my/x'><input type='checkbox' name='a' checked></form>", "before anybody"),
        ("<form method='post' action='/my/x'><input type='radio' name='a' checked></form>", "before anybody"),
    ],
)
def test_a_form_that_these_pages_cannot_read_is_told(form: str, wrong: str) -> None:
    """
    And one in which something is chosen already.
    """
    assert [wrong in message for message in told(OPEN, form)] == [True]


# ---- questions


def radios(question: Question) -> str:
    """
    Return a question as a host might draw it.
    """
    checked = {True: question.yes, False: question.no, None: None}[question.pressed]
    buttons = (
        f'<p class="answer"><input type="radio" name="{question.name}" id="{value}" value="{value}"'
        f'{" checked" if value == checked else ""}><label for="{value}">{value}</label></p>'
        for value in (question.yes, question.no)
    )
    return f'<form method="post" action="/my/l/abc">{"".join(buttons)}<button>Save</button></form>'


@pytest.mark.parametrize("pressed", [None, True, False])
def test_a_fair_question_may_be_shown(pressed: bool | None) -> None:
    """
    With what is on record pressed, and nothing where nothing is.
    """
    question = Question(pressed=pressed)
    assert [] == told(attrs.evolve(OPEN, questions=[question]), radios(question))


@pytest.mark.parametrize("shown", [None, True, False])
@pytest.mark.parametrize("recorded", [None, True, False])
def test_no_other_answer_is_filled_in(shown: bool | None, recorded: bool | None) -> None:
    """
    Neither a yes nor a no that nobody gave, and what was given is not hidden.
    """
    found = told(attrs.evolve(OPEN, questions=[Question(pressed=recorded)]), radios(Question(pressed=shown)))
    expected = [] if shown is recorded else ["another answer is filled in than the one on record"]
    assert expected == found


FAIR = radios(Question())
YES = '<input type="radio" name="email-offers" id="yes-1" value="yes-1">'
NO = '<input type="radio" name="email-offers" id="no" value="no">'


@pytest.mark.parametrize(
    ("inside", "wrong"),
    [
        ("", "just its two answers"),
        (FAIR.replace(NO, ""), "just its two answers"),
        (FAIR.replace(YES, ""), "just its two answers"),
        (FAIR.replace(NO, NO.replace('value="no"', 'value="yes-2"')), "just its two answers"),
        (FAIR.replace(YES, YES.replace("radio", "checkbox")), "just its two answers"),
        (FAIR + FAIR.replace("yes-1", "yes-9"), "just its two answers"),
        (FAIR.replace("<button>", '<input type="hidden" name="email-offers" value="yes-1"><button>'), "just its two"),
        (FAIR.replace("<button>", '<button name="email-offers" value="yes-1">'), "just its two answers"),
        (FAIR.replace(NO, NO.replace("<input", "<input hidden")), "cannot be seen"),
        (FAIR.replace(NO, NO.replace("<input", "<input disabled")), "cannot be seen"),
        (FAIR.replace('<label for="no">', "<label>"), "no label"),
        (FAIR.replace('<label for="no">', '<label for="no" class="small">'), "do not look alike"),
        (FAIR.replace(NO, NO.replace("<input", '<input class="small"')), "do not look alike"),
        (FAIR.replace(f'<p class="answer">{NO}', f'<p class="answer pale">{NO}'), "do not look alike"),
        (FAIR.replace(f'<p class="answer">{NO}', f'<p class="answer"><small>{NO}'), "do not look alike"),
    ],
)
def test_a_question_that_is_not_fair_is_told(inside: str, wrong: str) -> None:
    """
    Yes and no are both there, can both be pressed, and weigh the same.
    """
    found = told(attrs.evolve(OPEN, questions=[Question()]), inside)
    assert found
    assert all(wrong in message for message in found[:1])


# ---- what is loaded, and where links lead


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        "<SCRIPT src='/my/static/x.js'></SCRIPT>",
        "<style>.stop { display: none }</style>",
        "<base href='/'>",
        "<iframe src='/my/help'></iframe>",
        "<object data='/my/x'></object>",
        "<embed src='/my/x'>",
        "<meta http-equiv='refresh' content='0'>",
        "<p onclick='alert(1)'>x</p>",
        "<p style='display: none'>x</p>",
        "<link rel='stylesheet' href='https://elsewhere.example.com/x.css'>",
        "<link rel='preconnect' href='//elsewhere.example.com'>",
        "<img src='https://elsewhere.example.com/x.png' alt=''>",
        "<img src='data:image/png;base64,AAAA' alt=''>",
        "<img srcset='/my/a.png 1x, https://elsewhere.example.com/x.png 2x' alt=''>",
        "<video poster='//elsewhere.example.com/x.png'></video>",
        "<svg><image href='https://elsewhere.example.com/x.png'/></svg>",
        "<svg><use xlink:href='https://elsewhere.example.com/x.svg#a'/></svg>",
        "<a href='javascript:alert(1)'>x</a>",
        "<a href='data:text/html,x'>x</a>",
        "<a href='http://['>x</a>",
    ],
)
def test_nothing_runs_and_nothing_comes_from_elsewhere(inside: str) -> None:
    """
    Not even where a browser would be told to leave it out.
    """
    assert len(told(OPEN, inside)) == 1


@pytest.mark.parametrize(
    "inside",
    [
        "<a href='https://shop.example.com/'>Back to the shop</a>",
        "<a href='mailto:a@example.com'>Write</a>",
        "<a href='tel:+448004960000'>Call</a>",
        "<a href='#stop'>Below</a>",
        "<img src='/assets/logo.png' srcset='/a.png 1x, /b.png 2x' alt='Acme'>",
        "<link rel='stylesheet' href='/assets/ours.css'>",
        "<svg><use href='#part'/></svg>",
    ],
)
def test_what_a_host_may_well_add_is_let_be(inside: str) -> None:
    """
    Links to its own pages, pictures and styles of the same host.
    """
    assert [] == told(OPEN, inside)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("<html><title>Title</title></html>", "what language it is in"),
        ('<html lang=" "><title>Title</title></html>', "what language it is in"),
        ('<html lang="en"></html>', "no title"),
        ('<html lang="en"><title> </title></html>', "no title"),
        ('<html lang="en"><svg><title>Title</title></svg></html>', "no title"),
    ],
)
def test_a_page_says_what_it_is(text: str, wrong: str) -> None:
    """
    In which language, and under which title.
    """
    assert [wrong in finding.message for finding in findings("help", text, OPEN)] == [True]


def test_a_finding_says_where() -> None:
    """
    By the template and the line, and not by what stood there.
    """
    text = page("\n\n<a href='javascript:alert(\"ada@example.com\")'>x</a>")
    message = "a link leads neither to a page nor to a mailbox nor to a telephone"
    assert (Finding(template="help", line=3, message=message),) == findings("help", text, OPEN)


# ---- of all pages


@given(st.text(max_size=200))
def test_no_page_is_too_odd_to_be_read(text: str) -> None:
    """
    Whatever a template makes, there is an answer, and without the button it is no.
    """
    assert findings("choices", text, LINK)
    assert isinstance(findings("choices", page(text), LINK), tuple)


@given(st.text(max_size=60), st.text(max_size=60))
def test_text_on_the_page_changes_nothing(before: str, after: str) -> None:
    """
    What people are called is no part of the page's making.
    """
    assert [] == told(LINK, f"<p title='{escape(before)}'>{escape(before)}</p>{STOP}<p>{escape(after)}</p>")


@pytest.mark.parametrize("sample", [*samples(ACME, MOUNT)], ids=lambda one: f"{one.template} {one.state}".strip())
def test_each_page_of_ours_would_be_caught_without_its_guards(sample: object) -> None:
    """
    Take the stop button or the secret of the session from a page that has it, and it is no longer shown.
    """
    look = Look(organisation=ACME, mount=MOUNT)
    facts = dict(sample.facts)  # type: ignore[attr-defined]
    shown = look.page(200, sample.template, **facts).body.decode()  # type: ignore[arg-type, attr-defined]
    questions = [field for group in facts.get("groups", {}).values() for field in group]
    stop = f"{facts['home']}/stop" if f'action="{facts["home"]}/stop"' in shown else None
    rules = Rules(mount=MOUNT, stop=stop, csrf=facts["csrf"], questions=questions)
    assert () == findings("page", shown, rules)
    if stop is not None:
        assert findings("page", shown.replace(f'action="{stop}"', f'action="{MOUNT}/help"'), rules)
    if facts["csrf"] is not None:
        assert findings("page", shown.replace('name="csrf"', 'name="other"', 1), rules)
    for question in questions:
        assert findings("page", shown.replace(f'value="{question.no}"', 'value="maybe"', 1), rules)
