"""
Contact points (*lines*): which line a channel reaches, and which channel messages to a line use.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from optly.contacts import AddressKind, Channel
from optly.errors import MissingLineError
from optly.record.standing import Standing

# The channel for messages to a line of each kind.
WRITTEN_TO_BY: Final = {AddressKind.EMAIL: Channel.EMAIL, AddressKind.PHONE: Channel.SMS}


def writes_to(kind: AddressKind, served: Container[Channel]) -> Channel | None:
    """
    Return the channel for messages to a line of a kind; None if it is not among the channels *served*.
    """
    channel = WRITTEN_TO_BY.get(kind)
    return channel if channel in served else None


def require_line(standing: Standing, channel: Channel, number: int | None = None) -> int:
    """
    Return the number of the line that *channel* reaches: the one with that *number*, or the first.

    Raises:
        MissingLineError: There is no such line.
    """
    line = standing.line_for(channel, number)
    if line is None:
        needed = {AddressKind.EMAIL: "email address", AddressKind.PHONE: "telephone number"}
        raise MissingLineError(f"the contact has no {needed.get(channel.kind, 'address')} for {channel}")
    return line.number


def lines_of(standing: Standing) -> tuple[int, ...]:
    """
    Return a fingerprint of a contact's lines, which a session keeps to notice changes: their numbers, negative for
    removed lines. A change that was undone leaves a fingerprint different from the one before it.
    """
    return tuple(-line.number if line.removed else line.number for line in standing.lines)
