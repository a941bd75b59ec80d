"""
A page that is looked at changes nothing; a button does what it says; and stopping is the easiest of all.
"""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portal.sessions import undo_of
from portal.visitor import FORM, HEADERS, ONE_CLICK, ORIGIN, WELSH, Acme, Visitor
from world import EMAIL, EMAIL_OFFERS, SMS_OFFERS

from optly.contacts.addresses import Channel
from optly.contacts.purposes import Purpose, Wording
from optly.errors import (
    ConflictError,
    DamagedError,
    LinkRevokedError,
    OptlyError,
    StorageUnavailableError,
    UsageError,
)
from optly.portal import Request
from optly.record.events import ConsentGiven
from optly.testing.messages import code_in

OURS = ("sec-fetch-site", "same-origin")


def every_path(acme: Acme) -> list[str]:
    """
    Return a path of every kind, links in every state among them.
    """
    used, superseded = acme.ask(Channel.SMS), acme.ask(Channel.EMAIL)
    acme.manager.answer(used, {SMS_OFFERS: False})
    codes = [used, superseded, acme.ask(Channel.EMAIL), acme.myoptly(), "0" * 26, "short", "%00", "é"]
    tokens = [acme.token(), acme.token("offers"), "tampered.token", ""]
    return [
        *(f"/l/{code}" for code in codes),
        *(f"/l/{code}/stop" for code in codes),
        *(f"/u/{token}" for token in tokens),
        "",
        "/",
        "/help",
        "/l",
        "/l/",
        "/u",
        "/static/optly.css",
        "/static/../templates/help.html.j2",
        "/robots.txt",
    ]


# ---- opening is not answering


def test_looking_changes_nothing(acme: Acme, visitor: Visitor) -> None:
    """
    GET and HEAD leave everything that is stored as it was, on every URL and however often.
    """
    paths = every_path(acme)
    before = acme.record()
    for path in paths * 2:
        for method in ("GET", "HEAD"):
            visitor.portal.handle(Request(method=method, path=path, query="answer=yes&confirm=true"))
    assert before == acme.record()


def test_head_is_get_without_a_body(acme: Acme, visitor: Visitor) -> None:
    """
    Status and headers are the same, the length included.
    """
    for path in every_path(acme):
        get = visitor.get(path).response
        head = visitor.portal.handle(Request(method="HEAD", path=path))
        assert (get.status, get.headers, b"") == (head.status, head.headers, head.body)
        assert dict(get.headers)["content-length"] == str(len(get.body))


def test_a_question_has_no_default(acme: Acme, visitor: Visitor) -> None:
    """
    No button is pressed, whatever is on record, and sending the form as it is answers nothing.
    """
    acme.manager.choose(acme.myoptly(), {EMAIL_OFFERS: True})
    code = acme.ask()
    action = f"/my/l/{code}"
    page = visitor.get(f"/l/{code}")
    assert not any("checked" in field for field in page.fields(action))
    before = acme.record()
    refused = visitor.post(f"/l/{code}", page.filled_in(action, {}), OURS)
    assert refused.status == 422
    assert before == acme.record()


# ---- answering a question


def test_an_answer_is_recorded_as_it_was_given(acme: Acme, visitor: Visitor) -> None:
    """
    A yes is a yes, a no is a no, and the page that follows says so.
    """
    page = visitor.submit(f"/l/{acme.ask()}", {"email-offers": True, "sms-offers": False})
    assert page.status == 200
    assert page.text.count('<span class="mark yes"') == 1
    assert page.text.count('<span class="mark no"') == 1
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}


def test_what_is_not_answered_stays_unanswered(acme: Acme, visitor: Visitor) -> None:
    """
    It is neither a yes nor a no, on record and on the page.
    """
    page = visitor.submit(f"/l/{acme.ask()}", {"email-offers": False})
    assert page.text.count('<span class="mark none"') == 1
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: None}


