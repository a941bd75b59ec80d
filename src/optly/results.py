"""
The results of the manager's methods, other than decisions, standings and events.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

import attrs

from optly.contacts import Address, Contact
from optly.errors import OptlyError
from optly.messages import DeliveryEvent, InboundMessage
from optly.protocols import MessageState
from optly.record.standing import Question


@attrs.frozen(kw_only=True)
class Deliveries:
    """
    The outcomes of the messages that were due, counted.

    Attributes:
        accepted: Accepted by the provider.
        refused: Refused by the provider for good, or given up after the last attempt.
        retried: To be sent again later, because the provider could not take them.
        in_doubt: Possibly sent, so not sent again.
        withheld: Refused by the second gate, or no longer needed.
        deferred: Put off by quiet hours or a rate.
    """

    accepted: int = 0
    refused: int = 0
    retried: int = 0
    in_doubt: int = 0
    withheld: int = 0
    deferred: int = 0

    @property
    def total(self) -> int:
        return self.finished + self.retried + self.deferred

    @property
    def finished(self) -> int:
        """
        How many will not be tried again. The others are queued for later.
        """
        return self.accepted + self.refused + self.in_doubt + self.withheld

    def __add__(self, other: Deliveries) -> Deliveries:
        return Deliveries(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in attrs.fields(Deliveries)}
        )


@attrs.frozen(kw_only=True)
class Recent:
    """
    How many were added lately.

    Attributes:
        day: In the 24 hours before.
        month: In the 30 days before, that day included.
    """

    day: int
    month: int


@attrs.frozen(kw_only=True)
class Stats:
    """
    How much the record holds. An event carries its time in bytes that no database reads, so how many events were added
    is not known: compare two of these.

    Attributes:
        at: When it was counted.
        contacts: Of the organisation, erased ones included, and so are those that hold a domain's objection or the
            complaint of someone who is not on record.
        personal_values: What would be erased with the contacts.
        messages: The messages in the outbox by state; a state without any is left out.
        ended: Those that ended lately. One that was removed since no longer counts.
        log_entries: How many entries the sealed log has.
        store: The rest of the store, whose rows do not name an organisation.
    """

    at: datetime
    contacts: int
    events: int
    personal_values: int
    messages: Mapping[MessageState, int]
    ended: Recent
    log_entries: int
    store: StoreStats


@attrs.frozen(kw_only=True)
class StoreStats:
    """
    How much the store holds for every organisation in it.

    Attributes:
        codes: What links and sessions open, and what answers are matched by.
        suppressions: Stops tied to addresses, and the marks of keys in use.
        suppressed: Those that were made lately.
        wordings: Texts of questions.
        size: How many bytes it takes on disk; None if it is not on disk, or does not know. A server may estimate.
        max_size: How many it may take; None if it has no limit of its own.
    """

    codes: int
    suppressions: int
    suppressed: Recent
    wordings: int
    size: int | None
    max_size: int | None = None


@attrs.frozen(kw_only=True)
class Renewed:
    """
    What became of the rows whose MACs were renewed.

    Attributes:
        renewed: How many were signed with the current key now.
        forged: How many were left as they are, because they were not written with any of the keys.
    """

    renewed: int
    forged: int


@attrs.frozen(kw_only=True)
class KnownKey:
    """
    One of the keys of a manager, without its secret.

    Attributes:
        version: Eight hexadecimal digits that identify it.
        current: Whether this manager makes new links and look-ups with it.
        used: Whether some manager has used it for this record. One that is neither used nor current is to come.
        public_key: Its Ed25519 key, which evidence and checkpoints are verified with.
    """

    version: str
    current: bool
    used: bool
    public_key: bytes


@attrs.frozen(kw_only=True)
class LogFile:
    """
    One file of the published log.

    Attributes:
        path: Its path, with slashes, below the address of the log.
        size: How many leaves the log has that is published.
        done: How many leaves are in the files up to this one.
    """

    path: str
    data: bytes = attrs.field(repr=False)
    size: int
    done: int


@attrs.frozen(kw_only=True)
class Asked:
    """
    The result of asking one contact of a list.

    Attributes:
        question: The question; None if they were not asked.
        before: Whether it was asked in an earlier run of the same campaign.
        refusal: Why they were not asked: a `NotPermittedError` with its ``decision``, or another error. None if they
            were.
    """

    contact: Contact
    question: Question | None = None
    before: bool = False
    refusal: OptlyError | None = None


@attrs.frozen(kw_only=True)
class Campaign:
    """
    The result of asking a list.

    Attributes:
        asked: How many were asked in this run.
        before: How many had been asked in an earlier run.
        refused: Everyone else, each with the reason.
    """

    asked: int
    before: int
    refused: tuple[Asked, ...]


@attrs.frozen(kw_only=True)
class Imported:
    """
    The result of importing a list.

    Attributes:
        recorded: How many addresses are now stopped, including those that were stopped before.
        malformed: Positions in the list, counted from 1, of entries that are not addresses.
        damaged: Positions of those whose record cannot be read. Their objections are not recorded.
    """

    recorded: int
    malformed: tuple[int, ...]
    damaged: tuple[int, ...] = ()


class Effect(StrEnum):
    """
    What a received event led to.

    RECORDED: It was recorded.
    STOPPED: It was a stop, and was recorded as an objection.
    ANSWERED: It answered a question.
    HELPED: It asked for help, and a reply is queued.
    KEPT: It was recorded for people to read.
    NOTED: It has nothing that needs to be recorded.
    REPEATED: It was received before.
    UNKNOWN: It concerns no contact on record.
    """

    RECORDED = "recorded"
    STOPPED = "stopped"
    ANSWERED = "answered"
    HELPED = "helped"
    KEPT = "kept"
    NOTED = "noted"
    REPEATED = "repeated"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Received:
    """
    The result of receiving an event.

    Attributes:
        event: The event itself, whose text the host may want to show.
        contacts: The contacts in whose records it is: several if nobody knows which holder of a line wrote it. Empty if
            nobody is on record for it.
    """

    effect: Effect
    event: DeliveryEvent | InboundMessage
    contacts: tuple[Contact, ...] = ()

    @property
    def contact(self) -> Contact | None:
        """
        The contact it concerns; None if that is nobody on record, or one of several.
        """
        return self.contacts[0] if len(self.contacts) == 1 else None


class ComplaintState(StrEnum):
    """
    How far a complaint has come.

    RECEIVED: It is not acknowledged yet.
    ACKNOWLEDGED: The person knows that it was received, and not yet the outcome.
    SENDING: The outcome is queued, being sent, or in doubt.
    RESOLVED: The person was informed of the outcome.
    """

    RECEIVED = "received"
    ACKNOWLEDGED = "acknowledged"
    SENDING = "sending"
    RESOLVED = "resolved"


@attrs.frozen(kw_only=True)
class RecordedComplaint:
    """
    A complaint about how someone's data are used. All times are aware and in UTC.

    Attributes:
        id: Random id, 32 hexadecimal digits.
        reference: What people read out, such as ``CMP-7K4D-2M``.
        contact: Whose record it is in; for someone who is not on record, a record of the complaint alone. History,
            evidence and erasure work with either.
        on_record: Whether it was made by a contact.
        at: When it was received.
        acknowledge_by: The last instant at which to acknowledge it: the end of the thirtieth day in the United Kingdom,
            counted from the day on which it was received.
        decided_at: When the outcome was last queued to be sent.
        resolved_at: When the person was informed of the outcome.
        sending: Whether a message with the outcome is queued, being sent or in doubt.
        text: The complaint in the person's own words. Like the next four, it is left out of lists.
        how: In which way it was made; empty for one made through the pages.
        name: The name of a person who is not on record.
        reply_to: Where to reply. Erased when the complaint is resolved.
        outcome: The outcome that was recorded or sent.
    """

    id: str
    reference: str
    contact: Contact
    on_record: bool
    at: datetime
    acknowledge_by: datetime
    acknowledged_at: datetime | None = None
    decided_at: datetime | None = None
    resolved_at: datetime | None = None
    sending: bool = False
    text: str = attrs.field(default="", repr=False)
    how: str = attrs.field(default="", repr=False)
    name: str = attrs.field(default="", repr=False)
    reply_to: Address | None = attrs.field(default=None, repr=False)
    outcome: str = attrs.field(default="", repr=False)

    @property
    def state(self) -> ComplaintState:
        """
        How far it has come.
        """
        if self.resolved_at is not None:
            return ComplaintState.RESOLVED
        if self.sending:
            return ComplaintState.SENDING
        return ComplaintState.RECEIVED if self.acknowledged_at is None else ComplaintState.ACKNOWLEDGED

    def is_overdue(self, now: datetime) -> bool:
        """
        Whether the time to acknowledge it has passed without an acknowledgement. The last instant is in time.
        """
        return self.acknowledged_at is None and now > self.acknowledge_by


class DoubtFinding(StrEnum):
    """
    What was found out about a message in doubt.

    SENT: The provider has it, so it counts as accepted.
    NOT_SENT: The provider was asked and does not have it.
    UNKNOWN: Nothing could be found out.
    """

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


# The earlier name, which two other classes of Optly have as well.
Finding = DoubtFinding


@attrs.frozen(kw_only=True)
class Doubt:
    """
    A message whose outcome was in doubt.

    Attributes:
        message: Its id, 32 hexadecimal digits.
        resent: Whether it was queued again.
    """

    message: str
    contact: Contact
    channel: str
    finding: DoubtFinding
    resent: bool = False


@attrs.frozen(kw_only=True)
class OutboxEntry:
    """
    A message in the outbox.

    Attributes:
        message: Its id, 32 hexadecimal digits.
        due_at: When it was, or is, due to be sent.
        attempts: How often it was handed to the provider.
        why: The recorded reason for its state: the provider's reply, or why it was withheld. May contain an address.
    """

    message: str
    contact: Contact
    channel: str
    state: MessageState
    due_at: datetime
    attempts: int
    why: str = attrs.field(default="", repr=False)
