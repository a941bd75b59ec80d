"""
Events: what happened, frozen, in the past tense, and without personal data.

Anything that could identify a person, and every free text, is in :attr:`Happened.personal` under a slot name. The
ledger stores those values where they can be erased and hashes only a salted commitment to each, so no other field may
repeat one. Everything a decision needs is outside `personal`: folding events whose personal values are gone gives the
same standing.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from types import EllipsisType
from typing import Annotated, Any, Final, TypeAlias

import attrs

from optly import typed
from optly.contacts import AddressKind, Channel, Subscriber
from optly.instants import Instant


class Actor(StrEnum):
    """
    Who caused an event.
    """

    PERSON = "person"
    STAFF = "staff"
    PROVIDER = "provider"
    SYSTEM = "system"


class Grade(StrEnum):
    """
    How much an event proves, from the strongest to the weakest.

    A: the person's own act, through a link sent to the very line it is about. Only Optly's own pages give this grade.
    B: the person's own act, about another line or in a session that the host vouches for.
    C: recorded by someone else, with a document.
    D: recorded by someone else, who says when and how.
    E: asserted.
    """

    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"


class Act(StrEnum):
    """
    What the person did. Only the first three are consent.

    Source: UK GDPR Art 4(11) and recital 32; Planet49 (C-673/17).
    """

    TICKED_BOX = "ticked_box"
    CHOSE_YES = "chose_yes"
    SAID_YES = "said_yes"
    PRE_TICKED = "pre_ticked"
    SILENCE = "silence"
    OPT_OUT_BOX_LEFT = "opt_out_box_left"
    ORDER_SUBMITTED = "order_submitted"
    ACCOUNT_REGISTRATION = "account_registration"
    PRIVACY_POLICY_ONLY = "privacy_policy_only"

    @property
    def affirmative(self) -> bool:
        """
        Whether this is a clear affirmative act.
        """
        return self in (Act.TICKED_BOX, Act.CHOSE_YES, Act.SAID_YES)


class Evidence(StrEnum):
    """
    What must be on record to prove a consent.

    Source: UK GDPR Art 7(1); the ICO's guidance on consent, https://ico.org.uk/for-organisations/uk-gdpr-guidance-and-
    resources/lawful-basis/consent/how-should-we-obtain-record-and-manage-consent (as reported 2026-11-23).
    """

    WHO = "who"
    WHEN = "when"
    HOW = "how"
    WORDING = "wording"


class Defect(StrEnum):
    """
    Why something that was recorded as a consent is not one.
    """

    NOT_AFFIRMATIVE = "not_affirmative"
    CONDITIONAL = "conditional"
    BUNDLED = "bundled"
    CHANNEL_NOT_NAMED = "channel_not_named"
    PURPOSE_NOT_NAMED = "purpose_not_named"
    SENDER_NOT_NAMED = "sender_not_named"
    OTHERS_NOT_NAMED = "others_not_named"
    NO_CHOICE_OF_SENDER = "no_choice_of_sender"
    NOT_THE_HOLDER = "not_the_holder"
    CHILD = "child"
    NOT_OLD_ENOUGH = "not_old_enough"
    UNPROVEN = "unproven"
    TOO_OLD = "too_old"
    DORMANT = "dormant"
    STOPPED_BEFORE = "stopped_before"


def _as_told(told: bool | EllipsisType | None, manner: Any) -> bool | None:
    if not isinstance(told, EllipsisType):
        return told
    return None if len(manner.organisations or ()) > 1 else True


def _chosen_singly() -> Any:
    # Typed as any value: the type checker does not know of converters that see the other fields.
    return attrs.field(default=..., converter=attrs.Converter(_as_told, takes_self=True))


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Manner:
    """
    How a consent was given elsewhere. None means unknown, and counts against it.

    Attributes:
        conditional: Whether it was a condition of a sale, a quote, an account or similar.
        bundled: Whether the same act also agreed to something else, such as terms or a statement of age.
        channel_named: Whether the words name the channel.
        sender_named: Whether the words name the organisation that relies on it, not just "partners" or a line of trade.
        organisations: Keys of the organisations the words name, where that is not only the one that keeps this record;
            None where it is that one alone.
        chosen_singly: Whether each of several organisations could be chosen separately. Where several are named, it has
            to be told; where one is, there is nothing to choose.
        by_holder: Whether the holder of the line gave it.
        authorised: Whether someone else gave it who may decide for the holder, such as an attorney under a lasting
            power of attorney. The evidence has to say under what.
        of_age: Whether the person was old enough, or a holder of parental responsibility allowed it. An online service
            may rely on a child's own consent from 13 on. Elsewhere there is no number: it depends on whether the child
            understood what they agreed to.
        online: Whether it was given to an online service; False on paper, in a call, at a counter.
        collected_by: Who collected it, if it was someone else; empty otherwise.
        unproven: Which evidence is missing.

    Source: UK GDPR Art 4(11), 7 and 8, https://www.legislation.gov.uk/eur/2016/679/article/7 (as reported 2026-11-23);
    ICO, Tempcover 2022, Join the Triboo 2023, HelloFresh 2024, ZMLUK 2026.
    """

    conditional: bool | None = False
    bundled: bool | None = False
    channel_named: bool | None = True
    sender_named: bool | None = True
    organisations: tuple[str, ...] | None = None
    chosen_singly: bool | None = _chosen_singly()
    by_holder: bool | None = True
    of_age: bool | None = True
    collected_by: str = ""
    unproven: tuple[Evidence, ...] = ()
    authorised: bool | None = None
    online: bool | None = None

    @property
    def defects(self) -> tuple[Defect, ...]:
        """
        Why this is not a consent. Empty if it is one.
        """
        faults = (
            (Defect.CONDITIONAL, self.conditional is not False),
            (Defect.BUNDLED, self.bundled is not False),
            (Defect.CHANNEL_NOT_NAMED, not self.channel_named),
            (Defect.SENDER_NOT_NAMED, not self.sender_named),
            (Defect.NO_CHOICE_OF_SENDER, self.chosen_singly is not True),
            (Defect.NOT_THE_HOLDER, not (self.by_holder or self.authorised)),
            (Defect.CHILD, not self.of_age and self.online is not False),
            (Defect.NOT_OLD_ENOUGH, not self.of_age and self.online is False),
            (Defect.UNPROVEN, bool(self.unproven)),
        )
        return tuple(defect for defect, found in faults if found)

    @property
    def untold(self) -> tuple[str, ...]:
        """
        Names of the facts that a consent of this kind needs and that are not known.
        """
        needed = ["conditional", "bundled", "channel_named", "sender_named", "chosen_singly", "of_age"]
        if not self.authorised:
            needed.append("by_holder")
        if self.by_holder is False:
            needed.append("authorised")
        return tuple(name for name in needed if getattr(self, name) is None)


# In what was found in words: that they are in a language that is not read.
NOT_JUDGED: Final = "not_judged"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Reading:
    """
    What was found in the words of a consent, and in what is told of how it was given, when they were recorded.

    Attributes:
        found: Codes of :class:`optly.rules.lint.WordingFlaw`: what makes a consent invalid, and ``not_judged`` for
            words in a language that is not read.
        defects: Why a consent to such words is none.
        unproven: Which evidence is missing, because what was told says no more than that it is not known.
        accepted: Whether those who recorded it accepted what was found, and said why. It excuses no missing evidence.
    """

    found: tuple[str, ...] = ()
    defects: tuple[Defect, ...] = ()
    unproven: tuple[Evidence, ...] = ()
    accepted: bool = False

    @property
    def stands(self) -> tuple[Defect, ...]:
        """
        The defects that nobody accepted.
        """
        missing = (Defect.UNPROVEN,) if self.unproven else ()
        return missing if self.accepted else (*self.defects, *missing)


class LinkKind(StrEnum):
    """
    What a link was made for. :mod:`optly.links` says what each may do.
    """

    QUESTION = "question"
    MANAGE = "manage"
    STOP = "stop"
    UNDO = "undo"
    SESSION = "session"


@attrs.frozen(field_transformer=typed.fields)
class Choice:
    """
    One thing a person can allow or refuse: messages on one channel, for one purpose, to one of their lines.

    Attributes:
        line: The number of the line within the contact's own record, from 1. Not a telephone number.
        wording: Digest of the exact words of the question.
        expires_at: The last instant at which a yes counts; None if it does not expire.
    """

    channel: Channel
    purpose: str
    line: int
    wording: str
    expires_at: Instant | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Happened:
    """
    The fields that every event has.

    Attributes:
        occurred_at: When it happened in the world. Decides what came first. Aware, kept in UTC.
        recorded_at: When it was recorded. Aware, kept in UTC.
        actor: Who caused it.
        grade: How much this record of it proves.
        personal: Personal values by slot: committed to by a hash, and erasable. Empty where erased or not read.
    """

    occurred_at: Instant
    recorded_at: Instant
    actor: Actor
    grade: Grade
    personal: Annotated[Mapping[str, str], typed.Judged] = attrs.field(factory=dict, repr=False)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ContactAdded(Happened):
    """
    A contact was added. Their name, if known, is in the slot ``name_1``.

    Attributes:
        anonymous: Whether it stands for anyone who has its one address, because nothing else is known of them.
    """

    subscriber: Subscriber
    language: str
    anonymous: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class DetailsChanged(Happened):
    """
    The contact's details changed. None means that a detail did not change.

    How it is known that the subscriber is of a kind that is protected less than before is in the slot ``how_N``.

    Attributes:
        name: The slot the new name is in.
    """

    subscriber: Subscriber | None = None
    language: str | None = None
    name: str | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineAdded(Happened):
    """
    An address or number was added to the contact. Its value is in the slot ``line_N``. Nothing is allowed on it yet.

    Attributes:
        subscriber: Who holds this line, where that differs from the contact: a director's private mailbox belongs to an
            individual.
        through: The line through which the person added it, or None if someone else did.
    """

    line: int
    kind: AddressKind
    subscriber: Subscriber | None = None
    through: int | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineProved(Happened):
    """
    The person who reads one line showed that they read another as well, with a one-time code that was sent there.

    Attributes:
        line: The line that was proved.
        through: The line they came through.
    """

    line: int
    through: int


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineRemoved(Happened):
    """
    An address or number was removed from the contact.
    """

    line: int


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineLeft(Happened):
    """
    The contact no longer has this address or number, and someone else may have it now: they moved, or the number was
    given to someone new. Their stops go along with them and no longer stand on it. How that is known is in the slot
    ``how_N``.
    """

    line: int


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineReinstated(Happened):
    """
    The holder of a line undid its removal. What was allowed and stopped on it counts as before.
    """

    line: int


class Service(StrEnum):
    """
    What people can have sent to one of their lines, from their own page.

    CODE: Six digits that prove they can read what is sent there.
    LINK: A new link to their page.
    COPY: A copy of what is held about them. Source: UK GDPR Art 15(3).
    WAY_BACK: A link to their choices, after someone entered their address in a form although they had stopped.
    """

    CODE = "code"
    LINK = "link"
    COPY = "copy"
    WAY_BACK = "way_back"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ServiceRequested(Happened):
    """
    The person, or someone who claims to be them, had something sent to one of their lines.

    Attributes:
        link, code: The kind and the mark of the link it was requested through, or None and empty.
    """

    service: Service
    channel: Channel
    line: int
    link: LinkKind | None = None
    code: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ComplaintReceived(Happened):
    """
    The person complained about how their data are used. Their words are in the slot ``text_N``. If they did so in
    another way than through a link, that is in ``how_N``, and the name of a person who is not on record in ``name_N``.

    Attributes:
        complaint: Random id, 32 hexadecimal digits.
        acknowledge_by: The last instant at which to acknowledge it.
        link, code: As for an answer.
        line: The line whose link it was made through; None if it was made in another way.

    Source: Data Protection Act 2018 s. 164A, by the Data (Use and Access) Act 2025 s. 103,
    https://www.legislation.gov.uk/ukpga/2025/18/section/103 (as reported 2026-11-24).
    """

    complaint: str
    acknowledge_by: Instant
    link: LinkKind | None = None
    code: str = ""
    line: int | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ComplaintAcknowledged(Happened):
    """
    The complaint was acknowledged to the person. How, if not by one of our messages, is in the slot ``how_N``.

    Attributes:
        message: The message that acknowledged it, or empty.
    """

    complaint: str
    message: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ComplaintDecided(Happened):
    """
    The outcome of the complaint was decided and queued to be sent. It is in the slot ``outcome_N``.

    Attributes:
        message: The message that informs the person of it.
    """

    complaint: str
    message: str


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ComplaintResolved(Happened):
    """
    The person was informed of the outcome of their complaint. How, if not by one of our messages, is in the slot
    ``how_N``, and the outcome, if it is not in an earlier event, in ``outcome_N``.

    Attributes:
        message: The message that informed them, or empty.
    """

    complaint: str
    message: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ConsentRequested(Happened):
    """
    The person was asked for consent. The wording is pinned here, before the question is sent. If the organisation
    accepted what was found in it, why is in the slot ``accept_N``.

    Attributes:
        question: Random id of the question, 32 hexadecimal digits.
        via, line: The channel and the line the question is sent to.
        choices: What may be answered.
        expires_at: The last instant at which an answer counts.
        regulation, reason, edition: Why the gate allowed the question, and under which edition of the rulebook.
        solicited_at: When the person asked for the question, if that was the reason.
        remind_at: When one reminder is sent if they have not answered by then; None for no reminder.
        found: What was found in the words, as in :class:`Reading`.
        unproved: Whether it is asked because somebody typed the address into a form, who may be anyone.
    """

    question: str
    via: Channel
    line: int
    choices: tuple[Choice, ...]
    language: str
    expires_at: Instant
    regulation: str
    reason: str
    edition: str
    solicited_at: Instant | None = None
    remind_at: Instant | None = None
    found: tuple[str, ...] = ()
    unproved: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageQueued(Happened):
    """
    A marketing message passed the gate and was queued. Only packs of the first format have it: what was allowed is now
    recorded with the outcome.

    Attributes:
        also_for: Further purposes of the same message, each of which passed the gate.
    """

    message: str
    channel: Channel
    purpose: str
    line: int
    regulation: str
    reason: str
    edition: str
    also_for: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageEvent(Happened):
    """
    What happened to a message.

    Attributes:
        message: Random id of the message, 32 hexadecimal digits.
        channel, line: Where it was addressed.
        question: The question it contained, if any.
        backend: Which backend sent it.
        status: The enhanced status code of the reply, such as ``5.1.1``, or empty.
        code: Mark of the stored link it contained (see :func:`optly.links.mark`), or empty. A signed link has the
            beginning of `message` for its mark.
        provider_id: The provider's id of the message, or empty.
        provider_code: The provider's own code for the outcome, such as ``30005``, or empty.
    """

    actor: Actor = Actor.PROVIDER
    grade: Grade = Grade.B
    message: str
    channel: Channel = Channel.EMAIL
    line: int
    question: str | None = None
    backend: str = ""
    status: str = ""
    code: str = ""
    provider_id: str = ""
    provider_code: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageOutcome(MessageEvent):
    """
    The outcome of sending a message.

    Attributes:
        purpose, also_for: What a marketing message was for. Each purpose passed the gate. Empty for any other message.
        regulation, reason, edition: Why the gate allowed it, and under which edition of the rulebook.
    """

    purpose: str = ""
    also_for: tuple[str, ...] = ()
    regulation: str = ""
    reason: str = ""
    edition: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageAccepted(MessageOutcome):
    """
    The provider accepted the message. Its reply, word for word, is in the slot ``reply_N``. A code that says only that
    is left out.
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageRefused(MessageOutcome):
    """
    The provider permanently refused the message. Its reply is in the slot ``reply_N``.

    Attributes:
        permanent: Whether it may be for ever, because no cause but the address is named.
    """

    permanent: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageDoubted(MessageOutcome):
    """
    It is unknown whether the provider accepted the message, so it is not sent again.
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageDelivered(MessageEvent):
    """
    The provider reported that the message arrived. Its report, word for word, is in the slot ``detail_N``.
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageUndelivered(MessageEvent):
    """
    The provider had accepted the message and reported that it did not arrive. Its report is in the slot ``detail_N``.

    Attributes:
        permanent: As for a refusal.
    """

    permanent: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineFailed(Happened):
    """
    A line permanently receives no messages on a channel: a mailbox that does not exist, a number that is a landline.
    Nothing more is sent there until it is known to work.

    Attributes:
        message: The message that failed, or empty if the provider reported only the address.
        backend, status, provider_code: Who reported it, and its codes. The report is in the slot ``detail_N``.
    """

    channel: Channel
    line: int
    message: str = ""
    backend: str = ""
    status: str = ""
    provider_code: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LineRestored(Happened):
    """
    Staff confirmed that a line works again. How they know is in the slot ``how_N``.
    """

    channel: Channel
    line: int


