"""
The type checker sees the ports: what a store does not have cannot be called.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import optly

PACKAGE = Path(optly.__file__).parent
CALL = "app.storage.entries(subject)"


def check(tmp_path: Path, call: str) -> subprocess.CompletedProcess[str]:
    """
    Check an operation in which one call of the store is another one.
    """
    copy = tmp_path / "optly"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    operation = copy / "_operations" / "proof.py"
    text = operation.read_text(encoding="utf-8")
    assert CALL in text
    operation.write_text(text.replace(CALL, call, 1), encoding="utf-8")
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--follow-imports=silent", str(operation)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "MYPYPATH": str(tmp_path)},
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    "call",
    [
        "app.storage.entires(subject)",
        "app.storage.entries(subjekt=subject)",
        "app.storage.entries(str(subject))",
    ],
)
def test_a_wrong_call_of_the_store_is_an_error(tmp_path: Path, call: str) -> None:
    """
    A method that does not exist, an argument that does not exist, and one of another type.
    """
    done = check(tmp_path, call)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "proof.py" in done.stdout


@pytest.mark.slow
def test_a_right_call_of_the_store_is_none(tmp_path: Path) -> None:
    """
    It is the call that is found, and nothing else.
    """
    done = check(tmp_path, CALL)
    assert done.returncode == 0, done.stdout + done.stderr
