"""
Questions put to the gate directly: the parts of its answer that no scenario speaks of, and facts that none has.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.parties import Subscriber
from optly.protocols import Listing, RegisterName
from optly.record.commands import AddContact, NewLine
from optly.record.consent import (
    AnsweredWish,
    Line,
    Standing,
    StandingConsent,
    StandingSoftOptIn,
    StandingStop,
    decide,
    fold,
)
from optly.record.events import (
    Act,
    Actor,
    CharitySoftOptInRecorded,
    Choice,
    CommunicationMade,
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    Defect,
    Engagement,
    Event,
    Evidence,
    Grade,
    Manner,
    MessageAccepted,
    MessageDelivered,
    MessageDoubted,
    MessageRefused,
    ObjectionRaised,
    Reading,
    Through,
)
from optly.record.standing import CoHolder, shared
from optly.rules import (
    Call,
    Charity,
    CharityLaw,
    ClientRelationship,
    Communication,
    Decision,
    Duty,
    MessageKind,
    Reason,
    RefusalCost,
    Solicited,
)
from optly.rules.editions import Fines

AT = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = date(2026, 11, 23)
TICK = timedelta(microseconds=1)
NAMES = (RegisterName.TPS, RegisterName.CTPS, RegisterName.FPS)


@attrs.frozen(kw_only=True)
class Question:
    """
    A question and what is expected of the answer, and the settings of the rulebook that is asked.
    """

    name: str
    communication: Communication
    standing: Standing
    expected: Mapping[str, Any]
    settings: Mapping[str, Any] = attrs.field(factory=dict)

    def answered(self, decision: Decision) -> Mapping[str, Any]:
        """
        Return of *decision* what something is expected of.
        """
        return {name: getattr(decision, name) for name in self.expected}


def listing(register: RegisterName, listed_on: date | None = None, as_of: date = DAY) -> Listing:
    return Listing(register=register, listed_on=listed_on, at=AT, checked_at=AT, as_of=as_of, version="1")


CLEAR = tuple(listing(name) for name in NAMES)
LISTED = tuple(listing(name, date(2025, 1, 1)) for name in NAMES)
FAIR = Call(
    shows_number=True,
    gives_name=True,
    gives_contact=True,
    contact_is_free=True,
    claims_management=False,
    pensions=False,
)


def communication(channel: Channel, **changes: Any) -> Communication:
    facts: dict[str, Any] = {
        "kind": MessageKind.MARKETING,
        "sender": "acme",
        "purpose": "offers",
        "contact": "0" * 32,
        "line": 1,
        "at": AT,
        "call": FAIR,
        "listings": CLEAR,
        "delivered": None,
    }
    return Communication(channel=channel, **{**facts, **changes})


def consent(channel: Channel, **changes: Any) -> StandingConsent:
    facts: dict[str, Any] = {
        "purpose": "offers",
        "line": 1,
        "wording": "0" * 64,
        "at": AT - timedelta(days=30),
        "expires_at": None,
        "own": True,
        "seq": 7,
    }
    return StandingConsent(channel=channel, **{**facts, **changes})


def stop(**changes: Any) -> StandingStop:
    facts: dict[str, Any] = {
        "channel": None,
        "purpose": None,
        "line": None,
        "at": AT - timedelta(days=9),
        "objection": True,
        "seq": 9,
    }
    return StandingStop(**{**facts, **changes})


def sale(channel: Channel, **changes: Any) -> StandingSoftOptIn:
    facts: dict[str, Any] = {
        "line": 1,
        "obtained_by": "acme",
        "in_sale": True,
        "similar_purposes": ("offers",),
        "refusal_offered": True,
        "at": AT - timedelta(days=60),
        "seq": 5,
    }
    return StandingSoftOptIn(channel=channel, **{**facts, **changes})


def _happened(
    at: datetime, recorded_at: datetime | None = None, actor: Actor = Actor.PERSON, grade: Grade = Grade.B
) -> dict[str, Any]:
    return {"occurred_at": at, "recorded_at": recorded_at or at, "actor": actor, "grade": grade}


def yes(days: int, **changes: Any) -> ConsentGiven:
    """
    Agree to offers by email on line 1, that many days before the message.
    """
    at = AT - timedelta(days=days)
    facts = {key: changes.pop(key) for key in ("recorded_at", "actor", "grade") if key in changes}
    choice = Choice(channel=Channel.EMAIL, purpose="offers", line=1, wording="0" * 64)
    return ConsentGiven(**_happened(at, **facts), **{"choices": (choice,), "act": Act.CHOSE_YES, **changes})


def no(days: int, kind: type[ConsentWithdrawn | ObjectionRaised] = ObjectionRaised, **changes: Any) -> Event:
    return kind(**_happened(AT - timedelta(days=days)), **changes)


def refusal(days: int) -> ConsentRefused:
    choice = Choice(channel=Channel.EMAIL, purpose="offers", line=1, wording="0" * 64)
    return ConsentRefused(**_happened(AT - timedelta(days=days)), choices=(choice,))


def gift(at: datetime, **changes: Any) -> CharitySoftOptInRecorded:
    facts: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "line": 1,
        "obtained_by": "acme",
        "engagement": Engagement.SUPPORT,
        "purpose_held": True,
        "refusal_offered": True,
        "refused": False,
        "dated": True,
    }
    return CharitySoftOptInRecorded(**_happened(at, AT - TICK, Actor.STAFF, Grade.D), **{**facts, **changes})


def _histories() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask about what follows from events, in whatever order they arrive.
    """
    email = communication(Channel.EMAIL)
    giving = communication(
        Channel.EMAIL, charity=Charity(law=CharityLaw.ENGLAND_WALES), charitable_only=True, purpose="appeals"
    )
    early, late = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 3, 1, tzinfo=UTC)
    allowed, refused = {"allowed": True}, {"allowed": False}
    unnamed, unproven = (Defect.CHANNEL_NOT_NAMED,), {"reason": Reason.CONSENT_UNPROVEN}
    ahead = AT + timedelta(minutes=3)
    asked: list[tuple[Communication, tuple[Event, ...], dict[str, Any]]] = [
        # The latest of its kind counts, and of two at one instant the one that came first.
        (email, (no(5), no(20), yes(9)), {"reason": Reason.OBJECTED, "evidence": (1,)}),
        (email, (no(20), no(5), yes(9)), {"reason": Reason.OBJECTED, "evidence": (2,)}),
        (email, (no(5), no(5)), {"evidence": (1,)}),
        (email, (yes(5), yes(20), no(9)), {"allowed": True, "evidence": (1,)}),
        (email, (yes(20), yes(5), no(9)), {"allowed": True, "evidence": (2,)}),
        (email, (yes(5), yes(5)), {"evidence": (1,)}),
        # A stop covers what it names.
        (email, (yes(9), no(5, purposes=("news",))), allowed),
        (email, (yes(9), no(5, purposes=("news", "offers"))), refused),
        (email, (yes(9), no(5, channels=(Channel.SMS,))), allowed),
        (email, (yes(9), no(5, line=2)), allowed),
        (email, (yes(9), no(5, ConsentWithdrawn)), {"reason": Reason.WITHDRAWN}),
        (email, (yes(9), refusal(5)), {"reason": Reason.WITHDRAWN}),
        # Only the person lifts it, by an act of their own that we or the host saw.
        (email, (no(9), yes(5)), allowed),
        (email, (no(9), yes(5, grade=Grade.A)), allowed),
        (email, (no(9), yes(5, grade=Grade.D)), refused),
        (email, (no(9), yes(5, actor=Actor.STAFF)), refused),
        (email, (no(9), yes(5, manner=Manner())), allowed),
        (email, (no(9), yes(5, manner=Manner(organisations=("acme",)))), refused),
        (email, (no(9), yes(5, manner=Manner(collected_by="partner"))), refused),
        (email, (no(9), yes(5, act=Act.PRE_TICKED)), {"reason": Reason.OBJECTED}),
        # Someone who may decide for the holder is no stranger.
        (email, (yes(5, manner=Manner(by_holder=False, authorised=True)),), allowed),
        (email, (yes(5, manner=Manner(by_holder=False)),), {"failed": (Defect.NOT_THE_HOLDER,)}),
        (email, (yes(5, manner=Manner(by_holder=None, authorised=False)),), {"failed": (Defect.NOT_THE_HOLDER,)}),
        # Whether each of several organisations could be chosen has to be told; of one there is nothing to tell.
        # Art 8 is about online services, and no other law gives an age.
        *(
            (email, (yes(5, manner=Manner(of_age=of_age, online=online)),), {"failed": (defect,)})
            for of_age in (False, None)
            for online, defect in ((True, Defect.CHILD), (None, Defect.CHILD), (False, Defect.NOT_OLD_ENOUGH))
        ),
        *((email, (yes(5, manner=Manner(of_age=True, online=online)),), allowed) for online in (True, None, False)),
        (email, (yes(5, manner=Manner(organisations=("acme", "beta"))),), {"failed": (Defect.NO_CHOICE_OF_SENDER,)}),
        (email, (yes(5, manner=Manner(organisations=("acme", "beta"), chosen_singly=True)),), allowed),
        (email, (yes(5, manner=Manner(organisations=("acme",))),), allowed),
        (email, (yes(5, manner=Manner(chosen_singly=None)),), {"failed": (Defect.NO_CHOICE_OF_SENDER,)}),
        # What was found in the words counts, unless somebody signs for them; missing evidence counts all the same.
        (email, (yes(5, reading=Reading(found=("not_judged",))),), allowed),
        (email, (yes(5, reading=Reading(defects=unnamed)),), {"failed": unnamed}),
        (email, (yes(5, reading=Reading(defects=unnamed, accepted=True)),), allowed),
        (email, (yes(5, reading=Reading(unproven=(Evidence.HOW,))),), unproven),
        (email, (yes(5, reading=Reading(unproven=(Evidence.HOW,), accepted=True)),), unproven),
        # What is no consent neither counts nor takes the place of one.
        (email, (yes(9), yes(5, act=Act.PRE_TICKED)), {"allowed": True, "evidence": (1,)}),
        (email, (yes(9, act=Act.SILENCE),), {"reason": Reason.CONSENT_UNSOUND, "failed": (Defect.NOT_AFFIRMATIVE,)}),
        # A clock that was ahead does not put a yes after the stop that followed it.
        (email, (yes(0, recorded_at=AT - timedelta(minutes=2)),), allowed),
        (
            communication(Channel.EMAIL, at=ahead + timedelta(days=1)),
            (
                ConsentGiven(**_happened(ahead, AT), choices=yes(1).choices, act=Act.CHOSE_YES),
                ObjectionRaised(**_happened(AT + timedelta(minutes=1))),
            ),
            {"reason": Reason.OBJECTED},
        ),
        # Of two soft opt-ins alike the later counts; one that lacks something takes nothing from another.
        (giving, (gift(early), gift(late)), {"allowed": True, "evidence": (2,)}),
        (giving, (gift(late), gift(early)), {"allowed": True, "evidence": (1,)}),
        (giving, (gift(late), gift(late)), {"evidence": (1,)}),
        (giving, (gift(late), gift(late, refusal_offered=False)), {"allowed": True, "evidence": (1,)}),
        (giving, (gift(late, refusal_offered=False), gift(late)), {"allowed": True, "evidence": (2,)}),
        (giving, (gift(late), gift(late, refused=True)), {"reason": Reason.WITHDRAWN, "regulation": "22(3A)(c)"}),
    ]
    return [(question, fold(events), expected) for question, events, expected in asked]


