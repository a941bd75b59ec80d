"""
What a host passes to a method, read into values. Raises `UsageError` and its kinds for what cannot be read.
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
    given = (
        (email, AddressKind.EMAIL),
        (phone, AddressKind.PHONE),
        (address, AddressKind.POST),
        (account, AddressKind.ACCOUNT),
    )
    return [parse_address(text, kind) for text, kind in given if text is not None]


def read_channels(channels: Iterable[Channel | str]) -> Sequence[Channel]:
    """
    Read the names of channels.

    Raises:
        UnknownChannelError: There is no such channel.
    """
    return [Channel.of(channel) for channel in channels]


def read_content(content: Content | str) -> Content:
    """
    Wrap a plain string in `Content`.
    """
    return Content(text=content) if isinstance(content, str) else content


def read_instant(at: datetime | None) -> datetime | None:
    """
    Return an instant as it is, if there is one.

    Raises:
        NaiveDatetimeError: It has no time zone.
    """
    if at is not None and at.utcoffset() is None:
        raise NaiveDatetimeError("the instant has no time zone: use datetime.now(timezone.utc) or the like")
    return at


def read_own(address: str | PostalAddress | None) -> Address | None:
    """
    Read a postal address as its holder gives it, if they do.

    Raises:
        AddressError: It is malformed.
    """
    return None if address is None else parse_address(address, AddressKind.POST)
