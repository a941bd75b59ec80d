"""
Handing email over, beside its floor: ``python benchmarks/smtp.py``.

The floor is smtplib on one connection that is kept, with bytes that are ready; the path is `SMTPBackend.send_all` with
the message still to be written. Both talk to Postfix's smtp-sink (``tests/peers/install`` puts it there), once over
loopback and once through a proxy that adds 20 ms to each round trip.
"""

from __future__ import annotations

import smtplib
from datetime import UTC, datetime
from typing import Any

from measure import Work, measure, options, table
from sink import Delay, sink

from optly.backends import SMTPBackend
from optly.backends.mime import Parts, Sender, build, by_library
from optly.contacts.addresses import Channel, EmailAddress
from optly.messages import Message, Outcome

SENDER = "Acme Ltd <hello@acme.example.com>"
ADDED = 0.020

TEXT = (
    "We would like to write to you about offers and discounts on our products.\n\n"
    + "You choose what you want to hear about, and you can change it at any time.\n" * 8
    + f"\nChoose here: https://acme.example.com/my/{'q' * 43}\n"
)
HTML = (
    '<!doctype html>\n<html lang="en"><body style="font-family: sans-serif; max-width: 40em">\n'
    + "<p>You choose what you want to hear about – and you can change it at any time.</p>\n" * 10
    + f'<p><a href="https://acme.example.com/my/{"q" * 43}">Choose</a></p>\n</body></html>\n'
)


def messages(count: int) -> list[Message]:
    stop = f"<https://acme.example.com/my/stop/{'t' * 120}>"
    return [
        Message(
            id=f"{number:032x}",
            channel=Channel.EMAIL,
            to=f"ada{number}@example.com",
            subject="Acme Ltd: what would you like to hear about?",
            text=TEXT,
            html=HTML,
            headers={"List-Unsubscribe": stop, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
        )
        for number in range(count)
    ]


def floor(port: int, count: int) -> Work:
    """
    Return what sends ready bytes over one connection that is made beforehand.
    """
    sender = Sender.parse(SENDER)
    letters = [build(message, sender, at=datetime.now(UTC)) for message in messages(count)]
    client = smtplib.SMTP("127.0.0.1", port)

    def send(repeat: int) -> None:
        for letter in letters[:repeat]:
            client.sendmail(letter.sender, letter.recipient, letter.content)

    return send


def path(port: int, count: int, **settings: Any) -> Work:
    """
    Return what hands messages over in batches of a hundred, as `deliver` does.
    """
    waiting = messages(count)
    backend = SMTPBackend(f"smtp://127.0.0.1:{port}", sender=SENDER, messages_per_connection=10**9, **settings)

    def send(repeat: int) -> None:
        for start in range(0, repeat, 100):
            receipts = backend.send_all(waiting[start : min(start + 100, repeat)])
            assert {Outcome.ACCEPTED} == {receipt.outcome for receipt in receipts}

    return send


def writing() -> tuple[Work, Work]:
    """
    Return what writes an email with the standard library, and what writes it as the backend does.
    """
    sender, at = Sender.parse(SENDER), datetime.now(UTC)
    (message,) = messages(1)
    parts = Parts(
        message=message,
        sender=sender,
        origin=sender.address.value,
        target=EmailAddress.parse(message.to).value,
        at=at,
        headers=message.headers,
    )

    def library(repeat: int) -> None:
        for _ in range(repeat):
            by_library(parts, utf8=False)

    def ours(repeat: int) -> None:
        for _ in range(repeat):
            build(message, sender, at=at)

    return library, ours


WAYS = {
    "one by one": {"connections": 1, "pipelining": False},
    "1 connection": {"connections": 1},
    "2 connections": {"connections": 2},
    "4 connections": {"connections": 4},
    "8 connections": {"connections": 8},
}


def main() -> None:
    many, rounds = (2, 1) if options(__doc__ or "").small else (1000, 9)
    letters = min(many, 200)
    rows = [measure("an email written; floor: the standard library", *writing(), repeat=letters, aim="under 100 µs")]
    with sink() as port:
        for name, settings in WAYS.items():
            works = floor(port, many), path(port, many, **settings)
            rows.append(measure(f"loopback, {name}", *works, repeat=many, rounds=rounds, aim="at most 1"))
        far = Delay(port, ADDED).port
        for name, settings in WAYS.items():
            count = min(many, 200 if settings["connections"] != 1 else 40)
            works = floor(far, count), path(far, count, **settings)
            aim = "" if settings == WAYS["one by one"] else "at most 0.2"
            rows.append(measure(f"20 ms more, {name}", *works, repeat=count, rounds=min(rounds, 3), aim=aim))
    print(table(rows))


if __name__ == "__main__":
    main()
