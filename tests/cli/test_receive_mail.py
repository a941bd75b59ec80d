"""
Mail that comes back, taken from standard input.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import attrs
import pytest
from cli.asked_host import opened
from cli.process import COMMAND
from click.testing import CliRunner, Result
from processes import environment
from world import EMAIL, KEYS, World

from optly import Channel, Contact, Subscriber
from optly.backends.verp import ReturnPath
from optly.cli._commands import optly
from optly.errors import DamagedError, StorageUnavailableError
from optly.protocols import MessageState
from optly.rules import Reason

PATH = ReturnPath("bounces@acme.example.com", KEYS)
REPLY = f"""\
From: Ada Lovelace <{EMAIL}>
To: hello@acme.example.com
Message-ID: <1@example.com>

Stop please.
"""
BOUNCE = f"""\
Return-Path: <>
From: MAILER-DAEMON@mx.example.net
To: {{to}}
Content-Type: multipart/report; report-type=delivery-status; boundary=x

--x
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net

Final-Recipient: rfc822; {EMAIL}
Action: failed
Status: 5.1.1
Diagnostic-Code: smtp; 550 5.1.1 no such user

--x--
"""


@attrs.frozen
class Sent:
    """
    A question that went out.
    """

    contact: Contact
    message: str

    @property
    def return_path(self) -> str:
        return PATH.address_for(self.contact.id, self.message)


def take(runner: CliRunner, mail: str | bytes, *arguments: str) -> Result:
    return runner.invoke(optly, ["receive-mail", *arguments], input=mail)


@pytest.fixture
def sent(host: World) -> Sent:
    """
    A question to Ada's company, by a backend that gives every message a return path of its own.
    """
    host.emails.return_path = PATH  # type: ignore[attr-defined]
    contact = host.add(subscriber=Subscriber.COMPANY)
    host.manager.request_consent(contact, via="email", channels=["email"], purposes=["offers"])
    host.manager.deliver()
    return Sent(contact, host.emails.outbox[-1].id)


def reason(host: World) -> Reason:
    return host.manager.check(EMAIL, Channel.EMAIL, "offers").reason


def test_a_bounce_takes_the_line_out_of_use(runner: CliRunner, host: World, sent: Sent) -> None:
    """
    Known by the return path that it came to. A line says what it led to, and a second copy of it changes nothing.
    """
    assert reason(host) is Reason.CORPORATE_SUBSCRIBER
    bounce = BOUNCE.format(to=sent.return_path)
    first = take(runner, bounce)
    events = len(host.manager.history(sent.contact))
    again = take(runner, bounce)
    assert [(0, "1 event: 1 recorded\n"), (0, "1 event: 1 repeated\n")] == [
        (first.exit_code, first.output),
        (again.exit_code, again.output),
    ]
    assert reason(host) is Reason.UNDELIVERABLE
    assert len(host.manager.history(sent.contact)) == events


def test_the_address_it_came_to_may_be_told(runner: CliRunner, host: World, sent: Sent) -> None:
    """
    By the mail system, which knows it when no header does.
    """
    bounce = BOUNCE.format(to="undisclosed-recipients:;")
    assert take(runner, bounce).exit_code == 0
    assert reason(host) is Reason.CORPORATE_SUBSCRIBER
    assert take(runner, bounce, "--recipient", sent.return_path).exit_code == 0
    assert reason(host) is Reason.UNDELIVERABLE


def test_a_reply_that_says_stop_is_an_objection(runner: CliRunner, host: World) -> None:
    """
    Whatever backend there is.
    """
    host.agreed(host.add())
    result = take(runner, REPLY)
    assert (0, "1 event: 1 stopped\n") == (result.exit_code, result.output)
    assert reason(host) is Reason.OBJECTED


def test_a_bounce_of_several_people_is_one_line(runner: CliRunner, host: World, sent: Sent) -> None:
    """
    With how many of them led to what.
    """
    more = "Final-Recipient: rfc822; office@example.com\nAction: delayed\nStatus: 4.4.1\n\n--x--"
    result = take(runner, BOUNCE.format(to=sent.return_path).replace("--x--", more))
    assert (0, "2 events: 1 recorded, 1 noted\n") == (result.exit_code, result.output)


def test_a_machine_that_answers_says_nothing(runner: CliRunner, host: World) -> None:
    """
    But a stop that it sends for a person is one.
    """
    host.agreed(host.add())
    away = REPLY.replace("\n\n", "\n\nI am away until Monday.\n\n> ")
    result = take(runner, f"Auto-Submitted: auto-replied\n{away}")
    assert (0, "1 event: 1 noted\n") == (result.exit_code, result.output)
    assert host.allowed()
    result = take(runner, f"Auto-Submitted: auto-replied\n{REPLY}")
    assert (0, "1 event: 1 stopped\n") == (result.exit_code, result.output)
    assert not host.allowed()


def test_of_a_long_mail_the_beginning_is_taken(runner: CliRunner, host: World) -> None:
    """
    And all of it is read, so that nothing breaks in the hands of the mail system. A second copy is known for one.
    """
    host.agreed(host.add())
    head, body = REPLY.replace("Message-ID: <1@example.com>\n", "").split("\n\n")
    long = f"{head}\n\n{body}\nOn Tuesday, Acme wrote:\n" + "> and so on\n" * 200_000
    assert take(runner, long).output == "1 event: 1 stopped\n"
    assert take(runner, f"{long}\nanother end\n").output == "1 event: 1 repeated\n"
    assert reason(host) is Reason.OBJECTED


@pytest.mark.parametrize("mail", ["", "\n", b"\xff\x00\xfe" * 1000, b"\r" * 2_000_000, "Subject: hello\n\nhello\n"])
def test_what_says_nothing_is_taken(runner: CliRunner, host: World, mail: str | bytes) -> None:
    """
    Else the mail system would bring it again and again.
    """
    host.agreed(host.add())
    result = take(runner, mail)
    assert (0, "0 events\n") == (result.exit_code, result.stdout)
    assert host.allowed()


def test_a_forged_bounce_does_nothing(runner: CliRunner, host: World, sent: Sent) -> None:
    """
    To a return path that was signed with another key.
    """
    forged = ReturnPath("bounces@acme.example.com", attrs.evolve(KEYS, current="another key that is only for tests"))
    to = forged.address_for(sent.contact.id, sent.message)
    assert take(runner, BOUNCE.format(to=to)).exit_code == 0
    assert reason(host) is Reason.CORPORATE_SUBSCRIBER


# ---- when it cannot be taken


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (StorageUnavailableError("the database is away"), "the database is away"),
        (DamagedError("a record is damaged"), "a record is damaged"),
        (RuntimeError(f"something about {EMAIL}"), "the email cannot be processed now: RuntimeError"),
    ],
)
def test_a_mail_that_cannot_be_taken_is_to_come_again(
    runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch, error: Exception, why: str
) -> None:
    """
    Whatever the reason: a mail system would send it back for any other exit code, and the stop would be lost.
    """

    def fails(*_: Any) -> Any:
        raise error

    host.agreed(host.add())
    with monkeypatch.context() as patched:
        patched.setattr(type(host.manager), "receive", fails)
        result = take(runner, REPLY)
    assert (75, "", f"Error: {why}\n") == (result.exit_code, result.stdout, result.stderr)
    assert host.allowed()
    assert take(runner, REPLY).exit_code == 0
    assert reason(host) is Reason.OBJECTED


@pytest.mark.parametrize(
    "arguments", [["--app", "absent:manager"], ["--app", "acme_host:nothing"], ["--nonsense"], ["more"]]
)
def test_so_is_one_for_a_command_that_is_called_wrongly(runner: CliRunner, host: World, arguments: list[str]) -> None:
    """
    While an application is being replaced, say. In one line.
    """
    result = take(runner, REPLY, *arguments)
    assert (75, "", 1) == (result.exit_code, result.stdout, result.stderr.count("\n"))


def test_help_is_whole(runner: CliRunner) -> None:
    """
    And is no failure.
    """
    result = take(runner, "", "--help")
    assert (0, "") == (result.exit_code, result.stderr)
    assert "Examples:" in result.stdout


# ---- as a process


@pytest.mark.slow
def test_two_processes_take_the_same_mail_at_once(tmp_path: Path) -> None:
    """
    As when a mail system is impatient: it is on record once, and each says that all is well.
    """
    url = f"sqlite:///{tmp_path}/optly.db"
    manager = opened(url)
    contact = manager.add_contact(email=EMAIL, subscriber=Subscriber.COMPANY)
    manager.request_consent(contact, via="email", channels=["email"], purposes=["offers"])
    before = len(manager.history(contact))
    processes = [
        subprocess.Popen(
            [*COMMAND, "receive-mail"],
            env=environment(DATABASE=url, OPTLY_APP="cli.asked_host:manager"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(4)
    ]
    said = [process.communicate(REPLY, timeout=60)[0] for process in processes]
    assert [0] * 4 == [process.returncode for process in processes]
    assert [*["1 event: 1 repeated\n"] * 3, "1 event: 1 stopped\n"] == sorted(said)
    assert manager.check(EMAIL, Channel.EMAIL, "offers").reason is Reason.OBJECTED
    assert len(manager.history(contact)) == before + 1
    manager.deliver()
    assert manager.backlog() == {MessageState.WITHHELD: 1}
    assert manager.verify()
    manager.close()
