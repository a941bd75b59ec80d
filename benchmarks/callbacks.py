"""
Callbacks of a provider taken in, beside the bare writing of them: ``python benchmarks/callbacks.py``.

Each is a signed status callback of Twilio, as a server hands it to the pages: its signature is checked, the message it
is about is looked up, and the delivery is recorded as an event, durably, on SQLite. The floor checks one HMAC and
writes one row with the same durability.
"""

from __future__ import annotations

import hashlib
import hmac
import itertools
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

from measure import measure, options, table

from optly import Channel, ConsentManager, Keys, Organisation, Purpose, Subscriber
from optly.backends import MemoryBackend, TwilioBackend
from optly.backends._twilio_hook import signature
from optly.messages import Message
from optly.protocols.http import Request
from optly.storage import SQLStorage

ACCOUNT, TOKEN, URL = "AC" + "0" * 32, "token", "https://acme.example.com/my/hooks/twilio"


class Pretending(TwilioBackend):
    """
    Hears as Twilio's backend does, and sends nothing.
    """

    def __init__(self) -> None:
        super().__init__(ACCOUNT, TOKEN, sender="+447911123456", webhook_url=URL)
        self.kept = MemoryBackend(channel=Channel.SMS)
        self.send, self.send_all = self.kept.send, lambda messages: [self.kept.send(each) for each in messages]  # type: ignore[method-assign]


def callback(message: Message, number: int) -> Request:
    query = urlencode({"contact": message.contact, "message": message.id})
    fields = {
        "AccountSid": ACCOUNT,
        "MessageSid": f"SM{number:032x}",
        "MessageStatus": "delivered",
        "To": message.to,
        "From": "+447911123456",
    }
    signed = signature(TOKEN, f"{URL}?{query}", {name: [value] for name, value in fields.items()})
    return Request(
        method="POST",
        path="/hooks/twilio",
        query=query,
        headers=(("content-type", "application/x-www-form-urlencoded"), ("x-twilio-signature", signed)),
        body=urlencode(fields).encode(),
    )


def asked(made: ConsentManager, backend: Pretending, count: int) -> Iterator[Request]:
    """
    Ask *count* contacts by text, and return the callback for each.
    """
    contacts = (made.add_contact(phone=f"+4479{number:08}", subscriber=Subscriber.COMPANY) for number in range(count))
    made.request_consents(contacts, campaign="one", via="sms", channels=["sms"], purposes=["offers"])
    made.deliver()
    return (callback(message, number) for number, message in enumerate(backend.kept.outbox))


def main() -> None:
    rounds, repeat = (1, 2) if options(__doc__ or "").small else (9, 200)
    with tempfile.TemporaryDirectory() as directory:
        backend = Pretending()
        made = ConsentManager(
            organisation=Organisation(key="acme", name="Acme Ltd", address="Leeds", email="a@example.com"),
            purposes=[Purpose(key="offers", title="Offers")],
            storage=SQLStorage(f"sqlite:///{directory}/optly.db"),
            backends=[backend],
            keys=Keys(current="a key that only measures"),
            base_url="https://acme.example.com/my",
        )
        pages = made.portal()
        requests = list(asked(made, backend, repeat * (rounds + 1)))
        first, again = iter(requests), itertools.cycle(requests)
        bare = sqlite3.connect(Path(directory) / "bare.db", isolation_level=None)
        bare.execute("PRAGMA journal_mode = WAL")
        bare.execute("PRAGMA synchronous = FULL")
        bare.execute("CREATE TABLE callbacks (id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")

        def floor(count: int) -> None:
            for request in itertools.islice(again, count):
                hmac.digest(TOKEN.encode(), request.body, hashlib.sha1)
                bare.execute("INSERT INTO callbacks VALUES (?, ?)", (os.urandom(16), request.body))

        def take(requests: Iterator[Request], count: int) -> None:
            for request in itertools.islice(requests, count):
                assert pages.handle(request).status == 200

        rows = [
            measure("a callback, recorded", floor, lambda count: take(first, count), repeat=repeat, rounds=rounds),
            measure("the same again", floor, lambda count: take(iter(requests), count), repeat=repeat, rounds=rounds),
        ]
        print(table(rows))
        for row in rows:
            print(f"{row.name}: {1 / row.path:,.0f}/s")
        made.close()


if __name__ == "__main__":
    main()
