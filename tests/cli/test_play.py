"""
The demo without a person: it ends well when everything holds, and under the name of the step that does not.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any

import attrs
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from cli.process import run
from click.testing import CliRunner

from optly import ConsentManager
from optly.cli._commands import optly
from optly.cli._terminal import Terminal
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact
from optly.demo import acme as acme_module
from optly.demo import play as play_module
from optly.demo.acme import ADA_EMAIL, Acme, opened
from optly.demo.mail import Inbox
from optly.demo.play import StepFailedError, play
from optly.demo.web import Handle
from optly.errors import NotPermittedError
from optly.evidence import verify
from optly.protocols.http import Request, Response
from optly.record.ledger import Finding, Problem, Verification
from optly.rules import Decision, Solicited
from optly.storage import SQLStorage

pytestmark = pytest.mark.server


def test_once_ends_well() -> None:
    """
    As a command, with every warning an error: each step is reported, and the exit code is 0. The store is a new one.
    """
    result = run("demo", "--once")

    assert (result.returncode, result.stderr) == (0, "a new, empty database was set up\n")
    *steps, last = [line for line in result.stdout.splitlines() if not line.startswith(" ")]
    assert last.startswith(f"All {len(steps)} steps passed")
    assert [sabotage.step for sabotage in EACH_STEP] == [line[2:20].strip() for line in steps]


def test_colours_are_for_terminals() -> None:
    """
    A pipe gets no escape codes, and anyone who wants no colours gets none anywhere.
    """
    assert "\x1b" not in run("demo", "--once").stdout
    assert "\x1b[1;32m" in run("demo", "--once", FORCE_COLOR="1", TERM="xterm-256color").stdout
    assert "\x1b[1;32m" not in run("demo", "--once", FORCE_COLOR="1", TERM="xterm-256color", NO_COLOR="1").stdout


def test_it_can_be_said_in_ascii() -> None:
    """
    A terminal that knows only ASCII gets signs it can show.
    """
    result = run("demo", "--once", PYTHONIOENCODING="ascii:backslashreplace")

    assert result.returncode == 0
    assert result.stdout.startswith("+ not asked cold")


def test_what_is_kept_can_be_verified_and_opened_again(runner: CliRunner, tmp_path: Path) -> None:
    """
    With a directory, the evidence and the database stay, and the key is for its owner alone.
    """
    kept = tmp_path / "new" / "place"
    assert runner.invoke(optly, ["demo", "--once", "--directory", str(kept)]).exit_code == 0

    assert sorted(file.name for file in kept.iterdir()) == ["evidence.html", "evidence.json", "key.txt", "optly.db"]
    assert (kept / "key.txt").stat().st_mode & 0o777 == 0o600
    assert runner.invoke(optly, ["verify-evidence", str(kept / "evidence.json")]).exit_code == 0
    store = SQLStorage(f"sqlite:///{kept / 'optly.db'}")
    assert len(list(store.subjects("acme"))) == 2
    store.close()


def test_a_directory_that_is_in_use_is_left_alone(runner: CliRunner, tmp_path: Path) -> None:
    """
    A directory with anything in it is wrong usage, and so is a file; nothing is written.
    """
    file = tmp_path / "something"
    file.write_text("else")

    for place in (tmp_path, file, file / "below"):
        assert runner.invoke(optly, ["demo", "--once", "--directory", str(place)]).exit_code == 2
    assert [found.name for found in tmp_path.iterdir()] == ["something"]


# ---- every step really looks


class Instead:
    """
    A manager of which some methods do something else.
    """

    def __init__(self, manager: Any, methods: dict[str, Callable[..., Any]]) -> None:
        self._manager = manager
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        if name in self._methods:
            return lambda *args, **kwargs: self._methods[name](self._manager, *args, **kwargs)
        return getattr(self._manager, name)


def _as_it_is(handle: Handle) -> Handle:
    return handle


@attrs.frozen
class Sabotage:
    """
    Something that is made to go wrong, and the step that has to find it.
    """

    step: str
    inbox: Callable[[], Inbox] = Inbox
    around: Callable[[Handle], Handle] = _as_it_is
    methods: dict[str, Callable[..., Any]] = attrs.field(factory=dict)


class Refusing(Inbox):
    """
    Refuses every email from the given one on.
    """

    def __init__(self, first: int) -> None:
        super().__init__()
        self._first = first

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if len(self.emails) + 1 >= self._first:
            return "550 5.7.1 not here"
        return await super().handle_DATA(server, session, envelope)


class Losing(Inbox):
    """
    Confirms an email and loses it.
    """

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "250 2.0.0 Ok: taken"


class Changing(Inbox):
    """
    Takes something out of every email.
    """

    def __init__(self, old: bytes, new: bytes) -> None:
        super().__init__()
        self._change = old, new

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        envelope.original_content = (envelope.original_content or b"").replace(*self._change)
        return await super().handle_DATA(server, session, envelope)


def on(
    method: str, path: str, do: Callable[[Handle, Request], Response], *, after: int = 0
) -> Callable[[Handle], Handle]:
    """
    Have requests for *path* answered otherwise, once so many were answered as they should be.
    """

    def around(handle: Handle) -> Handle:
        count = 0

        def changed(request: Request) -> Response:
            nonlocal count
            if request.method != method or not request.path.startswith(path):
                return handle(request)
            count += 1
            return handle(request) if count <= after else do(handle, request)

        return changed

    return around


def stops_everything(handle: Handle, request: Request) -> Response:
    """
    Do what no GET and no answered question may do: change the record. Show the page as if nothing were.
    """
    shown = handle(attrs.evolve(request, method="GET", body=b""))
    form = (("content-type", "application/x-www-form-urlencoded"),)
    handle(attrs.evolve(request, method="POST", path=f"{request.path}/stop", headers=form, body=b""))
    return shown


def answers(status: HTTPStatus) -> Callable[[Handle, Request], Response]:
    """
    Answer with *status* and do nothing.
    """
    return lambda _handle, _request: Response(status=status, headers=(("content-length", "0"),), body=b"")


def ticks_everything(handle: Handle, request: Request) -> Response:
    """
    Tick the boxes.
    """
    shown = handle(request)
    body = shown.body.replace(b'type="radio"', b'type="radio" checked')
    headers = tuple((name, str(len(body)) if name == "content-length" else value) for name, value in shown.headers)
    return attrs.evolve(shown, body=body, headers=headers)


def asks_cold(manager: Any, contact: Contact, *, basis: Solicited | None = None, **asked: Any) -> Any:
    return manager.request_consent(contact, basis=basis or Solicited(how="", at=datetime.now(UTC)), **asked)


def asks_at_once(manager: Any, contact: Contact, **asked: Any) -> Any:
    question = manager.request_consent(contact, **asked)
    manager.deliver()
    return question


def opens_the_gate(*channels: Channel, to: Callable[[object], bool] = lambda _who: True, after: int = 0) -> Any:
    """
    Allow what is not allowed on these channels, once it was asked about them so many times.
    """
    count = 0

    def check(manager: Any, who: Any, channel: Channel, purpose: str) -> Decision:
        nonlocal count
        decision: Decision = manager.check(who, channel, purpose)
        if channel not in channels or not to(who):
            return decision
        count += 1
        return attrs.evolve(decision, allowed=True) if count > after else decision

    return check


def is_an_address(who: object) -> bool:
    return isinstance(who, str)


def shuts_the_gate(manager: ConsentManager, *who: Any) -> Decision:
    return attrs.evolve(manager.check(*who), allowed=False)


def sends_anyway(manager: Any, *what: Any) -> str:
    try:
        return str(manager.send(*what))
    except NotPermittedError:
        return "0" * 32


def forges(manager: Any, contact: Contact) -> Any:
    return attrs.evolve(manager.evidence(contact), organisation_name="Another organisation")


def finds_damage(manager: Any, **_: Any) -> Verification:
    return Verification(problems=(Problem(Finding.ALTERED, "", None, "damaged"),), events=1)


def forgets_to_erase(manager: Any, contact: Contact) -> None:
    return None


# In the order of the steps.
EACH_STEP = [
    Sabotage("not asked cold", methods={"request_consent": asks_cold}),
    Sabotage("asked", methods={"request_consent": asks_at_once}),
    Sabotage("delivered", inbox=lambda: Refusing(1)),
    Sabotage("opened", around=on("GET", "/l/", stops_everything)),
    Sabotage("answered", around=on("POST", "/l/", lambda handle, it: handle(attrs.evolve(it, method="GET")))),
    Sabotage("email allowed", methods={"check": shuts_the_gate}),
    Sabotage("text refused", methods={"check": opens_the_gate(Channel.SMS)}),
    Sabotage("replayed", around=on("POST", "/l/", answers(HTTPStatus.OK), after=1)),
    Sabotage("code sent", inbox=lambda: Refusing(3)),
    Sabotage("details shown", around=on("GET", "/me/history", answers(HTTPStatus.OK))),
    Sabotage("offer delivered", inbox=lambda: Refusing(4)),
    Sabotage("stopped", around=on("POST", "/u/", answers(HTTPStatus.FORBIDDEN))),
    Sabotage("email refused", around=on("POST", "/u/", answers(HTTPStatus.OK))),
    Sabotage("notice delivered", inbox=lambda: Refusing(5)),
    Sabotage("stop undone", around=on("POST", "/l/", answers(HTTPStatus.FORBIDDEN), after=3)),
    Sabotage("all stopped", around=on("POST", "/l/", answers(HTTPStatus.FORBIDDEN), after=4)),
    Sabotage("offer refused", methods={"send": sends_anyway}),
    Sabotage("replayed again", around=on("POST", "/l/", answers(HTTPStatus.OK), after=5)),
    Sabotage("evidence verified", methods={"evidence": forges}),
    Sabotage("tampering found"),
    Sabotage("erased", methods={"erase": forgets_to_erase}),
    Sabotage("still refused", methods={"check": opens_the_gate(Channel.EMAIL, to=is_an_address)}),
    Sabotage("ledger verified", methods={"verify": finds_damage}),
]
MORE = [
    Sabotage("delivered", inbox=Losing),
    Sabotage("delivered", inbox=lambda: Changing(b"/my/l/", b"/my/x/")),
    Sabotage("delivered", inbox=lambda: Changing(b"To: ada@", b"To: bob@")),
    Sabotage("opened", around=on("HEAD", "/l/", stops_everything)),
    Sabotage("opened", around=on("GET", "/l/", answers(HTTPStatus.NOT_FOUND))),
    Sabotage("opened", around=on("GET", "/l/", answers(HTTPStatus.OK))),
    Sabotage("opened", around=on("GET", "/l/", ticks_everything)),
    Sabotage("opened", methods={"check": opens_the_gate(Channel.EMAIL)}),
    Sabotage("answered", around=on("POST", "/l/", answers(HTTPStatus.SERVICE_UNAVAILABLE))),
    Sabotage("answered", inbox=lambda: Refusing(2)),
    Sabotage("replayed", around=on("POST", "/l/", stops_everything, after=1)),
    Sabotage("offer delivered", inbox=lambda: Changing(b"List-Unsubscribe-Post", b"X-Nothing")),
    Sabotage("replayed again", around=on("POST", "/l/", stops_everything, after=5)),
    Sabotage("code sent", around=on("GET", "/l/", answers(HTTPStatus.NOT_FOUND), after=2)),
    Sabotage("stop undone", methods={"check": opens_the_gate(Channel.EMAIL, after=3)}),
    Sabotage("stop undone", methods={"check": opens_the_gate(Channel.SMS, after=2)}),
    Sabotage("all stopped", methods={"check": opens_the_gate(Channel.EMAIL, after=5)}),
    Sabotage("details shown", around=on("POST", "/me/code", answers(HTTPStatus.FORBIDDEN))),
    Sabotage("details shown", around=on("GET", "/me/details", answers(HTTPStatus.OK))),
]


@pytest.mark.parametrize("sabotage", [*EACH_STEP, *MORE], ids=lambda sabotage: sabotage.step)
def test_a_step_that_does_not_hold_is_named(
    tmp_path: Path, sabotage: Sabotage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """
    Whatever goes wrong, the step that promised otherwise fails under its own name.
    """
    if sabotage.inbox is Losing:
        monkeypatch.setattr(play_module, "_SECONDS", 0.01)
    if sabotage.step == "tampering found":
        real = verify
        monkeypatch.setattr(play_module, "verify", lambda *of, **by: attrs.evolve(real(*of, **by), problems=()))
    with opened(tmp_path, inbox=sabotage.inbox(), around=sabotage.around) as acme:
        instead: Any = Instead(acme.manager, sabotage.methods)
        acme = attrs.evolve(acme, manager=instead)
        with pytest.raises(StepFailedError) as failed:
            play(acme, Terminal(), keep=False)

    assert sabotage.step == failed.value.step


def test_the_command_names_the_step_that_failed(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With a mail server that refuses, the command says which step it was and ends with exit code 1.
    """
    monkeypatch.setattr(acme_module, "Inbox", lambda: Refusing(1))
    result = runner.invoke(optly, ["demo", "--once"])

    assert result.exit_code == 1
    assert result.output.splitlines()[-1][2:].startswith("delivered ")
    assert "steps passed" not in result.output


def test_a_text_in_the_database_is_found(acme: Acme) -> None:
    """
    Whether an address is in the files of the database is seen by reading them.
    """
    assert [acme.holds(ADA_EMAIL), acme.holds("bob@example.com")] == [True, False]
