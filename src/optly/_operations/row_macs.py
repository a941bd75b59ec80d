"""
The MACs of rows: a row that Optly wrote is told from one that anyone else put there, altered or moved.

Each begins with the version of the key it was made with, 4 bytes; 16 bytes of keyed BLAKE2b follow, over every column
that counts. The key of the row is among them, so that a MAC fits no other row. Rows that are found by a keyed name or
by a code do not name their organisation: it is in the keyed name, or in the contact that the code leads to.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from hmac import compare_digest
from operator import attrgetter
from typing import Any, Final, TypeAlias, TypeVar

import attrs
import msgspec

from optly.errors import DamagedError
from optly.keys import Keys
from optly.protocols import (
    Identifier,
    OutboxMessage,
    Reference,
    Row,
    StoredCode,
    StoredComplaint,
    Suppression,
    with_mac,
)

R = TypeVar("R", bound=Row)

VERSION: Final = 4  # bytes
_DIGEST: Final = 16

# What fits nothing, and stands where a MAC did that did not fit.
_NEVER: Final = bytes(VERSION + _DIGEST)

_encode = msgspec.msgpack.Encoder().encode

# What the MAC of a row covers, and what keeps it apart from those of other kinds.
_COVERED: Final[Mapping[type, tuple[bytes, Callable[[Any], tuple[Any, ...]]]]] = {
    Identifier: (b"identifier", attrgetter("idkey", "subject", "line", "key_version")),
    Reference: (b"reference", attrgetter("idkey", "subject", "key_version")),
    Suppression: (b"suppression", attrgetter("idkey", "scope", "at", "key_version", "mark")),
    StoredCode: (b"code", attrgetter("key", "subject", "expires_at", "value")),
    OutboxMessage: (b"message", attrgetter("subject", "message", "channel", "body")),
    StoredComplaint: (b"complaint", attrgetter("reference", "complaint", "subject", "due_at", "open", "reply")),
}
_HEAD: Final = b"head"
of_head = attrgetter("organisation", "snapshot_version", "hash", "snapshot", "named")
# Those of a head.
HeadValues: TypeAlias = tuple[str, int, bytes, bytes, bytes]


@attrs.frozen
class RowMacs:
    """
    Makes and checks the MACs of rows.
    """

    _keys: Keys = attrs.field(repr=False)
    # For each kind of row, a hash begun with each key.
    _begun: Mapping[bytes, Mapping[bytes, hashlib.blake2b]] = attrs.field(init=False, repr=False, eq=False)
    _current: bytes = attrs.field(init=False, repr=False)

    @_begun.default
    def _derived(self) -> Mapping[bytes, Mapping[bytes, hashlib.blake2b]]:
        secrets = {bytes.fromhex(key.version): key.derive("row/1") for key in self._keys.all}
        return {
            kind: {
                version: hashlib.blake2b(key=secret, digest_size=_DIGEST, person=kind)
                for version, secret in secrets.items()
            }
            for kind in (_HEAD, *(kind for kind, _ in _COVERED.values()))
        }

    @_current.default
    def _first(self) -> bytes:
        return next(iter(self._begun[_HEAD]))

    def knows(self, mac: bytes) -> bool:
        """
        Whether a MAC names a key that is known, or none.
        """
        return mac in (b"", _NEVER) or mac[:VERSION] in self._begun[_HEAD]

    def is_current(self, mac: bytes) -> bool:
        """
        Whether a MAC was made with the current key.
        """
        return mac[:VERSION] == self._current

    def sign(self, row: R) -> R:
        """
        Return a row with its MAC, made with the current key.
        """
        kind, covered = _COVERED[type(row)]
        return with_mac(row, self._make(kind, covered(row)))

    def fits(self, row: Row) -> bool:
        """
        Whether a row is as it was written, by someone who has one of the keys.
        """
        kind, covered = _COVERED[type(row)]
        return self._is(row.mac, kind, covered(row))

    def require(self, row: Row) -> None:
        """
        Raises:
            DamagedError: The row is not as it was written.
        """
        if not self.fits(row):
            raise DamagedError(f"a {_COVERED[type(row)][0].decode()} is not as it was written: verify the record")

    def sign_head(self, subject: bytes, values: HeadValues) -> bytes:
        """
        Return the MAC of the head of a contact.

        Args:
            values: What `of_head` returns of it.
        """
        return self._make(_HEAD, (subject, *values))

    def fits_head(self, mac: bytes, subject: bytes, values: HeadValues) -> bool:
        """
        Whether the head of a contact is as it was written.
        """
        return self._is(mac, _HEAD, (subject, *values))

    def _make(self, kind: bytes, values: tuple[Any, ...]) -> bytes:
        ended = self._begun[kind][self._current].copy()
        ended.update(_encode(values))
        return self._current + ended.digest()

    def _is(self, mac: bytes, kind: bytes, values: tuple[Any, ...]) -> bool:
        begun = self._begun[kind].get(mac[:VERSION])
        if begun is None:
            return False
        ended = begun.copy()
        ended.update(_encode(values))
        return compare_digest(mac[VERSION:], ended.digest())


def spoilt(mac: bytes) -> bytes:
    """
    Return what follows a MAC that does not fit: a row without one stays one, and no other is ever vouched for.
    """
    return mac and _NEVER
