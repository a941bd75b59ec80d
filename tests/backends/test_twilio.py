"""
What became of a text handed to Twilio is what Twilio said, and nobody but Twilio is heard.
"""

from __future__ import annotations

import json
import logging
import threading
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
import httpx
import pytest
from backends.twilio_peers import (
    ACCOUNT,
    CONTACT,
    HOOK,
    ID,
    MESSAGE,
    TO,
    TOKEN,
    Heard,
    Reaction,
    TwilioAccount,
    answer,
    description,
    form_fields,
    hanging,
    prism,
    query_parameters,
    refusing,
    resetting,
    saying,
    sign,
    statuses,
    telling,
    twilio,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from services import published
from thorough import examples

from optly.backends._http import Answer
from optly.backends._twilio_codes import VERDICTS
from optly.backends._twilio_hook import is_signed
from optly.backends.twilio import Account, TwilioBackend, build, list_call, next_call, parse, traced
from optly.contacts.addresses import Channel
from optly.errors import AddressError, ConfigurationError, HeaderError, ProviderUnavailableError, UsageError
from optly.messages import DeliveryEvent, DeliveryStatus, Fault, InboundMessage, Keyword, Message, Outcome, Receipt
from optly.protocols import BatchBackend, TakesReplies, TracingBackend, WebhookBackend
from optly.protocols.http import Request
from optly.testing.backends import BackendContract, BatchContract, WebhookContract

SENDER = "+447700900123"
SERVICE = "MG" + "cd" * 16
KEY = "SK" + "ef" * 16
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
OLD_TOKEN = "t0ken-before-that"
LATER = (Outcome.RETRY_LATER, Fault.BACKEND)
DOUBT = (Outcome.IN_DOUBT, Fault.BACKEND)

ACCOUNTED = Account(sid=ACCOUNT, user=ACCOUNT, password=TOKEN, sender={"From": SENDER}, webhook_url=HOOK)


def make(**settings: Any) -> TwilioBackend:
    """
    Make a backend that hears.
    """
    defaults: dict[str, Any] = {"webhook_url": HOOK, "timeout": timedelta(seconds=5)}
    if "messaging_service" not in settings:
        defaults["sender"] = SENDER
    return TwilioBackend(ACCOUNT, TOKEN, **defaults | settings)


@contextmanager
def sending(endpoint: str, **settings: Any) -> Iterator[TwilioBackend]:
    """
    A backend that is closed at the end.
    """
    backend = make(endpoint=endpoint, **settings)
    try:
        yield backend
    finally:
        backend.close()


def text(**parts: Any) -> Message:
    """
    Make a text.
    """
    defaults = {"id": ID, "contact": CONTACT, "channel": Channel.SMS, "to": TO, "text": "Please choose: https://x.uk/1"}
    return Message(**defaults | parts)


def end(receipt: Receipt) -> tuple[Outcome, Fault | None]:
    return receipt.outcome, receipt.fault


@pytest.mark.server
class TestTwilioBackend(BatchContract, WebhookContract, BackendContract):
    secrets = (TOKEN, OLD_TOKEN, "s3cret-of-the-key")

    @pytest.fixture
    def backend(self) -> Iterator[TwilioBackend]:
        with (
            twilio() as (address, _),
            sending(address, previous_auth_token=OLD_TOKEN, api_key=(KEY, "s3cret-of-the-key")) as backend,
        ):
            yield backend

    @pytest.fixture
    def cut_off(self) -> TwilioBackend:
        with twilio() as (address, _):
            pass
        return make(endpoint=address)

    def test_it_is_more_than_a_backend(self, backend: TwilioBackend) -> None:
        """
        It takes batches, hears, receives replies and looks up what its provider has.
        """
        for protocol in (BatchBackend, WebhookBackend, TakesReplies, TracingBackend):
            assert isinstance(backend, protocol)

    def test_what_it_is_made_of_shows_no_secret(self, backend: TwilioBackend) -> None:
        """
        Neither the account it holds, nor a call that is still to be made.
        """
        shown = repr((backend._account, build(backend._account, text())))
        for hidden in (*self.secrets, TO, "choose", "Basic "):
            assert hidden not in shown


# ---- what is said


def form(message: Message, **changes: Any) -> dict[str, str]:
    """
    Return the fields that a message is sent as.
    """
    found = parse_qs(build(attrs.evolve(ACCOUNTED, **changes), message).body.decode(), strict_parsing=True)
    return {name: value for name, (value,) in found.items()}


def test_a_text_is_a_form() -> None:
    """
    With the ids in the address at which Twilio tells what became of it, and its letters left alone.
    """
    call = build(ACCOUNTED, text(text="It’s ŵ & 1+1=2\n👍"))
    assert ("POST", f"https://api.twilio.com/2010-04-01/Accounts/{ACCOUNT}/Messages.json") == (call.method, call.url)
    assert "application/x-www-form-urlencoded" == call.headers["Content-Type"]
    assert f"{ACCOUNT}:{TOKEN}".encode() == b64decode(call.headers["Authorization"].removeprefix("Basic "))
    assert {
        "To": TO,
        "From": SENDER,
        "Body": "It’s ŵ & 1+1=2\n👍",
        "SmartEncoded": "false",
        "StatusCallback": f"{HOOK}?contact={CONTACT}&message={ID}",
    } == form(text(text="It’s ŵ & 1+1=2\n👍"))


def test_what_is_not_set_is_not_sent() -> None:
    """
    No callback without an address for it, no contact that nobody named.
    """
    assert "StatusCallback" not in form(text(), webhook_url=None)
    assert f"{HOOK}?message={ID}" == form(text(contact=""))["StatusCallback"]
    assert "ValidityPeriod" not in form(text())
    assert "3600" == form(text(), validity=timedelta(hours=1))["ValidityPeriod"]


def test_a_key_logs_in_and_the_account_stays_the_account() -> None:
    """
    The key's name and secret are in the header alone.
    """
    call = build(attrs.evolve(ACCOUNTED, user=KEY, password="s3cret"), text())
    assert f"{KEY}:s3cret".encode() == b64decode(call.headers["Authorization"].removeprefix("Basic "))
    assert f"/Accounts/{ACCOUNT}/" in call.url


def test_every_field_stands_in_the_description() -> None:
    """
    Of a message with everything there is to say, and of the question which messages there are.
    """
    full = form(text(), validity=timedelta(hours=1)) | form(text(), sender={"MessagingServiceSid": SERVICE})
    assert {"From", "MessagingServiceSid", "ValidityPeriod", "StatusCallback"} < set(full) <= form_fields()
    asked = set(parse_qs(urlsplit(list_call(ACCOUNTED, TO).url).query))
    assert {"To"} < asked <= query_parameters()


@pytest.mark.parametrize(
    ("parts", "error"),
    [
        ({"to": "07700 900456"}, AddressError),
        ({"to": "whatsapp:+447700900456"}, AddressError),
        ({"text": "half \ud83d"}, UsageError),
        ({"channel": Channel.MMS}, UsageError),
        ({"subject": "Hello"}, UsageError),
        ({"html": "<p>Hello</p>"}, UsageError),
    ],
)
def test_what_is_no_text_is_a_mistake(parts: dict[str, Any], error: type[Exception]) -> None:
    """
    It is raised and not sent, and the error does not show the number.
    """
    with pytest.raises(error) as caught:
        build(ACCOUNTED, text(**parts))
    assert "900456" not in str(caught.value)


@pytest.mark.parametrize("end_of_line", ["\r", "\n", "\r\n", "\x00", "\u2028"])
def test_a_line_break_starts_nothing(end_of_line: str) -> None:
    """
    In a text it is a letter like others. Elsewhere it is refused, or stands encoded inside its own field.
    """
    more = f"{end_of_line}To: +447700900999&To=x"
    assert f"Hello{more}" == form(text(text=f"Hello{more}"))["Body"]
    callback = form(text(id=ID + more, contact=CONTACT + more))["StatusCallback"]
    assert callback.isascii()
    assert callback.isprintable()
    assert {"contact": [CONTACT + more], "message": [ID + more]} == parse_qs(urlsplit(callback).query)
    with pytest.raises(HeaderError):
        text(to=TO + more)
    for setting in ("sender", "messaging_service", "previous_auth_token", "webhook_url", "endpoint"):
        right: dict[str, Any] = {
            "messaging_service": SERVICE,
            "webhook_url": HOOK,
            "endpoint": "https://api.twilio.com",
        }
        given = right.get(setting, "Acme") + end_of_line
        with pytest.raises(ConfigurationError):
            TwilioBackend(ACCOUNT, TOKEN, **{"sender": "Acme", setting: given})
    for sid, token in ((ACCOUNT + end_of_line, TOKEN), (ACCOUNT, TOKEN + end_of_line)):
        with pytest.raises(ConfigurationError):
            TwilioBackend(sid, token, sender="Acme")


# ---- settings


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sender": SENDER, "messaging_service": SERVICE},
        {"messaging_service": ACCOUNT},
        {"sender": "Twelve chars"},
        {"sender": "12345678901"},
        {"sender": ""},
        {"sender": "Ac/me"},
        {"sender": "whatsapp:+447700900123"},
        {"sender": "Acmé"},
        {"sender": SENDER, "api_key": (ACCOUNT, "secret")},
        {"sender": SENDER, "api_key": (KEY, "")},
        {"sender": SENDER, "previous_auth_token": ""},
        {"sender": SENDER, "takes_replies": True},
        {"sender": SENDER, "timeout": timedelta(0)},
        {"sender": SENDER, "connections": 0},
        {"sender": SENDER, "connections": 101},
        {"sender": SENDER, "validity": timedelta(milliseconds=999)},
        {"sender": SENDER, "validity": timedelta(hours=10, microseconds=1)},
        {"sender": SENDER, "endpoint": "http://api.twilio.com"},
        {"sender": SENDER, "endpoint": "https://api.twilio.com/2010-04-01"},
        {"sender": SENDER, "endpoint": "https://user:pass@api.twilio.com"},
        {"sender": SENDER, "endpoint": "api.twilio.com"},
        {"sender": SENDER, "endpoint": "https://api.twilio.com:99999"},
        {"sender": SENDER, "webhook_url": "http://acme.example.com/hooks/twilio"},
        {"sender": SENDER, "webhook_url": f"{HOOK}?a=b"},
        {"sender": SENDER, "webhook_url": f"{HOOK}#rc=3"},
        {"sender": SENDER, "webhook_url": "https://user:pass@acme.example.com/hooks/twilio"},
        {"sender": SENDER, "webhook_url": "https://my_acme.example.com/hooks/twilio"},
        {"sender": SENDER, "webhook_url": "https:///hooks/twilio"},
    ],
)
def test_what_cannot_work_is_refused_at_once(settings: dict[str, Any]) -> None:
    """
    Before the first message, and without a secret in the error.
    """
    with pytest.raises(ConfigurationError) as caught:
        TwilioBackend(ACCOUNT, TOKEN, **settings)
    for hidden in (TOKEN, "pass@"):
        assert hidden not in str(caught.value)


