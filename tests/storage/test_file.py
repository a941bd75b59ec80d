"""
What the file store does besides the contract: crashes, damage, failed writes, erasing and syncing together.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from optly.errors import (
    ConfigurationError,
    DamagedError,
    StorageFailedError,
    StorageLockedError,
    StorageUnavailableError,
)
from optly.storage import FileStorage, _journal, file
from optly.storage._journal import Journal
from optly.storage.memory import State
from optly.testing.storage import NOW, TICK, Contact, at_once, claim_of, code, key, problems, stop, values_of


@attrs.frozen
class Copy:
    """
    The bytes of a store's file and mark, and the state they stand for.
    """

    data: bytes = attrs.field(repr=False)
    mark: bytes = attrs.field(repr=False)
    state: State = attrs.field(repr=False)

    @classmethod
    def of(cls, storage: FileStorage, path: Path) -> Copy:
        return cls(path.read_bytes(), mark_of(path).read_bytes(), deepcopy(storage._state))

    def put(self, directory: Path, *, data: bytes | None = None, mark: bytes | None = None) -> Path:
        """
        Put the files, or altered ones, into a directory.
        """
        path = directory / "optly.jsonl"
        path.write_bytes(self.data if data is None else data)
        mark_of(path).write_bytes(self.mark if mark is None else mark)
        return path


def mark_of(path: Path) -> Path:
    return path.with_name(path.name + ".mark")


def state_in(path: Path) -> State:
    storage = FileStorage(path)
    storage.close()
    return storage._state


def abandon(storage: FileStorage) -> None:
    """
    Let go of the file as a process does that dies.
    """
    journal = storage._journal
    assert journal is not None
    journal._files.close()
    os.close(journal._fd)
    journal._closed = True


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "optly.jsonl"


@pytest.fixture
def storage(path: Path) -> Iterator[FileStorage]:
    storage = FileStorage(path)
    yield storage
    storage.close()


@pytest.fixture(scope="module")
def copies() -> tuple[Copy, Copy]:
    """
    A store of some twenty records, and the same after one more, whose sync was the last thing that happened.
    """
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "optly.jsonl"
        storage = FileStorage(path)
        contacts = [Contact("acme") for _ in range(3)]
        for contact in contacts:
            message, idkey = contact.message(), key()
            storage.append([contact.commit(events=2, queue=[message], identifiers=[contact.identifier(idkey)])])
            storage.claim([claim_of(message, code(contact.subject, expires_at=NOW + TICK))], NOW, NOW)
            storage.append([contact.commit(suppressions=[stop(idkey)])])
            storage.add_key_version("acme", contact.subject.hex()[:8])
        storage.append([contacts[0].commit(forget=True)])
        for _ in range(4):
            storage.append([contacts[1].commit()])
        before = Copy.of(storage, path)
        storage.append([contacts[2].commit()])
        after = Copy.of(storage, path)
        storage.close()
    return before, after


# ---- crashes and damage


@pytest.mark.slow
def test_a_record_that_a_crash_cut_short_is_cut_off(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    At every byte of it. What was there before is there, and the store goes on from it.
    """
    before, after = copies
    for end in range(len(before.data), len(after.data)):
        path = before.put(tmp_path, data=after.data[:end])
        assert before.state == state_in(path)
        assert before.data == path.read_bytes()
    path = before.put(tmp_path, data=after.data)
    assert after.state == state_in(path)


