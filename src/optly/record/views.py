"""
What a link shows to the person who opens it: the questions, the current choices, and whose they are, masked. Pure.

There are three answers, not two: an unanswered question is shown as such, never as a yes or a no.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import attrs

from optly import typed
from optly.contacts import Address, AddressKind, Channel, Organisation, Purpose, Wording
from optly.locale.i18n import Catalogues
from optly.record.events import Choice, ComplaintReceived, Event, LinkKind, MessageReceived, Stopped
from optly.record.standing import Standing


@attrs.frozen(kw_only=True)
class Item:
    """
    One thing the person can allow or refuse.

    Attributes:
        choice: The choice as it is recorded.
        title: Title of the purpose.
        wording: The question in the words that are shown, which the record will name.
        answer: The answer on record: True, False, or None for not answered.
    """

    choice: Choice
    title: str
    wording: Wording
    answer: bool | None

    @property
    def key(self) -> tuple[Channel, str]:
        """
        The key of an answer.
        """
        return self.choice.channel, self.choice.purpose


@attrs.frozen(kw_only=True)
class Opened:
    """
    What is behind a question link or a MyOptly link.

    Attributes:
        masked: The line the link was sent to, masked: enough for its owner to see that the page is theirs.
        language: The language of the question, or the one requested, or else the contact's.
        expires_at: The last instant at which the question can be answered; None for a link of another kind.
        held: Answers given too soon to count without confirmation, which can be confirmed through this link.
        beside: What the person said no to in the same answer as what is held; it counts at once.
        stopped: That everything is stopped, if it is.
        undo: What an undo link undoes.
        channel: The channel the link was sent on.
        verifiable: Whether a one-time code can be sent to that line.
        copyable: Whether a copy of the data can be sent to an address on record.
        raised: Whether it is a session that a one-time code has raised.
        ends_at: The last instant of the session; None for a link.
    """

    kind: LinkKind
    masked: str
    language: str
    items: tuple[Item, ...]
    expires_at: datetime | None = None
    held: tuple[Item, ...] = ()
    beside: tuple[Item, ...] = ()
    stopped: EverythingStopped | None = None
    undo: UndoneStop | UndoneChange | None = None
    channel: Channel = Channel.EMAIL
    verifiable: bool = False
    copyable: bool = False
    raised: bool = False
    ends_at: datetime | None = None


@attrs.frozen(kw_only=True)
class UndoneStop:
    """
    A stop that can be undone.

    Attributes:
        stop: Number of the event that stopped it.
        items: What would be allowed again: what the person had agreed to themselves, in the words they agreed to.
        at: When they stopped it.
    """

    stop: int
    items: tuple[Item, ...]
    at: datetime


@attrs.frozen(kw_only=True)
class EverythingStopped:
    """
    A stop of everything, after which nothing was agreed to again.

    Attributes:
        at: When the person first pressed.
        undo: What can be undone through the same link that stopped it; None for nothing.
        until: The last instant at which it can be undone.
    """

    at: datetime
    undo: UndoneStop | None
    until: datetime


@attrs.frozen(kw_only=True)
class AfterStop:
    """
    What the person can do after a stop.

    Attributes:
        undo: What can be undone through the same link that stopped it; None for nothing.
        told: Whether a message with an undo link is sent to the person.
    """

    undo: UndoneStop | None = None
    told: bool = False


@attrs.frozen(kw_only=True)
class UndoneChange:
    """
    A change of address that can be undone.

    Attributes:
        new, old: The addresses, masked; empty for none.
        at: When it was changed.
    """

    kind: AddressKind
    new: str
    old: str
    at: datetime


@attrs.frozen(kw_only=True)
class Details:
    """
    The details held about a contact, as far as the person who looks at them may see them.

    Attributes:
        lines: The addresses the person may see: the one they came through, and those they have shown to be theirs.
        masked: The others on record, masked, each with its kind.
        provable: The kinds of address a code can be sent to, and so the kinds a new one can be added of.
    """

    name: str = attrs.field(repr=False)
    language: str
    lines: tuple[Address, ...] = attrs.field(repr=False)
    masked: tuple[tuple[AddressKind, str], ...] = attrs.field(default=(), repr=False)
    provable: frozenset[AddressKind]


@attrs.frozen(kw_only=True)
class History:
    """
    Everything that happened to a contact, in the order in which it was recorded.

    Attributes:
        wordings: The texts the events name, by digest.
        lines: The addresses the events number, masked.
    """

    events: tuple[Event, ...] = attrs.field(repr=False)
    wordings: Mapping[str, Wording]
    lines: Mapping[int, str] = attrs.field(repr=False)


def is_shared(event: Event) -> bool:
    """
    Whether nobody knows which of several holders of a line caused an event.
    """
    return isinstance(event, MessageReceived | Stopped) and event.shared


def without_values(happened: Iterable[Event], hidden: Container[int]) -> tuple[Event, ...]:
    """
    Return events without the personal values of those about a line that is *hidden*, of those that answer a complaint
    made through one, and of those that another holder of a line may have caused.
    """
    shown: list[Event] = []
    private: set[str] = set()
    for event in happened:
        complaint = getattr(event, "complaint", None)
        private_too = is_shared(event) or (complaint is not None and complaint in private)
        if private_too or any(line in hidden for line in _lines(event)):
            event = typed.evolve(event, personal={})
            if isinstance(event, ComplaintReceived):
                private.add(event.complaint)
        shown.append(event)
    return tuple(shown)


def _lines(event: Event) -> Iterator[int]:
    """
    Yield the line that an event came through or went to or, without one, those of its choices.
    """
    line: int | None = getattr(event, "line", None)
    choices: tuple[Choice, ...] = getattr(event, "choices", ())
    if line is not None:
        yield line
    else:
        yield from (choice.line for choice in choices)


def answer(standing: Standing, choice: Choice, at: datetime) -> bool | None:
    """
    Return the person's answer to *choice* at an instant, or None if none counts.
    """
    if standing.stop(choice.channel, choice.purpose, choice.line, at) is not None:
        return False
    return True if standing.consent(choice.channel, choice.purpose, choice.line, at) is not None else None


def pinned_items(
    choices: Iterable[Choice], purposes: Mapping[str, Purpose], wordings: Mapping[str, Wording]
) -> tuple[Item, ...]:
    """
    Return items for *choices* in the words they name. None has an answer, whatever is on record: none is a default.
    """
    return tuple(
        Item(
            choice=choice,
            title=_title(purposes.get(choice.purpose), choice, wordings[choice.wording].language),
            wording=wordings[choice.wording],
            answer=None,
        )
        for choice in choices
    )


def _title(purpose: Purpose | None, choice: Choice, language: str) -> str:
    return choice.purpose if purpose is None else purpose.title_in(language)


def choice_items(
    standing: Standing,
    through: int,
    organisation: Organisation,
    purposes: Iterable[Purpose],
    channels: Sequence[Channel],
    *,
    language: str,
    at: datetime,
    more: Catalogues = (),
) -> tuple[Item, ...]:
    """
    Return an item for each purpose on each channel that reaches a line of the contact: of several of a kind, the one
    that the person who came *through* a line means.
    """
    items = []
    for purpose in purposes:
        for channel in channels:
            line = standing.meant(channel.kind, through)
            if line is None:
                continue
            wording = purpose.wording(organisation, channel, language, more=more)
            choice = Choice(
                channel=channel,
                purpose=purpose.key,
                line=line,
                wording=wording.digest,
                expires_at=None if purpose.validity is None else at + purpose.validity,
            )
            items.append(
                Item(
                    choice=choice,
                    title=purpose.title_in(language),
                    wording=wording,
                    answer=answer(standing, choice, at),
                )
            )
    return tuple(items)
