"""
What follows from a contact's events: the values that make up their standing, and the questions it answers.

A standing is the fold of the events (:func:`optly.record.consent.fold`). It holds no personal data, so it can be stored
as it is and survives erasure unchanged. The names of its fields and their order are stored data.

When each occurred in the world decides between a yes and a stop, never the order in which they arrived.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from hashlib import sha256

import attrs

from optly import typed
from optly.contacts import AddressKind, Channel, Subscriber
from optly.contacts.parties import stricter
from optly.record.complaint_references import reference_of
from optly.record.events import Choice, Defect, Engagement, LinkKind, Through

# How far the clocks of two servers may be apart.
MOMENTS = timedelta(seconds=30)
# Within this time the same stop through the same link is one.
_ONE_STOP = timedelta(hours=1)


@attrs.frozen(kw_only=True)
class Line:
    """
    An address or number of the contact, by its number in the record.

    Attributes:
        subscriber: Who holds this line, where that differs from the contact.
        proved: Whether its holder showed that they read what is sent there before the line was added.
        left: Whether the contact has left it, so that someone else may have it now.
        through: The lines through which the person added or proved it.
        added: Number of the event that added it, or added it again; 0 if unknown.
    """

    number: int
    kind: AddressKind
    removed: bool = False
    subscriber: Subscriber | None = None
    proved: bool = False
    left: bool = False
    through: tuple[int, ...] = ()
    added: int = 0

    @property
    def slot(self) -> str:
        """
        The slot its value is in.
        """
        return f"line_{self.number}"


@attrs.frozen(kw_only=True)
class StandingConsent:
    """
    The latest yes to one channel, purpose and line.

    Attributes:
        own: Whether it was the person's own act, seen by us or by a host that vouches for it. Only such a yes lifts a
            stop.
        by_person: Whether it was such an act, to whichever organisations it names. It lifts a stop that names one.
        seq: Number of the event.
        organisations: Keys of the organisations it was given to, where that is not only the one that keeps this record.
        collected_by: Who collected it, if it was someone else; empty otherwise.
        defects: Why it is not a consent. Empty for every consent in `Standing.consents`.
        after: The marks of the stops in other records that were known when it was recorded.
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
    by_person: bool = False
    after: tuple[str, ...] = ()

    def runs(self, at: datetime) -> bool:
        """
        Whether it had been given and had not expired at that instant. `expires_at` is inclusive.
        """
        return self.at <= at and (self.expires_at is None or at <= self.expires_at)

    def follows(self, stop: StandingStop) -> bool:
        """
        Whether this yes came after a stop. A stop in another record that was made as it was recorded has to have been
        known: no time tells which of two records came first.
        """
        return self.at > stop.until and (stop.seq is not None or not stop.mark or stop.mark in self.after)


# An objection moves with the person, and a gone-away mark does not; and after these nobody is written to about a stop.
_LASTING = frozenset({Through.COMPLAINT, Through.NEVER, Through.DECEASED, Through.GONE_AWAY})


