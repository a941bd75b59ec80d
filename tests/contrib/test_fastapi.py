"""
Optly inside of FastAPI and Starlette.
"""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Annotated, Any

import pytest
from fastapi import Depends, FastAPI, Request, WebSocket
from starlette.applications import Starlette
from world import ACME, EMAIL, KEYS, PURPOSES, World, world

from optly import AsyncConsentManager, Channel, Contact, Decision
from optly.contrib.fastapi import AsyncOptlyDep, OptlyDep, any_manager, lifespan, mount, permitted
from optly.errors import ConfigurationError
from optly.storage import MemoryStorage
from optly.testing.messages import code_in

with warnings.catch_warnings():
    # It would rather have the successor of httpx, which is not among what is tested with.
    warnings.simplefilter("ignore")
    from starlette.testclient import TestClient


def twin(w: World) -> AsyncConsentManager:
    """
    Make an async manager over the same store.
    """
    return AsyncConsentManager(
        organisation=ACME,
        purposes=PURPOSES,
        storage=w.storage,
        keys=KEYS,
        base_url="https://acme.example.com/my",
        clock=w.clock,
    )


class Watched(MemoryStorage):
    """
    Knows whether it was closed.
    """

    closed = 0

    def close(self) -> None:
        self.closed += 1
        super().close()


# ---- opening and closing


@pytest.mark.parametrize("awaited", [False, True])
def test_the_manager_is_closed_with_the_application(awaited: bool) -> None:
    """
    And is there until then.
    """
    storage = Watched()
    w = world(storage)
    with TestClient(FastAPI(lifespan=lifespan(twin(w) if awaited else w.manager))):
        assert storage.closed == 0
    assert storage.closed == 1


def test_the_lifespan_of_the_application_lies_within() -> None:
    """
    It begins after the manager is there, and ends before it is closed, with its own state beside ours.
    """
    storage, seen = Watched(), []
    w = world(storage)

    @asynccontextmanager
    async def own(app: FastAPI) -> AsyncIterator[Mapping[str, Any]]:
        seen.append((app.title, storage.closed))
        yield {"colour": "green"}
        seen.append(("end", storage.closed))

    app = FastAPI(title="Acme", lifespan=lifespan(w.manager, own))

    @app.get("/")
    def index(optly: OptlyDep, request: Request) -> str:
        return f"{optly.organisation.name} {request.state.colour}"

    with TestClient(app) as client:
        assert client.get("/").json() == "Acme Ltd green"
    assert seen == [("Acme", 0), ("end", 0)]
    assert storage.closed == 1


def test_a_manager_is_closed_though_the_application_fails() -> None:
    """
    While it starts, too.
    """
    storage = Watched()

    @asynccontextmanager
    async def own(_app: FastAPI) -> AsyncIterator[None]:
        if storage.closed == 0:
            raise OSError("no disk")
        yield

    with pytest.raises(OSError, match="no disk"), TestClient(FastAPI(lifespan=lifespan(world(storage).manager, own))):
        pass
    assert storage.closed == 1


# ---- dependencies


def views(manager: Any) -> FastAPI:
    """
    Make an application that has a view of each kind, and mounts another one that has them too.
    """
    app, inner = FastAPI(lifespan=lifespan(manager)), FastAPI()
    for each in (app, inner):

        @each.get("/plain")
        def plain(optly: OptlyDep) -> list[str]:
            return list(optly.purposes)

        @each.get("/awaited")
        async def awaited(optly: AsyncOptlyDep) -> bool:
            return await optly.find(EMAIL) is not None

    app.mount("/inner", inner)
    return app


def test_views_are_given_the_manager() -> None:
    """
    Those of a mounted application too, whose own lifespan nobody runs.
    """
    w = world()
    w.add()
    with TestClient(views(w.manager)) as client:
        for path in ("/plain", "/inner/plain"):
            assert client.get(path).json() == ["offers", "news"]
        with pytest.raises(ConfigurationError, match="OptlyDep in a plain function"):
            client.get("/awaited")
    with TestClient(views(twin(w))) as client:
        for path in ("/awaited", "/inner/awaited"):
            assert client.get(path).json() is True
        with pytest.raises(ConfigurationError, match="AsyncOptlyDep"):
            client.get("/plain")


def test_a_websocket_is_given_it_too() -> None:
    """
    A connection is a connection.
    """
    app = FastAPI(lifespan=lifespan(world().manager))

    @app.websocket("/ws")
    async def talk(websocket: WebSocket, optly: OptlyDep) -> None:
        await websocket.accept()
        await websocket.send_text(optly.organisation.key)
        await websocket.close()

    with TestClient(app) as client, client.websocket_connect("/ws") as socket:
        assert socket.receive_text() == "acme"


def test_two_applications_have_nothing_in_common() -> None:
    """
    Each request is given the manager of its own.
    """
    one, two = world(), world(purposes=PURPOSES[:1])
    with TestClient(views(one.manager)) as first, TestClient(views(two.manager)) as second:
        assert [client.get("/plain").json() for client in (first, second)] == [["offers", "news"], ["offers"]]


def test_a_lifespan_that_was_forgotten_is_told() -> None:
    """
    And a test of the host can put something in its place.
    """
    w = world()
    app = FastAPI()

    @app.get("/plain")
    def plain(optly: OptlyDep) -> str:
        return optly.organisation.key

    client = TestClient(app)
    with pytest.raises(ConfigurationError, match="lifespan="):
        client.get("/plain")
    app.dependency_overrides[any_manager] = lambda: w.manager
    assert client.get("/plain").json() == "acme"


