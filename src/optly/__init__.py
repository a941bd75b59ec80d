"""
Consent to marketing: asked for, recorded as evidence, and kept to.
"""

from typing import TYPE_CHECKING

from optly import _moved
from optly.contacts.addresses import AddressKind, Channel, EmailAddress, PhoneNumber, PostalAddress
from optly.contacts.parties import Contact, Organisation, Subscriber
from optly.contacts.purposes import Purpose, Wording
from optly.errors import NotPermittedError, OptlyError
from optly.keys import Keys
from optly.links import StopReach
from optly.manager import AsyncConsentManager, ConsentManager
from optly.messages import Content
from optly.record.commands import Attachment, Context, Unsound
from optly.record.events import Act, Actor, Engagement, Manner, Through
from optly.rules import Call, Charity, Decision, MessageKind, Solicited

_moved.install()

__version__: str

__all__ = [
    "Act",
    "Actor",
    "AddressKind",
    "AsyncConsentManager",
    "Attachment",
    "Call",
    "Channel",
    "Charity",
    "ConsentManager",
    "Contact",
    "Content",
    "Context",
    "Decision",
    "EmailAddress",
    "Engagement",
    "Keys",
    "Manner",
    "MessageKind",
    "NotPermittedError",
    "OptlyError",
    "Organisation",
    "PhoneNumber",
    "PostalAddress",
    "Purpose",
    "Solicited",
    "StopReach",
    "Subscriber",
    "Through",
    "Unsound",
    "Wording",
]


if not TYPE_CHECKING:  # To a type checker, every name would be one of ours.

    def __getattr__(name: str) -> str:
        if name == "__version__":
            from importlib.metadata import version

            return version("optly")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
