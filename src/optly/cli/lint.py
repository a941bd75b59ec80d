"""
``optly lint``
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import IO

import click

from optly.cli._options import one_of
from optly.cli._terminal import Terminal
from optly.contacts.addresses import Channel
from optly.contacts.parties import Organisation
from optly.contacts.purposes import Wording
from optly.rules.lint import Severity, WordingFinding, lint


@click.command("lint")
@click.argument("file", type=click.File("rb"), default="-")
@click.option("--organisation", metavar="NAME", required=True, help="Whom the words have to name, as people know it.")
@click.option(
    "--channel",
    "channels",
    type=one_of(Channel),
    multiple=True,
    required=True,
    help="What the consent is to be relied on for. May be repeated.",
)
@click.option("--language", default="en", show_default=True, metavar="TAG", help="The language of the words.")
@click.option("--yes", default="Yes", show_default=True, metavar="TEXT", help="The words of the answer yes.")
@click.option("--no", default="No", show_default=True, metavar="TEXT", help="The words of the answer no.")
@click.option("as_json", "--json", is_flag=True, help="Print what was found as JSON.")
def command(
    file: IO[bytes], organisation: str, channels: tuple[str, ...], language: str, yes: str, no: str, as_json: bool
) -> None:
    """
    Find what makes a question for consent invalid or weak.

    FILE has the words a person would read, in UTF-8: the question and what stands beside it. Without it, or written as
    -, standard input is read. The exit code is 1 if a consent asked for in these words would not count. To find
    nothing is not to say that one would: nothing here is legal advice.
    """
    try:
        text = file.read().decode("utf-8-sig").strip()
    except UnicodeDecodeError as error:
        raise click.BadParameter("this is not a text in UTF-8", param_hint="FILE") from error
    findings = lint(
        Wording(text=text, yes=yes, no=no, language=language),
        # Only the name matters to a wording.
        organisation=Organisation(key="organisation", name=organisation, address=organisation),
        channels=[Channel(channel) for channel in channels],
    )
    invalid = any(finding.severity is Severity.INVALIDATING for finding in findings)
    if as_json:
        click.echo(_as_json(findings, invalid=invalid))
    else:
        _tell(findings, invalid=invalid)
    if invalid:
        raise click.exceptions.Exit(1)


def _as_json(findings: Sequence[WordingFinding], *, invalid: bool) -> str:
    return json.dumps(
        {
            "invalidating": invalid,
            "findings": [
                {
                    "code": finding.code,
                    "severity": finding.severity,
                    "channel": finding.channel,
                    "explanation": finding.explanation,
                    "excerpt": finding.excerpt,
                    "source": finding.source,
                }
                for finding in findings
            ],
        },
        indent=2,
    )


def _tell(findings: Sequence[WordingFinding], *, invalid: bool) -> None:
    terminal = Terminal()
    for finding in findings:
        say = terminal.bad if finding.severity is Severity.INVALIDATING else terminal.note
        shown = f" “{finding.excerpt}”" if finding.excerpt else ""
        about = f" [{finding.channel}]" if finding.channel else ""
        say(finding.severity, f"{finding.explanation}{about}{shown}")
        if finding.source:
            terminal.under(finding.source)
    if invalid:
        terminal.line("A consent asked for in these words would not count.", style="bold red")
    elif findings:
        terminal.line("Nothing here makes a consent invalid, but it is harder to defend.", style="bold")
    else:
        terminal.good("nothing found", "None of the known flaws is in these words. That does not make a consent valid.")
