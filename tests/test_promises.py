"""
The promises of the product, each as a property that random histories have to keep.

Promise 10 (nothing lost) has further tests in test_crash. Several people on a line, and two organisations on a store,
are in test_households.
"""

from __future__ import annotations

import contextlib
import logging
import pickle
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from stores import STORES, opened
from thorough import examples
from world import EMAIL, KEYS, PHONE, PURPOSES, World, world

from optly import (
    Act,
    Actor,
    Channel,
    Contact,
    Content,
    Context,
    Keys,
    MessageKind,
    NotPermittedError,
    Organisation,
    Solicited,
    Subscriber,
    Wording,
)
from optly.contacts import ELECTRONIC_MAIL
from optly.errors import ConflictError, LinkError, OptlyError, StorageUnavailableError
from optly.messages import InboundMessage, Message, Outcome, Receipt
from optly.protocols import Commit, MessageState
from optly.protocols.http import Request
from optly.record.events import ConsentGiven, ConsentRefused, ConsentRequested
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.messages import code_in, stop_token_in

CHANNELS = (Channel.EMAIL, Channel.SMS)
KEYS_OF_PURPOSES = tuple(purpose.key for purpose in PURPOSES)
SCOPES = [(channel, purpose) for channel in CHANNELS for purpose in KEYS_OF_PURPOSES]
WORDING = Wording(text="May Acme Ltd send you offers and news by email, text message, telephone and post?")

channels = st.sampled_from([[], [Channel.EMAIL], [Channel.SMS], list(CHANNELS)])
purposes = st.sampled_from([[], ["offers"], ["news"], list(KEYS_OF_PURPOSES)])
scopes = st.sampled_from(SCOPES)


@attrs.define
class History:
    """
    A world with one contact, and the links that were ever sent to her.
    """

    w: World
    ada: Contact
    codes: list[str] = attrs.field(factory=list)

    @classmethod
    def begin(cls, **settings: Any) -> History:
        w = world(**settings)
        return cls(w, w.add())

    def allowed(self, channel: Channel, purpose: str) -> bool:
        return self.w.manager.check(EMAIL if channel is Channel.EMAIL else PHONE, channel, purpose).allowed

    def permitted(self) -> set[tuple[Channel, str]]:
        return {scope for scope in SCOPES if self.allowed(*scope)}

    def choose(self, scope: tuple[Channel, str], answer: bool) -> None:
        # Through a link for the line that it is about: one for another lifts no stop there.
        self.w.manager.choose(self.w.manager.link(self.ada, scope[0]).rpartition("/")[2], {scope: answer})


Step = Callable[[History], object]


def ask(channels: list[Channel], purposes: list[str]) -> Step:
    def step(history: History) -> None:
        with contextlib.suppress(NotPermittedError):
            message = history.w.ask(history.ada, channels=channels, purposes=purposes)
            history.codes.append(code_in(message))

    return step


def answer(index: int, yes: bool) -> Step:
    def step(history: History) -> None:
        if history.codes:
            code = history.codes[index % len(history.codes)]
            with contextlib.suppress(LinkError):
                items = history.w.manager.open(code).items
                history.w.manager.answer(code, {item.key: yes for item in items})

    return step


def by_staff(channel: Channel, purpose: str, ago: int) -> Step:
    def step(history: History) -> None:
        history.w.manager.record_consent(
            history.ada,
            channels=[channel],
            purposes=[purpose],
            wording=WORDING,
            act=Act.TICKED_BOX,
            how="an imported list",
            at=history.w.clock() - timedelta(minutes=ago),
        )

    return step


def sold(channel: Channel, purpose: str) -> Step:
    return lambda history: history.w.manager.record_soft_opt_in(
        history.ada,
        channels=[channel],
        similar_purposes=[purpose],
        goods="books",
        at=history.w.clock(),
        refusal_offered=True,
    )


def stop(channels: list[Channel], purposes: list[str], objection: bool) -> Step:
    def step(history: History) -> None:
        call = history.w.manager.record_objection if objection else history.w.manager.withdraw
        call(history.ada, channels=channels, purposes=purposes)

    return step


