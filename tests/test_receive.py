"""
What comes back: reports of a provider, and what people write.
"""

from __future__ import annotations

import itertools
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import EMAIL, EMAIL_OFFERS, PHONE, World, world

from optly import Channel, Contact, Solicited, Subscriber
from optly.backends import MemoryBackend
from optly.contacts import stopped_with
from optly.instants import end_of_day
from optly.messages import DeliveryEvent, DeliveryStatus, Fault, InboundMessage, Keyword, Message, Outcome, Receipt
from optly.protocols import Commit, Storage
from optly.record.events import (
    Act,
    Actor,
    ConsentGiven,
    ConsentRefused,
    Event,
    Grade,
    LineFailed,
    LineRestored,
    Meaning,
    MessageDelivered,
    MessageReceived,
    MessageUndelivered,
    ObjectionRaised,
    Through,
)
from optly.results import Effect, Received
from optly.rules import Reason
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.testing.messages import code_in

NUMBERS = itertools.count()


class TwoWayBackend(MemoryBackend):
    """
    Texts that can be answered by a text.
    """

    takes_replies = True


@pytest.fixture
def w() -> World:
    made = world()
    texts = TwoWayBackend(channel=Channel.SMS)
    return attrs.evolve(
        world(made.storage, clock=made.clock, backends=[made.emails, texts]), emails=made.emails, texts=texts
    )


def report(about: Message, status: DeliveryStatus, w: World, /, **facts: Any) -> DeliveryEvent:
    return DeliveryEvent(
        **{
            "id": f"event {next(NUMBERS)}",
            "backend": "memory",
            "channel": about.channel,
            "status": status,
            "contact": about.contact,
            "message": about.id,
            "at": w.clock(),
            **facts,
        }
    )


def text(w: World, says: str, **facts: Any) -> InboundMessage:
    return InboundMessage(
        **{
            "id": f"text {next(NUMBERS)}",
            "backend": "memory",
            "channel": Channel.SMS,
            "sender": PHONE,
            "text": says,
            "at": w.clock(),
            **facts,
        }
    )


def of(w: World, contact: Contact, kind: type[Event]) -> list[Any]:
    return [event for event in w.manager.history(contact) if isinstance(event, kind)]


def asked_by_text(w: World, contact: Contact, channels: tuple[Channel, ...] = (Channel.SMS,), **facts: Any) -> Message:
    w.manager.request_consent(
        contact,
        **{
            "via": Channel.SMS,
            "channels": channels,
            "purposes": ["offers"],
            "basis": Solicited(how="form", at=w.clock()),
            **facts,
        },
    )
    w.manager.deliver()
    return w.texts.outbox[-1]


# ---- what a provider says


def test_a_delivery_is_on_record(w: World) -> None:
    """
    With the provider's words, which are erased with everything else personal.
    """
    ada = w.add()
    message = w.ask(ada)
    event = report(
        message, DeliveryStatus.DELIVERED, w, detail="250 taken by mx.example.com", code="D1", status_code="2.0.0"
    )
    assert Received(effect=Effect.RECORDED, event=event, contacts=(ada,)) == w.manager.receive(event)
    (delivered,) = of(w, ada, MessageDelivered)
    assert (message.id, 1, Channel.EMAIL) == (delivered.message, delivered.line, delivered.channel)
    assert ("D1", "2.0.0", "memory") == (delivered.provider_code, delivered.status, delivered.backend)
    assert delivered.question is not None
    assert ["250 taken by mx.example.com"] == list(delivered.personal.values())
    assert delivered.actor is Actor.PROVIDER


@pytest.mark.parametrize("status", [DeliveryStatus.SENT, DeliveryStatus.DELAYED])
def test_progress_is_not_kept(w: World, status: DeliveryStatus) -> None:
    """
    It proves nothing and would fill the record.
    """
    ada = w.add()
    message = w.ask(ada)
    before = w.manager.history(ada)
    assert w.manager.receive(report(message, status, w)).effect is Effect.NOTED
    assert before == w.manager.history(ada)


def test_a_bounce_takes_the_line_out_of_use_and_says_why(w: World) -> None:
    """
    For that channel only, and until somebody makes sure of it.
    """
    ada = w.add()
    w.agreed(ada)
    message = w.emails.outbox[-1]
    w.later()
    event = report(message, DeliveryStatus.BOUNCED, w, status_code="5.1.1", code="bounce", detail="no such user")
    assert w.manager.receive(event).effect is Effect.RECORDED
    (failed,) = of(w, ada, LineFailed)
    assert ("5.1.1", "bounce", message.id) == (failed.status, failed.provider_code, failed.message)
    assert len(of(w, ada, MessageUndelivered)) == 1
    for who in (ada, EMAIL):
        decision = w.manager.check(who, Channel.EMAIL, "offers")
        assert (False, Reason.UNDELIVERABLE) == (decision.allowed, decision.reason)
        assert decision.evidence == (w.manager.standing(ada).failures[0].seq,)
        assert "restore_line" in decision.would_change_it
    assert w.allowed(Channel.SMS)
    w.manager.restore_line(ada, "email", how="they telephoned")
    assert w.allowed()
    (restored,) = of(w, ada, LineRestored)
    assert ["they telephoned"] == list(restored.personal.values())


