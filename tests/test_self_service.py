"""
What contacts do for themselves, asked of the manager itself: sessions, details, copies, new links and complaints.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import ACME, EMAIL, EMAIL_OFFERS, KEYS, PHONE, PURPOSES, SMS_OFFERS, World, world

from optly import Act, AsyncConsentManager, Channel, Contact, Content, EmailAddress, PhoneNumber
from optly._operations.complaints import LONGEST, acknowledge_by
from optly._operations.leases import LEASE
from optly.backends import MemoryBackend
from optly.contacts.addresses import AddressKind
from optly.errors import (
    AddressError,
    AnswerError,
    LinkInvalidError,
    LinkRevokedError,
    MissingLineError,
    NoBackendError,
    SessionError,
    TooManyTriesError,
    UsageError,
    WrongDigitsError,
)
from optly.messages import Message, Outcome, Receipt
from optly.protocols import MessageState
from optly.record.commands import Attachment
from optly.record.events import (
    Actor,
    ComplaintAcknowledged,
    ComplaintReceived,
    ComplaintResolved,
    Grade,
    LineAdded,
    LineReinstated,
    LineRemoved,
    LinkKind,
    Service,
    ServiceRequested,
)
from optly.record.views import without_values
from optly.rules import Reason
from optly.rules.editions import uk_date
from optly.storage import MemoryStorage
from optly.testing.messages import code_in, stop_token_in

NEW, SHARED = "ada@elsewhere.example.com", "info@example.com"


@pytest.fixture
def w(on_each_store: World) -> World:
    return on_each_store


def code_message(outbox: list[Message]) -> Message:
    """
    Return the latest message with a one-time code.
    """
    return [message for message in outbox if re.search(r"\b\d{6}\b", message.text) and "code" in message.text][-1]


def digits_in(message: Message) -> str:
    found = re.search(r"\b(\d{6})\b", message.text)
    assert found
    return found[1]


def link_of(w: World, contact: Contact) -> str:
    return w.manager.link(contact).rpartition("/")[2]


def signed_in(w: World, contact: Contact, code: str = "") -> str:
    """
    Go through the one-time code and return the raised session.
    """
    session = w.manager.self_service.request_code(code or link_of(w, contact))
    w.manager.deliver()
    return w.manager.self_service.step_up(session, digits_in(code_message(w.emails.outbox)))


def events_of(w: World, contact: Contact, *kinds: type) -> list[Any]:
    return [event for event in w.manager.history(contact) if isinstance(event, kinds)]


# ---- sessions


def test_a_code_opens_what_the_link_does_not(w: World) -> None:
    """
    Before it the details are refused, and so they are in a session that nobody raised.
    """
    ada, own = w.add(), w.manager.self_service
    code = link_of(w, ada)
    session = own.request_code(code)
    for each in (code, session):
        with pytest.raises(SessionError):
            own.details(each)
    w.manager.deliver()
    raised = own.step_up(session, digits_in(code_message(w.emails.outbox)))
    details = own.details(raised)
    assert details.name == "Ada Lovelace"
    assert [line.value for line in details.lines] == [EMAIL]
    assert details.masked == ((AddressKind.PHONE, PhoneNumber.parse(PHONE).masked),)
    opened = w.manager.open(raised)
    assert (opened.kind, opened.raised, opened.masked) == (LinkKind.SESSION, True, w.manager.open(code).masked)


def test_what_was_asked_for_is_on_record_without_the_digits(w: World) -> None:
    """
    That a code was sent, where to and through what; in the message alone stands which.
    """
    ada = w.add()
    signed_in(w, ada)
    asked = events_of(w, ada, ServiceRequested)
    assert [(event.service, event.channel, event.line, event.link) for event in asked] == [
        (Service.CODE, Channel.EMAIL, 1, LinkKind.MANAGE)
    ]
    digits = digits_in(code_message(w.emails.outbox))
    assert digits not in repr([event.personal for event in w.manager.history(ada)])
    assert w.manager.verify()


def test_digits_with_spaces_are_read_as_they_are_meant(w: World) -> None:
    """
    People type them in two groups of three.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.request_code(link_of(w, ada))
    w.manager.deliver()
    digits = digits_in(code_message(w.emails.outbox))
    assert own.details(own.step_up(session, f" {digits[:3]} {digits[3:]} ")).name


