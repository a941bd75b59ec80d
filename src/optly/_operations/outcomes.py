"""
The outcomes of sent messages: what is recorded, what is tried again, and when.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Iterable
from datetime import datetime, timedelta
from typing import Final, TypeAlias

import attrs

from optly._operations.application import Application
from optly._operations.payload import PayloadKind
from optly._operations.queued import QueuedMessage, settlement
from optly._operations.repository import Plan, Record
from optly.backoff import backoff
from optly.contacts import Contact
from optly.errors import ClaimLostError, RetryableError
from optly.links import mark
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState, Settlement
from optly.record.commands import Command, RecordOutcome, WithholdMessage
from optly.results import Deliveries

_log = logging.getLogger("optly")

# With the delays below, about two days: long enough for a mailbox that is full.
MAX_ATTEMPTS: Final = 100
# About four days, or eight for what cannot be composed: nothing was sent, so a longer wait does no harm.
MAX_TRIES: Final = 200
FIRST_DELAY: Final = timedelta(minutes=1)
LONGEST_DELAY: Final = timedelta(hours=1)
_SHORTEST_DELAY: Final = timedelta(seconds=1)

_STATES: Final = {
    Outcome.ACCEPTED: MessageState.ACCEPTED,
    Outcome.REFUSED: MessageState.REFUSED,
    Outcome.IN_DOUBT: MessageState.IN_DOUBT,
}


def retry_delay(attempts: int, random: bytes) -> timedelta:
    """
    Return how long to wait after that many attempts: a random part of a time that doubles, up to an hour.
    """
    share = int.from_bytes(random) / (1 << 8 * len(random))
    return max(_SHORTEST_DELAY, backoff(attempts - 1, first=FIRST_DELAY, longest=LONGEST_DELAY, share=share))


def outcome_command(message: QueuedMessage, receipt: Receipt, backend: str = "", code: str = "") -> RecordOutcome:
    """
    Return the command that records what the provider answered.

    Args:
        code: Mark of the link the message carries.
    """
    return RecordOutcome(
        message=message.id,
        channel=message.payload.channel,
        line=message.payload.line,
        outcome=receipt.outcome,
        fault=receipt.fault,
        permanent=receipt.permanent,
        question=message.payload.question,
        complaint=message.payload.answered,
        backend=backend,
        status=receipt.status,
        code=code,
        provider_id=receipt.provider_id,
        provider_code="" if receipt.code is None else str(receipt.code),
        reply=receipt.reply,
    )


_Change: TypeAlias = tuple[Record, "RecordOutcome | WithholdMessage", Settlement]


@attrs.define
class Outcomes:
    """
    The outcomes of one batch, collected to be written together at its end.

    Attributes:
        changes: Outcomes to record as an event of the contact, each with the change to its row.
        settlements: Changes to rows without an event.
        counts: How many messages had each outcome, by the names in `Deliveries`.
    """

    changes: list[_Change] = attrs.field(factory=list)
    settlements: list[Settlement] = attrs.field(factory=list)
    counts: Counter[str] = attrs.field(factory=Counter)

    @property
    def deliveries(self) -> Deliveries:
        return Deliveries(**self.counts)

    def defer(self, message: QueuedMessage, until: datetime, *, counted_as: str = "deferred") -> None:
        """
        Put a message back into the queue, unsent, until an instant.
        """
        self.settlements.append(settlement(message.row, MessageState.QUEUED, until))
        self.counts[counted_as] += 1

    def put_off(self, message: QueuedMessage, error: Exception, now: datetime) -> None:
        """
        Put a message off that cannot be read or composed, or for good if it never could. The error may hold an address.
        """
        facts = {"message_id": message.id, "contact": message.contact.id, "error": type(error).__name__}
        _log.error("queued message cannot be composed, and is put off", extra=facts)
        message.count(begun=False)
        if message.row.tries < MAX_TRIES:
            self.defer(message, now + LONGEST_DELAY)
        else:
            self.settlements.append(settlement(message.row, MessageState.REFUSED))
            self.counts[Outcome.REFUSED.value] += 1

    def withhold(self, message: QueuedMessage, record: Record, command: WithholdMessage) -> None:
        """
        Record that a message is not sent, and why.
        """
        self.changes.append((record, command, settlement(message.row, MessageState.WITHHELD)))
        self.counts["withheld"] += 1

    def drop(self, message: QueuedMessage, *, counted: bool) -> None:
        """
        Take a message out of the queue without an event. Of one that goes to nobody on record its row goes too: anybody
        can ask for any number of them.
        """
        self.settlements.append(settlement(message.row, MessageState.WITHHELD, forget=not message.recorded))
        if counted:
            self.counts["withheld"] += 1

    def finish(self, message: QueuedMessage, record: Record, receipt: Receipt, backend: str) -> None:
        settled = settlement(message.row, _STATES[receipt.outcome])
        if message.recorded:
            code = "" if message.payload.kind is PayloadKind.CODE or not message.code else mark(message.code)
            self.changes.append((record, outcome_command(message, receipt, backend, code), settled))
        else:
            self.settlements.append(settled)
        self.counts[receipt.outcome.value] += 1

    async def write(self, app: Application) -> None:
        first: dict[bytes, _Change] = {}
        others = []
        for change in self.changes:
            # A contact has a second one if a message of the batch answers their complaint.
            if first.setdefault(change[0].subject, change) is not change:
                others.append(change)
        try:
            written = await _write_all(app, first.values())
            unwritten = [change for subject, change in first.items() if subject not in written]
            for record, command, settled in (*unwritten, *others):
                await settle(app, Contact(record.subject.hex()), command, settled)
        finally:
            # These messages are known to be unsent, whatever keeps the others from being recorded.
            await app.storage.settle(self.settlements)


async def _write_all(app: Application, changes: Iterable[_Change]) -> Container[bytes]:
    """
    Write the outcomes of different contacts in one transaction, and return the contacts for which that was done.
    """
    try:
        return await app.repository.apply_all(
            [(record, Plan(command=command, settle=(settled,))) for record, command, settled in changes]
        )
    except RetryableError:
        raise
    except Exception as error:
        _log.error("outcomes are written one by one", extra={"error": type(error).__name__})
        return ()


def add_receipt(
    app: Application, outcomes: Outcomes, message: QueuedMessage, record: Record, receipt: Receipt, backend: str
) -> None:
    """
    Add what the provider answered to the outcomes of a batch: final, or to be tried again.
    """
    message.count(begun=receipt.begun)
    if receipt.outcome is Outcome.RETRY_LATER:
        row = message.row
        times, most = (row.attempts, MAX_ATTEMPTS) if receipt.begun else (row.tries, MAX_TRIES)
        if times < most:
            delay = max(retry_delay(times, app.settings.random(4)), receipt.retry_after or timedelta(0))
            outcomes.defer(message, app.settings.clock() + delay, counted_as="retried")
            return
        tried = f"{times} attempts" if receipt.begun else f"it could not be sent {times} times"
        reply = f"gave up after {tried}; the last reply was: {receipt.reply}"
        receipt = attrs.evolve(receipt, outcome=Outcome.REFUSED, reply=reply)
    outcomes.finish(message, record, receipt, backend)


async def settle(app: Application, contact: Contact, command: Command, settled: Settlement) -> None:
    """
    Record the outcome of one message together with the new state of its row, or that state alone if the record of the
    contact is lost.
    """
    try:
        await _settle(app, contact, command, settled)
    except RetryableError:
        raise
    except Exception as error:
        facts = {"contact": contact.id, "error": type(error).__name__}
        _log.error("contact record cannot be written, so the outcome of a message is not in it", extra=facts)
        await app.storage.settle([settled])


async def _settle(app: Application, contact: Contact, command: Command, settled: Settlement) -> None:
    try:
        applied = await app.repository.apply(contact, Plan(command=command, settle=(settled,)))
    except ClaimLostError:
        # The message was queued again in the meantime, or is gone. What is known now is still evidence.
        applied = await app.repository.apply(contact, command)
    if not applied.events:  # the contact was erased in the meantime: there is no one to record it for
        await app.storage.settle([settled])
