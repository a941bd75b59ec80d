"""
A mail server of one's own, and what came in.
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

_SECONDS: Final = 30.0


@attrs.frozen(kw_only=True, slots=False)
class Letter:
    """
    An email as it came over SMTP.

    Attributes:
        number: Its place in the inbox, from 1.
        content: The bytes that were received.
    """

    number: int
    content: bytes = attrs.field(repr=False)

    @cached_property
    def _mail(self) -> EmailMessage:
        return message_from_bytes(self.content, policy=default)

    @property
    def headers(self) -> Mapping[str, str]:
        """
        The headers, each as one line.
        """
        return {name: str(value) for name, value in self._mail.items()}

    @property
    def sender(self) -> str:
        return self.headers.get("From", "")

    @property
    def recipient(self) -> str:
        return self.headers.get("To", "")

    @property
    def subject(self) -> str:
        return self.headers.get("Subject", "")

    @property
    def text(self) -> str:
        """
        The plain text, or nothing.
        """
        return self._part("plain")

    @property
    def html(self) -> str:
        """
        The HTML, or nothing.
        """
        return self._part("html")

    def _part(self, subtype: str) -> str:
        part = self._mail.get_body(preferencelist=(subtype,))
        if part is None:
            return ""
        try:
            return str(part.get_content())
        except LookupError:  # in a charset nobody knows
            return self.source

    @property
    def source(self) -> str:
        """
        All of it as it came.
        """
        return self.content.decode("utf-8", "replace")

    @property
    def one_click(self) -> str | None:
        """
        Where a mail program sends the stop when its own button is pressed, or None.

        Source: RFC 8058 section 3.2.
        """
        if self.headers.get("List-Unsubscribe-Post") != "List-Unsubscribe=One-Click":
            return None
        targets = self.headers.get("List-Unsubscribe", "").split(",")
        return next((url for target in targets if (url := target.strip(" <>")).startswith("http")), None)


class Inbox:
    """
    Takes every email and keeps it as it came. Safe to share between threads.
    """

    def __init__(self) -> None:
        self._letters: list[Letter] = []
        self._arrived = Condition()

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """
        Keep an email and say so. Called by the mail server at the final dot.
        """
        content = envelope.original_content or b""
        with self._arrived:
            letter = Letter(number=len(self._letters) + 1, content=content)
            self._letters.append(letter)
            self._arrived.notify_all()
        return f"250 2.0.0 Ok: taken as {letter.number}"

    @property
    def letters(self) -> tuple[Letter, ...]:
        """
        What came so far, in order.
        """
        with self._arrived:
            return tuple(self._letters)

    def wait_for(self, number: int, seconds: float) -> Letter | None:
        """
        Return the letter of this number as soon as it is there, or None if it does not come in time.
        """
        with self._arrived:
            there = self._arrived.wait_for(lambda: len(self._letters) >= number, seconds)
            return self._letters[number - 1] if there else None


class _Controller(Controller):
    """
    Listens on a socket that is bound already: left to itself, it does not tell which port the system chose.
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
