"""
The manager for hosts that run an event loop.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
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
    stops,
)
from optly._operations.access import Circumstances
from optly._operations.desk import Desk, Listener
from optly._operations.run import Threaded
from optly._operations.setup import make_desk, read_addresses, read_channels, read_content, read_instant, webhooks_of
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
from optly.manager import SCREEN_BATCH, ConsentManager
from optly.messages import Content, DeliveryEvent, InboundMessage
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.protocols import (
    AsyncMessageBackend,
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
from optly.results import Asked, Campaign, Deliveries, Doubt, Imported, Letter, Received
from optly.rules import Decision, Facts, MessageKind, Rulebook, Solicited
from optly.self_service import AsyncSelfService

if TYPE_CHECKING:
    from optly.evidence import EvidencePack
    from optly.portal import Portal, PortalSettings


class AsyncConsentManager:
    """
    The same as `ConsentManager`, awaited.

    Storage and backends whose methods block run in the threads of the loop's pool, so that nothing blocks the loop;
    backends whose methods are coroutines are awaited. Whoever listens by `on_events` is called in such a thread too.
    Making a manager reads the store once and blocks for as long.
    """

    def __init__(
        self,
        *,
        organisation: Organisation,
        purposes: Iterable[Purpose],
        storage: Storage,
        backends: Iterable[MessageBackend | AsyncMessageBackend] = (),
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
        self._desk = make_desk(
            Threaded,
            organisation=organisation,
            purposes=purposes,
            storage=storage,
            backends=self._backends,
            registers=registers,
            keys=keys,
            base_url=base_url,
            rulebook=rulebook,
            clock=clock,
            receipts=receipts,
            rates=rates,
            quiet_hours=quiet_hours,
            budget=budget,
            catalogues=catalogues,
            on_events=on_events,
        )

    @property
    def organisation(self) -> Organisation:
        """
        Do as :meth:`ConsentManager.organisation` does.
        """
        return self._desk.organisation

    @property
    def desk(self) -> Desk:
        """
        The settings and ports its flows work with. Not for hosts.
        """
        return self._desk

    @property
    def storage(self) -> Storage:
        """
        Where everything is kept.
        """
        return self._storage

    @property
    def purposes(self) -> Mapping[str, Purpose]:
        """
        Do as :meth:`ConsentManager.purposes` does.
        """
        return self._desk.purposes

    @property
    def pages(self) -> Pages:
        """
        Do as :meth:`ConsentManager.pages` does.
        """
        return self._desk.pages

    @property
    def catalogues(self) -> tuple[Path, ...]:
        """
        Where the host's own catalogues are.
        """
        return self._desk.catalogues

    @property
    def clock(self) -> Clock:
        """
        Do as :meth:`ConsentManager.clock` does.
        """
        return self._desk.clock

    @property
    def receipts(self) -> bool:
        """
        Do as :meth:`ConsentManager.receipts` does.
        """
        return self._desk.receipts

    @property
    def backends(self) -> tuple[MessageBackend | AsyncMessageBackend, ...]:
        """
        Do as :meth:`ConsentManager.backends` does.
        """
        return self._backends

    @property
    def webhooks(self) -> Mapping[str, WebhookBackend]:
        """
        Do as :meth:`ConsentManager.webhooks` does.
        """
        return self._webhooks

    @property
    def public_keys(self) -> tuple[bytes, ...]:
        """
        Do as :meth:`ConsentManager.public_keys` does.
        """
        return self._desk.keys.public_keys

    async def close(self) -> None:
        """
        Do as :meth:`ConsentManager.close` does.
        """
        for outlet in self._desk.outlets.values():
            await outlet.port.close()
        await self._desk.storage.close()

    async def __aenter__(self) -> AsyncConsentManager:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # ---- contacts

    async def add_contact(
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
        Do as :meth:`ConsentManager.add_contact` does.
        """
        return await contacts.add(
            self._desk,
            read_addresses(email, phone, address, account),
            name=name,
            subscriber=subscriber,
            language=language,
            held_by=held_by,
            actor=actor,
        )

    async def find(self, address: str | Address, channel: Channel | str = Channel.EMAIL) -> Contact | None:
        """
        Do as :meth:`ConsentManager.find` does.
        """
        return await contacts.find(self._desk, parse_address(address, Channel.of(channel).kind))

    async def change_details(
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
        Do as :meth:`ConsentManager.change_details` does.
        """
        return await contacts.change(
            self._desk,
            contact,
            name=name,
            subscriber=subscriber,
            language=language,
            addresses=read_addresses(email, phone, address, account),
            held_by=held_by,
            actor=actor,
        )

    async def standing(self, contact: Contact, *, at: datetime | None = None) -> Standing:
        """
        Do as :meth:`ConsentManager.standing` does.
        """
        return await contacts.standing(self._desk, contact, read_instant(at))

    async def history(self, contact: Contact) -> tuple[Event, ...]:
        """
        Do as :meth:`ConsentManager.history` does.
        """
        return await contacts.history(self._desk, contact)

    async def erase(self, contact: Contact) -> None:
        """
        Do as :meth:`ConsentManager.erase` does.
        """
        await contacts.erase(self._desk, contact)

    async def request_consent(
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
        Do as :meth:`ConsentManager.request_consent` does.
        """
        return await ask.request_consent(
            self._desk,
            contact,
            ask.asking(
                self._desk,
                via=Channel.of(via),
                channels=read_channels(channels),
                purposes=list(purposes),
                basis=basis,
                language=language,
                expires_within=expires_within,
                remind_after=remind_after,
            ),
        )

    async def request_consents(
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
        Do as :meth:`ConsentManager.request_consents` does.
        """
        return await campaigns.request_consents(
            self._desk,
            contacts,
            campaign,
            ask.asking(
                self._desk,
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

    async def record_consent(
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
        Do as :meth:`ConsentManager.record_consent` does.
        """
        return await contacts.record_consent(
            self._desk,
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

    async def record_soft_opt_in(
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
        Do as :meth:`ConsentManager.record_soft_opt_in` does.
        """
        return await contacts.record_soft_opt_in(
            self._desk,
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

    async def record_charity_soft_opt_in(
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
        Do as :meth:`ConsentManager.record_charity_soft_opt_in` does.
        """
        return await contacts.record_soft_opt_in(
            self._desk,
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

    async def withdraw(
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
        Do as :meth:`ConsentManager.withdraw` does.
        """
        return await contacts.stop(
            self._desk,
            contact,
            objection=False,
            channels=read_channels(channels),
            purposes=list(purposes),
            at=at,
            actor=actor,
            how=how,
        )

    async def record_objection(
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
        Do as :meth:`ConsentManager.record_objection` does.
        """
        return await contacts.stop(
            self._desk,
            contact,
            objection=True,
            channels=read_channels(channels),
            purposes=list(purposes),
            at=at,
            actor=actor,
            how=how,
        )

    async def import_objections(
        self,
        addresses: Iterable[str | Address],
        channel: Channel | str,
        *,
        how: str,
        at: datetime | None = None,
        actor: Actor = Actor.STAFF,
    ) -> Imported:
        """
        Do as :meth:`ConsentManager.import_objections` does.
        """
        return await contacts.import_objections(
            self._desk, addresses, Channel.of(channel), at=read_instant(at), actor=actor, how=how
        )

    async def check(
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
        Do as :meth:`ConsentManager.check` does.
        """
        channel, at = Channel.of(channel), read_instant(at)
        self._desk.purpose(purpose)
        if isinstance(who, Contact):
            return await gate.check_contact(self._desk, who, channel, purpose, kind=kind, at=at, **facts)
        address = parse_address(who, channel.kind)
        return (await gate.check_addresses(self._desk, [address], channel, purpose, kind=kind, at=at, **facts))[0]

    async def screen(
        self,
        addresses: Iterable[str | Address],
        channel: Channel | str,
        purpose: str,
        *,
        kind: MessageKind = MessageKind.MARKETING,
        **facts: Unpack[Facts],
    ) -> AsyncIterator[Decision]:
        """
        Do as :meth:`ConsentManager.screen` does, for ``async for``.
        """
        channel = Channel.of(channel)
        self._desk.purpose(purpose)
        remaining = iter(addresses)
        while batch := list(islice(remaining, SCREEN_BATCH)):
            for decision in await gate.screen(self._desk, batch, channel, purpose, kind=kind, **facts):
                yield decision

    async def send(self, contact: Contact, channel: Channel | str, purpose: str, content: Content | str) -> str:
        """
        Do as :meth:`ConsentManager.send` does.
        """
        return await ask.send(self._desk, contact, Channel.of(channel), purpose, read_content(content))

    async def record_communication(
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
        Do as :meth:`ConsentManager.record_communication` does.
        """
        return await ask.record_communication(
            self._desk, contact, Channel.of(channel), purpose, kind=kind, line=line, **facts
        )

    async def deliver(self, *, limit: int | None = None) -> Deliveries:
        """
        Do as :meth:`ConsentManager.deliver` does.
        """
        return await deliver.deliver(self._desk, limit)

    async def deliver_batch(self) -> Deliveries:
        """
        Do as :meth:`ConsentManager.deliver_batch` does.
        """
        return await deliver.work(self._desk)

    async def receive(self, event: DeliveryEvent | InboundMessage) -> Received:
        """
        Do as :meth:`ConsentManager.receive` does.
        """
        return await receive.receive(self._desk, event)

    async def restore_line(self, contact: Contact, channel: Channel | str, *, how: str) -> Standing:
        """
        Do as :meth:`ConsentManager.restore_line` does.
        """
        return await contacts.restore_line(self._desk, contact, Channel.of(channel), how)

    async def backlog(self) -> Mapping[MessageState, int]:
        """
        Do as :meth:`ConsentManager.backlog` does.
        """
        return await outbox.backlog(self._desk)

    async def letters(self, state: MessageState, *, limit: int = 100) -> list[Letter]:
        """
        Do as :meth:`ConsentManager.letters` does.
        """
        return await outbox.letters(self._desk, state, limit)

    async def reconcile(self, *, resend: bool = False, limit: int = 1000) -> list[Doubt]:
        """
        Do as :meth:`ConsentManager.reconcile` does.
        """
        return await reconcile.reconcile(self._desk, resend=resend, limit=limit)

    async def resolve_doubt(self, contact: Contact, message: str, *, sent: bool) -> bool:
        """
        Do as :meth:`ConsentManager.resolve_doubt` does.
        """
        return await reconcile.resolve(self._desk, contact, message, sent=sent)

    async def link(self, contact: Contact, channel: Channel | str = Channel.EMAIL, *, line: int | None = None) -> str:
        """
        Do as :meth:`ConsentManager.link` does.
        """
        return await links.link(self._desk, contact, Channel.of(channel), line)

    async def unsubscribe_headers(
        self,
        contact: Contact,
        purpose: str | None = None,
        *,
        channel: Channel | str = Channel.EMAIL,
        line: int | None = None,
    ) -> Mapping[str, str]:
        """
        Do as :meth:`ConsentManager.unsubscribe_headers` does.
        """
        return await links.stop_headers(self._desk, contact, Channel.of(channel), purpose, line)

    async def open(self, code: str, *, language: str = "") -> Opened:
        """
        Do as :meth:`ConsentManager.open` does.
        """
        return await links.open_link(self._desk, code, language)

    async def answer(
        self,
        code: str,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Do as :meth:`ConsentManager.answer` does.
        """
        how = Circumstances(context, language, hold_within)
        return await links.answer(self._desk, code, answers, how)

    async def choose(
        self,
        code: str,
        answers: Mapping[tuple[Channel, str], bool],
        *,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Do as :meth:`ConsentManager.choose` does.
        """
        how = Circumstances(context, language, hold_within)
        return await links.choose(self._desk, code, answers, how)

    async def confirm(self, code: str, *, context: Context | None = None, language: str = "") -> Standing:
        """
        Do as :meth:`ConsentManager.confirm` does.
        """
        return await links.confirm(self._desk, code, Circumstances(context, language))

    async def stop(self, code: str, *, context: Context | None = None) -> AfterStop:
        """
        Do as :meth:`ConsentManager.stop` does.
        """
        return await stops.stop(self._desk, code, context or Context())

    async def undo(
        self,
        code: str,
        *,
        stop: int | None = None,
        context: Context | None = None,
        language: str = "",
        hold_within: timedelta | None = None,
    ) -> Standing:
        """
        Do as :meth:`ConsentManager.undo` does.
        """
        how = Circumstances(context, language, hold_within)
        return await stops.undo(self._desk, code, stop, how)

    def open_stop(self, token: str) -> StopScope:
        """
        Do as :meth:`ConsentManager.open_stop` does.
        """
        return self._desk.stop_links.read(token)

    async def stop_by_token(self, token: str, *, context: Context | None = None) -> AfterStop:
        """
        Do as :meth:`ConsentManager.stop_by_token` does.
        """
        return await stops.stop_by_token(self._desk, token, context or Context())

    async def revoke_links(self, contact: Contact) -> int:
        """
        Do as :meth:`ConsentManager.revoke_links` does.
        """
        return await links.revoke(self._desk, contact)

    def portal(self, **settings: Unpack[PortalSettings]) -> Portal:
        """
        Do as :meth:`ConsentManager.portal` does. The pages work on the same store, each request in a thread.
        """
        manager = ConsentManager.at(self._desk, self._storage, self._webhooks.values(), self._on_events)
        return manager.portal(**settings)

    @property
    def self_service(self) -> AsyncSelfService:
        """
        What contacts do for themselves beyond answering and stopping.
        """
        return AsyncSelfService(self._desk)

    async def acknowledge_complaint(self, contact: Contact, complaint: str, *, how: str) -> Standing:
        """
        Do as :meth:`ConsentManager.acknowledge_complaint` does.
        """
        return await complaints.answer_complaint(self._desk, contact, complaint, how, resolved=False)

    async def resolve_complaint(self, contact: Contact, complaint: str, *, how: str) -> Standing:
        """
        Do as :meth:`ConsentManager.resolve_complaint` does.
        """
        return await complaints.answer_complaint(self._desk, contact, complaint, how, resolved=True)

    # ---- proof

    async def evidence(self, contact: Contact, *, since: str | None = None) -> EvidencePack:
        """
        Do as :meth:`ConsentManager.evidence` does.
        """
        return await proof.evidence(self._desk, contact, since)

    async def seal(self) -> Checkpoint | None:
        """
        Do as :meth:`ConsentManager.seal` does.
        """
        return await proof.seal(self._desk)

    async def verify(self, *, checkpoint: str | None = None) -> Verification:
        """
        Do as :meth:`ConsentManager.verify` does.
        """
        return await proof.verify(self._desk, checkpoint)
