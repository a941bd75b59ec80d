"""
The ports: what a plug-in implements, and the values that pass through them.

A plug-in is passed in, not registered. It satisfies one of these protocols and passes the contract suite of the same
name in :mod:`optly.testing`. All datetimes are aware and in UTC. A store keeps them as whole microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Final, Protocol, runtime_checkable

import attrs

from optly.contacts.addresses import Channel, PhoneNumber
from optly.messages import DeliveryEvent, InboundMessage, Message, Receipt
from optly.protocols.http import Request, Response
from optly.record.ledger import Checkpoint, Entry, Leaf, Opening


@runtime_checkable
class MessageBackend(Protocol):
    """
    Sends messages on one channel through a provider.
    """

    @property
    def name(self) -> str:
        """
        A short name that is recorded with each message, such as ``smtp``.
        """

    @property
    def channel(self) -> Channel:
        """
        The channel this backend serves.
        """

    def send(self, message: Message) -> Receipt:
        """
        Send *message* once and return its outcome.

        A backend does not repeat an attempt that may have succeeded: that is `Outcome.IN_DOUBT`. It never raises for
        what a provider does, only :class:`~optly.errors.UsageError` for a message that cannot be sent on this channel.
        """

    def close(self) -> None:
        """
        Close connections. Harmless when repeated.
        """


class AsyncMessageBackend(Protocol):
    """
    A `MessageBackend` whose methods are awaited. `AsyncConsentManager` takes either kind.
    """

    @property
    def name(self) -> str: ...

    @property
    def channel(self) -> Channel: ...

    async def send(self, message: Message) -> Receipt: ...

    async def close(self) -> None: ...


@runtime_checkable
class BatchBackend(MessageBackend, Protocol):
    """
    A backend that sends many messages faster in one call.
    """

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Send each of *messages* once and return the outcomes in the same order.

        A message that cannot be sent on this channel is refused here rather than raised, so that the others go out.
        """


@attrs.frozen(kw_only=True)
class Webhook:
    """
    What a provider's request reports, and the response to it.

    Attributes:
        response: Sent once all `events` are recorded. If recording fails, the provider is asked to repeat the request.
    """

    response: Response
    events: tuple[DeliveryEvent | InboundMessage, ...] = ()


