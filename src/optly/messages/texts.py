"""
How many parts a text message takes, which is what it costs. Pure.

A text is sent in GSM-7 if every character is in the alphabet of GSM 03.38, and otherwise in UCS-2, where half as much
fits. One character decides: a curly quote, an en dash or a Welsh ŵ. In a text of several parts each part gives up room
for the header that joins them.

Source: 3GPP TS 23.038 6.2.1 (alphabet and extension table), 3GPP TS 23.040 9.2.3.24.1 (the header).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache

import attrs

_ALPHABET = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # Each is written as an escape and a septet.
_GSM = _ALPHABET | _EXTENSION
_JOINER = "\u200d"
_PREPENDED = frozenset(  # read as one with the character that follows
    "\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\u0d4e\U000110bd\U000110cd\U000111c2\U000111c3"
    "\U000113d1\U0001193f\U00011941\U00011a84\U00011a85\U00011a86\U00011a87\U00011a88\U00011a89\U00011d46\U00011f02"
)


class Encoding(StrEnum):
    """
    How a text is encoded for transmission.
    """

    GSM = "GSM-7"
    UCS2 = "UCS-2"


# How many units fit in a text of one part, and in each part of a longer one: septets of GSM-7, 16-bit units of UCS-2.
_ALONE = {Encoding.GSM: 160, Encoding.UCS2: 70}
_JOINED = {Encoding.GSM: 153, Encoding.UCS2: 67}


@attrs.frozen
class Culprit:
    """
    A character that GSM-7 does not have. Written as ``U+2019 ’``.

    Attributes:
        index: Its position in the text, from 0.
    """

    character: str
    index: int

    def __str__(self) -> str:
        shown = self.character if self.character.isprintable() else unicodedata.name(self.character, "")
        return f"U+{ord(self.character):04X} {shown}".rstrip()


@attrs.frozen(kw_only=True)
class Segments:
    """
    The size of a text as it is sent.

    Attributes:
        units: Septets of GSM-7, or 16-bit units of UCS-2, without headers.
        count: The number of parts; 0 for the empty text.
        culprit: The first character that made it UCS-2, or None for a text in GSM-7.
    """

    encoding: Encoding
    units: int
    count: int
    culprit: Culprit | None = None


def segments(text: str) -> Segments:
    """
    Return how *text* is divided into parts, as it is, without any replacement of characters by the provider.

    An escape and its septet stay in one part, and so do the halves of a surrogate pair, and, as far as they fit, the
    characters that are read as one, such as a letter and its accent or a flag.
    """
    pieces: Iterable[int]
    if _GSM.issuperset(text):
        encoding, culprit = Encoding.GSM, None
        units = len(text) + sum(map(text.count, _EXTENSION))
        pieces = (2 if letter in _EXTENSION else 1 for letter in text)
    else:
        encoding, units, pieces = Encoding.UCS2, _utf16(text), _clusters(text)
        culprit = next(Culprit(letter, index) for index, letter in enumerate(text) if letter not in _GSM)
    count = min(units, 1) if units <= _ALONE[encoding] else _packed(pieces, _JOINED[encoding])
    return Segments(encoding=encoding, units=units, count=count, culprit=culprit)


def _packed(pieces: Iterable[int], room: int) -> int:
    """
    Return how many parts *pieces* fill in order, with none of them divided between two parts.
    """
    count, left = 0, 0
    for piece in pieces:
        if piece > left:
            count, left = count + 1, room
        left -= piece
    return count


def _utf16(text: str) -> int:
    return len(text) + sum(letter > "\uffff" for letter in text)


def _clusters(text: str) -> Iterator[int]:
    """
    Yield the number of units of each group of characters that is read as one.
    """
    room = _JOINED[Encoding.UCS2]
    size, previous, half_a_flag = 0, "\n", False
    for letter in text:
        flag = "\U0001f1e6" <= letter <= "\U0001f1ff"
        continues = half_a_flag if flag else _continues(previous, letter)
        units = _utf16(letter)
        if continues and size + units <= room:
            size += units
        else:
            if size:
                yield size
            size = units
        half_a_flag = flag and not half_a_flag
        previous = letter
    yield size


def _continues(previous: str, letter: str) -> bool:
    """
    Return whether *letter* is read as one with the character before it.

    Source: the extended grapheme clusters of Unicode Standard Annex #29.
    """
    if previous in _PREPENDED:
        return letter in _PREPENDED or unicodedata.category(letter) not in ("Cc", "Cf", "Zl", "Zp")
    if previous == _JOINER:
        return _is_mark(letter) or unicodedata.category(letter) == "So"
    return _is_mark(letter) and (_is_mark(previous) or unicodedata.category(previous)[0] != "C")


@lru_cache(maxsize=4096)
def _is_mark(letter: str) -> bool:
    """
    Return whether *letter* cannot be used alone: an accent, a vowel sign, a skin colour, part of a Hangul syllable.
    """
    return (
        unicodedata.category(letter)[0] == "M"
        or letter in "\u200c\u200d\u0e33\u0eb3\uff9e\uff9f"
        or "\U0001f3fb" <= letter <= "\U0001f3ff"
        or "\U000e0020" <= letter <= "\U000e007f"
        or "\u1160" <= letter <= "\u11ff"
    )
