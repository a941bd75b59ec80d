# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
The commands of earlier versions, such as ``manage.py optly_check``. They will be removed after one release.
"""

from __future__ import annotations

from typing import Any, ClassVar

from optly.contrib.django.management.commands.optly import Command


class Alias(Command):
    """
    An old name of a command.

    Attributes:
        command: The command after ``manage.py optly`` that it runs.
    """

    command: ClassVar[str]

    def handle(self, *args: str, **options: Any) -> None:
        if options["verbosity"]:
            self.stderr.write(f"This command is deprecated. Use: manage.py optly {self.command}")
        super().handle(self.command, *args, **options)
