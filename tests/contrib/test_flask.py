"""
Optly inside of Flask, beside the extensions that people put around their views.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from flask import Flask, abort, current_app, g, render_template_string
from flask_talisman import Talisman
from flask_wtf.csrf import CSRFProtect
from werkzeug.middleware.proxy_fix import ProxyFix
from world import ACME, EMAIL, EMAIL_OFFERS, KEYS, PURPOSES, World, world

from optly import Act, Channel, ConsentManager, Contact, Unsound, Wording
from optly.contrib.flask import (
    FlaskOptly,
    consent_given,
    consent_refused,
    consent_withdrawn,
    contact_details_changed,
    current_manager,
    send_signals,
)
from optly.errors import AmbiguousLineError, ConfigurationError, StorageUnavailableError
from optly.evidence import verify
from optly.storage import MemoryStorage
from optly.testing.messages import code_in

PARTS: dict[str, Any] = {
    "OPTLY_ORGANISATION": ACME,
    "OPTLY_PURPOSES": PURPOSES,
    "OPTLY_KEYS": KEYS,
    "OPTLY_BASE_URL": "https://acme.example.com/my",
}


def host(w: World | None = None, **config: Any) -> Flask:
    """
    Make an application with one page of its own.
    """
    app = Flask("host")
    app.config.update(SECRET_KEY="a secret of the host's own", **config)
    if w is not None:
        app.config["OPTLY_MANAGER"] = w.manager
    app.add_url_rule("/", "index", lambda: "the shop", methods=["GET", "POST"])
    FlaskOptly(app)
    return app


# ---- beside other extensions


def test_the_csrf_check_of_the_host_is_for_its_own_forms() -> None:
    """
    It turns away a form without its token, and does not see the forms of the pages, nor the button of a mail program.
    """
    w = world()
    app = host(w)
    CSRFProtect(app)
    client, code = app.test_client(), code_in(w.ask(w.add()))
    token = w.manager.unsubscribe_headers(w.add())["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    assert client.post("/").status_code == 400
    assert client.post(f"/my/l/{code}", data={"email-offers": "no"}).status_code in (200, 303)
    w.later()
    assert client.post(f"/my/u/{token}", data={"List-Unsubscribe": "One-Click"}).status_code == 200


def test_other_headers_are_for_the_pages_of_the_host() -> None:
    """
    Those that Talisman sets do not take the place of ours, and its redirect does not stand in the way.
    """
    w = world()
    app = host(w)
    Talisman(app, content_security_policy="default-src *", referrer_policy="unsafe-url")
    client = app.test_client()
    theirs, ours = client.get("/", base_url="https://acme.example.com"), client.get("/my/help")
    assert theirs.headers["Content-Security-Policy"] == "default-src *"
    assert (ours.status_code, ours.headers.get_all("X-Frame-Options")) == (200, ["DENY"])
    assert ours.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert ours.headers["Referrer-Policy"] != "unsafe-url"


def test_a_log_in_is_for_the_pages_of_the_host() -> None:
    """
    Nobody has to have an account to stop something.
    """
    app = host(world())
    app.before_request(lambda: abort(401))
    client = app.test_client()
    assert [client.get(path).status_code for path in ("/", "/my/help")] == [401, 200]


@pytest.mark.parametrize("before", [True, False])
def test_a_proxy_that_is_trusted_says_who_it_was(before: bool) -> None:
    """
    Whether it is put around the application before Optly is added, or after.
    """
    w = world()
    app = Flask("host")
    app.config.update(OPTLY_MANAGER=w.manager, OPTLY_PORTAL={"keep_context": True})

    def trust() -> None:
        app.wsgi_app = ProxyFix(ProxyFix(app.wsgi_app, x_proto=1), x_for=1)  # type: ignore[method-assign]

    steps: list[Callable[[], object]] = [trust, lambda: FlaskOptly(app)]
    for step in steps if before else reversed(steps):
        step()
    ada = w.add()
    code = code_in(w.ask(ada))
    w.later(timedelta(minutes=5))
    app.test_client().post(f"/my/l/{code}", data={"email-offers": "no"}, headers={"X-Forwarded-For": "198.51.100.7"})
    kept = [value for event in w.manager.history(ada) for value in event.personal.values()]
    assert any("198.51.100.7" in str(value) for value in kept)


# ---- settings


def test_the_parts_make_a_manager() -> None:
    """
    Each setting is an argument of it, and no setting is left out of account.
    """
    app = host(OPTLY_STORAGE=MemoryStorage(), OPTLY_RECEIPTS=False, **PARTS)
    with app.app_context():
        assert current_manager.organisation == ACME
        assert current_manager.receipts is False


def test_two_applications_have_nothing_in_common() -> None:
    """
    One extension, two managers, and each at a place of its own.
    """
    one, two = world(base_url="https://one.example.com/my"), world(base_url="https://two.example.com/choices")
    optly = FlaskOptly()
    apps = []
    for w in (one, two):
        app = Flask("host")
        app.config["OPTLY_MANAGER"] = w.manager
        optly.init_app(app)
        apps.append(app)
    for app, w, path in zip(apps, (one, two), ("/my", "/choices"), strict=True):
        with app.app_context():
            assert optly.manager is w.manager
        found = [app.test_client().get(f"{mount}/help").status_code for mount in ("/my", "/choices")]
        assert found == [200 if mount == path else 404 for mount in ("/my", "/choices")]


def test_a_function_is_called_once_and_when_it_is_needed() -> None:
    """
    A host whose database is away can still start, if it says where the pages are.
    """
    w, calls = world(), 0

    def manager() -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise StorageUnavailableError("the database is away")
        return w.manager

    client = host(OPTLY_MANAGER=manager, OPTLY_MOUNT="/my").test_client()
    assert (client.get("/").status_code, calls) == (200, 0)
    with pytest.raises(StorageUnavailableError):
        client.get("/my/help")
    assert [client.get("/my/help").status_code for _ in range(2)] == [200, 200]
    assert calls == 2


def test_a_function_says_where_the_pages_are() -> None:
    """
    Where the settings do not, it is called at once.
    """
    w, made = world(base_url="https://acme.example.com/choices"), list[int]()

    def manager() -> ConsentManager:
        made.append(1)
        return w.manager

    app = host(OPTLY_MANAGER=manager)
    assert app.extensions["optly"].mount == "/choices"
    assert app.test_client().get("/choices/help").status_code == 200
    assert made == [1]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({}, "OPTLY_BASE_URL, OPTLY_KEYS, OPTLY_ORGANISATION, OPTLY_PURPOSES, OPTLY_STORAGE is missing"),
        ({**PARTS, "OPTLY_STORAGE": MemoryStorage(), "OPTLY_STORE": 1}, "no setting OPTLY_STORE"),
        ({**PARTS, "OPTLY_STORAGE": MemoryStorage(), "OPTLY_KEYS": "secret"}, "Keys"),
        ({**PARTS, "OPTLY_STORAGE": MemoryStorage(), "OPTLY_BASE_URL": "/my"}, "base_url"),
        ({**PARTS, "OPTLY_STORAGE": MemoryStorage(), "OPTLY_MOUNT": "/your"}, "mounted at /your"),
        ({**PARTS, "OPTLY_STORAGE": MemoryStorage(), "OPTLY_MOUNT": "/"}, "a path of their own"),
        ({"OPTLY_MANAGER": "acme.consent:manager"}, "OPTLY_MANAGER is a ConsentManager"),
        ({"OPTLY_MANAGER": lambda: None}, "OPTLY_MANAGER is a ConsentManager"),
        ({"OPTLY_MANAGER": lambda: None, "OPTLY_RECEIPTS": False}, "goes without OPTLY_RECEIPTS"),
        ({"OPTLY_MANAGER": lambda: None, "OPTLY_PORTAL": True}, "OPTLY_PORTAL is a dict"),
        ({"OPTLY_MANAGER": lambda: None, "OPTLY_PORTAL": {"no_such_argument": 1}}, "no_such_argument"),
    ],
)
def test_settings_that_cannot_work_are_refused(config: dict[str, Any], says: str) -> None:
    """
    When the application is made, with what to do about it.
    """
    with pytest.raises(ConfigurationError, match=says):
        host(**config)


def test_a_place_that_turns_out_to_be_wrong_is_refused() -> None:
    """
    Rather than have every link lead into nothing.
    """
    client = host(OPTLY_MANAGER=lambda: world().manager, OPTLY_MOUNT="/choices").test_client()
    with pytest.raises(ConfigurationError, match="every link leads to /my"):
        client.get("/choices/help")


def test_it_is_added_once() -> None:
    """
    A second time would mount the pages under the pages.
    """
    app = host(world())
    with pytest.raises(ConfigurationError, match="already"):
        FlaskOptly(app)


def test_an_application_without_it_says_so() -> None:
    """
    Rather than that some name is missing.
    """
    with Flask("host").app_context(), pytest.raises(ConfigurationError, match="no Optly yet"):
        current_manager.backlog()


# ---- templates


def test_templates_can_link_to_the_pages() -> None:
    """
    Each link is a new one, and opens what it should.
    """
    w = world()
    app, ada = host(w), w.add()
    with app.app_context():
        told = render_template_string(
            "{{ optly_preferences_url(c) }} {{ optly_unsubscribe_url(c, 'offers') }} {{ optly_unsubscribe_url(c) }}",
            c=ada,
        )
    preferences, offers, everything = told.split()
    assert w.manager.open(preferences.rpartition("/")[2]).masked
    scopes = [w.manager.open_stop(url.rpartition("/")[2]) for url in (offers, everything)]
    assert [scope.purpose for scope in scopes] == [None, None]
    assert app.test_client().get(offers.removeprefix("https://acme.example.com")).status_code == 200


def test_templates_name_one_of_several_lines() -> None:
    """
    By its number.
    """
    w = world()
    app, ada = host(w), w.add()
    w.manager.add_line(ada, email="ada@work.example.com")
    with app.app_context():
        told = render_template_string(
            "{{ optly_preferences_url(c, line=3) }} {{ optly_unsubscribe_url(c, line=3) }}", c=ada
        )
        with pytest.raises(AmbiguousLineError):
            render_template_string("{{ optly_preferences_url(c) }}", c=ada)
    preferences, stop = (url.rpartition("/")[2] for url in told.split())
    assert w.manager.open(preferences).masked.partition("@")[2].startswith("w")
    assert 3 == w.manager.open_stop(stop).line


# ---- signals


Heard = list[tuple[str, str, str]]


@pytest.fixture
def heard() -> Iterator[Heard]:
    """
    Every signal that is sent: its name, the application and the kind of the event.
    """
    found: Heard = []
    signals = [consent_given, consent_refused, consent_withdrawn, contact_details_changed]

    def hear(name: str) -> Any:
        def receiver(app: Flask, *, contact: Contact, event: object) -> None:
            assert current_app.name == app.name
            found.append((name, app.name, type(event).__name__))

        return receiver

    receivers = [(signal, hear(signal.name)) for signal in signals]
    for signal, receiver in receivers:
        signal.connect(receiver, weak=False)
    yield found
    for signal, receiver in receivers:
        signal.disconnect(receiver)


def listening() -> tuple[Flask, World]:
    app = Flask("host")
    w = world(on_events=send_signals(app))
    app.config["OPTLY_MANAGER"] = w.manager
    FlaskOptly(app)
    return app, w


def test_what_people_decide_is_signalled(heard: Heard) -> None:
    """
    By the application it belongs to, though the pages lie below it. A contact who is new has changed nothing.
    """
    app, w = listening()
    ada = w.add()
    code = code_in(w.ask(ada, channels=[Channel.EMAIL]))
    w.later(timedelta(minutes=5))
    w.manager.answer(code, {EMAIL_OFFERS: True})
    assert heard == [("consent-given", "host", "ConsentGiven")]
    w.later()
    token = w.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
    app.test_client().post(f"/my/u/{token}", data={"List-Unsubscribe": "One-Click"})
    w.later()
    w.manager.change_details(ada, email="ada.lovelace@example.com", name="Ada King")
    assert heard[1] == ("consent-withdrawn", "host", "ObjectionRaised")
    assert {name for name, *_ in heard[2:]} == {"contact-details-changed"}


def test_a_no_is_signalled(heard: Heard) -> None:
    """
    As what it is.
    """
    app, w = listening()
    w.manager.answer(code_in(w.ask(w.add())), {EMAIL_OFFERS: False})
    assert heard == [("consent-refused", app.name, "ConsentRefused")]


def test_parts_come_with_signals(heard: Heard) -> None:
    """
    Beside whoever else is listening.
    """
    told: list[Sequence[object]] = []
    app = host(OPTLY_STORAGE=MemoryStorage(), OPTLY_ON_EVENTS=lambda _contact, events: told.append(events), **PARTS)
    with app.app_context():
        ada = current_manager.add_contact(email=EMAIL)
        current_manager.record_objection(ada)
    assert heard == [("consent-withdrawn", "host", "ObjectionRaised")]
    assert len(told) == 2


def test_a_yes_that_is_none_is_not_signalled(heard: Heard) -> None:
    """
    A box that was ticked beforehand is kept as what it was.
    """
    _, w = listening()
    w.manager.record_consent(
        w.add(),
        channels=[Channel.EMAIL],
        purposes=["offers"],
        wording=Wording(text="May Acme Ltd email you offers?", language="en"),
        act=Act.PRE_TICKED,
        how="the old form",
        at=w.clock(),
        unsound=Unsound.KEEP,
    )
    assert heard == []


def test_one_receiver_does_not_stand_in_the_way(heard: Heard, caplog: pytest.LogCaptureFixture) -> None:
    """
    What it raises is logged, what is recorded stays, and the next event is told.
    """
    app, w = listening()

    def receiver(_app: Flask, **_: object) -> None:
        raise OSError("the queue is away")

    ada = w.add()
    with contact_details_changed.connected_to(receiver, app):
        w.manager.change_details(ada, name="Ada King")
    assert [record.getMessage() for record in caplog.records] == ["signal receiver failed"]
    w.manager.record_objection(ada)
    assert heard[-1] == ("consent-withdrawn", "host", "ObjectionRaised")


def test_receivers_see_the_request_they_are_in() -> None:
    """
    An application that is active already is not made so again.
    """
    app, w = listening()
    seen: list[str] = []

    def receiver(_app: Flask, **_: object) -> None:
        seen.append(g.who)

    with consent_withdrawn.connected_to(receiver, app), app.app_context():
        g.who = "staff"
        w.manager.record_objection(w.add())
    assert seen == ["staff"]


# ---- commands


def run(app: Flask, *arguments: str, **details: Any) -> Result:
    return app.test_cli_runner().invoke(args=["optly", *arguments], **details)


def test_messages_are_handed_over() -> None:
    """
    Those that are due, and what came of them is told.
    """
    w = world()
    app = host(w)
    w.manager.record_objection(w.add())
    assert run(app, "deliver").output == "nothing was due\n"
    bob = w.manager.add_contact(email="bob@example.com", subscriber="company")  # type: ignore[arg-type]
    w.manager.request_consent(bob, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"])
    assert run(app, "deliver", "--limit", "1").output == "1 accepted\n"
    assert [message.to for message in w.emails.outbox] == ["bob@example.com"]


def test_the_commands_of_optly_take_the_manager_of_the_application() -> None:
    """
    So none has an option for it, and those that need none are not there.
    """
    w = world()
    app = host(w)
    w.agreed(w.add())
    listed = run(app, "--help").output
    assert all(name in listed for name in ("ask", "check", "deliver", "evidence", "reconcile", "verify", "worker"))
    assert "demo" not in listed
    assert run(app, "demo").exit_code == 2
    yes = run(app, "check", EMAIL, "--channel", "email", "--purpose", "offers")
    no = run(app, "check", EMAIL, "--channel", "email", "--purpose", "news")
    assert (yes.exit_code, no.exit_code) == (0, 1)
    assert run(app, "worker", "--once", "--quiet").exit_code == 0
    assert run(app, "worker", "--app", "acme:manager").exit_code == 2
    told = run(app, "worker", "--help").output
    assert "flask optly worker --once" in told
    assert "acme.consent" not in told


def test_the_record_is_verified(tmp_path: Path) -> None:
    """
    Against a head of the log that was kept, if there is one: the exit code says whether something is wrong.
    """
    w, other = world(), world()
    for each in (w, other):
        each.agreed(each.add())
    head = other.manager.seal()
    assert head is not None
    (tmp_path / "head").write_text(head.note)
    assert run(host(w), "verify").exit_code == 0
    assert run(host(other), "verify", "--checkpoint", f"{tmp_path}/head").exit_code == 0
    assert run(host(w), "verify", "--checkpoint", f"{tmp_path}/head").exit_code == 1


def test_evidence_is_written() -> None:
    """
    In the form that can be verified, and in one for people; an address from standard input is in no history.
    """
    w = world()
    app = host(w)
    w.agreed(w.add())
    written = run(app, "evidence", "-", input=f"{EMAIL}\n")
    assert verify(written.output.encode(), public_keys=w.manager.public_keys)
    assert "<html" in run(app, "evidence", EMAIL, "--html").output
    assert run(app, "evidence", "nobody@example.com").exit_code == 2


def test_an_error_is_told_in_a_line() -> None:
    """
    With the exit code that the commands of optly have for it.
    """
    away = StorageUnavailableError("the database is away")

    def manager() -> Any:
        raise away

    done = run(host(OPTLY_MANAGER=manager, OPTLY_MOUNT="/my"), "deliver")
    assert (done.exit_code, done.output) == (3, "Error: the database is away\n")


def test_without_the_extra_the_commands_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    And the pages work.
    """
    import optly.cli

    # A package keeps what is imported from it, so that it has to be put back as well.
    monkeypatch.setattr(optly, "cli", optly.cli)
    for name in [name for name in sys.modules if name.startswith("optly.cli")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "rich.console", None)
    app = host(world())
    done = run(app, "worker", "--once")
    assert (done.exit_code, "optly[cli]" in done.output) == (2, True)
    assert app.test_client().get("/my/help").status_code == 200
