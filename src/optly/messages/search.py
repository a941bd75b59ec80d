"""
Searching words for what a large regular expression matches. Pure.

The library tries each of a hundred alternatives at each word, which takes milliseconds for a page. Few words begin like
any of them, and a look at a few letters tells.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

import attrs

# How many letters are looked at. With more of them fewer words are tried, and there are more beginnings.
_LETTERS: Final = 5
# What anything may follow, at the end of a beginning.
_OPEN: Final = "\0"
_ANYTHING: Final = frozenset({_OPEN})
_ASSERTIONS: Final = ("(?=", "(?!", "(?<=", "(?<!")
_TOKEN: Final = re.compile(r"\(\?:|\(\?s:|\(\?<?[=!]|\[\^?\]?[^\]]*\]|\\.|\{\d*,?\d*\}|.", re.DOTALL)
_RANGE: Final = re.compile(r"(.)-(.)")
_BEFORE: Final = ". "  # put before the words, so that the first of them stands after something, too


@attrs.frozen
class Search:
    """
    Finds where an expression matches that begins with a word, as the library does, but tries it only where it may
    begin.

    Attributes:
        whole: The expression.
        places: Matches what it stands after, where it may begin.
    """

    whole: re.Pattern[str]
    places: re.Pattern[str]

    @classmethod
    def of(cls, expression: str, after: str = " ") -> Search:
        """
        Return a search for *expression*.

        Args:
            after: What it has to stand after, if not at the very beginning: a space, or a full stop and a space.
        """
        begins = _tree(beginnings(expression))
        return cls(re.compile(expression), re.compile(f"{re.escape(after)}(?={begins})"))  # places may overlap

    def spans(self, words: str) -> Iterator[tuple[int, int]]:
        """
        Yield where each match begins and ends.

        Args:
            words: With one space between them.
        """
        words, end = _BEFORE + words, 0
        for place in self.places.finditer(words):
            if place.end() >= end and (found := self.whole.match(words, place.end())):
                end = found.end()
                yield found.start() - len(_BEFORE), end - len(_BEFORE)


def beginnings(expression: str) -> frozenset[str]:
    """
    Return the first letters of all texts that an expression matches: five, or fewer where anything may follow.

    Args:
        expression: Of the plain kind that ``replies.txt`` has. What else it may hold is taken for anything.
    """
    return frozenset(text.rstrip(_OPEN) for text in _Reader(_TOKEN.findall(expression)).alternatives())


def _tree(texts: Iterable[str]) -> str:
    """
    Return an expression for one of several texts, in which no letter is looked at twice.
    """
    following: dict[str, list[str]] = {}
    for text in texts:
        if not text:
            return ""
        following.setdefault(text[0], []).append(text[1:])
    branches = [re.escape(letter) + _tree(rest) for letter, rest in sorted(following.items())]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"


def _joined(first: Iterable[str], then: frozenset[str]) -> frozenset[str]:
    """
    Return the beginnings of texts of which each begins in one way and goes on in another.
    """
    return frozenset(_cut(text + more) for text in first for more in (then if text[-1:] != _OPEN else ("",)))


def _cut(text: str) -> str:
    return text if len(text) <= _LETTERS else text[:_LETTERS] + _OPEN


@attrs.define
class _Reader:
    """
    Reads an expression from its first token to its last.
    """

    tokens: list[str]
    at: int = 0

    def _next(self) -> str:
        return self.tokens[self.at] if self.at < len(self.tokens) else ""

    def alternatives(self) -> frozenset[str]:
        found = self._sequence()
        while self._next() == "|":
            self.at += 1
            found |= self._sequence()
        return found

    def _sequence(self) -> frozenset[str]:
        found = frozenset({""})
        while self._next() not in ("", "|", ")"):
            found = _joined(found, self._repeated(self._item()))
        return found

    def _item(self) -> frozenset[str]:
        token = self._next()
        self.at += 1
        if token[0] == "(" and len(token) > 1:
            inside = self.alternatives()
            self.at += 1
            return frozenset({""}) if token in _ASSERTIONS else inside
        if token[0] == "[" and len(token) > 1:
            return frozenset(_letters_of(token))
        if token in (r"\b", "^"):
            return frozenset({""})
        if token[0] == "\\" and not token[1].isalnum():
            return frozenset({token[1]})
        return _ANYTHING if token in (".", "$", "(") or token[0] == "\\" else frozenset({token})

    def _repeated(self, item: frozenset[str]) -> frozenset[str]:
        while (times := self._next()) in ("?", "*", "+") or (times[:1] == "{" and len(times) > 1):
            self.at += 1
            if times != "?":
                item |= _joined(_joined(item, item), _ANYTHING)
            if times != "+" and not times.startswith("{1"):
                item |= {""}
        return item


def _letters_of(token: str) -> Iterator[str]:
    """
    Yield the letters of a class, or what stands for anything.
    """
    inside = token[1:-1]
    if inside.startswith("^") or "\\" in inside:
        yield _OPEN
        return
    for first, last in _RANGE.findall(inside):
        yield from map(chr, range(ord(first), ord(last) + 1))
    yield from _RANGE.sub("", inside)
