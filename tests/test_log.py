"""
The log: its tree in tiles, the proofs from them, and the signed checkpoints, against programs that are not ours.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import sqlite3
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import attrs
import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given, settings
from hypothesis import strategies as st
from thorough import examples
from tlog_scales.reader import TilesReader
from tlog_scales.signing import (
    CheckpointSigner,
    MLDSA44CosignatureSigner,
    MLDSA44CosignatureVerifier,
    PlainEd25519Signer,
    Vkey,
)
from tlog_scales.tiles import tile_path
from tlog_scales.tlog import Checkpoint as OtherCheckpoint
from tlog_scales.tlog import ConsistencyProof, InclusionProof
from tlog_scales.writer import TilesWriter
from world import World, world

from optly._operations import sealing
from optly._operations.running import run_to_completion
from optly.errors import DamagedError
from optly.keys import Keys
from optly.protocols import SealedLeaf
from optly.record.checkpoints import (
    LONGEST_ORIGIN,
    is_origin,
    note_body,
    open_note,
    origin,
    read_proof,
    sign,
    signed_note,
    write_proof,
)
from optly.record.ledger import Finding
from optly.record.merkle import (
    HASH,
    WIDTH,
    Place,
    Tile,
    consistent,
    edge,
    grow,
    growth,
    included,
    leaf_hash,
    needed,
    path,
    root,
)
from optly.storage import MemoryStorage, SQLStorage

# The leaves and roots of the tests of the reference implementation of RFC 6962 (google/certificate-transparency).
RFC6962_LEAVES = [
    bytes.fromhex(leaf)
    for leaf in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
RFC6962_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
KEYS = Keys(current="a key that is only used in tests")
SIZE = WIDTH * WIDTH + WIDTH + 7  # three levels, and the last tile of each is not full


def entry(index: int) -> bytes:
    return b"entry %d" % index


@cache
def tree() -> Mapping[Place, bytes]:
    """
    Return the tiles of a large tree, grown in parts of every kind.
    """
    tiles: dict[Place, bytes] = {}
    size = 0
    for more in (1, WIDTH - 1, 1, WIDTH, 3 * WIDTH + 5, SIZE):
        more = min(more, SIZE - size)
        leaves = [leaf_hash(entry(size + n)) for n in range(more)]
        tiles |= grow(size, {place: tiles[place] for place in edge(size)}, leaves)
        size += more
    assert size == SIZE
    return tiles


class Served:
    """
    Serves the tiles of `tree` by the paths of C2SP tlog-tiles.
    """

    def get(self, *path: str) -> bytes | None:
        _, level, *number = path
        width = int(number.pop()) if number[-2:-1] and number[-2].endswith(".p") else WIDTH
        digits = "".join(part.removeprefix("x").removesuffix(".p") for part in number)
        return tree()[int(level), int(digits)][: width * HASH]


def reader(size: int) -> TilesReader:
    """
    Return a reader that is not ours, of the log when it had *size* leaves.
    """
    found = TilesReader(Served())
    found.set_size(size)
    return found


def roots(spans: list[tuple[int, int]]) -> list[bytes]:
    """
    Return the roots of ranges of `tree`, from the tiles that they need alone.
    """
    tiles = {place: tree()[place] for place in needed(spans)}
    found = [root(tiles, span) for span in spans]
    return [node for node in found if node is not None]


def test_merkle_roots_are_those_of_the_reference_implementation() -> None:
    """
    Against vectors that are not ours, whole and grown leaf by leaf.
    """
    leaves = [leaf_hash(leaf) for leaf in RFC6962_LEAVES]
    assert root({}, (0, 0)) == hashlib.sha256().digest()
    tiles: dict[Place, bytes] = {}
    for size, expected in enumerate(RFC6962_ROOTS, 1):
        whole = root(grow(0, {}, leaves[:size]), (0, size))
        assert whole is not None
        assert expected == whole.hex()
        tiles = grow(size - 1, tiles, leaves[size - 1 : size])
        grown = root(tiles, (0, size))
        assert grown is not None
        assert expected == grown.hex()


@pytest.mark.parametrize("parts", [(1, 254), (255, 1), (256, 1), (300, 212, 1), (511, 3)])
def test_tiles_are_those_that_another_program_writes(tmp_path: Path, parts: tuple[int, ...]) -> None:
    """
    Byte for byte, at the limit of a tile and beyond it.
    """
    writer = TilesWriter.create(tmp_path / "log", "example.com/log")
    tiles: dict[Place, bytes] = {}
    size = 0
    for more in parts:
        entries = [entry(index) for index in range(size, size + more)]
        tiles |= grow(size, {place: tiles[place] for place in edge(size)}, map(leaf_hash, entries))
        for each in entries:
            writer.add_leaf(each)
        writer.commit([])
        size += more
        for (level, number), data in tiles.items():
            width = len(data) // HASH
            written = "/".join(tile_path(level, number, width % WIDTH))
            assert (tmp_path / "log" / written).read_bytes() == data
        assert writer.reader.calculate_root_hash() == root(tiles, (0, size))


@settings(deadline=None)
@given(st.integers(1, SIZE), st.data())
def test_a_leaf_is_proved_to_be_in_the_log(size: int, data: st.DataObject) -> None:
    """
    With the proof that a reader makes that is not ours; it convinces, and one for another leaf, place or root does not.
    """
    index = data.draw(st.integers(0, size - 1))
    (whole,) = roots([(0, size)])
    assert reader(size).calculate_root_hash() == whole
    proof = roots(path(index, size))
    assert reader(size).get_inclusion_proof(index, size).node_hashes == proof
    leaf = leaf_hash(entry(index))
    InclusionProof(index, size, proof).check(leaf, whole)
    assert included(leaf, index, size, proof, whole)
    assert not included(leaf_hash(b"forged"), index, size, proof, whole)
    assert not included(leaf, index, size, [*proof, whole], whole)
    assert not included(leaf, index, size, proof, leaf_hash(b"other root"))
    if index ^ 1 < size:
        assert not included(leaf, index ^ 1, size, proof, whole)


@settings(deadline=None)
@given(st.integers(1, SIZE), st.data())
def test_a_log_is_proved_to_have_only_grown(size: int, data: st.DataObject) -> None:
    """
    With the proof that a reader makes that is not ours; it convinces, and one for another beginning or end does not.
    """
    old = data.draw(st.integers(0, size))
    before, whole = roots([(0, old), (0, size)])
    proof = roots(growth(old, size))
    assert consistent(old, before, size, whole, proof)
    if old:
        assert reader(size).get_consistency_proof(old, size).node_hashes == proof
        ConsistencyProof(old, size, proof).check(before, whole)
        assert not consistent(old, leaf_hash(b"other root"), size, whole, proof)
        assert not consistent(old, before, size, leaf_hash(b"other root"), proof)


@pytest.mark.parametrize("size", [1, 255, 256, 257, 10**6, 256**4 - 1, 10**10])
def test_a_proof_needs_a_few_tiles_however_long_the_log_is(size: int) -> None:
    """
    Of each level, at most the tile on the way to the leaf, the last one, and the one before it.
    """
    levels = 1 + (size.bit_length() - 1) // 8
    for index in {0, size // 3, size // 2, size - 1}:
        assert len(needed(path(index, size))) <= 2 * levels
        assert len(needed(growth(index + 1, size))) <= 3 * levels
    assert len(edge(size)) <= levels


def test_a_tile_that_is_missing_or_cut_gives_no_root() -> None:
    """
    Rather than a wrong one.
    """
    tiles = {place: tree()[place] for place in needed([(0, SIZE)])}
    assert root(tiles, (0, SIZE)) is not None
    for place, data in tiles.items():
        assert root({each: tiles[each] for each in tiles if each != place}, (0, SIZE)) is None
        assert root({**tiles, place: data[:-1]}, (0, SIZE)) is None


# ---- checkpoints


NAME = origin("https://acme.example.com/my", "acme", bytes(range(32)))
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
HEAD = sign(KEYS, NAME, 7, leaf_hash(b"root"), AT)


def test_a_log_has_a_name_of_its_own() -> None:
    """
    Host and path of its pages, the organisation and what is random; a signed note can hold it, however long it is.
    """
    assert NAME == "acme.example.com/my/acme/0001020304050607"
    assert is_origin(NAME, "acme")
    assert not is_origin(NAME, "my")
    assert not is_origin(NAME, "acne")
    assert not is_origin("optly/acme", "acme")
    assert origin("http://127.0.0.1:8000/a+b é", "acme", bytes(8)) == f"127.0.0.1:8000/a%2Bb%20%C3%A9/acme/{'00' * 8}"
    long = origin(f"https://acme.example.com/{'a' * 500}", "acme", bytes(8))
    assert LONGEST_ORIGIN == len(long)
    assert is_origin(long, "acme")


def test_another_program_accepts_a_checkpoint() -> None:
    """
    With both of its signatures, and finds that one was altered.
    """
    ed25519, ml_dsa_44 = Vkey(NAME, None, 1, KEYS.public_keys[0]), Vkey(NAME, None, 6, KEYS.post_quantum_keys[0])
    head = OtherCheckpoint.from_text(HEAD.note)
    assert head.serialize() == HEAD.note
    assert [vkey.key_id for vkey in (ed25519, ml_dsa_44)] == [signature.key_id for signature in head.signatures]
    altered = OtherCheckpoint.from_text(HEAD.note.replace("\n7\n", "\n8\n"))
    for vkey in (ed25519, ml_dsa_44):
        head.verify(vkey)
        with pytest.raises(InvalidSignature):
            altered.verify(vkey)
    assert MLDSA44CosignatureVerifier.get_timestamp(head.signatures[1].payload) == AT.timestamp()


def test_a_checkpoint_that_another_program_signed_opens() -> None:
    """
    With either kind of key, or both.
    """
    seeds = bytes(range(32)), bytes(range(1, 33))
    signers: list[CheckpointSigner] = [PlainEd25519Signer(NAME, seeds[0]), MLDSA44CosignatureSigner(NAME, seeds[1])]
    made = OtherCheckpoint.make_signed(NAME, 7, bytes(32), signers).serialize()
    keys = [signer.vkey.pubkey for signer in signers]
    for some in (keys, keys[:1], keys[1:]):
        assert open_note(made, some, each_kind=True) is not None
    for one in keys:
        assert open_note(made, [one, KEYS.public_keys[0], KEYS.post_quantum_keys[0]]) is not None
        assert open_note(made.replace("\n7\n", "\n8\n"), [one]) is None


def test_each_kind_of_signature_is_asked_for() -> None:
    """
    Without the one that a quantum computer does not forge, a checkpoint counts only for those who do not have its key.
    """
    keys = [KEYS.public_keys[0], KEYS.post_quantum_keys[0]]
    text, ed25519, ml_dsa_44 = *HEAD.note.split("\n— ")[:1], *HEAD.note.split("\n— ")[1:]
    for line in (ed25519, ml_dsa_44):
        cut = f"{text}\n— {line.rstrip()}\n"
        assert open_note(cut, keys) is not None
        assert open_note(cut, keys, each_kind=True) is None
    assert open_note(HEAD.note, keys, each_kind=True) is not None


def test_where_the_library_offers_one_kind_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Checkpoints are signed with Ed25519 alone, and open.
    """
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.asymmetric.mldsa", None)
    keys = Keys(current="a key that is only used in tests")
    assert keys.post_quantum_keys == ()
    head = sign(keys, NAME, 7, bytes(32), AT)
    assert head.note.count("— ") == 1
    assert open_note(head.note, keys.public_keys, each_kind=True) == head
    assert open_note(HEAD.note, KEYS.public_keys) == HEAD
    assert open_note(HEAD.note, [bytes(1312), *KEYS.public_keys]) == HEAD


