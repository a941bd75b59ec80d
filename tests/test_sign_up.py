"""
The sign-up form: what a visitor typed is proved before it counts, and is attached to nobody.
"""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, World, awaited, world

from optly import Act, Actor, Channel, Contact, Solicited, Subscriber, Wording
from optly.backends import MemoryBackend
from optly.contacts import AddressKind, PhoneNumber
from optly.errors import (
    AddressError,
    AnswerError,
    LinkSupersededError,
    LinkUsedError,
    MissingLineError,
    NoBackendError,
    NotPermittedError,
    UnknownChannelError,
    UnknownPurposeError,
    UsageError,
)
from optly.messages import InboundMessage
from optly.messages.pacing import Budget
from optly.record.events import ConsentRefused, ConsentRequested, Grade, LinkKind
from optly.results import Effect
from optly.rules import Reason
from optly.testing.messages import code_in

MALLORY = "mallory@evil.example.com"
EMAIL_NEWS = (Channel.EMAIL, "news")


@pytest.fixture
def w() -> World:
    return world()


def signs_up(w: World, *ticked: tuple[Channel, str], **typed: Any) -> None:
    """
    Fill in the form, press its button, and let the worker run.
    """
    w.manager.sign_up(ticked=ticked or [EMAIL_OFFERS], how="newsletter form", **typed)
    w.manager.deliver()


def only(w: World, address: str, channel: Channel = Channel.EMAIL) -> Contact:
    found = w.manager.find(address, channel)
    assert found is not None
    return found


def test_a_form_counts_once_its_question_is_answered(w: World) -> None:
    """
    Before that nothing is allowed and no name is on record; then what was ticked is, proved by the address itself.
    """
    signs_up(w, EMAIL_OFFERS, email=" Ada@Example.com", name=" Ada  Lovelace ")
    assert w.manager.check(EMAIL, *EMAIL_OFFERS).reason is Reason.NO_CONSENT
    [message] = w.emails.outbox
    opened = w.manager.open(code_in(message))
    assert [EMAIL_OFFERS] == [item.key for item in opened.items]
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    decision = w.manager.check(EMAIL, *EMAIL_OFFERS)
    assert decision.reason is Reason.CONSENTED
    ada = only(w, EMAIL)
    given = w.manager.history(ada)[decision.evidence[0] - 1]
    assert (Actor.PERSON, Grade.A) == (given.actor, given.grade)
    assert w.manager.add_contact(name="Ada Lovelace", email=EMAIL) == ada


def test_who_stopped_may_be_shown_the_way_back_once() -> None:
    """
    Off by default; with it, one plain message for each stop, however often the form is sent. It lifts nothing itself.
    """
    for way_back in (False, True):
        w = world(way_back=way_back)
        ada = w.add()
        w.manager.record_objection(ada)
        for _ in range(3):
            w.later()
            signs_up(w, EMAIL_OFFERS, email=EMAIL)
        assert way_back == len(w.emails.outbox)
        assert not w.allowed(*EMAIL_OFFERS)
        if way_back:
            assert "offers" not in w.emails.outbox[0].text
            w.later()
            w.manager.choose(code_in(w.emails.outbox[0]), {EMAIL_OFFERS: True})
            assert w.allowed(*EMAIL_OFFERS)


def test_the_name_waits_for_the_answer(w: World) -> None:
    """
    An answer that may be a program's gives none; its confirmation does.
    """
    signs_up(w, EMAIL_OFFERS, email=EMAIL, name="Ada")
    code = code_in(w.emails.outbox[-1])
    w.manager.answer(code, {EMAIL_OFFERS: True}, hold_within=timedelta(minutes=1))
    assert w.manager.standing(only(w, EMAIL)).anonymous
    w.later()
    w.manager.confirm(code)
    assert not w.manager.standing(only(w, EMAIL)).anonymous
    assert "Ada" in {value for event in w.manager.history(only(w, EMAIL)) for value in event.personal.values()}


