"""
A yes that comes too soon to be surely a person's: held until it is confirmed, and a no that never is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portal.sessions import latest_digits, link_of, moved, raised, undo_of
from portal.visitor import FROM_HERE, Acme, Visitor
from thorough import examples
from world import EMAIL, EMAIL_OFFERS, SMS_OFFERS, World, world

from optly import Channel, Contact
from optly.errors import ConfigurationError, LinkError, LinkExpiredError, LinkInvalidError, TooSoonError
from optly.instants import end_of_day
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.record.events import AnswerHeld, ConsentGiven
from optly.testing.messages import code_in

MINUTE, MOMENT, READING = timedelta(minutes=1), timedelta(microseconds=1), timedelta(seconds=3)
EMAIL_NEWS = (Channel.EMAIL, "news")


@pytest.fixture
def w() -> World:
    return world()


def held(w: World, code: str, yes: bool = True) -> None:
    """
    Choose by a MyOptly link or in a session, as a page does that holds what comes within a minute.
    """
    w.manager.choose(code, {EMAIL_OFFERS: yes}, hold_within=MINUTE)


def given_by(w: World, contact: Contact) -> int:
    """
    Return how often a consent was recorded.
    """
    return sum(isinstance(event, ConsentGiven) for event in w.manager.history(contact))


def sent_link(w: World, contact: Contact) -> str:
    """
    Have a new link sent and return its code.
    """
    w.manager.self_service.request_link(EMAIL)
    w.manager.deliver()
    w.manager.deliver()
    return code_in(w.emails.outbox[-1])


# ---- when


@pytest.mark.parametrize(
    ("after", "counts"), [(timedelta(0), False), (MINUTE - MOMENT, False), (MINUTE, True), (timedelta(days=3), True)]
)
def test_a_yes_within_the_minute_is_held(w: World, after: timedelta, counts: bool) -> None:
    """
    From when the question went out until just before the minute is over; the gate refuses, and the record tells why.
    """
    ada = w.add()
    code = code_in(w.ask(ada))
    w.later(after)
    w.manager.answer(code, {EMAIL_OFFERS: True}, hold_within=MINUTE)
    assert counts is w.allowed()
    assert counts is not any(isinstance(event, AnswerHeld) for event in w.manager.history(ada))


@pytest.mark.parametrize("within", [None, timedelta(0)])
def test_a_host_may_have_nothing_held(within: timedelta | None) -> None:
    """
    Two ways to say so mean the same.
    """
    acme = Acme.open()
    visitor = Visitor(acme.manager.portal(hold_yes_within=within))
    page = visitor.submit(f"/l/{acme.ask()}", {"email-offers": True})
    assert ("saved" in page.title, True) == (True, acme.world.allowed())


def test_the_pages_hold_for_a_minute_unless_the_host_says_otherwise() -> None:
    """
    And for no time that lies behind.
    """
    acme = Acme.open()
    for portal, held in (
        (acme.manager.portal(), True),
        (acme.manager.portal(hold_yes_within=timedelta(minutes=5)), True),
    ):
        visitor = Visitor(portal)
        code = acme.ask(Channel.EMAIL)
        page = visitor.submit(f"/l/{code}", {"email-offers": True})
        assert held is ("Was that you?" in page.title)
    acme.later(minutes=4)
    code = acme.ask(Channel.EMAIL)
    acme.later(minutes=4)
    visitor.submit(f"/l/{code}", {"email-offers": True})
    assert not acme.world.allowed()
    with pytest.raises(ConfigurationError):
        acme.manager.portal(hold_yes_within=-MOMENT)


def test_the_minute_begins_again_when_the_message_arrives(w: World) -> None:
    """
    As the provider tells, later: a message that was long on its way is opened by a scanner only then.
    """
    ada = w.add()
    message = w.ask(ada)
    w.later(timedelta(hours=2))
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="memory",
            channel=Channel.EMAIL,
            status=DeliveryStatus.DELIVERED,
            contact=ada.id,
            message=message.id,
            at=w.clock(),
        )
    )
    w.later(MINUTE - MOMENT)
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True}, hold_within=MINUTE)
    assert not w.allowed()


def test_a_delivery_long_ago_does_not_bring_the_minute_forward(w: World) -> None:
    """
    The later of the two counts, whatever the provider's clock says.
    """
    ada = w.add()
    message = w.ask(ada)
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="memory",
            channel=Channel.EMAIL,
            status=DeliveryStatus.DELIVERED,
            contact=ada.id,
            message=message.id,
            at=w.clock() - timedelta(minutes=4),
        )
    )
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True}, hold_within=MINUTE)
    assert not w.allowed()


# ---- through what


def via_manage_link(w: World, ada: Contact) -> str:
    return sent_link(w, ada)


def via_link_the_host_made(w: World, ada: Contact) -> str:
    return link_of(w, ada)


def via_pending_session(w: World, ada: Contact) -> str:
    return w.manager.self_service.request_code(sent_link(w, ada))


@pytest.mark.parametrize("via", [via_manage_link, via_link_the_host_made, via_pending_session])
def test_whatever_opens_the_choices_holds_a_hasty_yes(w: World, via: Callable[[World, Contact], str]) -> None:
    """
    Counted from the message that its link came in, and confirmed where it was said. A no counts at once.
    """
    ada = w.add()
    code = via(w, ada)
    held(w, code)
    assert (False, 0) == (w.allowed(), given_by(w, ada))
    assert [EMAIL_OFFERS] == [item.key for item in w.manager.open(code).held]
    w.later(READING)
    w.manager.confirm(code)
    assert (True, 1) == (w.allowed(), given_by(w, ada))
    w.later(MOMENT)
    held(w, code, yes=False)
    assert not w.allowed()


def test_a_hasty_undo_is_held_as_well(w: World) -> None:
    """
    A scanner that presses the button in the notice of a stop allows nothing again.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.manager.stop(link_of(w, ada))
    undo = undo_of(w, EMAIL)
    w.later(timedelta(seconds=20))
    w.manager.undo(undo, hold_within=MINUTE)
    assert not w.allowed()
    w.later(READING)
    w.manager.confirm(undo)
    assert w.allowed()


