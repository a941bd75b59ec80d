"""
Shows messages instead of sending them.
"""

from __future__ import annotations

import sys
from threading import Lock
from typing import TextIO

from optly.backends._channel import require_channel
from optly.contacts import Channel
from optly.messages import Message, Outcome, Receipt


class ConsoleBackend:
    """
    Writes messages to a stream, for a developer to read. Safe to share between threads.

    It shows personal data: the address, and links that open the person's page. Of an email it shows the plain text.

    Args:
        stream: Where to write. Without one, whatever ``sys.stdout`` is at the time.
    """

    def __init__(
        self, channel: Channel = Channel.EMAIL, *, name: str = "console", stream: TextIO | None = None
    ) -> None:
        self.channel = channel
        self.name = name
        self._stream = stream
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<ConsoleBackend {self.channel}>"

    def send(self, message: Message) -> Receipt:
        """
        Write *message* and a closing line.
        """
        require_channel(self.channel, message)
        stream = self._stream or sys.stdout
        try:
            with self._lock:
                stream.write(_shown(message))
                stream.flush()
        except OSError as error:
            # Part of it may have been read already.
            return Receipt(outcome=Outcome.IN_DOUBT, reply=f"the stream failed: {error.strerror}")
        return Receipt(outcome=Outcome.ACCEPTED, reply="shown")

    def close(self) -> None:
        """
        Do nothing: the stream is not ours.
        """


def _shown(message: Message) -> str:
    headers = {"To": message.to, "Subject": message.subject, **message.headers}
    head = "\n".join(f"{name}: {value}" for name, value in headers.items() if value)
    rule = f"-- {message.channel} {message.id} "
    return f"{rule:-<80}\n{head}\n\n{message.text.rstrip()}\n{'':-<80}\n"
