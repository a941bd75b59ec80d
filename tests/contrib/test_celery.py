"""
Handing messages over from Celery: without a broker, and by real workers on RabbitMQ.
"""

from __future__ import annotations

import importlib
import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from billiard.pool import soft_timeout_sighandler
from celery import Celery
from contrib.acme_tasks import acme, lines, open_manager
from kombu.connection import Connection
from kombu.exceptions import OperationalError
from processes import PATIENCE, environment, wait_for
from services import missing
from world import World, ask_companies, world

from optly import Channel, ConsentManager
from optly._operations.leases import BATCH, LEASE
from optly.contrib.celery import Tasks, install
from optly.errors import ConfigurationError, InvalidValueError, RetryableError, StorageUnavailableError
from optly.messages import Fault, Message, Outcome, Receipt
from optly.messages.pacing import Rate
from optly.protocols import MessageState
from optly.storage import MemoryStorage

BROKER = os.environ.get("OPTLY_TEST_BROKER", "amqp://guest:guest@127.0.0.1:5672//")


# ---- without a broker


def eager(manager: Callable[[], ConsentManager], **details: Any) -> Tasks:
    """
    Add the tasks to an application that runs them where they are sent.
    """
    app = Celery("acme", set_as_current=False)
    app.conf.task_always_eager = True
    return install(app, manager, **details)


def deliver(w: World, **details: Any) -> dict[str, int]:
    counts: dict[str, int] = eager(lambda: w.manager).deliver.delay(**details).get()
    return {name: count for name, count in counts.items() if count}


def test_everything_that_is_due_is_handed_over() -> None:
    """
    Over several batches, and what came of it is returned by name.
    """
    w = world()
    ask_companies(w.manager, 2 * BATCH + 1)
    counts = eager(lambda: w.manager).deliver.delay().get()
    assert counts["accepted"] == 2 * BATCH + 1
    assert set(counts) == {"accepted", "refused", "retried", "in_doubt", "withheld", "deferred"}
    assert len(w.emails.outbox) == 2 * BATCH + 1
    assert deliver(w) == {}


def test_a_task_ends_when_its_time_is_over() -> None:
    """
    With the batch that it is at; what is left is for the next one.
    """
    w = world()
    ask_companies(w.manager, BATCH + 1)
    assert deliver(w, seconds=0) == {"accepted": BATCH}
    assert deliver(w, seconds=0) == {"accepted": 1}


def test_a_task_ends_when_nothing_comes_of_it() -> None:
    """
    A provider that is down is not asked again and again.
    """
    w = world()
    w.emails.outcomes.append(Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND))
    ask_companies(w.manager, 3)
    assert deliver(w) == {"retried": 3}
    assert len(w.emails.attempts) == 1


def test_a_rate_that_is_counted_by_the_second_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    The task waits for the next second instead of leaving the rest to the next task.
    """
    w = world(rates=[Rate(2, channel=Channel.EMAIL)])
    monkeypatch.setattr("optly.contrib.celery.sleep", lambda seconds: w.later(timedelta(seconds=seconds)))
    ask_companies(w.manager, 5)
    assert deliver(w) == {"accepted": 5}


def test_a_store_that_cannot_be_reached_is_tried_again() -> None:
    """
    Ten times after the first one, and then the error is raised.
    """
    w, calls = world(), 0
    ask_companies(w.manager, 1)

    def manager(failures: int) -> ConsentManager:
        nonlocal calls
        calls += 1
        if calls <= failures:
            raise StorageUnavailableError("the database is away")
        return w.manager

    with pytest.raises(RetryableError):
        eager(lambda: manager(11)).deliver.delay().get()
    assert calls == 11
    calls = 0
    assert eager(lambda: manager(10)).deliver.delay().get()["accepted"] == 1


def test_one_manager_is_made() -> None:
    """
    For all tasks together, and none before the first one runs.
    """
    made: list[ConsentManager] = []

    def manager() -> ConsentManager:
        made.append(world().manager)
        return made[-1]

    tasks = eager(manager)
    assert len(made) == 0
    tasks.deliver.delay()
    tasks.reconcile.delay()
    assert len(made) == 1


def test_doubts_are_looked_into() -> None:
    """
    How many there are of each finding is returned.
    """
    w = world()
    w.emails.outcomes.append(Receipt(outcome=Outcome.IN_DOUBT))
    ask_companies(w.manager, 2)
    assert deliver(w) == {"accepted": 1, "in_doubt": 1}
    assert eager(lambda: w.manager).reconcile.delay().get() == {"unknown": 1, "resent": 0}
    with pytest.raises(InvalidValueError, match="limit"):
        eager(lambda: w.manager).reconcile.delay(limit=0).get()


@contextmanager
def soft_limit() -> Iterator[None]:
    """
    Handle the signal of a soft time limit as a child process of Celery does.
    """
    before = signal.signal(signal.SIGUSR1, soft_timeout_sighandler)
    try:
        yield
        assert signal.getsignal(signal.SIGUSR1) is soft_timeout_sighandler
    finally:
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("where", ["in the backend", "in the store"])
def test_a_soft_time_limit_ends_a_task(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Wherever it strikes: what was sent is on record, what was not begun waits for the next task.
    """

    class Slow(MemoryStorage):
        def claim(self, *args: Any) -> Any:
            claimed = super().claim(*args)
            if where == "in the store":
                signal.raise_signal(signal.SIGUSR1)
            return claimed

    def answer(_message: Message) -> Receipt:
        if where == "in the backend" and len(w.emails.attempts) == 2:
            signal.raise_signal(signal.SIGUSR1)
        return Receipt(outcome=Outcome.ACCEPTED)

    w = world(Slow())
    w.emails.answer = answer
    ask_companies(w.manager, 4)
    with soft_limit(), pytest.raises(SoftTimeLimitExceeded):
        deliver(w)
    begun = {MessageState.ACCEPTED: 1, MessageState.SENDING: 1, MessageState.QUEUED: 2}
    assert (begun if where == "in the backend" else {MessageState.QUEUED: 4}) == w.manager.backlog()
    assert len(w.emails.attempts) == (2 if where == "in the backend" else 0)


