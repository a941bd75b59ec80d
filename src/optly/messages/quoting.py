"""
Whose a stop in a reply is: its writer's, or our own message's, which their mail program repeats. Pure.

A message may speak of stopping itself ("reply STOP"), and no mail program marks everything that it repeats. So each
place where a message does is remembered, as a few bytes of a digest of the words there and of those before them. A stop
among the same words is ours. Words, because lines, marks, links, case and characters change on the way; those before
them, because a person may well answer with our own words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import sha256
from itertools import islice
from typing import Final

import attrs

from optly.messages.replies import Spoken, spoken

_BEFORE: Final = 3
_AFTER: Final = 4  # from the first word of the stop on
_AT_THE_BEGINNING: Final = 8  # where nothing stands before it in our message
_AROUND: Final = 12
_SIZE: Final = 4
_MOST: Final = 64


@attrs.frozen
class Ours:
    """
    The places where what we sent speaks of stopping.
    """

    digests: frozenset[bytes] = attrs.field(default=frozenset(), repr=False)

    @classmethod
    def in_pieces(cls, pieces: Iterable[str]) -> Ours:
        """
        Find them in a text.

        Args:
            pieces: Its paragraphs. Each is read once, as most are the same in many messages.
        """
        read = [said for piece in pieces if (said := _read(piece)).words]
        found = (_remembered(read, index, number) for index, said in enumerate(read) for number in said.stops)
        return cls(frozenset(islice(found, _MOST)))

    @classmethod
    def subject(cls, subject: str) -> Ours:
        """
        Remember the subject of a message.
        """
        return cls(frozenset([_digest("subject", _read(subject).words)]))

    @classmethod
    def from_bytes(cls, value: bytes) -> Ours:
        return cls(frozenset(value[start : start + _SIZE] for start in range(0, len(value) - _SIZE + 1, _SIZE)))

    def __bytes__(self) -> bytes:
        return b"".join(sorted(self.digests)[:_MOST])

    def __or__(self, other: Ours) -> Ours:
        return Ours(self.digests | other.digests)

    def __bool__(self) -> bool:
        return bool(self.digests)

    def taken_from(self, text: str) -> str | None:
        """
        Return what is left of a text in which there is a stop: all of it if none there is ours, the words around the
        others if some are, None if all are.
        """
        if not self.digests:
            return text
        said = spoken(text)
        theirs = [number for number in said.stops if not self._has(said.words, number)]
        if len(theirs) == len(said.stops):
            return text
        around = (said.words[max(0, number - _AROUND) : number + _AROUND] for number in theirs)
        return "\n".join(map(" ".join, around)) or None

    def _has(self, words: Sequence[str], number: int) -> bool:
        return not self.digests.isdisjoint((_inside(words, number), _beginning(words, number)))

    def taken_from_subject(self, subject: str) -> str | None:
        """
        Return what is left of the subject of a reply without ours; None if ours is not at its beginning or its end.
        """
        words = spoken(subject).words
        for length in range(len(words), 0, -1):
            if _digest("subject", words[:length]) in self.digests:
                return " ".join(words[length:])
            if _digest("subject", words[-length:]) in self.digests:
                return " ".join(words[:-length])
        return None


@lru_cache(maxsize=1024)
def _read(piece: str) -> Spoken:
    return spoken(piece, heeding=False)


def _remembered(read: Sequence[Spoken], index: int, number: int) -> bytes:
    """
    Return the digest of a stop: of the word with that number in the piece with that index.
    """
    said = read[index].words
    before = _first(_BEFORE, said[:number][::-1], (piece.words[::-1] for piece in reversed(read[:index])))
    after = _first(_AT_THE_BEGINNING, said[number:], (piece.words for piece in read[index + 1 :]))
    words = (*before[::-1], *after)
    return (_beginning if len(before) < _BEFORE else _inside)(words, len(before))


def _first(count: int, words: tuple[str, ...], more: Iterable[tuple[str, ...]]) -> tuple[str, ...]:
    for following in more:
        if len(words) >= count:
            break
        words += following
    return words[:count]


def _inside(words: Sequence[str], number: int) -> bytes:
    return _digest("inside", words[max(0, number - _BEFORE) : number + _AFTER])


def _beginning(words: Sequence[str], number: int) -> bytes:
    return _digest("beginning", words[number : number + _AT_THE_BEGINNING])


def _digest(where: str, words: Sequence[str]) -> bytes:
    return sha256(" ".join((where, *words)).encode()).digest()[:_SIZE]
