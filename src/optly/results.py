"""
The results of the manager's methods, other than decisions, standings and events.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from optly.contacts import Contact
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
    """

    recorded: int
    malformed: tuple[int, ...]


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
        contact: The contact it concerns; None if they are not on record.
    """

    effect: Effect
    event: DeliveryEvent | InboundMessage
    contact: Contact | None = None


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
        attempts: How often a worker has claimed it.
        why: The recorded reason for its state: the provider's reply, or why it was withheld. May contain an address.
    """

    message: str
    contact: Contact
    channel: str
    state: MessageState
    due_at: datetime
    attempts: int
    why: str = attrs.field(default="", repr=False)
