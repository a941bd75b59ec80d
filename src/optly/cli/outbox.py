"""
``optly outbox``
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Final

import click

from optly.cli._app import with_manager
from optly.cli._terminal import Terminal
from optly.cli._words import count, instant
from optly.manager import ConsentManager
from optly.protocols import MessageState
from optly.results import OutboxEntry

_STATES: Final = {state.name.lower().replace("_", "-"): state for state in MessageState}
_MEANING: Final = {
    MessageState.QUEUED: "waiting to be handed over",
    MessageState.SENDING: "being handed over",
    MessageState.ACCEPTED: "taken by a provider",
    MessageState.REFUSED: "refused for good",
    MessageState.IN_DOUBT: "in doubt: see optly reconcile",
    MessageState.WITHHELD: "withheld by the gate, or not needed any more",
}


@click.command("outbox")
@click.option(
    "--list", "listed", type=click.Choice(list(_STATES)), help="List the messages in this state, oldest first."
)
@click.option("--limit", type=click.IntRange(min=1), default=100, show_default=True, help="List so many at most.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(manager: ConsentManager, *, listed: str | None, limit: int, as_json: bool) -> None:
    """
    Tell how many messages wait, and what became of the others.

    A listed message is shown with the ids of message and contact. Why it ended is what the provider said, or the reason
    the gate gave, and may hold an address.

    \b
    Examples:
      optly outbox --app acme.consent:manager
      optly outbox --app acme.consent:manager --list refused    the dead letters
    """
    if listed is None:
        _tell_backlog(manager.backlog(), as_json=as_json)
    else:
        _tell_letters(manager.outbox_messages(_STATES[listed], limit=limit), as_json=as_json)


def _tell_backlog(backlog: Mapping[MessageState, int], *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps({name: backlog.get(state, 0) for name, state in _STATES.items()}, indent=2))
        return
    terminal = Terminal()
    for name, state in _STATES.items():
        if number := backlog.get(state, 0):
            terminal.note(name, f"{count(number, 'message')} {_MEANING[state]}")
    if not backlog:
        terminal.good("empty", "No message was ever queued.")


def _tell_letters(letters: Sequence[OutboxEntry], *, as_json: bool) -> None:
    if as_json:
        click.echo(
            json.dumps(
                [
                    {
                        "message": letter.message,
                        "contact": letter.contact.id,
                        "channel": letter.channel,
                        "due_at": letter.due_at.isoformat(),
                        "attempts": letter.attempts,
                        "why": letter.why,
                    }
                    for letter in letters
                ],
                indent=2,
            )
        )
        return
    terminal = Terminal()
    for letter in letters:
        tried = count(letter.attempts, "attempt")
        terminal.note(letter.channel, f"message {letter.message} to contact {letter.contact.id}")
        terminal.under(f"due {instant(letter.due_at)}, {tried}{f': {letter.why}' if letter.why else ''}")
    if not letters:
        terminal.good("none", "No message is in this state.")
