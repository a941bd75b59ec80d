"""
An email says what the message says, holds no line that nobody meant, and is the same over all attempts.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from thorough import examples

from optly.backends.mime import Letter, Parts, Sender, build, by_hand, by_library
from optly.contacts.addresses import Channel, EmailAddress
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


def message(**parts: Any) -> Message:
    return Message(**{"id": "ab" * 16, "channel": Channel.EMAIL, "to": "ada@example.com", "text": "Hello\n", **parts})


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


PLAIN = st.text(st.characters(codec="utf-8"), max_size=80) | st.text(' a:;,<>@=?_"é漢', max_size=120)
BODY = (
    PLAIN
    | st.text("a é漢=.\r\n\t\0 ", max_size=200)
    | st.lists(
        st.sampled_from(["a" * 77, "a" * 78, "a" * 79, "é" * 40, "x y", "", ".", "=41", " t ", "漢字" * 9, "z" * 1200]),
        max_size=14,
    ).map("\n".join)
)


@settings(max_examples=examples(300))
@given(
    subject=PLAIN,
    value=PLAIN,
    to=st.sampled_from(["ada@example.com", "ada.b+c=d@bücher.de", "o'hara_{x}@example.com", "=?a?=@example.com"]),
    name=st.sampled_from(["", "Acme", "Acme, Inc.", "Büro", "=?utf-8?q?x?="]),
    text=BODY,
    html=BODY,
)
def test_what_is_written_by_hand_is_what_the_library_would_write(
    subject: str, value: str, to: str, name: str, text: str, html: str
) -> None:
    """
    Every header byte for byte. A body has the same bytes where it needs no encoding, and else says the same.
    """
    try:
        made = message(subject=subject, to=to, text=text, html=html, headers={"X-Campaign": value, "List-Id": "<a.b>"})
    except UsageError:
        return
    sender = Sender(name=name, address=SENDER.address)
    target = EmailAddress.parse(to).ascii_value
    assert target is not None
    parts = Parts(message=made, sender=sender, origin=SENDER.address.value, target=target, at=AT, headers=made.headers)
    try:
        expected = by_library(parts, utf8=False)
    except UsageError:
        with pytest.raises(UsageError):
            by_hand(parts)
        return
    actual = by_hand(parts)
    assert actual is not None
    for ours, theirs in zip(*(list(walk(content)) for content in (expected, actual)), strict=True):
        assert ours == theirs
    if text.isascii() and html.isascii() and b"quoted-printable" not in expected and b"base64" not in expected:
        assert expected == actual


def walk(content: bytes) -> Iterator[tuple[list[str], str]]:
    """
    Yield the headers of each part of an email but its encoding, as they were written, and what it says.
    """
    mail = message_from_bytes(content, policy=policy.default)
    top, _, _ = content.partition(b"\r\n\r\n")
    single = b"Content-Transfer-Encoding" in top
    yield [line for line in top.decode().split("\r\n") if not line.startswith("Content-Transfer-Encoding")], ""
    for part in mail.walk():
        assert isinstance(part, EmailMessage)
        if not part.is_multipart():
            headers = [f"{name}: {value}" for name, value in part.items() if name != "Content-Transfer-Encoding"]
            yield [] if single else headers, part.get_content()


@pytest.mark.parametrize(
    "parts",
    [
        {"headers": {"Reply-To": "help@acme.example.com"}},
        {"headers": {"Content-Foo": "x"}},
        {"headers": {"Date": "x"}},
        {"headers": {"auto-submitted": "no"}},
        {"headers": {"X-A": "1", "x-a": "2"}},
    ],
)
def test_what_only_the_library_can_is_left_to_it(parts: dict[str, object]) -> None:
    """
    Headers that have a form of their own, and those that it has to refuse.
    """
    made = message(**parts)
    assert None is by_hand(
        Parts(message=made, sender=SENDER, origin=SENDER.address.value, target=made.to, at=AT, headers=made.headers)
    )


def test_what_is_put_in_gives_way_to_what_is_there() -> None:
    """
    In whatever case its name is written.
    """
    made = message(headers={"feedback-id": "mine:acmeltd"})
    mail = read(build(made, SENDER, at=AT, headers={"Feedback-ID": "all:acmeltd", "X-Also": "x"}))
    assert (["mine:acmeltd"], ["x"]) == (mail.get_all("Feedback-ID"), mail.get_all("X-Also"))


def test_the_return_path_is_in_the_envelope_alone() -> None:
    """
    The one that is not in ASCII needs a server that takes it, as any other address does.
    """
    letter = build(message(), SENDER, at=AT, return_path=EmailAddress.parse("bounces@bücher.de"))
    assert ("bounces@xn--bcher-kva.de", False) == (letter.sender, letter.utf8)
    assert b"bounces" not in letter.content
    assert build(message(), SENDER, at=AT, return_path=EmailAddress.parse("rückläufer@bücher.de")).utf8


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
        ('"ada..b"@docomo.ne.jp', '"ada..b"@docomo.ne.jp', False),
        ('"ada b"@example.com', '"ada b"@example.com', False),
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
    "to",
    ["", "ada", "ada@example.com, eve@example.com", "Ada <ada@example.com>", "mailto:ada@example.com", "+447911123456"],
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
        ('"Acme: Offers" <hello@acme.example.com>', "Acme: Offers", "hello@acme.example.com"),
        ('"Acme Ltd (UK)" <hello@acme.example.com>', "Acme Ltd (UK)", "hello@acme.example.com"),
        ('"Acme \\"A\\"" <hello@acme.example.com>', 'Acme "A"', "hello@acme.example.com"),
        ("=?utf-8?q?B=C3=BCro?= <hello@acme.example.com>", "Büro", "hello@acme.example.com"),
        (" Acme   & Sons  <hello@acme.example.com> ", "Acme & Sons", "hello@acme.example.com"),
        ("<hello@acme.example.com>", "", "hello@acme.example.com"),
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
        # Of these something would be left out, so that they would be the name of someone else.
        "Acme: Offers <a@example.com>",
        "Acme Ltd (UK) <a@example.com>",
        "Acme <a@example.com> Ltd",
        "a@example.com (Acme)",
        "Acme: a@example.com;",
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
