"""
The message with a one-time code.
"""

from __future__ import annotations

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.locale.i18n import Catalogues, catalogue
from optly.messages import Content
from optly.rendering._templates import in_plain_letters, letter


def code_message(
    organisation: Organisation,
    channel: Channel,
    digits: str,
    *,
    host: str,
    minutes: int,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the message with a one-time code.

    A text ends with the line that lets a phone fill in the code on *host* and nowhere else.

    Args:
        host: The host name of the pages, without scheme and path.
        minutes: How long the code works.

    Source: Origin-bound one-time codes delivered via SMS, https://wicg.github.io/sms-one-time-codes/.
    """
    translations = catalogue(language, more)
    facts = {"organisation": organisation.name, "digits": digits, "num": minutes}
    if channel is not Channel.EMAIL:
        text = translations.ngettext(
            "%(digits)s is your MyOptly code for %(organisation)s. It works for one minute. Do not share it. "
            "Did not ask for it? Ignore this text.",
            "%(digits)s is your MyOptly code for %(organisation)s. It works for %(num)d minutes. Do not share it. "
            "Did not ask for it? Ignore this text.",
            minutes,
        )
        return Content(text=f"{in_plain_letters(text % facts)}\n\n@{host} #{digits}")
    subject = translations.gettext("%(organisation)s: your code for MyOptly") % facts
    # Not a circular: those are cached, and a code must not stay in memory.
    return letter(
        "code", organisation, subject, language=language, more=more, digits=digits, host=host, minutes=minutes
    )
