"""
The outcomes of sent messages: what is recorded, what is tried again, and when.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

import attrs

from optly import typed
from optly._operations.application import Application
from optly._operations.payload import PayloadKind
from optly._operations.queued import QueuedMessage, settlement
from optly._operations.repository import Plan, Record
from optly._operations.settings import Settings
from optly.backoff import backoff
from optly.contacts import Contact
from optly.errors import ClaimLostError, ConfigurationError, DamagedError, RetryableError
from optly.links import mark
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState, OutboxMessage, Settlement
from optly.record.commands import Command, RecordOutcome, WithholdMessage
from optly.record.consent import readable
from optly.record.events import MessageAccepted, MessageDoubted, MessageEvent, MessageRefused, MessageWithheld
from optly.results import Deliveries

_log = logging.getLogger("optly")

# With the delays below, about two days: long enough for a mailbox that is full.
MAX_ATTEMPTS: Final = 100
# About four days, or eight for what cannot be composed: nothing was sent, so a longer wait does no harm.
MAX_TRIES: Final = 200
FIRST_DELAY: Final = timedelta(minutes=1)
LONGEST_DELAY: Final = timedelta(hours=1)
_SHORTEST_DELAY: Final = timedelta(seconds=1)

# Errors that are no fault of one message, whatever it holds: the store cannot be reached, or refuses everything.
SHARED: Final = (RetryableError, ConfigurationError)

_EVENTS: Final[Mapping[Outcome, type[MessageEvent]]] = {
    Outcome.ACCEPTED: MessageAccepted,
    Outcome.REFUSED: MessageRefused,
    Outcome.IN_DOUBT: MessageDoubted,
}
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
        **message.payload.permission,
    )


@attrs.frozen(kw_only=True)
class _Event:
    """
    What is recorded of the outcome of a message.

    Attributes:
        record: The contact, as it was read.
    """

    record: Record
    command: RecordOutcome | WithholdMessage
    settled: Settlement


@attrs.define
class Outcomes:
    """
    The outcomes of one batch, collected to be written together at its end. Each message has one: the first.

    Attributes:
        settings: The source of its random bytes and its clock.
        token: Identifies the claims of the batch.
        wanted: The messages that it tried to claim, which may be more than it got.
    """

    _settings: Settings = attrs.field(repr=False)
    token: bytes = attrs.field(init=False, repr=False)
    wanted: list[OutboxMessage] = attrs.field(factory=list, init=False)
    _ended: dict[tuple[bytes, bytes], Settlement | _Event] = attrs.field(factory=dict, init=False)
    _counted: dict[tuple[bytes, bytes], str] = attrs.field(factory=dict, init=False)
    _tried: bool = attrs.field(default=False, init=False)

    @token.default
    def _new_token(self) -> bytes:
        return self._settings.random(16)

    @property
    def deliveries(self) -> Deliveries:
        return Deliveries(**Counter(self._counted.values()))

    def has(self, message: QueuedMessage) -> bool:
        """
        Whether the outcome of a message is known.
        """
        return _key(message.row) in self._ended

    def _end(self, row: OutboxMessage, ended: Settlement | _Event, counted_as: str = "") -> None:
        if self._ended.setdefault(_key(row), ended) is ended and counted_as:
            self._counted[_key(row)] = counted_as

    def _record(
        self,
        message: QueuedMessage,
        record: Record,
        command: RecordOutcome | WithholdMessage,
        state: MessageState,
        counted_as: str,
        *,
        begun: bool = True,
    ) -> None:
        settled = message.settlement(state, ended_at=self._ended_at(state), begun=begun)
        self._end(message.row, _Event(record=record, command=command, settled=settled), counted_as)

    def _ended_at(self, state: MessageState) -> datetime | None:
        return None if state.waits else self._settings.clock()

    def defer(
        self, message: QueuedMessage, until: datetime, *, counted_as: str = "deferred", begun: bool = False
    ) -> None:
        """
        Put a message back into the queue, unsent, until an instant.

        Args:
            begun: Whether the provider was handed any of it.
        """
        self._end(message.row, message.settlement(MessageState.QUEUED, until, begun=begun), counted_as)

    def give_back(self, keep: Container[str], until: datetime | None) -> None:
        """
        Put back what the batch may have claimed and has no outcome, because it was cut off.

        Args:
            keep: Ids of the messages that are under way. They stay claimed.
            until: When they are due again; None for when they were.
        """
        for row in self.wanted:
            if row.message.hex() not in keep:
                self._end(row, settlement(typed.evolve(row, token=self.token), MessageState.QUEUED, until))

    def put_off(self, message: QueuedMessage, error: Exception, now: datetime) -> None:
        """
        Put a message off that cannot be read or composed, or for good if it never could: it then stays for people to
        look at, because the record does not say so. The error may hold an address.
        """
        facts = {"message_id": message.id, "contact": message.contact.id, "error": type(error).__name__}
        _log.error("queued message cannot be composed, and is put off", extra=facts)
        message.count(begun=False)
        if message.tries < MAX_TRIES:
            self.defer(message, now + LONGEST_DELAY)
        else:
            self._end(message.row, message.settlement(MessageState.REFUSED, begun=False), Outcome.REFUSED.value)

    def withhold(self, message: QueuedMessage, record: Record, command: WithholdMessage) -> None:
        """
        Record that a message is not sent, and why.
        """
        self._record(message, record, command, MessageState.WITHHELD, "withheld", begun=False)

    def drop(self, message: QueuedMessage, *, counted: bool) -> None:
        """
        Take a message out of the queue without an event. Of one that goes to nobody on record its row goes too: anybody
        can ask for any number of them.
        """
        state = MessageState.WITHHELD
        ended_at, forget = self._ended_at(state), not message.recorded
        settled = message.settlement(state, ended_at=ended_at, forget=forget, begun=False)
        self._end(message.row, settled, "withheld" if counted else "")

    def discard(self, row: OutboxMessage) -> None:
        """
        Take a message out of the queue that cannot be read. It stays for people to look at.
        """
        self._end(row, settlement(row, MessageState.REFUSED))

    def finish(self, message: QueuedMessage, record: Record, receipt: Receipt, backend: str) -> None:
        state = _STATES[receipt.outcome]
        if message.recorded:
            # The mark of a signed link is the beginning of the message's id.
            marked = message.stored is not None and message.payload.kind is not PayloadKind.CODE
            code = mark(message.code) if marked else ""
            command = outcome_command(message, receipt, backend, code)
            self._record(message, record, command, state, receipt.outcome.value)
        else:
            settled = message.settlement(state, ended_at=self._ended_at(state))
            self._end(message.row, settled, receipt.outcome.value)

    async def write(self, app: Application) -> None:
        """
        Write them all. Harmless when repeated.
        """
        events = [ended for ended in self._ended.values() if isinstance(ended, _Event)]
        if self._tried:
            events = [event for event in events if not await _is_recorded(app, event)]
        self._tried = True
        first: dict[bytes, _Event] = {}
        # A contact has a second one if a message of the batch answers their complaint.
        others = [event for event in events if first.setdefault(event.record.subject, event) is not event]
        try:
            written = await _write_all(app, list(first.values())) if first else ()
            unwritten = [event for subject, event in first.items() if subject not in written]
            for event in (*unwritten, *others):
                await settle(app, Contact(event.record.subject.hex()), event.command, event.settled)
        finally:
            # These messages are known to be unsent, whatever keeps the others from being recorded.
            settled = [ended for ended in self._ended.values() if isinstance(ended, Settlement)]
            if settled:
                await app.storage.settle(settled)


def _key(row: OutboxMessage) -> tuple[bytes, bytes]:
    return row.subject, row.message


async def _write_all(app: Application, events: Sequence[_Event]) -> Container[bytes]:
    """
    Write the outcomes of different contacts in one transaction, and return the contacts for which that was done.
    """
    try:
        return await app.repository.apply_all(
            [(event.record, Plan(command=event.command, settle=(event.settled,))) for event in events]
        )
    except SHARED:
        raise
    except Exception as error:
        _log.error("outcomes are written one by one", extra={"error": type(error).__name__})
        return ()


async def _is_recorded(app: Application, event: _Event) -> bool:
    """
    Whether an outcome that was being written is on record: an event like it came after the contact was read.
    """
    command = event.command
    kind = MessageWithheld if isinstance(command, WithholdMessage) else _EVENTS[command.outcome]
    try:
        entries = await app.storage.entries(event.record.subject)
    except DamagedError:
        return False
    later = [entry for entry in entries[event.record.version :] if command.message.encode() in entry.payload]
    return any(isinstance(each, kind) and each.message == command.message for each in readable(later))


def add_receipt(
    app: Application, outcomes: Outcomes, message: QueuedMessage, record: Record, receipt: Receipt, backend: str
) -> None:
    """
    Add what the provider answered to the outcomes of a batch: final, or to be tried again.
    """
    if outcomes.has(message):
        return
    message.count(begun=receipt.begun)
    if receipt.outcome is Outcome.RETRY_LATER:
        begun = receipt.begun
        times, most = (message.attempts, MAX_ATTEMPTS) if begun else (message.tries, MAX_TRIES)
        if times < most:
            delay = max(retry_delay(times, app.settings.random(4)), receipt.retry_after or timedelta(0))
            outcomes.defer(message, app.settings.clock() + delay, counted_as="retried", begun=begun)
            return
        tried = f"{times} attempts" if receipt.begun else f"it could not be sent {times} times"
        reply = f"gave up after {tried}; the last reply was: {receipt.reply}"
        receipt = typed.evolve(receipt, outcome=Outcome.REFUSED, reply=reply)
    outcomes.finish(message, record, receipt, backend)


async def settle(app: Application, contact: Contact, command: Command, settled: Settlement) -> None:
    """
    Record the outcome of one message together with the new state of its row, or that state alone if the record of the
    contact is lost.
    """
    try:
        await _settle(app, contact, command, settled)
    except SHARED:
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
