"""
How one organisation's pages differ from another's: by its colour, its logo and its own style rules. Pure.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Final

import attrs

from optly.errors import ConfigurationError
from optly.portal.colours import darkened, lightened, normal, shade
from optly.portal.logos import Logo

# The backgrounds of the page and of a card, in the light and in the dark scheme. As in the style sheet.
_LIGHT: Final = ("#f7f5f0", "#ffffff")
_DARK: Final = ("#101615", "#182120")

# A later rule of the host's could hide the stop form. In a layer, `!important` wins over everything outside layers.
_STOP_STAYS: Final = """\
@layer optly-keeps {
  @media not print {
    .stop, .stop form { display: block !important; }
    .stop .button { display: inline-flex !important; pointer-events: auto !important; }
    .stop, .stop * {
      visibility: visible !important; opacity: 1 !important; position: static !important; clip-path: none !important;
      filter: none !important; max-block-size: none !important; max-inline-size: 100% !important;
    }
  }
}
"""


def _logo(source: Logo | bytes | Path | None) -> Logo | None:
    return None if source is None else Logo.of(source)


@attrs.frozen(kw_only=True, slots=False)
class Theme:
    """
    The colour and the logo of an organisation.

    The band at the top of each page has exactly this colour. Links, buttons and marks have the nearest shade of it that
    is readable, at a contrast of 4.5 to 1, on every background: darker where the colour is too light and, in the dark
    scheme, lighter. So no colour is refused.

    Attributes:
        colour: As ``#rrggbb``.
        logo: A PNG or an SVG, as bytes or as a file; shown instead of the name at the top. At most 256 kB.
        logo_dark: The logo for the dark scheme. Without it, the logo is shown there on a light plate.
        extra_css: Style rules that come after ours and override them, but cannot hide the button that stops everything.

    Raises:
        ConfigurationError: The colour or a logo cannot be used.
    """

    colour: str = attrs.field(default="#0b5f59", converter=normal)
    logo: Logo | None = attrs.field(default=None, converter=_logo)
    logo_dark: Logo | None = attrs.field(default=None, converter=_logo)
    extra_css: str = attrs.field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        if self.logo_dark is not None and self.logo is None:
            raise ConfigurationError("a theme that has a logo for the dark scheme needs one for the light scheme too")

    @cached_property
    def light(self) -> dict[str, str]:
        """
        The colours of the light scheme, by their names in the style sheet.
        """
        tint = shade(self.colour, 0.95, chroma=0.025)
        main = darkened(self.colour, (*_LIGHT, tint))
        deep = darkened(self.colour, (*_LIGHT, tint), lightness=0.36)
        return {"brand": self.colour, "main": main, "main-deep": deep, "on-main": "#ffffff", "tint": tint}

    @cached_property
    def dark(self) -> dict[str, str]:
        """
        The colours of the dark scheme, by the same names.
        """
        tint = shade(self.colour, 0.30, chroma=0.04)
        main = lightened(self.colour, (*_DARK, tint), lightness=0.80, chroma=0.12)
        deep = lightened(self.colour, (*_DARK, tint), lightness=0.88, chroma=0.08)
        on_main = darkened(self.colour, (main, deep), lightness=0.23, chroma=0.03)
        return {"brand": self.colour, "main": main, "main-deep": deep, "on-main": on_main, "tint": tint}

    def style(self, sheet: str) -> str:
        """
        Return *sheet*, the style sheet of the pages, with these colours and the host's rules.
        """
        light = f":root {{ {_declared(self.light)} }}\n"
        dark = f"@media (prefers-color-scheme: dark) {{ :root {{ {_declared(self.dark)} }} }}\n"
        return _STOP_STAYS + light + dark + sheet + self.extra_css


def _declared(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())
