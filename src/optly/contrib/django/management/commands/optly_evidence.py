# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_evidence``
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError

from optly.contrib.django import get_manager
from optly.contrib.django._contacts import contact_of
from optly.contrib.django.management._base import OptlyCommand


class Command(OptlyCommand):
    help = (
        "Write what proves a contact's consent: as JSON, which optly verify-evidence verifies without the database, or "
        "as a page to read. It holds personal data."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("who", metavar="WHO", help="a contact's id, email address or telephone number")
        parser.add_argument("--html", action="store_true", help="write the page")
        parser.add_argument(
            "--output", type=Path, metavar="FILE", help="write a new file, by default to standard output"
        )

    def handle(self, *_: Any, who: str, html: bool, output: Path | None, **__: Any) -> None:
        manager = get_manager()
        pack = manager.evidence(contact_of(manager, who))
        content = pack.to_html() if html else pack.to_json()
        if output is None:
            self.stdout.write(content)
            return
        try:
            # Not over anything that is there, and for nobody else to read.
            output.touch(mode=0o600, exist_ok=False)
            output.write_text(content, encoding="utf-8")
        except OSError as error:
            raise CommandError(f"the file cannot be written: {error}", returncode=2) from None
        self.tell(f"{len(pack.entries)} events")
