"""
``optly outbox``, ``optly reconcile`` and what ``optly worker`` says.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from cli.process import run
from click.testing import CliRunner
from world import EMAIL, World

from optly import Subscriber
from optly.cli._commands import optly
from optly.errors import StorageUnavailableError
from optly.messages import Outcome, Receipt
from optly.protocols import MessageState

GONE = Receipt(outcome=Outcome.IN_DOUBT, reply="no reply")
NO = Receipt(outcome=Outcome.REFUSED, reply="554 5.7.1 not from you", code=554, status="5.7.1")


def asked(host: World, *receipts: Receipt) -> str:
    """
    Ask a company, let the provider answer so, and return the contact's id.
    """
    host.emails.outcomes.extend(receipts)
    contact = host.manager.add_contact(email=EMAIL, subscriber=Subscriber.COMPANY)
    host.manager.request_consent(contact, via="email", channels=["email"], purposes=["offers"])
    return contact.id


def test_an_empty_outbox(runner: CliRunner, host: World) -> None:
    """
    Is told, and is no error.
    """
    said = runner.invoke(optly, ["outbox"])
    assert (0, True) == (said.exit_code, "No message has ever been queued." in said.output)
    listed = runner.invoke(optly, ["outbox", "--list", "refused"])
    assert "No message is in this state." in listed.output


def test_the_backlog(runner: CliRunner, host: World) -> None:
    """
    For people, and for programs with a number for every state.
    """
    asked(host)
    assert "1 message waiting to be sent" in runner.invoke(optly, ["outbox"]).output
    counted = json.loads(runner.invoke(optly, ["outbox", "--json"]).output)
    assert {"queued": 1, "sending": 0, "accepted": 0, "refused": 0, "in-doubt": 0, "withheld": 0} == counted


def test_a_dead_letter(runner: CliRunner, host: World) -> None:
    """
    Says why, in the provider's words.
    """
    contact = asked(host, NO)
    host.manager.deliver()
    said = runner.invoke(optly, ["outbox", "--list", "refused"]).output
    assert contact in said
    assert "554 5.7.1 not from you" in " ".join(said.split())
    (letter,) = json.loads(runner.invoke(optly, ["outbox", "--list", "refused", "--json"]).output)
    assert (contact, "email", 1, "554 5.7.1 not from you") == (
        letter["contact"],
        letter["channel"],
        letter["attempts"],
        letter["why"],
    )


def test_nothing_in_doubt(runner: CliRunner, host: World) -> None:
    """
    Is good news.
    """
    said = runner.invoke(optly, ["reconcile"])
    assert (0, True) == (said.exit_code, "No message is in doubt." in said.output)


def test_a_doubt_that_stays(runner: CliRunner, host: World) -> None:
    """
    The exit code says so.
    """
    contact = asked(host, GONE)
    host.manager.deliver()
    said = runner.invoke(optly, ["reconcile", "--resend"])
    assert said.exit_code == 1
    assert "cannot be determined" in said.output
    assert contact in said.output
    (doubt,) = json.loads(runner.invoke(optly, ["reconcile", "--json"]).output)
    assert (contact, "unknown", False) == (doubt["contact"], doubt["finding"], doubt["resent"])


@pytest.mark.parametrize(("option", "state"), [("--sent", MessageState.ACCEPTED), ("--not-sent", MessageState.QUEUED)])
def test_a_doubt_that_somebody_settles(runner: CliRunner, host: World, option: str, state: MessageState) -> None:
    """
    By its names, once.
    """
    contact = asked(host, GONE)
    host.manager.deliver()
    (letter,) = host.manager.outbox_messages(MessageState.IN_DOUBT)
    assert runner.invoke(optly, ["reconcile", option, contact, letter.message]).exit_code == 0
    assert host.manager.backlog() == {state: 1}
    again = runner.invoke(optly, ["reconcile", option, contact, letter.message])
    assert (1, True) == (again.exit_code, "no message in doubt with that id" in " ".join(again.output.split()))


@pytest.mark.parametrize(
    "arguments",
    [
        ["reconcile", "--sent", "0" * 32, "0" * 32, "--not-sent", "0" * 32, "0" * 32],
        ["reconcile", "--limit", "0"],
        ["outbox", "--list", "lost"],
        ["worker", "--idle", "0"],
        ["worker", "--every", "-1"],
    ],
)
def test_wrong_usage(runner: CliRunner, host: World, arguments: list[str]) -> None:
    """
    Ends with 2 and changes nothing.
    """
    assert runner.invoke(optly, arguments).exit_code == 2


def test_an_id_that_is_none(runner: CliRunner, host: World) -> None:
    """
    Is wrong usage too, in one line.
    """
    said = runner.invoke(optly, ["reconcile", "--sent", "ada", "0" * 32])
    assert said.exit_code == 2
    assert "32 lower-case hexadecimal digits" in said.output


def test_a_worker_that_ends_when_nothing_is_due(runner: CliRunner, host: World) -> None:
    """
    Says what it did; or nothing, if it is to be quiet.
    """
    asked(host)
    said = runner.invoke(optly, ["worker", "--once"])
    assert said.exit_code == 0
    assert ["worker ready; 1 message waiting", "worker stopped; 1 accepted"] == said.output.splitlines()
    assert runner.invoke(optly, ["worker", "--once", "--quiet"]).output == ""


def test_a_worker_tells_rate_and_backlog(runner: CliRunner, host: World) -> None:
    """
    Now and then, one line each.
    """
    for number in range(150):
        contact = host.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
        host.manager.request_consent(contact, via="email", channels=["email"], purposes=["offers"])
    said = runner.invoke(optly, ["worker", "--once", "--every", "0.000001"]).output.splitlines()
    assert len(said) == 4
    assert "a second; 50 messages waiting; 100 accepted" in said[1]
    assert "a second; 0 messages waiting; 150 accepted" in said[2]


def test_a_store_that_is_away(runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Ends with 3, without a traceback.
    """

    def away(*_: Any, **__: Any) -> Any:
        raise StorageUnavailableError("the database is away")

    for name in ("deliver_batch", "backlog", "reconcile"):
        monkeypatch.setattr(type(host.manager), name, away)
    for arguments in (["worker", "--once"], ["outbox"], ["reconcile"]):
        said = runner.invoke(optly, arguments)
        assert said.exit_code == 3, arguments
        assert "Error: the database is away" in said.output


def test_help_is_whole() -> None:
    """
    As a process, where every warning is an error.
    """
    for name in ("worker", "outbox", "reconcile"):
        done = run(name, "--help")
        assert (0, "") == (done.returncode, done.stderr)
        assert "Examples:" in done.stdout
