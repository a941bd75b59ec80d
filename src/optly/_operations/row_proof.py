"""
Verifying the rows around the chains: that none is missing, and that none was written by anyone else.

What must be there follows from the events, which name the lines and the personal values, and from the head, which names
the references and the suppressions. A row that was made without a key is found by its MAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from optly._operations.application import Application
from optly._operations.blind_index import line_values
from optly._operations.owned import Owned
from optly._operations.row_macs import VERSION
from optly.errors import LedgerError
from optly.protocols import Head, RowKind, Suppression
from optly.record import ledger
from optly.record.complaint_references import reference_key
from optly.record.consent import fold
from optly.record.events import ContactErased
from optly.record.ledger import Finding, Opening, Problem
from optly.record.standing import Standing


async def contact_problems(
    app: Application,
    subject: bytes,
    head: Head,
    entries: Sequence[ledger.Entry],
    openings: Mapping[str, Opening],
    sealed: int,
) -> list[Problem]:
    """
    Return what is missing of a contact whose chain and head are whole.

    Args:
        sealed: The version of the latest leaf in the log; 0 if there is none.
    """
    contact, standing = subject.hex(), fold(entry.event() for entry in entries)
    return [
        *_value_problems(contact, entries, openings),
        *await _missing_rows(app, contact, subject, standing, Owned.load(head.named), openings),
        *await _complaint_problems(app, contact, standing),
        *await _wording_problems(app, contact, entries),
        *await _unsealed(app, contact, subject, head, sealed),
    ]


def _value_problems(
    contact: str, entries: Sequence[ledger.Entry], openings: Mapping[str, Opening]
) -> Iterator[Problem]:
    """
    Yield a problem for each personal value that nothing erased and that is gone, or that was erased and is there.
    """
    erased = max((entry.seq for entry in entries if isinstance(entry.event(), ContactErased)), default=0)
    for entry in entries:
        for slot in entry.slots():
            if entry.seq > erased and slot not in openings:
                yield Problem(Finding.MISSING, contact, entry.seq, f"the value of {slot} is gone")
            if entry.seq <= erased and slot in openings:
                yield Problem(
                    Finding.VALUE_ALTERED, contact, entry.seq, f"a value is kept for {slot}, which was erased"
                )


async def _missing_rows(
    app: Application,
    contact: str,
    subject: bytes,
    standing: Standing,
    owned: Owned,
    openings: Mapping[str, Opening],
) -> list[Problem]:
    left = {line.number for line in standing.lines if line.left}
    values = {} if standing.erased_at is not None else line_values(standing, openings)
    kept = {line: app.index.idkeys(address) for line, address in values.items() if line not in left}
    found = await app.storage.find([idkey for idkeys in kept.values() for idkey in idkeys], owned.suppressed())
    problems = [
        Problem(Finding.MISSING, contact, None, f"line {line} is not found by its address")
        for line, idkeys in kept.items()
        if not any(holder.subject == subject for idkey in idkeys for holder in found.holders.get(idkey, ()))
    ]
    stops = {(row.idkey, row.scope, row.mark): row.at for row in found.suppressions}
    if any((name := tuple(key)) not in stops or stops[name] < at for *key, at in owned.suppressions):
        problems.append(Problem(Finding.MISSING, contact, None, "a suppression that the contact left is gone"))
    if found.forged:
        detail = "a row of an address was not written with any of the keys"
        problems.append(Problem(Finding.FORGED, contact, None, detail))
    try:
        referred = await app.storage.referred(owned.references) if owned.references else {}
    except LedgerError:
        problems.append(Problem(Finding.FORGED, contact, None, "a reference was not written with any of the keys"))
    else:
        if any(row not in referred or referred[row].subject != subject for row in owned.references):
            problems.append(Problem(Finding.MISSING, contact, None, "a reference of the contact is gone"))
    return problems


async def _complaint_problems(app: Application, contact: str, standing: Standing) -> list[Problem]:
    organisation, problems = app.settings.organisation.key, []
    for complaint in standing.complaints:
        row = await app.storage.complaint(organisation, reference_key(complaint.id))
        if row is None:
            problems.append(Problem(Finding.MISSING, contact, None, "a complaint is not in the list"))
        elif not app.repository.macs.fits(row):
            detail = "a complaint in the list was not written with any of the keys"
            problems.append(Problem(Finding.FORGED, contact, None, detail))
        elif row.open is not (complaint.resolved_at is None):
            problems.append(Problem(Finding.FORGED, contact, None, "a complaint in the list is not as it was left"))
    return problems


async def _wording_problems(app: Application, contact: str, entries: Sequence[ledger.Entry]) -> list[Problem]:
    from optly.evidence import choices_of

    named = {choice.wording: entry.seq for entry in entries for choice in choices_of(entry.event())}
    known = await app.repository.wordings(named, fresh=True) if named else {}
    return [
        Problem(Finding.WORDING_ALTERED, contact, seq, f"the wording {digest[:12]}… is missing, or has other words")
        for digest, seq in named.items()
        if digest not in known
    ]


async def _unsealed(app: Application, contact: str, subject: bytes, head: Head, sealed: int) -> list[Problem]:
    if head.grown or sealed >= head.version:
        return []
    # It may have been sealed since.
    leaves = (await app.storage.sealed(app.settings.organisation.key, [subject])).get(subject, ())
    log = await app.storage.log_head(app.settings.organisation.key)
    if log is not None and any(
        each.leaf.version >= head.version and each.index < log.checkpoint.size for each in leaves
    ):
        return []
    detail = "the chain has grown, and nothing says that it is to be sealed"
    return [Problem(Finding.LOG, contact, head.version, detail)]


async def row_problems(app: Application) -> list[Problem]:
    """
    Return for each kind of row how many were made without a key, and what is missing of which keys are in use. Rows
    made with a key that is not known here may be another organisation's, and permit nothing here.
    """
    macs, keys, organisation = app.repository.macs, app.settings.keys, app.settings.organisation.key
    names = {mark: key.version for mark, key in zip(keys.marks(organisation), keys.all, strict=True)}
    problems, marked, made = [], set(), {keys.all[0].version}
    for kind in RowKind:
        forged = 0
        try:
            for row in await app.storage.rows(kind):
                if macs.fits(row):
                    made.add(row.mac[:VERSION].hex())
                    if isinstance(row, Suppression) and row.idkey in names:
                        marked.add(frozenset((names[row.idkey], row.key_version)))
                else:
                    forged += macs.knows(row.mac)
        except LedgerError:
            problems.append(Problem(Finding.UNREADABLE, "", None, f"some of the {kind} cannot be read"))
        if forged:
            detail = f"{forged} of the {kind} were not written with any of the keys"
            problems.append(Problem(Finding.FORGED, "", None, detail))
    used = await app.storage.key_versions(organisation)
    if not made <= used or not {frozenset(pair) for pair in combinations(used, 2)} <= marked:
        detail = "which keys are in use is not as it was recorded"
        problems.append(Problem(Finding.MISSING, "", None, detail))
    return problems
