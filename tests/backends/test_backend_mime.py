"""
An email says what the message says, holds no line that nobody meant, and is the same over all attempts.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from optly.addresses import Channel
from optly.backends.mime import Letter, Sender, build
from optly.errors import AddressError, ConfigurationError, HeaderError, UsageError
from optly.messages import Message

AT = datetime(2026, 11, 24, 9, 30, tzinfo=UTC)
SENDER = Sender.parse("Acme <hello@acme.example.com>")
ANYTHING = st.text(st.characters(), max_size=120) | st.text('a é漢,;:<>()"@\\.=?_\r\n\0', max_size=120)
HEADERS = [
    "Reply-To",
    "Sender",
    "Cc",
    "Resent-Date",
    "Resent-To",
    "List-Id",
    "X-Campaign",
    "Feedback-ID",
    "From",
    "DATE",
]
OURS = {
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "x-auto-response-suppress",
    "content-language",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
}


def read(letter: Letter) -> EmailMessage:
    """
    Read an email as a mail program does.
    """
    mail = message_from_bytes(letter.content, policy=policy.default)
    assert isinstance(mail, EmailMessage)
    return mail


def message(**parts: object) -> Message:
    return Message(**{"id": "ab" * 16, "channel": Channel.EMAIL, "to": "ada@example.com", "text": "Hello\n"} | parts)


def lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").removesuffix("\n").split("\n")


def test_the_headers_are_what_they_have_to_be() -> None:
    """
    Who, to whom, when, in which language, and that no person wrote it, so that no out-of-office note comes back.
    """
    mail = read(build(message(subject="Your choices", language="cy"), SENDER, at=AT))
    assert dict(mail.items()) == {
        "From": "Acme <hello@acme.example.com>",
        "To": "ada@example.com",
        "Subject": "Your choices",
        "Date": "Tue, 24 Nov 2026 09:30:00 +0000",
        "Message-ID": "<abababababababababababababababab@acme.example.com>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        "Content-Language": "cy",
        "MIME-Version": "1.0",
        "Content-Type": 'text/plain; charset="utf-8"',
        "Content-Transfer-Encoding": "7bit",
    }


def test_both_forms_are_alternatives_and_the_better_one_comes_last() -> None:
    """
    RFC 2046 5.1.4: a mail program shows the last one it can.
    """
    mail = read(build(message(text="Hello\n", html="<p>Hello</p>\n", language="en-GB"), SENDER, at=AT))
    assert mail.get_content_type() == "multipart/alternative"
    assert [(part.get_content_type(), part.get_content()) for part in mail.iter_parts()] == [
        ("text/plain", "Hello\r\n"),
        ("text/html", "<p>Hello</p>\r\n"),
    ]
    assert mail["Content-Language"] == "en-GB"


def test_two_attempts_differ_in_nothing_but_the_date() -> None:
    """
    The Message-ID and the boundary included, so that a receiver of both can tell.
    """
    first, second = (
        build(message(html="<p>é</p>"), SENDER, at=at).content.split(b"\r\n") for at in (AT, AT + timedelta(hours=1))
    )
    assert [old.partition(b":")[0] for old, new in zip(first, second, strict=True) if old != new] == [b"Date"]


def test_the_date_may_be_in_any_zone() -> None:
    """
    It names the same instant.
    """
    there = AT.astimezone(timezone(timedelta(hours=5, minutes=45)))
    assert read(build(message(), SENDER, at=there))["Date"].datetime == AT


@pytest.mark.parametrize("length", [60, 200, 900])
def test_a_long_link_in_a_header_stays_a_link(length: int) -> None:
    """
    Mail programs look for it letter by letter, and signatures cover it.
    """
    link = f"<https://acme.example.com/my/stop/{'t' * length}>"
    content = build(message(headers={"List-Unsubscribe": link}), SENDER, at=AT).content
    assert f"List-Unsubscribe: {link}".encode() in content.split(b"\r\n")


@given(ANYTHING, ANYTHING)
@example("a" * 1500, "é" * 1500)
@example("From me\n.\n..\n.x", "a\u2028b\x85c\x0bd\x0ce\0f")
@example("trailing  \n\ttabs\t\n", "=41 is not A")
def test_the_body_arrives_as_it_was_written(text: str, html: str) -> None:
    """
    Every character, whatever the line breaks are made of; a line break at the end makes no difference.
    """
    try:
        mail = read(build(message(text=text, html=html), SENDER, at=AT))
    except UsageError:
        assert any(0xD800 <= ord(character) < 0xE000 for character in text + html)
        return
    bodies = [part.get_content() for part in (mail.iter_parts() if html else [mail])]
    assert [lines(text), lines(html)][: len(bodies)] == [lines(body) for body in bodies]


@given(ANYTHING)
@example("Hé" * 90)
@example("a" * 1200)
@example("\x850")
@example("=?utf-8?q?a=0d=0aBcc:_eve@example.com?=")
def test_the_subject_arrives_as_it_was_written(subject: str) -> None:
    """
    White space at its ends aside, and what looks encoded, which is decoded.
    """
    try:
        mail = read(build(message(subject=subject), SENDER, at=AT))
    except UsageError:
        return
    assert subject.strip() == mail["Subject"].strip() or "=?" in subject
    assert {name.lower() for name in mail} == OURS


@given(st.sampled_from(HEADERS) | ANYTHING, ANYTHING)
@example("X-Campaign", "=?utf-8?q?a=0d=0aBcc:_eve@example.com?=")
@example("Reply-To", '"=?utf-8?q?a=0d=0aBcc:_eve@example.com?=" <a@example.com>')
@example("X\r\nBcc", "eve@example.com")
@example("Bcc:eve@example.com\r\nX", "a")
@example("X-Campaign", "a\r\n\r\nbody")
def test_no_header_brings_another_with_it(name: str, value: str) -> None:
    """
    There is the one that was asked for, once, or an error that says the call is wrong.
    """
    try:
        letter = build(message(headers={name: value}), SENDER, at=AT)
    except UsageError:
        return
    mail = read(letter)
    assert OURS | {name.lower()} == {found.lower() for found in mail}
    assert len(OURS) + 1 == len(mail.keys())
    assert mail.get_content() == "Hello\r\n"


@given(ANYTHING, ANYTHING, ANYTHING, ANYTHING)
def test_nothing_else_brings_a_header_with_it(to: str, language: str, id: str, subject: str) -> None:
    """
    Not the address, not the language, not the name of the message.
    """
    for parts in ({"to": to}, {"language": language}, {"id": id}, {"subject": subject}):
        try:
            mail = read(build(message(**parts), SENDER, at=AT))
        except UsageError:
            continue
        assert {name.lower() for name in mail} == OURS


@given(ANYTHING, ANYTHING, ANYTHING)
def test_every_line_is_a_line_to_every_server(subject: str, text: str, html: str) -> None:
    """
    No half line break (mail has been smuggled through those), no line over the limit, nothing but seven bits.
    """
    try:
        content = build(message(subject=subject, text=text, html=html), SENDER, at=AT).content
    except UsageError:
        return
    assert content.endswith(b"\r\n")
    assert content.isascii()
    for line in content.split(b"\r\n"):
        assert not set(line) & set(b"\r\n\0")
        assert len(line) <= 998


@pytest.mark.parametrize(
    "name",
    ["Subject", "from", "MESSAGE-ID", "Date", "Mime-Version", "Content-Type", "content-disposition", "Auto-Submitted"],
)
def test_a_header_of_ours_is_not_repeated(name: str) -> None:
    """
    Which of two a reader believes is anybody's guess.
    """
    with pytest.raises(HeaderError, match="already"):
        build(message(headers={name: "x"}), SENDER, at=AT)


def test_a_header_is_not_repeated_in_another_case() -> None:
    """
    Names of headers are compared without case.
    """
    with pytest.raises(HeaderError, match="already"):
        build(message(headers={"Feedback-ID": "a", "feedback-id": "b"}), SENDER, at=AT)


@pytest.mark.parametrize(
    ("to", "recipient", "utf8"),
    [
        ("ada@example.com", "ada@example.com", False),
        ("ada@bücher.de", "ada@xn--bcher-kva.de", False),
        ("jürgen@bücher.de", "jürgen@bücher.de", True),
    ],
)
def test_an_address_goes_out_in_ascii_where_it_has_such_a_form(to: str, recipient: str, utf8: bool) -> None:
    """
    Few servers take anything else; the header says the same as the envelope.
    """
    letter = build(message(to=to), SENDER, at=AT)
    assert (recipient, utf8) == (letter.recipient, letter.utf8)
    assert f"\r\nTo: {recipient}\r\n".encode() in letter.content


def test_a_sender_outside_ascii_needs_utf8_too() -> None:
    """
    The envelope has two ends.
    """
    assert build(message(), Sender.parse("grüße@example.com"), at=AT).utf8


@pytest.mark.parametrize(
    "to", ["", "ada", "ada@example.com, eve@example.com", "Ada <ada@example.com>", "+447911123456"]
)
def test_what_is_no_address_is_not_written_to(to: str) -> None:
    """
    Nor a list of them.
    """
    with pytest.raises(AddressError):
        build(message(to=to), SENDER, at=AT)


def test_a_text_message_is_no_email() -> None:
    """
    It is refused before its number is read.
    """
    with pytest.raises(UsageError):
        build(message(channel=Channel.SMS), SENDER, at=AT)


@pytest.mark.parametrize(
    ("text", "name", "address"),
    [
        ("hello@acme.example.com", "", "hello@acme.example.com"),
        ("Acme Ltd. <hello@acme.example.com>", "Acme Ltd.", "hello@acme.example.com"),
        ('"Acme, Inc." <hello@acme.example.com>', "Acme, Inc.", "hello@acme.example.com"),
        ("Büro <hello@bücher.example.com>", "Büro", "hello@bücher.example.com"),
    ],
)
def test_a_sender_is_read(text: str, name: str, address: str) -> None:
    """
    With a name and without, and the name arrives as it was given.
    """
    sender = Sender.parse(text)
    assert (name, address) == (sender.name, sender.address.value)
    (mailbox,) = read(build(message(), sender, at=AT))["From"].addresses
    assert name == mailbox.display_name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Acme",
        "Acme <hello>",
        "a@example.com, b@example.com",
        "Acme, Inc. <a@example.com>",
        "A\r\nBcc: x <a@example.com>",
    ],
)
def test_what_is_no_sender_is_refused_at_once(text: str) -> None:
    """
    When the backend is made, not when the first message is to leave.
    """
    with pytest.raises(ConfigurationError):
        Sender.parse(text)


@given(ANYTHING)
def test_a_sender_is_read_or_refused(text: str) -> None:
    """
    Whatever it is made of, it brings no header with it.
    """
    try:
        sender = Sender.parse(text)
    except ConfigurationError:
        return
    mail = read(build(message(), sender, at=AT))
    assert {name.lower() for name in mail} == OURS
    assert [sender.name] == [mailbox.display_name for mailbox in mail["From"].addresses]
