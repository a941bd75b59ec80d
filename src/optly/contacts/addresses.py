"""
Addresses and numbers, normalised so that two spellings of one line compare equal, and the channels that reach them.

None of these shows its value when printed: ``repr`` and ``str`` are masked, and code that needs the value uses
``.value``. An address in a log is personal data where nobody can erase it.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from typing import ClassVar, TypeAlias, assert_never

import attrs

from optly import typed
from optly.contacts import _mailboxes, _numbers
from optly.contacts._mailboxes import caseless as caseless
from optly.errors import AddressError, InvalidValueError, UnknownChannelError


class AddressKind(StrEnum):
    """
    The kind of an address. Decides how it is normalised.
    """

    EMAIL = "email"
    PHONE = "phone"
    POST = "post"
    ACCOUNT = "account"


class Channel(StrEnum):
    """
    A way of reaching a person. The law treats each separately, and so does consent.
    """

    EMAIL = "email"
    SMS = "sms"
    MMS = "mms"
    VOICEMAIL = "voicemail"
    WHATSAPP = "whatsapp"
    RCS = "rcs"
    SOCIAL_DM = "social_dm"
    IN_APP = "in_app"
    PUSH = "push"
    LIVE_CALL = "live_call"
    AUTOMATED_CALL = "automated_call"
    FAX = "fax"
    POST = "post"

    @property
    def kind(self) -> AddressKind:
        """
        The kind of address this channel reaches.
        """
        return _KINDS[self]

    @classmethod
    def of(cls, value: Channel | str) -> Channel:
        """
        Return the channel that *value* names.

        Raises:
            UnknownChannelError: There is no such channel.
        """
        if isinstance(value, cls):
            return value
        try:
            return cls(value)
        except ValueError:
            raise UnknownChannelError(f"no such channel; the channels are {', '.join(cls)}") from None


_KINDS = {
    Channel.EMAIL: AddressKind.EMAIL,
    Channel.SMS: AddressKind.PHONE,
    Channel.MMS: AddressKind.PHONE,
    Channel.VOICEMAIL: AddressKind.PHONE,
    Channel.WHATSAPP: AddressKind.PHONE,
    Channel.RCS: AddressKind.PHONE,
    Channel.SOCIAL_DM: AddressKind.ACCOUNT,
    Channel.IN_APP: AddressKind.ACCOUNT,
    Channel.PUSH: AddressKind.ACCOUNT,
    Channel.LIVE_CALL: AddressKind.PHONE,
    Channel.AUTOMATED_CALL: AddressKind.PHONE,
    Channel.FAX: AddressKind.PHONE,
    Channel.POST: AddressKind.POST,
}


def recognise_domain(text: str) -> str:
    """
    Read the domain of email addresses, such as ``firm.example.com``, by its shape, and return its IDNA form in lower
    case.

    Raises:
        AddressError: It is not a domain with a dot in it. A whole address is none: name what is after the @.
    """
    ascii_domain = _mailboxes.read_domain(text.strip().removeprefix("@").removesuffix("."))[1]
    if "." not in ascii_domain:
        raise AddressError("not the domain of email addresses, such as firm.example.com")
    return ascii_domain


class _Unshown:
    """
    Shows only its type when it is printed.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


