"""
The letter with a copy of the person's data.
"""

from __future__ import annotations

from optly.contacts.parties import Organisation
from optly.locale.i18n import Catalogues, catalogue
from optly.messages import Content
from optly.rendering._templates import letter


def copy_message(organisation: Organisation, *, page: str, plain: str, language: str, more: Catalogues = ()) -> Content:
    """
    Return the letter with the copy of their data that the person asked for.

    Args:
        page: The copy as an HTML fragment, which goes in unchanged.
        plain: The same as plain text.
    """
    from markupsafe import Markup

    subject = catalogue(language, more).gettext("%(organisation)s: the copy of your data that you asked for")
    return letter(
        "copy",
        organisation,
        subject % {"organisation": organisation.name},
        language=language,
        more=more,
        page=Markup(page),  # noqa: S704
        plain=plain.strip(),
    )