def test_a_code_goes_ahead_of_what_waits_already(w: World) -> None:
    """
    Somebody looks at the page and waits for it, behind a campaign of any size.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.manager.deliver()
    w.emails.outbox.clear()
    for number in range(3):
        w.manager.send(ada, Channel.EMAIL, "offers", Content(subject=f"Offer {number}", text="Hello"))
    w.later()
    w.manager.self_service.request_code(link_of(w, ada))
    w.manager.deliver()
    assert ["your code" in message.subject for message in w.emails.outbox] == [True, False, False, False]


def test_a_code_by_text_for_a_link_by_text(w: World) -> None:
    """
    It goes to the line the link went to, and ends with the line by which a phone fills it in.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.request_code(w.manager.link(ada, Channel.SMS).rpartition("/")[2])
    w.manager.deliver()
    text = w.texts.outbox[-1].text
    assert text.splitlines()[-1] == f"@acme.example.com #{digits_in(code_message(w.texts.outbox))}"
    assert own.details(own.step_up(session, digits_in(code_message(w.texts.outbox)))).name


def test_without_a_backend_no_code_is_asked_for() -> None:
    """
    And nothing is written.
    """
    w = world(backends=[])
    ada = w.add()
    before = w.manager.history(ada)
    assert not w.manager.open(link_of(w, ada)).verifiable
    with pytest.raises(NoBackendError):
        w.manager.self_service.request_code(link_of(w, ada))
    assert before == w.manager.history(ada)


def test_codes_are_asked_for_so_often_and_no_more(w: World) -> None:
    """
    Three in a quarter of an hour and six in a day; then nothing goes out.
    """
    ada, own = w.add(), w.manager.self_service
    code = link_of(w, ada)
    sent = 0
    for _ in range(4):
        for _ in range(5):
            with suppress(TooManyTriesError):
                own.request_code(code)
                sent += 1
        w.later(timedelta(minutes=15, microseconds=1))
    assert sent == 6
    w.manager.deliver()
    assert len(w.emails.outbox) == 6


def test_to_finish_ends_a_session_and_no_link(w: World) -> None:
    """
    A link goes on opening what it opens.
    """
    ada, own = w.add(), w.manager.self_service
    code = link_of(w, ada)
    session = signed_in(w, ada, code)
    own.finish(code)
    assert w.manager.open(code).items
    for _ in range(2):
        own.finish(session)
    with pytest.raises(LinkInvalidError):
        own.details(session)


# ---- details


def test_a_new_address_counts_once_a_code_came_back_from_there(w: World) -> None:
    """
    The old one is told, no consent moves, and the session goes on under a new code.
    """
    ada, own = w.add(), w.manager.self_service
    w.agreed(ada)
    w.later()
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    assert own.proposed(session, AddressKind.EMAIL) == EmailAddress.parse(NEW).masked
    w.manager.deliver()
    message = code_message(w.emails.outbox)
    assert message.to == NEW
    assert [line.value for line in own.details(session).lines] == [EMAIL]
    fresh = own.prove(session, AddressKind.EMAIL, digits_in(message))
    assert [line.value for line in own.details(fresh).lines] == [NEW]
    with pytest.raises((SessionError, LinkInvalidError)):
        own.details(session)
    w.manager.deliver()
    notice = w.emails.outbox[-1]
    assert notice.to == EMAIL
    assert EmailAddress.parse(NEW).masked in notice.text
    assert NEW not in notice.text
    assert not w.manager.check(NEW, Channel.EMAIL, "offers")
    assert w.manager.check(PHONE, Channel.SMS, "offers")
    added = events_of(w, ada, LineAdded)[-1]
    assert (added.actor, added.grade) == (Actor.PERSON, Grade.A)
    assert w.manager.standing(ada).lines[-1].proved


def test_a_link_to_the_old_address_opens_no_choices_any_more(w: World) -> None:
    """
    Somebody else may read there by now. Its stop link goes on working.
    """
    ada, own = w.add(), w.manager.self_service
    code = link_of(w, ada)
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    w.manager.deliver()
    own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))
    for act in (w.manager.open, own.request_code, lambda code: w.manager.choose(code, {EMAIL_OFFERS: True})):
        with pytest.raises(LinkRevokedError):
            act(code)
    w.manager.stop(code)
    assert all(
        w.manager.standing(ada).stop(channel, "offers", 2, w.clock()) for channel in (Channel.EMAIL, Channel.SMS)
    )


