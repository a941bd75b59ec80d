"""
The commands by name. The module of each is loaded when it is needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any, ClassVar, Final

import click

from optly.cli._terminal import plain
from optly.errors import LedgerError, OptlyError, RetryableError, UsageError

WITH_MANAGER: Final = {
    "ask": "optly.cli.ask",
    "check": "optly.cli.check.command",
    "deliver": "optly.cli.deliver",
    "evidence": "optly.cli.evidence",
    "import-objections": "optly.cli.import_objections",
    "outbox": "optly.cli.outbox",
    "receive-mail": "optly.cli.receive_mail",
    "reconcile": "optly.cli.reconcile",
    "verify": "optly.cli.verify",
    "worker": "optly.cli.worker",
}
_WITHOUT_MANAGER: Final = {
    "demo": "optly.cli.demo",
    "keys": "optly.cli.keys",
    "lint": "optly.cli.lint",
    "register": "optly.cli.register",
    "verify-evidence": "optly.cli.verify_evidence",
}


class Commands(click.Group):
    """
    Loads commands on demand, and turns an error of the library into one line and an exit code: 2 for a wrong call or
    wrong settings, 3 if the database cannot be read, and 1 for anything else.
    """

    modules: ClassVar[Mapping[str, str]] = WITH_MANAGER | _WITHOUT_MANAGER

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = self.modules.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptlyError as error:
            failure = click.ClickException(plain(str(error)))
            failure.exit_code = _exit_code(error)  # type: ignore[misc]
            raise failure from error


def _exit_code(error: OptlyError) -> int:
    match error:
        case UsageError():
            return 2
        case RetryableError() | LedgerError():
            return 3
        case _:
            return 1


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="optly", message="%(prog)s %(version)s")
def optly() -> None:
    """
    Ask for consent to marketing, record it as evidence, and act on it.
    """
