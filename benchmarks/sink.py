"""
A mail server that takes everything and keeps nothing: Postfix's smtp-sink, near by or some way off.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

POSTFIX = Path(__file__).parents[1] / ".peers" / "postfix" / "usr"


@contextmanager
def sink() -> Iterator[int]:
    """
    Run smtp-sink and yield its port.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = os.environ | {"LD_LIBRARY_PATH": str(POSTFIX / "lib" / "postfix")}
    user = ("-u", "root") if os.geteuid() == 0 else ()
    with subprocess.Popen([POSTFIX / "sbin" / "smtp-sink", *user, f"127.0.0.1:{port}", "64"], env=environment) as peer:
        try:
            for _ in range(200):
                try:
                    socket.create_connection(("127.0.0.1", port)).close()
                    break
                except ConnectionRefusedError:
                    time.sleep(0.01)
            yield port
        finally:
            peer.terminate()


class Delay:
    """
    A proxy that holds back what goes either way for half of the time that a round trip is to take longer.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._target, self._half = port, seconds / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        selector = selectors.DefaultSelector()
        selector.register(self._listener, selectors.EVENT_READ)
        held: deque[tuple[float, socket.socket, bytes]] = deque()
        other: dict[socket.socket, socket.socket] = {}
        while True:
            wait = None if not held else max(0.0, held[0][0] - time.monotonic())
            for key, _ in selector.select(wait):
                if key.fileobj is self._listener:
                    near, _ = self._listener.accept()
                    far = socket.create_connection(("127.0.0.1", self._target))
                    other |= {near: far, far: near}
                    for end in (near, far):
                        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                        selector.register(end, selectors.EVENT_READ)
                else:
                    ready = key.fileobj
                    assert isinstance(ready, socket.socket)
                    data = ready.recv(1 << 16)
                    held.append((time.monotonic() + self._half, other[ready], data))
                    if not data:
                        selector.unregister(ready)
            while held and held[0][0] <= time.monotonic():
                _, end, data = held.popleft()
                with suppress(OSError):
                    end.sendall(data) if data else end.shutdown(socket.SHUT_WR)
