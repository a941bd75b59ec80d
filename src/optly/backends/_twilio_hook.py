"""
Twilio's webhook: delivery events and replies. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from optly.backends._twilio_codes import code_of, verdict, words
from optly.backends._webhook import RejectedError, json_object, our_id, require_post
from optly.contacts import Channel
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Keyword
from optly.messages.plain import clean
from optly.protocols.http import Request

_log = logging.getLogger("optly")

Fields: TypeAlias = Mapping[str, Sequence[str]]

_MOST_FIELDS: Final = 1000

MESSAGE = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}", re.ASCII)


def read(request: Request) -> tuple[Fields, Fields]:
    """
    Return the fields of a request, and the fields that its signature covers. Pure.

    The signature covers every field of a form. For JSON the query holds a digest of the body, and is signed with the
    URL.

    Raises:
        RejectedError: It has no fields, too many, or another digest.
    """
    require_post(request)
    try:
        digests = parse_qs(request.query, max_num_fields=_MOST_FIELDS).get("bodySHA256")
        if digests is None:
            fields = parse_qs(
                request.body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS
            )
            return fields, fields
    except ValueError:
        raise RejectedError(HTTPStatus.BAD_REQUEST, "not a form") from None
    if digests != [hashlib.sha256(request.body).hexdigest()]:
        raise RejectedError(HTTPStatus.FORBIDDEN, "digest")
    return {name: [value] for name, value in (json_object(request.body) or {}).items() if isinstance(value, str)}, {}


def signature(token: str, url: str, fields: Fields) -> str:
    """
    Return Twilio's signature of a request: over the URL, then each name with each of its distinct values, sorted. Pure.

    Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security (read 2026-11-24).
    """
    values = "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    return b64encode(hmac.digest(token.encode(), (url + values).encode(errors="replace"), "sha1")).decode()


def is_signed(request: Request, url: str, fields: Fields, tokens: Sequence[str]) -> bool:
    """
    Return whether Twilio signed a request to *url* with one of *tokens*. Pure.

    Args:
        url: The URL that was given to Twilio, whatever host the request names.
    """
    given = request.values("x-twilio-signature")
    if len(given) != 1:
        return False
    spellings = _spellings(f"{url}?{request.query}" if request.query else url)
    expected = [signature(token, spelling, fields).encode() for token in tokens for spelling in spellings]
    return any(hmac.compare_digest(each, given[0].encode(errors="replace")) for each in expected)


def _spellings(url: str) -> tuple[str, str]:
    """
    Return *url* without and with a port: Twilio is known to sign either.
    """
    parts = urlsplit(url)
    start = f"{parts.scheme}://{parts.netloc}"
    bare = start.removesuffix(f":{parts.port}")
    port = parts.port or (443 if parts.scheme == "https" else 80)
    rest = url[len(start) :]
    return f"{bare}{rest}", f"{bare}:{port}{rest}"


_STATUSES: Final[Mapping[str, DeliveryStatus]] = {
    "accepted": DeliveryStatus.SENT,
    "queued": DeliveryStatus.SENT,
    "scheduled": DeliveryStatus.SENT,
    "sending": DeliveryStatus.SENT,
    "sent": DeliveryStatus.SENT,
    "partially_delivered": DeliveryStatus.SENT,  # one part has arrived, and more events follow
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.DELIVERED,
    "canceled": DeliveryStatus.FAILED,
}
_BY_CODE: Final = {"failed", "undelivered"}
_KEYWORDS: Final = {keyword.name: keyword for keyword in Keyword}


# The address of a person, over RCS or WhatsApp too. An RCS agent has a name instead, and sends no replies.
_PERSON = re.compile(r"(?:(rcs|whatsapp):(?=\+))?([^:]*)")
_CHANNELS: Final = {"rcs": Channel.SMS, "whatsapp": Channel.WHATSAPP}


def events(fields: Fields, query: str, *, backend: str, now: datetime) -> tuple[DeliveryEvent | InboundMessage, ...]:
    """
    Return the events in a request whose signature was verified. Pure.

    Empty, and logged, if it is of a kind or about a channel that is not known: Twilio adds kinds without notice. A
    reply over RCS counts as a text, because Twilio applies a stop to both, and one over WhatsApp is read as well. Of a
    message that was not sent by text only an opt-out counts. The requests hold no reliable time, only a network's local
    time in an unknown zone, so the events are dated *now*.

    Args:
        query: The query of the URL that was called. Holds the ids of the message.

    Raises:
        RejectedError: It is incomplete.
    """
    values = {name: each[0] for name, each in fields.items()}
    if "MessageStatus" in values:
        event: DeliveryEvent | InboundMessage | None = _delivery_event(values, query, backend=backend, now=now)
    elif "Body" in values:
        event = _inbound_message(values, backend=backend, now=now)
    else:
        event = None
    if event is None:
        _log.info("a request from Twilio about another channel, or of another kind", extra={"backend": backend})
        return ()
    return (event,)


def _delivery_event(values: Mapping[str, str], query: str, *, backend: str, now: datetime) -> DeliveryEvent | None:
    status, to = values["MessageStatus"], values.get("To", "")
    sid = _sid(values)
    code = code_of(values.get("ErrorCode"))
    meaning = verdict(code).later if status in _BY_CODE else _STATUSES.get(status)
    person, channel = _PERSON.fullmatch(to), Channel.SMS
    if ":" in to or ":" in values.get("From", ""):
        if person is None or meaning is not DeliveryStatus.OPTED_OUT:
            return None
        channel, to = _CHANNELS.get(person[1], Channel.SMS), person[2]
    if meaning is None:
        return None
    ids = parse_qs(query)
    return DeliveryEvent(
        id=f"{sid}/{status}",
        backend=backend,
        channel=channel,
        status=meaning,
        contact=our_id(ids.get("contact", [""])[0]),
        message=our_id(ids.get("message", [""])[0]) if channel is Channel.SMS else "",
        to=clean(to),
        at=now,
        code=str(code or ""),
        detail=words(status, values.get("ErrorMessage"), values.get("RawDlrDoneDate")),
    )


def _inbound_message(values: Mapping[str, str], *, backend: str, now: datetime) -> InboundMessage | None:
    person = _PERSON.fullmatch(values.get("From", ""))
    if person is None or ":" in values.get("To", "").removeprefix("rcs:").removeprefix("whatsapp:"):
        return None
    return InboundMessage(
        id=_sid(values),
        backend=backend,
        channel=_CHANNELS.get(person[1], Channel.SMS),
        sender=clean(person[2]),
        text=clean(values["Body"].replace("\r\n", "\n").replace("\r", "\n")),
        at=now,
        keyword=_KEYWORDS.get(values.get("OptOutType", "").upper()),
    )


def _sid(values: Mapping[str, str]) -> str:
    sid = values.get("MessageSid", "")
    if not MESSAGE.fullmatch(sid):
        raise RejectedError(HTTPStatus.BAD_REQUEST, "no message")
    return sid
