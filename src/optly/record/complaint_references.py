"""
References of complaints: short enough to read out, and checked when they are typed. Pure.

A reference is made from the id of its complaint, so it needs no storage of its own: ``CMP-``, five letters or digits of
the id, and a sixth that checks them. None of the letters and digits is taken for another when it is written or heard.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import Final

# Without 0 O Q, 1 I L, S Z B U V, which are taken for each other or for 5, 2, 8 and W, and without A and E, which make
# words. There are 23, a prime, which is what makes the check below find every slip.
ALPHABET: Final = "23456789CDFGHJKMNPRTWXY"
_LENGTH: Final = 5
_PREFIX: Final = "CMP"
_SEPARATORS: Final = re.compile(r"[\W_]+")
# What people write for a digit that looks like it. None of these letters is in the alphabet.
_READ_AS: Final = str.maketrans("SZBV", "528W")


def reference_key(complaint: str) -> str:
    """
    Return the reference of a complaint as a store keeps it: six capital letters and digits.

    Args:
        complaint: Its id, 32 hexadecimal digits.
    """
    number = int(complaint, 16) % len(ALPHABET) ** _LENGTH
    places = []
    for _ in range(_LENGTH):
        number, place = divmod(number, len(ALPHABET))
        places.append(place)
    return "".join(ALPHABET[place] for place in (*places, _check(places)))


def _check(places: list[int]) -> int:
    """
    Return the place of the letter that checks the others. One wrong letter, or two exchanged, change it.

    Much as in the ISBN: the five letters count once, twice, … five times, the check letter minus five times, and the
    sum is divisible by the prime 23. No two count alike, which is what shows an exchange.
    """
    total = sum(position * place for position, place in enumerate(places, 1))
    return total * pow(_LENGTH, -1, len(ALPHABET)) % len(ALPHABET)


def reference_of(complaint: str) -> str:
    """
    Return the reference of a complaint as people read it, such as ``CMP-7K4D-2M``.

    Args:
        complaint: Its id, 32 hexadecimal digits.
    """
    key = reference_key(complaint)
    return f"{_PREFIX}-{key[:4]}-{key[4:]}"


def record_of(complaint: str) -> str:
    """
    Return the id of the record that a complaint of someone who is not on record is in, 32 hexadecimal digits.

    It is not the id of the complaint, under which messages are queued: erasing the record leaves those.
    """
    return hashlib.sha256(b"optly/complaint/1\0" + bytes.fromhex(complaint)).hexdigest()[:32]


def read_reference(text: str) -> str | None:
    """
    Return the reference in *text* as a store keeps it, however it is typed: in small letters, with or without ``CMP``
    and the hyphens, with spaces. None if it is not a reference: one letter is wrong, or two are exchanged.
    """
    typed = _SEPARATORS.sub("", unicodedata.normalize("NFKC", text)).upper()
    if len(typed) == len(_PREFIX) + _LENGTH + 1:
        typed = typed.removeprefix(_PREFIX)
    key = typed.translate(_READ_AS)
    if len(key) != _LENGTH + 1 or not set(key) <= set(ALPHABET):
        return None
    places = [ALPHABET.index(letter) for letter in key]
    return key if places[-1] == _check(places[:-1]) else None
