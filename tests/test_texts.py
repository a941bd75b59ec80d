"""
A text is counted as the provider counts it.
"""

from __future__ import annotations

import random
import unicodedata

import pytest
from backends.twilio_peers import calculated

from optly.messages.texts import Culprit, Encoding, Segments, segments

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"
# Read as one each, whatever they are made of.
CHARACTERS = [
    *"’–ŵŷç` \u00a0漢字кД",
    "e\u0301",
    "w\u0302",
    "n\u0303\u0323",
    "👍",
    "👍🏽",
    "👨‍👩‍👧‍👦",
    "👩🏽‍🚀",
    "❤️",
    "1️⃣",
    "🇬🇧",
    "🇩🇪",
    "🏴\U000e0067\U000e0062\U000e0077\U000e006c\U000e0073\U000e007f",
    "नि",
    "กำ",
    "각",
    "العَرَبِيَّة",
    "\r\n",
    "\n\u0301",
]


def test_the_alphabet_is_the_one_of_the_standard() -> None:
    """
    127 characters that take one septet each, and ten that take two.
    """
    assert (127, 10) == (len(set(BASIC)), len(set(EXTENDED)))
    assert {1} == {segments(letter).units for letter in BASIC}
    assert {2} == {segments(letter).units for letter in EXTENDED}
    assert {Encoding.GSM} == {segments(letter).encoding for letter in BASIC + EXTENDED}


@pytest.mark.parametrize(
    ("text", "units", "count"),
    [
        ("", 0, 0),
        ("a", 1, 1),
        ("a" * 160, 160, 1),
        ("a" * 161, 161, 2),
        ("a" * 306, 306, 2),
        ("a" * 307, 307, 3),
        ("€" * 80, 160, 1),
        ("€" * 81, 162, 2),
        # 153 is odd: an escape does not stand at the end of a part without what it escapes.
        ("€" * 152, 304, 2),
        ("€" * 153, 306, 3),
        ("a" + "€" * 152, 305, 2),
    ],
)
def test_gsm_7(text: str, units: int, count: int) -> None:
    """
    160 septets fit one part, 153 each part of a longer text.
    """
    assert Segments(encoding=Encoding.GSM, units=units, count=count) == segments(text)


@pytest.mark.parametrize(
    ("text", "units", "count"),
    [
        ("ŵ", 1, 1),
        ("ŵ" * 70, 70, 1),
        ("ŵ" * 71, 71, 2),
        ("ŵ" * 134, 134, 2),
        ("ŵ" * 135, 135, 3),
        ("👍" * 35, 70, 1),
        ("👍" * 36, 72, 2),
        # 67 is odd: half a surrogate pair is nothing.
        ("👍" * 66, 132, 2),
        ("👍" * 67, 134, 3),
        # An extended character takes one unit here.
        ("ŵ" + "€" * 69, 70, 1),
    ],
)
def test_ucs_2(text: str, units: int, count: int) -> None:
    """
    70 units fit one part, 67 each part of a longer text.
    """
    found = segments(text)
    assert (Encoding.UCS2, units, count) == (found.encoding, found.units, found.count)


@pytest.mark.parametrize(
    ("text", "index", "written"),
    [
        ("It’s", 2, "U+2019 ’"),
        ("Cŵn", 1, "U+0175 ŵ"),
        ("a\u00a0b–c", 1, "U+00A0 NO-BREAK SPACE"),
        ("ok 👍", 3, "U+1F44D 👍"),
        ("\x07", 0, "U+0007"),
    ],
)
def test_the_culprit_is_named(text: str, index: int, written: str) -> None:
    """
    The first character that GSM-7 does not have, and where it stands.
    """
    assert Culprit(text[index], index) == segments(text).culprit
    assert written == str(segments(text).culprit)


def texts(seed: int) -> list[str]:
    """
    Make texts of every kind, of every length up to four parts or so.
    """
    draw = random.Random(seed)
    apart = [
        chr(number)
        for number in (*range(0x20, 0x3000), *range(0x1F300, 0x1F5FF))
        if unicodedata.category(chr(number))[0] in "LNPSZ" and not 0x1100 <= number < 0x1200
    ]
    prepended = ["\u0600", "\u0d4e", "\U000110bd", "\u0915", "a", "\u0301"]
    kinds: list[tuple[list[str], int]] = [
        (list(BASIC), 500),
        (list(EXTENDED), 250),
        (list(BASIC + EXTENDED * 3), 500),
        (CHARACTERS, 150),
        ([*BASIC, *EXTENDED, *CHARACTERS], 300),
        (apart, 250),
        (prepended, 150),
    ]
    limits = [70, 71, 134, 135, 153, 160, 161, 306, 307, 459, 460]
    made = ["".join(draw.choices(letters, k=draw.randint(1, most))) for letters, most in kinds for _ in range(800)]
    made += ["".join(draw.choices(letters, k=limit)) for letters, _ in kinds for limit in limits for _ in range(10)]
    return made


@pytest.mark.slow
def test_it_is_counted_as_twilio_counts() -> None:
    """
    By Twilio's own calculator: the encoding, the units and the parts of thousands of texts.
    """
    made = texts(random.randrange(2**32))
    found = [segments(text) for text in made]
    ours = [[one.encoding.value, one.units, one.count] for one in found]
    different = [
        (text, our, theirs) for text, our, theirs in zip(made, ours, calculated(made), strict=True) if our != theirs
    ]
    assert [] == different


def test_only_the_empty_text_is_counted_otherwise() -> None:
    """
    They say that it takes a part.
    """
    assert [["GSM-7", 0, 1]] == calculated([""])
    assert 0 == segments("").count


def test_what_is_longer_than_a_part_is_cut_where_it_has_to_be() -> None:
    """
    Accents without end, which no provider can keep together.
    """
    assert 2 == segments("e" + "\u0301" * 99).count