def test_only_what_was_asked_can_be_granted(acme: Acme, visitor: Visitor) -> None:
    """
    A form with a field for something else grants nothing of it.
    """
    code, myoptly = acme.ask(Channel.EMAIL), acme.myoptly()
    elsewhere = visitor.get(f"/l/{myoptly}").filled_in(f"/my/l/{myoptly}", {"email-offers": True, "sms-offers": True})
    assert visitor.post(f"/l/{code}", elsewhere).status == 200
    assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: None}


@pytest.mark.parametrize("path", ["/l/{}", "/l/{}/"])
def test_a_link_may_be_typed(acme: Acme, visitor: Visitor, path: str) -> None:
    """
    Capitals, letters that look like digits, and a slash at the end make no difference.
    """
    code = acme.ask()
    typed = code.upper().replace("1", "I").replace("0", "O")
    assert visitor.get(path.format(typed)).status == 200


@pytest.mark.parametrize(
    "sent",
    [
        {"email-offers": "yes"},
        {"email-offers": "YES"},
        {"email-offers": "true"},
        {"email-offers": "yes-0000000000000000"},
        {"email-offers": ""},
        {"email-offers": "No"},
    ],
)
def test_what_no_button_sends_is_no_answer(acme: Acme, visitor: Visitor, sent: dict[str, str]) -> None:
    """
    A yes has to name the words it is said to.
    """
    code = acme.ask()
    before = acme.record()
    page = visitor.post(f"/l/{code}", sent)
    assert page.status == 422
    assert before == acme.record()


def test_yes_and_no_at_once_is_no_answer(acme: Acme, visitor: Visitor) -> None:
    """
    Nobody presses both; what does is no person.
    """
    code = acme.ask()
    yes = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True})["email-offers"]
    assert visitor.post(f"/l/{code}", f"email-offers={yes}&email-offers=no".encode()).status == 422
    assert acme.answers() == {EMAIL_OFFERS: None, SMS_OFFERS: None}


def test_an_error_says_what_to_do_and_keeps_what_was_chosen(acme: Acme, visitor: Visitor) -> None:
    """
    The title begins with it, each error has words of its own and leads to its field, and the good answers stay.
    """
    code = acme.ask()
    page = visitor.post(f"/l/{code}", {"email-offers": "maybe", "sms-offers": "no"})
    assert page.title == "Error: Your choices – Acme Ltd"
    assert '<a href="#email-offers-yes">Choose one of the two answers' in page.text
    pressed = [field["id"] for field in page.fields(f"/my/l/{code}") if "checked" in field]
    assert pressed == ["sms-offers-no"]
    both = visitor.post(f"/l/{code}", {"email-offers": "maybe", "sms-offers": "maybe"})
    links = [line for line in both.text.splitlines() if line.startswith('<li><a href="#')]
    assert len(links) == 2
    assert links[0].partition(">")[2] != links[1].partition(">")[2]


# ---- links that no longer answer


def test_a_question_is_answered_once(acme: Acme, visitor: Visitor) -> None:
    """
    Sent again, after a withdrawal as well, the answer grants nothing, and the page says when it was given.
    """
    code = acme.ask()
    form = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True})
    assert visitor.post(f"/l/{code}", form).status == 200
    acme.later(days=1)
    acme.manager.withdraw(acme.ada)
    again = visitor.post(f"/l/{code}", form)
    assert again.status == 410
    assert "We saved your answer on 24 November 2026." in again.text
    assert acme.answers()[EMAIL_OFFERS] is False


def test_of_several_answers_at_once_one_counts(acme: Acme, visitor: Visitor) -> None:
    """
    Whoever presses twice is told the same twice.
    """
    code = acme.ask()
    form = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True})
    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: visitor.post(f"/l/{code}", form), range(8)))
    assert {(200, pages[0].text)} == {(page.status, page.text) for page in pages}
    given = [event for event in acme.manager.history(acme.ada) if isinstance(event, ConsentGiven)]
    assert len(given) == 1


