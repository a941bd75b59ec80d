"""
A store in one file: what the memory store holds, and a journal of what was done to it.
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

from optly.errors import DamagedError, OptlyError
from optly.protocols import Claim, Commit, OutboxMessage, Settlement, StoredCode
from optly.record.ledger import Checkpoint, Leaf
from optly.storage._journal import Journal
from optly.storage.memory import MemoryStorage, State

_ROWS: Final = 100

# What each record is made of: the arguments of an operation, or rows of a table in the place of what led to them.
_TABLES: Final = {table: list[tuple[get_args(hint)]] for table, hint in get_type_hints(State).items()}  # type: ignore[misc]
_OPERATIONS: Final[dict[str, Any]] = {
    "append": tuple[list[Commit]],
    "enqueue": tuple[str, list[OutboxMessage]],
    "claim": tuple[list[Claim], datetime, datetime],
    "settle": tuple[list[Settlement]],
    "put_codes": tuple[list[StoredCode]],
    "take_code": tuple[bytes, datetime],
    "revoke_codes": tuple[bytes],
    "count": tuple[bytes, datetime, datetime, int],
    "expire": tuple[datetime],
    "add_key_version": tuple[str, str],
    "seal": tuple[str, list[Leaf], list[bytes], Checkpoint, int],
}
_DECODERS: Final = {name: msgspec.json.Decoder(type_) for name, type_ in {**_OPERATIONS, **_TABLES}.items()}
_read = msgspec.json.Decoder(tuple[str, msgspec.Raw]).decode
_write = msgspec.json.Encoder().encode


@attrs.frozen
class _Held:
    """
    Holds the state for one operation, and lets go of its caller only when all that there was to see is durable.

    Nobody is told of anything, their own or another's, that a crash could still undo. After an error that is not of
    Optly's own tree, an interrupt for example, a change may be there in part, and then the store is not used again.
    """

    _lock: Lock
    _journal: Journal
    _changing: bool = attrs.field(default=False, kw_only=True)

    def __enter__(self) -> None:
        self._journal.check()  # first, because after a fork there may be nobody to release the lock
        self._lock.acquire()
        try:
            self._journal.check()  # again, because whoever held it may have failed
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._changing and kind is not None and not issubclass(kind, OptlyError):
            self._journal.fail()
        seen = self._journal.position
        self._lock.release()
        if kind is None:
            self._journal.wait(seen)


class FileStorage(MemoryStorage):
    """
    Keeps the record in one file of JSON lines, and all of it in memory as well. Threads may share it and have their
    changes synced together; one process at a time may hold it.

    Beside the file lie its mark and its lock; back up the mark with it. Every erasure writes the whole file anew,
    without what was erased, so a clean-up should hand its erasures over in few calls.

    Args:
        path: Where the file is, or is to be made. Not on a network file system, whose locks do not hold.

    Raises:
        StorageLockedError: Another process holds the store.
        StorageUnavailableError: The file cannot be opened.
        DamagedError: What is in the file is not what was written. Nothing was changed.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        super().__init__()
        self._journal: Journal | None = None
        journal = Journal(Path(path))
        try:
            for line, record in enumerate(journal.recover(), 2):
                self._repeat(record, line)
        except BaseException:
            journal.close()
            raise
        self._journal = journal
        lock = Lock()
        self._reading, self._changing = _Held(lock, journal), _Held(lock, journal, changing=True)

    def _repeat(self, record: bytes, line: int) -> None:
        try:
            operation, raw = _read(record)
            args = _DECODERS[operation].decode(raw)
            if operation in _TABLES:
                getattr(self._state, operation).update(args)
            else:
                getattr(self, operation)(*args)
        except (msgspec.MsgspecError, LookupError, OptlyError):
            raise DamagedError("a record of the store's file does not follow from those before it", line=line) from None

    def _changed(self, operation: str, *args: Any) -> None:
        if self._journal is None:
            return
        if operation == "append" and any(c.forget or c.release for c in args[0]):
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
