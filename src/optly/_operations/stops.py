"""
Stopping through a link, telling whose it is, and undoing it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from optly._operations.access import Circumstances, enter
from optly._operations.desk import Desk, Plan, Record
from optly._operations.payload import Parcel, ParcelKind, pack
from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Contact
from optly.errors import AddressTakenError, LineTakenError, LinkInvalidError
from optly.links import UNDO_LIFE, Undo
from optly.protocols import OutboxMessage
from optly.record.commands import Context, Stop, UndoLine, UndoStop
from optly.record.consent import Standing, decide, fold, restorable
from optly.record.events import Actor, Choice, LineAdded, LineReinstated, LineRemoved, LinkKind
from optly.record.views import AfterStop, UndoneStop, pinned_items

# What a line of a kind is written to by.
WRITTEN_TO_BY: Final = {AddressKind.EMAIL: Channel.EMAIL, AddressKind.PHONE: Channel.SMS}


def writes_to(desk: Desk, kind: AddressKind) -> Channel | None:
    """
    Return the channel by which messages go to a line of a kind; None if none do here.
    """
    channel = WRITTEN_TO_BY.get(kind)
    return channel if channel in desk.outlets else None


async def stop(desk: Desk, code: str, context: Context) -> AfterStop:
    """
    Stop everything through a link, even one that can no longer answer.

    Whoever came by the link of a question has no more power than it gives, so they undo by the message they are sent.
    Whoever reads at an address that is no longer on record may stop, and is not told what that ended.
    """
    entry = await enter(desk, code)
    stopped = Stop(objection=True, at=desk.clock(), link=entry.target.kind, code=entry.mark, context=context)
    seq, told = await _stop(desk, entry.contact, stopped, entry.target.line)
    if seq is None or not entry.manages or entry.target.line not in entry.record.standing.present():
        return AfterStop(told=told)
    return AfterStop(undo=await undone_stop(desk, await desk.load(entry.contact), seq, stopped.at), told=told)


async def stop_by_token(desk: Desk, token: str, context: Context) -> AfterStop:
    """
    Stop what a stop link names. Harmless when repeated, and for a contact that is gone.
    """
    scope = desk.stop_links.read(token)
    contact = Contact(scope.contact)
    if not (await desk.load(contact)).version:
        return AfterStop()
    stopped = Stop(
        objection=True,
        channels=() if scope.channel is None else (scope.channel,),
        purposes=() if scope.purpose is None else (scope.purpose,),
        line=None if scope.channel is None else scope.line,
        at=desk.clock(),
        link=LinkKind.STOP,
        context=context,
    )
    return AfterStop(told=(await _stop(desk, contact, stopped, scope.line))[1])


async def _stop(desk: Desk, contact: Contact, command: Stop, line: int) -> tuple[int | None, bool]:
    """
    Stop, and tell the holder of *line* if they had agreed to something that this ends.

    Returns:
        The number of the event, None if it was stopped already; and whether they are told.
    """
    notices: list[OutboxMessage] = []

    def plan(standing: Standing, now: datetime) -> Plan:
        after = fold(decide(command, standing, now=now), standing)
        ended = restorable(standing, after, after.version, now) if after.version > standing.version else ()
        notices[:] = _notice(desk, contact, standing, line, ended, after.version, now)
        return Plan(command=command, queue=tuple(notices))

    applied = await desk.apply(contact, plan)
    return (applied.standing.version, bool(notices)) if applied.events else (None, False)


def _notice(
    desk: Desk, contact: Contact, standing: Standing, number: int, ended: Sequence[Choice], stop: int, now: datetime
) -> tuple[OutboxMessage, ...]:
    line = next((line for line in standing.lines if line.number == number and not line.removed), None)
    channel = None if line is None else writes_to(desk, line.kind)
    if not ended or channel is None or not desk.receipts:
        return ()
    parcel = Parcel(
        kind=ParcelKind.STOPPED,
        channel=channel,
        line=number,
        language=standing.language,
        choices=tuple(ended),
        at=now,
        until=now + UNDO_LIFE,
        undo=Undo(stop=stop, at=now),
    )
    return (pack(parcel, contact.subject, desk.random(16), now),)


async def _ended(desk: Desk, subject: bytes, standing: Standing, stop: int, now: datetime) -> tuple[Choice, ...]:
    events = [entry.event() for entry in await desk.storage.entries(subject)]
    return restorable(fold(events[: stop - 1]), standing, stop, now)


async def undone_stop(desk: Desk, record: Record, stop: int, at: datetime) -> UndoneStop | None:
    """
    Return what undoing the event of number *stop* would allow again; None for nothing.
    """
    standing, _ = await desk.whole(record)
    choices = await _ended(desk, record.subject, standing, stop, desk.clock())
    if not choices:
        return None
    wordings = await desk.wordings(choice.wording for choice in choices)
    return UndoneStop(stop=stop, items=pinned_items(choices, desk.purposes, wordings), at=at)


async def undo(desk: Desk, code: str, stop: int | None, how: Circumstances) -> Standing:
    """
    Undo a stop or a change of address, through the link that was sent for it, or, with the number of the stop, through
    a MyOptly link or in a session. A second time, nothing happens.
    """
    entry = await enter(desk, code)
    if entry.target.undo is not None:
        if entry.undo.stop is None:
            return await _undo_change(desk, entry.record, entry.undo)
        stop = entry.undo.stop
    elif not entry.manages or stop is None:
        raise LinkInvalidError("this link undoes nothing")
    entry.require_line()
    number = stop
    choices = await _ended(desk, entry.record.subject, entry.record.standing, number, desk.clock())

    def plan(_standing: Standing, now: datetime) -> Plan:
        command = UndoStop(
            stop=number,
            choices=choices,
            line=entry.line,
            link=entry.target.kind,
            code=entry.mark,
            language=how.language,
            hold=entry.holds(how, now),
            context=how.context,
        )
        return Plan(command=command, receipt_to=(entry.target.channel, entry.target.line))

    return (await desk.apply(entry.contact, plan, whole=True)).standing


async def successor(desk: Desk, subject: bytes, undo: Undo) -> int | None:
    """
    Return the line that stands where a change put one: that one, or what the person put in its place since, so that
    nobody escapes the undoing by changing the address once more.
    """
    line, replaced = undo.added, False
    followed = {line}
    for entry in await desk.storage.entries(subject):
        event = entry.event()
        if isinstance(event, LineRemoved):
            replaced = event.line == line and event.actor is Actor.PERSON
        elif isinstance(event, LineAdded) and replaced:
            line, replaced = event.line, False
            followed.add(line)
        elif isinstance(event, LineReinstated):
            if event.line in undo.removed:
                return undo.added  # undone before
            replaced = False
            line = event.line if event.line in followed else line
    return line


async def _undo_change(desk: Desk, record: Record, undo: Undo) -> Standing:
    command = UndoLine(added=await successor(desk, record.subject, undo), removed=undo.removed)
    try:
        return (await desk.apply(Contact(record.subject.hex()), lambda _standing, _now: Plan(command=command))).standing
    except AddressTakenError:
        raise LineTakenError("the earlier address belongs to another contact by now: nothing was changed") from None
