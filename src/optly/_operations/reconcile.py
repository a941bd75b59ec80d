"""
Settling what is in doubt: by what is on record since, by what a provider can look up, or by somebody's word.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import attrs

from optly._operations.deliver import settle
from optly._operations.desk import Desk
from optly._operations.payload import Parcel, unpack
from optly.contacts.parties import Contact
from optly.errors import DamagedError, LinkInvalidError, RetryableError
from optly.links import LinkTarget, code_key, read_code
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState, OutboxMessage, Settlement, Traced
from optly.record.commands import RecordOutcome
from optly.record.events import MessageAccepted, MessageDelivered, MessageDoubted, MessageEvent, MessageUndelivered
from optly.results import Doubt, Finding

# A provider's list may lag, and a worker that was taken for dead may only have been slow.
_TOO_SOON: Final = timedelta(minutes=15)

# Clocks differ, and a provider may note the time at which it was done with a message rather than had it.
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


async def reconcile(desk: Desk, *, resend: bool, limit: int) -> list[Doubt]:
    """
    Look into every doubt, and settle those of which something is found out.

    Args:
        resend: Whether to queue again what the provider says it does not have. What nobody can tell of is never sent
            again.
    """
    doubts: list[OutboxMessage] = await desk.storage.messages(desk.organisation.key, MessageState.IN_DOUBT, limit)
    return [await _look_into(desk, waiting, resend) for waiting in doubts]


async def resolve(desk: Desk, contact: Contact, message: str, *, sent: bool) -> bool:
    """
    Settle one doubt by the word of somebody who knows. False if there is no such doubt.
    """
    everything: list[OutboxMessage] = await desk.storage.messages(
        desk.organisation.key, MessageState.IN_DOUBT, _EVERYTHING
    )
    for waiting in everything:
        if waiting.message.hex() == message and waiting.subject == contact.subject:
            if sent:
                await _accept(desk, waiting, unpack(waiting), Receipt(outcome=Outcome.ACCEPTED), "")
            else:
                await desk.storage.settle([_settlement(waiting, MessageState.QUEUED)])
            return True
    return False


_EVERYTHING: Final = 1_000_000


async def _look_into(desk: Desk, waiting: OutboxMessage, resend: bool) -> Doubt:
    contact = Contact(waiting.subject.hex())
    found = Doubt(
        message=waiting.message.hex(), contact=contact, channel=waiting.channel.value, finding=Finding.UNKNOWN
    )
    try:
        parcel = unpack(waiting)
    except DamagedError:
        return found
    about = [
        event
        for event in (entry.event() for entry in await desk.storage.entries(waiting.subject))
        if isinstance(event, MessageEvent) and event.message == found.message
    ]
    if any(isinstance(event, MessageAccepted | MessageDelivered | MessageUndelivered) for event in about):
        await desk.storage.settle([_settlement(waiting, MessageState.ACCEPTED)])
        return attrs.evolve(found, finding=Finding.SENT)
    outlet = desk.outlets.get(parcel.channel)
    doubted = [event.occurred_at for event in about if isinstance(event, MessageDoubted)]
    if outlet is None or not outlet.traces or not doubted:
        return found
    _, values = await desk.whole(await desk.load(contact))
    if parcel.line not in values:
        return found
    try:
        traced: list[Traced] = await outlet.port.trace(values[parcel.line].value, waiting.due_at - _CLOCKS_DIFFER)
    except RetryableError:
        return found
    for each in traced:
        if await _is_ours(desk, each.text, found.message):
            await _accept(desk, waiting, parcel, each.receipt, outlet.name)
            return attrs.evolve(found, finding=Finding.SENT)
    if desk.clock() < max(doubted) + _TOO_SOON:
        return found
    if resend:
        await desk.storage.settle([_settlement(waiting, MessageState.QUEUED)])
    return attrs.evolve(found, finding=Finding.NOT_SENT, resent=resend)


async def _is_ours(desk: Desk, text: str, message: str) -> bool:
    """
    Tell whether a text carries the link that was made for *message*.
    """
    for found in re.findall(re.escape(desk.pages.link("")) + r"([0-9A-Za-z]+)", text):
        try:
            value = await desk.storage.code(code_key(read_code(found)), desk.clock())
        except LinkInvalidError:
            continue
        if value is not None and LinkTarget.load(value).message == message:
            return True
    return False


async def _accept(desk: Desk, waiting: OutboxMessage, parcel: Parcel, got: Receipt, backend: str) -> None:
    command = RecordOutcome(
        message=waiting.message.hex(),
        channel=parcel.channel,
        line=parcel.line,
        outcome=Outcome.ACCEPTED,
        question=parcel.question,
        backend=backend,
        status=got.status,
        provider_id=got.provider_id,
        reply=got.reply,
    )
    contact = Contact(waiting.subject.hex())
    await settle(desk, contact, command, _settlement(waiting, MessageState.ACCEPTED))


def _settlement(waiting: OutboxMessage, state: MessageState) -> Settlement:
    return Settlement(subject=waiting.subject, message=waiting.message, attempts=waiting.attempts, state=state)
