"""
Proof: sealing the log, packing the evidence of a contact, and verifying every record.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from optly._operations.application import Application
from optly._operations.keyed import require_keys
from optly._operations.repository import is_read_model
from optly._operations.row_proof import contact_problems, row_problems
from optly.contacts import Contact
from optly.errors import ConflictError, DamagedError, LedgerError, SerializationError, UsageError
from optly.protocols import Head
from optly.record import ledger
from optly.record.ledger import Finding, Opening, Problem

if TYPE_CHECKING:
    from optly.evidence import EvidencePack

_BATCH: Final = 1000
_ATTEMPTS: Final = 20  # to seal, while another process seals first each time


async def seal(app: Application) -> ledger.Checkpoint | None:
    """
    Append a leaf for every chain that grew, sign the new head and return it. None while there are no records.

    Raises:
        ConflictError: Other processes sealed the log first, again and again.
        DamagedError: The head to extend is not one that we signed, or its edge does not belong to it.
    """
    return await _seal(app, lambda: app.storage.unsealed(app.settings.organisation.key, _BATCH))


async def _seal_contact(app: Application, subject: bytes) -> None:
    """
    Append a leaf for one chain if it grew, however many others wait to be sealed.
    """

    async def grown() -> Sequence[ledger.Leaf]:
        sealed = await app.storage.sealed(app.settings.organisation.key, subject)
        head = (await app.storage.load([subject]))[subject]
        if sealed is not None and sealed.leaf.version >= head.snapshot_version:
            return ()
        return [ledger.Leaf(subject=subject, version=head.snapshot_version, head=head.hash)]

    await _seal(app, grown)


async def _seal(app: Application, grown: Callable[[], Awaitable[Sequence[ledger.Leaf]]]) -> ledger.Checkpoint | None:
    """
    Append the leaves of chains that grew, batch by batch, until there is no full batch of them.
    """
    lost = 0
    while True:
        latest = await app.storage.log_head(app.settings.organisation.key)
        leaves = await grown()
        if not leaves:
            return None if latest is None else latest[0]
        try:
            checkpoint = await _append(app, latest, leaves)
        except ConflictError:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            continue
        lost = 0
        if len(leaves) < _BATCH:
            return checkpoint


async def _append(
    app: Application, latest: tuple[ledger.Checkpoint, Sequence[bytes]] | None, leaves: Sequence[ledger.Leaf]
) -> ledger.Checkpoint:
    key = app.settings.organisation.key
    size, edge = (0, ()) if latest is None else (latest[0].size, latest[1])
    if latest is not None and not (_is_signed(app, latest[0]) and ledger.is_edge(edge, latest[0])):
        await require_keys(app.storage)
        raise DamagedError("the head of the log is not the one that was signed: verify the record")
    grown = ledger.grow(edge, size, [leaf.hash(key) for leaf in leaves])
    checkpoint = _sign(app, size + len(leaves), ledger.edge_root(grown))
    await app.storage.seal(key, leaves, grown, checkpoint, size)
    return checkpoint


def _is_signed(app: Application, head: ledger.Checkpoint) -> bool:
    return head.origin == ledger.origin(app.settings.organisation.key) and head == ledger.open_note(
        head.note, app.settings.keys.public_keys
    )


def _sign(app: Application, size: int, root: bytes) -> ledger.Checkpoint:
    name = ledger.origin(app.settings.organisation.key)
    body = ledger.note_body(name, size, root)
    note = ledger.signed_note(body, name, app.settings.keys.public_keys[0], app.settings.keys.sign(body))
    return ledger.Checkpoint(origin=name, size=size, root=root, note=note)


async def evidence(app: Application, contact: Contact, since: str | None) -> EvidencePack:
    from optly.evidence import EvidencePack, Seal, wordings_named

    known = None if since is None else ledger.open_note(since, app.settings.keys.public_keys)
    if since is not None and (known is None or known.origin != ledger.origin(app.settings.organisation.key)):
        raise UsageError("this is not a checkpoint of this log, or the key that signed it is missing")
    await app.repository.require(contact)
    key, subject = app.settings.organisation.key, contact.subject
    await _seal_contact(app, subject)
    entries = await app.storage.entries(subject)
    latest, sealed = await app.storage.log_head(key), await app.storage.sealed(key, subject)
    proof: Seal | None = None
    if latest is not None and sealed is not None and sealed.index < latest[0].size:
        leaves = [leaf.hash(key) for leaf in await app.storage.log_leaves(key, latest[0].size)]
        size = 0 if known is None else min(known.size, len(leaves))
        proof = Seal(
            checkpoint=latest[0].note,
            index=sealed.index,
            version=sealed.leaf.version,
            head=sealed.leaf.head,
            proof=ledger.inclusion_proof(sealed.index, leaves),
            since=size,
            growth=ledger.consistency_proof(size, leaves),
        )
    return EvidencePack.issue(
        organisation=app.settings.organisation,
        contact=contact.id,
        issued_at=app.settings.clock(),
        entries=entries,
        openings=await app.repository.openings(subject),
        wordings=await app.repository.wordings(wordings_named(entries)),
        seal=proof,
        keys=app.settings.keys,
    )


async def verify(app: Application, checkpoint: str | None) -> ledger.Verification:
    """
    Verify every chain, every read model, and the log with its signed head.
    """
    key = app.settings.organisation.key
    latest = await app.storage.log_head(key)
    leaves: Sequence[ledger.Leaf] = () if latest is None else await app.storage.log_leaves(key, latest[0].size)
    problems = list(_log_problems(app, latest, leaves, checkpoint))
    by_subject: dict[bytes, list[ledger.Leaf]] = {}
    for leaf in leaves:
        by_subject.setdefault(leaf.subject, []).append(leaf)
    events = erased = sealed = 0
    for subject in await app.storage.subjects(key):
        contact_problems, event_count, erased_count = await _verify_contact(app, subject, by_subject.pop(subject, []))
        problems.extend(contact_problems)
        events, erased = events + event_count, erased + erased_count
        sealed += not contact_problems
    problems.extend(
        Problem(Finding.TRUNCATED, subject.hex(), 1, "the log has an entry for this contact, but no event is left")
        for subject in by_subject
    )
    problems.extend(await row_problems(app))
    return ledger.Verification(problems=tuple(problems), events=events, erased=erased, sealed=sealed if leaves else 0)


def _log_problems(
    app: Application,
    latest: tuple[ledger.Checkpoint, Sequence[bytes]] | None,
    leaves: Sequence[ledger.Leaf],
    known: str | None,
) -> list[Problem]:
    key = app.settings.organisation.key
    hashes = [leaf.hash(key) for leaf in leaves]
    problems = []
    if latest is not None:
        stored = latest[0]
        if not _is_signed(app, stored):
            detail = "the head of the log is not signed with any of the keys given"
            problems.append(Problem(Finding.SIGNATURE, "", None, detail))
        whole = len(leaves) == stored.size and ledger.merkle_root(hashes) == stored.root
        if not (whole and ledger.is_edge(latest[1], stored)):
            problems.append(Problem(Finding.LOG, "", None, "the log does not match the root that its head signs"))
    if known is not None:
        problem = ledger.consistency_problem(known, app.settings.keys.public_keys, ledger.origin(key), hashes)
        problems.extend([] if problem is None else [problem])
    return problems


async def _verify_contact(
    app: Application, subject: bytes, leaves: Sequence[ledger.Leaf]
) -> tuple[list[Problem], int, int]:
    """
    Return the problems of one contact, the number of its events and the number of erased values.
    """
    contact = subject.hex()
    head: Head | None = (await app.storage.load([subject])).get(subject)
    try:
        entries = await app.storage.entries(subject)
    except LedgerError:
        return [Problem(Finding.UNREADABLE, contact, None, "the events cannot be read")], 0, 0
    problems: list[Problem] = []
    openings: Mapping[str, Opening] = {}
    try:
        openings = await app.repository.openings(subject)
    except LedgerError:
        problems.append(Problem(Finding.UNREADABLE, contact, None, "the personal values cannot be read"))
    problems.extend(
        ledger.verify_chain(
            app.settings.organisation.key,
            contact,
            entries,
            openings=openings,
            head=None if head is None else (head.snapshot_version, head.hash),
        )
    )
    hashes = {entry.seq: entry.hash for entry in entries}
    for leaf in leaves:
        if leaf.version > len(entries):
            detail = f"the log counts {leaf.version} events, but {len(entries)} are left"
            problems.append(Problem(Finding.TRUNCATED, contact, len(entries) + 1, detail))
        elif hashes.get(leaf.version, ledger.GENESIS) != leaf.head:
            detail = "the chain does not lead to the hash that was sealed"
            problems.append(Problem(Finding.ALTERED, contact, leaf.version, detail))
    if head is not None and not app.repository.is_genuine(subject, head):
        problems.append(Problem(Finding.FORGED, contact, None, "the head was not written with any of the keys"))
    if not problems and head is not None:
        problems.extend(_read_model_problems(contact, head, entries))
    if not problems and head is not None:
        sealed = max((leaf.version for leaf in leaves), default=0)
        problems.extend(await contact_problems(app, subject, head, entries, openings, sealed))
    erased = 0
    for entry in entries:
        try:
            erased += sum(slot not in openings for slot in entry.slots())
        except SerializationError:
            continue
    return problems, len(entries), erased


def _read_model_problems(contact: str, head: Head, entries: Sequence[ledger.Entry]) -> list[Problem]:
    if not is_read_model(head, entries):
        detail = "the stored read model does not match the events"
        return [Problem(Finding.READ_MODEL, contact, None, detail)]
    return []
