"""
The company of the demo: everything a host sets up, with real servers on this machine around it.
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
from optly.contacts.addresses import Channel
from optly.contacts.parties import Contact, Organisation, Subscriber
from optly.contacts.purposes import Purpose
from optly.demo.mail import Inbox, mail_server
from optly.demo.web import Handle, WebServer
from optly.evidence import EvidencePack
from optly.keys import Keys
from optly.manager import ConsentManager
from optly.messages import Content
from optly.record.consent import Question
from optly.record.events import Event, MessageAccepted
from optly.rules import Decision, Solicited
from optly.storage import SQLStorage

OFFERS: Final = "offers"
CHANNELS: Final = {Channel.EMAIL: "email", Channel.SMS: "text message"}
ADA_EMAIL: Final = "ada@example.com"
ADA_PHONE: Final = "+447911123456"


@attrs.frozen(kw_only=True)
class Acme:
    """
    A company that would like to write to Ada, and the servers it does it with.

    Attributes:
        inbox: Where Ada's email comes in.
        texts: Where her text messages do.
        pages: The server of the MyOptly pages.
        smtp: Host and port of the mail server.
        database: The SQLite file.
    """

    manager: ConsentManager
    ada: Contact
    inbox: Inbox
    texts: MemoryBackend
    pages: WebServer
    smtp: str
    database: Path

    def ask(self) -> Question:
        """
        Ask Ada, who filled in the form on Acme's website a moment ago, about both channels by email.
        """
        return self.manager.request_consent(
            self.ada,
            via=Channel.EMAIL,
            channels=CHANNELS,
            purposes=[OFFERS],
            basis=Solicited(how="newsletter form on the website", at=datetime.now(UTC)),
        )

    def offer(self, channel: Channel) -> None:
        """
        Queue an offer.

        Raises:
            NotPermittedError: The gate refuses it.
        """
        text = "This week every kettle is 20% off."
        content = (
            Content(subject="20% off every kettle", text=text, html="<h1>20% off</h1><p>This week, every kettle.</p>")
            if channel is Channel.EMAIL
            else Content(text=text)
        )
        self.manager.send(self.ada, channel, OFFERS, content)

    def deliver(self) -> Sequence[str]:
        """
        Hand over what is due and return what the providers said to each message they took.
        """
        before = len(self.history())
        self.manager.deliver()
        taken = [event for event in self.history()[before:] if isinstance(event, MessageAccepted)]
        return [value for event in taken for slot, value in event.personal.items() if slot.startswith("reply_")]

    def gate(self, channel: Channel) -> Decision:
        """
        Decide whether Ada may be sent an offer now.
        """
        return self.manager.check(self.ada, channel, OFFERS)

    def history(self) -> Sequence[Event]:
        """
        Return everything on record about Ada.
        """
        return self.manager.history(self.ada)

    def fingerprint(self) -> str:
        """
        Return a digest over every row of every table, read beside the library.
        """
        digest = hashlib.sha256()
        with closing(sqlite3.connect(f"{self.database.as_uri()}?mode=ro", uri=True)) as connection:
            for statement in connection.iterdump():
                digest.update(statement.encode())
        return digest.hexdigest()

    def holds(self, text: str) -> bool:
        """
        Tell whether *text* stands anywhere in the files of the database.
        """
        files = self.database.parent.glob(f"{self.database.name}*")
        return any(text.encode() in file.read_bytes() for file in files)

    def keep(self, pack: EvidencePack) -> Path:
        """
        Write a pack beside the database in both its forms and return where the one that can be verified is.
        """
        file = self.database.with_name("evidence.json")
        file.write_text(pack.to_json(), encoding="utf-8")
        file.with_suffix(".html").write_text(pack.to_html(), encoding="utf-8")
        return file


def _as_it_is(handle: Handle) -> Handle:
    return handle


@contextmanager
def opened(
    directory: Path, *, inbox: Inbox | None = None, around: Callable[[Handle], Handle] = _as_it_is
) -> Iterator[Acme]:
    """
    Start the servers, put Ada on record, and close everything in the end.

    Args:
        directory: Where the database is made. There is nothing in it yet.
        inbox: What takes the email.
        around: Wraps the pages, to see who comes by.
    """
    database = directory.resolve() / "optly.db"
    inbox = inbox or Inbox()
    with ExitStack() as stack:
        port = stack.enter_context(mail_server(inbox))
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
                    SMTPBackend(
                        f"smtp://127.0.0.1:{port}",
                        sender="Acme <hello@acme.example.com>",
                        local_hostname="localhost",
                    ),
                    texts,
                ],
                keys=Keys(current=_new_key(directory)),
                base_url=f"{pages.url}/my",
            )
        )
        ada = manager.add_contact(name="Ada", email=ADA_EMAIL, phone=ADA_PHONE, subscriber=Subscriber.INDIVIDUAL)
        # Nothing guards Ada's mailbox, and whoever plays her answers at once.
        portal = manager.portal(hold_yes_within=None)
        stack.enter_context(pages.serving(around(portal.handle), manager.pages.path))
        yield Acme(
            manager=manager,
            ada=ada,
            inbox=inbox,
            texts=texts,
            pages=pages,
            smtp=f"127.0.0.1:{port}",
            database=database,
        )


def _new_key(directory: Path) -> str:
    """
    Make a key and leave it where only its owner can read it: without it the record cannot be opened again.
    """
    key = Keys.generate()
    file = os.open(directory / "key.txt", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    with open(file, "w", encoding="ascii") as stream:
        stream.write(f"{key}\n")
    return key
