"""
What a stop covers, how long it stays with the person, and how it is recorded and reported.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer
from world import EMAIL, KEYS, PHONE, World, world

from optly import (
    Act,
    Actor,
    Channel,
    Contact,
    NotPermittedError,
    StopReach,
    Subscriber,
    Through,
    Wording,
)
from optly.contacts import ELECTRONIC_MAIL
from optly.errors import AddressError, UsageError
from optly.links import StopScope
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Message
from optly.messages.replies import names_more
from optly.record.events import DomainObjectionRaised, MarkedDeceased, MarkedGoneAway, ObjectionRaised
from optly.rules import Reason
from optly.rules.pecr import ELECTRONIC_MAIL as OF_THE_RULEBOOK
from optly.testing.messages import code_in, stop_token_in

WORDING = Wording(text="May Acme Ltd send you offers and news by email, text message, picture message and telephone?")
MESSAGES = tuple(channel for channel in ELECTRONIC_MAIL if channel.kind is Channel.SMS.kind)
NEW = "new@example.com"


def agree(w: World, who: Contact, *channels: Channel, purposes: tuple[str, ...] = ("offers", "news")) -> None:
    w.manager.record_consent(
        who, channels=channels, purposes=purposes, wording=WORDING, act=Act.TICKED_BOX, how="form", at=w.clock()
    )
    w.later()


def sent(w: World, who: Contact, channel: Channel = Channel.EMAIL, stops: StopReach = StopReach.MESSAGES) -> Message:
    w.manager.send(who, channel, "offers", "Ten per cent off", stops=stops)
    w.manager.deliver()
    w.later()
    return (w.emails if channel is Channel.EMAIL else w.texts).outbox[-1]


def text(w: World, words: str) -> None:
    w.manager.receive(
        InboundMessage(id=words, backend="memory", channel=Channel.SMS, sender=PHONE, text=words, at=w.clock())
    )
    w.later()


def test_both_lists_of_electronic_mail_agree() -> None:
    """
    What a stop covers is what the rulebook calls electronic mail.
    """
    assert OF_THE_RULEBOOK == ELECTRONIC_MAIL


# ---- one click


def test_one_click_stops_all_marketing_by_email() -> None:
    """
    Whatever the email was about; and nothing on another channel.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL, Channel.SMS)
    w.manager.stop_by_token(stop_token_in(sent(w, ada)))
    assert [w.allowed(Channel.EMAIL, purpose) for purpose in ("offers", "news")] == [False, False]
    assert w.allowed(Channel.SMS, "offers")


def test_an_old_token_that_names_a_purpose_stops_all_marketing_by_email() -> None:
    """
    It was made when its letter could stop less, and was pressed by someone who was told nothing of that.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL)
    secrets = [key.derive("stop/1") for key in reversed(KEYS.all)]
    signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    old = URLSafeSerializer(secrets, salt=b"optly.stop.v1", signer_kwargs=signing).dumps([ada.id, 1, "email", "offers"])
    assert w.manager.open_stop(old) == StopScope(contact=ada.id, line=1, channel=Channel.EMAIL, purpose=None)
    w.manager.stop_by_token(old)
    assert not w.allowed(Channel.EMAIL, "news")


def test_a_message_that_rests_on_consent_may_stop_its_purpose_alone() -> None:
    """
    If the host wishes. Its footer says so, and so does the notice.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL)
    message = sent(w, ada, stops=StopReach.PURPOSE)
    assert "Stop “Offers and discounts on our products” by email: " in message.text
    w.manager.stop_by_token(stop_token_in(message))
    assert not w.allowed(Channel.EMAIL, "offers")
    assert w.allowed(Channel.EMAIL, "news")
    headers = w.manager.unsubscribe_headers(ada, "news", stops="purpose")["List-Unsubscribe"]
    assert w.manager.open_stop(headers.strip("<>").rpartition("/")[2]).purpose == "news"
    with pytest.raises(UsageError):
        w.manager.unsubscribe_headers(ada, stops="purpose")


