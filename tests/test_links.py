"""
The four kinds of link: how codes are written and read, what tokens say, and what step-up codes are bound to.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError, LinkInvalidError
from optly.keys import Keys
from optly.links import (
    Pages,
    StopLinks,
    StopScope,
    code_bytes,
    code_key,
    make_code,
    make_step_up,
    read_code,
    step_up_keys,
)

OLD, NEW = Keys(current="the key of last year"), Keys(current="the key of this year", previous=["the key of last year"])
SCOPE = StopScope(contact="0" * 32, line=1, channel=Channel.EMAIL, purpose="offers")


@pytest.mark.parametrize(("channel", "length"), [(Channel.EMAIL, 26), (Channel.SMS, 16)])
def test_a_code_is_as_long_as_its_channel_has_room_for(channel: Channel, length: int) -> None:
    """
    128 bits in an email, 80 in a text, five to a character.
    """
    assert length == len(make_code(bytes(code_bytes(channel))))


@given(st.binary(min_size=10, max_size=16), st.binary(min_size=10, max_size=16))
def test_a_code_reads_as_it_was_written_however_it_is_typed(one: bytes, other: bytes) -> None:
    """
    In capitals, with I and L for 1 and O for 0, and between spaces; and no two codes are one.
    """
    code = make_code(one)
    typed = code.upper().replace("1", "I").replace("0", "O")
    assert code == read_code(f" {typed}\n") == read_code(code.replace("1", "l"))
    if len(one) == len(other):
        assert (one == other) is (code_key(code) == code_key(make_code(other)))


def test_a_stop_token_outlives_the_key_that_signed_it() -> None:
    """
    As long as that is among the previous ones; a key that never signed it opens nothing.
    """
    token = StopLinks.of(OLD).sign(SCOPE)
    assert SCOPE == StopLinks.of(NEW).read(token)
    assert token != StopLinks.of(NEW).sign(SCOPE)
    with pytest.raises(LinkInvalidError):
        StopLinks.of(Keys(current="the key of somebody else")).read(token)


@given(st.binary(min_size=8, max_size=8))
def test_a_step_up_code_is_six_digits(random: bytes) -> None:
    """
    Leading zeros included.
    """
    code = make_step_up(random)
    assert len(code) == 6
    assert code.isdecimal()


def test_a_step_up_code_is_bound_to_its_session_and_to_the_key() -> None:
    """
    The same digits are kept under another name in another session, and nobody without the key can try them all.
    """
    kept, earlier = step_up_keys(NEW, "one session", "012345")
    assert (kept, earlier) == step_up_keys(NEW, "one session", " 012345 ")
    assert kept not in step_up_keys(NEW, "another session", "012345")
    assert kept not in step_up_keys(NEW, "one session", "012346")
    assert (earlier,) == step_up_keys(OLD, "one session", "012345")
    assert kept != earlier


@pytest.mark.parametrize(
    ("base_url", "origin"),
    [
        ("https://acme.example.com/my/", "https://acme.example.com"),
        ("https://Acme.Example.com:443/my", "https://acme.example.com"),
        ("http://127.0.0.1:8000/my", "http://127.0.0.1:8000"),
        ("http://[::1]:80", "http://[::1]"),
        ("https://bücher.example.com/my", "https://xn--bcher-kva.example.com"),
    ],
)
def test_the_origin_is_written_as_browsers_write_it(base_url: str, origin: str) -> None:
    """
    The host in lower case and in ASCII, and no port that goes without saying.
    """
    assert origin == Pages(base_url).origin


@pytest.mark.parametrize("base_url", ["", "/my", "ftp://acme.example.com", "https://u@acme.example.com", "https://a b"])
def test_what_is_no_place_for_pages_is_refused(base_url: str) -> None:
    """
    When the manager is made.
    """
    with pytest.raises(ConfigurationError):
        Pages(base_url)