def test_the_persons_own_act_shows_that_a_line_works(w: World) -> None:
    """
    They used a link that was sent there.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.receive(report(message, DeliveryStatus.BOUNCED, w))
    assert w.manager.standing(ada).failures
    w.later()
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    assert w.manager.standing(ada).failures == ()
    assert w.allowed()


def test_a_later_delivery_shows_that_a_line_works(w: World) -> None:
    """
    And an earlier one, told late, does not.
    """
    ada = w.add()
    first, second = w.ask(ada), w.ask(ada)
    bounced_at = w.clock()
    w.manager.receive(report(first, DeliveryStatus.BOUNCED, w, at=bounced_at))
    w.manager.receive(report(second, DeliveryStatus.DELIVERED, w, at=bounced_at - timedelta(microseconds=1)))
    assert w.manager.standing(ada).failures
    w.later()
    w.manager.receive(report(first, DeliveryStatus.DELIVERED, w))
    assert w.manager.standing(ada).failures == ()


def refused_for_good(w: World, ada: Contact) -> None:
    """
    A message that is sent, and comes back for good without a cause.
    """
    w.manager.send(ada, "email", "offers", "Ten per cent off")
    w.manager.deliver()
    event = report(w.emails.outbox[-1], DeliveryStatus.FAILED, w, permanent=True, status_code="5.4.1")
    assert w.manager.receive(event).effect is Effect.RECORDED


@pytest.mark.parametrize("on_disk", [False, True])
def test_a_line_that_refuses_everything_for_two_weeks_has_nobody(on_disk: bool, tmp_path: Path) -> None:
    """
    Three messages or more, the last of them two weeks after the first.
    """
    w = world(SQLStorage(f"sqlite:///{tmp_path / 'acme.db'}") if on_disk else None)
    ada = w.add()
    w.agreed(ada)
    refused_for_good(w, ada)
    w.later(timedelta(days=7))
    refused_for_good(w, ada)
    w.later(timedelta(days=7) - timedelta(microseconds=1))
    refused_for_good(w, ada)
    assert w.allowed()
    w.later(timedelta(microseconds=1))
    refused_for_good(w, ada)
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.UNDELIVERABLE
    (failed,) = of(w, ada, LineFailed)
    assert "5.4.1" == failed.status
    w.manager.restore_line(ada, "email", how="they telephoned")
    refused_for_good(w, ada)
    assert w.allowed()


def test_two_messages_show_nothing(w: World) -> None:
    """
    However far apart they are.
    """
    ada = w.add()
    w.agreed(ada)
    refused_for_good(w, ada)
    w.later(timedelta(days=365))
    refused_for_good(w, ada)
    assert w.allowed()
    w.later()
    refused_for_good(w, ada)
    assert not w.allowed()


def test_what_is_delivered_in_between_shows_that_somebody_is_there(w: World) -> None:
    """
    And what failed for another cause is not counted.
    """
    ada = w.add()
    w.agreed(ada)
    for _ in range(5):
        refused_for_good(w, ada)
        w.later(timedelta(days=9))
        w.manager.send(ada, "email", "offers", "Ten per cent off")
        w.manager.deliver()
        w.manager.receive(report(w.emails.outbox[-1], DeliveryStatus.DELIVERED, w))
        w.later(timedelta(days=9))
    for _ in range(5):
        w.manager.send(ada, "email", "offers", "Ten per cent off")
        w.manager.deliver()
        w.manager.receive(report(w.emails.outbox[-1], DeliveryStatus.FAILED, w, status_code="5.7.1"))
        w.later(timedelta(days=9))
    assert w.allowed()


def test_what_is_refused_at_once_counts_as_well(w: World) -> None:
    """
    As the message is handed over.
    """
    ada = w.add()
    w.agreed(ada)
    for _ in range(3):
        w.later(timedelta(days=7))
        refusal = Receipt(outcome=Outcome.REFUSED, reply="550 no", code=550, permanent=True)
        w.emails.outcomes.append(refusal)
        w.manager.send(ada, "email", "offers", "Ten per cent off")
        assert w.manager.deliver().refused == 1
    assert not w.allowed()


def test_nothing_goes_out_to_a_line_that_failed(w: World) -> None:
    """
    Not even what was queued before.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    message = w.emails.outbox[-1]
    w.manager.send(ada, "email", "offers", "Ten per cent off")
    w.manager.receive(report(message, DeliveryStatus.BOUNCED, w))
    done = w.manager.deliver()
    assert (1, 1) == (done.withheld, done.total)


def test_an_address_that_does_not_exist_fails_at_once(w: World) -> None:
    """
    When the server says so as the message is handed over.
    """
    ada = w.add()
    gone = Receipt(outcome=Outcome.REFUSED, reply="550 5.1.1 who?", code=550, status="5.1.1", fault=Fault.ADDRESS)
    w.emails.outcomes.append(gone)
    w.manager.request_consent(
        ada, via="email", channels=["email"], purposes=["offers"], basis=Solicited(how="form", at=w.clock())
    )
    assert w.manager.deliver().refused == 1
    (failed,) = of(w, ada, LineFailed)
    assert ("5.1.1", "550") == (failed.status, failed.provider_code)


@pytest.mark.parametrize("fault", [None, Fault.MESSAGE, Fault.MAILBOX, Fault.BACKEND])
def test_other_refusals_say_nothing_about_the_address(w: World, fault: Fault | None) -> None:
    """
    A policy, a full mailbox, a code nobody knows.
    """
    ada = w.add()
    w.emails.outcomes.append(Receipt(outcome=Outcome.REFUSED, code=554, status="5.7.1", fault=fault))
    w.manager.request_consent(
        ada, via="email", channels=["email"], purposes=["offers"], basis=Solicited(how="form", at=w.clock())
    )
    assert w.manager.deliver().refused == 1
    assert w.manager.standing(ada).failures == ()


