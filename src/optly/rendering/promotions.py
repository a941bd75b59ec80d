"""
The frame around a marketing message of the host: who sends it, why the person receives it, and how to stop it.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from optly.locale.i18n import N_
from optly.messages import Content
from optly.rendering._templates import Letterhead
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


def marketing(head: Letterhead, content: Content, *, reason: Reason, stops: str = "") -> Content:
    """
    Return the host's own message with the identity and the links the law requires.

    The host's HTML goes in unchanged.

    Args:
        stops: The one thing that the stop link stops, in words; empty if it stops every message of this kind.
    """
    if not head.by_email:
        _ = head.translations.gettext
        text = (
            _("%(organisation)s: %(text)s Stop %(what)s: %(link)s")
            if stops
            else _("%(organisation)s: %(text)s Stop: %(link)s")
        )
        return Content(text=head.filled(text, text=content.text.strip(), what=stops))
    because = _BECAUSE.get(reason, _BECAUSE_OTHERWISE)
    frame = head.circular("marketing", _SUBJECT, because=because, content=_CONTENT, what=stops)
    html = frame.html.replace(_SUBJECT, escape(content.subject)).replace(_CONTENT, content.html) if content.html else ""
    return Content(subject=content.subject, text=frame.text.replace(_CONTENT, content.text.strip()), html=html)


def unsubscribe_headers(stop: str) -> Mapping[str, str]:
    """
    Return the headers that make a mail program show an unsubscribe button.

    Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
    """
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
