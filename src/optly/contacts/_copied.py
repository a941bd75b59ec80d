"""
What is copied along with an address: marks around it, a name or a scheme in front, signs that nobody sees.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Final

# What telephones type for an apostrophe, and what Asian keyboards type for the sign.
_TYPED_FOR: Final = str.maketrans("’‘＠﹫", "''@@")

# The joiners are letters of some scripts. Whatever else nobody sees is there by accident.
_JOINERS: Final = "\u200c\u200d"

_NAMED: Final = re.compile(r"([^<>]*)<([^<>]*)>")
_SCHEME: Final = re.compile(r"(?:mailto|tel|callto|sms|smsto|mms|fax|whatsapp|rcs):(?://)?", re.IGNORECASE)
_BEFORE: Final = "<‹«“„,;: "
_AFTER: Final = ">›»”“!?.,;: "
_PAIRS: Final = ("''", '""', "()")
_MOST_LAYERS: Final = 5  # of marks around marks


def without_name(text: str) -> str:
    """
    Return what stands in angle brackets behind a name, or *text* itself. An address is no name of another.
    """
    named = _NAMED.fullmatch(text.strip().rstrip(",;. "))
    if named and ("@" not in named[1] or named[1].strip(" \"'").lower() == named[2].strip().lower()):
        return named[2]
    return text


def without_copied(text: str) -> tuple[str, str]:
    """
    Return an address without what was copied along with it, and the scheme that it began with, such as ``tel``; empty
    if it had none.

    Two addresses are never made one: what might be a second is left, for nothing to be read in its place.
    """
    text = _seen(text).translate(_TYPED_FOR)
    for _ in range(_MOST_LAYERS):
        text = text.strip().lstrip(_BEFORE).rstrip(_AFTER)
        if text.count("(") != text.count(")"):
            text = text.strip("()")
        elif len(text) > 1 and text[0] + text[-1] in _PAIRS:
            text = text[1:-1]
    scheme = _SCHEME.match(text)
    return (text[scheme.end() :], scheme[0].partition(":")[0].lower()) if scheme else (text, "")


def _seen(text: str) -> str:
    if text.isascii():
        return text.strip()
    text = "".join(sign for sign in text if sign in _JOINERS or unicodedata.category(sign) != "Cf")
    return text.strip().strip(_JOINERS).strip()
