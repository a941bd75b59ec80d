"""
The organisation's face, in its awaited form.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, Unpack

from optly import protocols, typed
from optly._operations import (
    ask,
    campaigns,
    complaints,
    contacts,
    deliver,
    gate,
    hosting,
    inbound,
    keyed,
    links,
    outbox,
    proof,
    publication,
    reconcile,
    recording,
    renewal,
    sealing,
    send,
    sign_up,
    stats,
    verification,
    way_back,
)
from optly._operations.application import Face, close
from optly._operations.arguments import each_address, read_channels, read_contact, read_instant, read_line, read_who
from optly._operations.lines import Named
from optly._operations.repository import Listener
from optly._operations.running import directly, in_threads, run_to_completion
from optly._operations.screening import Screening
from optly._operations.settings import Settings
from optly._operations.setup import application, make_application, system_clock, webhooks_of
from optly._operations.sign_up import Check
from optly.contacts import (
    Account,
    Address,
    AddressKind,
    AnyContact,
    Channel,
    Contact,
    EmailAddress,
    Organisation,
    PhoneNumber,
    PostalAddress,
    Purpose,
    Subscriber,
    Wording,
    parse_address,
    recognise_address,
)
from optly.errors import UsageError
from optly.keys import Keys
from optly.links import StopReach, StopScope
from optly.messages import Content, DeliveryEvent, InboundMessage
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.record.checkpoints import Checkpoint
from optly.record.commands import Attachment, Context, RecordCharitySoftOptIn, RecordSoftOptIn, Unsound
from optly.record.events import Act, Actor, Engagement, Event, Manner, Through
from optly.record.ledger import Verification
from optly.record.standing import Question, Standing
from optly.record.views import AfterStop, Opened
from optly.results import (
    Asked,
    Campaign,
    Deliveries,
    Doubt,
    Imported,
    KnownKey,
    LogFile,
    OutboxEntry,
    Received,
    RecordedComplaint,
    Renewed,
    Stats,
)
from optly.rules import UKPECR, Decision, Facts, MessageKind, Rulebook, Solicited
from optly.self_service import AsyncSelfService, SelfService
from optly.typed import Count, Judged, Sent

if TYPE_CHECKING:
    from optly.evidence import EvidencePack
    from optly.portal import Portal, PortalSettings


T = TypeVar("T")

# How many addresses are looked up at once.
_SCREEN_BATCH = 2048


def _require_objection(through: Through | None) -> None:
    """
    Raises:
        UsageError: It is a kind of stop that has a method of its own.
    """
    if through is not None and (not through.objection or through is Through.DOMAIN):
        raise UsageError(
            "use mark_deceased, mark_gone_away or record_domain_objection, which record that as what it is"
        )


@typed.methods
class AsyncConsentManager(Face):
    """
    Asks for consent, records the answers, and decides what may be sent.

    Its methods are awaited, for applications that run an event loop. Methods of the storage, the backends and the
    registers that block run in the loop's thread pool; backend methods that are coroutines are awaited. The constructor
    reads the storage once and blocks while it does.

    A method that changes something has stored the change durably when it returns; if it raises, it has changed nothing.
    Every datetime must be aware. A contact is named by an id that reveals nothing about the person; each method takes
    the contact or that id, also as a UUID. An argument that is not of its type is an InvalidValueError, and the text of
    a member of an enumeration means that member.

    Args:
        organisation: The organisation that asks.
        purposes: The purposes it asks for. Keep a purpose that has been recorded for as long as it is to be shown.
        storage: Where contacts, events and messages are stored.
        backends: Send the messages, one backend for each channel.
        registers: Checked before a number is called or faxed.
        anchors: Places outside the storage that get each signed head of the log. At the start and in `verify`, the log
            is compared with what they hold.
        keys: The secrets that links, look-ups and signatures are made with. Keep every earlier key.
        base_url: Where the MyOptly pages are mounted, such as ``https://acme.example.com/my``. It is https, or http on
            this machine.
        rulebook: The law to decide by. Defaults to that of the United Kingdom.
        clock: Returns the current time, aware. Defaults to the system clock.
        receipts: Whether people are sent a confirmation of what they agreed to.
        way_back: Whether someone who stopped gets one plain message with a link to their choices, for each stop, when
            their address is entered in a form (see `offer_way_back`).
        keep_settled: How long a message stays in the outbox after it was sent, refused or withheld; the worker and
            `deliver` then remove it. What happened to it stays in the record. None to keep it for ever.
        rates: Send-rate limits for a channel or a domain, shared by all workers.
        quiet_hours: When no promotional message is sent.
        budget: How often one person is asked, across all campaigns.
        catalogues: Directories of catalogues ``<tag>.po`` with further languages, or other words for any sentence of a
            message or a page.
        on_events: Called with the contact and the new events, without their personal values, after they are stored. It
            runs in the thread that recorded them, so it should be quick. Its exceptions are logged and change nothing.
            If the process dies after storing the events, it is not called for them; if it is interrupted itself, it
            is called again.

    Raises:
        ConfigurationError: A setting is invalid.
        DamagedError: The log was cut, replaced or forked since a head of it was anchored.
    """

    def __init__(
        self,
        *,
        organisation: Organisation,
        purposes: Iterable[Purpose],
        storage: protocols.Storage,
        backends: Iterable[protocols.MessageBackend | protocols.AsyncMessageBackend] = (),
        registers: Iterable[protocols.Register] = (),
        anchors: Iterable[protocols.Anchor] = (),
        keys: Keys,
        base_url: str,
        rulebook: Rulebook | None = None,
        clock: protocols.Clock | None = None,
        receipts: bool = True,
        way_back: bool = False,
        keep_settled: timedelta | None = timedelta(days=30),
        rates: Iterable[Rate] = (),
        quiet_hours: QuietHours | None = None,
        budget: Budget | None = None,
        catalogues: Iterable[Path] = (),
        on_events: Listener | None = None,
    ) -> None:
        self._storage = storage
        self._on_events = on_events
        self._backends = tuple(backends)
        self._webhooks = webhooks_of(self._backends)
        settings = Settings(
            organisation=organisation,
            purposes=purposes,
            keys=keys,
            pages=base_url,
            rulebook=UKPECR() if rulebook is None else rulebook,
            clock=system_clock if clock is None else clock,
            receipts=receipts,
            way_back=way_back,
            keep_settled=keep_settled,
            rates=tuple(rates),
            quiet_hours=quiet_hours,
            budget=budget,
            catalogues=catalogues,
        )
        self._app = make_application(
            in_threads,
            settings,
            storage=storage,
            backends=self._backends,
            registers=registers,
            anchors=anchors,
            on_events=on_events,
        )

    def within(self, connection: object, *, on_commit: protocols.OnCommit | None = None) -> AsyncConsentManager:
        """
        Return this manager as part of a transaction that you began: what it records is committed with your own rows, or
        undone with them.

        It sees what the transaction has changed. If another writer came first, it decides again, from a savepoint. What
        is to be sent waits in the outbox, where a worker finds it after the commit; `deliver`, `seal` and `evidence`
        are refused. Attempts that are limited stay counted, except in SQLite where the transaction has the file.

        Args:
            connection: An `AsyncConnection` or `AsyncSession` of SQLAlchemy, to the database of the storage.
            on_commit: Has a function called after the commit, and not after a rollback, for `on_events`. A session
                needs none.

        Raises:
            UsageError: The storage or the connection is not of a kind that can, the connection commits every statement
                by itself, or there is an *on_events* and nothing tells of the commit.
        """
        hosted = copy(self)
        hosted._storage, hosted._app = hosting.within(
            in_threads, self._app, self._storage, connection, on_commit=on_commit, on_events=self._on_events
        )
        return hosted

    @property
    def storage(self) -> protocols.Storage:
        """
        The storage, as it was passed in.
        """
        return self._storage

    @property
    def receipts(self) -> bool:
        """
        Whether people are sent a confirmation of what they agreed to.
        """
        return self._app.settings.receipts

    @property
    def backends(self) -> tuple[protocols.MessageBackend | protocols.AsyncMessageBackend, ...]:
        """
        The message backends, as they were passed in.
        """
        return self._backends

    @property
    def webhooks(self) -> Mapping[str, protocols.WebhookBackend]:
        """
        The backends that receive webhooks, by name. The pages serve each one at ``base_url/hooks/<name>``.
        """
        return self._webhooks

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """
        The Ed25519 keys that evidence and checkpoints are signed with, the current one first. Publish them.
        """
        return self._app.settings.keys.public_keys

    @property
    def post_quantum_keys(self) -> tuple[bytes, ...]:
        """
        The ML-DSA-44 keys that checkpoints are also signed with, the current one first; empty if `cryptography` does
        not offer it here. Publish them for those who verify evidence in ten years.
        """
        return self._app.settings.keys.post_quantum_keys

    async def known_keys(self) -> tuple[KnownKey, ...]:
        """
        Return what is known of each key, the current one first, to see how far a rotation has come. No secret is in it.
        """
        return await keyed.known_keys(self._app.storage, self._app.settings)

    async def renew_rows(self, *, unsigned: bool = False) -> Renewed:
        """
        Sign every row with the current key, after a rotation. Goes on where an interruption left off.

        Args:
            unsigned: Whether to sign rows without a MAC, too. Only to take over a record from before there were any:
                whoever can write to the store can take a MAC away.
        """
        return await renewal.renew_rows(self._app, unsigned=unsigned)

    async def close(self) -> None:
        """
        Close the storage and the backends. A repeat is harmless.
        """
        await close(self._app)

    async def __aenter__(self) -> AsyncConsentManager:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---- contacts

    async def add_contact(
        self,
        *,
        reference: str = "",
        name: str = "",
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        address: str | PostalAddress | None = None,
        account: str | Account | None = None,
        subscriber: Subscriber = Subscriber.UNKNOWN,
        held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
        language: str = "en",
        actor: Actor = Actor.STAFF,
    ) -> Contact:
        """
        Add a contact. This alone permits no message to them.

        A person is never inferred from a matching address. With a *reference* the contact of that reference is
        returned; without one, the contact whom the same call added before, or else the only one who has every address
        given, under the same name. Otherwise a contact is added, who may share addresses with others: a household's
        landline, a shared mailbox. Addresses that an existing contact lacks are added, and of two kinds of subscriber
        the stricter is kept; nothing else changes. So a repeat is harmless, and an import never widens permission.

        Never pass on what a visitor typed and nobody proved: that is what `sign_up` is for.

        Args:
            reference: Your own name for the contact, such as a customer number. Kept as a keyed hash.
            subscriber: What kind of subscriber holds the addresses. Unknown subscribers are protected as individuals.
            held_by: The subscriber for one kind of address, if it differs from the rest, such as a director's own
                mailbox.
            language: The language to write to them in, a BCP 47 tag.
            actor: Who adds the contact.

        Raises:
            AddressError: An address is malformed.
            UsageError: The language has not the form of a tag.
            AmbiguousContactError: Several contacts have the name and every address: give a reference.
        """
        return await contacts.add(
            self._app,
            await contacts.known_addresses(self._app, email, phone, address, account),
            reference=reference,
            name=name,
            subscriber=subscriber,
            language=language,
            held_by=held_by,
            actor=actor,
        )

    async def find(self, address: str | Address, channel: Channel | str = Channel.EMAIL) -> Contact | None:
        """
        Return the contact who has an address, or None.

        Args:
            channel: How to read an address given as text: one for this channel.

        Raises:
            AddressError: The address is malformed.
            AmbiguousContactError: Several contacts have it.
            UnknownChannelError: There is no such channel.
        """
        return await contacts.find(self._app, recognise_address(address, Channel.of(channel).kind))

    async def holders(self, address: str | Address, channel: Channel | str = Channel.EMAIL) -> tuple[Contact, ...]:
        """
        Return every contact who has an address, in the order of their ids; empty if nobody has it.

        Arguments and errors as for `find`.
        """
        return await contacts.holders(self._app, recognise_address(address, Channel.of(channel).kind))

    async def find_reference(self, reference: str) -> Contact | None:
        """
        Return the contact that was added under your own reference, or None.
        """
        return await contacts.referred(self._app, reference)

    async def change_details(
        self,
        contact: AnyContact,
        *,
        name: str | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        address: str | PostalAddress | None = None,
        account: str | Account | None = None,
        subscriber: Subscriber | None = None,
        held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
        language: str | None = None,
        replaces: int | None = None,
        actor: Actor = Actor.STAFF,
        how: str = "",
    ) -> Standing:
        """
        Change the details of a contact. None leaves a detail unchanged.

        A new address replaces the one of its kind. Consent does not move to it; a stop does, and also stays on the old
        address until the contact has left that (see `leave_line`). That someone has gone away from the old address does
        not move.

        Args:
            replaces: Number of the line that a new address replaces. Needed where the contact has several of its kind.
            subscriber: What kind of subscriber they are. One that is protected more than the kind on record is taken
                as it is. One that is protected less, such as a company after a sole trader, needs evidence.
            how: How the kind of subscriber is known, for the evidence, such as their number at Companies House.

        Raises:
            UsageError: The kind of subscriber is protected less than the one on record, and *how* is empty; or the
                language has not the form of a tag.
            AddressError: An address is malformed.
            AmbiguousLineError: The contact has several addresses of that kind, and *replaces* names none.
            MissingLineError: The contact has no line with the number *replaces*, or it is of another kind.
            UnknownContactError: There is no such contact.
        """
        return await contacts.change(
            self._app,
            Contact.of(contact),
            name=name,
            subscriber=subscriber,
            language=language,
            addresses=await contacts.known_addresses(self._app, email, phone, address, account),
            held_by=held_by,
            replaces=replaces,
            actor=actor,
            how=how,
        )

    async def add_line(
        self,
        contact: AnyContact,
        *,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        address: str | PostalAddress | None = None,
        account: str | Account | None = None,
        held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
        actor: Actor = Actor.STAFF,
    ) -> Standing:
        """
        Add addresses to a contact, beside those they have. One they have already is left as it is.

        Nothing is allowed on a new address yet. Others may have it too.

        Args:
            held_by: The subscriber for one kind of address, if it differs from the contact.
            actor: Who adds them.

        Raises:
            AddressError: An address is malformed.
            UnknownContactError: There is no such contact.
        """
        addresses = await contacts.known_addresses(self._app, email, phone, address, account)
        return await contacts.add_lines(self._app, Contact.of(contact), addresses, held_by=held_by, actor=actor)

    async def leave_line(
        self,
        contact: AnyContact,
        *,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        how: str,
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Standing:
        """
        Record that a contact no longer has an address or number: they moved out, or the number was given to someone
        new. It is then free for others. The contact's stops go along with them.

        Without this a contact's objections still stand on an address that was removed from their record, for nobody
        knows whether it is theirs.

        Args:
            line, email, phone: The number or the value of the line.
            how: How that is known, for the evidence.
            at: Since when. Aware. Defaults to now.
            actor: Who reports it.

        Raises:
            UsageError: No line is named, or *how* is empty.
            MissingLineError: The line is not one of the contact's.
            UnknownContactError: There is no such contact.
        """
        return await contacts.leave_line(
            self._app, Contact.of(contact), read_line(line, email, phone), how=how, at=read_instant(at), actor=actor
        )

    async def standing(self, contact: AnyContact, *, at: datetime | None = None) -> Standing:
        """
        Return the consents, stops and details that follow from a contact's events.

        Args:
            at: Use the events recorded up to this instant, inclusive, instead of all of them.

        Raises:
            UnknownContactError: There is no such contact.
        """
        return await contacts.standing(self._app, Contact.of(contact), read_instant(at))

    async def history(self, contact: AnyContact) -> tuple[Event, ...]:
        """
        Return every event of a contact, in the order in which they were recorded. Erased personal values are missing.

        Raises:
            UnknownContactError: There is no such contact.
        """
        return await contacts.history(self._app, Contact.of(contact))

    async def erase(self, contact: AnyContact) -> None:
        """
        Erase all personal data of a contact. A repeat is harmless.

        Their chain of events still verifies. Their addresses stay suppressed under keyed hashes, so that messages to
        them are still refused after a later import.

        Copies may persist in the database's own log and in backups. After a restore, erase again: the ledger names the
        erased contacts.

        Raises:
            UnknownContactError: There is no such contact.

        Source: UK GDPR Art 17(1) and (3)(b), Art 21(3).
        """
        await contacts.erase(self._app, Contact.of(contact))

    # ---- asking and recording

    async def request_consent(
        self,
        contact: AnyContact,
        *,
        via: Channel | str,
        channels: Iterable[Channel | str],
        purposes: Iterable[str],
        basis: Solicited | None = None,
        language: str | None = None,
        expires_within: timedelta = timedelta(days=30),
        remind_after: timedelta | None = None,
        trading_as: str | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Question:
        """
        Queue a question that asks a contact for consent. `deliver` sends it.

        Asking is marketing, so the question has to pass the gate now, and again when it is sent. Its wording is pinned
        now. An earlier question about any of the same choices can no longer be answered.

        Args:
            via: The channel the question is sent on.
            channels, purposes: What to ask about. Each channel for each purpose is one choice.
            basis: How the person came to ask for the question, if that is what allows it.
            language: The language of the question. Defaults to the contact's.
            expires_within: How long after now the question can be answered, and then to the end of that day in the
                United Kingdom.
            remind_after: When to send one reminder to a person who has not answered, counted from now. A reminder that
                the gate would refuse is not planned: a person who asked for one question did not ask for two.
            trading_as: The trading name to ask in, one of `Organisation.names`. The footer names the legal person too.
            line, email, phone: The number or the value of the line it is sent to, or asks about. Needed where the
                contact has several of a kind.

        Raises:
            UsageError: The organisation does not trade under that name, or the time of *basis* is in the future.
            NotPermittedError: The gate refuses; ``decision`` says why.
            AmbiguousLineError: The contact has several lines for one of the channels, and none is named.
            UnsoundWordingError: A consent to the wording would not be valid; ``findings`` say why.
            MissingLineError: The contact has no address for one of the channels.
            NoBackendError: No backend serves *via*.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is no such contact, channel or purpose.
        """
        return await ask.request_consent(
            self._app,
            Contact.of(contact),
            ask.ConsentRequest(
                via=Channel.of(via),
                channels=read_channels(channels),
                purposes=purposes,
                basis=basis,
                language=language,
                expires_within=expires_within,
                remind_after=remind_after,
                trading_as=trading_as,
            ),
            read_line(line, email, phone),
        )

    async def request_consents(
        self,
        contacts: Annotated[Iterable[AnyContact], Judged],
        *,
        campaign: str,
        via: Channel | str,
        channels: Iterable[Channel | str],
        purposes: Iterable[str],
        basis: Solicited | None = None,
        language: str | None = None,
        expires_within: timedelta = timedelta(days=30),
        remind_after: timedelta | None = None,
        trading_as: str | None = None,
        report: Callable[[Asked], object] | None = None,
    ) -> Campaign:
        """
        Ask each contact on a list whom the gate allows to be asked, once for each campaign.

        If interrupted, running it again with the same *campaign* resumes. Two runs at once ask nobody twice either.
        Contacts who cannot be asked are skipped, and returned with the reason.

        Args:
            contacts: Read in batches while the campaign runs.
            campaign: Name of the campaign. Under another name, everyone may be asked again, if the gate and the budget
                allow it.
            report: Called with the result for each contact, for a progress bar or a log.
            via, channels, purposes, basis, language, expires_within, remind_after, trading_as: As for
                `request_consent`.

        Raises:
            UnsoundWordingError, NoBackendError, UnknownChannelError, UnknownPurposeError: As for `request_consent`.
            UsageError: The campaign has no name.
        """
        return await campaigns.request_consents(
            self._app,
            map(Contact.of, contacts),
            campaign,
            ask.ConsentRequest(
                via=Channel.of(via),
                channels=read_channels(channels),
                purposes=purposes,
                basis=basis,
                language=language,
                expires_within=expires_within,
                remind_after=remind_after,
                trading_as=trading_as,
            ),
            report,
        )

    async def sign_up(
        self,
        *,
        ticked: Iterable[tuple[Channel | str, str]],
        how: str,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        name: str = "",
        wording: Wording | None = None,
        language: str | None = None,
        expires_within: timedelta = timedelta(days=30),
        check: Check | None = None,
    ) -> None:
        """
        Take a sign-up form: queue a question to each address typed, about what was ticked for it. `deliver` sends it.

        Nothing is agreed to before the question is answered, which proves that the visitor reads there (double opt-in).
        What was typed is attached to no record before, and shows and changes none. What channels of email ask about
        goes to the email address and what those of a telephone ask about to the number, for an address proves itself
        and nothing else; afterwards people add the other on their MyOptly page. The name is kept for someone who is not
        on record yet, once they have answered.

        Returns the same whether the address is on record, has stopped everything or was asked too often, so show
        every visitor the same page. An address gets at most three such questions an hour and six a day.

        Args:
            ticked: The channel and the purpose of each box that was ticked. No other is asked about.
            how: Which form it was, such as ``newsletter form on the home page``, for the evidence.
            email, phone, name: What the visitor typed.
            wording: The words beside the boxes, kept with the question as evidence of what was asked for.
            language: The language of the question, a BCP 47 tag. Defaults to the contact's.
            expires_within: How long after now the question can be answered, and then to the end of that day in the
                United Kingdom.
            check: Your own check against bots, called once the budget allows a question. If it returns False, nothing
                is sent.

        Raises:
            AddressError: An address is malformed.
            MissingLineError: A channel was ticked whose address was not typed.
            UsageError: Nothing was ticked, or a channel that no message can prove, such as post.
            NoBackendError: No backend serves email, or texts.
            UnsoundWordingError: A consent to the wording of the question would not be valid.
            UnknownChannelError, UnknownPurposeError: There is no such channel or purpose.
        """
        entered = [parse_address(text, kind) for text, kind in each_address(email, phone)]
        form = sign_up.Form(
            name=" ".join(name.split()),
            email=next((address for address in entered if isinstance(address, EmailAddress)), None),
            phone=next((address for address in entered if isinstance(address, PhoneNumber)), None),
            ticked=sign_up.read_ticked(ticked),
            wording=wording,
            how=how,
            language=language,
            expires_within=expires_within,
        )
        await sign_up.sign_up(self._app, form, check)

    async def record_consent(
        self,
        contact: AnyContact,
        *,
        channels: Iterable[Channel | str],
        purposes: Iterable[str],
        wording: Wording,
        act: Act,
        how: str,
        at: datetime,
        attachments: Sequence[Attachment] = (),
        manner: Manner | None = None,
        unsound: Unsound = Unsound.REFUSE,
        accept: str | None = None,
        actor: Actor = Actor.STAFF,
        context: Context | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record a consent that was given elsewhere: on paper, by telephone, or on a page of your own.

        The words are read. What they do not cover, or make no consent of, is kept as evidence and allows nothing: a
        channel they do not name, for instance. It is then in an event of its own, and `Standing.unsound` says why.

        Args:
            wording: The exact words the person agreed to.
            act: What the person did. Only a clear affirmative act is consent.
            how: Where and how it was given, for the evidence.
            at: When it was given. Aware, and not more than five minutes in the future.
            attachments: Documents that show it.
            manner: The circumstances, if they differ from those of a question that Optly asks: who collected the
                consent, whether it was a condition of something, and so on.
            unsound: Whether a consent that is not valid by what is told of it is refused, or recorded with its defects.
            accept: Why the words are good although Optly finds something wrong with them, in words of your own that go
                into the evidence. It excuses neither the act, nor the manner, nor missing evidence.
            actor: Who reports it. `Actor.PERSON` means that the person gave it in a session the host vouches for; only
                such a consent, newer than the stop, lifts one. What others report of something the person stopped is
                kept as evidence, with `Defect.STOPPED_BEFORE`, and allows nothing.
            line, email, phone: The number or the value of the line it was done with. Needed where the contact has
                several of a kind.

        Raises:
            AmbiguousLineError: The contact has several lines for one of the channels, and none is named.
            UsageError: The consent is not valid by what is told of it, or its evidence is missing.
            MissingLineError: The contact has no address for one of the channels.
        """
        return await recording.record_consent(
            self._app,
            Contact.of(contact),
            read_line(line, email, phone),
            channels=read_channels(channels),
            purposes=list(purposes),
            wording=wording,
            at=at,
            act=act,
            how=how,
            attachments=tuple(attachments),
            manner=manner,
            unsound=unsound,
            accept=accept,
            actor=actor,
            context=context or Context(),
        )

    async def record_soft_opt_in(
        self,
        contact: AnyContact,
        *,
        channels: Iterable[Channel | str],
        similar_purposes: Iterable[str],
        goods: str,
        at: datetime | None,
        refusal_offered: bool,
        refused: bool | None = False,
        in_sale: bool = True,
        obtained_by: str | None = None,
        how: str = "",
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record that details were collected in a sale, which may allow messages about similar products without consent.

        Args:
            channels: The channels of electronic mail whose details were collected.
            similar_purposes: Purposes whose messages are about the organisation's own similar products and services.
            goods: Class of what was sold or discussed, a short name such as ``bicycles``.
            at: When the details were collected. Aware. None if unknown.
            refusal_offered: Whether a simple, free way to refuse was offered at that time.
            refused: Whether the person refused, which stops the channel. None if unknown.
            in_sale: Whether it was in the course of a sale, or negotiations for one, to this person.
            obtained_by: Key of the organisation that collected the details. Defaults to this one.
            how: Where and how they were collected, for the evidence.
            line, email, phone: The number or the value of the line it was done with. Needed where the contact has
                several of a kind.

        Raises:
            AmbiguousLineError: The contact has several lines for one of the channels, and none is named.
            MissingLineError: The contact has no address for one of the channels.

        Source: PECR reg 22(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
        """
        return await recording.record_soft_opt_in(
            self._app,
            Contact.of(contact),
            read_line(line, email, phone),
            RecordSoftOptIn,
            channels=read_channels(channels),
            similar_purposes=tuple(similar_purposes),
            goods=goods,
            at=at,
            refusal_offered=refusal_offered,
            refused=refused,
            in_sale=in_sale,
            obtained_by=obtained_by or self.organisation.key,
            how=how,
        )

    async def record_charity_soft_opt_in(
        self,
        contact: AnyContact,
        *,
        channels: Iterable[Channel | str],
        engagement: Engagement,
        at: datetime | None,
        refusal_offered: bool | None,
        refused: bool | None = False,
        purpose_held: bool | None = True,
        obtained_by: str | None = None,
        how: str = "",
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record that a charity collected details from someone who was interested in its purposes or supported them,
        which may allow messages that further those purposes without consent.

        The rulebook must know that the organisation is a charity: ``UKPECR(charity=…, charitable_purposes=…)``.

        Args:
            engagement: What the person was doing. A mere purchase is not support.
            at: When the details were collected. Aware; only details collected from 5 February 2026 count. None if
                unknown.
            refusal_offered: Whether a simple, free way to refuse was offered at that time. None if unknown.
            refused: Whether the person refused, which stops the channel. None if unknown.
            purpose_held: Whether the purpose in question was one of the charity's own at that time. None if unknown.
            channels, obtained_by, how, line, email, phone: As for `record_soft_opt_in`, and so are the errors.

        Source: PECR reg 22(3A), by the Data (Use and Access) Act 2025 s. 114,
        https://www.legislation.gov.uk/ukpga/2025/18/section/114 (read 2026-11-23).
        """
        return await recording.record_soft_opt_in(
            self._app,
            Contact.of(contact),
            read_line(line, email, phone),
            RecordCharitySoftOptIn,
            channels=read_channels(channels),
            engagement=engagement,
            at=at,
            refusal_offered=refusal_offered,
            refused=refused,
            purpose_held=purpose_held,
            obtained_by=obtained_by or self.organisation.key,
            how=how,
        )

    async def withdraw(
        self,
        contact: AnyContact,
        *,
        channels: Iterable[Channel | str] = (),
        purposes: Iterable[str] = (),
        at: datetime | None = None,
        actor: Actor = Actor.PERSON,
        how: str = "",
        organisation: str | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record that a contact withdrew consent for channels and purposes. None named means all of them.

        A repeat is harmless, and counts from its own time. Only a later affirmative act of the person lifts the stop.

        Args:
            at: When they withdrew. Aware. Defaults to now.
            actor: Who reports it.
            how: How they withdrew, for the evidence.
            organisation: Key of the organisation they said it to, if that is another: an instigator. It then covers
                what is sent by or at the instigation of that one. By default it is this organisation, and covers
                everything it sends or calls about, for others too.
            line, email, phone: The number or the value of the line they named. Without it, every line is stopped.

        Raises:
            MissingLineError: The line named is not, and never was, one of the contact's.
            UsageError: *organisation* cannot be the key of one.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is no such contact, channel or purpose.
        """
        return await recording.stop(
            self._app,
            Contact.of(contact),
            read_line(line, email, phone),
            objection=False,
            channels=read_channels(channels),
            purposes=list(purposes),
            at=at,
            actor=actor,
            how=how,
            organisation=organisation,
        )

    async def record_objection(
        self,
        contact: AnyContact,
        *,
        channels: Iterable[Channel | str] = (),
        purposes: Iterable[str] = (),
        at: datetime | None = None,
        actor: Actor = Actor.PERSON,
        through: Through | None = None,
        how: str = "",
        organisation: str | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record that a contact objected to marketing on channels and for purposes. None named means all marketing.

        Other arguments and errors as for `withdraw`.

        Args:
            through: How it reached you, or what kind of stop it is: a letter, a telephone call, someone authorised to
                act for the person, someone who speaks for their company, the Fundraising Preference Service. Shown in
                decisions, the history and the evidence.

        Raises:
            UsageError: *through* is of a kind with a method of its own.

        Source: UK GDPR Art 21(2) and (3).
        """
        _require_objection(through)
        return await recording.stop(
            self._app,
            Contact.of(contact),
            read_line(line, email, phone),
            objection=True,
            channels=read_channels(channels),
            purposes=list(purposes),
            at=at,
            actor=actor,
            how=how,
            organisation=organisation,
            through=through,
        )

    async def record_domain_objection(
        self,
        domain: str,
        *,
        how: str,
        contact: AnyContact | None = None,
        purposes: Iterable[str] = (),
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Contact:
        """
        Record that nobody at an email domain wants marketing by email: not those on record, nor those added later.

        It covers every address at the domain and at domains within it, such as ``mail.firm.example.com`` for
        ``firm.example.com``. The domain is kept as a keyed hash, which survives erasure. Only a later yes that the
        person at an address gives themselves lifts it, for that address. A repeat is recorded again and counts from its
        own time.

        Args:
            domain: What is after the @.
            how: Who asked and how, for the evidence.
            contact: Whose record the request is kept in. Without one, it gets a record of its own.
            purposes: What it covers. None named means all of them.
            at: When they asked. Aware. Defaults to now.
            actor: Who reports it.

        Returns:
            The contact in whose record it is, for the history and the evidence.

        Raises:
            AddressError: That is not a domain.
            UnknownContactError, UnknownPurposeError: There is no such contact or purpose.

        Source: the ICO recommends respecting the request of any business,
        https://ico.org.uk/for-organisations/direct-marketing-and-privacy-and-electronic-communications/
        business-to-business-marketing (as reported 2026-11-23).
        """
        return await recording.object_for_domain(
            self._app, domain, read_contact(contact), purposes=list(purposes), at=read_instant(at), actor=actor, how=how
        )

    async def mark_deceased(
        self, contact: AnyContact, *, how: str, at: datetime | None = None, actor: Actor = Actor.STAFF
    ) -> Standing:
        """
        Record that a contact has died, which stops all marketing to them. A repeat is harmless.

        Args:
            how: Who said so, for the evidence.
            at: When you learned of it. Aware. Defaults to now.
            actor: Who reports it.

        Raises:
            UnknownContactError: There is no such contact.

        Source: UK GDPR recital 27; CAP Code section 10, https://www.asa.org.uk/codes-and-rulings/advertising-codes.html.
        """
        return await recording.stop(
            self._app,
            Contact.of(contact),
            Named(),
            objection=True,
            channels=(),
            purposes=(),
            at=read_instant(at),
            actor=actor,
            how=how,
            through=Through.DECEASED,
        )

    async def mark_gone_away(
        self,
        contact: AnyContact,
        channel: Channel | str = Channel.POST,
        *,
        how: str,
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Record that a contact can no longer be reached at an address or number, which stops all marketing to it. It does
        not move to the address that replaces it. A repeat is harmless.

        Args:
            channel: A channel that reaches the line.
            how: How you know, for the evidence.
            at: When you learned of it. Aware. Defaults to now.
            actor: Who reports it.
            line, email, phone: The number or the value of the line. Needed where the contact has several for the
                channel.

        Raises:
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            MissingLineError: The contact has no address for the channel.
            UnknownContactError, UnknownChannelError: There is no such contact or channel.

        Source: UK GDPR Art 5(1)(d), https://www.legislation.gov.uk/eur/2016/679/article/5 (as reported 2026-11-23).
        """
        named = read_line(line, email, phone)
        return await recording.gone_away(
            self._app, Contact.of(contact), Channel.of(channel), named, at=read_instant(at), actor=actor, how=how
        )

    async def offer_way_back(self, address: str | Address, channel: Channel | str = Channel.EMAIL) -> bool:
        """
        Queue one plain message to someone who stopped, because their address was entered in a form.

        It has a link to their choices, where they alone can say yes again, and one that asks never to be written to
        again. It promotes nothing and asks nothing. There is one for each stop, however often the form is sent; none
        unless the manager was made with ``way_back=True``; and none to someone who marked a message as spam, asked
        never to be written to, was erased, has died or has gone away. Where others read there too,
        none either if one of them marked a message as spam, asked for that, or was erased.

        Args:
            channel: How to read an address given as text: one for this channel.

        Returns:
            Whether there is a new message. Do not show that to the visitor: it would tell who is on record.

        Raises:
            AddressError: The address is malformed.
            UnknownChannelError: There is no such channel.
        """
        return await way_back.offer(self._app, recognise_address(address, Channel.of(channel).kind))

    async def import_objections(
        self,
        addresses: Annotated[Iterable[str | Address], Judged],
        channel: Channel | str,
        *,
        how: str,
        channels: Iterable[Channel | str] = (),
        through: Through | None = None,
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Imported:
        """
        Record an objection to marketing for the holder of each address, such as the stop list of another system or
        requests from the Fundraising Preference Service.

        Unknown addresses are added as contacts, those too with which nobody could be added otherwise, such as a number
        out of use. Entries that cannot be read at all are skipped and reported. If interrupted, running it again with
        the same *at* resumes.

        Args:
            channel: How to read addresses given as text: those for this channel.
            how: Where the list comes from, for the evidence.
            channels: What the objections cover. None named means every channel. A request to the Fundraising Preference
                Service names its channels.
            through: What kind of stop they are, as for `record_objection`.
            at: When they objected. Aware. Defaults to now.
            actor: Who reports it.

        Raises:
            UnknownChannelError: There is no such channel.
            UsageError: *through* is of a kind with a method of its own.
        """
        _require_objection(through)
        return await recording.import_objections(
            self._app,
            addresses,
            Channel.of(channel),
            channels=read_channels(channels),
            through=through,
            at=read_instant(at),
            actor=actor,
            how=how,
        )

    # ---- the gate

    async def check(
        self,
        who: AnyContact | Address,
        channel: Channel | str,
        purpose: str | Sequence[str],
        *,
        kind: MessageKind = MessageKind.MARKETING,
        at: datetime | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        **facts: Unpack[Facts],
    ) -> Decision:
        """
        Decide whether a marketing message may be sent, or a call made. Changes nothing.

        Args:
            who: The address it would go to, which is allowed where one of its holders allows it and none has objected
                on it; or a contact, whose permissions alone then count.
            purpose: Key of the purpose, or of each purpose of one message. All have to be allowed; the decision is the
                first refusal, or the permission, and names them all.
            kind: What the message is for. Use marketing if in doubt.
            at: Decide as of this instant, on what was recorded by then. Aware. Defaults to now.
            line, email, phone: For a contact with several lines for the channel, the one that is meant.
            facts: Facts about the message or the call that only the host knows (see :class:`~optly.rules.Facts`). A
                message is assumed to be one that `send` would make, which names the sender and offers a free way to
                stop; no other fact is assumed in the sender's favour.

        Returns:
            A decision, which is true if the message is allowed. For an unknown address it is a refusal, not an error.

        Raises:
            AddressError: The address is malformed.
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is no such contact, channel or purpose.
        """
        channel, at, purposes = Channel.of(channel), read_instant(at), self._app.settings.each_purpose(purpose)
        who = read_who(who)
        if isinstance(who, Contact):
            named = read_line(line, email, phone)
            return await gate.check_contact(self._app, who, channel, purposes, named=named, kind=kind, at=at, **facts)
        return await gate.check_address(self._app, who, channel, purposes, kind=kind, at=at, **facts)

    def screen(
        self,
        addresses: Annotated[Iterable[str | Address], Judged],
        channel: Channel | str,
        purpose: str | Sequence[str],
        *,
        kind: MessageKind = MessageKind.MARKETING,
        at: datetime | None = None,
        **facts: Unpack[Facts],
    ) -> AsyncIterator[Decision]:
        """
        Decide for each address, in order, as they are read. Memory does not grow with their number.

        A malformed address is a refusal here, not an error. The facts are those of `check`, the same for all addresses.

        Args:
            at: As for `check`. Deciding for the past takes longer, because each record is read.

        Raises:
            UnknownChannelError, UnknownPurposeError: There is no such channel or purpose.
        """
        screening = self._screening(channel, purpose, kind, at, facts)
        return self._in_batches(iter(addresses), screening.decisions)

    def verdicts(
        self,
        addresses: Annotated[Iterable[str | Address], Judged],
        channel: Channel | str,
        purpose: str | Sequence[str],
        *,
        kind: MessageKind = MessageKind.MARKETING,
        at: datetime | None = None,
        **facts: Unpack[Facts],
    ) -> AsyncIterator[bool]:
        """
        Return for each address whether `screen` allows it, without the decision. Just as strict, and sooner.

        Args:
            at: As for `screen`.

        Raises:
            UnknownChannelError, UnknownPurposeError: There is no such channel or purpose.
        """
        screening = self._screening(channel, purpose, kind, at, facts)
        return self._in_batches(iter(addresses), screening.verdicts)

    def _screening(
        self, channel: Channel | str, purpose: str | Sequence[str], kind: MessageKind, at: datetime | None, facts: Facts
    ) -> Screening:
        return Screening(
            app=self._app,
            channel=Channel.of(channel),
            purposes=self._app.settings.each_purpose(purpose),
            kind=kind,
            at=read_instant(at),
            facts=facts,
        )

    async def _in_batches(
        self,
        addresses: Iterator[str | Address],
        answer: Callable[[Sequence[str | Address]], Coroutine[Any, Any, list[T]]],
    ) -> AsyncIterator[T]:
        while batch := list(islice(addresses, _SCREEN_BATCH)):
            for each in await answer(batch):
                yield each

    async def send(
        self,
        contact: AnyContact,
        channel: Channel | str,
        purpose: str | Sequence[str],
        content: Content | str,
        *,
        stops: StopReach | str = StopReach.MESSAGES,
        trading_as: str | None = None,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> str:
        """
        Queue a marketing message, if the gate allows it. `deliver` gates it again and sends it.

        The identity of the sender, a stop link, a MyOptly link and the unsubscribe headers are added to it.

        Args:
            purpose: Key of the purpose, or of each purpose of the message: all have to be allowed.
            stops: What the stop link and the button of a mail program stop: every message of its kind to that line, or
                only those for *purpose*. The latter is heeded only in a message that rests on consent when it is sent;
                the message and the notice then say so.
            trading_as: The trading name to write in, one of `Organisation.names`. The footer names the legal person
                too.
            line, email, phone: The number or the value of the line it goes to. Needed where the contact has several for
                the channel.

        Returns:
            The id of the message as recorded, 32 hexadecimal digits.

        Raises:
            UsageError: The organisation does not trade under that name, or there is no purpose.
            NotPermittedError: The gate refuses; ``decision`` says why.
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            MissingLineError: The contact has no address for the channel.
            NoBackendError: No backend serves the channel.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is no such contact, channel or purpose.
        """
        content = Content(text=content) if isinstance(content, str) else content
        purposes, named = self._app.settings.each_purpose(purpose), read_line(line, email, phone)
        return await send.send(
            self._app,
            Contact.of(contact),
            Channel.of(channel),
            purposes,
            content,
            named,
            StopReach(stops),
            trading_as=trading_as,
        )

    async def record_communication(
        self,
        contact: AnyContact,
        channel: Channel | str,
        purpose: str | Sequence[str],
        *,
        kind: MessageKind = MessageKind.MARKETING,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        **facts: Unpack[Facts],
    ) -> Decision:
        """
        Gate and record a call, a letter or a message that the host is about to make itself.

        Records the provision that allows it and the listings in the registers. Use it before dialling, because an
        attempt counts.

        Args:
            purpose, kind, facts: As for `check`, but no fact is assumed in the sender's favour. A message that was
                asked for grants the wish, unless `delivered` or `Call.connected` is False.
            line, email, phone: As for `send`.

        Raises:
            NotPermittedError: The gate refuses; ``decision`` says why. Nothing was recorded.
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            MissingLineError: The contact has no address for the channel.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is no such contact, channel or purpose.
        """
        return await send.record_communication(
            self._app,
            Contact.of(contact),
            Channel.of(channel),
            self._app.settings.each_purpose(purpose),
            kind=kind,
            named=read_line(line, email, phone),
            **facts,
        )

    async def deliver(self, *, limit: Count | None = None) -> Deliveries:
        """
        Send the messages that are due. May run anywhere, any number of times, and at the same time as other runs.

        Each message is claimed, gated again and sent once. If a worker dies after claiming a message, its outcome is in
        doubt and it is not sent again. At the end the log is sealed.

        Args:
            limit: The most messages to try. Defaults to all.
        """
        return await deliver.deliver(self._app, limit)

    async def deliver_batch(self) -> Deliveries:
        """
        Send one batch of the messages due on each channel. A worker calls this repeatedly, and may stop in between.
        """
        return await deliver.deliver_batches(self._app)

    async def receive(self, event: DeliveryEvent | InboundMessage) -> Received:
        """
        Record a delivery event from a provider, or a message that a person wrote. The pages call this for the webhooks
        they serve.

        Receiving an event again changes nothing, and the order in which events arrive makes no difference in the end.

        - A permanent bounce takes the line out of use on that channel; `restore_line` puts it back.
        - A spam report, an opt-out reported by a provider, and a stop in any plain words are objections.
        - A text message with YES, or with the numbers of options, answers the question that is open for its number.
        - HELP is answered, START grants nothing, and any other message is kept for people to read.
        """
        return await inbound.receive(self._app, event)

    async def restore_line(
        self,
        contact: AnyContact,
        channel: Channel | str,
        *,
        how: str,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> Standing:
        """
        Put a line back into use after a provider reported that messages to it fail, because someone has checked that
        it works.

        Args:
            how: How that was checked, for the evidence.
            line, email, phone: As for `send`.

        Raises:
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            MissingLineError: The contact has no address for the channel.
            UnknownContactError: There is no such contact.
        """
        named = read_line(line, email, phone)
        return await contacts.restore_line(self._app, Contact.of(contact), Channel.of(channel), named, how)

    async def backlog(self) -> Mapping[protocols.MessageState, int]:
        """
        Count the messages of the outbox in each state. States without messages are left out.
        """
        return await outbox.backlog(self._app)

    async def outbox_messages(self, state: protocols.MessageState, *, limit: Count = 100) -> list[OutboxEntry]:
        """
        Return messages of the outbox in *state*, those due longest ago first, each with the reason for its state.
        """
        return await outbox.messages(self._app, state, limit)

    async def stats(self) -> Stats:
        """
        Count what the record holds, and what was added lately where the store knows that. The store counts, one
        statement for each table: with millions of rows it takes seconds.
        """
        return await stats.stats(self._app)

    async def reconcile(self, *, resend: bool = False, limit: Count = 1000) -> list[Doubt]:
        """
        Look into messages whose outcome is in doubt, and settle those that events received since, or a look-up at the
        provider, show to be sent or not.

        Args:
            resend: Whether to queue messages again that the provider says it does not have. A message whose outcome
                stays unknown is never sent again.
            limit: The most messages to look into.
        """
        return await reconcile.reconcile(self._app, resend=resend, limit=limit)

    async def resolve_doubt(self, contact: AnyContact, message: str, *, sent: bool) -> bool:
        """
        Settle one doubt by hand. A message that was not sent is queued again.

        Returns:
            Whether there was such a doubt.
        """
        return await reconcile.resolve(self._app, Contact.of(contact), message, sent=sent)

    # ---- links

    async def link(
        self,
        contact: AnyContact,
        channel: Channel | str = Channel.EMAIL,
        *,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
    ) -> str:
        """
        Make a MyOptly link for a message on *channel* and return its URL. It works until it is revoked.

        An answer through it is graded like one in a session that the host vouches for, because the host has had the
        link. The links in messages that Optly itself sends prove more.

        Args:
            line, email, phone: The number or the value of the line the message goes to. Needed where the contact has
                several for the channel.

        Raises:
            AmbiguousLineError: The contact has several lines for the channel, and none is named.
            MissingLineError: The contact has no address for the channel.
        """
        return await links.link(self._app, Contact.of(contact), Channel.of(channel), read_line(line, email, phone))

    async def unsubscribe_headers(
        self,
        contact: AnyContact,
        purpose: str | None = None,
        *,
        channel: Channel | str = Channel.EMAIL,
        line: int | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        stops: StopReach | str = StopReach.MESSAGES,
    ) -> Mapping[str, str]:
        """
        Return the headers with which a mail program offers to stop every marketing message of this kind to the line.

        Other arguments and errors as for `link`.

        Args:
            purpose: The purpose of the message.
            stops: As for `send`. Say in the message what its link stops: `open_stop` reports what that is.

        Raises:
            UsageError: *stops* is `StopReach.PURPOSE`, and no purpose is named.

        Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
        """
        named = read_line(line, email, phone)
        return await links.stop_headers(
            self._app, Contact.of(contact), Channel.of(channel), purpose, named, StopReach(stops)
        )

    async def open(self, code: Sent, *, language: str = "") -> Opened:
        """
        Return what is behind a question link, a MyOptly link, a link that undoes something, or a session. Changes
        nothing. Arguments and errors as for `AsyncSelfService.enter` and `AsyncPerson.open`.
        """
        return await (await self.self_service.enter(code)).open(language=language)

    async def answer(
        self,
        code: Sent,
        answers: Annotated[Mapping[tuple[Channel, str], bool], Judged],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Answer the question behind *code*, once. What is not in *answers* stays unanswered.

        Arguments and errors as for `AsyncSelfService.enter` and `AsyncPerson.answer`.
        """
        return await (await self.self_service.enter(code)).answer(
            answers, context=context, language=language, hold_within=hold_within
        )

    async def choose(
        self,
        code: Sent,
        answers: Annotated[Mapping[tuple[Channel, str], bool], Judged],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Change choices through the MyOptly link *code*, or in a session.

        Arguments and errors as for `AsyncSelfService.enter` and `AsyncPerson.choose`.
        """
        return await (await self.self_service.enter(code)).choose(
            answers, context=context, language=language, hold_within=hold_within
        )

    async def confirm(self, code: Sent, *, context: Context | None = None, language: str = "") -> Standing:
        """
        Confirm what was held, through the link it came through. Nothing happens if nothing waits.

        Arguments and errors as for `AsyncSelfService.enter` and `AsyncPerson.confirm`.
        """
        return await (await self.self_service.enter(code)).confirm(context=context, language=language)

    async def stop(self, code: Sent, *, context: Context | None = None) -> AfterStop:
        """
        Stop everything through a link of any kind, even one that can no longer answer.

        Arguments, result and errors as for `AsyncSelfService.enter` and `AsyncPerson.stop`.
        """
        return await (await self.self_service.enter(code)).stop(context=context)

    async def undo(
        self,
        code: Sent,
        *,
        stop: int | None = None,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Undo a stop or a change of address, through the link that was sent for it; or the stop with number *stop*
        through a MyOptly link or in a session. A second time, nothing happens.

        Arguments and errors as for `AsyncSelfService.enter` and `AsyncPerson.undo`.
        """
        return await (await self.self_service.enter(code)).undo(
            stop=stop, context=context, language=language, hold_within=hold_within
        )

    async def open_stop(self, token: Sent) -> StopScope:
        """
        Return what a stop link stops. Reads only the link, not the record.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
            KeyMissingError: It may be one of ours, made by a process with a key that this one lacks.
        """
        return await self.self_service.open_stop(token)

    async def stop_by_token(self, token: Sent, *, context: Context | None = None) -> AfterStop:
        """
        Stop what a stop link names. The link never expires. A repeat is harmless, and so is a contact that no longer
        exists.

        Raises:
            LinkInvalidError: It was altered or is not one of ours.
            KeyMissingError: It may be one of ours, made by a process with a key that this one lacks.
        """
        return await self.self_service.stop_by_token(token, context=context)

    async def revoke_links(self, contact: AnyContact) -> None:
        """
        Revoke every link and session of a contact except for stop links. The record shows when.
        """
        await links.revoke(self._app, Contact.of(contact))

    def portal(self, **settings: Unpack[PortalSettings]) -> Portal:
        """
        Return the MyOptly pages, to be mounted at *base_url*. They also serve the webhooks of the backends.

        Args:
            settings: How the pages look and what they permit (see :class:`~optly.portal.PortalSettings`).
        """
        from optly.portal import Portal

        # The pages serve each request in a thread, so they have a blocking application of their own on this storage.
        app = application(
            directly,
            self._app.settings,
            storage=self._storage,
            backends=self._app.backends,
            on_events=self._on_events,
        )
        return Portal.of(
            SelfService(app),
            storage=self._storage,
            secret=self._app.settings.keys.all[0].derive(f"portal/limits/1/{self.organisation.key}"),
            webhooks=self._webhooks,
            receive=lambda event: run_to_completion(inbound.receive(app, event)),
            **settings,
        )

    @property
    def self_service(self) -> AsyncSelfService:
        """
        The person's face: what people do for themselves behind a link.
        """
        return AsyncSelfService(self._app)

    # ---- complaints

    async def record_complaint(
        self,
        who: AnyContact | Address | None = None,
        *,
        text: str,
        how: str,
        at: datetime | None = None,
        name: str = "",
        reply_to: str | Address | None = None,
        language: str | None = None,
        actor: Actor = Actor.STAFF,
        send: bool = True,
    ) -> RecordedComplaint:
        """
        Record a complaint about how someone's data are used that was not made through the pages.

        It is acknowledged by a message to the person, if a backend serves a channel to reply on. The organisation is
        alerted as for a complaint through the pages.

        Args:
            who: The contact who complained. An address does not say whose complaint it is, so with an address, or with
                None, the complaint is kept apart from every contact, and an address is where to reply. An erased
                contact is treated like someone who is not on record.
            text: The complaint, in the person's own words as far as possible: up to 5,000 characters.
            how: In which way it was made, such as ``telephone``, ``letter``, ``email`` or ``in person``.
            at: When it was received. Defaults to now. The thirty days count from its day.
            name: The name of someone who is not on record.
            reply_to: Where to reply: an email address, a telephone number for a text, or a postal address. Defaults to
                the contact's own, by email if there is one. Needed to acknowledge a complaint of a contact with several
                of the kind. It is erased when the complaint is resolved.
            language: The language to reply in, a BCP 47 tag. Defaults to the contact's, or to English.
            actor: Who records it.
            send: Whether to send an acknowledgement. Without it, record one with `acknowledge_complaint`.

        Raises:
            UsageError: The text is empty or too long, *how* is empty, *at* is in the future, or a contact is given a
                name.
            AmbiguousLineError: The contact has several addresses to reply to, and none is named.
            AddressError: The address to reply to is malformed, or of another kind.
            UnknownContactError: There is no such contact.

        Source: Data Protection Act 2018 s. 164A, by the Data (Use and Access) Act 2025 s. 103,
        https://www.legislation.gov.uk/ukpga/2025/18/section/103 (as reported 2026-11-24).
        """
        known = None if who is None else read_who(who)
        contact = known if isinstance(known, Contact) else None
        address = reply_to
        if address is None and known is not None and not isinstance(known, Contact):
            address = known
        return await complaints.record(
            self._app,
            contact,
            text=text,
            at=read_instant(at),
            how=how,
            name=name,
            reply_to=None if address is None else await complaints.read_reply_address(self._app, address),
            language=language,
            actor=actor,
            send=send,
        )

    async def complaints(self, *, open: bool | None = True) -> AsyncIterator[RecordedComplaint]:
        """
        Return the organisation's complaints, the most urgent first, as they are read. Memory does not grow with their
        number. Their texts are left out (see `complaint`).

        Args:
            open: Those whose outcome the person has not been informed of; False for the others, None for all.
        """
        after: protocols.StoredComplaint | None = None
        while True:
            found, after = await complaints.page(self._app, open, after)
            for complaint in found:
                yield complaint
            if after is None:
                return

    async def complaint(self, reference: str) -> RecordedComplaint:
        """
        Return a complaint with its text and where to reply.

        Args:
            reference: Its reference, however it is typed: in small letters, with or without ``CMP`` and the hyphens; or
                its id.

        Raises:
            UnknownComplaintError: There is none, or the reference was mistyped.
        """
        return await complaints.find(self._app, reference)

    async def acknowledge_complaint(
        self, contact: AnyContact | None, complaint: str, *, how: str, actor: Actor = Actor.STAFF
    ) -> Standing:
        """
        Record that a complaint was acknowledged in another way than by the message Optly sends.

        Args:
            contact: Who made it; None if the complaint alone says that.
            complaint: Its reference or its id.
            how: How it was acknowledged.

        Raises:
            UsageError: The contact made no such complaint, or *how* is empty.
        """
        return await complaints.answer_complaint(
            self._app, read_contact(contact), complaint, how=how, resolved=False, actor=actor
        )

    async def resolve_complaint(
        self,
        contact: AnyContact | None,
        complaint: str,
        *,
        how: str = "",
        outcome: str = "",
        send: bool = False,
        actor: Actor = Actor.STAFF,
    ) -> Standing:
        """
        Send a person the outcome of their complaint, or record that they were informed of it in another way.

        A sent outcome goes through the outbox, so `deliver` sends it, once, and its sending is in the evidence. The
        complaint is resolved when the provider accepts the message. If that is refused, the complaint stays open, and
        the outcome can be sent again. While a message is under way, or after the complaint is resolved, a repeat
        changes nothing. Someone who was erased is sent it too, at the address that is kept with the complaint.

        Args:
            contact, complaint: As for `acknowledge_complaint`.
            how: How the person was informed, if the outcome is not sent.
            outcome: The outcome, in plain text: up to 5,000 characters. An empty line begins a new paragraph.
            send: Whether to send the outcome.

        Raises:
            UsageError: The contact made no such complaint; there is nowhere to reply; or what is needed is missing:
                *outcome* if it is sent, and *how* otherwise.
            NoBackendError: No backend serves the channel to reply on. For a letter, print `complaint_letter`.
        """
        if send:
            if how:
                raise UsageError("how= is for an outcome that is not sent: leave it out, or leave out send=True")
            return await complaints.send_outcome(
                self._app, read_contact(contact), complaint, outcome=outcome, actor=actor
            )
        return await complaints.answer_complaint(
            self._app, read_contact(contact), complaint, how=how, outcome=outcome, resolved=True, actor=actor
        )

    async def complaint_letter(self, complaint: str, *, outcome: str = "") -> Content:
        """
        Return a letter to print, as plain text and HTML: with the outcome or, without one, the acknowledgement. Nothing
        is recorded: once it is posted, use `resolve_complaint` or `acknowledge_complaint`.

        Args:
            complaint: The reference or the id.

        Raises:
            UnknownComplaintError: There is no such complaint.
        """
        return await complaints.letter(self._app, complaint, outcome)

    # ---- proof

    async def evidence(self, contact: AnyContact, *, since: Sent | None = None) -> EvidencePack:
        """
        Return the evidence of what a contact was asked and answered, as a signed pack. Seals their events first,
        however many of other contacts wait to be sealed.

        Args:
            since: A checkpoint, as text, that the recipient of the pack has kept. The pack then proves that the log has
                only grown since.

        Raises:
            UnknownContactError: There is no such contact.
            UsageError: *since* is not a checkpoint of this log.
            ConflictError: Other processes sealed the log first, again and again. Try again.
        """
        return await proof.evidence(self._app, Contact.of(contact), since)

    async def seal(self, *, limit: int | None = None) -> Checkpoint | None:
        """
        Seal the log and return its signed head, a checkpoint. None while there are no records.

        Send it to someone outside the organisation, who can then find any later change to the log. Sealing costs what
        is new, and may be interrupted: what was sealed stays so, and the next call goes on.

        Args:
            limit: How many contacts' chains to seal at most.

        Raises:
            ConflictError: Other processes sealed the log first, again and again. What was sealed stays so.
            DamagedError: The head it would extend is not one that was signed, or not one that an anchor knows. `verify`
                says more.
        """
        return await sealing.seal(self._app, limit)

    async def log_files(self, since: str | None = None) -> AsyncIterator[LogFile]:
        """
        Return the log as the files that C2SP tlog-tiles describes, as they are read: entries and tiles, and then the
        checkpoint. They may be published: they show neither who is on record nor which entries are of one person.

        Args:
            since: The checkpoint of files that were published before. Those that have not changed since are left out.

        Raises:
            UsageError: *since* is not a checkpoint of this log.
            DamagedError: A part of the log is missing or altered, or does not extend *since*.
        """
        place: publication.Place | None = None
        while True:
            found, place = await publication.page(self._app, since, place)
            for file in found:
                yield file
            if place is None:
                return

    async def verify(
        self,
        *,
        checkpoint: Sent | None = None,
        processes: Count = 1,
        report: Callable[[int, int], object] | None = None,
    ) -> Verification:
        """
        Verify every record. Reads every event once, in batches that fit in little memory.

        Args:
            checkpoint: A checkpoint, as text, that was kept elsewhere. The log must only have grown since.
            processes: How many processes check events. They are spawned, so a program that asks for more than one
                begins with ``if __name__ == "__main__":``, and they are given no keys. It pays from some 100,000 events
                on.
            report: Called with how many contacts have been verified and how many there are, for a progress bar.
        """
        return await verification.verify(self._app, checkpoint, wrap=in_threads, processes=processes, report=report)
