"""
Heads of the log in a file, one after another.
"""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path
from typing import Final

_END: Final = b"\n\n"
_SIGNATURE: Final = "— ".encode()
_LONGEST_TAIL: Final = 1 << 18


class FileAnchor:
    """
    Keeps the heads in a file that only grows, each followed by an empty line, so that people can read it. Safe to share
    between threads and processes.

    Put the file where the user of the database cannot write: on another machine's disk, or one that can be appended to
    and not changed. A head that a crash left incomplete is passed over.

    Args:
        path: The path of the file, which is created if it is missing. One for each organisation.
    """

    name = "file"

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)

    def publish(self, note: str) -> None:
        before = self._tail()
        data = f"{note}\n".encode()
        if before and not before.endswith(_END):
            data = _END + data
        fd = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        try:
            # In one write, so that what two processes append does not mix.
            if os.write(fd, data) != len(data):
                raise OSError("a head was written in part")
            os.fsync(fd)
        finally:
            os.close(fd)
        if not before and os.name != "nt":
            directory = os.open(self._path.parent, os.O_RDONLY)
            try:
                os.fsync(directory)
            finally:
                os.close(directory)

    def latest(self) -> str | None:
        *parts, _incomplete = self._tail().split(_END)
        for text, signatures in reversed([*pairwise(parts)]):
            if signatures.startswith(_SIGNATURE):
                return f"{text.decode('utf-8', 'replace')}\n\n{signatures.decode('utf-8', 'replace')}\n".lstrip("\n")
        return None

    def _tail(self) -> bytes:
        try:
            with self._path.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LONGEST_TAIL))
                return file.read()
        except FileNotFoundError:
            return b""

    def close(self) -> None:
        pass
