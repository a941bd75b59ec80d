"""
Acme on plain ASGI: ``python -m examples.asgi.app``
"""

from __future__ import annotations

import asyncio
import logging

import uvicorn

from examples import common
from optly import ConsentManager
from optly.portal import RedactLinks
from optly.portal.asgi import ASGIApplication, Receive, Scope, Send

LONGEST_FORM = 64 * 1024


def application(manager: ConsentManager) -> ASGIApplication:
    """
    Make the application, with the MyOptly pages at the path of ``base_url``.
    """
    mount, pages = manager.pages.path, manager.portal().asgi()

    async def acme(scope: Scope, receive: Receive, send: Send) -> None:
        body, more = b"", True
        while more and len(body) < LONGEST_FORM:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        # The manager blocks, so call it in a thread.
        status, html = await asyncio.to_thread(common.respond, manager, scope["method"], scope["path"], body)
        headers = [(b"content-type", b"text/html; charset=utf-8")]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": html.encode()})

    async def choose(scope: Scope, receive: Receive, send: Send) -> None:
        is_ours = scope["type"] == "http" and not f"{scope['path']}/".startswith(f"{mount}/")
        await (acme if is_ours else pages)(scope, receive, send)

    return choose


if __name__ == "__main__":
    logging.getLogger("uvicorn.access").addFilter(RedactLinks())
    with common.open_manager() as manager, common.working(manager), common.until_stopped():
        uvicorn.run(application(manager), host="127.0.0.1", port=common.PORT)
