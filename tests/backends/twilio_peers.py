"""
Twilio to test against: Prism on Twilio's own description, Twilio's own segment calculator, and a server that keeps an
account and misbehaves as told.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cache, partial
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import attrs
from processes import answers, free_port, wait_for
from services import missing, published

from optly.protocols.http import Request

ACCOUNT = "AC" + "0123456789abcdef" * 2
TOKEN = "t0ken-of-the-account"
HOOK = "https://acme.example.com/my/hooks/twilio"
MESSAGE = "SM" + "ab" * 16
CONTACT, ID = "fedcba9876543210" * 2, "0123456789abcdef" * 2
TO = "+447911123456"

_NODE_MODULES = Path(__file__).parents[2] / ".peers" / "node_modules"


def installed(package: str) -> Path:
    """
    Return where a package for Node is.
    """
    folder = _NODE_MODULES / package
    if not folder.is_dir():
        missing(package, "run tests/peers/install")
    return folder


# ---- what Twilio publishes


_MESSAGES = "/2010-04-01/Accounts/{AccountSid}/Messages.json"
_FORM = "application/x-www-form-urlencoded"


@cache
def description() -> Any:
    """
    Return Twilio's description, with what it says of fields that need each other put in words that Prism knows.

    The addresses of further pages are not held to their format, which Twilio's own examples do not keep to.
    """
    described = published("twilio_messages_openapi.json")
    post, get = (described["paths"][_MESSAGES][method] for method in ("post", "get"))
    page = get["responses"]["200"]["content"]["application/json"]["schema"]["properties"]
    for name in page:
        page[name].pop("format", None)
    form = post["requestBody"]["content"][_FORM]["schema"]
    form["allOf"] = [
        {"anyOf": [{"required": [_camel(name)]} for name in names]} for names in post["x-twilio"]["conditional"]
    ]
    return described


def _camel(name: str) -> str:
    return name.title().replace("_", "")


def form_fields() -> set[str]:
    """
    Return the fields that a new message can have.
    """
    post = description()["paths"][_MESSAGES]["post"]
    return set(post["requestBody"]["content"][_FORM]["schema"]["properties"])


def query_parameters() -> set[str]:
    """
    Return the parameters by which messages can be asked for.
    """
    get = description()["paths"][_MESSAGES]["get"]
    return {parameter["name"] for parameter in get["parameters"] if parameter["in"] == "query"}


def statuses() -> set[str]:
    """
    Return every status that a message can have.
    """
    return set(description()["components"]["schemas"]["message_enum_status"]["enum"])


@contextmanager
def prism(folder: Path) -> Iterator[str]:
    """
    Run Prism, and yield its address.
    """
    program = installed("@stoplight/prism-cli") / "dist" / "index.js"
    file = folder / "twilio.json"
    file.write_text(json.dumps(description()))
    port = free_port()
    command = ["node", str(program), "mock", str(file), "-h", "127.0.0.1", "-p", str(port), "--errors", "-v", "error"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(partial(answers, port, process))
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


_CALCULATE = """
const { SegmentedMessage } = require(process.argv[1]);
const texts = JSON.parse(require("fs").readFileSync(0, "utf8"));
const counted = texts.map((text) => {
  const message = new SegmentedMessage(text);
  const bits = message.encodingName === "GSM-7" ? 7 : 16;
  return [message.encodingName, message.messageSize / bits, message.segmentsCount];
});
process.stdout.write(JSON.stringify(counted));
"""


def calculated(texts: Sequence[str]) -> list[list[Any]]:
    """
    Return what Twilio's calculator says of each text: its encoding, its units and its parts.
    """
    package = installed("sms-segments-calculator")
    done = subprocess.run(
        ["node", "-e", _CALCULATE, str(package)],
        input=json.dumps(list(texts)).encode(),
        capture_output=True,
        check=True,
    )
    return list(json.loads(done.stdout))


# ---- a server


@attrs.frozen
class Heard:
    """
    A request as it came.
    """

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        return {name: value for name, (value,) in parse_qs(self.body.decode(), keep_blank_values=True).items()}

    @property
    def query(self) -> dict[str, str]:
        return {name: value for name, (value,) in parse_qs(urlsplit(self.target).query).items()}


# What is done about a request: bytes are sent, None ends the connection.
Reaction = Callable[[socket.socket, Heard], bytes | None]


def answer(status: int, body: object = None, **headers: str) -> bytes:
    """
    Write an answer.
    """
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(content)}", "Content-Type: application/json"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


def refusing(status: int, code: int | None, message: str = "no", **headers: str) -> Reaction:
    """
    Refuse as Twilio does.
    """
    body = {"code": code, "message": message, "more_info": f"https://x.example.com/{code}", "status": status}
    return lambda _sock, _heard: answer(status, body, **headers)


def saying(content: bytes) -> Reaction:
    """
    Send these bytes and hang up.
    """

    def react(sock: socket.socket, _heard: Heard) -> None:
        sock.sendall(content)

    return react


def resetting(sock: socket.socket, _heard: Heard) -> None:
    """
    Break the connection off.
    """
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def hanging(sock: socket.socket, _heard: Heard) -> None:
    """
    Say nothing until the other end gives up.
    """
    while sock.recv(4096):
        pass


class TwilioAccount:
    """
    Keeps what it is sent, answers as Twilio does, and lists what it has in pages of two.

    Attributes:
        heard: Every request, in the order in which they came.
        messages: What was taken.
        now: When whatever comes next is made.
    """

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.messages: list[dict[str, Any]] = []
        self.now = datetime(2026, 11, 24, 12, tzinfo=UTC)
        self._lock = Lock()

    def __call__(self, sock: socket.socket, heard: Heard) -> bytes:
        if heard.method == "POST":
            return answer(201, self.take(heard.form))
        return answer(200, self.page(heard))

    def take(self, form: dict[str, str]) -> dict[str, Any]:
        """
        Make a message.
        """
        with self._lock:
            message = {
                "account_sid": ACCOUNT,
                "body": form["Body"],
                "date_created": format_datetime(self.now),
                "date_sent": None,
                "sid": f"SM{len(self.messages):032x}",
                "status": "queued",
                "to": form["To"],
            }
            self.messages.append(message)
        return message

    def page(self, heard: Heard) -> dict[str, Any]:
        """
        List two of the messages to a number, the newest first.
        """
        query = heard.query
        found = [message for message in reversed(self.messages) if message["to"] == query["To"]]
        start = 2 * int(query.get("Page", 0))
        more = urlencode(query | {"Page": start // 2 + 1})
        uri = f"{urlsplit(heard.target).path}?{more}" if found[start + 2 :] else None
        return {"messages": found[start : start + 2], "next_page_uri": uri}


@contextmanager
def twilio(*reactions: Reaction) -> Iterator[tuple[str, TwilioAccount]]:
    """
    Run a server that reacts so to one request after the other, and then keeps to doing its job. Yield its address and
    the account it keeps.
    """
    account = TwilioAccount()
    rest = list(reactions)
    lock = Lock()
    threads: list[Thread] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve(sock: socket.socket) -> None:
        with sock, sock.makefile("rb") as reader, suppress(OSError):
            while (heard := _hear(reader)) is not None:
                with lock:
                    account.heard.append(heard)
                    reaction = rest.pop(0) if rest else account
                said = reaction(sock, heard)
                if said is None:
                    return
                sock.sendall(said)

    def accept() -> None:
        with suppress(OSError):
            while True:
                sock, _ = listener.accept()
                thread = Thread(target=serve, args=(sock,))
                threads.append(thread)
                thread.start()

    listen = Thread(target=accept)
    listen.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", account
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for thread in (listen, *threads):
            thread.join(10)


def _hear(reader: Any) -> Heard | None:
    line = reader.readline().decode()
    if not line:
        return None
    method, target, _ = line.split(" ")
    headers = {}
    while (line := reader.readline().decode().strip()) != "":
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    return Heard(method, target, headers, reader.read(int(headers.get("content-length", 0))))


# ---- what Twilio tells


def sign(token: str, url: str, said: dict[str, str]) -> str:
    """
    Sign as Twilio does.
    """
    text = url + "".join(sorted(name + value for name, value in said.items()))
    return base64.b64encode(hmac.new(token.encode(), text.encode(), hashlib.sha1).digest()).decode()


def telling(*, token: str = TOKEN, query: str = f"contact={CONTACT}&message={ID}", **fields: str | None) -> Request:
    """
    Make the request by which Twilio tells something about a message. A field that is None is left out.
    """
    known = {"AccountSid": ACCOUNT, "MessageSid": MESSAGE, "From": "+447700900123", "To": TO}
    said = {name: value for name, value in (known | fields).items() if value is not None}
    signed = sign(token, f"{HOOK}?{query}" if query else HOOK, said)
    return Request(
        method="POST",
        path="",
        query=query,
        headers=(("host", "evil.example.com"), ("x-twilio-signature", signed)),
        body=urlencode(said).encode(),
    )
