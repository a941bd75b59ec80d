"""
``optly keys``
"""

from __future__ import annotations

import click

from optly.keys import Keys


@click.command("keys")
def command() -> None:
    """
    Print a new random key.

    Keep it among the secrets of the application and never drop it: stop links and suppressions outlive it. When a new
    one takes its place, it moves to the previous keys.
    """
    click.echo(Keys.generate())
