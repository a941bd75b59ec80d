"""
Events to and from the bytes that are hashed.

The bytes are a strict profile of RFC 8785: an object's names are ASCII, ``[a-z][a-z0-9_]*``; numbers are whole and
below 2^53; text holds no lone surrogate. Inside the profile every JSON library writes the same bytes, outside it they
differ, so what is outside is refused. Type tags are stored data: a tag is never renamed and never means anything else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeAlias

import attrs
import msgspec

from optly.errors import SerializationError
from optly.events import (
    AnswerHeld,
    CharitySoftOptInRecorded,
    Checked,
    Choice,
    CommunicationMade,
    ComplaintAcknowledged,
    ComplaintReceived,
    ComplaintResolved,
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    ContactAdded,
    ContactErased,
    DetailsChanged,
    Event,
    Happened,
    LineAdded,
    LineFailed,
    LineReinstated,
    LineRemoved,
    LineRestored,
    Manner,
    MessageAccepted,
    MessageDelivered,
    MessageDoubted,
    MessageQueued,
    MessageReceived,
    MessageRefused,
    MessageUndelivered,
    MessageWithheld,
    ObjectionRaised,
    ServiceRequested,
    SoftOptInRecorded,
)

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json] | None"

TYPES: Final[Mapping[str, type[Event]]] = {
    "contact-added/1": ContactAdded,
    "details-changed/1": DetailsChanged,
    "line-added/1": LineAdded,
    "line-removed/1": LineRemoved,
    "line-reinstated/1": LineReinstated,
    "service-requested/1": ServiceRequested,
    "complaint-received/1": ComplaintReceived,
    "complaint-acknowledged/1": ComplaintAcknowledged,
    "complaint-resolved/1": ComplaintResolved,
    "consent-requested/1": ConsentRequested,
    "message-queued/1": MessageQueued,
    "communication-made/1": CommunicationMade,
    "message-accepted/1": MessageAccepted,
    "message-refused/1": MessageRefused,
    "message-doubted/1": MessageDoubted,
    "message-delivered/1": MessageDelivered,
    "message-undelivered/1": MessageUndelivered,
    "message-withheld/1": MessageWithheld,
    "message-received/1": MessageReceived,
    "line-failed/1": LineFailed,
    "line-restored/1": LineRestored,
    "answer-held/1": AnswerHeld,
    "consent-given/1": ConsentGiven,
    "consent-refused/1": ConsentRefused,
    "consent-withdrawn/1": ConsentWithdrawn,
    "objection-raised/1": ObjectionRaised,
    "soft-opt-in-recorded/1": SoftOptInRecorded,
    "charity-soft-opt-in-recorded/1": CharitySoftOptInRecorded,
    "contact-erased/1": ContactErased,
}
_TAGS: Final = {cls: tag for tag, cls in TYPES.items()}
_COMMON: Final = frozenset(field.name for field in attrs.fields(Happened))
_OWN: Final[Mapping[type, tuple[str, ...]]] = {
    cls: tuple(field.name for field in attrs.fields(cls) if field.name not in _COMMON)
    for cls in (*TYPES.values(), Checked, Choice, Manner)
}
_NAME = re.compile(r"[a-z][a-z0-9_]*", re.ASCII)
_MAX_INT = 2**53

_encode = msgspec.json.Encoder(order="sorted").encode


@lru_cache(maxsize=1024)
def _is_name(name: str) -> bool:
    return _NAME.fullmatch(name) is not None


def _check(value: object) -> None:
    # By exact type, the commonest first: this runs over every value of every event.
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return  # a lone surrogate in a text cannot be encoded, which the encoder says itself
    if kind is int:
        if not -_MAX_INT < value < _MAX_INT:  # type: ignore[operator]
            raise SerializationError("a number in the record must be below 2^53")
    elif kind is dict:
        for name, item in value.items():  # type: ignore[attr-defined]
            if not (type(name) is str and _is_name(name)):
                raise SerializationError("a name in the record must match [a-z][a-z0-9_]*")
            if type(item) is not str:
                _check(item)
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            if type(item) is not str:
                _check(item)
    else:
        raise SerializationError(f"the record cannot hold a {kind.__name__}")


def canonical(value: object) -> bytes:
    """
    Return the one way of writing *value*.

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
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise SerializationError("a stored record is not JSON") from None
    if canonical(value) != payload:
        raise SerializationError("a stored record is not in canonical form")
    return value


def timestamp(at: datetime) -> str:
    """
    Write an aware datetime, already in UTC, as RFC 3339 with six decimals.
    """
    return at.isoformat(timespec="microseconds").removesuffix("+00:00") + "Z"


def _plain(value: object) -> Json:
    match value:
        case StrEnum():
            return value.value
        case None | bool() | int() | str():
            return value
        case datetime():
            return timestamp(value)
        case date():
            return value.isoformat()
        case tuple():
            return [_plain(item) for item in value]
        case _:
            return {name: _plain(getattr(value, name)) for name in _OWN[type(value)]}


def tag_of(event: Event) -> str:
    """
    Return the stored type tag of *event*.
    """
    return _TAGS[type(event)]


def to_data(event: Event) -> dict[str, Json]:
    """
    Return what is particular to *event*, without what every event says and without personal values.
    """
    return {name: _plain(getattr(event, name)) for name in _OWN[type(event)]}


def from_record(record: Mapping[str, Any], personal: Mapping[str, str]) -> Event:
    """
    Make the event that a stored *record* tells of.

    Args:
        personal: The values at hand for the record's slots; those that were erased are simply not there.

    Raises:
        SerializationError: The type is unknown to this version, or the data do not fit it.
    """
    try:
        cls = TYPES[record["type"]]
        common = {name: record[name] for name in ("occurred_at", "recorded_at", "actor", "grade")}
        return msgspec.convert({**record["data"], **common, "personal": personal}, cls)
    except (KeyError, TypeError, msgspec.ValidationError):
        raise SerializationError(f"a stored record of type {record.get('type')!r} cannot be read") from None
