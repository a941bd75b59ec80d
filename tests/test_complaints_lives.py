"""
The lives of complaints: two organisations on one store record, answer and erase in any order, over three stores.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stores import STORES, opened
from world import world

from optly import Contact, Organisation
from optly.errors import UnknownComplaintError
from optly.messages import Message, Outcome, Receipt
from optly.protocols import MessageState
from optly.record.events import ComplaintReceived
from optly.results import ComplaintState, RecordedComplaint
from optly.testing.clock import FrozenClock

pytestmark = pytest.mark.slow

ORGANISATIONS = [
    Organisation(key=key, name=f"{key.title()} Ltd", address="Leeds", email=f"privacy@{key}.example.com")
    for key in ("acme", "other")
]
which = st.integers(0, 1)
outcomes = st.sampled_from([Outcome.ACCEPTED, Outcome.REFUSED, Outcome.IN_DOUBT, Outcome.RETRY_LATER])


class Lives(RuleBasedStateMachine):
    """
    Keeps, as plain sets and counts, what must be true whatever happened.
    """

    @initialize(store=st.sampled_from(STORES))
    def open(self, store: str) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.storage = opened(store, self.directory.name)
        clock = FrozenClock()
        self.worlds = [world(self.storage, organisation=each, clock=clock) for each in ORGANISATIONS]
        self.contacts: list[list[Contact]] = [[], []]
        self.made: list[dict[str, RecordedComplaint]] = [{}, {}]
        self.erased: set[str] = set()
        self.acknowledged: set[str] = set()
        self.resolved: set[str] = set()
        self.accepted: Counter[str] = Counter()

    def teardown(self) -> None:
        """
        Once every message was sent or settled, no outcome is under way: it reached the person, erased or not.
        """
        for number, w in enumerate(self.worlds):
            for entry in w.manager.outbox_messages(MessageState.IN_DOUBT):
                assert w.manager.resolve_doubt(entry.contact, entry.message, sent=True)
            self.deliver(number, Outcome.ACCEPTED, 90)
            assert not any(each.sending for each in w.manager.complaints(open=None))
            assert w.manager.verify()
        self.no_outcome_is_sent_twice()
        self.storage.close()
        self.directory.cleanup()

    def draw(self, data: st.DataObject, number: int) -> RecordedComplaint | None:
        made = list(self.made[number].values())
        return data.draw(st.sampled_from(made)) if made else None

    @rule(number=which)
    def add_contact(self, number: int) -> None:
        count = len(self.contacts[number])
        w = self.worlds[number]
        self.contacts[number].append(w.manager.add_contact(email=f"person{count}@{number}.example.com"))

    @rule(data=st.data(), number=which, apart=st.booleans(), days=st.integers(0, 40), send=st.booleans())
    def complain(self, data: st.DataObject, number: int, apart: bool, days: int, send: bool) -> None:
        w, count = self.worlds[number], len(self.made[number])
        contacts = [contact for contact in self.contacts[number] if contact.id not in self.erased]
        who = f"stranger{count}@{number}.example.org" if apart or not contacts else data.draw(st.sampled_from(contacts))
        complaint = w.manager.record_complaint(
            who, text=f"text {count}.", how="telephone", at=w.clock() - timedelta(days=days), send=send
        )
        self.made[number][complaint.id] = complaint

    @rule(data=st.data(), number=which)
    def acknowledge(self, data: st.DataObject, number: int) -> None:
        if complaint := self.draw(data, number):
            self.worlds[number].manager.acknowledge_complaint(None, complaint.reference, how="by telephone")
            self.acknowledged.add(complaint.id)

    @rule(data=st.data(), number=which, send=st.booleans())
    def resolve(self, data: st.DataObject, number: int, send: bool) -> None:
        if complaint := self.draw(data, number):
            how: dict[str, Any] = {"outcome": f"outcome {complaint.id}.", "send": True} if send else {"how": "by post"}
            self.worlds[number].manager.resolve_complaint(None, complaint.reference, **how)
            if not send:
                self.resolved.add(complaint.id)

    @rule(number=which, outcome=outcomes, minutes=st.integers(0, 90))
    def deliver(self, number: int, outcome: Outcome, minutes: int) -> None:
        w = self.worlds[number]
        w.later(timedelta(minutes=minutes))

        def answer(message: Message) -> Receipt:
            if outcome is Outcome.ACCEPTED:
                self._count(number, message)
            return Receipt(outcome=outcome)

        w.emails.answer = answer
        w.manager.deliver()

    def _count(self, number: int, message: Message) -> None:
        for id in self.made[number]:
            if f"outcome {id}." in message.text:
                self.accepted[id] += 1
                self.resolved.add(id)

    @rule(data=st.data(), number=which, sent=st.booleans())
    def settle_doubts(self, data: st.DataObject, number: int, sent: bool) -> None:
        manager = self.worlds[number].manager
        for entry in manager.outbox_messages(MessageState.IN_DOUBT):
            assert manager.resolve_doubt(entry.contact, entry.message, sent=sent)

    @rule(data=st.data(), number=which)
    def erase(self, data: st.DataObject, number: int) -> None:
        records = [*self.contacts[number], *(complaint.contact for complaint in self.made[number].values())]
        if records:
            contact = data.draw(st.sampled_from(records))
            self.worlds[number].manager.erase(contact)
            self.erased.add(contact.id)

    @rule(data=st.data(), number=which)
    def look_up_anothers(self, data: st.DataObject, number: int) -> None:
        if (complaint := self.draw(data, number)) and complaint.id not in self.made[1 - number]:
            with pytest.raises(UnknownComplaintError):
                self.worlds[1 - number].manager.complaint(complaint.id)

    @invariant()
    def every_complaint_is_in_one_list(self) -> None:
        """
        In order, and open until it is resolved, which it stays.
        """
        for w, made in zip(self.worlds, self.made, strict=True):
            lists = {open: list(w.manager.complaints(open=open)) for open in (True, False, None)}
            for found in lists.values():
                assert sorted(found, key=lambda each: (each.acknowledge_by, each.reference)) == found
            assert made.keys() == {each.id for each in lists[None]}
            assert len(made) == len(lists[None]) == len(lists[True]) + len(lists[False])
            closed = {each.id for each in lists[False]}
            assert self.resolved & made.keys() <= closed
            self.resolved |= closed
            known = {each.id for each in lists[None] if each.acknowledged_at is not None}
            assert (self.acknowledged | closed) & made.keys() <= known
            self.acknowledged |= known
            assert closed == {each.id for each in lists[None] if each.state is ComplaintState.RESOLVED}

    @invariant()
    def no_outcome_is_sent_twice(self) -> None:
        assert all(count == 1 for count in self.accepted.values())

    @invariant()
    def where_to_reply_is_kept_until_then(self) -> None:
        for w, made in zip(self.worlds, self.made, strict=True):
            for id in made:
                found = w.manager.complaint(id)
                assert (found.reply_to is None) == (found.state is ComplaintState.RESOLVED)
                assert (found.text == "") == (found.contact.id in self.erased)

    @invariant()
    def nothing_personal_comes_back(self) -> None:
        for w, made in zip(self.worlds, self.made, strict=True):
            for complaint in made.values():
                happened = w.manager.history(complaint.contact)
                assert 1 == sum(isinstance(e, ComplaintReceived) and e.complaint == complaint.id for e in happened)
                if complaint.contact.id in self.erased:
                    assert not any(event.personal for event in happened)


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
