"""
Verifying in batches: it finds what one contact at a time finds, in few reads and in little memory.
"""

from __future__ import annotations

import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples
from world import EMAIL_OFFERS, World, world

from optly import Subscriber
from optly._operations import verification
from optly.record.ledger import Entry, Finding, Verification
from optly.storage import MemoryStorage, SQLStorage
from optly.testing.messages import code_in

PEOPLE = 7

# What is done to one contact; :c is its id, :o that of another.
DAMAGE = (
    "UPDATE optly_personal SET value = x'ff' WHERE subject_id = :c",
    "UPDATE optly_personal SET value = CAST('eve@example.com' AS BLOB) WHERE subject_id = :c",
    "DELETE FROM optly_personal WHERE subject_id = :c",
    "UPDATE optly_personal SET subject_id = :o, slot = 'more' WHERE subject_id = :c AND slot = 'line_1'",
    "DELETE FROM optly_events WHERE subject_id = :c",
    "DELETE FROM optly_events WHERE subject_id = :c AND seq > 2",
    "DELETE FROM optly_events WHERE subject_id = :c AND seq = 2",
    "UPDATE optly_events SET payload = x'7b' WHERE subject_id = :c AND seq = 2",
    "UPDATE optly_events SET payload = 12 WHERE subject_id = :c AND seq = 1",
    "UPDATE optly_events SET hash = zeroblob(32) WHERE subject_id = :c AND seq = 2",
    "UPDATE optly_events SET seq = seq + 100 WHERE subject_id = :c AND seq = 3",
    "UPDATE OR REPLACE optly_events SET subject_id = :o WHERE subject_id = :c AND seq = 3",
    "UPDATE optly_heads SET version = 99 WHERE subject_id = :c",
    "UPDATE optly_heads SET snapshot = x'7b' WHERE subject_id = :c",
    "UPDATE optly_heads SET dirty = 0 WHERE subject_id = :c",
    "UPDATE optly_heads SET snapshot = (SELECT snapshot FROM optly_heads WHERE subject_id = :o) WHERE subject_id = :c",
    "DELETE FROM optly_heads WHERE subject_id = :c",
    "DELETE FROM optly_identifiers WHERE subject_id = :c",
    "UPDATE optly_identifiers SET mac = zeroblob(20) WHERE subject_id = :c",
    "DELETE FROM optly_references WHERE subject_id = :c",
    "UPDATE optly_references SET subject_id = :o WHERE subject_id = :c",
    "DELETE FROM optly_leaves WHERE subject_id = :c",
    "UPDATE optly_leaves SET version = version + 5 WHERE subject_id = :c",
    "UPDATE optly_leaves SET head = zeroblob(32) WHERE subject_id = :c",
    "DELETE FROM optly_complaints WHERE subject_id = :c",
    "UPDATE optly_complaints SET is_open = 1 - is_open WHERE subject_id = :c",
    "DELETE FROM optly_suppressions WHERE :c = :c",
    "DELETE FROM optly_wordings WHERE :c = :c",
)


def filled(w: World, people: int = PEOPLE) -> list[bytes]:
    """
    Record people who share a house number, complain, and are erased, and seal most of it.
    """
    contacts = []
    for number in range(people):
        contact = w.add(email=f"p{number}@example.com", phone=f"+4479111234{number:02}", reference=f"customer {number}")
        contacts.append(contact)
        if number % 3 == 0:
            w.manager.answer(code_in(w.ask(contact)), {EMAIL_OFFERS: True})
        if number % 3 == 1:
            w.manager.record_complaint(contact, text="Too many emails", how="by telephone")
        w.later()
    w.manager.erase(contacts[2])
    w.manager.seal()
    w.manager.add_contact(email="last@example.com", subscriber=Subscriber.COMPANY)
    return [contact.subject for contact in contacts]


