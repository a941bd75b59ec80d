"""
Events to and from canonical data. A type tag is stored data: it is never renamed and never means anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import attrs
import msgspec

from optly.canonical import Json, timestamp
from optly.errors import SerializationError
from optly.record.events import (
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
