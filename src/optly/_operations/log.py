"""
The log over all chains: sealing it, proving what is in it, and verifying it.

Whatever is done costs a few tiles besides what is new, however long the log is.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import attrs

from optly._operations.application import Application
from optly._operations.keyed import require_keys
from optly.errors import ConflictError, DamagedError, SerializationError
from optly.protocols import LogHead, SealedLeaf
from optly.record import checkpoints, merkle
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Finding, Leaf, Problem
from optly.record.merkle import HASH, WIDTH, Place, Range, Tile

_BATCH: Final = 1000
_ATTEMPTS: Final = 20  # to seal, while another process seals first each time
_PAGE: Final = 4 * WIDTH  # leaves that are verified together
_SECRET: Final = 32


# ---- sealing


async def seal(app: Application, batches: int | None = None) -> Checkpoint | None:
    """
    Append a leaf for every chain that grew, sign the new head and return it. None while there are no records.

    Args:
        batches: How many batches of a thousand leaves to seal at most. The next call goes on with the rest.

    Raises:
        ConflictError: Other processes sealed the log first, again and again.
        DamagedError: The head to extend is not one that we signed, or its tiles do not belong to it.
    """
    return await _seal(app, lambda: app.storage.unsealed(app.settings.organisation.key, _BATCH), batches)


async def seal_contact(app: Application, subject: bytes) -> None:
    """
    Append a leaf for one chain if it grew, however many others wait to be sealed.
    """

    async def grown() -> Sequence[Leaf]:
        sealed = await app.storage.sealed(app.settings.organisation.key, subject)
        head = (await app.storage.load([subject]))[subject]
        if sealed and sealed[-1].leaf.version >= head.snapshot_version:
            return ()
        return [Leaf(subject=subject, version=head.snapshot_version, head=head.hash)]

    await _seal(app, grown, None)


async def _seal(
    app: Application, grown: Callable[[], Awaitable[Sequence[Leaf]]], batches: int | None
) -> Checkpoint | None:
    """
    Append the leaves of chains that grew, batch by batch, until there is no full batch of them.
    """
    lost = sealed = 0
    while True:
        head = await app.storage.log_head(app.settings.organisation.key)
        leaves = await grown()
        if not leaves:
            return None if head is None else head.checkpoint
        try:
            checkpoint = await _append(app, head, leaves)
        except ConflictError:
            lost += 1
            if lost == _ATTEMPTS:
                raise
            continue
        lost = 0
        sealed += 1
        if len(leaves) < _BATCH or sealed == batches:
            return checkpoint


async def _append(app: Application, head: LogHead | None, leaves: Sequence[Leaf]) -> Checkpoint:
    key = app.settings.organisation.key
    if head is None:
        head = _born(app)
    size = head.checkpoint.size
    edge = await _tiles(app, merkle.edge(size))
    if size and not (is_ours(app, head.checkpoint) and merkle.root(edge, (0, size)) == head.checkpoint.root):
        await require_keys(app.storage)
        raise DamagedError("the head of the log is not the one that was signed: verify the record")
    grown = merkle.grow(size, edge, _leaf_hashes(app, head, leaves))
    size += len(leaves)
    root = merkle.root({**edge, **grown}, (0, size))
    assert root is not None
    checkpoint = checkpoints.sign(app.settings.keys, head.checkpoint.origin, size, root)
    await app.storage.seal(
        key,
        attrs.evolve(head, checkpoint=checkpoint),
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


def _leaf_hashes(app: Application, head: LogHead, leaves: Iterable[Leaf]) -> list[bytes]:
    key = app.settings.organisation.key
    return [merkle.leaf_hash(leaf.entry(key, leaf.blind(head.secret))) for leaf in leaves]


def is_ours(app: Application, checkpoint: Checkpoint) -> bool:
    """
    Whether we signed it, for this organisation.
    """
    named = checkpoints.is_origin(checkpoint.origin, app.settings.organisation.key)
    return named and checkpoint == checkpoints.open_note(checkpoint.note, app.settings.keys.public_keys)


# ---- proving


async def _tiles(app: Application, places: Sequence[Place]) -> Mapping[Place, bytes]:
    return {tile.place: tile.data for tile in await app.storage.tiles(app.settings.organisation.key, places)}


async def roots(app: Application, spans: Sequence[Range]) -> tuple[bytes, ...]:
    """
    Return the roots over these ranges of leaves.

    Raises:
        DamagedError: A tile is missing.
    """
    tiles = await _tiles(app, merkle.needed(spans))
    found = [merkle.root(tiles, span) for span in spans]
    if None in found:
        raise DamagedError("a tile of the log is missing: verify the record")
    return tuple(node for node in found if node is not None)


# ---- verifying


async def problems(app: Application, head: LogHead | None, kept: str | None) -> list[Problem]:
    """
    Verify the log, with its signed head and against a checkpoint that was kept, in little memory.
    """
    found = []
    if head is not None:
        if not is_ours(app, head.checkpoint):
            detail = "the head of the log is not signed with any of the keys given"
            found.append(Problem(Finding.SIGNATURE, "", None, detail))
        found.extend(await _Reading(app, head).problems())
    if kept is not None:
        found.extend(await _kept_problems(app, head, kept))
    return found


async def _kept_problems(app: Application, head: LogHead | None, note: str) -> list[Problem]:
    """
    Check the log against a checkpoint that was kept: it may only have grown since.
    """
    kept = checkpoints.open_note(note, app.settings.keys.public_keys)
    if kept is None or not checkpoints.is_origin(kept.origin, app.settings.organisation.key):
        return [Problem(Finding.SIGNATURE, "", None, "the checkpoint that was kept is not one of this log's")]
    now = None if head is None else head.checkpoint
    if now is not None and now.origin != kept.origin:
        return [Problem(Finding.LOG, "", None, "the log began anew since the checkpoint was made")]
    if now is None or kept.size > now.size:
        detail = f"the log had {kept.size} leaves and has {0 if now is None else now.size} now"
        return [Problem(Finding.TRUNCATED, "", None, detail)]
    try:
        proof = await roots(app, merkle.growth(kept.size, now.size))
    except DamagedError:
        proof = ()
    if not merkle.consistent(kept.size, kept.root, now.size, now.root, proof):
        detail = "the log no longer begins with what it had when the checkpoint was made"
        return [Problem(Finding.LOG, "", None, detail)]
    return []


@attrs.define
class _Reading:
    """
    Reads a log from its first leaf to its last, and builds its tiles again beside those that are stored.

    Attributes:
        edge: The tiles that are not full yet.
        unlike: How many leaves are not what was sealed, and the first of them.
        missing: Contacts that have leaves and no record, in order.
        whole: Whether every tile so far is there and as it was built.
    """

    _app: Application
    _head: LogHead
    edge: dict[Place, bytes] = attrs.field(factory=dict, init=False)
    unlike: tuple[int, int] = attrs.field(default=(0, 0), init=False)
    missing: dict[bytes, None] = attrs.field(factory=dict, init=False)
    whole: bool = attrs.field(default=True, init=False)

    async def problems(self) -> list[Problem]:
        key, size = self._app.settings.organisation.key, self._head.checkpoint.size
        for start in range(0, size, _PAGE):
            end = min(start + _PAGE, size)
            places = [(0, number) for number in range(start // WIDTH, -(-end // WIDTH))]
            tiles = await _tiles(self._app, places)
            data = b"".join(tiles.get(place, b"") for place in places)[: (end - start) * HASH]
            rows = await self._app.storage.log_leaves(key, start, end - start)
            if not (data or rows):  # the size was altered, too
                self.whole = False
                break
            hashes = [data[place : place + HASH] for place in range(0, len(data), HASH)]
            self._compare(start, end, hashes, rows)
            await self._build(start, end, hashes)
            await self._look_up(rows)
        found = []
        if not (self.whole and merkle.root(self.edge, (0, size)) == self._head.checkpoint.root):
            found.append(Problem(Finding.LOG, "", None, "the log does not match the root that its head signs"))
        if count := self.unlike[0]:
            detail = f"{count} leaves are not what was sealed, from leaf {self.unlike[1]} on"
            found.append(Problem(Finding.LOG, "", None, detail))
        detail = "the log has an entry for this contact, but no event is left"
        return [*found, *(Problem(Finding.TRUNCATED, subject.hex(), 1, detail) for subject in self.missing)]

    def _compare(self, start: int, end: int, hashes: Sequence[bytes], rows: Sequence[SealedLeaf]) -> None:
        """
        Compare leaves with the hashes in their tiles.
        """
        leaves = {row.index: row.leaf for row in rows}
        for index in range(start, end):
            stored = hashes[index - start] if index - start < len(hashes) else b""
            try:
                like = index in leaves and _leaf_hashes(self._app, self._head, [leaves[index]]) == [stored]
            except (SerializationError, OverflowError):
                like = False
            if not like:
                count, first = self.unlike
                self.unlike = count + 1, first if count else index

    async def _build(self, start: int, end: int, hashes: Sequence[bytes]) -> None:
        self.whole = self.whole and len(hashes) == end - start and all(len(each) == HASH for each in hashes)
        if not self.whole:
            return
        grown = merkle.grow(start, self.edge, hashes)
        last = end == self._head.checkpoint.size
        above = {place: data for place, data in grown.items() if place[0] and (last or len(data) == WIDTH * HASH)}
        stored = await _tiles(self._app, list(above))
        self.whole = all(stored.get(place, b"").startswith(data) for place, data in above.items())
        self.edge = {place: data for place, data in {**self.edge, **grown}.items() if len(data) < WIDTH * HASH}

    async def _look_up(self, rows: Sequence[SealedLeaf]) -> None:
        subjects = list(dict.fromkeys(row.leaf.subject for row in rows))
        heads = await self._app.storage.load(subjects)
        key = self._app.settings.organisation.key
        for subject in subjects:
            if subject not in heads or heads[subject].organisation != key:
                self.missing[subject] = None
