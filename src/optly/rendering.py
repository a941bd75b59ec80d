"""
What a request, a receipt and a marketing message look like. Pure.

No name and no other text that somebody typed into a form goes into a request: whoever fills in the form could otherwise
have us send their words to a stranger.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from optly.addresses import Channel
from optly.messages import Content
from optly.parties import Organisation
from optly.purposes import Wording
from optly.rules.decision import Reason

if TYPE_CHECKING:
    from jinja2 import Environment

# Not strftime: the names it writes depend on the locale of the process.
_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)

_BECAUSE = {
    Reason.CONSENTED: "you agreed to it",
    Reason.SOFT_OPT_IN: "you were in touch with us about similar products",
    Reason.CHARITY_SOFT_OPT_IN: "you supported us or showed interest in our work",
    Reason.CORPORATE_SUBSCRIBER: "we think it is of interest to your business",
}


_PLAIN = str.maketrans("’‘“”–\u00a0", "''\"\"- ")


def long_date(at: datetime) -> str:
    """
    Write a date as ``24 November 2026``.
    """
    return f"{at.day} {_MONTHS[at.month - 1]} {at.year}"


@cache
def environment() -> Environment:
    """
    Return the templates. Loaded when they are first needed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    return Environment(
        loader=PackageLoader("optly"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=False,
        auto_reload=False,
    )


def render(name: str, **facts: Any) -> str:
    """
    Fill in a template.
    """
    return environment().get_template(name).render(**facts).strip() + "\n"


def _in_plain_letters(text: str) -> str:
    """
    Return *text* without the typography that would make a text message cost twice as much.
    """
    return text.translate(_PLAIN)


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
    if channel is not Channel.EMAIL:
        text = _by_reply(wordings, link) if by_reply else _by_link(organisation, len(wordings), link)
        return Content(text=_in_plain_letters(f"Reminder. {text}" if reminder else text))
    subject = f"{organisation.name}: what would you like to hear about?"
    subject = f"Reminder from {subject}" if reminder else subject
    facts = {"until": long_date(until)}
    return _with_links(_pattern("request", organisation, tuple(wordings), language, subject, **facts), link, stop)


# Stand for the links of one person in what is made once for many.
_LINK, _STOP = "\ue000link\ue000", "\ue000stop\ue000"


@lru_cache(maxsize=256)
def _pattern(
    name: str, organisation: Organisation, wordings: tuple[Wording, ...], language: str, subject: str, **facts: str
) -> Content:
    """
    Fill in a template, in both forms, as far as it is the same for everybody who is told these words on this day.
    """
    facts |= {"link": _LINK, "stop": _STOP, "language": language, "subject": subject}
    text, html = (
        render(f"{name}.{form}.j2", organisation=organisation, wordings=wordings, **facts) for form in ("txt", "html")
    )
    return Content(subject=subject, text=text, html=html)


def _with_links(pattern: Content, link: str, stop: str) -> Content:
    return Content(
        subject=pattern.subject,
        text=pattern.text.replace(_LINK, link).replace(_STOP, stop),
        html=pattern.html.replace(_LINK, escape(link)).replace(_STOP, escape(stop)),
    )


def _by_link(organisation: Organisation, questions: int, link: str) -> str:
    # One link has to do: the page behind it has the stop button on it.
    asks = "one question" if questions == 1 else f"{questions} questions"
    return f"{organisation.name} has {asks} for you. Answer or stop: {link}"


def _by_reply(wordings: Sequence[Wording], link: str) -> str:
    """
    Return the questions in their pinned words. One is answered with YES, several by their numbers.
    """
    if len(wordings) == 1:
        return f"{wordings[0].text} Reply YES or STOP: {link}"
    asked = " ".join(f"{number}: {wording.text}" for number, wording in enumerate(wordings, 1))
    return f"{asked} Reply with the numbers you agree to, or STOP: {link}"


def help_text(organisation: Organisation, *, link: str) -> Content:
    """
    Return the answer to somebody who texts HELP: who writes, how to reach them, and how to make it stop.
    """
    reach = organisation.freephone or organisation.email or organisation.address
    return Content(
        text=_in_plain_letters(f"{organisation.name}: {reach}. See what we send and change it: {link} or reply STOP")
    )


def receipt(
    organisation: Organisation,
    channel: Channel,
    wordings: Sequence[Wording],
    *,
    on: datetime,
    link: str,
    stop: str,
    language: str,
) -> Content:
    """
    Return the confirmation of what somebody said yes to.
    """
    if channel is not Channel.EMAIL:
        return Content(
            text=_in_plain_letters(f"{organisation.name}: your choices are saved. Change them or stop: {link}")
        )
    subject = f"{organisation.name}: your choices are saved"
    facts = {"on": long_date(on)}
    return _with_links(_pattern("receipt", organisation, tuple(wordings), language, subject, **facts), link, stop)


def marketing(
    organisation: Organisation,
    channel: Channel,
    content: Content,
    *,
    reason: Reason,
    link: str,
    stop: str,
    language: str,
) -> Content:
    """
    Return the host's own message with the identity and the links the law asks for.

    The host's HTML is put in as it is.
    """
    if channel is not Channel.EMAIL:
        return Content(text=f"{organisation.name}: {content.text.strip()} Stop: {link}")
    from markupsafe import Markup

    facts: dict[str, Any] = {
        "organisation": organisation,
        "because": _BECAUSE.get(reason, "you are in touch with us"),
        "link": link,
        "stop": stop,
        "language": language,
        "subject": content.subject,
    }
    html = render("marketing.html.j2", content=Markup(content.html), **facts) if content.html else ""  # noqa: S704
    return Content(
        subject=content.subject, text=render("marketing.txt.j2", content=content.text.strip(), **facts), html=html
    )


def unsubscribe_headers(stop: str) -> Mapping[str, str]:
    """
    Return the headers that make a mail program show a button for stopping.

    Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
    """
    return {"List-Unsubscribe": f"<{stop}>", "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
