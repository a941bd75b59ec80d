"""
The contract of a store, as a suite of tests that any store's author runs.

::

    class TestMyStorage(DurableStorageContract):
        @pytest.fixture
        def opener(self, tmp_path):
            return partial(MyStorage, tmp_path / "record")

A store that ends with its process takes `StorageContract` and gives a `storage` fixture instead. Every test uses names
of its own, so all of them may share one database.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import islice
from multiprocessing import get_context
from threading import Barrier
from typing import Any, ClassVar, TypeAlias, TypeVar

import attrs
import pytest

from optly.contacts.addresses import AddressKind, Channel
from optly.errors import AddressTakenError, ClaimLostError, ConflictError, StorageLockedError
from optly.protocols import (
    Claim,
    Commit,
    Head,
    Identifier,
    MessageState,
    OutboxMessage,
    Settlement,
    Storage,
    StoredCode,
    Suppression,
)
from optly.record.events import Actor, Grade, LineAdded
from optly.record.ledger import GENESIS, Checkpoint, Entry, Leaf, Opening, edge_root, extend, grow, verify_chain

T = TypeVar("T")
Opener: TypeAlias = "Callable[[], Storage]"

NOW = datetime(2026, 11, 24, 12, 0, 0, 123_457, tzinfo=UTC)
TICK = timedelta(microseconds=1)
BYTES = bytes(range(256)) * 2 + b"\0\0\xff"


@attrs.define
class Contact:
    """
    Makes the commits of one contact, each on top of the one before.
    """

    organisation: str
    subject: bytes = attrs.field(factory=lambda: os.urandom(16))
    version: int = 0
    head: bytes = GENESIS

    def commit(self, *, events: int = 1, **parts: Any) -> Commit:
        """
        Return a commit of so many events, each of which adds a line, and go on from there.
        """
        expected = self.version
        entries, openings = extend(
            organisation=self.organisation,
            subject=self.subject,
            version=self.version,
            head=self.head,
            events=[
                LineAdded(
                    occurred_at=NOW,
                    recorded_at=NOW,
                    actor=Actor.STAFF,
                    grade=Grade.D,
                    line=line,
                    kind=AddressKind.EMAIL,
                    personal={f"line_{line}": f"ada{line}@example.com"},
                )
                for line in range(expected + 1, expected + 1 + events)
            ],
            salts=iter(lambda: os.urandom(32), b""),
        )
        self.version, self.head = entries[-1].seq, entries[-1].hash
        return Commit(
            organisation=self.organisation,
            subject=self.subject,
            expected=expected,
            head=self.head,
            entries=entries,
            snapshot=f"standing {self.version}".encode(),
            openings=openings,
            idem=os.urandom(16),
            **parts,
        )

    @property
    def leaf(self) -> Leaf:
        return Leaf(subject=self.subject, version=self.version, head=self.head)

    def identifier(self, idkey: bytes, line: int = 1) -> Identifier:
        return Identifier(idkey=idkey, subject=self.subject, line=line, key_version="k1")

    def message(self, due_at: datetime = NOW, body: bytes = b"body", channel: Channel = Channel.EMAIL) -> OutboxMessage:
        return OutboxMessage(subject=self.subject, message=os.urandom(16), channel=channel, due_at=due_at, body=body)


def key() -> bytes:
    return os.urandom(16)


def values_of(storage: Storage, subject: bytes) -> Mapping[str, Opening]:
    return storage.openings([subject]).get(subject, {})


def code(subject: bytes, *, value: bytes = b"target", expires_at: datetime | None = None) -> StoredCode:
    return StoredCode(key=os.urandom(32), subject=subject, value=value, expires_at=expires_at)


def stop(idkey: bytes, at: datetime = NOW, scope: str = "email/offers") -> Suppression:
    return Suppression(idkey=idkey, scope=scope, at=at, key_version="k1")


def claim_of(message: OutboxMessage, *codes: StoredCode) -> Claim:
    return Claim(subject=message.subject, message=message.message, codes=codes)


def settlement(
    message: OutboxMessage, state: MessageState = MessageState.ACCEPTED, due_at: datetime | None = None
) -> Settlement:
    return Settlement(
        subject=message.subject, message=message.message, attempts=message.attempts, state=state, due_at=due_at
    )


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """
    Run *work* in so many threads, all of which start together, and return what each returned.
    """
    barrier = Barrier(count)

    def run(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def append_again(storage: Storage, organisation: str, subject: bytes) -> None:
    """
    Append to a contact that others append to as well, deciding again for as long as another is faster.
    """
    while True:
        head = storage.load([subject]).get(subject)
        contact = Contact(organisation, subject, *((head.version, head.hash) if head else (0, GENESIS)))
        try:
            storage.append([contact.commit()])
        except ConflictError:
            continue
        return


def append_many(opener: Opener, organisation: str, subject: bytes, count: int) -> None:
    """
    Do so many times, with a handle of one's own.
    """
    storage = opener()
    try:
        for _ in range(count):
            append_again(storage, organisation, subject)
    finally:
        storage.close()


def try_to_open(opener: Opener) -> bool:
    """
    Tell whether the store can be opened from here.
    """
    try:
        opener().close()
    except StorageLockedError:
        return False
    return True


def problems(storage: Storage, organisation: str, subject: bytes) -> tuple[Any, ...]:
    """
    Return what verification finds wrong with a contact, its head included.
    """
    head = storage.load([subject])[subject]
    return verify_chain(
        organisation,
        subject.hex(),
        storage.entries(subject),
        openings=values_of(storage, subject),
        head=(head.version, head.hash),
    )


class StorageContract:
    """
    What every store has to do. Subclass it and give it a `storage` fixture.
    """

    @pytest.fixture
    def storage(self) -> Storage | Iterator[Storage]:
        """
        Give a store that is ready, and close it afterwards.
        """
        raise NotImplementedError("give the contract a storage fixture")

    @pytest.fixture
    def organisation(self) -> str:
        return f"test-{os.urandom(8).hex()}"

    @pytest.fixture
    def ada(self, organisation: str) -> Contact:
        return Contact(organisation)

    @pytest.fixture
    def eve(self, organisation: str) -> Contact:
        return Contact(organisation)

    # ---- contacts

    def test_it_is_a_store(self, storage: Storage) -> None:
        """
        It has every method of the protocol.
        """
        assert isinstance(storage, Storage)

    def test_what_was_appended_is_there(self, storage: Storage, ada: Contact) -> None:
        """
        Entries, openings and the head come back as they were given, byte for byte.
        """
        first = attrs.evolve(ada.commit(events=2), snapshot=BYTES)
        second = ada.commit()
        storage.append([first])
        storage.append([second])
        assert [*first.entries, *second.entries] == list(storage.entries(ada.subject))
        assert {**first.openings, **second.openings} == values_of(storage, ada.subject)
        head = Head(version=3, hash=second.head, snapshot=second.snapshot, snapshot_version=3)
        assert {ada.subject: head} == storage.load([ada.subject])
        assert problems(storage, ada.organisation, ada.subject) == ()

    def test_what_is_not_on_record_is_not_in_the_result(self, storage: Storage, organisation: str) -> None:
        """
        Nothing is made up, and nothing is an error.
        """
        assert storage.load([key()]) == {}
        assert list(storage.entries(key())) == []
        assert values_of(storage, key()) == {}
        assert storage.wordings([os.urandom(32).hex()]) == {}
        assert list(storage.subjects(organisation)) == []
        assert not storage.committed(key(), key())
        found = storage.find([key()])
        assert (found.identifiers, list(found.suppressions)) == ({}, [])

    def test_nothing_is_found_for_nothing(self, storage: Storage) -> None:
        """
        An empty list is not a special case for the caller.
        """
        found = storage.find([])
        assert (found.identifiers, list(found.suppressions)) == ({}, [])
        assert storage.load([]) == {}
        assert storage.wordings([]) == {}
        assert list(storage.claim([], NOW, NOW)) == []
        storage.append([])
        storage.enqueue("acme", [])
        storage.settle([])
        storage.put_codes([])

    def test_personal_values_are_read_for_many_contacts(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Each contact's own; who has none is left out.
        """
        first, second = ada.commit(events=2), eve.commit()
        storage.append([first, second])
        wanted = {ada.subject: first.openings, eve.subject: second.openings}
        assert wanted == storage.openings([eve.subject, key(), ada.subject])

    def test_bytes_are_kept_as_they_are(self, storage: Storage, ada: Contact) -> None:
        """
        NULs, bytes that are no text and blanks at the end, in values as well as in keys; accents and case in texts.
        """
        idkey, other = b"\0\xffA" + os.urandom(12) + b" ", b"\0\xffa" + os.urandom(12) + b"\0"
        digest = os.urandom(32).hex()
        message = ada.message(body=BYTES)
        personal = {"name_1": Opening(salt=BYTES[:32], value="Åda  O’Neill\0 😀 "), "Name_1": Opening(BYTES[32:64], "")}
        commit = attrs.evolve(
            ada.commit(), openings=personal, entries=[Entry(seq=1, payload=BYTES, hash=BYTES[:32])], snapshot=BYTES
        )
        storage.append(
            [
                attrs.evolve(
                    commit,
                    identifiers=[ada.identifier(idkey), ada.identifier(other, 2)],
                    wordings={digest: BYTES},
                    queue=[message],
                )
            ]
        )
        kept = code(ada.subject, value=BYTES)
        storage.put_codes([kept])
        assert personal == values_of(storage, ada.subject)
        assert commit.entries == list(storage.entries(ada.subject))
        assert storage.load([ada.subject])[ada.subject].snapshot == BYTES
        assert {idkey: 1, other: 2} == {
            name: row.line for name, row in storage.find([idkey, other]).identifiers.items()
        }
        assert {digest: BYTES} == storage.wordings([digest])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 1))
        assert storage.code(kept.key, NOW) == BYTES

    def test_megabytes_are_kept(self, storage: Storage, ada: Contact) -> None:
        """
        A message may carry a picture.
        """
        message = ada.message(body=os.urandom(2_000_000))
        storage.append([ada.commit(queue=[message])])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 1))

    def test_many_are_found_at_once(self, storage: Storage, organisation: str) -> None:
        """
        Thousands of names in one call, most of them unknown, some given twice.
        """
        contacts = [Contact(organisation) for _ in range(30)]
        idkeys = {key(): contact for contact in contacts}
        storage.append(
            [
                contact.commit(identifiers=[contact.identifier(idkey)], suppressions=[stop(idkey)])
                for idkey, contact in idkeys.items()
            ]
        )
        asked = [*islice(idkeys, 10), *(key() for _ in range(3000)), *idkeys]
        found = storage.find(asked)
        assert {idkey: contact.subject for idkey, contact in idkeys.items()} == {
            idkey: row.subject for idkey, row in found.identifiers.items()
        }
        assert sorted(idkeys) == sorted(row.idkey for row in found.suppressions)
        subjects = [contact.subject for contact in contacts]
        assert set(subjects) == set(storage.load([*subjects, *asked]))

    def test_a_change_decided_on_another_version_is_refused(self, storage: Storage, ada: Contact) -> None:
        """
        Older, newer, or new where there is a contact already; nothing of it is written.
        """
        storage.append([ada.commit()])
        storage.append([ada.commit()])
        before = storage.entries(ada.subject), storage.load([ada.subject])
        for version in (0, 1, 3):
            late = Contact(ada.organisation, ada.subject, version).commit(wordings={os.urandom(32).hex(): b"x"})
            with pytest.raises(ConflictError):
                storage.append([late])
            assert storage.wordings(list(late.wordings)) == {}
            assert not storage.committed(ada.subject, late.idem)
        assert before == (storage.entries(ada.subject), storage.load([ada.subject]))

    def test_a_contact_of_another_organisation_is_not_changed(self, storage: Storage, ada: Contact) -> None:
        """
        Even if somebody knows its id and version.
        """
        storage.append([ada.commit()])
        with pytest.raises(ConflictError):
            storage.append([attrs.evolve(ada.commit(), organisation="other")])
        assert len(storage.entries(ada.subject)) == 1

    def test_several_changes_are_written_together(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Both are there.
        """
        storage.append([ada.commit(), eve.commit(events=2)])
        assert {ada.subject: 1, eve.subject: 2} == {
            subject: head.version for subject, head in storage.load([ada.subject, eve.subject]).items()
        }

    def test_several_changes_are_refused_together(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        One that comes too late takes all of the others with it, whatever the order.
        """
        storage.append([ada.commit()])
        late = Contact(ada.organisation, ada.subject).commit()
        message, idkey = eve.message(), key()
        new = eve.commit(
            identifiers=[eve.identifier(idkey)], suppressions=[stop(idkey)], queue=[message], wordings={"0" * 64: b"x"}
        )
        for commits in ([new, late], [late, new]):
            with pytest.raises(ConflictError):
                storage.append(commits)
        assert storage.load([eve.subject]) == {}
        assert list(storage.entries(eve.subject)) == []
        assert values_of(storage, eve.subject) == {}
        found = storage.find([idkey])
        assert (found.identifiers, list(found.suppressions)) == ({}, [])
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        assert not storage.committed(eve.subject, new.idem)

    def test_a_commit_is_known_by_its_name(self, storage: Storage, ada: Contact) -> None:
        """
        So that its author can ask whether it was written; repeating it changes nothing.
        """
        commits = [ada.commit(events=2), ada.commit()]
        for commit in commits:
            storage.append([commit])
        for commit in commits:
            assert storage.committed(ada.subject, commit.idem)
            assert not storage.committed(key(), commit.idem)
            with pytest.raises(ConflictError):
                storage.append([commit])
        assert not storage.committed(ada.subject, key())
        assert len(storage.entries(ada.subject)) == 3

    def test_a_taken_slot_is_kept(self, storage: Storage, ada: Contact) -> None:
        """
        A commitment in the ledger stands on the value, so it is not overwritten; an erasure frees the slot.
        """
        storage.append([ada.commit()])
        with pytest.raises(ConflictError):
            storage.append([attrs.evolve(ada.commit(), openings={"line_1": Opening(bytes(32), "eve@example.com")})])
        assert values_of(storage, ada.subject)["line_1"].value == "ada1@example.com"
        ada.version, ada.head = 1, storage.load([ada.subject])[ada.subject].hash
        again = {"line_1": Opening(bytes(32), "again")}
        storage.append([attrs.evolve(ada.commit(), openings=again, forget=True)])
        assert again == values_of(storage, ada.subject)

    def test_an_address_has_one_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The second to claim it is refused with all of its change.
        """
        idkey = key()
        storage.append([ada.commit(identifiers=[ada.identifier(idkey)])])
        with pytest.raises(AddressTakenError):
            storage.append([eve.commit(identifiers=[eve.identifier(key()), eve.identifier(idkey)])])
        assert storage.find([idkey]).identifiers[idkey].subject == ada.subject
        assert storage.load([eve.subject]) == {}

    def test_two_new_contacts_cannot_have_one_address(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Nor in one call.
        """
        idkey = key()
        with pytest.raises(AddressTakenError):
            storage.append([contact.commit(identifiers=[contact.identifier(idkey)]) for contact in (ada, eve)])
        assert storage.load([ada.subject, eve.subject]) == {}

    def test_a_contact_may_name_its_own_address_again(self, storage: Storage, ada: Contact) -> None:
        """
        It then stands for the line it was last given with.
        """
        idkey = key()
        storage.append([ada.commit(identifiers=[ada.identifier(idkey, 1)])])
        storage.append([ada.commit(identifiers=[ada.identifier(idkey, 2)])])
        assert storage.find([idkey]).identifiers == {idkey: ada.identifier(idkey, 2)}

    def test_a_released_address_is_free(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        For another contact, in the same call too; somebody else's address cannot be released.
        """
        first, second = key(), key()
        storage.append([ada.commit(identifiers=[ada.identifier(first), ada.identifier(second)])])
        storage.append([eve.commit(release=[first])])
        assert storage.find([first]).identifiers == {first: ada.identifier(first)}
        storage.append([ada.commit(release=[first])])
        assert storage.find([first]).identifiers == {}
        storage.append([eve.commit(identifiers=[eve.identifier(first)])])
        storage.append([eve.commit(identifiers=[eve.identifier(second)]), ada.commit(release=[second])])
        assert {first: eve.identifier(first), second: eve.identifier(second)} == storage.find(
            [first, second]
        ).identifiers

    def test_of_those_that_claim_an_address_at_once_one_gets_it(self, storage: Storage, organisation: str) -> None:
        """
        The others are told that it is taken.
        """
        idkey = key()
        contacts = [Contact(organisation) for _ in range(6)]

        def claim(number: int) -> str:
            contact = contacts[number]
            try:
                storage.append([contact.commit(identifiers=[contact.identifier(idkey)])])
            except AddressTakenError:
                return "taken"
            return "got"

        assert ["got", *["taken"] * 5] == sorted(at_once(6, claim))
        owner = storage.find([idkey]).identifiers[idkey].subject
        assert [owner] == list(storage.subjects(organisation))

    def test_a_stop_keeps_the_later_instant(self, storage: Storage, ada: Contact) -> None:
        """
        Whichever is written first; scopes do not touch one another.
        """
        early, late = key(), key()
        for first, second in ((early, late), (late, early)):
            storage.append([ada.commit(suppressions=[stop(first, NOW), stop(second, NOW + TICK)])])
        storage.append([ada.commit(suppressions=[stop(early, NOW - TICK, "*/*")])])
        assert {
            (early, "email/offers"): NOW + TICK,
            (late, "email/offers"): NOW + TICK,
            (early, "*/*"): NOW - TICK,
        } == {(row.idkey, row.scope): row.at for row in storage.find([early, late]).suppressions}

    def test_the_first_wording_stays(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        A text of the register is never written over.
        """
        digest, other = os.urandom(32).hex(), os.urandom(32).hex()
        storage.append([ada.commit(wordings={digest: b"first"})])
        storage.append([eve.commit(wordings={digest: b"second", other: b"other"})])
        assert {digest: b"first", other: b"other"} == storage.wordings([digest, other])

    def test_the_contacts_of_an_organisation_are_listed(self, storage: Storage, organisation: str) -> None:
        """
        Each once, the erased ones included, and nobody else's.
        """
        contacts = [Contact(organisation) for _ in range(1201)]
        storage.append([contact.commit() for contact in contacts])
        storage.append([contacts[0].commit(forget=True), Contact(f"{organisation}2").commit()])
        assert sorted(contact.subject for contact in contacts) == sorted(storage.subjects(organisation))

    # ---- erasure

    def test_forgetting_leaves_the_proof_and_the_stop(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Values, keyed names, codes and messages of the contact go. The chain, the suppressions, what the same change
        brings, and everybody else stay.
        """
        mine, hers, new = key(), key(), key()
        codes = [code(ada.subject), code(eve.subject)]
        kept = ada.message()
        settled, claimed = ada.message(), ada.message()
        storage.append(
            [
                ada.commit(
                    identifiers=[ada.identifier(mine)],
                    queue=[ada.message(), settled, claimed],
                    suppressions=[stop(mine)],
                ),
                eve.commit(identifiers=[eve.identifier(hers)], queue=[eve.message(NOW + TICK)]),
            ]
        )
        storage.put_codes(codes)
        got = storage.claim([claim_of(settled), claim_of(claimed)], NOW, NOW)
        storage.settle([settlement(message) for message in got if message.message == settled.message])
        entries = list(storage.entries(ada.subject))
        last = ada.commit(
            forget=True, identifiers=[ada.identifier(new)], queue=[kept], suppressions=[stop(mine, NOW + TICK, "*/*")]
        )
        storage.append([last])

        assert last.openings == values_of(storage, ada.subject)
        assert [*entries, *last.entries] == list(storage.entries(ada.subject))
        assert problems(storage, ada.organisation, ada.subject) == ()
        found = storage.find([mine, hers, new])
        assert {hers: eve.subject, new: ada.subject} == {name: row.subject for name, row in found.identifiers.items()}
        assert sorted(row.scope for row in found.suppressions) == ["*/*", "email/offers"]
        assert [storage.code(row.key, NOW) for row in codes] == [None, b"target"]
        assert [kept.message] == [row.message for row in storage.due(ada.organisation, Channel.EMAIL, NOW, 9)]
        assert storage.backlog(ada.organisation) == {MessageState.QUEUED: 2}
        assert list(storage.overdue(ada.organisation, NOW + TICK, 9)) == []
        assert set(values_of(storage, eve.subject)) == {"line_1"}

    # ---- the outbox

    def test_messages_are_due_in_the_order_of_their_times(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        From the very microsecond on, those due longest first, not more than asked for, and of one organisation alone.
        """
        messages = [ada.message(NOW - n * TICK) for n in (-1, 0, 1, 2)]
        other = Contact(f"{ada.organisation}2")
        storage.append([ada.commit(queue=messages), other.commit(queue=[other.message(NOW)])])
        assert [messages[3], messages[2], messages[1]] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        assert [messages[3], messages[2]] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 2))
        assert list(storage.due(eve.organisation, Channel.EMAIL, NOW - 3 * TICK, 9)) == []

    def test_a_message_is_claimed_once(self, storage: Storage, ada: Contact) -> None:
        """
        The claim is counted, and whoever comes second gets nothing.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        claims = [claim_of(message), claim_of(ada.message())]
        assert list(storage.claim(claims, NOW - TICK, NOW)) == []
        assert [attrs.evolve(message, attempts=1)] == list(storage.claim(claims, NOW, NOW + TICK))
        assert list(storage.claim(claims, NOW + timedelta(days=1), NOW + timedelta(days=2))) == []
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}

    def test_the_name_of_a_message_is_used_once(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        By one contact, waiting or done; another may have one of the same name.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        before = ada.version, ada.head
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[message])])
        (got,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(got)])
        ada.version, ada.head = before
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[message])])
        storage.append([eve.commit(queue=[attrs.evolve(message, subject=eve.subject)])])
        assert storage.backlog(ada.organisation) == {MessageState.ACCEPTED: 1, MessageState.QUEUED: 1}

    def test_of_workers_that_claim_at_once_each_message_goes_to_one(self, storage: Storage, ada: Contact) -> None:
        """
        And none is left over.
        """
        messages = [ada.message() for _ in range(30)]
        storage.append([ada.commit(queue=messages)])

        def claim(number: int) -> Sequence[OutboxMessage]:
            mine = messages[number:] + messages[:number]
            return [
                message
                for start in range(0, len(mine), 5)
                for message in storage.claim([claim_of(m) for m in mine[start : start + 5]], NOW, NOW)
            ]

        got = [message for messages in at_once(4, claim) for message in messages]
        assert sorted(message.message for message in messages) == sorted(message.message for message in got)

    def test_codes_are_kept_if_the_claim_succeeds(self, storage: Storage, ada: Contact) -> None:
        """
        And only then.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        first, second, third = (code(ada.subject) for _ in range(3))
        storage.claim([claim_of(message, first, second)], NOW, NOW)
        storage.claim([claim_of(message, third)], NOW, NOW)
        assert [storage.code(row.key, NOW) for row in (first, second, third)] == [b"target", b"target", None]

    def test_a_lease_runs_out(self, storage: Storage, ada: Contact) -> None:
        """
        At its last instant it still holds. It is not claimed again by itself: somebody has to say what became of it.
        """
        first, second, waiting = ada.message(), ada.message(), ada.message(NOW + TICK)
        storage.append([ada.commit(queue=[first, second, waiting])])
        storage.claim([claim_of(second)], NOW, NOW + TICK)
        storage.claim([claim_of(first)], NOW, NOW + 2 * TICK)
        assert list(storage.overdue(ada.organisation, NOW + TICK, 9)) == []
        assert [attrs.evolve(second, attempts=1)] == list(storage.overdue(ada.organisation, NOW + 2 * TICK, 9))
        late = NOW + timedelta(days=1)
        both = [attrs.evolve(second, attempts=1), attrs.evolve(first, attempts=1)]
        assert both == list(storage.overdue(ada.organisation, late, 9))
        assert both[:1] == list(storage.overdue(ada.organisation, late, 1))
        assert list(storage.overdue(f"{ada.organisation}2", late, 9)) == []
        assert list(storage.claim([claim_of(first)], late, late)) == []

    def test_messages_are_due_by_channel(self, storage: Storage, ada: Contact) -> None:
        """
        So that a channel whose provider is down keeps no other waiting.
        """
        email, sms = ada.message(), ada.message(NOW - TICK, channel=Channel.SMS)
        storage.append([ada.commit(queue=[email, sms])])
        assert [email] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        assert [sms] == list(storage.due(ada.organisation, Channel.SMS, NOW, 9))
        assert list(storage.due(ada.organisation, Channel.POST, NOW, 9)) == []
        assert [attrs.evolve(sms, attempts=1)] == list(storage.claim([claim_of(sms)], NOW, NOW + TICK))
        assert [attrs.evolve(sms, attempts=1)] == list(storage.overdue(ada.organisation, NOW + 2 * TICK, 9))

    @pytest.mark.parametrize("state", [state for state in MessageState if state is not MessageState.SENDING])
    def test_a_doubt_is_kept_until_more_is_known(self, storage: Storage, ada: Contact, state: MessageState) -> None:
        """
        With its body. It is neither due nor overdue, and whoever learns more can say so, in a change or without one.
        """
        first, second = ada.message(NOW), ada.message(NOW - TICK)
        storage.append([ada.commit(queue=[first, second])])
        got = {m.message: m for m in storage.claim([claim_of(first), claim_of(second)], NOW, NOW)}
        doubts = [got[second.message], got[first.message]]
        storage.append([ada.commit(settle=[settlement(doubts[0], MessageState.IN_DOUBT)])])
        storage.settle([settlement(doubts[1], MessageState.IN_DOUBT)])
        late = NOW + timedelta(days=1)
        assert list(storage.due(ada.organisation, Channel.EMAIL, late, 9)) == []
        assert list(storage.overdue(ada.organisation, late, 9)) == []
        assert list(storage.claim([claim_of(first)], late, late)) == []
        assert doubts == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 9))
        assert doubts[:1] == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 1))
        assert list(storage.messages(f"{ada.organisation}2", MessageState.IN_DOUBT, 9)) == []
        storage.settle([settlement(attrs.evolve(doubts[0], attempts=2), state)])
        assert doubts == list(storage.messages(ada.organisation, MessageState.IN_DOUBT, 9))
        storage.append([ada.commit(settle=[settlement(doubts[0], state)])])
        storage.settle([settlement(doubts[1], state)])
        assert storage.backlog(ada.organisation) == {state: 2}

    @pytest.mark.parametrize("state", [MessageState.ACCEPTED, MessageState.REFUSED, MessageState.WITHHELD])
    def test_an_outcome_is_final(self, storage: Storage, ada: Contact, state: MessageState) -> None:
        """
        The message is not due or claimed any more, and is counted with its outcome.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (got,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(got, state)])
        storage.settle([settlement(got, MessageState.QUEUED, NOW)])
        late = NOW + timedelta(days=1)
        assert storage.backlog(ada.organisation) == {state: 1}
        assert [attrs.evolve(got, body=b"")] == list(storage.messages(ada.organisation, state, 9))
        assert list(storage.due(ada.organisation, Channel.EMAIL, late, 9)) == []
        assert list(storage.overdue(ada.organisation, late, 9)) == []
        assert list(storage.claim([claim_of(message)], late, late)) == []

    def test_a_message_is_put_back(self, storage: Storage, ada: Contact) -> None:
        """
        With its body, at its new time, and the next claim is counted on.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (got,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(got, MessageState.QUEUED, NOW + TICK)])
        assert list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9)) == []
        back = attrs.evolve(message, due_at=NOW + TICK, attempts=1)
        assert [back] == list(storage.due(ada.organisation, Channel.EMAIL, NOW + TICK, 9))
        assert list(storage.overdue(ada.organisation, NOW + timedelta(days=1), 9)) == []
        assert [attrs.evolve(back, attempts=2)] == list(storage.claim([claim_of(message)], NOW + TICK, NOW))

    def test_a_worker_that_was_too_slow_settles_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        Its message was put back and claimed again; what it says no longer counts, by itself or in a change.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (slow,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(slow, MessageState.QUEUED, NOW)])
        version = (ada.version, ada.head)
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(slow)])])
        ada.version, ada.head = version
        (fast,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.settle([settlement(slow)])
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(slow)])])
        ada.version, ada.head = version
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}
        assert len(storage.entries(ada.subject)) == 1

        storage.append([ada.commit(settle=[settlement(fast, MessageState.REFUSED)])])
        assert storage.backlog(ada.organisation) == {MessageState.REFUSED: 1}
        assert len(storage.entries(ada.subject)) == 2

    def test_a_message_that_is_gone_cannot_be_settled_in_a_change(self, storage: Storage, ada: Contact) -> None:
        """
        The contact was erased while the worker was busy, so the worker has to decide again.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (got,) = storage.claim([claim_of(message)], NOW, NOW)
        storage.append([ada.commit(forget=True)])
        storage.settle([settlement(got)])
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(settle=[settlement(got)])])
        assert storage.backlog(ada.organisation) == {}

    def test_a_lost_claim_matters_only_to_a_change_that_is_in_time(self, storage: Storage, ada: Contact) -> None:
        """
        One that was decided on another version is to be decided again, whatever became of the message.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        late = Contact(ada.organisation, ada.subject).commit(settle=[settlement(message)])
        with pytest.raises(ConflictError) as caught:
            storage.append([late])
        assert not isinstance(caught.value, ClaimLostError)

    def test_an_erasure_settles_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        It takes the messages with it, so a change that asks for both is refused, with all that it was to erase.
        """
        message = ada.message()
        storage.append([ada.commit(queue=[message])])
        (got,) = storage.claim([claim_of(message)], NOW, NOW)
        with pytest.raises(ClaimLostError):
            storage.append([ada.commit(forget=True, settle=[settlement(got)])])
        assert storage.backlog(ada.organisation) == {MessageState.SENDING: 1}
        assert list(values_of(storage, ada.subject)) == ["line_1"]

    def test_a_message_needs_no_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        Nobody of its subject's name is on record, or comes to be; it is delivered like any other.
        """
        organisation, late = ada.organisation, NOW + timedelta(days=1)
        done, back, doubted, dead, later, other = (
            contact.message(NOW - n * TICK)
            for n, contact in ((4, ada), (3, ada), (2, eve), (1, eve), (-1, ada), (0, ada))
        )
        storage.enqueue(organisation, [later, dead, doubted, back, done])
        storage.enqueue(f"{organisation}2", [other])
        assert [done, back, doubted, dead] == list(storage.due(organisation, Channel.EMAIL, NOW, 9))
        kept = code(ada.subject)
        got = storage.claim([claim_of(done, kept), *map(claim_of, (back, doubted, dead))], NOW, NOW + TICK)
        by_name = {message.message: message for message in got}
        assert storage.code(kept.key, NOW) == b"target"
        assert storage.revoke_codes(ada.subject) == 1
        storage.settle(
            [
                settlement(by_name[done.message]),
                settlement(by_name[back.message], MessageState.QUEUED, NOW + TICK),
                settlement(by_name[doubted.message], MessageState.IN_DOUBT),
            ]
        )
        again = attrs.evolve(back, attempts=1, due_at=NOW + TICK)
        assert {again.message, later.message} == {m.message for m in storage.due(organisation, Channel.EMAIL, late, 9)}
        assert [attrs.evolve(done, attempts=1, body=b"")] == list(
            storage.messages(organisation, MessageState.ACCEPTED, 9)
        )
        assert [by_name[doubted.message]] == list(storage.messages(organisation, MessageState.IN_DOUBT, 9))
        assert [by_name[dead.message]] == list(storage.overdue(organisation, late, 9))
        assert storage.backlog(organisation) == {
            MessageState.QUEUED: 2,
            MessageState.SENDING: 1,
            MessageState.ACCEPTED: 1,
            MessageState.IN_DOUBT: 1,
        }
        assert list(storage.subjects(organisation)) == []
        assert storage.load([ada.subject, eve.subject]) == {}
        assert list(storage.unsealed(organisation, 9)) == []

    def test_a_message_without_a_change_touches_no_contact(self, storage: Storage, ada: Contact) -> None:
        """
        The contact's head stays as it is, so that no other change is in its way; an erasure takes the message along.
        """
        storage.append([ada.commit()])
        before = storage.load([ada.subject])
        message = ada.message()
        storage.enqueue(ada.organisation, [message])
        assert before == storage.load([ada.subject])
        assert [message] == list(storage.due(ada.organisation, Channel.EMAIL, NOW, 9))
        storage.append([ada.commit(forget=True)])
        assert storage.backlog(ada.organisation) == {}

    @pytest.mark.parametrize("done", [False, True], ids=["waiting", "done"])
    def test_a_name_that_is_taken_takes_the_other_messages_with_it(
        self, storage: Storage, ada: Contact, done: bool
    ) -> None:
        """
        Whether it came with a change or without one, and wherever it stands among the others.
        """
        changed, plain = ada.message(), ada.message()
        storage.append([ada.commit(queue=[changed])])
        storage.enqueue(ada.organisation, [plain])
        if done:
            storage.settle([settlement(m) for m in storage.claim([claim_of(changed), claim_of(plain)], NOW, NOW)])
        before = storage.backlog(ada.organisation)
        twice = ada.message()
        for taken in ([changed], [plain], [twice, twice]):
            for messages in ([ada.message(), *taken], [*taken, ada.message()]):
                with pytest.raises(ConflictError):
                    storage.enqueue(ada.organisation, messages)
        with pytest.raises(ConflictError):
            storage.append([ada.commit(queue=[plain])])
        assert before == storage.backlog(ada.organisation)
        assert len(storage.entries(ada.subject)) == 1
        storage.enqueue(ada.organisation, [attrs.evolve(plain, subject=key())])

    def test_of_those_that_use_a_name_at_once_one_does(self, storage: Storage, ada: Contact) -> None:
        """
        With everything it brought; the others bring nothing, whatever the order in which they name theirs.
        """
        contested = [ada.message(), ada.message()]

        def enqueue(number: int) -> bool:
            order = contested if number % 2 else contested[::-1]
            try:
                storage.enqueue(ada.organisation, [*order, ada.message()])
            except ConflictError:
                return False
            return True

        assert at_once(6, enqueue).count(True) == 1
        assert storage.backlog(ada.organisation) == {MessageState.QUEUED: 3}

    # ---- codes and counters

    def test_a_code_is_there_until_it_expires(self, storage: Storage, ada: Contact) -> None:
        """
        At its last instant it still is; without one it stays.
        """
        passing, lasting = code(ada.subject, expires_at=NOW), code(ada.subject)
        storage.put_codes([passing, lasting])
        assert [storage.code(passing.key, at) for at in (NOW, NOW + TICK)] == [b"target", None]
        assert storage.code(lasting.key, NOW + timedelta(days=36500)) == b"target"
        assert storage.code(os.urandom(32), NOW) is None

    def test_a_code_is_taken_once(self, storage: Storage, ada: Contact) -> None:
        """
        An expired one is not taken at all.
        """
        passing, lasting = code(ada.subject, expires_at=NOW), code(ada.subject, value=BYTES)
        storage.put_codes([passing, lasting])
        assert storage.take_code(passing.key, NOW + TICK) is None
        assert storage.take_code(passing.key, NOW) == b"target"
        assert storage.take_code(passing.key, NOW) is None
        assert storage.take_code(lasting.key, NOW) == BYTES
        assert storage.code(lasting.key, NOW) is None

    def test_of_those_that_take_a_code_at_once_one_gets_it(self, storage: Storage, ada: Contact) -> None:
        """
        The others get nothing.
        """
        once = code(ada.subject)
        storage.put_codes([once])
        taken = at_once(8, lambda _: storage.take_code(once.key, NOW))
        assert [value for value in taken if value is not None] == [b"target"]

    def test_a_code_is_put_anew(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The latest counts, with all that is said of it.
        """
        first = code(ada.subject, expires_at=NOW)
        storage.put_codes([first])
        storage.put_codes([attrs.evolve(first, subject=eve.subject, value=b"other", expires_at=NOW + TICK)])
        assert storage.code(first.key, NOW + TICK) == b"other"
        assert [storage.revoke_codes(contact.subject) for contact in (ada, eve)] == [0, 1]

    def test_codes_are_revoked_by_contact(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        All of one, none of another; doing it twice is harmless.
        """
        codes = [code(ada.subject), code(ada.subject, expires_at=NOW), code(eve.subject)]
        storage.put_codes(codes)
        assert storage.revoke_codes(ada.subject) == 2
        assert storage.revoke_codes(ada.subject) == 0
        assert [storage.code(row.key, NOW) for row in codes] == [None, None, b"target"]

    def test_a_counter_counts_until_its_time_has_passed(self, storage: Storage) -> None:
        """
        The time given with the first counts; at that instant it still does, and after it counting starts again.
        """
        name, until = key(), NOW + 10 * TICK
        assert storage.count(name, NOW, until) == 1
        assert storage.count(name, NOW, until + timedelta(days=1)) == 2
        assert storage.count(name, until, until + timedelta(days=1)) == 3
        assert storage.count(name, until + TICK, until + 2 * TICK) == 1
        assert storage.count(name, until + 2 * TICK, until + 2 * TICK) == 2
        assert storage.count(name, until + 3 * TICK, until + 3 * TICK) == 1
        assert storage.count(key(), NOW, until) == 1

    def test_several_are_counted_at_once(self, storage: Storage) -> None:
        """
        As many as are said, at the first count and at later ones.
        """
        name, until = key(), NOW + timedelta(hours=1)
        assert [3, 4, 6, 2] == [
            storage.count(name, NOW, until, 3),
            storage.count(name, NOW, until),
            storage.count(name, until, until, 2),
            storage.count(name, until + TICK, until + TICK, 2),
        ]

    def test_of_those_that_count_at_once_each_gets_its_own_number(self, storage: Storage) -> None:
        """
        No two are told the same.
        """
        name = key()

        def count(_: int) -> list[int]:
            return [storage.count(name, NOW, NOW) for _ in range(5)]

        assert list(range(1, 31)) == sorted(number for numbers in at_once(6, count) for number in numbers)

    def test_what_has_expired_is_cleared_away(self, storage: Storage, ada: Contact) -> None:
        """
        Codes and counters whose last instant has passed, and no others.
        """
        long_ago = datetime(1999, 12, 31, tzinfo=UTC)
        storage.expire(long_ago + timedelta(days=1))
        codes = [code(ada.subject, expires_at=at) for at in (long_ago - TICK, long_ago, None)]
        storage.put_codes(codes)
        counters = [key(), key()]
        storage.count(counters[0], long_ago, long_ago - TICK)
        storage.count(counters[1], long_ago, long_ago)
        assert storage.expire(long_ago) == 2
        assert storage.expire(long_ago) == 0
        assert [storage.code(row.key, long_ago - TICK) for row in codes] == [None, b"target", b"target"]
        assert [storage.count(name, long_ago, long_ago) for name in counters] == [1, 2]

    # ---- keys

    def test_the_versions_of_keys_are_remembered(self, storage: Storage, organisation: str) -> None:
        """
        Each once, by organisation.
        """
        assert storage.key_versions(organisation) == frozenset()
        for version in ("k1", "K1", "k2", "k1"):
            storage.add_key_version(organisation, version)
        storage.add_key_version(f"{organisation}2", "k3")
        assert storage.key_versions(organisation) == {"k1", "K1", "k2"}

    # ---- the log

    def seal(self, storage: Storage, organisation: str, limit: int = 99) -> list[Leaf]:
        """
        Seal what grew, as the manager does, and return the new leaves.
        """
        head = storage.log_head(organisation)
        size, edge = (head[0].size, head[1]) if head else (0, ())
        leaves = list(storage.unsealed(organisation, limit))
        edge = grow(edge, size, [leaf.hash(organisation) for leaf in leaves])
        storage.seal(organisation, leaves, edge, checkpoint(organisation, size + len(leaves), edge), size)
        return leaves

    def test_a_chain_that_grew_is_unsealed_until_it_is_sealed(
        self, storage: Storage, ada: Contact, eve: Contact
    ) -> None:
        """
        And again after it grew once more; not more are given than asked for.
        """
        organisation = ada.organisation
        other = Contact(f"{organisation}2")
        storage.append([ada.commit(), eve.commit(), other.commit()])
        assert {ada.leaf, eve.leaf} == set(storage.unsealed(organisation, 9))
        assert len(storage.unsealed(organisation, 1)) == 1
        self.seal(storage, organisation)
        assert list(storage.unsealed(organisation, 9)) == []
        assert [other.leaf] == list(storage.unsealed(other.organisation, 9))
        storage.append([ada.commit(events=2)])
        assert [ada.leaf] == list(storage.unsealed(organisation, 9))

    def test_a_chain_that_grew_while_it_was_sealed_stays_unsealed(self, storage: Storage, ada: Contact) -> None:
        """
        The leaf that was sealed is in the log, and the rest is for the next time.
        """
        storage.append([ada.commit()])
        leaves = list(storage.unsealed(ada.organisation, 9))
        storage.append([ada.commit()])
        edge = grow((), 0, [leaf.hash(ada.organisation) for leaf in leaves])
        storage.seal(ada.organisation, leaves, edge, checkpoint(ada.organisation, 1, edge), 0)
        assert [ada.leaf] == list(storage.unsealed(ada.organisation, 9))
        assert leaves == list(storage.log_leaves(ada.organisation, 1))

    def test_the_log_keeps_its_leaves_in_order(self, storage: Storage, organisation: str) -> None:
        """
        What is in it gives the root of the checkpoint, and the edge goes on from there.
        """
        contacts = [Contact(organisation) for _ in range(7)]
        assert storage.log_head(organisation) is None
        assert list(storage.log_leaves(organisation, 0)) == []
        sealed: list[Leaf] = []
        for round_ in range(4):
            storage.append([contact.commit() for contact in contacts[round_:]])
            sealed += self.seal(storage, organisation, 5)
        head = storage.log_head(organisation)
        assert head is not None
        leaves = list(storage.log_leaves(organisation, head[0].size))
        assert sealed == leaves
        assert sealed[:6] == list(storage.log_leaves(organisation, 6))
        edge = grow((), 0, [leaf.hash(organisation) for leaf in leaves])
        assert (checkpoint(organisation, len(leaves), edge), list(edge)) == (head[0], list(head[1]))

    def test_the_latest_leaf_of_a_contact_is_found(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        By organisation; None for a contact that was never sealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        assert storage.sealed(organisation, ada.subject) is None
        self.seal(storage, organisation)
        storage.append([ada.commit()])
        self.seal(storage, organisation)
        storage.append([eve.commit()])
        found = storage.sealed(organisation, ada.subject)
        assert found is not None
        assert (1, ada.leaf) == (found.index, found.leaf)
        assert storage.sealed(organisation, eve.subject) is None
        assert storage.sealed(f"{organisation}2", ada.subject) is None

    def test_a_sealer_that_was_too_slow_is_refused(self, storage: Storage, ada: Contact, eve: Contact) -> None:
        """
        The log is not forked, and what it wanted to seal is still unsealed.
        """
        organisation = ada.organisation
        storage.append([ada.commit()])
        self.seal(storage, organisation)
        before = storage.log_head(organisation)
        storage.append([eve.commit()])
        for previous in (0, 2):
            edge = grow((), 0, [eve.leaf.hash(organisation)])
            with pytest.raises(ConflictError):
                storage.seal(organisation, [eve.leaf], edge, checkpoint(organisation, previous + 1, edge), previous)
        assert before == storage.log_head(organisation)
        assert [eve.leaf] == list(storage.unsealed(organisation, 9))
        assert [ada.leaf] == list(storage.log_leaves(organisation, 9))
        assert storage.sealed(organisation, eve.subject) is None

    def test_of_those_that_seal_at_once_one_does(self, storage: Storage, ada: Contact) -> None:
        """
        From the first leaf on.
        """
        storage.append([ada.commit()])

        def seal(number: int) -> bool:
            edge = grow((), 0, [ada.leaf.hash(ada.organisation)])
            head = attrs.evolve(checkpoint(ada.organisation, 1, edge), note=f"{number}\n")
            try:
                storage.seal(ada.organisation, [ada.leaf], edge, head, 0)
            except ConflictError:
                return False
            return True

        assert at_once(5, seal).count(True) == 1
        assert [ada.leaf] == list(storage.log_leaves(ada.organisation, 9))

    def test_a_head_is_signed_anew_without_a_leaf(self, storage: Storage, ada: Contact) -> None:
        """
        After the key changed, for example.
        """
        storage.append([ada.commit()])
        self.seal(storage, ada.organisation)
        head = storage.log_head(ada.organisation)
        assert head is not None
        again = attrs.evolve(head[0], note="another signature — Ä\n")
        storage.seal(ada.organisation, [], head[1], again, 1)
        assert (again, head[1]) == storage.log_head(ada.organisation)

    # ---- over time, between threads and between processes

    def test_threads_that_append_to_one_contact_lose_nothing(self, storage: Storage, ada: Contact) -> None:
        """
        Each decides again until it is its turn; the chain has no gap and verifies.
        """

        def append(_: int) -> None:
            for _ in range(5):
                append_again(storage, ada.organisation, ada.subject)

        at_once(4, append)
        assert len(storage.entries(ada.subject)) == 20
        assert problems(storage, ada.organisation, ada.subject) == ()

    def test_threads_that_append_to_many_contacts_do_not_hinder_one_another(
        self, storage: Storage, organisation: str
    ) -> None:
        """
        Changes to the same contacts in opposite orders do not lock each other out.
        """
        contacts = [Contact(organisation) for _ in range(6)]

        def append(number: int) -> int:
            order = contacts if number % 2 else contacts[::-1]
            commits = [Contact(organisation, contact.subject).commit(wordings={WORDING: b"x"}) for contact in order]
            try:
                storage.append(commits)
            except ConflictError:
                return 0
            return 1

        assert sum(at_once(4, append)) == 1
        assert {contact.subject: 1 for contact in contacts} == {
            subject: head.version for subject, head in storage.load([c.subject for c in contacts]).items()
        }

    def test_closing_twice_is_harmless(self, storage: Storage) -> None:
        """
        Nothing happens the second time.
        """
        storage.close()
        storage.close()


class DurableStorageContract(StorageContract):
    """
    What a store has to do besides if it outlives its process. Subclass it and give it an `opener` fixture.

    Attributes:
        shared: Whether several processes may hold the store at a time.
    """

    shared: ClassVar[bool] = True

    @pytest.fixture
    def opener(self) -> Opener:
        """
        Give what opens the store, the same one each time, in this process or, because it can be pickled, in another.
        """
        raise NotImplementedError("give the contract an opener fixture")

    @pytest.fixture
    def storage(self, opener: Opener) -> Iterator[Storage]:
        storage = opener()
        yield storage
        storage.close()

    def test_what_was_written_is_there_when_it_is_opened_again(
        self, storage: Storage, opener: Opener, ada: Contact, eve: Contact
    ) -> None:
        """
        All of it: contacts, addresses, stops, wordings, messages in each state, codes, counters, keys and the log.
        """
        organisation = ada.organisation
        queued, claimed, back, done = (ada.message() for _ in range(4))
        kept, taken, counter = code(ada.subject, expires_at=NOW), code(ada.subject), key()
        mine, hers = key(), key()
        storage.append(
            [
                ada.commit(
                    events=2,
                    identifiers=[ada.identifier(mine)],
                    suppressions=[stop(mine)],
                    wordings={WORDING: b"x"},
                    queue=[queued, claimed, back, done],
                ),
                eve.commit(identifiers=[eve.identifier(hers)], suppressions=[stop(hers)]),
            ]
        )
        strange, finished = (attrs.evolve(ada.message(), subject=key()) for _ in range(2))
        storage.enqueue(organisation, [strange, finished])
        storage.settle([settlement(message) for message in storage.claim([claim_of(finished)], NOW, NOW)])
        got = storage.claim([claim_of(message) for message in (claimed, back, done)], NOW, NOW)
        by_name = {message.message: message for message in got}
        storage.settle([settlement(by_name[back.message], MessageState.QUEUED, NOW)])
        self.seal(storage, organisation, 1)
        storage.put_codes([kept, taken])
        storage.take_code(taken.key, NOW)
        storage.count(counter, NOW, NOW)
        storage.add_key_version(organisation, "k1")
        storage.append([ada.commit(settle=[settlement(by_name[done.message])])])
        storage.append([eve.commit(forget=True, suppressions=[stop(hers, NOW + TICK)])])
        before = everything(storage, ada, eve, [mine, hers], [kept, taken])
        storage.close()

        again = opener()
        try:
            assert before == everything(again, ada, eve, [mine, hers], [kept, taken])
            assert again.count(counter, NOW, NOW) == 2
            again.append([ada.commit(), eve.commit()])
            assert problems(again, organisation, ada.subject) == ()
        finally:
            again.close()

    def test_processes_lose_nothing(self, storage: Storage, opener: Opener, ada: Contact) -> None:
        """
        Several of them append to one contact. If they may share the store, the chain has no gap and verifies;
        otherwise they are refused.
        """
        with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
            if self.shared:
                storage.append([ada.commit()])
                work = [pool.submit(append_many, opener, ada.organisation, ada.subject, 10) for _ in range(3)]
                for done in work:
                    done.result()
                assert len(storage.entries(ada.subject)) == 31
                assert problems(storage, ada.organisation, ada.subject) == ()
            else:
                assert not pool.submit(try_to_open, opener).result()
                assert not try_to_open(opener)
                storage.close()
                assert pool.submit(try_to_open, opener).result()


WORDING = "c0ffee" + "0" * 58


def checkpoint(organisation: str, size: int, edge: Sequence[bytes]) -> Checkpoint:
    return Checkpoint(origin=f"optly/{organisation}", size=size, root=edge_root(edge), note=f"a note — {size}\n")


def everything(
    storage: Storage, ada: Contact, eve: Contact, idkeys: Sequence[bytes], codes: Sequence[StoredCode]
) -> Mapping[str, Any]:
    """
    Return all that can be asked of a store about two contacts.
    """
    organisation, late = ada.organisation, NOW + timedelta(days=1)
    found = storage.find(idkeys)
    log_head = storage.log_head(organisation)
    assert log_head is not None
    return {
        "heads": storage.load([ada.subject, eve.subject]),
        "entries": [list(storage.entries(contact.subject)) for contact in (ada, eve)],
        "openings": [values_of(storage, contact.subject) for contact in (ada, eve)],
        "identifiers": found.identifiers,
        "suppressions": sorted(found.suppressions, key=lambda row: row.idkey),
        "wordings": storage.wordings([WORDING]),
        "subjects": sorted(storage.subjects(organisation)),
        "due": sorted(storage.due(organisation, Channel.EMAIL, late, 9), key=lambda row: row.message),
        "in_doubt": list(storage.messages(organisation, MessageState.IN_DOUBT, 9)),
        "overdue": list(storage.overdue(organisation, late, 9)),
        "backlog": dict(storage.backlog(organisation)),
        "codes": [storage.code(row.key, NOW) for row in codes],
        "keys": storage.key_versions(organisation),
        "log_head": (log_head[0], list(log_head[1])),
        "leaves": list(storage.log_leaves(organisation, 99)),
        "unsealed": sorted(storage.unsealed(organisation, 9), key=lambda leaf: leaf.subject),
        "sealed": [storage.sealed(organisation, contact.subject) for contact in (ada, eve)],
    }
