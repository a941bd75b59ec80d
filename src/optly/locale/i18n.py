"""
The languages of pages and messages: their sentences, dates and names. Pure, except for reading the catalogues.

English is the source: its sentences are in the code and the templates, and a sentence missing from a catalogue is shown
in English. Catalogues are ``.po`` files, read once in a process, so there are no compiled files to keep in step. Babel
is loaded when a language other than English, or a date, is first needed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from gettext import GNUTranslations, NullTranslations
from html import unescape
from importlib.resources import files
from io import BytesIO
from operator import itemgetter
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from unicodedata import category

from optly.errors import ConfigurationError, NaiveDatetimeError, UsageError
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
Directories of the host with catalogues ``<tag>.po``. The first takes precedence over the others, and ours comes last.
"""

_TAG: Final = re.compile(r"[a-z]{1,8}(?:-[a-z0-9]{1,8})*", re.ASCII | re.IGNORECASE)
# No language is called by more than three letters, and an x leads what somebody has agreed on with somebody else.
_LANGUAGE: Final = re.compile(r"(?:[a-z]{2,3}|x(?=-))(?:-[a-z0-9]{1,8})*", re.ASCII)
_CODESET: Final = re.compile(r"\.[a-z0-9-]+", re.ASCII)
_RANGE: Final = re.compile(rf"\s*({_TAG.pattern})\s*(?:;\s*q\s*=\s*([01](?:\.[0-9]{{0,3}})?)\s*)?", re.ASCII | re.I)
_TAGS: Final = re.compile(r"<[^<>]*>")
_ELSEWHERE: Final = re.compile(r'href="https://[^"]*"')
_ELEMENTS: Final = re.compile(r"<(/?)([a-z]+)[^<>]*>")
_NAME: Final = re.compile(r"%\((\w+)\)")
_LONGEST_TAG, _LONGEST_HEADER = 35, 1000


def N_(message: str) -> str:
    """
    Return *message* unchanged. Marks a sentence for the catalogues that is translated where it is used.
    """
    return message


@lru_cache(maxsize=256)
def spelt(tag: str) -> str | None:
    """
    Return a language tag in the spelling in which it is recorded and compared, that of BCP 47: ``cy-GB`` for ``cy_GB``,
    ``CY-gb``, ``cym-GB`` and the C library's ``cy_GB.UTF-8``. None for what has not the form of a tag.

    Source: RFC 5646 section 2.1.1; section 4.5 for the shorter of two names.
    """
    text = _CODESET.sub("", tag.strip().lower().replace("_", "-"), count=1)
    if len(text) > _LONGEST_TAG or not _LANGUAGE.fullmatch(text):
        return None
    language, *others = text.split("-")
    single = next((place for place, part in enumerate(others) if len(part) == 1), len(others))
    if language == "x":
        single = 0
    parts = [_cased(part) if place < single else part for place, part in enumerate(others)]
    return "-".join((_shortest(language), *parts))


def _cased(subtag: str) -> str:
    return subtag.upper() if len(subtag) == 2 else subtag.title() if len(subtag) == 4 else subtag


def _shortest(language: str) -> str:
    if len(language) < 3:
        return language
    from babel.core import get_global

    shorter: str = get_global("language_aliases").get(language, language)
    return shorter if len(shorter) == 2 else language


def spelt_or_same(tag: str) -> str:
    """
    Return a language tag as `spelt`; what has not the form of one is returned as it is.
    """
    return spelt(tag) or tag


def read_tag(text: str) -> str:
    """
    Return a language tag that a host gives, as `spelt`.

    Raises:
        UsageError: It has not the form of a tag.
    """
    tag = spelt(text)
    if tag is None:
        raise UsageError("a language is named by its BCP 47 tag, such as en, cy or cy-GB")
    return tag


def read_tag_or_none(text: str | None) -> str | None:
    """
    Return a language tag as `read_tag` does; None stays None.
    """
    return None if text is None else read_tag(text)


# ---- catalogues


def languages(more: Catalogues = ()) -> tuple[str, ...]:
    """
    Return the languages that have a catalogue: ours first, then those that only the host has, by tag.

    Raises:
        ConfigurationError: One of *more* is not a directory, or holds a catalogue not named by a BCP 47 tag.
    """
    theirs = {tag for directory in more for tag in _catalogues_in(directory)}
    return (*LANGUAGES, *sorted(theirs.difference(LANGUAGES)))


