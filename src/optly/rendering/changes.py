"""
The notice to the old address that the details have changed, with a link to undo it.
"""

from __future__ import annotations

from datetime import datetime

from optly.contacts import AddressKind
from optly.locale.i18n import N_
from optly.messages import Content
from optly.rendering._templates import Letterhead

_CHANGED = {
    AddressKind.EMAIL: N_("Your email address on MyOptly is now %(masked)s."),
    AddressKind.PHONE: N_("Your phone number on MyOptly is now %(masked)s."),
    AddressKind.POST: N_("Your postal address on MyOptly is now %(masked)s."),
    AddressKind.ACCOUNT: N_("Your account on MyOptly is now %(masked)s."),
}


def changed_notice(head: Letterhead, *, kind: AddressKind, masked: str, until: datetime) -> Content:
    """
    Return the notice to the address on file so far that another address replaced it or was added.

    Args:
        head: Its link undoes the change.
        kind: The kind of the new address.
        masked: Enough of the new address for its owner to recognise it.
        until: The last day on which it can be undone.
    """
    _ = head.translations.gettext
    day = head.day(until)
    if not head.by_email:
        # The dots of a masked address would make the text cost twice as much.
        changed = _(_CHANGED[kind]) % {"masked": masked.replace("•", "*")}
        text = _("%(organisation)s: %(changed)s Not you? Undo it until %(until)s: %(link)s")
        return head.text(text, changed=changed, until=day)
    changed = _(_CHANGED[kind]) % {"masked": masked}
    return head.letter("changed", _("%(organisation)s: your details have changed"), changed=changed, until=day)
