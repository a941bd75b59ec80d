"""
What became of a message is what the server said, and where it said nothing it is said whether there is doubt.
"""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from email import message_from_bytes
from email.policy import SMTP
from email.utils import parsedate_to_datetime
from itertools import pairwise
from typing import Any

import pytest
from backends.mail_servers import SENDER, Authority, Inbox, Line, ScriptedServer, greet, let_in, mail_server, take
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mails import INPUTS, needs_inputs, reported
from thorough import examples

from optly.backends import TLS, SMTPBackend
from optly.backends._wire import Wire
from optly.backends.mime import Sender, build
from optly.backends.verp import ReturnPath
from optly.errors import ConfigurationError, UsageError
from optly.keys import Keys
from optly.messages import Fault, Message, Outcome, Receipt

pytestmark = pytest.mark.server

Write = Callable[..., Message]


@contextmanager
def sending(url: str, **settings: Any) -> Iterator[SMTPBackend]:
    """
    A backend that is closed at the end.
    """
    backend = SMTPBackend(url, **{"sender": SENDER, "timeout": timedelta(seconds=5), **settings})
    try:
        yield backend
    finally:
        backend.close()


# ---- a server that does its job


def test_the_reply_is_kept_word_for_word(inbox: Inbox, write: Write) -> None:
    """
    The number under which the server queued it is evidence.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        receipt = backend.send(write())
    reply = "250 2.0.0 Ok: queued as 1"
    assert Receipt(outcome=Outcome.ACCEPTED, reply=reply, code=250, status="2.0.0", provider_id="1") == receipt
    assert (
        inbox.envelopes[0].mail_from,
        inbox.envelopes[0].rcpt_tos,
    ) == ("hello@acme.example.com", ["ada@example.com"])


@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.lists(st.sampled_from([".", "..", ".x", "", "a", "é" * 600, "y" * 2000, "From x"]), max_size=8))
def test_the_server_gets_what_was_built(text: list[str], write: Write, relay: tuple[SMTPBackend, Inbox]) -> None:
    """
    Byte for byte: lines of one dot and very long lines included.
    """
    backend, inbox = relay
    inbox.envelopes.clear()
    message = write(text="\n".join(text), html="<br>\n".join(text), subject="Grüße ŵ 漢")
    assert Outcome.ACCEPTED is backend.send(message).outcome
    received = inbox.contents[0]
    (date,) = re.findall(rb"^Date: (.*)\r$", received, re.MULTILINE)
    assert build(message, Sender.parse(SENDER), at=parsedate_to_datetime(date.decode())).content == received


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[SMTPBackend, Inbox]]:
    """
    A backend and the inbox it delivers to.
    """
    inbox = Inbox()
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        yield backend, inbox


def test_two_hundred_messages_take_one_connection(inbox: Inbox, write: Write) -> None:
    """
    Where the backend is told to keep it for so long.
    """
    messages = [write(id=f"{number:032x}", to=f"ada{number}@example.com") for number in range(200)]
    with mail_server(inbox) as address, sending(f"smtp://{address}", messages_per_connection=200) as backend:
        assert {Outcome.ACCEPTED} == {backend.send(message).outcome for message in messages}
    assert [[message.to] for message in messages] == [envelope.rcpt_tos for envelope in inbox.envelopes]
    assert inbox.connections == 1


def test_a_connection_is_given_up_after_so_many_messages(inbox: Inbox, write: Write) -> None:
    """
    The limit itself is still within it.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}", messages_per_connection=3) as backend:
        for _ in range(7):
            backend.send(write())
    assert inbox.connections == 3


def test_threads_share_the_connections_there_may_be(inbox: Inbox, write: Write) -> None:
    """
    Every message arrives once, whole, at its own address, over no more connections than that.
    """
    messages = [
        write(id=f"{number:032x}", to=f"ada{number}@example.com", subject=f"no {number}") for number in range(60)
    ]
    with (
        mail_server(inbox) as address,
        sending(f"smtp://{address}", connections=2) as backend,
        ThreadPoolExecutor(8) as pool,
    ):
        assert {Outcome.ACCEPTED} == {receipt.outcome for receipt in pool.map(backend.send, messages)}
    arrived = {envelope.rcpt_tos[0]: envelope.original_content or b"" for envelope in inbox.envelopes}
    assert len(messages) == len(inbox.envelopes) == len(arrived)
    for message in messages:
        assert f"Subject: {message.subject}\r\n".encode() in arrived[message.to]
    assert inbox.connections <= 2


