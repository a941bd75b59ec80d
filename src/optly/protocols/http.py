"""
A request and a response as plain values. Pure.

The pages, and the webhook half of a backend, answer requests without knowing of any server: an adapter makes a
`Request` from whatever its server gives it and sends the `Response` back.
"""

from __future__ import annotations

from http import HTTPStatus

import attrs


@attrs.frozen(kw_only=True)
class Request:
    """
    An HTTP request, from a browser or a provider.

    Attributes:
        method: In upper case.
        path: Relative to where the pages are mounted, with its escapes decoded: ``/l/3f…``.
        query: As it is in the URL.
        headers: Names in lower case; a header that was sent twice is included twice.
        body: As much of it as the adapter read: at most one byte more than is allowed, which is enough to refuse it.
        remote_addr: The address of the other end of the connection. Never what a header claims.
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
    An HTTP response.

    Attributes:
        headers: Names in lower case, including the length of the body.
    """

    status: HTTPStatus
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)
