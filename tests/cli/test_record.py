"""
``optly deliver``, ``optly evidence``, ``optly import-objections`` and ``optly verify``.
"""

from __future__ import annotations

import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from world import EMAIL, PHONE, World, world

from optly import Channel, Subscriber
from optly.cli._commands import optly
from optly.evidence import verify
from optly.rules import Reason
from optly.storage import SQLStorage

AT = "2026-11-24T12:00:00+00:00"


def said(result: Result) -> str:
    """
    Return what was printed, with its lines joined.
    """
    return " ".join(result.stdout.split())


# ---- deliver


def test_what_is_due_is_sent_and_counted(runner: CliRunner, host: World) -> None:
    """
    As many messages as the limit allows.
    """
    for number in range(3):
        contact = host.manager.add_contact(email=f"p{number}@example.com", subscriber=Subscriber.COMPANY)
        host.manager.request_consent(contact, via="email", channels=["email"], purposes=["offers"])
    outputs = [runner.invoke(optly, ["deliver", *limit]).output for limit in (["--limit", "2"], [], [])]
    assert ["2 accepted\n", "1 accepted\n", "nothing was due\n"] == outputs
    assert runner.invoke(optly, ["deliver", "--limit", "0"]).exit_code == 2


# ---- evidence


@pytest.mark.parametrize("who", [EMAIL, PHONE, f"{PHONE[:3]} {PHONE[3:]}", "-", "id", "ID"])
def test_evidence_is_found_by_id_and_by_address(runner: CliRunner, host: World, who: str) -> None:
    """
    The pack can be verified. An address from standard input appears in no process list.
    """
    ada = host.add()
    host.agreed(ada)
    name = {"id": ada.id, "ID": ada.id.upper()}.get(who, who)
    result = runner.invoke(optly, ["evidence", *name.split()], input=f"{EMAIL}\n")
    assert result.exit_code == 0
    assert verify(result.stdout.encode(), public_keys=host.manager.public_keys)


