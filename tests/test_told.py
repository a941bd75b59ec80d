"""
Whoever holds a link cannot fill a mailbox with receipts and notices.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from portal.sessions import link_of
from world import EMAIL, EMAIL_OFFERS, SMS_OFFERS, World, world

from optly import Channel
from optly.messages import Outcome, Receipt
from optly.testing.messages import code_in

SECOND, HOUR, TICK = timedelta(seconds=1), timedelta(hours=1), timedelta(microseconds=1)
NEWS = (Channel.EMAIL, "news")
SAVED, STOPPED = "Acme Ltd: your choices are saved", "Acme Ltd: you have stopped messages"


def new(w: World) -> list[str]:
    """
    Deliver, and return the subjects of what was sent.
    """
    before = len(w.emails.outbox)
    w.manager.deliver()
    return [message.subject for message in w.emails.outbox[before:]]


def choose(w: World, link: str, *choices: tuple[Channel, str], yes: bool = True) -> None:
    w.later(SECOND)
    w.manager.choose(link, dict.fromkeys(choices, yes))


def opened() -> tuple[World, str]:
    w = world()
    return w, link_of(w, w.add())


@pytest.mark.parametrize("delivered", ["each time", "at the end"])
def test_of_many_toggles_the_first_and_the_last_are_confirmed(delivered: str) -> None:
    """
    And the last an hour after the first, to the microsecond.
    """
    w, link = opened()
    choose(w, link, EMAIL_OFFERS)
    assert [SAVED] == new(w)
    first = w.clock()
    for _ in range(20):
        choose(w, link, EMAIL_OFFERS, yes=False)
        choose(w, link, EMAIL_OFFERS)
        if delivered == "each time":
            assert [] == new(w)
    last = w.clock()
    w.later(first + HOUR - TICK - w.clock())
    assert [] == new(w)
    w.later(TICK)
    assert [SAVED] == new(w)
    assert last.strftime("%-d %B %Y") in w.emails.outbox[-1].text
    w.later(timedelta(days=2))
    assert [] == new(w)


def test_what_was_taken_back_is_not_confirmed_later() -> None:
    """
    A receipt that waited and is no longer true is not sent, nor one of which there is a later one.
    """
    w, link = opened()
    choose(w, link, EMAIL_OFFERS)
    assert [SAVED] == new(w)
    choose(w, link, EMAIL_OFFERS, yes=False)
    choose(w, link, EMAIL_OFFERS)
    choose(w, link, EMAIL_OFFERS, yes=False)
    w.later(HOUR)
    assert [] == new(w)
    assert not w.allowed()


def test_of_stops_and_undoings_one_notice_and_one_receipt_go_out_at_once() -> None:
    """
    The last stop is told of within the hour, with a way to undo it that works.
    """
    w, link = opened()
    choose(w, link, EMAIL_OFFERS)
    assert [SAVED] == new(w)
    w.later(HOUR)
    sent = []
    for _ in range(10):
        w.later(SECOND)
        undo = w.manager.stop(link).undo
        assert undo is not None
        sent += new(w)
        w.later(SECOND)
        w.manager.undo(link, stop=undo.stop)
        sent += new(w)
    w.later(SECOND)
    w.manager.stop(link)
    assert [STOPPED, SAVED] == sent
    w.later(HOUR)
    assert [STOPPED] == new(w)
    w.later(SECOND)
    w.manager.undo(code_in(w.emails.outbox[-1]))
    assert w.allowed()


def test_other_choices_and_other_people_wait_for_nobody() -> None:
    """
    Nor does anyone wait who chooses once an hour.
    """
    w, link = opened()
    bob = link_of(w, w.add(name="Bob", email="bob@example.com", phone="+447911123457"))
    for at, choice in ((link, EMAIL_OFFERS), (link, SMS_OFFERS), (link, NEWS), (bob, EMAIL_OFFERS)):
        choose(w, at, choice)
        assert [SAVED] == new(w)
    for _ in range(3):
        choose(w, link, EMAIL_OFFERS, yes=False)
        w.later(HOUR)
        choose(w, link, EMAIL_OFFERS)
        assert [SAVED] == new(w)


def test_a_receipt_that_is_tried_again_does_not_wait_for_itself() -> None:
    """
    It is the same message.
    """
    w = world()
    w.emails.outcomes.append(Receipt(outcome=Outcome.RETRY_LATER, code=451))
    choose(w, link_of(w, w.add()), EMAIL_OFFERS)
    assert 1 == w.manager.deliver().retried
    w.later(timedelta(minutes=30))
    assert 1 == w.manager.deliver().accepted
    assert [EMAIL] == [message.to for message in w.emails.outbox]


def test_what_is_never_sent_needs_no_event() -> None:
    """
    The record does not grow by receipts of which there were later ones.
    """
    w = world()
    ada = w.add()
    link = link_of(w, ada)
    for _ in range(10):
        choose(w, link, EMAIL_OFFERS)
        choose(w, link, EMAIL_OFFERS, yes=False)
    choose(w, link, EMAIL_OFFERS)
    before = w.manager.standing(ada).version
    assert [SAVED] == new(w)
    assert 1 == w.manager.standing(ada).version - before
