"""
The stores that need no server, opened by name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

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
