"""
The pages are the same behind any server, under any mount, and a server cannot be made to read without end.
"""

from __future__ import annotations

import asyncio
import io
import logging
from http import HTTPStatus
from typing import Any
from wsgiref.util import setup_testing_defaults, shift_path_info
from wsgiref.validate import validator

import httpx
import pytest
from portal.servers import asgi_server, wsgi_server
from portal.visitor import FORM, Acme, Visitor
from uvicorn.logging import AccessFormatter
from world import EMAIL_OFFERS, SMS_OFFERS

from optly.portal import RedactLinks, Request, Response
from optly.portal.asgi import asgi_application
from optly.portal.http import MAX_BODY, MAX_READ
from optly.portal.wsgi import wsgi_application

EMPTY = Response(status=HTTPStatus.OK, headers=(), body=b"")


# ---- WSGI


def environ(method: str = "GET", path: str = "/help", **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "/my",
        "QUERY_STRING": "",
        **more,
    }
    setup_testing_defaults(made)
    return made


def call(application: Any, env: dict[str, Any]) -> tuple[str, dict[str, str], bytes]:
    """
    Call a WSGI application as the standard's own validator wants it called.
    """
    started: list[Any] = []

    def start_response(status: str, headers: Any, exc_info: Any = None) -> Any:
        started.extend((status, dict(headers)))
        return io.BytesIO().write

    body = validator(application)(env, start_response)
    try:
        return started[0], started[1], b"".join(body)
    finally:
        body.close()  # type: ignore[attr-defined]


def test_the_wsgi_application_keeps_to_the_standard(acme: Acme, visitor: Visitor) -> None:
    """
    As its validator sees it, for pages, forms and refusals.
    """
    application = acme.manager.portal(hold_yes_within=None).wsgi()
    code = acme.ask()
    form = b"email-offers=no"
    for method, path, body in [
        ("GET", f"/l/{code}", b""),
        ("HEAD", f"/l/{code}", b""),
        ("POST", f"/l/{code}", form),
        ("GET", f"/l/{code}", b""),
        ("POST", "/nothing", b"a=b"),
        ("DELETE", "/help", b""),
    ]:
        env = environ(method, path, CONTENT_TYPE=FORM[1], CONTENT_LENGTH=str(len(body)))
        env["wsgi.input"] = io.BytesIO(body)
        status, headers, sent = call(application, env)
        assert len(sent) == (0 if method == "HEAD" else int(headers["content-length"]))
        assert status.partition(" ")[2]
    assert acme.answers() == {EMAIL_OFFERS: False, SMS_OFFERS: None}


def seen_by_wsgi(env: dict[str, Any], mount: str = "/my") -> Request:
    """
    Return what the pages get of a WSGI environment.
    """
    got: list[Request] = []

    def answer(request: Request) -> Response:
        got.append(request)
        return EMPTY

    wsgi_application(answer, mount)(env, lambda *_: print)
    return got[0]


@pytest.mark.parametrize(
    ("script_name", "path_info", "mount", "expected"),
    [
        ("/my", "/l/x", "/my", "/l/x"),
        ("/l", "/l/x", "/l", "/l/x"),
        ("", "/my/l/x", "/my", "/l/x"),
        ("", "/l/x", "/my", "/l/x"),
        ("", "/l/x", "", "/l/x"),
        ("/my", "", "/my", "/"),
        ("/api", "/my/l/x", "/api/my", "/l/x"),
        ("/my", "/l/\u00c3\u00a9", "/my", "/l/é"),
        ("/my", "/l/\u00ff", "/my", "/l/\ufffd"),
    ],
)
def test_wsgi_paths(script_name: str, path_info: str, mount: str, expected: str) -> None:
    """
    A mount is gone from the path already; without one the base address says where the pages begin.
    """
    env = environ(path=path_info, SCRIPT_NAME=script_name)
    assert expected == seen_by_wsgi(env, mount).path


def test_wsgi_headers_and_address() -> None:
    """
    Names are written as they are sent, and the address is that of the connection.
    """
    env = environ(
        HTTP_SEC_FETCH_SITE="none", HTTP_X_FORWARDED_FOR="203.0.113.9", CONTENT_TYPE="text/x", REMOTE_ADDR="192.0.2.1"
    )
    request = seen_by_wsgi(env)
    assert request.values("sec-fetch-site") == ("none",)
    assert request.values("content-type") == ("text/x",)
    assert request.remote_addr == "192.0.2.1"


class Endless(io.RawIOBase):
    """
    A body that never ends, and knows how much of it was asked for.
    """

    asked = 0

    def read(self, size: int = -1) -> bytes:
        assert size >= 0
        self.asked += size
        return b"a" * size


