"""
How commands print their results.
"""

from __future__ import annotations

import json
from textwrap import wrap
from typing import Any, Final

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text

_SIGNS: Final = {"green": ("✓", "+"), "red": ("✗", "!"), "blue": ("•", "-")}
_MARGIN: Final = 21


def plain(text: str) -> str:
    """
    Return *text* on one line, without characters that control a terminal.
    """
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def print_json(value: Any) -> None:
    """
    Print a result for programs.
    """
    click.echo(json.dumps(value, indent=2))


def progress_bar() -> Progress:
    """
    Return a bar that is shown on a terminal and removed at the end. It is disabled elsewhere.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@attrs.frozen
class Terminal:
    """
    Prints results one by one: a sign, a name and a sentence. A result is good if it is as it should be, bad if
    something is wrong, and otherwise a note.
    """

    _console: Console = attrs.field(factory=lambda: Console(highlight=False))

    def line(self, text: str = "", *, style: str = "") -> None:
        """
        Print one line of any length.
        """
        self._write(Text(plain(text), style=style))

    def good(self, name: str, text: str) -> None:
        self._item("green", name, text)

    def bad(self, name: str, text: str) -> None:
        self._item("red", name, text)

    def note(self, name: str, text: str) -> None:
        self._item("blue", name, text)

    def under(self, text: str) -> None:
        """
        Print a detail or the source of the last result, below it.
        """
        self._write(Text(f"{'':{_MARGIN}}{self._wrapped(text)}", style="dim"))

    def _item(self, colour: str, name: str, text: str) -> None:
        sign = _SIGNS[colour][self._console.options.ascii_only]
        head = Text.assemble((sign, f"bold {colour}"), " ", (f"{plain(name):<{_MARGIN - 3}} ", "bold"))
        self._write(head.append(self._wrapped(text)))

    def _wrapped(self, text: str) -> str:
        # Not rich's table, which pads every line with spaces.
        width = max(self._console.width - _MARGIN, 20)
        return f"\n{'':{_MARGIN}}".join(wrap(plain(text), width, break_long_words=False, break_on_hyphens=False))

    def _write(self, text: Text) -> None:
        self._console.print(text, soft_wrap=True)