def test_a_checkpoint_opens_with_its_key_alone() -> None:
    """
    Neither another key nor another size will do.
    """
    others = Keys("o" * 32)
    opened = open_note(HEAD.note, [others.public_keys[0], KEYS.public_keys[0]])
    assert opened == HEAD
    assert open_note(HEAD.note, others.public_keys) is None
    assert open_note(HEAD.note.replace("\n7\n", "\n8\n"), KEYS.public_keys) is None


def test_signatures_of_others_are_passed_over() -> None:
    """
    A witness adds a line of its own, which says nothing about ours.
    """
    line = f"— witness.example {base64.b64encode(bytes(76)).decode()}\n"
    note = HEAD.note + line
    opened = open_note(note, KEYS.public_keys)
    assert opened is not None
    assert (opened.size, opened.note) == (HEAD.size, note)
    assert open_note(HEAD.note.replace(NAME, "other.example", 2) + line, KEYS.public_keys) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n\n",
        "nonsense",
        *(note_body(NAME, 7, size * b"x").decode() + "\n— a bm90IGEga2V5\n" for size in (0, 31, 33)),
        *(
            f"{NAME}\n{size}\n{base64.b64encode(bytes(32)).decode()}\n\n— a bm90IGEga2V5\n"
            for size in ("07", "+7", "7 ", "-1", "٧", "1_0", "9" * 5000)
        ),
    ],
)
def test_what_is_no_checkpoint_is_none(text: str) -> None:
    """
    Also where Python would read a number, or signed as if it were one.
    """
    assert open_note(text, KEYS.public_keys) is None
    body = (text.partition("\n\n")[0] + "\n").encode()
    assert open_note(signed_note(body, NAME, (KEYS.public_keys[0], KEYS.sign(body))), KEYS.public_keys) is None


