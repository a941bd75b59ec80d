"""
What mail programs and security gateways do to a link before anybody has read the message it stands in.

They ask for it, more than once and in more than one way. Some load what the page is made of and follow every link on
it. A few fill in its form and send it off. With these, a test can be sure that nothing was agreed to by a machine::

    scan(manager.portal(), manager.link(ada))
    assert not manager.check("ada@example.com", "email", "offers")

The pages are asked in this process, as a WSGI server asks them; no connection is made.
"""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from html.parser import HTMLParser
from http import HTTPStatus
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote_to_bytes, urldefrag, urlencode, urljoin, urlsplit
from wsgiref.util import setup_testing_defaults

import attrs

from optly.portal import Portal
from optly.portal.logs import redact_links

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

_MOST_PAGES: Final = 200
_MOST_REDIRECTS: Final = 5
_FORM: Final = "application/x-www-form-urlencoded"
_BROWSER: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)

# Some say who they are, and some look like a person on purpose.
_AGENTS: Final = (_BROWSER, "Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", "facebookexternalhit/1.1")
_AHEAD: Final = (
    ("Sec-Purpose", "prefetch"),
    ("Sec-Purpose", "prefetch;prerender"),
    ("Purpose", "prefetch"),
    ("X-Purpose", "preview"),
    ("X-Moz", "prefetch"),
)

