"""
A Celery application as a host writes it, for the tests and for the workers that they start.

Messages go into a file, by their ids. What is to go wrong is said by files too, so that it goes wrong once.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep

from celery import Celery
from kombu.entity import Queue
from world import world

from optly import Channel, ConsentManager
from optly.contrib.celery import Tasks, install
from optly.errors import StorageUnavailableError
from optly.messages import Message, Outcome, Receipt
from optly.storage import SQLStorage


def append(file: Path, line: object) -> None:
    """
    Add a line in one write, so that processes can share the file.
    """
    with file.open("a") as opened:
        opened.write(f"{line}\n")


def lines(file: Path) -> list[str]:
    return file.read_text().split() if file.exists() else []


class FileBackend:
    """
    Keeps the ids of what it takes in the file ``sent``.

    Where there is a file ``stick`` with a number, whoever comes to have sent so many stops there for good, and writes
    who it is into ``stuck``.
    """

    name, channel = "file", Channel.EMAIL

    def __init__(self, directory: Path) -> None:
        self._directory, self._count = directory, 0

    def send(self, message: Message) -> Receipt:
        append(self._directory / "sent", message.id)
        self._count += 1
        if lines(self._directory / "stick") == [str(self._count)]:
            (self._directory / "stick").unlink()
            append(self._directory / "stuck", os.getpid())
            sleep(600)
        return Receipt(outcome=Outcome.ACCEPTED, reply="kept")

    def close(self) -> None:
        pass


def open_manager(directory: Path, later: timedelta = timedelta(0)) -> ConsentManager:
    """
    Make a manager over the store in that directory, with a clock that goes, though it may be ahead.
    """
    storage = SQLStorage(f"sqlite:///{directory / 'optly.db'}")
    return world(storage, clock=lambda: datetime.now(UTC) + later, backends=[FileBackend(directory)]).manager


def acme(directory: Path, broker: str, queue: str) -> tuple[Celery, Tasks]:
    """
    Make an application with a queue of its own, and with the results in files.

    The file ``made`` tells which process made a manager. Where there is a file ``away``, none can be made at first.
    """

    def manager() -> ConsentManager:
        append(directory / "made", os.getpid())
        if (directory / "away").exists():
            (directory / "away").unlink()
            raise StorageUnavailableError("the database is away")
        return open_manager(directory)

    app = Celery("acme", broker=broker, backend=f"file://{directory}/results", set_as_current=False)
    app.conf.update(
        task_queues=[Queue(queue, routing_key=queue)],
        task_default_queue=queue,
        worker_enable_remote_control=False,
        worker_lost_wait=0.5,
        broker_connection_retry_on_startup=False,
    )
    return app, install(app, manager)


if __name__ == "__main__":
    directory, broker, queue = sys.argv[1:]
    options = ["--pool=prefork", "--concurrency=2", "--loglevel=INFO", f"--hostname={queue}@test"]
    # A worker of its own has nobody to talk to.
    quiet = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    acme(Path(directory), broker, queue)[0].worker_main(["worker", *options, *quiet])