class Meaning(StrEnum):
    """
    How a message from a person was read, where it is neither an answer nor a stop.

    START: It lifts a provider's own block. It grants nothing.
    HELP: They want to know who sends the messages, and how to stop them.
    OTHER: Something for people to read.
    """

    START = "start"
    HELP = "help"
    OTHER = "other"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageReceived(Happened):
    """
    The person wrote something that neither answers a question nor stops anything. Its words are in the slot ``text_N``.

    Attributes:
        shared: Whether several people had the line it came from, so that nobody knows who of them wrote.
    """

    channel: Channel
    line: int
    meaning: Meaning
    backend: str = ""
    shared: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MessageWithheld(MessageEvent):
    """
    The gate, checked again just before sending, refused a message that it had allowed when it was queued.

    Attributes:
        purpose, also_for: As in :class:`MessageOutcome`.
        regulation, reason, edition: Why the gate refused it, and under which edition of the rulebook.
    """

    regulation: str
    reason: str
    edition: str
    purpose: str = ""
    also_for: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class AnswerHeld(Happened):
    """
    A yes came so soon after the message with its link that a program which presses every button may have sent it.

    It allows nothing until the person confirms it. The confirmation is recorded as the consent.

    Attributes:
        until: The last instant at which it can be confirmed.
        question, link, code, language: As for an answer.
    """

    choices: tuple[Choice, ...]
    until: Instant
    question: str | None = None
    link: LinkKind | None = None
    code: str = ""
    language: str = ""


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ConsentGiven(Happened):
    """
    The person said yes, or did something that was recorded as a yes: the act, the manner and the reading show which.

    What differs in the reading is in an event of its own, so that each is a consent or none as a whole. Why what was
    found in the words is accepted is in the slot ``accept_N``.

    Attributes:
        choices: What they agreed to, each with the digest of its wording.
        act: What the person did.
        elsewhere: Whether it came through a line that proves nothing of those it is about. It then lifts no stop there.
        question: The question this answers, or None.
        link, code: The kind and the mark of the link it came through, or None and empty. An answer by a message from
            the person came through no link, and its words are in the slot ``reply_N``.
        manner: How it was given, where it was not an answer to one of our own questions.
        language: The language of the page, or empty if there was none. The language of the question is in its wording.
        reading: What was found in the words when it was recorded; None for an answer to one of our own questions.
        stopped_before: Whether the person had stopped this, and someone else reported the yes. It is kept as evidence
            and lifts nothing.
        after: The marks of the stops in other records that were known when this was recorded: those of an address, of a
            domain, of another holder. One that is not among them was recorded later, whatever its clock says.
    """

    choices: tuple[Choice, ...]
    act: Act
    question: str | None = None
    link: LinkKind | None = None
    code: str = ""
    manner: Manner | None = None
    language: str = ""
    elsewhere: bool = False
    reading: Reading | None = None
    stopped_before: bool = False
    after: tuple[str, ...] = ()

    @property
    def told_defects(self) -> tuple[Defect, ...]:
        """
        What is wrong with it as it was told, whatever its words are.
        """
        return (
            *(() if self.act.affirmative else (Defect.NOT_AFFIRMATIVE,)),
            *(() if self.manner is None else self.manner.defects),
        )

    @property
    def defects(self) -> tuple[Defect, ...]:
        """
        Why this is not a consent. Empty if it is one.
        """
        read = () if self.reading is None else self.reading.stands
        before = (Defect.STOPPED_BEFORE,) if self.stopped_before else ()
        return tuple(dict.fromkeys((*self.told_defects, *read, *before)))


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ConsentRefused(Happened):
    """
    The person said no. It stops what it names, as a withdrawal does.
    """

    choices: tuple[Choice, ...]
    question: str | None = None
    link: LinkKind | None = None
    code: str = ""
    language: str = ""


