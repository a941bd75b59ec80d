# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_outbox``
"""

from __future__ import annotations

from typing import Any

from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand


class Command(OptlyCommand):
    help = "Tell how many messages wait, and what became of the others."

    def handle(self, *_: Any, **__: Any) -> None:
        backlog = get_manager().backlog()
        for state, number in backlog.items():
            self.stdout.write(f"{state.name.lower().replace('_', ' ')}: {number}")
        if not backlog:
            self.stdout.write("no message was ever queued")
