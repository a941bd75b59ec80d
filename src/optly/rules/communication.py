"""
What is about to be sent, as the gate sees it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from optly.addresses import Channel
from optly.events import is_aware, to_utc


class MessageKind(StrEnum):
    """
    What a message is for. A request for consent is marketing (Flybe, Honda and Morrisons, ICO 2017).
    """

    MARKETING = "marketing"
    CONSENT_REQUEST = "consent_request"


@attrs.frozen(kw_only=True)
class Solicited:
    """
    The person asked to be asked, for instance by putting their address into a newsletter form.

    Attributes:
        how: What they did, in free text. Kept as evidence, and erasable.
        at: When. Aware.
    """

    how: str = attrs.field(repr=False)
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)


@attrs.frozen(kw_only=True)
class Communication:
    """
    One message to one line.

    Attributes:
        sender: Key of the organisation it is sent for.
        purpose: Key of the purpose it is about.
        contact: Id of the contact, or empty if nobody with the address is on record.
        line: Number of the line within the contact's record, or None likewise.
        at: When it is sent. Aware.
        asks: For a request for consent, the channel and the line of each thing it asks about.
        solicited: That the person asked for it, for a request for consent.
        shows_identity: Whether it names whom it is sent for.
        gives_stop_address: Whether it says where to send a request to stop.
    """

    channel: Channel
    kind: MessageKind
    sender: str
    purpose: str
    contact: str
    line: int | None
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    asks: tuple[tuple[Channel, int], ...] = ()
    solicited: Solicited | None = None
    shows_identity: bool = True
    gives_stop_address: bool = True
