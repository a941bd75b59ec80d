"""
The one place from which providers are called over HTTP.

What matters is whether a failure came before or after the request was sent: a request that was never sent can be
repeated, but one that was sent and not answered is in doubt.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from threading import Lock
from typing import Final
from urllib.request import getproxies, proxy_bypass

import attrs
import httpx

_LONGEST_ANSWER: Final = 4 * 1024 * 1024


class NotSentError(Exception):
    """
    The provider cannot have received any of the request. Never raised outside the backends.
    """


class NoAnswerError(Exception):
    """
    The request was sent, and no complete answer arrived. Never raised outside the backends.
    """


@attrs.frozen(kw_only=True)
class Call:
    """
    A request to a provider. Its repr shows neither secrets nor addresses.

    Attributes:
        headers: Sent as they are, in addition to those HTTP itself needs.
    """

    method: str
    url: str = attrs.field(repr=False)
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


@attrs.frozen(kw_only=True)
class Answer:
    """
    The provider's answer.

    Attributes:
        headers: By name in lower case.
    """

    status: int
    headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    body: bytes = attrs.field(default=b"", repr=False)


class Caller:
    """
    Calls providers over connections that are kept open. Safe to share between threads, and across a fork.

    Redirects are not followed: a request signed for one host is not repeated to another. httpx is used below its
    client, which would log every URL that is called, and with it people's numbers. A proxy is taken from the
    environment, as the client would.

    Args:
        timeout: How long to wait for each step: connecting, writing, and each piece of the answer.
        transport: Used instead of the network.
    """

    def __init__(self, *, timeout: timedelta, transport: httpx.BaseTransport | None = None) -> None:
        self._timeout = timeout.total_seconds()
        self._given = transport
        self._lock = Lock()
        self._transports: dict[str | None, httpx.BaseTransport] = {}
        self._process = os.getpid()

    def call(self, call: Call) -> Answer:
        """
        Make *call* once.

        Raises:
            NotSentError: No connection was made.
            NoAnswerError: A connection was made, and no complete HTTP answer arrived over it.
        """
        try:
            request = httpx.Request(
                call.method,
                call.url,
                headers=dict(call.headers),
                content=call.body,
                extensions={"timeout": httpx.Timeout(self._timeout).as_dict()},
            )
            response = self._transport(request.url).handle_request(request)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol) as error:
            raise NotSentError(type(error).__name__) from None
        except httpx.InvalidURL:
            raise NotSentError("InvalidURL") from None
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise NoAnswerError(type(error).__name__) from None
        try:
            return _read(response)
        except (httpx.HTTPError, httpx.StreamError) as error:
            raise NoAnswerError(type(error).__name__) from None
        finally:
            response.close()

    def _transport(self, url: httpx.URL) -> httpx.BaseTransport:
        if self._given is not None:
            return self._given
        proxy = None if proxy_bypass(url.host) else getproxies().get(url.scheme)
        with self._lock:
            if self._process != os.getpid():
                # Connections opened before a fork belong to the parent.
                self._transports, self._process = {}, os.getpid()
            if proxy not in self._transports:
                self._transports[proxy] = httpx.HTTPTransport(proxy=proxy)
            return self._transports[proxy]

    def close(self) -> None:
        """
        Close the connections. Later calls open new ones.
        """
        with self._lock:
            transports, self._transports = [*self._transports.values()], {}
            if self._given is not None:
                transports.append(self._given)
            if self._process == os.getpid():
                for transport in transports:
                    transport.close()


def _read(response: httpx.Response) -> Answer:
    body = b""
    for piece in response.iter_bytes():
        body += piece
        if len(body) > _LONGEST_ANSWER:
            raise NoAnswerError("the answer is too long")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(status=response.status_code, headers=headers, body=body)
