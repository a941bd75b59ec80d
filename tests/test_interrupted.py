"""
Promises 8 and 10 when something is cut off: by Ctrl-C, a signal, a time limit, or the cancellation of a task, at every
step there is.
"""

from __future__ import annotations

import asyncio
import itertools
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from interrupted import (
    BatchProvider,
    Canceller,
    CountedMemory,
    CountedSQL,
    Provider,
    Steps,
    StopError,
    interrupted_at_line,
)
from world import ACME, EMAIL, KEYS, PURPOSES, ask_companies, awaited, world

from optly import AsyncConsentManager, Channel, ConsentManager, Contact, _operations
from optly._operations.leases import LEASE
from optly.backends import MemoryBackend
from optly.errors import StorageUnavailableError
from optly.messages import BatchInterrupted, DeliveryEvent, DeliveryStatus, InboundMessage, Message, Outcome, Receipt
from optly.protocols import MessageState
from optly.record.events import Event, MessageAccepted, MessageDoubted, MessageEvent
from optly.storage import MemoryStorage
from optly.testing.clock import FrozenClock

PEOPLE = 3


@attrs.define
class Place:
    """
    A manager whose every call to the store, the backend and the listener is counted.
    """

    manager: ConsentManager
    awaited: AsyncConsentManager
    backend: Provider
    steps: Steps
    clock: FrozenClock
    heard: list[tuple[Contact, Event]]

    def close(self) -> None:
        self.manager.close()

    def recorded(self, contacts: list[Contact]) -> list[tuple[Contact, Event]]:
        """
        Return what is on record, as the listener is told of it.
        """
        return [
            (contact, attrs.evolve(event, personal={}))
            for contact in contacts
            for event in self.manager.history(contact)
        ]

    def holds(self, contacts: list[Contact], *, once: bool = True) -> None:
        """
        Make sure of what holds right after an interruption: whatever the backend did not begin waits, and nobody has
        claimed it.
        """
        begun = set(self.backend.begun)
        store = self.manager.storage
        for state in (MessageState.SENDING, MessageState.IN_DOUBT):
            assert {row.message.hex() for row in store.messages("acme", state, 99)} <= begun
        due = store.due("acme", Channel.EMAIL, self.clock(), 99)
        assert len(due) == self.manager.backlog().get(MessageState.QUEUED, 0)
        assert not {row.message.hex() for row in due} & begun
        assert self.told(contacts, once=once)

    def told(self, contacts: list[Contact], *, once: bool = True) -> bool:
        """
        Whether the listener heard of each event on record, and of nothing else.

        Args:
            once: Not twice, as a listener may that was interrupted itself.
        """
        recorded = self.recorded(contacts)
        heard = all(each in self.heard for each in recorded) and all(each in recorded for each in self.heard)
        return heard and (not once or len(recorded) == len(self.heard))

    def goes_on(self, contacts: list[Contact], *, once: bool = True) -> None:
        """
        Make sure of what holds in the end: everybody got one message, or it is in doubt because it had begun.
        """
        self.clock.advance(LEASE + timedelta(minutes=1))
        self.manager.deliver()
        sent = Counter(self.backend.begun)
        assert sent.keys() == {row.message.hex() for state in MessageState for row in self._rows(state)}
        assert set(sent.values()) == {1}
        events = [event for _, event in self.recorded(contacts) if isinstance(event, MessageEvent)]
        accepted = {event.message for event in events if isinstance(event, MessageAccepted)}
        doubted = {event.message for event in events if isinstance(event, MessageDoubted)}
        assert accepted | doubted == sent.keys()
        assert not accepted & doubted
        assert self.manager.backlog().keys() <= {MessageState.ACCEPTED, MessageState.IN_DOUBT}
        assert self.told(contacts, once=once)
        assert self.manager.verify()

    def _rows(self, state: MessageState) -> list[Any]:
        return [*self.manager.storage.messages("acme", state, 99)]


