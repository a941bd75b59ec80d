"""
Whom a site means: by the contact itself, by its id, or by an address.
"""

from __future__ import annotations

import re
from typing import Final

from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.errors import UnknownContactError
from optly.manager import ConsentManager

_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII)


def contact_of(manager: ConsentManager, who: Contact | str) -> Contact:
    """
    Return the contact that *who* is, or names by its id, its email address or its telephone number.

    Raises:
        UnknownContactError: Nobody on record has the address. That there is a contact of an id is not looked up.
        AddressError: It is no address of either kind.
    """
    if isinstance(who, Contact):
        return who
    who = who.strip()
    if _ID.fullmatch(who):
        return Contact(who)
    found = manager.find(who, Channel.EMAIL if "@" in who else Channel.SMS)
    if found is None:
        raise UnknownContactError("nobody on record has this address")
    return found