@pytest.mark.parametrize("subscriber", [Subscriber.INDIVIDUAL, Subscriber.COMPANY])
def test_any_other_message_stops_every_message(subscriber: Subscriber) -> None:
    """
    A soft opt-in is refused as a whole, and a company's stop is an objection, whatever the host wishes.
    """
    w = world()
    ada = w.add(subscriber=subscriber)
    if subscriber is Subscriber.INDIVIDUAL:
        w.manager.record_soft_opt_in(
            ada,
            channels=["email"],
            similar_purposes=["offers", "news"],
            goods="books",
            at=w.clock(),
            refusal_offered=True,
        )
        w.later()
    message = sent(w, ada, stops=StopReach.PURPOSE)
    assert "Stop all marketing by email from Acme Ltd" in message.text
    w.manager.stop_by_token(stop_token_in(message))
    assert not w.allowed(Channel.EMAIL, "news")
    headers = w.manager.unsubscribe_headers(ada, "offers", stops="purpose")["List-Unsubscribe"]
    assert w.manager.open_stop(headers.strip("<>").rpartition("/")[2]).purpose is None


# ---- a text


def test_stop_by_text_covers_every_message_to_the_number_and_no_call() -> None:
    """
    Nobody distinguishes a text from a picture message. Calls are another matter.
    """
    w = world()
    ada = w.add()
    agree(w, ada, *MESSAGES, Channel.AUTOMATED_CALL, Channel.EMAIL)
    text(w, "STOP")
    assert not any(w.allowed(channel, "offers") for channel in MESSAGES)
    assert w.manager.standing(ada).stop(Channel.AUTOMATED_CALL, "offers", 2, w.clock()) is None
    assert w.allowed(Channel.EMAIL, "offers")


@pytest.mark.parametrize(
    "words", ["Stop calling me", "STOP ALL", "please stop all contact", "stop phoning this number"]
)
def test_a_stop_that_names_calls_or_everything_covers_them(words: str) -> None:
    """
    On that number.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.SMS, Channel.AUTOMATED_CALL, Channel.EMAIL)
    text(w, words)
    stopped = [channel for channel in Channel if w.manager.standing(ada).stop(channel, "offers", 2, w.clock())]
    assert stopped == [channel for channel in Channel if channel.kind is Channel.SMS.kind]


@pytest.mark.parametrize("words", ["STOP", "stop please", "Unsubscribe me", "take me off your list", "no more texts"])
def test_a_plain_stop_names_no_calls(words: str) -> None:
    """
    It is about the messages it answers.
    """
    assert not names_more(words)


# ---- a change of the line


def by_link(w: World, message: Message) -> None:
    w.manager.stop_by_token(stop_token_in(message))


def by_reply(w: World, _message: Message) -> None:
    w.manager.receive(
        InboundMessage(id="1", backend="b", channel=Channel.EMAIL, sender=EMAIL, text="STOP", at=w.clock())
    )


def by_report(w: World, message: Message) -> None:
    w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="b",
            channel=Channel.EMAIL,
            status=DeliveryStatus.COMPLAINED,
            to=EMAIL,
            message=message.id,
            contact=message.contact,
            at=w.clock(),
        )
    )


@pytest.mark.parametrize("stop", [by_link, by_reply, by_report])
@pytest.mark.parametrize("actor", [Actor.STAFF, Actor.PERSON])
def test_a_stop_stays_with_the_person_when_the_address_changes(stop, actor: Actor) -> None:  # type: ignore[no-untyped-def]
    """
    Whoever changes it and however often. Only a yes of the person's own lifts it there.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL)
    stop(w, sent(w, ada))
    for address in (NEW, "newer@example.com"):
        w.later()
        w.manager.change_details(ada, email=address, actor=actor)
        w.later()
        agree(w, ada, Channel.EMAIL)
        assert w.manager.check(ada, Channel.EMAIL, "offers").reason is Reason.OBJECTED
        assert not w.manager.check(address, Channel.EMAIL, "news")
    w.manager.choose(w.manager.link(ada).rpartition("/")[2], {(Channel.EMAIL, "offers"): True})
    assert w.manager.check(ada, Channel.EMAIL, "offers")
    assert not w.manager.check(ada, Channel.EMAIL, "news")


@pytest.mark.parametrize("stop", [by_link, by_report])
def test_a_stop_at_an_old_address_reaches_the_one_that_replaced_it(stop) -> None:  # type: ignore[no-untyped-def]
    """
    The letter was sent before the change, and its button is pressed after it.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL)
    message = sent(w, ada)
    w.manager.change_details(ada, email=NEW)
    agree(w, ada, Channel.EMAIL)
    assert w.manager.check(ada, Channel.EMAIL, "offers")
    stop(w, message)
    assert not w.manager.check(ada, Channel.EMAIL, "offers")


def test_an_address_that_was_there_beside_the_stopped_one_keeps_what_it_allows() -> None:
    """
    It did not take its place.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL, Channel.SMS)
    w.manager.stop_by_token(stop_token_in(sent(w, ada)))
    w.manager.change_details(ada, email=NEW, phone="+447911123457")
    agree(w, ada, Channel.EMAIL, Channel.SMS)
    assert not w.manager.check(ada, Channel.EMAIL, "offers")
    assert w.manager.check(ada, Channel.SMS, "offers")


