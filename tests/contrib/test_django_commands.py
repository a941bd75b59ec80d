"""
``manage.py optly``, and the older names of its commands.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
from contrib import django_site
from contrib.django_site import Shop
from django.core.management import ManagementUtility, call_command, get_commands
from django.core.management.base import CommandError
from django.db import connection
from world import EMAIL, PHONE

from optly import Channel, Solicited
from optly.backends import MemoryBackend
from optly.cli._commands import WITH_MANAGER
from optly.evidence import verify
from optly.messages import Outcome, Receipt
from optly.rules import Reason
from optly.storage import MemoryStorage

ASKED = ("--channel", "email", "--purpose", "offers")
ALIASES = ("check", "deliver", "evidence", "import_objections", "outbox", "reconcile", "verify", "worker")


@pytest.fixture
def shop() -> Iterator[Shop]:
    with django_site.opened(UNMARKED="refuse") as shop:
        yield shop


def run(*args: str, command: str = "optly", **options: Any) -> tuple[int, str, str]:
    """
    Run a command through `call_command`, and return its exit code and what it wrote.
    """
    out, err = StringIO(), StringIO()
    try:
        call_command(command, *args, stdout=out, stderr=err, no_color=True, **options)
        code = 0
    except SystemExit as exit:
        code = int(exit.code or 0)
    except CommandError as error:
        code = error.returncode
        err.write(str(error))
    return code, out.getvalue(), err.getvalue()


def manage(capsys: pytest.CaptureFixture[str], *args: str) -> tuple[int, str, str]:
    """
    Run ``manage.py`` with arguments as from a shell, and return its exit code and what it wrote.
    """
    code = 0
    try:
        ManagementUtility(["manage.py", *args]).execute()
    except SystemExit as exit:
        code = int(exit.code or 0)
    written = capsys.readouterr()
    return code, written.out, written.err


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(text.encode())))


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


# ---- the commands


def test_every_command_that_works_with_a_manager_is_there(shop: Shop) -> None:
    """
    Without an option for the manager, and with examples for this command line.
    """
    names = {name for name, app in get_commands().items() if app == "optly.contrib.django"}
    assert {"optly", *(f"optly_{name}" for name in ALIASES)} == names
    code, out, _ = run()
    assert 0 == code
    assert all(f"\n  {name} " in out for name in WITH_MANAGER)
    assert "keys" not in out
    code, out, _ = run("worker", "--help")
    assert "manage.py optly worker --once" in out
    assert "--app" not in out
    assert 2 == run("demo")[0]


def test_the_gate_answers_and_the_exit_code_too(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    0 for yes, 1 for no, and 2 for what cannot be asked. The JSON is that of ``optly check``.
    """
    shop.agreed()
    code, out, _ = run("check", EMAIL, *ASKED)
    assert (0, True) == (code, "This email may be sent." in out)
    code, out, _ = run("check", "nobody@example.com", *ASKED, "--json")
    found = json.loads(out)
    assert (1, False, Reason.NOT_ON_RECORD, None) == (code, found["allowed"], found["reason"], found["contact"])
    assert 23 == len(found)
    type_in(monkeypatch, f"{EMAIL}\n")
    assert 0 == run("check", "-", *ASKED)[0]
    assert 1 == run("check", EMAIL, *ASKED, "--at", "2026-11-24T11:00:00+00:00")[0]
    code, out, err = run("check", "nonsense", *ASKED)
    assert (2, "") == (code, out)
    assert "nonsense" not in err
    assert 2 == run("check", EMAIL, "--channel", "email", "--purpose", "offerings")[0]
    with pytest.raises(CommandError, match="offset from UTC"):
        call_command("optly", "check", EMAIL, *ASKED, "--at", "2026-11-24")


def test_messages_are_sent_and_doubts_settled() -> None:
    """
    By someone who knows, where nothing else can settle them.
    """
    doubtful = MemoryBackend(channel=Channel.EMAIL, outcomes=[Receipt(outcome=Outcome.IN_DOUBT, reply="lost")] * 2)
    with django_site.opened(BACKENDS=[doubtful]) as shop:
        assert 0 == run("reconcile")[0]
        ada = ask(shop)
        assert 1 == json.loads(run("outbox", "--json")[1])["queued"]
        assert (0, "1 in doubt\n", "") == run("deliver", "--limit", "1")
        code, out, _ = run("reconcile", "--json")
        assert 1 == code
        (doubt,) = json.loads(out)
        assert ("unknown", ada) == (doubt["finding"], doubt["contact"])
        assert 0 == run("reconcile", "--not-sent", ada, doubt["message"])[0]
        assert (0, "1 in doubt\n", "") == run("deliver")
        assert (0, "nothing was due\n", "") == run("deliver")
        assert 0 == run("reconcile", "--sent", ada, doubt["message"])[0]
        assert 1 == run("reconcile", "--sent", ada, doubt["message"])[0]
        assert 2 == run("reconcile", "--sent", "nonsense", doubt["message"])[0]
        assert 1 == json.loads(run("outbox", "--json")[1])["accepted"]


def test_the_record_is_verified_and_the_evidence_written(shop: Shop) -> None:
    """
    To the stream that was given, so that a test can read it.
    """
    ada = shop.agreed()
    assert 0 == run("verify")[0]
    for who in (ada.id, EMAIL, PHONE):
        code, out, _ = run("evidence", who)
        assert 0 == code
        assert verify(out.encode(), public_keys=shop.manager.public_keys)
    assert 2 == run("evidence", "nobody@example.com")[0]


