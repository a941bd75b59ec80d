"""
Asking a list from the command line.
"""

from __future__ import annotations

import csv
import json
import os
import pty
import random
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cli.asked_host import opened
from cli.process import COMMAND
from click.testing import CliRunner, Result
from processes import environment, wait_for
from world import EMAIL, PHONE, World

from optly import Channel, Contact, Subscriber
from optly.cli._commands import optly
from optly.errors import StorageUnavailableError
from optly.protocols import MessageState

WINTER = ("--campaign", "winter", "--via", "email", "--channel", "email", "--purpose", "offers")


def ask(runner: CliRunner, list_: Path | str, *arguments: object, **settings: Any) -> Result:
    return runner.invoke(optly, ["ask", str(list_), *WINTER, *map(str, arguments)], **settings)


def written(directory: Path, content: str | bytes, name: str = "list.csv") -> Path:
    file = directory / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def companies(host: World, count: int) -> list[Contact]:
    return [
        host.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
        for number in range(count)
    ]


def rows(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", errors="surrogateescape", newline="") as opened:
        return list(csv.reader(opened))


def not_asked(result: Result) -> dict[str, int]:
    values: dict[str, int] = json.loads(result.stdout)["not_asked"]
    return values


# ---- who is asked


def test_a_list_is_asked_and_asked_no_second_time(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    What came of it is told. Another campaign asks again.
    """
    companies(host, 3)
    file = written(tmp_path, "p0@example.com\np1@example.com\np2@example.com\n")
    first, second = ask(runner, file), ask(runner, file)
    assert [(0, ""), (0, "")] == [(first.exit_code, first.stderr), (second.exit_code, second.stderr)]
    assert "3 contacts. A worker sends the questions." in " ".join(first.stdout.split())
    assert "0 contacts." in second.stdout
    assert "3 contacts, in an earlier run of this campaign." in " ".join(second.stdout.split())
    assert host.manager.backlog() == {MessageState.QUEUED: 3}
    third = ask(runner, file, "--campaign", "spring", "--json")
    assert {"asked": 3, "before": 0, "not_asked": {}, "malformed_lines": []} == json.loads(third.stdout)


@pytest.mark.parametrize(
    ("content", "asked"),
    [
        ("{id}\n", 1),
        ("{ID}\r\n", 1),
        ("ada@example.com", 1),
        ("\ufeffADA@example.com\n", 1),
        ("07911 123456\n", 1),
        ("+44 7911 123456\n", 1),
        ("\n\n  \nada@example.com\n\n", 1),
        ("ada@example.com,,\n", 1),
        ("email\nada@example.com\n", 1),
        ("\ufeffName, E-Mail ,Phone\nAda,x,07911 123456\n", 1),
        ('name,EMAIL,phone\n"Lovelace, Ada", ada@example.com ,\n', 1),
        ("contact,email\n{id},somebody.else@example.com\n", 1),
        ("contact,email,phone\n,,07911123456\n", 1),
        ("phone,email\n07700 000000,ada@example.com\n", 1),
        ('name,email\n"Ada\nLovelace",ada@example.com\n', 1),
        ("email\n", 0),
    ],
)
def test_people_are_named_in_many_ways(
    runner: CliRunner, host: World, tmp_path: Path, content: str, asked: int
) -> None:
    """
    By id, address or number, alone in a line or in a column that the first row names, among others or not.
    """
    ada = host.add(subscriber=Subscriber.COMPANY)
    file = written(tmp_path, content.format(id=ada.id, ID=ada.id.upper()))
    result = ask(runner, file, "--json")
    assert (0, "") == (result.exit_code, result.stderr)
    assert {"asked": asked, "before": 0, "not_asked": {}, "malformed_lines": []} == json.loads(result.stdout)
    assert host.manager.backlog().get(MessageState.QUEUED, 0) == asked


def test_a_list_is_read_from_standard_input(runner: CliRunner, host: World) -> None:
    """
    Written as a dash.
    """
    companies(host, 2)
    result = ask(runner, "-", "--json", input="email\np0@example.com\np1@example.com\n")
    assert json.loads(result.stdout)["asked"] == 2


def test_the_question_is_as_the_options_say(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Through which channel, about what, because of what wish, until when, and in which language.
    """
    ada = host.add(subscriber=Subscriber.INDIVIDUAL)
    file = written(tmp_path, PHONE)
    asked_for = ["--solicited-how", "fair in Leeds", "--solicited-at", "2026-11-24T10:00:00+00:00"]
    more = ["--via", "sms", "--channel", "sms", "--purpose", "news", "--expires-within", "7.5", "--language", "cy"]
    assert ask(runner, file, *asked_for, *more).exit_code == 0
    (question,) = host.manager.standing(ada).questions
    assert question.via is Channel.SMS
    assert {(c.channel, c.purpose) for c in question.choices} == {
        (channel, purpose) for channel in (Channel.EMAIL, Channel.SMS) for purpose in ("offers", "news")
    }
    assert question.expires_at == datetime(2026, 12, 2, 23, 59, 59, 999999, UTC)
    assert question.solicited_at == host.clock() - timedelta(hours=2)


def test_a_reminder_is_planned(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Beside the question, for as many days later.
    """
    companies(host, 1)
    assert ask(runner, written(tmp_path, "p0@example.com"), "--remind-after", "10").exit_code == 0
    due = [letter.due_at for letter in host.manager.outbox_messages(MessageState.QUEUED)]
    assert [host.clock(), host.clock() + timedelta(days=10)] == due


# ---- who is not


def test_whoever_is_not_asked_is_told_with_the_reason(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    The row as it was given, where it was, a code and a sentence; and everybody else is asked.
    """
    companies(host, 2)
    stopped = host.manager.add_contact(email="stopped@example.com", subscriber=Subscriber.COMPANY)
    host.manager.record_objection(stopped)
    host.manager.add_contact(email="person@example.com", subscriber=Subscriber.INDIVIDUAL)
    texts_only = host.manager.add_contact(phone=PHONE, subscriber=Subscriber.COMPANY)
    file = written(
        tmp_path,
        "name,email,contact\n"
        "A,p0@example.com\n"
        "B,stopped@example.com\n"
        "C,person@example.com\n"
        f"D,,{texts_only.id}\n"
        f"E,,{'0' * 32}\n"
        '"F, Ltd",nobody@example.com\n'
        "G,P0@EXAMPLE.COM\n"
        "H,no address\n"
        "I\n"
        "J,p1@example.com,,too,much\n"
        "K,p1@example.com\n",
    )
    refused = tmp_path / "refused.csv"
    result = ask(runner, file, "--refused", refused)
    assert result.exit_code == 1
    told = sorted(((int(row[0]), row[1], row[3:]) for row in rows(refused)[1:]), key=lambda row: row[0])
    assert ["line", "reason", "explanation", "name", "email", "contact"] == rows(refused)[0]
    assert [
        (3, "objected", ["B", "stopped@example.com"]),
        (4, "no_consent", ["C", "person@example.com"]),
        (5, "missing_line", ["D", "", texts_only.id]),
        (6, "not_on_record", ["E", "", "0" * 32]),
        (7, "not_on_record", ["F, Ltd", "nobody@example.com"]),
        (8, "listed_twice", ["G", "P0@EXAMPLE.COM"]),
        (9, "malformed", ["H", "no address"]),
        (10, "malformed", ["I"]),
        (11, "malformed", ["J", "p1@example.com", "", "too", "much"]),
    ] == told
    assert all(row[2].endswith(".") for row in rows(refused)[1:])
    assert host.manager.backlog() == {MessageState.QUEUED: 2}
    said = " ".join(result.stdout.split())
    assert "2 contacts. A worker" in said
    assert "malformed 3 rows. The row cannot be read. lines 9, 10, 11" in said
    assert "objected 1 row. The company or body objected to marketing" in said
    for hidden in ("example.com", PHONE, "Ltd"):
        assert hidden not in result.output.replace("refused.csv", "")
    counted = ask(runner, file, "--json")
    assert sum(not_asked(counted).values()) == 9
    assert json.loads(counted.stdout)["malformed_lines"] == [9, 10, 11]


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"nobody at all\np0@example.com\n", [1]),
        (b'p0@example.com\n\n"p1@example.com"x\n', [3]),
        (b"name,email\nA,p0@example.com\nB,\xff\xfe@example.com\n", [3]),
        (b'email,name\np0@example.com,"A\nB"\nx,C\n', [4]),
        (b"p0@example.com\n@\n123\n" + b"9" * 100_000 + b"\n0\n", [2, 3, 4, 5]),
        (b'p0@example.com\n"never closed\np1@example.com\n', [2]),
        (b"p0@example.com\n\x00\n\x1b[31m\n", [2, 3]),
    ],
)
def test_rows_that_cannot_be_read_are_told_by_their_line(
    runner: CliRunner, host: World, tmp_path: Path, content: bytes, lines: Sequence[int]
) -> None:
    """
    Whatever is wrong with them. The others are asked, and the exit code says that something was passed over.
    """
    companies(host, 2)
    result = ask(runner, written(tmp_path, content), "--json", "--refused", tmp_path / "refused.csv")
    assert (1, "") == (result.exit_code, result.stderr)
    found = json.loads(result.stdout)
    assert (1, lines) == (found["asked"], found["malformed_lines"])
    assert lines == [int(row[0]) for row in rows(tmp_path / "refused.csv")[1:]]


