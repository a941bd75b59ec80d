"""
Delivery events: what a provider reports of a message it accepted, or of an address.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from optly import typed
from optly._operations.application import Application
from optly._operations.contacts import holders
from optly._operations.received import apply_once, having, is_erased, line_of, together
from optly._operations.sent import FULL_ID, Sent, find_sent, recipient
from optly.contacts import Contact, recognise_address
from optly.errors import AddressError
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.record.commands import RecordDelivery
from optly.results import Effect, Received

_log = logging.getLogger("optly")


async def receive_delivery_event(app: Application, event: DeliveryEvent) -> Received:
    if event.status in (DeliveryStatus.SENT, DeliveryStatus.DELAYED):
        return Received(effect=Effect.NOTED, event=event)
    if not Contact.is_id(event.contact):
        event = typed.evolve(event, contact="")  # a contact that there cannot be is none
    if event.message:
        return await _message_event(app, event)
    if event.to and (event.status is DeliveryStatus.BOUNCED or event.status.stops):
        return await _address_event(app, event)
    return Received(effect=Effect.UNKNOWN, event=event)


async def _message_event(app: Application, event: DeliveryEvent) -> Received:
    contact, sent = await _find_recipient(app, event, await _recipients(app, event))
    if contact is None or sent is None:
        if event.to and event.status.stops and not event.contact:
            # Whoever stopped it, and whatever it was: it stops the line.
            return await _address_event(app, event)
        if contact is not None:
            # The event is forged, or from before a restore.
            _log.warning("delivery event for an unknown message", extra={"contact": contact.id})
        return Received(effect=Effect.UNKNOWN, event=event, contacts=() if contact is None else (contact,))
    if sent.delivered and event.status is DeliveryStatus.DELIVERED:
        return Received(effect=Effect.REPEATED, event=event, contacts=(contact,))
    if (sent.delivered or sent.undelivered) and event.status is DeliveryStatus.FAILED:
        return Received(effect=Effect.REPEATED, event=event, contacts=(contact,))
    command = _record(event, sent.line, sent.message, sent.question)
    return await apply_once(app, event, contact, command, _effect(event))


async def _recipients(app: Application, event: DeliveryEvent) -> tuple[Contact, ...]:
    """
    Return the contact that an event names, or whom its message was sent to, or else those who have the address that it
    names.
    """
    if (contact := await recipient(app, event.contact, event.message)) is not None:
        return (contact,)
    if event.contact:
        return ()
    try:
        return await holders(app, recognise_address(event.to, event.channel.kind))
    except AddressError:
        return ()


async def _find_recipient(
    app: Application, event: DeliveryEvent, recipients: Sequence[Contact]
) -> tuple[Contact | None, Sent | None]:
    """
    Return the recipient whom the message of an event was sent to, and the message. Without such a message, return the
    only recipient there is.
    """
    for contact in recipients:
        sent = await find_sent(app, contact, event.channel, event.message) or await _echoed(app, event, contact)
        if sent is not None:
            return contact, sent
    return (recipients[0] if len(recipients) == 1 else None), None


async def _echoed(app: Application, event: DeliveryEvent, contact: Contact) -> Sent | None:
    """
    Fall back on what the provider echoes of a message that the record has lost, as after a restore.

    Only if the provider echoes both the contact and the address: it signed them, so they are not forged.
    """
    if not event.contact or not event.to:
        return None
    try:
        line = await line_of(app, contact, recognise_address(event.to, event.channel.kind))
    except AddressError:
        return None
    if line is None:
        return None
    return Sent(message=event.message if len(event.message) == FULL_ID else "", line=line)


async def _address_event(app: Application, event: DeliveryEvent) -> Received:
    """
    Record a delivery event about an address alone. A stop is recorded even for an unknown address, which is then added.
    """
    try:
        address = recognise_address(event.to, event.channel.kind)
    except AddressError:
        return Received(effect=Effect.UNKNOWN, event=event)
    lines = await having(app, address, add=event.status.stops)
    if not lines:
        # Nothing but an erasure keeps a stop from adding the address.
        erased = event.status.stops or await is_erased(app, address)
        effect = Effect.NOTED if erased else Effect.UNKNOWN
        return Received(effect=effect, event=event)
    done = [
        await apply_once(
            app,
            event,
            contact,
            _record(event, held.number, "", None, shared=len(lines) > 1),
            _effect(event),
            read=held.record,
        )
        for contact, held in lines.items()
    ]
    return together(done)


def _record(
    event: DeliveryEvent, line: int, message: str, question: str | None, *, shared: bool = False
) -> RecordDelivery:
    return RecordDelivery(
        status=event.status,
        permanent=event.permanent,
        channel=event.channel,
        line=line,
        message=message,
        question=question,
        backend=event.backend,
        status_code=event.status_code,
        provider_code=event.code,
        at=event.at,
        detail=event.detail,
        shared=shared,
    )


def _effect(event: DeliveryEvent) -> Effect:
    return Effect.STOPPED if event.status.stops else Effect.RECORDED
