"""
Two spellings of one line are one line, and what is not an address is refused without being repeated.
"""

from __future__ import annotations

import pickle
from contextlib import suppress

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from optly.contacts.addresses import (
    Account,
    Address,
    AddressKind,
    Channel,
    EmailAddress,
    PhoneNumber,
    PostalAddress,
    caseless,
    parse_address,
    recognise_address,
)
from optly.errors import AddressError, UnknownChannelError

LOCAL = st.text("abcXYZ019.!#$%&'*+/=?^_`{|}~-éÉßſ \"()@\n", min_size=0, max_size=70)
DOMAIN = st.sampled_from(
    [
        "example.com",
        "EXAMPLE.com",
        "bücher.example.com",
        "xn--bcher-kva.example.com",
        "localhost",
        "a_b.com",
        "-x.com",
        "",
    ]
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("Ada@Example.com", "ada@example.com"),
        (" ada@example.com\n", "ada@example.com"),
        ("jürgen@bücher.de", "JÜRGEN@xn--bcher-kva.de"),
        ("ju\u0308rgen@example.com", "j\u00fcrgen@example.com"),
    ],
)
def test_spellings_of_one_email_address_are_equal(left: str, right: str) -> None:
    """
    Case, white space, Unicode composition and the form of the domain make no difference.
    """
    assert EmailAddress.parse(right) == EmailAddress.parse(left)
    assert hash(EmailAddress.parse(right)) == hash(EmailAddress.parse(left))


def by_the_book(text: str) -> str:
    """
    Read an address as email-validator does. It refuses names that people's own servers have.
    """
    return validate_email(text, check_deliverability=False, allow_quoted_local=True, test_environment=True).normalized


@given(LOCAL, DOMAIN)
def test_what_email_validator_accepts_is_accepted(local: str, domain: str) -> None:
    """
    With the same value: what it knows of addresses is known here as well.
    """
    text = f"{local}@{domain}".strip()
    with suppress(EmailNotValidError):
        expected = by_the_book(text)
        assert EmailAddress.parse(text).value in (expected, text)


@given(LOCAL, DOMAIN)
def test_what_is_accepted_is_an_address_by_the_book(local: str, domain: str) -> None:
    """
    Whatever was typed, and whatever was left out of it: what is written to is well-formed.
    """
    with suppress(AddressError):
        value = EmailAddress.parse(f"{local}@{domain}").value
        assert by_the_book(value).lower() == value.lower()


@given(
    st.from_regex(
        r"[A-Za-z0-9_+-]{1,3}(\.[A-Za-z0-9_+-]{1,3})?@([A-Za-z0-9-]{1,4}\.){1,2}[A-Za-z0-9-]{1,6}[.]?", fullmatch=True
    )
    | st.from_regex(r"[a-z.]{60,70}@xn--[a-z0-9-]{1,60}\.(com|onion|test)", fullmatch=True)
)
def test_an_ordinary_address_is_read_as_any_other(text: str) -> None:
    """
    The quick way and the long way agree: a trailing space takes the long one.
    """

    def read(given: str) -> tuple[str, str] | None:
        try:
            address = EmailAddress.parse(given)
        except AddressError:
            return None
        return address.value, address.normal

    assert read(text) == read(f"{text} ")


@given(st.text())
def test_caseless_is_idempotent(text: str) -> None:
    """
    Folding twice changes nothing, so a stored form can be compared with a fresh one.
    """
    assert caseless(text) == caseless(caseless(text))


@given(st.text())
def test_caseless_does_not_tell_upper_from_lower_case(text: str) -> None:
    """
    A text and its case-folded form are one.
    """
    assert caseless(text) == caseless(text.casefold())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("07911 123456", "+447911123456"), ("+44 7911 123456", "+447911123456"), ("+1 201 555 0123", "+12015550123")],
)
def test_numbers_become_e164(text: str, expected: str) -> None:
    """
    A national number is one of the region, another keeps its country.
    """
    assert expected == PhoneNumber.parse(text).value


