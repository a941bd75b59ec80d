"""
What is sent to the API and what it sends back, as JSON. Pure.

Each is decoded strictly, and its part of the description is made from it. Instants are in UTC, written as in RFC 3339.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Self, TypeAlias

import msgspec
from msgspec import Meta

from optly.contacts import AddressKind, Channel
from optly.record import views
from optly.record.events import LinkKind

Instant: TypeAlias = Annotated[datetime, Meta(tz=True)]

_Purpose: TypeAlias = Annotated[str, Meta(description="The key of a purpose.", max_length=200)]
_Digest: TypeAlias = Annotated[str, Meta(description="SHA-256 of the words, in hexadecimal digits.")]
_Masked: TypeAlias = Annotated[str, Meta(description="An address, masked: enough for its owner to recognise it.")]
# In Python alone, the end of a text is also before a line break at its end.
_Stop: TypeAlias = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,8}(?!\n)$")]
_Text: TypeAlias = Annotated[str, Meta(max_length=20_000)]


class Sent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Anything that is sent.
    """


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """
    Anything that is sent back.
    """

    @classmethod
    def of(cls, source: object, **facts: Any) -> Self:
        """
        Return what *source* says, in every field that *facts* leaves out.
        """
        same = {name: getattr(source, name) for name in cls.__struct_fields__ if name not in facts}
        return cls(**same, **facts)


# ---- sent


class Nothing(Sent, frozen=True):
    """
    Nothing: whatever is sent is not read.
    """


class Answer(Sent, frozen=True):
    """
    A yes or a no to one question. A yes names the words it is said to, and counts for no others; a no needs none.
    """

    channel: Channel
    purpose: _Purpose
    answer: bool
    wording: Annotated[_Digest | None, Meta(description="Digest of the words that were shown.")] = None


class Answers(Sent, frozen=True):
    """
    What is to change. What is left out stays as it is.
    """

    answers: Annotated[list[Answer], Meta(min_length=1, max_length=200)]


class Undoing(Sent, frozen=True):
    """
    What to undo.
    """

    stop: Annotated[
        _Stop | None,
        Meta(description="The name of a stop, as it was given; leave it out for what the link was sent for."),
    ] = None


class Digits(Sent, frozen=True):
    """
    A one-time code. Spaces do not matter.
    """

    digits: Annotated[str, Meta(max_length=40)]


class Complaining(Sent, frozen=True):
    """
    A complaint in the person's own words: up to 5,000 characters.
    """

    text: _Text


class Changes(Sent, frozen=True):
    """
    Details that count at once. What is left out stays as it is.
    """

    name: _Text | None = None
    language: Annotated[str | None, Meta(description="One of the languages that the details list.")] = None
    address: Annotated[_Text | None, Meta(description="A postal address in one line, with commas.")] = None


class Proposal(Sent, frozen=True):
    """
    A new email address or telephone number.
    """

    value: _Text


class Wanted(Sent, frozen=True):
    """
    Where a new link is to go: an email address or a telephone number.
    """

    address: _Text


# ---- sent back


class Empty(Body, frozen=True):
    """
    It was done, and there is nothing more to say.
    """


class Wording(Body, frozen=True):
    """
    The words of a question with its two answers, to be shown as they are.
    """

    digest: _Digest
    text: str
    hint: str
    yes: str
    no: str
    language: str


class Item(Body, frozen=True):
    """
    One thing that can be allowed or refused.
    """

    channel: Channel
    purpose: _Purpose
    title: Annotated[str, Meta(description="The title of the purpose.")]
    wording: Wording
    answer: Annotated[bool | None, Meta(description="What is on record; null for not answered.")]


def items(shown: Iterable[views.Item]) -> list[Item]:
    """
    Return items as they are sent back.
    """
    return [
        Item.of(item, channel=item.choice.channel, purpose=item.choice.purpose, wording=Wording.of(item.wording))
        for item in shown
    ]


class UndoneStop(Body, frozen=True, tag_field="undoes", tag="stop"):
    """
    A stop that can be undone, and what would be allowed again.
    """

    stop: Annotated[_Stop, Meta(description="Its name, by which it is undone.")]
    items: list[Item]
    at: Instant


class UndoneChange(Body, frozen=True, tag_field="undoes", tag="change"):
    """
    A change of address that can be undone. Either may be empty.
    """

    kind: AddressKind
    new: _Masked
    old: _Masked
    at: Instant


