# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
The commands of earlier versions, such as ``manage.py optly_check``. They will be removed after one release.
"""

from __future__ import annotations

from typing import Any

from optly.contrib.django.management.commands.optly import Command


def alias(command: str) -> type[Command]:
    """
    Return the old name of a command: a command that runs ``manage.py optly`` *command*.
    """

    class Alias(Command):
        def handle(self, *args: str, **options: Any) -> None:
            if options["verbosity"]:
                self.stderr.write(f"This command is deprecated. Use: manage.py optly {command}")
            super().handle(command, *args, **options)

    return Alias
