"""
The company in the demo: what a host sets up, with real servers around it on this machine.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import attrs

from optly.backends import MemoryBackend, SMTPBackend
from optly.contacts import Channel, Contact, Organisation, Purpose, Subscriber
from optly.demo.mail import Inbox, mail_server
from optly.demo.web import Handle, WebServer
from optly.evidence import EvidencePack
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.messages import Content
from optly.record.events import Event, MessageAccepted
from optly.record.standing import Question
from optly.rules import Decision, Solicited
from optly.storage import SQLStorage

OFFERS: Final = "offers"
CHANNELS: Final = {Channel.EMAIL: "email", Channel.SMS: "text message"}
ADA_EMAIL: Final = "ada@example.com"
ADA_PHONE: Final = "+447911123456"

_MOUNT: Final = "/my"


@attrs.frozen(kw_only=True)
class Acme:
    """
    A company that would like to write to Ada, and the servers it uses.

    Attributes:
        base_url: The address of the MyOptly pages.
        inbox: Ada's email.
        texts: Her text messages.
        smtp: Host and port of the mail server.
        database: The SQLite file.
    """

    manager: ConsentManager
    ada: Contact
    base_url: str
    inbox: Inbox
    texts: MemoryBackend
    smtp: str
    database: Path

    def ask(self) -> Question:
        """
        Ask Ada, who has just filled in the form on Acme's website, about both channels by email.
        """
        return self.manager.request_consent(
            self.ada,
            via=Channel.EMAIL,
            channels=list(CHANNELS),
            purposes=[OFFERS],
            basis=Solicited(how="newsletter form on the website", at=datetime.now(UTC)),
        )

    def offer(self, channel: Channel) -> None:
        """
        Queue an offer.

        Raises:
            NotPermittedError: The gate refuses it.
        """
        content = Content(text="This week every kettle is 20% off.")
        if channel is Channel.EMAIL:
            html = "<h1>20% off</h1><p>This week, every kettle.</p>"
            content = attrs.evolve(content, subject="20% off every kettle", html=html)
        self.manager.send(self.ada, channel, OFFERS, content)

    def deliver(self) -> Sequence[str]:
        """
        Send what is due, and return the provider's reply to each message it accepted.
        """
        before = len(self.history())
        self.manager.deliver()
        accepted = [event for event in self.history()[before:] if isinstance(event, MessageAccepted)]
        return [value for event in accepted for slot, value in event.personal.items() if slot.startswith("reply_")]

    def gate(self, channel: Channel) -> Decision:
        """
        Decide whether Acme may send Ada an offer now.
        """
        return self.manager.check(self.ada, channel, OFFERS)

    def history(self) -> Sequence[Event]:
        return self.manager.history(self.ada)

    def fingerprint(self) -> str:
        """
        Return a digest of every row of every table, read without the library.
        """
        digest = hashlib.sha256()
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as connection:
            for statement in connection.iterdump():
                digest.update(statement.encode())
        return digest.hexdigest()

    def holds(self, text: str) -> bool:
        """
        Whether *text* occurs anywhere in the files of the database.
        """
        files = self.database.parent.glob(f"{self.database.name}*")
        return any(text.encode() in file.read_bytes() for file in files)

    def save(self, pack: EvidencePack) -> Path:
        """
        Write an evidence pack beside the database, as HTML and as the JSON that can be verified; return the path of the
        JSON.
        """
        file = self.database.with_name("evidence.json")
        file.write_text(pack.to_json(), encoding="utf-8")
        file.with_suffix(".html").write_text(pack.to_html(), encoding="utf-8")
        return file


@contextmanager
def opened(
    directory: Path, *, inbox: Inbox | None = None, around: Callable[[Handle], Handle] = lambda handle: handle
) -> Iterator[Acme]:
    """
    Start the servers, add Ada as a contact, and close everything at the end.

    Args:
        directory: An empty directory, for the database.
        inbox: What accepts the email.
        around: Wraps the MyOptly pages, to watch the requests for them.
    """
    database = directory.resolve() / "optly.db"
    inbox = inbox or Inbox()
    with ExitStack() as stack:
        smtp = f"127.0.0.1:{stack.enter_context(mail_server(inbox))}"
        pages = stack.enter_context(WebServer())
        texts = MemoryBackend(Channel.SMS)
        manager = stack.enter_context(
            ConsentManager(
                organisation=Organisation(
                    key="acme",
                    name="Acme Ltd",
                    address="1 High Street, Leeds LS1 1AA",
                    freephone="0800 496 0000",
                    email="privacy@acme.example.com",
                ),
                purposes=[Purpose(key=OFFERS, title="Offers and discounts on our products")],
                storage=SQLStorage(f"sqlite:///{database}"),
                backends=[
                    SMTPBackend(f"smtp://{smtp}", sender="Acme <hello@acme.example.com>", local_hostname="localhost"),
                    texts,
                ],
                keys=Keys(current=_new_key(directory)),
                base_url=f"{pages.url}{_MOUNT}",
            )
        )
        ada = manager.add_contact(name="Ada", email=ADA_EMAIL, phone=ADA_PHONE, subscriber=Subscriber.INDIVIDUAL)
        # No scanner reads Ada's email, and the person who plays her answers at once.
        portal = manager.portal(hold_yes_within=None)
        stack.enter_context(pages.serving(around(portal.handle), _MOUNT))
        yield Acme(
            manager=manager,
            ada=ada,
            base_url=f"{pages.url}{_MOUNT}",
            inbox=inbox,
            texts=texts,
            smtp=smtp,
            database=database,
        )


def _new_key(directory: Path) -> str:
    """
    Make a key, and save it where only its owner can read it: the ledger cannot be opened again without it.
    """
    key = Keys.generate()
    file = os.open(directory / "key.txt", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(file, "w", encoding="ascii") as stream:
        stream.write(f"{key}\n")
    return key
