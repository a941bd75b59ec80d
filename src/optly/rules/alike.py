"""
Which standings the rules of :mod:`optly.rules.pecr` answer alike, so that of a screened list each kind is asked once.

Two standings are alike if they differ in nothing but how events are numbered and when they occurred, and if nothing
that the rules compare comes out differently: the order of the events, and where the message stands among them. The
answers then differ only in whom they are about, in the numbers of the events they rest on and in when a consent ends.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, TypeAlias

from optly.contacts import Channel
from optly.record.glance import Glance, GlancedConsent
from optly.rules.communication import Communication, MessageKind
from optly.rules.editions import CHARITIES_SINCE

_SHORTEST_MONTH: Final = timedelta(days=28)
_LONGEST_MONTH: Final = timedelta(days=31)

# Calls rest on consents for two channels, on registers and on facts of each number.
_CALLS: Final = frozenset({Channel.LIVE_CALL, Channel.AUTOMATED_CALL, Channel.FAX})

# What the rules read of each recorded thing that is about the message, besides its number and its times.
_of_consent = attrgetter("own", "by_person", "organisations", "collected_by", "defects")
_of_stop = attrgetter("objection", "organisation", "through")
_of_soft_opt_in = attrgetter("obtained_by", "in_sale", "similar_purposes", "refusal_offered", "refused", "dated")
_of_charity = attrgetter("obtained_by", "engagement", "purpose_held", "refusal_offered", "refused", "dated")


# What is equal for standings that are answered alike; the numbers of the events that the answer may rest on, at the
# same places for all of them; and when the consent at each place ends, if it is one that does.
Alike: TypeAlias = tuple[Hashable, Sequence[int], Sequence["datetime | None"]]

# Takes the number of a line. None if the standing is like no other.
Likeness: TypeAlias = Callable[[Glance, int], "Alike | None"]


def likeness(communication: Communication, *, first_contact_months: int, dormant_months: int | None) -> Likeness | None:
    """
    Return what finds out which standings are alike for a message, whoever it goes to; None if none is.
    """
    if (
        communication.kind is not MessageKind.MARKETING
        or communication.channel in _CALLS
        or communication.solicited is not None
        or communication.asks
        or communication.listings
        or communication.delivered is not None
    ):
        return None
    channel, purpose, at = communication.channel, communication.purpose, communication.at
    parties, responsible = communication.parties, communication.responsible
    soonest = first_contact_months if dormant_months is None else min(first_contact_months, dormant_months)
    aged = at - soonest * _SHORTEST_MONTH

    def is_dormant(standing: Glance, consent: GlancedConsent) -> bool | None:
        """
        Return whether a consent has not been used for too long; None if that takes a calendar.
        """
        if communication.first_contact is False:
            return False
        since = consent.at
        for use in standing.uses:
            if use.channel is channel and use.purpose == purpose and use.line == consent.line:
                since = max(since, use.at)
        if since == consent.at and consent.collected_by not in ("", responsible):
            return None
        if dormant_months is None or at - since < dormant_months * _SHORTEST_MONTH:
            return False
        return True if at - since > dormant_months * _LONGEST_MONTH else None

    def alike(standing: Glance, line: int) -> Alike | None:
        if standing.erased_at is not None or standing.unreadable is not None:
            return None
        if standing.recorded_at is not None and standing.recorded_at > at:
            return None
        marks: list[Hashable] = [standing.subscriber, standing.lines[line - 1].subscriber]
        times: list[datetime] = [at]
        numbers: list[int] = []
        ends: list[datetime | None] = []
        for consents in (standing.consents, standing.unsound):
            for consent in consents:
                given = consent.at
                if consent.line != line or consent.channel is not channel or consent.purpose != purpose:
                    continue
                dormant: bool | None = False
                if (
                    given <= aged
                    and consents is standing.consents
                    and (dormant := is_dormant(standing, consent)) is None
                ):
                    return None
                end = consent.expires_at
                marks.append((_of_consent(consent), dormant, end is None))
                times.append(given)
                if end is not None:
                    times.append(end)
                numbers.append(consent.seq)
                ends.append(end)
            marks.append(None)
        rest: list[tuple[Any, Hashable]] = []
        for stop in standing.stops:
            if (
                stop.channel in (None, channel)
                and stop.purpose in (None, purpose)
                and stop.line in (None, line)
                and (stop.organisation is None or stop.organisation in parties)
            ):
                rest.append((stop, _of_stop(stop)))
        for soft in standing.soft_opt_ins:
            if soft.channel is channel and soft.line == line:
                rest.append((soft, _of_soft_opt_in(soft)))
        for charity in standing.charity_soft_opt_ins:
            if charity.channel is channel and charity.line == line:
                rest.append((charity, (charity.at >= CHARITIES_SINCE, _of_charity(charity))))
        for recorded, mark in rest:
            if recorded.seq is None:
                return None
            marks.append((type(recorded), mark))
            times.append(recorded.at)
            numbers.append(recorded.seq)
            ends.append(None)
        for failure in standing.failures:
            if failure.channel is channel and failure.line == line:
                marks.append("failing")
                numbers.append(failure.seq)
                ends.append(None)
                break
        return (*marks, _order(times), _order(numbers)), numbers, ends

    return alike


def _order(values: Sequence[Any]) -> Hashable:
    """
    Return for each value which of them it is in their order, equal ones the same.
    """
    if len(values) < 2:
        return None
    if len(values) == 2:
        first, second = values
        return first < second, first > second
    return tuple(map(sorted(set(values)).index, values))
