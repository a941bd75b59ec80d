"""
How long it takes to build a register file, how much memory that needs, and how fast the file answers.

    python benchmarks/registers.py              a million numbers
    python benchmarks/registers.py --full       twenty million, as many as the TPS and the CTPS have between them

The floor beside each figure is the least the same work could take: for a build, going through the lines of the licence
file and nothing else; for a question, the search alone.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

from measure import options

from optly.contacts.addresses import PhoneNumber
from optly.protocols import RegisterName
from optly.registers import FileRegister, build

AS_OF = date(2026, 11, 1)
AT = datetime(2026, 11, 24, 12, tzinfo=UTC)
# Landlines, mobiles and numbers that are not geographic, in about the shares they have on the register.
RANGES = [("01", 1_000_000_000), ("01", 1_000_000_000), ("020", 100_000_000), ("07", 1_000_000_000)]


def write_licence_file(path: Path, count: int) -> None:
    draw = random.Random(20261124)
    with path.open("w") as file:
        for _ in range(count):
            prefix, size = draw.choice(RANGES)
            digits = f"{draw.randrange(size):0{len(str(size)) - 1}}"
            file.write(f"{prefix}{digits[:3]} {digits[3:]}\n")


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def count_lines(path: Path) -> int:
    with path.open("rb") as file:
        return sum(1 for _ in file)


def build_in_a_process_of_its_own(source: Path, target: Path) -> tuple[float, int, int]:
    """
    Return the seconds, the peak of resident memory in bytes, and how many numbers there were.
    """
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_build, (source, target))


def _build(source: Path, target: Path) -> tuple[float, int, int]:
    start = time.perf_counter()
    built = build(source, target, name=RegisterName.TPS, as_of=AS_OF)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return time.perf_counter() - start, peak * (1 if sys.platform == "darwin" else 1024), built.count


def asks(register: FileRegister, numbers: Sequence[PhoneNumber]) -> float:
    ask = register.listed_on

    def work() -> None:
        for number in numbers:
            ask(number, AT)

    return min(seconds(work) for _ in range(3)) / len(numbers)


def searches(register: FileRegister, numbers: Sequence[PhoneNumber]) -> float:
    entries = register._copy.entries
    keys = [int(number.value[1:]) << 16 for number in numbers]

    def work() -> None:
        for key in keys:
            bisect_left(entries, key)

    return min(seconds(work) for _ in range(3)) / len(keys)


def main() -> None:
    given = options(__doc__ or "", full="twenty million numbers rather than one")
    count = 1_000 if given.small else 20_000_000 if given.full else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "tps.txt"), Path(folder, "tps.register")
        write_licence_file(source, count)
        floor = seconds(lambda: count_lines(source))
        took, peak, numbers = build_in_a_process_of_its_own(source, target)
        opening = min(seconds(lambda: FileRegister(target)) for _ in range(20))
        register = FileRegister(target)
        verifying = seconds(register.verify)
        draw = random.Random(1)
        listed = [
            PhoneNumber(f"+{register._copy.entries[draw.randrange(numbers)] >> 16}")
            for _ in range(min(200_000, numbers))
        ]
        others = [PhoneNumber(f"+447{draw.randrange(10**9):09}") for _ in listed]
        size = target.stat().st_size
        rows = [
            ("build", f"{took:.1f} s", f"{floor:.1f} s", "300 s for 20 million"),
            ("memory of the build", f"{peak / 1e6:.0f} MB", "", "500 MB"),
            ("size of the file", f"{size / numbers:.2f} B a number", "8 B", ""),
            ("open", f"{opening * 1e3:.2f} ms", "", "50 ms"),
            ("verify", f"{verifying:.2f} s", "", ""),
            (
                "ask, listed",
                f"{asks(register, listed) * 1e6:.2f} µs",
                f"{searches(register, listed) * 1e6:.2f} µs",
                "5 µs",
            ),
            (
                "ask, others",
                f"{asks(register, others) * 1e6:.2f} µs",
                f"{searches(register, others) * 1e6:.2f} µs",
                "5 µs",
            ),
        ]
    print(f"{count:,} rows, {numbers:,} numbers, Python {sys.version.split()[0]}")
    print(f"{'':22} {'measured':>16} {'floor':>10}   limit")
    for name, measured, least, limit in rows:
        print(f"{name:22} {measured:>16} {least:>10}   {limit}")


if __name__ == "__main__":
    main()