@pytest.mark.parametrize(
    ("method", "length", "terminated", "asked"),
    [
        ("POST", "10", False, 10),
        ("POST", str(10**30), False, MAX_READ + 1),
        ("POST", "", False, 0),
        ("POST", "", True, MAX_READ + 1),
        ("POST", "-1", False, 0),
        ("POST", "²", False, 0),
        ("GET", "10", False, 0),
    ],
)
def test_wsgi_reads_no_more_than_a_form(method: str, length: str, terminated: bool, asked: int) -> None:
    """
    Whatever length is claimed, and nothing at all for a page that is looked at.
    """
    body = Endless()
    env = environ(method, CONTENT_LENGTH=length)
    env |= {"wsgi.input": body, "wsgi.input_terminated": terminated}
    seen_by_wsgi(env)
    assert asked == body.asked


@pytest.mark.server
def test_a_wsgi_server_takes_an_answer() -> None:
    """
    Over a socket, under a prefix that a dispatcher takes off.
    """
    made: list[Acme] = []

    def make(base: str) -> Any:
        acme = Acme.open(f"{base}/my")
        made.append(acme)
        pages = acme.manager.portal(hold_yes_within=None).wsgi()

        def dispatch(env: Any, start_response: Any) -> Any:
            assert shift_path_info(env) == "my"
            return pages(env, start_response)

        return dispatch

    with wsgi_server(make) as base:
        (acme,) = made
        check_journey(acme, base)


# ---- ASGI


def check_journey(acme: Acme, base: str) -> None:
    """
    Answer a question, and stop with one click, through *base*.
    """
    code, token = acme.ask(), acme.token("offers")
    with httpx.Client(base_url=f"{base}/my", trust_env=False) as client:
        question = client.get(f"/l/{code}")
        assert (question.status_code, client.head(f"/l/{code}").status_code) == (200, 200)
        yes = question.text.partition('name="email-offers" id="email-offers-yes" value="')[2].partition('"')[0]
        headers = {"origin": base, "sec-fetch-site": "same-origin"}
        saved = client.post(f"/l/{code}", data={"email-offers": yes, "sms-offers": "no"}, headers=headers)
        assert saved.status_code == 303
        shown = client.get(str(httpx.URL(base).join(saved.headers["location"])))
        assert (shown.status_code, client.get(f"/l/{code}").status_code) == (200, 410)
        assert acme.answers() == {EMAIL_OFFERS: True, SMS_OFFERS: False}
        style = question.text.partition('stylesheet" href="')[2].partition('"')[0]
        assert client.get(base + style).headers["content-type"] == "text/css; charset=utf-8"
        acme.later(minutes=1)
        one_click = client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
        assert one_click.status_code == 200
        assert not one_click.cookies
        assert acme.answers()[EMAIL_OFFERS] is False
        assert client.post(f"/l/{code}", content=b"a" * (MAX_BODY + 1), headers={FORM[0]: FORM[1]}).status_code == 413


@pytest.mark.server
def test_an_asgi_server_takes_an_answer() -> None:
    """
    Over a socket, served by itself.
    """
    acme = Acme.open("http://127.0.0.1/my")
    with asgi_server(acme.manager.portal(hold_yes_within=None).asgi()) as base:
        check_journey(acme, base)


@pytest.mark.server
def test_an_asgi_server_may_have_a_root_of_its_own() -> None:
    """
    As behind a proxy that takes a prefix off.
    """
    acme = Acme.open("http://127.0.0.1/api/my")
    with asgi_server(acme.manager.portal(hold_yes_within=None).asgi(), root_path="/api") as base:
        assert httpx.get(f"{base}/my/l/{acme.myoptly()}", trust_env=False).status_code == 200


Events = list[dict[str, Any]]


def drive(scope: dict[str, Any], events: Events, mount: str = "/my") -> tuple[Events, list[Request]]:
    """
    Run an ASGI application over *events* and return what it sent and which requests the pages got.
    """
    sent: Events = []
    got: list[Request] = []
    waiting = iter(events)

    async def receive() -> Any:
        return next(waiting)

    async def send(event: Any) -> None:
        sent.append(event)

    def answer(request: Request) -> Response:
        got.append(request)
        return EMPTY

    async def run() -> None:
        await asgi_application(answer, mount)(scope, receive, send)

    asyncio.run(run())
    return sent, got


def http_scope(method: str = "POST", **more: Any) -> dict[str, Any]:
    return {"type": "http", "method": method, "path": "/my/help", "headers": [], **more}


@pytest.mark.parametrize(
    ("path", "root_path", "mount", "expected"),
    [
        ("/my/l/x", "/my", "/my", "/l/x"),
        ("/my/l/x", "/api/my", "/my", "/l/x"),
        ("/my/l/x", "/api/my", "/api/my", "/l/x"),
        ("/api/my/l/x", "/api/my", "/api/my", "/l/x"),
        ("/api/my/l/x", "/api/my", "/my", "/l/x"),
        ("/api/my/l/x", "/api", "/api/my", "/l/x"),
        ("/l/x", "/api", "", "/l/x"),
        ("/l/x", "", "/my", "/l/x"),
        ("/l/x/", "", "/my", "/l/x/"),
        ("/l/l/x", "/l", "/l", "/l/x"),
        ("/l/x", "", "", "/l/x"),
        ("/l/x", "/", "", "/l/x"),
        ("/my", "/my", "/my", "/"),
    ],
)
def test_asgi_paths(path: str, root_path: str, mount: str, expected: str) -> None:
    """
    Whatever part of the root a server leaves on.
    """
    _, got = drive(http_scope("GET", path=path, root_path=root_path), [], mount=mount)
    assert [expected] == [request.path for request in got]


