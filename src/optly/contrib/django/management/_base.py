# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
What the commands have in common.
"""

from __future__ import annotations

import sys
from argparse import ArgumentTypeError
from datetime import UTC, datetime
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandError

from optly.errors import LedgerError, OptlyError, RetryableError, UsageError


class OptlyCommand(BaseCommand):
    """
    A command whose exit code is 0 if all is well, 1 if the answer is no or something was found, 2 if it was called
    wrongly or the settings are wrong, and 3 if the store cannot be asked.
    """

    def execute(self, *args: Any, **options: Any) -> Any:
        self._verbosity = options["verbosity"]
        try:
            return super().execute(*args, **options)
        except OptlyError as error:
            raise CommandError(str(error), returncode=_exit_code(error)) from error

    def tell(self, text: str) -> None:
        """
        Tell on standard error how far it is. Silent with ``--verbosity 0``.
        """
        if self._verbosity:
            self.stderr.write(text, style_func=str)

    def no(self) -> NoReturn:
        """
        End with exit code 1, when what there is to say has been said.
        """
        sys.exit(1)


def _exit_code(error: OptlyError) -> int:
    match error:
        case UsageError():
            return 2
        case RetryableError() | LedgerError():
            return 3
        case _:
            return 1


def instant(text: str) -> datetime:
    """
    Read an argument that is an instant.
    """
    try:
        found = datetime.fromisoformat(text)
        if found.utcoffset() is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise ArgumentTypeError("write date, time and offset from UTC, such as 2026-11-24T12:00:00+00:00")


def positive(text: str) -> int:
    """
    Read an argument that is a number of things.
    """
    if not text.isdecimal() or not int(text):
        raise ArgumentTypeError("write a number above 0")
    return int(text)