def _questions() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    email, text, call, fax, post = Channel.EMAIL, Channel.SMS, Channel.LIVE_CALL, Channel.FAX, Channel.POST
    nobody, company = Standing(), Standing(subscriber=Subscriber.COMPANY)
    withdrawn = stop(objection=False)

    def agreed(*consents: StandingConsent, **facts: Any) -> Standing:
        return Standing(consents=consents, **facts)

    def unsound(*consents: StandingConsent) -> Standing:
        return Standing(unsound=consents)

    def law(at: datetime, since: str, fines: Fines) -> tuple[Communication, Standing, dict[str, Any]]:
        name = f"PECR {since}, read 2026-11-23"
        asked = communication(call, at=at, listings=tuple(listing(name, as_of=at.date()) for name in NAMES))
        return asked, nobody, {"allowed": True, "edition": name, "fines": fines}

    low, high = Fines.UP_TO_500_000, Fines.HIGHER_MAXIMUM
    of_2018, of_2019 = datetime(2018, 12, 17, tzinfo=UTC), datetime(2019, 1, 9, tzinfo=UTC)
    of_2025, of_2026 = datetime(2025, 8, 19, 23, tzinfo=UTC), datetime(2026, 2, 5, tzinfo=UTC)
    return [
        # Editions and fines.
        law(of_2018, "2018-12-17", low),
        law(of_2019 - TICK, "2018-12-17", low),
        law(of_2019, "2019-01-09", low),
        law(of_2025 - TICK, "2019-01-09", low),
        law(of_2025, "2025-08-20", low),
        law(of_2026 - TICK, "2025-08-20", low),
        law(of_2026, "2026-02-05", high),
        (communication(call, at=of_2018 - TICK), nobody, {"allowed": False, "reason": Reason.NOT_COVERED}),
        (communication(post, at=of_2019), nobody, {"allowed": True, "fines": high}),
        # Who is not on record may have asked for something, and is no company.
        (
            communication(
                email, kind=MessageKind.SOLICITED, line=None, contact="", solicited=Solicited(how="form", at=AT)
            ),
            nobody,
            {"allowed": True, "reason": Reason.SOLICITED},
        ),
        *(
            (
                communication(
                    channel, kind=MessageKind.SOLICITED, line=None, contact="", solicited=wish, listings=LISTED
                ),
                Standing(stops=stops),
                {"allowed": not stops},
            )
            for channel in (email, call, fax)
            for wish in (Solicited(how="form", at=AT - timedelta(days=1)),)
            for stops in ((), (stop(at=AT, seq=None),))
        ),
        (communication(email, line=None), company, {"allowed": False, "reason": Reason.NOT_ON_RECORD}),
        (communication(fax, line=None), company, {"allowed": False, "reason": Reason.NOT_ON_RECORD}),
        (communication(call, line=None), nobody, {"allowed": True, "reason": Reason.NO_OBJECTION}),
        (communication(call, line=None), Standing(stops=(stop(),)), {"allowed": False, "reason": Reason.OBJECTED}),
        (communication(call, line=None), Standing(stops=(stop(line=1),)), {"allowed": True}),
        # A call that was asked for goes after every stop of what it counts as, and not just after the first.
        *(
            (
                communication(
                    Channel.AUTOMATED_CALL,
                    kind=MessageKind.SOLICITED,
                    solicited=Solicited(how="web form", at=AT - timedelta(days=5)),
                    call=attrs.evolve(FAIR, recorded=False),
                ),
                Standing(
                    stops=(
                        stop(channel=Channel.AUTOMATED_CALL, at=AT - timedelta(days=automated), seq=1),
                        stop(channel=call, at=AT - timedelta(days=live), seq=2),
                    )
                ),
                {"allowed": evidence == (), "evidence": evidence},
            )
            for automated, live, evidence in ((9, 8, ()), (9, 3, (2,)), (3, 9, (1,)))
        ),
        # The holder of the line counts, whatever the contact is.
        *(
            (
                communication(email, line=line),
                Standing(
                    subscriber=contact, lines=(Line(number=1, kind=AddressKind.EMAIL, subscriber=Subscriber.COMPANY),)
                ),
                {"allowed": allowed, "subscriber": holder},
            )
            for contact, line, allowed, holder in (
                (Subscriber.INDIVIDUAL, 1, True, Subscriber.COMPANY),
                (Subscriber.INDIVIDUAL, 2, False, Subscriber.INDIVIDUAL),
                (Subscriber.LLP, 2, True, Subscriber.LLP),
            )
        ),
        (
            communication(email),
            fold(
                decide(
                    AddContact(
                        subscriber=Subscriber.COMPANY,
                        lines=(
                            NewLine(kind=AddressKind.EMAIL, value="a@example.com", subscriber=Subscriber.INDIVIDUAL),
                        ),
                    ),
                    Standing(),
                    now=AT,
                )
            ),
            {"allowed": False, "subscriber": Subscriber.INDIVIDUAL},
        ),
        # A request for consent that the person asked for carries nothing but the question.
        *(
            (
                communication(
                    email,
                    kind=MessageKind.CONSENT_REQUEST,
                    solicited=Solicited(how="form", at=AT),
                    promotional=promotional,
                ),
                nobody,
                {"allowed": promotional is False},
            )
            for promotional in (False, None, True)
        ),
        # It is refused too for what was stopped on the channels it asks about.
        (
            communication(email, kind=MessageKind.CONSENT_REQUEST, asks=((text, 2),)),
            agreed(consent(email), stops=(stop(channel=text),)),
            {"allowed": False, "reason": Reason.OBJECTED, "evidence": (9,)},
        ),
        # Stops by their kind, and what may not be sent to whoever was erased.
        (
            communication(email),
            agreed(consent(email), stops=(stop(seq=None),)),
            {"reason": Reason.SUPPRESSED, "regulation": "UK GDPR 21(3)", "also": ("22(2)",), "evidence": ()},
        ),
        (
            communication(email),
            Standing(stops=(withdrawn,)),
            {
                "reason": Reason.WITHDRAWN,
                "regulation": "22(2)",
                "also": ("UK GDPR 21(3)", "UK GDPR 7(3)"),
                "evidence": (9,),
            },
        ),
        (
            communication(email),
            Standing(stops=(stop(),), subscriber=Subscriber.COMPANY),
            {"reason": Reason.OBJECTED, "regulation": "policy: honour opt-out", "also": ()},
        ),
        (
            communication(email, kind=MessageKind.SERVICE, promotional=False),
            Standing(erased_at=AT),
            {"allowed": False, "reason": Reason.ERASED},
        ),
        (
            communication(email),
            agreed(soft_opt_ins=(sale(email),), stops=(stop(),)),
            {"regulation": "22(3)(c)", "also": ("22(2)", "UK GDPR 21(3)")},
        ),
        *(
            (communication(email), agreed(soft_opt_ins=(other,), stops=(stop(),)), {"regulation": "22(2)"})
            for other in (sale(text), sale(email, line=2), sale(email, at=AT + TICK))
        ),
        # A consent, when it ends, and what is wrong with it.
        (
            communication(email),
            agreed(consent(email, expires_at=AT)),
            {"reason": Reason.CONSENTED, "evidence": (7,), "valid_until": AT, "regulation": "22(2)"},
        ),
        (
            communication(email),
            agreed(consent(email, expires_at=AT - TICK)),
            {"reason": Reason.CONSENT_EXPIRED, "evidence": (7,), "failed": ("expires_at",)},
        ),
        (
            communication(email),
            agreed(consent(email, organisations=("other-ltd",), expires_at=AT)),
            {"reason": Reason.NO_CONSENT, "evidence": (7,), "failed": ("organisations",)},
        ),
        (
            communication(email),
            agreed(consent(email, organisations=("other-ltd",))),
            {"reason": Reason.NO_CONSENT, "failed": ("organisations",)},
        ),
        (
            communication(email),
            agreed(consent(email, organisations=("other-ltd", "acme"), own=False)),
            {"reason": Reason.CONSENTED, "evidence": (7,)},
        ),
        (
            communication(email),
            unsound(consent(email, defects=(Defect.UNPROVEN,))),
            {
                "reason": Reason.CONSENT_UNPROVEN,
                "regulation": "22(2); UK GDPR 7(1)",
                "evidence": (7,),
                "failed": ("unproven",),
            },
        ),
        (
            communication(email),
            unsound(
                consent(email, defects=(Defect.BUNDLED, Defect.CHILD), seq=8),
                consent(email, defects=(Defect.CONDITIONAL,), seq=6),
            ),
            {
                "reason": Reason.CONSENT_UNSOUND,
                "regulation": "22(2)",
                "also": ("2(1)", "UK GDPR 7(4)"),
                "evidence": (6,),
                "failed": (Defect.CONDITIONAL,),
            },
        ),
        *(
            (
                communication(email),
                unsound(consent(channel, defects=(Defect.BUNDLED,), **{"purpose": "offers", **other})),
                {"reason": Reason.NO_CONSENT, "evidence": (), "failed": ("consent",)},
            )
            for channel, other in ((text, {}), (email, {"purpose": "news"}), (email, {"line": 2}))
        ),
        *(
            (
                communication(Channel.AUTOMATED_CALL),
                agreed(consent(call, at=at)),
                {"allowed": False, "regulation": regulation},
            )
            for at, regulation in ((AT, "19(2)(a)"), (AT + TICK, "19(1)"))
        ),
        # What somebody else collected long ago takes nothing from what was given to us.
        (
            communication(email),
            agreed(consent(email, at=AT - timedelta(days=400)), consent(text, collected_by="partner", own=False)),
            {"allowed": True, "reason": Reason.CONSENTED},
        ),
        (
            communication(text),
            agreed(consent(text, collected_by="partner", own=False, at=AT - timedelta(days=400))),
            {"reason": Reason.CONSENT_TOO_OLD, "evidence": (7,), "failed": ("too_old",)},
        ),
        # Registers: how old a copy may be, a listing still to come, and which register was not asked.
        *(
            (
                communication(call, listings=tuple(listing(name, as_of=DAY - timedelta(days=days)) for name in NAMES)),
                nobody,
                {"allowed": days == 28, "reason": reason},
            )
            for days, reason in ((28, Reason.NO_OBJECTION), (29, Reason.REGISTER_NOT_CHECKED))
        ),
        *(
            (
                communication(call, listings=tuple(listing(name, DAY + timedelta(days=days)) for name in NAMES)),
                nobody,
                {"reason": reason},
            )
            for days, reason in (
                (1, Reason.NO_OBJECTION),
                (0, Reason.NEWLY_LISTED),
                (-27, Reason.NEWLY_LISTED),
                (-28, Reason.LISTED),
            )
        ),
        (
            communication(call, listings=CLEAR[:1]),
            nobody,
            {"reason": Reason.REGISTER_NOT_CHECKED, "failed": ("ctps",), "listings": CLEAR[:1]},
        ),
        (communication(call, listings=(*LISTED, *CLEAR)), nobody, {"reason": Reason.LISTED, "regulation": "21(1)(b)"}),
        (communication(call, listings=(*CLEAR, *LISTED)), nobody, {"reason": Reason.LISTED, "also": ("21(4)",)}),
        (
            communication(call, listings=LISTED, call=attrs.evolve(FAIR, connected=False)),
            nobody,
            {"reason": Reason.LISTED, "also": ("21(4)", "2(1)")},
        ),
        # A ground comes before what has to be shown and said.
        (
            communication(call, listings=LISTED, call=attrs.evolve(FAIR, shows_number=False)),
            nobody,
            {"reason": Reason.LISTED},
        ),
        (communication(email, shows_identity=False), nobody, {"reason": Reason.NO_CONSENT}),
        (communication(fax, call=attrs.evolve(FAIR, gives_name=False)), nobody, {"reason": Reason.NO_CONSENT}),
        # Stops of calls and faxes, with the number on a register and not.
        *(
            (
                communication(channel, listings=listings),
                Standing(stops=(kind,), subscriber=Subscriber.COMPANY),
                {"regulation": regulation},
            )
            for channel, listings, kind, regulation in (
                (call, LISTED, withdrawn, "21(5)"),
                (call, CLEAR, withdrawn, "21(1)(a)"),
                (call, LISTED, stop(), "21(1)(a)"),
                (fax, LISTED, withdrawn, "20(6)"),
                (fax, CLEAR, withdrawn, "20(1)(b)"),
                (fax, LISTED, stop(), "20(1)(b)"),
            )
        ),
        (
            communication(fax),
            agreed(consent(fax), subscriber=Subscriber.COMPANY),
            {"reason": Reason.CORPORATE_SUBSCRIBER, "regulation": "20(1)", "evidence": ()},
        ),
        *(
            (communication(fax, listings=listings), agreed(consent(fax)), {"regulation": regulation})
            for listings, regulation in ((CLEAR, "20(2)"), (LISTED, "20(5)"))
        ),
        # Calls by what they are.
        (communication(Channel.AUTOMATED_CALL), nobody, {"allowed": False, "regulation": "19(1)"}),
        (communication(call), nobody, {"allowed": True, "regulation": "21(1)", "also": ("21(A1)", "24(1)(b)")}),
        (
            communication(call, call=attrs.evolve(FAIR, pensions=True)),
            company,
            {"allowed": True, "also": ("21(A1)", "24(1)(b)", "21B(1)")},
        ),
        (communication(call), company, {"allowed": True, "also": ("21(A1)", "24(1)(b)")}),
        (
            communication(call, call=attrs.evolve(FAIR, pensions=True, authorised=True)),
            agreed(consent(call), subscriber=Subscriber.INDIVIDUAL),
            {"regulation": "21B(2)", "also": ("21(A1)", "24(1)(b)")},
        ),
        *(
            (
                communication(call, call=attrs.evolve(FAIR, pensions=True, client=client)),
                standing,
                {"reason": Reason.CALLER_NOT_AUTHORISED, "regulation": regulation},
            )
            for client, standing, regulation in (
                (None, nobody, "21B(1)"),
                (None, agreed(consent(call)), "21B(2)(a)"),
                (ClientRelationship(), nobody, "21B(3)(a)"),
            )
        ),
        # A consent that does not run, and stops it does not lift.
        (communication(email), agreed(consent(email, at=AT + TICK)), {"reason": Reason.NO_CONSENT}),
        *(
            (communication(email), agreed(later, stops=(stop(),)), {"reason": Reason.OBJECTED})
            for later in (
                consent(email, at=AT, own=False),
                consent(text, at=AT),
                consent(email, at=AT, purpose="news"),
                consent(email, at=AT, line=2),
                consent(email, at=AT + TICK),
                consent(email, at=AT - timedelta(days=8), expires_at=AT - TICK),
                consent(email, at=AT - timedelta(days=9)),
            )
        ),
        (communication(email), agreed(consent(email, at=AT), stops=(stop(),)), {"allowed": True}),
        # One's own consent comes first. What somebody else recorded counts from after the stops that were lifted.
        (
            communication(email),
            agreed(consent(email, own=False, at=AT, seq=8), consent(email)),
            {"evidence": (7,)},
        ),
        *(
            (
                communication(
                    call, sender="agency", instigator="acme", call=attrs.evolve(FAIR, pensions=True, authorised=True)
                ),
                agreed(
                    consent(call, at=AT),
                    consent(call, own=False, organisations=("agency", "acme"), at=given_at, seq=8),
                    stops=(stop(),),
                    subscriber=Subscriber.INDIVIDUAL,
                ),
                {"allowed": allowed},
            )
            for given_at, allowed in (
                (AT - timedelta(days=9) - TICK, False),
                (AT - timedelta(days=9), False),
                (AT - timedelta(days=9) + TICK, True),
            )
        ),
        # What is still to be done.
        (
            communication(email),
            agreed(soft_opt_ins=(sale(email),)),
            {
                "evidence": (5,),
                "duties": (Duty.SHOW_IDENTITY, Duty.GIVE_STOP_ADDRESS, Duty.OFFER_FREE_REFUSAL),
            },
        ),
        (communication(call), nobody, {"duties": (Duty.SHOW_NUMBER, Duty.GIVE_NAME, Duty.GIVE_CONTACT_IF_ASKED)}),
        (communication(fax), company, {"duties": (Duty.GIVE_NAME, Duty.GIVE_CONTACT)}),
        (communication(post), nobody, {"duties": (Duty.HAVE_LAWFUL_BASIS, Duty.TELL_OF_RIGHT_TO_OBJECT)}),
    ]


