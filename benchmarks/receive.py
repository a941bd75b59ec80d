"""
Messages taken in and sent, beside an earlier checkout: ``python benchmarks/receive.py --beside ../optly-0.4``.

What comes in is read and received as a host does it: replies by text, replies by email that repeat our letter or not,
a delivery report and a complaint. Each is about a message of its own that was sent before. What goes out is a question
to each of a batch: to a backend in memory, and on SQLite to Postfix's smtp-sink (``tests/peers/install``).

Each of the two checkouts has a process of its own, and they take turns after every few messages. Only the time of their
processors counts, so that other programs on the machine disturb little. Without ``--beside`` this checkout is compared
with itself, which shows what is noise. ``--profile`` shows where the time of each kind goes.
"""

from __future__ import annotations

import cProfile
import itertools
import json
import os
import pstats
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias

import attrs
from delivery import SENDER, ask, manager
from measure import options
from sink import POSTFIX, sink

from optly import Channel, ConsentManager, Content, Keys, Subscriber
from optly.backends import MemoryBackend, SMTPBackend, mail
from optly.backends.verp import ReturnPath
from optly.messages import InboundMessage, Message
from optly.protocols import Storage
from optly.storage import MemoryStorage, SQLStorage

PATH: Final = ReturnPath("@bounces.acme.example.com", Keys(current="a key that only measures"))
OURS: Final = Content(
    subject="Ten per cent off this week",
    text="Hello,\n\nall our teapots cost ten per cent less this week, and so do the cups that go with them.\n\n"
    "The shop in Leeds is open from nine to six.",
    html="<p>Hello,</p><p>all our teapots cost ten per cent less this week, and so do the cups that go with them.</p>"
    "<p>The shop in Leeds is open from nine to six.</p>",
)
FRIENDLY: Final = "Thank you, that is good news. Do you keep the blue ones in Leeds as well? I may come in on Saturday."
LONG: Final = "\n\n".join(
    f"The {name} teapot that we bought from you {when} is still in use every day. My aunt would like one of the same "
    "kind, with four cups, and asked me whether you could put it aside until we come to Leeds at the end of the month. "
    "She does not mind what it costs. If there is a choice of colours, tell her about them, as she is hard to please."
    for name, when in itertools.product(("blue", "white", "green", "small", "round"), ("in May", "last year", "once"))
)[:8000]

# One message in reply to one that was sent. Called with that, and how many came before.
Reply: TypeAlias = Callable[[Message, int], Sequence[Any]]


# ---- what comes in


def texted(text: str) -> Reply:
    def reply(sent: Message, number: int) -> Sequence[Any]:
        return [
            InboundMessage(
                id=f"SM{number}", backend="twilio", channel=Channel.SMS, sender=sent.to, text=text, at=datetime.now(UTC)
            )
        ]

    return reply


def mailed(form: Callable[[Message], str]) -> Reply:
    """
    Return what reads an email whose head and body *form* writes.
    """

    def reply(sent: Message, number: int) -> Sequence[Any]:
        raw = (
            f"Received: from mail.example.com by mx.acme.example.com with ESMTP id {number};\n"
            f"\tFri, 27 Nov 2026 10:00:00 +0000\nMessage-ID: <x{number}@example.com>\nMIME-Version: 1.0\n{form(sent)}"
        )
        return mail.read(raw.replace("\n", "\r\n").encode(), now=datetime.now(UTC), return_path=PATH)

    return reply


def answer(sent: Message, body: str, form: str = "text/plain; charset=utf-8") -> str:
    return (
        f"From: Ada <{sent.to}>\nTo: hello@acme.example.com\nSubject: Re: {sent.subject}\n"
        f"In-Reply-To: <{sent.id}@acme.example.com>\nContent-Type: {form}\n\n{body}\n"
    )


def quoted(sent: Message, said: str) -> str:
    old = "\n".join(f"> {line}" for line in sent.text.split("\n"))
    return f"{said}\n\nOn Fri, 27 Nov 2026 at 09:00, Acme <hello@acme.example.com> wrote:\n{old}"


