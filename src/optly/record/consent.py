"""
The domain core: `decide` turns a command into events, `evolve` and `fold` turn events into a contact's standing.

`decide` is pure and may refuse. `evolve` is pure and may not: an event is a fact. Time, ids and randomness are
arguments. Each case of the two calls the function named after its command or event.

When each occurred in the world decides between a yes and a stop, never the order in which they arrived. What happens
now occurs after everything on record, so that no clock that is behind puts it before; only what is told with an earlier
time has that time. Only a later affirmative act of the person's own lifts a stop, for the one channel, purpose and line
it names.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any, Final, TypeAlias, TypedDict, TypeVar, assert_never, get_args

import attrs

from optly import errors, typed
from optly.canonical import canonical
from optly.contacts import Channel, stopped_with
from optly.contacts.parties import loosens
from optly.instants import end_of_day, has_happened
from optly.messages import DeliveryStatus, Fault, Outcome
from optly.record import commands, events
from optly.record.commands import Command
from optly.record.events import Act, Actor, Choice, Event, Grade, Happened, LinkKind, Manner, Through
from optly.record.ledger import Entry
from optly.record.standing import MOMENTS, merge_stops
from optly.record.standing import AnsweredWish as AnsweredWish

# The values of a standing are found here as well.
from optly.record.standing import Complaint as Complaint
from optly.record.standing import HeldAnswer as HeldAnswer
from optly.record.standing import Line as Line
from optly.record.standing import PendingUse as PendingUse
from optly.record.standing import Question as Question
from optly.record.standing import QuestionState as QuestionState
from optly.record.standing import Standing as Standing
from optly.record.standing import StandingCharitySoftOptIn as StandingCharitySoftOptIn
from optly.record.standing import StandingConsent as StandingConsent
from optly.record.standing import StandingFailure as StandingFailure
from optly.record.standing import StandingRefusals as StandingRefusals
from optly.record.standing import StandingSoftOptIn as StandingSoftOptIn
from optly.record.standing import StandingStop as StandingStop
from optly.record.standing import StandingUse as StandingUse

# How long a held answer can be confirmed where its question sets no other limit, and the least time a person needs to
# read what they are asked to confirm.
HELD_FOR = timedelta(days=30)
READING_TIME = timedelta(seconds=3)

_TICK = timedelta(microseconds=1)
_PLAIN: Final = Manner()


def fold(happened: Iterable[Event], standing: Standing | None = None) -> Standing:
    """
    Apply events in order to *standing*, or to that of a contact who is not on record yet.
    """
    standing = Standing() if standing is None else standing
    for event in happened:
        standing = evolve(standing, event)
    return standing


def replay(entries: Iterable[Entry], until: datetime | None = None) -> Standing:
    """
    Return the standing that stored events lead to. What cannot be read is passed over, and the first is marked.

    Args:
        until: Leave out what was recorded after this instant. Aware.
    """
    standing = Standing()
    for entry in entries:
        try:
            event = entry.event()
        except errors.SerializationError:
            standing = _passed_over(standing)
            continue
        if until is not None and event.recorded_at > until:
            continue
        if standing.unreadable is None:
            standing = evolve(standing, event)
            continue
        if isinstance(event, events.LineAdded):
            standing = typed.evolve(standing, lines=(*standing.lines, *_lines_missing(standing, event)))
        try:
            standing = evolve(standing, event)
        except Exception:  # it follows from something that could not be read
            standing = _passed_over(standing)
    return standing


def readable(entries: Iterable[Entry]) -> Iterator[Event]:
    """
    Yield those of the stored events that can be read, without personal values.
    """
    for entry in entries:
        with suppress(errors.SerializationError):
            yield entry.event()


def _passed_over(standing: Standing) -> Standing:
    seq = standing.version + 1
    return typed.evolve(standing, version=seq, unreadable=seq if standing.unreadable is None else standing.unreadable)


def _lines_missing(standing: Standing, event: events.LineAdded) -> Iterator[Line]:
    """
    Yield what stands for the lines between those that are known and one that is added: they keep the numbers in order.
    """
    for number in range(len(standing.lines) + 1, event.line):
        yield Line(number=number, kind=event.kind)


# ---- evolve


# The events of which it matters what came first.
_ORDERED = (
    events.ConsentRequested,
    events.AnswerHeld,
    events.ConsentGiven,
    events.ConsentRefused,
    events.ConsentWithdrawn,
    events.SoftOptInRecorded,
    events.CharitySoftOptInRecorded,
    events.ObjectionRaised,
    events.MarkedDeceased,
    events.MarkedGoneAway,
    events.ContactErased,
)


def _recorded(standing: Standing, event: Event, seq: int) -> dict[str, Any]:
    """
    Return what every event changes: the version, and if it permits or stops something, when the latest was recorded.
    """
    if not isinstance(event, _ORDERED):
        return {"version": seq}
    return {"version": seq, "recorded_at": standing.latest(event.recorded_at)}


def evolve(standing: Standing, event: Event) -> Standing:
    """
    Return the standing after *event*. Never refuses.
    """
    seq = standing.version + 1
    match event:  # the commonest first
        case events.MessageAccepted():
            return typed.evolve(standing, **_recorded(standing, event, seq), **_sent(standing, event))
        case events.MessageDelivered():
            return _message_delivered(standing, event, seq)
        case events.ConsentRequested():
            return _consent_requested(standing, event, seq)
        case events.MessageQueued() | events.MessageDoubted():
            return _message_under_way(standing, event, seq)
        case events.ConsentGiven():
            return _consent_given(standing, event, seq)
        case events.ConsentWithdrawn() | events.ObjectionRaised() | events.MarkedDeceased() | events.MarkedGoneAway():
            return typed.evolve(
                standing,
                **_recorded(standing, event, seq),
                lines=_to_prove_again(standing.lines, event.line),
                **_stopped(standing, event, seq),
            )
        case events.ServiceRequested() | events.MessageReceived() | events.DomainObjectionRaised():
            return typed.evolve(standing, **_recorded(standing, event, seq))
        case events.LineAdded():
            return _line_added(standing, event, seq)
        case events.ContactAdded():
            return _contact_added(standing, event, seq)
        case events.DetailsChanged():
            return _details_changed(standing, event, seq)
        case events.LineProved():
            return _line_proved(standing, event, seq)
        case events.LineRemoved():
            return _line_removed(standing, event, seq)
        case events.LineLeft():
            return _line_left(standing, event, seq)
        case events.LineReinstated():
            return _line_reinstated(standing, event, seq)
        case events.AnswerHeld():
            return _answer_held(standing, event, seq)
        case events.ConsentRefused():
            return _consent_refused(standing, event, seq)
        case events.SoftOptInRecorded():
            return _soft_opt_in_recorded(standing, event, seq)
        case events.CharitySoftOptInRecorded():
            return _charity_soft_opt_in_recorded(standing, event, seq)
        case events.LinksRevoked():
            return typed.evolve(standing, **_recorded(standing, event, seq), links_since=seq)
        case events.ContactErased():
            return _contact_erased(standing, event, seq)
        case events.CommunicationMade():
            return _communication_made(standing, event, seq)
        case events.MessageRefused() | events.MessageWithheld():
            left = _without_pending(standing, event)
            untold = _untold(standing.complaints, event.message)
            refusals = _refused_for_good(standing, event) if isinstance(event, events.MessageRefused) else None
            return typed.evolve(
                standing,
                **_recorded(standing, event, seq),
                pending=left,
                complaints=untold,
                refusals=standing.refusals if refusals is None else refusals,
            )
        case events.LineFailed():
            return _line_failed(standing, event, seq)
        case events.LineRestored():
            return _line_restored(standing, event, seq)
        case events.ComplaintReceived():
            return _complaint_received(standing, event, seq)
        case events.ComplaintAcknowledged() | events.ComplaintDecided() | events.ComplaintResolved():
            return _complaint_answered(standing, event, seq)
        case events.MessageUndelivered():
            return typed.evolve(
                standing,
                **_recorded(standing, event, seq),
                complaints=_untold(standing.complaints, event.message),
                refusals=_refused_for_good(standing, event),
            )
        case _:
            assert_never(event)


def _contact_added(standing: Standing, event: events.ContactAdded, seq: int) -> Standing:
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        subscriber=event.subscriber,
        language=event.language,
        name="name_1" if seq == 1 else None,
        anonymous=event.anonymous,
    )


def _details_changed(standing: Standing, event: events.DetailsChanged, seq: int) -> Standing:
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        subscriber=event.subscriber or standing.subscriber,
        language=event.language or standing.language,
        name=event.name or standing.name,
        anonymous=standing.anonymous and event.name is None,
    )


def _line_added(standing: Standing, event: events.LineAdded, seq: int) -> Standing:
    line = Line(
        number=event.line,
        kind=event.kind,
        subscriber=event.subscriber,
        proved=event.grade is Grade.A,
        through=() if event.through is None else (event.through,),
        added=seq,
    )
    moved = _moved(standing, [other.number for other in standing.lines if other.removed], [line])
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        lines=(*standing.lines, line),
        stops=merge_stops(standing.stops, moved),
        anonymous=standing.anonymous and not standing.lines,
    )


def _line_proved(standing: Standing, event: events.LineProved, seq: int) -> Standing:
    lines = tuple(
        typed.evolve(line, proved=True, through=(*line.through, event.through)) if line.number == event.line else line
        for line in standing.lines
    )
    return typed.evolve(standing, **_recorded(standing, event, seq), lines=lines)


def _line_removed(standing: Standing, event: events.LineRemoved | events.LineLeft, seq: int) -> Standing:
    lines = _with_line(standing.lines, event.line, removed=True)
    moved = _moved(standing, [event.line], [line for line in lines if not line.removed])
    settled = _settled(standing, None, moved, event.recorded_at)
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        lines=lines,
        stops=merge_stops(standing.stops, moved),
        questions=settled["questions"],
        held=tuple(answer for answer in settled["held"] if answer.choice.line != event.line),
    )


def _line_reinstated(standing: Standing, event: events.LineReinstated, seq: int) -> Standing:
    """
    Bring a line back. What was allowed and stopped on it counts as before, and so does a stop made since on a line that
    had taken its place.
    """
    lines = _with_line(standing.lines, event.line, removed=False)
    back = next(line for line in lines if line.number == event.line)
    replacements = [line for line in lines if line.removed and line.kind is back.kind and line.added > back.added]
    moved = [
        typed.evolve(stop, line=back.number)
        for line in replacements
        for stop in standing.stops
        if stop.line == line.number and stop.moves and stop.seq is not None and stop.seq > line.added
    ]
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        lines=lines,
        stops=merge_stops(standing.stops, moved),
        **_settled(standing, None, moved, event.recorded_at),
    )


def _moved(standing: Standing, removed: Sequence[int], to: Sequence[Line]) -> tuple[StandingStop, ...]:
    """
    Return the stops made on lines that were removed, for each line of the same kind that was added since the stop.

    The person objected, not their address: a stop stays with them when they, or staff, change that. It does not matter
    whether the new line is added before the old one is removed, together with it, or years later. A line that was there
    beside the old one when it was stopped keeps what it allows.
    """
    kinds = {line.number: line.kind for line in standing.lines}
    return tuple(
        typed.evolve(stop, line=line.number)
        for stop in standing.stops
        if stop.line in removed and stop.line is not None and stop.moves
        for line in to
        if line.kind is kinds[stop.line] and line.added > (stop.seq or 0)
    )


def _line_left(standing: Standing, event: events.LineLeft, seq: int) -> Standing:
    after = _line_removed(standing, event, seq)
    return typed.evolve(
        after, lines=tuple(typed.evolve(line, left=True) if line.number == event.line else line for line in after.lines)
    )


def _with_line(lines: Sequence[Line], number: int, *, removed: bool) -> tuple[Line, ...]:
    return tuple(typed.evolve(line, removed=removed) if line.number == number else line for line in lines)


def _to_prove_again(lines: tuple[Line, ...], number: int | None) -> tuple[Line, ...]:
    """
    Return *lines* after something was stopped on the one with that *number*: whoever reads there may be someone new, so
    that it is theirs is to be shown again to those who come through another.
    """
    return tuple(typed.evolve(line, through=()) if line.number == number and line.through else line for line in lines)


def _consent_requested(standing: Standing, event: events.ConsentRequested, seq: int) -> Standing:
    question = _written(Question, event, id=event.question, asked_at=event.occurred_at, seq=seq)
    if event.unproved:
        # Whoever filled in the form may be anyone: it stands beside the others, and each is answered in its own words.
        return typed.evolve(standing, **_recorded(standing, event, seq), questions=(*standing.questions, question))
    # A newer question replaces every open one that shares a choice with it: one wording at a time can be agreed to.
    asked = _scopes(event, seq)
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        questions=(*_close(standing.questions, None, asked, event.recorded_at), question),
        held=_still_held(standing.held, asked),
        pending=_with_pending(
            standing, event, event.question, event.via, tuple(dict.fromkeys(choice.purpose for choice in event.choices))
        ),
    )


def _answer_held(standing: Standing, event: events.AnswerHeld, seq: int) -> Standing:
    held = [_written(HeldAnswer, event, choice=choice, at=event.occurred_at) for choice in event.choices]
    # It may be a program's answer: what waits to be confirmed through another link goes on waiting.
    waiting = _held_elsewhere(standing.held, event.code, _scopes(event, seq))
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        # The question is used up, although nothing is agreed to yet. Other questions about the same stay open.
        questions=_close(standing.questions, event.question, (), event.recorded_at),
        held=(*waiting, *held),
    )


def _consent_given(standing: Standing, event: events.ConsentGiven, seq: int) -> Standing:
    manner = _PLAIN if event.manner is None else event.manner
    by_person = (
        event.actor is Actor.PERSON
        and event.grade in (Grade.A, Grade.B)
        and not manner.collected_by
        and not event.elsewhere
    )
    own = by_person and manner.organisations is None
    defects = event.defects
    facts = {
        "at": _given_at(event),
        "own": own,
        "by_person": by_person,
        "seq": seq,
        "organisations": manner.organisations,
        "collected_by": manner.collected_by,
        "defects": defects,
        "after": event.after,
    }
    given = [_written(StandingConsent, choice, **facts) for choice in event.choices]
    if defects:
        return typed.evolve(
            standing, **_recorded(standing, event, seq), unsound=_merge_consents(standing.unsound, given)
        )
    # Only the person's own yes settles what is undecided: one that someone else reports closes no question.
    scopes = _scopes(event, seq)
    # Whatever it counts for, it has been confirmed.
    held = _held_elsewhere(standing.held, event.code, scopes)
    reached = _reached(event)
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        failures=_without_failures(standing.failures, reached),
        refusals=_without_failures(standing.refusals, reached),
        consents=_merge_consents(standing.consents, given),
        **_settled(standing, event.question, scopes if own else (), event.recorded_at, held=held),
    )


def _consent_refused(standing: Standing, event: events.ConsentRefused, seq: int) -> Standing:
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        failures=_without_failures(standing.failures, _reached(event)),
        refusals=_without_failures(standing.refusals, _reached(event)),
        **_stopped(standing, event, seq, answered=event.question),
    )


def _soft_opt_in_recorded(standing: Standing, event: events.SoftOptInRecorded, seq: int) -> Standing:
    in_sale = _written(StandingSoftOptIn, event, at=_given_at(event), seq=seq)
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        soft_opt_ins=_merge_soft_opt_ins(standing.soft_opt_ins, in_sale),
        **_stopped(standing, event, seq),
    )


def _charity_soft_opt_in_recorded(standing: Standing, event: events.CharitySoftOptInRecorded, seq: int) -> Standing:
    by_charity = _written(StandingCharitySoftOptIn, event, at=_given_at(event), seq=seq)
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        charity_soft_opt_ins=_merge_soft_opt_ins(standing.charity_soft_opt_ins, by_charity),
        **_stopped(standing, event, seq),
    )


def _contact_erased(standing: Standing, event: events.ContactErased, seq: int) -> Standing:
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        name=None,
        lines=tuple(typed.evolve(line, removed=True) for line in standing.lines),
        **_stopped(standing, event, seq),
        erased_at=event.occurred_at,
    )


# Reasons for which something was allowed that is no marketing, or that reached nobody.
_NOT_MARKETING = frozenset({"service", "public_task", "market_research", "solicited", "nothing_conveyed"})


def _with_pending(
    standing: Standing,
    event: events.ConsentRequested | events.MessageQueued | events.MessageDoubted,
    id: str,
    channel: Channel,
    purposes: tuple[str, ...],
) -> tuple[PendingUse, ...]:
    """
    Add what was queued, in place of an earlier message alike, if it is marketing.
    """
    if event.reason in _NOT_MARKETING:
        return standing.pending
    new = PendingUse(id=id, channel=channel, purposes=purposes, line=event.line)
    return (*(one for one in standing.pending if typed.evolve(one, id=id) != new), new)


def _without_pending(standing: Standing, event: events.MessageEvent) -> tuple[PendingUse, ...]:
    return tuple(one for one in standing.pending if one.id not in (event.message, event.question))


def _message_under_way(standing: Standing, event: events.MessageQueued | events.MessageDoubted, seq: int) -> Standing:
    pending = standing.pending
    if event.purpose:
        purposes = (event.purpose, *event.also_for)
        pending = _with_pending(standing, event, event.message, event.channel, purposes)
    return typed.evolve(standing, **_recorded(standing, event, seq), pending=pending)


def _sent(standing: Standing, event: events.MessageAccepted | events.MessageDelivered) -> dict[str, Any]:
    """
    Return the changes that a message makes that is known to have left.
    """
    at = _given_at(event)
    if isinstance(event, events.MessageAccepted) and event.purpose:
        uses = standing.uses
        if event.reason not in _NOT_MARKETING:
            uses = _with_uses(uses, event.channel, (event.purpose, *event.also_for), event.line, at)
        return {"pending": _without_pending(standing, event), "uses": uses}
    for one in standing.pending:
        if one.id in (event.message, event.question):
            uses = _with_uses(standing.uses, one.channel, one.purposes, one.line, at)
            return {"pending": _without_pending(standing, event), "uses": uses}
    return {}


def _with_uses(
    uses: Sequence[StandingUse], channel: Channel, purposes: Sequence[str], line: int, at: datetime
) -> tuple[StandingUse, ...]:
    latest = {(use.channel, use.purpose, use.line): use for use in uses}
    for purpose in purposes:
        known = latest.get((channel, purpose, line))
        if known is None or known.at < at:
            latest[channel, purpose, line] = StandingUse(channel=channel, purpose=purpose, line=line, at=at)
    return tuple(latest.values())


def _communication_made(standing: Standing, event: events.CommunicationMade, seq: int) -> Standing:
    changes: dict[str, Any] = {}
    if event.solicited_at is not None:
        wish = AnsweredWish(line=event.line, asked_at=event.solicited_at)
        changes["answered"] = tuple(dict.fromkeys((*standing.answered, wish)))
    if event.reason not in _NOT_MARKETING:
        purposes = (event.purpose, *event.also_for)
        changes["uses"] = _with_uses(standing.uses, event.channel, purposes, event.line, _given_at(event))
    return typed.evolve(standing, **_recorded(standing, event, seq), **changes)


def _message_delivered(standing: Standing, event: events.MessageDelivered, seq: int) -> Standing:
    return typed.evolve(
        standing,
        **_recorded(standing, event, seq),
        **_sent(standing, event),
        # A failure later than this delivery stays: reports do not arrive in order.
        failures=_without_failures(standing.failures, {event.line}, event.channel, event.occurred_at),
        refusals=_without_failures(standing.refusals, {event.line}, event.channel),
        questions=tuple(
            typed.evolve(question, delivered_at=event.occurred_at) if question.id == event.question else question
            for question in standing.questions
        ),
    )


def _line_failed(standing: Standing, event: events.LineFailed, seq: int) -> Standing:
    failure = _written(StandingFailure, event, at=event.occurred_at, seq=seq)
    others = _without_failures(standing.failures, {event.line}, event.channel)
    return typed.evolve(standing, **_recorded(standing, event, seq), failures=(*others, failure))


def _line_restored(standing: Standing, event: events.LineRestored, seq: int) -> Standing:
    left = _without_failures(standing.failures, {event.line}, event.channel)
    working = _without_failures(standing.refusals, {event.line}, event.channel)
    return typed.evolve(standing, **_recorded(standing, event, seq), failures=left, refusals=working)


def _refused_for_good(
    standing: Standing, event: events.MessageRefused | events.MessageUndelivered
) -> tuple[StandingRefusals, ...]:
    if not event.permanent or not event.line:
        return standing.refusals
    others = _without_failures(standing.refusals, {event.line}, event.channel)
    known = standing.refused(event.channel, event.line)
    # By our own clock: a report that was on its way for long says nothing about how long the line has failed.
    if known is None:
        at = event.recorded_at
        return (*others, StandingRefusals(channel=event.channel, line=event.line, since=at, at=at))
    return (*others, typed.evolve(known, at=event.recorded_at, count=known.count + 1))


def _complaint_received(standing: Standing, event: events.ComplaintReceived, seq: int) -> Standing:
    complaint = Complaint(id=event.complaint, at=event.occurred_at, acknowledge_by=event.acknowledge_by)
    return typed.evolve(standing, **_recorded(standing, event, seq), complaints=(*standing.complaints, complaint))


_AnswerToComplaint: TypeAlias = events.ComplaintAcknowledged | events.ComplaintDecided | events.ComplaintResolved


def _complaint_answered(standing: Standing, event: _AnswerToComplaint, seq: int) -> Standing:
    complaints = []
    for complaint in standing.complaints:
        if complaint.id == event.complaint:
            match event:
                case events.ComplaintAcknowledged():
                    complaint = typed.evolve(complaint, acknowledged_at=complaint.acknowledged_at or event.occurred_at)
                case events.ComplaintDecided():
                    complaint = typed.evolve(complaint, decided_at=event.occurred_at, message=event.message)
                case events.ComplaintResolved():
                    complaint = typed.evolve(
                        complaint,
                        # Anyone who hears the outcome has heard that the complaint was received.
                        acknowledged_at=complaint.acknowledged_at or event.occurred_at,
                        resolved_at=event.occurred_at,
                        message="",
                    )
        complaints.append(complaint)
    return typed.evolve(standing, **_recorded(standing, event, seq), complaints=tuple(complaints))


def _untold(complaints: tuple[Complaint, ...], message: str) -> tuple[Complaint, ...]:
    """
    Return *complaints* after a message did not reach the person. An outcome that it was to report can be sent again.
    """
    return tuple(
        typed.evolve(complaint, message="") if complaint.message == message else complaint for complaint in complaints
    )


def stops_of(event: Event, seq: int) -> tuple[StandingStop, ...]:
    """
    Return what *event* stops.
    """
    stop = partial(StandingStop, at=_given_at(event), seq=seq, told=not made_now(event))
    match event:
        case events.ConsentRefused():
            return _scopes(event, seq)
        case events.ConsentWithdrawn() | events.ObjectionRaised() | events.MarkedDeceased() | events.MarkedGoneAway():
            objection = not isinstance(event, events.ConsentWithdrawn)
            return tuple(
                stop(
                    channel=channel,
                    purpose=purpose,
                    line=event.line,
                    objection=objection,
                    organisation=event.organisation,
                    through=event.through,
                    link=event.link,
                    code=event.code,
                )
                for channel in event.channels or (None,)
                for purpose in event.purposes or (None,)
            )
        case events.SoftOptInRecorded() | events.CharitySoftOptInRecorded() if event.refused:
            return (stop(channel=event.channel, purpose=None, line=event.line, objection=False),)
        case events.ContactErased():
            return (stop(channel=None, purpose=None, line=None, objection=True),)
        case _:
            return ()


def _scopes(
    event: events.ConsentRequested | events.AnswerHeld | events.ConsentGiven | events.ConsentRefused, seq: int
) -> tuple[StandingStop, ...]:
    """
    Return the scope of each choice of an event: what it stops if it is a refusal, what it settles otherwise.
    """
    stop = partial(StandingStop, at=_given_at(event), objection=False, seq=seq, told=not made_now(event))
    return tuple([stop(channel=choice.channel, purpose=choice.purpose, line=choice.line) for choice in event.choices])


def _stopped(standing: Standing, event: Event, seq: int, *, answered: str | None = None) -> dict[str, Any]:
    """
    Return the changes that what *event* stops makes to the standing.
    """
    stops = tuple(map(standing.as_repeat, stops_of(event, seq)))
    stops = (*stops, *_after_removal(standing, stops))
    return {
        "stops": merge_stops(standing.stops, stops),
        **_settled(standing, answered, stops, event.recorded_at),
    }


def _after_removal(standing: Standing, stops: Sequence[StandingStop]) -> tuple[StandingStop, ...]:
    """
    Return the stops made on lines that were removed already, for each line of the same kind that was added later.

    An old letter still has its stop link, and a report on it may arrive days after the address was corrected.
    """
    removed = {line.number: line for line in standing.lines if line.removed}
    if not removed:
        return ()
    return tuple(
        typed.evolve(stop, line=line.number)
        for stop in stops
        if stop.line in removed and stop.moves
        for line in standing.lines
        if line.kind is removed[stop.line].kind and line.added > removed[stop.line].added
    )


def _settled(
    standing: Standing,
    answered: str | None,
    touched: Sequence[StandingStop],
    at: datetime,
    *,
    held: Sequence[HeldAnswer] | None = None,
) -> dict[str, Any]:
    """
    Return the changes to what was still undecided, now that *touched* is decided.

    Args:
        held: The answers that are still held, if not those of the standing.
    """
    return {
        "questions": _close(standing.questions, answered, touched, at),
        "held": _still_held(standing.held if held is None else held, touched),
    }


def _close(
    questions: Sequence[Question], answered: str | None, touched: Sequence[StandingStop], at: datetime
) -> tuple[Question, ...]:
    """
    Close the question that was answered, and every open one about something that was decided elsewhere since.
    """
    closed = []
    for question in questions:
        if question.state is QuestionState.OPEN:
            if question.id == answered:
                question = typed.evolve(question, state=QuestionState.ANSWERED, closed_at=at)
            elif any(scope.covers(c.channel, c.purpose, c.line) for scope in touched for c in question.choices):
                question = typed.evolve(question, state=QuestionState.SUPERSEDED, closed_at=at)
        closed.append(question)
    return tuple(closed)


def _still_held(held: Sequence[HeldAnswer], touched: Sequence[StandingStop]) -> tuple[HeldAnswer, ...]:
    """
    Return the held answers that nothing has decided since.
    """
    return tuple(
        answer
        for answer in held
        if not any(scope.covers(answer.choice.channel, answer.choice.purpose, answer.choice.line) for scope in touched)
    )


def _held_elsewhere(held: Sequence[HeldAnswer], code: str, said: Sequence[StandingStop]) -> tuple[HeldAnswer, ...]:
    """
    Return the held answers without those through the link with this mark about what was *said* through it now.
    """
    others = [answer for answer in held if answer.code != code]
    return (*others, *_still_held([answer for answer in held if answer.code == code], said))


def _merge_consents(consents: Sequence[StandingConsent], new: Iterable[StandingConsent]) -> tuple[StandingConsent, ...]:
    """
    Return the latest of the consents that differ in nothing but their time, wording and number. Of two with one time it
    is the first, unless the other knows of more that was stopped before.
    """

    def key(consent: StandingConsent) -> tuple[object, ...]:
        return (
            consent.channel,
            consent.purpose,
            consent.line,
            consent.own,
            consent.organisations,
            consent.collected_by,
            consent.defects,
        )

    latest = {key(consent): consent for consent in consents}
    for consent in new:
        known = latest.get(key(consent))
        if (
            known is None
            or known.at < consent.at
            or (known.at == consent.at and not {*consent.after} <= {*known.after})
        ):
            latest[key(consent)] = consent
    return tuple(latest.values())


_SoftOptIn = TypeVar("_SoftOptIn", StandingSoftOptIn, StandingCharitySoftOptIn)


def _merge_soft_opt_ins(known: Sequence[_SoftOptIn], new: _SoftOptIn) -> tuple[_SoftOptIn, ...]:
    """
    Add *new*, unless one like it is as late. The others stay: a record that lacks something weakens no other.
    """
    alike = [other for other in known if typed.evolve(other, at=new.at, seq=new.seq) == new]
    if any(other.at >= new.at for other in alike):
        return tuple(known)
    kept = [other for other in known if other not in alike]
    kept.append(new)
    return tuple(kept)


_Failing = TypeVar("_Failing", StandingFailure, StandingRefusals)


def _without_failures(
    failures: Sequence[_Failing],
    lines: set[int],
    channel: Channel | None = None,
    until: datetime | None = None,
) -> tuple[_Failing, ...]:
    """
    Return *failures* without those of these lines, on one channel or on all, that were no later than *until*.
    """
    return tuple(
        failure
        for failure in failures
        if failure.line not in lines
        or channel not in (None, failure.channel)
        or (until is not None and failure.at > until)
    )


def _reached(event: events.ConsentGiven | events.ConsentRefused) -> set[int]:
    """
    Return the lines that a message of ours has reached, because its link, or a reply from there, was used.
    """
    return {choice.line for choice in event.choices} if event.grade is Grade.A else set()


def _given_at(event: Happened) -> datetime:
    """
    Return when a permission was given or something stopped: never later than when it was recorded.

    If the clock that timed a yes were ahead, a stop made straight after it would seem to come before it.
    """
    return min(event.occurred_at, event.recorded_at)


def made_now(event: Happened) -> bool:
    """
    Whether an event was recorded as it happened, so that the order in which it was recorded says what came first.
    """
    return event.recorded_at - event.occurred_at <= MOMENTS


# ---- decide


def decide(command: Command, standing: Standing, *, now: datetime) -> tuple[Event, ...]:
    """
    Return the events that *command* leads to. Empty if it would change nothing: a second click is not an error.

    Args:
        now: The instant of deciding, by the clock. Aware. If the clock is behind the record, the instant of the latest
            event takes its place.

    Raises:
        UsageError: The command does not fit the contact.
        LinkError: The question can no longer be answered, or not in this way.
    """
    command, now = _timed(command, standing, now), _present(command, standing, now)
    if isinstance(command, commands.AddContact):
        return _add_contact(command, standing, now)
    if isinstance(command, commands.Complain) and command.apart and not standing.version:
        return _complain(command, standing, now)
    if not standing.version:
        raise _unknown()
    if standing.erased_at is not None:
        return _decide_erased(command, standing, now)
    match command:  # the commonest first
        case commands.RecordOutcome():
            return _record_outcome(command, standing, now)
        case commands.RecordDelivery():
            return _record_delivery(command, standing, now)
        case commands.AskForConsent():
            return _ask_for_consent(command, standing, now)
        case commands.AnswerQuestion():
            return _answer_question(command, standing, now)
        case commands.Stop():
            return _stop(command, standing, now)
        case commands.RecordMessage():
            return _record_message(command, standing, now)
        case commands.ChangeDetails():
            return _change_details(command, standing, now)
        case commands.RecordCommunication():
            return (_written(events.CommunicationMade, command, **_common(now, Actor.STAFF, Grade.B)),)
        case commands.ChangeChoices():
            return _change_choices(command, standing, now)
        case commands.ConfirmAnswer():
            return _confirm_answer(command, standing, now)
        case commands.UndoStop():
            return _undo_stop(command, standing, now)
        case commands.ProveLine():
            return _prove_line(command, standing, now)
        case commands.UndoLine():
            return _undo_line(command, standing, now)
        case commands.RequestService():
            return (_written(events.ServiceRequested, command, **_common(now, Actor.PERSON, Grade.B)),)
        case commands.Complain():
            return _complain(command, standing, now)
        case commands.AnswerComplaint():
            return _answer_complaint(command, standing, now)
        case commands.DecideComplaint():
            return _decide_complaint(command, standing, now)
        case commands.RecordConsent():
            return _record_consent(command, standing, now)
        case commands.ObjectForDomain():
            return _object_for_domain(command, standing, now)
        case commands.RecordSoftOptIn() | commands.RecordCharitySoftOptIn():
            return _record_soft_opt_in(command, standing, now)
        case commands.RestoreLine():
            return _restore_line(command, standing, now)
        case commands.LeaveLine():
            return _leave_line(command, standing, now)
        case commands.WithholdMessage():
            return (_written(events.MessageWithheld, command, **_common(now, Actor.SYSTEM, Grade.B)),)
        case commands.RevokeLinks():
            return (events.LinksRevoked(**_common(now, Actor.STAFF, Grade.B)),)
        case commands.EraseContact():
            return (events.ContactErased(**_common(now, Actor.STAFF, Grade.B)),)
        case _:
            assert_never(command)


def _decide_erased(command: Command, standing: Standing, now: datetime) -> tuple[Event, ...]:
    """
    Decide for a contact who was erased: erasure stopped everything. Only a message under way still has an outcome, and
    a complaint is still answered.
    """
    if isinstance(command, commands.RecordOutcome):
        return _record_outcome(command, standing, now)
    if isinstance(command, commands.AnswerComplaint):
        return _answer_complaint(command, standing, now)
    if isinstance(command, commands.DecideComplaint):
        return _decide_complaint(command, standing, now)
    if isinstance(command, commands.WithholdMessage) and any(c.message == command.message for c in standing.complaints):
        return (_written(events.MessageWithheld, command, **_common(now, Actor.SYSTEM, Grade.B)),)
    if isinstance(
        command,
        commands.EraseContact
        | commands.RevokeLinks
        | commands.Stop
        | commands.RecordDelivery
        | commands.RecordMessage
        | commands.WithholdMessage,
    ):
        return ()
    raise _unknown()


def _unknown() -> errors.UnknownContactError:
    return errors.UnknownContactError("there is no such contact, or it was erased")


def _present(command: Command, standing: Standing, clock: datetime) -> datetime:
    """
    Return the time of the contact for *command*.

    An answer comes after the stops that its record shows, whose times may be ahead of *clock*; at the same instant the
    stop wins.
    """
    now = standing.latest(clock)
    if isinstance(command, commands.Stop) and standing.anonymous and clock < now:
        # Another holder may have agreed since the stop that is at this very instant: this is one more.
        return now + _TICK
    if not isinstance(command, _ANSWERING):
        return now
    return max([now, *(stop.until + _TICK for stop in standing.stops if stop.at != clock)])


def require_happened(at: datetime, now: datetime) -> None:
    """
    Raises:
        UsageError: What is timed *at* has not happened yet.
    """
    if not has_happened(at, now):
        raise errors.UsageError("the time given is in the future: record an event once it has happened")


def _timed(command: Command, standing: Standing, now: datetime) -> Command:
    """
    Return *command* with a time after everything on record, unless it is told with one that has passed.

    A stop that was made moments ago is made now: who tells of it may have another clock.
    """
    told: Any = command
    at: datetime | None = getattr(told, "at", None)
    if at is None:
        return command
    if isinstance(command, commands.RecordDelivery | commands.RecordMessage):
        # A provider whose clock is ahead must not have its reports refused.
        at = min(at, now)
    require_happened(at, standing.latest(now))
    stops = isinstance(command, commands.Stop | commands.ObjectForDomain) or (
        isinstance(command, commands.RecordDelivery) and command.status.stops
    )
    passed = at < (now - MOMENTS if stops else now)
    at = at if passed else standing.latest(at)
    if at == told.at:
        return command
    timed: Command = typed.evolve(told, at=at)
    return timed


class _Common(TypedDict):
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    grade: Grade


def _common(now: datetime, actor: Actor, grade: Grade, at: datetime | None = None) -> _Common:
    return {"occurred_at": now if at is None else at, "recorded_at": now, "actor": actor, "grade": grade}


_Written = TypeVar("_Written")


def _written(kind: type[_Written], source: object, **facts: Any) -> _Written:
    """
    Return an object of *kind* that says what *source* says, in every field that both have and that *facts* leaves out.
    """
    for name in _in_both((kind, type(source))):
        if name not in facts:
            facts[name] = getattr(source, name)
    return kind(**facts)


@cache
def _in_both(classes: tuple[type[Any], type[Any]]) -> frozenset[str]:
    first, second = (frozenset(attrs.fields_dict(cls)) for cls in classes)
    return first & second


def _kept(seq: int, **values: str) -> dict[str, str]:
    """
    Name the personal values of event *seq*, leaving out those that are empty.
    """
    return {f"{name}_{seq}": value for name, value in values.items() if value}


def _circumstances(seq: int, context: commands.Context) -> dict[str, str]:
    return _kept(seq, address=context.address, browser=context.browser)


def _attached(seq: int, attachments: Sequence[commands.Attachment]) -> dict[str, str]:
    kept = {}
    for number, attachment in enumerate(attachments, 1):
        content = b64encode(attachment.content).decode()
        document = {"name": attachment.name, "media_type": attachment.media_type, "content": content}
        kept[f"attachment_{seq}_{number}"] = canonical(document).decode()
    return kept


def _require_line(standing: Standing, channel: Channel, number: int) -> None:
    if standing.line_for(channel, number) is None:
        raise errors.MissingLineError(f"the contact has no line {number} that {channel} can reach")


def _new_lines(
    lines: Sequence[commands.NewLine], standing: Standing, common: _Common, through: int | None = None
) -> list[Event]:
    return [
        events.LineAdded(
            **common,
            line=number,
            kind=line.kind,
            subscriber=line.subscriber,
            through=through,
            personal={f"line_{number}": line.value},
        )
        for number, line in enumerate(lines, len(standing.lines) + 1)
    ]


def _add_contact(command: commands.AddContact, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if standing.version:
        raise errors.UsageError("the contact is on record already")
    common = _common(now, command.actor, Grade.D)
    added = events.ContactAdded(
        **common,
        subscriber=command.subscriber,
        language=command.language,
        anonymous=command.anonymous,
        personal=_kept(1, name=command.name),
    )
    return (added, *_new_lines(command.lines, standing, common))


def _change_details(command: commands.ChangeDetails, standing: Standing, now: datetime) -> tuple[Event, ...]:
    common = _common(now, command.actor, Grade.D)
    happened: list[Event] = []
    seq = standing.version + 1
    subscriber = command.subscriber if command.subscriber is not standing.subscriber else None
    if subscriber is not None and loosens(standing.subscriber, subscriber) and not command.how.strip():
        raise errors.UsageError(
            f"{subscriber} is protected less than {standing.subscriber}, which is on record: say how it is known"
        )
    changed = events.DetailsChanged(
        **common,
        subscriber=subscriber,
        language=command.language if command.language != standing.language else None,
        name=None if command.name is None else f"name_{seq}",
        personal={
            **({} if command.name is None else {f"name_{seq}": command.name}),
            **({} if subscriber is None else _kept(seq, how=command.how)),
        },
    )
    if changed.subscriber is not None or changed.language is not None or changed.name is not None:
        happened.append(changed)
    present = standing.present()
    for number in command.remove:
        if number not in present:
            raise errors.MissingLineError(f"the contact has no line {number}")
        happened.append(events.LineRemoved(**common, line=number))
    return (*happened, *_new_lines(command.add, standing, common, command.through))


def _ask_for_consent(command: commands.AskForConsent, standing: Standing, now: datetime) -> tuple[Event, ...]:
    _require_line(standing, command.via, command.line)
    if not command.choices:
        raise errors.UsageError("a question needs at least one channel and one purpose")
    for choice in command.choices:
        _require_line(standing, choice.channel, choice.line)
    if command.expires_at <= now:
        raise errors.UsageError("the question would expire before it is sent")
    personal = _kept(standing.version + 1, how=command.how, accept=command.accept)
    return (_written(events.ConsentRequested, command, **_common(now, Actor.STAFF, Grade.B), personal=personal),)


_Answering: TypeAlias = commands.AnswerQuestion | commands.ChangeChoices | commands.ConfirmAnswer | commands.UndoStop
_ANSWERING = get_args(_Answering)


def _answer(
    command: _Answering,
    standing: Standing,
    now: datetime,
    *,
    yes: Sequence[Choice],
    no: Sequence[Choice] = (),
    question: str | None = None,
    link: LinkKind | None,
    reply: str = "",
    own: bool = False,
    hold_until: datetime | None = None,
) -> tuple[Event, ...]:
    """
    Return the events of an answer through a link made for `command.line`, or by a reply from there.

    The answer proves something about that line only, and about none if it is unknown who was given the link. It lifts
    no stop on any other that was not shown to be theirs.

    Args:
        own: Whether it lifts a stop on any line, because it takes back what came through the same line.
        hold_until: The last instant at which a yes can be confirmed that does not count before; None if it counts now.
    """
    seq = standing.version + 1
    personal = _circumstances(seq, command.context)
    through: dict[str, Any] = {
        "question": question,
        "link": link,
        "code": command.code,
        "language": command.language,
    }
    happened: list[Event] = []
    if hold_until is not None and yes:
        by_person = _common(now, Actor.PERSON, Grade.B)
        happened.append(
            events.AnswerHeld(**by_person, **through, choices=tuple(yes), until=hold_until, personal=personal)
        )
        yes = ()
    act = Act.SAID_YES if link is None else Act.CHOSE_YES
    given = partial(events.ConsentGiven, act=act)
    reached = standing.reached(command.line)
    proved = command.line if isinstance(command, commands.AnswerQuestion) or command.handed_over else None
    lifting = [choice for choice in yes if own or choice.line in reached]
    elsewhere = [choice for choice in yes if choice not in lifting]
    answers: Sequence[tuple[Any, Sequence[Choice]]] = (
        (given, lifting),
        (partial(given, elsewhere=True), elsewhere),
        (events.ConsentRefused, no),
    )
    answers = [(kind, choices) for kind, choices in answers if choices]
    for grade in (Grade.A, Grade.B):
        for kind, choices in answers:
            graded = tuple([choice for choice in choices if (choice.line == proved) is (grade is Grade.A)])
            if graded:
                # Once for the whole answer: its slots carry the number of its first event.
                kept = {} if happened else {**personal, **_kept(seq, reply=reply)}
                by_person = _common(now, Actor.PERSON, grade)
                happened.append(kind(**by_person, **through, choices=graded, personal=kept))
    return tuple(_after_stops(event, standing) for event in happened)


def _after_stops(event: Event, standing: Standing) -> Event:
    """
    Return *event*, if it is a yes, with the stops in other records that were known when it was recorded.
    """
    if not isinstance(event, events.ConsentGiven):
        return event
    known = dict.fromkeys(
        stop.mark
        for stop in standing.stops
        for choice in event.choices
        if stop.seq is None
        and stop.mark
        and stop.covers(choice.channel, choice.purpose, choice.line, (stop.organisation or "",))
    )
    return typed.evolve(event, after=tuple(known)) if known else event


def _answer_question(command: commands.AnswerQuestion, standing: Standing, now: datetime) -> tuple[Event, ...]:
    question = standing.question(command.question)
    if question is None:
        raise errors.LinkInvalidError("the link belongs to no question of this contact")
    check_open(question, now)
    choices = {(choice.channel, choice.purpose): choice for choice in question.choices}
    if not command.answers:
        raise errors.AnswerError("no answer was chosen, and silence is not one: say yes or no")
    for key, answer in command.answers.items():
        if key not in choices:
            raise errors.AnswerError("the answer names a channel or a purpose that was not asked about")
        if not isinstance(answer, bool):
            raise errors.AnswerError("an answer is True or False")
    present = standing.present()
    answered = [(choices[key], answer) for key, answer in command.answers.items() if choices[key].line in present]
    if not answered:
        raise errors.LinkSupersededError("the address or number that was asked about is no longer on record")
    return _answer(
        command,
        standing,
        now,
        yes=[choice for choice, answer in answered if answer],
        no=_each_scope_once(
            [
                *(choice for choice, answer in answered if not answer),
                *(c for q in standing.questions if q.id in command.also for c in q.choices if c.line in present),
            ]
        ),
        question=question.id,
        link=None if command.reply else LinkKind.QUESTION,
        reply=command.reply,
        hold_until=question.expires_at if command.hold else None,
    )


def _each_scope_once(choices: Iterable[Choice]) -> list[Choice]:
    """
    Return the first of the choices that differ in nothing but their words.
    """
    found: dict[tuple[Channel, str, int], Choice] = {}
    for choice in choices:
        found.setdefault((choice.channel, choice.purpose, choice.line), choice)
    return list(found.values())


def check_open(question: Question, now: datetime) -> None:
    """
    Refuse a question that can no longer be answered. At `expires_at` itself it still can.

    Raises:
        LinkUsedError: It was answered.
        LinkSupersededError: Something else was decided about the same choices since.
        LinkExpiredError: Its time has passed.
    """
    match question.state:
        case QuestionState.ANSWERED:
            assert question.closed_at is not None
            raise errors.LinkUsedError("the question was answered already", answered_at=question.closed_at)
        case QuestionState.SUPERSEDED:
            raise errors.LinkSupersededError("a later question, answer or stop replaced this question")
        case QuestionState.OPEN:
            if now > question.expires_at:
                raise errors.LinkExpiredError(
                    "the time to answer the question has passed", expired_at=question.expires_at
                )
        case _:
            assert_never(question.state)


def _change_choices(command: commands.ChangeChoices, standing: Standing, now: datetime) -> tuple[Event, ...]:
    for choice in (*command.yes, *command.no):
        _require_line(standing, choice.channel, choice.line)
    yes = []
    for choice in command.yes:
        # A yes to other words is another yes, and one that someone else reported does not stand in for the person's.
        known = standing.consent(choice.channel, choice.purpose, choice.line, now)
        lifts = choice.line in standing.reached(command.line)
        if known is None or (lifts and not known.own) or known.wording != choice.wording:
            yes.append(choice)
    no = []
    for choice in command.no:
        stop = standing.stop(choice.channel, choice.purpose, choice.line, now)
        if stop is None or stop.at < now:
            no.append(choice)
    hold_until = end_of_day(now + HELD_FOR) if command.hold else None
    return _answer(command, standing, now, yes=yes, no=no, link=command.link, hold_until=hold_until)


def _confirm_answer(command: commands.ConfirmAnswer, standing: Standing, now: datetime) -> tuple[Event, ...]:
    waiting = [held for held in standing.held if held.code == command.code]
    if not waiting:
        return ()
    # The program that pressed the first button may press this one too, but it does so at once.
    if now < max(held.at for held in waiting) + READING_TIME:
        raise errors.TooSoonError("no person can read what there is to confirm in so short a time: confirm again")
    still = [held for held in waiting if now <= held.until]
    if not still:
        raise errors.LinkExpiredError("the time to confirm the answer has passed", expired_at=waiting[0].until)
    yes, first = [held.choice for held in still], still[0]
    return _answer(command, standing, now, yes=yes, question=first.question, link=first.link)


def _undo_stop(command: commands.UndoStop, standing: Standing, now: datetime) -> tuple[Event, ...]:
    again = []
    for choice in command.choices:
        stopped = standing.stopped_only_by(command.stop, choice.channel, choice.purpose, choice.line, now)
        if stopped and standing.line_for(choice.channel, choice.line) is not None:
            again.append(choice)
    hold_until = end_of_day(now + HELD_FOR) if command.hold else None
    return _answer(command, standing, now, yes=again, link=command.link, own=command.own, hold_until=hold_until)


def _prove_line(command: commands.ProveLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if not set(standing.present()).issuperset(command.replaces):
        raise errors.LinkSupersededError("the address this was to replace is no longer on record")
    by_person = _common(now, Actor.PERSON, Grade.A)
    if command.proves is not None:
        if command.proves not in standing.present():
            raise errors.LinkSupersededError("the address this was to prove is no longer on record")
        return (events.LineProved(**by_person, line=command.proves, through=command.through),)
    gone = [events.LineRemoved(**_common(now, Actor.PERSON, Grade.B), line=number) for number in command.replaces]
    return (*gone, *_new_lines([command.line], standing, by_person, command.through))


def _undo_line(command: commands.UndoLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    present = standing.present()
    if any(line.left for line in standing.lines if line.number in command.removed):
        return ()  # the person who reads there now is not known to be the contact
    back = [number for number in command.removed if number not in present]
    if command.added not in present and (command.added is not None or not back):
        return ()
    common = _common(now, Actor.PERSON, Grade.B)
    gone = () if command.added is None else (events.LineRemoved(**common, line=command.added),)
    return (*gone, *(events.LineReinstated(**common, line=number) for number in back))


def _complain(command: commands.Complain, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if not command.text.strip():
        raise errors.AnswerError("the complaint is empty: say what is wrong")
    if standing.complaint(command.complaint) is not None:
        return ()
    personal = _kept(standing.version + 1, text=command.text.strip(), how=command.how, name=command.name)
    grade = Grade.B if command.actor is Actor.PERSON else Grade.D
    common = _common(now, command.actor, grade, command.at)
    return (_written(events.ComplaintReceived, command, **common, personal=personal),)


def _answer_complaint(command: commands.AnswerComplaint, standing: Standing, now: datetime) -> tuple[Event, ...]:
    complaint = standing.complaint(command.complaint)
    if complaint is None:
        raise errors.UsageError("the contact made no such complaint")
    if not command.how.strip():
        raise errors.UsageError("say how the person was informed")
    common = _common(now, command.actor, Grade.D)
    # Nothing personal may come back after an erasure.
    kept = {} if standing.erased_at else _kept(standing.version + 1, how=command.how, outcome=command.outcome)
    if command.resolved:
        resolved = events.ComplaintResolved(**common, complaint=complaint.id, personal=kept)
        return () if complaint.resolved_at else (resolved,)
    if complaint.acknowledged_at is not None:
        return ()
    return (events.ComplaintAcknowledged(**common, complaint=complaint.id, personal=kept),)


def _decide_complaint(command: commands.DecideComplaint, standing: Standing, now: datetime) -> tuple[Event, ...]:
    complaint = standing.complaint(command.complaint)
    if complaint is None:
        raise errors.UsageError("the contact made no such complaint")
    if not command.outcome.strip():
        raise errors.UsageError("say what the outcome is: it is sent to the person")
    if complaint.resolved_at is not None or complaint.message:
        return ()
    kept = {} if standing.erased_at else _kept(standing.version + 1, outcome=command.outcome.strip())
    common = _common(now, command.actor, Grade.B)
    return (events.ComplaintDecided(**common, complaint=complaint.id, message=command.message, personal=kept),)


def _record_consent(command: commands.RecordConsent, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if not command.choices:
        raise errors.UsageError("a consent needs at least one channel and one purpose")
    for choice in command.choices:
        _require_line(standing, choice.channel, choice.line)
    if command.accept is not None and not command.accept.strip():
        raise errors.UsageError("say why the words are good although something was found in them")
    given = _written(events.ConsentGiven, command, **_common(now, command.actor, _grade(command), command.at))
    if not given.told_defects or command.unsound is commands.Unsound.REFUSE:
        _require_consent(command, given)
    parts = [part for read in _by_reading(command, given) for part in _beside_stops(read, standing, now)]
    # The documents go with what counts.
    parts.sort(key=lambda part: bool(part.defects))
    happened = _with_evidence(parts, command, standing.version + 1)
    return tuple(_after_stops(event, standing) for event in happened)


def _require_consent(command: commands.RecordConsent, given: events.ConsentGiven) -> None:
    """
    Refuse what is no consent as it was told. What is wrong with its words is never refused: they are what they are.
    """
    if not command.act.affirmative:
        raise errors.UsageError(f"{command.act} is not consent: only a clear affirmative act is")
    if given.told_defects:
        untold = () if command.manner is None else command.manner.untold
        missing = f" (not told: {', '.join(untold)})" if untold else ""
        raise errors.UsageError(f"this is not consent: {', '.join(given.told_defects)}{missing}")
    if not command.how.strip():
        raise errors.UsageError("say how the consent was given: a consent without evidence is worth nothing")


def _by_reading(command: commands.RecordConsent, given: events.ConsentGiven) -> list[events.ConsentGiven]:
    """
    Return *given* in one part for each way in which the words were read: each counts, or does not, as a whole.
    """
    readings: Sequence[events.Reading | None] = [
        typed.evolve(reading, accepted=command.accept is not None) for reading in command.readings
    ] or [None] * len(command.choices)
    alike: dict[events.Reading | None, list[Choice]] = {}
    for choice, reading in zip(command.choices, readings, strict=True):
        alike.setdefault(reading, []).append(choice)
    parts = [typed.evolve(given, choices=tuple(choices), reading=reading) for reading, choices in alike.items()]
    return [typed.evolve(part, grade=Grade.E) if part.defects else part for part in parts]


def _beside_stops(given: events.ConsentGiven, standing: Standing, now: datetime) -> tuple[events.ConsentGiven, ...]:
    """
    Return *given* in parts: apart and without effect, what others report a yes to that was stopped.

    Only the person lifts a stop. But what staff were handed is evidence of what happened, and is not thrown away. What
    another holder of the line stopped is theirs: it refuses the message, and leaves this person's yes as it is.
    """
    if given.grade is Grade.B or given.defects:
        return (given,)
    named = () if given.manner is None else given.manner.organisations or ()

    def is_stopped(choice: Choice) -> bool:
        stop = standing.stop(choice.channel, choice.purpose, choice.line, now, parties=named)
        return stop is not None and not stop.holder

    stopped = tuple(choice for choice in given.choices if is_stopped(choice))
    if not stopped:
        return (given,)
    kept = typed.evolve(given, choices=stopped, stopped_before=True)
    counts = tuple(choice for choice in given.choices if choice not in stopped)
    return (typed.evolve(given, choices=counts), kept) if counts else (kept,)


def _with_evidence(
    parts: Sequence[events.ConsentGiven], command: commands.RecordConsent, seq: int
) -> tuple[Event, ...]:
    """
    Give each part its evidence, and the documents to the first alone.
    """
    return tuple(
        typed.evolve(
            part,
            personal={
                **_kept(number, how=command.how, accept=command.accept or ""),
                **_circumstances(number, command.context),
                **(_attached(number, command.attachments) if number == seq else {}),
            },
        )
        for number, part in enumerate(parts, seq)
    )


def _grade(command: commands.RecordConsent) -> Grade:
    match command.actor:
        case Actor.PERSON:
            return Grade.B
        case Actor.STAFF:
            return Grade.C if command.attachments else Grade.D
        case Actor.PROVIDER:
            return Grade.D
        case Actor.SYSTEM:
            raise errors.UsageError("a consent is given by a person, not by a system")
        case _:
            assert_never(command.actor)


def _stop(command: commands.Stop, standing: Standing, now: datetime) -> tuple[Event, ...]:
    # A line that was removed can be stopped too: it may come back.
    if command.line is not None and command.line not in {line.number for line in standing.lines}:
        raise errors.MissingLineError(f"the contact never had a line {command.line}")
    seq = standing.version + 1
    kind = _stop_event(command)
    event = _written(
        kind,
        command,
        **_common(now, command.actor, Grade.D if command.actor is Actor.STAFF else Grade.B, command.at),
        personal={**_kept(seq, how=command.how), **_circumstances(seq, command.context)},
    )
    repeated = standing.stops and all(_stands(stop, standing) for stop in stops_of(event, seq))
    return () if repeated else (event,)


_Stopped: TypeAlias = events.ObjectionRaised | events.ConsentWithdrawn | events.MarkedDeceased | events.MarkedGoneAway


def _stop_event(command: commands.Stop) -> type[_Stopped]:
    match command.through:
        case Through.DECEASED:
            return events.MarkedDeceased
        case Through.GONE_AWAY:
            return events.MarkedGoneAway
        case _:
            return events.ObjectionRaised if command.objection else events.ConsentWithdrawn


def _object_for_domain(command: commands.ObjectForDomain, standing: Standing, now: datetime) -> tuple[Event, ...]:
    raised = _written(
        events.DomainObjectionRaised,
        command,
        **_common(now, command.actor, Grade.D if command.actor is Actor.STAFF else Grade.B, command.at),
        personal=_kept(standing.version + 1, domain=command.domain, how=command.how),
    )
    return (raised,)


def _stands(stop: StandingStop, standing: Standing) -> bool:
    """
    Whether a stop that is no earlier already does all that *stop* would.

    A stop that is repeated later is recorded again: an older yes that arrives late must not come between the two.
    """
    return any(
        known.organisation == stop.organisation
        and known.covers(stop.channel, stop.purpose, stop.line, (stop.organisation or "",))
        and known.objection >= stop.objection
        and known.at >= stop.at
        and stop.through in (None, known.through)
        for known in standing.stops
    )


def _record_soft_opt_in(
    command: commands.RecordSoftOptIn | commands.RecordCharitySoftOptIn, standing: Standing, now: datetime
) -> tuple[Event, ...]:
    _require_line(standing, command.channel, command.line)
    kind: type[events.SoftOptInRecorded | events.CharitySoftOptInRecorded] = events.SoftOptInRecorded
    if isinstance(command, commands.RecordCharitySoftOptIn):
        kind = events.CharitySoftOptInRecorded
    recorded = _written(
        kind,
        command,
        **_common(now, Actor.STAFF, Grade.D, command.at),
        personal=_kept(standing.version + 1, how=command.how),
        dated=command.at is not None,
    )
    return (recorded,)


def _record_outcome(command: commands.RecordOutcome, standing: Standing, now: datetime) -> tuple[Event, ...]:
    # Nothing personal may come back after an erasure, and a provider's reply often repeats the address.
    personal = {} if standing.erased_at else _kept(standing.version + 1, reply=command.reply)
    by_provider = _common(now, Actor.PROVIDER, Grade.B)
    match command.outcome:
        case Outcome.ACCEPTED:
            accepted = _written(events.MessageAccepted, command, **by_provider, personal=personal, **_codes(command))
            return (accepted, *_acknowledged(command, standing, now))
        case Outcome.REFUSED:
            refused = _written(events.MessageRefused, command, **by_provider, personal=personal)
            return (refused, *_consequences(command, command.fault, standing, now, now))
        case Outcome.IN_DOUBT:
            by_us = _common(now, Actor.SYSTEM, Grade.B)
            return (_written(events.MessageDoubted, command, **by_us, personal=personal),)
        case Outcome.RETRY_LATER:
            return ()
        case _:
            assert_never(command.outcome)


# The codes of SMTP that say that a message was accepted, and nothing else.
_NO_MORE: Final = frozenset({"250", "2.0.0"})


def _codes(command: commands.RecordOutcome) -> dict[str, str]:
    """
    Return the codes of an acceptance that say more than that.

    Source: RFC 5321 section 4.2.3, RFC 3463 section 3.1 (read 2026-11-29).
    """
    codes = {"status": command.status, "provider_code": command.provider_code}
    return {name: "" if code in _NO_MORE else code for name, code in codes.items()}


def _acknowledged(command: commands.RecordOutcome, standing: Standing, now: datetime) -> tuple[Event, ...]:
    complaint = standing.complaint(command.complaint or "")
    common = _common(now, Actor.SYSTEM, Grade.B)
    if complaint is not None and complaint.message == command.message:
        return (events.ComplaintResolved(**common, complaint=complaint.id, message=command.message),)
    if complaint is None or complaint.acknowledged_at is not None:
        return ()
    return (events.ComplaintAcknowledged(**common, complaint=complaint.id, message=command.message),)


_Report: TypeAlias = commands.RecordOutcome | commands.RecordDelivery

# From when on messages that were refused for good, with nothing delivered between, show that nobody is there: a server
# whose settings are wrong is put right within days.
_REFUSALS: Final = 3
_REFUSED_FOR: Final = timedelta(days=14)


def _consequences(
    command: _Report, fault: Fault | None, standing: Standing, at: datetime, now: datetime
) -> tuple[Event, ...]:
    """
    Return what follows for the line of a message that the provider did not deliver: nothing if it went to none.
    """
    if standing.erased_at is not None or not command.line:
        return ()
    if fault is Fault.ADDRESS or (fault is None and _refuses_for_good(command, standing, now)):
        status = command.status if isinstance(command, commands.RecordOutcome) else command.status_code
        return (_written(events.LineFailed, command, **_common(now, Actor.PROVIDER, Grade.B, at), status=status),)
    if fault is Fault.OPTED_OUT:
        return _stopped_through(command, Through.PROVIDER, standing, at, now)
    return ()


def _refuses_for_good(command: _Report, standing: Standing, now: datetime) -> bool:
    """
    Whether a line has refused everything for so long that nobody can be there.
    """
    if not command.permanent or not command.message:
        return False
    known = standing.refused(command.channel, command.line)
    return known is not None and known.count + 1 >= _REFUSALS and now - known.since >= _REFUSED_FOR


def _stopped_through(
    command: _Report, through: Through, standing: Standing, at: datetime, now: datetime
) -> tuple[Event, ...]:
    """
    Return the objection, to every kind of message on a line, that a provider reports.
    """
    channels = stopped_with(command.channel)
    shared = isinstance(command, commands.RecordDelivery) and command.shared
    stop = commands.Stop(
        objection=True,
        channels=channels,
        line=command.line,
        at=at,
        actor=Actor.PROVIDER,
        through=through,
        shared=shared,
    )
    return _stop(stop, standing, now)


def _record_delivery(command: commands.RecordDelivery, standing: Standing, now: datetime) -> tuple[Event, ...]:
    at = command.at
    facts: dict[str, Any] = {
        **_common(now, Actor.PROVIDER, Grade.B, at),
        "status": command.status_code,
        "personal": _kept(standing.version + 1, detail=command.detail),
    }
    undelivered = (_written(events.MessageUndelivered, command, **facts),) if command.message else ()
    match command.status:
        case DeliveryStatus.SENT | DeliveryStatus.DELAYED:
            return ()
        case DeliveryStatus.DELIVERED:
            return (_written(events.MessageDelivered, command, **facts),) if command.message else ()
        case DeliveryStatus.FAILED:
            return (*undelivered, *_consequences(command, None, standing, at, now))
        case DeliveryStatus.BOUNCED:
            return (*undelivered, *_consequences(command, Fault.ADDRESS, standing, at, now))
        case DeliveryStatus.COMPLAINED if not command.line:
            return ()  # the answer to a complaint, sent to an address that is on no record
        case DeliveryStatus.COMPLAINED:
            return _stopped_through(command, Through.COMPLAINT, standing, at, now)
        case DeliveryStatus.OPTED_OUT:
            return (*undelivered, *_consequences(command, Fault.OPTED_OUT, standing, at, now))
        case _:
            assert_never(command.status)


def _record_message(command: commands.RecordMessage, standing: Standing, now: datetime) -> tuple[Event, ...]:
    common = _common(now, Actor.PERSON, Grade.B, command.at)
    personal = _kept(standing.version + 1, text=command.text)
    return (_written(events.MessageReceived, command, **common, personal=personal),)


def _restore_line(command: commands.RestoreLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    _require_line(standing, command.channel, command.line)
    if standing.failure(command.channel, command.line) is None:
        return ()
    personal = _kept(standing.version + 1, how=command.how)
    return (_written(events.LineRestored, command, **_common(now, Actor.STAFF, Grade.D), personal=personal),)


def _leave_line(command: commands.LeaveLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if standing.line(command.line) is None:
        raise errors.MissingLineError(f"the contact never had a line {command.line}")
    if not command.how.strip():
        raise errors.UsageError("say how it is known that the contact no longer has this address or number")
    common = _common(now, command.actor, Grade.D, command.at)
    leaving = [line.number for line in standing.lines if line.number in (command.line, *command.also) and not line.left]
    return tuple(
        events.LineLeft(**common, line=number, personal=_kept(seq, how=command.how))
        for seq, number in enumerate(leaving, standing.version + 1)
    )
