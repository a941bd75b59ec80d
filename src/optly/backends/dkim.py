"""
Signs email with DKIM.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final

import attrs
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from optly.errors import ConfigurationError

# The headers that a reader or a mail program relies on. An email in which one of these is repeated, or was added after
# signing, is not the email that was signed.
SEALED: Final = (
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
)

# RFC 8058 4 requires the first two, Gmail the third. They may be added to a message without them on its way.
SEALED_IF_THERE: Final = ("List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID")

_NAME = re.compile(r"[!-9<-~]+", re.ASCII)  # RFC 5322 3.6.8, without the semicolon that would end the list of headers
_DOMAIN = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}", re.ASCII | re.IGNORECASE)
_SELECTOR = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?", re.ASCII | re.IGNORECASE)
_FEWEST_BITS = 1024  # RFC 8301 3.2
_SAMPLE = b"From: a@example.com\r\n\r\nsample\r\n"


class Signer:
    """
    Signs email with DKIM: rsa-sha256, relaxed/relaxed, over an explicit list of headers. Safe to share between threads.

    Each header is listed once more than it occurs, so that nobody can add another.

    Args:
        domain: The signing domain: that of the sender, or one above it.
        selector: Where the public key is: ``selector._domainkey.domain``.
        private_key: An RSA key in PEM, without a password.
        headers: Signed whether they occur or not.
        headers_if_there: Signed if they occur.

    Raises:
        ConfigurationError: One of these is invalid, or the extra ``dkim`` is not installed.
    """

    def __init__(
        self,
        domain: str,
        selector: str,
        private_key: str | bytes,
        *,
        headers: Iterable[str] = SEALED,
        headers_if_there: Iterable[str] = SEALED_IF_THERE,
    ) -> None:
        if not _DOMAIN.fullmatch(domain) or not _SELECTOR.fullmatch(selector):
            raise ConfigurationError("a DKIM signature needs a domain and a selector, both in ASCII")
        self._domain = domain
        self._selector = selector
        self._headers = _names(headers)
        self._headers_if_there = _names(headers_if_there)
        self._key = _read(private_key)
        self._make = _dkim(_Key(self._key))
        self._pem = self._key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        try:
            self.sign(_SAMPLE)
        except Exception:  # The library may raise anything for a list of headers it does not accept.
            raise ConfigurationError("DKIM signing does not work with this list of headers") from None

    def __repr__(self) -> str:
        return f"<Signer {self._selector}._domainkey.{self._domain}>"

    def sign(self, content: bytes) -> bytes:
        """
        Return *content*, an email whose lines end in CR LF, with a signature at the top.
        """
        mail = self._make(content)
        there = Counter(name.decode("ascii", "replace").lower() for name, _ in mail.headers)
        names = [*self._headers, *(name for name in self._headers_if_there if there[name])]
        signature: bytes = mail.sign(
            self._selector.encode(),
            self._domain.encode(),
            self._pem,
            canonicalize=(b"relaxed", b"relaxed"),
            include_headers=[name.encode() for name in names for _ in range(there[name] + 1)],
        )
        return signature + content


def _names(headers: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name.lower() for name in headers))
    if not all(map(_NAME.fullmatch, names)):
        raise ConfigurationError("the headers to sign must be names of headers")
    return names


def _read(private_key: str | bytes) -> RSAPrivateKey:
    pem = private_key.encode() if isinstance(private_key, str) else private_key
    try:
        key = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError("the key for DKIM is not an unencrypted private key in PEM") from None
    if not isinstance(key, RSAPrivateKey) or key.key_size < _FEWEST_BITS:
        raise ConfigurationError(f"the key for DKIM must be an RSA key of at least {_FEWEST_BITS} bits")
    return key


# ---- dkimpy composes the signature, cryptography computes it


@attrs.frozen
class _Signature:
    signature: bytes


@attrs.frozen
class _Key:
    """
    An RSA key with the interface of an Ed25519 key, for dkimpy.
    """

    key: RSAPrivateKey = attrs.field(repr=False)

    def sign(self, digest: bytes) -> _Signature:
        return _Signature(self.key.sign(digest, PKCS1v15(), Prehashed(hashes.SHA256())))


def _dkim(key: _Key) -> Any:
    try:
        from dkim import DKIM  # type: ignore[import-untyped]
    except ImportError:
        raise ConfigurationError("signing with DKIM needs the extra dkim: pip install 'optly[dkim]'") from None

    class Fast(DKIM):  # type: ignore[misc]
        """
        dkimpy computes RSA in Python, ten times slower. An Ed25519 key it asks to sign the digest.
        """

        def gen_header(self, fields: Any, include_headers: Any, canon_policy: Any, header_name: Any, _: Any) -> Any:
            self.signature_algorithm = b"ed25519-sha256"  # the fields already name the algorithm of the signature
            return super().gen_header(fields, include_headers, canon_policy, header_name, key)

    return Fast