def test_the_change_is_undone_from_the_old_address(w: World) -> None:
    """
    The old line counts again with what was agreed to there, the new one is gone, and whoever is signed in is not.
    """
    ada, own = w.add(), w.manager.self_service
    w.agreed(ada)
    w.later()
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    w.manager.deliver()
    fresh = own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))
    w.manager.deliver()
    undo = code_in(w.emails.outbox[-1])
    change = w.manager.open(undo).undo
    assert (change.new, change.old) == (EmailAddress.parse(NEW).masked, EmailAddress.parse(EMAIL).masked)  # type: ignore[union-attr]
    w.manager.undo(undo)
    assert w.allowed()
    assert w.manager.find(EMAIL) == ada
    assert w.manager.find(NEW) is None
    with pytest.raises((SessionError, LinkInvalidError)):
        own.details(fresh)
    assert [type(event) for event in events_of(w, ada, LineRemoved, LineReinstated)] == [
        LineRemoved,
        LineRemoved,
        LineReinstated,
    ]
    before = w.manager.history(ada)
    w.manager.undo(undo)
    assert before == w.manager.history(ada)
    assert w.manager.verify()


def test_an_address_comes_back_although_somebody_else_has_it_too(w: World) -> None:
    """
    The undo was sent there, and whoever reads it proves that the address is still theirs; the other keeps it as well.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    w.manager.deliver()
    own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))
    w.manager.deliver()
    undo = code_in(w.emails.outbox[-1])
    eve = w.manager.add_contact(email=EMAIL)
    assert w.manager.holders(EMAIL) == (eve,)
    w.manager.undo(undo)
    assert set(w.manager.holders(EMAIL)) == {ada, eve}


def test_a_change_is_not_undone_from_an_address_that_somebody_new_has(w: World) -> None:
    """
    The notice of it may lie there still. Its link shows nothing and puts nothing back.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    w.manager.deliver()
    own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))
    w.manager.deliver()
    undo = code_in(w.emails.outbox[-1])
    w.manager.leave_line(ada, email=EMAIL, how="the provider gave the mailbox to somebody new")
    before = w.manager.history(ada)
    for act in (w.manager.open, w.manager.undo):
        with pytest.raises(LinkRevokedError):
            act(undo)
    assert before == w.manager.history(ada)
    assert () == w.manager.holders(EMAIL)


def test_an_address_on_another_record_may_be_proved_and_then_has_two_holders(w: World) -> None:
    """
    Nobody learns anything of the other record, and nothing of it changes.
    """
    ada, own = w.add(), w.manager.self_service
    bob = w.manager.add_contact(name="Bob", email=NEW)
    before = w.manager.history(bob)
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse(NEW))
    w.manager.deliver()
    own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))
    assert set(w.manager.holders(NEW)) == {ada, bob}
    assert before == w.manager.history(bob)


def test_a_number_that_was_not_there_is_added_and_the_email_address_told() -> None:
    """
    There is no old number to tell.
    """
    w = world()
    ada, own = w.add(phone=None), w.manager.self_service
    session = signed_in(w, ada)
    own.propose(session, PhoneNumber.parse(PHONE))
    w.manager.deliver()
    own.prove(session, AddressKind.PHONE, digits_in(code_message(w.texts.outbox)))
    w.manager.deliver()
    undo = code_in(w.emails.outbox[-1])
    assert w.manager.find(PHONE, Channel.SMS) == ada
    w.manager.undo(undo)
    assert w.manager.find(PHONE, Channel.SMS) is None
    assert w.manager.find(EMAIL) == ada


def test_of_two_proposals_the_later_counts_and_gets_no_code_of_the_earlier(w: World) -> None:
    """
    The code for the first does not confirm the second, even if it was sent in time.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    own.propose(session, EmailAddress.parse("first@example.com"))
    own.propose(session, EmailAddress.parse(NEW))
    w.emails.outbox.clear()
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox] == [NEW]
    own.propose(session, EmailAddress.parse("third@example.com"))
    with pytest.raises(WrongDigitsError):
        own.prove(session, AddressKind.EMAIL, digits_in(w.emails.outbox[0]))
    assert w.manager.find(NEW) is None


def test_what_is_on_record_already_is_no_proposal(w: World) -> None:
    """
    No code goes out.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    with pytest.raises(AnswerError):
        own.propose(session, EmailAddress.parse(EMAIL.upper()))
    assert own.proposed(session, AddressKind.EMAIL) == ""


