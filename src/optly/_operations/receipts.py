"""
When a person is sent a receipt for what they agreed to.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from optly._operations.payload import Payload, PayloadKind
from optly.contacts import Channel
from optly.record.events import ConsentGiven, Event
from optly.record.standing import Standing


def receipt(to: tuple[Channel, int], events: Sequence[Event], after: Standing, now: datetime) -> Payload | None:
    """
    Return the receipt for the valid consents among *events*; None if there are none.

    Args:
        to: The channel and line it is sent to.
    """
    given = [event for event in events if isinstance(event, ConsentGiven) and not event.defects]
    if not given:
        return None
    channel, line = to
    return Payload(
        kind=PayloadKind.RECEIPT,
        channel=channel,
        line=line,
        language=after.language,
        choices=tuple(choice for event in given for choice in event.choices),
        at=now,
    )
