"""
The contact that a template or a member of staff names.
"""

from __future__ import annotations

from optly.cli._contacts import find_contact
from optly.contacts import Contact
from optly.errors import UnknownContactError
from optly.manager import ConsentManager


def contact_of(manager: ConsentManager, who: Contact | str) -> Contact:
    """
    Return *who*, or the contact with that id, email address or telephone number. An id is not looked up.

    Raises:
        UnknownContactError: No contact has this address.
        AddressError: It is neither an id nor an address.
    """
    found = who if isinstance(who, Contact) else find_contact(manager, who)
    if found is None:
        raise UnknownContactError("no contact has this address")
    return found
