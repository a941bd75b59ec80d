"""
Send-rate limits and quiet hours.

Messages are counted in the store, window by window, so that a rate limits all workers together.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from optly._operations.application import Application
from optly._operations.payload import Payload
from optly.contacts import Address, Channel, EmailAddress
from optly.keys import sha256
from optly.messages.pacing import Rate


def quiet_until(app: Application, payload: Payload, now: datetime) -> datetime | None:
    """
    Return when a promotional message may be sent again; None if it may be sent now.
    """
    quiet = app.settings.quiet_hours
    if quiet is None or not payload.kind.promotes or payload.channel not in quiet.channels:
        return None
    allowed = quiet.next_allowed(now)
    return allowed if allowed > now else None


async def reserve(app: Application, channel: Channel, wanted: int, now: datetime) -> int:
    """
    Count *wanted* more messages on a channel, and return how many of them may be sent now.
    """
    for rate in app.settings.rates:
        if rate.domain is None and rate.channel is channel and wanted:
            wanted = await _reserve(app, rate, wanted, now)
    return wanted


async def beyond_domain_rates(app: Application, addresses: Sequence[Address], now: datetime) -> dict[int, datetime]:
    """
    Return which of these messages exceed the rate of their domain, by index, and when each may be tried again.
    """
    late: dict[int, datetime] = {}
    for rate in app.settings.rates:
        indices = [
            index
            for index, address in enumerate(addresses)
            if rate.domain is not None and isinstance(address, EmailAddress) and address.domain == rate.domain
        ]
        if not indices:
            continue
        room = await _reserve(app, rate, len(indices), now)
        _, end = rate.window(now)
        for position, index in enumerate(indices[room:]):
            # Each goes into a window that has room for it, not all of them into the next one.
            late[index] = end + rate.per * (position // rate.limit)
    return late


async def _reserve(app: Application, rate: Rate, wanted: int, now: datetime) -> int:
    start, end = rate.window(now)
    key = sha256(f"rate\0{app.settings.organisation.key}\0{rate.channel}\0{rate.domain}\0{rate.per}\0{start}")
    counted = await app.storage.count(key, now, end - timedelta(microseconds=1), wanted)
    return max(0, min(wanted, rate.limit - (counted - wanted)))
