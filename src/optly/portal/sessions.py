"""
From a link to a session: a one-time code is asked for, typed in, and the session prolonged and ended.
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

_WRONG = N_("That is not the code we sent, or its ten minutes are over. Look again, or have another code sent.")
_TOO_MANY = N_("That was tried too often. Wait until %(time)s, and have another code sent.")


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
        title=N_("First, a code"),
        place="code",
        masked=opened.masked,
        by=visit.say(language, BY[opened.channel]),
    )


def send(visit: Visit) -> Response:
    """
    Have a one-time code sent, and begin a session that it will raise.
    """
    visit.form()
    session = visit.own.request_code(visit.code)
    headers = () if session == visit.code else (keeping(visit.manager.pages, session),)
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
    Raise the session by the digits that were typed in.
    """
    form = visit.form()
    opened = visit.open()
    error = tried(visit, opened)
    if error is None:
        try:
            session = visit.own.step_up(visit.code, form.get("digits", ("",))[-1])
        except (WrongDigitsError, TooManyTriesError) as wrong:
            error = wrong_digits(visit, opened, wrong)
        else:
            return visit.to("/me/details", keeping(visit.manager.pages, session))
    return _enter(visit, opened, error)


def tried(visit: Visit, opened: Opened) -> str | None:
    """
    Count a try of this client's, and return what to say if that was one too many.
    """
    if visit.site.limiter.may_try_digits(visit.client):
        return None
    return visit.say(visit.language_for(opened), N_("Too many codes were tried from where you are. Try again later."))


def wrong_digits(visit: Visit, opened: Opened, error: WrongDigitsError | TooManyTriesError) -> str:
    """
    Say what was wrong with the digits.
    """
    language = visit.language_for(opened)
    if isinstance(error, TooManyTriesError):
        return visit.say(language, _TOO_MANY) % {"time": clock_time(error.until, language)}
    return visit.say(language, _WRONG)


def stay(visit: Visit) -> Response:
    """
    Prolong the session.
    """
    visit.form()
    return visit.to("/me/details", keeping(visit.manager.pages, visit.own.stay(visit.code)))


def finish(visit: Visit) -> Response:
    """
    End the session, and have the browser drop everything it keeps of it.
    """
    visit.form()
    opened = visit.opened_or_none()
    language = visit.language if opened is None else visit.language_for(opened)
    with suppress(LinkInvalidError):
        visit.own.finish(visit.code)
    heading = N_("You are signed out")
    texts = (N_("Nothing of it is kept in this browser. To come back, use the link in any message from us."),)
    return visit.page(
        HTTPStatus.OK,
        "done",
        dropping(visit.manager.pages),
        ("clear-site-data", '"cache", "cookies"'),
        title=heading,
        language=language,
        heading=visit.say(language, heading),
        texts=[visit.say(language, text) for text in texts],
        links=(),
    )
