"""
A return path says which message came back, and only if we made it.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optly.backends.verp import ReturnPath
from optly.errors import ConfigurationError, UsageError
from optly.keys import Keys

KEYS = Keys(current="a key of some length", previous=["an older key of some length"])
PATH = ReturnPath("bounces@acme.example.com", KEYS)
DOMAIN = ReturnPath("@bounces.example.com", KEYS)
IDS = st.binary(min_size=16, max_size=16).map(bytes.hex)
CONTACT, MESSAGE = "0123456789abcdef" * 2, "fedcba9876543210" * 2

both = pytest.mark.parametrize("path", [PATH, DOMAIN], ids=["mailbox", "domain"])


@both
@given(contact=IDS, message=IDS)
def test_what_is_written_is_read(path: ReturnPath, contact: str, message: str) -> None:
    """
    All of the contact's id, and half of the message's.
    """
    address = path.address_for(contact, message)
    assert path.read(address) == ("" if contact == "0" * 32 else contact, message[:16])


@both
@given(contact=IDS, message=IDS)
def test_an_address_for_stops_is_no_return_path(path: ReturnPath, contact: str, message: str) -> None:
    """
    A bounce is no stop, nor a stop a bounce.
    """
    stops, bounces = path.stop_address_for(contact, message), path.address_for(contact, message)
    assert path.find_stop(f"<{stops.upper()}>") == path.read(bounces)
    assert (None, None, None) == (path.read(stops), path.find(stops), path.find_stop(bounces))


@both
def test_a_message_to_nobody_in_particular_is_named_as_well(path: ReturnPath) -> None:
    """
    A message need not have a contact.
    """
    assert path.read(path.address_for("", MESSAGE)) == ("", MESSAGE[:16])


@both
@given(data=st.data())
def test_case_and_space_are_lost_on_the_way(path: ReturnPath, data: st.DataObject) -> None:
    """
    However a server on the way writes it, it is read.
    """
    address = path.address_for(CONTACT, MESSAGE)
    upper = data.draw(st.lists(st.booleans(), min_size=len(address), max_size=len(address)))
    written = "".join(sign.upper() if up else sign for sign, up in zip(address, upper, strict=True))
    assert path.read(f" {written}\r\n") == (CONTACT, MESSAGE[:16])


@both
@given(data=st.data())
def test_what_was_altered_is_not_ours(path: ReturnPath, data: st.DataObject) -> None:
    """
    One sign changed, taken out or added, anywhere, makes it nobody's.
    """
    address = path.address_for(CONTACT, MESSAGE)
    place = data.draw(st.integers(0, len(address) - 1))
    sign = data.draw(st.sampled_from("abcdefghijklmnopqrstuvwxyz234567@+."))
    kept = data.draw(st.integers(0, 1))
    altered = address[:place] + sign + address[place + kept :]
    assert path.read(altered) == ((CONTACT, MESSAGE[:16]) if altered == address else None)


@both
@given(text=st.text() | st.from_regex(r"bounces\+[a-z2-7]{52}@acme\.example\.com", fullmatch=True))
def test_anything_may_be_read(path: ReturnPath, text: str) -> None:
    """
    Nothing that was made up is ours, and nothing is an error.
    """
    assert path.read(text) is None


@both
def test_half_of_it_is_nothing(path: ReturnPath) -> None:
    """
    Some servers cut long addresses.
    """
    address = path.address_for(CONTACT, MESSAGE)
    assert {path.read(address[:length]) for length in range(len(address))} == {None}


def test_every_key_verifies_and_the_current_one_signs() -> None:
    """
    Mail comes back long after a key was changed.
    """
    old, new = "an older key of some length", "a newer key of some length"
    before, after = ReturnPath("b@example.com", Keys(current=old)), ReturnPath("b@example.com", Keys(new, [old]))
    assert after.read(before.address_for(CONTACT, MESSAGE)) == (CONTACT, MESSAGE[:16])
    assert before.read(after.address_for(CONTACT, MESSAGE)) is None


@pytest.mark.parametrize("other", ["bounced@acme.example.com", "bounces@acme.example.org", "@acme.example.com"])
def test_it_is_bound_to_its_address(other: str) -> None:
    """
    A token that was made for one address is worth nothing in another.
    """
    token = PATH.address_for(CONTACT, MESSAGE).partition("@")[0].removeprefix("bounces+")
    local, _, domain = other.partition("@")
    assert ReturnPath(other, KEYS).read(f"{local}+{token}@{domain}" if local else f"{token}@{domain}") is None


def test_a_local_part_is_as_long_as_it_may_be() -> None:
    """
    64 octets, RFC 5321 4.5.3.1.1: eleven are left for the mailbox.
    """
    address = ReturnPath("elevenchars@example.com", KEYS).address_for(CONTACT, MESSAGE)
    assert len(address.partition("@")[0]) == 64
    with pytest.raises(ConfigurationError, match="at most 11"):
        ReturnPath("twelve.chars@example.com", KEYS)


@pytest.mark.parametrize(
    "address", ["", "@", "bounces", "a b@example.com", "jürgen@example.com", "a@b\r\n", "a+b@example.com"]
)
def test_what_is_no_mailbox_is_refused_at_once(address: str) -> None:
    """
    When it is made, not when the first message goes out.
    """
    with pytest.raises(ConfigurationError):
        ReturnPath(address, KEYS)


def test_a_domain_outside_ascii_is_written_in_ascii() -> None:
    """
    A return path that needs SMTPUTF8 would be worth little.
    """
    path = ReturnPath("bounces@bücher.example", KEYS)
    address = path.address_for(CONTACT, MESSAGE)
    assert address.endswith("@xn--bcher-kva.example")
    assert path.read(address) == (CONTACT, MESSAGE[:16])


@pytest.mark.parametrize(
    "ids", [("", ""), ("x", MESSAGE), (CONTACT, "x"), (CONTACT.upper(), MESSAGE), (CONTACT, MESSAGE + "\n")]
)
def test_what_is_no_id_is_a_mistake(ids: tuple[str, str]) -> None:
    """
    It is not cut to fit.
    """
    with pytest.raises(UsageError):
        PATH.address_for(*ids)


def test_it_shows_nothing() -> None:
    """
    Neither a key nor an address is in its repr.
    """
    assert repr(PATH) == "ReturnPath()"
