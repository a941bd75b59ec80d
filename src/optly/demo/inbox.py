"""
Ada's inbox in a browser: every message as she would see it, and beside it what the company may send her now.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs

from optly.demo import browser
from optly.demo.acme import ADA_EMAIL, ADA_PHONE, CHANNELS, Acme
from optly.demo.mail import Letter
from optly.portal.assets import assets
from optly.portal.http import is_from_our_page
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGE: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# An email may show itself and be left by a click, and nothing else.
_MAIL: Final = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; frame-ancestors 'self'"
)
_HEAD: Final = re.compile(r"<head\b[^>]*>", re.IGNORECASE)
_LINK: Final = re.compile(r"(https?://[^\s<>]+)")


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("optly.demo"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _style() -> bytes:
    return (files("optly.demo") / "static" / "inbox.css").read_bytes()


@attrs.frozen(kw_only=True)
class Shown:
    """
    What is open on the page.

    Attributes:
        place: Which text message it is, from 1.
        text: What it says, in pieces; every other one is a link.
        notice: What the button that was pressed did.
    """

    letter: Letter | None = None
    place: int = 0
    text: Sequence[str] = ()
    notice: str = ""


@attrs.frozen
class InboxPages:
    """
    The pages of the inbox. Safe to share between threads.

    Attributes:
        origin: Scheme, host and port at which they are.
        myoptly: A link to Ada's MyOptly page.
    """

    _acme: Acme
    origin: str = attrs.field(kw_only=True)
    myoptly: str = attrs.field(kw_only=True, repr=False)

    def handle(self, request: Request) -> Response:
        """
        Return the response to *request*.
        """
        # Another site could have its name lead here and read along.
        if request.values("host") != (urlsplit(self.origin).netloc,):
            return _response(HTTPStatus.MISDIRECTED_REQUEST)
        match request.method, request.path.strip("/").split("/"):
            case "GET", [""]:
                return self._page(Shown())
            case "GET", ["inbox.css"]:
                return _response(HTTPStatus.OK, "text/css; charset=utf-8", _style())
            case "GET", ["icon.svg"]:
                return _response(HTTPStatus.OK, "image/svg+xml", assets()["optly.svg"].body)
            case "GET", ["email", number] if letter := self._letter(number):
                return self._page(Shown(letter=letter))
            case "GET", ["email", number, "html"] if letter := self._letter(number):
                return _response(
                    HTTPStatus.OK, "text/html; charset=utf-8", _as_framed(letter.html).encode(), policy=_MAIL
                )
            case "POST", ["email", number, "stop"] if letter := self._letter(number):
                return self._stop(request, letter)
            case "GET", ["text", number] if text := self._text(number):
                return self._page(Shown(place=int(number), text=_LINK.split(text)))
            case _:
                return _response(HTTPStatus.NOT_FOUND)

    def _letter(self, number: str) -> Letter | None:
        return next((letter for letter in self._acme.inbox.letters if str(letter.number) == number), None)

    def _text(self, number: str) -> str | None:
        texts = enumerate(self._acme.texts.outbox, 1)
        return next((message.text for place, message in texts if str(place) == number), None)

    def _stop(self, request: Request, letter: Letter) -> Response:
        """
        Do what the provider of a mailbox does at the press of its own button.
        """
        url = letter.one_click
        if url is None or not url.startswith(self._acme.manager.pages.stop("")):
            return _response(HTTPStatus.NOT_FOUND)
        if not is_from_our_page(request, self.origin):
            return _response(HTTPStatus.FORBIDDEN)
        status = browser.one_click(url).status
        done = "Acme has taken it." if status == HTTPStatus.OK else "It was not taken."
        return self._page(Shown(letter=letter, notice=f"Your mail program asked Acme to stop ({status}). {done}"))

    def _page(self, shown: Shown) -> Response:
        facts: dict[str, Any] = {
            "address": ADA_EMAIL,
            "number": ADA_PHONE,
            "letters": self._acme.inbox.letters[::-1],
            "texts": list(enumerate(self._acme.texts.outbox, 1))[::-1],
            "decisions": [(name, self._acme.gate(channel)) for channel, name in CHANNELS.items()],
            "myoptly": self.myoptly,
            "shown": shown,
        }
        body = _environment().get_template("inbox.html.j2").render(**facts).encode()
        return _response(HTTPStatus.OK, "text/html; charset=utf-8", body)


def _as_framed(html: str) -> str:
    """
    Return an email whose links open in the whole window.
    """
    return _HEAD.sub(lambda head: f'{head[0]}<base target="_top">', html, count=1)


def _response(
    status: HTTPStatus, media_type: str = "text/plain; charset=utf-8", body: bytes = b"", *, policy: str = _PAGE
) -> Response:
    return Response(
        status=status,
        headers=(
            ("content-type", media_type),
            ("content-length", str(len(body))),
            ("content-security-policy", policy),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
        ),
        body=body,
    )
