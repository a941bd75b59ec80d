"""
What Amazon says later: over SNS, which signs, and over EventBridge, which shows a secret.

All of it is pure, except for the two things that `Subscriber` fetches: a certificate and a confirmation.
"""

from __future__ import annotations

import hmac
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Final, TypeAlias
from urllib.parse import parse_qs

import attrs

from optly.backends._aws import host
from optly.backends._http import Call, Caller, NoAnswerError, NotSentError
from optly.backends._reply import clean
from optly.backends._webhook import RejectedError, json_object, our_id, require_post
from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError
from optly.messages import DeliveryEvent, DeliveryStatus
from optly.protocols.http import Request

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

OLDEST: Final = timedelta(hours=1)  # SNS does not try for longer
NEWEST: Final = timedelta(minutes=5)  # clocks differ

_TOPIC = re.compile(r"arn:aws[a-z-]*:sns:(?P<region>[a-z0-9-]+):[0-9]{12}:[A-Za-z0-9_-]{1,256}", re.ASCII)
_CERTIFICATE = re.compile(r"SimpleNotificationService-[0-9a-f]{32}\.pem", re.ASCII)
_QUERY = re.compile(r"\?[!\"$-\[\]-~]+", re.ASCII)  # without # and \, which not everybody reads alike
_SECRET = re.compile(r"[!-~]{16,}", re.ASCII)
_MESSAGE_ID = re.compile(r"<([0-9a-f]{32})@[^<>@\s]+>", re.ASCII)
_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}", re.ASCII)  # RFC 3463
_REPLY_STATUS = re.compile(rf"[245][0-9]{{2}}[ -]({_STATUS.pattern})\b", re.ASCII)
_MOST_CERTIFICATES = 16

# What a message carries of ours, as a tag and as a header: feedback on an identity comes without tags.
CONTACT_TAG, MESSAGE_TAG = "optly-contact", "optly-message"
CONTACT_HEADER = "X-Optly-Contact"

Json: TypeAlias = Mapping[str, Any]


def read(request: Request) -> Json:
    """
    Return the JSON object that a request carries.

    Raises:
        RejectedError: It carries none, or too much.
    """
    require_post(request)
    found = json_object(request.body)
    if found is None:
        raise RejectedError(HTTPStatus.BAD_REQUEST, "not a JSON object")
    return found


# ---- SNS


class Kind(StrEnum):
    """
    What SNS sends.
    """

    NOTIFICATION = "Notification"
    SUBSCRIBED = "SubscriptionConfirmation"
    UNSUBSCRIBED = "UnsubscribeConfirmation"


# What is signed, in this order.
_SIGNED = {
    Kind.NOTIFICATION: ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    Kind.SUBSCRIBED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    Kind.UNSUBSCRIBED: ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}


