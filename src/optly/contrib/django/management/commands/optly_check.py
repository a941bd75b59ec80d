# mypy: allow-subclassing-any, disable-error-code="import-untyped"
"""
``manage.py optly_check``
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from typing import Any

from optly.contacts.addresses import Channel
from optly.contrib.django import get_manager
from optly.contrib.django.management._base import OptlyCommand, instant
from optly.rules import MessageKind


class Command(OptlyCommand):
    help = (
        "Tell whether a marketing message may be sent, or a call be made, and why. The exit code is 0 if it may, and 1 "
        "if it may not. Nothing is changed and nothing is sent. No answer is legal advice."
    )

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument(
            "address",
            metavar="ADDRESS",
            help="whom it would reach; written as - it is read from standard input, and stands in no list of processes",
        )
        parser.add_argument("--channel", required=True, choices=[channel.value for channel in Channel])
        parser.add_argument("--purpose", required=True, metavar="KEY", help="the key of the purpose it is about")
        parser.add_argument(
            "--kind",
            default=MessageKind.MARKETING.value,
            choices=[kind.value for kind in MessageKind],
            help="what the message is, by default marketing",
        )
        parser.add_argument(
            "--at", type=instant, metavar="INSTANT", help="decide for this instant, on what was on record then"
        )
        parser.add_argument("--json", action="store_true", dest="as_json", help="print the decision as JSON")

    def handle(
        self,
        *_: Any,
        address: str,
        channel: str,
        purpose: str,
        kind: str,
        at: datetime | None,
        as_json: bool,
        **__: Any,
    ) -> None:
        who = sys.stdin.read().strip() if address == "-" else address
        decision = get_manager().check(who, Channel(channel), purpose, kind=MessageKind(kind), at=at)
        if as_json:
            names = (
                "allowed",
                "reason",
                "explanation",
                "would_change_it",
                "regulation",
                "edition",
                "duties",
                "contact",
            )
            self.stdout.write(json.dumps({name: getattr(decision, name) for name in names}, indent=2))
        else:
            self.stdout.write(str(decision))
            if decision.would_change_it:
                self.stdout.write(f"would change it: {decision.would_change_it}")
        if not decision:
            self.no()