@pytest.mark.parametrize(("sid", "token"), [("AC12", TOKEN), (KEY, TOKEN), (ACCOUNT, ""), (ACCOUNT, "to ken")])
def test_an_account_looks_like_one(sid: str, token: str) -> None:
    """
    A key in the place of the account is a common mistake.
    """
    with pytest.raises(ConfigurationError) as caught:
        TwilioBackend(sid, token, sender=SENDER)
    assert sid not in str(caught.value)


@pytest.mark.parametrize("sender", ["Acme", "Acme 1", "1Acme", "ACME-2000", "Eleven char"])
def test_nobody_can_reply_to_a_name(sender: str) -> None:
    """
    It may send, but a question that asks for a reply to it is refused when the backend is made.
    """
    assert not TwilioBackend(ACCOUNT, TOKEN, sender=sender, webhook_url=HOOK).takes_replies
    with pytest.raises(ConfigurationError, match="nobody can reply"):
        TwilioBackend(ACCOUNT, TOKEN, sender=sender, webhook_url=HOOK, takes_replies=True)


@pytest.mark.parametrize("sender", [{"sender": SENDER}, {"sender": "60777"}, {"messaging_service": SERVICE}])
def test_to_a_number_one_can_reply(sender: dict[str, Any]) -> None:
    """
    To a short code and to a messaging service as well.
    """
    assert TwilioBackend(ACCOUNT, TOKEN, webhook_url=HOOK, takes_replies=True, **sender).takes_replies


