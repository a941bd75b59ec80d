"""
The notice that messages have been stopped, with a link to undo it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.locale.i18n import Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.rendering._templates import in_plain_letters, letter


def stopped_notice(
    organisation: Organisation,
    channel: Channel,
    wordings: Sequence[Wording],
    *,
    on: datetime,
    link: str,
    until: datetime,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the notice to a person who stopped something, or everything, that it is done and how to undo it.

    Args:
        wordings: What they had agreed to, in the words they agreed to. If empty, there is nothing to undo, and neither
            the link nor the date is named.
        on: When they stopped it.
        link: Undoes the stop.
        until: The last day on which it can be undone.
    """
    _ = catalogue(language, more).gettext
    spoken = nearest(language, more)
    facts = {"organisation": organisation.name, "on": long_date(on, spoken), "until": long_date(until, spoken)}
    if channel is not Channel.EMAIL:
        if wordings:
            text = _(
                "%(organisation)s: you have stopped messages. A mistake, or not you? Undo it until %(until)s: %(link)s"
            )
        else:
            text = _("%(organisation)s: you have stopped messages. We will not send any more of them.")
        return Content(text=in_plain_letters(text % (facts | {"link": link})))
    subject = _("%(organisation)s: you have stopped messages") % facts
    return letter(
        "stopped",
        organisation,
        subject,
        language=language,
        more=more,
        wordings=wordings,
        on=facts["on"],
        until=facts["until"],
        link=link,
    )
