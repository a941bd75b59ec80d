"""
How fast messages go out, and when.

Rates are counted in the store, window by window, so that all workers keep to one of them together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from optly._operations.application import Application
from optly._operations.payload import Payload
from optly.contacts.addresses import Address, Channel, EmailAddress
from optly.keys import sha256
from optly.messages.pacing import Rate


def quiet_until(app: Application, payload: Payload, now: datetime) -> datetime | None:
    """
    Return when what promotes something may go out again, or None if it may now.
    """
    quiet = app.settings.quiet_hours
    if quiet is None or not payload.kind.promotes or payload.channel not in quiet.channels:
        return None
    allowed = quiet.next_allowed(now)
    return allowed if allowed > now else None


async def room(app: Application, channel: Channel, wanted: int, now: datetime) -> int:
    """
    Count *wanted* more messages on a channel, and return how many of them there is room for now.
    """
    for rate in app.settings.rates:
        if rate.domain is None and rate.channel is channel and wanted:
            wanted = await _room(app, rate, wanted, now)
    return wanted


async def beyond_domain_rates(app: Application, addresses: Sequence[Address], now: datetime) -> dict[int, datetime]:
    """
    Return which of these messages their domain has no room for now, by place, and when each may be tried again.
    """
    late: dict[int, datetime] = {}
    for rate in app.settings.rates:
        places = [
            place
            for place, address in enumerate(addresses)
            if rate.domain is not None and isinstance(address, EmailAddress) and address.domain == rate.domain
        ]
        if not places:
            continue
        has_room = await _room(app, rate, len(places), now)
        _, end = rate.window(now)
        for number, place in enumerate(places[has_room:]):
            # Each into a window in which there will be room, instead of all into the next one.
            late[place] = end + rate.per * (number // rate.limit)
    return late


async def _room(app: Application, rate: Rate, wanted: int, now: datetime) -> int:
    start, end = rate.window(now)
    key = sha256(f"rate\0{app.settings.organisation.key}\0{rate.channel}\0{rate.domain}\0{rate.per}\0{start}")
    counted = await app.storage.count(key, now, end - timedelta(microseconds=1), wanted)
    return max(0, min(wanted, rate.limit - (counted - wanted)))
