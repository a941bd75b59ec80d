"""
The letter with a copy of the person's data.
"""

from __future__ import annotations

from optly.messages import Content
from optly.rendering._templates import Letterhead


def copy_message(head: Letterhead, *, page: str, plain: str) -> Content:
    """
    Return the letter with the copy of their data that the person asked for.

    Args:
        page: The copy as an HTML fragment, which goes in unchanged.
        plain: The same as plain text.
    """
    from markupsafe import Markup

    subject = head.translations.gettext("%(organisation)s: the copy of your data that you asked for")
    return head.letter("copy", subject, page=Markup(page), plain=plain.strip())  # noqa: S704