# The first and the last number of each range that Ofcom keeps free for drama.
DRAMA = [
    ("0113 496 0000", "0113 496 0999"),
    ("0114 496 0000", "0114 496 0999"),
    ("0115 496 0000", "0115 496 0999"),
    ("0116 496 0000", "0116 496 0999"),
    ("0117 496 0000", "0117 496 0999"),
    ("0118 496 0000", "0118 496 0999"),
    ("0121 496 0000", "0121 496 0999"),
    ("0131 496 0000", "0131 496 0999"),
    ("0141 496 0000", "0141 496 0999"),
    ("0151 496 0000", "0151 496 0999"),
    ("0161 496 0000", "0161 496 0999"),
    ("020 7946 0000", "020 7946 0999"),
    ("0191 498 0000", "0191 498 0999"),
    ("028 9649 6000", "028 9649 6999"),
    ("029 2018 0000", "029 2018 0999"),
    ("01632 960000", "01632 960999"),
    ("07700 900000", "07700 900999"),
    ("08081 570000", "08081 570999"),
    ("0909 8790000", "0909 8790999"),
    ("03069 990000", "03069 990999"),
]


@pytest.mark.parametrize(("first", "last"), DRAMA)
def test_numbers_for_drama_are_numbers(first: str, last: str) -> None:
    """
    Nobody has them, and everyone who tests an application types them.
    """
    for text in (first, last):
        assert f"+44{text.replace(' ', '')[1:]}" == PhoneNumber.parse(text).value


@pytest.mark.parametrize("text", ["01632 959999", "01632 961000", "+1 7700 900123"])
def test_what_lies_beside_them_is_not(text: str) -> None:
    """
    A number is for drama in its thousand, and in the United Kingdom, alone.
    """
    with pytest.raises(AddressError):
        PhoneNumber.parse(text)


@pytest.mark.parametrize("text", ["", "12", "hello", "+441632123456", "0161 715 7000 ext 12"])
def test_what_is_no_number_is_refused_without_being_repeated(text: str) -> None:
    """
    Neither the error nor its arguments hold what was given.
    """
    with pytest.raises(AddressError) as caught:
        PhoneNumber.parse(text)
    assert not text or text not in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "ada", "@example.com", "ada@", "ada@localhost", "ada@example.invalid", "a\r\nb@example.com"]
)
def test_what_is_no_email_address_is_refused(text: str) -> None:
    """
    Line breaks included: they would start a header of their own.
    """
    with pytest.raises(AddressError):
        EmailAddress.parse(text)


def test_no_address_shows_itself() -> None:
    """
    Neither repr nor str gives a value away.
    """
    lines: list[tuple[Address, str]] = [
        (EmailAddress.parse("ada@example.com"), "ada"),
        (PhoneNumber.parse("+447911123456"), "7911"),
        (PostalAddress.parse("1 High Street, Leeds"), "High"),
        (Account.parse("app:ada99"), "ada"),
    ]
    for address, part in lines:
        assert part not in repr(address)
        assert part not in str(address)
        assert part not in address.masked
        assert address == pickle.loads(pickle.dumps(address))


def test_an_address_of_another_kind_is_refused() -> None:
    """
    A number is not silently taken for an email address.
    """
    with pytest.raises(AddressError):
        parse_address(PhoneNumber.parse("+447911123456"), AddressKind.EMAIL)


def test_every_channel_reaches_some_kind_of_address() -> None:
    """
    No channel is left without a kind.
    """
    assert all(isinstance(channel.kind, AddressKind) for channel in Channel)


def test_an_unknown_channel_is_refused() -> None:
    """
    The error lists what there is.
    """
    with pytest.raises(UnknownChannelError, match="live_call"):
        Channel.of("pigeon")


@pytest.mark.parametrize(
    "copied",
    [
        "o’brien@example.com",
        "o‘brien@example.com",
        "\ufeffo'brien@example.com\u200b",
        "\u202ao’brien＠example.com\u202c\n",
    ],
)
def test_what_is_typed_for_an_apostrophe_is_one(copied: str) -> None:
    """
    Or a stop for one of two spellings would leave the other.
    """
    assert EmailAddress.parse(copied).value == "o'brien@example.com"


