"""
Every page: which one a request is for, and what it does.

A page that is looked at changes nothing (GET and HEAD); only a button does (POST). There is no session and no cookie:
the code in the path is the secret, and the forms post back to it.

=========================  ==============  ===========================================================
path                       method          page
=========================  ==============  ===========================================================
``/l/<code>``              GET, HEAD       the question, or one's choices
``/l/<code>``              POST            answer it, or change them
``/l/<code>/stop``         POST            stop everything
``/u/<token>``             GET, HEAD       what the stop link stops
``/u/<token>``             POST            stop it: the button on the page, or that of a mail program
``/help``                  GET, HEAD       help
``/static/<name>``         GET, HEAD       the style sheet and the icon
``/hooks/<name>``          POST            what a provider tells the backend of that name
=========================  ==============  ===========================================================
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import quote

import attrs

from optly.addresses import Channel
from optly.commands import Context
from optly.consent import Standing
from optly.errors import AnswerError, OptlyError
from optly.events import LinkKind
from optly.http import Request, Response
from optly.links import StopScope
from optly.portal.assets import assets_by_name
from optly.portal.choices import Field, Submission, by_title, fields, read
from optly.portal.hooks import hear
from optly.portal.http import Refusal, is_from_our_page, is_one_click, read_form
from optly.portal.problems import Problem, problem, refused
from optly.portal.responses import file, page
from optly.rendering import long_date
from optly.views import Item, Opened, answer

if TYPE_CHECKING:
    from optly.manager import ConsentManager
    from optly.results import Received

_log = logging.getLogger("optly")

_RETRY_AFTER: Final = "5"  # seconds

_ON: Final = {
    Channel.EMAIL: "by email",
    Channel.SMS: "by text message",
    Channel.MMS: "by picture message",
    Channel.VOICEMAIL: "by voicemail",
    Channel.SOCIAL_DM: "by direct message",
    Channel.IN_APP: "in the app",
    Channel.PUSH: "by push notification",
    Channel.LIVE_CALL: "by telephone",
    Channel.AUTOMATED_CALL: "by recorded call",
    Channel.FAX: "by fax",
    Channel.POST: "by post",
}


@attrs.frozen(kw_only=True)
class Visit:
    """
    One request, and whom it is made to.

    Attributes:
        context: What is kept of where an answer came from, or None for nothing.
        on_received: Told what came of each event that a provider brought.
    """

    manager: ConsentManager
    request: Request
    context: Context | None
    on_received: Callable[[Received], object] | None = None


View: TypeAlias = Callable[[Visit, str], Response]


def respond(visit: Visit) -> Response:
    """
    Return the response to a request. Whatever goes wrong becomes a page of its own.
    """
    segments = visit.request.path.removeprefix("/").removesuffix("/").split("/")
    try:
        response = _dispatch(visit, segments)
    except Refusal as refusal:
        response = _problem(visit, refused(refusal.status), segments, allow=refusal.allow)
    except Exception as error:
        response = _problem(visit, problem(error), segments)
        if response.status is HTTPStatus.INTERNAL_SERVER_ERROR:
            # Neither the message nor the traceback: either may hold what nobody could erase from a log.
            _log.error("a page failed", extra={"error": type(error).__qualname__, "raised_at": _raised_at(error)})
    return attrs.evolve(response, body=b"") if visit.request.method == "HEAD" else response


def _dispatch(visit: Visit, segments: Sequence[str]) -> Response:
    views, argument = _views(segments)
    method = "GET" if visit.request.method == "HEAD" else visit.request.method
    if method not in views:
        allow = [*views, "HEAD"] if "GET" in views else list(views)
        raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, allow=allow)
    return views[method](visit, argument)


def _views(segments: Sequence[str]) -> tuple[Mapping[str, View], str]:
    """
    Return what each method does at a path, and the variable part of the path.
    """
    match segments:
        case ["l", code]:
            return {"GET": show_choices, "POST": save_choices}, code
        case ["l", code, "stop"]:
            return {"POST": stop_everything}, code
        case ["u", token]:
            return {"GET": show_stop, "POST": stop}, token
        case ["help"]:
            return {"GET": show_help}, ""
        case ["static", name]:
            return {"GET": show_file}, name
        case ["hooks", name]:
            return {"POST": hear_provider}, name
        case _:
            raise Refusal(HTTPStatus.NOT_FOUND)


def _problem(visit: Visit, found: Problem, segments: Sequence[str], *, allow: Sequence[str] = ()) -> Response:
    headers = []
    if allow:
        headers.append(("allow", ", ".join(allow)))
    if found.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("retry-after", _RETRY_AFTER))
    return page(
        visit.manager,
        found.status,
        "problem",
        *headers,
        title=found.title,
        code=_quoted(segments[1]) if found.can_stop else None,
        texts=found.texts,
    )


def _raised_at(error: Exception) -> str:
    """
    Return the module and the line an error comes from.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}"


def _quoted(code: str) -> str:
    return quote(code, safe="")


def _require_our_page(visit: Visit) -> None:
    if not is_from_our_page(visit.request, visit.manager.pages.origin):
        raise Refusal(HTTPStatus.FORBIDDEN)