def test_name_language_and_postal_address_are_changed_at_once(w: World) -> None:
    """
    By the person, as the record shows. A postal address ends other sessions, and the call returns the one that goes on.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    assert own.change_details(session, name="Ada King", language="cy") == session
    details = own.details(session)
    assert (details.name, details.language) == ("Ada King", "cy")
    moved = own.change_details(session, address="12 St James's Square, London SW1Y 4JH")
    assert moved != session
    assert [line.kind for line in own.details(moved).lines][-1] is AddressKind.POST
    assert {event.actor for event in w.manager.history(ada)[-2:]} == {Actor.PERSON}
    with pytest.raises(AddressError):
        own.change_details(moved, address=" ")


# ---- stopping and undoing


def test_a_stop_is_undone_through_the_link_that_made_it(w: World) -> None:
    """
    What had been agreed to is allowed again, in the same words and for the same time, and nothing else is.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    w.later()
    code = link_of(w, ada)
    before = {(one.channel, one.purpose, one.wording, one.expires_at) for one in w.manager.standing(ada).consents}
    stopped = w.manager.stop(code)
    assert stopped.told
    assert stopped.undo is not None
    assert {item.key for item in stopped.undo.items} == {EMAIL_OFFERS, SMS_OFFERS}
    w.later()
    w.manager.undo(code, stop=stopped.undo.stop)
    assert w.allowed()
    assert w.allowed(Channel.SMS)
    assert not w.allowed(purpose="news")
    after = {(one.channel, one.purpose, one.wording, one.expires_at) for one in w.manager.standing(ada).consents}
    assert before == after
    again = w.manager.history(ada)
    w.manager.undo(code, stop=stopped.undo.stop)
    assert again == w.manager.history(ada)


def test_a_stop_is_undone_through_the_notice_of_it(w: World) -> None:
    """
    Which goes to the line of the link, even that of a stop link; and no more once something else was said.
    """
    ada = w.add()
    stop = stop_token_in(w.ask(ada))
    w.agreed(ada)
    w.later()
    assert w.manager.stop_by_token(stop).told
    w.emails.outbox.clear()
    w.manager.deliver()
    notice = w.emails.outbox[-1]
    assert "you have stopped messages" in notice.subject
    undone = w.manager.open(code_in(notice)).undo
    assert {item.key for item in undone.items} == {EMAIL_OFFERS, SMS_OFFERS}  # type: ignore[union-attr]
    w.later()
    w.manager.withdraw(ada, channels=[Channel.SMS])
    w.later()
    w.manager.undo(code_in(notice))
    assert w.allowed()
    assert not w.allowed(Channel.SMS)


def test_whoever_agreed_to_nothing_is_told_nothing(w: World) -> None:
    """
    There is nothing to undo.
    """
    ada = w.add()
    stopped = w.manager.stop(link_of(w, ada))
    assert (stopped.undo, stopped.told) == (None, False)
    assert w.manager.deliver().total == 0


# ---- history and copy


def test_the_history_holds_the_words_that_were_shown(w: World) -> None:
    """
    And addresses only as far as they are masked.
    """
    ada, own = w.add(), w.manager.self_service
    w.agreed(ada)
    session = signed_in(w, ada)
    history = own.history(session)
    assert history.events == without_values(w.manager.history(ada), {2})
    shown = {wording.text for wording in history.wordings.values()}
    assert any("Acme Ltd" in text for text in shown)
    assert history.lines == {1: EmailAddress.parse(EMAIL).masked, 2: PhoneNumber.parse(PHONE).masked}


def test_the_copy_is_sent_to_the_address_on_record(w: World) -> None:
    """
    With everything that is held, and to nowhere else.
    """
    ada, own = w.add(), w.manager.self_service
    w.agreed(ada)
    session = signed_in(w, ada)
    assert own.send_copy(session) == EmailAddress.parse(EMAIL).masked
    w.manager.deliver()
    copy = w.emails.outbox[-1]
    assert copy.to == EMAIL
    for text in (copy.text, copy.html):
        for held in ("Ada Lovelace", EMAIL, "newsletter form"):
            assert held in text
        assert PHONE not in text
    for _ in range(2):
        own.send_copy(session)
    with pytest.raises(TooManyTriesError):
        own.send_copy(session)


