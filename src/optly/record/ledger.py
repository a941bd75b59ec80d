"""
The hash chain of one contact's events, the log over all chains, and the verification of both. Pure.

A chain alone finds accidents only: anyone who can rewrite an event can rewrite the hashes after it. So a sealer appends
one leaf for each chain that grew to an append-only Merkle log and signs its head. Anyone who keeps one signed head, a
*checkpoint*, can later show that nothing before it was altered, removed, reordered or cut off.

Source: RFC 6962 sections 2.1 to 2.1.2; C2SP tlog-checkpoint and signed-note (read 2026-11-23).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum
from itertools import pairwise
from typing import Any

import attrs

from optly.canonical import Json, canonical, parse, timestamp
from optly.errors import SerializationError, UsageError
from optly.record.events import Event
from optly.record.serialization import from_record, tag_of, to_data

GENESIS = bytes(32)
_EVENT, _LEAF, _COMMITMENT = b"optly/e1\0", b"optly/l1\0", b"optly/c1\0"


# ---- one contact's chain


@attrs.frozen
class Opening:
    """
    The opening of a commitment: the value and its salt. Kept beside the ledger, where it can be erased.
    """

    salt: bytes = attrs.field(repr=False)
    value: str = attrs.field(repr=False)

    def commitment(self, slot: str) -> str:
        """
        Return the ledger's commitment to the value in *slot*: 64 hexadecimal digits that reveal nothing without the
        salt.
        """
        return hmac.digest(self.salt, _COMMITMENT + slot.encode() + b"\0" + self.value.encode(), "sha256").hex()


@attrs.frozen(kw_only=True)
class Entry:
    """
    One event in the ledger.

    Attributes:
        seq: Its place in the contact's chain, from 1.
        payload: The canonical bytes that are hashed.
        hash: SHA-256 over the previous hash and the payload, 32 bytes.
    """

    seq: int
    payload: bytes = attrs.field(repr=False)
    hash: bytes = attrs.field(repr=False)

    def event(self, openings: Mapping[str, Opening] | None = None) -> Event:
        """
        Return the event, with the personal values that *openings* still holds for it.

        Raises:
            SerializationError: The payload cannot be read.
        """
        record = self.record()
        slots = record["commitments"]
        return from_record(record, {slot: openings[slot].value for slot in slots if openings and slot in openings})

    def record(self) -> dict[str, Any]:
        """
        Return what was hashed, as an object of JSON with its commitments by slot.

        Raises:
            SerializationError: The payload cannot be read.
        """
        record = parse(self.payload)
        if type(record) is not dict or type(record.setdefault("commitments", {})) is not dict:
            raise SerializationError("a stored record is not that of an event")
        return record

    def slots(self) -> tuple[str, ...]:
        """
        Return the names of the personal values the event commits to.

        Raises:
            SerializationError: The payload cannot be read.
        """
        return tuple(self.record()["commitments"])


def link(previous: bytes, payload: bytes) -> bytes:
    """
    Return the hash of an event whose predecessor has the hash *previous*.
    """
    return hashlib.sha256(_EVENT + previous + payload).digest()


def extend(
    *,
    organisation: str,
    subject: bytes,
    version: int,
    head: bytes,
    events: Sequence[Event],
    salts: Iterable[bytes],
) -> tuple[tuple[Entry, ...], dict[str, Opening]]:
    """
    Return the entries for *events* after event *version*, whose hash is *head*.

    Args:
        salts: 32 random bytes for each personal value, drawn as needed.

    Returns:
        The entries, and the openings of their commitments by slot.

    Raises:
        SerializationError: A value cannot be written in the canonical form.
        UsageError: A value could not be read back.
    """
    take = iter(salts)
    entries = []
    openings: dict[str, Opening] = {}
    for seq, event in enumerate(events, version + 1):
        try:
            opened = {slot: Opening(next(take), value) for slot, value in event.personal.items()}
            record: dict[str, Json] = {
                "organisation": organisation,
                "subject": subject.hex(),
                "seq": seq,
                "type": tag_of(event),
                "occurred_at": timestamp(event.occurred_at),
                "recorded_at": timestamp(event.recorded_at),
                "actor": event.actor.value,
                "grade": event.grade.value,
                "data": to_data(event),
                "commitments": {slot: opening.commitment(slot) for slot, opening in opened.items()},
            }
            unread = from_record(record, event.personal) != event
        except (SerializationError, AttributeError, KeyError, TypeError, UnicodeEncodeError):
            unread = True
        if unread:  # it would raise wherever the contact is read, for ever: for a stop, an erasure, the gate
            raise UsageError(
                f"a value given for {type(event).__name__} is not of its type, so nothing was recorded: pass True or "
                "False for a flag, and a member of its enumeration, or one of their values, for a choice"
            )
        payload = canonical(record)
        head = link(head, payload)
        entries.append(Entry(seq=seq, payload=payload, hash=head))
        openings.update(opened)
    return tuple(entries), openings


# ---- what verification finds


class Finding(StrEnum):
    """
    What is wrong with a record.
    """

    ALTERED = "altered"
    REMOVED = "removed"
    REORDERED = "reordered"
    TRUNCATED = "truncated"
    FOREIGN = "foreign"
    VALUE_ALTERED = "value_altered"
    WORDING_ALTERED = "wording_altered"
    READ_MODEL = "read_model"
    LOG = "log"
    SIGNATURE = "signature"
    UNREADABLE = "unreadable"
    FORGED = "forged"
    MISSING = "missing"


@attrs.frozen
class Problem:
    """
    One problem, where it is, in words without personal data.

    Attributes:
        contact: The contact's id, or empty for a problem of the log as a whole.
        seq: The event it is about, or None.
    """

    finding: Finding
    contact: str
    seq: int | None
    detail: str

    def __str__(self) -> str:
        where = f"contact {self.contact}" if self.contact else "the log"
        return f"{where}{'' if self.seq is None else f', event {self.seq}'}: {self.finding}: {self.detail}"


@attrs.frozen
class Verification:
    """
    The outcome of verifying a record. True if nothing is wrong.

    Attributes:
        problems: Empty if the record is intact.
        events: How many events were read.
        erased: How many commitments no longer have a value, which is not a problem.
        sealed: How many contacts' chains a signed checkpoint covers.
    """

    problems: tuple[Problem, ...]
    events: int
    erased: int = 0
    sealed: int = 0

    def __bool__(self) -> bool:
        return not self.problems


def verify_chain(
    organisation: str,
    contact: str,
    entries: Sequence[Entry],
    *,
    openings: Mapping[str, Opening],
    head: tuple[int, bytes] | None = None,
) -> tuple[Problem, ...]:
    """
    Check one contact's chain from its first event.

    Args:
        entries: In the order in which they are stored.
        openings: The personal values available; each is checked against its commitment.
        head: The length of the chain and its last hash, from a source other than *entries*.
    """
    problems: list[Problem] = []

    def found(finding: Finding, seq: int | None, detail: str) -> None:
        problems.append(Problem(finding, contact, seq, detail))

    seqs = [entry.seq for entry in entries]
    expected = list(range(1, len(entries) + 1))
    if seqs != expected:
        if sorted(seqs) == expected:
            first = next(seq for place, seq in zip(expected, seqs, strict=True) if place != seq)
            found(Finding.REORDERED, first, "the events are not in the order in which they were written")
        ordered = sorted(seqs)
        for before, after in pairwise([0, *ordered]):
            if after > before + 1:
                found(Finding.REMOVED, before + 1, f"{after - before - 1} event(s) from here on are missing")
            elif after == before:
                found(Finding.REORDERED, after, "the event is there twice")

    hashes = {entry.seq: entry.hash for entry in entries}
    commitments: dict[str, str] = {}
    for entry in entries:
        try:
            record = entry.record()
            entry.event()
        except SerializationError:
            found(Finding.UNREADABLE, entry.seq, "the event cannot be read")
            record = {}
        previous = GENESIS if entry.seq == 1 else hashes.get(entry.seq - 1)
        if previous is not None and link(previous, entry.payload) != entry.hash:
            found(Finding.ALTERED, entry.seq, "the event does not have the hash it was recorded with")
        elif record and record.get("seq") != entry.seq:
            found(Finding.REORDERED, entry.seq, "the event was written at another place in the chain")
        if record and (record.get("organisation"), record.get("subject")) != (organisation, contact):
            found(Finding.FOREIGN, entry.seq, "the event was recorded for another contact or organisation")
        for slot, commitment in record.get("commitments", {}).items():
            commitments[slot] = commitment
            if slot in openings and openings[slot].commitment(slot) != commitment:
                found(Finding.VALUE_ALTERED, entry.seq, f"the value kept for {slot} is not the one that was recorded")
    for slot in sorted(openings.keys() - commitments.keys()):
        found(Finding.VALUE_ALTERED, None, f"a value is kept for {slot}, which no event mentions")

    if head is not None:
        version, hash_ = head
        last = max(seqs, default=0)
        if last < version:
            found(Finding.TRUNCATED, last + 1, f"the chain ends after event {last}, but went on to event {version}")
        elif hashes.get(version, GENESIS) != hash_:
            found(Finding.ALTERED, version, "the chain no longer leads to the hash it is known to have had here")
    return tuple(problems)


# ---- the log over all chains


@attrs.frozen(kw_only=True)
class Leaf:
    """
    How far one contact's chain had grown when it was sealed.
    """

    subject: bytes
    version: int
    head: bytes = attrs.field(repr=False)

    def hash(self, organisation: str) -> bytes:
        """
        Return the leaf hash in the Merkle log, 32 bytes.
        """
        body = _LEAF + canonical([organisation, self.subject.hex(), self.version, self.head.hex()])
        return hashlib.sha256(b"\0" + body).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _split(size: int) -> int:
    """
    Return the largest power of two below *size*.
    """
    return 1 << (size - 1).bit_length() - 1


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """
    Return the root over leaf hashes. Source: RFC 6962 section 2.1.
    """
    return edge_root(grow((), 0, leaves))


def grow(edge: Sequence[bytes], size: int, leaves: Iterable[bytes]) -> tuple[bytes, ...]:
    """
    Append *leaves* to a tree of *size* leaves of which only the right *edge* is known.

    The edge holds the roots of the full subtrees from the largest to the smallest, one for each bit set in the size,
    so appending costs the same however long the log is.
    """
    nodes = list(edge)
    for leaf in leaves:
        node, bits = leaf, size
        while bits & 1:
            node = _node(nodes.pop(), node)
            bits >>= 1
        nodes.append(node)
        size += 1
    return tuple(nodes)


def edge_root(edge: Sequence[bytes]) -> bytes:
    """
    Return the root of the tree whose right edge this is.
    """
    if not edge:
        return hashlib.sha256(b"").digest()
    node = edge[-1]
    for left in reversed(edge[:-1]):
        node = _node(left, node)
    return node


def is_edge(edge: Sequence[bytes], head: Checkpoint) -> bool:
    """
    Whether *edge* is the right edge of the tree with that head.
    """
    return len(edge) == head.size.bit_count() and edge_root(edge) == head.root


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """
    Return the proof that leaf *index* is in the tree over *leaves*. Source: RFC 6962 section 2.1.1.
    """
    if len(leaves) == 1:
        return ()
    middle = _split(len(leaves))
    if index < middle:
        return (*inclusion_proof(index, leaves[:middle]), merkle_root(leaves[middle:]))
    return (*inclusion_proof(index - middle, leaves[middle:]), merkle_root(leaves[:middle]))


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """
    Whether *proof* shows that *leaf* is leaf *index* of the tree of *size* leaves with this *root*.
    """
    if not 0 <= index < size:
        return False
    node, rest = leaf, list(proof)
    position, last = index, size - 1
    while last:
        if position & 1 or position != last:
            if not rest:
                return False
            sibling = rest.pop(0)
            node = _node(sibling, node) if position & 1 else _node(node, sibling)
        position >>= 1
        last >>= 1
    return not rest and hmac.compare_digest(node, root)


def consistency_proof(size: int, leaves: Sequence[bytes]) -> tuple[bytes, ...]:
    """
    Return the proof that the tree over *leaves* begins with its first *size* leaves. Source: RFC 6962 section 2.1.2.
    """

    def subproof(size: int, leaves: Sequence[bytes], whole: bool) -> tuple[bytes, ...]:
        if size == len(leaves):
            return () if whole else (merkle_root(leaves),)
        middle = _split(len(leaves))
        if size <= middle:
            return (*subproof(size, leaves[:middle], whole), merkle_root(leaves[middle:]))
        return (*subproof(size - middle, leaves[middle:], False), merkle_root(leaves[:middle]))

    return subproof(size, leaves, True) if size else ()


def consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """
    Whether *proof* shows that the log with *root* only added to the log with *old_root*.

    Source: RFC 9162 section 2.1.4.2, the algorithm for verifying.
    """
    if old_size > size or (old_size == 0 and proof):
        return False
    if old_size == 0:
        return True
    if old_size == size:
        return not proof and hmac.compare_digest(old_root, root)
    rest = list(proof)
    if old_size & (old_size - 1) == 0:
        rest.insert(0, old_root)
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    if not rest:
        return False
    old = new = rest.pop(0)
    for node in rest:
        if not last:
            return False
        if position & 1 or position == last:
            old, new = _node(node, old), _node(node, new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new = _node(new, node)
        position >>= 1
        last >>= 1
    return not last and hmac.compare_digest(old, old_root) and hmac.compare_digest(new, root)


# ---- signed checkpoints


@attrs.frozen(kw_only=True)
class Checkpoint:
    """
    A signed head of the log, as a C2SP signed note.

    Attributes:
        origin: The name of the log.
        size: How many leaves it has.
        root: Their Merkle root, 32 bytes.
        note: The whole note as text: send it to someone outside who can hold you to it.
    """

    origin: str
    size: int
    root: bytes = attrs.field(repr=False)
    note: str = attrs.field(repr=False)


def origin(organisation: str) -> str:
    """
    Return the name of an organisation's log.
    """
    return f"optly/{organisation}"


def _key_id(name: str, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n\x01" + public_key).digest()[:4]


def note_body(name: str, size: int, root: bytes) -> bytes:
    """
    Return the text of a checkpoint, to be signed.
    """
    return f"{name}\n{size}\n{base64.b64encode(root).decode()}\n".encode()


def signed_note(body: bytes, name: str, public_key: bytes, signature: bytes) -> str:
    """
    Return the *body* of a checkpoint with an Ed25519 *signature* below it.
    """
    signed = base64.b64encode(_key_id(name, public_key) + signature).decode()
    return f"{body.decode()}\n— {name} {signed}\n"


def open_note(note: str, public_keys: Iterable[bytes]) -> Checkpoint | None:
    """
    Return the checkpoint in *note*, or None if it is malformed or signed by none of *public_keys*.
    """
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        text, _, signatures = note.rpartition("\n\n")
        body = f"{text}\n".encode()
        name, size, root = text.split("\n")[:3]
        checkpoint = Checkpoint(origin=name, size=int(size), root=base64.b64decode(root, validate=True), note=note)
        signed = [
            base64.b64decode(line.split(" ")[2], validate=True)
            for line in signatures.splitlines()
            if line.startswith(f"— {name} ")
        ]
    except (ValueError, IndexError):
        return None
    for public_key in public_keys:
        for signature in signed:
            if signature[:4] == _key_id(name, public_key):
                try:
                    Ed25519PublicKey.from_public_bytes(public_key).verify(signature[4:], body)
                except (InvalidSignature, ValueError):  # or it is no key
                    continue
                return checkpoint
    return None


def consistency_problem(note: str, public_keys: Iterable[bytes], name: str, leaves: Sequence[bytes]) -> Problem | None:
    """
    Check the log against a checkpoint that was kept: it may only have grown since.

    Args:
        note: The checkpoint as text.
        name: The name of the log.
        leaves: The leaf hashes of the log as it is now.
    """
    kept = open_note(note, public_keys)
    if kept is None or kept.origin != name:
        return Problem(Finding.SIGNATURE, "", None, "the checkpoint that was kept is not one of this log's")
    if kept.size > len(leaves):
        return Problem(Finding.TRUNCATED, "", None, f"the log had {kept.size} leaves and has {len(leaves)} now")
    if merkle_root(leaves[: kept.size]) != kept.root:
        return Problem(Finding.LOG, "", None, "the log no longer begins with what it had when the checkpoint was made")
    return None
