"""
The values that pass through the ports. All datetimes are aware and in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum, StrEnum
from typing import Final, TypeAlias, TypeVar

import attrs
import msgspec

from optly.contacts import Channel
from optly.messages import DeliveryEvent, InboundMessage, Receipt
from optly.protocols.http import Response
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Entry, Leaf, Opening


@attrs.frozen(kw_only=True)
class Webhook:
    """
    What a provider's request reports, and the response to it.

    Attributes:
        response: Sent once all `events` are recorded. If recording fails, the provider is asked to repeat the request.
    """

    response: Response
    events: tuple[DeliveryEvent | InboundMessage, ...] = ()


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


class _LookedUp(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    A row that every check and each row of a screened list looks up: it is made in a fourth of the time that it takes to
    make one of the others. No bytes in its repr.
    """

    def __repr__(self) -> str:
        shown = {name: getattr(self, name) for name in self.__struct_fields__}
        values = ", ".join(f"{name}={value!r}" for name, value in shown.items() if not isinstance(value, bytes))
        return f"{type(self).__name__}({values})"


class Identifier(_LookedUp, frozen=True, kw_only=True, gc=False):
    """
    One holder of an address: a contact, and the line of that contact that the address is or was.

    Attributes:
        idkey: The blind index of the address: a keyed hash it is looked up by, 16 bytes.
        key_version: The version of the key it was made with.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    idkey: bytes
    subject: bytes
    line: int
    key_version: str
    mac: bytes = b""


@attrs.frozen(kw_only=True)
class Reference:
    """
    The contact that a host names by a reference of its own.

    Attributes:
        idkey: A keyed hash of the reference, 16 bytes.
        key_version: The version of the key it was made with.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    idkey: bytes = attrs.field(repr=False)
    subject: bytes
    key_version: str
    mac: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Suppression:
    """
    A stop that is tied to an address by its idkey alone. Survives the erasure of the contact it came from.

    Attributes:
        scope: ``channel/purpose``, with ``*`` for all of either.
        at: When the latest stop with this scope occurred.
        mark: 8 random bytes that name a stop that was recorded as it was made; empty for those recorded later, of which
            there is the latest alone.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    idkey: bytes = attrs.field(repr=False)
    scope: str
    at: datetime
    key_version: str
    mark: bytes = b""
    mac: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen
class Found:
    """
    The holders and suppressions recorded for some idkeys. An idkey that is not on record is left out.

    Attributes:
        holders: By idkey, the holders of the address in the order of their subjects.
        heads: By subject, the heads of the holders, as `Storage.load` returns them.
        forged: Idkeys with a row that Optly did not write. A store returns none; what fits is told above it.
    """

    holders: Mapping[bytes, Sequence[Identifier]]
    suppressions: Sequence[Suppression]
    heads: Mapping[bytes, Head]
    forged: frozenset[bytes] = frozenset()


class Head(_LookedUp, frozen=True, kw_only=True, gc=False):
    """
    The end of a contact's chain and the read model stored with it.

    Attributes:
        organisation: Key of the organisation whose contact it is.
        version: Number of the last stored event.
        hash: Hash of the last event in the read model.
        snapshot: The read model, in a format private to Optly.
        snapshot_version: Number of the last event in the read model. Behind `version` only after tampering.
        grown: Whether the chain has grown since it was last sealed.
        named: What else in the store is the contact's, in a format private to Optly.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    organisation: str
    version: int
    hash: bytes
    snapshot: bytes
    snapshot_version: int
    grown: bool = True
    named: bytes = b""
    mac: bytes = b""


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

    @property
    def waits(self) -> bool:
        """
        Whether the outcome is not known yet, so that the body is kept.
        """
        return self in (MessageState.QUEUED, MessageState.SENDING, MessageState.IN_DOUBT)


