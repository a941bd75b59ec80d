"""
Whatever comes over the wire, in five hosts: never an error of ours, never a change by looking, no personal data in what
refuses.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from copy import deepcopy
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote_from_bytes

import attrs
import pytest
from backends.twilio_peers import ACCOUNT, TOKEN
from contrib import django_site
from django.core.wsgi import get_wsgi_application
from fastapi import FastAPI
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from portal.sessions import digits_in
from thorough import examples
from world import ACME, EMAIL, PHONE, PURPOSES, world

from optly import Channel, ConsentManager
from optly.backends import MemoryBackend, SESBackend, TwilioBackend
from optly.backends.ses import Credentials
from optly.contrib.django import get_manager
from optly.contrib.fastapi import mount
from optly.contrib.flask import FlaskOptly
from optly.portal import Limits
from optly.portal.cookies import cookie_name, csrf_of
from optly.protocols import Webhook, WebhookBackend
from optly.protocols.http import Request

pytestmark = pytest.mark.slow

NAME = "Ada Lovelace"
SECRETS: Final = [secret.encode() for secret in (NAME, EMAIL, PHONE, "Traceback")]
ORIGIN = "https://acme.example.com"
PAGES: Final[Mapping[str, Any]] = {
    "api": True,
    "hold_yes_within": None,
    "limits": Limits(**{field.name: None for field in attrs.fields(Limits)}),
}


class Hearing(MemoryBackend):
    """
    Sends nothing, and reads what a provider reports as the real backend does.
    """

    def __init__(self, channel: Channel, real: WebhookBackend) -> None:
        super().__init__(channel=channel, name=real.name)
        self.real = real

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        return self.real.webhook(request, now=now)


def backends() -> list[Hearing]:
    keys = Credentials(access_key="AKIDEXAMPLE", secret_key="wJalrXUtnFEMI")
    topics = ["arn:aws:sns:eu-west-2:123456789012:optly"]
    return [
        Hearing(
            Channel.EMAIL, SESBackend("eu-west-2", sender="hello@acme.example.com", credentials=keys, topics=topics)
        ),
        Hearing(
            Channel.SMS, TwilioBackend(ACCOUNT, TOKEN, sender="+447700900123", webhook_url=f"{ORIGIN}/my/hooks/twilio")
        ),
    ]


# ---- the hosts


@attrs.frozen
class Sent:
    """
    A request as a server hands it on.

    Attributes:
        length: What the header says of the length of the body; None for no header.
        cut: Whether the client goes away before the end.
    """

    method: str
    path: bytes
    query: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    length: str | None
    cut: bool
    remote: str


@attrs.frozen
class Got:
    """
    What comes back; status 0 if the client was gone.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class CutOff(io.BytesIO):
    """
    A body whose client goes away.
    """

    def read(self, *_: Any) -> bytes:
        raise ConnectionResetError


def over_wsgi(application: Any, sent: Sent) -> Got:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": sent.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": sent.path.decode("latin-1"),
        "QUERY_STRING": sent.query.decode("latin-1"),
        "SERVER_NAME": "acme.example.com",
        "SERVER_PORT": "443",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": sent.remote,
        "HTTP_HOST": "testserver",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "https",
        "wsgi.input": CutOff() if sent.cut else io.BytesIO(sent.body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in sent.headers:
        key = name.decode("latin-1").upper().replace("-", "_")
        environ[key if key == "CONTENT_TYPE" else f"HTTP_{key}"] = value.decode("latin-1")
    if sent.length is not None:
        environ["CONTENT_LENGTH"] = sent.length
    begun: list[Any] = []
    parts = application(environ, lambda status, headers, *_: begun.append((status, headers)))
    body = b"".join(parts)
    getattr(parts, "close", lambda: None)()
    ((status, headers),) = begun
    assert all(type(text) is str for pair in headers for text in pair)
    return Got(int(status[:3]), headers, body)


def over_asgi(application: Any, sent: Sent) -> Got:
    length = () if sent.length is None else ((b"content-length", sent.length.encode()),)
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": sent.method,
        "scheme": "https",
        "path": sent.path.decode("utf-8", "surrogateescape"),
        "raw_path": quote_from_bytes(sent.path).encode(),
        "query_string": sent.query,
        "root_path": "",
        "headers": [*sent.headers, *length],
        "client": (sent.remote, 1) if sent.remote else None,
        "server": ("acme.example.com", 443),
    }
    half = len(sent.body) // 2
    parts = [
        {"type": "http.request", "body": sent.body[:half], "more_body": True},
        {"type": "http.disconnect"} if sent.cut else {"type": "http.request", "body": sent.body[half:]},
    ]
    heard: list[Any] = []

    async def receive() -> Any:
        return parts.pop(0) if parts else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        heard.append(message)

    asyncio.run(application(scope, receive, send))
    if not heard:
        assert sent.cut
        return Got(0, [], b"")
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in heard[0]["headers"]]
    return Got(heard[0]["status"], headers, b"".join(message.get("body", b"") for message in heard[1:]))


