"""
Finding the application's own manager.
"""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from textwrap import dedent

import click
import pytest
from cli.process import run
from click.testing import CliRunner
from world import World

from optly.cli._app import load
from optly.cli._commands import optly
from optly.storage import FileStorage

CHECK = ("check", "ada@example.com", "--channel", "email", "--purpose", "offers")
APPLICATION = """
    from optly import ConsentManager, Keys, Organisation, Purpose
    from optly.storage import FileStorage

    print("the application starts")

    class Settings:
        @staticmethod
        def manager():
            return ConsentManager(
                organisation=Organisation(
                    key="acme", name="Acme Ltd", address="1 High Street, Leeds", email="privacy@acme.example.com"
                ),
                purposes=[Purpose(key="offers", title="Offers")],
                storage=FileStorage("optly.jsonl"),
                keys=Keys(current="a key that is only used in tests"),
                base_url="https://acme.example.com/my",
            )
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    A directory that is the current one, and not on the path yet.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    return tmp_path


def write(folder: Path, name: str, code: str) -> None:
    (folder / name).write_text(dedent(code), encoding="utf-8")


@pytest.mark.parametrize("how", ["option", "environment"])
def test_the_application_is_found_in_the_current_directory(folder: Path, how: str) -> None:
    """
    By the option or the environment, through a function below an attribute; and what it prints is not in the answer.
    Nor is the warning of its store, which was not there.
    """
    write(folder, "acme_settings.py", APPLICATION)
    app = "acme_settings:Settings.manager"
    result = run(*CHECK, "--app", app) if how == "option" else run(*CHECK, OPTLY_APP=app)

    assert result.returncode == 1
    assert result.stdout.startswith(("✗ no ", "! no "))
    assert result.stderr == "the application starts\na new, empty file was set up\n"


def test_the_manager_is_closed(folder: Path, runner: CliRunner) -> None:
    """
    A store that one process holds alone is let go of, so that a second command in the same process opens it again.
    """
    write(folder, "acme_twice.py", APPLICATION)
    arguments = [*CHECK, "--app", "acme_twice:Settings.manager"]

    assert [1, 1] == [runner.invoke(optly, arguments).exit_code for _ in range(2)]


def test_without_an_application_it_is_wrong_usage(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Neither the option nor the environment names one.
    """
    monkeypatch.delenv("OPTLY_APP", raising=False)
    result = runner.invoke(optly, CHECK)

    assert result.exit_code == 2
    assert "Missing option '--app'" in result.stderr


@pytest.mark.parametrize(
    ("app", "why"),
    [
        ("", "enter MODULE:ATTRIBUTE"),
        ("acme_host", "enter MODULE:ATTRIBUTE"),
        (":manager", "enter MODULE:ATTRIBUTE"),
        ("acme_nowhere:manager", "no module named acme_nowhere"),
        ("acme_host.settings:manager", "no module named acme_host.settings"),
        ("acme_host:nothing", "module acme_host has no nothing"),
        ("acme_host:manager.nothing", "module acme_host has no manager.nothing"),
        ("acme_host:__name__", "is not a ConsentManager"),
        ("builtins:list", "is not a ConsentManager"),
    ],
)
def test_what_names_no_manager_is_wrong_usage(host: World, app: str, why: str) -> None:
    """
    And is told in a line.
    """
    with pytest.raises(click.BadParameter) as caught:
        load(app)

    assert caught.value.exit_code == 2
    assert why in caught.value.message


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ('import os\nos.environ["A SECRET"]', "raised KeyError in line 2 of acme_broken.py"),
        ("import sys\n\nsys.exit(0)", "raised SystemExit in line 3 of acme_broken.py"),
        ("import acme_absent", "raised ModuleNotFoundError in line 1 of acme_broken.py"),
        ("def manager(", "raised SyntaxError; import it"),
        ('def manager():\n    raise RuntimeError("A SECRET")', "raised RuntimeError in line 2 of acme_broken.py"),
        ('from optly.registers import FileRegister\n\nFileRegister("absent.register")', "register"),
    ],
)
def test_an_application_that_breaks_is_wrong_usage_and_no_verdict(folder: Path, code: str, why: str) -> None:
    """
    It is told where, and not what: an exception may hold a password. Not even an exit with 0 is taken for a yes.
    """
    write(folder, "acme_broken.py", code)
    result = run(*CHECK, "--app", "acme_broken:manager")

    assert (result.returncode, result.stdout) == (2, "")
    assert why in result.stderr
    assert "SECRET" not in result.stderr
    assert "Traceback" not in result.stderr


def test_an_application_set_up_wrongly_says_so(folder: Path) -> None:
    """
    An error of ours while it starts is shown as it is.
    """
    write(folder, "acme_wrong.py", APPLICATION.replace('key="offers"', 'key="Offers!"'))
    result = run(*CHECK, "--app", "acme_wrong:Settings.manager")

    assert result.returncode == 2
    assert result.stderr.splitlines()[1:] == [
        "Error: Purpose.key must be 1 to 48 lower-case letters, digits, - or _, and start with a letter"
    ]


def test_what_the_library_warns_of_is_shown_with_its_reason(folder: Path) -> None:
    """
    Where the application keeps no log: here, that its register is too old, and of which day it is.
    """
    old = """
    from datetime import date
    from optly.protocols import RegisterName
    from optly.registers import MemoryRegister
    OLD = [MemoryRegister(RegisterName.TPS, {}, as_of=date(2020, 2, 29))]
    """
    write(folder, "acme_old.py", dedent(old) + dedent(APPLICATION).replace("keys=", "registers=OLD, keys="))
    call = ("0161 496 0000", "--channel", "live_call", "--purpose", "offers", "--no-pensions", "--no-claims-management")
    result = run("check", *call, "--app", "acme_old:Settings.manager")

    assert result.returncode == 1
    assert "register cannot be checked: the copy of the TPS is dated 2020-02-29" in " ".join(result.stderr.split())
    assert "496" not in result.stderr
    assert "a recent enough copy of the TPS" in " ".join(result.stdout.split())


def test_a_store_that_is_held_by_another_process_is_no_verdict(folder: Path) -> None:
    """
    Exit code 3 is neither yes nor no.
    """
    write(folder, "acme_held.py", APPLICATION)
    with closing(FileStorage(folder / "optly.jsonl")):
        result = run(*CHECK, "--app", "acme_held:Settings.manager")

    assert (result.returncode, result.stdout) == (3, "")