def require_readable(more: Catalogues) -> None:
    """
    Read the catalogues of a host, so that an unusable one fails now and not when someone opens a page.

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
    found: dict[str, Path] = {}
    for path in sorted(directory.glob("*.po")):
        tag = spelt(path.stem)
        if tag is None:
            raise ConfigurationError(f"{path} must be named by a BCP 47 tag, such as pl.po or zh-Hant.po")
        if tag in found:
            raise ConfigurationError(f"{path} and {found[tag].name} are catalogues of the same language")
        found[tag] = path
    return MappingProxyType(found)


def catalogue(language: str, more: Catalogues = ()) -> NullTranslations:
    """
    Return the sentences of *language*: for ``cy-GB`` those of ``cy``, and the English ones for a language without a
    catalogue.

    The same object each time; the next process sees changes to a file.

    Raises:
        ConfigurationError: A catalogue cannot be read, or a translation has other placeholders than its sentence.
    """
    return _sentences(nearest(language, more), more)


@lru_cache(maxsize=64)
def _sentences(tag: str, more: Catalogues) -> NullTranslations:
    return _chained((*truncated(tag), SOURCE), more, NullTranslations())


@lru_cache(maxsize=64)
def alone(language: str, more: Catalogues = ()) -> NullTranslations:
    """
    Return the sentences of *language* without the English ones: a missing sentence is the empty text.

    For texts that must be in one language throughout, such as a question.
    """
    tags = truncated(language)
    return _chained(tags, more, NullTranslations() if tags[-1] == SOURCE else _Silence())


class _Silence(NullTranslations):
    """
    A catalogue in which every sentence is empty.
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
    Return translations that try the catalogues of *tags* in order.
    """
    chain = last
    for file, language in reversed([(file, tag) for tag in tags for file in _files(tag, more)]):
        found = GNUTranslations(BytesIO(_compiled(_read(file), language, str(file))))
        found.add_fallback(chain)
        chain = found
    return chain


def _files(tag: str, more: Catalogues) -> Iterator[Traversable]:
    for directory in more:
        if (path := _catalogues_in(directory).get(tag)) is not None:
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
    Return a catalogue in the form that `gettext` reads, without its fuzzy and obsolete entries.
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
    Yield the problems of a catalogue, in sentences that name the translation.

    A translation must have the placeholders and the tags of its sentence, so that no link, name or button gets lost:
    it stands on the page as it is. It says something. A plural form may leave out the number, as in "a question" beside
    "%(num)d questions".
    """
    from babel.messages.catalog import Message

    for message in found:
        if not message.id or message.fuzzy:
            continue
        ids, texts = _forms(message.id), _forms(message.string)
        # Check each form against the last, which has every placeholder: in Welsh the first is not the singular.
        for text in texts:
            yield from (
                f"{message.id!r}: {error}" for error in Message(ids[-1], text, flags=message.flags).check(found)
            )
        named = [_placeholders(text) for text in ids]
        allowed = frozenset().union(*named)
        needed = allowed - {"num"} if len(ids) > 1 else allowed
        if any(text and not needed <= _placeholders(text) <= allowed for text in texts):
            yield f"{message.id!r}: its translation does not have the same placeholders"
        elif not all(_can_be_filled_in(text, allowed) for text in texts):
            yield f"{message.id!r}: its translation has a % without a placeholder; write %%"
        elif any(text and _tags(text) != _tags(ids[-1]) for text in texts):
            yield f"{message.id!r}: its translation does not have the same tags"
        elif not all(_is_closed(text) for text in texts):
            yield f"{message.id!r}: the tags of its translation are not closed in order"
        elif any(text and not _is_seen(text) for text in texts):
            yield f"{message.id!r}: its translation says nothing"


def _tags(text: str) -> list[str]:
    """
    Return the tags in a text, sorted. Where else a link to another site leads is up to the language.
    """
    return sorted(_ELSEWHERE.sub('href="https://"', tag) for tag in _TAGS.findall(text))


