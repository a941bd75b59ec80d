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
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Final, TypeAlias

from blinker import Namespace
from flask import Flask, current_app, has_app_context

from optly.contacts.parties import Contact
from optly.contrib._notices import Notice, notices
from optly.record.events import Event

_log = logging.getLogger("optly")

Listener: TypeAlias = Callable[[Contact, Sequence[Event]], object]

_signals: Final = Namespace()

consent_given: Final = _signals.signal(Notice.CONSENT_GIVEN)
consent_refused: Final = _signals.signal(Notice.CONSENT_REFUSED)
consent_withdrawn: Final = _signals.signal(Notice.CONSENT_WITHDRAWN)
contact_details_changed: Final = _signals.signal(Notice.CONTACT_DETAILS_CHANGED)


def send_signals(app: Flask) -> Listener:
    """
    Return what to give a manager as `on_events`, so that *app* sends the signals of this module.

    A manager that is made of the parts in ``app.config`` has it already.
    """

    def tell(contact: Contact, events: Sequence[Event]) -> None:
        with nullcontext() if _is_active(app) else app.app_context():
            for notice, event in notices(events):
                try:
                    _signals[notice].send(app, contact=contact, event=event)
                except Exception:
                    _log.exception("a receiver of a signal failed", extra={"contact": contact.id})

    return tell


def _is_active(app: Flask) -> bool:
    return has_app_context() and current_app._get_current_object() is app  # type: ignore[attr-defined]