@attrs.frozen(repr=False, field_transformer=typed.fields)
class EmailAddress(_Unshown):
    """
    An email address. Equal to any other spelling of the same address, in case, Unicode composition or IDN form.

    Attributes:
        value: The address that mail is sent to: the local part as given, the domain in lower case.
        normal: The form that is compared. The local part is compared without case: no mail system in use
            distinguishes it, and ``Ada@example.com`` must not escape a stop made for ``ada@example.com``.
    """

    kind: ClassVar[AddressKind] = AddressKind.EMAIL
    value: str = attrs.field(eq=False)
    normal: str

    @classmethod
    def parse(cls, text: str) -> EmailAddress:
        """
        Read an address as a person types or copies it, and judge whether mail can reach it.

        What is copied along is left out: white space, unseen marks, a name with the address in angle brackets,
        ``mailto:``, a comma behind it. An address that has to be written in quotes, such as one with two dots in a row,
        may be typed without.

        Raises:
            AddressError: It is not an address. Deliverability is not looked up.
        """
        return cls(*_mailboxes.judge_mailbox(text))

    @classmethod
    def recognise(cls, text: str) -> EmailAddress:
        """
        Read an address by its shape alone: for looking it up, and for stopping it. Equal to what `parse` returns, if
        that accepts it.

        Raises:
            AddressError: It has not the shape of an address.
        """
        return cls(*_mailboxes.read_mailbox(text))

    @classmethod
    def recorded(cls, value: str) -> EmailAddress:
        """
        Return the address whose `value` is on record.
        """
        return cls(value=value, normal=_mailboxes.recorded_mailbox(value))

    @property
    def domain(self) -> str:
        """
        The domain in its IDNA form, in lower case.
        """
        return self.normal.rpartition("@")[2]

    @property
    def ascii_value(self) -> str | None:
        """
        The address in ASCII, the domain in its IDNA form, or None where the local part is not ASCII.
        """
        local, _, _ = self.value.rpartition("@")
        return f"{local}@{self.domain}" if local.isascii() else None

    @property
    def masked(self) -> str:
        """
        Enough of the address for its owner to recognise it: ``a•••@e•••.com``.
        """
        local, _, domain = self.value.rpartition("@")
        first = local.removeprefix('"')[0]
        ending = f".{domain.rpartition('.')[2]}" if "." in domain else ""
        return f"{first}•••@{domain[0]}•••{ending}"


@attrs.frozen(repr=False, field_transformer=typed.fields)
class PhoneNumber(_Unshown):
    """
    A telephone number in E.164 form, ``+447911123456``.

    The constructor checks only the shape of E.164, for numbers from the host's own records; `parse` also checks that
    such a number can be in use, and `recognise` reads whatever has the shape of a number.
    """

    kind: ClassVar[AddressKind] = AddressKind.PHONE
    value: str = attrs.field()

    @value.validator
    def _is_e164(self, _attribute: object, value: str) -> None:
        if not _numbers.E164.fullmatch(value):
            raise AddressError("not a telephone number in E.164 form, such as +447911123456")

    @classmethod
    def parse(cls, text: str, *, region: str = "GB") -> PhoneNumber:
        """
        Read a number as a person types or copies it, and judge whether it can be in use. Without a country code it is
        a number of *region* (ISO 3166-1 alpha-2).

        Raises:
            AddressError: It is not a number that can be in use.
        """
        return cls(_numbers.judge_number(text, region))

    @classmethod
    def recognise(cls, text: str, *, region: str = "GB") -> PhoneNumber:
        """
        Read a number by its shape alone: for looking it up, and for stopping it. Equal to what `parse` returns, if that
        accepts it.

        Raises:
            AddressError: It has not the shape of a number with its country code, or of one of the United Kingdom.
        """
        return cls(_numbers.read_number(text, region))

    @classmethod
    def recorded(cls, value: str) -> PhoneNumber:
        """
        Return the number whose `value` is on record.
        """
        return cls(value)

    @property
    def normal(self) -> str:
        return self.value

    @property
    def masked(self) -> str:
        """
        Enough of the number for its owner to recognise it: the last two digits.
        """
        return f"•••{self.value[-2:]}"


@attrs.frozen(repr=False, field_transformer=typed.fields)
class PostalAddress(_Unshown):
    """
    A postal address, as the lines on an envelope.
    """

    kind: ClassVar[AddressKind] = AddressKind.POST
    value: str = attrs.field(eq=False)
    normal: str

    @classmethod
    def parse(cls, text: str) -> PostalAddress:
        """
        Read an address from its *lines*, separated by line breaks or commas.

        Raises:
            AddressError: There are fewer than two lines.
        """
        lines = [line for line in (" ".join(part.split()) for part in re.split(r"[\n,]", text)) if line]
        if len(lines) < 2:
            raise AddressError("not a postal address: give at least two lines, the last with the postcode")
        return cls(value="\n".join(lines), normal=" ".join(re.findall(r"\w+", caseless(" ".join(lines)))))

    @property
    def masked(self) -> str:
        return f"{self.value[0]}•••"