def test_whoever_typed_in_a_code_is_a_person(w: World) -> None:
    """
    What they say in that session counts at once, however soon, wherever it began.
    """
    ada = w.add()
    held(w, raised(w, sent_link(w, ada)))
    assert w.allowed()
    session = raised(w, code_in(w.ask(ada, purposes=["news"])))
    w.manager.choose(session, {EMAIL_NEWS: True}, hold_within=MINUTE)
    assert w.allowed(purpose="news")


def test_a_session_that_begins_later_has_no_minute_of_its_own(w: World) -> None:
    """
    What counts is when the link went out at which it began.
    """
    ada = w.add()
    code = sent_link(w, ada)
    w.later(MINUTE)
    held(w, w.manager.self_service.request_code(code))
    assert w.allowed()


# ---- what counts at once


@given(
    st.dictionaries(
        st.sampled_from([EMAIL_OFFERS, SMS_OFFERS, EMAIL_NEWS, (Channel.SMS, "news")]), st.booleans(), min_size=1
    ),
    st.booleans(),
)
@settings(max_examples=examples(25))
def test_of_a_mixed_answer_each_no_counts_and_each_yes_waits(
    answers: dict[tuple[Channel, str], bool], agreed_before: bool
) -> None:
    """
    Whatever was agreed to before, and whatever else is said with it.
    """
    w = world()
    ada = w.add()
    if agreed_before:
        w.manager.choose(link_of(w, ada), dict.fromkeys(answers, True))
        w.later()
    code = code_in(w.ask(ada, purposes=["offers", "news"]))
    w.manager.answer(code, answers, hold_within=MINUTE)
    for (channel, purpose), yes in answers.items():
        assert w.allowed(channel, purpose) is (yes and agreed_before)
    w.later(READING)
    if any(answers.values()):
        w.manager.confirm(code)
    for (channel, purpose), yes in answers.items():
        assert w.allowed(channel, purpose) is yes


def test_a_stop_is_never_held(w: World) -> None:
    """
    Through the page, its link, or the one click.
    """
    for how in ("page", "token", "answer"):
        ada = w.add(email=f"{how}@example.com", phone=None)
        w.manager.choose(link_of(w, ada), {EMAIL_OFFERS: True})
        w.later(MOMENT)
        code = code_in(w.ask(ada, channels=[Channel.EMAIL]))
        if how == "page":
            w.manager.stop(code)
        elif how == "token":
            w.manager.stop_by_token(
                w.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
            )
        else:
            w.manager.answer(code, {EMAIL_OFFERS: False}, hold_within=MINUTE)
        assert not w.manager.check(f"{how}@example.com", Channel.EMAIL, "offers").allowed


# ---- confirming


