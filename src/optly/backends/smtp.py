"""
Hands email to a mail server.
"""

from __future__ import annotations

import os
import ssl
from datetime import UTC, datetime, timedelta
from threading import Lock
from weakref import WeakSet

from optly.addresses import Channel
from optly.backends._conversation import Conversation, StaleError
from optly.backends._server import TLS, Server
from optly.backends.mime import Letter, Sender, build
from optly.errors import ConfigurationError
from optly.messages import Message, Receipt

__all__ = ["TLS", "SMTPBackend"]


class SMTPBackend:
    """
    Hands email to a mail server over SMTP. Safe to share between threads, which take turns, and across a fork.

    One connection is kept open and used again; one that the server has closed in the meantime is replaced. A connection
    that breaks after the end of a message was said and before the reply came is `Outcome.IN_DOUBT`; one that breaks
    sooner is `Outcome.RETRY_LATER`. So is everything that is wrong with the connection rather than with the message: a
    certificate that is not to be trusted, a log-in that fails, a server that offers no encryption.

    Args:
        url: ``smtp://user:password@host:port`` (587 without a port) or ``smtps://…`` (465), both percent-encoded.
        sender: ``Acme <hello@acme.example.com>``.
        user, password: Take the place of those in the URL.
        tls: Without it, ``smtp://`` insists on STARTTLS, unless the server is this very machine.
        cafile: The certificate authorities to trust instead of the system's.
        ssl_context: For everything else there is to say about TLS. It is used as it is.
        timeout: How long to wait for each step, of which there are up to fifteen. For the last reply, ten times that.
            Keep the sum under a quarter of an hour: after that a worker is taken for dead.
        messages_per_connection: After so many a new connection is made.
        local_hostname: What to introduce ourselves as, instead of this machine's own name.

    Raises:
        ConfigurationError: The URL, the sender or another setting cannot work. Nothing is connected yet.
    """

    channel = Channel.EMAIL

    def __init__(
        self,
        url: str,
        *,
        sender: str,
        name: str = "smtp",
        user: str | None = None,
        password: str | None = None,
        tls: TLS | None = None,
        cafile: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
        timeout: timedelta = timedelta(seconds=30),
        messages_per_connection: int = 100,
        local_hostname: str | None = None,
    ) -> None:
        if timeout <= timedelta(0) or messages_per_connection < 1:
            raise ConfigurationError("timeout and messages_per_connection must be more than nothing")
        self.name = name
        self._server = Server.parse(url, user=user, password=password, tls=tls)
        self._sender = Sender.parse(sender)
        self._context = _context(self._server, cafile, ssl_context)
        self._timeout = timeout.total_seconds()
        self._messages_per_connection = messages_per_connection
        self._local_hostname = local_hostname
        self._lock = Lock()
        self._kept: Conversation | None = None
        _BACKENDS.add(self)

    def __repr__(self) -> str:
        return f"<SMTPBackend {self._server.host}:{self._server.port}>"

    def send(self, message: Message) -> Receipt:
        """
        Hand *message* over.

        Raises:
            UsageError: It cannot be written as an email.
        """
        letter = build(message, self._sender, at=datetime.now(UTC))
        with self._lock:
            kept, self._kept = self._kept, None
            if kept is not None:
                try:
                    return self._say(kept, letter)
                except StaleError:
                    pass
            fresh = Conversation.begin(
                self._server, context=self._context, timeout=self._timeout, local_hostname=self._local_hostname
            )
            return fresh if isinstance(fresh, Receipt) else self._say(fresh, letter)

    def _say(self, conversation: Conversation, letter: Letter) -> Receipt:
        try:
            receipt = conversation.hand_over(letter)
        finally:
            if conversation.over:
                conversation.drop()
        if conversation.over:
            return receipt
        if conversation.letters < self._messages_per_connection:
            self._kept = conversation
        else:
            conversation.end()
        return receipt

    def close(self) -> None:
        """
        Take leave of the server. A message that is sent afterwards makes a new connection.
        """
        with self._lock:
            kept, self._kept = self._kept, None
            if kept is not None:
                kept.end()

    def _after_fork(self) -> None:
        """
        Leave the connection to the parent, and a lock that another of its threads may have held.
        """
        self._lock = Lock()
        kept, self._kept = self._kept, None
        if kept is not None:
            kept.drop()


def _context(server: Server, cafile: str | None, given: ssl.SSLContext | None) -> ssl.SSLContext | None:
    if cafile is not None and given is not None:
        raise ConfigurationError("give cafile or ssl_context, not both")
    if server.tls is TLS.NONE:
        if cafile or given:
            raise ConfigurationError("cafile and ssl_context are for encrypted connections: ask for TLS.STARTTLS")
        return None
    try:
        return given or ssl.create_default_context(cafile=cafile)
    except OSError:
        raise ConfigurationError("the certificate authorities in cafile cannot be read") from None


_BACKENDS: WeakSet[SMTPBackend] = WeakSet()


def _after_fork() -> None:
    for backend in _BACKENDS:
        backend._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
