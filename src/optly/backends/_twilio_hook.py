"""
What Twilio tells: what became of a text, and what people reply. Pure.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qs, urlsplit

from optly.backends._reply import clean
from optly.backends._twilio_codes import code_of, verdict, words
from optly.backends._webhook import RejectedError, json_object, our_id, require_post
from optly.contacts.addresses import Channel
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage, Keyword
from optly.protocols.http import Request

Fields: TypeAlias = Mapping[str, Sequence[str]]

_MOST_FIELDS: Final = 1000

MESSAGE = re.compile(r"(?:SM|MM)[0-9a-fA-F]{32}", re.ASCII)


def read(request: Request) -> tuple[Fields, Fields]:
    """
    Return the fields of a request, and those of them that are signed one by one. Pure.

    Those of a form are. Of JSON the query has the digest, and the query is signed.

    Raises:
        RejectedError: It has none, or too many.
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
    Sign a request as Twilio does: the URL, then each name with each of its distinct values, sorted. Pure.

    Source: https://www.twilio.com/docs/usage/webhooks/webhooks-security (read 2026-11-24).
    """
    values = "".join(name + value for name in sorted(fields) for value in sorted(set(fields[name])))
    return b64encode(hmac.digest(token.encode(), (url + values).encode(errors="replace"), "sha1")).decode()


def is_signed(request: Request, url: str, fields: Fields, tokens: Sequence[str]) -> bool:
    """
    Tell whether Twilio signed a request to *url* with one of *tokens*. Pure.

    Args:
        url: The one that Twilio was given, whatever host the request names.
    """
    given = request.values("x-twilio-signature")
    if len(given) != 1:
        return False
    spellings = _spellings(f"{url}?{request.query}" if request.query else url)
    wanted = [signature(token, spelling, fields).encode() for token in tokens for spelling in spellings]
    return any(hmac.compare_digest(one, given[0].encode(errors="replace")) for one in wanted)


def _spellings(url: str) -> tuple[str, str]:
    """
    Return *url* without a port and with one: Twilio is known to sign both.
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
    "partially_delivered": DeliveryStatus.SENT,  # a part is there, and the last word is not said
    "delivered": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.DELIVERED,
    "canceled": DeliveryStatus.FAILED,
}
_BY_CODE: Final = {"failed", "undelivered"}
_KEYWORDS: Final = {keyword.name: keyword for keyword in Keyword}


# A number, be it over RCS. An agent of RCS has a name and is nobody who replies.
_PERSON = re.compile(r"(?:rcs:(?=\+))?([^:]*)")


def told(fields: Fields, query: str, *, backend: str, now: datetime) -> tuple[DeliveryEvent | InboundMessage, ...]:
    """
    Return what a request says that is known to be Twilio's. Pure.

    Nothing, if it is about another channel than texts or is of a kind that is not known: Twilio adds some without
    notice. A reply over RCS is one by text, because Twilio joins the two where somebody says stop. Its requests carry
    no time that could be relied on, only that of a network in a zone nobody names, so what they tell happened now.

    Args:
        query: Of the address that was called. Has the ids of the message it is about.

    Raises:
        RejectedError: It is cut short.
    """
    said = {name: values[0] for name, values in fields.items()}
    if "MessageStatus" in said:
        event: DeliveryEvent | InboundMessage | None = _became(said, query, backend=backend, now=now)
    elif "Body" in said:
        event = _reply(said, backend=backend, now=now)
    else:
        event = None
    return () if event is None else (event,)


def _became(said: Mapping[str, str], query: str, *, backend: str, now: datetime) -> DeliveryEvent | None:
    status, to = said["MessageStatus"], said.get("To", "")
    if ":" in to or ":" in said.get("From", ""):
        return None  # whatsapp:+44…, rcs:…
    sid = _sid(said)
    code = code_of(said.get("ErrorCode"))
    meaning = verdict(code).later if status in _BY_CODE else _STATUSES.get(status)
    if meaning is None:
        return None
    ids = parse_qs(query)
    return DeliveryEvent(
        id=f"{sid}/{status}",
        backend=backend,
        channel=Channel.SMS,
        status=meaning,
        contact=our_id(ids.get("contact", [""])[0]),
        message=our_id(ids.get("message", [""])[0]),
        to=clean(to),
        at=now,
        code=str(code or ""),
        detail=words(status, said.get("ErrorMessage"), said.get("RawDlrDoneDate")),
    )


def _reply(said: Mapping[str, str], *, backend: str, now: datetime) -> InboundMessage | None:
    person = _PERSON.fullmatch(said.get("From", ""))
    if person is None or ":" in said.get("To", "").removeprefix("rcs:"):
        return None  # whatsapp:+44…
    return InboundMessage(
        id=_sid(said),
        backend=backend,
        channel=Channel.SMS,
        sender=clean(person[1]),
        text=clean(said["Body"].replace("\r\n", "\n").replace("\r", "\n")),
        at=now,
        keyword=_KEYWORDS.get(said.get("OptOutType", "").upper()),
    )


def _sid(said: Mapping[str, str]) -> str:
    sid = said.get("MessageSid", "")
    if not MESSAGE.fullmatch(sid):
        raise RejectedError(HTTPStatus.BAD_REQUEST, "no message")
    return sid
