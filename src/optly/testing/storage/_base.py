"""
The fixtures of every chapter of the contract, and what its tests make, read and compare.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any, Final, TypeAlias, TypeVar

import attrs
import pytest

from optly.contacts import AddressKind, Channel
from optly.errors import ConflictError
from optly.protocols import (
    Claim,
    Commit,
    Identifier,
    LogHead,
    MessageState,
    OutboxMessage,
    Reference,
    Settlement,
    Storage,
    StoredCode,
    Suppression,
)
from optly.record.checkpoints import Checkpoint
from optly.record.events import Actor, Grade, LineAdded
from optly.record.ledger import GENESIS, SALT, Leaf, Opening, extend, verify_chain
from optly.record.merkle import Tile, edge, grow, leaf_hash, root

T = TypeVar("T")
Opener: TypeAlias = "Callable[[], Storage]"

NOW: Final = datetime(2026, 11, 24, 12, 0, 0, 123_457, tzinfo=UTC)
TICK: Final = timedelta(microseconds=1)
DAY: Final = timedelta(days=1)
BYTES: Final = bytes(range(256)) * 2 + b"\0\0\xff"
WORDING: Final = "c0ffee" + "0" * 58
SECRET: Final = bytes(range(32))


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
        Return a commit of *events* events, each of which adds a line; the next commit follows it.
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
            salts=iter(lambda: os.urandom(SALT), b""),
        )
        self.version, self.head = entries[-1].seq, entries[-1].hash
        return Commit(
            organisation=self.organisation,
            subject=self.subject,
            expected=expected,
            head=self.head,
            entries=entries,
            snapshot=f"standing {self.version}".encode(),
            named=os.urandom(30),
            mac=os.urandom(20),
            openings=openings,
            idem=os.urandom(16),
            **parts,
        )

    @property
    def leaf(self) -> Leaf:
        return Leaf(subject=self.subject, version=self.version, head=self.head)

    def identifier(self, idkey: bytes, line: int = 1) -> Identifier:
        return Identifier(
            idkey=idkey, subject=self.subject, line=line, key_version="k1", mac=mac(idkey, self.subject, line)
        )

    def reference(self, idkey: bytes) -> Reference:
        return Reference(idkey=idkey, subject=self.subject, key_version="k1", mac=mac(idkey, self.subject))

    def message(self, due_at: datetime = NOW, body: bytes = b"body", channel: Channel = Channel.EMAIL) -> OutboxMessage:
        return OutboxMessage(
            subject=self.subject,
            message=os.urandom(16),
            channel=channel,
            due_at=due_at,
            body=body,
            mac=os.urandom(20),
        )


def key() -> bytes:
    return os.urandom(16)


def mac(*parts: object) -> bytes:
    """
    Return what stands for the MAC of a row, 20 bytes that are the same for the same row. A store cannot tell.
    """
    return hashlib.sha256(repr(parts).encode()).digest()[:20]


def code(subject: bytes, *, value: bytes = b"target", expires_at: datetime | None = None) -> StoredCode:
    return StoredCode(key=os.urandom(32), subject=subject, value=value, expires_at=expires_at, mac=os.urandom(20))


def stop(idkey: bytes, at: datetime = NOW, scope: str = "email/offers", mark: bytes = b"") -> Suppression:
    return Suppression(idkey=idkey, scope=scope, at=at, key_version="k1", mark=mark, mac=mac(idkey, scope, at, mark))


def claim_of(message: OutboxMessage, *codes: StoredCode) -> Claim:
    return Claim(subject=message.subject, message=message.message, token=os.urandom(16), codes=codes)


def settlement(
    message: OutboxMessage, state: MessageState = MessageState.ACCEPTED, due_at: datetime | None = None
) -> Settlement:
    return Settlement(
        subject=message.subject,
        message=message.message,
        token=message.token,
        attempts=message.attempts,
        tries=message.tries,
        state=state,
        due_at=due_at,
    )


def ended(message: OutboxMessage, at: datetime, state: MessageState = MessageState.ACCEPTED) -> Settlement:
    """
    Return the settlement of a message that may be removed some time after *at*.
    """
    return attrs.evolve(settlement(message, state), ended_at=at)


def grown(storage: Storage, organisation: str, leaves: Sequence[Leaf], size: int) -> tuple[LogHead, list[Tile]]:
    """
    Return the head of a log of *size* leaves after *leaves* were appended, and the tiles that changed.
    """
    tiles = {tile.place: tile.data for tile in storage.tiles(organisation, edge(size))}
    hashes = [leaf_hash(leaf.entry(organisation, leaf.blind(SECRET))) for leaf in leaves]
    changed = grow(size, tiles, hashes)
    size += len(leaves)
    checkpoint = Checkpoint(
        origin=f"example.com/{organisation}",
        size=size,
        root=root({**tiles, **changed}, (0, size)) or bytes(32),
        note=f"a note — {size}\n",
    )
    return LogHead(checkpoint=checkpoint, secret=SECRET), [Tile(*place, data) for place, data in changed.items()]


def values_of(storage: Storage, subject: bytes) -> Mapping[str, Opening]:
    return storage.openings([subject]).get(subject, {})


def is_written(storage: Storage, commit: Commit) -> bool:
    """
    Whether a commit with a name was written.
    """
    assert commit.idem is not None
    return storage.committed(commit.subject, commit.idem)


def problems(storage: Storage, organisation: str, subject: bytes) -> tuple[Any, ...]:
    """
    Return what verification finds wrong with a contact, including its head.
    """
    head = storage.load([subject])[subject]
    return verify_chain(
        organisation,
        subject.hex(),
        storage.entries(subject),
        openings=values_of(storage, subject),
        head=(head.version, head.hash),
    )


def append_again(storage: Storage, organisation: str, subject: bytes) -> None:
    """
    Append to a contact that others append to as well, deciding again while another is faster.
    """
    while True:
        head = storage.load([subject]).get(subject)
        contact = Contact(organisation, subject, *((head.version, head.hash) if head else (0, GENESIS)))
        try:
            storage.append([contact.commit()])
        except ConflictError:
            continue
        return


def seal(storage: Storage, organisation: str, limit: int = 99) -> list[Leaf]:
    """
    Seal what has grown, as the manager does, and return the new leaves.
    """
    before = storage.log_head(organisation)
    size = before.checkpoint.size if before else 0
    leaves = list(storage.unsealed(organisation, limit))
    head, tiles = grown(storage, organisation, leaves, size)
    storage.seal(organisation, head, leaves, tiles, size)
    return leaves


def at_once(count: int, work: Callable[[int], T]) -> list[T]:
    """
    Run *work* in *count* threads that start together, and return the result of each.
    """
    barrier = Barrier(count)

    def run(number: int) -> T:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


class Contract:
    @pytest.fixture
    def storage(self) -> Storage | Iterator[Storage]:
        """
        Provide a store that is ready, and close it afterwards.
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
