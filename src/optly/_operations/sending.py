"""
Sending: the messages of a batch go to the backend part by part, each gated as it is handed over.

What was sent, what is under way and what waits is known at every instant, so that a batch can be cut off anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import attrs

from optly._operations.application import FEW, Application, Backend
from optly._operations.leases import LEASE
from optly._operations.outcomes import Outcomes, add_receipt
from optly._operations.prepare import Batch
from optly._operations.queued import QueuedMessage
from optly.messages import PROMPTLY, Fault, Message, Outcome, Receipt, says_unsent
from optly.messages.foundering import Foundering

_log = logging.getLogger("optly")

# The rest of a batch whose lease is half over goes to the next one.
_LONGEST: Final = LEASE / 2

# A batch that took longer to be claimed and composed is asked about again before its first message, and so are messages
# that are sent one at a time. Asking costs more than many a backend takes for a message.
_JUST_NOW: Final = PROMPTLY / 3

_NOT_STARTED: Final = Receipt(
    outcome=Outcome.RETRY_LATER, reply="not sent: the backend has trouble", fault=Fault.BACKEND, begun=False
)


def _by_id(messages: Sequence[QueuedMessage]) -> dict[str, QueuedMessage]:
    return {message.id: message for message in messages}


@attrs.define
class Sending:
    """
    The messages of a batch on their way to the backend.

    Attributes:
        waiting: Those that were not begun, by id.
        under_way: Those that the backend has, by id: nobody knows what it did with them.
        answered: Those with a receipt.
    """

    app: Application
    backend: Backend
    batch: Batch
    claimed_at: datetime
    waiting: dict[str, QueuedMessage] = attrs.field(init=False)
    under_way: dict[str, QueuedMessage] = attrs.field(factory=dict, init=False)
    answered: list[tuple[QueuedMessage, Receipt]] = attrs.field(factory=list, init=False)
    _course: Foundering = attrs.field(factory=Foundering, init=False)
    _troubled: bool = attrs.field(default=False, init=False)

    @waiting.default
    def _all_wait(self) -> dict[str, QueuedMessage]:
        return _by_id(self.batch.ready)

    @property
    def broken(self) -> bool:
        """
        Whether the backend has trouble, so that nothing more is begun.
        """
        return self._troubled or bool(self._course)

    async def run(self, outcomes: Outcomes) -> None:
        """
        Send each message once.

        A message whose contact has moved since it was gated goes back into the queue, where it is gated anew: a stop
        may have come. That is asked for as many messages as the backend begins within a moment, and again for the next.
        Nothing more is begun once the backend has trouble, or half the lease has passed.
        """
        gated_now, stalled = self._elapsed() <= _JUST_NOW, False
        while self.waiting and not self.broken and self._elapsed() <= _LONGEST:
            part = list(islice(self.waiting.values(), self.backend.pace.size))
            if not gated_now:
                try:
                    part = await self._unmoved(part, outcomes)
                except Exception as error:
                    # Without it nothing more is begun, and what was sent is still recorded.
                    _log.error("contacts cannot be read again", extra={"error": type(error).__name__})
                    break
            gated_now = False
            if part:
                stalled = not await self._send_part(part, again=not stalled)
        if self.broken:
            self.backend.pace.size = FEW
        if self._course:
            _log.error(
                "a backend refuses one message like the other: the rest waits", extra={"backend": self.backend.name}
            )

    def conclude(self, outcomes: Outcomes, *, cut_off: bool) -> None:
        """
        Add what is known to the outcomes of the batch. Harmless when repeated.

        Args:
            cut_off: Whether the batch ends before its time: what was not begun then counts for nothing.
        """
        known = [(message, self._course.reconsidered(receipt)) for message, receipt in self.answered]
        if not cut_off:
            known += [(message, _NOT_STARTED) for message in self.waiting.values()]
        for message, receipt in known:
            record = self.batch.records[message.contact.subject]
            add_receipt(self.app, outcomes, message, record, receipt, self.backend.name)

    def _elapsed(self) -> timedelta:
        return self.app.settings.clock() - self.claimed_at

    async def _unmoved(self, messages: Sequence[QueuedMessage], outcomes: Outcomes) -> list[QueuedMessage]:
        """
        Return the messages whose contacts are as they were when they were gated. The others go back into the queue.
        """
        records = [self.batch.records[message.contact.subject] for message in messages]
        moved = await self.app.repository.moved(records, self.batch.contexts)
        if not moved:
            return list(messages)
        for message in messages:
            if message.contact.subject in moved:
                outcomes.defer(message, self.app.settings.clock())
                del self.waiting[message.id]
        return [message for message in messages if message.contact.subject not in moved]

    async def _send_part(self, part: Sequence[QueuedMessage], *, again: bool) -> bool:
        """
        Send what the backend begins of a part before the answer of the gate is too old, and return whether any of it
        was begun.

        Args:
            again: Whether to try again what the backend begins too late. Without an end it would never be done.
        """
        clock = self.app.settings.clock
        began, within, begun = clock(), PROMPTLY if self.backend.many else _JUST_NOW, 0
        if self.backend.many:
            begun = await self._send(part, again=again)
        else:
            for message in part:
                begun += await self._send([message], again=again)
                if self.broken or clock() - began > within:
                    break
        self.backend.pace.adapt(begun, clock() - began, within)
        return begun > 0

    async def _send(self, part: Sequence[QueuedMessage], *, again: bool) -> int:
        """
        Pass messages to the backend, and return how many of them it began.
        """
        messages = [message.message for message in part if message.message is not None]
        receipts: list[Receipt] = []
        self.under_way = _by_id(part)
        try:
            await self.backend.send(messages, receipts)
        except Exception as error:
            receipts = [self._failure(message, error) for message in messages]
        finally:
            # Also if interrupted: a backend may have said what it had done by then.
            if receipts:
                begun = self._take(list(zip(part, receipts, strict=True)), again=again)
        return begun

    def _take(self, answered: Sequence[tuple[QueuedMessage, Receipt]], *, again: bool) -> int:
        """
        Take the receipts of a part, and return how many of its messages were begun. The others still wait.
        """
        ended = [(message, receipt) for message, receipt in answered if receipt.begun or receipt.fault is not None]
        begun = len(ended)
        if not begun and not again:
            ended = list(answered)
        self.answered += ended
        for message, receipt in ended:
            self._course.add(receipt)
            self._troubled |= receipt.fault is Fault.BACKEND
            del self.waiting[message.id]
        self.under_way = {}
        return begun

    def _failure(self, message: Message, error: Exception) -> Receipt:
        """
        Return the receipt for a message whose backend raised: it may have been sent before the failure.

        The text and traceback of the error may hold an address, so only its class is logged.
        """
        if says_unsent(error) and not self.backend.many:
            return Receipt(outcome=Outcome.REFUSED, reply=f"not sent: {error}", fault=Fault.MESSAGE)
        facts = {"message_id": message.id, "backend": self.backend.name, "error": type(error).__name__}
        _log.error("message backend raised an exception", extra=facts)
        return Receipt(outcome=Outcome.IN_DOUBT)
