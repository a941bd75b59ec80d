"""
Sealing: a leaf for every chain that grew goes into the log, and its new head is signed.

It costs what is new and a few tiles, however long the log is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from optly import typed
from optly._operations import anchoring, log
from optly._operations.application import Application
from optly._operations.keyed import require_keys
from optly.errors import ConflictError, DamagedError
from optly.protocols import LogHead
from optly.record import checkpoints, merkle
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Leaf
from optly.record.merkle import Tile

_BATCH: Final = 1000
_ATTEMPTS: Final = 20  # to seal, while another process seals first each time
_SECRET: Final = 32


async def seal(app: Application, limit: int | None = None) -> Checkpoint | None:
    """
    Append a leaf for every chain that grew, sign the new head and return it. None while there are no records.

    Args:
        limit: How many chains to seal at most. The next call goes on with the rest.

    Raises:
        ConflictError: Other processes sealed the log first, again and again.
        DamagedError: The head to extend is not one that we signed, its tiles do not belong to it, or it does not extend
            what an anchor holds.
    """
    return await _seal(app, lambda most: app.storage.unsealed(app.settings.organisation.key, most), limit)


async def seal_contact(app: Application, subject: bytes) -> None:
    """
    Append a leaf for one chain if it grew, however many others wait to be sealed.

    Raises:
        ConflictError: As for `seal`.
        DamagedError: As for `seal`, or a leaf of the chain is beyond the head of the log.
    """

    async def grown(_most: int) -> Sequence[Leaf]:
        # The leaves before the size: what others seal meanwhile is within it.
        leaves = (await app.storage.sealed(app.settings.organisation.key, [subject])).get(subject, ())
        size = await log.size(app)
        if any(leaf.index >= size for leaf in leaves):
            raise DamagedError("the log has more leaves than its head says: verify the record")
        head = (await app.storage.load([subject]))[subject]
        if log.sealed_version(leaves, size) >= head.snapshot_version:
            return ()
        return [Leaf(subject=subject, version=head.snapshot_version, head=head.hash)]

    await _seal(app, grown, 1)


async def _seal(
    app: Application, grown: Callable[[int], Awaitable[Sequence[Leaf]]], limit: int | None
) -> Checkpoint | None:
    """
    Append the leaves of chains that grew, batch by batch, until there are no more of them or the limit is reached.
    """
    app.require_commits("a seal, which evidence has,")
    await anchoring.require(app)
    lost = sealed = 0
    while True:
        most = _BATCH if limit is None else max(0, min(_BATCH, limit - sealed))
        head = await app.storage.log_head(app.settings.organisation.key)
        leaves = await grown(most) if most else ()
        if not leaves:
            checkpoint = None if head is None else head.checkpoint
            break
        try:
            checkpoint = await _append(app, head, leaves)
        except ConflictError:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            continue
        lost = 0
        sealed += len(leaves)
        if len(leaves) < most or sealed == limit:
            break
    if checkpoint is not None:
        await anchoring.publish(app, checkpoint)
    return checkpoint


async def _append(app: Application, head: LogHead | None, leaves: Sequence[Leaf]) -> Checkpoint:
    key = app.settings.organisation.key
    if head is None:
        head = _born(app)
    size = head.checkpoint.size
    edge = await log.tiles(app, merkle.edge(size))
    if size and not (log.is_ours(app, head.checkpoint) and merkle.root(edge, (0, size)) == head.checkpoint.root):
        await require_keys(app.storage)
        raise DamagedError("the head of the log is not the one that was signed: verify the record")
    grown = merkle.grow(size, edge, log.leaf_hashes(app, head, leaves))
    size += len(leaves)
    root = merkle.root({**edge, **grown}, (0, size))
    assert root is not None
    checkpoint = checkpoints.sign(app.settings.keys, head.checkpoint.origin, size, root, app.settings.clock())
    await app.storage.seal(
        key,
        typed.evolve(head, checkpoint=checkpoint),
        leaves,
        [Tile(*place, data) for place, data in grown.items()],
        head.checkpoint.size,
    )
    return checkpoint


def _born(app: Application) -> LogHead:
    """
    Return the head of a log that is about to begin, which nobody has signed.
    """
    settings = app.settings
    name = checkpoints.origin(settings.pages.base_url, settings.organisation.key, settings.random(_SECRET))
    return LogHead(checkpoint=Checkpoint(origin=name, size=0, root=b"", note=""), secret=settings.random(_SECRET))
