"""
What the reports of mail servers and mailbox providers say about the recipients of a message. Pure.

The standard forms come first (RFC 3464, RFC 6533, RFC 5965). What came to a return path that we signed is about one of
our messages whatever its form is, so it is searched for the same fields, and then for the same words.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from email import message_from_bytes
from email.message import Message as Mail
from quopri import decodestring
from typing import Final

import attrs

from optly.backends._diagnosis import REPLY_CODE, STATUS, Cause, diagnose
from optly.backends._feedback import feedback_status
from optly.backends._fields import POLICY, match, senders_of, subject_of, type_of
from optly.backends._reply import decoded
from optly.messages import DeliveryStatus
from optly.messages.plain import clean, from_html

_LONGEST_REPORT: Final = 64 * 1024

_WORD: Final = re.compile(r"[\w-]+", re.ASCII)
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z-]{2,40})[ \t]*:[ \t]*(.*)", re.ASCII)
_GAP: Final = re.compile(r"\n[ \t]*\n")
_UTF8_ADDRESS: Final = re.compile(r"\\x\{([0-9A-Fa-f]{2,6})\}", re.ASCII)  # RFC 6533 3

_ACTIONS: Final = {
    "failed": DeliveryStatus.FAILED,
    "error": DeliveryStatus.FAILED,  # OpenSMTPD
    "expired": DeliveryStatus.FAILED,
    "delayed": DeliveryStatus.DELAYED,
    "delivered": DeliveryStatus.DELIVERED,
    # It reached the address it was sent to, and was passed on from there to others.
    "expanded": DeliveryStatus.DELIVERED,
    # It was passed on to a server that sends no reports: it is unknown whether it arrived.
    "relayed": DeliveryStatus.SENT,
}
_CLASSES: Final = {"4": "delayed", "5": "failed"}
_READ: Final = "message/disposition-notification"  # RFC 8098: it arrived
_STATUS_TYPES: Final = ("message/delivery-status", "message/global-delivery-status")
_MACHINES: Final = ("mailer-daemon", "postmaster", "mail-daemon", "mailerdaemon")
_COPY: Final = re.compile(
    r"^(?:[-=_ ]*(?:.{0,40}\b(?:copy of (?:the|your)|original message|returned message|unsent message|message header"
    r"|message text|begin message|message follows|undelivered message)\b).*|(?:Return-Path|Received): .*)$",
    re.IGNORECASE | re.MULTILINE,
)
_SUBJECT_OF_FAILURE: Final = re.compile(
    r"undeliver|deliver(?:y|ed)?.{0,12}(?:status|fail|report|problem|error|notif|delay)|non[- ]?deliver"
    r"|fail(?:ed|ure)? (?:notice|deliver)|return(?:ed|ing) (?:mail|to sender|message)"
    r"|mail(?:er)? (?:delivery|failure|error|system error)|not (?:be )?delivered|bounce|could not send"
    r"|message (?:not|could not)|unzustellbar|nicht zugestellt|échec|non remis|no entregado|mancata consegna"
    r"|niet bezorgd|delayed|user unknown",
    re.IGNORECASE,
)
_WORDS_OF_FAILURE: Final = re.compile(
    r"(?:could|can|was|has|have|were)(?: not|n.t|not)(?: yet)?(?: be| been)? (?:deliver|sent|accept|reach|process)"
    r"|(?:unable|failed|not able|impossible) to (?:deliver|send|transmit)|deliver\w* (?:\w+ ){0,3}fail|undeliver"
    r"|did not reach|permanent (?:error|failure)|fatal error|(?:user|host|recipient)\w* unknown"
    r"|unknown (?:user|recipient)|no such (?:user|recipient|mailbox)|returned to you|rejected",
    re.IGNORECASE,
)
_WORDS_OF_DELAY: Final = re.compile(
    r"not yet (?:been )?delivered|will (?:continue|keep|be retried|try)|still (?:being |be )?(?:tr|retr|queue)"
    r"|(?:been|is) delayed|delivery attempts will|no action is required|this is (?:only )?a warning",
    re.IGNORECASE,
)
# A line with a permanent reply, and the line that it goes on in.
_SAID_FOR_GOOD: Final = re.compile(
    r"^.*(?<![\d.])(?:5\d\d[ -]|5\.\d{1,3}\.\d{1,3}(?!\.?\d)).*(?:\n[ \t]+\S.*)?", re.ASCII | re.MULTILINE
)
# Microsoft's form before the standard one: the message itself, from its staff, with the recipient in a field.
_OLD_COMPLAINT: Final = re.compile(r"complaint about message from\b", re.IGNORECASE)
_COMPLAINT_TO: Final = re.compile(r"^X-HmXmrOriginalRecipient:[ \t]*(\S{3,254})", re.IGNORECASE | re.MULTILINE)


@attrs.frozen(kw_only=True)
class Finding:
    """
    What a report says about one recipient.

    Attributes:
        permanent: As in a delivery event.
    """

    action: str
    status: DeliveryStatus
    to: str = attrs.field(default="", repr=False)
    code: str = ""
    status_code: str = ""
    detail: str = attrs.field(default="", repr=False)
    permanent: bool = False


def findings(parts: Sequence[Mail]) -> list[Finding]:
    """
    Return what a report in one of the standard forms says, and a complaint in Microsoft's older one.
    """
    found = [*_statuses(parts), *_feedback(parts)]
    return found or list(_old_complaint(parts))


def odd_findings(head: bytes, parts: Sequence[Mail], *, automatic: bool, ours: bool) -> list[Finding]:
    """
    Return what a report in any other form says. Empty if the mail is none.

    Args:
        head: The beginning of the mail.
        automatic: Whether a machine wrote it.
        ours: Whether it came to a return path that we signed.
    """
    if not automatic and not ours:
        return []
    mail, words = parts[0], _explanation(parts)
    found = _by_library(head, words) if automatic else []
    if found or not ours or any(type_of(part) == _READ for part in parts):
        return found
    text = clean(head.decode("utf-8", "replace").replace("\r\n", "\n"))
    if found := list(_in_groups(_groups(text))):
        return found
    return [_in_words(words)] if _is_failure(mail, words, automatic=automatic) else []


# ---- the standard forms


def _statuses(parts: Iterable[Mail]) -> Iterator[Finding]:
    for part in parts:
        if type_of(part) in _STATUS_TYPES:
            yield from _in_groups(_groups(_source(part)))


def _in_groups(groups: Iterable[Mapping[str, str]]) -> Iterator[Finding]:
    for group in groups:
        status_code = match(STATUS, group.get("status", ""))
        action = match(_WORD, group.get("action", "").lower())
        if "action" not in group and not ("status" in group and "final-recipient" in group):
            continue
        if action not in _ACTIONS:
            action = _CLASSES.get(status_code[:1], "")
        if action:
            yield _finding(group, action, status_code)


def _finding(group: Mapping[str, str], action: str, status_code: str) -> Finding:
    status, diagnostic = _ACTIONS[action], group.get("diagnostic-code", "") or group.get("x-supplementary-info", "")
    cause = diagnose(status_code, f"{diagnostic} {group.get('x-supplementary-info', '')}")
    if status_code.endswith(".0.0"):
        # Exim gives no more than that. The other server's own words say more.
        status_code = match(STATUS, diagnostic) or status_code
    failed = status is DeliveryStatus.FAILED
    return Finding(
        action=action,
        status=DeliveryStatus.BOUNCED if failed and cause is Cause.GONE else status,
        to=_typed_address(group.get("original-recipient", "")) or _typed_address(group.get("final-recipient", "")),
        code=match(REPLY_CODE, diagnostic),
        status_code=status_code,
        detail=diagnostic,
        permanent=failed and cause is Cause.UNSAID,
    )


def _feedback(parts: Iterable[Mail]) -> Iterator[Finding]:
    """
    Parse the reports of RFC 5965, which a mailbox provider sends when someone marks a message as spam.
    """
    for part in parts:
        if type_of(part) == "message/feedback-report":
            for group in _groups(_source(part)):
                kind = match(_WORD, group.get("feedback-type", "").lower())  # a comment may follow
                if "feedback-type" in group and (status := feedback_status(kind)):
                    to = _typed_address(group.get("original-rcpt-to", ""))
                    yield Finding(action=kind, status=status, to=to, code=kind)


def _old_complaint(parts: Sequence[Mail]) -> Iterator[Finding]:
    returned = [part for part in parts if type_of(part) == "message/rfc822"]
    if returned and _OLD_COMPLAINT.match(subject_of(parts[0])):
        to = _COMPLAINT_TO.search(_source(returned[0]))
        yield Finding(action="abuse", status=DeliveryStatus.COMPLAINED, to=to[1] if to else "", code="abuse")


def _source(part: Mail) -> str:
    """
    Return the text of a part that the library has parsed as a mail, or as several, decoded if it was encoded.
    """
    raw = b"\n\n".join(map(_unparsed, part.get_payload())) if part.is_multipart() else _body(part)
    match str(part.get("content-transfer-encoding", "")).strip().lower():
        case "base64":
            with suppress(ValueError):
                raw = b64decode(raw)
        case "quoted-printable":
            raw = decodestring(raw)
    return clean(raw.decode("utf-8", "replace").replace("\r\n", "\n"))


def _unparsed(mail: Mail) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in mail.raw_items()).encode("utf-8", "surrogateescape")
    return head + b"\n" + (b"\n\n".join(map(_unparsed, mail.get_payload())) if mail.is_multipart() else _body(mail))


def _body(mail: Mail) -> bytes:
    body = mail.get_payload(decode=True)
    return body if isinstance(body, bytes) else b""


def _groups(text: str) -> Iterator[Mapping[str, str]]:
    """
    Yield the groups of fields in a text. A line without a name belongs to the field above it, folded or not.
    """
    for block in _GAP.split(text[:_LONGEST_REPORT]):
        group: dict[str, str] = {}
        name = ""
        for line in block.split("\n"):
            found = None if line[:1] in (" ", "\t") else _FIELD.match(line)
            if found is not None:
                name = found[1].lower()
                name = name if name not in group else ""
                if name:
                    group[name] = found[2].strip()
            elif name and line.strip():
                group[name] += " " + line.strip()
        if group:
            yield group


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


# ---- other forms


def _explanation(parts: Iterable[Mail]) -> str:
    """
    Return what a report says to people, without the copy of the message.
    """
    for kind in ("plain", "html"):
        for part in parts:
            if type_of(part) == f"text/{kind}" and (text := decoded(part)).strip():
                words = from_html(text) if kind == "html" else text
                copy = _COPY.search(words)
                return words[: copy.start()] if copy else words
    return ""


def _by_library(head: bytes, words: str) -> list[Finding]:
    """
    Parse a form that flufl.bounce knows, if the extra ``bounces`` is installed. What is permanent is judged here: it
    calls a bounce permanent if it cannot tell.
    """
    try:
        from flufl.bounce import all_failures

        delayed, failed = all_failures(message_from_bytes(head, policy=POLICY))
    except Exception:  # Not installed, or failed on this mail.
        return []
    late = [
        Finding(action="delayed", status=DeliveryStatus.DELAYED, to=address.decode("ascii", "replace"), detail=words)
        for address in sorted(delayed)
    ]
    return [*late, *(_in_words(words, address.decode("ascii", "replace")) for address in sorted(failed))]


def _in_words(words: str, to: str = "") -> Finding:
    """
    Return what the words of a report say, where nothing else does.
    """
    if not to and _WORDS_OF_DELAY.search(words):
        return Finding(action="delayed", status=DeliveryStatus.DELAYED, detail=words)
    said = "\n".join(_SAID_FOR_GOOD.findall(words)) or words
    cause, codes = diagnose("", said), set(STATUS.findall(said))
    gone = cause is Cause.GONE and bool(codes)
    return Finding(
        action="failed",
        status=DeliveryStatus.BOUNCED if gone else DeliveryStatus.FAILED,
        to=to,
        code=match(REPLY_CODE, said),
        status_code=min(codes) if len(codes) == 1 else "",
        detail=words,
        permanent=not gone and cause is not Cause.ELSEWHERE,
    )


def _is_failure(mail: Mail, words: str, *, automatic: bool) -> bool:
    """
    Whether a mail in no form that is known says that a message was not delivered.
    """
    senders = senders_of(mail)
    about = _SUBJECT_OF_FAILURE.search(subject_of(mail)) is not None
    says = any(pattern.search(words) for pattern in (_WORDS_OF_FAILURE, _WORDS_OF_DELAY, STATUS, REPLY_CODE))
    if not senders or senders[0].partition("@")[0].lower().startswith(_MACHINES):
        return about or says
    return about and says and (automatic or "in-reply-to" not in mail)
