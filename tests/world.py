"""
A small organisation for tests, with a clock that stands still and outboxes that can be read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import attrs

from optly import (
    AsyncConsentManager,
    Channel,
    ConsentManager,
    Contact,
    Keys,
    Organisation,
    Purpose,
    Solicited,
    Subscriber,
)
from optly.backends import MemoryBackend
from optly.messages import Message
from optly.protocols import Storage
from optly.record.events import MessageEvent
from optly.storage import MemoryStorage
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in

ACME = Organisation(
    key="acme",
    name="Acme Ltd",
    address="1 High Street, Leeds LS1 1AA",
    freephone="0800 496 0000",
    email="privacy@acme.example.com",
)
OTHER = Organisation(key="other", name="Other Ltd", address="2 High Street, Leeds LS1 1AA", email="p@other.example.com")
PURPOSES = (
    Purpose(key="offers", title="Offers and discounts on our products"),
    Purpose(key="news", title="News about what we do"),
)
KEYS = Keys(current="a key that is only used in tests")
EMAIL, PHONE = "ada@example.com", "+447911123456"
EMAIL_OFFERS, SMS_OFFERS = (Channel.EMAIL, "offers"), (Channel.SMS, "offers")


@attrs.define(kw_only=True)
class World:
    """
    A manager with what stands around it.
    """

    manager: ConsentManager
    storage: Storage
    clock: FrozenClock
    emails: MemoryBackend
    texts: MemoryBackend
    wishes: int = 0

    def add(self, **details: Any) -> Contact:
        """
        Put Ada on record.
        """
        return self.manager.add_contact(
            **{"name": "Ada Lovelace", "email": EMAIL, "phone": PHONE, "subscriber": Subscriber.INDIVIDUAL, **details}
        )

    def ask(self, contact: Contact, **details: Any) -> Message:
        """
        Ask by email about offers by email and text, deliver, and return the message.

        Each time is for a wish of her own, because one wish is answered by one question.
        """
        self.wishes += 1
        question = self.manager.request_consent(
            contact,
            **{
                "via": Channel.EMAIL,
                "channels": [Channel.EMAIL, Channel.SMS],
                "purposes": ["offers"],
                "basis": Solicited(how="newsletter form", at=self.clock() - timedelta(microseconds=self.wishes)),
                **details,
            },
        )
        self.manager.deliver()
        events = [event for event in self.manager.history(contact) if isinstance(event, MessageEvent)]
        asked = {event.message for event in events if event.question == question.id}
        return next(message for message in self.emails.outbox if message.id in asked)

    def agreed(self, contact: Contact) -> str:
        """
        Ask, answer yes to everything, and return the code that was used.
        """
        code = code_in(self.ask(contact))
        self.manager.answer(code, {EMAIL_OFFERS: True, SMS_OFFERS: True})
        return code

    def later(self, by: timedelta = timedelta(minutes=1)) -> None:
        """
        Let time pass.
        """
        self.clock.advance(by)

    def allowed(self, channel: Channel = Channel.EMAIL, purpose: str = "offers") -> bool:
        """
        Ask the gate about Ada's own lines.
        """
        return self.manager.check(EMAIL if channel is Channel.EMAIL else PHONE, channel, purpose).allowed


def _organised(storage: Storage | None, backends: Sequence[Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "organisation": ACME,
        "purposes": PURPOSES,
        "storage": MemoryStorage() if storage is None else storage,
        "backends": backends,
        "keys": KEYS,
        "base_url": "https://acme.example.com/my",
        "clock": FrozenClock(),
        **settings,
    }


def world(storage: Storage | None = None, **settings: Any) -> World:
    """
    Make a world, by default in memory.
    """
    emails, texts = MemoryBackend(channel=Channel.EMAIL), MemoryBackend(channel=Channel.SMS)
    organised = _organised(storage, [emails, texts], settings)
    manager = ConsentManager(**organised)
    return World(manager=manager, storage=organised["storage"], clock=organised["clock"], emails=emails, texts=texts)


def awaited(backend: Any, storage: Storage | None = None, **settings: Any) -> AsyncConsentManager:
    """
    Make an awaited manager, by default in memory.
    """
    return AsyncConsentManager(**_organised(storage, [backend], settings))


def ask_companies(manager: ConsentManager, count: int, campaign: str = "one") -> list[Contact]:
    """
    Ask so many companies by email about offers by email, each for the first time in a campaign.
    """
    companies = [
        manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY) for number in range(count)
    ]
    manager.request_consents(companies, campaign=campaign, via="email", channels=["email"], purposes=["offers"])
    return companies