def place(store: str, directory: Path, backend: type[Provider] = Provider, *, number: int = 0) -> Place:
    steps, clock = Steps(), FrozenClock()
    kept = CountedMemory() if store == "memory" else CountedSQL(f"sqlite:///{directory}/{number}.db")
    kept.steps = steps
    provider = backend()
    provider.steps = steps
    heard: list[tuple[Contact, Event]] = []

    def listen(contact: Contact, events: tuple[Event, ...]) -> None:
        heard.extend((contact, event) for event in events)

    settings: dict[str, Any] = {
        "organisation": ACME,
        "purposes": PURPOSES,
        "storage": kept,
        "backends": [provider],
        "keys": KEYS,
        "base_url": "https://acme.example.com/my",
        "clock": clock,
        "on_events": listen,
    }
    made = ConsentManager(**settings), AsyncConsentManager(**settings)
    return Place(manager=made[0], awaited=made[1], backend=provider, steps=steps, clock=clock, heard=heard)


def cut_off(here: Place, work: Callable[[], Any]) -> bool:
    """
    Do *work* in the blocking form, and return whether it was interrupted.
    """
    try:
        work()
    except StopError:
        pass
    finally:
        here.steps.disarm()
    return bool(here.steps.struck)


def cancelled(here: Place, work: Callable[[], Awaitable[Any]]) -> bool:
    """
    Do *work* in the awaited form, and return whether it was cancelled.
    """

    async def main() -> None:
        task = asyncio.ensure_future(work())
        here.steps.strike = Canceller(asyncio.get_running_loop(), task)
        if here.steps.at:
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            await task

    async def patiently() -> None:
        try:
            await main()
        finally:
            here.steps.disarm()

    try:
        asyncio.run(patiently())
    except pytest.fail.Exception:
        assert not here.steps.struck
    return bool(here.steps.struck)


def every_step(interrupt: Callable[[int], bool]) -> int:
    """
    Interrupt at the first step, the second, and so on until there is none left. Return how many there were.
    """
    n = 1
    while interrupt(n):
        n += 1
    return n - 1


stores = pytest.mark.parametrize("store", ["memory", pytest.param("sqlite", marks=pytest.mark.slow)])
sides = pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
kinds = pytest.mark.parametrize("kind", [Provider, BatchProvider])


@stores
@sides
@kinds
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_promise_8_a_delivery_that_is_interrupted_leaves_nothing_in_doubt_that_had_not_begun(
    store: str, after: bool, kind: type[Provider], twice: bool, tmp_path: Path
) -> None:
    """
    Wherever it is interrupted, and also if it is interrupted again while it clears up.
    """

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, kind, number=n)
        contacts = ask_companies(here.manager, PEOPLE)
        here.steps.arm(n, *([n + 1] if twice else []), after=after)
        struck = cut_off(here, here.manager.deliver)
        here.holds(contacts)
        here.goes_on(contacts)
        here.close()
        return struck

    assert every_step(interrupt) > 8


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited", "ignore::pytest.PytestUnraisableExceptionWarning")
@kinds
def test_promise_8_a_delivery_may_be_interrupted_between_any_two_lines(kind: type[Provider], tmp_path: Path) -> None:
    """
    As a signal does. Only on the way into the backend nobody can tell whether it has begun.
    """
    into_the_backend = {"_send", "call", "send"}

    def interrupt(n: int) -> bool:
        here = place("memory", tmp_path, kind)
        contacts = ask_companies(here.manager, 2)
        where: set[str] = set()
        with interrupted_at_line(n, Path(_operations.__file__).parent):
            try:
                here.manager.deliver()
            except StopError as error:
                where = {frame.name for frame in traceback.extract_tb(error.__traceback__)[-3:]}
        if not where & into_the_backend:
            here.holds(contacts, once=False)
            here.goes_on(contacts, once=False)
        return bool(where)

    lines = itertools.count(1, 5)
    assert every_step(lambda _: interrupt(next(lines))) > 200


class Knowing(BatchProvider):
    """
    Is interrupted at its third message, and says what it has done.
    """

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        receipts = [MemoryBackend.send(self, message) for message in messages[:2]]
        self.begun += [message.id for message in messages[:3]]
        unsent = Receipt(outcome=Outcome.RETRY_LATER, begun=False)
        raise BatchInterrupted(
            [*receipts, Receipt(outcome=Outcome.IN_DOUBT), *[unsent] * (len(messages) - 3)], StopError()
        )


