"""
``optly register``
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click

from optly.cli._options import DAY, one_of
from optly.cli._terminal import Terminal, progress_bar
from optly.cli._words import count, day, numbered_lines
from optly.errors import RegisterUnreadableError
from optly.protocols import RegisterName
from optly.registers import Built, FileRegister, Step, build
from optly.registers._format import MAGIC
from optly.registers._screening import MAX_AGE
from optly.rules.editions import uk_date

_DOING = {Step.READING: "Reading the licence files", Step.WRITING: "Writing the register file"}


def _as_files(_ctx: click.Context, _param: click.Parameter, value: Path | tuple[Path, ...]) -> Path | tuple[Path, ...]:
    if Path("-") in (value if isinstance(value, tuple) else (value,)):
        raise click.BadParameter(
            "standard input and output cannot be used, because a build measures its files: name a file"
        )
    return value


_register_file = click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))


@click.group("register")
def command() -> None:
    """
    Build and inspect files of numbers that must not be called or faxed.
    """


@command.command("build")
@click.argument(
    "sources",
    metavar="SOURCE...",
    nargs=-1,
    required=True,
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    callback=_as_files,
)
@click.argument("target", type=click.Path(dir_okay=False, allow_dash=True, path_type=Path), callback=_as_files)
@click.option("--name", type=one_of(RegisterName), required=True, help="Which register this is.")
@click.option("--as-of", required=True, help="Date of the copy, as given by its licensor.", **DAY)
@click.option("--listed-on", help="Listing date of numbers whose row has none.", **DAY)
@click.option("--column", type=click.IntRange(0), default=0, show_default=True, help="Column of the number, from 0.")
@click.option("--date-column", type=click.IntRange(0), help="Column of the listing date, from 0.")
@click.option("--delimiter", default=",", show_default=True, help="Separator of columns: a character, or tab.")
@click.option(
    "--flaw-limit",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Maximum number of unreadable rows to tolerate.",
)
def build_file(sources: tuple[Path, ...], target: Path, name: str, delimiter: str, **settings: Any) -> None:
    """
    Build the register file TARGET from licence files.

    A SOURCE has one number per row, alone or in a column, plain or compressed with gzip. Several sources together make
    one copy of the register. An existing TARGET is replaced in one step, or not at all. Standard input and output
    cannot be used.
    """
    try:
        _check_replaceable(target, RegisterName(name))
        with _progress() as progress:
            built = build(
                sources,
                target,
                name=RegisterName(name),
                delimiter="\t" if delimiter == "tab" else delimiter,
                progress=progress,
                **settings,
            )
    except OSError as error:
        raise click.ClickException(f"{target} cannot be written: {error.strerror}") from error
    _print_built(built, sources, target)


def _check_replaceable(target: Path, name: RegisterName) -> None:
    """
    Refuse to replace a file that is not a register, such as a licence file when the target was left out.
    """
    if not target.exists():
        return
    with target.open("rb") as file:
        begins = file.read(len(MAGIC))
    if begins != MAGIC:
        raise click.BadParameter(
            "this file exists and is not a register: name the register file last, or remove it first",
            param_hint="TARGET",
        )
    try:
        known = FileRegister(target).name
    except RegisterUnreadableError:
        return  # damaged, or of another version: the error for that says to build it again
    if known is not name:
        raise click.BadParameter(f"this is the file of the {known.upper()}", param_hint="TARGET")


@contextmanager
def _progress() -> Iterator[Any]:
    """
    Show the progress of the build on a terminal, and remove it at the end.
    """
    with progress_bar() as shown:
        tasks = {step: shown.add_task(doing, total=None) for step, doing in _DOING.items()}

        def report(step: Step, done: int, total: int) -> None:
            shown.update(tasks[step], completed=done, total=total)

        yield report


def _print_built(built: Built, sources: tuple[Path, ...], target: Path) -> None:
    terminal = Terminal()
    terminal.good("built", f"{target}: {built.name.upper()} with {count(built.count, 'number')}.")
    _print_dates(terminal, built.as_of)
    terminal.note("version", built.version)
    terminal.note("read", f"{count(len(sources), 'file')}; {count(built.duplicates, 'row')} repeated a number.")
    for source, lines in zip(sources, built.flawed_lines, strict=True):
        if lines:
            terminal.bad("not read", f"{source.name}, {numbered_lines(lines, most=len(lines))}")
    if (more := built.flaws - sum(map(len, built.flawed_lines))) > 0:
        terminal.bad("not read", f"{count(more, 'more row')}, not listed here.")


def _print_dates(terminal: Terminal, as_of: date) -> bool:
    """
    Print how old a copy is, and return whether it can still be used for screening.
    """
    age = uk_date(datetime.now(UTC)) - as_of
    usable = age <= MAX_AGE
    terminal.note("copy of", f"{day(as_of)}, {count(max(age.days, 0), 'day')} old")
    say = terminal.note if usable else terminal.bad
    say("usable until", f"{day(as_of + MAX_AGE)}, the last day included{'' if usable else ': get a new copy'}")
    return usable


@command.command("show")
@_register_file
def show(file: Path) -> None:
    """
    Show which register FILE is, its date, and how many numbers it has.

    The exit code is 1 if it is too old to be used.
    """
    register = FileRegister(file)
    terminal = Terminal()
    terminal.note("register", register.name.upper())
    terminal.note("numbers", f"{len(register):,}")
    terminal.note("version", register.header.version)
    if not _print_dates(terminal, register.header.as_of):
        raise click.exceptions.Exit(1)


@command.command("verify")
@_register_file
def verify(file: Path) -> None:
    """
    Read the whole of the register file FILE and check it for damage.
    """
    register = FileRegister(file)
    register.verify()
    Terminal().good("verified", f"{register.name.upper()} with {count(len(register), 'number')}, as it was built.")
