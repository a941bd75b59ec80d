"""
Which law was in force on a day, and how days are counted.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Final

import attrs

from optly.instants import london


class Fines(StrEnum):
    """
    How high a fine can be, for an act on a given day.

    Source: S.I. 2026/82 regs 8 and 11, https://www.legislation.gov.uk/uksi/2026/82/made (read 2026-11-23).
    """

    UP_TO_500_000 = "up to £500,000"
    HIGHER_MAXIMUM = "up to £17.5 million or, for an undertaking, 4% of its worldwide turnover if that is more"


@attrs.frozen(kw_only=True)
class Edition:
    """
    The law as it stood from one day until the next edition.

    Attributes:
        name: Since when it has been in force, and when its text was read. It is short, because many events hold it.
        since: The first instant of that day in the United Kingdom, in UTC.
        pension_calls: Whether reg 21B is in force.
        attempts_count: Whether a call that nobody answered, and a message that reached nobody, count.
    """

    name: str
    since: datetime
    fines: Fines
    pension_calls: bool
    attempts_count: bool


def _edition(day: date, since: datetime, *, pensions: bool = True, of_2026: bool = False) -> Edition:
    return Edition(
        name=f"PECR {day}, read 2026-11-23",
        since=since,
        fines=Fines.HIGHER_MAXIMUM if of_2026 else Fines.UP_TO_500_000,
        pension_calls=pensions,
        attempts_count=of_2026,
    )


# The latest first. Sources, all read 2026-11-23: the consolidated text of 17 December 2018; reg 21B by S.I. 2018/1396,
# https://www.legislation.gov.uk/uksi/2018/1396/made; the Data (Use and Access) Act 2025, ss. 110 to 116, brought into
# force by S.I. 2025/904 (https://www.legislation.gov.uk/uksi/2025/904/made) and S.I. 2026/82.
EDITIONS: Final = (
    _edition(date(2026, 2, 5), datetime(2026, 2, 5, tzinfo=UTC), of_2026=True),
    _edition(date(2025, 8, 20), datetime(2025, 8, 19, 23, tzinfo=UTC)),
    _edition(date(2019, 1, 9), datetime(2019, 1, 9, tzinfo=UTC)),
    _edition(date(2018, 12, 17), datetime(2018, 12, 17, tzinfo=UTC), pensions=False),
)
LATEST: Final = EDITIONS[0]
OLDEST: Final = EDITIONS[-1]
# Reg 22(3A), the soft opt-in for charities.
CHARITIES_SINCE: Final = LATEST.since


def edition_at(at: datetime) -> Edition:
    """
    Return the law in force at an instant; for one before the oldest text that was read, that text.
    """
    for edition in EDITIONS:
        if edition.since <= at:
            return edition
    return OLDEST


def uk_date(at: datetime) -> date:
    """
    Return the date in the United Kingdom at an instant. Aware.

    Source: Summer Time Order 2002, S.I. 2002/262: from the last Sunday of March to that of October, at 1 a.m. GMT.
    """
    return at.astimezone(london()).date()


def months_later(at: datetime, months: int) -> datetime:
    """
    Return the same day and time that many months later, or the last day of that month where it is shorter.
    """
    years, month = divmod(at.month - 1 + months, 12)
    year, month = at.year + years, month + 1
    return at.replace(year=year, month=month, day=min(at.day, monthrange(year, month)[1]))
