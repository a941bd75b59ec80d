"""
Calls, letters and what registers say, through the manager.
"""

from __future__ import annotations

import logging
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from world import EMAIL, PHONE, World, world

from optly import Act, Channel, Contact, Content, NotPermittedError, PhoneNumber, Subscriber, Wording
from optly.contacts.addresses import AddressKind
from optly.errors import MissingLineError, UsageError
from optly.protocols import Register, RegisterName
from optly.record.commands import Unsound
from optly.record.events import Actor, CommunicationMade, ConsentGiven, Engagement, Grade, Manner
from optly.registers import FileRegister, MemoryRegister, build
from optly.rules import UKPECR, Call, Charity, CharityLaw, MessageKind, Reason, RefusalCost
from optly.testing.clock import FrozenClock

CALL = Call(
    shows_number=True,
    gives_name=True,
    gives_contact=True,
    contact_is_free=True,
    claims_management=False,
    pensions=False,
)
NUMBER = PhoneNumber.parse(PHONE)


def registers(*, tps: date | None = None, ctps: date | None = None, as_of: date = date(2026, 11, 20)) -> list[Register]:
    def listed(on: date | None) -> dict[PhoneNumber, date]:
        return {} if on is None else {NUMBER: on}

    return [
        MemoryRegister(RegisterName.TPS, listed(tps), as_of=as_of, clock=FrozenClock()),
        MemoryRegister(RegisterName.CTPS, listed(ctps), as_of=as_of, clock=FrozenClock()),
    ]


def called(w: World) -> Reason:
    decision = w.manager.check(PHONE, Channel.LIVE_CALL, "offers", call=CALL)
    return decision.reason


def test_a_number_on_no_register_may_be_called() -> None:
    """
    Without consent, with the registers and the day they were asked in the decision.
    """
    w = world(registers=registers())
    w.add()
    decision = w.manager.check(PHONE, Channel.LIVE_CALL, "offers", call=CALL)
    assert decision
    assert {"tps", "ctps"} == {listing.register for listing in decision.listings}
    assert decision.duties


@pytest.mark.parametrize(("days", "allowed"), [(27, True), (28, False)])
@pytest.mark.parametrize("register", ["tps", "ctps"])
def test_a_listing_counts_after_28_days(days: int, allowed: bool, register: str) -> None:
    """
    On either register, whatever the subscriber is taken for.
    """
    listed = world().clock().date() - timedelta(days=days)
    w = world(registers=registers(**{register: listed}))
    w.add()
    assert w.manager.check(PHONE, Channel.LIVE_CALL, "offers", call=CALL).allowed is allowed


def test_a_register_that_is_missing_or_stale_refuses(caplog: pytest.LogCaptureFixture) -> None:
    """
    No register, only one of the two, or a copy that is 29 days old: none of them is a clear number.
    """
    for given in ([], registers()[:1], registers(as_of=date(2026, 10, 26))):
        w = world(registers=given)
        w.add()
        with caplog.at_level(logging.WARNING, logger="optly"):
            assert called(w) is Reason.REGISTER_NOT_CHECKED
    assert "register cannot be checked" in caplog.text
    assert PHONE not in caplog.text


