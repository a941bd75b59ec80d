# mypy: disable-error-code="import-untyped, untyped-decorator"
"""
Links for the site's own emails and pages: ``{% load optly %}``.

A contact is a `Contact`, its id, or its email address or telephone number. Where a contact has several for the channel,
that address is the line that is meant, or ``line=`` gives its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import template

from optly.cli._contacts import get_line
from optly.contacts import Channel, Contact
from optly.contrib.django import get_manager

register: Final = template.Library()


@register.simple_tag
def optly_preferences_url(
    contact: Contact | str, channel: Channel | str = Channel.EMAIL, line: int | None = None
) -> str:
    """
    Make a MyOptly link for a message to the contact. Each call makes a new one, so use it once per email.
    """
    manager = get_manager()
    who, named = get_line(manager, contact, channel, line)
    return manager.link(who, channel, **named)


@register.simple_tag
def optly_unsubscribe_url(
    contact: Contact | str,
    purpose: str | None = None,
    channel: Channel | str = Channel.EMAIL,
    line: int | None = None,
) -> str:
    """
    Return the URL of the page that stops messages for *purpose*, or for every purpose, on that channel.
    """
    headers: Mapping[str, str] = optly_unsubscribe_headers(contact, purpose, channel, line)
    return headers["List-Unsubscribe"].strip("<>")


@register.simple_tag
def optly_unsubscribe_headers(
    contact: Contact | str,
    purpose: str | None = None,
    channel: Channel | str = Channel.EMAIL,
    line: int | None = None,
) -> Mapping[str, str]:
    """
    Return the headers that let mail programs unsubscribe, for ``{% … as headers %}``.
    """
    manager = get_manager()
    who, named = get_line(manager, contact, channel, line)
    return manager.unsubscribe_headers(who, purpose, channel=channel, **named)
