"""
``optly stats``
"""

from __future__ import annotations

from typing import Any

import attrs
import click

from optly.cli._app import with_manager
from optly.cli._terminal import Terminal, print_json
from optly.cli._words import STATES, count
from optly.manager import ConsentManager
from optly.results import Recent, Stats


@click.command("stats")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(manager: ConsentManager, *, as_json: bool) -> None:
    """
    Show how much the record holds, and what was added lately.

    The database counts, which takes seconds with millions of rows. When an event was added is not known to it: run the
    command daily with --json, and compare.

    \b
    Examples:
      optly stats --app acme.consent:manager
      optly stats --app acme.consent:manager --json
    """
    stats = manager.stats()
    if as_json:
        print_json(_plain(stats))
    else:
        _print(stats)


def _plain(stats: Stats) -> dict[str, Any]:
    messages = {name: stats.messages.get(state, 0) for name, state in STATES.items()}
    return {**attrs.asdict(stats), "at": stats.at.isoformat(), "messages": messages}


def _print(stats: Stats) -> None:
    terminal, store = Terminal(), stats.store
    terminal.note("contacts", f"{stats.contacts:,}")
    terminal.note("events", f"{stats.events:,}")
    terminal.note("personal values", f"{stats.personal_values:,}")
    terminal.note("messages", f"{sum(stats.messages.values()):,} in the outbox")
    for name, state in STATES.items():
        if number := stats.messages.get(state, 0):
            terminal.under(f"{number:,} {name}")
    terminal.under(f"ended: {_lately(stats.ended)}")
    terminal.note("log", count(stats.log_entries, "sealed entry", "sealed entries"))
    terminal.line()
    terminal.line("In the whole store, for every organisation in it:", style="bold")
    terminal.note("codes", f"{store.codes:,}")
    terminal.note("suppressions", f"{store.suppressions:,}")
    terminal.under(f"added: {_lately(store.suppressed)}")
    terminal.note("wordings", f"{store.wordings:,}")
    if store.size is not None:
        terminal.note("size on disk", _size(store.size, store.max_size))


def _lately(recent: Recent) -> str:
    return f"{recent.day:,} in the last day, {recent.month:,} in the last 30 days"


def _size(size: int, most: int | None) -> str:
    taken = f"{size / 1_000_000:,.1f} MB"
    return taken if most is None else f"{taken} of {most / 1_000_000:,.1f} MB ({size / most:.0%})"