def own(scope: tuple[Channel, str], yes: bool) -> Step:
    return lambda history: history.choose(scope, yes)


def wait(minutes: int) -> Step:
    return lambda history: history.w.later(timedelta(minutes=minutes))


def by_another_clock(step: Step, seconds: int) -> Step:
    """
    Let another server take the step, whose clock is apart from ours.
    """

    def elsewhere(history: History) -> None:
        history.w.later(timedelta(seconds=seconds))
        try:
            step(history)
        finally:
            history.w.later(timedelta(seconds=-seconds))

    return elsewhere


def set_back(minutes: int) -> Step:
    return lambda history: history.w.later(timedelta(minutes=-minutes))


def imported_again() -> Step:
    return lambda history: history.w.add(subscriber=Subscriber.COMPANY, language="cy")


def marketed(channel: Channel, purpose: str) -> Step:
    def step(history: History) -> None:
        with contextlib.suppress(NotPermittedError):
            history.w.manager.send(history.ada, channel, purpose, Content(subject="Hi", text="Hello"))
        history.w.manager.deliver()

    return step


full = st.tuples(channels.filter(bool), purposes.filter(bool))
asks = st.builds(lambda pair: ask(*pair), full)
answers = st.builds(answer, st.integers(0, 9), st.booleans())
staff = st.builds(by_staff, st.sampled_from(CHANNELS), st.sampled_from(KEYS_OF_PURPOSES), st.integers(0, 90))
sales = st.builds(sold, st.sampled_from(CHANNELS), st.sampled_from(KEYS_OF_PURPOSES))
stops = st.builds(stop, channels, purposes, st.booleans())
owns = st.builds(own, scopes, st.booleans())
waits = st.builds(wait, st.integers(0, 60))
imports = st.builds(imported_again)
marketings = st.builds(marketed, st.sampled_from(CHANNELS), st.sampled_from(KEYS_OF_PURPOSES))

anything_once = st.one_of(asks, answers, staff, sales, stops, owns, waits, imports, marketings)
not_her_own_once = st.one_of(staff, sales, stops, waits, imports, marketings, asks)
# The clocks of two servers, which the stream is to be put in order without.
apart = st.integers(-5, 5)
anything = st.lists(anything_once | st.builds(by_another_clock, anything_once, apart), max_size=12)
not_her_own = st.lists(not_her_own_once | st.builds(by_another_clock, not_her_own_once, apart), max_size=8)
# One clock that is set back by any time between them.
clock_set_back = st.lists(anything_once | st.builds(set_back, st.integers(0, 90)), max_size=12)


def run(history: History, steps: list[Step]) -> History:
    for step in steps:
        step(history)
    return history


@given(anything | clock_set_back, channels, purposes, st.booleans(), apart | st.just(-3600))
def test_promise_1_a_stop_wins(
    steps: list[Step], channels: list[Channel], purposes: list[str], objection: bool, seconds: int
) -> None:
    """
    After a stop nothing it covers may be sent, whatever came before, even at the same instant, and whatever the clock
    says that it is recorded by.
    """
    history = run(History.begin(), steps)
    by_another_clock(stop(channels, purposes, objection), seconds)(history)
    for channel, purpose in SCOPES:
        if (not channels or channel in channels) and (not purposes or purpose in purposes):
            assert not history.allowed(channel, purpose)
            with pytest.raises(NotPermittedError):
                history.w.manager.send(history.ada, channel, purpose, Content(subject="Hi", text="Hello"))