def test_promise_8_a_batch_that_is_interrupted_in_the_middle(tmp_path: Path) -> None:
    """
    Its backend knows more than we do: one message is in doubt, and not all of them.
    """
    here = place("memory", tmp_path, Knowing)
    contacts = ask_companies(here.manager, 4)
    with pytest.raises(StopError):
        here.manager.deliver()
    assert {MessageState.ACCEPTED: 2, MessageState.IN_DOUBT: 1, MessageState.QUEUED: 1} == here.manager.backlog()
    here.holds(contacts)


@stores
@sides
@kinds
@pytest.mark.parametrize("twice", [False, True], ids=["once", "twice"])
def test_promise_8_a_delivery_that_is_cancelled_leaves_nothing_in_doubt(
    store: str, after: bool, kind: type[Provider], twice: bool, tmp_path: Path
) -> None:
    """
    What is under way in a thread is waited for, so that not even that is in doubt.
    """

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, kind, number=n)
        contacts = ask_companies(here.manager, PEOPLE)
        here.steps.arm(n, *([n + 1] if twice else []), after=after)
        struck = cancelled(here, here.awaited.deliver)
        here.holds(contacts)
        here.goes_on(contacts)
        doubts = here.manager.backlog().get(MessageState.IN_DOUBT, 0)
        here.close()
        assert doubts == 0
        return struck

    assert every_step(interrupt) > 8


def test_a_backend_that_is_awaited_is_cancelled_in_the_middle(tmp_path: Path) -> None:
    """
    The message it was at is in doubt: nobody knows what it did. What was not begun waits.
    """

    class Stuck:
        name, channel = "stuck", Channel.EMAIL

        def __init__(self) -> None:
            self.begun: list[str] = []

        async def send(self, message: Message) -> Receipt:
            self.begun.append(message.id)
            if len(self.begun) == 2:
                asyncio.get_running_loop().call_soon(tasks[0].cancel)
                await asyncio.sleep(60)
            return Receipt(outcome=Outcome.ACCEPTED)

        async def close(self) -> None:
            pass

    async def main() -> None:
        tasks.append(asyncio.ensure_future(manager.deliver()))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    tasks: list[asyncio.Task[Any]] = []
    backend, storage = Stuck(), MemoryStorage()
    w = world(storage)
    ask_companies(w.manager, 4)
    manager = awaited(backend, storage)
    asyncio.run(main())
    assert {MessageState.ACCEPTED: 1, MessageState.SENDING: 1, MessageState.QUEUED: 2} == w.manager.backlog()
    assert [backend.begun[1]] == [row.message.hex() for row in storage.messages("acme", MessageState.SENDING, 9)]


def test_a_time_limit_of_asyncio_is_a_timeout(tmp_path: Path) -> None:
    """
    What is under way in a thread is finished first, and the error is the one that was asked for.
    """
    w = world()
    ask_companies(w.manager, 3)

    def slowly(_message: Message) -> Receipt:
        time.sleep(0.1)
        return Receipt(outcome=Outcome.ACCEPTED)

    async def main() -> None:
        manager = awaited(MemoryBackend(answer=slowly), w.storage)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await manager.deliver()
        await asyncio.sleep(0)
        assert (await manager.deliver()).accepted == 2

    asyncio.run(main())
    assert {MessageState.ACCEPTED: 3} == w.manager.backlog()


@stores
@sides
def test_promise_8_a_link_that_someone_asked_for_is_sent_once(store: str, after: bool, tmp_path: Path) -> None:
    """
    Wherever the worker is interrupted that looks up the address.
    """

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, number=n)
        contact = here.manager.add_contact(email=EMAIL)
        here.manager.self_service.request_link(EMAIL)
        here.steps.arm(n, after=after)
        struck = cut_off(here, here.manager.deliver)
        here.clock.advance(LEASE + timedelta(minutes=1))
        here.manager.deliver()
        assert len(here.backend.begun) == 1
        assert here.told([contact])
        here.close()
        return struck

    assert every_step(interrupt) > 8


# ---- stops