@pytest.mark.parametrize(("after", "works"), [(timedelta(0), False), (READING - MOMENT, False), (READING, True)])
def test_nobody_reads_in_less_than_three_seconds(w: World, after: timedelta, works: bool) -> None:
    """
    Just before them it is refused, and can be tried again.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    w.later(after)
    if works:
        w.manager.confirm(code)
    else:
        with pytest.raises(TooSoonError):
            w.manager.confirm(code)
    assert works is w.allowed()
    w.later(READING)
    w.manager.confirm(code)
    assert w.allowed()


def test_it_is_confirmed_through_the_link_it_was_said_through(w: World) -> None:
    """
    Or in a session that began there, and through nothing else, not even another link of the same person.
    """
    ada = w.add()
    code, other, question = sent_link(w, ada), sent_link(w, ada), code_in(w.ask(ada, purposes=["news"]))
    held(w, code)
    w.later(READING)
    for another in (other, question, link_of(w, ada), raised(w, other)):
        w.manager.confirm(another)
        assert not w.allowed()
    w.manager.confirm(w.manager.self_service.request_code(code))
    assert w.allowed()


def test_it_is_confirmed_once(w: World) -> None:
    """
    The second press does nothing, also after a stop: an old page brings nothing back.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    w.later(READING)
    w.manager.confirm(code)
    w.manager.confirm(code)
    assert 1 == given_by(w, ada)
    w.later(MOMENT)
    w.manager.stop(link_of(w, ada))
    w.manager.confirm(code)
    assert not w.allowed()


def test_it_is_confirmed_once_where_it_is_about_another_line(w: World) -> None:
    """
    A repeat records nothing, and renews nothing.
    """
    ada = w.add()
    code = code_in(w.ask(ada))
    w.manager.answer(code, {EMAIL_OFFERS: True, SMS_OFFERS: True}, hold_within=timedelta(hours=1))
    w.later()
    confirmed = w.manager.confirm(code)
    assert () == confirmed.held
    assert w.allowed(*SMS_OFFERS)
    w.later()
    assert confirmed == w.manager.confirm(code)


def test_it_waits_for_thirty_days(w: World) -> None:
    """
    At their last instant it can be confirmed, a microsecond later it is dropped.
    """
    for late in (timedelta(0), MOMENT):
        ada = w.add(email=f"late{late.microseconds}@example.com", phone=None)
        code = link_of(w, ada)
        held(w, code)
        w.later(end_of_day(w.clock() + timedelta(days=30)) - w.clock() + late)
        if late:
            with pytest.raises(LinkExpiredError):
                w.manager.confirm(code)
        else:
            w.manager.confirm(code)
        assert bool(late) is (given_by(w, ada) == 0)


def test_an_answer_waits_as_long_as_its_question(w: World) -> None:
    """
    And not a microsecond longer.
    """
    ada = w.add()
    code = code_in(w.ask(ada))
    until = w.manager.open(code).expires_at
    assert until is not None
    w.manager.answer(code, {EMAIL_OFFERS: True}, hold_within=MINUTE)
    w.clock.now = until
    assert w.manager.open(code).held
    w.later(MOMENT)
    with pytest.raises(LinkError):
        w.manager.confirm(code)
    assert not w.allowed()


# ---- what was said since


def stopped(w: World, ada: Contact) -> None:
    w.manager.stop(link_of(w, ada))


def stopped_by_link(w: World, ada: Contact) -> None:
    header = w.manager.unsubscribe_headers(ada, "offers")["List-Unsubscribe"]
    w.manager.stop_by_token(header.strip("<>").rpartition("/")[2])


def said_no(w: World, ada: Contact) -> None:
    w.manager.choose(link_of(w, ada), {EMAIL_OFFERS: False})


def withdrew(w: World, ada: Contact) -> None:
    w.manager.withdraw(ada, channels=[Channel.EMAIL])


def objected(w: World, ada: Contact) -> None:
    w.manager.record_objection(ada)


def was_asked_again(w: World, ada: Contact) -> None:
    w.ask(ada)


def moved_away(w: World, ada: Contact) -> None:
    moved(w, raised(w, link_of(w, ada)), "ada@elsewhere.example.com")


def was_erased(w: World, ada: Contact) -> None:
    w.manager.erase(ada)


def had_links_revoked(w: World, ada: Contact) -> None:
    w.manager.revoke_links(ada)