def test_what_was_ticked_and_the_words_are_kept(w: World) -> None:
    """
    The question shows how it came to be asked.
    """
    wording = Wording(text="Acme may email me offers.", hint="I can stop at any time.")
    signs_up(w, EMAIL_OFFERS, EMAIL_NEWS, email=EMAIL, wording=wording)
    [asked] = [event for event in w.manager.history(only(w, EMAIL)) if isinstance(event, ConsentRequested)]
    [how] = asked.personal.values()
    for text in ("newsletter form", "email/offers", "email/news", wording.text, wording.hint):
        assert text in how


def test_each_address_is_asked_about_its_own_channels(w: World) -> None:
    """
    The email about emails and the text about texts; neither answer counts for the other.
    """
    signs_up(w, EMAIL_OFFERS, SMS_OFFERS, email=EMAIL, phone=PHONE)
    assert ([EMAIL], [PHONE]) == ([mail.to for mail in w.emails.outbox], [text.to for text in w.texts.outbox])
    w.manager.answer(code_in(w.emails.outbox[0]), {EMAIL_OFFERS: True})
    assert [True, False] == [bool(w.manager.check(EMAIL, *EMAIL_OFFERS)), bool(w.manager.check(PHONE, *SMS_OFFERS))]
    w.manager.answer(code_in(w.texts.outbox[0]), {SMS_OFFERS: True})
    assert w.manager.check(PHONE, *SMS_OFFERS)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"ticked": []}, UsageError),
        ({"email": "nobody"}, AddressError),
        ({"email": None}, MissingLineError),
        ({"ticked": [SMS_OFFERS]}, MissingLineError),
        ({"ticked": [(Channel.POST, "offers")]}, UsageError),
        ({"ticked": [(Channel.EMAIL, "nothing")]}, UnknownPurposeError),
        ({"ticked": [("pigeon", "offers")]}, UnknownChannelError),
    ],
)
def test_a_form_that_cannot_be_meant_is_an_error_and_changes_nothing(
    w: World, form: dict[str, Any], error: type[Exception]
) -> None:
    """
    Of whatever is on record.
    """
    with pytest.raises(error):
        w.manager.sign_up(**{"ticked": [EMAIL_OFFERS], "how": "form", "email": EMAIL, **form})
    w.manager.deliver()
    assert [] == w.emails.outbox
    assert w.manager.find(EMAIL) is None


def test_nobody_can_be_asked_without_a_backend() -> None:
    """
    The host learns it at once.
    """
    w = world(backends=[MemoryBackend(channel=Channel.SMS)])
    with pytest.raises(NoBackendError):
        w.manager.sign_up(ticked=[EMAIL_OFFERS], how="form", email=EMAIL)


def test_a_bot_spends_the_budget_of_an_address(w: World) -> None:
    """
    Three questions an hour and six a day, whatever is typed beside the address; the caller sees no difference.
    """
    for number in range(5):
        signs_up(w, EMAIL_OFFERS, email=EMAIL.upper(), name=f"Bot {number}")
        w.later()
    assert 3 == len(w.emails.outbox)
    for _ in range(5):
        w.later(timedelta(hours=1, seconds=1))
        signs_up(w, EMAIL_OFFERS, email=EMAIL)
    assert 6 == len(w.emails.outbox)
    assert 1 == len(w.manager.holders(EMAIL))


def test_the_hosts_own_check_is_asked(w: World) -> None:
    """
    Nothing is sent or added where it says no.
    """
    asked: list[bool] = []

    def check() -> bool:
        asked.append(True)
        return len(asked) > 1

    signs_up(w, EMAIL_OFFERS, email=EMAIL, check=check)
    assert ([], None) == (w.emails.outbox, w.manager.find(EMAIL))
    signs_up(w, EMAIL_OFFERS, email=EMAIL, check=check)
    assert [EMAIL] == [mail.to for mail in w.emails.outbox]


def test_the_same_awaited() -> None:
    """
    A check may be awaited there.
    """

    async def job() -> None:
        emails = MemoryBackend(channel=Channel.EMAIL)
        async with awaited(emails) as manager:

            async def check() -> bool:
                await asyncio.sleep(0)
                return True

            await manager.sign_up(ticked=[EMAIL_OFFERS], how="form", email=EMAIL, check=check)
            await manager.deliver()
            await manager.answer(code_in(emails.outbox[0]), {EMAIL_OFFERS: True})
            assert await manager.check(EMAIL, *EMAIL_OFFERS)

    asyncio.run(job())