# ---- Twilio's own description


@pytest.fixture(scope="module")
def mock(tmp_path_factory: pytest.TempPathFactory, needs_server: None) -> Iterator[str]:
    """
    The address of Prism, which answers by Twilio's description and refuses what does not keep to it.
    """
    with prism(tmp_path_factory.mktemp("prism")) as address:
        yield address


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"messaging_service": SERVICE},
        {"sender": "Acme", "validity": timedelta(hours=10)},
        {"webhook_url": None, "api_key": (KEY, "s3cret")},
    ],
)
def test_the_description_takes_what_is_sent(settings: dict[str, Any], mock: str) -> None:
    """
    And its example of an answer is read.
    """
    with sending(mock, **settings) as backend:
        receipt = backend.send(text(text="It’s ŵ & 1+1=2\n👍"))
    assert (Outcome.ACCEPTED, None) == end(receipt)
    assert receipt.provider_id.startswith("SM")
    assert receipt.code is None


@pytest.mark.parametrize(
    "broken", [{"Body": None}, {"From": None}, {"To": None}, {"ValidityPeriod": "an hour"}, {"StatusCallback": "a b"}]
)
def test_the_description_refuses_what_is_wrong(broken: dict[str, str | None], mock: str) -> None:
    """
    So the test above says something.
    """
    fields = {name: value for name, value in (form(text()) | broken).items() if value is not None}
    call = build(attrs.evolve(ACCOUNTED, endpoint=mock), text())
    assert 422 == httpx.post(call.url, headers=dict(call.headers), content=urlencode(fields)).status_code
    assert 401 == httpx.post(call.url, data=fields).status_code


def test_the_description_lists_what_was_sent(mock: str) -> None:
    """
    Its example of a page is read: what was made since, to that number, and where the next page is.
    """
    account = attrs.evolve(ACCOUNTED, sid="AC" + "a" * 32, endpoint=mock)
    call = list_call(account, "+18182008801")
    said = httpx.get(call.url, headers=dict(call.headers))
    page = Answer(status=said.status_code, body=said.content)
    made = datetime(2019, 5, 24, 17, 44, 46, tzinfo=UTC)
    assert ["testing", "look mom I have media!"] == [one.text for one in traced(page, "+18182008801", made)]
    assert [] == traced(page, "+18182008801", made + timedelta(minutes=2))
    assert [] == traced(page, TO, made)
    following = next_call(account, page)
    assert following is not None
    assert 200 == httpx.get(following.url, headers=dict(following.headers)).status_code


# ---- what Twilio answers


@pytest.mark.server
def test_what_was_taken_is_named_and_its_text_is_not_kept() -> None:
    """
    There is a link in it.
    """
    with twilio() as (address, account), sending(address) as backend:
        receipt = backend.send(text())
    sid = account.messages[0]["sid"]
    assert Receipt(outcome=Outcome.ACCEPTED, reply=f"201 queued {sid}", provider_id=sid) == receipt


# Code, HTTP status, what it means, and for how long to wait: Twilio's pages of these errors.
REFUSALS = [
    (21610, 400, (Outcome.REFUSED, Fault.OPTED_OUT)),
    (21211, 400, (Outcome.REFUSED, Fault.ADDRESS)),
    (21614, 400, (Outcome.REFUSED, Fault.ADDRESS)),
    (21617, 400, (Outcome.REFUSED, Fault.MESSAGE)),
    (35115, 400, (Outcome.REFUSED, Fault.MESSAGE)),
    (30003, 400, (Outcome.RETRY_LATER, Fault.MAILBOX)),
    (20003, 401, LATER),
    (21408, 400, LATER),
    (21606, 400, LATER),
    (21730, 400, LATER),
    (21611, 429, LATER),
    (20429, 429, LATER),
    (20404, 404, LATER),
    (21612, 400, (Outcome.REFUSED, None)),
    (30004, 400, (Outcome.REFUSED, None)),
    (99999, 400, (Outcome.REFUSED, None)),
    (None, 401, LATER),
    (None, 403, LATER),
    (None, 404, LATER),
    (None, 429, LATER),
    (None, 400, DOUBT),
    (None, 408, DOUBT),
    (20500, 500, DOUBT),
    (21610, 503, DOUBT),
    (None, 503, DOUBT),
    (None, 302, DOUBT),
    (None, 202, DOUBT),
]


@pytest.mark.server
@pytest.mark.parametrize(("code", "status", "expected"), REFUSALS)
def test_a_refusal_is_sorted_by_twilios_code(
    code: int | None, status: int, expected: tuple[Outcome, Fault | None]
) -> None:
    """
    Whatever is wrong with the account burns no message, an unknown code suppresses nobody, and what may have been taken
    is in doubt.
    """
    with (
        twilio(refusing(status, code, "The 'To' number\r\nis\x00 not")) as (address, account),
        sending(address) as backend,
    ):
        receipt = backend.send(text())
    assert (*expected, code) == (*end(receipt), receipt.code)
    assert " ".join(filter(None, [str(status), str(code or ""), "The 'To' number is\ufffd not"])) == receipt.reply
    assert 1 == len(account.heard)


def test_every_verdict_can_be_acted_upon() -> None:
    """
    A code never accepts, and only opting out and a dead number have consequences for the person.
    """
    for code, verdict in VERDICTS.items():
        assert verdict.outcome in {Outcome.REFUSED, Outcome.RETRY_LATER}, code
        lasting = {Fault.OPTED_OUT: DeliveryStatus.OPTED_OUT, Fault.ADDRESS: DeliveryStatus.BOUNCED}
        assert lasting.get(verdict.fault or Fault.BACKEND, DeliveryStatus.FAILED) is verdict.later, code