def test_without_an_email_address_there_is_no_copy() -> None:
    """
    A text has no room for it.
    """
    w = world()
    ada, own = w.add(email=None), w.manager.self_service
    session = own.request_code(w.manager.link(ada, Channel.SMS).rpartition("/")[2])
    w.manager.deliver()
    session = own.step_up(session, digits_in(code_message(w.texts.outbox)))
    assert not w.manager.open(session).copyable
    with pytest.raises(MissingLineError):
        own.send_copy(session)


# ---- a new link


@pytest.mark.parametrize("typed", [EMAIL, " ADA@EXAMPLE.COM ", PHONE, "07911 123456"])
def test_a_new_link_goes_to_whoever_has_the_address(typed: str) -> None:
    """
    In whatever way they write it.
    """
    w = world()
    ada = w.add()
    w.manager.self_service.request_link(typed)
    w.manager.deliver()
    sent = w.emails.outbox + w.texts.outbox
    assert [message.contact for message in sent] == [ada.id]
    assert w.manager.open(code_in(sent[0])).kind is LinkKind.MANAGE
    assert [event.service for event in events_of(w, ada, ServiceRequested)] == [Service.LINK]


def test_nothing_goes_to_an_address_that_nobody_has(w: World) -> None:
    """
    Nor to one that was erased or replaced; and no contact comes of it.
    """
    ada = w.add()
    w.manager.change_details(ada, email=NEW)
    eve = w.manager.add_contact(email="eve@example.com")
    w.manager.erase(eve)
    for address in ("nobody@example.com", EMAIL, "eve@example.com"):
        w.manager.self_service.request_link(address)
    w.manager.deliver()
    assert w.emails.outbox == []
    assert w.manager.find("nobody@example.com") is None
    assert w.manager.backlog() == {}
    assert all(b"nobody" not in message.body for message in w.storage.messages("acme", MessageState.WITHHELD, 9))


def test_a_worker_that_dies_over_a_wanted_link_leaves_it_in_doubt(w: World) -> None:
    """
    There is no contact to record that for, and the others go on.
    """
    w.add()
    w.manager.self_service.request_link(EMAIL)
    due = w.storage.due("acme", Channel.EMAIL, w.clock(), 9)
    from optly.protocols import Claim

    claims = [Claim(subject=one.subject, message=one.message, token=bytes(16)) for one in due]
    assert len(w.storage.claim(claims, w.clock(), w.clock() + LEASE)) == 1
    w.later(LEASE + timedelta(minutes=1))
    assert w.manager.deliver().in_doubt == 1
    assert w.manager.backlog() == {MessageState.IN_DOUBT: 1}
    w.manager.self_service.request_link(EMAIL)
    assert w.manager.deliver().accepted == 1


def test_what_is_no_address_is_told_at_once(w: World) -> None:
    """
    Whether it is on record is not.
    """
    for typed in ("", "ada@", "0123", "Ada"):
        with pytest.raises(AddressError):
            w.manager.self_service.request_link(typed)


# ---- complaints


def test_a_complaint_is_recorded_acknowledged_and_told(w: World) -> None:
    """
    By a message to the person and one to the organisation, which holds no word of it.
    """
    ada, own = w.add(), w.manager.self_service
    complaint = own.complain(link_of(w, ada), "  You wrote to my late father.  ")
    received = events_of(w, ada, ComplaintReceived)[0]
    assert received.personal == {f"text_{len(w.manager.history(ada))}": "You wrote to my late father."}
    assert received.acknowledge_by == complaint.acknowledge_by
    w.manager.deliver()
    told = {message.to: message for message in w.emails.outbox}
    assert told.keys() == {EMAIL, ACME.email}
    assert complaint.reference in told[EMAIL].text
    for held in (complaint.reference, ada.id):
        assert held in told[ACME.email].text
    assert not any(secret in told[ACME.email].text for secret in ("father", EMAIL, "Lovelace"))
    acknowledged = events_of(w, ada, ComplaintAcknowledged)
    assert [(event.actor, event.message) for event in acknowledged] == [(Actor.SYSTEM, told[EMAIL].id)]
    standing = w.manager.standing(ada).complaint(complaint.id)
    assert standing is not None
    assert standing.acknowledged_at == w.clock()
    w.later(timedelta(days=29))
    w.emails.outbox.clear()
    w.manager.deliver()
    assert w.emails.outbox == []  # it was acknowledged, so that nobody need be reminded


