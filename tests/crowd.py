"""
A process in a crowd that shares one database: people who say yes and no, and workers who ask the gate and send.

Each of them dies at random points of its work, without a word, and is started again by whoever runs the test. What was
begun, what had returned and what reached the provider is written to a file of its own, one short line at a time, with a
clock that all processes of a machine share. The clocks that the processes tell Optly are apart.

    python crowd.py ROLE URL CONTACTS LOG SEED SECONDS
"""

from __future__ import annotations

import logging
import os
import random
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from world import ACME, KEYS, PURPOSES

from optly import Channel, ConsentManager, Contact, Content, NotPermittedError
from optly.backends import MemoryBackend
from optly.errors import OptlyError
from optly.messages import Message, Receipt
from optly.protocols import Claim, Commit, OutboxMessage
from optly.storage import SQLStorage

OFFERS: Final = (Channel.EMAIL, "offers")
# How often a process dies at each of its steps.
DEADLY: Final = 0.004


class Crowd:
    """
    What one process does, and where it writes what it did.
    """

    def __init__(self, url: str, contacts: str, log: str, seed: int) -> None:
        self.random = random.Random(seed)
        self.log = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        self.contacts = [Contact(line) for line in contacts.split(",")]
        apart = timedelta(seconds=self.random.uniform(-240, 240))
        self.manager = ConsentManager(
            organisation=ACME,
            purposes=PURPOSES,
            storage=Dying(url, self.step),
            backends=[Provider(self)],
            keys=KEYS,
            base_url="https://acme.example.com/my",
            clock=lambda: datetime.now(UTC) + apart,
        )

    def step(self) -> None:
        if self.random.random() < DEADLY:
            os._exit(9)

    def write(self, *words: object) -> None:
        line = " ".join(str(word) for word in (f"{time.monotonic():.6f}", *words))
        os.write(self.log, f"{line}\n".encode())

    def someone(self) -> Contact:
        return self.random.choice(self.contacts)

    def person(self) -> None:
        """
        Say yes or no, or press the button that stops everything.
        """
        contact, yes = self.someone(), self.random.random() < 0.5
        code = self.manager.link(contact).rpartition("/")[2]
        name = f"{'yes' if yes else 'no'} {contact.id} {self.random.getrandbits(64):x}"
        self.write("begin", name)
        if yes or self.random.random() < 0.5:
            self.manager.choose(code, {OFFERS: yes})
        else:
            self.manager.stop(code)
        self.write("end", name)

    def worker(self) -> None:
        """
        Queue a message if the gate allows it, and send what is due.
        """
        for _ in range(self.random.randrange(4)):
            try:
                self.manager.send(self.someone(), *OFFERS, Content(subject="An offer", text="Ten per cent off"))
            except NotPermittedError:
                continue
        self.manager.deliver_batch()


class Dying(SQLStorage):
    """
    A store around whose calls the process dies.
    """

    def __init__(self, url: str, step: Callable[[], None]) -> None:
        super().__init__(url)
        self.step = step

    def append(self, commits: Sequence[Commit]) -> None:
        self.step()
        super().append(commits)
        self.step()

    def claim(self, claims: Sequence[Claim], now: datetime, until: datetime) -> Sequence[OutboxMessage]:
        self.step()
        claimed = super().claim(claims, now, until)
        self.step()
        return claimed


class Provider(MemoryBackend):
    """
    Writes down what it takes, and the process dies before it or after it.
    """

    def __init__(self, crowd: Crowd) -> None:
        super().__init__(channel=Channel.EMAIL)
        self.crowd = crowd

    def send(self, message: Message) -> Receipt:
        self.crowd.step()
        kind = "offer" if message.subject == "An offer" else "other"
        self.crowd.write(kind, message.contact, message.id)
        self.crowd.step()
        return super().send(message)


def main(role: str, url: str, contacts: str, log: str, seed: str, seconds: str) -> None:
    logging.disable(logging.CRITICAL)
    crowd = Crowd(url, contacts, log, int(seed))
    act: Any = getattr(crowd, role)
    end = time.monotonic() + float(seconds)
    while time.monotonic() < end:
        try:
            act()
        except OptlyError as error:
            crowd.write("refused", type(error).__name__)
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
