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

    Keep it with the application's other secrets and never discard it: stop links and suppressions depend on it for as
    long as they exist. When you replace it, move it to the previous keys.
    """
    click.echo(Keys.generate())