def test_closing_is_not_the_end(inbox: Inbox, write: Write) -> None:
    """
    The next message opens a new connection.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        backend.send(write())
        backend.close()
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    assert inbox.connections == 2


# ---- addresses


def test_an_address_outside_ascii_goes_to_a_server_that_takes_it(inbox: Inbox, write: Write) -> None:
    """
    Envelope and header alike.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        assert Outcome.ACCEPTED is backend.send(write(to="jürgen@bücher.de", subject="Grüße")).outcome
        assert Outcome.ACCEPTED is backend.send(write(to="ada@bücher.de", subject="Grüße")).outcome
    first, second = inbox.envelopes
    assert first.rcpt_tos == ["jürgen@bücher.de"]
    assert {"SMTPUTF8", "BODY=8BITMIME"} < set(first.mail_options)
    assert "\r\nTo: jürgen@bücher.de\r\nSubject: Grüße\r\n".encode() in inbox.contents[0]
    assert second.rcpt_tos == ["ada@xn--bcher-kva.de"]
    assert inbox.contents[1].isascii()


def test_an_address_outside_ascii_is_refused_where_the_server_does_not_take_it(inbox: Inbox, write: Write) -> None:
    """
    Trying again would not help. The connection stays good for the next message.
    """
    with mail_server(inbox, enable_SMTPUTF8=False) as address, sending(f"smtp://{address}") as backend:
        receipt = backend.send(write(to="jürgen@bücher.de"))
        assert Outcome.ACCEPTED is backend.send(write(to="ada@bücher.de")).outcome
    assert Outcome.REFUSED is receipt.outcome
    assert "SMTPUTF8" in receipt.reply
    assert "jürgen" not in receipt.reply
    assert len(inbox.envelopes) == 1


# ---- encryption and log-in


