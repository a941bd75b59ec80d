"""
Real bounces, and how many of them are read as a test-suite of bounces has it: ``python tests/backends/bounces.py``.

The mails and their verdicts are those of sisimai, in ../shared. flufl.bounce stands beside: it says of each address
only whether the failure is permanent or temporary.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from email import message_from_bytes
from pathlib import Path
from typing import Final

import attrs
from flufl.bounce import all_failures

from optly.backends.mail import read
from optly.backends.verp import ReturnPath
from optly.keys import Keys
from optly.messages import DeliveryEvent, DeliveryStatus, InboundMessage
from optly.messages.replies import Stops, is_nothing_but_a_stop, read_reply

BOUNCES: Final = Path(__file__).parents[3] / "shared" / "data" / "bounces"
NOW: Final = datetime(2026, 11, 27, 12, tzinfo=UTC)
PATH: Final = ReturnPath("@bounces.acme.example.com", Keys(current="a key that is only used in tests"))
SENT_TO: Final = PATH.address_for("0123456789abcdef" * 2, "fedcba9876543210" * 2)

KINDS: Final = {
    "dead": ("bounced",),
    "not dead": ("failed", "failed|delayed"),
    "complaint or opt-out": ("complained", "opted_out"),
}


@attrs.frozen
class Bounce:
    """
    One mail, what is expected of it, and what it was read as.
    """

    name: str
    expected: tuple[str, ...]
    raw: bytes = attrs.field(repr=False)

    @property
    def kind(self) -> str:
        """
        What all of its recipients are expected to be; mixed if they differ.
        """
        return next((kind for kind, words in KINDS.items() if {*self.expected} <= {*words}), "mixed or other")

    def verdict(self) -> str:
        """
        What Optly makes of it, handed in at a signed return path.
        """
        events = read(self.raw, now=NOW, return_path=PATH, recipient=SENT_TO)
        return "+".join(sorted({_said(event) for event in events})) or "nothing"

    def by_library(self) -> str:
        """
        What flufl.bounce makes of it.
        """
        temporary, permanent = all_failures(message_from_bytes(self.raw))
        return "permanent" if permanent else "temporary" if temporary else "nothing"


def _said(event: DeliveryEvent | InboundMessage) -> str:
    if isinstance(event, DeliveryEvent):
        lasting = event.status is DeliveryStatus.FAILED and event.permanent
        return "failed for good" if lasting else event.status.value
    if isinstance(read_reply(event.text), Stops) or is_nothing_but_a_stop(event.subject):
        return "stop"
    return "automatic" if event.automatic else "person"


def bounces(root: Path = BOUNCES) -> Iterator[Bounce]:
    for entry in json.loads((root / "expected.json").read_text(encoding="utf-8")):
        raw = (root / "mails" / f"{entry['file']}.eml").read_bytes()
        yield Bounce(entry["file"], tuple(entry["expected"]), raw)


def _listed(counted: Counter[str]) -> str:
    return ", ".join(f"{what} {number}" for what, number in counted.most_common())


def main() -> None:
    everything = list(bounces(*map(Path, sys.argv[1:])))
    lines = ["| expected | mails | Optly | flufl.bounce |", "|---|---|---|---|"]
    for kind in (*KINDS, "mixed or other"):
        found = [bounce for bounce in everything if bounce.kind == kind]
        ours, theirs = Counter(b.verdict() for b in found), Counter(b.by_library() for b in found)
        lines.append(f"| {kind} | {len(found)} | {_listed(ours)} | {_listed(theirs)} |")
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
