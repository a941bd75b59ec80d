"""
The answer to a text that says HELP.
"""

from __future__ import annotations

from optly.contacts.parties import Organisation
from optly.locale.i18n import Catalogues, catalogue
from optly.messages import Content
from optly.rendering._templates import in_plain_letters


def help_text(organisation: Organisation, *, link: str, language: str = "en", more: Catalogues = ()) -> Content:
    """
    Return a text that says who sends the messages, how to reach them, and how to stop them.
    """
    reach = organisation.freephone or organisation.email or organisation.address
    text = catalogue(language, more).gettext(
        "%(organisation)s: %(reach)s. See what we send and change it: %(link)s or reply STOP"
    )
    return Content(text=in_plain_letters(text % {"organisation": organisation.name, "reach": reach, "link": link}))
