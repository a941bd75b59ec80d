"""
The format of a register file.

A header of 112 bytes, then one entry of 8 bytes for each number, in ascending order. An entry is the number's E.164
digits followed by 16 bits for the day it was listed, so that one search finds both. Entries are in the byte order of
the machine that wrote them, so that they can be searched without being copied; the header names it.
"""

from __future__ import annotations

import hashlib
import struct
import sys
from datetime import date
from typing import Final

import attrs

from optly.errors import RegisterUnreadableError
from optly.protocols import UNDATED, RegisterName

ENTRY_SIZE: Final = 8
HEADER_SIZE: Final = 112
DAY_BITS: Final = 16
BYTE_ORDER: Final = sys.byteorder.encode().ljust(6, b"\0")

MAGIC: Final = b"OPTLYREG"
_FORMAT: Final = 1
_FIELDS: Final = struct.Struct(">8sH6s16sQQ32s")  # magic, format, byte order, name, as_of, count, digest of the entries
_EPOCH: Final = date(1970, 1, 1).toordinal()
_LAST_DAY: Final = (1 << DAY_BITS) - 1


def pack_day(listed_on: date) -> int:
    """
    Encode a listing date in 16 bits. One that does not fit, up to 1 January 1970 or after 6 June 2149, becomes 0, which
    is undated.
    """
    day = listed_on.toordinal() - _EPOCH
    return day if 0 < day <= _LAST_DAY else 0


def unpack_day(day: int) -> date:
    return date.fromordinal(day + _EPOCH) if day else UNDATED


@attrs.frozen(kw_only=True)
class Header:
    """
    The header of a register file.

    Attributes:
        as_of: The date of the copy of the register the file was built from.
        count: How many entries follow.
        digest: SHA-256 of the entries.
    """

    name: RegisterName
    as_of: date
    count: int
    digest: bytes = attrs.field(repr=False)

    @property
    def file_size(self) -> int:
        return HEADER_SIZE + ENTRY_SIZE * self.count

    @property
    def version(self) -> str:
        """
        Identifies this copy: 16 hexadecimal digits of a hash over everything in it.
        """
        return hashlib.sha256(self._fields()).hexdigest()[:16]

    def _fields(self) -> bytes:
        name = self.name.value.encode()
        return _FIELDS.pack(MAGIC, _FORMAT, BYTE_ORDER, name, self.as_of.toordinal(), self.count, self.digest)

    def pack(self) -> bytes:
        """
        Encode the header, followed by its own hash.
        """
        fields = self._fields()
        return fields + hashlib.sha256(fields).digest()


def read_header(data: bytes, file_size: int) -> Header:
    """
    Read the header of a file of *file_size* bytes.

    Raises:
        RegisterUnreadableError: It is not a complete register file in this format.
    """
    fields, seal = data[: _FIELDS.size], data[_FIELDS.size : HEADER_SIZE]
    if not fields.startswith(MAGIC):
        raise RegisterUnreadableError("not a register file: build one from the licence file")
    if hashlib.sha256(fields).digest() != seal:
        raise RegisterUnreadableError("the header of the register file is damaged: build the file again")
    _, format_version, byte_order, name, as_of, count, digest = _FIELDS.unpack(fields)
    if format_version != _FORMAT or byte_order != BYTE_ORDER:
        raise RegisterUnreadableError(
            "the register file was built by another version or on another kind of machine: build it again here"
        )
    header = Header(
        name=RegisterName(name.rstrip(b"\0").decode()), as_of=date.fromordinal(as_of), count=count, digest=digest
    )
    if file_size != header.file_size:
        raise RegisterUnreadableError("the register file is not as long as its header says: build it again")
    return header
