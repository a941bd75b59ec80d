"""
Delivery events from Amazon SES: through SNS, which signs them, or EventBridge, which sends a secret.

All of it is pure, except for the two requests `Subscriber` makes: for a certificate and to confirm a subscription.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

import attrs

from optly.backends._aws import host
from optly.backends._http import Call, Caller, NoAnswerError, NotSentError
from optly.backends._ses_records import Json, instant_of, part_of, text_of
from optly.backends._ses_records import events as events
from optly.backends._webhook import RejectedError, json_object, require_post
from optly.errors import ConfigurationError
from optly.instants import CLOCK_SKEW
from optly.messages import DeliveryEvent
from optly.protocols.http import Request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

OLDEST: Final = timedelta(hours=1)  # SNS does not retry for longer

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)
_CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)
_QUERY = re.compile(r"\?[!\"$-\[\]-~]+", re.ASCII)  # without # and \, which are not parsed alike everywhere
_SECRET = re.compile(r"[!-~]{16,}", re.ASCII)
_MOST_CERTIFICATES = 16


def read(request: Request) -> Json:
    """
    Return the JSON object in the body of a request.

    Raises:
        RejectedError: The body is not one, or is too long.
    """
    require_post(request)
    found = json_object(request.body)
    if found is None:
        raise RejectedError(HTTPStatus.BAD_REQUEST, "not a JSON object")
    return found


# ---- SNS


class Kind(StrEnum):
    NOTIFICATION = "Notification"
    SUBSCRIBED = "SubscriptionConfirmation"
    UNSUBSCRIBED = "UnsubscribeConfirmation"


# The signed parts, in this order.
_SIGNED_IN_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_SIGNED_IN_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")


@attrs.frozen(kw_only=True)
class Envelope:
    """
    The envelope SNS puts around a message. Not to be trusted until its signature is verified.

    Attributes:
        at: When it was published.
        parts: The signed parts, by Amazon's names for them.
        signed: The bytes that are signed.
    """

    kind: Kind
    at: datetime
    parts: Mapping[str, str] = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    version: str
    signature: bytes = attrs.field(repr=False)
    certificate_url: str

    @classmethod
    def parse(cls, data: Json) -> Envelope:
        """
        Parse an envelope.

        Raises:
            RejectedError: A part is missing or invalid.

        Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (read 2026-11-23).
        """
        if "Signature" not in data:
            raise RejectedError(HTTPStatus.FORBIDDEN, "unsigned")
        try:
            kind = Kind(data["Type"])
            names = _SIGNED_IN_NOTIFICATION if kind is Kind.NOTIFICATION else _SIGNED_IN_CONFIRMATION
            parts = {name: data[name] for name in names if name != "Subject" or data.get(name) is not None}
            at = datetime.fromisoformat(data["Timestamp"])
            signature = b64decode(data["Signature"], validate=True)
            version, certificate_url = data["SignatureVersion"], data["SigningCertURL"]
            signed = "".join(f"{name}\n{value}\n" for name, value in parts.items()).encode()
        except (KeyError, ValueError, TypeError):
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope") from None
        if not all(isinstance(text, str) for text in (*parts.values(), version, certificate_url)) or at.tzinfo is None:
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope")
        # With a line break in any other part, two different envelopes could have the same signed bytes.
        if any("\n" in value for name, value in parts.items() if name != "Message"):
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope")
        return cls(
            kind=kind,
            at=at,
            parts=parts,
            signed=signed,
            version=version,
            signature=signature,
            certificate_url=certificate_url,
        )

    def check(self, topics: Iterable[str], *, now: datetime) -> None:
        """
        Check that it is from one of our topics, recent, and signed with a certificate at Amazon.

        Anyone can have a topic of their own, whose messages are signed just like ours.

        Raises:
            RejectedError: It is not.
        """
        topic = self.parts["TopicArn"]
        if topic not in topics:
            raise RejectedError(HTTPStatus.FORBIDDEN, "topic")
        if not -CLOCK_SKEW <= now - self.at <= OLDEST:
            raise RejectedError(HTTPStatus.FORBIDDEN, "age")
        if not _CERTIFICATE.fullmatch(_after_host(self.certificate_url, topic)):
            raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")

    def verify(self, key: RSAPublicKey) -> None:
        """
        Check that it was signed with the private key of *key*.

        Raises:
            RejectedError: It was not.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        # Version 1 is the default of a topic.
        algorithms = {"1": SHA1(), "2": SHA256()}  # noqa: S303
        if self.version not in algorithms:
            raise RejectedError(HTTPStatus.FORBIDDEN, "signature")
        try:
            key.verify(self.signature, self.signed, PKCS1v15(), algorithms[self.version])
        except InvalidSignature:
            raise RejectedError(HTTPStatus.FORBIDDEN, "signature") from None

    def confirmation(self) -> str:
        """
        Return the URL that confirms the subscription.

        Raises:
            RejectedError: The URL does something else.
        """
        url, topic = self.parts["SubscribeURL"], self.parts["TopicArn"]
        query = _after_host(url, topic)
        parameters = parse_qs(query[1:]) if _QUERY.fullmatch(query) else {}
        if (parameters.get("Action"), parameters.get("TopicArn")) != (["ConfirmSubscription"], [topic]):
            raise RejectedError(HTTPStatus.FORBIDDEN, "confirmation")
        return url


