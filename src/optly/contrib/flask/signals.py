"""
The signals an application receives. Each is sent after the event was permanently recorded.

==========================  ============================================================================================
`consent_given`             A person said yes, and it counts as consent.
`consent_refused`           A person said no when asked.
`consent_withdrawn`         A person withdrew consent or objected.
`contact_details_changed`   A contact's details or addresses changed or were erased.
==========================  ============================================================================================

Receivers are called as ``receiver(app, contact=…, event=…)`` in the thread that recorded the event, inside the
application's context. Neither argument holds personal data. An exception in a receiver is logged; later receivers then
miss this event, and nothing else changes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, TypeAlias

from blinker import Namespace
from flask import Flask, current_app, has_app_context

from optly.contacts import Contact
from optly.contrib._signals import SignalName, signals_for
from optly.record.events import Event

_log = logging.getLogger("optly")

Listener: TypeAlias = Callable[[Contact, Sequence[Event]], object]

_signals: Final = Namespace()

consent_given: Final = _signals.signal(SignalName.CONSENT_GIVEN)
consent_refused: Final = _signals.signal(SignalName.CONSENT_REFUSED)
consent_withdrawn: Final = _signals.signal(SignalName.CONSENT_WITHDRAWN)
contact_details_changed: Final = _signals.signal(SignalName.CONTACT_DETAILS_CHANGED)


def send_signals(app: Flask) -> Listener:
    """
    Return a function to pass to a manager as `on_events`, so that *app* sends the signals of this module.

    A manager made from arguments in ``app.config`` already has it.
    """

    def send(contact: Contact, events: Sequence[Event]) -> None:
        with nullcontext() if _is_active(app) else app.app_context():
            for name, event in signals_for(events):
                try:
                    _signals[name].send(app, contact=contact, event=event)
                except Exception:
                    _log.exception("signal receiver failed", extra={"contact": contact.id})

    return send


def _is_active(app: Flask) -> bool:
    return has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]