def test_beat_sends_both_tasks() -> None:
    """
    Under their names, and a task that was not begun when the next one is sent is dropped.
    """
    tasks = eager(lambda: world().manager, name_prefix="consent.")
    assert tasks.schedule(every=timedelta(seconds=5)) == {
        "consent.deliver": {
            "task": "consent.deliver",
            "schedule": timedelta(seconds=5),
            "options": {"expires": 5.0},
        },
        "consent.reconcile": {
            "task": "consent.reconcile",
            "schedule": timedelta(minutes=15),
            "options": {"expires": 900.0},
        },
    }


def test_what_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Without Celery the error names the extra.
    """
    monkeypatch.setitem(sys.modules, "celery", None)
    monkeypatch.delitem(sys.modules, "optly.contrib.celery")
    with pytest.raises(ConfigurationError, match=r"celery is missing: pip install 'optly\[celery\]'"):
        importlib.import_module("optly.contrib.celery")


# ---- on RabbitMQ


@attrs.frozen(kw_only=True)
class Host:
    """
    A host with a store and a queue of its own.
    """

    directory: Path
    queue: str
    app: Celery
    tasks: Tasks
    manager: ConsentManager

    @contextmanager
    def worker(self) -> Iterator[subprocess.Popen[bytes]]:
        """
        Run a worker with two child processes, and end it and them.
        """
        command = [sys.executable, str(Path(__file__).with_name("acme_tasks.py"))]
        with (
            (self.directory / "log").open("ab") as log,
            subprocess.Popen(
                [*command, str(self.directory), BROKER, self.queue],
                env=environment(),
                cwd=self.directory,
                stdout=log,
                stderr=log,
                start_new_session=True,
            ) as worker,
        ):
            try:
                yield worker
            finally:
                worker.terminate()
                try:
                    worker.wait(PATIENCE)
                finally:
                    if worker.poll() is None:
                        os.killpg(worker.pid, signal.SIGKILL)

    def log(self) -> str:
        return (self.directory / "log").read_text()


@pytest.fixture
def host(tmp_path: Path, needs_server: None) -> Iterator[Host]:
    """
    Make a host. Its queue is deleted at the end.
    """
    try:
        with Connection(BROKER, connect_timeout=5) as connection:
            connection.connect()
    except (OperationalError, OSError):
        missing("RabbitMQ", "start one, or name it in OPTLY_TEST_BROKER")
    queue = f"optly-test-{secrets.token_hex(6)}"
    (tmp_path / "results").mkdir()
    app, tasks = acme(tmp_path, BROKER, queue)
    with ExitStack() as ending:
        ending.enter_context(app)
        manager = ending.enter_context(open_manager(tmp_path))
        with Connection(BROKER) as connection:
            ending.callback(delete, queue)
            app.amqp.queues[queue].bind(connection.default_channel).declare()
        yield Host(directory=tmp_path, queue=queue, app=app, tasks=tasks, manager=manager)


def delete(queue: str) -> None:
    """
    Take a queue off the broker, and the exchange that Celery makes for it under the same name.
    """
    with Connection(BROKER) as connection:
        connection.default_channel.queue_delete(queue)
        connection.default_channel.exchange_delete(queue)


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 5])
def test_workers_send_everything_once(host: Host, times: int) -> None:
    """
    However often the task is sent. Each process has a manager of its own, and the worker above them none; its log and
    its results tell no address.
    """
    count = 2 * BATCH + 50
    ask_companies(host.manager, count)
    with host.worker() as worker:
        results = [host.tasks.deliver.delay() for _ in range(times)]
        assert sum(result.get(timeout=PATIENCE)["accepted"] for result in results) == count
    assert worker.returncode == 0
    sent = lines(host.directory / "sent")
    assert (count, count) == (len(sent), len(set(sent)))
    assert host.manager.backlog() == {MessageState.ACCEPTED: count}
    assert host.manager.verify()
    made = lines(host.directory / "made")
    assert 1 <= len(made) == len(set(made)) <= 2
    assert str(worker.pid) not in made
    assert "optly.deliver" in host.log()
    for file in (host.directory / "log", *(host.directory / "results").iterdir()):
        assert "@example.com" not in file.read_text()


@pytest.mark.slow
@pytest.mark.parametrize("who", ["the child", "the whole worker"])
def test_a_worker_that_is_killed_leaves_doubts_and_no_twins(host: Host, who: str) -> None:
    """
    What it held is in doubt once the lease is over, and is sent by nobody else. The task is given out again, and sends
    the rest.
    """
    ask_companies(host.manager, BATCH + 50)
    (host.directory / "stick").write_text("5")
    with ExitStack() as ending:
        worker = ending.enter_context(host.worker())
        result = host.tasks.deliver.delay()
        wait_for(lambda: lines(host.directory / "stuck"), host.log)
        if who == "the child":
            os.kill(int(lines(host.directory / "stuck")[0]), signal.SIGKILL)
        else:
            os.killpg(worker.pid, signal.SIGKILL)
            worker.wait(PATIENCE)
            ending.enter_context(host.worker())
        assert result.get(timeout=PATIENCE)["accepted"] == 50
    assert host.manager.backlog() == {MessageState.SENDING: BATCH, MessageState.ACCEPTED: 50}
    with open_manager(host.directory, later=LEASE + timedelta(minutes=1)) as later:
        assert later.deliver().in_doubt == BATCH
        assert later.deliver().total == 0
        assert later.backlog() == {MessageState.IN_DOUBT: BATCH, MessageState.ACCEPTED: 50}
        assert later.verify()
    sent = lines(host.directory / "sent")
    assert (55, 55) == (len(sent), len(set(sent)))


@pytest.mark.slow
def test_a_soft_time_limit_leaves_one_message_in_doubt(host: Host) -> None:
    """
    The one under way. What was sent is on record, and the next task sends the rest.
    """
    ask_companies(host.manager, 20)
    (host.directory / "stick").write_text("5")
    with host.worker():
        with pytest.raises(SoftTimeLimitExceeded):
            host.tasks.deliver.apply_async(soft_time_limit=2).get(timeout=PATIENCE)
        states = {MessageState.ACCEPTED: 4, MessageState.SENDING: 1, MessageState.QUEUED: 15}
        assert states == host.manager.backlog()
        assert host.tasks.deliver.delay().get(timeout=PATIENCE)["accepted"] == 15
    sent = lines(host.directory / "sent")
    assert (20, 20) == (len(sent), len(set(sent)))


@pytest.mark.slow
def test_a_worker_tries_again_when_the_store_was_away(host: Host) -> None:
    """
    Without being told.
    """
    ask_companies(host.manager, 3)
    (host.directory / "away").touch()
    with host.worker():
        assert host.tasks.deliver.delay().get(timeout=PATIENCE)["accepted"] == 3
    assert len(lines(host.directory / "made")) == 2


def test_the_broker_is_told_numbers_and_nothing_else(host: Host) -> None:
    """
    Of all that lies in the broker only the name of the task and what it was called with come from us.
    """
    ask_companies(host.manager, 1)
    host.tasks.deliver.delay(seconds=5)
    with Connection(BROKER) as connection:
        message = host.app.amqp.queues[host.queue].bind(connection.default_channel).get(no_ack=True)
    args, kwargs, links = json.loads(message.body)
    assert ([], {"seconds": 5}) == (args, kwargs)
    assert set(links.values()) == {None}
    assert message.headers["task"] == "optly.deliver"
    assert ("()", "{'seconds': 5}") == (message.headers["argsrepr"], message.headers["kwargsrepr"])
    told = {name for name, value in message.headers.items() if value not in (None, [], {}, [None, None], 0, False)}
    assert told == {"lang", "task", "id", "root_id", "argsrepr", "kwargsrepr", "origin"}
