"""
Promise 1 between records: what happens now on a server whose clock is behind comes after what was recorded before.

One server's clock is a quarter of an hour behind. The stop is in a record of its own: that of a domain, of an address
that was erased, or of a holder of whom only the address is known.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Final, TypeAlias

import pytest
from world import EMAIL, EMAIL_OFFERS, World, world

from optly import Act, Actor, Channel, Contact, Subscriber, Wording
from optly.errors import UsageError
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in

BEHIND: Final = timedelta(minutes=15)
WORDS: Final = Wording(text="I would like Acme Ltd to send me offers and discounts on its products by email.")


@pytest.fixture
def fast() -> World:
    return world()


@pytest.fixture
def slow(fast: World) -> World:
    """
    The other server.
    """
    return world(fast.storage, clock=FrozenClock(fast.clock() - BEHIND))


def for_the_domain(w: World) -> object:
    return w.manager.record_domain_objection("example.com", how="letter of the director")


def by_erasure(w: World) -> None:
    """
    Another holder of the address is erased, who was on record for no other reason.
    """
    [bob] = [
        contact for contact in w.manager.holders(EMAIL) if w.manager.standing(contact).subscriber is Subscriber.COMPANY
    ]
    w.manager.erase(bob)


def by_an_unknown_holder(w: World) -> object:
    return w.manager.import_objections([EMAIL], Channel.EMAIL, how="a list")


Stops: TypeAlias = Callable[[World], object]
STOPS: Final[dict[str, Stops]] = {
    "a domain": for_the_domain,
    "an erasure": by_erasure,
    "an unknown holder": by_an_unknown_holder,
}
stops = pytest.mark.parametrize("stop", STOPS.values(), ids=STOPS)


def ada_and_bob(w: World) -> Contact:
    """
    Put two holders of one address on record.
    """
    ada = w.add(phone=None)
    w.manager.add_contact(reference="bob", name="Bob", email=EMAIL, subscriber=Subscriber.COMPANY)
    return ada


def says_yes(w: World, ada: Contact) -> None:
    w.manager.choose(w.manager.link(ada).rpartition("/")[2], {EMAIL_OFFERS: True})


def is_told(w: World, ada: Contact) -> None:
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=WORDS,
        act=Act.TICKED_BOX,
        how="on the telephone",
        actor=Actor.PERSON,
        at=w.clock(),
    )


def answers(w: World, ada: Contact) -> None:
    w.manager.answer(code_in(w.ask(ada, channels=[Channel.EMAIL])), {EMAIL_OFFERS: True})


agrees = pytest.mark.parametrize("agree", [says_yes, is_told, answers])


@stops
@agrees
def test_a_stop_of_now_counts_whatever_its_clock_says(
    fast: World, slow: World, stop: Stops, agree: Callable[[World, Contact], None]
) -> None:
    """
    A yes that was recorded before it does not lift it, although its time is later.
    """
    ada = ada_and_bob(fast)
    agree(fast, ada)
    assert fast.manager.check(ada, *EMAIL_OFFERS)
    stop(slow)
    for w in (fast, slow):
        assert not w.manager.check(ada, *EMAIL_OFFERS)
        assert not w.manager.check(EMAIL, *EMAIL_OFFERS)


@stops
@pytest.mark.parametrize("agrees_at", ["fast", "slow"])
def test_a_yes_of_now_lifts_it_whatever_the_clocks_say(fast: World, slow: World, stop: Stops, agrees_at: str) -> None:
    """
    It is recorded by either server, after the stop, and lifts it for the person alone.
    """
    ada = ada_and_bob(fast)
    says_yes(fast, ada)
    stop(slow)
    says_yes({"fast": fast, "slow": slow}[agrees_at], ada)
    for w in (fast, slow):
        w.later()
        assert w.manager.check(ada, *EMAIL_OFFERS)


@stops
def test_a_yes_that_is_told_lifts_it_if_its_time_is_later(fast: World, slow: World, stop: Stops) -> None:
    """
    It was recorded after the stop, too.
    """
    ada = ada_and_bob(fast)
    stop(slow)
    is_told(fast, ada)
    assert fast.manager.check(ada, *EMAIL_OFFERS)


@pytest.mark.parametrize("stop", [for_the_domain, by_an_unknown_holder], ids=["a domain", "an unknown holder"])
def test_a_second_stop_of_now_counts_after_the_yes_that_lifted_the_first(fast: World, slow: World, stop: Stops) -> None:
    """
    Also if its clock puts it before the first.
    """
    ada = ada_and_bob(fast)
    stop(fast)
    fast.later()
    says_yes(fast, ada)
    fast.later()
    assert fast.manager.check(ada, *EMAIL_OFFERS)
    stop(slow)
    assert not fast.manager.check(ada, *EMAIL_OFFERS)
    fast.later()
    says_yes(fast, ada)
    fast.later()
    assert fast.manager.check(ada, *EMAIL_OFFERS)


def test_a_stop_that_is_told_with_an_earlier_time_is_ordered_by_it(fast: World) -> None:
    """
    Last month's letter of the director does not take back what Ada agreed to last week.
    """
    ada = ada_and_bob(fast)
    says_yes(fast, ada)
    fast.later()
    fast.manager.record_domain_objection("example.com", how="letter", at=fast.clock() - timedelta(days=30))
    assert fast.manager.check(ada, *EMAIL_OFFERS)
    fast.manager.record_domain_objection("example.com", how="letter", at=fast.clock() - timedelta(seconds=59))
    assert not fast.manager.check(ada, *EMAIL_OFFERS)


@stops
def test_a_question_that_was_open_is_answered_after_it(fast: World, slow: World, stop: Stops) -> None:
    """
    The answer is a later act of the person's own and lifts it, whatever the clocks say.
    """
    ada = ada_and_bob(fast)
    code = code_in(fast.ask(ada, channels=[Channel.EMAIL]))
    stop(fast)
    slow.manager.answer(code, {EMAIL_OFFERS: True})
    fast.later()
    assert fast.manager.check(ada, *EMAIL_OFFERS)


@stops
def test_undoing_a_stop_lifts_no_other(fast: World, slow: World, stop: Stops) -> None:
    """
    What another record stopped in between stays stopped, although the person takes their own stop back.
    """
    ada = ada_and_bob(fast)
    says_yes(fast, ada)
    fast.later()
    link = fast.manager.link(ada).rpartition("/")[2]
    fast.manager.stop(link)
    fast.manager.deliver()
    undo = code_in(fast.emails.outbox[-1])
    stop(slow)
    fast.later()
    opened = fast.manager.open(undo)
    assert opened.undo is None
    fast.manager.undo(undo)
    fast.later()
    assert not fast.manager.check(ada, *EMAIL_OFFERS)


@stops
def test_undoing_a_stop_brings_back_what_came_after_another_record_s(fast: World, stop: Stops) -> None:
    """
    What had been agreed to after that stop is what the person's own one ended.
    """
    ada = ada_and_bob(fast)
    stop(fast)
    fast.later()
    says_yes(fast, ada)
    fast.later()
    link = fast.manager.link(ada).rpartition("/")[2]
    fast.manager.stop(link)
    fast.manager.deliver()
    fast.later()
    fast.manager.undo(code_in(fast.emails.outbox[-1]))
    fast.later()
    assert fast.manager.check(ada, *EMAIL_OFFERS)


def test_what_is_recorded_now_is_in_no_future(fast: World, slow: World) -> None:
    """
    A server whose clock is behind the record by more than another clock may be ahead refuses nothing for that. It was
    a stop that was lost.
    """
    ada = ada_and_bob(fast)
    says_yes(fast, ada)
    slow.manager.record_domain_objection("example.com", how="letter", contact=ada)
    assert not fast.manager.check(ada, *EMAIL_OFFERS)
    slow.manager.leave_line(ada, email=EMAIL, how="letter")
    assert ada not in fast.manager.holders(EMAIL)


def test_what_another_holder_lifted_is_lifted_whatever_the_clocks_say(fast: World, slow: World) -> None:
    """
    On a server whose clock is behind, Ada gets nothing less than on the other, once Bob has taken his objection back.
    """
    ada = ada_and_bob(fast)
    says_yes(fast, ada)
    bob = fast.manager.find_reference("bob")
    assert bob is not None
    fast.manager.record_objection(bob, how="letter")
    assert not slow.manager.check(ada, *EMAIL_OFFERS)
    fast.later()
    says_yes(fast, bob)
    for w in (fast, slow):
        assert w.manager.check(ada, *EMAIL_OFFERS)
        assert w.manager.check(EMAIL, *EMAIL_OFFERS)


def test_what_is_refused_adds_nobody(fast: World) -> None:
    """
    A stop that is told for the future is refused whole: no record of a domain or of an address is left behind.
    """
    tomorrow = fast.clock() + timedelta(days=1)
    with pytest.raises(UsageError, match="in the future"):
        fast.manager.record_domain_objection("example.com", how="letter", at=tomorrow)
    with pytest.raises(UsageError, match="in the future"):
        fast.manager.import_objections([EMAIL], Channel.EMAIL, how="a list", at=tomorrow)
    assert fast.manager.find(EMAIL) is None
    assert list(fast.storage.subjects("acme")) == []
