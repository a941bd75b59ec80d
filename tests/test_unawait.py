"""
What blocks is made from what is awaited.
"""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import pytest
import unawait

from optly import AsyncConsentManager, ConsentManager
from optly.self_service import AsyncPerson, AsyncSelfService, Person, SelfService


def test_what_is_made_is_not_stale() -> None:
    """
    Someone who changes a source runs the tool.
    """
    done = subprocess.run([sys.executable, unawait.__file__, "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_stale_file_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A source that changed is reported by a check, which writes nothing, and brought up to date otherwise.
    """
    source = tmp_path / "awaited.py"
    source.write_text("async def f() -> int:\n    return 1\n")
    monkeypatch.setattr(unawait, "SOURCES", (source,))
    monkeypatch.setattr(unawait, "ROOT", tmp_path)
    assert unawait.main(["--check"]) == 1
    assert not source.with_name("blocking.py").exists()
    assert unawait.main([]) == 0
    assert source.with_name("blocking.py").read_text().endswith("def f() -> int:\n    return 1\n")
    assert unawait.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("awaited", "blocking"),
    [
        ("class AsyncX(AsyncY): ...", "class X(Y): ..."),
        ("async def f(): ...", "def f(): ..."),
        ("x: A | AsyncA = y", "x: A = y"),
        ("x = await self.f(1)", "x = self.f(1)"),
        ("x = await (await self.enter(c)).open()", "x = (self.enter(c)).open()"),
        ("async def __aenter__(self): ...", "def __enter__(self): ..."),
        ("async with a as b: ...", "with a as b: ..."),
        ("async for a in b: ...", "for a in b: ..."),
        ('"""As `AsyncPerson.open`."""', '"""As `Person.open`."""'),
        ("Asynchronous = asyncio", "Asynchronous = asyncio"),
    ],
)
def test_what_changes(awaited: str, blocking: str) -> None:
    """
    Each rule of the tool, by itself.
    """
    assert unawait.unawaited(awaited).removeprefix(unawait.MARK) == blocking


def test_an_operation_is_run_to_its_end() -> None:
    """
    What is awaited of a module is an operation, and the import that runs it is added.
    """
    made = unawait.unawaited("\nfrom optly.x import y\n\nasync def f(): return await y.z(1)\n")
    assert "from optly._operations.running import run_to_completion" in made
    assert "def f(): return run_to_completion(y.z(1))" in made


@pytest.mark.parametrize(
    ("awaited", "blocking"),
    [(AsyncConsentManager, ConsentManager), (AsyncSelfService, SelfService), (AsyncPerson, Person)],
)
def test_both_faces_have_the_same_members_and_their_own_documentation(awaited: type, blocking: type) -> None:
    """
    Neither form refers a reader to the other.
    """
    public = {name for name in dir(awaited) if not name.startswith("_")}
    assert public == {name for name in dir(blocking) if not name.startswith("_")}
    for name in public:
        documented = inspect.getdoc(getattr(awaited, name))
        assert documented, name
        assert "ConsentManager." not in documented.replace("AsyncConsentManager.", ""), name
        assert not inspect.iscoroutinefunction(getattr(blocking, name)), name