def _whose_consent() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask whom a consent was given to, and whom an objection was made to.
    """
    email, call, auto, fax = Channel.EMAIL, Channel.LIVE_CALL, Channel.AUTOMATED_CALL, Channel.FAX
    claims = attrs.evolve(FAIR, claims_management=True)
    pension = attrs.evolve(FAIR, pensions=True, authorised=True)
    client = ClientRelationship(
        calls_envisaged=True, refusal_at_collection=True, refusal_each_time=True, avoids_ban=False
    )
    needing: list[dict[str, Any]] = [
        {"channel": email},
        {"channel": auto},
        {"channel": fax},
        {"channel": call, "listings": LISTED},
        {"channel": call, "call": claims},
        {"channel": call, "call": pension},
    ]
    by_person = {"own": False, "by_person": True}
    asked: list[tuple[Communication, Standing, dict[str, Any]]] = []
    for facts in needing:
        channel = facts["channel"]
        for organisations, instigator, allowed in (
            (None, "", True),
            (None, "insurer", False),
            (("acme",), "insurer", False),
            (("insurer",), "", False),
            (("acme", "insurer"), "insurer", True),
            (("acme", "insurer"), "", True),
        ):
            given = consent(channel, organisations=organisations, own=organisations is None)
            expected: dict[str, Any] = {"allowed": allowed}
            if not allowed and not facts.get("listings"):
                expected["failed"] = ("organisations",)
            asked.append((communication(**facts, instigator=instigator), Standing(consents=(given,)), expected))
    at_caller = stop(organisation="acme")
    at_insurer = stop(organisation="insurer")
    both = consent(email, organisations=("acme", "insurer"), own=False)
    anew = consent(email, organisations=("acme", "insurer"), at=AT, **by_person)
    own = consent(email, at=AT)
    for_insurer = communication(email, instigator="insurer")
    return [
        *asked,
        # A client of the caller's is not one of whoever has the call made.
        *(
            (
                communication(call, instigator=instigator, call=attrs.evolve(pension, client=client)),
                Standing(),
                {"allowed": not instigator, "failed": ("instigator",) if instigator else ()},
            )
            for instigator in ("", "insurer")
        ),
        # A stop that names an organisation covers what it sends or instigates, and nothing else.
        (
            for_insurer,
            Standing(consents=(both,), stops=(at_insurer,)),
            {"allowed": False, "reason": Reason.OBJECTED, "failed": ("organisation",)},
        ),
        (
            for_insurer,
            Standing(consents=(both,), stops=(stop(organisation="insurer", seq=None),)),
            {"reason": Reason.SUPPRESSED, "failed": ("organisation",)},
        ),
        (communication(email), Standing(stops=(stop(seq=None),)), {"reason": Reason.SUPPRESSED, "failed": ()}),
        (
            communication(email),
            Standing(stops=(stop(seq=None, holder="b" * 32),)),
            {"reason": Reason.OBJECTED_BY_HOLDER, "failed": (), "evidence": ()},
        ),
        (communication(email), Standing(consents=(consent(email),), stops=(at_insurer,)), {"allowed": True}),
        (for_insurer, Standing(consents=(both,), stops=(stop(),)), {"allowed": False}),
        (for_insurer, Standing(consents=(both,), stops=(stop(organisation="other"),)), {"allowed": True}),
        (communication(email), Standing(consents=(consent(email),), stops=(at_caller,)), {"allowed": False}),
        (communication(call, instigator="insurer"), Standing(stops=(at_insurer,)), {"regulation": "21(1)(a)"}),
        # What lifts it is a later yes of the person's own that names that organisation.
        (for_insurer, Standing(consents=(anew,), stops=(at_insurer,)), {"allowed": True}),
        (for_insurer, Standing(consents=(both, own), stops=(at_insurer,)), {"reason": Reason.OBJECTED}),
        (for_insurer, Standing(consents=(anew,), stops=(stop(),)), {"reason": Reason.OBJECTED}),
        (
            for_insurer,
            Standing(consents=(attrs.evolve(anew, by_person=False),), stops=(at_insurer,)),
            {"reason": Reason.OBJECTED},
        ),
        (
            for_insurer,
            Standing(consents=(attrs.evolve(anew, at=at_insurer.at),), stops=(at_insurer,)),
            {"reason": Reason.OBJECTED},
        ),
        (for_insurer, Standing(consents=(anew, own), stops=(at_insurer, stop())), {"allowed": True}),
        (for_insurer, Standing(consents=(anew,), stops=(at_insurer, stop())), {"reason": Reason.OBJECTED}),
        (
            for_insurer,
            Standing(consents=(attrs.evolve(anew, organisations=("other",)),), stops=(at_insurer,)),
            {"reason": Reason.OBJECTED},
        ),
        # By the events: who acted, and whom they named.
        *(
            (
                for_insurer,
                fold([no(9, organisation="insurer"), yes(5, manner=manner, **changes)]),
                {"allowed": allowed},
            )
            for manner, changes, allowed in (
                (Manner(organisations=("insurer",)), {}, True),
                (Manner(organisations=("insurer",)), {"grade": Grade.A}, True),
                (Manner(organisations=("insurer",)), {"grade": Grade.D}, False),
                (Manner(organisations=("insurer",)), {"actor": Actor.STAFF}, False),
                (Manner(organisations=("insurer",), collected_by="partner"), {}, False),
                (None, {}, False),
            )
        ),
        # Two objections alike that were made to different organisations are two.
        *(
            (message, fold([no(9, organisation="insurer"), no(5)]), {"evidence": (2,)})
            for message in (communication(email), for_insurer)
        ),
    ]


def _in_other_records() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    A stop in another record that was made as it was recorded is lifted by a yes that knew it, whatever two clocks say;
    one that was told with an earlier time, by any that came after that.
    """
    email, known = communication(Channel.EMAIL), "a1"
    elsewhere = stop(seq=None, mark=known, at=AT - timedelta(days=20))

    def stopped(*events: Event) -> Standing:
        return fold(events).with_stops([elsewhere])

    def beside(objection: Event) -> Standing:
        holder = attrs.evolve(fold([objection]), anonymous=True)
        return shared(fold([yes(5)]), [CoHolder(contact="b" * 32, line=1, number=1, standing=holder)])

    return [
        (email, stopped(yes(5)), {"reason": Reason.SUPPRESSED}),
        (email, stopped(yes(5, after=(known,))), {"allowed": True}),
        # Of two at one time, the one that knew more counts; of two times, the later.
        (email, stopped(yes(5), yes(5, after=(known,))), {"allowed": True}),
        (email, stopped(yes(5), yes(6, after=(known,))), {"reason": Reason.SUPPRESSED}),
        (email, beside(no(9)), {"reason": Reason.OBJECTED_BY_HOLDER}),
        (email, beside(attrs.evolve(no(9), recorded_at=AT - TICK)), {"allowed": True}),
    ]


