"""
``optly record-complaint``
"""

from __future__ import annotations

from datetime import datetime
from typing import IO

import click

from optly.cli._app import with_manager
from optly.cli._files import read_text
from optly.cli._options import INSTANT
from optly.cli._terminal import Terminal, print_json
from optly.cli.complaints import as_data, print_complaint
from optly.contacts import Contact
from optly.manager import ConsentManager


@click.command("record-complaint")
@click.argument("text", type=click.File("rb"), metavar="FILE")
@click.option("--how", required=True, help="In which way it was made: such as telephone, letter, email or in person.")
@click.option("--contact", metavar="ID", help="Who complained. Without it, the person is not on record.")
@click.option("--reply-to", metavar="ADDRESS", help="Where to reply, if not to the contact's own address.")
@click.option("--name", default="", help="The name of a person who is not on record.")
@click.option("--at", help="When it was received. Defaults to now.", **INSTANT)
@click.option("--no-acknowledgement", is_flag=True, help="Send no acknowledgement.")
@click.option("as_json", "--json", is_flag=True, help="Print JSON.")
@with_manager
def command(
    manager: ConsentManager,
    *,
    text: IO[bytes],
    how: str,
    contact: str | None,
    reply_to: str | None,
    name: str,
    at: datetime | None,
    no_acknowledgement: bool,
    as_json: bool,
) -> None:
    """
    Record a complaint that was made by telephone, by letter or in any other way, and print its reference.

    FILE holds the complaint in the person's own words; - is standard input. It is acknowledged by a message, if there
    is an address to reply to and a backend for it.

    \b
    Examples:
      optly record-complaint complaint.txt --app acme.consent:manager --how telephone --reply-to eve@example.org
      optly record-complaint - --app acme.consent:manager --how letter --at 2026-11-20T09:00:00+00:00
    """
    complaint = manager.record_complaint(
        None if contact is None else Contact(contact.strip().lower()),
        text=read_text(text, "FILE"),
        how=how,
        at=at,
        name=name,
        reply_to=reply_to,
        send=not no_acknowledgement,
    )
    if as_json:
        print_json(as_data(complaint))
    else:
        print_complaint(Terminal(), complaint, overdue=complaint.is_overdue(manager.clock()))
