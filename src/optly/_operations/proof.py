"""
Proof: packing the evidence of a contact, and verifying every record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from optly._operations import anchoring, log
from optly._operations.application import Application
from optly._operations.repository import is_read_model
from optly._operations.row_proof import contact_problems, row_problems
from optly._operations.sealing import seal_contact
from optly.contacts import Contact
from optly.errors import LedgerError, SerializationError
from optly.protocols import Head
from optly.record import ledger, merkle
from optly.record.ledger import Finding, Opening, Problem

if TYPE_CHECKING:
    from optly.evidence import EvidencePack


async def evidence(app: Application, contact: Contact, since: str | None) -> EvidencePack:
    from optly.evidence import EvidencePack, Seal, wordings_named

    await app.repository.require(contact)
    key, subject = app.settings.organisation.key, contact.subject
    known = None if since is None else log.require_own(app, await app.storage.log_head(key), since)
    await seal_contact(app, subject)
    entries = await app.storage.entries(subject)
    # The head last, so that it covers the leaf although others seal meanwhile.
    sealed, head = (await app.storage.sealed(key, [subject])).get(subject), await app.storage.log_head(key)
    proof: Seal | None = None
    if head is not None and sealed and sealed[-1].index < head.checkpoint.size:
        index, leaf = sealed[-1].index, sealed[-1].leaf
        size = 0 if known is None else min(known.size, head.checkpoint.size)
        path, growth = merkle.path(index, head.checkpoint.size), merkle.growth(size, head.checkpoint.size)
        roots = await log.roots(app, [*path, *growth])
        proof = Seal(
            checkpoint=head.checkpoint.note,
            index=index,
            version=leaf.version,
            head=leaf.head,
            blind=leaf.blind(head.secret),
            proof=roots[: len(path)],
            since=size,
            growth=roots[len(path) :],
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
    Verify every chain, every read model, and the log with its signed head and against the anchors.
    """
    key = app.settings.organisation.key
    head = await app.storage.log_head(key)
    problems = [*await log.problems(app, head, checkpoint), *await anchoring.problems(app)]
    events = erased = sealed = 0
    for subject in await app.storage.subjects(key):
        leaves = [each.leaf for each in (await app.storage.sealed(key, [subject])).get(subject, ())]
        found, event_count, erased_count = await _verify_contact(app, subject, leaves)
        problems.extend(found)
        events, erased = events + event_count, erased + erased_count
        sealed += not found
    problems.extend(await row_problems(app))
    return ledger.Verification(
        problems=tuple(problems), events=events, erased=erased, sealed=0 if head is None else sealed
    )


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
