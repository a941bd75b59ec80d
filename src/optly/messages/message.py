"""
A message to a provider, the provider's receipt for it, and what the provider reports later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import attrs

from optly import typed
from optly.contacts import Channel
from optly.errors import HeaderError, InvalidValueError, UsageError
from optly.instants import Instant
from optly.typed import Heard, LongText, Sent

_HEADER_NAME = re.compile(r"[!-9;-~]+", re.ASCII)  # RFC 5322 3.6.8: printable ASCII without the colon
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def no_line_break(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate that a text cannot begin a new line in a header or in an SMTP command.
    """
    if _CONTROL.search(value):
        raise HeaderError(f"the {attribute.name} of a message contains a line break or another control character")


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Message:
    """
    One message to one address or number. Its repr shows neither the recipient nor the content.

    Attributes:
        id: Random id, 32 hexadecimal digits. The same for every attempt, so that a duplicate can be recognised.
        contact: Id of the contact, 32 hexadecimal digits, or empty. A backend that receives delivery events sends both
            ids along, in a tag, an address or a URL, so that an event can be matched to its message.
        channel: The channel it is sent on.
        to: The address or number.
        subject: One line; empty for a text.
        text, html: The two forms of the body; html is empty for a text.
        headers: Further headers of an email, such as ``List-Unsubscribe``.
        language: BCP 47 tag of the body.
    """

    id: Sent
    contact: Sent = ""
    channel: Channel
    to: Sent = attrs.field(validator=no_line_break, repr=False)
    subject: Sent = attrs.field(default="", validator=no_line_break, repr=False)
    text: Sent = attrs.field(repr=False)
    html: Sent = attrs.field(default="", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_headers, repr=False)
    language: str = "en"

    @headers.validator
    def _are_headers(self, _attribute: object, value: Mapping[str, str]) -> None:
        for name, content in value.items():
            if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(content):
                raise HeaderError("a header's name or value contains a character that is not allowed in a header")


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Content:
    """
    The content of a host's message. Optly adds the identity, the stop link and the headers.

    Attributes:
        subject: One line; left empty for a text.
        text: The body as plain text.
        html: The same as an HTML fragment, or empty.
    """

    subject: str = attrs.field(default="", validator=no_line_break, repr=False)
    text: LongText = attrs.field(repr=False)
    html: LongText = attrs.field(default="", repr=False)


