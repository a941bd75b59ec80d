"""
What goes out to a provider, what it says at once, and what it says later.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType

import attrs

from optly.contacts.addresses import Channel
from optly.errors import HeaderError
from optly.instants import is_aware, to_utc

_HEADER_NAME = re.compile(r"[!-9;-~]+", re.ASCII)  # RFC 5322 3.6.8: printable ASCII without the colon
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def no_line_break(_instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate that a text cannot start a line of its own in a header or in an SMTP command.
    """
    if _CONTROL.search(value):
        raise HeaderError(f"the {attribute.name} of a message holds a line break or another control character")


def _headers(value: Mapping[str, str]) -> Mapping[str, str]:
    return MappingProxyType(dict(value))


@attrs.frozen(kw_only=True)
class Message:
    """
    One message to one line. Its repr shows neither whom it goes to nor what it says.

    Attributes:
        id: Random name, 32 hexadecimal digits. The same over all attempts, so that twins can be told.
        contact: Id of the contact, 32 hexadecimal digits, or empty. A backend that hears later what became of a message
            sends both ids along, in a tag, an address or a URL, to tell which message is meant.
        channel: How it travels.
        to: The address or number.
        subject: One line; empty for a text.
        text, html: The two forms of the body; html is empty for a text.
        headers: Further headers of an email, such as ``List-Unsubscribe``.
        language: BCP 47 tag of the body.
    """

    id: str
    contact: str = ""
    channel: Channel
    to: str = attrs.field(validator=no_line_break, repr=False)
    subject: str = attrs.field(default="", validator=no_line_break, repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(default="", repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, converter=_headers, repr=False)
    language: str = "en"

    @headers.validator
    def _are_headers(self, _attribute: object, value: Mapping[str, str]) -> None:
        for name, content in value.items():
            if not _HEADER_NAME.fullmatch(name) or _CONTROL.search(content):
                raise HeaderError("a header's name or value holds a character that cannot stand in a header")


@attrs.frozen(kw_only=True)
class Content:
    """
    What a host wants to say. Optly adds the identity, the stop link and the headers.

    Attributes:
        subject: One line; left empty for a text.
        text: The body as plain text.
        html: The same as an HTML fragment, or empty.
    """

    subject: str = attrs.field(default="", validator=no_line_break, repr=False)
    text: str = attrs.field(repr=False)
    html: str = attrs.field(default="", repr=False)


class Outcome(StrEnum):
    """
    How handing over ended. The fourth is the honest one: the connection broke after everything was said.
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"
    RETRY_LATER = "retry_later"
    IN_DOUBT = "in_doubt"


class Fault(StrEnum):
    """
    What a message that was not taken foundered on, which decides what is done about it.

    ADDRESS: Nobody is there, for good. The line is not written to again until it is known to work.
    MAILBOX: Somebody is there, but it cannot be delivered now: a full mailbox, a handset that is off.
    MESSAGE: What the message says, or how. Neither the address nor the backend is to blame.
    BACKEND: The connection, the log-in, the quota, the settings. Other messages would fare the same.
    OPTED_OUT: The person told the provider to stop. That is an objection.
    """

    ADDRESS = "address"
    MAILBOX = "mailbox"
    MESSAGE = "message"
    BACKEND = "backend"
    OPTED_OUT = "opted_out"


@attrs.frozen(kw_only=True)
class Receipt:
    """
    What a backend says became of a message.

    Attributes:
        outcome: One of the four.
        reply: The provider's reply word for word, kept as evidence. May hold an address, so it is not in the repr.
        code: The provider's own code, such as an SMTP reply code, or None.
        status: The enhanced status code of RFC 3463 if the provider gave one, such as ``5.1.1`` (no such address) or
            ``5.7.1`` (a matter of policy, which says nothing about the address); else empty.
        fault: What it foundered on, if it was not taken and that is known.
        provider_id: What the provider calls the message, or empty.
        retry_after: How long the provider asks us to wait, or None.
    """

    outcome: Outcome
    reply: str = attrs.field(default="", repr=False)
    code: int | None = None
    status: str = ""
    fault: Fault | None = None
    provider_id: str = ""
    retry_after: timedelta | None = None


class DeliveryStatus(StrEnum):
    """
    What a provider says of a message after it was taken.

    SENT, DELAYED: On its way. Said for information, and not kept.
    DELIVERED: Where it was to go.
    FAILED: Not delivered, for a reason that says nothing lasting about the address.
    BOUNCED: Not delivered, because the address takes no messages, for good.
    COMPLAINED: The person marked it as unwanted.
    OPTED_OUT: The person told the provider to stop.
    """

    SENT = "sent"
    DELAYED = "delayed"
    DELIVERED = "delivered"
    FAILED = "failed"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    OPTED_OUT = "opted_out"


@attrs.frozen(kw_only=True)
class DeliveryEvent:
    """
    What a provider says, later, about a message or an address. Read by the webhook half of a backend, which has made
    sure that the provider says it.

    It names a message by `contact` and `message`, or else whoever has the address `to`.

    Attributes:
        id: A name by which a repeat of the same event is known. Up to 200 characters.
        backend: Name of the backend that read it.
        contact: Id of the contact, or empty if the provider does not repeat it.
        message: Id of the message, or its first 16 digits or more, or empty.
        to: The address, or empty. Not in the repr.
        at: When it happened, by the provider's clock. Aware.
        code: The provider's own code, such as ``30005``, or empty.
        status_code: The enhanced status code of RFC 3463, or empty.
        detail: The provider's words, kept as evidence. May hold an address, so it is not in the repr.
    """

    id: str
    backend: str
    channel: Channel
    status: DeliveryStatus
    contact: str = ""
    message: str = ""
    to: str = attrs.field(default="", repr=False)
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    code: str = ""
    status_code: str = ""
    detail: str = attrs.field(default="", repr=False)


class Keyword(StrEnum):
    """
    What a provider took a reply for and acted upon.
    """

    STOP = "stop"
    START = "start"
    HELP = "help"


@attrs.frozen(kw_only=True)
class InboundMessage:
    """
    A message from a person: a reply by text or by email.

    Attributes:
        id: A name by which a repeat of the same message is known. Up to 200 characters.
        backend: Name of the backend that read it.
        sender: The address or number it came from. Not in the repr.
        text: What it says, without what it quotes. Not in the repr.
        at: When it came, by the provider's clock. Aware.
        automatic: Whether a machine wrote it, an out-of-office reply for example. It then answers nothing.
        keyword: What the provider took it for, or None. The text counts as well.
    """

    id: str
    backend: str
    channel: Channel
    sender: str = attrs.field(repr=False)
    text: str = attrs.field(repr=False)
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    automatic: bool = False
    keyword: Keyword | None = None
