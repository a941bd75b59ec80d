"""
What every register does with a question before and after looking the number up.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from optly.errors import NaiveDatetimeError, RegisterStaleError
from optly.protocols import Listing, RegisterName
from optly.rules.editions import uk_date

# How many days after its date a copy may still be screened with, the last one included: a call within 28 days of a
# listing is excused, so that a copy of that age misses nobody it would have had to have.
# Source: PECR reg 21(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/21 (read 2026-11-23).
MAX_AGE: Final = timedelta(days=28)


def utc_now() -> datetime:
    """
    Tell the time.
    """
    return datetime.now(UTC)


def answer(
    register: RegisterName, as_of: date, version: str, *, since: date | None, at: datetime, checked_at: datetime
) -> Listing:
    """
    Answer for the instant *at* from a copy in which the number is listed since *since*. Days are those of the
    United Kingdom.

    Raises:
        RegisterStaleError: The copy is too old for that instant.
        NaiveDatetimeError: *at* has no time zone.
    """
    if at.utcoffset() is None:
        raise NaiveDatetimeError("at has no time zone: use datetime.now(timezone.utc) or the like")
    at = at.astimezone(UTC)
    # Only in the last hour of a day can the United Kingdom have the next one already.
    day = uk_date(at) if at.hour == 23 else at.date()
    if day - as_of > MAX_AGE:
        raise RegisterStaleError(
            f"the copy of the {register.upper()} is of {as_of} and may be screened with for {MAX_AGE.days} days: get a "
            "new one from its licensor and build the register file again",
            as_of=as_of,
        )
    return Listing(
        register=register,
        listed_on=since if since is not None and since <= day else None,
        at=at,
        checked_at=checked_at,
        as_of=as_of,
        version=version,
    )
