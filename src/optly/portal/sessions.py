"""
From a link to a session: requesting a one-time code, entering it, and extending and ending the session.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from http import HTTPStatus

from optly import typed
from optly.errors import LinkInvalidError, TooManyTriesError, WrongDigitsError
from optly.links import STEP_UP_DIGITS, read_step_up
from optly.locale.i18n import N_, clock_time
from optly.portal.cookies import dropping, keeping, session_in
from optly.portal.done import Act
from optly.portal.http import Refusal
from optly.portal.visit import Visit
from optly.protocols.http import Response
from optly.record.events import LinkKind
from optly.record.views import Opened
from optly.timeline.phrases import BY

_WRONG = N_("The code is not right, or it has expired. Check it, or ask for a new one.")
_TOO_MANY_HERE = N_("Too many codes have been tried from your network. Try again later.")
_TOO_MANY = N_("Too many wrong codes. You can ask for a new one at %(time)s.")


def _malformed(typed: str) -> str:
    """
    Return why what was typed cannot be a code; empty if it can.
    """
    digits = read_step_up(typed)
    if digits is None:
        return N_("Enter numbers only. There are no letters in the code.")
    if not digits:
        return N_("Enter the code we sent you.")
    if len(digits) != STEP_UP_DIGITS:
        short, long = N_("That code is too short. It has 6 digits."), N_("That code is too long. It has 6 digits.")
        return short if len(digits) < STEP_UP_DIGITS else long
    return ""


def show_send(visit: Visit) -> Response:
    """
    Say where a one-time code would go, with a button.
    """
    opened = visit.open()
    if not opened.verifiable or opened.kind is LinkKind.UNDO:
        raise Refusal(HTTPStatus.NOT_FOUND)
    return visit.own_page(
        opened,
        "code_send",
        title=N_("We need to check it’s you"),
        place="code",
        masked=opened.masked,
        by=visit.say(visit.language_for(opened), BY[opened.channel]),
    )


def send(visit: Visit) -> Response:
    """
    Have a one-time code sent, and begin a session that it will raise, or go on with the one that this browser has begun
    at the same link.
    """
    visit.form()
    pages = visit.self_service.pages
    session = visit.me.request_code(session="" if visit.in_session else session_in(visit.request, pages))
    headers = () if session == visit.code else (keeping(pages, session),)
    return visit.to("/me/code", headers=headers)


def show_enter(visit: Visit) -> Response:
    """
    Show the field for the digits.
    """
    opened = visit.open()
    return visit.to("/me/details") if opened.raised else _enter(visit, opened)


def _enter(visit: Visit, opened: Opened, error: str | None = None) -> Response:
    again = f"{visit.home}/code/again"
    return digits_page(visit, opened, "code", error, place="code", masked=opened.masked, resend=again)


def enter(visit: Visit) -> Response:
    """
    Raise the session by the digits that were entered.
    """
    form = visit.form()
    opened = visit.open()
    if opened.raised:
        return visit.to("/me/details")
    return by_digits(
        visit, opened, form, visit.me.step_up, partial(_enter, visit, opened), partial(visit.to, "/me/details")
    )


# ---- digits, here and for a new address


def digits_page(
    visit: Visit, opened: Opened, path: str, error: str | None, *, place: str, masked: str, resend: str | None = None
) -> Response:
    """
    Return the page with the field for the digits, whose own path is *path*.

    Args:
        resend: Where others are sent for.
    """
    here = f"{visit.home}/{path}"
    return visit.own_page(
        opened,
        "code_enter",
        title=N_("Enter the code"),
        here=here,
        place=place,
        masked=masked,
        action=here,
        error=error,
        resend=resend,
    )


def by_digits(
    visit: Visit,
    opened: Opened,
    form: Mapping[str, tuple[str, ...]],
    use: Callable[[str], str],
    again: Callable[[str], Response],
    to: Callable[..., Response],
) -> Response:
    """
    Use the digits that were entered, and go on in the session they give.

    Args:
        use: Takes the digits and returns the code of the session.
        again: Shows the field for the digits again, with what is wrong.
        to: Leads on, given the *headers* that keep the session.
    """
    language, typed = visit.language_for(opened), form.get("digits", ("",))[-1]
    if malformed := _malformed(typed):
        return again(visit.say(language, malformed))
    if not visit.site.limiter.may_try_digits(visit.client):
        return again(visit.say(language, _TOO_MANY_HERE))
    try:
        session = use(typed)
    except TooManyTriesError as error:
        return again(visit.say(language, _TOO_MANY, time=clock_time(error.until, language)))
    except WrongDigitsError:
        return again(visit.say(language, _WRONG))
    return to(headers=[keeping(visit.self_service.pages, session)])


# ---- the session


def stay(visit: Visit) -> Response:
    """
    Extend the session.
    """
    visit.form()
    return visit.led_to("/me/details", Act.STAYED, headers=[keeping(visit.self_service.pages, visit.me.stay())])


def finish(visit: Visit) -> Response:
    """
    End the session, and have the browser delete its cookie.
    """
    visit.form()
    language = visit.language_for(visit.opened_or_none())
    with suppress(LinkInvalidError):
        visit.self_service.finish(visit.code)
    # Not Clear-Site-Data, which would take the host's own cookies, of the whole domain: its baskets and log-ins.
    gone, outside = dropping(visit.self_service.pages), typed.evolve(visit, credential=None, in_session=False)
    return outside.led_to("/", Act.FINISHED, headers=[gone], language=language)
