"""
Addresses and numbers, normalised so that two spellings of one line compare equal, and the channels that reach them.

None of these shows its value when printed: ``repr`` and ``str`` are masked, and code that needs the value uses
``.value``. An address in a log is personal data where nobody can erase it.
"""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum
from functools import lru_cache
from typing import ClassVar, Final, TypeAlias, assert_never

import attrs

from optly import typed
from optly.errors import AddressError, InvalidValueError, UnknownChannelError

# A dot-atom, the only local part most people have. Anything else is left to email-validator, which is slower.
_PLAIN_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?:\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_E164 = re.compile(r"\+[1-9][0-9]{6,14}", re.ASCII)
_MAX_EMAIL, _MAX_LOCAL = 254, 64  # RFC 5321 4.5.3.1


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


def caseless(text: str) -> str:
    """
    Return the form of *text* in which spellings that differ in case or in Unicode composition are equal.

    Source: Unicode 15.1, section 3.13, D145 (canonical caseless matching), composed again afterwards.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", folded)


@lru_cache(maxsize=4096)
def _domain(domain: str) -> tuple[str, str]:
    """
    Return the display form and the ASCII form of an email *domain*.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email("a@" + domain, check_deliverability=False)
    except EmailNotValidError:
        raise AddressError("not an email address: the part after the @ is not a domain mail can reach") from None
    assert found.ascii_domain is not None
    return found.domain, found.ascii_domain.lower()


def parse_domain(text: str) -> str:
    """
    Read the domain of email addresses, such as ``firm.example.com``, and return its IDNA form in lower case.

    Raises:
        AddressError: It is not a domain that mail can reach. A whole address is none: name what is after the @.
    """
    return _domain(text.strip().removeprefix("@"))[1]


class _Unshown:
    """
    Shows only its type when it is printed.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


# What telephones type for an apostrophe, and what Asian keyboards type for the sign.
_TYPED_FOR: Final = str.maketrans("’‘＠", "''@")


def _as_typed(text: str) -> str:
    """
    Return an email address without what is copied along with it: white space, and marks that nobody sees.
    """
    if text.isascii():
        return text.strip()
    seen = [place for place, sign in enumerate(text) if not sign.isspace() and unicodedata.category(sign) != "Cf"]
    return text[seen[0] : seen[-1] + 1].translate(_TYPED_FOR) if seen else ""


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
        Read an address as a person types or copies it: with white space and unseen marks around it, and ’ for '.

        Raises:
            AddressError: It is not an address. Deliverability is not looked up.
        """
        text = _as_typed(text)
        local, at, domain = text.rpartition("@")
        if not at or not local:
            raise AddressError("not an email address: there is no @ with something on both sides of it")
        if not _PLAIN_LOCAL.fullmatch(local):
            from email_validator import EmailNotValidError, validate_email

            try:
                local = validate_email(text, check_deliverability=False).local_part
            except EmailNotValidError:
                raise AddressError("not an email address: the part before the @ is malformed") from None
        display, ascii_domain = _domain(domain)
        value = f"{local}@{display}"
        if (
            len(local) > _MAX_LOCAL
            or max(len(value.encode()), len(local.encode()) + 1 + len(ascii_domain)) > _MAX_EMAIL
        ):
            raise AddressError("not an email address: it is too long")
        return cls(value=value, normal=f"{caseless(local)}@{ascii_domain}")

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
        return f"{local[0]}•••@{domain[0]}•••.{domain.rpartition('.')[2]}"


@attrs.frozen(repr=False, field_transformer=typed.fields)
class PhoneNumber(_Unshown):
    """
    A telephone number in E.164 form, ``+447911123456``.

    The constructor checks only the shape of E.164, for numbers from the host's own records; `parse` also checks that
    such a number can exist.
    """

    kind: ClassVar[AddressKind] = AddressKind.PHONE
    value: str = attrs.field()

    @value.validator
    def _is_e164(self, _attribute: object, value: str) -> None:
        if not _E164.fullmatch(value):
            raise AddressError("not a telephone number in E.164 form, such as +447911123456")

    @classmethod
    def parse(cls, text: str, *, region: str = "GB") -> PhoneNumber:
        """
        Read a number as a person types it. Without a country code it is a number of *region* (ISO 3166-1 alpha-2).

        Raises:
            AddressError: It is not a number that can exist.
        """
        return cls(_parse_number(text, region))

    @property
    def normal(self) -> str:
        return self.value

    @property
    def masked(self) -> str:
        """
        Enough of the number for its owner to recognise it: the last two digits.
        """
        return f"•••{self.value[-2:]}"


# Numbers that Ofcom keeps free for use in television and radio, each by the first of a thousand: nobody has them, and
# everyone who tests an application types them. Source: https://www.ofcom.org.uk/phones-and-broadband/phone-numbers/numbers-for-drama
# (as reported 2026-11-29).
_DRAMA: Final = frozenset(
    {
        1134960000,  # Leeds
        1144960000,  # Sheffield
        1154960000,  # Nottingham
        1164960000,  # Leicester
        1174960000,  # Bristol
        1184960000,  # Reading
        1214960000,  # Birmingham
        1314960000,  # Edinburgh
        1414960000,  # Glasgow
        1514960000,  # Liverpool
        1614960000,  # Manchester
        2079460000,  # London
        1914980000,  # Tyneside, Durham and Sunderland
        2896496000,  # Northern Ireland
        2920180000,  # Cardiff
        1632960000,  # no area
        7700900000,  # mobile
        8081570000,  # freephone
        9098790000,  # premium rate
        3069990000,  # UK-wide
    }
)


def _is_for_drama(country: int | None, national: int) -> bool:
    return country == 44 and national - national % 1000 in _DRAMA


@lru_cache(maxsize=4096)
def _parse_number(text: str, region: str) -> str:
    import phonenumbers

    region = region.upper()
    if region not in phonenumbers.SUPPORTED_REGIONS:
        raise AddressError("not a region: give its two letters, such as GB for the United Kingdom")
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        raise AddressError("not a telephone number: give it with its country code, such as +44 7911 123456") from None
    if not phonenumbers.is_valid_number(number) and not _is_for_drama(number.country_code, number.national_number or 0):
        raise AddressError("not a telephone number: no such number can be in use in its country")
    if number.extension:
        raise AddressError("not a telephone line of its own: leave the extension out")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


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


def parse_address(text: str | Address, kind: AddressKind, *, region: str = "GB") -> Address:
    """
    Parse *text* as an address of *kind*. An address that is already parsed passes through.

    Raises:
        AddressError: It is not an address, or is one of another kind.
    """
    if not isinstance(text, str) and isinstance(text, Address):
        if text.kind is not kind:
            raise AddressError(f"an address of kind {kind} is needed, not of kind {text.kind}")
        return text
    try:
        text = typed.read_text(text, "an address")
    except InvalidValueError as error:
        raise AddressError(str(error)) from None
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
