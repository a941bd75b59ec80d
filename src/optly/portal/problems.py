"""
What a person is told when a page cannot do what they wanted: why, and what to do now.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

import attrs

from optly.errors import (
    LinkError,
    LinkExpiredError,
    LinkRevokedError,
    LinkSupersededError,
    LinkUsedError,
    RetryableError,
)
from optly.rendering import long_date


@attrs.frozen(kw_only=True)
class Problem:
    """
    A page that says what is the matter.

    Attributes:
        can_stop: Whether the link can still stop everything.
    """

    status: HTTPStatus
    title: str
    texts: tuple[str, ...]
    can_stop: bool = False


_NEWER: Final = "To see and change all your choices, use the link to your MyOptly page in any later message from us."
_NOTHING: Final = "Nothing was changed."

_NOT_FOUND: Final = Problem(
    status=HTTPStatus.NOT_FOUND,
    title="There is no page at this address",
    texts=(
        "If you followed a link from a message, check that you have the whole of it: a long link may have been broken "
        "over two lines.",
        "To stop all messages, use the stop link in any of them.",
    ),
)

_REFUSED: Final = {
    HTTPStatus.BAD_REQUEST: "What your browser sent arrived damaged. Go back, load the page again and choose again.",
    HTTPStatus.FORBIDDEN: "Your browser says that this came from another page. Open the link in our message again and "
    "choose there.",
    HTTPStatus.METHOD_NOT_ALLOWED: "This address belongs to a button on another page. Open the link in our message "
    "again and press the button there.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "What your browser sent is far more than a form of ours. Open the link in our "
    "message again and choose there.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "What your browser sent is not a form of ours. Open the link in our message "
    "again and choose there.",
}


def refused(status: HTTPStatus) -> Problem:
    """
    Return what to say to a request that was refused before anything was looked at.
    """
    if status is HTTPStatus.NOT_FOUND:
        return _NOT_FOUND
    return Problem(status=status, title="That did not work", texts=(_REFUSED[status], _NOTHING))


def problem(error: Exception) -> Problem:
    """
    Return what to say about *error*. Nothing in it is repeated but dates.
    """
    match error:
        case LinkUsedError():
            title = "You have already answered"
            texts: tuple[str, ...] = (f"Your answer of {long_date(error.answered_at)} is saved.", _NEWER)
        case LinkExpiredError():
            title = "It is too late to answer"
            texts = (
                f"The question could be answered until {long_date(error.expired_at)}.",
                "Nothing was changed. Not answering is never taken for a yes.",
            )
        case LinkSupersededError():
            title = "This question is closed"
            texts = (
                "You have told us since then what you want, or we have asked you again. Only the latest counts.",
                _NEWER,
            )
        case LinkRevokedError():
            title = "This link no longer works"
            texts = (
                "It was switched off, or what it belonged to was erased.",
                "To stop all messages, use the stop link in any of them.",
            )
        case LinkError():
            return _NOT_FOUND
        case RetryableError():
            return Problem(
                status=HTTPStatus.SERVICE_UNAVAILABLE,
                title="We could not do that just now",
                texts=("Wait a moment, then go back and try again. Trying twice does no harm.",),
            )
        case _:
            return Problem(
                status=HTTPStatus.INTERNAL_SERVER_ERROR,
                title="Something went wrong on our side",
                texts=(
                    "It has been noted. Try again later, or write to us.",
                    "To stop all messages, you can also use the stop link in any of them.",
                ),
            )
    return Problem(status=HTTPStatus.GONE, title=title, texts=texts, can_stop=not isinstance(error, LinkRevokedError))
