"""
The receipt for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts import Wording
from optly.messages import Content
from optly.rendering._templates import Letterhead


def receipt(head: Letterhead, wordings: Sequence[Wording], *, on: datetime) -> Content:
    """
    Return the confirmation of what the person said yes to.
    """
    _ = head.translations.gettext
    if not head.by_email:
        return head.text(_("%(organisation)s: your choices are saved. Change them or stop: %(link)s"))
    subject = _("%(organisation)s: your choices are saved")
    return head.circular("receipt", subject, wordings=tuple(wordings), on=head.day(on))