def spoiled(note: str) -> st.SearchStrategy[str]:
    """
    Return what a note becomes that was damaged or forged.
    """
    places = st.integers(0, len(note) - 1)
    return st.one_of(
        st.text(),
        st.builds(lambda at, text: note[:at] + text + note[at + 1 :], places, st.text(max_size=3)),
        st.builds(lambda at, to: note[:at] + note[to:], places, places),
        st.builds("\n".join, st.permutations(note.split("\n"))),
        st.builds(note.replace, st.sampled_from(note), st.text(max_size=3)),
    )


@settings(max_examples=examples(500))
@given(spoiled(HEAD.note))
def test_whatever_is_done_to_a_checkpoint_it_opens_as_signed_or_not_at_all(text: str) -> None:
    """
    And nothing is raised.
    """
    opened = open_note(text, [*KEYS.public_keys, *KEYS.post_quantum_keys, b"", bytes(31), bytes(1312)])
    if opened is not None:
        assert (opened.origin, opened.size, opened.root) == (HEAD.origin, HEAD.size, HEAD.root)


# ---- proofs as text


@given(st.integers(0, 2**40), st.lists(st.binary(min_size=32, max_size=32)))
def test_a_proof_is_read_as_it_was_written(index: int, proof: list[bytes]) -> None:
    """
    Index, hashes and checkpoint.
    """
    assert read_proof(write_proof(index, proof, HEAD.note)) == (index, tuple(proof), HEAD.note)


