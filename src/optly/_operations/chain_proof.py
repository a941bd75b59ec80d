"""
Verifying the chains of contacts by themselves. Pure, and needs no key, so that other processes can do it.

Each payload is hashed as it is stored and read once. What else the store must hold follows from it (see `row_proof`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import attrs

from optly._operations.blind_index import line_values
from optly._operations.repository import is_read_model
from optly.contacts import Address
from optly.protocols import Head
from optly.record import ledger
from optly.record.consent import fold
from optly.record.events import ContactErased, Event
from optly.record.ledger import Entry, Finding, Leaf, Opening, Problem, ReadEntry
from optly.record.standing import Standing


@attrs.frozen(kw_only=True)
class Chain:
    """
    The chain of a contact, and what is stored around it.

    Attributes:
        head: None if there is none.
        genuine: Whether the head was written with one of the keys.
        openings: None if they cannot be read.
        leaves: Its leaves.
        sealed: The version in the latest of them that is in the log as its head says it is; 0 if none is.
    """

    organisation: str
    subject: bytes
    head: Head | None
    genuine: bool
    entries: list[Entry] = attrs.field(repr=False)
    openings: dict[str, Opening] | None = attrs.field(repr=False)
    leaves: list[Leaf]
    sealed: int


@attrs.frozen(kw_only=True)
class Expected:
    """
    What must be there besides a chain that is whole.

    Attributes:
        addresses: By line, the addresses that the contact is found by.
        complaints: The id of each, and whether it is open.
        wordings: The digests of those the events name, each with the last event that does.
    """

    addresses: Mapping[int, Address] = attrs.field(repr=False)
    complaints: Sequence[tuple[str, bool]]
    wordings: Mapping[str, int]


@attrs.frozen(kw_only=True)
class Checked:
    """
    What was found in a chain.

    Attributes:
        events: How many there are.
        erased: How many personal values are gone.
        expected: None if the chain, the head or the read model is not whole.
    """

    problems: Sequence[Problem]
    events: int = 0
    erased: int = 0
    expected: Expected | None = None


def check_chain(chain: Chain) -> Checked:
    """
    Verify one chain with its head, its leaves, its personal values and its read model.
    """
    contact, head, openings = chain.subject.hex(), chain.head, chain.openings or {}
    entries = [ledger.read(entry) for entry in chain.entries]
    problems: list[Problem] = []
    if chain.openings is None:
        problems.append(Problem(Finding.UNREADABLE, contact, None, "the personal values cannot be read"))
    known = None if head is None else (head.snapshot_version, head.hash)
    problems.extend(ledger.verify_read(chain.organisation, contact, entries, openings=openings, head=known))
    problems.extend(_leaf_problems(contact, chain))
    if head is not None and not chain.genuine:
        problems.append(Problem(Finding.FORGED, contact, None, "the head was not written with any of the keys"))
    expected = None
    if not problems and head is not None:
        # No event of a chain without a problem is unreadable.
        events = [each.event for each in entries if each.event is not None]
        standing = fold(events)
        if is_read_model(head, len(events), standing):
            expected = _expected(events, standing, openings)
            problems.extend(_value_problems(contact, entries, openings))
        else:
            detail = "the stored read model does not match the events"
            problems.append(Problem(Finding.READ_MODEL, contact, None, detail))
    erased = sum(slot not in openings for each in entries for slot in each.slots)
    return Checked(problems=problems, events=len(entries), erased=erased, expected=expected)


def _leaf_problems(contact: str, chain: Chain) -> Iterator[Problem]:
    hashes = {entry.seq: entry.hash for entry in chain.entries}
    for leaf in chain.leaves:
        if leaf.version > len(chain.entries):
            detail = f"the log counts {leaf.version} events, but {len(chain.entries)} are left"
            yield Problem(Finding.TRUNCATED, contact, len(chain.entries) + 1, detail)
        elif hashes.get(leaf.version, ledger.GENESIS) != leaf.head:
            detail = "the chain does not lead to the hash that was sealed"
            yield Problem(Finding.ALTERED, contact, leaf.version, detail)


def _value_problems(contact: str, entries: Sequence[ReadEntry], openings: Mapping[str, Opening]) -> Iterator[Problem]:
    """
    Yield a problem for each personal value that nothing erased and that is gone, or that was erased and is there.
    """
    erased = max((each.seq for each in entries if isinstance(each.event, ContactErased)), default=0)
    for each in entries:
        for slot in each.slots:
            if each.seq > erased and slot not in openings:
                yield Problem(Finding.MISSING, contact, each.seq, f"the value of {slot} is gone")
            if each.seq <= erased and slot in openings:
                yield Problem(Finding.VALUE_ALTERED, contact, each.seq, f"a value is kept for {slot}, which was erased")


def _expected(events: Sequence[Event], standing: Standing, openings: Mapping[str, Opening]) -> Expected:
    from optly.evidence import choices_of

    left = {line.number for line in standing.lines if line.left}
    values = {} if standing.erased_at is not None else line_values(standing, openings)
    return Expected(
        addresses={line: address for line, address in values.items() if line not in left},
        complaints=[(complaint.id, complaint.resolved_at is None) for complaint in standing.complaints],
        wordings={choice.wording: seq for seq, event in enumerate(events, 1) for choice in choices_of(event)},
    )
