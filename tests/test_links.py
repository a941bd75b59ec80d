"""
The four kinds of link: how codes are written and read, what tokens say, and what step-up codes are bound to.
"""

from __future__ import annotations

import hashlib
import re
import time
from base64 import b32hexencode
from datetime import UTC, datetime

import attrs
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import Signer, URLSafeSerializer
from world import world

from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError, LinkInvalidError
from optly.keys import Keys
from optly.links import (
    Pages,
    SignedLink,
    SignedLinks,
    StopLinks,
    StopScope,
    code_bytes,
    code_key,
    is_session_code,
    is_signed,
    make_code,
    make_step_up,
    read_code,
    step_up_keys,
)

OLD, NEW = Keys(current="the key of last year"), Keys(current="the key of this year", previous=["the key of last year"])
SECRET = bytes(range(32))
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


# What was seen behind links, and beside them, in messages that went through a gateway or a mail program.
@given(st.binary(max_size=100))
def test_a_code_is_written_as_the_library_writes_base_32(random: bytes) -> None:
    """
    In other letters, and without the zeros that make it a multiple of five bytes.
    """
    written = b32hexencode(random.rjust(-(-len(random) // 5) * 5, b"\0")).decode()
    letters = dict(zip("0123456789ABCDEFGHIJKLMNOPQRSTUV", "0123456789abcdefghjkmnpqrstvwxyz", strict=True))
    code = make_code(random)
    assert code == "".join(map(letters.__getitem__, written))[len(written) - len(code) :]
    assert set(written[: len(written) - len(code)]) <= {"0"}


def test_a_long_token_is_refused_in_a_moment() -> None:
    """
    In a time that grows with its length and not faster: anyone may send one.
    """
    links = StopLinks.of(NEW)

    def taken(length: int) -> float:
        start = time.process_time()
        with pytest.raises(LinkInvalidError):
            links.read("a" * length)
        return time.process_time() - start

    assert min(taken(400_000) for _ in range(3)) < 8 * min(taken(100_000) for _ in range(3)) + 0.02


@pytest.mark.parametrize("keys", [OLD, NEW], ids=["old", "new"])
def test_a_stop_token_is_signed_as_the_library_signs(keys: Keys) -> None:
    """
    With a key that it derives from ours for this use, so that tokens outlive this version.
    """
    secrets = [key.derive("stop/2") for key in reversed(keys.all)]
    signer = Signer(secrets, salt="optly.stop.v2", key_derivation="hmac", digest_method=hashlib.sha256)
    token = make_code(signer.sign(bytes.fromhex(SCOPE.contact) + b"1.email.offers."))
    assert token == StopLinks.of(keys).sign(SCOPE)
    assert SCOPE == StopLinks.of(keys).read(token)


AROUND = ["", ".", ")", ">", ";", ",", " ", "&utm_source=x", "&a=B&c", "%3E", "=", "\n", "”", '">', "_", "..."]
SCOPES = st.builds(
    StopScope,
    contact=st.binary(min_size=16, max_size=16).map(bytes.hex),
    line=st.integers(0, 10**6),
    channel=st.none() | st.sampled_from(Channel),
    purpose=st.none() | st.from_regex(r"[a-z][a-z0-9_-]{0,47}", fullmatch=True),
    never=st.booleans(),
)


@given(SCOPES, st.sampled_from(AROUND), st.data())
def test_a_stop_token_survives_what_gateways_do_to_links(scope: StopScope, around: str, data: st.DataObject) -> None:
    """
    They change its case, throughout or in part, and put something behind it.
    """
    token = StopLinks.of(NEW).sign(scope)
    changed = data.draw(st.sampled_from([str.lower, str.upper, str.title, str.swapcase]))(token)
    assert scope == StopLinks.of(NEW).read(changed + around)
    assert scope == StopLinks.of(NEW).read(f"<{changed}>")


@given(st.sampled_from(AROUND), st.binary(min_size=10, max_size=16))
def test_a_code_survives_it_too(around: str, random: bytes) -> None:
    """
    And what is a session's stays one.
    """
    code = make_code(random)
    assert code == read_code(code + around) == read_code(f"({code.upper()})")
    assert is_session_code("0" * 48 + around)
    assert not is_session_code(code + around)


@given(SCOPES, st.integers(min_value=0), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyzu"))
def test_a_stop_token_with_another_letter_is_none(scope: StopScope, place: int, letter: str) -> None:
    """
    Nor is one that is longer or shorter.
    """
    token = StopLinks.of(NEW).sign(scope)
    place %= len(token)
    for altered in {token[:place] + letter + token[place + 1 :], token + letter, token[:place], token[1:]} - {token}:
        with pytest.raises(LinkInvalidError):
            StopLinks.of(NEW).read(altered)


def test_an_exposed_key_is_one_that_is_kept() -> None:
    """
    It still reads what it made, so it is never dropped, and it is not the one that makes new links.
    """
    for exposed in (["the key of this year"], ["the key of somebody else"]):
        with pytest.raises(ConfigurationError, match="previous"):
            attrs.evolve(NEW, exposed=exposed)


SIGNED = st.builds(
    SignedLink,
    contact=st.binary(min_size=16, max_size=16).map(bytes.hex),
    line=st.integers(1, 2**32 - 1),
    version=st.integers(1, 2**32 - 1),
    made_at=st.integers(0, 2**32 - 1).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    handed_over=st.booleans(),
    mark=st.binary(min_size=8, max_size=8).map(bytes.hex),
)


@given(SIGNED, st.sampled_from(AROUND), st.data())
def test_a_signed_link_survives_what_gateways_do_and_a_change_of_keys(
    link: SignedLink, around: str, data: st.DataObject
) -> None:
    """
    It says what it said, is longer than any stored code, and is no session's.
    """
    code = SignedLinks.of(OLD, SECRET).sign(link)
    changed = data.draw(st.sampled_from([str.lower, str.upper, str.title, str.swapcase]))(code)
    assert code == read_code(changed + around) == read_code(f"<{changed}>")
    assert (len(code), is_signed(code), is_session_code(code)) == (85, True, False)
    assert link == SignedLinks.of(NEW, SECRET).read(code)
    exposed = attrs.evolve(NEW, exposed=NEW.previous)
    assert SCOPE == StopLinks.of(exposed).read(StopLinks.of(OLD).sign(SCOPE))
    for others in (
        SignedLinks.of(exposed, SECRET),
        SignedLinks.of(Keys(current="the key of somebody else"), SECRET),
        SignedLinks.of(OLD, bytes(32)),
    ):
        with pytest.raises(LinkInvalidError):
            others.read(code)


@given(SIGNED, st.integers(min_value=0), st.sampled_from("0123456789abcdefghjkmnpqrstvwxyzu"))
def test_a_signed_link_with_another_letter_is_none(link: SignedLink, place: int, letter: str) -> None:
    """
    Nor is one that is longer or shorter, nor a stop token.
    """
    code = SignedLinks.of(NEW, SECRET).sign(link)
    place %= len(code)
    others = {code[:place] + letter + code[place + 1 :], code + letter, code[:place], code[1:]} - {code}
    for altered in {*others, StopLinks.of(NEW).sign(SCOPE)}:
        with pytest.raises(LinkInvalidError):
            SignedLinks.of(NEW, SECRET).read(altered)


@given(st.sampled_from(AROUND[:-2]))
def test_a_stop_token_of_an_earlier_message_stops(around: str) -> None:
    """
    Made with each key there ever was, before tokens were written without case.
    """
    signing = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    for keys in (OLD, NEW):
        made = URLSafeSerializer([keys.all[0].derive("stop/1")], salt=b"optly.stop.v1", signer_kwargs=signing)
        for more, scope in (
            ([], attrs.evolve(SCOPE, purpose=None)),
            (["p"], SCOPE),
            (["n"], attrs.evolve(SCOPE, purpose=None, never=True)),
        ):
            token = made.dumps([SCOPE.contact, SCOPE.line, SCOPE.channel, SCOPE.purpose, *more])
            assert scope == StopLinks.of(NEW).read(token + around)


@given(st.text() | st.from_regex(r"[0-9a-z.]{60,130}", fullmatch=True))
def test_what_was_not_signed_stops_nothing(text: str) -> None:
    """
    Whatever it is.
    """
    with pytest.raises(LinkInvalidError):
        StopLinks.of(NEW).read(text)


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


NO_PLACE = [
    ("begin with https", ["", "/my", "my", "acme.example.com/my", "ftp://acme.example.com", "javascript:alert(1)"]),
    ("begin with https", ["//acme.example.com/my", "https:acme.example.com/my", "https:///my"]),
    ("on this machine", ["http://acme.example.com/my", "http://192.0.2.1", "http://10.0.0.1", "http://localhost.org"]),
    ("a space", ["https://a b", "https://acme.example.com/my ", " https://acme.example.com", "https://a.example/\tmy"]),
    ("a space", ["https://acme.example.com/my\n", "https://acme.example.com/\u200bmy"]),
    ("user name", ["https://u@acme.example.com", "https://u:p@acme.example.com", "https://@acme.example.com"]),
    ("a query", ["https://acme.example.com/my?x=1", "https://acme.example.com/my?", "https://acme.example.com/my#top"]),
    ("a query", ["https://acme.example.com/my#"]),
    ("malformed", ["https://acme.example.com:99999/my", "https://acme.example.com:0", "https://acme.example.com:/my"]),
    ("malformed", ["https://acme.example.com:-1", "https://acme.example.com:x/my", "https://acme.example.com:0443"]),
    ("malformed", ["https://acme..com/my", "https://.acme.com", "https://-.com", "https://a%41.com", "https://a,b"]),
    ("malformed", ["https://[::1/my", "https://::1/my", "https://[fe80::1%eth0]/my", "https://[x]/my"]),
    ("malformed", ["https://acme.example.com\\my", f"https://{'ŵ' * 64}.example.com"]),
    (
        "its path",
        ["https://acme.example.com//my", "https://acme.example.com/a//my", "https://acme.example.com/a/../my"],
    ),
    ("its path", ["https://acme.example.com/./my", "https://acme.example.com/f%C5%B5", "https://acme.example.com/fŵ"]),
    ("its path", ["https://acme.example.com/my\\x", "https://acme.example.com/my;x", 'https://acme.example.com/"my']),
]


@pytest.mark.parametrize(("why", "base_url"), [(why, url) for why, urls in NO_PLACE for url in urls])
def test_a_base_url_that_cannot_work_is_refused(why: str, base_url: str) -> None:
    """
    In words, when the manager is made, and not when someone follows a link.
    """
    with pytest.raises(ConfigurationError, match=why):
        world(base_url=base_url)


PLACES = [
    ("https://acme.example.com/my", "https://acme.example.com/my"),
    ("https://acme.example.com/", "https://acme.example.com"),
    ("https://acme.example.com:8443/a/b-c_d.e~f/", "https://acme.example.com:8443/a/b-c_d.e~f"),
    ("https://192.0.2.1/my", "https://192.0.2.1/my"),
    ("https://[2001:db8::1]:8443/my", "https://[2001:db8::1]:8443/my"),
    ("https://web_1/my", "https://web_1/my"),
    ("https://bücher.example.com:8443/my", "https://xn--bcher-kva.example.com:8443/my"),
    ("http://127.0.0.1:8000/my", "http://127.0.0.1:8000/my"),
    ("http://127.1.2.3", "http://127.1.2.3"),
    ("http://localhost:8000/my", "http://localhost:8000/my"),
    ("http://acme.localhost/my", "http://acme.localhost/my"),
    ("http://[::1]:8000/my", "http://[::1]:8000/my"),
]


@pytest.mark.parametrize(("base_url", "begins"), PLACES)
def test_every_link_begins_with_the_base_url(base_url: str, begins: str) -> None:
    """
    Without a slash at its end and with its host in ASCII, so that it can stand in any header and message.
    """
    made = world(base_url=base_url)
    ada = made.add()
    link, header = made.manager.link(ada), made.manager.unsubscribe_headers(ada)["List-Unsubscribe"]
    assert link.startswith(f"{begins}/l/")
    assert header.startswith(f"<{begins}/u/")
    with httpx.Client(transport=httpx.WSGITransport(app=made.manager.portal().wsgi())) as client:
        page = client.get(link)
        (action,) = re.findall('action="([^"]*/stop)"', page.text)
        assert (200, 200) == (page.status_code, client.post(page.url.join(action)).status_code)
    assert made.manager.standing(ada).stops
