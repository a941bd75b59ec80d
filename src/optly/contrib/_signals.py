"""
The signals that frameworks send, and the events that cause them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import Final

from optly.record import events


class SignalName(StrEnum):
    """
    The name of a signal. The module of each framework says when it is sent.
    """

    CONSENT_GIVEN = "consent-given"
    CONSENT_REFUSED = "consent-refused"
    CONSENT_WITHDRAWN = "consent-withdrawn"
    CONTACT_DETAILS_CHANGED = "contact-details-changed"


_OF_DETAILS: Final = (
    events.DetailsChanged,
    events.LineAdded,
    events.LineRemoved,
    events.LineLeft,
    events.LineReinstated,
    events.ContactErased,
)


def signals_for(recorded: Sequence[events.Event]) -> Iterator[tuple[SignalName, events.Event]]:
    """
    Yield the signals to send. Adding a contact with their first addresses is not a change.
    """
    is_new = any(isinstance(event, events.ContactAdded) for event in recorded)
    for event in recorded:
        if isinstance(event, events.ConsentGiven) and not event.defects:
            yield SignalName.CONSENT_GIVEN, event
        elif isinstance(event, events.ConsentRefused):
            yield SignalName.CONSENT_REFUSED, event
        elif isinstance(event, events.ConsentWithdrawn | events.ObjectionRaised):
            yield SignalName.CONSENT_WITHDRAWN, event
        elif isinstance(event, _OF_DETAILS) and not is_new:
            yield SignalName.CONTACT_DETAILS_CHANGED, event
