"""
Stores, which keep the record: :class:`SQLStorage`, :class:`FileStorage` and :class:`MemoryStorage`.

Each is imported when it is first used, so that a program loads only the database it needs.

May import `protocols`, `backoff` and what they may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optly import _lazy

if TYPE_CHECKING:
    from optly.storage.file import FileStorage
    from optly.storage.memory import MemoryStorage
    from optly.storage.sql import SQLStorage

__all__ = ["FileStorage", "MemoryStorage", "SQLStorage"]

__getattr__ = _lazy.importer(
    __name__, {"FileStorage": "file", "MemoryStorage": "memory", "SQLStorage": "sql"}, extras=("file", "sql")
)
