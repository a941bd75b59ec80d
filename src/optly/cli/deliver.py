"""
``optly deliver``
"""

from __future__ import annotations

import click

from optly.cli._app import with_manager
from optly.cli._options import LIMIT
from optly.cli._words import outcomes
from optly.manager import ConsentManager


@click.command("deliver")
@click.option("--limit", type=LIMIT, help="Maximum number of messages to send. By default all.")
@with_manager
def command(manager: ConsentManager, *, limit: int | None) -> None:
    """
    Send the messages that are due, then exit.

    Run it from a timer, or run a worker instead. Several may run at the same time.

    \b
    Examples:
      optly deliver --app acme.consent:manager
    """
    click.echo(outcomes(manager.deliver(limit=limit)))
