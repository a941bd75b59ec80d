"""
What waits in the outbox: enough to make the message when it is handed over, and no address.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs
import msgspec

from optly.contacts.addresses import Channel
from optly.errors import DamagedError
from optly.links import Undo
from optly.messages import Content
from optly.protocols import OutboxMessage
from optly.record.events import Choice


class PayloadKind(StrEnum):
    """
    What a message is.

    LINK_WANTED: Not a message yet: somebody typed an address in, to be sent a link there.
    LINK: The link that they are sent if it is on record.
    STOPPED, CHANGED: What was done, with a link that undoes it.
    COMPLAINT, ALERT: A complaint's receipt acknowledged, and the organisation itself told of it.
    """

    REQUEST = "request"
    REMINDER = "reminder"
    RECEIPT = "receipt"
    HELP = "help"
    MARKETING = "marketing"
    CODE = "code"
    LINK_WANTED = "link_wanted"
    LINK = "link"
    COPY = "copy"
    STOPPED = "stopped"
    CHANGED = "changed"
    COMPLAINT = "complaint"
    ALERT = "alert"

    @property
    def promotes(self) -> bool:
        """
        Whether it is marketing, which asking for consent is too.
        """
        return self in (PayloadKind.REQUEST, PayloadKind.REMINDER, PayloadKind.MARKETING)


@attrs.frozen(kw_only=True)
class Payload:
    """
    One message before it is made.

    Attributes:
        line: Number of the line it goes to; 0 for an address that is on nobody's record.
        purpose: Key of the purpose of a marketing message.
        question: Name of the question a request puts or a reminder repeats.
        until: The last instant at which that question can be answered.
        choices: What a receipt confirms.
        at: When what a receipt confirms was said.
        content: What the host wants to say in a marketing message.
        address: The address that was typed in, where that is all there is.
        challenge: What a one-time code shows.
        proposal: What the new address it goes to is stored under, in hexadecimal digits.
        undo: What the link in it undoes.
        complaint: Name of the complaint it is about.
        reminder: Whether the organisation was told of it before.
    """

    kind: PayloadKind
    channel: Channel
    line: int
    language: str
    purpose: str = ""
    question: str | None = None
    until: datetime | None = None
    choices: tuple[Choice, ...] = ()
    at: datetime | None = None
    content: Content | None = None
    address: str = ""
    challenge: str = ""
    proposal: str = ""
    undo: Undo | None = None
    complaint: str | None = None
    reminder: bool = False


def encode(payload: Payload, subject: bytes, message: bytes, due_at: datetime) -> OutboxMessage:
    """
    Put *payload* into the form the outbox keeps.
    """
    return OutboxMessage(
        subject=subject, message=message, channel=payload.channel, due_at=due_at, body=msgspec.json.encode(payload)
    )


def decode(message: OutboxMessage) -> Payload:
    """
    Read it back.

    Raises:
        DamagedError: It is not what was put there.
    """
    try:
        return msgspec.json.decode(message.body, type=Payload)
    except msgspec.DecodeError:
        raise DamagedError(f"message {message.message.hex()} in the outbox cannot be read") from None
