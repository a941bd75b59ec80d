"""
Ordinary mistakes at the command line, made with every command there is: each ends with an exit code that says what to
do about it and a line that says what is wrong, and nothing is changed.
"""

from __future__ import annotations

import gc
import os
import shutil
import sqlite3
import subprocess
import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from types import ModuleType

import attrs
import click
import pytest
from cli.process import COMMAND
from click.testing import CliRunner, Result
from world import world

from optly import ConsentManager
from optly.cli._commands import WITH_MANAGER, optly
from optly.protocols import RegisterName
from optly.registers import build
from optly.rules.editions import uk_date
from optly.storage import SQLStorage, _schema
from optly.storage._database import Database

# click leaves a file open that it opened before it found a mistake in what follows.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

ADA = "ada@example.com"
NOBODY = "0" * 32
QUESTION = "May Acme Ltd email you its offers? You can stop at any time."
UNREADABLE = "/proc/self/mem"  # opens, and cannot be read, whoever asks

# How each command is called rightly. The arguments come before the options.
RIGHT = {
    "ask": "people.csv --campaign winter --via email --channel email --purpose offers",
    "check": f"{ADA} --channel email --purpose offers",
    "complaint": "{reference}",
    "complaints": "",
    "deliver": "",
    "demo": "--once",
    "evidence": ADA,
    "export-log": "published",
    "import-objections": "people.csv --how list",
    "keys": "",
    "lint": "question.txt --organisation Acme --channel email",
    "outbox": "",
    "receive-mail": "",
    "reconcile": "",
    "record-complaint": "question.txt --how telephone",
    "register build": "numbers.csv tps.register --name tps --as-of 2026-11-20 --listed-on 2026-01-05",
    "register show": "known.register",
    "register verify": "known.register",
    "screen": "people.csv --channel email --purpose offers",
    "seal": "",
    "stats": "",
    "storage distribute": "--citus",
    "verify": "",
    "verify-evidence": "pack.json",
    "worker": "--once",
}
RUN = [name for name in RIGHT if name != "demo"]  # which takes seconds, and has tests of its own
WITH_APP = [name for name in RUN if name in WITH_MANAGER]

# Options that take any text.
FREE = {
    *(("ask", option) for option in ("campaign", "language", "solicited_how")),
    *((command, option) for command in ("check", "screen") for option in ("public_task", "instigator")),
    ("screen", "column"),
    *(("complaint", option) for option in ("acknowledged", "resolved")),
    ("import-objections", "how"),
    *(("lint", option) for option in ("organisation", "language", "yes", "no")),
    ("receive-mail", "recipient"),
    *(("record-complaint", option) for option in ("how", "name")),
}
# What has to be said too, so that an option can be used.
WITH = {
    ("ask", "solicited_at"): "--solicited-how form",
    ("complaint", "outcome"): "--send",
}


def tree(command: click.Command, *path: str) -> Iterator[tuple[str, click.Command]]:
    """
    Yield every command that does something, by the words that call it.
    """
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from tree(below, *path, name)
    else:
        yield " ".join(path), command


COMMANDS = dict(tree(optly))


@attrs.frozen
class Desk:
    """
    A directory with an application, its database and some files, from which commands are run.
    """

    folder: Path
    reference: str

    def run(self, name: str, right: Sequence[str] | None = None, *more: str, stdin: str | bytes = "") -> Result:
        words = self.right(name) if right is None else right
        return CliRunner().invoke(optly, [*name.split(), *words, *more], input=stdin)

    def right(self, name: str) -> list[str]:
        return RIGHT[name].format(reference=self.reference).split()

    def kept(self) -> tuple[object, ...]:
        """
        Return everything that a command could change.
        """
        with sqlite3.connect(self.folder / "record.db") as database:
            rows = list(database.iterdump())
        database.close()
        files = {
            path.name: path.read_bytes() if path.is_file() else b""
            for path in self.folder.iterdir()
            if not path.name.startswith("record.db")
        }
        return rows, files


