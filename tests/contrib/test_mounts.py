"""
The pages are the same, whatever they are mounted in, and lead to where people reach them.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from wsgiref.util import shift_path_info

import a2wsgi
import attrs
import httpx
import pytest
from fastapi import FastAPI
from flask import Flask
from portal.servers import asgi_server
from starlette.applications import Starlette
from starlette.routing import Mount
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from world import World, world

from optly import AsyncConsentManager, ConsentManager
from optly.contrib.fastapi import lifespan, mount
from optly.contrib.flask import FlaskOptly
from optly.testing.messages import code_in, stop_token_in

ORIGIN = "https://acme.example.com"
OWN_HEADERS = ("content-security-policy", "referrer-policy", "x-frame-options", "x-robots-tag")


# ---- hosts, each with its pages at `base_url`


def plain_wsgi(manager: ConsentManager) -> Any:
    return manager.portal().wsgi()


def shifted_wsgi(manager: ConsentManager) -> Any:
    pages = manager.portal().wsgi()

    def application(environ: Any, start_response: Any) -> Any:
        assert shift_path_info(environ) == "my"
        return pages(environ, start_response)

    return application


def werkzeug_dispatcher(manager: ConsentManager) -> Any:
    return DispatcherMiddleware(Flask("host").wsgi_app, {"/my": manager.portal().wsgi()})


def flask_extension(manager: ConsentManager) -> Any:
    app = Flask("host")
    app.config["OPTLY_MANAGER"] = manager
    FlaskOptly(app)
    return app


def flask_under_a_prefix(manager: ConsentManager) -> Any:
    app = Flask("host")
    app.config.update(OPTLY_MANAGER=manager, APPLICATION_ROOT="/shop")
    FlaskOptly(app)
    return DispatcherMiddleware(Flask("outer").wsgi_app, {"/shop": app.wsgi_app})


def flask_behind_a_proxy(manager: ConsentManager) -> Any:
    """
    That takes the prefix off, and names it in a header.
    """
    app = Flask("host")
    app.config.update(OPTLY_MANAGER=manager, OPTLY_MOUNT="/my")
    FlaskOptly(app)
    app.wsgi_app = ProxyFix(app.wsgi_app, x_prefix=1)  # type: ignore[method-assign]

    def proxy(environ: Any, start_response: Any) -> Any:
        environ["PATH_INFO"] = environ["PATH_INFO"].removeprefix("/shop")
        return app({**environ, "HTTP_X_FORWARDED_PREFIX": "/shop"}, start_response)

    return proxy


def asgi_inside_of_wsgi(manager: ConsentManager) -> Any:
    return a2wsgi.ASGIMiddleware(manager.portal().asgi())  # type: ignore[arg-type]


def plain_asgi(manager: ConsentManager) -> Any:
    return manager.portal().asgi()


def starlette_mount(manager: ConsentManager) -> Any:
    return Starlette(routes=[Mount("/my", manager.portal().asgi())])


def fastapi_mount(manager: ConsentManager) -> Any:
    app = FastAPI(lifespan=lifespan(manager))
    mount(app, manager)
    return app


def fastapi_with_an_async_manager(manager: ConsentManager) -> Any:
    """
    Over the same store.
    """
    twin = AsyncConsentManager(
        organisation=manager.organisation,
        purposes=manager.purposes.values(),
        storage=manager._storage,
        backends=manager.backends,
        keys=manager._app.settings.keys,
        base_url=manager.pages.base_url,
        clock=manager.clock,
    )
    app = FastAPI(lifespan=lifespan(twin))
    mount(app, twin)
    return app


def fastapi_with_a_root_path(manager: ConsentManager) -> Any:
    app = FastAPI(root_path="/shop")
    mount(app, manager)
    return app


def fastapi_in_fastapi(manager: ConsentManager) -> Any:
    inner, outer = FastAPI(), FastAPI()
    mount(inner, manager, path="/my")
    outer.mount("/shop", inner)
    return outer


def wsgi_inside_of_fastapi(manager: ConsentManager) -> Any:
    app = FastAPI()
    app.mount("/my", a2wsgi.WSGIMiddleware(manager.portal().wsgi()))  # type: ignore[arg-type]
    return app


@attrs.frozen
class Host:
    """
    A way to mount the pages.
    """

    make: Callable[[ConsentManager], Any]
    kind: str
    path: str = "/my"

    def __str__(self) -> str:
        return self.make.__name__


HOSTS = [
    Host(plain_wsgi, "wsgi"),
    Host(plain_wsgi, "wsgi", "/shop/my"),
    Host(shifted_wsgi, "wsgi"),
    Host(werkzeug_dispatcher, "wsgi"),
    Host(flask_extension, "wsgi"),
    Host(flask_extension, "wsgi", "/shop/my"),
    Host(flask_under_a_prefix, "wsgi", "/shop/my"),
    Host(flask_behind_a_proxy, "wsgi", "/shop/my"),
    Host(asgi_inside_of_wsgi, "wsgi"),
    Host(plain_asgi, "asgi"),
    Host(plain_asgi, "asgi", "/shop/my"),
    Host(starlette_mount, "asgi"),
    Host(fastapi_mount, "asgi"),
    Host(fastapi_mount, "asgi", "/shop/my"),
    Host(fastapi_with_an_async_manager, "asgi"),
    Host(fastapi_with_a_root_path, "asgi", "/shop/my"),
    Host(fastapi_in_fastapi, "asgi", "/shop/my"),
    Host(wsgi_inside_of_fastapi, "asgi"),
]

every_host = pytest.mark.parametrize("host", HOSTS, ids=str)

# It still works, and whoever has it has been told.
pytestmark = pytest.mark.filterwarnings("ignore:The `root_path` parameter is deprecated")


# ---- somebody who visits


@attrs.frozen
class Browser:
    """
    Asks an application for pages, without a network.
    """

    application: Any
    kind: str

    def ask(self, method: str, url: str, **details: Any) -> httpx.Response:
        if self.kind == "wsgi":
            with httpx.Client(transport=httpx.WSGITransport(app=self.application)) as client:
                return client.request(method, url, **details)

        async def request() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.application)
            async with httpx.AsyncClient(transport=transport) as client:
                return await client.request(method, url, **details)

        return asyncio.run(request())


def answers(page: str, *choices: tuple[str, str]) -> dict[str, str]:
    """
    Return what the form on a page sends when these buttons are pressed.
    """
    sent = {}
    for name, said in choices:
        (button,) = (tag for tag in re.findall("<input[^>]*>", page) if f'id="{name}-{said}"' in tag)
        sent[name] = re.findall(' value="([^"]*)"', button)[0]
    return sent


def on_record(w: World) -> tuple[bool, bool]:
    return w.allowed(), w.manager.check("+447911123456", "sms", "offers").allowed


def walk(w: World, ask: Callable[..., httpx.Response], origin: str, path: str) -> None:
    """
    Open a question, fetch what the page needs, answer, and stop with the button of a mail program.
    """
    front = ask("GET", f"{origin}{path}", follow_redirects=True)
    assert (200, True) == (front.status_code, "Choose what Acme Ltd can send you" in front.text)
    ada = w.add()
    message = w.ask(ada)
    code, token = code_in(message), stop_token_in(message)
    assert f"{w.manager.pages.base_url}/l/{code}" in message.text
    w.later(timedelta(minutes=5))

    page = ask("GET", f"{origin}{path}/l/{code}")
    assert page.status_code == 200
    for name in OWN_HEADERS:
        assert len(page.headers.get_list(name)) == 1
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    (style,) = re.findall('href="([^"]*css)"', page.text)
    assert style.startswith(f"{path}/static/")
    assert ask("GET", f"{origin}{style}").headers["content-type"] == "text/css; charset=utf-8"

    said = answers(page.text, ("email-offers", "yes"), ("sms-offers", "no"))
    headers = {"origin": w.manager.pages.origin, "sec-fetch-site": "same-origin"}
    saved = ask("POST", f"{origin}{path}/l/{code}", data=said, headers=headers)
    assert saved.status_code in (200, 303)
    assert on_record(w) == (True, False)

    w.later(timedelta(minutes=5))
    stopped = ask("POST", f"{origin}{path}/u/{token}", data={"List-Unsubscribe": "One-Click"})
    assert (stopped.status_code, stopped.headers.get_list("set-cookie")) == (200, [])
    assert on_record(w) == (False, False)


@every_host
def test_a_question_is_answered_in_every_host(host: Host) -> None:
    """
    Through real frameworks: the pages, their files, their headers and the way back are all there.
    """
    w = world(base_url=f"{ORIGIN}{host.path}")
    walk(w, Browser(host.make(w.manager), host.kind).ask, ORIGIN, host.path)


@every_host
def test_no_host_header_is_believed(host: Host) -> None:
    """
    Not on any page, not in a header, and not in a message that is sent afterwards.
    """
    w = world(base_url=f"{ORIGIN}{host.path}")
    browser = Browser(host.make(w.manager), host.kind)
    code = code_in(w.ask(w.add()))
    liar = {"host": "evil.example.net", "x-forwarded-host": "evil.example.net", "forwarded": "host=evil.example.net"}
    # The router of Starlette redirects the path of a bare mount to wherever the request says it is.
    bare = () if host.make in (starlette_mount, wsgi_inside_of_fastapi) else ("",)
    for path in (f"/l/{code}", "/help", "/", *bare, "/nothing"):
        got = browser.ask("GET", f"{ORIGIN}{host.path}{path}", headers=liar)
        assert "evil" not in got.text + str(got.headers.multi_items())
    said = {**liar, "origin": "https://evil.example.net"}
    forged = browser.ask("POST", f"{ORIGIN}{host.path}/l/{code}", data={"email-offers": "no"}, headers=said)
    assert forged.status_code == 403


NOTHING_ELSE = (plain_wsgi, plain_asgi, asgi_inside_of_wsgi, shifted_wsgi)


@pytest.mark.parametrize("host", [host for host in HOSTS if host.make not in NOTHING_ELSE], ids=str)
def test_nothing_beside_the_pages_is_taken(host: Host) -> None:
    """
    A path that only begins with the same letters is the host's own.
    """
    w = world(base_url=f"{ORIGIN}{host.path}")
    got = Browser(host.make(w.manager), host.kind).ask("GET", f"{ORIGIN}{host.path}stery")
    assert (got.status_code, got.headers.get("content-security-policy")) == (404, None)


# ---- over a socket


@pytest.mark.server
@pytest.mark.parametrize(
    ("make", "path", "settings"),
    [
        (fastapi_mount, "/my", {}),
        (fastapi_with_an_async_manager, "/my", {}),
        (fastapi_in_fastapi, "/shop/my", {}),
        (lambda manager: _at(manager, "/my"), "/shop/my", {"root_path": "/shop"}),
    ],
    ids=["fastapi", "async", "sub-application", "root_path"],
)
def test_uvicorn_serves_it(make: Callable[[ConsentManager], Any], path: str, settings: dict[str, Any]) -> None:
    """
    With its lifespan. The root that uvicorn is told of stands in the links, because a proxy takes it off before.
    """
    w = world(base_url=f"http://127.0.0.1{path}")
    outside = path.removeprefix(settings.get("root_path", ""))
    with asgi_server(make(w.manager), **settings) as base, httpx.Client(trust_env=False) as client:

        def ask(method: str, url: str, **details: Any) -> httpx.Response:
            return client.request(method, base + urlsplit(url).path.replace(path, outside, 1), **details)

        walk(w, ask, base, path)


def _at(manager: ConsentManager, path: str) -> FastAPI:
    app = FastAPI(lifespan=lifespan(manager))
    mount(app, manager, path=path)
    return app
