"""
Building register files, and looking at them.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO

import pytest
from cli.process import COMMAND, run
from click.testing import CliRunner, Result

from optly import PhoneNumber
from optly.cli._commands import optly
from optly.cli._words import day
from optly.registers import FileRegister
from optly.rules.editions import uk_date

MILLION = 1_000_000


def today() -> date:
    return uk_date(datetime.now(UTC))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """
    A licence file with two numbers, one of them twice, and two rows that cannot be read.
    """
    file = tmp_path / "tps.csv"
    file.write_text(
        "number;listed\n0161 496 0000;2024-01-05\nnobody;\n01614960000;\n0113 496 0000;soon\n", encoding="utf-8"
    )
    return file


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """
    Where the register is to be.
    """
    return tmp_path / "tps.register"


def build(
    runner: CliRunner, *arguments: object, name: str = "tps", as_of: date | None = None, delimiter: str = ";"
) -> Result:
    settings = ["--name", name, "--as-of", str(as_of or today()), "--delimiter", delimiter, "--date-column", "1"]
    return runner.invoke(optly, ["register", "build", *map(str, arguments), *settings])


def said(result: Result) -> str:
    return " ".join(result.stdout.split())


def listed_since(file: Path, number: str) -> date | None:
    return FileRegister(file).listed_on(PhoneNumber.parse(number), datetime.now(UTC)).listed_on


# ---- building


def test_what_was_read_is_told(runner: CliRunner, source: Path, target: Path) -> None:
    """
    The numbers, what repeated, and the lines that could not be read by their numbers.
    """
    result = build(runner, source, target)

    assert (result.exit_code, result.stderr) == (0, "")
    assert "TPS with 2 numbers." in said(result)
    assert "1 file; 1 row repeated a number." in said(result)
    assert "not read tps.csv, lines 3, 5" in said(result)
    assert "nobody" not in result.output
    assert f"copy of {day(today())}, 0 days old" in said(result)
    assert f"usable until {day(today() + timedelta(days=28))}, the last day included" in said(result)


def test_the_register_that_was_built_answers(runner: CliRunner, source: Path, target: Path) -> None:
    """
    From the column of the number and the one of the date.
    """
    build(runner, source, target)

    assert len(FileRegister(target)) == 2
    assert listed_since(target, "0121 496 0000") is None


def test_a_date_for_all_is_taken_where_a_row_has_none(runner: CliRunner, tmp_path: Path, target: Path) -> None:
    """
    Several files are one copy.
    """
    first, second = tmp_path / "first.csv", tmp_path / "second.csv"
    first.write_text("0161 496 0000\t2024-01-05\n", encoding="utf-8")
    second.write_text("0113 496 0000\t\n", encoding="utf-8")
    result = build(runner, first, second, target, "--listed-on", "2025-06-01", delimiter="tab")

    assert result.exit_code == 0
    assert [date(2024, 1, 5), date(2025, 6, 1)] == [
        listed_since(target, number) for number in ("0161 496 0000", "0113 496 0000")
    ]


def test_a_column_is_counted_from_0(runner: CliRunner, tmp_path: Path, target: Path) -> None:
    """
    As in the library.
    """
    source = tmp_path / "ids.csv"
    source.write_text("1;;0161 496 0000\n", encoding="utf-8")

    assert build(runner, source, target, "--column", "2").exit_code == 0
    assert len(FileRegister(target)) == 1


def test_more_flaws_than_can_be_named_are_counted(runner: CliRunner, tmp_path: Path, target: Path) -> None:
    """
    A hundred lines of a file are named.
    """
    source = tmp_path / "poor.csv"
    source.write_text("0161 496 0000\n" + "nobody\n" * 107, encoding="utf-8")

    assert "not read 7 more rows, not listed here." in said(build(runner, source, target))


def test_a_file_of_something_else_builds_nothing(runner: CliRunner, source: Path, target: Path) -> None:
    """
    Too many flaws are exit code 1, and one line.
    """
    result = build(runner, source, target, "--flaw-limit", "1")

    assert (result.exit_code, result.stdout, target.exists()) == (1, "", False)
    assert result.stderr.startswith("Error: tps.csv: more than 1 rows cannot be read, the first in line 3")


def test_a_place_that_cannot_be_written_is_one_line(runner: CliRunner, source: Path, tmp_path: Path) -> None:
    """
    Such as a directory that is not there.
    """
    result = build(runner, source, tmp_path / "nowhere" / "tps.register")

    assert result.exit_code == 2
    assert "the folder for the register file does not exist" in result.stderr


def test_a_licence_file_is_not_built_over(runner: CliRunner, source: Path, tmp_path: Path) -> None:
    """
    Whoever forgets the target does not lose the last of the sources.
    """
    second = tmp_path / "second.csv"
    second.write_text("0113 496 0000\n", encoding="utf-8")
    result = build(runner, source, second)

    assert result.exit_code == 2
    assert "name the register file last" in result.stderr
    assert second.read_text(encoding="utf-8") == "0113 496 0000\n"


def test_another_register_is_not_built_over(runner: CliRunner, source: Path, target: Path) -> None:
    """
    A file of the TPS is not replaced with one of the CTPS, which is asked beside it.
    """
    build(runner, source, target)
    result = build(runner, source, target, name="ctps")

    assert result.exit_code == 2
    assert "this is the file of the TPS" in result.stderr
    assert FileRegister(target).name == "tps"


def test_a_damaged_register_is_built_again(runner: CliRunner, source: Path, target: Path) -> None:
    """
    As the error that tells of the damage advises.
    """
    build(runner, source, target)
    target.write_bytes(target.read_bytes()[:-3])
    assert runner.invoke(optly, ["register", "verify", str(target)]).exit_code != 0

    assert build(runner, source, target).exit_code == 0
    assert runner.invoke(optly, ["register", "verify", str(target)]).exit_code == 0


def test_a_newer_copy_takes_the_place_of_the_older(runner: CliRunner, source: Path, target: Path) -> None:
    """
    Under the same name.
    """
    build(runner, source, target, as_of=today() - timedelta(days=30))
    assert build(runner, source, target).exit_code == 0

    assert today() == FileRegister(target).header.as_of


@pytest.mark.parametrize(
    "arguments",
    [
        ["-", "tps.register", "--name", "tps", "--as-of", "2026-11-24"],
        ["tps.csv", "-", "--name", "tps", "--as-of", "2026-11-24"],
        ["tps.csv", "--name", "tps", "--as-of", "2026-11-24"],
        ["missing.csv", "tps.register", "--name", "tps", "--as-of", "2026-11-24"],
        ["tps.csv", "tps.register", "--name", "mps", "--as-of", "2026-11-24"],
        ["tps.csv", "tps.register", "--name", "tps"],
        ["tps.csv", "tps.register", "--as-of", "2026-11-24"],
        ["tps.csv", "tps.register", "--name", "tps", "--as-of", "24/11/2026"],
        ["tps.csv", "tps.register", "--name", "tps", "--as-of", "2999-01-01"],
        ["tps.csv", "tps.register", "--name", "tps", "--as-of", "2026-11-24", "--listed-on", "2026-11-25"],
        ["tps.csv", "tps.register", "--name", "tps", "--as-of", "2026-11-24", "--column", "-1"],
        ["tps.csv", "tps.register", "--name", "tps", "--as-of", "2026-11-24", "--delimiter", "ab"],
    ],
)
def test_wrong_usage_is_exit_code_2(
    runner: CliRunner, source: Path, target: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    """
    And nothing is built.
    """
    monkeypatch.chdir(source.parent)
    result = runner.invoke(optly, ["register", "build", *arguments])

    assert (result.exit_code, result.stdout, target.exists()) == (2, "", False)


def test_standard_input_is_said_not_to_be_supported(runner: CliRunner, target: Path) -> None:
    """
    With what to do instead.
    """
    result = build(runner, "-", target)

    assert "standard input and output cannot be used" in " ".join(result.stderr.split())


# ---- a large one


@pytest.fixture(scope="module")
def million(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A licence file with a million numbers.
    """
    file = tmp_path_factory.mktemp("licence") / "tps.csv"
    file.write_text("".join(f"0161{number:07}\n" for number in range(MILLION)), encoding="ascii")
    return file