@pytest.mark.parametrize(
    ("asked", "waited"),
    [
        ("30", timedelta(seconds=30)),
        ("999999", timedelta(hours=1)),
        ("Wed, 25 Nov 2026 12:00:00 GMT", None),
        ("-1", None),
        ("٣", None),
    ],
)
def test_twilio_may_ask_for_time(asked: str, waited: timedelta | None) -> None:
    """
    Up to an hour of it. What it asks for in another form is left to us.
    """
    receipt = parse(Answer(status=429, headers={"retry-after": asked}, body=b'{"code": 20429}'))
    assert (*LATER, waited) == (*end(receipt), receipt.retry_after)


TAKEN = json.dumps({"sid": MESSAGE, "status": "queued"}).encode()


@pytest.mark.server
@pytest.mark.parametrize(
    "reaction",
    [
        resetting,
        hanging,
        saying(b""),
        saying(b"HTTP/1.1 201 Created\r\nContent-Length: 500\r\n\r\n" + TAKEN),
        saying(b"220 mail.example.com ESMTP\r\n"),
        saying(b"\x00" * 100),
        saying(answer(201, b"<html>Welcome to the hotel</html>")),
        saying(answer(201, b"")),
        saying(answer(201, b"[" * 100_000)),
        saying(answer(201, b"9" * 10_000)),
        saying(answer(201, ["sid"])),
        saying(answer(201, {"sid": None})),
        saying(answer(201, {"sid": "SMzz"})),
        saying(answer(201, {"sid": [MESSAGE]})),
        saying(answer(400, {"code": {"code": 21610}})),
        saying(answer(400, {"code": True})),
        saying(answer(400, {"code": -21610})),
        saying(answer(400, {"code": "9" * 400})),
        saying(answer(201, b"\x1f\x8b" + TAKEN, Content_Encoding="gzip")),
    ],
)
def test_what_is_not_twilios_answer_is_in_doubt(reaction: Reaction) -> None:
    """
    It was said, so it may have been taken, and it is not said again.
    """
    with twilio(reaction) as (address, account), sending(address, timeout=timedelta(seconds=0.5)) as backend:
        assert DOUBT == end(backend.send(text()))
        assert 1 == len(account.heard)
        backend.close()  # or the next text might meet the end of the connection
        assert (Outcome.ACCEPTED, None) == end(backend.send(text()))


@settings(max_examples=examples(300))
@given(status=st.integers(100, 599), headers=st.dictionaries(st.just("retry-after"), st.text()), body=st.binary())
def test_any_answer_is_read(status: int, headers: dict[str, str], body: bytes) -> None:
    """
    Nothing but a receipt comes out, and only a name that Twilio could have given means that it was taken.
    """
    assert Outcome.ACCEPTED is not parse(Answer(status=status, headers=headers, body=body)).outcome


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([MESSAGE, "21610", 21610]),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["sid", "code", "message", "status"]), inner),
)


@settings(max_examples=examples(300))
@given(status=st.sampled_from([200, 201, 400, 429, 500]), body=JSON)
def test_any_json_is_read(status: int, body: object) -> None:
    """
    A reply that can be stored comes out, and a code that can.
    """
    receipt = parse(Answer(status=status, body=json.dumps(body).encode()))
    receipt.reply.encode()
    assert "\x00" not in receipt.reply
    assert len(receipt.reply) <= 1000
    assert receipt.code is None or 0 < receipt.code < 10**9


@pytest.mark.server
def test_what_was_never_said_can_be_said_again() -> None:
    """
    Nobody is there, or nobody whom the certificates know.
    """
    with twilio() as (address, _):
        pass
    with sending(address) as backend:
        assert LATER == end(backend.send(text()))


# ---- many at once


def many(count: int) -> list[Message]:
    return [text(id=f"{number:032x}", text=f"Text {number}") for number in range(count)]


@pytest.mark.server
def test_a_batch_is_answered_in_order() -> None:
    """
    Each message gets its own receipt, and all are sent once.
    """
    with twilio() as (address, account), sending(address, connections=4) as backend:
        receipts = backend.send_all(many(40))
    taken = {message["sid"]: message["body"] for message in account.messages}
    assert [f"Text {number}" for number in range(40)] == [taken[receipt.provider_id] for receipt in receipts]
    assert 40 == len(account.messages)


@pytest.mark.server
def test_a_batch_is_said_over_several_connections() -> None:
    """
    Four texts arrive before any of them is answered.
    """
    together = threading.Barrier(4, timeout=10)

    def wait(sock: Any, heard: Heard) -> bytes:
        together.wait()
        return answer(201, {"sid": MESSAGE})

    with twilio(*[wait] * 4) as (address, _), sending(address, connections=4) as backend:
        receipts = backend.send_all(many(4))
    assert {Outcome.ACCEPTED} == {receipt.outcome for receipt in receipts}


@pytest.mark.server
def test_a_batch_ends_where_twilio_takes_no_more() -> None:
    """
    What was not said yet waits as long as Twilio asked.
    """
    throttling = refusing(429, 20429, Retry_After="7")
    with twilio(TwilioAccount(), throttling) as (address, account), sending(address, connections=1) as backend:
        receipts = backend.send_all(many(5))
    assert [Outcome.ACCEPTED, *[Outcome.RETRY_LATER] * 4] == [receipt.outcome for receipt in receipts]
    assert [None, *[timedelta(seconds=7)] * 4] == [receipt.retry_after for receipt in receipts]
    assert {Fault.BACKEND} == {receipt.fault for receipt in receipts[1:]}
    assert 2 == len(account.heard)


@pytest.mark.server
def test_a_batch_ends_at_a_doubt() -> None:
    """
    One message in doubt is enough.
    """
    with twilio(resetting) as (address, account), sending(address, connections=1) as backend:
        receipts = backend.send_all(many(3))
    assert [DOUBT, LATER, LATER] == [end(receipt) for receipt in receipts]
    assert 1 == len(account.heard)


