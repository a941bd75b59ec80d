"""
Every operation of the API, once: both the answers and the description are made from this table.

==========================  ======  ==================================================================
path                        method  does
==========================  ======  ==================================================================
``/me``                     GET     what a page shows behind a link or in a session
``/me/answers``             POST    answer the question, or change the choices
``/me/confirm``             POST    confirm a yes that was held
``/me/stop``                POST    stop everything
``/me/undo``                POST    undo that, or what the link was sent for
``/me/complaints``          POST    complain
``/me/codes``               POST    have a one-time code sent, and begin a session
``/me/session``             POST    raise the session by it
``/me/session/stay``        POST    extend the session
``/me/session/finish``      POST    end it
``/me/details``             GET     the person's details
``/me/details``             POST    change their name, language or postal address
``/me/email``, ``/phone``   POST    have a code sent to a new address
``/me/email/proof``, …      POST    prove it by that code
``/me/history``             GET     what happened
``/me/copy``                POST    have a copy of the data sent
``/stop-link``              GET     what a stop link stops
``/stop-link``              POST    stop it
``/new-link``               POST    have a link sent
==========================  ======  ==================================================================
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, get_type_hints

import attrs
import msgspec

from optly.portal.api import calls
from optly.portal.api.bodies import Body, Sent
from optly.portal.api.problems import (
    BAD_MEDIA_TYPE,
    BUSY,
    CANNOT_SEND,
    CODE_NEEDED,
    FAILED,
    LINE_TAKEN,
    LINK_EXPIRED,
    LINK_INVALID,
    LINK_REVOKED,
    LINK_SUPERSEDED,
    LINK_USED,
    MALFORMED,
    NO_CODE,
    NOT_FOR_THIS,
    NOT_OFFERED,
    SESSION_OVER,
    TOO_LARGE,
    TOO_MANY,
    TOO_SOON,
    UNFIT,
    UNREADABLE,
    WORDING_CHANGED,
    WRONG_DIGITS,
    Kind,
)
from optly.portal.visit import Visit

_ALWAYS: Final = (BUSY, FAILED)
_WITH_A_BODY: Final = (MALFORMED, BAD_MEDIA_TYPE, TOO_LARGE)
_WITH_A_CODE: Final = (NO_CODE, LINK_INVALID, TOO_MANY)
_CLOSED: Final = (LINK_USED, LINK_EXPIRED, LINK_SUPERSEDED)
_OF_A_PERSON: Final = (LINK_REVOKED, SESSION_OVER)


@attrs.frozen
class Operation:
    """
    What a method does at a path.

    Attributes:
        run: Its docstring says what it does, its annotations what it takes and gives.
        refuses: What it may refuse beyond what every operation does.
        status: Of the response when it is done.
        takes_code: Whether it takes the code of a link or of a session.
        pages: Whether it gives a part at a time.
    """

    run: Callable[[Visit, Any], Body]
    refuses: tuple[Kind, ...] = ()
    status: HTTPStatus = HTTPStatus.OK
    takes_code: bool = True
    pages: bool = False

    @property
    def name(self) -> str:
        return self.run.__name__

    @property
    def says(self) -> str:
        """
        What it does, in the words of its docstring.
        """
        return inspect.getdoc(self.run) or ""

    @property
    def takes(self) -> type[Sent]:
        """
        The type of its body.
        """
        sent: type[Sent]
        _, sent, _ = get_type_hints(self.run).values()
        return sent

    @property
    def gives(self) -> type[Body]:
        """
        The type of what it sends back.
        """
        given: type[Body] = get_type_hints(self.run)["return"]
        return given

    @property
    def needs_body(self) -> bool:
        """
        Whether there has to be a body.
        """
        return any(field.required for field in msgspec.structs.fields(self.takes))

    def kinds(self, method: str) -> tuple[Kind, ...]:
        """
        Return every problem it may report.
        """
        body = _WITH_A_BODY if method == "POST" else (MALFORMED,) if self.pages else ()
        code = _WITH_A_CODE if self.takes_code else ()
        return (*body, *code, *self.refuses, *_ALWAYS)


def _raised(run: Callable[[Visit, Any], Body], *refuses: Kind, **more: Any) -> Operation:
    """
    Return an operation that takes a session, most of them one that was raised.
    """
    return Operation(run, (*_OF_A_PERSON, *_CLOSED, CODE_NEEDED, *refuses), **more)


OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/me": {"GET": Operation(calls.opened, (*_OF_A_PERSON, *_CLOSED))},
    "/me/answers": {
        "POST": Operation(
            calls.answer, (*_OF_A_PERSON, *_CLOSED, CODE_NEEDED, NOT_FOR_THIS, NOT_OFFERED, UNFIT, WORDING_CHANGED)
        )
    },
    "/me/confirm": {"POST": Operation(calls.confirm, (*_OF_A_PERSON, *_CLOSED, TOO_SOON))},
    "/me/stop": {"POST": Operation(calls.stop, _OF_A_PERSON)},
    "/me/undo": {"POST": Operation(calls.undo, (*_OF_A_PERSON, *_CLOSED, NOT_FOR_THIS, LINE_TAKEN))},
    "/me/complaints": {"POST": Operation(calls.complain, (*_OF_A_PERSON, UNFIT), HTTPStatus.CREATED)},
    "/me/codes": {"POST": Operation(calls.send_code, (*_OF_A_PERSON, NOT_FOR_THIS, CANNOT_SEND), HTTPStatus.CREATED)},
    "/me/session": {"POST": _raised(calls.enter_code, WRONG_DIGITS)},
    "/me/session/stay": {"POST": _raised(calls.stay)},
    "/me/session/finish": {"POST": _raised(calls.finish)},
    "/me/details": {
        "GET": _raised(calls.details),
        "POST": _raised(calls.change, UNFIT, UNREADABLE, LINE_TAKEN),
    },
    "/me/email": {"POST": _raised(calls.propose_email, UNFIT, UNREADABLE, CANNOT_SEND, status=HTTPStatus.ACCEPTED)},
    "/me/email/proof": {"POST": _raised(calls.prove_email, WRONG_DIGITS, LINE_TAKEN)},
    "/me/phone": {"POST": _raised(calls.propose_phone, UNFIT, UNREADABLE, CANNOT_SEND, status=HTTPStatus.ACCEPTED)},
    "/me/phone/proof": {"POST": _raised(calls.prove_phone, WRONG_DIGITS, LINE_TAKEN)},
    "/me/history": {"GET": _raised(calls.history, pages=True)},
    "/me/copy": {"POST": _raised(calls.send_copy, CANNOT_SEND, status=HTTPStatus.ACCEPTED)},
    "/stop-link": {
        "GET": Operation(calls.stop_scope, (NOT_FOR_THIS,)),
        "POST": Operation(calls.stop_by_link, (NOT_FOR_THIS,)),
    },
    "/new-link": {"POST": Operation(calls.send_link, (UNREADABLE, CANNOT_SEND), HTTPStatus.ACCEPTED, takes_code=False)},
}
