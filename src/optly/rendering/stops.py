"""
The notice that messages have been stopped, with a link to undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts import Wording
from optly.messages import Content
from optly.rendering._templates import Letterhead


def stopped_notice(head: Letterhead, wordings: Sequence[Wording], *, on: datetime, until: datetime) -> Content:
    """
    Return the notice to a person who stopped something, or everything, that it is done and how to undo it.

    Args:
        head: Its link undoes the stop.
        wordings: What they had agreed to, in the words they agreed to. If empty, there is nothing to undo, and neither
            the link nor the date is named.
        on: When they stopped it.
        until: The last day on which it can be undone.
    """
    _ = head.translations.gettext
    if not head.by_email:
        if wordings:
            text = _(
                "%(organisation)s: you have stopped messages. A mistake, or not you? Undo it until %(until)s: %(link)s"
            )
        else:
            text = _("%(organisation)s: you have stopped messages. We will not send any more of them.")
        return head.text(text, until=head.day(until))
    subject = _("%(organisation)s: you have stopped messages")
    return head.letter("stopped", subject, wordings=wordings, on=head.day(on), until=head.day(until))
