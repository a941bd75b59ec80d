"""
Conversion of events to and from canonical data. A type tag is stored data: it is never renamed or reused.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

import attrs
import msgspec

from optly.canonical import Json, require_whole, timestamp
from optly.errors import SerializationError
from optly.record import events
from optly.record.events import Event

TYPES: Final[Mapping[str, type[Event]]] = {
    "contact-added/1": events.ContactAdded,
    "details-changed/1": events.DetailsChanged,
    "line-added/1": events.LineAdded,
    "line-proved/1": events.LineProved,
    "line-removed/1": events.LineRemoved,
    "line-left/1": events.LineLeft,
    "line-reinstated/1": events.LineReinstated,
    "service-requested/1": events.ServiceRequested,
    "complaint-received/1": events.ComplaintReceived,
    "complaint-acknowledged/1": events.ComplaintAcknowledged,
    "complaint-decided/1": events.ComplaintDecided,
    "complaint-resolved/1": events.ComplaintResolved,
    "consent-requested/1": events.ConsentRequested,
    "message-queued/1": events.MessageQueued,
    "communication-made/1": events.CommunicationMade,
    "message-accepted/1": events.MessageAccepted,
    "message-refused/1": events.MessageRefused,
    "message-doubted/1": events.MessageDoubted,
    "message-delivered/1": events.MessageDelivered,
    "message-undelivered/1": events.MessageUndelivered,
    "message-withheld/1": events.MessageWithheld,
    "message-received/1": events.MessageReceived,
    "line-failed/1": events.LineFailed,
    "line-restored/1": events.LineRestored,
    "answer-held/1": events.AnswerHeld,
    "consent-given/1": events.ConsentGiven,
    "consent-refused/1": events.ConsentRefused,
    "consent-withdrawn/1": events.ConsentWithdrawn,
    "objection-raised/1": events.ObjectionRaised,
    "marked-deceased/1": events.MarkedDeceased,
    "marked-gone-away/1": events.MarkedGoneAway,
    "domain-objection-raised/1": events.DomainObjectionRaised,
    "soft-opt-in-recorded/1": events.SoftOptInRecorded,
    "charity-soft-opt-in-recorded/1": events.CharitySoftOptInRecorded,
    "contact-erased/1": events.ContactErased,
}
_TAGS: Final = {cls: tag for tag, cls in TYPES.items()}
_COMMON: Final = frozenset(field.name for field in attrs.fields(events.Happened))
_OWN: Final[Mapping[type, tuple[str, ...]]] = {
    cls: tuple(field.name for field in attrs.fields(cls) if field.name not in _COMMON)
    for cls in (*TYPES.values(), events.Checked, events.Choice, events.Manner, events.Reading)
}


# Values that the data hold as they are: most of them.
_AS_THEY_ARE: Final = frozenset({str, bool, type(None)})


def _plain(value: Any) -> Json:
    # By exact type: this runs over every value of every event.
    kind = type(value)
    if kind in _AS_THEY_ARE:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return require_whole(value)
    if kind is tuple:
        return [_plain(item) for item in value]
    if isinstance(value, StrEnum):
        return str(value)
    if isinstance(value, datetime):
        return timestamp(value)
    if isinstance(value, date):
        return value.isoformat()
    return _fields(value)


def _fields(value: object) -> dict[str, Json]:
    return {
        name: item if type(item := getattr(value, name)) in _AS_THEY_ARE else _plain(item) for name in _OWN[type(value)]
    }


def tag_of(event: Event) -> str:
    """
    Return the stored type tag of *event*.
    """
    return _TAGS[type(event)]


def to_data(event: Event) -> dict[str, Json]:
    """
    Return the fields of *event* that not every event has, without personal values: inside the canonical profile.

    Raises:
        SerializationError: A number is not.
    """
    return _fields(event)


def from_record(record: Mapping[str, Any], personal: Mapping[str, str]) -> Event:
    """
    Return the event of a stored *record*.

    Args:
        personal: The values available for the record's slots. Erased ones are missing.

    Raises:
        SerializationError: The type is unknown to this version, or the data do not fit it.
    """
    try:
        cls = TYPES[record["type"]]
        common = {name: record[name] for name in ("occurred_at", "recorded_at", "actor", "grade")}
        return msgspec.convert({**record["data"], **common, "personal": personal}, cls)
    except (KeyError, TypeError, msgspec.ValidationError):
        raise SerializationError(f"a stored record of type {record.get('type')!r} cannot be read") from None
