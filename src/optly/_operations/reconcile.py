"""
Reconciliation: settling messages in doubt by later events, by a look-up at the provider, or by hand.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from optly import typed
from optly._operations import complaints
from optly._operations.application import Application
from optly._operations.links import read_signed
from optly._operations.outcomes import SHARED, settle
from optly._operations.payload import Payload, decode
from optly._operations.queued import settlement
from optly.contacts import Contact
from optly.errors import DamagedError, LinkInvalidError, RetryableError
from optly.links import MARK, LinkTarget, code_key, is_signed, read_code
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState, OutboxMessage, Settlement
from optly.record.commands import RecordOutcome
from optly.record.complaint_references import reference_of
from optly.record.events import MessageAccepted, MessageDelivered, MessageDoubted, MessageEvent, MessageUndelivered
from optly.results import Doubt, DoubtFinding

_log = logging.getLogger("optly")

# A provider's list may lag, and a worker taken for dead may only have been slow.
_TOO_SOON: Final = timedelta(minutes=15)

# Clocks differ, and a provider may record when it finished with a message rather than when it received it.
_CLOCK_TOLERANCE: Final = timedelta(minutes=5)

_NO_LIMIT: Final = 1_000_000


async def reconcile(app: Application, *, resend: bool, limit: int) -> list[Doubt]:
    rows = await app.storage.messages(app.settings.organisation.key, MessageState.IN_DOUBT, limit)
    return [await _look_into_one(app, row, resend) for row in rows]


async def resolve(app: Application, contact: Contact, message: str, *, sent: bool) -> bool:
    for row in await app.storage.messages(app.settings.organisation.key, MessageState.IN_DOUBT, _NO_LIMIT):
        if row.message.hex() == message and contact.subject in (row.subject, _holder(row)):
            if sent:
                await _accept(app, row, decode(row), Receipt(outcome=Outcome.ACCEPTED), "")
            else:
                await app.storage.settle([settlement(row, MessageState.QUEUED)])
            return True
    return False


def _holder(row: OutboxMessage) -> bytes:
    """
    Return the contact whose record a message concerns.
    """
    try:
        return decode(row).holder(row).subject
    except DamagedError:
        return row.subject


async def _look_into_one(app: Application, row: OutboxMessage, resend: bool) -> Doubt:
    """
    Look into one message. What cannot be read about it keeps no other back: it stays in doubt.
    """
    contact, message = Contact(_holder(row).hex()), row.message.hex()
    doubt = Doubt(message=message, contact=contact, channel=row.channel.value, finding=DoubtFinding.UNKNOWN)
    try:
        return await _look_into(app, row, doubt, resend)
    except SHARED:
        raise
    except Exception as error:
        facts = {"message_id": message, "contact": contact.id, "error": type(error).__name__}
        _log.error("a message in doubt cannot be looked into", extra=facts)
        return doubt


async def _look_into(app: Application, row: OutboxMessage, doubt: Doubt, resend: bool) -> Doubt:
    payload, contact, message = decode(row), doubt.contact, doubt.message
    events = [
        event
        for event in (entry.event() for entry in await app.storage.entries(contact.subject))
        if isinstance(event, MessageEvent) and event.message == message
    ]
    if payload.answered is not None and any(isinstance(event, MessageDelivered) for event in events):
        # Recorded as accepted too, because what follows for the complaint follows from that.
        await _accept(app, row, payload, Receipt(outcome=Outcome.ACCEPTED), "")
        return typed.evolve(doubt, finding=DoubtFinding.SENT)
    if any(isinstance(event, MessageAccepted | MessageDelivered | MessageUndelivered) for event in events):
        await app.storage.settle([_accepted(app, row)])
        return typed.evolve(doubt, finding=DoubtFinding.SENT)
    doubted_at = [event.occurred_at for event in events if isinstance(event, MessageDoubted)]
    return await _look_up(app, row, payload, doubt, doubted_at, resend)


async def _look_up(
    app: Application,
    row: OutboxMessage,
    payload: Payload,
    doubt: Doubt,
    doubted_at: Sequence[datetime],
    resend: bool,
) -> Doubt:
    backend = app.backends.get(payload.channel)
    if backend is None or backend.traces is None or not doubted_at:
        return doubt
    _, addresses = await app.repository.with_suppressions(await app.repository.load(doubt.contact))
    address = addresses.get(payload.line)
    if address is None and payload.answered is not None:
        address = await complaints.reply_address(app, payload)
    if address is None:
        return doubt
    try:
        traces = await backend.traces.trace(address.value, row.due_at - _CLOCK_TOLERANCE)
    except RetryableError:
        return doubt
    for trace in traces:
        if await _carries_link(app, trace.text, doubt.message) or _carries_reference(trace.text, payload):
            await _accept(app, row, payload, trace.receipt, backend.name)
            return typed.evolve(doubt, finding=DoubtFinding.SENT)
    if app.settings.clock() < max(doubted_at) + _TOO_SOON:
        return doubt
    if resend:
        await app.storage.settle([settlement(row, MessageState.QUEUED)])
    return typed.evolve(doubt, finding=DoubtFinding.NOT_SENT, resent=resend)


async def _carries_link(app: Application, text: str, message: str) -> bool:
    for code in re.findall(re.escape(app.settings.pages.link("")) + r"([0-9A-Za-z]+)", text):
        with suppress(LinkInvalidError):
            if await _carried_by(app, read_code(code)) in (message, message[:MARK]):
                return True
    return False


async def _carried_by(app: Application, code: str) -> str:
    """
    Return the id of the message that contains a link, or its beginning; empty if that is not known.
    """
    if is_signed(code):
        return (await read_signed(app, code)).mark
    stored = await app.storage.code(code_key(code), app.settings.clock())
    return "" if stored is None else LinkTarget.load(stored.value).message


def _carries_reference(text: str, payload: Payload) -> bool:
    """
    Whether a text is the answer to the complaint that is in doubt: it has no link, but names the complaint.
    """
    if payload.answered is None or reference_of(payload.answered) not in text:
        return False
    # An acknowledgement names it too, so the outcome has to be in it word for word.
    return payload.content is None or " ".join(payload.content.text.split()) in " ".join(text.split())


def _accepted(app: Application, row: OutboxMessage) -> Settlement:
    return settlement(row, MessageState.ACCEPTED, ended_at=app.settings.clock())


async def _accept(app: Application, row: OutboxMessage, payload: Payload, receipt: Receipt, backend: str) -> None:
    if not payload.recorded:
        await app.storage.settle([_accepted(app, row)])
        return
    command = RecordOutcome(
        message=row.message.hex(),
        channel=payload.channel,
        line=payload.line,
        outcome=Outcome.ACCEPTED,
        question=payload.question,
        complaint=payload.answered,
        backend=backend,
        status=receipt.status,
        provider_id=receipt.provider_id,
        reply=receipt.reply,
        **payload.permission,
    )
    await settle(app, payload.holder(row), command, _accepted(app, row))
