"""
The log over all chains: proving what is in it, and verifying it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from optly._operations.application import Application
from optly.errors import DamagedError, SerializationError, UsageError
from optly.protocols import LogHead, SealedLeaf
from optly.record import checkpoints, merkle
from optly.record.checkpoints import Checkpoint
from optly.record.ledger import Finding, Leaf, Problem
from optly.record.merkle import HASH, WIDTH, Place, Range

_PAGE: Final = 4 * WIDTH  # leaves that are verified together


def leaf_hashes(app: Application, head: LogHead, leaves: Iterable[Leaf]) -> list[bytes]:
    """
    Return the hashes of *leaves* in the log.
    """
    key = app.settings.organisation.key
    return [merkle.leaf_hash(leaf.entry(key, leaf.blind(head.secret))) for leaf in leaves]


async def size(app: Application) -> int:
    """
    Return how many leaves the log has, as its head says.
    """
    head = await app.storage.log_head(app.settings.organisation.key)
    return 0 if head is None else head.checkpoint.size


def sealed_version(leaves: Iterable[SealedLeaf], size: int) -> int:
    """
    Return the version in the latest of a contact's leaves that is in a log of *size* leaves; 0 if none is.
    """
    return max((each.leaf.version for each in leaves if each.index < size), default=0)


def is_ours(app: Application, checkpoint: Checkpoint) -> bool:
    """
    Whether we signed it, for this organisation.
    """
    return checkpoint == opened(app, checkpoint.note)


def opened(app: Application, note: str) -> Checkpoint | None:
    """
    Return the checkpoint in *note*, or None if we did not sign it for this organisation.
    """
    keys = app.settings.keys
    found = checkpoints.open_note(note, [*keys.public_keys, *keys.post_quantum_keys])
    named = found is not None and checkpoints.is_origin(found.origin, app.settings.organisation.key)
    return found if named else None


def require_own(app: Application, head: LogHead | None, note: str) -> Checkpoint:
    """
    Return a checkpoint that was kept, if it is one of this log.

    Raises:
        UsageError: It is not.
    """
    known = opened(app, note)
    if known is None or head is None or known.origin != head.checkpoint.origin:
        raise UsageError("this is not a checkpoint of this log, or the key that signed it is missing")
    return known


# ---- proving


async def tiles(app: Application, places: Sequence[Place]) -> Mapping[Place, bytes]:
    """
    Return the hashes in those of the tiles at *places* that there are.
    """
    return {tile.place: tile.data for tile in await app.storage.tiles(app.settings.organisation.key, places)}


async def roots(app: Application, spans: Sequence[Range]) -> tuple[bytes, ...]:
    """
    Return the roots over these ranges of leaves.

    Raises:
        DamagedError: A tile is missing.
    """
    known = await tiles(app, merkle.needed(spans))
    found = [merkle.root(known, span) for span in spans]
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
        found.extend(await kept_problems(app, head, kept))
    return found


async def kept_problems(app: Application, head: LogHead | None, note: str) -> list[Problem]:
    """
    Check the log against a checkpoint that was kept: it may only have grown since.
    """
    kept = opened(app, note)
    if kept is None:
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
            stored = await tiles(self._app, places)
            data = b"".join(stored.get(place, b"") for place in places)[: (end - start) * HASH]
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
                like = index in leaves and leaf_hashes(self._app, self._head, [leaves[index]]) == [stored]
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
        stored = await tiles(self._app, list(above))
        self.whole = all(stored.get(place, b"").startswith(data) for place, data in above.items())
        self.edge = {place: data for place, data in {**self.edge, **grown}.items() if len(data) < WIDTH * HASH}

    async def _look_up(self, rows: Sequence[SealedLeaf]) -> None:
        subjects = list(dict.fromkeys(row.leaf.subject for row in rows))
        heads = await self._app.storage.load(subjects)
        key = self._app.settings.organisation.key
        for subject in subjects:
            if subject not in heads or heads[subject].organisation != key:
                self.missing[subject] = None