def _what_it_is() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask what a message is, of which the person has stopped whatever is marketing.
    """
    email, call = Channel.EMAIL, Channel.LIVE_CALL
    stopped = Standing(stops=(stop(),))
    service, research = MessageKind.SERVICE, MessageKind.RESEARCH
    task: dict[str, Any] = {"public_task": "waste collection", "public_authority": True}
    told: list[tuple[dict[str, Any], Reason | None, tuple[str, ...]]] = [
        ({"kind": service}, None, ("promotional",)),
        ({"kind": service, "promotional": None}, None, ("promotional",)),
        ({"kind": service, "promotional": True}, None, ("promotional",)),
        ({"kind": service, "promotional": False}, Reason.SERVICE, ()),
        ({"kind": research}, None, ("promotional",)),
        ({"kind": research, "promotional": True}, None, ("promotional",)),
        ({"kind": research, "promotional": False}, Reason.MARKET_RESEARCH, ()),
        ({"kind": research, "promotional": False, **task}, Reason.MARKET_RESEARCH, ()),
        ({"kind": MessageKind.MARKETING, "promotional": False}, None, ()),
        ({"kind": service, "promotional": True, **task}, Reason.PUBLIC_TASK, ()),
        ({"kind": MessageKind.MARKETING, **task}, Reason.PUBLIC_TASK, ()),
        ({"kind": MessageKind.CONSENT_REQUEST, **task}, None, ()),
        ({"kind": service, **task, "public_task": " "}, None, ("promotional",)),
        ({"kind": service, **task, "public_authority": False}, None, ("public_authority",)),
        ({"kind": service, **task, "public_authority": False, "promotional": False}, Reason.SERVICE, ()),
    ]
    machine: list[tuple[bool | None, tuple[Channel, ...], bool, tuple[str, ...]]] = [
        (None, (), False, ("consent", "call.recorded")),
        (None, (Channel.AUTOMATED_CALL,), True, ()),
        (True, (), False, ("consent",)),
        (True, (Channel.AUTOMATED_CALL,), True, ()),
        (False, (), True, ()),
    ]
    return [
        *(
            (
                communication(email, **facts),
                stopped,
                {"allowed": reason is not None, "reason": reason or Reason.OBJECTED, "failed": failed},
            )
            for facts, reason, failed in told
        ),
        # A machine's voice is recorded matter, and where it is not known what speaks, it may be one.
        *(
            (
                communication(call, call=attrs.evolve(FAIR, recorded=recorded)),
                Standing(consents=tuple(consent(channel) for channel in channels)),
                {"allowed": allowed, "failed": failed},
            )
            for recorded, channels, allowed, failed in machine
        ),
        (
            communication(call, call=attrs.evolve(FAIR, recorded=None), listings=LISTED),
            Standing(consents=(consent(Channel.AUTOMATED_CALL),)),
            {"allowed": False, "reason": Reason.LISTED},
        ),
        (
            communication(call, call=attrs.evolve(FAIR, recorded=None), listings=LISTED),
            Standing(),
            {"allowed": False, "reason": Reason.LISTED, "failed": ("consent",)},
        ),
        (
            communication(email, kind=service, promotional=True),
            Standing(consents=(consent(email),)),
            {"reason": Reason.CONSENTED, "failed": ()},
        ),
        (communication(call), Standing(), {"allowed": True}),
        (communication(Channel.AUTOMATED_CALL), Standing(), {"regulation": "19(1)"}),
        # What was not said is named where saying it would allow the call, and only there.
        *(
            (communication(call, call=attrs.evolve(FAIR, **unsaid), listings=listings), standing, expected)
            for unsaid, listings, standing, expected in (
                ({"claims_management": None}, CLEAR, Standing(), {"failed": ("consent", "call.claims_management")}),
                ({"claims_management": None}, LISTED, Standing(), {"failed": ("consent",)}),
                ({"claims_management": None}, CLEAR, stopped, {"reason": Reason.OBJECTED, "failed": ()}),
                (
                    {"claims_management": None},
                    CLEAR,
                    Standing(consents=(consent(call),)),
                    {"allowed": True, "failed": ()},
                ),
                ({"claims_management": True}, CLEAR, Standing(), {"failed": ("consent",)}),
                ({"pensions": None}, CLEAR, Standing(), {"failed": ("call.authorised", "call.pensions")}),
                ({"pensions": None}, LISTED, Standing(), {"failed": ("call.authorised",)}),
                (
                    {"pensions": None, "authorised": True},
                    CLEAR,
                    Standing(consents=(consent(call),)),
                    {"allowed": True, "failed": ()},
                ),
                (
                    {"claims_management": None, "pensions": None},
                    CLEAR,
                    Standing(consents=(consent(call),)),
                    {"failed": ("call.authorised", "call.pensions")},
                ),
                ({"pensions": True}, CLEAR, Standing(), {"failed": ("call.authorised",)}),
            )
        ),
        # Who asks for a letter after they objected to letters gets it, once.
        *(
            (
                communication(Channel.POST, kind=kind, solicited=Solicited(how="letter", at=AT - timedelta(days=days))),
                attrs.evolve(stopped, answered=answered),
                {"allowed": allowed, "reason": Reason.SOLICITED if allowed else Reason.OBJECTED},
            )
            for kind, days, answered, allowed in (
                (MessageKind.SOLICITED, 1, (), True),
                (MessageKind.SOLICITED, 1, (AnsweredWish(line=1, asked_at=AT - timedelta(days=1)),), False),
                (MessageKind.SOLICITED, 60, (), False),
                (MessageKind.MARKETING, 1, (), False),
            )
        ),
    ]


def _made(days: int, reason: str, **changes: Any) -> CommunicationMade:
    facts: dict[str, Any] = {
        "communication": "0" * 32,
        "channel": Channel.EMAIL,
        "purpose": "offers",
        "line": 1,
        "regulation": "",
        "edition": "",
    }
    at = AT - timedelta(days=days)
    return CommunicationMade(**_happened(at, actor=Actor.STAFF), reason=reason, **{**facts, **changes})


ALLOWED = {"purpose": "offers", "regulation": "22(2)", "reason": "consented"}


def _message(kind: type[Any], days: int, **changes: Any) -> Event:
    facts: dict[str, Any] = {"message": "a" * 32, "channel": Channel.EMAIL, "line": 1}
    if kind is MessageDoubted:
        facts |= ALLOWED
    event: Event = kind(**_happened(AT - timedelta(days=days), actor=Actor.PROVIDER), **{**facts, **changes})
    return event


def _ages() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask how old a consent may be that nobody used, and a wish that nobody granted.
    """
    email = communication(Channel.EMAIL)
    old, limit = datetime(2023, 11, 23, 10, tzinfo=UTC), {"allowed": True}
    # Given to somebody else nine months ago, and to us four years ago.
    borrowed = yes(270, actor=Actor.STAFF, manner=Manner(collected_by="broker"))
    ours = yes(4 * 365)
    too_old = {"reason": Reason.CONSENT_TOO_OLD, "failed": ("too_old",)}
    dormant = {"reason": Reason.CONSENT_TOO_OLD, "failed": ("dormant",), "also": ("2(1)", "UK GDPR 4(11)")}
    question = ConsentRequested(
        **_happened(AT - timedelta(days=200)),
        question="b" * 32,
        via=Channel.EMAIL,
        line=1,
        choices=(Choice(channel=Channel.SMS, purpose="offers", line=2, wording="0" * 64),),
        language="en",
        expires_at=AT,
        regulation="22(2)",
        reason="consented",
        edition="",
    )
    used: list[tuple[Event, ...]] = [
        (_made(200, "consented"),),
        (_made(200, "consented", purpose="news", also_for=("offers",)),),
        (_made(200, "no_objection"),),
        (_message(MessageAccepted, 199, **ALLOWED),),
        (_message(MessageAccepted, 199, **{**ALLOWED, "purpose": "news", "also_for": ("offers",)}),),
        (_message(MessageDoubted, 200), _message(MessageAccepted, 199)),
        (_message(MessageDoubted, 200, purpose="news", also_for=("offers",)), _message(MessageAccepted, 199)),
        (_message(MessageDoubted, 200), _message(MessageDelivered, 199)),
        (
            _message(MessageDoubted, 200),
            _message(MessageDoubted, 200, message="c" * 32, purpose="news"),
            _message(MessageAccepted, 199),
        ),
        (question, _message(MessageAccepted, 199, question="b" * 32)),
    ]
    unused: list[tuple[Event, ...]] = [
        (),
        *((_made(200, reason),) for reason in ("service", "public_task", "market_research", "solicited")),
        (_made(200, "consented", purpose="news"),),
        (_made(200, "consented", channel=Channel.POST),),
        (_made(200, "consented", line=2),),
        (_message(MessageDoubted, 200),),
        (_message(MessageAccepted, 199),),
        (_message(MessageAccepted, 199, **{**ALLOWED, "reason": "solicited"}),),
        (_message(MessageAccepted, 199, **{**ALLOWED, "purpose": "news"}),),
        (_message(MessageRefused, 199, **ALLOWED),),
        # Of two alike that are on their way, the latest is waited for.
        (
            _message(MessageDoubted, 200),
            _message(MessageDoubted, 200, message="c" * 32),
            _message(MessageAccepted, 199),
        ),
        (_message(MessageDoubted, 200), _message(MessageAccepted, 199, message="c" * 32)),
        (_message(MessageDoubted, 200), _message(MessageRefused, 199), _message(MessageAccepted, 198)),
        (attrs.evolve(question, reason="solicited"), _message(MessageAccepted, 199, question="b" * 32)),
    ]
    wish = Solicited(how="form", at=AT - timedelta(days=30))
    asked = communication(Channel.EMAIL, kind=MessageKind.SOLICITED, solicited=wish)

    def in_vain(fact: str) -> dict[str, Any]:
        return {"allowed": False, "reason": Reason.NO_CONSENT, "failed": ("consent", fact)}

    granted = _made(1, "solicited", solicited_at=wish.at)
    return [
        (email, Standing(consents=(consent(Channel.EMAIL, at=old),)), limit),
        (email, Standing(consents=(consent(Channel.EMAIL, at=old - TICK),)), dormant),
        (email, Standing(consents=(consent(Channel.EMAIL, at=old - TICK, purpose="news"),)), {"failed": ("consent",)}),
        (
            communication(Channel.EMAIL, first_contact=False),
            Standing(consents=(consent(Channel.EMAIL, at=old - TICK),)),
            {"allowed": True},
        ),
        *((email, fold([given, *events]), {"allowed": True}) for given in (borrowed, ours) for events in used),
        *(
            (email, fold([given, *events]), expected)
            for given, expected in ((borrowed, too_old), (ours, dormant))
            for events in unused
        ),
        # Used before it was given is not used; and long ago is long ago.
        (email, fold([borrowed, _made(271, "consented")]), too_old),
        (email, fold([borrowed, _made(270, "consented")]), {"allowed": True}),
        (email, fold([ours, _made(3 * 366, "consented")]), dormant),
        (email, fold([ours, _made(200, "consented"), _made(3 * 366, "consented")]), {"allowed": True}),
        (email, fold([ours, _made(3 * 366, "consented"), _made(200, "consented")]), {"allowed": True}),
        # What the instigator collected itself is not somebody else's.
        *(
            (
                communication(Channel.EMAIL, sender="agency", instigator="acme"),
                fold([yes(270, manner=Manner(organisations=("acme",), collected_by=collected_by))]),
                {"allowed": allowed},
            )
            for collected_by, allowed in (("acme", True), ("broker", False))
        ),
        # A wish ages, and is granted once.
        (asked, Standing(), {"allowed": True, "reason": Reason.SOLICITED}),
        (attrs.evolve(asked, at=AT + TICK), Standing(), in_vain("solicited.at")),
        (attrs.evolve(asked, solicited=None), Standing(), in_vain("solicited")),
        (attrs.evolve(asked, attempt=2), Standing(), in_vain("attempt")),
        (asked, Standing(stops=(stop(at=wish.at),)), {"reason": Reason.OBJECTED, "failed": ()}),
        (asked, fold([granted]), in_vain("attempt")),
        (asked, fold([attrs.evolve(granted, line=2)]), {"allowed": True}),
        (asked, fold([attrs.evolve(granted, solicited_at=wish.at - TICK)]), {"allowed": True}),
        (asked, fold([attrs.evolve(granted, solicited_at=None)]), {"allowed": True}),
        *(
            (
                communication(
                    Channel.EMAIL,
                    kind=MessageKind.CONSENT_REQUEST,
                    at=AT + later,
                    solicited=wish,
                ),
                fold([granted]),
                {"allowed": not later},
            )
            for later in (timedelta(0), TICK)
        ),
    ]