def test_evidence_is_written_to_a_new_file_for_its_owner_only(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    An existing file is not replaced.
    """
    host.agreed(host.add())
    file = tmp_path / "evidence.html"
    arguments = ["evidence", EMAIL, "--html", "--output", str(file)]
    result = runner.invoke(optly, arguments)
    assert (0, "") == (result.exit_code, result.output)
    assert "<html" in file.read_text()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    before = file.read_text()
    assert runner.invoke(optly, arguments).exit_code == 2
    assert before == file.read_text()


@pytest.mark.parametrize(
    "arguments", [["nobody@example.com"], ["nonsense"], ["ada@example"], [], [EMAIL, "--channel", "sms"]]
)
def test_an_address_without_a_contact_is_wrong_usage(runner: CliRunner, host: World, arguments: list[str]) -> None:
    """
    It is not repeated in the error.
    """
    host.agreed(host.add())
    result = runner.invoke(optly, ["evidence", *arguments])
    assert (2, "") == (result.exit_code, result.stdout)
    assert result.stderr
    assert not any(argument in result.stderr for argument in arguments[:1])


# ---- import-objections


def test_a_list_of_objections_is_imported(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    Malformed lines are reported by number. Importing it again with the same time changes nothing.
    """
    ada = host.add()
    host.agreed(ada)
    file = tmp_path / "stops.txt"
    file.write_text(f"\ufeff{EMAIL}\n\nnot an address\nnew@example.com\n", encoding="utf-8")
    arguments = ["import-objections", str(file), "--how", "the old system", "--at", AT]
    first = runner.invoke(optly, arguments)
    assert 1 == first.exit_code
    assert "recorded 2 objections." in said(first)
    assert "malformed 1 line without a valid address. line 3" in said(first)
    assert f"to resume if interrupted: --at {AT}\n" == first.stderr
    for address in (EMAIL, "new@example.com"):
        assert Reason.OBJECTED == host.manager.check(address, Channel.EMAIL, "offers").reason
    before = host.manager.history(ada)
    again = runner.invoke(optly, [*arguments, "--quiet", "--json"])
    assert (1, "") == (again.exit_code, again.stderr)
    assert {"recorded": 2, "malformed_lines": [3], "damaged_lines": []} == json.loads(again.stdout)
    assert before == host.manager.history(ada)


def test_the_progress_of_a_long_list_is_shown(runner: CliRunner, host: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    On standard error, by number of lines.
    """
    monkeypatch.setattr("optly.cli.import_objections._REPORT_EVERY", 2)
    lines = "".join(f"p{number}@example.com\n" for number in range(5))
    result = runner.invoke(optly, ["import-objections", "-", "--how", "fair", "--at", AT], input=lines)
    assert 0 == result.exit_code
    assert ["2 lines so far", "4 lines so far"] == result.stderr.splitlines()[1:]


def test_numbers_can_be_imported_too(runner: CliRunner, host: World) -> None:
    """
    The objection covers every channel.
    """
    host.agreed(host.add())
    arguments = ["import-objections", "-", "--channel", "sms", "--how", "fair"]
    assert 0 == runner.invoke(optly, arguments, input=f"{PHONE}\n").exit_code
    assert [Reason.OBJECTED] * 2 == [
        host.manager.check(address, channel, "offers").reason
        for address, channel in ((PHONE, Channel.SMS), (EMAIL, Channel.EMAIL))
    ]


def test_a_list_stops_those_whom_nobody_could_add(runner: CliRunner, host: World) -> None:
    """
    Whatever another system took is stopped; a line that cannot be read at all is named.
    """
    numbers = ["+4537112709", "07999 000000", "Ada <ada@example.com>", "12", "tel:+254-135-429940"]
    addresses = ["ada..b@docomo.ne.jp", "root@localhost", "Bo <bo@example.com>", "@example.com", "ada@example.invalid,"]
    for channel, listed, good in ((Channel.SMS, numbers, (0, 1, 4)), (Channel.EMAIL, addresses, (0, 1, 2, 4))):
        arguments = ["import-objections", "-", "--channel", channel.value, "--how", "fair", "--at", AT, "--json"]
        result = runner.invoke(optly, arguments, input="\n".join(listed))
        bad = [line for line in range(1, 6) if line - 1 not in good]
        assert {"recorded": len(good), "malformed_lines": bad, "damaged_lines": []} == json.loads(result.stdout)
        assert 1 == result.exit_code
        assert {Reason.OBJECTED} == {host.manager.check(listed[n], channel, "offers").reason for n in good}


def test_a_list_that_cannot_be_read_is_wrong_usage(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    A missing file, another encoding, or a list without its source.
    """
    latin = tmp_path / "latin.txt"
    latin.write_bytes("zoë@example.com\n".encode("latin-1"))
    for arguments in ([str(tmp_path / "none"), "--how", "x"], [str(latin), "--how", "x"], ["-"]):
        assert 2 == runner.invoke(optly, ["import-objections", *arguments]).exit_code


# ---- verify


def test_the_record_is_verified(runner: CliRunner, host: World, tmp_path: Path) -> None:
    """
    By itself and against a checkpoint, which must be of the same log.
    """
    other = world()
    for each in (host, other):
        each.agreed(each.add())
    heads = []
    for name, each in (("own", host), ("other", other)):
        head = each.manager.seal()
        assert head is not None
        (tmp_path / name).write_text(head.note)
        heads.append(str(tmp_path / name))
    assert "verified" in runner.invoke(optly, ["verify"]).output
    results = [runner.invoke(optly, ["verify", "--checkpoint", head, "--json"]) for head in heads]
    assert [0, 1] == [result.exit_code for result in results]
    assert [True, False] == [json.loads(result.stdout)["verified"] for result in results]
    assert 2 == runner.invoke(optly, ["verify", "--checkpoint", str(tmp_path / "none")]).exit_code


def test_a_damaged_record_is_reported(
    runner: CliRunner, host: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    The exit code is 1.
    """
    damaged = world(SQLStorage(f"sqlite:///{tmp_path / 'optly.db'}"))
    damaged.agreed(damaged.add())
    damaged.manager.seal()
    with closing(sqlite3.connect(tmp_path / "optly.db")) as connection:
        connection.execute("DELETE FROM optly_events WHERE seq = 2")
        connection.commit()
    monkeypatch.setattr("acme_host.manager", damaged.manager)
    result = runner.invoke(optly, ["verify"])
    assert 1 == result.exit_code
    assert "✗" in result.output
    assert "Nothing was altered" not in result.output
