"""
A small organisation for tests, with a clock that stands still and outboxes that can be read.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import attrs

from optly import (
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
from optly.record.consent import Question
from optly.record.events import Event, MessageEvent
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
PURPOSES = (
    Purpose(key="offers", title="Offers and discounts on our products"),
    Purpose(key="news", title="News about what we do"),
)
KEYS = Keys(current="a key that is only used in tests")
EMAIL, PHONE = "ada@example.com", "+447911123456"
EMAIL_OFFERS, SMS_OFFERS = (Channel.EMAIL, "offers"), (Channel.SMS, "offers")


def _asks(event: Event, question: Question) -> bool:
    return isinstance(event, MessageEvent) and event.question == question.id


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
        asked = {event.message for event in self.manager.history(contact) if _asks(event, question)}
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


def world(storage: Storage | None = None, **settings: Any) -> World:
    """
    Make a world, by default in memory.
    """
    storage = MemoryStorage() if storage is None else storage
    clock: FrozenClock = settings.pop("clock", None) or FrozenClock()
    emails, texts = MemoryBackend(channel=Channel.EMAIL), MemoryBackend(channel=Channel.SMS)
    manager = ConsentManager(
        **{
            "organisation": ACME,
            "purposes": PURPOSES,
            "storage": storage,
            "backends": [emails, texts],
            "keys": KEYS,
            "base_url": "https://acme.example.com/my",
            "clock": clock,
            **settings,
        }
    )
    return World(manager=manager, storage=storage, clock=clock, emails=emails, texts=texts)


Maker = Callable[[], Storage]
