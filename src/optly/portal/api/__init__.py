"""
The JSON API: what the pages do, for hosts that draw their own.

It lies under ``/api`` of the mount and is off unless the host switches it on. The code of a link or of a session comes
in the header ``Authorization``, and no cookie is ever read or set: a browser sends nothing by itself, so no other site
can make it act. Calls are answered in :mod:`~optly.portal.api.calls`; the table of all of them, from which the
description is made, is in :mod:`~optly.portal.api.operations`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from math import ceil
from typing import Final

import msgspec

from optly import errors, typed
from optly.portal import responses
from optly.portal.api import problems
from optly.portal.api.bodies import Nothing, Sent
from optly.portal.api.description import describe
from optly.portal.api.operations import OPERATIONS, Operation
from optly.portal.http import Refusal, by_method, read_json
from optly.portal.logs import RETRY_AFTER, log_failure
from optly.portal.problems import page_about
from optly.portal.visit import Visit
from optly.protocols.http import Request, Response

_HERE: Final = "/api"
_DESCRIPTION: Final = "/openapi.json"
_BEARER = re.compile(r"bearer +([^\s,]+) *", re.ASCII | re.IGNORECASE)
_PLACE = re.compile(r"`(\$[^`]*)`$")
_REFUSALS: Final[Mapping[HTTPStatus, problems.Kind]] = {
    HTTPStatus.METHOD_NOT_ALLOWED: problems.BAD_METHOD,
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: problems.BAD_MEDIA_TYPE,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: problems.TOO_LARGE,
}

_PROBLEM: Final = "application/problem+json"

_encode = msgspec.json.Encoder().encode


def is_asked(request: Request) -> bool:
    """
    Whether a request is for the API.
    """
    return f"{request.path}/".startswith(f"{_HERE}/")


def respond(visit: Visit) -> Response:
    """
    Return the response to a request. Whatever goes wrong becomes a problem.
    """
    path = visit.request.path.removeprefix(_HERE).removesuffix("/")
    bearer = _BEARER.fullmatch(",".join(visit.request.values("authorization")))
    visit = typed.evolve(visit, credential=None if bearer is None else bearer[1])
    try:
        return _answer(visit, path)
    except problems.Refused as refused:
        return _problem(visit, refused.kind, refused)
    except Refusal as refusal:
        return _problem(visit, _REFUSALS[refusal.status], refusal)
    except Exception as error:
        kind = problems.kind_of(error)
        if kind is problems.FAILED:
            log_failure(error)
        return _problem(visit, kind, error)


def _answer(visit: Visit, path: str) -> Response:
    if path == _DESCRIPTION:
        description = by_method(visit.request, {"GET": describe})
        return responses.json(HTTPStatus.OK, description(visit.self_service.pages.base_url))
    if path not in OPERATIONS:
        raise problems.Refused(problems.NOT_FOUND)
    operation = by_method(visit.request, OPERATIONS[path])
    if operation.takes_code and visit.credential is None:
        raise problems.Refused(problems.NO_CODE)
    sent = _read(visit, operation) if visit.request.method == "POST" else operation.takes()
    try:
        given = operation.run(visit, sent)
    except (errors.LinkInvalidError, errors.SessionError) as error:
        raise problems.Refused(_why_closed(visit, error)) from None
    return responses.json(operation.status, _encode(given))


def _read(visit: Visit, operation: Operation) -> Sent:
    """
    Return what was sent.

    Raises:
        Refusal: It is of another media type, or too large.
        Refused: It is not what the operation takes.
    """
    if operation.takes is Nothing or not (visit.request.body or operation.needs_body):
        return operation.takes()
    try:
        return msgspec.json.decode(read_json(visit.request), type=operation.takes)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        # The message may repeat what was sent; the place in it does not.
        place = _PLACE.search(str(error))
        raise problems.Refused(problems.MALFORMED, where=place[1] if place else "") from None


# ---- problems


def _why_closed(visit: Visit, error: errors.LinkInvalidError | errors.SessionError) -> problems.Kind:
    """
    Distinguish a code that opens nothing from one that opens something else.
    """
    in_session = isinstance(error, errors.SessionError)
    try:
        # Looked up anew: the session may have ended since the request began.
        visit.self_service.enter(visit.code).open()
    except errors.OptlyError:
        pass
    else:
        return problems.CODE_NEEDED if in_session else problems.NOT_FOR_THIS
    if in_session:
        return problems.SESSION_OVER
    return problems.LINK_INVALID if visit.site.limiter.may_miss(visit.client) else problems.TOO_MANY


def _problem(visit: Visit, kind: problems.Kind, error: Exception) -> Response:
    at, detail = _told(visit, kind, error)
    problem = problems.Problem(
        type=kind.type,
        title=kind.title,
        status=kind.status.value,
        detail=detail,
        at=at,
        where=error.where if isinstance(error, problems.Refused) else "",
    )
    return responses.json(kind.status, _encode(problem), *_headers(visit, kind, error), media_type=_PROBLEM)


def _told(visit: Visit, kind: problems.Kind, error: Exception) -> tuple[datetime | None, str]:
    """
    Return when it was or will be so, and what to say to the person: what the pages say, if they have a page for it.
    """
    if (found := page_about(error)) is not None:
        return found.at, " ".join(found.in_language(visit.language, visit.site.look.catalogues))
    text = str(error) if kind is problems.UNFIT else kind.advice
    return None, visit.say(visit.language, text) if text else ""


def _headers(visit: Visit, kind: problems.Kind, error: Exception) -> list[tuple[str, str]]:
    headers = []
    if isinstance(error, Refusal) and error.allow:
        headers.append(("allow", ", ".join(error.allow)))
    if kind.status is HTTPStatus.UNAUTHORIZED:
        headers.append(("www-authenticate", "Bearer" if kind is problems.NO_CODE else 'Bearer error="invalid_token"'))
    if kind.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("retry-after", RETRY_AFTER))
    if isinstance(error, errors.TooManyTriesError):
        wait = (error.until - visit.self_service.clock()).total_seconds()
        headers.append(("retry-after", str(max(0, ceil(wait)))))
    return headers
