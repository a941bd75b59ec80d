"""
Contacts and organisations, their addresses, and the purposes of messages.

May import `errors`, `instants`, `canonical` and `locale`.
"""

from optly.contacts.addresses import Account as Account
from optly.contacts.addresses import Address as Address
from optly.contacts.addresses import AddressKind as AddressKind
from optly.contacts.addresses import Channel as Channel
from optly.contacts.addresses import EmailAddress as EmailAddress
from optly.contacts.addresses import PhoneNumber as PhoneNumber
from optly.contacts.addresses import PostalAddress as PostalAddress
from optly.contacts.addresses import is_email as is_email
from optly.contacts.addresses import normal_form as normal_form
from optly.contacts.addresses import parse_address as parse_address
from optly.contacts.addresses import recognise_address as recognise_address
from optly.contacts.addresses import recognise_domain as recognise_domain
from optly.contacts.addresses import recorded_address as recorded_address
from optly.contacts.channels import ELECTRONIC_MAIL as ELECTRONIC_MAIL
from optly.contacts.channels import reaching as reaching
from optly.contacts.channels import stopped_with as stopped_with
from optly.contacts.parties import AnyContact as AnyContact
from optly.contacts.parties import Contact as Contact
from optly.contacts.parties import Organisation as Organisation
from optly.contacts.parties import Subscriber as Subscriber
from optly.contacts.purposes import Purpose as Purpose
from optly.contacts.purposes import Wording as Wording
