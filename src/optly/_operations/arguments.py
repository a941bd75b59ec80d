"""
Reading the arguments of a host into values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from optly._operations.lines import Named
from optly.contacts import AnyContact, Contact, addresses
from optly.errors import NaiveDatetimeError


def each_address(
    email: str | addresses.EmailAddress | None = None,
    phone: str | addresses.PhoneNumber | None = None,
    address: str | addresses.PostalAddress | None = None,
    account: str | addresses.Account | None = None,
) -> list[tuple[str | addresses.Address, addresses.AddressKind]]:
    """
    Return each address that a call names, with its kind.
    """
    texts = (
        (email, addresses.AddressKind.EMAIL),
        (phone, addresses.AddressKind.PHONE),
        (address, addresses.AddressKind.POST),
        (account, addresses.AddressKind.ACCOUNT),
    )
    return [(text, kind) for text, kind in texts if text is not None]


def read_line(
    line: int | None,
    email: str | addresses.EmailAddress | None = None,
    phone: str | addresses.PhoneNumber | None = None,
) -> Named:
    """
    Read which of a contact's lines a call means.

    Raises:
        AddressError: An address is malformed.
    """
    named = tuple(addresses.recognise_address(text, kind) for text, kind in each_address(email, phone))
    return Named(numbers=() if line is None else (line,), addresses=named)


def read_contact(contact: AnyContact | None) -> Contact | None:
    """
    Read who is meant; None stays None.

    Raises:
        UnknownContactError: It is not the id of a contact.
    """
    return None if contact is None else Contact.of(contact)


def read_who(who: AnyContact | addresses.Address) -> Contact | str | addresses.Address:
    """
    Read who is meant: a contact, also by their id, or whoever has an address.
    """
    if isinstance(who, UUID) or (isinstance(who, str) and Contact.is_id(who)):
        return Contact.of(who)
    return who


def read_channels(channels: Iterable[addresses.Channel | str]) -> Sequence[addresses.Channel]:
    """
    Read the names of channels.

    Raises:
        UnknownChannelError: A channel does not exist.
    """
    return [addresses.Channel.of(channel) for channel in channels]


def read_instant(at: datetime | None) -> datetime | None:
    """
    Return an instant unchanged, if it is aware.

    Raises:
        NaiveDatetimeError: It has no time zone.
    """
    if at is not None and at.utcoffset() is None:
        raise NaiveDatetimeError("the datetime has no time zone: pass an aware one, such as datetime.now(timezone.utc)")
    return at


def read_own(address: str | addresses.PostalAddress | None) -> addresses.Address | None:
    """
    Read a postal address as its holder gives it; None stays None.

    Raises:
        AddressError: It is malformed.
    """
    return None if address is None else addresses.parse_address(address, addresses.AddressKind.POST)
