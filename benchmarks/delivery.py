"""
Questions handed over to a mail server, beside smtplib with ready bytes: ``python benchmarks/delivery.py``.

Everything is counted: each question is claimed, gated again, made with links of its own, handed over, and its outcome
recorded as an event, durably, on SQLite. The floor says a ready question over one reused connection and records
nothing. Both talk to Postfix's smtp-sink (``tests/peers/install`` puts it there), once over loopback and once through a
proxy that adds 20 ms to each round trip.
"""

from __future__ import annotations

import cProfile
import itertools
import pstats
import smtplib
import tempfile
from datetime import UTC, datetime

from measure import Measured, Work, measure, options, table
from sink import Delay, sink

from optly import Channel, ConsentManager, Keys, Organisation, Purpose, Subscriber
from optly.backends import MemoryBackend, SMTPBackend
from optly.backends.mime import Letter, Sender, build
from optly.protocols import MessageBackend, Storage
from optly.storage import MemoryStorage, SQLStorage

SENDER = "Acme <hello@acme.example.com>"
ADDED = 0.020
CAMPAIGNS = itertools.count()


def manager(storage: Storage, backend: MessageBackend) -> ConsentManager:
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds", email="a@example.com"),
        purposes=[Purpose(key="offers", title="Offers and discounts on our products")],
        storage=storage,
        backends=[backend],
        keys=Keys(current="a key that only measures"),
        base_url="https://acme.example.com/my",
    )


def ask(made: ConsentManager, count: int) -> None:
    """
    Queue a question to each of so many companies that were not asked before.
    """
    name = f"campaign {next(CAMPAIGNS)}"
    contacts = (
        made.add_contact(email=f"p{number}@{name.replace(' ', '')}.example.com", subscriber=Subscriber.COMPANY)
        for number in range(count)
    )
    made.request_consents(contacts, campaign=name, via="email", channels=["email"], purposes=["offers"])


def question() -> Letter:
    """
    Return a question as it goes out.
    """
    backend = MemoryBackend(channel=Channel.EMAIL)
    made = manager(MemoryStorage(), backend)
    ask(made, 1)
    made.deliver()
    return build(backend.outbox[0], Sender.parse(SENDER), at=datetime.now(UTC))


def floor(port: int) -> Work:
    """
    Return what says a ready question over one connection that is made beforehand.
    """
    letter = question()
    client = smtplib.SMTP("127.0.0.1", port)

    def send(repeat: int) -> None:
        for _ in range(repeat):
            client.sendmail(letter.sender, letter.recipient, letter.content)

    return send


def delivered(port: int, count: int, rounds: int) -> tuple[ConsentManager, Work]:
    """
    Return what hands over questions that were queued beforehand, one round of *count* after the other.
    """
    directory = tempfile.TemporaryDirectory()
    backend = SMTPBackend(f"smtp://127.0.0.1:{port}", sender=SENDER, messages_per_connection=10**9)
    made = manager(SQLStorage(f"sqlite:///{directory.name}/optly.db"), backend)
    ask(made, count * (rounds + 1))

    def send(repeat: int) -> None:
        done = made.deliver(limit=repeat)
        assert done.accepted == repeat, (done, directory)

    return made, send


def measured(name: str, port: int, count: int, rounds: int, aim: str) -> Measured:
    made, work = delivered(port, count, rounds)
    with made:
        return measure(name, floor(port), work, repeat=count, rounds=rounds, aim=aim)


def main() -> None:
    given = options(__doc__ or "", profile="show where the time goes")
    near, far, rounds = (2, 2, 1) if given.small else (2000, 200, 5)
    with sink() as port:
        if given.profile:
            made, work = delivered(port, near, 1)
            with made, cProfile.Profile() as profile:
                work(near)
            pstats.Stats(profile).sort_stats("tottime").print_stats(40)
            return
        rows = [measured("a question, loopback", port, near, rounds, "at most 1")]
        rows.append(measured("… 20 ms more", Delay(port, ADDED).port, far, min(rounds, 3), "at most 0.2"))
    print(table(rows))
    for row in rows:
        print(f"{row.name}: {1 / row.path:,.0f}/s beside {1 / row.floor:,.0f}/s")


if __name__ == "__main__":
    main()