# ---- kinds


@pytest.mark.parametrize("through", [kind for kind in Through if kind.objection and kind is not Through.DOMAIN])
def test_a_stop_is_recorded_as_what_it_is(through: Through) -> None:
    """
    With a sentence of its own in the decision, and its kind in the history and the evidence.
    """
    w = world()
    ada, bob = w.add(), w.manager.add_contact(email="bob@example.com")
    w.manager.record_objection(ada, through=through, how="as noted")
    w.manager.record_objection(bob)
    decision = w.manager.check(ada, Channel.EMAIL, "offers")
    assert (decision.reason, decision.through) == (Reason.OBJECTED, through)
    assert decision.explanation != w.manager.check(bob, Channel.EMAIL, "offers").explanation
    event = w.manager.history(ada)[-1]
    assert isinstance(event, ObjectionRaised)
    assert event.through is through
    assert w.manager.evidence(ada).timeline()[-1].facts["Through"]


def test_a_request_through_the_fundraising_preference_service_names_its_channels() -> None:
    """
    Email and texts stop, and letters may go on.
    """
    w = world()
    pat = w.add(address="2 Mill Lane, Leeds LS2 2BB")
    w.manager.import_objections(
        [EMAIL], "email", channels=["email", "sms"], through=Through.FUNDRAISING_PREFERENCE_SERVICE, how="request 1"
    )
    assert w.manager.check(pat, Channel.POST, "offers")
    agree(w, pat, Channel.EMAIL, Channel.SMS)
    assert not w.manager.check(pat, Channel.EMAIL, "offers")
    assert not w.manager.check(pat, Channel.SMS, "offers")


def test_a_death_is_no_objection_and_stops_everything() -> None:
    """
    It cites no right of the living, and stays whatever addresses are added.
    """
    w = world()
    joe = w.add(address="2 Mill Lane, Leeds LS2 2BB")
    w.manager.mark_deceased(joe, how="his daughter called")
    w.manager.change_details(joe, email=NEW)
    for channel in (Channel.POST, Channel.EMAIL, Channel.SMS):
        decision = w.manager.check(joe, channel, "offers")
        assert (decision.allowed, decision.through) == (False, Through.DECEASED)
        assert "UK GDPR 21(3)" not in (decision.regulation, *decision.also)
        assert decision.explanation == "The person is recorded as having died."
    assert isinstance(w.manager.history(joe)[-3], MarkedDeceased)
    for kind in (Through.DECEASED, Through.GONE_AWAY, Through.DOMAIN):
        with pytest.raises(UsageError):
            w.manager.record_objection(joe, through=kind)


def test_a_gone_away_mark_hides_no_objection() -> None:
    """
    Of the same scope and later, it would take the objection along to nowhere.
    """
    w = world()
    joe = w.add()
    agree(w, joe, Channel.EMAIL)
    w.manager.receive(
        InboundMessage(id="1", backend="b", channel=Channel.EMAIL, sender=EMAIL, text="stop", at=w.clock())
    )
    w.later()
    w.manager.mark_gone_away(joe, "email", how="a colleague answered")
    w.manager.change_details(joe, email=NEW)
    assert not w.manager.standing(joe).lines[-1].removed
    assert w.manager.standing(joe).stop(Channel.EMAIL, "offers", 3, w.clock()) is not None


def test_who_has_gone_away_is_not_gone_from_a_new_address() -> None:
    """
    The mark is about the address alone, and does not move with the person.
    """
    w = world()
    joe = w.add(address="2 Mill Lane, Leeds LS2 2BB")
    w.manager.mark_gone_away(joe, how="letter returned")
    decision = w.manager.check(joe, Channel.POST, "offers")
    assert (decision.allowed, decision.through) == (False, Through.GONE_AWAY)
    assert decision.regulation == "UK GDPR 5(1)(d)"
    assert isinstance(w.manager.history(joe)[-1], MarkedGoneAway)
    w.manager.change_details(joe, address="7 Mill Lane, Leeds LS2 2BB")
    assert w.manager.check(joe, Channel.POST, "offers")


