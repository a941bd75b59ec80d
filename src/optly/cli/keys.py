"""
``optly keys``
"""

from __future__ import annotations

from typing import Final

import click

from optly.cli._app import app_option, load
from optly.cli._terminal import Terminal
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.results import KnownKey

_BEGIN: Final = "To rotate, add a new key to the previous keys of every process, and restart them all."
_GO_ON: Final = (
    "Once every process was restarted with these keys, make the one that is to come the current one, and move the "
    "current one to the previous ones."
)


@click.command("keys")
@click.option("listed", "--list", is_flag=True, help="Show how far a rotation of the application's keys has come.")
@click.option("renewed", "--renew", is_flag=True, help="Sign every row of the record with the current key.")
@click.option("--unsigned", is_flag=True, help="With --renew: sign rows without a MAC, too, of a record from before.")
@app_option(required=False)
def command(*, listed: bool, renewed: bool, unsigned: bool, app: str | None) -> None:
    """
    Print a new random key, or show those of an application.

    Keep the key with the application's other secrets and never discard it: stop links and suppressions depend on it for
    as long as they exist. To replace it, first add the new key to the previous keys of every process. Only then make it
    the current one.

    \b
    Examples:
      optly keys
      optly keys --list --app acme.consent:manager
      optly keys --renew --app acme.consent:manager
    """
    if unsigned and not renewed:
        raise click.UsageError("--unsigned goes with --renew")
    if not (listed or renewed):
        click.echo(Keys.generate())
        return
    if app is None:
        raise click.UsageError("--list and --renew need --app, the application whose keys they are")
    with load(app) as manager:
        whole = not renewed or _renew(manager, Terminal(), unsigned=unsigned)
        if listed:
            _show(manager, Terminal())
    if not whole:
        raise SystemExit(1)


def _renew(manager: ConsentManager, terminal: Terminal, *, unsigned: bool) -> bool:
    rows = manager.renew_rows(unsigned=unsigned)
    terminal.line(f"Rows signed with the current key: {rows.renewed}.")
    if rows.forged:
        terminal.line(f"Rows left as they are, because they were altered: {rows.forged}. See optly verify.")
    return not rows.forged


def _show(manager: ConsentManager, terminal: Terminal) -> None:
    keys = manager.known_keys()
    for key in keys:
        terminal.note(key.version, _state(key))
        terminal.under(f"public key {key.public_key.hex()}")
    terminal.line(_BEGIN if all(key.used for key in keys) else _GO_ON)


def _state(key: KnownKey) -> str:
    if key.current:
        return "current: makes new links and look-ups"
    return "earlier: still reads what it made" if key.used else "to come: known here, and not used yet"
