"""
The main job, end to end in memory, and what is refused on the way.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

import pytest
from world import ACME, EMAIL, EMAIL_OFFERS, KEYS, PHONE, PURPOSES, SMS_OFFERS, World, world

from optly import (
    Act,
    Actor,
    Attachment,
    Channel,
    ConsentManager,
    Contact,
    Content,
    Context,
    Keys,
    NotPermittedError,
    Purpose,
    Solicited,
    Subscriber,
    Wording,
)
from optly._operations.outcomes import MAX_ATTEMPTS
from optly.backends import MemoryBackend
from optly.errors import (
    AddressError,
    AmbiguousContactError,
    AnswerError,
    ConfigurationError,
    LinkError,
    LinkExpiredError,
    LinkInvalidError,
    LinkRevokedError,
    LinkSupersededError,
    LinkUsedError,
    MissingLineError,
    NaiveDatetimeError,
    NoBackendError,
    UnknownChannelError,
    UnknownContactError,
    UnknownPurposeError,
    UnsoundWordingError,
    UsageError,
)
from optly.instants import end_of_day
from optly.messages import Outcome, Receipt
from optly.protocols import RowKind, StoredCode
from optly.record.consent import QuestionState
from optly.record.events import (
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    Grade,
    LinkKind,
    LinksRevoked,
    MessageAccepted,
    MessageDoubted,
    MessageOutcome,
    MessageRefused,
    MessageWithheld,
)
from optly.rules import Reason
from optly.storage import MemoryStorage
from optly.testing.messages import code_in, stop_token_in

WORDING = Wording(text="May Acme Ltd email you about offers?")


@pytest.fixture
def w() -> World:
    return world()


def events_of(w: World, contact: Contact, kind: type) -> list[object]:
    return [event for event in w.manager.history(contact) if isinstance(event, kind)]


def test_the_whole_of_the_main_job(w: World) -> None:
    """
    Asked, delivered, opened, answered, allowed where it was allowed, refused elsewhere, stopped, proved.
    """
    ada = w.add()
    assert not w.allowed()
    code = code_in(w.ask(ada))
    assert not w.allowed()
    assert [item.answer for item in w.manager.open(code).items] == [None, None]
    assert not w.allowed()

    w.manager.answer(code, {EMAIL_OFFERS: True, SMS_OFFERS: False})
    assert w.allowed()
    assert not w.allowed(Channel.SMS)
    assert not w.allowed(purpose="news")

    w.later()
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Half price", text="Today only."))
    w.manager.deliver()
    message = w.emails.outbox[-1]
    assert message.to == EMAIL
    assert message.subject == "Half price"
    assert "Acme Ltd" in message.text
    assert message.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"

    w.later()
    w.manager.stop_by_token(stop_token_in(message))
    assert not w.allowed()
    assert w.manager.evidence(ada).verify()
    assert w.manager.verify()


def test_a_request_names_the_sender_and_shows_the_way_out(w: World) -> None:
    """
    Subject, identity, question, link, stop link and headers are all there, in both forms.
    """
    message = w.ask(w.add())
    for form in (message.text, message.html):
        assert "Acme Ltd" in form
        assert "1 High Street, Leeds LS1 1AA" in form
        assert "0800 496 0000" in form
        assert "May Acme Ltd send you offers and discounts on our products by text message?" in form
        assert f"https://acme.example.com/my/l/{code_in(message)}" in form
        assert f"https://acme.example.com/my/u/{stop_token_in(message)}" in form
    assert message.headers["List-Unsubscribe"] == f"<https://acme.example.com/my/u/{stop_token_in(message)}>"
    assert "Acme Ltd" in message.subject


def test_nothing_a_stranger_typed_goes_into_a_request(w: World) -> None:
    """
    Otherwise a form would send anybody's words to anybody.
    """
    message = w.ask(w.add(name="CLICK https://evil.example"))
    assert "evil" not in message.text + message.html + message.subject


def test_the_wording_is_pinned_when_it_is_asked(w: World) -> None:
    """
    The answer names the words that were sent, even if the purpose has other words by then.
    """
    ada = w.add()
    code = code_in(w.ask(ada))
    reworded = world(w.storage, clock=w.clock, purposes=[Purpose(key="offers", title="Anything at all")])
    assert "offers and discounts" in reworded.manager.open(code).items[0].wording.text
    reworded.manager.answer(code, {EMAIL_OFFERS: True})
    asked, given = events_of(w, ada, ConsentRequested)[0], events_of(w, ada, ConsentGiven)[0]
    assert isinstance(asked, ConsentRequested)
    assert isinstance(given, ConsentGiven)
    assert given.choices == (asked.choices[0],)
    assert "offers and discounts" in w.manager.evidence(ada).wordings[given.choices[0].wording].text


def test_what_is_kept_of_an_answer(w: World) -> None:
    """
    Who, when, through which link, and from where if the host wants that.
    """
    ada = w.add()
    message = w.ask(ada)
    w.later()
    w.manager.answer(
        code_in(message), {EMAIL_OFFERS: True, SMS_OFFERS: True}, context=Context(address="203.0.113.9", browser="Lynx")
    )
    by_email, by_text = events_of(w, ada, ConsentGiven)
    assert isinstance(by_email, ConsentGiven)
    assert isinstance(by_text, ConsentGiven)
    assert (by_email.actor, by_email.act, by_email.link) == (Actor.PERSON, Act.CHOSE_YES, LinkKind.QUESTION)
    assert by_email.occurred_at == w.clock()
    # The link went to the email address, so it proves nothing about who holds the telephone.
    assert (by_email.grade, by_text.grade) == (Grade.A, Grade.B)
    assert sorted(by_email.personal.values()) == ["203.0.113.9", "Lynx"]
    assert by_email.code
    assert code_in(message) not in str(w.manager.history(ada))


def test_the_providers_reply_is_kept(w: World) -> None:
    """
    Word for word, with the backend that got it.
    """
    ada = w.add()
    w.emails.outcomes.append(Receipt(outcome=Outcome.ACCEPTED, reply="250 2.0.0 Ok: queued as 4F00D", code=250))
    w.ask(ada)
    (accepted,) = events_of(w, ada, MessageAccepted)
    assert isinstance(accepted, MessageAccepted)
    assert list(accepted.personal.values()) == ["250 2.0.0 Ok: queued as 4F00D"]
    assert accepted.backend == "memory"


def test_a_receipt_confirms_a_yes_and_nothing_else(w: World) -> None:
    """
    It goes to the line the question went to, holds a link for later, and is left out if the host does not want it.
    """
    w.agreed(w.add())
    w.manager.deliver()
    receipt = w.emails.outbox[-1]
    assert "you said yes to" in receipt.text
    assert w.manager.open(code_in(receipt)).kind is LinkKind.MANAGE

    quiet = world(receipts=False)
    quiet.agreed(quiet.add())
    assert quiet.manager.deliver().total == 0

    refusing = world()
    refusing.manager.answer(code_in(refusing.ask(refusing.add())), {EMAIL_OFFERS: False})
    assert refusing.manager.deliver().total == 0


def test_a_receipt_overtaken_by_a_stop_is_not_sent(w: World) -> None:
    """
    Whoever stopped everything is not told that they said yes.
    """
    code = w.agreed(w.add())
    w.later()
    w.manager.stop(code)
    assert w.manager.deliver().withheld == 1
    assert [message.subject for message in w.emails.outbox[1:]] == ["Acme Ltd: you have stopped messages"]


def test_asking_without_a_basis_is_refused_and_leaves_nothing(w: World) -> None:
    """
    The error carries the decision, no message waits, and no event was recorded.
    """
    ada = w.add()
    with pytest.raises(NotPermittedError) as caught:
        w.manager.request_consent(ada, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"])
    assert caught.value.decision.reason is Reason.NO_CONSENT
    assert caught.value.decision.regulation == "22(2)"
    assert w.manager.deliver().total == 0
    assert not events_of(w, ada, ConsentRequested)


def test_the_gate_is_asked_again_at_the_moment_of_handing_over(w: World) -> None:
    """
    A stop between queueing and handing over withholds the message, and the record says so.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    w.later()
    name = w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    w.later()
    w.manager.withdraw(ada, channels=[Channel.EMAIL])
    sent = len(w.emails.attempts)
    assert w.manager.deliver().withheld == 1
    assert len(w.emails.attempts) == sent
    (withheld,) = events_of(w, ada, MessageWithheld)
    assert isinstance(withheld, MessageWithheld)
    assert (withheld.message, withheld.reason) == (name, "withdrawn")


