"""
Numbers that the register of the tests has.
"""

from __future__ import annotations

from optly import PhoneNumber

LISTED = PhoneNumber.parse("0161 496 0000")
LISTED_UNDATED = PhoneNumber.parse("0161 496 0001")
