"""
``optly screen``
"""

from __future__ import annotations

import csv
import io
import re
import sys
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final, Protocol

import attrs
import click
import msgspec

from optly.cli._app import with_manager
from optly.cli._files import not_text, unreadable
from optly.cli._lists import NOT_UTF_8, OTHER_DELIMITERS, Row, progress, rows, written
from optly.cli._options import INSTANT, one_of
from optly.cli._terminal import Terminal
from optly.cli._words import count, numbered_lines
from optly.cli.check import WithSections
from optly.cli.check.facts import fact_options, gather
from optly.contacts import AddressKind, Channel
from optly.manager import ConsentManager
from optly.rules import Decision, MessageKind

_LIST: Final = "FILE"
_ADDED: Final = ("verdict", "reason", "explanation")
_MALFORMED: Final = "malformed"
_JSON_LINES: Final = (".jsonl", ".ndjson")
# The column, or the field, with the address.
_COLUMNS: Final = {
    AddressKind.EMAIL: "email",
    AddressKind.PHONE: "phone",
    AddressKind.POST: "address",
    AddressKind.ACCOUNT: "account",
}
# What a spreadsheet takes for a formula. A number, with the signs that are written in one, is none.
_FORMULA: Final = re.compile(r"\s*[=@\t\r]|\s*[+-](?![\d\s().-]*$)")


@click.command("screen", cls=WithSections)
@click.argument("file", type=click.File("rb"))
@click.option("--channel", type=one_of(Channel), required=True, help="Channel the messages go out on.")
@click.option(
    "--purpose", "purposes", metavar="KEY", required=True, multiple=True,
    help="Key of a purpose of the messages. Repeatable: all have to be allowed.",
)  # fmt: skip
@click.option(
    "--kind", type=one_of(MessageKind), default=MessageKind.MARKETING.value, show_default=True,
    help="Kind of message.",
)  # fmt: skip
@click.option("--at", help="Decide for this instant, from the record as it was then. By default now.", **INSTANT)
@click.option(
    "--column", metavar="NAME",
    help="Column or field with the address. By default email, phone, address or account, depending on the channel.",
)  # fmt: skip
@click.option(
    "--format", "form", type=click.Choice(["csv", "jsonl"]),
    help="Format of the list. By default jsonl for a file that ends in .jsonl or .ndjson, and otherwise csv.",
)  # fmt: skip
@click.option(
    "--output", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE",
    help="Write the result to this file. By default to standard output.",
)  # fmt: skip
@fact_options
@with_manager
def command(
    manager: ConsentManager,
    *,
    file: IO[bytes],
    channel: str,
    purposes: tuple[str, ...],
    kind: str,
    at: datetime | None,
    column: str | None,
    form: str | None,
    output: Path | None,
    **facts: Any,
) -> None:
    """
    Write beside each row of a list whether a message may be sent or a call made, and why.

    FILE is in UTF-8, or - to read standard input: CSV, whose first row names the columns, or JSON lines with an object
    on each. Without such a row, each line of a CSV file has one address. The result has the same rows in the same
    order, with verdict (allowed or refused), reason and explanation: as the first columns, or as further fields.

    The file of the result appears in full at the end, or not at all. In CSV, a cell that a spreadsheet would run as a
    formula begins with an apostrophe.

    The exit code is 0 if the whole list was screened, whatever the gate decided; 1 if a row could not be read, which is
    refused as malformed; 2 for wrong usage; and 3 if the database could not be reached. Nothing is sent or recorded.

    \b
    Examples:
      optly screen customers.csv --channel email --purpose offers --output screened.csv --app acme.consent:manager
      optly screen - --format jsonl --column to --channel sms --purpose news < list.jsonl > screened.jsonl
    """
    reached = Channel(channel)
    named = _COLUMNS[reached.kind] if column is None else column
    lines = form == "jsonl" if form else getattr(file, "name", "").endswith(_JSON_LINES)
    with _target(output, file) as target, progress(file, "Screening") as advance:
        read = _JsonLines(file, named, target) if lines else _Table.of(file, named, target, any_column=column is None)
        result = _Result(read, advance)
        decisions = manager.screen(
            result.addresses(), reached, purposes, kind=MessageKind(kind), at=at, **gather(facts)
        )
        for decision in decisions:
            result.settle(decision)
    if output is not None:
        _print(result, output)
    if result.malformed:
        if output is None:
            click.echo(f"{count(len(result.malformed), 'row')} malformed: {numbered_lines(result.malformed)}", err=True)
        raise click.exceptions.Exit(1)


@contextmanager
def _target(output: Path | None, source: IO[bytes]) -> Iterator[IO[str]]:
    """
    Open what the result is written to. What is not text in UTF-8 is written as it was read.
    """
    with written(output, source, "--output") as file:
        if file is not None:
            yield file
            return
        shown = io.TextIOWrapper(sys.stdout.buffer, "utf-8", "surrogateescape", newline="")
        try:
            yield shown
        finally:
            shown.detach()  # writes what is left, and leaves standard output open


class _List(Protocol):
    """
    A list that is read, and written again with more in each row.
    """

    def read(self) -> Iterator[tuple[Any, Row, str]]:
        """
        Yield each row, and its address; an empty one if it has none or cannot be read, which its flaw then says.
        """

    def write(self, row: Any, added: Sequence[str]) -> None:
        """
        Write a row with what is added to it.
        """


