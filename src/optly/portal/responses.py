"""
The responses of the portal, each with the headers that every one carries.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from optly.portal.assets import Asset
from optly.protocols.http import Response

# Source: OWASP ASVS 5.0, 3.4 and 14.3.2. The path is a secret, so a browser may repeat only the origin: with
# `same-origin`, Chromium would send the whole link when it loads the icon, into the host's log. With `no-referrer`,
# browsers would send forms with `Origin: null`.
_HEADERS: Final = (
    (
        "content-security-policy",
        "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'",
    ),
    ("referrer-policy", "strict-origin"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
    ("x-robots-tag", "noindex, nofollow, noarchive"),
)


def _response(status: HTTPStatus, media_type: str, body: bytes, *more: tuple[str, str]) -> Response:
    own = (("content-type", media_type), ("content-length", str(len(body))), *more)
    return Response(status=status, headers=own + _HEADERS, body=body)


def html(status: HTTPStatus, page: str, *more: tuple[str, str]) -> Response:
    """
    Return a page, which nothing between us and the browser may store.
    """
    return _response(status, "text/html; charset=utf-8", page.encode(), ("cache-control", "no-store"), *more)


def json(status: HTTPStatus, body: bytes, *more: tuple[str, str], media_type: str = "application/json") -> Response:
    """
    Return a response for a program, which nothing may store either.
    """
    return _response(status, media_type, body, ("cache-control", "no-store"), *more)


def file(asset: Asset) -> Response:
    """
    Return a file, which a browser may keep for ever.
    """
    for_ever = ("cache-control", "public, max-age=31536000, immutable")
    return _response(HTTPStatus.OK, asset.media_type, asset.body, for_ever)
