"""
The socket of a conversation with a mail server: complete replies in, bytes out, and a count of those that may have
been received.
"""

from __future__ import annotations

import re
import selectors
import socket
import ssl
import time
from typing import Final

from optly.backends._verdict import Reply

_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?", re.DOTALL)
_LONGEST_LINE: Final = 8192
_MOST_UNREAD: Final = 1 << 18
_MOST_LINES: Final = 256
_PIECE: Final = 1 << 16
_WAIT = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)


class Wire:
    """
    A connected socket. Not safe to share between threads. Every failure raises OSError.

    Args:
        timeout: Seconds within which a complete reply has to arrive, or everything written has to be sent.
        unread: Bytes that were read from the socket before and not yet used.

    Attributes:
        sent: How many bytes of the last write the system has accepted: the server cannot have received the others.
            Exact under TLS too, where a record that was not accepted completely cannot be deciphered.
    """

    def __init__(self, sock: socket.socket, *, timeout: float, unread: bytes) -> None:
        self._sock = sock
        self._timeout = timeout
        self._unread = bytearray(unread)
        self.sent = 0

    def write(self, data: bytes, *, silent_for: int = 0) -> None:
        """
        Write *data*, reading meanwhile: a server that waits for us to read may stop reading itself (RFC 2920 3.1).

        Args:
            silent_for: While fewer bytes than this have been sent, the server has nothing to reply to.

        Raises:
            OSError: The rest of *data* was not sent, or the server replied before its turn.
        """
        self.sent, until = 0, time.monotonic() + self._timeout
        view = memoryview(data)
        self._sock.settimeout(0)
        while True:
            try:
                self.sent += self._sock.send(view[self.sent :])
            except _WAIT as wait:
                self._read_what_is_there()
                if self._unread and self.sent < silent_for:
                    raise ConnectionError("the mail server spoke before its turn") from None
                wanted = selectors.EVENT_READ
                if not isinstance(wait, ssl.SSLWantReadError):
                    wanted |= selectors.EVENT_WRITE
                with selectors.DefaultSelector() as selector:
                    selector.register(self._sock, wanted)
                    if not selector.select(max(0.0, until - time.monotonic())):
                        raise TimeoutError("timed out") from None
            else:
                if self.sent == len(view):
                    return

    def must_be_silent(self) -> None:
        """
        Check that the server has sent nothing unasked: every later reply would be matched to the wrong command.

        Raises:
            OSError: It has, or the connection was closed.
        """
        self._sock.settimeout(0)
        self._read_what_is_there()
        if self._unread:
            raise ConnectionError("the mail server spoke before its turn")

    def reply(self, *, patience: int = 1) -> Reply:
        """
        Read one reply, which may have several lines and arrive in several pieces.

        Args:
            patience: How many times the timeout to wait.
        """
        until = time.monotonic() + self._timeout * patience
        lines: list[str] = []
        code = b""
        while True:
            line = self._line(until)
            found = _LINE.fullmatch(line)
            if found is None or (code and found[1] != code) or len(lines) == _MOST_LINES:
                return Reply(None, _text(line))
            code = found[1]
            lines.append(_text((found[3] or b"").strip()))
            if found[2] != b"-":
                return Reply(int(code), "\n".join(lines))

    def last_words(self) -> Reply | None:
        """
        Return the refusal that the server left behind when the connection broke, or None.
        """
        try:
            self._sock.settimeout(0)
            self._read_what_is_there()
        except OSError:
            pass
        if b"\n" not in self._unread:
            return None
        try:
            reply = self.reply(patience=0)
        except OSError:
            return None
        return reply if reply.code is not None and reply.code >= 400 else None

    def _line(self, until: float) -> bytes:
        looked = 0
        while (end := self._unread.find(b"\n", looked)) < 0:
            looked = len(self._unread)
            if looked > _LONGEST_LINE:
                break
            left = until - time.monotonic()
            if left <= 0:
                raise TimeoutError("timed out")
            self._sock.settimeout(left)
            self._unread += self._received()
        if end < 0 or end > _LONGEST_LINE:
            raise ConnectionError("a line of the reply is too long")
        line = bytes(self._unread[:end])
        del self._unread[: end + 1]
        return line.removesuffix(b"\r")

    def _read_what_is_there(self) -> None:
        try:
            while len(self._unread) <= _MOST_UNREAD:
                self._unread += self._received()
        except _WAIT:
            return
        raise ConnectionError("the mail server sent more than was expected")

    def _received(self) -> bytes:
        data = self._sock.recv(_PIECE)
        if not data:
            raise ConnectionError("the mail server closed the connection")
        return data


def _text(line: bytes) -> str:
    return line.decode("utf-8", "backslashreplace")
