"""
Parses mail that comes back: delivery reports, spam reports, automatic replies and replies. Pure.

Nothing in such a mail can be trusted. A report counts only if it identifies one of our messages in a way that its
author cannot have guessed: by a signed return path, or by the id of a message, 128 random bits that were sent only to
its recipient.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import Message as Mail
from email.utils import parsedate_to_datetime
from typing import Final

import attrs

from optly import typed
from optly.backends._fields import (
    MOST_FIELDS,
    POLICY,
    addresses_in,
    field,
    fields,
    match,
    senders_of,
    subject_of,
    type_of,
    without_marks,
)
from optly.backends._reply import decoded, written
from optly.backends._reports import Finding, findings, odd_findings
from optly.backends._ses_records import Json, events, is_record, text_of
from optly.backends._webhook import first_object
from optly.backends.verp import ReturnPath
from optly.contacts import Channel
from optly.errors import NaiveDatetimeError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage

_log = logging.getLogger("optly")

_LONGEST_MAIL: Final = 1024 * 1024
_LONGEST_OTHER_BOUNCE: Final = 64 * 1024
_LONGEST_DETAIL = 1000
_FIRST_YEAR: Final = 1971  # a server whose clock was never set says 1970, and no mail is as old

_WORD = re.compile(r"^[\w-]+", re.ASCII)
_OUR_ID = re.compile(r"<?([0-9a-f]{32})(?:@|>?$)", re.ASCII | re.IGNORECASE)
# In a returned message, whatever has become of its form.
_RETURNED = re.compile(
    r"^[> \t]*(return-path|original-mail-from|message-id|original-envelope-id|x-optly-message):[ \t]*(.{1,300})$",
    re.ASCII | re.IGNORECASE | re.MULTILINE,
)
_RETURNED_TO = re.compile(r"^[> \t]*to:[ \t]*(.{1,300})$", re.ASCII | re.IGNORECASE | re.MULTILINE)

_CUT: Final = "!\n "  # what Sendmail puts into a line that is too long
_ENCODINGS = ("base64", "quoted-printable")
_DELIVERED_TO = (
    "delivered-to",
    "x-original-to",
    "envelope-to",
    "x-delivered-to",
    "x-envelope-to",
    "x-resolved-to",
    "x-forwarded-to",
    "original-recipient",
    "received",
    "to",
    "cc",
)
# X-Auto-Response-Suppress is not among them: it says how to answer a mail, and Exchange writes it on people's.
_AUTOMATIC_HEADERS = ("x-autoreply", "x-autorespond", "x-autoresponder", "x-failed-recipients")
_NO = {"", "no", "false", "0"}
# Not "list", "bulk" or "junk": they say how many a mail was sent to, and not who wrote it.
_AUTOMATIC_PRECEDENCE = {"auto_reply", "auto-reply"}
_AUTOMATIC_SENDERS = {"mailer-daemon", "postmaster"}
# What Apple Mail sends for a person who presses its button. It calls itself an automatic reply.
_BUTTON = "x-apple-unsubscribe"
_BULK_HEADERS = ("list-id", "list-unsubscribe", "list-post", "feedback-id")
_NO_REPLY = re.compile(r"(?:do[._-]?)?no[t]?[._-]?reply", re.IGNORECASE)
_ANSWERED = ("in-reply-to", "references", "original-message-id")
_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@[^<>\s]*>", re.ASCII | re.IGNORECASE)
_AUTOMATIC_SUBJECT = re.compile(
    r"auto(?:matic)?[ -]?(?:reply|response)\b|automated (?:reply|response)\b|out[ -]of[ -](?:the[ -])?office\b"
    r"|on (?:vacation|annual leave)\b|vacation (?:reply|response)\b"
    r"|ateb awtomatig|abwesenheit|automatische antwort|réponse automatique|respuesta automática|risposta automatica",
    re.IGNORECASE,
)


def read(
    raw: bytes,
    *,
    now: datetime,
    return_path: ReturnPath | None = None,
    recipient: str = "",
    name: str = "mail",
) -> tuple[DeliveryEvent | InboundMessage, ...]:
    """
    Return what a mail contains: the events of a report, or one message from a person or a machine, or nothing.

    Only the first 1 MiB is read. A repeat gives the same ids.

    Args:
        raw: The mail as it arrived.
        now: Used as the time of arrival if the mail does not give it.
        return_path: The return paths the messages were sent with, if any.
        recipient: The address it was delivered to, if that is known from elsewhere than its headers.
        name: The name of the source in the record.

    Raises:
        NaiveDatetimeError: *now* has no time zone. No content of a mail raises.
    """
    if now.tzinfo is None:
        raise NaiveDatetimeError("the time at which a mail is read has no time zone")
    try:
        mail = message_from_bytes(raw[:_LONGEST_MAIL], policy=POLICY)
        recipients = _recipients(mail, recipient)
        arrival = _Arrival(
            mail=mail,
            head=raw[:_LONGEST_OTHER_BOUNCE],
            name=name,
            at=_arrived(mail, now),
            key=field(mail, "message-id") or hashlib.sha256(raw).hexdigest(),
            returned_to=None if return_path is None else _first_of(return_path.find, recipients),
            stops=None if return_path is None else _first_of(return_path.find_stop, recipients),
            return_path=return_path,
        )
        return arrival.events()
    except Exception as error:  # The library's parsers may raise anything.
        _log.warning("a mail cannot be read", extra={"error": type(error).__name__})
        return ()


@attrs.frozen(kw_only=True)
class _Reference:
    """
    The message that a report is about, as far as the report identifies it.
    """

    contact: str = ""
    message: str = ""
    to: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class _Arrival:
    """
    A mail that arrived, and how it arrived.

    Attributes:
        head: Its first bytes.
        key: Identifies the mail, so that a repeat is recognised.
        returned_to: The message whose return path it was sent to.
        stops: The message whose address for stops it was sent to.
    """

    mail: Mail = attrs.field(repr=False)
    head: bytes = attrs.field(repr=False)
    name: str
    at: datetime
    key: str = attrs.field(repr=False)
    returned_to: _Reference | None
    stops: _Reference | None
    return_path: ReturnPath | None

    def events(self) -> tuple[DeliveryEvent | InboundMessage, ...]:
        if self.stops is not None:
            return (self._stop(self.stops),)
        parts = list(_outer_parts(self.mail))
        if records := list(_records(parts)):
            return self._of_amazon(records)
        if found := findings(parts):
            return self._events(found)
        automatic = _is_automatic(self.mail)
        if found := odd_findings(self.head, parts, automatic=automatic, ours=self.returned_to is not None):
            return self._events(found)
        return self._message(parts, automatic)

    def _stop(self, stopped: _Reference) -> DeliveryEvent:
        # Whatever it says, and whoever sent it: a mail program did, when its button was pressed.
        return DeliveryEvent(
            id=self._id("stop", stopped.contact, stopped.message),
            backend=self.name,
            channel=Channel.EMAIL,
            status=DeliveryStatus.OPTED_OUT,
            contact=stopped.contact,
            message=stopped.message,
            to=next(iter(senders_of(self.mail)), ""),
            at=self.at,
        )

    def _events(self, findings: Sequence[Finding]) -> tuple[DeliveryEvent, ...]:
        reference = self.returned_to or _reference_inside(self.head, self.mail, self.return_path)
        if reference is None:
            return ()
        events: dict[str, DeliveryEvent] = {}
        all_bounced = all(finding.status is DeliveryStatus.BOUNCED for finding in findings)
        for finding in findings:
            status, permanent = finding.status, finding.permanent
            if status is DeliveryStatus.BOUNCED and not all_bounced:
                # The message was sent to one address. If that is a list of several people, some of them were reached.
                status = DeliveryStatus.FAILED
            event_id = self._id(reference.contact, reference.message, finding.to, finding.action)
            events[event_id] = DeliveryEvent(
                id=event_id,
                backend=self.name,
                channel=Channel.EMAIL,
                status=status,
                permanent=permanent,
                contact=reference.contact,
                message=reference.message,
                to=finding.to or reference.to,
                at=self.at,
                code=finding.code,
                status_code=finding.status_code,
                detail=finding.detail[:_LONGEST_DETAIL],
            )
        return tuple(events.values())

    def _of_amazon(self, records: Sequence[Json]) -> tuple[DeliveryEvent, ...]:
        """
        Return the events in records of SES that SNS passes on by email. Nobody signed them, so that of the ids in them
        only that of the message counts.
        """
        return tuple(
            typed.evolve(
                event,
                id=self._id(event.id),
                contact=self.returned_to.contact if self.returned_to else "",
                message=self.returned_to.message if self.returned_to else event.message,
            )
            for record in records
            for event in events(record, backend=self.name, name=self.key, at=self.at)
            if self.returned_to or event.message
        )

    def _message(self, parts: Sequence[Mail], automatic: bool) -> tuple[InboundMessage, ...]:
        senders = senders_of(self.mail)
        answered = self.returned_to or _answered(self.mail)
        if not senders and answered is None:
            _log.warning("an email does not say who sent it")
            return ()
        said, subject = written(parts), subject_of(self.mail)
        plain_subject = without_marks(subject)
        sender, *also_from = senders or [""]
        return (
            InboundMessage(
                # The text too, because some programs reuse a Message-ID, and no stop may be lost because of that.
                id=self._id(sender, said.new or plain_subject, *filter(None, [said.rest])),
                backend=self.name,
                channel=Channel.EMAIL,
                sender=sender,
                also_from=tuple(also_from),
                contact=answered.contact if answered else "",
                message=answered.message if answered else "",
                subject=plain_subject,
                text=said.new,
                rest=said.rest,
                quoted=said.quoted,
                whole="" if said.whole == said.new else said.whole,
                at=self.at,
                automatic=automatic,
                bulk=_is_bulk(self.mail, sender),
                is_reply=subject != plain_subject or "in-reply-to" in self.mail or "references" in self.mail,
            ),
        )

    def _id(self, *parts: str) -> str:
        return hashlib.sha256("\0".join((self.key, *parts)).encode()).hexdigest()[:32]


# ---- which message


def _recipients(mail: Mail, recipient: str) -> Sequence[str]:
    return [recipient, *(value for name in _DELIVERED_TO for value in fields(mail, name))]


def _first_of(find: Callable[[str], tuple[str, str] | None], texts: Iterable[str]) -> _Reference | None:
    found = next(filter(None, map(find, texts)), None)
    return None if found is None else _Reference(contact=found[0], message=found[1])


def _answered(mail: Mail) -> _Reference | None:
    """
    Find the message that a mail answers, by its id.
    """
    for name in _ANSWERED:
        if found := _MESSAGE_ID.findall(field(mail, name)):
            return _Reference(message=found[-1].lower())
    return None


def _reference_inside(head: bytes, mail: Mail, return_path: ReturnPath | None) -> _Reference | None:
    """
    Find the message in the fields of a report, or in what it returns of the message.
    """
    body = head.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")[2]
    encoded = [part for part in mail.walk() if field(part, "content-transfer-encoding").lower() in _ENCODINGS]
    body = "\n".join((body, *map(decoded, encoded[:MOST_FIELDS])))
    returned = [(name.lower(), value) for name, value in _RETURNED.findall(body)]
    if return_path and (reference := _first_of(return_path.find, [value for _, value in returned])):
        return reference
    for name, value in returned:
        if name not in ("return-path", "original-mail-from") and (found := _OUR_ID.match(value.strip())):
            to = _RETURNED_TO.search(body)
            return _Reference(message=found[1].lower(), to=next(iter(addresses_in(to[1])), "") if to else "")
    return None


def _outer_parts(mail: Mail) -> Iterator[Mail]:
    """
    Yield the mail and its parts, but not the mails it returns or forwards.
    """
    yield mail
    if type_of(mail).startswith("multipart/") and mail.is_multipart():
        for part in mail.get_payload():
            assert isinstance(part, Mail)
            yield from _outer_parts(part)


def _records(parts: Iterable[Mail]) -> Iterator[Json]:
    """
    Yield the records of SES in a mail: by themselves, or in the envelope of SNS.
    """
    for part in parts:
        if type_of(part).startswith("text/") and (text := decoded(part).lstrip()).startswith("{"):
            record = first_object(text.replace(_CUT, "")) or {}
            if record.get("Type") == "Notification":
                record = first_object(text_of(record, "Message")) or {}
            if is_record(record):
                yield record


# ---- who wrote it


def _is_automatic(mail: Mail) -> bool:
    """
    Return whether a machine wrote the mail.

    Source: RFC 3834 2 and 5. The rest was in use before it, or is Microsoft's.
    """
    if field(mail, _BUTTON).lower() not in _NO:
        return False
    return (
        match(_WORD, field(mail, "auto-submitted").lower()) not in _NO
        or field(mail, "return-path") == "<>"
        or type_of(mail) == "multipart/report"
        or any(field(mail, name).lower() not in _NO for name in _AUTOMATIC_HEADERS)
        or field(mail, "precedence").lower() in _AUTOMATIC_PRECEDENCE
        or any(sender.partition("@")[0].lower() in _AUTOMATIC_SENDERS for sender in senders_of(mail)[:1])
        or _AUTOMATIC_SUBJECT.match(subject_of(mail)) is not None
    )


def _is_bulk(mail: Mail, sender: str) -> bool:
    return any(fields(mail, name) for name in _BULK_HEADERS) or bool(_NO_REPLY.match(sender))


# ---- fields


def _arrived(mail: Mail, now: datetime) -> datetime:
    """
    Return when our own server accepted the mail: its header is the topmost. What the sender wrote is not relied on.
    """
    try:
        at = parsedate_to_datetime(field(mail, "received").rpartition(";")[2])
        at = (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
        return min(at, now) if at.year >= _FIRST_YEAR else now
    except (ValueError, TypeError, IndexError, OverflowError):
        return now