# ---- the gate


def recipient(to: str) -> str | Contact:
    """
    Read whom an offer is for: the id of a contact, or an address.
    """
    return Contact(to) if len(to) == 32 else to


Permitted = Annotated[Decision, Depends(permitted("email", "offers", to=recipient))]


def gated(manager: Any) -> TestClient:
    """
    Make an application that sends nothing that may not be sent.
    """
    app = FastAPI(lifespan=lifespan(manager))

    @app.post("/offer")
    def offer(decision: Permitted) -> str:
        return decision.regulation

    return TestClient(app)


@pytest.mark.parametrize("awaited", [False, True])
def test_a_view_is_called_if_the_message_may_go_out(awaited: bool) -> None:
    """
    Otherwise the answer says why not, and under which provision.
    """
    w = world()
    ada = w.add()
    with gated(twin(w) if awaited else w.manager) as client:
        refused = client.post("/offer", params={"to": EMAIL})
        assert refused.status_code == 403
        decision = w.manager.check(EMAIL, Channel.EMAIL, "offers")
        assert refused.json()["detail"] == {
            "reason": decision.reason,
            "regulation": "22(2)",
            "explanation": decision.explanation,
        }
        w.agreed(ada)
        for who in (EMAIL, ada.id):
            allowed = client.post("/offer", params={"to": who})
            assert (allowed.status_code, allowed.json()) == (200, "22(2)")


def test_whoever_is_nobody_is_told_so() -> None:
    """
    Without the address in the answer.
    """
    with gated(world().manager) as client:
        for who in ("nobody at all", "0" * 32):
            answer = client.post("/offer", params={"to": who})
            assert (answer.status_code, who in answer.text) == (422, False)


def number_of_line(line: int | None = None) -> int | None:
    return line


@pytest.mark.parametrize("awaited", [False, True])
def test_a_view_names_one_of_several_lines(awaited: bool) -> None:
    """
    Without its number nobody knows which one is meant, and that is no error of the server.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    w.manager.add_line(ada, email="ada@work.example.com")
    named = Annotated[Decision, Depends(permitted("email", "offers", to=recipient, line=number_of_line))]
    app = FastAPI(lifespan=lifespan(twin(w) if awaited else w.manager))

    def offer(decision: Decision) -> int | None:
        return decision.line

    offer.__annotations__ = {"decision": named, "return": int | None}
    app.post("/offer")(offer)
    with TestClient(app) as client:
        answers = [
            client.post("/offer", params={"to": ada.id, **({} if line is None else {"line": line})})
            for line in (None, 1, 3, 4)
        ]
    assert [422, 200, 403, 422] == [answer.status_code for answer in answers]
    assert 1 == answers[1].json()


def test_a_channel_that_does_not_exist_is_told_at_once() -> None:
    """
    When the application is made and not when somebody asks.
    """
    with pytest.raises(LookupError):
        permitted("pigeon", "offers", to=lambda: EMAIL)


# ---- the pages


def test_a_place_that_cannot_work_is_refused() -> None:
    """
    Every link would lead into nothing, or everything would lead to the pages.
    """
    with pytest.raises(ConfigurationError, match="every link leads to /my"):
        mount(FastAPI(), world().manager, path="/your")
    with pytest.raises(ConfigurationError, match="a path of their own"):
        mount(FastAPI(), world(base_url="https://my.example.com").manager)


def test_the_pages_take_what_a_portal_takes() -> None:
    """
    By name; and Starlette alone will do.
    """
    w, app = world(), Starlette()
    mount(app, w.manager, keep_context=True)
    ada = w.add()
    code = code_in(w.ask(ada))
    w.later(timedelta(minutes=5))
    TestClient(app).post(f"/my/l/{code}", data={"email-offers": "no"})
    kept = [value for event in w.manager.history(ada) for value in event.personal.values()]
    assert any("testclient" in str(value) for value in kept)


def test_the_pages_are_in_no_description_of_the_api() -> None:
    """
    They are for people.
    """
    app = FastAPI()
    mount(app, world().manager)
    assert TestClient(app).get("/openapi.json").json()["paths"] == {}


def test_the_path_of_the_mount_is_served_without_a_redirect() -> None:
    """
    One would go to whatever host the request names.
    """
    app = FastAPI()
    mount(app, world().manager)
    found = [TestClient(app, follow_redirects=False).get(path) for path in ("/my", "/my/")]
    assert found[0].status_code == found[1].status_code != 307


def test_a_stop_needs_no_body_that_somebody_else_has_read() -> None:
    """
    Behind a middleware that has read it, the next part of it never comes.
    """
    w = world()
    ada = w.add()
    w.agreed(ada)
    pages = FastAPI(lifespan=lifespan(w.manager))
    mount(pages, w.manager)

    async def read_first(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Request(scope, receive).body()
        await pages(scope, receive, send)

    path = w.manager.unsubscribe_headers(ada)["List-Unsubscribe"].strip("<>").removeprefix("https://acme.example.com")
    assert TestClient(read_first).post(path, content=b"List-Unsubscribe=One-Click").status_code == 200
    assert not w.manager.check(ada, Channel.EMAIL, "offers")
