"""
Several people on one line, against a model of plain set operations: who joins, leaves, stops, says yes, is erased,
changes address, and whose number is given to somebody new. Two organisations share each store.
"""

from __future__ import annotations

import tempfile
from datetime import timedelta
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from stores import STORES, opened
from world import ACME, SMS_OFFERS, World, world

from optly import Act, Actor, Channel, Contact, Organisation, Solicited, Subscriber, Wording
from optly.errors import LinkError, NotPermittedError, UnknownContactError
from optly.record.events import LineAdded
from optly.testing.messages import code_in

OTHER = Organisation(key="other", name="Other Ltd", address="2 High Street, Leeds LS1 1AA", email="p@other.example.com")
NAMES = ("Ada", "Bob", "Cat")
NUMBERS = ("+447911123450", "+447911123451")
KEYS = ("acme", "other")

people = st.sampled_from(NAMES)
# Mostly the same, so that what happens meets what happened.
numbers = st.sampled_from([NUMBERS[0], NUMBERS[0], NUMBERS[1]])
organisations = st.sampled_from([KEYS[0], KEYS[0], KEYS[0], KEYS[1]])


@attrs.define
class Person:
    """
    What the model knows of one contact: sets of numbers, and when things happened there.

    Attributes:
        has: The numbers on their record now.
        had: Those that were removed from it, and not left.
        added: When each number last came onto their record.
        stops: When they last objected, withdrew or said no on a number, or on one that it took the place of.
        everything: When they last objected to everything, on numbers they have and on those they come to have; 0 for
            never.
        yes: When they last agreed themselves on a number as it stands on their record.
        reported: Where staff reported a yes to something that was not stopped.
    """

    has: set[str] = attrs.field(factory=set)
    had: set[str] = attrs.field(factory=set)
    added: dict[str, int] = attrs.field(factory=dict)
    stops: dict[tuple[str, str], int] = attrs.field(factory=dict)
    everything: int = 0
    yes: dict[str, int] = attrs.field(factory=dict)
    reported: set[str] = attrs.field(factory=set)

    def gets(self, number: str, now: int) -> None:
        """
        A number comes onto their record, and with it the stops of those that are gone.
        """
        self.had.discard(number)
        self.has.add(number)
        self.added[number] = now
        self.yes.pop(number, None)
        self.reported.discard(number)
        self.carry()

    def carry(self) -> None:
        """
        A stop on a number that is gone goes along to those that were added since.
        """
        for (number, stop), at in list(self.stops.items()):
            for other in self.has:
                if number not in self.has and self.added[other] > at:
                    self.stops[other, stop] = max(at, self.stops.get((other, stop), 0))

    def objects(self, number: str) -> bool:
        return max(self.stops.get((number, "objected"), 0), self.everything) > self.yes.get(number, 0)

    def bars(self, number: str, suppressed: int) -> bool:
        ended = max(self.stops.get((number, stop), 0) for stop in ("withdrew", "refused"))
        return self.objects(number) or max(ended, suppressed) > self.yes.get(number, 0)

    def allows(self, number: str, suppressed: int) -> bool:
        agreed = number in self.yes or number in self.reported
        return number in self.has and agreed and not self.bars(number, suppressed)


