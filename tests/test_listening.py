"""
Whoever listens hears what came onto the record, after it is there and without anything personal.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

import pytest
from world import EMAIL, EMAIL_OFFERS, SMS_OFFERS, awaited, world

from optly import Channel, Contact
from optly.backends import MemoryBackend
from optly.errors import ConfigurationError, ConflictError, StorageUnavailableError
from optly.protocols.http import Request
from optly.record.events import (
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    ContactAdded,
    Event,
    LineAdded,
    MessageAccepted,
)
from optly.storage import MemoryStorage
from optly.testing.messages import code_in


class Ear:
    """
    Keeps what it hears.
    """

    def __init__(self) -> None:
        self.heard: list[tuple[Contact, Event]] = []

    def __call__(self, contact: Contact, events: tuple[Event, ...]) -> None:
        self.heard.extend((contact, event) for event in events)

    @property
    def kinds(self) -> list[type[Event]]:
        return [type(event) for _, event in self.heard]


class LostAnswer(MemoryStorage):
    """
    A store whose connection breaks once, after it wrote or before.
    """

    lose: str = ""

    def append(self, commits: Any) -> None:
        lose, self.lose = self.lose, ""
        if lose == "before":
            raise StorageUnavailableError("the connection broke")
        super().append(commits)
        if lose == "after":
            raise StorageUnavailableError("the connection broke")


def test_everything_that_is_recorded_is_heard_once_and_in_order() -> None:
    """
    From being put on record to the stop, with who it is about.
    """
    ear = Ear()
    here = world(on_events=ear)
    ada = here.add()
    here.manager.answer(code_in(here.ask(ada)), {EMAIL_OFFERS: True, SMS_OFFERS: False})
    here.manager.withdraw(ada)
    here.manager.withdraw(ada)
    assert [ada] * len(ear.heard) == [contact for contact, _ in ear.heard]
    assert [
        ContactAdded,
        LineAdded,
        LineAdded,
        ConsentRequested,
        MessageAccepted,
        ConsentGiven,
        ConsentRefused,
        ConsentWithdrawn,
    ] == ear.kinds
    assert [type(event) for event in here.manager.history(ada)] == ear.kinds


def test_nothing_personal_is_heard() -> None:
    """
    The personal values stay where they can be erased.
    """
    ear = Ear()
    here = world(on_events=ear)
    ada = here.add()
    assert any(event.personal for event in here.manager.history(ada))
    assert not any(event.personal for _, event in ear.heard)


def test_it_is_on_record_when_it_is_heard() -> None:
    """
    Whoever is told may look it up, and may record more.
    """
    found = []

    def listen(contact: Contact, events: tuple[Event, ...]) -> None:
        found.append(len(here.manager.history(contact)))
        if isinstance(events[0], ContactAdded):
            here.manager.record_objection(contact)

    here = world(on_events=listen)
    here.add(phone=None)
    assert [2, 3] == found


def test_whoever_fails_to_listen_stops_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """
    It is logged, by the id of the contact, and the call has done what it says.
    """

    def listen(_contact: Contact, _events: tuple[Event, ...]) -> None:
        raise RuntimeError("out of order")

    here = world(on_events=listen)
    with caplog.at_level(logging.ERROR, "optly"):
        ada = here.add()
    assert here.manager.find(EMAIL) == ada
    assert [ada.id] == [record.contact for record in caplog.records]  # type: ignore[attr-defined]
    assert EMAIL not in caplog.text


@pytest.mark.parametrize(("lose", "heard"), [("before", []), ("after", [ContactAdded, LineAdded])])
def test_what_was_not_written_is_not_heard(lose: str, heard: list[type[Event]]) -> None:
    """
    A connection that broke leaves one question: was it written? What is heard is what was.
    """
    ear, storage = Ear(), LostAnswer()
    here = world(storage, on_events=ear)
    storage.lose = lose
    if lose == "before":
        with pytest.raises(StorageUnavailableError):
            here.add(phone=None)
    else:
        here.add(phone=None)
    assert heard == ear.kinds


def test_a_refusal_and_a_lost_race_are_not_heard() -> None:
    """
    A refused command recorded nothing, and what lost a race is heard as it was decided in the end.
    """
    ear = Ear()

    class Raced(MemoryStorage):
        races = 0

        def append(self, commits: Any) -> None:
            if self.races:
                self.races -= 1
                raise ConflictError("somebody was faster")
            super().append(commits)

    storage = Raced()
    here = world(storage, on_events=ear)
    ada = here.add(phone=None)
    ear.heard.clear()
    storage.races = 3
    here.manager.withdraw(ada)
    assert [ConsentWithdrawn] == ear.kinds


def test_the_awaited_manager_calls_in_a_thread_and_so_do_its_pages() -> None:
    """
    The loop is not held up, and a stop through the pages is heard as well.
    """
    threads: set[threading.Thread] = set()
    ear = Ear()

    def listen(contact: Contact, events: tuple[Event, ...]) -> None:
        threads.add(threading.current_thread())
        ear(contact, events)

    async def job() -> None:
        sender = MemoryBackend(channel=Channel.EMAIL)
        async with awaited(sender, on_events=listen) as manager:
            ada = await manager.add_contact(email=EMAIL)
            link = (await manager.unsubscribe_headers(ada))["List-Unsubscribe"].strip("<>")
            await asyncio.to_thread(
                manager.portal().handle,
                Request(
                    method="POST",
                    path=link.removeprefix("https://acme.example.com/my"),
                    headers=(("content-type", "application/x-www-form-urlencoded"),),
                    body=b"List-Unsubscribe=One-Click",
                ),
            )

    asyncio.run(job())
    assert [ContactAdded, LineAdded] == ear.kinds[:2]
    assert len(ear.kinds) == 3
    assert threading.current_thread() not in threads


def test_a_coroutine_function_is_refused() -> None:
    """
    Nobody would await it.
    """

    async def listen(_contact: Contact, _events: tuple[Event, ...]) -> None:
        raise AssertionError

    with pytest.raises(ConfigurationError, match="plain function"):
        world(on_events=listen)
