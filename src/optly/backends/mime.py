"""
Emails as they are sent: headers, body and envelope. Pure.
"""

from __future__ import annotations

import re
from base64 import encodebytes
from binascii import b2a_qp
from collections.abc import Mapping
from datetime import datetime
from email.headerregistry import Address, HeaderRegistry
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from functools import lru_cache
from types import MappingProxyType
from typing import Final

import attrs

from optly import typed
from optly.backends._channel import require_channel
from optly.contacts import Channel, EmailAddress
from optly.errors import AddressError, ConfigurationError, HeaderError, UsageError
from optly.messages import Message

_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_TEXT_BYTES = bytes(byte for byte in range(256) if not _NOT_TEXT.match(chr(byte)))  # the bytes of UTF-8 text
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_LONGEST_LINE = 998  # RFC 5322 2.1.1, without the line break
_LONGEST_PLAIN_LINE = 78  # of a body that is not encoded
_PLAIN = re.compile(r"[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[a-z0-9.-]{1,255}", re.ASCII)
_UNSUBSCRIBE: Final = "List-Unsubscribe"
NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


class _Policy(EmailPolicy):
    """
    Writes a header on one line where that is allowed.

    The library folds at 78 characters and encodes a longer word. A link in ``List-Unsubscribe`` is such a word, and no
    mail program would recognise it.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        # The library has decoded encoded words, which may contain a line break.
        if _NOT_TEXT.search(value) or not set(value).isdisjoint("\r\n"):
            raise HeaderError(f"the header {name} contains a line break or another control character in encoded form")
        line = f"{name}: {value}"
        if len(line.encode()) <= _LONGEST_LINE and (self.utf8 or line.isascii()):
            return line.encode() + b"\r\n"
        return super().fold_binary(name, value)


# Seven bits, because not every server accepts eight, and a conversion on the way would break the signature.
_ASCII = _Policy(linesep="\r\n", cte_type="7bit", max_line_length=_LONGEST_PLAIN_LINE)
_UTF8 = _ASCII.clone(utf8=True)


@attrs.frozen(kw_only=True)
class Sender:
    """
    The sender of an email.

    Attributes:
        name: The display name, or empty.
    """

    name: str = ""
    address: EmailAddress

    @classmethod
    def parse(cls, text: str) -> Sender:
        """
        Parse ``Acme <hello@acme.example.com>``, or an address alone.

        Raises:
            ConfigurationError: It is not exactly one address, with or without a name.
        """
        wanted = "a sender is written as Name <address>, with the name in quotes if it contains , : ; ( or )"
        if not text.isprintable():
            raise ConfigurationError(wanted)
        try:
            (mailbox,) = SMTP.header_factory("From", text).addresses
        except Exception:  # The library's parser may raise anything.
            raise ConfigurationError(wanted) from None
        if not _is_all_of(mailbox, text):
            raise ConfigurationError(wanted)
        try:
            return cls(name=mailbox.display_name, address=EmailAddress.parse(mailbox.addr_spec))
        except AddressError as error:
            raise ConfigurationError(f"the sender is {error}") from None


def _is_all_of(mailbox: Address, text: str) -> bool:
    """
    Whether nothing was left out of a sender, such as a comment: that would be the name of someone else.
    """
    name, bracket, address = text.strip().rpartition("<")
    if address.removesuffix(">" if bracket else "") != mailbox.addr_spec:
        return False
    return "=?" in name or _letters(name) == _letters(mailbox.display_name)


def _letters(name: str) -> str:
    return "".join(name.translate({ord('"'): None, ord("\\"): None}).split())


@attrs.frozen(kw_only=True)
class Letter:
    """
    An email with its envelope, ready to be sent.

    Attributes:
        id: The id of the message.
        sender, recipient: The addresses of the envelope.
        utf8: Whether an address has no ASCII form, so that every server on the way must support SMTPUTF8.
        content: Headers and body. Every line ends in CR LF and is at most 998 bytes long.
    """

    id: str
    sender: str = attrs.field(repr=False)
    recipient: str = attrs.field(repr=False)
    utf8: bool
    content: bytes = attrs.field(repr=False)

    def with_content(self, content: bytes) -> Letter:
        """
        Return the same email with other content.

        Raises:
            HeaderError: A line does not end in CR LF, or contains a bare CR or LF.
        """
        _must_be_lines(content)
        return typed.evolve(self, content=content)


def build(
    message: Message,
    sender: Sender,
    *,
    at: datetime,
    return_path: EmailAddress | None = None,
    headers: Mapping[str, str] = NO_HEADERS,
) -> Letter:
    """
    Return *message* as an email.

    Only the date differs between two attempts, so that a recipient of both can recognise them as one message.

    Args:
        at: The date of the email. Aware.
        return_path: Where bounces go, instead of to the sender.
        headers: Added where the message has no header of the same name.

    Raises:
        AddressError: It is not addressed to an email address.
        HeaderError: A header is not allowed in an email, or repeats one that is there already.
        UsageError: It was made for another channel, or contains half a character.
    """
    require_channel(Channel.EMAIL, message)
    _check(message)
    target = EmailAddress.recognise(message.to)
    if target != EmailAddress.recorded(message.to):
        raise AddressError("a message goes to an email address alone, without a name or a scheme")
    addresses = [sender.address, target, return_path or sender.address]
    written = [address.ascii_value or address.value for address in addresses]
    utf8 = not all(map(str.isascii, written))
    extra = dict(message.headers)
    if headers:
        there = {name.lower() for name in extra}
        extra |= {name: value for name, value in headers.items() if name.lower() not in there}
    parts = Parts(message=message, sender=sender, origin=written[0], target=written[1], at=at, headers=extra)
    content = (None if utf8 else by_hand(parts)) or by_library(parts, utf8=utf8)
    _must_be_lines(content)
    return Letter(id=message.id, sender=written[2], recipient=written[1], utf8=utf8, content=content)


def with_stop_address(message: Message, address: str) -> Message:
    """
    Return *message* with a ``mailto:`` beside the address of the page in List-Unsubscribe, if it has such a header.

    Some mail programs show no button for the address of a page alone.

    Source: RFC 2369 section 3.2, https://www.rfc-editor.org/rfc/rfc2369#section-3.2 (read 2026-11-29).
    """
    headers = dict(message.headers)
    if _UNSUBSCRIBE not in headers:
        return message
    headers[_UNSUBSCRIBE] += f", <mailto:{address}?subject=unsubscribe>"
    return typed.evolve(message, headers=headers)


@attrs.frozen(kw_only=True)
class Parts:
    """
    The parts an email is built from.

    Attributes:
        origin, target: The addresses as they appear in the headers.
        headers: The message's own, and those that were added.
    """

    message: Message
    sender: Sender
    origin: str = attrs.field(repr=False)
    target: str = attrs.field(repr=False)
    at: datetime
    headers: Mapping[str, str] = attrs.field(repr=False)

    @property
    def message_id(self) -> str:
        return f"<{self.message.id}@{self.sender.address.normal.rpartition('@')[2]}>"

    @property
    def boundary(self) -> str:
        # The library would choose a random boundary. The id is as random, and the same for every attempt.
        return f"=_{self.message.id}"


# RFC 3834 5, and the header that Exchange uses.
_AUTOMATIC = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}
_AUTOMATIC_LINES = "".join(f"{name}: {value}\r\n" for name, value in _AUTOMATIC.items()).encode()
# Headers that the library parses, or that are there already.
_TO_PARSE = frozenset(HeaderRegistry().registry) | {name.lower() for name in _AUTOMATIC}


def by_library(parts: Parts, *, utf8: bool) -> bytes:
    """
    Build an email with the standard library, which handles every case, and takes a millisecond.
    """
    mail = EmailMessage(policy=_UTF8 if utf8 else _ASCII)
    message = parts.message
    headers = {
        "From": _Mailbox(parts.origin, parts.sender.name),
        "To": _Mailbox(parts.target),
        "Subject": message.subject,
        "Date": parts.at,
        "Message-ID": parts.message_id,
        **_AUTOMATIC,
    }
    try:
        for name, value in headers.items():
            mail[name] = value
        mail.set_content(message.text, cte=_encoding(message.text))
        if message.html:
            mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
            mail.set_boundary(parts.boundary)
        mail["Content-Language"] = message.language
        for name, text in parts.headers.items():
            if name in mail or name.lower().startswith("content-"):
                raise HeaderError(f"the header {name} is there already")
            mail[name] = text
        return mail.as_bytes()
    except UsageError:
        raise
    except Exception:  # The library's parser may raise anything.
        raise HeaderError("a header of the message cannot be written") from None


def by_hand(parts: Parts) -> bytes | None:
    """
    Build an email as the library would, in a twentieth of the time, or return None if only the library can.

    Headers are the same byte for byte; where a body has to be encoded, its lines may be broken elsewhere.
    """
    message = parts.message
    names = {name.lower() for name in parts.headers}
    if (
        len(names) < len(parts.headers)
        or not names.isdisjoint(_TO_PARSE)
        or any(name.startswith("content-") for name in names)
        or not _PLAIN.fullmatch(parts.target)
    ):
        return None
    lines = [
        _from(parts.origin, parts.sender.name),
        b"To: %b\r\n" % parts.target.encode(),
        _header("Subject", message.subject),
        f"Date: {format_datetime(parts.at)}\r\nMessage-ID: {parts.message_id}\r\n".encode(),
        _AUTOMATIC_LINES,
    ]
    language = b"Content-Language: %b\r\n" % message.language.encode()
    extra = [_header(name, value) for name, value in parts.headers.items()]
    text = _body(message.text)
    if not message.html:
        lines += [b'Content-Type: text/plain; charset="utf-8"\r\n', text[0], b"MIME-Version: 1.0\r\n"]
        return b"".join([*lines, language, *extra, b"\r\n", text[1]])
    html = _body(message.html)
    boundary = parts.boundary.encode()
    lines += [b'MIME-Version: 1.0\r\nContent-Type: multipart/alternative; boundary="%b"\r\n' % boundary]
    return b"".join(
        [
            *lines,
            language,
            *extra,
            b'\r\n--%b\r\nContent-Type: text/plain; charset="utf-8"\r\n%b\r\n%b' % (boundary, *text),
            b'\r\n--%b\r\nContent-Type: text/html; charset="utf-8"\r\n%bMIME-Version: 1.0\r\n\r\n%b'
            % (boundary, *html),
            b"\r\n--%b--\r\n" % boundary,
        ]
    )


def _header(name: str, value: str) -> bytes:
    if (
        value.isascii()
        and value.isprintable()
        and "=?" not in value
        and value.strip() == value
        and len(name) + len(value) + 2 <= _LONGEST_LINE
    ):
        return f"{name}: {value}\r\n".encode()
    return _encoded_header(name, value)


@lru_cache(maxsize=128)
def _encoded_header(name: str, value: str) -> bytes:
    """
    Encode a header that is not plain ASCII. Cached, because a campaign has one subject.
    """
    try:
        return _ASCII.fold_binary(*_ASCII.header_store_parse(name, value))
    except UsageError:
        raise
    except Exception:  # The library's parser may raise anything.
        raise HeaderError("a header of the message cannot be written") from None


@lru_cache(maxsize=128)
def _from(origin: str, name: str) -> bytes:
    return _ASCII.fold_binary("From", _ASCII.header_factory("From", _Mailbox(origin, name)))


def _body(text: str) -> tuple[bytes, bytes]:
    """
    Return the transfer encoding of a body, and the encoded body.
    """
    data = text.encode()
    lines = data.splitlines()
    body = b"\r\n".join(lines) + b"\r\n"
    forced = bool(data.translate(None, _TEXT_BYTES))
    if data.isascii() and not forced and max(map(len, lines), default=0) <= _LONGEST_PLAIN_LINE:
        return b"Content-Transfer-Encoding: 7bit\r\n", body
    printable = b2a_qp(body)
    if forced or len(printable) <= 4 * len(body) // 3:
        return b"Content-Transfer-Encoding: quoted-printable\r\n", printable
    return b"Content-Transfer-Encoding: base64\r\n", encodebytes(body).replace(b"\n", b"\r\n")


def _check(message: Message) -> None:
    if not _ID.fullmatch(message.id):
        raise HeaderError("the id of a message must be 32 lower-case hexadecimal digits")
    if not _LANGUAGE.fullmatch(message.language):
        raise HeaderError("the language of a message must be a tag such as en or cy-GB")
    try:
        for text in (message.subject, message.text, message.html, *message.headers.values()):
            text.encode()
    except UnicodeEncodeError:
        raise UsageError("a message contains half of a surrogate pair, which is not a character") from None


class _Mailbox(Address):
    """
    An address that is written as it is. The library would quote what is in quotes, and not what two dots in a row need.
    """

    def __init__(self, address: str, name: str = "") -> None:
        local, _, domain = address.rpartition("@")
        super().__init__(name, local, domain)
        self._written = address

    @property
    def addr_spec(self) -> str:
        return self._written


def _encoding(text: str) -> str | None:
    return "quoted-printable" if _NOT_TEXT.search(text) else None


def _must_be_lines(content: bytes) -> None:
    """
    Require that every server on the way sees the same lines, and so the same end of the message.
    """
    whole = content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    # Only a dot after a line break is doubled by SMTP, so one at the beginning would not be.
    if not whole or not content.endswith(b"\r\n") or content.startswith(b"."):
        raise HeaderError("the email contains a bare CR or LF")
