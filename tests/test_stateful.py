"""
Random commands, crashes and replays over every store, held against a model that knows only what the promises say.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from stores import STORES, opened
from world import EMAIL, PHONE, World, world

from optly import Act, Channel, Contact, Content, NotPermittedError, Subscriber, Wording
from optly.errors import LinkError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Message, Receipt
from optly.protocols import Storage
from optly.record.events import LinkKind
from optly.record.views import UndoneChange, UndoneStop
from optly.results import Effect
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in, stop_token_in

SCOPES = [(channel, purpose) for channel in (Channel.EMAIL, Channel.SMS) for purpose in ("offers", "news")]
ADDRESS = {Channel.EMAIL: EMAIL, Channel.SMS: PHONE}
WORDING = Wording(text="May Acme Ltd send you offers and news by email, text message, telephone and post?")


class Died(BaseException):
    """
    The process ends here.
    """


class Life(RuleBasedStateMachine):
    """
    One contact's life. The model holds, for each channel and purpose, when it was last allowed and last stopped.
    """

    def __init__(self, open_store: Callable[[Path], Storage]) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.open_store = open_store
        self.clock = FrozenClock()
        self.messages: list[Message] = []
        self.arrived: list[str] = []
        self.w: World = self.open()
        self.ada: Contact = self.w.add()
        self.yes: dict[tuple[Channel, str], datetime] = {}
        self.staff_yes: dict[tuple[Channel, str], datetime] = {}
        self.stop: dict[tuple[Channel, str], datetime] = {}
        self.stops_at: Counter[datetime] = Counter()
        self.ended: dict[datetime, set[tuple[Channel, str]]] = {}
        self.events = 0

    def open(self) -> World:
        w = world(self.open_store(Path(self.directory.name)), clock=self.clock)
        w.emails.answer = self.provider
        return w

    def provider(self, message: Message) -> Receipt:
        self.messages.append(message)
        self.arrived.append(message.id)
        if self.dying:
            raise Died
        from optly.backends.memory import accept

        return accept(message)

    dying = False

    def teardown(self) -> None:
        self.w.manager.close()
        self.directory.cleanup()

    # ---- what happens

    @rule(minutes=st.integers(0, 90))
    def time_passes(self, minutes: int) -> None:
        self.clock.advance(timedelta(minutes=minutes))

    @rule(channels=st.sampled_from([[Channel.EMAIL], [Channel.SMS], [Channel.EMAIL, Channel.SMS]]))
    def asked(self, channels: list[Channel]) -> None:
        with contextlib.suppress(NotPermittedError):
            self.w.ask(self.ada, channels=channels)

    @rule()
    def asked_and_the_worker_dies(self) -> None:
        self.dying = True
        try:
            with contextlib.suppress(NotPermittedError, Died):
                self.w.ask(self.ada)
        finally:
            self.dying = False
        self.crash()

    @rule(index=st.integers(0, 50), answer=st.booleans())
    def a_link_is_used(self, index: int, answer: bool) -> None:
        """
        Any link that was ever sent, whether or not it may still be used.
        """
        if not self.messages:
            return
        code = code_in(self.messages[index % len(self.messages)])
        try:
            opened = self.w.manager.open(code)
        except LinkError:
            before = self.w.manager.standing(self.ada)
            with pytest.raises(LinkError):
                self.w.manager.answer(code, dict.fromkeys(SCOPES, answer))
            assert self.w.manager.standing(self.ada) == before
            return
        if opened.kind is LinkKind.UNDO:
            self.undone(code, opened.undo)
            return
        items = opened.items
        act = self.w.manager.choose if opened.kind is LinkKind.MANAGE else self.w.manager.answer
        act(code, {item.key: answer for item in items})
        for item in items:
            if answer and item.key[0] is not Channel.EMAIL:  # through the mailbox, which lifts no stop on the number
                self.staff_yes[item.key] = self.clock()
            else:
                self.said(item.key, answer)

    def undone(self, code: str, undo: UndoneStop | UndoneChange | None) -> None:
        """
        What had been allowed when it was stopped is allowed again, unless something else stopped it too.
        """
        self.w.manager.undo(code)
        if undo is None:
            return
        assert isinstance(undo, UndoneStop)
        again = {item.key for item in undo.items}
        still = {scope for scope in self.ended[undo.at] if self.stop[scope] == undo.at and not self.expected(scope)}
        assert again <= still
        assert self.stops_at[undo.at] > 1 or again == still
        for scope in again:
            self.said(scope, True)

    def said(self, scope: tuple[Channel, str], answer: bool) -> None:
        (self.yes if answer else self.stop)[scope] = self.clock()
        self.stops_at[self.clock()] += not answer

    @rule(scope=st.sampled_from(SCOPES), answer=st.booleans())
    def a_choice_is_changed(self, scope: tuple[Channel, str], answer: bool) -> None:
        # Through a link to the line itself: one to another lifts no stop there.
        self.w.manager.choose(self.w.manager.link(self.ada, scope[0]).rpartition("/")[2], {scope: answer})
        self.said(scope, answer)

    @rule(scope=st.sampled_from(SCOPES), ago=st.integers(0, 60))
    def staff_records_a_consent(self, scope: tuple[Channel, str], ago: int) -> None:
        at = self.clock() - timedelta(minutes=ago)
        before = self.w.manager.standing(self.ada)
        after = self.w.manager.record_consent(
            self.ada,
            channels=[scope[0]],
            purposes=[scope[1]],
            wording=WORDING,
            act=Act.SAID_YES,
            how="telephone",
            at=at,
        )
        if after.unsound != before.unsound:  # kept beside a stop, and of no effect
            assert after.consents == before.consents
        else:
            self.staff_yes[scope] = max(at, self.staff_yes.get(scope, at))

    @rule(
        channels=st.sampled_from([[], [Channel.EMAIL], [Channel.SMS]]),
        purposes=st.sampled_from([[], ["offers"], ["news"]]),
        objection=st.booleans(),
    )
    def stopped(self, channels: list[Channel], purposes: list[str], objection: bool) -> None:
        self.stops_at[self.clock()] += 1
        call = self.w.manager.record_objection if objection else self.w.manager.withdraw
        call(self.ada, channels=channels, purposes=purposes)
        for channel, purpose in SCOPES:
            if (not channels or channel in channels) and (not purposes or purpose in purposes):
                self.stop[channel, purpose] = self.clock()

    @rule(index=st.integers(0, 50))
    def a_stop_link_is_pressed(self, index: int) -> None:
        if not self.messages:
            return
        message = self.messages[index % len(self.messages)]
        if "List-Unsubscribe" not in message.headers:  # a notice, which has nothing to stop
            return
        token = stop_token_in(message)
        scope = self.w.manager.open_stop(token)
        self.stops_at[self.clock()] += 1
        self.ended.setdefault(self.clock(), {one for one in SCOPES if self.expected(one)})
        self.w.manager.stop_by_token(token)
        for channel, purpose in SCOPES:
            if scope.channel in (None, channel) and scope.purpose in (None, purpose):
                self.stop[channel, purpose] = self.clock()

    @rule(words=st.sampled_from(["STOP", "stop please", "START", "YES", "1", "HELP", "Hello?"]), twice=st.booleans())
    def something_is_texted(self, words: str, twice: bool) -> None:
        """
        A stop stops; nothing else grants anything, because no question was put by text.
        """
        self.events += 1
        text = InboundMessage(
            id=str(self.events), backend="memory", channel=Channel.SMS, sender=PHONE, text=words, at=self.clock()
        )
        for _ in range(1 + twice):
            self.w.manager.receive(text)
        if "stop" in words.lower():
            self.stops_at[self.clock()] += 1
            for purpose in ("offers", "news"):
                self.stop[Channel.SMS, purpose] = self.clock()

    @rule(index=st.integers(0, 50), status=st.sampled_from(DeliveryStatus), ago=st.integers(0, 60))
    def a_report_comes(self, index: int, status: DeliveryStatus, ago: int) -> None:
        """
        About any message that was ever sent. What it says of the address is put right at once.
        """
        if not self.messages:
            return
        message, at = self.messages[index % len(self.messages)], self.clock() - timedelta(minutes=ago)
        self.events += 1
        report = DeliveryEvent(
            id=str(self.events),
            backend="memory",
            channel=Channel.EMAIL,
            status=status,
            contact=message.contact,
            message=message.id,
            at=at,
        )
        known = self.w.manager.receive(report).effect is not Effect.UNKNOWN
        if known and status in (DeliveryStatus.COMPLAINED, DeliveryStatus.OPTED_OUT):
            self.stops_at[at] += 1
            for purpose in ("offers", "news"):
                self.stop[Channel.EMAIL, purpose] = max(at, self.stop.get((Channel.EMAIL, purpose), at))
        self.w.manager.restore_line(self.ada, Channel.EMAIL, how="telephoned")

    @rule()
    def imported_again(self) -> None:
        assert self.w.add(subscriber=Subscriber.COMPANY) == self.ada

    @rule(scope=st.sampled_from(SCOPES))
    def marketed(self, scope: tuple[Channel, str]) -> None:
        expected = self.expected(scope)
        try:
            self.w.manager.send(self.ada, *scope, Content(subject="Hi", text="Hello"))
        except NotPermittedError:
            assert not expected
        else:
            assert expected

    @rule()
    def delivered(self) -> None:
        self.w.manager.deliver()

    @rule()
    def crash(self) -> None:
        """
        The process dies with its store open, and another takes over.
        """
        self.w.manager.close()
        self.w = self.open()

    # ---- what must hold

    def expected(self, scope: tuple[Channel, str]) -> bool:
        stop, own, staff = self.stop.get(scope), self.yes.get(scope), self.staff_yes.get(scope)
        if stop is None:
            return own is not None or staff is not None
        return own is not None and own > stop

    @invariant()
    def the_gate_says_what_the_model_says(self) -> None:
        for channel, purpose in SCOPES:
            decision = self.w.manager.check(ADDRESS[channel], channel, purpose)
            assert self.expected((channel, purpose)) == decision.allowed

    @invariant()
    def nobody_gets_a_message_twice(self) -> None:
        assert len(set(self.arrived)) == len(self.arrived)

    @precondition(lambda self: len(self.arrived) % 3 == 1)
    @invariant()
    def the_ledger_verifies(self) -> None:
        assert self.w.manager.verify()


KEPT: dict[Path, Storage] = {}


def reopened(kind: str, directory: Path) -> Storage:
    """
    Open a store as a process does that starts again. One in memory is kept.
    """
    return KEPT.setdefault(directory, opened(kind, directory)) if kind == "memory" else opened(kind, directory)


@pytest.mark.slow
@pytest.mark.parametrize("store", STORES)
def test_a_life_over_every_store(store: str) -> None:
    """
    Whatever happens in whatever order, the gate, the outbox and the ledger keep to the model.
    """
    run_state_machine_as_test(
        partial(Life, partial(reopened, store)),  # type: ignore[arg-type]
        settings=settings(max_examples=60 if store == "memory" else 25, stateful_step_count=30, deadline=None),
    )
