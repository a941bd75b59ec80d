"""
The way back for someone who stopped and whose address was entered in a form since: one plain message for each stop.

Typing an address into a form does not show that it is one's own, and asking someone who objected is marketing. So
nobody is asked anything. If the host wishes, the address gets one message that promotes nothing: a link to the choices
of its holder, who alone can say yes again, and one to press for never hearing of it again.
"""

from __future__ import annotations

from datetime import datetime

from optly._operations.application import Application
from optly._operations.gate import assess
from optly._operations.lines import writes_to
from optly._operations.payload import Payload, PayloadKind, encode
from optly._operations.repository import Plan
from optly.contacts import Address, Channel, Contact
from optly.keys import sha256
from optly.record.commands import RequestService
from optly.record.events import Service, Through
from optly.record.standing import SharedStanding, Standing, StandingStop
from optly.rules import MessageKind

# After these, nobody is written to: they asked for that, called a message spam, are not there, or do not live.
_SILENT = frozenset({Through.NEVER, Through.COMPLAINT, Through.DECEASED, Through.GONE_AWAY})


async def offer(app: Application, address: Address) -> bool:
    """
    Queue the message to each holder of *address* who had stopped, unless they had it since their latest stop.

    Returns:
        Whether there is a new message. Never show that to who filled in the form.
    """
    channel = writes_to(address.kind, app.backends)
    if not app.settings.way_back or channel is None:
        return False
    offered = False
    matches = await app.storage.find(app.index.idkeys(address))
    for holder in [holder for holders in matches.holders.values() for holder in holders]:
        offered |= await _offer(app, Contact(holder.subject.hex()), holder.line, channel)
    return offered


async def _offer(app: Application, contact: Contact, line: int, channel: Channel) -> bool:
    record = await app.repository.load(contact)
    shared, _ = await app.repository.with_suppressions(record)
    stop = standing_stop(shared, channel, line, shared.latest(app.settings.clock()))
    if stop is None:
        return False

    def plan(standing: Standing, now: datetime) -> Plan | None:
        if standing_stop(standing, channel, line, now) != stop:
            return None
        if standing.line_for(channel, line) is None or standing.failure(channel, line) is not None:
            return None
        payload = Payload(kind=PayloadKind.WAY_BACK, channel=channel, line=line, language=standing.language, at=stop.at)
        service = assess(
            app,
            standing,
            channel,
            ("",),
            kind=MessageKind.SERVICE,
            contact=contact.id,
            line=line,
            at=now,
            promotional=False,
        )
        if not service:
            return None
        return Plan(
            command=RequestService(service=Service.WAY_BACK, channel=channel, line=line),
            queue=(encode(payload, contact.subject, app.settings.random(16), now),),
        )

    # The key is made from the stop, so that however often the form is sent, the store takes one message for each stop.
    key = sha256(f"way back\0{contact.id}\0{line}\0{stop.seq}")[:16]
    return bool((await app.repository.apply(contact, plan, suppressions=True, idem=key, read=record)).events)


def _silences(stop: StandingStop) -> bool:
    """
    Whether nobody is written to about a stop: one that asks for that, or that someone erased or a domain left there.
    """
    return stop.through in _SILENT or (stop.seq is None and not stop.holder)


def _silenced_by_others(standing: Standing, channel: Channel, line: int) -> bool:
    """
    Whether another holder of a line asked for silence there. What is known of one person, such as a death, is theirs.
    """
    others = standing.others if isinstance(standing, SharedStanding) else ()
    return any(
        stop.for_all and _silences(stop) and stop.channel in (None, channel) and stop.line in (None, other.number)
        for other in others
        if other.line == line
        for stop in other.standing.stops
    )


def standing_stop(standing: Standing, channel: Channel, line: int, now: datetime) -> StandingStop | None:
    """
    Return the latest stop of the person's own that bars a channel on a line and after which they may be written to
    about it; None if there is none, or if anyone who reads there asked for silence.
    """
    known = [stop for stop in standing.stops if stop.channel in (None, channel) and stop.line in (None, line)]
    covering = [stop for stop in known if stop.seq is not None]
    if any(_silences(stop) for stop in known if stop not in covering) or _silenced_by_others(standing, channel, line):
        return None
    lifted = [
        consent.at
        for consent in standing.consents
        if consent.own and consent.channel is channel and consent.line == line and consent.runs(now)
    ]
    barred = [stop for stop in covering if all(at <= stop.at for at in lifted)]
    if not barred or any(stop.through in _SILENT for stop in covering):
        return None
    return max(barred, key=lambda stop: (stop.at, stop.seq or 0))
