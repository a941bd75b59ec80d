"""
Preparing a batch of claimed messages: each is gated a second time and composed, or withheld, or deferred.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, TypeAlias

import attrs

from optly import typed
from optly._operations import complaints, details, proof, rates, second_gate, sessions, told
from optly._operations.application import Application
from optly._operations.compose import Variables, compose
from optly._operations.links import signed_link
from optly._operations.outcomes import LONGEST_DELAY, SHARED, Outcomes
from optly._operations.payload import Payload, PayloadKind
from optly._operations.queued import QueuedMessage
from optly._operations.repository import Record, require_read
from optly.contacts import Address, AddressKind, recognise_address
from optly.links import MARK
from optly.messages import Message
from optly.record.commands import WithholdMessage
from optly.record.events import Choice
from optly.record.standing import Standing
from optly.rules import Decision, Reason
from optly.timeline.for_evidence import as_fragment, as_text

_log = logging.getLogger("optly")

# What needs no event if it is obsolete: a reminder of what was answered, and what is told of a choice that was taken
# back or made anew.
_NEEDLESS: Final = frozenset({PayloadKind.REMINDER, PayloadKind.RECEIPT, PayloadKind.STOPPED})

# A standing with all that stands against it, and the addresses by line.
Context: TypeAlias = tuple[Standing, dict[int, Address]]
Contexts: TypeAlias = Mapping[bytes, Context]


@attrs.frozen(kw_only=True)
class _Permission:
    """
    A message that passed the second gate.

    Attributes:
        choices: Those it asks about, confirms or says are stopped.
        reason: Why it may be sent.
    """

    message: QueuedMessage
    address: Address
    choices: Sequence[Choice] = ()
    reason: Reason = Reason.SERVICE


@attrs.frozen
class Batch:
    """
    The messages of a batch that may be sent, and what they were gated by.

    Attributes:
        records: The contacts, as they were read.
        contexts: Their standings with all that stands against them, and their addresses by line.
    """

    ready: Sequence[QueuedMessage]
    records: Mapping[bytes, Record]
    contexts: Contexts


async def prepare(app: Application, messages: Sequence[QueuedMessage], now: datetime, outcomes: Outcomes) -> Batch:
    """
    Gate the messages of a batch a second time and compose them. Those that may not be sent now are added to *outcomes*,
    and so are those that cannot be read or composed: none of them keeps the others back.
    """
    records, contexts = await _read_each(app, messages, now, outcomes)
    permissions = []
    for message in messages:
        if (subject := message.contact.subject) not in contexts:
            continue
        try:
            require_read(records[subject])
            permission = await _permit(app, message, records[subject], contexts[subject], now, outcomes)
        except SHARED:
            raise
        except Exception as error:
            outcomes.put_off(message, error, now)
            continue
        if permission is not None:
            permissions.append(permission)
    late = await rates.beyond_domain_rates(app, [permission.address for permission in permissions], now)
    ready = []
    for index, permission in enumerate(permissions):
        if index in late:
            outcomes.defer(permission.message, late[index])
            continue
        subject = permission.message.contact.subject
        _, addresses = contexts[subject]
        try:
            permission.message.message = await _compose(app, permission, records[subject], addresses)
        except SHARED:
            raise
        except Exception as error:
            outcomes.put_off(permission.message, error, now)
        else:
            ready.append(permission.message)
    return Batch(ready, records, contexts)


async def _read_each(
    app: Application, messages: Sequence[QueuedMessage], now: datetime, outcomes: Outcomes
) -> tuple[dict[bytes, Record], dict[bytes, Context]]:
    """
    Read the contacts of a batch, all at once or, if one of them cannot be read, each by itself.
    """
    try:
        return await _read(app, [message.contact.subject for message in messages])
    except SHARED:
        raise
    except Exception as error:
        _log.error("contacts are read one by one", extra={"error": type(error).__name__})
    records: dict[bytes, Record] = {}
    contexts: dict[bytes, Context] = {}
    for message in messages:
        try:
            record, context = await _read(app, [message.contact.subject])
        except SHARED:
            raise
        except Exception as error:
            outcomes.put_off(message, error, now)
        else:
            records |= record
            contexts |= context
    return records, contexts


async def _read(app: Application, subjects: Sequence[bytes]) -> tuple[dict[bytes, Record], dict[bytes, Context]]:
    records = await app.repository.load_all(subjects)
    return records, await app.repository.all_with_suppressions(list(records.values()))


async def _permit(
    app: Application, message: QueuedMessage, record: Record, context: Context, now: datetime, outcomes: Outcomes
) -> _Permission | None:
    """
    Decide whether one message is sent now. None, and added to *outcomes*, if it is not.
    """
    if message.payload.kind.promotes and not app.hears_complaints:
        outcomes.defer(message, now + LONGEST_DELAY)
        return None
    quiet_until = rates.quiet_until(app, message.payload, now)
    if quiet_until is not None:
        outcomes.defer(message, quiet_until)
        return None
    return await _gate(app, message, record, *context, now, outcomes)


async def _compose(
    app: Application, permission: _Permission, record: Record, addresses: Mapping[int, Address]
) -> Message:
    message = permission.message
    if message.stored is None and message.payload.signs_link and (links := app.signing.links) is not None:
        mark = message.id[:MARK]
        message.code = signed_link(app, links, record, message.payload.line, handed_over=True, mark=mark)
    wordings = await app.repository.wordings(choice.wording for choice in permission.choices)
    return compose(
        app,
        message.id,
        message.contact,
        message.payload,
        [wordings[choice.wording] for choice in permission.choices],
        address=permission.address,
        variables=await _variables(app, message, permission.reason, addresses),
    )


async def _gate(
    app: Application,
    message: QueuedMessage,
    record: Record,
    standing: Standing,
    addresses: Mapping[int, Address],
    now: datetime,
    outcomes: Outcomes,
) -> _Permission | None:
    """
    Gate one message a second time. None, and added to *outcomes*, if it may not be sent.
    """
    payload = message.payload
    if payload.answered is not None:
        return await _gate_answer(app, message, record, standing, addresses, now, outcomes)
    if not message.recorded:
        address = await _unrecorded_address(app, message, standing, now)
        if address is None:
            outcomes.drop(message, counted=False)
            return None
        return _Permission(message=message, address=address)
    choices = second_gate.standing_choices(payload, standing, now)
    decision = second_gate.gate_queued(app, message.contact, payload, choices, standing, now)
    address = addresses.get(payload.line) if _reaches(payload, standing) else None
    if decision and address is not None:
        if (waits := await told.wait_until(app, message, choices, now)) is not None:
            outcomes.defer(message, waits)
            return None
        if payload.markets:
            message.payload = typed.evolve(
                payload, regulation=decision.regulation, reason=decision.reason, edition=decision.edition
            )
        return _Permission(message=message, address=address, choices=choices, reason=decision.reason)
    if decision is None and payload.kind in _NEEDLESS:
        outcomes.drop(message, counted=True)
    else:
        outcomes.withhold(message, record, _withholding(app, message, decision))
    return None


async def _gate_answer(
    app: Application,
    message: QueuedMessage,
    record: Record,
    standing: Standing,
    addresses: Mapping[int, Address],
    now: datetime,
    outcomes: Outcomes,
) -> _Permission | None:
    """
    Gate an answer to a complaint. It goes to the line that the contact means, of those on that channel; to the address
    that is kept with the complaint, if the person gave one for the reply, is not on record, or was erased.
    """
    kept, line = message.payload.line == 0 or standing.erased_at is not None, None
    if kept:
        message.payload = typed.evolve(message.payload, line=0)
    else:
        number = message.payload.line
        line = standing.meant(message.payload.channel.kind, number)
        message.payload = typed.evolve(message.payload, line=number if line is None else line)
    obsolete = second_gate.is_obsolete(message.payload, (), standing, now) or _is_replaced(message, standing)
    decision = None
    if line is not None and not obsolete:
        decision = second_gate.gate_queued(app, message.contact, message.payload, (), standing, now)
    if not obsolete and (decision is None or decision):
        if kept:
            address = await complaints.reply_address(app, message.payload)
        else:  # someone else may read at an address that the person has given up
            address = None if line is None else addresses.get(line)
        if address is not None:
            return _Permission(message=message, address=address)
        reason = "line_gone"
    else:
        reason = "too_late" if decision is None else decision.reason
    outcomes.withhold(message, record, typed.evolve(_withholding(app, message, decision), reason=reason))
    return None


def _is_replaced(message: QueuedMessage, standing: Standing) -> bool:
    """
    Whether another message reports the outcome of the complaint, because this one was taken for lost.
    """
    complaint = standing.complaint(message.payload.complaint or "")
    return message.payload.kind is PayloadKind.OUTCOME and complaint is not None and complaint.message != message.id


def _reaches(payload: Payload, standing: Standing) -> bool:
    # The notice of a change goes to the very address that was replaced.
    return payload.kind is PayloadKind.CHANGED or standing.line_for(payload.channel, payload.line) is not None


async def _unrecorded_address(
    app: Application, message: QueuedMessage, standing: Standing, now: datetime
) -> Address | None:
    """
    Return the address of a message that goes to no line of a contact; None if it has none or is obsolete.
    """
    payload = message.payload
    match payload.kind:
        case PayloadKind.LINK_WANTED:
            await sessions.send_requested_link(app, payload, message.id)
            return None
        case PayloadKind.ALERT:
            obsolete = second_gate.is_obsolete(payload, (), standing, now)
            return None if obsolete else recognise_address(app.settings.organisation.email, AddressKind.EMAIL)
        case _:
            return await details.proposal(app, payload)


async def _variables(
    app: Application, message: QueuedMessage, reason: Reason, addresses: Mapping[int, Address]
) -> Variables:
    variables = Variables(code=message.code, reason=reason)
    match message.payload.kind:
        case PayloadKind.CHANGED:
            assert message.payload.undo is not None
            added = addresses[message.payload.undo.added or 0]
            return typed.evolve(variables, kind=added.kind, masked=added.masked)
        case PayloadKind.COPY:
            record = await app.repository.require(message.contact)
            lines = {line.number for line in record.standing.lines}
            hidden = lines - record.standing.reached(message.payload.line)
            story = (await proof.evidence(app, message.contact, None)).timeline(hidden=hidden)
            return typed.evolve(variables, page=as_fragment(story), plain=as_text(story))
        case _:
            return variables


def _withholding(app: Application, message: QueuedMessage, decision: Decision | None) -> WithholdMessage:
    refused = decision is not None and not decision
    return WithholdMessage(
        message=message.id,
        channel=message.payload.channel,
        line=message.payload.line,
        question=message.payload.question,
        regulation=decision.regulation if decision is not None and refused else "",
        reason="too_late" if decision is None else decision.reason if refused else "line_gone",
        edition=app.settings.rulebook.edition,
        **message.payload.markets,
    )