def in_html(sent: Message) -> str:
    """
    Return a reply as Gmail writes it: as text, and as HTML with our letter in a quote.
    """
    wrote = "On Fri, 27 Nov 2026 at 09:00, Acme &lt;hello@acme.example.com&gt; wrote:"
    html = (
        f'<div dir="ltr">{FRIENDLY}</div><br><div class="gmail_quote"><div dir="ltr" class="gmail_attr">{wrote}<br>'
        f'</div><blockquote class="gmail_quote" style="margin:0px 0px 0px 0.8ex">{sent.html}</blockquote></div>'
    )
    body = "".join(
        f"--b\nContent-Type: text/{form}; charset=utf-8\n\n{text}\n"
        for form, text in (("plain", quoted(sent, FRIENDLY)), ("html", html))
    )
    return answer(sent, f"{body}--b--", "multipart/alternative; boundary=b")


def report(sent: Message) -> str:
    return (
        "Return-Path: <>\nFrom: Mail Delivery System <MAILER-DAEMON@mx.example.net>\n"
        f"To: {PATH.address_for(sent.contact, sent.id)}\nSubject: Undelivered Mail Returned to Sender\n"
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nYour message could not be delivered. It is returned below.\n"
        "--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n"
        f"Final-Recipient: rfc822; {sent.to}\nAction: failed\nStatus: 5.1.1\n"
        "Diagnostic-Code: smtp; 550 5.1.1 User unknown\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned(sent)}--b--\n"
    )


def complaint(sent: Message) -> str:
    return (
        f"From: <feedback@mx.example.net>\nTo: {PATH.address_for(sent.contact, sent.id)}\nSubject: Complaint\n"
        "Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n"
        "--b\nContent-Type: text/plain\n\nThis is a complaint about an email that you sent.\n"
        "--b\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\nUser-Agent: Feedback/1\nVersion: 1\n"
        f"Original-Rcpt-To: {sent.to}\n\n"
        f"--b\nContent-Type: message/rfc822\n\n{returned(sent)}--b--\n"
    )


def returned(sent: Message) -> str:
    return (
        f"Return-Path: <{PATH.address_for(sent.contact, sent.id)}>\nFrom: {SENDER}\nTo: {sent.to}\n"
        f"Subject: {sent.subject}\nMessage-ID: <{sent.id}@acme.example.com>\n\n{sent.text}\n"
    )


TEXTS: Final[Mapping[str, Reply]] = {
    "a text: YES": texted("Yes"),
    "a text: STOP": texted("STOP"),
    "a text: words": texted("Who is this please, and how did you get my number?"),
}
MAILS: Final[Mapping[str, Reply]] = {
    "a reply": mailed(lambda sent: answer(sent, FRIENDLY)),
    "a reply above our letter": mailed(lambda sent: answer(sent, quoted(sent, FRIENDLY))),
    "a stop above our letter": mailed(lambda sent: answer(sent, quoted(sent, "Please stop sending me these."))),
    "a reply in HTML": mailed(in_html),
    "a reply of 8 kB": mailed(lambda sent: answer(sent, quoted(sent, LONG))),
    "a delivery report": mailed(report),
    "a complaint": mailed(complaint),
}


@contextmanager
def storage(name: str) -> Iterator[Storage]:
    if name == "memory":
        yield MemoryStorage()
        return
    with tempfile.TemporaryDirectory() as directory:
        yield SQLStorage(f"sqlite:///{directory}/optly.db")


def sent(made: ConsentManager, backend: MemoryBackend, count: int) -> Sequence[Message]:
    """
    Send a message to so many companies: a question by text, or marketing by email.
    """
    if backend.channel is Channel.SMS:
        contacts = [made.add_contact(phone=f"+4479{n:08}", subscriber=Subscriber.COMPANY) for n in range(count)]
        made.request_consents(contacts, campaign="one", via="sms", channels=["sms"], purposes=["offers"])
    else:
        for number in range(count):
            contact = made.add_contact(email=f"p{number}@p{number}.example.com", subscriber=Subscriber.COMPANY)
            made.send(contact, Channel.EMAIL, "offers", OURS)
    made.deliver()
    return backend.outbox


# Does its work so often, and returns the seconds of the processor that went to it.
Turn: TypeAlias = Callable[[int], float]