@attrs.frozen(kw_only=True)
class StoredCode:
    """
    The stored form of a random code.

    Attributes:
        key: The key the code is looked up by, 32 bytes. Never the code itself.
        subject: The contact it belongs to.
        value: What it opens, in a format private to Optly.
        expires_at: The last instant at which it can be found, or None for a code that lasts until it is revoked.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    key: bytes = attrs.field(repr=False)
    subject: bytes
    value: bytes = attrs.field(repr=False)
    expires_at: datetime | None = None
    mac: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class OutboxMessage:
    """
    A message that waits to be sent.

    Attributes:
        message: Its id, 16 random bytes.
        channel: The channel it is sent on.
        due_at: It is not sent before this instant.
        attempts: How often it was handed to the provider.
        tries: How often it was claimed and could not be handed to the provider.
        token: The token of its latest claim; empty if it was never claimed.
        body: What the message is composed from. May hold personal data; emptied once the outcome is known.
        mac: Made by Optly over all of this that does not change while it waits, and kept as it is; empty if there is
            none.
    """

    subject: bytes
    message: bytes
    channel: Channel
    due_at: datetime
    attempts: int = 0
    tries: int = 0
    token: bytes = b""
    body: bytes = attrs.field(repr=False)
    mac: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Claim:
    """
    A request by a worker for a queued message it wants to send.

    Attributes:
        token: 16 random bytes that identify the claim. Whoever has them may settle the message, even without knowing
            whether the claim succeeded: a worker that was interrupted, say. They fence off every other worker.
        codes: Random codes the message will carry. Stored if and only if the claim succeeds, in the same transaction,
            so that no message goes out with a link that was lost in a crash.
    """

    subject: bytes
    message: bytes
    token: bytes
    codes: Sequence[StoredCode] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class Settlement:
    """
    The outcome of a message that was claimed or in doubt.

    Attributes:
        token: The token of the claim; a message claimed by another is left alone.
        attempts, tries: The counts of the message from now on.
        state: `MessageState.QUEUED` requeues it. `MessageState.IN_DOUBT` keeps it until more is known. Anything else
            is final and empties its body.
        due_at: When to try again; only used for a message that is requeued.
        ended_at: When a message with a final outcome ended, so that it is removed some time after; None for one that is
            kept.
        forget: Whether a final outcome removes the row rather than keep it, without its body.
        unused: Keys of codes that were stored with the claim and that nobody was given: they are removed, even if the
            claim was lost.
    """

    subject: bytes
    message: bytes
    token: bytes
    attempts: int
    tries: int
    state: MessageState
    due_at: datetime | None = None
    ended_at: datetime | None = None
    forget: bool = False
    unused: Sequence[bytes] = attrs.field(default=(), repr=False)


@attrs.frozen(kw_only=True)
class StoredComplaint:
    """
    The entry of one complaint in the list of an organisation.

    Attributes:
        reference: What people read out, in capital letters and digits alone; unique in the organisation.
        complaint: Its id, 16 random bytes.
        subject: The contact whose record it is in, or the record of its own if the person is not on record.
        due_at: The last instant at which to acknowledge it.
        open: Whether the person has not been informed of the outcome yet.
        reply: Where to reply, in a format private to Optly. It holds personal data, survives the erasure of the
            contact, and is emptied when the complaint is closed.
        mac: Made by Optly over all of this, and kept as it is; empty if there is none.
    """

    reference: str
    complaint: bytes
    subject: bytes
    due_at: datetime
    open: bool = True
    reply: bytes = attrs.field(default=b"", repr=False)
    mac: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Commit:
    """
    One change to one contact. A store writes all of it or none of it.

    Attributes:
        expected: The version the change was decided on. 0 for a new contact.
        head: Hash of the last entry.
        entries: At least one.
        snapshot: The read model after the last entry.
        named, mac: Those of the head from now on.
        openings: Personal values to store, by slot. A slot that already holds a value is a conflict.
        forget: Erase every personal value, identifier, reference, code and outbox message of the contact before the
            rest of the change is written.
        release: Idkeys to remove from the contact.
        identifiers: Idkeys to add. One the contact already has is moved to the line given here.
        references: References to add. One that another contact has is a conflict.
        suppressions: Stops to add, by idkey, scope and mark; where there is one already, the later of the two is kept.
        wordings: Texts for the register, by digest; one that is already there is left as it is.
        queue: Messages to send. An id that the contact already has in the outbox is a conflict.
        settle: Messages whose outcome this change records.
        complaints: Complaints to add to the list of the organisation. A reference that is taken is a conflict.
        closed: Complaints to close, as they are from now on: they stay in the list with their new MAC, and where to
            reply is erased. One whose reference is not in the list is left out.
        needed: Whether it stops or erases something, holds a complaint or what others report, or adds the contact for
            such a thing. A store that takes no more people, permissions and messages writes it all the same.
        idem: 16 bytes that identify this commit, so that a repeat is recognised; None for one that nobody repeats.
    """

    organisation: str
    subject: bytes
    expected: int
    head: bytes = attrs.field(repr=False)
    entries: Sequence[Entry]
    snapshot: bytes = attrs.field(repr=False)
    named: bytes = attrs.field(default=b"", repr=False)
    mac: bytes = attrs.field(default=b"", repr=False)
    openings: Mapping[str, Opening] = attrs.field(factory=dict, repr=False)
    forget: bool = False
    release: Sequence[bytes] = ()
    identifiers: Sequence[Identifier] = ()
    references: Sequence[Reference] = ()
    suppressions: Sequence[Suppression] = ()
    wordings: Mapping[str, bytes] = attrs.field(factory=dict, repr=False)
    queue: Sequence[OutboxMessage] = ()
    settle: Sequence[Settlement] = ()
    complaints: Sequence[StoredComplaint] = ()
    closed: Sequence[StoredComplaint] = ()
    needed: bool = False
    idem: bytes | None = attrs.field(default=None, repr=False)


# A row with a MAC, besides the heads of contacts.
Row: TypeAlias = Identifier | Reference | Suppression | StoredCode | OutboxMessage | StoredComplaint
R = TypeVar("R", bound="Row | Head")


def with_mac(row: R, mac: bytes) -> R:
    """
    Return a row with another MAC.
    """
    evolve: Callable[..., R] = msgspec.structs.replace if isinstance(row, _LookedUp) else attrs.evolve
    return evolve(row, mac=mac)


class RowKind(StrEnum):
    """
    A kind of row with a MAC that is not listed in another way.
    """

    IDENTIFIERS = "identifiers"
    REFERENCES = "references"
    SUPPRESSIONS = "suppressions"
    CODES = "codes"
    MESSAGES = "outbox"


@attrs.frozen(kw_only=True)
class Renewal:
    """
    A row that gets another MAC, if it still has the one it had.

    Attributes:
        table: Where it is: a `RowKind`, ``heads`` or ``complaints``.
        key: The parts of its primary key, texts as UTF-8.
    """

    table: str
    key: tuple[bytes, ...]
    old: bytes = attrs.field(repr=False)
    new: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class StoreSize:
    """
    How much a store holds. The pairs count what was added at or after each of two instants.

    Attributes:
        contacts, events, personal: Of one organisation: its contacts, erased ones included, and their rows.
        ended: Its messages that ended, and are still in the outbox.
        codes, suppressions, suppressed, wordings: Of the whole store, because these rows name no organisation.
        size: How many bytes the whole store takes on disk; None if it is not on disk, or does not know.
        max_size: How many it may take; None if it has no limit of its own.
    """

    contacts: int
    events: int
    personal: int
    ended: tuple[int, int]
    codes: int
    suppressions: int
    suppressed: tuple[int, int]
    wordings: int
    size: int | None = None
    max_size: int | None = None


@attrs.frozen(kw_only=True)
class LogHead:
    """
    The end of an organisation's log.

    Attributes:
        secret: 32 random bytes from the birth of the log, which open each of its entries.
    """

    checkpoint: Checkpoint
    secret: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class SealedLeaf:
    """
    A contact's leaf in the log, and its position.
    """

    index: int
    leaf: Leaf
