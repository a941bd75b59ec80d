"""
A contact's events told to people: what was asked, what was answered, by whom, when and through what. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import assert_never

import attrs

from optly.contacts.addresses import Channel
from optly.contacts.purposes import Wording
from optly.record.events import (
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
    DetailsChanged,
    Event,
    Grade,
    LineAdded,
    LineFailed,
    LineReinstated,
    LineRemoved,
    LineRestored,
    MessageAccepted,
    MessageDelivered,
    MessageDoubted,
    MessageQueued,
    MessageReceived,
    MessageRefused,
    MessageUndelivered,
    MessageWithheld,
    ObjectionRaised,
    Service,
    ServiceRequested,
    SoftOptInRecorded,
    Stopped,
    Through,
)
from optly.record.ledger import Entry
from optly.rendering import render

WHO = {
    Actor.PERSON: "the person",
    Actor.STAFF: "staff",
    Actor.PROVIDER: "the message provider",
    Actor.SYSTEM: "the system",
}

PROVES = {
    Grade.A: "the person's own act, through a link sent to this very address",
    Grade.B: "an act witnessed by the system, or the person's own in a session the host vouches for",
    Grade.C: "recorded by somebody else, with a document",
    Grade.D: "recorded by somebody else, who says when and how",
    Grade.E: "asserted",
}


_THROUGH = {
    Through.REPLY: "a message of their own",
    Through.COMPLAINT: "a complaint to their mail provider",
    Through.PROVIDER: "the provider of our messages",
}

_SENT = {
    Service.CODE: "One-time code",
    Service.LINK: "New link",
    Service.COPY: "Copy of what is held",
}

_LABELS = {
    "link": "Through",
    "code": "Link",
    "language": "Language of the page",
    "complaint": "Complaint",
    "message": "Message",
    "backend": "Provider",
    "provider_id": "Provider's name for it",
    "provider_code": "Provider's code",
    "status": "Status code",
}


@attrs.frozen(kw_only=True)
class Said:
    """
    One question and what was said to it; no answer in what only asks.
    """

    wording: Wording | None
    channel: Channel
    purpose: str
    answer: str


@attrs.frozen(kw_only=True)
class Told:
    """
    One event as people read it.

    Attributes:
        facts: Further details by name.
        said: Questions with the answers to them.
    """

    seq: int
    what: str
    occurred_at: datetime
    recorded_at: datetime
    who: str
    proves: str
    hash: str
    facts: Mapping[str, str] = attrs.field(repr=False)
    said: tuple[Said, ...] = attrs.field(repr=False)


def headline(event: Event) -> str:
    """
    Say in a few words what happened.
    """
    match event:
        case ContactAdded():
            return "Put on record"
        case DetailsChanged():
            return "Details changed"
        case LineAdded():
            return f"{event.kind.value.capitalize()} address {event.line} added"
        case LineRemoved():
            return f"Address {event.line} removed"
        case LineReinstated():
            return f"Removal of address {event.line} undone"
        case ServiceRequested():
            return f"{_SENT[event.service]} asked for"
        case ComplaintReceived():
            return "Complained"
        case ComplaintAcknowledged():
            return "Receipt of the complaint acknowledged"
        case ComplaintResolved():
            return "Told what came of the complaint"
        case ConsentRequested():
            return f"Asked for consent by {event.via}"
        case MessageQueued():
            return f"Marketing message queued ({event.channel}, {event.purpose})"
        case CommunicationMade():
            return f"Made or sent by the organisation itself ({event.channel}, {event.purpose})"
        case MessageAccepted():
            return "Message taken over by the provider"
        case MessageRefused():
            return "Message refused by the provider"
        case MessageDoubted():
            return "Message in doubt: not sent again"
        case MessageDelivered():
            return "Message delivered"
        case MessageUndelivered():
            return "Message not delivered"
        case MessageWithheld():
            return "Message withheld by the gate"
        case MessageReceived():
            return f"Wrote to us ({event.channel})"
        case LineFailed():
            return f"Address {event.line} takes no messages ({event.channel})"
        case LineRestored():
            return f"Address {event.line} was made sure of ({event.channel})"
        case AnswerHeld():
            return "Said yes too soon to count unconfirmed"
        case ConsentGiven():
            return "Taken for a yes, and is none" if event.defects else "Said yes"
        case ConsentRefused():
            return "Said no"
        case ConsentWithdrawn():
            return "Withdrew consent"
        case ObjectionRaised():
            return "Objected to marketing"
        case SoftOptInRecorded():
            return f"Details collected in a sale ({event.channel})"
        case CharitySoftOptInRecorded():
            return f"Details collected from a supporter ({event.channel})"
        case ContactErased():
            return "Erased"
        case _:
            assert_never(event)


def _facts(event: Event) -> dict[str, str]:
    facts: dict[str, str] = {}
    match event:
        case ConsentRequested():
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
            facts["Could be answered until"] = event.expires_at.isoformat()
            if event.remind_at is not None:
                facts["To be reminded at"] = event.remind_at.isoformat()
        case MessageQueued():
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
        case MessageWithheld():
            facts["Withheld because"] = f"{event.reason} {event.regulation}".strip()
        case CommunicationMade():
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
            for check in event.checks:
                listed = "not listed" if check.listed_on is None else f"listed on {check.listed_on}"
                facts[f"Register {check.register}"] = f"{listed} in the copy of {check.as_of}"
        case ConsentGiven():
            facts["Act"] = event.act.value
            if event.defects:
                facts["Does not count because"] = ", ".join(event.defects)
        case Stopped():
            facts["Covers channels"] = ", ".join(event.channels) or "all"
            facts["Covers purposes"] = ", ".join(event.purposes) or "all"
            if event.through is not None:
                facts["Through"] = _THROUGH[event.through]
        case ComplaintReceived():
            facts["To be acknowledged by"] = event.acknowledge_by.isoformat()
        case AnswerHeld():
            facts["Could be confirmed until"] = event.until.isoformat()
        case MessageReceived():
            facts["Taken for"] = event.meaning.value
        case _:
            pass
    for name, label in _LABELS.items():
        if value := getattr(event, name, None):
            facts[label] = f"a {value} link" if name == "link" else str(value)
    for slot, value in event.personal.items():
        name, _, _ = slot.partition("_")
        facts[name.capitalize()] = "(attached in the JSON form)" if name == "attachment" else value
    return facts


def _said(event: Event, wordings: Mapping[str, Wording]) -> tuple[Said, ...]:
    choices: tuple[Choice, ...] = getattr(event, "choices", ())

    def answer(wording: Wording | None) -> str:
        if isinstance(event, ConsentGiven):
            return "" if event.defects else wording.yes if wording else "yes"
        if isinstance(event, AnswerHeld):
            return f"{wording.yes if wording else 'yes'} (unconfirmed)"
        return (wording.no if wording else "no") if isinstance(event, ConsentRefused) else ""

    return tuple(
        Said(
            wording=(wording := wordings.get(choice.wording)),
            channel=choice.channel,
            purpose=choice.purpose,
            answer=answer(wording),
        )
        for choice in choices
    )


def tell(entry: Entry, event: Event, wordings: Mapping[str, Wording]) -> Told:
    """
    Tell one event.
    """
    return Told(
        seq=entry.seq,
        what=headline(event),
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        who=WHO[event.actor],
        proves=PROVES[event.grade],
        hash=entry.hash.hex(),
        facts=_facts(event),
        said=_said(event, wordings),
    )


def tell_all(entries: Sequence[Entry], events: Sequence[Event], wordings: Mapping[str, Wording]) -> tuple[Told, ...]:
    """
    Tell every event in order.
    """
    return tuple(tell(entry, event, wordings) for entry, event in zip(entries, events, strict=True))


def page(organisation: str, contact: str, issued_at: datetime, told: Sequence[Told]) -> str:
    """
    Return a page that stands alone, with every event told in order.
    """
    return render("evidence.html.j2", organisation=organisation, contact=contact, issued_at=issued_at, told=told)


def part(told: Sequence[Told]) -> str:
    """
    Return the same for a page of something else.
    """
    return render("told.html.j2", told=told)


def plain(told: Sequence[Told]) -> str:
    """
    Return the same as plain text, with an empty line between two events.
    """
    return "\n\n".join("\n".join(_lines(one)) for one in told) + "\n"


def _lines(told: Told) -> list[str]:
    return [
        f"{told.seq}. {told.what}",
        f"When: {told.occurred_at.isoformat(sep=' ', timespec='seconds')}",
        f"Who: {told.who}",
        *(f"Asked: {said.wording.text} {said.answer}".rstrip() for said in told.said if said.wording is not None),
        *(f"{name}: {value}" for name, value in told.facts.items()),
    ]
