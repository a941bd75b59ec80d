"""
The inbox in the browser: hostile email stays in its frame, and the button for stopping stops only what it should.
"""

from __future__ import annotations

from collections.abc import Callable
from smtplib import SMTP

import pytest

from optly.contacts.addresses import Channel
from optly.demo.acme import ADA_PHONE, Acme
from optly.demo.inbox import InboxPages
from optly.messages import Message
from optly.protocols.http import Request, Response

ORIGIN = "http://127.0.0.1:8025"
OURS = ("sec-fetch-site", "same-origin")

Ask = Callable[..., Response]


@pytest.fixture
def ask(acme: Acme) -> Ask:
    """
    A function that asks the inbox for a page.
    """
    pages = InboxPages(acme, origin=ORIGIN, myoptly=acme.manager.link(acme.ada))

    def ask(path: str, *headers: tuple[str, str], method: str = "GET", host: str = "127.0.0.1:8025") -> Response:
        return pages.handle(Request(method=method, path=path, headers=(("host", host), *headers)))

    return ask


def policy(response: Response) -> str:
    return dict(response.headers)["content-security-policy"]


def mail(acme: Acme, content: str) -> None:
    """
    Have another sender send an email.
    """
    with SMTP(acme.smtp, local_hostname="localhost") as client:
        client.sendmail("mallory@example.com", "ada@example.com", content.encode())


def test_the_question_is_shown(acme: Acme, ask: Ask) -> None:
    """
    The email that arrived over SMTP is listed, and opens with its frame, its text and its headers.
    """
    acme.ask()
    acme.deliver()

    assert b"what would you like to hear about?" in ask("/").body
    page = ask("/email/1").body.decode()
    assert '<iframe src="/email/1/html"' in page
    assert "List-Unsubscribe-Post" in page
    assert '<head><base target="_top">' in ask("/email/1/html").body.decode()


def test_an_email_can_do_nothing_but_be_left(acme: Acme, ask: Ask) -> None:
    """
    Scripts, forms and pictures from elsewhere are off in the frame, and the page around it has no script either.
    """
    acme.ask()
    acme.deliver()

    assert "sandbox allow-top-navigation-by-user-activation; default-src 'none'" in policy(ask("/email/1/html"))
    assert 'sandbox="allow-top-navigation-by-user-activation"' in ask("/email/1").body.decode()
    assert policy(ask("/email/1")).startswith("default-src 'none'; style-src 'self'")


def test_hostile_headers_are_shown_as_text(acme: Acme, ask: Ask) -> None:
    """
    What an email says cannot become part of the page.
    """
    mail(acme, "From: <b>x</b> <mallory@example.com>\r\nSubject: <script>x</script>\r\n\r\n<script>y</script>\r\n")

    for path in ("/", "/email/1"):
        assert b"<script>" not in ask(path).body
        assert b"&lt;script&gt;" in ask(path).body


@pytest.mark.parametrize(
    "content",
    ["", "\r\n", "Subject: =?utf-8?b?////?=\r\n\r\nx", "Content-Type: text/plain; charset=nonsense\r\n\r\n\xff"],
)
def test_strange_email_is_shown_somehow(acme: Acme, ask: Ask, content: str) -> None:
    """
    Whatever arrives, the inbox can still be opened.
    """
    mail(acme, content)

    assert [ask(path).status for path in ("/", "/email/1", "/email/1/html")] == [200, 200, 200]


def test_the_button_stops(acme: Acme, ask: Ask) -> None:
    """
    The button of the mail program sends the one-click stop over real HTTP.
    """
    acme.ask()
    acme.deliver()
    response = ask("/email/1/stop", OURS, method="POST")

    assert "Your mail program asked Acme to stop (200)" in response.body.decode()
    assert not acme.gate(Channel.EMAIL)


def test_the_button_is_pressed_on_its_own_page_only(acme: Acme, ask: Ask) -> None:
    """
    Another site cannot press it, and opening its address does nothing.
    """
    acme.ask()
    acme.deliver()
    known = len(acme.history())

    assert ask("/email/1/stop", ("sec-fetch-site", "cross-site"), method="POST").status == 403
    assert ask("/email/1/stop", ("origin", "http://evil.example"), method="POST").status == 403
    assert ask("/email/1/stop").status == 404
    assert known == len(acme.history())


def test_an_email_from_elsewhere_names_no_address_to_call(acme: Acme, ask: Ask) -> None:
    """
    A stop goes to the pages of the company and nowhere else, whatever an email asks for.
    """
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click"
    mail(acme, f"Subject: x\r\nList-Unsubscribe: <http://127.0.0.1:1/my/u/x>\r\n{post}\r\n\r\nx\r\n")

    assert ask("/email/1/stop", OURS, method="POST").status == 404


def test_a_text_message_has_a_link_to_follow(acme: Acme, ask: Ask) -> None:
    """
    In a text message, the address is made a link.
    """
    link = f"{acme.base_url}/l/abc"
    text = f"Acme: <b>hello</b>. Stop: {link}"
    acme.texts.send(Message(id="0" * 32, channel=Channel.SMS, to=ADA_PHONE, text=text))
    page = ask("/text/1").body.decode()

    assert f'<a href="{link}">' in page
    assert "&lt;b&gt;hello" in page


@pytest.mark.parametrize("path", ["/email/0", "/email/2", "/email/x", "/text/1", "/email/1/other", "/nothing"])
def test_what_is_not_there_is_not_found(acme: Acme, ask: Ask, path: str) -> None:
    """
    There is no page for what never arrived.
    """
    acme.ask()
    acme.deliver()

    assert ask(path).status == 404


def test_another_name_for_this_machine_is_refused(ask: Ask) -> None:
    """
    A site whose name was made to lead here cannot read along.
    """
    assert ask("/", host="evil.example:8025").status == 421


@pytest.mark.parametrize(("path", "kind"), [("/inbox.css", "text/css; charset=utf-8"), ("/icon.svg", "image/svg+xml")])
def test_files_are_served(ask: Ask, path: str, kind: str) -> None:
    """
    The page brings what it looks like.
    """
    response = ask(path)

    assert (200, kind) == (response.status, dict(response.headers)["content-type"])
    assert response.body
