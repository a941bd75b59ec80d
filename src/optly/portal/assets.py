"""
The files that the pages use, each with a name that changes with its content, so that a browser may keep it for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final

import attrs

from optly.portal.theme import Theme

_PLAIN: Final = Theme()
_MEDIA_TYPES: Final = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml", "png": "image/png"}


@attrs.frozen(kw_only=True)
class Asset:
    """
    A file that the pages use.
    """

    name: str
    media_type: str
    body: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, file: str, body: bytes) -> Asset:
        """
        Return *body* under a name made from *file* and a digest of the content.
        """
        stem, _, suffix = file.rpartition(".")
        name = f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{suffix}"
        return cls(name=name, media_type=_MEDIA_TYPES[suffix], body=body)


@cache
def _shipped(file: str) -> str:
    return (files("optly.portal") / "static" / file).read_text(encoding="utf-8")


@lru_cache(maxsize=64)
def assets(theme: Theme = _PLAIN) -> Mapping[str, Asset]:
    """
    Return the files of a theme by role: ``optly.css``, ``optly.svg`` (the icon), ``logo`` and ``logo-dark``.

    They are read and made when first needed.
    """
    style = theme.style(_shipped("optly.css"))
    icon = _shipped("optly.svg").replace("currentColor", theme.light["main"])
    found = {
        "optly.css": Asset.of("optly.css", style.encode()),
        "optly.svg": Asset.of("optly.svg", icon.encode()),
    }
    for name, logo in (("logo", theme.logo), ("logo-dark", theme.logo_dark)):
        if logo is not None:
            found[name] = Asset.of(f"{name}.{logo.suffix}", logo.body)
    return found


@lru_cache(maxsize=64)
def assets_by_name(theme: Theme = _PLAIN) -> Mapping[str, Asset]:
    """
    Return the files of a theme by the names under which they are requested.
    """
    return {asset.name: asset for asset in assets(theme).values()}
