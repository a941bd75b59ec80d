"""
Processes beside the one of the tests: what they find there, how long they are waited for, and how they are killed.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE = 60  # seconds


def environment(**more: str) -> dict[str, str]:
    """
    Return an environment in which a process finds all modules that this one finds, those of the tests among them.
    """
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), **more}


def free_port() -> int:
    """
    Return a port of this machine that nobody listens on.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def answers(port: int, process: subprocess.Popen[bytes]) -> bool:
    """
    Tell whether a server that was started takes connections by now.
    """
    assert process.poll() is None, "it does not start"
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(find: Callable[[], T | None], otherwise: Callable[[], str] = lambda: "it did not come") -> T:
    """
    Return what is found at last: the first thing that is true.

    Args:
        otherwise: What to say when it does not come.
    """
    end = time.monotonic() + PATIENCE
    while not (found := find()):
        assert time.monotonic() < end, otherwise()
        time.sleep(0.01)
    return found


def run_until_killed(script: str, *arguments: str | Path, after: int, delay: float) -> list[list[str]]:
    """
    Let a script say that many lines and kill it a moment later.

    Args:
        delay: The moment, in seconds.

    Returns:
        The words of every whole line that it said.
    """
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments], stdout=subprocess.PIPE, env=environment(), text=True
    ) as child:
        assert child.stdout is not None
        lines = [child.stdout.readline() for _ in range(after)]
        time.sleep(delay)
        child.send_signal(signal.SIGKILL)
        while select.select([child.stdout], [], [], 5)[0] and (line := child.stdout.readline()):
            lines.append(line)
    assert child.returncode == -signal.SIGKILL
    return [line.split() for line in lines if line.endswith("\n")]