@pytest.mark.server
def test_a_batch_goes_on_after_one_that_founders_by_itself() -> None:
    """
    A number that is dead, and a message that is no text.
    """
    messages = many(4)
    messages[1] = attrs.evolve(messages[1], to="nobody")
    with twilio(refusing(400, 21211)) as (address, _), sending(address, connections=1) as backend:
        receipts = backend.send_all(messages)
        assert [] == backend.send_all([])
    assert [
        (Outcome.REFUSED, Fault.ADDRESS),
        (Outcome.REFUSED, Fault.MESSAGE),
        (Outcome.ACCEPTED, None),
        (Outcome.ACCEPTED, None),
    ] == [end(receipt) for receipt in receipts]


# ---- what is in doubt is looked up


@pytest.mark.server
def test_a_text_that_was_taken_after_all_is_found() -> None:
    """
    Twilio took it, and its answer came too late.
    """
    released = threading.Event()

    def take_and_stall(sock: Any, heard: Heard) -> bytes:
        taken = account.take(heard.form)
        released.wait(10)
        return answer(201, taken)

    with twilio(take_and_stall) as (address, account), sending(address, timeout=timedelta(seconds=0.5)) as backend:
        assert DOUBT == end(backend.send(text()))
        found = backend.trace(TO, account.now)
        released.set()
    assert [text().text] == [one.text for one in found]
    sid = account.messages[0]["sid"]
    assert [Receipt(outcome=Outcome.ACCEPTED, reply=f"found queued {sid}", provider_id=sid)] == [
        one.receipt for one in found
    ]
    assert text().text not in repr(found)


@pytest.mark.server
def test_all_pages_are_read() -> None:
    """
    Messages to others, and those that were made before, are left out.
    """
    with twilio() as (address, account), sending(address) as backend:
        for number in range(5):
            account.now = NOW + timedelta(hours=number)
            account.take({"To": TO, "Body": f"Text {number}"})
            account.take({"To": "+447911999999", "Body": "for somebody else"})
        assert ["Text 4", "Text 3", "Text 2"] == [one.text for one in backend.trace(TO, NOW + timedelta(hours=2))]
        assert [] == list(backend.trace(TO, NOW + timedelta(hours=5)))
    assert {TO} == {heard.query["To"] for heard in account.heard}
    assert {build(ACCOUNTED, text()).headers["Authorization"]} == {
        heard.headers["authorization"] for heard in account.heard
    }


@pytest.mark.server
def test_clocks_may_differ_by_a_minute() -> None:
    """
    A message that was made just before we said it was made by us.
    """
    since = NOW + timedelta(minutes=1)
    with twilio() as (address, account), sending(address) as backend:
        account.now = NOW
        account.take({"To": TO, "Body": "Hello"})
        assert 1 == len(backend.trace(TO, since))
        assert [] == list(backend.trace(TO, since + timedelta(microseconds=1)))


ONE = {"sid": MESSAGE, "to": TO, "body": "x", "date_created": "Tue, 24 Nov 2026 12:00:00 +0000", "status": "sent"}


@pytest.mark.server
@pytest.mark.parametrize(
    "reaction",
    [
        resetting,
        hanging,
        refusing(401, 20003),
        refusing(500, None),
        saying(answer(200, b"<html>")),
        saying(answer(200, {"messages": None})),
        saying(answer(200, {"messages": ["x"]})),
        saying(answer(200, {"messages": [ONE | {"date_created": "yesterday"}]})),
        saying(answer(200, {"messages": [ONE | {"date_created": None}]})),
        saying(answer(200, {"messages": [ONE], "next_page_uri": 7})),
        saying(answer(200, {"messages": [ONE], "next_page_uri": "https://evil.example.com/2010-04-01/"})),
        saying(answer(200, {"messages": [ONE], "next_page_uri": "//evil.example.com/"})),
        saying(answer(200, {"messages": [ONE], "next_page_uri": "@evil.example.com/"})),
        saying(answer(200, {"messages": [ONE], "next_page_uri": "/2010-04-01/Accounts/AC00/Messages.json?Page=1"})),
    ],
)
def test_twilio_that_cannot_be_asked_is_not_a_no(reaction: Reaction) -> None:
    """
    Nothing follows from half a list, and a page that is somewhere else is not fetched.
    """
    with twilio(reaction) as (address, account), sending(address, timeout=timedelta(seconds=0.5)) as backend:
        with pytest.raises(ProviderUnavailableError) as caught:
            backend.trace(TO, NOW)
        assert 1 == len(account.heard)
    assert TO not in str(caught.value)


@pytest.mark.server
def test_a_list_without_end_is_given_up() -> None:
    """
    Each page names another.
    """
    path = urlsplit(list_call(ACCOUNTED, TO).url).path
    endless = saying(answer(200, {"messages": [], "next_page_uri": f"{path}?Page=1"}))
    with twilio(*[endless] * 100) as (address, account), sending(address) as backend:
        with pytest.raises(ProviderUnavailableError):
            backend.trace(TO, NOW)
        assert len(account.heard) < 100


def test_the_next_page_is_asked_of_the_same_host() -> None:
    """
    With the path that Twilio names: its own example.
    """
    page = description()["paths"]["/2010-04-01/Accounts/{AccountSid}/Messages.json"]["get"]["responses"]["200"]
    example = page["content"]["application/json"]["examples"]["readFullPage1"]["value"]
    account = attrs.evolve(ACCOUNTED, sid="AC" + "a" * 32, endpoint="https://api.dublin.ie1.twilio.com")
    call = next_call(account, Answer(status=200, body=json.dumps(example).encode()))
    assert call is not None
    assert account.endpoint + example["next_page_uri"] == call.url


# ---- what Twilio tells


def published_request(vector: dict[str, Any]) -> tuple[Request, str]:
    """
    Return a published request, and the address it went to.
    """
    parts = urlsplit(vector["url"])
    request = Request(
        method="POST",
        path="",
        query=parts.query,
        headers=(("x-twilio-signature", vector["signature"]),),
        body=vector.get("body", "").encode(),
    )
    return request, parts._replace(query="").geturl()


