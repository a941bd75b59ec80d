"""
From a link to a session: requesting a one-time code, entering it, and extending and ending the session.
"""

from __future__ import annotations

from contextlib import suppress
from http import HTTPStatus

from optly.errors import LinkInvalidError, TooManyTriesError, WrongDigitsError
from optly.locale.i18n import N_, clock_time
from optly.portal.cookies import dropping, keeping
from optly.portal.http import Refusal
from optly.portal.visit import Visit
from optly.protocols.http import Response
from optly.record.events import LinkKind
from optly.record.views import Opened
from optly.timeline.phrases import BY

_WRONG = N_("The code is not right, or it has expired. Check it, or ask for a new one.")
_TOO_MANY_HERE = N_("Too many codes have been tried from your network. Try again later.")
_TOO_MANY = N_("Too many wrong codes. You can ask for a new one at %(time)s.")


def show_send(visit: Visit) -> Response:
    """
    Say where a one-time code would go, with a button.
    """
    opened = visit.open()
    if not opened.verifiable or opened.kind is LinkKind.UNDO:
        raise Refusal(HTTPStatus.NOT_FOUND)
    language = visit.language_for(opened)
    return visit.own_page(
        opened,
        "code_send",
        title=N_("We need to check it’s you"),
        place="code",
        masked=opened.masked,
        by=visit.say(language, BY[opened.channel]),
    )


def send(visit: Visit) -> Response:
    """
    Have a one-time code sent, and begin a session that it will raise.
    """
    visit.form()
    session = visit.me.request_code()
    headers = () if session == visit.code else (keeping(visit.self_service.pages, session),)
    return visit.to("/me/code", *headers)


def show_enter(visit: Visit) -> Response:
    """
    Show the field for the digits.
    """
    opened = visit.open()
    return visit.to("/me/details") if opened.raised else _enter(visit, opened)


def _enter(visit: Visit, opened: Opened, error: str | None = None) -> Response:
    return visit.own_page(
        opened,
        "code_enter",
        title=N_("Enter the code"),
        place="code",
        status=HTTPStatus.OK if error is None else HTTPStatus.UNPROCESSABLE_ENTITY,
        masked=opened.masked,
        action=f"{visit.home}/code",
        error=error,
        resend=f"{visit.home}/code/again",
    )


def enter(visit: Visit) -> Response:
    """
    Raise the session by the digits that were entered.
    """
    form = visit.form()
    opened = visit.open()
    error = tried(visit, opened)
    if error is None:
        try:
            session = visit.me.step_up(form.get("digits", ("",))[-1])
        except (WrongDigitsError, TooManyTriesError) as wrong:
            error = wrong_digits(visit, opened, wrong)
        else:
            return visit.to("/me/details", keeping(visit.self_service.pages, session))
    return _enter(visit, opened, error)


def tried(visit: Visit, opened: Opened) -> str | None:
    """
    Count one attempt by this client, and return what to say if that was one too many.
    """
    if visit.site.limiter.may_try_digits(visit.client):
        return None
    return visit.say(visit.language_for(opened), _TOO_MANY_HERE)


def wrong_digits(visit: Visit, opened: Opened, error: WrongDigitsError | TooManyTriesError) -> str:
    """
    Return what was wrong with the digits.
    """
    language = visit.language_for(opened)
    if isinstance(error, TooManyTriesError):
        return visit.say(language, _TOO_MANY) % {"time": clock_time(error.until, language)}
    return visit.say(language, _WRONG)


def stay(visit: Visit) -> Response:
    """
    Extend the session.
    """
    visit.form()
    return visit.to("/me/details", keeping(visit.self_service.pages, visit.me.stay()))


def finish(visit: Visit) -> Response:
    """
    End the session, and have the browser delete what it stored for it.
    """
    visit.form()
    opened = visit.opened_or_none()
    language = visit.language if opened is None else visit.language_for(opened)
    with suppress(LinkInvalidError):
        visit.self_service.finish(visit.code)
    heading = N_("You are signed out")
    texts = (N_("Nothing has been kept in this browser. To come back, use the link in any message from us."),)
    return visit.page(
        HTTPStatus.OK,
        "done",
        dropping(visit.self_service.pages),
        ("clear-site-data", '"cache", "cookies"'),
        title=heading,
        language=language,
        heading=visit.say(language, heading),
        texts=[visit.say(language, text) for text in texts],
        links=(),
    )
