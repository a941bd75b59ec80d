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
    Hands messages of one channel to a provider.
    """

    @property
    def name(self) -> str:
        """
        A short name for the record, such as ``smtp``.
        """

    @property
    def channel(self) -> Channel:
        """
        The channel this backend serves.
        """

    def send(self, message: Message) -> Receipt:
        """
        Hand *message* over, once, and say what became of it.

        A backend does not repeat an attempt that may have succeeded: that is `Outcome.IN_DOUBT`. It raises nothing
        for what a provider does, only :class:`~optly.errors.UsageError` for a message it cannot express.
        """

    def close(self) -> None:
        """
        Let go of connections. Harmless when repeated.
        """


class AsyncMessageBackend(Protocol):
    """
    The same, awaited. `AsyncConsentManager` takes either kind.
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
    A backend that is faster when it is given many messages at once.
    """

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Hand each of *messages* over, once, and say what became of each, in the same order.

        A message that cannot be expressed is refused here, so that the others go out; nothing is raised.
        """


@attrs.frozen(kw_only=True)
class Webhook:
    """
    What a provider's request says, and what it is told.

    Attributes:
        response: Sent once all `events` are recorded. If that fails, the provider is told to come again.
    """

    response: Response
    events: tuple[DeliveryEvent | InboundMessage, ...] = ()


@runtime_checkable
class WebhookBackend(Protocol):
    """
    The half of a backend that hears from its provider. Mounted with the pages, at ``base_url/hooks/name``.
    """

    @property
    def name(self) -> str:
        """
        The last part of the path.
        """

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Read a request and make sure that it comes from the provider. One that does not is refused in the response.

        Raises nothing. Has no effect that matters: what is to be done about the events is the caller's business, and a
        request that is repeated gives events of the same names.
        """


@runtime_checkable
class TakesReplies(Protocol):
    """
    A backend whose messages may be answered by a reply. What it cannot receive is never offered.
    """

    @property
    def takes_replies(self) -> bool:
        """
        Whether replies come back through its webhook, so that a question may say "reply YES or STOP".
        """


@attrs.frozen(kw_only=True)
class Traced:
    """
    A message that a provider has.

    Attributes:
        text: What it says. Not in the repr.
        receipt: What the backend would have said of it.
    """

    text: str = attrs.field(repr=False)
    receipt: Receipt


@runtime_checkable
class TracingBackend(Protocol):
    """
    A backend that can look up what its provider has, to settle what is in doubt.
    """

    def trace(self, to: str, since: datetime) -> Sequence[Traced]:
        """
        Return every message to *to* that the provider took at *since* or later.

        Raises:
            RetryableError: The provider cannot be asked now, so that nothing follows from its silence.
        """


class Clock(Protocol):
    """
    Tells the time, as an aware datetime.
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


# The listing date of a number whose register gives none: long ago, so that nobody relies on its being recent.
UNDATED: Final = date.min


@attrs.frozen(kw_only=True)
class Listing:
    """
    What a register says about one number at one instant. Does not hold the number.

    Attributes:
        listed_on: Since when the number is listed, `UNDATED` where that is not known, or None where it is not listed.
        at: The instant the answer is for. Aware.
        checked_at: When the register was asked. Aware.
        as_of: The date of the copy of the register that answered.
        version: Names that copy by its content.
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
    A register that has to be asked before a number is called or faxed. Safe to share between threads.
    """

    @property
    def name(self) -> RegisterName:
        """
        Which register this is.
        """

    def listed_on(self, number: PhoneNumber, at: datetime) -> Listing:
        """
        Tell since when *number* is listed, as far as was so at the instant *at*. A number listed later is not listed.

        For an instant before the copy's own date the answer is made with hindsight: a number that was taken off the
        register in the meantime is not listed either, and `Listing.as_of` shows it.

        Raises:
            RegisterStaleError: The copy is too old to screen with.
            RegisterUnreadableError: The copy is missing or damaged.
            NaiveDatetimeError: *at* has no time zone.
        """


# ---- rows


@attrs.frozen(kw_only=True)
class Identifier:
    """
    Which contact, and which line of theirs, an address belongs to.

    Attributes:
        idkey: The keyed name of the address, 16 bytes.
        key_version: Version of the key it was made with.
    """

    idkey: bytes = attrs.field(repr=False)
    subject: bytes
    line: int
    key_version: str