@pytest.mark.parametrize("number", range(7))
def test_the_published_signatures_are_good(number: int) -> None:
    """
    With and without a port, over a form and over JSON, and with names that are there more than once.
    """
    vectors = published("twilio_signature_vectors.json")
    assert 7 == len(vectors["vectors"])
    vector = vectors["vectors"][number]
    request, url = published_request(vector)
    fields, token = vector.get("params", {}), vectors["auth_token"]
    assert is_signed(request, url, fields, [token])
    assert is_signed(request, url, fields, ["another", token])
    assert not is_signed(request, url, fields, ["another"])
    assert not is_signed(request, url + "x", fields, [token])
    assert not is_signed(request, url, fields | {"More": [""], "X": ["y"]}, [token])
    if fields:
        assert not is_signed(request, url, fields | {"Digits": ["5678"]}, [token])


def hear(request: Request, **settings: Any) -> tuple[HTTPStatus, tuple[DeliveryEvent | InboundMessage, ...]]:
    """
    Return what a backend makes of a request.
    """
    heard = make(**settings).webhook(request, now=NOW)
    return heard.response.status, heard.events


def test_twilio_is_answered_without_a_word() -> None:
    """
    A body with text in it would be sent to the person.
    """
    response = make().webhook(telling(MessageStatus="sent"), now=NOW).response
    assert HTTPStatus.OK is response.status
    assert b"<Response></Response>" == response.body
    assert {"content-type": "text/xml", "content-length": "21"} == dict(response.headers)


# What each status and code mean for the message.
TOLD = [
    ("accepted", None, DeliveryStatus.SENT),
    ("scheduled", None, DeliveryStatus.SENT),
    ("queued", None, DeliveryStatus.SENT),
    ("sending", None, DeliveryStatus.SENT),
    ("sent", None, DeliveryStatus.SENT),
    ("partially_delivered", None, DeliveryStatus.SENT),
    ("delivered", None, DeliveryStatus.DELIVERED),
    ("read", None, DeliveryStatus.DELIVERED),
    ("canceled", None, DeliveryStatus.FAILED),
    ("failed", None, DeliveryStatus.FAILED),
    ("failed", "30007", DeliveryStatus.FAILED),
    ("failed", "21610", DeliveryStatus.OPTED_OUT),
    ("undelivered", "0", DeliveryStatus.FAILED),
    ("undelivered", "30003", DeliveryStatus.FAILED),
    ("undelivered", "30008", DeliveryStatus.FAILED),
    ("undelivered", "99999", DeliveryStatus.FAILED),
    ("undelivered", "x", DeliveryStatus.FAILED),
    ("undelivered", "30005", DeliveryStatus.BOUNCED),
    ("undelivered", "30006", DeliveryStatus.BOUNCED),
    ("undelivered", "21610", DeliveryStatus.OPTED_OUT),
    ("delivered", "30005", DeliveryStatus.DELIVERED),
]


@pytest.mark.parametrize(("status", "code", "expected"), TOLD)
def test_what_became_of_a_text(status: str, code: str | None, expected: DeliveryStatus) -> None:
    """
    By its status, and where it did not arrive by the code. Now, because Twilio names no time in a zone that is known.
    """
    more = {"ErrorMessage": "Because.", "RawDlrDoneDate": "2611241153", "NewIn2027": "ŵ &="}
    status_code, events = hear(telling(MessageStatus=status, ErrorCode=code, **more))
    assert HTTPStatus.OK is status_code
    assert (
        DeliveryEvent(
            id=f"{MESSAGE}/{status}",
            backend="twilio",
            channel=Channel.SMS,
            status=expected,
            contact=CONTACT,
            message=ID,
            to=TO,
            at=NOW,
            code=code if code and code.strip("0x") else "",
            detail=f"{status} Because. 2611241153",
        ),
    ) == events
    assert TO not in repr(events)


def test_every_status_is_known() -> None:
    """
    Those of the description, but for the two that messages to us have.
    """
    assert statuses() - {"receiving", "received"} == {status for status, _, _ in TOLD}


@pytest.mark.parametrize("status", ["receiving", "received", "teleported", ""])
def test_a_status_that_is_not_known_says_nothing(status: str) -> None:
    """
    Twilio adds some without notice.
    """
    assert (HTTPStatus.OK, ()) == hear(telling(MessageStatus=status))


def test_the_order_of_what_is_told_changes_no_name() -> None:
    """
    The same request again gives an event of the same name, another status one of another.
    """
    one, two, again = (hear(telling(MessageStatus=status))[1] for status in ("delivered", "sent", "delivered"))
    assert one == again
    assert one[0].id != two[0].id
    assert max(len(event.id) for event in (*one, *two)) <= 200


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("", ("", "")),
        (f"message={ID}", ("", ID)),
        (f"contact={CONTACT.upper()}&message={ID}0", ("", "")),
        ("contact=%00&message=%0d%0a", ("", "")),
        (f"contact={CONTACT}&contact=x&message={ID}", (CONTACT, ID)),
    ],
)
def test_only_ids_are_taken_for_ids(query: str, ids: tuple[str, str]) -> None:
    """
    What is not 32 digits names nobody; the number still does.
    """
    _, (event,) = hear(telling(query=query, MessageStatus="delivered"))
    assert isinstance(event, DeliveryEvent)
    assert (*ids, TO) == (event.contact, event.message, event.to)


@pytest.mark.parametrize(
    ("kind", "keyword"),
    [
        (None, None),
        ("STOP", Keyword.STOP),
        ("start", Keyword.START),
        ("HELP", Keyword.HELP),
        ("MAYBE", None),
        ("", None),
    ],
)
def test_a_reply(kind: str | None, keyword: Keyword | None) -> None:
    """
    With what Twilio took it for, if it acted upon it.
    """
    request = telling(
        query="",
        From=TO,
        To=SENDER,
        Body="Stop please ŵ 👍\r\nAda\x00",
        NumMedia="0",
        SmsStatus="received",
        OptOutType=kind,
    )
    assert (
        HTTPStatus.OK,
        (
            InboundMessage(
                id=MESSAGE,
                backend="texts",
                channel=Channel.SMS,
                sender=TO,
                text="Stop please ŵ 👍\nAda\ufffd",
                at=NOW,
                keyword=keyword,
            ),
        ),
    ) == hear(request, name="texts")


def test_a_picture_without_words_is_a_reply_too() -> None:
    """
    It is kept and shown, and answers nothing.
    """
    _, (reply,) = hear(telling(query="", MessageSid="MM" + "ab" * 16, Body="", NumMedia="1"))
    assert isinstance(reply, InboundMessage)
    assert "" == reply.text


