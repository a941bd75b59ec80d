"""
Keeps messages instead of sending them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

from optly.backends._channel import must_travel_by
from optly.contacts.addresses import Channel
from optly.messages import Message, Outcome, Receipt


def accept(_message: Message) -> Receipt:
    """
    Answer as a provider does on a good day.
    """
    return Receipt(outcome=Outcome.ACCEPTED, reply="kept in memory")


class MemoryBackend:
    """
    Keeps messages in lists, for tests and for trying things out. Safe to share between threads.

    What it answers can be played, so that refusals, doubt and retries are easily had::

        backend = MemoryBackend(outcomes=[Receipt(outcome=Outcome.RETRY_LATER, code=451)])
        backend.outcomes.append(Receipt(outcome=Outcome.IN_DOUBT))

    Attributes:
        outbox: What a real provider would have taken, or, where the outcome is in doubt, may have taken.
        attempts: Every message that was handed over, whatever was answered.
        outcomes: What is answered next, first to last.
        answer: What is asked when `outcomes` has run out. What it raises comes out of `send`, so that a crash can be
            played too.
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
        self.outcomes = list(outcomes)
        self.answer = answer
        self._lock = Lock()

    def __repr__(self) -> str:
        return f"<MemoryBackend {self.channel}>"

    def send(self, message: Message) -> Receipt:
        """
        Keep *message* and answer as told.
        """
        must_travel_by(self.channel, message)
        with self._lock:
            self.attempts.append(message)
            receipt = self.outcomes.pop(0) if self.outcomes else None
        # Asked outside the lock, so that an answer which waits for another thread does not keep that thread out.
        receipt = receipt or self.answer(message)
        if receipt.outcome in {Outcome.ACCEPTED, Outcome.IN_DOUBT}:
            self.outbox.append(message)
        return receipt

    def close(self) -> None:
        """
        Do nothing: what was kept stays.
        """
