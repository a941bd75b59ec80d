"""
Whoever reads a log finds no link in it, in whatever shape a server writes one.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from portal.visitor import Acme

from optly.links import make_code
from optly.portal import RedactLinks
from optly.portal.logs import redact_links

codes = st.one_of(st.binary(min_size=16, max_size=16), st.binary(min_size=10, max_size=10)).map(make_code)
tokens = st.text(st.sampled_from("abcXYZ019-_."), min_size=20, max_size=120)
SECRET_PATHS = ("/l/", "/u/")


def written(message: Any, *args: Any) -> str:
    """
    Return what a handler writes of a record that went through the filter.
    """
    record = logging.LogRecord("x", logging.INFO, __file__, 1, message, args, None)
    assert RedactLinks().filter(record)
    return record.getMessage()


@settings(deadline=None)
@given(
    st.sampled_from(SECRET_PATHS),
    codes | tokens,
    st.sampled_from(["", "/my", "/a/b"]),
    st.sampled_from(["", "/stop", "/code", "?lang=cy", " HTTP/1.1", '" 200', "&x=1"]),
    st.booleans(),
    st.booleans(),
)
def test_no_path_that_holds_a_secret_is_written(
    path: str, secret: str, mount: str, after: str, capitals: bool, escaped: bool
) -> None:
    """
    Of whatever kind, wherever the pages are mounted, and with the strokes escaped as within another address.
    """
    secret = secret.upper() if capitals else secret
    address = f"{mount}{path}{secret}"
    expected = f"{mount}{path}[redacted]"
    if escaped:
        address, expected = quote(address, safe=""), quote(expected, safe="[]")
    assert f"GET {expected}{after}" == redact_links(f"GET {address}{after}")


def test_paths_that_hold_no_secret_are_left_alone() -> None:
    """
    A log without them would be of no use.
    """
    for line in ("GET /my/help HTTP/1.1", "/my/static/optly.1a2b.css", "/my/me/details", "/lists/3", "/api/details"):
        assert line == redact_links(line)


class Address:
    """
    What is written as an address and is none, as clients pass it to their logs.
    """

    def __str__(self) -> str:
        return "https://acme.example.com/my/l/3fk9?lang=cy"


class Unwritable:
    """
    What fails when it is written.
    """

    def __str__(self) -> str:
        raise ValueError


def test_what_is_written_as_a_link_is_taken_out() -> None:
    """
    Whether it is text, something else, or an error; and numbers stay numbers.
    """
    assert "HTTP Request: GET https://acme.example.com/my/l/[redacted]?lang=cy 200" == written(
        "HTTP Request: %s %s %d", "GET", Address(), 200
    )
    assert "no page at /u/[redacted]" == written(ValueError("no page at /u/WyJh.x-_y"))
    assert "b'/my/l/[redacted]' 0.001" == written("%s %.3f", b"/my/l/3fk9", 0.001)


def test_what_cannot_be_written_is_passed_on() -> None:
    """
    The filter never fails where the log would not have been written.
    """
    value = Unwritable()
    record = logging.LogRecord("x", logging.INFO, __file__, 1, "%s", (value,), None)
    assert RedactLinks().filter(record)
    assert (value,) == record.args


@pytest.mark.parametrize(
    ("message", "args"),
    [
        ('%s - "%s %s HTTP/%s" %d', ("127.0.0.1:5", "GET", "/my/l/3fk9?lang=cy", "1.1", 200)),  # uvicorn
        ("%s - - [%s] %s\n", ("127.0.0.1", "24/Nov/2026 12:00:00", '"GET /my/l/3fk9 HTTP/1.1" 200 -')),  # werkzeug
        ('"%s" %s %s', ("GET /my/l/3fk9/stop HTTP/1.1", "405", "1024")),  # Django's own server
        ("%s: %s", ("Method Not Allowed", "/my/l/3fk9/stop")),  # django.request
        ('%(h)s "%(r)s" %(s)s "%(f)s"', ({"h": "::1", "r": "GET /l/3fk9 HTTP/1.1", "s": 200, "f": "-"},)),  # gunicorn
    ],
    ids=["uvicorn", "werkzeug", "django.server", "django.request", "gunicorn"],
)
def test_servers_write_no_link(message: str, args: tuple[Any, ...]) -> None:
    """
    Each in the shape in which it fills its access log.
    """
    line = written(message, *args)
    assert "3fk9" not in line
    assert "/l/[redacted]" in line


@contextmanager
def werkzeug_log() -> Iterator[list[str]]:
    lines: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    log, keep = logging.getLogger("werkzeug"), Keep()
    keep.addFilter(RedactLinks())
    level, propagate = log.level, log.propagate
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(keep)
    try:
        yield lines
    finally:
        log.removeHandler(keep)
        log.setLevel(level)
        log.propagate = propagate


@pytest.mark.server
def test_a_real_werkzeug_writes_no_link() -> None:
    """
    Its log is one text that is made before the filter sees it.
    """
    from werkzeug.serving import make_server

    acme = Acme.open("http://127.0.0.1/my")
    code, token = acme.myoptly(), acme.token()
    server = make_server("127.0.0.1", 0, acme.manager.portal(hold_yes_within=None).wsgi())
    thread = Thread(target=server.serve_forever)
    with werkzeug_log() as lines:
        thread.start()
        try:
            for path in (f"/l/{code}", f"/u/{token}", f"/l%2F{code}"):
                httpx.get(f"http://127.0.0.1:{server.server_port}/my{path}", trust_env=False)
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
    assert 3 == sum("[redacted]" in line for line in lines)
    assert not any(code in line or token in line for line in lines)
