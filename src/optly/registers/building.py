"""
Building a register file from licence files that are larger than memory.

Rows are sorted a run at a time, the runs are merged, and the result replaces the old file in one step. A build that
fails or dies leaves nothing under the name of the register.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import IO, Final, TypeAlias

import attrs

from optly.errors import ConfigurationError, RegisterSourceError
from optly.protocols import RegisterName
from optly.registers._format import DAY_BITS, ENTRY_SIZE, HEADER_SIZE, Header
from optly.registers._sources import Flaws, Layout, read_entries

_RUN: Final = 2_000_000  # entries sorted in memory at a time: some 80 MB
_BLOCK: Final = 65_536  # entries of each run held while merging


class Step(StrEnum):
    """
    The step a build is at: reading bytes of the licence files, or writing entries of the register file.
    """

    READING = "reading"
    WRITING = "writing"


# Called with the step, how much of it is done and how much it is in all.
Progress: TypeAlias = Callable[[Step, int, int], None]


@attrs.frozen(kw_only=True)
class Built:
    """
    The result of a build.

    Attributes:
        count: How many numbers the register has.
        duplicates: How many rows repeated one of them. The earliest listing date is kept.
        flaws: How many rows could not be read, including numbers with an unreadable date.
        flawed_lines: The first hundred of these for each licence file, in the order of the files, by line from 1.
        version: Identifies the new file by its content.
    """

    name: RegisterName
    as_of: date
    count: int
    duplicates: int
    flaws: int
    flawed_lines: tuple[tuple[int, ...], ...]
    version: str


def build(
    sources: str | Path | Sequence[str | Path],
    target: str | Path,
    *,
    name: RegisterName,
    as_of: date,
    listed_on: date | None = None,
    column: int = 0,
    date_column: int | None = None,
    delimiter: str = ",",
    flaw_limit: int = 1000,
    progress: Progress | None = None,
) -> Built:
    """
    Build the register file *target* from one or more licence files, replacing the one that is there.

    A licence file has one number per row, alone or in a column, and may be compressed with gzip. Numbers are of the
    United Kingdom or the Crown dependencies and may be written with +44, with 0 or with neither. Several files are
    combined into one copy of the register. Files that list only changes are not supported: give the full list.

    Readers that have the old file open see the new one at their next check. On Windows the old file cannot be replaced
    while a process has it open; use a new name there.

    Args:
        as_of: The date of the copy, as its licensor gives it. It may be used to screen for 28 days.
        listed_on: The listing date of every number without one in its row. If this is not given either, such a number
            counts as listed for long enough, which is stricter than the law.
        column, date_column: Where the number and its listing date are in a row, counted from 0.
        flaw_limit: The maximum number of unreadable rows in one licence file.
        progress: Called from time to time with how far the build is.

    Raises:
        RegisterSourceError: A licence file cannot be read, has too many flaws, or none of them holds a number.
        ConfigurationError: An argument is out of range; a copy cannot be from the future.
    """
    paths = [Path(sources)] if isinstance(sources, str | Path) else [Path(source) for source in sources]
    target = Path(target)
    layout = Layout(column=column, date_column=date_column, delimiter=delimiter, listed_on=listed_on, as_of=as_of)
    if as_of > datetime.now(UTC).date() + timedelta(days=1):  # it is tomorrow already somewhere
        raise ConfigurationError("the date of the copy is in the future: it would never be too old")
    if flaw_limit < 0:
        raise ConfigurationError("flaw_limit must be at least 0")
    if not target.parent.is_dir():
        raise ConfigurationError("the folder for the register file does not exist")
    report = progress or _ignore
    with ExitStack() as stack:
        flaws = [Flaws(path.name, flaw_limit) for path in paths]
        entries = _all_entries(paths, layout, flaws, report)
        runs: list[IO[bytes]] = []
        while ordered := sorted(islice(entries, _RUN)):
            runs.append(stack.enter_context(tempfile.TemporaryFile(dir=target.parent)))
            array("Q", ordered).tofile(runs[-1])
        if not runs:
            raise RegisterSourceError("the licence files hold no number")
        rows = sum(run.seek(0, os.SEEK_END) for run in runs) // ENTRY_SIZE
        header = _replace(target, runs, name=name, as_of=as_of, rows=rows, progress=report)
    return Built(
        name=name,
        as_of=as_of,
        count=header.count,
        duplicates=rows - header.count,
        flaws=sum(each.count for each in flaws),
        flawed_lines=tuple(tuple(each.lines) for each in flaws),
        version=header.version,
    )


def _ignore(_step: Step, _done: int, _total: int) -> None:
    pass


def _all_entries(paths: Sequence[Path], layout: Layout, flaws: Sequence[Flaws], progress: Progress) -> Iterator[int]:
    try:
        sizes = [path.stat().st_size for path in paths]
    except OSError as error:
        raise RegisterSourceError(f"a licence file cannot be read ({type(error).__name__})") from None
    before = 0
    for path, size, flawed in zip(paths, sizes, flaws, strict=True):
        yield from read_entries(path, layout, flawed, partial(_read_so_far, progress, before, sum(sizes)))
        before += size


def _read_so_far(progress: Progress, before: int, total: int, done: int) -> None:
    progress(Step.READING, before + done, total)


def _merge(runs: Sequence[IO[bytes]]) -> Iterator[list[int]]:
    """
    Yield the entries of sorted *runs* in order, many at a time.

    Each round takes from every run the entries up to the lowest of the last entries in memory, because no run can still
    hold anything below that, and leaves the merging to the sort, which makes use of sorted stretches.
    """
    for run in runs:
        run.seek(0)
    buffers = [array("Q") for _ in runs]
    while True:
        for place, run in enumerate(runs):
            if not buffers[place]:
                buffers[place].frombytes(run.read(_BLOCK * ENTRY_SIZE))
        if not any(buffers):
            return
        last = min(entries[-1] for entries in buffers if entries)
        batch: list[int] = []
        for place, entries in enumerate(buffers):
            cut = bisect_right(entries, last)
            batch.extend(entries[:cut])
            buffers[place] = entries[cut:]
        batch.sort()
        yield batch


def _replace(
    target: Path, runs: Sequence[IO[bytes]], *, name: RegisterName, as_of: date, rows: int, progress: Progress
) -> Header:
    descriptor, temporary = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(bytes(HEADER_SIZE))
            digest, count, done, previous = hashlib.sha256(), 0, 0, -1
            for batch in _merge(runs):
                kept = array("Q")
                for entry in batch:
                    # A number's entries are sorted by day, an undated one first; the first is kept.
                    if entry >> DAY_BITS != previous:
                        previous = entry >> DAY_BITS
                        kept.append(entry)
                out.write(kept)
                digest.update(kept)
                count += len(kept)
                done += len(batch)
                progress(Step.WRITING, done, rows)
            header = Header(name=name, as_of=as_of, count=count, digest=digest.digest())
            out.seek(0)
            out.write(header.pack())
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileNotFoundError):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(target.parent)
    return header


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a directory cannot be opened
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
