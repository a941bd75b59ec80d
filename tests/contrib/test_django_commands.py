"""
What ``manage.py`` can do.
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from contrib import django_site
from contrib.django_site import Shop
from django.core.management import call_command, get_commands, load_command_class
from django.core.management.base import CommandError
from world import EMAIL, PHONE

from optly import Channel, Solicited
from optly.backends import MemoryBackend
from optly.evidence import verify
from optly.messages import Outcome, Receipt
from optly.rules import Reason
from optly.storage import MemoryStorage

COMMANDS = sorted(name for name, app in get_commands().items() if app == "optly.contrib.django")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened(UNMARKED="refuse") as shop:
        yield shop


def run(name: str, *args: str, **options: Any) -> tuple[int, str, str]:
    """
    Run a command as from a shell, and return its exit code and what it wrote.
    """
    out, err = StringIO(), StringIO()
    try:
        call_command(name, *args, stdout=out, stderr=err, no_color=True, **options)
        code = 0
    except SystemExit as exit:
        code = int(exit.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return code, out.getvalue(), err.getvalue()


def ask(shop: Shop) -> str:
    """
    Queue a question to Ada, and return her id.
    """
    ada = shop.add()
    shop.manager.request_consent(
        ada,
        via=Channel.EMAIL,
        channels=[Channel.EMAIL],
        purposes=["offers"],
        basis=Solicited(how="form", at=shop.clock()),
    )
    return ada.id


def test_the_commands_are_there_and_say_what_they_do() -> None:
    """
    Each under the name of the library.
    """
    assert [
        "optly_check",
        "optly_deliver",
        "optly_evidence",
        "optly_import_objections",
        "optly_outbox",
        "optly_reconcile",
        "optly_verify",
        "optly_worker",
    ] == COMMANDS
    for name in COMMANDS:
        command = load_command_class("optly.contrib.django", name)
        assert command.help in " ".join(command.create_parser("manage.py", name).format_help().split())


def test_what_is_due_is_handed_over(shop: Shop) -> None:
    """
    And counted.
    """
    ask(shop)
    assert (0, "queued: 1\n", "") == run("optly_outbox")
    assert (0, "1 accepted\n", "") == run("optly_deliver", "--limit", "1")
    assert (0, "nothing was due\n", "") == run("optly_deliver")
    assert (0, "accepted: 1\n", "") == run("optly_outbox")
    with pytest.raises(CommandError, match="above 0"):
        call_command("optly_deliver", "--limit", "0")


def test_what_is_in_doubt_is_settled() -> None:
    """
    By somebody who knows, where nobody else can tell.
    """
    doubtful = MemoryBackend(channel=Channel.EMAIL, outcomes=[Receipt(outcome=Outcome.IN_DOUBT, reply="lost")] * 2)
    with django_site.opened(BACKENDS=[doubtful]) as shop:
        assert (0, "nothing is in doubt\n", "") == run("optly_reconcile")
        ada = ask(shop)
        assert (0, "1 in doubt\n", "") == run("optly_deliver")
        code, out, _ = run("optly_reconcile")
        assert 1 == code
        assert "nobody can tell" in out
        message = out.split()[2]
        assert (0, "it is queued again\n", "") == run("optly_reconcile", "--not-sent", ada, message)
        run("optly_deliver")
        assert (0, "it counts as accepted\n", "") == run("optly_reconcile", "--sent", ada, message)
        assert 1 == run("optly_reconcile", "--sent", ada, message)[0]
        assert 2 == run("optly_reconcile", "--sent", "nonsense", message)[0]
        assert (0, "nothing is in doubt\n", "") == run("optly_reconcile")


def test_the_gate_answers_and_the_exit_code_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    0 for yes, 1 for no, and 2 for what cannot be asked.
    """
    shop.agreed()
    asked = ("--channel", "email", "--purpose", "offers")
    code, out, _ = run("optly_check", EMAIL, *asked)
    assert (0, "allowed: email, offers.") == (code, out[:23])
    code, out, _ = run("optly_check", "nobody@example.com", *asked, "--json")
    assert (1, False, Reason.NOT_ON_RECORD) == (code, json.loads(out)["allowed"], json.loads(out)["reason"])
    monkeypatch.setattr(sys, "stdin", StringIO(f"{EMAIL}\n"))
    assert 0 == run("optly_check", "-", *asked)[0]
    assert 1 == run("optly_check", EMAIL, *asked, "--at", "2026-11-24T11:00:00+00:00")[0]
    code, out, err = run("optly_check", "nonsense", *asked)
    assert (2, "") == (code, out)
    assert "nonsense" not in err
    assert 2 == run("optly_check", EMAIL, "--channel", "email", "--purpose", "offerings")[0]
    with pytest.raises(CommandError, match="offset from UTC"):
        call_command("optly_check", EMAIL, *asked, "--at", "2026-11-24")