@pytest.mark.slow
def test_a_million_numbers_are_built_plainly_where_nobody_looks(million: Path, target: Path) -> None:
    """
    Without a bar in a log.
    """
    result = run("register", "build", str(million), str(target), "--name", "tps", "--as-of", str(today()))

    assert (result.returncode, result.stderr) == (0, "")
    assert "TPS with 1,000,000 numbers." in " ".join(result.stdout.split())
    assert len(FileRegister(target)) == MILLION


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs a pseudo-terminal")
def test_a_million_numbers_show_how_far_they_are(million: Path, target: Path) -> None:
    """
    On a terminal a bar goes from reading to writing and to the end, on standard error alone.
    """
    import pty

    ours, theirs = pty.openpty()
    try:
        arguments = ["register", "build", str(million), str(target), "--name", "tps", "--as-of", str(today())]
        with subprocess.Popen(
            [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=theirs, env={**os.environ, "TERM": "xterm"}
        ) as process:
            os.close(theirs)
            shown = b""
            try:
                while block := os.read(ours, 65536):
                    shown += block
            except OSError:  # how Linux says that the other side was closed
                pass
            assert process.stdout is not None
            told = process.stdout.read().decode()
    finally:
        os.close(ours)
    text = shown.decode()

    assert process.returncode == 0
    assert "TPS with 1,000,000 numbers." in " ".join(told.split())
    assert "Reading" not in told
    assert text.index("Reading the licence files") < text.index("Writing the register file")
    assert "100%" in text


def open_when_read(pipe: Path, process: subprocess.Popen[bytes]) -> IO[bytes]:
    """
    Return *pipe* opened, once the process reads from it, and so has read what comes before it.
    """
    while process.poll() is None:
        try:
            return os.fdopen(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK), "wb")
        except OSError:  # nobody reads yet
            time.sleep(0.01)
    raise AssertionError(f"the build ended by itself: {process.communicate()}")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="needs signals")
