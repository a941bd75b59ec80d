"""
The words for events, channels, actors and grades: one table for every timeline.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never

import attrs

from optly import typed
from optly.contacts import AddressKind, Channel
from optly.locale.i18n import N_
from optly.record import events
from optly.record.events import Actor, Event, Grade, Service, Through

BY: Final = {
    Channel.EMAIL: N_("by email"),
    Channel.SMS: N_("by text message"),
    Channel.MMS: N_("by picture message"),
    Channel.VOICEMAIL: N_("by voicemail"),
    Channel.WHATSAPP: N_("by WhatsApp"),
    Channel.RCS: N_("by RCS message"),
    Channel.SOCIAL_DM: N_("by direct message"),
    Channel.IN_APP: N_("in the app"),
    Channel.PUSH: N_("by push notification"),
    Channel.LIVE_CALL: N_("by telephone"),
    Channel.AUTOMATED_CALL: N_("by recorded call"),
    Channel.FAX: N_("by fax"),
    Channel.POST: N_("by post"),
}

WHO: Final = {
    Actor.PERSON: "the person",
    Actor.STAFF: "staff",
    Actor.PROVIDER: "the message provider",
    Actor.SYSTEM: "the system",
}

# Who, where several people have the line that something came from.
A_HOLDER: Final = "one of those who have the address or number"

PROVES: Final = {
    Grade.A: "the person's own act, through a link sent to this address or number",
    Grade.B: "seen by the system, or the person's own act in a session the host vouches for",
    Grade.C: "recorded by someone else, with a document",
    Grade.D: "recorded by someone else, who says when and how",
    Grade.E: "asserted",
}


@attrs.frozen
class Phrase:
    """
    What one event is called.

    Attributes:
        evidence: In English and about the person, for those who judge the evidence.
        person: Addressed to the person; a sentence of the catalogues.
    """

    evidence: str
    person: str


_ADDED: Final = {
    AddressKind.EMAIL: Phrase("Email address added", N_("An email address was added")),
    AddressKind.PHONE: Phrase("Phone number added", N_("A phone number was added")),
    AddressKind.POST: Phrase("Postal address added", N_("A postal address was added")),
    AddressKind.ACCOUNT: Phrase("Account added", N_("An account was added")),
}

_OBJECTED: Final[Mapping[Through | None, Phrase]] = {
    Through.REPLY: Phrase("Wrote that they want no more marketing", N_("You wrote to us to stop marketing")),
    Through.COMPLAINT: Phrase("Marked a message as spam", N_("You marked one of our messages as spam")),
    Through.PROVIDER: Phrase(
        "Opted out with the message provider", N_("You opted out with the company that sends our messages")
    ),
    Through.LETTER: Phrase("Objected to marketing by letter", N_("You asked us by letter to stop marketing")),
    Through.CALL: Phrase(
        "Objected to marketing on the telephone", N_("You asked us on the telephone to stop marketing")
    ),
    Through.AGENT: Phrase(
        "Someone authorised to act for them objected to marketing",
        N_("Someone acting for you asked us to stop marketing"),
    ),
    Through.COMPANY: Phrase(
        "The company objected to marketing to anyone there", N_("Your company asked us to stop marketing")
    ),
    Through.FUNDRAISING_PREFERENCE_SERVICE: Phrase(
        "Asked through the Fundraising Preference Service",
        N_("You asked us to stop, through the Fundraising Preference Service"),
    ),
    Through.NEVER: Phrase("Asked never to be written to again", N_("You asked us never to write to you again")),
}

_SERVICES: Final = {
    Service.CODE: Phrase("Security code requested", N_("A security code was requested")),
    Service.LINK: Phrase("New link requested", N_("A new link was requested")),
    Service.WAY_BACK: Phrase(
        "Address entered in a form after they had stopped", N_("Your address was entered in a form after you stopped")
    ),
    Service.COPY: Phrase("Copy of their data requested", N_("You asked for a copy of your data")),
}


def phrase(event: Event) -> Phrase:
    """
    Return what *event* is called.
    """
    match event:
        case events.ContactAdded():
            return Phrase("Contact added", N_("You were added to our records"))
        case events.DetailsChanged():
            return Phrase("Details changed", N_("Your details were changed"))
        case events.LineAdded():
            added = _ADDED[event.kind]
            return typed.evolve(added, evidence=f"{added.evidence} ({_number(event.line)})")
        case events.LineProved():
            return Phrase(
                f"Proved: {_number(event.line)}", N_("You entered a code that we sent to an address or number")
            )
        case events.LineRemoved():
            return Phrase(f"Removed: {_number(event.line)}", N_("An address or number was removed"))
        case events.LineLeft():
            left = N_("An address or number was recorded as no longer yours")
            return Phrase(f"Left: {_number(event.line)}", left)
        case events.LineReinstated():
            undone = N_("A change of address or number was undone")
            return Phrase(f"Removal undone: {_number(event.line)}", undone)
        case events.ServiceRequested():
            return _SERVICES[event.service]
        case events.ComplaintReceived():
            return Phrase("Complaint received", N_("You made a complaint"))
        case events.ComplaintAcknowledged():
            return Phrase("Complaint acknowledged", N_("We confirmed that we have your complaint"))
        case events.ComplaintDecided():
            return Phrase("Outcome of the complaint queued", N_("We decided the outcome of your complaint"))
        case events.ComplaintResolved():
            return Phrase("Complaint resolved", N_("We told you the outcome of your complaint"))
        case events.ConsentRequested():
            return Phrase(f"Asked for consent {BY[event.via]}", N_("We asked you a question"))
        case events.MessageQueued():
            queued = f"Marketing message queued ({BY[event.channel]}, {_purposes(event)})"
            return Phrase(queued, N_("We prepared a marketing message for you"))
        case events.CommunicationMade():
            made = f"Contacted by the organisation itself ({BY[event.channel]}, {_purposes(event)})"
            return Phrase(made, N_("We called or wrote to you"))
        case events.MessageAccepted() if event.purpose:
            sent = f"Marketing message accepted by the provider ({BY[event.channel]}, {_purposes(event)})"
            return Phrase(sent, N_("We sent you a marketing message"))
        case events.MessageAccepted():
            return Phrase("Message accepted by the provider", N_("We sent you a message"))
        case events.MessageRefused():
            return Phrase("Message refused by the provider", N_("We could not deliver a message to you"))
        case events.MessageDoubted():
            return Phrase("Message possibly sent: not sent again", N_("We may have sent you a message"))
        case events.MessageDelivered():
            return Phrase("Message delivered", N_("A message reached you"))
        case events.MessageUndelivered():
            return Phrase("Message not delivered", N_("We could not deliver a message to you"))
        case events.MessageWithheld():
            return Phrase("Message withheld: no longer permitted", N_("We decided not to send you a message"))
        case events.MessageReceived() if event.shared:
            return Phrase(
                f"One of several holders of the line wrote to the organisation {BY[event.channel]}",
                N_("You, or someone who shares your address or number, wrote to us"),
            )
        case events.MessageReceived():
            return Phrase(f"Wrote to the organisation {BY[event.channel]}", N_("You wrote to us"))
        case events.LineFailed():
            failed = f"Cannot receive messages {BY[event.channel]}: {_number(event.line)}"
            return Phrase(failed, N_("Messages to one of your addresses or numbers could not be delivered"))
        case events.LineRestored():
            restored = f"Confirmed to receive messages {BY[event.channel]}: {_number(event.line)}"
            return Phrase(restored, N_("One of your addresses or numbers was confirmed to be working"))
        case events.AnswerHeld():
            return Phrase("Said yes too soon to count without confirmation", N_("We asked you to confirm your answer"))
        case events.ConsentGiven() if event.stopped_before:
            return Phrase(
                "Reported as a yes after they had stopped it: lifts nothing",
                N_("We were told that you agreed, after you had asked us to stop. We kept the stop."),
            )
        case events.ConsentGiven() if event.defects:
            return Phrase("Recorded as a yes that is not valid consent", N_("We recorded a yes that is not valid"))
        case events.ConsentGiven():
            if event.actor is Actor.PERSON:
                return Phrase(_yes(event), N_("You said yes"))
            return Phrase(_yes(event), N_("We recorded that you agreed"))
        case events.ConsentRefused():
            return Phrase("Said no", N_("You said no"))
        case events.MarkedDeceased():
            return Phrase("Marked as deceased", N_("We were told that you had died"))
        case events.MarkedGoneAway():
            gone = N_("We were told that you can no longer be reached at one of your addresses or numbers")
            return Phrase("Marked as gone away", gone)
        case events.DomainObjectionRaised():
            return Phrase(
                "Objected to marketing to a whole domain", N_("You asked us to stop marketing to a whole domain")
            )
        case events.ObjectionRaised() if event.shared:
            return Phrase(
                "One of several holders of the line objected to marketing",
                N_("You, or someone who shares your address or number, asked us to stop marketing"),
            )
        case events.ObjectionRaised() if event.through in _OBJECTED:
            return _OBJECTED[event.through]
        case events.ConsentWithdrawn():
            return Phrase("Withdrew consent", N_("You withdrew your consent"))
        case events.ObjectionRaised():
            return Phrase("Objected to marketing", N_("You asked us to stop marketing"))
        case events.SoftOptInRecorded():
            return Phrase(f"Details collected in a sale ({BY[event.channel]})", N_("We recorded your details"))
        case events.CharitySoftOptInRecorded():
            return Phrase(f"Details collected from a supporter ({BY[event.channel]})", N_("We recorded your details"))
        case events.LinksRevoked():
            return Phrase("Links revoked", N_("We disabled the links that we had sent you"))
        case events.ContactErased():
            return Phrase("Personal data erased", N_("We erased your personal data"))
        case _:
            assert_never(event)


def _yes(event: events.ConsentGiven) -> str:
    """
    Name a yes that counts, with what is to be known of its words.
    """
    reading = event.reading
    if reading is not None and reading.defects:
        return "Said yes, to words that the organisation accepts although something is wrong with them"
    if reading is not None and events.NOT_JUDGED in reading.found:
        return "Said yes, to words in a language that was not judged"
    return "Said yes"


def _purposes(event: events.MessageQueued | events.MessageAccepted | events.CommunicationMade) -> str:
    return ", ".join((event.purpose, *event.also_for))


def _number(line: int) -> str:
    return f"address or number {line}"