def test_a_second_question_takes_the_place_of_the_first(w: World) -> None:
    """
    The first can then not be answered, not even if it is opened later.
    """
    ada = w.add()
    first = code_in(w.ask(ada))
    w.later()
    second = code_in(w.ask(ada))
    with pytest.raises(LinkSupersededError):
        w.manager.answer(first, {EMAIL_OFFERS: True})
    w.manager.answer(second, {EMAIL_OFFERS: True})
    assert w.allowed()


def test_an_answered_question_takes_no_second_answer(w: World) -> None:
    """
    The replay says when it was answered and changes nothing.
    """
    ada = w.add()
    code = w.agreed(ada)
    answered_at = w.clock()
    before = w.manager.standing(ada)
    w.later()
    with pytest.raises(LinkUsedError) as caught:
        w.manager.answer(code, {EMAIL_OFFERS: False})
    assert caught.value.answered_at == answered_at
    assert w.manager.standing(ada) == before


def test_a_question_can_be_answered_until_its_last_microsecond() -> None:
    """
    That of the day that it names. A microsecond later it cannot.
    """
    for late in (timedelta(0), timedelta(microseconds=1)):
        w = world()
        code = code_in(w.ask(w.add(), expires_within=timedelta(days=3)))
        w.later(end_of_day(w.clock() + timedelta(days=3)) - w.clock() + late)
        if late:
            with pytest.raises(LinkExpiredError):
                w.manager.answer(code, {EMAIL_OFFERS: True})
            assert not w.allowed()
        else:
            w.manager.answer(code, {EMAIL_OFFERS: True})
            assert w.allowed()


def test_a_question_that_ran_out_before_it_was_handed_over_is_withheld(w: World) -> None:
    """
    There is no use in a link that cannot be answered.
    """
    ada = w.add()
    w.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        basis=Solicited(how="form", at=w.clock()),
        expires_within=timedelta(hours=1),
    )
    w.later(timedelta(days=1))
    assert w.manager.deliver().withheld == 1
    assert not w.emails.attempts


@pytest.mark.parametrize(
    "code", ["", "x", "l" * 26, "../../etc/passwd", "0" * 26, "0" * 100_000, "é" * 26, "\0" * 26, "0000000000000000\n"]
)
def test_what_is_no_link_is_refused(w: World, code: str) -> None:
    """
    Whatever is put where a code should be.
    """
    for call in (w.manager.open, w.manager.stop, w.manager.open_stop, w.manager.stop_by_token):
        with pytest.raises(LinkInvalidError):
            call(code)
    with pytest.raises(LinkInvalidError):
        w.manager.answer(code, {EMAIL_OFFERS: True})
    with pytest.raises(LinkInvalidError):
        w.manager.choose(code, {EMAIL_OFFERS: True})