class Through(StrEnum):
    """
    How a stop reached us, or what kind of stop it is, where it was not simply made through a link.

    REPLY: The person wrote to us.
    COMPLAINT: A spam report: they marked a message as spam, and their mail provider reported that.
    PROVIDER: They opted out with the provider that sends our messages.
    LETTER: They wrote a letter.
    CALL: They said so on the telephone.
    AGENT: Someone authorised to act for them said so: an attorney, a solicitor, an adviser.
    COMPANY: Someone who speaks for the company said so for everyone at it.
    DOMAIN: Someone said so for every address at a domain.
    FUNDRAISING_PREFERENCE_SERVICE: They asked through the Fundraising Preference Service.
    NEVER: They asked never to be written to again, not even about their choices.
    DECEASED: They have died.
    GONE_AWAY: They can no longer be reached at that address or number.
    """

    REPLY = "reply"
    COMPLAINT = "complaint"
    PROVIDER = "provider"
    LETTER = "letter"
    CALL = "call"
    AGENT = "agent"
    COMPANY = "company"
    DOMAIN = "domain"
    FUNDRAISING_PREFERENCE_SERVICE = "fundraising_preference_service"
    NEVER = "never"
    DECEASED = "deceased"
    GONE_AWAY = "gone_away"

    @property
    def objection(self) -> bool:
        """
        Whether it is something that was said, rather than a fact about the person that others reported.
        """
        return self not in (Through.DECEASED, Through.GONE_AWAY)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Stopped(Happened):
    """
    The person stopped something.

    Attributes:
        channels, purposes: What is covered. An empty tuple covers all of them, including future ones.
        line: The one line it covers, or None for every line of the contact, including future ones.
        link, code: The kind and the mark of the link it came through, or None and empty.
        through: How it reached us, or what kind of stop it is; None if it was made through a link, or staff recorded
            no more than that. What the person wrote is in the slot ``how_N``.
        organisation: Key of the organisation it was made to, if that is another than the one that keeps this record. It
            covers what is sent by or at the instigation of that one.
        shared: Whether several people had the line it came from, so that nobody knows who of them it was.
    """

    channels: tuple[Channel, ...] = ()
    purposes: tuple[str, ...] = ()
    line: int | None = None
    link: LinkKind | None = None
    code: str = ""
    through: Through | None = None
    organisation: str | None = None
    shared: bool = False


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ConsentWithdrawn(Stopped):
    """
    The person withdrew a consent. Source: UK GDPR Art 7(3).
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ObjectionRaised(Stopped):
    """
    The person objected to marketing. Source: UK GDPR Art 21(2) and (3).
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MarkedDeceased(Stopped):
    """
    The organisation learned that the person has died. It stops everything to them.

    It is nobody's objection: the UK GDPR protects the living. Source: UK GDPR recital 27; CAP Code section 10.
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class MarkedGoneAway(Stopped):
    """
    The organisation learned that the person can no longer be reached at one line. It stops everything to that line, and
    does not move to another. Source: UK GDPR Art 5(1)(d).
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class DomainObjectionRaised(Happened):
    """
    Someone objected to marketing to every address at a domain, those not yet on record included.

    The domain is in the slot ``domain_N``. What stops is its keyed hash, which is tied to no contact and survives
    erasure. How the objection was made is in the slot ``how_N``.

    Attributes:
        purposes: What is covered. An empty tuple covers all purposes, including future ones.
    """

    purposes: tuple[str, ...] = ()


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class SoftOptInRecorded(Happened):
    """
    Details were collected in a sale or a negotiation for one.

    Attributes:
        obtained_by: Key of the organisation that obtained the details.
        in_sale: Whether that was in the course of a sale, or negotiations for one, to this person.
        goods: Class of what was sold or discussed; only messages for purposes listed there are similar.
        similar_purposes: Purposes whose messages are about the sender's own similar products and services.
        refusal_offered: Whether a simple, free way to refuse was offered when the details were first collected.
        refused: Whether the person did refuse, which stops the channel on that line. None if unknown.
        dated: Whether it is known when the details were collected. If not, `occurred_at` is when it was recorded.

    Source: PECR reg 22(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
    """

    channel: Channel
    line: int
    obtained_by: str
    in_sale: bool
    goods: str
    similar_purposes: tuple[str, ...]
    refusal_offered: bool
    refused: bool | None = False
    dated: bool = True


