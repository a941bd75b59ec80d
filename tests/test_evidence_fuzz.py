"""
Nothing that nobody signed counts in a pack, and nothing that is put into one makes its verification fail.
"""

from __future__ import annotations

import base64
import copy
import json
from collections.abc import Iterator
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from packs import DATA, PACK
from thorough import examples
from world import KEYS

from optly.cli._commands import optly
from optly.errors import SerializationError
from optly.evidence import read, verify
from optly.record.checkpoints import note_body, signed_note
from optly.record.ledger import Finding

INCLUSION = DATA["log"]["inclusion"]
NOTE = INCLUSION.partition("\n\n")[2]
ORIGIN = NOTE.partition("\n")[0]
DEEP = 20_000

hostile = st.one_of(
    st.sampled_from(
        [
            None,
            True,
            False,
            0,
            1,
            -1,
            2**31,
            2**53,
            2**63,
            10**30,
            1.5,
            1e308,
            "",
            "0",
            "\x00",
            "é",
            "\U0001f600",
            [],
            {},
            [[]],
            [{}],
        ]
    ),
    st.recursive(
        st.none() | st.integers() | st.text(max_size=20),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    ),
)


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """
    Yield the path of every part of a value, and of the value itself.
    """
    yield path
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from places(inner, (*path, key))


def put(value: Any, path: tuple[Any, ...], new: object) -> Any:
    """
    Return a copy of a value with another one at a place.
    """
    if not path:
        return new
    made = copy.deepcopy(value)
    inner = made
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = new
    return made


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def same(one: object, other: object) -> bool:
    """
    Whether two values of JSON are the same, types included: 1 is neither true nor 1.0.
    """
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


PLACES = list(places(DATA))
OBJECTS = [path for path in PLACES if isinstance(at(DATA, path), dict)]
PAYLOADS = [json.loads(row["payload"]) for row in DATA["events"]]


@settings(max_examples=examples(100))
@given(st.sampled_from(PLACES), hostile)
def test_whatever_takes_the_place_of_a_part_is_refused(path: tuple[Any, ...], new: object) -> None:
    """
    Of another type, too large, too deep, or almost the same.
    """
    mutant = put(DATA, path, new)
    assert bool(verify(json.dumps(mutant))) == same(mutant, DATA)


@given(st.sampled_from(PLACES))
def test_whatever_is_left_out_is_refused(path: tuple[Any, ...]) -> None:
    """
    A field, an event, a value, a wording, a part of a proof.
    """
    if path:
        mutant = copy.deepcopy(DATA)
        del at(mutant, path[:-1])[path[-1]]
        assert not verify(json.dumps(mutant))


@given(st.sampled_from(OBJECTS), st.sampled_from(["note", "", "Format", "contact ", "consent"]), hostile)
def test_a_key_that_nobody_signed_is_refused(path: tuple[Any, ...], key: str, value: object) -> None:
    """
    Whoever reads the text may take it for a part of what was signed.
    """
    assert not verify(json.dumps(put(DATA, (*path, key), value)))


@given(st.sampled_from(OBJECTS), st.data())
def test_a_key_that_is_repeated_is_refused(path: tuple[Any, ...], data: st.DataObject) -> None:
    """
    Other readers may take the other value. Nor may the same one stand there twice.
    """
    inner = at(DATA, path)
    key = data.draw(st.sampled_from(sorted(inner)))
    other = json.dumps(data.draw(st.sampled_from([inner[key], "something else", None])))
    marker = "\ue000"
    text = json.dumps(put(DATA, path, {marker: 1, **inner}), ensure_ascii=False)
    for written in (f'"{key}": {other}', f'"\\u{ord(key[0]):04x}{key[1:]}": {other}'):
        repeated = text.replace(f'"{marker}": 1', written)
        assert repeated != text
        assert [Finding.UNREADABLE] == [problem.finding for problem in verify(repeated).problems]


