"""
What the manager's calls answer with, beside decisions, standings and events.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from optly.contacts.parties import Contact
from optly.errors import OptlyError
from optly.messages import DeliveryEvent, InboundMessage
from optly.protocols import MessageState
from optly.record.consent import Question


@attrs.frozen(kw_only=True)
class Deliveries:
    """
    What became of the messages that were due, counted.

    Attributes:
        accepted: The provider took them.
        refused: The provider refused them for good, or every attempt was used up.
        retried: They go out again later, because the provider could not take them.
        in_doubt: Nobody knows, so they are not sent again.
        withheld: The gate, asked a second time, refused them, or there was no need for them any more.
        deferred: They were put off by quiet hours or by a rate.
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
        How many are done with. The others wait again, and are not due at once.
        """
        return self.accepted + self.refused + self.in_doubt + self.withheld

    def __add__(self, other: Deliveries) -> Deliveries:
        return Deliveries(
            **{field.name: getattr(self, field.name) + getattr(other, field.name) for field in attrs.fields(Deliveries)}
        )


@attrs.frozen(kw_only=True)
class Asked:
    """
    What came of asking one contact of a list.

    Attributes:
        question: The question, or None if they were not asked.
        before: Whether it was asked in an earlier run of the same campaign.
        refusal: Why they were not asked: a `NotPermittedError` with its ``decision``, or another error.
    """

    contact: Contact
    question: Question | None = None
    before: bool = False
    refusal: OptlyError | None = None


@attrs.frozen(kw_only=True)
class Campaign:
    """
    What came of asking a list.

    Attributes:
        asked: How many were asked now.
        before: How many had been asked in an earlier run.
        refused: Everybody else, each with the reason.
    """

    asked: int
    before: int
    refused: tuple[Asked, ...]


@attrs.frozen(kw_only=True)
class Imported:
    """
    What came of a list.

    Attributes:
        recorded: How many addresses were read and are stopped now, those that were before included.
        malformed: Where in the list, counted from 1, something is no address.
    """

    recorded: int
    malformed: tuple[int, ...]


class Effect(StrEnum):
    """
    What an event led to.

    RECORDED: It is on record.
    STOPPED: It was a stop, and is on record as an objection.
    ANSWERED: It answered a question.
    HELPED: Somebody asked for help, and an answer is queued.
    KEPT: It is on record, for people to read.
    NOTED: It says nothing that has to be kept.
    REPEATED: It was received before.
    UNKNOWN: It is about nobody on record.
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
    What came of an event.

    Attributes:
        event: The event itself, whose text a host may want to show.
        contact: Whom it is about, if they are on record.
    """

    effect: Effect
    event: DeliveryEvent | InboundMessage
    contact: Contact | None = None


class Finding(StrEnum):
    """
    What turned out about a message whose outcome was in doubt.

    SENT: The provider has it, so it counts as accepted.
    NOT_SENT: The provider was asked and has no such message.
    UNKNOWN: Nobody can tell.
    """

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


@attrs.frozen(kw_only=True)
class Doubt:
    """
    A message whose outcome was in doubt.

    Attributes:
        message: Its name, 32 hexadecimal digits.
        resent: Whether it was put back into the queue.
    """

    message: str
    contact: Contact
    channel: str
    finding: Finding
    resent: bool = False


@attrs.frozen(kw_only=True)
class OutboxEntry:
    """
    A message in the outbox.

    Attributes:
        message: Its name, 32 hexadecimal digits.
        due_at: When it was, or is, to go out.
        attempts: How often it was claimed.
        why: What the record says of how it ended: a provider's reply, or why it was withheld. May hold an address.
    """

    message: str
    contact: Contact
    channel: str
    state: MessageState
    due_at: datetime
    attempts: int
    why: str = attrs.field(default="", repr=False)
