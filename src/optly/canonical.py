"""
The bytes that are hashed: a strict profile of RFC 8785.

An object's names are ASCII, ``[a-z][a-z0-9_]*``; numbers are whole and below 2^53; text holds no lone surrogate. Inside
the profile every JSON library writes the same bytes, outside it they differ, so what is outside is refused.
"""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from optly.errors import SerializationError

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_MAX_INT = 2**53
# A lone surrogate in a text cannot be encoded, which the encoder says itself.
_LEAVES = frozenset({str, bool, type(None)})

_encode = msgspec.json.Encoder(order="sorted").encode


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _check(value: object) -> None:
    # By exact type: this runs over every value of every event.
    kind = type(value)
    if kind in _LEAVES:
        return
    if kind is int:
        if not -_MAX_INT < value < _MAX_INT:  # type: ignore[operator]
            raise SerializationError("a number in the record must be below 2^53")
    elif kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if not (type(name) is str and _is_name(name)):
                raise SerializationError("a name in the record must match [a-z][a-z0-9_]*")
            if type(item) not in _LEAVES:
                _check(item)
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            if type(item) not in _LEAVES:
                _check(item)
    else:
        raise SerializationError(f"the record cannot hold a {kind.__name__}")


def canonical(value: object) -> bytes:
    """
    Return the canonical bytes of *value*.

    Raises:
        SerializationError: It is outside the profile.
    """
    _check(value)
    try:
        return _encode(value)
    except UnicodeEncodeError:
        raise SerializationError("a text in the record holds half of a surrogate pair") from None


def parse(payload: bytes) -> Any:
    """
    Read canonical bytes back.

    Raises:
        SerializationError: They are not JSON, or not its canonical form.
    """
    try:
        value = msgspec.json.decode(payload)
        if canonical(value) != payload:
            raise SerializationError("a stored record is not in canonical form")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise SerializationError("a stored record is not JSON") from None
    return value


def timestamp(at: datetime) -> str:
    """
    Write an aware datetime, already in UTC, as RFC 3339 with six decimals.
    """
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"
