"""
Mail servers to test against: a real one, and one that misbehaves as told.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Thread

import attrs
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

SENDER = "Acme <hello@acme.example.com>"


@attrs.frozen
class Authority:
    """
    A certificate authority for the tests.
    """

    ca: trustme.CA
    file: str

    def server(self, host: str) -> ssl.SSLContext:
        """
        Return what a server called *host* shows of itself.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self.ca.issue_cert(host).configure_cert(context)
        return context


class Inbox:
    """
    Takes everything, and keeps it as it came. Can be told to answer a step otherwise.
    """

    def __init__(self, **answers: str) -> None:
        self.answers = answers
        self.envelopes: list[Envelope] = []
        self.sessions: list[Session] = []

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.answers.get("mail", "250 OK")

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address.partition("@")[0], self.answers.get("rcpt", "250 OK"))
        if answer.startswith("2"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.envelopes.append(envelope)
        self.sessions.append(session)
        return self.answers.get("dot", f"250 2.0.0 Ok: queued as {len(self.envelopes)}")

    @property
    def connections(self) -> int:
        """
        Over how many connections the messages came.
        """
        return len({session.peer for session in self.sessions})


class Answering(SMTP):
    """
    A server whose answer to the command DATA can be told, too.
    """

    async def smtp_DATA(self, arg: str) -> None:
        answer = self.event_handler.answers.get("data")
        if answer is None:
            await super().smtp_DATA(arg)
        else:
            await self.push(answer)


class Mail(Controller):
    """
    The real server, on a free port of this machine.
    """

    def factory(self) -> SMTP:
        return Answering(self.handler, **self.SMTP_kwargs)


def let_in(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object) -> AuthResult:
    """
    Let ``optly`` in with the password ``s3cret:/@``.
    """
    assert isinstance(data, LoginPassword)
    # Not handled means that the server is to say what became of it.
    return AuthResult(success=(data.login, data.password) == (b"optly", b"s3cret:/@"), handled=False)


@contextmanager
def mail_server(inbox: Inbox, *, implicit: ssl.SSLContext | None = None, **settings: object) -> Iterator[str]:
    """
    Run the real server and yield its host and port.
    """
    controller = Mail(inbox, hostname="127.0.0.1", port=0, ssl_context=implicit, **settings)
    # Port 0 is the system's choice, which aiosmtpd neither asks for nor tells.
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        controller.port = probe.getsockname()[1]
    controller.start()
    try:
        yield f"127.0.0.1:{controller.port}"
    finally:
        controller.stop(no_assert=True)


Script = Callable[["Line"], None]


class Line:
    """
    The server's end of one connection, for scripts that misbehave.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = sock.makefile("rb")

    def say(self, text: str) -> None:
        """
        Write a line.
        """
        self._sock.sendall(text.encode() + b"\r\n")

    def hear(self, verb: str) -> str:
        """
        Read a line that begins with *verb*, or raise ConnectionError.
        """
        line = self._reader.readline().decode()
        if not line.upper().startswith(verb.upper()):
            raise ConnectionError(line)
        return line

    def hear_content(self) -> bytes:
        """
        Read up to the final dot, and return what came before it as it came.
        """
        lines = []
        while (line := self._reader.readline()) != b".\r\n":
            if not line:
                raise ConnectionError
            lines.append(line)
        return b"".join(lines)

    def hang(self) -> None:
        """
        Say nothing until the other end gives up.
        """
        while self._reader.readline():
            pass

    def close(self) -> None:
        """
        Close the connection.
        """
        self._reader.close()
        self._sock.close()


def greet(line: Line) -> None:
    """
    Say what a server says before the first message.
    """
    line.say("220 ready")
    line.hear("EHLO")
    line.say("250 hello")


def take(line: Line, last: str = "250 2.0.0 taken", before_last: Callable[[], None] = lambda: None) -> bytes:
    """
    Take a message, and answer its end with *last*, after doing what is to be done before.
    """
    for verb, answer in [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")]:
        line.hear(verb)
        line.say(answer)
    content = line.hear_content()
    before_last()
    line.say(last)
    return content


class ScriptedServer:
    """
    Plays one script for each connection, in turn; the last one again and again.
    """

    def __init__(self, *scripts: Script) -> None:
        self._scripts: Sequence[Script] = scripts
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.connections = 0
        self._threads: list[Thread] = []
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> ScriptedServer:
        self._listen = Thread(target=self._accept)
        self._listen.start()
        return self

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            script = self._scripts[min(self.connections, len(self._scripts) - 1)]
            self.connections += 1
            thread = Thread(target=self._play, args=(script, Line(sock)))
            self._threads.append(thread)
            thread.start()

    def _play(self, script: Script, line: Line) -> None:
        try:
            script(line)
        except OSError:
            pass
        finally:
            line.close()

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in (self._listen, *self._threads):
            thread.join(10)
