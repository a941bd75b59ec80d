"""
Ada's inbox in a browser: every message as she would see it, and beside them what the company may send her now.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

import attrs

from optly.demo.acme import ADA_EMAIL, ADA_PHONE, CHANNELS, Acme
from optly.demo.mail import Email, press_unsubscribe
from optly.messages import Message
from optly.portal.assets import assets
from optly.portal.http import is_from_our_page
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from jinja2 import Environment

_PAGE: Final = (
    "default-src 'none'; style-src 'self'; img-src 'self'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
# An email may be shown and be left by a click, and may do nothing else.
_MAIL: Final = (
    "sandbox allow-top-navigation-by-user-activation; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
    "form-action 'none'; frame-ancestors 'self'"
)
_HTML: Final = "text/html; charset=utf-8"
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


@attrs.frozen
class InboxPages:
    """
    The pages of the inbox. Safe to share between threads.

    Attributes:
        origin: Their scheme, host and port.
        myoptly: A link to Ada's MyOptly page.
    """

    _acme: Acme
    origin: str = attrs.field(kw_only=True)
    myoptly: str = attrs.field(kw_only=True, repr=False)

    def handle(self, request: Request) -> Response:
        # Another site could point its name at this machine and read along.
        if request.values("host") != (urlsplit(self.origin).netloc,):
            return _response(status=HTTPStatus.MISDIRECTED_REQUEST)
        match request.method, request.path.strip("/").split("/"):
            case "GET", [""]:
                return self._page()
            case "GET", ["inbox.css"]:
                return _response("text/css; charset=utf-8", (files("optly.demo") / "static" / "inbox.css").read_bytes())
            case "GET", ["icon.svg"]:
                return _response("image/svg+xml", assets()["optly.svg"].body)
            case "GET", ["email", number] if email := self._email(number):
                return self._page(email=email)
            case "GET", ["email", number, "html"] if email := self._email(number):
                # Its links open in the whole window.
                framed = _HEAD.sub(lambda head: f'{head[0]}<base target="_top">', email.html, count=1)
                return _response(_HTML, framed.encode(), policy=_MAIL)
            case "POST", ["email", number, "stop"] if email := self._email(number):
                return self._stop(request, email)
            case "GET", ["text", number] if message := self._texts.get(number):
                return self._page(open_text=number, pieces=_LINK.split(message.text))
            case _:
                return _response(status=HTTPStatus.NOT_FOUND)

    def _email(self, number: str) -> Email | None:
        return next((email for email in self._acme.inbox.emails if str(email.number) == number), None)

    @property
    def _texts(self) -> Mapping[str, Message]:
        return {str(number): message for number, message in enumerate(self._acme.texts.outbox, 1)}

    def _stop(self, request: Request, email: Email) -> Response:
        """
        Do what a mailbox provider does when its own Unsubscribe button is pressed.
        """
        url = email.one_click
        if url is None or not url.startswith(f"{self._acme.base_url}/u/"):
            return _response(status=HTTPStatus.NOT_FOUND)
        if not is_from_our_page(request, self.origin):
            return _response(status=HTTPStatus.FORBIDDEN)
        status = press_unsubscribe(url)
        done = "Acme has stopped." if status == HTTPStatus.OK else "Acme did not accept it."
        return self._page(email=email, notice=f"Your mail program asked Acme to stop ({status}). {done}")

    def _page(
        self, *, email: Email | None = None, notice: str = "", open_text: str = "", pieces: Sequence[str] = ()
    ) -> Response:
        """
        Return the page with an email or a text message open on it.

        Args:
            notice: What the button that was pressed did.
            pieces: Of the text message. Every other piece is a link.
        """
        page = (
            _environment()
            .get_template("inbox.html.j2")
            .render(
                address=ADA_EMAIL,
                number=ADA_PHONE,
                emails=self._acme.inbox.emails[::-1],
                texts=list(self._texts.items())[::-1],
                decisions=[(name, self._acme.gate(channel)) for channel, name in CHANNELS.items()],
                myoptly=self.myoptly,
                email=email,
                notice=notice,
                open_text=open_text,
                pieces=pieces,
            )
        )
        return _response(_HTML, page.encode())


def _response(
    media_type: str = "text/plain; charset=utf-8",
    body: bytes = b"",
    *,
    status: HTTPStatus = HTTPStatus.OK,
    policy: str = _PAGE,
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
