"""
Hands email to a mail server.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime, timedelta
from threading import BoundedSemaphore, Lock
from types import MappingProxyType
from typing import Protocol, runtime_checkable
from weakref import WeakSet

import attrs

from optly.backends._conversation import Conversation, Manners
from optly.backends._server import TLS, Server
from optly.backends._verdict import not_sent
from optly.backends.mime import NO_HEADERS, Letter, Sender, build
from optly.contacts.addresses import Channel, EmailAddress
from optly.errors import AddressError, ConfigurationError, UsageError
from optly.messages import Fault, Message, Outcome, Receipt

__all__ = ["TLS", "ReturnPath", "SMTPBackend", "Signer"]

_log = logging.getLogger("optly")

# What a worker hands over at once is taken for lost after a quarter of an hour. Nothing is begun so late that a server
# that is slow at every step could take that long.
_BEGIN_WITHIN = 240.0
# A connection takes six round trips to make, a message one: fewer messages than this are not worth another connection.
_WORTH_A_CONNECTION = 8
# Seconds for one letter on one connection. A server that takes less is so near that further connections only cost.
_NEAR = 0.003
# The last field names the sender, in 5 to 15 characters: https://support.google.com/mail/answer/6254652
_FEEDBACK_ID = re.compile(r"(?:[!-9;-~]{0,64}:){1,3}[!-9;-~]{5,15}", re.ASCII)
# Not the reply to that other message: it may hold the address of somebody else.
_NOT_BEGUN = not_sent("another message of the same batch met with a mail server that cannot be used")


class Signer(Protocol):
    """
    Signs an email, such as :class:`optly.backends.dkim.Signer`. Called from several threads at once.
    """

    def sign(self, content: bytes) -> bytes:
        """
        Return *content* with a signature in front. Every line ends in CR LF.
        """


@runtime_checkable
class ReturnPath(Protocol):
    """
    Makes an address for each message that its bounces go to, such as :class:`optly.backends.verp.ReturnPath`.
    """

    def address_for(self, contact: str, message: str) -> str:
        """
        Return the address for the message of this id to the contact of this id.
        """


class SMTPBackend:
    """
    Hands email to a mail server over SMTP. Safe to share between threads, and across a fork.

    Connections are kept open and used again; one that the server has closed in the meantime is replaced. A connection
    that breaks after the end of a message was said and before the reply came is `Outcome.IN_DOUBT`; one that breaks
    sooner is `Outcome.RETRY_LATER`. So is everything that is wrong with the connection or with us rather than with the
    message: a certificate that is not to be trusted, a log-in that fails, a sender that is not allowed, a server that
    offers no encryption.

    Args:
        url: ``smtp://user:password@host:port`` (587 without a port) or ``smtps://…`` (465), both percent-encoded.
        sender: ``Acme <hello@acme.example.com>``.
        user, password: Take the place of those in the URL.
        tls: Without it, ``smtp://`` insists on STARTTLS, unless the server is this very machine.
        cafile: The certificate authorities to trust instead of the system's.
        ssl_context: For everything else there is to say about TLS. It is used as it is.
        timeout: How long to wait for each step, of which there are up to fifteen. For the last reply, ten times that.
            Keep the sum under a quarter of an hour: after that a worker is taken for dead.
        connections: At most so many at a time, over all threads. A server that is near is given one, because there it
            is the machine and not the way to it that takes the time.
        pipelining: Whether to say one thing after the other without waiting for each reply, where the server offers it.
            Turn it off for a server that offers what it cannot do.
        messages_per_connection: After so many a new connection is made.
        local_hostname: What to introduce ourselves as, instead of this machine's own name.
        return_path: Where bounces go, instead of to the sender: an address, or what makes one for each message.
        signer: Signs each email. Most mail servers do it themselves.
        dsn: Whether to ask for a delivery status notification, to the return path, about what is delayed or fails
            later. Servers that offer it (RFC 3461) then say which message is meant.
        dsn_success: Whether to ask for one about what is delivered as well.
        feedback_id: A Feedback-ID such as ``offers:acmeltd`` for the reports of mailbox providers, put into every
            message that has none.

    Raises:
        ConfigurationError: The URL, the sender or another setting cannot work. Nothing is connected yet.
    """

    channel = Channel.EMAIL
    _near: bool

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
        connections: int = 4,
        pipelining: bool = True,
        messages_per_connection: int = 100,
        local_hostname: str | None = None,
        return_path: ReturnPath | str | None = None,
        signer: Signer | None = None,
        dsn: bool = False,
        dsn_success: bool = False,
        feedback_id: str | None = None,
    ) -> None:
        if timeout <= timedelta(0) or messages_per_connection < 1 or connections < 1:
            raise ConfigurationError("timeout, connections and messages_per_connection must be more than nothing")
        if dsn_success and not dsn:
            raise ConfigurationError("dsn_success goes with dsn")
        if feedback_id is not None and not _FEEDBACK_ID.fullmatch(feedback_id):
            raise ConfigurationError("a feedback_id is two to four names, such as offers:acmeltd, the last of 5 to 15")
        self.name = name
        self._server = Server.parse(url, user=user, password=password, tls=tls)
        self._sender = Sender.parse(sender)
        self._return_path = _address(return_path) if isinstance(return_path, str) else return_path
        self._signer = signer
        self._headers = NO_HEADERS if feedback_id is None else MappingProxyType({"Feedback-ID": feedback_id})
        self._manners = Manners(
            context=_context(self._server, cafile, ssl_context),
            timeout=timeout.total_seconds(),
            local_hostname=local_hostname,
            pipelining=pipelining,
            notify=("SUCCESS,FAILURE,DELAY" if dsn_success else "FAILURE,DELAY") if dsn else None,
        )
        self._connections = connections
        self._letters = messages_per_connection
        self._forget_connections()
        _BACKENDS.add(self)

    def __repr__(self) -> str:
        return f"<SMTPBackend {self._server.host}:{self._server.port}>"

    @property
    def return_path(self) -> ReturnPath | None:
        """
        What makes the address that the bounces of a message go to, if each message has one of its own.
        """
        return self._return_path if isinstance(self._return_path, ReturnPath) else None

    def send(self, message: Message) -> Receipt:
        """
        Hand *message* over.

        Raises:
            UsageError: It cannot be written as an email.
        """
        (receipt,) = self._hand_over([message], iter([self._write(message)]))
        return receipt

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Hand all of *messages* over, by as many connections as are free, and return what became of each, in order.

        Once the mail server fails for a reason that is no message's, or takes minutes, no further message is begun:
        the rest is `Outcome.RETRY_LATER`.
        """
        return self._hand_over(messages, map(self._write_or_refuse, messages))

    def close(self) -> None:
        """
        Take leave of the server. A message that is sent afterwards makes a new connection.
        """
        while (kept := self._take_kept()) is not None:
            kept.end()

    # ---- writing

    def _write_or_refuse(self, message: Message) -> Letter | Receipt:
        try:
            return self._write(message)
        except UsageError as error:
            return not_sent(str(error), Outcome.REFUSED, Fault.MESSAGE)

    def _write(self, message: Message) -> Letter | Receipt:
        """
        Return the email, or what it means for the message that the settings do not let it be written.
        """
        path = self._return_path
        try:
            if path is not None and not isinstance(path, EmailAddress):
                path = EmailAddress.parse(path.address_for(message.contact, message.id))
        except Exception as error:  # Somebody else's code, and whatever it raises may hold an address.
            if isinstance(error, UsageError) and not isinstance(error, AddressError):
                raise
            return not_sent(f"the return path cannot be made: {type(error).__name__}")
        letter = build(message, self._sender, at=datetime.now(UTC), return_path=path, headers=self._headers)
        try:
            return letter if self._signer is None else letter.with_content(self._signer.sign(letter.content))
        except Exception as error:  # The same.
            return not_sent(f"the message cannot be signed: {type(error).__name__}")

    # ---- handing over

    def _hand_over(self, messages: Sequence[Message], letters: Iterator[Letter | Receipt]) -> Sequence[Receipt]:
        batch = _Batch(len(messages), letters)
        helpers = 0 if self._near else min(self._connections, len(messages) // _WORTH_A_CONNECTION) - 1
        began = time.monotonic()
        slots = self._slots
        with slots, ThreadPoolExecutor(self._connections, "optly-smtp") as pool:
            helping: list[Future[None]] = []
            # Of the other slots those that no other thread is using.
            while len(helping) < helpers and slots.acquire(blocking=False):
                try:
                    helping.append(pool.submit(self._help, batch, slots))
                except RuntimeError:  # No more threads can be started: it goes on without them.
                    slots.release()
                    break
            try:
                self._work(batch)
                wait(helping)
                # Who was refused a connection may have given a letter back when everybody else was done already.
                if batch.waits and self._kept:
                    self._work(batch)
            except BaseException:
                batch.stop()
                raise
        for helper in helping:
            helper.result()
        receipts = batch.receipts()
        # What was not taken was quick for another reason.
        taken = sum(receipt.outcome is Outcome.ACCEPTED for receipt in receipts)
        if taken:
            self._near = (time.monotonic() - began) * (1 + len(helping)) < _NEAR * taken
        self._tell_operator(messages, receipts)
        return receipts

    def _help(self, batch: _Batch, slots: BoundedSemaphore) -> None:
        try:
            self._work(batch)
        finally:
            slots.release()

    def _work(self, batch: _Batch) -> None:
        """
        Hand over one letter after the other, over one connection at a time, while that one works.

        A connection on which nothing was said about a letter may have gone stale, or have had enough letters: the
        letter goes over another one. Where a new connection does not do either, somebody else may have more luck with
        the rest: a server may allow fewer connections than we do.
        """
        conversation: Conversation | None = None
        this, following = batch.take(), None
        try:
            while this is not None:
                conversation = conversation or self._take_kept()
                if conversation is None:
                    begun = Conversation.begin(self._server, self._manners) if batch.goes_on else _NOT_BEGUN
                    if isinstance(begun, Receipt):
                        batch.give_back(this, following, why=begun)
                        return
                    conversation = begun
                if following is None and conversation.pipelining and conversation.letters + 1 < self._letters:
                    following = batch.take()
                receipt = conversation.hand_over(
                    this.letter, None if following is None else following.letter, meanwhile=batch.prepare
                )
                if receipt is not None:
                    batch.settle(this, receipt)
                    failed = receipt.fault is Fault.BACKEND
                    if failed and conversation.over:
                        batch.give_back(following)
                        return
                    if failed:
                        batch.stop()
                    this, following = following or batch.take(), None
                if conversation.over:
                    conversation.drop()
                    conversation = None
                elif conversation.letters >= self._letters:
                    conversation.end()
                    conversation = None
            if conversation is not None:
                self._keep(conversation)
                conversation = None
        finally:
            if conversation is not None:
                conversation.drop()

    def _keep(self, conversation: Conversation) -> None:
        with self._lock:
            self._kept.append(conversation)

    def _take_kept(self) -> Conversation | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _tell_operator(self, messages: Sequence[Message], receipts: Sequence[Receipt]) -> None:
        """
        Log what somebody has to put right. What the server says may hold an address and stays in the receipts.
        """
        for message, receipt in zip(messages, receipts, strict=True):
            if receipt.outcome is Outcome.REFUSED and receipt.status.startswith("5.7."):
                facts = {"backend": self.name, "message_id": message.id, "status": receipt.status}
                _log.warning("a mail server refused a message as a matter of policy", extra=facts)
        if unusable := next((receipt for receipt in receipts if receipt.fault is Fault.BACKEND), None):
            reply = {"backend": self.name, "code": unusable.code, "status": unusable.status}
            _log.warning("a mail server cannot be used", extra=reply)

    def _after_fork(self) -> None:
        """
        Leave the connections to the parent, and a lock that another of its threads may have held.
        """
        kept = self._kept
        self._forget_connections()
        for conversation in kept:
            conversation.drop()

    def _forget_connections(self) -> None:
        self._lock = Lock()
        self._slots = BoundedSemaphore(self._connections)
        self._kept: list[Conversation] = []
        self._near = False


@attrs.frozen
class _Job:
    index: int
    letter: Letter


class _Batch:
    """
    Letters that are handed over together by several threads, and what became of each.
    """

    def __init__(self, size: int, letters: Iterator[Letter | Receipt]) -> None:
        self._letters = enumerate(letters)
        self._ready: deque[_Job] = deque()
        self._receipts: list[Receipt | None] = [None] * size
        self._lock = Lock()
        self._until = time.monotonic() + _BEGIN_WITHIN
        self._stopped = False
        self._why = _NOT_BEGUN

    @property
    def goes_on(self) -> bool:
        """
        Whether anything more is to be begun.
        """
        return not self._stopped and time.monotonic() < self._until

    @property
    def waits(self) -> bool:
        """
        Whether a letter that was given back can still be begun.
        """
        return bool(self._ready) and self.goes_on

    def take(self) -> _Job | None:
        """
        Return a letter that is to be begun, or None.
        """
        with self._lock:
            if self._ready and self.goes_on:
                return self._ready.popleft()
            return self._write_next()

    def prepare(self) -> None:
        """
        Write a letter that somebody will take.
        """
        with self._lock:
            job = self._write_next()
            if job is not None:
                self._ready.append(job)

    def _write_next(self) -> _Job | None:
        while self.goes_on:
            index, letter = next(self._letters, (0, None))
            if isinstance(letter, Letter):
                return _Job(index, letter)
            if letter is None:
                return None
            self._receipts[index] = letter
            self._stopped |= letter.fault is Fault.BACKEND
        return None

    def settle(self, job: _Job, receipt: Receipt) -> None:
        """
        Put down what became of a letter.
        """
        self._receipts[job.index] = receipt

    def give_back(self, *jobs: _Job | None, why: Receipt = _NOT_BEGUN) -> None:
        """
        Leave letters that were not begun to others. If there is nobody, *why* is what becomes of them.
        """
        with self._lock:
            self._ready += [job for job in jobs if job is not None]
            self._why = why

    def stop(self) -> None:
        """
        Begin nothing more.
        """
        self._stopped = True

    def receipts(self) -> Sequence[Receipt]:
        """
        Return what became of each letter. What was not begun may be tried again later.
        """
        return [receipt or self._why for receipt in self._receipts]


def _address(text: str) -> EmailAddress:
    try:
        return EmailAddress.parse(text)
    except AddressError as error:
        raise ConfigurationError(f"the return path is {error}") from None


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
