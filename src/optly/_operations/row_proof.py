"""
Verifying the rows around the chains: that none is missing, and that none was written by anyone else.

What must be there follows from the events, which name the lines and the personal values, and from the head, which names
the references and the suppressions. A row that was made without a key is found by its MAC.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, combinations
from typing import TypeAlias

import attrs

from optly._operations import log
from optly._operations.application import Application
from optly._operations.chain_proof import Expected
from optly._operations.owned import Owned
from optly._operations.row_macs import VERSION
from optly.errors import LedgerError
from optly.protocols import Head, RowKind, Suppression
from optly.record.complaint_references import reference_key
from optly.record.ledger import Finding, Problem


@attrs.frozen(kw_only=True)
class Whole:
    """
    A contact whose chain, head and read model are whole.

    Attributes:
        sealed: The version of the latest leaf in the log; 0 if there is none.
    """

    subject: bytes
    head: Head
    expected: Expected
    sealed: int


async def contact_problems(app: Application, contacts: Sequence[Whole]) -> dict[bytes, list[Problem]]:
    """
    Return what is missing of contacts, by contact. Only of one alone it is certain: a row that cannot be read is a
    problem of each that may need it.
    """
    problems: dict[bytes, list[Problem]] = {each.subject: [] for each in contacts}
    for find in (_missing_rows, _missing_references, _complaint_problems, _wording_problems, _unsealed):
        for subject, problem in await find(app, contacts):
            problems[subject].append(problem)
    return problems


# A contact and what is missing of it.
Missing: TypeAlias = tuple[bytes, Problem]


def _problem(finding: Finding, each: Whole, detail: str, seq: int | None = None) -> Missing:
    return each.subject, Problem(finding, each.subject.hex(), seq, detail)


async def _missing_rows(app: Application, contacts: Sequence[Whole]) -> list[Missing]:
    lines = {
        each.subject: {line: app.index.idkeys(address) for line, address in each.expected.addresses.items()}
        for each in contacts
    }
    owned = {each.subject: Owned.load(each.head.named) for each in contacts}
    found = await app.storage.find(
        [idkey for of in lines.values() for idkeys in of.values() for idkey in idkeys],
        [idkey for of in owned.values() for idkey in of.suppressed()],
    )
    stops = {(row.idkey, row.scope, row.mark): row.at for row in found.suppressions}
    problems = []
    for each in contacts:
        own, suppressions = lines[each.subject], owned[each.subject].suppressions
        for line, idkeys in own.items():
            holders = (holder.subject for idkey in idkeys for holder in found.holders.get(idkey, ()))
            if each.subject not in holders:
                problems.append(_problem(Finding.MISSING, each, f"line {line} is not found by its address"))
        if any((name := tuple(key)) not in stops or stops[name] < at for *key, at in suppressions):
            problems.append(_problem(Finding.MISSING, each, "a suppression that the contact left is gone"))
        if found.forged and not found.forged.isdisjoint([*chain(*own.values()), *owned[each.subject].suppressed()]):
            detail = "a row of an address was not written with any of the keys"
            problems.append(_problem(Finding.FORGED, each, detail))
    return problems


async def _missing_references(app: Application, contacts: Sequence[Whole]) -> list[Missing]:
    references = [(each, named) for each in contacts if (named := Owned.load(each.head.named).references)]
    try:
        wanted = [idkey for _, idkeys in references for idkey in idkeys]
        referred = await app.storage.referred(wanted) if wanted else {}
    except LedgerError:
        detail = "a reference was not written with any of the keys"
        return [_problem(Finding.FORGED, each, detail) for each, _ in references]
    return [
        _problem(Finding.MISSING, each, "a reference of the contact is gone")
        for each, idkeys in references
        if any(idkey not in referred or referred[idkey].subject != each.subject for idkey in idkeys)
    ]


async def _complaint_problems(app: Application, contacts: Sequence[Whole]) -> list[Missing]:
    organisation, problems = app.settings.organisation.key, []
    for each in contacts:
        for complaint, is_open in each.expected.complaints:
            row = await app.storage.complaint(organisation, reference_key(complaint))
            if row is None:
                problems.append(_problem(Finding.MISSING, each, "a complaint is not in the list"))
            elif not app.repository.macs.fits(row):
                detail = "a complaint in the list was not written with any of the keys"
                problems.append(_problem(Finding.FORGED, each, detail))
            elif row.open is not is_open:
                problems.append(_problem(Finding.FORGED, each, "a complaint in the list is not as it was left"))
    return problems


async def _wording_problems(app: Application, contacts: Sequence[Whole]) -> list[Missing]:
    named = {digest for each in contacts for digest in each.expected.wordings}
    known = await app.repository.wordings(named, fresh=True) if named else {}
    return [
        _problem(Finding.WORDING_ALTERED, each, f"the wording {digest[:12]}… is missing, or has other words", seq)
        for each in contacts
        for digest, seq in each.expected.wordings.items()
        if digest not in known
    ]


async def _unsealed(app: Application, contacts: Sequence[Whole]) -> list[Missing]:
    doubtful = [each for each in contacts if not each.head.grown and each.sealed < each.head.version]
    if not doubtful:
        return []
    # They may have been sealed since.
    leaves = await app.storage.sealed(app.settings.organisation.key, [each.subject for each in doubtful])
    size = await log.size(app)
    detail = "the chain has grown, and nothing says that it is to be sealed"
    return [
        _problem(Finding.LOG, each, detail, each.head.version)
        for each in doubtful
        if log.sealed_version(leaves.get(each.subject, ()), size) < each.head.version
    ]


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
