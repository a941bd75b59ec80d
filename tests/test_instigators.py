"""
Whose consent it is, whom an objection was made to, several purposes in one message, and what was asked for.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from world import EMAIL, PHONE, World, world

from optly import Act, Channel, Contact, Organisation, Solicited, Subscriber, Wording
from optly.errors import NotPermittedError, UnknownPurposeError, UsageError
from optly.messages import Content
from optly.record.events import Actor, CommunicationMade, Manner, MessageAccepted, ObjectionRaised
from optly.rules import Call, MessageKind, Reason, RefusalCost

CALL = Call(shows_number=True, gives_name=True, claims_management=False, pensions=False)
FAIR: dict[str, Any] = {
    "shows_identity": True,
    "gives_stop_address": True,
    "offers_refusal": True,
    "refusal_cost": RefusalCost.FREE,
}


def consented(w: World, contact: Contact, *purposes: str, **manner: Any) -> None:
    w.manager.record_consent(
        contact,
        channels=[Channel.EMAIL],
        purposes=purposes or ["offers"],
        wording=Wording(text=f"May {w.manager.organisation.name} email you offers and news?"),
        act=Act.TICKED_BOX,
        how="sign-up form",
        at=w.clock(),
        actor=Actor.PERSON,
        manner=Manner(chosen_singly=True, **manner) if manner else None,
    )


# ---- instigators


def test_a_consent_that_names_nobody_is_not_the_instigators() -> None:
    """
    Readers who agreed to a newsletter did not agree to an insurer's advertising (Leave.EU and Eldon, 2021).
    """
    w = world()
    ada = w.add()
    consented(w, ada)
    w.later()
    assert w.allowed()
    decision = w.manager.check(ada, Channel.EMAIL, "offers", instigator="insurer")
    assert (Reason.NO_CONSENT, ("organisations",)) == (decision.reason, decision.failed)
    with pytest.raises(NotPermittedError):
        w.manager.record_communication(ada, Channel.EMAIL, "offers", instigator="insurer", **FAIR)
    consented(w, ada, organisations=("acme", "insurer"))
    w.later()
    assert w.manager.check(ada, Channel.EMAIL, "offers", instigator="insurer")


def test_an_objection_may_name_whom_it_was_made_to() -> None:
    """
    It covers what that organisation instigates, and not what we send ourselves. A later yes to us does not lift it.
    """
    w = world()
    ada = w.add()
    consented(w, ada, organisations=("acme", "insurer"))
    w.later()
    w.manager.record_objection(ada, organisation="insurer", how="told the insurer")
    objection = w.manager.history(ada)[-1]
    assert isinstance(objection, ObjectionRaised)
    assert objection.organisation == "insurer"
    assert "Made to" in w.manager.evidence(ada).to_html()
    w.later()
    assert w.allowed()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", instigator="insurer").reason is Reason.OBJECTED
    consented(w, ada)
    w.later()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", instigator="insurer").reason is Reason.OBJECTED
    consented(w, ada, organisations=("insurer",))
    w.later()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", instigator="insurer")


def test_an_objection_to_us_covers_what_we_send_for_others() -> None:
    """
    Named by our own key it is the same as unnamed, on whichever channel it is seen.
    """
    for named in (None, "acme"):
        w = world()
        ada = w.add()
        consented(w, ada, organisations=("acme", "insurer"))
        w.later()
        w.manager.withdraw(ada, organisation=named)
        assert [None] == [stop.organisation for stop in w.manager.standing(ada).stops]
        w.later()
        for instigator in ("", "insurer"):
            assert w.manager.check(ada, Channel.EMAIL, "offers", instigator=instigator).reason is Reason.WITHDRAWN


def test_an_objection_to_another_stays_with_the_address() -> None:
    """
    When it moves to another contact, the objection goes along, and still covers nothing of ours.
    """
    w = world()
    ada = w.add()
    w.manager.record_objection(ada, purposes=["offers"], organisation="insurer")
    w.manager.change_details(ada, email="ada.new@example.com")
    bob = w.manager.add_contact(email=EMAIL)
    consented(w, bob, "offers", organisations=("acme", "insurer"))
    w.later()
    assert w.manager.check(bob, Channel.EMAIL, "offers")
    assert not w.manager.check(bob, Channel.EMAIL, "offers", instigator="insurer")


def test_what_cannot_be_a_key_names_no_organisation() -> None:
    """
    A name in place of a key would never match.
    """
    w = world()
    ada = w.add()
    with pytest.raises(UsageError, match="key of an organisation"):
        w.manager.record_objection(ada, organisation="Insurer plc")


# ---- several purposes


def test_a_message_for_several_purposes_needs_all_of_them() -> None:
    """
    The decision is the first refusal, or the permission, and names every purpose.
    """
    w = world()
    ada = w.add()
    consented(w, ada, "offers")
    w.later()
    both = ["offers", "news"]
    for refused in (
        w.manager.check(ada, Channel.EMAIL, both),
        w.manager.check(EMAIL, Channel.EMAIL, both),
        next(iter(w.manager.screen([EMAIL], Channel.EMAIL, both))),
    ):
        assert (False, "news", ("offers",)) == (refused.allowed, refused.purpose, refused.also_for)
        assert "about news about what we do" in refused.explanation
    for call in (
        lambda: w.manager.send(ada, Channel.EMAIL, both, "Hello"),
        lambda: w.manager.record_communication(ada, Channel.EMAIL, both, **FAIR),
    ):
        with pytest.raises(NotPermittedError) as caught:
            call()
        assert caught.value.decision.purpose == "news"
    consented(w, ada, "news")
    w.later()
    allowed = w.manager.check(EMAIL, Channel.EMAIL, both)
    assert (True, ("offers", "news"), (4, 5)) == (allowed.allowed, allowed.purposes, allowed.evidence)
    w.manager.send(ada, Channel.EMAIL, both, Content(subject="Hi", text="Hello"))
    w.manager.deliver()
    w.manager.record_communication(ada, Channel.EMAIL, both, **FAIR)
    sent, made = w.manager.history(ada)[-2:]
    assert isinstance(sent, MessageAccepted)
    assert isinstance(made, CommunicationMade)
    assert "by email, offers, news" in w.manager.evidence(ada).to_html()
    assert [("offers", ("news",))] * 2 == [(event.purpose, event.also_for) for event in (sent, made)]


def test_one_holder_of_a_line_has_to_allow_every_purpose() -> None:
    """
    A permission is its holder's own: what one agreed to and what the other did make no message for both.
    """
    w = world()
    ada = w.manager.add_contact(name="Ada", email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
    bob = w.manager.add_contact(name="Bob", email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
    consented(w, ada, "offers")
    consented(w, bob, "news")
    w.later()
    for asked in (["offers"], ["news"]):
        assert w.manager.check(EMAIL, Channel.EMAIL, asked)
    assert not w.manager.check(EMAIL, Channel.EMAIL, ["offers", "news"])
    assert not any(w.manager.screen([EMAIL], Channel.EMAIL, ["offers", "news"]))


def test_the_second_gate_asks_for_every_purpose() -> None:
    """
    A purpose that is stopped in the meantime keeps the message from going out.
    """
    w = world()
    ada = w.add()
    consented(w, ada, "offers", "news")
    w.later()
    w.manager.send(ada, Channel.EMAIL, ["offers", "news"], Content(subject="Hi", text="Hello"))
    w.manager.withdraw(ada, purposes=["news"])
    assert w.manager.deliver().withheld == 1


def test_a_message_has_a_purpose_that_exists() -> None:
    """
    Each of several, and at least one.
    """
    w = world()
    for purposes, error in (([], UsageError), (["offers", "nonsense"], UnknownPurposeError)):
        for call in (
            lambda purposes=purposes: w.manager.check(EMAIL, Channel.EMAIL, purposes),
            lambda purposes=purposes: w.manager.screen([EMAIL], Channel.EMAIL, purposes),
        ):
            with pytest.raises(error):
                call()
    assert ("offers",) == w.manager.check(EMAIL, Channel.EMAIL, ["offers", "offers"]).purposes


# ---- wishes


def test_one_wish_is_granted_once_and_ages() -> None:
    """
    The fourth email of a journey is not what was asked for (We Buy Any Car, 2022).
    """
    w = world()
    ada = w.add()
    wish = Solicited(how="asked for a valuation", at=w.clock())
    ask: dict[str, Any] = {"kind": MessageKind.SOLICITED, "solicited": wish}
    w.later()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", **ask)
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers", at=w.clock() + timedelta(days=31), **ask)
    w.manager.record_communication(ada, Channel.EMAIL, "offers", **ask, **FAIR)
    assert wish.at.isoformat() in w.manager.evidence(ada).to_html()
    again = w.manager.check(EMAIL, Channel.EMAIL, "offers", **ask)
    assert (Reason.NO_CONSENT, ("consent", "attempt")) == (again.reason, again.failed)
    with pytest.raises(NotPermittedError):
        w.manager.record_communication(ada, Channel.EMAIL, "offers", **ask, **FAIR)
    anew = Solicited(how="asked once more", at=w.clock())
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SOLICITED, solicited=anew)


def test_a_call_that_nobody_answered_grants_no_wish() -> None:
    """
    The person asked to be called, and was not reached.
    """
    w = world()
    ada = w.add(phone=PHONE)
    ask: dict[str, Any] = {"kind": MessageKind.SOLICITED, "solicited": Solicited(how="form", at=w.clock())}
    w.later()
    facts: dict[str, Any] = {"shows_number": True, "gives_name": True, "claims_management": False, "pensions": False}
    for connected, allowed in ((False, True), (None, False)):
        w.manager.record_communication(
            ada, Channel.LIVE_CALL, "offers", call=Call(**facts, connected=connected), listings=(), **ask
        )
        assert w.manager.check(ada, Channel.LIVE_CALL, "offers", call=CALL, **ask).allowed is allowed


def test_whoever_is_not_on_record_may_have_asked_to_be_called() -> None:
    """
    The wish alone decides, whatever register their number is on.
    """
    w = world()
    wish = Solicited(how="call-me-back form", at=w.clock())
    w.later()
    asked = w.manager.check(PHONE, Channel.LIVE_CALL, "offers", kind=MessageKind.SOLICITED, solicited=wish, call=CALL)
    assert (True, Reason.SOLICITED, "21(1)") == (asked.allowed, asked.reason, asked.regulation)
    w.manager.erase(w.manager.add_contact(phone=PHONE))
    w.later()
    stopped = w.manager.check(PHONE, Channel.LIVE_CALL, "offers", kind=MessageKind.SOLICITED, solicited=wish, call=CALL)
    assert stopped.reason is Reason.SUPPRESSED


# ---- first contact


def test_a_service_letter_is_no_first_contact() -> None:
    """
    On a consent that someone else collected, what counts is marketing.
    """
    w = world()
    ada = w.add(address="2 Mill Lane, Leeds LS2 2BB")
    consented(w, ada, collected_by="broker")
    w.later(timedelta(days=30))
    w.manager.record_communication(ada, Channel.POST, "offers", kind=MessageKind.SERVICE, promotional=False)
    w.manager.record_communication(ada, Channel.EMAIL, "offers", kind=MessageKind.SERVICE, promotional=False)
    w.later(timedelta(days=300))
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.CONSENT_TOO_OLD


# ---- public authorities


def test_a_public_task_is_no_marketing_of_a_public_authority() -> None:
    """
    Whatever the tone. An organisation that does not say it is one has no public task.
    """
    facts: dict[str, Any] = {
        "kind": MessageKind.SERVICE,
        "promotional": True,
        "public_task": "waste collection, Environmental Protection Act 1990 s. 45",
    }
    for public, reason in ((True, Reason.PUBLIC_TASK), (False, Reason.NO_CONSENT)):
        council = Organisation(key="council", name="Leeds", address="Civic Hall, Leeds", public_authority=public)
        w = world(organisation=council)
        w.add()
        decision = w.manager.check(EMAIL, Channel.EMAIL, "offers", **facts)
        assert decision.reason is reason
        assert ("public_authority" in decision.failed) is not public


# ---- subscribers


def test_only_evidence_loosens_what_a_subscriber_is() -> None:
    """
    What protects more is taken as it is told.
    """
    w = world()
    ada = w.add(subscriber=Subscriber.SOLE_TRADER)
    with pytest.raises(UsageError, match="say how it is known"):
        w.manager.change_details(ada, subscriber=Subscriber.COMPANY)
    assert not w.allowed()
    w.manager.change_details(ada, subscriber=Subscriber.COMPANY, how="Companies House 01234567")
    assert "Companies House 01234567" in w.manager.history(ada)[-1].personal.values()
    assert w.allowed()
    w.manager.change_details(ada, subscriber=Subscriber.SOLE_TRADER)
    assert not w.allowed()


# ---- trading names

BIG_DEAL = Organisation(
    key="tbd",
    name="This Is The Big Deal Ltd",
    address="1 High Street, Leeds LS1 1AA",
    email="privacy@tbd.example.com",
    also_known_as=("Look After My Bills",),
)


def test_a_trading_name_asks_and_the_footer_names_the_legal_person() -> None:
    """
    In the question, in the message with it, and in what is sent later.
    """
    w = world(organisation=BIG_DEAL)
    ada = w.add()
    wish = Solicited(how="form", at=w.clock())
    asked: dict[str, Any] = {"via": Channel.EMAIL, "channels": [Channel.EMAIL], "purposes": ["offers"], "basis": wish}
    question = w.manager.request_consent(ada, **asked, trading_as="Look After My Bills")
    w.manager.deliver()
    message = w.emails.outbox[-1]
    assert "May Look After My Bills send you offers" in message.text
    for body in (message.text, message.html):
        assert "Look After My Bills (This Is The Big Deal Ltd)" in body
    assert len(question.choices) == 1
    consented(w, ada)
    w.later()
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"), trading_as="Look After My Bills")
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    w.manager.deliver()
    traded, plain = w.emails.outbox[-2:]
    assert "Look After My Bills (This Is The Big Deal Ltd)" in traded.text
    assert "Look After My Bills" not in plain.text
    assert "This Is The Big Deal Ltd" in plain.text


def test_only_a_name_of_the_organisation_can_be_used() -> None:
    """
    Another company of the group is another organisation.
    """
    w = world(organisation=BIG_DEAL)
    ada = w.add()
    consented(w, ada)
    w.later()
    with pytest.raises(UsageError, match="no such trading name"):
        w.manager.send(ada, Channel.EMAIL, "offers", "Hello", trading_as="Bigger Deal")
    with pytest.raises(UsageError, match="no such trading name"):
        w.manager.request_consent(
            ada, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"], trading_as="Bigger Deal"
        )
    assert w.emails.outbox == []


# ---- channels of a mobile number


@pytest.mark.parametrize(
    ("channel", "named"), [(Channel.WHATSAPP, "WhatsApp"), (Channel.RCS, "RCS message")], ids=["whatsapp", "rcs"]
)
def test_a_mobile_number_has_channels_of_its_own(channel: Channel, named: str) -> None:
    """
    A yes to one is none to the others, and people can be asked about each.
    """
    w = world()
    ada = w.add()
    w.manager.record_consent(
        ada,
        channels=[channel],
        purposes=["offers"],
        wording=Wording(text=f"May Acme Ltd send you offers by {named}?"),
        act=Act.TICKED_BOX,
        how="sign-up form",
        at=w.clock(),
    )
    w.later()
    decision = w.manager.check("07911 123456", channel, "offers")
    assert (True, "22(2)") == (decision.allowed, decision.regulation)
    for other in {Channel.WHATSAPP, Channel.RCS, Channel.SMS, Channel.SOCIAL_DM} - {channel}:
        address = PHONE if other is not Channel.SOCIAL_DM else "app:ada"
        assert not w.manager.check(address, other, "offers")
    question = w.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[channel],
        purposes=["news"],
        basis=Solicited(how="asked for it", at=w.clock()),
    )
    w.manager.deliver()
    assert f"by {named}?" in w.emails.outbox[-1].text
    assert [channel] == [choice.channel for choice in question.choices]
    w.manager.record_objection(ada)
    assert w.manager.check(PHONE, channel, "offers").reason is Reason.OBJECTED
