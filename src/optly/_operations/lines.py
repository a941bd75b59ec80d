"""
Contact points (*lines*): which of a contact's lines a channel reaches, and which channel messages to a line use.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

import attrs

from optly.contacts import Address, AddressKind, Channel
from optly.errors import AmbiguousLineError, MissingLineError
from optly.record.standing import Standing

# The channel for messages to a line of each kind.
WRITTEN_TO_BY: Final = {AddressKind.EMAIL: Channel.EMAIL, AddressKind.PHONE: Channel.SMS}

_NAMES: Final = {AddressKind.EMAIL: "email address", AddressKind.PHONE: "telephone number"}


def writes_to(kind: AddressKind, served: Container[Channel]) -> Channel | None:
    """
    Return the channel for messages to a line of a kind; None if it is not among the channels *served*.
    """
    channel = WRITTEN_TO_BY.get(kind)
    return channel if channel in served else None


@attrs.frozen(kw_only=True)
class Named:
    """
    The lines that a call names, by number or by address. Empty for none: each channel then reaches the only line of its
    kind.
    """

    numbers: tuple[int, ...] = ()
    addresses: tuple[Address, ...] = ()

    def numbered(self, values: Mapping[int, Address], among: Sequence[int]) -> tuple[int, ...]:
        """
        Return the numbers of the lines named.

        Args:
            values: The addresses of the contact by line.
            among: The lines to look for an address among, the ones to prefer first.

        Raises:
            MissingLineError: An address is not one of the contact's.
        """
        found = list(self.numbers)
        for address in self.addresses:
            line = next((number for number in among if values.get(number) == address), None)
            if line is None:
                raise MissingLineError(f"the {_NAMES.get(address.kind, 'address')} given is not one of the contact's")
            found.append(line)
        return tuple(found)


def require_lines(standing: Standing, channels: Iterable[Channel], named: Sequence[int] = ()) -> dict[Channel, int]:
    """
    Return the number of the line that each channel reaches: the one that is *named*, or the only one of its kind.

    Raises:
        MissingLineError: There is no such line, or one that is named is reached by none of the channels.
        AmbiguousLineError: There are several, and none is named.
    """
    reached: dict[Channel, int] = {}
    lines = {
        channel: [line.number for line in standing.lines if line.kind is channel.kind and not line.removed]
        for channel in channels
    }
    if not set(named) <= {number for numbers in lines.values() for number in numbers}:
        raise MissingLineError("the line named is not one of the contact's that the channel reaches")
    for channel, numbers in lines.items():
        name = _NAMES.get(channel.kind, "address")
        chosen = [number for number in numbers if number in named] or numbers
        if not chosen:
            raise MissingLineError(f"the contact has no {name} for {channel}")
        if len(chosen) > 1:
            raise AmbiguousLineError(f"the contact has more than one {name}: say which one is meant, with line=")
        reached[channel] = chosen[0]
    return reached


def require_line(standing: Standing, channel: Channel, named: Sequence[int] = ()) -> int:
    """
    Return the number of the line that *channel* reaches, as `require_lines` does.
    """
    return require_lines(standing, [channel], named)[channel]


def lines_of(standing: Standing) -> tuple[int, ...]:
    """
    Return a fingerprint of a contact's lines, which a session keeps to notice changes: their numbers, negative for
    removed lines. A change that was undone leaves a fingerprint different from the one before it.
    """
    return tuple(-line.number if line.removed else line.number for line in standing.lines)
