"""
Return paths that say, when a mail comes back, which message it was. Pure.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from functools import cached_property

import attrs

from optly.contacts.addresses import EmailAddress
from optly.errors import AddressError, ConfigurationError, UsageError
from optly.keys import Keys

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TOKEN = re.compile(r"[a-z2-7]{52}", re.ASCII)
_NOBODY = bytes(16)
_CONTACT, _MESSAGE, _MAC = 16, 8, 8
_LONGEST_LOCAL = 64 - 52 - 1  # RFC 5321 4.5.3.1.1, less the token and the plus


@attrs.frozen(slots=False)
class ReturnPath:
    """
    Gives every message a return path of its own, and reads it on what comes back.

    The address is ``local+token@domain``. The token names the contact and the message and is signed, because whoever
    could make one up could have anybody's address taken for a dead one. It holds no personal data, never expires and is
    written in letters and digits without case: mail servers on the way change the case of addresses.

    Args:
        address: Where bounces are collected. The mail server there has to deliver ``local+anything`` to ``local``. Of a
            domain that receives nothing else, give ``@bounces.acme.example.com``: the token is then all of the local
            part.
        keys: The current key signs, all of them verify. Those of the manager.

    Raises:
        ConfigurationError: It is not such an address, or the part before the @ has more than 11 characters.
    """

    address: str = attrs.field(repr=False)
    keys: Keys = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        assert self._around  # read here, so that a wrong address is refused at once

    @cached_property
    def _around(self) -> tuple[str, str]:
        """
        What stands before the token, and what after it.
        """
        local = self.address.rpartition("@")[0]
        try:
            given = EmailAddress.parse(self.address if local else f"bounces{self.address}")
        except AddressError as error:
            raise ConfigurationError(f"the return path is {error}") from None
        whole = given.ascii_value
        if whole is None or len(local) > _LONGEST_LOCAL or not re.fullmatch(r"[\w.-]*", local, re.ASCII):
            raise ConfigurationError(
                f"the part of a return path before the @ has at most {_LONGEST_LOCAL} letters and digits"
            )
        return f"{local}+" if local else "", "@" + whole.rpartition("@")[2]

    @cached_property
    def _secrets(self) -> tuple[bytes, ...]:
        return tuple(key.derive("return-path/1") for key in self.keys.all)

    def address_for(self, contact: str, message: str) -> str:
        """
        Return the return path of a message, always the same.

        Args:
            contact: Id of the contact, 32 hexadecimal digits, or empty.
            message: Id of the message, 32 hexadecimal digits.

        Raises:
            UsageError: One of them is not such an id.
        """
        if not _ID.fullmatch(message) or (contact and not _ID.fullmatch(contact)):
            raise UsageError("the ids in a return path have 32 lower-case hexadecimal digits")
        ids = (bytes.fromhex(contact) or _NOBODY) + bytes.fromhex(message)[:_MESSAGE]
        before, after = self._around
        return f"{before}{_write(ids + self._sign(self._secrets[0], ids))}{after}"

    def read(self, address: str) -> tuple[str, str] | None:
        """
        Return the id of the contact and the first 16 digits of that of the message, or None if *address* is not a
        return path of ours, was cut short, or was signed with none of the keys.
        """
        before, after = (part.lower() for part in self._around)
        folded = address.strip().lower()
        if not folded.startswith(before) or not folded.endswith(after):
            return None
        token = folded[len(before) : len(folded) - len(after)]
        if not _TOKEN.fullmatch(token):
            return None
        data = b32decode(token.upper() + "====")
        ids, mac = data[:-_MAC], data[-_MAC:]
        genuine = [hmac.compare_digest(mac, self._sign(secret, ids)) for secret in self._secrets]
        if _write(data) != token or not any(genuine):
            return None
        contact = ids[:_CONTACT]
        return "" if contact == _NOBODY else contact.hex(), ids[_CONTACT:].hex()

    def _sign(self, secret: bytes, ids: bytes) -> bytes:
        before, after = self._around
        return hmac.digest(secret, f"{before}{after}\0".lower().encode() + ids, "sha256")[:_MAC]


def _write(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()
