"""
``optly ask``
"""

from __future__ import annotations

import csv
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import chain, islice
from pathlib import Path
from typing import IO, Any, Final

import attrs
import click

from optly.cli._app import with_manager
from optly.cli._contacts import find_contact
from optly.cli._files import not_text
from optly.cli._lists import NOT_UTF_8, OTHER_DELIMITERS, Row, progress, written
from optly.cli._lists import rows as read_rows
from optly.cli._options import DAYS, INSTANT, one_of
from optly.cli._terminal import Terminal, print_json
from optly.cli._words import count, numbered_lines
from optly.contacts import Channel, Contact
from optly.errors import AddressError, AmbiguousContactError, AmbiguousLineError, MissingLineError, NotPermittedError
from optly.manager import ConsentManager
from optly.results import Asked
from optly.rules import Solicited

_LIST: Final = "CONTACTS"
_COLUMNS: Final = ("contact", "email", "phone")
_BATCH: Final = 1000  # people, so that the outcomes of a long list are not kept in memory
_MALFORMED: Final = "malformed"
_NOT_ON_RECORD: Final = "not_on_record"
_LISTED_TWICE: Final = "listed_twice"
_MISSING_LINE: Final = "missing_line"
_SEVERAL_CONTACTS: Final = "several_contacts"
_SEVERAL_LINES: Final = "several_lines"
_EXPLAINED: Final = {
    _MALFORMED: "The row cannot be read.",
    _NOT_ON_RECORD: "No contact has this address or id.",
    _LISTED_TWICE: "An earlier row names the same person.",
    _MISSING_LINE: "The person has no recorded address or number for one of the channels.",
    _SEVERAL_CONTACTS: "Several contacts have this address: name one by its id.",
    _SEVERAL_LINES: "The person has several addresses or numbers for one of the channels.",
}


@click.command("ask")
@click.argument("contacts", metavar=_LIST, type=click.File("rb"))
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
    via: str,
    channels: tuple[str, ...],
    solicited_how: str | None,
    solicited_at: datetime | None,
    refused: Path | None,
    as_json: bool,
    **settings: Any,
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
    with written(refused, contacts, "--refused") as file, progress(contacts, "Asking") as advance:
        people = _People.of(contacts, manager, writer=file and csv.writer(file), advance=advance)
        remaining = iter(people)
        with _interrupted_by_signals(people):
            while not people.all_read:
                # Each call resumes where the last one stopped, as a second run does.
                manager.request_consents(
                    islice(remaining, _BATCH),
                    via=Channel(via),
                    channels=[Channel(channel) for channel in channels],
                    basis=basis,
                    report=people.settle,
                    **settings,
                )
    if as_json:
        print_json(
            {
                "asked": people.asked,
                "before": people.before,
                "not_asked": people.reasons,
                "malformed_lines": people.malformed,
            }
        )
    else:
        _print(people, refused)
    if people.malformed:
        raise click.exceptions.Exit(1)


@contextmanager
def _interrupted_by_signals(people: _People) -> Iterator[None]:
    """
    Treat SIGTERM like Ctrl-C, and end after either with a line on how to resume.
    """
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except KeyboardInterrupt:
        done = count(people.asked, "contact")
        raise click.ClickException(
            f"interrupted after asking {done}: run it again with the same --campaign to resume"
        ) from None
    finally:
        signal.signal(signal.SIGTERM, before)


def _wrong_list(why: str) -> click.BadParameter:
    return click.BadParameter(why, param_hint=_LIST)


