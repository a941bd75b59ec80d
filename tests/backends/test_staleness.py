"""
Promise 7 with real mail servers that are slow: how old the gate's answer is when a message is handed over.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from backends.mail_servers import SENDER, Inbox, mail_server
from world import World, ask_companies, world

from optly import Contact
from optly.backends import SMTPBackend

pytestmark = [pytest.mark.server, pytest.mark.slow]

# A stop that was recorded so long before a message's turn stops it.
SECOND = 1.0


class Slow(Inbox):
    """
    Takes its time at one step, and lets someone else act at its beginning. Notes when the turn of each message came
    that it got.
    """

    def __init__(self, step: str, seconds: float, *, first: Callable[[], None] = lambda: None, spared: int = 0) -> None:
        super().__init__()
        self._step, self._seconds, self._first, self._spared = step, seconds, first, spared
        self.turns: dict[str, float] = {}

    async def _dawdle(self, step: str) -> None:
        if step != self._step:
            return
        self._spared -= 1
        if self._spared < 0:
            self._first()
            await asyncio.sleep(self._seconds)

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        session.host_name = hostname
        await self._dawdle("EHLO")
        return [*responses[:-1], "250-PIPELINING", responses[-1]]

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        # Connections may be several.
        session.turn = time.monotonic()  # type: ignore[attr-defined]
        return await super().handle_MAIL(server, session, envelope, address, options)

    async def handle_RCPT(self, *args: Any) -> str:
        await self._dawdle("RCPT")
        return await super().handle_RCPT(*args)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.turns[envelope.rcpt_tos[0]] = session.turn  # type: ignore[attr-defined]
        await self._dawdle("DATA")
        return await super().handle_DATA(server, session, envelope)


def slow_world(address: str, **settings: Any) -> World:
    backend = SMTPBackend(f"smtp://{address}", sender=SENDER, timeout=timedelta(seconds=20), **settings)
    return world(backends=[backend], clock=lambda: datetime.now(UTC))


@pytest.mark.parametrize(
    ("step", "spared"), [("DATA", 0), ("DATA", 3), ("RCPT", 1), ("EHLO", 1)], ids=["first", "fourth", "RCPT", "EHLO"]
)
@pytest.mark.parametrize(("connections", "pipelining"), [(1, False), (1, True), (3, True)])
def test_promise_7_a_stop_a_second_before_a_messages_turn_stops_it(
    step: str, spared: int, connections: int, pipelining: bool
) -> None:
    """
    Whichever step the server is slow at, and however much was written ahead.
    """
    stopped: dict[str, float] = {}
    waiting: list[Contact] = []

    def stop() -> None:
        for contact in waiting:
            w.manager.record_objection(contact)
            stopped[contact.id] = time.monotonic()
        waiting.clear()

    inbox = Slow(step, 3 * SECOND, first=stop, spared=spared)
    with mail_server(inbox) as address:
        more = {"messages_per_connection": 2} if step == "EHLO" else {}
        w = slow_world(address, connections=connections, pipelining=pipelining, **more)
        contacts = ask_companies(w.manager, 12)
        emails = {contact.id: f"p{number}@example.com" for number, contact in enumerate(contacts)}
        waiting += contacts
        done = w.manager.deliver()
        w.manager.close()
    staleness = [inbox.turns[emails[contact]] - at for contact, at in stopped.items() if emails[contact] in inbox.turns]
    assert stopped
    assert max(staleness) < SECOND
    assert done.accepted == len(inbox.turns)
    assert done.withheld == len(contacts) - len(inbox.turns) > 0


@pytest.mark.parametrize("step", ["EHLO", "RCPT", "DATA"])
def test_a_server_that_is_always_slow_gets_everything(step: str) -> None:
    """
    What was not begun in time is gated again and begun.
    """
    with mail_server(Slow(step, 1.2 * SECOND)) as address:
        w = slow_world(address, connections=1, messages_per_connection=2)
        ask_companies(w.manager, 4)
        assert w.manager.deliver().accepted == 4
        w.manager.close()
