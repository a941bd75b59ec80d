"""
Return paths that identify the message when its mail comes back (VERP). Pure.
"""

from __future__ import annotations

import hmac
import re
from base64 import b32decode, b32encode
from collections.abc import Mapping
from functools import cached_property

import attrs

from optly.contacts import EmailAddress
from optly.errors import AddressError, ConfigurationError, UsageError
from optly.keys import Keys

_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)
_TOKEN = re.compile(r"[a-z2-7]{52}", re.ASCII)
_NOBODY = bytes(16)
_CONTACT, _MESSAGE, _MAC = 16, 8, 8
# What an address is for. Each is signed with a key of its own, so that neither is taken for the other.
_RETURN, _STOP = "return-path/1", "stop-address/1"
_LONGEST_LOCAL = 64 - 52 - 1  # RFC 5321 4.5.3.1.1, less the token and the plus


@attrs.frozen(slots=False)
class ReturnPath:
    """
    Gives every message a return path of its own, and recognises it on mail that comes back.

    The address is ``local+token@domain``. The token identifies the contact and the message and is signed, because
    anyone who could forge one could make any address look dead. It holds no personal data, never expires and is made of
    letters and digits that ignore case, because mail servers on the way change the case of addresses.

    Args:
        address: Where bounces are collected. The mail server there must deliver ``local+anything`` to ``local``. For a
            domain that receives nothing else, give ``@bounces.acme.example.com``: the token is then the whole local
            part.
        keys: The current key signs, and all of them verify. Use those of the manager.

    Raises:
        ConfigurationError: It is not an address of this form, or the part before the @ has more than 11 characters.
    """

    address: str = attrs.field(repr=False)
    keys: Keys = attrs.field(repr=False)

    def __attrs_post_init__(self) -> None:
        assert self._around  # parsed here, so that an invalid address is refused at once

    @cached_property
    def _around(self) -> tuple[str, str]:
        """
        The parts of the address before and after the token.
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
    def _secrets(self) -> Mapping[str, tuple[bytes, ...]]:
        return {use: tuple(key.derive(use) for key in self.keys.all) for use in (_RETURN, _STOP)}

    def address_for(self, contact: str, message: str) -> str:
        """
        Return the return path of a message. The same ids always give the same address.

        Args:
            contact: Id of the contact, 32 hexadecimal digits, or empty.
            message: Id of the message, 32 hexadecimal digits.

        Raises:
            UsageError: One of them is not an id of this form.
        """
        return self._address(_RETURN, contact, message)

    def stop_address_for(self, contact: str, message: str) -> str:
        """
        Return the address to which a mail, whatever it says, stops what its recipient gets: for the ``mailto:`` of a
        List-Unsubscribe header. It arrives where bounces do.

        Args and Raises: As for `address_for`.
        """
        return self._address(_STOP, contact, message)

    def _address(self, use: str, contact: str, message: str) -> str:
        if not _ID.fullmatch(message) or (contact and not _ID.fullmatch(contact)):
            raise UsageError("the ids in a return path must be 32 lower-case hexadecimal digits")
        ids = (bytes.fromhex(contact) or _NOBODY) + bytes.fromhex(message)[:_MESSAGE]
        before, after = self._around
        return f"{before}{_write(ids + self._sign(self._secrets[use][0], ids))}{after}"

    def read(self, address: str) -> tuple[str, str] | None:
        """
        Return the id of the contact and the first 16 digits of the message's id, or None if *address* is not one of our
        return paths, was cut short, or was not signed with any of the keys.
        """
        return self._read(_RETURN, address)

    def _read(self, use: str, address: str) -> tuple[str, str] | None:
        before, after = (part.lower() for part in self._around)
        folded = address.strip().lower()
        if not folded.startswith(before) or not folded.endswith(after):
            return None
        token = folded[len(before) : len(folded) - len(after)]
        if not _TOKEN.fullmatch(token):
            return None
        data = b32decode(token.upper() + "====")
        ids, mac = data[:-_MAC], data[-_MAC:]
        genuine = [hmac.compare_digest(mac, self._sign(secret, ids)) for secret in self._secrets[use]]
        if _write(data) != token or not any(genuine):
            return None
        contact = ids[:_CONTACT]
        return "" if contact == _NOBODY else contact.hex(), ids[_CONTACT:].hex()

    def find(self, text: str) -> tuple[str, str] | None:
        """
        Return what `read` returns for the first of our return paths in a text, such as the headers of a mail.
        """
        return self._find(_RETURN, text)

    def find_stop(self, text: str) -> tuple[str, str] | None:
        """
        Return the ids in the first address in a text that `stop_address_for` made, as `read` does, or None.
        """
        return self._find(_STOP, text)

    def _find(self, use: str, text: str) -> tuple[str, str] | None:
        for found in self._pattern.finditer(text.lower()):
            if ids := self._read(use, found[0]):
                return ids
        return None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        before, after = (re.escape(part.lower()) for part in self._around)
        return re.compile(rf"(?<![\w.+-]){before}[a-z2-7]{{52}}{after}(?![\w-])", re.ASCII)

    def _sign(self, secret: bytes, ids: bytes) -> bytes:
        before, after = self._around
        return hmac.digest(secret, f"{before}{after}\0".lower().encode() + ids, "sha256")[:_MAC]


def _write(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").lower()