@given(anything, scopes, not_her_own)
def test_promise_2_only_the_person_lifts_a_stop(
    before: list[Step], scope: tuple[Channel, str], after: list[Step]
) -> None:
    """
    Nothing that anybody else does, and no older act of hers that is told late, allows again what she stopped. Her own
    later yes does, for what it names and for nothing else.
    """
    history = run(History.begin(), before)
    channel, purpose = scope
    stopped_at = history.w.clock()
    history.w.manager.record_objection(history.ada)
    run(history, after)
    assert history.permitted() == set()
    history.w.manager.record_consent(
        history.ada,
        channels=[channel],
        purposes=[purpose],
        wording=WORDING,
        act=Act.CHOSE_YES,
        how="told late",
        at=stopped_at - timedelta(minutes=1),
        actor=Actor.PERSON,
    )
    assert history.permitted() == set()
    history.w.later()
    history.choose(scope, True)
    assert history.permitted() == {scope}


@given(anything | clock_set_back, st.lists(st.tuples(scopes, st.booleans(), apart), min_size=1, max_size=6))
def test_promise_1_what_she_chose_last_counts(
    before: list[Step], choices: list[tuple[tuple[Channel, str], bool, int]]
) -> None:
    """
    Whatever the clocks of the servers say that her answers reach one after the other. What she chose is sent at once,
    by any of them.
    """
    history = run(History.begin(), before)
    chosen: dict[tuple[Channel, str], bool] = {}
    for scope, yes, seconds in choices:
        history.w.later(timedelta(microseconds=1))
        by_another_clock(own(scope, yes), seconds)(history)
        chosen[scope] = yes
        assert {scope: history.allowed(*scope) for scope in chosen} == chosen
    for scope, yes in chosen.items():
        if yes:
            history.w.manager.send(history.ada, *scope, Content(subject="Hi", text="What she chose"))
    history.w.manager.deliver()
    sent = [message for message in (*history.w.emails.outbox, *history.w.texts.outbox) if "she chose" in message.text]
    assert len(sent) == sum(chosen.values())


def one_click(history: History) -> None:
    headers = history.w.manager.unsubscribe_headers(history.ada, "offers")["List-Unsubscribe"]
    history.w.manager.stop_by_token(headers.strip("<>").rpartition("/")[2])


def texted(history: History) -> None:
    history.w.manager.receive(
        InboundMessage(
            id=str(history.w.clock()),
            backend="memory",
            channel=Channel.SMS,
            sender=PHONE,
            text="STOP",
            at=history.w.clock(),
        )
    )


def for_the_domain(history: History) -> None:
    history.w.manager.record_domain_objection("example.com", how="letter")


# How someone stops, and the channels that stops.
WAYS: list[tuple[Step, list[Channel]]] = [
    (one_click, [Channel.EMAIL]),
    (for_the_domain, [Channel.EMAIL]),
    (texted, [channel for channel in ELECTRONIC_MAIL if channel.kind is Channel.SMS.kind]),
]


@given(anything, st.sampled_from(WAYS), apart)
def test_promise_1_a_stop_wins_whichever_way_it_comes(
    steps: list[Step], way: tuple[Step, list[Channel]], seconds: int
) -> None:
    """
    One click and a domain's stop cover all email, STOP to a text every message to that number, whatever came before and
    whatever the clock of the server says that it reaches.
    """
    history = run(History.begin(), steps)
    stopping, covered = way
    by_another_clock(stopping, seconds)(history)
    for channel in covered:
        for purpose in KEYS_OF_PURPOSES:
            assert not history.allowed(channel, purpose)


@given(anything, st.sampled_from(WAYS), not_her_own, st.booleans())
def test_promise_2_a_stop_stays_when_the_line_is_changed(
    before: list[Step], way: tuple[Step, list[Channel]], after: list[Step], by_staff: bool
) -> None:
    """
    Whoever changes it, and whatever others record afterwards. Her own later yes lifts it for what it names.
    """
    history = run(History.begin(), before)
    w, (stopping, covered) = history.w, way
    stopping(history)
    w.manager.change_details(
        history.ada,
        email="ada@moved.example.com",
        phone="+447911123457",
        actor=Actor.STAFF if by_staff else Actor.PERSON,
    )
    run(history, after)
    for channel in covered:
        for purpose in KEYS_OF_PURPOSES:
            assert not w.manager.check(history.ada, channel, purpose)
    w.later(timedelta(days=1))
    shown = Channel.EMAIL if Channel.EMAIL in covered else Channel.SMS
    history.choose((shown, "offers"), True)
    assert w.manager.check(history.ada, shown, "offers")