def manager(url: str) -> ConsentManager:
    return world(SQLStorage(url)).manager


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """
    The application, named to every command.
    """
    made = ModuleType("acme_host")
    monkeypatch.setitem(sys.modules, "acme_host", made)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("OPTLY_APP", "acme_host:manager")
    return made


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """
    An application with Ada, her complaint, and every file that a right call needs.
    """
    folder = tmp_path_factory.mktemp("made")
    acme = world(SQLStorage(f"sqlite:///{folder}/record.db"))
    ada = acme.add()
    complaint = acme.manager.record_complaint(ada, text="Stop writing to me.", how="letter", send=False)
    (folder / "pack.json").write_text(acme.manager.evidence(ada).to_json())
    acme.manager.close()
    (folder / "people.csv").write_text(f"{ADA}\n")
    (folder / "question.txt").write_text(QUESTION)
    (folder / "numbers.csv").write_text("0161 496 0000\n")
    (folder / "not-text").write_bytes(b"\xff\xfe\x81\x00")
    (folder / "folder").mkdir()
    build(
        [folder / "numbers.csv"],
        folder / "known.register",
        name=RegisterName.TPS,
        as_of=uk_date(datetime.now(UTC)),
        listed_on=date(2026, 1, 5),
    )
    yield Desk(folder, complaint.reference)
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()


@pytest.fixture
def desk(made: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> Desk:
    """
    A copy of it, in the current directory.
    """
    shutil.copytree(made.folder, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    module.manager = lambda: manager("sqlite:///record.db")  # type: ignore[attr-defined]
    return attrs.evolve(made, folder=tmp_path)


def said(result: Result) -> str:
    """
    Return the line that says what is wrong, after checking that it is the only one and no bug.
    """
    assert result.exception is None or isinstance(result.exception, SystemExit), repr(result.exception)
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ") or line == "Aborted!"]
    assert result.stderr.splitlines()[-1] == line
    return line


def code(name: str, expected: int) -> int:
    """
    Return the exit code to expect: a mail system is to try again, whatever went wrong.
    """
    return 75 if name == "receive-mail" else expected


def taken(kind: type[click.File | click.Path], of: Iterable[str] = RUN) -> Iterator[tuple[str, click.Parameter]]:
    for name in of:
        for parameter in COMMANDS[name].params:
            if isinstance(parameter.type, kind):
                yield name, parameter


def with_value(desk: Desk, name: str, parameter: click.Parameter, value: str) -> list[str]:
    """
    Return a call that is right, but for one value.
    """
    words = desk.right(name)
    if isinstance(parameter, click.Argument):
        place = [each for each in COMMANDS[name].params if isinstance(each, click.Argument)].index(parameter)
        return [*words[:place], value, *words[place + 1 :]]
    return [*words, parameter.opts[0], *[value] * parameter.nargs, *WITH.get((name, parameter.name or ""), "").split()]


def ids(value: object) -> str | None:
    return value.name if isinstance(value, click.Parameter) else None


WRITTEN = {
    *(("ask", "refused"), ("evidence", "output"), ("register build", "target"), ("screen", "output")),
    *(("demo", "directory"), ("export-log", "directory")),
}
FILES = [*taken(click.File), *taken(click.Path)]
READ = [(name, parameter) for name, parameter in FILES if (name, parameter.name) not in WRITTEN]
VALUES = [
    (name, parameter)
    for name in RUN
    for parameter in COMMANDS[name].params
    if isinstance(parameter, click.Option)
    and not parameter.is_flag
    and parameter.name != "app"
    and not isinstance(parameter.type, click.File | click.Path)
    and (name, parameter.name) not in FREE
]


def test_every_command_is_walked() -> None:
    """
    A new command has to be given a right call, and an option that takes any text has to be named.
    """
    assert COMMANDS.keys() == RIGHT.keys()
    assert {*WITH_MANAGER} == {*WITH_APP}
    options = {(name, parameter.name) for name, command in COMMANDS.items() for parameter in command.params}
    assert options >= FREE | WITH.keys() | WRITTEN
    assert len(READ) >= 9
    assert len(VALUES) >= 30


@pytest.mark.parametrize("name", RUN)
def test_a_right_call_makes_no_mistake(desk: Desk, name: str) -> None:
    """
    So that what goes wrong below is due to the mistake.
    """
    result = desk.run(name)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    assert result.exit_code == (1 if name == "check" else 0)
    assert "Error" not in result.stderr


@pytest.mark.parametrize(("name", "parameter"), READ, ids=ids)
def test_a_file_that_is_not_there(desk: Desk, name: str, parameter: click.Parameter) -> None:
    """
    The file is named. A directory is no file.
    """
    before = desk.kept()
    for file in ("missing", "people.csv/missing", "folder"):
        result = desk.run(name, with_value(desk, name, parameter, file))
        assert file in said(result)
        assert result.exit_code == 2
    assert before == desk.kept()


@pytest.mark.skipif(not Path(UNREADABLE).exists(), reason="this system has no file that opens and cannot be read")
@pytest.mark.parametrize(("name", "parameter"), READ, ids=ids)
def test_a_file_that_cannot_be_read(desk: Desk, name: str, parameter: click.Parameter) -> None:
    """
    So does one on a disk that fails.
    """
    before = desk.kept()
    result = desk.run(name, with_value(desk, name, parameter, UNREADABLE))
    assert "cannot be " in said(result)
    assert result.exit_code in (1, 2)
    assert before == desk.kept()


@pytest.mark.parametrize(("name", "parameter"), READ, ids=ids)
def test_a_file_that_is_not_text(desk: Desk, name: str, parameter: click.Parameter) -> None:
    """
    Evidence and its like are reported as damaged on standard output; all else is wrong usage.
    """
    before = desk.kept()
    result = desk.run(name, with_value(desk, name, parameter, "not-text"))
    if name.startswith("verify"):
        assert (result.exit_code, result.stderr) == (1, "")
        assert "unreadable" in result.stdout or "signature" in result.stdout
    else:
        assert said(result)
        assert result.exit_code == (1 if name.startswith("register") else 2)
    assert before == desk.kept()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        *(
            (name, ["-"])
            for name in ("ask", "check", "evidence", "import-objections", "lint", "record-complaint", "screen")
        ),
        ("complaint", ["{reference}", "--send", "--outcome", "-"]),
    ],
)
def test_standard_input_that_is_not_text(desk: Desk, name: str, words: list[str]) -> None:
    """
    It is read as a file is.
    """
    before = desk.kept()
    call = [word.format(reference=desk.reference) for word in words] + desk.right(name)[1:]
    result = desk.run(name, call, stdin=b"\xff\xfe\x81")
    assert said(result)
    assert result.exit_code == 2
    assert before == desk.kept()