def test_a_cut_file_is_damaged(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    What was acknowledged is missing, by however little: that is no crash, and nothing is changed.
    """
    before, after = copies
    lines = after.data.count(b"\n")
    for end in range(len(before.data), len(after.data)):
        path = after.put(tmp_path, data=after.data[:end])
        with pytest.raises(DamagedError) as caught:
            FileStorage(path)
        assert lines == caught.value.line
        assert after.data[:end] == path.read_bytes()


@pytest.mark.parametrize(
    "tail",
    [
        *(b"\0", b"\0" * 4096, b"\xff\xfe", b"\n", b"\n\n", b"{}\n", b'{"n":1', b"\0\n\0\n", b" ", b"null\n"),
        *(b'{"n":' * 5000, b'{"n":1,"check":"","record":' + b"[" * 5000),
    ],
    ids=lambda tail: repr(tail[:9]),
)
def test_a_tail_that_was_never_acknowledged_is_cut_off(copies: tuple[Copy, Copy], tmp_path: Path, tail: bytes) -> None:
    """
    Whatever the file system left there.
    """
    _, after = copies
    path = after.put(tmp_path, data=after.data + tail)
    assert after.state == state_in(path)
    assert after.data == path.read_bytes()


FLIPS = st.tuples(st.sampled_from(["data", "data", "mark"]), st.integers(0, 2**20), st.integers(0, 7))


@given(st.lists(FLIPS, min_size=1, max_size=3))
def test_a_flipped_bit_is_never_silently_wrong(copies: tuple[Copy, Copy], flips: list[tuple[str, int, int]]) -> None:
    """
    Anywhere in the file or in its mark: the store opens with all that was acknowledged, or not at all.
    """
    before, after = copies
    changed = {"data": bytearray(after.data), "mark": bytearray(after.mark)}
    for part, place, bit in flips:
        changed[part][place % len(changed[part])] ^= 1 << bit
    # See the next test.
    assume(
        changed["mark"][128:] == after.mark[128:]
        or changed["data"][len(before.data) :] == after.data[len(before.data) :]
    )
    with tempfile.TemporaryDirectory() as directory:
        path = after.put(Path(directory), data=bytes(changed["data"]), mark=bytes(changed["mark"]))
        try:
            state = state_in(path)
        except DamagedError:
            return
        assert after.state == state
        assert after.data == path.read_bytes()


@pytest.mark.xfail(strict=True, reason="it looks like a crash while the last line was written, and the line is cut off")
def test_a_flipped_bit_in_the_last_line_and_another_in_its_mark_are_found(
    copies: tuple[Copy, Copy], tmp_path: Path
) -> None:
    """
    The older half of the mark says nothing of the line.
    """
    _, after = copies
    data, mark = bytearray(after.data), bytearray(after.mark)
    data[-10] ^= 1
    mark[128] ^= 1
    with pytest.raises(DamagedError):
        FileStorage(after.put(tmp_path, data=bytes(data), mark=bytes(mark))).close()


@pytest.mark.slow
def test_every_flipped_byte_of_the_file_is_found(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    And named by its line.
    """
    _, after = copies
    for place in range(0, len(after.data), 7):
        flipped = bytearray(after.data)
        flipped[place] ^= 0x10
        with pytest.raises(DamagedError) as caught:
            FileStorage(after.put(tmp_path, data=bytes(flipped)))
        assert after.data[:place].count(b"\n") + 1 == caught.value.line


def test_a_damaged_mark_is_made_good(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    Its older half still vouches for the file, and the newer one is written anew.
    """
    _, after = copies
    for half in (slice(0, 128), slice(128, 256)):
        mark = bytearray(after.mark)
        mark[half] = b"\0" * 128
        path = after.put(tmp_path, mark=bytes(mark))
        assert after.state == state_in(path)
        with pytest.raises(DamagedError):
            FileStorage(after.put(tmp_path, data=after.data[:-1], mark=mark_of(path).read_bytes()))


def lines(copy: Copy) -> list[bytes]:
    return copy.data.splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (lambda lines: lines[:5] + lines[6:], 6),
        (lambda lines: [*lines[:5], lines[6], lines[5], *lines[7:]], 6),
        (lambda lines: [*lines[:5], lines[4], *lines[5:]], 6),
        (lambda lines: lines[:-1], -1),
        (lambda lines: lines[:1], 2),
        (lambda lines: lines[1:], 1),
        (lambda lines: [], 1),
    ],
    ids=["removed", "swapped", "doubled", "last-removed", "all-removed", "header-removed", "emptied"],
)
def test_whole_lines_cannot_be_moved(
    copies: tuple[Copy, Copy], tmp_path: Path, change: Callable[[list[bytes]], list[bytes]], line: int
) -> None:
    """
    Each of them is right by itself, and still the file is not.
    """
    _, after = copies
    path = after.put(tmp_path, data=b"".join(change(lines(after))))
    with pytest.raises(DamagedError) as caught:
        FileStorage(path)
    assert (line if line > 0 else len(lines(after))) == caught.value.line


def test_damage_after_the_mark_is_told_from_a_crash(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    The mark lags behind after a power cut, but a line of a later write shows that the broken one had been whole.
    """
    before, after = copies
    marks = [mark for slot in (before.mark[:128], before.mark[128:]) if (mark := _journal._Mark.read(slot)) is not None]
    old = min(marks, key=lambda mark: mark.n)
    broken = bytearray(after.data)
    broken[len(after.data) - len(lines(after)[-1]) - 5] ^= 1
    with pytest.raises(DamagedError):
        FileStorage(after.put(tmp_path, data=bytes(broken), mark=old.slot() * 2))
    missing = b"".join([*lines(after)[:-2], lines(after)[-1]])
    with pytest.raises(DamagedError):
        FileStorage(after.put(tmp_path, data=missing, mark=old.slot() * 2))


@pytest.mark.parametrize("together", [True, False], ids=["together", "one-by-one"])
def test_a_write_whose_beginning_never_reached_the_disk_is_cut_off(
    storage: FileStorage, path: Path, tmp_path: Path, together: bool
) -> None:
    """
    A power cut may keep the end of a write and lose its beginning. Where the end was written later, by itself, the
    beginning had been acknowledged.
    """
    storage.append([Contact("acme").commit()])
    before = Copy.of(storage, path)
    journal = storage._journal
    assert journal is not None
    for version in (b"k1", b"k2", b"k3"):
        journal.add(b'["add_key_version",["acme","%s",[]]]' % version)
        if not together:
            journal.wait(journal.position)
    journal.wait(journal.position)
    data = path.read_bytes()
    end = data.index(b"\n", len(before.data))
    (tmp_path / "copy").mkdir()
    copy = before.put(tmp_path / "copy", data=before.data + bytes(end - len(before.data)) + data[end:])
    if together:
        assert before.state == state_in(copy)
        assert before.data == copy.read_bytes()
    else:
        with pytest.raises(DamagedError) as caught:
            FileStorage(copy)
        assert caught.value.line == 3


def test_lines_of_another_file_do_not_count(copies: tuple[Copy, Copy], tmp_path: Path) -> None:
    """
    An older copy under a newer mark, a file without its mark, and a mark without its file.
    """
    _, after = copies
    (tmp_path / "other").mkdir()
    other = FileStorage(tmp_path / "other" / "optly.jsonl")
    other.add_key_version("acme", "k1")
    other.close()
    mark = mark_of(tmp_path / "other" / "optly.jsonl").read_bytes()
    for path in (after.put(tmp_path, mark=mark), after.put(tmp_path, mark=b"")):
        with pytest.raises(DamagedError, match="mark"):
            FileStorage(path)
    path = after.put(tmp_path)
    path.unlink()
    with pytest.raises(DamagedError, match="gone"):
        FileStorage(path)


@pytest.mark.parametrize("record", [b'["seal",[]]', b'["nonsense",[]]', b'["append",[[{}]]]', b"7"])
def test_records_that_do_not_follow_are_damaged(storage: FileStorage, path: Path, record: bytes) -> None:
    """
    Every line is whole, but one of them is nothing that could have been written there.
    """
    storage.append([Contact("acme").commit()])
    journal = storage._journal
    assert journal is not None
    journal.add(record)
    journal.wait(journal.position)
    storage.close()
    with pytest.raises(DamagedError) as caught:
        FileStorage(path)
    assert caught.value.line == 3


def test_a_record_that_repeats_another_is_damaged(storage: FileStorage, path: Path) -> None:
    """
    A change that was decided on a version that is past cannot have been taken.
    """
    commit = Contact("acme").commit()
    storage.append([commit])
    storage._changed("append", [commit])
    storage.close()
    with pytest.raises(DamagedError):
        FileStorage(path)


def test_a_newer_format_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    An older Optly does not guess what a newer one wrote.
    """
    with monkeypatch.context() as patch:
        patch.setattr(_journal, "_Header", lambda generation: {"generation": generation, "format": 2})
        FileStorage(path).close()
    with pytest.raises(ConfigurationError, match="upgrade"):
        FileStorage(path)


# ---- crashes at each step of writing the file anew


class Crash(BaseException):
    """
    The process dies here.
    """


def dying(step: int, work: Callable[..., Any], *, before: bool) -> Callable[..., Any]:
    """
    Wrap *work* so that the process dies before, or right after, its call number *step*. Counts over all that it wraps.
    """

    def call(*args: Any, **kwargs: Any) -> Any:
        calls.append(work)
        here = len(calls) == step
        if here and before:
            raise Crash
        result = work(*args, **kwargs)
        if here:
            raise Crash
        return result

    return call


calls: list[Callable[..., Any]] = []
STEPS = [
    (_journal, "_sync"),
    (_journal, "_sync_directory"),
    (Path, "replace"),
    (Journal, "_write_mark"),
    (Journal, "_reopen"),
]


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_during_an_erasure_leaves_all_of_it_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """
    At each step that touches the disk. The store opens again as it was or as it was to be, and where the values are
    gone from the store they are gone from the files.
    """
    outcomes: list[bool] = []
    crashed = True
    while crashed:
        directory = tmp_path / str(len(outcomes))
        directory.mkdir()
        path = directory / "optly.jsonl"
        storage = FileStorage(path)
        ada, eve = Contact("acme"), Contact("acme")
        storage.append([ada.commit(), eve.commit()])
        state = deepcopy(storage._state)
        salt = base64.b64encode(values_of(storage, ada.subject)["line_1"].salt)
        calls.clear()
        with monkeypatch.context() as patch:
            for owner, name in STEPS:
                patch.setattr(owner, name, dying(len(outcomes) + 1, getattr(owner, name), before=before))
            try:
                storage.append([ada.commit(forget=True)])
                crashed = False
            except Crash:
                with pytest.raises(StorageFailedError):
                    storage.load([ada.subject])
        abandon(storage)

        again = FileStorage(path)
        erased = len(again.entries(ada.subject)) == 2
        assert erased or again._state == state
        assert ("line_1" in values_of(again, ada.subject)) == (salt in path.read_bytes()) == (not erased)
        assert problems(again, "acme", ada.subject) == ()
        again.append([eve.commit()])
        again.close()
        assert [path.name, f"{path.name}.lock", f"{path.name}.mark"] == sorted(os.listdir(directory))
        outcomes.append(erased)
    assert len(outcomes) > 5
    assert outcomes == sorted(outcomes)
    assert {False, True} == set(outcomes)


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_a_crash_during_a_compaction_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """
    At each step that touches the disk. What was acknowledged is there, what was not is there whole or not at all, and
    nothing else is left behind.
    """
    crashed = True
    steps = 0
    while crashed:
        steps += 1
        directory = tmp_path / str(steps)
        directory.mkdir()
        path = directory / "optly.jsonl"
        storage = FileStorage(path)
        ada, needless = Contact("acme"), code(key())
        storage.append([ada.commit(events=3)])
        for _ in range(5):
            storage.put_codes([needless])
        acknowledged = deepcopy(storage._state)
        calls.clear()
        with monkeypatch.context() as patch:
            patch.setattr(file, "_COMPACTED_FROM", 1_000)
            for owner, name in STEPS:
                patch.setattr(owner, name, dying(steps, getattr(owner, name), before=before))
            try:
                storage.append([ada.commit(events=2)])
                crashed = False
            except Crash:
                with pytest.raises(StorageFailedError):
                    storage.load([ada.subject])
        abandon(storage)

        again = FileStorage(path)
        assert again._state in ([acknowledged, storage._state] if crashed else [storage._state])
        assert [path.name, f"{path.name}.lock", f"{path.name}.mark"] == sorted(os.listdir(directory))
        again.append([Contact("acme").commit()])
        again.close()
    assert steps > 5
    assert b"put_codes" not in path.read_bytes()


def test_what_is_erased_leaves_the_file(storage: FileStorage, path: Path) -> None:
    """
    Values, messages, codes and keyed names of one contact among many; those of the others are still there, and so they
    are when the file is opened again.
    """
    contacts = [Contact("acme") for _ in range(20)]
    idkeys = [key() for _ in contacts]
    for contact, idkey in zip(contacts, idkeys, strict=True):
        message = contact.message(body=contact.subject * 30)
        storage.append([contact.commit(events=3, identifiers=[contact.identifier(idkey)], queue=[message])])
        storage.put_codes([code(contact.subject, value=b"code " + contact.subject)])
        storage.claim([claim_of(message)], NOW, NOW)

    def written(number: int) -> list[bytes]:
        contact = contacts[number]
        raw = [contact.subject * 30, b"code " + contact.subject, idkeys[number], *salts[number]]
        return [base64.b64encode(item) for item in raw]

    salts = {n: [opening.salt for opening in values_of(storage, contacts[n].subject).values()] for n in (5, 6)}
    assert all(item in path.read_bytes() for item in (*written(5), *written(6)))
    storage.append([contacts[5].commit(forget=True)])
    assert [] == [item for item in written(5) if item in path.read_bytes()]
    assert all(item in path.read_bytes() for item in written(6))
    state = deepcopy(storage._state)
    storage.close()
    assert state == state_in(path)


def test_an_erasure_takes_along_what_others_are_waiting_for(storage: FileStorage, path: Path) -> None:
    """
    Threads that append while the file is written anew find their changes in the new one.
    """
    contacts = [Contact("acme") for _ in range(8)]

    def work(number: int) -> None:
        for turn in range(6):
            storage.append([contacts[number].commit(forget=number % 2 == 0 and turn % 2 == 1)])

    at_once(8, work)
    state = deepcopy(storage._state)
    storage.close()
    assert state == state_in(path)
    assert [6] * 8 == [len(state.contacts[contact.subject].entries) for contact in contacts]


# ---- writes that fail


def no_space(*_: object) -> int:
    raise OSError(errno.ENOSPC, "No space left on device")


def half(fd: int, data: bytes) -> int:
    os.pwrite(fd, bytes(data[: len(data) // 2]), os.fstat(fd).st_size)
    raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize(
    ("name", "work"), [("_write", no_space), ("_write", half), ("_sync", no_space)], ids=["write", "half", "sync"]
)
def test_after_a_failed_write_the_store_refuses_until_it_is_opened_again(
    storage: FileStorage, path: Path, monkeypatch: pytest.MonkeyPatch, name: str, work: Callable[..., int]
) -> None:
    """
    Reading too, because what is in memory may not be on the disk. What was acknowledged before is there afterwards.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    with monkeypatch.context() as patch:
        patch.setattr(_journal, name, work)
        with pytest.raises(StorageFailedError):
            storage.append([ada.commit()])
    for refused in (lambda: storage.load([ada.subject]), lambda: storage.append([Contact("acme").commit()])):
        with pytest.raises(StorageFailedError):
            refused()
    storage.close()
    again = FileStorage(path)
    # A line whose sync failed may well be there.
    assert len(again.entries(ada.subject)) == (2 if name == "_sync" else 1)
    assert problems(again, "acme", ada.subject) == ()
    again.close()


def test_all_that_wait_for_a_failed_sync_are_told(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Nobody's change counts as written because it was another thread that did the writing.
    """
    contacts = [Contact("acme") for _ in range(6)]
    monkeypatch.setattr(_journal, "_sync", no_space)

    def work(number: int) -> bool:
        with pytest.raises(StorageFailedError):
            storage.append([contacts[number].commit()])
        return True

    assert [True] * 6 == at_once(6, work)


def test_an_interrupted_change_does_not_count(
    storage: FileStorage, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It may be in memory in part, so the store has to be opened again.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    state = deepcopy(storage._state)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("optly.storage.memory._write", interrupt)
        with pytest.raises(KeyboardInterrupt):
            storage.append([ada.commit()])
    with pytest.raises(StorageFailedError):
        storage.entries(ada.subject)
    storage.close()
    assert state == state_in(path)


def test_who_waited_for_an_interrupted_change_is_refused(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A reader whose turn comes next does not see what is there of it.
    """
    ada = Contact("acme")
    changing = threading.Event()

    def interrupt(*_: object) -> None:
        changing.set()
        time.sleep(0.1)
        raise KeyboardInterrupt

    monkeypatch.setattr("optly.storage.memory._write", interrupt)

    def work(number: int) -> None:
        if number:
            changing.wait(5)
            with pytest.raises(StorageFailedError):
                storage.load([ada.subject])
        else:
            with pytest.raises(KeyboardInterrupt):
                storage.append([ada.commit()])

    at_once(2, work)


def test_a_mark_that_cannot_be_written_at_the_end_is_told(storage: FileStorage, path: Path) -> None:
    """
    By an error of Optly's own, and everything is let go of all the same.
    """
    storage.append([Contact("acme").commit()])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_journal, "_sync", no_space)
        with pytest.raises(StorageFailedError):
            storage.close()
    assert len(state_in(path).contacts) == 1


# ---- threads, processes and files


def test_threads_share_a_sync(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    While one sync runs the changes of the others gather for the next.
    """
    syncs: list[int] = []

    def slow(fd: int) -> None:
        syncs.append(fd)
        time.sleep(0.02)

    monkeypatch.setattr(_journal, "_sync", slow)
    contacts = [Contact("acme") for _ in range(16)]
    at_once(16, lambda number: storage.append([contacts[number].commit()]))
    assert 2 <= len(syncs) <= 8
    assert all(len(storage.entries(contact.subject)) == 1 for contact in contacts)


def test_nobody_reads_what_a_crash_could_undo(storage: FileStorage, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A reader that comes while a change is being synced waits for it.
    """
    ada = Contact("acme")
    order: list[str] = []
    syncing = threading.Event()

    def slow(_: int) -> None:
        syncing.set()
        time.sleep(0.05)
        order.append("synced")

    monkeypatch.setattr(_journal, "_sync", slow)

    def work(number: int) -> None:
        if number:
            syncing.wait(5)
            assert len(storage.entries(ada.subject)) == 1
            order.append("read")
        else:
            storage.append([ada.commit()])

    at_once(2, work)
    assert ["synced", "read"] == order


FORK = """
import os, sys
from optly.errors import StorageLockedError
from optly.storage import FileStorage
from optly.testing.storage import Contact

storage = FileStorage(sys.argv[1])
storage.append([Contact("acme").commit()])
tried, trying = os.pipe()
over, ending = os.pipe()
if not os.fork():
    os.close(ending)
    try:
        storage.append([Contact("acme").commit()])
    except StorageLockedError:
        storage.close()
        sys.stdout.write("refused ")
        sys.stdout.flush()
    os.write(trying, b".")
    os.read(over, 1)
    os._exit(0)
os.read(tried, 1)
storage.append([Contact("acme").commit()])
storage.close()
FileStorage(sys.argv[1]).close()
print("opened")
os.close(ending)
os.wait()
"""


def test_a_forked_process_is_refused_and_keeps_no_lock(path: Path) -> None:
    """
    The parent goes on; when it has closed the store it can be opened again, though the child is still there.
    """
    done = subprocess.run([sys.executable, "-c", FORK, path], capture_output=True, text=True, check=True, timeout=60)
    assert "refused opened\n" == done.stdout
    assert len(state_in(path).contacts) == 2


def test_the_files_are_private(storage: FileStorage, path: Path) -> None:
    """
    Nobody else on the machine reads them, before and after they were written anew.
    """
    ada = Contact("acme")
    storage.append([ada.commit()])
    storage.append([ada.commit(forget=True)])
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}


def test_an_empty_file_that_is_there_already_is_taken(path: Path) -> None:
    """
    Somebody made it beforehand, to set its rights for example.
    """
    path.touch()
    storage = FileStorage(path)
    storage.append([Contact("acme").commit()])
    storage.close()
    assert len(state_in(path).contacts) == 1


def test_a_link_to_the_file_stays_one(tmp_path: Path) -> None:
    """
    An erasure does not put a file of its own in the place of the link.
    """
    (tmp_path / "disk").mkdir()
    link = tmp_path / "optly.jsonl"
    link.symlink_to(tmp_path / "disk" / "optly.jsonl")
    ada = Contact("acme")
    storage = FileStorage(link)
    storage.append([ada.commit()])
    storage.append([ada.commit(forget=True)])
    storage.close()
    assert link.is_symlink()
    assert len(state_in(link).contacts[ada.subject].entries) == 2


def test_a_closed_store_is_unavailable(storage: FileStorage) -> None:
    """
    It is not opened again by the way.
    """
    storage.close()
    with pytest.raises(StorageUnavailableError):
        storage.load([key()])


def test_a_place_that_is_not_there_is_unavailable(tmp_path: Path) -> None:
    """
    The error does not tell the path.
    """
    with pytest.raises(StorageUnavailableError) as caught:
        FileStorage(tmp_path / "nowhere" / "optly.jsonl")
    assert "nowhere" not in str(caught.value)


def test_a_second_opener_is_refused_until_the_first_has_closed(storage: FileStorage, path: Path) -> None:
    """
    In one process as well.
    """
    with pytest.raises(StorageLockedError):
        FileStorage(path)
    storage.close()
    FileStorage(path).close()