def test_an_altered_stop_token_stops_nothing(w: World) -> None:
    """
    Nor does one that was signed with another key.
    """
    ada = w.add()
    token = stop_token_in(w.ask(ada))
    before = w.manager.standing(ada)
    for altered in (token[:-1], token[1:], token.replace(token[9], ""), "A" + token, token[::-1]):
        with pytest.raises(LinkInvalidError):
            w.manager.stop_by_token(altered)
    stranger = world(keys=Keys(current="another key than the one in use"))
    with pytest.raises(LinkInvalidError):
        stranger.manager.stop_by_token(token)
    assert w.manager.standing(ada) == before


def test_each_link_may_do_its_own_part_only(w: World) -> None:
    """
    A MyOptly link answers no question, and a question link changes no other choices.
    """
    ada = w.add()
    question = code_in(w.ask(ada))
    manage = w.manager.link(ada).rpartition("/")[2]
    with pytest.raises(LinkInvalidError):
        w.manager.answer(manage, {EMAIL_OFFERS: True})
    with pytest.raises(LinkInvalidError):
        w.manager.choose(question, {EMAIL_OFFERS: True})
    with pytest.raises(AnswerError):
        w.manager.answer(question, {(Channel.EMAIL, "news"): True})
    assert not w.allowed()


@pytest.mark.parametrize("answers", [{}, {EMAIL_OFFERS: "yes"}, {EMAIL_OFFERS: 1}, {(Channel.FAX, "offers"): True}])
def test_an_answer_that_does_not_fit_changes_nothing(w: World, answers: dict[tuple[Channel, str], bool]) -> None:
    """
    Silence is no answer, and neither is anything but True and False.
    """
    ada = w.add()
    code = code_in(w.ask(ada))
    manage = w.manager.link(ada).rpartition("/")[2]
    before = w.manager.standing(ada)
    with pytest.raises(AnswerError):
        w.manager.answer(code, answers)
    with pytest.raises(AnswerError):
        w.manager.choose(manage, answers)
    assert w.manager.standing(ada) == before


def test_the_myoptly_link_changes_choices_both_ways(w: World) -> None:
    """
    Yes lifts a no of the person's own, no takes a yes back, and each change is on record with its wording.
    """
    ada = w.add()
    manage = w.manager.link(ada).rpartition("/")[2]
    keys = {item.key: item.answer for item in w.manager.open(manage).items}
    assert keys == {(c, p): None for c in (Channel.EMAIL, Channel.SMS) for p in ("offers", "news")}
    for answer in (True, False, True):
        w.later()
        w.manager.choose(manage, {EMAIL_OFFERS: answer})
        assert w.allowed() is answer
        shown = {item.key: item.answer for item in w.manager.open(manage).items}
        assert shown[EMAIL_OFFERS] is answer
    assert w.manager.evidence(ada).verify()


def test_a_link_the_host_was_given_proves_less_than_one_in_a_message(w: World) -> None:
    """
    Staff could have pressed the button themselves, so only what went to the line alone proves who holds it.
    """
    ada = w.add()
    w.manager.choose(w.manager.link(ada).rpartition("/")[2], {EMAIL_OFFERS: True})
    w.manager.deliver()
    w.later()
    w.manager.choose(code_in(w.emails.outbox[-1]), {(Channel.EMAIL, "news"): True})
    given = events_of(w, ada, ConsentGiven)
    assert [Grade.B, Grade.A] == [event.grade for event in given if isinstance(event, ConsentGiven)]


def test_revoked_links_open_nothing_but_stop_links_still_stop(w: World) -> None:
    """
    A link that leaked is of no use to anybody, and stopping stays possible.
    """
    ada = w.add()
    message = w.ask(ada)
    links = [w.manager.link(ada, channel).rpartition("/")[2] for channel in (Channel.EMAIL, Channel.SMS)]
    w.manager.revoke_links(ada)
    for code in (*links, code_in(message)):
        with pytest.raises(LinkRevokedError):
            w.manager.open(code)
    assert w.manager.open(w.manager.link(ada).rpartition("/")[2]).items
    w.manager.stop_by_token(stop_token_in(message))
    assert w.manager.standing(ada).stops
    assert isinstance(w.manager.history(ada)[-2], LinksRevoked)


