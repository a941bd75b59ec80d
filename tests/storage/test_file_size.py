"""
How large the file of a file store becomes: what never makes it grow, when it is compacted, and what a full one refuses.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import suppress
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs
import pytest
from world import EMAIL, EMAIL_OFFERS, PHONE, SMS_OFFERS, world

from optly import Act, Channel, Subscriber, Wording, errors
from optly.messages import InboundMessage
from optly.protocols.http import Request
from optly.storage import FileStorage, _journal, file
from optly.testing.browser import Browser
from optly.testing.clock import FrozenClock
from optly.testing.messages import stop_token_in
from optly.testing.storage import (
    NOW,
    TICK,
    Contact,
    at_once,
    claim_of,
    code,
    key,
    problems,
    settlement,
    stop,
    values_of,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optly.jsonl"


@pytest.fixture
def storage(path: Path) -> Iterator[FileStorage]:
    storage = FileStorage(path)
    yield storage
    storage.close()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Compact files that are small, too, and do not wait for the disk.
    """
    monkeypatch.setattr(file, "_COMPACTED_FROM", 4_000)
    monkeypatch.setattr(_journal, "_sync", lambda _: None)


def state_in(path: Path) -> Any:
    storage = FileStorage(path)
    storage.close()
    return storage._state


def compacted(storage: FileStorage) -> int:
    """
    Return how many bytes the records of a store have when nothing is written twice.
    """
    return sum(len(record) + 100 for record in storage._rows())


# ---- what never makes it grow


def test_counting_writes_nothing(storage: FileStorage, path: Path) -> None:
    """
    Not with each call: once, when the store is closed, and not at all if nothing was counted.
    """
    storage.append([Contact("acme").commit()])
    before = path.read_bytes()
    names = [key() for _ in range(20)]
    for name in names:
        for _ in range(20):
            storage.count(name, NOW, NOW + timedelta(hours=1))
    assert storage.expire(NOW + timedelta(minutes=1), 100) == 0
    assert before == path.read_bytes()
    storage.close()
    written = path.read_bytes()
    assert len(written) - len(before) < 20 * 100 + 200
    again = FileStorage(path)
    assert written == path.read_bytes()
    again.close()
    assert written == path.read_bytes()
    again = FileStorage(path)
    assert [21] * 20 == [again.count(name, NOW, NOW + timedelta(hours=1)) for name in names]
    again.close()