def test_a_provider_that_knows_of_a_stop_is_believed(w: World) -> None:
    """
    As the message is handed over, and in a later report.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.texts.outcomes.append(Receipt(outcome=Outcome.REFUSED, code=21610, fault=Fault.OPTED_OUT))
    w.manager.send(ada, "sms", "offers", "Ten per cent off")
    assert w.manager.deliver().refused == 1
    (objection,) = of(w, ada, ObjectionRaised)
    assert (stopped_with(Channel.SMS), (), 2) == (objection.channels, objection.purposes, objection.line)
    assert (Actor.PROVIDER, Through.PROVIDER) == (objection.actor, objection.through)
    assert not w.allowed(Channel.SMS)
    assert w.allowed()


def test_a_complaint_is_an_objection(w: World) -> None:
    """
    On that channel and line, for every purpose, and it survives an erasure and a new import.
    """
    ada = w.add()
    w.agreed(ada)
    message = w.emails.outbox[-1]
    w.later()
    assert w.manager.receive(report(message, DeliveryStatus.COMPLAINED, w)).effect is Effect.STOPPED
    (objection,) = of(w, ada, ObjectionRaised)
    assert (Through.COMPLAINT, 1) == (objection.through, objection.line)
    assert not w.allowed()
    assert w.allowed(Channel.SMS)
    w.manager.erase(ada)
    again = w.add()
    w.later()
    assert not w.manager.check(again, Channel.EMAIL, "offers")


def test_a_complaint_from_before_a_yes_leaves_the_yes(w: World) -> None:
    """
    What they said last counts, by when it happened and not by when it was told.
    """
    ada = w.add()
    message = w.ask(ada)
    complained_at = w.clock()
    w.later()
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    w.manager.receive(report(message, DeliveryStatus.COMPLAINED, w, at=complained_at))
    assert w.allowed()
    w.manager.receive(report(message, DeliveryStatus.COMPLAINED, w, at=w.clock()))
    assert not w.allowed()


@pytest.mark.parametrize("status", list(DeliveryStatus))
def test_a_report_by_address_alone(w: World, status: DeliveryStatus) -> None:
    """
    Counts where it is about the address; what is about a message is about none that is known.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    event = DeliveryEvent(id="1", backend="ses", channel=Channel.EMAIL, status=status, to=EMAIL.upper(), at=w.clock())
    effect = w.manager.receive(event).effect
    wanted = {
        DeliveryStatus.SENT: Effect.NOTED,
        DeliveryStatus.DELAYED: Effect.NOTED,
        DeliveryStatus.BOUNCED: Effect.RECORDED,
        DeliveryStatus.COMPLAINED: Effect.STOPPED,
        DeliveryStatus.OPTED_OUT: Effect.STOPPED,
    }
    assert wanted.get(status, Effect.UNKNOWN) is effect
    assert (effect in (Effect.RECORDED, Effect.STOPPED)) is not w.allowed()
    assert not of(w, ada, MessageUndelivered)


def test_a_stop_for_an_address_nobody_has_is_there_before_them(w: World) -> None:
    """
    Whoever imports it later finds it stopped.
    """
    event = DeliveryEvent(
        id="1", backend="ses", channel=Channel.EMAIL, status=DeliveryStatus.OPTED_OUT, to=EMAIL, at=w.clock()
    )
    assert w.manager.receive(event).effect is Effect.STOPPED
    w.later()
    ada = w.add(subscriber=Subscriber.COMPANY)
    assert w.manager.check(ada, Channel.EMAIL, "offers").reason is Reason.OBJECTED_BY_HOLDER


