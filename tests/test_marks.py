"""
What is not marked needs no browser and no server, so that it can be run anywhere.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from processes import environment

TESTS = Path(__file__).parent

REACHING = """
import socket

import pytest
from chromium import chromium
from services import fresh_database

def test_alone():
    pass

def test_by_a_socket():
    socket.create_server(("127.0.0.1", 0)).close()

def test_by_a_database():
    with fresh_database("postgresql"):
        pass

def test_by_a_browser():
    with chromium():
        pass

@pytest.mark.server
def test_by_its_mark():
    test_by_a_socket()

@pytest.fixture
def started(needs_server):
    test_by_a_socket()

def test_by_its_fixture(started):
    pass
"""


@pytest.mark.slow
def test_what_is_not_marked_and_reaches_for_something_fails(tmp_path: Path) -> None:
    """
    Whether or not there is such a thing here. A test is marked by itself or by its fixtures.
    """
    shutil.copy(TESTS / "conftest.py", tmp_path)
    (tmp_path / "test_reaching.py").write_text(REACHING)
    nothing_here = {"PATH": "", "OPTLY_TEST_URLS": "postgresql://nobody@127.0.0.1:1/none", "COLUMNS": "200"}

    command = [sys.executable, "-m", "pytest", "-c", str(TESTS.parent / "pyproject.toml"), f"--rootdir={tmp_path}"]

    def run(*arguments: str) -> str:
        return subprocess.run(
            [*command, *arguments, str(tmp_path)],
            capture_output=True,
            check=False,
            env=environment(**nothing_here),
            text=True,
        ).stdout

    every = run()
    failed = re.findall(r"^FAILED .*::(\w+) - Failed: mark it as browser or server", every, re.MULTILINE)
    assert {"test_by_a_socket", "test_by_a_database", "test_by_a_browser"} == set(failed)
    assert "3 failed, 3 passed" in every
    assert "3 failed, 1 passed, 2 deselected" in run("-m", "not server")
