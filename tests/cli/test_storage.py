"""
``optly storage``.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from world import World, world

from optly.cli._commands import optly
from optly.storage import SQLStorage

DISTRIBUTE = ["storage", "distribute"]


def test_the_statements_are_printed(runner: CliRunner) -> None:
    """
    As they can be pasted into psql, without an application.
    """
    printed = runner.invoke(optly, [*DISTRIBUTE, "--citus"])
    assert printed.exit_code == 0
    assert [f"{statement};" for statement in SQLStorage.distribution()] == printed.output.splitlines()


@pytest.mark.parametrize("options", [[], ["--run"]])
def test_it_has_to_be_said_over_what(runner: CliRunner, host: World, options: list[str]) -> None:
    """
    There is no default for where the tables go.
    """
    refused = runner.invoke(optly, [*DISTRIBUTE, *options])
    assert (2, True) == (refused.exit_code, "--citus" in refused.output)


def test_nothing_is_run_without_an_application(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The database is that of the application.
    """
    monkeypatch.delenv("OPTLY_APP", raising=False)
    refused = runner.invoke(optly, [*DISTRIBUTE, "--citus", "--run"])
    assert (2, True) == (refused.exit_code, "--app" in refused.output)


def test_another_store_is_not_distributed(
    runner: CliRunner, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    One line says what is wrong with it.
    """
    refused = runner.invoke(optly, [*DISTRIBUTE, "--citus", "--run"])
    assert (2, True) == (refused.exit_code, "SQLStorage" in refused.output)
    storage = SQLStorage(f"sqlite:///{tmp_path}/optly.db", distributed=True)
    monkeypatch.setattr("acme_host.manager", world(storage).manager)
    refused = runner.invoke(optly, [*DISTRIBUTE, "--citus", "--run"])
    assert (2, True) == (refused.exit_code, "Citus" in refused.output)
    storage.close()
