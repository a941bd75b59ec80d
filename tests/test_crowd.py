"""
Promises 1, 7, 8 and 10 in a crowd: processes that share one database, whose clocks are apart, and who die at any point.

People say yes and no while workers ask the gate and send. What each of them did is compared with the promises
afterwards, by a clock that none of them tells Optly.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Final

import attrs
import pytest
from crowd import OFFERS
from processes import environment
from services import MYSQL, POSTGRESQL, database
from world import world

from optly import Contact, Subscriber
from optly.protocols import MessageState
from optly.storage import SQLStorage

ROLES: Final = ("person", "person", "worker", "worker")
CROWD: Final = Path(__file__).with_name("crowd.py")
SECONDS, SEED = 15.0, 1
# Between the second gate and the provider.
MOMENT: Final = 2.0
NEVER: Final = float("inf")


@attrs.frozen
class Said:
    """
    What someone said, and when the call began and returned, if it did.
    """

    contact: str
    yes: bool
    begun: float
    returned: float = NEVER


@attrs.define
class Heard:
    """
    What the processes wrote down.
    """

    said: dict[str, Said] = attrs.field(factory=dict)
    offers: list[tuple[float, str]] = attrs.field(factory=list)
    arrived: Counter[str] = attrs.field(factory=Counter)

    def read(self, log: Path) -> None:
        for line in log.read_text().splitlines():
            at, event, *words = line.split()
            match event, words:
                case "begin", [answer, contact, name]:
                    self.said[name] = Said(contact, answer == "yes", float(at))
                case "end", [_, _, name]:
                    self.said[name] = attrs.evolve(self.said[name], returned=float(at))
                case "offer" | "other", [contact, message]:
                    self.arrived[message] += 1
                    if event == "offer":
                        self.offers.append((float(at), contact))

    def by(self, contact: str) -> list[Said]:
        return [said for said in self.said.values() if said.contact == contact]

    def allowed(self, at: float, contact: str) -> bool:
        """
        Whether an offer may have reached someone at that time: no stop had returned before its turn, or a yes may have
        come after it.
        """
        stops = [said.returned for said in self.by(contact) if not said.yes and said.returned < at - MOMENT]
        return not stops or any(
            said.yes and said.returned >= max(stops) and said.begun <= at for said in self.by(contact)
        )

    def last(self, contact: str) -> bool | None:
        """
        What someone said last; None if the calls met, or nobody knows how it ended.
        """
        said = sorted(self.by(contact), key=lambda one: one.begun)
        if not said or said[-1].returned == NEVER or any(one.returned >= said[-1].begun for one in said[:-1]):
            return None
        return said[-1].yes


def run(url: str, contacts: Sequence[Contact], log: Path) -> int:
    """
    Run a process of each role, start each again when it has died, and return how often one did.
    """
    seeds, died, end = count(SEED), 0, time.monotonic() + SECONDS
    names = ",".join(contact.id for contact in contacts)

    def started(role: str) -> subprocess.Popen[bytes]:
        left = max(0.1, end - time.monotonic())
        command = [sys.executable, str(CROWD), role, url, names, str(log), str(next(seeds)), str(left)]
        return subprocess.Popen(command, env=environment())

    running = [(role, started(role)) for role in ROLES]
    while time.monotonic() < end:
        time.sleep(0.02)
        for place, (role, process) in enumerate(running):
            if process.poll() is not None and time.monotonic() < end - 1:
                assert process.returncode == 9, process.returncode
                died += 1
                running[place] = (role, started(role))
    for _, process in running:
        assert process.wait(60) in (0, 9)
    return died


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", POSTGRESQL, MYSQL])
def test_a_crowd_keeps_the_promises(kind: str, tmp_path: Path) -> None:
    """
    Nothing is sent twice; nothing is sent that was stopped before its turn; whatever a call returned from is there.
    """
    with database(kind, tmp_path) as url:
        storage = SQLStorage(url)
        w = world(storage)
        contacts = [
            w.manager.add_contact(name=f"P{n}", email=f"p{n}@example.com", subscriber=Subscriber.INDIVIDUAL)
            for n in range(6)
        ]
        assert run(url, contacts, tmp_path / "log")
        heard = Heard()
        heard.read(tmp_path / "log")
        assert heard.offers
        assert [message for message, times in heard.arrived.items() if times > 1] == []
        assert [offer for offer in heard.offers if not heard.allowed(*offer)] == []
        w.clock.now = datetime.now(UTC)
        for contact in contacts:
            assert heard.last(contact.id) in (None, w.manager.check(contact, *OFFERS).allowed)
        w.manager.seal()
        assert w.manager.verify()
        assert not w.manager.outbox_messages(MessageState.REFUSED)
        storage.close()
