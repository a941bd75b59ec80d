"""
Amazon to test against: moto's server, a signer of notifications, and a server on which its certificate lies.
"""

from __future__ import annotations

import json
import uuid
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import attrs
import httpx
from backends.mail_servers import SENDER, Line
from botocore.session import Session
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from moto.server import ThreadedMotoServer

from optly.backends._http import Caller
from optly.backends.ses import Credentials, SESBackend
from optly.protocols.http import Request

REGION = "eu-west-2"
TOPIC = f"arn:aws:sns:{REGION}:123456789012:mail"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
KEYS = Credentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")


# ---- moto


@attrs.frozen
class Moto:
    """
    A running server.
    """

    url: str

    def client(self, service: str, **settings: str) -> Any:
        """
        Return botocore's own client for it.
        """
        keys = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
        return Session().create_client(service, region_name=REGION, endpoint_url=self.url, **keys | settings)

    def post(self, path: str, content: str = "") -> None:
        """
        Ask something of moto itself.
        """
        httpx.post(self.url + path, content=content).raise_for_status()

    def data(self, service: str, name: str) -> list[dict[str, Any]]:
        """
        Return what moto keeps.
        """
        found: list[dict[str, Any]] = httpx.get(f"{self.url}/moto-api/data.json").json().get(service, {}).get(name, [])
        return found


@contextmanager
def moto_server() -> Iterator[Moto]:
    """
    Run moto's server on a free port, with the sender of the tests verified.
    """
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        yield Moto(f"http://{host}:{port}")
    finally:
        server.stop()


# ---- a server that shows what it is told to


@attrs.define
class Heard:
    """
    A request as it came.
    """

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


Answering = Callable[[Heard], tuple[int, dict[str, str], bytes]]


@attrs.define
class Site:
    """
    A server that answers as told and keeps what it was asked.
    """

    answer: Answering
    url: str = ""
    heard: list[Heard] = attrs.field(factory=list)
    connections: int = 0


