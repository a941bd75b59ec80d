"""
Earlier import paths: a module that has moved into a package is still found where it was documented.

Both names give the same module. New code takes the new path, which type checkers know.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final

MOVED: Final = {
    "optly.addresses": "optly.contacts.addresses",
    "optly.commands": "optly.record.commands",
    "optly.consent": "optly.record.consent",
    "optly.events": "optly.record.events",
    "optly.http": "optly.protocols.http",
    "optly.i18n": "optly.locale.i18n",
    "optly.ledger": "optly.record.ledger",
    "optly.pacing": "optly.messages.pacing",
    "optly.parties": "optly.contacts.parties",
    "optly.purposes": "optly.contacts.purposes",
    "optly.replies": "optly.messages.replies",
    "optly.serialization": "optly.record.serialization",
    "optly.texts": "optly.messages.texts",
    "optly.views": "optly.record.views",
}


class _Alias(MetaPathFinder, Loader):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(fullname, self) if fullname in MOVED else None

    def exec_module(self, module: ModuleType) -> None:
        # The import system takes what stands here afterwards, so that no second copy of a class comes to be.
        sys.modules[module.__name__] = import_module(MOVED[module.__name__])


def install() -> None:
    """
    Have earlier paths found. Harmless when repeated.
    """
    if not any(isinstance(finder, _Alias) for finder in sys.meta_path):
        sys.meta_path.append(_Alias())
