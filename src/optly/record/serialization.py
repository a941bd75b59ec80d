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
    "links-revoked/1": events.LinksRevoked,
    "contact-erased/1": events.ContactErased,
}
_TAGS: Final = {cls: tag for tag, cls in TYPES.items()}
_COMMON: Final = frozenset(field.name for field in attrs.fields(events.Happened))


def _is_left_out(field: attrs.Attribute[Any]) -> bool:
    """
    Whether a field is not stored while it has its default. A default that depends on other fields is stored.
    """
    return field.default is None or isinstance(field.default, bool | str | tuple)


# The fields of each type with the value at which each is left out. What is stored never has the last.
_ALWAYS: Final = object()
_OWN: Final[Mapping[type, tuple[tuple[str, object], ...]]] = {
    cls: tuple(
        (field.name, field.default if _is_left_out(field) else _ALWAYS)
        for field in attrs.fields(cls)
        if field.name not in _COMMON
    )
    for cls in (*TYPES.values(), events.Checked, events.Choice, events.Manner, events.Reading)
}
_USUAL: Final[Mapping[type, tuple[object, object]]] = {
    cls: (attrs.fields_dict(cls)["actor"].default, attrs.fields_dict(cls)["grade"].default) for cls in TYPES.values()
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
        name: held if type(held) in _AS_THEY_ARE else _plain(held)
        for name, usual in _OWN[type(value)]
        if (held := getattr(value, name)) != usual
    }


def tag_of(event: Event) -> str:
    """
    Return the stored type tag of *event*.
    """
    return _TAGS[type(event)]


def to_data(event: Event) -> dict[str, Json]:
    """
    Return the fields of *event* that not every event has, without personal values. A default is left out. The
    rest is inside the canonical profile.

    Raises:
        SerializationError: A number is not.
    """
    return _fields(event)


def to_record(event: Event, seq: int, commitments: Mapping[str, str]) -> dict[str, Json]:
    """
    Return what is hashed of an event at its place in a chain. What is as usual is left out.
    """
    record: dict[str, Json] = {"occurred_at": timestamp(event.occurred_at), "seq": seq, "type": tag_of(event)}
    if event.recorded_at != event.occurred_at:
        record["recorded_at"] = timestamp(event.recorded_at)
    actor, grade = _USUAL[type(event)]
    if event.actor is not actor:
        record["actor"] = event.actor.value
    if event.grade is not grade:
        record["grade"] = event.grade.value
    if data := to_data(event):
        record["data"] = data
    if commitments:
        record["commitments"] = dict(commitments)
    return record


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
        common = {name: record[name] for name in ("occurred_at", "recorded_at", "actor", "grade") if name in record}
        common.setdefault("recorded_at", record["occurred_at"])
        return msgspec.convert({**record.get("data", {}), **common, "personal": personal}, cls)
    except (KeyError, TypeError, msgspec.ValidationError):
        raise SerializationError(f"a stored record of type {record.get('type')!r} cannot be read") from None
