# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_verify``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand


class Command(OptlyCommand):
    help = "Verify the whole record. The exit code is 1 if something was altered, removed, reordered or cut off."

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--checkpoint",
            type=Path,
            metavar="FILE",
            help="a signed head of the log that was kept earlier, which the log has to have grown from",
        )

    def handle(self, *_: Any, checkpoint: Path | None, **__: Any) -> None:
        found = get_manager().verify(checkpoint=None if checkpoint is None else _text(checkpoint))
        for problem in found.problems:
            self.stdout.write(f"{problem.finding.value}: {problem}")
        self.stdout.write(f"events: {found.events}; personal values erased: {found.erased}")
        if not found:
            self.no()
        self.stdout.write("verified")


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"the checkpoint cannot be read: {error}", returncode=2) from None
