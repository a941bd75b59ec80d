"""
Servers for the benchmark of the pages, each in a process of its own: the pages, and the bare page that is their floor.

The floor is what a host would have instead if a page were one row. It reads a row by its key, or for a button also
writes it, durably, through the bare driver with a connection for each thread, and renders a Jinja2 template of as many
bytes as the page it stands for. Flask is its framework over WSGI. Over ASGI it is Starlette, and not FastAPI, which is
Starlette with more to do for each request. Both are served as the pages are: over ASGI by uvicorn, over WSGI by the
threading server of the standard library, told to keep connections open.
"""

from __future__ import annotations

import multiprocessing
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from socketserver import ThreadingMixIn
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

import attrs
import psycopg
import uvicorn
from jinja2 import DictLoader, Environment
from sqlalchemy import make_url

from optly import Channel, ConsentManager, Keys, Organisation, Purpose
from optly.backends import MemoryBackend
from optly.storage import SQLStorage

PROCESSES = 2
BASE = "https://acme.example.com/my"


def manager(url: str) -> ConsentManager:
    """
    Return a manager over the database at *url*, the same in every process.
    """
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds", email="a@example.com"),
        purposes=[Purpose(key="offers", title="Offers and discounts on our products")],
        storage=SQLStorage(url),
        backends=[MemoryBackend(channel=Channel.EMAIL), MemoryBackend(channel=Channel.SMS)],
        keys=Keys(current="a key that only measures"),
        base_url=BASE,
    )


@attrs.frozen(kw_only=True)
class Host:
    """
    What a process serves.

    Attributes:
        interface: ``WSGI`` or ``ASGI``.
        url: Of the database of the pages.
        bare: Where the rows of the floor lie, for its driver.
        pages: The pages that the floor stands for, by name; none to serve the pages themselves.
    """

    interface: str
    url: str
    bare: str
    pages: Mapping[str, str] = attrs.field(factory=dict)

    def application(self) -> Any:
        if self.pages:
            floor = Floor.of(self)
            return floor.flask() if self.interface == "WSGI" else floor.starlette()
        # Nothing is held for confirmation: the links were made just now, and every yes would come too soon.
        pages = manager(self.url).portal(hold_yes_within=None)
        return pages.wsgi() if self.interface == "WSGI" else pages.asgi()


# ---- the floor


class Rows(threading.local):
    """
    Rows read and written through the bare driver, by each thread on a connection of its own.
    """

    def __init__(self, bare: str) -> None:
        self.connection: Any = connect(bare)
        self.mark = "?" if isinstance(self.connection, sqlite3.Connection) else "%s"

    def read(self, key: str) -> str:
        row = self.connection.execute(f"SELECT value FROM bare WHERE name = {self.mark}", (key,)).fetchone()
        return str(row[0])

    def write(self, key: str, value: str) -> None:
        self.connection.execute(f"UPDATE bare SET value = {self.mark} WHERE name = {self.mark}", (value, key))


def connect(bare: str) -> Any:
    """
    Return a connection of the bare driver on which every statement is a transaction, as durable as those of the pages.
    """
    if "://" in bare:
        return psycopg.connect(make_url(bare).set(drivername="postgresql").render_as_string(False), autocommit=True)
    connection = sqlite3.connect(bare, isolation_level=None, timeout=30)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def templates(pages: Mapping[str, str]) -> Mapping[str, str]:
    """
    Return templates with the text of the pages, and one value from the row.
    """
    return {f"{name}.html": f"{{% raw %}}{text}{{% endraw %}}{{{{ value }}}}" for name, text in pages.items()}


