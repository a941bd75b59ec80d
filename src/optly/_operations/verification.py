"""
Verifying the whole record in one pass: contacts in batches, as many at once as have so many events.

A batch is read in a few round trips, and never grows beyond what one contact has. What it finds is a suspicion: each
contact with a problem is verified again by itself, for something may have been recorded between two reads, and one row
that cannot be read spoils the batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs

from optly import typed
from optly._operations import anchoring, log
from optly._operations.application import Application
from optly._operations.batches import batched
from optly._operations.chain_proof import Chain, Checked
from optly._operations.checking import Check, Checking
from optly._operations.row_proof import Whole, contact_problems, row_problems
from optly._operations.running import Wrap
from optly.errors import LedgerError
from optly.protocols import Head
from optly.record.ledger import Finding, Problem, Verification

# How many contacts, and how many events, are read at once.
_CONTACTS: Final = 500
_EVENTS: Final = 2000

# Called with how many contacts are verified, and how many there are.
Report = Callable[[int, int], object]


@attrs.define
class _Result:
    problems: list[Problem] = attrs.field(factory=list)
    events: int = 0
    erased: int = 0
    contacts: int = 0
    whole: int = 0

    def add(self, found: Iterable[Checked]) -> None:
        for each in found:
            self.problems.extend(each.problems)
            self.events += each.events
            self.erased += each.erased
            self.contacts += 1
            self.whole += not each.problems


async def verify(
    app: Application, checkpoint: str | None, *, wrap: Wrap, processes: int, report: Report | None
) -> Verification:
    """
    Verify every chain, every read model, and the log with its signed head and against the anchors.

    Args:
        wrap: Runs what takes time beside an event loop.
        processes: How many processes check chains.
    """
    key = app.settings.organisation.key
    head = await app.storage.log_head(key)
    result = _Result([*await log.problems(app, head, checkpoint), *await anchoring.problems(app)])
    count = 0 if report is None else sum(1 for _ in await app.storage.subjects(key))
    with Checking(wrap, processes) as checking:
        async for found in _checked(app, checking):
            result.add(found)
            if report is not None:
                report(result.contacts, max(count, result.contacts))
    result.problems.extend(await row_problems(app))
    return Verification(
        problems=tuple(result.problems),
        events=result.events,
        erased=result.erased,
        sealed=0 if head is None else result.whole,
    )


async def _checked(app: Application, checking: Checking) -> AsyncIterator[Sequence[Checked]]:
    """
    Yield what is found of each batch, in order, while others are under way.
    """
    under_way: deque[tuple[Sequence[bytes], Sequence[Chain], Check | None]] = deque()
    async for heads in _batches(app):
        try:
            chains = await _read(app, heads)
            under_way.append((list(heads), chains, checking.begin(chains)))
        except LedgerError:
            under_way.append((list(heads), (), None))
        if len(under_way) > checking.ahead:
            yield await _finish(app, checking, *under_way.popleft())
    while under_way:
        yield await _finish(app, checking, *under_way.popleft())


async def _batches(app: Application) -> AsyncIterator[Mapping[bytes, Head | None]]:
    """
    Yield every contact with its head, so many at once that their events do not fill the memory.
    """
    for subjects in batched(await app.storage.subjects(app.settings.organisation.key), _CONTACTS):
        heads = await app.storage.load(subjects)
        batch: dict[bytes, Head | None] = {}
        events = 0
        for subject in subjects:
            head = heads.get(subject)
            more = 0 if head is None else head.version
            if batch and events + more > _EVENTS:
                yield batch
                batch, events = {}, 0
            batch[subject] = head
            events += more
        if batch:
            yield batch


async def _read(app: Application, heads: Mapping[bytes, Head | None]) -> list[Chain]:
    """
    Read the chains of contacts with all that is checked against them.

    Raises:
        LedgerError: An event or a personal value of one of them cannot be read.
    """
    subjects, key = list(heads), app.settings.organisation.key
    # The leaves first: what was sealed is in the chains that are read after them.
    leaves, size = await app.storage.sealed(key, subjects), await log.size(app)
    entries = await app.storage.chains(subjects)
    openings = await app.storage.openings(subjects)
    return [
        Chain(
            organisation=key,
            subject=subject,
            head=head,
            genuine=head is not None and app.repository.is_genuine(subject, head),
            entries=list(entries.get(subject, ())),
            openings=dict(openings.get(subject, {})),
            leaves=[each.leaf for each in leaves.get(subject, ())],
            sealed=log.sealed_version(leaves.get(subject, ()), size),
        )
        for subject, head in heads.items()
    ]


async def _finish(
    app: Application, checking: Checking, subjects: Sequence[bytes], chains: Sequence[Chain], check: Check | None
) -> list[Checked]:
    """
    Return what is found of a batch. Every contact with a problem, or of a batch that could not be read, is verified
    by itself.
    """
    if check is None:
        return [await _alone(app, checking, subject) for subject in subjects]
    found = await _with_rows(app, chains, await check())
    return [
        await _alone(app, checking, subject) if each.problems else each
        for subject, each in zip(subjects, found, strict=True)
    ]


async def _alone(app: Application, checking: Checking, subject: bytes) -> Checked:
    """
    Verify one contact by itself.
    """
    key, contact = app.settings.organisation.key, subject.hex()
    leaves, size = (await app.storage.sealed(key, [subject])).get(subject, ()), await log.size(app)
    head = (await app.storage.load([subject])).get(subject)
    try:
        entries = await app.storage.entries(subject)
    except LedgerError:
        return Checked(problems=[Problem(Finding.UNREADABLE, contact, None, "the events cannot be read")])
    try:
        openings = dict(await app.repository.all_openings(subject))
    except LedgerError:
        openings = None
    chain = Chain(
        organisation=key,
        subject=subject,
        head=head,
        genuine=head is not None and app.repository.is_genuine(subject, head),
        entries=list(entries),
        openings=openings,
        leaves=[each.leaf for each in leaves],
        sealed=log.sealed_version(leaves, size),
    )
    (found,) = await _with_rows(app, [chain], await checking.here([chain]))
    return found


async def _with_rows(app: Application, chains: Sequence[Chain], found: Sequence[Checked]) -> list[Checked]:
    """
    Add what is missing of the contacts whose chains are whole.
    """
    whole = [
        Whole(
            subject=chain.subject,
            head=chain.head,
            expected=each.expected,
            sealed=chain.sealed,
        )
        for chain, each in zip(chains, found, strict=True)
        if chain.head is not None and each.expected is not None
    ]
    missing = await contact_problems(app, whole)
    return [
        typed.evolve(each, problems=[*each.problems, *more]) if (more := missing.get(chain.subject)) else each
        for chain, each in zip(chains, found, strict=True)
    ]
