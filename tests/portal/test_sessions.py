"""
Sessions, one-time codes and links: what each may do, for how long, and for whom.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from threading import Barrier

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portal.sessions import (
    NEW,
    NEWER,
    digits_in,
    everything_in,
    latest_digits,
    lines,
    link_of,
    moved,
    raised,
    tried,
    try_digits,
    undo_of,
)
from portal.visitor import FROM_HERE, Acme, Visitor
from services import POSTGRESQL, database
from thorough import examples
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, World, world

from optly import Channel, Contact, EmailAddress
from optly.contacts.addresses import AddressKind
from optly.errors import (
    LinkError,
    LinkInvalidError,
    LinkRevokedError,
    SessionError,
    TooManyTriesError,
    WrongDigitsError,
)
from optly.instants import end_of_day
from optly.links import make_step_up
from optly.protocols import Storage
from optly.record.events import LinkKind
from optly.storage import SQLStorage
from optly.testing.messages import code_in

A_MOMENT = timedelta(microseconds=1)
HALF_AN_HOUR = timedelta(minutes=30)


def others(digits: str) -> Iterator[str]:
    """
    Yield codes that are not this one.
    """
    return (wrong for number in range(10**6) if (wrong := f"{number:06d}") != digits)


def is_over(w: World, session: str) -> bool:
    """
    Whether a session opens nothing any more.
    """
    try:
        w.manager.open(session)
    except LinkError:
        return True
    return False


@pytest.fixture
def w() -> World:
    return world()


# ---- what a link may do, and the session that begins at it


def test_a_question_gives_no_power_over_anything_else(w: World) -> None:
    """
    Nor does a session that begins at it, before a one-time code shows who reads there: a forwarded question must not
    agree to more than it asks. (The sheet's list: listmonk let a known address subscribe to private lists.)
    """
    ada = w.add()
    code = code_in(w.ask(ada, channels=[Channel.EMAIL]))
    session = w.manager.self_service.request_code(code)
    assert () == w.manager.open(session).items
    for key in ((Channel.EMAIL, "offers"), (Channel.EMAIL, "news"), SMS_OFFERS):
        with pytest.raises(SessionError):
            w.manager.choose(session, {key: True})
    assert not w.allowed(purpose="news")

    whole = w.manager.self_service.step_up(session, latest_digits(w))
    w.manager.choose(whole, {(Channel.EMAIL, "news"): True})
    assert w.allowed(purpose="news")


def test_a_question_undoes_no_stop(w: World) -> None:
    """
    Neither by itself nor in a session that nobody raised. Whoever is stopped is sent a link that does.
    """
    ada = w.add()
    w.agreed(ada)
    code = code_in(w.ask(ada, purposes=["news"]))
    session = w.manager.self_service.request_code(code)
    assert w.manager.stop(session).undo is None
    stop = w.manager.standing(ada).version
    for opener in (code, session):
        with pytest.raises(LinkInvalidError):
            w.manager.undo(opener, stop=stop)
    assert not w.allowed()


def test_the_pages_of_such_a_session_lead_to_the_code(acme: Acme, visitor: Visitor) -> None:
    """
    There is nothing to choose before it, and what is sent anyway changes nothing.
    """
    code = acme.ask(Channel.EMAIL)
    page = visitor.press(visitor.get(f"/l/{code}/code"), f"/l/{code}/code")
    assert "Enter the code" in page.title
    assert page.title == visitor.follow(visitor.get("/me")).title

    before = acme.record()
    csrf = page.filled_in("/my/me/code", {})
    answered = visitor.post("/me", {**csrf, "email-offers": "no", "sms-offers": "no"}, *FROM_HERE)
    assert ("/my/me/code", before) == (answered.headers("location")[0], acme.record())


def test_a_replaced_address_answers_nothing_any_more(w: World) -> None:
    """
    Somebody else may read there by now. A question that was sent there agrees to nothing, not even for a line that is
    still on record, and a yes that is held there is not confirmed.
    """
    ada = w.add()
    question = code_in(w.ask(ada))
    manage = link_of(w, ada)
    w.manager.choose(manage, {(Channel.SMS, "news"): True}, hold_within=timedelta(minutes=1))
    w.later()
    moved(w, raised(w, link_of(w, ada)), NEW)

    for act in (
        partial(w.manager.open, question),
        partial(w.manager.answer, question, {SMS_OFFERS: True}),
        partial(w.manager.confirm, manage),
        partial(w.manager.choose, manage, {(Channel.SMS, "news"): True}),
        partial(w.manager.self_service.request_code, manage),
        partial(w.manager.self_service.request_code, question),
        partial(w.manager.self_service.complain, manage, "Too loud"),
    ):
        with pytest.raises(LinkRevokedError):
            act()
    assert not w.allowed(Channel.SMS)
    assert not w.allowed(Channel.SMS, "news")


def test_whoever_reads_at_a_replaced_address_may_stop_and_learns_nothing(w: World) -> None:
    """
    Nobody is ever kept from stopping. What had been agreed to is not told, and cannot be undone from there.
    """
    ada = w.add()
    w.manager.choose(link_of(w, ada), {SMS_OFFERS: True})
    old = link_of(w, ada)
    stop = w.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    moved(w, raised(w, link_of(w, ada)), NEW)
    assert w.allowed(Channel.SMS)

    after = w.manager.stop(old)
    assert (None, False) == (after.undo, w.allowed(Channel.SMS))
    with pytest.raises(LinkRevokedError):
        w.manager.undo(old, stop=w.manager.standing(ada).version)
    assert w.manager.stop_by_token(stop).undo is None


@pytest.mark.parametrize("end", ["revoked", "erased"])
def test_a_link_that_was_ended_opens_nothing(w: World, end: str) -> None:
    """
    Whatever its kind; and nothing of what it did before comes back through it.
    """
    ada = w.add()
    manage = link_of(w, ada)
    question = code_in(w.ask(ada))
    w.manager.answer(question, {EMAIL_OFFERS: True})
    w.manager.deliver()
    w.manager.stop(link_of(w, ada))
    undo = undo_of(w, EMAIL)
    pending = w.manager.self_service.request_code(manage)
    session = raised(w, manage)
    if end == "revoked":
        w.manager.revoke_links(ada)
    else:
        w.manager.erase(ada)
    for code in (manage, question, undo, pending, session):
        for act in (w.manager.open, w.manager.stop, w.manager.undo, w.manager.confirm):
            with pytest.raises(LinkError):
                act(code)
        with pytest.raises(LinkError):
            w.manager.choose(code, {EMAIL_OFFERS: True})
    assert not w.allowed()


def test_a_stop_can_be_undone_for_thirty_days(w: World) -> None:
    """
    At the last instant it can, a microsecond later the link opens nothing.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.stop(link_of(w, ada))
    undo = undo_of(w, EMAIL)
    w.later(end_of_day(w.clock() + timedelta(days=30)) - w.clock())
    assert w.manager.open(undo).undo
    w.later(A_MOMENT)
    with pytest.raises(LinkInvalidError):
        w.manager.undo(undo)
    assert not w.allowed()


def test_a_stop_is_undone_once_and_no_other(w: World) -> None:
    """
    The link of the first stop does nothing about a second, whatever came between them.
    """
    ada = w.add()
    w.agreed(ada)
    w.manager.stop(link_of(w, ada))
    first = undo_of(w, EMAIL)
    w.later()
    w.manager.undo(first)
    assert w.allowed()
    w.later()
    w.manager.stop(link_of(w, ada))
    assert w.manager.open(first).undo is None
    w.manager.undo(first)
    assert not w.allowed()
    w.later(timedelta(hours=1))  # the notice of the second waits for as long
    w.manager.undo(undo_of(w, EMAIL))
    assert w.allowed()


# ---- one-time codes


def test_a_code_is_six_digits_of_a_random_source_for_secrets() -> None:
    """
    Every one of them as likely as any other, to within what eight bytes allow. (Mautic made tokens with ``mt_rand``.)
    """
    assert re.fullmatch(r"\d{6}", make_step_up(secrets.token_bytes(8)))
    assert ["000000", "000001", "999999"] == [make_step_up(n.to_bytes(8)) for n in (0, 10**6 + 1, 10**6 - 1)]
    assert world().manager._app.settings.random is secrets.token_bytes


def test_the_digits_are_nowhere_in_the_store(w: World) -> None:
    """
    Neither they nor anything that a million tries without the key would tell them from; nor is any code of a link or a
    session. (The sheet's list: what is in the store is of no use to whoever reads it.)
    """
    ada = w.add()
    link = link_of(w, ada)
    pending = w.manager.self_service.request_code(link)
    digits = latest_digits(w)
    session = w.manager.self_service.step_up(pending, digits)
    w.manager.self_service.propose(session, EmailAddress.parse(NEW))
    proof = latest_digits(w)
    stored = everything_in(w.storage)
    assert EMAIL in stored
    for secret in (digits, proof, link, pending, session):
        assert not re.search(rf"(?<![0-9a-z]){secret}(?![0-9a-z])", stored)


def test_a_code_is_good_for_ten_minutes(w: World) -> None:
    """
    From when it went out: at the last instant it is, a microsecond later it is not.
    """
    ada, own = w.add(), w.manager.self_service
    for late, works in ((timedelta(0), True), (A_MOMENT, False)):
        session = own.request_code(link_of(w, ada))
        digits = latest_digits(w)
        w.later(timedelta(minutes=10) + late)
        if works:
            assert own.step_up(session, digits)
        else:
            with pytest.raises(WrongDigitsError):
                own.step_up(session, digits)


def test_an_older_code_is_good_for_its_own_ten_minutes(w: World) -> None:
    """
    Mail is slow: whoever asked twice may type in either, each in its own time and once.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.request_code(link_of(w, ada))
    first = latest_digits(w)
    w.later(timedelta(minutes=9))
    assert session == own.request_code(session)
    second = latest_digits(w)
    w.later(timedelta(minutes=1))
    session = own.step_up(session, first)
    with pytest.raises(WrongDigitsError):
        own.step_up(session, second)  # the raised session is another, for which no code was sent


def test_five_tries_and_no_more(w: World) -> None:
    """
    Then not even the right code does it, and the page says until when.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.request_code(link_of(w, ada))
    digits = latest_digits(w)
    for _, wrong in zip(range(5), others(digits), strict=False):
        with pytest.raises(WrongDigitsError):
            own.step_up(session, wrong)
    with pytest.raises(TooManyTriesError) as refused:
        own.step_up(session, digits)
    assert w.clock() + timedelta(minutes=10) == refused.value.until
    with pytest.raises(SessionError):
        own.details(session)


def test_the_fifth_try_may_be_the_right_one(w: World) -> None:
    """
    Four wrong ones before it do no harm.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.request_code(link_of(w, ada))
    digits = latest_digits(w)
    for _, wrong in zip(range(4), others(digits), strict=False):
        with pytest.raises(WrongDigitsError):
            own.step_up(session, wrong)
    assert own.details(own.step_up(session, digits)).name == "Ada Lovelace"


def test_a_code_raises_the_session_it_was_asked_for_in(w: World) -> None:
    """
    And no other: not one of the same person, not somebody else's.
    """
    ada, own = w.add(), w.manager.self_service
    bob = w.add(name="Bob", email="bob@example.com", phone=None)
    sessions = [own.request_code(link_of(w, contact)) for contact in (ada, ada, bob)]
    w.manager.deliver()
    hers = digits_in([message for message in w.emails.outbox if message.to == EMAIL])
    (his,) = digits_in([message for message in w.emails.outbox if message.to != EMAIL])
    assert (2, 3) == (len(hers), len({*hers, his}))
    for session, digits in ((sessions[0], his), (sessions[2], hers[0]), (sessions[2], hers[1])):
        with pytest.raises(WrongDigitsError):
            own.step_up(session, digits)
    found = [tried(own.step_up, sessions[0], digits) for digits in hers]
    assert ["WrongDigitsError", "raised"] in (found, found[::-1]) or found == ["raised", "LinkInvalidError"]
    assert own.details(own.step_up(sessions[2], his)).name == "Bob"


def test_digits_for_one_new_address_do_not_prove_another(w: World) -> None:
    """
    Nor do they raise a session, or prove the address in another session.
    """
    ada, own = w.add(), w.manager.self_service
    session = raised(w, link_of(w, ada))
    own.propose(session, EmailAddress.parse(NEW))
    first = latest_digits(w)
    own.propose(session, EmailAddress.parse(NEWER))
    with pytest.raises(WrongDigitsError):
        own.prove(session, AddressKind.EMAIL, first)
    with pytest.raises(WrongDigitsError):
        own.step_up(session, first)
    other = raised(w, link_of(w, ada))
    own.propose(other, EmailAddress.parse(NEW))
    with pytest.raises(WrongDigitsError):
        own.prove(other, AddressKind.EMAIL, first)
    assert (EMAIL,) == tuple(line.value for line in own.details(session).lines)


def test_no_more_codes_go_out_than_a_person_needs(w: World) -> None:
    """
    Three in a quarter of an hour and six in a day to one line, through whatever links and sessions they are asked for.
    """
    ada, own = w.add(), w.manager.self_service
    for _ in range(2):
        session = own.request_code(link_of(w, ada))
        own.request_code(session)
        own.request_code(link_of(w, ada))
        for opener in (session, link_of(w, ada)):
            with pytest.raises(TooManyTriesError):
                own.request_code(opener)
        w.later(timedelta(minutes=15) + A_MOMENT)
    with pytest.raises(TooManyTriesError):
        own.request_code(link_of(w, ada))
    w.manager.deliver()
    assert 6 == len(w.emails.outbox)


# ---- at the same time


Opener = Callable[[], Storage]


@pytest.fixture(params=["sqlite", POSTGRESQL])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opener]:
    """
    Opens one store again and again, as processes do that share it.
    """
    with database(request.param, tmp_path) as url:
        yield partial(SQLStorage, url)


@pytest.fixture
def asked(opener: Opener) -> tuple[str, str]:
    """
    A session and the code that raises it.
    """
    made = world(opener())
    with made.manager:
        session = made.manager.self_service.request_code(link_of(made, made.add()))
        return session, latest_digits(made)


@pytest.mark.slow
def test_two_processes_count_tries_together(opener: Opener, asked: tuple[str, str]) -> None:
    """
    Of twelve wrong ones five are looked at, whoever tries them, and then the right one is refused as well.
    """
    session, digits = asked
    wrong = [code for _, code in zip(range(12), others(digits), strict=False)]
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        work = [pool.submit(try_digits, opener, session, part, None) for part in (wrong[::2], wrong[1::2])]
        found = [result for each in work for result in each.result(60)]
    assert (5, 7) == (found.count("WrongDigitsError"), found.count("TooManyTriesError"))
    assert ["TooManyTriesError"] == try_digits(opener, session, [digits], None)


def test_of_those_who_type_in_the_right_code_at_once_one_is_let_in(opener: Opener, asked: tuple[str, str]) -> None:
    """
    The others are told that it is wrong, or that the session is over. (ash_authentication, hyperswitch: a link used
    twice.)
    """
    session, digits = asked
    barrier = Barrier(4)
    with ThreadPoolExecutor(4) as pool:
        work = [pool.submit(try_digits, opener, session, [digits], barrier) for _ in range(4)]
        found = [result for each in work for result in each.result(60)]
    assert 1 == found.count("raised")


def test_threads_count_tries_together(w: World) -> None:
    """
    In one process, on the store in memory.
    """
    ada = w.add()
    session = w.manager.self_service.request_code(link_of(w, ada))
    digits = latest_digits(w)
    wrong = [code for _, code in zip(range(20), others(digits), strict=False)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(partial(tried, w.manager.self_service.step_up, session), wrong))
    assert 5 == found.count("WrongDigitsError")


def test_of_those_who_prolong_a_session_at_once_one_does(opener: Opener) -> None:
    """
    One session never becomes two, or the second would outlive the end of the first.
    """
    made = world(opener())
    with made.manager as manager:
        session = raised(made, link_of(made, made.add()))
        barrier = Barrier(4)

        def stay(_: int) -> str:
            barrier.wait(20)
            try:
                return manager.self_service.stay(session)
            except LinkError:
                return ""

        with ThreadPoolExecutor(4) as pool:
            found = [code for code in pool.map(stay, range(4)) if code]
        assert 1 == len(found)
        assert manager.open(found[0]).raised


# ---- the life of a session


def test_each_change_of_rung_has_a_code_of_its_own(w: World) -> None:
    """
    And the earlier one is dead: a session that somebody planted is never raised. (ASVS 7.2.4.)
    """
    ada, own = w.add(), w.manager.self_service
    codes = [link_of(w, ada)]
    codes.append(own.request_code(codes[-1]))
    codes.append(own.step_up(codes[-1], latest_digits(w)))
    codes.append(own.stay(codes[-1]))
    codes.append(moved(w, codes[-1], NEW))
    assert 5 == len(set(codes))
    assert [True, True, True] == [is_over(w, code) for code in codes[1:4]]
    assert (NEW,) == tuple(line.value for line in own.details(codes[-1]).lines)


def test_a_session_lives_half_an_hour(w: World) -> None:
    """
    At the last instant it opens, a microsecond later it does not; a pending one as well.
    """
    ada = w.add()
    pending = w.manager.self_service.request_code(link_of(w, ada))
    session = raised(w, link_of(w, ada))
    w.later(HALF_AN_HOUR)
    assert (False, False) == (is_over(w, pending), is_over(w, session))
    w.later(A_MOMENT)
    assert (True, True) == (is_over(w, pending), is_over(w, session))


def test_a_session_is_prolonged_to_twelve_hours_and_no_further(w: World) -> None:
    """
    However often somebody stays.
    """
    ada, own = w.add(), w.manager.self_service
    session = raised(w, link_of(w, ada))
    began = w.clock()
    while w.clock() - began < timedelta(hours=12):
        w.later(timedelta(minutes=29))
        if w.clock() - began < timedelta(hours=12):
            session = own.stay(session)
            assert w.manager.open(session).ends_at == min(w.clock() + HALF_AN_HOUR, began + timedelta(hours=12))
    w.clock.now = began + timedelta(hours=12)
    assert (EMAIL,) == tuple(line.value for line in own.details(session).lines)
    w.later(A_MOMENT)
    assert is_over(w, session)


def test_a_pending_session_cannot_be_prolonged_into_a_raised_one(w: World) -> None:
    """
    It stays what it is, and shows nothing unmasked.
    """
    ada, own = w.add(), w.manager.self_service
    session = own.stay(own.request_code(link_of(w, ada)))
    assert not w.manager.open(session).raised
    for act in (
        own.details,
        own.history,
        own.send_copy,
        partial(own.change_details, name="Eve"),
        partial(own.propose, address=EmailAddress.parse(NEW)),
        partial(own.proposed, kind=AddressKind.EMAIL),
        partial(own.prove, kind=AddressKind.EMAIL, digits="000000"),
    ):
        with pytest.raises(SessionError):
            act(session)


def test_a_link_is_no_session(w: World) -> None:
    """
    What only a session may do, no link of any kind does.
    """
    ada, own = w.add(), w.manager.self_service
    for code in (link_of(w, ada), code_in(w.ask(ada))):
        for act in (own.details, own.history, own.send_copy, own.stay, partial(own.step_up, digits="000000")):
            with pytest.raises(SessionError):
                act(code)


@pytest.mark.parametrize(
    "end",
    [
        lambda w, ada, _: w.manager.revoke_links(ada),
        lambda w, ada, _: w.manager.erase(ada),
        lambda w, ada, _: w.manager.change_details(ada, email=NEW),
        lambda w, ada, _: moved(w, raised(w, link_of(w, ada)), NEW),
        lambda w, _, session: w.manager.self_service.finish(session),
    ],
    ids=["revoked", "erased", "changed by staff", "changed by themselves", "finished"],
)
def test_a_session_ends(w: World, end: Callable[[World, Contact, str], object]) -> None:
    """
    When its links are revoked, when the contact is erased, when an address changes, whoever changes it, and when it is
    finished. (listmonk CVE-2026-34828: sessions outlived a change of credentials.)
    """
    ada = w.add()
    session = raised(w, link_of(w, ada))
    assert not is_over(w, session)
    end(w, ada, session)
    assert is_over(w, session)
    for act in (w.manager.self_service.details, w.manager.self_service.stay):
        with pytest.raises(LinkError):
            act(session)


def test_undoing_a_change_brings_no_session_back(w: World) -> None:
    """
    Whoever was signed in before the address was changed, and may have changed it, stays out.
    """
    ada = w.add()
    before = raised(w, link_of(w, ada))
    moved(w, raised(w, link_of(w, ada)), NEW)
    w.manager.undo(undo_of(w, EMAIL))
    assert is_over(w, before)
    assert LinkKind.MANAGE is w.manager.open(link_of(w, ada)).kind


def test_nobody_changes_an_address_on_to_escape_the_undoing(w: World) -> None:
    """
    Whoever reads at the first address takes back every change that followed the one they were told of, however many,
    once. What the last of them had told others undoes nothing any more.
    """
    ada = w.add()
    session = raised(w, link_of(w, ada))
    session = moved(w, session, NEW)
    first = undo_of(w, EMAIL)
    moved(w, session, NEWER)
    second = undo_of(w, NEW)

    w.manager.undo(first)
    assert (EMAIL, PHONE) == lines(w, ada)
    w.manager.undo(second)
    assert (EMAIL, PHONE) == lines(w, ada)
    w.later(timedelta(hours=1))
    moved(w, raised(w, link_of(w, ada)), "ada@fourth.example.com")
    w.manager.undo(first)
    assert (PHONE, "ada@fourth.example.com") == lines(w, ada)


def test_a_change_that_was_undone_on_the_way_is_followed(w: World) -> None:
    """
    From the first address to the second, on to a third and back to the second: the first still takes it back.
    """
    ada = w.add()
    session = moved(w, raised(w, link_of(w, ada)), NEW)
    first = undo_of(w, EMAIL)
    moved(w, session, NEWER)
    w.manager.undo(undo_of(w, NEW))
    assert (PHONE, NEW) == lines(w, ada)
    w.manager.undo(first)
    assert (EMAIL, PHONE) == lines(w, ada)


def test_what_staff_changed_since_is_not_undone(w: World) -> None:
    """
    They know whom they talked to.
    """
    ada = w.add()
    moved(w, raised(w, link_of(w, ada)), NEW)
    first = undo_of(w, EMAIL)
    w.manager.change_details(ada, email=NEWER)
    w.manager.undo(first)
    assert (PHONE, NEWER) == lines(w, ada)


# ---- undoing a stop, after a life of any kind


SCOPES = [(channel, purpose) for channel in (Channel.EMAIL, Channel.SMS) for purpose in ("offers", "news")]
Scope = tuple[Channel, str]


@attrs.frozen
class Said:
    """
    One thing that happens to a contact: a choice, a stop of so much, or staff's note of one.

    Attributes:
        scopes: What it is about, for a choice; what it stops, for the rest.
    """

    what: str
    scopes: tuple[Scope, ...]
    yes: bool = False

    @property
    def stops(self) -> frozenset[Scope]:
        return frozenset() if self.yes else frozenset(self.scopes)

    def happen(self, w: World, ada: Contact) -> None:
        match self.what:
            case "choose":
                w.manager.choose(link_of(w, ada), dict.fromkeys(self.scopes, self.yes))
            case "everything":
                w.manager.stop(link_of(w, ada))
            case "link":
                header = w.manager.unsubscribe_headers(ada, "offers")["List-Unsubscribe"]
                w.manager.stop_by_token(header.strip("<>").rpartition("/")[2])
            case "withdraw":
                w.manager.withdraw(ada, channels=[self.scopes[0][0]])
            case _:
                w.manager.record_objection(ada, purposes=[self.scopes[0][1]])


some = st.lists(st.sampled_from(SCOPES), min_size=1, unique=True).map(tuple)
choices = st.builds(Said, st.just("choose"), some, st.booleans())
everything = st.just(Said("everything", tuple(SCOPES)))
# The header of a message by email stops all marketing by email, whatever the message is about.
BY_LINK = tuple(scope for scope in SCOPES if scope[0] is Channel.EMAIL)
by_link = st.just(Said("link", BY_LINK))
withdrawn = st.sampled_from([Channel.EMAIL, Channel.SMS]).map(
    lambda channel: Said("withdraw", tuple(scope for scope in SCOPES if scope[0] is channel))
)
objected = st.sampled_from(["offers", "news"]).map(
    lambda purpose: Said("objection", tuple(scope for scope in SCOPES if scope[1] == purpose))
)
lives = st.lists(choices | everything | by_link | withdrawn | objected, max_size=4)


def allowed_now(w: World) -> frozenset[Scope]:
    return frozenset(scope for scope in SCOPES if w.allowed(*scope))


@settings(max_examples=examples(100))
@given(lives, st.booleans() | st.sampled_from(["offers", "news"]), lives, st.booleans())
def test_undoing_gives_back_what_that_stop_ended_and_nothing_else(
    before: list[Said], stop: bool | str, since: list[Said], twice: bool
) -> None:
    """
    Whatever was said before it and since: nothing that was not allowed before the stop, and nothing that was stopped
    otherwise since, for which the same link once more does not count. What nothing else touched comes back, through the
    link that stopped it.
    """
    w = world()
    ada = w.add()
    # The same link once more, with no yes between, is one stop with the first press.
    pressed: frozenset[Scope] | None = None
    between: list[Said] = []
    for said in before:
        w.later()
        if said.yes:
            pressed, between = None, []
        elif said.what != "link":
            between.append(said)
        elif pressed is None:
            pressed, between = allowed_now(w), []
        said.happen(w, ada)
    w.later()
    earlier = allowed_now(w)
    stopped = Said("everything", tuple(SCOPES)) if isinstance(stop, bool) else Said("link", BY_LINK)
    link = link_of(w, ada)
    if stopped.what == "everything":
        w.manager.stop(link)
    else:
        stopped.happen(w, ada)
    number = w.manager.standing(ada).version
    ended = earlier - allowed_now(w)
    assert ended == earlier & stopped.stops
    if stopped.what == "link" and pressed is not None:
        ended |= pressed & stopped.stops
    else:
        between = []
    for said in since:
        w.later()
        said.happen(w, ada)
    w.later()
    just_before = allowed_now(w)
    touched = frozenset[Scope]().union(*(said.scopes for said in (*between, *since)))
    for _ in range(1 + twice):
        w.manager.undo(link, stop=number)
        w.later()
    after = allowed_now(w)

    assert just_before <= after
    otherwise = (said.stops for said in (*between, *since) if said.what != "link" or stopped.what != "link")
    assert after - just_before <= ended - frozenset[Scope]().union(*otherwise)
    assert ended - touched <= after
