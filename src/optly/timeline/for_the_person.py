"""
A contact's own events told to them: what they said, what was asked of them, and what was sent. Pure.

Another telling, to whoever has to judge the evidence, is :mod:`optly.timeline.for_evidence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, TypeAlias, assert_never

import attrs

from optly.contacts.addresses import AddressKind, Channel
from optly.contacts.purposes import Wording
from optly.locale.i18n import N_, Catalogues, catalogue, clock_time, long_date
from optly.record.events import (
    Actor,
    AnswerHeld,
    CharitySoftOptInRecorded,
    CommunicationMade,
    ComplaintAcknowledged,
    ComplaintReceived,
    ComplaintResolved,
    ConsentGiven,
    ConsentRefused,
    ConsentRequested,
    ConsentWithdrawn,
    ContactAdded,
    ContactErased,
    DetailsChanged,
    Event,
    LineAdded,
    LineFailed,
    LineReinstated,
    LineRemoved,
    LineRestored,
    MessageAccepted,
    MessageDelivered,
    MessageDoubted,
    MessageQueued,
    MessageReceived,
    MessageRefused,
    MessageUndelivered,
    MessageWithheld,
    ObjectionRaised,
    Service,
    ServiceRequested,
    SoftOptInRecorded,
    Stopped,
)
from optly.record.views import History


@attrs.frozen(kw_only=True)
class Happening:
    """
    Something that happened.

    Attributes:
        time: Time of the day.
        detail: What else there is to say, a sentence each.
        wording: The words that were shown, if there were any.
        answer: What was answered to them, if it was.
    """

    time: str
    what: str
    detail: Sequence[str] = ()
    wording: Wording | None = None
    answer: bool | None = None


@attrs.frozen(kw_only=True)
class Day:
    """
    What happened on a day.
    """

    date: str
    items: Sequence[Happening]


LONGEST_PAGE: Final = 50  # events

_Say: TypeAlias = Callable[[str], str]

_WRITTEN: Final = {
    Channel.EMAIL: N_("by email"),
    Channel.SMS: N_("by text message"),
    Channel.MMS: N_("by picture message"),
    Channel.VOICEMAIL: N_("by voicemail"),
    Channel.SOCIAL_DM: N_("by direct message"),
    Channel.IN_APP: N_("in the app"),
    Channel.PUSH: N_("by push notification"),
    Channel.LIVE_CALL: N_("by telephone"),
    Channel.AUTOMATED_CALL: N_("by recorded call"),
    Channel.FAX: N_("by fax"),
    Channel.POST: N_("by post"),
}

_ADDED: Final = {
    AddressKind.EMAIL: N_("An email address came onto the record"),
    AddressKind.PHONE: N_("A telephone number came onto the record"),
    AddressKind.POST: N_("A postal address came onto the record"),
    AddressKind.ACCOUNT: N_("An account came onto the record"),
}

_WANTED: Final = {
    Service.CODE: N_("A one-time code was asked for"),
    Service.LINK: N_("A new link was asked for"),
    Service.COPY: N_("You asked for a copy of your data"),
}


def days(history: History, language: str, more: Catalogues, last: int | None) -> tuple[tuple[Day, ...], int | None]:
    """
    Tell a page of what happened, by days. Arguments as for `page`.

    Returns:
        The days; and the number of the earliest event told, if there are earlier ones to tell.
    """
    told, earlier = page(history, language, more, last)
    dated = [(long_date(event.occurred_at, language), entry) for _, event, entry in told]
    return tuple(Day(date=date, items=[entry for _, entry in of]) for date, of in groupby(dated, key=_date)), earlier


def page(
    history: History, language: str, more: Catalogues, last: int | None
) -> tuple[list[tuple[int, Event, Happening]], int | None]:
    """
    Tell a page of what happened, the latest first.

    Args:
        more: Catalogues of the host.
        last: Number of the latest event on the page; None for the latest there is.

    Returns:
        What was told of each event, with its number; and that of the earliest, if there are earlier ones to tell.
    """
    say = catalogue(language, more).gettext
    numbered = list(enumerate(history.events, 1))[: None if last is None else max(0, last)]
    shown = numbered[-LONGEST_PAGE:]
    told = [
        (number, event, entry) for number, event in reversed(shown) for entry in _entries(event, history, language, say)
    ]
    return told, shown[0][0] if len(numbered) > len(shown) else None


def _date(dated: tuple[str, Happening]) -> str:
    return dated[0]


def _entries(event: Event, history: History, language: str, say: _Say) -> Iterator[Happening]:
    """
    Tell one event: an answer to several questions once for each.
    """
    what = say(_headline(event))
    told = Happening(
        time=clock_time(event.occurred_at, language), what=what, detail=tuple(_detail(event, history, say))
    )
    choices = getattr(event, "choices", ())
    if not choices:
        yield told
    for choice in choices:
        yield attrs.evolve(told, wording=history.wordings.get(choice.wording), answer=_answer(event))


def _answer(event: Event) -> bool | None:
    match event:
        case ConsentGiven():
            return None if event.defects else True
        case ConsentRefused():
            return False
        case _:
            return None


def _headline(event: Event) -> str:
    match event:
        case ContactAdded():
            return N_("You came onto the record")
        case DetailsChanged():
            return N_("Your details were changed")
        case LineAdded():
            return _ADDED[event.kind]
        case LineRemoved():
            return N_("An address or number was taken off the record")
        case LineReinstated():
            return N_("A change of address was undone")
        case ServiceRequested():
            return _WANTED[event.service]
        case ComplaintReceived():
            return N_("You complained")
        case ComplaintAcknowledged():
            return N_("We told you that we have your complaint")
        case ComplaintResolved():
            return N_("We told you what came of your complaint")
        case ConsentRequested():
            return N_("You were asked")
        case MessageQueued():
            return N_("A message to you was prepared")
        case CommunicationMade():
            return N_("We called or wrote to you")
        case MessageAccepted():
            return N_("A message went out to you")
        case MessageRefused() | MessageUndelivered():
            return N_("A message could not be delivered")
        case MessageDoubted():
            return N_("A message may have gone out to you")
        case MessageDelivered():
            return N_("A message arrived")
        case MessageWithheld():
            return N_("A message was held back")
        case MessageReceived():
            return N_("You wrote to us")
        case LineFailed():
            return N_("An address or number took no messages")
        case LineRestored():
            return N_("An address or number was found to work")
        case AnswerHeld():
            return N_("A yes was held, to be confirmed")
        case ConsentGiven():
            return N_("A yes was recorded that does not count") if event.defects else _said(event)
        case ConsentRefused():
            return N_("You said no")
        case ConsentWithdrawn():
            return N_("You took a consent back")
        case ObjectionRaised():
            return N_("You objected to marketing")
        case SoftOptInRecorded() | CharitySoftOptInRecorded():
            return N_("Your details were taken down")
        case ContactErased():
            return N_("Your data were erased")
        case _:
            assert_never(event)


def _said(event: ConsentGiven) -> str:
    return N_("You said yes") if event.actor is Actor.PERSON else N_("A yes of yours was recorded")


def _detail(event: Event, history: History, say: _Say) -> Iterator[str]:
    line = history.lines.get(getattr(event, "line", None) or 0)
    channel = getattr(event, "channel", None) or getattr(event, "via", None)
    if isinstance(event, Stopped) and not event.channels and not event.purposes:
        yield say(N_("Everything was stopped."))
    if line and channel:
        yield say(N_("To %(line)s, %(channel)s.")) % {"line": line, "channel": say(_WRITTEN[channel])}
    elif line:
        yield line
    if event.actor is Actor.STAFF and not isinstance(event, ConsentRequested):
        yield say(N_("Recorded by us."))
    if isinstance(event, ComplaintReceived):
        yield from (text for slot, text in event.personal.items() if slot.startswith("text_"))