@attrs.frozen
class Stage:
    """
    A host with one person on record.
    """

    manager: ConsentManager
    emails: Hearing
    ask: Callable[[Sent], Got]


@contextmanager
def staged(host: Callable[[ConsentManager], Any] | None) -> Iterator[Stage]:
    """
    Set a stage in a host; None is Django.
    """
    emails, texts = backends()
    if host is None:
        with django_site.opened(BACKENDS=[emails, texts], ORGANISATION=attrs.asdict(ACME), PORTAL=dict(PAGES)):
            application = get_wsgi_application()
            yield Stage(get_manager(), emails, lambda sent: over_wsgi(application, sent))
        return
    manager = world(backends=[emails, texts], purposes=PURPOSES).manager
    application = host(manager)
    over = over_asgi if host in (plain_asgi, fastapi) else over_wsgi
    yield Stage(manager, emails, lambda sent: over(application, sent))


def plain_wsgi(manager: ConsentManager) -> Any:
    return manager.portal(**PAGES).wsgi()


def plain_asgi(manager: ConsentManager) -> Any:
    return manager.portal(**PAGES).asgi()


def flask(manager: ConsentManager) -> Any:
    app = Flask("host")
    app.config.update(OPTLY_MANAGER=manager, OPTLY_PORTAL=dict(PAGES))
    FlaskOptly(app)
    return app.wsgi_app


def fastapi(manager: ConsentManager) -> Any:
    app = FastAPI()
    mount(app, manager, **PAGES)
    return app


HOSTS = {"django": None, "flask": flask, "fastapi": fastapi, "wsgi": plain_wsgi, "asgi": plain_asgi}


# ---- the requests

junk = st.one_of(
    st.binary(max_size=24),
    st.text(max_size=12).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.sampled_from([b"\xed\xa0\x80", b"%", b"%zz", b"\xff", b"..", b"//", b"\x00", b"a" * 5000, b"%00", b"\xc3\x28"]),
)
in_header = junk.map(lambda raw: raw.translate(None, b"\r\n\0"))
METHODS = ["GET", "HEAD", "OPTIONS", "POST", "POST", "POST", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "get", "X-Y"]
LOOKING = ("GET", "HEAD", "OPTIONS", "TRACE")
BELOW = ["", "/confirm", "/stop", "/undo", "/complaint", "/code", "/code/again", "/details", "/history", "/copy"]
IN_A_SESSION = ["/stay", "/finish", "/name", "/email", "/phone", "/address", "/language", "/email/code", "/phone/code"]
CALLS = [
    "/me",
    "/me/answers",
    "/me/stop",
    "/me/undo",
    "/me/codes",
    "/me/session",
    "/me/details",
    "/me/email",
    "/new-link",
]
CALLS += ["/me/history", "/me/copy", "/me/complaints", "/stop-link", "/openapi.json", "/nothing", "/me/email/proof"]
TYPES = [
    b"application/x-www-form-urlencoded",
    b"application/x-www-form-urlencoded; charset=utf-16",
    b"application/json",
    b"application/json; charset=\xff",
    b"multipart/form-data; boundary=b",
    b"multipart/form-data; boundary=" + b"b" * 300,
    b"multipart/form-data",
    b"text/plain",
    b"",
]
HEADERS = [b"origin", b"sec-fetch-site", b"accept-language", b"x-forwarded-for", b"x-twilio-signature", b"referer"]
HEADERS += [b"x-amz-sns-message-type", b"expect", b"transfer-encoding", b"x-forwarded-prefix"]
FORMS = [b"value", b"digits", b"text", b"address", b"stop", b"csrf", b"email-offers", b"From", b"MessageSid", b"Type"]
PART = b'--b\r\nContent-Disposition: form-data; name="value"\r\n\r\n'