def _ages_set() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask a rulebook that sets no age for a consent, and another for a wish.
    """
    email = Channel.EMAIL
    return [
        (
            communication(email),
            Standing(consents=(consent(email, at=datetime(2015, 11, 1, tzinfo=UTC)),)),
            {"allowed": True},
        ),
        *(
            (
                communication(email),
                fold([yes(4 * 365, actor=Actor.STAFF, manner=Manner(collected_by="broker")), *events]),
                {"allowed": bool(events)},
            )
            for events in ((), (_made(4 * 365 - 9, "consented"),))
        ),
        *(
            (
                communication(email, kind=MessageKind.SOLICITED, solicited=Solicited(how="form", at=AT - age)),
                Standing(),
                {"allowed": age == timedelta(days=2)},
            )
            for age in (timedelta(days=2), timedelta(days=2) + TICK)
        ),
    ]


def _late() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask a rulebook for which a consent is dormant before one that someone else collected is too old.
    """
    message = communication(Channel.EMAIL)
    return [
        (message, Standing(consents=(consent(Channel.EMAIL, at=at, **given),)), {"failed": failed})
        for given in ({}, {"collected_by": "broker", "own": False})
        for at, failed in (
            (datetime(2025, 11, 23, 10, tzinfo=UTC), ()),
            (datetime(2025, 11, 23, 10, tzinfo=UTC) - TICK, (Defect.DORMANT,)),
        )
    ]


