"""
How much the record holds, and how it grows.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from optly._operations.application import Application
from optly.results import Recent, Stats, StoreStats

_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)


async def stats(app: Application) -> Stats:
    now, organisation = app.settings.clock(), app.settings.organisation.key
    measured = await app.storage.measure(organisation, (now - _DAY, now - _MONTH))
    log = await app.storage.log_head(organisation)
    return Stats(
        at=now,
        contacts=measured.contacts,
        events=measured.events,
        personal_values=measured.personal,
        messages=await app.storage.backlog(organisation),
        ended=_recent(measured.ended),
        log_entries=0 if log is None else log.checkpoint.size,
        store=StoreStats(
            codes=measured.codes,
            suppressions=measured.suppressions,
            suppressed=_recent(measured.suppressed),
            wordings=measured.wordings,
            size=measured.size,
            max_size=measured.max_size,
        ),
    )


def _recent(counts: tuple[int, int]) -> Recent:
    day, month = counts
    return Recent(day=day, month=month)
