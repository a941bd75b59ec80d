"""
What every Amazon service needs: its host, credentials, and a signature over each request.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, TypeAlias

import attrs

from optly import typed
from optly.backends._http import Call
from optly.errors import ConfigurationError

if TYPE_CHECKING:
    from botocore.credentials import Credentials as Kept  # type: ignore[import-untyped]

_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]+){1,2}-[0-9]", re.ASCII)
_SUFFIXES = {"cn": "amazonaws.com.cn", "eusc": "amazonaws.eu"}  # where they differ, by the first part of the region
_WORD = re.compile(r"[!-~]+", re.ASCII)


def host(service: str, region: str) -> str:
    """
    Return the host of *service* in *region*.

    Raises:
        ConfigurationError: It is not the name of a region.
    """
    if not _REGION.fullmatch(region):
        raise ConfigurationError("an AWS region is written like eu-west-2")
    return f"{service}.{region}.{_SUFFIXES.get(region.partition('-')[0], 'amazonaws.com')}"


@attrs.frozen(kw_only=True)
class Credentials:
    """
    AWS credentials. None of them are in the repr.

    Attributes:
        access_key, secret_key: As issued by Amazon.
        token: The session token of temporary credentials, otherwise empty.

    Raises:
        ConfigurationError: One of them is missing, or contains a character that is not allowed in a header.
    """

    access_key: str = attrs.field(repr=False)
    secret_key: str = attrs.field(repr=False)
    token: str = attrs.field(default="", repr=False)

    def __attrs_post_init__(self) -> None:
        if not all(map(_WORD.fullmatch, (self.access_key, self.secret_key, self.token or "none"))):
            raise ConfigurationError("AWS credentials are two or three values of printable ASCII without spaces")


Source: TypeAlias = Callable[[], Credentials]


def source(given: Credentials | Source | None) -> Source:
    """
    Return a function that provides the credentials for each call.

    Raises:
        ConfigurationError: botocore is not installed.
    """
    try:
        import botocore  # type: ignore[import-untyped]  # noqa: F401
    except ImportError:
        raise ConfigurationError('Amazon SES needs an extra: python -m pip install "optly[ses]"') from None
    match given:
        case None:
            return Chain()
        case Credentials():
            return lambda: given
        case _:
            return given


class Chain:
    """
    Credentials from AWS's default chain: the environment, files, or the machine's role. Renewed before they expire.
    Safe to share between threads.

    They are looked up when they are first needed, because that may use the network.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._kept: Kept | None = None

    def __call__(self) -> Credentials:
        """
        Return the current credentials.

        Raises:
            LookupError: There are none.
            Exception: Whatever botocore raises when it cannot renew them.
        """
        with self._lock:
            if self._kept is None:
                from botocore.session import Session  # type: ignore[import-untyped]

                self._kept = Session().get_credentials()
            kept = self._kept
        if kept is None:
            raise LookupError("no credentials")
        # Frozen, so that a renewal in another thread does not mix old and new values.
        found = kept.get_frozen_credentials()
        return Credentials(access_key=found.access_key, secret_key=found.secret_key, token=found.token or "")


def sign(call: Call, credentials: Credentials, *, service: str, region: str, at: datetime) -> Call:
    """
    Return *call* with Amazon's signature, version 4, over all of its headers. Pure.

    botocore's ``add_auth`` does the same, but reads the clock itself, and logs what it signs, including the session
    token.

    Args:
        at: The time of the call. Amazon refuses a call whose time is more than a few minutes off.

    Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html (read
    2026-11-23).
    """
    from botocore.auth import SigV4Auth  # type: ignore[import-untyped]
    from botocore.awsrequest import AWSRequest  # type: ignore[import-untyped]
    from botocore.credentials import Credentials as Signing

    timestamp = at.astimezone(UTC).strftime("%Y%m%dT%H%M%SZ")
    headers = {**call.headers, "X-Amz-Date": timestamp}
    if credentials.token:
        headers["X-Amz-Security-Token"] = credentials.token
    request = AWSRequest(method=call.method, url=call.url, headers=headers, data=call.body)
    request.context["timestamp"] = timestamp
    signer = SigV4Auth(Signing(credentials.access_key, credentials.secret_key), service, region)
    text = signer.string_to_sign(request, signer.canonical_request(request))
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, "
        f"SignedHeaders={signer.signed_headers(signer.headers_to_sign(request))}, "
        f"Signature={signer.signature(text, request)}"
    )
    return typed.evolve(call, headers=headers)
