"""
Registers of numbers whose holders do not want to be called or faxed, kept as a file that answers in microseconds.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from optly.registers.building import Built, Step, build
    from optly.registers.file import FileRegister
    from optly.registers.memory import MemoryRegister

__all__ = ["Built", "FileRegister", "MemoryRegister", "Step", "build"]

_HOMES = {
    "Built": "building",
    "FileRegister": "file",
    "MemoryRegister": "memory",
    "Step": "building",
    "build": "building",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
