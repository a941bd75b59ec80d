"""
The heart: what a command makes happen, and what follows from everything that happened.

`decide` is pure and may refuse. `evolve` is pure and may not: an event is a fact. Time, names and randomness come in as
arguments. A contact's *standing* is the fold of their events and holds no personal data, so that it may be stored as it
is and survives erasure unchanged.

What decides between a yes and a stop is when each occurred in the world, never the order in which they arrived. A stop
is lifted only by a later affirmative act of the person's own, for the one channel, purpose and line it names.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, TypedDict, TypeVar, assert_never

import attrs

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.errors import (
    AnswerError,
    LinkExpiredError,
    LinkInvalidError,
    LinkSupersededError,
    LinkUsedError,
    MissingLineError,
    StopStandsError,
    TooSoonError,
    UnknownContactError,
    UsageError,
)
from optly.messages import DeliveryStatus, Fault, Outcome
from optly.record.commands import (
    AddContact,
    AnswerComplaint,
    AnswerQuestion,
    AskForConsent,
    Attachment,
    ChangeChoices,
    ChangeDetails,
    Command,
    Complain,
    ConfirmAnswer,
    Context,
    EraseContact,
    NewLine,
    ProveLine,
    QueueMessage,
    RecordCharitySoftOptIn,
    RecordCommunication,
    RecordConsent,
    RecordDelivery,
    RecordMessage,
    RecordOutcome,
    RecordSoftOptIn,
    RequestService,
    RestoreLine,
    Stop,
    UndoLine,
    UndoStop,
    Unsound,
    WithholdMessage,
)
from optly.record.events import (
    Act,
    Actor,
    AnswerHeld,
    CharitySoftOptInRecorded,
    Choice,
    CommunicationMade,
    ComplaintAcknowledged,
    ComplaintReceived,
    ComplaintResolved,
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    ContactAdded,
    ContactErased,
    Defect,
    DetailsChanged,
    Engagement,
    Event,
    Grade,
    Happened,
    LineAdded,
    LineFailed,
    LineReinstated,
    LineRemoved,
    LineRestored,
    LinkKind,
    Manner,
    MessageAccepted,
    MessageDelivered,
    MessageDoubted,
    MessageQueued,
    MessageReceived,
    MessageRefused,
    MessageUndelivered,
    MessageWithheld,
    ObjectionRaised,
    ServiceRequested,
    SoftOptInRecorded,
    Through,
)

# How far a caller's clock may be ahead of ours before "this happened in the future" is taken for a mistake.
CLOCK_SKEW = timedelta(minutes=5)

# How long what was held can be confirmed, where its question sets no other time, and how long it takes a person at
# least to read what they are to confirm.
HELD_FOR = timedelta(days=30)
READING_TIME = timedelta(seconds=3)


# ---- standing


@attrs.frozen(kw_only=True)
class Line:
    """
    An address or number of the contact, by its number in the record. Its value is in the slot ``line_N``.

    Attributes:
        subscriber: Who holds this very line, where that is not as for the contact.
        proved: Whether its holder has shown that they read what is sent there, before it came on record.
    """

    number: int
    kind: AddressKind
    removed: bool = False
    subscriber: Subscriber | None = None
    proved: bool = False


@attrs.frozen(kw_only=True)
class StandingConsent:
    """
    The latest yes to one channel, purpose and line.

    Attributes:
        own: Whether it was the person's own act as seen by us or by a host that vouches for it. Only such a yes lifts
            a stop.
        seq: Number of the event.
        organisations: Keys of those it was given to, where that is not just the one on whose record it is.
        collected_by: Who collected it, if that was somebody else; empty otherwise.
        defects: Why it is none. Empty for every consent in `Standing.consents`.
    """

    channel: Channel
    purpose: str
    line: int
    wording: str
    at: datetime
    expires_at: datetime | None
    own: bool
    seq: int
    organisations: tuple[str, ...] | None = None
    collected_by: str = ""
    defects: tuple[Defect, ...] = ()

    def runs(self, at: datetime) -> bool:
        """
        Whether it had been given, and had not run out, at that instant.
        """
        return self.at <= at and (self.expires_at is None or at <= self.expires_at)


@attrs.frozen(kw_only=True)
class StandingStop:
    """
    The latest stop of one scope. None stands for all.

    Attributes:
        objection: Whether it was an objection rather than a refusal or a withdrawal.
        seq: Number of the event, or None for a suppression that is tied to the address alone.
    """

    channel: Channel | None
    purpose: str | None
    line: int | None
    at: datetime
    objection: bool
    seq: int | None

    @property
    def scope(self) -> tuple[Channel | None, str | None, int | None]:
        return self.channel, self.purpose, self.line

    def covers(self, channel: Channel | None, purpose: str | None, line: int | None) -> bool:
        """
        Whether everything in the scope that is given is stopped by this.
        """
        return self.channel in (None, channel) and self.purpose in (None, purpose) and self.line in (None, line)


@attrs.frozen(kw_only=True)
class StandingSoftOptIn:
    """
    Details collected in a sale, for one channel and line. Of several that are alike, the latest.
    """

    channel: Channel
    line: int
    obtained_by: str
    in_sale: bool
    similar_purposes: tuple[str, ...]
    refusal_offered: bool
    at: datetime
    seq: int
    refused: bool | None = False
    dated: bool = True


@attrs.frozen(kw_only=True)
class StandingCharitySoftOptIn:
    """
    Details collected by a charity, for one channel and line. Of several that are alike, the latest.
    """

    channel: Channel
    line: int
    obtained_by: str
    engagement: Engagement
    purpose_held: bool | None
    refusal_offered: bool | None
    at: datetime
    seq: int
    refused: bool | None
    dated: bool


@attrs.frozen(kw_only=True)
class StandingFailure:
    """
    A line that takes no messages on a channel, as far as is known.

    Attributes:
        seq: Number of the event.
        status, provider_code: The codes the provider gave for it, or empty.
    """

    channel: Channel
    line: int
    at: datetime
    seq: int
    status: str = ""
    provider_code: str = ""


@attrs.frozen(kw_only=True)
class HeldAnswer:
    """
    A yes to one thing that is to be confirmed before it counts.

    Attributes:
        question: The question it answers, or None.
        code: Mark of the link it came through. Only that can confirm it.
        until: The last instant at which it can.
    """

    choice: Choice
    question: str | None
    code: str
    link: LinkKind | None
    at: datetime
    until: datetime


@attrs.frozen(kw_only=True)
class Complaint:
    """
    A complaint, and whether it was dealt with.

    Attributes:
        id: Random name, 32 hexadecimal digits.
        at: When it came.
        acknowledge_by: The last instant at which to say that it came.
    """

    id: str
    at: datetime
    acknowledge_by: datetime
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None


class QuestionState(StrEnum):
    """
    Whether a question may still be answered. Expiry is not a state but a matter of the time.
    """

    OPEN = "open"
    ANSWERED = "answered"
    SUPERSEDED = "superseded"


@attrs.frozen(kw_only=True)
class Question:
    """
    A question that was put to the contact.

    Attributes:
        closed_at: When it was answered or superseded.
        solicited_at: When the person asked to be asked, if that is why it could be put.
        delivered_at: When its message arrived, as far as a provider told.
    """

    id: str
    via: Channel
    line: int
    choices: tuple[Choice, ...]
    language: str
    asked_at: datetime
    expires_at: datetime
    state: QuestionState = QuestionState.OPEN
    closed_at: datetime | None = None
    solicited_at: datetime | None = None
    delivered_at: datetime | None = None
    seq: int


@attrs.frozen(kw_only=True)
class Standing:
    """
    Everything that follows from a contact's events. Holds no personal data.

    Attributes:
        version: Number of the last event; 0 for somebody who is not on record.
        name: The slot the name is in, or None.
        lines: Every line there ever was, the removed ones marked.
        unsound: What somebody took for a consent and is none, so that a refusal can say why.
        contacted: Whether a message of the organisation's was taken over for them, or a call or letter made.
        failures: Lines that take no messages. The person's own act through one, a message that arrives there, or
            somebody who makes sure of it, takes it out again.
        held: What was said too soon to be surely a person's, and waits to be confirmed.
    """

    version: int = 0
    subscriber: Subscriber = Subscriber.UNKNOWN
    language: str = "en"
    name: str | None = None
    lines: tuple[Line, ...] = ()
    consents: tuple[StandingConsent, ...] = ()
    stops: tuple[StandingStop, ...] = ()
    unsound: tuple[StandingConsent, ...] = ()
    soft_opt_ins: tuple[StandingSoftOptIn, ...] = ()
    charity_soft_opt_ins: tuple[StandingCharitySoftOptIn, ...] = ()
    questions: tuple[Question, ...] = ()
    contacted: bool = False
    failures: tuple[StandingFailure, ...] = ()
    held: tuple[HeldAnswer, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    erased_at: datetime | None = None

    def present(self) -> tuple[int, ...]:
        """
        Return the numbers of the lines that are on record now.
        """
        return tuple(line.number for line in self.lines if not line.removed)

    def complaint(self, id: str) -> Complaint | None:
        """
        Return the complaint of that name, or None.
        """
        return next((complaint for complaint in self.complaints if complaint.id == id), None)

    def failure(self, channel: Channel, line: int | None) -> StandingFailure | None:
        """
        Return why a line takes no messages on *channel*, or None if nothing is known against it.
        """
        return next((known for known in self.failures if known.channel is channel and known.line == line), None)

    def line_for(self, channel: Channel, number: int | None = None) -> Line | None:
        """
        Return the line *channel* reaches: the one of that *number*, or the first that is of its kind.
        """
        for line in self.lines:
            if line.kind is channel.kind and not line.removed and number in (None, line.number):
                return line
        return None

    def subscriber_of(self, number: int | None) -> Subscriber:
        """
        Return what the law takes the holder of a line to be.
        """
        for line in self.lines:
            if line.number == number:
                return line.subscriber or self.subscriber
        return self.subscriber

    def question(self, id: str) -> Question | None:
        """
        Return the question of that name, or None.
        """
        return next((question for question in self.questions if question.id == id), None)

    def consent(self, channel: Channel, purpose: str, line: int, at: datetime) -> StandingConsent | None:
        """
        Return the yes that counts at an instant, or None. A stop that is not lifted leaves none.
        """
        return next(iter(self.running(channel, purpose, line, at)), None)

    def running(self, channel: Channel, purpose: str, line: int, at: datetime) -> list[StandingConsent]:
        """
        Return every yes that counts at an instant, the strongest first. A stop that is not lifted leaves none.

        There can be several, because one that somebody else collected counts beside one's own.
        """
        if self.stop(channel, purpose, line, at) is not None:
            return []
        running = [
            consent
            for consent in self.consents
            if consent.channel is channel
            and consent.purpose == purpose
            and consent.line == line
            and consent.runs(at)
            # A stop that was lifted still ends what came before it: what lifted it does not bring that back.
            and all(stop.at < consent.at for stop in self._covering(channel, purpose, line))
        ]
        running.sort(key=lambda consent: (consent.own, consent.at), reverse=True)
        return running

    def ending(self, at: datetime, before: datetime) -> tuple[StandingConsent, ...]:
        """
        Return the consents that count at an instant and run out before another, to be renewed by asking in time.
        """
        return tuple(
            consent
            for consent in self.consents
            if consent.expires_at is not None
            and consent.expires_at < before
            and consent in self.running(consent.channel, consent.purpose, consent.line, at)
        )

    def stop(self, channel: Channel, purpose: str, line: int, at: datetime) -> StandingStop | None:
        """
        Return the latest stop that covers this and is not lifted, or None.

        A stop counts whenever it occurred, even if its clock says that is still to come. At the same instant as a yes,
        the stop wins.
        """
        latest = max(self._covering(channel, purpose, line), key=lambda stop: stop.at, default=None)
        if latest is None:
            return None
        for consent in self.consents:
            if (
                consent.own
                and consent.at > latest.at
                and consent.channel is channel
                and consent.purpose == purpose
                and consent.line == line
                and consent.runs(at)
            ):
                return None
        return latest

    def stopped_only_by(self, seq: int, channel: Channel, purpose: str, line: int, at: datetime) -> bool:
        """
        Whether this is stopped at an instant by the event of that number, and by nothing that came since.
        """
        latest = self.stop(channel, purpose, line, at)
        if latest is None or latest.seq != seq:
            return False
        # What is tied to the address alone and is of the same instant is the mark that this very event left there.
        others = [stop for stop in self._covering(channel, purpose, line) if stop.seq not in (seq, None)]
        return all(stop.at < latest.at for stop in others)

    def _covering(self, channel: Channel, purpose: str, line: int) -> list[StandingStop]:
        return [stop for stop in self.stops if stop.covers(channel, purpose, line)]

    def with_stops(self, stops: Iterable[StandingStop]) -> Standing:
        """
        Return this standing with further stops, such as those that are tied to the address alone.
        """
        return attrs.evolve(self, stops=_merge_stops(self.stops, stops))


def restorable(before: Standing, standing: Standing, stop: int, at: datetime) -> tuple[Choice, ...]:
    """
    Return what would be allowed at an instant if the event of number *stop* had not stopped it, and nothing since.

    Only what was agreed to for this organisation itself. A permission that rests on something else is not given back by
    undoing a stop: an objection against it stays until the person agrees.

    Args:
        before: The standing before that event.
        standing: The standing now.
    """
    found = {}
    for consent in before.consents:
        if (
            standing.stopped_only_by(stop, consent.channel, consent.purpose, consent.line, at)
            and consent.organisations is None
            and not consent.collected_by
            and standing.line_for(consent.channel, consent.line) is not None
            and consent in before.running(consent.channel, consent.purpose, consent.line, at)
        ):
            found[consent.channel, consent.purpose, consent.line] = Choice(
                channel=consent.channel,
                purpose=consent.purpose,
                line=consent.line,
                wording=consent.wording,
                expires_at=consent.expires_at,
            )
    return tuple(found.values())


def fold(events: Iterable[Event], standing: Standing | None = None) -> Standing:
    """
    Apply *events* in order to *standing*, or to that of somebody who is not on record.
    """
    standing = Standing() if standing is None else standing
    for event in events:
        standing = evolve(standing, event)
    return standing


# ---- applying


def _merge_stops(stops: Sequence[StandingStop], new: Iterable[StandingStop]) -> tuple[StandingStop, ...]:
    latest = {stop.scope: stop for stop in stops}
    for stop in new:
        known = latest.get(stop.scope)
        if known is None or known.at < stop.at:
            latest[stop.scope] = stop
    return tuple(latest.values())


def _merge_consents(consents: Sequence[StandingConsent], new: Iterable[StandingConsent]) -> tuple[StandingConsent, ...]:
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
        if known is None or known.at < consent.at:
            latest[key(consent)] = consent
    return tuple(latest.values())


_SoftOptIn = TypeVar("_SoftOptIn", StandingSoftOptIn, StandingCharitySoftOptIn)


def _merge_soft_opt_ins(known: Sequence[_SoftOptIn], new: _SoftOptIn) -> tuple[_SoftOptIn, ...]:
    """
    Add *new*, unless one like it is as late. The others stay: one that lacks something takes nothing from another.
    """
    alike = [other for other in known if attrs.evolve(other, at=new.at, seq=new.seq) == new]
    if any(other.at >= new.at for other in alike):
        return tuple(known)
    kept = [other for other in known if other not in alike]
    kept.append(new)
    return tuple(kept)


def _close(
    questions: Sequence[Question], answered: str | None, touched: Iterable[StandingStop], at: datetime
) -> tuple[Question, ...]:
    """
    Close the question that was answered, and every open one about something that was decided elsewhere since.
    """
    scopes = list(touched)
    closed = []
    for question in questions:
        if question.state is QuestionState.OPEN:
            if question.id == answered:
                question = attrs.evolve(question, state=QuestionState.ANSWERED, closed_at=at)
            elif any(scope.covers(c.channel, c.purpose, c.line) for scope in scopes for c in question.choices):
                question = attrs.evolve(question, state=QuestionState.SUPERSEDED, closed_at=at)
        closed.append(question)
    return tuple(closed)


def _still_held(held: Sequence[HeldAnswer], touched: Iterable[StandingStop]) -> tuple[HeldAnswer, ...]:
    """
    Drop what was decided otherwise since.
    """
    scopes = list(touched)
    return tuple(
        one
        for one in held
        if not any(scope.covers(one.choice.channel, one.choice.purpose, one.choice.line) for scope in scopes)
    )


def _decided(standing: Standing, answered: str | None, touched: Sequence[StandingStop], at: datetime) -> dict[str, Any]:
    """
    Return what becomes of everything that was still undecided about the same things.
    """
    return {
        "questions": _close(standing.questions, answered, touched, at),
        "held": _still_held(standing.held, touched),
    }


def _reached(event: ConsentGiven | ConsentRefused) -> set[int]:
    """
    Return the lines that a message of ours has reached, because its link, or a reply from there, was used.
    """
    return {choice.line for choice in event.choices} if event.grade is Grade.A else set()


def _without_failures(
    failures: Sequence[StandingFailure],
    lines: set[int],
    channel: Channel | None = None,
    until: datetime | None = None,
) -> tuple[StandingFailure, ...]:
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


def _given_at(event: Happened) -> datetime:
    """
    Return when a permission was given: never later than when we heard of it, however far the clock that timed it was
    ahead. Otherwise a stop pressed straight after it would seem to come before it.
    """
    return min(event.occurred_at, event.recorded_at)


def _scope_of(choice: Choice, event: Happened, seq: int) -> StandingStop:
    return StandingStop(
        channel=choice.channel, purpose=choice.purpose, line=choice.line, at=event.occurred_at, objection=False, seq=seq
    )


def stops_of(event: Event, seq: int) -> tuple[StandingStop, ...]:
    """
    Return what *event* stops.
    """
    match event:
        case ConsentRefused():
            return tuple(_scope_of(choice, event, seq) for choice in event.choices)
        case ConsentWithdrawn() | ObjectionRaised():
            return tuple(
                StandingStop(
                    channel=channel,
                    purpose=purpose,
                    line=event.line,
                    at=event.occurred_at,
                    objection=isinstance(event, ObjectionRaised),
                    seq=seq,
                )
                for channel in event.channels or (None,)
                for purpose in event.purposes or (None,)
            )
        case SoftOptInRecorded() | CharitySoftOptInRecorded() if event.refused:
            return (
                StandingStop(
                    channel=event.channel,
                    purpose=None,
                    line=event.line,
                    at=event.occurred_at,
                    objection=False,
                    seq=seq,
                ),
            )
        case ContactErased():
            return (StandingStop(channel=None, purpose=None, line=None, at=event.occurred_at, objection=True, seq=seq),)
        case _:
            return ()


def evolve(standing: Standing, event: Event) -> Standing:
    """
    Return the standing after *event*. Never refuses.
    """
    seq = standing.version + 1
    stopped = stops_of(event, seq)
    match event:
        case ContactAdded():
            return attrs.evolve(
                standing,
                version=seq,
                subscriber=event.subscriber,
                language=event.language,
                name="name_1" if seq == 1 else None,
            )
        case DetailsChanged():
            return attrs.evolve(
                standing,
                version=seq,
                subscriber=event.subscriber or standing.subscriber,
                language=event.language or standing.language,
                name=event.name or standing.name,
            )
        case LineAdded():
            return attrs.evolve(
                standing,
                version=seq,
                lines=(
                    *standing.lines,
                    Line(
                        number=event.line,
                        kind=event.kind,
                        subscriber=event.subscriber,
                        proved=event.grade is Grade.A,
                    ),
                ),
            )
        case LineRemoved():
            return attrs.evolve(
                standing,
                version=seq,
                lines=_with_line(standing.lines, event.line, removed=True),
                held=tuple(one for one in standing.held if one.choice.line != event.line),
            )
        case LineReinstated():
            return attrs.evolve(standing, version=seq, lines=_with_line(standing.lines, event.line, removed=False))
        case ConsentRequested():
            question = Question(
                id=event.question,
                via=event.via,
                line=event.line,
                choices=event.choices,
                language=event.language,
                asked_at=event.occurred_at,
                expires_at=event.expires_at,
                solicited_at=event.solicited_at,
                seq=seq,
            )
            asked = [_scope_of(choice, event, seq) for choice in event.choices]
            return attrs.evolve(
                standing,
                version=seq,
                questions=(*_close(standing.questions, None, asked, event.recorded_at), question),
                held=_still_held(standing.held, asked),
            )
        case AnswerHeld():
            scopes = [_scope_of(choice, event, seq) for choice in event.choices]
            held = [
                HeldAnswer(
                    choice=choice,
                    question=event.question,
                    code=event.code,
                    link=event.link,
                    at=event.occurred_at,
                    until=event.until,
                )
                for choice in event.choices
            ]
            return attrs.evolve(
                standing,
                version=seq,
                questions=_close(standing.questions, event.question, (), event.recorded_at),
                held=(*_still_held(standing.held, scopes), *held),
            )
        case ConsentGiven():
            manner = Manner() if event.manner is None else event.manner
            own = (
                event.actor is Actor.PERSON
                and event.grade in (Grade.A, Grade.B)
                and manner.organisations is None
                and not manner.collected_by
            )
            given = [
                StandingConsent(
                    channel=choice.channel,
                    purpose=choice.purpose,
                    line=choice.line,
                    wording=choice.wording,
                    at=_given_at(event),
                    expires_at=choice.expires_at,
                    own=own,
                    seq=seq,
                    organisations=manner.organisations,
                    collected_by=manner.collected_by,
                    defects=event.defects,
                )
                for choice in event.choices
            ]
            if event.defects:
                return attrs.evolve(standing, version=seq, unsound=_merge_consents(standing.unsound, given))
            touched = [_scope_of(choice, event, seq) for choice in event.choices] if own else []
            return attrs.evolve(
                standing,
                version=seq,
                failures=_without_failures(standing.failures, _reached(event)),
                consents=_merge_consents(standing.consents, given),
                **_decided(standing, event.question, touched, event.recorded_at),
            )
        case ConsentRefused():
            return attrs.evolve(
                standing,
                version=seq,
                failures=_without_failures(standing.failures, _reached(event)),
                stops=_merge_stops(standing.stops, stopped),
                **_decided(standing, event.question, stopped, event.recorded_at),
            )
        case ConsentWithdrawn() | ObjectionRaised():
            return attrs.evolve(
                standing,
                version=seq,
                stops=_merge_stops(standing.stops, stopped),
                **_decided(standing, None, stopped, event.recorded_at),
            )
        case SoftOptInRecorded():
            in_sale = StandingSoftOptIn(
                channel=event.channel,
                line=event.line,
                obtained_by=event.obtained_by,
                in_sale=event.in_sale,
                similar_purposes=event.similar_purposes,
                refusal_offered=event.refusal_offered,
                refused=event.refused,
                dated=event.dated,
                at=_given_at(event),
                seq=seq,
            )
            return attrs.evolve(
                standing,
                version=seq,
                stops=_merge_stops(standing.stops, stopped),
                soft_opt_ins=_merge_soft_opt_ins(standing.soft_opt_ins, in_sale),
                **_decided(standing, None, stopped, event.recorded_at),
            )
        case CharitySoftOptInRecorded():
            by_charity = StandingCharitySoftOptIn(
                channel=event.channel,
                line=event.line,
                obtained_by=event.obtained_by,
                engagement=event.engagement,
                purpose_held=event.purpose_held,
                refusal_offered=event.refusal_offered,
                refused=event.refused,
                dated=event.dated,
                at=_given_at(event),
                seq=seq,
            )
            return attrs.evolve(
                standing,
                version=seq,
                stops=_merge_stops(standing.stops, stopped),
                charity_soft_opt_ins=_merge_soft_opt_ins(standing.charity_soft_opt_ins, by_charity),
                **_decided(standing, None, stopped, event.recorded_at),
            )
        case ContactErased():
            return attrs.evolve(
                standing,
                version=seq,
                name=None,
                lines=tuple(attrs.evolve(line, removed=True) for line in standing.lines),
                stops=_merge_stops(standing.stops, stopped),
                **_decided(standing, None, stopped, event.recorded_at),
                erased_at=event.occurred_at,
            )
        case CommunicationMade() | MessageAccepted():
            return attrs.evolve(standing, version=seq, contacted=True)
        case MessageDelivered():
            reached = _without_failures(standing.failures, {event.line}, event.channel, event.occurred_at)
            questions = tuple(
                attrs.evolve(question, delivered_at=event.occurred_at) if question.id == event.question else question
                for question in standing.questions
            )
            return attrs.evolve(standing, version=seq, contacted=True, failures=reached, questions=questions)
        case LineRestored():
            return attrs.evolve(
                standing, version=seq, failures=_without_failures(standing.failures, {event.line}, event.channel)
            )
        case LineFailed():
            failure = StandingFailure(
                channel=event.channel,
                line=event.line,
                at=event.occurred_at,
                seq=seq,
                status=event.status,
                provider_code=event.provider_code,
            )
            others = _without_failures(standing.failures, {event.line}, event.channel)
            return attrs.evolve(standing, version=seq, failures=(*others, failure))
        case ComplaintReceived():
            complaint = Complaint(id=event.complaint, at=event.occurred_at, acknowledge_by=event.acknowledge_by)
            return attrs.evolve(standing, version=seq, complaints=(*standing.complaints, complaint))
        case ComplaintAcknowledged() | ComplaintResolved():
            return attrs.evolve(
                standing,
                version=seq,
                complaints=tuple(
                    _dealt_with(known, event) if known.id == event.complaint else known for known in standing.complaints
                ),
            )
        case (
            MessageQueued()
            | ServiceRequested()
            | MessageRefused()
            | MessageDoubted()
            | MessageUndelivered()
            | MessageWithheld()
            | MessageReceived()
        ):
            return attrs.evolve(standing, version=seq)
        case _:
            assert_never(event)


def _with_line(lines: Sequence[Line], number: int, *, removed: bool) -> tuple[Line, ...]:
    return tuple(attrs.evolve(line, removed=removed) if line.number == number else line for line in lines)


def _dealt_with(complaint: Complaint, event: ComplaintAcknowledged | ComplaintResolved) -> Complaint:
    # Whoever was told what came of it was told that it came.
    acknowledged = complaint.acknowledged_at or event.occurred_at
    if isinstance(event, ComplaintResolved):
        return attrs.evolve(complaint, acknowledged_at=acknowledged, resolved_at=event.occurred_at)
    return attrs.evolve(complaint, acknowledged_at=acknowledged)


# ---- deciding


class _Common(TypedDict):
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    grade: Grade


def _common(now: datetime, actor: Actor, grade: Grade, at: datetime | None = None) -> _Common:
    if at is not None and at > now + CLOCK_SKEW:
        raise UsageError("the time given lies in the future: an event can only be recorded once it has happened")
    return {"occurred_at": now if at is None else at, "recorded_at": now, "actor": actor, "grade": grade}


def _kept(seq: int, **values: str) -> dict[str, str]:
    """
    Name the personal values of event *seq*, leaving out those that are empty.
    """
    return {f"{name}_{seq}": value for name, value in values.items() if value}


def _circumstances(seq: int, context: Context) -> dict[str, str]:
    return _kept(seq, address=context.address, browser=context.browser)


def _attached(seq: int, attachments: Sequence[Attachment]) -> dict[str, str]:
    from base64 import b64encode

    from optly.canonical import canonical

    return {
        f"attachment_{seq}_{number}": canonical(
            {
                "name": attachment.name,
                "media_type": attachment.media_type,
                "content": b64encode(attachment.content).decode(),
            }
        ).decode()
        for number, attachment in enumerate(attachments, 1)
    }


def decide(command: Command, standing: Standing, *, now: datetime) -> tuple[Event, ...]:
    """
    Return what *command* makes happen. Nothing, if it would change nothing: a second click is not an error.

    Args:
        now: The instant of deciding. Aware.

    Raises:
        UsageError: The command does not fit the contact.
        LinkError: The question cannot be answered any more, or not like this.
        StopStandsError: Somebody else than the person tries to lift a stop.
    """
    if isinstance(command, AddContact):
        return _add_contact(command, standing, now)
    if not standing.version or standing.erased_at is not None:
        if isinstance(command, EraseContact | Stop) and standing.version:
            return ()  # erased already, and erasure stopped everything
        if isinstance(command, RecordOutcome) and standing.version:
            return _outcome(command, standing, now)
        if isinstance(command, RecordDelivery | RecordMessage | WithholdMessage) and standing.version:
            return ()
        raise UnknownContactError("there is no such contact, or it was erased")
    match command:
        case ChangeDetails():
            return _change_details(command, standing, now)
        case AskForConsent():
            return _ask(command, standing, now)
        case QueueMessage():
            return (
                MessageQueued(
                    **_common(now, Actor.SYSTEM, Grade.B),
                    message=command.message,
                    channel=command.channel,
                    purpose=command.purpose,
                    line=command.line,
                    regulation=command.regulation,
                    reason=command.reason,
                    edition=command.edition,
                ),
            )
        case RecordCommunication():
            return (
                CommunicationMade(
                    **_common(now, Actor.STAFF, Grade.B),
                    communication=command.communication,
                    channel=command.channel,
                    purpose=command.purpose,
                    line=command.line,
                    regulation=command.regulation,
                    reason=command.reason,
                    edition=command.edition,
                    checks=command.checks,
                ),
            )
        case AnswerQuestion():
            return _answer(command, standing, now)
        case ChangeChoices():
            return _choose(command, standing, now)
        case ConfirmAnswer():
            return _confirm(command, standing, now)
        case UndoStop():
            return _undo_stop(command, standing, now)
        case ProveLine():
            return _prove_line(command, standing, now)
        case UndoLine():
            return _undo_line(command, standing, now)
        case RequestService():
            return (
                ServiceRequested(
                    **_common(now, Actor.PERSON, Grade.B),
                    service=command.service,
                    channel=command.channel,
                    line=command.line,
                    link=command.link,
                    code=command.code,
                ),
            )
        case Complain():
            return _complain(command, standing, now)
        case AnswerComplaint():
            return _answer_complaint(command, standing, now)
        case RecordConsent():
            return _record_consent(command, standing, now)
        case Stop():
            return _stop(command, standing, now)
        case RecordSoftOptIn():
            _require_line(standing, command.channel, command.line)
            return (
                SoftOptInRecorded(
                    **_common(now, Actor.STAFF, Grade.D, command.at),
                    personal=_kept(standing.version + 1, how=command.how),
                    channel=command.channel,
                    line=command.line,
                    obtained_by=command.obtained_by,
                    in_sale=command.in_sale,
                    goods=command.goods,
                    similar_purposes=command.similar_purposes,
                    refusal_offered=command.refusal_offered,
                    refused=command.refused,
                    dated=command.at is not None,
                ),
            )
        case RecordCharitySoftOptIn():
            _require_line(standing, command.channel, command.line)
            return (
                CharitySoftOptInRecorded(
                    **_common(now, Actor.STAFF, Grade.D, command.at),
                    personal=_kept(standing.version + 1, how=command.how),
                    channel=command.channel,
                    line=command.line,
                    obtained_by=command.obtained_by,
                    engagement=command.engagement,
                    purpose_held=command.purpose_held,
                    refusal_offered=command.refusal_offered,
                    refused=command.refused,
                    dated=command.at is not None,
                ),
            )
        case RecordOutcome():
            return _outcome(command, standing, now)
        case RecordDelivery():
            return _delivery(command, standing, now)
        case RecordMessage():
            return (
                MessageReceived(
                    **_common(now, Actor.PERSON, Grade.B, min(command.at, now)),
                    personal=_kept(standing.version + 1, text=command.text),
                    channel=command.channel,
                    line=command.line,
                    meaning=command.meaning,
                    backend=command.backend,
                ),
            )
        case RestoreLine():
            return _restore(command, standing, now)
        case WithholdMessage():
            return (
                MessageWithheld(
                    **_common(now, Actor.SYSTEM, Grade.B),
                    message=command.message,
                    channel=command.channel,
                    line=command.line,
                    question=command.question,
                    regulation=command.regulation,
                    reason=command.reason,
                    edition=command.edition,
                ),
            )
        case EraseContact():
            return (ContactErased(**_common(now, Actor.STAFF, Grade.B)),)
        case _:
            assert_never(command)


def _require_line(standing: Standing, channel: Channel, number: int) -> None:
    if standing.line_for(channel, number) is None:
        raise MissingLineError(f"the contact has no line {number} that {channel} can reach")


def _new_lines(lines: Sequence[NewLine], standing: Standing, common: _Common, actor: Actor) -> list[Event]:
    return [
        LineAdded(
            **common,
            line=number,
            kind=line.kind,
            subscriber=line.subscriber,
            personal={f"line_{number}": line.value},
        )
        for number, line in enumerate(lines, len(standing.lines) + 1)
    ]


def _add_contact(command: AddContact, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if standing.version:
        raise UsageError("the contact is on record already")
    common = _common(now, command.actor, Grade.D)
    added = ContactAdded(
        **common, subscriber=command.subscriber, language=command.language, personal=_kept(1, name=command.name)
    )
    return (added, *_new_lines(command.lines, standing, common, command.actor))


def _change_details(command: ChangeDetails, standing: Standing, now: datetime) -> tuple[Event, ...]:
    common = _common(now, command.actor, Grade.D)
    events: list[Event] = []
    seq = standing.version + 1
    changed = DetailsChanged(
        **common,
        subscriber=command.subscriber if command.subscriber is not standing.subscriber else None,
        language=command.language if command.language != standing.language else None,
        name=None if command.name is None else f"name_{seq}",
        personal={} if command.name is None else {f"name_{seq}": command.name},
    )
    if changed.subscriber is not None or changed.language is not None or changed.name is not None:
        events.append(changed)
    here = {line.number for line in standing.lines if not line.removed}
    for number in command.remove:
        if number not in here:
            raise MissingLineError(f"the contact has no line {number}")
        events.append(LineRemoved(**common, line=number))
    return (*events, *_new_lines(command.add, standing, common, command.actor))


def _ask(command: AskForConsent, standing: Standing, now: datetime) -> tuple[Event, ...]:
    _require_line(standing, command.via, command.line)
    if not command.choices:
        raise UsageError("a question needs at least one channel and one purpose")
    for choice in command.choices:
        _require_line(standing, choice.channel, choice.line)
    if command.expires_at <= now:
        raise UsageError("the question would have expired before it is asked")
    return (
        ConsentRequested(
            **_common(now, Actor.STAFF, Grade.B),
            personal=_kept(standing.version + 1, how=command.how),
            question=command.question,
            via=command.via,
            line=command.line,
            choices=command.choices,
            language=command.language,
            expires_at=command.expires_at,
            regulation=command.regulation,
            reason=command.reason,
            edition=command.edition,
            solicited_at=command.solicited_at,
            remind_at=command.remind_at,
        ),
    )


def _said(
    yes: Sequence[Choice],
    no: Sequence[Choice],
    *,
    question: str | None,
    link: LinkKind | None,
    line: int | None,
    code: str,
    context: Context,
    standing: Standing,
    now: datetime,
    reply: str = "",
    language: str = "",
    hold_until: datetime | None = None,
) -> tuple[Event, ...]:
    """
    Return the events of an answer through a link sent to *line*, or by a reply from there. Only about that line does it
    prove anything, and about none if nobody knows who was given the link.

    Args:
        hold_until: Until when a yes can be confirmed that does not count before that; None if it counts at once.
    """
    events: list[Event] = []
    if hold_until is not None and yes:
        held = AnswerHeld(
            **_common(now, Actor.PERSON, Grade.B),
            choices=tuple(yes),
            until=hold_until,
            question=question,
            link=link,
            code=code,
            language=language,
            personal=_circumstances(standing.version + 1, context),
        )
        events.append(held)
        yes = ()
    for grade in (Grade.A, Grade.B):
        for kind, choices in ((ConsentGiven, yes), (ConsentRefused, no)):
            graded = tuple(choice for choice in choices if (choice.line == line) is (grade is Grade.A))
            if not graded:
                continue
            shared: dict[str, Any] = {
                **_common(now, Actor.PERSON, grade),
                "choices": graded,
                "question": question,
                "link": link,
                "code": code,
                "language": language,
                "personal": {}
                if events
                else {
                    **_circumstances(standing.version + 1, context),
                    **_kept(standing.version + 1, reply=reply),
                },
            }
            act = Act.SAID_YES if link is None else Act.CHOSE_YES
            events.append(ConsentGiven(**shared, act=act) if kind is ConsentGiven else ConsentRefused(**shared))
    return tuple(events)


def _answer(command: AnswerQuestion, standing: Standing, now: datetime) -> tuple[Event, ...]:
    question = standing.question(command.question)
    if question is None:
        raise LinkInvalidError("the link belongs to no question of this contact")
    check_open(question, now)
    choices = {(choice.channel, choice.purpose): choice for choice in question.choices}
    if not command.answers:
        raise AnswerError("no answer was chosen, and silence is not one: say yes or no")
    for key, answer in command.answers.items():
        if key not in choices:
            raise AnswerError("the answer names a channel or a purpose that was not asked about")
        if not isinstance(answer, bool):
            raise AnswerError("an answer is True or False")
    gone = {line.number for line in standing.lines if line.removed}
    said = [(choices[key], answer) for key, answer in command.answers.items() if choices[key].line not in gone]
    if not said:
        raise LinkSupersededError("the address or number that was asked about is no longer on record")
    return _said(
        [choice for choice, answer in said if answer],
        [choice for choice, answer in said if not answer],
        question=question.id,
        link=None if command.reply else LinkKind.QUESTION,
        line=command.line,
        code=command.code,
        context=command.context,
        standing=standing,
        now=now,
        reply=command.reply,
        language=command.language,
        hold_until=question.expires_at if command.hold else None,
    )


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
            raise LinkUsedError("the question was answered already", answered_at=question.closed_at)
        case QuestionState.SUPERSEDED:
            raise LinkSupersededError("a later question, answer or stop took this question's place")
        case QuestionState.OPEN:
            if now > question.expires_at:
                raise LinkExpiredError("the question was to be answered earlier", expired_at=question.expires_at)
        case _:
            assert_never(question.state)


def _choose(command: ChangeChoices, standing: Standing, now: datetime) -> tuple[Event, ...]:
    for choice in (*command.yes, *command.no):
        _require_line(standing, choice.channel, choice.line)
    yes = []
    for choice in command.yes:
        known = standing.consent(choice.channel, choice.purpose, choice.line, now)
        if known is None or not known.own or known.wording != choice.wording:
            yes.append(choice)
    no = []
    for choice in command.no:
        stop = standing.stop(choice.channel, choice.purpose, choice.line, now)
        if stop is None or stop.at < now:
            no.append(choice)
    return _said(
        yes,
        no,
        question=None,
        link=command.link,
        line=command.line,
        code=command.code,
        context=command.context,
        standing=standing,
        now=now,
        language=command.language,
        hold_until=now + HELD_FOR if command.hold else None,
    )


def _confirm(command: ConfirmAnswer, standing: Standing, now: datetime) -> tuple[Event, ...]:
    waiting = [held for held in standing.held if held.code == command.code]
    if not waiting:
        return ()
    if now < max(held.at for held in waiting) + READING_TIME:
        raise TooSoonError("no person reads what there is to confirm in so short a time: confirm again")
    still = [held for held in waiting if now <= held.until]
    if not still:
        raise LinkExpiredError("what was held was to be confirmed earlier", expired_at=waiting[0].until)
    return _said(
        [held.choice for held in still],
        [],
        question=still[0].question,
        link=still[0].link,
        line=command.line,
        code=command.code,
        context=command.context,
        standing=standing,
        now=now,
        language=command.language,
    )


def _undo_stop(command: UndoStop, standing: Standing, now: datetime) -> tuple[Event, ...]:
    again = []
    for choice in command.choices:
        stopped = standing.stopped_only_by(command.stop, choice.channel, choice.purpose, choice.line, now)
        if stopped and standing.line_for(choice.channel, choice.line) is not None:
            again.append(choice)
    return _said(
        again,
        [],
        question=None,
        link=command.link,
        line=command.line,
        code=command.code,
        context=command.context,
        standing=standing,
        now=now,
        language=command.language,
        hold_until=now + HELD_FOR if command.hold else None,
    )


def _prove_line(command: ProveLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    present = set(standing.present())
    if not present.issuperset(command.replaces):
        raise LinkSupersededError("the address this was to replace is no longer on record")
    gone = [LineRemoved(**_common(now, Actor.PERSON, Grade.B), line=number) for number in command.replaces]
    return (*gone, *_new_lines([command.line], standing, _common(now, Actor.PERSON, Grade.A), Actor.PERSON))


def _undo_line(command: UndoLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    present = set(standing.present())
    back = [number for number in command.removed if number not in present]
    if command.added not in present and (command.added is not None or not back):
        return ()
    common = _common(now, Actor.PERSON, Grade.B)
    gone = () if command.added is None else (LineRemoved(**common, line=command.added),)
    return (*gone, *(LineReinstated(**common, line=number) for number in back))


def _complain(command: Complain, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if not command.text.strip():
        raise AnswerError("the complaint is empty: say what is wrong")
    if standing.complaint(command.complaint) is not None:
        return ()
    return (
        ComplaintReceived(
            **_common(now, Actor.PERSON, Grade.B),
            complaint=command.complaint,
            acknowledge_by=command.acknowledge_by,
            link=command.link,
            code=command.code,
            personal=_kept(standing.version + 1, text=command.text.strip()),
        ),
    )


def _answer_complaint(command: AnswerComplaint, standing: Standing, now: datetime) -> tuple[Event, ...]:
    complaint = standing.complaint(command.complaint)
    if complaint is None:
        raise UsageError("the contact made no such complaint")
    if not command.how.strip():
        raise UsageError("say how the person was told")
    common = _common(now, Actor.STAFF, Grade.D)
    kept = _kept(standing.version + 1, how=command.how)
    if command.resolved:
        return () if complaint.resolved_at else (ComplaintResolved(**common, complaint=complaint.id, personal=kept),)
    if complaint.acknowledged_at is not None:
        return ()
    return (ComplaintAcknowledged(**common, complaint=complaint.id, personal=kept),)


def _record_consent(command: RecordConsent, standing: Standing, now: datetime) -> tuple[Event, ...]:
    if not command.choices:
        raise UsageError("a consent needs at least one channel and one purpose")
    for choice in command.choices:
        _require_line(standing, choice.channel, choice.line)
    seq = standing.version + 1
    given = ConsentGiven(
        **_common(now, command.actor, _grade(command), command.at),
        choices=command.choices,
        act=command.act,
        manner=command.manner,
        personal={
            **_kept(seq, how=command.how),
            **_circumstances(seq, command.context),
            **_attached(seq, command.attachments),
        },
    )
    if given.defects and command.unsound is Unsound.KEEP:
        return (attrs.evolve(given, grade=Grade.E),)
    if not command.act.affirmative:
        raise UsageError(f"{command.act} is not consent: only a clear affirmative act is")
    if given.defects:
        raise UsageError(f"this is not consent: {', '.join(given.defects)}")
    if not command.how.strip():
        raise UsageError("say how the consent was given: a consent without evidence is worth nothing")
    for choice in command.choices:
        if given.grade is not Grade.B and standing.stop(choice.channel, choice.purpose, choice.line, now) is not None:
            raise StopStandsError("the person stopped this: only they can allow it again, on their MyOptly page")
    return (given,)


def _grade(command: RecordConsent) -> Grade:
    match command.actor:
        case Actor.PERSON:
            return Grade.B
        case Actor.STAFF:
            return Grade.C if command.attachments else Grade.D
        case Actor.PROVIDER:
            return Grade.D
        case Actor.SYSTEM:
            raise UsageError("a consent is given by a person, not by a system")
        case _:
            assert_never(command.actor)


def _stop(command: Stop, standing: Standing, now: datetime) -> tuple[Event, ...]:
    known_lines = {line.number for line in standing.lines}
    if command.line is not None and command.line not in known_lines:
        raise MissingLineError(f"the contact never had a line {command.line}")
    seq = standing.version + 1
    kind = ObjectionRaised if command.objection else ConsentWithdrawn
    event = kind(
        **_common(now, command.actor, Grade.D if command.actor is Actor.STAFF else Grade.B, command.at),
        channels=command.channels,
        purposes=command.purposes,
        line=command.line,
        link=command.link,
        code=command.code,
        through=command.through,
        personal={**_kept(seq, how=command.how), **_circumstances(seq, command.context)},
    )
    return () if all(_stands(stop, standing) for stop in stops_of(event, seq)) else (event,)


def _stands(stop: StandingStop, standing: Standing) -> bool:
    """
    Whether a stop that is no earlier already does all that *stop* would.

    A stop that is repeated later is recorded again: an older yes that is told late must not come between the two.
    """
    return any(
        known.covers(*stop.scope) and known.objection >= stop.objection and known.at >= stop.at
        for known in standing.stops
    )


def _outcome(command: RecordOutcome, standing: Standing, now: datetime) -> tuple[Event, ...]:
    seq = standing.version + 1
    shared: dict[str, Any] = {
        "message": command.message,
        "channel": command.channel,
        "line": command.line,
        "question": command.question,
        "backend": command.backend,
        "status": command.status,
        "code": command.code,
        "provider_id": command.provider_id,
        "provider_code": command.provider_code,
        "personal": {} if standing.erased_at else _kept(seq, reply=command.reply),
    }
    match command.outcome:
        case Outcome.ACCEPTED:
            accepted = MessageAccepted(**_common(now, Actor.PROVIDER, Grade.B), **shared)
            return (accepted, *_acknowledged(command, standing, now))
        case Outcome.REFUSED:
            refused = MessageRefused(**_common(now, Actor.PROVIDER, Grade.B), **shared)
            return (refused, *_consequences(command, command.fault, standing, now, now))
        case Outcome.IN_DOUBT:
            return (MessageDoubted(**_common(now, Actor.SYSTEM, Grade.B), **shared),)
        case Outcome.RETRY_LATER:
            return ()
        case _:
            assert_never(command.outcome)


def _acknowledged(command: RecordOutcome, standing: Standing, now: datetime) -> tuple[Event, ...]:
    complaint = standing.complaint(command.complaint or "")
    if complaint is None or complaint.acknowledged_at is not None:
        return ()
    common = _common(now, Actor.SYSTEM, Grade.B)
    return (ComplaintAcknowledged(**common, complaint=complaint.id, message=command.message),)


def _consequences(
    command: RecordOutcome | RecordDelivery, fault: Fault | None, standing: Standing, at: datetime, now: datetime
) -> tuple[Event, ...]:
    """
    Return what a message that was not taken means for its line.
    """
    if standing.erased_at is not None:
        return ()
    if fault is Fault.ADDRESS:
        status = command.status if isinstance(command, RecordOutcome) else command.status_code
        failed = LineFailed(
            **_common(now, Actor.PROVIDER, Grade.B, at),
            channel=command.channel,
            line=command.line,
            message=command.message,
            backend=command.backend,
            status=status,
            provider_code=command.provider_code,
        )
        return (failed,)
    if fault is Fault.OPTED_OUT:
        return _told_to_stop(command, Through.PROVIDER, standing, at, now)
    return ()


def _told_to_stop(
    command: RecordOutcome | RecordDelivery, through: Through, standing: Standing, at: datetime, now: datetime
) -> tuple[Event, ...]:
    """
    Return the objection to everything on a channel and line, of which a provider tells.
    """
    stop = Stop(
        objection=True, channels=(command.channel,), line=command.line, at=at, actor=Actor.PROVIDER, through=through
    )
    return _stop(stop, standing, now)


def _delivery(command: RecordDelivery, standing: Standing, now: datetime) -> tuple[Event, ...]:
    # A provider's clock that is ahead must not keep what it says from being recorded.
    at = min(command.at, now)
    seq = standing.version + 1
    shared: dict[str, Any] = {
        **_common(now, Actor.PROVIDER, Grade.B, at),
        "message": command.message,
        "channel": command.channel,
        "line": command.line,
        "question": command.question,
        "backend": command.backend,
        "status": command.status_code,
        "provider_code": command.provider_code,
        "personal": _kept(seq, detail=command.detail),
    }
    undelivered = (MessageUndelivered(**shared),) if command.message else ()
    match command.status:
        case DeliveryStatus.SENT | DeliveryStatus.DELAYED:
            return ()
        case DeliveryStatus.DELIVERED:
            return (MessageDelivered(**shared),) if command.message else ()
        case DeliveryStatus.FAILED:
            return undelivered
        case DeliveryStatus.BOUNCED:
            return (*undelivered, *_consequences(command, Fault.ADDRESS, standing, at, now))
        case DeliveryStatus.COMPLAINED:
            return _told_to_stop(command, Through.COMPLAINT, standing, at, now)
        case DeliveryStatus.OPTED_OUT:
            return (*undelivered, *_consequences(command, Fault.OPTED_OUT, standing, at, now))
        case _:
            assert_never(command.status)


def _restore(command: RestoreLine, standing: Standing, now: datetime) -> tuple[Event, ...]:
    _require_line(standing, command.channel, command.line)
    if standing.failure(command.channel, command.line) is None:
        return ()
    return (
        LineRestored(
            **_common(now, Actor.STAFF, Grade.D),
            channel=command.channel,
            line=command.line,
            personal=_kept(standing.version + 1, how=command.how),
        ),
    )
