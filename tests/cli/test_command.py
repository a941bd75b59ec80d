"""
The command itself: what it is called with, and what it says where it cannot run.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from cli.process import run
from click.testing import CliRunner
from world import KEYS, World, world

from optly.cli._commands import optly
from optly.cli._terminal import plain
from optly.errors import (
    ConfigurationError,
    OptlyError,
    RegisterSourceError,
    StorageFailedError,
    StorageUnavailableError,
)
from optly.keys import Keys


def python(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, check=False, encoding="utf-8", timeout=60
    )


def test_version_is_that_of_the_package() -> None:
    """
    The version is read from the installed package.
    """
    assert f"optly {version('optly')}\n" == run("--version").stdout


@pytest.mark.parametrize("option", ["-h", "--help"])
def test_help_lists_the_commands(runner: CliRunner, option: str) -> None:
    """
    Every command stands in the help with a line of its own.
    """
    result = runner.invoke(optly, [option])

    assert result.exit_code == 0
    assert re.findall(r"^  ([a-z][a-z-]*)  ", result.output, re.M) == [
        "ask",
        "check",
        "complaint",
        "complaints",
        "deliver",
        "demo",
        "evidence",
        "export-log",
        "import-objections",
        "keys",
        "lint",
        "outbox",
        "receive-mail",
        "reconcile",
        "record-complaint",
        "register",
        "screen",
        "seal",
        "stats",
        "storage",
        "verify",
        "verify-evidence",
        "worker",
    ]


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["demo", "--twice"], ["verify-evidence"], ["keys", "more"], ["register", "nonsense"], ["lint"]],
)
def test_wrong_usage_is_exit_code_2(runner: CliRunner, arguments: list[str]) -> None:
    """
    A call that is wrong ends with exit code 2.
    """
    assert runner.invoke(optly, arguments).exit_code == 2


def test_keys_prints_a_new_key_each_time(runner: CliRunner) -> None:
    """
    What is printed is a key, nothing else, and never the same.
    """
    first, second = (runner.invoke(optly, ["keys"]).output for _ in range(2))

    assert first != second
    assert [f"{Keys(current=key.strip()).current}\n" for key in (first, second)] == [first, second]


def test_keys_shows_how_far_a_rotation_has_come(
    runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Each key by its version, what it does, and what to do next; no secret.
    """
    new = Keys.generate()

    def shown(keys: Keys) -> list[str]:
        rotated = world(host.storage, keys=keys).manager
        monkeypatch.setattr(sys.modules["acme_host"], "manager", rotated)
        result = runner.invoke(optly, ["keys", "--list"])
        assert result.exit_code == 0
        assert not any(secret in result.output for secret in (keys.current, *keys.previous))
        assert all(f"{key.version} " in result.output for key in keys.all)
        assert all(public_key.hex() in result.output for public_key in keys.public_keys)
        return [
            word for word in ("current:", "earlier:", "to come:", "Once every", "To rotate") if word in result.output
        ]

    assert ["current:", "To rotate"] == shown(KEYS)
    assert ["current:", "to come:", "Once every"] == shown(Keys(current=KEYS.current, previous=[new]))
    assert ["current:", "earlier:", "To rotate"] == shown(Keys(current=new, previous=[KEYS.current]))


def test_the_keys_of_no_application_cannot_be_shown(runner: CliRunner) -> None:
    """
    The other form needs none.
    """
    result = runner.invoke(optly, ["keys", "--list"])
    assert result.exit_code == 2
    assert "--app" in result.stderr


def test_keys_renews_the_rows_of_a_record(runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Each once, and says so; rows that were altered are left, counted, and no success.
    """
    ada = host.add()
    rotated = world(host.storage, keys=Keys(current=Keys.generate(), previous=[KEYS.current])).manager
    monkeypatch.setattr(sys.modules["acme_host"], "manager", rotated)

    def renewed(*options: str) -> tuple[int, list[int]]:
        result = runner.invoke(optly, ["keys", "--renew", *options])
        return result.exit_code, [int(number) for number in re.findall(r": (\d+)\.", result.output)]

    code, (count,) = renewed()
    assert code == 0
    assert count > 0
    assert renewed("--unsigned") == (0, [0])
    state = host.storage._state  # type: ignore[attr-defined]
    state.contacts[ada.subject].mac = b""
    assert renewed() == (1, [0, 1])
    assert renewed("--unsigned") == (0, [1])
    assert runner.invoke(optly, ["keys", "--unsigned"]).exit_code == 2


@pytest.mark.parametrize("missing", ["aiosmtpd", "click", "rich"])
def test_a_missing_extra_is_one_line_and_no_traceback(missing: str) -> None:
    """
    Where a part of the extra is missing, the command says what to install.
    """
    code = f"import sys; sys.modules[{missing!r}] = None; sys.argv = ['optly', 'demo', '--once']; import optly.cli"
    result = python(f"{code}; optly.cli.main()")

    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == "The optly command needs more than the library alone: pip install 'optly[cli]'\n"


def test_another_missing_module_is_not_hidden() -> None:
    """
    A module that the extra does not bring is a bug, and is shown as one.
    """
    code = "import sys; sys.modules['optly.keys'] = None; sys.argv = ['optly', 'keys']; import optly.cli"

    assert "ModuleNotFoundError: import of optly.keys halted" in python(f"{code}; optly.cli.main()").stderr


def test_importing_the_entry_point_loads_no_extra() -> None:
    """
    The module a console script imports needs only the standard library.
    """
    result = python("import optly.cli, sys; print(sys.modules.keys() & {'click', 'rich', 'aiosmtpd', 'sqlalchemy'})")

    assert result.stdout == "set()\n"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConfigurationError("this cannot work"), 2),
        (StorageUnavailableError("this cannot work"), 3),
        (StorageFailedError("this cannot work"), 3),
        (RegisterSourceError("this cannot work"), 1),
    ],
)
def test_an_error_of_ours_is_one_line(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, error: OptlyError, code: int
) -> None:
    """
    An error of the library ends the command with its message, and with a code that says what to do about it.
    """

    def refuse() -> str:
        raise error

    monkeypatch.setattr(Keys, "generate", refuse)
    result = runner.invoke(optly, ["keys"])

    assert (result.exit_code, result.stdout, result.stderr) == (code, "", "Error: this cannot work\n")


def test_control_characters_cannot_steer_the_terminal() -> None:
    """
    What came from elsewhere cannot move the cursor, change colours, break the line or turn the text round.
    """
    assert plain("a\x1b[31mb\nc\x9bd\u202ee") == "a�[31mb�c�d�e"


def test_a_sign_that_cannot_be_shown_is_no_reason_to_end(tmp_path: Path) -> None:
    """
    Where the output has but few characters, the others are replaced.
    """
    file = tmp_path / "question.txt"
    file.write_text("May Acme and our selected partners email you? You can stop at any time.", encoding="utf-8")
    result = run("lint", "--organisation", "Acme", "--channel", "email", str(file), PYTHONIOENCODING="ascii")

    assert (result.returncode, result.stderr) == (1, "")
    assert "?selected partners?" in " ".join(result.stdout.split())
