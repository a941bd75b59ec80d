"""
A connection to a mail server, and the SMTP conversation over it.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from itertools import zip_longest
from smtplib import SMTP, SMTP_SSL, SMTPHeloError, SMTPResponseException

import attrs

from optly.backends._server import TLS, Server
from optly.backends._verdict import CLOSING, STEPS, Reply, Step, judge, not_sent, receipt
from optly.backends._wire import Wire
from optly.backends.mime import Letter
from optly.messages import Fault, Outcome, Receipt

_PATIENCE = 10
_DOT, _RESET, _RESET_DONE = b".\r\n", b"RSET\r\n", 250


@attrs.frozen(kw_only=True)
class Manners:
    """
    The settings of a conversation with a mail server.

    Attributes:
        context: How to encrypt, or None.
        timeout: Seconds to wait for each step.
        local_hostname: The name to give in EHLO, or None for this machine's name.
        pipelining: Whether to send commands without waiting for each reply, if the server offers it.
        notify: The delivery status notifications to request, as RFC 3461 4.1 writes them, if the server offers them.
    """

    context: ssl.SSLContext | None
    timeout: float
    local_hostname: str | None
    pipelining: bool
    notify: str | None


class Conversation:
    """
    A connection that sends one email after the other. Not safe to share between threads.

    With a server that offers PIPELINING (RFC 2920) an email costs one round trip: its end and the envelope of the next
    email are one write. An email is in doubt only if the server may have received its final dot and we did not receive
    the reply to it, so a connection that breaks leaves at most one email in doubt.

    The steps are taken here because smtplib would discard the reply to the final dot, which is the evidence, and would
    not show whether a connection broke before or after that dot.

    Attributes:
        letters: How many emails were begun.
        over: Whether nothing more can be sent. True too after an exception in the middle of an email: the next reply
            would still belong to that email.
        pipelining: Whether naming the following email saves time.
        said: Whether the server may have the last email, if that was interrupted.
    """

    def __init__(self, client: SMTP, manners: Manners) -> None:
        assert client.sock is not None
        self._client = client
        self._wire = Wire(client.sock, timeout=manners.timeout, unread=_unread(client))
        self._notify = manners.notify if client.has_extn("dsn") else None
        self._size = client.esmtp_features.get("size") if client.has_extn("size") else None
        self._utf8 = client.has_extn("smtputf8")
        self._announced: Letter | None = None
        self.pipelining = manners.pipelining and client.has_extn("pipelining")
        self.letters = 0
        self.over = False
        self.said = False

    @classmethod
    def begin(cls, server: Server, manners: Manners) -> Conversation | Receipt:
        """
        Connect, encrypt and log in. If one of these fails, return what that means for an email.
        """
        client: SMTP | None = None
        host, port, name, timeout = server.host, server.port, manners.local_hostname, manners.timeout
        try:
            if server.tls is TLS.IMPLICIT:
                client = SMTP_SSL(host, port, name, timeout=timeout, context=manners.context)
            else:
                client = SMTP(host, port, name, timeout=timeout)
            assert client.sock is not None
            # The end of an email must not wait in the system until the bytes before it are acknowledged.
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _greet(client)
            if server.tls is TLS.STARTTLS:
                client.starttls(context=manners.context)
                _greet(client)
            if server.user is not None and server.password is not None:
                client.login(server.user, server.password)
            conversation, client = cls(client, manners), None
        except (OSError, ValueError) as error:
            return _not_begun(error)
        finally:
            if client is not None:
                client.close()
        return conversation

    def hand_over(self, letter: Letter, following: Letter | None, *, meanwhile: Callable[[], None]) -> Receipt | None:
        """
        Send one email and return its outcome.

        Args:
            following: The next email, if there is one. Its envelope is sent in the same write.
            meanwhile: Called while the server accepts the email.

        Returns:
            None if the connection broke without a reply about the email, of which the server received the envelope at
            most: it has to be sent over another connection. Never None for the first email.
        """
        if refusal := self._unfit(letter):
            return refusal
        first = self.letters == 0
        self.letters += 1
        self.over, self.said = True, False
        replies: list[Reply] = []
        said = broken = False
        try:
            for reply in self._envelope_replies(letter):
                replies.append(reply)
            if len(replies) == Step.DOT and all(map(Reply.lets_go_on, replies, STEPS)):
                self.said = True
                self._say(letter, following)
                said = True
                meanwhile()
                replies.append(self._wire.reply(patience=_PATIENCE))
        except OSError as error:
            broken = True
            replies.append(self._wire.last_words() or Reply(None, f"no reply: {error}"))
        for step, reply in zip(STEPS, replies, strict=False):
            if not reply.lets_go_on(step):
                break
        if step is Step.MAIL and not first and not reply.refuses:
            return None
        if not broken and all(map(_is_an_answer, replies, STEPS)):
            self.over = not (said or self._take_back(replies, following))
        return judge(reply, step, said=said)

    def _unfit(self, letter: Letter) -> Receipt | None:
        """
        Return a refusal if the extensions that the server offers show that it would not accept an email.
        """
        if letter.utf8 and not self._utf8:
            why = "an address is not in ASCII, and the mail server does not offer SMTPUTF8"
        elif self._size and self._size.isdecimal() and 0 < int(self._size) < len(letter.content):
            why = f"the message is longer than the {self._size} bytes that the mail server takes"
        else:
            return None
        return not_sent(why, Outcome.REFUSED, Fault.MESSAGE)

    def _envelope(self, letter: Letter) -> tuple[bytes, bytes, bytes]:
        """
        Return the commands that come before the content, one for each step.
        """
        about_mail = " BODY=8BITMIME SMTPUTF8" if letter.utf8 else ""
        about_rcpt = ""
        if self._size is not None:
            about_mail += f" SIZE={len(letter.content)}"
        if self._notify is not None:
            about_mail += f" RET=HDRS ENVID={letter.id}"
            about_rcpt = f" NOTIFY={self._notify}"
            if not letter.utf8:
                about_rcpt += f" ORCPT=rfc822;{_xtext(letter.recipient)}"
        return (
            f"MAIL FROM:<{letter.sender}>{about_mail}\r\n".encode(),
            f"RCPT TO:<{letter.recipient}>{about_rcpt}\r\n".encode(),
            b"DATA\r\n",
        )

    def _announce(self, letter: Letter | None) -> bytes:
        """
        Return the envelope of the next email, to be sent in the same write.
        """
        if letter is None or not self.pipelining or self._unfit(letter):
            return b""
        self._announced = letter
        return b"".join(self._envelope(letter))

    def _envelope_replies(self, letter: Letter) -> Iterator[Reply]:
        """
        Send the envelope, unless it was sent before, and yield the replies until one of them ends the transaction.
        """
        announced, self._announced = self._announced, None
        commands: Iterable[bytes] = ()
        if announced is None:
            self._wire.must_be_silent()
            commands = self._envelope(letter)
            if self.pipelining:
                commands = [b"".join(commands)]
        elif announced is not letter:
            raise ConnectionError("another letter was announced")
        for step, command in zip_longest(STEPS[: Step.DOT], commands):
            if command is not None:
                self._wire.write(command)
            reply = self._wire.reply()
            yield reply
            # Commands sent in one write are all answered, whatever the first reply.
            if not reply.lets_go_on(step) and not (self.pipelining and reply.refuses):
                return

    def _say(self, letter: Letter, following: Letter | None) -> None:
        """
        Send the content and the final dot.

        Raises:
            OSError: The server cannot have received the dot.
        """
        self._wire.must_be_silent()
        content = b"".join((letter.content.replace(b"\r\n.", b"\r\n.."), _DOT))
        try:
            self._wire.write(content + self._announce(following), silent_for=len(content))
        except OSError:
            # Some bytes after the dot may not have been sent. The reply to the dot may still arrive.
            if self._wire.sent < len(content):
                raise

    def _take_back(self, replies: list[Reply], following: Letter | None) -> bool:
        """
        End the transaction of a refused email, and return whether the connection can be used for another.
        """
        content_wanted = len(replies) == Step.DOT and replies[Step.DATA].lets_go_on(Step.DATA)
        if content_wanted and replies[Step.RCPT].lets_go_on(Step.RCPT):
            # Only the sender was refused: a dot might send an empty message to the recipient.
            return False
        commands = [_DOT, _RESET] if content_wanted else [_RESET]
        try:
            self._wire.must_be_silent()
            self._wire.write(b"".join(commands) + self._announce(following))
            answers = [self._wire.reply() for _ in commands]
        except OSError:
            return False
        return all(answer.code not in (None, CLOSING) for answer in answers) and answers[-1].code == _RESET_DONE

    def end(self) -> None:
        """
        Send QUIT and close the connection.
        """
        with suppress(OSError):
            self._wire.write(b"QUIT\r\n")
            self._wire.reply()
        self.drop()

    def drop(self) -> None:
        """
        Close the connection without QUIT.
        """
        self._client.close()


def _is_an_answer(reply: Reply, step: Step) -> bool:
    return reply.lets_go_on(step) or reply.refuses


def _unread(client: SMTP) -> bytes:
    """
    Return the bytes that smtplib has read ahead. There should be none.
    """
    assert client.sock is not None
    client.sock.settimeout(0)
    try:
        return bytes(client.file.peek()) if client.file is not None else b""
    except OSError:
        return b""


def _xtext(text: str) -> str:
    """
    Encode a text as an argument of a command (RFC 3461 4).
    """
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


def _greet(client: SMTP) -> None:
    """
    Send EHLO only. smtplib would fall back on HELO, and a reply such as 421 would be lost.
    """
    code, text = client.ehlo()
    if code != 250:
        raise SMTPHeloError(code, text)


def _not_begun(error: OSError | ValueError) -> Receipt:
    if isinstance(error, SMTPResponseException):
        # The server refuses us, not the email.
        text = error.smtp_error
        said = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
        reply = Reply(error.smtp_code if error.smtp_code > 0 else None, said)
        return receipt(reply, Outcome.RETRY_LATER, Fault.BACKEND)
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return not_sent(f"no safe connection to the mail server: {why}")
