"""
The records that Amazon SES makes of what became of a message, whichever way they come. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias

import attrs

from optly.backends._diagnosis import Cause, diagnose
from optly.backends._feedback import feedback_status
from optly.backends._fields import addresses_in
from optly.backends._webhook import our_id
from optly.contacts import Channel
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.messages.plain import clean

# Our ids in a message, as tags and as headers: feedback on an identity comes without tags, and Amazon replaces the
# Message-ID.
CONTACT_TAG: Final = "optly-contact"
MESSAGE_TAG: Final = "optly-message"
CONTACT_HEADER: Final = "X-Optly-Contact"
MESSAGE_HEADER: Final = "X-Optly-Message"

_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@[^<>@\s]+>", re.ASCII)
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)  # RFC 3463
_REPLY_STATUS = re.compile(rf"[245][0-9]{{2}}[ -]({_STATUS.pattern})\b", re.ASCII)

Json: TypeAlias = Mapping[str, Any]
_Status: TypeAlias = Callable[[Json, Json], DeliveryStatus | None]


def is_record(data: Json) -> bool:
    """
    Whether a JSON object looks like a record of SES, of whatever kind.
    """
    return bool(part_of(data, "mail")) and bool(text_of(data, "eventType") or text_of(data, "notificationType"))


def events(data: Json, *, backend: str, name: str, at: datetime) -> tuple[DeliveryEvent, ...]:
    """
    Return the events in a record of SES, one for each recipient. A repeat of the record gives the same ids. That an
    email was opened, or a link in it followed, is none of our business and is left out.

    Amazon adds and omits fields at will, so a missing or unexpected value counts as empty.

    Args:
        name, at: The id of the event and when it happened, if the record does not give them.

    Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (read 2026-11-23).
    """
    kind = text_of(data, "eventType") or text_of(data, "notificationType")
    record = _RECORDS.get(kind)
    if record is None:
        return ()
    mail, about = part_of(data, "mail"), part_of(data, record.about)
    contact, message = _names(mail)
    code = "/".join(filter(None, (text_of(about, part) for part in record.code)))[:100]
    timestamp = text_of(about, "timestamp") or text_of(mail, "timestamp")
    name = text_of(about, "feedbackId") or text_of(mail, "messageId") or name
    found = []
    for index, recipient in enumerate(_recipients(record, about, mail)):
        status, to = record.status(about, recipient), _address(text_of(recipient, "emailAddress"))
        if status is not None and (to or contact):
            event = DeliveryEvent(
                id=f"{kind}/{index}/{timestamp}/{name}"[:200],
                backend=backend,
                channel=Channel.EMAIL,
                status=status,
                permanent=status is DeliveryStatus.FAILED and kind == "Bounce" and _is_permanent(about, recipient),
                contact=contact,
                message=message,
                to=to,
                at=instant_of(timestamp) or at,
                code=code,
                status_code=_status_code(about, recipient),
                detail=_detail(about, recipient),
            )
            found.append(event)
    return tuple(found)


def _address(text: str) -> str:
    """
    Return the address of a recipient, whom Amazon sometimes repeats with a name.
    """
    return next(iter(addresses_in(text)), text)


def _recipients(record: _Record, about: Json, mail: Json) -> Sequence[Json]:
    listed = [entry for entry in _list(about, record.recipients) if isinstance(entry, dict)]
    plain = [text for text in _list(about, "recipients") or _list(mail, "destination") if isinstance(text, str)]
    return listed or [{"emailAddress": text} for text in plain] or [{}]


def _bounce(bounce: Json, recipient: Json) -> DeliveryStatus:
    action = text_of(recipient, "action")
    if action == "delayed":
        return DeliveryStatus.DELAYED
    match text_of(bounce, "bounceType"), text_of(bounce, "bounceSubType"):
        case "Permanent", "UnsubscribedRecipient":
            return DeliveryStatus.OPTED_OUT
        case "Permanent", "Suppressed" | "OnAccountSuppressionList":
            # Amazon did not try, so this says nothing about the address.
            return DeliveryStatus.FAILED
        case "Permanent", kind:
            # Amazon calls most of what is refused permanent. Without a word beside it, its own word has to do.
            silent = not recipient.get("status") and not recipient.get("diagnosticCode")
            cause = _cause(recipient)
            gone = cause is Cause.GONE or (cause is Cause.UNSAID and (silent or kind == "NoEmail"))
            return DeliveryStatus.BOUNCED if gone else DeliveryStatus.FAILED
        case "Transient", "General" if action != "failed" and not text_of(recipient, "status").startswith("5."):
            # Most of these are out-of-office replies to an email that arrived.
            return DeliveryStatus.SENT
        case _:
            return DeliveryStatus.FAILED


def _cause(recipient: Json) -> Cause:
    return diagnose(text_of(recipient, "status"), text_of(recipient, "diagnosticCode"), told_hard=True)


def _is_permanent(bounce: Json, recipient: Json) -> bool:
    """
    Whether a failure may be for ever, because no cause but the address is named.
    """
    tried = text_of(bounce, "bounceSubType") not in ("Suppressed", "OnAccountSuppressionList")
    lasting = text_of(bounce, "bounceType") == "Permanent" or text_of(recipient, "action") == "failed"
    return tried and lasting and _cause(recipient) is Cause.UNSAID


def _complaint(complaint: Json, _recipient: Json) -> DeliveryStatus | None:
    if text_of(complaint, "complaintSubType") == "OnAccountSuppressionList":
        return DeliveryStatus.FAILED  # Amazon did not try. Nobody complained about this email.
    return feedback_status(text_of(complaint, "complaintFeedbackType"))


def _subscription(subscription: Json, _recipient: Json) -> DeliveryStatus | None:
    # A stop is to unsubscribe from everything, or from a topic that the person had not unsubscribed from before.
    new, old = part_of(subscription, "newTopicPreferences"), part_of(subscription, "oldTopicPreferences")
    stops = new.get("unsubscribeAll") is True or _opted_out_topics(new) - _opted_out_topics(old)
    return DeliveryStatus.OPTED_OUT if stops else None


def _opted_out_topics(preferences: Json) -> set[str]:
    statuses = [entry for entry in _list(preferences, "topicSubscriptionStatus") if isinstance(entry, dict)]
    return {text_of(entry, "topicName") for entry in statuses if text_of(entry, "subscriptionStatus") == "OptOut"}


def _always(status: DeliveryStatus) -> _Status:
    return lambda _about, _recipient: status


@attrs.frozen
class _Record:
    """
    Where a kind of record holds its facts.

    Attributes:
        about: The field with the details.
        status: Returns the status for one recipient, from the details; None if there is nothing to report.
        recipients: Where the details list the recipients, if each of them has details of its own.
        code: The fields of the details that make up the code.
    """

    about: str
    status: _Status
    recipients: str = ""
    code: tuple[str, ...] = ()


_RECORDS = {
    "Send": _Record("send", _always(DeliveryStatus.SENT)),
    "Delivery": _Record("delivery", _always(DeliveryStatus.DELIVERED)),
    "DeliveryDelay": _Record(
        "deliveryDelay", _always(DeliveryStatus.DELAYED), "delayedRecipients", code=("delayType",)
    ),
    "Reject": _Record("reject", _always(DeliveryStatus.FAILED)),
    "Rendering Failure": _Record("failure", _always(DeliveryStatus.FAILED)),
    "Bounce": _Record("bounce", _bounce, "bouncedRecipients", code=("bounceType", "bounceSubType")),
    "Complaint": _Record(
        "complaint", _complaint, "complainedRecipients", code=("complaintSubType", "complaintFeedbackType")
    ),
    "Subscription": _Record("subscription", _subscription),
}


def _names(mail: Json) -> tuple[str, str]:
    """
    Return our ids of the contact and the message, each empty if it is not there.
    """
    tags = part_of(mail, "tags")
    headers = {
        text_of(header, "name").lower(): text_of(header, "value")
        for header in _list(mail, "headers")
        if isinstance(header, dict)
    }
    written = _MESSAGE_ID.fullmatch(headers.get("message-id", ""))
    contact = _first(tags, CONTACT_TAG) or headers.get(CONTACT_HEADER.lower(), "")
    message = _first(tags, MESSAGE_TAG) or headers.get(MESSAGE_HEADER.lower(), "") or (written[1] if written else "")
    return our_id(contact), our_id(message)


def _status_code(about: Json, recipient: Json) -> str:
    status = text_of(recipient, "status")
    reply = _REPLY_STATUS.match(text_of(about, "smtpResponse"))
    return status if _STATUS.fullmatch(status) else reply[1] if reply else ""


def _detail(about: Json, recipient: Json) -> str:
    words = (text_of(recipient, "diagnosticCode"), *(text_of(about, name) for name in ("smtpResponse", "reason")))
    return next(filter(None, (*words, text_of(about, "errorMessage"))), "")[:2000]


def instant_of(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def part_of(data: Json, name: str) -> Json:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _list(data: Json, name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def text_of(data: Json, name: str) -> str:
    found = data.get(name)
    return clean(found) if isinstance(found, str) else ""


def _first(tags: Json, name: str) -> str:
    found = _list(tags, name)
    return found[0] if found and isinstance(found[0], str) else ""
