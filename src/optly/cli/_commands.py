"""
The commands by name. The module of each is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from optly.cli._terminal import plain
from optly.errors import LedgerError, OptlyError, RetryableError, UsageError

_MODULES: Final = {
    "ask": "optly.cli.ask",
    "check": "optly.cli.check.command",
    "demo": "optly.cli.demo",
    "keys": "optly.cli.keys",
    "lint": "optly.cli.lint",
    "outbox": "optly.cli.outbox",
    "receive-mail": "optly.cli.receive_mail",
    "reconcile": "optly.cli.reconcile",
    "register": "optly.cli.register",
    "verify-evidence": "optly.cli.verify_evidence",
    "worker": "optly.cli.worker",
}


class Commands(click.Group):
    """
    Finds the commands, and turns an error of ours into one line and an exit code: 2 where the call or the settings are
    wrong, 3 where the store cannot be asked, and 1 for everything else.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        command: click.Command = import_module(module).command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except OptlyError as error:
            click.echo(f"Error: {plain(str(error))}", err=True)
            raise click.exceptions.Exit(_exit_code(error)) from error


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
    Consent to marketing: asked for, recorded as evidence, and kept to.
    """
