"""
MyOptly: the pages on which people answer, see and change their choices, and stop everything.

A `Portal` turns a `Request` into a `Response` and knows no server. `wsgi` and `asgi` make an application of it for any
host; mount it where `base_url` says. Links are kept out of a server's log by `RedactLinks`.
What the providers of the backends have to tell arrives here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import attrs

from optly.commands import Context
from optly.http import Request, Response
from optly.portal.logs import RedactLinks
from optly.portal.pages import Visit, respond

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from optly.manager import ConsentManager
    from optly.portal.asgi import ASGIApplication
    from optly.results import Received

__all__ = ["Portal", "RedactLinks", "Request", "Response"]


@attrs.frozen
class Portal:
    """
    The pages of one manager. Safe to share between threads.

    Attributes:
        keep_context: Whether the network address and the browser of whoever answers are kept with the answer.
        on_received: Told what came of each event that a provider brought.
    """

    _manager: ConsentManager = attrs.field(repr=False)
    keep_context: bool = attrs.field(default=False, kw_only=True)
    on_received: Callable[[Received], object] | None = attrs.field(default=None, kw_only=True)

    def handle(self, request: Request) -> Response:
        """
        Return the response to *request*. Raises nothing.
        """
        visit = Visit(
            manager=self._manager,
            request=request,
            context=self._context(request),
            on_received=self.on_received,
        )
        return respond(visit)

    def _context(self, request: Request) -> Context | None:
        if not self.keep_context:
            return None
        return Context(address=request.remote_addr, browser=", ".join(request.values("user-agent")))

    def wsgi(self) -> WSGIApplication:
        """
        Return the pages as a WSGI application.
        """
        from optly.portal.wsgi import wsgi_application

        return wsgi_application(self.handle, self._manager.pages.path)

    def asgi(self) -> ASGIApplication:
        """
        Return the pages as an ASGI application.
        """
        from optly.portal.asgi import asgi_application

        return asgi_application(self.handle, self._manager.pages.path)