@pytest.mark.parametrize(
    "since",
    [
        stopped,
        stopped_by_link,
        said_no,
        withdrew,
        objected,
        was_asked_again,
        moved_away,
        was_erased,
        had_links_revoked,
    ],
)
def test_what_was_decided_since_drops_it(w: World, since: Callable[[World, Contact], None]) -> None:
    """
    A stop, an answer, another question, or the end of its link: what was held before is never confirmed.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    w.later()
    since(w, ada)
    w.later()
    with suppress(LinkError):
        w.manager.confirm(code)
    assert (False, 0) == (w.allowed(), given_by(w, ada))


def test_what_was_decided_about_something_else_leaves_it(w: World) -> None:
    """
    A no to news is no no to offers.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    w.later()
    w.manager.choose(link_of(w, ada), {EMAIL_NEWS: False, SMS_OFFERS: False})
    w.manager.confirm(code)
    assert w.allowed()


def test_a_yes_that_was_given_in_time_since_is_not_given_twice(w: World) -> None:
    """
    What was held is dropped by it.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    w.later()
    w.manager.choose(link_of(w, ada), {EMAIL_OFFERS: True})
    w.manager.confirm(code)
    assert (True, 1) == (w.allowed(), given_by(w, ada))


# ---- on the page


def test_whoever_was_quick_is_asked_once_more() -> None:
    """
    The page shows what they said; the button counts once somebody can have read it; and it comes back until then.
    """
    acme = Acme.open()
    visitor = Visitor(acme.manager.portal())
    code = acme.ask(Channel.EMAIL)
    page = visitor.submit(f"/l/{code}", {"email-offers": True})
    assert "Was that you?" in page.title
    at_once = visitor.press(page, f"/l/{code}/confirm")
    assert (422, False) == (at_once.status, acme.world.allowed())
    assert "Was that you?" in visitor.get(f"/l/{code}").title
    acme.later(seconds=3)
    assert "saved" in visitor.press(at_once, f"/l/{code}/confirm").title
    assert acme.world.allowed()


def test_a_page_that_was_left_open_confirms_nothing_after_a_stop() -> None:
    """
    Nor does it fail.
    """
    acme = Acme.open()
    visitor = Visitor(acme.manager.portal())
    code = acme.myoptly()
    page = visitor.submit(f"/l/{code}", {"email-offers": True})
    acme.later(seconds=10)
    acme.manager.stop(acme.myoptly())
    late = visitor.post(f"/l/{code}/confirm", page.filled_in(f"/my/l/{code}/confirm", {}), *FROM_HERE)
    assert (200, False) == (late.status, acme.world.allowed())


def test_digits_confirm_nothing_by_themselves(w: World) -> None:
    """
    They show who reads the line, and not what was meant.
    """
    ada = w.add()
    code = sent_link(w, ada)
    held(w, code)
    session = w.manager.self_service.request_code(code)
    session = w.manager.self_service.step_up(session, latest_digits(w))
    assert not w.allowed()
    assert w.manager.open(session).held
    with pytest.raises(LinkInvalidError):
        w.manager.confirm("0" * 26)


def test_a_yes_about_an_address_that_was_replaced_is_dropped(w: World) -> None:
    """
    Even if the link it was said through went to another line, which is still on record.
    """
    ada = w.add()
    code = link_of(w, ada, Channel.SMS)
    held(w, code)
    w.later()
    moved_away(w, ada)
    w.manager.confirm(code)
    assert 0 == given_by(w, ada)


@pytest.mark.parametrize(("chosen", "recorded"), [("", "en"), ("?lang=cy", "cy")])
def test_the_language_of_the_page_stands_with_what_is_confirmed_and_undone(chosen: str, recorded: str) -> None:
    """
    The one that was chosen on it, or else the contact's, which nobody has to choose.
    """
    acme = Acme.open()
    visitor = Visitor(acme.manager.portal())
    path = f"/l/{acme.ask(Channel.EMAIL)}"
    held = visitor.submit(path, {"email-offers": True})
    acme.later(minutes=1)
    visitor.post(f"{path}/confirm{chosen}", held.filled_in(f"/my{path}/confirm", {}), *FROM_HERE)
    mine = f"/l/{acme.myoptly()}"
    acme.later(minutes=2)
    stopped = visitor.post(f"{mine}/stop", b"", *FROM_HERE)
    acme.later(minutes=1)
    visitor.post(f"{mine}/undo{chosen}", stopped.filled_in(f"/my{mine}/undo", {}), *FROM_HERE)
    agreed = [event for event in acme.manager.history(acme.ada) if isinstance(event, ConsentGiven)]
    assert [recorded, recorded] == [event.language for event in agreed]
