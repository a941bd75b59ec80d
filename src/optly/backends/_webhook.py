"""
What every provider has in common that tells something over HTTP: how it is read, answered and refused. Pure, but for a
line in the log.
"""

from __future__ import annotations

import json
import logging
import re
from http import HTTPStatus
from typing import Any, Final

from optly.protocols import Webhook
from optly.protocols.http import Request, Response

_logger = logging.getLogger("optly")

LONGEST_BODY: Final = 256 * 1024  # what SNS and EventBridge can carry; Twilio says less

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


class RejectedError(Exception):
    """
    A request is not taken. Never leaves the backends.

    Attributes:
        status: What its sender is told. After a 5xx it comes again.
        reason: A word for the log.
    """

    def __init__(self, status: HTTPStatus, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def require_post(request: Request) -> None:
    """
    Make sure that a request is one by which something is told, and no longer than what there is to tell.

    Raises:
        RejectedError: It is not.
    """
    if request.method != "POST":
        raise RejectedError(HTTPStatus.METHOD_NOT_ALLOWED, "method")
    if len(request.body) > LONGEST_BODY:
        raise RejectedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "size")


def json_object(text: bytes | str) -> dict[str, Any] | None:
    """
    Return the JSON object in *text*, or None for what is none.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def our_id(text: str) -> str:
    """
    Return *text* if it can be an id that we sent along, else nothing.
    """
    return text if _ID.fullmatch(text) else ""


def respond(status: HTTPStatus, body: bytes = b"", *, media_type: str = "") -> Response:
    """
    Return what the sender is told.
    """
    headers = [("content-length", str(len(body)))]
    if media_type:
        headers.append(("content-type", media_type))
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append(("allow", "POST"))
    return Response(status=status, headers=tuple(headers), body=body)


def refuse(rejected: RejectedError, *, backend: str) -> Webhook:
    """
    Tell the sender no, and the log why. Nothing of what was sent is in either.
    """
    extra = {"backend": backend, "status": rejected.status.value, "reason": rejected.reason}
    _logger.warning("a webhook was refused", extra=extra)
    return Webhook(response=respond(rejected.status))