def test_a_complaint_that_nobody_acknowledged_comes_before_the_organisation_again(w: World) -> None:
    """
    A week before its time is over; and no more once staff say that the person was told.
    """
    ada = w.add()
    w.emails.answer = lambda message: Receipt(
        outcome=Outcome.REFUSED if message.to == EMAIL else Outcome.ACCEPTED, reply="550 no"
    )
    complaint = w.manager.self_service.complain(link_of(w, ada), "Too many letters.")
    other = w.manager.self_service.complain(link_of(w, ada), "And calls.")
    w.manager.deliver()
    w.emails.outbox.clear()
    w.manager.acknowledge_complaint(ada, other.id, how="by telephone")
    w.clock.now = complaint.acknowledge_by - timedelta(days=7, microseconds=1)
    w.manager.deliver()
    assert w.emails.outbox == []
    w.later(timedelta(microseconds=1))
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox] == [ACME.email]
    assert complaint.reference in w.emails.outbox[0].text
    w.manager.resolve_complaint(ada, complaint.id, how="We stopped the letters, and wrote so.")
    standing = w.manager.standing(ada).complaint(complaint.id)
    assert standing is not None
    assert standing.acknowledged_at == standing.resolved_at == w.clock()
    assert len(events_of(w, ada, ComplaintResolved)) == 1
    w.manager.resolve_complaint(ada, complaint.id, how="Again.")
    assert len(events_of(w, ada, ComplaintResolved)) == 1
    assert w.manager.verify()


def test_a_complaint_says_something(w: World) -> None:
    """
    And not more than there is room for.
    """
    ada, own = w.add(), w.manager.self_service
    for text in ("", " \n ", "x" * (LONGEST + 1)):
        with pytest.raises(AnswerError):
            own.complain(link_of(w, ada), text)
    assert events_of(w, ada, ComplaintReceived) == []
    own.complain(link_of(w, ada), "x" * LONGEST)
    with pytest.raises(UsageError):
        w.manager.acknowledge_complaint(ada, "0" * 32, how="by telephone")
    with pytest.raises(UsageError):
        w.manager.resolve_complaint(ada, w.manager.standing(ada).complaints[0].id, how=" ")


def test_the_words_of_a_complaint_are_erased_with_everything_else(w: World) -> None:
    """
    That there was one stays, and it is acknowledged all the same: where to reply is kept with it.
    """
    ada = w.add()
    complaint = w.manager.self_service.complain(link_of(w, ada), "You wrote to my late father.")
    w.manager.erase(ada)
    assert w.manager.verify()
    assert len(events_of(w, ada, ComplaintReceived)) == 1
    assert "father" not in repr([event.personal for event in w.manager.history(ada)])
    w.manager.deliver()
    assert {EMAIL, ACME.email} == {message.to for message in w.emails.outbox}
    acknowledged = w.manager.standing(ada).complaint(complaint.id)
    assert acknowledged is not None
    assert w.clock() == acknowledged.acknowledged_at
    assert {} == {slot: value for event in w.manager.history(ada) for slot, value in event.personal.items()}
    assert w.manager.verify()


@given(days=st.floats(min_value=0, max_value=3650))
def test_the_thirtieth_day_counted_from_the_day_it_came(days: float) -> None:
    """
    Until its last microsecond by the clocks of the United Kingdom.
    """
    at = datetime(2026, 6, 19, tzinfo=UTC) + timedelta(days=days)
    last = acknowledge_by(at)
    assert uk_date(last) == uk_date(at) + timedelta(days=29)
    assert uk_date(last + timedelta(microseconds=1)) == uk_date(at) + timedelta(days=30)


