"""
Promise 17: one item that is damaged in the database holds up no other, wherever the damage is.
"""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest
from world import World, world

from optly import Channel, Contact, Subscriber
from optly._operations.leases import LEASE
from optly.errors import OptlyError
from optly.messages import Message, Outcome, Receipt
from optly.protocols import MessageState
from optly.storage import SQLStorage

# What is done to the rows of one contact. :c is its id, :w the digest of the wording it is asked in.
DAMAGE = {
    "a value that is no text": "UPDATE optly_personal SET value = x'ff' WHERE subject_id = :c",
    "a value of another type": "UPDATE optly_personal SET value = 12 WHERE subject_id = :c",
    "a value that is no address": "UPDATE optly_personal SET value = CAST('nonsense' AS BLOB) WHERE subject_id = :c",
    "no values": "DELETE FROM optly_personal WHERE subject_id = :c",
    "no wording": "DELETE FROM optly_wordings WHERE digest = :w",
    "a wording that cannot be read": "UPDATE optly_wordings SET content = x'7b' WHERE digest = :w",
    "no events": "DELETE FROM optly_events WHERE subject_id = :c",
    "no last event": "DELETE FROM optly_events WHERE subject_id = :c AND seq > 2",
    "an event that cannot be read": "UPDATE optly_events SET payload = x'7b' WHERE subject_id = :c",
    "an event of another type": "UPDATE optly_events SET payload = 12 WHERE subject_id = :c",
    "no head": "DELETE FROM optly_heads WHERE subject_id = :c",
    "a snapshot that cannot be read": "UPDATE optly_heads SET snapshot = x'7b' WHERE subject_id = :c",
    "neither snapshot nor events": "UPDATE optly_heads SET snapshot = x'7b' WHERE subject_id = :c; "
    "DELETE FROM optly_events WHERE subject_id = :c",
    "a head ahead of the events": "UPDATE optly_heads SET version = 99 WHERE subject_id = :c",
    "no identifiers": "DELETE FROM optly_identifiers WHERE subject_id = :c",
    "a suppression of an unknown scope": "INSERT INTO optly_suppressions SELECT idkey, 'pigeon/*', 0, key_version, "
    "x'', mac FROM optly_identifiers WHERE subject_id = :c",
    "a message that cannot be read": "UPDATE optly_outbox SET body = x'7b' WHERE subject_id = :c",
    "a message of another type": "UPDATE optly_outbox SET body = 12 WHERE subject_id = :c",
    "a message about an unknown question": "UPDATE optly_outbox SET body = CAST(replace(CAST(body AS TEXT), "
    '\'"question":"\', \'"question":"0\') AS BLOB) WHERE subject_id = :c',
}
damages = pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optly.db"


def spoil(w: World, path: Path, contact: Contact, damage: str) -> None:
    (question,) = w.manager.standing(contact).questions
    with sqlite3.connect(path) as connection:
        for statement in damage.split("; "):
            values = {"c": contact.subject, "w": question.choices[0].wording}
            cursor = connection.execute(statement, {k: v for k, v in values.items() if f":{k}" in statement})
            assert cursor.rowcount > 0
    connection.close()
    w.manager._app.repository.known_wordings.clear()


def ask(w: World, number: int, purpose: str = "offers") -> Contact:
    contact = w.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
    w.manager.request_consent(contact, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=[purpose])
    w.later(timedelta(seconds=1))
    return contact


def opened(path: Path) -> World:
    return world(SQLStorage(f"sqlite:///{path}"))


@damages
@pytest.mark.parametrize(
    "alone", [pytest.param(False, id="among others"), pytest.param(True, id="alone", marks=pytest.mark.slow)]
)
def test_promise_17_a_damaged_item_holds_up_no_message(path: Path, damage: str, alone: bool) -> None:
    """
    Neither those before it nor those after it, now or at any later time.
    """
    w = opened(path)
    with w.manager:
        good = [] if alone else [ask(w, 1)]
        bad = ask(w, 2, "news")
        good += [] if alone else [ask(w, 3)]
        spoil(w, path, bad, damage)
        w.manager.deliver()
        for _ in range(3):
            w.later(timedelta(hours=2))
            good.append(ask(w, 10 + len(good)))
            w.manager.deliver()
        assert {contact.id for contact in good} <= {message.contact for message in w.emails.outbox}
        assert len({message.id for message in w.emails.outbox}) == len(w.emails.outbox)
        assert MessageState.SENDING not in w.manager.backlog()


@damages
def test_promise_17_a_damaged_item_that_a_dead_worker_held_holds_up_no_message(path: Path, damage: str) -> None:
    """
    It is put aside, and what can be looked into is.
    """

    class DiedError(BaseException):
        pass

    def die(message: Message) -> Receipt:
        raise DiedError

    w = opened(path)
    with w.manager:
        bad = ask(w, 2, "news")
        w.emails.answer = die
        with pytest.raises(DiedError):
            w.manager.deliver()
        w.emails.answer = lambda _message: Receipt(outcome=Outcome.ACCEPTED)
        spoil(w, path, bad, damage)
        good = ask(w, 1)
        w.later(LEASE)
        w.manager.deliver()
        assert [good.id] == [message.contact for message in w.emails.outbox]
        assert MessageState.SENDING not in w.manager.backlog()
        for state in (MessageState.IN_DOUBT, MessageState.REFUSED):
            w.manager.outbox_messages(state)
        w.manager.reconcile()


@damages
def test_promise_17_a_damaged_item_holds_up_no_stop(path: Path, damage: str) -> None:
    """
    Of anybody else, at any door.
    """
    w = opened(path)
    with w.manager:
        good, bad = ask(w, 1), ask(w, 2, "news")
        spoil(w, path, bad, damage)
        with suppress(OptlyError, LookupError, ValueError):
            w.manager.record_objection(bad)
        w.manager.record_objection(good)
        assert not w.manager.check(good, Channel.EMAIL, "offers")