METHODS = st.sampled_from(["GET", "HEAD"])
TAILS = st.sampled_from(["", "/", "/stop", "/u", "/../stop", "?confirm=true&email.offers=yes", "?answer=yes"])


@pytest.mark.slow
@given(anything, METHODS, TAILS, st.integers(0, 20))
def test_promise_3_opening_is_not_answering(steps: list[Step], method: str, tail: str, index: int) -> None:
    """
    GET and HEAD change nothing on any address that was ever sent, with anything put behind it.
    """
    history = run(History.begin(), steps)
    w = history.w
    message = None
    with contextlib.suppress(NotPermittedError):
        message = w.ask(history.ada)
    messages = w.emails.outbox
    if not messages:
        return
    found = [url for m in messages for url in re.findall(r"https://acme\.example\.com/my(/[lu]/[\w.-]+)", m.text)]
    path, _, query = (found[index % len(found)] + tail).partition("?")
    before = pickle.dumps((w.manager.history(history.ada), w.manager.standing(history.ada)))
    w.manager.portal().handle(Request(method=method, path=path, query=query))
    assert before == pickle.dumps((w.manager.history(history.ada), w.manager.standing(history.ada)))
    assert message is None or w.manager.open(code_in(message)).items


@given(anything)
def test_promise_4_an_answer_is_bound_to_its_question(steps: list[Step]) -> None:
    """
    Every yes names the wording, channel, purpose and line of the question it answers, and after a withdrawal no link
    that was ever sent gives anything back.
    """
    history = run(History.begin(), steps)
    events = history.w.manager.history(history.ada)
    asked = {event.question: event for event in events if isinstance(event, ConsentRequested)}
    for event in events:
        if isinstance(event, ConsentGiven | ConsentRefused) and event.question is not None:
            assert set(event.choices) <= set(asked[event.question].choices)
            assert event.occurred_at <= asked[event.question].expires_at
    history.w.later()
    history.w.manager.withdraw(history.ada)
    for code in history.codes:
        with pytest.raises(LinkError):
            history.w.manager.answer(code, dict.fromkeys(SCOPES, True))
        with pytest.raises(LinkError):
            history.w.manager.open(code)
    assert history.permitted() == set()


@given(anything, st.sampled_from(CHANNELS), full, st.booleans())
def test_promise_5_asking_is_marketing(
    steps: list[Step], via: Channel, asked: tuple[list[Channel], list[str]], solicited: bool
) -> None:
    """
    Without having been asked for, a question goes out only where a marketing message of each purpose might, and never
    about something that was stopped.
    """
    history = run(History.begin(), steps)
    w, (chs, keys) = history.w, asked
    standing = w.manager.standing(history.ada)
    stopped = any(
        standing.stop(channel, key, 1 if channel is Channel.EMAIL else 2, w.clock())
        for key in keys
        for channel in (*chs, via)
    )
    marketing = all(history.allowed(via, key) for key in keys)
    basis = Solicited(how="form", at=w.clock()) if solicited else None
    permitted = True
    try:
        w.manager.request_consent(history.ada, via=via, channels=chs, purposes=keys, basis=basis)
    except NotPermittedError:
        permitted = False
    assert permitted is (not stopped and (solicited or marketing))


OUTCOMES = st.lists(st.sampled_from([*Outcome, "crash before", "crash after"]), max_size=6)


