"""
The worker: alone, beside others, and killed at every step.
"""

from __future__ import annotations

import logging
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import attrs
import killed_worker
import pytest
from processes import environment, wait_for
from services import POSTGRESQL, database
from world import ask_companies, world

from optly import ConsentManager, Contact
from optly._operations.leases import BATCH
from optly.errors import ConflictError, DamagedError, StorageUnavailableError
from optly.messages import Fault, Outcome, Receipt
from optly.protocols import MessageState
from optly.record.events import MessageAccepted, MessageDoubted, MessageEvent
from optly.results import Deliveries
from optly.worker import work

WORKER = [sys.executable, "-m", "optly.cli", "worker", "--app", "killed_worker:manager", "--idle", "0.05", "--quiet"]


# ---- alone


class Managed(ConsentManager):
    """
    Hands over what the test says.
    """

    def __init__(self, *batches: Deliveries | Exception) -> None:
        self.batches = list(batches)
        self.ended = threading.Event()

    def deliver_batch(self) -> Deliveries:
        batch = self.batches.pop(0) if self.batches else Deliveries()
        if not self.batches:
            self.ended.set()
        if isinstance(batch, Exception):
            raise batch
        return batch


def test_it_counts_what_it_did_and_tells_of_each_batch() -> None:
    """
    Of empty ones too.
    """
    batches = [Deliveries(accepted=3), Deliveries(), Deliveries(refused=1, retried=1), Deliveries()]
    manager = Managed(*batches)
    told: list[Deliveries] = []
    done = work(manager, stop=manager.ended, idle=timedelta(milliseconds=1), report=told.append)
    assert Deliveries(accepted=3, refused=1, retried=1) == done
    assert batches == told


def test_a_store_that_is_away_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    """
    That it was away is told once, and that it is back.
    """
    away = StorageUnavailableError("the database is away")
    manager = Managed(away, away, ConflictError("again"), Deliveries(accepted=1), Deliveries())
    with caplog.at_level(logging.WARNING, "optly"):
        assert work(manager, stop=manager.ended, idle=timedelta(milliseconds=1)).accepted == 1
    assert ["worker paused; it will try again", "worker resumed"] == [r.message for r in caplog.records]


def test_what_does_not_pass_by_itself_ends_it() -> None:
    """
    A worker that goes on over a damaged store would do harm.
    """
    manager = Managed(DamagedError("a record cannot be read"), Deliveries())
    with pytest.raises(DamagedError):
        work(manager, stop=manager.ended)


def test_it_does_not_spin_on_what_cannot_go_out() -> None:
    """
    A backend that is down puts everything back, and a worker waits before it looks again.
    """
    w = world()
    down = Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND)
    w.emails.answer = lambda _message: down
    ask_companies(w.manager, 5)
    stop = threading.Event()
    rounds: list[Deliveries] = []

    def report(batch: Deliveries) -> None:
        rounds.append(batch)
        w.clock.advance(timedelta(hours=2))

    worker = threading.Thread(
        target=work, args=(w.manager,), kwargs={"stop": stop, "idle": timedelta(seconds=0.2), "report": report}
    )
    worker.start()
    time.sleep(0.5)
    stop.set()
    worker.join()
    assert 1 <= len(rounds) <= 4


# ---- beside others, and killed


