"""
``optly verify``
"""

from __future__ import annotations

from typing import IO

import click

from optly.cli._app import with_manager
from optly.cli._files import read_bytes
from optly.cli._terminal import Terminal, print_json, progress_bar
from optly.manager import ConsentManager
from optly.record.ledger import Verification


@click.command("verify")
@click.option("--checkpoint", type=click.File("rb"), help="A signed head of the log that you kept earlier.")
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many processes check events. More pay from some 100,000 events on.",
)
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@with_manager
def command(manager: ConsentManager, *, checkpoint: IO[bytes] | None, processes: int, as_json: bool) -> None:
    """
    Verify the whole record. This reads every event.

    With a checkpoint it also shows that the log has only grown since then. The exit code is 0 if the record is intact,
    and 1 if anything was altered, removed, reordered or added.

    \b
    Examples:
      optly verify --app acme.consent:manager
      optly verify --app acme.consent:manager --checkpoint kept.txt
      optly verify --app acme.consent:manager --processes 8
    """
    with progress_bar() as shown:
        task = shown.add_task("Verifying contacts", total=None)

        def report(done: int, contacts: int) -> None:
            shown.update(task, completed=done, total=contacts)

        result = manager.verify(checkpoint=checkpoint_text(checkpoint), processes=processes, report=report)
    if as_json:
        print_verification(result)
    else:
        terminal = Terminal()
        print_problems(result, terminal)
        if result:
            terminal.good("verified", f"{result.events:,} events. Nothing was altered, removed, reordered or added.")
    if not result:
        raise click.exceptions.Exit(1)


def checkpoint_text(file: IO[bytes] | None) -> str | None:
    """
    Return a checkpoint that was kept. One that is not text is not genuine, which the verification finds.
    """
    return None if file is None else read_bytes(file, "--checkpoint").decode("utf-8", "replace")


def print_verification(result: Verification) -> None:
    print_json(
        {
            "verified": bool(result),
            "events": result.events,
            "erased": result.erased,
            "sealed": result.sealed,
            "problems": [
                {
                    "finding": problem.finding.value,
                    "contact": problem.contact,
                    "event": problem.seq,
                    "detail": problem.detail,
                }
                for problem in result.problems
            ],
        }
    )


def print_problems(result: Verification, terminal: Terminal) -> None:
    for problem in result.problems:
        terminal.bad(problem.finding, str(problem))
