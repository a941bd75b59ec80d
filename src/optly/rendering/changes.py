"""
The notice to the old address that the details have changed, with a link to undo it.
"""

from __future__ import annotations

from datetime import datetime

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Organisation
from optly.locale.i18n import N_, Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.rendering._templates import in_plain_letters, letter

_CHANGED = {
    AddressKind.EMAIL: N_("Your email address on MyOptly is now %(masked)s."),
    AddressKind.PHONE: N_("Your phone number on MyOptly is now %(masked)s."),
    AddressKind.POST: N_("Your postal address on MyOptly is now %(masked)s."),
    AddressKind.ACCOUNT: N_("Your account on MyOptly is now %(masked)s."),
}


def changed_notice(
    organisation: Organisation,
    channel: Channel,
    *,
    kind: AddressKind,
    masked: str,
    link: str,
    until: datetime,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the notice to the address on file so far that another address replaced it or was added.

    Args:
        kind: The kind of the new address.
        masked: Enough of the new address for its owner to recognise it.
        link: Undoes the change.
        until: The last day on which it can be undone.
    """
    _ = catalogue(language, more).gettext
    day = long_date(until, nearest(language, more))
    if channel is not Channel.EMAIL:
        # The dots of a masked address would make the text cost twice as much.
        changed = _(_CHANGED[kind]) % {"masked": masked.replace("•", "*")}
        text = _("%(organisation)s: %(changed)s Not you? Undo it until %(until)s: %(link)s")
        facts = {"organisation": organisation.name, "changed": changed, "until": day, "link": link}
        return Content(text=in_plain_letters(text % facts))
    subject = _("%(organisation)s: your details have changed") % {"organisation": organisation.name}
    changed = _(_CHANGED[kind]) % {"masked": masked}
    return letter("changed", organisation, subject, language=language, more=more, changed=changed, link=link, until=day)
