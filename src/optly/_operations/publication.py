"""
Publication: the log as files that other programs read.

Entries and low tiles come first and the checkpoint last, so that a reader who sees a checkpoint finds what it covers.

Source: C2SP tlog-tiles (read 2026-11-29).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs

from optly import typed
from optly._operations import log
from optly._operations.application import Application
from optly.errors import DamagedError
from optly.protocols import LogHead
from optly.record import merkle
from optly.record.merkle import HASH, WIDTH
from optly.results import LogFile

_PAGE: Final = 4 * WIDTH  # leaves


@attrs.frozen
class Place:
    """
    How far publication has come.

    Attributes:
        before: How many leaves had been published before.
        done: How many are published now.
    """

    head: LogHead
    before: int
    done: int


async def page(app: Application, since: str | None, place: Place | None) -> tuple[Sequence[LogFile], Place | None]:
    """
    Return some of the files that are new since a checkpoint, and the place to go on from; None after the last of them.

    Raises:
        UsageError: *since* is not a checkpoint of this log.
        DamagedError: A part of the log is missing or altered, or does not extend *since*.
    """
    if place is None:
        place = await _begin(app, since)
        if place is None:
            return (), None
    size = place.head.checkpoint.size
    if place.done < size:
        end = min(size, place.done - place.done % WIDTH + _PAGE)
        return await _leaves(app, place, end), typed.evolve(place, done=end)
    checkpoint = LogFile(path="checkpoint", data=place.head.checkpoint.note.encode(), size=size, done=size)
    return [*await _above(app, place), checkpoint], None


async def _begin(app: Application, since: str | None) -> Place | None:
    head = await app.storage.log_head(app.settings.organisation.key)
    if since is None:
        return None if head is None else Place(head, 0, 0)
    known = log.require_own(app, head, since)
    for problem in await log.kept_problems(app, head, since):
        raise DamagedError(problem.detail)
    assert head is not None
    return Place(head, known.size, known.size)


async def _leaves(app: Application, place: Place, end: int) -> Sequence[LogFile]:
    """
    Return the bundles and the tiles of the leaves up to *end*.
    """
    key, head = app.settings.organisation.key, place.head
    start = place.done - place.done % WIDTH
    rows = await app.storage.log_leaves(key, start, end - start)
    if [row.index for row in rows] != list(range(start, end)):
        raise DamagedError("a leaf of the log is missing: verify the record")
    entries = [row.leaf.entry(key, row.leaf.blind(head.secret)) for row in rows]
    tiles = await _tiles(app, 0, start, end)
    if b"".join(tile.data for tile in tiles) != b"".join(map(merkle.leaf_hash, entries)):
        raise DamagedError("a leaf of the log is not what was sealed: verify the record")
    files = []
    for tile in tiles:
        first = tile.number * WIDTH - start
        bundle = b"".join(len(entry).to_bytes(2) + entry for entry in entries[first : first + WIDTH])
        width, done = len(tile.data) // HASH, min(end, (tile.number + 1) * WIDTH)
        for level, data in ((None, bundle), (0, tile.data)):
            path = merkle.tile_path(level, tile.number, width)
            files.append(LogFile(path=path, data=data, size=head.checkpoint.size, done=done))
    return files


async def _above(app: Application, place: Place) -> Sequence[LogFile]:
    """
    Return the tiles above those of the leaves.
    """
    files = []
    level, before, size = 1, place.before // WIDTH, place.head.checkpoint.size // WIDTH
    while size:
        for tile in await _tiles(app, level, before - before % WIDTH, size):
            path = merkle.tile_path(level, tile.number, len(tile.data) // HASH)
            total = place.head.checkpoint.size
            files.append(LogFile(path=path, data=tile.data, size=total, done=total))
        level, before, size = level + 1, before // WIDTH, size // WIDTH
    return files


async def _tiles(app: Application, level: int, start: int, end: int) -> Sequence[merkle.Tile]:
    """
    Return the tiles with the hashes of a level from *start* to *end*, and no others.

    Raises:
        DamagedError: One is missing.
    """
    places = [(level, number) for number in range(start // WIDTH, -(-end // WIDTH))]
    stored = await log.tiles(app, places)
    tiles = []
    for level, number in places:
        width = min(WIDTH, end - number * WIDTH)
        data = stored.get((level, number), b"")[: width * HASH]
        if len(data) != width * HASH:
            raise DamagedError("a tile of the log is missing: verify the record")
        tiles.append(merkle.Tile(level, number, data))
    return tiles
