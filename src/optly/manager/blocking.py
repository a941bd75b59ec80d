# Made from awaited.py by tools/unawait.py: change that file and run the tool, not this one.

"""
The manager for hosts that run an event loop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Unpack

from optly._operations import (
    ask,
    campaigns,
    complaints,
    contacts,
    deliver,
    gate,
    links,
    outbox,
    proof,
    receive,
    reconcile,
)
from optly._operations.application import close
from optly._operations.arguments import read_addresses, read_channels, read_content, read_instant
from optly._operations.repository import Listener
from optly._operations.running import directly, run_to_completion
from optly._operations.setup import application, make_application, make_settings, webhooks_of
from optly.contacts.addresses import (
    Account,
    Address,
    AddressKind,
    Channel,
    EmailAddress,
    PhoneNumber,
    PostalAddress,
    parse_address,
)
from optly.contacts.parties import Contact, Organisation, Subscriber
from optly.contacts.purposes import Purpose, Wording
from optly.keys import Keys
from optly.links import Pages, StopScope
from optly.messages import Content, DeliveryEvent, InboundMessage
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import (
    Clock,
    MessageBackend,
    MessageState,
    Register,
    Storage,
    WebhookBackend,
)
from optly.record.commands import Attachment, Context, RecordCharitySoftOptIn, RecordSoftOptIn, Unsound
from optly.record.consent import Question, Standing
from optly.record.events import Act, Actor, Engagement, Event, Manner
from optly.record.ledger import Checkpoint, Verification
from optly.record.views import AfterStop, Opened
from optly.results import Asked, Campaign, Deliveries, Doubt, Imported, OutboxEntry, Received
from optly.rules import Decision, Facts, MessageKind, Rulebook, Solicited
from optly.self_service import SelfService

if TYPE_CHECKING:
    from optly.evidence import EvidencePack
    from optly.portal import Portal, PortalSettings


# How many addresses are looked up at once.
_SCREEN_BATCH = 1000


class ConsentManager:
    """
    Asks for consent, records the answers, and decides what may be sent.

    Blocking; safe to share between threads.

    Every method that changes something has written it durably when it returns, or raised and changed nothing. Every
    datetime must be aware. Contacts are named by ids that tell nothing about them.

    Args:
        organisation: Who asks.
        purposes: What for. A purpose that is on record must stay among them for as long as it is to be shown.
        storage: Where everything is kept.
        backends: What hands messages over, one for each channel.
        registers: What is asked before a number is called or faxed.
        keys: The secrets that links, look-ups and signatures are made with. Keep every earlier one.
        base_url: Where the MyOptly pages are mounted, such as ``https://acme.example.com/my``.
        rulebook: The law. By default that of the United Kingdom.
        clock: Tells the time. By default the system's.
        receipts: Whether people are sent a confirmation of what they said yes to.
        rates: How many messages go out in a second, or in another time, on a channel or to a domain. All workers
            together keep to it.
        quiet_hours: When nothing that promotes something goes out.
        budget: How often one person is asked, over all campaigns.
        catalogues: Directories with catalogues ``<tag>.po``: further languages, and other words for any sentence of a
            message or a page.
        on_events: Called with the contact and the events, without their personal values, each time something came onto
            the record: after it is there for good, and in the thread that recorded it, so it should be quick. What it
            raises is logged and changes nothing. A process that dies in between calls it no more.

    Raises:
        ConfigurationError: The settings cannot work.
    """

    def __init__(
        self,
        *,
        organisation: Organisation,
        purposes: Iterable[Purpose],
        storage: Storage,
        backends: Iterable[MessageBackend] = (),
        registers: Iterable[Register] = (),
        keys: Keys,
        base_url: str,
        rulebook: Rulebook | None = None,
        clock: Clock | None = None,
        receipts: bool = True,
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
        settings = make_settings(
            organisation=organisation,
            purposes=purposes,
            keys=keys,
            base_url=base_url,
            rulebook=rulebook,
            clock=clock,
            receipts=receipts,
            rates=rates,
            quiet_hours=quiet_hours,
            budget=budget,
            catalogues=catalogues,
        )
        self._app = make_application(
            directly,
            settings,
            storage=storage,
            backends=self._backends,
            registers=registers,
            on_events=on_events,
        )

    @property
    def organisation(self) -> Organisation:
        """
        Who asks.
        """
        return self._app.settings.organisation

    @property
    def storage(self) -> Storage:
        """
        Where everything is kept.
        """
        return self._storage

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """
        What for, by key.
        """
        return self._app.settings.purposes

    @property
    def pages(self) -> Pages:
        """
        Where the MyOptly pages are.
        """
        return self._app.settings.pages

    @property
    def catalogues(self) -> tuple[Path, ...]:
        """
        Where the host's own catalogues are.
        """
        return self._app.settings.catalogues

    @property
    def clock(self) -> Clock:
        """
        Tells the time.
        """
        return self._app.settings.clock

    @property
    def receipts(self) -> bool:
        """
        Whether people are sent a confirmation of what they said yes to.
        """
        return self._app.settings.receipts

    @property
    def backends(self) -> tuple[MessageBackend, ...]:
        """
        What hands messages over.
        """
        return self._backends

    @property
    def webhooks(self) -> Mapping[str, WebhookBackend]:
        """
        The backends that hear from their providers, by name. The pages listen for them at ``base_url/hooks/name``.
        """
        return self._webhooks

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """
        The Ed25519 keys that evidence and checkpoints are signed with, the current one first. Publish them.
        """
        return self._app.settings.keys.public_keys

    def close(self) -> None:
        """
        Let go of the store and the backends. Harmless when repeated.
        """
        run_to_completion(close(self._app))

    def __enter__(self) -> ConsentManager:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- contacts

    def add_contact(
        self,
        *,
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
        Put somebody on record. Nothing may be sent to them yet.

        Somebody who is on record already under one of the addresses is returned as they are; further addresses are
        added, and nothing else changes. So a repeat is harmless, and an import widens nothing.

        Args:
            subscriber: What holds the lines. Not known means protected as an individual.
            held_by: What holds a line of one kind, where that is not as for the others: a director's own mailbox.
            language: The language they are written to in, a BCP 47 tag.
            actor: Who put them on record.

        Raises:
            AddressError: An address is malformed.
            LineTakenError: The addresses belong to different contacts.
        """
        return run_to_completion(
            contacts.add(
                self._app,
                read_addresses(email, phone, address, account),
                name=name,
                subscriber=subscriber,
                language=language,
                held_by=held_by,
                actor=actor,
            )
        )

    def find(self, address: str | Address, channel: Channel | str = Channel.EMAIL) -> Contact | None:
        """
        Return whose line an address is, or None. *channel* tells what kind of address a text is.

        Raises:
            AddressError: It is malformed.
        """
        return run_to_completion(contacts.find(self._app, parse_address(address, Channel.of(channel).kind)))

    def change_details(
        self,
        contact: Contact,
        *,
        name: str | None = None,
        email: str | EmailAddress | None = None,
        phone: str | PhoneNumber | None = None,
        address: str | PostalAddress | None = None,
        account: str | Account | None = None,
        subscriber: Subscriber | None = None,
        held_by: Mapping[AddressKind, Subscriber] = MappingProxyType({}),
        language: str | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Standing:
        """
        Change what is known of a contact. None leaves a detail as it is.

        A new address takes the place of the one of its kind. Consent does not move to it; a stop does, and stays on
        the old address too.

        Raises:
            AddressError: An address is malformed.
            LineTakenError: An address belongs to another contact.
            UnknownContactError: There is no such contact.
        """
        return run_to_completion(
            contacts.change(
                self._app,
                contact,
                name=name,
                subscriber=subscriber,
                language=language,
                addresses=read_addresses(email, phone, address, account),
                held_by=held_by,
                actor=actor,
            )
        )

    def standing(self, contact: Contact, *, at: datetime | None = None) -> Standing:
        """
        Return everything that follows from a contact's events: now, or from those that were on record at an instant.

        Raises:
            UnknownContactError: There is no such contact.
        """
        return run_to_completion(contacts.standing(self._app, contact, read_instant(at)))

    def history(self, contact: Contact) -> tuple[Event, ...]:
        """
        Return everything that happened to a contact, in the order in which it was recorded.

        Raises:
            UnknownContactError: There is no such contact.
        """
        return run_to_completion(contacts.history(self._app, contact))

    def erase(self, contact: Contact) -> None:
        """
        Erase everything personal of a contact. Their chain still verifies, and their addresses stay suppressed under
        names that only the keys can make, so that a later import of one is still refused. A repeat is harmless.

        Copies may persist in the database's own log and in backups: erase again after a restore (the erased contacts
        are in the ledger).

        Raises:
            UnknownContactError: There is no such contact.

        Source: UK GDPR Art 17(1) and (3)(b), Art 21(3).
        """
        run_to_completion(contacts.erase(self._app, contact))

    # ---- asking and recording

    def request_consent(
        self,
        contact: Contact,
        *,
        via: Channel | str,
        channels: Iterable[Channel | str],
        purposes: Iterable[str],
        basis: Solicited | None = None,
        language: str | None = None,
        expires_within: timedelta = timedelta(days=30),
        remind_after: timedelta | None = None,
    ) -> Question:
        """
        Queue a question: may the organisation write on these channels for these purposes? `deliver` hands it over.

        Asking is marketing, so the question passes the gate first, and again when it is handed over. The wording is
        pinned now. A question asked earlier about one of the same things can no longer be answered.

        Args:
            via: The channel the question goes out on.
            channels, purposes: What is asked; each channel for each purpose is one choice.
            basis: How the person came to ask for the question, where that is what allows it.
            language: In which language, by default the contact's.
            expires_within: How long an answer counts.
            remind_after: After how long whoever has not answered is reminded, once. A reminder passes the gate as well:
                one that would be refused is not planned, as for somebody who wished to be asked, which they were.

        Raises:
            NotPermittedError: The gate refuses; its ``decision`` says why.
            UnsoundWordingError: A consent asked for in these words would not count; its ``findings`` say why.
            MissingLineError: The contact has no address for one of the channels.
            NoBackendError: No backend serves *via*.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is none such.
        """
        return run_to_completion(
            ask.request_consent(
                self._app,
                contact,
                ask.asking(
                    self._app,
                    via=Channel.of(via),
                    channels=read_channels(channels),
                    purposes=list(purposes),
                    basis=basis,
                    language=language,
                    expires_within=expires_within,
                    remind_after=remind_after,
                ),
            )
        )

    def request_consents(
        self,
        contacts: Iterable[Contact],
        *,
        campaign: str,
        via: Channel | str,
        channels: Iterable[Channel | str],
        purposes: Iterable[str],
        basis: Solicited | None = None,
        language: str | None = None,
        expires_within: timedelta = timedelta(days=30),
        remind_after: timedelta | None = None,
        report: Callable[[Asked], object] | None = None,
    ) -> Campaign:
        """
        Ask everybody on a list whom the gate lets be asked, each once.

        Broken off at any instant and run again under the same name, it goes on where it was and asks nobody twice. Two
        runs at once ask nobody twice either. Whoever cannot be asked is passed over and told, with the reason.

        Args:
            contacts: Read as the work goes on.
            campaign: Its name. Another name asks again, as far as the gate and the budget let it.
            report: Told of each contact in turn, for a progress bar or a log.
            via, channels, purposes, basis, language, expires_within, remind_after: As for `request_consent`.

        Raises:
            UnsoundWordingError, NoBackendError, UnknownChannelError, UnknownPurposeError: As for `request_consent`.
        """
        return run_to_completion(
            campaigns.request_consents(
                self._app,
                contacts,
                campaign,
                ask.asking(
                    self._app,
                    via=Channel.of(via),
                    channels=read_channels(channels),
                    purposes=list(purposes),
                    basis=basis,
                    language=language,
                    expires_within=expires_within,
                    remind_after=remind_after,
                ),
                report,
            )
        )

    def record_consent(
        self,
        contact: Contact,
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
        actor: Actor = Actor.STAFF,
        context: Context | None = None,
    ) -> Standing:
        """
        Record a consent that was given elsewhere: on paper, by telephone, on the host's own page.

        Args:
            wording: The exact words the person agreed to.
            act: What they did. Only a clear affirmative act is consent.
            how: Where and how, for whoever asks for the evidence.
            at: When it was given. Aware, and not in the future.
            attachments: Documents that show it.
            manner: How it came about, where that is not as in a question of one's own: who collected it, whether it was
                a condition of something, and so on. What is not sound is refused, or kept as what it is.
            unsound: What to do if it turns out to be no consent.
            actor: Who says so. `Actor.PERSON` means that the person did it in a session the host vouches for; only
                such a consent can lift a stop.

        Raises:
            StopStandsError: The person stopped this, and somebody else wants to record a consent.
            UsageError: The act is no consent, or what proves it is missing.
            MissingLineError: The contact has no address for one of the channels.
        """
        return run_to_completion(
            contacts.record_consent(
                self._app,
                contact,
                channels=read_channels(channels),
                purposes=list(purposes),
                wording=wording,
                at=at,
                act=act,
                how=how,
                attachments=tuple(attachments),
                manner=manner,
                unsound=unsound,
                actor=actor,
                context=context or Context(),
            )
        )

    def record_soft_opt_in(
        self,
        contact: Contact,
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
    ) -> Standing:
        """
        Record that details were collected in a sale, which may allow messages about similar products without consent.

        Args:
            channels: The channels of electronic mail whose details were collected.
            similar_purposes: Purposes whose messages are about the organisation's own similar products and services.
            goods: Class of what was sold or discussed, a short name such as ``bicycles``.
            at: When. Aware. None if unknown.
            refusal_offered: Whether a simple, free way to refuse was offered then.
            refused: Whether the person took it, which stops the channel. None if unknown.
            in_sale: Whether it was in the course of a sale, or negotiations for one, to this person.
            obtained_by: Key of the organisation that collected the details; by default this one.

        Source: PECR reg 22(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/22 (read 2026-11-23).
        """
        return run_to_completion(
            contacts.record_soft_opt_in(
                self._app,
                contact,
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
        )

    def record_charity_soft_opt_in(
        self,
        contact: Contact,
        *,
        channels: Iterable[Channel | str],
        engagement: Engagement,
        at: datetime | None,
        refusal_offered: bool | None,
        refused: bool | None = False,
        purpose_held: bool | None = True,
        obtained_by: str | None = None,
        how: str = "",
    ) -> Standing:
        """
        Record that a charity collected details from somebody interested in its purposes or supporting them, which may
        allow messages that further those purposes without consent. The rulebook has to be told that the organisation
        is a charity: ``UKPECR(charity=…, charitable_purposes=…)``.

        Args:
            engagement: What the person was doing. A mere purchase is something other than support.
            at: When the details were collected; only details collected from 5 February 2026 count. None if unknown.
            refusal_offered: Whether a simple, free way to refuse was offered then.
            refused: Whether the person took it, which stops the channel. None if unknown.
            purpose_held: Whether the purpose in question was one of the charity's own at that time.
            obtained_by: Key of the organisation that collected the details; by default this one.

        Source: PECR reg 22(3A), by the Data (Use and Access) Act 2025 s. 114,
        https://www.legislation.gov.uk/ukpga/2025/18/section/114 (read 2026-11-23).
        """
        return run_to_completion(
            contacts.record_soft_opt_in(
                self._app,
                contact,
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
        )

    def withdraw(
        self,
        contact: Contact,
        *,
        channels: Iterable[Channel | str] = (),
        purposes: Iterable[str] = (),
        at: datetime | None = None,
        actor: Actor = Actor.PERSON,
        how: str = "",
    ) -> Standing:
        """
        Record that consent was withdrawn, for these channels and purposes; none named means all of them.

        A repeat is harmless. Only a later affirmative act of the person's own lifts it.

        Raises:
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is none such.
        """
        return run_to_completion(
            contacts.stop(
                self._app,
                contact,
                objection=False,
                channels=read_channels(channels),
                purposes=list(purposes),
                at=at,
                actor=actor,
                how=how,
            )
        )

    def record_objection(
        self,
        contact: Contact,
        *,
        channels: Iterable[Channel | str] = (),
        purposes: Iterable[str] = (),
        at: datetime | None = None,
        actor: Actor = Actor.PERSON,
        how: str = "",
    ) -> Standing:
        """
        Record an objection to marketing, on these channels and for these purposes; none named means all of it.

        Source: UK GDPR Art 21(2) and (3). See also `withdraw`.
        """
        return run_to_completion(
            contacts.stop(
                self._app,
                contact,
                objection=True,
                channels=read_channels(channels),
                purposes=list(purposes),
                at=at,
                actor=actor,
                how=how,
            )
        )

    def import_objections(
        self,
        addresses: Iterable[str | Address],
        channel: Channel | str,
        *,
        how: str,
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Imported:
        """
        Record an objection to all marketing for the holder of each address: the stop list of another system, or the
        requests that came through the Fundraising Preference Service. Whoever is not on record is put there.

        What is malformed is passed over and told. Interrupted or repeated with the same *at*, it goes on where it was.

        Args:
            channel: What kind of address a text is; the objection covers every channel.
            how: Where the list comes from, for whoever asks for the evidence.
            at: When they objected, by default now. Aware.
        """
        return run_to_completion(
            contacts.import_objections(
                self._app, addresses, Channel.of(channel), at=read_instant(at), actor=actor, how=how
            )
        )

    # ---- the gate

    def check(
        self,
        who: str | Address | Contact,
        channel: Channel | str,
        purpose: str,
        *,
        kind: MessageKind = MessageKind.MARKETING,
        at: datetime | None = None,
        **facts: Unpack[Facts],
    ) -> Decision:
        """
        Decide whether a marketing message may go out, or a call be made, now. Changes nothing.

        Args:
            who: The address it would go to, or a contact, whose line for the channel is meant.
            kind: What the message is for. Not known means marketing.
            at: Decide for this instant instead, on what was on record then.
            facts: What only the host knows of the message or the call, as in :class:`~optly.rules.Facts`. A message is
                taken to be one that `send` would make, naming the sender and offering a free way to stop; nothing else
                that is not told is taken in the sender's favour.

        Raises:
            AddressError: The address is malformed.
            UnknownContactError, UnknownChannelError, UnknownPurposeError: There is none such. An address nobody has
                is no error but a refusal.
        """
        channel, at = Channel.of(channel), read_instant(at)
        self._app.settings.purpose(purpose)
        if isinstance(who, Contact):
            return run_to_completion(gate.check_contact(self._app, who, channel, purpose, kind=kind, at=at, **facts))
        address = parse_address(who, channel.kind)
        return run_to_completion(
            gate.check_addresses(self._app, [address], channel, purpose, kind=kind, at=at, **facts)
        )[0]

    def screen(
        self,
        addresses: Iterable[str | Address],
        channel: Channel | str,
        purpose: str,
        *,
        kind: MessageKind = MessageKind.MARKETING,
        **facts: Unpack[Facts],
    ) -> Iterator[Decision]:
        """
        Decide for each address, in order, while they are read: any number of them in flat memory.

        A malformed address is no error here but a refusal. Facts are those of `check`, the same for all.

        Raises:
            UnknownChannelError, UnknownPurposeError: There is none such.
        """
        channel = Channel.of(channel)
        self._app.settings.purpose(purpose)
        return self._screen(iter(addresses), channel, purpose, kind, facts)

    def _screen(
        self, addresses: Iterator[str | Address], channel: Channel, purpose: str, kind: MessageKind, facts: Facts
    ) -> Iterator[Decision]:
        while batch := list(islice(addresses, _SCREEN_BATCH)):
            for decision in run_to_completion(gate.screen(self._app, batch, channel, purpose, kind=kind, **facts)):
                yield decision

    def send(self, contact: Contact, channel: Channel | str, purpose: str, content: Content | str) -> str:
        """
        Queue a marketing message, if the gate lets it out. `deliver` hands it over, after asking the gate again.

        The sender's identity, a stop link, a MyOptly link and the headers are added.

        Returns:
            The message's name, 32 hexadecimal digits, as it stands in the record.

        Raises:
            NotPermittedError: The gate refuses; its ``decision`` says why.
            MissingLineError: The contact has no address for the channel.
            NoBackendError: No backend serves the channel.
        """
        return run_to_completion(ask.send(self._app, contact, Channel.of(channel), purpose, read_content(content)))

    def record_communication(
        self,
        contact: Contact,
        channel: Channel | str,
        purpose: str,
        *,
        kind: MessageKind = MessageKind.MARKETING,
        line: int | None = None,
        **facts: Unpack[Facts],
    ) -> Decision:
        """
        Gate a call, a letter or a message that the host is about to make by its own means, and record that it does:
        which provision allowed it, and what the registers said. Call it before dialling, because an attempt counts.

        Args:
            kind, facts: As for `check`, but nothing that is not told is taken in the sender's favour.
            line: The number of the line that is used, as a decision tells it. By default the first for the channel.

        Raises:
            NotPermittedError: The gate refuses; its ``decision`` says why. Nothing was recorded.
            MissingLineError: The contact has no address for the channel.
        """
        return run_to_completion(
            ask.record_communication(self._app, contact, Channel.of(channel), purpose, kind=kind, line=line, **facts)
        )

    def deliver(self, *, limit: int | None = None) -> Deliveries:
        """
        Hand over what is due. Safe to run anywhere, any number of times and at the same time.

        A message is claimed, gated again and handed over once. One whose worker died in between is put down as in
        doubt and not sent again. At the end the log is sealed.

        Args:
            limit: How many messages at most.
        """
        return run_to_completion(deliver.deliver(self._app, limit))

    def deliver_batch(self) -> Deliveries:
        """
        Hand over one batch of what is due on each channel, as a worker does between two looks at whether to stop.
        """
        return run_to_completion(deliver.work(self._app))

    def receive(self, event: DeliveryEvent | InboundMessage) -> Received:
        """
        Take what a provider says of a message or an address, or what a person writes, as a backend's webhook half read
        it. The pages call this by themselves for what reaches them.

        An event that was received before changes nothing, and in whatever order events come, the same is on record in
        the end.

        - A bounce for good takes the line out of use on that channel; `restore_line` puts it back.
        - A complaint, a provider's word that somebody opted out, and a stop in any plain form are objections.
        - A text with YES, or with the numbers of options, answers the question that is open for its number.
        - HELP is answered, START grants nothing, and anything else is kept for people to read.
        """
        return run_to_completion(receive.receive(self._app, event))

    def restore_line(self, contact: Contact, channel: Channel | str, *, how: str) -> Standing:
        """
        Put a line back into use that a provider said takes no messages, because somebody made sure that it does.

        Args:
            how: How that was made sure of, for whoever asks later.

        Raises:
            MissingLineError: The contact has no address for the channel.
            UnknownContactError: There is no such contact.
        """
        return run_to_completion(contacts.restore_line(self._app, contact, Channel.of(channel), how))

    def backlog(self) -> Mapping[MessageState, int]:
        """
        Count the messages of the outbox in each state. A state without any is left out.
        """
        return run_to_completion(outbox.backlog(self._app))

    def outbox_messages(self, state: MessageState, *, limit: int = 100) -> list[OutboxEntry]:
        """
        Return messages of the outbox that stand in *state*, those due longest ago first: the dead letters, for example,
        each with why.
        """
        return run_to_completion(outbox.messages(self._app, state, limit))

    def reconcile(self, *, resend: bool = False, limit: int = 1000) -> list[Doubt]:
        """
        Look into every message whose outcome is in doubt, and settle those of which something is found out: by what was
        received about them since, or by what the provider can look up.

        Args:
            resend: Whether to queue again what the provider says it does not have. What nobody can tell of is not sent
                again.
            limit: How many at most.
        """
        return run_to_completion(reconcile.reconcile(self._app, resend=resend, limit=limit))

    def resolve_doubt(self, contact: Contact, message: str, *, sent: bool) -> bool:
        """
        Settle one doubt by the word of somebody who knows. What was not sent is queued again. False if there is no such
        doubt.
        """
        return run_to_completion(reconcile.resolve(self._app, contact, message, sent=sent))

    # ---- links

    def link(self, contact: Contact, channel: Channel | str = Channel.EMAIL, *, line: int | None = None) -> str:
        """
        Make a MyOptly link for a message on *channel* and return its address. Works until it is revoked.

        What is answered through it is graded as in a session the host vouches for, because the host was given it; the
        links in messages that Optly hands over itself prove more.

        Args:
            line: The number of the line the message goes to, as a decision tells it. By default the first for the
                channel.

        Raises:
            MissingLineError: The contact has no address for the channel.
        """
        return run_to_completion(links.link(self._app, contact, Channel.of(channel), line))

    def unsubscribe_headers(
        self,
        contact: Contact,
        purpose: str | None = None,
        *,
        channel: Channel | str = Channel.EMAIL,
        line: int | None = None,
    ) -> Mapping[str, str]:
        """
        Return the headers with which a mail program offers to stop messages for *purpose*, or for every purpose.
        Arguments as for `link`.

        Source: RFC 2369 section 3.2 and RFC 8058 section 3.1.
        """
        return run_to_completion(links.stop_headers(self._app, contact, Channel.of(channel), purpose, line))

    def open(self, code: str, *, language: str = "") -> Opened:
        """
        Return what is behind a question link, a MyOptly link, a link that undoes something, or a session. Changes
        nothing.

        Args:
            code: The last part of the link's address.
            language: The language to show the choices in, by default the contact's. A question stays in its own.

        Raises:
            LinkInvalidError: It is no link of ours, was altered or revoked, or its time is over.
            LinkUsedError, LinkSupersededError, LinkExpiredError: The question can no longer be answered.
            LinkRevokedError: What it opened was erased, or the address it was sent to is no longer on record.
            SessionError: It is a session from before an address changed.
        """
        return (self.self_service.enter(code)).open(language=language)

    def answer(
        self,
        code: str,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Take the answer to the question behind *code*, once. What is not in *answers* stays unanswered.

        Args:
            answers: Yes or no by channel and purpose.
            context: Where the answer came from, if the host wishes to keep that.
            language: The language of the page, to be recorded with the answer.
            hold_within: A yes that comes so soon after its link was handed over may be that of a program which presses
                every button. It is held and allows nothing until `confirm`. A no counts at once. None holds nothing.

        Raises:
            AnswerError: It does not fit the question, or says nothing.
            LinkError: As for `open`.
        """
        return (self.self_service.enter(code)).answer(
            answers, context=context, language=language, hold_within=hold_within
        )

    def choose(
        self,
        code: str,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Change choices through the MyOptly link *code*, or in a session. Arguments and errors as for `answer`; in
        another *language* than the contact's, the words agreed to are those of that language.
        """
        return (self.self_service.enter(code)).choose(
            answers, context=context, language=language, hold_within=hold_within
        )

    def confirm(self, code: str, *, context: Context | None = None, language: str = "") -> Standing:
        """
        Confirm what was held, through the link it came through. Nothing happens if nothing waits.

        Raises:
            TooSoonError: Within three seconds, in which no person reads what there is to confirm.
            LinkExpiredError: It was to be confirmed earlier.
            LinkError: As for `open`.
        """
        return (self.self_service.enter(code)).confirm(context=context, language=language)

    def stop(self, code: str, *, context: Context | None = None) -> AfterStop:
        """
        Stop everything through a link of any kind, even one that can no longer answer. Whoever had agreed to something
        is told at their line, with a link that undoes it for thirty days, if `receipts` are sent.

        Returns:
            What `undo` would allow again through this very link, which is nothing for the link of a question; and
            whether a message goes out.

        Raises:
            LinkInvalidError, LinkRevokedError: As for `open`.
        """
        return (self.self_service.enter(code)).stop(context=context)

    def undo(
        self,
        code: str,
        *,
        stop: int | None = None,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Undo a stop or a change of address, through the link that was sent for it; or the stop of number *stop* through
        a MyOptly link or in a session. Only what the person had agreed to themselves, and nobody stopped otherwise
        since, is allowed again; it counts as said again now. A second time, nothing happens.

        Args:
            context, language, hold_within: As for `answer`.

        Raises:
            LineTakenError: The earlier address belongs to another contact by now.
            LinkError: As for `open`.
        """
        return (self.self_service.enter(code)).undo(
            stop=stop, context=context, language=language, hold_within=hold_within
        )

    def open_stop(self, token: str) -> StopScope:
        """
        Return what a stop link stops. Reads nothing but the link.

        Raises:
            LinkInvalidError: It was altered or is none of ours.
        """
        return self.self_service.open_stop(token)

    def stop_by_token(self, token: str, *, context: Context | None = None) -> AfterStop:
        """
        Stop what a stop link names. Never expires, harmless when repeated, and for a contact that is gone.

        Raises:
            LinkInvalidError: It was altered or is none of ours.
        """
        return self.self_service.stop_by_token(token, context=context)

    def revoke_links(self, contact: Contact) -> int:
        """
        Make every question and MyOptly link of a contact open nothing, and return how many there were. Their stop links
        go on working.
        """
        return run_to_completion(links.revoke(self._app, contact))

    def portal(self, **settings: Unpack[PortalSettings]) -> Portal:
        """
        Return the MyOptly pages, to be mounted at `base_url`, and with them the webhooks of the backends.

        Args:
            settings: How they look and what they allow (see :class:`~optly.portal.PortalSettings`).
        """
        from optly.portal import Portal

        # The pages answer each request in a thread: they have a blocking application of their own over the same store.
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
            secret=self._app.settings.keys.all[0].derive("portal/limits/1"),
            webhooks=self._webhooks,
            receive=lambda event: run_to_completion(receive.receive(app, event)),
            **settings,
        )

    @property
    def self_service(self) -> SelfService:
        """
        What contacts do for themselves beyond answering and stopping.
        """
        return SelfService(self._app)

    def acknowledge_complaint(self, contact: Contact, complaint: str, *, how: str) -> Standing:
        """
        Record that a contact was told, other than by the message that Optly sends, that their complaint was received.

        Args:
            complaint: Its name, as in `Standing.complaints`.
            how: How they were told.

        Raises:
            UsageError: They made no such complaint, or *how* says nothing.
        """
        return run_to_completion(complaints.answer_complaint(self._app, contact, complaint, how, resolved=False))

    def resolve_complaint(self, contact: Contact, complaint: str, *, how: str) -> Standing:
        """
        Record that a contact was told what came of their complaint.

        Args:
            how: What came of it, and how they were told.

        Raises:
            UsageError: As for `acknowledge_complaint`.
        """
        return run_to_completion(complaints.answer_complaint(self._app, contact, complaint, how, resolved=True))

    # ---- proof

    def evidence(self, contact: Contact, *, since: str | None = None) -> EvidencePack:
        """
        Return everything that proves what a contact was asked and answered. Seals the log first.

        Args:
            since: A head of the log that whoever gets the pack has kept, as text. The pack then shows that the log only
                grew since.

        Raises:
            UnknownContactError: There is no such contact.
            UsageError: *since* is not a checkpoint of this log.
        """
        return run_to_completion(proof.evidence(self._app, contact, since))

    def seal(self) -> Checkpoint | None:
        """
        Sign the log as it stands and return its head: send it to somebody who is to hold you to it. None while nothing
        is on record.
        """
        return run_to_completion(proof.seal(self._app))

    def verify(self, *, checkpoint: str | None = None) -> Verification:
        """
        Verify everything on record. Reads every event.

        Args:
            checkpoint: A head of the log that was kept elsewhere, as text: the log may only have grown since.
        """
        return run_to_completion(proof.verify(self._app, checkpoint))