@pytest.mark.parametrize("to", ["rcs:acme_agent", "rcs:+447700900123", SENDER])
def test_a_reply_over_rcs_is_one_by_text(to: str) -> None:
    """
    Twilio counts a stop over either for both, so it is not lost: it comes from that number, whichever way.
    """
    said = {"To": to, "Body": "STOP", "OptOutType": "STOP"}
    status, events = hear(telling(query="", From=f"rcs:{TO}", **said))
    assert (HTTPStatus.OK, events) == (status, hear(telling(query="", From=TO, **said | {"To": SENDER}))[1])
    (reply,) = events
    assert isinstance(reply, InboundMessage)
    assert (Channel.SMS, TO, "STOP", Keyword.STOP) == (reply.channel, reply.sender, reply.text, reply.keyword)


REPLIED: dict[str, str] = {"Body": "STOP", "OptOutType": "STOP"}


@pytest.mark.parametrize("to", ["whatsapp:+447700900123", SENDER])
def test_a_reply_over_whatsapp_is_read(to: str) -> None:
    """
    A stop costs nothing to keep.
    """
    status, (reply,) = hear(telling(query="", From=f"whatsapp:{TO}", To=to, Body="STOP"))
    assert isinstance(reply, InboundMessage)
    assert (HTTPStatus.OK, Channel.WHATSAPP, TO, "STOP") == (status, reply.channel, reply.sender, reply.text)


@pytest.mark.parametrize(
    ("prefix", "channel"), [("", Channel.SMS), ("rcs:", Channel.SMS), ("whatsapp:", Channel.WHATSAPP)]
)
def test_an_opt_out_counts_on_whatever_channel(prefix: str, channel: Channel) -> None:
    """
    What else became of a message that was no text is left to the host.
    """
    fields = {"MessageStatus": "undelivered", "To": prefix + TO, "From": f"{prefix}{SENDER}"}
    status, (event,) = hear(telling(**fields, ErrorCode="21610"))
    assert isinstance(event, DeliveryEvent)
    assert (HTTPStatus.OK, DeliveryStatus.OPTED_OUT, channel, TO) == (status, event.status, event.channel, event.to)
    assert (channel is Channel.SMS) is bool(event.message)
    assert bool(prefix) is (hear(telling(**fields, ErrorCode="30003"))[1] == ())


@pytest.mark.parametrize(
    ("fields", "side", "address"),
    [
        *(
            ({"MessageStatus": "delivered"}, side, address)
            for side in ("From", "To")
            for address in ("whatsapp:+447911123456", "rcs:+447911123456", "messenger:12345", "rcs:acme_agent")
        ),
        *((REPLIED, side, "messenger:1") for side in ("From", "To")),
        ({"MessageStatus": "failed", "ErrorCode": "21610"}, "To", "messenger:1"),
        (REPLIED, "From", "rcs:acme_agent"),
        (REPLIED, "From", "rcs:"),
        (REPLIED, "From", "rcs:whatsapp:+447911123456"),
        (REPLIED, "From", "rcs:+447911123456:1"),
    ],
)
def test_another_channel_is_not_this_one(fields: dict[str, str], side: str, address: str) -> None:
    """
    Twilio is told that all is well, and comes not again. What an agent of RCS says is no reply.
    """
    assert (HTTPStatus.OK, ()) == hear(telling(**fields | {side: address}))


def test_what_is_signed_and_of_no_known_kind_says_nothing() -> None:
    """
    Twilio sends more than it documents.
    """
    assert (HTTPStatus.OK, ()) == hear(telling(EventType="x"))


@pytest.mark.parametrize("sid", [None, "", "SM", "SM" + "zz" * 16, MESSAGE + "0", MESSAGE + "\n"])
def test_what_names_no_message_is_refused(sid: str | None) -> None:
    """
    By such a name nothing could be known again.
    """
    for fields in ({"MessageStatus": "delivered"}, {"Body": "STOP"}):
        assert (HTTPStatus.BAD_REQUEST, ()) == hear(telling(MessageSid=sid, **fields))


def test_json_is_read_by_its_digest() -> None:
    """
    The query has the digest of the body, and the signature covers the query.
    """
    said = {
        "AccountSid": ACCOUNT,
        "MessageSid": MESSAGE,
        "MessageStatus": "delivered",
        "To": TO,
        "Count": 1,
        "\ud800": "x",
    }
    body = json.dumps(said).encode()
    query = f"contact={CONTACT}&message={ID}&bodySHA256={sha256(body).hexdigest()}"
    request = Request(
        method="POST",
        path="",
        query=query,
        headers=(("x-twilio-signature", sign(TOKEN, f"{HOOK}?{query}", {})),),
        body=body,
    )
    status, (event,) = hear(request)
    assert isinstance(event, DeliveryEvent)
    assert (HTTPStatus.OK, CONTACT, DeliveryStatus.DELIVERED) == (status, event.contact, event.status)
    assert (HTTPStatus.FORBIDDEN, ()) == hear(attrs.evolve(request, body=body.replace(b"delivered", b"read")))
    assert (HTTPStatus.FORBIDDEN, ()) == hear(attrs.evolve(request, query=query + f"&bodySHA256={'0' * 64}"))


# ---- forged


def test_the_address_is_the_configured_one() -> None:
    """
    What the request says of host and path is not looked at, a port or none is the same, and another address is not.
    """
    request = telling(MessageStatus="delivered")
    assert HTTPStatus.OK is hear(attrs.evolve(request, path="/elsewhere"))[0]
    assert HTTPStatus.OK is hear(request, webhook_url=HOOK.replace("example.com", "example.com:443"))[0]
    for url in (HOOK + "/", HOOK.replace("acme", "evil"), HOOK.replace("example.com", "example.com:8443/x")):
        assert HTTPStatus.FORBIDDEN is hear(request, webhook_url=url)[0]


