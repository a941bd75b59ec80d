"""
The decision of the gate, and the reasons for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

import attrs

from optly import typed
from optly.contacts import Channel, Subscriber
from optly.record.events import Defect, Through
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
    PUBLIC_TASK = "public_task"
    MARKET_RESEARCH = "market_research"

    OBJECTED = "objected"
    OBJECTED_BY_HOLDER = "objected_by_holder"
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
    UNREADABLE = "unreadable"
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


# The channels, as what is sent on them.
_SENT: Final[Mapping[Channel, str]] = {
    Channel.EMAIL: "emails",
    Channel.SMS: "text messages",
    Channel.MMS: "picture messages",
    Channel.VOICEMAIL: "voicemail messages",
    Channel.WHATSAPP: "WhatsApp messages",
    Channel.RCS: "RCS messages",
    Channel.SOCIAL_DM: "direct messages",
    Channel.IN_APP: "messages in the app",
    Channel.PUSH: "push notifications",
    Channel.LIVE_CALL: "telephone calls",
    Channel.AUTOMATED_CALL: "automated calls",
    Channel.FAX: "faxes",
    Channel.POST: "letters",
}

# Each may name {what} is sent, such as "emails about offers", and {who} the person or organisation reached is.
_EXPLANATIONS: Final[Mapping[Reason, str]] = {
    Reason.CONSENTED: "{Who} agreed to {what} on this line.",
    Reason.SOFT_OPT_IN: (
        "The details were collected in a sale, the message is about similar products, and a simple way to refuse was "
        "offered and not taken."
    ),
    Reason.CHARITY_SOFT_OPT_IN: (
        "The charity collected the details from someone interested in its purposes or supporting them, and a simple "
        "way to refuse was offered and not taken."
    ),
    Reason.SOLICITED: "{Who} asked for this.",
    Reason.CORPORATE_SUBSCRIBER: (
        "The line belongs to a company or another corporate subscriber, which the consent rule does not protect, and "
        "nobody there objected."
    ),
    Reason.NO_OBJECTION: "No consent is needed, nobody objected, and the number is on no register.",
    Reason.NEWLY_LISTED: "The number has been on the register for less than 28 days, and nobody objected.",
    Reason.EXISTING_CLIENT: "The person is a client of the caller who might expect such calls and did not refuse.",
    Reason.NOTHING_CONVEYED: "Nothing reached anyone, and on that day the law did not yet count an attempt.",
    Reason.OUTSIDE_PECR: "Post is outside the regulations, and nobody objected.",
    Reason.SERVICE: "It promotes nothing, so it is not direct marketing.",
    Reason.PUBLIC_TASK: "A public authority needs it for a task that it named, so it is not direct marketing.",
    Reason.MARKET_RESEARCH: "It is market research that promotes nothing, so it is not direct marketing.",
    Reason.OBJECTED: "{Who} objected to marketing, and nothing they did since allows {what}.",
    Reason.OBJECTED_BY_HOLDER: (
        "Someone else who has this line objected to marketing, and nothing they did since allows {what}."
    ),
    Reason.WITHDRAWN: "{Who} refused or withdrew consent, and nothing they did since allows {what}.",
    Reason.SUPPRESSED: "This address is on the suppression list.",
    Reason.NO_CONSENT: "Nobody has recorded a yes from {who} to {what}.",
    Reason.CONSENT_EXPIRED: "The yes on record to {what} has expired.",
    Reason.CONSENT_UNSOUND: "A yes to {what} is on record, but it is not a valid consent.",
    Reason.CONSENT_UNPROVEN: "A yes to {what} is on record, but not the evidence for it.",
    Reason.CONSENT_TOO_OLD: "The yes on record to {what} is too old to rely on now.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "A soft opt-in is on record, but part of what it needs is missing.",
    Reason.NOT_AN_ADDRESS: "This is not an address of the kind that this channel reaches.",
    Reason.NOT_ON_RECORD: "Nobody with this address is on record, so there is no yes to {what} to rely on.",
    Reason.ERASED: "The contact was erased.",
    Reason.NOT_COVERED: "The rulebook does not decide this, and what is not known is refused.",
    Reason.LISTED: "The number is on a register of those who do not want this, and no yes to {what} overrides that.",
    Reason.REGISTER_NOT_CHECKED: "The number was not checked against every register it has to be, or too long ago.",
    Reason.CALLER_NOT_AUTHORISED: "Only an authorised firm or a scheme’s trustee or manager may call about pensions.",
    Reason.NOT_A_CLIENT: "The person did not agree to the call, and part of what makes a client is missing.",
    Reason.IDENTITY_CONCEALED: "The message does not show, or is not known to show, on whose behalf it is sent.",
    Reason.NO_STOP_ADDRESS: (
        "The message gives no address, or is not known to, at which it costs no more than a message to have it stopped."
    ),
    Reason.NUMBER_WITHHELD: (
        "The calling number is not shown, or not known to be, nor another on which the caller can be reached."
    ),
    Reason.NAME_WITHHELD: "The call or fax does not say, or is not known to say, in whose name it is made.",
    Reason.CONTACT_WITHHELD: (
        "The call or fax gives no address and no free number to reach the caller, or is not known to."
    ),
    Reason.UNDELIVERABLE: "The provider says that this address takes no messages, so none is sent there.",
    Reason.UNREADABLE: "Part of the record cannot be read, and a stop may be in it.",
    Reason.ASKED_ENOUGH: "The person was asked as often as the organisation allows itself to ask.",
}

# What is missing or speaks against it, by the codes of `Decision.failed`. A fact that is not known counts as a no.
PARTS: Final[Mapping[str, str]] = {
    "organisation": "They said so to one of the organisations that the message is from.",
    "organisations": "The yes on record does not name the organisation that this is for.",
    "sender": "The yes on record does not name the organisation that makes the call.",
    "solicited": "It is not known that they asked for it.",
    "solicited.at": "They asked for it too long ago.",
    "attempt": "They asked for it once, and got it.",
    "promotional": "It promotes something, or nobody said that it does not, so it is marketing.",
    "public_authority": "A public task counts only for an organisation that says it is a public authority.",
    "instigator": "The person is a client of the caller, and not of the organisation that the call is made for.",
    "obtained_by": "The organisation that this is for did not collect the details itself.",
    "in_sale": "The details were not collected in a sale or in talks about one.",
    "similar_purposes": "The message is not about products or services similar to those of that sale.",
    "refusal_offered": "No simple way to refuse is known to have been offered when the details were collected.",
    "refused": "The person refused when the details were collected, or it is not known whether they did.",
    "offers_refusal": "This message, or one before it, is not known to offer a simple way to refuse.",
    "refusal_cost": "It costs, or may cost, more than sending a message to refuse.",
    "gives_stop_address": "The message is not known to give an address to ask for it to stop.",
    "dated": "It is not known when the details were collected.",
    "charity": "The sender is not, or is not known to be, a charity that may rely on this.",
    "collected_at": "The details were collected before 5 February 2026, when the law began to allow this.",
    "charitable_only": "The message does, or may do, more than further the charity’s own purposes.",
    "engagement": "The person neither showed interest in the charity’s purposes nor supported them.",
    "purpose_held": "The purpose is not known to have been one of the charity’s own when the details were collected.",
    "call.claims_management": "It is not known whether the call is about claims management, which needs a yes.",
    "call.pensions": "It is not known whether the call is about pensions.",
    "call.recorded": "It is not known that no recording or artificial voice speaks.",
    "call.client.avoids_ban": "The relationship was, or may have been, set up mainly to get round the ban.",
    "call.client.calls_envisaged": "The client is not known to be able to expect such calls.",
    "call.client.refusal_at_collection": (
        "No free way to refuse is known to have been offered when the details were collected."
    ),
    "call.client.refusal_each_time": (
        "No free way to refuse is known to have been offered each time they were contacted since."
    ),
    "tps": "The TPS was not checked, or only in too old a copy.",
    "ctps": "The CTPS was not checked, or only in too old a copy.",
    "fps": "The Fax Preference Service was not checked, or only in too old a copy.",
    Defect.NOT_AFFIRMATIVE: "They did nothing that says yes, such as ticking an empty box.",
    Defect.CONDITIONAL: "It was, or may have been, a condition of something else, such as a sale.",
    Defect.BUNDLED: "The same act agreed, or may have agreed, to something else as well.",
    Defect.CHANNEL_NOT_NAMED: "The words do not name this channel.",
    Defect.PURPOSE_NOT_NAMED: "The words are about another purpose.",
    Defect.SENDER_NOT_NAMED: "The words do not name the organisation.",
    Defect.OTHERS_NOT_NAMED: "The words speak of other organisations without naming them.",
    Defect.NO_CHOICE_OF_SENDER: "The organisations that it names could not, or may not, have been chosen one by one.",
    Defect.NOT_THE_HOLDER: "It was not given, or is not known to have been, by the holder of this line.",
    Defect.CHILD: "It was, or may have been, given by a child under 13 without a parent’s authorisation.",
    Defect.NOT_OLD_ENOUGH: (
        "It was, or may have been, given by a child who could not decide this, without a parent’s authorisation."
    ),
    Defect.UNPROVEN: "Who agreed, when, how or to which words is not on record.",
    Defect.TOO_OLD: "Someone else collected it, and it was not used in the months in which it could be.",
    Defect.DORMANT: "It was neither renewed nor used for years.",
    Defect.STOPPED_BEFORE: "The person had stopped this before, and someone else reports the yes.",
}
# Reasons whose sentence does not say which part is missing.
_IN_PARTS: Final = frozenset(
    {
        Reason.NO_CONSENT,
        Reason.CONSENT_UNSOUND,
        Reason.CONSENT_UNPROVEN,
        Reason.CONSENT_TOO_OLD,
        Reason.SOFT_OPT_IN_INCOMPLETE,
        Reason.REGISTER_NOT_CHECKED,
        Reason.CALLER_NOT_AUTHORISED,
        Reason.NOT_A_CLIENT,
        Reason.LISTED,
        Reason.NOT_ON_RECORD,
        Reason.OBJECTED,
        Reason.WITHDRAWN,
        Reason.SUPPRESSED,
    }
)

# What kind of stop it was, where that says more than that someone objected.
_STOPPED_THROUGH: Final[Mapping[Through, str]] = {
    Through.REPLY: "{Who} wrote that they want no more of this, and nothing they did since allows {what}.",
    Through.COMPLAINT: "{Who} marked a message as spam, and nothing they did since allows {what}.",
    Through.PROVIDER: "{Who} opted out with the message provider, and nothing they did since allows {what}.",
    Through.LETTER: "{Who} objected by letter, and nothing they did since allows {what}.",
    Through.CALL: "{Who} objected on the telephone, and nothing they did since allows {what}.",
    Through.AGENT: "Someone authorised to act for {who} objected, and nothing {who} did since allows {what}.",
    Through.COMPANY: "The company asked for no marketing to anyone there.",
    Through.DOMAIN: "Someone asked for no marketing to any address at this domain.",
    Through.FUNDRAISING_PREFERENCE_SERVICE: (
        "{Who} asked through the Fundraising Preference Service, and nothing they did since allows {what}."
    ),
    Through.NEVER: "{Who} asked never to be written to again, and nothing they did since allows {what}.",
    Through.DECEASED: "The person is recorded as having died.",
    Through.GONE_AWAY: "The person is recorded as no longer at this address or number.",
}
_LIFTED_OTHERWISE: Final[Mapping[Through, str]] = {
    Through.COMPANY: "Only a yes that the person at this address gives themselves, after the request.",
    Through.DOMAIN: "Only a yes that the person at this address gives themselves, after the request.",
    Through.DECEASED: "Nothing. If the record is wrong, only the person themselves can show that.",
    Through.GONE_AWAY: "Another address or number of the person, with a ground of its own.",
}

_LIFT: Final = "Only the {party} can lift it, by {lifting}."
_REMEDIES: Final[Mapping[Reason, str]] = {
    Reason.OBJECTED: _LIFT,
    Reason.OBJECTED_BY_HOLDER: "Only the person who objected can lift it.",
    Reason.WITHDRAWN: _LIFT,
    Reason.SUPPRESSED: "Only the {party} can lift it, by an affirmative act of their own.",
    Reason.NO_CONSENT: "A yes from {who} to {what}, given to you on this line beforehand.",
    Reason.CONSENT_EXPIRED: "A new yes from {who}.",
    Reason.CONSENT_UNSOUND: "A yes from {who} without what is wrong with this one.",
    Reason.CONSENT_UNPROVEN: "The missing evidence, or a new yes from {who}.",
    Reason.CONSENT_TOO_OLD: "A new yes from {who}, given to you.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "What is missing, if it is true, or a yes from {who} to {what}.",
    Reason.NOT_AN_ADDRESS: "An address that is written correctly.",
    Reason.NOT_ON_RECORD: "Adding the contact, and a yes from them.",
    Reason.ERASED: "Nothing that the sender can do.",
    Reason.NOT_COVERED: "A rulebook that decides it.",
    Reason.LISTED: "A yes from {who} to {what}, given to you on this line, which goes before the register.",
    Reason.REGISTER_NOT_CHECKED: "Checking the number against a copy of each register that is at most 28 days old.",
    Reason.CALLER_NOT_AUTHORISED: "Authorisation, and consent. Consent alone does not help.",
    Reason.NOT_A_CLIENT: "What is missing, if it is true, or a yes given to the caller.",
    Reason.IDENTITY_CONCEALED: "Naming the organisation in the message.",
    Reason.NO_STOP_ADDRESS: "A stop link or a reply address in the message.",
    Reason.NUMBER_WITHHELD: "Presenting the number.",
    Reason.NAME_WITHHELD: "Saying the name.",
    Reason.CONTACT_WITHHELD: "Giving a postal address or a number that is free of charge.",
    Reason.UNDELIVERABLE: "Another address, or making sure of this one: manager.restore_line.",
    Reason.UNREADABLE: "A version of Optly that can read all of the record.",
    Reason.ASKED_ENOUGH: "Waiting, or the person’s own wish to be asked.",
}

_NAMED: Final[Mapping[str, str]] = {
    fact: f"A yes from {{who}} to {{what}} that names the organisation {named}, given on this line beforehand."
    for fact, named in (("organisations", "this is for"), ("sender", "that calls"))
}
# What would change it without a yes, where it was not said what the message or its sender is.
_WITHOUT: Final[Mapping[str, str]] = {
    "charity": "Saying that the sender is a charity that may rely on this, if that is true.",
    "promotional": "Leaving out whatever it promotes, and saying so.",
    "call.claims_management": "Saying that the call is not about claims management, if that is true.",
    "call.pensions": "Saying that the call is not about pensions, if that is true.",
    "call.recorded": "Saying that a person speaks and no machine, if that is true.",
}

# Where a decision rests on no rule of law.
NO_RULE: Final = "not a rule of law"
# The right of a natural person to object to direct marketing.
RIGHT_TO_OBJECT: Final = "UK GDPR 21(3)"

# Where a MyOptly link can be sent to the line itself: what is chosen through another line lifts no stop on this one.
# Whether a number takes texts is not known here, and a landline takes none.
_PAGES: Final[Mapping[Channel, str]] = {
    Channel.EMAIL: "choosing yes on their MyOptly page",
    **dict.fromkeys(
        (Channel.SMS, Channel.MMS, Channel.WHATSAPP, Channel.RCS),
        "a later yes of their own to {what}, such as on their MyOptly page if the number takes texts",
    ),
}


# Without slots, because a dictionary is copied sooner than slots are filled: see `about`.
@attrs.frozen(kw_only=True, slots=False)
class Decision:
    """
    Whether one message may go out, and what that rests on. True if and only if it is allowed.

    It holds no personal data and may be logged or shown.

    Attributes:
        allowed: The answer.
        reason: Why, as a code.
        regulation: The provision that decides, such as ``22(2)``; where there are several, with ``; `` between them.
        also: Further provisions that were applied, such as the prohibition to which `regulation` is an exception.
        channel, purpose, kind: What was asked about. Of several purposes, the one that is refused, or the first.
        title: What the purpose is about, as its title says. Empty if the rulebook was not given it.
        also_for: The other purposes of the same message, which were asked about with it.
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
    title: str = ""
    also_for: tuple[str, ...] = ()
    through: Through | None = None

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def explanation(self) -> str:
        """
        Why, in sentences for people: in the case's own words, and with every part that is missing.
        """
        stopped = None if self.through is None else _STOPPED_THROUGH.get(self.through)
        sentences = [self._filled(stopped or _EXPLANATIONS[self.reason])]
        if self.reason in _IN_PARTS:
            sentences += [PARTS[code] for code in self.failed if code in PARTS]
        return " ".join(sentences)

    @property
    def would_change_it(self) -> str:
        """
        What would change the answer, in a sentence for people. Empty for a message that is allowed.
        """
        remedy = self._filled(self._remedy)
        without = [_WITHOUT[code] for code in self.failed if code in _WITHOUT]
        return " ".join([*without, f"Otherwise {remedy[0].lower()}{remedy[1:]}"]) if without else remedy

    @property
    def _remedy(self) -> str:
        if self.reason in (Reason.NO_CONSENT, Reason.LISTED):
            for code in self.failed:
                if code in _NAMED:
                    return _NAMED[code]
        if "charity" in self.failed:
            return _REMEDIES[Reason.NO_CONSENT]
        otherwise = None if self.through is None else _LIFTED_OTHERWISE.get(self.through)
        return otherwise or _REMEDIES.get(self.reason, "")

    @property
    def purposes(self) -> tuple[str, ...]:
        """
        Every purpose that was asked about.
        """
        return (self.purpose, *self.also_for)

    def about(self, contact: str, line: int, evidence: tuple[int, ...], valid_until: datetime | None) -> Decision:
        """
        Return the same decision about someone else, whose events have other numbers. It takes a fifth of the time that
        making one does, of which there are as many as there are addresses in a list.
        """
        values = self.__dict__.copy()
        values["contact"], values["line"] = contact, line
        values["evidence"], values["valid_until"] = evidence, valid_until
        other = object.__new__(Decision)
        object.__setattr__(other, "__dict__", values)
        return other

    def overruled(self, reason: Reason, evidence: tuple[int, ...] = ()) -> Decision:
        """
        Return the refusal of what the law allows, for a reason that is not a rule of law.
        """
        return typed.evolve(
            self,
            allowed=False,
            reason=reason,
            regulation=NO_RULE,
            also=(),
            evidence=evidence,
            failed=(),
            duties=(),
            valid_until=None,
            fines="",
        )

    def _filled(self, sentence: str) -> str:
        # Someone with an address of a company's is a person who objects, and their right is named.
        body = self.subscriber.corporate and RIGHT_TO_OBJECT not in (self.regulation, *self.also)
        party = "company or body" if body else "person"
        paged = self.contact and self.line is not None and self.channel in _PAGES and not body
        lifting = f"a later yes of their own to {self._what}"
        if "organisation" in self.failed:
            lifting = f"{lifting} that names the organisation they said no to"
        elif paged:
            lifting = _PAGES[self.channel].format(what=self._what)
        return sentence.format(who=f"this {party}", Who=f"The {party}", party=party, what=self._what, lifting=lifting)

    @property
    def _what(self) -> str:
        title = self.title or f"“{self.purpose}”"
        if title[1:2].islower():  # "Offers" opens a sentence of its own; "BBC news" is a name
            title = title[0].lower() + title[1:]
        # What a machine says in a live call needs a yes to automated calls.
        automated = self.regulation.startswith("19(")
        return f"{_SENT[Channel.AUTOMATED_CALL if automated else self.channel]} about {title}"

    def __str__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        about = ", ".join((self.channel, *self.purposes))
        return f"{verdict}: {about}. {self.explanation} ({self.regulation}; {self.edition})"