def _in_february() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask at the end of the shortest month.
    """
    given = Standing(
        consents=(consent(Channel.EMAIL, at=datetime(2026, 1, 31, 10, tzinfo=UTC), collected_by="broker", own=False),)
    )
    end = datetime(2026, 2, 28, 10, tzinfo=UTC)
    return [
        (communication(Channel.EMAIL, at=end + late), given, {"allowed": not late}) for late in (timedelta(0), TICK)
    ]


def at_a_company(contact: Subscriber) -> Standing:
    """
    Return the standing of a contact whose line is a company's.
    """
    return Standing(subscriber=contact, lines=(Line(number=1, kind=AddressKind.EMAIL, subscriber=Subscriber.COMPANY),))


def _words_of_law() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask which provisions a decision names, and that it names no other.
    """
    email, call = Channel.EMAIL, Channel.LIVE_CALL
    wish = Solicited(how="form", at=AT)
    company = Standing(subscriber=Subscriber.COMPANY)
    sold = Standing(soft_opt_ins=(sale(email),))
    given = fold([gift(datetime(2026, 3, 1, tzinfo=UTC))])
    right = "UK GDPR 21(3)"
    return [
        # The right to object is that of a natural person.
        *(
            (
                communication(channel),
                attrs.evolve(company, stops=(kind,)),
                {"regulation": regulation, "also": also},
            )
            for channel, kind, regulation, also in (
                (email, stop(), "policy: honour opt-out", ()),
                (email, stop(objection=False), "policy: honour opt-out", ()),
                (email, stop(seq=None), "policy: honour opt-out", ()),
                (Channel.POST, stop(), "policy: honour opt-out", ()),
                (call, stop(), "21(1)(a)", ()),
                (call, stop(seq=None), "policy: honour opt-out", ("21(1)(a)",)),
            )
        ),
        # It is that of a company's contact at an address of their own.
        (
            communication(email),
            Standing(
                subscriber=Subscriber.COMPANY,
                lines=(Line(number=1, kind=AddressKind.EMAIL, subscriber=Subscriber.INDIVIDUAL),),
                stops=(stop(),),
            ),
            {"regulation": "22(2)", "also": (right,)},
        ),
        # Of a sender that is no charity, what is wanting of a sale is named, and not that it is none.
        (
            communication(email),
            attrs.evolve(given, soft_opt_ins=(sale(email, similar_purposes=("news",), refusal_offered=False),)),
            {"failed": ("similar_purposes", "refusal_offered")},
        ),
        # It is theirs at a company's address too: the regulations ask whose line it is, and Article 21 who objects.
        *(
            (
                communication(channel),
                attrs.evolve(standing, stops=(kind,)),
                {"regulation": regulation, "also": also, "subscriber": Subscriber.COMPANY},
            )
            for standing in (at_a_company(Subscriber.INDIVIDUAL), at_a_company(Subscriber.UNKNOWN))
            for channel, kind, regulation, also in (
                (email, stop(), right, ()),
                (email, stop(objection=False), right, ("UK GDPR 7(3)",)),
                (email, stop(seq=None), right, ()),
                (call, stop(), "21(1)(a)", (right,)),
            )
        ),
        (communication(email), attrs.evolve(company, erased_at=AT), {"regulation": "policy: honour opt-out"}),
        (communication(email), attrs.evolve(at_a_company(Subscriber.INDIVIDUAL), erased_at=AT), {"regulation": right}),
        (communication(call), Standing(stops=(stop(),)), {"regulation": "21(1)(a)", "also": (right,)}),
        # That someone died or went away is nobody's objection.
        *(
            (
                communication(channel),
                Standing(stops=(stop(through=through),)),
                {"regulation": regulation, "also": also, "through": through},
            )
            for channel, through, regulation, also in (
                (Channel.POST, Through.DECEASED, "CAP Code 10", ()),
                (Channel.POST, Through.GONE_AWAY, "UK GDPR 5(1)(d)", ()),
                (Channel.POST, Through.LETTER, right, ()),
                (call, Through.DECEASED, "21(1)(a)", ("CAP Code 10",)),
            )
        ),
        # What a question asks about may not be stopped, nor may its own channel.
        (
            communication(email, kind=MessageKind.CONSENT_REQUEST, asks=((Channel.SMS, 2),)),
            Standing(stops=(stop(channel=email),)),
            {"reason": Reason.OBJECTED, "evidence": (9,)},
        ),
        (communication(Channel.POST), Standing(stops=(stop(),)), {"regulation": right, "also": ()}),
        # A message that cannot be stopped fails 22(3)(c) and 23(b) alike.
        *(
            (
                communication(email, **facts),
                sold,
                {"regulation": "22(3)(c)", "also": ("22(2)", *also), "failed": failed},
            )
            for facts, failed, also in (
                ({"gives_stop_address": False}, ("gives_stop_address",), ("23(b)",)),
                ({"refusal_cost": RefusalCost.MORE}, ("refusal_cost",), ("23(b)",)),
                ({"refusal_cost": None}, ("refusal_cost",), ()),
                ({"offers_refusal": False}, ("offers_refusal",), ()),
                ({"offers_refusal": False, "shows_identity": False}, ("offers_refusal",), ("23(a)",)),
            )
        ),
        (
            communication(email, gives_stop_address=False, shows_identity=False),
            Standing(),
            {"regulation": "22(2)", "also": ("2(1)", "23(a)", "23(b)"), "reason": Reason.NO_CONSENT},
        ),
        (communication(email, gives_stop_address=None), Standing(), {"also": ("2(1)",)}),
        (communication(email, gives_stop_address=False), company, {"regulation": "23(b)", "also": ()}),
        # Whether a charity that is in no register is one is for the definition to say.
        *(
            (
                communication(
                    email, charity=Charity(law=CharityLaw.ENGLAND_WALES, registered=registered), charitable_only=True
                ),
                given,
                {"regulation": "22(3A)", "also": also},
            )
            for registered, also in ((True, ("23",)), (False, ("22(5)", "23")), (None, ("22(5)", "23")))
        ),
        (
            communication(email, charity=CHARITY, charitable_only=False),
            given,
            {"regulation": "22(3A)(a)", "also": ("22(2)",)},
        ),
        # So it is with who may call about pensions.
        (
            communication(call, call=attrs.evolve(FAIR, pensions=True)),
            Standing(),
            {"regulation": "21B(1)", "also": ("21B(2)(a)", "21B(3)(a)", "21B(5)(a)")},
        ),
        # A call that was asked for names the regulations it may be one of, and no other.
        *(
            (
                communication(call, kind=MessageKind.SOLICITED, solicited=wish, call=attrs.evolve(FAIR, **unsaid)),
                Standing(),
                {"regulation": "21(1)", "also": (*also, "21(A1)", "24(1)(b)")},
            )
            for unsaid, also in (
                ({}, ()),
                ({"claims_management": None}, ("21A(1)",)),
                ({"pensions": True}, ("21B(1)",)),
            )
        ),
        # Nothing is named twice.
        (
            communication(email),
            Standing(unsound=(consent(email, defects=(Defect.UNPROVEN,)),)),
            {"regulation": "22(2); UK GDPR 7(1)", "also": ("2(1)",)},
        ),
        *(
            (
                communication(email),
                Standing(unsound=(consent(email, defects=(defect,)),)),
                {"also": ("2(1)", "UK GDPR 4(11)")},
            )
            for defect in (Defect.NOT_THE_HOLDER, Defect.NOT_OLD_ENOUGH, Defect.TOO_OLD, Defect.DORMANT)
        ),
        # A yes that a lifted stop ended names the sender all the same.
        (
            communication(email),
            Standing(
                consents=(
                    consent(email, at=AT - timedelta(days=20), seq=3, own=False),
                    consent(email, at=AT - timedelta(days=1), expires_at=AT - TICK, seq=5, purpose="news"),
                ),
                stops=(stop(purpose="news"),),
            ),
            {"allowed": True},
        ),
    ]