def test_starttls_and_log_in(inbox: Inbox, authority: Authority, write: Write) -> None:
    """
    User and password come out of the URL decoded.
    """
    with (
        mail_server(
            inbox,
            tls_context=authority.server("127.0.0.1"),
            require_starttls=True,
            auth_required=True,
            authenticator=let_in,
        ) as address,
        sending(f"smtp://optly:s3cret%3A%2F%40@{address}", tls=TLS.STARTTLS, cafile=authority.file) as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    assert inbox.sessions[0].authenticated


def test_implicit_tls(inbox: Inbox, authority: Authority, write: Write) -> None:
    """
    From the first byte on, with a context of the caller's own.
    """
    context = ssl.create_default_context(cafile=authority.file)
    with (
        mail_server(inbox, implicit=authority.server("127.0.0.1")) as address,
        sending(f"smtps://{address}", ssl_context=context) as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write()).outcome


@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
@pytest.mark.parametrize(
    ("host", "known", "why"),
    [("127.0.0.1", False, "unable to get local issuer certificate"), ("mail.example.com", True, "IP address mismatch")],
)
def test_a_certificate_that_proves_nothing_is_not_accepted(
    inbox: Inbox, authority: Authority, write: Write, scheme: str, host: str, known: bool, why: str
) -> None:
    """
    One that nobody vouches for, and one that is somebody else's. Nothing was said, so the message may go later.
    """
    context = authority.server(host)
    server = {"implicit": context} if scheme == "smtps" else {"tls_context": context}
    with (
        mail_server(inbox, **server) as address,
        sending(
            f"{scheme}://{address}",
            tls=TLS.STARTTLS if scheme == "smtp" else TLS.IMPLICIT,
            cafile=authority.file if known else None,
        ) as backend,
    ):
        receipt = backend.send(write())
    assert Outcome.RETRY_LATER is receipt.outcome
    assert why in receipt.reply
    assert inbox.envelopes == []


def test_a_server_without_encryption_gets_nothing(inbox: Inbox, authority: Authority, write: Write) -> None:
    """
    Not the message and not the password. Somebody in between may have taken the offer out.
    """
    with (
        mail_server(inbox, authenticator=let_in, auth_require_tls=False) as address,
        sending(f"smtp://optly:s3cret%3A%2F%40@{address}", tls=TLS.STARTTLS, cafile=authority.file) as backend,
    ):
        receipt = backend.send(write())
    assert Outcome.RETRY_LATER is receipt.outcome
    assert "STARTTLS" in receipt.reply
    assert inbox.envelopes == []


def test_what_was_said_before_encryption_does_not_count(write: Write) -> None:
    """
    Replies that somebody slipped in behind the one to STARTTLS are thrown away with the rest of the plain text.
    """

    def slip_in(line: Line) -> None:
        line.say("220 ready")
        line.hear("EHLO")
        line.say("250 STARTTLS")
        line.hear("STARTTLS")
        line.say("220 go\r\n250 hello\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 taken")
        line.hang()

    with (
        ScriptedServer(slip_in) as server,
        sending(f"smtp://{server.address}", tls=TLS.STARTTLS, timeout=timedelta(seconds=0.3)) as backend,
    ):
        assert Outcome.RETRY_LATER is backend.send(write()).outcome


def test_a_wrong_password_is_no_fault_of_the_message(inbox: Inbox, write: Write) -> None:
    """
    It may go when the password has been put right.
    """
    with (
        mail_server(inbox, authenticator=let_in, auth_require_tls=False) as address,
        sending(f"smtp://{address}", user="optly", password="wrong") as backend,
    ):
        receipt = backend.send(write())
    assert (receipt.outcome, receipt.code, receipt.status) == (Outcome.RETRY_LATER, 535, "5.7.8")


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning")
def test_a_server_that_wants_a_log_in_does_not_refuse_the_message(inbox: Inbox, write: Write) -> None:
    """
    530 is about us.
    """
    with (
        mail_server(inbox, authenticator=let_in, auth_require_tls=False, auth_required=True) as address,
        sending(f"smtp://{address}") as backend,
    ):
        receipt = backend.send(write())
    assert (receipt.outcome, receipt.code) == (Outcome.RETRY_LATER, 530)


# ---- refusals


LATER, REFUSED = Outcome.RETRY_LATER, Outcome.REFUSED


@pytest.mark.parametrize("step", ["mail", "rcpt", "data", "dot"])
@pytest.mark.parametrize(
    ("answer", "outcome", "fault"),
    [
        ("451 4.7.1 Greylisted, try again later", LATER, None),
        ("454 Throttling failure: Maximum sending rate exceeded.", LATER, Fault.BACKEND),
        ("550 5.1.1 No such user", REFUSED, Fault.ADDRESS),
        ("550 5.4.5 Daily user sending limit exceeded", LATER, Fault.BACKEND),
        ("550 5.7.1 Recipient address rejected: Email Sending Quota Exceeded", LATER, Fault.BACKEND),
        ("550 5.1.90 You have reached your daily limit for message recipients", LATER, Fault.BACKEND),
        ("554 Message rejected: Email address is not verified", LATER, Fault.BACKEND),
        ("553 5.7.1 Sender address rejected: not owned by user acme", LATER, Fault.BACKEND),
        ("554 5.7.1 Relay access denied", LATER, Fault.BACKEND),
        ("552 You are over your relay quota of 500", LATER, Fault.BACKEND),
        ("554 5.7.1 Blocked by policy", REFUSED, Fault.MESSAGE),
    ],
)
def test_a_refusal_is_what_the_server_says(
    inbox: Inbox, write: Write, step: str, answer: str, outcome: Outcome, fault: Fault | None
) -> None:
    """
    At whichever step, and the next message goes over the same connection.

    All that was said at the first step is our own address. What is refused there would be refused of any message.
    """
    if step == "mail":
        outcome, fault = LATER, Fault.BACKEND
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        backend.send(write())
        inbox.answers[step] = answer
        refused = backend.send(write())
        del inbox.answers[step]
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    code, _, text = answer.partition(" ")
    status = text.split()[0] if text[0].isdigit() else ""
    assert Receipt(outcome=outcome, reply=answer, code=int(code), status=status, fault=fault) == refused
    assert inbox.connections == 1


@needs_inputs
@pytest.mark.parametrize("name", reported("n"))
def test_a_fault_of_the_account_that_was_reported_costs_no_message(inbox: Inbox, write: Write, name: str) -> None:
    """
    Each of the batch waits, whatever the step and the code.
    """
    given = json.loads((INPUTS / name).read_text())
    inbox.answers[given["step"]] = given["reply"]
    messages = [write(id=f"{number:032x}", to=f"ada{number}@example.com") for number in range(5)]
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        receipts = backend.send_all(messages)
    assert [(LATER, Fault.BACKEND)] * 5 == [(receipt.outcome, receipt.fault) for receipt in receipts]


@pytest.mark.parametrize(
    ("answer", "outcome", "fault"),
    [
        ("550 5.1.2 No such domain", REFUSED, Fault.ADDRESS),
        ("501 5.1.3 No such form of address", REFUSED, Fault.ADDRESS),
        ("551 5.1.6 Moved", REFUSED, Fault.ADDRESS),
        ("556 5.1.10 Null MX", REFUSED, Fault.ADDRESS),
        ("550 5.2.1 This mailbox is no longer in use", REFUSED, Fault.ADDRESS),
        ("450 4.2.1 Mailbox closed for now", LATER, Fault.MAILBOX),
        ("452 4.2.2 Mailbox full", LATER, Fault.MAILBOX),
        ("552 5.2.2 Mailbox full", LATER, Fault.MAILBOX),
        ("552 Requested mail action aborted: exceeded storage allocation", LATER, Fault.MAILBOX),
        # Yahoo's words.
        ("552 1 Requested mail action aborted, mailbox not found", REFUSED, None),
        ("552 5.2.3 Too long for this mailbox", REFUSED, Fault.MESSAGE),
        ("552 5.3.4 Too long", REFUSED, Fault.MESSAGE),
        ("553 5.6.7 Not in ASCII", REFUSED, Fault.MESSAGE),
        ("550 5.7.515 Access denied, sending domain does not meet the required level", REFUSED, Fault.MESSAGE),
        ("550 5.1.8 Sender domain does not exist", LATER, Fault.BACKEND),
        ("452 4.3.1 Insufficient system storage", LATER, Fault.BACKEND),
        ("451 4.3.2 Not now", LATER, Fault.BACKEND),
        ("451 4.3.0 Error while processing", LATER, None),
        ("454 4.7.1 Relay access denied", LATER, Fault.BACKEND),
        ("530 5.7.0 Must issue a STARTTLS command first", LATER, Fault.BACKEND),
        ("535 5.7.8 Authentication credentials invalid", LATER, Fault.BACKEND),
        ("503 5.5.1 Bad sequence of commands", LATER, Fault.BACKEND),
        ("450 Try later", LATER, None),
        ("452 4.5.3 Too many recipients", LATER, None),
        # A mailbox that is disabled may be opened again.
        ("550 5.2.1 Mailbox closed", REFUSED, None),
        # Without an enhanced code a 550 may as well be a block.
        ("550 No such user", REFUSED, None),
        ("550 5.1.0 Address rejected", REFUSED, None),
        ("550 5.1.11 Something about addresses that is not known yet", REFUSED, None),
        ("550 5.4.1 Access denied", REFUSED, None),
        ("550 5.1.1x No status", REFUSED, None),
    ],
)
def test_only_the_enhanced_code_says_that_nobody_is_there(
    inbox: Inbox, write: Write, answer: str, outcome: Outcome, fault: Fault | None
) -> None:
    """
    A line that is taken for dead is not written to again, so that has to be certain.

    Source: RFC 3463 section 3, RFC 5321 section 4.2.2, RFC 7505 section 4.2.
    """
    inbox.answers["rcpt"] = answer
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        receipt = backend.send(write())
    assert (outcome, fault) == (receipt.outcome, receipt.fault)


@pytest.mark.parametrize(
    ("answer", "outcome", "fault"),
    [
        ("552 5.3.4 Message size exceeds fixed limit", REFUSED, Fault.MESSAGE),
        ("550 5.7.1 Sender not owned by user", LATER, Fault.BACKEND),
        ("553 5.1.8 Sender does not exist", LATER, Fault.BACKEND),
        ("452 4.3.1 Insufficient system storage", LATER, Fault.BACKEND),
    ],
)
def test_what_is_refused_at_the_first_step_is_not_the_message(
    inbox: Inbox, write: Write, answer: str, outcome: Outcome, fault: Fault
) -> None:
    """
    But for its length: an unverified sender must not cost every message that goes out before it is put right.
    """
    inbox.answers["mail"] = answer
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        receipt = backend.send(write())
    assert (outcome, fault) == (receipt.outcome, receipt.fault)


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        ("250 2.0.0 Ok: queued as 4XyZ1k2m3Nz9rT", "4XyZ1k2m3Nz9rT"),
        ("250 OK id=1t9abC-00000001Xyz-0abc", "1t9abC-00000001Xyz-0abc"),
        ("250 2.0.0 4AO9UAbC012345 Message accepted for delivery", "4AO9UAbC012345"),
        (
            "250 Ok 0102019358f1a2b3-0f0e0d0c-1111-2222-3333-444455556666-000000",
            "0102019358f1a2b3-0f0e0d0c-1111-2222-3333-444455556666-000000",
        ),
        ("250 2.0.0 OK", ""),
        ("250 Thanks", ""),
    ],
)
def test_the_name_the_server_gave_it_is_known(inbox: Inbox, write: Write, answer: str, name: str) -> None:
    """
    As Postfix, Exim, Sendmail and Amazon write it. Where none is recognised there is none.
    """
    inbox.answers["dot"] = answer
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        assert name == backend.send(write()).provider_id


