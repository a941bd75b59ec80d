"""
Errors travel through task queues, and say at the other end what they said here.
"""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pytest

from optly import errors
from optly.contacts.addresses import Channel
from optly.errors import OptlyError
from optly.rules import Decision, Reason
from optly.rules.lint import WordingFinding, WordingFlaw

AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
DECISION = Decision(
    allowed=False, reason=Reason.NO_CONSENT, regulation="22(2)", channel=Channel.EMAIL, purpose="offers", at=AT,
    edition="2026",
)  # fmt: skip
FACTS: dict[str, Any] = {
    "decision": DECISION,
    "findings": (WordingFinding(code=WordingFlaw.VAGUE),),
    "expired_at": AT,
    "answered_at": AT,
    "until": AT,
    "as_of": date(2026, 11, 24),
    "line": 7,
}


def _below(cls: type[OptlyError]) -> Iterator[type[OptlyError]]:
    for further in cls.__subclasses__():
        if further.__module__ == errors.__name__:
            yield further
            yield from _below(further)


@pytest.mark.parametrize("cls", sorted(_below(OptlyError), key=str))
def test_an_error_is_the_same_after_pickling(cls: type[OptlyError]) -> None:
    """
    With its message, and with the facts it carries.
    """
    code = cls.__init__.__code__ if "__init__" in vars(cls) else None
    names = code.co_varnames[2 : 2 + code.co_kwonlyargcount] if code else ()
    error = cls("what is wrong", **{name: FACTS[name] for name in names})
    copy = pickle.loads(pickle.dumps(error))
    assert type(error) is type(copy)
    assert (error.args, vars(error)) == (copy.args, vars(copy))


def test_every_error_is_in_the_tree() -> None:
    """
    The drawing at the top of the module leaves none out.
    """
    assert errors.__doc__ is not None
    assert [cls.__name__ for cls in _below(OptlyError) if f" {cls.__name__}" not in errors.__doc__] == []
