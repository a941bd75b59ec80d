# mypy: disable-error-code="import-untyped, untyped-decorator"
"""
Links for the site's own emails and pages: ``{% load optly %}``.

A contact is a `Contact`, its id, or its email address or telephone number.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django import template

from optly.contacts import Channel, Contact
from optly.contrib.django import get_manager
from optly.contrib.django._contacts import contact_of

register: Final = template.Library()


@register.simple_tag
def optly_preferences_url(contact: Contact | str, channel: Channel | str = Channel.EMAIL) -> str:
    """
    Make a MyOptly link for a message to the contact. Each call makes a new one, so use it once per email.
    """
    manager = get_manager()
    return manager.link(contact_of(manager, contact), channel)


@register.simple_tag
def optly_unsubscribe_url(
    contact: Contact | str, purpose: str | None = None, channel: Channel | str = Channel.EMAIL
) -> str:
    """
    Return the URL of the page that stops messages for *purpose*, or for every purpose, on that channel.
    """
    return _headers(contact, purpose, channel)["List-Unsubscribe"].strip("<>")


@register.simple_tag
def optly_unsubscribe_headers(
    contact: Contact | str, purpose: str | None = None, channel: Channel | str = Channel.EMAIL
) -> Mapping[str, str]:
    """
    Return the headers that let mail programs unsubscribe, for ``{% … as headers %}``.
    """
    return _headers(contact, purpose, channel)


def _headers(contact: Contact | str, purpose: str | None, channel: Channel | str) -> Mapping[str, str]:
    manager = get_manager()
    return manager.unsubscribe_headers(contact_of(manager, contact), purpose, channel=channel)
