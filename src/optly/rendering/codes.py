"""
The message with a one-time code.
"""

from __future__ import annotations

from optly.messages import Content
from optly.rendering._templates import Letterhead


def code_message(head: Letterhead, digits: str, *, host: str, minutes: int) -> Content:
    """
    Return the message with a one-time code.

    A text ends with the line that lets a phone fill in the code on *host* and nowhere else.

    Args:
        host: The host name of the pages, without scheme and path.
        minutes: How long the code works.

    Source: Origin-bound one-time codes delivered via SMS, https://wicg.github.io/sms-one-time-codes/.
    """
    translations = head.translations
    if not head.by_email:
        text = translations.ngettext(
            "%(digits)s is your MyOptly code for %(organisation)s. It works for one minute. Do not share it. "
            "Did not ask for it? Ignore this text.",
            "%(digits)s is your MyOptly code for %(organisation)s. It works for %(num)d minutes. Do not share it. "
            "Did not ask for it? Ignore this text.",
            minutes,
        )
        return Content(text=f"{head.text(text, digits=digits, num=minutes).text}\n\n@{host} #{digits}")
    subject = translations.gettext("%(organisation)s: your code for MyOptly")
    # Not a circular: those are cached, and a code must not stay in memory.
    return head.letter("code", subject, digits=digits, host=host, minutes=minutes)
