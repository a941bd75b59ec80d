"""
Anchors: heads of the log outside the store, and what they give away.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from thorough import examples
from world import KEYS, OTHER, World, world

from optly import Keys
from optly.anchors import FileAnchor, HTTPAnchor
from optly.errors import ConfigurationError, DamagedError, ProviderUnavailableError
from optly.protocols import Anchor, Storage
from optly.record.ledger import Finding
from optly.storage import MemoryStorage
from optly.testing.anchors import AnchorContract, note


class TestFileAnchor(AnchorContract):
    @pytest.fixture
    def anchor(self, tmp_path: Path) -> Anchor:
        return FileAnchor(tmp_path / "heads.txt")

    @pytest.fixture
    def cut_off(self, tmp_path: Path) -> Anchor:
        (tmp_path / "file").touch()
        return FileAnchor(tmp_path / "file" / "heads.txt")


class Bucket(BaseHTTPRequestHandler):
    """
    Keeps what is put to a path, and gives it back to those who know the password.
    """

    kept: dict[str, bytes]
    status = 0

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.allowed():
            self.kept[self.path] = body
            self.answer(201, b"")

    def do_GET(self) -> None:
        if self.allowed():
            self.answer(200 if self.path in self.kept else 404, self.kept.get(self.path, b""))

    def allowed(self) -> bool:
        if self.status or self.headers["Authorization"] != "Bearer secret":
            self.answer(self.status or 401, b"")
            return False
        return True

    def answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass


@pytest.fixture
def bucket() -> Iterator[tuple[str, type[Bucket]]]:
    """
    A server on this machine, with its URL.
    """
    handler = type("Here", (Bucket,), {"kept": {}})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/acme", handler
        server.shutdown()
        thread.join()


def http_anchor(url: str, password: str = "secret") -> HTTPAnchor:
    return HTTPAnchor(url, headers={"Authorization": f"Bearer {password}"}, timeout=timedelta(seconds=2))


@pytest.mark.server
class TestHTTPAnchor(AnchorContract):
    secrets = ("Bearer", "secret")

    @pytest.fixture
    def anchor(self, bucket: tuple[str, type[Bucket]]) -> Iterator[Anchor]:
        anchor = http_anchor(bucket[0])
        yield anchor
        anchor.close()

    @pytest.fixture
    def cut_off(self) -> Iterator[Anchor]:
        anchor = http_anchor("http://127.0.0.1:1/acme")
        yield anchor
        anchor.close()

    @pytest.mark.parametrize("status", [302, 401, 403, 500, 503])
    def test_an_answer_that_is_no_success_raises(self, bucket: tuple[str, type[Bucket]], status: int) -> None:
        """
        Nothing is concluded from it.
        """
        bucket[1].status = status
        anchor = http_anchor(bucket[0])
        with pytest.raises(ProviderUnavailableError):
            anchor.latest()
        with pytest.raises(ProviderUnavailableError):
            anchor.publish(note(1))
        anchor.close()

    def test_an_answer_that_is_too_long_raises(self, bucket: tuple[str, type[Bucket]]) -> None:
        """
        It is no head of a log.
        """
        bucket[1].kept["/acme"] = b"x" * 100_001
        anchor = http_anchor(bucket[0])
        with pytest.raises(ProviderUnavailableError):
            anchor.latest()
        anchor.close()


@pytest.mark.parametrize("url", ["http://example.com/acme", "ftp://example.com", "https://", "https://a@example.com/b"])
def test_an_anchor_is_called_over_an_encrypted_connection(url: str) -> None:
    """
    Or on this machine.
    """
    with pytest.raises(ConfigurationError):
        HTTPAnchor(url)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(50))
@given(cut=st.integers(0, 400) | st.integers(0, 4000), more=st.booleans())
def test_a_head_that_a_crash_cut_is_passed_over(tmp_path_factory: pytest.TempPathFactory, cut: int, more: bool) -> None:
    """
    Wherever it was cut, the head before it is the latest, and the next one is found.
    """
    path = tmp_path_factory.mktemp("anchor") / "heads.txt"
    anchor = FileAnchor(path)
    anchor.publish(note(1))
    whole = path.stat().st_size
    anchor.publish(note(2))
    written = path.read_bytes()
    kept = min(len(written) - 1, whole + cut)
    path.write_bytes(written[:kept])
    assert anchor.latest() == note(1)
    anchor.publish(note(3))
    assert anchor.latest() == note(3)
    if more:
        anchor.publish(note(4))
        assert anchor.latest() == note(4)
    assert path.read_bytes().startswith(written[:kept])


# ---- a manager with anchors


def copied(storage: Storage) -> MemoryStorage:
    assert isinstance(storage, MemoryStorage)
    made = MemoryStorage()
    made._state = copy.deepcopy(storage._state)
    return made


def grow(w: World) -> None:
    w.manager.add_contact(email=f"p{len(list(w.storage.subjects('acme')))}@example.com")
    w.manager.seal()


class Flaky:
    """
    An anchor that can be out of reach.
    """

    name = "flaky"

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.away = False

    def _check(self) -> None:
        if self.away:
            raise ConnectionError("with a secret in its text")

    def publish(self, note: str) -> None:
        self._check()
        self.notes.append(note)

    def latest(self) -> str | None:
        self._check()
        return self.notes[-1] if self.notes else None

    def close(self) -> None:
        pass


def test_each_head_goes_to_every_anchor(tmp_path: Path) -> None:
    """
    Whoever seals: a call, evidence or a delivery.
    """
    flaky, path = Flaky(), tmp_path / "heads.txt"
    w = world(anchors=[flaky, FileAnchor(path)])
    ada = w.add()
    assert flaky.notes == []
    seal = w.manager.evidence(ada).seal
    assert seal is not None
    w.agreed(ada)
    head = w.manager.seal()
    assert head is not None
    assert [seal.checkpoint, head.note] == [flaky.notes[0], flaky.notes[-1]]
    assert head.note == FileAnchor(path).latest()
    assert w.manager.verify()
    w.manager.seal()
    assert len(set(flaky.notes)) == len(flaky.notes)


def test_an_anchor_that_is_away_loses_no_seal(caplog: pytest.LogCaptureFixture) -> None:
    """
    The failure is logged, without the words of the error, and the head goes there with the next seal.
    """
    flaky, other = Flaky(), Flaky()
    w = world(anchors=[flaky, other])
    grow(w)
    flaky.away = True
    grow(w)
    assert ["head not anchored"] == [record.message for record in caplog.records]
    assert "secret" not in caplog.text
    assert len(other.notes) == 2
    flaky.away = False
    w.manager.seal()
    assert flaky.notes[-1] == other.notes[-1]


def test_an_anchor_that_was_away_at_the_start_is_read_before_it_is_written(caplog: pytest.LogCaptureFixture) -> None:
    """
    What it holds is not buried under the head of a log that it would give away.
    """
    flaky = Flaky()
    w = world(anchors=[flaky])
    grow(w)
    old = copied(w.storage)
    grow(w)
    kept, flaky.away = list(flaky.notes), True
    caplog.clear()
    later = world(storage=old, anchors=[flaky])
    assert ["anchor cannot be reached"] == [record.message for record in caplog.records]
    grow(later)
    flaky.away = False
    with pytest.raises(DamagedError):
        grow(later)
    assert kept == flaky.notes


def cut(w: World) -> Storage:
    old = copied(w.storage)
    grow(w)
    return old


def forked(w: World) -> Storage:
    old = copied(w.storage)
    grow(w)
    other = world(storage=old)
    for _ in range(3):
        other.manager.add_contact(email="eve@example.com", name=str(_))
        other.manager.seal()
    return old


def anew(w: World) -> Storage:
    other = world()
    for _ in range(3):
        grow(other)
    return other.storage


def gone(w: World) -> Storage:
    return MemoryStorage()


@pytest.mark.parametrize(
    ("exchange", "finding"),
    [(cut, Finding.TRUNCATED), (forked, Finding.LOG), (anew, Finding.LOG), (gone, Finding.TRUNCATED)],
)
def test_a_store_that_was_exchanged_is_refused(
    exchange: Callable[[World], Storage], finding: Finding, caplog: pytest.LogCaptureFixture
) -> None:
    """
    One that was cut, forked, begun anew or emptied: at the start, when it is verified and when it is sealed, and
    nothing more is published.
    """
    flaky = Flaky()
    w = world(anchors=[flaky])
    grow(w)
    storage = exchange(w)
    published = list(flaky.notes)
    with pytest.raises(DamagedError, match="log"):
        world(storage=storage, anchors=[flaky])

    w.storage._state = storage._state  # type: ignore[attr-defined]
    assert {finding} <= {problem.finding for problem in w.manager.verify().problems}
    w.manager.add_contact(email="late@example.com")
    with pytest.raises(DamagedError):
        w.manager.seal()
    w.manager.deliver()
    assert "log cannot be sealed" in caplog.text
    assert published == flaky.notes


def test_a_store_that_is_as_it_was_is_accepted() -> None:
    """
    With heads of earlier days and of other processes in the anchors, and after the keys were rotated.
    """
    old, new = Flaky(), Flaky()
    w = world(anchors=[old, new])
    grow(w)
    old.away = True
    grow(w)
    old.away = False
    again = world(storage=w.storage, anchors=[old, new])
    grow(again)
    grow(w)
    assert again.manager.verify()
    keys = Keys(current="a key of the year after", previous=[KEYS.current])
    rotated = world(storage=w.storage, anchors=[old, new], keys=keys)
    grow(rotated)
    assert rotated.manager.verify()
    assert old.notes[-1] == new.notes[-1]


@pytest.mark.parametrize("text", ["", "nonsense", note(7), note(7).replace("7", "8", 1)])
def test_an_anchor_that_holds_something_else_says_nothing(text: str, caplog: pytest.LogCaptureFixture) -> None:
    """
    What nobody signed for this log is no reason to refuse it; but it is logged.
    """
    flaky = Flaky()
    flaky.notes.append(text)
    w = world(keys=Keys(current="other than those of the note"), anchors=[flaky])
    assert ["anchor holds no head that was signed for this log"] == [record.message for record in caplog.records]
    grow(w)
    assert flaky.notes[-1] != text
    assert w.manager.verify()


def test_organisations_do_not_share_an_anchor() -> None:
    """
    The head of one says nothing of the log of the other.
    """
    flaky = Flaky()
    w = world(anchors=[flaky])
    grow(w)
    other = world(storage=w.storage, organisation=OTHER, anchors=[flaky])
    assert other.manager.verify()


@pytest.mark.parametrize("exchange", [None, cut])
def test_the_awaited_form_does_the_same(exchange: Callable[[World], Storage] | None) -> None:
    """
    It reads the anchors at the start, and publishes.
    """
    import asyncio

    from world import awaited

    flaky = Flaky()
    w = world(anchors=[flaky])
    grow(w)
    if exchange is not None:
        storage = exchange(w)
        with pytest.raises(DamagedError):
            awaited(w.emails, storage, anchors=[flaky])
        return

    async def act() -> None:
        manager = awaited(w.emails, w.storage, anchors=[flaky])
        await manager.add_contact(email="bob@example.com")
        head = await manager.seal()
        assert head is not None
        assert flaky.notes[-1] == head.note
        assert await manager.verify()
        await manager.close()

    asyncio.run(act())
