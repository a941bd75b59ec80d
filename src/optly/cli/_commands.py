"""
The commands by name. The module of each, which has that name too, is loaded when it is needed.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, ClassVar, Final

import click

from optly.cli._terminal import plain
from optly.errors import LedgerError, OptlyError, RetryableError, UsageError

WITH_MANAGER: Final = (
    "ask",
    "check",
    "complaint",
    "complaints",
    "deliver",
    "evidence",
    "export-log",
    "import-objections",
    "outbox",
    "receive-mail",
    "reconcile",
    "record-complaint",
    "screen",
    "seal",
    "stats",
    "verify",
    "worker",
)
_WITHOUT_MANAGER: Final = ("demo", "keys", "lint", "register", "storage", "verify-evidence")


class Commands(click.Group):
    """
    Loads commands on demand, and turns an error of the library into one line and an exit code: 2 for a wrong call or
    wrong settings, 3 if the database cannot be read, and 1 for anything else.
    """

    names: ClassVar[tuple[str, ...]] = (*WITH_MANAGER, *_WITHOUT_MANAGER)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self.names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.names:
            return None
        command: click.Command = import_module(f"optly.cli.{cmd_name.replace('-', '_')}").command
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
