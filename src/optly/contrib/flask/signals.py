"""
What an application is told of. All of it is on record for good when a receiver is called.

==========================  ============================================================================================
`consent_given`             Somebody said yes. What was taken for a yes and is none is not told.
`consent_refused`           Somebody said no to what they were asked.
`consent_withdrawn`         Somebody stopped something: they took a consent back or objected.
`contact_details_changed`   What is known of a contact, or an address of theirs, changed or was erased.
==========================  ============================================================================================

Receivers are called as ``receiver(app, contact=…, event=…)``, with the application active, in the thread that recorded
the event. Neither holds anything personal. What a receiver raises is logged; it keeps those after it from being told of
this event, and changes nothing else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from typing import Final, TypeAlias

from blinker import NamedSignal, Namespace
from flask import Flask, current_app, has_app_context

from optly.events import (
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
from optly.parties import Contact

_log = logging.getLogger("optly")

Listener: TypeAlias = Callable[[Contact, Sequence[Event]], object]

_signals: Final = Namespace()

consent_given: Final = _signals.signal("consent-given")
consent_refused: Final = _signals.signal("consent-refused")
consent_withdrawn: Final = _signals.signal("consent-withdrawn")
contact_details_changed: Final = _signals.signal("contact-details-changed")


def send_signals(app: Flask) -> Listener:
    """
    Return what to give a manager as `on_events`, so that *app* sends the signals of this module.

    A manager that is made of the parts in ``app.config`` has it already.
    """

    def tell(contact: Contact, events: Sequence[Event]) -> None:
        with nullcontext() if _is_active(app) else app.app_context():
            for signal, event in _worth_telling(events):
                try:
                    signal.send(app, contact=contact, event=event)
                except Exception:
                    _log.exception("a receiver of a signal failed", extra={"contact": contact.id})

    return tell


def _is_active(app: Flask) -> bool:
    return has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]


def _worth_telling(events: Sequence[Event]) -> Iterator[tuple[NamedSignal, Event]]:
    is_new = any(isinstance(event, ContactAdded) for event in events)
    for event in events:
        match event:
            case ConsentGiven() if not event.defects:
                yield consent_given, event
            case ConsentRefused():
                yield consent_refused, event
            case ConsentWithdrawn() | ObjectionRaised():
                yield consent_withdrawn, event
            case DetailsChanged() | LineAdded() | LineRemoved() | LineReinstated() | ContactErased() if not is_new:
                yield contact_details_changed, event
