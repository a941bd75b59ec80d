"""
A search in words finds what the library finds.
"""

from __future__ import annotations

import re
from importlib.resources import files

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optly.messages.search import Search, beginnings


def _sections() -> dict[str, str]:
    """
    Read the expressions of the replies, by section, each with those above that it names.
    """
    sections: dict[str, list[str]] = {}
    for line in (files("optly.messages") / "replies.txt").read_text(encoding="utf-8").splitlines():
        if heading := re.fullmatch(r"\[([a-z]+)\]", line):
            sections[heading[1]] = []
        elif line and not line.startswith("#"):
            written = re.sub("<([a-z]+)>", lambda name: f"(?:{'|'.join(sections[name[1]])})", line)
            list(sections.values())[-1].append(written)
    return {name: "|".join(lines) for name, lines in sections.items()}


SECTIONS = _sections()
WORDS = sorted({word for text in SECTIONS.values() for word in re.findall(r"\w{2,}", re.sub(r"\\.", " ", text))})
OTHERS = ["i", "u", "a", "we", "teapot", "stopping", "unsure", ".", "\n", "ystop", "un", "be", "20"]
words = st.lists(st.sampled_from(WORDS) | st.sampled_from(OTHERS), max_size=14).map(" ".join)


@pytest.mark.parametrize("section", ["clear", "alone", "harmless", "stop", "phrase"])
@given(data=st.data())
def test_what_an_expression_matches_begins_as_is_said(section: str, data: st.DataObject) -> None:
    """
    Whatever text one of the words for a stop, or for none, matches.
    """
    matched = data.draw(st.from_regex(SECTIONS[section], fullmatch=True))
    assert matched.startswith(tuple(beginnings(SECTIONS[section])))


@pytest.mark.parametrize(
    ("section", "after"), [("clear", " "), ("harmless", " "), ("alone", ". "), ("phrase", ". "), ("stop", " ")]
)
@given(said=words, data=st.data())
def test_a_search_finds_what_the_library_finds(section: str, after: str, said: str, data: st.DataObject) -> None:
    """
    In words of which many stand in the expressions, with something that matches among them, or by itself.
    """
    expression = rf"\b(?:{SECTIONS[section]})\b"
    if data.draw(st.booleans()):
        said = f"{said}{after}{data.draw(st.from_regex(SECTIONS[section], fullmatch=True))} {data.draw(words)}"
    plain = re.finditer(rf"(?:^|(?<={re.escape(after)})){expression}", said)
    assert [match.span() for match in plain] == list(Search.of(expression, after).spans(said))


# Letters and what may be written with them, of the kind that stands in the list of words and beyond it.
letters = st.sampled_from(
    ["a", "b", "ab", "ba", r"\w", "[ab]", "[^a]", "[a-c]", ".", " ", r"\.", r"\d", r"\bb", "aab ab"]
)
expressions = st.recursive(
    letters,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map("".join),
        st.lists(inner, min_size=1, max_size=3).map(lambda several: f"(?:{'|'.join(several)})"),
        st.tuples(inner, st.sampled_from(["?", "*", "+", "{0,2}", "{2}", "{1,3}", "{,2}", "*?", "+?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.tuples(st.sampled_from(["(?=", "(?!", "(?<!a)(?:", "("]), inner, inner).map(
            lambda three: f"{three[0]}{three[1]}){three[2]}"
        ),
    ),
    max_leaves=6,
)


@given(expressions, st.text("abc .1", max_size=12))
@example("(?:a)+?b", "aab")
@example("(?:a|)b", "b")
@example("(a)b", "ab")
def test_no_beginning_is_missing(expression: str, text: str) -> None:
    """
    Of any expression, also of a kind that the list of words does not have: what it matches begins as is said.
    """
    if re.compile(expression).match(text):
        assert text.startswith(tuple(beginnings(expression)))


def test_a_letter_is_searched_in_a_moment() -> None:
    """
    Few of its words are tried: an expression has few beginnings, and no word has to be looked at whole.
    """
    known = beginnings(SECTIONS["clear"])
    assert len(known) < 1000
    assert all(known)
    letter = (
        "The teapot that we bought from you in May is in use every day and my aunt would like one of the same kind."
    )
    tried = [word for word in letter.lower().split() if f"{word} ".startswith(tuple(known))]
    assert ["like"] == tried
