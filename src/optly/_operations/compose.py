"""
Composing: from the payload of a queued message to the message that is sent.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Final, assert_never

import attrs

from optly import rendering
from optly._operations.application import Application
from optly._operations.links import heeded
from optly._operations.payload import Payload, PayloadKind
from optly.contacts import Address, AddressKind, Channel, Contact, EmailAddress, PostalAddress, Wording
from optly.links import STEP_UP_LIFE, StopReach, StopScope
from optly.locale.i18n import nearest
from optly.messages import Content, Message
from optly.messages.texts import segments
from optly.record.complaint_references import reference_of
from optly.rules import Reason
from optly.timeline.stops import all_named, stopped_in_words

_log = logging.getLogger("optly")


@attrs.frozen(kw_only=True)
class Variables:
    """
    The values filled into the text of one message.

    Attributes:
        code: The code of the link it carries, or the digits of a one-time code.
        reason: Why it may be sent.
        kind, masked: The new address that a notice is about.
        page, plain: The copy of a contact's data, as HTML and as plain text.
    """

    code: str = attrs.field(repr=False)
    reason: Reason
    kind: AddressKind = AddressKind.EMAIL
    masked: str = ""
    page: str = attrs.field(default="", repr=False)
    plain: str = attrs.field(default="", repr=False)


# These neither promote anything nor follow from something that may, so there is nothing to unsubscribe from.
_INFORMATION_ONLY: Final = frozenset(
    {
        PayloadKind.CODE,
        PayloadKind.COPY,
        PayloadKind.STOPPED,
        PayloadKind.CHANGED,
        PayloadKind.COMPLAINT,
        PayloadKind.ALERT,
        PayloadKind.OUTCOME,
    }
)


def compose(
    app: Application,
    message: str,
    contact: Contact,
    payload: Payload,
    wordings: Sequence[Wording],
    *,
    address: Address,
    variables: Variables,
) -> Message:
    """
    Compose the message that *payload* describes.

    Args:
        message: Its id, 32 hexadecimal digits.
        wordings: The questions that a request asks or a receipt confirms.
    """
    scope = _stop_scope(contact, payload, variables.reason)
    head = letterhead(
        app,
        payload,
        link=app.settings.pages.new_link if payload.shared else app.settings.pages.link(variables.code),
        stop=app.settings.pages.stop(app.settings.stop_links.sign(scope)),
    )
    content = _content(app, head, contact, payload, scope, wordings, variables)
    if payload.channel is Channel.SMS:
        _warn_about_length(message, content.text)
    return Message(
        id=message,
        contact=contact.id,
        channel=payload.channel,
        to=_destination(address),
        subject=content.subject,
        text=content.text,
        html=content.html,
        headers=(
            rendering.unsubscribe_headers(head.stop) if head.by_email and payload.kind not in _INFORMATION_ONLY else {}
        ),
        language=nearest(payload.language, app.settings.catalogues),
    )


def letterhead(app: Application, payload: Payload, *, link: str = "", stop: str = "") -> rendering.Letterhead:
    """
    Return the letterhead of a message, without the links of its recipient if they are not given.
    """
    organisation = app.settings.organisation
    # A name that was given up since a message was queued is not used any more.
    name = payload.trading_as if payload.trading_as in organisation.names else None
    return rendering.Letterhead(
        organisation=organisation.trading_as(name),
        channel=payload.channel,
        link=link,
        stop=stop,
        language=payload.language,
        more=app.settings.catalogues,
    )


def _stop_scope(contact: Contact, payload: Payload, reason: Reason) -> StopScope:
    """
    Return what the stop link of a message stops: in a marketing message, every message of its kind to that line or, if
    it may and the host wishes, its purpose alone; in any other message, everything.
    """
    markets = payload.kind is PayloadKind.MARKETING
    alone = markets and heeded(payload.stops, reason) is StopReach.PURPOSE
    return StopScope(
        contact=contact.id,
        line=payload.line,
        channel=payload.channel if markets else None,
        purpose=payload.purpose if alone and not payload.also_for else None,
        never=payload.kind is PayloadKind.WAY_BACK,
    )


def _content(
    app: Application,
    head: rendering.Letterhead,
    contact: Contact,
    payload: Payload,
    scope: StopScope,
    wordings: Sequence[Wording],
    variables: Variables,
) -> Content:
    match payload.kind:
        case PayloadKind.REQUEST | PayloadKind.REMINDER:
            assert payload.until is not None
            reminder, by_reply = payload.kind is PayloadKind.REMINDER, app.backends[payload.channel].takes_replies
            return rendering.request(head, wordings, until=payload.until, reminder=reminder, by_reply=by_reply)
        case PayloadKind.RECEIPT:
            assert payload.at is not None
            return rendering.receipt(head, wordings, on=payload.at)
        case PayloadKind.HELP:
            return rendering.help_text(head)
        case PayloadKind.MARKETING:
            assert payload.content is not None
            stops = "" if scope.purpose is None else in_words(app, head, scope.channel, scope.purpose)
            return rendering.marketing(head, payload.content, reason=variables.reason, stops=stops)
        case PayloadKind.CODE:
            minutes = int(STEP_UP_LIFE.total_seconds() // 60)
            return rendering.code_message(head, variables.code, host=app.settings.pages.host, minutes=minutes)
        case PayloadKind.LINK:
            return rendering.link_message(head)
        case PayloadKind.WAY_BACK:
            return rendering.way_back_message(head)
        case PayloadKind.COPY:
            return rendering.copy_message(head, page=variables.page, plain=variables.plain)
        case PayloadKind.STOPPED:
            assert payload.at is not None
            assert payload.until is not None
            return _stopped(app, head, payload, on=payload.at, until=payload.until)
        case PayloadKind.CHANGED:
            assert payload.until is not None
            return rendering.changed_notice(head, kind=variables.kind, masked=variables.masked, until=payload.until)
        case PayloadKind.COMPLAINT:
            assert payload.at is not None
            assert payload.until is not None
            assert payload.complaint is not None
            reference = reference_of(payload.complaint)
            return rendering.complaint_received(head, reference=reference, on=payload.at, by=payload.until)
        case PayloadKind.OUTCOME:
            assert payload.complaint is not None
            assert payload.content is not None
            return rendering.complaint_outcome(
                head, reference=reference_of(payload.complaint), outcome=payload.content.text
            )
        case PayloadKind.ALERT:
            assert payload.until is not None
            assert payload.complaint is not None
            return rendering.complaint_alert(
                head.organisation,
                contact=contact.id,
                reference=reference_of(payload.complaint),
                by=payload.until,
                reminder=payload.reminder,
            )
        case PayloadKind.LINK_WANTED:
            raise AssertionError("a link that was asked for is sent as a message of its own")
        case _:
            assert_never(payload.kind)


def in_words(app: Application, head: rendering.Letterhead, channel: Channel | None, purpose: str | None) -> str:
    """
    Return what a stop covers, in the language of a message.
    """
    language = nearest(head.language, head.more)
    return stopped_in_words(channel, purpose, app.settings.purposes, language, head.translations.gettext)


def _stopped(
    app: Application, head: rendering.Letterhead, payload: Payload, *, on: datetime, until: datetime
) -> Content:
    language = nearest(head.language, head.more)
    left = all_named(
        [(choice.channel, choice.purpose) for choice in payload.left],
        app.settings.purposes,
        language,
        head.translations.gettext,
    )
    what = in_words(app, head, payload.stopped_channel, payload.purpose or None)
    return rendering.stopped_notice(head, what, left=left, on=on, until=until)


def _warn_about_length(message: str, text: str) -> None:
    counted = segments(text)
    if counted.count > 1:
        facts = {"message_id": message, "parts": counted.count, "character": counted.culprit or ""}
        _log.warning("text message takes several parts, each of which is charged", extra=facts)


def _destination(address: Address) -> str:
    if isinstance(address, EmailAddress):
        return address.ascii_value or address.value
    if isinstance(address, PostalAddress):
        return ", ".join(address.value.splitlines())  # a message goes to an address on one line
    return address.value