def _after_host(url: str, topic: str) -> str:
    """
    Return the part of *url* after the host of SNS in the region of *topic*. Empty for any other host.

    The URL is compared, not parsed: Amazon never uses the other spellings that a browser would accept.
    """
    base = f"https://{host('sns', _region(topic))}/"
    return url.removeprefix(base) if url.startswith(base) else ""


def _region(topic: str) -> str:
    found = _TOPIC.fullmatch(topic)
    return found["region"] if found else ""


class Subscriber:
    """
    Receives what SNS delivers from known topics. Safe to share between threads.

    Args:
        topics: Their ARNs. Without any, every delivery is refused.
        caller: Fetches the certificates.

    Raises:
        ConfigurationError: An ARN is not that of a topic.
    """

    def __init__(self, topics: Sequence[str], *, caller: Caller) -> None:
        if isinstance(topics, str) or not all(map(_TOPIC.fullmatch, topics)):
            raise ConfigurationError("topics are ARNs such as arn:aws:sns:eu-west-2:123456789012:mail")
        for topic in topics:
            host("sns", _region(topic))
        self._topics = frozenset(topics)
        self._caller = caller
        self._keys: dict[str, tuple[RSAPublicKey, datetime]] = {}

    def receive(self, data: Json, *, now: datetime) -> Envelope:
        """
        Verify that a delivery comes from Amazon, confirm a subscription that is ours, and return the envelope.

        Raises:
            RejectedError: It does not, or that cannot be verified now.
        """
        envelope = Envelope.parse(data)
        envelope.check(self._topics, now=now)
        envelope.verify(self._key(envelope.certificate_url, now))
        if envelope.kind is Kind.SUBSCRIBED:
            self._fetch(envelope.confirmation())
        return envelope

    def _key(self, url: str, now: datetime) -> RSAPublicKey:
        known = self._keys.get(url)
        if known is None:
            known = public_key(self._fetch(url), now)
            if len(self._keys) >= _MOST_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = known
        key, until = known
        if now > until:
            raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")
        return key

    def _fetch(self, url: str) -> bytes:
        """
        Fetch *url*, which is at Amazon. If Amazon fails, our response makes SNS retry, which it does not after a 4xx.
        """
        try:
            answer = self._caller.call(Call(method="GET", url=url))
        except (NotSentError, NoAnswerError):
            raise RejectedError(HTTPStatus.SERVICE_UNAVAILABLE, "Amazon cannot be reached") from None
        if answer.status >= 500:
            raise RejectedError(HTTPStatus.SERVICE_UNAVAILABLE, "Amazon cannot be reached")
        if answer.status != HTTPStatus.OK:
            raise RejectedError(HTTPStatus.FORBIDDEN, "fetched")
        return answer.body


def public_key(certificate: bytes, now: datetime) -> tuple[RSAPublicKey, datetime]:
    """
    Return the public key of a certificate, and the instant the certificate expires.

    Its issuer is not checked: it comes from Amazon's own host, over TLS, which is checked against the system's
    authorities.

    Raises:
        RejectedError: It is not a certificate, has no RSA key, or is not yet valid.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(certificate)
        key = found.public_key()
    except Exception:  # The library may raise anything.
        raise RejectedError(HTTPStatus.FORBIDDEN, "certificate") from None
    if not isinstance(key, RSAPublicKey) or now < found.not_valid_before_utc - CLOCK_SKEW:
        raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")
    return key, found.not_valid_after_utc


# ---- EventBridge


class Secrets:
    """
    The secrets EventBridge may send. Several, so that one can be replaced by another.

    Raises:
        ConfigurationError: One is too short, or contains a character that is not allowed in a header.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if isinstance(secrets, str) or not all(map(_SECRET.fullmatch, secrets)):
            raise ConfigurationError("secrets is a list, each of 16 or more printable ASCII characters without spaces")
        self._secrets = tuple(secret.encode() for secret in secrets)

    def check(self, request: Request) -> None:
        """
        Check that *request* carries one, as ``X-Api-Key: secret`` or ``Authorization: Bearer secret``.

        Raises:
            RejectedError: It does not.
        """
        bearer = (value.removeprefix("Bearer ") for value in request.values("authorization"))
        candidates = [*request.values("x-api-key"), *bearer]
        # Every pair is compared, so that the time taken reveals nothing.
        matches = [
            hmac.compare_digest(text.encode(errors="surrogatepass"), secret)
            for text in candidates
            for secret in self._secrets
        ]
        if not any(matches):
            raise RejectedError(HTTPStatus.FORBIDDEN, "secret")


# ---- records of SES


def from_notification(envelope: Envelope, *, backend: str) -> tuple[DeliveryEvent, ...]:
    """
    Return the delivery events in an SNS notification. Empty if there are none.
    """
    data = json_object(envelope.parts["Message"]) or {}
    return events(data, backend=backend, name=envelope.parts["MessageId"], at=envelope.at)


def from_eventbridge(data: Json, *, backend: str, now: datetime) -> tuple[DeliveryEvent, ...]:
    """
    Return the delivery events in an EventBridge event. Empty if there are none.
    """
    if text_of(data, "source") != "aws.ses":
        return ()
    at = instant_of(text_of(data, "time")) or now
    return events(part_of(data, "detail"), backend=backend, name=text_of(data, "id"), at=at)
