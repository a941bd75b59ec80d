"""
Plain text, out of what arrives or is sent as something else. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from html import unescape
from typing import Final

import attrs

_NOT_TEXT: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


def clean(text: str) -> str:
    """
    Return *text* without what a store cannot keep: control characters and halves of characters are replaced.
    """
    return text if text.isprintable() else _NOT_TEXT.sub("\ufffd", text)


_NOT_ASCII: Final = re.compile(r"[^\x00-\x7f]+")


class Table(dict[int, str | None]):
    """
    What becomes of each character, by its number. Looked up once for each.
    """

    def __init__(self, become: Callable[[str], str]) -> None:
        """
        Args:
            become: Returns what becomes of a character. Of that, nothing else becomes.
        """
        super().__init__()
        self._become = become

    def __missing__(self, number: int) -> str | None:
        return self.setdefault(number, self._become(chr(number)) or None)

    def translate(self, text: str) -> str:
        """
        Return what becomes of a text.
        """
        if not text.isascii():  # the library is ten times as fast where all is ASCII, and most of this mostly is
            text = _NOT_ASCII.sub(lambda found: found[0].translate(self), text)
        return text.translate(self)


# ---- HTML

_OLD: Final = f"\n{'_' * 20}\n"  # read as the line below which a mail is quoted without a mark
_SPACES = re.compile(r"\s+")
_TAG = re.compile(r"<(/?)([a-z][a-z0-9]*)([^<>]*)>", re.IGNORECASE)
_CLASS = re.compile(r"\bclass\s*=\s*[\"']?([\w -]*)", re.IGNORECASE)
_NAMED = re.compile(r"\b(?:id|name)\s*=\s*[\"']?([\w-]*)", re.IGNORECASE)
_LINK = re.compile(r"\bhref\s*=\s*[\"']?(https?://[^\s\"'<>]{1,1000})", re.IGNORECASE)
_BREAKS = frozenset({"br", "p", "div", "tr", "li", "h1", "h2", "h3", "h4", "h5", "h6", "table", "ul", "ol", "hr"})
_HIDDEN = frozenset({"script", "style", "head", "title", "template"})
# Of a div. What Gmail and Proton quote is in a blockquote, and what a person writes below that is in the same div.
_QUOTES = frozenset({"yahoo_quoted", "quote", "quoted-content"})  # the last two are names, by GMX and mail.com
_OLD_FROM_HERE = frozenset({"divRplyFwdMsg", "appendonsend"})


def from_html(html: str) -> str:
    """
    Convert HTML to text, with the lines of a quote marked with ``>``, those of a quote within it with ``>>``, and the
    address of a link behind it.

    By hand, because the library's parser takes up to a minute for 64 KiB of hostile HTML, and fails on some.
    """
    visible = html.partition("<!--")[0] + "".join(part.partition("-->")[2] for part in html.split("<!--")[1:])
    text = _Text()
    inside, depth, quoted = "", 0, False
    pieces = iter([*_TAG.split(visible), "", "", ""])  # of the last text no tag follows
    for before, closes, name, attributes in zip(pieces, pieces, pieces, pieces, strict=True):
        if before and not (depth and inside in _HIDDEN):
            text.add(before, level=_level(inside, depth, quoted) if quoted else 0)
        name = name.lower()
        if depth:
            depth += (-1 if closes else 1) if name == inside else 0
            if not depth:
                text.break_line()
        elif not closes and name in _HIDDEN:
            inside, depth, quoted = name, 1, False
        elif not closes and (name == "blockquote" or (name == "div" and _bears(attributes, _QUOTES))):
            inside, depth, quoted = name, 1, True
            text.break_line()
        elif _bears(attributes, _OLD_FROM_HERE):
            text.write(_OLD)
        if name in _BREAKS:
            text.break_line()
        elif name == "a":
            text.link("" if closes else _match_link(attributes))
    return text.text()


def _level(inside: str, depth: int, quoted: bool) -> int:
    """
    Return how many quotes deep a text stands.
    """
    if not quoted or not depth:
        return 0
    return depth if inside == "blockquote" else 1  # what is within a div need not be a quote


@attrs.define
class _Text:
    """
    Text that is written piece by piece.
    """

    pieces: list[str] = attrs.field(factory=list, repr=False)
    begun: bool = False
    href: str = attrs.field(default="", repr=False)

    def add(self, html: str, *, level: int) -> None:
        words = _words(html)
        if not words or (not self.begun and words == " "):
            return
        if level and not self.begun:
            self.pieces.append(f"{'>' * level} ")
        self.pieces.append(words)
        self.begun = True

    def link(self, href: str) -> None:
        """
        Begin a link, or end one: its address follows its words.
        """
        if self.href and self.begun and self.href not in self.pieces[-1]:
            self.pieces.append(f" <{self.href}>")
        self.href = href

    def break_line(self) -> None:
        self.pieces.append("\n")
        self.begun = False

    def write(self, text: str) -> None:
        self.pieces.append(text)
        self.begun = False

    def text(self) -> str:
        return clean("".join(self.pieces))


def _bears(attributes: str, marks: frozenset[str]) -> bool:
    """
    Whether one of these is a class, the name or the id in the attributes of a tag.
    """
    if "=" not in attributes or not any(mark in attributes for mark in marks):  # as nearly always
        return False
    found = _CLASS.search(attributes)
    values = set(found[1].split()) if found else set()
    return not marks.isdisjoint(values.union(_NAMED.findall(attributes)))


def _match_link(attributes: str) -> str:
    found = _LINK.search(attributes)
    return unescape(found[1]) if found else ""


def _words(text: str) -> str:
    return unescape(text if text.isprintable() and "  " not in text else _SPACES.sub(" ", text))