def test_the_link_in_an_email_is_not_stored(w: World) -> None:
    """
    It opens all the same, proves the line that it was sent to, and is known by the message that contains it.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    before = list(w.storage.rows(RowKind.CODES))
    sent = w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Offers", text="Ten per cent off"))
    w.manager.deliver()
    (stored,) = [row for row in w.storage.rows(RowKind.CODES) if row not in before]
    assert isinstance(stored, StoredCode)
    assert stored.subject.hex() == sent  # by which it is found again when it is replied to
    w.manager.choose(code_in(w.emails.outbox[-1]), {(Channel.EMAIL, "offers"): False})
    no = w.manager.history(ada)[-1]
    assert isinstance(no, ConsentRefused)
    assert (LinkKind.MANAGE, sent[:16], Grade.A) == (no.link, no.code, no.grade)


def test_texts_to_a_line_have_one_stored_code(w: World) -> None:
    """
    With letters that name the text: both open, an act through one is known to be, and both are revoked.
    """
    ada = w.add()
    w.manager.answer(code_in(w.ask(ada)), {SMS_OFFERS: True})
    w.manager.deliver()
    before = len(list(w.storage.rows(RowKind.CODES)))
    codes = []
    for text in ("Ten per cent off", "Twenty per cent off", "Nothing off"):
        if text == "Nothing off":
            w.manager.revoke_links(ada)
            before = len(list(w.storage.rows(RowKind.CODES)))
        w.manager.send(ada, Channel.SMS, "offers", text)
        w.manager.deliver()
        assert before + 1 == len(list(w.storage.rows(RowKind.CODES)))
        codes.append(code_in(w.texts.outbox[-1]))
        w.later()
        w.manager.choose(codes[-1], {(Channel.SMS, "news"): False})
        sent, no = w.manager.history(ada)[-2:]
        assert isinstance(sent, MessageAccepted)
        assert isinstance(no, ConsentRefused)
        assert sent.code == no.code
    one, other, later = codes
    assert (one[:16], 20) == (other[:16], len(one))
    assert one[16:] != other[16:]
    assert later[:16] != one[:16]
    for code in (one, other):
        with pytest.raises(LinkRevokedError):
            w.manager.open(code)


@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.IN_DOUBT])
def test_a_marketing_message_leaves_one_event(w: World, outcome: Outcome) -> None:
    """
    None as it is queued. Its outcome, whatever that is, says what it was for and why it was allowed.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.deliver()
    before = len(w.manager.history(ada))
    sent = w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Offers", text="Ten per cent off"))
    assert before == len(w.manager.history(ada))
    w.emails.outcomes.append(Receipt(outcome=outcome))
    w.manager.deliver()
    (event,) = w.manager.history(ada)[before:]
    assert isinstance(event, MessageOutcome)
    assert (sent, "offers", "22(2)", Reason.CONSENTED) == (event.message, event.purpose, event.regulation, event.reason)


def test_a_choice_that_is_there_already_is_not_recorded_again(w: World) -> None:
    """
    A second click on the same button is no event. A no that is said again later is one: it counts from then.
    """
    ada = w.add()
    manage = w.manager.link(ada).rpartition("/")[2]
    for _ in range(2):
        w.manager.choose(manage, {EMAIL_OFFERS: True, SMS_OFFERS: False})
    version = w.manager.standing(ada).version
    w.later()
    w.manager.choose(manage, {EMAIL_OFFERS: True})
    assert w.manager.standing(ada).version == version
    w.manager.choose(manage, {SMS_OFFERS: False})
    assert w.manager.standing(ada).version == version + 1


def test_stopping_everything_stops_everything(w: World) -> None:
    """
    Every channel and purpose, through one link and in one step, and again without harm.
    """
    ada = w.add()
    code = w.agreed(ada)
    w.later()
    w.manager.stop(code)
    version = w.manager.standing(ada).version
    w.manager.stop(code)
    assert w.manager.standing(ada).version == version
    assert not any(w.allowed(c, p) for c in (Channel.EMAIL, Channel.SMS) for p in ("offers", "news"))


def test_keys_rotate_without_breaking_what_is_out_there(w: World) -> None:
    """
    Links, look-ups and suppressions made under the old key go on working, and the old key cannot be left out.
    """
    ada = w.add()
    message = w.ask(ada)
    new = Keys(current="the key that comes after it", previous=[KEYS.current])
    rotated = world(w.storage, clock=w.clock, keys=new)
    assert rotated.manager.find(EMAIL) == ada
    rotated.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    assert rotated.allowed()
    rotated.later()
    rotated.manager.stop_by_token(stop_token_in(message))
    assert not rotated.allowed()
    assert rotated.manager.verify()
    rotated.manager.erase(ada)
    rotated.add()
    assert rotated.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.SUPPRESSED
    with pytest.raises(ConfigurationError, match="key"):
        world(w.storage, keys=Keys(current="the key that comes after it"))


def test_adding_a_contact_again_changes_nothing(w: World) -> None:
    """
    The same details give the same contact; nobody's choices or language change by an import.
    """
    ada = w.add()
    version = w.manager.standing(ada).version
    again = w.manager.add_contact(name=" ada  LOVELACE ", email=EMAIL.upper(), language="cy")
    assert [again, w.add(), w.manager.add_contact(email=EMAIL)] == [ada, ada, ada]
    assert w.manager.standing(ada).version == version
    assert w.manager.find(PHONE, Channel.SMS) == ada


def test_a_person_is_not_inferred_from_a_matching_address(w: World) -> None:
    """
    Neither by another name nor by an address beside the one that matches: each is a contact, and the line has two
    holders.
    """
    ada = w.add(phone=None)
    bob = w.manager.add_contact(name="Bob", email=EMAIL)
    eve = w.manager.add_contact(name="Ada Lovelace", email=EMAIL, phone=PHONE)
    assert len({ada, bob, eve}) == 3
    assert set(w.manager.holders(EMAIL)) == {ada, bob, eve}
    assert w.manager.holders(PHONE, Channel.SMS) == (eve,)
    with pytest.raises(AmbiguousContactError):
        w.manager.find(EMAIL)
    assert len(w.manager.standing(ada).present()) == 1


