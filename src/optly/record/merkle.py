"""
The Merkle tree of the log, kept in tiles. Pure.

A tile holds up to 256 hashes of one level side by side: level 0 those of the leaves, each level above the roots of the
full tiles below it. So a log of a billion leaves has four levels, and to append to it or to prove something about it
takes a few tiles, however long it is. A range of leaves is a pair, its end exclusive.

Source: RFC 6962 sections 2.1 to 2.1.2; C2SP tlog-tiles (read 2026-11-29).
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeAlias

import attrs

_HEIGHT: Final = 8
WIDTH: Final = 1 << _HEIGHT
HASH: Final = 32

Place: TypeAlias = tuple[int, int]
Range: TypeAlias = tuple[int, int]


@attrs.frozen
class Tile:
    """
    Up to 256 hashes of one level, side by side. Only the last of a level has fewer, and it grows.

    Attributes:
        number: Its place in its level, from 0.
        data: The hashes, 32 bytes each.
    """

    level: int
    number: int
    data: bytes = attrs.field(repr=False)

    @property
    def place(self) -> Place:
        return self.level, self.number


def tile_path(level: int | None, number: int, width: int) -> str:
    """
    Return the path of a tile's file, or of a bundle of entries if *level* is None, as in C2SP tlog-tiles.

    Args:
        width: How many hashes or entries it has.
    """
    parts = [f"{number % 1000:03}"]
    while number := number // 1000:
        parts.append(f"x{number % 1000:03}")
    path = f"tile/{'entries' if level is None else level}/{'/'.join(reversed(parts))}"
    return path if width == WIDTH else f"{path}.p/{width}"


def leaf_hash(entry: bytes) -> bytes:
    """
    Return the hash of the leaf that holds *entry*.
    """
    return hashlib.sha256(b"\0" + entry).digest()


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\1" + left + right).digest()


def _hashes(data: bytes) -> list[bytes]:
    return [data[start : start + HASH] for start in range(0, len(data), HASH)]


def _full(nodes: Sequence[bytes]) -> bytes:
    """
    Return the root over a power of two of nodes.
    """
    while len(nodes) > 1:
        nodes = [_node(nodes[n], nodes[n + 1]) for n in range(0, len(nodes), 2)]
    return nodes[0]


def _split(size: int) -> int:
    """
    Return the largest power of two below *size*.
    """
    return 1 << (size - 1).bit_length() - 1


# ---- appending


def edge(size: int) -> list[Place]:
    """
    Return the places of the tiles at the right edge of a tree that are not full.
    """
    places, level = [], 0
    while size:
        if size % WIDTH:
            places.append((level, size // WIDTH))
        size //= WIDTH
        level += 1
    return places


def grow(size: int, tiles: Mapping[Place, bytes], leaves: Iterable[bytes]) -> dict[Place, bytes]:
    """
    Append *leaves* to a tree of *size* leaves, and return every tile that is new or has grown.

    Args:
        tiles: Those at its `edge`.
    """
    changed: dict[Place, bytes] = {}
    level, nodes = 0, list(leaves)
    while nodes:
        number, width = divmod(size, WIDTH)
        data = tiles[level, number][: width * HASH] if width else b""
        above = []
        for start in range(-width, len(nodes), WIDTH):
            data += b"".join(nodes[max(start, 0) : start + WIDTH])
            changed[level, number] = data
            if len(data) == WIDTH * HASH:
                above.append(_full(_hashes(data)))
                number, data = number + 1, b""
        size, level, nodes = size // WIDTH, level + 1, above
    return changed


# ---- the root of any range


def _subtrees(span: Range) -> Iterator[tuple[int, int]]:
    """
    Yield the full subtrees that a range consists of, from the largest, each as its height and its place at that height.

    The range begins where a subtree of its size may begin.
    """
    start, end = span
    while start < end:
        height = (end - start).bit_length() - 1
        yield height, start >> height
        start += 1 << height


def _place(height: int, index: int) -> Place:
    """
    Return the place of the tile that a full subtree is read from.
    """
    return height // _HEIGHT, index >> (_HEIGHT - height % _HEIGHT)


def needed(spans: Iterable[Range]) -> list[Place]:
    """
    Return the places of the tiles from which the roots of these ranges follow.
    """
    return list(dict.fromkeys(_place(*subtree) for span in spans for subtree in _subtrees(span)))


def root(tiles: Mapping[Place, bytes], span: Range) -> bytes | None:
    """
    Return the root over a range of leaves, or None if a tile is missing or too short. Source: RFC 6962 section 2.1.
    """
    if span[0] == span[1]:
        return hashlib.sha256(b"").digest()
    nodes = []
    for height, index in _subtrees(span):
        width = 1 << height % _HEIGHT
        start = (index * width) % WIDTH * HASH
        data = tiles.get(_place(height, index), b"")[start : start + width * HASH]
        if len(data) != width * HASH:
            return None
        nodes.append(_full(_hashes(data)))
    node = nodes.pop()
    while nodes:
        node = _node(nodes.pop(), node)
    return node


# ---- proofs


def path(index: int, size: int) -> list[Range]:
    """
    Return the ranges whose roots prove that leaf *index* is in a tree. Source: RFC 6962 section 2.1.1.
    """
    start, end, spans = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    return spans[::-1]


def growth(old: int, size: int) -> list[Range]:
    """
    Return the ranges whose roots prove that a tree begins with its first *old* leaves. Source: RFC 6962 section 2.1.2.
    """
    if old == 0:
        return []
    start, end, spans = 0, size, []
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            spans.append((middle, end))
            end = middle
        else:
            spans.append((start, middle))
            start = middle
    if start:
        spans.append((start, end))
    return spans[::-1]


def included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """
    Whether *proof* shows that *leaf* is leaf *index* of the tree of *size* leaves with this *root*.
    """
    if not 0 <= index < size:
        return False
    node, rest = leaf, list(proof)
    position, last = index, size - 1
    while last:
        if position & 1 or position != last:
            if not rest:
                return False
            sibling = rest.pop(0)
            node = _node(sibling, node) if position & 1 else _node(node, sibling)
        position >>= 1
        last >>= 1
    return not rest and hmac.compare_digest(node, root)


def consistent(old_size: int, old_root: bytes, size: int, root: bytes, proof: Sequence[bytes]) -> bool:
    """
    Whether *proof* shows that the log with *root* only added to the log with *old_root*.

    Source: RFC 9162 section 2.1.4.2, the algorithm for verifying.
    """
    if old_size > size or (old_size == 0 and proof):
        return False
    if old_size == 0:
        return True
    if old_size == size:
        return not proof and hmac.compare_digest(old_root, root)
    rest = list(proof)
    if old_size & (old_size - 1) == 0:
        rest.insert(0, old_root)
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    if not rest:
        return False
    old = new = rest.pop(0)
    for node in rest:
        if not last:
            return False
        if position & 1 or position == last:
            old, new = _node(node, old), _node(node, new)
            while position and not position & 1:
                position >>= 1
                last >>= 1
        else:
            new = _node(new, node)
        position >>= 1
        last >>= 1
    return not last and hmac.compare_digest(old, old_root) and hmac.compare_digest(new, root)
