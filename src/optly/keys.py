"""
The secret keys of the host and what is derived from them. They rotate; none is ever stored.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, TypeAlias

import attrs

from optly import typed
from optly.contacts import Address
from optly.errors import ConfigurationError

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

_SHORTEST = 16


def _as_tuple(value: Sequence[str]) -> tuple[str, ...]:
    return tuple(value)


@attrs.frozen
class Key:
    """
    One secret and what is derived from it: separately for each use, so that nothing made for one works for another.

    Attributes:
        version: Eight hexadecimal digits that identify the key without revealing it. Stored beside what it made.
    """

    secret: bytes = attrs.field(repr=False)
    version: str

    @classmethod
    def of(cls, text: str) -> Key:
        """
        Make a key from a secret in the host's settings.

        Raises:
            ConfigurationError: It is shorter than 16 characters.
        """
        if len(text) < _SHORTEST:
            raise ConfigurationError(f"a key must have at least {_SHORTEST} characters; make one with Keys.generate()")
        secret = text.encode()
        return cls(secret=secret, version=hmac.digest(secret, b"optly/key-version/1", "sha256")[:4].hex())

    def derive(self, purpose: str) -> bytes:
        """
        Return 32 bytes for *purpose* alone.
        """
        return hmac.digest(self.secret, b"optly/" + purpose.encode(), "sha256")


# The two hashes of an HMAC-SHA-256, both begun with the key: every check makes one, and the key is always the same.
_HalfMade: TypeAlias = "tuple[hashlib._Hash, hashlib._Hash]"


def _half_made(key: bytes) -> _HalfMade:
    """
    Source: RFC 2104 section 4 (read 2026-11-29).
    """
    padded = key.ljust(64, b"\0")  # no key here is longer than a block
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in padded)), hashlib.sha256(bytes(byte ^ 0x5C for byte in padded))


@attrs.frozen(slots=False, field_transformer=typed.fields)
class Keys:
    """
    The key that makes new links and look-ups, and all other keys.

    A stop link never expires and a suppression outlives the address it is about, so never drop an old key: move it to
    *previous*. A store remembers which keys it was written with. A manager without one of them refuses to start, and
    one that runs refuses to look anything up, because it could not see the suppressions made under that key.

    To rotate while several processes run, give all of them the new key in *previous* first.

    Attributes:
        current: At least 16 characters of randomness.
        previous: Every earlier key, and one that is to become the current one, in any order.
        exposed: Those of the previous keys that someone else has. Of the links signed with them, only those that stop
            still work.

    Raises:
        ConfigurationError: A key is too short or given twice, or an exposed one is not a previous one.
    """

    current: str = attrs.field(repr=False)
    previous: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, repr=False)
    exposed: tuple[str, ...] = attrs.field(default=(), converter=_as_tuple, repr=False)

    def __attrs_post_init__(self) -> None:
        if not set(self.exposed) <= set(self.previous):
            raise ConfigurationError("an exposed key must be among the previous ones, which still read what it made")
        if len({self.current, *self.previous}) != 1 + len(self.previous):
            raise ConfigurationError("the same key is given twice")
        assert self.all  # made here, so that a short key is refused at once

    @staticmethod
    def generate() -> str:
        """
        Return a new random key. Keep it with the host's other secrets.
        """
        return secrets.token_urlsafe(32)

    @cached_property
    def all(self) -> tuple[Key, ...]:
        """
        Every key, the current one first.
        """
        return tuple(Key.of(text) for text in (self.current, *self.previous))

    @cached_property
    def unexposed(self) -> tuple[Key, ...]:
        """
        Every key that nobody else has, the current one first.
        """
        return tuple(key for key in self.all if key.secret.decode() not in self.exposed)

    @cached_property
    def _peppers(self) -> tuple[_HalfMade, ...]:
        return tuple(_half_made(key.derive("pepper/1")) for key in self.all)

    def idkeys(self, organisation: str, address: Address) -> tuple[bytes, ...]:
        """
        Return the blind indexes of *address*, 16 bytes each, one for each key, that of the current key first.

        Without the key, nobody can find out which address an index stands for.
        """
        return self.namer(organisation, address.kind)(address.normal)

    def namer(self, organisation: str, kind: str) -> Callable[[str], tuple[bytes, ...]]:
        """
        Return what makes the blind indexes of all addresses of a kind from their normal forms, as `idkeys` does of one.
        """
        made = self._namers.get((organisation, kind))
        if made is None:
            made = self._namers[organisation, kind] = self._namer(f"{organisation}\0{kind}\0".encode())
        return made

    def domain_idkeys(self, organisation: str, domain: str) -> tuple[bytes, ...]:
        """
        Return the keyed hashes of a whole *domain*, in its IDNA form, as `idkeys` does. They are those of no address.
        """
        return self.namer(organisation, "domain")(domain)

    def reference_idkeys(self, organisation: str, reference: str) -> tuple[bytes, ...]:
        """
        Return the keyed hashes of a host's own *reference* for a contact, as `idkeys` does of an address.
        """
        return self.namer(organisation, "reference")(reference)

    def marks(self, organisation: str) -> tuple[bytes, ...]:
        """
        Return for each key the keyed hash under which a store keeps which keys came into use beside it.
        """
        return self.namer(organisation, "keys")("")

    @cached_property
    def _namers(self) -> dict[tuple[str, str], Callable[[str], tuple[bytes, ...]]]:
        return {}

    def _namer(self, prefix: bytes) -> Callable[[str], tuple[bytes, ...]]:
        begun = [(inner.copy(), outer.copy()) for inner, outer in self._peppers]
        for inner, _ in begun:
            inner.update(prefix)
        copies = [(inner.copy, outer.copy) for inner, outer in begun]

        def idkeys(value: str) -> tuple[bytes, ...]:
            message, made = value.encode(), []
            for copy_inner, copy_outer in copies:
                inner, outer = copy_inner(), copy_outer()
                inner.update(message)
                outer.update(inner.digest())
                made.append(outer.digest()[:16])
            return tuple(made)

        return idkeys

    @cached_property
    def _signers(self) -> tuple[Ed25519PrivateKey, ...]:
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

        return tuple(Ed25519PrivateKey.from_private_bytes(key.derive("checkpoint/1")) for key in self.all)

    def sign(self, message: bytes) -> bytes:
        """
        Return the Ed25519 signature of *message* under the current key, 64 bytes.
        """
        return self._signers[0].sign(message)

    @cached_property
    def public_keys(self) -> tuple[bytes, ...]:
        """
        The Ed25519 public keys that checkpoints were signed with, 32 bytes each, that of the current key first.

        Give them to anyone who needs to verify evidence without you.
        """
        return tuple(signer.public_key().public_bytes_raw() for signer in self._signers)

    @cached_property
    def _post_quantum_signers(self) -> tuple[MLDSA44PrivateKey, ...]:
        from cryptography.exceptions import UnsupportedAlgorithm

        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

            return tuple(MLDSA44PrivateKey.from_seed_bytes(key.derive("checkpoint/ml-dsa-44/1")) for key in self.all)
        except (ImportError, UnsupportedAlgorithm):
            return ()

    def sign_post_quantum(self, message: bytes) -> bytes | None:
        """
        Return the ML-DSA-44 signature of *message* under the current key, 2,420 bytes, which differs each time; None
        where cryptography does not offer it.
        """
        return self._post_quantum_signers[0].sign(message) if self._post_quantum_signers else None

    @cached_property
    def post_quantum_keys(self) -> tuple[bytes, ...]:
        """
        The ML-DSA-44 public keys that checkpoints were signed with as well, 1,312 bytes each, that of the current key
        first; empty where cryptography does not offer it. A quantum computer forges no signature of theirs.
        """
        return tuple(signer.public_key().public_bytes_raw() for signer in self._post_quantum_signers)


def sha256(text: str) -> bytes:
    """
    Return the SHA-256 of *text*, which is all that is stored of a random code.
    """
    return hashlib.sha256(text.encode()).digest()