class Engagement(StrEnum):
    """
    What a person was doing when a charity obtained their details.
    """

    INTEREST = "interest"
    SUPPORT = "support"
    OTHER = "other"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class CharitySoftOptInRecorded(Happened):
    """
    A charity collected the details of someone who showed interest in its purposes or supported them.

    Attributes:
        obtained_by: Key of the organisation that obtained the details. Empty if unknown.
        engagement: What the person was doing. A mere purchase is something other than support.
        purpose_held: Whether the purpose in question was one of the charity's own at that time.
        refusal_offered: Whether a simple, free way to refuse was offered when the details were first collected.
        refused: Whether the person did refuse, which stops the channel on that line. None if unknown.
        dated: Whether it is known when the details were collected. If not, `occurred_at` is when it was recorded.

    Source: PECR reg 22(3A), by the Data (Use and Access) Act 2025 s. 114,
    https://www.legislation.gov.uk/ukpga/2025/18/section/114 (read 2026-11-23).
    """

    channel: Channel
    line: int
    obtained_by: str
    engagement: Engagement
    purpose_held: bool | None
    refusal_offered: bool | None
    refused: bool | None
    dated: bool


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Checked:
    """
    What a register said about a number, and when it was checked.

    Attributes:
        register: ``tps``, ``ctps`` or ``fps``.
        listed_on: Since when the number has been listed, or None if it is not.
        as_of, version: The date and the name of the copy that was checked.
    """

    register: str
    listed_on: date | None
    as_of: date
    version: str
    checked_at: Instant


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class CommunicationMade(Happened):
    """
    The organisation made a call or sent something itself, after the gate allowed it.

    Attributes:
        communication: Random id, 32 hexadecimal digits.
        regulation, reason, edition: Why the gate allowed it, and under which edition of the rulebook.
        checks: What the registers said beforehand.
        also_for: Further purposes of the same message or call, each of which passed the gate.
        solicited_at: When the person asked for it, if that was the reason and it was not in vain.
    """

    communication: str
    channel: Channel
    purpose: str
    line: int
    regulation: str
    reason: str
    edition: str
    checks: tuple[Checked, ...] = ()
    also_for: tuple[str, ...] = ()
    solicited_at: Instant | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class LinksRevoked(Happened):
    """
    Every link to the contact's choices that was made before this event no longer opens.
    """


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ContactErased(Happened):
    """
    All personal values of the contact were erased, and their lines were suppressed by keyed hash.
    """


