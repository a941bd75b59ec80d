"""
The frame around a marketing message of the host: who sends it, why the person receives it, and how to stop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.locale.i18n import N_, Catalogues, catalogue
from optly.messages import Content
from optly.rendering._templates import circular
from optly.rules.decision import Reason

_BECAUSE = {
    Reason.CONSENTED: N_("You receive this because you agreed to hear from %(organisation)s."),
    Reason.SOFT_OPT_IN: N_(
        "You receive this from %(organisation)s because you bought or asked about similar products."
    ),
    Reason.CHARITY_SOFT_OPT_IN: N_(
        "You receive this from %(organisation)s because you supported us or showed interest in our work."
    ),
    Reason.CORPORATE_SUBSCRIBER: N_("You receive this from %(organisation)s because it may interest your business."),
}
_BECAUSE_OTHERWISE = N_("You receive this because you are in contact with %(organisation)s.")

# Placeholders for what the host writes: the frame around it is made once for many messages.
_SUBJECT, _CONTENT = "\ue000subject\ue000", "\ue000content\ue000"


def marketing(
    organisation: Organisation,
    channel: Channel,
    content: Content,
    *,
    reason: Reason,
    link: str,
    stop: str,
    language: str,
    more: Catalogues = (),
) -> Content:
    """
    Return the host's own message with the identity and the links the law requires.

    The host's HTML goes in unchanged.
    """
    if channel is not Channel.EMAIL:
        text = catalogue(language, more).gettext("%(organisation)s: %(text)s Stop: %(link)s")
        return Content(text=text % {"organisation": organisation.name, "text": content.text.strip(), "link": link})
    frame = circular(
        "marketing",
        organisation,
        _SUBJECT,
        link=link,
        stop=stop,
        language=language,
        more=more,
        because=_BECAUSE.get(reason, _BECAUSE_OTHERWISE),
        content=_CONTENT,
    )
    html = frame.html.replace(_SUBJECT, escape(content.subject)).replace(_CONTENT, content.html) if content.html else ""
    return Content(subject=content.subject, text=frame.text.replace(_CONTENT, content.text.strip()), html=html)


def unsubscribe_headers(stop: str) -> Mapping[str, str]:
    """
    Return the headers that make a mail program show an unsubscribe button.

    Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
    """
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
