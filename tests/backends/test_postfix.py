"""
With a real mail server at the other end, and with what it sends back.
"""

from __future__ import annotations

import re
import secrets
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import dkim
import pytest
from backends.mail_servers import SENDER, Authority
from backends.postfix import SIZE_LIMIT, Postfix, running
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from world import KEYS, world

from optly import Channel, Solicited
from optly.backends import TLS, SMTPBackend
from optly.backends.dkim import Signer
from optly.backends.mail import read
from optly.backends.verp import ReturnPath
from optly.errors import NotPermittedError
from optly.messages import DeliveryEvent, DeliveryStatus, Fault, Message, Outcome, Receipt
from optly.record.events import MessageAccepted
from optly.results import Effect
from optly.rules import Reason

pytestmark = pytest.mark.server

PATH = ReturnPath("bounces@acme.example.com", KEYS)
CONTACT = "0123456789abcdef" * 2

Write = Callable[..., Message]


@pytest.fixture(scope="session")
def postfix(authority: Authority) -> Iterator[Postfix]:
    """
    A Postfix that is started once.
    """
    with running(authority) as postfix:
        yield postfix


@pytest.fixture
def fresh(write: Write) -> Write:
    """
    A function that makes a message that was not sent before.
    """
    return lambda **parts: write(**{"id": secrets.token_hex(16), "contact": CONTACT} | parts)


@contextmanager
def sending(address: str, **settings: Any) -> Iterator[SMTPBackend]:
    """
    A backend that is closed at the end.
    """
    backend = SMTPBackend(f"smtp://{address}", **{"sender": SENDER, "timeout": timedelta(seconds=10), **settings})
    try:
        yield backend
    finally:
        backend.close()


def verdict(receipt: Receipt) -> tuple[Outcome, Fault | None, int | None, str]:
    return receipt.outcome, receipt.fault, receipt.code, receipt.status


def come_back(postfix: Postfix, path: ReturnPath, message: Message) -> DeliveryEvent:
    """
    Wait for the report about a message, and read it.
    """
    (raw,) = postfix.mails("bounces", path.address_for(message.contact, message.id))
    (event,) = read(raw, now=datetime.now(UTC), return_path=path)
    assert isinstance(event, DeliveryEvent)
    return event


# ---- what it says at once


def test_the_queue_id_is_kept(postfix: Postfix, fresh: Write) -> None:
    """
    The one under which it stands in the server's log.
    """
    message = fresh(to=f"ada.{secrets.token_hex(8)}@example.com")
    with sending(postfix.address) as backend:
        receipt = backend.send(message)
    assert (Outcome.ACCEPTED, None, 250, "2.0.0") == verdict(receipt)
    (mail,) = postfix.mails("people", message.to)
    assert f"id {receipt.provider_id}\n".encode() in mail


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ("full@example.com", (Outcome.RETRY_LATER, Fault.MAILBOX, 452, "4.2.2")),
        ("nobody@users.example.com", (Outcome.REFUSED, Fault.ADDRESS, 550, "5.1.1")),
        ("jane@elsewhere.example", (Outcome.REFUSED, Fault.ADDRESS, 550, "5.1.2")),
        ("policy@example.com", (Outcome.REFUSED, Fault.MESSAGE, 554, "5.7.1")),
    ],
)
@pytest.mark.parametrize("pipelining", [True, False])
def test_a_refusal_is_sorted(
    postfix: Postfix, fresh: Write, to: str, expected: tuple[Outcome, Fault, int, str], pipelining: bool
) -> None:
    """
    A full mailbox, an unknown user, a domain that is nowhere, a policy. And the next message goes out over the same
    connection.
    """
    with sending(postfix.address, pipelining=pipelining) as backend:
        assert expected == verdict(backend.send(fresh(to=to)))
        assert Outcome.ACCEPTED is backend.send(fresh()).outcome


