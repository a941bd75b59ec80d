"""
What the type checker has to make of the public names. Checked by mypy, never run.
"""

from __future__ import annotations

from typing import assert_type

from optly.addresses import Address, AddressKind, Channel, EmailAddress, PhoneNumber, parse_address

assert_type(EmailAddress.parse("ada@example.com"), EmailAddress)
assert_type(PhoneNumber.parse("07911 123456").value, str)
assert_type(parse_address("ada@example.com", AddressKind.EMAIL), Address)
assert_type(Channel.EMAIL.kind, AddressKind)