def test_her_own_word_overrides_the_register_until_she_takes_it_back() -> None:
    """
    21(4) and 21(5).
    """
    w = world(registers=registers(tps=date(2020, 1, 1)))
    ada = w.add()
    assert called(w) is Reason.LISTED
    w.manager.record_consent(
        ada,
        channels=[Channel.LIVE_CALL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd telephone you about offers?"),
        act=Act.SAID_YES,
        how="in the Leeds branch",
        at=w.clock(),
    )
    assert called(w) is Reason.CONSENTED
    w.later()
    w.manager.withdraw(ada, channels=[Channel.LIVE_CALL])
    assert called(w) in {Reason.WITHDRAWN, Reason.LISTED}


def test_screening_a_list_asks_the_registers_for_each_number() -> None:
    """
    In order, and as `check` does.
    """
    w = world(registers=registers(tps=date(2020, 1, 1)))
    other = "+447911123457"
    decisions = list(w.manager.screen([PHONE, other, "malformed"], Channel.LIVE_CALL, "offers", call=CALL))
    assert [Reason.LISTED, Reason.NOT_AN_ADDRESS] == [decisions[0].reason, decisions[2].reason]
    assert decisions[1] == w.manager.check(other, Channel.LIVE_CALL, "offers", call=CALL)


def test_a_call_that_is_made_is_on_record_with_its_checks() -> None:
    """
    Which provision let it be made, what the registers said, and which copies of them.
    """
    w = world(registers=registers())
    ada = w.add()
    decision = w.manager.record_communication(ada, Channel.LIVE_CALL, "offers", call=CALL)
    made = w.manager.history(ada)[-1]
    assert isinstance(made, CommunicationMade)
    assert (decision.regulation, decision.reason, decision.edition) == (made.regulation, made.reason, made.edition)
    assert [("tps", None, date(2026, 11, 20)), ("ctps", None, date(2026, 11, 20))] == [
        (check.register, check.listed_on, check.as_of) for check in made.checks
    ]
    pack = w.manager.evidence(ada)
    assert pack.verify()
    assert "Register tps" in pack.to_html()
    assert PHONE not in str(made.checks)


def test_a_call_that_is_refused_is_not_on_record() -> None:
    """
    Nor is one to somebody who has no number.
    """
    w = world(registers=registers(tps=date(2020, 1, 1)))
    ada = w.add()
    version = w.manager.standing(ada).version
    with pytest.raises(NotPermittedError):
        w.manager.record_communication(ada, Channel.LIVE_CALL, "offers", call=CALL)
    assert w.manager.standing(ada).version == version
    mailer = w.manager.add_contact(email="bob@example.com")
    with pytest.raises(MissingLineError):
        w.manager.record_communication(mailer, Channel.LIVE_CALL, "offers", call=CALL)


def test_a_letter_needs_no_consent_but_heeds_an_objection() -> None:
    """
    Post is outside the regulations; the right to object is not.
    """
    w = world()
    ada = w.manager.add_contact(address="1 High Street\nLeeds\nLS1 1AA")
    assert w.manager.record_communication(ada, Channel.POST, "offers").reason is Reason.OUTSIDE_PECR
    w.later()
    w.manager.record_objection(ada, channels=[Channel.POST])
    with pytest.raises(NotPermittedError):
        w.manager.record_communication(ada, Channel.POST, "offers")


def test_a_licence_file_screens_calls(tmp_path: Path) -> None:
    """
    From the list as it is delivered to the decision.
    """
    source = tmp_path / "tps.csv"
    source.write_text("07911 123456,2020-01-01\n")
    target = tmp_path / "tps.register"
    build([source], target, name=RegisterName.TPS, as_of=date(2026, 11, 20), date_column=1)
    w = world(registers=[FileRegister(target), registers()[1]])
    w.add()
    assert called(w) is Reason.LISTED


def test_the_past_is_decided_by_the_law_of_the_day() -> None:
    """
    The charities' soft opt-in came on 5 February 2026, for details collected from then on.
    """
    w = world(rulebook=UKPECR(charity=Charity(law=CharityLaw.ENGLAND_WALES), charitable_purposes=frozenset({"offers"})))
    ada = w.add()
    w.manager.record_charity_soft_opt_in(
        ada,
        channels=[Channel.EMAIL],
        engagement=Engagement.SUPPORT,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        refusal_offered=True,
    )
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.CHARITY_SOFT_OPT_IN
    assert not w.manager.check(EMAIL, Channel.EMAIL, "news")
    early = world(rulebook=w.manager._app.settings.rulebook)
    bob = early.add()
    early.manager.record_charity_soft_opt_in(
        bob,
        channels=[Channel.EMAIL],
        engagement=Engagement.SUPPORT,
        at=datetime(2026, 2, 4, 12, tzinfo=UTC),
        refusal_offered=True,
    )
    assert not early.manager.check(EMAIL, Channel.EMAIL, "offers")


def test_one_line_may_be_held_by_somebody_else_than_the_others() -> None:
    """
    A director's own mailbox is an individual's, whatever the company is.
    """
    w = world()
    w.manager.add_contact(
        email=EMAIL, phone=PHONE, subscriber=Subscriber.COMPANY, held_by={AddressKind.EMAIL: Subscriber.INDIVIDUAL}
    )
    assert not w.allowed()
    assert w.allowed(Channel.SMS)


def test_an_unsound_consent_can_be_kept_as_what_it_is() -> None:
    """
    It counts for nothing, and the decision says what is wrong with it.
    """
    w = world()
    ada = w.add()
    facts = {
        "channels": [Channel.EMAIL],
        "purposes": ["offers"],
        "wording": Wording(text="I accept the terms and offers by email from Acme Ltd."),
        "act": Act.TICKED_BOX,
        "how": "sign-up page of 2019",
        "at": w.clock(),
        "manner": Manner(bundled=True),
    }
    with pytest.raises(UsageError):
        w.manager.record_consent(ada, **facts)  # type: ignore[arg-type]
    w.manager.record_consent(ada, **facts, unsound=Unsound.KEEP)  # type: ignore[arg-type]
    decision = w.manager.check(EMAIL, Channel.EMAIL, "offers")
    assert decision.reason is Reason.CONSENT_UNSOUND
    assert "bundled" in decision.failed
    given = w.manager.history(ada)[-1]
    assert isinstance(given, ConsentGiven)
    assert (given.grade, given.actor) == (Grade.E, Actor.STAFF)
    assert "Recorded as a yes that is not valid consent" in w.manager.evidence(ada).to_html()
    assert w.manager.deliver().total == 0


def test_a_service_message_is_no_marketing_unless_it_promotes() -> None:
    """
    The label does not help.
    """
    w = world()
    w.add()
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SERVICE, promotional=False)
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SERVICE)
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SERVICE, promotional=True)
    assert not w.manager.check(EMAIL, Channel.EMAIL, "offers", kind=MessageKind.SERVICE, promotional=None)


