"""
Lives of several people who share addresses, on several servers, drawn from a seed; and a plain model of the promises.

The model knows nothing of events, times or standings. It keeps what was called in the order of the calls, and says
from that alone what may be sent. The clocks of the servers are apart and are moved, two organisations share the store
and the keys, keys are rotated under way, and whoever has a link uses it whenever they like.

A life is a list of plain steps, so that one that fails is made shorter by leaving steps out.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, TypeAlias

import attrs
from world import OTHER, World, world

from optly import Act, Actor, Channel, Contact, Content, Keys, NotPermittedError, Solicited, Subscriber, Wording
from optly.contacts import EmailAddress, PhoneNumber
from optly.errors import AmbiguousContactError, LinkError, MissingLineError, TooManyTriesError, UnknownContactError
from optly.messages import InboundMessage, Message
from optly.portal import Portal, Request
from optly.protocols import Storage
from optly.record.views import UndoneStop
from optly.results import Effect
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in, stop_token_in

EMAILS: Final = ("ann@example.com", "bob@example.com", "info@firm.example.com", "joe@mail.firm.example.com")
PHONES: Final = ("+447911123456", "+447911123457")
DOMAINS: Final = ("firm.example.com", "mail.firm.example.com")
PEOPLE: Final = ("r1", "r2", "r3")
PURPOSES: Final = ("offers", "news")
SCOPES: Final = tuple((channel, purpose) for channel in (Channel.EMAIL, Channel.SMS) for purpose in PURPOSES)
ORGANISATIONS: Final = ("acme", "other")
SERVERS: Final = 3
OLD, NEW = "the key that there was first", "the key that comes after it"
KEYS: Final = (Keys(current=OLD), Keys(current=OLD, previous=[NEW]), Keys(current=NEW, previous=[OLD]))

WORDS: Final = {
    key: Wording(text=f"May {name} send you offers and news by email and text message?")
    for key, name in (("acme", "Acme Ltd"), ("other", "Other Ltd"))
}

Scope: TypeAlias = tuple[Channel, str]
# The name of a step, the organisation, the server, and what the step is called with.
Step: TypeAlias = tuple[str, int, int, tuple[Any, ...]]


# ---- the model


@attrs.frozen
class Stopped:
    """
    Someone's stop: of all channels, purposes or addresses where none is named.

    Attributes:
        who: The person; None for one of an address or a domain, which stops everyone who has it.
        for_all: Whether it stops others who have the address.
        old: Whether it was told with a time before everything else: what someone agreed to since lifts it.
    """

    who: str | None
    channel: Channel | None = None
    purpose: str | None = None
    address: str | None = None
    domain: str | None = None
    for_all: bool = True
    old: bool = False

    def covers(self, scope: Scope, address: str) -> bool:
        domain = address.partition("@")[2]
        return (
            self.channel in (None, scope[0])
            and self.purpose in (None, scope[1])
            and self.address in (None, address)
            and (self.domain is None or domain == self.domain or domain.endswith(f".{self.domain}"))
        )


@attrs.frozen
class Agreed:
    """
    A yes of someone's, for one address.

    Attributes:
        lifts: Whether it is their own, and came through this address, so that it lifts a stop.
        told: Whether it was reported with a time.
        unsure: Whether the promises leave open that it lifts one.
    """

    who: str
    scope: Scope
    address: str
    lifts: bool
    told: bool = False
    unsure: bool = False


@attrs.frozen
class Gone:
    """
    That an address is no longer someone's: what they agreed to there ends, and what they stopped does not.
    """

    who: str
    address: str


class Said(Enum):
    """
    What someone said of a message last.
    """

    NOTHING = 0
    YES = 1
    NO = 2
    MAYBE = 3


@attrs.define
class Person:
    """
    Attributes:
        has: The address of each kind that is theirs now.
        had: Every address that they had and have not left: what they objected to stands there.
        unnamed: Whether only the address is known of them, so that anyone who reads there may be them; None once a name
            was added.
        proved: Whether they ever showed that an address is theirs which they did not come through.
    """

    has: dict[Channel, str] = attrs.field(factory=dict)
    had: set[str] = attrs.field(factory=set)
    erased: bool = False
    proved: bool = False
    unnamed: bool | None = False


@attrs.define
class Model:
    """
    What was called of one organisation, in the order of the calls.
    """

    log: list[Stopped | Agreed | Gone] = attrs.field(factory=list)
    people: dict[str, Person] = attrs.field(factory=dict)

    def says(self, who: str, scope: Scope, address: str) -> Said:
        said, own = Said.NOTHING, False
        for entry in self.log:
            match entry:
                case Gone() if (entry.who, entry.address) == (who, address) and said is Said.YES:
                    said, own = Said.NOTHING, False
                case Stopped(old=True) if said is Said.MAYBE or (own and said is Said.YES):
                    pass
                case Stopped() if self.counts(entry, who, address) and entry.covers(scope, address):
                    said, own = Said.NO, False
                case Agreed() if (entry.who, entry.scope, entry.address) == (who, scope, address):
                    if said in (Said.NO, Said.MAYBE) and (entry.told or entry.unsure):
                        # Which was first is a matter of two clocks, or whose the address is of proof: the stop may win.
                        said = Said.MAYBE if entry.lifts or entry.unsure else said
                    elif entry.lifts:
                        said, own = Said.YES, True
                    elif said is Said.NOTHING:
                        said, own = Said.YES, False
        return said

    def counts(self, entry: Stopped, who: str, address: str) -> bool:
        """
        Whether a stop is someone's own, or that of an address, which they lift for themselves.
        """
        if entry.who in (None, who):
            return True
        other = self.people[entry.who]
        return other.unnamed is True and entry.for_all and address in other.had

    def objected(self, who: str, scope: Scope, address: str) -> Said:
        """
        Whether a person has objected to this for everyone who has the address, and not agreed since.
        """
        said, agreed = Said.NOTHING, False
        for entry in self.log:
            match entry:
                case Stopped(old=True) if agreed or said is Said.MAYBE:
                    pass
                case Stopped(for_all=True) if entry.who == who and entry.covers(scope, address):
                    said, agreed = Said.NO, False
                case Agreed() if (entry.who, entry.scope, entry.address) == (who, scope, address):
                    if entry.lifts and not entry.told:
                        said, agreed = Said.NOTHING, True
                    elif said is Said.NO and (entry.lifts or entry.unsure):
                        said = Said.MAYBE
        return said

    def allows(self, who: str, scope: Scope) -> bool | None:
        """
        Whether a message may be sent to someone. None if it may or may not.
        """
        person = self.people[who]
        address = person.has.get(scope[0])
        if address is None or person.erased:
            return False
        others = {
            # What was stopped for the address may be theirs.
            Said.MAYBE if one.unnamed is None else objected
            for other, one in self.people.items()
            if other != who and address in one.had and not one.erased and not one.unnamed
            for objected in [self.objected(other, scope, address)]
        }
        said = self.says(who, scope, address)
        if said in (Said.NO, Said.NOTHING) or Said.NO in others:
            return False
        return None if Said.MAYBE in (said, *others) else True

    def allows_address(self, address: str, scope: Scope) -> bool | None:
        each = [self.allows(who, scope) for who, one in self.people.items() if one.has.get(scope[0]) == address]
        return True if True in each else None if None in each else False


# ---- what there is


@attrs.define
class Shop:
    """
    One organisation: its model, its servers, and what it has sent.
    """

    key: str
    model: Model
    servers: list[World]
    portals: list[Portal]
    contacts: dict[str, Contact] = attrs.field(factory=dict)
    sent: list[tuple[str, Message]] = attrs.field(factory=list)
    asked: dict[str, dict[Channel, str]] = attrs.field(factory=dict)
    undoable: dict[tuple[str, int], tuple[int, set[Scope]]] = attrs.field(factory=dict)


def channel_of(address: str) -> Channel:
    """
    Return the channel of messages to an address.
    """
    return Channel.EMAIL if "@" in address else Channel.SMS


def named(address: str) -> dict[str, Any]:
    """
    Name an address in a call.
    """
    return {"email" if "@" in address else "phone": address}


class Life:
    """
    Everything of one life, and the steps in it.
    """

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.now = self.born = datetime.fromisoformat("2026-11-24T12:00:00+00:00")
        self.offsets = [timedelta(0)] * SERVERS
        self.steps_of_keys = [0] * SERVERS
        self.clocks = [FrozenClock(self.now) for _ in range(SERVERS)]
        self.texts = 0
        self.shops = [Shop(key, Model(), [], []) for key in ORGANISATIONS]
        for number, shop in enumerate(self.shops):
            for server in range(SERVERS):
                w = self.started(number, server)
                shop.servers.append(w)
                shop.portals.append(w.manager.portal())

    def started(self, shop: int, server: int) -> World:
        organisation = {} if self.shops[shop].key == "acme" else {"organisation": OTHER}
        w = world(self.storage, keys=KEYS[self.steps_of_keys[server]], clock=self.clocks[server], **organisation)
        w.emails.answer = w.texts.answer = self.provider(self.shops[shop])
        return w

    def provider(self, shop: Shop) -> Callable[[Message], Any]:
        from optly.backends.memory import accept

        def answer(message: Message) -> Any:
            who = self.found(shop, Contact(message.contact), message.to)
            assert message.id not in {known.id for _, known in shop.sent}, "sent twice"
            if message.subject == "An offer":
                channel = channel_of(message.to)
                assert shop.model.people[who].has.get(channel) == message.to, "sent to another address"
                assert any(shop.model.allows(who, (channel, purpose)) is not False for purpose in PURPOSES), (
                    "sent over a stop"
                )
            shop.sent.append((who, message))
            return accept(message)

        return answer

    def run(self, step: Step) -> None:
        name, shop, server, args = step
        self.now += timedelta(seconds=1)
        self.set_clocks()
        with suppress(LinkError, NotPermittedError, MissingLineError, UnknownContactError, AmbiguousContactError):
            getattr(self, name)(self.shops[shop], server, *args)
        self.now += timedelta(seconds=1)
        self.set_clocks()

    def set_clocks(self) -> None:
        for clock, offset in zip(self.clocks, self.offsets, strict=True):
            clock.now = self.now + offset

    # ---- steps

    def time_passes(self, shop: Shop, server: int, minutes: int) -> None:
        self.now += timedelta(minutes=minutes)

    def clock_moves(self, shop: Shop, server: int, minutes: int) -> None:
        self.offsets[server] = timedelta(minutes=minutes)

    def keys_rotate(self, shop: Shop, server: int) -> None:
        if self.steps_of_keys[server] > min(self.steps_of_keys):
            return
        self.steps_of_keys[server] = min(self.steps_of_keys[server] + 1, len(KEYS) - 1)
        for number, each in enumerate(self.shops):
            each.servers[server] = self.started(number, server)
            each.portals[server] = each.servers[server].manager.portal()

    def added(self, shop: Shop, server: int, who: str, email: str | None, phone: str | None) -> None:
        person = shop.model.people.get(who)
        if person is not None and not person.erased:
            return
        details: dict[str, Any] = {
            name: value for name, value in (("email", email), ("phone", phone)) if value is not None
        }
        if not details:
            return
        # Whoever is erased and added again is someone new.
        who = who if person is None else f"{who}+"
        if who in shop.model.people:
            return
        shop.contacts[who] = shop.servers[server].manager.add_contact(
            reference=f"{shop.key} {who}", name=who, subscriber=Subscriber.INDIVIDUAL, **details
        )
        has = {Channel.EMAIL: email, Channel.SMS: phone}
        shop.model.people[who] = Person(
            has={channel: value for channel, value in has.items() if value is not None},
            had={value for value in has.values() if value is not None},
        )

    def moved(self, shop: Shop, server: int, who: str, address: str) -> None:
        """
        Staff change an address: what was stopped on the old one is stopped on the new one.
        """
        who, person = self.known(shop, who)
        channel = channel_of(address)
        old = person.has.get(channel)
        if old == address:
            return
        shop.servers[server].manager.change_details(shop.contacts[who], **named(address))
        self.exchanged(shop, who, address)

    def exchanged(self, shop: Shop, who: str, address: str) -> None:
        person, channel = shop.model.people[who], channel_of(address)
        old, person.has[channel] = person.has.get(channel), address
        person.had.add(address)
        if old is not None:
            shop.model.log.append(Gone(who, old))
        for entry in [*shop.model.log]:
            if not isinstance(entry, Stopped) or entry.who != who or entry.address is None:
                continue
            if channel_of(entry.address) is channel:
                shop.model.log.append(attrs.evolve(entry, address=address))

    def left(self, shop: Shop, server: int, who: str, channel: Channel) -> None:
        who, person = self.known(shop, who)
        address = person.has.get(channel)
        if address is None:
            return
        shop.servers[server].manager.leave_line(shop.contacts[who], how="letter", **named(address))
        shop.model.log.append(Gone(who, address))
        del person.has[channel]
        person.had.discard(address)

    def erased(self, shop: Shop, server: int, who: str) -> None:
        who, person = self.known(shop, who)
        shop.servers[server].manager.erase(shop.contacts[who])
        for address in person.had:
            shop.model.log.append(Stopped(None, address=address))
        person.erased = True
        person.has.clear()

    def chose(self, shop: Shop, server: int, who: str, through: Channel, scope: Scope, yes: bool) -> None:
        who, person = self.known(shop, who)
        if through not in person.has or scope[0] not in person.has:
            return
        code = shop.servers[server].manager.link(shop.contacts[who], **named(person.has[through])).rpartition("/")[2]
        shop.servers[server].manager.choose(code, {scope: yes})
        self.says(shop, who, scope, yes, lifts=through is scope[0])

    def says(self, shop: Shop, who: str, scope: Scope, yes: bool, *, lifts: bool, told: bool = False) -> None:
        address = shop.model.people[who].has[scope[0]]
        if yes:
            unsure = not lifts and not told and shop.model.people[who].proved
            shop.model.log.append(Agreed(who, scope, address, lifts, told, unsure))
        else:
            shop.model.log.append(Stopped(who, scope[0], scope[1], address, for_all=False))

    def told(self, shop: Shop, server: int, who: str, scope: Scope, actor: Actor) -> None:
        """
        Staff report what the person agreed to, now.
        """
        who, person = self.known(shop, who)
        if scope[0] not in person.has:
            return
        w = shop.servers[server]
        w.manager.record_consent(
            shop.contacts[who],
            channels=[scope[0]],
            purposes=[scope[1]],
            wording=WORDS[shop.key],
            act=Act.SAID_YES,
            how="telephone",
            at=w.clock(),
            actor=actor,
        )
        self.says(shop, who, scope, True, lifts=actor is Actor.PERSON, told=True)

    def stops(self, shop: Shop, server: int, who: str, scope: tuple[Channel | None, str | None], objects: bool) -> None:
        who, _ = self.known(shop, who)
        call = shop.servers[server].manager
        channels, purposes = ([] if part is None else [part] for part in scope)
        method = call.record_objection if objects else call.withdraw
        method(shop.contacts[who], channels=channels, purposes=purposes)
        shop.model.log.append(Stopped(who, scope[0], scope[1], for_all=objects))

    def stopped_long_ago(self, shop: Shop, server: int, who: str, channel: Channel | None, domain: str | None) -> None:
        """
        A letter of last year turns up: what the person agreed to since stands.
        """
        manager, long_ago = shop.servers[server].manager, self.born - timedelta(days=365)
        if domain is not None:
            manager.record_domain_objection(domain, how="letter", at=long_ago)
            shop.model.log.append(Stopped(None, Channel.EMAIL, domain=domain, old=True))
            return
        who, _ = self.known(shop, who)
        channels = [] if channel is None else [channel]
        manager.record_objection(shop.contacts[who], channels=channels, how="letter", at=long_ago)
        shop.model.log.append(Stopped(who, channel, old=True))

    def domain_stops(self, shop: Shop, server: int, domain: str) -> None:
        shop.servers[server].manager.record_domain_objection(domain, how="letter")
        shop.model.log.append(Stopped(None, Channel.EMAIL, domain=domain))

    def imported(self, shop: Shop, server: int, address: str) -> None:
        channel, manager = channel_of(address), shop.servers[server].manager
        holders = manager.holders(address, channel)
        manager.import_objections([address], channel, how="a list")
        # In the record of the only one who has it, or in one of the address alone.
        only = next((who for who, known in shop.contacts.items() if holders == (known,)), None)
        shop.model.log.append(Stopped(only, address=None if only else address))

    def texted(self, shop: Shop, server: int, phone: str, words: str) -> None:
        self.texts += 1
        w = shop.servers[server]
        received = w.manager.receive(
            InboundMessage(
                id=f"t{self.texts}", backend="m", channel=Channel.SMS, sender=phone, text=words, at=w.clock()
            )
        )
        if received.effect is Effect.ANSWERED and received.contact is not None:
            who = self.found(shop, received.contact, phone)
            questions = w.manager.standing(received.contact).questions
            question = max((one for one in questions if one.closed_at is not None), key=lambda one: one.closed_at or 0)
            for choice in question.choices:
                if choice.channel in shop.model.people[who].has:
                    self.says(shop, who, (choice.channel, choice.purpose), True, lifts=choice.channel is Channel.SMS)
        if words == "STOP":
            shop.model.log.append(Stopped(None, Channel.SMS, address=phone))
            for who, one in shop.model.people.items():
                if phone in one.had and not one.erased:
                    shop.model.log.append(Stopped(who, Channel.SMS, address=phone))

    def link_requested(self, shop: Shop, server: int, address: str) -> None:
        """
        Someone types an address into the form for a new link, and each holder is sent one.
        """
        with suppress(TooManyTriesError):
            shop.servers[server].manager.self_service.request_link(address)
        shop.servers[server].manager.deliver()

    def signed_up(self, shop: Shop, server: int, address: str, purpose: str) -> None:
        shop.servers[server].manager.sign_up(ticked=[(channel_of(address), purpose)], how="home page", **named(address))
        shop.servers[server].manager.deliver()

    def typed(self, shop: Shop, server: int, who: str, address: str) -> None:
        """
        An import without a reference: whoever has this name and the address, or someone new.
        """
        contact = shop.servers[server].manager.add_contact(name=who, subscriber=Subscriber.INDIVIDUAL, **named(address))
        known = shop.model.people[self.found(shop, contact, address)]
        known.unnamed = None if known.unnamed else known.unnamed

    def replaced(self, shop: Shop, server: int, who: str, address: str) -> None:
        """
        A person changes an address on their pages: they prove themselves, and then the new one.
        """
        who, person = self.known(shop, who)
        channel, w = channel_of(address), shop.servers[server]
        old, through = person.has.get(channel), person.has.get(Channel.EMAIL)
        if old == address or through is None:
            return
        own = w.manager.self_service
        code = w.manager.link(shop.contacts[who], email=through).rpartition("/")[2]
        session = own.request_code(code)
        session = own.step_up(session, self.digits(shop, server, through))
        own.propose(session, (EmailAddress if channel is Channel.EMAIL else PhoneNumber).parse(address))
        own.prove(session, channel.kind, self.digits(shop, server, address))
        self.exchanged(shop, who, address)
        person.proved = True
        w.manager.deliver()

    def digits(self, shop: Shop, server: int, to: str) -> str:
        shop.servers[server].manager.deliver()
        texts = (message.text for _, message in reversed(shop.sent) if message.to == to)
        return next(str(found) for text in texts for found in re.findall(r"(?<![\w/+])\d{6}(?!\w)", text))

    def asked(self, shop: Shop, server: int, who: str, via: Channel, scopes: Sequence[Scope]) -> None:
        who, person = self.known(shop, who)
        if via not in person.has or not all(channel in person.has for channel, _ in scopes):
            return
        w = shop.servers[server]
        w.manager.request_consent(
            shop.contacts[who],
            via=via,
            channels=list(dict.fromkeys(channel for channel, _ in scopes)),
            purposes=list(dict.fromkeys(purpose for _, purpose in scopes)),
            basis=Solicited(how="form", at=w.clock()),
        )
        w.manager.deliver()
        if shop.sent and shop.sent[-1][0] == who:
            shop.asked.setdefault(shop.sent[-1][1].id, dict(person.has))

    def marketed(self, shop: Shop, server: int, who: str, scope: Scope) -> None:
        who, _ = self.known(shop, who)
        shop.servers[server].manager.send(
            shop.contacts[who], *scope, Content(subject="An offer", text="Ten per cent off")
        )

    def delivered(self, shop: Shop, server: int) -> None:
        shop.servers[server].manager.deliver()

    def link_used(self, shop: Shop, server: int, index: int, yes: bool) -> None:
        """
        Someone opens a link in any message that was ever sent, and answers, chooses or undoes what is there.
        """
        for who, message in self.message(shop, index):
            w, person = shop.servers[server], shop.model.people[who]
            if "/l/" not in message.text:  # digits
                return
            code = code_in(message)
            opened = w.manager.open(code)
            if opened.undo is not None:
                if isinstance(opened.undo, UndoneStop):
                    self.undone(shop, server, who, code, opened.undo)
                return
            if not opened.items:
                return
            act = w.manager.choose if opened.kind == "manage" else w.manager.answer
            act(code, {item.key: yes for item in opened.items})
            for item in opened.items:
                channel = channel_of(message.to)
                # A question is about the address that it asked about.
                if shop.asked.get(message.id, person.has).get(item.key[0]) == person.has.get(item.key[0]) is not None:
                    self.says(
                        shop, who, item.key, yes, lifts=item.key[0] is channel and message.to == person.has[channel]
                    )

    def undone(self, shop: Shop, server: int, who: str, code: str, undo: UndoneStop) -> None:
        at, before = shop.undoable[who, undo.stop]
        again = {item.key for item in undo.items}
        assert again <= before, "more comes back than the stop ended"
        shop.servers[server].manager.undo(code)
        for scope in again:
            address = shop.model.people[who].has[scope[0]]
            # Pressed twice, a button is one stop.
            since = [
                e for e in shop.model.log[at + 1 :] if isinstance(e, Stopped) and e != shop.model.log[at] and not e.old
            ]
            assert not any(e.who in (None, who) and e.covers(scope, address) for e in since), "another stop is undone"
            self.says(shop, who, scope, True, lifts=True)

    def stop_pressed(self, shop: Shop, server: int, index: int, page: bool) -> None:
        """
        The stop button of a message, by its own page or by that of MyOptly.
        """
        for who, message in self.message(shop, index):
            if shop.model.people[who].erased:
                return
            before = {scope for scope in SCOPES if shop.model.allows(who, scope) is not False}
            version = shop.servers[server].manager.standing(shop.contacts[who]).version
            if page and "/l/" in message.text:
                path = f"/l/{code_in(message)}/stop"
                stop = Stopped(who)
            elif "List-Unsubscribe" in message.headers and "/u/" in message.headers["List-Unsubscribe"]:
                token = stop_token_in(message)
                path, says = f"/u/{token}", shop.servers[server].manager.open_stop(token)
                stop = Stopped(who, says.channel, says.purpose, None if says.channel is None else message.to)
            else:
                return
            response = shop.portals[server].handle(Request(method="POST", path=path))
            assert response.status < 400 or page, response.status
            after = shop.servers[server].manager.standing(shop.contacts[who]).version
            if after > version:
                shop.undoable[who, after] = (len(shop.model.log), before)
                shop.model.log.append(stop)
                # The stop of an old letter stays with the person, whose address has changed since.
                if stop.address is not None and (now := shop.model.people[who].has.get(channel_of(stop.address))):
                    shop.model.log.append(attrs.evolve(stop, address=now))

    # ---- what holds

    def known(self, shop: Shop, who: str) -> tuple[str, Person]:
        for name in (f"{who}+", who):
            person = shop.model.people.get(name)
            if person is not None and not person.erased:
                return name, person
        raise UnknownContactError("nobody")

    def found(self, shop: Shop, contact: Contact, address: str) -> str:
        """
        Return who a contact is: someone known, or someone of whom this address is known.
        """
        for who, known in shop.contacts.items():
            if known == contact:
                return who
        who = f"of {address} {len(shop.contacts)}"
        shop.contacts[who] = contact
        shop.model.people[who] = Person(has={channel_of(address): address}, had={address}, unnamed=True)
        return who

    def message(self, shop: Shop, index: int) -> Iterator[tuple[str, Message]]:
        if shop.sent:
            yield shop.sent[index % len(shop.sent)]

    def check(self, server: int) -> None:
        """
        The gate says on a server what the model says, of everyone and of every address, one by one and in a list.
        """
        for shop in self.shops:
            manager = shop.servers[server].manager
            for who, person in shop.model.people.items():
                for scope in SCOPES:
                    if scope[0] in person.has and not person.erased:
                        found = manager.check(shop.contacts[who], *scope)
                        expected = shop.model.allows(who, scope)
                        assert expected in (None, found.allowed), (shop.key, who, scope, expected, found.reason)
            for scope in SCOPES:
                addresses = [address for address in (*EMAILS, *PHONES) if channel_of(address) is scope[0]]
                decisions = [manager.check(address, *scope) for address in addresses]
                for address, found in zip(addresses, decisions, strict=True):
                    expected = shop.model.allows_address(address, scope)
                    assert expected in (None, found.allowed), (shop.key, address, scope, expected, found.reason)
                assert list(manager.screen(addresses, *scope)) == decisions
                assert list(manager.verdicts(addresses, *scope)) == [found.allowed for found in decisions]


# ---- drawing


def drawn(seed: int, length: int) -> list[Step]:
    """
    Draw the steps of a life.
    """
    r = random.Random(seed)
    wild = r.random() < 0.7  # clocks that are apart
    makers: list[tuple[int, str, Callable[[], tuple[Any, ...]]]] = [
        (2, "time_passes", lambda: (r.choice([1, 5, 40, 1000]),)),
        (3 if wild else 0, "clock_moves", lambda: (r.choice([-40, -10, -1, 0, 0, 2, 10, 30]),)),
        (1, "keys_rotate", tuple),
        (4, "added", lambda: (r.choice(PEOPLE), r.choice([*EMAILS, None]), r.choice([*PHONES, None]))),
        (2, "moved", lambda: (r.choice(PEOPLE), r.choice([*EMAILS, *PHONES]))),
        (1, "left", lambda: (r.choice(PEOPLE), r.choice([Channel.EMAIL, Channel.SMS]))),
        (1, "erased", lambda: (r.choice(PEOPLE),)),
        (
            8,
            "chose",
            lambda: (r.choice(PEOPLE), r.choice([Channel.EMAIL, Channel.SMS]), r.choice(SCOPES), r.random() < 0.8),
        ),
        (3, "told", lambda: (r.choice(PEOPLE), r.choice(SCOPES), r.choice([Actor.STAFF, Actor.PERSON]))),
        (
            3,
            "stops",
            lambda: (
                r.choice(PEOPLE),
                (r.choice([None, Channel.EMAIL, Channel.SMS]), r.choice([None, *PURPOSES])),
                r.random() < 0.5,
            ),
        ),
        (
            1,
            "stopped_long_ago",
            lambda: (r.choice(PEOPLE), r.choice([None, Channel.EMAIL, Channel.SMS]), r.choice([None, None, *DOMAINS])),
        ),
        (2, "link_requested", lambda: (r.choice([*EMAILS, *PHONES]),)),
        (2, "signed_up", lambda: (r.choice([*EMAILS, *PHONES]), r.choice(PURPOSES))),
        (2, "typed", lambda: (r.choice(PEOPLE), r.choice([*EMAILS, *PHONES]))),
        (2, "replaced", lambda: (r.choice(PEOPLE), r.choice([*EMAILS, *PHONES]))),
        (1, "domain_stops", lambda: (r.choice(DOMAINS),)),
        (1, "imported", lambda: (r.choice([*EMAILS, *PHONES]),)),
        (2, "texted", lambda: (r.choice(PHONES), r.choice(["STOP", "STOP", "YES", "START", "Hello?"]))),
        (
            3,
            "asked",
            lambda: (r.choice(PEOPLE), r.choice([Channel.EMAIL, Channel.SMS]), (r.choice(SCOPES), r.choice(SCOPES))),
        ),
        (4, "marketed", lambda: (r.choice(PEOPLE), r.choice(SCOPES))),
        (3, "delivered", tuple),
        (6, "link_used", lambda: (r.randrange(100), r.random() < 0.8)),
        (4, "stop_pressed", lambda: (r.randrange(100), r.random() < 0.5)),
    ]
    names = r.choices(makers, [weight for weight, _, _ in makers], k=length)
    return [(name, r.random() < 0.25, r.randrange(SERVERS), make()) for _, name, make in names]


def lived(steps: Sequence[Step], storage: Storage) -> None:
    """
    Live through steps, and check on a server after each; every server and the ledger at the end.
    """
    life = Life(storage)
    for step in steps:
        life.run(step)
        life.check(step[2])
    for server in range(SERVERS):
        life.check(server)
    for shop in life.shops:
        shop.servers[0].manager.seal()
        assert shop.servers[0].manager.verify()


def shortened(steps: Sequence[Step], fails: Callable[[Sequence[Step]], bool]) -> list[Step]:
    """
    Leave out of steps that fail whatever is not needed for that.
    """
    left, size = [*steps], max(1, len(steps) // 2)
    while size:
        start = 0
        while start < len(left):
            fewer = left[:start] + left[start + size :]
            if fails(fewer):
                left = fewer
            else:
                start += size
        size //= 2
    return left
