"""
``optly lint``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Final

import click

from optly.cli._files import read_text
from optly.cli._options import one_of
from optly.cli._terminal import Terminal, print_json
from optly.contacts import Channel, Organisation, Wording
from optly.rules.lint import Severity, WordingFinding, lint

_SHOWN: Final = ("code", "severity", "channel", "explanation", "excerpt", "source")


@click.command("lint")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--organisation", metavar="NAME", required=True, help="Name the question has to give, as people know it.")
@click.option(
    "--channel",
    "channels",
    type=one_of(Channel),
    multiple=True,
    required=True,
    help="Channel the consent is to cover. Repeatable.",
)
@click.option("--language", default="en", show_default=True, metavar="TAG", help="Language of the question.")
@click.option("--yes", default="Yes", show_default=True, metavar="TEXT", help="Label of the answer yes.")
@click.option("--no", default="No", show_default=True, metavar="TEXT", help="Label of the answer no.")
@click.option("as_json", "--json", is_flag=True, help="Print the findings as JSON.")
def command(
    file: IO[bytes], organisation: str, channels: tuple[str, ...], language: str, yes: str, no: str, as_json: bool
) -> None:
    """
    Find flaws that make a request for consent invalid or weak.

    FILE has the text a person would read, in UTF-8: the question and anything shown beside it. Use -, or leave it out,
    to read standard input. The exit code is 1 if consent given to this text would not be valid. Finding no flaw does
    not mean that it would be valid. This is not legal advice.
    """
    text = read_text(file, "FILE").strip()
    findings = lint(
        Wording(text=text, yes=yes, no=no, language=language),
        # A wording is checked against the name alone.
        organisation=Organisation(key="organisation", name=organisation, address=organisation),
        channels=[Channel(channel) for channel in channels],
    )
    invalid = any(finding.severity is Severity.INVALIDATING for finding in findings)
    if as_json:
        rows = [{name: getattr(finding, name) for name in _SHOWN} for finding in findings]
        print_json({"invalidating": invalid, "findings": rows})
    else:
        _print(findings, invalid=invalid)
    if invalid:
        raise click.exceptions.Exit(1)


def _print(findings: Sequence[WordingFinding], *, invalid: bool) -> None:
    terminal = Terminal()
    for finding in findings:
        say = terminal.bad if finding.severity is Severity.INVALIDATING else terminal.note
        shown = f" “{finding.excerpt}”" if finding.excerpt else ""
        about = f" [{finding.channel}]" if finding.channel else ""
        say(finding.severity, f"{finding.explanation}{about}{shown}")
        if finding.source:
            terminal.under(finding.source)
    if invalid:
        terminal.line("Consent given to this text would not be valid.", style="bold red")
    elif any(finding.severity is Severity.NOT_JUDGED for finding in findings):
        terminal.line("Optly cannot say whether consent given to this text would be valid.", style="bold")
    elif findings:
        terminal.line("Nothing here makes consent invalid, but it would be harder to defend.", style="bold")
    else:
        terminal.good("nothing found", "No known flaw in this text. That does not make a consent valid.")
