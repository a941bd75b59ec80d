"""
Which events a framework tells its receivers of, and under which name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum

from optly.record.events import (
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    ContactAdded,
    ContactErased,
    DetailsChanged,
    Event,
    LineAdded,
    LineReinstated,
    LineRemoved,
    ObjectionRaised,
)


class Notice(StrEnum):
    """
    The name of a signal.

    CONSENT_GIVEN: Somebody said yes. What was taken for a yes and is none is not told.
    CONSENT_REFUSED: Somebody said no to what they were asked.
    CONSENT_WITHDRAWN: Somebody stopped something: they took a consent back or objected.
    CONTACT_DETAILS_CHANGED: What is known of a contact, or an address of theirs, changed or was erased.
    """

    CONSENT_GIVEN = "consent-given"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONTACT_DETAILS_CHANGED = "contact-details-changed"


def notices(events: Sequence[Event]) -> Iterator[tuple[Notice, Event]]:
    """
    Yield what is to be told of. The addresses somebody is put on record with are no change.
    """
    is_new = any(isinstance(event, ContactAdded) for event in events)
    for event in events:
        match event:
            case ConsentGiven() if not event.defects:
                yield Notice.CONSENT_GIVEN, event
            case ConsentRefused():
                yield Notice.CONSENT_REFUSED, event
            case ConsentWithdrawn() | ObjectionRaised():
                yield Notice.CONSENT_WITHDRAWN, event
            case DetailsChanged() | LineAdded() | LineRemoved() | LineReinstated() | ContactErased() if not is_new:
                yield Notice.CONTACT_DETAILS_CHANGED, event
            case _:
                pass
