"""
What an email is on the wire. Pure.
"""

from __future__ import annotations

import re
from datetime import datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy

import attrs

from optly.addresses import Channel, EmailAddress
from optly.backends._channel import must_travel_by
from optly.errors import AddressError, ConfigurationError, HeaderError, UsageError
from optly.messages import Message

_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_LANGUAGE = re.compile(r"[A-Za-z0-9]{1,8}(?:-[A-Za-z0-9]{1,8})*", re.ASCII)
_LONGEST_LINE = 998  # RFC 5322 2.1.1, without the line break


class _Policy(EmailPolicy):
    """
    Writes a header on one line where that is allowed.

    The library folds at 78 characters, and a word that is longer it writes in encoded form. A link in
    ``List-Unsubscribe`` is such a word, and no mail program would find it again.
    """

    def fold_binary(self, name: str, value: str) -> bytes:
        # The library has decoded what was encoded, and there may have been a line break in it.
        if _NOT_TEXT.search(value) or not set(value).isdisjoint("\r\n"):
            raise HeaderError(f"the header {name} holds a line break or another control character in encoded form")
        line = f"{name}: {value}"
        if len(line.encode()) <= _LONGEST_LINE and (self.utf8 or line.isascii()):
            return line.encode() + b"\r\n"
        return super().fold_binary(name, value)


# Seven bits, because not every server takes eight, and what one on the way has to convert no longer fits its signature.
_ASCII = _Policy(linesep="\r\n", cte_type="7bit")
_UTF8 = _ASCII.clone(utf8=True)


@attrs.frozen(kw_only=True)
class Sender:
    """
    Who an email is from.

    Attributes:
        name: As it is shown, or empty.
    """

    name: str = ""
    address: EmailAddress

    @classmethod
    def parse(cls, text: str) -> Sender:
        """
        Read ``Acme <hello@acme.example.com>``, or an address alone.

        Raises:
            ConfigurationError: It is not one address with or without a name.
        """
        wanted = "a sender is written as Name <address>, the name in quotes if it holds a comma"
        if not text.isprintable():
            raise ConfigurationError(wanted)
        try:
            (mailbox,) = SMTP.header_factory("From", text).addresses
        except Exception:  # The library's parser fails with whatever it stumbles over.
            raise ConfigurationError(wanted) from None
        try:
            return cls(name=mailbox.display_name, address=EmailAddress.parse(mailbox.addr_spec))
        except AddressError as error:
            raise ConfigurationError(f"the sender is {error}") from None


@attrs.frozen(kw_only=True)
class Letter:
    """
    An email with its envelope, ready for the wire.

    Attributes:
        sender, recipient: The addresses of the envelope.
        utf8: Whether an address has no form in ASCII, so that every server on the way has to know SMTPUTF8.
        content: Headers and body. Every line ends in CR LF and is at most 998 bytes long.
    """

    sender: str = attrs.field(repr=False)
    recipient: str = attrs.field(repr=False)
    utf8: bool
    content: bytes = attrs.field(repr=False)


def build(message: Message, sender: Sender, *, at: datetime) -> Letter:
    """
    Write *message* as an email.

    Only the date differs between two attempts, so that whoever gets both can tell that they are one.

    Args:
        at: The date of the email.

    Raises:
        AddressError: It does not go to an email address.
        HeaderError: A header cannot stand in an email or repeats one that is there already.
        UsageError: It was made for another channel, or holds half a character.
    """
    must_travel_by(Channel.EMAIL, message)
    _check(message)
    envelope = [sender.address, EmailAddress.parse(message.to)]
    origin, target = (address.ascii_value or address.value for address in envelope)
    utf8 = any(address.ascii_value is None for address in envelope)
    mail = EmailMessage(policy=_UTF8 if utf8 else _ASCII)
    headers = {
        "From": _mailbox(origin, sender.name),
        "To": _mailbox(target),
        "Subject": message.subject,
        "Date": at,
        "Message-ID": f"<{message.id}@{sender.address.normal.rpartition('@')[2]}>",
        "Auto-Submitted": "auto-generated",  # RFC 3834 5
        "X-Auto-Response-Suppress": "All",
    }
    try:
        for name, value in headers.items():
            mail[name] = value
        _fill(mail, message)
        mail["Content-Language"] = message.language
        for name, text in message.headers.items():
            if name in mail or name.lower().startswith("content-"):
                raise HeaderError(f"the header {name} is there already")
            mail[name] = text
        content = mail.as_bytes()
    except UsageError:
        raise
    except Exception:  # The library's parser fails with whatever it stumbles over.
        raise HeaderError("a header of the message cannot be written") from None
    _must_be_lines(content)
    return Letter(sender=origin, recipient=target, utf8=utf8, content=content)


def _check(message: Message) -> None:
    if not _ID.fullmatch(message.id):
        raise HeaderError("the id of a message has 32 lower-case hexadecimal digits")
    if not _LANGUAGE.fullmatch(message.language):
        raise HeaderError("the language of a message is a tag such as en or cy-GB")
    if not all(map(_encodes, (message.subject, message.text, message.html, *message.headers.values()))):
        raise UsageError("a message holds half of a surrogate pair, which is no character")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _mailbox(address: str, name: str = "") -> Address:
    local, _, domain = address.rpartition("@")
    return Address(name, local, domain)


def _fill(mail: EmailMessage, message: Message) -> None:
    mail.set_content(message.text, cte=_encoding(message.text))
    if message.html:
        mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
        # The library would draw one at random. The id is as random, and the same over all attempts.
        mail.set_boundary(f"=_{message.id}")


def _encoding(text: str) -> str | None:
    return "quoted-printable" if _NOT_TEXT.search(text) else None


def _must_be_lines(content: bytes) -> None:
    """
    Make sure that no server on the way can see a line, and so the end of the message, where another sees none.
    """
    if re.search(rb"\r(?!\n)|(?<!\r)\n", content):
        raise HeaderError("an email holds a line break that is half a line break")
