"""
A stop is its writer's unless the same words stand in what we sent.
"""

from __future__ import annotations

import random
import textwrap
from html import escape

import programs
from hypothesis import given
from hypothesis import strategies as st
from replies import STOPS

from optly.messages.plain import from_html
from optly.messages.quoting import Ours
from optly.messages.replies import Stops, read_reply, stops_at_all

SENT = (
    f"{programs.CONTENT.text}\n\n--\nYou receive this because you agreed. Stop all marketing by email from Acme Ltd:\n"
)
OURS = Ours.in_pieces(SENT.split("\n\n"))
ANYWHERE = [stop for stop in STOPS if stops_at_all(stop)]


def repeated(data: st.DataObject, text: str) -> str:
    """
    A text as a mail program repeats it: broken anew, marked, in other quotes, with links, as HTML.
    """
    draw = data.draw
    width = draw(st.integers(20, 90))
    lines = [line for part in text.split("\n\n") for line in (*textwrap.wrap(part, width), "")]
    mark = draw(st.sampled_from(["", "  ", "\t"]))
    text = "\n".join(mark + line for line in lines)
    text = text.replace("’", draw(st.sampled_from(["'", "’", "&#39;", "`"])).replace("&#39;", "’"))
    if draw(st.booleans()):
        text = from_html("".join(f"<p>{escape(part)}</p>" for part in text.split("\n\n")))
    if draw(st.booleans()):
        text = text.replace("Ltd:", "Ltd<https://safelinks.example.net/?unsubscribe=stop&u=1>:")
    return draw(st.sampled_from([text, text.upper(), text.lower()]))


@given(st.data())
def test_what_is_repeated_is_ours(data: st.DataObject) -> None:
    """
    However it is broken, marked and written, and whatever stands around it.
    """
    text = repeated(data, SENT)
    above, below = (
        data.draw(st.sampled_from(["", "Lovely, thanks!", "See you on Saturday"])),
        data.draw(st.sampled_from(["", "Ada", "Scanned for viruses"])),
    )
    assert stops_at_all(text)
    assert OURS.taken_from(f"{above}\n\n{text}\n\n{below}") is None


@given(st.data(), st.sampled_from(ANYWHERE))
def test_no_stop_between_our_words_is_lost(data: st.DataObject, stop: str) -> None:
    """
    Wherever it was written, and whatever it is.
    """
    parts = repeated(data, SENT).split("\n")
    place = data.draw(st.integers(0, len(parts)))
    text = "\n".join([*parts[:place], "", stop, "", *parts[place:]])
    assert OURS.taken_from(text) is not None


@given(st.sampled_from(STOPS), st.text(max_size=30))
def test_where_we_know_nothing_everything_is_theirs(stop: str, more: str) -> None:
    """
    Nothing is taken from a text that is none of ours.
    """
    assert Ours().taken_from(f"{stop} {more}") == f"{stop} {more}"
    assert OURS.taken_from(stop) is not None


@given(st.sampled_from(programs.CONTENT.text.splitlines()))
def test_a_line_of_ours_alone_is_theirs(line: str) -> None:
    """
    Who copies it means it.
    """
    if isinstance(read_reply(line), Stops):
        assert OURS.taken_from(line) is not None


@given(st.binary(max_size=300))
def test_what_was_kept_is_read_whatever_it_is(value: bytes) -> None:
    """
    And what is found in a message is kept and read as it is.
    """
    assert Ours.from_bytes(value).taken_from("Hello") == "Hello"
    assert Ours.from_bytes(bytes(OURS)) == OURS


def test_few_bytes_are_kept() -> None:
    """
    None for what does not speak of stopping, and no more than a bound for what does nothing else.
    """
    assert bytes(Ours.in_pieces(["Tea. " * 1000])) == b""
    words = random.Random(1)
    many = [f"stop {words.random()} and {chr(97 + n % 26) * 3} {n} unsubscribe w{n}" for n in range(500)]
    assert len(bytes(Ours.in_pieces(many))) <= 256