def test_a_question_closes_at_its_last_instant(acme: Acme, visitor: Visitor) -> None:
    """
    At that instant it can be answered, a microsecond later it cannot.
    """
    code = acme.ask()
    expires_at = acme.manager.open(code).expires_at
    assert expires_at is not None
    acme.world.clock.now = expires_at
    assert visitor.get(f"/l/{code}").status == 200
    acme.world.clock.now = expires_at + timedelta(microseconds=1)
    late = visitor.get(f"/l/{code}")
    assert late.status == 410
    assert "24 December 2026" in late.text


def test_a_later_question_closes_the_earlier(acme: Acme, visitor: Visitor) -> None:
    """
    The earlier link says that it is closed.
    """
    code = acme.ask()
    acme.ask()
    page = visitor.get(f"/l/{code}")
    assert page.status == 410
    assert "This question is closed" in page.text


def test_a_closed_question_can_still_stop_everything(acme: Acme, visitor: Visitor) -> None:
    """
    The button is on the page, and works.
    """
    code = acme.ask()
    visitor.submit(f"/l/{code}", {"email-offers": True})
    closed = visitor.get(f"/l/{code}")
    assert [f"/my/l/{code}/stop"] == closed.actions
    assert visitor.post(f"/l/{code}/stop", b"", OURS).status == 200
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_what_was_erased_is_gone(acme: Acme, visitor: Visitor) -> None:
    """
    Its links open nothing and tell nothing; the stop link still says that it is done.
    """
    code, token = acme.myoptly(), acme.token()
    acme.manager.erase(acme.ada)
    page = visitor.get(f"/l/{code}")
    assert page.status == 404
    assert "•••" not in page.text
    assert visitor.post(f"/u/{token}", ONE_CLICK).status == 200


# ---- one's choices


def test_choices_have_three_states(acme: Acme, visitor: Visitor) -> None:
    """
    What was never answered is shown as that, and its buttons are both up.
    """
    acme.manager.choose(acme.myoptly(), {EMAIL_OFFERS: True})
    code = acme.myoptly()
    page = visitor.get(f"/l/{code}")
    assert "Now: " in page.text
    assert "Not answered yet" in page.text
    assert [field["id"] for field in page.fields(f"/my/l/{code}") if "checked" in field] == ["email-offers-yes"]


def test_choices_change_as_often_as_one_likes(acme: Acme, visitor: Visitor) -> None:
    """
    Each time only what was changed.
    """
    code = acme.myoptly()
    for answer in (True, False, True):
        acme.later(minutes=1)
        assert visitor.submit(f"/l/{code}", {"email-offers": answer}).status == 200
        assert {EMAIL_OFFERS: answer, SMS_OFFERS: None} == acme.answers()


def test_saving_without_a_change_records_nothing(acme: Acme, visitor: Visitor) -> None:
    """
    A button that was pressed already is no new answer.
    """
    code = acme.myoptly()
    visitor.submit(f"/l/{code}", {"email-offers": True})
    before = acme.record()
    assert visitor.submit(f"/l/{code}", {}).status == 200
    assert before == acme.record()


