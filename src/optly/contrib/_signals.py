"""
The signals that frameworks send, and the events that cause them.
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
    LineLeft,
    LineReinstated,
    LineRemoved,
    ObjectionRaised,
)


class SignalName(StrEnum):
    """
    The name of a signal.

    CONSENT_GIVEN: A person said yes, and it counts as consent.
    CONSENT_REFUSED: A person said no when asked.
    CONSENT_WITHDRAWN: A person withdrew consent or objected.
    CONTACT_DETAILS_CHANGED: A contact's details or addresses changed or were erased.
    """

    CONSENT_GIVEN = "consent-given"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONTACT_DETAILS_CHANGED = "contact-details-changed"


def signals_for(events: Sequence[Event]) -> Iterator[tuple[SignalName, Event]]:
    """
    Yield the signals to send. Adding a contact with their first addresses is not a change.
    """
    is_new = any(isinstance(event, ContactAdded) for event in events)
    for event in events:
        match event:
            case ConsentGiven() if not event.defects:
                yield SignalName.CONSENT_GIVEN, event
            case ConsentRefused():
                yield SignalName.CONSENT_REFUSED, event
            case ConsentWithdrawn() | ObjectionRaised():
                yield SignalName.CONSENT_WITHDRAWN, event
            case DetailsChanged() | LineAdded() | LineRemoved() | LineLeft() | LineReinstated() | ContactErased() if not is_new:
                yield SignalName.CONTACT_DETAILS_CHANGED, event
            case _:
                pass
