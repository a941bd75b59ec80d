"""
The commands ``flask optly …``: those of the ``optly`` command that work with a manager, and some that need no more than
one. The manager is that of the application.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from copy import copy
from inspect import unwrap
from typing import IO, Any, Final

import attrs
import click
from flask import current_app
from flask.cli import AppGroup, with_appcontext

from optly.cli._commands import Commands
from optly.cli._options import one_of
from optly.cli._terminal import Terminal
from optly.contacts.addresses import Channel
from optly.errors import UnknownContactError
from optly.manager import ConsentManager

_APP: Final = "app"


def _manager() -> ConsentManager:
    manager: ConsentManager = current_app.extensions["optly"].manager
    return manager


class _Commands(Commands, AppGroup):
    """
    Finds what was added, and after it the commands of ``optly`` that have an option ``--app``.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *(name for name in super().list_commands(ctx) if self.get_command(ctx, name))})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        command = super().get_command(ctx, cmd_name)
        return None if command is None else _with_current_manager(command)


def _with_current_manager(command: click.Command) -> click.Command | None:
    """
    Return *command* as one that takes the manager of the application, or None if it takes none at all.
    """
    if command.callback is None or all(parameter.name != _APP for parameter in command.params):
        return None
    adapted = copy(command)
    adapted.params = [parameter for parameter in command.params if parameter.name != _APP]
    adapted.callback = _called_with_manager(unwrap(command.callback))
    adapted.help = (command.help or "").replace(" --app acme.consent:manager", "").replace("  optly ", "  flask optly ")
    return adapted


def _called_with_manager(command: Callable[..., None]) -> Callable[..., None]:
    @with_appcontext
    def call(**told: Any) -> None:
        command(_manager(), **told)

    return call


@click.command("optly", cls=_Commands)
def commands() -> None:
    """
    Consent to marketing: asked for, recorded as evidence, and kept to.
    """


@commands.command("deliver")
@click.option("--limit", type=click.IntRange(min=1), help="Hand over so many messages at most.")
def deliver(limit: int | None) -> None:
    """
    Hand over what is due, and end. For a timer; see also flask optly worker.
    """
    counts = attrs.asdict(_manager().deliver(limit=limit))
    told = [f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items() if number]
    click.echo(", ".join(told) or "nothing was due")


@commands.command("verify")
@click.option("--checkpoint", type=click.File("rb"), help="A signed head of the log, kept earlier.")
def verify(checkpoint: IO[bytes] | None) -> None:
    """
    Verify everything on record. Reads every event.

    The exit code is 0 if nothing is wrong, and 1 if something is.
    """
    kept = None if checkpoint is None else checkpoint.read().decode("utf-8", "replace")
    found = _manager().verify(checkpoint=kept)
    terminal = Terminal()
    for problem in found.problems:
        terminal.bad(problem.finding, str(problem))
    if not found:
        raise click.exceptions.Exit(1)
    terminal.good("verified", f"{found.events:,} events. Nothing was altered, removed, reordered or added.")


@commands.command("evidence")
@click.argument("address")
@click.option("--channel", type=one_of(Channel), default=Channel.EMAIL.value, show_default=True, help="What it is for.")
@click.option("--html", "as_html", is_flag=True, help="Write the form for people, not the one that can be verified.")
def evidence(address: str, channel: str, as_html: bool) -> None:
    """
    Write everything that proves what somebody was asked and answered. It holds their personal data.

    ADDRESS is an address of theirs. Written as - it is read from standard input, and so stands in no list of processes
    and no history.
    """
    contact = _manager().find(sys.stdin.read().strip() if address == "-" else address, Channel(channel))
    if contact is None:
        raise UnknownContactError("nobody with this address is on record")
    pack = _manager().evidence(contact)
    click.echo(pack.to_html() if as_html else pack.to_json())
