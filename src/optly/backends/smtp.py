"""
Sends email through a mail server.
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
from optly.backends.mime import NO_HEADERS, Letter, Sender, build, with_stop_address
from optly.contacts import Channel, EmailAddress
from optly.errors import AddressError, ConfigurationError, UsageError
from optly.messages import PROMPTLY, BatchInterrupted, Fault, Message, Outcome, Receipt

__all__ = ["TLS", "ReturnPath", "SMTPBackend", "Signer", "StopAddress"]

_log = logging.getLogger("optly")

# A connection takes six round trips to make, a message one: fewer messages than this are not worth another connection.
_WORTH_A_CONNECTION = 8
# Seconds for one email on one connection. A server that takes less is so near that more connections gain nothing.
_NEAR = 0.003
# The last field identifies the sender, in 5 to 15 characters: https://support.google.com/mail/answer/6254652
_FEEDBACK_ID = re.compile(r"(?:[!-9;-~]{0,64}:){1,3}[!-9;-~]{5,15}", re.ASCII)
# Without the reply to that other message, which may contain someone else's address.
_NOT_BEGUN = not_sent("the mail server could not be used for another message in the same batch")
_TOO_LATE = not_sent("other messages of the batch took too long", fault=None)
_INTERRUPTED = not_sent("interrupted", fault=None)
_IN_DOUBT = Receipt(outcome=Outcome.IN_DOUBT, reply="interrupted before the reply")


class Signer(Protocol):
    """
    Signs an email, such as :class:`optly.backends.dkim.Signer`. Called from several threads at once.
    """

    def sign(self, content: bytes) -> bytes:
        """
        Return *content* with a signature at the top. Every line ends in CR LF.
        """


@runtime_checkable
class ReturnPath(Protocol):
    """
    Makes an address for the bounces of each message, such as :class:`optly.backends.verp.ReturnPath`.
    """

    def address_for(self, contact: str, message: str) -> str:
        """
        Return the address for the message with this id to the contact with this id.
        """


@runtime_checkable
class StopAddress(Protocol):
    """
    Makes an address for the stops of each message as well, as :class:`optly.backends.verp.ReturnPath` does.
    """

    def stop_address_for(self, contact: str, message: str) -> str:
        """
        Return the address to which a mail stops messages to this contact.
        """


class SMTPBackend:
    """
    Sends email through a mail server over SMTP. Safe to share between threads, and across a fork.

    Connections are kept open and reused; one that the server has closed in the meantime is replaced. A message whose
    connection breaks after its end was sent and before the reply arrived is `Outcome.IN_DOUBT`; if it breaks sooner, it
    is `Outcome.RETRY_LATER`. So is any problem with the connection or with us rather than with the message: an
    untrusted certificate, a log-in that fails, a sender that is not allowed, a server that offers no encryption.

    Args:
        url: ``smtp://user:password@host:port`` (587 without a port) or ``smtps://…`` (465), both percent-encoded.
        sender: ``Acme <hello@acme.example.com>``.
        user, password: Replace those in the URL.
        tls: By default ``smtp://`` requires STARTTLS, unless the server is this machine.
        cafile: The certificate authorities to trust instead of the system's.
        ssl_context: For all other TLS settings. It is used as it is.
        timeout: How long to wait for each step, of which there are up to fifteen. For the last reply, ten times that.
            Keep the sum under a quarter of an hour: after that a worker counts as dead.
        connections: The maximum number at a time, over all threads. A server that is near is given one, because there
            it is the server and not the round trip that takes the time.
        pipelining: Whether to send commands without waiting for each reply, if the server offers it. Turn it off for a
            server whose pipelining does not work.
        messages_per_connection: After this many messages a new connection is made.
        local_hostname: The name to give in EHLO, instead of this machine's own name.
        return_path: Where bounces go, instead of to the sender: an address, or an object that makes one per message. If
            it is a `StopAddress` too, List-Unsubscribe has an address of its own, and what is sent there is a stop.
        signer: Signs each email. Most mail servers do it themselves.
        dsn: Whether to request delivery status notifications, to the return path, for messages that are delayed or fail
            later. Servers that offer this (RFC 3461) then identify the message.
        dsn_success: Whether to request them for delivered messages too.
        feedback_id: A Feedback-ID such as ``offers:acmeltd`` for the reports of mailbox providers, added to every
            message that has none.

    Raises:
        ConfigurationError: The URL, the sender or another setting is invalid. No connection is made yet.
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
            raise ConfigurationError("timeout, connections and messages_per_connection must be more than zero")
        if dsn_success and not dsn:
            raise ConfigurationError("dsn_success needs dsn")
        if feedback_id is not None and not _FEEDBACK_ID.fullmatch(feedback_id):
            raise ConfigurationError("a feedback_id is two to four names, such as offers:acmeltd, the last of 5 to 15")
        self.name = name
        self._server = Server.parse(url, user=user, password=password, tls=tls)
        self._sender = Sender.parse(sender)
        self._return_path = _address(return_path) if isinstance(return_path, str) else return_path
        path: object = self._return_path
        self._stops = path if isinstance(path, StopAddress) else None  # asked here, because it takes long
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
        Makes the address for the bounces of each message; None if all messages share one.
        """
        return self._return_path if isinstance(self._return_path, ReturnPath) else None

    def send(self, message: Message) -> Receipt:
        """
        Send *message* once and return its outcome.

        Raises:
            UsageError: It cannot be written as an email.
        """
        try:
            (receipt,) = self._hand_over([message], iter([self._write(message)]))
        except BatchInterrupted as interrupted:
            raise interrupted.why from None
        return receipt

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Send each of *messages*, over as many connections as are free, and return the outcomes in the same order.

        Once the mail server fails for a reason that lies with no message, no further message is begun: the rest is
        `Outcome.RETRY_LATER`. Nor is one begun that has waited for longer than `PROMPTLY`.

        Raises:
            BatchInterrupted: It was interrupted. Emails under way on other connections are finished first.
        """
        return self._hand_over(messages, map(self._write_or_refuse, messages))

    def close(self) -> None:
        """
        Close the connections. A later message opens a new one.
        """
        while (kept := self._take_kept()) is not None:
            kept.end()

    def _write_or_refuse(self, message: Message) -> Letter | Receipt:
        try:
            return self._write(message)
        except UsageError as error:
            return not_sent(str(error), Outcome.REFUSED, Fault.MESSAGE)

    def _write(self, message: Message) -> Letter | Receipt:
        """
        Return the email, or the receipt of a message that cannot be written with these settings.
        """
        path = self._return_path
        try:
            if self._stops is not None and message.contact:
                message = with_stop_address(message, self._stops.stop_address_for(message.contact, message.id))
            if path is not None and not isinstance(path, EmailAddress):
                path = EmailAddress.recognise(path.address_for(message.contact, message.id))
        except Exception as error:  # A host's code may raise anything, and its message may contain an address.
            if isinstance(error, UsageError) and not isinstance(error, AddressError):
                raise
            return not_sent(f"the return path cannot be made: {type(error).__name__}")
        letter = build(message, self._sender, at=datetime.now(UTC), return_path=path, headers=self._headers)
        try:
            return letter if self._signer is None else letter.with_content(self._signer.sign(letter.content))
        except Exception as error:  # the same
            return not_sent(f"the message cannot be signed: {type(error).__name__}")

    def _hand_over(self, messages: Sequence[Message], letters: Iterator[Letter | Receipt]) -> Sequence[Receipt]:
        batch = _Batch(len(messages), letters)
        helpers = 0 if self._near else min(self._connections, len(messages) // _WORTH_A_CONNECTION) - 1
        began = time.monotonic()
        slots = self._slots
        with slots, ThreadPoolExecutor(self._connections, "optly-smtp") as pool:
            helping: list[Future[None]] = []
            # Only the slots that no other thread is using.
            while len(helping) < helpers and slots.acquire(blocking=False):
                try:
                    helping.append(pool.submit(self._help, batch, slots))
                except RuntimeError:  # No more threads can be started: continue without them.
                    slots.release()
                    break
            try:
                self._work(batch)
                wait(helping)
                # A thread that was refused a connection may have given an email back after all others had finished.
                if batch.waits and self._kept:
                    self._work(batch)
            except BaseException as why:
                batch.stop()
                wait(helping)
                batch.give_back(why=_INTERRUPTED)
                raise BatchInterrupted(batch.receipts(), why) from None
        for helper in helping:
            helper.result()
        receipts = batch.receipts()
        # Messages that were not accepted were fast for another reason.
        taken = sum(receipt.outcome is Outcome.ACCEPTED for receipt in receipts)
        if taken:
            self._near = (time.monotonic() - began) * (1 + len(helping)) < _NEAR * taken
        self._log_problems(messages, receipts)
        return receipts

    def _help(self, batch: _Batch, slots: BoundedSemaphore) -> None:
        try:
            self._work(batch)
        finally:
            slots.release()

    def _work(self, batch: _Batch) -> None:
        """
        Send one email after the other, over one connection at a time, while that connection works.

        A connection without a reply about an email may have gone stale, or reached the server's limit: the email is
        sent over another one. If a new connection cannot be made either, the rest is left to other threads, because a
        server may allow fewer connections than we do.
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
                    if not batch.goes_on:  # It took long to connect. The connection is kept, and the next part uses it.
                        batch.give_back(this, following)
                        break
                if following is None and conversation.pipelining and conversation.letters + 1 < self._letters:
                    following = batch.take()
                try:
                    receipt = conversation.hand_over(
                        this.letter, None if following is None else following.letter, meanwhile=batch.prepare
                    )
                except BaseException:
                    if conversation.said:
                        batch.settle(this, _IN_DOUBT)
                    raise
                if receipt is not None:
                    batch.settle(this, receipt)
                    failed = receipt.fault is Fault.BACKEND
                    if failed and conversation.over:
                        batch.give_back(following)
                        return
                    if failed:
                        batch.stop()
                    if following is not None and not batch.goes_on:
                        # Its envelope may have been sent ahead, so this connection is for it or for nothing.
                        batch.give_back(following)
                        return
                    this, following = following or batch.take(), None
                if conversation.over:
                    conversation.drop()
                    conversation = None
                elif conversation.letters >= self._letters:
                    conversation.end()
                    conversation = None
            if conversation is not None:
                with self._lock:
                    self._kept.append(conversation)
                conversation = None
        finally:
            if conversation is not None:
                conversation.drop()

    def _take_kept(self) -> Conversation | None:
        with self._lock:
            return self._kept.pop() if self._kept else None

    def _log_problems(self, messages: Sequence[Message], receipts: Sequence[Receipt]) -> None:
        """
        Log what an operator has to correct. The server's text may contain an address and stays in the receipts.
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
        Leave the connections to the parent, and the lock too, which one of its other threads may have held.
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
    Emails that are sent together by several threads, and their outcomes.
    """

    def __init__(self, size: int, letters: Iterator[Letter | Receipt]) -> None:
        self._letters = enumerate(letters)
        self._ready: deque[_Job] = deque()
        self._receipts: list[Receipt | None] = [None] * size
        self._lock = Lock()
        self._until = time.monotonic() + PROMPTLY.total_seconds()
        self._written = self._stopped = False
        self._why = _NOT_BEGUN

    @property
    def goes_on(self) -> bool:
        return not self._stopped and time.monotonic() < self._until

    @property
    def waits(self) -> bool:
        """
        Whether an email that was given back can still be begun.
        """
        return bool(self._ready) and self.goes_on

    def take(self) -> _Job | None:
        with self._lock:
            if self._ready and self.goes_on:
                return self._ready.popleft()
            return self._write_next()

    def prepare(self) -> None:
        """
        Write the next email ahead of time.
        """
        with self._lock:
            job = self._write_next()
            if job is not None:
                self._ready.append(job)

    def _write_next(self) -> _Job | None:
        while self.goes_on:
            index, letter = next(self._letters, (0, None))
            if not self._written:
                # One that takes long to write would otherwise never be begun.
                self._until, self._written = time.monotonic() + PROMPTLY.total_seconds(), True
            if isinstance(letter, Letter):
                return _Job(index, letter)
            if letter is None:
                return None
            self._receipts[index] = letter
            self._stopped |= letter.fault is Fault.BACKEND
        return None

    def settle(self, job: _Job, receipt: Receipt) -> None:
        self._receipts[job.index] = receipt

    def give_back(self, *jobs: _Job | None, why: Receipt = _NOT_BEGUN) -> None:
        """
        Leave emails that were not begun to other threads. If none sends them, *why* is their outcome.
        """
        with self._lock:
            self._ready += [job for job in jobs if job is not None]
            self._why = why

    def stop(self) -> None:
        self._stopped = True

    def receipts(self) -> Sequence[Receipt]:
        """
        Return the outcome of each email. One that was not begun may be tried again later.
        """
        # A connection that was refused while another worked is no reason.
        failed = self._stopped or any(receipt and receipt.fault is Fault.BACKEND for receipt in self._receipts)
        slow = time.monotonic() >= self._until and not failed and (self._why is _NOT_BEGUN or any(self._receipts))
        return [receipt or (_TOO_LATE if slow else self._why) for receipt in self._receipts]


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