def test_a_region_that_does_not_exist_is_not_blamed_on_the_number() -> None:
    """
    Its letters may be small.
    """
    assert PhoneNumber.parse("07911 123456", region="gb").value == "+447911123456"
    for region in ("UK", "GBR", ""):
        with pytest.raises(AddressError, match="region"):
            PhoneNumber.parse("07911 123456", region=region)


ADA, NUMBER = "ada@example.com", "+447911123456"


@pytest.mark.parametrize(
    "copied",
    [
        "ada@example.com\u200b",
        "\ufeffada@example.com",
        "\u2068ada@example.com\u2069",
        "ada@\u200bexam\u00adple.com",
        "\u00a0ada@example.com\u2009",
        "mailto:ada@example.com",
        "MAILTO:ada%40example.com?subject=stop",
        "<ada@example.com>",
        "‹ada@example.com›",
        "«ada@example.com»",
        "<mailto:ada@example.com>",
        "“ada@example.com”",
        '"ada@example.com"',
        "'ada@example.com'",
        "(ada@example.com)",
        "ada@example.com;",
        "ada@example.com,",
        "ada@example.com.",
        "ada@example.com>",
        "ada@example.com).",
        ", ada@example.com",
        "ada﹫example.com",
    ],
)
def test_what_is_copied_along_with_an_email_address_is_left_out(copied: str) -> None:
    """
    It is seen in no other way than the address alone.
    """
    assert EmailAddress.parse(copied).value == ADA
    assert EmailAddress.recognise(copied) == EmailAddress.parse(ADA)


@pytest.mark.parametrize(
    "copied",
    [
        "07911\u2009123456",
        "07911\u202f123456",
        "07911\u2007123456",
        "07911\u00a0123456",
        "\u202a+44\u200b7911123456\u202c",
        "tel:+44-7911-123456",
        "tel:07911123456;phone-context=+44",
        "TEL:+447911123456;phone-context=example.com",
        "sms:+447911123456?body=STOP",
        "whatsapp:+447911123456",
        "rcs:+447911123456",
        "<07911 123456>",
        "07911 123456;",
        "07911 123456.",
        "«07911 123456»",
        "+44 (0)7911 123456",
        "+44 0 7911 123456",
        "0044 (0) 7911 123456",
        "(+44) 07911 123456",
        "(07911) 123456",
        "０７９１１ １２３４５６",
        "＋４４（０）７９１１‐１２３４５６",
        "٠٧٩١١ ١٢٣٤٥٦",
        "+44‑7911–123456",
    ],
)
def test_what_is_copied_along_with_a_number_is_left_out(copied: str) -> None:
    """
    Digits are digits in every script, and the nought in brackets is not dialled from abroad.
    """
    assert PhoneNumber.parse(copied).value == NUMBER
    assert PhoneNumber.recognise(copied).value == NUMBER


@pytest.mark.parametrize("text", ["tel:+442079460000;ext=12", "+39 (0)6 698 81234"])
def test_a_number_is_not_changed_by_being_tidied(text: str) -> None:
    """
    An extension is no line of its own, and in Italy the nought is dialled from abroad.
    """
    if "ext" in text:
        with pytest.raises(AddressError, match="extension"):
            PhoneNumber.recognise(text)
    else:
        assert PhoneNumber.recognise(text).value == "+390669881234"


@pytest.mark.parametrize(
    "text", ["ada@example.com, bob@example.com", "ada@example.com bob@example.com", "bob@example.com <ada@example.com>"]
)
def test_two_addresses_are_not_one(text: str) -> None:
    """
    Or the stop of one of them would be lost in silence.
    """
    for read in (EmailAddress.parse, EmailAddress.recognise):
        with pytest.raises(AddressError):
            read(text)


