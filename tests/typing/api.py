"""
What the type checker has to make of the public names. Checked by mypy, never run.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime
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
    Subscriber,
    Wording,
)
from optly.addresses import Address, AddressKind, EmailAddress, PhoneNumber, parse_address
from optly.backends import ConsoleBackend, MemoryBackend, SMTPBackend
from optly.consent import Question, Standing
from optly.events import Event
from optly.evidence import EvidencePack, verify
from optly.ledger import Checkpoint, Verification
from optly.messages import Message
from optly.portal import Portal
from optly.protocols import MessageBackend, Storage
from optly.rules import Duty, Reason
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.views import Opened

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
assert_type(memory.outbox, list[Message])
assert_type(manager.open("code"), Opened)
assert_type(manager.answer("code", {(Channel.EMAIL, "offers"): True}), Standing)
assert_type(
    manager.record_consent(
        ada,
        channels=[Channel.LIVE_CALL],
        purposes=["offers"],
        wording=Wording(text="May we call you?"),
        act=Act.TICKED_BOX,
        how="paper form, Leeds branch",
        at=now,
    ),
    Standing,
)
assert_type(manager.withdraw(ada, channels=[Channel.SMS]), Standing)
assert_type(manager.record_objection(ada), Standing)

decision = manager.check("ada@example.com", Channel.EMAIL, "offers")
assert_type(decision, Decision)
assert_type(decision.allowed, bool)
assert_type(decision.reason, Reason)
assert_type(decision.regulation, str)
assert_type(decision.explanation, str)
assert_type(decision.duties, tuple[Duty, ...])
assert_type(manager.screen(["ada@example.com"], Channel.SMS, "offers"), Iterator[Decision])
assert_type(manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello")), str)

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
assert_type(manager.portal(), Portal)
assert_type(manager.find("ada@example.com"), Contact | None)


async def awaited(manager: AsyncConsentManager) -> None:
    """
    The same names, awaited.
    """
    ada = await manager.add_contact(email="ada@example.com")
    assert_type(ada, Contact)
    assert_type(await manager.check(ada, "email", "offers"), Decision)
    assert_type(manager.screen(["ada@example.com"], Channel.SMS, "offers"), AsyncIterator[Decision])
    assert_type(await manager.evidence(ada), EvidencePack)
    assert_type(manager.portal(), Portal)
