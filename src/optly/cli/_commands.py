"""
The commands by name. The module of each is loaded when it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any, Final

import click

from optly.errors import OptlyError

_MODULES: Final = {
    "demo": "optly.cli.demo.command",
    "keys": "optly.cli.keys",
    "verify-evidence": "optly.cli.verify_evidence",
}


class Commands(click.Group):
    """
    Finds the commands, and turns an error of ours into one line and exit code 1.
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
            raise click.ClickException(str(error)) from error


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="optly", message="%(prog)s %(version)s")
def optly() -> None:
    """
    Consent to marketing: asked for, recorded as evidence, and kept to.
    """