@attrs.frozen(kw_only=True)
class StandingStop:
    """
    The latest stop of one scope. None means all.

    Attributes:
        objection: Whether it was an objection rather than a refusal or a withdrawal.
        seq: Number of the event, or None for a stop that is in no event of this contact: a suppression tied to the
            address alone, or one of another holder.
        holder: Id of the contact whose stop it is, if that is another holder of the line; empty otherwise.
        organisation: Key of the organisation it was made to: it covers what that one sends, calls or instigates. None
            for the organisation that keeps this record, which it stops from sending or calling for anyone.
        through: How it reached us, or what kind of stop it is; None for neither.
        link: The kind of the link it came through, or None.
        code: The mark of that link; empty if it has none.
        told: Whether it was recorded later than it was made, and has the time that was told.
        mark: Names a stop in another record that was made as it was recorded; empty for any other.
        first: Number of the event that stopped this first, if the same button was pressed again within an hour and the
            person agreed to nothing in between; None if this is the first.
        since: When that was; None if this is the first.
    """

    channel: Channel | None
    purpose: str | None
    line: int | None
    at: datetime
    objection: bool
    seq: int | None
    holder: str = ""
    organisation: str | None = None
    through: Through | None = None
    link: LinkKind | None = None
    code: str = ""
    told: bool = False
    mark: str = ""
    first: int | None = None
    since: datetime | None = None

    def repeats(self, seq: int | None) -> bool:
        """
        Whether this is the stop of the event with that number, pressed once or again.
        """
        return seq is not None and seq in (self.seq, self.first)

    @property
    def until(self) -> datetime:
        """
        The last instant at which a yes does not come after the stop. One that is in no event of this contact was timed
        by a clock of its own: within moments of it, no time tells what came first.
        """
        return self.at + MOMENTS if self.seq is None else self.at

    @property
    def moves(self) -> bool:
        """
        Whether the stop stays with the person when the line it was made on is replaced. That an address no longer
        reaches them is no reason not to write to another.
        """
        return self.through is not Through.GONE_AWAY

    @property
    def for_all(self) -> bool:
        """
        Whether it stops a line for its other holders too: an objection does, and no fact about one person.
        """
        return self.objection and (self.through is None or self.through.objection)

    @property
    def kept_as(self) -> Through | None:
        """
        The kind of stop, where it means more than that something is stopped.
        """
        return self.through if self.through in _LASTING else None

    @property
    def scope(self) -> tuple[Channel | None, str | None, int | None, str | None]:
        return self.channel, self.purpose, self.line, self.organisation

    @property
    def name(self) -> tuple[object, ...]:
        """
        What tells it from the others: of each name the latest counts. What other records hold is each by itself.
        """
        return self.scope, self.objection, self.kept_as, None if self.seq is not None else self.mark

    def covers(
        self, channel: Channel | None, purpose: str | None, line: int | None, parties: Collection[str] = ()
    ) -> bool:
        """
        Whether this stops everything in the given scope.

        Args:
            parties: Keys of the organisations that send or instigate it. Without them, a stop that names an
                organisation covers nothing.
        """
        return (
            self.channel in (None, channel)
            and self.purpose in (None, purpose)
            and self.line in (None, line)
            and (self.organisation is None or self.organisation in parties)
        )


@attrs.frozen(kw_only=True)
class StandingSoftOptIn:
    """
    Details collected in a sale, for one channel and line: the latest of those that are alike.
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
    Details collected by a charity, for one channel and line: the latest of those that are alike.
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
    A line that is believed to receive no messages on a channel.

    Attributes:
        seq: Number of the event.
        status, provider_code: The provider's codes for the failure, or empty.
    """

    channel: Channel
    line: int
    at: datetime
    seq: int
    status: str = ""
    provider_code: str = ""


@attrs.frozen(kw_only=True)
class StandingRefusals:
    """
    Messages that a line has refused for good since it last worked, with no cause named but the address.

    Attributes:
        since, at: When the first and the last of them were recorded.
        count: How many there were.
    """

    channel: Channel
    line: int
    since: datetime
    at: datetime
    count: int = 1


@attrs.frozen(kw_only=True)
class StandingUse:
    """
    The latest marketing for one channel, purpose and line.
    """

    channel: Channel
    purpose: str
    line: int
    at: datetime


@attrs.frozen(kw_only=True)
class PendingUse:
    """
    Marketing that was queued, and is not known to have left: the latest on one channel and line for these purposes.

    Attributes:
        id: Id of the message, or of the question that it asks.
    """

    id: str
    channel: Channel
    purposes: tuple[str, ...]
    line: int


@attrs.frozen(kw_only=True)
class AnsweredWish:
    """
    A wish of the person's for a message or a call, which they got.

    Attributes:
        asked_at: When they asked. With the line, this tells one wish from another.
    """

    line: int
    asked_at: datetime


@attrs.frozen(kw_only=True)
class HeldAnswer:
    """
    A yes to one choice that does not count until it is confirmed.

    Attributes:
        question: The question it answers, or None.
        code: Mark of the link it came through. Only that link can confirm it.
        until: The last instant at which it can be confirmed.
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
    A complaint, and whether it has been acknowledged and resolved.

    Attributes:
        id: Random name, 32 hexadecimal digits.
        at: When it was received.
        acknowledge_by: The last instant at which to acknowledge it.
        resolved_at: When the person was informed of the outcome.
        decided_at: When its outcome was last decided and queued to be sent.
        message: The message with the outcome, while it is queued, being sent or in doubt; otherwise empty.
    """

    id: str
    at: datetime
    acknowledge_by: datetime
    acknowledged_at: datetime | None = None
    resolved_at: datetime | None = None
    decided_at: datetime | None = None
    message: str = ""

    @property
    def reference(self) -> str:
        """
        What people read out, such as ``CMP-7K4D-2M``.
        """
        return reference_of(self.id)


