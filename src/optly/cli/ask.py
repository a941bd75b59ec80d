"""
``optly ask``
"""

from __future__ import annotations

import csv
import json
import os
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from optly.addresses import Channel
from optly.cli._app import with_manager
from optly.cli._options import DAYS, INSTANT, one_of
from optly.cli._terminal import Terminal
from optly.cli._words import count
from optly.errors import AddressError, MissingLineError, NotPermittedError, OptlyError
from optly.manager import ConsentManager
from optly.parties import Contact
from optly.results import Asked, Campaign
from optly.rules import Solicited

_COLUMNS: Final = ("contact", "email", "phone")
_ID: Final = re.compile(r"[0-9a-f]{32}", re.ASCII | re.IGNORECASE)
_MOST_LINES: Final = 20  # that are named on a terminal

_MALFORMED: Final = "malformed"
_NOT_ON_RECORD: Final = "not_on_record"
_LISTED_TWICE: Final = "listed_twice"
_EXPLAINED: Final = {
    _MALFORMED: "The row cannot be read.",
    _NOT_ON_RECORD: "Nobody on record has this address or id.",
    _LISTED_TWICE: "An earlier row is about the same person.",
    "missing_line": "The person has no address or number on record for a channel.",
}


@click.command("ask")
@click.argument("contacts", metavar="CONTACTS", type=click.File("rb"))
@click.option("--campaign", metavar="NAME", required=True, help="By this a second run is known.")
@click.option("--via", type=one_of(Channel), required=True, help="How the question goes out.")
@click.option(
    "--channel", "channels", type=one_of(Channel), multiple=True, required=True,
    help="What is asked for. May be repeated.",
)  # fmt: skip
@click.option(
    "--purpose", "purposes", metavar="KEY", multiple=True, required=True, help="What it is for. May be repeated."
)
@click.option("--solicited-how", metavar="TEXT", help="How everybody on the list came to ask for the question.")
@click.option("--solicited-at", help="When they did.", **INSTANT)
@click.option("--language", metavar="TAG", help="In which language. By default each contact's own.")
@click.option("--remind-after", help="Remind once whoever has not answered after so long.", **DAYS)
@click.option("--expires-within", default="30", show_default=True, help="How long an answer counts.", **DAYS)
@click.option(
    "--refused", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write everybody who was not asked to this CSV file, with the reason.",
)  # fmt: skip
@click.option("as_json", "--json", is_flag=True, help="Print what came of it as JSON.")
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
    Ask everybody on a list for consent, each once, as far as the gate lets them be asked.

    CONTACTS is a CSV file in UTF-8 whose first row names its columns: contact (an id), email, phone, of which the first
    that is filled in tells who is meant, and any others, which are not looked at. Or it has one id, email address or
    telephone number in a line, and no such row. Written as - it is read from standard input. Only people on record are
    asked; nobody is added.

    Questions are queued, and a worker hands them over. Broken off at any instant and run again with the same
    --campaign, it goes on where it was and asks nobody twice.

    The exit code is 0 when the whole list was gone through, whatever the gate said; 1 if a row could not be read; 2 if
    the command was called wrongly; and 3 if the store could not be asked: then run it again.

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
    source = _Source.opened(contacts)
    with _refused_file(refused, contacts) as file, _progress(source) as advance:
        tally = _Tally(writer=None if file is None else csv.writer(file))
        tally.begin(source.header)
        people = _People(manager, source, tally)

        def report(asked: Asked) -> None:
            people.settle(asked)
            advance()

        done = manager.request_consents(
            people,
            campaign=campaign,
            via=Channel(via),
            channels=[Channel(channel) for channel in channels],
            purposes=purposes,
            basis=basis,
            language=language,
            expires_within=expires_within,
            remind_after=remind_after,
            report=report,
        )
    if as_json:
        click.echo(_as_json(done, tally))
    else:
        _tell(done, tally, refused)
    if tally.malformed:
        raise click.exceptions.Exit(1)


# ---- reading the list


@attrs.frozen(kw_only=True)
class _Row:
    """
    A row of the list, as it was given.

    Attributes:
        line: Where it begins, from 1.
        flaw: Why it cannot be read, or empty.
    """

    line: int
    cells: Sequence[str] = attrs.field(repr=False)
    flaw: str = ""


@attrs.define
class _Source:
    """
    A list of people. Rows that are empty are passed over.

    Attributes:
        header: The names of the columns, if the first row has them.
        columns: Where the columns are that tell who is meant.
    """

    _rows: Iterator[_Row]
    _bytes: IO[bytes]
    header: Sequence[str] = ()
    columns: Sequence[int] = (0,)

    @classmethod
    def opened(cls, file: IO[bytes]) -> _Source:
        """
        Look at the first row of *file*.

        Raises:
            click.BadParameter: It has several columns and names none that is known.
        """
        rows = _rows(file)
        first = next(rows, None)
        if first is None or first.flaw:
            return cls(_again(first, rows), file)
        names = [cell.strip().lower() for cell in first.cells]
        columns = [names.index(name) for name in _COLUMNS if name in names]
        if columns:
            return cls(rows, file, first.cells, columns)
        if len(names) > 1:
            raise click.BadParameter(
                "the first row has to name its columns, and among them contact, email or phone", param_hint="CONTACTS"
            )
        return cls(_again(first, rows), file)

    def __iter__(self) -> Iterator[_Row]:
        for row in self._rows:
            wide = len(self.header) or 1
            if not row.flaw and len(row.cells) > wide:
                yield attrs.evolve(row, flaw=f"The row has more than {count(wide, 'column')}.")
            else:
                yield row

    @property
    def size(self) -> int | None:
        """
        How many bytes there are, if that is known.
        """
        try:
            found = os.fstat(self._bytes.fileno())
        except (OSError, AttributeError):
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    @property
    def position(self) -> int:
        """
        How many bytes have been read.
        """
        return self._bytes.tell()


