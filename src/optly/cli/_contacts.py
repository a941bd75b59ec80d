"""
Finding the contact that a person at the keyboard, a row in a list or a template names.
"""

from __future__ import annotations

import re
from typing import Final

from optly.contacts import Channel, Contact, is_email
from optly.errors import UnknownContactError
from optly.manager import ConsentManager

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII | re.IGNORECASE)


def find_contact(manager: ConsentManager, who: str) -> Contact | None:
    """
    Return the contact with this id, email address or telephone number, or None if no contact has the address.

    An id is not looked up.

    Raises:
        AddressError: It is neither an id nor an address.
    """
    who = who.strip()
    if _ID.fullmatch(who):
        return Contact(who.lower())
    return manager.find(who, Channel.EMAIL if is_email(who) else Channel.SMS)


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
