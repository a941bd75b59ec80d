"""
What a person means by a reply to a message: stop, yes, no, a number, start, help, or something else. Pure.

Two of these are read in opposite ways. A **stop** is read widely: wherever there is a clear word or phrase for it, and
whatever is beside it. A **yes** is read narrowly: only when the whole message is one. To miss a stop is a breach of the
law; to see one that is not there costs messages that the person can ask for again. Anything else is `Other`, for a
person to read. English and Welsh are recognised, the plainest words for a stop in the other languages most used in
Britain, and the keywords that providers publish. The words are in ``replies.txt``.

Source: the keywords of Twilio, https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out, and of AWS,
https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html (both read 2026-11-23).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Final, TypeAlias

import attrs

from optly.messages.plain import Table
from optly.messages.search import Search

# What is no word of a text, and differs from one recipient to the next.
LINK: Final = re.compile(r"<?https?://[^\s<>]+>?", re.IGNORECASE)

# How many characters of a message are read. In a longer one only a stop is recognised: the rest might change a yes.
LIMIT: Final = 10_000

# The highest number that is recognised as an option.
MOST_OPTIONS: Final = 20


@attrs.frozen
class Stops:
    """
    The person wants no more messages. Wins over everything else in the same message.
    """


@attrs.frozen
class Says:
    """
    The whole message is a yes or a no. It answers the open question; without one it means nothing.
    """

    yes: bool


@attrs.frozen
class Picks:
    """
    The whole message is one or more numbers of options.

    Attributes:
        numbers: From 1 to `MOST_OPTIONS`, each once, in the order given. The caller checks whether there are such
            options.
    """

    numbers: tuple[int, ...]


@attrs.frozen
class Starts:
    """
    The whole message is a keyword that lifts the provider's block. It grants nothing.
    """


@attrs.frozen
class Asks:
    """
    The whole message asks for help, or asks who sent the message.
    """


@attrs.frozen
class Other:
    """
    Anything else, including an empty message.
    """


Reply: TypeAlias = Stops | Says | Picks | Starts | Asks | Other


def read_reply(text: str) -> Reply:
    """
    Return what a reply means.

    Raises nothing, whatever the text contains. Takes time in proportion to its length, up to `LIMIT`.

    Args:
        text: What the person wrote, without quoted text: our own words would be read as theirs.
    """
    text = text.lstrip()
    read = _plain(text[:LIMIT])
    if _pattern("<reaction>").fullmatch(read.strip()):
        return Other()  # it repeats our message, including "reply STOP"
    if _stops(read) or _is_a_sign(text):
        return Stops()
    if len(text) > LIMIT:
        return Other()
    return _whole(read)


def _is_a_sign(text: str) -> bool:
    """
    Whether a message says to stop in a picture, and nothing in words.
    """
    return not text.isascii() and not _STOP_SIGNS.isdisjoint(text) and not any(map(str.isalnum, text))


def stops_at_all(text: str) -> bool:
    """
    Whether there is a stop anywhere in a text of which nobody knows how much its sender wrote themselves.

    Unlike in a reply, a word that means a stop only at the beginning does not count.
    """
    return _stands(_said(_plain(text[:LIMIT])))


def has_a_phrase_to_stop(text: str) -> bool:
    """
    Whether there is more in a text than a word that may be a stop: a phrase, or a word with no other use.
    """
    said = _words(_plain(text[:LIMIT]))
    return _pattern(_PHRASE).search(said) is not None


def is_nothing_but_a_stop(text: str) -> bool:
    """
    Whether a text is a stop and says nothing else, such as a subject somebody put in the place of ours.
    """
    plain = _plain(text[:LIMIT])
    if not _stops(plain):
        return False
    said = _words(plain)
    left = _pattern(_STOP_ALONE).sub(" ", said)
    return bool(_pattern(_UNSUBSCRIBE).search(said)) or not _pattern(_SAYS_NOTHING).sub(" ", left).strip(" .\n")


_LINK: Final = re.compile(r"https?://|www\.|mailto:", re.IGNORECASE)


def without_linked(text: str, link: str = "") -> str:
    """
    Return *text* without the lines that offer a link, such as "To unsubscribe, click here".

    Those are the lines of a paragraph down to the last one with a link in it.

    Args:
        link: How such a link begins; empty for any link.
    """
    kept: list[str] = []
    start = 0
    for line in text.split("\n"):
        if not line.strip():
            start = len(kept) + 1
        elif link.casefold() in line.casefold() if link else _LINK.search(line):
            del kept[start:]
            continue
        kept.append(line)
    return "\n".join(kept)


_MORE: Final = re.compile(
    r"\b(?:stop ?all|all marketing|any ?more marketing|every ?thing|any ?thing|calls?|calling|cold call\w*|"
    r"ring(?:ing)?|phon(?:e|es|ing)|telephon(?:e|ing)|contact(?:ing)?|"
    r"galwadau|galw|ffonio|ffonia|cysylltu|popeth|pob dim)\b"
)


def names_more(text: str) -> bool:
    """
    Whether a stop names calls as well, or everything, rather than only the messages it answers.
    """
    return bool(_MORE.search(_words(_plain(text[:LIMIT]))))


# ---- words

# accents, the vowel signs of Indian scripts, variation selectors, zero-width characters, controls
_DROPPED: Final = frozenset({"Mn", "Mc", "Me", "Cf", "Cc"})
_STROKES: Final = str.maketrans("łŁøØđĐ", "lLoOdD")  # which do not come apart into a letter and an accent
_UNSEEN: Final = re.compile("['*‘’ʼ`´＇]")  # don't, f***, *stop*
_STOP_SIGNS: Final = frozenset("✋🤚🚫⛔🛑🔕🙅")
_STOP_SIGN: Final = "\N{OCTAGONAL SIGN}"
_SPELT: Final = re.compile(r"(?<![^\W_])[^\W\d_](?:[\s._-]{1,3}[^\W\d_](?![^\W_])){2,}")  # s t o p, s.t.o.p
_MAYBE_SPELT: Final = re.compile(r"[\s._-][^\W\d_][\s._-]{1,3}[^\W\d_](?![^\W_])")  # is found much sooner


def _plain(text: str) -> str:
    """
    Return *text* in lower case, without accents and apostrophes, each letter in its plainest form.
    """
    seen = _UNSEEN.sub("", text).replace(_STOP_SIGN, " stop ").replace("❓", "?")
    return _letters(seen).casefold()


def _letter(character: str) -> str:
    dropped = not character.isspace() and unicodedata.category(character) in _DROPPED
    return "" if dropped else character


def _sign(character: str) -> str:
    """
    Return a letter or a digit as it is, a line break too; a space for what is between words, a full stop for the rest.
    """
    if character.isalnum() or character == "\n":
        return character
    return " " if character.isspace() or character in "_-" else "."


_LETTERS: Final = Table(_letter)
_SIGNS: Final = Table(_sign)


def _letters(text: str) -> str:
    if not text.isascii():
        text = unicodedata.normalize("NFKD", text.translate(_STROKES))
    return _LETTERS.translate(text)


def _words(plain: str) -> str:
    """
    Return the words with one space between them. Line breaks stay, and everything else becomes a full stop.
    """
    apart = _SIGNS.translate(plain).replace(".", " . ").replace("\n", " \n ")
    return " ".join(filter(None, apart.split(" ")))


def _said(plain: str) -> str:
    """
    Return the words, with those joined that are spelt out.
    """
    return _words(_SPELT.sub(_joined, plain) if _MAYBE_SPELT.search(plain) else plain)


# ---- expressions

_HEADING: Final = re.compile(r"\[([a-z]+)\]")
_NAME: Final = re.compile(r"<([a-z]+)>")


@cache
def _sections() -> Mapping[str, str]:
    """
    Return the expressions of each section of ``replies.txt`` as one.
    """
    sections: dict[str, list[str]] = {}
    for line in (files("optly.messages") / "replies.txt").read_text(encoding="utf-8").splitlines():
        if heading := _HEADING.fullmatch(line):
            section = sections.setdefault(heading[1], [])
        elif line and not line.startswith("#"):
            section.append(line if line.isascii() else _letters(line))
    return {name: f"(?:{'|'.join(lines)})" for name, lines in sections.items()}


@cache
def _pattern(expression: str) -> re.Pattern[str]:
    """
    Compile an expression in which ``<name>`` stands for a section. They are large, so this is done for the first reply
    and not while the library is imported.
    """
    return re.compile(_written_out(expression))


def _written_out(expression: str) -> str:
    while _NAME.search(expression):
        expression = _NAME.sub(lambda name: _sections()[name[1]], expression)
    return expression


@cache
def _search(expression: str, after: str = " ") -> Search:
    return Search.of(_written_out(expression), after)


# ---- stop

# How many characters a message that is one word or number may have, with all politeness.
_LONGEST_WHOLE: Final = 500

_COURTESY: Final = r"\b<courtesy>\b"
_FIRST: Final = r"(?:<polite> )*(?:<stop>|<weak>)\b"
_ANYWHERE: Final = r"\b<clear>\b"
_BY_ITSELF: Final = r"(?:<filler> )*<alone>(?: <filler>)*(?= \.|$)"
_HARMLESS: Final = r"\b<harmless>\b"
_STOP_ALONE: Final = r"\b(?:<clear>|<alone>|<slips>)\b"
_PHRASE: Final = r"\b(?:<phrase>|<unsubscribe>)\b"
_UNSUBSCRIBE: Final = r"\b<unsubscribe>\b"
_SAYS_NOTHING: Final = r"\b(?:<filler>|<polite>|<courtesy>|<which>|<messages>|<self>|<list>|still|request)\b"


def _stops(plain: str) -> bool:
    said = _said(plain)
    if _pattern(_FIRST).match(said):
        return True
    if len(said) <= _LONGEST_WHOLE:
        typed = re.sub(r"[\s.]", "", _pattern(_COURTESY).sub("", said))
        if _pattern("<slips>").fullmatch(typed):
            return True
    return _stands(said)


def _stands(said: str) -> bool:
    if not _is_in(said):
        return False  # as nearly always, and what makes a stop harmless makes none
    return _is_in(_pattern(_HARMLESS).sub(".", said))


def _is_in(said: str) -> bool:
    # A phrase may run across lines, but not across paragraphs. Words that make a stop harmless may do neither.
    return any(_find_stops(" ".join(said.replace("\n \n", ".").split())))


def _find_stops(words: str) -> Iterator[tuple[int, int]]:
    yield from _search(_ANYWHERE).spans(words)
    yield from _search(_BY_ITSELF, ". ").spans(words)


def _joined(letters: re.Match[str]) -> str:
    return "".join(filter(str.isalpha, letters[0]))


@attrs.frozen
class Spoken:
    """
    The words of a text, and where a stop begins among them.

    Attributes:
        words: In their plainest form, without numbers, punctuation and links: what no mail program changes.
        stops: Numbers of words, in ascending order.
    """

    words: tuple[str, ...] = attrs.field(repr=False)
    stops: tuple[int, ...]


def spoken(text: str, *, first: bool = True, heeding: bool = True) -> Spoken:
    """
    Return the words of a text and the places where `stops_at_all` finds a stop in it.

    Args:
        first: Whether to add those where `read_reply` finds one at the beginning.
        heeding: Whether to heed the words that make a stop harmless. They may be broken up where the text is repeated.
    """
    said = _said(_plain(LINK.sub(" . ", text[:LIMIT])))
    tokens = said.split(" ")
    if heeding:
        for start, end in _search(_HARMLESS).spans(said):
            begins, ends = said.count(" ", 0, start), said.count(" ", 0, end)
            tokens[begins : ends + 1] = [".", *[""] * (ends - begins)]
    for number in range(len(tokens) - 1):
        if tokens[number] == tokens[number + 1] == "\n":
            tokens[number] = "."
    heard = [(number, token) for number, token in enumerate(tokens) if token not in ("", "\n")]
    left = " ".join(token for _, token in heard)
    found = {0} if first and _pattern(_FIRST).match(said) else set()
    found.update(heard[left.count(" ", 0, start)][0] for start, _ in _find_stops(left))
    words: list[str] = []
    stops = []
    for number, token in enumerate(said.split(" ")):
        if number in found:
            stops.append(len(words))
        if token.isalnum() and not token.isdigit():
            words.append(token)
    return Spoken(tuple(words), tuple(stops))


# ---- whole messages

# With one of these a yes or a number is not accepted.
_DOUBT: Final = re.compile("[?👎🖕❌✖🚫⛔🙅🙄]")

_DIGIT: Final = re.compile("[0-9]")
_ORNAMENT: Final = frozenset({"So", "Sk", "Pi", "Pf", "Ps", "Pe"})  # emoji, quotes and brackets; no £, % or dash


def _whole(plain: str) -> Reply:
    """
    Return what a whole message that is not a stop means.
    """
    plain = " ".join(plain.split())
    if len(plain) > _LONGEST_WHOLE:
        return Other()
    said = " ".join(_pattern(_COURTESY).sub(" ", _words(plain)).replace(".", " ").split())
    asks, doubt = "?" in plain, bool(_DOUBT.search(plain))
    if _pattern("<asks>").fullmatch(said) or (asks and not said):
        return Asks()
    if _pattern("<starts>").fullmatch(said) and not asks:
        return Starts()
    if _pattern("<no>").fullmatch(said) and not asks:
        return Says(yes=False)
    if _pattern("<yes>").fullmatch(said) and not doubt:
        return Says(yes=True)
    if doubt or not _DIGIT.search(plain):
        return Other()
    listed = " ".join(_pattern(_COURTESY).sub(" ", _without_ornament(plain)).split()).strip(" .,")
    if _pattern("<picks>").fullmatch(listed):
        numbers = (int(number) for number in re.findall("[0-9]+", listed))
        return Picks(tuple(dict.fromkeys(numbers)))
    return Other()


def _without_ornament(plain: str) -> str:
    return "".join(" " if c in '!"' or unicodedata.category(c) in _ORNAMENT else c for c in plain)