@pytest.mark.parametrize(
    ("at", "by"),
    [
        # In summer a day in the United Kingdom begins at 23:00 UTC.
        (datetime(2026, 7, 1, 12, tzinfo=UTC), datetime(2026, 7, 30, 22, 59, 59, 999999, tzinfo=UTC)),
        (datetime(2026, 7, 1, 23, 30, tzinfo=UTC), datetime(2026, 7, 31, 22, 59, 59, 999999, tzinfo=UTC)),
        # Over the night of 25 October 2026 the clocks go back.
        (datetime(2026, 10, 10, 12, tzinfo=UTC), datetime(2026, 11, 8, 23, 59, 59, 999999, tzinfo=UTC)),
        (datetime(2026, 12, 1, 0, 0, tzinfo=UTC), datetime(2026, 12, 30, 23, 59, 59, 999999, tzinfo=UTC)),
    ],
)
def test_days_in_the_united_kingdom(at: datetime, by: datetime) -> None:
    """
    Cases worked out by hand.
    """
    assert acknowledge_by(at) == by


# ---- the rest


def test_what_is_sent_at_the_persons_own_wish_offers_no_stop(w: World) -> None:
    """
    A code and a copy promote nothing, so there is nothing in them to stop.
    """
    ada, own = w.add(), w.manager.self_service
    session = signed_in(w, ada)
    own.send_copy(session)
    own.complain(session, "Too many letters.")
    w.manager.deliver()
    assert [message.subject for message in w.emails.outbox if "List-Unsubscribe" in message.headers] == []


def test_an_objection_does_not_keep_a_code_back(w: World) -> None:
    """
    It is not marketing, and whoever stopped everything may see what is held of them.
    """
    ada = w.add()
    w.manager.record_objection(ada)
    session = signed_in(w, ada)
    assert w.manager.self_service.details(session).name


def test_the_same_awaited() -> None:
    """
    With the same names and the same results.
    """

    async def job() -> None:
        emails = MemoryBackend(channel=Channel.EMAIL)
        async with AsyncConsentManager(
            organisation=ACME,
            purposes=PURPOSES,
            storage=MemoryStorage(),
            backends=[emails, MemoryBackend(channel=Channel.SMS)],
            keys=KEYS,
            base_url="https://acme.example.com/my",
        ) as manager:
            own = manager.self_service
            ada = await manager.add_contact(name="Ada", email=EMAIL)
            code = (await manager.link(ada)).rpartition("/")[2]
            session = await own.request_code(code)
            await manager.deliver()
            session = await own.step_up(session, digits_in(code_message(emails.outbox)))
            assert (await own.details(session)).name == "Ada"
            session = await own.stay(session)
            assert await own.change_details(session, name="Ada King") == session
            await own.propose(session, EmailAddress.parse(NEW))
            assert await own.proposed(session, AddressKind.EMAIL) == EmailAddress.parse(NEW).masked
            await manager.deliver()
            session = await own.prove(session, AddressKind.EMAIL, digits_in(code_message(emails.outbox)))
            assert await own.send_copy(session) == EmailAddress.parse(NEW).masked
            assert (await own.history(session)).events == without_values(await manager.history(ada), {1})
            complaint = await own.complain(session, "Too many letters.")
            await manager.acknowledge_complaint(ada, complaint.id, how="by telephone")
            await manager.resolve_complaint(ada, complaint.id, how="by telephone")
            await own.request_link(NEW)
            await manager.deliver()
            stopped = await manager.stop(session)
            assert stopped.undo is None
            await own.finish(session)
            with pytest.raises(LinkInvalidError):
                await own.details(session)

    asyncio.run(job())


def test_consent_stays_on_the_line_it_was_given_for() -> None:
    """
    A number that is proved anew is asked about anew; the other line keeps what was agreed to.
    """
    w = world()
    ada, own = w.add(), w.manager.self_service
    w.agreed(ada)
    w.later()
    session = signed_in(w, ada)
    own.propose(session, PhoneNumber.parse("+447911123457"))
    w.manager.deliver()
    own.prove(session, AddressKind.PHONE, digits_in(code_message(w.texts.outbox)))
    assert w.allowed(Channel.EMAIL)
    assert not w.manager.check("+447911123457", Channel.SMS, "offers")
    assert not w.manager.check(ada, Channel.SMS, "offers")
    items = {item.key: item.answer for item in w.manager.open(link_of(w, ada)).items}
    assert (items[EMAIL_OFFERS], items[SMS_OFFERS]) == (True, None)


# ---- nothing of another line


def with_two(w: World) -> Contact:
    """
    Put Ada on record with a shared address first, then her own, and one number.
    """
    ada = w.add(email=SHARED)
    w.manager.add_line(ada, email=EMAIL)
    return ada


