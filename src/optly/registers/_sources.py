"""
Reading a licence file: one number per row, alone or in a column, plain or compressed.

Each line is a row, even inside quotes: a quote that is never closed spoils its own row and does not swallow the
numbers below it.
"""

from __future__ import annotations

import csv
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import Final

import attrs

from optly.errors import ConfigurationError, RegisterSourceError
from optly.registers._format import DAY_BITS, pack_day

_GZIP: Final = b"\x1f\x8b"
_BLOCK: Final = 1 << 20
_LINES: Final = 100  # lines remembered of the rows that could not be read
_DIGIT: Final = re.compile(rb"[0-9]")
_BOM: Final = b"\xef\xbb\xbf"
_SEPARATORS: Final = b" \t\r\"'()-\xa0\xc2"  # the last two are a no-break space in Latin-1 and in UTF-8

# A number of the United Kingdom or the Crown dependencies, with or without its country code and its leading zero: a
# spreadsheet drops the zero. No national number begins with 4, so nothing can be read in two ways.
# Source: the general pattern of country code 44 in libphonenumber, without the seven-digit service numbers.
_NUMBER: Final = re.compile(rb"(?:\+44|0044|44)?0?([1-357-9][0-9]{9}|[18][0-9]{8})")

_DATES: Final = (
    re.compile(r"(?P<year>[0-9]{4})-?(?P<month>[0-9]{2})-?(?P<day>[0-9]{2})(?:[T ].*)?"),
    re.compile(r"(?P<day>[0-9]{1,2})[/.-](?P<month>[0-9]{1,2})[/.-](?P<year>[0-9]{4})(?: .*)?"),
)


def read_number(cell: bytes) -> int | None:
    """
    Return the E.164 digits of the number in *cell* as an integer, or None if there is no number in it.
    """
    found = _NUMBER.fullmatch(cell.translate(None, _SEPARATORS))
    return int(b"44" + found[1]) if found else None


@lru_cache(maxsize=65536)
def read_date(cell: bytes) -> date | None:
    """
    Return the date in *cell*, written ``2026-11-24``, ``20261124`` or, as in the United Kingdom, ``24/11/2026``.
    """
    text = cell.decode("latin-1").strip(" \t\r\n\"'")
    for form in _DATES:
        if found := form.fullmatch(text):
            try:
                return date(int(found["year"]), int(found["month"]), int(found["day"]))
            except ValueError:
                return None
    return None


@attrs.frozen(kw_only=True)
class Layout:
    """
    The layout of a row.

    Attributes:
        column, date_column: Columns of the number and of its listing date, counted from 0. None for no date.
        delimiter: What separates columns: one ASCII character.
        listed_on: The listing date of every number without a date in its row.
        as_of: The date of the copy. No number in it can have been listed later.
    """

    column: int = 0
    date_column: int | None = None
    delimiter: str = ","
    listed_on: date | None = None
    as_of: date

    def __attrs_post_init__(self) -> None:
        if self.column < 0 or (self.date_column is not None and self.date_column < 0):
            raise ConfigurationError("columns are counted from 0")
        if len(self.delimiter) != 1 or not self.delimiter.isascii():
            raise ConfigurationError("the delimiter must be one ASCII character")
        if self.listed_on is not None and self.listed_on > self.as_of:
            raise ConfigurationError("no number can have been listed after the date of the copy")


@attrs.define
class Flaws:
    """
    The rows of one licence file that could not be read, by line number from 1. Never their content.

    Attributes:
        file: The name of the file.
        limit: The maximum number of such rows.
        count: How many there are. `lines` holds the first hundred.
    """

    file: str
    limit: int
    count: int = 0
    lines: list[int] = attrs.field(factory=list)

    def add(self, line: int) -> None:
        """
        Add a row.

        Raises:
            RegisterSourceError: There are more than `limit`.
        """
        self.count += 1
        if len(self.lines) < _LINES:
            self.lines.append(line)
        if self.count > self.limit:
            raise RegisterSourceError(
                f"{self.file}: more than {self.limit} rows cannot be read, the first in line {self.lines[0]}: check "
                "that it is the right file and that the column and the delimiter are right"
            )


def read_entries(path: Path, layout: Layout, flaws: Flaws, progress: Callable[[int], None]) -> Iterator[int]:
    """
    Yield the entry of each row of a licence file, in order.

    A first row without a digit where the number should be is a heading. A number whose date cannot be read, or is
    after the date of the copy, is a flaw and is kept as undated: if it were lost, it could be called.

    Args:
        progress: Called from time to time with how many bytes of the file have been read.

    Raises:
        RegisterSourceError: The file cannot be read, or has too many flaws.
    """
    delimiter = layout.delimiter.encode()
    default = pack_day(layout.listed_on) if layout.listed_on else 0
    number_at, date_at = layout.column, layout.date_column
    for line, row in enumerate(_rows(path, progress), 1):
        cells = _cells(row.removeprefix(_BOM) if line == 1 else row, delimiter)
        cell = cells[number_at] if number_at < len(cells) else b""
        number = read_number(cell)
        if number is None:
            if row.strip() and (line > 1 or _DIGIT.search(cell)):
                flaws.add(line)
            continue
        day = default
        if date_at is not None and date_at < len(cells) and (written := cells[date_at].strip()):
            listed_on = read_date(written)
            if listed_on is None or listed_on > layout.as_of:
                flaws.add(line)
                day = 0
            else:
                day = pack_day(listed_on)
        yield number << DAY_BITS | day


def _rows(path: Path, progress: Callable[[int], None]) -> Iterator[bytes]:
    rest = b""
    for block, position in _blocks(path):
        *rows, rest = (rest + block).split(b"\n")
        if len(rest) > _BLOCK:
            raise RegisterSourceError(
                f"{path.name}: a line is longer than a million bytes; this is not a list of numbers"
            )
        yield from rows
        progress(position)
    yield rest


def _blocks(path: Path) -> Iterator[tuple[bytes, int]]:
    """
    Yield the content of a file, decompressed, with how many bytes of the file itself have been read so far.
    """
    try:
        with path.open("rb") as raw:
            stream = gzip.GzipFile(fileobj=raw) if raw.peek(len(_GZIP)).startswith(_GZIP) else raw
            while block := stream.read(_BLOCK):
                yield block, raw.tell()
    except (OSError, EOFError, zlib.error) as error:
        raise RegisterSourceError(f"{path.name} cannot be read ({type(error).__name__})") from None


def _cells(row: bytes, delimiter: bytes) -> list[bytes]:
    if b'"' not in row:
        return row.split(delimiter)
    try:
        fields = next(csv.reader([row.decode("latin-1")], delimiter=delimiter.decode()), [])
    except csv.Error:
        return []
    return [field.encode("latin-1") for field in fields]