@given(anything, scopes, st.sampled_from(MessageKind))
def test_promise_6_one_gate(steps: list[Step], scope: tuple[Channel, str], kind: MessageKind) -> None:
    """
    The one answer is given about the contact, about the address, in a list, and at the door of `send`,
    and says what it rests on. No kind of message passes because nothing was said of it, where marketing would not.
    """
    history = run(History.begin(), steps)
    manager, (channel, purpose) = history.w.manager, scope
    address = EMAIL if channel is Channel.EMAIL else PHONE
    decision = manager.check(history.ada, channel, purpose, kind=kind)
    assert decision == manager.check(address, channel, purpose, kind=kind)
    assert [decision] == list(manager.screen([address], channel, purpose, kind=kind))
    assert decision.edition
    assert decision.regulation
    assert decision.allowed or decision.would_change_it
    if decision:
        assert decision.evidence
        assert {*range(1, len(manager.history(history.ada)) + 1)} >= {*decision.evidence}
    if kind is not MessageKind.MARKETING:
        assert not decision or manager.check(history.ada, channel, purpose)
        return
    queued = manager.outbox_messages(MessageState.QUEUED)
    content = Content(subject="Hi", text="Hello")
    if decision:
        manager.send(history.ada, channel, purpose, content)
        assert len(queued) + 1 == len(manager.outbox_messages(MessageState.QUEUED))
    else:
        with pytest.raises(NotPermittedError) as refused:
            manager.send(history.ada, channel, purpose, content)
        assert decision == refused.value.decision
        assert queued == manager.outbox_messages(MessageState.QUEUED)


@given(anything, scopes, stops)
def test_promise_7_gated_twice(steps: list[Step], scope: tuple[Channel, str], stop: Step) -> None:
    """
    What was queued is sent if it is still allowed when its turn comes, and otherwise never.
    """
    history = run(History.begin(), steps)
    w, (channel, purpose) = history.w, scope
    try:
        w.manager.send(history.ada, channel, purpose, Content(subject="Hi", text="The very last"))
    except NotPermittedError:
        return
    stop(history)
    allowed = history.allowed(channel, purpose)
    w.manager.deliver()
    sent = [message for message in (*w.emails.outbox, *w.texts.outbox) if "The very last" in message.text]
    assert int(allowed) == len(sent)
    w.later(timedelta(hours=1))
    w.manager.deliver()
    assert int(allowed) == sum("The very last" in message.text for message in (*w.emails.outbox, *w.texts.outbox))


class Died(BaseException):
    """
    The process ends here.
    """


@given(OUTCOMES, st.lists(st.integers(0, 90), min_size=1, max_size=8))
def test_promise_8_at_most_once_for_each_question(outcomes: list[Any], pauses: list[int]) -> None:
    """
    Whatever providers answer and wherever workers die, nobody who may have got the message gets it again.
    """
    history = History.begin(receipts=False)
    w = history.w
    script = iter(outcomes)
    arrived: list[str] = []

    def provider(message: Message) -> Receipt:
        what = next(script, Outcome.ACCEPTED)
        if what == "crash before":
            raise Died
        if what in ("crash after", Outcome.ACCEPTED, Outcome.IN_DOUBT):
            arrived.append(message.id)
        if what == "crash after":
            raise Died
        return Receipt(outcome=Outcome(what))

    w.emails.answer = provider
    for number, pause in enumerate(pauses):
        w.manager.request_consent(
            history.ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=Solicited(how="form", at=w.clock() - timedelta(microseconds=number)),
        )
        with contextlib.suppress(Died):
            w.manager.deliver()
        w.later(timedelta(minutes=pause))
        with contextlib.suppress(Died):
            w.manager.deliver()
    assert len(set(arrived)) == len(arrived)


@given(scopes)
def test_promise_9_consent_does_not_travel(scope: tuple[Channel, str]) -> None:
    """
    Not to another channel, purpose, address or organisation, nor to somebody who gets the address later.
    """
    history = History.begin()
    w = history.w
    history.choose(scope, True)
    assert history.permitted() == {scope}
    other = world(w.storage, clock=w.clock, organisation=Organisation(key="other", name="Other Ltd", address="2 Road"))
    other.add()
    assert not any(other.manager.check(EMAIL if c is Channel.EMAIL else PHONE, c, p) for c, p in SCOPES)
    w.manager.change_details(history.ada, email="ada@elsewhere.example.com", phone="+447911123457")
    moved = [w.manager.check(history.ada, channel, purpose) for channel, purpose in SCOPES]
    assert not any(moved)
    w.manager.add_contact(email=EMAIL, phone=PHONE)
    assert history.permitted() == set()


