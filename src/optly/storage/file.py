"""
A store in one file: the memory store, and a journal of the operations on it.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Final, get_args, get_type_hints

import attrs
import msgspec

from optly import typed
from optly.errors import ConfigurationError, DamagedError, OptlyError, StorageFullError
from optly.protocols import (
    Claim,
    Commit,
    LogHead,
    OutboxMessage,
    Renewal,
    Settlement,
    StoredCode,
    StoreSize,
    Suppression,
)
from optly.record.ledger import Leaf
from optly.record.merkle import Tile
from optly.storage._journal import Journal
from optly.storage.memory import MemoryStorage, State, is_in_place

_log = logging.getLogger("optly")

_ROWS: Final = 100
_MAX_SIZE: Final = 100_000_000
# From this size on, the file is compacted whenever it has twice the size that the last compaction left.
_COMPACTED_FROM: Final = 1_000_000
# A full store that refuses is compacted first, but spends no more than this share of the time on it.
_SHARE: Final = 0.01
_NEARLY_FULL: Final = 0.8

# What a record holds: the arguments of an operation, or rows of a table that replace the operations before them.
_TABLES: Final = {table: list[tuple[get_args(hint)]] for table, hint in get_type_hints(State).items()}  # type: ignore[misc]
_OPERATIONS: Final[dict[str, Any]] = {
    "append": tuple[list[Commit]],
    "enqueue": tuple[str, list[OutboxMessage]],
    "claim": tuple[list[Claim], datetime, datetime],
    "settle": tuple[list[Settlement]],
    "remove_ended": tuple[str, datetime, int],
    "put_codes": tuple[list[StoredCode]],
    "take_code": tuple[bytes, datetime],
    "revoke_codes": tuple[bytes],
    "expire": tuple[datetime, int],
    "renew": tuple[list[Renewal]],
    "add_key_version": tuple[str, str, list[Suppression]],
    "seal": tuple[str, LogHead, list[Leaf], list[Tile], int],
}
_DECODERS: Final = {name: msgspec.json.Decoder(type_) for name, type_ in {**_OPERATIONS, **_TABLES}.items()}
_read = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode
_write = msgspec.json.Encoder().encode


def _makes_room(commit: Commit) -> bool:
    """
    Whether something is left out of the file by a commit, which is therefore written anew.
    """
    return bool(commit.forget or commit.release or commit.closed)


@attrs.frozen
class _Guard:
    """
    Locks the state for one operation, which returns only once everything it could see is durable.

    So no caller learns of a change, its own or another's, that a crash could still undo. After an error that is not one
    of Optly's own, such as an interrupt, a change may have been made in part, so the store is not used again.
    """

    _lock: Lock
    _journal: Journal
    _changing: bool = attrs.field(default=False, kw_only=True)

    def __enter__(self) -> None:
        self._journal.check()  # first, because after a fork the lock may never be released
        self._lock.acquire()
        try:
            self._journal.check()  # again, because the operation before may have failed
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._changing and kind is not None and not issubclass(kind, OptlyError):
            self._journal.fail()
        position = self._journal.position
        self._lock.release()
        if kind is None:
            self._journal.wait(position)


class FileStorage(MemoryStorage):
    """
    Keeps the record in one file of JSON lines, and all of it in memory as well: for one process and a small record.
    Threads may share it, and their changes are synced together; one process at a time may use it.

    Beside the file are its mark and its lock; back up the mark with it. When the file has doubled, it is compacted:
    written anew without the lines that later ones made needless. Every erasure does the same, and so does closing a
    complaint, so a clean-up should make its erasures in few calls. Counts of limits are written as the store is closed,
    and begin anew after a crash.

    Args:
        path: The path of the file, which is created if it is missing. Not on a network file system, whose locks are not
            reliable.
        max_size: How many bytes the file may have. At that size the store is full: what would add people, consents,
            links or messages raises `StorageFullError`, and nothing is sent. Stops, withdrawals, objections, erasures,
            complaints and what others report are written beyond it.

    Raises:
        ConfigurationError: *max_size* is less than 1.
        StorageLockedError: Another process has locked the store.
        StorageUnavailableError: The file cannot be opened.
        DamagedError: The file was altered or damaged. Nothing was changed.
    """

    def __init__(self, path: str | os.PathLike[str], *, max_size: int = _MAX_SIZE) -> None:
        if max_size < 1:
            raise ConfigurationError("max_size must be at least 1")
        super().__init__()
        self._max_size = max_size
        # What the last compaction left, until when no other is made only to avoid a refusal, and whether it was said
        # that the file is nearly full.
        self._compacted, self._pause_until, self._warned = 0, 0.0, False
        self._journal: Journal | None = None
        journal = Journal(Path(path))
        try:
            for line, record in enumerate(journal.recover(), 2):
                self._replay(record, line)
            self._compact_if_due(journal)
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        self._counted = dict(self._state.counters)
        lock = Lock()
        self._reading, self._changing = _Guard(lock, journal), _Guard(lock, journal, changing=True)

    def measure(self, organisation: str, since: tuple[datetime, datetime]) -> StoreSize:
        measured = super().measure(organisation, since)
        if self._journal is None:
            return measured
        return typed.evolve(measured, size=self._journal.size, max_size=self._max_size)

    def _replay(self, record: bytes, line: int) -> None:
        try:
            operation, raw = _read(record)
            args = _DECODERS[operation].decode(raw)
            if operation in _TABLES:
                if not all(is_in_place(operation, key, row) for key, row in args):
                    raise DamagedError("a row is not where it belongs")
                getattr(self._state, operation).update(args)
                if operation != "counters":  # which are written at the end, too
                    self._compacted += len(record)
            else:
                getattr(self, operation)(*args)
        except (msgspec.MsgspecError, LookupError, OptlyError):
            raise DamagedError("a record of the store's file does not follow from those before it", line=line) from None

    def _adding(self, operation: str, *args: Any) -> None:
        journal = self._journal
        if journal is None or (
            operation == "append" and any(commit.needed or _makes_room(commit) for commit in args[0])
        ):
            return
        record = _write((operation, args))
        if journal.size_with(record) <= self._max_size:
            return
        if journal.size > self._compacted and time.monotonic() >= self._pause_until:
            self._compact(journal)
        if journal.size_with(record) > self._max_size:
            raise StorageFullError(
                f"the store's file has the {self._max_size:,} bytes that it may have: move to a database such as "
                "SQLite, or allow more with max_size"
            )

    def _changed(self, operation: str, *args: Any) -> None:
        if self._journal is None:
            return
        if operation == "append" and any(map(_makes_room, args[0])):
            self._compact(self._journal, needed=True)
        else:
            self._journal.add(_write((operation, args)))
            self._compact_if_due(self._journal)

    def _compact_if_due(self, journal: Journal) -> None:
        nearly_full = not self._warned and self._is_nearly_full(journal) and time.monotonic() >= self._pause_until
        if nearly_full or journal.size >= max(_COMPACTED_FROM, 2 * self._compacted):
            self._compact(journal)
        if nearly_full and self._is_nearly_full(journal):
            self._warned = True
            _log.warning("the store's file is nearly full: move to a database, or allow more with max_size")

    def _is_nearly_full(self, journal: Journal) -> bool:
        return journal.size > _NEARLY_FULL * self._max_size

    def _compact(self, journal: Journal, *, needed: bool = False) -> None:
        """
        Write the file anew with what is in the state.

        Args:
            needed: Whether something must not stay in the file. Otherwise, without room on the disk, it stays as it is.
        """
        began = time.monotonic()
        if not journal.replace(self._rows(), needed=needed):
            _log.warning("the store's file was not compacted: there is no room beside it")
        self._compacted = journal.size
        ended = time.monotonic()
        self._pause_until = ended + (ended - began) / _SHARE

    def _rows(self) -> Iterator[bytes]:
        for field in attrs.fields(State):
            rows = iter(getattr(self._state, field.name).items())
            while chunk := list(islice(rows, _ROWS)):
                yield _write((field.name, chunk))

    def close(self) -> None:
        if self._journal is None:
            return
        counters = self._state.counters
        last = [] if counters == self._counted else [_write(("counters", list(counters.items())))]
        self._journal.close(*last)
