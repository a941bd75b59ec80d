"""
Calling a provider: over what, and what is written down of it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from optly.backends._http import Answer, Call, Caller, NotSentError


class Handler(BaseHTTPRequestHandler):
    """
    Answers with the target it was asked for.
    """

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        """
        Say nothing.
        """


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def caller() -> Iterator[Caller]:
    made = Caller(timeout=timedelta(seconds=5))
    yield made
    made.close()


@pytest.mark.server
def test_no_address_that_is_called_reaches_a_log(url: str, caller: Caller, caplog: pytest.LogCaptureFixture) -> None:
    """
    Whatever a host logs: a number may stand in the query.
    """
    caplog.set_level(0)
    answer = caller.call(Call(method="GET", url=f"{url}/x?To=%2B447911123456"))
    assert (200, b"/x?To=%2B447911123456") == (answer.status, answer.body)
    assert "447911123456" not in caplog.text + repr(caplog.records)
    assert "447911123456" not in "".join(str(vars(record)) for record in caplog.records)
    assert logging.getLogger("httpx").level == logging.NOTSET


@pytest.mark.server
def test_a_proxy_is_taken_from_the_environment(url: str, caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    It is asked for the whole address; and not where the environment says so.
    """
    monkeypatch.setenv("http_proxy", url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert caller.call(Call(method="GET", url="http://provider.example.com/x")).body == b"http://provider.example.com/x"
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert caller.call(Call(method="GET", url=f"{url}/y")).body == b"/y"


@pytest.mark.server
def test_it_works_again_after_it_was_closed(url: str, caller: Caller) -> None:
    """
    Over a new connection.
    """
    for _ in range(2):
        assert isinstance(caller.call(Call(method="GET", url=url)), Answer)
        caller.close()


@pytest.mark.parametrize(
    "address",
    [pytest.param("http://127.0.0.1:1/", marks=pytest.mark.server), "ftp://127.0.0.1/", "http://[/", "nonsense"],
)
def test_what_cannot_be_reached_was_not_sent(caller: Caller, address: str) -> None:
    """
    Nothing of it can have been heard, and the error does not repeat it.
    """
    with pytest.raises(NotSentError) as caught:
        caller.call(Call(method="GET", url=address + "?secret"))
    assert "secret" not in str(caught.value)
