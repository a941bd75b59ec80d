"""
What the templates show, as plain values. Every text is translated already.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs


@attrs.frozen(kw_only=True)
class Link:
    """
    A link with its words.

    Attributes:
        current: Whether it leads to the page it stands on.
    """

    label: str
    href: str = attrs.field(repr=False)
    current: bool = False


@attrs.frozen(kw_only=True)
class SignedIn:
    """
    The person who is signed in, and until what time of day.
    """

    masked: str
    until: str


@attrs.frozen(kw_only=True)
class Row:
    """
    One detail on record.

    Attributes:
        value: None if there is none.
        change: Where it can be changed, or None if it cannot.
    """

    label: str
    value: str | None = attrs.field(repr=False)
    change: str | None = None


@attrs.frozen(kw_only=True)
class Option:
    """
    One of the values that a detail can have.

    Attributes:
        lang: The language the label is in, if it is not that of the page.
    """

    value: str
    label: str
    lang: str = ""


@attrs.frozen(kw_only=True)
class Input:
    """
    The field in which a detail is changed.

    Attributes:
        type: As in HTML. For ``email`` and ``tel`` the page says that a code goes to the new one.
        options: What can be chosen, or None for a field to type into.
    """

    name: str
    label: str
    hint: str = ""
    value: str = attrs.field(default="", repr=False)
    type: str = "text"
    autocomplete: str = ""
    inputmode: str = ""
    options: Sequence[Option] | None = None
