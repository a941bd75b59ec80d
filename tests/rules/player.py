"""
Plays stories of direct marketing through the public API of a manager alone, each told as steps and a question.

A step is a call made beforehand: ``do`` names a method of the manager, or ``one_click`` (a mail program's request to
the address in the last email) or ``inbound`` (a text from the person). ``as`` names a contact and ``who`` means it;
``clock`` is when it happened, and ``may_fail`` says that an error of ours is part of the story.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from typing import Any, Final

import attrs

from optly import Act, Channel, ConsentManager, Contact, Keys, Organisation, Purpose, Solicited, Subscriber, Wording
from optly.backends import MemoryBackend
from optly.contacts import AddressKind, PhoneNumber
from optly.errors import NotPermittedError, OptlyError
from optly.messages import InboundMessage
from optly.protocols import RegisterName
from optly.record.commands import Unsound
from optly.record.events import Actor, Engagement, Evidence, Manner, Through
from optly.registers import MemoryRegister
from optly.rules import UKPECR, Call, Charity, CharityLaw, ClientRelationship, Decision, MessageKind, RefusalCost
from optly.storage import MemoryStorage

NOW: Final = "2026-11-27T12:00:00Z"
ACME: Final = {
    "key": "acme",
    "name": "Acme Ltd",
    "address": "1 High Street, Leeds LS1 1AA",
    "freephone": "0800 496 0000",
    "email": "privacy@acme.example.com",
}
# What a message of one's own is said to be, unless the story says otherwise.
SAID: Final[Mapping[str, Any]] = {
    "shows_identity": True,
    "gives_stop_address": True,
    "offers_refusal": True,
    "refusal_cost": "free",
}


def instant(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _manner(told: Mapping[str, Any]) -> Manner:
    lists = {name: tuple(told[name]) for name in ("organisations",) if name in told}
    unproven = {"unproven": tuple(Evidence(each) for each in told["unproven"])} if "unproven" in told else {}
    return Manner(**{**told, **lists, **unproven})


def _call(told: Mapping[str, Any]) -> Call:
    client = {"client": ClientRelationship(**told["client"])} if told.get("client") else {}
    return Call(**{**told, **client})


# How what is told is read, by the name of the argument.
READ: Final[Mapping[str, Callable[[Any], Any]]] = {
    "at": instant,
    "subscriber": Subscriber,
    "held_by": lambda told: {AddressKind(kind): Subscriber(value) for kind, value in told.items()},
    "wording": lambda told: Wording(**told),
    "act": Act,
    "manner": _manner,
    "unsound": Unsound,
    "actor": Actor,
    "engagement": Engagement,
    "through": Through,
    "kind": MessageKind,
    "basis": lambda told: Solicited(how=told["how"], at=instant(told["at"])),
    "solicited": lambda told: Solicited(how=told["how"], at=instant(told["at"])),
    "refusal_cost": RefusalCost,
    "call": _call,
}


def read(told: Mapping[str, Any]) -> dict[str, Any]:
    return {name: READ[name](value) if name in READ and value is not None else value for name, value in told.items()}


@attrs.frozen(kw_only=True)
class Answer:
    """
    What the gate said, or the error that was raised instead.
    """

    allowed: bool
    reason: str
    decision: Decision | None = None


class Play:
    """
    One story, in memory.
    """

    def __init__(self, story: Mapping[str, Any]) -> None:
        self.story = story
        self.now = self.end = instant(story.get("now", NOW))
        self.emails = MemoryBackend(channel=Channel.EMAIL)
        charity = story.get("charity")
        self.manager = ConsentManager(
            organisation=Organisation(**{**ACME, **story.get("organisation", {})}),
            purposes=[
                Purpose(key=key, title=title)
                for key, title in story.get("purposes", {"offers": "Offers and discounts on our products"}).items()
            ],
            storage=MemoryStorage(),
            registers=self._registers(story.get("registers", {"as_of": "2026-11-20"})),
            backends=[self.emails, MemoryBackend(channel=Channel.SMS)],
            keys=Keys(current="a key that is only used in tests"),
            base_url="https://acme.example.com/my",
            rulebook=None
            if charity is None
            else UKPECR(
                charity=Charity(law=CharityLaw(charity["law"]), registered=charity.get("registered")),
                charitable_purposes=charity.get("purposes", []),
            ),
            clock=lambda: self.now,
        )
        self.known: dict[str, Contact] = {}

    @staticmethod
    def _registers(told: Mapping[str, Any] | None) -> list[MemoryRegister]:
        if told is None:
            return []
        as_of = date.fromisoformat(told["as_of"])
        return [
            MemoryRegister(
                name,
                {PhoneNumber.parse(key): date.fromisoformat(day) for key, day in told.get(name.value, {}).items()},
                as_of=as_of,
            )
            for name in RegisterName
        ]

    def answer(self) -> Answer:
        """
        Play the steps, and ask the question.
        """
        for step in self.story["steps"]:
            self.now = instant(step["clock"]) if "clock" in step else self.end
            told = {name: value for name, value in step.items() if name not in ("do", "as", "clock", "may_fail")}
            with suppress(*((OptlyError,) if step.get("may_fail") else ())):
                result = self._step(step["do"], told)
                if "as" in step:
                    self.known[step["as"]] = result
        self.now = self.end
        try:
            return self._ask(dict(self.story["ask"]))
        except NotPermittedError as error:
            return Answer(allowed=False, reason=error.decision.reason.value, decision=error.decision)  # type: ignore[arg-type]
        except OptlyError as error:
            return Answer(allowed=False, reason=type(error).__name__)

    def _step(self, do: str, told: dict[str, Any]) -> Any:
        if do == "one_click":
            address = self.emails.outbox[-1].headers["List-Unsubscribe"].strip("<>")
            return self.manager.stop_by_token(address.rpartition("/")[2])
        if do == "inbound":
            channel = Channel(told.pop("channel"))
            message = {"id": "in-1", "backend": "memory", "at": self.now, **told}
            return self.manager.receive(InboundMessage(channel=channel, **message))
        if do == "send":
            contact = self.known[told.pop("who")]
            self.manager.send(
                contact, told.pop("channel"), told.pop("purpose"), told.pop("content", "Hello"), **read(told)
            )
            return self.manager.deliver()
        if do == "import_objections":
            channel = told.pop("channel")
            return self.manager.import_objections(told.pop("addresses"), channel, **read(told))
        if do == "record_communication":
            told = {**SAID, **told}
        whom = [self.known[told.pop("who")]] if "who" in told else []
        return getattr(self.manager, do)(*whom, **read(told))

    def _ask(self, told: dict[str, Any]) -> Answer:
        do, who = told.pop("do"), told.pop("who")
        whom = self.known.get(who, who)
        if do == "check":
            return _said(self.manager.check(whom, told.pop("channel"), told.pop("purpose"), **read(told)))
        if do == "record_communication":
            facts = read({**SAID, **told})
            return _said(self.manager.record_communication(whom, facts.pop("channel"), facts.pop("purpose"), **facts))
        if do == "send":
            self.manager.send(whom, told["channel"], told["purpose"], told.get("content", "Hello"))
            return _said(self.manager.check(whom, told["channel"], told["purpose"]))
        reaches = told.pop("reaches", None)
        self.manager.request_consent(whom, **read(told))
        self.manager.deliver()
        to = [message.to for message in self.emails.outbox]
        return Answer(allowed=reaches in (None, *to) and len(to) == 1, reason=f"sent to {len(to)}")


def _said(decision: Decision) -> Answer:
    return Answer(allowed=decision.allowed, reason=decision.reason.value, decision=decision)
