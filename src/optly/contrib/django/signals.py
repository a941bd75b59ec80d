# mypy: disable-error-code="import-untyped"
"""
The signals a site receives. Each is sent after the event was permanently recorded.

==========================  ============================================================================================
`consent_given`             A person said yes, and it counts as consent.
`consent_refused`           A person said no when asked.
`consent_withdrawn`         A person withdrew consent or objected.
`contact_details_changed`   A contact's details or addresses changed or were erased.
`mail_withheld`             The gated email backend did not send an email.
==========================  ============================================================================================

The first four are sent with ``contact`` and ``event``, which hold no personal data; the sender is the class of the
manager. Receivers are called in the thread that recorded the event. Their exceptions are logged and change nothing.

The last is sent by the backend with ``message``, the site's email, ``recipient``, and ``decision``, which is None for
an email that named no purpose.
"""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

from optly.contacts import Contact
from optly.contrib._signals import SignalName, signals_for
from optly.manager import ConsentManager
from optly.record.events import Event

consent_given: Final = Signal()
consent_refused: Final = Signal()
consent_withdrawn: Final = Signal()
contact_details_changed: Final = Signal()
mail_withheld: Final = Signal()

_SIGNALS: Final = {
    SignalName.CONSENT_GIVEN: consent_given,
    SignalName.CONSENT_REFUSED: consent_refused,
    SignalName.CONSENT_WITHDRAWN: consent_withdrawn,
    SignalName.CONTACT_DETAILS_CHANGED: contact_details_changed,
}


def send_signals(contact: Contact, events: tuple[Event, ...]) -> None:
    """
    Send the signals for newly recorded events.

    Pass it to a manager that the site makes itself: ``ConsentManager(..., on_events=send_signals)``.
    """
    for name, event in signals_for(events):
        _SIGNALS[name].send_robust(sender=ConsentManager, contact=contact, event=event)