class Household(RuleBasedStateMachine):
    """
    Three people, two numbers, two organisations, one store.
    """

    store = "memory"

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        storage = opened(self.store, self.directory.name)
        first = world(storage, organisation=ACME)
        self.worlds: dict[str, World] = {
            "acme": first,
            "other": world(storage, organisation=OTHER, clock=first.clock),
        }
        self.storage = storage
        self.contacts: dict[tuple[str, str], Contact] = {}
        self.model: dict[tuple[str, str], Person] = {}
        self.time = 1
        # The questions that were sent: whose, about which number, since when that was theirs, and the code.
        self.questions: list[tuple[str, str, str, int, str]] = []
        self.used: set[str] = set()
        # When somebody who had a number was erased.
        self.suppressed: dict[tuple[str, str], int] = {}

    def teardown(self) -> None:
        for each in self.worlds.values():
            assert each.manager.verify()
        self.storage.close()
        self.directory.cleanup()

    @initialize()
    def begin(self) -> None:
        """
        All of them have the first number, as a household has a landline.
        """
        for key in KEYS:
            for name in NAMES:
                self.joins(key, name, NUMBERS[0])

    def later(self) -> None:
        self.worlds["acme"].clock.advance(timedelta(minutes=1))
        self.time += 1

    def known(self, key: str, name: str) -> bool:
        return (key, name) in self.contacts

    # ---- what happens

    @rule(key=organisations, name=people, number=numbers)
    def joins(self, key: str, name: str, number: str) -> None:
        """
        A number comes onto somebody's record, beside what is there.
        """
        manager, person = self.worlds[key].manager, self.model.setdefault((key, name), Person())
        if self.known(key, name):
            manager.add_line(self.contacts[key, name], phone=number)
        else:
            contact = manager.add_contact(reference=name, name=name, phone=number, subscriber=Subscriber.INDIVIDUAL)
            self.contacts[key, name] = contact
            assert manager.find_reference(name) == contact
        if number not in person.has:
            person.gets(number, self.time)
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def leaves(self, key: str, name: str, number: str) -> None:
        """
        They moved out, or the number was given to somebody new: it is free of them, and their stop goes along.
        """
        person = self.model.get((key, name), Person())
        if number in person.has | person.had:
            self.worlds[key].manager.leave_line(self.contacts[key, name], phone=number, how="letter")
            person.has.discard(number)
            person.had.discard(number)
            person.carry()
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def stops(self, key: str, name: str, number: str) -> None:
        """
        They object on one number.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            self.worlds[key].manager.record_objection(self.contacts[key, name], phone=number)
            person.stops[number, "objected"] = self.time
        self.later()

    @rule(key=organisations, name=people)
    def stops_everything(self, key: str, name: str) -> None:
        """
        They object to all marketing, and name no number.
        """
        if self.known(key, name):
            person = self.model[key, name]
            self.worlds[key].manager.record_objection(self.contacts[key, name])
            person.everything = self.time
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def takes_back(self, key: str, name: str, number: str) -> None:
        """
        They withdraw what they agreed to on one number: that ends only their own.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            self.worlds[key].manager.withdraw(self.contacts[key, name], phone=number)
            person.stops[number, "withdrew"] = self.time
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def says_yes(self, key: str, name: str, number: str) -> None:
        """
        They agree on one number, in a session the host vouches for: that lifts their own stop there.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            self.agrees(key, name, number, actor=Actor.PERSON)
            person.yes[number] = self.time
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def is_said_to_agree(self, key: str, name: str, number: str) -> None:
        """
        A colleague reports a yes: it counts where they did not stop that themselves, and lifts nothing.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            self.agrees(key, name, number)
            if not person.bars(number, self.suppressed.get((key, number), 0)):
                person.reported.add(number)
        self.later()

    def agrees(self, key: str, name: str, number: str, **details: Any) -> None:
        w = self.worlds[key]
        w.manager.record_consent(
            self.contacts[key, name],
            channels=[Channel.SMS],
            purposes=["offers"],
            wording=Wording(text=f"May {w.manager.organisation.name} text me offers on its products?"),
            act=Act.TICKED_BOX,
            how="account page",
            at=w.clock(),
            phone=number,
            **details,
        )

    @rule(key=organisations, name=people, number=numbers)
    def chooses(self, key: str, name: str, number: str) -> None:
        """
        They say yes on their MyOptly page: for the line whose link they opened, and for no other.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            manager = self.worlds[key].manager
            link = manager.link(self.contacts[key, name], Channel.SMS, phone=number)
            manager.choose(link.rpartition("/")[2], {SMS_OFFERS: True})
            person.yes[number] = self.time
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def is_asked(self, key: str, name: str, number: str) -> None:
        """
        They asked to be asked: a question goes to that number, unless it is stopped.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            w = self.worlds[key]
            question: dict[str, Any] = {"channels": [Channel.SMS], "purposes": ["offers"], "phone": number}
            basis = Solicited(how="form", at=w.clock())
            barred = person.bars(number, self.suppressed.get((key, number), 0)) or not self.free(key, number)
            try:
                w.manager.request_consent(self.contacts[key, name], via=Channel.SMS, basis=basis, **question)
            except NotPermittedError:
                assert barred
            else:
                assert not barred
                w.manager.deliver()
                code = next(code_in(one) for one in reversed(w.texts.outbox) if "question for you" in one.text)
                self.questions.append((key, name, number, person.added[number], code))
        self.later()

    @precondition(lambda self: self.questions)
    @rule(index=st.integers(0, 3), yes=st.booleans())
    def answers(self, index: int, yes: bool) -> None:
        """
        Somebody answers a question that was sent, or one that was answered, stopped or moved away from long ago.
        """
        key, name, number, added, code = self.questions[-1 - index % len(self.questions)]
        person = self.model.get((key, name), Person())
        current = number in person.has and person.added[number] == added and code not in self.used
        try:
            self.worlds[key].manager.answer(code, {SMS_OFFERS: yes})
        except LinkError:
            pass
        else:
            assert current
            if yes:
                person.yes[number] = self.time
            else:
                person.stops[number, "refused"] = self.time
        self.used.add(code)
        self.later()

    @rule(key=organisations, name=people, number=numbers, then_stops=st.booleans())
    def is_sent_something(self, key: str, name: str, number: str, then_stops: bool) -> None:
        """
        A message is queued exactly where the gate allows it, and sent unless they stopped it in between.
        """
        person = self.model.get((key, name), Person())
        if number in person.has:
            w, who = self.worlds[key], self.contacts[key, name]
            allowed = person.allows(number, self.suppressed.get((key, number), 0)) and self.free(key, number)
            text = f"offer {self.time}"
            try:
                w.manager.send(who, Channel.SMS, "offers", text, phone=number)
            except NotPermittedError:
                assert not allowed
            else:
                assert allowed
                if then_stops:
                    self.later()
                    w.manager.record_objection(who, phone=number)
                    person.stops[number, "objected"] = self.time
                w.manager.deliver()
                assert then_stops != any(text in message.text for message in w.texts.outbox)
        self.later()

    @rule(key=organisations, name=people, number=numbers)
    def changes(self, key: str, name: str, number: str) -> None:
        """
        A colleague replaces one number by the other: no consent moves, and the stop goes along and stays.
        """
        person, [new] = self.model.get((key, name), Person()), set(NUMBERS) - {number}
        if number in person.has and new not in person.has | person.had:
            standing = self.worlds[key].manager.standing(self.contacts[key, name])
            values = self.values(key, name)
            [line] = [each for each in standing.present() if values[each] == number]
            self.worlds[key].manager.change_details(self.contacts[key, name], phone=new, replaces=line)
            person.has.remove(number)
            person.had.add(number)
            person.gets(new, self.time)
        self.later()

    def values(self, key: str, name: str) -> dict[int, str]:
        history = self.worlds[key].manager.history(self.contacts[key, name])
        return {
            event.line: event.personal[f"line_{event.line}"]
            for event in history
            if isinstance(event, LineAdded) and f"line_{event.line}" in event.personal
        }

    @precondition(lambda self: self.contacts)
    @rule(key=organisations, name=people)
    def is_erased(self, key: str, name: str) -> None:
        """
        Everything of them goes; what they had stays stopped.
        """
        if self.known(key, name):
            person = self.model.pop((key, name))
            self.worlds[key].manager.erase(self.contacts.pop((key, name)))
            # An erasure objects to everything, and ends every yes that was given there before.
            self.suppressed |= dict.fromkeys(((key, number) for number in person.has | person.had), self.time)
        self.later()

    # ---- what has to hold

    def expected(self, key: str, number: str) -> bool:
        """
        Whether a text may go to a number: somebody who has it agreed, and nobody who has or had it objects.
        """
        return self.free(key, number) and any(
            person.allows(number, self.suppressed.get((key, number), 0)) for person in self.of(key)
        )

    def of(self, key: str) -> list[Person]:
        return [person for (organisation, _), person in self.model.items() if organisation == key]

    def free(self, key: str, number: str) -> bool:
        return not any(number in person.has | person.had and person.objects(number) for person in self.of(key))

    @invariant()
    def the_gate_agrees_with_the_model(self) -> None:
        for key in KEYS:
            manager = self.worlds[key].manager
            for number in NUMBERS:
                decision = manager.check(number, Channel.SMS, "offers")
                assert self.expected(key, number) == decision.allowed, (key, number, decision.reason)
                assert [decision] == list(manager.screen([number], Channel.SMS, "offers"))
                if decision:
                    holder = next(name for (at, name), c in self.contacts.items() if c.id == decision.contact)
                    assert self.model[key, holder].allows(number, self.suppressed.get((key, number), 0))

    @invariant()
    def a_contact_is_allowed_by_their_own_yes_alone(self) -> None:
        for (key, name), contact in self.contacts.items():
            person, manager = self.model[key, name], self.worlds[key].manager
            for number in person.has:
                decision = manager.check(contact, Channel.SMS, "offers", phone=number)
                allows = person.allows(number, self.suppressed.get((key, number), 0))
                assert (allows and self.free(key, number)) == decision.allowed, (key, name, number, decision.reason)

    @invariant()
    def another_organisations_contact_is_not_there(self) -> None:
        for (key, _), contact in self.contacts.items():
            for other in KEYS:
                if other != key:
                    with pytest.raises(UnknownContactError):
                        self.worlds[other].manager.check(contact, Channel.SMS, "offers")

    @invariant()
    def each_organisation_has_its_own_holders(self) -> None:
        for key in KEYS:
            for number in NUMBERS:
                having = {
                    self.contacts[at, name]
                    for (at, name), person in self.model.items()
                    if at == key and number in person.has
                }
                assert having == set(self.worlds[key].manager.holders(number, Channel.SMS))


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_a_household_is_what_the_model_says(store: str) -> None:
    """
    After every step, on every store.
    """
    test = type("Household", (Household,), {"store": store}).TestCase  # type: ignore[attr-defined]
    test.settings = settings(max_examples=300 if store == "memory" else 40, stateful_step_count=30, deadline=None)
    test().runTest()
