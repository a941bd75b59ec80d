"""
``optly screen``: a verdict and a reason beside each row of a list.
"""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from world import EMAIL, PHONE, World

from optly import ConsentManager, Decision
from optly.cli._commands import optly
from optly.errors import StorageUnavailableError

EMAILS = ("--channel", "email", "--purpose", "offers")
HEADER = ["verdict", "reason", "explanation"]


@pytest.fixture
def agreed(host: World) -> World:
    """
    Ada agreed; nobody else is on record.
    """
    host.agreed(host.add())
    return host


def screened(runner: CliRunner, given: str | bytes, *more: str) -> tuple[Result, list[list[str]]]:
    result = runner.invoke(optly, ["screen", "-", *(more or EMAILS)], input=given)
    return result, list(csv.reader(result.stdout.splitlines()))


def test_each_row_gets_a_verdict(runner: CliRunner, agreed: World) -> None:
    """
    In its place, with what it had; quotes, empty cells and names of columns in any case included.
    """
    result, rows = screened(runner, f'id, E-mail ,Email,note\n1,x,{EMAIL},"a, ""b"""\n2,y,joe@example.com\n\n3,,,\n')
    assert result.exit_code == 0
    assert rows[0] == [*HEADER, "id", "E-mail ", "Email", "note"]
    assert [row[:2] + row[3:] for row in rows[1:]] == [
        ["allowed", "consented", "1", "x", EMAIL, 'a, "b"'],
        ["refused", "not_on_record", "2", "y", "joe@example.com", ""],
        ["refused", "not_an_address", "3", "", "", ""],
    ]
    expected = agreed.manager.check(EMAIL, "email", "offers")
    assert rows[1][2] == expected.explanation


def test_a_list_of_addresses_alone(runner: CliRunner, agreed: World) -> None:
    """
    It needs no name of a column. Of numbers, those that begin with a plus stay as they are.
    """
    result, rows = screened(runner, f"{EMAIL}\nnonsense\n")
    assert [row[3] for row in rows] == ["email", EMAIL, "nonsense"]
    assert [row[1] for row in rows[1:]] == ["consented", "not_an_address"]
    result, rows = screened(runner, f"{PHONE}\n", "--channel", "sms", "--purpose", "offers")
    assert (result.exit_code, rows[1][0], rows[1][3]) == (0, "allowed", PHONE)


def test_json_lines(runner: CliRunner, agreed: World, tmp_path: Path) -> None:
    """
    Each object keeps its fields, in their order. A line that is none is refused in its place.
    """
    given = tmp_path / "list.jsonl"
    lines = [f'{{"n": 12345678901234567890, "to": "{EMAIL}", "b": [1.5, null]}}', "", "[1]", '{"to": 7}', '{"too": ""}']
    given.write_text("\n".join(lines), encoding="utf-8-sig")
    result = runner.invoke(optly, ["screen", str(given), *EMAILS, "--column", "to"])
    assert result.exit_code == 1
    assert "3 rows malformed: " in result.stderr
    first, second, *rest = map(json.loads, result.stdout.splitlines())
    assert {"n": 12345678901234567890, "to": EMAIL, "b": [1.5, None]}.items() <= first.items()
    assert [*first][3:] == HEADER
    assert (first["verdict"], first["reason"]) == ("allowed", "consented")
    assert (second["line"], second["reason"]) == ("[1]", "malformed")
    assert ["There is no field 'to'." in each["explanation"] for each in rest] == [False, True]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (b'"open', "not valid CSV"),
        (b"\xff@example.com", "not UTF-8"),
        (f"{EMAIL},more".encode(), "more than 1 column"),
    ],
)
def test_a_row_that_cannot_be_read_is_one_refusal(runner: CliRunner, agreed: World, row: bytes, why: str) -> None:
    """
    It is written back as it was, and never allowed.
    """
    result = runner.invoke(optly, ["screen", "-", *EMAILS], input=f"email\n{EMAIL}\n".encode() + row)
    assert result.exit_code == 1
    assert "1 row malformed: " in result.stderr
    _, allowed, refused = result.stdout_bytes.splitlines()
    assert allowed.startswith(b"allowed,consented")
    assert refused.startswith(b"refused,malformed")
    assert why.encode() in refused


@pytest.mark.parametrize(
    ("given", "more", "why"),
    [
        ("", (), "empty"),
        ("name,phone\nAda,1\n", (), "'email'"),
        ("name;email\n", (), "'email'"),
        ("name,mail\n", ("--column", "post"), "'post'"),
        ("a\n", ("--column", "b"), "'b'"),
        ("Email,Reason\n", (), "'reason'"),
    ],
)
def test_a_list_that_cannot_be_screened(
    runner: CliRunner, agreed: World, given: str, more: Sequence[str], why: str
) -> None:
    """
    Is wrong usage: what is missing is named, and nothing is written.
    """
    result, rows = screened(runner, given, *EMAILS, *more)
    assert (result.exit_code, rows) == (2, [])
    assert why in " ".join(result.stderr.split())


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(1)", "+cmd|x", "-2+3+cmd", "\t=1", " =1"])
def test_no_cell_becomes_a_formula(runner: CliRunner, agreed: World, cell: str) -> None:
    """
    A spreadsheet shows it and does not run it; numbers with a sign stay numbers.
    """
    _, rows = screened(runner, f'email,note\n{EMAIL},"{cell}"\n{EMAIL},-2.5\n{EMAIL},+44 (0)20-7946\n')
    assert [row[4] for row in rows[1:]] == [f"'{cell}", "-2.5", "+44 (0)20-7946"]


def test_the_result_in_a_file(
    runner: CliRunner, agreed: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    It appears in full, for its owner only, with a summary; not at all if the database fails; and never over the list.
    """
    given, output = tmp_path / "list.csv", tmp_path / "screened.csv"
    given.write_text(f"email\n{EMAIL}\njoe@example.com\n")
    arguments = ["screen", str(given), *EMAILS, "--output"]
    result = runner.invoke(optly, [*arguments, str(output)])
    assert result.exit_code == 0
    assert "not_on_record: 1" in result.stdout
    assert len(output.read_text().splitlines()) == 3
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert runner.invoke(optly, [*arguments, str(given)]).exit_code == 2

    def fails(_manager: object, addresses: Iterator[str], *_: object, **__: object) -> Iterator[Decision]:
        yield agreed.manager.check(next(addresses), "email", "offers")
        raise StorageUnavailableError("the database cannot be used")

    output.unlink()
    monkeypatch.setattr(ConsentManager, "screen", fails)
    assert runner.invoke(optly, [*arguments, str(output)]).exit_code == 3
    assert [*tmp_path.iterdir()] == [given]


def test_facts_and_an_earlier_instant(runner: CliRunner, agreed: World) -> None:
    """
    As for a check.
    """
    result, rows = screened(runner, f"{EMAIL}\n", *EMAILS, "--at", "2026-11-24T11:00:00+00:00")
    assert (result.exit_code, rows[1][0]) == (0, "refused")
    call = ("--channel", "live_call", "--purpose", "offers", "--shows-number", "--gives-name", "--no-pensions")
    result, rows = screened(runner, f"{PHONE}\n", *call, "--no-claims-management")
    assert (result.exit_code, rows[1][:2]) == (0, ["allowed", "no_objection"])
