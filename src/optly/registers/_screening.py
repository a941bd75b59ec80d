"""
What every register does besides looking up the number: check its age and make the `Listing`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Final

from optly.errors import NaiveDatetimeError, RegisterStaleError
from optly.protocols import Listing, RegisterName
from optly.rules.editions import uk_date

# How long after its date a copy may still be used to screen, the last day included: a call within 28 days of a
# listing is excused, so a copy of that age lacks no number that it has to include.
# Source: PECR reg 21(3), https://www.legislation.gov.uk/uksi/2003/2426/regulation/21 (read 2026-11-23).
MAX_AGE: Final = timedelta(days=28)


def utc_now() -> datetime:
    return datetime.now(UTC)


def answer(
    register: RegisterName, as_of: date, version: str, *, since: date | None, at: datetime, checked_at: datetime
) -> Listing:
    """
    Return the listing for the instant *at*, from a copy in which the number is listed since *since*. Days are those of
    the United Kingdom.

    Raises:
        RegisterStaleError: The copy is too old for that instant.
        NaiveDatetimeError: *at* has no time zone.
    """
    if at.utcoffset() is None:
        raise NaiveDatetimeError("at has no time zone: use datetime.now(timezone.utc) or the like")
    at = at.astimezone(UTC)
    # Only in the last hour of a UTC day can it be the next day already in the United Kingdom.
    day = uk_date(at) if at.hour == 23 else at.date()
    if day - as_of > MAX_AGE:
        raise RegisterStaleError(
            f"the copy of the {register.upper()} is dated {as_of} and may be used for {MAX_AGE.days} days: get a new "
            "one from its licensor and build the register file again",
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
