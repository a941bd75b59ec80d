"""
From what waits in the outbox to the message that goes out: whether it may still be said, and what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypedDict, assert_never

import attrs

from optly._operations.application import Application
from optly._operations.ask import gate_request
from optly._operations.gate import assess
from optly._operations.payload import Payload, PayloadKind
from optly.contacts.addresses import Address, AddressKind, Channel, EmailAddress
from optly.contacts.parties import Contact
from optly.contacts.purposes import Wording
from optly.links import STEP_UP_LIFE, StopScope, Undo
from optly.locale.i18n import Catalogues, nearest
from optly.messages import Content, Message
from optly.messages.texts import segments
from optly.record.consent import QuestionState, Standing
from optly.record.events import Choice
from optly.rendering import (
    changed_notice,
    code_message,
    complaint_alert,
    complaint_received,
    copy_message,
    help_text,
    link_message,
    marketing,
    receipt,
    request,
    stopped_notice,
    unsubscribe_headers,
)
from optly.rules import Decision, MessageKind, Reason, Solicited

_log = logging.getLogger("optly")


def still_to_say(payload: Payload, standing: Standing, now: datetime) -> tuple[Choice, ...]:
    """
    Return the choices that a request still asks about, a receipt still confirms, or a notice still tells are stopped.
    Empty if it came too late.
    """
    if payload.kind is PayloadKind.RECEIPT:
        return tuple(c for c in payload.choices if standing.consent(c.channel, c.purpose, c.line, now) is not None)
    if payload.kind is PayloadKind.STOPPED:
        return tuple(c for c in payload.choices if _stopped_by(standing, c, now) == _undo(payload).stop)
    question = standing.question(payload.question or "")
    if question is None or question.state is not QuestionState.OPEN or now > question.expires_at:
        return ()
    return question.choices


def _stopped_by(standing: Standing, choice: Choice, now: datetime) -> int | None:
    stop = standing.stop(choice.channel, choice.purpose, choice.line, now)
    return None if stop is None else stop.seq


def _undo(payload: Payload) -> Undo:
    assert payload.undo is not None
    return payload.undo


def is_too_late(payload: Payload, choices: Sequence[Choice], standing: Standing) -> bool:
    """
    Whether what a message was to say is no longer so.
    """
    match payload.kind:
        case PayloadKind.REQUEST | PayloadKind.REMINDER | PayloadKind.RECEIPT | PayloadKind.STOPPED:
            return not choices
        case PayloadKind.CHANGED:
            return _undo(payload).added not in standing.present()
        case PayloadKind.COMPLAINT | PayloadKind.ALERT:
            complaint = standing.complaint(payload.complaint or "")
            told = payload.kind is PayloadKind.COMPLAINT or payload.reminder
            return complaint is None or (told and complaint.acknowledged_at is not None)
        case _:
            return False


def gate_again(
    app: Application, contact: Contact, payload: Payload, choices: Sequence[Choice], standing: Standing, now: datetime
) -> Decision | None:
    """
    Ask the gate as it was asked when the message was queued. None for what came too late.
    """
    if is_too_late(payload, choices, standing):
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
    return assess(
        app,
        standing,
        payload.channel,
        payload.purpose,
        kind=MessageKind.MARKETING if payload.kind is PayloadKind.MARKETING else MessageKind.SERVICE,
        contact=contact.id,
        line=payload.line,
        at=now,
    )


@attrs.frozen(kw_only=True)
class Particulars:
    """
    What a message says beside its words.

    Attributes:
        code: The code of the link it carries, or the digits of a one-time code.
        reason: Why it may go out.
        kind, masked: The new address that a notice tells of.
        page, plain: What a copy holds, in its two forms.
    """

    code: str = attrs.field(repr=False)
    reason: Reason
    kind: AddressKind = AddressKind.EMAIL
    masked: str = ""
    page: str = attrs.field(default="", repr=False)
    plain: str = attrs.field(default="", repr=False)


class _Spoken(TypedDict):
    language: str
    more: Catalogues


class _Links(_Spoken):
    link: str
    stop: str


# What neither promotes anything nor follows from something that may: nothing in it is to be stopped.
_ONLY_TELLS: Final = frozenset(
    {
        PayloadKind.CODE,
        PayloadKind.COPY,
        PayloadKind.STOPPED,
        PayloadKind.CHANGED,
        PayloadKind.COMPLAINT,
        PayloadKind.ALERT,
    }
)


def make(
    app: Application,
    name: str,
    contact: Contact,
    payload: Payload,
    wordings: Sequence[Wording],
    *,
    address: Address,
    particulars: Particulars,
) -> Message:
    """
    Make the message that *payload* stands for.

    Args:
        name: Its name, 32 hexadecimal digits.
        wordings: What a request asks, a receipt confirms and a notice tells is stopped.
    """
    # A marketing message stops what it is about; what asks or confirms stops everything.
    scope = StopScope(
        contact=contact.id,
        line=payload.line,
        channel=payload.channel if payload.kind is PayloadKind.MARKETING else None,
        purpose=payload.purpose or None,
    )
    links: _Links = {
        "link": app.settings.pages.link(particulars.code),
        "stop": app.settings.pages.stop(app.settings.stop_links.sign(scope)),
        "language": payload.language,
        "more": app.settings.catalogues,
    }
    content = _content(app, contact, payload, wordings, links, particulars)
    if payload.channel is Channel.SMS:
        _warn_of_length(name, content.text)
    return Message(
        id=name,
        contact=contact.id,
        channel=payload.channel,
        to=_destination(address),
        subject=content.subject,
        text=content.text,
        html=content.html,
        headers=(
            unsubscribe_headers(links["stop"])
            if payload.channel is Channel.EMAIL and payload.kind not in _ONLY_TELLS
            else {}
        ),
        language=nearest(payload.language, app.settings.catalogues),
    )


def _content(
    app: Application,
    contact: Contact,
    payload: Payload,
    wordings: Sequence[Wording],
    links: _Links,
    particulars: Particulars,
) -> Content:
    organisation, channel = app.settings.organisation, payload.channel
    spoken: _Spoken = {"language": payload.language, "more": app.settings.catalogues}
    match payload.kind:
        case PayloadKind.REQUEST | PayloadKind.REMINDER:
            assert payload.until is not None
            return request(
                organisation,
                channel,
                wordings,
                until=payload.until,
                reminder=payload.kind is PayloadKind.REMINDER,
                by_reply=app.backends[payload.channel].takes_replies,
                **links,
            )
        case PayloadKind.RECEIPT:
            assert payload.at is not None
            return receipt(organisation, channel, wordings, on=payload.at, **links)
        case PayloadKind.HELP:
            return help_text(organisation, link=links["link"], **spoken)
        case PayloadKind.MARKETING:
            assert payload.content is not None
            return marketing(
                organisation,
                channel,
                payload.content,
                reason=particulars.reason,
                **links,
            )
        case PayloadKind.CODE:
            minutes = int(STEP_UP_LIFE.total_seconds() // 60)
            return code_message(
                organisation,
                channel,
                particulars.code,
                host=app.settings.pages.host,
                minutes=minutes,
                **spoken,
            )
        case PayloadKind.LINK:
            return link_message(organisation, channel, **links)
        case PayloadKind.COPY:
            return copy_message(
                organisation,
                page=particulars.page,
                plain=particulars.plain,
                **spoken,
            )
        case PayloadKind.STOPPED:
            assert payload.at is not None
            assert payload.until is not None
            return stopped_notice(
                organisation,
                channel,
                wordings,
                on=payload.at,
                link=links["link"],
                until=payload.until,
                **spoken,
            )
        case PayloadKind.CHANGED:
            assert payload.until is not None
            return changed_notice(
                organisation,
                channel,
                kind=particulars.kind,
                masked=particulars.masked,
                link=links["link"],
                until=payload.until,
                **spoken,
            )
        case PayloadKind.COMPLAINT:
            assert payload.at is not None
            assert payload.until is not None
            return complaint_received(
                organisation,
                channel,
                reference=payload.complaint or "",
                on=payload.at,
                by=payload.until,
                **spoken,
            )
        case PayloadKind.ALERT:
            assert payload.until is not None
            return complaint_alert(
                organisation,
                contact=contact.id,
                reference=payload.complaint or "",
                by=payload.until,
                reminder=payload.reminder,
            )
        case PayloadKind.LINK_WANTED:
            raise AssertionError("what was only typed in is no message")
        case _:
            assert_never(payload.kind)


def _warn_of_length(name: str, text: str) -> None:
    counted = segments(text)
    if counted.count > 1:
        facts = {"message_id": name, "parts": counted.count, "character": counted.culprit or ""}
        _log.warning("a text takes several parts, each of which is paid for", extra=facts)


def _destination(address: Address) -> str:
    if isinstance(address, EmailAddress):
        return address.ascii_value or address.value
    return address.value