@attrs.frozen(repr=False, field_transformer=typed.fields)
class Account(_Unshown):
    """
    An account that receives messages inside a service: an app, a push token, a social network.

    Written ``service:name``. The service is compared without case; the name is compared exactly, because only the
    service knows which names are the same.
    """

    kind: ClassVar[AddressKind] = AddressKind.ACCOUNT
    value: str

    @classmethod
    def parse(cls, text: str) -> Account:
        """
        Read ``service:name``.

        Raises:
            AddressError: A part is missing.
        """
        service, _, name = text.strip().partition(":")
        if not service.strip() or not name.strip():
            raise AddressError("not an account: write service:name")
        return cls(f"{caseless(service.strip())}:{unicodedata.normalize('NFC', name.strip())}")

    @property
    def normal(self) -> str:
        return self.value

    @property
    def masked(self) -> str:
        return f"{self.value.partition(':')[0]}:•••"


Address: TypeAlias = EmailAddress | PhoneNumber | PostalAddress | Account


def is_email(text: str) -> bool:
    """
    Whether *text* is more of an email address than of anything else: there is an @ in it, of whatever width.
    """
    return not set(text).isdisjoint("@＠﹫")


def parse_address(text: str | Address, kind: AddressKind, *, region: str = "GB") -> Address:
    """
    Parse *text* as an address of *kind* that someone gives to be written to or called. An address that is already
    parsed passes through.

    Raises:
        AddressError: It is not an address, or is one of another kind.
    """
    if not isinstance(text := _read(text), str):
        return _of_kind(text, kind)
    match kind:
        case AddressKind.EMAIL:
            return EmailAddress.parse(text)
        case AddressKind.PHONE:
            return PhoneNumber.parse(text, region=region)
        case AddressKind.POST:
            return PostalAddress.parse(text)
        case AddressKind.ACCOUNT:
            return Account.parse(text)
        case _:
            assert_never(kind)


def normal_form(text: str | Address, kind: AddressKind) -> str:
    """
    Return the normal form of the address that `parse_address` reads, without making the address.

    Raises:
        AddressError: As there.
    """
    if type(text) is str:
        if kind is AddressKind.EMAIL:
            return _mailboxes.judge_mailbox(text)[1]
        if kind is AddressKind.PHONE:
            return _numbers.judge_number(text, "GB")
    return parse_address(text, kind).normal


def recognise_address(text: str | Address, kind: AddressKind) -> Address:
    """
    Read *text* as an address of *kind* by its shape alone, to look it up or to stop it. No library that changes has a
    say in whether someone is found, and stopped.

    Raises:
        AddressError: It has not the shape of an address, or is one of another kind.
    """
    if not isinstance(text := _read(text), str):
        return _of_kind(text, kind)
    match kind:
        case AddressKind.EMAIL:
            return EmailAddress.recognise(text)
        case AddressKind.PHONE:
            return PhoneNumber.recognise(text)
        case AddressKind.POST | AddressKind.ACCOUNT:
            return parse_address(text, kind)
        case _:
            assert_never(kind)


def recorded_address(value: str, kind: AddressKind) -> Address:
    """
    Return the address of *kind* whose value is on record.
    """
    match kind:
        case AddressKind.EMAIL:
            return EmailAddress.recorded(value)
        case AddressKind.PHONE:
            return PhoneNumber.recorded(value)
        case AddressKind.POST | AddressKind.ACCOUNT:
            return parse_address(value, kind)
        case _:
            assert_never(kind)


def _read(text: str | Address) -> str | Address:
    if not isinstance(text, str) and isinstance(text, Address):
        return text
    try:
        return typed.read_text(text, "an address")
    except InvalidValueError as error:
        raise AddressError(str(error)) from None


def _of_kind(address: Address, kind: AddressKind) -> Address:
    if address.kind is not kind:
        raise AddressError(f"an address of kind {kind} is needed, not of kind {address.kind}")
    return address
