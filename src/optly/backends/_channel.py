"""
What every backend requires of a message.
"""

from __future__ import annotations

from optly.contacts import Channel
from optly.errors import UsageError
from optly.messages import Message


def require_channel(channel: Channel, message: Message) -> None:
    """
    Require that a message was made for *channel*.

    Raises:
        UsageError: It was made for another channel.
    """
    if message.channel is not channel:
        raise UsageError(f"a backend for {channel} was given a message for {message.channel}")
