"""
What a link shows to whoever opens it: the questions, the present choices, and whose they are, masked. Pure.

There are three answers and not two. What was never answered is shown as that, never as a yes and never as a no.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import attrs

from optly.addresses import Channel
from optly.consent import Question, Standing
from optly.events import Choice, LinkKind
from optly.parties import Organisation
from optly.purposes import Purpose, Wording


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
        expires_at: The last instant at which the question can be answered; None for a MyOptly link.
    """

    kind: LinkKind
    masked: str
    language: str
    items: tuple[Item, ...]
    expires_at: datetime | None = None


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
    return tuple(
        Item(
            choice=choice,
            title=purposes[choice.purpose].title if choice.purpose in purposes else choice.purpose,
            wording=wordings[choice.wording],
            answer=None,
        )
        for choice in question.choices
    )


def choice_items(
    standing: Standing,
    organisation: Organisation,
    purposes: Iterable[Purpose],
    channels: Sequence[Channel],
    *,
    language: str,
    at: datetime,
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
            wording = purpose.wording(organisation, channel, language)
            choice = Choice(
                channel=channel,
                purpose=purpose.key,
                line=line.number,
                wording=wording.digest,
                expires_at=None if purpose.validity is None else at + purpose.validity,
            )
            items.append(Item(choice=choice, title=purpose.title, wording=wording, answer=answer(standing, choice, at)))
    return tuple(items)