def test_an_interrupted_build_leaves_the_old_file(runner: CliRunner, million: Path, source: Path, target: Path) -> None:
    """
    Ctrl-C ends it with exit code 1; the register is as it was, and nothing lies about.
    """
    build(runner, source, target)
    before = target.read_bytes()
    slow = source.with_name("slow.csv")
    os.mkfifo(slow)
    arguments = ["register", "build", str(million), str(slow), str(target), "--name", "tps", "--as-of", str(today())]
    with (
        subprocess.Popen(
            [*COMMAND, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # Whoever runs the tests in the background has the signal ignored, and a child would inherit that.
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
        ) as process,
        open_when_read(slow, process),
    ):
        process.send_signal(signal.SIGINT)
        told, failed = process.communicate(timeout=60)

    assert (process.returncode, told) == (1, b"")
    assert failed.decode().endswith("\nAborted!\n")
    assert before == target.read_bytes()
    assert {"tps.csv", "slow.csv", "tps.register"} == {file.name for file in target.parent.iterdir()}


# ---- looking


def test_a_register_is_shown(runner: CliRunner, source: Path, target: Path) -> None:
    """
    Its name, how many numbers, its date, its age, and how long it can be used.
    """
    build(runner, source, target, as_of=today() - timedelta(days=28))
    result = runner.invoke(optly, ["register", "show", str(target)])

    assert result.exit_code == 0
    assert "• register TPS • numbers 2 • version" in said(result)
    assert FileRegister(target).header.version in said(result)
    assert f"copy of {day(today() - timedelta(days=28))}, 28 days old" in said(result)
    assert f"usable until {day(today())}, the last day included" in said(result)


def test_a_register_that_is_too_old_is_exit_code_1(runner: CliRunner, source: Path, target: Path) -> None:
    """
    So that a timer can tell.
    """
    build(runner, source, target, as_of=today() - timedelta(days=29))
    result = runner.invoke(optly, ["register", "show", str(target)])

    assert result.exit_code == 1
    assert "✗ usable until" in said(result)
    assert said(result).endswith(": get a new copy")


def test_a_whole_register_verifies(runner: CliRunner, source: Path, target: Path) -> None:
    """
    With what it is.
    """
    build(runner, source, target)
    result = runner.invoke(optly, ["register", "verify", str(target)])

    assert (result.exit_code, said(result)) == (0, "✓ verified TPS with 2 numbers, as it was built.")


def test_one_bit_that_changed_is_found(runner: CliRunner, source: Path, target: Path) -> None:
    """
    Exit code 1, and one line.
    """
    build(runner, source, target)
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    result = runner.invoke(optly, ["register", "verify", str(target)])

    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: the register file is damaged")


@pytest.mark.parametrize("name", ["show", "verify"])
def test_what_is_no_register_is_one_line(runner: CliRunner, source: Path, name: str) -> None:
    """
    A licence file is none; a file that is not there is wrong usage.
    """
    result = runner.invoke(optly, ["register", name, str(source)])

    assert (result.exit_code, result.stderr) == (1, "Error: not a register file: build one from the licence file\n")
    assert runner.invoke(optly, ["register", name, str(source.with_name("missing"))]).exit_code == 2
