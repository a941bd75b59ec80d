"""
What became of an email handed to SES is what SES said, and where it said nothing it is said whether there is doubt.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from threading import Event
from typing import Any, ClassVar
from urllib.parse import quote

import attrs
import pytest
from backends.aws import CONTACT, KEYS, REGION, Heard, Moto, hear_request, moto_server, site, taken
from backends.mail_servers import SENDER, Line, ScriptedServer
from botocore.session import Session
from services import PUBLISHED, published

from optly.backends import mime
from optly.backends._aws import Credentials, host, sign
from optly.backends._http import Answer, Call
from optly.backends.ses import Account, SESBackend, build, parse
from optly.contacts.addresses import Channel
from optly.errors import ConfigurationError, UsageError
from optly.messages import Fault, Message, Outcome, Receipt
from optly.protocols import BatchBackend, WebhookBackend
from optly.testing.backends import BackendContract, BatchContract, WebhookContract

Write = Callable[..., Message]
LATER = (Outcome.RETRY_LATER, Fault.BACKEND)
DOUBT = (Outcome.IN_DOUBT, Fault.BACKEND)


@contextmanager
def sending(endpoint: str, **settings: Any) -> Iterator[SESBackend]:
    """
    A backend that is closed at the end.
    """
    settings = {"sender": SENDER, "credentials": KEYS, "timeout": timedelta(seconds=5), **settings}
    backend = SESBackend(REGION, endpoint=endpoint, **settings)
    try:
        yield backend
    finally:
        backend.close()


def end(receipt: Receipt) -> tuple[Outcome, Fault | None]:
    return receipt.outcome, receipt.fault


def accept(_heard: Heard) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, b'{"MessageId": "0109018b-0000"}'


# ---- what is said


ACCOUNT = Account(
    endpoint="https://email.eu-west-2.amazonaws.com", sender=mime.Sender.parse(SENDER), configuration_set="optly"
)
AT = datetime(2026, 11, 23, 12, tzinfo=UTC)


def test_a_call_holds_the_email_as_it_is(write: Write) -> None:
    """
    With the ids as tags, and nothing by which SES would make an email of its own.
    """
    message = write(contact=CONTACT, subject="Grüße", headers={"List-Unsubscribe": "<https://x.example.com/s>"})
    call = build(ACCOUNT, message, at=AT)
    assert call is not None
    assert ("POST", "https://email.eu-west-2.amazonaws.com/v2/email/outbound-emails") == (call.method, call.url)
    body = json.loads(call.body)
    raw = b64decode(body.pop("Content")["Raw"]["Data"])
    assert body == {
        "Destination": {"ToAddresses": ["ada@example.com"]},
        "EmailTags": [
            {"Name": "optly-message", "Value": "0123456789abcdef" * 2},
            {"Name": "optly-contact", "Value": CONTACT},
        ],
        "ConfigurationSetName": "optly",
    }
    expected = attrs.evolve(
        message, headers={**message.headers, "X-Optly-Message": message.id, "X-Optly-Contact": CONTACT}
    )
    assert mime.build(expected, ACCOUNT.sender, at=AT).content == raw


def test_every_field_that_is_sent_is_one_of_theirs(write: Write) -> None:
    """
    As botocore's description of the API has it: a field that SES does not know would not be heard.
    """
    call = build(ACCOUNT, write(contact=CONTACT), at=AT)
    assert call is not None
    operation = Session().get_service_model("sesv2").operation_model("SendEmail")
    assert operation.http["requestUri"] == call.url.removeprefix(ACCOUNT.endpoint)
    assert operation.http["method"] == call.method
    assert operation.service_model.signing_name == "ses"

    def known(value: Any, shape: Any) -> None:
        if shape.type_name == "structure":
            assert set(value) - set(shape.members) == set()
            assert set(shape.required_members) - set(value) == set()
            for name, part in value.items():
                known(part, shape.members[name])
        elif shape.type_name == "list":
            for part in value:
                known(part, shape.member)

    known(json.loads(call.body), operation.input_shape)


def test_without_a_contact_and_a_configuration_set_there_is_neither(write: Write) -> None:
    """
    An empty tag would be refused.
    """
    call = build(attrs.evolve(ACCOUNT, configuration_set=None), write(), at=AT)
    assert call is not None
    body = json.loads(call.body)
    assert [tag["Name"] for tag in body["EmailTags"]] == ["optly-message"]
    assert "ConfigurationSetName" not in body


def test_a_contact_that_cannot_be_a_tag_is_a_mistake(write: Write) -> None:
    """
    SES would refuse the message for it.
    """
    with pytest.raises(UsageError):
        build(ACCOUNT, write(contact="ada@example.com"), at=AT)


@pytest.mark.parametrize("field", ["to", "subject", "headers"])
def test_no_field_takes_a_line_break(field: str, write: Write) -> None:
    """
    Neither before the message is made nor after.
    """
    value = {"X-Evil": "a\r\nBcc: eve@example.com"} if field == "headers" else "ada@example.com\r\nBcc: eve@example.com"
    with pytest.raises(UsageError):
        build(ACCOUNT, write(**{field: value}), at=AT)


@pytest.mark.server
def test_an_address_without_a_form_in_ascii_is_refused(write: Write) -> None:
    """
    SES does not know SMTPUTF8. The address may be good elsewhere, so it is not to blame. A domain has such a form.
    """
    with site(accept) as ses, sending(ses.url) as backend:
        assert (Outcome.REFUSED, Fault.MESSAGE) == end(backend.send(write(to="añá@example.com")))
        assert ses.heard == []
        assert Outcome.ACCEPTED is backend.send(write(to="ada@bücher.example")).outcome
        assert json.loads(ses.heard[0].body)["Destination"] == {"ToAddresses": ["ada@xn--bcher-kva.example"]}


# ---- signatures


def cases() -> list[str]:
    file = PUBLISHED / "sigv4_test_suite.json"
    return sorted(json.loads(file.read_text())["cases"]) if file.is_file() else ["missing"]


@pytest.mark.parametrize("name", cases())
def test_amazons_own_signatures_come_out(name: str) -> None:
    """
    Of every case in the suite that Amazon published: its request, signed by us, has its authorization.
    """
    case = published("sigv4_test_suite.json")["cases"][name]
    head, _, body = case["req"].partition("\n\n")
    first, *lines = head.rstrip("\n").split("\n")
    method, _, rest = first.partition(" ")
    path, mark, query = rest.rpartition(" ")[0].partition("?")
    # In the suite it stands as it is before it is encoded. A path is encoded once more by whoever signs it.
    query = "".join(c if c.isascii() else quote(c) for c in query)
    headers: dict[str, str] = {}
    last = ""
    for line in lines:
        if line[0].isspace():  # a header that goes on
            headers[last] += "\n" + line
            continue
        last, _, value = line.partition(":")
        headers[last] = f"{headers[last]},{value}" if last in headers else value
    del headers["X-Amz-Date"]
    signed_token = re.search(r"^x-amz-security-token:(.*)$", case["creq"], re.MULTILINE)
    headers.pop("X-Amz-Security-Token", None)
    credentials = attrs.evolve(KEYS, token=signed_token[1] if signed_token else "")
    url = f"https://{headers.pop('Host')}{path}{mark}{query}"
    call = Call(method=method, url=url, headers=headers, body=body.encode())
    at = datetime(2015, 8, 30, 12, 36, tzinfo=UTC)
    signed = sign(call, credentials, service="service", region="us-east-1", at=at)
    assert case["authz"] == signed.headers["Authorization"]
    assert (call.method, call.url, call.body) == (signed.method, signed.url, signed.body)


@pytest.mark.server
def test_what_is_sent_is_what_was_signed(write: Write) -> None:
    """
    Only the host, the content type and Amazon's own headers are covered, and they arrive as they were.
    """
    with site(accept) as ses, sending(ses.url, credentials=attrs.evolve(KEYS, token="t0ken")) as backend:
        backend.send(write())
    heard = ses.heard[0]
    at = datetime.strptime(heard.headers["x-amz-date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    call = Call(
        method="POST",
        url=ses.url + heard.path,
        headers={"Content-Type": heard.headers["content-type"]},
        body=heard.body,
    )
    signed = sign(call, attrs.evolve(KEYS, token="t0ken"), service="ses", region=REGION, at=at)
    assert signed.headers["Authorization"] == heard.headers["authorization"]
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token," in heard.headers["authorization"]
    assert ses.url == f"http://{heard.headers['host']}"
    assert heard.headers["x-amz-security-token"] == "t0ken"


# ---- credentials


def used(heard: Heard) -> str:
    found = re.search(r"Credential=([^/]+)/", heard.headers["authorization"])
    assert found is not None
    return found[1]


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """
    A machine without credentials, and the file in which some could lie.
    """
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return tmp_path


@pytest.mark.server
def test_credentials_are_found_in_the_environment(bare: Path, monkeypatch: pytest.MonkeyPatch, write: Write) -> None:
    """
    When the first message is sent, not when the backend is made. What was missing then may be there later.
    """
    with site(accept) as ses, sending(ses.url, credentials=None) as backend:
        assert LATER == end(backend.send(write()))
        assert ses.heard == []
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDENV")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
        assert Outcome.ACCEPTED is backend.send(write()).outcome
    assert [used(heard) for heard in ses.heard] == ["AKIDENV"]


@pytest.mark.server
def test_credentials_that_expire_are_renewed(bare: Path, write: Write) -> None:
    """
    By botocore: here a program gives new ones each time, which are about to expire.
    """
    expires = (datetime.now(UTC) + timedelta(minutes=1)).isoformat()
    program = bare / "give"
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, os, pathlib\n"
        f"count = pathlib.Path({str(bare / 'count')!r})\n"
        "number = int(count.read_text()) + 1 if count.exists() else 1\n"
        "count.write_text(str(number))\n"
        "print(json.dumps({'Version': 1, 'AccessKeyId': f'AKID{number}', 'SecretAccessKey': 's', 'SessionToken': 't',"
        f" 'Expiration': {expires!r}}}))\n"
    )
    program.chmod(0o700)
    (bare / "config").write_text(f"[default]\ncredential_process = {program}\n")
    with site(accept) as ses, sending(ses.url, credentials=None) as backend:
        outcomes = {backend.send(write()).outcome for _ in range(3)}
    assert outcomes == {Outcome.ACCEPTED}
    numbers = [int(used(heard).removeprefix("AKID")) for heard in ses.heard]
    assert sorted(set(numbers)) == numbers


@pytest.mark.server
def test_a_function_is_asked_for_every_message(write: Write) -> None:
    """
    And may fail with whatever it likes: the message waits.
    """
    keys = iter([KEYS, attrs.evolve(KEYS, access_key="AKIDNEXT")])
    with site(accept) as ses, sending(ses.url, credentials=lambda: next(keys)) as backend:
        receipts = [backend.send(write()) for _ in range(3)]
    assert ["AKIDEXAMPLE", "AKIDNEXT"] == [used(heard) for heard in ses.heard]
    assert [Outcome.ACCEPTED, Outcome.ACCEPTED, Outcome.RETRY_LATER] == [receipt.outcome for receipt in receipts]
    assert LATER == end(receipts[-1])


# ---- settings


@pytest.mark.parametrize(
    "settings",
    [
        {"region": "London"},
        {"region": "eu-west-2.evil.example.com/"},
        {"region": ""},
        {"sender": "añá@example.com"},
        {"sender": "nobody"},
        {"endpoint": "http://ses.example.com"},
        {"endpoint": "https://user:pw@ses.example.com"},
        {"endpoint": "https://ses.example.com/v2"},
        {"endpoint": "ftp://ses.example.com"},
        {"endpoint": "https://"},
        {"endpoint": "https://[::1"},
        {"endpoint": "https://@ses.example.com"},
        {"endpoint": "https://ses.example.com:99999"},
        {"endpoint": "https://ses.example.com:0"},
        {"endpoint": "https://ses.example.com?a=b"},
        {"endpoint": "https://ses.example.com\n"},
        {"endpoint": "https://sés.example.com"},
        {"endpoint": "http://127.0.0.1.example.com"},
        {"configuration_set": "no spaces"},
        {"configuration_set": ""},
        {"timeout": timedelta(0)},
        {"connections": 0},
        {"connections": 101},
        {"topics": "arn:aws:sns:eu-west-2:123456789012:mail"},
        {"topics": ["mail"]},
        {"topics": ["arn:aws:sns:nowhere:123456789012:mail"]},
        {"secrets": "a string is a list of its letters"},
        {"secrets": ["fifteen-letters"]},
        {"secrets": ["nöt-äscii-nöt-äscii"]},
    ],
    ids=repr,
)
def test_a_setting_that_cannot_work_is_told_at_once(settings: dict[str, Any]) -> None:
    """
    When the backend is made.
    """
    with pytest.raises(ConfigurationError):
        SESBackend(**{"region": REGION, "sender": SENDER, "credentials": KEYS, **settings})


@pytest.mark.parametrize(
    "endpoint", ["https://ses.example.com:8443/", "http://127.0.0.1:5000", "http://[::1]:5000", "http://localhost"]
)
def test_an_endpoint_is_private_or_on_this_machine(endpoint: str) -> None:
    """
    A stroke at the end makes no difference.
    """
    backend = SESBackend(REGION, sender=SENDER, credentials=KEYS, endpoint=endpoint)
    assert endpoint.rstrip("/") == backend._account.endpoint


@pytest.mark.parametrize(
    "parts", [("", "s", ""), ("a", "", ""), ("a", "s\n", ""), ("a", "s", "é"), ("a", "s", "t\r\n")]
)
def test_credentials_that_cannot_be_any_are_told_at_once(parts: tuple[str, str, str]) -> None:
    """
    And not shown.
    """
    access_key, secret_key, token = parts
    with pytest.raises(ConfigurationError):
        Credentials(access_key=access_key, secret_key=secret_key, token=token)


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """
    With the command that installs it.
    """
    monkeypatch.setitem(sys.modules, "botocore", None)
    with pytest.raises(ConfigurationError, match=re.escape('python -m pip install "optly[ses]"')):
        SESBackend(REGION, sender=SENDER)


@pytest.mark.parametrize("service", ["sesv2", "sns"])
@pytest.mark.parametrize("region", ["eu-west-2", "us-east-1", "us-gov-west-1", "cn-north-1", "eusc-de-east-1"])
def test_amazon_is_where_botocore_finds_it(service: str, region: str) -> None:
    """
    In every partition that anybody can have an account in.
    """
    keys = {"aws_access_key_id": "a", "aws_secret_access_key": "s"}
    client = Session().create_client(service, region_name=region, **keys)
    assert client.meta.endpoint_url == f"https://{host({'sesv2': 'email'}.get(service, service), region)}"


# ---- what is answered


def error(status: int, name: str, message: str = "", **headers: str) -> Answer:
    body = json.dumps({"message": message}).encode()
    return Answer(status=status, headers={"x-amzn-errortype": name, **headers}, body=body)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (error(429, "TooManyRequestsException"), LATER),
        (error(400, "Throttling", "Maximum sending rate exceeded."), LATER),
        (error(400, "ThrottlingException"), LATER),
        (error(503, "ThrottlingException"), LATER),
        (error(429, ""), LATER),
        (error(500, "InternalServiceErrorException"), DOUBT),
        (error(500, "InternalServerErrorException"), DOUBT),
        (error(503, "ServiceUnavailable"), DOUBT),
        (error(502, ""), DOUBT),
        (error(400, "MessageRejected", "Illegal content"), (Outcome.REFUSED, Fault.MESSAGE)),
        (error(400, "BadRequestException"), (Outcome.REFUSED, Fault.MESSAGE)),
        (error(413, ""), (Outcome.REFUSED, Fault.MESSAGE)),
        (error(400, "MessageRejected", "Email address is not verified."), LATER),
        (error(400, "MailFromDomainNotVerifiedException"), LATER),
        (error(404, "NotFoundException", "Configuration set <x> does not exist."), LATER),
        (error(400, "AccountSuspendedException"), LATER),
        (error(400, "SendingPausedException"), LATER),
        (error(400, "LimitExceededException"), LATER),
        (error(403, "SignatureDoesNotMatch"), LATER),
        (error(403, "InvalidClientTokenId"), LATER),
        (error(400, "ExpiredTokenException"), LATER),
        (error(403, "SomethingNew"), LATER),
        (error(400, "SomethingNew"), (Outcome.RETRY_LATER, None)),
        (Answer(status=302, headers={"location": "https://evil.example.com"}), LATER),
        (Answer(status=404, body=b"<html>"), LATER),
        (Answer(status=407), LATER),
        (Answer(status=200, body=b"<html>"), DOUBT),
        (Answer(status=200, body=b"{}"), DOUBT),
        (Answer(status=200, body=b'{"MessageId": ""}'), DOUBT),
        (Answer(status=200, body=b'{"MessageId": 7}'), DOUBT),
        (Answer(status=200, body=b"[]"), DOUBT),
        (Answer(status=200, body=b"[" * 100_000), DOUBT),
        (Answer(status=200, body=b"\xff"), DOUBT),
        (Answer(status=200, body=b'{"MessageId": "a b"}'), DOUBT),
        (Answer(status=200, body=b'{"MessageId": "\\ud800"}'), DOUBT),
        (Answer(status=200, body=b'{"MessageId": "%b"}' % (b"x" * 201)), DOUBT),
        (Answer(status=204), DOUBT),
    ],
    ids=lambda value: f"{value.status}{value.headers}" if isinstance(value, Answer) else "",
)
def test_every_answer_is_sorted(answer: Answer, expected: tuple[Outcome, Fault | None]) -> None:
    """
    Into what is to be said again, what is not, what somebody has to mend, and what is in doubt.
    """
    receipt = parse(answer)
    assert expected == end(receipt)
    assert answer.status == receipt.code
    assert receipt.provider_id == ""


@pytest.mark.parametrize(
    "answer",
    [
        error(400, "MessageRejected:http://internal.amazon.com/coral/com.amazonaws.ses/"),
        error(400, "com.amazonaws.ses#MessageRejected"),
        Answer(status=400, body=b'{"__type": "com.amazonaws.ses#MessageRejected"}'),
        Answer(status=400, body=b'{"code": "MessageRejected"}'),
    ],
)
def test_the_name_of_an_error_stands_in_several_places(answer: Answer) -> None:
    """
    Those where botocore looks for it.
    """
    assert (Outcome.REFUSED, Fault.MESSAGE) == end(parse(answer))


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [
        (error(429, "TooManyRequestsException"), 1),
        (error(400, "Throttling", "Maximum sending rate exceeded."), 1),
        (error(400, "Throttling", "Daily message quota exceeded."), 600),
        (error(429, "TooManyRequestsException", **{"retry-after": "7"}), 7),
        (error(429, "TooManyRequestsException", **{"retry-after": "3601"}), 3600),
        (error(429, "TooManyRequestsException", **{"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}), 1),
    ],
)
def test_a_throttle_says_how_long_to_wait(answer: Answer, seconds: int) -> None:
    """
    A second for the rate, ten minutes for the day's quota, or what is asked, up to an hour.
    """
    assert timedelta(seconds=seconds) == parse(answer).retry_after


def test_what_is_taken_has_a_name() -> None:
    """
    The one that SES writes into the email and into every event, and the answer word for word.
    """
    assert parse(Answer(status=200, body=b'{"MessageId":"0109018b"}')) == Receipt(
        outcome=Outcome.ACCEPTED, reply='{"MessageId":"0109018b"}', code=200, provider_id="0109018b"
    )


@pytest.mark.parametrize("body", [b"\x00\x1b[2J", b"\xff\xfe", b"x" * 100_000], ids=lambda body: repr(body[:4]))
def test_an_answer_is_kept_as_any_store_takes_it(body: bytes) -> None:
    """
    Not too long, and without what is no text.
    """
    reply = parse(Answer(status=400, body=body)).reply
    assert 0 < len(reply) <= 2000
    assert reply.isprintable()


# ---- a server that misbehaves


def says(text: str) -> Callable[[Line], None]:
    def script(line: Line) -> None:
        hear_request(line)
        line._sock.sendall(text.encode())

    return script


def hangs(line: Line) -> None:
    hear_request(line)
    line.hang()


def resets(line: Line) -> None:
    import socket
    import struct

    hear_request(line)
    line._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


FAULTS = {
    "nothing": says(""),
    "hangs": hangs,
    "resets": resets,
    "not HTTP": says("220 mail.example.com ESMTP\r\n"),
    "half a header": says("HTTP/1.1 200 OK\r\nContent-"),
    "half a body": says('HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"MessageId": "x"'),
    "bad chunks": says("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    "bad gzip": says("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"),
    "rubbish": says("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
    "another object": says('HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{"ok": true}'),
    "an error": says("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"),
    "a gateway": says("HTTP/1.1 504 Gateway Timeout\r\nContent-Length: 0\r\n\r\n"),
}


@pytest.mark.server
@pytest.mark.parametrize("script", FAULTS.values(), ids=FAULTS)
def test_what_was_said_and_not_answered_is_in_doubt(script: Callable[[Line], None], write: Write) -> None:
    """
    Nothing is raised, and nothing is said a second time.
    """
    with ScriptedServer(script) as server:
        with sending(f"http://{server.address}", timeout=timedelta(seconds=0.3)) as backend:
            assert DOUBT == end(backend.send(write()))
        assert server.connections == 1


@pytest.mark.server
def test_what_is_taken_too_late_is_in_doubt_and_said_once(write: Write) -> None:
    """
    SES took it after we had stopped waiting.
    """
    gone, said = Event(), []

    def late(line: Line) -> None:
        said.append(hear_request(line))
        gone.wait(10)
        line.say("HTTP/1.1 200 OK")

    with ScriptedServer(late) as server:
        with sending(f"http://{server.address}", timeout=timedelta(seconds=0.3)) as backend:
            receipt = backend.send(write())
        gone.set()
    assert DOUBT == end(receipt)
    assert len(said) == 1


@pytest.mark.server
def test_a_redirect_is_not_followed(write: Write) -> None:
    """
    What is signed for one host is not shown to another.
    """
    with site(accept) as other, site(lambda _: (307, {"location": other.url}, b"")) as ses, sending(ses.url) as backend:
        assert LATER == end(backend.send(write()))
        assert other.heard == []


@pytest.mark.server
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_what_was_not_said_is_said_again_later(scheme: str, write: Write) -> None:
    """
    Where nobody listens, or nobody who speaks TLS.
    """
    with ScriptedServer(lambda line: line.say("220 no TLS here")) as server:
        address = server.address
        if scheme == "https":
            with sending(f"https://{address}") as backend:
                assert LATER == end(backend.send(write()))
    if scheme == "http":
        with sending(f"http://{address}") as backend:
            assert LATER == end(backend.send(write()))


@pytest.mark.server
def test_a_connection_is_used_again(write: Write) -> None:
    """
    By a message after the other.
    """
    with site(accept) as ses, sending(ses.url) as backend:
        assert {Outcome.ACCEPTED} == {backend.send(write()).outcome for _ in range(5)}
        assert (ses.connections, len(ses.heard)) == (1, 5)


@pytest.mark.server
def test_a_connection_that_is_closed_after_an_answer_is_replaced(write: Write) -> None:
    """
    Whether the server says that it will close it or not.
    """

    def closing(line: Line) -> None:
        taken(line, "connection: close")

    with ScriptedServer(closing) as server, sending(f"http://{server.address}") as backend:
        assert [Outcome.ACCEPTED] * 3 == [backend.send(write()).outcome for _ in range(3)]
        assert server.connections == 3


# ---- many at once


def batch(write: Write, count: int) -> list[Message]:
    return [write(id=f"{number:032x}", to=f"ada{number}@example.com") for number in range(count)]


@pytest.mark.server
def test_a_batch_is_said_in_order_and_over_a_few_connections(write: Write) -> None:
    """
    Each message once, and each receipt at the place of its message.
    """

    def answer(heard: Heard) -> tuple[int, dict[str, str], bytes]:
        (address,) = json.loads(heard.body)["Destination"]["ToAddresses"]
        return 200, {}, json.dumps({"MessageId": address.partition("@")[0]}).encode()

    with site(answer) as ses, sending(ses.url, connections=4) as backend:
        receipts = backend.send_all(batch(write, 40))
        assert backend.send_all([]) == []
        assert 1 <= ses.connections <= 4
    assert [f"ada{number}" for number in range(40)] == [receipt.provider_id for receipt in receipts]
    assert len(ses.heard) == 40


@pytest.mark.server
def test_after_a_throttle_the_rest_is_not_said(write: Write) -> None:
    """
    It waits as long as SES asked.
    """
    with site(lambda _: accept(_) if len(ses.heard) <= 3 else (429, {"retry-after": "9"}, b"")) as ses:  # noqa: SIM117
        with sending(ses.url, connections=1) as backend:
            receipts = backend.send_all(batch(write, 10))
    assert [Outcome.ACCEPTED] * 3 + [Outcome.RETRY_LATER] * 7 == [receipt.outcome for receipt in receipts]
    assert {(Fault.BACKEND, timedelta(seconds=9))} == {(r.fault, r.retry_after) for r in receipts[3:]}
    assert len(ses.heard) == 4


@pytest.mark.server
def test_several_threads_stop_as_well(write: Write) -> None:
    """
    With no more said than were under way, and nothing said twice.
    """
    with site(lambda _: accept(_) if len(ses.heard) <= 20 else (429, {}, b"")) as ses:  # noqa: SIM117
        with sending(ses.url, connections=4) as backend:
            receipts = backend.send_all(batch(write, 200))
    said = [json.loads(heard.body)["EmailTags"][0]["Value"] for heard in ses.heard]
    assert len(set(said)) == len(said) <= 20 + 2 * 4
    assert {Outcome.ACCEPTED, Outcome.RETRY_LATER} == {receipt.outcome for receipt in receipts}
    accepted = {f"{number:032x}" for number, r in enumerate(receipts) if r.outcome is Outcome.ACCEPTED}
    assert accepted <= set(said)


@pytest.mark.server
def test_a_provider_that_falls_silent_does_not_take_the_batch_along(write: Write) -> None:
    """
    Otherwise every message of it would be in doubt, and nobody would say them again.
    """
    with ScriptedServer(taken, hangs) as server:  # noqa: SIM117
        with sending(f"http://{server.address}", timeout=timedelta(seconds=2), connections=1) as backend:
            receipts = backend.send_all(batch(write, 8))
    assert [Outcome.ACCEPTED, Outcome.IN_DOUBT] == [receipt.outcome for receipt in receipts][:2]
    assert {LATER} == {end(receipt) for receipt in receipts[2:]}


@pytest.mark.server
def test_a_message_that_cannot_be_said_does_not_keep_the_others(write: Write) -> None:
    """
    It is refused in its place.
    """
    messages = batch(write, 3)
    messages[1] = attrs.evolve(messages[1], channel=Channel.SMS)
    with site(accept) as ses, sending(ses.url) as backend:
        receipts = backend.send_all(messages)
    assert [Outcome.ACCEPTED, Outcome.REFUSED, Outcome.ACCEPTED] == [receipt.outcome for receipt in receipts]
    assert receipts[1].fault is Fault.MESSAGE


# ---- moto's server


@pytest.fixture(scope="module")
def moto(needs_server: None) -> Iterator[Moto]:
    """
    A server that knows the sender, and checks signatures where a test asks for it.
    """
    with moto_server() as server:
        yield server


@pytest.fixture
def verified(moto: Moto) -> Iterator[Moto]:
    """
    The server, empty but for the sender's domain.
    """
    moto.post("/moto-api/reset")
    moto.client("sesv2").create_email_identity(EmailIdentity="acme.example.com")
    yield moto
    moto.post("/moto-api/reset-auth", "inf")


@pytest.fixture
def strict(verified: Moto) -> Credentials:
    """
    The only credentials that the server lets in.
    """
    iam = verified.client("iam")
    iam.create_user(UserName="mailer")
    key = iam.create_access_key(UserName="mailer")["AccessKey"]
    statement = {"Effect": "Allow", "Action": "ses:*", "Resource": "*"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_user_policy(UserName="mailer", PolicyName="send", PolicyDocument=document)
    verified.post("/moto-api/reset-auth", "0")
    return Credentials(access_key=key["AccessKeyId"], secret_key=key["SecretAccessKey"])


def test_the_signature_is_checked_and_holds(verified: Moto, strict: Credentials, write: Write) -> None:
    """
    By somebody else's code. Tags and a configuration set do not disturb it.
    """
    with sending(verified.url, credentials=strict, configuration_set="optly") as backend:
        receipt = backend.send(write(contact=CONTACT, subject="Ŵ €", html="<p>Hello"))
    assert Outcome.ACCEPTED is receipt.outcome
    assert receipt.provider_id


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"secret_key": "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"}, "SignatureDoesNotMatch"),
        ({"access_key": "AKIAUNKNOWN"}, "InvalidClientTokenId"),
    ],
)
def test_a_signature_that_does_not_hold_burns_no_message(
    wrong: dict[str, str], said: str, verified: Moto, strict: Credentials, write: Write
) -> None:
    """
    Somebody has to mend it, and the message waits.
    """
    with sending(verified.url, credentials=attrs.evolve(strict, **wrong)) as backend:
        receipt = backend.send(write())
    assert LATER == end(receipt)
    assert receipt.code == 403
    assert said in receipt.reply


def test_a_sender_that_is_not_verified_burns_no_message(verified: Moto, write: Write) -> None:
    """
    Neither that.
    """
    with sending(verified.url, sender="Acme <hello@other.example.com>") as backend:
        receipt = backend.send(write())
    assert LATER == end(receipt)
    assert receipt.code == 400


@pytest.mark.server
def test_the_server_gets_what_was_built(verified: Moto, write: Write) -> None:
    """
    Byte for byte, the headers that show the unsubscribe button included.
    """
    message = write(
        contact=CONTACT,
        subject="Grüße ŵ 漢",
        text="Hello\n.\nFrom you\n" + "é" * 2000,
        html="<p>Hello ŵ</p>",
        headers={
            "List-Unsubscribe": "<https://acme.example.com/my/stop/" + "x" * 200 + ">",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        },
    )
    with sending(verified.url) as backend:
        receipt = backend.send(message)
    (kept,) = verified.data("ses", "RawMessage")
    raw = kept["raw_data"].encode()
    (date,) = re.findall(rb"^Date: (.*)\r$", raw, re.MULTILINE)
    expected = attrs.evolve(
        message, headers={**message.headers, "X-Optly-Message": message.id, "X-Optly-Contact": CONTACT}
    )
    at = parsedate_to_datetime(date.decode())
    assert mime.build(expected, mime.Sender.parse(SENDER), at=at).content == raw
    assert kept["id"] == receipt.provider_id
    assert kept["source"] == "hello@acme.example.com"


@pytest.mark.server
class TestSESBackend(BatchContract, WebhookContract, BackendContract):
    secrets = (KEYS.access_key, KEYS.secret_key, "t0ken", "a-shared-secret-of-eventbridge")

    settings: ClassVar[dict[str, Any]] = {
        "credentials": attrs.evolve(KEYS, token="t0ken"),
        "secrets": ["a-shared-secret-of-eventbridge"],
    }

    @pytest.fixture
    def backend(self, verified: Moto) -> Iterator[SESBackend]:
        with sending(verified.url, **self.settings) as backend:
            yield backend

    @pytest.fixture
    def cut_off(self) -> SESBackend:
        with ScriptedServer() as server:
            pass
        return SESBackend(REGION, sender=SENDER, endpoint=f"http://{server.address}", **self.settings)

    def test_it_takes_batches_and_hears(self, backend: SESBackend) -> None:
        """
        As the protocols have it.
        """
        assert isinstance(backend, BatchBackend)
        assert isinstance(backend, WebhookBackend)

    def test_nobody_elses_log_shows_a_secret(
        self, backend: SESBackend, cut_off: SESBackend, write: Write, caplog: pytest.LogCaptureFixture
    ) -> None:
        """
        Not even the most talkative one, of botocore or of what speaks HTTP.
        """
        caplog.set_level(logging.DEBUG)
        message = write()
        shown = repr([backend.send(message), cut_off.send(message), vars(backend), vars(cut_off)])
        shown += repr([vars(record) for record in caplog.records])
        call = build(backend._account, message, at=AT)
        assert call is not None
        shown += repr([call, sign(call, KEYS, service="ses", region=REGION, at=AT)])
        for hidden in (*self.secrets[1:], message.to):
            assert hidden not in shown
