"""
An application whose worker the tests kill: what it hands over is written to a file, as a provider would remember it.

Where it is to die is told by the environment: ``DIE`` names a step, and ``OFFSET`` moves its clock on, so that leases
run out.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from world import ACME, KEYS, PURPOSES

from optly import Channel, ConsentManager
from optly.backends import MemoryBackend
from optly.messages import Message, Receipt
from optly.protocols import Claim, Commit, OutboxMessage
from optly.storage import SQLStorage

STEPS = ("before claim", "after claim", "before send", "after send", "before result", "after result")


def reached(step: str) -> None:
    """
    Die if this is where to die.
    """
    if os.environ.get("DIE") == step:
        os.kill(os.getpid(), signal.SIGKILL)


class Store(SQLStorage):
    """
    Dies around a claim, or around the writing of results.
    """

    def claim(self, claims: Sequence[Claim], now: datetime, until: datetime) -> Sequence[OutboxMessage]:
        reached("before claim")
        got = super().claim(claims, now, until)
        reached("after claim")
        return got

    def append(self, commits: Sequence[Commit]) -> None:
        results = any(commit.settle for commit in commits)
        if results:
            reached("before result")
        super().append(commits)
        if results:
            reached("after result")


class Provider(MemoryBackend):
    """
    Remembers in a file what it took, and dies before it or after it.
    """

    def send(self, message: Message) -> Receipt:
        reached("before send")
        with open(os.environ["SENT"], "a") as sent:
            sent.write(f"{message.contact} {message.id}\n")
        reached("after send")
        time.sleep(float(os.environ.get("SLOW", "0")))
        return super().send(message)


def clock() -> datetime:
    return datetime.now(UTC) + timedelta(minutes=float(os.environ.get("OFFSET", "0")))


def manager(**settings: Any) -> ConsentManager:
    """
    Return the manager over the database that the environment names.
    """
    return ConsentManager(
        organisation=ACME,
        purposes=PURPOSES,
        storage=Store(os.environ["DATABASE"]),
        backends=[Provider(Channel.EMAIL)],
        keys=KEYS,
        base_url="https://acme.example.com/my",
        clock=clock,
        **settings,
    )
