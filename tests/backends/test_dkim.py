"""
What is signed is found genuine by another program than the one that signed it, and nothing of it can be changed.
"""

from __future__ import annotations

import builtins
import re
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import dkim
import pytest
from backends.mail_servers import SENDER, Inbox, mail_server
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from optly.backends import SMTPBackend
from optly.backends.dkim import Signer
from optly.backends.mime import Sender, build
from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError
from optly.messages import Message, Outcome

KEY = rsa.generate_private_key(65537, 2048)
PUBLIC = b64encode(KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
MESSAGE = Message(
    id="0123456789abcdef" * 2,
    channel=Channel.EMAIL,
    to="ada@example.com",
    subject="Grüße",
    text="Hello,\n\n  and  goodbye. \n\n",
    html="<p>Hello</p>",
    headers={
        "List-Unsubscribe": "<https://acme.example.com/my/u/" + "x" * 120 + ">",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        "Feedback-ID": "offers:acmeltd",
    },
)
LETTER = build(MESSAGE, Sender.parse(SENDER), at=datetime(2026, 11, 24, tzinfo=UTC)).content
SIGNED = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
]


def pem(key: PrivateKeyTypes, form: PrivateFormat = PrivateFormat.PKCS8) -> bytes:
    return key.private_bytes(Encoding.PEM, form, NoEncryption())


def genuine(content: bytes) -> bool:
    """
    Ask dkimpy, which works out the signature by itself.
    """

    def lookup(name: bytes, timeout: int = 5) -> bytes:
        assert name == b"optly._domainkey.acme.example.com."
        return b"v=DKIM1; k=rsa; p=" + PUBLIC

    result: bool = dkim.verify(content, dnsfunc=lookup)
    return result


@pytest.fixture(scope="module")
def signer() -> Signer:
    """
    Signs for the sender's domain.
    """
    return Signer("acme.example.com", "optly", pem(KEY))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_a_signature_is_found_genuine(form: PrivateFormat) -> None:
    """
    The email itself is left as it was.
    """
    signed = Signer("acme.example.com", "optly", pem(KEY, form).decode()).sign(LETTER)
    assert signed.endswith(b"\r\n" + LETTER)
    assert genuine(signed)


def test_what_it_says_of_itself(signer: Signer) -> None:
    """
    Who signed, how, and which headers.
    """
    header = signer.sign(LETTER).removesuffix(LETTER).decode()
    name, _, value = re.sub(r"\r\n\s+", " ", header).partition(": ")
    fields = {key.strip(): re.sub(r"\s", "", text) for key, _, text in (f.partition("=") for f in value.split(";"))}
    assert name == "DKIM-Signature"
    assert {"a": "rsa-sha256", "c": "relaxed/relaxed", "d": "acme.example.com", "s": "optly"}.items() <= fields.items()
    assert "l" not in fields  # nothing can be appended
    assert {name.lower() for name in SIGNED} <= set(fields["h"].split(":"))
    assert max(map(len, header.split("\r\n"))) <= 78


@pytest.mark.parametrize("name", SIGNED)
def test_no_signed_header_can_be_changed_removed_or_added(signer: Signer, name: str) -> None:
    """
    Not even by one more header of the same name, which some programs would show instead.
    """
    signed = signer.sign(LETTER)
    found = re.search(rf"^{name}: .*\r\n(?:[ \t].*\r\n)*".encode(), signed, re.MULTILINE)
    assert found is not None
    line = found[0]
    for tampered in (
        signed.replace(line, line.removesuffix(b"\r\n") + b"x\r\n", 1),
        signed.replace(line, b"", 1),
        signed.replace(line, line + line, 1),
        f"{name}: something else\r\n".encode() + signed,
    ):
        assert not genuine(tampered)


@pytest.mark.parametrize("name", ["Cc", "Reply-To", "Content-Transfer-Encoding"])
def test_a_header_that_was_not_there_cannot_be_added(signer: Signer, name: str) -> None:
    """
    One that changes how the email is shown, or where the answer goes.
    """
    assert not genuine(f"{name}: eve@example.com\r\n".encode() + signer.sign(LETTER))


