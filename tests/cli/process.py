"""
The command as a process of its own. What the tests of the command share.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

import attrs

COMMAND = (sys.executable, "-W", "error", "-m", "optly.cli")
_SECONDS = 60


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """
    Run the command to its end.
    """
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        check=False,
        encoding="utf-8",
        env={**os.environ, **environment},
        timeout=_SECONDS,
    )


@attrs.frozen
class Running:
    """
    The command while it runs.
    """

    process: subprocess.Popen[str]
    lines: SimpleQueue[str | None]
    seen: list[str] = attrs.field(factory=list)

    def until(self, text: str) -> Sequence[str]:
        """
        Wait for a line with *text* in it and return the lines up to it that were not returned before.
        """
        fresh = []
        while (line := self.lines.get(timeout=_SECONDS)) is not None:
            fresh.append(line)
            self.seen.append(line)
            if text in line:
                return fresh
        raise AssertionError(f"{text!r} was never said:\n{''.join(self.seen)}")

    def interrupt(self, number: signal.Signals = signal.SIGINT) -> int:
        """
        Do what Ctrl-C does, or send another signal, and return the exit code.
        """
        self.process.send_signal(number)
        code = self.process.wait(_SECONDS)
        while (line := self.lines.get(timeout=_SECONDS)) is not None:
            self.seen.append(line)
        return code


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """
    Start the command, and end it with the block.
    """
    with subprocess.Popen(
        [*COMMAND, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        assert process.stdout is not None
        lines: SimpleQueue[str | None] = SimpleQueue()

        def read() -> None:
            for line in process.stdout or ():
                lines.put(line)
            lines.put(None)

        reader = Thread(target=read)
        reader.start()
        try:
            yield Running(process, lines)
        finally:
            process.kill()
            reader.join()
