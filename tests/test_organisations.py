"""
Promise 15: organisations do not see each other, whatever they share. Two of them share a store, keys and ids here.

Every method, page and command is called in test_neighbours.py; here is what becomes of some of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from services import MYSQL, POSTGRESQL
from stores import STORES, made
from world import ACME, EMAIL, OTHER, PHONE, World, world

from optly import Channel, Contact, Subscriber
from optly.errors import LinkInvalidError, SessionError, UnknownComplaintError, UnknownContactError, UsageError
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.protocols import MessageState, Storage
from optly.protocols.http import Request
from optly.results import Effect
from optly.rules import Reason
from optly.self_service import Person
from optly.testing.messages import code_in

UNKNOWN = Contact("0" * 32)
COLLECTED: dict[str, Any] = {"channels": [Channel.EMAIL], "refusal_offered": True}


@pytest.fixture(params=[*STORES, POSTGRESQL, MYSQL])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Storage]:
    yield from made(request.param, tmp_path)


@pytest.fixture
def acme(storage: Storage) -> World:
    return world(storage)


@pytest.fixture
def other(storage: Storage, acme: World) -> World:
    return world(storage, organisation=OTHER, clock=acme.clock)


def test_a_campaign_reaches_no_contact_of_another_organisation(acme: World, other: World) -> None:
    """
    It is left out, with the reason.
    """
    ada = acme.add(subscriber=Subscriber.COMPANY)
    campaign = other.manager.request_consents(
        [ada], campaign="one", via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"]
    )
    assert (0, [UnknownContactError]) == (campaign.asked, [type(asked.refusal) for asked in campaign.refused])
    other.manager.deliver()
    assert [] == other.emails.outbox


def test_another_organisations_address_is_not_known(acme: World, other: World) -> None:
    """
    Neither its permission nor its stop.
    """
    acme.agreed(acme.add())
    assert other.manager.find(EMAIL) is None
    assert other.manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.NOT_ON_RECORD
    assert acme.manager.find_reference("crm-1") is None
    eve = other.manager.add_contact(reference="crm-1", email=EMAIL)
    other.manager.record_objection(eve)
    other.manager.erase(eve)
    assert acme.manager.find_reference("crm-1") is None
    assert acme.allowed()


def through(portal: Any, code: str) -> list[tuple[int, bytes]]:
    """
    Return what the pages answer to everything that can be asked with a code.
    """
    form = (("content-type", "application/x-www-form-urlencoded"),)
    asked = [("GET", f"/l/{code}"), ("POST", f"/l/{code}"), ("POST", f"/l/{code}/stop"), ("POST", f"/l/{code}/code")]
    found = [portal.handle(Request(method=method, path=path, headers=form)) for method, path in asked]
    return [(response.status, response.body.replace(code.encode(), b"CODE")) for response in found]


def test_another_organisations_link_opens_nothing(acme: World, other: World) -> None:
    """
    On the pages it is a link that nobody ever made, and through the faces too; it still opens at home.
    """
    ada = acme.add()
    question, myoptly = code_in(acme.ask(ada)), acme.manager.link(ada).rpartition("/")[2]
    session = acme.manager.self_service.request_code(myoptly)
    never = "Z" * len(myoptly)
    before = acme.manager.history(ada)
    for code in (question, myoptly, session):
        assert [status for status, _ in through(other.manager.portal(), never)] == [
            status for status, _ in through(other.manager.portal(), code)
        ]
        with pytest.raises(LinkInvalidError):
            other.manager.self_service.enter(code)
        with pytest.raises(LinkInvalidError):
            other.manager.answer(code, {(Channel.EMAIL, "offers"): True})
    other.manager.self_service.finish(session)
    assert before == acme.manager.history(ada)
    assert isinstance(acme.manager.self_service.enter(session), Person)
    assert acme.manager.open(question).items


def test_another_organisations_stop_link_stops_nothing(acme: World, other: World) -> None:
    """
    Its contact is not there, as if it had never been.
    """
    ada = acme.add()
    acme.agreed(ada)
    token = acme.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert not other.manager.stop_by_token(token).told
    assert acme.allowed()
    acme.manager.stop_by_token(token)
    assert not acme.allowed()


def test_another_organisations_message_is_not_there(acme: World, other: World) -> None:
    """
    Nobody else sends, settles or hears of it.
    """
    ada = acme.add(subscriber=Subscriber.COMPANY)
    message = acme.manager.send(ada, Channel.EMAIL, "offers", "Hello")
    assert other.manager.deliver().accepted == 0
    assert [] == other.manager.outbox_messages(MessageState.QUEUED)
    assert not other.manager.resolve_doubt(ada, message, sent=True)
    acme.manager.deliver()
    event = DeliveryEvent(
        id="1",
        backend="memory",
        channel=Channel.EMAIL,
        status=DeliveryStatus.COMPLAINED,
        contact=ada.id,
        message=message,
        to=EMAIL,
        at=acme.clock(),
    )
    assert other.manager.receive(event).effect is Effect.UNKNOWN
    assert acme.manager.check(ada, Channel.EMAIL, "offers")
    assert acme.manager.receive(event).effect is Effect.STOPPED


def test_tries_at_one_organisation_use_up_none_of_anothers(acme: World, other: World) -> None:
    """
    New links asked for at one are not counted at the other.
    """
    acme.add()
    other.add()
    for _ in range(3):
        other.manager.self_service.request_link(EMAIL)
    acme.manager.self_service.request_link(EMAIL)
    acme.manager.deliver()
    assert [EMAIL] == [message.to for message in acme.emails.outbox]


def test_another_organisations_complaint_is_not_there(acme: World, other: World) -> None:
    """
    Neither in the list nor by its reference.
    """
    recorded = acme.manager.record_complaint(acme.add(), text="Too many letters", how="telephone")
    assert [recorded.reference] == [complaint.reference for complaint in acme.manager.complaints()]
    assert [] == list(other.manager.complaints(open=None))
    with pytest.raises(UnknownComplaintError):
        other.manager.complaint(recorded.reference)


# ---- interleaved

NAMES = ("Ada", "Bob")
Step = Callable[[World], object]


def _someone(w: World, name: str) -> Contact:
    return w.manager.add_contact(name=name, email=EMAIL, phone=PHONE, subscriber=Subscriber.INDIVIDUAL)


def _yes(w: World, name: str) -> object:
    message = w.ask(_someone(w, name))
    return w.manager.answer(code_in(message), {(Channel.EMAIL, "offers"): True, (Channel.SMS, "offers"): False})


def _by_link(w: World, name: str) -> object:
    code = w.manager.link(_someone(w, name)).rpartition("/")[2]
    return w.manager.choose(code, {(Channel.EMAIL, "offers"): True})


def _ignoring_stops(step: Callable[[World, str], object], name: str) -> Step:
    def run(w: World) -> None:
        try:
            step(w, name)
        except (UsageError, SessionError):
            return
        except Exception as error:
            if type(error).__name__ != "NotPermittedError":
                raise

    return run


steps = st.lists(
    st.tuples(
        st.booleans(),
        st.builds(
            _ignoring_stops,
            st.sampled_from(
                [
                    _someone,
                    _yes,
                    _by_link,
                    lambda w, name: w.manager.withdraw(_someone(w, name)),
                    lambda w, name: w.manager.record_objection(_someone(w, name), phone=PHONE),
                    lambda w, name: w.manager.erase(_someone(w, name)),
                    lambda w, name: w.manager.leave_line(_someone(w, name), email=EMAIL, how="moved"),
                    lambda w, name: w.manager.import_objections([EMAIL], Channel.EMAIL, how="list"),
                    lambda w, name: w.manager.deliver(),
                ]
            ),
            st.sampled_from(NAMES),
        ),
    ),
    max_size=14,
)


def ends(w: World) -> list[object]:
    """
    Return what an organisation knows, without the ids that are drawn at random.
    """
    found = [*w.manager.holders(EMAIL), *w.manager.holders(PHONE, Channel.SMS)]
    histories = sorted([type(event).__name__ for event in w.manager.history(contact)] for contact in set(found))
    decisions = [
        w.manager.check(address, channel, "offers").reason
        for address, channel in ((EMAIL, Channel.EMAIL), (PHONE, Channel.SMS))
    ]
    return [histories, decisions, len(w.emails.outbox), len(w.texts.outbox)]


@pytest.mark.slow
@given(steps=steps, kind=st.sampled_from(["memory", "file", "sqlite"]))
def test_promise_15_two_organisations_end_as_each_would_alone(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[bool, Step]], kind: str
) -> None:
    """
    Whatever they do in turn, to the same people at the same addresses.
    """
    for storage in made(kind, tmp_path_factory.mktemp("shared")):
        acme = world(storage)
        both = {True: acme, False: world(storage, organisation=OTHER, clock=acme.clock)}
        first = world(organisation=ACME)
        alone = {True: first, False: world(organisation=OTHER, clock=first.clock)}
        for mine, step in steps:
            step(both[mine])
            step(alone[mine])
            acme.later(timedelta(minutes=1))
            first.later(timedelta(minutes=1))
        assert [ends(alone[mine]) for mine in (True, False)] == [ends(both[mine]) for mine in (True, False)]
        assert both[True].manager.verify()
        assert both[False].manager.verify()
