"""
The chain and the commitments.
"""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st
from world import world

from optly import Channel
from optly.canonical import canonical, parse, timestamp
from optly.contacts.addresses import AddressKind
from optly.contacts.parties import Subscriber
from optly.errors import DamagedError, SerializationError
from optly.record.events import Actor, ContactAdded, Event, Grade, LineAdded, MessageAccepted
from optly.record.ledger import (
    GENESIS,
    SALT,
    Entry,
    Finding,
    Opening,
    extend,
    link,
    start,
    verify_chain,
)
from optly.storage import SQLStorage

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LATER = NOW + timedelta(microseconds=1)
SUBJECT = bytes(range(16))


def events(count: int) -> list[Event]:
    common: dict[str, Any] = {"occurred_at": NOW, "recorded_at": NOW, "actor": Actor.STAFF, "grade": Grade.D}
    added = ContactAdded(**common, subscriber=Subscriber.INDIVIDUAL, language="en", personal={"name_1": "Ada"})
    return [
        added,
        *(
            LineAdded(**common, line=n, kind=AddressKind.EMAIL, personal={f"line_{n}": f"ada{n}@example.com"})
            for n in range(1, count)
        ),
    ]


def chain(count: int) -> tuple[tuple[Entry, ...], dict[str, Opening]]:
    salts = (bytes([n]) * SALT for n in range(256))
    return extend(organisation="acme", subject=SUBJECT, version=0, head=GENESIS, events=events(count), salts=salts)


def findings(entries: list[Entry], openings: dict[str, Opening], head: tuple[int, bytes] | None = None) -> set[Finding]:
    problems = verify_chain("acme", SUBJECT.hex(), entries, openings=openings, head=head)
    return {problem.finding for problem in problems}


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True), inner),
    max_leaves=12,
)


@given(json_values)
def test_canonical_bytes_are_those_of_rfc_8785(value: Any) -> None:
    """
    An implementation of RFC 8785 that is not ours writes the same bytes, and they read back as what was written.
    """
    assert rfc8785.dumps(value) == canonical(value)
    assert value == parse(canonical(value))


@pytest.mark.parametrize(
    "value", [1.5, 2**53, -(2**53), {"Name": 1}, {"": 1}, {1: 1}, "\ud800", b"", {"a": [object()]}]
)
def test_what_is_outside_the_profile_is_refused(value: object) -> None:
    """
    Better no record than one that two libraries write differently.
    """
    with pytest.raises(SerializationError):
        canonical(value)


@pytest.mark.parametrize("payload", [b'{"b":1,"a":1}', b'{"a": 1}', b"{", b"\xff", b'{"a":1.0}'])
def test_bytes_that_are_not_canonical_are_refused(payload: bytes) -> None:
    """
    A record has one form.
    """
    with pytest.raises(SerializationError):
        parse(payload)


def test_a_chain_gives_its_events_back() -> None:
    """
    With the openings the events are those that were written, without them the same without personal values.
    """
    entries, openings = chain(4)
    assert events(4) == [entry.event(openings) for entry in entries]
    assert [attrs.evolve(event, personal={}) for event in events(4)] == [entry.event() for entry in entries]


def test_what_is_as_usual_takes_no_bytes() -> None:
    """
    Neither what the chain says already nor what has its default is stored, and it comes back.
    """
    common: dict[str, Any] = {"occurred_at": NOW, "actor": Actor.PROVIDER, "grade": Grade.B}
    usual = MessageAccepted(**common, recorded_at=NOW, message="5" * 32, line=1)
    rare = attrs.evolve(usual, recorded_at=LATER, actor=Actor.SYSTEM, grade=Grade.C, status="2.0.0")
    entries, _ = extend(organisation="acme", subject=SUBJECT, version=0, head=GENESIS, events=[usual, rare], salts=())
    assert [usual, rare] == [entry.event() for entry in entries]
    said = {"line": 1, "message": "5" * 32}
    at, later = timestamp(NOW), timestamp(LATER)
    assert parse(entries[0].payload) == {"seq": 1, "type": "message-accepted/1", "occurred_at": at, "data": said}
    assert parse(entries[1].payload) == {
        "seq": 2,
        "type": "message-accepted/1",
        "occurred_at": at,
        "data": {**said, "status": "2.0.0"},
        "recorded_at": later,
        "actor": "system",
        "grade": "C",
    }


def test_a_chain_is_its_contacts_and_nobody_elses() -> None:
    """
    No event names them, and the whole chain fits no other contact and no other organisation.
    """
    entries, openings = chain(2)
    for organisation, contact in (("acme", bytes(16).hex()), ("beta", SUBJECT.hex())):
        assert verify_chain(organisation, contact, entries, openings=openings)


