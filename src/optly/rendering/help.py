"""
The answer to a text that says HELP.
"""

from __future__ import annotations

from optly.messages import Content
from optly.rendering._templates import Letterhead


def help_text(head: Letterhead) -> Content:
    """
    Return a text that says who sends the messages, how to reach them, and how to stop them.
    """
    text = head.translations.gettext(
        "%(organisation)s: %(reach)s. See what we send and change it: %(link)s or reply STOP"
    )
    organisation = head.organisation
    return head.text(text, reach=organisation.freephone or organisation.email or organisation.address)
