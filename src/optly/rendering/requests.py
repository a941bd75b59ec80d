"""
The request for consent, and its reminder.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly.contacts import Wording
from optly.messages import Content
from optly.messages.replies import Says, read_reply
from optly.rendering._templates import Letterhead, in_plain_letters


def request(
    head: Letterhead, wordings: Sequence[Wording], *, until: datetime, reminder: bool = False, by_reply: bool = False
) -> Content:
    """
    Return a request for consent.

    Args:
        head: Its link opens the page to answer on.
        wordings: The questions, exactly as they are pinned.
        until: The last day on which an answer counts.
        reminder: Whether the question is asked a second time.
        by_reply: Whether a text may be answered by a text. It then contains the exact words that are answered.
    """
    _ = head.translations.gettext
    if not head.by_email:
        text = _by_reply(head, wordings) if by_reply else _by_link(head, wordings)
        return Content(text=in_plain_letters(_("Reminder. %(text)s") % {"text": text} if reminder else text))
    if reminder:
        subject = _("Reminder from %(organisation)s: what would you like to hear about?")
    else:
        subject = _("%(organisation)s: what would you like to hear about?")
    return head.circular("request", subject, wordings=tuple(wordings), until=head.day(until))


def _by_link(head: Letterhead, wordings: Sequence[Wording]) -> str:
    # A text has room for one link: the page it opens has the stop button on it.
    text = head.translations.ngettext(
        "%(organisation)s has one question for you. Answer or stop: %(link)s",
        "%(organisation)s has %(num)d questions for you. Answer or stop: %(link)s",
        len(wordings),
    )
    return head.filled(text, num=len(wordings))


def _by_reply(head: Letterhead, wordings: Sequence[Wording]) -> str:
    """
    Return the questions in their pinned words. A single one is answered with its yes, several with their numbers.
    """
    _ = head.translations.gettext
    if len(wordings) == 1:
        question = _("%(question)s Reply %(yes)s or STOP: %(link)s")
        return head.filled(question, question=wordings[0].text, yes=_yes_to_type(wordings[0]))
    questions = " ".join(f"{number}: {wording.text}" for number, wording in enumerate(wordings, 1))
    return head.filled(_("%(questions)s Reply with the numbers you agree to, or STOP: %(link)s"), questions=questions)


def _yes_to_type(wording: Wording) -> str:
    """
    Return the yes of a question as the person types it, or the English word if it would not be read as a yes.
    """
    return wording.yes.upper() if read_reply(wording.yes) == Says(yes=True) else "YES"
