"""
``optly seal``
"""

from __future__ import annotations

from typing import Final

import click

from optly.cli._app import with_manager
from optly.cli._terminal import progress_bar
from optly.manager import ConsentManager

_AT_ONCE: Final = 10_000  # contacts


@click.command("seal")
@with_manager
def command(manager: ConsentManager) -> None:
    """
    Seal what was recorded since the last time, and print the signed head of the log.

    Keep it where nobody who can change the record can change it. Sealing costs what is new; if interrupted, running it
    again goes on. Workers seal each minute.

    \b
    Examples:
      optly seal --app acme.consent:manager > checkpoint.txt
    """
    with progress_bar() as shown:
        task, before = shown.add_task("Sealing", total=None), -1
        head = manager.seal(limit=_AT_ONCE)
        while head is not None and head.size != before:
            before = head.size
            shown.update(task, completed=before)
            head = manager.seal(limit=_AT_ONCE)
    if head is None:
        raise click.ClickException("there is nothing to seal: no contact was ever recorded")
    click.echo(head.note, nl=False)
