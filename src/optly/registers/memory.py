"""
A register in memory, for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from optly.contacts.addresses import PhoneNumber
from optly.protocols import Clock, Listing, RegisterName
from optly.registers._screening import answer, utc_now


class MemoryRegister:
    """
    A register of the numbers it is given. Implements `Register`, by the same rules as `FileRegister`.
    """

    def __init__(
        self, name: RegisterName, listings: Mapping[PhoneNumber, date], *, as_of: date, clock: Clock = utc_now
    ) -> None:
        """
        Make the register *name* as it stood on *as_of*.

        Args:
            listings: Since when each number is listed; `UNDATED` where that is not known.
        """
        self._name = name
        self._listings = dict(listings)
        self._as_of = as_of
        self._clock = clock

    @property
    def name(self) -> RegisterName:
        return self._name

    def listed_on(self, number: PhoneNumber, at: datetime) -> Listing:
        """
        Do as `Register.listed_on` says.
        """
        since = self._listings.get(number)
        return answer(self._name, self._as_of, "memory", since=since, at=at, checked_at=self._clock())