def signed_in_by_text(w: World, contact: Contact) -> str:
    own = w.manager.self_service
    session = own.request_code(w.manager.link(contact, Channel.SMS).rpartition("/")[2])
    w.manager.deliver()
    return own.step_up(session, digits_in(code_message(w.texts.outbox)))


def signed_in_by_email(w: World, contact: Contact, email: str) -> str:
    return signed_in(w, contact, w.manager.link(contact, email=email).rpartition("/")[2])


def proved(w: World, session: str, email: str) -> str:
    own = w.manager.self_service
    own.propose(session, EmailAddress.parse(email))
    w.manager.deliver()
    return own.prove(session, AddressKind.EMAIL, digits_in(code_message(w.emails.outbox)))


def emails_of(w: World, contact: Contact) -> set[str]:
    return {email for email in (SHARED, EMAIL, NEW) if contact in w.manager.holders(email)}


def test_a_new_address_replaces_none_but_the_one_that_is_meant(w: World) -> None:
    """
    The one they came through; none, if they came through a number and nobody knows which of several.
    """
    ada = with_two(w)
    proved(w, signed_in_by_text(w, ada), NEW)
    assert {SHARED, EMAIL, NEW} == emails_of(w, ada)
    w.later(timedelta(hours=1))
    proved(w, signed_in_by_email(w, ada, EMAIL), "third@example.com")
    assert {SHARED, NEW} == emails_of(w, ada)


def test_a_postal_address_replaces_none_of_several(w: World) -> None:
    """
    Unless the person gave it themselves.
    """
    first, second = "7 Secret Lane, Leeds LS1 1AA", "8 Secret Lane, Leeds LS1 1AA"
    ada, own = w.add(address=first), w.manager.self_service
    w.manager.add_line(ada, address=second)
    session = signed_in(w, ada)
    session = own.change_details(session, address="9 Secret Lane, Leeds LS1 1AA")
    own.change_details(session, address="10 Secret Lane, Leeds LS1 1AA")
    posts = [line for line in w.manager.standing(ada).lines if line.kind is AddressKind.POST]
    assert [False, False, True, False] == [line.removed for line in posts]


def test_a_copy_goes_to_no_address_that_is_only_one_of_several(w: World) -> None:
    """
    Others may read there. It goes to the address the person came through, or has shown to be theirs.
    """
    ada, own = with_two(w), w.manager.self_service
    session = signed_in_by_text(w, ada)
    assert not w.manager.open(session).copyable
    with pytest.raises(MissingLineError):
        own.send_copy(session)
    session = proved(w, session, EMAIL)
    assert w.manager.open(session).copyable
    own.send_copy(session)
    w.manager.deliver()
    assert EMAIL == w.emails.outbox[-1].to


def test_a_choice_is_offered_for_no_address_that_is_only_one_of_several(w: World) -> None:
    """
    What was said on another line is not shown, and no yes lands there. Everything can be stopped all the same.
    """
    ada = with_two(w)
    code = w.manager.link(ada, Channel.SMS).rpartition("/")[2]
    assert {Channel.SMS} == {item.choice.channel for item in w.manager.open(code).items}
    with pytest.raises(AnswerError):
        w.manager.choose(code, {EMAIL_OFFERS: True})
    w.manager.stop(code)
    for email in (SHARED, EMAIL):
        assert w.manager.check(email, Channel.EMAIL, "offers").reason is Reason.OBJECTED


def test_the_history_shows_no_words_of_another_line(w: World) -> None:
    """
    Neither how consent for it was given, nor the documents, nor a complaint through it and what became of that.
    """
    ada, own = w.add(), w.manager.self_service
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=PURPOSES[0].wording(w.manager.organisation, Channel.EMAIL),
        act=Act.TICKED_BOX,
        how="secret form",
        at=w.clock(),
        attachments=[Attachment(name="form.txt", media_type="text/plain", content=b"secret")],
    )
    complaint = own.complain(link_of(w, ada), "my secret complaint")
    w.manager.resolve_complaint(ada, complaint.id, outcome="your secret outcome", send=True)
    w.manager.deliver()

    def told(session: str) -> str:
        return " ".join(value for event in own.history(session).events for value in event.personal.values())

    assert "secret" not in told(signed_in_by_text(w, ada))
    everything = told(signed_in(w, ada))
    for words in ("secret form", "form.txt", "secret complaint", "secret outcome"):
        assert words in everything
