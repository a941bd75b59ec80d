"""
Real servers on the loopback address, each in a thread of its own, that serve the pages for a test.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, demo_app, make_server

import uvicorn

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from optly.portal.asgi import ASGIApplication


class _Quiet(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def wsgi_server(make: Callable[[str], WSGIApplication]) -> Iterator[str]:
    """
    Serve the application that *make* returns for a base address, and give that address.
    """
    with make_server("127.0.0.1", 0, demo_app, handler_class=_Quiet) as server:
        base = f"http://127.0.0.1:{server.server_port}"
        server.set_app(make(base))
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield base
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def asgi_server(application: ASGIApplication, **settings: Any) -> Iterator[str]:
    """
    Serve *application* with uvicorn and give its address.
    """
    config = uvicorn.Config(application, host="127.0.0.1", port=0, ws="none", log_config=None, **settings)
    server = uvicorn.Server(config)
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()