class QuestionState(StrEnum):
    """
    Whether a question may still be answered. Expiry is not a state: it depends on the time.
    """

    OPEN = "open"
    ANSWERED = "answered"
    SUPERSEDED = "superseded"


@attrs.frozen(kw_only=True)
class Question:
    """
    A question the contact was asked.

    Attributes:
        closed_at: When it was answered or superseded.
        solicited_at: When the person asked for the question, if that is why it was allowed.
        delivered_at: When its message arrived, if a provider reported that.
        unproved: Whether it was asked because somebody typed the address into a form, who may be anyone.
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
    unproved: bool = False


@attrs.frozen(kw_only=True)
class Standing:
    """
    Everything that follows from a contact's events. Holds no personal data.

    Attributes:
        version: Number of the last event; 0 if the contact is not on record.
        name: The slot the name is in, or None.
        anonymous: Whether the contact stands for anyone who has its one address, because nothing else is known of them.
        lines: Every line there has ever been; those removed are marked.
        unsound: What was recorded as consent but is not, so that a refusal can say why.
        uses: The latest marketing for each channel, purpose and line: a message that a provider accepted, or one or a
            call that the organisation made itself. Service messages are not among them.
        pending: Marketing on its way to be one of those.
        links_since: Number of the event that revoked the signed links made before it; 0 if none did.
        answered: The wishes for a message or a call that were granted.
        failures: Lines that receive no messages. A line leaves the list when the person acts through it, when a message
            arrives there, or when staff confirm that it works.
        refusals: Lines that may receive none. A line leaves that list likewise.
        held: Answers given so soon that a program may have given them. They wait to be confirmed.
        recorded_at: When the latest of the events that ask, permit or stop was recorded, or None. It never goes back,
            whatever clocks do.
        unreadable: Number of the first event that this version cannot read, or None; 0 if the record as a whole was
            altered. Nothing is allowed to the contact then, who can only be stopped and erased.
    """

    version: int = 0
    subscriber: Subscriber = Subscriber.UNKNOWN
    language: str = "en"
    name: str | None = None
    anonymous: bool = False
    lines: tuple[Line, ...] = ()
    consents: tuple[StandingConsent, ...] = ()
    stops: tuple[StandingStop, ...] = ()
    unsound: tuple[StandingConsent, ...] = ()
    soft_opt_ins: tuple[StandingSoftOptIn, ...] = ()
    charity_soft_opt_ins: tuple[StandingCharitySoftOptIn, ...] = ()
    questions: tuple[Question, ...] = ()
    uses: tuple[StandingUse, ...] = ()
    pending: tuple[PendingUse, ...] = ()
    links_since: int = 0
    answered: tuple[AnsweredWish, ...] = ()
    failures: tuple[StandingFailure, ...] = ()
    refusals: tuple[StandingRefusals, ...] = ()
    held: tuple[HeldAnswer, ...] = ()
    complaints: tuple[Complaint, ...] = ()
    erased_at: datetime | None = None
    recorded_at: datetime | None = None
    unreadable: int | None = None

    def unread(self, line: int | None) -> int | None:
        """
        Return the number of an event without which nobody can say what may be sent to a line, or None: it cannot be
        read. 0 for one of somebody else who has the line.
        """
        return self.unreadable

    def latest(self, now: datetime) -> datetime:
        """
        Return the time of the contact: *now*, or `recorded_at` if the clock that timed that is ahead.

        What happens now comes after every yes and stop on record, whatever the clocks of two servers say.
        """
        return now if self.recorded_at is None else max(now, self.recorded_at)

    def line(self, number: int) -> Line | None:
        """
        Return the line with that number, also if it was removed, or None. Lines are numbered from 1 without a gap.
        """
        return self.lines[number - 1] if 0 < number <= len(self.lines) else None

    def has(self, number: int) -> bool:
        """
        Return whether the line with that number is on record now. One that may be in what cannot be read is.
        """
        line = self.line(number)
        return self.unreadable is not None if line is None else not line.removed

    def present(self) -> tuple[int, ...]:
        """
        Return the numbers of the lines that are on record now.
        """
        return tuple(line.number for line in self.lines if not line.removed)

    def is_only_line(self, number: int) -> bool:
        """
        Return whether there has never been another line of the kind of the one with that number.
        """
        kinds = [line.kind for line in self.lines]
        return self.unreadable is None and 0 < number <= len(kinds) and kinds.count(kinds[number - 1]) == 1

    def is_all(self, number: int) -> bool:
        """
        Return whether there has never been another line than the one with that number, of whatever kind.
        """
        return self.unreadable is None and [line.number for line in self.lines] == [number]

    def reached(self, line: int | None) -> frozenset[int]:
        """
        Return the lines that someone who reads a line has shown to be theirs: itself, and those that were added or
        proved through it, or through one of these.
        """
        found: set[int] = set() if line is None else {line}
        while more := {other.number for other in self.lines if found.intersection(other.through)} - found:
            found |= more
        return frozenset(found)

    def complaint(self, id: str) -> Complaint | None:
        """
        Return the complaint with that id, or None.
        """
        return next((complaint for complaint in self.complaints if complaint.id == id), None)

    def failure(self, channel: Channel, line: int | None) -> StandingFailure | None:
        """
        Return why a line receives no messages on *channel*, or None if it is not known to fail.
        """
        return next((known for known in self.failures if known.channel is channel and known.line == line), None)

    def refused(self, channel: Channel, line: int) -> StandingRefusals | None:
        """
        Return what a line has refused on *channel* since it last worked, or None.
        """
        return next((known for known in self.refusals if known.channel is channel and known.line == line), None)

    def line_for(self, channel: Channel, number: int | None = None) -> Line | None:
        """
        Return the line that *channel* reaches: the one with that *number*, or the first of its kind.
        """
        for line in self.lines:
            if line.kind is channel.kind and not line.removed and number in (None, line.number):
                return line
        return None

    def meant(self, kind: AddressKind, through: int) -> int | None:
        """
        Return which of the lines of a kind someone means who came through a line: that line, the first of those that
        they have shown to be theirs, or else the only one there is. None if nobody can tell.
        """
        lines = [line.number for line in self.lines if line.kind is kind and not line.removed]
        reached = [number for number in lines if number in self.reached(through)]
        if through in lines:
            return through
        return next(iter(reached), lines[0] if len(lines) == 1 else None)

    def subscriber_of(self, number: int | None) -> Subscriber:
        """
        Return what the law treats the holder of a line as.
        """
        line = None if number is None else self.line(number)
        return self.subscriber if line is None else line.subscriber or self.subscriber

    def question(self, id: str) -> Question | None:
        """
        Return the question with that id, or None.
        """
        return next((question for question in self.questions if question.id == id), None)

    def consent(self, channel: Channel, purpose: str, line: int, at: datetime) -> StandingConsent | None:
        """
        Return the strongest yes that counts at an instant, or None. A stop that has not been lifted leaves none.
        """
        return next(iter(self.running(channel, purpose, line, at)), None)

    def used(self, consent: StandingConsent) -> datetime | None:
        """
        Return when there was last marketing on the channel, for the purpose and to the line of a consent, since it was
        given; None if never.
        """
        for use in self.uses:
            if (use.channel, use.purpose, use.line) == (consent.channel, consent.purpose, consent.line):
                return use.at if use.at >= consent.at else None
        return None

    def running(
        self, channel: Channel, purpose: str, line: int, at: datetime, *, parties: Collection[str] = ()
    ) -> list[StandingConsent]:
        """
        Return every yes that counts at an instant, the strongest first. A stop that has not been lifted leaves none.

        There can be several, because a yes that someone else collected counts beside the person's own. Ask about
        `latest` of a clock, which may be behind the record.

        Args:
            parties: As for `stop`.
        """
        covering = self._covering(channel, purpose, line, parties)
        if covering and self._unlifted(covering, channel, purpose, line, at) is not None:
            return []
        running = [
            consent
            for consent in self.consents
            if consent.channel is channel
            and consent.purpose == purpose
            and consent.line == line
            and consent.runs(at)
            # A stop that was lifted still ends every yes before it: the yes that lifted it revives none of them.
            and all(consent.follows(stop) for stop in covering)
        ]
        if len(running) > 1:
            running.sort(key=lambda consent: (consent.own, consent.at), reverse=True)
        return running

    def ending(self, at: datetime, before: datetime) -> tuple[StandingConsent, ...]:
        """
        Return the consents that count at an instant and expire before another, so that they can be renewed in time.
        """
        return tuple(
            consent
            for consent in self.consents
            if consent.expires_at is not None
            and consent.expires_at < before
            and consent.runs(at)
            and consent in self.running(consent.channel, consent.purpose, consent.line, at)
        )

    def stop(
        self, channel: Channel, purpose: str, line: int, at: datetime, *, parties: Collection[str] = ()
    ) -> StandingStop | None:
        """
        Return the latest stop that covers this and has not been lifted, or None.

        A stop counts even if its clock puts it in the future. At the same instant as a yes, the stop wins.

        Args:
            parties: Keys of the organisations that send or instigate it: stops that name one of them count too.
        """
        covering = self._covering(channel, purpose, line, parties)
        return self._unlifted(covering, channel, purpose, line, at) if covering else None

    def objection(
        self, channel: Channel, purpose: str, line: int, at: datetime, *, parties: Collection[str] = ()
    ) -> StandingStop | None:
        """
        Return the latest objection for all holders that covers this and has not been lifted, or None. A withdrawal may
        have come after.
        """
        covering = [stop for stop in self._covering(channel, purpose, line, parties) if stop.for_all]
        return self._unlifted(covering, channel, purpose, line, at) if covering else None

    def _unlifted(
        self, covering: Sequence[StandingStop], channel: Channel, purpose: str, line: int, at: datetime
    ) -> StandingStop | None:
        for consent in self.consents:
            if consent.channel is channel and consent.purpose == purpose and consent.line == line and consent.runs(at):
                covering = [stop for stop in covering if not _lifts(consent, stop)]
        return max(covering, key=_instant, default=None)

    def stopped_only_by(self, seq: int, channel: Channel, purpose: str, line: int, at: datetime) -> bool:
        """
        Whether the event with that number, and nothing since but its repeats, stops this at an instant.
        """
        latest = self.stop(channel, purpose, line, at)
        if latest is None or not latest.repeats(seq):
            return False
        covering = self._covering(channel, purpose, line)
        others = [stop for stop in covering if stop.seq is not None and stop.seq != latest.seq]
        if any(stop.at >= (latest.since or latest.at) for stop in others):
            return False
        # What other records stop is ordered by no time: it must have been lifted.
        elsewhere = [stop for stop in covering if stop.seq is None]
        return self._unlifted(elsewhere, channel, purpose, line, at) is None

    def first_press(self, seq: int) -> int:
        """
        Return the number of the event that first stopped what the event with that number stopped again, or that number.
        """
        return next((stop.first for stop in self.stops if stop.seq == seq and stop.first is not None), seq)

    def as_repeat(self, stop: StandingStop) -> StandingStop:
        """
        Return a new stop as a repeat, if the same button was pressed within an hour before and the person has agreed to
        nothing since. A page that is loaded again presses it, and so does a mail program that tries once more.
        """
        for known in self.stops:
            same = (known.name, known.link, known.code) == (stop.name, stop.link, stop.code)
            if same and stop.link is not None and known.seq is not None and stop.at - known.at <= _ONE_STOP:
                if any(consent.seq > known.seq for consent in self.consents):
                    break
                return typed.evolve(stop, first=known.first or known.seq, since=known.since or known.at)
        return stop

    def _covering(self, channel: Channel, purpose: str, line: int, parties: Collection[str] = ()) -> list[StandingStop]:
        return [stop for stop in self.stops if stop.covers(channel, purpose, line, parties)] if self.stops else []

    def with_stops(self, stops: Iterable[StandingStop]) -> Standing:
        """
        Return this standing with further stops, such as those tied to the address alone.
        """
        merged = merge_stops(self.stops, stops)
        return self if merged == self.stops else typed.evolve(self, stops=merged)


def _instant(stop: StandingStop) -> datetime:
    return stop.at


def _lifts(consent: StandingConsent, stop: StandingStop) -> bool:
    """
    Whether a later yes of the person's own is given to the organisation that the stop was made to.
    """
    if not consent.follows(stop):
        return False
    if stop.organisation is None:
        return consent.own
    return consent.by_person and stop.organisation in (consent.organisations or ())


@attrs.frozen
class CoHolder:
    """
    Another contact who has a line, or had it and has not left it.

    Attributes:
        contact: Id of that contact.
        line: Number of the line in the record of the contact who shares it.
        number: Its number in the other's record.
    """

    contact: str
    line: int
    number: int
    standing: Standing

    @property
    def present(self) -> bool:
        """
        Whether they have the line now.
        """
        return self.standing.has(self.number)


@attrs.frozen(kw_only=True)
class SharedStanding(Standing):
    """
    The standing of a contact who shares lines with others.

    An objection by one holder stops a line for all of them, and only that holder lifts it. A withdrawal ends only the
    holder's own consent. Of what the holders are as subscribers, the stricter counts.

    A holder of whom only the address is known may be anyone who has it: one who proves to read there lifts what they
    stopped, for themselves.
    """

    others: tuple[CoHolder, ...] = ()

    def unread(self, line: int | None) -> int | None:
        own = super().unread(line)
        theirs = any(other.line == line and other.standing.unreadable is not None for other in self.others)
        return 0 if own is None and theirs else own

    def stop(
        self, channel: Channel, purpose: str, line: int, at: datetime, *, parties: Collection[str] = ()
    ) -> StandingStop | None:
        own = super().stop(channel, purpose, line, at, parties=parties)
        return self._objection(channel, purpose, line, at, parties) if own is None else own

    def running(
        self, channel: Channel, purpose: str, line: int, at: datetime, *, parties: Collection[str] = ()
    ) -> list[StandingConsent]:
        if self._objection(channel, purpose, line, at, parties) is not None:
            return []
        return super().running(channel, purpose, line, at, parties=parties)

    def subscriber_of(self, number: int | None) -> Subscriber:
        found = super().subscriber_of(number)
        for other in self.others:
            if other.line == number and other.present:
                found = stricter(found, other.standing.subscriber_of(other.number))
        return found

    def _objection(
        self, channel: Channel, purpose: str, line: int, at: datetime, parties: Collection[str]
    ) -> StandingStop | None:
        for other in self.others:
            if other.line == line and not other.standing.anonymous:
                # A yes that lifts it may have been timed by a clock that is ahead.
                then = other.standing.latest(at)
                stop = other.standing.objection(channel, purpose, other.number, then, parties=parties)
                if stop is not None:
                    return typed.evolve(stop, line=line, seq=None, holder=other.contact)
        return None


def shared(standing: Standing, others: Sequence[CoHolder]) -> Standing:
    """
    Return a standing in which the objections of the other holders of its lines stand as well.
    """
    if not others:
        return standing
    standing = standing.with_stops(
        typed.evolve(stop, line=other.line, seq=None, holder=other.contact, mark=_mark(other, stop))
        for other in others
        if other.standing.anonymous
        for stop in other.standing.stops
        if stop.for_all and stop.line in (None, other.number)
    )
    fields = {field.name: getattr(standing, field.name) for field in attrs.fields(Standing)}
    return SharedStanding(**fields, others=tuple(others))


def _mark(holder: CoHolder, stop: StandingStop) -> str:
    """
    Return what names a stop in the record of another holder, if it was made as it was recorded.
    """
    return "" if stop.told else sha256(f"{holder.contact} {stop.seq}".encode()).hexdigest()[:16]


def restorable(before: Standing, standing: Standing, stop: int, at: datetime) -> tuple[Choice, ...]:
    """
    Return what would be allowed at an instant if the event with number *stop* had not stopped it, and nothing since.

    Only what the person agreed to for this organisation itself. Undoing a stop does not restore a permission that rests
    on anything else: an objection to that stands until the person agrees.

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


def merge_stops(stops: Sequence[StandingStop], new: Iterable[StandingStop]) -> tuple[StandingStop, ...]:
    """
    Return the latest stop of each scope. A withdrawal takes no objection's place, for that holds for others too, and
    neither hides one of a kind that means more than a stop.
    """
    latest = {stop.name: stop for stop in stops}
    for stop in new:
        name = stop.name
        known = latest.get(name)
        if known is None or known.at < stop.at:
            latest[name] = stop
    return tuple(latest.values())
