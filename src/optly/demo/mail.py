"""
Ada's mail server, and the email it accepted.
"""

from __future__ import annotations

import socket
from asyncio import AbstractServer
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cached_property
from threading import Condition
from typing import Any, Final

import attrs
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

from optly.testing.browser import Browser

_SECONDS: Final = 30.0


@attrs.frozen(kw_only=True)
class Email:
    """
    An email as it arrived over SMTP.

    Attributes:
        number: Its place in the inbox, from 1.
        content: The bytes that were received.
    """

    number: int
    content: bytes = attrs.field(repr=False)

    @cached_property
    def _parsed(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)

    @property
    def headers(self) -> Mapping[str, str]:
        """
        The headers, each on one line.
        """
        return {name: str(value) for name, value in self._parsed.items()}

    @property
    def subject(self) -> str:
        return self.headers.get("Subject", "")

    @property
    def text(self) -> str:
        return self._part("plain")

    @property
    def html(self) -> str:
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self._parsed.get_body(preferencelist=(subtype,))
        try:
            return "" if part is None else str(part.get_content())
        except LookupError:  # the charset is unknown
            return self.source

    @property
    def source(self) -> str:
        return self.content.decode("utf-8", "replace")

    @property
    def one_click(self) -> str | None:
        """
        The address to which a mail program posts when its own Unsubscribe button is pressed, or None.

        Source: RFC 8058 section 3.2.
        """
        if self.headers.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
            return None
        targets = self.headers.get("List-Unsubscribe", "").split(",")
        return next((url for target in targets if (url := target.strip(" <>")).startswith("http")), None)


def press_unsubscribe(url: str) -> int:
    """
    Do what a mail program does when its own Unsubscribe button is pressed, and return the status of the response.

    Source: RFC 8058 section 3.1.
    """
    form = (("content-type", "application/x-www-form-urlencoded"),)
    return Browser.over_http(url).ask("POST", url, form, b"List-Unsubscribe=One-Click").status


class Inbox:
    """
    Accepts every email and keeps it as it arrived. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._emails: list[Email] = []
        self._arrived = Condition()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """
        Keep an email and confirm it. Called by the mail server at the final dot.
        """
        content = envelope.original_content or b""
        with self._arrived:
            email = Email(number=len(self._emails) + 1, content=content)
            self._emails.append(email)
            self._arrived.notify_all()
        return f"250 2.0.0 Ok: queued as {email.number}"

    @property
    def emails(self) -> tuple[Email, ...]:
        """
        What has arrived, in order.
        """
        with self._arrived:
            return tuple(self._emails)

    def wait_for(self, number: int, seconds: float) -> Email | None:
        """
        Return the email with this number once it has arrived, or None if it does not arrive in time.
        """
        with self._arrived:
            arrived = self._arrived.wait_for(lambda: len(self._emails) >= number, seconds)
            return self._emails[number - 1] if arrived else None


class _Controller(Controller):
    """
    Listens on a socket that is already bound: by itself it does not report the port that the system chose.
    """

    def __init__(self, inbox: Inbox, bound: socket.socket) -> None:
        host, port = bound.getsockname()
        super().__init__(
            inbox, hostname=host, port=port, server_hostname="localhost", ident="optly demo", ready_timeout=_SECONDS
        )
        self._bound = bound

    def _create_server(self) -> Coroutine[Any, Any, AbstractServer]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound)


@contextmanager
def mail_server(inbox: Inbox) -> Iterator[int]:
    """
    Run an SMTP server on a free port of this machine and yield the port.
    """
    with socket.create_server(("127.0.0.1", 0)) as bound:
        controller = _Controller(inbox, bound)
        controller.start()
        try:
            yield controller.port
        finally:
            controller.stop()
