"""
What holds for every test.
"""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import services
import thorough
from brackets import write_brackets
from hypothesis import settings
from jinja2 import BytecodeCache, Environment
from jinja2.bccache import Bucket
from stores import STORES, opened
from world import World, world

from optly.portal import look
from optly.storage import _database

# How long an example takes depends on what else the machine does.
settings.register_profile("optly", deadline=None)
settings.register_profile("quick", settings.get_profile("optly"), max_examples=thorough.USUAL // 5)
settings.load_profile("optly")

# A fixture that asks for one of these has marked whatever uses it.
MARKS = {"needs_browser": pytest.mark.browser, "needs_server": pytest.mark.server}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Mark what uses a fixture that says what it needs.
    """
    for item in items:
        for fixture in MARKS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(MARKS[fixture])


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Iterator[None]:
    """
    Have no garbage collected among thousands of tests, which stay until the end.
    """
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session")
def needs_browser() -> None:
    """
    What is marked as `browser`.
    """


@pytest.fixture(scope="session")
def needs_server() -> None:
    """
    What is marked as `server`.
    """


def _network(event: str, arguments: tuple[object, ...]) -> None:
    # The address of a socket that stays within the process, or the machine's own services, is no pair.
    if event in ("socket.bind", "socket.connect") and isinstance(arguments[1], tuple):
        services.reached(f"{event} {arguments[1]}")


sys.addaudithook(_network)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup() -> Iterator[None]:
    services.REACHED.clear()
    yield


# In seconds of the processor, which other programs do not use up. Twice what is slow, for processors differ too.
MOST = 5.0


def _spent() -> float:
    return sum(os.times()[:4])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """
    Fail what is not marked and has reached for a server or a browser or, among the quick tests, taken its time.
    """
    marks = {mark.name for mark in item.iter_markers()}
    quick = item.config.getoption("--hypothesis-profile") == "quick" and "slow" not in marks
    before = _spent()
    try:
        yield
    finally:
        if services.REACHED and not {"browser", "server"} & marks:
            pytest.fail(f"mark it as browser or server, for it reached for {services.REACHED}", pytrace=False)
        if quick and (spent := _spent() - before) > MOST:
            pytest.fail(f"mark it as slow, for it took {spent:.1f} s of the processor", pytrace=False)


SYNCED = _database._SETTINGS


@pytest.fixture(autouse=True, scope="session")
def unsynced() -> Iterator[None]:
    """
    Have nothing in this process wait for the disk: what a test writes need not outlive the machine. Processes that a
    test starts wait, as they do elsewhere.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda descriptor: None)
        quick = {**SYNCED, "sqlite": [*SYNCED["sqlite"], "PRAGMA synchronous = OFF"]}
        patch.setattr(_database, "_SETTINGS", quick)
        yield


@pytest.fixture
def synced(unsynced: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    Have SQLite wait for the disk, as it does elsewhere.
    """
    monkeypatch.setattr(_database, "_SETTINGS", SYNCED)


@pytest.fixture(params=STORES)
def on_each_store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    """
    A world over each kind of store.
    """
    made = world(opened(request.param, tmp_path))
    with made.manager:
        yield made


@pytest.fixture(scope="session")
def bracketed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    """
    A place for catalogues, with a language in which every sentence is the English one in brackets.
    """
    directory = tmp_path_factory.mktemp("catalogues")
    write_brackets(directory)
    return (directory,)


class Compiled(BytecodeCache):
    """
    What Jinja2 made of the templates.
    """

    def __init__(self) -> None:
        self._code: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._code:
            bucket.bytecode_from_string(self._code[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._code[bucket.key] = bucket.bytecode_to_string()


@pytest.fixture(autouse=True, scope="session")
def compiled_once() -> Iterator[None]:
    """
    Have the templates of the pages compiled once, and not once for each of a thousand portals.
    """
    make, cache = look._environment, Compiled()

    def environment(*arguments: Any, **settings: Any) -> Environment:
        made = make(*arguments, **settings)
        made.bytecode_cache = cache
        return made

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(look, "_environment", environment)
        yield