def test_one_of_several_contacts_alike_is_not_picked(w: World) -> None:
    """
    A father and a son of one name, one address and two references: without one of these, nobody knows who is meant.
    Who was added by the same call before is known, and so is each by their reference.
    """
    by_row = w.manager.add_contact(name="Ada", email=EMAIL)
    both = [w.manager.add_contact(reference=f"crm-{number}", name="Ada", email=EMAIL) for number in (1, 2)]
    assert len({by_row, *both}) == 3
    assert w.manager.add_contact(name="ADA ", email=EMAIL) == by_row
    w.manager.erase(by_row)
    with pytest.raises(AmbiguousContactError, match="reference="):
        w.manager.add_contact(name="Ada", email=EMAIL)
    assert set(w.manager.holders(EMAIL)) == set(both)
    assert both == [w.manager.add_contact(reference=f"crm-{number}", name="Ada", email=EMAIL) for number in (1, 2)]
    w.manager.change_details(both[1], name="Ada the younger")
    assert w.manager.add_contact(name="Ada", email=EMAIL) == both[0]


def test_one_of_several_holders_is_not_picked_where_no_name_is_given(w: World) -> None:
    """
    Not even where their names are alike: a further holder stands for whoever it is, every time.
    """
    both = {w.manager.add_contact(reference=f"crm-{number}", name="Ada", email=EMAIL) for number in (1, 2)}
    added = w.manager.add_contact(email=EMAIL)
    assert added not in both
    assert w.manager.add_contact(email=EMAIL) == added
    w.manager.sign_up(email=EMAIL, ticked=[EMAIL_OFFERS], how="form")
    assert set(w.manager.holders(EMAIL)) == {*both, added}
    assert [] == [contact for contact in both if w.manager.standing(contact).questions]
    w.manager.change_details(added, name="Bob")
    another = w.manager.add_contact(email=EMAIL)
    assert another not in {*both, added}
    assert w.manager.add_contact(email=EMAIL) == another


def test_who_has_a_reference_and_no_name_is_not_the_first_who_gives_one(w: World) -> None:
    """
    Only a contact who stands for whoever has the addresses given is.
    """
    firm = w.manager.add_contact(reference="crm-1", email=EMAIL)
    ada = w.manager.add_contact(name="Ada", email=EMAIL)
    assert ada != firm
    whoever = w.manager.add_contact(email="b@example.com", phone="+447911123457")
    assert w.manager.add_contact(name="Bob", email="b@example.com") != whoever
    assert w.manager.add_contact(name="Cat", email="b@example.com", phone="+447911123457") == whoever
    assert w.manager.add_contact(name="Dan", email="b@example.com", phone="+447911123457") != whoever


def test_a_reference_names_one_contact(w: World) -> None:
    """
    Whatever else the host says of it: addresses that were missing are added, and the same import again changes nothing.
    """
    ada = w.manager.add_contact(reference="crm-17", name="Ada", email=EMAIL)
    assert w.manager.add_contact(reference="crm-17", name="Ada King", email=EMAIL, phone=PHONE) == ada
    version = w.manager.standing(ada).version
    assert w.manager.add_contact(reference="crm-17", name="Ada", email=EMAIL, phone=PHONE) == ada
    assert w.manager.standing(ada).version == version
    assert w.manager.find_reference("crm-17") == ada
    assert w.manager.find_reference("crm-18") is None
    assert w.manager.add_contact(reference="crm-18", name="Ada", email=EMAIL) != ada
    w.manager.erase(ada)
    assert w.manager.find_reference("crm-17") is None


def test_the_stricter_kind_of_subscriber_is_kept(w: World) -> None:
    """
    Whichever import came last; an import that does not know changes nothing.
    """
    for kinds, kept in (
        ([Subscriber.COMPANY, Subscriber.SOLE_TRADER], Subscriber.SOLE_TRADER),
        ([Subscriber.SOLE_TRADER, Subscriber.COMPANY], Subscriber.SOLE_TRADER),
        ([Subscriber.COMPANY, Subscriber.UNKNOWN], Subscriber.COMPANY),
        ([Subscriber.UNKNOWN, Subscriber.COMPANY], Subscriber.COMPANY),
    ):
        address = f"info@{'-'.join(kinds).replace('_', '')}.example.com"
        [bakery] = {w.manager.add_contact(email=address, subscriber=kind) for kind in kinds}
        assert w.manager.standing(bakery).subscriber is kept


def test_consent_does_not_move_to_a_new_address_but_a_stop_stays_on_the_old(w: World) -> None:
    """
    The new line starts with nothing, and the old one is not free for anybody.
    """
    ada = w.add()
    w.agreed(ada)
    w.later()
    w.manager.change_details(ada, email="ada@new.example.com")
    assert not w.manager.check("ada@new.example.com", Channel.EMAIL, "offers")
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers")
    w.manager.record_objection(ada)
    stranger = w.manager.add_contact(email=EMAIL)
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.OBJECTED_BY_HOLDER
    assert stranger != ada


def test_staff_cannot_lift_a_stop_but_the_person_can(w: World) -> None:
    """
    Not with a document, not with an earlier date, and only for what the person names.
    """
    ada = w.add()
    w.manager.record_objection(ada)
    w.later()
    for at in (w.clock(), w.clock() - timedelta(days=30)):
        w.manager.record_consent(
            ada,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            wording=WORDING,
            act=Act.TICKED_BOX,
            how="paper form",
            at=at,
            attachments=[Attachment(name="scan.png", media_type="image/png", content=b"\x89PNG")],
        )
        assert not w.allowed()
    w.manager.choose(w.manager.link(ada).rpartition("/")[2], {EMAIL_OFFERS: True})
    assert w.allowed()
    assert not w.allowed(purpose="news")
    assert not w.allowed(Channel.SMS)


