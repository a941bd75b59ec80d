"""
The style sheet and the icon, each under a name that changes with what is in it, so that a browser may keep it for ever.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Final

import attrs

_MEDIA_TYPES: Final = {"optly.css": "text/css; charset=utf-8", "optly.svg": "image/svg+xml"}


@attrs.frozen(kw_only=True)
class Asset:
    """
    A file that the pages use.
    """

    name: str
    media_type: str
    body: bytes = attrs.field(repr=False)


def _read(file: str, media_type: str) -> Asset:
    body = (files("optly.portal") / "static" / file).read_bytes()
    stem, _, suffix = file.partition(".")
    return Asset(name=f"{stem}-{hashlib.sha256(body).hexdigest()[:12]}.{suffix}", media_type=media_type, body=body)


@cache
def assets() -> Mapping[str, Asset]:
    """
    Return the files by the names they are shipped under. Read when they are first needed.
    """
    return {file: _read(file, media_type) for file, media_type in _MEDIA_TYPES.items()}


@cache
def assets_by_name() -> Mapping[str, Asset]:
    """
    Return the files by the names they are asked for.
    """
    return {asset.name: asset for asset in assets().values()}
