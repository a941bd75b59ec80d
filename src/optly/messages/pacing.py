"""
How fast messages may go out, when, and how often one person may be asked. Pure: the time is an argument.

All limits include their start and exclude their end, to the microsecond.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import attrs

from optly import typed
from optly.contacts import Channel, EmailAddress
from optly.errors import AddressError, ConfigurationError, NaiveDatetimeError

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST: Final = timedelta(days=366)
_MICROSECOND: Final = timedelta(microseconds=1)
_EVERY_DAY: Final = frozenset(range(7))


def _require_aware(moment: datetime) -> None:
    if moment.utcoffset() is None:
        raise NaiveDatetimeError("a time without a time zone is ambiguous: use datetime.now(timezone.utc) or similar")


def _is_count(instance: object, attribute: attrs.Attribute[int], value: int) -> None:
    if value < 1:
        raise ConfigurationError(f"{type(instance).__name__}.{attribute.name} must be at least 1")


def _is_span(instance: object, attribute: attrs.Attribute[timedelta], value: timedelta) -> None:
    if not timedelta(0) < value <= _LONGEST:
        raise ConfigurationError(
            f"{type(instance).__name__}.{attribute.name} must be longer than zero and at most {_LONGEST.days} days"
        )


def _channel(value: Channel | str | None) -> Channel | None:
    return None if value is None else Channel.of(value)


def _ascii_domain(value: str | None) -> str | None:
    if value is None:
        return None
    try:
        return EmailAddress.parse(f"a@{value}").domain
    except AddressError:
        raise ConfigurationError("Rate.domain must be a domain that can receive email, such as example.com") from None


@attrs.frozen(field_transformer=typed.fields)
class Rate:
    """
    How many messages may be sent in a window of time, on a whole channel or to one domain.

    Windows are fixed and adjacent, so up to twice the limit may go out within a span of that length across two of them.

    Attributes:
        limit: The maximum number of messages in one window.
        per: The length of a window.
        channel: The channel that is counted. `Channel.EMAIL` if `domain` is given.
        domain: The domain of the recipients that are counted, in lower case and in its ASCII form, or None for all.
            Its subdomains are not counted with it.
    """

    limit: int = attrs.field(validator=_is_count)
    per: timedelta = attrs.field(default=timedelta(seconds=1), validator=_is_span)
    channel: Channel | None = attrs.field(default=None, converter=_channel, kw_only=True)
    domain: str | None = attrs.field(default=None, converter=_ascii_domain, kw_only=True)

    def __attrs_post_init__(self) -> None:
        if self.domain is not None and self.channel is None:
            object.__setattr__(self, "channel", Channel.EMAIL)
        if self.channel is None:
            raise ConfigurationError("a rate is for a channel or for a domain: give one of them")
        if self.domain is not None and self.channel is not Channel.EMAIL:
            raise ConfigurationError("only email is sent to a domain: omit the channel or the domain")

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """
        Return the start, inclusive, and the end, exclusive, of the window that contains *now*, in UTC.

        Windows are counted from 1 January 1970, so that they are the same in every process.

        Raises:
            NaiveDatetimeError: *now* has no time zone.
        """
        _require_aware(now)
        start = _EPOCH + (now - _EPOCH) // self.per * self.per
        return start, start + self.per


def _is_time_of_day(_instance: object, attribute: attrs.Attribute[time], value: time) -> None:
    if value.tzinfo is not None:
        raise ConfigurationError(
            f"QuietHours.{attribute.name} has a time zone of its own: give it as QuietHours.zone instead"
        )


def _is_zone(_instance: object, _attribute: attrs.Attribute[str], value: str) -> None:
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(
            "QuietHours.zone must be a name of the tz database, such as Europe/London; "
            "a system that does not come with that database, such as Windows, needs the package tzdata"
        ) from None


def _channels(value: Iterable[Channel | str]) -> tuple[Channel, ...]:
    return tuple(Channel.of(channel) for channel in value)


def _days(value: Iterable[int]) -> frozenset[int]:
    return frozenset(value)


@attrs.frozen(field_transformer=typed.fields)
class QuietHours:
    """
    Hours of the day, in local time, when no marketing is sent.

    When the clocks go back, quiet hours begin when they first show the start, and end when they last show the end.
    When the clocks skip the start or the end, it is the instant at which they go forward. Each period belongs to the
    day on which it begins.

    Attributes:
        start: When quiet hours begin, inclusive.
        end: When they end, exclusive. On the next day if it is not later than `start`; if it equals `start`, they last
            a whole day.
        zone: The name of the time zone in the tz database.
        channels: The channels they apply to.
        days: The days on which they begin. Monday is 0, as in :meth:`datetime.date.weekday`.
    """

    start: time = attrs.field(validator=_is_time_of_day)
    end: time = attrs.field(validator=_is_time_of_day)
    zone: typed.Sent = attrs.field(default="Europe/London", validator=_is_zone)
    channels: tuple[Channel, ...] = attrs.field(default=(Channel.SMS,), converter=_channels)
    days: frozenset[int] = attrs.field(default=_EVERY_DAY, converter=_days)

    def __attrs_post_init__(self) -> None:
        if not self.channels or not self.days:
            raise ConfigurationError("quiet hours need a channel and a day: to have none, omit them altogether")
        if not self.days <= _EVERY_DAY:
            raise ConfigurationError("the days of quiet hours are numbers from 0 (Monday) to 6 (Sunday)")
        if self.start == self.end and self.days == _EVERY_DAY:
            raise ConfigurationError("quiet hours that never end let nothing be sent: set another end, or fewer days")

    def next_allowed(self, at: datetime) -> datetime:
        """
        Return the first instant at or after *at* that is not quiet: *at* itself, or a later one in UTC.

        Raises:
            NaiveDatetimeError: *at* has no time zone.
        """
        _require_aware(at)
        while (end := self._quiet_until(at)) is not None:
            at = end
        return at

    def _quiet_until(self, at: datetime) -> datetime | None:
        today = at.astimezone(ZoneInfo(self.zone)).date()
        for day in (today - timedelta(days=1), today):
            last = day if self.start < self.end else day + timedelta(days=1)
            if day.weekday() in self.days:
                end = self._instant(last, self.end, fold=1)
                if self._instant(day, self.start, fold=0) <= at < end:
                    return end
        return None

    def _instant(self, day: date, clock: time, *, fold: int) -> datetime:
        """
        Return the instant at which the clocks show a time, or skip it.

        Args:
            fold: Which instant to return for a time that occurs twice: 0 for the first, 1 for the second.
        """
        zone = ZoneInfo(self.zone)
        local = datetime.combine(day, clock.replace(fold=fold), zone)
        instant = local.astimezone(UTC)
        if instant.astimezone(zone).time() == clock:
            before = (instant - _MICROSECOND).astimezone(zone).replace(tzinfo=None)
            if fold and before >= datetime.combine(day, clock):
                # The clocks go back to exactly this time: nothing earlier is shown between it and its first showing.
                return self._instant(day, clock, fold=0)
            return instant
        # With the later offset a skipped time falls before the change; with the earlier one, after it.
        before = local.replace(fold=1, microsecond=0).astimezone(UTC)
        offset = before.astimezone(zone).utcoffset()

        def changed(seconds: int) -> bool:
            return (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset() != offset

        return before + timedelta(seconds=bisect_left(range(86_400), True, key=changed))


@attrs.frozen(field_transformer=typed.fields)
class Budget:
    """
    How often one person may be asked for consent, over all campaigns.

    Attributes:
        questions: The maximum number of questions in any span of that length.
        within: How long a question counts. One that was asked exactly this long ago no longer counts.
    """

    questions: int = attrs.field(validator=_is_count)
    within: timedelta = attrs.field(validator=_is_span)

    def spent(self, asked_at: Iterable[datetime], now: datetime) -> bool:
        """
        Return whether another question at *now* would be one too many.

        Args:
            asked_at: When the person has been asked, in any order. Times after *now*, by another clock, count too.

        Raises:
            NaiveDatetimeError: *now* has no time zone.
        """
        return self.again_at(asked_at, now) is not None

    def again_at(self, asked_at: Iterable[datetime], now: datetime) -> datetime | None:
        """
        Return the first instant at which the person may be asked again, or None if they may be asked at *now*.

        Raises:
            NaiveDatetimeError: *now* has no time zone.
        """
        _require_aware(now)
        counted = sorted((at for at in asked_at if at > now - self.within), reverse=True)
        if len(counted) < self.questions:
            return None
        return counted[self.questions - 1] + self.within