class Failing(MemoryStorage):
    """
    A store whose connection breaks at chosen writes, before or after they are done.
    """

    def __init__(self, script: Iterator[str]) -> None:
        super().__init__()
        self.script = script

    def append(self, commits: Any) -> None:
        what = next(self.script, "")
        if what == "before":
            raise StorageUnavailableError("the connection broke")
        if what == "conflict":
            raise ConflictError("somebody was faster")
        super().append(commits)
        if what == "after":
            raise StorageUnavailableError("the connection broke")


@given(st.lists(st.sampled_from(["", "before", "after", "conflict"]), max_size=30))
def test_promise_10_nothing_lost_and_nothing_half_done(script: list[str]) -> None:
    """
    A call that returned is on record once, even if the connection broke after the commit. One that raised left nothing.
    """
    steps = iter(script)
    w = world(Failing(steps))
    contact = None
    while contact is None:
        with contextlib.suppress(StorageUnavailableError):
            contact = w.add()
    manage = None
    for answer in (True, False, True):
        w.later()
        before = w.manager.standing(contact)
        try:
            manage = manage or w.manager.link(contact).rpartition("/")[2]
            w.manager.choose(manage, {(Channel.EMAIL, "offers"): answer})
        except StorageUnavailableError:
            assert w.manager.standing(contact) == before
        else:
            assert w.manager.standing(contact).version == before.version + 1 or w.allowed() is answer
            assert w.allowed() is answer
    assert w.manager.verify()


ALTERATIONS = [
    "UPDATE optly_events SET payload = CAST(replace(CAST(payload AS TEXT), '2026', '2025') AS BLOB) WHERE seq = {seq}",
    "UPDATE optly_events SET hash = zeroblob(32) WHERE seq = {seq}",
    "DELETE FROM optly_events WHERE seq = {seq}",
    "DELETE FROM optly_events WHERE seq >= {seq}",
    "DELETE FROM optly_events",
    "UPDATE optly_personal SET value = CAST('eve@example.com' AS BLOB)",
]


def tables(path: Path) -> dict[str, list[str]]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: [row[1] for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(25))
@given(steps=anything, alteration=st.sampled_from(ALTERATIONS), pick=st.integers(0, 100))
@example(steps=[], alteration=ALTERATIONS[3], pick=0)
def test_promise_11_the_ledger_only_grows(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], alteration: str, pick: int
) -> None:
    """
    Whatever is done to the events behind Optly's back in a real database is found.
    """
    path = tmp_path_factory.mktemp("ledger") / "optly.db"
    history = run(History.begin(storage=SQLStorage(f"sqlite:///{path}")), steps)
    history.w.manager.seal()
    assert history.w.manager.verify()
    count = len(history.w.manager.history(history.ada))
    history.w.manager.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        changed = connection.execute(alteration.format(seq=1 + pick % count)).rowcount
        connection.commit()
    assert changed > 0
    reopened = world(SQLStorage(f"sqlite:///{path}"), clock=history.w.clock)
    verification = reopened.manager.verify()
    assert not verification
    assert history.ada.id in {problem.contact for problem in verification.problems}
    reopened.manager.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(30))
