"""
Acme on plain WSGI: ``python -m examples.wsgi.app``
"""

from __future__ import annotations

from collections.abc import Iterable
from socketserver import ThreadingMixIn
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from examples import common
from optly import ConsentManager

LONGEST_FORM = 64 * 1024


def application(manager: ConsentManager) -> WSGIApplication:
    """
    Make the application, with the MyOptly pages at the path of ``base_url``.
    """
    mount, pages = manager.pages.path, manager.portal().wsgi()

    def acme(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        length = min(int(environ.get("CONTENT_LENGTH") or 0), LONGEST_FORM)
        body = environ["wsgi.input"].read(length)
        status, html = common.respond(manager, environ["REQUEST_METHOD"], environ["PATH_INFO"], body)
        start_response(f"{status.value} {status.phrase}", [("Content-Type", "text/html; charset=utf-8")])
        return [html.encode()]

    def choose(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        host = pages if f"{environ['PATH_INFO']}/".startswith(f"{mount}/") else acme
        return host(environ, start_response)

    return choose


class Server(ThreadingMixIn, WSGIServer):
    """
    Serves several browsers at once.
    """

    daemon_threads = True


class Handler(WSGIRequestHandler):
    """
    Logs nothing, because a log of paths would contain every link.
    """

    def log_message(self, format: str, *args: object) -> None:
        """
        Log nothing.
        """


if __name__ == "__main__":
    with (
        common.open_manager() as manager,
        common.working(manager),
        make_server("127.0.0.1", common.PORT, application(manager), Server, Handler) as server,
        common.until_stopped(),
    ):
        server.serve_forever()
