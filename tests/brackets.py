"""
A language in which every sentence is the English one in brackets, read from right to left.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import catalogues
from babel.messages.catalog import Catalog
from babel.messages.pofile import write_po


def write_brackets(directory: Path) -> None:
    """
    Write its catalogue, under the name of Arabic.
    """
    found = Catalog(locale="ar", fuzzy=False)
    for message in catalogues.read(catalogues.HERE / "optly.pot"):
        if message.id:
            one, several = (message.id, "") if isinstance(message.id, str) else message.id
            said = [f"⟦{one}⟧", *[f"⟦{several}⟧"] * (found.num_plurals - 1)]
            found.add(message.id, tuple(said) if several else said[0], context=message.context)
    with (directory / "ar.po").open("wb") as file:
        write_po(file, found)


def unbracketed(text: str, facts: Iterable[str]) -> str:
    """
    Return the English letters of *text* that came from no catalogue and are in no fact.
    """
    for fact in sorted(facts, key=len, reverse=True):
        text = text.replace(fact, "")
    depth, left = 0, []
    for letter in text:
        depth += {"⟦": 1, "⟧": -1}.get(letter, 0)
        if depth == 0 and letter.isascii() and letter.isalpha():
            left.append(letter)
    return "".join(left)
