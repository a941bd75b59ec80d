"""
``optly ask``
"""

from __future__ import annotations

import csv
import json
import os
import signal
import stat
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from optly.cli._app import with_manager
from optly.cli._contacts import find_contact
from optly.cli._options import DAYS, INSTANT, one_of
from optly.cli._terminal import Terminal
from optly.cli._words import count, numbered_lines
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.errors import AddressError, MissingLineError, NotPermittedError, OptlyError
from optly.manager import ConsentManager
from optly.results import Asked
from optly.rules import Solicited

_COLUMNS: Final = ("contact", "email", "phone")
_BATCH: Final = 1000  # people, so that the outcomes of a long list are not kept in memory
_REPORT_EVERY: Final = 5.0  # seconds, when not on a terminal

_OTHER_DELIMITERS: Final = ";\t"
_NOT_UTF_8: Final = "The row is not UTF-8 text."

_MALFORMED: Final = "malformed"
_NOT_ON_RECORD: Final = "not_on_record"
_LISTED_TWICE: Final = "listed_twice"
_EXPLAINED: Final = {
    _MALFORMED: "The row cannot be read.",
    _NOT_ON_RECORD: "No contact has this address or id.",
    _LISTED_TWICE: "An earlier row names the same person.",
    "missing_line": "The person has no recorded address or number for one of the channels.",
}


@click.command("ask")
@click.argument("contacts", metavar="CONTACTS", type=click.File("rb"))
@click.option(
    "--campaign",
    metavar="NAME",
    required=True,
    help="Name of the campaign. Running again with the same name resumes it.",
)
@click.option("--via", type=one_of(Channel), required=True, help="Channel to send the question on.")
@click.option(
    "--channel", "channels", type=one_of(Channel), multiple=True, required=True,
    help="Channel to ask about. Repeatable.",
)  # fmt: skip
@click.option(
    "--purpose",
    "purposes",
    metavar="KEY",
    multiple=True,
    required=True,
    help="Key of a purpose to ask about. Repeatable.",
)
@click.option("--solicited-how", metavar="TEXT", help="How the people on the list asked to be contacted about this.")
@click.option("--solicited-at", help="When they asked.", **INSTANT)
@click.option("--language", metavar="TAG", help="Language of the question. By default each contact's own.")
@click.option("--remind-after", help="Send one reminder to those who have not answered by then.", **DAYS)
@click.option("--expires-within", default="30", show_default=True, help="How long an answer is accepted.", **DAYS)
@click.option(
    "--refused", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write a CSV file of everyone who was not asked, with the reason.",
)  # fmt: skip
@click.option("as_json", "--json", is_flag=True, help="Print the result as JSON.")
@with_manager
def command(
    manager: ConsentManager,
    *,
    contacts: IO[bytes],
    campaign: str,
    via: str,
    channels: tuple[str, ...],
    purposes: tuple[str, ...],
    solicited_how: str | None,
    solicited_at: datetime | None,
    language: str | None,
    remind_after: timedelta | None,
    expires_within: timedelta,
    refused: Path | None,
    as_json: bool,
) -> None:
    """
    Ask everyone on a list for consent, once each, if the gate allows it.

    CONTACTS is a CSV file in UTF-8. Its first row names the columns: contact (an id), email or phone. The first of
    these that is not empty identifies the person; other columns are ignored. Without such a row, each line has one id,
    email address or telephone number. Use - to read standard input. Only existing contacts are asked; none are added.

    Questions are queued, and a worker sends them. If the command is interrupted, for example by Ctrl-C, run it again
    with the same --campaign: it resumes, and asks no one twice.

    The exit code is 0 if the whole list was processed, whatever the gate decided; 1 if a row could not be read; 2 for
    wrong usage; and 3 if the database could not be reached: run it again then.

    \b
    Examples:
      optly ask customers.csv --campaign winter-2026 --via email --channel email
          --purpose offers --refused not-asked.csv --app acme.consent:manager
      optly ask fair.txt --campaign leeds-fair --via sms --channel sms --purpose news
          --solicited-how "list at the fair" --solicited-at 2026-11-20T10:00:00+00:00
    """
    if (solicited_how is None) is not (solicited_at is None):
        raise click.UsageError("--solicited-how and --solicited-at go together")
    basis = None if solicited_how is None or solicited_at is None else Solicited(how=solicited_how, at=solicited_at)
    with _refused_file(refused, contacts) as file, _progress(contacts) as advance:
        source = _Source.open(contacts)
        tally = _Tally(writer=None if file is None else csv.writer(file), advance=advance)
        tally.begin(source.header)
        people = _People(manager, source, tally)
        remaining = iter(people)
        with _interrupted_by_signals(tally):
            while not people.all_read:
                # Each call resumes where the last one stopped, as a second run does.
                manager.request_consents(
                    islice(remaining, _BATCH),
                    campaign=campaign,
                    via=Channel(via),
                    channels=[Channel(channel) for channel in channels],
                    purposes=purposes,
                    basis=basis,
                    language=language,
                    expires_within=expires_within,
                    remind_after=remind_after,
                    report=people.settle,
                )
    if as_json:
        click.echo(_as_json(tally))
    else:
        _print(tally, refused)
    if tally.malformed:
        raise click.exceptions.Exit(1)


