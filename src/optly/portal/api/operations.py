"""
Every operation of the API, once: both the answers and the description are made from this table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, get_type_hints

import attrs
import msgspec

from optly.portal.api import calls, problems
from optly.portal.api.bodies import Body, Nothing, Sent
from optly.portal.visit import Visit

_ALWAYS: Final = (problems.BUSY, problems.FAILED)
_WITH_A_BODY: Final = (problems.MALFORMED, problems.BAD_MEDIA_TYPE, problems.TOO_LARGE)
_WITH_A_CODE: Final = (problems.NO_CODE, problems.LINK_INVALID, problems.TOO_MANY)
_CLOSED: Final = (problems.LINK_USED, problems.LINK_EXPIRED, problems.LINK_SUPERSEDED)
_OF_A_PERSON: Final = (problems.LINK_REVOKED, problems.SESSION_OVER)


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
    refuses: tuple[problems.Kind, ...] = ()
    status: HTTPStatus = HTTPStatus.OK
    takes_code: bool = True
    pages: bool = False

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

    def kinds(self, method: str) -> tuple[problems.Kind, ...]:
        """
        Return every problem it may report.
        """
        reads_body = method == "POST" and self.takes is not Nothing
        body = _WITH_A_BODY if reads_body else (problems.MALFORMED,) if self.pages else ()
        code = _WITH_A_CODE if self.takes_code else ()
        return (*body, *code, *self.refuses, *_ALWAYS)


def _raised(run: Callable[[Visit, Any], Body], *refuses: problems.Kind, **more: Any) -> Operation:
    """
    Return an operation that takes a session, most of them one that was raised.
    """
    return Operation(run, (*_OF_A_PERSON, *_CLOSED, problems.CODE_NEEDED, *refuses), **more)


OPERATIONS: Final[Mapping[str, Mapping[str, Operation]]] = {
    "/me": {"GET": Operation(calls.opened, (*_OF_A_PERSON, *_CLOSED))},
    "/me/answers": {
        "POST": _raised(
            calls.answer, problems.NOT_FOR_THIS, problems.NOT_OFFERED, problems.UNFIT, problems.WORDING_CHANGED
        )
    },
    "/me/confirm": {"POST": Operation(calls.confirm, (*_OF_A_PERSON, *_CLOSED, problems.TOO_SOON))},
    "/me/stop": {"POST": Operation(calls.stop, _OF_A_PERSON)},
    "/me/undo": {"POST": Operation(calls.undo, (*_OF_A_PERSON, *_CLOSED, problems.NOT_FOR_THIS))},
    "/me/complaints": {"POST": Operation(calls.complain, (*_OF_A_PERSON, problems.UNFIT), HTTPStatus.CREATED)},
    "/me/codes": {
        "POST": Operation(
            calls.send_code, (*_OF_A_PERSON, problems.NOT_FOR_THIS, problems.CANNOT_SEND), HTTPStatus.CREATED
        )
    },
    "/me/session": {"POST": _raised(calls.enter_code, problems.WRONG_DIGITS)},
    "/me/session/stay": {"POST": _raised(calls.stay)},
    "/me/session/finish": {"POST": _raised(calls.finish)},
    "/me/details": {
        "GET": _raised(calls.details),
        "POST": _raised(calls.change, problems.UNFIT, problems.UNREADABLE),
    },
    "/me/email": {
        "POST": _raised(
            calls.propose_email, problems.UNFIT, problems.UNREADABLE, problems.CANNOT_SEND, status=HTTPStatus.ACCEPTED
        )
    },
    "/me/email/proof": {"POST": _raised(calls.prove_email, problems.WRONG_DIGITS)},
    "/me/phone": {
        "POST": _raised(
            calls.propose_phone, problems.UNFIT, problems.UNREADABLE, problems.CANNOT_SEND, status=HTTPStatus.ACCEPTED
        )
    },
    "/me/phone/proof": {"POST": _raised(calls.prove_phone, problems.WRONG_DIGITS)},
    "/me/history": {"GET": _raised(calls.history, pages=True)},
    "/me/copy": {"POST": _raised(calls.send_copy, problems.CANNOT_SEND, status=HTTPStatus.ACCEPTED)},
    "/stop-link": {
        "GET": Operation(calls.stop_scope, (problems.NOT_FOR_THIS,)),
        "POST": Operation(calls.stop_by_link, (problems.NOT_FOR_THIS,)),
    },
    "/new-link": {
        "POST": Operation(
            calls.send_link, (problems.UNREADABLE, problems.CANNOT_SEND), HTTPStatus.ACCEPTED, takes_code=False
        )
    },
}
