"""
The fields of a mail: its headers, and the addresses and marks in them. Pure.

By hand where the library gives up on what people's programs write.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from email.errors import MessageError
from email.header import decode_header, make_header
from email.message import Message as Mail
from email.policy import Compat32
from functools import wraps
from typing import Final, TypeVar

from optly.messages.plain import clean

MOST_FIELDS: Final = 10  # with the same name
_LONGEST_FIELD: Final = 4000

_QUOTED: Final = r'"(?:[^"\\]|\\.)*"'
_ANGLE_ADDRESS = re.compile(rf"<\s*((?:{_QUOTED}|[^<>\s]+)@[^<>\s@]+)\s*>")
_BARE_ADDRESS = re.compile(rf"(?:{_QUOTED}|[^\s<>()\[\],;:\"'][^\s<>()\[\],;:\"]*)@[^\s<>()\[\],;:\"'@]+")
_QUOTED_NAME = re.compile(rf"{_QUOTED}(@?)")
# In front of a subject: marks of a reply, a forward or an automatic reply, and what gateways add.
_SUBJECT_MARK = re.compile(
    r"\s*(?:"
    r"(?:re|aw|antw|antwort|sv|vs|vl|r|rif|ref|res|odp|ynt|atb|ateb|fwd?|fw|wg|tr|rv|enc|i|pd|doorst"
    r"|read|not read|gelesen|auto(?:matic)?[ -]?(?:reply|response)|out of office|automatische antwort"
    r"|réponse automatique"
    r"|ateb awtomatig)"
    r"\s*(?:\[\d+\]|\(\d+\))?\s*[:：]|\[[^\[\]]{1,40}\])",
    re.IGNORECASE,
)


_FOLD = re.compile(r"\s*[\r\n]+\s*")


class _Policy(Compat32):
    """
    Reads headers as they are, in UTF-8 if they are not in ASCII (RFC 6532), up to a limit.
    """

    def header_fetch_parse(self, name: str, value: str) -> str:
        text = value[:_LONGEST_FIELD]
        if not text.isascii():
            text = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
        return text if text.isprintable() else clean(_FOLD.sub(" ", text))


POLICY = _Policy()

_Value = TypeVar("_Value")


def once(read: Callable[[Mail], _Value]) -> Callable[[Mail], _Value]:
    """
    Let what is read of a mail, or of a part of it, be read once, however often it is asked for.
    """
    name = f"_optly_{read.__name__}"

    @wraps(read)
    def kept(part: Mail) -> _Value:
        values = part.__dict__
        if name not in values:
            values[name] = read(part)
        value: _Value = values[name]
        return value

    return kept


def field(mail: Mail, name: str) -> str:
    """
    Return a header on one line, or an empty string. Not decoded: an encoded name may contain what looks like an
    address.
    """
    found = fields(mail, name)
    return found[0].strip() if found else ""


def fields(mail: Mail, name: str) -> Sequence[str]:
    """
    Return the headers of a name, in lower case, up to `MOST_FIELDS`, not decoded either.
    """
    return _all_fields(mail).get(name, ())


@once
def _all_fields(mail: Mail) -> dict[str, list[str]]:  # the library looks through all of them for each
    found: dict[str, list[str]] = {}
    for name, value in mail.raw_items():
        same = found.setdefault(name.lower(), [])
        if len(same) < MOST_FIELDS:
            same.append(POLICY.header_fetch_parse(name, value))
    return found


@once
def type_of(part: Mail) -> str:
    """
    Return the type of a part, such as ``text/plain``, in lower case.
    """
    return part.get_content_type()


@once
def subject_of(mail: Mail) -> str:
    written = field(mail, "subject")
    if "=?" not in written:  # nothing is encoded
        return written
    try:
        return clean(str(make_header(decode_header(written)))).strip()
    except (MessageError, LookupError, ValueError):
        return written


def without_marks(subject: str) -> str:
    """
    Return a subject without ``Re:`` and the like in front of it.
    """
    end = 0
    while found := _SUBJECT_MARK.match(subject, end):
        end = found.end()
    return subject[end:].strip()


def match(pattern: re.Pattern[str], text: str) -> str:
    found = pattern.search(text)
    return found[0] if found else ""


@once
def senders_of(mail: Mail) -> list[str]:
    """
    Return the addresses that a mail may have come from, the likeliest first. Empty if it names none.

    By hand, because the library gives up on a name with a comma or an @ in it, and since Python 3.13 on an address as
    its own name. A name in quotes may be anything, and is not searched.
    """
    first = addresses_in(field(mail, "from"))
    others = [address for name in ("x-original-from", "reply-to") for address in addresses_in(field(mail, name))]
    found = [*first, *others] or [
        address for name in ("sender", "return-path") for address in addresses_in(field(mail, name))
    ]
    return list(dict.fromkeys(found))[:MOST_FIELDS]


def addresses_in(header: str) -> list[str]:
    """
    Return the addresses in a header, the one that counts first.
    """
    plain = _QUOTED_NAME.sub(lambda found: found[0] if found[1] else " ", header)
    # The last, because what comes before it is a name.
    return _ANGLE_ADDRESS.findall(plain)[::-1] or _BARE_ADDRESS.findall(plain) or _ANGLE_ADDRESS.findall(header)[::-1]
