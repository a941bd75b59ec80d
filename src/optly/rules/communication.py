"""
What is about to be sent, as the gate sees it, with the facts that only the application knows.

None stands for a fact that was not supplied. It is never read in the sender's favour.
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum
from typing import Literal, Protocol, TypeAlias, TypedDict

import attrs

from optly import typed
from optly.contacts import Channel
from optly.instants import Instant


class MessageKind(StrEnum):
    """
    What a message is for. A request for consent is marketing (Flybe, Honda and Morrisons, ICO 2017).

    A message is solicited if the person actively asked for that very information. Ticking a box makes later messages
    consented, not solicited; a series that follows what was asked for is not either (We Buy Any Car, ICO 2022).

    Genuine market research is not marketing. It is if it promotes anything, or collects details for later marketing.
    """

    MARKETING = "marketing"
    SERVICE = "service"
    CONSENT_REQUEST = "consent_request"
    SOLICITED = "solicited"
    RESEARCH = "research"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Solicited:
    """
    The person asked for the message, or asked to be asked, for instance by filling in a newsletter form.

    Attributes:
        how: What they did, in free text. Kept as evidence, and erasable.
        at: When. Aware. Up to `CLOCK_SKEW` (five minutes) in the future counts as now, and beyond that as never.
    """

    how: str = attrs.field(repr=False)
    at: Instant


# What speaks in a call where nothing is said of it: what the channel is called.
AsTheChannelSays: TypeAlias = Literal["as_the_channel_says"]


class RefusalCost(StrEnum):
    """
    What it costs to refuse further messages.
    """

    FREE = "free"
    COST_OF_SENDING = "cost_of_sending"
    MORE = "more"


class CharityLaw(StrEnum):
    """
    Whose law of charities an organisation is under.
    """

    ENGLAND_WALES = "england_wales"
    NORTHERN_IRELAND = "northern_ireland"
    SCOTLAND = "scotland"


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Charity:
    """
    The sender is a charity. A trading subsidiary and a community interest company are not.

    Attributes:
        registered: Whether it is entered in the Scottish register. Under the other laws it need not be registered.

    Source: PECR reg 22(5), by the Data (Use and Access) Act 2025 s. 114,
    https://www.legislation.gov.uk/ukpga/2025/18/section/114 (read 2026-11-23).
    """

    law: CharityLaw
    registered: bool | None = None

    @property
    def qualifies(self) -> bool:
        """
        Whether the soft opt-in for charities is open to it.
        """
        return self.law is not CharityLaw.SCOTLAND or self.registered is True


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class ClientRelationship:
    """
    The person called is a client of the caller's, for a call about pensions.

    Attributes:
        calls_envisaged: Whether such calls might reasonably be expected of that relationship.
        refusal_at_collection: Whether a free way to refuse was offered when the details were collected.
        refusal_each_time: Whether it has been offered at each contact since.
        avoids_ban: Whether the relationship was set up mainly to get round the ban.
    """

    calls_envisaged: bool | None = None
    refusal_at_collection: bool | None = None
    refusal_each_time: bool | None = None
    avoids_ban: bool | None = None


@attrs.frozen(kw_only=True, field_transformer=typed.fields)
class Call:
    """
    What the application knows of a call or a fax.

    Attributes:
        shows_number: Whether the calling number, or another on which the caller can be reached, is presented.
        gives_name: Whether the caller says in whose name it is made.
        contact_requested: Whether the person called asked how to reach the caller.
        gives_contact: Whether an address or a number to reach the caller is given.
        contact_is_free: Whether that is an address, or a number that is free of charge.
        recorded: Whether recorded matter is played, also by an agent, or a machine speaks: an artificial voice is taken
            for recorded matter. None if unknown, so that the call has to pass the rules for both. Left out, an
            automated call is recorded and a live call is a person speaking.
        claims_management: Whether it markets claims management services.
        pensions: Whether it markets anything about pension schemes.
        authorised: Whether the caller is authorised under the Financial Services and Markets Act 2000, or is the
            trustee or manager of a pension scheme.
        client: That the person called is a client of the caller's.
        connected: False for an attempt that nobody answered; None before it is made.
    """

    shows_number: bool | None = None
    gives_name: bool | None = None
    contact_requested: bool | None = False
    gives_contact: bool | None = None
    contact_is_free: bool | None = None
    recorded: bool | AsTheChannelSays | None = "as_the_channel_says"
    claims_management: bool | None = None
    pensions: bool | None = None
    authorised: bool | None = None
    client: ClientRelationship | None = None
    connected: bool | None = None


class Listing(Protocol):
    """
    What a register answered about the number. :class:`optly.protocols.Listing` is one.

    Attributes:
        register: ``tps``, ``ctps`` or ``fps``.
        listed_on: Since when the number is listed, or None where it is not.
        as_of, version: The date and the name of the copy of the register that was asked.
        checked_at: When it was asked. Aware.
    """

    @property
    def register(self) -> str: ...
    @property
    def listed_on(self) -> date | None: ...
    @property
    def as_of(self) -> date: ...
    @property
    def checked_at(self) -> datetime: ...
    @property
    def version(self) -> str: ...


@attrs.frozen(kw_only=True)
class Communication:
    """
    One message or call to one line.

    Attributes:
        sender: Key of the organisation that sends it or calls.
            The record to judge by is its own: a consent there that names nobody was given to it.
        instigator: Key of the organisation at whose instigation it does so, if that is another. The consent then has to
            name that one.
        purpose: Key of the purpose it is about.
        contact: Id of the contact, or empty if the address belongs to no contact on record.
        line: Number of the line within the contact's record, or None likewise.
        at: When it is sent, or the call is made. Aware.
        title: What the purpose is about, as its title says, for the words of the decision.
        asks: For a request for consent, the channel and the line of each thing it asks about.
        solicited: That the person asked for it.
        attempt: For a message that the person asked for, which sending of it this is. Only the first answers them.
        promotional: Whether a service message or research promotes anything, which makes it marketing, or a request for
            consent anything beside the question. None if unknown, which it is of the first two unless it is said.
        public_task: The task of a public authority that needs this message, in a few words. It is not direct marketing
            then, whatever its tone. Counts only with `public_authority`.
        public_authority: Whether the sender says of itself that it is a public authority.
        shows_identity: Whether it names whom it is sent for.
        gives_stop_address: Whether it says where to send a request to stop.
        offers_refusal: Whether it offers, and each message before it offered, a simple way to refuse.
        refusal_cost: What taking that way costs.
        first_contact: Whether there has been no marketing yet on the strength of the consent there is. False says that
            there has, also if it is not on record.
        charity: That the sender is a charity.
        charitable_only: Whether the sole purpose of the message is to further the charity's purposes.
        call: The facts of a call or a fax.
        listings: What the registers answered about the number.
        delivered: False for a message that reached nobody; None before it is sent.
    """

    channel: Channel
    kind: MessageKind
    sender: str
    purpose: str
    contact: str
    line: int | None
    at: Instant
    instigator: str = ""
    title: str = ""
    asks: tuple[tuple[Channel, int], ...] = ()
    solicited: Solicited | None = None
    attempt: int = 1
    promotional: bool | None = attrs.field()
    public_task: str = ""
    public_authority: bool = False
    shows_identity: bool | None = True
    gives_stop_address: bool | None = True
    offers_refusal: bool | None = True
    refusal_cost: RefusalCost | None = RefusalCost.FREE
    first_contact: bool | None = None
    charity: Charity | None = None
    charitable_only: bool | None = None
    call: Call = Call()
    listings: tuple[Listing, ...] = ()
    delivered: bool | None = None

    @promotional.default
    def _unsaid(self) -> bool | None:
        return None if self.kind in (MessageKind.SERVICE, MessageKind.RESEARCH) else False

    @property
    def responsible(self) -> str:
        """
        Key of the organisation that the consent has to be given to, or that the details were collected by.
        """
        return self.instigator or self.sender

    @property
    def parties(self) -> tuple[str, ...]:
        """
        Keys of the organisations that objections may have been made to.
        """
        return (self.sender, self.instigator) if self.instigator else (self.sender,)


class Facts(TypedDict, total=False):
    """
    The facts an application may give about a message, besides what, to whom and when. See `Communication`.

    What the manager knows itself, such as the title of the purpose, is not among them.
    """

    instigator: str
    asks: tuple[tuple[Channel, int], ...]
    solicited: Solicited | None
    attempt: int
    promotional: bool | None
    public_task: str
    shows_identity: bool | None
    gives_stop_address: bool | None
    offers_refusal: bool | None
    refusal_cost: RefusalCost | None
    first_contact: bool | None
    charity: Charity | None
    charitable_only: bool | None
    call: Call
    listings: tuple[Listing, ...]
    delivered: bool | None
