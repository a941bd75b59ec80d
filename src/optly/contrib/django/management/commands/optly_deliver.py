# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_deliver``
"""

from __future__ import annotations

from typing import Any

import attrs

from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand, positive


class Command(OptlyCommand):
    help = (
        "Hand over what is due, and end. For a timer; see optly_worker for a process that goes on. Safe to run any "
        "number of times and at the same time."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--limit", type=positive, metavar="N", help="hand over so many messages at most")

    def handle(self, *_: Any, limit: int | None, **__: Any) -> None:
        done = get_manager().deliver(limit=limit)
        counted = [f"{number} {name.replace('_', ' ')}" for name, number in attrs.asdict(done).items() if number]
        self.stdout.write(", ".join(counted) or "nothing was due")
