"""
Rendering of the templates, in plain text and HTML, under the letterhead of an organisation.
"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from datetime import datetime
from functools import cache, lru_cache
from gettext import NullTranslations
from html import escape
from typing import TYPE_CHECKING, Any

import attrs

from optly.contacts import Channel, Organisation
from optly.locale.i18n import SOURCE, Catalogues, catalogue, direction, install, long_date, nearest
from optly.messages import Content

if TYPE_CHECKING:
    from jinja2 import Environment

_PLAIN = str.maketrans("’‘“”–\u00a0", "''\"\"- ")

# Placeholders for the links of one person: the rest is made once for many.
_LINK, _STOP = "\ue000link\ue000", "\ue000stop\ue000"


@cache
def environment() -> Environment:
    """
    Return the environment of the templates. Loaded when it is first needed.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    made = Environment(
        loader=PackageLoader("optly.rendering"),
        autoescape=select_autoescape(enabled_extensions=("html.j2",), default=False),
        undefined=StrictUndefined,
        trim_blocks=False,
        auto_reload=False,
    )
    made.filters["wrapped"] = wrapped
    install(made)
    return made


def wrapped(text: str) -> str:
    """
    Break a paragraph of plain text into lines, without breaking links.
    """
    return textwrap.fill(text, width=76, break_long_words=False, break_on_hyphens=False)


def render(name: str, **facts: Any) -> str:
    return environment().get_template(name).render(**facts).strip() + "\n"


def in_plain_letters(text: str) -> str:
    """
    Return *text* without the typography that would make a text message cost twice as much.

    Letters stay as they are: a word spelt with a ŵ or an ê is wrong without it.
    """
    return text.translate(_PLAIN)


@attrs.frozen(kw_only=True)
class Letterhead:
    """
    What a message has whatever it says: who sends it, on which channel, in which language, and where its links lead.

    Attributes:
        link: Opens the page that the message is about; without one, the person's MyOptly page.
        stop: Stops everything or, in a marketing message, every message of its kind, unless the message says less.
        language: The nearest language there is a catalogue for is used.
        more: The catalogues of the host.
    """

    organisation: Organisation
    channel: Channel = Channel.EMAIL
    link: str = attrs.field(default="", repr=False)
    stop: str = attrs.field(default="", repr=False)
    language: str = SOURCE
    more: Catalogues = ()

    @property
    def by_email(self) -> bool:
        return self.channel is Channel.EMAIL

    @property
    def on_paper(self) -> bool:
        """
        Whether it is a letter to print.
        """
        return self.channel is Channel.POST

    @property
    def translations(self) -> NullTranslations:
        return catalogue(self.language, self.more)

    def day(self, at: datetime) -> str:
        """
        Return the date of an instant in words.
        """
        return long_date(at, nearest(self.language, self.more))

    def filled(self, sentence: str, **facts: object) -> str:
        """
        Fill the name of the organisation, the link and *facts* into a sentence.

        A text has no footer, so that the sentence names the legal person as well, if it trades under another name.
        """
        name = self.organisation.name if self.by_email else self.organisation.identity
        return sentence % {"organisation": name, "link": self.link, **facts}

    def text(self, sentence: str, **facts: object) -> Content:
        """
        Return a sentence, filled, as a text message.
        """
        return Content(text=in_plain_letters(self.filled(sentence, **facts)))

    def letter(self, name: str, subject: str, **facts: object) -> Content:
        """
        Render an email in both forms, plain text and HTML.
        """
        subject, language = self.filled(subject), nearest(self.language, self.more)
        text, html = (
            render(
                f"{name}.{form}.j2",
                organisation=self.organisation,
                subject=subject,
                link=self.link,
                stop=self.stop,
                language=language,
                direction=direction(language),
                translations=catalogue(language, self.more),
                **facts,
            )
            for form in ("txt", "html")
        )
        return Content(subject=subject, text=text, html=html)

    def circular(self, name: str, subject: str, **facts: Hashable) -> Content:
        """
        Render an email that differs only by its links from one person to the next. Rendered once for all of them.
        """
        pattern = _pattern(name, self.organisation, subject, self.language, self.more, **facts)
        return Content(
            subject=pattern.subject,
            text=pattern.text.replace(_LINK, self.link).replace(_STOP, self.stop),
            html=pattern.html.replace(_LINK, escape(self.link)).replace(_STOP, escape(self.stop)),
        )


@lru_cache(maxsize=256)
def _pattern(
    name: str, organisation: Organisation, subject: str, language: str, more: Catalogues, **facts: Hashable
) -> Content:
    """
    Render a message with placeholders for the links, as it is the same for everyone who gets it that day.
    """
    head = Letterhead(organisation=organisation, link=_LINK, stop=_STOP, language=language, more=more)
    return head.letter(name, subject, **facts)
