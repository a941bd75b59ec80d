"""
How often something may be tried. Counted in the store, by all processes together, before anything is looked up.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final, TypeAlias

from optly._operations.application import Application
from optly.errors import TooManyTriesError
from optly.keys import sha256
from optly.links import STEP_UP_LIFE, STEP_UP_TRIES

Often: TypeAlias = tuple[tuple[int, timedelta], ...]

_QUARTER, _DAY = timedelta(minutes=15), timedelta(days=1)

# Six digits, six codes a day, five tries in ten minutes: someone who guesses all year at one contact finds a code with
# a chance of one in a hundred, or of two if each code meets the end of one window and the beginning of the next.
CODES: Final[Often] = ((3, _QUARTER), (6, _DAY))
TRIES: Final[Often] = ((STEP_UP_TRIES, STEP_UP_LIFE),)
PROPOSALS: Final[Often] = ((3, _QUARTER), (10, _DAY))
COPIES: Final[Often] = ((3, _DAY),)
LINKS: Final[Often] = ((3, _QUARTER), (10, _DAY))
COMPLAINTS: Final[Often] = ((5, _DAY),)


async def count(app: Application, what: str, whose: str, often: Often) -> None:
    """
    Count one more.

    Raises:
        TooManyTriesError: That is one too many. It was counted all the same.
    """
    now = app.settings.clock()
    for most, within in often:
        seconds = int(within.total_seconds())
        if await app.storage.count(sha256(f"often\0{what}\0{seconds}\0{whose}"), now, now + within) > most:
            raise TooManyTriesError("this was tried too often: wait, and try again later", until=now + within)