@st.composite
def bodies(draw: st.DrawFn, csrf: bytes) -> bytes:
    fields = draw(st.lists(st.tuples(st.sampled_from(FORMS), junk.map(quote_from_bytes)), max_size=4))
    form = b"&".join(name + b"=" + value.encode() for name, value in [*fields, (b"csrf", csrf.decode())])
    body: bytes = draw(
        st.one_of(
            st.just(form),
            junk,
            junk.map(lambda raw: PART + raw + b"\r\n--b--\r\n"),
            junk.map(lambda raw: PART + raw),
            st.recursive(
                st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=9)),
                lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
                max_leaves=9,
            ).map(lambda value: repr(value).replace("'", '"').replace("None", "null").encode("utf-8", "surrogatepass")),
            st.sampled_from(
                [b"[" * 5000, b'{"value":' * 900, b'{"digits": "\\ud800"}', b"\xff\xfe{}", b"a=b&" * 70000]
            ),
        )
    )
    return body


@st.composite
def requests(draw: st.DrawFn, code: str, token: str, session: str, cookie: str) -> Sent:
    """
    A request for any route, with what belongs there or anything else.
    """
    known = [f"/l/{code}{below}" for below in BELOW]
    known += [f"/me{below}" for below in [*BELOW, *IN_A_SESSION]]
    known += [
        f"/u/{token}",
        "/",
        "",
        "/help",
        "/new-link",
        "/static/optly.css",
        "/hooks/twilio",
        "/hooks/ses",
        "/hooks/x",
    ]
    known += [f"/api{call}" for call in CALLS]
    route = st.sampled_from(known).map(str.encode)
    path = draw(st.sampled_from([b"/my", b"/my", b"/my", b"/my", b"", b"//my", b"/MY"])) + draw(
        st.one_of(
            route, route, route, st.tuples(route, junk).map(b"/".join), st.tuples(route, junk).map(b"".join), junk
        )
    )
    sent = draw(
        st.lists(
            st.tuples(
                st.sampled_from(HEADERS),
                st.one_of(in_header, st.sampled_from([ORIGIN.encode(), b"same-origin", b"null", b"cy;q=x, *"])),
            ),
            max_size=3,
        )
    )
    if draw(st.booleans()):
        sent.append((b"cookie", f"{cookie}={session}".encode() if draw(st.booleans()) else draw(in_header)))
    if draw(st.booleans()):
        bearer = draw(st.sampled_from([code, token, session]).map(str.encode) | in_header)
        sent.append((b"authorization", b"Bearer " + bearer))
    sent.append((b"content-type", draw(st.sampled_from(TYPES) | in_header)))
    body = draw(bodies(csrf_of(session).encode()))
    right = str(len(body))
    lengths = [right, right, right, right, None, "", "-1", "0", "7", "1e9", "9" * 40, "٣", " 7 ", "0x7", "+7"]
    return Sent(
        method=draw(st.sampled_from(METHODS)),
        path=path,
        query=draw(
            st.one_of(st.just(b""), st.sampled_from([b"lang=cy", b"before=9", b"&" * 99, b"lang=%ED%A0%80"]), junk)
        ),
        headers=tuple(sent),
        body=body,
        length=draw(st.sampled_from(lengths)),
        cut=draw(st.integers(0, 19)) == 0,
        remote=draw(st.sampled_from(["192.0.2.1", "", "::1", "unix:", "\udcff"])),
    )


def on_record(manager: ConsentManager) -> Any:
    """
    Return a copy of all that is stored, but for what counts how often something was tried.
    """
    state = deepcopy(manager._storage._state)  # type: ignore[attr-defined]
    state.counters.clear()
    return state


@pytest.mark.parametrize("host", HOSTS)
@given(data=st.data())
@settings(max_examples=examples(50), suppress_health_check=list(HealthCheck))
def test_no_host_answers_anything_with_an_error_of_ours(host: str, data: st.DataObject) -> None:
    """
    Every route there is, and others: odd methods, paths, encodings, lengths, bodies and types, half characters and
    clients that go away.
    """
    with staged(HOSTS[host]) as stage:
        manager = stage.manager
        ada = manager.add_contact(name=NAME, email=EMAIL, phone=PHONE)
        code = manager.link(ada).rpartition("/")[2]
        token = manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").rpartition("/")[2]
        session = manager.self_service.request_code(code)
        if data.draw(st.booleans()):
            manager.deliver()
            session = manager.self_service.step_up(session, digits_in(stage.emails.outbox)[-1])
        for _ in range(4):
            sent = data.draw(requests(code, token, session, cookie_name(manager.pages)))
            before = on_record(manager)
            got = stage.ask(sent)
            assert got.status < 500
            if sent.method in LOOKING:
                assert before == on_record(manager)
            if got.status >= 400:
                assert [] == [secret for secret in SECRETS if secret in got.body]
            for name, value in got.headers:
                assert f"{name}: {value}".isprintable()