def test_the_record_is_verified(tmp_path: Path) -> None:
    """
    Also against a head that was kept, and found damaged where it is.
    """
    url = f"sqlite:///{tmp_path / 'optly.db'}"
    with django_site.opened(STORAGE=url) as shop:
        shop.agreed()
        kept = tmp_path / "checkpoint"
        checkpoint = shop.manager.seal()
        assert checkpoint is not None
        kept.write_text(checkpoint.note)
        code, out, _ = run("optly_verify", "--checkpoint", str(kept))
        assert (0, True) == (code, out.endswith("verified\n"))
        assert 2 == run("optly_verify", "--checkpoint", str(tmp_path / "none"))[0]
        with closing(sqlite3.connect(tmp_path / "optly.db")) as connection:
            connection.execute("DELETE FROM optly_events WHERE seq = 2")
            connection.commit()
        code, out, _ = run("optly_verify")
        assert 1 == code
        assert "verified\n" not in out


def test_the_evidence_is_written(shop: Shop, tmp_path: Path) -> None:
    """
    To a new file that nobody else can read, or to standard output.
    """
    ada = shop.agreed()
    for who in (ada.id, EMAIL, PHONE):
        code, out, _ = run("optly_evidence", who)
        assert 0 == code
        assert verify(out.encode(), public_keys=shop.manager.public_keys)
    file = tmp_path / "evidence.html"
    assert 0 == run("optly_evidence", EMAIL, "--html", "--output", str(file), verbosity=0)[0]
    assert "on her account page" in file.read_text()
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    before = file.read_text()
    assert 2 == run("optly_evidence", EMAIL, "--output", str(file))[0]
    assert before == file.read_text()
    assert 2 == run("optly_evidence", "nobody@example.com")[0]


def test_a_list_of_objections_is_taken_over(shop: Shop, tmp_path: Path) -> None:
    """
    With the lines that are no addresses named, and the same again when it is repeated.
    """
    ada = shop.agreed()
    file = tmp_path / "stops.txt"
    file.write_text(f"\ufeff{EMAIL}\n\nnot an address\nnew@example.com\n", encoding="utf-8")
    args = (str(file), "--how", "the old system", "--at", "2026-11-24T12:00:00+00:00")
    expected = "recorded: 2; not an address: 1\nline 3 is no address\n"
    code, out, err = run("optly_import_objections", *args)
    assert (1, expected) == (code, out)
    assert "--at 2026-11-24T12:00:00+00:00" in err
    assert Reason.OBJECTED == shop.manager.check(EMAIL, Channel.EMAIL, "offers").reason
    assert Reason.OBJECTED == shop.manager.check("new@example.com", Channel.EMAIL, "offers").reason
    before = shop.manager.history(ada)
    assert (1, expected, "") == run("optly_import_objections", *args, verbosity=0)
    assert before == shop.manager.history(ada)


def test_a_list_that_cannot_be_read_is_said_to_be_so(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    A file that is not there, and one in another encoding. Standard input is read as well.
    """
    assert 2 == run("optly_import_objections", str(tmp_path / "none"), "--how", "x")[0]
    file = tmp_path / "latin.txt"
    file.write_bytes("zoë@example.com\n".encode("latin-1"))
    assert 2 == run("optly_import_objections", str(file), "--how", "x")[0]
    monkeypatch.setattr(sys, "stdin", StringIO(f"{PHONE}\n"))
    assert 0 == run("optly_import_objections", "-", "--channel", "sms", "--how", "x")[0]
    assert not shop.manager.check(PHONE, Channel.SMS, "offers")


def test_a_store_that_is_away_has_an_exit_code_of_its_own() -> None:
    """
    So that a timer can tell it from a wrong call.
    """
    with django_site.opened(STORAGE="postgresql+psycopg://nobody@127.0.0.1:9/none"):
        assert 3 == run("optly_outbox")[0]
    with django_site.opened(STORAGE=MemoryStorage(), KEYS="short"):
        assert 2 == run("optly_outbox", skip_checks=True)[0]


WORKER = """
import sys
from contrib import django_site
from django.core.management import call_command
with django_site.opened(STORAGE=sys.argv[1], CLOCK=None):
    call_command("optly_worker", "--idle", "0.05")
"""


@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_a_worker_goes_on_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """
    It ends with exit code 0, and has handed over what came in the meantime.
    """
    url = f"sqlite:///{tmp_path / 'optly.db'}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, url], stderr=subprocess.PIPE, text=True, env=environment)
    try:
        assert worker.stderr is not None
        assert "worker ready\n" == worker.stderr.readline()
        with django_site.opened(STORAGE=url, CLOCK="optly._operations.setup.system_clock") as shop:
            ada = shop.add()
            shop.manager.request_consent(
                ada,
                via=Channel.EMAIL,
                channels=[Channel.EMAIL],
                purposes=["offers"],
                basis=Solicited(how="form", at=shop.manager.clock()),
            )
            end = time.monotonic() + 20
            while "accepted" not in run("optly_outbox")[1]:
                assert time.monotonic() < end
                time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert "worker stopped; 1 accepted" in worker.stderr.read()
        assert 0 == worker.wait(20)
    finally:
        worker.kill()
        worker.communicate()
