"""
``optly demo``: a company asks for consent, a person answers, and everything in between runs on this machine.

Built on `optly.testing`. The command itself, with its options and exit codes, is in `optly.cli`.

May import `testing`, `manager`, `backends`, `storage` and what they may import.
"""

from __future__ import annotations

from typing import Protocol


class Terminal(Protocol):
    """
    Where the demo reports what happens: a name and a sentence at a time.
    """

    def line(self, text: str = "", *, style: str = "") -> None: ...

    def good(self, name: str, text: str) -> None: ...

    def bad(self, name: str, text: str) -> None: ...

    def note(self, name: str, text: str) -> None: ...
