"""
Throttling: how often something may be attempted. All processes count in the store together, before any look-up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeAlias

from optly._operations.application import Application
from optly.errors import TooManyTriesError
from optly.keys import sha256
from optly.links import STEP_UP_LIFE, STEP_UP_TRIES

# At most so many attempts within each of these times.
Limits: TypeAlias = tuple[tuple[int, timedelta], ...]

_QUARTER, _DAY = timedelta(minutes=15), timedelta(days=1)

# Six digits, six codes a day, five attempts in ten minutes: someone who guesses at one contact for a whole year finds a
# code with a probability of one in a hundred, or two if every code straddles the boundary of two windows.
CODES: Final[Limits] = ((3, _QUARTER), (6, _DAY))
TRIES: Final[Limits] = ((STEP_UP_TRIES, STEP_UP_LIFE),)
PROPOSALS: Final[Limits] = ((3, _QUARTER), (10, _DAY))
SIGN_UPS: Final[Limits] = ((3, timedelta(hours=1)), (6, _DAY))
COPIES: Final[Limits] = ((3, _DAY),)
LINKS: Final[Limits] = ((3, _QUARTER), (10, _DAY))
COMPLAINTS: Final[Limits] = ((5, _DAY),)


async def count(app: Application, action: str, key: str, limits: Limits) -> None:
    """
    Count one more attempt at *action*.

    Args:
        key: The contact, line, address or challenge it is counted for.

    Raises:
        TooManyTriesError: It exceeds a limit. Beyond one nothing is counted.
    """
    now = app.settings.clock()
    for limit, within in limits:
        seconds = int(within.total_seconds())
        if (
            await app.storage.count(
                sha256(f"often\0{app.settings.organisation.key}\0{action}\0{seconds}\0{key}"),
                now,
                now + within,
                most=limit,
            )
            > limit
        ):
            raise TooManyTriesError("too many attempts: wait and try again later", until=now + within)
