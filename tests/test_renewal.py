"""
Renewing the MACs of rows: after a rotation, and of a record from before there were any.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest
from world import EMAIL, EMAIL_OFFERS, KEYS, PHONE, World, world

from optly import Contact, Keys
from optly.errors import DamagedError, OptlyError
from optly.protocols import Renewal, Storage, with_mac
from optly.record.ledger import Finding
from optly.rules import Reason
from optly.storage import FileStorage, MemoryStorage, SQLStorage

NEW = "the key that comes after it"
ROTATED = Keys(current=NEW, previous=[KEYS.current])
TABLES = ["heads", "identifiers", "references", "suppressions", "codes", "outbox", "complaints"]


@pytest.fixture(params=["memory", "file", "sqlite"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "memory":
        return MemoryStorage()
    if request.param == "file":
        return FileStorage(tmp_path / "optly.jsonl")
    return SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}")


def filled(storage: Storage) -> tuple[World, Contact]:
    """
    Return a world with a row of every kind, and a contact who agreed.
    """
    w = world(storage)
    ada = w.add(reference="customer 1")
    w.agreed(ada)
    w.manager.record_complaint(ada, text="You call too often.", how="by telephone", reply_to=EMAIL)
    w.manager.send(ada, *EMAIL_OFFERS, "Everything must go.")
    w.manager.erase(w.manager.add_contact(email="bob@example.com"))
    w.later()
    assert w.manager.verify()
    return w, ada


def renewed(storage: Storage, **given: bool) -> list[Renewal]:
    """
    Renew the rows under the new key, and return the changes that were made.
    """
    made: list[Renewal] = []
    listening: Any = Listening(storage, made)
    w = world(listening, keys=ROTATED)
    result = w.manager.renew_rows(**given)
    assert (len(made), 0) == (result.renewed, result.forged)
    return made


class Listening:
    """
    A store that keeps which MACs were exchanged, and fails at one of them.
    """

    def __init__(self, storage: Storage, made: list[Renewal], fails_at: str = "") -> None:
        self.storage, self.made, self.fails_at = storage, made, fails_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.storage, name)

    def renew(self, renewals: Sequence[Renewal]) -> int:
        if any(row.table == self.fails_at for row in renewals):
            raise KeyboardInterrupt
        self.made += renewals
        return self.storage.renew(renewals)


def test_a_rotation_renews_every_row_once(storage: Storage) -> None:
    """
    One of every kind, with the key that is current; nothing else changes, and a second time there is nothing to do.
    """
    filled(storage)
    made = renewed(storage)
    assert set(TABLES) == {row.table for row in made}
    assert {bytes.fromhex(ROTATED.all[0].version)} == {row.new[:4] for row in made}
    assert [] == renewed(storage)
    w = world(storage, keys=ROTATED)
    w.later()
    assert w.manager.verify()
    assert w.allowed()
    w.manager.close()


@pytest.mark.parametrize("at", TABLES)
def test_what_was_broken_off_goes_on(at: str) -> None:
    """
    Wherever that was; what was renewed before is not renewed again, and all of it counts in between.
    """
    storage = MemoryStorage()
    filled(storage)
    before: list[Renewal] = []
    failing: Any = Listening(storage, before, fails_at=at)
    broken = world(failing, keys=ROTATED)
    with pytest.raises(KeyboardInterrupt):
        broken.manager.renew_rows()
    w = world(storage, keys=ROTATED)
    w.later()
    assert w.allowed()
    assert w.manager.verify()
    after = renewed(storage)
    assert at in {row.table for row in after}
    assert {(row.table, row.key) for row in before}.isdisjoint((row.table, row.key) for row in after)
    assert w.manager.verify()


def test_rows_that_were_altered_are_not_renewed() -> None:
    """
    Nobody has what they put into the store vouched for by a rotation.
    """
    storage = MemoryStorage()
    _, ada = filled(storage)
    state = storage._state
    contact = state.contacts[ada.subject]
    contact.snapshot = contact.snapshot.replace(b'"en"', b'"cy"')
    for idkey, rows in list(state.suppressions.items()):
        state.suppressions[idkey] = {
            scope: attrs.evolve(row, at=row.at.replace(year=2000)) for scope, row in rows.items()
        }
    w = world(storage, keys=ROTATED)
    for _ in range(2):
        assert w.manager.renew_rows().forged >= 2
    found = {problem.finding for problem in w.manager.verify().problems}
    assert {Finding.FORGED, Finding.MISSING} <= found
    assert not w.allowed()


# ---- a record from before


def unsign(storage: MemoryStorage) -> None:
    """
    Take every MAC away: such is a record from before there were any.
    """
    state = storage._state
    for contact in state.contacts.values():
        contact.mac, contact.named = b"", b""
    tables: list[Any] = [*state.holders.values(), *state.suppressions.values()]
    for table in (*tables, state.references, state.codes, state.complaints):
        table.update({key: with_mac(row, b"") for key, row in table.items()})
    for name, queued in state.outbox.items():
        state.outbox[name] = attrs.evolve(queued, message=attrs.evolve(queued.message, mac=b""))


def test_rows_without_a_mac_count_only_once_they_were_taken_over() -> None:
    """
    Until then they permit nothing; they can be stopped, and what was suppressed is. No rotation takes them over.
    """
    storage = MemoryStorage()
    w, ada = filled(storage)
    carl = w.manager.add_contact(email="carl@example.com")
    unsign(storage)
    w = world(storage)
    w.later()
    w.manager.renew_rows()
    assert w.manager.check(EMAIL, *EMAIL_OFFERS).reason is Reason.UNREADABLE
    assert w.manager.check("bob@example.com", *EMAIL_OFFERS).reason is Reason.SUPPRESSED
    with pytest.raises(DamagedError):
        w.manager.find_reference("customer 1")
    w.manager.record_objection(carl)
    assert not w.manager.verify()

    assert w.manager.renew_rows(unsigned=True).forged == 0
    assert w.manager.verify()
    assert w.manager.find_reference("customer 1") == ada
    assert w.allowed()
    assert not w.manager.check("carl@example.com", *EMAIL_OFFERS)


@pytest.mark.parametrize("altered", ["the read model", "an event", "what was sealed"])
def test_a_chain_that_was_altered_is_not_taken_over(altered: str) -> None:
    """
    The read model has to follow from the events, the events from one another, and all of it from what was sealed.
    """
    storage = MemoryStorage()
    w, ada = filled(storage)
    w.manager.withdraw(ada)
    w.manager.seal()
    unsign(storage)
    contact = storage._state.contacts[ada.subject]
    if altered == "the read model":
        contact.snapshot = contact.snapshot.replace(b'"stops":[{', b'"stops":[],"unsound_":[{')
    elif altered == "an event":
        contact.entries[1] = attrs.evolve(contact.entries[1], payload=contact.entries[2].payload)
    else:
        contact.entries.pop()
        contact.hash, contact.snapshot = contact.entries[-1].hash, b""
    w = world(storage)
    w.later()
    assert w.manager.renew_rows(unsigned=True).forged == 1
    try:
        assert not w.allowed()
        assert not w.manager.check(PHONE, "sms", "offers")
    except OptlyError:
        pass
    assert not w.manager.verify()
