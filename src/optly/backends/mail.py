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
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.policy import Compat32
from email.utils import parseaddr, parsedate_to_datetime
from typing import Final

import attrs

from optly.backends._feedback import feedback_status
from optly.backends._reply import clean, decoded, written
from optly.backends._verdict import NOBODY_THERE
from optly.backends.verp import ReturnPath
from optly.contacts import Channel
from optly.errors import NaiveDatetimeError
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage

_log = logging.getLogger("optly")

_LONGEST_MAIL: Final = 1024 * 1024
_LONGEST_OTHER_BOUNCE: Final = 64 * 1024
_LONGEST_HEADER = 4000
_LONGEST_DETAIL = 1000
_MOST_HEADERS = 10  # with the same name

_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?!\.?\d)", re.ASCII)
_WORD = re.compile(r"^[\w-]+", re.ASCII)
_REPLY_CODE = re.compile(r"(?<!\d)[245]\d\d(?=[ -])", re.ASCII)
_OUR_ID = re.compile(r"<?([0-9a-f]{32})(?:@|>?$)", re.ASCII | re.IGNORECASE)
_ID_LINE = re.compile(r"^(?:return-path|message-id):.{1,300}$", re.ASCII | re.IGNORECASE | re.MULTILINE)
_UTF8_ADDRESS = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}", re.ASCII)  # RFC 6533 3

_ACTIONS = {
    "failed": DeliveryStatus.FAILED,
    "error": DeliveryStatus.FAILED,  # OpenSMTPD
    "delayed": DeliveryStatus.DELAYED,
    "delivered": DeliveryStatus.DELIVERED,
    # It reached the address it was sent to, and was passed on from there to others.
    "expanded": DeliveryStatus.DELIVERED,
    # It was passed on to a server that sends no reports: it is unknown whether it arrived.
    "relayed": DeliveryStatus.SENT,
}

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
_ANGLE_ADDRESS = re.compile(r"<\s*([^<>\s]+@[^<>\s@]+)\s*>")
_BARE_ADDRESS = re.compile(r"[^\s<>()\[\],;:\"']+@[^\s<>()\[\],;:\"'@]+")
_QUOTED_NAME = re.compile(r'"(?:[^"\\]|\\.)*"')
_ANSWERED = ("in-reply-to", "references", "original-message-id")
_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@[^<>\s]*>", re.ASCII | re.IGNORECASE)
# In front of a subject: marks of a reply, a forward or an automatic reply, and what gateways add.
_SUBJECT_MARK = re.compile(
    r"\s*(?:"
    r"(?:re|aw|antw|antwort|sv|vs|vl|r|rif|ref|res|odp|ynt|atb|ateb|fwd?|fw|wg|tr|rv|enc|i|pd|doorst"
    r"|read|not read|gelesen|automatic reply|auto(?:matic)?[ -]?(?:reply|response)|out of office|automatische antwort|réponse automatique"
    r"|ateb awtomatig)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:：]|\[[^\[\]]{1,40}\])",
    re.IGNORECASE,
)
_AUTOMATIC_SUBJECT = re.compile(
    r"auto(?:matic)?[ -]?(?:reply|response)\b|automated (?:reply|response)\b|out[ -]of[ -](?:the[ -])?office\b"
    r"|on (?:vacation|annual leave)\b|vacation (?:reply|response)\b"
    r"|ateb awtomatig|abwesenheit|automatische antwort|réponse automatique|respuesta automática|risposta automatica",
    re.IGNORECASE,
)