@attrs.define(kw_only=True)
class _People:
    """
    Looks people up while the list is read, counts the outcome for each row, and writes the rows that were not asked.

    Attributes:
        all_read: Whether the whole list has been read.
    """

    _manager: ConsentManager
    _rows: Iterator[Row]
    _columns: Sequence[int]  # those that identify the person
    _width: int
    _writer: Any
    _advance: Callable[[], None]
    _pending: dict[Contact, Row] = attrs.field(factory=dict, init=False)
    _seen: set[bytes] = attrs.field(factory=set, init=False)
    all_read: bool = attrs.field(default=False, init=False)
    asked: int = attrs.field(default=0, init=False)
    before: int = attrs.field(default=0, init=False)
    reasons: Counter[str] = attrs.field(factory=Counter, init=False)
    explained: dict[str, str] = attrs.field(factory=dict, init=False)
    malformed: list[int] = attrs.field(factory=list, init=False)

    @classmethod
    def of(cls, file: IO[bytes], manager: ConsentManager, *, writer: Any, advance: Callable[[], None]) -> _People:
        """
        Read the first row of *file*, and write that of the file of those who were not asked.

        Raises:
            click.BadParameter: It is missing, is not text, or has several columns without any of the known names.
        """
        rows = read_rows(file, _LIST)
        first = next(rows, None)
        if first is None:
            raise _wrong_list("the file is empty")
        if first.flaw == NOT_UTF_8:
            raise not_text(_LIST)
        header = first.cells
        names = [cell.strip().lower() for cell in header]
        columns = [names.index(name) for name in _COLUMNS if name in names]
        if not columns:
            if len(names) > 1 or any(delimiter in names[0] for delimiter in OTHER_DELIMITERS):
                raise _wrong_list(
                    "the first row must name the columns, separated by commas, including contact, email or phone"
                )
            # A corrected copy of the refused can be used as a list, so a lone column is named there.
            rows, header, columns = chain([first], rows), ["contact"], [0]
        if writer is not None:
            writer.writerow(["line", "reason", "explanation", *header])
        return cls(manager=manager, rows=rows, columns=columns, width=len(header), writer=writer, advance=advance)

    def __iter__(self) -> Iterator[Contact]:
        for row in self._rows:
            try:
                contact = self._contact(row)
            except AddressError as error:
                text = str(error)
                self._refuse(row, _MALFORMED, row.flaw or f"{text[:1].upper()}{text[1:]}.")
                continue
            except AmbiguousContactError:
                self._refuse(row, _SEVERAL_CONTACTS)
                continue
            if contact is None:
                self._refuse(row, _NOT_ON_RECORD)
            elif contact.subject in self._seen:
                self._refuse(row, _LISTED_TWICE)
            else:
                self._seen.add(contact.subject)
                self._pending[contact] = row
                yield contact
        self.all_read = True

    def _contact(self, row: Row) -> Contact | None:
        """
        Return the contact a row names, or None if there is no such contact.

        Raises:
            AddressError: It cannot be read or names no one.
        """
        if row.flaw:
            raise AddressError(row.flaw)
        if len(row.cells) > self._width:
            raise AddressError(f"the row has more than {count(self._width, 'column')}")
        cells = [row.cells[column].strip() for column in self._columns if column < len(row.cells)]
        named = next(filter(None, cells), "")
        if not named:
            raise AddressError("every column that identifies the person is empty")
        return find_contact(self._manager, named)

    def settle(self, asked: Asked) -> None:
        """
        Count the outcome for one of them.
        """
        row = self._pending.pop(asked.contact)
        match asked.refusal:
            case None:
                self.asked += not asked.before
                self.before += asked.before
                self._advance()
            case NotPermittedError(decision=decision):
                self._refuse(row, decision.reason, decision.explanation)
            case MissingLineError():
                self._refuse(row, _MISSING_LINE)
            case AmbiguousLineError():
                self._refuse(row, _SEVERAL_LINES)
            case _:
                self._refuse(row, _NOT_ON_RECORD)

    def _refuse(self, row: Row, reason: str, explanation: str = "") -> None:
        self.reasons[reason] += 1
        self.explained.setdefault(reason, _EXPLAINED.get(reason, explanation))
        if reason == _MALFORMED:
            self.malformed.append(row.line)
        if self._writer is not None:
            self._writer.writerow([row.line, reason, explanation or _EXPLAINED[reason], *row.cells])
        self._advance()


def _print(people: _People, refused: Path | None) -> None:
    terminal = Terminal()
    terminal.good("asked", f"{count(people.asked, 'contact')}. A worker sends the questions.")
    if people.before:
        terminal.note("asked before", f"{count(people.before, 'contact')}, in an earlier run of this campaign.")
    for reason, number in people.reasons.most_common():
        terminal.bad(reason, f"{count(number, 'row')}. {people.explained[reason]}")
        if reason == _MALFORMED:
            terminal.under(numbered_lines(people.malformed))
    if people.reasons and refused is not None:
        terminal.note("written to", str(refused))