def test_the_operator_hears_of_policy_and_of_what_is_broken(
    inbox: Inbox, write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    """
    By codes and ids. What the server says may hold an address.
    """
    inbox.answers |= {"bob": "550 5.7.1 <bob@example.com> is not to be written to", "cy": "550 5.1.1 <cy@example.com>"}
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        for name in ("ada", "bob", "cy"):
            backend.send(write(to=f"{name}@example.com"))
        inbox.answers["rcpt"] = "530 5.7.0 <ada@example.com> Log in first"
        backend.send(write())
    records = [vars(record) for record in caplog.records]
    assert [
        ("a mail server refused a message as a matter of policy", "WARNING", "5.7.1", "0123456789abcdef" * 2),
        ("a mail server cannot be used", "WARNING", "5.7.0", None),
    ] == [(record["msg"], record["levelname"], record["status"], record.get("message_id")) for record in records]
    assert "example.com" not in repr(records)


def test_one_recipient_is_refused_and_the_others_are_not(inbox: Inbox, write: Write) -> None:
    """
    What was refused is not carried into the next message.
    """
    inbox.answers["bob"] = "550 5.1.1 No such user"
    with mail_server(inbox) as address, sending(f"smtp://{address}") as backend:
        outcomes = [backend.send(write(to=f"{name}@example.com")).outcome for name in ("ada", "bob", "cy")]
    assert outcomes == [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED]
    assert [envelope.rcpt_tos for envelope in inbox.envelopes] == [["ada@example.com"], ["cy@example.com"]]


# ---- servers that break off

EHLO, MAIL, RCPT, DATA = ("EHLO", "250 ok"), ("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")
STEPS = [("", "220 ready"), EHLO, MAIL, RCPT, DATA]


def up_to(count: int, then: Callable[[Line], None]) -> Callable[[Line], None]:
    """
    A script that takes *count* steps, hears the next command or the whole content, and goes on as told.
    """

    def play(line: Line) -> None:
        for verb, answer in STEPS[:count]:
            if verb:
                line.hear(verb)
            line.say(answer)
        if count == len(STEPS):
            line.hear_content()
        elif STEPS[count][0]:
            line.hear(STEPS[count][0])
        then(line)

    return play


def say(text: str) -> Callable[[Line], None]:
    def play(line: Line) -> None:
        line.say(text)
        line.hang()

    return play


ENDS = {
    "closes": lambda line: None,
    "hangs": Line.hang,
    "answers garbage": say('!"£$%^&*()'),
    "answers too long a line": say("250 " + "x" * 10_000),
    "answers what makes no sense": say("199 maybe"),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=list(ENDS))
@pytest.mark.parametrize("count", range(len(STEPS) + 1))
def test_only_after_the_final_dot_is_there_doubt(write: Write, count: int, end: Callable[[Line], None]) -> None:
    """
    Whatever the server does at a step, it is no refusal, and nothing is said twice.
    """
    with ScriptedServer(up_to(count, end)) as server:
        with sending(f"smtp://{server.address}", timeout=timedelta(seconds=0.3)) as backend:
            receipt = backend.send(write())
        assert server.connections == 1
    assert (Outcome.IN_DOUBT if count == len(STEPS) else Outcome.RETRY_LATER) is receipt.outcome
    assert receipt.reply


@pytest.mark.parametrize("count", range(len(STEPS) + 1))
def test_a_server_that_is_about_to_close_wants_it_later(write: Write, count: int) -> None:
    """
    421 may come at any step, and is believed: after the dot, too, it means that the message was not taken.
    """
    script = up_to(count, say("421 4.3.2 Shutting down"))
    with ScriptedServer(script) as server, sending(f"smtp://{server.address}") as backend:
        receipt = backend.send(write())
    assert (receipt.outcome, receipt.code, receipt.status) == (Outcome.RETRY_LATER, 421, "4.3.2")


def test_a_server_may_take_its_time_over_the_final_dot(write: Write) -> None:
    """
    Longer than over any other step, because giving up would leave the message in doubt; and only over that one.
    """

    def ponder(line: Line) -> None:
        greet(line)
        take(line, before_last=lambda: time.sleep(0.6))
        line.hear("MAIL")
        line.say("250 ok")
        line.hang()

    with (
        ScriptedServer(ponder) as server,
        sending(f"smtp://{server.address}", timeout=timedelta(seconds=0.3)) as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write()).outcome
        began = time.monotonic()
        assert Outcome.RETRY_LATER is backend.send(write()).outcome
        assert time.monotonic() - began < 2


def test_a_server_that_closes_in_the_middle_of_the_content_has_not_got_it(write: Write) -> None:
    """
    It cannot have seen the final dot.
    """

    def close(line: Line) -> None:
        for verb, answer in STEPS:
            if verb:
                line.hear(verb)
            line.say(answer)

    with ScriptedServer(close) as server, sending(f"smtp://{server.address}") as backend:
        receipt = backend.send(write(text="x" * 20_000_000))
    assert Outcome.RETRY_LATER is receipt.outcome


@pytest.mark.parametrize("warning", ["", "421 4.4.2 Idle too long", "garbage"], ids=["silently", "with 421", "garbled"])
def test_a_connection_that_went_stale_is_replaced_once(write: Write, warning: str) -> None:
    """
    A server may close an idle connection. The message goes over a new one, and goes once.
    """
    left = threading.Event()
    contents = []

    def tire(line: Line) -> None:
        greet(line)
        contents.append(take(line))
        if warning:
            line.say(warning)
        line.close()
        left.set()

    def stay(line: Line) -> None:
        greet(line)
        while True:
            contents.append(take(line))

    with ScriptedServer(tire, stay) as server, sending(f"smtp://{server.address}") as backend:
        backend.send(write(subject="first"))
        assert left.wait(5)
        assert Outcome.ACCEPTED is backend.send(write(subject="second")).outcome
        assert Outcome.ACCEPTED is backend.send(write(subject="third")).outcome
        assert server.connections == 2
    assert [re.findall(rb"Subject: (\w+)", content) for content in contents] == [[b"first"], [b"second"], [b"third"]]


def test_a_kept_connection_that_breaks_later_is_not_tried_again(write: Write) -> None:
    """
    Once the server has answered anything about the message, it is for the outbox to say when to try again.
    """

    def break_off(line: Line) -> None:
        greet(line)
        take(line)
        line.hear("MAIL")
        line.say("250 ok")

    with ScriptedServer(break_off) as server, sending(f"smtp://{server.address}") as backend:
        backend.send(write())
        assert Outcome.RETRY_LATER is backend.send(write()).outcome
        assert server.connections == 1


def test_a_kept_connection_that_breaks_after_the_dot_is_in_doubt(write: Write) -> None:
    """
    A new connection must not hear the message again.
    """

    def break_off(line: Line) -> None:
        greet(line)
        take(line)
        take(line, last="")

    with ScriptedServer(break_off) as server, sending(f"smtp://{server.address}") as backend:
        backend.send(write())
        assert Outcome.IN_DOUBT is backend.send(write()).outcome
        assert server.connections == 1


def test_a_server_that_will_not_start_over_loses_the_connection(write: Write) -> None:
    """
    What it refused must not run into the next message.
    """

    def stubborn(line: Line) -> None:
        greet(line)
        line.hear("MAIL")
        line.say("550 5.7.1 no")
        line.hear("RSET")
        line.say("500 what?")
        line.hang()

    def willing(line: Line) -> None:
        greet(line)
        take(line)

    with ScriptedServer(stubborn, willing) as server, sending(f"smtp://{server.address}") as backend:
        assert Outcome.RETRY_LATER is backend.send(write()).outcome
        assert Outcome.ACCEPTED is backend.send(write()).outcome


def test_a_letter_cut_short_leaves_no_connection_behind(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    When a task queue's time limit strikes, a reply that is still to come must not be taken for one to the next message.
    """

    class TimeLimitError(BaseException):
        pass

    def strike(*_: object, **__: object) -> None:
        raise TimeLimitError

    def serve(line: Line) -> None:
        greet(line)
        while True:
            take(line)

    with ScriptedServer(serve) as server, sending(f"smtp://{server.address}") as backend:
        for method in ("reply", "write", "_line"):
            backend.send(write())
            with monkeypatch.context() as patch:
                patch.setattr(Wire, method, strike)
                with pytest.raises(TimeLimitError):
                    backend.send(write())
        assert Outcome.ACCEPTED is backend.send(write()).outcome
        assert server.connections == 4


def test_what_a_server_says_can_be_stored_anywhere(write: Write) -> None:
    """
    However long it is and whatever is in it. Otherwise it could keep an accepted message from being recorded.
    """

    def babble(line: Line) -> None:
        greet(line)
        take(line, last="250-\0\x1b[31m" + "\r\n250-".join(["x" * 900] * 20) + "\r\n250 end")

    with ScriptedServer(babble) as server, sending(f"smtp://{server.address}") as backend:
        receipt = backend.send(write())
    assert Outcome.ACCEPTED is receipt.outcome
    assert len(receipt.reply) == 1000
    assert all(character.isprintable() or character == "\n" for character in receipt.reply)
    assert receipt == pickle.loads(pickle.dumps(receipt))


# ---- what may be added


def spoken(line: Line, said: list[str], *extensions: str) -> None:
    """
    Take one message and note the commands.
    """
    greet(line, *extensions)
    for verb, answer in [("MAIL", "250 ok"), ("RCPT", "250 ok"), ("DATA", "354 go on")]:
        said.append(line.hear(verb))
        line.say(answer)
    line.hear_content()
    line.say("250 2.0.0 taken")


@pytest.mark.parametrize("success", [False, True])
@pytest.mark.parametrize(
    ("to", "orcpt"),
    [
        ("ada@example.com", " ORCPT=rfc822;ada@example.com"),
        ("a+b=c@bücher.de", " ORCPT=rfc822;a+2Bb+3Dc@xn--bcher-kva.de"),
        ("jürgen@bücher.de", ""),
    ],
)
def test_notifications_are_asked_for_where_they_are_offered(write: Write, to: str, orcpt: str, success: bool) -> None:
    """
    By the message's id, and with no more of it than its headers.

    Source: RFC 3461 sections 4.1 to 4.4.
    """
    said: list[str] = []
    with (
        ScriptedServer(lambda line: spoken(line, said, "DSN", "SMTPUTF8")) as server,
        sending(f"smtp://{server.address}", dsn=True, dsn_success=success) as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write(to=to)).outcome
    utf8 = "" if to.partition("@")[0].isascii() else " BODY=8BITMIME SMTPUTF8"
    assert f"MAIL FROM:<hello@acme.example.com>{utf8} RET=HDRS ENVID={write().id}\r\n" == said[0]
    notify = "SUCCESS,FAILURE,DELAY" if success else "FAILURE,DELAY"
    assert said[1].endswith(f"> NOTIFY={notify}{orcpt}\r\n")


@pytest.mark.parametrize(("offered", "asked"), [(True, False), (False, True)])
def test_notifications_are_asked_for_only_then(write: Write, offered: bool, asked: bool) -> None:
    """
    A server that does not know the words would refuse the message.
    """
    said: list[str] = []
    extensions = ["DSN"] if offered else []
    with (
        ScriptedServer(lambda line: spoken(line, said, *extensions)) as server,
        sending(f"smtp://{server.address}", dsn=asked) as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    assert ["MAIL FROM:<hello@acme.example.com>\r\n", "RCPT TO:<ada@example.com>\r\n", "DATA\r\n"] == said


class Tagged:
    """
    Makes return paths that can be told apart.
    """

    def address_for(self, contact: str, message: str) -> str:
        return f"bounces+{contact[:2]}-{message[:4]}@bücher.de"


@pytest.mark.parametrize(
    ("path", "expected"),
    [("bounces@example.com", "bounces@example.com"), (Tagged(), "bounces+cd-0123@xn--bcher-kva.de")],
)
def test_bounces_go_where_they_are_collected(inbox: Inbox, write: Write, path: object, expected: str) -> None:
    """
    To one address or one for each message. Whom the message is from remains what it was.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}", return_path=path) as backend:
        assert [Outcome.ACCEPTED] == [got.outcome for got in backend.send_all([write(contact="cd" * 16)])]
    assert expected == inbox.envelopes[0].mail_from
    assert inbox.contents[0].startswith(b"From: Acme <hello@acme.example.com>\r\n")


def test_an_unsubscribe_header_names_an_address_too(inbox: Inbox, write: Write) -> None:
    """
    Signed, and of its own for each message, if each has a return path of its own. Mail without the header gets none.
    """
    path = ReturnPath("bounces@acme.example.com", Keys(current="a key for this test"))
    page = {"List-Unsubscribe": "<https://acme.example.com/my/u/x>"}
    letters = [write(contact="cd" * 16, headers=page), write(contact="cd" * 16), write(headers=page)]
    with mail_server(inbox) as address, sending(f"smtp://{address}", return_path=path) as backend:
        backend.send_all(letters)
    headers = [message_from_bytes(content, policy=SMTP)["List-Unsubscribe"] for content in inbox.contents]
    assert headers.count(page["List-Unsubscribe"]) == headers.count(None) == 1
    named = re.compile(
        r"<https://acme\.example\.com/my/u/x>, <mailto:(bounces\+\w{52}@acme\.example\.com)\?subject=\w+>"
    )
    (found,) = filter(None, map(named.fullmatch, filter(None, headers)))
    assert path.find_stop(found[1]) == ("cd" * 16, letters[0].id[:16])


class Broken:
    """
    Fails as somebody else's code may.
    """

    def __init__(self, result: object = None) -> None:
        self.result = result

    def address_for(self, contact: str, message: str) -> str:
        return self.sign(b"")  # type: ignore[return-value]

    def sign(self, content: bytes) -> bytes:
        if self.result is None:
            raise LookupError("nothing for ada@example.com")
        return self.result  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({"signer": Broken()}, "LookupError"),
        ({"signer": Broken("text")}, "TypeError"),
        ({"signer": Broken(b"Half: a\nline\r\n")}, "HeaderError"),
        ({"signer": Broken(b"No: end")}, "HeaderError"),
        ({"signer": Broken(b".\r\n")}, "HeaderError"),
        ({"return_path": Broken()}, "LookupError"),
        ({"return_path": Broken("nobody")}, "AddressError"),
    ],
)
def test_a_message_waits_until_the_settings_are_put_right(
    inbox: Inbox, write: Write, settings: dict[str, Any], kind: str
) -> None:
    """
    What is wrong with them is no fault of it, and what the error says is not kept: it may hold an address.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}", **settings) as backend:
        receipts = [backend.send(write()), *backend.send_all([write(), write()])]
    assert {(Outcome.RETRY_LATER, Fault.BACKEND)} == {(got.outcome, got.fault) for got in receipts}
    assert receipts[0].reply.endswith(f" made: {kind}" if "return_path" in settings else f" signed: {kind}")
    assert inbox.envelopes == []


def test_an_id_a_return_path_cannot_be_made_of_is_a_mistake(inbox: Inbox, write: Write) -> None:
    """
    Of the call and not of the settings.
    """

    class Strict:
        def address_for(self, contact: str, message: str) -> str:
            raise UsageError("no such id")

    with mail_server(inbox) as address, sending(f"smtp://{address}", return_path=Strict()) as backend:
        with pytest.raises(UsageError):
            backend.send(write())
        (receipt,) = backend.send_all([write()])
    assert (Outcome.REFUSED, Fault.MESSAGE) == (receipt.outcome, receipt.fault)


def test_what_is_signed_is_what_is_sent(inbox: Inbox, write: Write) -> None:
    """
    Byte for byte, lines that begin with a dot included, with all headers that go out.
    """
    signed = []

    class Signer:
        def sign(self, content: bytes) -> bytes:
            signed.append(content)
            return b"DKIM-Signature: v=1\r\n" + content

    with (
        mail_server(inbox) as address,
        sending(f"smtp://{address}", signer=Signer(), feedback_id="offers:acmeltd") as backend,
    ):
        assert Outcome.ACCEPTED is backend.send(write(text=".\n..\nx\n")).outcome
    assert [b"DKIM-Signature: v=1\r\n" + signed[0]] == [inbox.envelopes[0].original_content]
    assert b"\r\nFeedback-ID: offers:acmeltd\r\n" in signed[0]


@pytest.mark.parametrize("feedback_id", ["offers:acmel", "a:b:c:acmeacmeacmeace", ":::acmeltd"])
def test_a_message_may_have_a_feedback_id_of_its_own(inbox: Inbox, write: Write, feedback_id: str) -> None:
    """
    It then has that one alone, however it is spelt.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}", feedback_id=feedback_id) as backend:
        backend.send(write())
        backend.send(write(headers={"feedback-id": "mine:acmeltd"}))
    found = [re.findall(rb"^feedback-id: (.*)\r$", content, re.MULTILINE | re.IGNORECASE) for content in inbox.contents]
    assert [[feedback_id.encode()], [b"mine:acmeltd"]] == found


