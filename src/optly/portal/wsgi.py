"""
The pages as a WSGI application (PEP 3333).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final

from optly.portal.http import MAX_READ, is_stop, relative_path
from optly.protocols.http import Request, Response

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

# Nobody is there any more to read it.
_CUT_OFF: Final = Response(status=HTTPStatus.BAD_REQUEST, headers=(("content-length", "0"),), body=b"")


def wsgi_application(handle: Callable[[Request], Response], mount: str) -> WSGIApplication:
    """
    Return *handle* as a WSGI application.

    Args:
        mount: Path of the base address.
    """

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request = _request(environ, mount)
        response = _CUT_OFF if request is None else handle(request)
        start_response(f"{response.status.value} {response.status.phrase}", list(response.headers))
        return [response.body]

    return application


def _request(environ: WSGIEnvironment, mount: str) -> Request | None:
    """
    Return the request; None if the client disconnected before the end of its body.
    """
    headers = [
        (name[5:].replace("_", "-").lower(), value) for name, value in environ.items() if name.startswith("HTTP_")
    ]
    if content_type := environ.get("CONTENT_TYPE"):
        headers.append(("content-type", content_type))
    root, whole = environ.get("SCRIPT_NAME", ""), environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = relative_path(whole.encode("latin-1").decode("utf-8", "replace"), mount, root)
    try:
        body = _body(environ) if environ["REQUEST_METHOD"] == "POST" else b""
    except OSError:
        if not is_stop(path):
            return None
        body = b""
    return Request(
        method=environ["REQUEST_METHOD"],
        path=path,
        query=environ.get("QUERY_STRING", ""),
        headers=tuple(headers),
        body=body,
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
