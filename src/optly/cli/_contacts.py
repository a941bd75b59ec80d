"""
Finding the contact that a person at the keyboard, a row in a list or a template names.
"""

from __future__ import annotations

import re
from typing import Any, Final, TypeAlias

from optly.contacts import Channel, Contact
from optly.errors import UnknownContactError
from optly.manager import ConsentManager

_Line: TypeAlias = tuple[Contact, dict[str, Any]]

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII | re.IGNORECASE)


def contact_with_id(who: str) -> Contact | None:
    """
    Return the contact with an id, which is not looked up; None if *who* is no id.
    """
    return Contact(who.strip().lower()) if _ID.fullmatch(who.strip()) else None


def find_contact(manager: ConsentManager, who: str) -> Contact | None:
    """
    Return the contact with this id, email address or telephone number, or None if no contact has the address.

    An id is not looked up.

    Raises:
        AddressError: It is neither an id nor an address.
    """
    return contact_with_id(who) or manager.find(who, _written_to(who))


def _written_to(address: str) -> Channel:
    return Channel.EMAIL if "@" in address else Channel.SMS


def get_contact(manager: ConsentManager, who: Contact | str) -> Contact:
    """
    Return *who*, or the contact that `find_contact` finds.

    Raises:
        UnknownContactError: No contact has this address.
        AddressError: It is neither an id nor an address.
    """
    found = who if isinstance(who, Contact) else find_contact(manager, who)
    if found is None:
        raise UnknownContactError("no contact has this address")
    return found


def get_line(manager: ConsentManager, who: Contact | str, channel: Channel | str, line: int | None) -> _Line:
    """
    Return the contact that `get_contact` finds, and what names a line of theirs in a call of a manager: the number
    given or, without one, *who* itself where that is an address the channel reaches.
    """
    contact = get_contact(manager, who)
    if line is None and isinstance(who, str) and contact_with_id(who) is None:
        kind = _written_to(who).kind
        if kind is Channel.of(channel).kind:
            return contact, {kind.value: who}
    return contact, {"line": line}
