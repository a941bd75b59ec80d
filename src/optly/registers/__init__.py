"""
Registers of numbers whose holders do not want to be called or faxed, kept in a file that is searched in microseconds.

May import `protocols`, `rules` and what they may import.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from optly import _lazy

if TYPE_CHECKING:
    from optly.registers.building import Built, Step, build
    from optly.registers.file import FileRegister
    from optly.registers.memory import MemoryRegister

__all__ = ["Built", "FileRegister", "MemoryRegister", "Step", "build"]

__getattr__ = _lazy.importer(
    __name__,
    {
        "Built": "building",
        "FileRegister": "file",
        "MemoryRegister": "memory",
        "Step": "building",
        "build": "building",
    },
)