def test_a_consent_recorded_by_staff_counts_where_nothing_was_stopped(w: World) -> None:
    """
    With its document, graded for it, and erasable like everything personal.
    """
    ada = w.add()
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=WORDING,
        act=Act.TICKED_BOX,
        how="paper form, Leeds branch",
        at=w.clock() - timedelta(days=1),
        attachments=[Attachment(name="scan.png", media_type="image/png", content=b"\x89PNG")],
    )
    assert w.allowed()
    (given,) = events_of(w, ada, ConsentGiven)
    assert isinstance(given, ConsentGiven)
    assert given.grade is Grade.C
    assert given.occurred_at < given.recorded_at
    assert w.manager.evidence(ada).verify()


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"act": Act.PRE_TICKED}, UsageError),
        ({"act": Act.SILENCE}, UsageError),
        ({"how": " "}, UsageError),
        ({"channels": []}, UsageError),
        ({"purposes": []}, UsageError),
        ({"purposes": ["prizes"]}, UnknownPurposeError),
        ({"channels": ["pigeon"]}, UnknownChannelError),
        ({"channels": [Channel.POST]}, MissingLineError),
        ({"actor": Actor.SYSTEM}, UsageError),
        ({"at": datetime(2026, 11, 24, 12)}, NaiveDatetimeError),  # noqa: DTZ001
        ({"at": world().clock() + timedelta(days=1)}, UsageError),
    ],
)
def test_what_is_no_consent_is_not_recorded(w: World, changes: dict[str, object], error: type[Exception]) -> None:
    """
    Each is refused by an error of ours and leaves the record as it was.
    """
    ada = w.add()
    version = w.manager.standing(ada).version
    good = {
        "channels": [Channel.EMAIL],
        "purposes": ["offers"],
        "wording": WORDING,
        "act": Act.TICKED_BOX,
        "how": "paper form",
        "at": w.clock(),
    }
    with pytest.raises(error):
        w.manager.record_consent(ada, **{**good, **changes})  # type: ignore[arg-type]
    assert w.manager.standing(ada).version == version


