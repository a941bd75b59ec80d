# Made from awaited.py by tools/unawait.py: change that file and run the tool, not this one.

"""
The ports that do I/O, in their blocking form.

A plug-in is passed in, not registered. It satisfies one of these protocols and passes the contract suite of the same
name in :mod:`optly.testing`. All datetimes are aware and in UTC. A store keeps them as whole microseconds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Protocol, runtime_checkable

from optly.contacts import Channel, PhoneNumber
from optly.messages import Message, Receipt
from optly.protocols import values
from optly.record.ledger import Entry, Leaf, Opening
from optly.record.merkle import Place, Tile


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


@runtime_checkable
class BatchBackend(MessageBackend, Protocol):
    """
    A backend that sends many messages faster in one call.
    """

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Send each of *messages* once and return the outcomes in the same order.

        A message that cannot be sent on this channel is refused here rather than raised, so that the others go out.

        Raises:
            BatchInterrupted: It was interrupted, by Ctrl-C or a time limit, and knows what it has done. If it raises
                anything else, all of *messages* are in doubt.
        """


@runtime_checkable
class TracingBackend(Protocol):
    """
    A backend that can look up messages at its provider, to settle those in doubt.
    """

    def trace(self, to: str, since: datetime) -> Sequence[values.Traced]:
        """
        Return every message to *to* that the provider accepted at *since* or later.

        Raises:
            RetryableError: The provider cannot be reached now, so a missing message proves nothing.
        """


@runtime_checkable
class Register(Protocol):
    """
    A register to check before a number is called or faxed. Safe to share between threads.
    """

    @property
    def name(self) -> values.RegisterName:
        """
        The register this is a copy of.
        """

    def listed_on(self, number: PhoneNumber, at: datetime) -> values.Listing:
        """
        Return whether *number* was listed at the instant *at*, and since when. One listed later counts as not listed.

        For an instant before the copy's own date the answer has hindsight: a number removed from the register in the
        meantime counts as not listed, and `Listing.as_of` shows the date of the copy.

        Raises:
            RegisterStaleError: The copy is too old to screen with.
            RegisterUnreadableError: The copy is missing or damaged.
            NaiveDatetimeError: *at* has no time zone.
        """


@runtime_checkable
class Anchor(Protocol):
    """
    A place outside the store that keeps signed heads of one organisation's log. Safe to share between threads.

    A method raises OSError or :class:`~optly.errors.RetryableError` if the place cannot be reached now.
    """

    @property
    def name(self) -> str:
        """
        A short name for logs, such as ``file``.
        """

    def publish(self, note: str) -> None:
        """
        Keep a checkpoint, durably on return. A repeat is harmless.
        """

    def latest(self) -> str | None:
        """
        Return the checkpoint that was published last, or None if there is none.
        """

    def close(self) -> None:
        """
        Close connections. Harmless when repeated.
        """