class _Policy(Compat32):
    """
    Reads headers as they are, in UTF-8 if they are not in ASCII (RFC 6532), up to a limit.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:
        text = value[:_LONGEST_HEADER].encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return clean(re.sub(r"\s*[\r\n]+\s*", " ", text))


_POLICY = _Policy()


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
        mail = message_from_bytes(raw[:_LONGEST_MAIL], policy=_POLICY)
        arrival = _Arrival(
            mail=mail,
            head=raw[:_LONGEST_OTHER_BOUNCE],
            name=name,
            at=_arrived(mail, now),
            key=_header(mail, "message-id") or hashlib.sha256(raw).hexdigest(),
            returned_to=_returned_to(mail, return_path, recipient),
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
class _Finding:
    """
    What a report says about one recipient.
    """

    action: str
    status: DeliveryStatus
    to: str = attrs.field(default="", repr=False)
    code: str = ""
    status_code: str = ""
    detail: str = attrs.field(default="", repr=False)


@attrs.frozen(kw_only=True)
class _Arrival:
    """
    A mail that arrived, and how it arrived.

    Attributes:
        head: Its first bytes.
        key: Identifies the mail, so that a repeat is recognised.
        returned_to: The message whose return path it was sent to.
    """

    mail: Mail = attrs.field(repr=False)
    head: bytes = attrs.field(repr=False)
    name: str
    at: datetime
    key: str = attrs.field(repr=False)
    returned_to: _Reference | None
    return_path: ReturnPath | None

    def events(self) -> tuple[DeliveryEvent | InboundMessage, ...]:
        parts = list(_outer_parts(self.mail))
        if findings := [*_statuses(parts), *_spam_reports(parts)]:
            return self._events(parts, findings)
        automatic = _is_automatic(self.mail)
        if automatic and (findings := list(_other_bounces(self.head, parts))):
            return self._events(parts, findings)
        return self._message(parts, automatic)

    def _events(self, parts: Sequence[Mail], findings: Sequence[_Finding]) -> tuple[DeliveryEvent, ...]:
        reference = self.returned_to or _reference_inside(parts, self.return_path)
        if reference is None:
            return ()
        events: dict[str, DeliveryEvent] = {}
        all_bounced = all(finding.status is DeliveryStatus.BOUNCED for finding in findings)
        for finding in findings:
            status = finding.status
            if status is DeliveryStatus.BOUNCED and not all_bounced:
                # The message was sent to one address. If that is a list of several people, some of them were reached.
                status = DeliveryStatus.FAILED
            event_id = self._id(reference.contact, reference.message, finding.to, finding.action)
            events[event_id] = DeliveryEvent(
                id=event_id,
                backend=self.name,
                channel=Channel.EMAIL,
                status=status,
                contact=reference.contact,
                message=reference.message,
                to=finding.to or reference.to,
                at=self.at,
                code=finding.code,
                status_code=finding.status_code,
                detail=finding.detail[:_LONGEST_DETAIL],
            )
        return tuple(events.values())

    def _message(self, parts: Sequence[Mail], automatic: bool) -> tuple[InboundMessage, ...]:
        senders = _senders(self.mail)
        answered = self.returned_to or _answered(self.mail)
        if not senders and answered is None:
            _log.warning("a mail does not say who sent it")
            return ()
        said, subject = written(parts), _subject(self.mail)
        plain_subject = _without_marks(subject)
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


def _returned_to(mail: Mail, return_path: ReturnPath | None, recipient: str) -> _Reference | None:
    headers = [value for name in _DELIVERED_TO for value in mail.get_all(name, [])[:_MOST_HEADERS]]
    return _first_of(return_path, [recipient, *headers])


def _first_of(return_path: ReturnPath | None, texts: Sequence[str]) -> _Reference | None:
    for text in texts if return_path else ():
        assert return_path is not None
        if found := return_path.find(text):
            return _Reference(contact=found[0], message=found[1])
    return None


def _answered(mail: Mail) -> _Reference | None:
    """
    Find the message that a mail answers, by its id.
    """
    for name in _ANSWERED:
        if found := _MESSAGE_ID.findall(_header(mail, name)):
            return _Reference(message=found[-1].lower())
    return None


def _reference_inside(parts: Sequence[Mail], return_path: ReturnPath | None) -> _Reference | None:
    """
    Find the message in the fields of a report, or in the parts of the message it returns.
    """
    blocks = [block for part in parts if part.get_content_maintype() == "message" for block in _blocks(part)]
    for part in parts:
        if part.get_content_maintype() == "text":
            # The headers alone (RFC 3462 2), or a non-standard report that returns the mail as text.
            blocks.append(_fields("\n".join(_ID_LINE.findall(decoded(part)))))
    paths = [_header(block, name) for block in blocks for name in ("return-path", "original-mail-from")]
    if reference := _first_of(return_path, paths):
        return reference
    for block in blocks:
        for name in ("message-id", "original-envelope-id"):
            if found := _OUR_ID.match(_header(block, name)):
                return _Reference(message=found[1].lower(), to=parseaddr(_header(block, "to"))[1])
    return None


# ---- reports


def _outer_parts(mail: Mail) -> Iterator[Mail]:
    """
    Yield the mail and its parts, but not the mails it returns or forwards.
    """
    yield mail
    if mail.get_content_maintype() == "multipart" and mail.is_multipart():
        for part in mail.get_payload():
            assert isinstance(part, Mail)
            yield from _outer_parts(part)


def _blocks(part: Mail) -> Iterator[Mail]:
    """
    Yield the groups of fields in a part of a report. Each has the form of the headers of a mail.

    The library splits a ``message/delivery-status``. It parses the newer type of RFC 6533 as a mail, whose headers are
    the first group and whose body is the rest.
    """
    for block in part.get_payload() if part.is_multipart() else ():
        assert isinstance(block, Mail)
        yield block
        if part.get_content_type() == "message/global-delivery-status":
            yield from map(_fields, re.split(r"\n\s*\n", decoded(block)))


def _statuses(parts: Sequence[Mail]) -> Iterator[_Finding]:
    """
    Parse the reports of RFC 3464 and RFC 6533.
    """
    for part in parts:
        if part.get_content_type() in ("message/delivery-status", "message/global-delivery-status"):
            for block in _blocks(part):
                action = _match(_WORD, _header(block, "action").lower())
                if action in _ACTIONS:
                    yield _finding(block, action, _ACTIONS[action])


def _finding(block: Mail, action: str, status: DeliveryStatus) -> _Finding:
    diagnostic = _header(block, "diagnostic-code")
    status_code = _match(_STATUS, _header(block, "status"))
    if status_code.endswith(".0.0"):
        # Exim gives no more than that. The other server's own words say more.
        status_code = _match(_STATUS, diagnostic) or status_code
    if status is DeliveryStatus.FAILED and status_code in NOBODY_THERE:
        status = DeliveryStatus.BOUNCED
    return _Finding(
        action=action,
        status=status,
        to=_typed_address(_header(block, "original-recipient")) or _typed_address(_header(block, "final-recipient")),
        code=_match(_REPLY_CODE, diagnostic),
        status_code=status_code,
        detail=diagnostic,
    )


def _typed_address(value: str) -> str:
    """
    Return the address in a field such as ``rfc822; ada@example.com``, or an empty string.
    """
    address = value.rpartition(";")[2].strip().strip("<>")
    address = _UTF8_ADDRESS.sub(lambda found: _character(found[1]), address)
    return address if "@" in address else ""


def _character(digits: str) -> str:
    number = int(digits, 16)
    return chr(number) if 0x7F < number <= 0x10FFFF and not 0xD800 <= number < 0xE000 else ""


def _spam_reports(parts: Sequence[Mail]) -> Iterator[_Finding]:
    """
    Parse the reports of RFC 5965, which a mailbox provider sends when someone marks a message as spam.
    """
    for part in parts:
        if part.get_content_type() == "message/feedback-report":
            for block in _blocks(part):
                kind = _match(_WORD, _header(block, "feedback-type").lower())  # a comment may follow
                if status := feedback_status(kind):
                    to = _typed_address(_header(block, "original-rcpt-to"))
                    yield _Finding(action=kind, status=status, to=to, code=kind)


def _other_bounces(head: bytes, parts: Sequence[Mail]) -> Iterator[_Finding]:
    """
    Parse a non-standard bounce, if the extra ``bounces`` is installed.

    flufl.bounce recognises many forms, but calls a bounce permanent if it cannot tell. So an address counts as dead
    only if the text contains a status code that says so, and none that says otherwise.
    """
    try:
        from flufl.bounce import all_failures

        delayed, failed = all_failures(message_from_bytes(head, policy=_POLICY))
    except Exception:  # Not installed, or failed on this mail.
        return
    words = next((decoded(part) for part in parts if part.get_content_type() == "text/plain"), "")
    codes = set(_STATUS.findall(words))
    status_code = min(codes) if len(codes) == 1 else ""
    gone = bool(codes) and codes <= NOBODY_THERE
    for address in sorted(delayed):
        yield _Finding(
            action="delayed", status=DeliveryStatus.DELAYED, to=address.decode("ascii", "replace"), detail=words
        )
    for address in sorted(failed):
        yield _Finding(
            action="failed",
            status=DeliveryStatus.BOUNCED if gone else DeliveryStatus.FAILED,
            to=address.decode("ascii", "replace"),
            code=_match(_REPLY_CODE, words),
            status_code=status_code,
            detail=words,
        )


# ---- who wrote it


def _is_automatic(mail: Mail) -> bool:
    """
    Return whether a machine wrote the mail.

    Source: RFC 3834 2 and 5. The rest was in use before it, or is Microsoft's.
    """
    if _header(mail, _BUTTON).lower() not in _NO:
        return False
    return (
        _match(_WORD, _header(mail, "auto-submitted").lower()) not in _NO
        or _header(mail, "return-path") == "<>"
        or mail.get_content_type() == "multipart/report"
        or any(_header(mail, name).lower() not in _NO for name in _AUTOMATIC_HEADERS)
        or _header(mail, "precedence").lower() in _AUTOMATIC_PRECEDENCE
        or any(sender.partition("@")[0].lower() in _AUTOMATIC_SENDERS for sender in _senders(mail)[:1])
        or _AUTOMATIC_SUBJECT.match(_subject(mail)) is not None
    )


def _is_bulk(mail: Mail, sender: str) -> bool:
    return any(name in mail for name in _BULK_HEADERS) or bool(_NO_REPLY.match(sender))


def _senders(mail: Mail) -> list[str]:
    """
    Return the addresses that a mail may have come from, the likeliest first. Empty if it names none.

    By hand, because the library gives up on a name with a comma or an @ in it, and since Python 3.13 on an address as
    its own name. A name in quotes may be anything, and is not searched.
    """
    first = _addresses(_header(mail, "from"))
    others = [address for name in ("x-original-from", "reply-to") for address in _addresses(_header(mail, name))]
    found = [*first, *others] or [
        address for name in ("sender", "return-path") for address in _addresses(_header(mail, name))
    ]
    return list(dict.fromkeys(found))[:_MOST_HEADERS]


def _addresses(header: str) -> list[str]:
    plain = _QUOTED_NAME.sub(" ", header)
    # The last, because what comes before it is a name.
    return _ANGLE_ADDRESS.findall(plain)[::-1] or _BARE_ADDRESS.findall(plain) or _ANGLE_ADDRESS.findall(header)[::-1]


# ---- fields


def _header(mail: Mail, name: str) -> str:
    """
    Return a header on one line, or an empty string. Not decoded: an encoded name may contain what looks like an
    address.
    """
    return str(mail.get(name, "")).strip()


def _subject(mail: Mail) -> str:
    written = _header(mail, "subject")
    try:
        return clean(str(make_header(decode_header(written)))).strip()
    except (MessageError, LookupError, ValueError):
        return written


def _without_marks(subject: str) -> str:
    """
    Return a subject without ``Re:`` and the like in front of it.
    """
    end = 0
    while found := _SUBJECT_MARK.match(subject, end):
        end = found.end()
    return subject[end:].strip()


def _fields(text: str) -> Mail:
    return message_from_string(text.lstrip(), policy=_POLICY)


def _match(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0] if found else ""


def _arrived(mail: Mail, now: datetime) -> datetime:
    """
    Return when our own server accepted the mail: its header is the topmost. What the sender wrote is not relied on.
    """
    try:
        at = parsedate_to_datetime(_header(mail, "received").rpartition(";")[2])
        return min((at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC), now)
    except (ValueError, TypeError, IndexError, OverflowError):
        return now
