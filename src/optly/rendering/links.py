"""
The message with a new link to the person's MyOptly page.
"""

from __future__ import annotations

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.locale.i18n import Catalogues, catalogue
from optly.messages import Content
from optly.rendering._templates import in_plain_letters, letter


def link_message(
    organisation: Organisation, channel: Channel, *, link: str, stop: str, language: str, more: Catalogues = ()
) -> Content:
    """
    Return the message with the link that the person asked for.
    """
    _ = catalogue(language, more).gettext
    facts = {"organisation": organisation.name, "link": link}
    if channel is not Channel.EMAIL:
        text = _("%(organisation)s: your MyOptly page, as you asked: %(link)s Did not ask for it? Ignore this text.")
        return Content(text=in_plain_letters(text % facts))
    subject = _("%(organisation)s: your MyOptly page") % facts
    return letter("link", organisation, subject, language=language, more=more, link=link, stop=stop)
