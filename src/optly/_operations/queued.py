"""
A message of the outbox on its way to the provider.
"""

from __future__ import annotations

import logging
from datetime import datetime

import attrs

from optly import typed
from optly._operations.application import Application
from optly._operations.links import new_code
from optly._operations.payload import Payload, PayloadKind, decode
from optly.contacts import Contact
from optly.links import STEP_UP_LIFE, LinkTarget, make_step_up, step_up_keys
from optly.messages import Message
from optly.protocols import MessageState, OutboxMessage, Settlement, StoredCode
from optly.record.events import LinkKind

_log = logging.getLogger("optly")


def settlement(
    row: OutboxMessage, state: MessageState, due_at: datetime | None = None, *, ended_at: datetime | None = None
) -> Settlement:
    """
    Return the change that moves a row of the outbox to *state*.

    Args:
        ended_at: When it ended, if its outcome is final and nobody has to look at it.
    """
    return Settlement(
        subject=row.subject,
        message=row.message,
        token=row.token,
        attempts=row.attempts,
        tries=row.tries,
        state=state,
        due_at=due_at,
        ended_at=ended_at,
    )


@attrs.define(kw_only=True)
class QueuedMessage:
    """
    One message, from its row in the outbox to what is sent.

    Attributes:
        row: Its row in the outbox; once claimed, with the token of the claim.
        contact: The contact it is for.
        code: The code of the link it carries, which a signed one has once it is composed, or the digits of a one-time
            code; empty for neither.
        stored: What is stored so that the code works.
        message: The message to send, once it is composed.
        attempts, tries: Its counts, this time included once it was counted.
    """

    row: OutboxMessage
    contact: Contact
    payload: Payload
    code: str = attrs.field(repr=False)
    stored: StoredCode | None = attrs.field(repr=False)
    message: Message | None = None
    attempts: int = attrs.field(init=False)
    tries: int = attrs.field(init=False)

    @attempts.default
    def _attempts_before(self) -> int:
        return self.row.attempts

    @tries.default
    def _tries_before(self) -> int:
        return self.row.tries

    def settlement(
        self,
        state: MessageState,
        due_at: datetime | None = None,
        *,
        ended_at: datetime | None = None,
        forget: bool = False,
        begun: bool = True,
    ) -> Settlement:
        """
        Return the change that moves it to *state*, or removes it, with the counts as they are now.

        Args:
            begun: Whether the provider may have been handed any of it. Otherwise nobody has got the link of this claim,
                and the next claim makes another.
        """
        counted = typed.evolve(self.row, attempts=self.attempts, tries=self.tries)
        # The digits of a one-time code are so short that another message may have the same; they expire soon.
        lost = not begun and self.stored is not None and self.payload.kind is not PayloadKind.CODE
        unused = [self.stored.key] if lost and self.stored is not None else ()
        return typed.evolve(settlement(counted, state, due_at, ended_at=ended_at), forget=forget, unused=unused)

    def count(self, *, begun: bool) -> None:
        """
        Count that the message was handed to the provider, or that it could not be.
        """
        self.attempts += begun
        self.tries += not begun

    @property
    def id(self) -> str:
        return self.row.message.hex()

    @property
    def recorded(self) -> bool:
        """
        Whether its outcome is recorded as an event of the contact.
        """
        return self.payload.recorded


def read(app: Application, row: OutboxMessage) -> QueuedMessage | None:
    """
    Read a row of the outbox and make the stored code that its message will carry. None, and logged, if it is damaged.
    """
    try:
        app.repository.macs.require(row)
        payload = decode(row)
        contact = payload.holder(row)
        code, stored = _new_code(app, row, payload, contact)
    except Exception as error:  # whatever a damaged row leads to: it keeps no other back
        facts = {"message_id": row.message.hex(), "contact": row.subject.hex(), "error": type(error).__name__}
        _log.error("queued message cannot be read and is not sent", extra=facts)
        return None
    return QueuedMessage(row=row, contact=contact, payload=payload, code=code, stored=stored)


def _is_signed(app: Application, payload: Payload) -> bool:
    return payload.signs_link and app.signing.links is not None


def _new_code(
    app: Application, row: OutboxMessage, payload: Payload, contact: Contact
) -> tuple[str, StoredCode | None]:
    now = app.settings.clock()
    if payload.kind is PayloadKind.CODE:
        digits = make_step_up(app.settings.random(8))
        key = step_up_keys(app.settings.keys, payload.challenge, digits)[0]
        return digits, StoredCode(key=key, subject=row.subject, value=b"", expires_at=now + STEP_UP_LIFE)
    if not payload.line or payload.answered is not None or _is_signed(app, payload):
        return "", None
    kind = LinkKind.MANAGE if payload.question is None else LinkKind.QUESTION
    target = LinkTarget(
        kind=kind if payload.undo is None else LinkKind.UNDO,
        contact=contact.id,
        line=payload.line,
        channel=payload.channel,
        handed_over=True,
        question=payload.question,
        message=row.message.hex(),
        made_at=now,
        undo=payload.undo,
    )
    return new_code(app, target, None if target.kind is LinkKind.MANAGE else payload.until)
