"""
Receiving: the delivery events of providers, and the messages that people write.

What an event leads to is committed under an idempotency key made from the event, so that one received again, or twice
at once, has no further effect.
"""

from __future__ import annotations

from typing import assert_never

from optly._operations.application import Application
from optly._operations.delivery_events import receive_delivery_event
from optly._operations.inbound import receive_message
from optly.messages import DeliveryEvent, InboundMessage
from optly.results import Received


async def receive(app: Application, event: DeliveryEvent | InboundMessage) -> Received:
    """
    Record a delivery event of a provider or a message that a person wrote, once.
    """
    match event:
        case DeliveryEvent():
            return await receive_delivery_event(app, event)
        case InboundMessage():
            return await receive_message(app, event)
        case _:
            assert_never(event)
