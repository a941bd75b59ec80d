"""
Which line a channel reaches, and which channel a line is written to by.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Final

from optly.contacts.addresses import AddressKind, Channel
from optly.errors import MissingLineError
from optly.record.consent import Standing

# The channel by which messages go to a line of a kind.
WRITTEN_TO_BY: Final = {AddressKind.EMAIL: Channel.EMAIL, AddressKind.PHONE: Channel.SMS}


def writes_to(kind: AddressKind, served: Container[Channel]) -> Channel | None:
    """
    Return the channel by which messages go to a line of a kind; None if none of the channels *served* does.
    """
    channel = WRITTEN_TO_BY.get(kind)
    return channel if channel in served else None


def require_line(standing: Standing, channel: Channel, number: int | None = None) -> int:
    """
    Return the number of the line that *channel* reaches: the one with that *number*, or the first.

    Raises:
        MissingLineError: There is none.
    """
    line = standing.line_for(channel, number)
    if line is None:
        needed = {AddressKind.EMAIL: "email address", AddressKind.PHONE: "telephone number"}
        raise MissingLineError(f"the contact has no {needed.get(channel.kind, 'address')} for {channel}")
    return line.number


def lines_of(standing: Standing) -> tuple[int, ...]:
    """
    Return the mark of a contact's lines that a session keeps: their numbers, negative for those that were removed. A
    change that was undone leaves another mark than before.
    """
    return tuple(-line.number if line.removed else line.number for line in standing.lines)