def collected_elsewhere(w: World, contact: Contact) -> None:
    w.manager.record_consent(
        contact,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd email you offers?"),
        act=Act.TICKED_BOX,
        how="a comparison site",
        at=w.clock(),
        manner=Manner(collected_by="compare"),
    )


def test_a_consent_somebody_else_collected_is_too_old_only_for_a_first_contact() -> None:
    """
    After six months it is no ground for the first message.
    """
    w = world()
    collected_elsewhere(w, w.add())
    w.later(timedelta(days=30))
    assert w.allowed()
    w.later(timedelta(days=300))
    assert w.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.CONSENT_TOO_OLD


def test_after_a_first_contact_such_a_consent_counts_for_as_long_as_it_stands() -> None:
    """
    The record knows of the message, so the host need not say so.
    """
    w = world()
    ada = w.add()
    collected_elsewhere(w, ada)
    w.manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
    w.manager.deliver()
    w.later(timedelta(days=300))
    assert w.allowed()


def test_of_what_the_host_sends_itself_nothing_is_assumed() -> None:
    """
    Neither that it names the sender nor that it promotes nothing.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    w.later()
    record = w.manager.record_communication
    for facts in ({}, {"shows_identity": True}, {"gives_stop_address": True}):
        with pytest.raises(NotPermittedError):
            record(ada, Channel.EMAIL, "offers", **facts)  # type: ignore[arg-type]
    with pytest.raises(NotPermittedError):
        record(ada, Channel.EMAIL, "news", kind=MessageKind.SERVICE)
    assert record(
        ada,
        Channel.EMAIL,
        "offers",
        shows_identity=True,
        gives_stop_address=True,
        offers_refusal=True,
        refusal_cost=RefusalCost.FREE,
    )


def test_a_list_of_objections_stops_everybody_on_it_known_or_not() -> None:
    """
    A repeat adds nothing, what is malformed is told by its place, and an import of the address later is still refused.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    w.later()
    listed = [EMAIL, "nonsense", "bob@example.com"]
    for _ in range(2):
        imported = w.manager.import_objections(
            listed, Channel.EMAIL, how="Fundraising Preference Service", at=w.clock()
        )
        assert (2, (2,)) == (imported.recorded, imported.malformed)
    bob = w.manager.find("bob@example.com")
    assert bob is not None
    assert w.manager.standing(bob).version == 3
    assert not w.allowed()
    assert not w.allowed(Channel.SMS)
    w.manager.add_contact(email="bob@example.com", subscriber=Subscriber.COMPANY)
    assert w.manager.check(bob, Channel.EMAIL, "news").reason is Reason.OBJECTED
    assert w.manager.verify()