def _of_charities() -> list[tuple[Communication, Standing, dict[str, Any]]]:
    """
    Ask a rulebook that knows the sender for a charity. What a message says of itself goes before that.
    """
    email, given = Channel.EMAIL, fold([gift(datetime(2026, 3, 1, tzinfo=UTC))])
    scottish = Charity(law=CharityLaw.SCOTLAND)
    return [
        (communication(email), given, {"allowed": True, "reason": Reason.CHARITY_SOFT_OPT_IN}),
        (communication(email, purpose="news"), given, {"allowed": False, "failed": ("charitable_only",)}),
        (communication(email, charity=scottish, charitable_only=True), given, {"failed": ("charity",)}),
        (communication(email), Standing(), {"allowed": False, "reason": Reason.NO_CONSENT}),
    ]


def _named(
    asked: list[tuple[Communication, Standing, dict[str, Any]]], kind: str, **settings: Any
) -> Iterator[Question]:
    for number, (message, standing, expected) in enumerate(asked):
        yield Question(
            name=f"{kind}-{number}-{message.channel}",
            communication=message,
            standing=standing,
            expected=expected,
            settings=settings,
        )


CHARITY = Charity(law=CharityLaw.NORTHERN_IRELAND)
QUESTIONS = (
    *_named(_whose_consent(), "whose"),
    *_named(_in_other_records(), "elsewhere"),
    *_named(_what_it_is(), "kind"),
    *_named(_ages(), "age"),
    *_named(_ages_set(), "set", dormant_months=None, solicited_within=timedelta(days=2)),
    *_named(_late(), "late", first_contact_months=48, dormant_months=12),
    *_named(_in_february(), "february", first_contact_months=1),
    *_named(_words_of_law(), "law"),
    *_named(_questions(), "facts"),
    *_named(_histories(), "history"),
    *_named(_of_charities(), "charity", charity=CHARITY, charitable_purposes={"offers"}),
    *_named([(communication(Channel.EMAIL, charitable_only=True), fold([gift(AT)]), {"failed": ("charity",)})], "none"),
)