@pytest.mark.parametrize(("name", "option"), sorted(WRITTEN))
def test_a_file_that_cannot_be_written(desk: Desk, name: str, option: str) -> None:
    """
    It is found before anything is recorded.
    """
    (parameter,) = [each for each in COMMANDS[name].params if each.name == option]
    before = desk.kept()
    # Two make the directory that they are given, and write into one that is there.
    for file in (
        "people.csv/below",
        *(("missing/below", "folder") if name not in ("demo", "export-log") else ("people.csv",)),
    ):
        result = desk.run(name, with_value(desk, name, parameter, file))
        assert said(result)
        assert result.exit_code == 2
    assert before == desk.kept()


@pytest.mark.parametrize(("name", "parameter"), VALUES, ids=ids)
def test_a_value_that_does_not_fit(desk: Desk, name: str, parameter: click.Parameter) -> None:
    """
    It is wrong usage, whatever kind of value the option takes.
    """
    values = ["nonsense", ""]
    if parameter.name == "limit":
        values += ["0", "9" * 30]
    if parameter.metavar == "INSTANT":
        values += ["2026-11-24", "2026-11-24T12:00:00", "0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59-12:00"]
    before = desk.kept()
    for value in values:
        result = desk.run(name, with_value(desk, name, parameter, value))
        assert said(result)
        assert result.exit_code == code(name, 2)
    assert before == desk.kept()


@pytest.mark.parametrize("name", RUN)
def test_an_option_that_does_not_exist(desk: Desk, name: str) -> None:
    """
    As an option that is spelled wrongly.
    """
    before = desk.kept()
    result = desk.run(name, None, "--nonsense")
    assert "--nonsense" in said(result)
    assert result.exit_code == code(name, 2)
    assert before == desk.kept()


