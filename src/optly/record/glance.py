"""
A glance at a contact: of their read model only what says whether a message may be sent.

Reading all of it takes four times as long, which is most of the time of a screened list. The fields are those of
`optly.record.standing`, as they are there, and those that are missing here say nothing about a message.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

import msgspec

from optly.contacts import Channel, Subscriber
from optly.record.events import Defect, Engagement, Through


class _Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """
    What is read in a glance.
    """


class GlancedLine(_Part, frozen=True):
    removed: bool
    subscriber: Subscriber | None


class GlancedConsent(_Part, frozen=True):
    channel: Channel
    purpose: str
    line: int
    at: datetime
    expires_at: datetime | None
    own: bool
    by_person: bool
    organisations: tuple[str, ...] | None
    collected_by: str
    defects: tuple[Defect, ...]
    seq: int


class GlancedStop(_Part, frozen=True):
    channel: Channel | None
    purpose: str | None
    line: int | None
    organisation: str | None
    objection: bool
    through: Through | None
    at: datetime
    seq: int | None


class GlancedSoftOptIn(_Part, frozen=True):
    channel: Channel
    line: int
    obtained_by: str
    in_sale: bool
    similar_purposes: tuple[str, ...]
    refusal_offered: bool
    refused: bool | None
    dated: bool
    at: datetime
    seq: int


class GlancedCharitySoftOptIn(_Part, frozen=True):
    channel: Channel
    line: int
    obtained_by: str
    engagement: Engagement
    purpose_held: bool | None
    refusal_offered: bool | None
    refused: bool | None
    dated: bool
    at: datetime
    seq: int


class GlancedUse(_Part, frozen=True):
    channel: Channel
    purpose: str
    line: int
    at: datetime


class GlancedFailure(_Part, frozen=True):
    channel: Channel
    line: int
    seq: int


class Glance(_Part, frozen=True):
    subscriber: Subscriber
    lines: tuple[GlancedLine, ...]
    consents: tuple[GlancedConsent, ...]
    stops: tuple[GlancedStop, ...]
    unsound: tuple[GlancedConsent, ...]
    soft_opt_ins: tuple[GlancedSoftOptIn, ...]
    charity_soft_opt_ins: tuple[GlancedCharitySoftOptIn, ...]
    uses: tuple[GlancedUse, ...]
    failures: tuple[GlancedFailure, ...]
    erased_at: datetime | None
    recorded_at: datetime | None
    unreadable: int | None

    def has(self, number: int) -> bool:
        """
        Whether the line with that number is on record now.
        """
        return 0 < number <= len(self.lines) and not self.lines[number - 1].removed


# What is recorded once of an event, and rests on it.
Glanced: TypeAlias = GlancedConsent | GlancedStop | GlancedSoftOptIn | GlancedCharitySoftOptIn
