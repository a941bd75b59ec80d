"""
A browser without scripts and without a screen, for tests of your own pages.

It opens links, reads pages, fills in forms and presses buttons. It follows redirects, keeps cookies, sends the headers
that show an application which page a form was on, and refuses what a browser would refuse: it presses no button that is
not on the page::

    browser = Browser.over_wsgi(app, "https://acme.example.com")
    page = browser.get("/newsletter")
    page = browser.press(page.form("Sign up").fill_in({"Email": "ada@example.com", "Offers": True}), "Sign up")
    assert page.title == "Check your email"

It visits one site, and sends nothing to any other. It runs no scripts and loads no images, and sends each cookie to
every path. Where that matters, use a real browser.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cached_property
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import unquote, unquote_to_bytes, urldefrag, urljoin, urlsplit
from wsgiref.util import setup_testing_defaults

import attrs

from optly.portal.http import relative_path
from optly.protocols.http import Request, Response
from optly.testing._forms import Control, Form, Option, PageError
from optly.testing._html import Content, Link, read_html

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["Browser", "Control", "Form", "Link", "Option", "Page", "PageError", "read"]

Headers: TypeAlias = tuple[tuple[str, str], ...]

_SECONDS: Final = 10
_HTML: Final = "text/html; charset=utf-8"
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})

# What a browser says of itself when a person opens a page.
_NAVIGATION: Final = (
    ("user-agent", "Mozilla/5.0 (optly.testing.browser)"),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
)


@attrs.frozen(kw_only=True)
class Page:
    """
    A response, read as a page.

    Attributes:
        url: The address it came from, without a fragment.
        headers: Names in lower case; a header that was sent twice is there twice.
    """

    url: str = attrs.field(repr=False)
    status: int
    headers: Headers = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)

    def values(self, name: str) -> tuple[str, ...]:
        """
        Return every value of a header, by its name in lower case.
        """
        return tuple(value for known, value in self.headers if known == name)

    @property
    def text(self) -> str:
        """
        The source of the page.
        """
        _, _, charset = ",".join(self.values("content-type")).lower().partition("charset=")
        return self.body.decode(charset.partition(";")[0].strip(' "') or "utf-8", "replace")

    @property
    def location(self) -> str:
        """
        The whole address that a redirect leads to; empty for any other response.
        """
        where = self.values("location")
        return urldefrag(urljoin(self.url, where[0])).url if where and self.status in _REDIRECTS else ""

    @property
    def referrer_policy(self) -> str:
        return ",".join(self.values("referrer-policy")).rpartition(",")[2].strip().lower()

    @cached_property
    def _content(self) -> Content:
        is_html = any(value.lower().startswith("text/html") for value in self.values("content-type"))
        return read_html(self.text if is_html else "", self.url, self.referrer_policy)

    @property
    def title(self) -> str:
        return self._content.title

    @property
    def words(self) -> str:
        """
        The text on the page, each run of blanks as one.
        """
        return self._content.words

    @property
    def links(self) -> tuple[Link, ...]:
        return self._content.links

    @property
    def resources(self) -> tuple[str, ...]:
        """
        The addresses of what the page loads: style sheets, images, scripts and frames.
        """
        return self._content.resources

    @property
    def forms(self) -> tuple[Form, ...]:
        return self._content.forms

    def form(self, button: str | None = None, *, action: str | None = None) -> Form:
        """
        Return the form with this button, the form that is sent to *action*, or the only one there is.

        Args:
            button: The text on the button.
            action: Relative to the page, or whole.

        Raises:
            PageError: There is no such form, or more than one.
        """
        found = [
            form
            for form in self.forms
            if (button is None or button in [each.label for each in form.buttons])
            and (action is None or form.action == urljoin(self.url, action))
        ]
        if len(found) != 1:
            buttons = [[button.label for button in form.buttons] for form in self.forms]
            raise PageError(f"{len(found)} such forms are on the page; the buttons of its forms say {buttons}")
        return found[0]


def read(html: str, url: str = "") -> Page:
    """
    Read HTML that did not come over the web: an email, for one.
    """
    return Page(url=url, status=200, headers=(("content-type", _HTML),), body=html.encode())


Send: TypeAlias = Callable[[str, str, Headers, bytes], Page]


@attrs.define(kw_only=True)
class Browser:
    """
    Visits one site. Not to be shared between threads.

    Attributes:
        base_url: What relative addresses are relative to.
        send: Sends one request (method, whole address, headers and body) and returns the response.
        headers: What it says of itself with each page it opens. Add ``accept-language``, for one.
        cookies: By name. One goes when the site takes it back with ``Max-Age=0``, and not with time.
    """

    base_url: str
    send: Send = attrs.field(repr=False)
    headers: Headers = attrs.field(default=_NAVIGATION, repr=False)
    cookies: dict[str, str] = attrs.field(factory=dict, repr=False)

    @classmethod
    def over_wsgi(cls, application: WSGIApplication, base_url: str) -> Browser:
        """
        Visit a WSGI application in this process.

        Args:
            base_url: Scheme and host, as the application is to see them.
        """
        return cls(base_url=base_url, send=_wsgi(application))

    @classmethod
    def over_handle(cls, handle: Callable[[Request], Response], base_url: str) -> Browser:
        """
        Visit a portal in this process, by its `handle`.

        Args:
            base_url: That of its manager.
        """
        return cls(base_url=base_url, send=_handle(handle, urlsplit(base_url).path.rstrip("/")))

    @classmethod
    def over_http(cls, base_url: str) -> Browser:
        """
        Visit a server over HTTP. No proxy is used, whatever the environment says.
        """
        return cls(base_url=base_url, send=_http)

    def get(self, url: str) -> Page:
        """
        Open an address as a person does who types it in or follows a link in an email.
        """
        return self.open("GET", url, (*self.headers, ("sec-fetch-site", "none")))

    def click(self, page: Page, link: str) -> Page:
        """
        Click the link with this text.

        Raises:
            PageError: There is no such link, or there are several that lead to different pages.
        """
        found = {each.url for each in page.links if each.text == link}
        if len(found) != 1:
            raise PageError(f"{len(found)} links say {link!r}; the page has {[each.text for each in page.links]}")
        return self.open("GET", found.pop(), self._from(page.url, page.referrer_policy))

    def press(self, form: Form, button: str = "") -> Page:
        """
        Press a button of a form.

        Args:
            button: The text on it. By default what the Enter key presses, which is the first button.

        Raises:
            PageError: There is no such button, it is disabled, or a required field is empty.
        """
        sent = form.submission(button)
        headers = self._from(form.page, form.referrer_policy)
        if sent.method == "POST":
            origin = "null" if form.referrer_policy == "no-referrer" else _origin(form.page)
            headers = (*headers, ("origin", origin), ("content-type", sent.media_type))
        return self.open(sent.method, sent.url, headers, sent.body)

    def open(self, method: str, url: str, headers: Headers = (), body: bytes = b"", *, redirects: int = 20) -> Page:
        """
        Send a request and follow where it leads. A redirect to another site is returned as it is.

        Raises:
            PageError: The address is one of another site, or there are more *redirects*.
        """
        for _ in range(redirects + 1):
            page = self.ask(method, url, headers, body)
            url = page.location
            if not url or not self.is_here(url):
                return page
            if (method == "POST" and page.status in (301, 302)) or (method != "HEAD" and page.status == 303):
                method, body = "GET", b""
                headers = tuple(pair for pair in headers if pair[0] not in ("origin", "content-type"))
        raise PageError(f"there were more than {redirects} redirects")

    def ask(self, method: str, url: str, headers: Headers = (), body: bytes = b"") -> Page:
        """
        Send one request as it is, with nothing added but the cookies, and return the response.

        Raises:
            PageError: The address is one of another site.
        """
        url = urldefrag(urljoin(self.base_url, url)).url
        if not self.is_here(url):
            raise PageError(f"{_origin(url)} is another site than {_origin(self.base_url)}, which is the one visited")
        if self.cookies:
            headers = (*headers, ("cookie", "; ".join(f"{name}={value}" for name, value in self.cookies.items())))
        page = self.send(method, url, headers, body)
        for cookie in page.values("set-cookie"):
            self._keep(cookie)
        return page

    def is_here(self, url: str) -> bool:
        """
        Whether an address is one of the site.
        """
        return _origin(url) == _origin(self.base_url)

    def _from(self, page: str, policy: str) -> Headers:
        """
        Return the headers that go with what is clicked or pressed on a page.
        """
        headers = (*self.headers, ("sec-fetch-site", "same-origin"))
        if policy == "no-referrer":
            return headers
        return (*headers, ("referer", f"{_origin(page)}/" if policy in ("origin", "strict-origin") else page))

    def _keep(self, cookie: str) -> None:
        pair, *rest = cookie.split(";")
        name, _, value = (part.strip() for part in pair.partition("="))
        facts = {key.strip().lower(): value.strip() for key, _, value in (part.partition("=") for part in rest)}
        site = urlsplit(self.base_url)
        if "secure" in facts and site.scheme != "https" and site.hostname not in _HERE:
            return
        if name.startswith("__Host-") and ("secure" not in facts or "domain" in facts or facts.get("path") != "/"):
            return
        self.cookies[name] = value
        if facts.get("max-age", "1") <= "0":
            del self.cookies[name]


def _origin(url: str) -> str:
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"


# ---- ways to send a request


def _wsgi(application: WSGIApplication) -> Send:
    def send(method: str, url: str, headers: Headers, body: bytes) -> Page:
        parts = urlsplit(url)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": method,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(parts.path or "/").decode("latin-1"),
            "QUERY_STRING": parts.query,
            "REMOTE_ADDR": "192.0.2.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": parts.netloc,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers},
        }
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        setup_testing_defaults(environ)
        answers: list[tuple[int, Headers]] = []
        content = io.BytesIO()

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
            answers.append((int(status[:3]), tuple((name.lower(), value) for name, value in headers)))
            return content.write

        chunks = application(environ, start_response)
        try:
            for chunk in chunks:
                content.write(chunk)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        return Page(url=url, status=answers[-1][0], headers=answers[-1][1], body=content.getvalue())

    return send


def _handle(handle: Callable[[Request], Response], mount: str) -> Send:
    def send(method: str, url: str, headers: Headers, body: bytes) -> Page:
        parts = urlsplit(url)
        path = relative_path(unquote(parts.path), mount)
        response = handle(Request(method=method, path=path, query=parts.query, headers=headers, body=body))
        return Page(url=url, status=response.status, headers=response.headers, body=response.body)

    return send


def _http(method: str, url: str, headers: Headers, body: bytes) -> Page:
    parts = urlsplit(url)
    # Not urllib, which would go through whatever proxy the environment names.
    connection = (HTTPSConnection if parts.scheme == "https" else HTTPConnection)(parts.netloc, timeout=_SECONDS)
    try:
        target = parts._replace(scheme="", netloc="", path=parts.path or "/").geturl()
        connection.request(method, target, body or None, dict(headers))
        response = connection.getresponse()
        received = tuple((name.lower(), value) for name, value in response.getheaders())
        return Page(url=url, status=response.status, headers=received, body=response.read())
    finally:
        connection.close()
