"""
The second gate: whether a queued message may still be sent, and which of its choices still stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from optly._operations.application import Application
from optly._operations.ask import gate_request
from optly._operations.gate import assess
from optly._operations.payload import Payload, PayloadKind
from optly._operations.way_back import standing_stop
from optly.contacts import Contact
from optly.record.events import Choice
from optly.record.standing import QuestionState, Standing
from optly.rules import Decision, Facts, MessageKind, Solicited

_PLAIN: Final = (MessageKind.SERVICE, Facts(promotional=False))


def standing_choices(payload: Payload, standing: Standing, now: datetime) -> tuple[Choice, ...]:
    """
    Return the choices that a request still asks about, that a receipt still confirms, or that are still stopped as a
    notice says. Empty if the message is obsolete.
    """
    if payload.kind is PayloadKind.RECEIPT:
        return tuple(c for c in payload.choices if _is_latest(payload, c, standing, now))
    if payload.kind is PayloadKind.STOPPED:
        assert payload.undo is not None
        stop = payload.undo.stop
        return tuple(c for c in payload.choices if _is_stopped_by(stop, standing, c, now))
    question = standing.question(payload.question or "")
    if question is None or question.state is not QuestionState.OPEN or now > question.expires_at:
        return ()
    return question.choices


def _is_stopped_by(stop: int | None, standing: Standing, choice: Choice, now: datetime) -> bool:
    latest = standing.stop(choice.channel, choice.purpose, choice.line, now)
    return latest is not None and latest.repeats(stop)


def _is_latest(payload: Payload, choice: Choice, standing: Standing, now: datetime) -> bool:
    """
    Whether a receipt is about the consent that counts now. Of a later one there is a later receipt.
    """
    consent = standing.consent(choice.channel, choice.purpose, choice.line, now)
    return consent is not None and (payload.at is None or consent.at <= payload.at)


def is_obsolete(payload: Payload, choices: Sequence[Choice], standing: Standing, now: datetime) -> bool:
    """
    Whether what a message says is no longer true.

    Args:
        choices: Those that still stand (`standing_choices`).
    """
    match payload.kind:
        case PayloadKind.REQUEST | PayloadKind.REMINDER | PayloadKind.RECEIPT | PayloadKind.STOPPED:
            return not choices
        case PayloadKind.WAY_BACK:
            # Made for one stop: a later one, or a yes, has taken its place.
            stop = standing_stop(standing, payload.channel, payload.line, now)
            return stop is None or stop.at != payload.at
        case PayloadKind.CHANGED:
            assert payload.undo is not None
            return payload.undo.added not in standing.present()
        case PayloadKind.OUTCOME:
            complaint = standing.complaint(payload.complaint or "")
            return complaint is None or complaint.resolved_at is not None
        case PayloadKind.COMPLAINT | PayloadKind.ALERT:
            complaint = standing.complaint(payload.complaint or "")
            needless = payload.kind is PayloadKind.COMPLAINT or payload.reminder
            return complaint is None or (needless and complaint.acknowledged_at is not None)
        case _:
            return False


def gate_queued(
    app: Application, contact: Contact, payload: Payload, choices: Sequence[Choice], standing: Standing, now: datetime
) -> Decision | None:
    """
    Gate a queued message in the same way as when it was queued. None if it is obsolete.
    """
    if is_obsolete(payload, choices, standing, now):
        return None
    if payload.question is not None:
        question = standing.question(payload.question)
        assert question is not None
        return gate_request(
            app,
            standing,
            contact,
            payload.channel,
            payload.line,
            choices,
            None if question.solicited_at is None else Solicited(how="", at=question.solicited_at),
            now,
            question.id,
            reminder=payload.kind is PayloadKind.REMINDER,
        )
    # What Optly writes itself promotes nothing.
    kind, facts = (MessageKind.MARKETING, Facts()) if payload.kind is PayloadKind.MARKETING else _PLAIN
    return assess(
        app,
        standing,
        payload.channel,
        (payload.purpose, *payload.also_for),
        kind=kind,
        contact=contact.id,
        line=payload.line,
        at=now,
        **facts,
    )
