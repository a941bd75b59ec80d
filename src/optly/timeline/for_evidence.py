"""
A contact's timeline for those who judge the evidence: who asked and answered what, when and how. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from optly.contacts import Channel, Wording
from optly.record import events
from optly.record.complaint_references import reference_of
from optly.record.events import Actor, Choice, Event, Through
from optly.record.ledger import Entry
from optly.record.views import is_shared
from optly.rendering import render
from optly.timeline.phrases import A_HOLDER, PROVES, WHO, phrase

_THROUGH = {
    Through.REPLY: "a message from the person",
    Through.COMPLAINT: "a spam report to the person's mail provider",
    Through.PROVIDER: "an opt-out with our message provider",
    Through.LETTER: "a letter",
    Through.CALL: "a telephone call",
    Through.AGENT: "someone authorised to act for the person",
    Through.COMPANY: "someone who speaks for everyone at the company",
    Through.DOMAIN: "someone who speaks for every address at the domain",
    Through.FUNDRAISING_PREFERENCE_SERVICE: "the Fundraising Preference Service",
    Through.NEVER: "the link that asks never to be written to again",
    Through.DECEASED: "a report that the person has died",
    Through.GONE_AWAY: "a report that the person has gone away",
}

_SLOTS = {"accept": "Accepted because"}

_LABELS = {
    "link": "Through",
    "code": "Link",
    "language": "Language of the page",
    "organisation": "Made to",
    "complaint": "Complaint",
    "message": "Message",
    "backend": "Provider",
    "provider_id": "Provider's id",
    "provider_code": "Provider's code",
    "status": "Status code",
}


@attrs.frozen(kw_only=True)
class Answer:
    """
    One question and the answer to it.

    Attributes:
        wording: The question, or None if its wording is missing.
        answer: Empty where the question was only asked.
    """

    wording: Wording | None
    channel: Channel
    purpose: str
    answer: str


@attrs.frozen(kw_only=True)
class Happening:
    """
    One event in words.

    Attributes:
        facts: Further details by name.
        answers: The questions the event is about.
    """

    seq: int
    what: str
    occurred_at: datetime
    recorded_at: datetime
    who: str
    proves: str
    hash: str
    facts: Mapping[str, str] = attrs.field(repr=False)
    answers: tuple[Answer, ...] = attrs.field(repr=False)


def timeline(
    entries: Sequence[Entry], happened: Sequence[Event], wordings: Mapping[str, Wording]
) -> tuple[Happening, ...]:
    """
    Return every event in words, in order.
    """
    return tuple(_describe(entry, event, wordings) for entry, event in zip(entries, happened, strict=True))


def as_page(organisation: str, contact: str, issued_at: datetime, happenings: Sequence[Happening]) -> str:
    """
    Return the timeline as an HTML page of its own.
    """
    return render(
        "evidence.html.j2", organisation=organisation, contact=contact, issued_at=issued_at, happenings=happenings
    )


def as_fragment(happenings: Sequence[Happening]) -> str:
    """
    Return the timeline as HTML to put into another page.
    """
    return render("timeline.html.j2", happenings=happenings)


def as_text(happenings: Sequence[Happening]) -> str:
    """
    Return the timeline as plain text, with an empty line between two events.
    """
    return "\n\n".join("\n".join(_lines(happening)) for happening in happenings) + "\n"


def _lines(happening: Happening) -> list[str]:
    return [
        f"{happening.seq}. {happening.what}",
        f"When: {happening.occurred_at.isoformat(sep=' ', timespec='seconds')}",
        f"Who: {happening.who}",
        *(f"Asked: {one.wording.text} {one.answer}".rstrip() for one in happening.answers if one.wording is not None),
        *(f"{name}: {value}" for name, value in happening.facts.items()),
    ]


def _describe(entry: Entry, event: Event, wordings: Mapping[str, Wording]) -> Happening:
    return Happening(
        seq=entry.seq,
        what=phrase(event).evidence,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        who=A_HOLDER if is_shared(event) and event.actor is Actor.PERSON else WHO[event.actor],
        proves=PROVES[event.grade],
        hash=entry.hash.hex(),
        facts=_facts(event),
        answers=_answers(event, wordings),
    )


def _facts(event: Event) -> dict[str, str]:
    facts: dict[str, str] = {}
    match event:
        case events.ConsentRequested():
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
            facts["Open until"] = event.expires_at.isoformat()
            facts.update(_found(event.found, accepted=True))
            if event.remind_at is not None:
                facts["Reminder due"] = event.remind_at.isoformat()
        case events.MessageQueued() | events.MessageOutcome() if event.purpose:
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
        case events.MessageWithheld():
            facts["Withheld because"] = f"{event.reason} {event.regulation}".strip()
        case events.CommunicationMade():
            facts["Allowed because"] = f"{event.reason} ({event.regulation})"
            if event.solicited_at is not None:
                facts["The person asked for it"] = event.solicited_at.isoformat()
            for check in event.checks:
                listed = "not listed" if check.listed_on is None else f"listed on {check.listed_on}"
                facts[f"Register {check.register}"] = f"{listed} in the copy of {check.as_of}"
        case events.ConsentGiven():
            facts["Act"] = event.act.value
            if event.defects:
                facts["Not valid because"] = ", ".join(event.defects)
            if event.reading is not None:
                facts.update(_found(event.reading.found, accepted=event.reading.accepted))
                if event.reading.unproven:
                    facts["Evidence missing"] = ", ".join(event.reading.unproven)
        case events.DomainObjectionRaised():
            facts["Channels"] = Channel.EMAIL.value
            facts["Purposes"] = ", ".join(event.purposes) or "all"
        case events.Stopped():
            facts["Channels"] = ", ".join(event.channels) or "all"
            facts["Purposes"] = ", ".join(event.purposes) or "all"
            if event.through is not None:
                replied = event.shared and event.through is Through.REPLY
                facts["Through"] = f"a message from {A_HOLDER}" if replied else _THROUGH[event.through]
        case events.ComplaintReceived():
            facts["Acknowledge by"] = event.acknowledge_by.isoformat()
        case events.AnswerHeld():
            facts["Can be confirmed until"] = event.until.isoformat()
        case events.MessageReceived():
            facts["Read as"] = event.meaning.value
        case _:
            pass
    for name, label in _LABELS.items():
        if value := getattr(event, name, None):
            facts[label] = _value(name, value)
    for slot, value in event.personal.items():
        name, _, _ = slot.partition("_")
        label = _SLOTS.get(name, name.capitalize())
        facts[label] = "(attached in the JSON form)" if name == "attachment" else value
    return facts


def _found(codes: Sequence[str], *, accepted: bool) -> Iterator[tuple[str, str]]:
    """
    Yield what was found in the words of a question or a consent.
    """
    flaws = [code for code in codes if code != events.NOT_JUDGED]
    if flaws:
        yield ("Found in the words, and accepted" if accepted else "Found in the words"), ", ".join(flaws)
    if events.NOT_JUDGED in codes:
        yield "Words", "not judged: Optly does not read their language"


def _value(name: str, value: object) -> str:
    match name:
        case "link":
            return f"a {value} link"
        case "complaint":
            return f"{reference_of(str(value))} ({value})"
        case _:
            return str(value)


def _answers(event: Event, wordings: Mapping[str, Wording]) -> tuple[Answer, ...]:
    choices: tuple[Choice, ...] = getattr(event, "choices", ())
    return tuple(
        Answer(
            wording=(wording := wordings.get(choice.wording)),
            channel=choice.channel,
            purpose=choice.purpose,
            answer=_answer(event, wording),
        )
        for choice in choices
    )


def _answer(event: Event, wording: Wording | None) -> str:
    yes, no = (wording.yes, wording.no) if wording else ("yes", "no")
    match event:
        case events.ConsentGiven():
            return "" if event.defects else yes
        case events.AnswerHeld():
            return f"{yes} (unconfirmed)"
        case events.ConsentRefused():
            return no
        case _:
            return ""
