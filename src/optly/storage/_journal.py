"""
An append-only file of records that is written by one process and verified after a crash.

Each line holds its number, the number of the first line that was written together with it, a check and one record. A
file begins with a line that identifies its generation; the check covers all of these. Beside the file is its mark: how
many lines were durable, and the check of the last one. Up to the mark every line must be complete. After it there is at
most what a crash interrupted, which is kept as far as it is complete; the rest is cut off. The mark itself is written
after each sync but synced only from time to time, so it may lag behind after a power cut; it is never ahead.
"""

from __future__ import annotations

import hashlib
import logging
import os
import secrets
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from itertools import chain
from pathlib import Path
from typing import IO, Final
from weakref import WeakSet

import attrs
import msgspec
import portalocker

from optly.errors import (
    ConfigurationError,
    DamagedError,
    StorageFailedError,
    StorageLockedError,
    StorageUnavailableError,
)

if sys.platform == "darwin":
    import fcntl

_log = logging.getLogger("optly")

_FORMAT: Final = 1
_SLOT: Final = 128
_PRIVATE: Final = 0o600
_SYNC_MARK_EVERY: Final = 64


@attrs.frozen
class _Line:
    n: int
    first: int
    check: str
    record: msgspec.Raw


@attrs.frozen
class _Header:
    """
    The first line: the generation of the file and the format of its lines.
    """

    generation: str
    format: int = _FORMAT


def _check(generation: str, n: int, first: int, record: bytes) -> str:
    return hashlib.sha256(f"optly/j1\0{generation}\0{n}\0{first}\0".encode() + record).hexdigest()[:32]


def _line(generation: str, n: int, first: int, record: bytes) -> bytes:
    check = _check(generation, n, first, record).encode()
    return b'{"n":%d,"first":%d,"check":"%s","record":%s}\n' % (n, first, check, record)


# RecursionError: brackets nested too deeply.
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_line = msgspec.json.Decoder(_Line).decode
_decode_header = msgspec.json.Decoder(_Header).decode


def _read(line: bytes, generation: str) -> _Line | None:
    """
    Decode a line, or return None if it is incomplete or not of this generation.
    """
    try:
        read = _decode_line(line)
    except _UNREADABLE:
        return None
    return read if line == _line(generation, read.n, read.first, bytes(read.record)) else None


def _read_header(line: bytes) -> tuple[_Header, _Line] | None:
    try:
        header = _decode_header(_decode_line(line).record)
    except _UNREADABLE:
        return None
    read = _read(line, header.generation)
    return None if read is None or read.n else (header, read)


@attrs.frozen
class _Mark:
    """
    The point up to which a file is durable: the number `n` of the last line and its check.
    """

    generation: str
    n: int
    check: str

    def slot(self) -> bytes:
        text = f"{self.generation} {self.n} {self.check}"
        return f"{text} {hashlib.sha256(text.encode()).hexdigest()[:16]}\n".ljust(_SLOT).encode()

    @classmethod
    def read(cls, slot: bytes) -> _Mark | None:
        try:
            generation, n, check, _ = slot.decode("ascii").split()
            mark = cls(generation, int(n), check)
        except ValueError:
            return None
        return mark if mark.slot() == slot else None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CREAT, _PRIVATE)


def _sync(fd: int) -> None:
    """
    Return once everything written is on the disk.
    """
    if sys.platform == "darwin":
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)  # fsync alone only reaches the drive's cache
    elif sys.platform == "win32":
        os.fsync(fd)
    else:
        os.fdatasync(fd)


def _sync_directory(path: Path) -> None:
    if os.name == "nt":
        return  # Windows cannot open a directory
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


@contextmanager
def _own_errors() -> Iterator[None]:
    """
    Convert errors of the system into our own. Its message would reveal the path.
    """
    try:
        yield
    except OSError as error:
        raise StorageUnavailableError(f"the store's file cannot be opened ({type(error).__name__})") from None


