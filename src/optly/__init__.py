"""
Consent to marketing: asked for, recorded as evidence, and kept to.
"""

from optly.addresses import AddressKind, Channel, EmailAddress, PhoneNumber, PostalAddress
from optly.commands import Attachment, Context, Unsound
from optly.errors import NotPermittedError, OptlyError
from optly.events import Act, Actor, Engagement, Manner
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.manager_async import AsyncConsentManager
from optly.messages import Content
from optly.parties import Contact, Organisation, Subscriber
from optly.purposes import Purpose, Wording
from optly.rules import Call, Charity, Decision, MessageKind, Solicited

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
    "Subscriber",
    "Unsound",
    "Wording",
]