# What is typed into a field of each type; into any other, the last.
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
    How far a scanner goes. Each does what those before it do as well.

    Attributes:
        LOOKS: Asks for the link with HEAD and GET, several times, and ahead of the person.
        FOLLOWS: Loads what the page is made of, and follows every link on it and on those it leads to.
        SUBMITS: Fills in the first form of the page, taking the first answer to everything, and sends it off; then the
            first form of what comes back.
    """

    LOOKS = 1
    FOLLOWS = 2
    SUBMITS = 3


@attrs.frozen(kw_only=True)
class Step:
    """
    One request of a scanner and how it was answered.

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
        The forms it sent off.
        """
        return tuple(step for step in self.steps if step.method == "POST")


def scan(portal: Portal, link: str, level: Level = Level.SUBMITS, *, cookies: bool = False, depth: int = 3) -> Scan:
    """
    Do to *link* what a scanner does.

    Args:
        link: The whole of it, as it stands in a message.
        level: How far it goes.
        cookies: Whether it keeps cookies, as one that drives a browser does.
        depth: How many forms it sends off, one after the other.
    """
    scanner = _Scanner(portal.wsgi(), link, cookies)
    scanner.look(link)
    if level >= Level.FOLLOWS:
        scanner.follow(link)
    if level >= Level.SUBMITS:
        scanner.submit(link, depth)
    return Scan(steps=tuple(scanner.steps))


# ---- what a page holds

_Facts: TypeAlias = "Mapping[str, str | None]"

_LOADED: Final = {"link": "href", "img": "src", "script": "src", "iframe": "src", "source": "src"}
_FOLLOWED: Final = {"a": "href", "area": "href"}


@attrs.define
class _Form:
    """
    A form as somebody fills it in who takes the first answer to everything.
    """

    action: str
    method: str
    values: dict[tuple[str, str], str] = attrs.field(factory=dict)
    pressed: bool = False

    def take(self, tag: str, facts: _Facts) -> None:
        """
        Fill in one field, or press the first button.
        """
        name, kind = facts.get("name"), (facts.get("type") or ("submit" if tag == "button" else "text")).lower()
        if tag == "button" or (tag == "input" and kind in ("submit", "image")):
            if kind in ("submit", "image") and not self.pressed:
                self.pressed = True
                self._put(name, facts.get("value") or "")
        elif tag == "textarea":
            self._put(name, _TYPED["text"])
        elif kind == "radio":
            self._put(name, _checked(facts))
        elif kind == "checkbox":
            self._put(name, _checked(facts), which=_checked(facts))
        elif kind not in ("button", "reset", "file"):
            self._put(name, facts.get("value") or ("" if kind == "hidden" else _TYPED.get(kind, _TYPED["text"])))

    def choose(self, name: str | None, value: str) -> None:
        """
        Take an option of a list, unless one was taken before.
        """
        self._put(name, value)

    def _put(self, name: str | None, value: str, *, which: str = "") -> None:
        if name:
            self.values.setdefault((name, which), value)

    @property
    def body(self) -> str:
        return urlencode([(name, value) for (name, _), value in self.values.items()])


def _checked(facts: _Facts) -> str:
    value = facts.get("value")
    return "on" if value is None else value


class _Page(HTMLParser):
    """
    What there is to load, to follow and to fill in on a page.
    """

    def __init__(self, url: str, text: str) -> None:
        super().__init__()
        self.url = url
        self.addresses: list[str] = []
        self.forms: list[_Form] = []
        self._form: _Form | None = None
        self._list: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        facts = dict(attrs)
        if address := facts.get(_LOADED.get(tag) or _FOLLOWED.get(tag) or ""):
            self.addresses.append(self._absolute(address))
        if tag == "form":
            action = self._absolute(facts.get("action") or "")
            self._form = _Form(action, (facts.get("method") or "get").upper())
            self.forms.append(self._form)
        elif tag == "select":
            self._list = facts.get("name")
        elif self._form is None or "disabled" in facts:
            return
        elif tag == "option":
            self._form.choose(self._list, facts.get("value") or "")
        elif tag in ("input", "button", "textarea"):
            self._form.take(tag, facts)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None
        elif tag == "select":
            self._list = None

    def _absolute(self, address: str) -> str:
        return urldefrag(urljoin(self.url, address)).url


# ---- what is done


class _Scanner:
    """
    Asks the pages, and writes down what it asked.
    """

    def __init__(self, application: WSGIApplication, link: str, keeps_cookies: bool) -> None:
        self._application = application
        self._host = urlsplit(link)[:2]
        self._keeps_cookies = keeps_cookies
        self._cookies: dict[str, str] = {}
        self.steps: list[Step] = []

    def look(self, link: str) -> None:
        self._ask("HEAD", link)
        for agent in _AGENTS:
            self._ask("GET", link, ("User-Agent", agent))
        for header in _AHEAD:
            self._ask("GET", link, header)

    def follow(self, link: str) -> None:
        """
        Ask for every page that can be reached from *link* without a form, and for what they are made of.
        """
        known, waiting = {link}, deque([link])
        while waiting and len(known) <= _MOST_PAGES:
            for address in self._ask("GET", waiting.popleft()).addresses:
                if self._is_ours(address) and address not in known:
                    known.add(address)
                    waiting.append(address)

    def submit(self, link: str, depth: int) -> None:
        """
        Send off the first form of the page, then the first of what comes back.
        """
        page = self._ask("GET", link)
        for _ in range(depth):
            if not page.forms or not self._is_ours(page.forms[0].action):
                return
            page = self._send(page.forms[0])

    def _send(self, form: _Form) -> _Page:
        if form.method != "POST":
            return self._ask("GET", urljoin(form.action, f"?{form.body}"))
        origin = "{}://{}".format(*self._host)
        return self._ask("POST", form.action, ("Origin", origin), ("Sec-Fetch-Site", "same-origin"), body=form.body)

    def _is_ours(self, address: str) -> bool:
        return urlsplit(address)[:2] == self._host

    def _ask(self, method: str, url: str, *headers: tuple[str, str], body: str = "") -> _Page:
        """
        Ask for a page, and for where it leads to, until there is one.
        """
        for _ in range(_MOST_REDIRECTS):
            status, answered, text = self._request(method, url, headers, body.encode())
            location = answered.get("location")
            if location is None or not HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
                break
            url = urljoin(url, location)
            if not self._is_ours(url):
                return _Page(url, "")
            if status < HTTPStatus.TEMPORARY_REDIRECT and method != "HEAD":
                method, body = "GET", ""
        return _Page(url, text if answered.get("content-type", "").startswith("text/html") else "")

    def _request(
        self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes
    ) -> tuple[int, Mapping[str, str], str]:
        parts = urlsplit(url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "PATH_INFO": unquote_to_bytes(parts.path).decode("latin-1"),
            "QUERY_STRING": parts.query,
            "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": parts.netloc,
            "HTTP_USER_AGENT": _BROWSER,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
        }
        setup_testing_defaults(environ)
        if method == "POST":
            environ["CONTENT_TYPE"] = _FORM
        if self._cookies:
            environ["HTTP_COOKIE"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        told: list[tuple[int, list[tuple[str, str]]]] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Any:
            told.append((int(status[:3]), headers))

        content = b"".join(self._application(environ, start_response))
        status, answered = told[-1]
        self.steps.append(Step(method=method, path=redact_links(parts.path), status=status))
        if self._keeps_cookies:
            self._keep(value for name, value in answered if name.lower() == "set-cookie")
        return status, {name.lower(): value for name, value in answered}, content.decode(errors="replace")

    def _keep(self, cookies: Iterable[str]) -> None:
        for morsel in _morsels(cookies):
            if morsel["max-age"] == "0":
                self._cookies.pop(morsel.key, None)
            else:
                self._cookies[morsel.key] = morsel.coded_value


def _morsels(cookies: Iterable[str]) -> Iterator[Any]:
    for cookie in cookies:
        yield from SimpleCookie(cookie).values()