# ---- strangers


def known(w: World) -> Contact:
    """
    Put Ada on record with everything about her, and have her object.
    """
    ada = w.manager.add_contact(
        name="Ada Lovelace",
        email=EMAIL,
        phone=PHONE,
        address="7 Secret Lane, Leeds LS1 1AA",
        subscriber=Subscriber.INDIVIDUAL,
    )
    w.manager.record_objection(ada, how="telephone")
    w.later()
    return ada


FORMS = [
    {"email": MALLORY, "phone": PHONE},
    {"email": EMAIL, "phone": "+447911123457"},
    {"email": EMAIL, "phone": PHONE},
    {"email": MALLORY, "phone": "+447911123457"},
]


@pytest.mark.parametrize("typed", FORMS)
def test_a_form_changes_nothing_on_record(w: World, typed: dict[str, str]) -> None:
    """
    Whoever types somebody's address is attached to nobody, learns nothing and lifts nothing.
    """
    ada = known(w)
    before = w.manager.history(ada)
    signs_up(w, EMAIL_OFFERS, SMS_OFFERS, name="Mallory", **typed)
    assert before == w.manager.history(ada)
    for mail in [*w.emails.outbox, *w.texts.outbox]:
        assert mail.to not in (EMAIL, PHONE)
        code = code_in(mail)
        with pytest.raises(AnswerError):
            w.manager.answer(code, {(Channel.POST, "offers"): True})
        choice = EMAIL_OFFERS if mail.channel is Channel.EMAIL else SMS_OFFERS
        w.manager.answer(code, {choice: True})
    own = w.manager.self_service
    for address in (MALLORY, "+447911123457"):
        own.request_link(address)
    w.manager.deliver()
    w.manager.deliver()
    for link in [mail for mail in [*w.emails.outbox, *w.texts.outbox] if "your link" in (mail.subject or mail.text)]:
        person = own.enter(code_in(link))
        assert person is not None
    assert before == w.manager.history(ada)
    assert not w.manager.check(EMAIL, *EMAIL_OFFERS)
    assert not w.manager.check(PHONE, *SMS_OFFERS)


def asked_before(w: World, via: Channel = Channel.EMAIL, **details: Any) -> tuple[Contact, str]:
    """
    Put Ada on record, ask her, and return her with the code of the question that is now open.
    """
    ada = w.add()
    w.manager.request_consent(
        ada,
        **{
            "via": via,
            "channels": [via],
            "purposes": ["offers"],
            "basis": Solicited(how="telephone", at=w.clock()),
            **details,
        },
    )
    w.manager.deliver()
    w.later()
    return ada, code_in((w.emails if via is Channel.EMAIL else w.texts).outbox[-1])


def states(w: World, ada: Contact) -> list[str]:
    return [question.state.value for question in w.manager.standing(ada).questions]


def test_a_form_closes_no_question(w: World) -> None:
    """
    Whoever filled it in may be anyone. Each question is answered in its own words, and the first answer closes those
    about the same, whichever is older; no code counts twice.
    """
    ada, code = asked_before(w)
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    w.later()
    signs_up(w, EMAIL_OFFERS, EMAIL_NEWS, email=EMAIL)
    assert ["open", "open", "open"] == states(w, ada)
    w.manager.answer(code, {EMAIL_OFFERS: True})
    assert w.allowed(*EMAIL_OFFERS)
    assert ["answered", "superseded", "superseded"] == states(w, ada)
    w.later()
    w.manager.withdraw(ada)
    for message in w.emails.outbox[1:3]:
        with pytest.raises(LinkSupersededError):
            w.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    with pytest.raises(LinkUsedError):
        w.manager.answer(code, {EMAIL_OFFERS: True})
    assert not w.allowed(*EMAIL_OFFERS)


def test_the_question_of_a_form_is_answered_beside_an_older_one(w: World) -> None:
    """
    For what was ticked; what only the older one asks stays open until its own answer.
    """
    ada, code = asked_before(w, purposes=["news"])
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    w.manager.answer(code_in(w.emails.outbox[-1]), {EMAIL_OFFERS: True})
    assert ["open", "answered"] == states(w, ada)
    w.manager.answer(code, {EMAIL_NEWS: True})
    assert (True, True) == (w.allowed(*EMAIL_OFFERS), w.allowed(*EMAIL_NEWS))


