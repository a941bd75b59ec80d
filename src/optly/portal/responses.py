"""
What every response carries, and how a page is made from its template.
"""

from __future__ import annotations

from functools import cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from optly.http import Response
from optly.portal.assets import Asset, assets

if TYPE_CHECKING:
    from jinja2 import Environment

    from optly.manager import ConsentManager

# Source: OWASP ASVS 5.0, 3.4 and 14.3.2. The path is a secret, so a browser may repeat no more than the origin: with
# `same-origin`, Chromium would send the whole link along for the icon, into the log of the host. With `no-referrer`,
# browsers would send the forms with `Origin: null`.
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


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("optly.portal"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _response(status: HTTPStatus, media_type: str, body: bytes, *more: tuple[str, str]) -> Response:
    own = (("content-type", media_type), ("content-length", str(len(body))), *more)
    return Response(status=status, headers=own + _HEADERS, body=body)


def page(
    manager: ConsentManager,
    status: HTTPStatus,
    template: str,
    *more: tuple[str, str],
    title: str,
    code: str | None = None,
    **facts: Any,
) -> Response:
    """
    Return a page.

    Args:
        more: Further headers.
        code: The code the page is about, in the form it has in a path. With it, the page can stop everything.
    """
    body = (
        _environment()
        .get_template(f"{template}.html.j2")
        .render(
            organisation=manager.organisation,
            mount=manager.pages.path,
            files={file: asset.name for file, asset in assets().items()},
            title=title,
            code=code,
            **facts,
        )
    )
    return _response(status, "text/html; charset=utf-8", body.encode(), ("cache-control", "no-store"), *more)


def file(asset: Asset) -> Response:
    """
    Return a file.
    """
    for_ever = ("cache-control", "public, max-age=31536000, immutable")
    return _response(HTTPStatus.OK, asset.media_type, asset.body, for_ever)
