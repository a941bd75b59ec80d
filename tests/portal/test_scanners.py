"""
Machines that open, follow and submit the links in a message before anyone has read it agree to nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qsl

import pytest
from portal.servers import asgi_server
from portal.visitor import ORIGIN, Acme
from world import EMAIL, EMAIL_OFFERS, PHONE

from optly import Channel
from optly.portal import Portal
from optly.testing.scanners import Level, Scan, scan

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from playwright.sync_api import Browser, Page

LINKS: dict[str, Callable[[Acme], str]] = {
    "question": lambda acme: f"l/{acme.ask()}",
    "myoptly": lambda acme: f"l/{acme.myoptly()}",
    "stop": lambda acme: f"u/{acme.token()}",
}

every_link = pytest.mark.parametrize("kind", LINKS)
with_and_without_cookies = pytest.mark.parametrize("cookies", [False, True], ids=["no cookies", "cookies"])


def link_to(acme: Acme, kind: str) -> str:
    return f"{acme.manager.pages.base_url}/{LINKS[kind](acme)}"


def may_be_sent(acme: Acme) -> bool:
    """
    Whether anything at all may be sent to Ada.
    """
    return any(
        acme.manager.check(address, channel, purpose)
        for address, channel in ((EMAIL, Channel.EMAIL), (PHONE, Channel.SMS))
        for purpose in acme.manager.purposes
    )


# ---- what it does to the pages


@every_link
@with_and_without_cookies
@pytest.mark.parametrize("level", [Level.LOOKS, Level.FOLLOWS])
def test_what_is_opened_and_followed_changes_nothing(acme: Acme, kind: str, level: Level, cookies: bool) -> None:
    """
    Nothing at all: whatever is stored is the same, byte for byte.
    """
    link = link_to(acme, kind)
    before = acme.record()
    found = scan(acme.manager.portal(), link, level, cookies=cookies)
    assert before == acme.record()
    assert found.submitted == ()
    assert {step.method for step in found.steps} == {"HEAD", "GET"}
    assert {step.status for step in found.steps} == {200}


def test_every_page_that_is_linked_is_followed(acme: Acme) -> None:
    """
    With all that the pages are made of, and none of the secrets in the report.
    """
    link = link_to(acme, "question")
    looked, followed = (scan(acme.manager.portal(), link, level) for level in (Level.LOOKS, Level.FOLLOWS))
    assert {"/my/l/[redacted]"} == {step.path for step in looked.steps}
    assert [("HEAD", 1), ("GET", 8)] == [
        (method, sum(step.method == method for step in looked.steps)) for method in ("HEAD", "GET")
    ]
    paths = {step.path for step in followed.steps}
    assert {"/my/l/[redacted]", "/my/help"} < paths
    assert {path.rpartition(".")[2] for path in paths if path.startswith("/my/static/")} == {"css", "svg"}
    assert link.rpartition("/")[2] not in repr(followed)


@pytest.mark.parametrize("kind", ["question", "myoptly"])
@with_and_without_cookies
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_what_is_submitted_agrees_to_nothing(acme: Acme, kind: str, depth: int, cookies: bool) -> None:
    """
    However many forms it sends off, nothing may be sent that could not be sent before: what it chose is held, or it
    pressed stop in the end.
    """
    link = link_to(acme, kind)
    found = scan(acme.manager.portal(), link, cookies=cookies, depth=depth)
    assert not may_be_sent(acme)
    assert found.submitted
    assert all(step.status < 500 for step in found.steps)


@with_and_without_cookies
def test_without_the_hold_a_machine_would_agree(acme: Acme, cookies: bool) -> None:
    """
    So that the tests above could fail: it takes the first answer to everything, and that is a yes.
    """
    link = link_to(acme, "question")
    portal = acme.manager.portal(hold_yes_within=None)
    scan(portal, link, cookies=cookies, depth=1)
    assert may_be_sent(acme)


@with_and_without_cookies
def test_a_stop_link_that_is_submitted_stops(acme: Acme, cookies: bool) -> None:
    """
    A stop counts, no matter who presses it.
    """
    acme.manager.answer(acme.ask(Channel.EMAIL), {EMAIL_OFFERS: True})
    assert may_be_sent(acme)
    scan(acme.manager.portal(), link_to(acme, "stop"), cookies=cookies)
    assert not may_be_sent(acme)


# ---- what it does to any page


class Pages:
    """
    A few pages by themselves, and what was asked of them.
    """

    def __init__(self, pages: dict[str, tuple[int, str, list[tuple[str, str]]]]) -> None:
        self.pages = pages
        self.asked: list[tuple[str, str]] = []
        self.sent: list[list[tuple[str, str]]] = []
        self.headers: list[dict[str, Any]] = []

    def wsgi(self) -> WSGIApplication:
        return self.answer

    def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
        self.asked.append((method, path + (f"?{environ['QUERY_STRING']}" if environ["QUERY_STRING"] else "")))
        self.headers.append(dict(environ))
        if method == "POST":
            body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
            self.sent.append(parse_qsl(body, keep_blank_values=True))
        status, text, headers = self.pages.get(path, (404, "", []))
        start_response(f"{status} Status", [("Content-Type", "text/html; charset=utf-8"), *headers])
        return [] if method == "HEAD" else [text.encode()]

    def scan(self, level: Level = Level.SUBMITS, *, cookies: bool = False, depth: int = 3) -> Scan:
        return scan(cast(Portal, self), f"{ORIGIN}/start", level, cookies=cookies, depth=depth)


def test_a_form_is_filled_in_from_the_top() -> None:
    """
    The first of every group of buttons, every box, something in every field, and the first button that sends it.
    """
    pages = Pages(
        {
            "/start": (
                200,
                """
                <form method="post" action="send">
                <input type="hidden" name="token" value="t&amp;1"><input type="hidden" name="empty">
                <input type="radio" name="a" value="yes"><input type="radio" name="a" value="no" checked>
                <input type="checkbox" name="b" value="1"><input type="checkbox" name="b" value="2">
                <input type="checkbox" name="c"><input type="radio" name="d" value="" disabled>
                <input name="digits"><input type="email" name="email"><input type="tel" name="phone" value="known">
                <select name="e"><option value="en"><option value="cy"></select><textarea name="f"></textarea>
                <input type="file" name="g"><button type="button" name="h" value="1">
                <button name="i" value="first">Save</button><button name="j" value="second">Stop</button>
                </form><form method="post" action="other"><button>Other</button></form>
                """,
                [],
            ),
            "/send": (200, "<p>done", []),
        }
    )
    found = pages.scan()
    assert pages.sent == [
        [
            ("token", "t&1"),
            ("empty", ""),
            ("a", "yes"),
            ("b", "1"),
            ("b", "2"),
            ("c", "on"),
            ("digits", "123456"),
            ("email", "scanner@example.com"),
            ("phone", "known"),
            ("e", "en"),
            ("f", "123456"),
            ("g", ""),
            ("i", "first"),
        ]
    ]
    assert [("POST", "/send", 200)] == [(step.method, step.path, step.status) for step in found.submitted]
    assert pages.headers[-1]["CONTENT_TYPE"] == "application/x-www-form-urlencoded"
    assert (pages.headers[-1]["HTTP_ORIGIN"], pages.headers[-1]["HTTP_SEC_FETCH_SITE"]) == (ORIGIN, "same-origin")


@pytest.mark.parametrize("depth", [0, 1, 4])
def test_it_goes_on_with_the_form_that_comes_back(depth: int) -> None:
    """
    As often as asked, through whatever the answers lead to.
    """
    form = '<form method="post" action="/go"><button>Go</button></form>'
    pages = Pages({"/start": (200, form, []), "/go": (303, "", [("Location", "/there")]), "/there": (200, form, [])})
    found = pages.scan(depth=depth)
    assert ["/go"] * depth == [step.path for step in found.submitted]
    assert [("POST", "/go"), ("GET", "/there")] * depth == pages.asked[-2 * depth :] * bool(depth)


def test_a_form_that_asks_is_asked() -> None:
    """
    One that is sent by GET.
    """
    pages = Pages({"/start": (200, '<form action="/find?old=1"><input name="q" value="a b"></form>', [])})
    assert pages.scan().submitted == ()
    assert pages.asked[-1] == ("GET", "/find?q=a+b")


def test_nothing_elsewhere_is_asked() -> None:
    """
    No other site, no mailbox, no script; each page of this one once, in a circle too.
    """
    pages = Pages(
        {
            "/start": (
                200,
                '<a href="mailto:a@example.com"></a><a href="https://other.example.com/x"></a><a href="//elsewhere/y">'
                '</a><a href="javascript:1"></a><a href="#top"></a><a href="b?c=1#d"></a><img src="/e.png">'
                '<script src="f.js"></script><form method="post" action="https://other.example.com/z"></form>',
                [],
            ),
            "/b": (200, f'<a href="{ORIGIN}/start"></a><a href="g"></a>', []),
            "/g": (302, "", [("Location", "https://other.example.com/")]),
        }
    )
    found = pages.scan(cookies=True)
    assert found.submitted == ()
    followed = pages.asked[pages.asked.index(("GET", "/b?c=1")) - 1 : -1]
    assert [
        ("GET", "/start"),
        ("GET", "/b?c=1"),
        ("GET", "/e.png"),
        ("GET", "/f.js"),
        ("GET", "/g"),
    ] == followed


def test_pages_without_end_come_to_an_end() -> None:
    """
    So do answers that lead in a circle.
    """

    class Endless(Pages):
        def answer(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            self.pages = {environ["PATH_INFO"]: (200, f'<a href="{environ["PATH_INFO"]}x"></a>', [])}
            return super().answer(environ, start_response)

    assert len(Endless({}).scan().steps) < 300
    assert len(Pages({"/start": (302, "", [("Location", "/start")])}).scan().steps) < 100


def test_cookies_are_kept_if_it_is_one_that_does() -> None:
    """
    With their latest value, until they are taken back.
    """
    form = '<form method="post" action="/go"><button>Go</button></form>'
    pages = Pages(
        {
            "/start": (200, form, [("Set-Cookie", "__Host-a=1; Secure; Path=/"), ("Set-Cookie", "b=2")]),
            "/go": (200, form, [("Set-Cookie", "__Host-a=3; Secure; Path=/"), ("Set-Cookie", "b=; Max-Age=0")]),
        }
    )
    pages.scan(cookies=True, depth=2)
    sent = [headers.get("HTTP_COOKIE") for headers in pages.headers]
    assert [None, "__Host-a=1; b=2", "__Host-a=1; b=2", "__Host-a=3"] == [sent[0], sent[1], *sent[-2:]]
    again = Pages(pages.pages)
    again.scan()
    assert {headers.get("HTTP_COOKIE") for headers in again.headers} == {None}


# ---- a machine with a browser


def open_and_follow(page: Page, link: str, base: str) -> set[str]:
    """
    Open a link three times, and every page of the same site that it leads to once, and return their addresses.
    """
    seen = {link}
    for _ in range(3):
        page.goto(link, wait_until="networkidle")
    waiting = [link]
    while waiting:
        page.goto(waiting.pop(), wait_until="networkidle")
        found = page.eval_on_selector_all("a[href]", "links => links.map(link => link.href.split('#')[0])")
        waiting += [each for each in dict.fromkeys(found) if each.startswith(base) and each not in seen]
        seen.update(waiting)
    return seen


def press_first(page: Page) -> None:
    """
    Fill in the first form of the page by a script of the machine's own, and send it off.
    """
    page.evaluate(
        """() => {
          const form = document.forms[0];
          const groups = new Set();
          for (const field of form.elements) {
            if (field.type === "radio" && !groups.has(field.name)) { groups.add(field.name); field.checked = true; }
            if (field.type === "checkbox") field.checked = true;
          }
        }"""
    )
    with page.expect_navigation():
        page.locator("form").first.locator("button").first.click()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["question", "myoptly"])
def test_a_browser_that_runs_by_itself_agrees_to_nothing(browser: Browser, kind: str) -> None:
    """
    It opens the link three times and follows every link, and nothing changes; it sends off the first form, and nothing
    may be sent.
    """
    acme = Acme.open("http://127.0.0.1/my")
    with asgi_server(acme.manager.portal().asgi()) as base:
        link = f"{base}/my/{LINKS[kind](acme)}"
        before = acme.record()
        context = browser.new_context()
        page = context.new_page()
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        seen = open_and_follow(page, link, base)
        assert before == acme.record()
        assert {link, f"{base}/my/help"} <= seen
        assert all(url.startswith(base) for url in asked)
        page.goto(link)
        press_first(page)
        assert not may_be_sent(acme)
        context.close()
