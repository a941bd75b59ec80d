"""
``optly evidence``
"""

from __future__ import annotations

from pathlib import Path

import click

from optly.cli._app import with_manager
from optly.cli._contacts import find_contact
from optly.cli._files import words_or_input
from optly.cli._options import one_of
from optly.contacts import Channel
from optly.errors import UnknownContactError
from optly.manager import ConsentManager


@click.command("evidence")
# Any number of words, so that a number with spaces in it is not repeated in an error about superfluous arguments.
@click.argument("who", metavar="CONTACT", nargs=-1, required=True)
@click.option("--channel", type=one_of(Channel), help="What an address is for. By default email or, without @, sms.")
@click.option("--html", "as_html", is_flag=True, help="Write a page for people, instead of the form to verify.")
@click.option(
    "--output", type=click.Path(path_type=Path), metavar="FILE", help="Write a new file that only you can read."
)
@with_manager
def command(
    manager: ConsentManager, *, who: tuple[str, ...], channel: str | None, as_html: bool, output: Path | None
) -> None:
    """
    Write the evidence pack of one contact: what they were asked, and what they answered. It holds personal data.

    CONTACT is an id, an email address or a telephone number. Use - to read it from standard input, which keeps it out
    of the process list and shell history. The JSON form can be checked with optly verify-evidence, without a database.

    \b
    Examples:
      optly evidence ada@example.com --app acme.consent:manager > ada.json
      optly evidence - --app acme.consent:manager --html --output ada.html
    """
    name = words_or_input(who, "CONTACT")
    contact = find_contact(manager, name) if channel is None else manager.find(name, Channel(channel))
    if contact is None:
        raise UnknownContactError("no contact has this address")
    pack = manager.evidence(contact)
    content = pack.to_html() if as_html else pack.to_json()
    if output is None:
        click.echo(content)
        return
    try:
        output.touch(mode=0o600, exist_ok=False)  # never over an existing file
        output.write_text(content, encoding="utf-8")
    except OSError as error:
        raise click.BadParameter(f"{output} cannot be written: {error.strerror}", param_hint="--output") from error
