"""
``optly complaint``
"""

from __future__ import annotations

from typing import IO

import click

from optly.cli._app import with_manager
from optly.cli._files import read_text
from optly.cli._terminal import Terminal, print_json
from optly.cli.complaints import as_data, print_complaint
from optly.manager import ConsentManager

_TEXTS = ("text", "how", "name", "outcome")


@click.command("complaint")
@click.argument("reference", metavar="REFERENCE")
@click.option("--acknowledged", metavar="HOW", help="Record that it was acknowledged, and how: such as by telephone.")
@click.option("--resolved", metavar="HOW", help="Record that the person was informed of the outcome, and how.")
@click.option("--outcome", type=click.File("rb"), metavar="FILE", help="The outcome; - for standard input.")
@click.option("--send", is_flag=True, help="Queue the outcome as a message to the person.")
@click.option("--letter", is_flag=True, help="Print the outcome, or the acknowledgement, as a letter to post.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(
    manager: ConsentManager,
    *,
    reference: str,
    acknowledged: str | None,
    resolved: str | None,
    outcome: IO[bytes] | None,
    send: bool,
    letter: bool,
    as_json: bool,
) -> None:
    """
    Show one complaint with its text, or record what was done about it. It holds personal data.

    REFERENCE is what people read out, such as CMP-7K4D-2M, however it is typed. An outcome that is sent is delivered by
    optly deliver or optly worker.

    \b
    Examples:
      optly complaint CMP-7K4D-2M --app acme.consent:manager
      optly complaint CMP-7K4D-2M --app acme.consent:manager --acknowledged "by telephone"
      optly complaint CMP-7K4D-2M --app acme.consent:manager --outcome answer.txt --send
      optly complaint CMP-7K4D-2M --app acme.consent:manager --outcome answer.txt --letter
    """
    if sum((acknowledged is not None, resolved is not None, send, letter)) > 1:
        raise click.UsageError("choose one of --acknowledged, --resolved, --send and --letter")
    if (send and outcome is None) or (outcome is not None and not (send or letter or resolved is not None)):
        raise click.UsageError("--outcome goes with --send, --letter or --resolved, and --send needs it")
    complaint = manager.complaint(reference)
    text = "" if outcome is None else read_text(outcome, "--outcome")
    if letter:
        click.echo(manager.complaint_letter(complaint.id, outcome=text).text, nl=False)
        return
    if acknowledged is not None:
        manager.acknowledge_complaint(None, complaint.id, how=acknowledged)
    if send or resolved is not None:
        manager.resolve_complaint(None, complaint.id, how=resolved or "", outcome=text, send=send)
    complaint = manager.complaint(complaint.id)
    if as_json:
        reply_to = None if complaint.reply_to is None else complaint.reply_to.value
        print_json({**as_data(complaint, *_TEXTS), "reply_to": reply_to})
        return
    terminal = Terminal()
    print_complaint(terminal, complaint, overdue=complaint.is_overdue(manager.clock()))
    if complaint.reply_to is not None:
        terminal.note("reply to", complaint.reply_to.value.replace("\n", ", "))
    for name in _TEXTS:
        if value := getattr(complaint, name):
            terminal.note(name, " ".join(value.split()))
