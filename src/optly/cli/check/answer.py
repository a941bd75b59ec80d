"""
A decision, explained to people and written for programs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

import attrs

from optly.cli._terminal import Terminal
from optly.cli._words import day, instant
from optly.cli.check.facts import in_words, left_open
from optly.contacts import Channel, Contact, Subscriber
from optly.manager import ConsentManager
from optly.protocols import UNDATED
from optly.record.events import Defect, Event
from optly.rules import Decision, Duty, Listing, MessageKind
from optly.timeline.phrases import PROVES, phrase

_MAY: Final = {
    Channel.EMAIL: "This email may {}be sent",
    Channel.SMS: "This text message may {}be sent",
    Channel.MMS: "This picture message may {}be sent",
    Channel.VOICEMAIL: "This voicemail message may {}be left",
    Channel.WHATSAPP: "This WhatsApp message may {}be sent",
    Channel.RCS: "This RCS message may {}be sent",
    Channel.SOCIAL_DM: "This direct message may {}be sent",
    Channel.IN_APP: "This message in the app may {}be shown",
    Channel.PUSH: "This push notification may {}be sent",
    Channel.LIVE_CALL: "This call may {}be made",
    Channel.AUTOMATED_CALL: "This automated call may {}be made",
    Channel.FAX: "This fax may {}be sent",
    Channel.POST: "This letter may {}be sent",
}
_KINDS: Final = {
    MessageKind.MARKETING: "marketing",
    MessageKind.SERVICE: "a service message",
    MessageKind.CONSENT_REQUEST: "a request for consent",
    MessageKind.SOLICITED: "a message the person asked for",
    MessageKind.RESEARCH: "market research",
}
_DUTIES: Final = {
    Duty.SHOW_IDENTITY: "Say on whose behalf it is sent.",
    Duty.GIVE_STOP_ADDRESS: "Give an address for requests to stop, at no more than the cost of sending one.",
    Duty.OFFER_FREE_REFUSAL: "Offer a simple, free way to refuse further messages, in this one too.",
    Duty.SHOW_NUMBER: "Show the calling number, or another number to reach you on.",
    Duty.GIVE_NAME: "Say on whose behalf the call is made.",
    Duty.GIVE_CONTACT: "Give a postal address or a free number to reach you on.",
    Duty.GIVE_CONTACT_IF_ASKED: "Give a postal address or a free number to reach you on, if asked.",
    Duty.HAVE_LAWFUL_BASIS: "Have a lawful basis under the UK GDPR for using the address.",
    Duty.TELL_OF_RIGHT_TO_OBJECT: "Inform the person of the right to object.",
}
_SHOWN: Final = (
    "allowed",
    "reason",
    "explanation",
    "would_change_it",
    "regulation",
    "also",
    "edition",
    "fines",
    "channel",
    "purpose",
    "also_for",
    "title",
    "kind",
    "subscriber",
)
_DEFECTS: Final = frozenset(Defect)
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@attrs.frozen(kw_only=True)
class Answer:
    """
    The gate's decision, and what is needed to explain it.

    Attributes:
        purposes: Their titles.
        left_open: Options that were not given and might have changed the answer.
        evidence: The recorded events that it is based on, by number.
    """

    decision: Decision
    purposes: Sequence[str]
    left_open: Sequence[str]
    evidence: Mapping[int, Event] = attrs.field(repr=False)

    @classmethod
    def about(cls, decision: Decision, manager: ConsentManager, options: Mapping[str, Any]) -> Answer:
        """
        Look up what *decision*, made with these options, is based on.
        """
        events = manager.history(Contact(decision.contact)) if decision.evidence else ()
        return cls(
            decision=decision,
            purposes=[manager.purposes[purpose].title for purpose in decision.purposes],
            left_open=left_open(options) if decision.channel is Channel.LIVE_CALL else (),
            evidence={number: events[number - 1] for number in decision.evidence},
        )

    def as_json(self) -> Mapping[str, Any]:
        """
        Return it for programs. Names and codes do not change; there may be more of them in future.
        """
        decision = self.decision
        return {
            **{name: getattr(decision, name) for name in _SHOWN},
            "at": decision.at.isoformat(),
            "contact": decision.contact or None,
            "line": decision.line,
            "evidence": [
                {
                    "event": number,
                    "what": phrase(event).evidence,
                    "grade": event.grade,
                    "occurred_at": event.occurred_at.isoformat(),
                    "recorded_at": event.recorded_at.isoformat(),
                }
                for number, event in self.evidence.items()
            ],
            "listings": [
                {
                    "register": listing.register,
                    "listed": listing.listed_on is not None,
                    "listed_on": None if listing.listed_on in (None, UNDATED) else str(listing.listed_on),
                    "as_of": listing.as_of.isoformat(),
                    "checked_at": listing.checked_at.isoformat(),
                    "version": listing.version,
                }
                for listing in decision.listings
            ],
            "failed": decision.failed,
            "valid_until": None if decision.valid_until is None else decision.valid_until.isoformat(),
            "duties": decision.duties,
            "through": decision.through,
        }

    def show(self, terminal: Terminal) -> None:
        """
        Print the answer first, then why, under which law, and what to do.
        """
        decision, may = self.decision, _MAY[self.decision.channel]
        if decision:
            terminal.good("yes", f"{may.format('')}.")
        else:
            terminal.bad("no", f"{may.format('not ')}.")
        for name, text in self._details():
            terminal.note(name, text)

    def _details(self) -> Iterator[tuple[str, str]]:
        decision = self.decision
        yield "why", decision.explanation
        for failed in decision.failed:
            yield ("flaw" if failed in _DEFECTS else "not shown"), in_words(failed)
        if decision.would_change_it:
            yield "would change it", decision.would_change_it
        if self.left_open and not decision:
            yield (
                "left out",
                f"{' and '.join(self.left_open)}. Add them if they are true; otherwise the stricter law applies.",
            )
        yield from (("still to do", _DUTIES[duty]) for duty in decision.duties)
        yield from (("based on", _event(number, event)) for number, event in self.evidence.items())
        yield from (("register", _listing(listing)) for listing in decision.listings)
        if decision.valid_until is not None:
            yield "valid until", f"{instant(decision.valid_until)}. The consent expires then."
        titles = " and ".join(f"“{title}”" for title in self.purposes)
        yield "about", f"{titles}, as {_KINDS[decision.kind]}, on {instant(decision.at)}."
        yield "subscriber", _holder(decision.subscriber)
        yield "law", self._law(decision.regulation)
        if decision.also:
            yield "also", self._law(*decision.also)
        yield "edition", _DATE.sub(_plain_day, decision.edition)
        if decision.fines:
            yield "fines", f"For a breach on that day, {decision.fines}."

    def _law(self, *provisions: str) -> str:
        return ", ".join(self._provision(part) for text in provisions for part in text.split("; "))

    def _provision(self, text: str) -> str:
        if text.startswith("UK GDPR "):
            return f"UK GDPR, article {text.removeprefix('UK GDPR ')}"
        if text[:1].isdigit() and self.decision.edition.startswith("PECR"):
            return f"PECR, regulation {text}"
        return text


def _plain_day(found: re.Match[str]) -> str:
    try:
        return day(date.fromisoformat(found[0]))
    except ValueError:
        return found[0]


def _holder(subscriber: Subscriber) -> str:
    if subscriber is Subscriber.UNKNOWN:
        return "Not known, so treated as an individual."
    protected = "a corporate subscriber" if subscriber.corporate else "protected as an individual"
    return f"{subscriber.replace('_', ' ').capitalize()}: {protected}."


def _event(number: int, event: Event) -> str:
    when = instant(event.occurred_at)
    if _minute(event.recorded_at) != _minute(event.occurred_at):
        when = f"{when}, recorded on {instant(event.recorded_at)}"
    return f"{phrase(event).evidence}, on {when} (event {number}: {PROVES[event.grade]})."


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)


def _listing(listing: Listing) -> str:
    if listing.listed_on is None:
        said = "not listed"
    elif listing.listed_on == UNDATED:
        said = "listed, date unknown"
    else:
        said = f"listed since {day(listing.listed_on)}"
    copy = f"in the copy of {day(listing.as_of)}; checked on {instant(listing.checked_at)}"
    return f"{listing.register.upper()}: {said}, {copy}."