def test_looking_writes_nothing(storage: FileStorage, path: Path) -> None:
    """
    Opening pages, also by links that open nothing, and asking the gate, the standing or the history.
    """
    w = world(storage)
    ada = w.manager.add_contact(email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
    question = w.ask(ada, channels=[Channel.EMAIL])
    links = [w.manager.link(ada), *(word for word in question.text.split() if word.startswith("https://"))]
    portal = w.manager.portal()
    before = path.read_bytes()
    for number in range(30):
        for link in [*links, f"https://acme.example.com/my/{number:032}"]:
            for method in ("GET", "HEAD"):
                assert portal.handle(Request(method=method, path="/" + link.partition("/my/")[2])).status < 500
        w.manager.check(EMAIL, *EMAIL_OFFERS)
        w.manager.check(ada, *EMAIL_OFFERS)
        list(w.manager.screen([EMAIL], *EMAIL_OFFERS))
        w.manager.standing(ada)
        w.manager.history(ada)
        w.manager.stats()
    assert before == path.read_bytes()


@pytest.mark.usefixtures("small")
def test_sessions_come_and_go(storage: FileStorage, path: Path) -> None:
    """
    However many there were, the file has little more than those that are open.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    largest = 0
    for number in range(300):
        now = NOW + number * TICK
        passing = code(ada.subject, expires_at=now)
        storage.put_codes([passing])
        if number % 2:
            storage.take_code(passing.key, now)
        storage.expire(now + TICK, 10)
        largest = max(largest, path.stat().st_size)
    assert largest < 5_000
    assert not storage._state.codes


# ---- compaction


@pytest.mark.usefixtures("small")
def test_a_file_that_has_doubled_is_compacted(storage: FileStorage, path: Path) -> None:
    """
    So that it never has more than twice the bytes that the last compaction left, and nothing is lost by it.
    """
    contacts = [Contact("acme") for _ in range(5)]
    sizes = [path.stat().st_size]
    for turn in range(40):
        contact = contacts[turn % 5]
        message = contact.message(body=b"x" * 200)
        storage.append([contact.commit(queue=[message])])
        [claimed] = storage.claim([claim_of(message, code(contact.subject, expires_at=NOW))], NOW, NOW)
        storage.settle([attrs.evolve(settlement(claimed), ended_at=NOW)])
        storage.remove_ended("acme", NOW + TICK, 10)
        storage.expire(NOW + TICK, 10)
        sizes.append(path.stat().st_size)
    assert any(after < before for before, after in pairwise(sizes))
    assert sizes[-1] < 2 * compacted(storage) + 2_000
    state = deepcopy(storage._state)
    storage.close()
    again = FileStorage(path)
    assert state == again._state
    assert all(problems(again, "acme", contact.subject) == () for contact in contacts)
    again.close()


def test_a_small_file_is_left_as_it_is(storage: FileStorage, path: Path) -> None:
    """
    Below a megabyte there is nothing to gain.
    """
    name = code(key())
    for _ in range(50):
        storage.put_codes([name])
    assert path.read_bytes().count(b"\n") == 51


@pytest.mark.usefixtures("small")
def test_a_file_is_compacted_as_it_is_opened(storage: FileStorage, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    If it is due then: a process that adds little and ends does its share. One that was compacted is only read.
    """
    with monkeypatch.context() as patch:
        patch.setattr(file, "_COMPACTED_FROM", 10**9)
        name = code(key())
        for _ in range(50):
            storage.put_codes([name])
        storage.append([Contact("acme").commit(events=30)])
        storage.close()
    large = path.stat().st_size
    state_in(path)
    assert path.stat().st_size < large / 1.2
    before = path.read_bytes()
    state_in(path)
    assert before == path.read_bytes()


@pytest.mark.usefixtures("small")
def test_threads_go_on_while_the_file_is_compacted(storage: FileStorage, path: Path) -> None:
    """
    What they are waiting for is in the new file.
    """
    contacts = [Contact("acme") for _ in range(6)]

    def work(number: int) -> None:
        for _ in range(10):
            storage.append([contacts[number].commit()])

    at_once(6, work)
    state = deepcopy(storage._state)
    storage.close()
    assert state == state_in(path)
    assert [10] * 6 == [len(state.contacts[contact.subject].entries) for contact in contacts]


@pytest.mark.usefixtures("small")
def test_without_room_for_a_new_file_the_old_one_goes_on(
    storage: FileStorage, path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    A compaction is no reason to stop; an erasure that cannot be made is. Nothing of the new file stays.
    """

    def no_room(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    name, ada = code(key()), Contact("acme")
    storage.append([ada.commit()])
    with monkeypatch.context() as patch:
        patch.setattr(_journal.Journal, "_write_new", no_room)
        for _ in range(60):
            storage.put_codes([name])
        assert "not compacted" in caplog.text
        assert len(caplog.records) < 10
        assert ["optly.jsonl", "optly.jsonl.lock", "optly.jsonl.mark"] == sorted(os.listdir(path.parent))
        with pytest.raises(errors.StorageFailedError):
            storage.append([ada.commit(forget=True)])
    storage.close()
    again = FileStorage(path)
    assert again.code(name.key, NOW) == name
    assert "line_1" in values_of(again, ada.subject)
    again.close()


# ---- a full store


def filled(path: Path, max_size: int = 6_000) -> FileStorage:
    """
    Return a store to which nobody more can be added.
    """
    storage = FileStorage(path, max_size=max_size)
    fill(storage)
    return storage


def fill(storage: FileStorage) -> None:
    with suppress(errors.StorageFullError):
        while True:
            storage.append([Contact("acme").commit()])


def test_a_full_store_refuses_what_adds_to_it(path: Path) -> None:
    """
    People, messages and links. Nothing was changed, the file has no byte too many, and what is there is still read.
    """
    waiting = Contact("acme").message()
    storage = FileStorage(path)
    storage.enqueue("acme", [waiting])
    storage.close()
    storage = filled(path)
    state, size = deepcopy(storage._state), path.stat().st_size
    assert 6_000 - 2_000 < size <= 6_000
    new = [code(key(), value=b"x" * 2_000)]
    messages = [Contact("acme").message(body=b"x" * 2_000)]
    for refused in (
        lambda: storage.append([Contact("acme").commit(events=3)]),
        lambda: storage.put_codes(new),
        lambda: storage.enqueue("acme", messages),
        lambda: storage.claim([claim_of(waiting, *new)], NOW, NOW),
    ):
        with pytest.raises(errors.StorageFullError, match="6,000 bytes"):
            refused()
    assert state == storage._state
    assert size == path.stat().st_size
    assert len(list(storage.subjects("acme"))) == len(state.contacts)
    storage.close()
    roomy = FileStorage(path, max_size=60_000)
    assert state == roomy._state
    roomy.append([Contact("acme").commit(events=3)])
    roomy.close()


def test_a_full_store_writes_what_stops_erases_or_reports(path: Path) -> None:
    """
    Beyond its size, and what is to be written together with it; and what makes it smaller.
    """
    storage = FileStorage(path)
    ada, eve = Contact("acme"), Contact("acme")
    message, idkey, link = ada.message(), key(), code(ada.subject)
    storage.append([ada.commit(queue=[message], identifiers=[ada.identifier(idkey)]), eve.commit()])
    storage.put_codes([link])
    [sending] = storage.claim([claim_of(message)], NOW, NOW)
    storage.close()
    storage = filled(path)
    storage.append([ada.commit(events=2, needed=True), eve.commit()])
    assert path.stat().st_size > 6_000
    storage.settle([settlement(sending)])
    storage.add_key_version("acme", "k2", [stop(key(), scope="key/k2")])
    assert storage.take_code(link.key, NOW) == link
    assert not storage.revoke_codes(ada.subject)
    storage.append([ada.commit(release=[idkey])])
    state = deepcopy(storage._state)
    storage.close()
    assert state == state_in(path)


@pytest.mark.usefixtures("small")
def test_what_is_removed_makes_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A full store is compacted before it refuses, as soon as it has lines that are not needed any more.
    """
    monkeypatch.setattr(file, "_SHARE", float("inf"))
    monkeypatch.setattr(file, "_COMPACTED_FROM", 10**9)
    storage = FileStorage(path, max_size=6_000)
    codes = [code(key(), expires_at=NOW) for _ in range(20)]
    storage.put_codes(codes)
    fill(storage)
    assert storage.expire(NOW + TICK, 100) == 20
    storage.append([Contact("acme").commit()])
    assert path.stat().st_size < 6_000
    storage.close()


def test_a_full_store_is_not_compacted_for_each_refusal(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It would spend its time on nothing else.
    """
    storage = filled(path)
    monkeypatch.setattr(storage, "_compact", lambda *_: pytest.fail("compacted again"))
    storage._pause_until = float("inf")
    for _ in range(3):
        storage.append([Contact("acme").commit(needed=True)])
        with pytest.raises(errors.StorageFullError):
            storage.append([Contact("acme").commit()])
    storage.close()


@pytest.mark.parametrize("size", [0, -1])
def test_a_store_has_some_size(path: Path, size: int) -> None:
    """
    And says so before it makes a file.
    """
    with pytest.raises(errors.ConfigurationError):
        FileStorage(path, max_size=size)
    assert not path.exists()


def test_how_full_it_is_is_measured(path: Path) -> None:
    """
    The size is that of the file.
    """
    storage = filled(path)
    measured = storage.measure("acme", (NOW, NOW))
    assert (path.stat().st_size, 6_000) == (measured.size, measured.max_size)
    storage.close()


def test_a_store_that_is_nearly_full_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """
    Once, at four fifths of its size, if a compaction does not help.
    """
    monkeypatch.setattr(file, "_SHARE", float("inf"))

    def said() -> int:
        return caplog.text.count("nearly full")

    storage = FileStorage(path, max_size=20_000)
    needless = code(key())
    while path.stat().st_size < 15_600:
        storage.put_codes([needless])
    for _ in range(5):
        storage.put_codes([needless])
    assert (0, True) == (said(), path.stat().st_size < 2_000)
    while path.stat().st_size <= 14_000:
        storage.append([Contact("acme").commit()])
    assert said() == 0
    fill(storage)
    storage.append([Contact("acme").commit(needed=True)])
    assert said() == 1
    storage.close()


# ---- a full store behind the manager


@pytest.mark.usefixtures("small")
def test_a_worker_makes_room(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    What has served its time is removed also while nothing can be sent, and then what waits is sent.
    """
    monkeypatch.setattr(file, "_SHARE", float("inf"))
    clock = FrozenClock()
    storage = FileStorage(path)
    w = world(storage, clock=clock)
    ada = w.add()
    w.agreed(ada)
    w.later(timedelta(hours=1))
    w.manager.send(ada, *EMAIL_OFFERS, "Ten per cent off")
    before = compacted(storage)
    storage.put_codes([code(key(), value=b"x" * 2_000, expires_at=clock() - TICK) for _ in range(20)])
    storage.close()
    storage = FileStorage(path, max_size=before + 10_000)
    w = world(storage, clock=clock)
    with pytest.raises(errors.StorageFullError):
        w.manager.deliver()
    w.manager.deliver()
    assert "Ten per cent off" in w.emails.outbox[-1].text
    storage.close()


@pytest.mark.usefixtures("small")
def test_a_full_store_takes_every_stop(path: Path) -> None:
    """
    By one click, through the pages, as a text, by the staff and for a domain; and erasures and complaints. It can be
    started, verified and worked on. What would permit or send anything is refused, and as soon as there is room again
    everything goes on.
    """
    clock = FrozenClock()
    before = FileStorage(path)
    w = world(before, clock=clock)
    emails = [f"p{number}@example.com" for number in range(6)]
    people = [w.add(email=email, phone=PHONE if number == 2 else None) for number, email in enumerate(emails)]
    wording = Wording(text="May Acme Ltd send you offers by email and text message?")
    for person in people:
        channels = [Channel.EMAIL, Channel.SMS] if person is people[2] else [Channel.EMAIL]
        w.manager.record_consent(
            person, channels=channels, purposes=["offers"], wording=wording, act=Act.TICKED_BOX, how="form", at=clock()
        )
    w.later()
    w.manager.send(people[0], *EMAIL_OFFERS, "Ten per cent off")
    w.manager.send(people[1], *EMAIL_OFFERS, "Ten per cent off")
    w.manager.deliver()
    token, link = stop_token_in(w.emails.outbox[0]), w.manager.link(people[1])
    w.manager.send(people[5], *EMAIL_OFFERS, "Ten per cent off")
    w.later()
    before.close()

    full = FileStorage(path, max_size=1_000)
    w = world(full, clock=clock)
    for refused in (
        w.manager.deliver,
        lambda: w.manager.link(people[2], Channel.SMS),
        lambda: w.manager.add_contact(email="new@example.com", subscriber=Subscriber.INDIVIDUAL),
        lambda: w.manager.send(people[3], *EMAIL_OFFERS, "Ten per cent off"),
    ):
        with pytest.raises(errors.StorageFullError):
            refused()
    assert w.manager.check(emails[4], *EMAIL_OFFERS)
    assert not w.emails.outbox

    w.manager.stop_by_token(token)
    browser = Browser.over_handle(w.manager.portal().handle, "https://acme.example.com/my")
    browser.press(browser.get(link).form("Stop everything"))
    w.manager.receive(
        InboundMessage(id="1", backend="memory", channel=Channel.SMS, sender=PHONE, text="STOP", at=clock())
    )
    w.manager.withdraw(people[3], channels=[Channel.EMAIL])
    assert w.manager.import_objections(["new@example.com"], Channel.EMAIL, how="letter").recorded == 1
    w.manager.record_domain_objection("acme.example", purposes=["offers"], how="letter")
    w.manager.record_complaint(people[4], text="Too loud.", how="by telephone", send=False)
    assert [w.manager.check(email, *EMAIL_OFFERS).allowed for email in emails[:2]] == [False, False]
    assert not w.manager.check(PHONE, *SMS_OFFERS)
    assert not w.manager.check(emails[3], *EMAIL_OFFERS)
    w.manager.erase(people[4])
    assert w.manager.verify()
    stats = w.manager.stats().store
    full.close()

    roomy = FileStorage(path)
    w = world(roomy, clock=clock)
    w.manager.deliver()
    assert "Ten per cent off" in [message.text.partition("\n")[0] for message in w.emails.outbox]
    assert stats.max_size is not None
    roomy.close()
