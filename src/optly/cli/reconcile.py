"""
``optly reconcile``
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

import click

from optly.cli._app import with_manager
from optly.cli._terminal import Terminal
from optly.contacts.parties import Contact
from optly.manager import ConsentManager
from optly.results import Doubt, Finding

_FOUND: Final = {
    Finding.SENT: "the provider has it, so it counts as accepted",
    Finding.NOT_SENT: "the provider does not have it; --resend queues it again",
    Finding.UNKNOWN: "nobody can tell; say --sent or --not-sent if you know",
}


@click.command("reconcile")
@click.option("--resend", is_flag=True, help="Queue again what a provider was asked for and does not have.")
@click.option("--limit", type=click.IntRange(min=1), default=1000, show_default=True, help="Look into so many at most.")
@click.option("--sent", nargs=2, metavar="CONTACT MESSAGE", help="You know that this message was sent.")
@click.option("--not-sent", nargs=2, metavar="CONTACT MESSAGE", help="You know that it was not: it is queued again.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(
    manager: ConsentManager,
    *,
    resend: bool,
    limit: int,
    sent: tuple[str, str] | None,
    not_sent: tuple[str, str] | None,
    as_json: bool,
) -> None:
    """
    Settle what is in doubt: messages of which nobody knows whether they were sent.

    What was received about a message since settles it, and so does a provider that can look up what it has. The others
    stay as they are, and the exit code is then 1. Nothing is sent again by itself: a second question might be one too
    many.

    \b
    Examples:
      optly reconcile --app acme.consent:manager
      optly reconcile --app acme.consent:manager --resend
      optly reconcile --app acme.consent:manager --sent 3f… 8c…
    """
    if sent and not_sent:
        raise click.UsageError("a message was sent or it was not: say one of the two")
    named = sent or not_sent
    if named:
        _resolve(manager, *named, sent=bool(sent))
        return
    doubts = manager.reconcile(resend=resend, limit=limit)
    if as_json:
        click.echo(_as_json(doubts))
    else:
        _tell(doubts)
    if any(doubt.finding is not Finding.SENT and not doubt.resent for doubt in doubts):
        raise click.exceptions.Exit(1)


def _resolve(manager: ConsentManager, contact: str, message: str, *, sent: bool) -> None:
    if not manager.resolve_doubt(Contact(contact), message, sent=sent):
        Terminal().bad("not found", "No message of that name to that contact is in doubt.")
        raise click.exceptions.Exit(1)
    Terminal().good("settled", "It counts as accepted." if sent else "It is queued again.")


def _as_json(doubts: Sequence[Doubt]) -> str:
    return json.dumps(
        [
            {
                "message": doubt.message,
                "contact": doubt.contact.id,
                "channel": doubt.channel,
                "finding": doubt.finding,
                "resent": doubt.resent,
            }
            for doubt in doubts
        ],
        indent=2,
    )


def _tell(doubts: Sequence[Doubt]) -> None:
    terminal = Terminal()
    for doubt in doubts:
        settled = doubt.finding is Finding.SENT or doubt.resent
        say = terminal.good if settled else terminal.bad
        say(doubt.channel, "it is queued again" if doubt.resent else _FOUND[doubt.finding])
        terminal.under(f"message {doubt.message} to contact {doubt.contact.id}")
    if not doubts:
        terminal.good("nothing", "No message is in doubt.")
