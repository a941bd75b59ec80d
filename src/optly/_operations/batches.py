"""
Batches: what may be too many is read and written so many at a time. (`itertools.batched` is there from Python 3.12 on.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")


def batched(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """
    Yield *items* in lists of so many.
    """
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
