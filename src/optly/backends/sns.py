"""
Delivery events from Amazon SES: through SNS, which signs them, or EventBridge, which sends a secret.

All of it is pure, except for the two requests `Subscriber` makes: for a certificate and to confirm a subscription.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qs

import attrs

from optly.backends._aws import host
from optly.backends._diagnosis import Cause, diagnose
from optly.backends._feedback import feedback_status
from optly.backends._fields import addresses_in
from optly.backends._http import Call, Caller, NoAnswerError, NotSentError
from optly.backends._webhook import RejectedError, json_object, our_id, require_post
from optly.contacts import Channel
from optly.errors import ConfigurationError
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.messages.plain import clean
from optly.protocols.http import Request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

OLDEST: Final = timedelta(hours=1)  # SNS does not retry for longer
NEWEST: Final = timedelta(minutes=5)  # clocks differ

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)
_CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)
_QUERY = re.compile(r"\?[!\"$-\[\]-~]+", re.ASCII)  # without # and \, which are not parsed alike everywhere
_SECRET = re.compile(r"[!-~]{16,}", re.ASCII)
_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@[^<>@\s]+>", re.ASCII)
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)  # RFC 3463
_REPLY_STATUS = re.compile(rf"[245][0-9]{{2}}[ -]({_STATUS.pattern})\b", re.ASCII)
_MOST_CERTIFICATES = 16

# Our ids in a message, as tags and as a header: identity feedback comes without tags.
CONTACT_TAG, MESSAGE_TAG = "optly-contact", "optly-message"
CONTACT_HEADER = "X-Optly-Contact"

Json: TypeAlias = Mapping[str, Any]
_Status: TypeAlias = Callable[[Json, Json], DeliveryStatus | None]


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
        if not -NEWEST <= now - self.at <= OLDEST:
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
    if not isinstance(key, RSAPublicKey) or now < found.not_valid_before_utc - NEWEST:
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
    if _text(data, "source") != "aws.ses":
        return ()
    at = _instant(_text(data, "time")) or now
    return events(_part(data, "detail"), backend=backend, name=_text(data, "id"), at=at)


def events(data: Json, *, backend: str, name: str, at: datetime) -> tuple[DeliveryEvent, ...]:
    """
    Return the events in a record of SES, one for each recipient. A repeat of the record gives the same ids. That an
    email was opened, or a link in it followed, is none of our business and is left out.

    Amazon adds and omits fields at will, so a missing or unexpected value counts as empty.

    Args:
        name, at: The id of the event and when it happened, if the record does not give them.

    Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (read 2026-11-23).
    """
    kind = _text(data, "eventType") or _text(data, "notificationType")
    record = _RECORDS.get(kind)
    if record is None:
        return ()
    mail, about = _part(data, "mail"), _part(data, record.about)
    contact, message = _names(mail)
    code = "/".join(filter(None, (_text(about, part) for part in record.code)))[:100]
    timestamp = _text(about, "timestamp") or _text(mail, "timestamp")
    name = _text(about, "feedbackId") or _text(mail, "messageId") or name
    found = []
    for index, recipient in enumerate(_recipients(record, about, mail)):
        status, to = record.status(about, recipient), _address(_text(recipient, "emailAddress"))
        if status is not None and (to or contact):
            event = DeliveryEvent(
                id=f"{kind}/{index}/{timestamp}/{name}"[:200],
                backend=backend,
                channel=Channel.EMAIL,
                status=status,
                permanent=status is DeliveryStatus.FAILED and kind == "Bounce" and _is_permanent(about, recipient),
                contact=contact,
                message=message,
                to=to,
                at=_instant(timestamp) or at,
                code=code,
                status_code=_status_code(about, recipient),
                detail=_detail(about, recipient),
            )
            found.append(event)
    return tuple(found)


def _address(text: str) -> str:
    """
    Return the address of a recipient, whom Amazon sometimes repeats with a name.
    """
    return next(iter(addresses_in(text)), text)


def _recipients(record: _Record, about: Json, mail: Json) -> Sequence[Json]:
    listed = [entry for entry in _list(about, record.recipients) if isinstance(entry, dict)]
    plain = [text for text in _list(about, "recipients") or _list(mail, "destination") if isinstance(text, str)]
    return listed or [{"emailAddress": text} for text in plain] or [{}]


def _bounce(bounce: Json, recipient: Json) -> DeliveryStatus:
    action = _text(recipient, "action")
    if action == "delayed":
        return DeliveryStatus.DELAYED
    match _text(bounce, "bounceType"), _text(bounce, "bounceSubType"):
        case "Permanent", "UnsubscribedRecipient":
            return DeliveryStatus.OPTED_OUT
        case "Permanent", "Suppressed" | "OnAccountSuppressionList":
            # Amazon did not try, so this says nothing about the address.
            return DeliveryStatus.FAILED
        case "Permanent", kind:
            # Amazon calls most of what is refused permanent. Without a word beside it, its own word has to do.
            silent = not recipient.get("status") and not recipient.get("diagnosticCode")
            cause = _cause(recipient)
            gone = cause is Cause.GONE or (cause is Cause.UNSAID and (silent or kind == "NoEmail"))
            return DeliveryStatus.BOUNCED if gone else DeliveryStatus.FAILED
        case "Transient", "General" if action != "failed" and not _text(recipient, "status").startswith("5."):
            # Most of these are out-of-office replies to an email that arrived.
            return DeliveryStatus.SENT
        case _:
            return DeliveryStatus.FAILED


def _cause(recipient: Json) -> Cause:
    return diagnose(_text(recipient, "status"), _text(recipient, "diagnosticCode"), told_hard=True)


def _is_permanent(bounce: Json, recipient: Json) -> bool:
    """
    Whether a failure may be for ever, because no cause but the address is named.
    """
    tried = _text(bounce, "bounceSubType") not in ("Suppressed", "OnAccountSuppressionList")
    lasting = _text(bounce, "bounceType") == "Permanent" or _text(recipient, "action") == "failed"
    return tried and lasting and _cause(recipient) is Cause.UNSAID


def _complaint(complaint: Json, _recipient: Json) -> DeliveryStatus | None:
    if _text(complaint, "complaintSubType") == "OnAccountSuppressionList":
        return DeliveryStatus.FAILED  # Amazon did not try. Nobody complained about this email.
    return feedback_status(_text(complaint, "complaintFeedbackType"))


def _subscription(subscription: Json, _recipient: Json) -> DeliveryStatus | None:
    # A stop is to unsubscribe from everything, or from a topic that the person had not unsubscribed from before.
    new, old = _part(subscription, "newTopicPreferences"), _part(subscription, "oldTopicPreferences")
    stops = new.get("unsubscribeAll") is True or _opted_out_topics(new) - _opted_out_topics(old)
    return DeliveryStatus.OPTED_OUT if stops else None


def _opted_out_topics(preferences: Json) -> set[str]:
    statuses = [entry for entry in _list(preferences, "topicSubscriptionStatus") if isinstance(entry, dict)]
    return {_text(entry, "topicName") for entry in statuses if _text(entry, "subscriptionStatus") == "OptOut"}


def _always(status: DeliveryStatus) -> _Status:
    return lambda _about, _recipient: status


@attrs.frozen
class _Record:
    """
    Where a kind of record holds its facts.

    Attributes:
        about: The field with the details.
        status: Returns the status for one recipient, from the details; None if there is nothing to report.
        recipients: Where the details list the recipients, if each of them has details of its own.
        code: The fields of the details that make up the code.
    """

    about: str
    status: _Status
    recipients: str = ""
    code: tuple[str, ...] = ()


_RECORDS = {
    "Send": _Record("send", _always(DeliveryStatus.SENT)),
    "Delivery": _Record("delivery", _always(DeliveryStatus.DELIVERED)),
    "DeliveryDelay": _Record(
        "deliveryDelay", _always(DeliveryStatus.DELAYED), "delayedRecipients", code=("delayType",)
    ),
    "Reject": _Record("reject", _always(DeliveryStatus.FAILED)),
    "Rendering Failure": _Record("failure", _always(DeliveryStatus.FAILED)),
    "Bounce": _Record("bounce", _bounce, "bouncedRecipients", code=("bounceType", "bounceSubType")),
    "Complaint": _Record(
        "complaint", _complaint, "complainedRecipients", code=("complaintSubType", "complaintFeedbackType")
    ),
    "Subscription": _Record("subscription", _subscription),
}


def _names(mail: Json) -> tuple[str, str]:
    """
    Return our ids of the contact and the message, each empty if it is not there.
    """
    tags = _part(mail, "tags")
    headers = {
        _text(header, "name").lower(): _text(header, "value")
        for header in _list(mail, "headers")
        if isinstance(header, dict)
    }
    written = _MESSAGE_ID.fullmatch(headers.get("message-id", ""))
    contact = _first(tags, CONTACT_TAG) or headers.get(CONTACT_HEADER.lower(), "")
    message = _first(tags, MESSAGE_TAG) or (written[1] if written else "")
    return our_id(contact), our_id(message)


def _status_code(about: Json, recipient: Json) -> str:
    status = _text(recipient, "status")
    reply = _REPLY_STATUS.match(_text(about, "smtpResponse"))
    return status if _STATUS.fullmatch(status) else reply[1] if reply else ""


def _detail(about: Json, recipient: Json) -> str:
    words = (_text(recipient, "diagnosticCode"), *(_text(about, name) for name in ("smtpResponse", "reason")))
    return next(filter(None, (*words, _text(about, "errorMessage"))), "")[:2000]


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _part(data: Json, name: str) -> Json:
    found = data.get(name)
    return found if isinstance(found, dict) else {}


def _list(data: Json, name: str) -> list[Any]:
    found = data.get(name)
    return found if isinstance(found, list) else []


def _text(data: Json, name: str) -> str:
    found = data.get(name)
    return clean(found) if isinstance(found, str) else ""


def _first(tags: Json, name: str) -> str:
    found = _list(tags, name)
    return found[0] if found and isinstance(found[0], str) else ""