@contextmanager
def receiving(kind: str, store: str, count: int) -> Iterator[Turn]:
    backend = MemoryBackend(channel=Channel.SMS if kind in TEXTS else Channel.EMAIL)
    reply = {**TEXTS, **MAILS}[kind]
    with storage(store) as kept, manager(kept, backend) as made:
        messages = iter(enumerate(sent(made, backend, count)))

        def turn(count: int) -> float:
            start = time.process_time()
            for number, message in itertools.islice(messages, count):
                for event in reply(message, number):
                    made.receive(event)
            return time.process_time() - start

        yield turn


# ---- what goes out


@contextmanager
def delivering(store: str, count: int, port: int) -> Iterator[Turn]:
    backend = SMTPBackend(f"smtp://127.0.0.1:{port}", sender=SENDER) if port else MemoryBackend(channel=Channel.EMAIL)
    with storage(store) as kept, manager(kept, backend) as made:
        ask(made, count)

        def turn(count: int) -> float:
            start = time.process_time()
            done = made.deliver(limit=count)
            taken = time.process_time() - start
            assert done.accepted == count, done
            return taken

        yield turn


# ---- in turns


@attrs.frozen(kw_only=True)
class Work:
    """
    What is measured: so many rounds of so many messages.

    Attributes:
        port: Of a mail server; 0 for none.
    """

    kind: str
    store: str
    rounds: int
    repeat: int
    port: int = 0

    def begin(self) -> Any:
        count = (self.rounds + 1) * self.repeat
        if self.kind.startswith("delivery"):
            return delivering(self.store, count, self.port)
        return receiving(self.kind, self.store, count)

    def __str__(self) -> str:
        return f"{self.kind}, {self.store}"


def serve() -> None:
    """
    Take turns as asked, one line for each: a work to begin, or nothing for a turn of the one that was begun.
    """
    with ExitStack() as begun:
        turn, repeat = None, 0
        for line in sys.stdin:
            if line.strip():
                begun.close()
                work = Work(**json.loads(line))
                turn, repeat = begun.enter_context(work.begin()), work.repeat
            assert turn is not None
            print(turn(repeat) / repeat, flush=True)


@contextmanager
def process(checkout: Path) -> Iterator[Callable[[str], float]]:
    """
    Run one checkout, and yield what passes it a line and returns its answer.
    """
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8"
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        asked, answers = child.stdin, child.stdout

        def ask(line: str) -> float:
            print(line, file=asked, flush=True)
            return float(answers.readline())

        yield ask


def works(small: bool, port: int) -> Iterator[Work]:
    rounds, repeat, batch = (1, 2, 2) if small else (25, 20, 100)
    for store in ("memory", "SQLite"):
        for kind in (*TEXTS, *MAILS):
            yield Work(kind=kind, store=store, rounds=rounds, repeat=repeat)
    yield Work(kind="delivery", store="memory", rounds=rounds, repeat=batch)
    if port:
        yield Work(kind="delivery by SMTP", store="SQLite", rounds=rounds, repeat=batch, port=port)


def profile(work: Work) -> None:
    with work.begin() as turn:
        turn(work.repeat)
        with cProfile.Profile() as profiled:
            turn(work.repeat * work.rounds)
    print(work)
    pstats.Stats(profiled).sort_stats("tottime").print_stats(25)


def main() -> None:
    given = options(
        __doc__ or "",
        profile="show where the time goes",
        serve="take turns as another process asks",
        beside=("CHECKOUT", "the one to compare with, itself if not given"),
        only=("WORDS", "measure only what has these words in its name"),
    )
    if given.serve:
        serve()
        return
    here = Path(__file__).parents[1]
    with ExitStack() as opened:
        port = opened.enter_context(sink()) if POSTFIX.exists() else 0
        chosen = [work for work in works(given.small, port) if (given.only or "") in str(work)]
        if given.profile:
            for work in chosen:
                profile(work)
            return
        turns = [opened.enter_context(process(checkout)) for checkout in (Path(given.beside or here), here)]
        print("| path | earlier, µs | now, µs | ratio |\n|---|---:|---:|---:|", flush=True)
        for work in chosen:
            for turn in turns:
                turn(json.dumps(attrs.asdict(work)))
            taken = [[turn("") for turn in turns] for _ in range(work.rounds)]
            then, now = (statistics.median(each) * 1e6 for each in zip(*taken, strict=True))
            ratio = statistics.median(later / earlier for earlier, later in taken)
            print(f"| {work} | {then:,.0f} | {now:,.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
