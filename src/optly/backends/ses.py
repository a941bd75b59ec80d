"""
Sends email through Amazon SES, and receives its delivery events.
"""

from __future__ import annotations

import json
import logging
import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Final

import attrs

from optly.backends import mime, sns
from optly.backends._aws import Credentials, Source, host, sign, source
from optly.backends._batch import check_limits, not_sent, retry_after, send_many, send_once
from optly.backends._hosts import is_private
from optly.backends._http import Answer, Call, Caller
from optly.backends._ses_records import CONTACT_HEADER, CONTACT_TAG, MESSAGE_HEADER, MESSAGE_TAG
from optly.backends._webhook import RejectedError, json_object, refuse, respond
from optly.contacts import Channel
from optly.errors import ConfigurationError, UsageError
from optly.messages import DeliveryEvent, Fault, Message, Outcome, Receipt
from optly.messages.plain import clean
from optly.protocols import Webhook
from optly.protocols.http import Request

__all__ = ["Credentials", "SESBackend"]

_log = logging.getLogger("optly")

_PATH = "/v2/email/outbound-emails"
_NAME = re.compile(r"[!-~]{1,200}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_FETCH_TIMEOUT = timedelta(seconds=5)  # SNS waits fifteen seconds for our response
_RATE_WAIT: Final = timedelta(seconds=1)  # the rate is counted by the second
_QUOTA_WAIT: Final = timedelta(minutes=10)  # the daily quota is counted over the last 24 hours


@attrs.frozen(kw_only=True)
class Account:
    """
    The account that sends the emails.

    Attributes:
        endpoint: Scheme and host.
        configuration_set: Name of the set that decides which events are published, or None.
    """

    endpoint: str
    sender: mime.Sender
    configuration_set: str | None


def build(account: Account, message: Message, *, at: datetime) -> Call | None:
    """
    Return the call that sends *message*, not yet signed. Pure.

    The email is sent raw, so that our headers are kept; Amazon replaces only the date and the Message-ID. The ids are
    sent as tags, which come back with every event, and as headers too, because feedback on an identity and by email
    repeats only those.

    Returns:
        None if the address has no ASCII form, because SES cannot send to it.

    Raises:
        UsageError: It cannot be written as an email, or the id of its contact cannot be a tag.
    """
    tags, headers = {MESSAGE_TAG: message.id}, {MESSAGE_HEADER: message.id}
    if message.contact:
        if not _TAG.fullmatch(message.contact):
            raise UsageError("the id of a contact must be 32 lower-case hexadecimal digits")
        tags[CONTACT_TAG] = headers[CONTACT_HEADER] = message.contact
    email = mime.build(message, account.sender, at=at, headers=headers)
    if email.utf8:
        return None
    body = {
        "Destination": {"ToAddresses": [email.recipient]},
        # SES takes the sender from the email itself.
        "Content": {"Raw": {"Data": b64encode(email.content).decode()}},
        "EmailTags": [{"Name": name, "Value": value} for name, value in tags.items()],
    }
    if account.configuration_set is not None:
        body["ConfigurationSetName"] = account.configuration_set
    return Call(
        method="POST",
        url=account.endpoint + _PATH,
        headers={"Content-Type": "application/json"},
        body=json.dumps(body).encode(),
    )


# Nothing was accepted, and nothing will be until the settings are corrected or time has passed.
_SETTINGS = {
    "AccessDenied",
    "AccessDeniedException",
    "AccountSuspendedException",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "IncompleteSignatureException",
    "InvalidClientTokenId",
    "InvalidSignatureException",
    "LimitExceededException",
    "MailFromDomainNotVerifiedException",
    "MissingAuthenticationToken",
    "MissingAuthenticationTokenException",
    "NotAuthorized",
    "NotFoundException",
    "OptInRequired",
    "RequestExpired",
    "SendingPausedException",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_THROTTLED = {"TooManyRequestsException", "Throttling", "ThrottlingException"}
_CONTENT = {"MessageRejected", "BadRequestException", "ValidationException"}
# SES refuses an unverified sender, and in the sandbox an unverified recipient, with the same errors as bad content.
_UNVERIFIED = re.compile(r"not verified|did not have authority", re.IGNORECASE)


def parse(answer: Answer) -> Receipt:
    """
    Return the outcome of a message from SES's answer. Pure.

    Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and
    https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html (read 2026-11-23).
    """
    reply = clean(answer.body.decode(errors="replace"))[:2000]
    data = json_object(answer.body) or {}
    # As botocore reads it: the name may follow a namespace, and a URL may follow the name.
    error = str(answer.headers.get("x-amzn-errortype") or data.get("code") or data.get("__type") or "")
    error = error.partition(":")[0].rpartition("#")[2]
    outcome, fault, wait = Outcome.RETRY_LATER, None, None
    if answer.status < 300:
        name = data.get("MessageId")
        if isinstance(name, str) and _NAME.fullmatch(name):
            return Receipt(outcome=Outcome.ACCEPTED, reply=reply, code=answer.status, provider_id=name)
        # The answer is not from SES, but the message may have been passed on.
        outcome, fault = Outcome.IN_DOUBT, Fault.BACKEND
    elif error in _THROTTLED or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        fault, wait = Fault.BACKEND, _wait(answer, reply)
    elif answer.status >= 500:
        outcome, fault = Outcome.IN_DOUBT, Fault.BACKEND
    elif answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (error in _CONTENT and not _UNVERIFIED.search(reply)):
        outcome, fault = Outcome.REFUSED, Fault.MESSAGE
    elif error in _SETTINGS or error in _CONTENT or answer.status in {401, 403} or not error:
        # An answer without the name of an error is not from SES.
        fault = Fault.BACKEND
    return Receipt(outcome=outcome, fault=fault, reply=reply, code=answer.status, retry_after=wait)


def _wait(answer: Answer, reply: str) -> timedelta:
    wait = retry_after(answer)
    if wait is not None:
        return wait
    return _QUOTA_WAIT if "quota" in reply.lower() else _RATE_WAIT


class SESBackend:
    """
    Sends email through the Amazon SES API, version 2, and receives its delivery events. Safe to share between threads,
    and across a fork.

    Any problem with the account rather than with the message is `Outcome.RETRY_LATER`: credentials, an unverified
    sender, sending that is paused, a quota that is used up. A call that fails after it was sent, and any answer that is
    not from SES, is `Outcome.IN_DOUBT`.

    Args:
        region: Such as ``eu-west-2``.
        sender: ``Acme <hello@acme.example.com>``, verified with SES.
        configuration_set: The set whose events are published to one of *topics* or to EventBridge.
        credentials: The credentials, or a function that returns the current ones and is called for every message. By
            default they are found in AWS's default chain, and renewed.
        endpoint: Instead of Amazon's own for the region: a VPC endpoint, or a server for tests.
        topics: ARNs of the SNS topics that delivery events are accepted from. Others are refused.
        secrets: Secrets that EventBridge may send in ``X-Api-Key`` or as ``Authorization: Bearer``. Any of them is
            accepted, so that one can be replaced by another. Without any, events from EventBridge are refused.
        timeout: How long to wait for each step of a call. Keep it generous: a message whose answer is late is in doubt.
        connections: How many messages of a batch are sent at once.

    Raises:
        ConfigurationError: A setting is invalid, or botocore is missing. No connection is made yet.
    """

    channel = Channel.EMAIL

    def __init__(
        self,
        region: str,
        *,
        sender: str,
        name: str = "ses",
        configuration_set: str | None = None,
        credentials: Credentials | Source | None = None,
        endpoint: str | None = None,
        topics: Sequence[str] = (),
        secrets: Sequence[str] = (),
        timeout: timedelta = timedelta(seconds=30),
        connections: int = 8,
    ) -> None:
        check_limits(timeout=timeout, connections=connections)
        if configuration_set is not None and not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", configuration_set, re.ASCII):
            raise ConfigurationError("the name of a configuration set is letters, digits, dashes and underscores")
        endpoint = (endpoint or f"https://{host('email', region)}").rstrip("/")
        if not is_private(endpoint):
            raise ConfigurationError("an endpoint is https://host, or http://host on this machine")
        parsed = mime.Sender.parse(sender)
        if parsed.address.ascii_value is None:
            raise ConfigurationError("SES can only send from an address in ASCII")
        self.name = name
        self._region = region
        self._account = Account(endpoint=endpoint, sender=parsed, configuration_set=configuration_set)
        self._credentials = source(credentials)
        self._caller = Caller(timeout=timeout)
        self._fetcher = Caller(timeout=_FETCH_TIMEOUT)
        self._subscriber = sns.Subscriber(topics, caller=self._fetcher)
        self._secrets = sns.Secrets(secrets)
        self._connections = connections

    def __repr__(self) -> str:
        return f"<SESBackend {self._region}>"

    def send(self, message: Message) -> Receipt:
        """
        Send *message* once and return its outcome.

        Raises:
            UsageError: It cannot be written as an email.
        """
        at = datetime.now(UTC)
        call = build(self._account, message, at=at)
        if call is None:
            return Receipt(
                outcome=Outcome.REFUSED, fault=Fault.MESSAGE, reply="SES cannot send to an address that is not ASCII"
            )
        try:
            credentials = self._credentials()
        except Exception as error:  # A host's function, and the search for credentials, may raise anything.
            return not_sent(f"no credentials: {type(error).__name__}")
        signed = sign(call, credentials, service="ses", region=self._region, at=at)
        return send_once(signed, caller=self._caller, parse=parse)

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Send each of *messages*, several at a time, and return the outcomes in the same order.

        Once SES refuses to accept more, or no longer answers, the rest is not sent: it would fail too.
        """
        return send_many(messages, send=self.send, connections=self._connections)

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Verify and parse a delivery from SNS or EventBridge.

        One that is forged, from elsewhere or too old is refused with 403, and one that cannot be read with 400. If
        Amazon's certificate cannot be fetched, the response is 503, and SNS retries. A subscription to one of the
        topics is confirmed.
        """
        try:
            return Webhook(response=respond(HTTPStatus.OK), events=self._receive(request, now))
        except RejectedError as rejected:
            return refuse(rejected, backend=self.name)

    def _receive(self, request: Request, now: datetime) -> tuple[DeliveryEvent, ...]:
        data = sns.read(request)
        if "detail-type" in data:
            self._secrets.check(request)
            return sns.from_eventbridge(data, backend=self.name, now=now)
        envelope = self._subscriber.receive(data, now=now)
        match envelope.kind:
            case sns.Kind.NOTIFICATION:
                return sns.from_notification(envelope, backend=self.name)
            case sns.Kind.UNSUBSCRIBED:
                _log.warning("an SNS topic no longer sends delivery events", extra={"backend": self.name})
        return ()

    def close(self) -> None:
        """
        Close the connections. A later message opens new ones.
        """
        self._caller.close()
        self._fetcher.close()
