# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_reconcile``
"""

from __future__ import annotations

from typing import Any, Final

from optly.contacts.parties import Contact
from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand, positive
from optly.results import Finding

_FOUND: Final = {
    Finding.SENT: "the provider has it, so it counts as accepted",
    Finding.NOT_SENT: "the provider does not have it; --resend queues it again",
    Finding.UNKNOWN: "nobody can tell; say --sent or --not-sent if you know",
}


class Command(OptlyCommand):
    help = (
        "Settle what is in doubt: messages of which nobody knows whether they were sent. The exit code is 1 while some "
        "are left."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "--resend", action="store_true", help="queue again what a provider was asked for and does not have"
        )
        parser.add_argument(
            "--limit", type=positive, default=1000, metavar="N", help="look into so many at most, by default 1000"
        )
        known = parser.add_mutually_exclusive_group()
        for name, what in (("--sent", "was sent"), ("--not-sent", "was not, so that it is queued again")):
            known.add_argument(name, nargs=2, metavar=("CONTACT", "MESSAGE"), help=f"you know that this message {what}")

    def handle(self, *_: Any, resend: bool, limit: int, sent: Any, not_sent: Any, **__: Any) -> None:
        if sent or not_sent:
            self._resolve(*(sent or not_sent), sent=bool(sent))
            return
        doubts = get_manager().reconcile(resend=resend, limit=limit)
        for doubt in doubts:
            what = "queued again" if doubt.resent else _FOUND[doubt.finding]
            self.stdout.write(f"{doubt.channel} message {doubt.message} to contact {doubt.contact.id}: {what}")
        if not doubts:
            self.stdout.write("nothing is in doubt")
        if any(doubt.finding is not Finding.SENT and not doubt.resent for doubt in doubts):
            self.no()

    def _resolve(self, contact: str, message: str, *, sent: bool) -> None:
        if not get_manager().resolve_doubt(Contact(contact), message, sent=sent):
            self.stdout.write("no message of that name to that contact is in doubt")
            self.no()
        self.stdout.write("it counts as accepted" if sent else "it is queued again")
