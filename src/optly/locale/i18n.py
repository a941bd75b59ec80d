"""
The languages that people are written to in: their sentences, their dates, their own names. Pure, but for reading the
catalogues.

English is the source: its sentences stand in the code and in the templates, and what a catalogue does not say is said
in English. A catalogue is read as it is edited, a ``.po`` file, and once in a process, so that no compiled file has to
be kept in step. Babel is loaded when a language other than English, or a date, is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from optly.errors import ConfigurationError, NaiveDatetimeError
from optly.instants import london

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

    from babel import Locale
    from babel.messages.catalog import Catalog
    from jinja2 import Environment
    from jinja2.runtime import Context

SOURCE: Final = "en"
LANGUAGES: Final = (SOURCE, "cy")

Catalogues: TypeAlias = tuple[Path, ...]
"""
Directories of the host with catalogues ``<tag>.po``. What the first says comes before the others, and ours last.
"""

_TAG: Final = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII | re.IGNORECASE)
_RANGE: Final = re.compile(rf"\s*({_TAG.pattern})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{{0,3}})?)\s*)?", re.ASCII | re.I)
_NAME: Final = re.compile(r"%\((\w+)\)")
_LONGEST_TAG, _LONGEST_HEADER = 35, 1000


def N_(message: str) -> str:
    """
    Return *message* as it is. Marks a sentence for the catalogues that is translated where it is used.
    """
    return message


def is_tag(text: str) -> bool:
    """
    Whether a text has the form of a BCP 47 tag, such as ``cy`` or ``zh-Hant``.
    """
    return len(text) <= _LONGEST_TAG and _TAG.fullmatch(text) is not None


# ---- catalogues


def languages(more: Catalogues = ()) -> tuple[str, ...]:
    """
    Return the languages there are catalogues for: ours first, then those that only the host has, by their tags.

    Raises:
        ConfigurationError: One of *more* is not a directory, or holds a catalogue not named by a BCP 47 tag.
    """
    theirs = {tag.lower(): tag for directory in more for tag in _catalogues_in(directory)}
    return (*LANGUAGES, *sorted(theirs[tag] for tag in theirs.keys() - set(LANGUAGES)))


def require_readable(more: Catalogues) -> None:
    """
    Read the catalogues of a host, so that one that cannot be used is told now and not to somebody who waits for a page.

    Raises:
        ConfigurationError: One cannot be used.
    """
    if more:
        for tag in languages(more):
            catalogue(tag, more)


@lru_cache(maxsize=16)
def _catalogues_in(directory: Path) -> Mapping[str, Path]:
    if not directory.is_dir():
        raise ConfigurationError(f"there is no directory of catalogues at {directory}")
    found = {path.stem: path for path in sorted(directory.glob("*.po"))}
    for tag, path in found.items():
        if not is_tag(tag):
            raise ConfigurationError(f"{path} must be named by a BCP 47 tag, such as pl.po or zh-Hant.po")
    return MappingProxyType(found)


def catalogue(language: str, more: Catalogues = ()) -> NullTranslations:
    """
    Return the sentences of *language*: of ``cy-GB`` those of ``cy``, and of a language there is no catalogue for the
    English ones.

    The same object each time; changes to a file are seen by the next process.

    Raises:
        ConfigurationError: A catalogue cannot be read, or names other placeholders than the sentence it translates.
    """
    return _sentences(nearest(language, more), more)


@lru_cache(maxsize=64)
def _sentences(tag: str, more: Catalogues) -> NullTranslations:
    return _chained((*truncated(tag), SOURCE), more, NullTranslations())


@lru_cache(maxsize=64)
def alone(language: str, more: Catalogues = ()) -> NullTranslations:
    """
    Return the sentences of *language* without the English ones: what it does not say is the empty text.

    For what may only be said in one language from beginning to end, such as a question.
    """
    tags = truncated(language)
    return _chained(tags, more, NullTranslations() if tags[-1] == SOURCE else _Silence())


class _Silence(NullTranslations):
    """
    The catalogue that says nothing.
    """

    def gettext(self, message: str) -> str:
        return ""

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return ""

    def pgettext(self, context: str, message: str) -> str:
        return ""

    def npgettext(self, context: str, msgid1: str, msgid2: str, n: int) -> str:
        return ""


def _chained(tags: Iterable[str], more: Catalogues, last: NullTranslations) -> NullTranslations:
    """
    Return what looks through the catalogues of *tags* one after the other.
    """
    chain = last
    for file, language in reversed([(file, tag) for tag in tags for file in _files(tag, more)]):
        found = GNUTranslations(BytesIO(_compiled(_read(file), language, str(file))))
        found.add_fallback(chain)
        chain = found
    return chain


def _files(tag: str, more: Catalogues) -> Iterator[Traversable]:
    for directory in more:
        for name, path in _catalogues_in(directory).items():
            if name.lower() == tag.lower():
                yield path
    if tag in LANGUAGES and tag != SOURCE:
        yield files("optly") / "locale" / f"{tag}.po"


def _read(file: Traversable) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigurationError(f"the catalogue {file} cannot be read: {error}") from error


@lru_cache(maxsize=64)
def _compiled(text: str, tag: str, name: str) -> bytes:
    """
    Return a catalogue in the form that `gettext` reads. What is marked as fuzzy or obsolete is not in it.
    """
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import PoFileError, read_po

    try:
        found = read_po(text.split("\n"), locale=tag.replace("-", "_"), abort_invalid=True)
        compiled = BytesIO()
        write_mo(compiled, found)
        GNUTranslations(BytesIO(compiled.getvalue()))  # reads the rule of the plurals
    except (PoFileError, ValueError) as error:
        raise ConfigurationError(f"the catalogue {name} is malformed: {error}") from error
    for problem in problems(found):
        raise ConfigurationError(f"the catalogue {name} cannot be used: {problem}")
    return compiled.getvalue()


def problems(found: Catalog) -> Iterator[str]:
    """
    Yield what is wrong with the translations of a catalogue, in sentences that name them.

    Each has to hold the placeholders of what it translates, so that no link and no name gets lost. The number itself
    may be left out where there is one form for each, as in "a question" beside "%(num)d questions".
    """
    from babel.messages.catalog import Message

    for message in found:
        if not message.id or message.fuzzy:
            continue
        ids, texts = _forms(message.id), _forms(message.string)
        # Each form against the last, which holds every placeholder: in Welsh the first is not the singular.
        for text in texts:
            yield from (
                f"{message.id!r}: {error}" for error in Message(ids[-1], text, flags=message.flags).check(found)
            )
        named = [_placeholders(text) for text in ids]
        allowed = frozenset().union(*named)
        needed = allowed - {"num"} if len(ids) > 1 else allowed
        if any(text and not needed <= _placeholders(text) <= allowed for text in texts):
            yield f"{message.id!r}: its translation does not hold the same placeholders"
        elif not all(_can_be_filled_in(text, allowed) for text in texts):
            yield f"{message.id!r}: its translation holds a % that stands for nothing; write %%"


def _can_be_filled_in(text: str, names: Iterable[str]) -> bool:
    try:
        text % dict.fromkeys(names, 0)
    except (TypeError, ValueError):
        return False
    return True


def _forms(text: str | Iterable[str] | None) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text or ())


def _placeholders(text: str) -> frozenset[str]:
    return frozenset(_NAME.findall(text))


# ---- negotiation


def truncated(tag: str) -> tuple[str, ...]:
    """
    Return the tag and what it falls back to: ``zh-Hant-TW``, ``zh-Hant``, ``zh``.

    Source: RFC 4647 section 3.4.
    """
    parts = tag.split("-")
    return tuple("-".join(parts[:count]) for count in range(len(parts), 0, -1))


def negotiate(wanted: Sequence[str], offered: Sequence[str]) -> str:
    """
    Return the one of *offered* that somebody understands best who wants *wanted*, best first. English if there is none.
    """
    # Babel's own negotiation goes from zh-Hant-TW straight to zh, past a zh-Hant that is offered.
    spelt = {tag.lower(): tag for tag in offered}
    return next((spelt[part] for tag in wanted for part in truncated(tag.lower()) if part in spelt), SOURCE)


@lru_cache(maxsize=256)
def nearest(language: str, more: Catalogues = ()) -> str:
    """
    Return the language in which somebody who speaks *language* is written to: the nearest there is a catalogue for.
    """
    return SOURCE if language == SOURCE else negotiate([language], languages(more))


def parse_accept(header: str) -> tuple[str, ...]:
    """
    Return the languages of an ``Accept-Language`` header, the most wanted first. What is malformed is left out.

    Source: RFC 9110 section 12.5.4.
    """
    ranges = [found for part in header[:_LONGEST_HEADER].split(",") if (found := _RANGE.fullmatch(part))]
    weighed = [(float(found[2] or 1), found[1]) for found in ranges]
    return tuple(tag for weight, tag in sorted(weighed, key=_unwanted) if weight)


def _unwanted(weighed: tuple[float, str]) -> float:
    return -weighed[0]


# ---- what CLDR knows of a language


@lru_cache(maxsize=256)
def _locale(tag: str) -> Locale | None:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(tag, sep="-")
    except (UnknownLocaleError, ValueError):
        return None


def language_name(tag: str) -> str:
    """
    Return what a language calls itself, ``Cymraeg``, to stand by itself. The tag, where that is not known.
    """
    locale = _locale(tag)
    name = locale.get_display_name(locale) if locale else None
    return name[0].upper() + name[1:] if name else tag


def direction(tag: str) -> str:
    """
    Return whether a language is written from left to right, ``ltr``, or from right to left, ``rtl``.
    """
    locale = _locale(tag)
    return locale.text_direction if locale else "ltr"


# ---- dates


def _in_london(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise NaiveDatetimeError("a time without a time zone names no instant, so it cannot be shown")
    return at.astimezone(london())


def _convention(language: str) -> Locale:
    """
    Return by whose habits dates are written: those of Britain, where a language does not say whose.
    """
    british = _locale("en-GB") if language == SOURCE else _locale(language) or _locale("en-GB")
    assert british is not None
    return british


def long_date(at: datetime, language: str = SOURCE) -> str:
    """
    Write the date on which an instant falls in the United Kingdom as ``24 November 2026`` or ``24 Tachwedd 2026``.
    """
    return _long_date(_in_london(at).date(), language)


def clock_time(at: datetime, language: str = SOURCE) -> str:
    """
    Write the time that clocks in the United Kingdom show at an instant as ``14:05``.
    """
    return _short_time(_in_london(at).time(), language)


def long_datetime(at: datetime, language: str = SOURCE) -> str:
    """
    Write what calendars and clocks in the United Kingdom show at an instant as ``24 November 2026, 14:05``.
    """
    joined: str = _convention(language).datetime_formats["long"]
    return joined.replace("'", "").replace("{0}", clock_time(at, language)).replace("{1}", long_date(at, language))


@lru_cache(maxsize=1024)
def _long_date(day: date, language: str) -> str:
    from babel.dates import format_date

    return format_date(day, "long", locale=_convention(language))


def _short_time(shown: time, language: str) -> str:
    from babel.dates import format_time

    return format_time(shown, "short", locale=_convention(language))


# ---- templates


def install(environment: Environment) -> None:
    """
    Let the templates of *environment* speak, with ``{% trans %}`` and ``_()``, from the catalogue that each is given as
    *translations*.

    So one environment, and one compiled template, serves every language. A template that is imported has to be imported
    ``with context``.
    """
    from jinja2 import pass_context

    @pass_context
    def gettext(context: Context, message: str) -> str:
        return _of(context).gettext(message)

    @pass_context
    def ngettext(context: Context, one: str, several: str, count: int) -> str:
        return _of(context).ngettext(one, several, count)

    @pass_context
    def pgettext(context: Context, about: str, message: str) -> str:
        return _of(context).pgettext(about, message)

    @pass_context
    def npgettext(context: Context, about: str, one: str, several: str, count: int) -> str:
        return _of(context).npgettext(about, one, several, count)

    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    extended: Any = environment  # by the extension
    extended.install_gettext_callables(gettext, ngettext, newstyle=True, pgettext=pgettext, npgettext=npgettext)


def _of(context: Context) -> NullTranslations:
    translations: NullTranslations = context["translations"]
    return translations
