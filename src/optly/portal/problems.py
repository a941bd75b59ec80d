"""
What a page says when it cannot do what the person wanted: why, and what to do now.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Final

import attrs

from optly import errors, typed
from optly.locale.i18n import N_, Catalogues, catalogue, clock_time, long_date


@attrs.frozen(kw_only=True)
class ProblemPage:
    """
    A page that says what is wrong, in English; the catalogues have it in other languages.

    Attributes:
        texts: Sentences, the first of which may hold ``%(at)s``.
        at: When it was or will be so, shown as a date or as a time of day.
        can_stop: Whether the link can still stop everything.
    """

    status: HTTPStatus
    title: str
    texts: tuple[str, ...]
    at: datetime | None = None
    to_the_minute: bool = False
    can_stop: bool = False

    def in_language(self, language: str, more: Catalogues) -> list[str]:
        """
        Return the texts in a language.
        """
        write = clock_time if self.to_the_minute else long_date
        at = "" if self.at is None else write(self.at, language)
        first, *others = [catalogue(language, more).gettext(text) for text in self.texts]
        return [first if self.at is None else first % {"at": at}, *others]


_NEWER: Final = N_("To see and change all your choices, use the MyOptly link in any later message from us.")
_NOTHING: Final = N_("Nothing was changed.")
_STOP_LINK: Final = N_("To stop all messages, use the stop link in any of them.")

_NOT_FOUND: Final = ProblemPage(
    status=HTTPStatus.NOT_FOUND,
    title=N_("There is no page at this address"),
    texts=(
        N_(
            "If you followed a link from a message, check that you have all of it. Long links are sometimes broken "
            "over two lines."
        ),
        _STOP_LINK,
    ),
)

SESSION_OVER: Final = ProblemPage(
    status=HTTPStatus.FORBIDDEN,
    title=N_("You are signed out"),
    texts=(
        N_("Your session timed out, an address was changed, or your browser did not store the cookie."),
        N_("Open the link in our message again. You do not need cookies to answer or to stop messages."),
    ),
)

TOO_MANY: Final = ProblemPage(
    status=HTTPStatus.TOO_MANY_REQUESTS,
    title=N_("You have tried too many times"),
    texts=(N_("Wait a while, then try again."), _STOP_LINK),
)


_BUSY: Final = ProblemPage(
    status=HTTPStatus.SERVICE_UNAVAILABLE,
    title=N_("We cannot do that at the moment"),
    texts=(N_("Wait a moment, then go back and try again. It does no harm to try twice."),),
)

_FAILED: Final = ProblemPage(
    status=HTTPStatus.INTERNAL_SERVER_ERROR,
    title=N_("Sorry, something went wrong"),
    texts=(
        N_("We have been notified. Try again later, or contact us."),
        N_("To stop all messages, you can also use the stop link in any of them."),
    ),
)

_REFUSED: Final = {
    HTTPStatus.BAD_REQUEST: N_("The form was damaged on the way to us. Go back, reload the page and choose again."),
    HTTPStatus.FORBIDDEN: N_(
        "This form was sent from a different website, or from a page that was opened before you signed in again. Open "
        "the link in our message again and choose there."
    ),
    HTTPStatus.METHOD_NOT_ALLOWED: N_(
        "You cannot open this address by itself. Open the link in our message again and use the button there."
    ),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: N_(
        "The form was much longer than it should be. Open the link in our message again and choose there."
    ),
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: N_(
        "Something was wrong with the form. Open the link in our message again and choose there."
    ),
}


def refused(status: HTTPStatus) -> ProblemPage:
    """
    Return the page for a request that was refused before anything was looked up.
    """
    if status is HTTPStatus.NOT_FOUND:
        return _NOT_FOUND
    return ProblemPage(status=status, title=N_("That did not work"), texts=(_REFUSED[status], _NOTHING))


def problem(error: Exception) -> ProblemPage:
    """
    Return the page about *error*. Nothing of it is repeated but dates.
    """
    return page_about(error) or (_NOT_FOUND if isinstance(error, errors.LinkError) else _FAILED)


def page_about(error: Exception) -> ProblemPage | None:
    """
    Return the page that is about this very error, if there is one.
    """
    match error:
        case errors.LinkUsedError():
            saved = N_("We saved your answer on %(at)s.")
            return _gone(N_("You have already answered"), saved, _NEWER, at=error.answered_at)
        case errors.LinkExpiredError():
            until = N_("You could answer this question until %(at)s.")
            silence = N_("Nothing was changed. If you do not answer, we never take that as a yes.")
            return _gone(N_("It is too late to answer"), until, silence, at=error.expired_at)
        case errors.LinkSupersededError():
            why = N_("You have since told us what you want, or we have asked you again. Only the latest counts.")
            return _gone(N_("This question is closed"), why, _NEWER)
        case errors.LinkRevokedError():
            why = N_(
                "It was switched off, the record it opened was erased, or it went to an address you no longer use."
            )
            return _gone(N_("This link no longer works"), why, _STOP_LINK, can_stop=False)
        case errors.TooManyTriesError():
            wait = (N_("Wait until %(at)s, then try again."), _NOTHING)
            return typed.evolve(TOO_MANY, texts=wait, at=error.until, to_the_minute=True)
        case errors.RetryableError():
            return _BUSY
        case _:
            return None


def _gone(title: str, *texts: str, at: datetime | None = None, can_stop: bool = True) -> ProblemPage:
    return ProblemPage(status=HTTPStatus.GONE, title=title, texts=texts, at=at, can_stop=can_stop)