@attrs.frozen
class _Table:
    """
    A CSV file.
    """

    _rows: Iterator[Row]
    _column: int
    _width: int
    _writer: Any

    @classmethod
    def of(cls, file: IO[bytes], column: str, target: IO[str], *, any_column: bool) -> _Table:
        """
        Read the first row of a file, and write that of the result.

        Args:
            any_column: Whether a list without names of columns will do, if there is but one.

        Raises:
            click.BadParameter: It is missing, is not text, or does not name the column.
        """
        read = rows(file, _LIST)
        first = next(read, None)
        if first is None:
            raise click.BadParameter("the file is empty", param_hint=_LIST)
        if first.flaw == NOT_UTF_8:
            raise not_text(_LIST)
        header = first.cells
        names = [cell.strip().lower() for cell in header]
        if column.strip().lower() not in names:
            if not any_column or len(names) > 1 or any(delimiter in names[0] for delimiter in OTHER_DELIMITERS):
                raise click.BadParameter(
                    f"the first row names no column {column!r}: it must name the columns, separated by commas, and "
                    "--column the one with the addresses",
                    param_hint=_LIST,
                )
            read, header, names = chain([first], read), [column], [column.strip().lower()]
        if taken := [name for name in _ADDED if name in names]:
            raise click.BadParameter(f"there is a column {taken[0]!r} already: leave it out", param_hint=_LIST)
        writer = csv.writer(target, lineterminator="\n")
        writer.writerow([*_ADDED, *map(_no_formula, header)])
        return cls(read, names.index(column.strip().lower()), len(header), writer)

    def read(self) -> Iterator[tuple[Row, Row, str]]:
        for row in self._rows:
            if len(row.cells) > self._width and not row.flaw:
                row = attrs.evolve(row, flaw=f"The row has more than {count(self._width, 'column')}.")
            usable = not row.flaw and self._column < len(row.cells)
            yield row, row, row.cells[self._column].strip() if usable else ""

    def write(self, row: Row, added: Sequence[str]) -> None:
        self._writer.writerow([*added, *map(_no_formula, row.cells), *[""] * (self._width - len(row.cells))])


@attrs.frozen
class _JsonLines:
    """
    A file with a JSON object on each line.
    """

    _file: IO[bytes]
    _field: str
    _target: IO[str]

    def read(self) -> Iterator[tuple[dict[str, Any], Row, str]]:
        try:
            for number, line in enumerate(self._file, 1):
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if text := line.strip():
                    values, flaw = self._object(text)
                    address = values.get(self._field, "")
                    if not flaw and not isinstance(address, str):
                        flaw = f"The field {self._field!r} is not a text."
                    elif not flaw and self._field not in values:
                        flaw = f"There is no field {self._field!r}."
                    yield values, Row(line=number, cells=(), flaw=flaw), "" if flaw else address
        except OSError as error:
            raise unreadable(error, _LIST) from error

    @staticmethod
    def _object(text: bytes) -> tuple[dict[str, Any], str]:
        try:
            return msgspec.json.decode(text, type=dict[str, Any]), ""
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            # Written back as it is, in a field of its own.
            return {"line": text.decode("utf-8", "replace")}, "The line is not a JSON object."

    def write(self, row: dict[str, Any], added: Sequence[str]) -> None:
        self._target.write(msgspec.json.encode({**row, **dict(zip(_ADDED, added, strict=True))}).decode() + "\n")


@attrs.frozen
class _Result:
    """
    Gives the addresses of a list to the gate, and writes what it says beside each row.
    """

    _list: _List
    _advance: Callable[[], None]
    _pending: deque[tuple[Any, Row]] = attrs.field(factory=deque, init=False)
    reasons: Counter[str] = attrs.field(factory=Counter, init=False)
    verdicts: Counter[str] = attrs.field(factory=Counter, init=False)
    malformed: list[int] = attrs.field(factory=list, init=False)

    def addresses(self) -> Iterator[str]:
        for values, row, address in self._list.read():
            self._pending.append((values, row))
            yield address

    def settle(self, decision: Decision) -> None:
        """
        Write the next row, with the decision about it.
        """
        values, row = self._pending.popleft()
        if row.flaw:
            self.malformed.append(row.line)
        verdict = "allowed" if decision and not row.flaw else "refused"
        reason, explanation = (_MALFORMED, row.flaw) if row.flaw else (decision.reason.value, decision.explanation)
        self._list.write(values, (verdict, reason, explanation))
        self.verdicts[verdict] += 1
        self.reasons[reason] += verdict == "refused"
        self._advance()


def _no_formula(cell: str) -> str:
    """
    Return a cell in which a spreadsheet sees text.

    Source: https://owasp.org/www-community/attacks/CSV_Injection (as reported 2026-11-29).
    """
    return f"'{cell}" if _FORMULA.match(cell) else cell


def _print(result: _Result, output: Path) -> None:
    terminal = Terminal()
    terminal.good("allowed", f"{count(result.verdicts['allowed'], 'row')}.")
    terminal.note("refused", f"{count(result.verdicts['refused'], 'row')}.")
    for reason, number in result.reasons.most_common():
        if number:
            terminal.under(f"{reason}: {number:,}")
    if result.malformed:
        terminal.bad("malformed", f"{count(len(result.malformed), 'row')} could not be read.")
        terminal.under(numbered_lines(result.malformed))
    terminal.note("written to", str(output))
