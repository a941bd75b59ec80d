"""
What a person is sent when something was recorded: the receipt for an answer, and the notices that messages have been
stopped and that details have changed, with a link to undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts import AddressKind, Wording
from optly.locale.i18n import N_
from optly.messages import Content
from optly.rendering._templates import Letterhead

_CHANGED = {
    AddressKind.EMAIL: N_("Your email address on MyOptly is now %(masked)s."),
    AddressKind.PHONE: N_("Your phone number on MyOptly is now %(masked)s."),
    AddressKind.POST: N_("Your postal address on MyOptly is now %(masked)s."),
    AddressKind.ACCOUNT: N_("Your account on MyOptly is now %(masked)s."),
}


def receipt(head: Letterhead, wordings: Sequence[Wording], *, on: datetime) -> Content:
    """
    Return the confirmation of what the person said yes to.
    """
    _ = head.translations.gettext
    if not head.by_email:
        return head.text(_("%(organisation)s: your choices are saved. Change them or stop: %(link)s"))
    subject = _("%(organisation)s: your choices are saved")
    return head.circular("receipt", subject, wordings=tuple(wordings), on=head.day(on))


def stopped_notice(
    head: Letterhead, what: str, *, left: Sequence[str], on: datetime, until: datetime, undoes: bool = True
) -> Content:
    """
    Return the notice to a person who stopped something: what they stopped, what goes on, and how to undo it.

    It repeats no question and offers nothing: someone who has just objected is sent no marketing.

    Args:
        head: Its link undoes the stop.
        what: What they stopped, in words that follow "no more".
        left: What they agreed to and still get, in words.
        on: When they stopped it.
        until: The last day on which it can be undone.
        undoes: Whether there is anything to undo. If not, neither the link nor the date is named.
    """
    _ = head.translations.gettext
    if not head.by_email:
        text = _("%(organisation)s: no more %(what)s.")
        if left:
            text += " " + _("Other choices stay the same.")
        if undoes:
            text += " " + _("Undo by %(until)s: %(link)s")
        return head.text(text, what=what, until=head.day(until))
    subject = _("%(organisation)s: you have stopped messages")
    return head.letter(
        "stopped", subject, what=what, left=tuple(left), on=head.day(on), until=head.day(until), undoes=undoes
    )


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
