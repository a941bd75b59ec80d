"""
What mail programs and security gateways do to a link before a person has read the message it is in.

They request it, more than once and in more than one way. Some load everything the page is made of and follow every link
on it. A few fill in its form and submit it. With these, a test can make sure that no machine has agreed to anything::

    scan(manager.portal(), manager.link(ada))
    assert not manager.check("ada@example.com", "email", "offers")

The pages are requested in this process, as a WSGI server does it; no connection is made.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from enum import IntEnum
from typing import Final
from urllib.parse import urldefrag, urlsplit

import attrs

from optly.portal import Portal
from optly.portal.logs import redact_links
from optly.testing.browser import Browser, Control, Form, Headers, Page, PageError

_MOST_PAGES: Final = 200
_MOST_REDIRECTS: Final = 5
_BROWSER: Final = (
    "user-agent",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36",
)

# Some say what they are, some look like a person on purpose, and some fetch a page ahead of the person.
_LOOKS: Final = (
    (_BROWSER,),
    (("user-agent", "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)"),),
    (("user-agent", "facebookexternalhit/1.1"),),
    (_BROWSER, ("sec-purpose", "prefetch")),
    (_BROWSER, ("sec-purpose", "prefetch;prerender")),
    (_BROWSER, ("purpose", "prefetch")),
    (_BROWSER, ("x-purpose", "preview")),
    (_BROWSER, ("x-moz", "prefetch")),
)

# What is typed into an empty field of each type; into any other, the last.
_TYPED: Final = {
    "email": "scanner@example.com",
    "tel": "+44 7911 123456",
    "url": "https://example.com/",
    "number": "1",
    "date": "2000-01-01",
    "text": "123456",
}


class Level(IntEnum):
    """
    How far a scanner goes. Each level includes those before it.

    Attributes:
        LOOKS: Requests the link with HEAD and GET, several times, and ahead of the person.
        FOLLOWS: Loads what the page is made of, and follows every link on it and on the pages it leads to.
        SUBMITS: Fills in the first form of the page, giving the first answer to everything, and submits it; then the
            first form of the page that comes back.
    """

    LOOKS = 1
    FOLLOWS = 2
    SUBMITS = 3


@attrs.frozen(kw_only=True)
class Step:
    """
    One request of a scanner, and the status of the response.

    Attributes:
        path: Without the secrets in it.
    """

    method: str
    path: str
    status: int


@attrs.frozen(kw_only=True)
class Scan:
    """
    What a scanner did, in order.
    """

    steps: tuple[Step, ...]

    @property
    def submitted(self) -> tuple[Step, ...]:
        """
        The forms it submitted.
        """
        return tuple(step for step in self.steps if step.method == "POST")


def scan(portal: Portal, link: str, level: Level = Level.SUBMITS, *, cookies: bool = False, depth: int = 3) -> Scan:
    """
    Do to *link* what a scanner does.

    Args:
        link: The whole address, as in a message.
        level: How far it goes.
        cookies: Whether it keeps cookies, as one that drives a browser does.
        depth: How many forms it submits, one after the other.
    """
    scanner = _Scanner.over_wsgi(portal.wsgi(), link)
    scanner.headers, scanner.keeps_cookies = (_BROWSER,), cookies
    scanner.look(link)
    if level >= Level.FOLLOWS:
        scanner.follow(link)
    if level >= Level.SUBMITS:
        scanner.submit(link, depth)
    return Scan(steps=tuple(scanner.steps))


@attrs.define
class _Scanner(Browser):
    keeps_cookies: bool = False
    steps: list[Step] = attrs.field(factory=list)

    def ask(self, method: str, url: str, headers: Headers = (), body: bytes = b"") -> Page:
        page = super().ask(method, url, headers, body)
        self.steps.append(Step(method=method, path=redact_links(urlsplit(page.url).path), status=page.status))
        if not self.keeps_cookies:
            self.cookies.clear()
        return page

    def look(self, link: str) -> None:
        for method, headers in (("HEAD", (_BROWSER,)), *(("GET", look) for look in _LOOKS)):
            with suppress(PageError):
                self.open(method, link, headers, redirects=_MOST_REDIRECTS)

    def follow(self, link: str) -> None:
        """
        Request every page that can be reached from *link* without a form, and what they are made of.
        """
        known, waiting = {link}, deque([link])
        while waiting and len(known) <= _MOST_PAGES:
            with suppress(PageError):
                page = self.open("GET", waiting.popleft(), self.headers, redirects=_MOST_REDIRECTS)
                for address in (*(each.url for each in page.links), *page.resources):
                    address = urldefrag(address).url
                    if self.is_here(address) and address not in known:
                        known.add(address)
                        waiting.append(address)

    def submit(self, link: str, depth: int) -> None:
        """
        Submit the first form of the page, then the first form of the page that comes back.
        """
        with suppress(PageError):
            page = self.open("GET", link, self.headers, redirects=_MOST_REDIRECTS)
            while depth and page.forms:
                page, depth = self.press(_filled_in(page.forms[0])), depth - 1


def _filled_in(form: Form) -> Form:
    """
    Return the form with the first answer to everything, as a script fills it in.
    """
    answered: set[object] = set()

    def first(control: Control) -> Control:
        if control.disabled:
            return control
        if control.is_choice:
            checked = control.group not in answered
            answered.add(control.group)
            return attrs.evolve(control, checked=checked)
        if control.kind == "text" and not control.value:
            return attrs.evolve(control, value=_TYPED.get(control.attributes.get("type", ""), _TYPED["text"]))
        return control

    return attrs.evolve(form, controls=[first(control) for control in form.controls])