class Opened(Body, frozen=True):
    """
    What a link or a session opens.
    """

    kind: LinkKind
    masked: _Masked
    channel: Annotated[Channel, Meta(description="The channel on which the link was sent.")]
    language: str
    items: list[Item]
    held: Annotated[list[Item], Meta(description="What was said so soon that it waits to be confirmed.")]
    undo: UndoneStop | UndoneChange | None
    expires_at: Annotated[Instant | None, Meta(description="The last instant at which the question can be answered.")]
    verifiable: Annotated[bool, Meta(description="Whether a one-time code can be sent.")]
    copyable: Annotated[bool, Meta(description="Whether a copy of the data can be sent.")]
    raised: Annotated[bool, Meta(description="Whether it is a session that a one-time code has raised.")]
    ends_at: Annotated[Instant | None, Meta(description="The last instant of the session.")]


def opened(shown: views.Opened) -> Opened:
    """
    Return what a link or a session opens, as it is sent back.
    """
    return Opened.of(shown, items=items(shown.items), held=items(shown.held), undo=_undo(shown.undo))


def _undo(undo: views.UndoneStop | views.UndoneChange | None) -> UndoneStop | UndoneChange | None:
    return UndoneChange.of(undo) if isinstance(undo, views.UndoneChange) else _undone_stop(undo)


def _undone_stop(stop: views.UndoneStop | None) -> UndoneStop | None:
    return None if stop is None else UndoneStop.of(stop, stop=str(stop.stop), items=items(stop.items))


class Saved(Body, frozen=True):
    """
    What is now recorded, and what waits to be confirmed.
    """

    items: list[Item]
    held: list[Item]


class Stopped(Body, frozen=True):
    """
    It is stopped.
    """

    undo: Annotated[UndoneStop | None, Meta(description="What the very same link can undo.")]
    told: Annotated[bool, Meta(description="Whether the person is sent a link that undoes it.")]


def stopped(after: views.AfterStop) -> Stopped:
    """
    Return what a stop did, as it is sent back.
    """
    return Stopped.of(after, undo=_undone_stop(after.undo))


class Scope(Body, frozen=True):
    """
    What a stop link stops. Null stands for all.
    """

    channel: Channel | None
    purpose: str | None
    title: Annotated[str | None, Meta(description="The title of the purpose, if it is a purpose of today.")]


class Session(Body, frozen=True):
    """
    A session. Its code is a secret for one browser alone, and replaces the one that was sent.
    """

    session: Annotated[str, Meta(description="Its code, to be sent as a bearer token.")]
    masked: _Masked
    raised: Annotated[bool, Meta(description="Whether a one-time code has raised it.")]
    ends_at: Instant | None


class Line(Body, frozen=True):
    """
    An address on record.
    """

    kind: AddressKind
    value: str


class MaskedLine(Body, frozen=True):
    """
    An address on record that the person has not shown to be theirs. A code that is sent there shows it.
    """

    kind: AddressKind
    masked: _Masked


class Details(Body, frozen=True):
    """
    What is held of a person.
    """

    name: str
    language: str
    languages: Annotated[list[str], Meta(description="What the language can be changed to.")]
    lines: Annotated[list[Line], Meta(description="The address they came through, and those they showed to be theirs.")]
    masked: Annotated[list[MaskedLine], Meta(description="The other addresses on record.")]
    provable: Annotated[list[AddressKind], Meta(description="The kinds of address of which a new one can be given.")]
    proposed: Annotated[dict[str, _Masked], Meta(description="New addresses that wait for their code, by kind.")]


class Entry(Body, frozen=True):
    """
    Something that happened: an answer to several questions once for each.
    """

    number: Annotated[int, Meta(description="Of the event, from 1.")]
    event: Annotated[str, Meta(description="The type of the event and its version, as in the record.")]
    at: Instant
    what: Annotated[str, Meta(description="What happened, in words.")]
    details: Annotated[list[str], Meta(description="What else there is to say, a sentence each.")]
    wording: Annotated[Wording | None, Meta(description="The words that were shown, if there were any.")]
    answer: Annotated[bool | None, Meta(description="What was answered to them, if it was.")]


class History(Body, frozen=True):
    """
    Part of what happened, the latest first.
    """

    entries: Sequence[Entry]
    before: Annotated[int | None, Meta(description="What to ask for the part before; null if there is none.")]


class Sending(Body, frozen=True):
    """
    The address something was sent to.
    """

    masked: _Masked


class Complained(Body, frozen=True):
    """
    A complaint that was recorded.
    """

    reference: Annotated[str, Meta(description="What the person can read out about the complaint.")]
    at: Annotated[Instant, Meta(description="When it was received.")]
    acknowledge_by: Annotated[Instant, Meta(description="The last instant at which to say that it came.")]
