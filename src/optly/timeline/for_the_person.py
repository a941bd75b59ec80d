"""
A contact's timeline for the person: what they said, what they were asked, and what was sent to them. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

import attrs

from optly import typed
from optly.contacts import Wording
from optly.locale.i18n import N_, Catalogues, catalogue, clock_time, long_date
from optly.record import events
from optly.record.complaint_references import reference_of
from optly.record.events import Actor, Event
from optly.record.views import History
from optly.timeline.phrases import BY, phrase

LONGEST_PAGE: Final = 50  # events

_Translate: TypeAlias = Callable[[str], str]


@attrs.frozen(kw_only=True)
class Happening:
    """
    Something that happened, in words.

    Attributes:
        time: Time of the day.
        detail: Further sentences.
        wording: The question as it was shown, if there was one.
        answer: The answer to it, if there was one.
    """

    time: str
    what: str
    detail: Sequence[str] = attrs.field(default=(), repr=False)
    wording: Wording | None = None
    answer: bool | None = None


@attrs.frozen(kw_only=True)
class Day:
    """
    What happened on one day.
    """

    date: str
    items: Sequence[Happening]


def days(
    history: History, language: str, catalogues: Catalogues, last: int | None
) -> tuple[tuple[Day, ...], int | None]:
    """
    Return one page of the timeline by days. Arguments as for `timeline`.

    Returns:
        The days; and the number of the earliest event on the page, or None if there are no earlier ones.
    """
    happenings, earliest = timeline(history, language, catalogues, last)
    dated = [(long_date(event.occurred_at, language), happening) for _, event, happening in happenings]
    grouped = groupby(dated, key=itemgetter(0))
    return tuple(Day(date=date, items=[happening for _, happening in on_day]) for date, on_day in grouped), earliest


def timeline(
    history: History, language: str, catalogues: Catalogues, last: int | None
) -> tuple[list[tuple[int, Event, Happening]], int | None]:
    """
    Return one page of the timeline, the latest first.

    Args:
        catalogues: Catalogues of the host.
        last: Number of the latest event on the page; None for the latest there is.

    Returns:
        Each event with its number, in words; and the number of the earliest event on the page, or None if there are no
        earlier ones.
    """
    translate = catalogue(language, catalogues).gettext
    numbered = list(enumerate(history.events, 1))[: None if last is None else max(0, last)]
    shown = numbered[-LONGEST_PAGE:]
    happenings = [
        (number, event, happening)
        for number, event in reversed(shown)
        for happening in _describe(event, history, language, translate)
    ]
    return happenings, shown[0][0] if len(numbered) > len(shown) else None


def _describe(event: Event, history: History, language: str, translate: _Translate) -> Iterator[Happening]:
    """
    Describe one event: an answer to several questions once for each.
    """
    happening = Happening(
        time=clock_time(event.occurred_at, language),
        what=translate(phrase(event).person),
        detail=tuple(_detail(event, history, translate)),
    )
    choices = getattr(event, "choices", ())
    if not choices:
        yield happening
    for choice in choices:
        yield typed.evolve(happening, wording=history.wordings.get(choice.wording), answer=_answer(event))


def _answer(event: Event) -> bool | None:
    match event:
        case events.ConsentGiven():
            return None if event.defects else True
        case events.ConsentRefused():
            return False
        case _:
            return None


def _detail(event: Event, history: History, translate: _Translate) -> Iterator[str]:
    line = history.lines.get(getattr(event, "line", None) or 0)
    channel = getattr(event, "channel", None) or getattr(event, "via", None)
    if isinstance(event, events.Stopped) and not event.channels and not event.purposes:
        yield translate(N_("This covers all marketing."))
    if line and channel:
        yield translate(N_("To %(line)s, %(channel)s.")) % {"line": line, "channel": translate(BY[channel])}
    elif line:
        yield line
    if event.actor is Actor.STAFF and not isinstance(event, events.ConsentRequested):
        yield translate(N_("Our staff recorded this."))
    if isinstance(event, events.ComplaintReceived):
        yield reference_of(event.complaint)
        yield from (text for slot, text in event.personal.items() if slot.startswith("text_"))
    if isinstance(event, events.ComplaintDecided | events.ComplaintResolved):
        yield from (text for slot, text in event.personal.items() if slot.startswith("outcome_"))
