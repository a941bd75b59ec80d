"""
Measuring a path beside its floor: both in the same run, in turns, so that a noisy machine is noisy to both.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import attrs

Work = Callable[[int], object]


def options(about: str, **flags: str | tuple[str, str]) -> argparse.Namespace:
    """
    Read the command line of a benchmark.

    Args:
        about: What it measures.
        flags: Its own switches, each with its help, those that take a value with its name before it. Every benchmark
            has ``--small``, which the tests use.
    """
    parser = argparse.ArgumentParser(description=about.strip().partition("\n\n")[0])
    parser.add_argument("--small", action="store_true", help="run everything once, to see that it runs")
    for name, flag in flags.items():
        if isinstance(flag, str):
            parser.add_argument(f"--{name}", action="store_true", help=flag)
        else:
            parser.add_argument(f"--{name}", metavar=flag[0], help=flag[1])
    return parser.parse_args()


@attrs.frozen(kw_only=True)
class Measured:
    """
    Median seconds for one repetition, of each path in turn, the floor first.
    """

    name: str
    floor: float
    path: float
    aim: str

    @property
    def ratio(self) -> float:
        return self.path / self.floor


def measure(name: str, floor: Work, path: Work, *, repeat: int, rounds: int = 9, aim: str = "") -> Measured:
    """
    Run *floor* and *path* in turns; each is given a count and repeats its work that often.
    """
    times: dict[Work, list[float]] = {floor: [], path: []}
    floor(max(1, repeat // 10))
    path(max(1, repeat // 10))
    for _ in range(rounds):
        for work, taken in times.items():
            start = time.perf_counter()
            work(repeat)
            taken.append((time.perf_counter() - start) / repeat)
    return Measured(name=name, floor=statistics.median(times[floor]), path=statistics.median(times[path]), aim=aim)


def table(rows: Sequence[Measured]) -> str:
    """
    Return the results as a table in Markdown.
    """
    lines = ["| path | floor, µs | path, µs | ratio | aim |", "|---|---:|---:|---:|---|"]
    lines += [
        f"| {row.name} | {row.floor * 1e6:,.1f} | {row.path * 1e6:,.1f} | {row.ratio:.2f} | {row.aim} |" for row in rows
    ]
    return "\n".join(lines)
