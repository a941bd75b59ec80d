"""
What goes out to a provider and what it says back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

import attrs

from optly.addresses import Channel
from optly.errors import HeaderError

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
        channel: How it travels.
        to: The address or number.
        subject: One line; empty for a text.
        text, html: The two forms of the body; html is empty for a text.
        headers: Further headers of an email, such as ``List-Unsubscribe``.
        language: BCP 47 tag of the body.
    """

    id: str
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
    """

    outcome: Outcome
    reply: str = attrs.field(default="", repr=False)
    code: int | None = None
    status: str = ""
