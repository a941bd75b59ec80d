"""
The domain core by tables: what `evolve` makes of each event, and what `decide` makes of each command.

A row of `EVOLVED` names everything an event changes in a standing; anything else it changed would fail the row. A row
of `DECIDED` names the events a command leads to, none, or the error it is refused with. Nothing here needs a manager.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any, TypeVar, get_args

import attrs
import pytest

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.errors import (
    AnswerError,
    LinkExpiredError,
    LinkInvalidError,
    LinkSupersededError,
    LinkUsedError,
    MissingLineError,
    OptlyError,
    TooSoonError,
    UnknownContactError,
    UsageError,
)
from optly.instants import CLOCK_SKEW, end_of_day
from optly.messages import DeliveryStatus, Fault, Outcome
from optly.record import commands, events
from optly.record.commands import Command
from optly.record.consent import HELD_FOR, READING_TIME, decide, evolve, fold
from optly.record.events import (
    Act,
    Actor,
    Choice,
    Defect,
    Engagement,
    Event,
    Grade,
    LinkKind,
    Manner,
    Meaning,
    Service,
    Through,
)
from optly.record.standing import (
    MOMENTS,
    AnsweredWish,
    Complaint,
    HeldAnswer,
    Line,
    PendingUse,
    Question,
    QuestionState,
    Standing,
    StandingCharitySoftOptIn,
    StandingConsent,
    StandingFailure,
    StandingSoftOptIn,
    StandingStop,
    StandingUse,
)

TICK = timedelta(microseconds=1)
DAY = timedelta(days=1)
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
BEFORE = NOW - DAY
LATER = NOW + DAY

EMAIL, SMS = Channel.EMAIL, Channel.SMS
EMAIL_OFFERS = Choice(channel=EMAIL, purpose="offers", line=1, wording="a" * 64)
SMS_OFFERS = Choice(channel=SMS, purpose="offers", line=2, wording="b" * 64)
EMAIL_NEWS = Choice(channel=EMAIL, purpose="news", line=1, wording="c" * 64)


def yes_to(choice: Choice, **changes: Any) -> StandingConsent:
    facts: dict[str, Any] = {"at": BEFORE, "expires_at": None, "own": True, "seq": 3}
    facts["by_person"] = changes.get("own", True)
    return StandingConsent(
        channel=choice.channel,
        purpose=choice.purpose,
        line=choice.line,
        wording=choice.wording,
        **{**facts, **changes},
    )


def no_to(choice: Choice, at: datetime = NOW, seq: int = 11) -> StandingStop:
    return StandingStop(
        channel=choice.channel, purpose=choice.purpose, line=choice.line, at=at, objection=False, seq=seq
    )


def held(choice: Choice, **changes: Any) -> HeldAnswer:
    facts: dict[str, Any] = {"question": None, "code": "mark", "link": LinkKind.MANAGE, "at": BEFORE, "until": LATER}
    return HeldAnswer(choice=choice, **{**facts, **changes})


def question(id: str, *choices: Choice, **changes: Any) -> Question:
    facts: dict[str, Any] = {
        "via": EMAIL, "line": 1, "language": "en", "asked_at": BEFORE, "expires_at": LATER, "seq": 4,
    }  # fmt: skip
    return Question(id=id, choices=choices, **{**facts, **changes})


LINES = (Line(number=1, kind=AddressKind.EMAIL, proved=True), Line(number=2, kind=AddressKind.PHONE))
ABOUT_OFFERS = question("1" * 32, EMAIL_OFFERS)
ABOUT_NEWS = question("2" * 32, EMAIL_NEWS)
EMAIL_FAILED = StandingFailure(channel=EMAIL, line=1, at=BEFORE, seq=5)
SMS_FAILED = StandingFailure(channel=SMS, line=2, at=BEFORE, seq=6)
COMPLAINT = Complaint(id="c" * 32, at=BEFORE, acknowledge_by=LATER)
SENDING = attrs.evolve(COMPLAINT, decided_at=NOW, message="d" * 32)
SALE = StandingSoftOptIn(
    channel=EMAIL, line=1, obtained_by="acme", in_sale=True, similar_purposes=("offers",), refusal_offered=True,
    at=BEFORE, seq=7,
)  # fmt: skip
SUPPORT = StandingCharitySoftOptIn(
    channel=EMAIL, line=1, obtained_by="acme", engagement=Engagement.SUPPORT, purpose_held=True, refusal_offered=True,
    refused=False, dated=True, at=BEFORE, seq=8,
)  # fmt: skip


def sending(id: str) -> PendingUse:
    return PendingUse(id=id, channel=EMAIL, purposes=("offers", "news"), line=1)


def used(purpose: str, channel: Channel = EMAIL, line: int = 1) -> StandingUse:
    return StandingUse(channel=channel, purpose=purpose, line=line, at=NOW)


# A standing with one of everything, so that a row shows what an event leaves alone.
FULL = Standing(
    version=10,
    subscriber=Subscriber.INDIVIDUAL,
    language="en",
    name="name_1",
    lines=LINES,
    consents=(yes_to(EMAIL_OFFERS),),
    stops=(no_to(SMS_OFFERS, BEFORE, 9),),
    soft_opt_ins=(SALE,),
    charity_soft_opt_ins=(SUPPORT,),
    questions=(ABOUT_OFFERS, ABOUT_NEWS),
    failures=(EMAIL_FAILED, SMS_FAILED),
    held=(held(EMAIL_OFFERS), held(SMS_OFFERS)),
    complaints=(COMPLAINT,),
)
ONE_REMOVED = attrs.evolve(FULL, lines=(attrs.evolve(LINES[0], removed=True), LINES[1]))
ERASED = attrs.evolve(FULL, erased_at=BEFORE)
# Recorded by a server whose clock is ahead of the one that decides next.
AHEAD = attrs.evolve(FULL, recorded_at=NOW + DAY)

# What asks, permits or stops.
ORDERED = (
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

E = TypeVar("E", bound=Event)


def happened(cls: type[E], actor: Actor = Actor.PERSON, grade: Grade = Grade.B, **facts: Any) -> E:
    """
    Return an event, by default the person's own act, of this instant.
    """
    common: dict[str, Any] = {"occurred_at": NOW, "recorded_at": NOW, "actor": actor, "grade": grade}
    return cls(**{**common, **facts})


def by_staff(cls: type[E], grade: Grade = Grade.D, **facts: Any) -> E:
    return happened(cls, Actor.STAFF, grade, **facts)


def by_provider(cls: type[E], grade: Grade = Grade.B, **facts: Any) -> E:
    return happened(cls, Actor.PROVIDER, grade, **facts)


def by_system(cls: type[E], **facts: Any) -> E:
    return happened(cls, Actor.SYSTEM, **facts)


def closed(question: Question, state: QuestionState) -> Question:
    return attrs.evolve(question, state=state, closed_at=NOW)


ANSWERED, SUPERSEDED = QuestionState.ANSWERED, QuestionState.SUPERSEDED
GATED: dict[str, Any] = {"regulation": "22(2)", "reason": "consent", "edition": "2026"}
MESSAGE: dict[str, Any] = {"message": "d" * 32, "channel": EMAIL, "line": 1}
STOPPED_ALL = StandingStop(channel=None, purpose=None, line=None, at=NOW, objection=True, seq=11)
SALE_FACTS: dict[str, Any] = {
    "channel": EMAIL, "line": 1, "obtained_by": "acme", "in_sale": True, "similar_purposes": ("offers",),
    "refusal_offered": True,
}  # fmt: skip
SUPPORT_FACTS: dict[str, Any] = {
    "channel": EMAIL, "line": 1, "obtained_by": "acme", "engagement": Engagement.SUPPORT, "purpose_held": True,
    "refusal_offered": True, "refused": False,
}  # fmt: skip
NO_MORE_EMAIL = StandingStop(channel=EMAIL, purpose=None, line=1, at=NOW, objection=False, seq=11)
# What a decision about email of every purpose to line 1, or about all marketing, settles.
EMAIL_SETTLED: dict[str, Any] = {
    "questions": (closed(ABOUT_OFFERS, SUPERSEDED), closed(ABOUT_NEWS, SUPERSEDED)),
    "held": (held(SMS_OFFERS),),
}
ALL_SETTLED = {**EMAIL_SETTLED, "held": ()}
OFFERS_ANSWERED: dict[str, Any] = {
    "questions": (closed(ABOUT_OFFERS, ANSWERED), ABOUT_NEWS),
    "held": (held(SMS_OFFERS),),
}

# What happens, to whom, and everything that changes beside the version.
EVOLVED: dict[str, tuple[Standing, Event, dict[str, Any]]] = {
    "a contact is added": (
        Standing(),
        by_staff(events.ContactAdded, subscriber=Subscriber.COMPANY, language="cy"),
        {"subscriber": Subscriber.COMPANY, "language": "cy", "name": "name_1"},
    ),
    "a contact is added where there is one": (
        FULL,
        by_staff(events.ContactAdded, subscriber=Subscriber.COMPANY, language="cy"),
        {"subscriber": Subscriber.COMPANY, "language": "cy", "name": None},
    ),
    "a name changes": (FULL, by_staff(events.DetailsChanged, name="name_11"), {"name": "name_11"}),
    "a language changes": (FULL, by_staff(events.DetailsChanged, language="cy"), {"language": "cy"}),
    "a subscriber changes": (
        FULL,
        by_staff(events.DetailsChanged, subscriber=Subscriber.LLP),
        {"subscriber": Subscriber.LLP},
    ),
    "a line is added by staff": (
        FULL,
        by_staff(events.LineAdded, line=3, kind=AddressKind.EMAIL, subscriber=Subscriber.COMPANY),
        {"lines": (*LINES, Line(number=3, kind=AddressKind.EMAIL, subscriber=Subscriber.COMPANY, added=11))},
    ),
    "a line is added by someone who read what was sent there": (
        FULL,
        happened(events.LineAdded, grade=Grade.A, line=3, kind=AddressKind.PHONE),
        {"lines": (*LINES, Line(number=3, kind=AddressKind.PHONE, proved=True, added=11))},
    ),
    "a line is removed": (
        FULL,
        by_staff(events.LineRemoved, line=1),
        {"lines": ONE_REMOVED.lines, "held": (held(SMS_OFFERS),)},
    ),
    "a line is proved from another": (
        FULL,
        happened(events.LineProved, grade=Grade.A, line=2, through=1),
        {"lines": (LINES[0], attrs.evolve(LINES[1], proved=True, through=(1,)))},
    ),
    "a line is left": (
        FULL,
        happened(events.LineLeft, line=1),
        {"lines": (attrs.evolve(LINES[0], removed=True, left=True), *LINES[1:]), "held": (held(SMS_OFFERS),)},
    ),
    "a line comes back": (ONE_REMOVED, happened(events.LineReinstated, line=1), {"lines": LINES}),
    "consent is requested": (
        FULL,
        by_staff(
            events.ConsentRequested, question="3" * 32, via=EMAIL, line=1, choices=(EMAIL_OFFERS,), language="cy",
            expires_at=LATER, solicited_at=BEFORE, **GATED,
        ),
        {
            "questions": (
                closed(ABOUT_OFFERS, SUPERSEDED),
                ABOUT_NEWS,
                question("3" * 32, EMAIL_OFFERS, language="cy", asked_at=NOW, solicited_at=BEFORE, seq=11),
            ),
            "held": (held(SMS_OFFERS),),
            "pending": (PendingUse(id="3" * 32, channel=EMAIL, purposes=("offers",), line=1),),
        },
    ),
    "somebody types the address into a form": (
        FULL,
        by_staff(
            events.ConsentRequested, question="3" * 32, via=EMAIL, line=1, choices=(EMAIL_OFFERS,), language="cy",
            expires_at=LATER, solicited_at=BEFORE, unproved=True, **GATED,
        ),
        {
            "questions": (
                *FULL.questions,
                question(
                    "3" * 32, EMAIL_OFFERS, language="cy", asked_at=NOW, solicited_at=BEFORE, seq=11, unproved=True
                ),
            ),
        },
    ),
    "an answer is held": (
        FULL,
        happened(
            events.AnswerHeld, choices=(EMAIL_OFFERS,), until=LATER, question="1" * 32, link=LinkKind.QUESTION,
            code="other",
        ),
        {
            "questions": (closed(ABOUT_OFFERS, ANSWERED), ABOUT_NEWS),
            "held": (
                *FULL.held,
                held(EMAIL_OFFERS, question="1" * 32, code="other", link=LinkKind.QUESTION, at=NOW),
            ),
        },
    ),
    "an answer is held again through the same link": (
        FULL,
        happened(events.AnswerHeld, choices=(EMAIL_OFFERS,), until=LATER, link=LinkKind.MANAGE, code="mark"),
        {"held": (held(SMS_OFFERS), held(EMAIL_OFFERS, at=NOW))},
    ),
    "an answer is held that came through no question": (
        FULL,
        happened(events.AnswerHeld, choices=(EMAIL_OFFERS,), until=LATER, code="other"),
        {"held": (*FULL.held, held(EMAIL_OFFERS, code="other", link=None, at=NOW))},
    ),
    "the person says yes through the line itself": (
        FULL,
        happened(
            events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, question="1" * 32
        ),
        {
            "consents": (yes_to(EMAIL_OFFERS, at=NOW, seq=11),),
            "failures": (SMS_FAILED,),
            **OFFERS_ANSWERED,
        },
    ),
    "the person says yes elsewhere": (
        FULL,
        happened(events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES),
        {
            "consents": (yes_to(EMAIL_OFFERS), yes_to(SMS_OFFERS, at=NOW, seq=11)),
            "held": (held(EMAIL_OFFERS),),
        },
    ),
    "a held yes to another line than that of its link is confirmed": (
        FULL,
        happened(events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, elsewhere=True, code="mark"),
        {
            "consents": (yes_to(EMAIL_OFFERS), yes_to(SMS_OFFERS, at=NOW, own=False, by_person=False, seq=11)),
            "held": (held(EMAIL_OFFERS),),
        },
    ),
    "a yes with an end": (
        Standing(version=10),
        happened(events.ConsentGiven, choices=(attrs.evolve(SMS_OFFERS, expires_at=LATER),), act=Act.CHOSE_YES),
        {"consents": (yes_to(SMS_OFFERS, at=NOW, expires_at=LATER, seq=11),)},
    ),
    "staff record a yes": (
        FULL,
        by_staff(events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX),
        {"consents": (yes_to(EMAIL_OFFERS), yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11))},
    ),
    "a provider records a yes with a document": (
        Standing(version=10),
        by_provider(events.ConsentGiven, Grade.C, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11),)},
    ),
    "a provider reports a yes it saw": (
        Standing(version=10),
        by_provider(events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11),)},
    ),
    "the person is said to have said yes": (
        Standing(version=10),
        happened(events.ConsentGiven, grade=Grade.D, choices=(EMAIL_OFFERS,), act=Act.SAID_YES),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11),)},
    ),
    "the person says yes to another organisation": (
        Standing(version=10),
        happened(
            events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX, manner=Manner(organisations=("zenith",))
        ),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, own=False, by_person=True, seq=11, organisations=("zenith",)),)},
    ),
    "the person says yes to a collector": (
        Standing(version=10),
        happened(
            events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX, manner=Manner(collected_by="zenith")
        ),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11, collected_by="zenith"),)},
    ),
    "a pre-ticked box is recorded": (
        FULL,
        by_staff(events.ConsentGiven, Grade.E, choices=(EMAIL_OFFERS,), act=Act.PRE_TICKED),
        {"unsound": (yes_to(EMAIL_OFFERS, at=NOW, own=False, seq=11, defects=(Defect.NOT_AFFIRMATIVE,)),)},
    ),
    "a yes arrives that is older than the one known": (
        FULL,
        happened(
            events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, occurred_at=BEFORE - TICK,
            question="1" * 32,
        ),
        OFFERS_ANSWERED,
    ),
    "a yes arrives that is as old as the one known": (
        FULL,
        happened(
            events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, occurred_at=BEFORE, question="1" * 32
        ),
        OFFERS_ANSWERED,
    ),
    "a yes is timed by a clock that is ahead": (
        Standing(version=10),
        happened(events.ConsentGiven, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, occurred_at=NOW + TICK),
        {"consents": (yes_to(EMAIL_OFFERS, at=NOW, seq=11),)},
    ),
    "the person says no through the line itself": (
        FULL,
        happened(events.ConsentRefused, grade=Grade.A, choices=(EMAIL_OFFERS,), question="1" * 32),
        {
            "stops": (*FULL.stops, no_to(EMAIL_OFFERS)),
            "failures": (SMS_FAILED,),
            **OFFERS_ANSWERED,
        },
    ),
    "the person says no elsewhere": (
        FULL,
        happened(events.ConsentRefused, choices=(EMAIL_OFFERS,)),
        {
            "stops": (*FULL.stops, no_to(EMAIL_OFFERS)),
            "questions": (closed(ABOUT_OFFERS, SUPERSEDED), ABOUT_NEWS),
            "held": (held(SMS_OFFERS),),
        },
    ),
    "a stop of the same is later": (
        FULL,
        happened(events.ConsentRefused, choices=(SMS_OFFERS,)),
        {"stops": (no_to(SMS_OFFERS),), "held": (held(EMAIL_OFFERS),)},
    ),
    "a stop of the same is no later": (
        FULL,
        happened(events.ConsentRefused, choices=(SMS_OFFERS,), occurred_at=BEFORE),
        {"held": (held(EMAIL_OFFERS),)},
    ),
    "consent is withdrawn": (
        FULL,
        happened(events.ConsentWithdrawn, channels=(EMAIL, SMS), purposes=("offers", "news"), line=1),
        {
            "stops": (
                *FULL.stops,
                *(
                    StandingStop(channel=channel, purpose=purpose, line=1, at=NOW, objection=False, seq=11)
                    for channel in (EMAIL, SMS)
                    for purpose in ("offers", "news")
                ),
            ),
            **EMAIL_SETTLED,
        },
    ),
    "the person objects": (
        FULL,
        happened(events.ObjectionRaised),
        {"stops": (*FULL.stops, STOPPED_ALL), **ALL_SETTLED},
    ),
    "a death is reported": (
        FULL,
        by_staff(events.MarkedDeceased, through=Through.DECEASED),
        {"stops": (*FULL.stops, attrs.evolve(STOPPED_ALL, through=Through.DECEASED)), **ALL_SETTLED},
    ),
    "someone has gone away": (
        FULL,
        by_staff(events.MarkedGoneAway, line=1, through=Through.GONE_AWAY),
        {
            "stops": (*FULL.stops, attrs.evolve(STOPPED_ALL, line=1, through=Through.GONE_AWAY)),
            **EMAIL_SETTLED,
        },
    ),
    "an objection is raised for a domain": (FULL, by_staff(events.DomainObjectionRaised), {}),
    "details are collected in a sale": (
        FULL,
        by_staff(events.SoftOptInRecorded, goods="books", **SALE_FACTS),
        {"soft_opt_ins": (attrs.evolve(SALE, at=NOW, seq=11),)},
    ),
    "details were collected in a sale that is older": (
        FULL,
        by_staff(events.SoftOptInRecorded, goods="books", occurred_at=BEFORE, **SALE_FACTS),
        {},
    ),
    "details are collected in a sale without a way to refuse": (
        FULL,
        by_staff(events.SoftOptInRecorded, goods="books", **{**SALE_FACTS, "refusal_offered": False}),
        {"soft_opt_ins": (SALE, attrs.evolve(SALE, refusal_offered=False, at=NOW, seq=11))},
    ),
    "details are collected in a sale at an unknown time": (
        FULL,
        by_staff(events.SoftOptInRecorded, goods="books", dated=False, occurred_at=NOW + TICK, **SALE_FACTS),
        {"soft_opt_ins": (SALE, attrs.evolve(SALE, dated=False, at=NOW, seq=11))},
    ),
    "details are collected in a sale and marketing refused": (
        FULL,
        by_staff(events.SoftOptInRecorded, goods="books", refused=True, **SALE_FACTS),
        {
            "soft_opt_ins": (SALE, attrs.evolve(SALE, refused=True, at=NOW, seq=11)),
            "stops": (*FULL.stops, NO_MORE_EMAIL),
            **EMAIL_SETTLED,
        },
    ),
    "a charity collects details": (
        FULL,
        by_staff(events.CharitySoftOptInRecorded, dated=True, **SUPPORT_FACTS),
        {"charity_soft_opt_ins": (attrs.evolve(SUPPORT, at=NOW, seq=11),)},
    ),
    "a charity collects details at an unknown time": (
        FULL,
        by_staff(events.CharitySoftOptInRecorded, dated=False, **SUPPORT_FACTS),
        {"charity_soft_opt_ins": (SUPPORT, attrs.evolve(SUPPORT, dated=False, at=NOW, seq=11))},
    ),
    "a charity collects details and marketing is refused": (
        FULL,
        by_staff(events.CharitySoftOptInRecorded, dated=True, **{**SUPPORT_FACTS, "refused": True}),
        {
            "charity_soft_opt_ins": (SUPPORT, attrs.evolve(SUPPORT, refused=True, at=NOW, seq=11)),
            "stops": (*FULL.stops, NO_MORE_EMAIL),
            **EMAIL_SETTLED,
        },
    ),
    "a contact is erased": (
        FULL,
        by_staff(events.ContactErased, Grade.B),
        {
            "name": None,
            "lines": tuple(attrs.evolve(line, removed=True) for line in LINES),
            "stops": (*FULL.stops, STOPPED_ALL),
            **ALL_SETTLED,
            "erased_at": NOW,
        },
    ),
    "the organisation calls": (
        FULL,
        by_staff(
            events.CommunicationMade, communication="e" * 32, channel=Channel.LIVE_CALL, purpose="offers", line=2,
            also_for=("news",), **GATED,
        ),
        {"uses": (used("offers", Channel.LIVE_CALL, 2), used("news", Channel.LIVE_CALL, 2))},
    ),
    "a service letter is written": (
        FULL,
        by_staff(
            events.CommunicationMade, communication="e" * 32, channel=Channel.POST, purpose="offers", line=2,
            regulation="not direct marketing", reason="service", edition="PECR",
        ),
        {},
    ),
    "a wish is granted": (
        FULL,
        by_staff(
            events.CommunicationMade, communication="e" * 32, channel=Channel.LIVE_CALL, purpose="offers", line=2,
            regulation="21(1)", reason="solicited", edition="PECR", solicited_at=BEFORE,
        ),
        {"answered": (AnsweredWish(line=2, asked_at=BEFORE),)},
    ),
    "a message is accepted that is no marketing": (FULL, by_provider(events.MessageAccepted, **MESSAGE), {}),
    "a message is accepted": (
        attrs.evolve(FULL, pending=(sending(MESSAGE["message"]), sending("f" * 32))),
        by_provider(events.MessageAccepted, **MESSAGE),
        {"pending": (sending("f" * 32),), "uses": (used("offers"), used("news"))},
    ),
    "a marketing message is accepted": (
        attrs.evolve(FULL, pending=(sending(MESSAGE["message"]), sending("f" * 32))),
        by_provider(events.MessageAccepted, purpose="offers", also_for=("sales",), **MESSAGE, **GATED),
        {"pending": (sending("f" * 32),), "uses": (used("offers"), used("sales"))},
    ),
    "a message that was asked for is accepted": (
        FULL,
        by_provider(events.MessageAccepted, purpose="offers", **MESSAGE, **{**GATED, "reason": "solicited"}),
        {},
    ),
    "a message is refused": (
        attrs.evolve(FULL, pending=(sending(MESSAGE["message"]), sending("f" * 32))),
        by_provider(events.MessageRefused, **MESSAGE),
        {"pending": (sending("f" * 32),)},
    ),
    "a question is delivered": (
        FULL,
        by_provider(events.MessageDelivered, question="2" * 32, **MESSAGE),
        {
            "failures": (SMS_FAILED,),
            "questions": (ABOUT_OFFERS, attrs.evolve(ABOUT_NEWS, delivered_at=NOW)),
        },
    ),
    "a message was delivered at the time of the failure": (
        FULL,
        by_provider(events.MessageDelivered, occurred_at=BEFORE, **MESSAGE),
        {"failures": (SMS_FAILED,)},
    ),
    "a message was delivered before the failure": (
        FULL,
        by_provider(events.MessageDelivered, occurred_at=BEFORE - TICK, **MESSAGE),
        {},
    ),
    "a message is delivered on another channel": (
        FULL,
        by_provider(events.MessageDelivered, message="d" * 32, channel=Channel.MMS, line=2),
        {},
    ),
    "a line fails": (
        Standing(version=10),
        by_provider(events.LineFailed, channel=EMAIL, line=1, status="5.1.1", provider_code="30005"),
        {
            "failures": (
                StandingFailure(channel=EMAIL, line=1, at=NOW, seq=11, status="5.1.1", provider_code="30005"),
            )
        },
    ),
    "a line fails again": (
        FULL,
        by_provider(events.LineFailed, channel=EMAIL, line=1),
        {"failures": (SMS_FAILED, StandingFailure(channel=EMAIL, line=1, at=NOW, seq=11))},
    ),
    "a line is restored": (
        FULL,
        by_staff(events.LineRestored, channel=EMAIL, line=1, occurred_at=BEFORE - DAY),
        {"failures": (SMS_FAILED,)},
    ),
    "a complaint is received": (
        FULL,
        happened(events.ComplaintReceived, complaint="f" * 32, acknowledge_by=LATER),
        {"complaints": (COMPLAINT, Complaint(id="f" * 32, at=NOW, acknowledge_by=LATER))},
    ),
    "a complaint is acknowledged": (
        FULL,
        by_staff(events.ComplaintAcknowledged, complaint="c" * 32),
        {"complaints": (attrs.evolve(COMPLAINT, acknowledged_at=NOW),)},
    ),
    "a complaint is acknowledged again": (
        attrs.evolve(FULL, complaints=(attrs.evolve(COMPLAINT, acknowledged_at=BEFORE),)),
        by_staff(events.ComplaintAcknowledged, complaint="c" * 32),
        {},
    ),
    "another complaint is acknowledged": (
        FULL,
        by_staff(events.ComplaintAcknowledged, complaint="f" * 32),
        {},
    ),
    "a complaint is resolved before it was acknowledged": (
        FULL,
        by_staff(events.ComplaintResolved, complaint="c" * 32),
        {"complaints": (attrs.evolve(COMPLAINT, acknowledged_at=NOW, resolved_at=NOW),)},
    ),
    "the outcome of a complaint is queued": (
        FULL,
        by_staff(events.ComplaintDecided, complaint="c" * 32, message="d" * 32),
        {"complaints": (SENDING,)},
    ),
    "the outcome of a complaint is refused": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        by_provider(events.MessageRefused, **MESSAGE),
        {"complaints": (attrs.evolve(COMPLAINT, decided_at=NOW),)},
    ),
    "the outcome of a complaint is not delivered": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        by_provider(events.MessageUndelivered, **MESSAGE),
        {"complaints": (attrs.evolve(COMPLAINT, decided_at=NOW),)},
    ),
    "the outcome of a complaint is withheld": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        by_system(events.MessageWithheld, **MESSAGE, **GATED),
        {"complaints": (attrs.evolve(COMPLAINT, decided_at=NOW),)},
    ),
    "the outcome of a complaint is in doubt": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        by_system(events.MessageDoubted, **MESSAGE),
        {},
    ),
    "the outcome of a complaint was sent": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        by_system(events.ComplaintResolved, complaint="c" * 32, message="d" * 32),
        {"complaints": (attrs.evolve(COMPLAINT, decided_at=NOW, acknowledged_at=NOW, resolved_at=NOW),)},
    ),
    "a message is queued, in a pack of the first format": (
        FULL,
        by_system(events.MessageQueued, purpose="offers", also_for=("news",), **MESSAGE, **GATED),
        {"pending": (sending("d" * 32),)},
    ),
    "a marketing message is in doubt": (
        FULL,
        by_system(events.MessageDoubted, purpose="offers", also_for=("news",), **MESSAGE, **GATED),
        {"pending": (sending("d" * 32),)},
    ),
    "another like it is in doubt": (
        attrs.evolve(FULL, pending=(sending("f" * 32),)),
        by_system(events.MessageDoubted, purpose="offers", also_for=("news",), **MESSAGE, **GATED),
        {"pending": (sending("d" * 32),)},
    ),
    "a message is refused that is no marketing": (FULL, by_provider(events.MessageRefused, **MESSAGE), {}),
    "a message is in doubt": (FULL, by_system(events.MessageDoubted, **MESSAGE), {}),
    "a message is not delivered": (FULL, by_provider(events.MessageUndelivered, **MESSAGE), {}),
    "a message is withheld": (FULL, by_system(events.MessageWithheld, **MESSAGE, **GATED), {}),
    "a message is received": (
        FULL,
        happened(events.MessageReceived, channel=SMS, line=2, meaning=Meaning.START),
        {},
    ),
    "the links are revoked": (FULL, by_staff(events.LinksRevoked, Grade.B), {"links_since": FULL.version + 1}),
    "a code is requested": (FULL, happened(events.ServiceRequested, service=Service.CODE, channel=EMAIL, line=1), {}),
}  # fmt: skip


@pytest.mark.parametrize("row", EVOLVED)
def test_an_event_changes_what_its_row_says_and_nothing_else(row: str) -> None:
    """
    The version goes up by one, the named fields change, and everything else stays. Of what asks, permits or stops, the
    latest time is kept, and it does not go back.
    """
    before, event, changes = EVOLVED[row]
    after = evolve(before, event)
    recorded: dict[str, Any] = {"version": before.version + 1}
    if isinstance(event, ORDERED):
        recorded["recorded_at"] = event.recorded_at
    assert attrs.evolve(before, **recorded, **changes) == after
    later = attrs.evolve(before, recorded_at=event.recorded_at + TICK)
    assert attrs.evolve(after, recorded_at=event.recorded_at + TICK) == evolve(later, event)
    assert after == fold([event], before)


def test_every_event_has_a_row() -> None:
    """
    An event that is added to the record is added to the table.
    """
    assert set(get_args(Event)) == {type(event) for _, event, _ in EVOLVED.values()}


ANSWERS = {(EMAIL, "offers"): True}
NEW_LINE = commands.NewLine(kind=AddressKind.EMAIL, value="new@example.com")
DIRECTOR = attrs.evolve(NEW_LINE, subscriber=Subscriber.INDIVIDUAL)
CHECKED = events.Checked(register="tps", listed_on=None, as_of=BEFORE.date(), version="1", checked_at=BEFORE)
HERE: dict[str, Any] = {"link": LinkKind.MANAGE, "code": "mark", "language": "en"}
ASK: dict[str, Any] = {
    "question": "3" * 32, "via": EMAIL, "line": 1, "choices": (EMAIL_OFFERS,), "language": "en", "expires_at": LATER,
    **GATED,
}  # fmt: skip
FORM: dict[str, Any] = {"choices": (EMAIL_OFFERS,), "act": Act.TICKED_BOX, "how": "paper form", "at": BEFORE}
PAPER = commands.Attachment(name="form.txt", media_type="text/plain", content=b"yes")
SCAN = '{"content":"eWVz","media_type":"text/plain","name":"form.txt"}'
BROWSER = commands.Context(address="192.0.2.1", browser="Firefox")
CONTEXT = {"address_11": "192.0.2.1", "browser_11": "Firefox"}
REPORT: dict[str, Any] = {"channel": EMAIL, "line": 1, "message": "d" * 32, "at": BEFORE}
OBJECTED: dict[str, Any] = {"channels": (EMAIL,), "line": 1}

# What is asked for, of whom, and what is decided: events, nothing, or an error.
DECIDED: dict[str, tuple[Standing, Command, tuple[Event, ...] | type[OptlyError]]] = {
    "add a contact": (
        Standing(),
        commands.AddContact(name="Ada", subscriber=Subscriber.COMPANY, language="cy", lines=(DIRECTOR,)),
        (
            by_staff(
                events.ContactAdded, subscriber=Subscriber.COMPANY, language="cy", personal={"name_1": "Ada"}
            ),
            by_staff(
                events.LineAdded, line=1, kind=AddressKind.EMAIL, subscriber=Subscriber.INDIVIDUAL,
                personal={"line_1": "new@example.com"},
            ),
        ),
    ),
    "add a contact who is on record": (FULL, commands.AddContact(), UsageError),
    "add a contact who was erased": (ERASED, commands.AddContact(), UsageError),
    "change every detail": (
        FULL,
        commands.ChangeDetails(
            name="Ada", subscriber=Subscriber.LLP, language="cy", add=(NEW_LINE,), remove=(2,), actor=Actor.PERSON,
            how="OC300001",
        ),
        (
            happened(
                events.DetailsChanged, grade=Grade.D, subscriber=Subscriber.LLP, language="cy", name="name_11",
                personal={"name_11": "Ada", "how_11": "OC300001"},
            ),
            happened(events.LineRemoved, grade=Grade.D, line=2),
            happened(
                events.LineAdded, grade=Grade.D, line=3, kind=AddressKind.EMAIL,
                personal={"line_3": "new@example.com"},
            ),
        ),
    ),
    "change a name alone": (
        FULL,
        commands.ChangeDetails(name="Ada", subscriber=Subscriber.INDIVIDUAL, language="en"),
        (by_staff(events.DetailsChanged, name="name_11", personal={"name_11": "Ada"}),),
    ),
    "change a language alone": (
        FULL,
        commands.ChangeDetails(subscriber=Subscriber.INDIVIDUAL, language="cy"),
        (by_staff(events.DetailsChanged, language="cy"),),
    ),
    "change a subscriber alone": (
        FULL,
        commands.ChangeDetails(subscriber=Subscriber.SOLE_TRADER, language="en"),
        (by_staff(events.DetailsChanged, subscriber=Subscriber.SOLE_TRADER),),
    ),
    "loosen what a subscriber is, without evidence": (
        FULL, commands.ChangeDetails(subscriber=Subscriber.LLP, how=" "), UsageError,
    ),
    "forget what a subscriber is, without evidence": (
        FULL, commands.ChangeDetails(subscriber=Subscriber.UNKNOWN), UsageError,
    ),
    "loosen what a subscriber is": (
        FULL,
        commands.ChangeDetails(subscriber=Subscriber.LLP, how="OC300001"),
        (by_staff(events.DetailsChanged, subscriber=Subscriber.LLP, personal={"how_11": "OC300001"}),),
    ),
    "say what a subscriber is of whom nothing is known": (
        attrs.evolve(FULL, subscriber=Subscriber.UNKNOWN),
        commands.ChangeDetails(subscriber=Subscriber.COMPANY),
        (by_staff(events.DetailsChanged, subscriber=Subscriber.COMPANY),),
    ),
    "tighten what a subscriber is": (
        attrs.evolve(FULL, subscriber=Subscriber.COMPANY),
        commands.ChangeDetails(subscriber=Subscriber.SOLE_TRADER),
        (by_staff(events.DetailsChanged, subscriber=Subscriber.SOLE_TRADER),),
    ),
    "stop what another organisation has sent": (
        FULL,
        commands.Stop(objection=True, channels=(SMS,), line=2, at=NOW, organisation="insurer"),
        (happened(events.ObjectionRaised, channels=(SMS,), line=2, organisation="insurer"),),
    ),
    "stop what another organisation has sent, where all is stopped": (
        attrs.evolve(FULL, stops=(STOPPED_ALL,)),
        commands.Stop(objection=True, at=NOW, organisation="insurer"),
        (happened(events.ObjectionRaised, organisation="insurer"),),
    ),
    "stop it again": (
        attrs.evolve(FULL, stops=(attrs.evolve(STOPPED_ALL, organisation="insurer"),)),
        commands.Stop(objection=True, at=NOW, organisation="insurer"),
        (),
    ),
    "change nothing": (FULL, commands.ChangeDetails(subscriber=Subscriber.INDIVIDUAL, language="en"), ()),
    "remove a line that is gone": (
        ONE_REMOVED,
        commands.ChangeDetails(subscriber=Subscriber.INDIVIDUAL, language="en", remove=(1,)),
        MissingLineError,
    ),
    "ask": (
        FULL,
        commands.AskForConsent(how="form", remind_at=NOW + TICK, solicited_at=BEFORE, **ASK),
        (
            by_staff(
                events.ConsentRequested, Grade.B, remind_at=NOW + TICK, solicited_at=BEFORE,
                personal={"how_11": "form"}, **ASK,
            ),
        ),
    ),
    "ask through a line that is gone": (
        ONE_REMOVED,
        commands.AskForConsent(**{**ASK, "choices": (SMS_OFFERS,)}),
        MissingLineError,
    ),
    "ask about a line that is gone": (
        ONE_REMOVED,
        commands.AskForConsent(**{**ASK, "via": SMS, "line": 2}),
        MissingLineError,
    ),
    "ask about nothing": (FULL, commands.AskForConsent(**{**ASK, "choices": ()}), UsageError),
    "ask for an answer within the next microsecond": (
        FULL,
        commands.AskForConsent(**{**ASK, "expires_at": NOW + TICK}),
        (by_staff(events.ConsentRequested, Grade.B, **{**ASK, "expires_at": NOW + TICK}),),
    ),
    "ask for an answer by now": (FULL, commands.AskForConsent(**{**ASK, "expires_at": NOW}), UsageError),
    "record a call": (
        FULL,
        commands.RecordCommunication(
            communication="e" * 32, channel=Channel.LIVE_CALL, purpose="offers", line=2, checks=(CHECKED,), **GATED
        ),
        (
            by_staff(
                events.CommunicationMade, Grade.B, communication="e" * 32, channel=Channel.LIVE_CALL,
                purpose="offers", line=2, checks=(CHECKED,), **GATED,
            ),
        ),
    ),
    "answer yes through the link": (
        FULL,
        commands.AnswerQuestion(
            question="1" * 32, answers=ANSWERS, line=1, code="mark", language="cy", context=BROWSER
        ),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, question="1" * 32,
                link=LinkKind.QUESTION, code="mark", language="cy", personal=CONTEXT,
            ),
        ),
    ),
    "answer yes by a reply": (
        FULL,
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1, reply="Yes please"),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.SAID_YES, question="1" * 32,
                personal={"reply_11": "Yes please"},
            ),
        ),
    ),
    "answer yes and no, about this line and another": (
        attrs.evolve(FULL, questions=(question("1" * 32, EMAIL_OFFERS, EMAIL_NEWS, SMS_OFFERS),)),
        commands.AnswerQuestion(
            question="1" * 32, line=1, context=BROWSER,
            answers={(EMAIL, "offers"): True, (EMAIL, "news"): False, (SMS, "offers"): True},
        ),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, question="1" * 32,
                link=LinkKind.QUESTION, personal=CONTEXT,
            ),
            happened(
                events.ConsentRefused, grade=Grade.A, choices=(EMAIL_NEWS,), question="1" * 32,
                link=LinkKind.QUESTION,
            ),
            happened(
                events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, question="1" * 32,
                link=LinkKind.QUESTION, elsewhere=True,
            ),
        ),
    ),
    "answer yes too soon": (
        FULL,
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1, hold=True, context=BROWSER),
        (
            happened(
                events.AnswerHeld, choices=(EMAIL_OFFERS,), until=LATER, question="1" * 32, link=LinkKind.QUESTION,
                personal=CONTEXT,
            ),
        ),
    ),
    "answer no too soon, which counts at once": (
        FULL,
        commands.AnswerQuestion(question="1" * 32, answers={(EMAIL, "offers"): False}, line=1, hold=True),
        (
            happened(
                events.ConsentRefused, grade=Grade.A, choices=(EMAIL_OFFERS,), question="1" * 32,
                link=LinkKind.QUESTION,
            ),
        ),
    ),
    "answer at the last instant": (
        attrs.evolve(FULL, questions=(question("1" * 32, EMAIL_OFFERS, expires_at=NOW),)),
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, question="1" * 32,
                link=LinkKind.QUESTION,
            ),
        ),
    ),
    "answer after the last instant": (
        attrs.evolve(FULL, questions=(question("1" * 32, EMAIL_OFFERS, expires_at=NOW - TICK),)),
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1),
        LinkExpiredError,
    ),
    "answer again": (
        attrs.evolve(FULL, questions=(closed(ABOUT_OFFERS, ANSWERED),)),
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1),
        LinkUsedError,
    ),
    "answer what was replaced": (
        attrs.evolve(FULL, questions=(closed(ABOUT_OFFERS, SUPERSEDED),)),
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1),
        LinkSupersededError,
    ),
    "answer about a line that is gone": (
        ONE_REMOVED,
        commands.AnswerQuestion(question="1" * 32, answers=ANSWERS, line=1),
        LinkSupersededError,
    ),
    "answer no question of theirs": (
        FULL,
        commands.AnswerQuestion(question="9" * 32, answers=ANSWERS, line=1),
        LinkInvalidError,
    ),
    "answer nothing": (FULL, commands.AnswerQuestion(question="1" * 32, answers={}, line=1), AnswerError),
    "answer what was not asked": (
        FULL,
        commands.AnswerQuestion(question="1" * 32, answers={(SMS, "offers"): True}, line=1),
        AnswerError,
    ),
    "answer with something other than yes or no": (
        FULL,
        commands.AnswerQuestion(question="1" * 32, answers={(EMAIL, "offers"): 1}, line=1),  # type: ignore[dict-item]
        AnswerError,
    ),
    "choose": (
        FULL,
        commands.ChangeChoices(yes=(SMS_OFFERS,), no=(EMAIL_OFFERS,), line=1, code="mark", language="en"),
        (
            happened(events.ConsentRefused, grade=Grade.A, choices=(EMAIL_OFFERS,), **HERE),
            happened(events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, elsewhere=True, **HERE),
        ),
    ),
    "choose yes through another line again": (
        attrs.evolve(FULL, stops=(), consents=(yes_to(SMS_OFFERS, own=False),)),
        commands.ChangeChoices(yes=(SMS_OFFERS,), no=(), line=1),
        (),
    ),
    "choose yes through another line that was proved": (
        attrs.evolve(FULL, lines=(LINES[0], attrs.evolve(LINES[1], through=(1,)))),
        commands.ChangeChoices(yes=(SMS_OFFERS,), no=(), line=1),
        (happened(events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, link=LinkKind.MANAGE),),
    ),
    "choose through a link of nobody knows whom": (
        FULL,
        commands.ChangeChoices(yes=(), no=(EMAIL_OFFERS,), line=1, handed_over=False),
        (happened(events.ConsentRefused, choices=(EMAIL_OFFERS,), link=LinkKind.MANAGE),),
    ),
    "choose yes where it is yes": (FULL, commands.ChangeChoices(yes=(EMAIL_OFFERS,), no=(), line=1), ()),
    "choose yes in other words": (
        FULL,
        commands.ChangeChoices(yes=(attrs.evolve(EMAIL_OFFERS, wording="d" * 64),), no=(), line=1),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(attrs.evolve(EMAIL_OFFERS, wording="d" * 64),),
                act=Act.CHOSE_YES, link=LinkKind.MANAGE,
            ),
        ),
    ),
    "choose yes where someone else reported it": (
        attrs.evolve(FULL, consents=(yes_to(EMAIL_OFFERS, own=False),)),
        commands.ChangeChoices(yes=(EMAIL_OFFERS,), no=(), line=1),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, link=LinkKind.MANAGE
            ),
        ),
    ),
    "choose no where it is no from now on": (
        attrs.evolve(FULL, stops=(no_to(EMAIL_OFFERS, NOW),)),
        commands.ChangeChoices(yes=(), no=(EMAIL_OFFERS,), line=1),
        (),
    ),
    "choose no where it was no before": (
        attrs.evolve(FULL, stops=(no_to(EMAIL_OFFERS, NOW - TICK),)),
        commands.ChangeChoices(yes=(), no=(EMAIL_OFFERS,), line=1),
        (happened(events.ConsentRefused, grade=Grade.A, choices=(EMAIL_OFFERS,), link=LinkKind.MANAGE),),
    ),
    "choose yes too soon": (
        FULL,
        commands.ChangeChoices(yes=(SMS_OFFERS,), no=(), line=1, code="mark", language="en", hold=True),
        (happened(events.AnswerHeld, choices=(SMS_OFFERS,), until=end_of_day(NOW + HELD_FOR), **HERE),),
    ),
    "choose for a line that is gone": (
        ONE_REMOVED,
        commands.ChangeChoices(yes=(), no=(EMAIL_OFFERS,), line=1),
        MissingLineError,
    ),
    "confirm what was held": (
        FULL,
        commands.ConfirmAnswer(code="mark", line=1, language="en"),
        (
            happened(events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, **HERE),
            happened(events.ConsentGiven, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, elsewhere=True, **HERE),
        ),
    ),
    "confirm as soon as it can be read, at the last instant": (
        attrs.evolve(
            FULL,
            held=(
                held(EMAIL_OFFERS, at=NOW - READING_TIME, until=NOW, question="1" * 32),
                held(SMS_OFFERS, until=NOW - TICK),
            ),
        ),
        commands.ConfirmAnswer(code="mark", line=1, language="en"),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(EMAIL_OFFERS,), act=Act.CHOSE_YES, question="1" * 32,
                **HERE,
            ),
        ),
    ),
    "confirm sooner than it can be read": (
        attrs.evolve(FULL, held=(held(SMS_OFFERS), held(EMAIL_OFFERS, at=NOW - READING_TIME + TICK))),
        commands.ConfirmAnswer(code="mark", line=1),
        TooSoonError,
    ),
    "confirm too late": (
        attrs.evolve(FULL, held=(held(EMAIL_OFFERS, until=NOW - TICK),)),
        commands.ConfirmAnswer(code="mark", line=1),
        LinkExpiredError,
    ),
    "confirm through another link": (FULL, commands.ConfirmAnswer(code="other", line=1), ()),
    "undo a stop": (
        FULL,
        commands.UndoStop(stop=9, choices=(SMS_OFFERS,), line=2, link=LinkKind.UNDO),
        (
            happened(
                events.ConsentGiven, grade=Grade.A, choices=(SMS_OFFERS,), act=Act.CHOSE_YES, link=LinkKind.UNDO
            ),
        ),
    ),
    "undo a stop too soon": (
        FULL,
        commands.UndoStop(stop=9, choices=(SMS_OFFERS,), line=2, link=LinkKind.UNDO, hold=True),
        (happened(events.AnswerHeld, choices=(SMS_OFFERS,), until=end_of_day(NOW + HELD_FOR), link=LinkKind.UNDO),),
    ),
    "undo what another stop covers too": (
        attrs.evolve(FULL, stops=(*FULL.stops, attrs.evolve(STOPPED_ALL, at=BEFORE))),
        commands.UndoStop(stop=9, choices=(SMS_OFFERS,), line=2, link=LinkKind.UNDO),
        (),
    ),
    "undo a stop of a line that is gone": (
        attrs.evolve(ONE_REMOVED, stops=(no_to(EMAIL_OFFERS, BEFORE, 9),)),
        commands.UndoStop(stop=9, choices=(EMAIL_OFFERS,), line=1, link=LinkKind.UNDO),
        (),
    ),
    "prove a line that replaces another": (
        FULL,
        commands.ProveLine(line=NEW_LINE, replaces=(1,), through=1),
        (
            happened(events.LineRemoved, line=1),
            happened(
                events.LineAdded, grade=Grade.A, line=3, kind=AddressKind.EMAIL, through=1,
                personal={"line_3": "new@example.com"},
            ),
        ),
    ),
    "prove a line that is on record": (
        FULL,
        commands.ProveLine(line=NEW_LINE, through=1, proves=2),
        (happened(events.LineProved, grade=Grade.A, line=2, through=1),),
    ),
    "prove a line that was on record": (
        ONE_REMOVED,
        commands.ProveLine(line=NEW_LINE, through=2, proves=1),
        LinkSupersededError,
    ),
    "prove a line in place of one that is gone": (
        ONE_REMOVED,
        commands.ProveLine(line=NEW_LINE, replaces=(1,), through=1),
        LinkSupersededError,
    ),
    "undo a change of line": (
        ONE_REMOVED,
        commands.UndoLine(added=2, removed=(1,)),
        (happened(events.LineRemoved, line=2), happened(events.LineReinstated, line=1)),
    ),
    "undo the removal of a line": (
        ONE_REMOVED,
        commands.UndoLine(added=None, removed=(1,)),
        (happened(events.LineReinstated, line=1),),
    ),
    "undo a change to a line that is gone itself": (ONE_REMOVED, commands.UndoLine(added=3, removed=(1,)), ()),
    "undo a change of line again": (ONE_REMOVED, commands.UndoLine(added=1, removed=(2,)), ()),
    "undo the removal of a line that was left": (
        attrs.evolve(FULL, lines=(attrs.evolve(LINES[0], removed=True, left=True), *LINES[1:])),
        commands.UndoLine(added=2, removed=(1,)),
        (),
    ),
    "undo the removal of a line again": (FULL, commands.UndoLine(added=None, removed=(1,)), ()),
    "ask for a code": (
        FULL,
        commands.RequestService(service=Service.CODE, channel=EMAIL, line=1, link=LinkKind.MANAGE, code="mark"),
        (
            happened(
                events.ServiceRequested, service=Service.CODE, channel=EMAIL, line=1, link=LinkKind.MANAGE,
                code="mark",
            ),
        ),
    ),
    "complain": (
        FULL,
        commands.Complain(
            complaint="f" * 32, acknowledge_by=LATER, text=" Too many emails. ", link=LinkKind.MANAGE, code="mark"
        ),
        (
            happened(
                events.ComplaintReceived, complaint="f" * 32, acknowledge_by=LATER, link=LinkKind.MANAGE,
                code="mark", personal={"text_11": "Too many emails."},
            ),
        ),
    ),
    "complain again": (
        FULL,
        commands.Complain(complaint="c" * 32, acknowledge_by=LATER, text="Again", link=LinkKind.MANAGE),
        (),
    ),
    "complain about nothing": (
        FULL,
        commands.Complain(complaint="f" * 32, acknowledge_by=LATER, text=" ", link=LinkKind.MANAGE),
        AnswerError,
    ),
    "complain by telephone": (
        FULL,
        commands.Complain(
            complaint="f" * 32, acknowledge_by=LATER, text="Too many emails.", at=BEFORE, how="telephone",
            actor=Actor.STAFF,
        ),
        (
            by_staff(
                events.ComplaintReceived, occurred_at=BEFORE, complaint="f" * 32, acknowledge_by=LATER,
                personal={"text_11": "Too many emails.", "how_11": "telephone"},
            ),
        ),
    ),
    "complain and be on no record": (
        Standing(),
        commands.Complain(
            complaint="f" * 32, acknowledge_by=LATER, text="Too many emails.", how="letter", name="Eve",
            actor=Actor.STAFF, apart=True,
        ),
        (
            by_staff(
                events.ComplaintReceived, complaint="f" * 32, acknowledge_by=LATER,
                personal={"text_1": "Too many emails.", "how_1": "letter", "name_1": "Eve"},
            ),
        ),
    ),
    "complain in the future": (
        FULL,
        commands.Complain(complaint="f" * 32, acknowledge_by=LATER, text="No.", at=LATER),
        UsageError,
    ),
    "decide a complaint": (
        FULL,
        commands.DecideComplaint(complaint="c" * 32, outcome=" You were right. ", message="d" * 32),
        (
            by_staff(
                events.ComplaintDecided, Grade.B, complaint="c" * 32, message="d" * 32,
                personal={"outcome_11": "You were right."},
            ),
        ),
    ),
    "decide a complaint while its outcome is being sent": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        commands.DecideComplaint(complaint="c" * 32, outcome="You were right.", message="e" * 32),
        (),
    ),
    "decide a complaint that is resolved": (
        attrs.evolve(FULL, complaints=(attrs.evolve(COMPLAINT, resolved_at=BEFORE),)),
        commands.DecideComplaint(complaint="c" * 32, outcome="You were right.", message="d" * 32),
        (),
    ),
    "decide no complaint of theirs": (
        FULL,
        commands.DecideComplaint(complaint="f" * 32, outcome="You were right.", message="d" * 32),
        UsageError,
    ),
    "decide a complaint and not say what": (
        FULL,
        commands.DecideComplaint(complaint="c" * 32, outcome=" ", message="d" * 32),
        UsageError,
    ),
    "acknowledge a complaint": (
        FULL,
        commands.AnswerComplaint(complaint="c" * 32, how="by post", resolved=False),
        (by_staff(events.ComplaintAcknowledged, complaint="c" * 32, personal={"how_11": "by post"}),),
    ),
    "acknowledge a complaint again": (
        attrs.evolve(FULL, complaints=(attrs.evolve(COMPLAINT, acknowledged_at=BEFORE),)),
        commands.AnswerComplaint(complaint="c" * 32, how="by post", resolved=False),
        (),
    ),
    "resolve a complaint": (
        FULL,
        commands.AnswerComplaint(complaint="c" * 32, how="by post", resolved=True),
        (by_staff(events.ComplaintResolved, complaint="c" * 32, personal={"how_11": "by post"}),),
    ),
    "resolve a complaint again": (
        attrs.evolve(FULL, complaints=(attrs.evolve(COMPLAINT, resolved_at=BEFORE),)),
        commands.AnswerComplaint(complaint="c" * 32, how="by post", resolved=True),
        (),
    ),
    "resolve no complaint of theirs": (
        FULL,
        commands.AnswerComplaint(complaint="f" * 32, how="by post", resolved=True),
        UsageError,
    ),
    "resolve a complaint and not say how": (
        FULL,
        commands.AnswerComplaint(complaint="c" * 32, how=" ", resolved=True),
        UsageError,
    ),
    "record a consent on paper": (
        FULL,
        commands.RecordConsent(**FORM),
        (
            by_staff(
                events.ConsentGiven, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form"},
            ),
        ),
    ),
    "record a consent with its document": (
        FULL,
        commands.RecordConsent(attachments=(PAPER,), **FORM),
        (
            by_staff(
                events.ConsentGiven, Grade.C, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form", "attachment_11_1": SCAN},
            ),
        ),
    ),
    "record a consent a provider reports": (
        FULL,
        commands.RecordConsent(actor=Actor.PROVIDER, **FORM),
        (
            by_provider(
                events.ConsentGiven, Grade.D, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form"},
            ),
        ),
    ),
    "record the person's own consent over a stop": (
        FULL,
        commands.RecordConsent(actor=Actor.PERSON, context=BROWSER, **{**FORM, "choices": (SMS_OFFERS,)}),
        (
            happened(
                events.ConsentGiven, occurred_at=BEFORE, choices=(SMS_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form", **CONTEXT},
            ),
        ),
    ),
    "record a consent over a stop": (
        FULL,
        commands.RecordConsent(attachments=(PAPER,), **{**FORM, "choices": (EMAIL_OFFERS, SMS_OFFERS)}),
        (
            by_staff(
                events.ConsentGiven, Grade.C, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form", "attachment_11_1": SCAN},
            ),
            by_staff(
                events.ConsentGiven, Grade.C, occurred_at=BEFORE, choices=(SMS_OFFERS,), act=Act.TICKED_BOX,
                stopped_before=True, personal={"how_12": "paper form"},
            ),
        ),
    ),
    "record a consent by the system": (FULL, commands.RecordConsent(actor=Actor.SYSTEM, **FORM), UsageError),
    "record a consent to nothing": (FULL, commands.RecordConsent(**{**FORM, "choices": ()}), UsageError),
    "record a consent without evidence": (FULL, commands.RecordConsent(**{**FORM, "how": " "}), UsageError),
    "record a consent for a line that is gone": (ONE_REMOVED, commands.RecordConsent(**FORM), MissingLineError),
    "record a pre-ticked box": (FULL, commands.RecordConsent(**{**FORM, "act": Act.PRE_TICKED}), UsageError),
    "record a bundled consent": (FULL, commands.RecordConsent(manner=Manner(bundled=True), **FORM), UsageError),
    "record a bundled consent as what it is": (
        FULL,
        commands.RecordConsent(manner=Manner(bundled=True), unsound=commands.Unsound.KEEP, **FORM),
        (
            by_staff(
                events.ConsentGiven, Grade.E, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                manner=Manner(bundled=True), personal={"how_11": "paper form"},
            ),
        ),
    ),
    "record a sound consent, whatever is done with others": (
        FULL,
        commands.RecordConsent(unsound=commands.Unsound.KEEP, **FORM),
        (
            by_staff(
                events.ConsentGiven, occurred_at=BEFORE, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form"},
            ),
        ),
    ),
    "record a consent by a clock that is just ahead": (
        FULL,
        commands.RecordConsent(**{**FORM, "at": NOW + CLOCK_SKEW}),
        (
            by_staff(
                events.ConsentGiven, occurred_at=NOW + CLOCK_SKEW, choices=(EMAIL_OFFERS,), act=Act.TICKED_BOX,
                personal={"how_11": "paper form"},
            ),
        ),
    ),
    "record a consent of the future": (
        FULL,
        commands.RecordConsent(**{**FORM, "at": NOW + CLOCK_SKEW + TICK}),
        UsageError,
    ),
    "withdraw": (
        FULL,
        commands.Stop(
            objection=False, channels=(EMAIL,), purposes=("offers",), line=1, at=NOW, link=LinkKind.STOP, code="mark",
            context=BROWSER,
        ),
        (
            happened(
                events.ConsentWithdrawn, channels=(EMAIL,), purposes=("offers",), line=1, link=LinkKind.STOP,
                code="mark", personal=CONTEXT,
            ),
        ),
    ),
    "object by telephone": (
        FULL,
        commands.Stop(objection=True, at=BEFORE, actor=Actor.STAFF, how="by telephone"),
        (by_staff(events.ObjectionRaised, occurred_at=BEFORE, personal={"how_11": "by telephone"}),),
    ),
    "report a death": (
        FULL,
        commands.Stop(objection=True, at=BEFORE, actor=Actor.STAFF, through=Through.DECEASED),
        (by_staff(events.MarkedDeceased, occurred_at=BEFORE, through=Through.DECEASED),),
    ),
    "report that someone has gone away": (
        FULL,
        commands.Stop(objection=True, line=1, at=BEFORE, actor=Actor.STAFF, through=Through.GONE_AWAY),
        (by_staff(events.MarkedGoneAway, occurred_at=BEFORE, line=1, through=Through.GONE_AWAY),),
    ),
    "object for a domain": (
        FULL,
        commands.ObjectForDomain(domain="firm.example.com", at=BEFORE, how="letter"),
        (
            by_staff(
                events.DomainObjectionRaised, occurred_at=BEFORE,
                personal={"domain_11": "firm.example.com", "how_11": "letter"},
            ),
        ),
    ),
    "stop what is stopped": (
        FULL,
        commands.Stop(objection=False, channels=(SMS,), purposes=("offers",), line=2, at=BEFORE),
        (),
    ),
    "stop it again later": (
        FULL,
        commands.Stop(objection=False, channels=(SMS,), purposes=("offers",), line=2, at=BEFORE + TICK),
        (
            happened(
                events.ConsentWithdrawn, occurred_at=BEFORE + TICK, channels=(SMS,), purposes=("offers",), line=2
            ),
        ),
    ),
    "object to what was only withdrawn": (
        FULL,
        commands.Stop(objection=True, channels=(SMS,), purposes=("offers",), line=2, at=BEFORE),
        (happened(events.ObjectionRaised, occurred_at=BEFORE, channels=(SMS,), purposes=("offers",), line=2),),
    ),
    "stop more than is stopped": (
        FULL,
        commands.Stop(objection=False, channels=(SMS,), line=2, at=BEFORE),
        (happened(events.ConsentWithdrawn, occurred_at=BEFORE, channels=(SMS,), line=2),),
    ),
    "stop a line that is gone": (
        ONE_REMOVED,
        commands.Stop(objection=False, line=1, at=NOW, through=Through.REPLY),
        (happened(events.ConsentWithdrawn, line=1, through=Through.REPLY),),
    ),
    "stop now by a clock that is behind": (
        AHEAD,
        commands.Stop(objection=True),
        (
            happened(events.ObjectionRaised, occurred_at=NOW + DAY, recorded_at=NOW + DAY),
        ),
    ),
    "stop moments ago by a clock that is behind": (
        AHEAD,
        commands.Stop(objection=True, at=NOW - MOMENTS),
        (happened(events.ObjectionRaised, occurred_at=NOW + DAY, recorded_at=NOW + DAY),),
    ),
    "tell later of a stop": (
        AHEAD,
        commands.Stop(objection=True, at=NOW - MOMENTS - TICK),
        (happened(events.ObjectionRaised, occurred_at=NOW - MOMENTS - TICK, recorded_at=NOW + DAY),),
    ),
    "record a consent by a clock that is behind": (
        AHEAD,
        commands.RecordConsent(**{**FORM, "at": NOW}),
        (
            by_staff(
                events.ConsentGiven, occurred_at=NOW + DAY, recorded_at=NOW + DAY, choices=(EMAIL_OFFERS,),
                act=Act.TICKED_BOX, personal={"how_11": "paper form"},
            ),
        ),
    ),
    "tell later of a consent": (
        AHEAD,
        commands.RecordConsent(**{**FORM, "at": NOW - TICK}),
        (
            by_staff(
                events.ConsentGiven, occurred_at=NOW - TICK, recorded_at=NOW + DAY, choices=(EMAIL_OFFERS,),
                act=Act.TICKED_BOX, personal={"how_11": "paper form"},
            ),
        ),
    ),
    "stop a line that never was": (FULL, commands.Stop(objection=True, line=3, at=NOW), MissingLineError),
    "stop after an erasure": (ERASED, commands.Stop(objection=True, at=NOW), ()),
    "stop for no contact": (Standing(), commands.Stop(objection=True, at=NOW), UnknownContactError),
    "record a sale": (
        FULL,
        commands.RecordSoftOptIn(goods="books", at=BEFORE, how="till", **SALE_FACTS),
        (
            by_staff(
                events.SoftOptInRecorded, occurred_at=BEFORE, goods="books", personal={"how_11": "till"},
                **SALE_FACTS,
            ),
        ),
    ),
    "record a sale at an unknown time": (
        FULL,
        commands.RecordSoftOptIn(goods="books", at=None, refused=None, **SALE_FACTS),
        (by_staff(events.SoftOptInRecorded, goods="books", refused=None, dated=False, **SALE_FACTS),),
    ),
    "record a sale for a line that is gone": (
        ONE_REMOVED,
        commands.RecordSoftOptIn(goods="books", at=BEFORE, **SALE_FACTS),
        MissingLineError,
    ),
    "record a charity's supporter": (
        FULL,
        commands.RecordCharitySoftOptIn(at=BEFORE, how="stall", **SUPPORT_FACTS),
        (
            by_staff(
                events.CharitySoftOptInRecorded, occurred_at=BEFORE, dated=True, personal={"how_11": "stall"},
                **SUPPORT_FACTS,
            ),
        ),
    ),
    "record a charity's supporter at an unknown time": (
        FULL,
        commands.RecordCharitySoftOptIn(at=None, **SUPPORT_FACTS),
        (by_staff(events.CharitySoftOptInRecorded, dated=False, **SUPPORT_FACTS),),
    ),
    "record a charity's supporter for a line that is gone": (
        ONE_REMOVED,
        commands.RecordCharitySoftOptIn(at=BEFORE, **SUPPORT_FACTS),
        MissingLineError,
    ),
    "record a message as accepted": (
        FULL,
        commands.RecordOutcome(
            outcome=Outcome.ACCEPTED, question="1" * 32, backend="smtp", status="2.0.0", code="mark",
            provider_id="id", provider_code="250", reply="250 ok", **MESSAGE,
        ),
        (
            by_provider(
                events.MessageAccepted, question="1" * 32, backend="smtp", code="mark", provider_id="id",
                personal={"reply_11": "250 ok"}, **MESSAGE,
            ),
        ),
    ),
    "record the receipt of a complaint as accepted": (
        FULL,
        commands.RecordOutcome(outcome=Outcome.ACCEPTED, complaint="c" * 32, **MESSAGE),
        (
            by_provider(events.MessageAccepted, **MESSAGE),
            by_system(events.ComplaintAcknowledged, complaint="c" * 32, message="d" * 32),
        ),
    ),
    "record the outcome of a complaint as accepted": (
        attrs.evolve(FULL, complaints=(SENDING,)),
        commands.RecordOutcome(outcome=Outcome.ACCEPTED, complaint="c" * 32, **MESSAGE),
        (
            by_provider(events.MessageAccepted, **MESSAGE),
            by_system(events.ComplaintResolved, complaint="c" * 32, message="d" * 32),
        ),
    ),
    "record an answer to a complaint as refused for an address on no record": (
        FULL,
        commands.RecordOutcome(
            outcome=Outcome.REFUSED, fault=Fault.ADDRESS, message="d" * 32, channel=EMAIL, line=0, complaint="c" * 32
        ),
        (by_provider(events.MessageRefused, message="d" * 32, channel=EMAIL, line=0),),
    ),
    "record a second receipt of a complaint as accepted": (
        attrs.evolve(FULL, complaints=(attrs.evolve(COMPLAINT, acknowledged_at=BEFORE),)),
        commands.RecordOutcome(outcome=Outcome.ACCEPTED, complaint="c" * 32, **MESSAGE),
        (by_provider(events.MessageAccepted, **MESSAGE),),
    ),
    "record a message as refused": (
        FULL,
        commands.RecordOutcome(outcome=Outcome.REFUSED, fault=Fault.MESSAGE, **MESSAGE),
        (by_provider(events.MessageRefused, **MESSAGE),),
    ),
    "record a message as refused for its address": (
        FULL,
        commands.RecordOutcome(
            outcome=Outcome.REFUSED, fault=Fault.ADDRESS, backend="smtp", status="5.1.1", provider_code="550",
            **MESSAGE,
        ),
        (
            by_provider(
                events.MessageRefused, backend="smtp", status="5.1.1", provider_code="550", **MESSAGE
            ),
            by_provider(events.LineFailed, backend="smtp", status="5.1.1", provider_code="550", **MESSAGE),
        ),
    ),
    "record a message as refused because the person opted out": (
        FULL,
        commands.RecordOutcome(outcome=Outcome.REFUSED, fault=Fault.OPTED_OUT, **MESSAGE),
        (
            by_provider(events.MessageRefused, **MESSAGE),
            by_provider(events.ObjectionRaised, through=Through.PROVIDER, **OBJECTED),
        ),
    ),
    "record a message as in doubt": (
        FULL,
        commands.RecordOutcome(outcome=Outcome.IN_DOUBT, **MESSAGE),
        (by_system(events.MessageDoubted, **MESSAGE),),
    ),
    "record a message to be tried again": (
        FULL,
        commands.RecordOutcome(outcome=Outcome.RETRY_LATER, **MESSAGE),
        (),
    ),
    "record an outcome after an erasure": (
        ERASED,
        commands.RecordOutcome(outcome=Outcome.REFUSED, fault=Fault.ADDRESS, reply="550 a@example.com", **MESSAGE),
        (by_provider(events.MessageRefused, **MESSAGE),),
    ),
    "record a delivery": (
        FULL,
        commands.RecordDelivery(
            status=DeliveryStatus.DELIVERED, question="1" * 32, backend="ses", status_code="2.0.0",
            provider_code="ok", detail="delivered", **REPORT,
        ),
        (
            by_provider(
                events.MessageDelivered, occurred_at=BEFORE, question="1" * 32, backend="ses", status="2.0.0",
                provider_code="ok", personal={"detail_11": "delivered"}, **MESSAGE,
            ),
        ),
    ),
    "record a delivery by a clock that is ahead": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.DELIVERED, **{**REPORT, "at": LATER}),
        (by_provider(events.MessageDelivered, **MESSAGE),),
    ),
    "record a delivery of no known message": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.DELIVERED, **{**REPORT, "message": ""}),
        (),
    ),
    "record a message as on its way": (FULL, commands.RecordDelivery(status=DeliveryStatus.SENT, **REPORT), ()),
    "record a message as delayed": (FULL, commands.RecordDelivery(status=DeliveryStatus.DELAYED, **REPORT), ()),
    "record a message as not delivered": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.FAILED, **REPORT),
        (by_provider(events.MessageUndelivered, occurred_at=BEFORE, **MESSAGE),),
    ),
    "record a bounce": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.BOUNCED, backend="ses", status_code="5.1.1", **REPORT),
        (
            by_provider(
                events.MessageUndelivered, occurred_at=BEFORE, backend="ses", status="5.1.1", **MESSAGE
            ),
            by_provider(events.LineFailed, occurred_at=BEFORE, backend="ses", status="5.1.1", **MESSAGE),
        ),
    ),
    "record a bounce of no known message": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.BOUNCED, **{**REPORT, "message": ""}),
        (by_provider(events.LineFailed, occurred_at=BEFORE, channel=EMAIL, line=1),),
    ),
    "record a spam report": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.COMPLAINED, **REPORT),
        (by_provider(events.ObjectionRaised, occurred_at=BEFORE, through=Through.COMPLAINT, **OBJECTED),),
    ),
    "record that the person opted out with the provider": (
        FULL,
        commands.RecordDelivery(status=DeliveryStatus.OPTED_OUT, **REPORT),
        (
            by_provider(events.MessageUndelivered, occurred_at=BEFORE, **MESSAGE),
            by_provider(events.ObjectionRaised, occurred_at=BEFORE, through=Through.PROVIDER, **OBJECTED),
        ),
    ),
    "record a delivery after an erasure": (
        ERASED,
        commands.RecordDelivery(status=DeliveryStatus.DELIVERED, **REPORT),
        (),
    ),
    "record what the person wrote": (
        FULL,
        commands.RecordMessage(channel=SMS, line=2, meaning=Meaning.HELP, backend="twilio", at=LATER, text="help"),
        (
            happened(
                events.MessageReceived, channel=SMS, line=2, meaning=Meaning.HELP, backend="twilio",
                personal={"text_11": "help"},
            ),
        ),
    ),
    "record what the person wrote after an erasure": (
        ERASED,
        commands.RecordMessage(channel=SMS, line=2, meaning=Meaning.HELP, at=BEFORE, text="help"),
        (),
    ),
    "restore a line": (
        FULL,
        commands.RestoreLine(channel=EMAIL, line=1, how="called them"),
        (by_staff(events.LineRestored, channel=EMAIL, line=1, personal={"how_11": "called them"}),),
    ),
    "restore a line that works": (FULL, commands.RestoreLine(channel=Channel.MMS, line=2, how="called them"), ()),
    "restore a line that is gone": (
        ONE_REMOVED,
        commands.RestoreLine(channel=EMAIL, line=1, how="called them"),
        MissingLineError,
    ),
    "leave a line": (
        FULL,
        commands.LeaveLine(line=1, how="moved out", at=BEFORE),
        (by_staff(events.LineLeft, line=1, occurred_at=BEFORE, personal={"how_11": "moved out"}),),
    ),
    "leave a line that was removed": (
        ONE_REMOVED,
        commands.LeaveLine(line=1, how="moved out", at=NOW),
        (by_staff(events.LineLeft, line=1, personal={f"how_{ONE_REMOVED.version + 1}": "moved out"}),),
    ),
    "leave a line and an earlier one": (
        ONE_REMOVED,
        commands.LeaveLine(line=2, also=(1,), how="moved out", at=NOW),
        tuple(
            by_staff(events.LineLeft, line=line, personal={f"how_{ONE_REMOVED.version + line}": "moved out"})
            for line in (1, 2)
        ),
    ),
    "leave a line again": (
        attrs.evolve(FULL, lines=(attrs.evolve(LINES[0], removed=True, left=True), *LINES[1:])),
        commands.LeaveLine(line=1, how="moved out", at=NOW),
        (),
    ),
    "leave a line that never was": (FULL, commands.LeaveLine(line=9, how="moved out", at=NOW), MissingLineError),
    "leave a line without evidence": (FULL, commands.LeaveLine(line=1, how=" ", at=NOW), UsageError),
    "withhold a message": (
        FULL,
        commands.WithholdMessage(question="1" * 32, **MESSAGE, **GATED),
        (by_system(events.MessageWithheld, question="1" * 32, **MESSAGE, **GATED),),
    ),
    "withhold a message after an erasure": (ERASED, commands.WithholdMessage(**MESSAGE, **GATED), ()),
    "revoke the links": (FULL, commands.RevokeLinks(), (by_staff(events.LinksRevoked, Grade.B),)),
    "revoke the links after an erasure": (ERASED, commands.RevokeLinks(), ()),
    "erase": (FULL, commands.EraseContact(), (by_staff(events.ContactErased, Grade.B),)),
    "erase again": (ERASED, commands.EraseContact(), ()),
    "erase no contact": (Standing(), commands.EraseContact(), UnknownContactError),
}  # fmt: skip


def test_a_command_leads_to_what_its_row_says(subtests: pytest.Subtests) -> None:
    """
    To these events and no others, or to none; or it is refused with this very error.
    """
    for row, (standing, command, expected) in DECIDED.items():
        with subtests.test(row):
            if isinstance(expected, tuple):
                assert expected == decide(command, standing, now=NOW)
            else:
                with pytest.raises(expected) as caught:
                    decide(command, standing, now=NOW)
                assert expected is caught.type


def test_every_command_has_a_row() -> None:
    """
    A command that is added is added to the table, with something it leads to.
    """
    leading = {type(command) for _, command, expected in DECIDED.values() if isinstance(expected, tuple) and expected}
    assert set(get_args(Command)) == leading


def test_what_is_erased_or_was_never_there_stays_so(subtests: pytest.Subtests) -> None:
    """
    No command makes anything of a contact who was erased or never added, but the adding, the end of a message, the
    answer to a complaint, and a complaint of someone who is on no record.
    """
    for (row, (_, command, _)), standing in product(DECIDED.items(), [Standing(), ERASED]):
        with subtests.test(row, erased=standing is ERASED):
            apart = isinstance(command, commands.Complain) and command.apart
            if (isinstance(command, commands.AddContact) or apart) and not standing.version:
                continue
            try:
                decided = decide(command, standing, now=NOW)
            except (UnknownContactError, UsageError):
                continue
            assert standing.erased_at is not None
            answers = events.ComplaintAcknowledged | events.ComplaintDecided | events.ComplaintResolved
            assert all(isinstance(event, events.MessageEvent | answers) for event in decided)
            assert not any(event.personal for event in decided)


@pytest.mark.parametrize("row", [row for row, (_, _, expected) in DECIDED.items() if isinstance(expected, tuple)])
def test_what_is_decided_can_be_applied(row: str) -> None:
    """
    The standing after a decision has as many events more as it led to.
    """
    standing, command, _ = DECIDED[row]
    decided = decide(command, standing, now=NOW)
    assert standing.version + len(decided) == fold(decided, standing).version