def test_two_tokens_are_good_while_one_replaces_the_other() -> None:
    """
    And afterwards only the new one is.
    """
    old, new = (telling(token=token, MessageStatus="delivered") for token in (OLD_TOKEN, TOKEN))
    assert [HTTPStatus.OK] * 2 == [hear(request, previous_auth_token=OLD_TOKEN)[0] for request in (old, new)]
    assert [HTTPStatus.FORBIDDEN, HTTPStatus.OK] == [hear(request)[0] for request in (old, new)]


def test_a_key_signs_nothing() -> None:
    """
    Twilio signs with the account's token, whoever logs in.
    """
    key = (KEY, "s3cret")
    assert HTTPStatus.OK is hear(telling(MessageStatus="sent"), api_key=key)[0]
    assert HTTPStatus.FORBIDDEN is hear(telling(token="s3cret", MessageStatus="sent"), api_key=key)[0]


def without_signature(request: Request) -> Request:
    return attrs.evolve(request, headers=request.headers[:1])


def twice_signed(request: Request) -> Request:
    return attrs.evolve(request, headers=(*request.headers, request.headers[1]))


def signed_otherwise(signature: str) -> Callable[[Request], Request]:
    return lambda request: attrs.evolve(request, headers=(("x-twilio-signature", signature),))


@pytest.mark.parametrize(
    "forge",
    [
        without_signature,
        twice_signed,
        signed_otherwise(""),
        signed_otherwise("é\ud800"),
        signed_otherwise("AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
        lambda request: attrs.evolve(request, body=request.body.replace(b"delivered", b"failed")),
        lambda request: attrs.evolve(request, body=request.body + b"&ErrorCode=21610"),
        lambda request: attrs.evolve(request, body=request.body[:-1]),
        lambda request: attrs.evolve(request, body=b""),
        lambda request: attrs.evolve(request, query=request.query.replace(ID, "0" * 32)),
        lambda request: attrs.evolve(request, query=request.query + "&x=y"),
        lambda request: attrs.evolve(request, query=""),
        lambda _: telling(token="guessed", MessageStatus="delivered"),
        lambda _: telling(AccountSid="AC" + "0" * 32, MessageStatus="delivered"),
        lambda _: telling(AccountSid=None, MessageStatus="delivered"),
    ],
)
def test_what_is_forged_is_not_heard(forge: Callable[[Request], Request], caplog: pytest.LogCaptureFixture) -> None:
    """
    One line in the log says so, and nothing of what was in it.
    """
    caplog.set_level(logging.DEBUG, "optly")
    request = telling(MessageStatus="delivered", Body="s3cret-text")
    status, events = hear(request)
    assert (HTTPStatus.OK, 1) == (status, len(events))
    assert (HTTPStatus.FORBIDDEN, ()) == hear(forge(request))
    (record,) = caplog.records
    assert ("optly", "a webhook was refused", logging.WARNING) == (record.name, record.message, record.levelno)
    plain = vars(logging.makeLogRecord({}))  # times and ids of the process, whose digits may be any
    shown = repr({name: value for name, value in vars(record).items() if name not in plain or name in ("msg", "args")})
    for hidden in (TO, "7911", "s3cret-text", CONTACT, ID, TOKEN, request.headers[1][1]):
        assert hidden not in shown


def test_without_an_address_nobody_is_heard() -> None:
    """
    There is nothing to compare a signature with.
    """
    assert (HTTPStatus.FORBIDDEN, ()) == hear(telling(MessageStatus="sent"), webhook_url=None)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", ""])
def test_opening_tells_nothing(method: str) -> None:
    """
    Even when it is signed.
    """
    heard = make().webhook(attrs.evolve(telling(MessageStatus="sent"), method=method), now=NOW)
    assert (HTTPStatus.METHOD_NOT_ALLOWED, ()) == (heard.response.status, heard.events)
    assert ("allow", "POST") in heard.response.headers


def test_the_largest_request() -> None:
    """
    256 KiB are read, and a byte more is not.
    """
    length = len(telling(query="", Body="").body)
    fits = telling(query="", Body="x" * (256 * 1024 - length))
    assert 256 * 1024 == len(fits.body)
    assert HTTPStatus.OK is hear(fits)[0]
    over = telling(query="", Body="x" * (256 * 1024 - length + 1))
    assert (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, ()) == hear(over)


@pytest.mark.parametrize("body", [b"\xff\xfe", b"Body=%ff", b"&" * 5000, "Body=ŵ".encode()])
def test_what_is_no_form_is_refused(body: bytes) -> None:
    """
    It cannot be signed either.
    """
    assert (HTTPStatus.BAD_REQUEST, ()) == hear(attrs.evolve(telling(MessageStatus="sent"), body=body))


QUERIES = st.text() | st.sampled_from([f"contact={CONTACT}&message={ID}", "bodySHA256=" + sha256(b"").hexdigest()])


@settings(max_examples=examples(500))
@given(
    method=st.sampled_from(["POST", "GET"]),
    query=QUERIES,
    headers=st.lists(st.tuples(st.sampled_from(["x-twilio-signature", "host"]), st.text())),
    body=st.binary() | st.text().map(str.encode),
)
def test_any_request_is_answered(method: str, query: str, headers: list[tuple[str, str]], body: bytes) -> None:
    """
    Nothing is raised and nothing is heard.
    """
    request = Request(method=method, path="", query=query, headers=tuple(headers), body=body)
    heard = make().webhook(request, now=NOW)
    assert () == heard.events
    assert 400 <= heard.response.status < 500


LETTERS = st.text(st.characters(exclude_categories=["Cs"]))
NAMES = st.sampled_from(
    ["MessageStatus", "Body", "From", "To", "ErrorCode", "ErrorMessage", "OptOutType", "MessageSid", "X"]
)


@settings(max_examples=examples(500))
@given(fields=st.dictionaries(NAMES, LETTERS | st.sampled_from(["delivered", "failed", MESSAGE])))
def test_whatever_twilio_signs_is_answered(fields: dict[str, str]) -> None:
    """
    What comes out can be stored: no NUL, no half of a character.
    """
    heard = make().webhook(telling(query="", **fields), now=NOW)
    assert heard.response.status in {200, 400}
    for event in heard.events:
        assert "\x00" not in "".join(map(str, attrs.astuple(event)))
