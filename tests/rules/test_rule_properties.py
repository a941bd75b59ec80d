"""
What holds whatever the facts are: a stop and a missing fact only take away, and time runs forward.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, TypeVar

import attrs
from hypothesis import event, given, settings
from hypothesis import strategies as st
from thorough import examples

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.protocols import Listing, RegisterName
from optly.record.consent import Standing, StandingStop, fold
from optly.record.events import (
    Act,
    Actor,
    CharitySoftOptInRecorded,
    Choice,
    ConsentGiven,
    ConsentRefused,
    ConsentWithdrawn,
    ContactAdded,
    Engagement,
    Event,
    Evidence,
    Grade,
    LineAdded,
    Manner,
    ObjectionRaised,
    SoftOptInRecorded,
)
from optly.rules import (
    UKPECR,
    Call,
    Charity,
    CharityLaw,
    ClientRelationship,
    Communication,
    Decision,
    MessageKind,
    Reason,
    RefusalCost,
    Solicited,
)

# Few instants, so that ties are common. The first charity soft opt-ins and the first attempts lie between them.
TIMES = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=30 * step) for step in range(8)]
# Mostly in the sender's favour, so that what is drawn is often allowed but for one thing.
UNKNOWN_OR_NOT = st.sampled_from([*[True] * 8, False, None])
DENIED_OR_NOT = st.sampled_from([*[False] * 8, True, None])
CHANNELS = st.sampled_from([Channel.EMAIL, Channel.EMAIL, Channel.SMS, Channel.LIVE_CALL, Channel.LIVE_CALL, *Channel])
PURPOSES = st.sampled_from(["offers", "offers", "news"])
LINES = st.sampled_from([1, 1, 1, 2])
PARTIES = st.sampled_from(["acme", "acme", "agency"])
RULES = UKPECR()
RESTS_ON_THE_PERSON = {
    Reason.CONSENTED,
    Reason.SOFT_OPT_IN,
    Reason.CHARITY_SOFT_OPT_IN,
    Reason.EXISTING_CLIENT,
}


def happened(draw: st.DrawFn, actor: Actor, grade: Grade) -> dict[str, Any]:
    occurred_at = draw(st.sampled_from(TIMES))
    recorded_at = max(occurred_at, draw(st.sampled_from(TIMES)))
    ahead = draw(st.sampled_from([timedelta(0), timedelta(0), timedelta(minutes=5)]))
    return {"occurred_at": occurred_at + ahead, "recorded_at": recorded_at, "actor": actor, "grade": grade}


@st.composite
def choices(draw: st.DrawFn, channel: Channel) -> Choice:
    return Choice(channel=channel, purpose=draw(PURPOSES), line=draw(LINES), wording="0" * 64)


@st.composite
def manners(draw: st.DrawFn) -> Manner:
    return Manner(
        conditional=draw(DENIED_OR_NOT),
        sender_named=draw(UNKNOWN_OR_NOT),
        organisations=draw(st.sampled_from([None, None, ("acme",), ("agency",), ("other",)])),
        by_holder=draw(UNKNOWN_OR_NOT),
        collected_by=draw(st.sampled_from(["", "", "partner"])),
        unproven=draw(st.sampled_from([(), (), (Evidence.WORDING,)])),
    )


@st.composite
def permissions(draw: st.DrawFn, channel: Channel) -> Event:
    """
    Draw something that may allow a message on *channel*, or nearly.
    """
    kind = draw(st.sampled_from([ConsentGiven, ConsentGiven, SoftOptInRecorded, CharitySoftOptInRecorded]))
    channel = draw(st.sampled_from([channel, channel, channel, Channel.SMS, Channel.AUTOMATED_CALL]))
    if kind is ConsentGiven:
        actor, grade = draw(st.sampled_from([(Actor.PERSON, Grade.B), (Actor.STAFF, Grade.D)]))
        return ConsentGiven(
            **happened(draw, actor, grade),
            choices=(draw(choices(channel)),),
            act=draw(st.sampled_from([Act.TICKED_BOX, Act.TICKED_BOX, Act.PRE_TICKED])),
            manner=draw(st.none() | manners()),
        )
    shared: dict[str, Any] = {
        **happened(draw, Actor.STAFF, Grade.D),
        "channel": channel,
        "line": draw(LINES),
        "obtained_by": draw(PARTIES),
        "refused": draw(st.sampled_from([False, False, None])),
        "dated": draw(st.sampled_from([True, True, False])),
    }
    if kind is SoftOptInRecorded:
        return SoftOptInRecorded(
            **shared,
            in_sale=draw(st.booleans()),
            goods="books",
            similar_purposes=(draw(PURPOSES),),
            refusal_offered=draw(st.booleans()),
        )
    return CharitySoftOptInRecorded(
        **shared,
        engagement=draw(st.sampled_from(Engagement)),
        purpose_held=draw(UNKNOWN_OR_NOT),
        refusal_offered=draw(UNKNOWN_OR_NOT),
    )


@st.composite
def stops(draw: st.DrawFn, channel: Channel) -> Event:
    """
    Draw something that stops messages, on *channel* or beside it.
    """
    common = happened(draw, Actor.PERSON, Grade.B)
    kind = draw(st.sampled_from([ConsentRefused, ConsentWithdrawn, ObjectionRaised, SoftOptInRecorded]))
    if kind is ConsentRefused:
        return ConsentRefused(**common, choices=(draw(choices(channel)),))
    if kind is SoftOptInRecorded:
        return SoftOptInRecorded(
            **common,
            channel=channel,
            line=draw(LINES),
            obtained_by="acme",
            in_sale=True,
            goods="books",
            similar_purposes=("offers",),
            refusal_offered=True,
            refused=True,
        )
    taken_back: type[ConsentWithdrawn | ObjectionRaised] = kind
    return taken_back(
        **common,
        channels=draw(st.sampled_from([(), (channel,), (Channel.POST,)])),
        purposes=draw(st.sampled_from([(), ("offers",), ("news",)])),
        line=draw(st.sampled_from([None, 1, 2])),
        organisation=draw(st.sampled_from([None, None, "acme", "agency", "other"])),
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    return Call(
        shows_number=draw(UNKNOWN_OR_NOT),
        gives_name=draw(UNKNOWN_OR_NOT),
        contact_requested=draw(DENIED_OR_NOT),
        gives_contact=draw(UNKNOWN_OR_NOT),
        contact_is_free=draw(UNKNOWN_OR_NOT),
        recorded=draw(st.sampled_from(["as_the_channel_says", "as_the_channel_says", None, False, True])),
        claims_management=draw(DENIED_OR_NOT),
        pensions=draw(DENIED_OR_NOT),
        authorised=draw(UNKNOWN_OR_NOT),
        client=draw(
            st.none()
            | st.builds(
                ClientRelationship,
                calls_envisaged=UNKNOWN_OR_NOT,
                refusal_at_collection=UNKNOWN_OR_NOT,
                refusal_each_time=UNKNOWN_OR_NOT,
                avoids_ban=DENIED_OR_NOT,
            )
        ),
        connected=draw(st.sampled_from([None, True, False])),
    )


@st.composite
def listings(draw: st.DrawFn, at: datetime) -> Listing:
    day = at.date()
    return Listing(
        register=draw(st.sampled_from([*RegisterName])),
        listed_on=draw(st.sampled_from([None, None, day - timedelta(days=27), day - timedelta(days=28), date.min])),
        at=at,
        checked_at=at,
        as_of=day - timedelta(days=draw(st.sampled_from([0, 0, 29]))),
        version="1",
    )


@st.composite
def communications(draw: st.DrawFn) -> Communication:
    at = draw(st.sampled_from(TIMES))
    channel = draw(CHANNELS)
    everything = tuple(
        Listing(register=name, listed_on=None, at=at, checked_at=at, as_of=at.date(), version="1")
        for name in RegisterName
    )
    return Communication(
        channel=channel,
        kind=draw(st.sampled_from([MessageKind.MARKETING, MessageKind.MARKETING, *MessageKind])),
        sender=draw(PARTIES),
        instigator=draw(st.sampled_from(["", "", "acme"])),
        purpose="offers",
        contact="0" * 32,
        line=draw(st.sampled_from([*[1] * 9, None])),
        at=at,
        asks=draw(st.sampled_from([(), (), ((Channel.SMS, 1),)])),
        solicited=draw(st.none() | st.builds(Solicited, how=st.just("form"), at=st.sampled_from(TIMES))),
        public_task=draw(st.sampled_from(["", "", "", "waste collection"])),
        public_authority=draw(st.sampled_from([False, False, True])),
        attempt=draw(st.sampled_from([1, 1, 2])),
        promotional=draw(DENIED_OR_NOT),
        shows_identity=draw(UNKNOWN_OR_NOT),
        gives_stop_address=draw(UNKNOWN_OR_NOT),
        offers_refusal=draw(UNKNOWN_OR_NOT),
        refusal_cost=draw(st.sampled_from([RefusalCost.FREE, RefusalCost.FREE, RefusalCost.MORE, None])),
        first_contact=draw(UNKNOWN_OR_NOT),
        charity=draw(st.none() | st.builds(Charity, law=st.sampled_from(CharityLaw), registered=UNKNOWN_OR_NOT)),
        charitable_only=draw(UNKNOWN_OR_NOT),
        call=draw(calls()),
        listings=draw(st.just(everything) | st.lists(listings(at), max_size=4).map(tuple)),
        delivered=draw(st.sampled_from([None, True, False])),
    )


@attrs.frozen
class World:
    """
    A message, and all that happened.
    """

    communication: Communication
    subscriber: Subscriber
    events: tuple[Event, ...]

    def on_record(self, events: Sequence[Event] | None = None) -> Standing:
        """
        Fold what had been recorded by the time of the message, or *events*.
        """
        if events is None:
            events = [one for one in self.events if one.recorded_at <= self.communication.at]
        start: dict[str, Any] = {
            "occurred_at": TIMES[0],
            "recorded_at": TIMES[0],
            "actor": Actor.STAFF,
            "grade": Grade.D,
        }
        return fold(
            [
                ContactAdded(**start, subscriber=self.subscriber, language="en"),
                LineAdded(**start, line=1, kind=AddressKind.PHONE),
                *events,
            ]
        )

    def decide(self, events: Sequence[Event] | None = None) -> Decision:
        return RULES.assess(self.communication, self.on_record(events))


def agreed(channel: Channel) -> ConsentGiven:
    """
    Return a consent to offers with nothing wrong with it.
    """
    choice = Choice(channel=channel, purpose="offers", line=1, wording="0" * 64)
    at = TIMES[1]
    return ConsentGiven(
        occurred_at=at, recorded_at=at, actor=Actor.PERSON, grade=Grade.A, choices=(choice,), act=Act.CHOSE_YES
    )


@st.composite
def worlds(draw: st.DrawFn) -> World:
    communication = draw(communications())
    good = draw(st.sampled_from([(), (agreed(communication.channel),)]))
    happenings = permissions(communication.channel) | permissions(communication.channel) | stops(communication.channel)
    return World(
        communication,
        draw(st.sampled_from([Subscriber.INDIVIDUAL, *Subscriber])),
        tuple(draw(st.permutations([*good, *draw(st.lists(happenings, max_size=5))]))),
    )


@given(worlds(), st.data())
def test_a_stop_never_turns_a_refusal_into_a_permission(world: World, data: st.DataObject) -> None:
    """
    Wherever in the record it arrives, whatever it covers, and also if it is tied to the address alone.
    """
    before = world.decide(world.events)
    event(str(before.reason))
    stop = data.draw(stops(world.communication.channel))
    place = data.draw(st.integers(0, len(world.events)))
    after = world.decide((*world.events[:place], stop, *world.events[place:]))
    assert before or not after
    forgotten = StandingStop(channel=None, purpose=None, line=None, at=stop.occurred_at, objection=True, seq=None)
    assert before or not RULES.assess(world.communication, world.on_record(world.events).with_stops([forgotten]))


def poorer(communication: Communication) -> list[Communication]:
    """
    Return the message as it is known with each of its facts missing in turn.

    Whatever kind of message it is, is no fact that can be missing.
    """
    call, client, charity = communication.call, communication.call.client, communication.charity
    names = (
        "solicited",
        "promotional",
        "shows_identity",
        "gives_stop_address",
        "offers_refusal",
        "refusal_cost",
        "first_contact",
        "charity",
        "charitable_only",
        "delivered",
    )
    of_calls = [field.name for field in attrs.fields(Call)]
    clients = [] if client is None else [without(client, field.name) for field in attrs.fields(ClientRelationship)]
    return [
        *(without(communication, name) for name in names),
        *(attrs.evolve(communication, call=without(call, name)) for name in of_calls),
        *(attrs.evolve(communication, call=attrs.evolve(call, client=vague)) for vague in clients),
        *([attrs.evolve(communication, charity=attrs.evolve(charity, registered=None))] if charity else []),
        *(
            attrs.evolve(
                communication, listings=tuple(one for one in communication.listings if one.register != register)
            )
            for register in RegisterName
        ),
    ]


T = TypeVar("T")


def without(facts: T, name: str) -> T:
    """
    Return facts of which one is unknown.
    """
    known: Any = facts
    vague: T = attrs.evolve(known, **{name: None})
    return vague


def allows(happening: Event) -> bool:
    """
    Tell whether something that happened is a fact in favour of a message, if it is one at all.
    """
    if isinstance(happening, SoftOptInRecorded | CharitySoftOptInRecorded):
        return happening.refused is not True
    return isinstance(happening, ConsentGiven)


def vaguer(happening: Event) -> list[Event]:
    """
    Return a consent with each part of how it came about unknown in turn.
    """
    if not isinstance(happening, ConsentGiven) or happening.manner is None:
        return []
    manner = happening.manner
    names = ("conditional", "bundled", "channel_named", "sender_named", "chosen_singly", "by_holder", "of_age")
    unknown = [without(manner, name) for name in names]
    unknown.append(attrs.evolve(manner, unproven=tuple(Evidence)))
    return [attrs.evolve(happening, manner=worse) for worse in unknown]


@given(worlds())
def test_a_missing_fact_never_turns_a_refusal_into_a_permission(world: World) -> None:
    """
    Whether it is one the application supplies, one that is on record, or what kind of subscriber the person is.
    """
    known = [one for one in world.events if one.recorded_at <= world.communication.at]
    if world.decide(known):
        return
    for communication in poorer(world.communication):
        assert not RULES.assess(communication, world.on_record(known))
    for index, one in enumerate(known):
        if allows(one):
            assert not world.decide([*known[:index], *known[index + 1 :]])
        for vague in vaguer(one):
            assert not world.decide([*known[:index], vague, *known[index + 1 :]])
    assert not attrs.evolve(world, subscriber=Subscriber.UNKNOWN).decide()


@given(worlds())
def test_no_consent_reaches_whoever_instigates_unless_it_names_them(world: World) -> None:
    """
    Nor does a soft opt-in, or what the caller has with its own clients.
    """
    stranger = attrs.evolve(world.communication, instigator="stranger")
    decision = RULES.assess(stranger, world.on_record())
    event(str(decision.reason))
    assert decision.reason not in RESTS_ON_THE_PERSON
    alone = RULES.assess(attrs.evolve(world.communication, instigator=""), world.on_record())
    assert alone or not decision


@given(worlds())
def test_nothing_recorded_later_changes_a_decision(world: World) -> None:
    """
    Later permissions do not reach back, even if nobody leaves them out; and what is left out is left out.
    """
    at = world.communication.at
    known = [one for one in world.events if one.recorded_at <= at]
    assert world.decide(known) == world.decide()
    later = [one for one in world.events if one.recorded_at > at and one.occurred_at > at and allows(one)]
    if not world.decide(known):
        assert not world.decide([*known, *later])


@given(worlds())
@settings(max_examples=examples(50))
def test_the_same_facts_give_the_same_decision(world: World) -> None:
    """
    In an equal message on an equal record.
    """
    assert world.decide() == attrs.evolve(world).decide()