def _again(first: _Row | None, rows: Iterator[_Row]) -> Iterator[_Row]:
    if first is not None:
        yield first
    yield from rows


def _rows(file: IO[bytes]) -> Iterator[_Row]:
    """
    Yield the rows of a CSV file, those that cannot be read included.
    """
    taken: list[str] = []

    def lines() -> Iterator[str]:
        for number, line in enumerate(file):
            # What is not in UTF-8 comes out again as it came in.
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
            cells, flaw = ["".join(taken).rstrip("\r\n")], f"The row is not as in a CSV file: {error}."
        while cells and not cells[-1].strip():
            cells.pop()
        if cells:
            if not flaw and not all(cell.isascii() or _is_text(cell) for cell in cells):
                flaw = "The row is not in UTF-8."
            yield _Row(line=line, cells=cells, flaw=flaw)
        line += len(taken)


def _is_text(cell: str) -> bool:
    try:
        cell.encode()
    except UnicodeEncodeError:
        return False
    return True


@attrs.define
class _People:
    """
    Finds the people of a list while it is read, and puts what came of each down beside their row.
    """

    _manager: ConsentManager
    _source: _Source
    _tally: _Tally
    _pending: dict[Contact, _Row] = attrs.field(factory=dict, init=False)
    _seen: set[Contact] = attrs.field(factory=set, init=False)

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
            elif contact in self._seen:
                self._tally.refuse(row, _LISTED_TWICE)
            else:
                self._seen.add(contact)
                self._pending[contact] = row
                yield contact

    def settle(self, asked: Asked) -> None:
        """
        Put down what came of one of them.
        """
        row = self._pending.pop(asked.contact)
        if asked.refusal is not None:
            self._tally.refuse(row, *_why(asked.refusal))

    def _contact(self, row: _Row) -> Contact | None:
        """
        Return who is meant, or None for somebody who is not on record.

        Raises:
            AddressError: Nobody can be meant by it.
        """
        cells = [row.cells[column].strip() if column < len(row.cells) else "" for column in self._source.columns]
        named = next(filter(None, cells), "")
        if not named:
            raise AddressError("none of the columns that tell who is meant is filled in")
        if _ID.fullmatch(named):
            return Contact(named.lower())
        return self._manager.find(named, Channel.EMAIL if "@" in named else Channel.SMS)


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


# ---- telling


@attrs.define(kw_only=True)
class _Tally:
    """
    Counts those who are not asked, by reason, and writes them down if that is wished.
    """

    _writer: Any
    reasons: Counter[str] = attrs.field(factory=Counter, init=False)
    explained: dict[str, str] = attrs.field(factory=dict, init=False)
    malformed: list[int] = attrs.field(factory=list, init=False)

    def begin(self, header: Sequence[str]) -> None:
        self._write("line", "reason", "explanation", *(header or ["given"]))

    def refuse(self, row: _Row, reason: str, explanation: str = "") -> None:
        self.reasons[reason] += 1
        self.explained.setdefault(reason, _EXPLAINED.get(reason, explanation))
        if reason == _MALFORMED:
            self.malformed.append(row.line)
        self._write(row.line, reason, explanation or _EXPLAINED[reason], *row.cells)

    def _write(self, *cells: object) -> None:
        if self._writer is not None:
            self._writer.writerow(cells)


@contextmanager
def _refused_file(path: Path | None, source: IO[bytes]) -> Iterator[IO[str] | None]:
    """
    Open the file for those who are not asked, for its owner alone.
    """
    if path is None:
        yield None
        return
    try:
        if path.exists() and path.samefile(getattr(source, "name", "")):
            raise click.BadParameter("this is the list itself: name another file", param_hint="--refused")
    except (OSError, TypeError):
        pass  # standard input has no name
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise click.BadParameter(f"{path} cannot be written: {error.strerror}", param_hint="--refused") from error
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape", newline="") as file:
        yield file


@contextmanager
def _progress(source: _Source) -> Iterator[Callable[[], None]]:
    """
    Show on a terminal how far it is, and take that away in the end.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
        if shown.disable:
            yield lambda: None
            return
        task = shown.add_task("Asking", total=source.size)
        handled = 0

        def advance() -> None:
            nonlocal handled
            handled += 1
            if source.size is not None:
                shown.update(task, completed=source.position)
            shown.update(task, description=f"Asking, {count(handled, 'contact')} so far")

        yield advance


def _as_json(done: Campaign, tally: _Tally) -> str:
    return json.dumps(
        {
            "asked": done.asked,
            "before": done.before,
            "not_asked": dict(tally.reasons),
            "malformed_lines": tally.malformed,
        },
        indent=2,
    )


def _tell(done: Campaign, tally: _Tally, refused: Path | None) -> None:
    terminal = Terminal()
    terminal.good("asked", f"{count(done.asked, 'contact')}. A worker hands the questions over.")
    if done.before:
        terminal.note("asked before", f"{count(done.before, 'contact')}, in an earlier run of this campaign.")
    for reason, number in tally.reasons.most_common():
        terminal.bad(reason, f"{count(number, 'row')}. {tally.explained[reason]}")
        if reason == _MALFORMED:
            named = ", ".join(map(str, tally.malformed[:_MOST_LINES]))
            more = " and more" if number > _MOST_LINES else ""
            terminal.under(f"{'line' if number == 1 else 'lines'} {named}{more}")
    if tally.reasons and refused is not None:
        terminal.note("written to", str(refused))
