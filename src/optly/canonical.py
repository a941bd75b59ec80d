"""
The bytes that are hashed: a strict profile of RFC 8785.

An object's names are ASCII, ``[a-z][a-z0-9_]*``; numbers are whole and below 2^53; text holds no lone surrogate. Inside
the profile every JSON library writes the same bytes, outside it they differ, so what is outside is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


# All names of an object at once: those of most have been seen before.
@lru_cache(maxsize=1024)
def _are_names(names: tuple[object, ...]) -> bool:
    return all(type(name) is str and _NAME.fullmatch(name) for name in names)


def require_names(names: Iterable[object]) -> None:
    """
    Raises:
        SerializationError: One of the names of an object is outside the profile.
    """
    if not _are_names(tuple(names)):
        raise SerializationError("a name in the record must match [a-z][a-z0-9_]*")


def require_whole(number: int) -> int:
    """
    Return a number.

    Raises:
        SerializationError: It is outside the profile.
    """
    if not -_MAX_INT < number < _MAX_INT:
        raise SerializationError("a number in the record must be below 2^53")
    return number


def _check(value: Any) -> None:
    # By exact type: this runs over every value of every event.
    kind = type(value)
    if kind is dict:
        require_names(value)
        parts = value.values()
    elif kind is list:
        parts = value
    elif kind is int:
        require_whole(value)
        return
    elif kind in _LEAVES:
        return
    else:
        raise SerializationError(f"the record cannot hold a {kind.__name__}")
    if not _LEAVES.issuperset(map(type, parts)):
        for part in parts:
            if type(part) not in _LEAVES:
                _check(part)


def canonical(value: object) -> bytes:
    """
    Return the canonical bytes of *value*.

    Raises:
        SerializationError: It is outside the profile.
    """
    _check(value)
    return encoded(value)


def encoded(value: object) -> bytes:
    """
    Return the canonical bytes of what is known to be inside the profile.

    Raises:
        SerializationError: A text in it is not.
    """
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