@pytest.mark.parametrize("name", WITH_APP)
def test_no_configuration(desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """
    The line says which option names the application.
    """
    before = desk.kept()
    for app in ("", "acme_host", "acme_host:nothing", "acme_elsewhere:manager"):
        monkeypatch.setenv("OPTLY_APP", app)
        result = desk.run(name)
        assert "--app" in said(result)
        assert result.exit_code == code(name, 2)
    assert before == desk.kept()


@pytest.mark.parametrize("name", WITH_APP)
def test_a_database_that_is_not_there(desk: Desk, module: ModuleType, name: str) -> None:
    """
    That is neither a yes nor a no.
    """
    before = desk.kept()
    for url in (
        "sqlite:///missing/record.db",
        "sqlite:///folder",
        "sqlite:///not-text",
        "postgresql+psycopg://127.0.0.1:1/none",
    ):
        module.manager = partial(manager, url)  # type: ignore[attr-defined]
        result = desk.run(name)
        assert said(result)
        assert result.exit_code == code(name, 3)
    assert before == desk.kept()


@pytest.mark.parametrize("version", [1, 99])
@pytest.mark.parametrize("name", WITH_APP)
def test_a_database_of_another_version(desk: Desk, name: str, version: int) -> None:
    """
    It is left as it is, whether it is older or newer.
    """
    with sqlite3.connect(desk.folder / "record.db") as database:
        assert database.execute(f"UPDATE {_schema.schema_version.name} SET version = ?", (version,)).rowcount == 1
    database.close()
    before = desk.kept()
    result = desk.run(name)
    assert said(result)
    assert result.exit_code == code(name, 2)
    assert before == desk.kept()


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("complaint", "CMP-0000-00", 2),
        ("evidence", "eve@example.com", 2),
        ("evidence", "+447911123457", 2),
        ("evidence", NOBODY, 2),
        ("evidence", "nonsense", 2),
        ("check", "nonsense --channel email --purpose offers", 2),
        ("reconcile", "--sent nonsense nonsense", 2),
        ("record-complaint", f"question.txt --how letter --contact {NOBODY}", 2),
        ("record-complaint", "question.txt --how letter --contact nonsense", 2),
    ],
)
def test_someone_who_is_not_on_record(desk: Desk, name: str, words: str, expected: int) -> None:
    """
    The line does not repeat what was typed, which may be an address.
    """
    before = desk.kept()
    result = desk.run(name, words.split())
    assert words.split()[0] not in said(result)
    assert result.exit_code == expected
    assert before == desk.kept()


@pytest.mark.parametrize("name", WITH_APP)
def test_ctrl_c(desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """
    It ends the command in the middle of its work.
    """

    def interrupted(*_: object, **__: object) -> object:
        raise KeyboardInterrupt

    before = desk.kept()
    for method in ("read", "write"):
        monkeypatch.setattr(Database, method, interrupted)
    result = desk.run(name, stdin=f"From: {ADA}\r\nTo: hello@acme.example.com\r\n\r\nSTOP\r\n")
    assert said(result)
    assert result.exit_code == code(name, 1)
    assert before == desk.kept()


@pytest.mark.slow
def test_a_pipe_that_is_closed(desk: Desk) -> None:
    """
    As by ``| head``: no command complains.
    """
    (desk.folder / "acme_host.py").write_text(
        "from optly.storage import SQLStorage\nfrom world import world\n"
        "def manager():\n    return world(SQLStorage('sqlite:///record.db')).manager\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    nowhere, closed = os.pipe()
    os.close(nowhere)
    try:
        running = {
            name: subprocess.Popen(
                [*COMMAND, *name.split(), *desk.right(name)],
                stdin=subprocess.DEVNULL,
                stdout=closed,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                env=environment,
            )
            for name in RUN
        }
    finally:
        os.close(closed)
    for name, process in running.items():
        _, errors = process.communicate(timeout=60)
        assert "Traceback" not in errors, name
        assert process.returncode == code(name, 1), name


@pytest.mark.slow
def test_streams_that_are_closed(desk: Desk) -> None:
    """
    As by a timer that gives a command neither input nor output.
    """
    for words in ("lint - --organisation Acme --channel email", "keys", "register show known.register"):
        done = subprocess.run(
            ["/bin/sh", "-c", f'exec "$@" {words} <&- >&- 2>&-', "sh", *COMMAND], check=False, timeout=60
        )
        assert done.returncode == (2 if words.startswith("lint") else 0)