@given(steps=anything, store=st.sampled_from(STORES), pause=st.integers(0, 60))
def test_promise_12_erasure_works_and_the_ledger_still_verifies(
    tmp_path_factory: pytest.TempPathFactory, steps: list[Step], store: str, pause: int
) -> None:
    """
    No byte of the store holds anything personal afterwards, the chain verifies, and the address stays refused.
    """
    directory = tmp_path_factory.mktemp("erased")
    history = run(History.begin(storage=opened(store, directory)), steps)
    w = history.w
    values = {value for event in w.manager.history(history.ada) for value in event.personal.values() if value != "form"}
    w.manager.seal()
    w.manager.erase(history.ada)
    assert w.manager.verify()
    assert w.manager.evidence(history.ada).verify()
    w.later(timedelta(minutes=pause))
    again = w.add()
    assert again != history.ada
    assert history.permitted() == set()
    run(History(w, again), [by_staff(channel, purpose, 0) for channel, purpose in SCOPES])
    assert history.permitted() == set()
    w.manager.erase(again)
    w.manager.close()
    for path in directory.iterdir():
        stored = path.read_bytes()
        for value in values:
            assert value.encode() not in stored, path.name


@pytest.mark.slow
@given(anything, st.integers(0, 36_500), st.booleans(), st.booleans())
def test_promise_13_stopping_is_easier_than_starting(steps: list[Step], days: int, rotated: bool, erased: bool) -> None:
    """
    The link in any message stops with one POST without cookie or form, however old it is and whatever came since.
    """
    history = History.begin()
    message = history.w.ask(history.ada)
    run(history, steps)
    if erased:
        history.w.manager.erase(history.ada)
    history.w.later(timedelta(days=days))
    keys = Keys(current="a key of the year after", previous=[KEYS.current]) if rotated else KEYS
    w = world(history.w.storage, clock=history.w.clock, keys=keys)
    response = w.manager.portal().handle(
        Request(
            method="POST",
            path=f"/u/{stop_token_in(message)}",
            headers=(("content-type", "application/x-www-form-urlencoded"),),
            body=b"List-Unsubscribe=One-Click",
        )
    )
    assert response.status == 200
    assert not any(name.lower() == "set-cookie" for name, _ in response.headers)
    for channel, purpose in SCOPES:
        assert not w.manager.check(EMAIL if channel is Channel.EMAIL else PHONE, channel, purpose)


class Watching(MemoryStorage):
    """
    A store that remembers what waits in the outbox.
    """

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def append(self, commits: Any) -> None:
        commit: Commit
        for commit in commits:
            self.bodies.extend(message.body for message in commit.queue)
        super().append(commits)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=anything)
def test_promise_14_no_personal_data_where_it_does_not_belong(
    steps: list[Step], caplog: pytest.LogCaptureFixture
) -> None:
    """
    Not in logs, errors, tokens, addresses of pages, what waits in the outbox, the hashed record, or any repr.
    """
    storage = Watching()
    caplog.clear()
    with caplog.at_level(logging.DEBUG):
        history = run(History.begin(storage=storage), steps)
        w = history.w
        w.manager.choose(
            w.manager.link(history.ada).rpartition("/")[2],
            {(Channel.EMAIL, "offers"): True},
            context=Context(address="203.0.113.9", browser="Lynx/2.9.0dev"),
        )
        shown = [w.manager.link(history.ada), str(w.manager.unsubscribe_headers(history.ada, "offers"))]
        try:
            w.manager.add_contact(email=f"{EMAIL} {PHONE}")
        except OptlyError as error:
            shown.append(repr(error))
    shown += [repr(message) for message in (*w.emails.outbox, *w.texts.outbox)]
    shown += [repr(event) for event in w.manager.history(history.ada)]
    shown += [repr(w.manager.standing(history.ada)), repr(w.manager.evidence(history.ada))]
    shown += [caplog.text, *(body.decode() for body in storage.bodies)]
    shown += [entry.payload.decode() for entry in storage.entries(history.ada.subject)]
    text = "\n".join(shown)
    for secret in (EMAIL, PHONE, PHONE[1:], "Ada Lovelace", "203.0.113.9", "Lynx/2.9.0dev", "newsletter form"):
        assert secret not in text


def test_every_promise_that_is_to_be_tested_here_is() -> None:
    """
    A test that is renamed or dropped is missed.
    """
    sources = (path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    here = {int(number) for text in sources for number in re.findall(r"^def test_promise_(\d+)_", text, re.M)}
    assert set(range(1, 17)) <= here