# The date in the United Kingdom on both sides of midnight, in winter, in summer and where the clocks change.
DATES = (
    (datetime(2026, 1, 1, tzinfo=UTC), date(2026, 1, 1)),
    (datetime(2026, 3, 28, 23, 30, tzinfo=UTC), date(2026, 3, 28)),
    (datetime(2026, 3, 29, 23, 0, tzinfo=UTC), date(2026, 3, 30)),
    (datetime(2026, 3, 29, 22, 59, tzinfo=UTC), date(2026, 3, 29)),
    (datetime(2024, 3, 30, 23, 30, tzinfo=UTC), date(2024, 3, 30)),
    (datetime(2024, 3, 31, 23, 0, tzinfo=UTC), date(2024, 4, 1)),
    (datetime(2026, 10, 24, 23, 0, tzinfo=UTC), date(2026, 10, 25)),
    (datetime(2026, 10, 25, 23, 0, tzinfo=UTC), date(2026, 10, 25)),
    (datetime(2027, 10, 30, 23, 0, tzinfo=UTC), date(2027, 10, 31)),
    (datetime(2027, 10, 31, 23, 0, tzinfo=UTC), date(2027, 10, 31)),
)
# Months counted by the calendar: where the month is too short, its last day.
MONTHS = (
    (date(2026, 5, 31), 1, date(2026, 6, 30)),
    (date(2026, 8, 31), 6, date(2027, 2, 28)),
    (date(2027, 8, 31), 6, date(2028, 2, 29)),
    (date(2026, 12, 1), 1, date(2027, 1, 1)),
    (date(2026, 11, 30), 1, date(2026, 12, 30)),
    (date(2026, 1, 15), 12, date(2027, 1, 15)),
    (date(2026, 1, 15), 0, date(2026, 1, 15)),
)
