"""
``optly complaints``
"""

from __future__ import annotations

import json
from typing import Any, Final

import attrs
import click

from optly.cli._app import with_manager
from optly.cli._terminal import Terminal
from optly.cli._words import instant
from optly.manager import ConsentManager
from optly.results import ComplaintState, RecordedComplaint

_WHICH: Final = {"open": True, "resolved": False, "all": None}
STATES: Final = {
    ComplaintState.RECEIVED: "not acknowledged yet",
    ComplaintState.ACKNOWLEDGED: "acknowledged, without an outcome",
    ComplaintState.SENDING: "the outcome is queued, being sent or in doubt",
    ComplaintState.RESOLVED: "resolved",
}


@click.command("complaints")
@click.option(
    "--which", type=click.Choice(list(_WHICH)), default="open", show_default=True, help="The complaints to list."
)
@click.option("as_json", "--json", is_flag=True, help="Print JSON, one complaint on each line.")
@with_manager
def command(manager: ConsentManager, *, which: str, as_json: bool) -> None:
    """
    List complaints about how people's data are used, the most urgent first.

    The list holds no personal data. Exits with 1 if one is overdue: not acknowledged within the thirty days that the
    law allows.

    \b
    Examples:
      optly complaints --app acme.consent:manager
      optly complaints --app acme.consent:manager --which all --json
    """
    terminal, now, overdue, found = Terminal(), manager.clock(), False, False
    for complaint in manager.complaints(open=_WHICH[which]):
        overdue, found = overdue or complaint.is_overdue(now), True
        if as_json:
            click.echo(json.dumps(as_data(complaint)))
        else:
            print_complaint(terminal, complaint, overdue=complaint.is_overdue(now))
    if not (found or as_json):
        terminal.good("none", "There is no such complaint.")
    if overdue:
        raise click.exceptions.Exit(1)


def print_complaint(terminal: Terminal, complaint: RecordedComplaint, *, overdue: bool) -> None:
    """
    Print one complaint without personal data.
    """
    say = terminal.bad if overdue else terminal.good if complaint.resolved_at else terminal.note
    say(complaint.reference, f"{STATES[complaint.state]}{', overdue' if overdue else ''}")
    whose = f"contact {complaint.contact.id}" if complaint.on_record else f"not on record ({complaint.contact.id})"
    terminal.under(f"received {instant(complaint.at)}, acknowledge by {instant(complaint.acknowledge_by)}: {whose}")


def as_data(complaint: RecordedComplaint, *texts: str) -> dict[str, Any]:
    """
    Return what JSON shows of a complaint.

    Args:
        texts: The names of the texts to show.
    """
    times = ("at", "acknowledge_by", "acknowledged_at", "decided_at", "resolved_at")
    values = attrs.asdict(complaint, recurse=False)
    return {
        **{name: values[name] for name in ("id", "reference", "on_record")},
        "contact": complaint.contact.id,
        "state": complaint.state.value,
        **{name: None if values[name] is None else values[name].isoformat() for name in times},
        **{name: values[name] for name in texts},
    }