def test_a_greylisted_message_goes_out_later(postfix: Postfix, fresh: Write) -> None:
    """
    The first time the server says to come again. Neither the address nor the message is to blame.
    """
    message = fresh(to=f"grey.{secrets.token_hex(8)}@example.com")
    with sending(postfix.address) as backend:
        receipt = backend.send(message)
        assert (Outcome.RETRY_LATER, 451, "4.7.1") == (receipt.outcome, receipt.code, receipt.status)
        assert receipt.fault not in (Fault.ADDRESS, Fault.MESSAGE)
        assert Outcome.ACCEPTED is backend.send(message).outcome
    assert 1 == len(postfix.mails("people", message.to))


@pytest.mark.parametrize("door", ["address", "bare"])
def test_a_message_that_is_too_long_is_refused(postfix: Postfix, fresh: Write, door: str) -> None:
    """
    Before it is said, where the server tells how much it takes, or by 552 at the end.
    """
    with sending(getattr(postfix, door)) as backend:
        receipt = backend.send(fresh(text="x" * 70 + "\n" + ("y" * 70 + "\n") * (SIZE_LIMIT // 70)))
        assert (Outcome.REFUSED, Fault.MESSAGE) == (receipt.outcome, receipt.fault)
        assert (None, "") == (receipt.code, receipt.status) or (552, "5.3.4") == (receipt.code, receipt.status)
        assert (door == "bare") is (receipt.code == 552)
        assert Outcome.ACCEPTED is backend.send(fresh()).outcome


# ---- TLS


def test_a_certificate_is_verified(postfix: Postfix, fresh: Write, authority: Authority) -> None:
    """
    With the authority that signed it, the message goes out encrypted.
    """
    message = fresh(to=f"ada.{secrets.token_hex(8)}@example.com")
    with sending(postfix.address, tls=TLS.STARTTLS, cafile=authority.file) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    assert b" with ESMTPS " in postfix.mails("people", message.to)[0]


def test_a_certificate_of_somebody_else_is_not(postfix: Postfix, fresh: Write) -> None:
    """
    Nothing is said to such a server, and no message is to blame.
    """
    with sending(postfix.address, tls=TLS.STARTTLS) as backend:
        receipt = backend.send(fresh())
    assert (Outcome.RETRY_LATER, Fault.BACKEND, None, "") == verdict(receipt)
    assert "certificate" in receipt.reply


# ---- addresses


def test_an_address_outside_ascii_arrives(postfix: Postfix, fresh: Write) -> None:
    """
    Its local part in UTF-8, its domain in either form.
    """
    name = f"jürgen.{secrets.token_hex(8)}"
    with sending(postfix.address) as backend:
        assert Outcome.ACCEPTED is backend.send(fresh(to=f"{name}@example.com", subject="Grüße ŵ")).outcome
        assert Outcome.ACCEPTED is backend.send(fresh(to=f"{name}@bücher.example")).outcome
    (mail,) = postfix.mails("people", f"{name}@example.com")
    assert f"\nTo: {name}@example.com\nSubject: Grüße ŵ\n".encode() in mail
    assert 1 == len(postfix.mails("people", f"{name}@bücher.example"))


# ---- what comes back


@pytest.mark.parametrize("path", [PATH, ReturnPath("@bounces.example.com", KEYS)], ids=["mailbox", "domain of its own"])
@pytest.mark.parametrize("dsn", [True, False])
def test_a_message_that_was_taken_comes_back_later(postfix: Postfix, fresh: Write, path: ReturnPath, dsn: bool) -> None:
    """
    The next server knows no such user. What Postfix makes of that says which message and whose, and that the address is
    dead.
    """
    local = f"gone.{secrets.token_hex(8)}"
    postfix.next_hop.answers[local] = "550 5.1.1 no such user"
    message = fresh(to=f"{local}@next.example.com")
    with sending(postfix.address, return_path=path, dsn=dsn) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    event = come_back(postfix, path, message)
    assert event == DeliveryEvent(
        id=event.id,
        backend="mail",
        channel=message.channel,
        status=DeliveryStatus.BOUNCED,
        contact=CONTACT,
        message=message.id[:16],
        to=message.to,
        at=event.at,
        code="550",
        status_code="5.1.1",
        detail="smtp; 550 5.1.1 no such user",
    )
    assert timedelta(0) <= datetime.now(UTC) - event.at < timedelta(minutes=5)


@pytest.mark.parametrize(
    ("answer", "status_code"),
    [("550 5.7.1 not from you", "5.7.1"), ("552 5.2.2 mailbox full", "5.2.2"), ("550 go away", "5.0.0")],
)
def test_a_message_that_comes_back_for_another_reason(
    postfix: Postfix, fresh: Write, answer: str, status_code: str
) -> None:
    """
    Says nothing lasting about the address.
    """
    local = f"gone.{secrets.token_hex(8)}"
    postfix.next_hop.answers[local] = answer
    message = fresh(to=f"{local}@next.example.com")
    with sending(postfix.address, return_path=PATH) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    event = come_back(postfix, PATH, message)
    assert (DeliveryStatus.FAILED, status_code) == (event.status, event.status_code)


def test_without_a_signed_return_path_the_returned_message_tells(postfix: Postfix, fresh: Write) -> None:
    """
    By its own id, all of it.
    """
    local = f"gone.{secrets.token_hex(8)}"
    postfix.next_hop.answers[local] = "550 5.1.1 no such user"
    message = fresh(to=f"{local}@next.example.com")
    bounces = f"bounces+{secrets.token_hex(8)}@acme.example.com"
    with sending(postfix.address, return_path=bounces) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    (raw,) = postfix.mails("bounces", bounces)
    (event,) = read(raw, now=datetime.now(UTC))
    assert isinstance(event, DeliveryEvent)
    assert (DeliveryStatus.BOUNCED, "", message.id, message.to) == (
        event.status,
        event.contact,
        event.message,
        event.to,
    )


def test_a_delivery_is_reported_where_that_is_asked_for(postfix: Postfix, fresh: Write) -> None:
    """
    The server repeats the name that the message was given (RFC 3461 4.4).
    """
    message = fresh(to=f"ada.{secrets.token_hex(8)}@example.com")
    with sending(postfix.address, return_path=PATH, dsn=True, dsn_success=True) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    event = come_back(postfix, PATH, message)
    assert (DeliveryStatus.DELIVERED, message.to, "2.0.0") == (event.status, event.to, event.status_code)
    (raw,) = postfix.mails("bounces", PATH.address_for(message.contact, message.id))
    assert f"\nOriginal-Envelope-Id: {message.id}\n".encode() in raw
    assert f"\nOriginal-Recipient: rfc822;{message.to}\n".encode() in raw


def test_a_message_that_left_for_a_server_without_reports_is_not_delivered_yet(postfix: Postfix, fresh: Write) -> None:
    """
    Nobody knows whether it arrives.
    """
    message = fresh(to=f"ada.{secrets.token_hex(8)}@next.example.com")
    with sending(postfix.address, return_path=PATH, dsn=True, dsn_success=True) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    assert DeliveryStatus.SENT is come_back(postfix, PATH, message).status


def test_a_message_outside_ascii_comes_back_as_well(postfix: Postfix, fresh: Write) -> None:
    """
    In the form of RFC 6533.
    """
    local = f"jürgen.{secrets.token_hex(8)}"
    postfix.next_hop.answers[local] = "550 5.1.1 no such user"
    message = fresh(to=f"{local}@next.example.com")
    with sending(postfix.address, return_path=PATH, dsn=True) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    event = come_back(postfix, PATH, message)
    assert (DeliveryStatus.BOUNCED, message.to) == (event.status, event.to)
    (raw,) = postfix.mails("bounces", PATH.address_for(message.contact, message.id))
    assert b"message/global-delivery-status" in raw


def test_an_address_that_turns_out_to_be_dead_is_not_written_to_again(postfix: Postfix) -> None:
    """
    From the question that goes out to the refusal of the next one, with nothing but mail in between. A second copy of
    the report changes nothing.
    """
    local = f"gone.{secrets.token_hex(8)}"
    postfix.next_hop.answers[local] = "550 5.1.1 no such user"
    with sending(postfix.address, return_path=PATH) as backend:
        w = world(backends=[backend], clock=lambda: datetime.now(UTC))
        ada = w.add(email=f"{local}@next.example.com")
        ask = partial(w.manager.request_consent, ada, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"])
        ask(basis=Solicited(how="newsletter form", at=datetime.now(UTC)))
        w.manager.deliver()
        (sent,) = (event for event in w.manager.history(ada) if isinstance(event, MessageAccepted))
        event = come_back(
            postfix, PATH, Message(id=sent.message, contact=ada.id, channel=Channel.EMAIL, to="", text="")
        )
        assert [Effect.RECORDED, Effect.REPEATED] == [w.manager.receive(event).effect for _ in range(2)]
        with pytest.raises(NotPermittedError) as refused:
            ask(basis=Solicited(how="the same form again", at=datetime.now(UTC)))
    assert Reason.UNDELIVERABLE is refused.value.decision.reason


# ---- many, and whole


@pytest.mark.parametrize("pipelining", [True, False])
def test_each_of_two_hundred_arrives_once(postfix: Postfix, fresh: Write, pipelining: bool) -> None:
    """
    Whole, and at its own address. Those that are refused among them are told apart.
    """
    batch = secrets.token_hex(8)
    messages = [fresh(to=f"ada.{number}+{batch}@example.com", text=f"no {number}\n") for number in range(200)]
    messages[50:50] = [fresh(to="nobody@users.example.com"), fresh(to="full@example.com")]
    with sending(postfix.address, pipelining=pipelining) as backend:
        receipts = backend.send_all(messages)
    assert {50: Fault.ADDRESS, 51: Fault.MAILBOX} == {
        number: receipt.fault for number, receipt in enumerate(receipts) if receipt.outcome is not Outcome.ACCEPTED
    }
    for message, receipt in zip(messages, receipts, strict=True):
        if receipt.outcome is Outcome.ACCEPTED:
            (mail,) = postfix.mails("people", message.to)
            assert f"\nMessage-ID: <{message.id}@acme.example.com>\n".encode() in mail
            assert f"\n\n{message.text}".encode() in mail
            assert f"id {receipt.provider_id}\n".encode() in mail


def test_what_was_signed_is_genuine_after_the_next_server(postfix: Postfix, fresh: Write) -> None:
    """
    Nothing is folded, converted or put in another order, and List-Unsubscribe stays on one line.
    """
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    stop = "<https://acme.example.com/my/u/" + "x" * 160 + ">"
    message = fresh(
        to=f"ada.{secrets.token_hex(8)}@next.example.com",
        subject="Grüße ŵ " * 20,
        text=".\n..dots\n" + "é" * 400 + "\nFrom here\n",
        html="<p>" + "é" * 400 + "</p>",
        headers={"List-Unsubscribe": stop, "List-Unsubscribe-Post": "List-Unsubscribe=One-Click"},
    )
    signer = Signer("acme.example.com", "optly", private)
    with sending(postfix.address, signer=signer, feedback_id="offers:acmeltd", return_path=PATH) as backend:
        assert Outcome.ACCEPTED is backend.send(message).outcome
    arrived = postfix.passed_on(message.to)
    assert re.search(rf"\r\nList-Unsubscribe: {re.escape(stop)}, <mailto:[^\r\n]+>\r\n".encode(), arrived)
    assert b"\r\nFeedback-ID: offers:acmeltd\r\n" in arrived

    def lookup(name: bytes, timeout: int = 5) -> bytes:
        return b"v=DKIM1; k=rsa; p=" + public

    assert dkim.verify(arrived, dnsfunc=lookup)
    assert not dkim.verify(re.sub(b"One-Click", b"Two-Click", arrived), dnsfunc=lookup)
