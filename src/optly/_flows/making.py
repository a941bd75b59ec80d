"""
From what waits in the outbox to the message that goes out: whether it may still be said, and what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import TypedDict, assert_never

from optly._flows.ask import gate_request
from optly._flows.desk import Desk
from optly._flows.gate import assess
from optly._flows.parcels import Parcel, ParcelKind
from optly.addresses import Address, Channel, EmailAddress
from optly.consent import QuestionState, Standing
from optly.events import Choice
from optly.links import StopScope
from optly.messages import Content, Message
from optly.parties import Contact
from optly.purposes import Wording
from optly.rendering import help_text, marketing, receipt, request, unsubscribe_headers
from optly.rules import Decision, MessageKind, Reason, Solicited
from optly.texts import segments

_log = logging.getLogger("optly")


def still_to_say(parcel: Parcel, standing: Standing, now: datetime) -> tuple[Choice, ...]:
    """
    Return the choices that a request still asks about or that a receipt still confirms. Empty if it came too late.
    """
    if parcel.kind is ParcelKind.RECEIPT:
        return tuple(c for c in parcel.choices if standing.consent(c.channel, c.purpose, c.line, now) is not None)
    question = standing.question(parcel.question or "")
    if question is None or question.state is not QuestionState.OPEN or now > question.expires_at:
        return ()
    return question.choices


def gate_again(
    desk: Desk, contact: Contact, parcel: Parcel, choices: Sequence[Choice], standing: Standing, now: datetime
) -> Decision | None:
    """
    Ask the gate as it was asked when the message was queued. None for what came too late.
    """
    if parcel.kind in (ParcelKind.REQUEST, ParcelKind.REMINDER, ParcelKind.RECEIPT) and not choices:
        return None
    if parcel.question is not None:
        question = standing.question(parcel.question)
        assert question is not None
        return gate_request(
            desk,
            standing,
            contact,
            parcel.channel,
            parcel.line,
            choices,
            None if question.solicited_at is None else Solicited(how="", at=question.solicited_at),
            now,
            question.id,
            reminder=parcel.kind is ParcelKind.REMINDER,
        )
    return assess(
        desk,
        standing,
        parcel.channel,
        parcel.purpose,
        kind=MessageKind.MARKETING if parcel.kind is ParcelKind.MARKETING else MessageKind.SERVICE,
        contact=contact.id,
        line=parcel.line,
        at=now,
    )


class _Links(TypedDict):
    link: str
    stop: str
    language: str


def make(
    desk: Desk,
    name: str,
    contact: Contact,
    parcel: Parcel,
    wordings: Sequence[Wording],
    *,
    code: str,
    reason: Reason,
    address: Address,
) -> Message:
    """
    Make the message that *parcel* stands for.

    Args:
        name: Its name, 32 hexadecimal digits.
        wordings: What a request asks and a receipt confirms.
        code: The code of the link it carries.
        reason: Why it may go out.
    """
    # A marketing message stops what it is about; what asks or confirms stops everything.
    scope = StopScope(
        contact=contact.id,
        line=parcel.line,
        channel=parcel.channel if parcel.kind is ParcelKind.MARKETING else None,
        purpose=parcel.purpose or None,
    )
    links: _Links = {
        "link": desk.pages.link(code),
        "stop": desk.pages.stop(desk.stop_links.sign(scope)),
        "language": parcel.language,
    }
    content = _content(desk, parcel, wordings, reason, links)
    if parcel.channel is Channel.SMS:
        _warn_of_length(name, content.text)
    return Message(
        id=name,
        contact=contact.id,
        channel=parcel.channel,
        to=_destination(address),
        subject=content.subject,
        text=content.text,
        html=content.html,
        headers=unsubscribe_headers(links["stop"]) if parcel.channel is Channel.EMAIL else {},
        language=parcel.language,
    )


def _content(desk: Desk, parcel: Parcel, wordings: Sequence[Wording], reason: Reason, links: _Links) -> Content:
    match parcel.kind:
        case ParcelKind.REQUEST | ParcelKind.REMINDER:
            assert parcel.until is not None
            return request(
                desk.organisation,
                parcel.channel,
                wordings,
                until=parcel.until,
                reminder=parcel.kind is ParcelKind.REMINDER,
                by_reply=desk.outlets[parcel.channel].takes_replies,
                **links,
            )
        case ParcelKind.RECEIPT:
            assert parcel.at is not None
            return receipt(desk.organisation, parcel.channel, wordings, on=parcel.at, **links)
        case ParcelKind.HELP:
            return help_text(desk.organisation, link=links["link"])
        case ParcelKind.MARKETING:
            assert parcel.content is not None
            return marketing(desk.organisation, parcel.channel, parcel.content, reason=reason, **links)
        case _:
            assert_never(parcel.kind)


def _warn_of_length(name: str, text: str) -> None:
    counted = segments(text)
    if counted.count > 1:
        facts = {"message_id": name, "parts": counted.count, "character": counted.culprit or ""}
        _log.warning("a text takes several parts, each of which is paid for", extra=facts)


def _destination(address: Address) -> str:
    if isinstance(address, EmailAddress):
        return address.ascii_value or address.value
    return address.value
