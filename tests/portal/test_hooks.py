"""
The webhooks of backends, mounted with the pages.
"""

from __future__ import annotations

from datetime import datetime
from http import HTTPStatus
from typing import Any

import httpx
import pytest
from world import PHONE, World, world

from optly import Channel
from optly.backends import MemoryBackend
from optly.errors import StorageUnavailableError
from optly.messages import InboundMessage
from optly.protocols import Commit, Webhook
from optly.protocols.http import Request, Response
from optly.results import Effect, Received
from optly.storage import MemoryStorage


class Hearing(MemoryBackend):
    """
    Takes each line of a body for a text from Ada, unless it is signed wrongly.
    """

    def webhook(self, request: Request, *, now: datetime) -> Webhook:
        if request.query != "signed":
            return Webhook(response=Response(status=HTTPStatus.FORBIDDEN, headers=(), body=b"who are you?"))
        events = tuple(
            InboundMessage(
                id=line, backend=self.name, channel=Channel.SMS, sender=PHONE, text=line.partition(" ")[2], at=now
            )
            for line in request.body.decode().splitlines()
        )
        return Webhook(
            response=Response(status=HTTPStatus.OK, headers=(("x-said", "thanks"),), body=b"ok"), events=events
        )


class Failing(MemoryStorage):
    """
    Cannot be written to once it was told so.
    """

    failing = False

    def append(self, commits: Any) -> None:
        if self.failing and len(commits) and isinstance(commits[0], Commit):
            raise StorageUnavailableError("the database is away")
        super().append(commits)


@pytest.fixture
def w() -> World:
    return world(Failing(), backends=[Hearing(channel=Channel.SMS, name="texts"), MemoryBackend(name="emails")])


def client(w: World, **settings: Any) -> httpx.Client:
    transport = httpx.WSGITransport(app=w.manager.portal(**settings).wsgi())
    return httpx.Client(transport=transport, base_url="https://acme.example.com/my")


def test_what_a_provider_tells_is_on_record_before_it_is_answered(w: World) -> None:
    """
    And the host is told of each event, with what it led to.
    """
    ada = w.add()
    told: list[Received] = []
    with client(w, on_received=told.append) as http:
        answer = http.post("/hooks/texts?signed", content="1 hello\n2 STOP")
    assert (200, b"ok", "thanks") == (answer.status_code, answer.content, answer.headers["x-said"])
    assert [(Effect.KEPT, ada), (Effect.STOPPED, ada)] == [(each.effect, each.contact) for each in told]
    assert not w.allowed(Channel.SMS)
    assert list(w.manager.webhooks) == ["texts"]


def test_what_is_not_from_the_provider_does_nothing(w: World) -> None:
    """
    The backend says so, and its answer is given.
    """
    ada = w.add()
    before = w.manager.history(ada)
    with client(w) as http:
        answer = http.post("/hooks/texts", content="1 STOP")
    assert (403, b"who are you?") == (answer.status_code, answer.content)
    assert before == w.manager.history(ada)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/hooks/texts?signed", 405),
        ("HEAD", "/hooks/texts?signed", 405),
        ("PUT", "/hooks/texts?signed", 405),
        ("POST", "/hooks/emails", 404),  # a backend that hears nothing
        ("POST", "/hooks/nobody", 404),
        ("POST", "/hooks", 404),
        ("POST", "/hooks/texts/more", 404),
    ],
)
def test_there_is_nothing_else_to_hear(w: World, method: str, path: str, status: int) -> None:
    """
    Nor is anything said to a method that should change nothing.
    """
    with client(w) as http:
        assert http.request(method, path).status_code == status


def test_a_provider_comes_again_when_the_store_is_away(w: World) -> None:
    """
    Nothing is lost, and what was recorded before counts once.
    """
    ada = w.add()
    assert isinstance(w.storage, Failing)
    with client(w) as http:
        assert http.post("/hooks/texts?signed", content="1 hello").status_code == 200
        w.storage.failing = True
        answer = http.post("/hooks/texts?signed", content="1 hello\n2 STOP")
        assert 503 == answer.status_code
        assert answer.headers["retry-after"]
        w.storage.failing = False
        assert w.allowed(Channel.SMS) is False
        assert http.post("/hooks/texts?signed", content="1 hello\n2 STOP").status_code == 200
    assert len(w.manager.history(ada)) == 3 + 2


def test_a_host_that_fails_has_the_provider_come_again(w: World) -> None:
    """
    The stop is on record already. What went wrong is not told to whoever asks.
    """
    w.add()

    def fail(_received: Received) -> None:
        raise RuntimeError("a secret of the host")

    with client(w, on_received=fail) as http:
        answer = http.post("/hooks/texts?signed", content="1 STOP")
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert not w.allowed(Channel.SMS)


def test_more_than_a_form_is_heard(w: World) -> None:
    """
    What a provider tells may be longer than what a browser sends.
    """
    w.add()
    with client(w) as http:
        assert http.post("/hooks/texts?signed", content="1 " + "x" * 100_000).status_code == 200