@attrs.frozen(kw_only=True)
class Suppression:
    """
    A stop that is tied to an address by its keyed name alone. Survives the contact it came from.

    Attributes:
        scope: ``channel/purpose``, with ``*`` for all of either.
        at: When the latest stop of this scope occurred.
    """

    idkey: bytes = attrs.field(repr=False)
    scope: str
    at: datetime
    key_version: str


@attrs.frozen
class Found:
    """
    What is on record under some keyed names. What is not on record is not in it.
    """

    identifiers: Mapping[bytes, Identifier]
    suppressions: Sequence[Suppression]


@attrs.frozen(kw_only=True)
class Head:
    """
    The end of a contact's chain and the read model that was stored with it.

    Attributes:
        version: Number of the last event that is there.
        hash: Hash of the event the read model goes up to.
        snapshot: The read model, in a form that is private to Optly.
        snapshot_version: The event the read model goes up to. Behind `version` only if somebody meddled.
    """

    version: int
    hash: bytes = attrs.field(repr=False)
    snapshot: bytes = attrs.field(repr=False)
    snapshot_version: int


class MessageState(IntEnum):
    """
    Where a message in the outbox stands. Stored as the number.
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
    What is kept of a random code.

    Attributes:
        key: What the code is found under, 32 bytes. Never the code itself.
        subject: The contact it belongs to.
        value: What it opens, in a form that is private to Optly.
        expires_at: The last instant at which it is there, or None for a code that is only revoked.
    """

    key: bytes = attrs.field(repr=False)
    subject: bytes
    value: bytes = attrs.field(repr=False)
    expires_at: datetime | None = None


@attrs.frozen(kw_only=True)
class OutboxMessage:
    """
    A message that waits to be handed over.

    Attributes:
        message: Its name, 16 random bytes.
        channel: What it travels by.
        due_at: Not before this instant.
        attempts: How often it was claimed. Fences out a worker whose lease ran out.
        body: What it takes to make the message. May hold personal data; emptied once the outcome is known.
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
    A queued message that a worker wants to hand over.

    Attributes:
        codes: Random codes the message will carry. Kept if and only if the claim succeeds, in the same transaction, so
            that no message leaves with a link that a crash made unknown.
    """

    subject: bytes
    message: bytes
    codes: Sequence[StoredCode] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Settlement:
    """
    What became of a claimed message, or of one that was in doubt.

    Attributes:
        attempts: The count at which it was claimed; a message claimed again since is left alone.
        state: `MessageState.QUEUED` puts it back. `MessageState.IN_DOUBT` keeps it until more is known. Anything else
            is final and empties its body.
        due_at: When to try again; only looked at for a message that is put back.
    """

    subject: bytes
    message: bytes
    attempts: int
    state: MessageState
    due_at: datetime | None = None


@attrs.frozen(kw_only=True)
class Commit:
    """
    One change to one contact. A store takes all of it or none of it.

    Attributes:
        expected: The version the change was decided on. 0 for a new contact.
        head: Hash of the last entry.
        entries: At least one.
        snapshot: The read model after the last entry.
        openings: Personal values to keep, by slot. A slot that holds a value already is a conflict.
        forget: Erase every personal value, identifier, code and outbox message of the contact before the rest of the
            change is written.
        release: Blind indexes to drop, of a contact that stays. Another commit of the same call may take them.
        identifiers: Keyed names that are new. One the contact has already stands for the line given now.
        suppressions: Stops to tie to keyed names; one that is there already keeps the later instant of the two.
        wordings: Texts for the register, by digest; one that is there already stays as it is.
        queue: Messages to hand over. A name the contact has in the outbox already is a conflict.
        settle: Messages whose outcome this change records.
        idem: 16 bytes by which a repeat of this very commit is known.
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
    Where a contact's chain stands in the log.
    """

    index: int
    leaf: Leaf


