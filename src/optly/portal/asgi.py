"""
The pages as an ASGI application (ASGI 3). Requests are handled in a thread, because stores block.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from optly.portal.http import MAX_READ, is_stop, relative_path
from optly.protocols.http import Request, Response

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
ASGIApplication: TypeAlias = Callable[[Scope, Receive, Send], Awaitable[None]]


def asgi_application(handle: Callable[[Request], Response], mount: str) -> ASGIApplication:
    """
    Return *handle* as an ASGI application.

    Args:
        mount: Path of the base address.
    """

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                path = _path(scope, mount)
                # Behind a middleware that has read the body, the next part never comes.
                body = await _body(receive) if scope["method"] == "POST" and not is_stop(path) else b""
                if body is not None:
                    await _respond(await asyncio.to_thread(handle, _request(scope, path, body)), send)
            case "lifespan":
                await _lifespan(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close", "code": 1000})

    return application


def _request(scope: Scope, path: str, body: bytes) -> Request:
    return Request(
        method=scope["method"],
        path=path,
        query=scope.get("query_string", b"").decode("latin-1"),
        headers=tuple((name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]),
        body=body,
        remote_addr=(scope.get("client") or ("",))[0],
    )


def _path(scope: Scope, mount: str) -> str:
    # The path should begin with the root path; behind some proxies and frameworks only a part of it is there, or none.
    segments = scope.get("root_path", "").rstrip("/").split("/")
    tails = ("/" + "/".join(segments[start:]) for start in range(1, len(segments)))
    return relative_path(scope["path"], mount, *tails)


async def _body(receive: Receive) -> bytes | None:
    """
    Read no more than it takes to see that the body is too large. None if the client disconnected before the end.
    """
    body = bytearray()
    while len(body) <= MAX_READ:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            break
    return bytes(body[: MAX_READ + 1])


async def _respond(response: Response, send: Send) -> None:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in response.headers]
    await send({"type": "http.response.start", "status": response.status.value, "headers": headers})
    await send({"type": "http.response.body", "body": response.body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