def test_the_body_cannot_be_changed(signer: Signer) -> None:
    """
    Neither by a letter nor by something at its end.
    """
    signed = signer.sign(LETTER)
    assert not genuine(signed.replace(b"goodbye", b"goodbyE"))
    assert not genuine(signed + b"more\r\n")


def test_what_servers_do_on_the_way_does_no_harm(signer: Signer) -> None:
    """
    Headers of their own, other folding, other spaces at the ends of lines.
    """
    signed = signer.sign(LETTER)
    assert genuine(b"Received: from a by b\r\nReturn-Path: <a@example.com>\r\n" + signed)
    assert genuine(signed.replace(b"Feedback-ID: ", b"feedback-id:\r\n\t"))
    assert genuine(signed.replace(b"goodbye. \r\n", b"goodbye.\r\n"))


def test_a_provider_may_add_its_own_unsubscribe_header(signer: Signer) -> None:
    """
    To a message that has none.
    """
    bare = build(
        Message(id="0" * 32, channel=Channel.EMAIL, to="ada@example.com", text="Hello"),
        Sender.parse(SENDER),
        at=datetime(2026, 11, 24, tzinfo=UTC),
    ).content
    assert genuine(b"List-Unsubscribe: <https://provider.example.com/>\r\n" + signer.sign(bare))


def test_the_list_of_headers_can_be_chosen() -> None:
    """
    What is not in it can be changed.
    """
    signer = Signer("acme.example.com", "optly", pem(KEY), headers=["From", "X-Kept"], headers_if_there=[])
    signed = signer.sign(b"X-Kept: a\r\n" + LETTER)
    assert not genuine(signed.replace(b"X-Kept: a", b"X-Kept: b"))
    assert genuine(signed.replace(b"To: ada@", b"To: eve@"))


def test_threads_can_share_it(signer: Signer) -> None:
    """
    As the connections of a backend do.
    """
    letters = [LETTER.replace(b"ada@", f"ada{number}@".encode()) for number in range(50)]
    with ThreadPoolExecutor(8) as pool:
        assert all(map(genuine, pool.map(signer.sign, letters)))


@pytest.mark.server
def test_what_arrives_is_genuine(signer: Signer, inbox: Inbox) -> None:
    """
    A mail server gets what was signed.
    """
    with mail_server(inbox) as address:
        backend = SMTPBackend(f"smtp://{address}", sender=SENDER, signer=signer)
        assert Outcome.ACCEPTED is backend.send(MESSAGE).outcome
        backend.close()
    assert genuine(inbox.contents[0])


# ---- settings


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("", "a"),
        ("a", "a"),
        ("bücher.example", "a"),
        ("a.example; x=y", "a"),
        ("a.example", ""),
        ("a.example", "a\r\n"),
    ],
)
def test_a_domain_or_selector_that_is_none(domain: str, selector: str) -> None:
    """
    Is told when the signer is made.
    """
    with pytest.raises(ConfigurationError, match="domain and a selector"):
        Signer(domain, selector, pem(KEY))


WRONG_KEYS = {
    "nothing": b"",
    "text": b"s3cret",
    "public": KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    "locked": KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")),
    "elliptic": pem(ec.generate_private_key(ec.SECP256R1())),
}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS)
def test_a_key_that_cannot_sign(key: bytes) -> None:
    """
    Is told when the signer is made, and is not repeated.
    """
    with pytest.raises(ConfigurationError, match="key for DKIM") as caught:
        Signer("acme.example.com", "optly", key)
    assert "s3cret" not in repr((caught.value, caught.value.__cause__))


@pytest.mark.parametrize("headers", [["To"], ["From", "Received"], ["From", "a b"], ["From", "x:y"], ["From", ""]])
def test_a_list_of_headers_that_cannot_be_signed(headers: list[str]) -> None:
    """
    From has to be in it, and what changes on the way must not.
    """
    with pytest.raises(ConfigurationError, match="headers"):
        Signer("acme.example.com", "optly", pem(KEY), headers=headers)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is said what is to be installed.
    """
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> object:
        if name == "dkim":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ConfigurationError, match=r"optly\[dkim\]"):
        Signer("acme.example.com", "optly", pem(KEY))


def test_it_does_not_show_its_key(signer: Signer) -> None:
    """
    Only what stands in every email anyway.
    """
    assert repr(signer) == "<Signer optly._domainkey.acme.example.com>"