class Outcome(StrEnum):
    """
    The outcome of sending. `IN_DOUBT` is for a connection that broke after the whole message was sent.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY_LATER = "retry_later"
    IN_DOUBT = "in_doubt"


class Fault(StrEnum):
    """
    Why a message was not accepted, which decides what is done about it.

    ADDRESS: The address does not exist. Nothing is sent to the line again until it is known to work.
    MAILBOX: The address exists, but cannot be delivered to now: a full mailbox, a handset that is off.
    MESSAGE: The message's content or form. Neither the address nor the backend is at fault.
    BACKEND: The connection, the log-in, the quota, the settings. Other messages would fail in the same way.
    OPTED_OUT: The person asked the provider to stop. That is an objection.
    """

    ADDRESS = "address"
    MAILBOX = "mailbox"
    MESSAGE = "message"
    BACKEND = "backend"
    OPTED_OUT = "opted_out"


# How long a backend may keep a message that was gated before it begins it: a stop may have come in the meantime. With
# what goes before, a stop counts that was recorded a second before the turn of a message.
PROMPTLY: Final = timedelta(seconds=0.75)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Receipt:
    """
    A backend's report of sending one message.

    One with a value of another type cannot be made: that is a `TypeError` or a `ValueError`.

    Attributes:
        outcome: One of the four.
        reply: The provider's reply word for word, kept as evidence. May contain an address, so it is not in the repr.
        code: The provider's own code, such as an SMTP reply code, or None.
        status: The enhanced status code of RFC 3463 if the provider gave one, such as ``5.1.1`` (no such address) or
            ``5.7.1`` (a matter of policy, which says nothing about the address); else empty.
        fault: Why it was not accepted, if it was not and that is known.
        permanent: Of a refusal: as in a `DeliveryEvent`.
        provider_id: The provider's own id for the message, or empty.
        retry_after: How long the provider asks us to wait, or None.
        begun: Whether the provider was handed any of it. A message that was not, and that has no fault, had to wait too
            long behind others: it is gated again and sent at once.
    """

    outcome: Outcome
    reply: Heard = attrs.field(default="", repr=False)
    code: int | None = None
    status: Heard = ""
    fault: Fault | None = None
    permanent: bool = False
    provider_id: Heard = ""
    retry_after: timedelta | None = None
    begun: bool = True


def says_unsent(error: Exception) -> bool:
    """
    Whether an error that a backend raised says that it did not send the message. A value of another type may be what it
    made of the provider's answer, after it had sent.
    """
    return isinstance(error, UsageError) and not isinstance(error, InvalidValueError)


class BatchInterrupted(BaseException):
    """
    Raised by a backend whose `send_all` was interrupted, so that nothing is in doubt that it knows more about.

    Attributes:
        receipts: One for each message, in order. One that had not begun is to be tried again (`Receipt.begun` is
            false); one that was under way is in doubt.
        why: The interruption, which is raised on.
    """

    def __init__(self, receipts: Sequence[Receipt], why: BaseException) -> None:
        super().__init__("sending several messages was interrupted")
        self.receipts, self.why = receipts, why


class DeliveryStatus(StrEnum):
    """
    A provider's report on a message that it accepted.

    SENT, DELAYED: On its way. For information only, and not kept.
    DELIVERED: Delivered to the recipient.
    FAILED: Not delivered, for a reason that says nothing lasting about the address.
    BOUNCED: Not delivered, because the address permanently accepts no messages.
    COMPLAINED: A spam report: the person marked it as unwanted, and their mail provider reported that. Not a complaint
        about how their data are used, which people make through the pages or to staff.
    OPTED_OUT: The person asked the provider to stop.
    """

    SENT = "sent"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPTED_OUT = "opted_out"

    @property
    def stops(self) -> bool:
        """
        Whether the person did it to stop messages.
        """
        return self in (DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class DeliveryEvent:
    """
    A provider's later report about a message or an address. Parsed by the webhook half of a backend, which has verified
    that it comes from the provider.

    It identifies a message by `contact` and `message`, or else the holders of the address `to`.

    Attributes:
        id: Identifies the event, so that a repeat is recognised. Up to 200 characters.
        backend: Name of the backend that parsed it.
        contact: Id of the contact, or empty if the provider does not repeat it.
        message: Id of the message, or its first 16 digits or more, or empty.
        to: The address, or empty. Not in the repr.
        at: When it happened, by the provider's clock. Aware.
        code: The provider's own code, such as ``30005``, or empty.
        status_code: The enhanced status code of RFC 3463, or empty.
        permanent: Of a failure: whether it may be for ever, because no cause but the address is named. If such failures
            go on for two weeks, nobody is there.
        detail: The provider's own text, kept as evidence. May contain an address, so it is not in the repr.
    """

    id: Heard
    backend: str
    channel: Channel
    status: DeliveryStatus
    contact: Heard = ""
    message: Heard = ""
    to: Heard = attrs.field(default="", repr=False)
    at: Instant
    code: Heard = ""
    status_code: Heard = ""
    permanent: bool = False
    detail: Heard = attrs.field(default="", repr=False)


class Keyword(StrEnum):
    """
    The keyword that a provider recognised in a reply and acted on.
    """

    STOP = "stop"
    START = "start"
    HELP = "help"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class InboundMessage:
    """
    A message from a person: a reply by text or by email.

    Attributes:
        id: Identifies the message, so that a repeat is recognised. Up to 200 characters.
        backend: Name of the backend that parsed it.
        sender: The address or number it came from; empty if that cannot be read. Not in the repr.
        also_from: Further addresses that it may have come from. Not in the repr.
        contact, message: Ids of the contact and of the message it answers, if that is proved: it repeats the id of the
            message, or came to its return path. Either may be empty; of the id of the message, 16 digits will do.
        subject: Its subject, without a mark such as ``Re:``. Not in the repr.
        text: What its writer added, without quoted text. Not in the repr.
        rest: What else it says that its writer may have added, such as below a signature. A stop counts there too, if
            we did not write it. Not in the repr.
        quoted: What it says inside a quote of one message. A stop counts there if we know that we sent what is quoted
            and did not write the stop. Not in the repr.
        whole: All that it says, for people to read; empty if that is the text alone. Not in the repr.
        at: When it arrived, by the provider's clock. Aware.
        automatic: Whether a machine wrote it, such as an out-of-office reply. It then answers nothing, but a stop in it
            counts.
        bulk: Whether it was sent to many, such as a newsletter or through a list. Nobody is added to the record for it.
        is_reply: Whether its subject is probably that of the message it answers.
        keyword: The keyword the provider recognised, or None. The text is read as well.
    """

    id: Heard
    backend: str
    channel: Channel
    sender: Heard = attrs.field(repr=False)
    also_from: tuple[Heard, ...] = attrs.field(default=(), repr=False)
    contact: Heard = ""
    message: Heard = ""
    subject: Heard = attrs.field(default="", repr=False)
    text: Heard = attrs.field(repr=False)
    rest: Heard = attrs.field(default="", repr=False)
    quoted: Heard = attrs.field(default="", repr=False)
    whole: Heard = attrs.field(default="", repr=False)
    at: Instant
    automatic: bool = False
    bulk: bool = False
    is_reply: bool = False
    keyword: Keyword | None = None
