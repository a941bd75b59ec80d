# mypy: disable-error-code="import-untyped"
"""
What a site is told of. All of it is on record for good when a receiver is called.

==========================  ============================================================================================
`consent_given`             Somebody said yes. What was taken for a yes and is none is not told.
`consent_refused`           Somebody said no to what they were asked.
`consent_withdrawn`         Somebody stopped something: they took a consent back or objected.
`contact_details_changed`   What is known of a contact, or an address of theirs, changed or was erased.
`mail_withheld`             The gated email backend did not send something.
==========================  ============================================================================================

The first four are sent with ``contact`` and ``event``, which hold nothing personal; the sender is the class of the
manager. Receivers are called in the thread that recorded it, and what they raise is logged and changes nothing.

The last is sent by the backend with ``message``, the site's own mail, ``recipient``, and ``decision``, which is None
for a mail that named no purpose.
"""

from __future__ import annotations

from typing import Final

from django.dispatch import Signal

from optly.contacts.parties import Contact
from optly.contrib._notices import Notice, notices
from optly.manager import ConsentManager
from optly.record.events import Event

consent_given: Final = Signal()
consent_refused: Final = Signal()
consent_withdrawn: Final = Signal()
contact_details_changed: Final = Signal()
mail_withheld: Final = Signal()

_SIGNALS: Final = {
    Notice.CONSENT_GIVEN: consent_given,
    Notice.CONSENT_REFUSED: consent_refused,
    Notice.CONSENT_WITHDRAWN: consent_withdrawn,
    Notice.CONTACT_DETAILS_CHANGED: contact_details_changed,
}


def send_signals(contact: Contact, events: tuple[Event, ...]) -> None:
    """
    Tell the receivers of what came onto the record.

    A manager that the site makes itself has to be given it: ``ConsentManager(..., on_events=send_signals)``.
    """
    for notice, event in notices(events):
        _SIGNALS[notice].send_robust(sender=ConsentManager, contact=contact, event=event)