def test_the_organisation_s_own_question_replaces_that_of_a_form(w: World) -> None:
    """
    As it replaces any other about the same.
    """
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    ada = only(w, EMAIL)
    w.later()
    w.manager.request_consent(
        ada, via="email", channels=["email"], purposes=["offers"], basis=Solicited(how="telephone", at=w.clock())
    )
    assert ["superseded", "open"] == states(w, ada)


def test_a_form_drops_no_answer_that_waits_to_be_confirmed(w: World) -> None:
    """
    Neither does what a program presses on the page of the question it causes.
    """
    ada, code = asked_before(w)
    w.manager.answer(code, {EMAIL_OFFERS: True}, hold_within=timedelta(hours=1))
    w.later()
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    w.manager.answer(code_in(w.emails.outbox[-1]), {EMAIL_OFFERS: True}, hold_within=timedelta(hours=1))
    w.later()
    w.manager.confirm(code)
    assert w.allowed(*EMAIL_OFFERS)
    assert () == w.manager.standing(ada).held


def test_a_form_uses_up_no_budget_and_renews_no_consent() -> None:
    """
    The organisation may ask as often as before; a question that was answered counts, because then its holder asked.
    """
    w = world(budget=Budget(questions=1, within=timedelta(days=300)))
    firm = w.add(subscriber=Subscriber.COMPANY)
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    assert ((), ()) == (w.manager.standing(firm).uses, w.manager.standing(firm).pending)
    asked: dict[str, Any] = {"via": "email", "channels": ["email"], "purposes": ["news"]}
    w.manager.request_consent(firm, **asked)
    w.later(timedelta(days=301))
    signs_up(w, EMAIL_OFFERS, email=EMAIL)
    w.manager.answer(code_in(w.emails.outbox[-1]), {EMAIL_OFFERS: True})
    with pytest.raises(NotPermittedError) as refused:
        w.manager.request_consent(firm, **asked)
    assert refused.value.decision.reason is Reason.ASKED_ENOUGH


def replies(w: World, text: str) -> Effect:
    w.later()
    return w.manager.receive(
        InboundMessage(id=f"{w.clock()}", backend="memory", channel=Channel.SMS, sender=PHONE, at=w.clock(), text=text)
    ).effect


SMS_NEWS = (Channel.SMS, "news")


def test_a_text_of_yes_answers_what_every_open_question_asks(w: World) -> None:
    """
    In the same words: a stranger who types a number makes nobody's answer count for nothing, and none for other things.
    """
    ada, _ = asked_before(w, Channel.SMS)
    signs_up(w, SMS_OFFERS, phone=PHONE)
    w.later()
    signs_up(w, SMS_OFFERS, SMS_NEWS, phone=PHONE)
    assert replies(w, "YES") is Effect.ANSWERED
    assert ["superseded", "answered", "superseded"] == states(w, ada)
    assert (True, False) == (w.allowed(*SMS_OFFERS), w.allowed(*SMS_NEWS))


@pytest.mark.parametrize("text", ["YES", "1"])
def test_a_text_of_yes_to_one_of_two_questions_answers_none(w: World, text: str) -> None:
    """
    Where they ask about different things, nobody knows which one it means. The links still answer each.
    """
    ada, code = asked_before(w, Channel.SMS)
    signs_up(w, SMS_NEWS, phone=PHONE)
    assert replies(w, text) is Effect.KEPT
    assert ["open", "open"] == states(w, ada)
    w.manager.answer(code, {SMS_OFFERS: True})
    assert (True, False) == (w.allowed(*SMS_OFFERS), w.allowed(*SMS_NEWS))


def test_a_text_of_no_refuses_what_all_open_questions_ask(w: World) -> None:
    """
    In one event, which has the words.
    """
    ada, _ = asked_before(w, Channel.SMS)
    signs_up(w, SMS_OFFERS, SMS_NEWS, phone=PHONE)
    assert replies(w, "NO") is Effect.ANSWERED
    assert "open" not in states(w, ada)
    [refused] = [event for event in w.manager.history(ada) if isinstance(event, ConsentRefused)]
    assert {"offers", "news"} == {choice.purpose for choice in refused.choices}
    assert ["NO"] == list(refused.personal.values())
    for choice in (SMS_OFFERS, SMS_NEWS):
        assert w.manager.check(PHONE, *choice).reason is Reason.WITHDRAWN


