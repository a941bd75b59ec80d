"""
The receipt for an answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.locale.i18n import Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.rendering._templates import circular, in_plain_letters


def receipt(
    organisation: Organisation,
    channel: Channel,
    wordings: Sequence[Wording],
    *,
    on: datetime,
    link: str,
    stop: str,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the confirmation of what the person said yes to.
    """
    _ = catalogue(language, more).gettext
    if channel is not Channel.EMAIL:
        text = _("%(organisation)s: your choices are saved. Change them or stop: %(link)s")
        return Content(text=in_plain_letters(text % {"organisation": organisation.name, "link": link}))
    return circular(
        "receipt",
        organisation,
        _("%(organisation)s: your choices are saved") % {"organisation": organisation.name},
        link=link,
        stop=stop,
        language=language,
        more=more,
        wordings=tuple(wordings),
        on=long_date(on, nearest(language, more)),
    )