def test_bad_input_gets_an_error_of_ours(w: World) -> None:
    """
    Malformed, unknown and missing things, everywhere they can be passed in.
    """
    ada = w.add()
    nobody = Contact("0" * 32)
    basis = Solicited(how="form", at=w.clock())
    manager = w.manager
    with pytest.raises(AddressError):
        manager.add_contact(email="not an address")
    with pytest.raises(AddressError):
        manager.check("not an address", Channel.EMAIL, "offers")
    with pytest.raises(UnknownPurposeError, match="offers, news"):
        manager.check(EMAIL, Channel.EMAIL, "prizes")
    with pytest.raises(UnknownChannelError):
        manager.check(EMAIL, "pigeon", "offers")
    with pytest.raises(UnknownContactError):
        manager.check(nobody, Channel.EMAIL, "offers")
    for call in (manager.standing, manager.history, manager.evidence, manager.erase, manager.link, manager.withdraw):
        with pytest.raises(UnknownContactError):
            call(nobody)
    with pytest.raises(NoBackendError):
        manager.request_consent(ada, via=Channel.FAX, channels=[Channel.EMAIL], purposes=["offers"], basis=basis)
    with pytest.raises(NoBackendError):
        manager.send(ada, Channel.POST, "offers", "Hello")
    with pytest.raises(MissingLineError):
        manager.request_consent(ada, via=Channel.EMAIL, channels=[Channel.POST], purposes=["offers"], basis=basis)
    with pytest.raises(UsageError):
        manager.request_consent(ada, via=Channel.EMAIL, channels=[], purposes=["offers"], basis=basis)
    with pytest.raises(UsageError):
        manager.request_consent(
            ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=basis,
            expires_within=timedelta(0),
        )
    with pytest.raises(NaiveDatetimeError):
        manager.withdraw(ada, at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(NaiveDatetimeError):
        manager.check(EMAIL, Channel.EMAIL, "offers", at=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(UnknownPurposeError):
        manager.withdraw(ada, purposes=["prizes"])
    with pytest.raises(UnknownContactError):
        Contact("ada")


@pytest.mark.parametrize(
    "settings",
    [
        {"purposes": []},
        {"purposes": [PURPOSES[0], PURPOSES[0]]},
        {"backends": [MemoryBackend(), MemoryBackend()]},
        {"base_url": "/my"},
        {"base_url": "https://acme.example.com/my?x=1"},
        {"base_url": "javascript:alert(1)"},
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any]) -> None:
    """
    When the manager is made, not when the first message goes wrong.
    """
    with pytest.raises(ConfigurationError):
        world(**settings)


def test_a_question_about_a_line_that_went_cannot_be_answered(w: World) -> None:
    """
    The link to the address that was changed shows and answers nothing.
    """
    ada = w.add()
    code = code_in(w.ask(ada, channels=[Channel.EMAIL]))
    w.manager.change_details(ada, email="ada@new.example.com")
    with pytest.raises(LinkError):
        w.manager.answer(code, {EMAIL_OFFERS: True})
    assert not w.manager.check("ada@new.example.com", Channel.EMAIL, "offers")


def test_an_erased_contact_is_gone_but_stays_stopped(w: World) -> None:
    """
    Links die, nothing personal is left, the chain verifies, and the address is still refused after an import.
    """
    ada = w.add()
    code = w.agreed(ada)
    w.manager.deliver()
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    manage = w.manager.link(ada).rpartition("/")[2]
    w.later()
    w.manager.erase(ada)
    for link in (code, manage):
        with pytest.raises((LinkRevokedError, LinkInvalidError)):
            w.manager.open(link)
    assert w.manager.deliver().accepted == 0
    assert not any(event.personal for event in w.manager.history(ada))
    assert w.manager.find(EMAIL) is None
    assert w.manager.verify()
    assert w.manager.evidence(ada).verify()
    w.manager.erase(ada)
    with pytest.raises(UnknownContactError):
        w.manager.change_details(ada, email=EMAIL)

    w.later()
    again = w.add()
    assert again != ada
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.SUPPRESSED
    assert w.manager.check(again, Channel.SMS, "news").reason is Reason.SUPPRESSED
    w.manager.record_consent(
        again,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=WORDING,
        act=Act.SAID_YES,
        how="telephone",
        at=w.clock(),
    )
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.SUPPRESSED
    with pytest.raises(NotPermittedError):
        w.ask(again)


def test_a_stop_link_works_for_an_erased_contact_too(w: World) -> None:
    """
    Whoever presses it is told that it is stopped, which is true.
    """
    ada = w.add()
    token = stop_token_in(w.ask(ada))
    w.manager.erase(ada)
    w.manager.stop_by_token(token)
    elsewhere = world()
    elsewhere.manager.stop_by_token(token)


def test_a_message_in_doubt_is_not_sent_again(w: World) -> None:
    """
    The record says that nobody knows.
    """
    ada = w.add()
    w.emails.outcomes.append(Receipt(outcome=Outcome.IN_DOUBT))
    w.ask(ada)
    w.later(timedelta(days=2))
    assert w.manager.deliver().total == 0
    assert len(events_of(w, ada, MessageDoubted)) == 1
    assert len(w.emails.attempts) == 1


def test_a_worker_that_died_leaves_its_message_in_doubt(w: World) -> None:
    """
    Whatever happens between claiming and recording, nobody sends it a second time.
    """

    class DiedError(BaseException):
        pass

    def die(_message: object) -> Receipt:
        raise DiedError

    ada = w.add()
    w.emails.answer = die
    with pytest.raises(DiedError):
        w.ask(ada)
    assert w.manager.deliver().total == 0
    w.later(timedelta(hours=1))
    assert w.manager.deliver().in_doubt == 1
    assert len(w.emails.attempts) == 1


def test_a_backend_that_breaks_its_promise_leaves_doubt(w: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    An exception from a plug-in says nothing about what it did before. The log has no address in it.
    """

    def fail(message: object) -> Receipt:
        raise RuntimeError("no idea")

    ada = w.add()
    w.emails.answer = fail
    with caplog.at_level(logging.DEBUG, logger="optly"):
        question = w.manager.request_consent(
            ada,
            via=Channel.EMAIL,
            channels=[Channel.EMAIL],
            purposes=["offers"],
            basis=Solicited(how="form", at=w.clock()),
        )
        assert w.manager.deliver().in_doubt == 1
    assert [question.id] == [event.question for event in w.manager.history(ada) if isinstance(event, MessageDoubted)]
    assert EMAIL not in caplog.text
    assert len(caplog.records) == 1


def test_retries_wait_longer_and_longer_and_end(w: World) -> None:
    """
    The same message name over all attempts, and at last a refusal that says what the provider said.
    """
    ada = w.add()
    w.emails.answer = lambda _message: Receipt(outcome=Outcome.RETRY_LATER, reply="451 come back", code=451)
    w.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        basis=Solicited(how="form", at=w.clock()),
    )
    attempts = 0
    while True:
        done = w.manager.deliver()
        attempts += 1
        if done.refused:
            break
        assert done.retried == 1
        w.later(timedelta(hours=1))
        assert attempts < MAX_ATTEMPTS
    assert attempts == MAX_ATTEMPTS
    assert len({message.id for message in w.emails.attempts}) == 1
    (refused,) = events_of(w, ada, MessageRefused)
    assert isinstance(refused, MessageRefused)
    said = "gave up after 100 attempts; the last reply was: 451 come back"
    assert [said] == list(refused.personal.values())


def test_a_new_link_is_in_each_attempt_and_all_of_them_open(w: World) -> None:
    """
    Of a message that may or may not have arrived, the link works whichever attempt arrived.
    """
    ada = w.add()
    w.emails.outcomes.append(Receipt(outcome=Outcome.RETRY_LATER))
    w.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        basis=Solicited(how="form", at=w.clock()),
    )
    w.manager.deliver()
    w.later(timedelta(hours=1))
    w.manager.deliver()
    first, second = (code_in(message) for message in w.emails.attempts)
    assert first != second
    assert w.manager.open(first) == w.manager.open(second)


def test_deliver_stops_at_its_limit(w: World) -> None:
    """
    And goes on where it left off.
    """
    for number in range(5):
        contact = w.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
        w.manager.send(contact, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    assert w.manager.deliver(limit=2).accepted == 2
    assert w.manager.deliver(limit=2).accepted == 2
    assert w.manager.deliver().accepted == 1


def test_a_company_is_written_to_until_it_objects(w: World) -> None:
    """
    Regulation 22 does not protect it; its objection does.
    """
    firm = w.manager.add_contact(email="info@firm.example.com", subscriber=Subscriber.COMPANY)
    decision = w.manager.check(firm, Channel.EMAIL, "offers")
    assert decision.reason is Reason.CORPORATE_SUBSCRIBER
    w.later()
    w.manager.record_objection(firm, channels=[Channel.EMAIL])
    assert not w.manager.check(firm, Channel.EMAIL, "offers")


def test_screening_gives_what_checking_gives_in_order(w: World) -> None:
    """
    For any iterable, read as it goes; what is malformed is refused in its place.
    """
    w.agreed(w.add())
    addresses = [EMAIL, "nobody@example.com", "malformed", EMAIL.upper()] * 700
    decisions = list(w.manager.screen(iter(addresses), Channel.EMAIL, "offers"))
    assert [decision.allowed for decision in decisions] == [True, False, False, True] * 700
    assert decisions[0] == w.manager.check(EMAIL, Channel.EMAIL, "offers")
    assert decisions[1] == w.manager.check("nobody@example.com", Channel.EMAIL, "offers")
    assert decisions[2].reason is Reason.NOT_AN_ADDRESS


def test_the_past_is_decided_on_what_was_on_record_then(w: World) -> None:
    """
    Later events, the stop included, do not change what was right before.
    """
    ada = w.add()
    start = w.clock()
    w.later()
    w.agreed(ada)
    agreed = w.clock()
    w.later()
    w.manager.withdraw(ada)
    for who in (ada, EMAIL):
        assert not w.manager.check(who, Channel.EMAIL, "offers", at=start)
        assert w.manager.check(who, Channel.EMAIL, "offers", at=agreed)
        assert not w.manager.check(who, Channel.EMAIL, "offers")
    assert w.manager.standing(ada, at=start).questions == ()
    assert w.manager.standing(ada, at=agreed).questions[0].state is QuestionState.ANSWERED
    assert w.manager.standing(ada, at=w.clock()) == w.manager.standing(ada)


def test_a_consent_runs_out_after_its_validity() -> None:
    """
    At the last instant it counts, a microsecond later it does not.
    """
    w = world(purposes=[Purpose(key="offers", title="Offers", validity=timedelta(days=365))])
    w.agreed(w.add())
    w.later(timedelta(days=365))
    assert w.allowed()
    w.later(timedelta(microseconds=1))
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.CONSENT_EXPIRED


def test_a_soft_opt_in_allows_similar_things_until_it_is_refused(w: World) -> None:
    """
    All channels are recorded or none, and a stop ends it for good.
    """
    ada = w.add()
    facts = {"similar_purposes": ["offers"], "goods": "books", "at": w.clock(), "refusal_offered": True}
    with pytest.raises(MissingLineError):
        w.manager.record_soft_opt_in(ada, channels=[Channel.EMAIL, Channel.PUSH], **facts)  # type: ignore[arg-type]
    assert not w.manager.standing(ada).soft_opt_ins
    w.manager.record_soft_opt_in(ada, channels=[Channel.EMAIL, Channel.SMS], **facts)  # type: ignore[arg-type]
    assert w.allowed()
    assert not w.allowed(purpose="news")
    w.later()
    w.manager.withdraw(ada, channels=[Channel.EMAIL])
    assert not w.allowed()
    assert w.allowed(Channel.SMS)


def test_nothing_shows_personal_data(w: World, caplog: pytest.LogCaptureFixture) -> None:
    """
    Neither a repr of anything public, nor an error, nor a log line.
    """
    shown: list[object] = []
    with caplog.at_level(logging.DEBUG):
        ada = w.add()
        message = w.ask(ada)
        code = code_in(message)
        shown += [ada, message, w.emails, w.manager, w.manager.open(code), w.manager.standing(ada)]
        w.manager.answer(code, {EMAIL_OFFERS: True}, context=Context(address="203.0.113.9", browser="Lynx"))
        w.manager.deliver()
        shown += [w.manager.history(ada), w.manager.evidence(ada), w.manager.check(ada, Channel.EMAIL, "offers")]
        for call in (
            lambda: w.manager.add_contact(email="ada@example"),
            lambda: w.manager.check("ada@", Channel.EMAIL, "offers"),
            lambda: w.manager.answer(code, {EMAIL_OFFERS: True}),
            lambda: w.ask(ada, basis=None, purposes=["news"]),
        ):
            with pytest.raises(Exception) as caught:  # noqa: PT011
                call()
            shown.append(caught.value)
    text = " ".join(repr(thing) + str(thing) for thing in shown) + caplog.text
    for secret in (EMAIL, "example.com", PHONE, "Ada Lovelace", "203.0.113.9", "Lynx", code, KEYS.current):
        assert secret not in text.replace("acme.example.com", "")


def test_the_manager_closes_what_it_was_given() -> None:
    """
    As a context manager, and harmlessly twice.
    """
    closed = []

    class Closing(MemoryBackend):
        def close(self) -> None:
            closed.append(self.channel)

    with ConsentManager(
        organisation=ACME,
        purposes=PURPOSES,
        storage=MemoryStorage(),
        backends=[Closing()],
        keys=KEYS,
        base_url="https://acme.example.com/my",
    ) as manager:
        pass
    manager.close()
    assert closed == [Channel.EMAIL, Channel.EMAIL]


@pytest.mark.parametrize(
    "text",
    [
        "May we send you offers by email?",
        "May Acme Ltd and its carefully selected partners send you offers by email?",
        "If you do not reply, Acme Ltd will send you offers by email.",
        "May Acme Ltd send you offers?",
    ],
)
def test_a_question_whose_answer_would_not_count_is_not_asked(text: str) -> None:
    """
    The error says what is wrong with the words, and nothing was recorded or queued.
    """
    words = Wording(text=text, hint="You can withdraw at any time.")
    w = world(purposes=[Purpose(key="offers", title="Offers", wordings={(Channel.EMAIL, "en"): words})])
    ada = w.add()
    with pytest.raises(UnsoundWordingError) as caught:
        w.ask(ada, channels=[Channel.EMAIL])
    assert caught.value.findings
    assert all("https://" in finding.source for finding in caught.value.findings)
    assert not w.manager.standing(ada).questions
    assert w.manager.deliver().total == 0