# ---- processes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_leaves_the_connection_to_the_parent(inbox: Inbox, write: Write) -> None:
    """
    The child makes its own, even if another thread of the parent was at work, and the parent's goes on.
    """
    with mail_server(inbox) as address, sending(f"smtp://{address}", connections=1) as backend:
        backend.send(write())
        with backend._lock, backend._slots:
            child = os.fork()
            if child == 0:
                signal.alarm(10)  # A child that waits for a lock would wait for ever.
                os._exit(0 if not backend._kept and backend.send(write()).outcome is Outcome.ACCEPTED else 1)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    peers = [session.peer for session in inbox.sessions]
    assert [left == right for left, right in pairwise(peers)] == [False, False]
    assert peers[0] == peers[2]


# ---- settings


@pytest.mark.parametrize(
    "url",
    [
        "",
        "http://127.0.0.1",
        "smtp://",
        "smtp:127.0.0.1",
        "smtp://127.0.0.1:port",
        "smtp://127.0.0.1:99999",
        "smtp://[::1",
        "smtp://127.0.0.1/path",
        "smtp://127.0.0.1?tls=none",
        "smtp://user@127.0.0.1",
        "smtp://user:s3cret#@127.0.0.1",
        "smtp://user:s3cret/@127.0.0.1",
        "smtp://user:s3cret%0D%0A@127.0.0.1",
        "smtp://user:s3cr%C3%A9t@127.0.0.1",
    ],
)
def test_a_url_that_cannot_work_is_refused_at_once_and_not_repeated(url: str) -> None:
    """
    There may be a password in it, least of all where one would look for it.
    """
    with pytest.raises(ConfigurationError) as caught:
        SMTPBackend(url, sender=SENDER)
    assert "s3cr" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize(
    "settings",
    [
        {"user": "optly"},
        {"password": "s3cret"},
        {"tls": TLS.IMPLICIT},
        {"tls": TLS.NONE, "user": "optly", "password": "s3cret"},
        {"cafile": "/nowhere"},
        {"cafile": "/nowhere", "ssl_context": ssl.create_default_context()},
        {"tls": TLS.NONE, "cafile": "/nowhere"},
        {"timeout": timedelta(0)},
        {"messages_per_connection": 0},
        {"connections": 0},
        {"dsn_success": True},
        {"return_path": "bounces"},
        {"feedback_id": "acmeltd"},
        {"feedback_id": "offers:acme"},
        {"feedback_id": "offers:acmeacmeacmeacme"},
        {"feedback_id": "a:b:c:d:acmeltd"},
        {"feedback_id": "offers\r\nBcc:acmeltd"},
        {"sender": "Acme"},
    ],
)
def test_settings_that_cannot_work_are_refused_at_once(settings: dict[str, Any]) -> None:
    """
    Before the first message is due.
    """
    with pytest.raises(ConfigurationError):
        SMTPBackend("smtp://mail.example.com", **{"sender": SENDER, **settings})


@pytest.mark.parametrize(
    ("url", "port", "tls"),
    [
        ("smtp://mail.example.com", 587, TLS.STARTTLS),
        ("smtps://mail.example.com", 465, TLS.IMPLICIT),
        ("smtp://mail.example.com:25", 25, TLS.STARTTLS),
        ("smtp://localhost:25", 25, TLS.NONE),
        ("smtp://127.0.0.2:25", 25, TLS.NONE),
        ("smtp://[::1]:25", 25, TLS.NONE),
        ("smtps://127.0.0.1", 465, TLS.IMPLICIT),
        ("smtp://127.0.0.1.example.com", 587, TLS.STARTTLS),
        ("smtp://10.0.0.1", 587, TLS.STARTTLS),
    ],
)
def test_a_network_is_crossed_encrypted_unless_told_otherwise(url: str, port: int, tls: TLS) -> None:
    """
    Only this very machine needs no encryption.
    """
    server = SMTPBackend(url, sender=SENDER)._server
    assert (port, tls) == (server.port, server.tls)
