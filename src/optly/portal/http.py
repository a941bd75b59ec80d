"""
Reading a request: its path below the mount, whether one of our pages sent it, and the form in its body. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeVar
from urllib.parse import parse_qsl

from optly.protocols.http import Request

# The largest form, and the most that is read of any request: a webhook may be longer than a form. In bytes.
MAX_BODY: Final = 64 * 1024
MAX_READ: Final = 256 * 1024
MAX_FIELDS: Final = 200

_BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([a-z0-9_-]+)", re.ASCII)


class Refusal(Exception):
    """
    The request is refused with an HTTP status. Never leaves the portal.
    """

    def __init__(self, status: HTTPStatus, *, allow: Sequence[str] = ()) -> None:
        super().__init__(status)
        self.status = status
        self.allow: tuple[str, ...] = tuple(allow)


class CodeNeeded(Exception):
    """
    A one-time code has to be entered first. Never leaves the portal.
    """


_Offered = TypeVar("_Offered")


def by_method(request: Request, offered: Mapping[str, _Offered]) -> _Offered:
    """
    Return what is offered for the method of a request. HEAD is answered as GET.

    Raises:
        Refusal: There is nothing for that method.
    """
    method = "GET" if request.method == "HEAD" else request.method
    if method not in offered:
        allow = [*offered, "HEAD"] if "GET" in offered else list(offered)
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, allow=allow)
    return offered[method]


def relative_path(path: str, *prefixes: str) -> str:
    """
    Return *path* without the first of the *prefixes* that it begins with, in whole segments.

    The path of the base address should come first, so that the pages can also be served without a mount; then the mount
    that the server reports.
    """
    for prefix in prefixes:
        if prefix and (path == prefix or path.startswith(prefix + "/")):
            return path[len(prefix) :] or "/"
    return path


def is_stop(path: str) -> bool:
    """
    Return whether a POST to *path* stops something, for which its body is not needed.

    Nothing is asked of a stop but that its link opens: anyone who holds the link may stop. Mail programs send the
    button of RFC 8058 in many forms, and a middleware of the host may have read the body before us.
    """
    match path.strip("/").lower().split("/"):
        case ["u", _] | ["u" | "l", _, "stop"] | ["me", "stop"] | ["api", "me", "stop"] | ["api", "stop-link"]:
            return True
        case _:
            return False


def is_from_our_page(request: Request, origin: str) -> bool:
    """
    Return whether one of our pages sent the form, as far as the browser says.

    A request with neither header is let through: no browser sends a form across sites without one of the two, and the
    code in the path is a secret that no other site knows.

    Source: OWASP Cross-Site Request Forgery Prevention Cheat Sheet, "Fetch Metadata headers" (read 2026-11-23).
    """
    if site := request.values("sec-fetch-site"):
        return site == ("same-origin",)
    return all(value == origin for value in request.values("origin"))


def _media_type(request: Request) -> tuple[str, str]:
    """
    Return the declared media type and charset of the body, in lower case.
    """
    declared = ",".join(request.values("content-type")).lower()
    charset = _CHARSET.search(declared)
    return declared.partition(";")[0].strip(), charset[1] if charset else "utf-8"


def read_form(request: Request) -> Mapping[str, tuple[str, ...]]:
    """
    Return the fields of the form in the body, each with all its values.

    Raises:
        Refusal: It has another media type or charset, is too large, or is malformed.
    """
    media_type, charset = _media_type(request)
    if media_type != "application/x-www-form-urlencoded" or charset not in ("utf-8", "us-ascii"):
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if len(request.body) > MAX_BODY:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    if _BROKEN_ESCAPE.search(request.body):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    try:
        text = request.body.decode()
        pairs = parse_qsl(
            text, keep_blank_values=True, strict_parsing=bool(text), errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError:
        raise Refusal(HTTPStatus.BAD_REQUEST) from None
    fields: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        fields[name] = (*fields.get(name, ()), value)
    return fields


def read_json(request: Request) -> bytes:
    """
    Return the body, which must be declared as JSON.

    Raises:
        Refusal: It has another media type or charset, or is too large.
    """
    if _media_type(request) != ("application/json", "utf-8"):
        raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    if len(request.body) > MAX_BODY:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
    return request.body
