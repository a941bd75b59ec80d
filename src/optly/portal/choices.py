"""
The form on which a person says yes or no: what it shows, and what was chosen on it. Pure.

The page never fills in an answer. Where one is on record already, its button is pressed and says "keep": left alone, it
changes nothing, whatever happened to the record since the page was opened. A yes names the words it is said to, and
counts for no others; a no needs none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import attrs

from optly import typed
from optly.contacts import Channel, Wording
from optly.locale.i18n import N_
from optly.record.views import Item

KEEP: Final = "keep"
NO: Final = "no"

_CHANGED: Final = N_("These words changed after you opened the page. Choose again")
_UNCLEAR: Final = N_("Choose one of the two answers")


def yes_to(wording: Wording) -> str:
    """
    Return what the form sends for a yes to these very words.
    """
    return f"yes-{wording.digest[:16]}"


@attrs.frozen(kw_only=True)
class Field:
    """
    One question with its two buttons.

    Attributes:
        item: What is asked, and what is on record.
        pressed: Which button is pressed: True for yes, False for no, None for neither.
        error: What is wrong with the answer that was sent, in English until it is shown; or empty.
    """

    item: Item
    pressed: bool | None
    error: str = ""

    @property
    def name(self) -> str:
        """
        What the form calls it. No channel has a hyphen in its name, so no two fields share one.
        """
        return f"{self.item.choice.channel}-{self.item.choice.purpose}"

    @property
    def yes(self) -> str:
        """
        What the button for yes sends.
        """
        return KEEP if self.item.answer is True else yes_to(self.item.wording)

    @property
    def no(self) -> str:
        """
        What the button for no sends.
        """
        return KEEP if self.item.answer is False else NO


def fields(items: Iterable[Item]) -> tuple[Field, ...]:
    """
    Return the form as it is first shown.
    """
    return tuple(Field(item=item, pressed=item.answer) for item in items)


def by_title(shown: Iterable[Field]) -> Mapping[str, tuple[Field, ...]]:
    """
    Return the fields under the titles of their purposes, in the order in which each first comes.
    """
    groups: dict[str, tuple[Field, ...]] = {}
    for field in shown:
        groups[field.item.title] = (*groups.get(field.item.title, ()), field)
    return groups


def read(
    items: Iterable[Item], form: Mapping[str, tuple[str, ...]]
) -> tuple[Mapping[tuple[Channel, str], bool], Sequence[Field]]:
    """
    Return what is to change, by channel and purpose, and the form again as it was filled in. A field that is not in
    the form, or keeps what is on record, changes nothing.
    """
    answers: dict[tuple[Channel, str], bool] = {}
    filled: list[Field] = []
    for field in fields(items):
        sent = form.get(field.name, (KEEP,))
        if sent in ((NO,), (yes_to(field.item.wording),)):
            answer = sent != (NO,)
            answers[field.item.key] = answer
            filled.append(typed.evolve(field, pressed=answer))
        elif sent == (KEEP,):
            filled.append(field)
        else:
            stale = len(sent) == 1 and sent[0].startswith("yes-")
            filled.append(typed.evolve(field, error=_CHANGED if stale else _UNCLEAR))
    return answers, filled
