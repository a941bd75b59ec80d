"""
Lists that commands read row by row, and what they write about each row.
"""

from __future__ import annotations

import csv
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Final

import attrs
import click

from optly.cli._files import unreadable
from optly.cli._terminal import progress_bar
from optly.cli._words import count

REPORT_EVERY: Final = 5.0  # seconds, when not on a terminal

NOT_UTF_8: Final = "The row is not UTF-8 text."
_ESCAPED: Final = re.compile("[\udc80-\udcff]")

# Between the columns of lists that are not ours.
OTHER_DELIMITERS: Final = ";\t"


@attrs.frozen(kw_only=True)
class Row:
    """
    A row of the list, unchanged.

    Attributes:
        line: The number of its first line, from 1.
        flaw: Why it cannot be read. Empty if it can.
    """

    line: int
    cells: Sequence[str] = attrs.field(repr=False)
    flaw: str = ""


def rows(file: IO[bytes], name: str) -> Iterator[Row]:
    """
    Yield the rows of a CSV file, including those that cannot be read. Empty rows are skipped.

    Args:
        name: What the help calls the file.
    """
    taken: list[str] = []

    def lines() -> Iterator[str]:
        try:
            for number, line in enumerate(file):
                # Bytes that are not UTF-8 are written back unchanged.
                text = line.decode("utf-8", "surrogateescape")
                taken.append(text if number else text.removeprefix("\ufeff"))
                yield taken[-1]
        except OSError as error:
            raise unreadable(error, name) from error

    reader = csv.reader(lines(), strict=True, skipinitialspace=True)
    line = 1
    while True:
        taken.clear()
        try:
            cells, flaw = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            cells, flaw = ["".join(taken).rstrip("\r\n")], f"The row is not valid CSV: {error}."
        while cells and not cells[-1].strip():
            cells.pop()
        if not flaw and any(map(_ESCAPED.search, cells)):
            flaw = NOT_UTF_8
        if cells:
            yield Row(line=line, cells=cells, flaw=flaw)
        line += len(taken)


@contextmanager
def written(path: Path | None, source: IO[bytes], option: str) -> Iterator[IO[str] | None]:
    """
    Open a file to write, readable by its owner only, or None without a path. It appears in full at the end, or not at
    all.

    Args:
        source: The list that is read, which is not written over.
        option: The option that names the file.
    """
    if path is None:
        yield None
        return
    _check_replaceable(path, source, option)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint=option) from error
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
        raise


def _check_replaceable(path: Path, source: IO[bytes], option: str) -> None:
    why = "" if path.is_file() or not path.exists() else "this is not a regular file, so it cannot be replaced"
    with suppress(OSError, TypeError):  # standard input has no name
        if path.samefile(getattr(source, "name", "")):
            why = "this is the list itself: name another file"
    if why:
        raise click.BadParameter(why, param_hint=option)


@contextmanager
def progress(file: IO[bytes], verb: str) -> Iterator[Callable[[], None]]:
    """
    Show the progress of a list: on a terminal in a bar that is removed at the end, elsewhere in a line at intervals.
    """
    size = None
    with suppress(OSError, AttributeError):
        size = os.fstat(file.fileno()).st_size or None  # that of a pipe is 0
    with progress_bar() as shown:
        task = shown.add_task(verb, total=size)
        done, reported_at = 0, time.monotonic()

        def advance() -> None:
            nonlocal done, reported_at
            done += 1
            now = time.monotonic()
            so_far = f"{count(done, 'row')} so far"
            if not shown.disable:
                shown.update(task, completed=size and file.tell(), description=f"{verb}, {so_far}")
            elif now - reported_at >= REPORT_EVERY:
                reported_at = now
                click.echo(f"{so_far}{f', {file.tell() / size:.0%} of the list' if size else ''}", err=True)

        yield advance
