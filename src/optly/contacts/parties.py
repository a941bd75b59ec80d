"""
The organisation that asks, and the contact who is asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeAlias
from uuid import UUID

import attrs

from optly import typed
from optly.errors import ConfigurationError, InvalidValueError, UnknownContactError, UsageError

_KEY = re.compile(r"[a-z][a-z0-9_-]{0,47}", re.ASCII)
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_ANY_ID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)


def is_key(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate a short lower-case key that is written into the record and never changes.
    """
    if not _KEY.fullmatch(value):
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be 1 to 48 lower-case letters, digits, - or _, "
            "and start with a letter"
        )


def require_key(value: str) -> None:
    """
    Refuse a text that cannot be the key of an organisation.

    Raises:
        UsageError: It is none.
    """
    if not _KEY.fullmatch(value):
        raise UsageError(
            "the key of an organisation is 1 to 48 lower-case letters, digits, - or _, and starts with a letter"
        )


def one_line(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    """
    Validate a text that goes into a header: it must not be empty or contain a line break.
    """
    if not value.strip() or not value.isprintable():
        raise ConfigurationError(f"{type(instance).__name__}.{attribute.name} must be one line of printable text")


def _one_line_or_none(instance: object, attribute: attrs.Attribute[str], value: str) -> None:
    if value:
        one_line(instance, attribute, value)


def _names(value: Iterable[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Organisation:
    """
    The organisation that asks, as a message must identify it.

    Attributes:
        key: Its key in the record. Must never change.
        name: Its name as people know it; shown in every request.
        address: Its postal address.
        freephone: A number that reaches it free of charge, or empty.
        email: Where people write to about their data.
        also_known_as: The trading names of the same legal person. Another company, of the same group too, is another
            organisation.
        legal_name: The name of the legal person, where *name* is one that it trades under. Messages name both.
        public_authority: Whether it is a public authority, whose messages for a public task are not direct marketing.

    Source: PECR regs 23 and 24, https://www.legislation.gov.uk/uksi/2003/2426/regulation/24 (read 2026-11-23).
    """

    key: str = attrs.field(validator=is_key)
    name: str = attrs.field(validator=one_line)
    address: str = attrs.field(validator=one_line)
    freephone: str = ""
    email: str = ""
    also_known_as: tuple[str, ...] = attrs.field(
        default=(), converter=_names, validator=attrs.validators.deep_iterable(one_line)
    )
    legal_name: str = attrs.field(default="", validator=_one_line_or_none)
    public_authority: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """
        Every name it has: the one it appears under, that of the legal person, and those it trades under.
        """
        return tuple(dict.fromkeys(name for name in (self.name, self.legal_name, *self.also_known_as) if name))

    @property
    def identity(self) -> str:
        """
        Who a message is from: its name, and that of the legal person in brackets if it trades under another.
        """
        return f"{self.name} ({self.legal_name})" if self.legal_name not in ("", self.name) else self.name

    def trading_as(self, name: str | None) -> Organisation:
        """
        Return the organisation as it appears under one of its names. None leaves it as it is.

        Raises:
            UsageError: It does not trade under that name.
        """
        if name is None or name == self.name:
            return self
        if name not in self.names:
            raise UsageError("the organisation has no such trading name: add it to Organisation.also_known_as")
        return typed.evolve(self, name=name, legal_name=self.legal_name or self.name)


class Subscriber(StrEnum):
    """
    What the law treats the holder of the line as. Unknown means an individual.

    SOLE_TRADER, PARTNERSHIP_EWNI, LIMITED_PARTNERSHIP_EWNI: A business that is no body of its own in England, Wales or
        Northern Ireland: protected as an individual. A GP practice is mostly such a partnership.
    UNINCORPORATED_ASSOCIATION, CHARITABLE_TRUST: A club or a charity without incorporation: protected as an individual.
    PARTNERSHIP_SCOTLAND: Any partnership in Scotland, limited or not, which is a legal person.
    INCORPORATED_BODY: A body corporate that is no company: a charitable incorporated organisation, a registered
        society, a royal charter body, an academy trust, a university.
    CORPORATION_SOLE: An office that is a legal person, such as a bishop's.
    PUBLIC_BODY: A public body that is a body corporate: a council, a parish council, an NHS trust.
    GOVERNMENT: A part of government without legal personality of its own. The ICO counts "some government bodies" as
        corporate and names none, so it is protected as an individual.

    Source: PECR reg 2(1), https://www.legislation.gov.uk/uksi/2003/2426/regulation/2 (read 2026-11-23).
    """

    UNKNOWN = "unknown"
    INDIVIDUAL = "individual"
    SOLE_TRADER = "sole_trader"
    PARTNERSHIP_EWNI = "partnership_ewni"
    LIMITED_PARTNERSHIP_EWNI = "limited_partnership_ewni"
    PARTNERSHIP_SCOTLAND = "partnership_scotland"
    UNINCORPORATED_ASSOCIATION = "unincorporated_association"
    CHARITABLE_TRUST = "charitable_trust"
    COMPANY = "company"
    LLP = "llp"
    INCORPORATED_BODY = "incorporated_body"
    CORPORATION_SOLE = "corporation_sole"
    PUBLIC_BODY = "public_body"
    GOVERNMENT = "government"

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


def loosens(known: Subscriber, new: Subscriber) -> bool:
    """
    Whether what is said now of a subscriber would take protection away that what is known gives.
    """
    return known not in (_CORPORATE | {Subscriber.UNKNOWN}) and (new is Subscriber.UNKNOWN or new.corporate)


_CORPORATE = frozenset(
    {
        Subscriber.COMPANY,
        Subscriber.LLP,
        Subscriber.INCORPORATED_BODY,
        Subscriber.CORPORATION_SOLE,
        Subscriber.PARTNERSHIP_SCOTLAND,
        Subscriber.PUBLIC_BODY,
    }
)


@attrs.frozen(field_transformer=typed.fields)
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

    @classmethod
    def of(cls, value: AnyContact) -> Contact:
        """
        Return the contact that *value* names: a contact, or its id, also as a UUID or written like one.

        Raises:
            UnknownContactError: It is no id. An address is none, for it may have several holders or another one.
            InvalidValueError: It is something else.
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, UUID):
            return cls(value.hex)
        if not isinstance(value, str):
            raise InvalidValueError(f"a contact or its id is needed, not a value of type {type(value).__name__}")
        if not cls.is_id(value):
            raise UnknownContactError(
                "a contact or its id is needed: manager.find and manager.holders return who has an address"
            )
        return cls(value.replace("-", "").lower())

    @staticmethod
    def is_id(text: str) -> bool:
        """
        Whether a text has the form of a contact's id, which no address has.
        """
        return _ANY_ID.fullmatch(text) is not None


# How a host may name a contact.
AnyContact: TypeAlias = Contact | str | UUID