# ---- a domain


@pytest.mark.parametrize("contact", [True, False])
def test_a_domain_is_stopped_for_everyone_there(contact: bool) -> None:
    """
    On record or not, at domains within it as well; by email alone, and nobody elsewhere.
    """
    w = world()
    md = w.manager.add_contact(email="info@firm.example.com", subscriber=Subscriber.COMPANY)
    kept = w.manager.record_domain_objection(
        " Firm.Example.com ", how="email from the managing director", contact=md if contact else None
    )
    assert (kept == md) is contact
    assert isinstance(w.manager.history(kept)[-1], DomainObjectionRaised)
    jane = w.manager.add_contact(email="jane.roe@firm.example.com", phone=PHONE, subscriber=Subscriber.COMPANY)
    w.manager.add_contact(email="a@other.example.com", subscriber=Subscriber.COMPANY)
    for address in ("info@firm.example.com", "jane.roe@firm.example.com", "x@eu.firm.example.com"):
        decision = w.manager.check(address, Channel.EMAIL, "offers")
        assert (decision.reason, decision.through) == (Reason.SUPPRESSED, Through.DOMAIN)
        assert decision.explanation == "Someone asked for no marketing to any address at this domain."
    assert w.manager.check("a@other.example.com", Channel.EMAIL, "offers")
    assert not w.manager.check(jane, Channel.EMAIL, "offers")
    with pytest.raises(NotPermittedError):
        w.manager.send(jane, "email", "offers", "Hello")
    assert w.manager.check(jane, Channel.SMS, "offers").reason is Reason.CORPORATE_SUBSCRIBER


def test_a_stop_for_a_domain_survives_erasure_and_is_of_one_organisation() -> None:
    """
    What is kept is a keyed hash. Only a yes of the person's own lifts it, for their address.
    """
    w = world()
    kept = w.manager.record_domain_objection("firm.example.com", how="letter")
    w.manager.erase(kept)
    assert "firm.example.com" not in repr(w.manager.history(kept)[-2].personal)
    jane = w.manager.add_contact(email="jane@firm.example.com", subscriber=Subscriber.COMPANY)
    assert not w.manager.check(jane, Channel.EMAIL, "offers")
    w.later()
    w.manager.choose(w.manager.link(jane).rpartition("/")[2], {(Channel.EMAIL, "offers"): True})
    assert w.manager.check(jane, Channel.EMAIL, "offers")
    assert not w.manager.check("joe@firm.example.com", Channel.EMAIL, "offers")
    with pytest.raises(AddressError):
        w.manager.record_domain_objection("nobody@firm.example.com", how="letter")


def test_a_message_queued_before_a_domain_is_stopped_is_not_sent() -> None:
    """
    The second gate sees it.
    """
    w = world()
    jane = w.manager.add_contact(email="jane@firm.example.com", subscriber=Subscriber.COMPANY)
    w.manager.send(jane, "email", "offers", "Hello")
    w.manager.record_domain_objection("firm.example.com", how="letter")
    assert w.manager.deliver().withheld == 1


# ---- the notice


def test_a_notice_names_what_was_stopped_and_what_goes_on() -> None:
    """
    It asks nothing and promotes nothing.
    """
    w = world()
    ada = w.add()
    agree(w, ada, Channel.EMAIL, Channel.SMS)
    w.manager.stop_by_token(stop_token_in(sent(w, ada)))
    w.manager.deliver()
    notice = w.emails.outbox[-1]
    flat = " ".join(notice.text.split())
    assert "Acme Ltd will send you no more marketing by email." in flat
    assert "You did not stop these, and they go on: - “Offers and discounts on our products” by text message" in flat
    assert WORDING.text not in flat
    assert "Yes" not in flat
    assert "List-Unsubscribe" not in notice.headers


# ---- back again


def test_a_paper_form_after_an_objection_is_kept_and_lifts_nothing() -> None:
    """
    What was stopped stays stopped; what the same form says of anything else counts.
    """
    w = world()
    pat = w.add()
    w.manager.record_objection(pat, channels=[Channel.EMAIL])
    w.later()
    agree(w, pat, Channel.EMAIL, Channel.SMS)
    assert not w.allowed(Channel.EMAIL, "offers")
    assert w.allowed(Channel.SMS, "offers")
    assert len(w.manager.standing(pat).unsound) == 2
    w.manager.record_consent(
        pat,
        channels=["email"],
        purposes=["offers"],
        wording=WORDING,
        act=Act.TICKED_BOX,
        how="logged in",
        at=w.clock(),
        actor=Actor.PERSON,
    )
    assert w.allowed(Channel.EMAIL, "offers")
    assert not w.allowed(Channel.EMAIL, "news")


