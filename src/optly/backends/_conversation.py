"""
One connection to a mail server, and what is said over it.
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
    How to speak to a mail server.

    Attributes:
        context: How to encrypt, or None.
        timeout: Seconds to wait for each step.
        local_hostname: What to introduce ourselves as, or None for this machine's name.
        pipelining: Whether to speak without waiting for each reply, where the server says that it can listen so.
        notify: What to ask delivery status notifications for, as RFC 3461 4.1 writes it, where the server sends any.
    """

    context: ssl.SSLContext | None
    timeout: float
    local_hostname: str | None
    pipelining: bool
    notify: str | None


def _wait() -> None:
    pass


class Conversation:
    """
    A connection over which one letter after the other is handed over. Not safe to share between threads.

    With a server that offers PIPELINING (RFC 2920) a letter costs one round trip: its end and the envelope of the next
    letter are one write. Only where the final dot of a letter may have been heard and the reply to it was not is there
    doubt about it, so a connection that breaks leaves one letter in doubt at most.

    The steps are taken here because smtplib would throw away the reply to the final dot, which is the evidence, and
    would not say on which side of that dot a connection broke.

    Attributes:
        letters: How many letters were begun.
        over: Whether nothing more can be said. True as well when an exception cut a letter short: the next reply would
            still be one to that letter.
        pipelining: Whether it pays to name the letter that comes next.
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

    @classmethod
    def begin(cls, server: Server, manners: Manners) -> Conversation | Receipt:
        """
        Connect, encrypt and log in, or return what it means for a letter that one of these did not come about.
        """
        client: SMTP | None = None
        host, port, name, timeout = server.host, server.port, manners.local_hostname, manners.timeout
        try:
            if server.tls is TLS.IMPLICIT:
                client = SMTP_SSL(host, port, name, timeout=timeout, context=manners.context)
            else:
                client = SMTP(host, port, name, timeout=timeout)
            assert client.sock is not None
            # What ends a letter must not wait in the system until what came before it is acknowledged.
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

    def hand_over(
        self, letter: Letter, following: Letter | None = None, *, meanwhile: Callable[[], None] = _wait
    ) -> Receipt | None:
        """
        Say one letter, and return what became of it.

        Args:
            following: The letter that is handed over next. Its envelope is said along.
            meanwhile: What to do while the server takes the letter.

        Returns:
            None if the connection broke and the server said nothing about the letter, of which it has heard the
            envelope at most: it is to be said over another connection. Never None for the first letter.
        """
        if refusal := self._unfit(letter):
            return refusal
        first = self.letters == 0
        self.letters += 1
        self.over = True
        replies: list[Reply] = []
        said = broken = False
        try:
            for reply in self._envelope_replies(letter):
                replies.append(reply)
            if len(replies) == Step.DOT and all(map(Reply.lets_go_on, replies, STEPS)):
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
        Return why the server would not take a letter, if that can be told from what it offers.
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
        Return the commands that lead up to the content, one for each step.
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
        Return what to say along so that the server has the envelope of the next letter already.
        """
        if letter is None or not self.pipelining or self._unfit(letter):
            return b""
        self._announced = letter
        return b"".join(self._envelope(letter))

    def _envelope_replies(self, letter: Letter) -> Iterator[Reply]:
        """
        Say the envelope, unless that was done, and yield the replies as far as they come.
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
            # What was said in one go is answered to the end, whatever becomes of its beginning.
            if not reply.lets_go_on(step) and not (self.pipelining and reply.refuses):
                return

    def _say(self, letter: Letter, following: Letter | None) -> None:
        """
        Say the content and the final dot.

        Raises:
            OSError: The dot cannot have been heard.
        """
        self._wire.must_be_silent()
        content = b"".join((letter.content.replace(b"\r\n.", b"\r\n.."), _DOT))
        try:
            self._wire.write(content + self._announce(following), silent_for=len(content))
        except OSError:
            # Of what follows the dot some may not have gone. The reply to the dot may be there all the same.
            if self._wire.sent < len(content):
                raise

    def _take_back(self, replies: list[Reply], following: Letter | None) -> bool:
        """
        Leave the transaction of a letter that was refused, and return whether the connection is fit for another.
        """
        content_wanted = len(replies) == Step.DOT and replies[Step.DATA].lets_go_on(Step.DATA)
        if content_wanted and replies[Step.RCPT].lets_go_on(Step.RCPT):
            # The sender was refused and everything else was not: a dot might send somebody an empty message.
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
        Take leave and close the connection.
        """
        with suppress(OSError):
            self._wire.write(b"QUIT\r\n")
            self._wire.reply()
        self.drop()

    def drop(self) -> None:
        """
        Close the connection without a word.
        """
        self._client.close()


def _is_an_answer(reply: Reply, step: Step) -> bool:
    return reply.lets_go_on(step) or reply.refuses


def _unread(client: SMTP) -> bytes:
    """
    Return what the server said and smtplib has read ahead. There should be nothing.
    """
    assert client.sock is not None
    client.sock.settimeout(0)
    try:
        return bytes(client.file.peek()) if client.file is not None else b""
    except OSError:
        return b""


def _xtext(text: str) -> str:
    """
    Write a text so that it can be an argument of a command (RFC 3461 4).
    """
    return "".join(c if "!" <= c <= "~" and c not in "+=" else f"+{ord(c):02X}" for c in text)


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
        text = error.smtp_error
        said = text if isinstance(text, str) else text.decode("utf-8", "backslashreplace")
        reply = Reply(error.smtp_code if error.smtp_code > 0 else None, said)
        return receipt(reply, Outcome.RETRY_LATER, Fault.BACKEND)
    why = error.verify_message if isinstance(error, ssl.SSLCertVerificationError) else str(error)
    return not_sent(f"no safe connection to the mail server: {why}")
