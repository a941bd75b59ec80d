"""
Preparing a batch of claimed messages: each is gated a second time and composed, or withheld, or deferred.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

import attrs

from optly._operations import complaints, details, proof, rates, second_gate, sessions
from optly._operations.application import Application
from optly._operations.compose import Variables, compose
from optly._operations.outcomes import LONGEST_DELAY, Outcomes
from optly._operations.payload import Payload, PayloadKind
from optly._operations.queued import QueuedMessage
from optly._operations.repository import Record
from optly.contacts import Address, AddressKind, parse_address
from optly.errors import LedgerError
from optly.record.commands import WithholdMessage
from optly.record.events import Choice
from optly.record.standing import Standing
from optly.rules import Decision, Reason
from optly.timeline.for_evidence import as_fragment, as_text

_log = logging.getLogger("optly")

Records: TypeAlias = Mapping[bytes, Record]


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


async def load(
    app: Application, messages: Sequence[QueuedMessage], now: datetime, outcomes: Outcomes
) -> tuple[Records, list[QueuedMessage]]:
    """
    Read the contacts of a batch, and defer messages to one whose record cannot be read.
    """
    try:
        return await app.repository.load_all([message.contact.subject for message in messages]), list(messages)
    except LedgerError:
        records: dict[bytes, Record] = {}
        readable = []
        for message in messages:
            try:
                records |= await app.repository.load_all([message.contact.subject])
            except LedgerError as error:
                facts = {"contact": message.contact.id, "error": str(error)}
                _log.error("contact record cannot be read, so nothing is sent to the contact", extra=facts)
                outcomes.defer(message, now + LONGEST_DELAY)
            else:
                readable.append(message)
        return records, readable


async def prepare(
    app: Application, messages: Sequence[QueuedMessage], records: Records, now: datetime, outcomes: Outcomes
) -> list[QueuedMessage]:
    """
    Return the messages that may be sent now, composed. The others are added to *outcomes*.
    """
    contacts = await app.repository.all_with_suppressions(list(records.values()))
    permissions = []
    for message in messages:
        if message.payload.kind.promotes and not app.hears_complaints:
            outcomes.defer(message, now + LONGEST_DELAY)
            continue
        quiet_until = rates.quiet_until(app, message.payload, now)
        if quiet_until is not None:
            outcomes.defer(message, quiet_until)
            continue
        standing, addresses = contacts[message.contact.subject]
        permission = await _gate(app, message, records[message.contact.subject], standing, addresses, now, outcomes)
        if permission is not None:
            permissions.append(permission)
    late = await rates.beyond_domain_rates(app, [permission.address for permission in permissions], now)
    digests = (choice.wording for permission in permissions for choice in permission.choices)
    wordings = await app.repository.wordings(digests)
    ready = []
    for index, permission in enumerate(permissions):
        message = permission.message
        if index in late:
            outcomes.defer(message, late[index])
            continue
        _, addresses = contacts[message.contact.subject]
        message.message = compose(
            app,
            message.id,
            message.contact,
            message.payload,
            [wordings[choice.wording] for choice in permission.choices],
            address=permission.address,
            variables=await _variables(app, message, permission.reason, addresses),
        )
        ready.append(message)
    return ready


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
        address = await _unrecorded_address(app, payload, standing, now)
        if address is None:
            outcomes.drop(message, counted=False)
            return None
        return _Permission(message=message, address=address)
    choices = second_gate.standing_choices(payload, standing, now)
    decision = second_gate.gate_queued(app, message.contact, payload, choices, standing, now)
    address = addresses.get(payload.line) if _reaches(payload, standing) else None
    if decision and address is not None:
        return _Permission(message=message, address=address, choices=choices, reason=decision.reason)
    if decision is None and payload.kind is PayloadKind.REMINDER:
        outcomes.drop(message, counted=True)  # they have answered, so a reminder needs no event
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
        message.payload = attrs.evolve(message.payload, line=0)
    else:
        number = message.payload.line
        line = standing.meant(message.payload.channel.kind, number)
        message.payload = attrs.evolve(message.payload, line=number if line is None else line)
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
    outcomes.withhold(message, record, attrs.evolve(_withholding(app, message, decision), reason=reason))
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


async def _unrecorded_address(app: Application, payload: Payload, standing: Standing, now: datetime) -> Address | None:
    """
    Return the address of a message that goes to no line of a contact; None if it has none or is obsolete.
    """
    match payload.kind:
        case PayloadKind.LINK_WANTED:
            await sessions.send_requested_link(app, payload)
            return None
        case PayloadKind.ALERT:
            obsolete = second_gate.is_obsolete(payload, (), standing, now)
            return None if obsolete else parse_address(app.settings.organisation.email, AddressKind.EMAIL)
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
            return attrs.evolve(variables, kind=added.kind, masked=added.masked)
        case PayloadKind.COPY:
            record = await app.repository.require(message.contact)
            lines = {line.number for line in record.standing.lines}
            hidden = lines - record.standing.reached(message.payload.line)
            story = (await proof.evidence(app, message.contact, None)).timeline(hidden=hidden)
            return attrs.evolve(variables, page=as_fragment(story), plain=as_text(story))
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
    )