PROOF = write_proof(3, [bytes(32)], HEAD.note)


@pytest.mark.parametrize(
    "text",
    [
        "",
        PROOF.replace("@v1", "@v2"),
        PROOF.replace("index 3", "index 03"),
        PROOF.replace("index", "extra eA==\nindex"),
    ],
)
def test_what_is_no_proof_is_refused(text: str) -> None:
    """
    Another version, a number that is written otherwise, and data that nobody signed.
    """
    with pytest.raises(ValueError, match="proof"):
        read_proof(text)


# ---- the log of a record


SQLITE = "sqlite:///{}/optly.db"


def sealed_world(directory: Path, contacts: int) -> World:
    w = world(SQLStorage(SQLITE.format(directory)))
    for number in range(contacts):
        w.manager.add_contact(email=f"p{number}@example.com")
    w.manager.seal()
    return w


@pytest.fixture(scope="module")
def two_levels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    The file of a log of more than one level, in which all is well.
    """
    directory = tmp_path_factory.mktemp("two_levels")
    w = sealed_world(directory, WIDTH + 3)
    assert w.manager.verify()
    w.manager.close()
    return directory / "optly.db"


@pytest.mark.parametrize(
    ("statement", "findings"),
    [
        ("DELETE FROM optly_leaves WHERE place = 1", {Finding.LOG}),
        ("UPDATE optly_leaves SET version = 0 WHERE place = 1", {Finding.LOG, Finding.ALTERED}),
        ("UPDATE optly_leaves SET head = zeroblob(32) WHERE place = 1", {Finding.LOG, Finding.ALTERED}),
        ("UPDATE optly_leaves SET head = 'text' WHERE place = 1", {Finding.LOG, Finding.ALTERED}),
        ("UPDATE optly_leaves SET subject_id = (SELECT subject_id FROM optly_leaves LIMIT 1) WHERE place = 1", None),
        ("UPDATE optly_logs SET secret = zeroblob(32)", {Finding.LOG}),
        ("UPDATE optly_logs SET size = size - 1", {Finding.LOG, Finding.SIGNATURE}),
        ("UPDATE optly_logs SET size = 1000000000000", {Finding.LOG, Finding.SIGNATURE}),
        ("UPDATE optly_tiles SET data = zeroblob(length(data)) WHERE level = 0", {Finding.LOG}),
        ("UPDATE optly_tiles SET data = zeroblob(length(data)) WHERE level = 1", {Finding.LOG}),
        ("DELETE FROM optly_tiles WHERE level = 1", {Finding.LOG}),
        ("DELETE FROM optly_tiles WHERE level = 0 AND number = 0", {Finding.LOG}),
        (
            "DELETE FROM optly_heads WHERE subject_id = (SELECT subject_id FROM optly_leaves LIMIT 1)",
            {Finding.TRUNCATED},
        ),
    ],
)
def test_whatever_is_done_to_the_log_is_found(
    two_levels: Path, tmp_path: Path, statement: str, findings: set[Finding] | None
) -> None:
    """
    A leaf, a tile, the head or its secret that was altered or removed, in a log of more than one level.
    """
    shutil.copy(two_levels, tmp_path)
    w = world(SQLStorage(SQLITE.format(tmp_path)))
    with closing(sqlite3.connect(tmp_path / "optly.db")) as other:
        other.execute(statement)
        other.commit()
    found = {problem.finding for problem in w.manager.verify().problems}
    assert found
    assert findings in (None, found)


@pytest.mark.parametrize("size", [4, 10**12])
def test_a_head_that_counts_leaves_there_are_not_is_found_in_memory(size: int) -> None:
    w = world(storage := MemoryStorage())
    w.manager.add_contact(email="ada@example.com")
    w.manager.seal()
    head = storage.log_head("acme")
    assert head is not None
    altered = attrs.evolve(head, checkpoint=attrs.evolve(head.checkpoint, size=size))
    storage._state.logs["acme"] = altered
    assert {problem.finding for problem in w.manager.verify().problems} == {Finding.LOG, Finding.SIGNATURE}


@pytest.mark.parametrize("statement", ["DELETE FROM optly_logs", "UPDATE optly_logs SET size = size - 1"])
def test_a_leaf_that_the_head_does_not_count_proves_nothing(tmp_path: Path, statement: str) -> None:
    """
    Evidence is refused rather than given without its proof, as if the contact had never been sealed.
    """
    w = world(SQLStorage(SQLITE.format(tmp_path)))
    contact = w.manager.add_contact(email="ada@example.com")
    w.manager.seal()
    assert w.manager.evidence(contact).verify()
    with closing(sqlite3.connect(tmp_path / "optly.db")) as other:
        other.execute(statement)
        other.commit()
    with pytest.raises(DamagedError, match="more leaves than its head says"):
        w.manager.evidence(contact)


def test_a_backlog_of_any_length_is_sealed(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Batch by batch, each contact once; a call that has a limit goes on where the one before it ended.
    """
    monkeypatch.setattr(sealing, "_BATCH", 2)
    w = world()
    for number in range(3 * sealing._ATTEMPTS):
        w.manager.add_contact(email=f"p{number}@example.com")
    first = run_to_completion(sealing.seal(w.manager._app, 5))
    assert first is not None
    assert first.size == 5
    checkpoint = w.manager.seal()
    assert checkpoint is not None
    assert checkpoint.size == 3 * sealing._ATTEMPTS
    assert checkpoint.origin == first.origin
    assert w.manager.verify()


