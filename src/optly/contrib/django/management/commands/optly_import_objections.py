# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_import_objections``
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from datetime import datetime
from typing import IO, Any, Final

from django.core.management.base import CommandError

from optly.contacts.addresses import AddressKind, Channel
from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand, instant

_EVERY: Final = 1000
_CHANNELS: Final = [channel for channel in Channel if channel.kind in (AddressKind.EMAIL, AddressKind.PHONE)]


class Command(OptlyCommand):
    help = (
        "Record an objection to all marketing for the holder of each address in a list, one in a line. Whoever is not "
        "on record is put there. The exit code is 1 if lines were no addresses; those are named by their numbers. "
        "Interrupted, it goes on where it was when it is run again with the same --at."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("file", metavar="FILE", help="UTF-8, one address in a line; - for standard input")
        parser.add_argument(
            "--channel",
            default=Channel.EMAIL.value,
            choices=[channel.value for channel in _CHANNELS],
            help="what kind of addresses they are, by default email; the objection covers every channel",
        )
        parser.add_argument("--how", required=True, help="where the list comes from, for whoever asks for the evidence")
        parser.add_argument("--at", type=instant, metavar="INSTANT", help="when they objected, by default now")

    def handle(self, *_: Any, file: str, channel: str, how: str, at: datetime | None, **__: Any) -> None:
        manager = get_manager()
        at = manager.clock() if at is None else at
        self.tell(f"to go on after an interruption: --at {at.isoformat()}")
        try:
            with nullcontext(sys.stdin) if file == "-" else open(file, encoding="utf-8-sig") as lines:
                done = manager.import_objections(self._addresses(lines), channel, how=how, at=at)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"the list cannot be read: {error}", returncode=2) from None
        self.stdout.write(f"recorded: {done.recorded}; not an address: {len(done.malformed)}")
        for number in done.malformed:
            self.stdout.write(f"line {self._numbers[number - 1]} is no address")
        if done.malformed:
            self.no()

    def _addresses(self, lines: Iterable[str] | IO[str]) -> Iterator[str]:
        self._numbers: list[int] = []
        for number, line in enumerate(lines, 1):
            if address := line.strip():
                self._numbers.append(number)
                if len(self._numbers) % _EVERY == 0:
                    self.tell(f"{len(self._numbers)} addresses")
                yield address
