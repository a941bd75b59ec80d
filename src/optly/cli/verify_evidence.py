"""
``optly verify-evidence``
"""

from __future__ import annotations

from typing import IO, Final

import click

from optly.cli._files import read_bytes
from optly.cli._terminal import Terminal
from optly.cli.verify import checkpoint_text, print_problems, print_verification
from optly.errors import SerializationError
from optly.evidence import EvidencePack, read, verify
from optly.record.ledger import Verification

_KEYS: Final = (32, 1312)  # bytes: Ed25519 and ML-DSA-44


def _as_keys(_ctx: click.Context, _param: click.Parameter, values: tuple[str, ...]) -> tuple[bytes, ...]:
    try:
        keys = tuple(bytes.fromhex(value) for value in values)
    except ValueError:
        keys = (b"",)
    if any(len(key) not in _KEYS for key in keys):
        raise click.BadParameter("a public key has 64 hexadecimal digits, or 2,624 for ML-DSA-44")
    return keys


@click.command("verify-evidence")
@click.argument("file", type=click.File("rb"))
@click.option(
    "--public-key",
    "public_keys",
    metavar="HEX",
    multiple=True,
    callback=_as_keys,
    help="Public key of the organisation. Repeatable.",
)
@click.option(
    "--checkpoint", type=click.File("rb"), help="A signed head of the organisation's log that you kept earlier."
)
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
def command(file: IO[bytes], public_keys: tuple[bytes, ...], checkpoint: IO[bytes] | None, as_json: bool) -> None:
    """
    Verify an evidence pack without a database.

    FILE is the pack in its JSON form, or - to read it from standard input. The exit code is 0 if it is intact, and 1 if
    it is not.
    """
    content = read_bytes(file, "FILE")
    result = verify(content, public_keys=public_keys or None, checkpoint=checkpoint_text(checkpoint))
    if as_json:
        print_verification(result)
    else:
        _print(result, content, trusted=bool(public_keys))
    if not result:
        raise click.exceptions.Exit(1)


def _print(result: Verification, content: bytes, *, trusted: bool) -> None:
    terminal = Terminal()
    try:
        pack: EvidencePack | None = read(content)
    except SerializationError:
        pack = None
    if pack is not None:
        terminal.note("organisation", f"{pack.organisation_name} ({pack.organisation})")
        terminal.note("contact", pack.contact)
        terminal.note("issued", pack.issued_at.isoformat(timespec="seconds"))
        terminal.note("events", f"{result.events}; personal values erased since: {result.erased}")
    print_problems(result, terminal)
    if result and pack is not None:
        terminal.good("verified", "Nothing was altered, removed, reordered or added, and the log covers every event.")
        if not trusted:
            terminal.note("signed by", pack.public_key.hex())
            terminal.line("Compare this key with the one the organisation published, or pass that with --public-key.")
