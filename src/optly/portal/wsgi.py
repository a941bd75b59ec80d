"""
The pages as a WSGI application (PEP 3333).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from optly.portal.http import MAX_READ, relative_path
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def wsgi_application(handle: Callable[[Request], Response], mount: str) -> WSGIApplication:
    """
    Return *handle* as a WSGI application.

    Args:
        mount: Path of the base address.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = handle(_request(environ, mount))
        start_response(f"{response.status.value} {response.status.phrase}", list(response.headers))
        return [response.body]

    return application


def _request(environ: WSGIEnvironment, mount: str) -> Request:
    headers = [
        (name[5:].replace("_", "-").lower(), value) for name, value in environ.items() if name.startswith("HTTP_")
    ]
    if content_type := environ.get("CONTENT_TYPE"):
        headers.append(("content-type", content_type))
    root, path = environ.get("SCRIPT_NAME", ""), environ.get("PATH_INFO", "")
    return Request(
        method=environ["REQUEST_METHOD"],
        path=relative_path((root + path).encode("latin-1").decode("utf-8", "replace"), mount, root),
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(headers),
        body=_body(environ) if environ["REQUEST_METHOD"] == "POST" else b"",
        remote_addr=environ.get("REMOTE_ADDR", ""),
    )


def _body(environ: WSGIEnvironment) -> bytes:
    """
    Read no more than it takes to see that the body is too large.
    """
    length: Any = environ.get("CONTENT_LENGTH") or ""
    if length.isdecimal():
        wanted = min(int(length[:18]), MAX_READ + 1)
    else:
        wanted = MAX_READ + 1 if environ.get("wsgi.input_terminated") else 0
    body: bytes = environ["wsgi.input"].read(wanted)
    return body
