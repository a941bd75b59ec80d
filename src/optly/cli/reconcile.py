"""
``optly reconcile``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import attrs
import click

from optly.cli._app import with_manager
from optly.cli._options import LIMIT
from optly.cli._terminal import Terminal, print_json
from optly.contacts import Contact
from optly.manager import ConsentManager
from optly.results import Doubt, Finding

_FOUND: Final = {
    Finding.SENT: "the provider has it; recorded as accepted",
    Finding.NOT_SENT: "the provider does not have it; use --resend to queue it again",
    Finding.UNKNOWN: "cannot be determined; use --sent or --not-sent if you know",
}


@click.command("reconcile")
@click.option("--resend", is_flag=True, help="Queue again what the provider says it does not have.")
@click.option(
    "--limit",
    type=LIMIT,
    default=1000,
    show_default=True,
    help="Maximum number of messages to check.",
)
@click.option("--sent", nargs=2, metavar="CONTACT MESSAGE", help="Record that this message was sent.")
@click.option("--not-sent", nargs=2, metavar="CONTACT MESSAGE", help="Record that it was not sent, and queue it again.")
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
    Settle messages in doubt: those that may or may not have been sent.

    A later delivery report settles a message, and so does a provider that can look it up. The rest stay in doubt, and
    the exit code is then 1. Nothing is sent again automatically, because the person may have received it already.

    \b
    Examples:
      optly reconcile --app acme.consent:manager
      optly reconcile --app acme.consent:manager --resend
      optly reconcile --app acme.consent:manager --sent 3f… 8c…
    """
    if sent and not_sent:
        raise click.UsageError("use either --sent or --not-sent, not both")
    named = sent or not_sent
    if named:
        _resolve(manager, *named, sent=bool(sent))
        return
    doubts = manager.reconcile(resend=resend, limit=limit)
    if as_json:
        print_json([{**attrs.asdict(doubt), "contact": doubt.contact.id} for doubt in doubts])
    else:
        _print(doubts)
    if any(doubt.finding is not Finding.SENT and not doubt.resent for doubt in doubts):
        raise click.exceptions.Exit(1)


def _resolve(manager: ConsentManager, contact: str, message: str, *, sent: bool) -> None:
    if not manager.resolve_doubt(Contact(contact), message, sent=sent):
        Terminal().bad("not found", "That contact has no message in doubt with that id.")
        raise click.exceptions.Exit(1)
    Terminal().good("settled", "Recorded as accepted." if sent else "Queued again.")


def _print(doubts: Sequence[Doubt]) -> None:
    terminal = Terminal()
    for doubt in doubts:
        settled = doubt.finding is Finding.SENT or doubt.resent
        say = terminal.good if settled else terminal.bad
        say(doubt.channel, "queued again" if doubt.resent else _FOUND[doubt.finding])
        terminal.under(f"message {doubt.message} to contact {doubt.contact.id}")
    if not doubts:
        terminal.good("nothing", "No message is in doubt.")
