"""
What the gate answers, and why.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

import attrs

from optly.addresses import Channel


class Reason(StrEnum):
    """
    Why a message is allowed or refused. A code that programs may rely on.
    """

    CONSENTED = "consented"
    SOFT_OPT_IN = "soft_opt_in"
    SOLICITED = "solicited"
    CORPORATE_SUBSCRIBER = "corporate_subscriber"

    OBJECTED = "objected"
    WITHDRAWN = "withdrawn"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    CONSENT_EXPIRED = "consent_expired"
    SOFT_OPT_IN_INCOMPLETE = "soft_opt_in_incomplete"
    NOT_ON_RECORD = "not_on_record"
    ERASED = "erased"
    NOT_COVERED = "not_covered"
    IDENTITY_CONCEALED = "identity_concealed"
    NO_STOP_ADDRESS = "no_stop_address"


class Duty(StrEnum):
    """
    What the sender of an allowed message must still do. `manager.send` does it for messages.
    """

    SHOW_IDENTITY = "show_identity"
    GIVE_STOP_ADDRESS = "give_stop_address"
    OFFER_FREE_REFUSAL = "offer_free_refusal"


_EXPLANATIONS = {
    Reason.CONSENTED: "The person agreed to messages on this channel, for this purpose, to this line.",
    Reason.SOFT_OPT_IN: (
        "The details were collected in a sale, the message is about similar products, and a simple way to refuse was "
        "offered and not taken."
    ),
    Reason.SOLICITED: "The person asked for this message.",
    Reason.CORPORATE_SUBSCRIBER: (
        "The line belongs to a company or another corporate subscriber, which the consent rule does not protect, and "
        "nobody there objected."
    ),
    Reason.OBJECTED: "The person objected to marketing, and nothing they did since lifts that.",
    Reason.WITHDRAWN: "The person refused or withdrew consent, and nothing they did since lifts that.",
    Reason.SUPPRESSED: "This address is on the suppression list.",
    Reason.NO_CONSENT: "No consent is on record for this channel, this purpose and this line.",
    Reason.CONSENT_EXPIRED: "The consent on record has run out.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "A soft opt-in is on record, but a part of what it needs is missing.",
    Reason.NOT_ON_RECORD: "Nobody with this address is on record, so there is nothing to rely on.",
    Reason.ERASED: "The contact was erased.",
    Reason.NOT_COVERED: "This edition of the rulebook does not decide this channel, and what is not known is refused.",
    Reason.IDENTITY_CONCEALED: "The message does not show on whose behalf it is sent.",
    Reason.NO_STOP_ADDRESS: "The message gives no address to which a request to stop can be sent.",
}

_REMEDIES = {
    Reason.OBJECTED: "Only the person can lift it, by choosing yes on their MyOptly page.",
    Reason.WITHDRAWN: "Only the person can lift it, by choosing yes on their MyOptly page.",
    Reason.SUPPRESSED: "Only the person can lift it, by an affirmative act of their own.",
    Reason.NO_CONSENT: "A consent that names this channel and this purpose, given on this line.",
    Reason.CONSENT_EXPIRED: "A new consent.",
    Reason.SOFT_OPT_IN_INCOMPLETE: "The missing facts, if they are true, or consent.",
    Reason.NOT_ON_RECORD: "Putting the contact on record, and a consent of theirs.",
    Reason.ERASED: "Nothing the sender can do.",
    Reason.NOT_COVERED: "A rulebook that decides this channel.",
    Reason.IDENTITY_CONCEALED: "Naming the organisation in the message.",
    Reason.NO_STOP_ADDRESS: "A stop link or a reply address in the message.",
}


@attrs.frozen(kw_only=True)
class Decision:
    """
    Whether one message may go out, and what that rests on. True if and only if it is allowed.

    It holds no personal data and may be logged or shown.

    Attributes:
        allowed: The answer.
        reason: Why, as a code.
        regulation: The provision that decides, such as ``22(2)``.
        channel, purpose: What was asked about.
        at: The instant the answer is for. Aware.
        edition: The edition of the rulebook.
        contact: Id of the contact, or empty if nobody with the address is on record.
        line: Number of the line within the contact's record, or None.
        evidence: Numbers of the events the answer rests on.
        duties: What the sender of an allowed message must still do.
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

    def __bool__(self) -> bool:
        return self.allowed

    @property
    def explanation(self) -> str:
        """
        Why, in a sentence for people.
        """
        return _EXPLANATIONS[self.reason]

    @property
    def would_change_it(self) -> str:
        """
        What would turn the answer round, in a sentence for people. Empty for a message that is allowed.
        """
        return _REMEDIES.get(self.reason, "")

    def __str__(self) -> str:
        verdict = "allowed" if self.allowed else "refused"
        return f"{verdict}: {self.channel}, {self.purpose} (PECR {self.regulation}). {self.explanation}"