@runtime_checkable
class Storage(Protocol):
    """
    Keeps everything. Safe to share between threads; which processes may share it, each store says.

    Every method may raise :class:`~optly.errors.StorageUnavailableError`. After `append`, `enqueue` or `seal` returned,
    what they wrote survives a crash of the process and of the machine.
    """

    def find(self, idkeys: Sequence[bytes]) -> Found:
        """
        Look keyed names up: whose they are, and what is suppressed under them.
        """

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, Head]:
        """
        Return the heads of these contacts. One that is not on record is not in the result.
        """

    def entries(self, subject: bytes) -> Sequence[Entry]:
        """
        Return a contact's whole chain in order; empty for one that is not on record.

        Raises:
            DamagedError: A record cannot be read at all.
        """

    def openings(self, subjects: Sequence[bytes]) -> Mapping[bytes, Mapping[str, Opening]]:
        """
        Return every personal value of these contacts that is still there, by contact and slot. A contact that has none
        is not in the result.
        """

    def append(self, commits: Sequence[Commit]) -> None:
        """
        Write changes to different contacts, all of them or none, in one transaction that is durable on return.

        A store that has to let another writer finish first waits a short random time before it raises `ConflictError`,
        so that callers may decide again at once.

        Raises:
            ClaimLostError: A message to settle is neither claimed nor in doubt at its count: it was put back, or gone.
            ConflictError: A contact is no longer at the expected version.
            AddressTakenError: A new keyed name belongs to another contact.
        """

    def committed(self, subject: bytes, idem: bytes) -> bool:
        """
        Tell whether the commit of this name was written, for when a connection broke before the answer came.
        """

    def wordings(self, digests: Sequence[str]) -> Mapping[str, bytes]:
        """
        Return texts from the register. One that is not there is not in the result.
        """

    def subjects(self, organisation: str) -> Iterator[bytes]:
        """
        Yield every contact of an organisation, the erased ones included, in any order.
        """

    def close(self) -> None:
        """
        Let go of connections, files and locks. Harmless when repeated.
        """

    # ---- the outbox

    def enqueue(self, organisation: str, messages: Sequence[OutboxMessage]) -> None:
        """
        Put messages into the outbox that go with no change to a contact, all of them or none, durable on return.

        What they are about need not be on record: any 16 bytes name it. Everything else treats them as it does those of
        a `Commit`; the erasure of a contact of that name takes them along.

        Raises:
            ConflictError: A message of this name, of its subject, is in the outbox already.
        """

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        """
        Return queued messages of one channel that are due, those due longest first.
        """

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        """
        Return claimed messages whose lease has run out: the worker died, and nobody knows how far it came. At its last
        instant a lease still holds.
        """

    def messages(self, organisation: str, state: MessageState, limit: int) -> Sequence[OutboxMessage]:
        """
        Return messages that stand in *state*, those due longest ago first. What is final has no body any more.
        """

    def claim(self, claims: Sequence[Claim], now: datetime, until: datetime) -> Sequence[OutboxMessage]:
        """
        Take queued messages that are due, until *until*, and return those this call got.

        Of several that try for a message, one gets it. What is returned has this claim counted in `attempts`. Durable
        on return.
        """

    def settle(self, settlements: Sequence[Settlement]) -> None:
        """
        Write down what became of messages that are claimed or in doubt, when no event goes with it. One claimed again
        since is left alone.
        """

    def backlog(self, organisation: str) -> Mapping[MessageState, int]:
        """
        Return how many messages stand in each state; a state without any is left out.
        """

    # ---- codes and counters

    def put_codes(self, codes: Sequence[StoredCode]) -> None:
        """
        Keep codes; of one that is there already the latest counts. Durable on return.
        """

    def code(self, key: bytes, now: datetime) -> bytes | None:
        """
        Return the value under *key*, unless it expired. At `expires_at` itself it is still there.
        """

    def take_code(self, key: bytes, now: datetime) -> bytes | None:
        """
        Return the value under *key* and remove it. Of several that try, one gets it and the others get None.
        """

    def revoke_codes(self, subject: bytes) -> int:
        """
        Remove every code of a contact and return how many there were.
        """

    def count(self, key: bytes, now: datetime, until: datetime, by: int = 1) -> int:
        """
        Count one more, or *by* more, under *key* and return how many that makes. The count starts again once *until*,
        as given with the first, has passed. Atomic: of two that count at once, one gets the higher number.

        Args:
            key: Up to 64 bytes.
        """

    def expire(self, now: datetime) -> int:
        """
        Remove codes and counters whose time has passed and return how many there were.
        """

    # ---- keys

    def key_versions(self, organisation: str) -> frozenset[str]:
        """
        Return the versions of the keys this organisation's record was written with.
        """

    def add_key_version(self, organisation: str, version: str) -> None:
        """
        Remember that the record is written with this key from now on. Harmless when repeated.
        """

    # ---- the log

    def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        """
        Return contacts whose chain grew since it was last sealed, each as it stands now.
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
        Append *leaves* to the log from *previous_size* on and keep its new head.

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
