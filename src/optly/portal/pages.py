"""
Every page: its path, its methods, and what answers.

Looking at a page changes nothing (GET and HEAD); only a button does (POST). Behind a link there is no session
and no cookie: the code in the path is the secret, and the forms post back to it. Below ``/me``, a cookie holds the code
of a session, which is good for everything that the link at which it began is, and, once raised by a one-time code, for
more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias

from optly import typed
from optly.errors import LinkInvalidError, SessionError
from optly.links import is_session_code
from optly.portal import api, choosing, own, public, sessions
from optly.portal.cookies import session_in
from optly.portal.http import CodeNeeded, Refusal, by_method
from optly.portal.logs import RETRY_AFTER, log_failure
from optly.portal.problems import SESSION_OVER, TOO_MANY, ProblemPage, problem, refused
from optly.portal.visit import Site, Visit
from optly.protocols.http import Request, Response

View: TypeAlias = Callable[[Visit], Response]
Views: TypeAlias = Mapping[str, View]

# What a link opens, below ``/l/<code>``, and a session too, below ``/me``.
_BY_ANY_CODE: Final[Mapping[tuple[str, ...], Views]] = {
    (): {"GET": choosing.show, "POST": choosing.save},
    ("confirm",): {"GET": choosing.show_again, "POST": choosing.confirm},
    ("stop",): {"GET": choosing.show_stopped, "POST": choosing.stop_everything},
    ("undo",): {"GET": choosing.show_again, "POST": choosing.undo},
    ("complaint",): {"GET": own.show_complaint, "POST": own.complain},
}

_BY_A_LINK: Final[Mapping[tuple[str, ...], Views]] = {
    **_BY_ANY_CODE,
    ("code",): {"GET": sessions.show_send, "POST": sessions.send},
}

_IN_A_SESSION: Final[Mapping[tuple[str, ...], Views]] = {
    **_BY_ANY_CODE,
    ("code",): {"GET": sessions.show_enter, "POST": sessions.enter},
    ("code", "again"): {"POST": sessions.send},
    ("details",): {"GET": own.show_details},
    ("history",): {"GET": own.show_history},
    ("copy",): {"GET": own.show_copy, "POST": own.send_copy},
    ("stay",): {"POST": sessions.stay},
    ("finish",): {"POST": sessions.finish},
}

# What gives the session another code, and goes on to the details.
_RENEWING: Final = frozenset({sessions.enter, sessions.stay, own.change, own.prove})

_FOR_EVERYONE: Final[Mapping[str, Views]] = {
    "": {"GET": public.show_front},
    "new-link": {"GET": public.show_new_link, "POST": public.send_new_link},
    "help": {"GET": public.show_help},
}

# Each is followed by the token of a stop link, the name of a file or that of a backend.
_BY_NAME: Final[Mapping[str, Views]] = {
    "u": {"GET": choosing.show_stop, "POST": choosing.stop},
    "static": {"GET": public.show_file},
    "hooks": {"POST": public.receive_webhook},
}


def respond(site: Site, request: Request) -> Response:
    """
    Return the response to a request. Whatever goes wrong becomes a page of its own.
    """
    visit = Visit(site=site, request=request)
    response = api.respond(visit) if site.api and api.is_asked(request) else _respond(visit)
    return typed.evolve(response, body=b"") if request.method == "HEAD" else response


def _respond(visit: Visit) -> Response:
    views: Views = {}
    try:
        visit, views = _find(visit)
        return by_method(visit.request, views)(visit)
    except Refusal as refusal:
        return _problem(visit, refused(refusal.status), allow=refusal.allow)
    except CodeNeeded:
        return visit.to("/me/code")
    except Exception as error:
        found = _what_went_wrong(visit, error)
        if found is SESSION_OVER and visit.in_session and visit.code and views.get(visit.request.method) in _RENEWING:
            # Pressed twice, the first press gave the browser the code that follows this one. If not, that page says so.
            return visit.to("/me/details")
        if found.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log_failure(error)
            # Nothing is asked of a stop but that its link opens, so whoever came by one can still stop.
            found = typed.evolve(found, can_stop=visit.is_entered)
        return _problem(visit, found)


def _find(visit: Visit) -> tuple[Visit, Views]:
    """
    Return what each method does at the path, and the visit with what the path says.

    Raises:
        Refusal: There is no such page.
    """
    kind, *parts = visit.request.path.removeprefix("/").removesuffix("/").split("/")
    match [kind.lower(), *parts]:  # some mail filters write links in small or in capital letters
        case ["l", code, *rest] if tuple(rest) in _BY_A_LINK and not is_session_code(code):
            return typed.evolve(visit, credential=code), _BY_A_LINK[tuple(rest)]
        case ["me", *rest] if tuple(rest) in _IN_A_SESSION:
            return _in_session(visit), _IN_A_SESSION[tuple(rest)]
        case ["me", detail] if detail in own.DETAILS:
            return _in_session(visit, detail), {"GET": own.show_change, "POST": own.change}
        case ["me", detail, "code"] if detail in own.PROVED:
            return _in_session(visit, detail), {"GET": own.show_prove, "POST": own.prove}
        case ["u", token, "stop"]:
            return typed.evolve(visit, argument=token), {"GET": choosing.show_stop, "POST": choosing.press_stop}
        case [name] if name in _FOR_EVERYONE:
            return visit, _FOR_EVERYONE[name]
        case [kind, name] if kind in _BY_NAME:
            return typed.evolve(visit, argument=name), _BY_NAME[kind]
        case _:
            raise Refusal(HTTPStatus.NOT_FOUND)


def _in_session(visit: Visit, detail: str = "") -> Visit:
    code = session_in(visit.request, visit.self_service.pages)
    return typed.evolve(visit, credential=code, in_session=True, argument=detail)


def _what_went_wrong(visit: Visit, error: Exception) -> ProblemPage:
    if isinstance(error, SessionError) or (visit.in_session and isinstance(error, LinkInvalidError)):
        return SESSION_OVER
    if isinstance(error, LinkInvalidError) and not visit.site.limiter.may_miss(visit.client):
        return TOO_MANY
    return problem(error)


def _problem(visit: Visit, found: ProblemPage, *, allow: Sequence[str] = ()) -> Response:
    headers = []
    if allow:
        headers.append(("allow", ", ".join(allow)))
    if found.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("retry-after", RETRY_AFTER))
    return visit.page(
        "problem",
        *headers,
        status=found.status,
        title=found.title,
        code=visit.credential if found.can_stop else None,
        home=visit.home if found.can_stop and visit.credential is not None else None,
        texts=found.in_language(visit.language, visit.site.look.catalogues),
    )
