"""
``optly complaints``, ``optly complaint`` and ``optly record-complaint``.
"""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from world import EMAIL, World

from optly.cli._commands import optly
from optly.results import ComplaintState

TEXT = "You rang my late mother."


def said(result: Result) -> str:
    return " ".join(result.output.split())


def recorded(runner: CliRunner, *options: str) -> str:
    """
    Record a complaint and return its reference.
    """
    result = runner.invoke(optly, ["record-complaint", "-", "--how", "telephone", "--json", *options], input=TEXT)
    assert 0 == result.exit_code, result.output
    reference: str = json.loads(result.stdout)["reference"]
    return reference


def test_a_complaint_is_recorded_and_listed(runner: CliRunner, host: World) -> None:
    """
    Without personal data in the list.
    """
    ada = host.add()
    mine = recorded(runner, "--contact", ada.id.upper())
    other = recorded(runner, "--reply-to", "eve@example.org", "--name", "Eve", "--at", "2026-11-01T09:00:00+00:00")
    result = runner.invoke(optly, ["complaints"])
    assert 0 == result.exit_code
    assert said(result).index(other) < said(result).index(mine)
    assert f"contact {ada.id}" in said(result)
    assert not any(secret in result.output for secret in ("Eve", "eve@", EMAIL, "mother"))
    lines = [json.loads(line) for line in runner.invoke(optly, ["complaints", "--json"]).stdout.splitlines()]
    assert [other, mine] == [line["reference"] for line in lines]
    assert ["2026-11-01T09:00:00+00:00", "2026-11-24T12:00:00+00:00"] == [line["at"] for line in lines]
    assert [False, True] == [line["on_record"] for line in lines]


def test_no_complaint_is_a_result_too(runner: CliRunner, host: World) -> None:
    """
    For people a sentence, for programs nothing.
    """
    assert "There is no such complaint." in said(runner.invoke(optly, ["complaints"]))
    assert "" == runner.invoke(optly, ["complaints", "--which", "all", "--json"]).output


def test_an_overdue_complaint_is_an_exit_code(runner: CliRunner, host: World) -> None:
    """
    Until it is acknowledged.
    """
    reference = recorded(runner, "--at", "2026-11-01T09:00:00+00:00")
    host.later(timedelta(days=6))
    assert 0 == runner.invoke(optly, ["complaints"]).exit_code
    host.later(timedelta(days=1))
    result = runner.invoke(optly, ["complaints"])
    assert (1, True) == (result.exit_code, "overdue" in result.output)
    assert 0 == runner.invoke(optly, ["complaint", reference, "--acknowledged", "by telephone"]).exit_code
    assert 0 == runner.invoke(optly, ["complaints"]).exit_code


def test_a_complaint_is_shown_however_it_is_typed(runner: CliRunner, host: World) -> None:
    """
    With its text and where to reply.
    """
    reference = recorded(runner, "--reply-to", "1 Low Road, York YO1 7HH", "--name", "Eve")
    result = runner.invoke(optly, ["complaint", reference.lower().replace("-", "")])
    assert 0 == result.exit_code
    assert all(shown in said(result) for shown in (reference, TEXT, "Eve", "1 Low Road, York YO1 7HH", "telephone"))
    found = json.loads(runner.invoke(optly, ["complaint", reference, "--json"]).stdout)
    assert (TEXT, "Eve", "1 Low Road\nYork YO1 7HH") == (found["text"], found["name"], found["reply_to"])
    wrong = runner.invoke(optly, ["complaint", "CMP-2222-23"])
    assert (2, "") == (wrong.exit_code, wrong.stdout)


def test_an_outcome_is_sent(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    From a file; and a letter shows it without recording anything.
    """
    reference = recorded(runner, "--contact", host.add().id, "--no-acknowledgement")
    file = tmp_path / "answer.txt"
    file.write_text("You were right.", encoding="utf-8")
    letter = runner.invoke(optly, ["complaint", reference, "--letter", "--outcome", str(file)])
    assert all(shown in letter.stdout for shown in ("You were right.", reference, "1 High Street, Leeds LS1 1AA"))
    assert ComplaintState.RECEIVED is host.manager.complaint(reference).state
    assert 0 == runner.invoke(optly, ["complaint", reference, "--outcome", str(file), "--send"]).exit_code
    host.manager.deliver()
    assert ["You were right."] == [
        line for m in host.emails.outbox if m.to == EMAIL for line in m.text.splitlines() if "right" in line
    ]
    shown = runner.invoke(optly, ["complaints", "--which", "resolved"])
    assert all(word in said(shown) for word in (reference, "resolved"))


def test_an_outcome_told_otherwise_is_recorded(runner: CliRunner, host: World) -> None:
    """
    With its words, if they are given.
    """
    reference = recorded(runner)
    arguments = ["complaint", reference, "--resolved", "by letter", "--outcome", "-"]
    assert 0 == runner.invoke(optly, arguments, input="You were right.").exit_code
    found = host.manager.complaint(reference)
    assert (ComplaintState.RESOLVED, "You were right.") == (found.state, found.outcome)


@pytest.mark.parametrize(
    "options",
    [
        ["--send"],
        ["--outcome", "-"],
        ["--send", "--outcome", "-", "--resolved", "by post"],
        ["--acknowledged", "by post", "--letter"],
        ["--acknowledged", " "],
    ],
)
def test_what_does_not_go_together_is_wrong_usage(runner: CliRunner, host: World, options: list[str]) -> None:
    """
    And changes nothing.
    """
    reference = recorded(runner)
    assert 2 == runner.invoke(optly, ["complaint", reference, *options], input="x").exit_code
    assert ComplaintState.RECEIVED is host.manager.complaint(reference).state
