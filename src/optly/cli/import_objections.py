"""
``optly import-objections``
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import IO, Final

import click

from optly.cli._app import with_manager
from optly.cli._files import not_text, unreadable
from optly.cli._options import INSTANT, one_of
from optly.cli._terminal import Terminal, print_json
from optly.cli._words import count, numbered_lines
from optly.contacts import AddressKind, Channel
from optly.manager import ConsentManager

_REPORT_EVERY: Final = 1000  # addresses
_CHANNELS: Final = [channel for channel in Channel if channel.kind in (AddressKind.EMAIL, AddressKind.PHONE)]


@click.command("import-objections")
@click.argument("file", type=click.File("rb"))
@click.option("--how", metavar="TEXT", required=True, help="Where the list comes from. Shown in the evidence.")
@click.option(
    "--channel",
    type=one_of(_CHANNELS),
    default=Channel.EMAIL.value,
    show_default=True,
    help="What kind of addresses they are. The objection covers every channel.",
)
@click.option("--at", help="When they objected. By default now.", **INSTANT)
@click.option("--quiet", is_flag=True, help="Print the result only.")
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@with_manager
def command(
    manager: ConsentManager,
    *,
    file: IO[bytes],
    how: str,
    channel: str,
    at: datetime | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """
    Record an objection to all marketing for every address in a list.

    FILE is in UTF-8 with one email address or telephone number per line, or - to read standard input. Unknown addresses
    are added as contacts. If interrupted, running it again with the same --at resumes.

    The exit code is 1 if any line is not an address. Those lines are reported and skipped.

    \b
    Examples:
      optly import-objections stops.txt --app acme.consent:manager --how "stop list of the old system"
    """
    at = manager.clock() if at is None else at
    if not quiet:
        click.echo(f"to resume if interrupted: --at {at.isoformat()}", err=True)
    lines: list[int] = []
    imported = manager.import_objections(_addresses(file, lines, quiet=quiet), channel, how=how, at=at)
    malformed = [lines[position - 1] for position in imported.malformed]
    if as_json:
        print_json({"recorded": imported.recorded, "malformed_lines": malformed})
    else:
        terminal = Terminal()
        terminal.good("recorded", f"{count(imported.recorded, 'objection')}.")
        if malformed:
            terminal.bad("malformed", f"{count(len(malformed), 'line')} without a valid address.")
            terminal.under(numbered_lines(malformed))
    if malformed:
        raise click.exceptions.Exit(1)


def _addresses(file: IO[bytes], lines: list[int], *, quiet: bool) -> Iterator[str]:
    """
    Yield the addresses of a list in order, and append the number of the line of each to *lines*.
    """
    for number, line in enumerate(_lines(file), 1):
        if not (address := line.strip()):
            continue
        lines.append(number)
        if len(lines) % _REPORT_EVERY == 0 and not quiet:
            click.echo(f"{count(len(lines), 'line')} so far", err=True)
        yield address


def _lines(file: IO[bytes]) -> Iterator[str]:
    try:
        for number, line in enumerate(file):
            yield line.decode("utf-8" if number else "utf-8-sig")
    except UnicodeDecodeError:
        raise not_text("FILE") from None
    except OSError as error:
        raise unreadable(error, "FILE") from error
