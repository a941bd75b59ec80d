"""
What a request, a receipt and a marketing message say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from html import escape

from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.locale.i18n import N_, Catalogues, catalogue, long_date, nearest
from optly.messages import Content
from optly.messages.replies import Says, read_reply
from optly.rendering._templates import circular, in_plain_letters
from optly.rules.decision import Reason

_BECAUSE = {
    Reason.CONSENTED: N_("You hear from %(organisation)s because you agreed to it."),
    Reason.SOFT_OPT_IN: N_(
        "You hear from %(organisation)s because you were in touch with us about similar products."
    ),
    Reason.CHARITY_SOFT_OPT_IN: N_(
        "You hear from %(organisation)s because you supported us or showed interest in our work."
    ),
    Reason.CORPORATE_SUBSCRIBER: N_(
        "You hear from %(organisation)s because we think it is of interest to your business."
    ),
}  # fmt: skip
_BECAUSE_OTHERWISE = N_("You hear from %(organisation)s because you are in touch with us.")

# Stand for what the host writes in the frame around it, which is made once for many.
_SUBJECT, _CONTENT = "\ue000subject\ue000", "\ue000content\ue000"


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
        link: Where they are answered.
        stop: Where everything is stopped.
        until: The last day on which an answer counts.
        reminder: Whether it is put a second time.
        by_reply: Whether a text may be answered by a text. It then holds the very words that are answered.
    """
    _ = catalogue(language, more).gettext
    if channel is not Channel.EMAIL:
        ask = _by_reply if by_reply else _by_link
        text = ask(organisation, wordings, link, language, more)
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
    # One link has to do: the page behind it has the stop button on it.
    text = catalogue(language, more).ngettext(
        "%(organisation)s has one question for you. Answer or stop: %(link)s",
        "%(organisation)s has %(num)d questions for you. Answer or stop: %(link)s",
        len(wordings),
    )
    return text % {"organisation": organisation.name, "num": len(wordings), "link": link}


def _by_reply(
    organisation: Organisation, wordings: Sequence[Wording], link: str, language: str, more: Catalogues
) -> str:
    """
    Return the questions in their pinned words. One is answered with its yes, several by their numbers.
    """
    _ = catalogue(language, more).gettext
    if len(wordings) == 1:
        facts = {"question": wordings[0].text, "yes": _yes_to_type(wordings[0]), "link": link}
        return _("%(question)s Reply %(yes)s or STOP: %(link)s") % facts
    asked = " ".join(f"{number}: {wording.text}" for number, wording in enumerate(wordings, 1))
    facts = {"questions": asked, "link": link}
    return _("%(questions)s Reply with the numbers you agree to, or STOP: %(link)s") % facts


def _yes_to_type(wording: Wording) -> str:
    """
    Return the yes of a question as it is typed. Where the reply would not be read as one, the English word.
    """
    return wording.yes.upper() if read_reply(wording.yes) == Says(yes=True) else "YES"


def help_text(organisation: Organisation, *, link: str, language: str = "en", more: Catalogues = ()) -> Content:
    """
    Return the answer to somebody who texts HELP: who writes, how to reach them, and how to make it stop.
    """
    reach = organisation.freephone or organisation.email or organisation.address
    text = catalogue(language, more).gettext(
        "%(organisation)s: %(reach)s. See what we send and change it: %(link)s or reply STOP"
    )
    return Content(text=in_plain_letters(text % {"organisation": organisation.name, "reach": reach, "link": link}))


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
    Return the confirmation of what somebody said yes to.
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
    Return the host's own message with the identity and the links the law asks for.

    The host's HTML is put in as it is.
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
    Return the headers that make a mail program show a button for stopping.

    Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
    """
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