@settings(max_examples=examples(100))
@given(st.data())
def test_no_payload_makes_verification_fail(data: st.DataObject) -> None:
    """
    Neither one that was written by nobody, nor one that somebody signed.
    """
    number = data.draw(st.integers(0, len(PAYLOADS) - 1))
    paths = list(places(PAYLOADS[number]))
    mutant = put(PAYLOADS[number], data.draw(st.sampled_from(paths)), data.draw(hostile))
    text = json.dumps(mutant, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    for payload in (
        text,
        data.draw(st.sampled_from([text[:-1], f"{text} ", "", "[" * DEEP, '{"a":' * DEEP, "\\", "{}", "[]", "0"])),
    ):
        refused = put(DATA, ("events", number, "payload"), payload)
        assert bool(verify(json.dumps(refused))) == same(refused, DATA)
        signed(refused)


def signed(data: dict[str, Any]) -> None:
    """
    Verify what a thief of the key would sign: that must be told, or hold, and not raise.
    """
    try:
        pack = read(json.dumps(data))
        pack = attrs.evolve(pack, signature=KEYS.sign(pack.signed()))
    except SerializationError:
        return
    verify(pack.to_json(), public_keys=KEYS.public_keys, checkpoint=NOTE)


@pytest.mark.parametrize(
    "value", ["[" * DEEP, '{"a":' * DEEP, "[" * DEEP + "]" * DEEP, "9" * 10_000, "1e999", "NaN", "-0"]
)
@pytest.mark.parametrize("path", [(), ("events",), ("format",), ("log", "version"), ("log", "growth"), ("unknown",)])
def test_what_is_deep_or_huge_is_refused(value: str, path: tuple[str, ...]) -> None:
    """
    Wherever it stands.
    """
    text = value if not path else json.dumps(put(DATA, path, "\ue000"), ensure_ascii=False).replace('"\ue000"', value)
    assert not verify(text)
    assert not verify(text.encode())


@settings(max_examples=examples(100))
@given(st.data())
def test_no_bytes_make_verification_fail(data: st.DataObject) -> None:
    """
    Some changed, cut out, repeated or put in, and what is signed is as it was, or the pack is refused.
    """
    text = bytearray(PACK.encode())
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = min(len(text), start + data.draw(st.integers(0, 40)))
        match data.draw(st.sampled_from(["flip", "cut", "repeat", "insert"])):
            case "flip" if start < len(text):
                text[start] ^= data.draw(st.integers(1, 255))
            case "cut":
                del text[start:end]
            case "repeat":
                text[start:start] = text[start:end]
            case _:
                text[start:start] = data.draw(st.binary(max_size=8))
    if verify(bytes(text)):
        assert same(json.loads(bytes(text)), DATA)


checkpoints = st.one_of(
    st.text(max_size=200),
    st.builds(
        lambda name, size, root, more, rest: f"{name}\n{size}\n{root}\n{more}\n— {name} {rest}\n",
        st.sampled_from([ORIGIN, "optly/acme", "", f"{ORIGIN} ", "é", "\ud800"]),
        st.sampled_from(["0", "1", "-1", "+2", " 2", "2_0", "٢", "9" * 5000, "1e3", ""]),
        st.sampled_from(["", "AAAA", base64.b64encode(bytes(32)).decode(), "=", "é"]),
        st.sampled_from(["", "more\n", "\n\n"]),
        st.sampled_from(["", "AAAA", base64.b64encode(bytes(68)).decode(), "é"]),
    ),
    st.builds(lambda at, char: NOTE[:at] + char + NOTE[at + 1 :], st.integers(0, len(NOTE)), st.characters(codec=None)),
    st.builds(lambda at: NOTE[:at], st.integers(0, len(NOTE) - 1)),
)


@settings(max_examples=examples(100))
@given(checkpoints)
def test_no_checkpoint_makes_verification_fail(note: str) -> None:
    """
    Neither one that was kept, nor one in the pack: what is not signed as it stands is a finding.
    """
    kept = verify(PACK, checkpoint=note)
    if note.rpartition("\n\n")[0] != NOTE.rpartition("\n\n")[0]:
        assert {Finding.SIGNATURE} == {problem.finding for problem in kept.problems}
    inclusion = INCLUSION.replace(NOTE, note)
    assert bool(verify(json.dumps(put(DATA, ("log", "inclusion"), inclusion)))) == (inclusion == INCLUSION)


@pytest.mark.parametrize("length", [0, 1, 31, 33, 64])
def test_a_key_of_another_length_is_a_finding(length: int) -> None:
    """
    Also where a checkpoint names it as its signer.
    """
    key = bytes(length)
    body = note_body(ORIGIN, 1, bytes(32))
    mutant = put(DATA, ("public_key",), key.hex())
    mutant["log"]["inclusion"] = INCLUSION.replace(NOTE, signed_note(body, ORIGIN, (key, bytes(64))))
    assert not verify(json.dumps(mutant))


@pytest.mark.parametrize("further", [1, 2, 10**6])
def test_a_head_beyond_the_events_is_damage(further: int) -> None:
    """
    A place in the log that says that there were more events than the pack has.
    """
    mutant = put(DATA, ("log", "version"), len(DATA["events"]) + further)
    assert Finding.TRUNCATED in {problem.finding for problem in verify(json.dumps(mutant)).problems}
    mutant = put(DATA, ("events",), DATA["events"][:-1])
    assert Finding.TRUNCATED in {problem.finding for problem in verify(json.dumps(mutant)).problems}


@settings(max_examples=examples(50))
@given(st.sampled_from(PLACES), hostile, st.booleans())
def test_the_command_says_what_it_found(path: tuple[Any, ...], new: object, as_json: bool) -> None:
    """
    And never prints a traceback, nor a sign that would change the terminal.
    """
    mutant = put(DATA, path, new)
    arguments = ["verify-evidence", "-", *(["--json"] if as_json else [])]
    result = CliRunner().invoke(optly, arguments, input=json.dumps(mutant))
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert (0 if same(mutant, DATA) else 1) == result.exit_code
    assert not {"\x1b", "\x00", "\x07"} & set(result.output)
    assert "Traceback" not in result.output