def test_a_row_that_goes_on_and_on_is_malformed(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Longer than the library takes; and what comes after it is read.
    """
    companies(host, 1)
    result = ask(runner, written(tmp_path, b"9" * 200_000 + b"\np0@example.com\n"), "--json")
    assert {"asked": 1, "before": 0, "not_asked": {"malformed": 1}, "malformed_lines": [1]} == json.loads(result.stdout)


def test_what_is_not_utf_8_is_written_as_it_was_given(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Byte for byte, so that the row can be found again.
    """
    file = written(tmp_path, b"name,email\nJos\xe9,jose@example.com\n")
    ask(runner, file, "--refused", tmp_path / "refused.csv")
    assert b"Jos\xe9,jose@example.com\r\n" in (tmp_path / "refused.csv").read_bytes()


def test_what_is_ambiguous_stops_nobody_else(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    An address that several contacts have, and a contact with several addresses.
    """
    companies(host, 1)
    for name in ("Ann", "Bob"):
        host.manager.add_contact(name=name, email="info@example.com", subscriber=Subscriber.COMPANY)
    two = host.manager.add_contact(name="Cat", email="cat@example.com", subscriber=Subscriber.COMPANY)
    host.manager.add_line(two, email="kitten@example.com")
    file = written(tmp_path, "email\ninfo@example.com\ncat@example.com\np0@example.com\n")
    result = ask(runner, file, "--json")
    assert {"several_contacts": 1, "several_lines": 1} == not_asked(result)
    assert 1 == json.loads(result.stdout)["asked"]


def test_nobody_is_added(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Who is not on record stays so.
    """
    result = ask(runner, written(tmp_path, EMAIL), "--json")
    assert {"not_on_record": 1} == not_asked(result)
    assert host.manager.find(EMAIL) is None


def test_who_may_read_the_file_of_the_refused(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Its owner alone: it holds addresses.
    """
    refused = tmp_path / "refused.csv"
    ask(runner, written(tmp_path, EMAIL), "--refused", refused)
    assert refused.stat().st_mode & 0o777 == 0o600


def test_what_was_corrected_in_the_file_of_the_refused_can_be_asked(
    runner: CliRunner, host: World, tmp_path: Path
) -> None:
    """
    It is a list itself, whether the first one named its columns or not.
    """
    companies(host, 2)
    refused = tmp_path / "refused.csv"
    for content in ("name,email\nA,p0@example\n", "p1@example\n"):
        ask(runner, written(tmp_path, content), "--refused", refused)
        corrected = written(tmp_path, refused.read_text().replace("@example", "@example.com"), "corrected.csv")
        assert json.loads(ask(runner, corrected, "--json").stdout)["asked"] == 1


def test_a_long_list_is_counted_over_all_of_it(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Though it is asked in pieces. A piece that ends where the list does is no matter, nor who is in two of them.
    """
    companies(host, 2000)
    people = [f"p{number}@example.com" for number in range(2000)]
    first = ask(runner, written(tmp_path, "\n".join(people)), "--json")
    assert {"asked": 2000, "before": 0, "not_asked": {}, "malformed_lines": []} == json.loads(first.stdout)
    again = ask(runner, written(tmp_path, "\n".join(["nobody@example.com", *people, people[0]])), "--json")
    assert json.loads(again.stdout)["before"] == 2000
    assert {"not_on_record": 1, "listed_twice": 1} == not_asked(again)


def test_off_a_terminal_a_line_now_and_then_says_how_far_it_is(
    runner: CliRunner, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    On standard error. How much of it that is, is said where it is known.
    """
    companies(host, 2)
    monkeypatch.setattr("optly.cli._lists.REPORT_EVERY", 0)
    content = "p0@example.com\np1@example.com\nnobody\n"
    of_file = ask(runner, written(tmp_path, content), "--json")
    assert [f"{rows} so far, 100% of the list" for rows in ("1 row", "2 rows", "3 rows")] == (
        of_file.stderr.splitlines()
    )
    of_input = ask(runner, "-", "--json", input=content)
    assert ["1 row so far", "2 rows so far", "3 rows so far"] == of_input.stderr.splitlines()


# ---- what is wrong


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["--solicited-how", "fair"], "go together"),
        (["--solicited-at", "2026-11-24T10:00:00+00:00"], "go together"),
        (["--solicited-how", "fair", "--solicited-at", "2026-11-24"], "offset from UTC"),
        (["--remind-after", "0"], "--remind-after"),
        (["--remind-after", "30"], "a reminder must come after the question and before the question expires"),
        (["--expires-within", "nan"], "a number of days"),
        (["--expires-within", "inf"], "a number of days"),
        (["--remind-after", "3651"], "a number of days"),
        (["--remind-after", "soon"], "a number of days"),
        (["--purpose", "absent"], "no such purpose"),
        (["--via", "post"], "no message backend serves post"),
        (["--campaign", " "], "a campaign needs a name"),
        (["--refused", "/absent/refused.csv"], "cannot be written"),
        (["--refused", "list.csv"], "this is the list itself"),
    ],
)
def test_wrong_usage_asks_nobody(
    runner: CliRunner, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], why: str
) -> None:
    """
    It ends with 2, and says why in a line.
    """
    companies(host, 1)
    file = written(tmp_path, "p0@example.com")
    monkeypatch.chdir(tmp_path)
    result = ask(runner, file, *arguments)
    assert (2, "") == (result.exit_code, result.stdout)
    assert why in " ".join(result.stderr.split())
    assert host.manager.backlog() == {}
    assert file.read_text() == "p0@example.com"


def test_columns_that_are_not_named_are_wrong_usage(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Nothing is guessed about them, and the row is not repeated.
    """
    result = ask(runner, written(tmp_path, "Ada,ada@example.com\n"))
    assert result.exit_code == 2
    assert "the first row must name the columns" in " ".join(result.stderr.split())
    assert "ada" not in result.stderr.lower()


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "the file is empty"),
        (b"\n \n,,\n", "the file is empty"),
        ("email\nada@example.com\n".encode("utf-16"), "this is not UTF-8 text"),
        (b"Pr\xe9nom,email\nAda,ada@example.com\n", "this is not UTF-8 text"),
        (b"name;email\nAda;ada@example.com\n", "the first row must name the columns, separated by commas"),
        (b"name\temail\nAda\tada@example.com\n", "the first row must name the columns, separated by commas"),
    ],
)
def test_what_is_no_list_is_wrong_usage(
    runner: CliRunner, host: World, tmp_path: Path, content: bytes, why: str
) -> None:
    """
    It is told in a line. An earlier file of those who were refused stays as it was.
    """
    refused = written(tmp_path, "from another day", "refused.csv")
    result = ask(runner, written(tmp_path, content), "--refused", refused)
    assert (2, "") == (result.exit_code, result.stdout)
    assert why in " ".join(result.stderr.split())
    assert refused.read_text() == "from another day"


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_list_that_cannot_be_opened_is_wrong_usage(runner: CliRunner, host: World, tmp_path: Path, name: str) -> None:
    """
    None of that name, or a directory.
    """
    assert ask(runner, tmp_path / name).exit_code == 2


def test_a_store_that_is_away_is_no_verdict(
    runner: CliRunner, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Exit code 3, and one line.
    """

    def away(*_: Any, **__: Any) -> Any:
        raise StorageUnavailableError("the database is away")

    monkeypatch.setattr(type(host.manager), "find", away)
    result = ask(runner, written(tmp_path, EMAIL))
    assert (3, "", "Error: the database is away\n") == (result.exit_code, result.stdout, result.stderr)


# ---- as a process


PEOPLE = 3000


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    A database with three thousand companies on record.
    """
    path = tmp_path_factory.mktemp("people") / "optly.db"
    manager = opened(f"sqlite:///{path}")
    for number in range(PEOPLE):
        manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
    manager.close()
    assert [path] == list(path.parent.iterdir())  # there is no log beside it any more
    return path


@pytest.fixture
def started(tmp_path: Path, people: Path) -> dict[str, str]:
    """
    The environment of a process that asks three thousand companies.
    """
    url = f"sqlite:///{shutil.copy(people, tmp_path)}"
    written(tmp_path, "email\n" + "".join(f"p{number}@example.com\n" for number in range(PEOPLE)))
    return environment(DATABASE=url, OPTLY_APP="cli.asked_host:manager")


@pytest.mark.slow
def test_a_run_that_is_killed_again_and_again_asks_nobody_twice(tmp_path: Path, started: dict[str, str]) -> None:
    """
    At random points, in the middle of the list. In the end everybody is asked once, and the record verifies.
    """
    command = [*COMMAND, "ask", str(tmp_path / "list.csv"), *WINTER, "--json"]
    chance = random.Random()
    manager = opened(started["DATABASE"])
    killed = reached = 0
    while reached < PEOPLE // 3:
        with subprocess.Popen(command, env=started, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and manager.backlog().get(MessageState.QUEUED, 0) <= reached:
                time.sleep(0.01)
            time.sleep(chance.random() * 0.02)
            process.kill()
        assert process.returncode == -signal.SIGKILL
        killed, reached = killed + 1, manager.backlog()[MessageState.QUEUED]
    assert killed >= 3
    assert reached < PEOPLE
    done = subprocess.run(command, env=started, capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    assert (PEOPLE, reached, {}) == (found["asked"] + found["before"], found["before"], found["not_asked"])
    assert manager.backlog() == {MessageState.QUEUED: PEOPLE}
    assert manager.deliver().accepted == PEOPLE
    for number in range(0, PEOPLE, 50):
        contact = manager.find(f"p{number}@example.com")
        assert contact is not None
        assert len(manager.standing(contact).questions) == 1
    assert manager.verify()
    manager.close()


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_broken_off_says_how_to_go_on(
    tmp_path: Path, started: dict[str, str], number: signal.Signals
) -> None:
    """
    In a line. The file of those who were refused is that of an earlier run, and no piece of this one is left.
    """
    list_ = tmp_path / "list.csv"
    refused = written(tmp_path, "from another day", "refused.csv")
    command = [*COMMAND, "ask", str(list_), *WINTER, "--refused", str(refused)]
    manager = opened(started["DATABASE"])
    with subprocess.Popen(
        command,
        env=started,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs in the background has its children ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_for(lambda: process.poll() is not None or manager.backlog())
        assert list(tmp_path.glob(".refused.csv.*.part"))
        process.send_signal(number)
        out, error = process.communicate(timeout=60)
    assert (1, "") == (process.returncode, out)
    assert re.fullmatch(
        r"Error: interrupted after asking [\d,]+ contacts: run it again with the same --campaign to resume\n",
        error,
    ), error
    assert refused.read_text() == "from another day"
    assert list(tmp_path.glob(".refused.csv.*")) == []
    reached = manager.backlog()[MessageState.QUEUED]
    assert 0 < reached < PEOPLE
    done = subprocess.run([*command, "--json"], env=started, capture_output=True, check=True, text=True)
    found = json.loads(done.stdout)
    assert (PEOPLE - reached, reached) == (found["asked"], found["before"])
    assert [["line", "reason", "explanation", "email"]] == rows(refused)
    assert manager.verify()
    manager.close()


@pytest.mark.slow
def test_on_a_terminal_it_shows_how_far_it_is(tmp_path: Path, started: dict[str, str]) -> None:
    """
    And takes that away in the end; what came of it stands alone on standard output.
    """
    mine, theirs = pty.openpty()
    with subprocess.Popen(
        [*COMMAND, "ask", str(tmp_path / "list.csv"), *WINTER, "--json"],
        env={**started, "TERM": "xterm", "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
    ) as process:
        os.close(theirs)
        shown = b""
        try:
            while more := os.read(mine, 65536):
                shown += more
        except OSError:  # the other side has been closed
            pass
        assert process.stdout is not None
        found = json.loads(process.stdout.read())
    os.close(mine)
    assert (0, PEOPLE) == (process.returncode, found["asked"])
    assert b"rows so far" in shown
    assert b"%" in shown
    assert b"example.com" not in shown
