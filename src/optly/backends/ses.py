"""
Hands email to Amazon SES, and hears from it what became of them.
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
from optly.backends._batch import asked_to_wait, check_limits, hand_over, hand_over_all, not_said
from optly.backends._hosts import is_private
from optly.backends._http import Answer, Call, Caller
from optly.backends._reply import clean
from optly.backends._webhook import RejectedError, json_object, refuse, respond
from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError, UsageError
from optly.messages import DeliveryEvent, Fault, Message, Outcome, Receipt
from optly.protocols import Webhook
from optly.protocols.http import Request

__all__ = ["Credentials", "SESBackend"]

_logger = logging.getLogger("optly")

_PATH = "/v2/email/outbound-emails"
_NAME = re.compile(r"[!-~]{1,200}", re.ASCII)
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_FETCH_TIMEOUT = timedelta(seconds=5)  # SNS waits fifteen seconds for our answer
_A_MOMENT: Final = timedelta(seconds=1)  # the rate is counted by the second
_A_WHILE: Final = timedelta(minutes=10)  # the daily quota is counted over the last 24 hours


@attrs.frozen(kw_only=True)
class Account:
    """
    Where emails are handed over, and in whose name.

    Attributes:
        endpoint: Scheme and host.
        configuration_set: Name of the set that says what is published, or None.
    """

    endpoint: str
    sender: mime.Sender
    configuration_set: str | None


def build(account: Account, message: Message, *, at: datetime) -> Call | None:
    """
    Write *message* as a call that is still to be signed. Pure.

    The email goes as it is, so that our headers survive; only the date and the Message-ID become Amazon's. The ids go
    along as tags, which come back with every event, and the contact as a header too, because feedback on an identity
    repeats the headers alone.

    Returns:
        None if the address has no form in ASCII, which SES cannot write to.

    Raises:
        UsageError: It cannot be written as an email, or the id of its contact cannot be a tag.
    """
    tags, headers = {sns.MESSAGE_TAG: message.id}, {}
    if message.contact:
        if not _TAG.fullmatch(message.contact):
            raise UsageError("the id of a contact has 32 lower-case hexadecimal digits")
        tags[sns.CONTACT_TAG] = headers[sns.CONTACT_HEADER] = message.contact
    letter = mime.build(message, account.sender, at=at, headers=headers)
    if letter.utf8:
        return None
    body = {
        "Destination": {"ToAddresses": [letter.recipient]},
        # SES takes the sender from the email itself.
        "Content": {"Raw": {"Data": b64encode(letter.content).decode()}},
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


# Nothing was taken, and nothing will be before somebody mends it or the time has come.
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
# SES refuses a sender that is not verified, and in the sandbox a recipient too, in the same way as bad content.
_UNVERIFIED = re.compile(r"not verified|did not have authority", re.IGNORECASE)


def parse(answer: Answer) -> Receipt:
    """
    Say what became of a message by what SES answered. Pure.

    Source: https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html and
    https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas-errors.html (read 2026-11-23).
    """
    reply = clean(answer.body.decode(errors="replace"))[:2000]
    said = json_object(answer.body) or {}
    # As botocore reads it: a namespace may come before the name, and a URL after it.
    error = str(answer.headers.get("x-amzn-errortype") or said.get("code") or said.get("__type") or "")
    error = error.partition(":")[0].rpartition("#")[2]
    outcome, fault, wait = Outcome.RETRY_LATER, None, None
    if answer.status < 300:
        name = said.get("MessageId")
        if isinstance(name, str) and _NAME.fullmatch(name):
            return Receipt(outcome=Outcome.ACCEPTED, reply=reply, code=answer.status, provider_id=name)
        # Whoever answered is not SES, and may have passed the message on.
        outcome, fault = Outcome.IN_DOUBT, Fault.BACKEND
    elif error in _THROTTLED or answer.status == HTTPStatus.TOO_MANY_REQUESTS:
        fault, wait = Fault.BACKEND, _wait(answer, reply)
    elif answer.status >= 500:
        outcome, fault = Outcome.IN_DOUBT, Fault.BACKEND
    elif answer.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE or (error in _CONTENT and not _UNVERIFIED.search(reply)):
        outcome, fault = Outcome.REFUSED, Fault.MESSAGE
    elif error in _SETTINGS or error in _CONTENT or answer.status in {401, 403} or not error:
        # Without the name of an error it is not SES that answers.
        fault = Fault.BACKEND
    return Receipt(outcome=outcome, fault=fault, reply=reply, code=answer.status, retry_after=wait)


def _wait(answer: Answer, reply: str) -> timedelta:
    asked = asked_to_wait(answer)
    if asked is not None:
        return asked
    return _A_WHILE if "quota" in reply.lower() else _A_MOMENT


class SESBackend:
    """
    Hands email to Amazon SES over its API, version 2, and hears what became of it. Safe to share between threads, and
    across a fork.

    Whatever is wrong with the account rather than with the message is `Outcome.RETRY_LATER`: credentials, a sender that
    is not verified, sending that is paused, a quota that is used up. What broke after it was said, and every answer
    that is not SES's, is `Outcome.IN_DOUBT`.

    Args:
        region: Such as ``eu-west-2``.
        sender: ``Acme <hello@acme.example.com>``, verified with SES.
        configuration_set: The one whose events are published to one of *topics* or to EventBridge.
        credentials: Given, or a function that gives those that are good now and is asked for every message. Without
            them they are found as every program for Amazon finds them, and renewed.
        endpoint: Instead of Amazon's own for the region: a VPC endpoint, or a server to test against.
        topics: ARNs of the SNS topics that may tell what became of messages. Others are not heard.
        secrets: What EventBridge shows in ``X-Api-Key`` or as ``Authorization: Bearer``. Any of them will do, so that
            one can take the place of another. Without any, EventBridge is not heard.
        timeout: How long to wait for each step of a call. Keep it generous: a message whose answer came too late is in
            doubt.
        connections: How many messages of a batch are said at once.

    Raises:
        ConfigurationError: A setting cannot work, or botocore is missing. Nothing is connected yet.
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
            raise ConfigurationError("the name of a configuration set is of letters, digits, dashes and underscores")
        self.name = name
        self._region = region
        self._account = Account(
            endpoint=_endpoint(endpoint or f"https://{host('email', region)}"),
            sender=_sender(sender),
            configuration_set=configuration_set,
        )
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
        Hand *message* over.

        Raises:
            UsageError: It cannot be written as an email.
        """
        at = datetime.now(UTC)
        call = build(self._account, message, at=at)
        if call is None:
            return Receipt(
                outcome=Outcome.REFUSED, fault=Fault.MESSAGE, reply="SES cannot write to an address that is not ASCII"
            )
        try:
            credentials = self._credentials()
        except Exception as error:  # A host's function, and the search for credentials, fail with whatever they like.
            return not_said(f"no credentials: {type(error).__name__}")
        signed = sign(call, credentials, service="ses", region=self._region, at=at)
        return hand_over(signed, caller=self._caller, parse=parse)

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Hand each of *messages* over, several at a time.

        Once SES says, or shows by saying nothing, that it takes no more, the rest is not said: it would fare the same.
        """
        return hand_over_all(messages, send=self.send, connections=self._connections)

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Read what SNS or EventBridge delivers.

        What is forged, foreign or too old is refused with 403, what cannot be read with 400. If Amazon's certificate
        cannot be fetched, the answer is 503, and SNS comes again. A subscription to one of the topics is confirmed.
        """
        try:
            return Webhook(response=respond(HTTPStatus.OK), events=self._hear(request, now))
        except RejectedError as rejected:
            return refuse(rejected, backend=self.name)

    def _hear(self, request: Request, now: datetime) -> tuple[DeliveryEvent, ...]:
        data = sns.read(request)
        if "detail-type" in data:
            self._secrets.check(request)
            return sns.bridged(data, backend=self.name, now=now)
        envelope = self._subscriber.take(data, now=now)
        match envelope.kind:
            case sns.Kind.NOTIFICATION:
                return sns.notified(envelope, backend=self.name)
            case sns.Kind.UNSUBSCRIBED:
                _logger.warning("a topic no longer tells what became of messages", extra={"backend": self.name})
        return ()

    def close(self) -> None:
        """
        Close the connections. A message that is sent afterwards opens new ones.
        """
        self._caller.close()
        self._fetcher.close()


def _sender(text: str) -> mime.Sender:
    sender = mime.Sender.parse(text)
    if sender.address.ascii_value is None:
        raise ConfigurationError("SES sends from an address in ASCII only")
    return sender


def _endpoint(url: str) -> str:
    host_alone = url.rstrip("/")
    if not is_private(host_alone):
        raise ConfigurationError("an endpoint is https://host, or http://host on this very machine")
    return host_alone