@attrs.frozen
class Floor:
    """
    The bare page in two frameworks.
    """

    rows: Rows
    pages: Mapping[str, str]

    @classmethod
    def of(cls, host: Host) -> Floor:
        return cls(Rows(host.bare), templates(host.pages))

    def pressed(self, key: str, form: Mapping[str, Any]) -> str:
        """
        Write to a row what a button sends, and return what it held.
        """
        value = self.rows.read(key)
        self.rows.write(key, ",".join(form))
        return value

    def flask(self) -> Any:
        from flask import Flask, render_template, request

        app = Flask("floor")
        app.jinja_loader = DictLoader(self.pages)

        def choices(code: str) -> str:
            return render_template("choices.html", value=self.rows.read(code))

        def answer(code: str) -> str:
            return render_template("answer.html", value=self.pressed(code, request.form))

        def stop(code: str) -> str:
            return render_template("stop.html", value=self.pressed(code, request.form))

        def details() -> str:
            return render_template("details.html", value=self.rows.read(next(iter(request.cookies.values()))))

        def missing(_error: Exception) -> tuple[str, int]:
            return render_template("nothing.html", value=""), 404

        app.add_url_rule("/my/l/<code>", view_func=choices, methods=["GET"])
        app.add_url_rule("/my/l/<code>", view_func=answer, methods=["POST"])
        app.add_url_rule("/my/l/<code>/stop", view_func=stop, methods=["POST"])
        app.add_url_rule("/my/me/details", view_func=details)
        app.register_error_handler(404, missing)
        return app

    def starlette(self) -> Any:
        from starlette.applications import Starlette
        from starlette.concurrency import run_in_threadpool
        from starlette.requests import Request
        from starlette.responses import HTMLResponse, Response
        from starlette.routing import Route

        environment = Environment(loader=DictLoader(self.pages), autoescape=True, auto_reload=False)

        def shown(name: str, value: str, status: int = 200) -> Response:
            return HTMLResponse(environment.get_template(f"{name}.html").render(value=value), status)

        # The framework calls what is not a coroutine in a thread.
        def choices(request: Request) -> Response:
            return shown("choices", self.rows.read(request.path_params["code"]))

        def details(request: Request) -> Response:
            return shown("details", self.rows.read(next(iter(request.cookies.values()))))

        def missing(_request: Request, _error: Exception) -> Response:
            return shown("nothing", "", 404)

        def button(name: str) -> Callable[[Request], Any]:
            async def pressed(request: Request) -> Response:
                form = parse_qs((await request.body()).decode())
                return shown(name, await run_in_threadpool(self.pressed, request.path_params["code"], form))

            return pressed

        return Starlette(
            routes=[
                Route("/my/l/{code}", choices, methods=["GET"]),
                Route("/my/l/{code}", button("answer"), methods=["POST"]),
                Route("/my/l/{code}/stop", button("stop"), methods=["POST"]),
                Route("/my/me/details", details),
            ],
            exception_handlers={404: missing},
        )


# ---- servers


class _KeptOpen(WSGIRequestHandler):
    """
    Takes one request after the other on a connection.
    """

    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def handle(self) -> None:
        super().handle()
        while not self.close_connection:
            super().handle()

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Threading(ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 64


def _serve(host: Host, port: Any) -> None:
    application = host.application()
    if host.interface == "WSGI":
        with _Threading(("127.0.0.1", 0), _KeptOpen) as server:
            server.set_app(application)
            port.send(server.server_port)
            server.serve_forever()
        return
    # With its protocol named, or asyncio would leave Nagle's algorithm on and each answer would wait 40 ms, as it does
    # with `uvicorn --workers 2` (https://github.com/Kludex/uvicorn/issues/3149).
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(64)
        port.send(listening.getsockname()[1])
        config = uvicorn.Config(application, access_log=False, log_config=None, lifespan="off", ws="none")
        uvicorn.Server(config).run([listening])


@contextmanager
def _served(host: Host) -> Iterator[int]:
    context = multiprocessing.get_context("spawn")
    told, tells = context.Pipe(duplex=False)
    process = context.Process(target=_serve, args=(host, tells), daemon=True)
    process.start()
    tells.close()
    try:
        yield told.recv()
    finally:
        process.terminate()
        process.join()


@contextmanager
def served(host: Host) -> Iterator[tuple[int, ...]]:
    """
    Serve *host* in two processes and give their ports: each has one of its own, as behind a proxy that shares out.
    """
    with ExitStack() as stack:
        yield tuple(stack.enter_context(_served(host)) for _ in range(PROCESSES))