def test_a_report_about_nobody_changes_nothing(w: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    A message that is not on record, a contact that is not, an address that is none. The log does not repeat it.
    """
    ada, eve = w.add(), w.add(email="eve@example.com", phone=None)
    message = w.ask(ada)
    before = w.manager.history(ada)
    caplog.set_level(logging.DEBUG, "optly")
    for facts in (
        {"message": "0" * 32},
        {"contact": eve.id},
        {"contact": "0" * 32},
        {"message": message.id[:15]},
        {"message": "", "contact": ada.id},
        {"message": "", "contact": "", "to": "nobody@example.com"},
        {"message": "", "contact": "", "to": "no address"},
        {"contact": "", "to": "no address", "message": message.id[:16]},
        {"channel": Channel.SMS},
    ):
        event = report(message, DeliveryStatus.BOUNCED, w, **facts)
        assert w.manager.receive(event).effect is Effect.UNKNOWN, facts
    assert before == w.manager.history(ada)
    assert "nobody@example.com" not in caplog.text


def test_the_beginning_of_a_name_will_do(w: World) -> None:
    """
    A return path has room for sixteen digits, which nobody guesses.
    """
    ada = w.add()
    message = w.ask(ada)
    event = report(message, DeliveryStatus.BOUNCED, w, message=message.id[:16])
    assert w.manager.receive(event).effect is Effect.RECORDED
    assert of(w, ada, MessageUndelivered)[0].message == message.id


@pytest.mark.parametrize("to", [EMAIL, "", "redacted@redacted"])
def test_a_message_is_found_by_its_name(w: World, to: str) -> None:
    """
    As in a complaint that hides the address, even when the links of the contact were revoked since.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.revoke_links(ada)
    event = report(message, DeliveryStatus.COMPLAINED, w, contact="", to=to)
    received = w.manager.receive(event)
    assert (Effect.STOPPED, ada) == (received.effect, received.contact)


def test_a_complaint_about_an_erased_address_puts_nothing_on_record(w: World) -> None:
    """
    It was stopped by the erasure, whatever the report names.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.erase(ada)
    before = w.manager.history(ada)
    for facts in ({}, {"contact": ""}, {"contact": "", "message": "", "to": EMAIL}, {"to": EMAIL}):
        for status in (DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT):
            w.manager.receive(report(message, status, w, **facts))
    assert before == w.manager.history(ada)
    assert [ada.subject] == list(w.storage.subjects("acme"))


@pytest.mark.parametrize("known", [True, False], ids=["message on record", "message unknown"])
@pytest.mark.parametrize("status", [DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT])
def test_a_stop_that_a_provider_reports_for_a_shared_address_stops_it(
    w: World, status: DeliveryStatus, *, known: bool
) -> None:
    """
    Whichever of its holders the message was for, and even if it is not on record.
    """
    w.add(name="Bob", phone=None)
    ada = w.add()
    w.agreed(ada)
    message = w.emails.outbox[0]
    w.later()
    event = report(message, status, w, contact="", to=EMAIL, **({} if known else {"message": "0" * 32}))
    received = w.manager.receive(event)
    assert Effect.STOPPED is received.effect
    assert not w.allowed()
    if known:
        assert ada == received.contact


def test_a_stop_for_another_organisations_contact_is_no_stop_here(w: World) -> None:
    """
    Nobody is put on record for it: the event names a contact whom this organisation does not have.
    """
    message = w.ask(w.add())
    event = report(message, DeliveryStatus.COMPLAINED, w, contact="0" * 32, to="eve@example.com")
    assert Effect.UNKNOWN is w.manager.receive(event).effect
    assert () == w.manager.holders("eve@example.com")


def test_a_report_of_a_message_whose_worker_died_counts(w: World) -> None:
    """
    It was sent, though no event says so: the outbox knows that a worker had it. What nobody had was not sent.
    """

    def die(message: Message) -> Receipt:
        died.append(message)
        raise KeyboardInterrupt

    died: list[Message] = []
    ada = w.add()
    w.emails.answer = die
    with pytest.raises(KeyboardInterrupt):
        w.ask(ada)
    (message,) = died
    w.manager.record_soft_opt_in(
        ada, channels=[Channel.SMS], similar_purposes=["offers"], goods="bicycles", at=w.clock(), refusal_offered=True
    )
    unsent = attrs.evolve(message, id=w.manager.send(ada, Channel.SMS, "offers", "Hello"), channel=Channel.SMS)
    assert w.manager.receive(report(unsent, DeliveryStatus.DELIVERED, w)).effect is Effect.UNKNOWN
    assert w.manager.receive(report(message, DeliveryStatus.DELIVERED, w)).effect is Effect.RECORDED
    assert w.manager.receive(report(message, DeliveryStatus.COMPLAINED, w, to="no address")).effect is Effect.STOPPED
    assert [message.id] == [event.message for event in of(w, ada, MessageDelivered)]
    w.later(timedelta(minutes=15, microseconds=1))
    assert w.manager.deliver().in_doubt == 1
    assert ["sent"] == [doubt.finding for doubt in w.manager.reconcile()]


@given(
    order=st.permutations(
        [
            DeliveryStatus.SENT,
            DeliveryStatus.DELAYED,
            DeliveryStatus.FAILED,
            DeliveryStatus.DELIVERED,
            DeliveryStatus.BOUNCED,
            DeliveryStatus.COMPLAINED,
        ]
    ),
    repeats=st.lists(st.integers(0, 5), max_size=6),
)
def test_reports_converge(order: list[DeliveryStatus], repeats: list[int]) -> None:
    """
    In whatever order they come and however often: the same is on record, once.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    message = w.emails.outbox[-1]
    w.later()
    events = {status: report(message, status, w) for status in order}
    for status in [*order, *(order[place] for place in repeats)]:
        w.manager.receive(events[status])
    assert not w.allowed()
    assert len(w.manager.standing(ada).failures) <= 1
    assert len(of(w, ada, ObjectionRaised)) == 1
    assert len(of(w, ada, MessageDelivered)) == 1
    assert w.manager.verify()


class Interrupted(MemoryStorage):
    """
    Lets somebody else in before the next change is written.
    """

    meanwhile: Callable[[], object] | None = None

    def append(self, commits: Sequence[Commit]) -> None:
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        super().append(commits)


def test_a_report_that_comes_twice_at_once_counts_once() -> None:
    """
    Two processes are told the same; the second finds it when its write is refused.
    """
    storage = Interrupted()
    w = world(storage)
    ada = w.add()
    event = report(w.ask(ada), DeliveryStatus.BOUNCED, w)
    other = world(storage, clock=w.clock)
    effects = []
    storage.meanwhile = lambda: effects.append(other.manager.receive(event).effect)
    effects.append(w.manager.receive(event).effect)
    assert [Effect.RECORDED, Effect.REPEATED] == effects
    assert len(of(w, ada, MessageUndelivered)) == 1


def test_a_stop_that_comes_in_between_is_not_lost() -> None:
    """
    A yes by text that is decided again after a stop grants nothing.
    """
    storage = Interrupted()
    made = world(storage)
    w = attrs.evolve(world(storage, clock=made.clock, backends=[TwoWayBackend(channel=Channel.SMS)]))
    ada = w.add()
    w.manager.request_consent(
        ada, via="sms", channels=["sms"], purposes=["offers"], basis=Solicited(how="form", at=w.clock())
    )
    yes = text(w, "YES")
    w.later()
    storage.meanwhile = lambda: made.manager.receive(text(w, "STOP"))
    assert w.manager.receive(yes).effect is Effect.KEPT
    assert not w.allowed(Channel.SMS)
    assert of(w, ada, ConsentGiven) == []


def test_what_is_told_again_under_another_name_counts_once(w: World) -> None:
    """
    A message is delivered once, and what was delivered did not fail afterwards; but its address may bounce.
    """
    ada = w.add()
    first, second = w.ask(ada), w.ask(ada)
    for status in (DeliveryStatus.DELIVERED, DeliveryStatus.DELIVERED, DeliveryStatus.FAILED):
        w.manager.receive(report(first, status, w))
    for status in (DeliveryStatus.FAILED, DeliveryStatus.FAILED, DeliveryStatus.DELIVERED):
        w.manager.receive(report(second, status, w))
    assert [first.id, second.id] == [event.message for event in of(w, ada, MessageDelivered)]
    assert [second.id] == [event.message for event in of(w, ada, MessageUndelivered)]
    assert w.manager.receive(report(first, DeliveryStatus.BOUNCED, w)).effect is Effect.RECORDED
    assert w.manager.standing(ada).failures


def test_a_forged_bounce_suppresses_nobody(w: World) -> None:
    """
    It names an address that is on record, and a message that is not. Nobody signed it.
    """
    ada = w.add()
    w.ask(ada)
    forged = DeliveryEvent(
        id="1",
        backend="mail",
        channel=Channel.EMAIL,
        status=DeliveryStatus.BOUNCED,
        message="0" * 32,
        to=EMAIL,
        at=w.clock(),
    )
    assert w.manager.receive(forged).effect is Effect.UNKNOWN
    assert w.manager.standing(ada).failures == ()


def test_a_report_for_somebody_erased_changes_nothing(w: World) -> None:
    """
    There is nobody left to record it for.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.erase(ada)
    before = w.manager.history(ada)
    for status in DeliveryStatus:
        w.manager.receive(report(message, status, w))
    assert before == w.manager.history(ada)


def test_a_providers_clock_that_is_ahead_does_no_harm(w: World) -> None:
    """
    It is recorded as of now.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.receive(report(message, DeliveryStatus.BOUNCED, w, at=w.clock() + timedelta(days=1)))
    (failed,) = of(w, ada, LineFailed)
    assert w.clock() == failed.occurred_at


# ---- what people write


@pytest.mark.parametrize("says", ["STOP", "stop please", "Unsubscribe me", "take me off your list"])
def test_a_stop_in_plain_words_is_an_objection(w: World, says: str) -> None:
    """
    On that line, to every kind of message, whatever the provider did about it, with the person's own words.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    assert w.manager.receive(text(w, says)).effect is Effect.STOPPED
    (objection,) = of(w, ada, ObjectionRaised)
    assert (stopped_with(Channel.SMS), 2) == (objection.channels, objection.line)
    assert (Actor.PERSON, Through.REPLY) == (objection.actor, objection.through)
    assert [says] == list(objection.personal.values())
    assert not w.allowed(Channel.SMS)
    assert w.allowed()


def test_a_providers_keyword_is_a_stop_too(w: World) -> None:
    """
    In a language we do not read, for example.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    assert w.manager.receive(text(w, "ARRÊT", keyword=Keyword.STOP)).effect is Effect.STOPPED
    assert not w.allowed(Channel.SMS)


def test_a_stop_from_a_number_nobody_has_is_there_before_them(w: World) -> None:
    """
    As for a stop list that is imported.
    """
    assert w.manager.receive(text(w, "stop")).effect is Effect.STOPPED
    w.later()
    ada = w.add(subscriber=Subscriber.COMPANY)
    assert w.manager.check(ada, Channel.SMS, "offers").reason is Reason.OBJECTED_BY_HOLDER


def test_a_stop_by_email_stops_email(w: World) -> None:
    """
    A person who answers a message with "unsubscribe" has objected.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    mail = text(w, "Unsubscribe", channel=Channel.EMAIL, sender="ADA@example.com")
    assert w.manager.receive(mail).effect is Effect.STOPPED
    assert not w.allowed()
    assert w.allowed(Channel.SMS)


def test_an_automatic_reply_is_no_answer(w: World) -> None:
    """
    But a stop is one, whoever wrote it down for them.
    """
    ada = w.add()
    asked_by_text(w, ada)
    before = w.manager.history(ada)
    for says in ("YES", "1", "HELP", "I am away"):
        assert w.manager.receive(text(w, says, automatic=True)).effect is Effect.NOTED
    assert before == w.manager.history(ada)
    assert w.manager.receive(text(w, "STOP", automatic=True)).effect is Effect.STOPPED


def test_a_stop_over_whatsapp_stops_texts(w: World) -> None:
    """
    Whoever writes STOP means every message to that number.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    assert w.manager.receive(text(w, "Stop please", channel=Channel.WHATSAPP)).effect is Effect.STOPPED
    assert not w.allowed(Channel.SMS)
    assert w.allowed()
    assert w.manager.receive(text(w, "Where is my order?", channel=Channel.WHATSAPP)).effect is Effect.KEPT


def test_a_machine_is_not_put_on_record(w: World) -> None:
    """
    Nor is a newsletter, whatever it says.
    """
    for facts in ({"automatic": True}, {"bulk": True}):
        event = text(w, "unsubscribe", channel=Channel.EMAIL, sender="news@widgets.example.net", **facts)
        assert w.manager.receive(event).effect is Effect.UNKNOWN
    assert list(w.storage.subjects("acme")) == []


def test_a_question_by_text_says_what_is_asked(w: World) -> None:
    """
    A yes to it is a yes to these very words.
    """
    ada = w.add()
    message = asked_by_text(w, ada)
    assert message.text.startswith(
        "May Acme Ltd send you offers and discounts on our products by text message? Reply YES or STOP: https://"
    )


def test_a_yes_by_text_answers_the_open_question(w: World) -> None:
    """
    It is the person's own gesture, from the very line it is about, with their words kept.
    """
    ada = w.add()
    asked_by_text(w, ada)
    w.later()
    assert w.manager.receive(text(w, "Yes please!")).effect is Effect.ANSWERED
    (given_,) = of(w, ada, ConsentGiven)
    assert (Act.SAID_YES, Grade.A, Actor.PERSON, None) == (given_.act, given_.grade, given_.actor, given_.link)
    assert ["Yes please!"] == list(given_.personal.values())
    question = w.manager.standing(ada).questions[-1]
    assert given_.question == question.id
    assert [choice.wording for choice in question.choices] == [choice.wording for choice in given_.choices]
    assert w.allowed(Channel.SMS)
    assert not w.allowed()


def test_a_no_by_text_refuses(w: World) -> None:
    """
    What was asked, and nothing else.
    """
    ada = w.add()
    asked_by_text(w, ada)
    assert w.manager.receive(text(w, "no thanks")).effect is Effect.ANSWERED
    (refused,) = of(w, ada, ConsentRefused)
    assert refused.grade is Grade.A
    assert w.manager.check(ada, Channel.SMS, "offers").reason is Reason.WITHDRAWN


def test_a_yes_with_nothing_open_grants_nothing(w: World) -> None:
    """
    Before a question, after its answer, after its time, and after a stop. It is kept for people to read.
    """
    ada = w.add()
    assert w.manager.receive(text(w, "YES")).effect is Effect.KEPT
    asked_by_text(w, ada, expires_within=timedelta(hours=1))
    w.later(end_of_day(w.clock()) - w.clock() + timedelta(microseconds=1))
    assert w.manager.receive(text(w, "YES")).effect is Effect.KEPT
    asked_by_text(w, ada)
    assert w.manager.receive(text(w, "YES")).effect is Effect.ANSWERED
    assert w.manager.receive(text(w, "YES")).effect is Effect.KEPT
    w.later()
    w.manager.receive(text(w, "STOP"))
    w.later()
    assert w.manager.receive(text(w, "YES", keyword=Keyword.START)).effect is Effect.KEPT
    assert not w.allowed(Channel.SMS)
    assert len(of(w, ada, ConsentGiven)) == 1


def test_at_its_last_instant_a_question_is_answered(w: World) -> None:
    """
    And not a microsecond later, which the test before this one shows.
    """
    ada = w.add()
    asked_by_text(w, ada, expires_within=timedelta(hours=1))
    w.later(end_of_day(w.clock()) - w.clock())
    assert w.manager.receive(text(w, "YES")).effect is Effect.ANSWERED


def test_a_yes_that_is_also_a_carriers_keyword_is_read_as_an_answer(w: World) -> None:
    """
    Providers take YES for START. Against the question that is open, it is a yes.
    """
    ada = w.add()
    asked_by_text(w, ada)
    assert w.manager.receive(text(w, "YES", keyword=Keyword.START)).effect is Effect.ANSWERED
    assert w.allowed(Channel.SMS)
    assert w.manager.standing(ada).questions[-1].state == "answered"


def test_a_yes_answers_the_question_that_was_put_by_text(w: World) -> None:
    """
    Not the one that waits in an email, nor one whose time has passed.
    """
    ada = w.add()
    asked_by_text(w, ada, expires_within=timedelta(minutes=1))
    w.later(timedelta(days=1))
    w.ask(ada, purposes=["news"], channels=[Channel.EMAIL])
    asked_by_text(w, ada, purposes=["news"])
    assert w.manager.receive(text(w, "YES")).effect is Effect.ANSWERED
    assert [["news"]] == [[choice.purpose for choice in given_.choices] for given_ in of(w, ada, ConsentGiven)]


def test_a_yes_from_a_new_number_does_not_answer_what_the_old_one_was_asked(w: World) -> None:
    """
    The question went to somebody else's hands.
    """
    ada = w.add()
    asked_by_text(w, ada)
    w.manager.change_details(ada, phone="+447911123457")
    assert w.manager.receive(text(w, "YES", sender="+447911123457")).effect is Effect.KEPT
    assert of(w, ada, ConsentGiven) == []


def test_a_stop_by_a_clock_that_is_ahead_counts_from_now(w: World) -> None:
    """
    So that the person can lift it at once.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.manager.receive(text(w, "STOP", at=w.clock() + timedelta(days=1)))
    assert [w.clock()] == [event.occurred_at for event in of(w, ada, ObjectionRaised)]


def test_of_several_options_the_numbers_tell(w: World) -> None:
    """
    A bare yes does not, and neither does a number that is not among them.
    """
    ada = w.add()
    message = asked_by_text(w, ada, channels=(Channel.SMS, Channel.EMAIL))
    assert "1: May Acme Ltd send you" in message.text
    assert "2: May Acme Ltd send you" in message.text
    assert w.manager.receive(text(w, "YES")).effect is Effect.KEPT
    for wrong in ("3", "1 and 3"):
        assert w.manager.receive(text(w, wrong)).effect is Effect.KEPT
    assert w.manager.receive(text(w, "2")).effect is Effect.ANSWERED
    assert w.allowed()
    assert not w.allowed(Channel.SMS)
    (given_,) = of(w, ada, ConsentGiven)
    assert given_.grade is Grade.B  # it is about another line than the one it came from


def test_a_yes_answers_only_the_question_of_its_own_number(w: World) -> None:
    """
    Not that of somebody else, and not one that was put by email.
    """
    ada = w.add()
    eve = w.add(email="eve@example.com", phone="+447911123457")
    asked_by_text(w, ada)
    w.ask(eve)
    assert w.manager.receive(text(w, "YES", sender="+447911123457")).effect is Effect.KEPT
    assert of(w, ada, ConsentGiven) == of(w, eve, ConsentGiven) == []


def test_two_open_questions_are_not_answered_by_one_yes(w: World) -> None:
    """
    Nobody knows which was meant.
    """
    ada = w.add()
    asked_by_text(w, ada)
    w.later()
    asked_by_text(w, ada, purposes=["news"])
    assert w.manager.receive(text(w, "YES")).effect is Effect.KEPT
    assert of(w, ada, ConsentGiven) == []


def test_a_yes_by_email_grants_nothing(w: World) -> None:
    """
    Anybody can write an email in somebody's name.
    """
    ada = w.add()
    w.ask(ada, channels=[Channel.EMAIL])
    assert w.manager.receive(text(w, "YES", channel=Channel.EMAIL, sender=EMAIL)).effect is Effect.KEPT
    assert of(w, ada, ConsentGiven) == []


def test_start_lifts_nothing(w: World) -> None:
    """
    It is between the person and the provider.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.manager.receive(text(w, "STOP"))
    w.later()
    assert w.manager.receive(text(w, "START", keyword=Keyword.START)).effect is Effect.KEPT
    assert not w.allowed(Channel.SMS)
    w.manager.receive(text(w, "ailddechrau", keyword=Keyword.START))
    w.manager.receive(text(w, "Unstop"))
    assert [Meaning.START] * 3 == [event.meaning for event in of(w, ada, MessageReceived)]


def test_help_is_answered_once_an_hour(w: World) -> None:
    """
    Even to somebody who objected, because it is no marketing; and not for ever to a machine that asks again.
    """
    ada = w.add()
    w.manager.receive(text(w, "STOP"))
    assert w.manager.receive(text(w, "HELP")).effect is Effect.HELPED
    assert w.manager.deliver().accepted == 1
    said = w.texts.outbox[-1].text
    assert said.startswith("Acme Ltd: 0800 496 0000.")
    assert said.rstrip().endswith("or reply STOP")
    assert w.manager.receive(text(w, "HELP")).effect is Effect.KEPT
    w.later(timedelta(hours=1))
    assert w.manager.receive(text(w, "HELP")).effect is Effect.KEPT
    w.later(timedelta(microseconds=1))
    assert w.manager.receive(text(w, "HELP", keyword=Keyword.HELP)).effect is Effect.HELPED
    assert [Meaning.HELP] * 4 == [event.meaning for event in of(w, ada, MessageReceived)]


def test_anything_else_is_kept_for_people_to_read(w: World) -> None:
    """
    And erased with the rest.
    """
    ada = w.add()
    event = text(w, "Do you deliver to Hull?")
    received = w.manager.receive(event)
    assert (Effect.KEPT, event, ada) == (received.effect, received.event, received.contact)
    (kept,) = of(w, ada, MessageReceived)
    assert (Meaning.OTHER, ["Do you deliver to Hull?"]) == (kept.meaning, list(kept.personal.values()))
    w.manager.erase(ada)
    (kept,) = of(w, ada, MessageReceived)
    assert kept.personal == {}


STORES: dict[str, Callable[[Path], Storage]] = {
    "memory": lambda _directory: MemoryStorage(),
    "file": lambda directory: FileStorage(directory / "optly.jsonl"),
    "sqlite": lambda directory: SQLStorage(f"sqlite:///{directory / 'optly.db'}"),
}


@pytest.fixture(params=STORES)
def household(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[World, Contact, Contact]]:
    """
    Yield a world with Ada and Bob, who have one number and one mailbox, on each store.
    """
    storage = STORES[request.param](tmp_path)
    w = world(storage)
    yield w, w.add(), w.add(name="Bob")
    storage.close()


@pytest.mark.parametrize(("says", "meaning"), [("Do you deliver to Hull?", Meaning.OTHER), ("START", Meaning.START)])
def test_what_one_of_several_holders_writes_is_kept_with_each(
    household: tuple[World, Contact, Contact], says: str, meaning: Meaning
) -> None:
    """
    And said of none of them, because nobody knows who wrote it.
    """
    w, ada, bob = household
    event = text(w, says)
    received = w.manager.receive(event)
    assert (Effect.KEPT, None, {ada, bob}) == (received.effect, received.contact, set(received.contacts))
    for contact in (ada, bob):
        (kept,) = of(w, contact, MessageReceived)
        assert (meaning, True, [says]) == (kept.meaning, kept.shared, list(kept.personal.values()))
        told = w.manager.evidence(contact).timeline()[-1]
        assert ("One of several holders" in told.what, True) == (True, "one of those" in told.who)
    assert w.manager.receive(event) == attrs.evolve(received, effect=Effect.REPEATED)
    w.manager.erase(bob)
    assert Effect.KEPT is w.manager.receive(text(w, says)).effect
    assert [True, False] == [kept.shared for kept in of(w, ada, MessageReceived)]


def test_an_answer_that_may_be_of_several_is_said_of_none(household: tuple[World, Contact, Contact]) -> None:
    """
    Where more than one of them was asked, also when it is received again. It answers whoever alone was asked.
    """
    w, ada, bob = household
    asked_by_text(w, ada)
    alone = text(w, "YES")
    assert [(Effect.ANSWERED, ada), (Effect.REPEATED, ada)] == [
        (received.effect, received.contact) for received in (w.manager.receive(alone), w.manager.receive(alone))
    ]
    assert [] == of(w, bob, MessageReceived)
    w.later()
    for contact in (ada, bob):
        asked_by_text(w, contact, purposes=["news"])
        w.later()
    event = text(w, "YES")
    for effect in (Effect.KEPT, Effect.REPEATED):
        received = w.manager.receive(event)
        assert (effect, None, {ada, bob}) == (received.effect, received.contact, set(received.contacts))
    assert [1, 1] == [len(of(w, contact, MessageReceived)) for contact in (ada, bob)]


def test_a_stop_by_one_of_several_holders_is_said_of_none(household: tuple[World, Contact, Contact]) -> None:
    """
    It stops the line for each, whether they wrote it or a provider reports it.
    """
    w, ada, bob = household
    stopped = w.manager.receive(text(w, "STOP, says one of us"))
    report = DeliveryEvent(
        id="spam", backend="memory", channel=Channel.EMAIL, status=DeliveryStatus.COMPLAINED, to=EMAIL, at=w.clock()
    )
    for received in (stopped, w.manager.receive(report)):
        assert (Effect.STOPPED, {ada, bob}) == (received.effect, set(received.contacts))
    for contact in (ada, bob):
        assert [True, True] == [raised.shared for raised in of(w, contact, ObjectionRaised)]
        for told in w.manager.evidence(contact).timeline()[-2:]:
            assert "One of several holders" in told.what
        assert "one of those" in w.manager.evidence(contact).timeline()[-2].who


def test_help_for_a_shared_number_shows_the_choices_of_nobody(household: tuple[World, Contact, Contact]) -> None:
    """
    One answer goes to the number. Its link is to the page that sends everyone a link of their own.
    """
    w, ada, bob = household
    assert Effect.HELPED is w.manager.receive(text(w, "HELP")).effect
    assert Effect.KEPT is w.manager.receive(text(w, "HELP")).effect
    w.manager.deliver()
    (message,) = w.texts.outbox
    assert "/new-link " in message.text
    assert "/l/" not in message.text
    assert [2, 2] == [len(of(w, contact, MessageReceived)) for contact in (ada, bob)]


def test_what_another_holder_may_have_written_is_not_shown_to_one(household: tuple[World, Contact, Contact]) -> None:
    """
    They see that somebody wrote, and staff see the words.
    """
    w, ada, _ = household
    w.manager.receive(text(w, "Bob's secret"))
    own = w.manager.self_service
    session = own.request_code(w.manager.link(ada, Channel.SMS).rpartition("/")[2])
    w.manager.deliver()
    digits = re.search(r"(?<![\w/])\d{6}(?!\w)", w.texts.outbox[-1].text)
    assert digits is not None
    session = own.step_up(session, digits[0])
    kept = [event for event in own.history(session).events if isinstance(event, MessageReceived)]
    assert [{}] == [event.personal for event in kept]
    own.send_copy(session)
    w.manager.deliver()
    assert "secret" not in w.emails.outbox[-1].text
    assert "One of several holders" in w.emails.outbox[-1].text


def test_a_reply_from_a_shared_mailbox_is_kept_with_whom_it_answers(w: World) -> None:
    """
    Where the message that it answers was sent to one of them; it is still not said to be theirs.
    """
    w.add(name="Bob")
    ada = w.add()
    asked = w.ask(ada)
    received = w.manager.receive(
        text(w, "Do you deliver to Hull?", channel=Channel.EMAIL, sender=EMAIL, message=asked.id, contact=ada.id)
    )
    assert (Effect.KEPT, ada) == (received.effect, received.contact)
    assert [True] == [kept.shared for kept in of(w, ada, MessageReceived)]


def test_what_nobody_on_record_writes_is_left_to_the_host(w: World) -> None:
    """
    Nobody is put on record for it.
    """
    for sender in ("+447911123499", "12345", "Acme", ""):
        assert w.manager.receive(text(w, "hello", sender=sender)).effect is Effect.UNKNOWN
    assert list(w.storage.subjects("acme")) == []


def test_a_text_that_comes_twice_counts_once(w: World) -> None:
    """
    The answer to a question, a stop, a call for help, and anything else.
    """
    ada = w.add()
    asked_by_text(w, ada)
    effects = []
    for says in ("YES", "HELP", "what?", "STOP"):
        w.later()
        event = text(w, says)
        effects.append([w.manager.receive(event).effect for _ in range(2)])
    twice = Effect.REPEATED
    assert [
        [Effect.ANSWERED, twice],
        [Effect.HELPED, twice],
        [Effect.KEPT, twice],
        [Effect.STOPPED, twice],
    ] == effects


OURS = (datetime(1900, 1, 1), datetime(2999, 12, 31))  # noqa: DTZ001 - of each time zone


@given(says=st.text(max_size=200), at=st.datetimes(*OURS, timezones=st.just(UTC)))
def test_anything_may_be_written(says: str, at: datetime) -> None:
    """
    Nothing that somebody writes raises, and none of it grants anything that was not asked.
    """
    w = world()
    ada = w.add()
    received = w.manager.receive(text(w, says, at=at))
    assert received.effect in (Effect.KEPT, Effect.STOPPED, Effect.HELPED)
    assert w.manager.standing(ada).consents == ()
    assert w.manager.verify()


def test_nothing_that_comes_back_shows_in_a_repr(w: World) -> None:
    """
    Neither the number nor the words.
    """
    ada = w.add()
    event = text(w, "a secret")
    shown = repr(w.manager.receive(event)) + repr(event) + repr(w.manager.history(ada))
    assert PHONE not in shown
    assert "a secret" not in shown
    bounce = report(w.ask(ada), DeliveryStatus.BOUNCED, w, to=EMAIL, detail=f"{EMAIL} unknown")
    assert EMAIL not in repr(w.manager.receive(bounce)) + repr(bounce)
