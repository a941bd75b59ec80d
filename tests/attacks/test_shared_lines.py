"""
Stops that come through an address of several people.
"""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, World, world

from optly import Act, Actor, AddressKind, Channel, PhoneNumber, Subscriber, Through, Wording
from optly._operations import gate
from optly.messages import InboundMessage, Message
from optly.record.events import Grade
from optly.record.standing import CoHolder
from optly.testing.messages import code_in

WORDS = Wording(text="I would like Acme Ltd to send me offers and discounts on its products by email.")


@pytest.mark.parametrize("shared", [False, True])
def test_an_imported_objection_stops_what_it_names_whoever_shares_the_address(shared: bool) -> None:
    """
    Promise 1: a request that names a channel which does not reach the address it came with is not lost because
    another person has that address too.
    """
    w = world()
    ada = w.add()
    if shared:
        w.manager.add_contact(name="Bob", phone=PHONE, subscriber=Subscriber.INDIVIDUAL)
    w.manager.record_consent(
        ada,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=WORDS,
        act=Act.TICKED_BOX,
        how="paper form",
        at=w.clock() - timedelta(days=1),
        actor=Actor.PERSON,
    )
    assert w.manager.check(ada, *EMAIL_OFFERS)
    imported = w.manager.import_objections(
        [PHONE],
        Channel.SMS,
        channels=[Channel.EMAIL, Channel.SMS],
        through=Through.FUNDRAISING_PREFERENCE_SERVICE,
        how="requests of November",
    )
    assert imported.recorded == 1
    for who, (channel, purpose) in ((ada, EMAIL_OFFERS), (EMAIL, EMAIL_OFFERS), (ada, SMS_OFFERS), (PHONE, SMS_OFFERS)):
        assert not w.manager.check(who, channel, purpose)


def test_a_number_that_was_proved_once_is_not_spoken_for_after_somebody_there_objects() -> None:
    """
    Promises 2 and 16: Ada proved her number when she came by email. Whoever has it now writes STOP; her yes by email
    does not lift that until a code that was sent there comes back again.
    """
    w = world()
    ada = w.add(phone=None)
    w.manager.self_service.request_link(EMAIL)
    w.manager.deliver()
    by_email = code_in(w.emails.outbox[-1])
    prove(w, by_email)
    w.later()
    w.manager.choose(by_email, {SMS_OFFERS: True})
    assert w.manager.check(ada, *SMS_OFFERS)

    w.later(timedelta(days=400))
    reply(w, "STOP")
    w.later()
    w.manager.choose(by_email, {SMS_OFFERS: True})
    assert not w.manager.check(ada, *SMS_OFFERS)
    assert not w.manager.check(PHONE, *SMS_OFFERS)

    w.later()
    prove(w, by_email)
    w.manager.choose(by_email, {SMS_OFFERS: True})
    assert w.manager.check(ada, *SMS_OFFERS)


@pytest.mark.parametrize("sent", [True, False])
def test_a_link_made_for_one_line_lifts_no_stop_on_another(sent: bool) -> None:
    """
    Promises 2 and 16: whether Optly sends the link or the host puts it into a message of its own, which proves less.
    """
    w = world()
    ada = w.add()
    reply(w, "STOP")
    w.manager.record_objection(ada, email=EMAIL)
    w.later()
    if sent:
        w.manager.self_service.request_link(EMAIL)
        w.manager.deliver()
        code = code_in(w.emails.outbox[-1])
    else:
        code = w.manager.link(ada, Channel.EMAIL).rpartition("/")[2]
    w.manager.choose(code, {SMS_OFFERS: True, EMAIL_OFFERS: True})
    assert not w.manager.check(ada, *SMS_OFFERS)
    assert w.manager.check(ada, *EMAIL_OFFERS)
    assert {event.grade for event in w.manager.history(ada)[-2:]} == {Grade.A if sent else Grade.B, Grade.B}

    by_text = w.manager.link(ada, Channel.SMS).rpartition("/")[2]
    w.manager.choose(by_text, {SMS_OFFERS: True})
    assert w.manager.check(ada, *SMS_OFFERS)


def prove(w: World, code: str) -> None:
    """
    Add Ada's number, or show that she reads there, with a code sent to it, in a session that began with *code*.
    """
    own = w.manager.self_service
    session = own.request_code(code)
    w.manager.deliver()
    session = own.step_up(session, digits_in(w.emails.outbox[-1]))
    own.propose(session, PhoneNumber.parse(PHONE))
    w.manager.deliver()
    own.prove(session, AddressKind.PHONE, digits_in(w.texts.outbox[-1]))


def digits_in(message: Message) -> str:
    return str(re.findall(r"\b\d{6}\b", message.text)[0])


def reply(w: World, text: str) -> None:
    w.manager.receive(
        InboundMessage(id=text, backend="twilio", channel=Channel.SMS, sender=PHONE, text=text, at=w.clock())
    )


@pytest.mark.parametrize("objecting", [0, 1, 3])
def test_many_who_share_an_address_are_not_weighed_against_each_other(
    monkeypatch: pytest.MonkeyPatch, objecting: int
) -> None:
    """
    Promise 17: an address that a whole list was given is looked up in a time that grows with the list, not its square.
    """
    w, many = world(), 60
    holders = [
        w.manager.add_contact(reference=f"{number}", name=f"Clerk {number}", email=EMAIL, subscriber=Subscriber.COMPANY)
        for number in range(many)
    ]
    for holder in holders[:objecting]:
        w.manager.record_objection(holder)
    weighed = []

    def counted(*facts: object) -> CoHolder:
        weighed.append(facts)
        return CoHolder(*facts)  # type: ignore[arg-type]

    monkeypatch.setattr(gate, "CoHolder", counted)
    assert w.manager.check(EMAIL, *EMAIL_OFFERS).allowed is not bool(objecting)
    assert len(weighed) <= objecting + 1


@pytest.mark.parametrize("place", range(3))
def test_the_strictest_of_many_who_share_an_address_counts(place: int) -> None:
    """
    Promise 16: one person among companies is protected as one, wherever they stand in the list.
    """
    w = world()
    kinds = [Subscriber.COMPANY] * 3
    kinds[place] = Subscriber.INDIVIDUAL
    for number, kind in enumerate(kinds):
        w.manager.add_contact(reference=f"{number}", name=f"Clerk {number}", email=EMAIL, subscriber=kind)
    assert not w.manager.check(EMAIL, *EMAIL_OFFERS)