def test_a_list_of_objections_is_imported(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Silently with ``--verbosity 0``.
    """
    for verbosity, hint in ((1, True), (0, False)):
        type_in(monkeypatch, f"{EMAIL}\nnot an address\n")
        code, out, err = run("import-objections", "-", "--how", "the old system", verbosity=verbosity)
        assert (1, hint) == (code, "to resume" in err)
        assert "line 2" in out
    assert Reason.OBJECTED == shop.manager.check(EMAIL, Channel.EMAIL, "offers").reason


# ---- Django's own options, streams and errors


@pytest.mark.parametrize("before", [True, False])
def test_djangos_own_options_may_be_anywhere(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    """
    They are not passed to the command, and its own options are not mistaken for them.
    """
    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", "absent")
    own = ("--settings=absent", "--pythonpath", ".", "--no-color", "--skip-checks", "-v", "0")
    asked = ("check", EMAIL, "--channel", "email", "--no-promotional", "--purpose", "offers", "--json")
    code, out, err = manage(capsys, "optly", *((*own, *asked) if before else (*asked, *own)))
    assert (1, "") == (code, err)
    assert "not_on_record" == json.loads(out)["reason"]
    assert "absent" == os.environ["DJANGO_SETTINGS_MODULE"]
    assert "NO_COLOR" not in os.environ


def test_help_is_that_of_the_commands(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """
    In each of the ways to ask for it, even where the setting cannot work.
    """
    with django_site.opened(KEYS="short"):
        for args in (["optly", "--help"], ["optly", "-h"], ["help", "optly"], ["optly"]):
            code, out, _ = manage(capsys, *args)
            assert (0, True) == (code, "import-objections" in out), args
        code, out, _ = manage(capsys, "optly", "check", "--help")
        assert (0, True) == (code, "Usage: manage.py optly check" in out)
        assert "Usage: manage.py optly check" in manage(capsys, "help", "optly_check")[1]


def test_errors_are_those_of_django(shop: Shop, capsys: pytest.CaptureFixture[str]) -> None:
    """
    One line with the exit code of the command, or the traceback that was asked for.
    """
    code, out, err = manage(capsys, "optly", "check", EMAIL, "--channel", "pigeon", "--purpose", "offers")
    assert (2, "", True) == (code, out, err.startswith("CommandError: Invalid value for '--channel'"))
    with pytest.raises(CommandError):
        manage(capsys, "optly", "check", EMAIL, *ASKED[:2], "--traceback")
    with django_site.opened(STORAGE="postgresql+psycopg://nobody@127.0.0.1:9/none"):
        assert 3 == run("outbox")[0]
    with django_site.opened(STORAGE=MemoryStorage(), KEYS="short"):
        assert 2 == run("outbox", skip_checks=True)[0]
        assert 2 == manage(capsys, "optly", "outbox")[0]


def test_an_email_is_kept_by_the_mail_system_when_the_setting_cannot_work(
    shop: Shop, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    With exit code 75. System checks have another, so they are not run.
    """
    with django_site.opened(KEYS="short"):
        type_in(monkeypatch, "Subject: stop\n\n")
        assert 75 == manage(capsys, "optly", "receive-mail")[0]


def test_a_worker_closes_connections_as_a_request_does(shop: Shop) -> None:
    """
    After each batch, so that a receiver of a signal does not keep a connection the database has dropped.
    """
    connection.ensure_connection()
    connection.close_at = 0
    assert 0 == run("worker", "--once", "--quiet")[0]
    assert connection.connection is None


def test_without_the_extra_it_says_what_to_install() -> None:
    """
    Rather than that there is no such module.
    """
    script = """
import sys
from contrib import django_site
sys.modules["rich.console"] = None
from django.core.management import call_command
call_command("optly", "outbox")
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.stderr.splitlines()[-1].endswith(
        "CommandError: manage.py optly needs more than the library alone: pip install 'optly[cli]'"
    )


# ---- the older names


@pytest.mark.parametrize("name", ALIASES)
def test_the_older_names_say_what_replaces_them(name: str) -> None:
    """
    Each runs the command with the same options.
    """
    code, out, err = run("--help", command=f"optly_{name}")
    replacement = f"manage.py optly {name.replace('_', '-')}"
    assert (0, f"This command is deprecated. Use: {replacement}\n") == (code, err)
    assert f"Usage: {replacement}" in out


def test_an_older_name_does_what_it_did(shop: Shop) -> None:
    """
    Exit codes included, and without the hint with ``--verbosity 0``.
    """
    shop.agreed()
    assert 0 == run(EMAIL, *ASKED, command="optly_check")[0]
    assert 1 == run("nobody@example.com", *ASKED, command="optly_check")[0]
    assert (0, "nothing was due\n", "") == run("--limit", "1", command="optly_deliver", verbosity=0)


WORKER = """
import sys
from contrib import django_site
from django.core.management import call_command
with django_site.opened(STORAGE=sys.argv[1], CLOCK=None):
    call_command("optly", "worker", "--idle", "0.05")
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are others there")
def test_a_worker_runs_until_it_is_stopped(tmp_path: Path) -> None:
    """
    It ends with exit code 0, and has sent what came in the meantime.
    """
    url = f"sqlite:///{tmp_path / 'optly.db'}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONUNBUFFERED": "1"}
    worker = subprocess.Popen([sys.executable, "-c", WORKER, url], stdout=subprocess.PIPE, text=True, env=environment)
    try:
        assert worker.stdout is not None
        assert "worker ready; 0 messages waiting\n" == worker.stdout.readline()
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
            while not json.loads(run("outbox", "--json")[1])["accepted"]:
                assert time.monotonic() < end
                time.sleep(0.05)
        worker.send_signal(signal.SIGTERM)
        assert "worker stopped; 1 accepted" in worker.stdout.read()
        assert 0 == worker.wait(20)
    finally:
        worker.kill()
        worker.communicate()
