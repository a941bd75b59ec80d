"""
A request and a response as plain values. Pure.

What answers requests — the pages, and the webhook half of a backend — knows nothing of servers: an adapter makes a
`Request` of whatever its server gives it and sends the `Response` back.
"""

from __future__ import annotations

from http import HTTPStatus

import attrs


@attrs.frozen(kw_only=True)
class Request:
    """
    What a browser or a provider asks.

    Attributes:
        method: In upper case.
        path: Relative to where the pages are mounted, with its escapes decoded: ``/l/3f…``.
        query: As it stands in the URL.
        headers: Names in lower case; a header that was sent twice is there twice.
        body: As much of it as an adapter read: at most one byte more than is allowed, which is enough to refuse it.
        remote_addr: The other end of the connection. Never what a header claims.
    """

    method: str
    path: str = attrs.field(repr=False)
    query: str = attrs.field(default="", repr=False)
    headers: tuple[tuple[str, str], ...] = attrs.field(default=(), repr=False)
    body: bytes = attrs.field(default=b"", repr=False)
    remote_addr: str = attrs.field(default="", repr=False)

    def values(self, name: str) -> tuple[str, ...]:
        """
        Return every value of a header, by its name in lower case.
        """
        return tuple(value for known, value in self.headers if known == name)


@attrs.frozen(kw_only=True)
class Response:
    """
    What they get.

    Attributes:
        headers: Names in lower case, the length of the body included.
    """

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...]
    body: bytes = attrs.field(repr=False)
