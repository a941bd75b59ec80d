"""
One connection to a mail server, and what is said over it.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from contextlib import suppress
from smtplib import SMTP, SMTP_SSL, SMTPHeloError, SMTPResponseException

from optly.backends._server import TLS, Server
from optly.backends.mime import Letter
from optly.messages import Outcome, Receipt

_DOT = re.compile(rb"^\.", re.MULTILINE)
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)", re.ASCII)
_NOT_TEXT = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
_LONGEST_REPLY = 1000
_PATIENCE = 10
_NONE, _CLOSING, _LOG_IN_FIRST = -1, 421, 530


class StaleError(Exception):
    """
    A connection that was kept open has gone, and nothing of the letter but its sender can have been heard.
    """


class Conversation:
    """
    A connection over which one letter after the other is handed over. Not safe to share between threads.

    The steps are taken here because smtplib would throw away the reply to the final dot, which is the evidence, and
    would not say on which side of that dot a connection broke.

    Attributes:
        letters: How many letters were begun.
        over: Whether nothing more can be said. True as well when an exception cut a letter short: the next reply would
            still be one to that letter.
    """

    def __init__(self, client: SMTP) -> None:
        self._client = client
        self.letters = 0
        self.over = False

    @classmethod
    def begin(
        cls, server: Server, *, context: ssl.SSLContext | None, timeout: float, local_hostname: str | None
    ) -> Conversation | Receipt:
        """
        Connect, encrypt and log in, or return what it means for a letter that one of these did not come about.
        """
        client: SMTP | None = None
        try:
            if server.tls is TLS.IMPLICIT:
                client = SMTP_SSL(server.host, server.port, local_hostname, timeout=timeout, context=context)
            else:
                client = SMTP(server.host, server.port, local_hostname, timeout=timeout)
            assert client.sock is not None
            # The final dot is written by itself, and must not wait until the body is acknowledged.
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _greet(client)
            if server.tls is TLS.STARTTLS:
                client.starttls(context=context)
                _greet(client)
            if server.user is not None and server.password is not None:
                client.login(server.user, server.password)
            client.command_encoding = "utf-8"
            conversation, client = cls(client), None
        except (OSError, ValueError) as error:
            return _not_begun(error)
        finally:
            if client is not None:
                client.close()
        return conversation

    def hand_over(self, letter: Letter) -> Receipt:
        """
        Say one letter, and return what became of it.

        Raises:
            StaleError: Say it again over another connection. Never raised for the first letter.
        """
        client = self._client
        if letter.utf8 and not client.has_extn("smtputf8"):
            why = "not sent: an address is not in ASCII, and the mail server does not offer SMTPUTF8"
            return _receipt(Outcome.REFUSED, _NONE, why)
        kept = self.letters > 0
        self.letters += 1
        self.over = True
        begun = said = False
        try:
            for wanted, reply in self._envelope(letter):
                if reply[0] // 100 != wanted:
                    break
                begun = True
            else:
                client.send(_DOT.sub(b"..", letter.content))
                said = True  # Even if the next line fails: some of it may have got through.
                client.send(b".\r\n")
                reply = self._last_reply()
        except OSError as error:
            reply = _NONE, f"no reply: {error}".encode()
        code, text = reply
        answered = code != _CLOSING and code // 100 in ((2, 4, 5) if said else (4, 5))
        if kept and not begun and not answered:
            raise StaleError
        self.over = not answered or not (said or self._reset())
        return _receipt(_judge(code, said=said), code, text)

    def _envelope(self, letter: Letter) -> Iterator[tuple[int, tuple[int, bytes]]]:
        """
        Take the steps that lead up to the content. Yield for each the class of reply it needs, and the reply it got.
        """
        client = self._client
        options = " BODY=8BITMIME SMTPUTF8" if letter.utf8 else ""
        if client.has_extn("size"):
            options += f" SIZE={len(letter.content)}"
        yield 2, client.docmd("MAIL", f"FROM:<{letter.sender}>{options}")
        yield 2, client.docmd("RCPT", f"TO:<{letter.recipient}>")
        yield 3, client.docmd("DATA")

    def _last_reply(self) -> tuple[int, bytes]:
        """
        Wait for the reply to the final dot, longer than for any other: giving up would leave the letter in doubt.

        Source: RFC 5321 4.5.3.2.6.
        """
        client = self._client
        assert client.sock is not None
        client.sock.settimeout(client.timeout * _PATIENCE)
        reply = client.getreply()
        client.sock.settimeout(client.timeout)
        return reply

    def _reset(self) -> bool:
        try:
            code, _ = self._client.rset()
        except OSError:
            return False
        return code == 250

    def end(self) -> None:
        """
        Take leave and close the connection.
        """
        with suppress(OSError):
            self._client.quit()
        self.drop()

    def drop(self) -> None:
        """
        Close the connection without a word.
        """
        self._client.close()


def _greet(client: SMTP) -> None:
    """
    Say EHLO and nothing else. smtplib would fall back on HELO, and a reply such as 421 would be lost.
    """
    code, text = client.ehlo()
    if code != 250:
        raise SMTPHeloError(code, text)


def _not_begun(error: OSError | ValueError) -> Receipt:
    if isinstance(error, SMTPResponseException):
        # Whatever it refuses, it refuses us and not the letter.
        return _receipt(Outcome.RETRY_LATER, error.smtp_code, error.smtp_error)
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return _receipt(Outcome.RETRY_LATER, _NONE, f"not sent: no safe connection to the mail server: {why}")


def _judge(code: int, *, said: bool) -> Outcome:
    """
    Tell what a reply means for a letter.

    Args:
        said: Whether the reply came, or should have come, after the final dot. From there on silence is doubt.
    """
    match code // 100:
        case 2 if said:
            return Outcome.ACCEPTED
        case 4:
            return Outcome.RETRY_LATER
        case 5:
            # RFC 4954 6: the answer to whatever is said before logging in, so it is about us and not the letter.
            return Outcome.RETRY_LATER if code == _LOG_IN_FIRST else Outcome.REFUSED
        case _:
            return Outcome.IN_DOUBT if said else Outcome.RETRY_LATER


def _receipt(outcome: Outcome, code: int, reply: bytes | str) -> Receipt:
    """
    Write down a reply, cut and cleaned so far that it can be stored anywhere.

    What a server says while it accepts an email must not be what keeps that from being recorded.
    """
    text = reply if isinstance(reply, str) else reply.decode("utf-8", "backslashreplace")
    status = _STATUS.match(text)
    if code != _NONE:
        text = f"{code} {text}"
    return Receipt(
        outcome=outcome,
        reply=_NOT_TEXT.sub("\ufffd", text)[:_LONGEST_REPLY],
        code=None if code == _NONE else code,
        status=status.group() if status else "",
    )
