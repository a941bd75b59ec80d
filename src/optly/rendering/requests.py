"""
The request for consent, and its reminder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.locale.i18n import Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.messages.replies import Says, read_reply
from optly.rendering._templates import circular, in_plain_letters


def request(
    organisation: Organisation,
    channel: Channel,
    wordings: Sequence[Wording],
    *,
    link: str,
    stop: str,
    until: datetime,
    language: str,
    reminder: bool = False,
    by_reply: bool = False,
    more: Catalogues = (),
) -> Content:
    """
    Return a request for consent.

    Args:
        wordings: The questions, exactly as they are pinned.
        link: Opens the page to answer them on.
        stop: Stops everything.
        until: The last day on which an answer counts.
        reminder: Whether the question is asked a second time.
        by_reply: Whether a text may be answered by a text. It then contains the exact words that are answered.
    """
    _ = catalogue(language, more).gettext
    if channel is not Channel.EMAIL:
        if by_reply:
            text = _by_reply(wordings, link, language, more)
        else:
            text = _by_link(organisation, wordings, link, language, more)
        return Content(text=in_plain_letters(_("Reminder. %(text)s") % {"text": text} if reminder else text))
    if reminder:
        subject = _("Reminder from %(organisation)s: what would you like to hear about?")
    else:
        subject = _("%(organisation)s: what would you like to hear about?")
    return circular(
        "request",
        organisation,
        subject % {"organisation": organisation.name},
        link=link,
        stop=stop,
        language=language,
        more=more,
        wordings=tuple(wordings),
        until=long_date(until, nearest(language, more)),
    )


def _by_link(
    organisation: Organisation, wordings: Sequence[Wording], link: str, language: str, more: Catalogues
) -> str:
    # A text has room for one link: the page it opens has the stop button on it.
    text = catalogue(language, more).ngettext(
        "%(organisation)s has one question for you. Answer or stop: %(link)s",
        "%(organisation)s has %(num)d questions for you. Answer or stop: %(link)s",
        len(wordings),
    )
    return text % {"organisation": organisation.name, "num": len(wordings), "link": link}


def _by_reply(wordings: Sequence[Wording], link: str, language: str, more: Catalogues) -> str:
    """
    Return the questions in their pinned words. A single one is answered with its yes, several with their numbers.
    """
    _ = catalogue(language, more).gettext
    if len(wordings) == 1:
        facts = {"question": wordings[0].text, "yes": _yes_to_type(wordings[0]), "link": link}
        return _("%(question)s Reply %(yes)s or STOP: %(link)s") % facts
    questions = " ".join(f"{number}: {wording.text}" for number, wording in enumerate(wordings, 1))
    facts = {"questions": questions, "link": link}
    return _("%(questions)s Reply with the numbers you agree to, or STOP: %(link)s") % facts


def _yes_to_type(wording: Wording) -> str:
    """
    Return the yes of a question as the person types it, or the English word if it would not be read as a yes.
    """
    return wording.yes.upper() if read_reply(wording.yes) == Says(yes=True) else "YES"
