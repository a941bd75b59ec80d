"""
Where the record is kept: :class:`SQLStorage`, :class:`FileStorage` and :class:`MemoryStorage`.

Each is imported when it is first asked for, so that nobody pays for a database they do not use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from optly.errors import ConfigurationError

if TYPE_CHECKING:
    from optly.storage.file import FileStorage
    from optly.storage.memory import MemoryStorage
    from optly.storage.sql import SQLStorage

__all__ = ["FileStorage", "MemoryStorage", "SQLStorage"]

_MODULES = {"FileStorage": "file", "MemoryStorage": "memory", "SQLStorage": "sql"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = _MODULES[name]
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        raise ConfigurationError(f"{error.name} is missing: pip install 'optly[{module}]'") from None
