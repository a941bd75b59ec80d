"""
What a link shows to whoever opens it: the questions, the present choices, and whose they are, masked. Pure.

There are three answers and not two. What was never answered is shown as that, never as a yes and never as a no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from optly.contacts.addresses import Address, AddressKind, Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Purpose, Wording
from optly.locale.i18n import Catalogues
from optly.record.events import Choice, Event, LinkKind
from optly.record.standing import Question, Standing


@attrs.frozen(kw_only=True)
class Item:
    """
    One thing the person can allow or refuse.

    Attributes:
        choice: What exactly, as it goes into the record.
        title: Title of the purpose.
        wording: The question in the words that are shown, and that the record will name.
        answer: What is on record: True, False, or None for not answered.
    """

    choice: Choice
    title: str
    wording: Wording
    answer: bool | None

    @property
    def key(self) -> tuple[Channel, str]:
        """
        What an answer is filed under.
        """
        return self.choice.channel, self.choice.purpose


@attrs.frozen(kw_only=True)
class Opened:
    """
    What is behind a question link or a MyOptly link.

    Attributes:
        masked: The line the link was sent to, masked: enough for its owner to see that the page is theirs.
        language: Of the question, or the one asked for, or else the contact's.
        expires_at: The last instant at which the question can be answered; None for a link of another kind.
        held: What was said too soon to count unconfirmed, and waits to be confirmed through this link.
        undo: What a link that undoes something undoes.
        channel: The channel it was sent on.
        verifiable: Whether a one-time code can be sent to that line.
        copyable: Whether a copy of the data can be sent to an address on record.
        raised: Whether it is a session that such a code has raised.
        ends_at: The last instant of the session; None for a link.
    """

    kind: LinkKind
    masked: str
    language: str
    items: tuple[Item, ...]
    expires_at: datetime | None = None
    held: tuple[Item, ...] = ()
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
        stop: Number of the event that stopped.
        items: What would be allowed again: what the person had agreed to themselves, in the words they agreed to.
        at: When they stopped it.
    """

    stop: int
    items: tuple[Item, ...]
    at: datetime


@attrs.frozen(kw_only=True)
class AfterStop:
    """
    What can be done once something is stopped.

    Attributes:
        undo: What can be undone through the very link that stopped it; None for nothing.
        told: Whether a message goes to the person, with a link that undoes it.
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
    What is held of a contact, unmasked.

    Attributes:
        lines: The addresses on record, in the order in which they came.
        provable: The kinds of address a code can be sent to, which are those a new one can be given of.
    """

    name: str = attrs.field(repr=False)
    language: str
    lines: tuple[Address, ...] = attrs.field(repr=False)
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


def answer(standing: Standing, choice: Choice, at: datetime) -> bool | None:
    """
    Return what the person's answer to *choice* is at an instant, or None if there is none that counts.
    """
    if standing.stop(choice.channel, choice.purpose, choice.line, at) is not None:
        return False
    return True if standing.consent(choice.channel, choice.purpose, choice.line, at) is not None else None


def question_items(
    question: Question, purposes: Mapping[str, Purpose], wordings: Mapping[str, Wording]
) -> tuple[Item, ...]:
    """
    Return what *question* asks, in the pinned words. No answer is filled in, whatever is on record: none is a default.
    """
    return pinned_items(question.choices, purposes, wordings)


def pinned_items(
    choices: Iterable[Choice], purposes: Mapping[str, Purpose], wordings: Mapping[str, Wording]
) -> tuple[Item, ...]:
    """
    Return choices in the words they name, with no answer.
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
    organisation: Organisation,
    purposes: Iterable[Purpose],
    channels: Sequence[Channel],
    *,
    language: str,
    at: datetime,
    more: Catalogues = (),
) -> tuple[Item, ...]:
    """
    Return every choice that can be made at all: each purpose on each channel the contact has a line for.
    """
    items = []
    for purpose in purposes:
        for channel in channels:
            line = standing.line_for(channel)
            if line is None:
                continue
            wording = purpose.wording(organisation, channel, language, more=more)
            choice = Choice(
                channel=channel,
                purpose=purpose.key,
                line=line.number,
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
