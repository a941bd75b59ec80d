"""
What the type checker has to make of the public names. Checked by mypy, never run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, time, timedelta
from typing import assert_type

from optly import (
    Act,
    AsyncConsentManager,
    Channel,
    ConsentManager,
    Contact,
    Content,
    Decision,
    Keys,
    Organisation,
    Purpose,
    Solicited,
    StopReach,
    Subscriber,
    Through,
    Wording,
)
from optly.backends import ConsoleBackend, MemoryBackend, SESBackend, SMTPBackend, TwilioBackend
from optly.contacts.addresses import Address, AddressKind, EmailAddress, PhoneNumber, parse_address
from optly.errors import NotPermittedError, Refusal, UnsoundWordingError
from optly.evidence import EvidencePack, verify
from optly.messages import DeliveryEvent, DeliveryStatus, Message
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.portal import Limits, Portal, TemplateFinding, Theme
from optly.protocols import BatchBackend, MessageBackend, MessageState, Storage, TracingBackend, WebhookBackend
from optly.record.checkpoints import Checkpoint
from optly.record.consent import Complaint, Question, Standing
from optly.record.events import Event
from optly.record.ledger import Verification
from optly.record.views import AfterStop, Details, History, Opened
from optly.results import Asked, Campaign, ComplaintState, Doubt, OutboxEntry, Received, RecordedComplaint
from optly.rules import UKPECR, Duty, Reason
from optly.self_service import SelfService
from optly.storage import FileStorage, MemoryStorage, SQLStorage

assert_type(EmailAddress.parse("ada@example.com"), EmailAddress)
assert_type(PhoneNumber.parse("07911 123456").value, str)
assert_type(parse_address("ada@example.com", AddressKind.EMAIL), Address)
assert_type(Channel.EMAIL.kind, AddressKind)

stores: list[Storage] = [MemoryStorage(), FileStorage("optly.jsonl"), SQLStorage("sqlite:///optly.db")]
backends: list[MessageBackend] = [
    MemoryBackend(channel=Channel.SMS),
    ConsoleBackend(),
    SMTPBackend("smtp://127.0.0.1:2525", sender="Acme <hello@acme.example.com>"),
]
ses = SESBackend("eu-west-2", sender="hello@acme.example.com")
twilio = TwilioBackend("AC" + "0" * 32, "token", sender="Acme")
batches: list[BatchBackend] = [SMTPBackend("smtp://127.0.0.1:2525", sender="hello@acme.example.com"), ses, twilio]
hooks: list[WebhookBackend] = [ses, twilio]
tracing: TracingBackend = twilio
acme = Organisation(
    key="acme",
    name="Acme Ltd",
    address="1 High Street, Leeds LS1 1AA",
    freephone="0800 496 0000",
    email="privacy@acme.example.com",
)
now = datetime.now(UTC)
memory = MemoryBackend()
manager = ConsentManager(
    organisation=acme,
    purposes=[Purpose(key="offers", title="Offers and discounts on our products")],
    storage=MemoryStorage(),
    backends=[memory],
    keys=Keys(current="…", previous=["…"]),
    base_url="https://acme.example.com/my",
    rates=[Rate(14, channel=Channel.EMAIL), Rate(5, domain="example.com")],
    quiet_hours=QuietHours(time(20), time(8)),
    budget=Budget(2, timedelta(days=365)),
)

ada = manager.add_contact(name="Ada", email="ada@example.com", phone="+447911123456", subscriber=Subscriber.INDIVIDUAL)
assert_type(ada, Contact)
assert_type(
    manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL, "sms"],
        purposes=["offers"],
        basis=Solicited(how="newsletter form", at=now),
    ),
    Question,
)
assert_type(manager.deliver().accepted, int)
assert_type(manager.deliver_batch().finished, int)


def report(asked: Asked) -> None:
    """
    Told of each contact of a list.
    """
    assert_type(asked.question, Question | None)


campaign = manager.request_consents(
    [ada], campaign="winter", via="email", channels=["email"], purposes=["offers"], report=report
)
assert_type(campaign, Campaign)
event = DeliveryEvent(
    id="1", backend="ses", channel=Channel.EMAIL, status=DeliveryStatus.DELIVERED, to="ada@example.com", at=now
)
assert_type(manager.receive(event), Received)
assert_type(manager.restore_line(ada, "email", how="telephoned"), Standing)
assert_type(manager.backlog(), Mapping[MessageState, int])
assert_type(manager.outbox_messages(MessageState.REFUSED), list[OutboxEntry])
assert_type(manager.reconcile(resend=True), list[Doubt])
assert_type(manager.resolve_doubt(ada, "0" * 32, sent=True), bool)
assert_type(memory.outbox, list[Message])
assert_type(manager.open("code"), Opened)
assert_type(manager.answer("code", {(Channel.EMAIL, "offers"): True}), Standing)
assert_type(
    manager.record_consent(
        ada,
        channels=[Channel.LIVE_CALL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd telephone you about offers?"),
        act=Act.TICKED_BOX,
        how="paper form, Leeds branch",
        at=now,
        accept="the name stands in large letters above the form",
    ),
    Standing,
)
assert_type(manager.withdraw(ada, channels=[Channel.SMS]), Standing)
assert_type(manager.record_objection(ada, organisation="insurer"), Standing)
assert_type(manager.change_details(ada, subscriber=Subscriber.COMPANY, how="Companies House 01234567"), Standing)
assert_type(manager.record_objection(ada, through=Through.LETTER), Standing)
assert_type(manager.record_domain_objection("firm.example.com", how="letter"), Contact)
assert_type(manager.mark_deceased(ada, how="letter"), Standing)
assert_type(manager.mark_gone_away(ada, Channel.POST, how="letter returned"), Standing)
assert_type(manager.offer_way_back("ada@example.com"), bool)

decision = manager.check("ada@example.com", Channel.EMAIL, "offers")
assert_type(decision, Decision)
assert_type(decision.allowed, bool)
assert_type(decision.reason, Reason)
assert_type(decision.regulation, str)
assert_type(decision.explanation, str)
assert_type(decision.duties, tuple[Duty, ...])
assert_type(decision.also_for, tuple[str, ...])
assert_type(decision.purposes, tuple[str, ...])
assert_type(decision.title, str)
assert_type(manager.check(ada, Channel.WHATSAPP, ["offers", "news"], public_task="waste collection"), Decision)
assert_type(manager.screen(["ada@example.com"], Channel.RCS, ("offers", "news")), Iterator[Decision])
assert_type(manager.send(ada, Channel.EMAIL, ["offers"], "Hello", trading_as="Acme"), str)
assert_type(Organisation(key="acme", name="Acme", address="Leeds", also_known_as=("Acme Toys",)).names, tuple[str, ...])
assert_type(UKPECR(dormant_months=None, solicited_within=timedelta(days=7)).dormant_months, int | None)
assert_type(manager.screen(["ada@example.com"], Channel.SMS, "offers"), Iterator[Decision])
assert_type(manager.verdicts(["ada@example.com"], Channel.SMS, "offers"), Iterator[bool])
assert_type(manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello")), str)
assert_type(manager.send(ada, Channel.EMAIL, "offers", "Hello", stops=StopReach.PURPOSE), str)

assert_type(manager.link(ada), str)
assert_type(manager.unsubscribe_headers(ada, "offers"), Mapping[str, str])
assert_type(manager.standing(ada, at=now), Standing)
assert_type(manager.history(ada), tuple[Event, ...])
assert_type(manager.evidence(ada), EvidencePack)
assert_type(manager.evidence(ada).verify(), Verification)
assert_type(verify("{}"), Verification)
assert_type(manager.erase(ada), None)
assert_type(manager.seal(), Checkpoint | None)
assert_type(manager.verify(), Verification)
assert_type(manager.portal(theme=Theme(colour="#0b5f59"), limits=Limits(new_links="10/hour"), proxies=1), Portal)
assert_type(manager.portal().check_templates(), tuple[TemplateFinding, ...])
assert_type(manager.confirm("code"), Standing)
assert_type(manager.stop("code"), AfterStop)
assert_type(manager.undo("code", stop=7), Standing)
assert_type(manager.self_service, SelfService)
assert_type(manager.self_service.step_up("session", "123456"), str)
assert_type(manager.self_service.details("session"), Details)
assert_type(manager.self_service.history("session"), History)
assert_type(manager.self_service.complain("code", "Too many letters."), Complaint)
assert_type(manager.find("ada@example.com"), Contact | None)
assert_type(manager.record_complaint(ada, text="Too many letters.", how="telephone", at=now), RecordedComplaint)
assert_type(manager.record_complaint("eve@example.org", text="No.", how="email", name="Eve"), RecordedComplaint)
assert_type(manager.record_complaint(text="No.", how="letter", reply_to=None, send=False), RecordedComplaint)
assert_type(manager.complaints(open=None), Iterator[RecordedComplaint])
assert_type(manager.complaint("CMP-7K4D-2M").state, ComplaintState)
assert_type(manager.acknowledge_complaint(None, "CMP-7K4D-2M", how="by telephone"), Standing)
assert_type(manager.resolve_complaint(ada, "CMP-7K4D-2M", outcome="You were right.", send=True), Standing)
assert_type(manager.complaint_letter("CMP-7K4D-2M", outcome="You were right."), Content)


def refused(error: NotPermittedError | UnsoundWordingError, decision: Decision) -> None:
    """
    What an error carries, without an import of the rules.
    """
    if isinstance(error, NotPermittedError):
        assert_type(error.decision.allowed, bool)
        assert_type(error.decision.explanation, str)
        assert error.decision.reason is Reason.NO_CONSENT
        if isinstance(error.decision, Decision):
            assert_type(error.decision.duties, tuple[Duty, ...])
    else:
        assert_type([flaw.source for flaw in error.findings], list[str])
    refusal: Refusal = decision
    NotPermittedError("not permitted", decision=refusal)


async def awaited(manager: AsyncConsentManager) -> None:
    """
    The same names, awaited.
    """
    ada = await manager.add_contact(email="ada@example.com")
    assert_type(ada, Contact)
    assert_type(await manager.check(ada, "email", "offers"), Decision)
    assert_type(manager.screen(["ada@example.com"], Channel.SMS, "offers"), AsyncIterator[Decision])
    assert_type(manager.verdicts(["ada@example.com"], Channel.SMS, "offers"), AsyncIterator[bool])
    assert_type(await manager.evidence(ada), EvidencePack)
    assert_type(manager.portal(hold_yes_within=None), Portal)
    assert_type(await manager.self_service.details("session"), Details)