# ---- the question, and one's choices


def show_choices(visit: Visit, code: str) -> Response:
    """
    Show what is behind a question link or a MyOptly link.
    """
    opened = visit.manager.open(code)
    return _choices(visit, code, opened, fields(opened.items))


def save_choices(visit: Visit, code: str) -> Response:
    """
    Answer the question, or change the choices, and say what is now on record.
    """
    _require_our_page(visit)
    form = read_form(visit.request)
    opened = visit.manager.open(code)
    submission = read(opened.items, form)
    if any(field.error for field in submission.fields):
        return _choices(visit, code, opened, submission.fields)
    try:
        saved = _save(visit, code, opened, submission)
    except AnswerError:
        return _choices(visit, code, opened, _unanswered(submission.fields))
    return page(
        visit.manager,
        HTTPStatus.OK,
        "saved",
        title="Your choices are saved",
        code=_quoted(code),
        opened=opened,
        items=saved,
        manages=opened.kind is LinkKind.MANAGE,
    )


def _save(visit: Visit, code: str, opened: Opened, submission: Submission) -> Sequence[Item]:
    """
    Save what was chosen and return all of it as it is on record now.
    """
    if opened.kind is LinkKind.QUESTION:
        standing = visit.manager.answer(code, submission.answers, context=visit.context)
        return _recorded(opened.items, standing)
    if submission.answers:
        visit.manager.choose(code, submission.answers, context=visit.context)
    return visit.manager.open(code).items


def _recorded(items: Sequence[Item], standing: Standing) -> Sequence[Item]:
    # The answer closed its question, so that the last to be closed tells when it was given.
    at = max(question.closed_at for question in standing.questions if question.closed_at is not None)
    return [attrs.evolve(item, answer=answer(standing, item.choice, at)) for item in items]


def _unanswered(shown: Sequence[Field]) -> Sequence[Field]:
    error = "Choose an answer" if len(shown) == 1 else "Choose an answer to at least one of the questions"
    return [attrs.evolve(field, error=error if place == 0 else "") for place, field in enumerate(shown)]


def _choices(visit: Visit, code: str, opened: Opened, shown: Sequence[Field]) -> Response:
    errors = [field for field in shown if field.error]
    return page(
        visit.manager,
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        "choices",
        title="Your choices",
        code=_quoted(code),
        opened=opened,
        manages=opened.kind is LinkKind.MANAGE,
        until=None if opened.expires_at is None else long_date(opened.expires_at),
        groups=by_title(shown),
        errors=errors,
    )


# ---- stopping


def stop_everything(visit: Visit, code: str) -> Response:
    """
    Stop everything, through a link of either kind, even one whose question is closed.
    """
    _require_our_page(visit)
    read_form(visit.request)
    visit.manager.stop(code, context=visit.context)
    return _stopped(visit, "marketing of any kind", code=_quoted(code) if _opens(visit, code) else None)


def _opens(visit: Visit, code: str) -> bool:
    """
    Tell whether a link still opens, for what was done through it to be undone there.
    """
    try:
        visit.manager.open(code)
    except OptlyError:
        return False
    return True


def show_stop(visit: Visit, token: str) -> Response:
    """
    Show what a stop link stops, with a button.
    """
    scope = visit.manager.open_stop(token)
    return page(
        visit.manager, HTTPStatus.OK, "stop", title="Stop messages", token=_quoted(token), what=_what(visit, scope)
    )


def stop(visit: Visit, token: str) -> Response:
    """
    Stop what a stop link names, at the press of the button on its page or of the one in a mail program.

    Where the form comes from is not asked: whoever holds the token may stop, and mail programs do not say.
    """
    if not is_one_click(visit.request) and "stop" not in read_form(visit.request):
        raise Refusal(HTTPStatus.BAD_REQUEST)
    scope = visit.manager.open_stop(token)
    visit.manager.stop_by_token(token, context=visit.context)
    return _stopped(visit, _what(visit, scope))


def _what(visit: Visit, scope: StopScope) -> str:
    """
    Say what a stop link stops, in words that follow "no more".
    """
    if scope.purpose is None:
        what = "marketing of any kind" if scope.channel is None else "marketing"
    else:
        purpose = visit.manager.purposes.get(scope.purpose)
        what = "messages of this kind" if purpose is None else f"“{purpose.title}”"
    return what if scope.channel is None else f"{what} {_ON[scope.channel]}"


def _stopped(visit: Visit, what: str, *, code: str | None = None) -> Response:
    return page(visit.manager, HTTPStatus.OK, "stopped", title="Stopped", what=what, code=code)


# ---- the rest


def show_help(visit: Visit, _argument: str) -> Response:
    """
    Show what these pages are and whom to ask.
    """
    return page(visit.manager, HTTPStatus.OK, "help", title="Help")


def show_file(_visit: Visit, name: str) -> Response:
    """
    Send the style sheet or the icon.
    """
    asset = assets_by_name().get(name)
    if asset is None:
        raise Refusal(HTTPStatus.NOT_FOUND)
    return file(asset)


def hear_provider(visit: Visit, name: str) -> Response:
    """
    Take what a provider tells.
    """
    return hear(visit.manager, visit.request, name, visit.on_received)
