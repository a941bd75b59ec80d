"""
Looking up numbers in a register file.
"""

from __future__ import annotations

import hashlib
import mmap
import os
import time
from bisect import bisect_left
from datetime import datetime
from pathlib import Path
from typing import Final, TypeAlias

import attrs

from optly.contacts import PhoneNumber
from optly.errors import RegisterUnreadableError
from optly.protocols import Clock, Listing, RegisterName
from optly.registers._format import DAY_BITS, HEADER_SIZE, Header, read_header, unpack_day
from optly.registers._screening import answer, utc_now

_CHECK_EVERY: Final = 1.0  # seconds between checks whether the file was replaced
_HASH_BLOCK: Final = 1 << 20

_Stamp: TypeAlias = tuple[int, int, int, int]


@attrs.frozen(kw_only=True)
class _Copy:
    """
    One file, mapped into memory. Stays readable after another has replaced it.
    """

    header: Header
    stamp: _Stamp
    body: memoryview = attrs.field(repr=False)
    entries: memoryview = attrs.field(repr=False)
    version: str


def _stamp(status: os.stat_result) -> _Stamp:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _open(path: Path) -> _Copy:
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            header = read_header(file.read(HEADER_SIZE), status.st_size)
            body = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))[HEADER_SIZE:]
    except OSError as error:
        raise _unreadable(error) from None
    return _Copy(header=header, stamp=_stamp(status), body=body, entries=body.cast("Q"), version=header.version)


def _unreadable(error: OSError) -> RegisterUnreadableError:
    return RegisterUnreadableError(f"the register file cannot be opened ({type(error).__name__})")


class FileRegister:
    """
    A register kept in a file that `build` made. Implements `Register`.

    The file is mapped, not read: opening it takes no time and processes share its memory. Once it has been replaced,
    numbers are looked up in the new one within a second, and never partly in both. It must be replaced, as `build`
    does, and never written to in place. Safe to share between threads and across a fork.
    """

    def __init__(self, path: str | os.PathLike[str], *, clock: Clock = utc_now) -> None:
        """
        Open the register file at *path*.

        Raises:
            RegisterUnreadableError: It is missing, or is not a complete register file. Its entries are not checked:
                `verify` does that.
        """
        self._path = Path(path)
        self._clock = clock
        self._copy = _open(self._path)
        self._check_at = time.monotonic() + _CHECK_EVERY

    @property
    def name(self) -> RegisterName:
        return self._copy.header.name

    @property
    def header(self) -> Header:
        """
        The header of the file now in use: its date, its version and how many numbers it has.
        """
        return self._copy.header

    def __len__(self) -> int:
        return self._copy.header.count

    def __repr__(self) -> str:
        header = self._copy.header
        return f"<FileRegister {header.name} as of {header.as_of}: {header.count} numbers>"

    def listed_on(self, number: PhoneNumber, at: datetime) -> Listing:
        """
        Return whether *number* was listed at *at*, and since when. See `Register.listed_on`.
        """
        copy = self._current()
        key = int(number.value[1:])
        place = bisect_left(copy.entries, key << DAY_BITS)
        since = None
        if place < copy.header.count and (entry := copy.entries[place]) >> DAY_BITS == key:
            since = unpack_day(entry & (1 << DAY_BITS) - 1)
        return answer(copy.header.name, copy.header.as_of, copy.version, since=since, at=at, checked_at=self._clock())

    def reload(self) -> None:
        """
        Check now whether the file was replaced.

        Raises:
            RegisterUnreadableError: It is gone, or the new one is not a complete file of this register.
        """
        try:
            stamp = _stamp(self._path.stat())
        except OSError as error:
            raise _unreadable(error) from None
        if stamp != self._copy.stamp:
            fresh = _open(self._path)
            if fresh.header.name is not self.name:
                raise RegisterUnreadableError(f"the register file is no longer a copy of the {self.name.upper()}")
            self._copy = fresh
        # Only now: a file that cannot be read is checked again at the next look-up, and refused again.
        self._check_at = time.monotonic() + _CHECK_EVERY

    def verify(self) -> None:
        """
        Read the whole file and compare its content with its digest.

        Raises:
            RegisterUnreadableError: It was altered.
        """
        copy = self._current()
        digest = hashlib.sha256()
        for start in range(0, len(copy.body), _HASH_BLOCK):
            digest.update(copy.body[start : start + _HASH_BLOCK])
        if digest.digest() != copy.header.digest:
            raise RegisterUnreadableError("the register file is damaged: build it again from the licence file")

    def _current(self) -> _Copy:
        if time.monotonic() >= self._check_at:
            self.reload()
        return self._copy
