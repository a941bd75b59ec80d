"""
The mail server of the demo.
"""

from __future__ import annotations

import socket
from smtplib import SMTP

import pytest

from optly.demo.mail import Inbox, mail_server

pytestmark = pytest.mark.server

MAIL = "Subject: Hello\r\n\r\nHello\r\n..\r\n"


def test_an_email_is_kept_as_it_came() -> None:
    """
    What was sent is what is kept, byte for byte, under the number in the reply.
    """
    inbox = Inbox()
    with mail_server(inbox) as port, SMTP("127.0.0.1", port, local_hostname="localhost") as client:
        for _ in range(2):
            client.sendmail("acme@example.com", "ada@example.com", MAIL)

    assert [email.number for email in inbox.emails] == [1, 2]
    assert [email.content.decode() for email in inbox.emails] == [MAIL, MAIL]


def test_waiting_ends_when_it_arrives_or_time_is_up() -> None:
    """
    An email that is there is returned at once, and one that does not arrive is None.
    """
    inbox = Inbox()
    with mail_server(inbox) as port, SMTP("127.0.0.1", port, local_hostname="localhost") as client:
        assert inbox.wait_for(1, 0) is None
        client.sendmail("acme@example.com", "ada@example.com", MAIL)

    email = inbox.wait_for(1, 10)
    assert email is not None
    assert email.subject == "Hello"


def test_the_server_closes_with_a_client_still_there() -> None:
    """
    A client that connected and says nothing cannot keep the server open, and is disconnected.
    """
    with socket.socket() as client:
        with mail_server(Inbox()) as port:
            client.settimeout(10)
            client.connect(("127.0.0.1", port))
            assert client.recv(100).startswith(b"220 ")
        assert client.recv(100) == b""
        with socket.socket() as late, pytest.raises(ConnectionRefusedError):
            late.connect(("127.0.0.1", port))
