"""
The benchmarks: each runs, small, so that none breaks unseen.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment
from services import missing

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SINK = BENCHMARKS.parent / ".peers" / "postfix" / "usr" / "sbin" / "smtp-sink"

# What each measures last: it is printed only if everything before it ran.
LAST = {
    "foundation": "| import optly |",
    "rules": "floor: making one Decision",
    "registers": "ask, others",
    "callbacks": "the same again: ",
    "contacts": "| answer, SQLite |",
    "log": "published: ",
    "footprint": "| **in all**, aim ≤ 700 |",
    "verify": "| PostgreSQL |",
    "storage": "| MariaDB: find, with heads |",
    "pages": "load average",
    "smtp": "| 20 ms more, 8 connections |",
    "delivery": "… 20 ms more: ",
    "receive": "| delivery by SMTP, SQLite |",
    "screen": "| PostgreSQL, all known |",
}
SERVED = {"storage", "verify", "screen", "pages", "smtp", "delivery", "receive"}


def test_every_benchmark_is_here() -> None:
    """
    A script that can be run on its own is a benchmark, and the maintainers' session runs all of them.
    """
    scripts = {path.stem for path in BENCHMARKS.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert scripts == LAST.keys()


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=[pytest.mark.slow, *([pytest.mark.server] if name in SERVED else [])])
        for name in sorted(LAST)
    ],
)
def test_a_benchmark_runs(name: str) -> None:
    """
    With everything once, to its last line.
    """
    if name in {"smtp", "delivery", "receive"} and not SINK.exists():
        missing("smtp-sink", "run tests/peers/install")
    done = subprocess.run(
        [sys.executable, BENCHMARKS / f"{name}.py", "--small"],
        env=environment(),
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert LAST[name] in done.stdout, done.stdout
