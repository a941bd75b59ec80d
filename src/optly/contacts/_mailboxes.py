"""
Reading email addresses: *judged*, as one that mail can reach, or *by shape* alone.

Which Unicode letters may stand in an address is a table that changes with every release of the libraries that hold it,
and which addresses there are is decided by whoever gives them out. So an address is judged where someone types it, and
nowhere else.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

from optly.contacts._copied import without_copied, without_name
from optly.errors import AddressError

_ATOM: Final = r'[^\s\x00-\x1f\x7f"\\(),:;<>@\[\].]+'  # RFC 5322 3.2.3, and RFC 6532 for what is not ASCII
_PLAIN: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*")
_UNQUOTED: Final = re.compile(rf"(?:{_ATOM}|\.)+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)+)"')
_LABEL: Final = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST: Final = re.compile(rf"(?:{_LABEL}\.)+(?=[a-z0-9-]*[a-z]){_LABEL}", re.ASCII)
_SOME_LABEL: Final = r"(?:[a-z0-9_-]|[^\x00-\x7f\s])+"
_SOME_DOMAIN: Final = re.compile(rf"{_SOME_LABEL}(?:\.{_SOME_LABEL})*|\[[0-9a-z:.]+\]")
# Nearly every address, too short for any limit: found in one look to be what the longer way finds it to be.
_ORDINARY: Final = re.compile(
    r"(?=.{1,64}\Z)([A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*)@((?:[A-Za-z0-9-]+\.)+[A-Za-z0-9-]+)"
)
_DOTS: Final = str.maketrans("。．｡", "...")
_NOT_TEXT: Final = ("Cc", "Cs", "Zl", "Zp")

_MAX_EMAIL, _MAX_LOCAL = 254, 64  # RFC 5321 4.5.3.1
_LONGEST: Final = 500  # characters; some systems give out longer ones than they may

# Top-level names under which there is no mail. Those for tests and local networks have mail on people's own servers.
# Source: https://www.iana.org/assignments/special-use-domain-names (as reported 2026-11-29).
_WITHOUT_MAIL: Final = frozenset({"arpa", "invalid", "localhost", "onion"})

_NO_DOMAIN: Final = "not an email address: the part after the @ is not a domain mail can reach"
_NO_LOCAL: Final = "not an email address: the part before the @ is malformed"
_TOO_LONG: Final = "not an email address: it is too long"


def caseless(text: str) -> str:
    """
    Return the form of *text* in which spellings that differ in case or in Unicode composition are equal.

    Source: Unicode 15.1, section 3.13, D145 (canonical caseless matching), composed again afterwards.
    """
    if text.isascii():
        return text.lower()
    folded = unicodedata.normalize("NFD", unicodedata.normalize("NFD", text).casefold())
    return unicodedata.normalize("NFC", folded)


def judge_mailbox(text: str) -> tuple[str, str]:
    """
    Return the value of an address that mail can reach, and its normal form.

    Raises:
        AddressError: It is no such address. Deliverability is not looked up.
    """
    if (ordinary := _ORDINARY.fullmatch(text)) is not None:
        local, domain = ordinary.groups()
        shown, ascii_domain = judge_domain(domain)
        return f"{local}@{shown}", f"{local.lower()}@{ascii_domain}"
    local, domain = _split(text)
    shown, ascii_domain = judge_domain(domain)
    written = _written(local)
    if not local.isascii():
        _judge_local(written)
    value = f"{written}@{shown}"
    longest = max(len(value.encode()), len(written.encode()) + 1 + len(ascii_domain))
    if len(written) > _MAX_LOCAL or longest > _MAX_EMAIL:
        raise AddressError(_TOO_LONG)
    return value, _normal(local, ascii_domain)


def read_mailbox(text: str) -> tuple[str, str]:
    """
    Return the value of an address and its normal form, whether or not mail can reach it: whatever can stand in the
    From of a mail, with a name or without. The same as `judge_mailbox` returns, if it does.

    Raises:
        AddressError: It has not the shape of an address.
    """
    local, domain = _split(without_name(text))
    shown, ascii_domain = read_domain(domain)
    return f"{_written(local)}@{shown}", _normal(local, ascii_domain)


def recorded_mailbox(value: str) -> str:
    """
    Return the normal form of the value of an address. Exact, whatever was read to make it, and whatever release of a
    library made it.
    """
    local, _, domain = value.rpartition("@")
    return _normal(_unquoted(local), _in_ascii(domain.lower()))


def _split(text: str) -> tuple[str, str]:
    """
    Return the part before the @, without quotes, and the domain.
    """
    if len(text) > _LONGEST:
        raise AddressError(_TOO_LONG)
    local, _, domain = text.strip().rpartition("@")
    if text.isascii() and _PLAIN.fullmatch(local) and _HOST.fullmatch(domain.lower()):
        return local, domain
    text, scheme = without_copied(text)
    local, at, domain = (unquote(text.partition("?")[0]) if scheme else text).rpartition("@")
    if not at or not local:
        raise AddressError("not an email address: there is no @ with something on both sides of it")
    if not _UNQUOTED.fullmatch(local) and not _QUOTED.fullmatch(local):
        raise AddressError(_NO_LOCAL)
    if any(unicodedata.category(sign) in _NOT_TEXT for sign in local + domain):
        raise AddressError("not an email address: there are characters in it that no header can hold")
    return unicodedata.normalize("NFC", _unquoted(local)), domain


def _unquoted(local: str) -> str:
    quoted = _QUOTED.fullmatch(local)
    return re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else local


def _written(local: str) -> str:
    if _PLAIN.fullmatch(local):
        return local
    escaped = re.sub(r'(["\\])', r"\\\1", local)
    return f'"{escaped}"'


def _normal(local: str, ascii_domain: str) -> str:
    return f"{caseless(local)}@{ascii_domain}"


def _judge_local(written: str) -> None:
    from email_validator import EmailNotValidError, validate_email

    try:
        validate_email(f"{written}@example.com", check_deliverability=False, allow_quoted_local=True)
    except EmailNotValidError:
        raise AddressError(_NO_LOCAL) from None


def judge_domain(domain: str) -> tuple[str, str]:
    """
    Return the form of a domain that is shown, and its IDNA form in lower case.

    Raises:
        AddressError: It is not a domain that mail can reach.
    """
    shown, ascii_domain = _known_domain(domain)
    top = ascii_domain.rpartition(".")[2]
    if top in _WITHOUT_MAIL:
        raise AddressError(f"not an email address: mail reaches nobody under .{top}, a reserved name")
    return shown, ascii_domain


@lru_cache(maxsize=4096)
def _known_domain(domain: str) -> tuple[str, str]:
    lowered = domain.lower()
    is_host = bool(_HOST.fullmatch(lowered))
    if is_host and "xn--" not in lowered:
        return lowered, lowered
    from email_validator import EmailNotValidError, validate_email

    try:
        found = validate_email("a@" + domain, check_deliverability=False)
    except EmailNotValidError:
        if is_host:  # It is registered, whether or not the rules for such names allow it.
            return lowered, lowered
        raise AddressError(_NO_DOMAIN) from None
    assert found.ascii_domain is not None
    return found.domain, found.ascii_domain.lower()


def read_domain(domain: str) -> tuple[str, str]:
    """
    Return the form of a domain that is shown, and its IDNA form in lower case, whether or not mail can reach it. The
    same as `judge_domain` returns, if it does.

    Raises:
        AddressError: It has not the shape of a domain.
    """
    try:
        return _known_domain(domain)
    except AddressError:
        shown = unicodedata.normalize("NFKC", domain.translate(_DOTS)).lower()
        if not _SOME_DOMAIN.fullmatch(shown):
            raise
        return shown, _in_ascii(shown)


def _in_ascii(shown: str) -> str:
    return shown if shown.isascii() else _idna(shown)


@lru_cache(maxsize=4096)
def _idna(shown: str) -> str:
    """
    Return the IDNA form of a domain as it is shown: that of each label is computed from its letters alone.
    """
    return ".".join(
        label if label.isascii() else f"xn--{label.encode('punycode').decode()}" for label in shown.split(".")
    )
