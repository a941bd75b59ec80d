"""
Colours, and whether one is readable on another. Pure.

Shades are made in OKLCH, in which two colours of the same lightness look equally light, and a colour keeps its hue as
it becomes lighter or darker.

Source: WCAG 2.2, "relative luminance" and "contrast ratio", https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio;
B. Ottosson, "A perceptual color space for image processing", https://bottosson.github.io/posts/oklab/.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final, TypeAlias

from optly.errors import ConfigurationError

Light: TypeAlias = tuple[float, float, float]

READABLE: Final = 4.5  # WCAG 2.2, 1.4.3 (level AA), for text of any size

_HEX: Final = re.compile(r"#(?:[0-9a-f]{3}|[0-9a-f]{6})", re.ASCII | re.IGNORECASE)
_STEP: Final = 0.005  # of lightness; far less than anyone can see


def normal(colour: str) -> str:
    """
    Return *colour* as ``#rrggbb`` in lower case.

    Raises:
        ConfigurationError: It is not in the form ``#rgb`` or ``#rrggbb``.
    """
    if not _HEX.fullmatch(colour):
        raise ConfigurationError("a colour must be written as #rrggbb, such as #0b5f59")
    digits = colour[1:].lower()
    return "#" + (digits if len(digits) == 6 else "".join(digit * 2 for digit in digits))


def _light(colour: str) -> Light:
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return _linear(red), _linear(green), _linear(blue)


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _encoded(value: float) -> int:
    value = min(max(value, 0.0), 1.0)
    return round(255 * (value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055))


def contrast(one: str, other: str) -> float:
    """
    Return the contrast of two colours: from 1, the same, to 21, black and white.
    """
    lights = (_light(one), _light(other))
    dark, light = sorted(0.2126 * red + 0.7152 * green + 0.0722 * blue for red, green, blue in lights)
    return (light + 0.05) / (dark + 0.05)


def _oklch(colour: str) -> tuple[float, float, float]:
    """
    Return lightness (0 to 1), chroma and hue (in radians).
    """
    red, green, blue = _light(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    middle = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * middle - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * middle + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * middle - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.atan2(b, a)


def _from_oklch(lightness: float, chroma: float, hue: float) -> Light:
    """
    Return the light of a colour. Parts below 0 or above 1 mean that no screen can show it.
    """
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    middle = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * middle + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * middle - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * middle + 1.7076147010 * short,
    )


def shade(colour: str, lightness: float, *, chroma: float = 1.0) -> str:
    """
    Return *colour* at the given *lightness* (0 to 1), with at most *chroma*, in the same hue.

    If no screen can show that much chroma at that lightness, it has as much as can be shown.
    """
    _, own, hue = _oklch(colour)
    most = min(own, chroma)
    least = 0.0
    if not _shown(_from_oklch(lightness, most, hue)):
        for _ in range(12):
            half = (least + most) / 2
            least, most = (half, most) if _shown(_from_oklch(lightness, half, hue)) else (least, half)
        most = least
    return "#" + "".join(f"{_encoded(part):02x}" for part in _from_oklch(lightness, most, hue))


def _shown(light: Light) -> bool:
    return all(-1e-4 <= part <= 1 + 1e-4 for part in light)


def darkened(colour: str, papers: Iterable[str], *, lightness: float = 1.0, chroma: float = 1.0) -> str:
    """
    Return the lightest shade of *colour*, up to *lightness* and no lighter than it is, that is readable on *papers*.

    Every paper must be light enough for black to be readable on it.
    """
    return _readable(colour, tuple(papers), min(lightness, _oklch(colour)[0]), -_STEP, chroma)


def lightened(colour: str, papers: Iterable[str], *, lightness: float = 0.0, chroma: float = 1.0) -> str:
    """
    Return the darkest shade of *colour*, from *lightness* up and no darker than it is, that is readable on *papers*.

    Every paper must be dark enough for white to be readable on it.
    """
    return _readable(colour, tuple(papers), max(lightness, _oklch(colour)[0]), _STEP, chroma)


def _readable(colour: str, papers: tuple[str, ...], start: float, step: float, chroma: float) -> str:
    steps = math.ceil((start if step < 0 else 1 - start) / abs(step))
    for taken in range(steps + 1):
        found = shade(colour, min(max(start + taken * step, 0.0), 1.0), chroma=chroma)
        if all(contrast(found, paper) >= READABLE for paper in papers):
            return found
    raise AssertionError("neither black nor white is readable on these backgrounds")