@contextmanager
def _interrupted_by_signals(tally: _Tally) -> Iterator[None]:
    """
    Treat SIGTERM like Ctrl-C, and end after either with a line on how to resume.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        raise click.ClickException(
            f"interrupted after asking {count(tally.asked, 'contact')}: run it again with the same --campaign to resume"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


# ---- reading the list


@attrs.frozen(kw_only=True)
class _Row:
    """
    A row of the list, unchanged.

    Attributes:
        line: The number of its first line, from 1.
        flaw: Why it cannot be read. Empty if it can.
    """

    line: int
    cells: Sequence[str] = attrs.field(repr=False)
    flaw: str = ""


@attrs.define
class _Source:
    """
    A list of people. Empty rows are skipped.

    Attributes:
        header: The names of the columns, if the first row has them.
        columns: The positions of the columns that identify the person.
    """

    _rows: Iterator[_Row]
    header: Sequence[str] = ()
    columns: Sequence[int] = (0,)

    @classmethod
    def open(cls, file: IO[bytes]) -> _Source:
        """
        Read the first row of *file*.

        Raises:
            click.BadParameter: It is missing, is not text, or has several columns without any of the known names.
        """
        rows = _rows(file)
        first = next(rows, None)
        if first is None:
            raise click.BadParameter("the file is empty", param_hint="CONTACTS")
        if first.flaw == _NOT_UTF_8:
            raise click.BadParameter("this is not UTF-8 text", param_hint="CONTACTS")
        names = [cell.strip().lower() for cell in first.cells]
        columns = [names.index(name) for name in _COLUMNS if name in names]
        if columns:
            return cls(rows, first.cells, columns)
        if len(names) > 1 or any(delimiter in names[0] for delimiter in _OTHER_DELIMITERS):
            raise click.BadParameter(
                "the first row must name the columns, separated by commas, including contact, email or phone",
                param_hint="CONTACTS",
            )
        return cls(chain([first], rows))

    def __iter__(self) -> Iterator[_Row]:
        for row in self._rows:
            width = len(self.header) or 1
            if not row.flaw and len(row.cells) > width:
                yield attrs.evolve(row, flaw=f"The row has more than {count(width, 'column')}.")
            else:
                yield row


def _rows(file: IO[bytes]) -> Iterator[_Row]:
    """
    Yield the rows of a CSV file, including those that cannot be read.
    """
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(_lines(file)):
            # Bytes that are not UTF-8 are written back unchanged.
            text = line.decode("utf-8", "surrogateescape")
            taken.append(text if number else text.removeprefix("\ufeff"))
            yield taken[-1]

    reader = csv.reader(lines(), strict=True, skipinitialspace=True)
    line = 1
    while True:
        taken.clear()
        try:
            cells, flaw = next(reader), ""
        except StopIteration:
            return
        except csv.Error as error:
            cells, flaw = ["".join(taken).rstrip("\r\n")], f"The row is not valid CSV: {error}."
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            if not flaw and not all(cell.isascii() or _is_text(cell) for cell in cells):
                flaw = _NOT_UTF_8
            yield _Row(line=line, cells=cells, flaw=flaw)
        line += len(taken)


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    try:
        yield from file
    except OSError as error:
        raise click.ClickException(f"the list cannot be read: {error.strerror}") from error


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


@attrs.define
class _People:
    """
    Looks people up while the list is read, and counts the outcome for each row.

    Attributes:
        all_read: Whether the whole list has been read.
    """

    _manager: ConsentManager
    _source: _Source
    _tally: _Tally
    _pending: dict[Contact, _Row] = attrs.field(factory=dict, init=False)
    _seen: set[bytes] = attrs.field(factory=set, init=False)
    all_read: bool = attrs.field(default=False, init=False)

    def __iter__(self) -> Iterator[Contact]:
        for row in self._source:
            if row.flaw:
                self._tally.refuse(row, _MALFORMED, row.flaw)
                continue
            try:
                contact = self._contact(row)
            except AddressError as error:
                self._tally.refuse(row, _MALFORMED, _sentence(error))
                continue
            if contact is None:
                self._tally.refuse(row, _NOT_ON_RECORD)
            elif contact.subject in self._seen:
                self._tally.refuse(row, _LISTED_TWICE)
            else:
                self._seen.add(contact.subject)
                self._pending[contact] = row
                yield contact
        self.all_read = True

    def settle(self, asked: Asked) -> None:
        """
        Count the outcome for one of them.
        """
        row = self._pending.pop(asked.contact)
        if asked.refusal is not None:
            self._tally.refuse(row, *_why(asked.refusal))
        else:
            self._tally.ask(before=asked.before)

    def _contact(self, row: _Row) -> Contact | None:
        """
        Return the contact a row names, or None if there is no such contact.

        Raises:
            AddressError: It names no one.
        """
        cells = [row.cells[column].strip() if column < len(row.cells) else "" for column in self._source.columns]
        named = next(filter(None, cells), "")
        if not named:
            raise AddressError("every column that identifies the person is empty")
        return find_contact(self._manager, named)


def _sentence(error: AddressError) -> str:
    text = str(error)
    return f"{text[:1].upper()}{text[1:]}."


def _why(refusal: OptlyError) -> tuple[str, str]:
    """
    Return a code and a sentence.
    """
    match refusal:
        case NotPermittedError():
            return refusal.decision.reason, refusal.decision.explanation
        case MissingLineError():
            return "missing_line", _EXPLAINED["missing_line"]
        case _:
            return _NOT_ON_RECORD, _EXPLAINED[_NOT_ON_RECORD]


# ---- reporting


@attrs.define(kw_only=True)
class _Tally:
    """
    Counts the outcomes, and writes the people who were not asked to a file if there is one.
    """

    _writer: Any
    _advance: Callable[[], None]
    asked: int = attrs.field(default=0, init=False)
    before: int = attrs.field(default=0, init=False)
    reasons: Counter[str] = attrs.field(factory=Counter, init=False)
    explained: dict[str, str] = attrs.field(factory=dict, init=False)
    malformed: list[int] = attrs.field(factory=list, init=False)

    def begin(self, header: Sequence[str]) -> None:
        # A corrected copy can be used as a list, so the columns have the same names.
        self._write("line", "reason", "explanation", *(header or ["contact"]))

    def ask(self, *, before: bool) -> None:
        self.asked += not before
        self.before += before
        self._advance()

    def refuse(self, row: _Row, reason: str, explanation: str = "") -> None:
        self.reasons[reason] += 1
        self.explained.setdefault(reason, _EXPLAINED.get(reason, explanation))
        if reason == _MALFORMED:
            self.malformed.append(row.line)
        self._write(row.line, reason, explanation or _EXPLAINED[reason], *row.cells)
        self._advance()

    def _write(self, *cells: object) -> None:
        if self._writer is not None:
            self._writer.writerow(cells)


@contextmanager
def _refused_file(path: Path | None, source: IO[bytes]) -> Iterator[IO[str] | None]:
    """
    Open the file of those who were not asked, readable by its owner only. It appears in full at the end, or not at all.
    """
    if path is None:
        yield None
        return
    _check_replaceable(path, source)
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--refused") from error
    try:
        with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield file
            file.flush()
            os.fsync(descriptor)
        os.replace(temporary, path)
    except BaseException as error:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        if isinstance(error, OSError):
            raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
        raise


def _check_replaceable(path: Path, source: IO[bytes]) -> None:
    why = "" if path.is_file() or not path.exists() else "this is not a regular file, so it cannot be replaced"
    with suppress(OSError, TypeError):  # standard input has no name
        if path.samefile(getattr(source, "name", "")):
            why = "this is the list itself: name another file"
    if why:
        raise click.BadParameter(why, param_hint="--refused")


@contextmanager
def _progress(file: IO[bytes]) -> Iterator[Callable[[], None]]:
    """
    Show the progress: on a terminal in a bar that is removed at the end, elsewhere in a line at intervals.
    """
    size = _size(file)
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        task = shown.add_task("Asking", total=size)
        done, reported_at = 0, time.monotonic()

        def advance() -> None:
            nonlocal done, reported_at
            done += 1
            now = time.monotonic()
            if console.is_terminal:
                position = None if size is None else file.tell()
                shown.update(task, completed=position, description=f"Asking, {count(done, 'row')} so far")
            elif now - reported_at >= _REPORT_EVERY:
                reported_at = now
                click.echo(
                    f"{count(done, 'row')} so far{f', {file.tell() / size:.0%} of the list' if size else ''}", err=True
                )

        yield advance


def _size(file: IO[bytes]) -> int | None:
    """
    Return the size in bytes, if it is known.
    """
    try:
        found = os.fstat(file.fileno())
    except (OSError, AttributeError):
        return None
    return found.st_size if stat.S_ISREG(found.st_mode) else None


def _as_json(tally: _Tally) -> str:
    return json.dumps(
        {
            "asked": tally.asked,
            "before": tally.before,
            "not_asked": dict(tally.reasons),
            "malformed_lines": tally.malformed,
        },
        indent=2,
    )


def _print(tally: _Tally, refused: Path | None) -> None:
    terminal = Terminal()
    terminal.good("asked", f"{count(tally.asked, 'contact')}. A worker sends the questions.")
    if tally.before:
        terminal.note("asked before", f"{count(tally.before, 'contact')}, in an earlier run of this campaign.")
    for reason, number in tally.reasons.most_common():
        terminal.bad(reason, f"{count(number, 'row')}. {tally.explained[reason]}")
        if reason == _MALFORMED:
            terminal.under(numbered_lines(tally.malformed))
    if tally.reasons and refused is not None:
        terminal.note("written to", str(refused))
