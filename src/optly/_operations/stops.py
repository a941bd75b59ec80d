"""
Stops through a link: stopping, notifying the person, and undoing the stop.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from optly import typed
from optly._operations.access import Access, Circumstances
from optly._operations.application import Application
from optly._operations.keyed import require_keys
from optly._operations.lines import writes_to
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan, Planner
from optly.contacts import Contact
from optly.errors import LinkInvalidError
from optly.instants import end_of_day
from optly.links import UNDO_LIFE, StopScope, Undo
from optly.protocols import OutboxMessage
from optly.record.commands import Context, Stop, UndoLine, UndoStop
from optly.record.consent import decide, fold
from optly.record.events import (
    Actor,
    Choice,
    Event,
    LineAdded,
    LineReinstated,
    LineRemoved,
    LinkKind,
    Stopped,
    Through,
)
from optly.record.standing import Standing, restorable
from optly.record.views import AfterStop, EverythingStopped, Item, UndoneStop, answer, pinned_items

_log = logging.getLogger("optly")


async def stop(access: Access, context: Context) -> AfterStop:
    """
    Stop everything through a link, even one that can no longer answer.

    Nothing of the record is read for it but the standing, so what else is damaged prevents no stop.

    The link of a question must not permit more than its answer, so a stop through it is undone only through the notice
    that is sent. A reader at an address that is no longer on record may stop, but does not see what the stop ended.
    """
    app = access.app
    command = Stop(objection=True, link=access.target.kind, code=access.mark, context=context)
    present = access.target.line in access.record.standing.present()
    notices: list[OutboxMessage] = []
    scope = StopScope(contact=access.contact.id, line=access.target.line, channel=None, purpose=None)
    applied = await access.apply(_stop_planner(app, command, scope, notices))
    notified = bool(applied.events and notices)
    if not access.manages or not present:
        return AfterStop(told=notified)
    try:
        undo = await _undone_here(access)
    except Exception as error:
        # The stop is recorded, and stands whatever else of the record cannot be read. The message of the error may hold
        # an address.
        facts = {"contact": access.contact.id, "error": type(error).__name__}
        _log.error("what a stop ended cannot be read", extra=facts)
        undo = None
    return AfterStop(undo=undo, told=notified)


async def read_stop(app: Application, token: str) -> StopScope:
    """
    Return what a stop link stops.

    Raises:
        LinkInvalidError: It was altered or is not one of ours.
        KeyMissingError: It may be one of ours, signed by a process with a key that this one lacks.
    """
    try:
        return app.settings.stop_links.read(token)
    except LinkInvalidError:
        await require_keys(app.storage)
        raise


async def stop_by_token(app: Application, token: str, context: Context) -> AfterStop:
    """
    Stop what a stop link says, for the page behind it and for the button of a mail program alike.
    """
    scope = await read_stop(app, token)
    contact = Contact(scope.contact)
    record = await app.repository.load(contact)
    if not record.version:
        return AfterStop()
    command = Stop(
        objection=True,
        channels=scope.channels,
        purposes=() if scope.purpose is None else (scope.purpose,),
        line=None if scope.channel is None else scope.line,
        link=LinkKind.STOP,
        through=Through.NEVER if scope.never else None,
        context=context,
    )
    notices: list[OutboxMessage] = []
    applied = await app.repository.apply(contact, _stop_planner(app, command, scope, notices), read=record)
    return AfterStop(told=bool(applied.events and notices))


def _stop_planner(app: Application, command: Stop, scope: StopScope, notices: list[OutboxMessage]) -> Planner:
    """
    Return a planner that stops, and notifies the reader at the line if the stop ends something they had agreed to.

    Args:
        notices: Filled with the notice, if there is one.
    """

    def plan(standing: Standing, now: datetime) -> Plan:
        after = fold(decide(command, standing, now=now), standing)
        ended = restorable(standing, after, after.version, now) if after.version > standing.version else ()
        notices[:] = _notice(app, scope, after, ended, now)
        return Plan(command=command, queue=tuple(notices))

    return plan


def _notice(
    app: Application, scope: StopScope, after: Standing, ended: Sequence[Choice], now: datetime
) -> tuple[OutboxMessage, ...]:
    """
    Return the notice of a stop: what was stopped, and what the person agreed to that goes on.

    Args:
        after: The standing after the stop.
        ended: What it ended. If nothing, or if the person asked never to be written to, there is no notice.
    """
    line = next((line for line in after.lines if line.number == scope.line and not line.removed), None)
    channel = None if line is None else writes_to(line.kind, app.backends)
    if not ended or line is None or channel is None or scope.never or not app.settings.receipts:
        return ()
    payload = Payload(
        kind=PayloadKind.STOPPED,
        channel=channel,
        line=scope.line,
        language=after.language,
        purpose=scope.purpose or "",
        choices=tuple(ended),
        at=now,
        until=end_of_day(now + UNDO_LIFE),
        undo=Undo(stop=after.version, at=now),
        stopped_channel=scope.channel,
        left=tuple(
            Choice(channel=consent.channel, purpose=consent.purpose, line=consent.line, wording=consent.wording)
            for consent in after.consents
            if consent in after.running(consent.channel, consent.purpose, consent.line, now)
        ),
    )
    return (encode(payload, bytes.fromhex(scope.contact), app.settings.random(16), now),)


async def _events(access: Access) -> list[Event]:
    return [entry.event() for entry in await access.app.storage.entries(access.record.subject)]


async def _undone_here(access: Access) -> UndoneStop | None:
    """
    Return what would be allowed again by undoing the latest stop through this link; None for nothing.
    """
    events = await _events(access)
    for number, event in reversed([*enumerate(events, 1)]):
        if isinstance(event, Stopped) and event.code == access.mark:
            return await _undone(access, events, number)
    return None


async def undone_stop(access: Access, stop: int) -> UndoneStop | None:
    """
    Return what would be allowed again by undoing the stop of event number *stop*; None for nothing.
    """
    return await _undone(access, await _events(access), stop)


async def _undone(access: Access, events: Sequence[Event], stop: int) -> UndoneStop | None:
    first = fold(events[:stop]).first_press(stop)
    choices = restorable(fold(events[: first - 1]), await access.standing(), first, access.app.settings.clock())
    if not choices:
        return None
    return UndoneStop(stop=stop, items=await _pinned(access, choices), at=events[stop - 1].occurred_at)


async def _pinned(access: Access, choices: Sequence[Choice]) -> tuple[Item, ...]:
    wordings = await access.app.repository.wordings(choice.wording for choice in choices)
    return pinned_items(choices, access.app.settings.purposes, wordings)


async def restored(access: Access, stop: int) -> tuple[Item, ...]:
    """
    Return what the stop of event number *stop* ended, with what is on record by now.
    """
    events, now = await _events(access), access.app.settings.clock()
    after = fold(events[:stop])
    first = after.first_press(stop)
    ended = restorable(fold(events[: first - 1]), after, first, events[stop - 1].occurred_at)
    standing = await access.standing()
    return tuple(typed.evolve(item, answer=answer(standing, item.choice, now)) for item in await _pinned(access, ended))


async def everything_stopped(access: Access, items: Sequence[Item]) -> EverythingStopped | None:
    """
    Return since when nothing at all may be sent, and what can be undone through this link; None if something may.
    """
    stops = [stop for stop in access.record.standing.stops if stop.covers_all]
    if not stops or not items or any(item.answer is not False for item in items):
        return None
    latest = max(stops, key=lambda stop: stop.at)
    since = latest.since or latest.at
    until = end_of_day(since + UNDO_LIFE)
    undo = None
    if latest.seq is not None and latest.code == access.mark and access.app.settings.clock() <= until:
        undo = await undone_stop(access, latest.seq)
    return EverythingStopped(at=since, undo=undo, until=until)


async def undo(access: Access, stop: int | None, how: Circumstances) -> Standing:
    app = access.app
    if access.target.undo is not None:
        if access.undo.stop is None:
            return await _undo_change(access, access.undo)
        stop = access.undo.stop
    elif not access.manages or stop is None:
        raise LinkInvalidError("this link undoes nothing")
    access.require_line()
    events = await _events(access)
    number = fold(events[:stop]).first_press(stop)
    choices = restorable(fold(events[: number - 1]), await access.standing(), number, app.settings.clock())
    # A stop on another line is undone by the person who made it: through the notice of it, or the link it came through.
    undone = events[number - 1] if 0 < number <= len(events) else None
    own = access.target.undo is not None or getattr(undone, "code", None) == access.mark

    def plan(_standing: Standing, now: datetime) -> Plan:
        command = UndoStop(
            stop=number,
            choices=choices,
            own=own,
            line=access.target.line,
            handed_over=access.target.handed_over,
            link=access.target.kind,
            code=access.mark,
            language=how.language,
            hold=access.holds(how, now),
            context=how.context,
        )
        return Plan(command=command, receipt_to=(access.target.channel, access.target.line))

    return (await access.apply(plan, suppressions=True)).standing


async def successor(app: Application, subject: bytes, undo: Undo) -> int | None:
    """
    Return the line that a change added, or the one with which the person has replaced it since, so that nobody can
    prevent the undo by changing the address once more.
    """
    line, replaced = undo.added, False
    followed = {line}
    for entry in await app.storage.entries(subject):
        event = entry.event()
        if isinstance(event, LineRemoved):
            replaced = event.line == line and event.actor is Actor.PERSON
        elif isinstance(event, LineAdded) and replaced:
            line, replaced = event.line, False
            followed.add(line)
        elif isinstance(event, LineReinstated):
            if event.line in undo.removed:
                return undo.added  # already undone
            replaced = False
            line = event.line if event.line in followed else line
    return line


async def _undo_change(access: Access, undo: Undo) -> Standing:
    command = UndoLine(added=await successor(access.app, access.record.subject, undo), removed=undo.removed)
    return (await access.apply(command)).standing
