"""
Every page: its path, its methods, and what answers.

Looking at a page changes nothing (GET and HEAD); only a button does (POST). Behind a link there is no session
and no cookie: the code in the path is the secret, and the forms post back to it. Below ``/me``, a cookie holds the code
of a session, which is good for everything that the link at which it began is, and, once raised by a one-time code, for
more.

==============================  ==============  ===========================================================
path                            method          page
==============================  ==============  ===========================================================
``/l/<code>``, ``/me``          GET, HEAD       the question, the choices, or what can be undone
``/l/<code>``, ``/me``          POST            answer it, change them, or undo it
``…/confirm``                   POST            confirm a yes that was held
``…/stop``                      POST            stop everything
``…/undo``                      POST            undo that
``…/complaint``                 GET, POST       complain
``…/code``                      GET, POST       have a one-time code sent; below ``/me``, enter it
``/me/code/again``              POST            have another one sent
``/me/details``                 GET, HEAD       the details
``/me/<detail>``                GET, POST       change one of them
``/me/<detail>/code``           GET, POST       enter the code that was sent to a new address
``/me/history``                 GET, HEAD       what happened
``/me/copy``                    GET, POST       have a copy of the data sent
``/me/stay``, ``/me/finish``    POST            extend the session, end it
``/u/<token>``                  GET, HEAD       what the stop link stops
``/u/<token>``                  POST            stop it: the button on the page, or one in an email program
``/new-link``                   GET, POST       have a link sent
``/help``                       GET, HEAD       help
``/static/<name>``              GET, HEAD       the style sheet, the icon and the logo
``/hooks/<name>``               POST            what a provider reports to the backend with that name
``/api/…``                      GET, POST       the JSON API, where the host switches it on
==============================  ==============  ===========================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Final, TypeAlias

import attrs

from optly.errors import LinkInvalidError, SessionError
from optly.links import is_session_code
from optly.portal import api, choosing, own, public, sessions
from optly.portal.cookies import session_in
from optly.portal.http import Elsewhere, Refusal, by_method
from optly.portal.logs import RETRY_AFTER, log_failure
from optly.portal.problems import SESSION_OVER, TOO_MANY, ProblemPage, problem, refused
from optly.portal.visit import Credential, Site, Visit, by_link, by_session
from optly.protocols.http import Request, Response

View: TypeAlias = Callable[[Visit], Response]
Views: TypeAlias = Mapping[str, View]

# What a link opens and a session too.
_BY_ANY_CODE: Final[Mapping[tuple[str, ...], Views]] = {
    (): {"GET": choosing.show, "POST": choosing.save},
    ("confirm",): {"POST": choosing.confirm},
    ("stop",): {"POST": choosing.stop_everything},
    ("undo",): {"POST": choosing.undo},
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


def respond(site: Site, request: Request) -> Response:
    """
    Return the response to a request. Whatever goes wrong becomes a page of its own.
    """
    visit = Visit(site=site, request=request)
    response = api.respond(visit) if site.api and api.is_asked(request) else _respond(visit)
    return attrs.evolve(response, body=b"") if request.method == "HEAD" else response


def _respond(visit: Visit) -> Response:
    try:
        visit, views = _find(visit)
        return by_method(visit.request, views)(visit)
    except Refusal as refusal:
        return _problem(visit, refused(refusal.status), allow=refusal.allow)
    except Elsewhere as elsewhere:
        return visit.to(elsewhere.path)
    except Exception as error:
        found = _what_went_wrong(visit, error)
        if found.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            log_failure(error)
        return _problem(visit, found)


def _find(visit: Visit) -> tuple[Visit, Views]:
    """
    Return what each method does at the path, and the visit with what the path says.

    Raises:
        Refusal: There is no such page.
    """
    segments = visit.request.path.removeprefix("/").removesuffix("/").split("/")
    match segments:
        case ["l", code, *rest] if tuple(rest) in _BY_A_LINK and not is_session_code(code):
            return attrs.evolve(visit, credential=by_link(visit.mount, code)), _BY_A_LINK[tuple(rest)]
        case ["me", *rest] if tuple(rest) in _IN_A_SESSION:
            return attrs.evolve(visit, credential=_session(visit)), _IN_A_SESSION[tuple(rest)]
        case ["me", detail] if detail in own.DETAILS:
            views: Views = {"GET": own.show_change, "POST": own.change}
            return attrs.evolve(visit, credential=_session(visit), argument=detail), views
        case ["me", detail, "code"] if detail in own.PROVED:
            views = {"GET": own.show_prove, "POST": own.prove}
            return attrs.evolve(visit, credential=_session(visit), argument=detail), views
        case ["u", token]:
            return attrs.evolve(visit, argument=token), {"GET": choosing.show_stop, "POST": choosing.stop}
        case ["new-link"]:
            return visit, {"GET": public.show_new_link, "POST": public.send_new_link}
        case ["help"]:
            return visit, {"GET": public.show_help}
        case ["static", name]:
            return attrs.evolve(visit, argument=name), {"GET": public.show_file}
        case ["hooks", name]:
            return attrs.evolve(visit, argument=name), {"POST": public.receive_webhook}
        case _:
            raise Refusal(HTTPStatus.NOT_FOUND)


def _session(visit: Visit) -> Credential:
    return by_session(visit.mount, session_in(visit.request, visit.self_service.pages))


def _what_went_wrong(visit: Visit, error: Exception) -> ProblemPage:
    in_session = visit.credential is not None and visit.credential.in_session
    if isinstance(error, SessionError) or (in_session and isinstance(error, LinkInvalidError)):
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
    language = visit.language
    return visit.page(
        "problem",
        *headers,
        status=found.status,
        title=found.title,
        code=visit.credential.code if found.can_stop and visit.credential is not None else None,
        home=visit.home if found.can_stop and visit.credential is not None else None,
        texts=found.in_language(language, visit.site.look.catalogues),
    )
