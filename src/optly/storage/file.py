"""
A store in one file: the memory store, and a journal of the operations on it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Any, Final, get_args, get_type_hints

import attrs
import msgspec

from optly import typed
from optly.errors import DamagedError, OptlyError
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

_ROWS: Final = 100

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
    "count": tuple[bytes, datetime, datetime, int],
    "expire": tuple[datetime, int],
    "renew": tuple[list[Renewal]],
    "add_key_version": tuple[str, str, list[Suppression]],
    "seal": tuple[str, LogHead, list[Leaf], list[Tile], int],
}
_DECODERS: Final = {name: msgspec.json.Decoder(type_) for name, type_ in {**_OPERATIONS, **_TABLES}.items()}
_read = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode
_write = msgspec.json.Encoder().encode


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
    Keeps the record in one file of JSON lines, and all of it in memory as well. Threads may share it, and their changes
    are synced together; one process at a time may use it.

    Beside the file are its mark and its lock; back up the mark with it. Every erasure rewrites the whole file without
    what was erased, and so does closing a complaint, so a clean-up should make its erasures in few calls.

    Args:
        path: The path of the file, which is created if it is missing. Not on a network file system, whose locks are not
            reliable.

    Raises:
        StorageLockedError: Another process has locked the store.
        StorageUnavailableError: The file cannot be opened.
        DamagedError: The file was altered or damaged. Nothing was changed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._journal: Journal | None = None
        journal = Journal(Path(path))
        try:
            for line, record in enumerate(journal.recover(), 2):
                self._replay(record, line)
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        lock = Lock()
        self._reading, self._changing = _Guard(lock, journal), _Guard(lock, journal, changing=True)

    def measure(self, organisation: str, since: tuple[datetime, datetime]) -> StoreSize:
        measured = super().measure(organisation, since)
        return measured if self._journal is None else typed.evolve(measured, size=self._journal.size())

    def _replay(self, record: bytes, line: int) -> None:
        try:
            operation, raw = _read(record)
            args = _DECODERS[operation].decode(raw)
            if operation in _TABLES:
                if not all(is_in_place(operation, key, row) for key, row in args):
                    raise DamagedError("a row is not where it belongs")
                getattr(self._state, operation).update(args)
            else:
                getattr(self, operation)(*args)
        except (msgspec.MsgspecError, LookupError, OptlyError):
            raise DamagedError("a record of the store's file does not follow from those before it", line=line) from None

    def _changed(self, operation: str, *args: Any) -> None:
        if self._journal is None:
            return
        if operation == "append" and any(c.forget or c.release or c.closed for c in args[0]):
            self._journal.replace(self._rows())
        else:
            self._journal.add(_write((operation, args)))

    def _rows(self) -> Iterator[bytes]:
        for field in attrs.fields(State):
            rows = iter(getattr(self._state, field.name).items())
            while chunk := list(islice(rows, _ROWS)):
                yield _write((field.name, chunk))

    def close(self) -> None:
        if self._journal is not None:
            self._journal.close()
