"""
The payload of a queued message: enough to compose the message when it is sent, and no address on record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any

import attrs
import msgspec

from optly.contacts import Channel, Contact
from optly.errors import DamagedError
from optly.links import StopReach, Undo
from optly.messages import Content
from optly.protocols import OutboxMessage
from optly.record.events import Choice, ConsentGiven, Event
from optly.record.standing import Standing


class PayloadKind(StrEnum):
    """
    What a message is.

    LINK_WANTED: Not a message yet: someone entered an address and asked for a link to be sent there.
    LINK: That link, sent if the address is on record.
    WAY_BACK: A link to the choices of someone who had stopped, because their address was entered in a form.
    STOPPED, CHANGED: A notice of a stop or a change of address, with a link that undoes it.
    COMPLAINT: The acknowledgement of a complaint.
    OUTCOME: The outcome of a complaint.
    ALERT: The notice of a complaint to the organisation itself.
    """

    REQUEST = "request"
    REMINDER = "reminder"
    RECEIPT = "receipt"
    HELP = "help"
    MARKETING = "marketing"
    CODE = "code"
    LINK_WANTED = "link_wanted"
    LINK = "link"
    WAY_BACK = "way_back"
    COPY = "copy"
    STOPPED = "stopped"
    CHANGED = "changed"
    COMPLAINT = "complaint"
    ALERT = "alert"
    OUTCOME = "outcome"

    @property
    def promotes(self) -> bool:
        """
        Whether it is marketing, which asking for consent is too.
        """
        return self in (PayloadKind.REQUEST, PayloadKind.REMINDER, PayloadKind.MARKETING)


@attrs.frozen(kw_only=True)
class Payload:
    """
    One message before it is composed.

    Attributes:
        line: Number of the contact's line it goes to; 0 for any other address.
        purpose: Key of the purpose of a marketing message, or of the one purpose a notice says is stopped.
        also_for: Keys of its further purposes.
        regulation, reason, edition: Why the gate last allowed a marketing message, and under which edition.
        trading_as: The trading name that it is written in, or empty.
        question: Id of the question a request asks or a reminder repeats.
        until: The last instant at which that question can be answered, a stop or change undone, or a complaint
            acknowledged in time.
        choices: The choices that a receipt confirms or a notice offers to undo.
        at: When those choices were made, the stop or the change was, or the complaint was received.
        content: The content of a marketing message, or the outcome of a complaint as text.
        address: The address someone entered, where no other is known.
        challenge: Name of the challenge that a one-time code answers.
        proposal: The key under which the proposed address is stored, in hexadecimal digits.
        undo: What the link in the message undoes.
        complaint: Id of the complaint it is about.
        reminder: Whether the organisation was alerted before.
        shared: Whether nobody knows which holder of the line it answers, so that its link leads to nobody's choices.
        stops: What the stop link of a marketing message is to stop.
        stopped_channel: The channel of the message whose link stopped something, in a notice; None for everything.
        left: What a notice says goes on, as choices.
        contact: The contact whose record it concerns, if it is not in their outbox: a message about a complaint is
            queued under the id of the complaint, so that it outlives the erasure of the contact.
    """

    kind: PayloadKind
    channel: Channel
    line: int
    language: str
    purpose: str = ""
    also_for: tuple[str, ...] = ()
    regulation: str = ""
    reason: str = ""
    edition: str = ""
    trading_as: str = ""
    question: str | None = None
    until: datetime | None = None
    choices: tuple[Choice, ...] = ()
    at: datetime | None = None
    content: Content | None = None
    address: str = attrs.field(default="", repr=False)
    challenge: str = ""
    proposal: str = ""
    undo: Undo | None = None
    complaint: str | None = None
    reminder: bool = False
    contact: str = ""
    stops: StopReach = StopReach.MESSAGES
    stopped_channel: Channel | None = None
    left: tuple[Choice, ...] = ()
    shared: bool = False

    @property
    def markets(self) -> Mapping[str, Any]:
        """
        The purposes that are recorded with the outcome of a marketing message. Empty for any other.
        """
        if self.kind is not PayloadKind.MARKETING:
            return {}
        return {"purpose": self.purpose, "also_for": self.also_for}

    @property
    def permission(self) -> Mapping[str, Any]:
        """
        The same, and why the gate allowed it.
        """
        if not self.markets:
            return {}
        return {**self.markets, "regulation": self.regulation, "reason": self.reason, "edition": self.edition}

    @property
    def answered(self) -> str | None:
        """
        The id of the complaint that it acknowledges or whose outcome it reports, or None.
        """
        return self.complaint if self.kind in (PayloadKind.COMPLAINT, PayloadKind.OUTCOME) else None

    @property
    def signs_link(self) -> bool:
        """
        Whether its link can be signed and not stored: that to the choices of its recipient, where there is room for it.
        """
        to_choices = self.question is None and self.undo is None and self.kind is not PayloadKind.CODE
        return to_choices and self.channel is Channel.EMAIL and self.line != 0 and self.answered is None

    @property
    def recorded(self) -> bool:
        """
        Whether its outcome is recorded as an event of the contact: if it goes to one of their lines, or answers a
        complaint.
        """
        return self.line != 0 or self.answered is not None

    def holder(self, row: OutboxMessage) -> Contact:
        """
        Return the contact whose record it concerns.

        Args:
            row: Its row of the outbox.
        """
        return Contact(self.contact or row.subject.hex())


def receipt(to: tuple[Channel, int], events: Sequence[Event], after: Standing) -> Payload | None:
    """
    Return the receipt for the valid consents among *events*; None if there are none.

    Args:
        to: The channel and line it is sent to.
    """
    given = [event for event in events if isinstance(event, ConsentGiven) and not event.defects]
    if not given:
        return None
    channel, line = to
    return Payload(
        kind=PayloadKind.RECEIPT,
        channel=channel,
        line=line,
        language=after.language,
        choices=tuple(choice for event in given for choice in event.choices),
        at=max(event.occurred_at for event in given),
    )


def encode(payload: Payload, subject: bytes, message: bytes, due_at: datetime) -> OutboxMessage:
    return OutboxMessage(
        subject=subject, message=message, channel=payload.channel, due_at=due_at, body=msgspec.json.encode(payload)
    )


def decode(message: OutboxMessage) -> Payload:
    """
    Return the payload of a row of the outbox.

    Raises:
        DamagedError: The row is damaged.
    """
    try:
        return msgspec.json.decode(message.body, type=Payload)
    except msgspec.DecodeError:
        raise DamagedError(f"message {message.message.hex()} in the outbox cannot be read") from None
