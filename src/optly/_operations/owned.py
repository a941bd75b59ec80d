"""
What else in the store is a contact's, as their head names it, so that a row that is gone is missed.

Events name the lines and the personal values of a contact, and neither references nor, once the addresses were erased,
what is suppressed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

import attrs
import msgspec

from optly.protocols import Reference, Suppression


@attrs.frozen
class Owned:
    """
    The names of the rows of a contact that do not follow from their events.

    Attributes:
        references: Their idkeys.
        suppressions: The idkey, the scope, the mark and the instant of each. They stay when the contact is erased, and
            only a later one takes the place of one.
    """

    references: tuple[bytes, ...] = ()
    suppressions: tuple[tuple[bytes, str, bytes, datetime], ...] = ()

    @classmethod
    def load(cls, data: bytes) -> Owned:
        """
        Read the stored form.
        """
        return msgspec.msgpack.decode(data, type=cls) if data else cls()

    def dump(self) -> bytes:
        """
        Return the stored form.
        """
        return b"" if self == Owned() else msgspec.msgpack.encode(self)

    def suppressed(self) -> list[bytes]:
        """
        Return the idkeys of the suppressions.
        """
        return [idkey for idkey, *_ in self.suppressions]

    def after(self, references: Iterable[Reference], suppressions: Iterable[Suppression], *, erased: bool) -> Owned:
        """
        Return what is owned after a change.

        Args:
            erased: Whether the contact was erased by it, and with them their references.
        """
        kept = () if erased else self.references
        stops = {(idkey, scope, mark): at for idkey, scope, mark, at in self.suppressions}
        for row in suppressions:
            name = (row.idkey, row.scope, row.mark)
            stops[name] = max(row.at, stops.get(name, row.at))
        return Owned(
            tuple(dict.fromkeys([*kept, *(row.idkey for row in references)])),
            tuple((*name, at) for name, at in stops.items()),
        )


def named_after(
    named: bytes, references: Sequence[Reference], suppressions: Sequence[Suppression], *, erased: bool
) -> bytes:
    """
    Return the stored form of what is owned after a change. Most change nothing of it.
    """
    if not (references or suppressions or erased):
        return named
    return Owned.load(named).after(references, suppressions, erased=erased).dump()