@attrs.frozen(kw_only=True)
class Envelope:
    """
    What SNS puts around a message. Nothing of it is to be believed before the signature is.

    Attributes:
        topic: Its ARN.
        at: When it was published.
        subscribe_url: Empty in a notification.
        signed: The bytes the signature is over.
    """

    kind: Kind
    id: str
    topic: str
    at: datetime
    message: str = attrs.field(repr=False)
    subscribe_url: str = attrs.field(repr=False)
    signed: bytes = attrs.field(repr=False)
    version: str
    signature: bytes = attrs.field(repr=False)
    certificate_url: str

    @classmethod
    def parse(cls, data: Json) -> Envelope:
        """
        Read an envelope.

        Raises:
            RejectedError: A part is missing or is not what it has to be.

        Source: https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html (read 2026-11-23).
        """
        if "Signature" not in data:
            raise RejectedError(HTTPStatus.FORBIDDEN, "unsigned")
        try:
            kind = Kind(data["Type"])
            parts = {name: data[name] for name in _SIGNED[kind] if name != "Subject" or data.get(name) is not None}
            at = datetime.fromisoformat(data["Timestamp"])
            signature = b64decode(data["Signature"], validate=True)
            version, certificate_url = data["SignatureVersion"], data["SigningCertURL"]
            signed = "".join(f"{name}\n{value}\n" for name, value in parts.items()).encode()
        except (KeyError, ValueError, TypeError):
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope") from None
        if not all(isinstance(text, str) for text in (*parts.values(), version, certificate_url)) or at.tzinfo is None:
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope")
        # With a line break in any other part, two different envelopes could be signed by the same bytes.
        if any("\n" in value for name, value in parts.items() if name != "Message"):
            raise RejectedError(HTTPStatus.BAD_REQUEST, "envelope")
        return cls(
            kind=kind,
            id=parts["MessageId"],
            topic=parts["TopicArn"],
            at=at,
            message=parts["Message"],
            subscribe_url=parts.get("SubscribeURL", ""),
            signed=signed,
            version=version,
            signature=signature,
            certificate_url=certificate_url,
        )

    def check(self, topics: Iterable[str], *, now: datetime) -> None:
        """
        Make sure that it is for us, of these days, and names a certificate of Amazon's.

        Anybody can have a topic of their own, whose messages are signed as well as ours.

        Raises:
            RejectedError: It is not.
        """
        if self.topic not in topics:
            raise RejectedError(HTTPStatus.FORBIDDEN, "topic")
        if not -NEWEST <= now - self.at <= OLDEST:
            raise RejectedError(HTTPStatus.FORBIDDEN, "age")
        if not _CERTIFICATE.fullmatch(_at_amazon(self.certificate_url, self.topic)):
            raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")

    def verify(self, key: RSAPublicKey) -> None:
        """
        Make sure that whoever holds *key* signed it.

        Raises:
            RejectedError: They did not.
        """
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA1, SHA256

        # Version 1 is what a topic has unless it is told otherwise.
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
            RejectedError: It would do something else.
        """
        query = _at_amazon(self.subscribe_url, self.topic)
        asked = parse_qs(query[1:]) if _QUERY.fullmatch(query) else {}
        if (asked.get("Action"), asked.get("TopicArn")) != (["ConfirmSubscription"], [self.topic]):
            raise RejectedError(HTTPStatus.FORBIDDEN, "confirmation")
        return self.subscribe_url


def _at_amazon(url: str, topic: str) -> str:
    """
    Return what *url* asks for at the SNS of the region that *topic* is in. Empty if it leads anywhere else.

    The URL is compared and not taken apart: of what a browser would still understand, Amazon writes nothing.
    """
    base = f"https://{host('sns', _region(topic))}/"
    return url.removeprefix(base) if url.startswith(base) else ""


def _region(topic: str) -> str:
    found = _TOPIC.fullmatch(topic)
    return found["region"] if found else ""


class Subscriber:
    """
    Takes what SNS delivers from topics that are known. Safe to share between threads.

    Args:
        topics: Their ARNs. Without any, nothing is taken.
        caller: What the certificates are fetched with.

    Raises:
        ConfigurationError: An ARN is none of a topic.
    """

    def __init__(self, topics: Sequence[str], *, caller: Caller) -> None:
        if isinstance(topics, str) or not all(map(_TOPIC.fullmatch, topics)):
            raise ConfigurationError("topics are ARNs such as arn:aws:sns:eu-west-2:123456789012:mail")
        for topic in topics:
            host("sns", _region(topic))
        self._topics = frozenset(topics)
        self._caller = caller
        self._keys: dict[str, tuple[RSAPublicKey, datetime]] = {}

    def take(self, data: Json, *, now: datetime) -> Envelope:
        """
        Return what was delivered, once it is certain that it is Amazon's, and confirm a subscription that is ours.

        Raises:
            RejectedError: It is not, or that cannot be told now.
        """
        envelope = Envelope.parse(data)
        envelope.check(self._topics, now=now)
        envelope.verify(self._key(envelope.certificate_url, now))
        if envelope.kind is Kind.SUBSCRIBED:
            self._get(envelope.confirmation())
        return envelope

    def _key(self, url: str, now: datetime) -> RSAPublicKey:
        known = self._keys.get(url)
        if known is None:
            known = public_key(self._get(url), now)
            if len(self._keys) >= _MOST_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = known
        key, until = known
        if now > until:
            raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")
        return key

    def _get(self, url: str) -> bytes:
        """
        Fetch *url*, which leads to Amazon. If Amazon fails, SNS is told to come again, which it does not after a 4xx.
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
    Return the key that a certificate is for, and until when.

    Who issued it is not asked: it comes from Amazon's own host, over TLS, which is checked against the system's
    authorities.

    Raises:
        RejectedError: It is no certificate, not one with such a key, or not one of these days.
    """
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.x509 import load_pem_x509_certificate

    try:
        found = load_pem_x509_certificate(certificate)
        key = found.public_key()
    except Exception:  # The library fails with whatever it stumbles over.
        raise RejectedError(HTTPStatus.FORBIDDEN, "certificate") from None
    if not isinstance(key, RSAPublicKey) or now < found.not_valid_before_utc - NEWEST:
        raise RejectedError(HTTPStatus.FORBIDDEN, "certificate")
    return key, found.not_valid_after_utc


# ---- EventBridge


class Secrets:
    """
    What EventBridge shows to be let in. Several, so that one can take the place of another.

    Raises:
        ConfigurationError: One is too short, or cannot stand in a header.
    """

    def __init__(self, secrets: Sequence[str]) -> None:
        if isinstance(secrets, str) or not all(map(_SECRET.fullmatch, secrets)):
            raise ConfigurationError("secrets is a list, each of 16 or more printable ASCII characters without spaces")
        self._secrets = tuple(secret.encode() for secret in secrets)

    def check(self, request: Request) -> None:
        """
        Make sure that *request* shows one, as ``X-Api-Key: secret`` or ``Authorization: Bearer secret``.

        Raises:
            RejectedError: It does not.
        """
        shown = [*request.values("x-api-key"), *(v.removeprefix("Bearer ") for v in request.values("authorization"))]
        # Every pair is compared, so that the time it takes tells nothing.
        same = [
            hmac.compare_digest(text.encode(errors="surrogatepass"), secret)
            for text in shown
            for secret in self._secrets
        ]
        if not any(same):
            raise RejectedError(HTTPStatus.FORBIDDEN, "secret")


# ---- what SES says


def notified(envelope: Envelope, *, backend: str) -> tuple[DeliveryEvent, ...]:
    """
    Return what a notification of SNS says became of emails. Empty if it says nothing of the kind.
    """
    return events(json_object(envelope.message) or {}, backend=backend, name=envelope.id, at=envelope.at)


def bridged(data: Json, *, backend: str, now: datetime) -> tuple[DeliveryEvent, ...]:
    """
    Return what an event of EventBridge says became of emails. Empty if it says nothing of the kind.
    """
    if _text(data, "source") != "aws.ses":
        return ()
    at = _instant(_text(data, "time")) or now
    return events(_part(data, "detail"), backend=backend, name=_text(data, "id"), at=at)


def events(data: Json, *, backend: str, name: str, at: datetime) -> tuple[DeliveryEvent, ...]:
    """
    Return what a record of SES says, an event for each recipient. Those of one record have the same names whenever it
    comes. That an email was opened, or a link in it followed, is not our business and is left out.

    Amazon adds fields and leaves some out as it likes, so what is missing or odd is taken for empty.

    Args:
        name, at: What the event is called and when it happened, if the record does not say.

    Source: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html and
    https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html (read 2026-11-23).
    """
    kind = _text(data, "eventType") or _text(data, "notificationType")
    mail = _part(data, "mail")
    about = _part(data, _ABOUT.get(kind, ""))
    contact, message = _names(mail)
    timestamp = _text(about, "timestamp") or _text(mail, "timestamp")
    name = _text(about, "feedbackId") or _text(mail, "messageId") or name
    found = []
    for index, recipient in enumerate(_recipients(kind, about, mail)):
        status, to = _status(kind, about, recipient), _text(recipient, "emailAddress")
        if status is not None and (to or contact):
            event = DeliveryEvent(
                id=f"{kind}/{index}/{timestamp}/{name}"[:200],
                backend=backend,
                channel=Channel.EMAIL,
                status=status,
                contact=contact,
                message=message,
                to=to,
                at=_instant(timestamp) or at,
                code=_code(kind, about),
                status_code=_status_code(about, recipient),
                detail=_detail(about, recipient),
            )
            found.append(event)
    return tuple(found)


# Under which name each kind of record has its particulars.
_ABOUT = {
    "Bounce": "bounce",
    "Complaint": "complaint",
    "Delivery": "delivery",
    "Send": "send",
    "Reject": "reject",
    "Rendering Failure": "failure",
    "DeliveryDelay": "deliveryDelay",
    "Subscription": "subscription",
}
_LISTS = {"Bounce": "bouncedRecipients", "Complaint": "complainedRecipients", "DeliveryDelay": "delayedRecipients"}


def _recipients(kind: str, about: Json, mail: Json) -> Iterator[Json]:
    listed = [entry for entry in _list(about, _LISTS.get(kind, "")) if isinstance(entry, dict)]
    plain = [text for text in _list(about, "recipients") or _list(mail, "destination") if isinstance(text, str)]
    yield from listed or [{"emailAddress": text} for text in plain] or [{}]


def _status(kind: str, about: Json, recipient: Json) -> DeliveryStatus | None:
    match kind:
        case "Send":
            return DeliveryStatus.SENT
        case "Delivery":
            return DeliveryStatus.DELIVERED
        case "DeliveryDelay":
            return DeliveryStatus.DELAYED
        case "Reject" | "Rendering Failure":
            return DeliveryStatus.FAILED
        case "Bounce":
            return _bounce(about, recipient)
        case "Complaint":
            return _complaint(about)
        case "Subscription":
            return DeliveryStatus.OPTED_OUT if _opted_out(about) else None
        case _:
            return None


def _bounce(bounce: Json, recipient: Json) -> DeliveryStatus:
    if _text(recipient, "action") == "delayed":
        return DeliveryStatus.DELAYED
    match _text(bounce, "bounceType"), _text(bounce, "bounceSubType"):
        case "Permanent", "UnsubscribedRecipient":
            return DeliveryStatus.OPTED_OUT
        case "Permanent", "Suppressed" | "OnAccountSuppressionList":
            # Amazon did not try, so nothing was learnt about the address.
            return DeliveryStatus.FAILED
        case "Permanent", _:
            # RFC 3463: 4.x.x is not for good, x.2.2 is a full mailbox, x.7.x a matter of policy.
            passing = re.match(r"4\.|5\.2\.2$|5\.7\.", _text(recipient, "status"))
            return DeliveryStatus.FAILED if passing else DeliveryStatus.BOUNCED
        case "Transient", "General":
            # Most of these are out-of-office replies, to an email that arrived.
            return DeliveryStatus.SENT
        case _:
            return DeliveryStatus.FAILED


def _complaint(complaint: Json) -> DeliveryStatus | None:
    if _text(complaint, "complaintSubType") == "OnAccountSuppressionList":
        return DeliveryStatus.FAILED  # Amazon did not try. Nobody complained of this email.
    if _text(complaint, "complaintFeedbackType") == "not-spam":
        return None  # RFC 6430: the person took it out of the folder for spam.
    return DeliveryStatus.COMPLAINED


def _opted_out(subscription: Json) -> bool:
    """
    Tell whether the person left everything, or a topic they had not left before.
    """
    new, old = _part(subscription, "newTopicPreferences"), _part(subscription, "oldTopicPreferences")
    return new.get("unsubscribeAll") is True or bool(_left(new) - _left(old))


def _left(preferences: Json) -> set[str]:
    statuses = [entry for entry in _list(preferences, "topicSubscriptionStatus") if isinstance(entry, dict)]
    return {_text(entry, "topicName") for entry in statuses if _text(entry, "subscriptionStatus") == "OptOut"}


def _names(mail: Json) -> tuple[str, str]:
    """
    Return our ids of the contact and the message, each empty if it is not told.
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


def _code(kind: str, about: Json) -> str:
    parts = {
        "Bounce": ("bounceType", "bounceSubType"),
        "Complaint": ("complaintSubType", "complaintFeedbackType"),
        "DeliveryDelay": ("delayType",),
    }.get(kind, ())
    return "/".join(filter(None, (_text(about, part) for part in parts)))[:100]


def _status_code(about: Json, recipient: Json) -> str:
    status = _text(recipient, "status")
    said = _REPLY_STATUS.match(_text(about, "smtpResponse"))
    return status if _STATUS.fullmatch(status) else said[1] if said else ""


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
