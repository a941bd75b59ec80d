"""
Sealing and proving in logs of many sizes, beside the bare writing of them: ``python benchmarks/log.py``.

A seal appends a leaf for each contact that grew, in batches of a thousand, durably, on SQLite. Its floor hashes as many
entries into a tree of which it knows the right edge, and writes as many bare rows with one commit a batch. A pack of
evidence seals its own contact and proves its place; its floor makes and checks the signatures that this takes, and
writes one row durably. What matters is that neither grows with the log.
"""

from __future__ import annotations

import hashlib
import itertools
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from measure import Measured, Work, measure, options, table

from optly import Channel, ConsentManager, Keys, Organisation, Purpose
from optly.storage import SQLStorage

KEYS = Keys(current="a key that only measures")
BATCH = 1000


class Bare:
    """
    A tree of which the right edge is known, and a table of its leaves.
    """

    def __init__(self, directory: Path) -> None:
        self.edge: list[bytes] = []
        self.size = 0
        self.rows = sqlite3.connect(directory / "bare.db", isolation_level=None)
        self.rows.execute("PRAGMA journal_mode = WAL")
        self.rows.execute("PRAGMA synchronous = FULL")
        self.rows.execute("CREATE TABLE leaves (place INTEGER PRIMARY KEY, contact BLOB, version INT, head BLOB)")
        self.rows.execute("CREATE TABLE heads (contact BLOB PRIMARY KEY, dirty INT) WITHOUT ROWID")
        self.rows.execute("CREATE TABLE log (size INTEGER, note BLOB)")

    def add(self, count: int) -> Sequence[tuple[int, bytes, int, bytes]]:
        leaves = [(self.size + n, os.urandom(16), 1, os.urandom(32)) for n in range(count)]
        self.rows.executemany("INSERT INTO heads VALUES (?, 1)", [(contact,) for _, contact, _, _ in leaves])
        return leaves

    def seal(self, leaves: Sequence[tuple[int, bytes, int, bytes]]) -> None:
        for _, contact, _, head in leaves:
            node, bits = hashlib.sha256(b"\0" + contact + head).digest(), self.size
            while bits & 1:
                node, bits = hashlib.sha256(b"\1" + self.edge.pop() + node).digest(), bits >> 1
            self.edge.append(node)
            self.size += 1
        self.rows.execute("BEGIN IMMEDIATE")
        self.rows.executemany("INSERT INTO leaves VALUES (?, ?, ?, ?)", leaves)
        self.rows.executemany(
            "UPDATE heads SET dirty = 0 WHERE contact = ?", [(contact,) for _, contact, _, _ in leaves]
        )
        self.rows.execute("INSERT INTO log VALUES (?, ?)", (self.size, KEYS.sign(b"".join(self.edge))))
        self.rows.execute("COMMIT")


def sign_all(rows: sqlite3.Connection) -> None:
    """
    Make and check the signatures of one pack, and write one row durably.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey

    message = os.urandom(200)
    lasting = KEYS.sign_post_quantum(message)
    assert lasting is not None
    MLDSA44PublicKey.from_public_bytes(KEYS.post_quantum_keys[0]).verify(lasting, message)
    Ed25519PublicKey.from_public_bytes(KEYS.public_keys[0]).verify(KEYS.sign(message), message)
    KEYS.sign(message)
    rows.execute("INSERT INTO log VALUES (?, ?)", (0, lasting))


def add(manager: ConsentManager, numbers: Iterator[int], count: int) -> None:
    """
    Add contacts, many in one commit.
    """
    names = (f"p{number}@example.com" for number in itertools.islice(numbers, count))
    manager.import_objections(names, Channel.EMAIL, how="to be measured")


def measured(manager: ConsentManager, bare: Bare, numbers: Iterator[int], size: int, small: bool) -> list[Measured]:
    """
    Grow the log to *size* leaves, and measure there.
    """
    rounds, repeat, packs = (1, 2, 2) if small else (5, BATCH, 20)
    head = manager.seal()
    missing = size - (head.size if head else 0)
    add(manager, numbers, max(0, missing))
    bare.seal(bare.add(max(0, size - bare.size)))
    manager.seal()

    waiting = (rounds + 1) * repeat
    add(manager, numbers, waiting)
    leaves = iter(bare.add(waiting))

    def floor(count: int) -> None:
        bare.seal(list(itertools.islice(leaves, count)))

    sealed = measure(
        f"a leaf sealed, {size:,} before it",
        floor,
        lambda count: manager.seal(limit=count),
        repeat=repeat,
        rounds=rounds,
    )
    manager.seal()
    names = (f"p{number}@example.com" for number in itertools.islice(numbers, (rounds + 1) * packs))
    contacts = iter([manager.add_contact(email=name) for name in names])

    def sign(count: int) -> None:
        for _ in range(count):
            sign_all(bare.rows)

    def pack(count: int) -> None:
        for contact in itertools.islice(contacts, count):
            manager.evidence(contact)

    packed: Work = pack
    proved = measure(f"evidence, {size:,} leaves before it", sign, packed, repeat=packs, rounds=rounds)
    manager.seal()
    return [sealed, proved]


def main() -> None:
    small = options(__doc__ or "").small
    with tempfile.TemporaryDirectory() as directory:
        manager = ConsentManager(
            organisation=Organisation(key="acme", name="Acme Ltd", address="Leeds", email="a@example.com"),
            purposes=[Purpose(key="offers", title="Offers")],
            storage=SQLStorage(f"sqlite:///{directory}/optly.db"),
            keys=KEYS,
            base_url="https://acme.example.com/my",
        )
        bare, numbers = Bare(Path(directory)), itertools.count()
        sizes = (3, 300) if small else (1_000, 10_000, 100_000)
        rows = [row for size in sizes for row in measured(manager, bare, numbers, size, small)]
        print(table(rows))
        for row in rows[::2]:
            print(f"{row.name}: {1 / row.path:,.0f} leaves a second")
        head = manager.seal()
        assert head is not None
        start = time.perf_counter()
        files = sum(1 for _ in manager.log_files())
        print(f"published: {head.size / (time.perf_counter() - start):,.0f} leaves a second, {files:,} files")
        manager.close()
        bare.rows.close()


if __name__ == "__main__":
    main()
