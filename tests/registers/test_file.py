"""
A register file answers as the licence file says, whole at every moment, and a damaged one does not answer.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from optly.contacts.addresses import PhoneNumber
from optly.errors import RegisterUnreadableError
from optly.protocols import UNDATED, RegisterName
from optly.registers import FileRegister, build, building
from optly.registers._format import ENTRY_SIZE, HEADER_SIZE

AS_OF = date(2026, 3, 1)
AT = datetime(2026, 3, 20, 12, tzinfo=UTC)
ADA = PhoneNumber("+447911123456")
BOB = PhoneNumber("+442079460000")


def make(folder: Path, text: str, *, as_of: date = AS_OF, name: RegisterName = RegisterName.TPS) -> Path:
    source, target = folder / "licence.csv", folder / "tps.register"
    source.write_text(text)
    build(source, target, name=name, as_of=as_of, date_column=1)
    return target


national = st.from_regex(r"[1-357-9][0-9]{9}|[18][0-9]{8}", fullmatch=True).filter(str.isascii).map(int)
rows = st.lists(st.tuples(national, st.none() | st.dates(date(1970, 1, 2), AS_OF)), min_size=1, max_size=60)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(rows, st.lists(national, max_size=10), st.integers(-3000, 28), st.integers(1, 9))
def test_a_register_answers_as_a_dictionary_would(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    rows: list[tuple[int, date | None]],
    others: list[int],
    days: int,
    run: int,
) -> None:
    """
    Whatever the rows, their order and the runs they are sorted in: a number has its earliest date, one without a date
    has been listed for ever, and neither shows before its day.
    """
    monkeypatch.setattr(building, "_RUN", run)
    monkeypatch.setattr(building, "_BLOCK", 3)
    model: dict[int, date] = {}
    for number, listed_on in rows:
        model[number] = min(model.get(number, date.max), listed_on or UNDATED)
    register = FileRegister(make(tmp_path, "".join(f"0{n},{d or ''}\n" for n, d in rows)))
    at = datetime.combine(AS_OF, datetime.min.time(), UTC) + timedelta(days=days)

    assert len(model) == len(register)
    for number in [*model, *others]:
        since = model.get(number)
        expected = since if since is not None and since <= at.date() else None
        assert expected == register.listed_on(PhoneNumber(f"+44{number}"), at).listed_on


def test_the_version_follows_the_content(tmp_path: Path) -> None:
    """
    The same numbers give the same version, another number, date or register another one.
    """

    def version(text: str, **facts: object) -> str:
        return FileRegister(make(tmp_path, text, **facts)).header.version  # type: ignore[arg-type]

    first = version("07911123456\n02079460000\n")
    assert first == version("020 7946 0000\n07911 123456\n")
    others = {
        version("07911123456\n"),
        version("07911123456\n02079460000,2026-01-01\n"),
        version("07911123456\n02079460000\n", name=RegisterName.CTPS),
        version("07911123456\n02079460000\n", as_of=date(2026, 2, 28)),
    }
    assert len(others - {first}) == 4


# ---- a file that is replaced


def test_a_reader_sees_a_new_file_at_its_next_look(tmp_path: Path) -> None:
    """
    Without being told within a second or so, and at once when told.
    """
    register = FileRegister(make(tmp_path, "07911123456\n"))
    make(tmp_path, "02079460000\n", as_of=date(2026, 3, 10))
    register.reload()

    assert date(2026, 3, 10) == register.header.as_of
    assert register.listed_on(ADA, AT).listed_on is None
    assert register.listed_on(BOB, AT).listed_on == UNDATED


def test_a_reader_looks_by_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The next question after the pause between looks is answered from the new file.
    """
    now = [1000.0]
    monkeypatch.setattr("optly.registers.file.time.monotonic", lambda: now[0])
    register = FileRegister(make(tmp_path, "07911123456\n"))
    make(tmp_path, "02079460000\n")

    now[0] += 0.99
    assert register.listed_on(ADA, AT).listed_on == UNDATED
    now[0] += 0.01
    assert register.listed_on(ADA, AT).listed_on is None


READER = """
import sys
from datetime import UTC, datetime
from optly.contacts.addresses import PhoneNumber
from optly.registers import FileRegister

register = FileRegister(sys.argv[1])
at = datetime(2026, 3, 20, tzinfo=UTC)
common = [PhoneNumber(f"+447{number:09}") for number in range(0, 2000, 7)]
print("ready", flush=True)
seen = set()
while len(seen) < 3:
    register.reload()
    register.verify()
    held = register.header.count
    for number in common:
        assert register.listed_on(number, at).listed_on is not None
    seen.add(held)
print("done", flush=True)
"""


def test_a_reader_in_another_process_never_sees_half_a_file(tmp_path: Path) -> None:
    """
    While files of different sizes are swapped, each look finds a whole file, and every number that is in all of them.
    """
    texts = ["".join(f"07{number:09}\n" for number in range(top)) for top in (2000, 5000, 20_000)]
    target = make(tmp_path, texts[0])
    reader = subprocess.Popen([sys.executable, "-c", READER, str(target)], stdout=subprocess.PIPE, text=True)
    try:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "ready\n"
        turn = 0
        while reader.poll() is None and turn < 500:
            turn += 1
            make(tmp_path, texts[turn % 3])
        assert reader.stdout.readline() == "done\n"
    finally:
        reader.kill()
        reader.communicate()
    assert reader.returncode == 0


