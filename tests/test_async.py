"""
The awaited manager does what the blocking one does, with ports that block and ports that do not.
"""

from __future__ import annotations

import asyncio
import inspect
import re
import threading
from collections.abc import Callable
from typing import Any

import pytest
from world import ACME, EMAIL, EMAIL_OFFERS, KEYS, PURPOSES, awaited

from optly import AsyncConsentManager, Channel, ConsentManager, Content, NotPermittedError, Solicited, Subscriber
from optly._operations.running import run_to_completion
from optly.backends import MemoryBackend
from optly.messages import Message, Outcome, Receipt
from optly.protocols.http import Request
from optly.storage import MemoryStorage
from optly.testing.clock import FrozenClock
from optly.testing.messages import code_in, stop_token_in


class AwaitedBackend:
    """
    A backend whose methods are coroutines.
    """

    name = "awaited"
    channel = Channel.EMAIL

    def __init__(self) -> None:
        self.outbox: list[Message] = []
        self.closed = False

    async def send(self, message: Message) -> Receipt:
        await asyncio.sleep(0)
        self.outbox.append(message)
        return Receipt(outcome=Outcome.ACCEPTED, reply="250 awaited")

    async def close(self) -> None:
        self.closed = True


@pytest.mark.parametrize("backend", [MemoryBackend, AwaitedBackend])
def test_the_whole_of_the_main_job_awaited(backend: Callable[[], Any]) -> None:
    """
    The same steps, the same answers.
    """

    async def job() -> None:
        clock, sender = FrozenClock(), backend()
        async with awaited(sender, clock=clock) as manager:
            ada = await manager.add_contact(email=EMAIL, subscriber=Subscriber.INDIVIDUAL)
            with pytest.raises(NotPermittedError):
                await manager.send(ada, Channel.EMAIL, "offers", Content(subject="Hi", text="Hello"))
            await manager.request_consent(
                ada,
                via=Channel.EMAIL,
                channels=[Channel.EMAIL],
                purposes=["offers"],
                basis=Solicited(how="form", at=clock()),
            )
            assert (await manager.deliver()).accepted == 1
            code = code_in(sender.outbox[0])
            assert (await manager.open(code)).items[0].answer is None
            await manager.answer(code, {EMAIL_OFFERS: True})
            assert await manager.check(EMAIL, Channel.EMAIL, "offers")
            assert [bool(d) async for d in manager.screen([EMAIL, "x@example.com"], "email", "offers")] == [True, False]
            response = manager.portal().handle(
                Request(
                    method="POST",
                    path=f"/u/{stop_token_in(sender.outbox[0])}",
                    headers=(("content-type", "application/x-www-form-urlencoded"),),
                    body=b"List-Unsubscribe=One-Click",
                )
            )
            assert response.status == 200
            assert not await manager.check(EMAIL, Channel.EMAIL, "offers")
            assert (await manager.evidence(ada)).verify()
            assert await manager.verify()
            await manager.erase(ada)
            assert await manager.find(EMAIL) is None

    asyncio.run(job())


def test_blocking_ports_do_not_block_the_loop() -> None:
    """
    They run in threads of the loop's pool.
    """
    threads: list[threading.Thread] = []

    class Noting(MemoryStorage):
        def append(self, commits: Any) -> None:
            threads.append(threading.current_thread())
            super().append(commits)

    async def job() -> None:
        await awaited(MemoryBackend(), storage=Noting()).add_contact(email=EMAIL)

    asyncio.run(job())
    assert threads
    assert threading.main_thread() not in threads


def test_many_at_once_on_one_contact() -> None:
    """
    Every change is decided again until it fits, and none is lost.
    """

    async def job() -> None:
        manager = awaited(MemoryBackend())
        ada = await manager.add_contact(email=EMAIL)
        await asyncio.gather(*(manager.change_details(ada, name=f"Ada {number}") for number in range(20)))
        assert (await manager.standing(ada)).version == 22
        assert await manager.verify()

    asyncio.run(job())


def public(cls: type) -> dict[str, Any]:
    return {name: member for name, member in vars(cls).items() if not name.startswith("_")}


def test_both_managers_have_the_same_names_and_signatures() -> None:
    """
    Someone who knows one of them knows the other.
    """
    blocking, awaited = public(ConsentManager), public(AsyncConsentManager)
    assert blocking.keys() == awaited.keys()
    for name, member in awaited.items():
        if isinstance(member, property):
            continue
        ours, theirs = inspect.signature(member), inspect.signature(blocking[name])
        assert theirs.parameters == ours.parameters, name
        plain = re.sub(r"^Async(?=Iterator|ConsentManager)", "", str(ours.return_annotation))
        assert theirs.return_annotation == plain, name


def test_a_flow_that_suspends_without_a_loop_fails_loudly() -> None:
    """
    At once, instead of hanging.
    """

    async def flow() -> None:
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="suspended"):
        run_to_completion(flow())


def test_the_blocking_manager_works_under_a_running_loop() -> None:
    """
    As a host may call it from anywhere.
    """

    async def job() -> bool:
        manager = ConsentManager(
            organisation=ACME,
            purposes=PURPOSES,
            storage=MemoryStorage(),
            keys=KEYS,
            base_url="https://acme.example.com/my",
        )
        manager.add_contact(email=EMAIL)
        return manager.check(EMAIL, Channel.EMAIL, "offers").allowed

    assert not asyncio.run(job())
