"""
The hash chain of one contact's events, its leaf in the log over all chains, and the verification of a chain. Pure.

A chain alone finds accidents only: anyone who can rewrite an event can rewrite the hashes after it. So a sealer appends
one leaf for each chain that grew to an append-only Merkle log (see `merkle`) and signs its head (see `checkpoints`).
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from enum import StrEnum
from itertools import pairwise
from typing import Any

import attrs

from optly.canonical import canonical, encoded, parse, require_names
from optly.errors import SerializationError, UsageError
from optly.record.events import Event
from optly.record.serialization import from_record, to_record

GENESIS = bytes(32)
_START, _EVENT, _COMMITMENT, _BLIND = b"optly/s1\0", b"optly/e1\0", b"optly/c1\0", b"optly/b1\0"
SALT = 16  # bytes
_OPEN_LEAF, _LEAF = b"optly/l1\0", b"optly/l2\0"


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
        Return the ledger's commitment to the value in *slot*: 43 letters of URL-safe base64 that reveal nothing without
        the salt. One under a salt of 32 bytes is from a pack of the first format, and has 64 hexadecimal digits.
        """
        digest = hmac.digest(self.salt, _COMMITMENT + slot.encode() + b"\0" + self.value.encode(), "sha256")
        return urlsafe_b64encode(digest)[:-1].decode() if len(self.salt) == SALT else digest.hex()


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


@attrs.frozen(kw_only=True)
class ReadEntry:
    """
    An entry whose payload was read.

    Attributes:
        record: What was hashed, as an object of JSON; None if it cannot be read.
        event: The event, without personal values; None if it cannot be read.
        slots: The names of the personal values the event commits to.
    """

    entry: Entry
    record: Mapping[str, Any] | None = attrs.field(repr=False)
    event: Event | None
    slots: tuple[str, ...]

    @property
    def seq(self) -> int:
        return self.entry.seq


def read(entry: Entry) -> ReadEntry:
    """
    Read an entry once, for all that looks into it.
    """
    record, event = None, None
    with suppress(SerializationError):
        record = entry.record()
        event = from_record(record, {})
    slots = () if record is None else tuple(record["commitments"])
    return ReadEntry(entry=entry, record=record, event=event, slots=slots)


def start(organisation: str, contact: str) -> bytes:
    """
    Return what comes before the first event of a contact, so that an event is chained to them and need not name them.
    """
    return hashlib.sha256(_START + canonical([organisation, contact])).digest()


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
    Return the entries for *events* after event *version*, whose hash is *head*; `GENESIS` if there is none.

    Args:
        salts: `SALT` random bytes for each personal value, drawn as needed.

    Returns:
        The entries, and the openings of their commitments by slot.

    Raises:
        SerializationError: A value cannot be written in the canonical form.
        UsageError: A value could not be read back.
    """
    take = iter(salts)
    entries = []
    openings: dict[str, Opening] = {}
    if not version:
        head = start(organisation, subject.hex())
    for seq, event in enumerate(events, version + 1):
        try:
            opened = {slot: Opening(next(take), value) for slot, value in event.personal.items()}
            record = to_record(event, seq, {slot: opening.commitment(slot) for slot, opening in opened.items()})
            unread = from_record(record, event.personal) != event
        except (SerializationError, AttributeError, KeyError, TypeError, UnicodeEncodeError):
            unread = True
        if unread:  # it would raise wherever the contact is read, for ever: for a stop, an erasure, the gate
            raise UsageError(
                f"a value given for {type(event).__name__} is not of its type, so nothing was recorded: pass True or "
                "False for a flag, and a member of its enumeration, or one of their values, for a choice"
            )
        require_names(opened)
        payload = encoded(record)
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
    return verify_read(organisation, contact, [read(entry) for entry in entries], openings=openings, head=head)


def verify_read(
    organisation: str,
    contact: str,
    entries: Sequence[ReadEntry],
    *,
    openings: Mapping[str, Opening],
    head: tuple[int, bytes] | None = None,
) -> tuple[Problem, ...]:
    """
    Check one contact's chain as `verify_chain` does, whose entries were read.
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

    hashes = {each.seq: each.entry.hash for each in entries}
    commitments: dict[str, str] = {}
    for each in entries:
        entry, record = each.entry, each.record or {}
        if each.event is None:
            found(Finding.UNREADABLE, entry.seq, "the event cannot be read")
            record = {}
        previous = hashes.get(entry.seq - 1)
        if entry.seq == 1:
            # In a pack of the first format each event names its contact, and its chain begins with nobody.
            previous = GENESIS if "organisation" in (each.record or {}) else start(organisation, contact)
        if previous is not None and link(previous, entry.payload) != entry.hash:
            found(Finding.ALTERED, entry.seq, "the event does not have the hash it was recorded with")
        elif record and record.get("seq") != entry.seq:
            found(Finding.REORDERED, entry.seq, "the event was written at another place in the chain")
        if (record.get("organisation", organisation), record.get("subject", contact)) != (organisation, contact):
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


# ---- a chain's leaf in the log over all chains


@attrs.frozen(kw_only=True)
class Leaf:
    """
    How far one contact's chain had grown when it was sealed.
    """

    subject: bytes
    version: int
    head: bytes = attrs.field(repr=False)

    def blind(self, secret: bytes) -> bytes:
        """
        Return what opens its entry in the log whose *secret* this is, 32 bytes, and no other entry.
        """
        return hmac.digest(secret, _BLIND + self.subject + self.version.to_bytes(8), "sha256")

    def entry(self, organisation: str, blind: bytes | None) -> bytes:
        """
        Return its entry in the log: a hash that reveals nothing without *blind*.

        Args:
            blind: None for an entry from before entries were blinded, which names the contact.

        Raises:
            SerializationError: The version is too large.
        """
        content = canonical([organisation, self.subject.hex(), self.version, self.head.hex()])
        return _OPEN_LEAF + content if blind is None else _LEAF + hmac.digest(blind, content, "sha256")
