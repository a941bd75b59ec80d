"""
From what waits in the outbox to the message that goes out: whether it may still be said, and what it says.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, TypedDict, assert_never

import attrs

from optly._operations.ask import gate_request
from optly._operations.desk import Desk
from optly._operations.gate import assess
from optly._operations.payload import Parcel, ParcelKind
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


def still_to_say(parcel: Parcel, standing: Standing, now: datetime) -> tuple[Choice, ...]:
    """
    Return the choices that a request still asks about, a receipt still confirms, or a notice still tells are stopped.
    Empty if it came too late.
    """
    if parcel.kind is ParcelKind.RECEIPT:
        return tuple(c for c in parcel.choices if standing.consent(c.channel, c.purpose, c.line, now) is not None)
    if parcel.kind is ParcelKind.STOPPED:
        return tuple(c for c in parcel.choices if _stopped_by(standing, c, now) == _undo(parcel).stop)
    question = standing.question(parcel.question or "")
    if question is None or question.state is not QuestionState.OPEN or now > question.expires_at:
        return ()
    return question.choices


def _stopped_by(standing: Standing, choice: Choice, now: datetime) -> int | None:
    stop = standing.stop(choice.channel, choice.purpose, choice.line, now)
    return None if stop is None else stop.seq


def _undo(parcel: Parcel) -> Undo:
    assert parcel.undo is not None
    return parcel.undo


def is_too_late(parcel: Parcel, choices: Sequence[Choice], standing: Standing) -> bool:
    """
    Whether what a message was to say is no longer so.
    """
    match parcel.kind:
        case ParcelKind.REQUEST | ParcelKind.REMINDER | ParcelKind.RECEIPT | ParcelKind.STOPPED:
            return not choices
        case ParcelKind.CHANGED:
            return _undo(parcel).added not in standing.present()
        case ParcelKind.COMPLAINT | ParcelKind.ALERT:
            complaint = standing.complaint(parcel.complaint or "")
            told = parcel.kind is ParcelKind.COMPLAINT or parcel.reminder
            return complaint is None or (told and complaint.acknowledged_at is not None)
        case _:
            return False


def gate_again(
    desk: Desk, contact: Contact, parcel: Parcel, choices: Sequence[Choice], standing: Standing, now: datetime
) -> Decision | None:
    """
    Ask the gate as it was asked when the message was queued. None for what came too late.
    """
    if is_too_late(parcel, choices, standing):
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
        ParcelKind.CODE,
        ParcelKind.COPY,
        ParcelKind.STOPPED,
        ParcelKind.CHANGED,
        ParcelKind.COMPLAINT,
        ParcelKind.ALERT,
    }
)


def make(
    desk: Desk,
    name: str,
    contact: Contact,
    parcel: Parcel,
    wordings: Sequence[Wording],
    *,
    address: Address,
    particulars: Particulars,
) -> Message:
    """
    Make the message that *parcel* stands for.

    Args:
        name: Its name, 32 hexadecimal digits.
        wordings: What a request asks, a receipt confirms and a notice tells is stopped.
    """
    # A marketing message stops what it is about; what asks or confirms stops everything.
    scope = StopScope(
        contact=contact.id,
        line=parcel.line,
        channel=parcel.channel if parcel.kind is ParcelKind.MARKETING else None,
        purpose=parcel.purpose or None,
    )
    links: _Links = {
        "link": desk.pages.link(particulars.code),
        "stop": desk.pages.stop(desk.stop_links.sign(scope)),
        "language": parcel.language,
        "more": desk.catalogues,
    }
    content = _content(desk, contact, parcel, wordings, links, particulars)
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
        headers=(
            unsubscribe_headers(links["stop"])
            if parcel.channel is Channel.EMAIL and parcel.kind not in _ONLY_TELLS
            else {}
        ),
        language=nearest(parcel.language, desk.catalogues),
    )


def _content(
    desk: Desk,
    contact: Contact,
    parcel: Parcel,
    wordings: Sequence[Wording],
    links: _Links,
    particulars: Particulars,
) -> Content:
    organisation, channel = desk.organisation, parcel.channel
    spoken: _Spoken = {"language": parcel.language, "more": desk.catalogues}
    match parcel.kind:
        case ParcelKind.REQUEST | ParcelKind.REMINDER:
            assert parcel.until is not None
            return request(
                organisation,
                channel,
                wordings,
                until=parcel.until,
                reminder=parcel.kind is ParcelKind.REMINDER,
                by_reply=desk.outlets[parcel.channel].takes_replies,
                **links,
            )
        case ParcelKind.RECEIPT:
            assert parcel.at is not None
            return receipt(organisation, channel, wordings, on=parcel.at, **links)
        case ParcelKind.HELP:
            return help_text(organisation, link=links["link"], **spoken)
        case ParcelKind.MARKETING:
            assert parcel.content is not None
            return marketing(
                organisation,
                channel,
                parcel.content,
                reason=particulars.reason,
                **links,
            )
        case ParcelKind.CODE:
            minutes = int(STEP_UP_LIFE.total_seconds() // 60)
            return code_message(
                organisation,
                channel,
                particulars.code,
                host=desk.pages.host,
                minutes=minutes,
                **spoken,
            )
        case ParcelKind.LINK:
            return link_message(organisation, channel, **links)
        case ParcelKind.COPY:
            return copy_message(
                organisation,
                page=particulars.page,
                plain=particulars.plain,
                **spoken,
            )
        case ParcelKind.STOPPED:
            assert parcel.at is not None
            assert parcel.until is not None
            return stopped_notice(
                organisation,
                channel,
                wordings,
                on=parcel.at,
                link=links["link"],
                until=parcel.until,
                **spoken,
            )
        case ParcelKind.CHANGED:
            assert parcel.until is not None
            return changed_notice(
                organisation,
                channel,
                kind=particulars.kind,
                masked=particulars.masked,
                link=links["link"],
                until=parcel.until,
                **spoken,
            )
        case ParcelKind.COMPLAINT:
            assert parcel.at is not None
            assert parcel.until is not None
            return complaint_received(
                organisation,
                channel,
                reference=parcel.complaint or "",
                on=parcel.at,
                by=parcel.until,
                **spoken,
            )
        case ParcelKind.ALERT:
            assert parcel.until is not None
            return complaint_alert(
                organisation,
                contact=contact.id,
                reference=parcel.complaint or "",
                by=parcel.until,
                reminder=parcel.reminder,
            )
        case ParcelKind.LINK_WANTED:
            raise AssertionError("what was only typed in is no message")
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
