"""
Consent to marketing: asked for, recorded as evidence, and kept to.
"""

from optly.addresses import Channel, EmailAddress, PhoneNumber, PostalAddress
from optly.commands import Attachment, Context
from optly.errors import NotPermittedError, OptlyError
from optly.events import Act, Actor
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.manager_async import AsyncConsentManager
from optly.messages import Content
from optly.parties import Contact, Organisation, Subscriber
from optly.purposes import Purpose, Wording
from optly.rules import Decision, Solicited

__all__ = [
    "Act",
    "Actor",
    "AsyncConsentManager",
    "Attachment",
    "Channel",
    "ConsentManager",
    "Contact",
    "Content",
    "Context",
    "Decision",
    "EmailAddress",
    "Keys",
    "NotPermittedError",
    "OptlyError",
    "Organisation",
    "PhoneNumber",
    "PostalAddress",
    "Purpose",
    "Solicited",
    "Subscriber",
    "Wording",
]