def test_a_form_leads_to_one_message_for_each_stop() -> None:
    """
    However often it is sent; off by default; and it opens the choices, where the person alone says yes.
    """
    quiet = world()
    quiet.manager.record_objection(quiet.add())
    assert not quiet.manager.offer_way_back(EMAIL)
    w = world(way_back=True)
    ada = w.add()
    assert not w.manager.offer_way_back(EMAIL)
    for number in (1, 2):
        w.manager.record_objection(ada)
        for _ in range(3):
            w.later()
            w.manager.offer_way_back(EMAIL)
            w.manager.deliver()
        assert len(w.emails.outbox) == number
    message = w.emails.outbox[-1]
    assert "We have" not in message.text
    w.later()
    w.manager.choose(code_in(message), {(Channel.EMAIL, "offers"): True})
    assert w.allowed(Channel.EMAIL, "offers")
    assert not w.manager.offer_way_back("stranger@example.com")


def test_never_write_to_me_is_one_press() -> None:
    """
    It stops everything, sends no notice, and no form leads to a message again, whatever else is stopped since.
    """
    w = world(way_back=True)
    ada = w.add()
    w.manager.record_objection(ada, channels=["email"])
    assert w.manager.offer_way_back(EMAIL)
    w.manager.deliver()
    w.later()
    w.manager.stop_by_token(stop_token_in(w.emails.outbox[-1]))
    w.later()
    w.manager.record_objection(ada)
    assert not w.manager.offer_way_back(EMAIL)
    w.manager.deliver()
    assert len(w.emails.outbox) == 1


@pytest.mark.parametrize("through", [Through.COMPLAINT, Through.NEVER])
def test_some_stops_ask_for_silence(through: Through) -> None:
    """
    Who called a message spam is not written to about that.
    """
    w = world(way_back=True)
    w.manager.record_objection(w.add(), through=through)
    assert not w.manager.offer_way_back(EMAIL)


@pytest.mark.parametrize("through", [Through.COMPLAINT, Through.NEVER])
@pytest.mark.parametrize("name", ["Ann", ""], ids=["a holder", "whoever has it"])
def test_silence_on_a_shared_address_is_for_all_who_read_there(through: Through, name: str) -> None:
    """
    The message would come to whoever asked for none.
    """
    w = world(way_back=True)
    other = w.manager.add_contact(name=name, email=EMAIL)
    ada = w.add()
    assert ada != other
    w.manager.record_objection(ada)
    w.manager.record_objection(other, through=through)
    assert not w.manager.offer_way_back(EMAIL)


def test_nobody_is_written_to_where_someone_was_erased_or_a_domain_stopped() -> None:
    """
    Nobody knows who reads there.
    """
    ways: list[Callable[[World], object]] = [
        lambda w: w.manager.erase(w.manager.add_contact(name="Ann", email=EMAIL)),
        lambda w: w.manager.record_domain_objection("example.com", how="letter of the company"),
    ]
    for quieten in ways:
        w = world(way_back=True)
        w.manager.record_objection(w.add())
        quieten(w)
        assert not w.manager.offer_way_back(EMAIL)


def test_a_death_silences_nobody_else() -> None:
    """
    It says nothing of the others who read there.
    """
    w = world(way_back=True)
    w.manager.record_objection(w.add())
    w.manager.mark_deceased(w.manager.add_contact(name="Ann", email=EMAIL), how="her son called")
    assert w.manager.offer_way_back(EMAIL)


def test_a_way_back_is_withheld_once_the_person_stopped_again_or_said_yes() -> None:
    """
    It was about the stop that it names.
    """
    w = world(way_back=True)
    ada = w.add()
    w.manager.record_objection(ada)
    assert w.manager.offer_way_back(EMAIL)
    w.later(timedelta(seconds=1))
    w.manager.choose(w.manager.link(ada).rpartition("/")[2], {(Channel.EMAIL, "offers"): True})
    w.manager.deliver()
    assert all("entered this address" not in message.text for message in w.emails.outbox)