def verified(file: Path, contacts: int, events: int) -> Verification:
    """
    Verify the record in a file, in batches of so many.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verification, "_CONTACTS", contacts)
        patch.setattr(verification, "_EVENTS", events)
        with world(SQLStorage(f"sqlite:///{file}")).manager as manager:
            return manager.verify()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[bytes]]:
    file = tmp_path_factory.mktemp("whole") / "optly.db"
    w = world(SQLStorage(f"sqlite:///{file}"))
    subjects = filled(w)
    w.manager.close()
    return file, subjects


damages = st.lists(st.tuples(st.sampled_from(DAMAGE), st.permutations(range(PEOPLE))), min_size=1, max_size=4)


@given(done=damages, contacts=st.integers(2, 9), events=st.integers(1, 60))
@settings(max_examples=examples(25))
def test_batches_find_what_one_contact_at_a_time_finds(
    whole: tuple[Path, list[bytes]], done: Sequence[tuple[str, Sequence[int]]], contacts: int, events: int
) -> None:
    """
    Word for word and in the same order, whatever was damaged and wherever the batches end.
    """
    file, subjects = whole
    damaged = file.with_name("damaged.db")
    shutil.copy(file, damaged)
    database = sqlite3.connect(damaged)
    with database:
        for statement, (one, other, *_) in done:
            values = {"c": subjects[one], "o": subjects[other]}
            try:
                database.execute(statement, {name: v for name, v in values.items() if f":{name}" in statement})
            except sqlite3.IntegrityError:
                continue  # there is one already, where an earlier damage put it
    database.close()
    assert verified(damaged, 1, 1) == verified(damaged, contacts, events)


@pytest.mark.parametrize("statement", DAMAGE)
def test_every_damage_is_found_in_a_batch(whole: tuple[Path, list[bytes]], tmp_path: Path, statement: str) -> None:
    """
    Of everyone, in one batch: so the property is about problems that there are.
    """
    file, subjects = whole
    damaged = tmp_path / "damaged.db"
    shutil.copy(file, damaged)
    database = sqlite3.connect(damaged)
    with database:
        for subject, other in zip(subjects[:2], subjects[3:5], strict=True):
            values = {"c": subject, "o": other}
            database.execute(statement, {name: v for name, v in values.items() if f":{name}" in statement})
    database.close()
    assert verified(file, 100, 1000)
    if "dirty" not in statement:  # what is sealed is not to be sealed again
        assert not verified(damaged, 100, 1000)


class Watched(MemoryStorage):
    """
    A store that counts how often it is read, and how much at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reads: Counter[str] = Counter()
        self.most = 0

    def chains(self, subjects: Sequence[bytes]) -> Mapping[bytes, Sequence[Entry]]:
        found = super().chains(subjects)
        self.most = max(self.most, sum(map(len, found.values())))
        return found


def counted(reads: Counter[str], name: str, read: Callable[..., Any], *args: Any) -> Any:
    reads[name] += 1
    return read(*args)


def watched(people: int) -> tuple[World, Watched]:
    storage = Watched()
    for name in ("find", "load", "entries", "openings", "sealed", "wordings", "referred", "subjects"):
        setattr(storage, name, partial(counted, storage.reads, name, getattr(storage, name)))
    w = world(storage)
    for number in range(people):
        contact = w.add(email=f"p{number}@example.com", phone=f"+4479111234{number:02}")
        w.ask(contact)
        w.later()
    w.manager.seal()
    storage.reads.clear()
    storage.most = 0
    return w, storage


def test_round_trips_do_not_grow_with_the_contacts() -> None:
    """
    As long as they fit in one batch.
    """
    reads = []
    for people in (2, 40):
        w, storage = watched(people)
        assert w.manager.verify()
        reads.append(storage.reads)
    assert reads[0] == reads[1]


def test_a_batch_has_a_limited_number_of_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    However many there are; and a contact with more is a batch of its own.
    """
    w, storage = watched(12)
    each = w.manager.verify().events // 12
    monkeypatch.setattr(verification, "_EVENTS", 3 * each)
    storage.most = 0
    assert w.manager.verify()
    assert storage.most == 3 * each
    monkeypatch.setattr(verification, "_EVENTS", 1)
    storage.most = 0
    assert w.manager.verify()
    assert storage.most == each


def test_progress_is_reported_up_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With the number of contacts, from the first batch on.
    """
    w, _ = watched(5)
    monkeypatch.setattr(verification, "_CONTACTS", 2)
    reported: list[tuple[int, int]] = []
    assert w.manager.verify(report=lambda done, count: reported.append((done, count)))
    assert [(2, 5), (4, 5), (5, 5)] == reported


@pytest.mark.slow
def test_other_processes_find_the_same(
    whole: tuple[Path, list[bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    In the same order, and every contact once.
    """
    monkeypatch.setattr(verification, "_CONTACTS", 2)
    file, subjects = whole
    damaged = tmp_path / "damaged.db"
    shutil.copy(file, damaged)
    database = sqlite3.connect(damaged)
    with database:
        for subject, statement in zip(subjects, (DAMAGE[1], DAMAGE[5], DAMAGE[9], DAMAGE[8]), strict=False):
            database.execute(statement, {"c": subject})
    database.close()
    with world(SQLStorage(f"sqlite:///{damaged}")).manager as manager:
        found = manager.verify(processes=2)
        assert manager.verify() == found
    assert {Finding.VALUE_ALTERED, Finding.TRUNCATED, Finding.UNREADABLE} <= {each.finding for each in found.problems}
