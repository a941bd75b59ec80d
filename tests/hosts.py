"""
The example applications, each started as its page says, with a mail server beside it.
"""

from __future__ import annotations

import email
import email.policy
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from email.message import EmailMessage
from pathlib import Path
from typing import Final

import attrs
import httpx
from backends.mail_servers import Inbox, mail_server
from processes import PATIENCE, free_port, wait_for

ROOT: Final = Path(__file__).parents[1]

# Django's own server, when it is told to end, leaves the socket it listens on to the collector.
_DJANGO_LEAVES: Final = "ignore:unclosed <socket.socket:ResourceWarning"

HOSTS: Final[Mapping[str, Sequence[str]]] = {
    "django": ["-W", _DJANGO_LEAVES, str(ROOT / "examples" / "django" / "manage.py"), "runserver", "--noreload"],
    "flask": ["-m", "examples.flask.app"],
    "fastapi": ["-m", "examples.fastapi.app"],
    "wsgi": ["-m", "examples.wsgi.app"],
    "asgi": ["-m", "examples.asgi.app"],
}


@attrs.frozen
class Host:
    """
    An example, running.
    """

    url: str
    inbox: Inbox
    texts: Path

    def mails(self, to: str = "") -> list[EmailMessage]:
        """
        Return what came in, to everybody or to one address.
        """
        return [
            email.message_from_bytes(envelope.content, EmailMessage, policy=email.policy.default)  # type: ignore[arg-type]
            for envelope in list(self.inbox.envelopes)
            if not to or envelope.rcpt_tos == [to]
        ]

    def mail(self, subject: str, to: str = "", *, after: int = 0) -> EmailMessage:
        """
        Wait for a mail whose subject holds these words, past so many that do.
        """

        def find() -> EmailMessage | None:
            found = [mail for mail in self.mails(to) if subject in mail["Subject"]]
            return found[after] if len(found) > after else None

        return wait_for(find)

    def link(self, mail: EmailMessage, kind: str = "l") -> str:
        """
        Return the link in a mail: to a page of one's own, or to the stop.
        """
        found = re.search(rf"{re.escape(self.url)}/my/{kind}/\S+", words(mail))
        assert found is not None
        return found[0]


def words(mail: EmailMessage) -> str:
    """
    Return the plain text of a mail.
    """
    body = mail.get_body(("plain",))
    assert body is not None
    return str(body.get_content())


def _answers(url: str) -> bool | None:
    try:
        return httpx.get(url).status_code == 200 or None
    except httpx.TransportError:
        return None


@contextmanager
def running(name: str, directory: Path) -> Iterator[Host]:
    """
    Start an example, and see in the end that it stopped in good order and wrote no link into its log.
    """
    port, inbox = free_port(), Inbox()
    url = f"http://127.0.0.1:{port}"
    path = directory / "log"
    with mail_server(inbox) as server, path.open("w") as log:
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("DJANGO_", "OPTLY_"))},
            "PORT": str(port),
            "OPTLY_EXAMPLE_BASE_URL": f"{url}/my",
            "OPTLY_EXAMPLE_DATABASE": f"sqlite:///{directory / 'optly.db'}",
            "OPTLY_EXAMPLE_SMTP": f"smtp://{server}",
            "OPTLY_EXAMPLE_TEXTS": str(directory / "texts"),
            "OPTLY_EXAMPLE_KEY": "a key for nothing but this very test",
            "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path]),
        }
        site = subprocess.Popen(
            [sys.executable, "-W", "error", *HOSTS[name]], cwd=directory, env=environment, stdout=log, stderr=log
        )
        try:

            def up() -> bool | None:
                assert site.poll() is None, path.read_text()
                return _answers(url)

            wait_for(up)
            yield Host(url, inbox, directory / "texts")
            site.send_signal(signal.SIGTERM)
            assert 0 == site.wait(PATIENCE), path.read_text()
            assert "Traceback" not in path.read_text()
            assert not re.search(r"/[lu]/(?!\[redacted\])", path.read_text())
        finally:
            site.kill()
            site.wait()