def _is_closed(text: str) -> bool:
    """
    Whether each element that a text opens is closed in it, and nothing looks like a tag and is none.
    """
    opened: list[str] = []
    for closes, name in _ELEMENTS.findall(text):
        if not closes:
            opened.append(name)
        elif not opened or opened.pop() != name:
            return False
    return not opened and "<" not in _TAGS.sub("", text)


def _is_seen(text: str) -> bool:
    return any(category(letter)[0] not in "CZ" for letter in unescape(_TAGS.sub("", text)))


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
    Return the tag, as `spelt`, and what it falls back to: ``zh-Hant-TW``, ``zh-Hant``, ``zh``.

    Source: RFC 4647 section 3.4.
    """
    parts = spelt_or_same(tag).split("-")
    return tuple("-".join(parts[:count]) for count in range(len(parts), 0, -1))


def negotiate(wanted: Sequence[str], offered: Sequence[str]) -> str:
    """
    Return the language of *offered* that best matches *wanted*, most wanted first. English if none does.
    """
    # Babel's own negotiation goes from zh-Hant-TW straight to zh and ignores an offered zh-Hant.
    return next((part for tag in wanted for part in truncated(tag) if part in offered), SOURCE)


@lru_cache(maxsize=256)
def nearest(language: str, more: Catalogues = ()) -> str:
    """
    Return the language to use for a person who speaks *language*: the nearest with a catalogue.
    """
    return SOURCE if language == SOURCE else negotiate([language], languages(more))


def parse_accept(header: str) -> tuple[str, ...]:
    """
    Return the languages of an ``Accept-Language`` header, the most wanted first. Malformed parts are left out.

    Source: RFC 9110 section 12.5.4.
    """
    ranges = [found for part in header[:_LONGEST_HEADER].split(",") if (found := _RANGE.fullmatch(part))]
    weighed = [(float(found[2] or 1), found[1]) for found in ranges]
    return tuple(tag for weight, tag in sorted(weighed, key=itemgetter(0), reverse=True) if weight)


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
    Return a language's own name, such as ``Cymraeg``, capitalised. The tag if the name is unknown.
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
        raise NaiveDatetimeError("the time has no time zone, so it cannot be shown")
    return at.astimezone(london())


def _convention(language: str) -> Locale:
    """
    Return the locale whose conventions dates follow: that of Britain where the language does not name one.
    """
    british = _locale("en-GB") if language == SOURCE else _locale(language) or _locale("en-GB")
    assert british is not None
    return british


def long_date(at: datetime, language: str = SOURCE) -> str:
    """
    Return the date of an instant in the United Kingdom, such as ``24 November 2026`` or ``24 Tachwedd 2026``.
    """
    return _long_date(_in_london(at).date(), language)


def clock_time(at: datetime, language: str = SOURCE) -> str:
    """
    Return the time of an instant in the United Kingdom, such as ``14:05``.
    """
    from babel.dates import format_time

    return format_time(_in_london(at).time(), "short", locale=_convention(language))


def long_datetime(at: datetime, language: str = SOURCE) -> str:
    """
    Return the date and time of an instant in the United Kingdom, such as ``24 November 2026, 14:05``.
    """
    joined: str = _convention(language).datetime_formats["long"]
    return joined.replace("'", "").replace("{0}", clock_time(at, language)).replace("{1}", long_date(at, language))


@lru_cache(maxsize=1024)
def _long_date(day: date, language: str) -> str:
    from babel.dates import format_date

    return format_date(day, "long", locale=_convention(language))


# ---- templates


def install(environment: Environment) -> None:
    """
    Translate the templates of *environment*, with ``{% trans %}`` and ``_()``, by the catalogue that each is given as
    *translations*.

    So one environment, and one compiled template, serves every language. Import a template ``with context``.
    """
    from jinja2 import pass_context

    def of(name: str) -> Callable[..., str]:
        @pass_context
        def translate(context: Context, *said: str | int) -> str:
            translated: str = getattr(context["translations"], name)(*said)
            return translated

        return translate

    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    extended: Any = environment  # by the extension
    extended.install_gettext_callables(
        of("gettext"), of("ngettext"), newstyle=True, pgettext=of("pgettext"), npgettext=of("npgettext")
    )
