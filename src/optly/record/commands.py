"""
Commands: what may be asked of the record. :func:`optly.record.consent.decide` decides each, and may refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

import attrs

from optly import typed
from optly.contacts import AddressKind, Channel, Subscriber
from optly.contacts.parties import is_key
from optly.instants import is_aware, to_utc, to_utc_or_none
from optly.messages import DeliveryStatus, Fault, Outcome
from optly.record import events


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Context:
    """
    Where an answer came from, for hosts that wish to keep it. Minimise: an answer counts without either.

    Attributes:
        address: The network address the answer came from.
        browser: The browser's user agent.
    """

    address: typed.Heard = attrs.field(default="", repr=False)
    browser: typed.Heard = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Attachment:
    """
    A document that shows what the person did, such as a scan or a recording.
    """

    name: str = attrs.field(repr=False)
    media_type: str
    content: bytes = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class NewLine:
    """
    An address or number to add: its kind, its value, and who holds it, where that differs from the contact.
    """

    kind: AddressKind
    value: str = attrs.field(repr=False)
    subscriber: Subscriber | None = None


@attrs.frozen(kw_only=True)
class AddContact:
    """
    Add a contact.

    Attributes:
        anonymous: Whether it stands for anyone who has its one address, because nothing else is known of them.
    """

    name: str = attrs.field(default="", repr=False)
    subscriber: Subscriber = Subscriber.UNKNOWN
    language: str = "en"
    lines: tuple[NewLine, ...] = ()
    anonymous: bool = False
    actor: events.Actor = events.Actor.STAFF


@attrs.frozen(kw_only=True)
class ChangeDetails:
    """
    Change a contact's details. None leaves a detail as it is.

    Attributes:
        through: The line the person came through, if it is they who change them.
        how: How the kind of subscriber is known. Needed for one that is protected less than the kind on record.
    """

    name: str | None = attrs.field(default=None, repr=False)
    subscriber: Subscriber | None = None
    language: str | None = None
    add: tuple[NewLine, ...] = ()
    remove: tuple[int, ...] = ()
    through: int | None = None
    actor: events.Actor = events.Actor.STAFF
    how: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class AskForConsent:
    """
    Ask a question that the gate allowed.

    Attributes:
        question: Random id, 32 hexadecimal digits.
        how: How the person asked for the question, in free text.
        remind_at: When to remind them if they have not answered, or None.
        found: What was found in the words, as in :class:`events.Reading`.
        accept: Why the words are good all the same; empty if nothing was found.
        unproved: As in :class:`events.ConsentRequested`.
    """

    question: str
    via: Channel
    line: int
    choices: tuple[events.Choice, ...]
    language: str
    expires_at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    regulation: str
    reason: str
    edition: str
    solicited_at: datetime | None = attrs.field(default=None, converter=to_utc_or_none, validator=is_aware)
    remind_at: datetime | None = attrs.field(default=None, converter=to_utc_or_none, validator=is_aware)
    how: str = attrs.field(default="", repr=False)
    found: tuple[str, ...] = ()
    accept: str = attrs.field(default="", repr=False)
    unproved: bool = False


@attrs.frozen(kw_only=True)
class RecordCommunication:
    """
    Record a call or a message that the gate allowed and that the organisation makes itself.

    Attributes:
        also_for: Further purposes of the same message or call.
        solicited_at: When the person asked for it, if this grants their wish.
    """

    communication: str
    channel: Channel
    purpose: str
    line: int
    regulation: str
    reason: str
    edition: str
    checks: tuple[events.Checked, ...] = ()
    also_for: tuple[str, ...] = ()
    solicited_at: datetime | None = attrs.field(default=None, converter=to_utc_or_none, validator=is_aware)


@attrs.frozen(kw_only=True)
class AnswerQuestion:
    """
    Answer a question through its own link, or by a message from the line it was sent to.

    Attributes:
        answers: Yes or no by channel and purpose. A choice that is missing stays unanswered.
        line: The line the question was sent to. The answer proves that the person reads what is sent there.
        reply: The words of the message that answered it; empty for an answer through the link.
        also: Other questions that a refusal by message answers as well, because it does not say which one it means.
        language: The language of the page it was answered on; empty for none.
        hold: Whether a yes must be confirmed before it counts, because a program may have sent it so soon.
    """

    question: str
    answers: Mapping[tuple[Channel, str], bool]
    line: int
    code: str = ""
    reply: str = attrs.field(default="", repr=False)
    also: tuple[str, ...] = ()
    language: str = ""
    hold: bool = False
    context: Context = attrs.field(factory=Context, repr=False)


@attrs.frozen(kw_only=True)
class ChangeChoices:
    """
    Change choices on the MyOptly page.

    Attributes:
        yes, no: What is now allowed and refused, with the wordings that were on the page.
        line: The line the link was made for.
        handed_over: Whether it was sent there and given to nobody else, so that it proves who reads there.
        link, code: The kind and the mark of the link the person used.
        language, hold: As for an answer.
    """

    yes: tuple[events.Choice, ...]
    no: tuple[events.Choice, ...]
    line: int
    handed_over: bool = True
    link: events.LinkKind = events.LinkKind.MANAGE
    code: str = ""
    language: str = ""
    hold: bool = False
    context: Context = attrs.field(factory=Context, repr=False)


@attrs.frozen(kw_only=True)
class ConfirmAnswer:
    """
    Confirm an answer that was held because it came too soon, through the link it came through.

    Attributes:
        line, handed_over: As for a change of choices.
    """

    code: str
    line: int
    handed_over: bool = True
    language: str = ""
    context: Context = attrs.field(factory=Context, repr=False)


@attrs.frozen(kw_only=True)
class UndoStop:
    """
    Undo a stop, as far as it ended what the person had agreed to themselves.

    Attributes:
        stop: Number of the event that stopped it.
        choices: What the person had agreed to at that time, in the words they agreed to.
        own: Whether the stop came through the same link or line, so that the person who reads there may undo it.
        line, handed_over, link, code, language, hold: As for a change of choices.
    """

    stop: int
    choices: tuple[events.Choice, ...]
    own: bool = False
    line: int
    handed_over: bool = True
    link: events.LinkKind
    code: str = ""
    language: str = ""
    hold: bool = False
    context: Context = attrs.field(factory=Context, repr=False)


@attrs.frozen(kw_only=True)
class ProveLine:
    """
    Add an address whose holder has shown that they read what is sent there, or prove one that is on record.

    Attributes:
        replaces: Numbers of the lines it replaces.
        through: The line the person came through.
        proves: Number of the line that it proves, if it is on record already.
    """

    line: NewLine
    replaces: tuple[int, ...] = ()
    through: int
    proves: int | None = None


@attrs.frozen(kw_only=True)
class UndoLine:
    """
    Undo a change of address, at the request of the person who reads the earlier one.

    Attributes:
        added: Number of the line that was added, or None.
        removed: Numbers of the lines it replaced.
    """

    added: int | None
    removed: tuple[int, ...]


@attrs.frozen(kw_only=True)
class RequestService:
    """
    Record that something was requested on the pages, to be sent to one of the contact's lines.
    """

    service: events.Service
    channel: Channel
    line: int
    link: events.LinkKind | None = None
    code: str = ""


@attrs.frozen(kw_only=True)
class Complain:
    """
    Complain about how the person's data are used.

    Attributes:
        complaint: Random id, 32 hexadecimal digits.
        acknowledge_by: The last instant at which to acknowledge it.
        link, code: As for an answer; None and empty if it was made in another way.
        line: The line whose link it was made through; None likewise.
        at: When it was received; None for now.
        how: In which way it was made, such as ``telephone``, if not through a link.
        name: The name of a person who is not on record.
        apart: Whether the person is not on record, so that the complaint has a record of its own.
    """

    complaint: str
    acknowledge_by: datetime = attrs.field(converter=to_utc, validator=is_aware)
    text: str = attrs.field(repr=False)
    link: events.LinkKind | None = None
    code: str = ""
    line: int | None = None
    at: datetime | None = attrs.field(default=None, converter=to_utc_or_none, validator=is_aware)
    how: str = attrs.field(default="", repr=False)
    name: str = attrs.field(default="", repr=False)
    actor: events.Actor = events.Actor.PERSON
    apart: bool = False


@attrs.frozen(kw_only=True)
class AnswerComplaint:
    """
    Record that a complaint was acknowledged to the person, or that they were informed of the outcome.

    Attributes:
        how: How they were informed.
        outcome: The outcome, if they were informed of it.
        resolved: Whether this resolves the complaint.
    """

    complaint: str
    how: str = attrs.field(repr=False)
    outcome: str = attrs.field(default="", repr=False)
    resolved: bool
    actor: events.Actor = events.Actor.STAFF


@attrs.frozen(kw_only=True)
class DecideComplaint:
    """
    Decide the outcome of a complaint, to be sent to the person.

    Attributes:
        message: The message that informs them, 32 hexadecimal digits.
    """

    complaint: str
    outcome: str = attrs.field(repr=False)
    message: str
    actor: events.Actor = events.Actor.STAFF


class Unsound(StrEnum):
    """
    What to do with a consent that is not valid, such as a pre-ticked box.

    REFUSE: Do not record it.
    KEEP: Record it as it was found. It allows nothing, and the record shows why.
    """

    REFUSE = "refuse"
    KEEP = "keep"


@attrs.frozen(kw_only=True)
class RecordConsent:
    """
    Record a consent that was given elsewhere.

    Attributes:
        manner: How it was given, where it was not an answer to one of the organisation's own questions.
        unsound: What to do if it is not valid.
        readings: What was found in the words of each choice, in their order. Empty if nobody read them.
        accept: Why they are good all the same; None if nobody says so.
    """

    choices: tuple[events.Choice, ...]
    act: events.Act
    how: str = attrs.field(repr=False)
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    actor: events.Actor = events.Actor.STAFF
    attachments: tuple[Attachment, ...] = attrs.field(default=(), repr=False)
    context: Context = attrs.field(factory=Context, repr=False)
    manner: events.Manner | None = None
    unsound: Unsound = Unsound.REFUSE
    readings: tuple[events.Reading, ...] = ()
    accept: str | None = attrs.field(default=None, repr=False)


@attrs.frozen(kw_only=True)
class Stop:
    """
    Withdraw consent or object. Empty channels or purposes mean all of them, and no line means every line.

    Attributes:
        objection: An objection to marketing rather than the withdrawal of a consent. Both stop the same messages.
        organisation: Key of the organisation it was made to; None for the one that keeps this record.
        through: How it reached us, or what kind of stop it is. That someone died or has gone away is recorded as that,
            and as no objection.
        at: When it was made; None for now.
        shared: As in :class:`events.Stopped`.
    """

    objection: bool
    organisation: str | None = None
    channels: tuple[Channel, ...] = ()
    purposes: tuple[str, ...] = ()
    line: int | None = None
    at: datetime | None = attrs.field(default=None, converter=to_utc_or_none, validator=is_aware)
    actor: events.Actor = events.Actor.PERSON
    link: events.LinkKind | None = None
    code: str = ""
    through: events.Through | None = None
    shared: bool = False
    how: str = attrs.field(default="", repr=False)
    context: Context = attrs.field(factory=Context, repr=False)


@attrs.frozen(kw_only=True)
class ObjectForDomain:
    """
    Record an objection for every address at a domain.

    Attributes:
        domain: In its IDNA form, in lower case.
        purposes: What it covers; empty for all.
    """

    domain: str = attrs.field(repr=False)
    purposes: tuple[str, ...] = ()
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    actor: events.Actor = events.Actor.STAFF
    how: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class RecordSoftOptIn:
    """
    Record that details were collected in a sale.

    Attributes:
        goods: Class of what was sold or discussed, a short name such as ``bicycles``.
        refused: Whether the person refused. None if unknown.
        at: When the details were collected. None if unknown.
    """

    channel: Channel
    line: int
    obtained_by: str
    in_sale: bool
    goods: str = attrs.field(validator=is_key)
    similar_purposes: tuple[str, ...]
    refusal_offered: bool
    refused: bool | None = False
    at: datetime | None = attrs.field(converter=to_utc_or_none, validator=is_aware)
    how: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class RecordCharitySoftOptIn:
    """
    Record that a charity collected the details of someone interested in its purposes or supporting them.

    Attributes:
        at: When the details were collected. None if unknown.
    """

    channel: Channel
    line: int
    obtained_by: str
    engagement: events.Engagement
    purpose_held: bool | None
    refusal_offered: bool | None
    refused: bool | None
    at: datetime | None = attrs.field(converter=to_utc_or_none, validator=is_aware)
    how: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class RecordOutcome:
    """
    Record the outcome of sending a message.

    Attributes:
        complaint: The complaint that the message acknowledges or whose outcome it reports, if any.
        purpose, also_for, regulation, reason, edition: As in :class:`events.MessageOutcome`.
        permanent: Of a refusal: whether it may be for ever, because no cause but the address is named.
    """

    message: str
    channel: Channel
    line: int
    outcome: Outcome
    fault: Fault | None = None
    permanent: bool = False
    question: str | None = None
    complaint: str | None = None
    backend: str = ""
    status: str = ""
    code: str = ""
    provider_id: str = ""
    provider_code: str = ""
    purpose: str = ""
    also_for: tuple[str, ...] = ()
    regulation: str = ""
    reason: str = ""
    edition: str = ""
    reply: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class RecordDelivery:
    """
    Record what a provider reports later, about a message or only about a line.

    Attributes:
        message: The message, or empty if the provider reported only the address.
        permanent: Of a failure: as for an outcome.
        at: When it happened, by the provider's clock.
        detail: The provider's words.
        shared: Of a stop: as in :class:`events.Stopped`.
    """

    status: DeliveryStatus
    permanent: bool = False
    channel: Channel
    line: int
    message: str = ""
    question: str | None = None
    backend: str = ""
    status_code: str = ""
    provider_code: str = ""
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    detail: str = attrs.field(default="", repr=False)
    shared: bool = False


@attrs.frozen(kw_only=True)
class RecordMessage:
    """
    Record a message from the person that neither answers a question nor stops anything.

    Attributes:
        shared: As in :class:`events.MessageReceived`.
    """

    channel: Channel
    line: int
    meaning: events.Meaning
    backend: str = ""
    shared: bool = False
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    text: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class RestoreLine:
    """
    Record that staff confirmed that a line works again.
    """

    channel: Channel
    line: int
    how: str = attrs.field(repr=False)


@attrs.frozen(kw_only=True)
class LeaveLine:
    """
    Record that the contact no longer has a line, so that it is free for others.

    Attributes:
        also: Further lines that had the same address, and were removed before.
        how: How that is known.
    """

    line: int
    also: tuple[int, ...] = ()
    how: str = attrs.field(repr=False)
    at: datetime = attrs.field(converter=to_utc, validator=is_aware)
    actor: events.Actor = events.Actor.STAFF


@attrs.frozen(kw_only=True)
class WithholdMessage:
    """
    Record that the gate refused a message just before it was sent.
    """

    message: str
    channel: Channel
    line: int
    regulation: str
    reason: str
    edition: str
    purpose: str = ""
    also_for: tuple[str, ...] = ()
    question: str | None = None


@attrs.frozen(kw_only=True)
class RevokeLinks:
    """
    Revoke every link to the contact's choices made so far.
    """


@attrs.frozen(kw_only=True)
class EraseContact:
    """
    Erase all personal data of a contact.
    """


Command: TypeAlias = (
    AddContact
    | ChangeDetails
    | AskForConsent
    | RecordCommunication
    | AnswerQuestion
    | ChangeChoices
    | ConfirmAnswer
    | UndoStop
    | ProveLine
    | UndoLine
    | RequestService
    | Complain
    | AnswerComplaint
    | DecideComplaint
    | RecordConsent
    | Stop
    | ObjectForDomain
    | RecordSoftOptIn
    | RecordCharitySoftOptIn
    | RecordOutcome
    | RecordDelivery
    | RecordMessage
    | RestoreLine
    | LeaveLine
    | WithholdMessage
    | RevokeLinks
    | EraseContact
)
