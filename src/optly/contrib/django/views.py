# mypy: disable-error-code="import-untyped, untyped-decorator"
"""
The view of the pages, which translates between Django's requests and responses and Optly's.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from optly.contrib.django._site import get_portal
from optly.portal.http import MAX_READ, is_stop
from optly.protocols.http import Request, Response


# The pages have their own check of where a form comes from, and mail programs unsubscribe without a token. Not a
# coroutine, so that Django runs it in the right thread for its database connections.
@csrf_exempt
@login_not_required
def pages(request: HttpRequest, rest: str) -> HttpResponse:
    """
    Answer a request for one of the pages.

    Args:
        rest: The path below the mount, without a leading slash.
    """
    try:
        # Just enough to see that there is too much.
        body = request.read(MAX_READ + 1) if request.method == "POST" else b""
    except UnreadablePostError:
        if not is_stop(rest):
            return HttpResponse(status=HTTPStatus.BAD_REQUEST)
        body = b""
    return _response(get_portal().handle(_request(request, rest, body)))


def _request(request: Any, rest: str, body: bytes) -> Request:
    return Request(
        method=request.method,
        path=f"/{rest}",
        query=request.META.get("QUERY_STRING", ""),
        headers=tuple((name.lower(), value) for name, value in request.headers.items()),
        body=body,
        remote_addr=request.META.get("REMOTE_ADDR", ""),
    )


class _Redirect(HttpResponse):  # type: ignore[misc]
    @property
    def url(self) -> str:
        """
        Where it leads, which Django's test client asks for.
        """
        location: str = self["location"]
        return location


def _response(response: Response) -> HttpResponse:
    kind = _Redirect if response.status is HTTPStatus.SEE_OTHER else HttpResponse
    made = kind(response.body, status=response.status.value)
    del made["content-type"]
    for name, value in response.headers:
        if name == "set-cookie":
            # Django keeps headers by name, and cookies separately. RFC 6265 4.1.1 has no two cookies of one name.
            made.cookies.load(value)
        else:
            made[name] = f"{made[name]}, {value}" if name in made else value
    return made
