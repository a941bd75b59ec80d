# mypy: disable-error-code="import-untyped"
"""
Django's emails: how they are marked, who they go to, and the copy that each recipient gets.
"""

from __future__ import annotations

import copy
import re
from email.headerregistry import Address
from email.utils import getaddresses, unquote
from typing import Any, Final

import attrs
from django.conf import settings as site
from django.core.mail import EmailAlternative, EmailMessage

from optly.errors import UsageError
from optly.messages import Content
from optly.rendering import Letterhead, marketing, unsubscribe_headers
from optly.rules import Reason

PURPOSE: Final = "X-Optly-Purpose"
KIND: Final = "X-Optly-Kind"
_SERVICE: Final = "service"
_MARKS: Final = frozenset({PURPOSE.lower(), KIND.lower()})
_REPLACED: Final = _MARKS | {"to", "cc", "bcc", "list-unsubscribe", "list-unsubscribe-post"}

# The forms of a body that a link can be added to.
_HTML: Final = frozenset({"text/html", "text/x-amp-html"})
_HERE: Final = "<!--here-->"
_PAGE: Final = re.compile(r".*?<html([^>]*)>.*?<body[^>]*>(.*)</body>", re.DOTALL)
_END: Final = re.compile(r"</body\s*>", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Recipient:
    """
    A recipient of an email.

    Attributes:
        text: As the site wrote it.
        name, address: Its parts. The address is empty unless there is exactly one.
    """

    text: str = attrs.field(repr=False)
    name: str = attrs.field(default="", repr=False)
    address: str = attrs.field(default="", repr=False)


def mark_of(message: EmailMessage) -> tuple[str | None, bool]:
    """
    Return how an email is marked: the purpose it is marketing for, and whether it is a service message. An unmarked
    email is neither.

    Raises:
        UsageError: It is marked in two ways, or with an unknown kind.
    """
    headers = {name.lower(): str(value).strip() for name, value in message.extra_headers.items()}
    purpose, kind = headers.get(PURPOSE.lower()), headers.get(KIND.lower())
    if kind not in (None, _SERVICE):
        raise UsageError(f"the header {KIND} of an email must be {_SERVICE}, or be left out")
    if purpose is not None and kind is not None:
        raise UsageError(f"an email has {PURPOSE}, which makes it marketing, and {KIND}: leave one of them out")
    return purpose, kind is not None


def without_marks(message: EmailMessage) -> EmailMessage:
    """
    Return the email without its marks, which are internal to the site.
    """
    if not _MARKS & {name.lower() for name in message.extra_headers}:
        return message
    plain = copy.copy(message)
    plain.extra_headers = _others(message, _MARKS)
    return plain


def recipients_of(message: EmailMessage) -> tuple[Recipient, ...]:
    """
    Return all recipients of an email, each address once.
    """
    found: dict[str, Recipient] = {}
    for text in message.recipients():
        recipient = _recipient(str(text))
        found.setdefault(recipient.address.lower() or recipient.text, recipient)
    return tuple(found.values())


def _recipient(text: str) -> Recipient:
    parsed = getaddresses([text])
    if len(parsed) != 1 or not text.isprintable():
        return Recipient(text=text)
    return Recipient(text=text, name=parsed[0][0], address=parsed[0][1])


def is_for_the_site(message: EmailMessage) -> bool:
    """
    Return whether an email goes only to the people who run the site.
    """
    # Each is a pair of name and address, or in newer versions of Django an address.
    ours = [each if isinstance(each, str) else each[1] for each in (*site.ADMINS, *site.MANAGERS)]
    known = {_recipient(each).address.lower() for each in ours}
    return all(recipient.address.lower() in known for recipient in recipients_of(message))


def personal(message: EmailMessage, recipient: Recipient, head: Letterhead, reason: Reason) -> EmailMessage:
    """
    Return a copy of the email for one recipient, in the frame of marketing. The site's own email is not changed.
    """
    own = copy.copy(message)
    local, _, domain = recipient.address.rpartition("@")
    # Rebuilt from its parts, so that the email goes to the address that was looked up and to no other.
    own.to = [str(Address(recipient.name, unquote(local), domain)) if recipient.name else recipient.address]
    own.cc, own.bcc = [], []
    own.extra_headers = {**_others(message, _REPLACED), **unsubscribe_headers(head.stop)}
    body = str(message.body or "")
    text, below = _framed(body, head, reason)
    own.body = _with_end(body, below) if message.content_subtype == "html" else text
    if hasattr(message, "alternatives"):
        own.alternatives = [_alternative(each, below) for each in message.alternatives]
    return own


def _framed(text: str, head: Letterhead, reason: Reason) -> tuple[str, str]:
    """
    Return a text followed by the sender's identity and the links, and those lines as HTML to append to a page.
    """
    framed = marketing(head, Content(text=text, html=_HERE), reason=reason)
    page = _PAGE.match(framed.html)
    assert page is not None  # we rendered the page
    return framed.text, f"<div{page[1]}>{page[2].replace(_HERE, '')}</div>"


def _others(message: EmailMessage, names: frozenset[str]) -> dict[str, Any]:
    return {name: value for name, value in message.extra_headers.items() if name.lower() not in names}


def _alternative(alternative: Any, below: str) -> Any:
    content, mimetype = alternative
    if mimetype not in _HTML or not isinstance(content, str):
        return alternative
    return EmailAlternative(_with_end(content, below), mimetype)


def _with_end(html: str, below: str) -> str:
    ends = [found.start() for found in _END.finditer(html)]
    end = ends[-1] if ends else len(html)
    return f"{html[:end]}{below}{html[end:]}"
