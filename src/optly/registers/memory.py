"""
A register in memory, for tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime

from optly.contacts import PhoneNumber
from optly.protocols import Clock, Listing, RegisterName
from optly.registers._screening import answer, utc_now


def _require(value: object, kind: type, wanted: str) -> None:
    # A datetime is a date to Python, and compares with none.
    if not isinstance(value, kind) or isinstance(value, datetime):
        raise TypeError(f"give a register {wanted}, not as {type(value).__name__}")


class MemoryRegister:
    """
    A register of the numbers passed to it. Implements `Register`, with the same rules as `FileRegister`.
    """

    def __init__(
        self, name: RegisterName, listings: Mapping[PhoneNumber, date], *, as_of: date, clock: Clock = utc_now
    ) -> None:
        """
        Make the register *name* as it was on *as_of*.

        Args:
            listings: The date each number was listed; `UNDATED` where that is not known.

        Raises:
            TypeError: A key is not a `PhoneNumber`, or a value not a date. Such a listing would never be found, and the
                number would seem not to be listed.
        """
        for number, since in listings.items():
            _require(number, PhoneNumber, "each number as PhoneNumber.parse(…)")
            _require(since, date, "since when it is listed as a date")
        self._name = name
        self._listings = dict(listings)
        self._as_of = as_of
        self._clock = clock

    @property
    def name(self) -> RegisterName:
        return self._name

    def listed_on(self, number: PhoneNumber, at: datetime) -> Listing:
        """
        Return whether *number* was listed at *at*, and since when. See `Register.listed_on`.
        """
        since = self._listings.get(number)
        return answer(self._name, self._as_of, "memory", since=since, at=at, checked_at=self._clock())