@attrs.define
class Place:
    """
    A database, and a provider's memory beside it.
    """

    url: str
    sent: Path
    manager: ConsentManager
    contacts: list[Contact]

    def worker(self, *arguments: str, **facts: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [*WORKER, *arguments],
            env=environment(DATABASE=self.url, SENT=str(self.sent), **facts),
            # A shell that runs in the background has its children ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def took(self) -> list[tuple[str, str]]:
        """
        Return what the provider took: contact and message.
        """
        if not self.sent.exists():
            return []
        return [(contact, message) for contact, message in map(str.split, self.sent.read_text().splitlines())]

    def goes_on(self, before: list[tuple[str, str]]) -> bool:
        """
        Tell whether the provider took more than before.
        """
        return len(self.took()) > len(before)

    def recorded(self, *kinds: type[MessageEvent]) -> list[set[str]]:
        """
        Return the messages of which each kind of event is on record.
        """
        events = [event for contact in self.contacts for event in self.manager.history(contact)]
        return [{event.message for event in events if isinstance(event, kind)} for kind in kinds]

    def holds(self) -> None:
        """
        Make sure of what must hold whatever happened, once every lease has run out and everything was handed over.
        """
        took = [message for _, message in self.took()]
        assert max(Counter(took).values(), default=1) == 1  # nobody was asked twice
        accepted, doubted = self.recorded(MessageAccepted, MessageDoubted)
        assert accepted <= set(took)  # what is said to be sent was sent
        assert set(took) <= accepted | doubted  # what was sent is not taken for unsent
        assert self.manager.backlog().keys() <= {MessageState.ACCEPTED, MessageState.IN_DOUBT}
        assert sum(self.manager.backlog().values()) == len(self.contacts)
        assert self.manager.verify()


@pytest.fixture(params=["sqlite", POSTGRESQL])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with database(request.param, tmp_path) as url:
        yield url


def place(url: str, directory: Path, count: int, monkeypatch: pytest.MonkeyPatch) -> Place:
    sent = directory / "sent"
    monkeypatch.setenv("DATABASE", url)
    monkeypatch.setenv("SENT", str(sent))
    manager = killed_worker.manager()
    return Place(url=url, sent=sent, manager=manager, contacts=ask_companies(manager, count))


@pytest.mark.slow
def test_many_workers_hand_each_message_over_once(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Four processes, a thousand messages.
    """
    here = place(url, tmp_path, 1000, monkeypatch)
    workers = [here.worker("--once") for _ in range(4)]
    assert [0] * 4 == [worker.wait(120) for worker in workers]
    here.manager.deliver()
    assert len(here.took()) == 1000
    here.holds()
    assert {MessageState.ACCEPTED: 1000} == here.manager.backlog()
    here.manager.close()


@pytest.mark.slow
@pytest.mark.parametrize("step", killed_worker.STEPS)
def test_a_worker_killed_at_any_step_asks_nobody_twice(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What it held is in doubt once the lease has run out, unless the result was written or nothing was claimed.
    """
    here = place(f"sqlite:///{tmp_path}/optly.db", tmp_path, BATCH + 20, monkeypatch)
    assert here.worker("--once", DIE=step).wait(60) == -signal.SIGKILL
    assert here.worker("--once").wait(60) == 0  # another one goes on with the rest
    assert here.worker("--once", OFFSET="16").wait(60) == 0
    here.holds()
    held = {"before claim": 0, "after result": 0}.get(step, BATCH)
    wanted = {MessageState.ACCEPTED: BATCH + 20 - held, MessageState.IN_DOUBT: held}
    assert {state: number for state, number in wanted.items() if number} == here.manager.backlog()
    really_sent = {"after send": 1, "before result": BATCH}.get(step, 0)
    (doubted,) = here.recorded(MessageDoubted)
    assert really_sent == len([message for _, message in here.took() if message in doubted])
    here.manager.close()


@pytest.mark.slow
def test_a_worker_killed_at_random_asks_nobody_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Two at once and in the middle of their work, again and again until they have left nothing for others.
    """
    here = place(f"sqlite:///{tmp_path}/optly.db", tmp_path, 1500, monkeypatch)
    seed = random.randrange(2**32)
    chance = random.Random(seed)
    killed = 0
    while here.manager.backlog().get(MessageState.QUEUED):
        before = here.took()
        workers = [here.worker(SLOW="0.001") for _ in range(2)]
        wait_for(partial(here.goes_on, before))
        time.sleep(chance.random() * 0.1)
        for worker in workers:
            killed += worker.poll() is None
            worker.kill()
            worker.wait(60)
    assert killed >= 10, seed
    assert here.worker("--once").wait(60) == 0
    assert here.worker("--once", OFFSET="16").wait(60) == 0
    here.holds()
    here.manager.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_asked_to_stop_finishes_what_it_holds(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The batch under way, and nothing after it. Nothing is in doubt.
    """
    here = place(f"sqlite:///{tmp_path}/optly.db", tmp_path, 3 * BATCH, monkeypatch)
    worker = here.worker(SLOW="0.02")
    wait_for(lambda: len(here.took()) >= 5)
    worker.send_signal(number)
    assert worker.wait(60) == 0
    assert {MessageState.ACCEPTED: BATCH, MessageState.QUEUED: 2 * BATCH} == here.manager.backlog()
    assert len(here.took()) == BATCH
    assert [BATCH] == [len(messages) for messages in here.recorded(MessageAccepted)]
    assert here.manager.verify()
    here.manager.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_worker_at_once(
    number: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    What was sent is on record, and what was not begun is sent by the next one. One message may have been under way.
    """
    here = place(f"sqlite:///{tmp_path}/optly.db", tmp_path, BATCH, monkeypatch)
    worker = here.worker(SLOW="0.2")
    wait_for(here.took)
    worker.send_signal(number)
    time.sleep(0.1)
    assert worker.poll() is None
    worker.send_signal(number)
    assert worker.wait(10) == 128 + number
    sent = len(here.took())
    backlog = here.manager.backlog()
    assert (1, BATCH - sent) == (backlog[MessageState.SENDING], backlog[MessageState.QUEUED])
    assert here.worker("--once", OFFSET="16").wait(60) == 0
    here.holds()
    assert {MessageState.IN_DOUBT: 1, MessageState.ACCEPTED: BATCH - 1} == here.manager.backlog()
    here.manager.close()
