"""
A web server on this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, TypeAlias
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from optly.portal.wsgi import wsgi_application
from optly.protocols.http import Request, Response

Handle: TypeAlias = Callable[[Request], Response]


class _Handler(WSGIRequestHandler):
    timeout = 30  # seconds; browsers open connections that they may never use

    def log_message(self, format: str, *args: Any) -> None:
        """
        Write nothing: the paths are secret links.
        """


class WebServer(ThreadingMixIn, WSGIServer):
    """
    Listens on a free port of this machine. Requests that arrive before `serving` wait.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)

    def server_bind(self) -> None:
        # HTTPServer's own asks the network for the name of this machine.
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.socket.getsockname()
        self.setup_environ()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """
        Report nothing if it was the browser that went away.
        """
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        """
        Scheme, host and port.
        """
        return f"http://{self.server_name}:{self.server_port}"

    @contextmanager
    def serving(self, handle: Handle, mount: str = "") -> Iterator[None]:
        """
        Answer with *handle*, which is mounted at the path *mount*, until the block ends.
        """
        self.set_app(wsgi_application(handle, mount))
        thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.shutdown()
            thread.join()
