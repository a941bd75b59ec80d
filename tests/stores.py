"""
The stores that need no server, opened by name.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from services import fresh_database

from optly.protocols import Storage
from optly.storage import FileStorage, MemoryStorage, SQLStorage

ON_DISK: Final = ("file", "sqlite")
STORES: Final = ("memory", *ON_DISK)


def opened(kind: str, directory: str | Path) -> Storage:
    """
    Open the store of that kind in a directory. One in memory is new each time.
    """
    match kind:
        case "memory":
            return MemoryStorage()
        case "file":
            return FileStorage(Path(directory) / "optly.jsonl")
        case "sqlite":
            return SQLStorage(f"sqlite:///{Path(directory) / 'optly.db'}")
    raise ValueError(kind)


def made(kind: str, directory: Path) -> Iterator[Storage]:
    """
    Yield a store of that kind, or one in a fresh database of a server of that kind.
    """
    if kind not in STORES:
        with fresh_database(kind) as url:
            storage: Storage = SQLStorage(url)
            yield storage
            storage.close()
        return
    storage = opened(kind, directory)
    yield storage
    storage.close()
