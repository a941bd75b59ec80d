"""
The outbox: batches, faults, rates, quiet hours, reminders, dead letters and doubts.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import UTC, datetime, time, timedelta
from typing import Any

import attrs
import pytest
from world import EMAIL_OFFERS, PHONE, World, ask_companies, awaited, world

from optly import Channel, Contact, NotPermittedError, Solicited, Subscriber
from optly._operations.leases import BATCH, LEASE
from optly._operations.outcomes import MAX_ATTEMPTS, MAX_TRIES, retry_delay
from optly.backends import MemoryBackend
from optly.errors import ConfigurationError, DamagedError, RetryableError, StorageUnavailableError, UsageError
from optly.messages import DeliveryEvent, DeliveryStatus, Fault, Message, Outcome, Receipt
from optly.messages.pacing import Budget, QuietHours, Rate
from optly.messages.texts import Encoding, segments
from optly.protocols import Claim, Head, MessageState, OutboxMessage, RowKind, StoredCode, Traced
from optly.record.events import (
    ConsentRequested,
    MessageAccepted,
    MessageDoubted,
    MessageRefused,
    MessageWithheld,
)
from optly.record.ledger import Opening
from optly.results import Deliveries, DoubtFinding, Effect
from optly.rules import Reason
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in
from optly.testing.storage import settlement

DOWN = Receipt(outcome=Outcome.RETRY_LATER, reply="421 closing", code=421, fault=Fault.BACKEND)
GONE = Receipt(outcome=Outcome.IN_DOUBT, reply="no reply")


class ManyAtOnce(MemoryBackend):
    """
    Takes messages in batches, and remembers of what size.
    """

    def __init__(self, channel: Channel = Channel.EMAIL, **more: Any) -> None:
        super().__init__(channel, **more)
        self.batches: list[int] = []

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        self.batches.append(len(messages))
        return [self.send(message) for message in messages]


class Tracing(MemoryBackend):
    """
    A provider that can be asked what it has.
    """

    down = False

    def trace(self, to: str, since: datetime) -> Sequence[Traced]:
        if self.down:
            raise RetryableError("the provider cannot be asked")
        self.traced_since = since
        taken = Receipt(outcome=Outcome.ACCEPTED, provider_id="SM1", reply="traced")
        return [Traced(text=m.text, receipt=taken) for m in self.outbox if m.to == to]


class Failing(MemoryStorage):
    """
    Cannot read one contact's record, or anybody's personal values.
    """

    damaged: bytes | None = None
    unreadable: Collection[bytes] = ()
    broken = False

    def load(self, subjects: Sequence[bytes]) -> Mapping[bytes, Head]:
        if self.damaged in subjects:
            raise DamagedError("an event cannot be read")
        return super().load(subjects)

    def openings(
        self, subjects: Sequence[bytes], slots: Sequence[str] | None = None
    ) -> Mapping[bytes, Mapping[str, Opening]]:
        if self.broken:
            raise StorageUnavailableError("boom")
        if any(subject in self.unreadable for subject in subjects):
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")
        return super().openings(subjects, slots)


class Tampered(MemoryStorage):
    """
    Gives some contacts' messages with other bodies than were put there.
    """

    tampered: Mapping[bytes, bytes] = {}

    def _altered(self, messages: Sequence[OutboxMessage]) -> Sequence[OutboxMessage]:
        return [attrs.evolve(m, body=self.tampered.get(m.subject, m.body)) for m in messages]

    def due(self, organisation: str, channel: Channel, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        return self._altered(super().due(organisation, channel, now, limit))

    def overdue(self, organisation: str, now: datetime, limit: int) -> Sequence[OutboxMessage]:
        return self._altered(super().overdue(organisation, now, limit))

    def messages(self, organisation: str, state: MessageState, limit: int) -> Sequence[OutboxMessage]:
        return self._altered(super().messages(organisation, state, limit))


def people(w: World, count: int, **details: Any) -> list[Contact]:
    return [
        w.manager.add_contact(
            email=f"p{number}@example.com",
            phone=f"+4479111{number:05}",
            **{"subscriber": Subscriber.COMPANY, **details},
        )
        for number in range(count)
    ]


def ask(w: World, contact: Contact, via: Channel = Channel.EMAIL, **details: Any) -> None:
    w.manager.request_consent(contact, **{"via": via, "channels": [Channel.EMAIL], "purposes": ["offers"], **details})


def of(w: World, contact: Contact, kind: type[Any]) -> list[Any]:
    return [event for event in w.manager.history(contact) if isinstance(event, kind)]


# ---- batches


@pytest.mark.parametrize("kind", [MemoryBackend, ManyAtOnce])
def test_promise_7_a_message_is_gated_as_it_is_handed_over(kind: type[MemoryBackend]) -> None:
    """
    Whoever objects while the batch is on its way gets nothing any more: none of those who are behind a slow server.
    """
    stopped: list[str] = []

    def slowly(message: Message) -> Receipt:
        w.later(timedelta(seconds=4))
        if not stopped:
            for contact in contacts:
                w.manager.record_objection(contact)
                stopped.append(contact.id)
        else:
            late.append(message.contact)
        return Receipt(outcome=Outcome.ACCEPTED)

    late: list[str] = []
    w = world(backends=[kind(answer=slowly)])
    contacts = people(w, 40)
    for contact in contacts:
        ask(w, contact)
    done = w.manager.deliver()
    # What was in the same part of the batch had begun.
    assert len(late) <= (0 if kind is MemoryBackend else 3)
    assert (len(late) + 1, len(contacts) - len(late) - 1) == (done.accepted, done.withheld)


def _made_badly(_message: Message) -> Receipt:
    return Receipt(outcome=Outcome.ACCEPTED, code="250")  # type: ignore[arg-type]


def _stops_an_iteration(_message: Message) -> Receipt:
    return next(iter(()))


_ODD: dict[str, Callable[[Message], Any]] = {
    "nothing": lambda _message: None,
    "a text": lambda _message: "250 ok",
    "an outcome": lambda _message: Outcome.ACCEPTED,
    "a receipt of other types": _made_badly,
    "the end of an iteration": _stops_an_iteration,
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD)
@pytest.mark.parametrize("form", ["blocking", "awaited"])
@pytest.mark.parametrize("kind", [MemoryBackend, ManyAtOnce])
def test_a_backend_that_returns_something_else_leaves_the_message_in_doubt(
    odd: Callable[[Message], Any], form: str, kind: type[MemoryBackend]
) -> None:
    """
    And the others go out.
    """

    class Odd(kind):  # type: ignore[misc, valid-type]
        def send(self, message: Message) -> Receipt:
            super().send(message)
            made: Receipt = odd(message) if len(self.attempts) == 1 else Receipt(outcome=Outcome.ACCEPTED)
            return made

    backend = Odd()
    w = world(backends=[backend])
    for contact in people(w, 3):
        ask(w, contact)
    if form == "blocking":
        done = w.manager.deliver()
    else:
        done = asyncio.run(asyncio.wait_for(awaited(backend, w.storage, clock=w.clock).deliver(), 5))
    assert (1, 2) == (done.in_doubt, done.accepted) or (kind is ManyAtOnce and done.in_doubt == 3)
    assert len(backend.attempts) <= 3


def test_a_backend_that_hangs_beyond_its_lease_keeps_no_other_message_in_doubt() -> None:
    """
    Another worker takes it for dead. Once it comes back, what it had not begun goes out.
    """
    storage = MemoryStorage()

    def hang(_message: Message) -> Receipt:
        if len(w.emails.attempts) == 2:
            w.later(LEASE + timedelta(minutes=1))
            assert other.manager.deliver().in_doubt == 3
        return Receipt(outcome=Outcome.ACCEPTED)

    w = world(storage)
    other = world(storage, clock=w.clock)
    w.emails.answer = hang
    contacts = people(w, 4)
    for contact in contacts[:3]:
        ask(w, contact)
    assert w.manager.deliver_batch().accepted == 2
    w.later(timedelta(hours=1))
    ask(w, contacts[3])
    assert w.manager.deliver().accepted == 2
    assert {MessageState.ACCEPTED: 4} == w.manager.backlog()
    assert len({message.id for message in w.emails.attempts}) == len(w.emails.attempts) == 4


def test_messages_that_are_poisoned_alone_in_a_batch_are_put_aside() -> None:
    """
    One by one, and not as a fault of the store: the other channel is served, and so are those who come after.
    """
    storage = Failing()
    w = world(storage)
    contacts = people(w, 3)
    for contact in contacts[:2]:
        ask(w, contact)
    ask(w, contacts[2], via=Channel.SMS)
    storage.unreadable = {contact.subject for contact in contacts[:2]}
    done = w.manager.deliver()
    assert (2, 1) == (done.deferred, done.accepted)
    ask(w, contacts[2])
    w.later()
    assert w.manager.deliver().accepted == 1


@pytest.mark.parametrize("kind", [MemoryBackend, ManyAtOnce])
def test_a_batch_that_founders_is_no_verdict_on_its_messages(kind: type[MemoryBackend]) -> None:
    """
    The first few are refused alike, whatever the words: they wait, the rest is not begun, and nothing is lost.
    """
    no = Receipt(outcome=Outcome.REFUSED, code=550, reply="550 no")
    backend = kind(answer=lambda _message: no)
    w = world(backends=[backend])
    for contact in people(w, 20):
        ask(w, contact)
    assert w.manager.deliver().retried == 20
    assert len(backend.attempts) <= 4
    backend.answer = lambda _message: Receipt(outcome=Outcome.ACCEPTED)
    w.later(timedelta(hours=2))
    assert w.manager.deliver().accepted == 20


def test_a_worker_that_is_stopped_in_the_middle_leaves_one_message_in_doubt() -> None:
    """
    The one under way. What was sent is on record, and what was not begun goes out later.
    """
    script: Iterator[Receipt | BaseException] = iter([Receipt(outcome=Outcome.ACCEPTED), KeyboardInterrupt()])

    def answer(_message: Message) -> Receipt:
        what = next(script, Receipt(outcome=Outcome.ACCEPTED))
        if isinstance(what, BaseException):
            raise what
        return what

    w = world(backends=[MemoryBackend(answer=answer)])
    for contact in people(w, 5):
        ask(w, contact)
    with pytest.raises(KeyboardInterrupt):
        w.manager.deliver()
    states = {MessageState.ACCEPTED: 1, MessageState.SENDING: 1, MessageState.QUEUED: 3}
    assert states == w.manager.backlog()
    w.later(timedelta(hours=1))
    done = w.manager.deliver()
    assert (3, 1) == (done.accepted, done.in_doubt)


def test_an_overdue_message_of_a_lost_contact_stops_nobody_else() -> None:
    """
    It is put aside, and the others go out.
    """
    storage = MemoryStorage()
    w = world(storage)
    lost, other = people(w, 2)
    ask(w, lost)
    due = storage.due("acme", Channel.EMAIL, w.clock(), 1)
    storage.claim([Claim(subject=lost.subject, message=due[0].message, token=bytes(16))], w.clock(), w.clock())
    del storage._state.contacts[lost.subject]
    ask(w, other)
    w.later()
    done = w.manager.deliver()
    assert (1, 1) == (done.in_doubt, done.accepted)


def test_two_refusals_are_verdicts() -> None:
    """
    Three alike are none.
    """
    no = Receipt(outcome=Outcome.REFUSED, code=550, reply="550 no")
    w = world(backends=[MemoryBackend(answer=lambda _message: no)])
    for contact in people(w, 2):
        ask(w, contact)
    assert w.manager.deliver().refused == 2


def test_many_go_out_in_batches_and_each_once() -> None:
    """
    Each with a link of its own, and each recorded.
    """
    backend = ManyAtOnce()
    w = world(backends=[backend])
    contacts = people(w, 2 * BATCH + 1)
    for contact in contacts:
        ask(w, contact)
    assert w.manager.deliver().accepted == len(contacts)
    assert sum(backend.batches) == len(contacts)
    assert max(backend.batches) == BATCH
    assert {contact.id for contact in contacts} == {message.contact for message in backend.outbox}
    assert len({code_in(message) for message in backend.outbox}) == len(contacts)
    assert all(len(of(w, contact, MessageAccepted)) == 1 for contact in contacts)
    assert w.manager.backlog() == {MessageState.ACCEPTED: len(contacts)}
    assert w.manager.verify()


def test_one_batch_holds_one_message_of_a_contact() -> None:
    """
    The second is decided on what the first one changed.
    """
    backend = ManyAtOnce()
    w = world(backends=[backend])
    (acme,) = people(w, 1)
    for purpose in ("offers", "news"):
        ask(w, acme, purposes=[purpose])
    assert w.manager.deliver().accepted == 2
    assert backend.batches == [1, 1]


def test_a_limit_is_kept() -> None:
    """
    To the message, over batches and channels.
    """
    w = world()
    contacts = people(w, 6)
    for number, contact in enumerate(contacts):
        ask(w, contact, via=(Channel.EMAIL, Channel.SMS)[number % 2])
    assert w.manager.deliver(limit=4).total == 4
    assert w.manager.deliver(limit=1).total == 1
    assert w.manager.deliver(limit=9).total == 1


class Tidied(MemoryStorage):
    """
    Knows how many expired codes were removed in each step, and what happened meanwhile.
    """

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[int] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def expire(self, now: datetime, limit: int) -> int:
        return self._step(super().expire(now, limit))

    def remove_ended(self, organisation: str, before: datetime, limit: int) -> int:
        return self._step(super().remove_ended(organisation, before, limit))

    def _step(self, removed: int) -> int:
        self.steps.append(removed)
        self.meanwhile()
        return removed


def ended_long_ago(count: int) -> tuple[World, Tidied]:
    storage = Tidied()
    w = world(storage)
    messages = [
        OutboxMessage(
            subject=b"s" * 16,
            message=b"%016d" % number,
            channel=Channel.POST,
            due_at=w.clock() - timedelta(days=60),
            body=b"body",
        )
        for number in range(count)
    ]
    storage.enqueue("acme", messages)
    claims = [Claim(subject=row.subject, message=row.message, token=b"t" * 16) for row in messages]
    for row in storage.claim(claims, w.clock(), w.clock()):
        ended_at = w.clock() - timedelta(days=31)
        storage.settle([attrs.evolve(settlement(row, MessageState.ACCEPTED), ended_at=ended_at)])
    return w, storage


@pytest.mark.parametrize("deliver", ["deliver", "deliver_batch"])
def test_what_ended_is_removed_in_small_steps(deliver: str) -> None:
    """
    After what has expired; a message that falls due is sent after the step that is being done by a worker.
    """
    w, storage = ended_long_ago(1200)
    [ada] = people(w, 1)

    def asked() -> None:
        if len(storage.steps) == 2:
            ask(w, ada)

    storage.meanwhile = asked
    done = getattr(w.manager, deliver)()
    assert [0, 500, 500, 200][: len(storage.steps)] == storage.steps
    assert (len(storage.steps), done.total) == ((4, 0) if deliver == "deliver" else (2, 0))
    done = getattr(w.manager, deliver)()
    w.manager.deliver()
    assert (done.accepted, w.manager.backlog()) == (1, {MessageState.ACCEPTED: 1})


def expiring(count: int) -> tuple[World, Tidied]:
    storage = Tidied()
    w = world(storage)
    storage.put_codes(
        [
            StoredCode(key=b"%032d" % number, subject=b"s" * 16, value=b"v", expires_at=w.clock() - timedelta(days=1))
            for number in range(count)
        ]
    )
    return w, storage


NIGHT_AND_DAY = QuietHours(time(0), time(23, 59), channels=[Channel.EMAIL])


@pytest.mark.parametrize(
    ("how", "links"), [("withheld", 0), ("deferred", 0), ("not begun", 0), ("retried", 2), ("accepted", 1)]
)
def test_a_link_that_nobody_was_given_is_not_kept(how: str, links: int) -> None:
    """
    Each claim of a message makes one. What the provider was handed may have been passed on, and can still be opened.
    """
    w = world(quiet_hours=NIGHT_AND_DAY if how == "deferred" else None)
    (ada,) = people(w, 1)
    ask(w, ada)
    if how == "withheld":
        w.manager.record_objection(ada)
    trouble = {"not begun": attrs.evolve(DOWN, begun=False), "retried": attrs.evolve(DOWN, fault=None)}
    w.emails.outcomes.extend([trouble[how]] * 2 if how in trouble else [])
    outcomes = w.manager.deliver()
    w.later(timedelta(hours=2))
    outcomes += w.manager.deliver()
    assert (how == "accepted") == outcomes.accepted
    kept = [row for row in w.storage.rows(RowKind.CODES) if isinstance(row, StoredCode) and row.subject == ada.subject]
    assert len(kept) == links


KEPT = timedelta(days=30)


@pytest.mark.parametrize("deliver", ["deliver", "deliver_batch"])
@pytest.mark.parametrize("kept", [KEPT, timedelta(0)])
def test_what_ended_is_removed_after_its_time(deliver: str, kept: timedelta) -> None:
    """
    Its last instant included. What happened stays in the record, and what is in doubt stays.
    """
    w = world(keep_settled=kept)
    ada, bob, cat = people(w, 3)
    w.emails.outcomes.extend([Receipt(outcome=outcome) for outcome in (Outcome.REFUSED, Outcome.IN_DOUBT)])
    for contact in (ada, bob, cat):
        ask(w, contact)
    w.manager.deliver()
    before = {MessageState.ACCEPTED: 1, MessageState.REFUSED: 1, MessageState.IN_DOUBT: 1}
    w.later(kept)
    getattr(w.manager, deliver)()
    assert before == w.manager.backlog()
    w.later(timedelta(minutes=1, microseconds=1))
    getattr(w.manager, deliver)()
    assert {MessageState.IN_DOUBT: 1} == w.manager.backlog()
    assert isinstance(w.manager.history(ada)[-1], MessageRefused)
    assert w.manager.verify()


def test_what_ended_stays_if_the_host_says_so() -> None:
    w = world(keep_settled=None)
    ask(w, people(w, 1)[0])
    w.manager.deliver()
    w.later(timedelta(days=36500))
    w.manager.deliver()
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1}


def test_what_ended_cannot_be_removed_before_it_did() -> None:
    with pytest.raises(ConfigurationError, match="keep_settled"):
        world(keep_settled=-timedelta(microseconds=1))


def test_a_campaign_that_is_run_again_after_years_asks_nobody_twice() -> None:
    """
    Promise 8: that someone was asked is in their record, not in the outbox alone.
    """
    w = world(keep_settled=timedelta(0))
    contacts = ask_companies(w.manager, 3)
    assert w.manager.deliver().accepted == 3
    w.later()
    w.manager.deliver()
    assert w.manager.backlog() == {}
    again = w.manager.request_consents(contacts, campaign="one", via="email", channels=["email"], purposes=["offers"])
    assert (3, 0) == (again.before, again.asked)
    assert w.manager.deliver().total == 0


def test_a_late_report_finds_a_message_that_was_removed() -> None:
    w = world(keep_settled=timedelta(0))
    (ada,) = people(w, 1)
    ask(w, ada)
    w.manager.deliver()
    w.later()
    w.manager.deliver()
    (message,) = w.emails.outbox
    report = DeliveryEvent(
        id="1",
        backend="memory",
        channel=Channel.EMAIL,
        status=DeliveryStatus.DELIVERED,
        contact=ada.id,
        message=message.id,
        at=w.clock(),
    )
    assert w.manager.receive(report).effect is Effect.RECORDED
    assert w.manager.receive(report).effect is Effect.REPEATED


def test_what_nothing_is_recorded_of_stays_for_people_to_look_at() -> None:
    """
    The row of a message that could never be read is all there is of it.
    """
    w = world(keep_settled=timedelta(0))
    (ada,) = people(w, 1)
    ask(w, ada)
    [(name, queued)] = w.storage._state.outbox.items()  # type: ignore[attr-defined]
    altered = attrs.evolve(queued, message=attrs.evolve(queued.message, body=b"{}"))
    w.storage._state.outbox[name] = altered  # type: ignore[attr-defined]
    w.manager.deliver()
    w.later(timedelta(days=365))
    w.manager.deliver()
    assert w.manager.backlog() == {MessageState.REFUSED: 1}


@pytest.mark.parametrize("deliver", ["deliver", "deliver_batch"])
def test_what_has_expired_is_removed_in_small_steps(deliver: str) -> None:
    """
    A million codes of a campaign that expire at once keep no page waiting for the store.
    """
    w, storage = expiring(2300)
    getattr(w.manager, deliver)()
    assert (sum(storage.steps), max(storage.steps)) == (2300, 500)
    storage.steps.clear()
    w.later(timedelta(minutes=2))
    getattr(w.manager, deliver)()
    assert storage.steps == [0, 0]


def test_a_message_that_is_due_does_not_wait_for_what_has_expired() -> None:
    """
    The worker sends it after the step that is being done, and goes on afterwards.
    """
    w, storage = expiring(2300)
    [ada] = people(w, 1)

    def asked() -> None:
        if len(storage.steps) == 2:
            ask(w, ada)

    storage.meanwhile = asked
    assert w.manager.deliver_batch().total == 0
    assert storage.steps == [500, 500]
    assert w.manager.deliver_batch().accepted == 1
    w.manager.deliver_batch()
    assert sum(storage.steps) == 2300


def test_a_worker_hands_over_one_batch_on_each_channel() -> None:
    """
    So that a long queue on one keeps nobody waiting on the other.
    """
    w = world()
    contacts = people(w, BATCH + 5)
    for contact in contacts:
        ask(w, contact)
    ask(w, contacts[0], via=Channel.SMS, purposes=["news"])
    assert w.manager.deliver_batch().accepted == BATCH + 1
    assert len(w.texts.outbox) == 1
    assert w.manager.deliver_batch().accepted == 5


def test_a_batch_that_somebody_else_changes_a_contact_of_is_recorded_all_the_same() -> None:
    """
    One person answers while the batch is being handed over.
    """
    stops: list[str] = []

    def answer(message: Message) -> Receipt:
        if not stops:
            stops.append(message.contact)
            w.manager.withdraw(Contact(message.contact))
        return Receipt(outcome=Outcome.ACCEPTED)

    backend = ManyAtOnce(answer=answer)
    w = world(backends=[backend])
    contacts = people(w, 3)
    for contact in contacts:
        ask(w, contact)
    assert w.manager.deliver().accepted == 3
    assert all(len(of(w, contact, MessageAccepted)) == 1 for contact in contacts)
    assert w.manager.backlog() == {MessageState.ACCEPTED: 3}
    assert w.manager.verify()


def test_a_backend_that_breaks_its_promise_leaves_the_batch_in_doubt(caplog: pytest.LogCaptureFixture) -> None:
    """
    Nobody knows what it did. Its own words are not repeated, because they may hold an address.
    """

    def fail(message: Message) -> Receipt:
        raise RuntimeError(message.to)

    w = world(backends=[ManyAtOnce(answer=fail)])
    for contact in people(w, 2):
        ask(w, contact)
    assert w.manager.deliver().in_doubt == 2
    assert "@example.com" not in caplog.text


def test_a_backend_that_loses_a_receipt_leaves_the_batch_in_doubt() -> None:
    """
    Nobody knows which one it is.
    """

    class Losing(ManyAtOnce):
        def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
            return super().send_all(messages)[1:]

    w = world(backends=[Losing()])
    for contact in people(w, 3):
        ask(w, contact)
    assert w.manager.deliver().in_doubt == 3


def test_a_backend_with_trouble_is_left_alone() -> None:
    """
    What it has not begun is put back unsaid, and the other channel is not kept waiting.
    """
    w = world()
    contacts = people(w, BATCH + 3)
    for contact in contacts:
        ask(w, contact)
    ask(w, contacts[0], via=Channel.SMS, purposes=["news"])
    w.emails.outcomes.append(DOWN)
    done = w.manager.deliver()
    assert (1, BATCH) == (done.accepted, done.retried)
    assert len(w.emails.attempts) == 1
    assert w.manager.backlog() == {MessageState.QUEUED: BATCH + 3, MessageState.ACCEPTED: 1}
    w.later(timedelta(hours=2))
    assert w.manager.deliver().accepted == BATCH + 3


def test_a_provider_that_asks_for_time_is_given_it() -> None:
    """
    At least that, whatever the dice say.
    """
    w = world()
    (acme,) = people(w, 1)
    ask(w, acme)
    w.emails.outcomes.append(attrs.evolve(DOWN, retry_after=timedelta(hours=5)))
    assert w.manager.deliver().retried == 1
    w.later(timedelta(hours=5) - timedelta(microseconds=1))
    assert w.manager.deliver().total == 0
    w.later(timedelta(microseconds=1))
    assert w.manager.deliver().accepted == 1


@pytest.mark.parametrize(
    ("attempts", "seconds"), [(1, 30), (2, 60), (3, 120), (6, 16 * 60), (7, 30 * 60), (50, 30 * 60), (100, 30 * 60)]
)
def test_waits_double_up_to_an_hour(attempts: int, seconds: int) -> None:
    """
    This is the middle of what chance gives: from a second up to a minute after the first attempt, and so on.
    """
    half = (1 << 31).to_bytes(4)
    assert timedelta(seconds=seconds) == retry_delay(attempts, half)
    assert timedelta(seconds=1) == retry_delay(attempts, bytes(4))
    assert 2 * timedelta(seconds=seconds) - timedelta(milliseconds=1) < retry_delay(attempts, b"\xff" * 4)


def test_everything_is_counted_once() -> None:
    """
    In what a call returns, and when two are added.
    """
    done = Deliveries(accepted=1, refused=2, retried=4, in_doubt=8, withheld=16, deferred=32)
    assert (63, 1 + 2 + 8 + 16) == (done.total, done.finished)
    assert Deliveries(accepted=2, refused=4, retried=8, in_doubt=16, withheld=32, deferred=64) == done + done


def test_a_slow_provider_is_not_given_more_than_the_lease_allows() -> None:
    """
    A message that would be said after half the lease is put back instead.
    """
    clock = FrozenClock()

    def slowly(_message: Message) -> Receipt:
        clock.advance(LEASE / 4)
        return Receipt(outcome=Outcome.ACCEPTED)

    w = world(backends=[MemoryBackend(answer=slowly)], clock=clock)
    for contact in people(w, 5):
        ask(w, contact)
    done = w.manager.deliver_batch()
    assert (3, 2) == (done.accepted, done.retried)


def test_a_record_that_cannot_be_read_stops_nobody_else(caplog: pytest.LogCaptureFixture) -> None:
    """
    The message for it is put off, and the operator is told which record it is.
    """
    storage = Failing()
    w = world(storage)
    good, bad = people(w, 2)
    for contact in (good, bad):
        ask(w, contact)
    storage.damaged = bad.subject
    done = w.manager.deliver()
    assert (1, 1) == (done.accepted, done.deferred)
    assert [bad.id] == [record.__dict__["contact"] for record in caplog.records if "contact" in record.__dict__]


def counts(w: World, state: MessageState = MessageState.QUEUED) -> list[tuple[int, int]]:
    """
    Return how often each message was handed to the provider, and how often it could not be.
    """
    return [(row.attempts, row.tries) for row in w.storage.messages("acme", state, 99)]


def test_an_attempt_counts_once_something_was_handed_over() -> None:
    """
    Days without a provider leave a message all its attempts.
    """
    away = Receipt(outcome=Outcome.RETRY_LATER, reply="no connection", fault=Fault.BACKEND, begun=False)
    w = world(backends=[MemoryBackend(answer=lambda _message: away)])
    (backend,) = w.manager.backends
    assert isinstance(backend, MemoryBackend)
    (acme,) = people(w, 1)
    ask(w, acme)
    for _ in range(MAX_ATTEMPTS):
        assert w.manager.deliver().retried == 1
        w.later(timedelta(hours=1))
    assert [(0, MAX_ATTEMPTS)] == counts(w)
    backend.answer = lambda _message: DOWN
    assert w.manager.deliver().retried == 1
    assert [(1, MAX_ATTEMPTS)] == counts(w)


def test_what_can_never_be_handed_over_is_put_aside() -> None:
    """
    After a bound of its own, and the record says so.
    """
    away = Receipt(outcome=Outcome.RETRY_LATER, reply="no connection", fault=Fault.BACKEND, begun=False)
    w = world(backends=[MemoryBackend(answer=lambda _message: away)])
    (acme,) = people(w, 1)
    ask(w, acme, expires_within=timedelta(days=60))
    for _ in range(MAX_TRIES - 1):
        assert w.manager.deliver().retried == 1
        w.later(timedelta(hours=1))
    assert w.manager.deliver().refused == 1
    (refused,) = of(w, acme, MessageRefused)
    assert ["gave up after it could not be sent 200 times; the last reply was: no connection"] == list(
        refused.personal.values()
    )
    assert [(0, MAX_TRIES)] == counts(w, MessageState.REFUSED)


def test_a_record_that_can_never_be_read_is_put_aside() -> None:
    """
    After the same bound; not before.
    """
    storage = Failing()
    w = world(storage)
    (bad,) = people(w, 1)
    ask(w, bad)
    storage.damaged = bad.subject
    for _ in range(MAX_TRIES - 1):
        assert w.manager.deliver().deferred == 1
        w.later(timedelta(hours=1))
    assert w.manager.deliver().refused == 1
    assert {MessageState.REFUSED: 1} == w.manager.backlog()


def test_waiting_for_the_right_hour_counts_for_nothing() -> None:
    """
    However often it is put off.
    """
    w = world(quiet_hours=QuietHours(time(0), time(0), channels=[Channel.EMAIL], days=range(6)))
    (acme,) = people(w, 1)
    ask(w, acme)
    for _ in range(3):
        w.manager.deliver()
        w.later(timedelta(days=7))
    assert [(0, 0)] == counts(w)


@pytest.mark.parametrize("body", [b"", b"{", b'{"kind": "letter"}', b"\xff"])
@pytest.mark.parametrize("overdue", [False, True])
def test_a_message_that_cannot_be_read_stops_nobody_else(
    body: bytes, overdue: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """
    It is taken out of the way, and the operator is told which one it is.
    """
    storage = Tampered()
    w = world(storage)
    good, bad = people(w, 2)
    for contact in (good, bad):
        ask(w, contact)
    storage.tampered = {bad.subject: body}
    if overdue:
        (message,) = [m for m in storage.due("acme", Channel.EMAIL, w.clock(), 9) if m.subject == bad.subject]
        storage.claim([Claim(subject=message.subject, message=message.message, token=bytes(16))], w.clock(), w.clock())
        w.later()
    assert w.manager.deliver().accepted == 1
    assert [bad.id] == [record.__dict__["contact"] for record in caplog.records if "contact" in record.__dict__]
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1, MessageState.REFUSED: 1}
    assert w.manager.deliver().total == 0


def test_what_fails_before_anything_is_handed_over_puts_the_batch_back() -> None:
    """
    Nothing is in doubt, because nothing was said.
    """
    storage = Failing()
    w = world(storage)
    for contact in people(w, 3):
        ask(w, contact)
    storage.broken = True
    with pytest.raises(StorageUnavailableError, match="boom"):
        w.manager.deliver()
    storage.broken = False
    assert w.manager.backlog() == {MessageState.QUEUED: 3}
    w.later()
    assert w.manager.deliver().accepted == 3


def test_workers_at_once_hand_each_message_over_once(tmp_path: Any) -> None:
    """
    Threads with managers of their own on one database.
    """
    url = f"sqlite:///{tmp_path}/optly.db"
    backend = ManyAtOnce()
    with world(SQLStorage(url), backends=[backend]).manager as first:
        w = World(manager=first, storage=first._storage, clock=FrozenClock(), emails=backend, texts=backend)
        contacts = people(w, 300)
        for contact in contacts:
            ask(w, contact)

        def deliver() -> None:
            with world(SQLStorage(url), backends=[backend]).manager as manager:
                while manager.deliver_batch().total or MessageState.QUEUED in manager.backlog():
                    pass

        threads = [threading.Thread(target=deliver) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(contact.id for contact in contacts) == sorted(message.contact for message in backend.outbox)
        assert first.backlog() == {MessageState.ACCEPTED: 300}


# ---- how fast, when, how often


def test_a_rate_is_kept_over_the_whole_channel() -> None:
    """
    By all workers together, and only on that channel.
    """
    storage = MemoryStorage()
    rates = [Rate(limit=5, per=timedelta(seconds=10), channel=Channel.EMAIL)]
    w = world(storage, rates=rates)
    other = world(storage, clock=w.clock, rates=rates)
    contacts = people(w, 12)
    for contact in contacts:
        ask(w, contact)
        ask(w, contact, via=Channel.SMS, purposes=["news"])
    done = w.manager.deliver()
    assert (5, 12) == (len(w.emails.outbox), len(w.texts.outbox))
    assert done.accepted == 17
    assert other.manager.deliver().total == 0
    w.later(timedelta(seconds=10))
    assert other.manager.deliver().accepted == 5
    w.later(timedelta(seconds=10))
    assert w.manager.deliver().accepted == 2


def test_a_rate_is_kept_for_a_domain() -> None:
    """
    What is beyond it is spread over the times in which there is room, and others do not wait.
    """
    w = world(rates=[Rate(limit=2, per=timedelta(minutes=1), domain="EXAMPLE.com")])
    contacts = people(w, 7)
    contacts.append(w.manager.add_contact(email="a@sub.example.com", subscriber=Subscriber.COMPANY))
    for contact in contacts:
        ask(w, contact)
    done = w.manager.deliver()
    assert (3, 5) == (done.accepted, done.deferred)
    sent = []
    for _ in range(4):
        w.later(timedelta(minutes=1))
        sent.append(w.manager.deliver().accepted)
    assert [2, 2, 1, 0] == sent


NIGHT = QuietHours(start=time(20), end=time(8), channels=(Channel.SMS,))


def test_nothing_that_promotes_goes_out_at_night() -> None:
    """
    It goes out in the morning. What a person is owed, such as a receipt, does not wait; nor does another channel.
    """
    clock = FrozenClock(datetime(2026, 11, 24, 20, 0, tzinfo=UTC))
    w = world(quiet_hours=NIGHT, clock=clock)
    (acme,) = people(w, 1)
    ask(w, acme, via=Channel.SMS)
    ask(w, acme, purposes=["news"])
    done = w.manager.deliver()
    assert (1, 1) == (done.accepted, done.deferred)
    w.later(timedelta(hours=12) - timedelta(microseconds=1))
    assert w.manager.deliver().total == 0
    w.later(timedelta(microseconds=1))
    assert w.manager.deliver().accepted == 1
    clock.advance(timedelta(hours=14))
    w.manager.answer(code_in(w.texts.outbox[-1]), {EMAIL_OFFERS: True})
    assert w.manager.deliver().accepted == 1


def test_a_person_is_asked_no_more_than_the_budget_allows() -> None:
    """
    Over all campaigns, and until the first of them is long enough ago.
    """
    w = world(budget=Budget(2, timedelta(days=30)))
    (acme,) = people(w, 1)
    for purpose in ("offers", "news"):
        ask(w, acme, purposes=[purpose])
        w.later(timedelta(days=1))
    before = w.manager.history(acme)
    with pytest.raises(NotPermittedError) as caught:
        ask(w, acme)
    assert caught.value.decision.reason is Reason.ASKED_ENOUGH
    assert [question.seq for question in w.manager.standing(acme).questions] == list(caught.value.decision.evidence)
    assert before == w.manager.history(acme)
    w.later(timedelta(days=28) - timedelta(microseconds=1))
    with pytest.raises(NotPermittedError):
        ask(w, acme)
    w.later(timedelta(microseconds=1))
    ask(w, acme)


def test_who_asks_to_be_asked_is_asked() -> None:
    """
    Their own wish is not a matter of our budget.
    """
    w = world(budget=Budget(1, timedelta(days=30)))
    ada = w.add()
    for _ in range(2):
        ask(w, ada, basis=Solicited(how="form", at=w.clock()))
        w.later()


# ---- reminders


def test_who_has_not_answered_is_reminded_once() -> None:
    """
    With a link that answers the same question. The record of the question says that a reminder was to come.
    """
    w = world()
    (acme,) = people(w, 1)
    ask(w, acme, remind_after=timedelta(days=7))
    (asked,) = of(w, acme, ConsentRequested)
    assert w.clock() + timedelta(days=7) == asked.remind_at
    assert w.manager.deliver().accepted == 1
    w.later(timedelta(days=7) - timedelta(microseconds=1))
    assert w.manager.deliver().total == 0
    w.later(timedelta(microseconds=1))
    assert w.manager.deliver().accepted == 1
    first, second = w.emails.outbox
    assert f"Reminder from {first.subject}" == second.subject
    assert code_in(first) != code_in(second)
    assert len({event.question for event in of(w, acme, MessageAccepted)}) == 1
    w.later(timedelta(days=20))
    assert w.manager.deliver().total == 0
    w.manager.answer(code_in(second), {EMAIL_OFFERS: True})
    with pytest.raises(Exception, match="answered already"):
        w.manager.answer(code_in(first), {EMAIL_OFFERS: True})


@pytest.mark.parametrize("answer", [True, False, None])
def test_who_has_answered_is_not_reminded(answer: bool | None) -> None:
    """
    Whatever they said, a stop among it. Nothing is recorded of what did not have to be sent.
    """
    w = world(receipts=False)
    (acme,) = people(w, 1)
    ask(w, acme, remind_after=timedelta(days=7))
    w.manager.deliver()
    if answer is None:
        w.manager.withdraw(acme)
    else:
        w.manager.answer(code_in(w.emails.outbox[0]), {EMAIL_OFFERS: answer})
    before = w.manager.history(acme)
    w.later(timedelta(days=8))
    assert w.manager.deliver().withheld == 1
    assert len(w.emails.outbox) == 1
    assert before == w.manager.history(acme)
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1, MessageState.WITHHELD: 1}


def test_a_wish_is_answered_once_and_not_reminded_of() -> None:
    """
    Somebody who asked to be asked has been asked. A second message would be one they did not ask for.
    """
    w = world()
    ada = w.add()
    ask(w, ada, basis=Solicited(how="form", at=w.clock()), remind_after=timedelta(days=7))
    (asked,) = of(w, ada, ConsentRequested)
    assert asked.remind_at is None
    assert w.manager.backlog() == {MessageState.QUEUED: 1}


@pytest.mark.parametrize("after", [timedelta(0), timedelta(days=30), timedelta(days=-1)])
def test_a_reminder_comes_between_the_question_and_its_end(after: timedelta) -> None:
    """
    Anything else is a mistake, and nothing is asked.
    """
    w = world()
    (acme,) = people(w, 1)
    with pytest.raises(UsageError, match="reminder"):
        ask(w, acme, remind_after=after)
    assert w.manager.backlog() == {}


# ---- dead letters and doubts


def test_a_dead_letter_says_why() -> None:
    """
    In the provider's own words.
    """
    w = world()
    (acme,) = people(w, 1)
    ask(w, acme)
    w.emails.outcomes.append(Receipt(outcome=Outcome.REFUSED, reply="554 5.7.1 no", code=554, status="5.7.1"))
    w.manager.deliver()
    (letter,) = w.manager.outbox_messages(MessageState.REFUSED)
    (refused,) = of(w, acme, MessageRefused)
    assert (refused.message, acme, "email", 1) == (letter.message, letter.contact, letter.channel, letter.attempts)
    assert letter.why == "554 5.7.1 no"
    assert "554 5.7.1" not in repr(letter)
    assert w.manager.outbox_messages(MessageState.QUEUED) == []


def test_what_was_withheld_says_why() -> None:
    """
    The reason the gate gave.
    """
    w = world()
    (acme,) = people(w, 1)
    ask(w, acme)
    w.manager.withdraw(acme)
    w.manager.deliver()
    assert ["too_late"] == [letter.why for letter in w.manager.outbox_messages(MessageState.WITHHELD)]
    assert len(of(w, acme, MessageWithheld)) == 1


def doubted(backend: MemoryBackend) -> tuple[World, Contact]:
    w = world(backends=[backend])
    (acme,) = people(w, 1)
    ask(w, acme, via=backend.channel)
    return w, acme


def test_a_doubt_that_nobody_can_look_into_stays() -> None:
    """
    It is not sent again, even if that is asked for.
    """
    w, acme = doubted(MemoryBackend(outcomes=[GONE]))
    assert w.manager.deliver().in_doubt == 1
    w.later(timedelta(days=1))
    (doubt,) = w.manager.reconcile(resend=True)
    assert (acme, DoubtFinding.UNKNOWN, False) == (doubt.contact, doubt.finding, doubt.resent)
    assert w.manager.deliver().total == 0
    assert w.manager.backlog() == {MessageState.IN_DOUBT: 1}


def test_what_the_provider_has_was_sent() -> None:
    """
    The link in it tells that it is the very message.
    """
    backend = Tracing(Channel.SMS, outcomes=[GONE])
    w, acme = doubted(backend)
    due_at = w.clock()
    w.manager.deliver()
    (doubt,) = w.manager.reconcile()
    assert doubt.finding is DoubtFinding.SENT
    assert due_at - timedelta(minutes=5) == backend.traced_since
    (accepted,) = of(w, acme, MessageAccepted)
    assert ("SM1", doubt.message) == (accepted.provider_id, accepted.message)
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1}
    assert w.manager.reconcile() == []


def test_what_the_provider_does_not_have_is_sent_again_if_that_is_asked_for() -> None:
    """
    Not before a while has passed, because its list may lag.
    """
    backend = Tracing(Channel.SMS, outcomes=[GONE])
    w, acme = doubted(backend)
    w.manager.deliver()
    backend.outbox.clear()
    w.later(timedelta(minutes=15) - timedelta(microseconds=1))
    assert [DoubtFinding.UNKNOWN] == [doubt.finding for doubt in w.manager.reconcile(resend=True)]
    w.later(timedelta(microseconds=1))
    assert [(DoubtFinding.NOT_SENT, False)] == [(d.finding, d.resent) for d in w.manager.reconcile()]
    assert [(DoubtFinding.NOT_SENT, True)] == [(d.finding, d.resent) for d in w.manager.reconcile(resend=True)]
    assert w.manager.deliver().accepted == 1
    assert [m.id for m in backend.outbox] == [of(w, acme, MessageDoubted)[0].message]


def test_what_was_sent_again_and_is_in_doubt_again_waits_again() -> None:
    """
    The provider's list may lag after the second attempt as well.
    """
    backend = Tracing(Channel.SMS, answer=lambda _message: GONE)
    w, _ = doubted(backend)
    for _ in range(2):
        w.manager.deliver()
        backend.outbox.clear()
        assert [DoubtFinding.UNKNOWN] == [doubt.finding for doubt in w.manager.reconcile(resend=True)]
        w.later(timedelta(minutes=15))
        assert [DoubtFinding.NOT_SENT] == [doubt.finding for doubt in w.manager.reconcile(resend=True)]


def test_other_links_in_a_text_are_passed_over() -> None:
    """
    Such as one that is cut short, or that was made by somebody else.
    """
    backend = Tracing(Channel.SMS, outcomes=[GONE])
    w, _ = doubted(backend)
    w.manager.deliver()
    page = "https://acme.example.com/my/l/"
    backend.outbox[0] = attrs.evolve(backend.outbox[0], text=f"{page}short {page}{'0' * 16} {backend.outbox[0].text}")
    assert [DoubtFinding.SENT] == [doubt.finding for doubt in w.manager.reconcile()]


def test_a_provider_that_cannot_be_asked_proves_nothing() -> None:
    """
    Its silence is no answer.
    """
    backend = Tracing(Channel.SMS, outcomes=[GONE])
    w, _ = doubted(backend)
    w.manager.deliver()
    backend.outbox.clear()
    backend.down = True
    w.later(timedelta(days=1))
    assert [DoubtFinding.UNKNOWN] == [doubt.finding for doubt in w.manager.reconcile(resend=True)]


def test_a_doubt_that_cannot_be_read_keeps_no_other_from_being_settled() -> None:
    """
    It stays, and the next one is looked into.
    """
    storage = Tampered()
    w = world(storage, backends=[MemoryBackend(outcomes=[GONE, GONE])])
    good, bad = people(w, 2)
    for contact in (good, bad):
        ask(w, contact)
    assert w.manager.deliver().in_doubt == 2
    told = DeliveryEvent(
        id="1",
        backend="memory",
        channel=Channel.EMAIL,
        status=DeliveryStatus.DELIVERED,
        contact=good.id,
        message=of(w, good, MessageDoubted)[0].message,
        at=w.clock(),
    )
    w.manager.receive(told)
    storage.tampered = {bad.subject: b"{"}
    found = {doubt.contact: doubt.finding for doubt in w.manager.reconcile()}
    assert {good: DoubtFinding.SENT, bad: DoubtFinding.UNKNOWN} == found


def test_another_message_to_the_same_number_is_not_taken_for_it() -> None:
    """
    It carries another link.
    """
    backend = Tracing(Channel.SMS)
    w, acme = doubted(backend)
    w.manager.deliver()
    w.later()
    backend.answer = lambda message: Receipt(outcome=Outcome.IN_DOUBT)
    ask(w, acme, via=Channel.SMS, purposes=["news"])
    w.manager.deliver()
    backend.outbox.pop()
    w.later(timedelta(days=1))
    assert [DoubtFinding.NOT_SENT] == [doubt.finding for doubt in w.manager.reconcile()]


def test_a_doubt_is_settled_by_what_is_told_later() -> None:
    """
    A message that was delivered was sent.
    """
    w, acme = doubted(MemoryBackend(outcomes=[GONE]))
    w.manager.deliver()
    message = of(w, acme, MessageDoubted)[0].message
    told = DeliveryEvent(
        id="1",
        backend="memory",
        channel=Channel.EMAIL,
        status=DeliveryStatus.DELIVERED,
        contact=acme.id,
        message=message,
        at=w.clock(),
    )
    w.manager.receive(told)
    assert [DoubtFinding.SENT] == [doubt.finding for doubt in w.manager.reconcile()]
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1}


@pytest.mark.parametrize("sent", [True, False])
def test_a_doubt_is_settled_by_somebody_who_knows(sent: bool) -> None:
    """
    It was sent, or it goes out again.
    """
    w, acme = doubted(MemoryBackend(outcomes=[GONE]))
    w.manager.deliver()
    message = of(w, acme, MessageDoubted)[0].message
    assert not w.manager.resolve_doubt(acme, "0" * 32, sent=sent)
    assert not w.manager.resolve_doubt(Contact("0" * 32), message, sent=sent)
    assert w.manager.resolve_doubt(acme, message, sent=sent)
    assert not w.manager.resolve_doubt(acme, message, sent=sent)
    assert (0 if sent else 1) == w.manager.deliver().accepted
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1}
    assert len(of(w, acme, MessageAccepted)) == 1


def test_a_worker_that_was_only_slow_settles_its_own_doubt() -> None:
    """
    It was taken for dead, and knows better.
    """
    clock = FrozenClock()
    w: World

    def slowly(_message: Message) -> Receipt:
        clock.advance(LEASE + timedelta(microseconds=1))
        assert w.manager.deliver().in_doubt == 1
        return Receipt(outcome=Outcome.ACCEPTED)

    w = world(backends=[MemoryBackend(answer=slowly)], clock=clock)
    (acme,) = people(w, 1)
    ask(w, acme)
    assert w.manager.deliver().accepted == 1
    assert (1, 1) == (len(of(w, acme, MessageDoubted)), len(of(w, acme, MessageAccepted)))
    assert w.manager.backlog() == {MessageState.ACCEPTED: 1}


def test_a_long_text_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    """
    With the character that made it two, and without a word of it.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    caplog.clear()
    w.manager.send(ada, "sms", "offers", "Caffè “Ŵyl”")
    w.manager.deliver()
    (record,) = [r for r in caplog.records if "several parts" in r.message]
    assert record.__dict__["parts"] == 2
    assert str(record.__dict__["character"]) == "U+201C “"
    assert PHONE not in caplog.text


class TwoWayBackend(MemoryBackend):
    """
    Texts that can be answered by a text.
    """

    takes_replies = True


@pytest.mark.parametrize("kind", [MemoryBackend, TwoWayBackend])
def test_the_default_question_fits_one_part(kind: type[MemoryBackend], caplog: pytest.LogCaptureFixture) -> None:
    """
    With its link, whether or not it can be answered by a text.
    """
    texts = kind(channel=Channel.SMS)
    w = world(backends=[texts])
    ada = w.add()
    w.manager.request_consent(
        ada,
        via=Channel.SMS,
        channels=[Channel.SMS],
        purposes=["offers"],
        basis=Solicited(how="form", at=w.clock()),
    )
    w.manager.deliver()
    (message,) = texts.outbox
    assert ("Reply YES or STOP" in message.text) is (kind is TwoWayBackend)
    assert (Encoding.GSM, 1) == (segments(message.text).encoding, segments(message.text).count)
    assert not [r for r in caplog.records if "several parts" in r.message]
