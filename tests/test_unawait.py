"""
What blocks is made from what is awaited.
"""

from __future__ import annotations

import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from optly import AsyncConsentManager, ConsentManager
from optly.self_service import AsyncPerson, AsyncSelfService, Person, SelfService

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """
    The tool, which is no part of the package.
    """
    spec = importlib.util.spec_from_file_location("unawait", ROOT / "tools" / "unawait.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_made_is_not_stale() -> None:
    """
    Someone who changes a source runs the tool.
    """
    done = subprocess.run([sys.executable, ROOT / "tools" / "unawait.py", "--check"], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")


def test_a_stale_file_is_found(tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """
    A source that changed is reported by a check, which writes nothing, and brought up to date otherwise.
    """
    source = tmp_path / "awaited.py"
    source.write_text("async def f() -> int:\n    return 1\n")
    monkeypatch.setattr(tool, "SOURCES", (source,))
    monkeypatch.setattr(tool, "ROOT", tmp_path)
    assert tool.main(["--check"]) == 1
    assert not source.with_name("blocking.py").exists()
    assert tool.main([]) == 0
    assert source.with_name("blocking.py").read_text().endswith("def f() -> int:\n    return 1\n")
    assert tool.main(["--check"]) == 0


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
def test_what_changes(tool: ModuleType, awaited: str, blocking: str) -> None:
    """
    Each rule of the tool, by itself.
    """
    assert tool.unawaited(awaited).removeprefix(tool.MARK) == blocking


def test_an_operation_is_run_to_its_end(tool: ModuleType) -> None:
    """
    What is awaited of a module is an operation, and the import that runs it is added.
    """
    made = tool.unawaited("\nfrom optly.x import y\n\nasync def f(): return await y.z(1)\n")
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