@runtime_checkable
class WebhookBackend(Protocol):
    """
    The half of a backend that receives its provider's requests. Mounted with the pages, at ``base_url/hooks/name``.
    """

    @property
    def name(self) -> str:
        """
        The last part of the path.
        """

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Verify that a request comes from the provider, and parse it. One that does not is refused in the response.

        Raises nothing and has no lasting effect: the caller records the events, and a repeated request gives events
        with the same names.
        """


@runtime_checkable
class TakesReplies(Protocol):
    """
    A backend that can receive replies to its messages. A reply is not offered where it could not be received.
    """

    @property
    def takes_replies(self) -> bool:
        """
        Whether replies come back through its webhook, so that a question may say "reply YES or STOP".
        """


@attrs.frozen(kw_only=True)
class Traced:
    """
    A message found at the provider.

    Attributes:
        text: Its text. Not in the repr.
        receipt: The receipt `send` would have returned for it.
    """

    text: str = attrs.field(repr=False)
    receipt: Receipt


@runtime_checkable
class TracingBackend(Protocol):
    """
    A backend that can look up messages at its provider, to settle those in doubt.
    """

    def trace(self, to: str, since: datetime) -> Sequence[Traced]:
        """
        Return every message to *to* that the provider accepted at *since* or later.

        Raises:
            RetryableError: The provider cannot be reached now, so a missing message proves nothing.
        """


class Clock(Protocol):
    """
    Returns the current time as an aware datetime.
    """

    def __call__(self) -> datetime: ...


class RegisterName(StrEnum):
    """
    A register of numbers whose holders do not want to be called or faxed.

    `FPS` is the *Fax* Preference Service. A request through the Fundraising Preference Service, which shortens its name
    to the same letters, is an objection to one charity and is recorded as one.
    """

    TPS = "tps"
    CTPS = "ctps"
    FPS = "fps"


# The listing date of a number whose register gives none: long ago, so that nobody can rely on its being recent.
UNDATED: Final = date.min


@attrs.frozen(kw_only=True)
class Listing:
    """
    What a register says about one number at one instant. Does not hold the number.

    Attributes:
        listed_on: The date the number was listed, `UNDATED` if that is not known, or None if it is not listed.
        at: The instant the answer is for. Aware.
        checked_at: When the register was checked. Aware.
        as_of: The date of the copy of the register that was used.
        version: Identifies that copy by its content.
    """

    register: RegisterName
    listed_on: date | None
    at: datetime
    checked_at: datetime
    as_of: date
    version: str


@runtime_checkable
class Register(Protocol):
    """
    A register to check before a number is called or faxed. Safe to share between threads.
    """

    @property
    def name(self) -> RegisterName:
        """
        The register this is a copy of.
        """

    def listed_on(self, number: PhoneNumber, at: datetime) -> Listing:
        """
        Return whether *number* was listed at the instant *at*, and since when. One listed later counts as not listed.

        For an instant before the copy's own date the answer has hindsight: a number removed from the register in the
        meantime counts as not listed, and `Listing.as_of` shows the date of the copy.

        Raises:
            RegisterStaleError: The copy is too old to screen with.
            RegisterUnreadableError: The copy is missing or damaged.
            NaiveDatetimeError: *at* has no time zone.
        """


# ---- rows


@attrs.frozen(kw_only=True)
class Identifier:
    """
    The contact, and the line of that contact, that an address belongs to.

    Attributes:
        idkey: The blind index of the address: a keyed hash it is looked up by, 16 bytes.
        key_version: The version of the key it was made with.
    """

    idkey: bytes = attrs.field(repr=False)
    subject: bytes
    line: int
    key_version: str


@attrs.frozen(kw_only=True)
class Suppression:
    """
    A stop that is tied to an address by its idkey alone. Survives the erasure of the contact it came from.

    Attributes:
        scope: ``channel/purpose``, with ``*`` for all of either.
        at: When the latest stop with this scope occurred.
    """

    idkey: bytes = attrs.field(repr=False)
    scope: str
    at: datetime
    key_version: str


@attrs.frozen
class Found:
    """
    The identifiers and suppressions recorded for some idkeys. An idkey that is not on record is left out.
    """

    identifiers: Mapping[bytes, Identifier]
    suppressions: Sequence[Suppression]


@attrs.frozen(kw_only=True)
class Head:
    """
    The end of a contact's chain and the read model stored with it.

    Attributes:
        version: Number of the last stored event.
        hash: Hash of the last event in the read model.
        snapshot: The read model, in a format private to Optly.
        snapshot_version: Number of the last event in the read model. Behind `version` only after tampering.
    """

    version: int
    hash: bytes = attrs.field(repr=False)
    snapshot: bytes = attrs.field(repr=False)
    snapshot_version: int


class MessageState(IntEnum):
    """
    The state of a message in the outbox. Stored as the number.
    """

    QUEUED = 0
    SENDING = 1
    ACCEPTED = 2
    REFUSED = 3
    IN_DOUBT = 4
    WITHHELD = 5


@attrs.frozen(kw_only=True)
class StoredCode:
    """
    The stored form of a random code.

    Attributes:
        key: The key the code is looked up by, 32 bytes. Never the code itself.
        subject: The contact it belongs to.
        value: What it opens, in a format private to Optly.
        expires_at: The last instant at which it can be found, or None for a code that lasts until it is revoked.
    """

    key: bytes = attrs.field(repr=False)
    subject: bytes
    value: bytes = attrs.field(repr=False)
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class OutboxMessage:
    """
    A message that waits to be sent.

    Attributes:
        message: Its id, 16 random bytes.
        channel: The channel it is sent on.
        due_at: It is not sent before this instant.
        attempts: How often it was claimed. Fences off a worker whose lease has expired.
        body: What the message is composed from. May hold personal data; emptied once the outcome is known.
    """

    subject: bytes
    message: bytes
    channel: Channel
    due_at: datetime
    attempts: int = 0
    body: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class Claim:
    """
    A request by a worker for a queued message it wants to send.

    Attributes:
        codes: Random codes the message will carry. Stored if and only if the claim succeeds, in the same transaction,
            so that no message goes out with a link that was lost in a crash.
    """

    subject: bytes
    message: bytes
    codes: Sequence[StoredCode] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Settlement:
    """
    The outcome of a message that was claimed or in doubt.

    Attributes:
        attempts: The count at which it was claimed; a message claimed again since is left alone.
        state: `MessageState.QUEUED` requeues it. `MessageState.IN_DOUBT` keeps it until more is known. Anything else
            is final and empties its body.
        due_at: When to try again; only used for a message that is requeued.
    """

    subject: bytes
    message: bytes
    attempts: int
    state: MessageState
    due_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Commit:
    """
    One change to one contact. A store writes all of it or none of it.

    Attributes:
        expected: The version the change was decided on. 0 for a new contact.
        head: Hash of the last entry.
        entries: At least one.
        snapshot: The read model after the last entry.
        openings: Personal values to store, by slot. A slot that already holds a value is a conflict.
        forget: Erase every personal value, identifier, code and outbox message of the contact before the rest of the
            change is written.
        release: Idkeys to remove from the contact. Another commit in the same call may take them.
        identifiers: Idkeys to add. One the contact already has is moved to the line given here.
        suppressions: Stops to add, by idkey and scope; where there is one already, the later instant is kept.
        wordings: Texts for the register, by digest; one that is already there is left as it is.
        queue: Messages to send. An id that the contact already has in the outbox is a conflict.
        settle: Messages whose outcome this change records.
        idem: 16 bytes that identify this commit, so that a repeat is recognised.
    """

    organisation: str
    subject: bytes
    expected: int
    head: bytes = attrs.field(repr=False)
    entries: Sequence[Entry]
    snapshot: bytes = attrs.field(repr=False)
    openings: Mapping[str, Opening] = attrs.field(factory=dict, repr=False)
    forget: bool = False
    release: Sequence[bytes] = ()
    identifiers: Sequence[Identifier] = ()
    suppressions: Sequence[Suppression] = ()
    wordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    queue: Sequence[OutboxMessage] = ()
    settle: Sequence[Settlement] = ()
    idem: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class SealedLeaf:
    """
    A contact's leaf in the log, and its position.
    """

    index: int
    leaf: Leaf


@runtime_checkable
class Storage(Protocol):
    """
    Keeps the record, the outbox and the codes. Safe to share between threads; each store documents which processes may
    share it.

    Every method may raise :class:`~optly.errors.StorageUnavailableError`. Once `append`, `enqueue` or `seal` has
    returned, what it wrote survives a crash of the process and of the machine.
    """

    def find(self, idkeys: Sequence[bytes]) -> Found:
        """
        Look up idkeys: the contacts they belong to, and the suppressions for them.
        """

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, Head]:
        """
        Return the heads of these contacts. One that is not on record is left out.
        """

    def entries(self, subject: bytes) -> Sequence[Entry]:
        """
        Return a contact's whole chain in order; empty for a contact that is not on record.

        Raises:
            DamagedError: A record cannot be read at all.
        """

    def openings(self, subjects: Sequence[bytes]) -> Mapping[bytes, Mapping[str, Opening]]:
        """
        Return every personal value still stored for these contacts, by contact and slot. A contact that has none is
        left out.
        """

    def append(self, commits: Sequence[Commit]) -> None:
        """
        Write changes to different contacts, all of them or none, in one transaction that is durable on return.

        A store that has to let another writer finish first waits a short random time before it raises `ConflictError`,
        so that callers may decide again at once.

        Raises:
            ClaimLostError: A message to settle is neither claimed nor in doubt at its count: it was requeued, or is
                gone.
            ConflictError: A contact is no longer at the expected version.
            AddressTakenError: A new idkey belongs to another contact.
        """

    def committed(self, subject: bytes, idem: bytes) -> bool:
        """
        Return whether the commit with this *idem* was written, for when a connection broke before the reply arrived.
        """

    def wordings(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """
        Return texts from the register. One that is not there is left out.
        """

    def subjects(self, organisation: str) -> Iterator[bytes]:
        """
        Yield every contact of an organisation, including erased ones, in any order.
        """

    def close(self) -> None:
        """
        Close connections and files, and release locks. Harmless when repeated.
        """

    # ---- the outbox

    def enqueue(self, organisation: str, messages: Sequence[OutboxMessage]) -> None:
        """
        Add messages to the outbox without a change to a contact, all of them or none, durable on return.

        Their subject need not be on record: any 16 bytes will do. In all else they are treated like messages queued by
        a `Commit`, and they are erased with a contact of that subject.

        Raises:
            ConflictError: The subject already has a message with this id in the outbox.
        """

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        """
        Return queued messages on one channel that are due at *now*, longest overdue first.
        """

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        """
        Return claimed messages whose lease has expired: the worker died, and nobody knows how far it got. A lease still
        holds at its last instant.
        """

    def messages(self, organisation: str, state: MessageState, limit: int) -> Sequence[OutboxMessage]:
        """
        Return messages in *state*, earliest due first. A message in a final state no longer has a body.
        """

    def claim(self, claims: Sequence[Claim], now: datetime, until: datetime) -> Sequence[OutboxMessage]:
        """
        Claim queued messages that are due, until *until*, and return those that this call claimed.

        A message is claimed by one caller only. `attempts` of what is returned counts this claim. Durable on return.
        """

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """
        Record the outcome of messages that are claimed or in doubt, without an event. One claimed again since is left
        alone.
        """

    def backlog(self, organisation: str) -> Mapping[MessageState, int]:
        """
        Return how many messages are in each state; a state without any is left out.
        """

    # ---- codes and counters

    def put_codes(self, codes: Sequence[StoredCode]) -> None:
        """
        Store codes; one that is already there is replaced. Durable on return.
        """

    def code(self, key: bytes, now: datetime) -> bytes | None:
        """
        Return the value under *key*, or None if there is none or it has expired. It is still found at `expires_at`.
        """

    def take_code(self, key: bytes, now: datetime) -> bytes | None:
        """
        Return the value under *key* and remove it. One caller gets it; any other gets None.
        """

    def revoke_codes(self, subject: bytes) -> int:
        """
        Remove every code of a contact and return how many there were.
        """

    def count(self, key: bytes, now: datetime, until: datetime, by: int = 1) -> int:
        """
        Add *by* to the count under *key* and return the new count. The count starts again once the *until* given with
        its first call has passed. Atomic: two callers at once get two different numbers.

        Args:
            key: Up to 64 bytes.
        """

    def expire(self, now: datetime) -> int:
        """
        Remove expired codes and counters, and return how many there were.
        """

    # ---- keys

    def key_versions(self, organisation: str) -> frozenset[str]:
        """
        Return the versions of the keys that this organisation's record was written with.
        """

    def add_key_version(self, organisation: str, version: str) -> None:
        """
        Record that this key is in use from now on. Harmless when repeated.
        """

    # ---- the log

    def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        """
        Return the contacts whose chain has grown since it was last sealed, each as it is now.
        """

    def seal(
        self,
        organisation: str,
        leaves: Sequence[Leaf],
        edge: Sequence[bytes],
        checkpoint: Checkpoint,
        previous_size: int,
    ) -> None:
        """
        Append *leaves* to the log at *previous_size* and store its new head.

        Args:
            edge: The right edge of the tree afterwards (see :func:`optly.record.ledger.grow`).

        Raises:
            ConflictError: The log no longer has *previous_size* leaves.
        """

    def log_head(self, organisation: str) -> tuple[Checkpoint, Sequence[bytes]] | None:
        """
        Return the latest checkpoint and the right edge of the tree, or None before the first seal.
        """

    def log_leaves(self, organisation: str, size: int) -> Sequence[Leaf]:
        """
        Return the first *size* leaves of the log in order.
        """

    def sealed(self, organisation: str, subject: bytes) -> SealedLeaf | None:
        """
        Return the latest leaf of a contact, or None if it was never sealed.
        """
