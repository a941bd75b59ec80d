"""
``optly seal`` and ``optly export-log``, and what programs that are not ours make of the files.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner
from tlog_scales.backend import LocalBackend
from tlog_scales.reader import TilesReader
from tlog_scales.signing import Vkey
from tlog_scales.tiles import leaf_hash
from world import EMAIL, KEYS, World, world

from optly.cli import seal
from optly.cli._commands import optly
from optly.errors import DamagedError
from optly.record.checkpoints import open_note
from optly.record.merkle import WIDTH, tile_path
from optly.storage import SQLStorage


def add(w: World, count: int) -> None:
    already = len(list(w.storage.subjects("acme")))
    for number in range(already, already + count):
        w.manager.add_contact(email=f"p{number}@example.com")


def files(directory: Path) -> set[str]:
    return {path.relative_to(directory).as_posix() for path in directory.rglob("*") if path.is_file()}


def read_all(directory: Path) -> int:
    """
    Read the log with tlog-scales, every entry included, and return how many there are.
    """
    reader = TilesReader(LocalBackend(directory))
    head = reader.get_checkpoint()
    for kind, key in ((1, KEYS.public_keys[0]), (6, KEYS.post_quantum_keys[0])):
        head.verify(Vkey(head.origin, None, kind, key))
    assert reader.calculate_root_hash() == head.root_hash
    for index in range(head.size):
        hash_ = leaf_hash(reader.get_entry(index))
        assert hash_ == reader.mth(index, index + 1)
    for index in {0, head.size // 2, head.size - 1}:
        reader.get_inclusion_proof(index, head.size).check(leaf_hash(reader.get_entry(index)), head.root_hash)
    return int(head.size)


# ---- seal


def test_a_backlog_is_sealed(runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    In parts, all of it, and the head is printed and nothing else; again, it is the same.
    """
    monkeypatch.setattr(seal, "_AT_ONCE", 2)
    add(host, 5)
    result = runner.invoke(optly, ["seal"])
    assert 0 == result.exit_code
    head = open_note(result.stdout, KEYS.public_keys)
    assert head is not None
    assert head.size == 5
    assert runner.invoke(optly, ["seal"]).stdout == result.stdout


def test_without_a_record_there_is_nothing_to_seal(runner: CliRunner, host: World) -> None:
    """
    Which is said.
    """
    result = runner.invoke(optly, ["seal"])
    assert 1 == result.exit_code
    assert "nothing to seal" in result.output


# ---- export-log


def test_another_program_reads_the_log_as_it_grows(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Below, at and above the size of a tile; each time only what is new is written.
    """
    target, size = tmp_path / "log", 0
    for more in (1, 4, WIDTH - 6, 1, 1, WIDTH, WIDTH - 1, 3):
        add(host, more)
        host.manager.seal()
        size += more
        before = {name: (target / name).stat().st_mtime_ns for name in files(target)}
        result = runner.invoke(optly, ["export-log", str(target)])
        assert 0 == result.exit_code, result.output
        assert f"{size:,}" in result.output
        assert read_all(target) == size
        old = (size - more) // WIDTH  # bundles and tiles that were full before
        for name in [tile_path(level, number, WIDTH) for number in range(old) for level in (None, 0)]:
            assert before[name] == (target / name).stat().st_mtime_ns
    assert files(target) == {
        "checkpoint",
        *(f"tile/{level}/{number:03}" for number in range(3) for level in ("entries", "0")),
        *(f"tile/{level}/003.p/{size - 3 * WIDTH}" for level in ("entries", "0")),
        *(f"tile/1/000.p/{width}" for width in (1, 2, 3)),
    }


def test_another_program_audits_every_file(host: World, tmp_path: Path) -> None:
    """
    With a reader that walks the whole tree.
    """
    aics_tlog = pytest.importorskip("aics_tlog", reason="aics-tlog needs Python 3.12")
    add(host, 2 * WIDTH + 3)
    host.manager.seal()
    for file in host.manager.log_files():
        path = tmp_path / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.data)
    note = aics_tlog.parse_note((tmp_path / "checkpoint").read_bytes())
    origin = note.text.split("\n")[0]
    key = aics_tlog.vkey_from_ed25519(origin, KEYS.public_keys[0])
    found = aics_tlog.verify_checkpoint(note, key, expected_origin=origin)
    assert found.log_ok
    reader = aics_tlog.FileSystemTileReader(tmp_path)
    report = aics_tlog.audit_tiles(reader, found.size, found.root)
    assert (report.size, report.bundles) == (2 * WIDTH + 3, 3)


def test_the_files_name_nobody(host: World) -> None:
    """
    No id of a contact, in any form, and no hash of an event.
    """
    ada = host.add()
    host.agreed(ada)
    host.manager.seal()
    events = host.storage.entries(ada.subject)
    for file in host.manager.log_files():
        for secret in (ada.subject, ada.id.encode(), EMAIL.encode(), *(event.hash for event in events)):
            assert secret not in file.data
            assert secret.hex().encode() not in file.data


def test_without_a_log_there_are_no_files(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Which is said, and is not an error.
    """
    result = runner.invoke(optly, ["export-log", str(tmp_path / "log")])
    assert 0 == result.exit_code
    assert "Nothing was sealed" in result.output
    assert not files(tmp_path)


def test_a_directory_with_another_log_is_left_alone(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Also one that holds something else, or more than the log has.
    """
    other = world()
    for w in (host, other):
        add(w, 1)
        w.manager.seal()
    for note in (b"nonsense", b"\xff", [*other.manager.log_files()][-1].data):
        (tmp_path / "checkpoint").write_bytes(note)
        result = runner.invoke(optly, ["export-log", str(tmp_path)])
        assert 2 == result.exit_code
        assert "not a checkpoint of this log" in result.output
        assert files(tmp_path) == {"checkpoint"}


def test_a_place_that_cannot_be_written_is_said(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Without a traceback.
    """
    add(host, 1)
    host.manager.seal()
    (tmp_path / "file").touch()
    result = runner.invoke(optly, ["export-log", str(tmp_path / "file" / "log")])
    assert 2 == result.exit_code
    assert "cannot be written" in result.output


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM optly_leaves WHERE place = 1",
        "UPDATE optly_leaves SET version = 7 WHERE place = 1",
        "UPDATE optly_tiles SET data = zeroblob(length(data))",
        "DELETE FROM optly_tiles",
    ],
)
def test_a_damaged_log_is_not_published(tmp_path: Path, statement: str) -> None:
    """
    Nor is a part of it that was altered since it was published.
    """
    w = world(SQLStorage(f"sqlite:///{tmp_path}/optly.db"))
    add(w, 3)
    w.manager.seal()
    published = [*w.manager.log_files()]
    with closing(sqlite3.connect(tmp_path / "optly.db")) as other:
        other.execute(statement)
        other.commit()
    with pytest.raises(DamagedError):
        list(w.manager.log_files())
    assert published[-1].path == "checkpoint"
    w.manager.close()


def test_the_files_of_another_program_have_the_same_names() -> None:
    """
    However large the number is.
    """
    from tlog_scales.tiles import tile_path as other

    for number in (0, 7, 999, 1000, 1234067, 10**9):
        for level in (0, 3):
            assert "/".join(other(level, number)) == tile_path(level, number, WIDTH)
            assert "/".join(other(level, number, 5)) == tile_path(level, number, 5)
        assert "/".join(other(-1, number, 255)) == tile_path(None, number, 255)
