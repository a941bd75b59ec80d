"""
What every backend asks of a message.
"""

from __future__ import annotations

from optly.contacts.addresses import Channel
from optly.errors import UsageError
from optly.messages import Message


def must_travel_by(channel: Channel, message: Message) -> None:
    """
    Refuse a message that was made for another channel.

    Raises:
        UsageError: It was.
    """
    if message.channel is not channel:
        raise UsageError(f"a backend for {channel} was given a message for {message.channel}")
