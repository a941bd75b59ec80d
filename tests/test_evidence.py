"""
The evidence pack: what it tells, and that whatever is done to it is found and named.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from contextlib import nullcontext
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packs import DATA, PACK, packed
from tlog_scales.signing import Vkey
from tlog_scales.tlog import Checkpoint as OtherCheckpoint
from tlog_scales.tlog import InclusionProof
from world import EMAIL, KEYS, world

from optly import Keys
from optly._operations import sealing
from optly.errors import ConflictError, UsageError
from optly.evidence import read, verify
from optly.protocols import Storage
from optly.record.checkpoints import read_proof
from optly.record.ledger import Finding, Leaf, link, start
from optly.record.merkle import leaf_hash
from optly.storage import MemoryStorage


class Overtaken(MemoryStorage):
    """
    A store whose log was sealed by another process first, so many times.
    """

    def __init__(self, lost: int) -> None:
        super().__init__()
        self.lost = lost

    def seal(self, *args: Any) -> None:
        self.lost -= 1
        if self.lost >= 0:
            raise ConflictError("another process sealed first")
        super().seal(*args)


def findings(data: dict[str, Any], **options: Any) -> set[Finding]:
    return {problem.finding for problem in verify(json.dumps(data), **options).problems}


def changed(change: Callable[[dict[str, Any]], object]) -> dict[str, Any]:
    data = copy.deepcopy(DATA)
    change(data)
    assert data != DATA
    return data


def test_a_pack_verifies_without_the_database() -> None:
    """
    With the key it carries, with the key that was published, and after being read and written again.
    """
    assert verify(PACK)
    assert verify(PACK.encode(), public_keys=KEYS.public_keys)
    assert read(PACK).to_json() == PACK


def test_a_pack_tells_the_whole_story() -> None:
    """
    What was asked in which words, where it went, what the provider said, what was answered, and the change after it.
    """
    pack = read(PACK)
    names = [type(event).__name__ for event in pack.events]
    for name in ("ConsentRequested", "MessageAccepted", "ConsentGiven", "ConsentRefused", "ConsentWithdrawn"):
        assert name in names
    values = [value for event in pack.events for value in event.personal.values()]
    for value in (EMAIL, "250 queued as 77", "203.0.113.9", "newsletter form"):
        assert value in values
    assert any("by text message?" in wording.text for wording in pack.wordings.values())


def test_a_pack_is_a_page_too() -> None:
    """
    Which stands alone, tells the same, and takes what a browser said of itself for text.
    """
    html = read(PACK).to_html()
    for text in ("Asked for consent by email", "Said yes", "Said no", "Withdrew consent", EMAIL, "203.0.113.9"):
        assert text in html
    assert "<b>Lynx</b>" not in html
    assert "&lt;b&gt;Lynx" in html

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
            assert tag not in {"script", "link", "img", "iframe"}
            assert not {"src", "href"} & {name for name, _ in attributes}

    Links().feed(html)


@given(st.data())
def test_any_changed_byte_is_found(data: st.DataObject) -> None:
    """
    Wherever it is in the text, either nothing that is said has changed or the change is found.
    """
    text = bytearray(PACK.encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    verification = verify(bytes(text), public_keys=KEYS.public_keys)
    if verification:
        assert json.loads(bytes(text)) == DATA


@pytest.mark.parametrize("index", range(len(DATA["events"])))
def test_a_changed_event_is_named(index: int) -> None:
    """
    By its place, whatever it is.
    """

    def change(data: dict[str, Any]) -> None:
        row = data["events"][index]
        row["payload"] = row["payload"].replace('"occurred_at":"2026', '"occurred_at":"2025')

    problems = verify(json.dumps(changed(change))).problems
    assert (Finding.ALTERED, index + 1) in {(problem.finding, problem.seq) for problem in problems}


def test_removed_reordered_and_cut_off_events_are_named() -> None:
    """
    Each by its name.
    """
    assert Finding.REMOVED in findings(changed(lambda data: data["events"].pop(3)))
    assert Finding.TRUNCATED in findings(changed(lambda data: data["events"].pop()))
    assert Finding.REORDERED in findings(changed(lambda data: data["events"].insert(2, data["events"].pop(4))))


def test_a_chain_made_again_is_found_by_the_log() -> None:
    """
    Whoever rewrites every hash after the change still cannot make the signed log fit.
    """

    def forge(data: dict[str, Any]) -> None:
        previous = start(data["organisation"], data["contact"])
        for row in data["events"]:
            row["payload"] = row["payload"].replace('"act":"chose_yes"', '"act":"said_yes"')
            previous = link(previous, row["payload"].encode())
            row["hash"] = previous.hex()

    assert Finding.ALTERED in findings(changed(forge))

    def forge_the_seal_too(data: dict[str, Any]) -> None:
        forge(data)
        data["log"]["head"] = data["events"][-1]["hash"]

    assert Finding.LOG in findings(changed(forge_the_seal_too))


def test_a_cut_chain_with_an_older_seal_is_found_by_the_signature() -> None:
    """
    The older leaf really is in the log, so only the signature over the whole tells.
    """
    w = world()
    ada = w.add()
    early = json.loads(w.manager.evidence(ada).to_json())
    w.agreed(ada)
    late = json.loads(w.manager.evidence(ada).to_json())
    late["events"] = early["events"]
    late["values"] = early["values"]
    late["wordings"] = []
    late["log"] = early["log"]
    assert findings(late) == {Finding.SIGNATURE}


def test_altered_values_and_wordings_are_named() -> None:
    """
    Neither the address nor the words can be exchanged.
    """

    def address(data: dict[str, Any]) -> None:
        next(row for row in data["values"] if row["slot"] == "line_1")["value"] = "eve@example.com"

    def words(data: dict[str, Any]) -> None:
        data["wordings"][0]["text"] = "May we sell your data?"

    assert Finding.VALUE_ALTERED in findings(changed(address))
    assert Finding.WORDING_ALTERED in findings(changed(words))
    assert Finding.WORDING_ALTERED in findings(changed(lambda data: data["wordings"].pop()))


def test_a_pack_signed_with_another_key_is_not_trusted() -> None:
    """
    Nor one whose key was exchanged for that of whoever forged it.
    """
    stranger = Keys(current="somebody else altogether")
    assert findings(DATA, public_keys=stranger.public_keys) == {Finding.SIGNATURE}
    assert Finding.SIGNATURE in findings(changed(lambda data: data.update(public_key=stranger.public_keys[0].hex())))


def test_a_kept_checkpoint_finds_a_log_that_was_cut() -> None:
    """
    A pack that rests on a shorter log than the one known, or on another one, is told.
    """
    w = world()
    ada = w.add()
    early = w.manager.evidence(ada)
    w.agreed(ada)
    kept = w.manager.seal()
    assert kept is not None
    assert {Finding.TRUNCATED} == {problem.finding for problem in early.verify(checkpoint=kept.note).problems}
    assert w.manager.evidence(ada, since=kept.note).verify(checkpoint=kept.note)
    w.manager.add_contact(email="bob@example.com")
    w.manager.seal()
    assert {Finding.LOG} == {
        problem.finding for problem in w.manager.evidence(ada).verify(checkpoint=kept.note).problems
    }
    assert w.manager.evidence(ada, since=kept.note).verify(checkpoint=kept.note)


def test_evidence_seals_its_own_chain_alone() -> None:
    """
    However many others wait, and once for each change.
    """
    w = world()
    ada = w.add()
    for number in range(30):
        w.manager.add_contact(email=f"p{number}@example.com")
    assert w.manager.evidence(ada).verify()
    assert w.manager.evidence(ada).verify()
    assert [sealed.leaf.subject for sealed in w.storage.log_leaves("acme", 0, 99)] == [ada.subject]
    w.manager.record_objection(ada)
    pack = w.manager.evidence(ada)
    assert pack.verify()
    assert pack.seal is not None
    assert pack.seal.version == len(pack.events)
    assert [sealed.leaf.subject for sealed in w.storage.log_leaves("acme", 0, 99)] == [ada.subject] * 2


@pytest.mark.parametrize("lost", [sealing._ATTEMPTS - 1, sealing._ATTEMPTS])
def test_another_process_may_seal_first(lost: int) -> None:
    """
    It is tried again, but not for ever.
    """
    storage = Overtaken(lost)
    w = world(storage=storage)
    ada = w.add()
    with pytest.raises(ConflictError) if lost == sealing._ATTEMPTS else nullcontext():
        assert w.manager.evidence(ada).verify()
    storage.lost = lost
    w.manager.record_objection(ada)
    with pytest.raises(ConflictError) if lost == sealing._ATTEMPTS else nullcontext():
        assert w.manager.seal() is not None
    assert w.manager.verify()


@given(st.integers(0, 4))
def test_a_log_that_forked_is_found_by_a_kept_checkpoint(further: int) -> None:
    """
    Whoever has the keys can sign another history from any point on, and let it grow as far as they like, but not make
    it fit.
    """
    w = world()
    w.manager.add_contact(email="first@example.com")
    w.manager.seal()
    other = world(storage=copied(w.storage))
    kept = w.manager.evidence(w.add()).seal
    assert kept is not None
    other.agreed(other.add())
    for number in range(further):
        other.manager.add_contact(email=f"p{number}@example.com")
        other.manager.seal()
    forged = other.manager.evidence(other.add(), since=kept.checkpoint)
    assert forged.verify()
    assert not forged.verify(checkpoint=kept.checkpoint)


def test_a_log_that_began_anew_is_another_one() -> None:
    """
    Its name is not the one of the checkpoint, whoever has the keys.
    """
    w, other = world(), world()
    kept = w.manager.evidence(w.add()).seal
    assert kept is not None
    ada = other.add()
    with pytest.raises(UsageError):
        other.manager.evidence(ada, since=kept.checkpoint)
    assert {Finding.SIGNATURE} == {
        problem.finding for problem in other.manager.evidence(ada).verify(checkpoint=kept.checkpoint).problems
    }
    (problem,) = other.manager.verify(checkpoint=kept.checkpoint).problems
    assert (problem.finding, "anew" in problem.detail) == (Finding.LOG, True)


def copied(storage: Storage) -> MemoryStorage:
    assert isinstance(storage, MemoryStorage)
    copy_of = MemoryStorage()
    copy_of._state = copy.deepcopy(storage._state)
    return copy_of


KEPT = (Path(__file__).parent / "kept" / "pack-1.json").read_text()


def test_a_pack_in_the_first_format_still_verifies() -> None:
    """
    One that was kept: its leaf names the contact, and its log has the name that every log of an organisation had.
    """
    assert verify(KEPT, public_keys=KEYS.public_keys)
    assert json.loads(read(KEPT).to_json()) == json.loads(KEPT)
    seal = read(KEPT).seal
    assert seal is not None
    assert verify(KEPT, checkpoint=seal.checkpoint)
    assert not verify(KEPT.replace("optly-evidence/1", "optly-evidence/2"))


@given(st.data())
def test_any_changed_byte_of_a_pack_in_the_first_format_is_found(data: st.DataObject) -> None:
    """
    As in one that is made today.
    """
    text = bytearray(KEPT.encode())
    at = data.draw(st.integers(0, len(text) - 1))
    text[at] ^= data.draw(st.integers(1, 255))
    if verify(bytes(text), public_keys=KEYS.public_keys):
        assert json.loads(bytes(text)) == json.loads(KEPT)


def test_the_head_of_the_log_has_to_be_signed_with_each_kind_of_key_that_is_given() -> None:
    """
    So whoever has the organisation's ML-DSA-44 key is not deceived by someone who can forge Ed25519.
    """
    both = [*KEYS.public_keys, *KEYS.post_quantum_keys]
    assert verify(PACK, public_keys=both)
    stranger = Keys(current="somebody else altogether")
    assert findings(DATA, public_keys=[*KEYS.public_keys, *stranger.post_quantum_keys]) == {Finding.SIGNATURE}
    assert findings(json.loads(KEPT), public_keys=both) == {Finding.SIGNATURE}


def test_a_pack_has_the_proof_that_other_programs_verify() -> None:
    """
    As a tlog-proof, of an entry that names nobody.
    """
    seal = read(PACK).seal
    assert seal is not None
    assert DATA["log"]["inclusion"] == seal.inclusion()
    index, proof, note = read_proof(seal.inclusion())
    head = OtherCheckpoint.from_text(note)
    head.verify(Vkey(head.origin, None, 1, KEYS.public_keys[0]))
    entry = Leaf(subject=bytes.fromhex(DATA["contact"]), version=seal.version, head=seal.head).entry("acme", seal.blind)
    InclusionProof(index, head.size, list(proof)).check(leaf_hash(entry), head.root_hash)
    assert not {bytes.fromhex(DATA["contact"]), DATA["contact"].encode(), seal.head, b"acme"} & {
        entry[start:end] for start in range(len(entry)) for end in range(start, len(entry) + 1)
    }


def test_evidence_since_something_else_is_refused() -> None:
    """
    A checkpoint of another organisation or with another key is told at once.
    """
    w = world()
    ada = w.add()
    stranger = world(keys=Keys(current="somebody else altogether"))
    stranger.add()
    checkpoint = stranger.manager.seal()
    assert checkpoint is not None
    for text in (checkpoint.note, "nonsense", ""):
        with pytest.raises(UsageError):
            w.manager.evidence(ada, since=text)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "null", "\x00", "{" * 10_000, '{"format":"optly-evidence/3"}', b"\xff"]
)
def test_what_is_no_pack_is_told(text: str | bytes) -> None:
    """
    As one problem, not as an exception.
    """
    verification = verify(text)
    assert not verification
    assert [problem.finding for problem in verification.problems] == [Finding.UNREADABLE]


@given(st.recursive(st.none() | st.integers() | st.text(), lambda s: st.lists(s) | st.dictionaries(st.text(), s)))
def test_no_json_makes_verification_fail(value: object) -> None:
    """
    Whatever is put in place of a part of a pack is told and never raised.
    """
    for name in DATA:
        assert not verify(json.dumps({**DATA, name: value})) or value == DATA[name]


def _objects(value: Any) -> list[dict[str, Any]]:
    inner = list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []
    return [each for each in [value] if isinstance(each, dict)] + [found for item in inner for found in _objects(item)]


def test_a_member_that_means_nothing_is_found() -> None:
    """
    Promise 11: nothing can be written into a pack that its signature does not cover, at whatever place.
    """
    for place in range(len(_objects(DATA))):
        altered = copy.deepcopy(DATA)
        _objects(altered)[place]["remark"] = "checked by hand"
        assert not verify(json.dumps(altered)), place


@pytest.mark.parametrize("member", ["payload", "events", "value", "inclusion"])
def test_a_member_that_is_there_twice_is_found(member: str) -> None:
    """
    Promise 11: what another program would read first is what was verified.
    """
    doubled = PACK.replace(f'"{member}":', f'"{member}": "forged", "{member}":', 1)
    assert doubled != PACK
    assert not verify(doubled)


def test_a_number_too_large_for_the_record_is_told() -> None:
    """
    Instead of being refused by an error on the way.
    """
    assert not verify(json.dumps(changed(lambda data: data["log"].update(version=10**30))))
    far = DATA["log"]["inclusion"].replace("\nindex ", "\nindex 9999999999")
    assert not verify(json.dumps(changed(lambda data: data["log"].update(inclusion=far))))
    assert not verify(json.dumps(changed(lambda data: data["events"][0].update(seq=10**15))))


def test_an_erased_contacts_pack_holds_nothing_personal_and_verifies() -> None:
    """
    The proof that remains tells that something was asked and answered, and nothing about whom.
    """
    w, text = packed()
    ada = w.manager.find(EMAIL)
    assert ada is not None
    w.manager.erase(ada)
    pack = w.manager.evidence(ada)
    verification = pack.verify(public_keys=w.manager.public_keys)
    assert verification
    assert verification.erased > 0
    left = pack.to_json() + pack.to_html()
    for value in (row["value"] for row in json.loads(text)["values"]):
        assert value not in left
