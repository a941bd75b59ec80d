"""
What the API returns when it cannot do what was asked: problem details (RFC 9457).

A problem is known by its type. Types are never renamed; more may be added. Nothing that was sent is repeated, nor
anything of the record but dates.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Annotated, Final

import attrs
import msgspec
from msgspec import Meta

from optly import errors
from optly.locale.i18n import N_


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    Why nothing was done (RFC 9457).
    """

    type: Annotated[str, Meta(description="By which a program knows it. Never renamed.")]
    title: Annotated[str, Meta(description="The same for every problem of the type, in English.")]
    status: int
    detail: Annotated[
        str, Meta(description="What to say to the person, in their language, if there is more to say.")
    ] = ""
    at: Annotated[
        Annotated[datetime, Meta(tz=True)] | None,
        Meta(description="When it was or will be so: answered, expired, or open to another try."),
    ] = None
    where: Annotated[str, Meta(description="The place in the body that is wrong, as a JSON path.")] = ""


@attrs.frozen
class Kind:
    """
    A type of problem.

    Attributes:
        advice: What to say to the person, if the pages have no page for it.
    """

    name: str
    status: HTTPStatus
    title: str
    advice: str = ""

    @property
    def type(self) -> str:
        return f"urn:optly:problem:{self.name}"


NOT_FOUND: Final = Kind("not-found", HTTPStatus.NOT_FOUND, "There is no such path")
BAD_METHOD: Final = Kind("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "The path does not take this method")
BAD_MEDIA_TYPE: Final = Kind("not-json", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body must be application/json")
TOO_LARGE: Final = Kind("too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is longer than 64 kB")
MALFORMED: Final = Kind("malformed", HTTPStatus.BAD_REQUEST, "The request does not match the description")

NO_CODE: Final = Kind("no-code", HTTPStatus.UNAUTHORIZED, "No code was sent: Authorization: Bearer <code>")
LINK_INVALID: Final = Kind("link-invalid", HTTPStatus.UNAUTHORIZED, "The code opens nothing")
SESSION_OVER: Final = Kind("session-over", HTTPStatus.UNAUTHORIZED, "The session is over")
CODE_NEEDED: Final = Kind("code-needed", HTTPStatus.FORBIDDEN, "This takes a session that a one-time code has raised")
NOT_FOR_THIS: Final = Kind("not-for-this", HTTPStatus.FORBIDDEN, "The link is for something else")

LINK_USED: Final = Kind("link-used", HTTPStatus.GONE, "The question was answered")
LINK_EXPIRED: Final = Kind("link-expired", HTTPStatus.GONE, "It is too late to answer")
LINK_SUPERSEDED: Final = Kind("link-superseded", HTTPStatus.GONE, "Superseded by a newer question or a stop")
LINK_REVOKED: Final = Kind("link-revoked", HTTPStatus.GONE, "The link was revoked, or what it opened is gone")

NOT_OFFERED: Final = Kind(
    "not-offered", HTTPStatus.UNPROCESSABLE_ENTITY, "An answer is for a question that was not asked, or was given twice"
)
UNFIT: Final = Kind("unfit", HTTPStatus.UNPROCESSABLE_ENTITY, "What was sent is not valid here")
UNREADABLE: Final = Kind(
    "address-unreadable",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The address cannot be read",
    N_("We could not read this. Check that it is right"),
)
WRONG_DIGITS: Final = Kind(
    "wrong-digits",
    HTTPStatus.UNPROCESSABLE_ENTITY,
    "The digits are wrong, or have expired",
    N_("The code is not right, or it has expired. Check it, or ask for a new one."),
)
WORDING_CHANGED: Final = Kind(
    "wording-changed",
    HTTPStatus.CONFLICT,
    "A yes was given to words that have since changed",
    N_("These words changed after you opened the page. Choose again"),
)
TOO_SOON: Final = Kind(
    "too-soon",
    HTTPStatus.CONFLICT,
    "The confirmation came too quickly",
    N_("Please read this, then press again."),
)
CANNOT_SEND: Final = Kind("cannot-send", HTTPStatus.CONFLICT, "Nothing can be sent there")
TOO_MANY: Final = Kind(
    "too-many-tries",
    HTTPStatus.TOO_MANY_REQUESTS,
    "Too many attempts",
    N_("Wait a while, then try again."),
)
BUSY: Final = Kind("busy", HTTPStatus.SERVICE_UNAVAILABLE, "Temporarily unavailable; try again in a moment")
FAILED: Final = Kind("failed", HTTPStatus.INTERNAL_SERVER_ERROR, "Sorry, something went wrong")

# The first that matches: more specific errors come first.
_OF_ERRORS: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (errors.LinkUsedError, LINK_USED),
    (errors.LinkExpiredError, LINK_EXPIRED),
    (errors.LinkSupersededError, LINK_SUPERSEDED),
    (errors.LinkRevokedError, LINK_REVOKED),
    (errors.WrongDigitsError, WRONG_DIGITS),
    (errors.TooManyTriesError, TOO_MANY),
    (errors.TooSoonError, TOO_SOON),
    (errors.AnswerError, UNFIT),
    (errors.AddressError, UNREADABLE),
    (errors.NoBackendError, CANNOT_SEND),
    (errors.MissingLineError, CANNOT_SEND),
    (errors.RetryableError, BUSY),
)


def kind_of(error: Exception) -> Kind:
    """
    Return the type of problem that an error is.
    """
    return next((kind for cls, kind in _OF_ERRORS if isinstance(error, cls)), FAILED)


class Refused(Exception):
    """
    A request that the API itself refuses. Never leaves it.

    Attributes:
        where: The place in the body that is wrong.
    """

    def __init__(self, kind: Kind, *, where: str = "") -> None:
        super().__init__(kind.name)
        self.kind = kind
        self.where = where