def test_a_whole_chain_verifies_with_and_without_personal_values() -> None:
    """
    Erasing what opens a commitment breaks nothing.
    """
    entries, openings = chain(5)
    head = (5, entries[-1].hash)
    assert findings(list(entries), openings, head) == set()
    assert findings(list(entries), {}, head) == set()


def test_the_record_holds_no_personal_value() -> None:
    """
    Neither the name nor an address is in the bytes that stay.
    """
    entries, _ = chain(5)
    stored = b"".join(entry.payload for entry in entries)
    assert b"Ada" not in stored
    assert b"example.com" not in stored


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    """
    In the payload or in the hash, wherever it is.
    """
    entries, openings = chain(4)
    place = data.draw(st.integers(0, 3))
    field = data.draw(st.sampled_from(["payload", "hash"]))
    value = bytearray(getattr(entries[place], field))
    at = data.draw(st.integers(0, len(value) - 1))
    value[at] ^= data.draw(st.integers(1, 255))
    changed = list(entries)
    damage: dict[str, Any] = {field: bytes(value)}
    changed[place] = attrs.evolve(entries[place], **damage)
    problems = verify_chain("acme", SUBJECT.hex(), changed, openings=openings, head=(4, entries[-1].hash))
    assert place + 1 in {problem.seq for problem in problems}


def test_removed_reordered_and_cut_off_events_are_named() -> None:
    """
    Each attack is called by its name and its place.
    """
    entries, openings = chain(5)
    head = (5, entries[-1].hash)
    whole = list(entries)
    assert Finding.REMOVED in findings(whole[:2] + whole[3:], openings, head)
    assert Finding.REORDERED in findings([whole[0], whole[2], whole[1], *whole[3:]], openings, head)
    assert Finding.TRUNCATED in findings(whole[:3], {}, head)


def test_a_chain_rewritten_throughout_is_found_by_its_head() -> None:
    """
    Hashes that were made again are consistent with one another, but not with the head somebody else knows.
    """
    entries, _ = chain(3)
    forged = []
    previous = start("acme", SUBJECT.hex())
    for entry in entries:
        payload = entry.payload.replace(b'"individual"', b'"company"')
        previous = link(previous, payload)
        forged.append(Entry(seq=entry.seq, payload=payload, hash=previous))
    assert findings(forged, {}) == set()
    assert findings(forged, {}, (3, entries[-1].hash)) == {Finding.ALTERED}


def test_an_altered_personal_value_is_found() -> None:
    """
    The commitment holds whoever keeps the value to what was recorded.
    """
    entries, openings = chain(2)
    openings["line_1"] = attrs.evolve(openings["line_1"], value="eve@example.com")
    assert findings(list(entries), openings) == {Finding.VALUE_ALTERED}


def test_an_event_cannot_have_a_naive_time() -> None:
    """
    A time without a zone is refused where the event is made.
    """
    with pytest.raises(ValueError, match="time zone"):
        attrs.evolve(events(1)[0], occurred_at=NOW.replace(tzinfo=None))


def test_times_are_kept_in_utc_to_the_microsecond() -> None:
    """
    A local time and its UTC twin give one record.
    """
    from datetime import timezone

    local = (NOW + timedelta(microseconds=1)).astimezone(timezone(timedelta(hours=5, minutes=30)))
    event = attrs.evolve(events(1)[0], occurred_at=local)
    (entry,), _ = extend(
        organisation="acme", subject=SUBJECT, version=0, head=GENESIS, events=[event], salts=[bytes(32)]
    )
    assert parse(entry.payload)["occurred_at"] == "2026-11-24T12:00:00.000001Z"


def test_a_head_beyond_its_events_is_damage(tmp_path: Path) -> None:
    """
    What is gone may be a stop: nothing is decided by what is left, and no other writer is blamed for it.
    """
    w = world(SQLStorage(f"sqlite:///{tmp_path}/optly.db"))
    ada = w.add()
    w.manager.record_objection(ada)
    with sqlite3.connect(tmp_path / "optly.db") as other:
        other.execute("DELETE FROM optly_events WHERE seq = (SELECT MAX(seq) FROM optly_events)")
    other.close()
    for call in (
        lambda: w.manager.check(ada, Channel.EMAIL, "offers"),
        lambda: w.manager.record_objection(ada),
        lambda: w.manager.standing(ada),
    ):
        with pytest.raises(DamagedError, match=ada.id):
            call()
    assert Finding.TRUNCATED in {problem.finding for problem in w.manager.verify().problems}