def test_an_asgi_request_is_read_as_it_was_sent() -> None:
    """
    Repeats are kept, names are written small, and an address may be missing.
    """
    scope = http_scope(headers=[(b"Origin", b"a"), (b"origin", b"\xff")], query_string=b"a=b", client=("192.0.2.1", 1))
    events: Events = [
        {"type": "http.request", "body": b"a=", "more_body": True},
        {"type": "http.request", "body": b"b"},
    ]
    sent, (request,) = drive(scope, events)
    assert request.values("origin") == ("a", "\xff")
    assert (request.query, request.body, request.remote_addr) == ("a=b", b"a=b", "192.0.2.1")
    assert [event["type"] for event in sent] == ["http.response.start", "http.response.body"]
    assert drive(http_scope(client=None), [{"type": "http.request"}])[1][0].remote_addr == ""


def test_asgi_reads_no_more_than_a_form() -> None:
    """
    What comes after one byte too many is left unread.
    """
    events = ({"type": "http.request", "body": b"a" * 40_000, "more_body": True} for _ in range(7))
    _, (request,) = drive(http_scope(), list(events))
    assert len(request.body) == MAX_READ + 1


def test_a_form_that_breaks_off_is_not_taken() -> None:
    """
    Half an answer is none.
    """
    events: Events = [{"type": "http.request", "body": b"a=b", "more_body": True}, {"type": "http.disconnect"}]
    assert drive(http_scope(), events) == ([], [])


def test_asgi_servers_can_start_and_stop_the_application() -> None:
    """
    There is nothing to start, and it says so.
    """
    sent, _ = drive({"type": "lifespan"}, [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    assert [event["type"] for event in sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_a_websocket_is_turned_away() -> None:
    """
    There is none here.
    """
    sent, got = drive({"type": "websocket"}, [{"type": "websocket.connect"}])
    assert (sent[0]["type"], got) == ("websocket.close", [])


# ---- logs


@pytest.mark.server
def test_the_access_log_holds_no_link() -> None:
    """
    As uvicorn writes it, with the status and the rest of the line intact.
    """
    acme = Acme.open("http://127.0.0.1/my")
    code, token = acme.myoptly(), acme.token()
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(self.format(record))

    log = logging.getLogger("uvicorn.access")
    keep, redact = Keep(), RedactLinks()
    keep.setFormatter(AccessFormatter('%(client_addr)s "%(request_line)s" %(status_code)s', use_colors=False))
    with asgi_server(acme.manager.portal(hold_yes_within=None).asgi(), log_level="info") as base:
        log.addHandler(keep)
        log.addFilter(redact)
        try:
            for path in (f"/l/{code}?a=b", f"/l/{code}/stop", f"/u/{token}", "/help"):
                httpx.get(f"{base}/my{path}", trust_env=False)
        finally:
            log.removeFilter(redact)
            log.removeHandler(keep)
    requests = [line.partition(" ")[2] for line in lines]
    assert requests == [
        '"GET /my/l/[redacted]?a=b HTTP/1.1" 200 OK',
        '"GET /my/l/[redacted]/stop HTTP/1.1" 303 See Other',
        '"GET /my/u/[redacted] HTTP/1.1" 200 OK',
        '"GET /my/help HTTP/1.1" 200 OK',
    ]


class Atoms(dict[str, Any]):
    """
    Arguments that are looked up by name and stand for what is missing, as gunicorn passes them.
    """

    def __missing__(self, _name: str) -> str:
        return "-"


@pytest.mark.parametrize(
    ("message", "args", "expected"),
    [
        ("GET /my/l/3fk9/stop", (), "GET /my/l/[redacted]/stop"),
        ("%s %d", ("/u/WyJh.x-_y", 200), "/u/[redacted] 200"),
        (
            '%(r)s "%(f)s" %(none)s',
            (Atoms(r="GET /l/3fk9 HTTP/1.1", f="http://a/l/3fk9?x"),),
            'GET /l/[redacted] HTTP/1.1 "http://a/l/[redacted]?x" -',
        ),
        ("%s", ("/static/optly.css",), "/static/optly.css"),
        ("%s", (None,), "None"),
    ],
)
def test_links_are_redacted_wherever_a_record_has_them(message: str, args: tuple[Any, ...], expected: str) -> None:
    """
    In the message, in its arguments, and in arguments by name.
    """
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, args, None)
    assert RedactLinks().filter(record)
    assert expected == record.getMessage()
