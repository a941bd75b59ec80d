"""
``optly check``: the gate's decision on one message, explained.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import click

from optly.cli._app import with_manager
from optly.cli._contacts import contact_with_id
from optly.cli._files import words_or_input
from optly.cli._options import INSTANT, one_of
from optly.cli._terminal import Terminal, print_json
from optly.cli.check.answer import Answer
from optly.cli.check.facts import SECTIONS, fact_options, gather
from optly.contacts import Channel
from optly.manager import ConsentManager
from optly.rules import MessageKind


class WithSections(click.Command):
    """
    Groups the options in the help by topic.
    """

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (record := parameter.get_help_record(ctx)) is not None:
                sections.setdefault(SECTIONS.get(parameter.name or "", "Options"), []).append(record)
        for name in sorted(sections, key=lambda name: name != "Options"):
            with formatter.section(name):
                formatter.write_dl(sections[name])


@click.command("check", cls=WithSections)
# Any number of words, so that a number with spaces in it is not repeated in an error about superfluous arguments.
@click.argument("address", nargs=-1, required=True)
@click.option("--channel", type=one_of(Channel), required=True, help="Channel the message goes out on.")
@click.option(
    "--purpose",
    "purposes",
    metavar="KEY",
    required=True,
    multiple=True,
    help="Key of a purpose of the message. Give each of several: all have to be allowed.",
)
@click.option(
    "--kind",
    type=one_of(MessageKind),
    default=MessageKind.MARKETING.value,
    show_default=True,
    help="Kind of message.",
)
@click.option(
    "--line", type=int, metavar="NUMBER", help="Number of the line, for a contact with several for the channel."
)
@click.option("--at", help="Decide for this instant, from the record as it was then. By default now.", **INSTANT)
@click.option("as_json", "--json", is_flag=True, help="Print the decision as JSON.")
@fact_options
@with_manager
def command(
    manager: ConsentManager,
    address: tuple[str, ...],
    channel: str,
    purposes: tuple[str, ...],
    kind: str,
    line: int | None,
    at: datetime | None,
    as_json: bool,
    **facts: Any,
) -> None:
    """
    Show whether a marketing message may be sent or a call made, and why.

    ADDRESS is an email address, a telephone number, a postal address with commas between its lines, or service:name
    for an account. With the id of a contact in its place, the permissions of that contact alone count. Use - to read
    it from standard input, which keeps it out of the process list and shell history.

    The exit code is 0 if it is allowed, 1 if it is refused, 2 for wrong usage, and 3 if the database could not be
    reached. Nothing is changed and nothing is sent. No answer is legal advice.
    """
    who = words_or_input(address, "ADDRESS")
    contact = contact_with_id(who)
    if line is not None and contact is None:
        raise click.BadParameter("an address is itself the line: give the id of a contact", param_hint="--line")
    decision = manager.check(
        contact or who, Channel(channel), purposes, kind=MessageKind(kind), at=at, line=line, **gather(facts)
    )
    answer = Answer.about(decision, manager, facts)
    if as_json:
        print_json(answer.as_json())
    else:
        answer.show(Terminal())
    if not decision:
        raise click.exceptions.Exit(1)