def test_threads_share_a_register_while_it_is_replaced(tmp_path: Path) -> None:
    """
    Every answer is one of the two that are right.
    """
    target = make(tmp_path, "07911123456,2026-01-01\n")
    register = FileRegister(target)
    wrong: list[object] = []
    stop = threading.Event()

    def ask() -> None:
        while not stop.is_set():
            register.reload()
            answer = register.listed_on(ADA, AT).listed_on
            if answer not in (date(2026, 1, 1), date(2026, 2, 1)):
                wrong.append(answer)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(30):
        make(tmp_path, f"07911123456,2026-0{turn % 2 + 1}-01\n")
    stop.set()
    for thread in threads:
        thread.join()
    assert wrong == []


BUILDER = """
import sys
from datetime import date
from optly.protocols import RegisterName
from optly.registers import build

print("ready", flush=True)
while True:
    build(sys.argv[1], sys.argv[2], name=RegisterName.TPS, as_of=date(2026, 3, 1))
"""


@pytest.mark.slow
def test_a_build_that_is_killed_leaves_a_whole_file(tmp_path: Path) -> None:
    """
    The old one or the new one, at whatever moment it dies.
    """
    target = make(tmp_path, "02079460000\n")
    source = tmp_path / "many"
    source.write_text("".join(f"07{number:09}\n" for number in range(20_000)))
    for turn in range(8):
        builder = subprocess.Popen(
            [sys.executable, "-c", BUILDER, str(source), str(target)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert builder.stdout is not None
            assert builder.stdout.readline() == "ready\n"
            time.sleep(0.1 + turn * 0.013)
        finally:
            builder.kill()
            builder.communicate()
        register = FileRegister(target)
        register.verify()
        assert len(register) in (1, 20_000)


def test_a_build_that_fails_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And nothing else beside it.
    """
    target = make(tmp_path, "07911123456\n")
    before = sorted(tmp_path.iterdir())

    def fail(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr("optly.registers.building.os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        make(tmp_path, "02079460000\n")
    monkeypatch.undo()

    assert before == sorted(tmp_path.iterdir())
    assert FileRegister(target).listed_on(ADA, AT).listed_on == UNDATED


def test_a_build_keeps_who_may_read_the_file(tmp_path: Path) -> None:
    """
    A new file is for its owner alone; what the owner made of it stays with the name.
    """
    target = make(tmp_path, "07911123456\n")
    assert target.stat().st_mode & 0o777 == 0o600
    target.chmod(0o640)
    make(tmp_path, "07911123456\n")
    assert target.stat().st_mode & 0o777 == 0o640


# ---- damage


def cut(target: Path) -> None:
    os.truncate(target, target.stat().st_size - 1)


def grow(target: Path) -> None:
    target.write_bytes(target.read_bytes() + b"\0")


def empty(target: Path) -> None:
    target.write_bytes(b"")


def only_a_header(target: Path) -> None:
    os.truncate(target, HEADER_SIZE)


def half_a_header(target: Path) -> None:
    os.truncate(target, HEADER_SIZE // 2)


def another_kind_of_file(target: Path) -> None:
    target.write_text("07911123456\n" * 20)


def gone(target: Path) -> None:
    target.unlink()


@pytest.mark.parametrize(
    "damage", [cut, grow, empty, only_a_header, half_a_header, another_kind_of_file, gone], ids=lambda f: f.__name__
)
def test_a_damaged_file_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    """
    When it is opened, and when it takes the place of one that is open; then every time, until it is replaced.
    """
    target = make(tmp_path, "07911123456\n02079460000\n")
    register = FileRegister(target)
    copy = target.with_name("copy")
    copy.write_bytes(target.read_bytes())
    damage(copy)
    if copy.exists():
        copy.replace(target)
    else:
        target.unlink()

    with pytest.raises(RegisterUnreadableError):
        FileRegister(target)
    for _ in range(2):
        with pytest.raises(RegisterUnreadableError):
            register.reload()
    make(tmp_path, "02079460000\n")
    register.reload()
    assert len(register) == 1


@pytest.mark.parametrize("place", range(0, HEADER_SIZE + 2 * ENTRY_SIZE, 5))
def test_a_changed_byte_is_found(tmp_path: Path, place: int) -> None:
    """
    In the header at opening, in the entries by verification.
    """
    target = make(tmp_path, "07911123456\n02079460000\n")
    FileRegister(target).verify()
    data = bytearray(target.read_bytes())
    data[place] ^= 1
    target.write_bytes(data)

    if place < HEADER_SIZE:
        with pytest.raises(RegisterUnreadableError):
            FileRegister(target)
    else:
        register = FileRegister(target)
        with pytest.raises(RegisterUnreadableError):
            register.verify()


def test_a_file_of_another_register_does_not_take_its_place(tmp_path: Path) -> None:
    """
    The answers would be right for a question nobody asked.
    """
    register = FileRegister(make(tmp_path, "07911123456\n"))
    make(tmp_path, "07911123456\n", name=RegisterName.CTPS)

    with pytest.raises(RegisterUnreadableError, match="no longer a copy of the TPS"):
        register.reload()


def test_a_file_from_another_kind_of_machine_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Its entries are in another order of bytes, and searching them would find nothing.
    """
    monkeypatch.setattr("optly.registers._format.BYTE_ORDER", b"middle")
    target = make(tmp_path, "07911123456\n")
    monkeypatch.undo()

    with pytest.raises(RegisterUnreadableError, match="another kind of machine"):
        FileRegister(target)
