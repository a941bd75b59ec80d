"""
Every store does as the memory store does, whatever is asked of it and in whatever order.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from optly.contacts.addresses import Channel
from optly.errors import ConflictError
from optly.protocols import Claim, MessageState, OutboxMessage, Storage, StoredCode, Suppression
from optly.storage import FileStorage, MemoryStorage, SQLStorage
from optly.testing.storage import NOW, TICK, Contact, closed, complaint, grown, settlement

pytestmark = pytest.mark.slow

# Few names and few instants, so that they meet.
ORGANISATIONS = ("acme", "other")
SUBJECTS = [bytes([n]) * 16 for n in range(3)]
STRANGER = bytes([3]) * 16  # on nobody's record
NAMES = [bytes([n]) * 16 for n in (100, 101)]
REFERENCES = ("AAAAA2", "BBBBB2", "CCCCC2")
KEYS = [bytes([n]) * 32 for n in (200, 201)]
INSTANTS = [NOW + n * TICK for n in range(3)]

subjects, names, keys = (st.sampled_from(items) for items in (SUBJECTS, NAMES, KEYS))
instants = st.sampled_from(INSTANTS)
anybody = st.sampled_from([*SUBJECTS, STRANGER])
few: dict[str, Any] = {"max_size": 2, "unique": True}


def waiting(subject: bytes, message: bytes, due_at: datetime) -> OutboxMessage:
    return OutboxMessage(subject=subject, message=message, channel=Channel.EMAIL, due_at=due_at, body=b"body")


def outcome(work: Callable[[], Any]) -> Any:
    """
    Return what a call returned, in a form that can be compared, or how it was refused.
    """
    try:
        found = work()
    except ConflictError as error:
        return type(error)
    if isinstance(found, Sequence) and not isinstance(found, bytes):
        return sorted(found, key=repr)
    return found


class Stores(RuleBasedStateMachine):
    """
    Does the same to three stores and compares what they say.
    """

    @initialize()
    def open(self) -> None:
        self.directory = tempfile.TemporaryDirectory()
        self.stores: list[Storage] = [MemoryStorage(), *self.opened()]
        self.contacts = {s: Contact(ORGANISATIONS[n == 2], s) for n, s in enumerate(SUBJECTS)}
        self.claimed: list[OutboxMessage] = []

    def opened(self) -> list[Storage]:
        path = Path(self.directory.name)
        return [SQLStorage(f"sqlite:///{path}/optly.db"), FileStorage(path / "optly.jsonl")]

    def teardown(self) -> None:
        for storage in self.stores:
            storage.close()
        self.directory.cleanup()

    def ask(self, name: str, *args: Any) -> Any:
        """
        Call a method of every store and return what all of them said.
        """
        said = [outcome(partial(getattr(storage, name), *args)) for storage in self.stores]
        assert said[1:] == said[:1] * 2
        return said[0]

    @rule(data=st.data())
    def append_more(self, data: st.DataObject) -> None:
        """
        So that there is more to ask about.
        """
        stops = data.draw(st.lists(st.tuples(names, instants), max_size=2, unique_by=lambda pair: pair[0]))
        ada = self.contacts[data.draw(subjects)]
        before = ada.version, ada.head
        message = data.draw(names)
        commit = ada.commit(
            suppressions=[Suppression(idkey=name, scope="*/*", at=at, key_version="k1") for name, at in stops],
            queue=[
                OutboxMessage(
                    subject=ada.subject,
                    message=message,
                    channel=Channel.EMAIL,
                    due_at=data.draw(instants),
                    body=b"more",
                )
            ],
        )
        if self.ask("append", [commit]) is not None:
            ada.version, ada.head = before

    @rule(
        subject=subjects,
        other=st.none() | subjects,
        stale=st.sampled_from([False, False, False, True]),
        forget=st.sampled_from([False, False, False, True]),
        release=st.lists(names, **few),
        take=st.lists(names, max_size=1),
        stops=st.lists(st.tuples(names, st.just("*/*"), instants), max_size=3, unique_by=lambda stop: stop[0]),
        queue=st.lists(st.tuples(names, instants), max_size=2, unique_by=lambda pair: pair[0]),
        wording=st.sampled_from([b"one", b"two"]),
        settle=st.booleans(),
    )
    def append(
        self,
        subject: bytes,
        other: bytes | None,
        stale: bool,
        forget: bool,
        release: list[bytes],
        take: list[bytes],
        stops: list[tuple[bytes, str, datetime]],
        queue: list[tuple[bytes, datetime]],
        wording: bytes,
        settle: bool,
    ) -> None:
        ada = self.contacts[subject]
        eve = self.contacts[other] if other not in (None, subject) else None
        before = [(contact, contact.version, contact.head) for contact in (ada, eve) if contact]
        commit = ada.commit(
            events=1 + len(take),
            forget=forget,
            release=release,
            identifiers=[ada.identifier(name, line) for line, name in enumerate(take, 1)],
            suppressions=[Suppression(idkey=name, scope=scope, at=at, key_version="k1") for name, scope, at in stops],
            queue=[waiting(subject, name, at) for name, at in queue],
            wordings={"0" * 64: wording},
            settle=[settlement(m) for m in self.claimed[-1:] if settle and m.subject == subject],
        )
        commits = [attrs.evolve(commit, expected=max(commit.expected - 1, 0)) if stale else commit]
        if eve:
            commits.append(eve.commit(identifiers=[eve.identifier(name) for name in release]))
        if self.ask("append", commits) is not None:
            for contact, version, head in before:
                contact.version, contact.head = version, head
        for commit in commits:
            self.ask("committed", commit.subject, commit.idem)

    @rule(
        subject=subjects,
        add=st.lists(st.tuples(st.sampled_from(REFERENCES), st.integers(0, 1)), max_size=2),
        close=st.lists(st.sampled_from(REFERENCES), max_size=2),
    )
    def complain(self, subject: bytes, add: list[tuple[str, int]], close: list[str]) -> None:
        ada = self.contacts[subject]
        before = ada.version, ada.head
        commit = ada.commit(
            complaints=[complaint(ada, reference, days) for reference, days in add],
            closed=[closed(ada, name) for name in close],
        )
        if self.ask("append", [commit]) is not None:
            ada.version, ada.head = before

    @rule(
        organisation=st.sampled_from(ORGANISATIONS),
        messages=st.lists(st.builds(waiting, anybody, names, instants), max_size=3),
    )
    def enqueue(self, organisation: str, messages: list[OutboxMessage]) -> None:
        self.ask("enqueue", organisation, messages)

    @rule(pairs=st.lists(st.tuples(anybody, names), max_size=3), at=instants, until=instants, key=keys)
    def claim(self, pairs: list[tuple[bytes, bytes]], at: datetime, until: datetime, key: bytes) -> None:
        # One code in all: of two that are kept under one key in one call nobody says which one stays.
        codes = [StoredCode(key=key, subject=pairs[0][0], value=pairs[0][1], expires_at=until)] if pairs else []
        claims = [Claim(subject=s, message=m, token=key[:16], codes=codes[n:]) for n, (s, m) in enumerate(pairs)]
        self.claimed += self.ask("claim", claims, at, until)

    @rule(
        data=st.data(),
        state=st.sampled_from([state for state in MessageState if state is not MessageState.SENDING]),
        due_at=st.none() | instants,
        ended_at=st.none() | instants,
        slip=st.integers(0, 1),
    )
    def settle(
        self, data: st.DataObject, state: MessageState, due_at: datetime | None, ended_at: datetime | None, slip: int
    ) -> None:
        if self.claimed:
            message = data.draw(st.sampled_from(self.claimed))
            counted = attrs.evolve(message, attempts=message.attempts + 1, tries=message.tries + slip)
            token = b"another's".ljust(16) if slip else message.token
            settled = attrs.evolve(settlement(attrs.evolve(counted, token=token), state, due_at), ended_at=ended_at)
            self.ask("settle", [settled, settled])

    @rule(key=keys, subject=subjects, value=st.binary(max_size=4), expires_at=st.none() | instants)
    def put_code(self, key: bytes, subject: bytes, value: bytes, expires_at: datetime | None) -> None:
        self.ask("put_codes", [StoredCode(key=key, subject=subject, value=value, expires_at=expires_at)])

    @rule(key=keys, at=instants)
    def take_code(self, key: bytes, at: datetime) -> None:
        self.ask("take_code", key, at)

    @rule(subject=subjects)
    def revoke_codes(self, subject: bytes) -> None:
        self.ask("revoke_codes", subject)

    @rule(key=keys, at=instants, until=instants, by=st.integers(1, 3))
    def count(self, key: bytes, at: datetime, until: datetime, by: int) -> None:
        self.ask("count", key, at, until, by)

    @rule(at=instants)
    def expire(self, at: datetime) -> None:
        self.ask("expire", at, 1000)

    @rule(organisation=st.sampled_from(ORGANISATIONS), before=instants)
    def remove_ended(self, organisation: str, before: datetime) -> None:
        self.ask("remove_ended", organisation, before, 1000)

    @rule(organisation=st.sampled_from(ORGANISATIONS), version=st.sampled_from(["k1", "k2"]), idkey=names, at=instants)
    def add_key_version(self, organisation: str, version: str, idkey: bytes, at: datetime) -> None:
        mark = Suppression(idkey=idkey, scope=f"key/{version}", at=at, key_version=version)
        self.ask("add_key_version", organisation, version, [mark])

    @rule(organisation=st.sampled_from(ORGANISATIONS), slip=st.sampled_from([0, 0, 0, 1]))
    def seal(self, organisation: str, slip: int) -> None:
        head = self.stores[0].log_head(organisation)
        size = head.checkpoint.size if head else 0
        leaves = self.ask("unsealed", organisation, 9)
        new, tiles = grown(self.stores[0], organisation, leaves, size)
        self.ask("seal", organisation, new, leaves, tiles, size + slip)

    @rule()
    def reopen(self) -> None:
        for storage in self.stores[1:]:
            storage.close()
        self.stores[1:] = self.opened()

    @invariant()
    def say_the_same(self) -> None:
        self.ask("load", SUBJECTS)
        chains = [
            {subject: list(chain) for subject, chain in storage.chains(SUBJECTS).items()} for storage in self.stores
        ]
        assert chains[:1] * 3 == chains
        for subject in SUBJECTS:
            self.ask("entries", subject)
            self.ask("openings", [subject])
        found = [storage.find(NAMES) for storage in self.stores]
        assert [found[0].holders] * 3 == [each.holders for each in found]
        stops = [sorted(each.suppressions, key=lambda row: (row.idkey, row.scope, row.mark)) for each in found]
        assert stops[:1] * 3 == stops
        self.ask("wordings", ["0" * 64])
        for key in KEYS:
            self.ask("code", key, INSTANTS[1])
        for organisation in ORGANISATIONS:
            self.ask("due", organisation, Channel.EMAIL, INSTANTS[2], 9)
            self.ask("overdue", organisation, INSTANTS[2], 9)
            for state in MessageState:
                self.ask("messages", organisation, state, 9)
            self.ask("backlog", organisation)
            for reference in REFERENCES:
                self.ask("complaint", organisation, reference)
            for open in (True, False, None):
                self.ask("complaints", organisation, open, None, 9)
            self.ask("key_versions", organisation)
            self.ask("log_leaves", organisation, 0, 99)
            self.ask("tiles", organisation, [(0, 0)])
            self.ask("log_head", organisation)
            listed = [sorted(storage.subjects(organisation)) for storage in self.stores]
            assert listed[:1] * 3 == listed
            self.ask("sealed", organisation, SUBJECTS)


TestStores = Stores.TestCase
TestStores.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