def complain(here: Place, contact: Contact) -> Any:
    message = here.backend.outbox[0]
    return DeliveryEvent(
        id="complaint",
        backend="memory",
        channel=Channel.EMAIL,
        status=DeliveryStatus.COMPLAINED,
        contact=contact.id,
        message=message.id,
        at=here.clock(),
    )


def reply(here: Place, contact: Contact) -> Any:
    message = here.backend.outbox[0]
    return InboundMessage(
        id="reply", backend="memory", channel=Channel.EMAIL, sender=message.to, text="STOP", at=here.clock()
    )


Stop = Callable[[Any, Place, Contact], Any]
stopping = pytest.mark.parametrize(
    "stop",
    [
        pytest.param(lambda manager, here, contact: manager.withdraw(contact), id="withdraw"),
        pytest.param(lambda manager, here, contact: manager.receive(complain(here, contact)), id="complaint"),
        pytest.param(lambda manager, here, contact: manager.receive(reply(here, contact)), id="reply"),
    ],
)


def asked(here: Place) -> Contact:
    (contact,) = ask_companies(here.manager, 1)
    here.manager.deliver()
    return contact


def stands(here: Place, contact: Contact, *, once: bool = True) -> bool:
    """
    Make sure that the listener knows what is on record, and return whether the stop is.
    """
    assert here.told([contact], once=once)
    return bool(here.manager.standing(contact).stops)


@stores
@sides
@stopping
def test_promise_10_a_stop_that_is_interrupted_is_on_record_or_it_is_not(
    store: str, after: bool, stop: Stop, tmp_path: Path
) -> None:
    """
    All of it or none of it, and the listener knows which. Once more, and it stands, once.
    """

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, number=n)
        contact = asked(here)
        here.steps.arm(n, after=after)
        struck = cut_off(here, lambda: stop(here.manager, here, contact))
        stands(here, contact)
        stop(here.manager, here, contact)
        assert stands(here, contact)
        assert len(here.manager.standing(contact).stops) == 1
        here.close()
        return struck

    assert every_step(interrupt) > 1


@stores
@sides
@stopping
def test_promise_10_a_stop_that_is_cancelled_is_on_record_or_it_is_not(
    store: str, after: bool, stop: Stop, tmp_path: Path
) -> None:
    """
    Awaited as well.
    """

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, number=n)
        contact = asked(here)
        here.steps.arm(n, after=after)
        struck = cancelled(here, lambda: stop(here.awaited, here, contact))
        stands(here, contact)
        stop(here.manager, here, contact)
        assert stands(here, contact)
        here.close()
        return struck

    assert every_step(interrupt) > 1


@stores
@kinds
def test_promise_8_a_store_that_goes_away_leaves_nothing_in_doubt(
    store: str, kind: type[Provider], tmp_path: Path
) -> None:
    """
    From whichever call on. When it is back, what was sent is recorded, and what was not begun goes out.
    """

    def away() -> None:
        raise StorageUnavailableError("the database is away")

    def interrupt(n: int) -> bool:
        here = place(store, tmp_path, kind, number=n)
        contacts = ask_companies(here.manager, PEOPLE)
        here.steps.strike = away
        here.backend.steps = Steps()  # the provider is not away
        here.steps.arm(*range(n, n + 99))
        with suppress(StorageUnavailableError):
            here.manager.deliver()
        here.steps.disarm()
        here.manager.deliver()
        here.goes_on(contacts)
        assert {MessageState.ACCEPTED: PEOPLE} == here.manager.backlog()
        here.close()
        return bool(here.steps.struck)

    assert every_step(interrupt) > 5


def test_a_listener_hears_of_what_was_committed_before_a_time_limit() -> None:
    """
    Also if what interrupts looks like an ordinary error, as Celery's time limit does.
    """

    class TimeLimitError(Exception):
        pass

    class Slow(MemoryStorage):
        late = False

        def append(self, commits: Any) -> None:
            super().append(commits)
            if self.late:
                raise TimeLimitError

    storage, heard = Slow(), []
    w = world(storage, on_events=lambda contact, events: heard.extend(events))
    ada = w.add()
    storage.late = True
    with pytest.raises(TimeLimitError):
        w.manager.withdraw(ada)
    assert [type(event) for event in w.manager.history(ada)] == [type(event) for event in heard]
