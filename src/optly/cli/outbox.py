"""
``optly outbox``
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import click

from optly.cli._app import with_manager
from optly.cli._options import LIMIT
from optly.cli._terminal import Terminal, print_json
from optly.cli._words import STATES, count, instant
from optly.manager import ConsentManager
from optly.protocols import MessageState
from optly.results import OutboxEntry

_MEANING: Final = {
    MessageState.QUEUED: "waiting to be sent",
    MessageState.SENDING: "being sent",
    MessageState.ACCEPTED: "accepted by the provider",
    MessageState.REFUSED: "refused permanently",
    MessageState.IN_DOUBT: "in doubt: see optly reconcile",
    MessageState.WITHHELD: "withheld by the gate, or no longer needed",
}


@click.command("outbox")
@click.option(
    "--list", "listed", type=click.Choice(list(STATES)), help="List the messages in this state, oldest first."
)
@click.option("--limit", type=LIMIT, default=100, show_default=True, help="Maximum number of messages to list.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(manager: ConsentManager, *, listed: str | None, limit: int, as_json: bool) -> None:
    """
    Show how many messages are queued and what happened to the rest.

    A listed message is shown with its id, the contact's id, and why it ended: what the provider replied or the reason
    the gate gave, which may contain an address.

    \b
    Examples:
      optly outbox --app acme.consent:manager
      optly outbox --app acme.consent:manager --list refused
    """
    if listed is None:
        _print_backlog(manager.backlog(), as_json=as_json)
    else:
        _print_messages(manager.outbox_messages(STATES[listed], limit=limit), as_json=as_json)


def _print_backlog(backlog: Mapping[MessageState, int], *, as_json: bool) -> None:
    if as_json:
        print_json({name: backlog.get(state, 0) for name, state in STATES.items()})
        return
    terminal = Terminal()
    for name, state in STATES.items():
        if number := backlog.get(state, 0):
            terminal.note(name, f"{count(number, 'message')} {_MEANING[state]}")
    if not backlog:
        terminal.good("empty", "No message has ever been queued.")


def _print_messages(entries: Sequence[OutboxEntry], *, as_json: bool) -> None:
    if as_json:
        print_json(
            [
                {
                    "message": entry.message,
                    "contact": entry.contact.id,
                    "channel": entry.channel,
                    "due_at": entry.due_at.isoformat(),
                    "attempts": entry.attempts,
                    "why": entry.why,
                }
                for entry in entries
            ]
        )
        return
    terminal = Terminal()
    for entry in entries:
        tried = count(entry.attempts, "attempt")
        terminal.note(entry.channel, f"message {entry.message} to contact {entry.contact.id}")
        terminal.under(f"due {instant(entry.due_at)}, {tried}{f': {entry.why}' if entry.why else ''}")
    if not entries:
        terminal.good("none", "No message is in this state.")
