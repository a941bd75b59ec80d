"""
The decision of the gate, and the reasons for it.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from optly.contacts import Channel, Subscriber
from optly.record.events import Through
from optly.rules.communication import Listing, MessageKind


class Reason(StrEnum):
    """
    Why a message is allowed or refused. A code that programs may rely on.
    """

    CONSENTED = "consented"
    SOFT_OPT_IN = "soft_opt_in"
    CHARITY_SOFT_OPT_IN = "charity_soft_opt_in"
    SOLICITED = "solicited"
    CORPORATE_SUBSCRIBER = "corporate_subscriber"
    NO_OBJECTION = "no_objection"
    NEWLY_LISTED = "newly_listed"
    EXISTING_CLIENT = "existing_client"
    NOTHING_CONVEYED = "nothing_conveyed"
    OUTSIDE_PECR = "outside_pecr"
    SERVICE = "service"

    OBJECTED = "objected"
    WITHDRAWN = "withdrawn"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    CONSENT_UNSOUND = "consent_unsound"
    CONSENT_UNPROVEN = "consent_unproven"
    CONSENT_TOO_OLD = "consent_too_old"
    SOFT_OPT_IN_INCOMPLETE = "soft_opt_in_incomplete"
    NOT_ON_RECORD = "not_on_record"
    NOT_AN_ADDRESS = "not_an_address"
    ERASED = "erased"
    NOT_COVERED = "not_covered"
    LISTED = "listed"
    REGISTER_NOT_CHECKED = "register_not_checked"
    CALLER_NOT_AUTHORISED = "caller_not_authorised"
    NOT_A_CLIENT = "not_a_client"
    IDENTITY_CONCEALED = "identity_concealed"
    NO_STOP_ADDRESS = "no_stop_address"
    NUMBER_WITHHELD = "number_withheld"
    NAME_WITHHELD = "name_withheld"
    CONTACT_WITHHELD = "contact_withheld"
    UNDELIVERABLE = "undeliverable"
    ASKED_ENOUGH = "asked_enough"


class Duty(StrEnum):
    """
    What the sender of an allowed message must still do. `manager.send` does it for messages.
    """

    SHOW_IDENTITY = "show_identity"
    GIVE_STOP_ADDRESS = "give_stop_address"
    OFFER_FREE_REFUSAL = "offer_free_refusal"
    SHOW_NUMBER = "show_number"
    GIVE_NAME = "give_name"
    GIVE_CONTACT = "give_contact"
    GIVE_CONTACT_IF_ASKED = "give_contact_if_asked"
    HAVE_LAWFUL_BASIS = "have_lawful_basis"
    TELL_OF_RIGHT_TO_OBJECT = "tell_of_right_to_object"


_EXPLANATIONS = {
    Reason.CONSENTED: "The person agreed to messages on this channel, for this purpose, to this line.",
    Reason.SOFT_OPT_IN: (
        "The details were collected in a sale, the message is about similar products, and a simple way to refuse was "
        "offered and not taken."
    ),
    Reason.CHARITY_SOFT_OPT_IN: (
        "The charity collected the details from somebody interested in its purposes or supporting them, and a simple "
        "way to refuse was offered and not taken."
    ),
    Reason.SOLICITED: "The person asked for this message.",
    Reason.CORPORATE_SUBSCRIBER: (
        "The line belongs to a company or another corporate subscriber, which the consent rule does not protect, and "
        "nobody there objected."
    ),
    Reason.NO_OBJECTION: "No consent is needed, nobody objected, and no register stands against it.",
    Reason.NEWLY_LISTED: "The number has been on the register for less than 28 days, and nobody objected.",
    Reason.EXISTING_CLIENT: "The person is a client of the caller's who might expect such calls and did not refuse.",
    Reason.NOTHING_CONVEYED: "Nothing reached anybody, and on that day the law did not yet count an attempt.",
    Reason.OUTSIDE_PECR: "Post is outside the regulations, and nobody objected.",
    Reason.SERVICE: "The message promotes nothing, so that it is not direct marketing.",
    Reason.OBJECTED: "The person objected to marketing, and nothing they did since lifts that.",
    Reason.WITHDRAWN: "The person refused or withdrew consent, and nothing they did since lifts that.",
    Reason.SUPPRESSED: "This address is on the suppression list.",
    Reason.NO_CONSENT: "No consent is on record for this sender, channel, purpose and line.",
    Reason.CONSENT_EXPIRED: "The consent on record has run out.",
    Reason.CONSENT_UNSOUND: "What is on record as a consent is none.",
    Reason.CONSENT_UNPROVEN: "The evidence for the consent on record is incomplete.",
    Reason.CONSENT_TOO_OLD: "Somebody else collected the consent, too long ago for a first contact.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "A soft opt-in is on record, but a part of what it needs is missing.",
    Reason.NOT_AN_ADDRESS: "What was given is no address of the kind this channel reaches.",
    Reason.NOT_ON_RECORD: "Nobody with this address is on record, so there is nothing to rely on.",
    Reason.ERASED: "The contact was erased.",
    Reason.NOT_COVERED: "The rulebook does not decide this, and what is not known is refused.",
    Reason.LISTED: "The number is on a register of those who do not want this, and nothing on record overrides that.",
    Reason.REGISTER_NOT_CHECKED: "The number was not checked against every register it has to be, or too long ago.",
    Reason.CALLER_NOT_AUTHORISED: "Only an authorised firm or a scheme's trustee or manager may call about pensions.",
    Reason.NOT_A_CLIENT: "The person did not agree to the call, and a part of what makes a client is missing.",
    Reason.IDENTITY_CONCEALED: "The message does not show on whose behalf it is sent.",
    Reason.NO_STOP_ADDRESS: "The message gives no address, free or at the cost of sending, to ask for it to stop.",
    Reason.NUMBER_WITHHELD: "The calling number is not shown, nor another on which the caller can be reached.",
    Reason.NAME_WITHHELD: "The call or fax does not say in whose name it is made.",
    Reason.CONTACT_WITHHELD: "The call or fax does not give an address or a free number to reach the caller.",
    Reason.UNDELIVERABLE: "The provider says that this address takes no messages, so none is sent there.",
    Reason.ASKED_ENOUGH: "The person was asked as often as the organisation allows itself to ask.",
}

# What kind of stop it was, where that says more than that someone objected.
_STOPPED_THROUGH = {
    Through.REPLY: "The person wrote that they want no more of this, and nothing they did since lifts that.",
    Through.COMPLAINT: "The person marked a message as spam, and nothing they did since lifts that.",
    Through.PROVIDER: "The person opted out with the message provider, and nothing they did since lifts that.",
    Through.LETTER: "The person objected by letter, and nothing they did since lifts that.",
    Through.CALL: "The person objected on the telephone, and nothing they did since lifts that.",
    Through.AGENT: "Someone authorised to act for the person objected, and nothing the person did since lifts that.",
    Through.COMPANY: "The company asked for no marketing to anyone there.",
    Through.DOMAIN: "Someone asked for no marketing to any address at this domain.",
    Through.FUNDRAISING_PREFERENCE_SERVICE: (
        "The person asked through the Fundraising Preference Service, and nothing they did since lifts that."
    ),
    Through.NEVER: "The person asked never to be written to again, and nothing they did since lifts that.",
    Through.DECEASED: "The person is recorded as having died.",
    Through.GONE_AWAY: "The person is recorded as no longer at this address or number.",
}
_LIFTED_OTHERWISE = {
    Through.COMPANY: "Only a yes that the person at this address gives themselves, after the request.",
    Through.DOMAIN: "Only a yes that the person at this address gives themselves, after the request.",
    Through.DECEASED: "Nothing. If the record is wrong, only the person themselves can show that.",
    Through.GONE_AWAY: "Another address or number of the person, with a ground of its own.",
}

_LIFT = "Only the person can lift it, by choosing yes on their MyOptly page."
_REMEDIES = {
    Reason.OBJECTED: _LIFT,
    Reason.WITHDRAWN: _LIFT,
    Reason.SUPPRESSED: "Only the person can lift it, by an affirmative act of their own.",
    Reason.NO_CONSENT: "A consent that names this sender, channel and purpose, given on this line beforehand.",
    Reason.CONSENT_EXPIRED: "A new consent.",
    Reason.CONSENT_UNSOUND: "A consent without the defects that are named.",
    Reason.CONSENT_UNPROVEN: "The missing evidence, or a new consent.",
    Reason.CONSENT_TOO_OLD: "A consent given to the sender itself.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "The missing facts, if they are true, or consent.",
    Reason.NOT_AN_ADDRESS: "An address that is written correctly.",
    Reason.NOT_ON_RECORD: "Putting the contact on record, and a consent of theirs.",
    Reason.ERASED: "Nothing the sender can do.",
    Reason.NOT_COVERED: "A rulebook that decides it.",
    Reason.LISTED: "The person's telling this caller that they do not object to such calls or faxes on this line.",
    Reason.REGISTER_NOT_CHECKED: "Checking the number against a copy of each register that is at most 28 days old.",
    Reason.CALLER_NOT_AUTHORISED: "Authorisation, and consent. Consent alone does not help.",
    Reason.NOT_A_CLIENT: "The missing facts, if they are true, or consent given to the caller.",
    Reason.IDENTITY_CONCEALED: "Naming the organisation in the message.",
    Reason.NO_STOP_ADDRESS: "A stop link or a reply address in the message.",
    Reason.NUMBER_WITHHELD: "Presenting the number.",
    Reason.NAME_WITHHELD: "Saying the name.",
    Reason.CONTACT_WITHHELD: "Giving a postal address or a number that is free of charge.",
    Reason.UNDELIVERABLE: "Another address, or making sure of this one: manager.restore_line.",
    Reason.ASKED_ENOUGH: "Waiting, or the person's own wish to be asked.",
}


@attrs.frozen(kw_only=True)
class Decision:
    """
    Whether one message may go out, and what that rests on. True if and only if it is allowed.

    It holds no personal data and may be logged or shown.

    Attributes:
        allowed: The answer.
        reason: Why, as a code.
        regulation: The provision that decides, such as ``22(2)``; where there are several, with ``; `` between them.
        also: Further provisions that were applied, such as the prohibition to which `regulation` is an exception.
        channel, purpose, kind: What was asked about.
        subscriber: What the holder of the line was treated as.
        at: The instant the answer is for. Aware.
        edition: The edition of the rulebook, which names the law in force at that instant.
        fines: How high a fine can be for an act on that day. Empty if the rulebook does not say.
        contact: Id of the contact, or empty if the address belongs to no contact on record.
        line: Number of the line within the contact's record, or None.
        evidence: Numbers of the events the answer rests on.
        failed: Names of the facts that were missing or spoke against it.
        listings: What the registers said, if they were checked.
        valid_until: The last instant at which the consent relied on counts, or None if it does not expire.
        duties: What the sender of an allowed message must still do.
        through: The kind of stop that refuses it, if it is of a kind that says more.
    """

    allowed: bool
    reason: Reason
    regulation: str
    channel: Channel
    purpose: str
    at: datetime
    edition: str
    contact: str = ""
    line: int | None = None
    evidence: tuple[int, ...] = ()
    duties: tuple[Duty, ...] = ()
    kind: MessageKind = MessageKind.MARKETING
    subscriber: Subscriber = Subscriber.UNKNOWN
    also: tuple[str, ...] = ()
    failed: tuple[str, ...] = ()
    listings: tuple[Listing, ...] = ()
    valid_until: datetime | None = None
    fines: str = ""
    through: Through | None = None

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def explanation(self) -> str:
        """
        Why, in a sentence for people.
        """
        stopped = None if self.through is None else _STOPPED_THROUGH.get(self.through)
        return _EXPLANATIONS[self.reason] if stopped is None else stopped

    @property
    def would_change_it(self) -> str:
        """
        What would change the answer, in a sentence for people. Empty for a message that is allowed.
        """
        otherwise = None if self.through is None else _LIFTED_OTHERWISE.get(self.through)
        return _REMEDIES.get(self.reason, "") if otherwise is None else otherwise

    def __str__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        return f"{verdict}: {self.channel}, {self.purpose}. {self.explanation} ({self.regulation}; {self.edition})"
