"""
Rendering of the templates, in plain text and HTML, and the alphabet of a text message.
"""

from __future__ import annotations

import textwrap
from collections.abc import Hashable
from functools import cache, lru_cache
from html import escape
from typing import TYPE_CHECKING, Any

from optly.contacts.parties import Organisation
from optly.locale.i18n import Catalogues, catalogue, direction, install, nearest
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
    """
    Render a template.
    """
    return environment().get_template(name).render(**facts).strip() + "\n"


def letter(
    name: str, organisation: Organisation, subject: str, *, language: str, more: Catalogues, **facts: object
) -> Content:
    """
    Render a message in both forms, plain text and HTML.
    """
    spoken = nearest(language, more)
    text, html = (
        render(
            f"{name}.{form}.j2",
            organisation=organisation,
            subject=subject,
            language=spoken,
            direction=direction(spoken),
            translations=catalogue(spoken, more),
            **facts,
        )
        for form in ("txt", "html")
    )
    return Content(subject=subject, text=text, html=html)


@lru_cache(maxsize=256)
def _pattern(
    name: str, organisation: Organisation, subject: str, language: str, more: Catalogues, **facts: Hashable
) -> Content:
    """
    Render a message with placeholders for the links, as it is the same for everyone who gets it that day.
    """
    return letter(name, organisation, subject, language=language, more=more, link=_LINK, stop=_STOP, **facts)


def circular(
    name: str,
    organisation: Organisation,
    subject: str,
    *,
    link: str,
    stop: str,
    language: str,
    more: Catalogues,
    **facts: Hashable,
) -> Content:
    """
    Render a message that differs only by its links from one person to the next. Rendered once for all of them.
    """
    pattern = _pattern(name, organisation, subject, language, more, **facts)
    return Content(
        subject=pattern.subject,
        text=pattern.text.replace(_LINK, link).replace(_STOP, stop),
        html=pattern.html.replace(_LINK, escape(link)).replace(_STOP, escape(stop)),
    )


def in_plain_letters(text: str) -> str:
    """
    Return *text* without the typography that would make a text message cost twice as much.

    Letters stay as they are: a word spelt with a ŵ or an ê is wrong without it.
    """
    return text.translate(_PLAIN)
