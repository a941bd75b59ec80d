"""
A browser without scripts and without a screen, for tests of your own pages.

It opens links, reads pages, fills in forms and presses buttons. It follows redirects, keeps cookies, sends the headers
that show an application which page a form was on, and refuses what a browser would refuse: it presses no button that is
not on the page::

    browser = Browser.over_wsgi(app, "https://acme.example.com")
    page = browser.get("/newsletter")
    page = browser.press(page.form("Sign up").fill_in({"Email": "ada@example.com", "Offers": True}), "Sign up")
    assert page.title == "Check your email"

It visits one site, and sends nothing to any other. It runs no scripts, loads no images, uploads no files, and sends
each cookie to every path and each form URL-encoded. Where that matters, use a real browser.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from http.client import HTTPConnection, HTTPSConnection
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias
from urllib.parse import unquote, unquote_to_bytes, urldefrag, urljoin, urlsplit
from wsgiref.util import setup_testing_defaults

import attrs

from optly.portal.http import relative_path
from optly.protocols.http import Request, Response
from optly.testing._page import Control, Form, Headers, Link, Page, PageError, read

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

__all__ = ["Browser", "Control", "Form", "Headers", "Link", "Page", "PageError", "read"]

Send: TypeAlias = Callable[[str, str, Headers, bytes], Page]

_SECONDS: Final = 10
_FORM: Final = "application/x-www-form-urlencoded"
_HERE: Final = frozenset({"localhost", "127.0.0.1", "::1"})

# What a browser says of itself when a person opens a page.
_NAVIGATION: Final = (
    ("user-agent", "Mozilla/5.0 (optly.testing.browser)"),
    ("accept", "text/html,application/xhtml+xml,*/*;q=0.8"),
    ("sec-fetch-dest", "document"),
    ("sec-fetch-mode", "navigate"),
    ("sec-fetch-user", "?1"),
)


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
    def over_wsgi(cls, application: WSGIApplication, base_url: str) -> Self:
        """
        Visit a WSGI application in this process, which sees the scheme and host of *base_url*.
        """
        return cls(base_url=base_url, send=_wsgi(application))

    @classmethod
    def over_handle(cls, handle: Callable[[Request], Response], base_url: str) -> Self:
        """
        Visit a portal in this process, by its `handle` and the base URL of its manager.
        """
        return cls(base_url=base_url, send=_handle(handle, urlsplit(base_url).path.rstrip("/")))

    @classmethod
    def over_http(cls, base_url: str) -> Self:
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
        return self.open("GET", found.pop(), (*self.headers, *_from(page, "GET")))

    def press(self, form: Form, button: str = "") -> Page:
        """
        Press a button of a form.

        Args:
            button: The text on it. By default what the Enter key presses, which is the first button.

        Raises:
            PageError: There is no such button, it is disabled, or a required field is empty.
        """
        method, url, body = form.submission(button)
        return self.open(method, url, (*self.headers, *_from(form.page, method)), body)

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

    def _keep(self, cookie: str) -> None:
        site = urlsplit(self.base_url)
        for name, facts in SimpleCookie(cookie).items():
            if facts["secure"] and site.scheme != "https" and site.hostname not in _HERE:
                continue
            if name.startswith("__Host-") and (not facts["secure"] or facts["domain"] or facts["path"] != "/"):
                continue
            self.cookies[name] = facts.coded_value
            if (facts["max-age"] or "1") <= "0":
                del self.cookies[name]


def _origin(url: str) -> str:
    scheme, host, *_ = urlsplit(url)
    return f"{scheme}://{host}"


def _from(page: Page, method: str) -> Headers:
    """
    Return the headers that go with what is clicked or pressed on a page, as its referrer policy has them.
    """
    policy = ",".join(page.values("referrer-policy")).rpartition(",")[2].strip().lower()
    origin = _origin(page.url)
    headers = {"sec-fetch-site": "same-origin"}
    if policy != "no-referrer":
        headers["referer"] = f"{origin}/" if policy in ("origin", "strict-origin") else page.url
    if method == "POST":
        headers |= {"origin": "null" if policy == "no-referrer" else origin, "content-type": _FORM}
    return tuple(headers.items())


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
            "CONTENT_TYPE": dict(headers).get("content-type", ""),
            "wsgi.url_scheme": parts.scheme,
            "wsgi.input": io.BytesIO(body),
            "HTTP_HOST": parts.netloc,
            **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers if name != "content-type"},
        }
        setup_testing_defaults(environ)
        started: list[tuple[int, Headers]] = []
        content = io.BytesIO()

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> Callable[[bytes], object]:
            started.append((int(status[:3]), tuple((name.lower(), value) for name, value in headers)))
            return content.write

        chunks = application(environ, start_response)
        try:
            content.writelines(chunks)
        finally:
            if hasattr(chunks, "close"):
                chunks.close()
        status, received = started[-1]
        return Page(url=url, status=status, headers=received, body=content.getvalue())

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