Event: TypeAlias = (
    ContactAdded
    | DetailsChanged
    | LineAdded
    | LineProved
    | LineRemoved
    | LineLeft
    | LineReinstated
    | ServiceRequested
    | ComplaintReceived
    | ComplaintAcknowledged
    | ComplaintDecided
    | ComplaintResolved
    | ConsentRequested
    | MessageQueued
    | CommunicationMade
    | MessageAccepted
    | MessageRefused
    | MessageDoubted
    | MessageDelivered
    | MessageUndelivered
    | MessageWithheld
    | MessageReceived
    | LineFailed
    | LineRestored
    | AnswerHeld
    | ConsentGiven
    | ConsentRefused
    | ConsentWithdrawn
    | ObjectionRaised
    | MarkedDeceased
    | MarkedGoneAway
    | DomainObjectionRaised
    | SoftOptInRecorded
    | CharitySoftOptInRecorded
    | LinksRevoked
    | ContactErased
)

# What stops or erases, and what others report. None of it allows anything, so it is recorded of a contact who cannot be
# read in full, and in a store that takes nothing else any more.
NEVER_REFUSED: Final = (
    Stopped,
    ConsentRefused,
    ContactErased,
    DomainObjectionRaised,
    LinksRevoked,
    MessageEvent,
    MessageReceived,
    LineFailed,
)
