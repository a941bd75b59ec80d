"""
The message with a new link to the person's MyOptly page.
"""

from __future__ import annotations

from optly.messages import Content
from optly.rendering._templates import Letterhead


def link_message(head: Letterhead) -> Content:
    """
    Return the message with the link that the person asked for.
    """
    _ = head.translations.gettext
    if not head.by_email:
        return head.text(
            _("%(organisation)s: your MyOptly page, as you asked: %(link)s Did not ask for it? Ignore this text.")
        )
    return head.letter("link", _("%(organisation)s: your MyOptly page"))
