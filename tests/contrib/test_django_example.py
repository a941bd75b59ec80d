"""
The example is started as its page says, and a real browser walks through it.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import attrs
import httpx
import pytest
from backends.mail_servers import Inbox, mail_server
from services import missing

if TYPE_CHECKING:
    from playwright.sync_api import Page

T = TypeVar("T")

MANAGE = Path(__file__).parents[2] / "examples" / "django" / "manage.py"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"]
PATIENCE = 30


def wait_for(find: Callable[[], T | None]) -> T:
    """
    Return what is found at last.
    """
    end = time.monotonic() + PATIENCE
    while (found := find()) is None:
        assert time.monotonic() < end, "it did not come"
        time.sleep(0.05)
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@attrs.frozen
class Acme:
    """
    The example, running.
    """

    url: str
    inbox: Inbox

    def mails(self) -> list[EmailMessage]:
        return [
            email.message_from_bytes(envelope.content, EmailMessage, policy=email.policy.default)  # type: ignore[arg-type]
            for envelope in list(self.inbox.envelopes)
        ]

    def mail(self, subject: str) -> EmailMessage:
        """
        Wait for a mail whose subject holds these words.
        """
        return wait_for(lambda: next((mail for mail in self.mails() if subject in mail["Subject"]), None))

    def link(self, mail: EmailMessage, kind: str) -> str:
        body = mail.get_body(("plain",))
        assert body is not None
        found = re.search(rf"{re.escape(self.url)}/my/{kind}/\S+", body.get_content())
        assert found is not None
        return found[0]


@pytest.fixture
def acme(tmp_path: Path) -> Iterator[Acme]:
    """
    The example on a port of its own, with a mail server.
    """
    port, inbox = free_port(), Inbox()
    url = f"http://127.0.0.1:{port}"
    with mail_server(inbox) as server:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DJANGO_", "OPTLY_"))},
            "PORT": str(port),
            "OPTLY_EXAMPLE_BASE_URL": f"{url}/my",
            "OPTLY_EXAMPLE_DATABASE": f"sqlite:///{tmp_path / 'optly.db'}",
            "OPTLY_EXAMPLE_SMTP": f"smtp://{server}",
            "OPTLY_EXAMPLE_KEY": "a key for nothing but this very test",
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        with (tmp_path / "log").open("w+") as log:
            site = subprocess.Popen(
                [sys.executable, "-W", "error", str(MANAGE), "runserver", "--noreload"],
                cwd=tmp_path,
                env=environment,
                stdout=log,
                stderr=log,
            )
            try:
                wait_for(lambda: answers(url) if site.poll() is None else pytest.fail(read(log)))
                yield Acme(url, inbox)
                site.send_signal(signal.SIGTERM)
                assert 0 == site.wait(PATIENCE), read(log)
                assert "Traceback" not in read(log)
                assert not re.search(r"/[lu]/(?!\[redacted\])", read(log))
            finally:
                site.kill()
                site.wait()


def answers(url: str) -> bool | None:
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.TransportError:
        return None


def read(log: object) -> str:
    return Path(log.name).read_text()  # type: ignore[attr-defined]


@pytest.fixture
def page() -> Iterator[Page]:
    """
    A page in Chromium, without scripts.
    """
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        missing("Chromium", "apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=FLAGS) as browser,
        browser.new_context(java_script_enabled=False) as context,
    ):
        yield context.new_page()


def heading(page: Page) -> str:
    return page.locator("h1").inner_text()


def heading_after(page: Page, before: str) -> str:
    """
    Return the heading of the page that a button led to.
    """
    return wait_for(lambda: found if (found := heading(page)) != before else None)


def offer(page: Page, acme: Acme, to: str) -> str:
    page.goto(f"{acme.url}/offer")
    page.get_by_label("Email address").fill(to)
    page.get_by_role("button", name="Send").click()
    return heading_after(page, "Send an offer")


def test_a_person_signs_up_answers_gets_an_offer_and_stops(acme: Acme, page: Page) -> None:
    """
    Nothing is sent before the yes, and nothing after the stop.
    """
    page.goto(acme.url)
    page.get_by_role("button", name="Ask me").click()
    assert heading(page) == "Hear from Acme"
    assert page.get_by_role("alert").get_by_role("link").all_inner_texts() == [
        "Enter your name",
        "Enter an email address, such as name@example.com",
    ]
    page.get_by_label("Your name").fill("Ada")
    page.get_by_label("Email address").fill("ada@example.com")
    page.get_by_label("Mobile number").fill("07911 123456")
    page.get_by_role("button", name="Ask me").click()
    assert heading(page) == "Look into your inbox"
    assert offer(page, acme, "ada@example.com") == "held back: no_consent"
    assert offer(page, acme, "stranger@example.com") == "held back: not_on_record"

    page.goto(acme.link(acme.mail("what would you like to hear about"), "l"))
    page.locator("label[for=email-offers-yes]").click()
    page.locator("label[for=sms-offers-no]").click()
    page.get_by_role("button", name="Save my choices").click()
    # It was quick, so that it has to be confirmed.
    assert heading_after(page, "Your choices") == "Was that you?"
    assert offer(page.context.new_page(), acme, "ada@example.com") == "held back: no_consent"
    time.sleep(3.1)  # nobody reads it in less
    page.get_by_role("button", name="Yes, that was me").click()
    assert heading_after(page, "Was that you?") == "Your choices are saved"
    assert offer(page, acme, "ada@example.com") == "sent"

    mail = acme.mail("20% off")
    assert mail["To"] == "ada@example.com"
    page.goto(acme.link(mail, "l"))
    assert heading(page) == "Your choices"
    page.goto(acme.link(mail, "u"))
    page.get_by_role("button", name="Stop these messages").click()
    assert heading_after(page, "Stop messages") == "Stopped"
    assert offer(page, acme, "ada@example.com") == "held back: objected"
    assert [mail["Subject"] for mail in acme.mails() if "20% off" in mail["Subject"]] == ["20% off every kettle"]


def test_the_same_page_for_everybody_and_the_admin_behind_a_log_in(acme: Acme) -> None:
    """
    Who is on record already is told to nobody, and CSRF is checked on the host's own forms.
    """
    with httpx.Client(base_url=acme.url, follow_redirects=True) as client:
        token = re.search('csrfmiddlewaretoken" value="([^"]+)', client.get("/").text)
        assert token is not None
        form = {"name": "Ada", "email": "ada@example.com", "phone": "", "csrfmiddlewaretoken": token[1]}
        first, second = client.post("/", data=form), client.post("/", data=form)
        assert first.text == second.text
        assert client.post("/", data={**form, "csrfmiddlewaretoken": ""}).status_code == 403
        assert "Log in" in client.get("/admin/").text