def test_a_name_is_left_out_where_someone_is_looked_up() -> None:
    """
    As stop lists and mails have it.
    """
    for text in ("Ada <ada@example.com>", '"Lovelace, Ada" <ada@example.com>;', "ada@example.com <ada@example.com>"):
        assert EmailAddress.recognise(text).value == ADA
        with pytest.raises(AddressError):
            EmailAddress.parse(text)


@pytest.mark.parametrize(
    ("text", "value", "normal"),
    [
        ("Ada..B@docomo.ne.jp", '"Ada..B"@docomo.ne.jp', "ada..b@docomo.ne.jp"),
        ('"ada..b"@docomo.ne.jp', '"ada..b"@docomo.ne.jp', "ada..b@docomo.ne.jp"),
        ("ada.@docomo.ne.jp", '"ada."@docomo.ne.jp', "ada.@docomo.ne.jp"),
        ('"ada"@example.com', "ada@example.com", "ada@example.com"),
        ('"ada b"@example.com', '"ada b"@example.com', "ada b@example.com"),
        ('"a@b"@example.com', '"a@b"@example.com', "a@b@example.com"),
        ('"a\\"b\\\\c"@example.com', '"a\\"b\\\\c"@example.com', 'a"b\\c@example.com'),
        ("ada@ab--c.com", "ada@ab--c.com", "ada@ab--c.com"),
        ("ada@xn--ls8h.la", "ada@xn--ls8h.la", "ada@xn--ls8h.la"),
        ("ada@xn--bcher-kva.de", "ada@bücher.de", "ada@xn--bcher-kva.de"),
        ("ada@example.test", "ada@example.test", "ada@example.test"),
        ("ada@shop.example", "ada@shop.example", "ada@shop.example"),
        ("ada@mail.internal.local", "ada@mail.internal.local", "ada@mail.internal.local"),
    ],
)
def test_addresses_that_exist_are_addresses(text: str, value: str, normal: str) -> None:
    """
    Whatever those who gave them out should have done; and in quotes or without, it is one address.
    """
    for read in (EmailAddress.parse, EmailAddress.recognise):
        assert (read(text).value, read(text).normal) == (value, normal)
    assert EmailAddress.recorded(value).normal == normal


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("root@localhost", "r•••@l•••"),
        ("ada@[192.0.2.1]", "a•••@[•••.1]"),
        ("ada@a_b.com", "a•••@a•••.com"),
        ("ada@example.invalid", "a•••@e•••.invalid"),
        ("ada@shop.onion", "a•••@s•••.onion"),
        ("x" * 70 + "@example.com", "x•••@e•••.com"),
    ],
)
def test_an_address_that_mail_does_not_reach_can_be_stopped_alone(text: str, masked: str) -> None:
    """
    It is refused in words that say why.
    """
    with pytest.raises(AddressError, match=r"not an email address: .*(domain mail can reach|reserved name|too long)"):
        EmailAddress.parse(text)
    assert (EmailAddress.recognise(text).value, EmailAddress.recognise(text).masked) == (text, masked)


@pytest.mark.parametrize(
    "text",
    [
        "ada\ud800@example.com",
        "ada@exa\ud800mple.com",
        "ada@exa\x85mple.com",
        "ada@\udcffé.com",
        '"ada\x07"@example.com',
        '"ada\r\nBcc: eve"@example.com',
        '"ada\u2028"@example.com',
        'mailto:"ada%0d%0aBcc: eve"@example.com',
        'mailto:"%ff%00"@example.com',
        "ada@exa mple.com",
        "ada@éxa\u00a0mple.com",
        "ada@" + "é" * 600 + ".com",
        "+44791112\ud8003456",
    ],
)
def test_what_cannot_be_kept_is_no_address(text: str) -> None:
    """
    Not even to stop it: half a character, a line break or a control character has no place in a header or a store.
    """
    for kind in (AddressKind.EMAIL, AddressKind.PHONE):
        for read in (parse_address, recognise_address):
            with pytest.raises(AddressError):
                read(text, kind)
