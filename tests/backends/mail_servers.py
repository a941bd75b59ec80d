"""
Mail servers to test against: a real one, and one that misbehaves as told.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any

import attrs
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from processes import answers, free_port, wait_for
from services import missing

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
    def contents(self) -> list[bytes]:
        """
        The messages themselves.
        """
        return [envelope.original_content or b"" for envelope in self.envelopes]

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
def mail_server(inbox: Inbox, *, implicit: ssl.SSLContext | None = None, **settings: Any) -> Iterator[str]:
    """
    Run the real server and yield its host and port.
    """
    controller = Mail(inbox, hostname="127.0.0.1", port=0, ssl_context=implicit, **settings)
    # Port 0 is the system's choice, which aiosmtpd neither asks for nor tells.
    controller.port = free_port()
    controller.start()
    try:
        yield f"127.0.0.1:{controller.port}"
    finally:
        controller.stop(no_assert=True)


Script = Callable[["Line"], None]


class Line:
    """
    The server's end of one connection, for scripts that misbehave.

    Attributes:
        hears, says: After so many bytes more the connection is cut; None for never.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._reader = sock.makefile("rb")
        self.hears: int | None = None
        self.says: int | None = None

    def say(self, text: str) -> None:
        """
        Write a line, or as much of it as may be said.
        """
        data = text.encode() + b"\r\n"
        may = data[: self.says]
        self._sock.sendall(may)
        if self.says is not None:
            self.says -= len(may)
        if len(may) < len(data):
            raise ConnectionError

    def hear_line(self) -> bytes:
        """
        Read a line, or raise ConnectionError.
        """
        line = self._reader.readline(-1 if self.hears is None else self.hears)
        if self.hears is not None:
            self.hears -= len(line)
        if not line.endswith(b"\n"):
            raise ConnectionError
        return line

    def hear(self, verb: str) -> str:
        """
        Read a line that begins with *verb*, or raise ConnectionError.
        """
        line = self.hear_line().decode()
        if not line.upper().startswith(verb.upper()):
            raise ConnectionError(line)
        return line

    def hear_content(self) -> bytes:
        """
        Read up to the final dot, and return what came before it as it came.
        """
        lines = []
        while (line := self.hear_line()) != b".\r\n":
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
        with suppress(OSError):
            self._reader.close()
        self._sock.close()


def greet(line: Line, *extensions: str) -> None:
    """
    Say what a server says before the first message.
    """
    line.say("220 ready")
    line.hear("EHLO")
    # The first line is the server's name, whatever it looks like.
    *first, last = "hello", *extensions
    line.say("".join(f"250-{text}\r\n" for text in first) + f"250 {last}")


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


@attrs.define
class Listener:
    """
    A script that takes one message after the other, by the book, over as many connections as are made.

    Attributes:
        extensions: What it says that it can.
        refusals: What it says at a step instead, by the step and the local part of the recipient: ``rcpt bob``.
        data_anyway: What it says to content for nobody. None: it does not ask for any.
        hears, says: After how many bytes the first connection is cut, counted from the end of the greeting.
        heard: The recipients of messages whose final dot was heard, and the content.
        taken: The recipients of messages for which was said, to the end, that they are taken.
    """

    extensions: Sequence[str] = ("PIPELINING",)
    refusals: Mapping[str, str] = attrs.field(factory=dict)
    data_anyway: str | None = None
    hears: int | None = None
    says: int | None = None
    heard: list[tuple[str, bytes]] = attrs.field(factory=list)
    taken: list[str] = attrs.field(factory=list)

    def __call__(self, line: Line) -> None:
        greet(line, *self.extensions)
        line.hears, self.hears = self.hears, None
        line.says, self.says = self.says, None
        sender, recipient, name = False, "", ""
        while True:
            command = line.hear_line().decode()
            verb = command[:4].lower().strip()
            if verb == "rcpt":
                name = command.partition("<")[2].partition("@")[0]
            refusal = self.refusals.get(f"{verb} {name}") if verb in ("rcpt", "data") else None
            if verb == "mail":
                sender, recipient, name = True, "", ""
                line.say("250 2.1.0 ok")
            elif verb == "rset":
                sender, recipient = False, ""
                line.say("250 2.0.0 ok")
            elif verb == "quit":
                line.say("221 bye")
                return
            elif refusal is not None:
                line.say(refusal)
            elif verb == "rcpt":
                assert sender
                recipient = command.partition("<")[2].partition(">")[0]
                line.say("250 2.1.5 ok")
            elif recipient:
                line.say("354 go on")
                content = line.hear_content()
                self.heard.append((recipient, content))
                answer = self.refusals.get(f"dot {name}", f"250 2.0.0 Ok: queued as {len(self.heard)}")
                line.say(answer)
                if answer.startswith("2"):
                    self.taken.append(recipient)
                sender, recipient = False, ""
            elif self.data_anyway is None:
                line.say("503 5.5.1 no recipients")
            else:
                line.say("354 go on")
                assert line.hear_content() == b""
                line.say(self.data_anyway)


class ScriptedServer:
    """
    Plays one script for each connection, in turn; the last one again and again.
    """

    def __init__(self, *scripts: Script, context: ssl.SSLContext | None = None) -> None:
        self._context = context
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
            # What is said line by line is not to wait until the line before is acknowledged.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is not None:
                sock = self._context.wrap_socket(sock, server_side=True)
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


_POSTFIX = Path(__file__).parents[2] / ".peers" / "postfix" / "usr"


@contextmanager
def smtp_sink(directory: Path, *flags: str) -> Iterator[str]:
    """
    Run Postfix's smtp-sink, which takes mail as fast as it comes, and yield its host and port.

    It keeps each mail in a file of its own in *directory*.
    """
    program = _POSTFIX / "sbin" / "smtp-sink"
    if not program.exists():
        missing("smtp-sink", "run tests/peers/install")
    port = free_port()
    environment = os.environ | {"LD_LIBRARY_PATH": str(_POSTFIX / "lib" / "postfix")}
    # Root has to say whom the sink is to run as; nobody cannot write to a directory of pytest's.
    user = ("-u", "root") if os.geteuid() == 0 else ()
    command = [program, *user, "-d", f"{directory}/mail.", *flags, f"127.0.0.1:{port}", "64"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as sink:
        try:
            wait_for(partial(answers, port, sink))
            yield f"127.0.0.1:{port}"
        finally:
            sink.terminate()