steps = st.lists(st.sampled_from([*range(len(FORMS)), "link", "no"]), max_size=8)


@pytest.mark.slow
@given(steps)
def test_promise_16_an_address_proves_itself_and_nothing_else(chosen: list[int | str]) -> None:
    """
    Whatever a stranger types, asks for and answers, with the mailbox and the number that are theirs.
    """
    w = world()
    ada = known(w)
    before = w.manager.history(ada)
    for step in chosen:
        if isinstance(step, int):
            signs_up(w, EMAIL_OFFERS, SMS_OFFERS, name="Mallory", **FORMS[step])
        elif step == "link":
            w.manager.self_service.request_link(MALLORY)
            w.manager.deliver()
            w.manager.deliver()
        for mail in [*w.emails.outbox, *w.texts.outbox]:
            assert mail.to not in (EMAIL, PHONE)
            person = w.manager.self_service.enter(code_in(mail))
            opened = person.open()
            answers = {item.key: step != "no" for item in opened.items}
            if opened.kind is LinkKind.QUESTION and answers:
                person.answer(answers)
            elif answers:
                person.choose(answers)
        w.emails.outbox.clear()
        w.texts.outbox.clear()
        w.later(timedelta(hours=2))
        assert before == w.manager.history(ada)
        assert not w.manager.check(EMAIL, *EMAIL_OFFERS)
        assert not w.manager.check(PHONE, *SMS_OFFERS)


def test_a_person_sees_only_the_line_they_came_through(w: World) -> None:
    """
    The others are masked until a code that was sent there came back in the same session.
    """
    ada = w.add(address="7 Secret Lane, Leeds LS1 1AA")
    own = w.manager.self_service
    session = own.request_code(w.manager.link(ada).rpartition("/")[2])
    w.manager.deliver()
    session = own.step_up(session, _digits(w.emails))
    details = own.details(session)
    assert [EMAIL] == [line.value for line in details.lines]
    assert {AddressKind.PHONE, AddressKind.POST} == {kind for kind, _ in details.masked}
    shown = [value for event in own.history(session).events for value in event.personal.values()]
    assert PHONE not in shown
    assert not any("Secret Lane" in value for value in shown)

    own.propose(session, PhoneNumber.parse(PHONE))
    w.manager.deliver()
    session = own.prove(session, AddressKind.PHONE, _digits(w.texts))
    assert [EMAIL, PHONE] == [line.value for line in own.details(session).lines]


def _digits(backend: MemoryBackend) -> str:
    """
    Return the latest one-time code that was sent.
    """
    found: list[str] = [
        digits for message in backend.outbox for digits in re.findall(r"(?<![\w/])\d{6}(?!\w)", message.text)
    ]
    return found[-1]


def test_a_yes_through_one_line_lifts_no_stop_on_another(w: World) -> None:
    """
    Until that other was proved from the first.
    """
    ada = w.add()
    w.manager.record_consent(
        ada,
        channels=[Channel.SMS],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd text me offers?"),
        act=Act.TICKED_BOX,
        how="account page",
        at=w.clock(),
    )
    w.later()
    w.manager.record_objection(ada, phone=PHONE)
    w.later()
    code = code_in(w.ask(ada, channels=[Channel.EMAIL]))
    w.manager.answer(code, {EMAIL_OFFERS: True})
    session = w.manager.self_service.request_code(code)
    w.manager.deliver()
    session = w.manager.self_service.step_up(session, _digits(w.emails))
    w.manager.choose(session, {SMS_OFFERS: True})
    assert w.manager.check(PHONE, *SMS_OFFERS).reason is Reason.OBJECTED

    w.manager.self_service.propose(session, PhoneNumber.parse(PHONE))
    w.manager.deliver()
    session = w.manager.self_service.prove(session, AddressKind.PHONE, _digits(w.texts))
    w.later()
    w.manager.choose(session, {SMS_OFFERS: True})
    assert w.manager.check(PHONE, *SMS_OFFERS)
