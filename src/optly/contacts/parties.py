"""
The organisation that asks, and the contact who is asked.
"""

from __future__ import annotations

import re
from enum import StrEnum

import attrs

from optly.errors import ConfigurationError, UnknownContactError

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,47}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def is_key(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate a short lower-case key that is written into the record and never changes.
    """
    if not _KEY.fullmatch(value):
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be 1 to 48 lower-case letters, digits, - or _, "
            "and start with a letter"
        )


def one_line(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate a text that goes into a header: it must not be empty or contain a line break.
    """
    if not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{type(instance).__name__}.{attribute.name} must be one line of printable text")


@attrs.frozen(kw_only=True)
class Organisation:
    """
    The organisation that asks, as a message must identify it.

    Attributes:
        key: Its key in the record. Must never change.
        name: Its name as people know it; shown in every request.
        address: Its postal address.
        freephone: A number that reaches it free of charge, or empty.
        email: Where people write to about their data.

    Source: PECR regs 23 and 24, https://www.legislation.gov.uk/uksi/2003/2426/regulation/24 (read 2026-11-23).
    """

    key: str = attrs.field(validator=is_key)
    name: str = attrs.field(validator=one_line)
    address: str = attrs.field(validator=one_line)
    freephone: str = ""
    email: str = ""


class Subscriber(StrEnum):
    """
    What the law treats the holder of the line as. Unknown means an individual.

    Source: PECR reg 2(1), https://www.legislation.gov.uk/uksi/2003/2426/regulation/2 (read 2026-11-23).
    """

    UNKNOWN = "unknown"
    INDIVIDUAL = "individual"
    SOLE_TRADER = "sole_trader"
    PARTNERSHIP_EWNI = "partnership_ewni"
    PARTNERSHIP_SCOTLAND = "partnership_scotland"
    UNINCORPORATED_ASSOCIATION = "unincorporated_association"
    COMPANY = "company"
    LLP = "llp"
    PUBLIC_BODY = "public_body"

    @property
    def corporate(self) -> bool:
        """
        Whether this is a corporate subscriber. Everything else is protected as an individual.
        """
        return self in _CORPORATE


def stricter(first: Subscriber, second: Subscriber) -> Subscriber:
    """
    Return which of two facts about the subscriber of a line protects more. Unknown is no fact, and gives way.
    """
    if first is Subscriber.UNKNOWN or second is Subscriber.UNKNOWN:
        return second if first is Subscriber.UNKNOWN else first
    return second if first.corporate else first


_CORPORATE = frozenset({Subscriber.COMPANY, Subscriber.LLP, Subscriber.PARTNERSHIP_SCOTLAND, Subscriber.PUBLIC_BODY})


@attrs.frozen
class Contact:
    """
    A person or business on record, identified by 16 random bytes and by nothing about them.

    Attributes:
        id: 32 hexadecimal digits. Safe to keep in the host's own tables, in logs and in URLs.
    """

    id: str = attrs.field()

    @id.validator
    def _is_id(self, _attribute: object, value: str) -> None:
        if not _ID.fullmatch(value):
            raise UnknownContactError("a contact's id has 32 lower-case hexadecimal digits")

    @property
    def subject(self) -> bytes:
        """
        The 16 bytes of the id.
        """
        return bytes.fromhex(self.id)
