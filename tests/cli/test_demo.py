"""
The demo with a person, as a process that is walked through and interrupted.
"""

from __future__ import annotations

import os
import re
import signal
import socket
from pathlib import Path

import httpx
import pytest
from cli.process import Running, run, running
from processes import wait_for

from optly.testing.browser import Browser, Form, Page, read

pytestmark = pytest.mark.server

PROC = Path("/proc/net/tcp")


def inbox_of(demo: Running) -> str:
    said = "".join(demo.until("Ctrl-C ends the demo"))
    found = re.search(r"Ada's inbox +(http://127\.0\.0\.1:\d+)/\n", said)
    assert found
    return found[1]


def visiting(link: str) -> tuple[Browser, Page]:
    """
    Open a link of the MyOptly pages in a fresh browser.
    """
    browser = Browser.over_http(link)
    return browser, browser.get(link)


def all_yes(page: Page) -> Form:
    form = page.form(action=page.url)
    questions = {field.question for field in form.fields if field.question}
    assert questions
    return form.fill_in(dict.fromkeys(questions, "Yes"))


def links_in(html: str, part: str) -> list[str]:
    return [link.url for link in read(html).links if part in link.url]


def test_what_a_person_does_is_reported(tmp_path: Path) -> None:
    """
    Opening changes nothing; a yes opens the gate and sends an offer; the mail program's button stops it; Ctrl-C proves
    it all.
    """
    with running("demo", "--no-open", "--directory", str(tmp_path)) as demo, httpx.Client(trust_env=False) as web:
        inbox = inbox_of(demo)
        demo.until("delivered")
        assert "refused" in demo.until("text message")[-1]

        (link,) = links_in(web.get(f"{inbox}/email/1/html").text, "/l/")
        browser, page = visiting(link)
        assert "nothing changed" in demo.until("opened")[-1]

        form = all_yes(page)
        assert browser.press(form).status == 200
        said = "".join(demo.until("evidence verified"))
        assert "Yes to email" in said
        assert "Yes to text message" in said
        assert said.count("offer sent") == 2

        assert links_in(web.get(f"{inbox}/text/1").text, "/l/")
        origin = {"Origin": inbox, "Sec-Fetch-Site": "same-origin"}
        stopped = web.post(f"{inbox}/email/3/stop", headers=origin)
        assert "Your mail program asked Acme to stop (200)" in stopped.text
        said = "".join(demo.until("evidence verified"))
        assert "No more marketing by email." in said
        assert "offer refused" in said

        browser.press(form)
        assert "nothing changed" in demo.until("refused  ")[-1]

        assert demo.interrupt() == 0
    file = tmp_path / "evidence.json"
    assert str(file) in "".join(demo.seen[-3:])
    assert "Traceback" not in "".join(demo.seen)
    assert run("verify-evidence", str(file)).returncode == 0


def test_a_change_of_mind_through_the_myoptly_page() -> None:
    """
    A person who said no can say yes later, and no again, on the page whose link the inbox shows.
    """
    with running("demo", "--no-open") as demo, httpx.Client(trust_env=False) as web:
        inbox = inbox_of(demo)
        demo.until("text message")
        (myoptly,) = links_in(web.get(f"{inbox}/").text, "/l/")
        for label, verdict in (("No", "refused"), ("Yes", "allowed"), ("No", "refused")):
            browser, page = visiting(myoptly)
            form = page.form(action=page.url)
            question = next(field.question for field in form.fields if field.name.startswith("email"))
            browser.press(form.fill_in({question: label}))
            assert f"{label} to email." in demo.until("answered")[-1]
            assert verdict in demo.until(" email ")[-1]
        assert demo.interrupt() == 0


def test_codes_arrive_in_the_inbox() -> None:
    """
    Ada sees and changes her details with the codes sent to her, the second of them to an address that is not on record
    yet; a complaint is reported, and the company's own mail is not shown as hers.
    """
    with running("demo", "--no-open") as demo, httpx.Client(trust_env=False) as web:
        inbox = inbox_of(demo)
        demo.until("text message")
        (myoptly,) = links_in(web.get(f"{inbox}/").text, "/l/")

        def digits(number: int) -> str:
            found = wait_for(lambda: re.search(r"\b\d{6}\b", web.get(f"{inbox}/email/{number}").text))
            return found[0]

        def send(page: Page, **typed: str) -> Page:
            return browser.press(page.form(action=page.url).fill_in(typed))

        browser, page = visiting(f"{myoptly}/code")
        page = send(page)
        assert "a one-time code" in demo.until("asked for")[-1]
        details = send(page, digits=digits(2)).url
        page = send(browser.get(details.replace("/details", "/email")), value="ada.king@example.org")
        send(page, digits=digits(3))
        demo.until("A new address counts")
        page = send(browser.get(details.replace("/details", "/complaint")), text="You wrote at night.")
        assert page.status == 200
        demo.until("complained")
        demo.until("evidence verified")
        assert "to privacy@acme.example.com" in web.get(f"{inbox}/").text
        assert demo.interrupt() == 0
    assert "Traceback" not in "".join(demo.seen)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_nothing_is_left_behind(number: signal.Signals) -> None:
    """
    Ended at any time, the demo verifies what there is, and without a directory of its own it leaves no trace.
    """
    with running("demo", "--no-open") as demo:
        inbox_of(demo)
        database = next(line.split()[-1] for line in demo.seen if "Database" in line)
        assert Path(database).exists()
        assert demo.interrupt(number) == 0

    assert "evidence verified" in "".join(demo.seen)
    assert not Path(database).parent.exists()


@pytest.mark.skipif(not PROC.exists(), reason="reads /proc")
def test_it_listens_on_this_machine_only() -> None:
    """
    Three ports are open, and none of them to the outside.
    """
    with running("demo", "--no-open") as demo:
        inbox_of(demo)
        files = Path(f"/proc/{demo.process.pid}/fd").iterdir()
        sockets = {found[1] for file in files if (found := re.match(r"socket:\[(\d+)\]", os.readlink(file)))}
        rows = [
            line.split()
            for table in (PROC, Path("/proc/net/tcp6"))
            if table.exists()
            for line in table.read_text().splitlines()
        ]
        listening = [row[1].partition(":")[0] for row in rows if row[3] == "0A" and row[9] in sockets]
        assert demo.interrupt() == 0

    assert [f"{int.from_bytes(socket.inet_aton('127.0.0.1'), 'little'):08X}"] * 3 == listening
