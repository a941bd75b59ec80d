"""
Reading the arguments of a host into values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from optly.contacts.addresses import (
    Account,
    Address,
    AddressKind,
    Channel,
    EmailAddress,
    PhoneNumber,
    PostalAddress,
    parse_address,
)
from optly.errors import NaiveDatetimeError
from optly.messages import Content


def read_addresses(
    email: str | EmailAddress | None,
    phone: str | PhoneNumber | None,
    address: str | PostalAddress | None,
    account: str | Account | None,
) -> list[Address]:
    """
    Read the addresses of a contact.

    Raises:
        AddressError: One is malformed.
    """
    texts = (
        (email, AddressKind.EMAIL),
        (phone, AddressKind.PHONE),
        (address, AddressKind.POST),
        (account, AddressKind.ACCOUNT),
    )
    return [parse_address(text, kind) for text, kind in texts if text is not None]


def read_channels(channels: Iterable[Channel | str]) -> Sequence[Channel]:
    """
    Read the names of channels.

    Raises:
        UnknownChannelError: A channel does not exist.
    """
    return [Channel.of(channel) for channel in channels]


def read_content(content: Content | str) -> Content:
    """
    Wrap a plain string in `Content`.
    """
    return Content(text=content) if isinstance(content, str) else content


def read_instant(at: datetime | None) -> datetime | None:
    """
    Return an instant unchanged, if it is aware.

    Raises:
        NaiveDatetimeError: It has no time zone.
    """
    if at is not None and at.utcoffset() is None:
        raise NaiveDatetimeError("the datetime has no time zone: pass an aware one, such as datetime.now(timezone.utc)")
    return at


def read_own(address: str | PostalAddress | None) -> Address | None:
    """
    Read a postal address as its holder gives it; None stays None.

    Raises:
        AddressError: It is malformed.
    """
    return None if address is None else parse_address(address, AddressKind.POST)
