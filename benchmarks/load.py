"""
Load on servers, by one process that does nothing else: each connection asks again as soon as it has its answer.

The requests are made beforehand and the answers are not parsed but for their status and their length, so that little of
a core goes into asking. How much it was is measured too.
"""

from __future__ import annotations

import re
import selectors
import socket
import time
from collections.abc import Iterable, Iterator, Sequence

import attrs

CONNECTIONS = 4  # to each server

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)\r\n", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Load:
    """
    What came of asking: seconds in all, seconds of the processor that asking took, and those that each answer took.
    """

    seconds: float
    asking: float
    answers: Sequence[float]

    @property
    def rate(self) -> float:
        """
        Answers in a second.
        """
        return len(self.answers) / self.seconds


@attrs.define
class _Connection:
    socket: socket.socket
    received: bytes = b""
    ends_at: int = 0
    asked_at: float = 0.0

    def ask(self, request: bytes) -> None:
        self.received, self.ends_at = b"", 0
        self.asked_at = time.perf_counter()
        self.socket.sendall(request)

    def is_answered(self, status: int) -> bool:
        """
        Take what has come, and tell whether it is all of an answer of that *status*.
        """
        came = self.socket.recv(65536)
        if not came:
            raise ConnectionError("the server hung up")
        self.received += came
        if not self.ends_at and (end := self.received.find(b"\r\n\r\n")) >= 0:
            head = self.received[: end + 4]
            length = _LENGTH.search(head)
            if length is None or head[9:12] != b"%d" % status:
                raise ConnectionError(f"expected {status} and a length, got {head.decode('latin-1')}")
            self.ends_at = end + 4 + int(length[1])
        return 0 < self.ends_at <= len(self.received)


def _connections(ports: Iterable[int]) -> Iterator[_Connection]:
    for port in ports:
        for _ in range(CONNECTIONS):
            connected = socket.create_connection(("127.0.0.1", port))
            connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            yield _Connection(connected)


def load(ports: Sequence[int], requests: Sequence[bytes], status: int) -> Load:
    """
    Send the *requests* to the servers at these ports, and hold each answer to its *status*.
    """
    waiting = iter(requests)
    answers: list[float] = []
    with selectors.DefaultSelector() as selector:
        for connection in _connections(ports):
            selector.register(connection.socket, selectors.EVENT_READ, connection)
        start, processor = time.perf_counter(), time.process_time()
        for key, request in zip(list(selector.get_map().values()), waiting, strict=False):
            key.data.ask(request)
        while len(answers) < len(requests):
            for key, _ in selector.select(timeout=30) or _nothing_came():
                connection = key.data
                if connection.is_answered(status):
                    answers.append(time.perf_counter() - connection.asked_at)
                    if (request := next(waiting, b"")) != b"":
                        connection.ask(request)
        taken = Load(
            seconds=time.perf_counter() - start, asking=time.process_time() - processor, answers=tuple(answers)
        )
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    return taken


def _nothing_came() -> list[tuple[selectors.SelectorKey, int]]:
    raise ConnectionError("no answer came for half a minute")
