"""
What each link may do, and how links are made and read. Pure.

==========  ==========================================  ======================================  ======================
kind        made of                                     may                                     lives
==========  ==========================================  ======================================  ======================
question    random code, only its SHA-256 stored        show its question, take one answer      until answered,
                                                        to it, stop                             superseded or expired
manage      signed token; in a text a random code,      show and change choices, masked; stop   until revoked
            only its SHA-256 stored
stop        signed token                                stop what its letter says: every kind   for ever, over key
                                                        of message to that line, unless the     rotation
                                                        letter says less; nothing else
undo        random code, only its SHA-256 stored        undo the one stop or change of address  thirty days
                                                        named in its message
session     random code in a cookie, only its SHA-256   what the link it began at may;          thirty minutes at a
            stored                                      once raised, details, history, copy     time, until an address
                                                                                                changes
step-up     six digits, only a keyed hash stored        raise one session, or prove one new     ten minutes, five tries
                                                        address
==========  ==========================================  ======================================  ======================

Addresses of pages are built from the configured base address, never from a request.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import struct
from base64 import b32decode, b32encode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

import attrs
import msgspec

from optly.contacts import AddressKind, Channel, stopped_with
from optly.errors import ConfigurationError, LinkInvalidError
from optly.keys import Keys, sha256
from optly.record.events import LinkKind

if TYPE_CHECKING:
    from itsdangerous import Signer, URLSafeSerializer

_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32
_WRITTEN_AS: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET.encode())  # RFC 4648 to Crockford
_DECODED_AS: Final = bytes.maketrans(_ALPHABET.encode(), b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567")
_READ_AS: Final = str.maketrans({"i": "1", "l": "1", "o": "0"})
# What stands in a message beside a link, and what gateways append, has none of these letters at its edge. None of ours
# has as many as are read: decoding takes time.
_LETTERS = re.compile(r"[0-9A-Za-z]{1,512}", re.ASCII)
_EARLIER_TOKEN = re.compile(r"[\w.-]*[0-9A-Za-z]", re.ASCII)
_CODE = re.compile(f"[{_ALPHABET}]{{16,128}}", re.ASCII)
_LONGEST_STORED: Final = 64

_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*", re.ASCII)
_PATH = re.compile(r"(?:/[A-Za-z0-9._~-]+)*", re.ASCII)

# How many random bits a code has, by the channel it travels on. ASVS 5.0 11.5.1 asks for 128; a text has no room for
# more than 80, which with a million live links and a thousand guesses a second are hit once in thirty million years.
CODE_BITS: Final[Mapping[Channel, int]] = {Channel.EMAIL: 128, Channel.SMS: 80}

STEP_UP_LIFE: Final = timedelta(minutes=10)
STEP_UP_TRIES: Final = 5

# A session's code begins with what stays the same when it is renewed, so that the forms of one page still work after
# another tab has renewed it. The rest is new each time, and alone as hard to guess as a code has to be. Together they
# are longer than the code of any link, so that neither is taken where the other belongs: a session's in a path, which
# is written into logs, or a link's in a cookie.
LASTING_BITS: Final = 80
SESSION_BITS: Final = 160
SESSION_LIFE: Final = timedelta(minutes=30)
LONGEST_SESSION: Final = timedelta(hours=12)

UNDO_LIFE: Final = timedelta(days=30)  # and then to the end of that day

_ID_BYTES: Final = 16  # of a contact


def code_bytes(channel: Channel) -> int:
    """
    Return how many random bytes a code sent on *channel* has.
    """
    return CODE_BITS.get(channel, 128) // 8


def make_code(random: bytes) -> str:
    """
    Write random bytes as a code that survives being read aloud, typed and copied from a text: 26 characters for 128
    bits, 16 for 80.
    """
    length = -(-len(random) * 8 // 5)
    whole = random.rjust(-(-len(random) // 5) * 5, b"\0")  # the library writes five bytes as eight letters
    return b32encode(whole)[-length:].translate(_WRITTEN_AS).decode()


def _letters(text: str) -> str:
    """
    Return the first letters and digits of *text* in their canonical spelling: without case, ``I`` and ``L`` read as 1
    and ``O`` as 0, without what a gateway or a mail program put around them: ``.``, ``)``, ``>``, ``&utm_source=x``.
    """
    found = _LETTERS.search(text)
    return found[0].lower().translate(_READ_AS) if found else ""


def _decode(code: str) -> bytes:
    """
    Return the bytes that `make_code` wrote as *code*.

    Raises:
        ValueError: It would have written them otherwise.
    """
    whole = code.encode().translate(_DECODED_AS).rjust(-(-len(code) // 8) * 8, b"A")
    data = b32decode(whole)[-(len(code) * 5 // 8) :]
    if make_code(data) != code:
        raise ValueError("it has letters or bits to spare")
    return data


def read_code(text: str) -> str:
    """
    Return the code in *text* in its canonical spelling.

    Raises:
        LinkInvalidError: It is not a code.
    """
    code = _letters(text)
    if not _CODE.fullmatch(code):
        raise _not_ours()
    return code


def is_signed(code: str) -> bool:
    """
    Whether a code in its canonical spelling is that of a signed link, judged by its length.
    """
    return len(code) > _LONGEST_STORED


def is_session_code(text: str) -> bool:
    """
    Whether a code is that of a session, judged by its length.
    """
    return len(_letters(text)) == (LASTING_BITS + SESSION_BITS) // 5


def lasting(session: str) -> str:
    """
    Return the part of a session's code that its later codes begin with as well.
    """
    return session[: LASTING_BITS // 5]


def code_key(code: str) -> bytes:
    """
    Return the key a code is stored under, 32 bytes. The code itself is never stored.
    """
    return sha256(code)


MARK: Final = 16  # hexadecimal digits


def mark(code: str) -> str:
    """
    Return the digits that identify a stored link in the record. They open nothing.
    """
    return hashlib.sha256(b"optly/mark/1\0" + code.encode()).hexdigest()[:MARK]


@attrs.frozen(kw_only=True)
class Session:
    """
    The data of a session, beyond the link it began at.

    Attributes:
        raised: Whether the person entered a one-time code that was sent to the line of the link.
        lines: The lines on record when it began; those removed before that as negative numbers. When they change, the
            session ends.
        link: Mark of the link it began at.
        ends_at: Its last instant unless it is extended.
        until: The last instant it can be extended to.
    """

    raised: bool
    lines: tuple[int, ...]
    link: str
    ends_at: datetime
    until: datetime


@attrs.frozen(kw_only=True)
class Undo:
    """
    What a link undoes: a stop, or a change of address.

    Attributes:
        stop: Number of the event that stopped something, or None.
        added, removed: Number of the line that was added, or None, and of those it replaced.
        at: When that happened.
    """

    stop: int | None = None
    added: int | None = None
    removed: tuple[int, ...] = ()
    at: datetime


@attrs.frozen(kw_only=True)
class LinkTarget:
    """
    What a stored code opens.

    Attributes:
        contact: Id of the contact.
        line: Number of the line the link was sent to.
        channel: The channel it was sent on.
        handed_over: Whether the link was given to a message backend and to nobody else. Only then does its use prove
            who holds the line.
        question: The question it may answer; None for a link of another kind.
        message: Id of the message that contains it, or empty.
        made_at: When it was made, which for one in a message is when the message was sent; None if unknown.
        session, undo: Further data of links of these kinds.
    """

    kind: LinkKind
    contact: str
    line: int
    channel: Channel
    handed_over: bool
    question: str | None = None
    message: str = ""
    made_at: datetime | None = None
    session: Session | None = None
    undo: Undo | None = None

    def dump(self) -> bytes:
        """
        Return the stored form.
        """
        return msgspec.json.encode(self)

    @classmethod
    def load(cls, data: bytes) -> LinkTarget:
        """
        Read the stored form.
        """
        return msgspec.json.decode(data, type=cls)


class StopReach(StrEnum):
    """
    What the stop link of a marketing message stops.

    MESSAGES: Every marketing message of the sender to that line: all marketing by email for an email, all texts,
        picture messages, chats and voicemails for a text. This is the default.
    PURPOSE: Only messages for the purpose of this one, on its channel. Heeded only in a message that rests on consent,
        and the message then says so.
    """

    MESSAGES = "messages"
    PURPOSE = "purpose"


@attrs.frozen(kw_only=True)
class StopScope:
    """
    What a stop link stops.

    Attributes:
        contact: Id of the contact.
        line: Number of the line the message went to.
        channel: The channel of the message: everything of its kind to that line stops. None for all marketing on every
            line and channel.
        purpose: The one purpose on that channel that stops; None for all.
        never: Whether it also asks never to be written to again about the person's choices.
    """

    contact: str
    line: int
    channel: Channel | None
    purpose: str | None
    never: bool = False

    @property
    def channels(self) -> tuple[Channel, ...]:
        """
        The channels on which it stops messages. Empty for all.
        """
        if self.channel is None:
            return ()
        return stopped_with(self.channel) if self.purpose is None else (self.channel,)


@attrs.frozen(kw_only=True)
class SignedLink:
    """
    What a MyOptly link says that is signed and not stored.

    Attributes:
        contact: Id of the contact.
        line: Number of the line it was sent to.
        version: Number of the contact's last event when it was made. Links made before an event can be revoked by it.
        made_at: When it was made. Aware, in whole seconds.
        handed_over: As of a stored link.
        mark: The digits that identify it in the record: the first of the id of the message that contains it.
    """

    contact: str
    line: int
    version: int
    made_at: datetime
    handed_over: bool
    mark: str

    @property
    def target(self) -> LinkTarget:
        """
        What it opens.
        """
        return LinkTarget(
            kind=LinkKind.MANAGE,
            contact=self.contact,
            line=self.line,
            channel=Channel.EMAIL,
            handed_over=self.handed_over,
            message=self.mark if self.handed_over else "",
            made_at=self.made_at,
        )


# Contact, line, version, seconds since 1970, flags, mark.
_SIGNED: Final = struct.Struct(">16sIII?8s")
_SIGNATURE: Final = 16  # bytes


@attrs.frozen
class SignedLinks:
    """
    Signs and reads MyOptly links. They are written like codes, and longer than any of them.
    """

    _secrets: tuple[bytes, ...] = attrs.field(repr=False)

    @classmethod
    def of(cls, keys: Keys, secret: bytes) -> SignedLinks:
        """
        Return links that are signed with the current key and read with any of *keys* that is not exposed.

        Args:
            secret: One of the store, without which nobody makes a link who has a key alone.
        """
        return cls(tuple(hmac.digest(key.derive("link/1"), secret, "sha256") for key in keys.unexposed))

    def sign(self, link: SignedLink) -> str:
        """
        Return the code of *link*. It contains only ids and numbers.
        """
        said = _SIGNED.pack(
            bytes.fromhex(link.contact),
            link.line,
            link.version,
            int(link.made_at.timestamp()),
            link.handed_over,
            bytes.fromhex(link.mark),
        )
        return make_code(said + _signature(self._secrets[0], said))

    def read(self, code: str) -> SignedLink:
        """
        Return what the code of a link says.

        Raises:
            LinkInvalidError: It was altered, or not signed with any of the keys.
        """
        try:
            signed = _decode(code)
            said, signature = signed[: _SIGNED.size], signed[_SIGNED.size :]
            contact, line, version, made_at, handed_over, mark = _SIGNED.unpack(said)
        except (ValueError, struct.error):
            raise _not_ours() from None
        if not any(hmac.compare_digest(signature, _signature(secret, said)) for secret in self._secrets):
            raise _not_ours()
        return SignedLink(
            contact=contact.hex(),
            line=line,
            version=version,
            made_at=datetime.fromtimestamp(made_at, UTC),
            handed_over=handed_over,
            mark=mark.hex(),
        )


def _signature(secret: bytes, said: bytes) -> bytes:
    return hmac.digest(secret, said, "sha256")[:_SIGNATURE]


def _not_ours() -> LinkInvalidError:
    return LinkInvalidError("this is not one of our links, or part of it is missing")


# The last part of a token that also asks never to be written to again.
_NEVER = "n"
# What the fifth part of an earlier token says. One without it is from before there was a choice, and whatever purpose
# it names, it stops every message.
_PURPOSE = "p"


@attrs.frozen
class StopLinks:
    """
    Signs and reads stop tokens.

    They are written like codes, so they survive filters that write links in lower case. The tokens of earlier messages
    do not, but stop as well.
    """

    _signer: Signer = attrs.field(repr=False)
    _earlier: URLSafeSerializer = attrs.field(repr=False)

    @classmethod
    def of(cls, keys: Keys) -> StopLinks:
        """
        Return links that are signed with the current key and read with any of *keys*.
        """
        from itsdangerous import Signer, URLSafeSerializer

        def secrets(purpose: str) -> list[bytes]:
            # From the oldest to the newest: the last one signs, all of them verify.
            return [key.derive(purpose) for key in reversed(keys.all)]

        signing: Any = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        # Its keys are derived here once, as the library would for each message.
        derived = [hmac.digest(secret, b"optly.stop.v2", "sha256") for secret in secrets("stop/2")]
        return cls(
            Signer(derived, key_derivation="none", digest_method=hashlib.sha256),
            URLSafeSerializer(secrets("stop/1"), salt=b"optly.stop.v1", signer_kwargs=signing),
        )

    def sign(self, scope: StopScope) -> str:
        """
        Return the token for *scope*. It contains only ids and never expires.
        """
        parts = [str(scope.line), scope.channel or "", scope.purpose or "", _NEVER if scope.never else ""]
        return make_code(self._signer.sign(bytes.fromhex(scope.contact) + ".".join(parts).encode()))

    def read(self, token: str) -> StopScope:
        """
        Return what *token* stops, whatever a gateway did to its case and put behind it.

        Raises:
            LinkInvalidError: It was altered, made for another use, or not signed with any of the keys.
        """
        from itsdangerous import BadData

        for read in (self._read, self._read_earlier):
            try:
                return read(token)
            except (BadData, ValueError, TypeError):
                continue
        raise LinkInvalidError("this is not one of our stop links, or part of it is missing")

    def _read(self, token: str) -> StopScope:
        payload = self._signer.unsign(_decode(_letters(token)))
        line, channel, purpose, never = payload[_ID_BYTES:].decode().split(".")
        return StopScope(
            contact=payload[:_ID_BYTES].hex(),
            line=int(line),
            channel=Channel(channel) if channel else None,
            purpose=purpose or None,
            never=never == _NEVER,
        )

    def _read_earlier(self, token: str) -> StopScope:
        found = _EARLIER_TOKEN.search(token)
        payload: Any = self._earlier.loads(found[0] if found else "")
        contact, line, channel, purpose, *rest = payload
        return StopScope(
            contact=contact,
            line=line,
            channel=None if channel is None else Channel(channel),
            purpose=purpose if rest == [_PURPOSE] else None,
            never=rest == [_NEVER],
        )


def make_step_up(random: bytes) -> str:
    """
    Return a code of six digits from eight random bytes.
    """
    return f"{int.from_bytes(random) % 10**6:06d}"


def step_up_keys(keys: Keys, challenge: str, digits: str) -> tuple[bytes, ...]:
    """
    Return the keys a step-up code may be stored under, one for each of *keys*, that of the current one first.

    They are bound to one challenge and cannot be found by trying a million digits without the secret.
    """
    message = f"{challenge}\0{digits.strip()}".encode()
    return tuple(hmac.digest(key.derive("step-up/1"), message, "sha256") for key in keys.all)


def challenge(session: bytes, address: str = "") -> str:
    """
    Return the name of what a one-time code proves: that the holder of this session reads what is sent to the line of
    its link, or to a new address.

    Args:
        session: The key the session is stored under.
        address: The new address in its normal form.
    """
    return hashlib.sha256(b"optly/challenge/1\0" + session + address.encode()).hexdigest()


def proposal_key(session: bytes, kind: AddressKind) -> bytes:
    """
    Return the key the new address of a kind is stored under until a code has proved it.
    """
    return hashlib.sha256(b"optly/proposal/1\0" + session + kind.encode()).digest()


def is_this_machine(host: str) -> bool:
    """
    Return whether *host* names this machine. No name is looked up.
    """
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_host(host: str) -> bool:
    if ":" not in host:
        return _HOST.fullmatch(host) is not None
    try:
        return ip_address(host) is not None and "%" not in host
    except ValueError:
        return False


def _as_linked(url: str) -> str:
    """
    Return a base address as links are made of it: without a slash at the end, and with its host in ASCII.
    """
    url = url.rstrip("/")
    try:
        host = urlsplit(url).hostname or ""
        return url if host.isascii() else re.sub(r"(?<=//)[^/:?#@]+", host.encode("idna").decode(), url, count=1)
    except ValueError:
        return url


def _why_no_base(url: str) -> str:
    """
    Return why no link that begins with *url* would work, or only unsafely; empty if they do.
    """
    if not url.isprintable() or " " in url:
        return "there is a space in it, or something that cannot be seen"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return "its host or its port is malformed"
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return "it does not begin with https:// and a host"
    if "@" in parts.netloc:
        return "there is a user name in it"
    if "?" in url or "#" in url:
        return "links cannot follow a query or a fragment"
    _, colon, written = parts.netloc.rpartition("]")[2].rpartition(":")
    if not _is_host(host) or (colon and (not port or written != str(port))):
        return "its host or its port is malformed"
    if parts.scheme == "http" and not is_this_machine(host):
        # And mail programs send the button of RFC 8058 to no other address.
        return "links are secrets, so it begins with https, except on this machine"
    if not _PATH.fullmatch(parts.path) or not {".", ".."}.isdisjoint(parts.path.split("/")):
        return "its path may have ASCII letters, digits and -._~ between single slashes, and no part of dots alone"
    return ""


@attrs.frozen
class Pages:
    """
    The addresses of the pages.

    Attributes:
        base_url: Where the host mounts them, such as ``https://acme.example.com/my``. A slash at its end is left out,
            and the host is written in ASCII.

    Raises:
        ConfigurationError: No link that begins with it would work, or only unsafely; the message says why. It is https,
            or http on this machine.
    """

    base_url: str = attrs.field(converter=_as_linked)

    @base_url.validator
    def _is_where_links_lead(self, _attribute: object, value: str) -> None:
        if why := _why_no_base(value):
            raise ConfigurationError(
                f"base_url must be where the pages are mounted, such as https://acme.example/my: {why}"
            )

    @property
    def path(self) -> str:
        """
        The path of the mount, without a slash at the end.
        """
        return urlsplit(self.base_url).path

    @property
    def host(self) -> str:
        """
        The host name, in lower case.
        """
        return urlsplit(self.base_url).hostname or ""

    @property
    def origin(self) -> str:
        """
        Scheme, host and port as a browser writes them in an ``Origin`` header: the host in lower case and in its IDNA
        form, without the port where the scheme implies it.
        """
        parts = urlsplit(self.base_url)
        host = f"[{self.host}]" if ":" in self.host else self.host
        implied = parts.port in (None, 443 if parts.scheme == "https" else 80)
        return f"{parts.scheme}://{host}" + ("" if implied else f":{parts.port}")

    def link(self, code: str) -> str:
        """
        Return the address of the page behind a question or MyOptly code.
        """
        return f"{self.base_url}/l/{code}"

    @property
    def new_link(self) -> str:
        """
        The address of the page where anyone can have a MyOptly link sent to an address of theirs.
        """
        return f"{self.base_url}/new-link"

    def stop(self, token: str) -> str:
        """
        Return the address of the page behind a stop token.
        """
        return f"{self.base_url}/u/{token}"
