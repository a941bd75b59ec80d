"""
Settling what is in doubt: by what is on record since, by what a provider can look up, or by somebody's word.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

import attrs

from optly._operations.application import Application
from optly._operations.deliver import settle
from optly._operations.payload import Payload, decode
from optly.contacts.parties import Contact
from optly.errors import DamagedError, LinkInvalidError, RetryableError
from optly.links import LinkTarget, code_key, read_code
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState, OutboxMessage, Settlement
from optly.record.commands import RecordOutcome
from optly.record.events import MessageAccepted, MessageDelivered, MessageDoubted, MessageEvent, MessageUndelivered
from optly.results import Doubt, Finding

# A provider's list may lag, and a worker that was taken for dead may only have been slow.
_TOO_SOON: Final = timedelta(minutes=15)

# Clocks differ, and a provider may note the time at which it was done with a message rather than had it.
_CLOCKS_DIFFER: Final = timedelta(minutes=5)


async def reconcile(app: Application, *, resend: bool, limit: int) -> list[Doubt]:
    """
    Look into every doubt, and settle those of which something is found out.

    Args:
        resend: Whether to queue again what the provider says it does not have. What nobody can tell of is never sent
            again.
    """
    doubts = await app.storage.messages(app.settings.organisation.key, MessageState.IN_DOUBT, limit)
    return [await _look_into(app, waiting, resend) for waiting in doubts]


async def resolve(app: Application, contact: Contact, message: str, *, sent: bool) -> bool:
    """
    Settle one doubt by the word of somebody who knows. False if there is no such doubt.
    """
    everything = await app.storage.messages(app.settings.organisation.key, MessageState.IN_DOUBT, _EVERYTHING)
    for waiting in everything:
        if waiting.message.hex() == message and waiting.subject == contact.subject:
            if sent:
                await _accept(app, waiting, decode(waiting), Receipt(outcome=Outcome.ACCEPTED), "")
            else:
                await app.storage.settle([_settlement(waiting, MessageState.QUEUED)])
            return True
    return False


_EVERYTHING: Final = 1_000_000


async def _look_into(app: Application, waiting: OutboxMessage, resend: bool) -> Doubt:
    contact = Contact(waiting.subject.hex())
    found = Doubt(
        message=waiting.message.hex(), contact=contact, channel=waiting.channel.value, finding=Finding.UNKNOWN
    )
    try:
        payload = decode(waiting)
    except DamagedError:
        return found
    about = [
        event
        for event in (entry.event() for entry in await app.storage.entries(waiting.subject))
        if isinstance(event, MessageEvent) and event.message == found.message
    ]
    if any(isinstance(event, MessageAccepted | MessageDelivered | MessageUndelivered) for event in about):
        await app.storage.settle([_settlement(waiting, MessageState.ACCEPTED)])
        return attrs.evolve(found, finding=Finding.SENT)
    backend = app.backends.get(payload.channel)
    doubted = [event.occurred_at for event in about if isinstance(event, MessageDoubted)]
    if backend is None or backend.traces is None or not doubted:
        return found
    _, values = await app.repository.with_suppressions(await app.repository.load(contact))
    if payload.line not in values:
        return found
    try:
        traced = await backend.traces.trace(values[payload.line].value, waiting.due_at - _CLOCKS_DIFFER)
    except RetryableError:
        return found
    for each in traced:
        if await _is_ours(app, each.text, found.message):
            await _accept(app, waiting, payload, each.receipt, backend.name)
            return attrs.evolve(found, finding=Finding.SENT)
    if app.settings.clock() < max(doubted) + _TOO_SOON:
        return found
    if resend:
        await app.storage.settle([_settlement(waiting, MessageState.QUEUED)])
    return attrs.evolve(found, finding=Finding.NOT_SENT, resent=resend)


async def _is_ours(app: Application, text: str, message: str) -> bool:
    """
    Tell whether a text carries the link that was made for *message*.
    """
    for found in re.findall(re.escape(app.settings.pages.link("")) + r"([0-9A-Za-z]+)", text):
        try:
            value = await app.storage.code(code_key(read_code(found)), app.settings.clock())
        except LinkInvalidError:
            continue
        if value is not None and LinkTarget.load(value).message == message:
            return True
    return False


async def _accept(app: Application, waiting: OutboxMessage, payload: Payload, got: Receipt, backend: str) -> None:
    command = RecordOutcome(
        message=waiting.message.hex(),
        channel=payload.channel,
        line=payload.line,
        outcome=Outcome.ACCEPTED,
        question=payload.question,
        backend=backend,
        status=got.status,
        provider_id=got.provider_id,
        reply=got.reply,
    )
    contact = Contact(waiting.subject.hex())
    await settle(app, contact, command, _settlement(waiting, MessageState.ACCEPTED))


def _settlement(waiting: OutboxMessage, state: MessageState) -> Settlement:
    return Settlement(subject=waiting.subject, message=waiting.message, attempts=waiting.attempts, state=state)