class Journal:
    """
    The file, its mark and its lock. Created when it is missing; locked by one process until it is closed.

    Callers queue records in the order that counts, one at a time; any number of threads may then wait for theirs. The
    first of them writes and syncs all that are queued.

    Raises:
        StorageLockedError: Another process, or another journal in this one, has locked it.
        StorageUnavailableError: The file cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._new = self._beside(".new")
        self._process = os.getpid()
        self._fd = -1
        self._generation = ""
        self._last, self._check = 0, ""
        self._slot = self._marked = self._size = 0
        self._queue: deque[bytes] = deque()
        self._queued = self._durable = 0
        self._flushing = threading.Lock()
        self._failed = self._closed = False
        with ExitStack() as opened, _own_errors():
            self._lock = opened.enter_context(open(self._beside(".lock"), "ab", opener=_open_private))
            try:
                portalocker.lock(self._lock, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
            except portalocker.LockException:
                raise StorageLockedError("another process has locked the store, or it was opened twice") from None
            self._mark_file = opened.enter_context(
                open(self._beside(".mark"), "r+b", buffering=0, opener=_open_private)
            )
            _sync_directory(self._path.parent)
            self._files = opened.pop_all()
        _OPEN.add(self)

    def _beside(self, suffix: str) -> Path:
        return self._path.with_name(self._path.name + suffix)

    @property
    def size(self) -> int:
        """
        How many bytes the file has once everything queued is written. Sometimes a few bytes too many, never too few.
        """
        return self._size

    def size_with(self, record: bytes) -> int:
        """
        Return what `size` would be with one more record.
        """
        n = self._last + self._queued - self._durable + 1
        return self._size + len(_line(self._generation, n, n, record))

    # ---- opening

    def recover(self) -> Iterator[bytes]:
        """
        Yield every record in the file, then prepare for new ones. A part that a crash left incomplete is cut off.

        Raises:
            DamagedError: A line was altered, or lines are missing.
            StorageUnavailableError: The file cannot be read.
        """
        with _own_errors():
            marks = self._read_marks()
            self._new.unlink(missing_ok=True)
            if self._path.exists() and (marks or self._path.stat().st_size):
                with self._path.open("rb") as file:
                    yield from self._read_all(file, marks)
                self._reopen()
                self._write_mark(durably=True)
                return
        if any(mark.n for mark in marks.values()):
            raise DamagedError("the store's file is gone, but its mark is still there")
        self.replace(())
        _log.warning("a new, empty file was set up")

    def _read_all(self, file: IO[bytes], marks: Mapping[int, _Mark]) -> Iterator[bytes]:
        first = file.readline()
        found = _read_header(first)
        if found is None:
            raise DamagedError("the first line of the store's file was altered", line=1)
        header, read = found
        if header.format > _FORMAT:
            raise ConfigurationError(
                f"the file has format {header.format}, this Optly supports {_FORMAT}: upgrade Optly"
            )
        known = {mark.n: (slot, mark) for slot, mark in marks.items() if mark.generation == header.generation}
        if not known:
            raise DamagedError("the mark of the store's file is missing or belongs to another file")
        self._slot, mark = known[max(known)]
        self._generation, self._check = header.generation, read.check

        end = len(first)
        for line in file:
            following = _read(line, self._generation)
            if following is None or following.n != self._last + 1:
                break
            if following.n == mark.n and following.check != mark.check:
                raise DamagedError("a line of the store's file was altered", line=mark.n + 1)
            self._last, self._check = following.n, following.check
            end += len(line)
            yield bytes(following.record)
        else:
            line = b""
        broken = self._last + 1
        # Parts of one write may reach the disk in any order, so lines written with the broken one may be complete.
        complete = (later for rest in chain([line], file) if (later := _read(rest, self._generation)))
        if self._last < mark.n or not all(later.first <= broken < later.n for later in complete):
            raise DamagedError("the store's file is damaged, or lines of it are missing", line=self._last + 2)
        os.truncate(self._path, end)
        self._size = end

    def _reopen(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = os.open(self._path, os.O_WRONLY | os.O_APPEND)
        _sync(self._fd)

    # ---- the mark

    def _read_marks(self) -> dict[int, _Mark]:
        self._mark_file.seek(0)
        slots = [self._mark_file.read(_SLOT) for _ in range(2)]
        return {place: mark for place, slot in enumerate(slots) if (mark := _Mark.read(slot)) is not None}

    def _write_mark(self, *, durably: bool = False) -> None:
        """
        Write the mark into the slot that does not hold the latest one, so that one of them is always complete.
        """
        self._slot = 1 - self._slot
        self._mark_file.seek(self._slot * _SLOT)
        self._mark_file.write(_Mark(self._generation, self._last, self._check).slot())
        if durably or self._last - self._marked >= _SYNC_MARK_EVERY:
            _sync(self._mark_file.fileno())
            self._marked = self._last

    # ---- writing

    def check(self) -> None:
        """
        Raise if the journal can no longer be used.

        Raises:
            StorageLockedError: It was opened before a fork, by the parent.
            StorageFailedError: A write failed.
            StorageUnavailableError: It is closed.
        """
        if os.getpid() != self._process:
            raise StorageLockedError("the store was opened by the process this one was forked from")
        if self._failed:
            raise StorageFailedError(
                "a write to the store's file failed: open the store again to recover what was written"
            )
        if self._closed:
            raise StorageUnavailableError("the store is closed")

    def add(self, record: bytes) -> None:
        """
        Queue one line of JSON. Not safe to call from two threads at once.
        """
        self._size = self.size_with(record)
        self._queue.append(record)
        self._queued += 1

    @property
    def position(self) -> int:
        """
        How many records have been queued: the position to wait for after adding one.
        """
        return self._queued

    def wait(self, position: int) -> None:
        """
        Return once the first *position* records are durable.

        Raises:
            StorageFailedError: It is unknown whether they are.
        """
        if self._durable >= position:
            return
        with self._flushing:
            if self._durable < position:
                self.check()
                self._flush()

    def _flush(self) -> None:
        lines = []
        n, check = self._last, self._check
        first = n + 1
        while self._queue:
            n += 1
            record = self._queue.popleft()
            check = _check(self._generation, n, first, record)
            lines.append(_line(self._generation, n, first, record))
        with self._failing():
            _write(self._fd, b"".join(lines))
            _sync(self._fd)
            self._last, self._check = n, check
            self._write_mark()
        self._durable += len(lines)

    def replace(self, records: Iterable[bytes], *, needed: bool = True) -> bool:
        """
        Replace all records, including queued ones, with *records*, so that nothing else is left in the file.

        A crash leaves either the old file or the new one.

        Args:
            needed: Fail if there is no room for the new file. Otherwise the old one stays, and the result is False.
        """
        with self._flushing, self._failing():
            try:
                written = self._write_new(records)
            except OSError:
                if needed:
                    raise
                self._new.unlink(missing_ok=True)
                return False
            self._generation, self._last, self._check, self._size = written
            # Both generations have a mark as long as either file may be found after a crash.
            self._write_mark(durably=True)
            self._new.replace(self._path)
            _sync_directory(self._path.parent)
            self._reopen()
            self._queue.clear()
            self._durable = self._queued
        return True

    def _write_new(self, records: Iterable[bytes]) -> tuple[str, int, str, int]:
        """
        Write *records* to a new file beside the present one, and return its generation, the number and the check of its
        last line, and its size.
        """
        generation, check = secrets.token_hex(8), ""
        with open(self._new, "wb", opener=_open_private) as file:
            for n, record in enumerate(chain([msgspec.json.encode(_Header(generation))], records)):
                file.write(_line(generation, n, n, record))
                check = _check(generation, n, n, record)
            file.flush()
            _sync(file.fileno())
            return generation, n, check, file.tell()

    def fail(self) -> None:
        """
        Refuse all further operations.
        """
        self._failed = True

    @contextmanager
    def _failing(self) -> Iterator[None]:
        # After a failed sync the system may have dropped what it could not write, and a second sync would succeed.
        try:
            yield
        except BaseException as error:
            self.fail()
            if isinstance(error, OSError):
                raise StorageFailedError(f"a write to the store's file failed ({type(error).__name__})") from None
            raise

    def close(self, *last: bytes) -> None:
        """
        Write what is queued and some last records, close the file and release its lock. Harmless when repeated.
        """
        if self._closed or os.getpid() != self._process:
            return
        with self._flushing:
            self._closed = True
            try:
                if self._fd >= 0 and not self._failed:
                    self._queue.extend(last)
                    if self._queue:
                        self._flush()
                    with self._failing():
                        self._write_mark(durably=True)
            finally:
                if self._fd >= 0:
                    os.close(self._fd)
                self._files.close()


_OPEN: Final[WeakSet[Journal]] = WeakSet()


def _close_locks() -> None:
    # A child would keep holding the lock of a parent that has ended.
    for journal in _OPEN:
        journal._lock.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_locks)
