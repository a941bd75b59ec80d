"""
Keeps messages instead of sending them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from optly.backends._channel import require_channel
from optly.contacts import Channel
from optly.messages import Message, Outcome, Receipt


def accept(_message: Message) -> Receipt:
    """
    Accept the message, as a provider usually does.
    """
    return Receipt(outcome=Outcome.ACCEPTED, reply="kept in memory")


class MemoryBackend:
    """
    Keeps messages in lists, for tests and experiments. Safe to share between threads.

    Its outcomes can be scripted, to try refusals, doubt and retries::

        backend = MemoryBackend(outcomes=[Receipt(outcome=Outcome.RETRY_LATER, code=451)])
        backend.outcomes.append(Receipt(outcome=Outcome.IN_DOUBT))

    Attributes:
        outbox: The messages a real provider would have accepted, or may have accepted where the outcome is in doubt.
        attempts: Every message that was passed to `send`, whatever the outcome.
        outcomes: The next receipts, in order.
        answer: Called for a receipt once `outcomes` is empty. `send` raises what it raises, so that a crash can be
            simulated too.
    """

    def __init__(
        self,
        channel: Channel = Channel.EMAIL,
        *,
        name: str = "memory",
        outcomes: Iterable[Receipt] = (),
        answer: Callable[[Message], Receipt] = accept,
    ) -> None:
        self.channel = channel
        self.name = name
        self.outbox: list[Message] = []
        self.attempts: list[Message] = []
        self.outcomes: list[Receipt] = list(outcomes)
        self.answer = answer
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<MemoryBackend {self.channel}>"

    def send(self, message: Message) -> Receipt:
        """
        Keep *message* and return the next receipt.
        """
        require_channel(self.channel, message)
        with self._lock:
            self.attempts.append(message)
            receipt = self.outcomes.pop(0) if self.outcomes else None
        # Called without the lock, because an answer may wait for another thread that sends.
        receipt = receipt or self.answer(message)
        if receipt.outcome in {Outcome.ACCEPTED, Outcome.IN_DOUBT}:
            self.outbox.append(message)
        return receipt

    def close(self) -> None:
        """
        Do nothing: the messages stay.
        """