@runtime_checkable
class Storage(Protocol):
    """
    Keeps the record, the outbox and the codes. Safe to share between threads; each store documents which processes may
    share it.

    Every method may raise :class:`~optly.errors.StorageUnavailableError`. Once `append`, `enqueue` or `seal` has
    returned, what it wrote survives a crash of the process and of the machine.
    """

    def find(self, idkeys: Sequence[bytes], stops: Sequence[bytes] = ()) -> values.Found:
        """
        Look up idkeys: the contacts that hold or held them, with their heads, and the suppressions for them.

        Args:
            stops: Further idkeys under which there can be suppressions alone, such as those of domains. Holders are not
                looked up by them.

        Where an erasure comes between, what it left is found: a suppression, or a head that says so.
        """

    def referred(self, idkeys: Sequence[bytes]) -> Mapping[bytes, values.Reference]:
        """
        Look up references by their idkeys. An unknown one is left out.
        """

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, values.Head]:
        """
        Return the heads of these contacts. One that is not on record is left out.
        """

    def entries(self, subject: bytes) -> Sequence[Entry]:
        """
        Return a contact's whole chain in order; empty for a contact that is not on record.

        Raises:
            DamagedError: A record cannot be read at all.
        """

    def chains(self, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[Entry]]:
        """
        Return the whole chains of these contacts, each in order. A contact that has no events is left out.

        Raises:
            DamagedError: A record of one of them cannot be read at all.
        """

    def openings(
        self, subjects: Sequence[bytes], slots: Sequence[str] | None = None
    ) -> Mapping[bytes, Mapping[str, Opening]]:
        """
        Return the personal values still stored for these contacts, by contact and slot. A contact that has none is left
        out.

        Args:
            slots: Those to read of each contact, at the same cost however many others it has; None for every one.
        """

    def append(self, commits: Sequence[values.Commit]) -> None:
        """
        Write changes to different contacts, all of them or none, in one transaction that is durable on return.

        A store that has to let another writer finish first waits a short random time before it raises `ConflictError`,
        so that callers may decide again at once.

        Raises:
            ClaimLostError: A message to settle is neither claimed nor in doubt under its token: it was requeued, or is
                gone.
            ConflictError: A contact is no longer at the expected version.
            ReferenceTakenError: A new reference belongs to another contact.
        """

    def committed(self, subject: bytes, idem: bytes) -> bool:
        """
        Return whether the commit with this *idem* was written, so that what is received again has no further effect.
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

    def enqueue(self, organisation: str, messages: Sequence[values.OutboxMessage]) -> None:
        """
        Add messages to the outbox without a change to a contact, all of them or none, durable on return.

        Their subject need not be on record: any 16 bytes will do. In all else they are treated like messages queued by
        a `Commit`, and they are erased with a contact of that subject.

        Raises:
            ConflictError: The subject already has a message with this id in the outbox.
        """

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[values.OutboxMessage]:
        """
        Return queued messages on one channel that are due at *now*, longest overdue first.
        """

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[values.OutboxMessage]:
        """
        Return claimed messages whose lease has expired: the worker died, and nobody knows how far it got. A lease still
        holds at its last instant.
        """

    def messages(self, organisation: str, state: values.MessageState, limit: int) -> Sequence[values.OutboxMessage]:
        """
        Return messages in *state*, earliest due first. A message in a final state no longer has a body.
        """

    def waiting(self, subject: bytes) -> Sequence[values.OutboxMessage]:
        """
        Return the messages of one subject whose outcome is not final, in any order.
        """

    def claim(self, claims: Sequence[values.Claim], now: datetime, until: datetime) -> Sequence[values.OutboxMessage]:
        """
        Claim queued messages that are due, until *until*, and return those that this call claimed.

        A message is claimed by one caller only. What is returned has the token of its claim. Durable on return.
        """

    def settle(self, settlements: Sequence[values.Settlement]) -> None:
        """
        Record the outcome of messages that are claimed or in doubt, without an event. One that is not, or is under
        another token, is left alone.
        """

    def backlog(self, organisation: str) -> Mapping[values.MessageState, int]:
        """
        Return how many messages are in each state; a state without any is left out.
        """

    def remove_ended(self, organisation: str, before: datetime, limit: int) -> int:
        """
        Remove up to *limit* messages that ended before an instant, those that ended first first, and return how many
        were removed: fewer than *limit* once there are no more. Nobody else waits for longer than that takes.

        A message whose outcome is not final, or that was settled without an `ended_at`, stays. Its id may be used again
        once a message is removed.
        """

    def measure(self, organisation: str, since: tuple[datetime, datetime]) -> values.StoreSize:
        """
        Return how much the store holds, counted by the store itself. Others may write meanwhile.
        """

    # ---- complaints

    def complaint(self, organisation: str, reference: str) -> values.StoredComplaint | None:
        """
        Return the complaint of an organisation with this reference, or None.
        """

    def complaints(
        self, organisation: str, open: bool | None, after: values.StoredComplaint | None, limit: int
    ) -> Sequence[values.StoredComplaint]:
        """
        Return complaints of an organisation, those due first and then by reference, so that a caller can read all of
        them part by part.

        Args:
            open: Only those that are open, or only those that are closed; None for both.
            after: The last one of the part before; None for the first part.
        """

    # ---- codes and counters

    def put_codes(self, codes: Sequence[values.StoredCode]) -> None:
        """
        Store codes; one that is already there is replaced. Durable on return.
        """

    def code(self, key: bytes, now: datetime) -> values.StoredCode | None:
        """
        Return the code under *key*, or None if there is none or it has expired. It is still found at `expires_at`.
        """

    def take_code(self, key: bytes, now: datetime) -> values.StoredCode | None:
        """
        Return the code under *key* and remove it. One caller gets it; any other gets None.
        """

    def revoke_codes(self, subject: bytes) -> int:
        """
        Remove every code of a contact and return how many there were.
        """

    def count(self, key: bytes, now: datetime, until: datetime, by: int = 1, *, most: int | None = None) -> int:
        """
        Add *by* to the count under *key* and return the new count. The count starts again once the *until* given with
        its first call has passed. Atomic: two callers at once get two different numbers.

        Args:
            key: Up to 64 bytes.
            most: From this count on nothing is written, and a number above it is returned: what goes on beyond a limit
                must not fill the store. With 0, nothing is counted. None for no limit. Of callers at once, no more
                count than one after another.
        """

    def expire(self, now: datetime, limit: int) -> int:
        """
        Remove up to *limit* expired codes and as many counters, and return how many were removed: fewer than *limit*
        once there are no more. Nobody else waits for longer than that takes.
        """

    # ---- keys

    def key_versions(self, organisation: str) -> frozenset[str]:
        """
        Return the versions of the keys that this organisation's record was written with.
        """

    def add_key_version(self, organisation: str, version: str, marks: Sequence[values.Suppression] = ()) -> None:
        """
        Record that this key is in use from now on. Harmless when repeated.

        Args:
            marks: Suppressions to add with it, all or none. `find` returns them like any others.
        """

    def rows(self, kind: values.RowKind) -> Iterator[values.Row]:
        """
        Yield every row of a kind, of every organisation, in any order; of messages those that have a body.
        """

    def renew(self, renewals: Sequence[values.Renewal]) -> int:
        """
        Exchange the MACs of rows, and nothing else of them, and return how many still had the one given. Durable on
        return.
        """

    # ---- the log

    def unsealed(self, organisation: str, limit: int) -> Sequence[Leaf]:
        """
        Return the contacts whose chain has grown since it was last sealed, each as it is now.
        """

    def seal(
        self,
        organisation: str,
        head: values.LogHead,
        leaves: Sequence[Leaf],
        tiles: Sequence[Tile],
        previous_size: int,
    ) -> None:
        """
        Append *leaves* to the log at *previous_size* and store its new head, all or nothing.

        Args:
            head: With the origin and the secret of the head before, if there was one.
            tiles: Those that are new or have grown (see :func:`optly.record.merkle.grow`).

        Raises:
            ConflictError: The log no longer has *previous_size* leaves.
        """

    def log_head(self, organisation: str) -> values.LogHead | None:
        """
        Return the end of the log, or None before the first seal.
        """

    def tiles(self, organisation: str, places: Sequence[Place]) -> Sequence[Tile]:
        """
        Return those of the tiles at *places* that there are, in any order. Some may have grown since a head was read.
        """

    def log_leaves(self, organisation: str, start: int, limit: int) -> Sequence[values.SealedLeaf]:
        """
        Return at most *limit* leaves of the log in order, from position *start* on.
        """

    def sealed(self, organisation: str, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[values.SealedLeaf]]:
        """
        Return every leaf of these contacts, by contact and in order. A contact that has none is left out.
        """
