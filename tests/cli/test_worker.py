"""
The worker as it is seen from outside: what it says, when it ends, and a database that breaks off under it.
"""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import killed_worker
import pytest
from cli.process import COMMAND
from processes import PATIENCE, environment, wait_for
from services import fresh_database
from sqlalchemy import create_engine, text
from sqlalchemy.pool import NullPool
from world import ask_companies

from optly import ConsentManager
from optly.errors import RetryableError
from optly.protocols import MessageState


@attrs.define
class Place:
    """
    A database, and a provider's memory beside it.
    """

    url: str
    sent: Path
    manager: ConsentManager

    @contextmanager
    def worker(self, *arguments: str, output: int, **facts: str) -> Iterator[subprocess.Popen[bytes]]:
        with subprocess.Popen(
            [*COMMAND, "worker", "--app", "killed_worker:manager", *arguments],
            env=environment(DATABASE=self.url, SENT=str(self.sent), **facts),
            stdout=output,
            stderr=output,
            # A shell that runs in the background has its children ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        ) as process:
            try:
                yield process
            finally:
                process.kill()

    def took(self) -> list[str]:
        """
        Return the messages that the provider took.
        """
        return [line.split()[1] for line in self.sent.read_text().splitlines()]

    def has(self, state: MessageState) -> bool:
        """
        Tell whether a message stands in that state, or may do so because the database cannot be asked.
        """
        try:
            return state in self.manager.backlog()
        except RetryableError:
            return True


@contextmanager
def placed(url: str, directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("DATABASE", url)
    monkeypatch.setenv("SENT", str(directory / "sent"))
    with killed_worker.manager() as manager:
        yield Place(url, directory / "sent", manager)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with placed(f"sqlite:///{tmp_path}/optly.db", tmp_path, monkeypatch) as place:
        yield place


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_waits_ends_as_soon_as_it_is_told_to(place: Place, number: signal.Signals) -> None:
    """
    However long it would have waited.
    """
    ask_companies(place.manager, 1)
    with place.worker("--idle", "86400", "--quiet", output=subprocess.DEVNULL) as worker:
        wait_for(lambda: place.manager.backlog() == {MessageState.ACCEPTED: 1})
        worker.send_signal(number)
        assert worker.wait(PATIENCE) == 0


@pytest.mark.slow
def test_it_tells_once_what_was_done_and_nothing_while_nothing_is_due(place: Place, tmp_path: Path) -> None:
    """
    Line by line, where it is no terminal that reads.
    """
    ask_companies(place.manager, 3)
    file = tmp_path / "said"
    with (
        file.open("wb") as said,
        place.worker("--idle", "0.05", "--every", "0.2", output=said.fileno()) as worker,
    ):
        wait_for(lambda: "3 accepted" in file.read_text())
        time.sleep(0.6)
        worker.terminate()
        assert worker.wait(PATIENCE) == 0
    lines = file.read_text().splitlines()
    assert "worker ready; 3 messages waiting" == lines[0]
    assert re.fullmatch(r"\d+ a second; 0 messages waiting; 3 accepted", lines[1])
    assert ["worker stopped; 3 accepted"] == lines[2:]


@pytest.mark.slow
def test_on_a_terminal_one_line_shows_rate_and_backlog(place: Place) -> None:
    """
    It is kept up to date while nothing is due, and taken away in the end.
    """
    ask_companies(place.manager, 3)
    mine, theirs = pty.openpty()
    shown = b""
    with place.worker("--idle", "0.1", output=theirs, TERM="xterm", COLUMNS="100") as worker:
        os.close(theirs)

        def until(what: bytes) -> None:
            nonlocal shown
            while what not in shown:
                assert select.select([mine], [], [], PATIENCE)[0], shown
                shown += os.read(mine, 65536)

        until(b"0 a second; 0 messages waiting; 3 accepted")
        ask_companies(place.manager, 5, campaign="two")
        until(b"0 messages waiting; 8 accepted")
        worker.terminate()
        until(b"worker stopped; 8 accepted")
        assert worker.wait(PATIENCE) == 0
    os.close(mine)
    assert b"example.com" not in shown


CUT = text(
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@pytest.mark.slow
@pytest.mark.server
def test_a_database_that_breaks_off_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A worker outlives it, and no message goes out twice.
    """
    count = 1000
    with fresh_database("postgresql") as url, placed(url, tmp_path, monkeypatch) as place:
        ask_companies(place.manager, count)
        server = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
        cut = 0
        with place.worker("--idle", "0.05", "--quiet", output=subprocess.DEVNULL, SLOW="0.001") as worker:
            wait_for(place.sent.exists)
            while len(place.took()) < count * 2 // 3:
                time.sleep(0.11)
                with server.connect() as connection:
                    cut += len(connection.execute(CUT).all())
                assert worker.poll() is None
            wait_for(lambda: not place.has(MessageState.QUEUED))
            worker.terminate()
            assert worker.wait(PATIENCE) == 0
        assert cut >= 3
        monkeypatch.setenv("OFFSET", "16")  # minutes, after which every lease has run out
        place.manager.deliver()
        became, took = place.manager.backlog(), place.took()
        assert len(took) == len(set(took))
        assert became.keys() <= {MessageState.ACCEPTED, MessageState.IN_DOUBT}
        assert sum(became.values()) == count
        assert became[MessageState.ACCEPTED] <= len(took)
        assert place.manager.verify()
