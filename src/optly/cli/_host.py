"""
The commands inside a web framework, which has a command line and a manager of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from inspect import unwrap
from typing import Any, Final

import click

from optly.cli._commands import WITH_MANAGER, Commands, optly
from optly.manager import ConsentManager

# Where the context of a command keeps what the framework does after each batch of a worker.
AFTER_BATCH: Final = "optly.after_batch"


class HostCommands(Commands):
    """
    The commands that work with a manager, taking it from the framework and not from an option ``--app``.

    Args:
        manager: Returns the manager of the application. Called inside the command that needs it.
        program: What people type before the name of a command, such as ``flask optly``.
        after_batch: Called by a worker after each batch, empty ones included.
    """

    names = WITH_MANAGER

    def __init__(
        self, *, manager: Callable[[], ConsentManager], program: str, after_batch: Callable[[], object] | None = None
    ) -> None:
        super().__init__("optly", help=optly.help, context_settings=optly.context_settings)
        self._manager = manager
        self._program = program
        self._after_batch = after_batch

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None or command.callback is None:
            return None
        run = unwrap(command.callback)
        adapted = copy(command)
        adapted.params = [parameter for parameter in command.params if parameter.name != "app"]
        adapted.callback = lambda **options: run(self._manager(), **options)
        adapted.help = (
            (command.help or "")
            .replace(" --app acme.consent:manager", "")
            .replace(f"optly {cmd_name}", f"{self._program} {cmd_name}")
        )
        return adapted

    def invoke(self, ctx: click.Context) -> Any:
        ctx.meta[AFTER_BATCH] = self._after_batch
        return super().invoke(ctx)
