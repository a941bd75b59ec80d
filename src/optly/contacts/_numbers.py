"""
Reading telephone numbers: *judged*, as one that can be in use, or *by shape* alone.

Which numbers can be in use is a table that changes with every release of phonenumbers. So a number is judged by it
where someone types it, and nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final

from optly.contacts._copied import without_copied
from optly.errors import AddressError

E164: Final = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)

_NO_NUMBER: Final = "not a telephone number: give it with its country code, such as +44 7911 123456"

_SIGNS: Final = str.maketrans({"＋": "+", "（": "(", "）": ")", "−": "-", "／": "/", "．": "."})
_BETWEEN: Final = re.compile(r"[\s().\-/]")
_BRITISH: Final = re.compile(r"^(?:0|44(?=[0-9]{9}))(?!0)")
# The nought that is dialled inside the country alone.
_BRITISH_TRUNK: Final = re.compile(r"^(\(?(?:\+|00)\s*44\)?[\s.-]*)\(?0\)?")
_TRUNK: Final = re.compile(r"(?<=[0-9\s])\(0\)")
_KEEPS_IT: Final = "+39"  # Italian numbers begin with it, abroad too

# Numbers that Ofcom keeps free for use in television and radio, each by the first of a thousand: nobody has them, and
# everyone who tests an application types them. Source: https://www.ofcom.org.uk/phones-and-broadband/phone-numbers/numbers-for-drama
# (as reported 2026-11-29).
_DRAMA: Final = frozenset(
    {
        1134960000,  # Leeds
        1144960000,  # Sheffield
        1154960000,  # Nottingham
        1164960000,  # Leicester
        1174960000,  # Bristol
        1184960000,  # Reading
        1214960000,  # Birmingham
        1314960000,  # Edinburgh
        1414960000,  # Glasgow
        1514960000,  # Liverpool
        1614960000,  # Manchester
        2079460000,  # London
        1914980000,  # Tyneside, Durham and Sunderland
        2896496000,  # Northern Ireland
        2920180000,  # Cardiff
        1632960000,  # no area
        7700900000,  # mobile
        8081570000,  # freephone
        9098790000,  # premium rate
        3069990000,  # UK-wide
    }
)


def judge_number(text: str, region: str) -> str:
    """
    Return the E.164 form of a number that can be in use.

    Args:
        region: What a number without a country code is a number of, as two letters (ISO 3166-1 alpha-2).

    Raises:
        AddressError: It is no such number, or *region* is none.
    """
    return _judged(_dialled(text), region.upper())


def read_number(text: str, region: str) -> str:
    """
    Return the E.164 form of a number, whether or not it can be in use. The same as `judge_number` returns, if it does.

    Raises:
        AddressError: It has not the shape of a number, or no country.
    """
    dialled, region = _dialled(text), region.upper()
    try:
        return _judged(dialled, region)
    except AddressError:
        return _shaped(dialled, region)


def _dialled(text: str) -> str:
    """
    Return a number without what was copied along with it.
    """
    if E164.fullmatch(text) and not text.startswith("+440"):
        return text
    text, scheme = without_copied(text)
    if not text.isascii():
        text = "".join(map(_digit_or_sign, text))
    if scheme:
        text = _of_uri(text)
    return _BRITISH_TRUNK.sub(r"\1", text, count=1) if "44" in text else text


def _digit_or_sign(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    category = unicodedata.category(sign)
    return " " if category == "Zs" else "-" if category == "Pd" else sign.translate(_SIGNS)


def _of_uri(text: str) -> str:
    """
    Return the number in a URI without its scheme.

    Source: RFC 3966 section 3, https://www.rfc-editor.org/rfc/rfc3966#section-3 (read 2026-11-29).
    """
    number, *parameters = text.partition("?")[0].split(";")
    known = {name.strip().lower(): value for name, _, value in (each.partition("=") for each in parameters)}
    if known.get("ext") or known.get("isub"):
        raise AddressError("not a telephone line of its own: leave the extension out")
    context = known.get("phone-context", "")
    return context + number if context.startswith("+") and not number.startswith("+") else number


@lru_cache(maxsize=4096)
def _judged(dialled: str, region: str) -> str:
    import phonenumbers

    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise AddressError("not a region: give its two letters, such as GB for the United Kingdom")
    try:
        number = phonenumbers.parse(dialled, region)
    except phonenumbers.NumberParseException:
        raise AddressError(_NO_NUMBER) from None
    if not phonenumbers.is_valid_number(number) and not _is_for_drama(number.country_code, number.national_number or 0):
        raise AddressError("not a telephone number: no such number can be in use in its country")
    if number.extension:
        raise AddressError("not a telephone line of its own: leave the extension out")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _is_for_drama(country: int | None, national: int) -> bool:
    return country == 44 and national - national % 1000 in _DRAMA


def _shaped(dialled: str, region: str) -> str:
    if not dialled.startswith(_KEEPS_IT):
        dialled = _TRUNK.sub("", dialled)
    digits = _BETWEEN.sub("", dialled)
    if digits.startswith("00"):
        digits = f"+{digits[2:]}"
    elif region == "GB":
        # As it is dialled in the United Kingdom, or without the plus. Other digits alone may be those of any country.
        digits = _BRITISH.sub("+44", digits)
    if not E164.fullmatch(digits):
        raise AddressError(_NO_NUMBER)
    return digits
