"""
What the webhooks of all providers have in common: reading, answering and refusing a request. Pure, except for a line in
the log.
"""

from __future__ import annotations

import json
import logging
import re
from http import HTTPStatus
from typing import Any, Final

from optly.protocols import Webhook
from optly.protocols.http import Request, Response

_log = logging.getLogger("optly")

LONGEST_BODY: Final = 256 * 1024  # the most that SNS and EventBridge send; Twilio sends less

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_DECODER: Final = json.JSONDecoder()


class RejectedError(Exception):
    """
    A request is rejected. Never raised outside the backends.

    Attributes:
        status: The status of the response. After a 5xx the sender repeats the request.
        reason: A few words for the log.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def require_post(request: Request) -> None:
    """
    Require a POST request whose body is no longer than a provider's can be.

    Raises:
        RejectedError: It is not one.
    """
    if request.method != "POST":
        raise RejectedError(HTTPStatus.METHOD_NOT_ALLOWED, "method")
    if len(request.body) > LONGEST_BODY:
        raise RejectedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "size")


def json_object(text: bytes | str) -> dict[str, Any] | None:
    """
    Return the JSON object in *text*, or None if it is not one.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def first_object(text: str) -> dict[str, Any] | None:
    """
    Return the JSON object at the beginning of *text*, whatever follows it, or None if there is none.
    """
    try:
        found, _ = _DECODER.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def our_id(text: str) -> str:
    """
    Return *text* if it has the form of our ids, otherwise an empty string.
    """
    return text if _ID.fullmatch(text) else ""


def respond(status: HTTPStatus, body: bytes = b"", *, media_type: str = "") -> Response:
    headers = [("content-length", str(len(body)))]
    if media_type:
        headers.append(("content-type", media_type))
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", "POST"))
    return Response(status=status, headers=tuple(headers), body=body)


def refuse(rejected: RejectedError, *, backend: str) -> Webhook:
    """
    Refuse the request, and log the reason. Neither repeats anything that was sent.
    """
    extra = {"backend": backend, "status": rejected.status.value, "reason": rejected.reason}
    _log.warning("a webhook was refused", extra=extra)
    return Webhook(response=respond(rejected.status))