@contextmanager
def site(answer: Answering) -> Iterator[Site]:
    """
    Run such a server.
    """
    told = Site(answer)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 65536  # head and body in one packet, or the client waits for the second

        def setup(self) -> None:
            super().setup()
            told.connections += 1

        def handle_any(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            heard = Heard(self.command, self.path, headers, self.rfile.read(int(headers.get("content-length", 0))))
            told.heard.append(heard)
            status, headers, body = told.answer(heard)
            self.send_response(status)
            for name, value in {"content-length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = handle_any

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True  # a connection that is kept alive would be waited for
        block_on_close = False
        request_queue_size = 64

    server = Server(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Played(httpx.BaseTransport):
    """
    Every host at once, played without a socket: answers as told and keeps what it was asked.
    """

    def __init__(self, answer: Answering) -> None:
        self.answer = answer
        self.asked: list[str] = []
        self.heard: list[Heard] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        self.heard.append(Heard(request.method, request.url.raw_path.decode(), dict(request.headers), request.read()))
        status, headers, body = self.answer(self.heard[-1])
        return httpx.Response(status, headers=headers, content=body)


class Rerouted(httpx.BaseTransport):
    """
    Leads every request to a server of the tests, which sees the host that was meant.
    """

    def __init__(self, url: str, **headers: str) -> None:
        self._target = httpx.URL(url)
        self._headers = headers
        self._transport = httpx.HTTPTransport(verify=False)  # there is no TLS, whose setting up takes its time
        self.asked: list[str] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(str(request.url))
        request.url = request.url.copy_with(scheme="http", host=self._target.host, port=self._target.port)
        request.headers.update(self._headers)
        return self._transport.handle_request(request)

    def close(self) -> None:
        self._transport.close()


@contextmanager
def hearing(transport: httpx.BaseTransport, **settings: Any) -> Iterator[SESBackend]:
    """
    A backend that finds all of Amazon behind *transport*.
    """
    backend = SESBackend(REGION, **{"sender": SENDER, "credentials": KEYS, "topics": [TOPIC], **settings})
    caller = Caller(timeout=timedelta(seconds=5), transport=transport)
    backend._subscriber._caller = caller
    try:
        yield backend
    finally:
        backend.close()
        caller.close()


# ---- what Amazon signs


@cache
def _key(number: int) -> RSAPrivateKey:
    return generate_private_key(public_exponent=65537, key_size=2048)


@attrs.frozen
class Amazon:
    """
    Signs notifications as SNS documents it.
    """

    number: int = 0
    valid_from: datetime = NOW - timedelta(days=30)
    valid_until: datetime = NOW + timedelta(days=30)

    @property
    def certificate_url(self) -> str:
        return f"https://sns.{REGION}.amazonaws.com/SimpleNotificationService-{self.number:032x}.pem"

    def certificate(self) -> bytes:
        """
        Return what lies behind the URL.
        """
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
        builder = x509.CertificateBuilder(
            name, name, _key(self.number).public_key(), 1, self.valid_from, self.valid_until
        )
        return builder.sign(_key(self.number), SHA256()).public_bytes(Encoding.PEM)

    def shows(self, heard: Heard) -> tuple[int, dict[str, str], bytes]:
        """
        Answer a request at Amazon's host.
        """
        if heard.path == f"/SimpleNotificationService-{self.number:032x}.pem":
            return 200, {}, self.certificate()
        return (200, {}, b"<ConfirmSubscriptionResponse/>") if "ConfirmSubscription" in heard.path else (404, {}, b"")

    def notification(self, message: object, **parts: Any) -> dict[str, Any]:
        """
        Return a signed notification. What is not text is written as JSON.
        """
        return self.signed(
            {
                "Type": "Notification",
                "MessageId": str(uuid.uuid5(uuid.NAMESPACE_OID, repr(message))),
                "TopicArn": TOPIC,
                "Message": message if isinstance(message, str) else json.dumps(message),
                "Timestamp": stamp(NOW),
                **parts,
            },
            ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
        )

    def confirmation(self, kind: str = "SubscriptionConfirmation", **parts: Any) -> dict[str, Any]:
        """
        Return what SNS sends before the first notification.
        """
        topic = parts.get("TopicArn", TOPIC)
        return self.signed(
            {
                "Type": kind,
                "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
                "Token": "2336412f37",
                "TopicArn": topic,
                "Message": "You have chosen to subscribe",
                "SubscribeURL": f"https://sns.{REGION}.amazonaws.com/?Action=ConfirmSubscription&TopicArn={topic}"
                "&Token=2336412f37",
                "Timestamp": stamp(NOW),
                **parts,
            },
            ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
        )

    def signed(self, parts: dict[str, Any], order: list[str]) -> dict[str, Any]:
        parts = {"SignatureVersion": "2", "SigningCertURL": self.certificate_url, **parts}
        text = "".join(f"{name}\n{parts[name]}\n" for name in order if name in parts)
        algorithm = {"1": SHA1(), "2": SHA256()}.get(parts["SignatureVersion"], SHA256())
        signature = _key(self.number).sign(text.encode(), PKCS1v15(), algorithm)
        return {**parts, "Signature": b64encode(signature).decode()}


def stamp(at: datetime) -> str:
    """
    Return an instant as Amazon writes it, to the microsecond where there is need.
    """
    text = at.strftime("%Y-%m-%dT%H:%M:%S.%f")
    return text.removesuffix("000") + "Z"


def posted(data: object, **headers: str) -> Request:
    """
    Return *data* as it comes in.
    """
    body = data if isinstance(data, bytes) else json.dumps(data).encode()
    return Request(
        method="POST",
        path="/hooks/ses",
        headers=tuple((name.replace("_", "-"), value) for name, value in headers.items()),
        body=body,
    )


# ---- what SES says

CONTACT, MESSAGE = "c0ffee00" * 4, "0123456789abcdef" * 2


def record(kind: str, *, tags: bool = True, name: str = "eventType", **about: Any) -> dict[str, Any]:
    """
    Return a record with the fields that Amazon documents for its kind.
    """
    mail = {
        "timestamp": "2026-11-23T11:00:00.000Z",
        "source": "hello@acme.example.com",
        "messageId": "0109018b-0000",
        "destination": ["ada@example.com"],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": SENDER},
            {"name": "Message-ID", "value": f"<{MESSAGE}@acme.example.com>"},
            {"name": "X-Optly-Contact", "value": CONTACT},
        ],
        "commonHeaders": {"messageId": "0109018b-0000"},
    }
    if tags:
        mail["tags"] = {
            "ses:configuration-set": ["optly"],
            "optly-contact": [CONTACT],
            "optly-message": [MESSAGE],
        }
    return {name: kind, "mail": mail, **about}


# ---- a server that misbehaves


def hear_request(line: Line) -> bytes:
    """
    Read a request to its end and return its body.
    """
    length = 0
    line.hear("POST")
    while (header := line.hear("")) != "\r\n":
        name, _, value = header.partition(":")
        if name.lower() == "content-length":
            length = int(value)
    return line._reader.read(length)


def taken(line: Line, *headers: str) -> None:
    """
    Take a message as SES does.
    """
    hear_request(line)
    body = '{"MessageId": "0109018b-0000"}'
    for text in ("HTTP/1.1 200 OK", "content-type: application/json", f"content-length: {len(body)}", *headers, ""):
        line.say(text)
    line._sock.sendall(body.encode())