def test_delivering_seals_what_grew_although_nothing_was_sent() -> None:
    """
    Within a minute of the last time.
    """
    w = world()
    w.add()
    w.manager.deliver()
    w.manager.add_contact(email="bob@example.com")
    w.manager.deliver()
    assert len(w.storage.log_leaves("acme", 0, 9)) == 1
    w.later(timedelta(minutes=1))
    w.manager.deliver()
    assert len(w.storage.log_leaves("acme", 0, 9)) == 2


def test_sealing_and_proving_read_a_few_tiles_however_long_the_log_is() -> None:
    """
    And the store is called as often as in a log of one leaf.
    """
    calls: list[tuple[str, int]] = []

    class Counting(MemoryStorage):
        def tiles(self, organisation: str, places: Sequence[Place]) -> Sequence[Tile]:
            calls.append(("tiles", len(places)))
            return super().tiles(organisation, places)

        def log_leaves(self, organisation: str, start: int, limit: int) -> Sequence[SealedLeaf]:
            calls.append(("leaves", limit))
            return super().log_leaves(organisation, start, limit)

    w = world(storage=Counting())
    ada = w.add()
    kept = w.manager.seal()
    assert kept is not None
    for number in range(3 * WIDTH):
        w.manager.add_contact(email=f"p{number}@example.com")
    w.manager.seal()
    calls.clear()
    w.manager.record_objection(ada)
    w.manager.evidence(ada, since=kept.note)
    assert [name for name, _ in calls] == ["tiles", "tiles"]
    assert sum(count for _, count in calls) <= 8


def test_an_entry_of_the_log_names_nobody() -> None:
    """
    Nor can two of the same contact be told apart from those of two: entries are of one length, and all differ.
    """
    w = world()
    ada = w.add()
    w.manager.seal()
    w.manager.withdraw(ada)
    w.manager.seal()
    head = w.storage.log_head("acme")
    assert head is not None
    entries = [row.leaf.entry("acme", row.leaf.blind(head.secret)) for row in w.storage.log_leaves("acme", 0, 9)]
    assert len({*entries}) == 2
    for each in entries:
        assert len(each) == len(b"optly/l2\0") + HASH
        assert ada.subject not in each
        assert ada.id.encode() not in each
