"""
Hands texts to Twilio, and hears from it what became of them and what people reply.
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

from optly.backends._batch import asked_to_wait, check_limits, hand_over, hand_over_all
from optly.backends._channel import must_travel_by
from optly.backends._hosts import is_private
from optly.backends._http import Answer, Call, Caller, NoAnswerError, NotSentError
from optly.backends._twilio_codes import code_of, verdict, words
from optly.backends._twilio_hook import MESSAGE, is_signed, read, told
from optly.backends._webhook import RejectedError, json_object, refuse, respond
from optly.contacts.addresses import Channel, PhoneNumber
from optly.errors import ConfigurationError, ProviderUnavailableError, UsageError
from optly.messages import DeliveryEvent, Fault, InboundMessage, Message, Outcome, Receipt
from optly.protocols import Traced, Webhook
from optly.protocols.http import Request

__all__ = ["TwilioBackend"]

_LONGEST_VALIDITY: Final = timedelta(hours=10)
_MOST_PAGES: Final = 50
_CLOCKS: Final = timedelta(minutes=1)  # how far Twilio's clock may be behind ours

_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}", re.ASCII)
_KEY = re.compile(r"SK[0-9a-fA-F]{32}", re.ASCII)
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}", re.ASCII)
_WORD = re.compile(r"[!-~]+", re.ASCII)
_NUMBER = re.compile(r"\+[1-9][0-9]{6,14}|[0-9]{3,8}", re.ASCII)  # E.164, or a short code
_NAME = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9 &+_.-]{1,11}", re.ASCII)

# ---- what is said


@attrs.frozen(kw_only=True)
class Account:
    """
    Where texts are handed over, and in whose name. Its repr shows no secret.

    Attributes:
        sid: Name of the account.
        user, password: Who logs in: the account with its token, or a key with its secret.
        sender: Whom texts come from: the fields ``From`` or ``MessagingServiceSid``.
        endpoint: Scheme and host.
        webhook_url: Where Twilio tells what became of a text, or None if it need not.
        validity: How long Twilio may try, or None for as long as it likes.
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
        """
        Where the messages of the account are.
        """
        return f"{self.endpoint}/2010-04-01/Accounts/{self.sid}/Messages.json"

    @property
    def log_in(self) -> Mapping[str, str]:
        """
        The header that logs in.
        """
        return {"Authorization": "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()}


def build(account: Account, message: Message) -> Call:
    """
    Write *message* as a call. Pure.

    The ids go along in the address at which Twilio tells what became of it, and come back from there.

    Raises:
        AddressError: It does not go to a number.
        UsageError: It was made for another channel, says more than a text can say, or holds half a character.
    """
    must_travel_by(Channel.SMS, message)
    if message.subject or message.html:
        raise UsageError("a text has neither a subject nor a second form of its body")
    fields = {
        "To": PhoneNumber(message.to).value,
        "Body": message.text,
        **account.sender,
        # What was asked is on record word for word, so nobody else's typography takes its place.
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
        raise UsageError("a message holds half of a surrogate pair, which is no character") from None
    headers = {**account.log_in, "Content-Type": "application/x-www-form-urlencoded"}
    return Call(method="POST", url=account.messages, headers=headers, body=body)


def parse(answer: Answer) -> Receipt:
    """
    Say what became of a message by what Twilio answered. Pure.

    The body of a message that was taken repeats its text and is not kept: there is a link in it that opens a page.

    Source: https://www.twilio.com/docs/usage/twilios-response (read 2026-11-24).
    """
    said = json_object(answer.body) or {}
    sid, code = said.get("sid"), code_of(said.get("code"))
    if answer.status < 300 and isinstance(sid, str) and MESSAGE.fullmatch(sid):
        reply = words(answer.status, said.get("status"), sid)
        return Receipt(outcome=Outcome.ACCEPTED, reply=reply, provider_id=sid)
    reply = words(answer.status, code, said.get("message"))
    wait = asked_to_wait(answer)
    if answer.status == HTTPStatus.TOO_MANY_REQUESTS or (code is None and answer.status in {401, 403, 404}):
        return Receipt(outcome=Outcome.RETRY_LATER, fault=Fault.BACKEND, reply=reply, code=code, retry_after=wait)
    if code is None or not 400 <= answer.status < 500:
        # Whoever answered may have passed the message on.
        return Receipt(outcome=Outcome.IN_DOUBT, fault=Fault.BACKEND, reply=reply, code=code)
    found = verdict(code)
    return Receipt(outcome=found.outcome, fault=found.fault, reply=reply, code=code, retry_after=wait)


# ---- what Twilio has


def list_call(account: Account, to: str) -> Call:
    """
    Ask for the messages to a number. Pure.

    Not by the day they were sent, though Twilio offers that: one that still waits in a queue has none.
    """
    query = urlencode({"To": to, "PageSize": 1000})
    return Call(method="GET", url=f"{account.messages}?{query}", headers=account.log_in)


def next_call(account: Account, answer: Answer) -> Call | None:
    """
    Ask for the page that follows *answer*, or return None if it was the last. Pure.

    Raises:
        ValueError: It is said to be somewhere else, where the credentials have no business.
    """
    uri = (json_object(answer.body) or {}).get("next_page_uri")
    if not uri:
        return None
    wanted = urlsplit(account.messages).path + "?"
    if not isinstance(uri, str) or not uri.startswith(wanted) or not _WORD.fullmatch(uri):
        raise ValueError("the next page is elsewhere")
    return Call(method="GET", url=account.endpoint + uri, headers=account.log_in)


def traced(answer: Answer, to: str, since: datetime) -> list[Traced]:
    """
    Return the messages on a page that were made at *since* or later, a minute given for clocks that differ. Pure.

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
        if message.get("to") == to and _made_at(message) >= since - _CLOCKS:
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
    Hands texts to Twilio, and hears what became of them and what people reply. Safe to share between threads, and
    across a fork.

    Whatever is wrong with the account rather than with the text is `Outcome.RETRY_LATER`: a log-in that fails, a sender
    that is not registered, an account that is paused. Twilio cannot be told that two requests are one, so what broke
    after it was said, and every answer that is not Twilio's, is `Outcome.IN_DOUBT` and is not said again; `trace` finds
    out.

    Args:
        account_sid: ``AC…``.
        auth_token: The account's secret. Signs what Twilio tells us, and logs in unless there is an *api_key*.
        sender: Whom texts come from: a number as ``+44…``, a short code, or a name of up to 11 letters.
        messaging_service: ``MG…``, in place of a sender.
        previous_auth_token: Is still good for what Twilio signs, while one token takes the place of the other.
        api_key: ``SK…`` and its secret, to log in with.
        webhook_url: Where this backend is mounted, as Twilio reaches it: ``https://…/hooks/twilio``. Without it nothing
            that Twilio tells is heard.
        takes_replies: Whether Twilio was told to send replies to *webhook_url*, so that a question may ask for one.
        endpoint: Instead of Twilio's own: another region's, or a server to test against.
        validity: How long Twilio may try, 1 second to 10 hours.
        timeout: How long to wait for each step of a call. Keep it generous: a text whose answer came too late is in
            doubt.
        connections: How many texts of a batch are said at once.

    Raises:
        ConfigurationError: A setting cannot work. To a name nobody can reply, so one that *takes_replies* is refused.
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
            raise ConfigurationError("the validity of a text is 1 second to 10 hours")
        user, password = (account_sid, auth_token) if api_key is None else api_key
        if not _ACCOUNT.fullmatch(account_sid) or not (api_key is None or _KEY.fullmatch(user)):
            raise ConfigurationError("an account of Twilio's is AC, a key SK, and 32 hexadecimal digits")
        tokens = [token for token in (auth_token, previous_auth_token) if token is not None]
        if not all(_WORD.fullmatch(secret) for secret in (password, *tokens)):
            raise ConfigurationError("a secret of Twilio's is printable ASCII without spaces")
        if takes_replies and webhook_url is None:
            raise ConfigurationError("replies come back to a webhook_url, and there is none")
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
        Hand *message* over.

        Raises:
            UsageError: It cannot be written as a text.
        """
        return hand_over(build(self._account, message), caller=self._caller, parse=parse)

    def send_all(self, messages: Sequence[Message]) -> Sequence[Receipt]:
        """
        Hand each of *messages* over, several at a time.

        Once one founders on Twilio itself, the rest is not said: it would fare the same.
        """
        return hand_over_all(messages, send=self.send, connections=self._connections)

    def trace(self, to: str, since: datetime) -> Sequence[Traced]:
        """
        Return every message to *to* that Twilio took at *since* or later, whatever became of it afterwards.

        Raises:
            ProviderUnavailableError: Twilio cannot be asked now.
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
        raise ProviderUnavailableError("Twilio cannot be asked now which messages it has")

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        """
        Read what Twilio tells.

        What is forged or another account's is refused with 403, what cannot be read with 400.
        """
        try:
            events = self._hear(request, now)
        except RejectedError as rejected:
            return refuse(rejected, backend=self.name)
        # Any text in it would be sent to the person.
        silence = respond(HTTPStatus.OK, b"<Response></Response>", media_type="text/xml")
        return Webhook(response=silence, events=events)

    def _hear(self, request: Request, now: datetime) -> tuple[DeliveryEvent | InboundMessage, ...]:
        fields, signed = read(request)
        url = self._account.webhook_url
        if url is None or not is_signed(request, url, signed, self._tokens):
            raise RejectedError(HTTPStatus.FORBIDDEN, "signature")
        if fields.get("AccountSid") != [self._account.sid]:
            raise RejectedError(HTTPStatus.FORBIDDEN, "account")
        return told(fields, request.query, backend=self.name, now=now)

    def close(self) -> None:
        """
        Close the connections. A text that is sent afterwards opens new ones.
        """
        self._caller.close()


def _sender(sender: str | None, messaging_service: str | None, *, takes_replies: bool) -> Mapping[str, str]:
    if (sender is None) is (messaging_service is None):
        raise ConfigurationError("give either a sender or a messaging_service")
    if messaging_service is not None:
        if not _SERVICE.fullmatch(messaging_service):
            raise ConfigurationError("a messaging service of Twilio's is MG and 32 hexadecimal digits")
        return {"MessagingServiceSid": messaging_service}
    assert sender is not None
    if not _NUMBER.fullmatch(sender):
        if not _NAME.fullmatch(sender):
            raise ConfigurationError("a sender is a number as +44…, a short code, or a name of up to 11 letters")
        if takes_replies:
            raise ConfigurationError("nobody can reply to a name: take a number for sender, or leave takes_replies out")
    return {"From": sender}


def _address(url: str, *, path: bool = False) -> str:
    # Twilio calls no host whose name has an underscore in it.
    if not is_private(url, path=path) or "_" in urlsplit(url).netloc:
        raise ConfigurationError(
            "an address is https://host or http://host on this very machine, that of a webhook with a path; no more"
        )
    return url
