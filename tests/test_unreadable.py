"""
A contact whose record cannot be read in full is one refusal: everyone else goes on, and they can be stopped and erased.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from world import EMAIL, EMAIL_OFFERS, KEYS, World, world

from optly import Act, Actor, Channel, Contact, MessageKind, NotPermittedError, Solicited, Subscriber, Wording
from optly._operations.row_macs import RowMacs, of_head
from optly.errors import SerializationError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage
from optly.portal import Request
from optly.protocols import MessageState
from optly.record.ledger import Entry
from optly.rules import Reason
from optly.testing.messages import code_in, stop_token_in

BOB = "bob@example.com"


def _damage(w: World, contact: Contact, tag: str, change: Callable[[dict[str, Any]], object] | None) -> int:
    """
    Make the first event of a type unreadable, as an older version may have written it, and the snapshot of another
    version. Return its number.
    """
    stored = w.storage._state.contacts[contact.subject]  # type: ignore[attr-defined]
    place = next(place for place, entry in enumerate(stored.entries) if f'"{tag}"'.encode() in entry.payload)
    record = json.loads(stored.entries[place].payload)
    if change is not None:
        change(record)
    payload = json.dumps(record).encode() if change is not None else b"{"
    stored.entries[place] = attrs.evolve(stored.entries[place], payload=payload)
    stored.snapshot = b""
    stored.mac = RowMacs(KEYS).sign_head(contact.subject, of_head(stored.head()))
    return place + 1


DAMAGES = {
    "a value of another type": ("contact-added/1", lambda record: record["data"].update(subscriber="limited company")),
    "an event of a later version": ("consent-given/1", lambda record: record.update(type="consent-given/7")),
    "a flag that is none": ("line-added/1", lambda record: record["data"].update(line="1")),
    "what is no JSON": ("contact-added/1", None),
    "an event without a type": ("consent-requested/1", lambda record: record.pop("type")),
}


@attrs.frozen
class Damaged:
    """
    Ada agreed and cannot be read; Bob agreed and can.

    Attributes:
        code, token: Those of the links in the message that asked her.
        page: The code of the link to her page.
        seq, whole: The event that cannot be read: its number, and what it was.
    """

    w: World
    ada: Contact
    bob: Contact
    code: str
    token: str
    page: str
    seq: int
    whole: Entry


@pytest.fixture(params=DAMAGES, name="damaged")
def _damaged(request: pytest.FixtureRequest) -> Damaged:
    w = world()
    bob = w.add(email=BOB, name="Bob", phone=None)
    w.manager.record_consent(
        bob, channels=["email"], purposes=["offers"], wording=Wording(text="May Acme Ltd email you about offers?"),
        act=Act.TICKED_BOX, how="form", at=w.clock(), actor=Actor.PERSON,
    )  # fmt: skip
    ada = w.add()
    message = w.ask(ada)
    w.manager.answer(code_in(message), {EMAIL_OFFERS: True})
    assert w.allowed()
    page = w.manager.link(ada).rpartition("/")[2]
    entries = list(w.storage.entries(ada.subject))
    seq = _damage(w, ada, *DAMAGES[request.param])
    return Damaged(w, ada, bob, code_in(message), stop_token_in(message), page, seq, entries[seq - 1])


def _check(damaged: Damaged) -> None:
    w, ada, seq = damaged.w, damaged.ada, damaged.seq
    for decision in (
        w.manager.check(EMAIL, "email", "offers"),
        w.manager.check(ada, "email", "offers"),
        w.manager.check(EMAIL, "email", "offers", kind=MessageKind.SERVICE, promotional=False),
        w.manager.check(EMAIL, "email", "offers", at=w.clock()),
        w.manager.check(ada, "email", "offers", at=w.clock()),
    ):
        assert (decision.allowed, decision.reason, decision.evidence) == (False, Reason.UNREADABLE, (seq,))
    screened = list(w.manager.screen([BOB, EMAIL, BOB, "nobody@example.com"], "email", "offers"))
    assert [decision.allowed for decision in screened] == [True, False, True, False]
    assert w.manager.check(BOB, "email", "offers")


def test_it_is_one_refusal_and_everyone_else_goes_on(damaged: Damaged) -> None:
    """
    Whatever cannot be read, and however the gate is asked.
    """
    w, ada = damaged.w, damaged.ada
    _check(damaged)
    for refused in (
        lambda: w.manager.send(ada, "email", "offers", "Hello"),
        lambda: w.manager.send(ada, "email", "offers", "Hello", email=EMAIL),
        lambda: w.manager.request_consent(
            ada, via="email", channels=["email"], purposes=["news"], basis=Solicited(how="form", at=w.clock())
        ),
        lambda: w.manager.request_consent(
            ada,
            via="email",
            channels=["email"],
            purposes=["news"],
            basis=Solicited(how="form", at=w.clock()),
            email=EMAIL,
        ),
        lambda: w.manager.record_communication(ada, "email", "offers"),
    ):
        # The line itself may be in what cannot be read.
        with pytest.raises(NotPermittedError) as caught:
            refused()
        assert caught.value.decision.reason is Reason.UNREADABLE
        assert caught.value.decision.evidence == (damaged.seq,)
    assert w.manager.send(damaged.bob, "email", "offers", "Hello")


def test_it_is_named_where_it_is_read(damaged: Damaged) -> None:
    """
    By the contact and the event, and by no value.
    """
    w, ada, seq = damaged.w, damaged.ada, damaged.seq
    for read in (w.manager.standing, w.manager.history, w.manager.evidence, w.manager.link):
        with pytest.raises(SerializationError, match=rf"event {seq} of contact {ada.id}"):
            read(ada)
    with pytest.raises(SerializationError, match=f"event {seq}"):
        w.manager.change_details(ada, name="Ada Byron")
    assert not w.manager.verify()


def _post(damaged: Damaged, path: str) -> None:
    request = Request(method="POST", path=path, headers=(("content-type", "application/x-www-form-urlencoded"),))
    assert damaged.w.manager.portal().handle(request).status in (200, 303)


STOPS: dict[str, Callable[[Damaged], object]] = {
    "staff": lambda it: it.w.manager.record_objection(it.ada),
    "a withdrawal": lambda it: it.w.manager.withdraw(it.ada, channels=["email"]),
    "a link": lambda it: it.w.manager.stop(it.code),
    "a stop link": lambda it: it.w.manager.stop_by_token(it.token),
    "the button of a mail program": lambda it: _post(it, f"/u/{it.token}"),
    "the button of the page": lambda it: _post(it, f"/l/{it.page}/stop"),
    "a list": lambda it: it.w.manager.import_objections([EMAIL], "email", how="old list"),
    "a reply": lambda it: it.w.manager.receive(
        InboundMessage(id="1", backend="m", channel=Channel.EMAIL, sender=EMAIL, text="STOP", at=it.w.clock())
    ),
    "a spam report about a message": lambda it: it.w.manager.receive(
        DeliveryEvent(
            id="1",
            backend="m",
            channel=Channel.EMAIL,
            status=DeliveryStatus.COMPLAINED,
            at=it.w.clock(),
            contact=it.ada.id,
            message=it.w.emails.outbox[0].id,
        )
    ),
    "a spam report": lambda it: it.w.manager.receive(
        DeliveryEvent(
            id="1", backend="m", channel=Channel.EMAIL, status=DeliveryStatus.COMPLAINED, to=EMAIL, at=it.w.clock()
        )
    ),
}


@pytest.mark.parametrize("way", STOPS)
def test_it_can_be_stopped_and_erased(damaged: Damaged, way: str) -> None:
    """
    In every way, and a later import of the address is still refused.
    """
    w, ada = damaged.w, damaged.ada
    before = len(w.storage.entries(ada.subject))
    STOPS[way](damaged)
    added = b"".join(entry.payload for entry in w.storage.entries(ada.subject)[before:])
    assert b"objection-raised/1" in added or b"consent-withdrawn/1" in added
    _check(damaged)
    w.manager.erase(ada)
    assert not w.storage.openings([ada.subject]).get(ada.subject)
    again = w.manager.add_contact(email=EMAIL, name="Somebody")
    assert again != ada
    assert not w.manager.check(again, "email", "offers")
    assert not w.manager.check(EMAIL, "email", "offers")


def test_its_messages_are_put_aside(damaged: Damaged) -> None:
    """
    And the others are sent, also where everything else in the batch is of contacts like that.
    """
    w = damaged.w
    w.manager.send(damaged.bob, "email", "offers", "Hello Bob")
    carol = w.add(email="carol@example.com", name="Carol", phone=None, subscriber=Subscriber.COMPANY)
    w.manager.send(carol, "email", "offers", "Hello Carol")
    _damage(w, carol, "contact-added/1", None)
    before = len(w.emails.outbox)
    w.manager.deliver()
    assert [message.to for message in w.emails.outbox[before:]] == [BOB]
    w.later()
    w.manager.deliver()
    assert len(w.emails.outbox) == before + 1
    assert MessageState.IN_DOUBT not in w.manager.backlog()


def test_someone_who_shares_its_line_waits() -> None:
    """
    A stop may be in what cannot be read, and it would stop the line for both of them.
    """
    w = world()
    ada, ben = (
        w.add(subscriber=Subscriber.COMPANY),
        w.manager.add_contact(name="Ben", email=EMAIL, subscriber=Subscriber.COMPANY),
    )
    assert w.manager.check(ben, "email", "offers")
    _damage(w, ada, "contact-added/1", None)
    assert w.manager.check(ben, "email", "offers").reason is Reason.UNREADABLE
    assert w.manager.check(EMAIL, "email", "offers").reason is Reason.UNREADABLE


def test_it_counts_again_once_it_can_be_read(damaged: Damaged) -> None:
    """
    By a later version, say: with the stop that was recorded in the meantime.
    """
    w, ada = damaged.w, damaged.ada
    w.manager.withdraw(ada, purposes=["news"])
    stored = w.storage._state.contacts[ada.subject]  # type: ignore[attr-defined]
    stored.entries[damaged.seq - 1] = damaged.whole
    assert w.allowed()
    assert [stop.purpose for stop in w.manager.standing(ada).stops] == ["news"]