def test_a_button_pressed_by_the_page_is_never_consent(acme: Acme, visitor: Visitor) -> None:
    """
    A page that was opened before a stop, and is saved after it as it stands, grants nothing.
    """
    code = acme.myoptly()
    visitor.submit(f"/l/{code}", {"email-offers": True, "sms-offers": True})
    stale = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"sms-offers": False})
    acme.later(minutes=1)
    visitor.post(f"/u/{acme.token()}", ONE_CLICK)
    acme.later(minutes=1)
    saved = visitor.post(f"/l/{code}", stale, OURS)
    assert saved.text.count('<span class="mark no"') == 2
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_a_yes_is_a_yes_to_the_words_that_were_shown(
    acme: Acme, visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    If they changed while the page was open, it has to be said again; a no counts in any case.
    """
    code = acme.myoptly()
    form = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True, "sms-offers": True})
    words = Wording(text="May Acme Ltd send you offers of our partners?")
    reworded = attrs.evolve(acme.manager.purposes["offers"], wordings={(Channel.EMAIL, "en"): words})
    monkeypatch.setitem(acme.manager.purposes, "offers", reworded)
    page = visitor.post(f"/l/{code}", form)
    assert page.status == 422
    assert "These words changed after you opened the page" in page.text
    assert words.text in page.text
    assert acme.answers() == {EMAIL_OFFERS: None, SMS_OFFERS: None}
    assert visitor.post(f"/l/{code}", {"email-offers": "no"}).status == 200
    assert acme.answers()[EMAIL_OFFERS] is False


# ---- stopping


def test_stopping_is_one_action_on_every_page(acme: Acme, visitor: Visitor) -> None:
    """
    Each page behind a code has the button, the same as the one that saves, in a form with no field to fill in.
    """
    question, myoptly = acme.ask(), acme.myoptly()
    pages = {
        question: [visitor.get(f"/l/{question}"), visitor.post(f"/l/{question}")],
        myoptly: [visitor.get(f"/l/{myoptly}"), visitor.submit(f"/l/{myoptly}", {})],
    }
    pages[question] += [visitor.submit(f"/l/{question}", {"email-offers": True}), visitor.get(f"/l/{question}")]
    for code, shown in pages.items():
        for page in shown:
            assert page.fields(f"/my/l/{code}/stop") == []
            assert page.text.count("<button") == page.text.count('<button class="button">') == len(page.actions)


@pytest.mark.parametrize("kind", ["question", "myoptly"])
def test_stop_everything_stops_everything(acme: Acme, visitor: Visitor, kind: str) -> None:
    """
    Pressed twice it is done twice as well.
    """
    code = acme.ask() if kind == "question" else acme.myoptly()
    for _ in range(2):
        page = visitor.post(f"/l/{code}/stop", b"", OURS)
        assert page.status == 200
        assert "no more marketing of any kind" in page.text
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: False}


def test_a_stop_can_be_undone_where_it_was_made(acme: Acme, visitor: Visitor) -> None:
    """
    The page leads back to the choices, and a yes said there counts again.
    """
    code = acme.myoptly()
    page = visitor.post(f"/l/{code}/stop", b"", OURS)
    assert f'<a href="/my/l/{code}"' in page.text
    acme.later(minutes=1)
    visitor.submit(f"/l/{code}", {"email-offers": True})
    assert acme.answers()[EMAIL_OFFERS] is True


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_a_stop_that_is_sent_again_can_still_be_undone(acme: Acme, visitor: Visitor, seconds: int) -> None:
    """
    By a second press, or when the page is loaded again: what is undone is all that the first press ended.
    """
    acme.world.agreed(acme.ada)
    acme.later(minutes=1)
    code = acme.myoptly()
    pages = []
    for _ in range(3):
        pages.append(visitor.post(f"/l/{code}/stop", b"", OURS))
        acme.later(seconds=seconds)
    ended = [re.findall("<li>(.*?)</li>", page.text.partition("It allows")[0].partition("<h1>")[2]) for page in pages]
    assert ended[0] == ended[1] == ended[2]
    assert 2 == len([name for name in ended[0] if "Offers" in name])
    for _ in range(2):
        undone = visitor.press(pages[-1], f"/l/{code}/undo")
        assert (200, "The stop is undone – Acme Ltd") == (undone.status, undone.title)
        acme.later(seconds=1)
    assert {True} == set(acme.answers().values())


@pytest.mark.parametrize("seconds", [0, 1, 3600])
def test_the_notice_of_a_stop_that_was_sent_again_undoes_it(acme: Acme, visitor: Visitor, seconds: int) -> None:
    """
    A mail program that sends its button twice does not spoil the way back.
    """
    acme.world.agreed(acme.ada)
    acme.later(minutes=1)
    token = acme.token()
    for _ in range(3):
        assert 200 == visitor.post(f"/u/{token}", ONE_CLICK, FORM).status
        acme.later(seconds=seconds)
    assert acme.answers()[EMAIL_OFFERS] is False
    code = undo_of(acme.world, EMAIL)
    acme.later(seconds=1)
    assert 200 == visitor.press(visitor.get(f"/l/{code}"), f"/l/{code}/undo").status
    assert acme.answers()[EMAIL_OFFERS] is True


@pytest.mark.parametrize("since", ["another link", "an hour later", "a yes between"])
def test_undoing_a_stop_undoes_no_other(acme: Acme, visitor: Visitor, since: str) -> None:
    """
    One through another link, long after, or of what was agreed to since, is another stop.
    """
    acme.world.agreed(acme.ada)
    acme.later(minutes=1)
    code = acme.myoptly()
    first = visitor.post(f"/l/{code}/stop", b"", OURS)
    acme.later(hours=1, microseconds=1 if since == "an hour later" else -3_599_000_000)
    if since == "a yes between":
        visitor.submit(f"/l/{code}", {"sms-offers": True})
        acme.later(seconds=1)
    visitor.post(f"/l/{acme.myoptly() if since == 'another link' else code}/stop", b"", OURS)
    acme.later(seconds=1)
    visitor.press(first, f"/l/{code}/undo")
    assert (False, False) == (acme.answers()[EMAIL_OFFERS], acme.answers()[SMS_OFFERS])


def test_the_stop_page_waits_for_its_button(acme: Acme, visitor: Visitor) -> None:
    """
    It names what stops, and its own form stops that and nothing else.
    """
    acme.manager.choose(acme.myoptly(), {EMAIL_OFFERS: True, SMS_OFFERS: True})
    acme.later(minutes=1)
    token = acme.token("offers")
    page = visitor.get(f"/u/{token}")
    assert "no more marketing by email" in page.text
    done = visitor.post(f"/u/{token}/stop", page.filled_in(f"/my/u/{token}/stop", {}))
    assert done.status == 200
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: True}


@pytest.mark.parametrize(
    "headers",
    [
        (),
        (("sec-fetch-site", "cross-site"), ("origin", "https://mail.example.net")),
        (("origin", "null"),),
        (("content-type", "multipart/form-data; boundary=x"),),
    ],
)
def test_a_mail_program_stops_with_one_click(
    acme: Acme, visitor: Visitor, headers: tuple[tuple[str, str], ...]
) -> None:
    """
    Wherever it comes from, without a cookie or a redirect, in either encoding, and again ten years later.
    """
    body = ONE_CLICK
    if headers and headers[0][0] == "content-type":
        body = b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
    token = acme.token()
    for days in (0, 1, 3650):
        acme.later(days=days)
        page = visitor.post(f"/u/{token}", body, *headers)
        assert page.status == 200
        assert not {"set-cookie", "location"} & dict(page.response.headers).keys()
    assert acme.answers()[EMAIL_OFFERS] is False


def test_an_altered_stop_link_stops_nothing(acme: Acme, visitor: Visitor) -> None:
    """
    It is as unknown as any other address.
    """
    token = acme.token()
    before = acme.record()
    for altered in (token[:-1], token + "x", token[::-1], acme.myoptly()):
        assert visitor.get(f"/u/{altered}").status == 404
    assert visitor.post(f"/u/{token[:-1]}", ONE_CLICK).status == 404
    assert before.contacts == acme.record().contacts


# ---- who may send a form


@pytest.mark.parametrize(
    ("headers", "allowed"),
    [
        ([], True),
        ([("sec-fetch-site", "same-origin")], True),
        ([("origin", ORIGIN)], True),
        ([("sec-fetch-site", "same-site"), ("origin", ORIGIN)], False),
        ([("sec-fetch-site", "cross-site")], False),
        ([("origin", "https://evil.example")], False),
        ([("origin", "null")], False),
    ],
)
def test_a_form_of_another_site_is_refused(
    acme: Acme, visitor: Visitor, headers: list[tuple[str, str]], allowed: bool
) -> None:
    """
    Before anything is read, so that nothing changes.
    """
    code = acme.myoptly()
    before = acme.record()
    page = visitor.post(f"/l/{code}", {"email-offers": "no"}, *headers)
    assert page.status == (200 if allowed else 403)
    assert (before == acme.record()) is not allowed


def test_addresses_come_from_the_settings(acme: Acme, visitor: Visitor) -> None:
    """
    What a request says of its host changes nothing on the page.
    """
    path = f"/l/{acme.ask()}"
    lies = [("host", "evil.example"), ("x-forwarded-host", "evil.example"), ("x-forwarded-proto", "gopher")]
    assert visitor.get(path).response == visitor.get(path, *lies).response


# ---- what every response has


def test_every_response_carries_the_headers(acme: Acme, visitor: Visitor) -> None:
    """
    Errors and files included, each of them once, and a page is stored nowhere.
    """
    paths = every_path(acme)
    responses = [visitor.get(path).response for path in paths] + [visitor.post(path).response for path in paths]
    responses += [visitor.post(f"/l/{acme.myoptly()}", b"no form", ("content-type", "text/plain")).response]
    responses += [visitor.portal.handle(Request(method="DELETE", path="/help"))]
    assert len({response.status for response in responses}) >= 6
    for response in responses:
        names = [name for name, _ in response.headers]
        assert sorted(set(names)) == sorted(names)
        assert HEADERS.items() <= dict(response.headers).items()
        assert dict(response.headers)["cache-control"] == "no-store"


def test_no_page_has_a_script_a_cookie_or_anything_from_elsewhere(acme: Acme, visitor: Visitor) -> None:
    """
    What a page loads is ours.
    """
    for path in every_path(acme):
        page = visitor.follow(visitor.get(path))
        assert not {"script", "iframe", "img", "style"} & page.tags
        assert "set-cookie" not in dict(page.response.headers)
        loaded = [line for line in page.text.splitlines() if line.startswith("<link")]
        assert len(loaded) == 2
        assert all('href="/my/static/' in line for line in loaded)


def test_a_file_may_be_kept_for_ever_because_its_name_changes(acme: Acme, visitor: Visitor) -> None:
    """
    The names the pages use are there; any other is not.
    """
    links = [line for line in visitor.get("/help").text.splitlines() if line.startswith("<link")]
    names = [line.partition('href="/my')[2].partition('"')[0] for line in links]
    types = []
    for name in names:
        response = visitor.get(name).response
        assert response.status == 200
        headers = dict(response.headers)
        assert headers["cache-control"] == "public, max-age=31536000, immutable"
        assert HEADERS.items() <= headers.items()
        types.append(headers["content-type"])
    assert types == ["text/css; charset=utf-8", "image/svg+xml"]


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("PUT", "/l/{}", "GET, POST, HEAD"),
        ("DELETE", "/u/{}", "GET, POST, HEAD"),
        ("GET", "/me/code/again", "POST"),
        ("HEAD", "/me/code/again", "POST"),
        ("POST", "/help", "GET, HEAD"),
        ("OPTIONS", "/help", "GET, HEAD"),
        ("get", "/help", "GET, HEAD"),
    ],
)
def test_another_method_is_refused(acme: Acme, visitor: Visitor, method: str, path: str, allow: str) -> None:
    """
    The answer says which there are.
    """
    response = visitor.portal.handle(Request(method=method, path=path.format(acme.myoptly())))
    assert response.status == 405
    assert dict(response.headers)["allow"] == allow


@pytest.mark.parametrize(
    ("body", "header", "status"),
    [
        (b"a=b", ("content-type", "text/plain"), 415),
        (b"a=".ljust(64 * 1024 + 1, b"b"), FORM, 413),
        (b"a=%zz", FORM, 400),
    ],
)
def test_what_is_no_form_is_refused(
    acme: Acme, visitor: Visitor, body: bytes, header: tuple[str, str], status: int
) -> None:
    """
    With a page that says so, and nothing changes.
    """
    code = acme.myoptly()
    before = acme.record()
    page = visitor.post(f"/l/{code}", body, header)
    assert page.status == status
    assert page.title == "That did not work – Acme Ltd"
    assert before == acme.record()


# ---- the front page


@pytest.mark.parametrize("path", ["/", "", "//"])
def test_whoever_types_the_address_in_is_told_how_to_get_to_their_page(acme: Acme, visitor: Visitor, path: str) -> None:
    """
    And has a link sent from there, if their address is on record. What it says is the same for everyone.
    """
    before = acme.record()
    page = visitor.get(path)
    assert (200, "Your choices – Acme Ltd", "Choose what Acme Ltd can send you") == (
        page.status,
        page.title,
        re.findall("<h1>(.*?)</h1>", page.text)[0],
    )
    assert before == acme.record()
    sent = visitor.press(page, "/new-link", address=EMAIL)
    assert sent.text == visitor.press(page, "/new-link", address="nobody@example.com").text
    acme.manager.deliver()
    assert [EMAIL] == [message.to for message in acme.world.emails.outbox]
    assert 200 == visitor.get(f"/l/{code_in(acme.world.emails.outbox[0])}").status
    assert 405 == visitor.post(path).status


# ---- when something fails


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (StorageUnavailableError("ada@example.com"), 503),
        (ConflictError("ada@example.com"), 503),
        (LinkRevokedError("ada@example.com"), 410),
        (DamagedError("ada@example.com"), 500),
        (UsageError("ada@example.com"), 500),
        (OptlyError("ada@example.com"), 500),
        (RuntimeError("ada@example.com"), 500),
    ],
)
def test_an_error_becomes_a_page_that_gives_nothing_away(
    acme: Acme, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, error: Exception, status: int
) -> None:
    """
    Neither the page nor the log repeats what the error says, nor the link.
    """

    def fail(*_: Any) -> None:
        raise error

    code = acme.myoptly()
    monkeypatch.setattr(acme.world.storage, "code", fail)
    visitor = Visitor(acme.manager.portal())
    for page in (visitor.get(f"/l/{code}"), visitor.post(f"/l/{code}"), visitor.post(f"/l/{code}/stop")):
        assert page.status == status
        assert (dict(page.response.headers).get("retry-after") == "5") is (status == 503)
        assert not any(secret in page.text for secret in ("ada@", "Traceback", code))
    assert len(caplog.records) == (3 if status == 500 else 0)
    for record in caplog.records:
        assert record.name == "optly"
        assert record.exc_info is None
        assert not any(secret in str(vars(record)) for secret in ("ada@", code))
        assert type(error).__name__ in str(vars(record))


# ---- what is kept of a visitor


@pytest.mark.parametrize("keep_context", [False, True])
def test_where_an_answer_came_from_is_kept_only_if_the_host_says_so(acme: Acme, keep_context: bool) -> None:
    """
    And then it is the other end of the connection, not what a header claims.
    """
    visitor = Visitor(acme.manager.portal(keep_context=keep_context))
    code = acme.ask()
    form = visitor.get(f"/l/{code}").filled_in(f"/my/l/{code}", {"email-offers": True})
    visitor.portal.handle(
        Request(
            method="POST",
            path=f"/l/{code}",
            headers=(FORM, ("user-agent", "Browser/1"), ("x-forwarded-for", "203.0.113.9")),
            body="&".join(f"{name}={value}" for name, value in form.items()).encode(),
            remote_addr="192.0.2.1",
        )
    )
    kept = {value for event in acme.manager.history(acme.ada) for value in event.personal.values()}
    assert (keep_context, keep_context) == ("192.0.2.1" in kept, "Browser/1" in kept)
    assert "203.0.113.9" not in kept


# ---- whose words are shown, and how


def test_a_page_says_who_asks_and_whose_it_is(acme: Acme, visitor: Visitor) -> None:
    """
    The organisation in full, the address masked.
    """
    text = visitor.get(f"/l/{acme.ask()}").text
    assert "Acme Ltd" in text
    assert "1 High Street, Leeds LS1 1AA" in text
    assert "a•••@e•••.com" in text
    assert "ada@example.com" not in text
    assert "Ada" not in text


def test_each_wording_is_in_its_own_language() -> None:
    """
    Question, yes and no say which it is, in whatever language the page around them is.
    """
    purpose = Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "cy"): WELSH})
    acme = Acme.open(purposes=(purpose,))
    acme.manager.change_details(acme.ada, language="cy")
    text = Visitor(acme.manager.portal()).get(f"/l/{acme.ask(Channel.EMAIL)}").text
    assert f'<legend lang="cy" dir="auto">{WELSH.text}</legend>' in text
    assert '<label for="email-offers-yes" lang="cy"><bdi>Cewch</bdi></label>' in text
    assert '<label for="email-offers-no" lang="cy"><bdi>Na chewch</bdi></label>' in text


def test_no_text_is_taken_for_markup() -> None:
    """
    Whatever a purpose and its wording are called.
    """
    sharp = "<script>alert(1)</script>\"'&"
    wording = Wording(text=f"May Acme Ltd email you {sharp}?", hint=sharp, yes=sharp, no=sharp)
    acme = Acme.open(purposes=(Purpose(key="offers", title=sharp, wordings={(Channel.EMAIL, "en"): wording}),))
    visitor = Visitor(acme.manager.portal())
    code, myoptly, token = acme.ask(Channel.EMAIL), acme.myoptly(), acme.token("offers")
    pages = [
        visitor.get(f"/l/{code}"),
        visitor.post(f"/l/{code}", {"email-offers": sharp}),
        visitor.submit(f"/l/{code}", {"email-offers": True}),
        visitor.get(f"/l/{myoptly}"),
        visitor.get(f"/u/{token}"),
        visitor.post(f"/u/{token}", ONE_CLICK),
    ]
    assert [page.status for page in pages] == [200, 422, 200, 200, 200, 200]
    for page in pages:
        assert "script" not in page.tags
        assert "<script" not in page.text


# ---- whatever else somebody sends: more of it in test_fuzz

SHARED = Visitor(Acme.open().manager.portal())


@given(st.text(min_size=1, max_size=60).filter(lambda text: "/" not in text and text.encode("utf-8", "ignore")))
@settings(deadline=None)
def test_an_unknown_link_is_not_repeated(text: str) -> None:
    """
    The page for it is the same whatever the link was.
    """
    assert SHARED.get(f"/l/{text}").response == SHARED.get(f"/u/{quote(text)}").response


def test_the_undoing_of_a_stop_says_no_more_than_was_stopped(acme: Acme, visitor: Visitor) -> None:
    """
    A stop link may have been about one purpose, and then the page behind the notice promises nothing about others.
    """
    acme.world.agreed(acme.ada)
    acme.later(minutes=1)
    visitor.post(f"/u/{acme.token('offers')}", {"stop": "yes"})
    acme.manager.deliver()
    page = visitor.get(f"/l/{code_in(acme.world.emails.outbox[-1])}")
    assert "will send you no more of what you stopped." in page.text
    assert "of any kind" not in page.text
