"""
Sends texts through Twilio, and receives its delivery events and replies.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import attrs

from optly.backends._batch import check_limits, retry_after, send_many, send_once
from optly.backends._channel import require_channel
from optly.backends._hosts import is_private
from optly.backends._http import Answer, Call, Caller, NoAnswerError, NotSentError
from optly.backends._twilio_codes import code_of, verdict, words
from optly.backends._twilio_hook import MESSAGE, events, is_signed, read
from optly.backends._webhook import RejectedError, json_object, refuse, respond
from optly.contacts import Channel, PhoneNumber
from optly.errors import ConfigurationError, ProviderUnavailableError, UsageError
from optly.messages import DeliveryEvent, Fault, InboundMessage, Message, Outcome, Receipt
from optly.protocols import Traced, Webhook
from optly.protocols.http import Request

__all__ = ["TwilioBackend"]

_LONGEST_VALIDITY: Final = timedelta(hours=10)
_MOST_PAGES: Final = 50
_CLOCK_SKEW: Final = timedelta(minutes=1)  # how far Twilio's clock may be behind ours

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
_KEY = re.compile(r"SK[0-9a-fA-F]{32}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_WORD = re.compile(r"[!-~]+", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}", re.ASCII)  # E.164, or a short code
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}", re.ASCII)

# ---- sending


@attrs.frozen(kw_only=True)
class Account:
    """
    The account that sends the texts. Its repr shows no secret.

    Attributes:
        sid: Id of the account.
        user, password: The log-in: the account with its token, or a key with its secret.
        sender: The sender of the texts: the field ``From`` or ``MessagingServiceSid``.
        endpoint: Scheme and host.
        webhook_url: Where Twilio sends delivery events, or None for nowhere.
        validity: How long Twilio may try, or None for its own default.
    """

    sid: str
    user: str
    password: str = attrs.field(repr=False)
    sender: Mapping[str, str]
    endpoint: str = "https://api.twilio.com"
    webhook_url: str | None = None
    validity: timedelta | None = None

    @property
    def messages(self) -> str:
        return f"{self.endpoint}/2010-04-01/Accounts/{self.sid}/Messages.json"

    @property
    def log_in(self) -> Mapping[str, str]:
        return {"Authorization": "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()}


def build(account: Account, message: Message) -> Call:
    """
    Return the call that sends *message*. Pure.

    The ids are in the URL that Twilio calls with delivery events, and come back with them.

    Raises:
        AddressError: It is not addressed to a number.
        UsageError: It was made for another channel, has parts a text cannot have, or contains half a character.
    """
    require_channel(Channel.SMS, message)
    if message.subject or message.html:
        raise UsageError("a text message cannot have a subject or an HTML body")
    fields = {
        "To": PhoneNumber(message.to).value,
        "Body": message.text,
        **account.sender,
        # The question is recorded word for word, so Twilio must not replace characters.
        "SmartEncoded": "false",
    }
    if account.webhook_url is not None:
        # In the order in which Twilio is known to sort them.
        ids = {"contact": message.contact, "message": message.id}
        fields["StatusCallback"] = f"{account.webhook_url}?{urlencode({k: v for k, v in ids.items() if v})}"
    if account.validity is not None:
        fields["ValidityPeriod"] = str(int(account.validity.total_seconds()))
    try:
        body = urlencode(fields).encode()
    except UnicodeEncodeError:
        raise UsageError("a message contains half of a surrogate pair, which is not a character") from None
    headers = {**account.log_in, "Content-Type": "application/x-www-form-urlencoded"}
    return Call(method="POST", url=account.messages, headers=headers, body=body)


def parse(answer: Answer) -> Receipt:
    """
    Return the outcome of a message from Twilio's answer. Pure.

    The answer for an accepted message repeats its text and is not kept: the text contains a link that opens a page.

    Source: https://www.twilio.com/docs/usage/twilios-response (read 2026-11-24).
    """
    data = json_object(answer.body) or {}
    sid, code = data.get("sid"), code_of(data.get("code"))
    if answer.status < 300 and isinstance(sid, str) and MESSAGE.fullmatch(sid):
        reply = words(answer.status, data.get("status"), sid)
        return Receipt(outcome=Outcome.ACCEPTED, reply=reply, provider_id=sid)
    reply = words(answer.status, code, data.get("message"))
    wait = retry_after(answer)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or (code is None and answer.status in {401, 403, 404}):
        return Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND, reply=reply, code=code, retry_after=wait)
    if code is None or not 400 <= answer.status < 500:
        # The answer may not be from Twilio, and the message may have been passed on.
        return Receipt(outcome=Outcome.IN_DOUBT, fault=Fault.BACKEND, reply=reply, code=code)
    meaning = verdict(code)
    return Receipt(outcome=meaning.outcome, fault=meaning.fault, reply=reply, code=code, retry_after=wait)


# ---- tracing


def list_call(account: Account, to: str) -> Call:
    """
    Return the call that lists the messages to a number. Pure.

    Not filtered by the date they were sent, though Twilio offers that: one that is still queued has none.
    """
    query = urlencode({"To": to, "PageSize": 1000})
    return Call(method="GET", url=f"{account.messages}?{query}", headers=account.log_in)


def next_call(account: Account, answer: Answer) -> Call | None:
    """
    Return the call for the page that follows *answer*, or None if it was the last. Pure.

    Raises:
        ValueError: The page is at another URL, to which the credentials must not be sent.
    """
    uri = (json_object(answer.body) or {}).get("next_page_uri")
    if not uri:
        return None
    start = urlsplit(account.messages).path + "?"
    if not isinstance(uri, str) or not uri.startswith(start) or not _WORD.fullmatch(uri):
        raise ValueError("the next page is at another URL")
    return Call(method="GET", url=account.endpoint + uri, headers=account.log_in)


def traced(answer: Answer, to: str, since: datetime) -> list[Traced]:
    """
    Return the messages on a page that were created at *since* or later, with a minute's margin for clocks that differ.
    Pure.

    Raises:
        ValueError: The answer is not a page of messages.
    """
    messages = (json_object(answer.body) or {}).get("messages")
    if answer.status != HTTPStatus.OK or not isinstance(messages, list):
        raise ValueError("not a page of messages")
    found = []
    for message in messages:
        if not isinstance(message, dict) or not isinstance(sid := message.get("sid"), str):
            raise ValueError("not a message")
        if message.get("to") == to and _made_at(message) >= since - _CLOCK_SKEW:
            reply = words("found", message.get("status"), sid)
            receipt = Receipt(outcome=Outcome.ACCEPTED, reply=reply, provider_id=sid)
            found.append(Traced(text=str(message.get("body") or ""), receipt=receipt))
    return found


def _made_at(message: Mapping[str, Any]) -> datetime:
    at = parsedate_to_datetime(str(message.get("date_created")))
    return at if at.tzinfo else at.replace(tzinfo=UTC)


# ---- the backend


class TwilioBackend:
    """
    Sends texts through Twilio, and receives its delivery events and replies. Safe to share between threads, and across
    a fork.

    Any problem with the account rather than with the text is `Outcome.RETRY_LATER`: a log-in that fails, a sender that
    is not registered, an account that is paused. Twilio has no way to recognise a repeated request, so a call that
    fails after it was sent, and any answer that is not from Twilio, is `Outcome.IN_DOUBT` and is not repeated; `trace`
    settles it.

    Args:
        account_sid: ``AC…``.
        auth_token: The account's secret. Signs Twilio's requests, and logs in unless there is an *api_key*.
        sender: The sender of the texts: a number as ``+44…``, a short code, or a name of up to 11 letters.
        messaging_service: ``MG…``, instead of a sender.
        previous_auth_token: Still accepted in Twilio's signatures, while one token replaces the other.
        api_key: ``SK…`` and its secret, to log in with.
        webhook_url: Where this backend is mounted, as Twilio reaches it: ``https://…/hooks/twilio``. Without it all
            requests from Twilio are refused.
        takes_replies: Whether Twilio is set up to send replies to *webhook_url*, so that a question may ask for one.
        endpoint: Instead of Twilio's own: another region's, or a server for tests.
        validity: How long Twilio may try, 1 second to 10 hours.
        timeout: How long to wait for each step of a call. Keep it generous: a text whose answer is late is in doubt.
        connections: How many texts of a batch are sent at once.

    Raises:
        ConfigurationError: A setting is invalid. Nobody can reply to a name, so a name with *takes_replies* is refused.
    """

    channel = Channel.SMS

    def __init__(
        self,
        account_sid: str,
        auth_token: str,
        *,
        sender: str | None = None,
        messaging_service: str | None = None,
        previous_auth_token: str | None = None,
        api_key: tuple[str, str] | None = None,
        webhook_url: str | None = None,
        takes_replies: bool = False,
        name: str = "twilio",
        endpoint: str = "https://api.twilio.com",
        validity: timedelta | None = None,
        timeout: timedelta = timedelta(seconds=30),
        connections: int = 8,
    ) -> None:
        check_limits(timeout=timeout, connections=connections)
        if validity is not None and not timedelta(seconds=1) <= validity <= _LONGEST_VALIDITY:
            raise ConfigurationError("the validity of a text must be 1 second to 10 hours")
        user, password = (account_sid, auth_token) if api_key is None else api_key
        if not _ACCOUNT.fullmatch(account_sid) or not (api_key is None or _KEY.fullmatch(user)):
            raise ConfigurationError('a Twilio account SID is "AC" and 32 hex digits, an API key "SK" and 32')
        tokens = [token for token in (auth_token, previous_auth_token) if token is not None]
        if not all(_WORD.fullmatch(secret) for secret in (password, *tokens)):
            raise ConfigurationError("a Twilio secret is printable ASCII without spaces")
        if takes_replies and webhook_url is None:
            raise ConfigurationError("takes_replies needs a webhook_url, where replies are sent")
        self.name = name
        self.takes_replies = takes_replies
        self._tokens = tokens
        self._account = Account(
            sid=account_sid,
            user=user,
            password=password,
            sender=_sender(sender, messaging_service, takes_replies=takes_replies),
            endpoint=_address(endpoint),
            webhook_url=None if webhook_url is None else _address(webhook_url, path=True),
            validity=validity,
        )
        self._caller = Caller(timeout=timeout)
        self._connections = connections

    def __repr__(self) -> str:
        return f"<TwilioBackend {self.name}>"

    def send(self, message: Message) -> Receipt:
        """
        Send *message* once and return its outcome.

        Raises:
            UsageError: It cannot be written as a text.
        """
        return send_once(build(self._account, message), caller=self._caller, parse=parse)

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Send each of *messages*, several at a time, and return the outcomes in the same order.

        Once one fails because of Twilio itself, the rest is not sent: it would fail too.
        """
        return send_many(messages, send=self.send, connections=self._connections)

    def trace(self, to: str, since: datetime) -> Sequence[Traced]:
        """
        Return every message to *to* that Twilio accepted at *since* or later, whatever happened to it afterwards.

        Raises:
            ProviderUnavailableError: Twilio cannot be reached now.
        """
        call: Call | None = list_call(self._account, to)
        found: list[Traced] = []
        try:
            for _ in range(_MOST_PAGES):
                if call is None:
                    return found
                answer = self._caller.call(call)
                found += traced(answer, to, since)
                call = next_call(self._account, answer)
        except (NotSentError, NoAnswerError, ValueError):
            pass
        raise ProviderUnavailableError("Twilio cannot be reached now to list its messages")

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Verify and parse a request from Twilio.

        One that is forged or from another account is refused with 403, and one that cannot be read with 400.
        """
        try:
            received = self._receive(request, now)
        except RejectedError as rejected:
            return refuse(rejected, backend=self.name)
        # Any text in the response would be sent to the person.
        empty = respond(HTTPStatus.OK, b"<Response></Response>", media_type="text/xml")
        return Webhook(response=empty, events=received)

    def _receive(self, request: Request, now: datetime) -> tuple[DeliveryEvent | InboundMessage, ...]:
        fields, signed = read(request)
        url = self._account.webhook_url
        if url is None or not is_signed(request, url, signed, self._tokens):
            raise RejectedError(HTTPStatus.FORBIDDEN, "signature")
        if fields.get("AccountSid") != [self._account.sid]:
            raise RejectedError(HTTPStatus.FORBIDDEN, "account")
        return events(fields, request.query, backend=self.name, now=now)

    def close(self) -> None:
        """
        Close the connections. A later text opens new ones.
        """
        self._caller.close()


def _sender(sender: str | None, messaging_service: str | None, *, takes_replies: bool) -> Mapping[str, str]:
    if (sender is None) is (messaging_service is None):
        raise ConfigurationError("give either a sender or a messaging_service")
    if messaging_service is not None:
        if not _SERVICE.fullmatch(messaging_service):
            raise ConfigurationError('a Twilio messaging service is "MG" and 32 hex digits')
        return {"MessagingServiceSid": messaging_service}
    assert sender is not None
    if not _NUMBER.fullmatch(sender):
        if not _NAME.fullmatch(sender):
            raise ConfigurationError("a sender is a number as +44…, a short code, or a name of up to 11 letters")
        if takes_replies:
            raise ConfigurationError("nobody can reply to a name: send from a number, or leave takes_replies out")
    return {"From": sender}


def _address(url: str, *, path: bool = False) -> str:
    # Twilio does not call a host whose name contains an underscore.
    if not is_private(url, path=path) or "_" in urlsplit(url).netloc:
        raise ConfigurationError(
            "a URL is https://host, or http://host on this machine, with a path for a webhook and nothing more"
        )
    return url
