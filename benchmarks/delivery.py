"""
Questions handed over to a mail server, beside smtplib with ready bytes: ``python benchmarks/delivery.py``.

Everything is counted: each question is claimed, gated again, made with links of its own, handed over, and its outcome
recorded as an event, durably, on SQLite. The floor says ready bytes over one reused connection and records nothing. The
server is Postfix's smtp-sink, which takes everything and keeps nothing; ``--latency`` adds that many milliseconds to
each round trip to it.
"""

from __future__ import annotations

import argparse
import os
import shutil
import smtplib
import socket
import statistics
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optly import Channel, ConsentManager, Keys, Organisation, Purpose, Subscriber
from optly.backends import SMTPBackend
from optly.backends.mime import Sender, build
from optly.messages import Message
from optly.storage import SQLStorage

UNPACKED = Path(__file__).parent.parent / ".peers" / "postfix"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        port: int = listening.getsockname()[1]
    return port


@contextmanager
def sink() -> Iterator[int]:
    """
    Run smtp-sink, Debian's own or the one that ``tests/peers/install`` unpacked, and give its port.
    """
    program = shutil.which("smtp-sink") or str(UNPACKED / "usr/sbin/smtp-sink")
    libraries = {"LD_LIBRARY_PATH": str(UNPACKED / "usr/lib/postfix")} if str(UNPACKED) in program else {}
    port = free_port()
    user = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([program, *user, f"127.0.0.1:{port}", "256"], env={**os.environ, **libraries}) as server:
        for _ in range(100):
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.05)
        try:
            yield port
        finally:
            server.terminate()


class Delay:
    """
    Passes bytes on both ways, each half a round trip later.
    """

    def __init__(self, port: int, seconds: float) -> None:
        self._target, self._half = port, seconds / 2
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            near, _ = self._listening.accept()
            far = socket.create_connection(("127.0.0.1", self._target))
            for one in (near, far):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._pass, args=(near, far), daemon=True).start()
            threading.Thread(target=self._pass, args=(far, near), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket) -> None:
        from collections import deque

        waiting: deque[tuple[float, bytes]] = deque()
        arrived = threading.Condition()

        def write() -> None:
            while True:
                with arrived:
                    while not waiting:
                        arrived.wait()
                    at, data = waiting.popleft()
                time.sleep(max(0.0, at - time.monotonic()))
                try:
                    if not data:
                        target.shutdown(socket.SHUT_WR)
                        return
                    target.sendall(data)
                except OSError:
                    return

        threading.Thread(target=write, daemon=True).start()
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with arrived:
                waiting.append((time.monotonic() + self._half, data))
                arrived.notify()
            if not data:
                return


def manager(directory: str, port: int, **settings: int) -> ConsentManager:
    backend = SMTPBackend(f"smtp://127.0.0.1:{port}", sender="Acme <hello@acme.example.com>", **settings)
    return ConsentManager(
        organisation=Organisation(key="acme", name="Acme Ltd", address="1 High Street, Leeds", email="a@example.com"),
        purposes=[Purpose(key="offers", title="Offers")],
        storage=SQLStorage(f"sqlite:///{directory}/optly.db"),
        backends=[backend],
        keys=Keys(current="a key that only measures"),
        base_url="https://acme.example.com/my",
    )


def queue(made: ConsentManager, count: int, name: str) -> None:
    contacts = (
        made.add_contact(email=f"{name}{number}@example.com", subscriber=Subscriber.COMPANY) for number in range(count)
    )
    made.request_consents(
        contacts, campaign=name, via=Channel.EMAIL, channels=[Channel.EMAIL], purposes=["offers"]
    )


def example(made: ConsentManager) -> bytes:
    """
    Return a question as it goes out, for the floor.
    """
    from optly._flows import deliver as flow
    from optly._run import run_to_completion

    taken: list[Message] = []

    class Keeping:
        name, channel, takes_replies = "keeping", Channel.EMAIL, False

        def send(self, message: Message) -> object:
            taken.append(message)
            raise KeyboardInterrupt

    del flow, run_to_completion, Keeping
    text = "x" * 600
    message = Message(id="0" * 32, channel=Channel.EMAIL, to="a@example.com", subject="s", text=text, html=f"<p>{text}")
    from datetime import UTC, datetime

    return build(message, Sender.parse("Acme <hello@acme.example.com>"), at=datetime.now(UTC)).content


def floor(port: int, content: bytes, count: int) -> float:
    client = smtplib.SMTP("127.0.0.1", port)
    client.ehlo()
    start = time.perf_counter()
    for _ in range(count):
        client.sendmail("hello@acme.example.com", ["a@example.com"], content)
    taken = time.perf_counter() - start
    client.quit()
    return taken / count


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency", type=float, default=0.0, help="milliseconds added to each round trip")
    parser.add_argument("--connections", type=int, default=4)
    parser.add_argument("--profile", action="store_true")
    given = parser.parse_args()
    floors, paths = [], []
    with sink() as port, tempfile.TemporaryDirectory() as directory:
        reached = Delay(port, given.latency / 1000).port if given.latency else port
        with manager(directory, reached, connections=given.connections) as made:
            content = example(made)
            each = given.count // given.rounds
            for number in range(given.rounds):
                queue(made, each, f"r{number}-")
                floors.append(floor(reached, content, each if not given.latency else min(each, 50)))
                if given.profile:
                    import cProfile
                    import pstats

                    profile = cProfile.Profile()
                    profile.runcall(made.deliver)
                    pstats.Stats(profile).sort_stats("cumtime").print_stats(80)
                    return
                start = time.perf_counter()
                done = made.deliver()
                paths.append((time.perf_counter() - start) / each)
                assert done.accepted == each, done
    low, high = statistics.median(floors), statistics.median(paths)
    print(f"floor {low * 1e6:,.0f} µs ({1 / low:,.0f}/s), deliver {high * 1e6:,.0f} µs ({1 / high:,.0f}/s), {high / low:.2f} x")


if __name__ == "__main__":
    main()
